//! `[capacity]`: the search for the highest rate at which an objective is kept.

use serde::{Deserialize, Serialize};

use super::check::SHORTEST_ROUND_NS;
use super::gate::{GRAMMAR, parse_gate};
use super::overrides::{OverrideError, refuse};
use super::{Amount, Comparison, Gate, GateMetric, Load, LoadModel, Scenario, TimeKind};

/// The lowest rate that is tried by default.
pub(super) const DEFAULT_MIN_PER_S: f64 = 10.0;
/// The highest one.
pub(super) const DEFAULT_MAX_PER_S: f64 = 1_000_000.0;
/// How near the answer is by default.
pub(super) const DEFAULT_PRECISION: f64 = 0.05;
/// Where a search begins by default.
pub(super) const DEFAULT_START_PER_S: f64 = 100.0;
/// A quantile of fewer calls beyond it than this is null.
const CALLS_BEYOND: f64 = 10.0;
/// Calls of a Poisson process come in varying numbers.
const ROOM: f64 = 1.2;
/// A queue that grows has to be seen to grow: a round of a check lasts so many times what it may wait.
const TIMES_THE_LIMIT: f64 = 10.0;

/// What is searched, and where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// What must be kept, beside the scenario's budget of errors.
    pub slo: Vec<Gate>,
    /// The lowest rate that is tried, in calls per second.
    pub min_per_s: f64,
    /// The highest.
    pub max_per_s: f64,
    /// How much higher the lowest rate that misses may be than the one that is found, as a share.
    pub precision: f64,
}

impl Capacity {
    /// Reads an objective.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse_objective(text: &str) -> Result<Gate, String> {
        let gate = parse_gate(text)?;
        let is_upper = matches!(gate.comparison, Comparison::AtMost | Comparison::Below);
        match gate.metric {
            GateMetric::Time { kind: TimeKind::Lag, .. } => {
                Err("the lag is the load generator's and no objective of a server".into())
            }
            GateMetric::Time { .. } if !is_upper => {
                Err("times grow with the rate: an objective is an upper limit, as \"p99 <= 5ms\"".into())
            }
            GateMetric::Rate => Err("the rate is what is searched; give a time, as \"p99 <= 5ms\"".into()),
            GateMetric::Time { .. } | GateMetric::Errors | GateMetric::ErrorShare => Ok(gate),
        }
    }

    /// The load of a round at a rate: long enough that the objective's quantiles have calls enough.
    #[must_use]
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn load_at(&self, load: &Load, rate_per_s: f64) -> Load {
        let mut load = load.clone();
        if let LoadModel::Open { rate_per_s: of, .. } = &mut load.model {
            *of = rate_per_s;
        }
        let quantiles = self.slo.iter().filter_map(|gate| match gate.metric {
            GateMetric::Time { figure, .. } => figure.quantile(),
            _ => None,
        });
        let calls = quantiles.map(|q| CALLS_BEYOND / (1.0 - q) * ROOM).fold(0.0, f64::max).ceil();
        load.length = match load.length {
            Amount::Calls(given) => Amount::Calls(given.max(calls as u64)),
            Amount::DurationNs(ns) => Amount::DurationNs(ns.max((calls / rate_per_s * 1e9) as u64)),
        };
        load.rounds = 1;
        load
    }

    /// The shortest time that the objective allows, in nanoseconds; `None` where it is about errors alone.
    #[must_use]
    pub fn shortest_time_ns(&self) -> Option<f64> {
        let times = self.slo.iter().filter(|gate| matches!(gate.metric, GateMetric::Time { .. }));
        times.map(|gate| gate.limit).reduce(f64::min)
    }

    /// How long a round of a check lasts at least where the scenario does not say, in nanoseconds: half a
    /// second, or ten times the longest time that the objective allows.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn check_round_ns(&self) -> u64 {
        let times = self.slo.iter().filter(|gate| matches!(gate.metric, GateMetric::Time { .. }));
        times.map(|gate| gate.limit * TIMES_THE_LIMIT).fold(SHORTEST_ROUND_NS, f64::max).ceil() as u64
    }
}

impl Scenario {
    /// Searches the capacity for an objective (`--capacity`), whatever the file says of it.
    ///
    /// # Errors
    /// The objective is none, or the load is not one whose rate can be searched.
    pub fn search_capacity(&mut self, objective: &str) -> Result<(), OverrideError> {
        const FLAG: &str = "--capacity";
        let gate = Capacity::parse_objective(objective)
            .map_err(|problem| refuse(FLAG, format!("\"{objective}\": {problem}\n{GRAMMAR}")))?;
        if !matches!(self.load.model, LoadModel::Open { .. }) {
            return Err(refuse(
                FLAG,
                "the search varies the rate of an open load, and this one is closed; add --rate with the rate \
                 to begin at",
            ));
        }
        if !self.load.stages.is_empty() {
            return Err(refuse(
                FLAG,
                "the scenario's stages say the rates; add --rate with the rate to begin at",
            ));
        }
        self.sweep.rate_per_s.clear();
        let known = self.capacity.take();
        let or = |of: fn(&Capacity) -> f64, default| known.as_ref().map_or(default, of);
        self.capacity = Some(Capacity {
            slo: vec![gate],
            min_per_s: or(|known| known.min_per_s, DEFAULT_MIN_PER_S),
            max_per_s: or(|known| known.max_per_s, DEFAULT_MAX_PER_S),
            precision: or(|known| known.precision, DEFAULT_PRECISION),
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(slo: &[&str]) -> Capacity {
        let slo = slo.iter().map(|text| Capacity::parse_objective(text).unwrap()).collect();
        Capacity { slo, min_per_s: 1.0, max_per_s: 1e6, precision: 0.05 }
    }

    #[test]
    fn the_shortest_time_of_an_objective_is_that_of_its_times() {
        assert_eq!(of(&["p99 <= 5ms", "p50 <= 200us", "errors <= 100"]).shortest_time_ns(), Some(200e3));
        assert_eq!(of(&["errors <= 100"]).shortest_time_ns(), None);
    }

    #[test]
    fn a_round_of_a_check_is_long_enough_to_see_a_queue_grow() {
        let of = |slo: &[&str]| of(slo).check_round_ns();
        assert_eq!(of(&["p99 <= 5ms"]), 500_000_000);
        assert_eq!(of(&["p99 <= 5ms", "p50 <= 200ms", "errors <= 100"]), 2_000_000_000);
    }
}
