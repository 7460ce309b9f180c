//! What a regression check looks at and how sure it is, as `[gates]` says. Judging is `analysis`'s work.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::gate::{Figure, TimeKind};
use super::overrides::{OverrideError, refuse};
use super::{Load, LoadModel, Scenario};
use crate::rpc::named_choice;

/// The part of `[gates]` that `wirebench check` reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckGates {
    /// What is gated; empty for what fits the load ([`default_metrics`]).
    pub metrics: Vec<CheckMetric>,
    /// δ: what is worse by no more than this share is not worse.
    pub noise_margin: f64,
    /// Δ: what is worse by this share or more must not pass.
    pub limit: f64,
    /// What is worse by no more than these amounts is not worse, whatever the share.
    pub floor: Floors,
    /// α: how often the whole gate may call identical builds a regression.
    pub alpha: f64,
    /// How many pairs of rounds, or of searches; `None` for as many as the budget allows.
    pub rounds: Option<u32>,
    /// How long a check may measure, in nanoseconds; `None` for what the metrics need by default
    /// ([`Self::budget_or_default_ns`]).
    pub budget_ns: Option<u64>,
    /// The measured interval of a round, in nanoseconds; `None` for what the metrics need.
    pub round_ns: Option<u64>,
    /// Whether a check may end at an early look.
    pub early_stop: bool,
    /// Whether encoded bytes are gated.
    pub bytes: BytesGate,
}

/// Differences in absolute units that are none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Floors {
    /// Of times, in nanoseconds.
    pub time_ns: u64,
    /// Of processor time per call, in nanoseconds.
    pub cpu_ns: u64,
}

impl Default for CheckGates {
    fn default() -> Self {
        Self {
            metrics: Vec::new(),
            noise_margin: 0.02,
            limit: 0.1,
            floor: Floors { time_ns: 500, cpu_ns: 200 },
            alpha: 0.05,
            rounds: None,
            budget_ns: None,
            round_ns: None,
            early_stop: true,
            bytes: BytesGate::SameCodec,
        }
    }
}

impl CheckGates {
    /// How long a check may measure, in nanoseconds.
    #[must_use]
    pub fn budget_or_default_ns(&self) -> u64 {
        let searches = self.metrics.contains(&CheckMetric::Capacity);
        self.budget_ns.unwrap_or(if searches { CAPACITY_BUDGET_NS } else { BUDGET_NS })
    }
}

named_choice! {
    /// Whether more encoded bytes fail a check.
    BytesGate {
        /// Where both sides use the same codec; else they are shown.
        SameCodec = "same-codec",
        /// Always.
        Gate = "gate",
        /// Never: they are shown.
        Show = "show",
    }
}

/// What a check compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckMetric {
    /// A quantile of a time.
    Time {
        /// Which time: response or service.
        kind: TimeKind,
        /// Which quantile.
        figure: Figure,
    },
    /// Answered calls per second.
    Rate,
    /// Processor time of the server per call.
    Cpu,
    /// The highest rate at which the objective of `[capacity]` is kept. Gated alone: its rounds are
    /// those of searches, each at a rate of its own.
    Capacity,
}

/// How long a check may measure where nobody says.
const BUDGET_NS: u64 = 60_000_000_000;
/// How long a check of capacities may measure where nobody says: each pair is two searches.
const CAPACITY_BUDGET_NS: u64 = 600_000_000_000;

/// The quantiles that may be gated: beyond p99 a short round has no calls for them.
const QUANTILES: [Figure; 4] = [Figure::P50, Figure::P90, Figure::P95, Figure::P99];

/// What may be named, for messages.
const METRICS: &str = "allowed: rate, cpu, and p50, p90, p95 or p99 of response or service, as \"response p99\"; or capacity, alone";

impl CheckMetric {
    /// Reads a name. A quantile alone is of the response time, as in `slo`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (kind, figure) = match words[..] {
            ["rate"] => return Ok(Self::Rate),
            ["cpu"] => return Ok(Self::Cpu),
            ["capacity"] => return Ok(Self::Capacity),
            [figure] => (TimeKind::Response, figure),
            ["response", figure] => (TimeKind::Response, figure),
            ["service", figure] => (TimeKind::Service, figure),
            _ => return Err(format!("unknown metric \"{text}\"")),
        };
        match Figure::from_name(figure) {
            Some(figure) if QUANTILES.contains(&figure) => Ok(Self::Time { kind, figure }),
            Some(figure) => {
                Err(format!("{figure} of a short round is mostly luck: it is shown, never gated"))
            }
            None => Err(format!("unknown metric \"{text}\"")),
        }
    }

    /// The fewest calls of a round that give it.
    #[must_use]
    pub fn calls_needed(self) -> f64 {
        // The rule of quantiles: ten calls lie above it.
        match self {
            Self::Time { figure, .. } => figure.quantile().map_or(1.0, |quantile| 10.0 / (1.0 - quantile)),
            Self::Rate | Self::Cpu | Self::Capacity => 1.0,
        }
    }
}

impl fmt::Display for CheckMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time { kind, figure } => write!(f, "{kind} {figure}"),
            Self::Rate => f.write_str("rate"),
            Self::Cpu => f.write_str("cpu"),
            Self::Capacity => f.write_str("capacity"),
        }
    }
}

/// A metric in a list that cannot be gated.
pub(super) struct WrongMetric {
    /// Which one of the list.
    pub(super) index: usize,
    /// What is wrong with it.
    pub(super) problem: String,
    /// What is allowed.
    pub(super) help: &'static str,
}

/// Reads what is gated, as `metrics` and `--metric` name it, for a scenario that `searches` a capacity, or not.
pub(super) fn read_metrics(names: &[&str], searches: bool) -> Result<Vec<CheckMetric>, WrongMetric> {
    let mut metrics = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let wrong = |problem: String, help| WrongMetric { index, problem, help };
        let metric = CheckMetric::parse(name).map_err(|why| wrong(why, METRICS))?;
        if metrics.contains(&metric) {
            return Err(wrong("the metric is in the list twice".into(), "each metric once"));
        }
        if metric == CheckMetric::Capacity && !searches {
            return Err(wrong(
                "the scenario does not search a capacity".into(),
                "add [capacity] with slo = \"p99 <= 5ms\" (or another objective), and an open load: \
                 [load] open = { rate_per_s = 100 }",
            ));
        }
        if metric == CheckMetric::Capacity && names.len() > 1 {
            return Err(wrong(
                "capacity is gated alone".into(),
                "its rounds are those of searches, each at a rate of its own, and give no other metric a pair: \
                 metrics = [\"capacity\"], and the others in a second scenario, or check twice: --metric capacity, \
                 and then the others",
            ));
        }
        metrics.push(metric);
    }
    Ok(metrics)
}

impl Scenario {
    /// Gates these metrics in a check (`--metric`), whatever the file says of them. The rules are the file's.
    ///
    /// # Errors
    /// Which metric cannot be gated, and what is allowed.
    pub fn gate_metrics(&mut self, names: &[String]) -> Result<(), OverrideError> {
        let listed: Vec<&str> = names.iter().map(String::as_str).collect();
        self.gates.check.metrics = read_metrics(&listed, self.capacity.is_some()).map_err(|wrong| {
            refuse("--metric", format!("{}: {}\n{}", listed[wrong.index], wrong.problem, wrong.help))
        })?;
        Ok(())
    }
}

/// A quantile that makes rounds longer than this is not gated unless it is asked for.
const LONGEST_DEFAULT_ROUND_NS: f64 = 3e9;
/// More calls than a quantile needs, because a Poisson load has fewer now and then.
const CALLS_MARGIN: f64 = 1.15;
/// Rounds are at least this long: shorter ones are mostly start.
pub(super) const SHORTEST_ROUND_NS: f64 = 5e8;

/// What is gated where a scenario does not say: in a closed loop the median of the service time (one
/// call at a time, or users who think) or the throughput (more), in an open one median and p99 of the response time; and the
/// server's processor time per call. p99 only where rounds stay short.
#[must_use]
pub fn default_metrics(load: &Load) -> Vec<CheckMetric> {
    let time = |kind, figure| CheckMetric::Time { kind, figure };
    match load.model {
        LoadModel::Closed { concurrency } if concurrency == 1 || load.think_time.is_some() => {
            vec![time(TimeKind::Service, Figure::P50), CheckMetric::Cpu]
        }
        LoadModel::Closed { .. } => vec![CheckMetric::Rate, CheckMetric::Cpu],
        LoadModel::Open { .. } => {
            let p99 = time(TimeKind::Response, Figure::P99);
            let mut metrics = vec![time(TimeKind::Response, Figure::P50)];
            if needed_ns(load, &[p99]) <= LONGEST_DEFAULT_ROUND_NS {
                metrics.push(p99);
            }
            metrics.push(CheckMetric::Cpu);
            metrics
        }
    }
}

/// How long a round would have to be for the p99 that is not gated where a scenario does not say, in
/// nanoseconds; `None` where it is gated, or has no business there.
#[must_use]
pub fn ungated_p99_ns(load: &Load) -> Option<u64> {
    let p99 = CheckMetric::Time { kind: TimeKind::Response, figure: Figure::P99 };
    let needed_ns = needed_ns(load, &[p99]);
    (needed_ns > LONGEST_DEFAULT_ROUND_NS).then(|| needed_ns.ceil() as u64)
}

fn needed_ns(load: &Load, metrics: &[CheckMetric]) -> f64 {
    let calls = metrics.iter().map(|metric| metric.calls_needed()).fold(1.0, f64::max);
    match load.model {
        // How fast a closed loop is nobody knows before.
        LoadModel::Closed { .. } => 0.0,
        LoadModel::Open { rate_per_s, .. } => CALLS_MARGIN * calls / rate_per_s * 1e9,
    }
}

/// How long a round measures where a scenario does not say, in nanoseconds: half a second, or as long
/// as an open loop needs for the calls of its metrics.
#[must_use]
pub fn default_round_ns(load: &Load, metrics: &[CheckMetric]) -> u64 {
    SHORTEST_ROUND_NS.max(needed_ns(load, metrics)).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacities_have_a_longer_budget_unless_one_is_given() {
        let of = |metrics: &[CheckMetric], budget_ns| {
            CheckGates { metrics: metrics.to_vec(), budget_ns, ..CheckGates::default() }
                .budget_or_default_ns()
        };
        assert_eq!(of(&[CheckMetric::Cpu], None), 60_000_000_000);
        assert_eq!(of(&[CheckMetric::Capacity], None), 600_000_000_000);
        assert_eq!(of(&[CheckMetric::Capacity], Some(7)), 7);
    }

    #[test]
    fn metrics_are_read_as_they_are_written() {
        for (text, shown) in [
            ("rate", "rate"),
            ("cpu", "cpu"),
            (" capacity", "capacity"),
            ("p99", "response p99"),
            ("  service   p50 ", "service p50"),
            ("response p90", "response p90"),
        ] {
            assert_eq!(CheckMetric::parse(text).unwrap().to_string(), shown);
        }
        for text in ["", "p98", "service", "wait p50", "response p99 p50", "cpu p50", "capacity p50"] {
            assert!(CheckMetric::parse(text).is_err(), "{text}");
        }
        for text in ["p999", "service max", "mean"] {
            assert!(CheckMetric::parse(text).unwrap_err().contains("never gated"), "{text}");
        }
    }
}
