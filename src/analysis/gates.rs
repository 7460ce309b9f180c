//! Absolute gates: `p99 <= 5ms`.

use super::units::{count, duration_ns, rate_per_s};
use crate::result::{CellResult, GateOutcome, Quantiles};
use crate::scenario::{Figure, Gate, GateMetric, TimeKind};

/// Every gate on every cell. A gate on an invalid cell, or on a figure that was not measured, is
/// neither met nor missed.
#[must_use]
pub fn evaluate_gates(gates: &[Gate], cells: &[CellResult]) -> Vec<GateOutcome> {
    let mut outcomes = Vec::new();
    for gate in gates {
        for cell in cells {
            let value = figure(gate.metric, cell);
            outcomes.push(GateOutcome {
                text: gate.text.clone(),
                backend: cell.backend.clone(),
                point: cell.point.clone(),
                met: value.filter(|_| cell.verdict.is_valid()).map(|value| gate.holds(value)),
                measured: value.map(|value| in_units(gate.metric, value)),
            });
        }
    }
    outcomes
}

fn figure(metric: GateMetric, cell: &CellResult) -> Option<f64> {
    let figures = &cell.figures;
    let failed = || figures.errors.values().sum::<u64>() as f64;
    match metric {
        GateMetric::Time { kind, figure } => {
            let times = match kind {
                // In a closed loop without think time both are one.
                TimeKind::Response => &figures.response_ns,
                TimeKind::Service => &figures.service_ns,
                TimeKind::Wait => &figures.wait_ns,
                TimeKind::Lag => &figures.lag_ns,
            };
            of_times(times, figure)
        }
        GateMetric::Errors => figures.calls.map(|_| failed()),
        GateMetric::ErrorShare => figures.calls.map(|calls| {
            let made = calls_of_all_rounds(cell).unwrap_or(calls) as f64 + failed();
            if made > 0.0 { failed() / made } else { 0.0 }
        }),
        GateMetric::Rate => figures.rate_per_s,
    }
}

/// Answered calls of every round, as errors are counted: a cell's own are of its valid rounds.
fn calls_of_all_rounds(cell: &CellResult) -> Option<u64> {
    cell.rounds.iter().filter_map(|round| round.figures.calls).reduce(u64::saturating_add)
}

pub(super) fn of_times(times: &Quantiles, figure: Figure) -> Option<f64> {
    let nanoseconds = match figure {
        Figure::Mean => return times.mean,
        Figure::Min => times.min,
        Figure::P50 => times.p50,
        Figure::P90 => times.p90,
        Figure::P95 => times.p95,
        Figure::P99 => times.p99,
        Figure::P999 => times.p999,
        Figure::P9999 => times.p9999,
        Figure::Max => times.max,
    };
    nanoseconds.map(|nanoseconds| nanoseconds as f64)
}

fn in_units(metric: GateMetric, value: f64) -> String {
    match metric {
        GateMetric::Errors => count(value as u64),
        GateMetric::ErrorShare => format!("{:.3} %", value * 100.0),
        GateMetric::Rate => rate_per_s(value),
        GateMetric::Time { .. } => duration_ns(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{CellDescription, Limits, cell_from_rounds};
    use crate::result::{Reason, ReasonKind, Verdict};
    use crate::scenario::Comparison;

    fn cell() -> CellResult {
        let mut cell = cell_from_rounds(CellDescription::default(), &[], &Limits::default());
        cell.verdict = Verdict::default();
        cell.figures.calls = Some(10);
        cell.figures.rate_per_s = Some(1_000.0);
        cell.figures.response_ns.p99 = Some(5_000_000);
        cell
    }

    fn gate(metric: GateMetric, comparison: Comparison, limit: f64) -> Gate {
        Gate { text: String::new(), metric, comparison, limit }
    }

    const P99: GateMetric = GateMetric::Time { kind: TimeKind::Response, figure: Figure::P99 };
    const P999: GateMetric = GateMetric::Time { kind: TimeKind::Service, figure: Figure::P999 };

    #[test]
    fn a_gate_is_met_missed_or_not_decidable() {
        for (gate, met, measured) in [
            (gate(P99, Comparison::AtMost, 5e6), Some(true), Some("5.00 ms")),
            (gate(P99, Comparison::Below, 5e6), Some(false), Some("5.00 ms")),
            (gate(GateMetric::Errors, Comparison::Equal, 0.0), Some(true), Some("0")),
            (gate(GateMetric::ErrorShare, Comparison::AtMost, 0.0), Some(true), Some("0.000 %")),
            (gate(GateMetric::Rate, Comparison::AtLeast, 2_000.0), Some(false), Some("1.00 k/s")),
            (gate(P999, Comparison::AtMost, 1e9), None, None),
        ] {
            let outcome = &evaluate_gates(std::slice::from_ref(&gate), &[cell()])[0];
            assert_eq!((outcome.met, outcome.measured.as_deref()), (met, measured), "{gate:?}");
        }
    }

    #[test]
    fn an_invalid_cell_decides_nothing_but_shows_what_was_measured() {
        let mut cell = cell();
        cell.verdict = Verdict::of(vec![Reason { kind: ReasonKind::Failed, detail: String::new() }]);
        let outcome = &evaluate_gates(&[gate(GateMetric::Rate, Comparison::AtLeast, 1.0)], &[cell])[0];
        assert_eq!((outcome.met, outcome.measured.is_some()), (None, true));
    }
}
