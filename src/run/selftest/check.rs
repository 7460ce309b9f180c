//! Compares what was measured with the truth. Pure.

use super::case::{Case, Omits, Side};
use super::round::Measured;
use super::truth::{Replay, quantile, replay_closed, replay_open};
use crate::analysis::{duration_ns, rate_per_s};
use crate::result::{LoadModel, Quantiles, ReasonKind};
use serde::Serialize;

/// A measured time beside the truth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Which figure, as `p99`.
    pub figure: String,
    /// Where the truth comes from: `the server's record` or `rule`.
    pub truth_from: &'static str,
    /// The truth.
    pub truth_ns: f64,
    /// What was measured; null where there were too few calls.
    pub measured_ns: Option<f64>,
    /// How far apart they may be.
    pub tolerance_ns: f64,
    /// What a tool would have shown that omits waiting.
    pub omission_ns: Option<f64>,
    /// Whether they are within the tolerance.
    pub passed: bool,
}

/// Something else that must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What must hold.
    pub what: String,
    /// What was found.
    pub found: String,
    /// Whether it holds.
    pub passed: bool,
}

/// Compares a case's quantiles and verdict. `closed` gives the measured quantiles of another case.
pub(super) fn compare(
    case: &Case,
    measured: &Measured,
    closed: &dyn Fn(&str) -> Option<Quantiles>,
) -> (Vec<Comparison>, Vec<Check>) {
    let mut checks = vec![verdict(case, measured)];
    let is_open = measured.cell.load.model == LoadModel::Open;
    let replay = if is_open {
        replay_open(&measured.log, &measured.due_ns)
    } else {
        replay_closed(&measured.log, usize::try_from(measured.round.calls).unwrap_or(usize::MAX))
    };
    let replay = match replay {
        Ok(replay) => replay,
        Err(error) => {
            checks.push(Check {
                what: "the server recorded every call".into(),
                found: error.to_string(),
                passed: false,
            });
            return (Vec::new(), checks);
        }
    };
    if is_open {
        checks.push(Check {
            what: "no call is sent before it is due".into(),
            found: format!("{} of {}", replay.early, replay.response_ns.len()),
            passed: replay.early == 0,
        });
    }
    if case.reason == Some(ReasonKind::Overloaded) {
        checks.extend(overload(measured, &replay));
    }
    if case.stopped == Some(Side::Server) {
        checks.push(stop_is_seen(measured));
    }
    let mut comparisons = Vec::new();
    for expected in &case.quantiles {
        let measured_ns = at(&measured.cell.figures.response_ns, expected.q);
        let omission_ns = match case.omits {
            Omits::Nothing => None,
            Omits::Holds => quantile(&replay.hold_ns, expected.q).map(|ns| ns as f64),
            Omits::Service => at(&measured.cell.figures.service_ns, expected.q),
            Omits::Closed(name) => closed(name).and_then(|quantiles| at(&quantiles, expected.q)),
        };
        let mut add = |truth_from, truth_ns: f64, tolerance_ns: f64| {
            comparisons.push(Comparison {
                figure: name_of(expected.q),
                truth_from,
                truth_ns,
                measured_ns,
                tolerance_ns,
                omission_ns,
                passed: measured_ns.is_some_and(|ns| (ns - truth_ns).abs() <= tolerance_ns),
            });
        };
        if let Some(truth_ns) = quantile(&replay.response_ns, expected.q).map(|ns| ns as f64) {
            add("the server's record", truth_ns, case.from_log.of(truth_ns));
        }
        if let Some(truth_ns) = expected.rule_ns {
            add("rule", truth_ns, case.from_rule.of(truth_ns));
        }
    }
    (comparisons, checks)
}

/// A stop of 200 ms is looked for twenty times a second, by a thread that may itself be kept waiting.
fn stop_is_seen(measured: &Measured) -> Check {
    const LEAST_NS: u64 = 150_000_000;
    let seen_ns = measured.round.server_stopped_ns;
    Check {
        what: "the server's stop is seen".into(),
        found: seen_ns.map_or_else(|| "nothing".to_owned(), |ns| duration_ns(ns as f64)),
        passed: seen_ns.is_some_and(|ns| ns >= LEAST_NS),
    }
}

fn verdict(case: &Case, measured: &Measured) -> Check {
    let verdict = &measured.cell.verdict;
    let found = if verdict.is_valid() {
        String::from("it counts")
    } else {
        let reasons: Vec<String> = verdict
            .reasons
            .iter()
            .map(|reason| format!("{}: {}", reason.kind.name(), reason.detail))
            .collect();
        reasons.join("; ")
    };
    match case.reason {
        None => Check { what: "the round counts".into(), found, passed: verdict.is_valid() },
        Some(kind) => {
            Check { what: format!("the round is {}", kind.name()), found, passed: verdict.has(kind) }
        }
    }
}

/// Both rates are shown, and no tail.
fn overload(measured: &Measured, replay: &Replay) -> Vec<Check> {
    let figures = &measured.cell.figures;
    let within =
        |found: Option<f64>, truth: f64| found.is_some_and(|found| (found / truth - 1.0).abs() <= 0.05);
    let shown = |found: Option<f64>| found.map_or_else(|| "nothing".to_owned(), rate_per_s);
    let offered = measured.cell.load.rate_per_s.unwrap_or(f64::NAN);
    let first_ns = measured.due_ns.first().copied().unwrap_or(0);
    let last_ns = measured.log.iter().map(|call| call.answered_ns).max().unwrap_or(0);
    let served = replay.response_ns.len() as f64 / (last_ns.saturating_sub(first_ns).max(1) as f64 / 1e9);
    let p99 = figures.response_ns.p99;
    vec![
        Check {
            what: format!("{} are offered", rate_per_s(offered)),
            found: shown(figures.offered_rate_per_s),
            passed: within(figures.offered_rate_per_s, offered),
        },
        Check {
            what: format!("{} are achieved", rate_per_s(served)),
            found: shown(figures.rate_per_s),
            passed: within(figures.rate_per_s, served),
        },
        Check {
            what: "no p99 is shown".into(),
            found: p99.map_or_else(|| "none".to_owned(), |ns| duration_ns(ns as f64)),
            passed: p99.is_none(),
        },
    ]
}

fn at(quantiles: &Quantiles, q: f64) -> Option<f64> {
    let found = match name_of(q).as_str() {
        "p50" => quantiles.p50,
        "p90" => quantiles.p90,
        "p95" => quantiles.p95,
        "p99" => quantiles.p99,
        "p99.9" => quantiles.p999,
        _ => None,
    };
    found.map(|ns| ns as f64)
}

/// `p99.9` for 0.999.
fn name_of(q: f64) -> String {
    format!("p{}", (q * 1_000.0).round() / 10.0)
}
