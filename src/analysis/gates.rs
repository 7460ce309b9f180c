//! Absolute gates: `p99 <= 5ms`.

use super::ranking::judged_times;
use super::units::{count, duration_ns, duration_us, rate_per_s};
use crate::result::{CellResult, GateOutcome};

/// What a gate looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// The median, in nanoseconds. Times are response times in an open loop, service times in a closed one.
    P50,
    /// The 90th percentile, in nanoseconds.
    P90,
    /// The 95th percentile, in nanoseconds.
    P95,
    /// The 99th percentile, in nanoseconds.
    P99,
    /// The 99.9th percentile, in nanoseconds.
    P999,
    /// The 99.99th percentile, in nanoseconds.
    P9999,
    /// The mean, in nanoseconds.
    Mean,
    /// The longest, in nanoseconds.
    Max,
    /// Failed calls.
    Errors,
    /// Answered calls per second.
    Rate,
    /// The client's processor time per call, in microseconds.
    ClientCpu,
    /// The server's processor time per call, in microseconds.
    ServerCpu,
}

/// How a figure is compared with the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `==`
    Equal,
    /// `>=`
    AtLeast,
    /// `>`
    Greater,
}

/// A figure, a comparison and a limit in the metric's unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// As the scenario spells it.
    pub text: String,
    /// What it looks at.
    pub metric: Metric,
    /// How.
    pub operator: Operator,
    /// The limit.
    pub limit: f64,
}

/// Every gate on every cell. A gate on an invalid cell, or on a figure that was not measured, is
/// neither met nor missed.
#[must_use]
pub fn evaluate_gates(gates: &[Gate], cells: &[CellResult]) -> Vec<GateOutcome> {
    let mut outcomes = Vec::new();
    for gate in gates {
        for cell in cells {
            let (met, measured) = evaluate(gate, cell);
            outcomes.push(GateOutcome {
                text: gate.text.clone(),
                backend: cell.backend.clone(),
                point: cell.point.clone(),
                met,
                measured,
            });
        }
    }
    outcomes
}

fn evaluate(gate: &Gate, cell: &CellResult) -> (Option<bool>, Option<String>) {
    let Some(figure) = figure(gate.metric, cell) else { return (None, None) };
    let met = match gate.operator {
        Operator::Less => figure < gate.limit,
        Operator::AtMost => figure <= gate.limit,
        Operator::Equal => figure == gate.limit,
        Operator::AtLeast => figure >= gate.limit,
        Operator::Greater => figure > gate.limit,
    };
    (cell.verdict.is_valid().then_some(met), Some(in_units(gate.metric, figure)))
}

fn figure(metric: Metric, cell: &CellResult) -> Option<f64> {
    let times = judged_times(cell);
    let nanoseconds = |value: Option<u64>| value.map(|value| value as f64);
    match metric {
        Metric::P50 => nanoseconds(times.p50),
        Metric::P90 => nanoseconds(times.p90),
        Metric::P95 => nanoseconds(times.p95),
        Metric::P99 => nanoseconds(times.p99),
        Metric::P999 => nanoseconds(times.p999),
        Metric::P9999 => nanoseconds(times.p9999),
        Metric::Mean => times.mean,
        Metric::Max => nanoseconds(times.max),
        Metric::Errors => cell.figures.calls.map(|_| cell.figures.errors.values().sum::<u64>() as f64),
        Metric::Rate => cell.figures.rate_per_s,
        Metric::ClientCpu => cell.figures.cpu_us_per_call.client,
        Metric::ServerCpu => cell.figures.cpu_us_per_call.server,
    }
}

fn in_units(metric: Metric, figure: f64) -> String {
    match metric {
        Metric::Errors => count(figure as u64),
        Metric::Rate => rate_per_s(figure),
        Metric::ClientCpu | Metric::ServerCpu => duration_us(figure),
        _ => duration_ns(figure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{CellDescription, Limits, cell_from_rounds};
    use crate::result::{Reason, ReasonKind, Verdict};

    fn cell() -> CellResult {
        let mut cell = cell_from_rounds(CellDescription::default(), &[], &Limits::default());
        cell.verdict = Verdict::default();
        cell.figures.calls = Some(10);
        cell.figures.rate_per_s = Some(1_000.0);
        cell.figures.service_ns.p99 = Some(5_000_000);
        cell
    }

    fn gate(metric: Metric, operator: Operator, limit: f64) -> Gate {
        Gate { text: String::new(), metric, operator, limit }
    }

    #[test]
    fn every_operator_compares_the_figure_with_the_limit() {
        for (operator, below, equal, above) in [
            (Operator::Less, false, false, true),
            (Operator::AtMost, false, true, true),
            (Operator::Equal, false, true, false),
            (Operator::AtLeast, true, true, false),
            (Operator::Greater, true, false, false),
        ] {
            let met = |limit| evaluate(&gate(Metric::P99, operator, limit), &cell()).0;
            assert_eq!(
                [met(4e6), met(5e6), met(6e6)],
                [Some(below), Some(equal), Some(above)],
                "{operator:?}"
            );
        }
    }

    #[test]
    fn a_figure_that_was_not_measured_is_neither_met_nor_missed() {
        assert_eq!(evaluate(&gate(Metric::P999, Operator::AtMost, 1e9), &cell()), (None, None));
        assert_eq!(evaluate(&gate(Metric::ServerCpu, Operator::AtMost, 1e9), &cell()), (None, None));
    }

    #[test]
    fn an_invalid_cell_meets_no_gate_and_shows_what_was_measured() {
        let mut cell = cell();
        cell.verdict = Verdict::of(vec![Reason { kind: ReasonKind::Unstable, detail: String::new() }]);
        let outcome = evaluate(&gate(Metric::Errors, Operator::Equal, 0.0), &cell);
        assert_eq!(outcome, (None, Some("0".into())));
    }
}
