//! The metrics of a check: where their figures are, and which way is worse.

use super::decide::Margins;
use crate::analysis::gates::of_times;
use crate::result::{Figures, LoadModel};
use crate::scenario::{CheckGates, CheckMetric, Figure, TimeKind};

/// The figure of a round: nanoseconds, calls per second, or microseconds per call.
#[must_use]
pub fn figure(metric: CheckMetric, figures: &Figures) -> Option<f64> {
    let found = match metric {
        CheckMetric::Time { kind, figure } => {
            let times = match kind {
                TimeKind::Response => &figures.response_ns,
                TimeKind::Service => &figures.service_ns,
                TimeKind::Wait => &figures.wait_ns,
                TimeKind::Lag => &figures.lag_ns,
            };
            of_times(times, figure)
        }
        CheckMetric::Rate => figures.rate_per_s,
        CheckMetric::Cpu => figures.cpu_us_per_call.server,
        // No single round has one.
        CheckMetric::Capacity => None,
    };
    // Nothing can be divided by 0.
    found.filter(|value| *value > 0.0)
}

/// What a metric is called in sentences.
#[must_use]
pub fn label(name: &str) -> &str {
    match name {
        "rate" => "throughput",
        "cpu" => "server CPU per call",
        other => other,
    }
}

pub(super) fn unit(metric: CheckMetric) -> &'static str {
    match metric {
        CheckMetric::Time { .. } => "ns",
        CheckMetric::Rate | CheckMetric::Capacity => "calls/s",
        CheckMetric::Cpu => "µs/call",
    }
}

pub(super) fn more_is_better(metric: CheckMetric) -> bool {
    matches!(metric, CheckMetric::Rate | CheckMetric::Capacity)
}

/// ln(candidate/base), turned so that positive is worse.
pub(super) fn worse_by(metric: CheckMetric, [base, candidate]: [f64; 2]) -> f64 {
    let difference = (candidate / base).ln();
    if more_is_better(metric) { -difference } else { difference }
}

/// The change of the figure, candidate/base − 1, of a difference that is positive for the worse.
pub(super) fn change_of(metric: CheckMetric, worse_by: f64) -> f64 {
    if more_is_better(metric) { (-worse_by).exp_m1() } else { worse_by.exp_m1() }
}

/// The margins of a metric: those of the gates, or the floor where that is more of the base.
pub(super) fn margins(metric: CheckMetric, gates: &CheckGates, base: Option<f64>) -> Margins {
    let floor = match metric {
        CheckMetric::Time { .. } => gates.floor.time_ns as f64,
        CheckMetric::Cpu => gates.floor.cpu_ns as f64 / 1e3,
        CheckMetric::Rate | CheckMetric::Capacity => 0.0,
    };
    let floor_share = base.filter(|base| *base > 0.0).map_or(0.0, |base| floor / base);
    Margins {
        noise: gates.noise_margin.max(floor_share).ln_1p(),
        limit: gates.limit.max(floor_share).ln_1p(),
    }
}

/// What is shown beside the gated metrics and never gated: the tail, the mean, and the throughput. Beside
/// capacities nothing: what the sides did at different rates is not to be compared.
#[must_use]
pub fn shown_metrics(model: LoadModel, gated: &[CheckMetric]) -> Vec<CheckMetric> {
    if gated.contains(&CheckMetric::Capacity) {
        return Vec::new();
    }
    let kind = match model {
        LoadModel::Open => TimeKind::Response,
        LoadModel::Closed => TimeKind::Service,
    };
    let times = [Figure::P50, Figure::P99, Figure::P999, Figure::Max, Figure::Mean];
    let times = times.map(|figure| CheckMetric::Time { kind, figure });
    // The rate of an open loop is the schedule's.
    let rate = (model == LoadModel::Closed).then_some(CheckMetric::Rate);
    times.into_iter().chain(rate).chain([CheckMetric::Cpu]).filter(|metric| !gated.contains(metric)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_calls_per_second_are_worse_and_a_change_has_its_own_sign() {
        assert!(worse_by(CheckMetric::Rate, [100.0, 90.0]) > 0.0);
        assert!(worse_by(CheckMetric::Cpu, [100.0, 90.0]) < 0.0);
        let worse = worse_by(CheckMetric::Rate, [110.0, 100.0]);
        assert!((change_of(CheckMetric::Rate, worse) + 0.0909).abs() < 1e-4);
        assert!((change_of(CheckMetric::Cpu, worse_by(CheckMetric::Cpu, [2.0, 3.0])) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_floor_counts_where_it_is_more_than_the_share() {
        let p50 = CheckMetric::Time { kind: TimeKind::Service, figure: Figure::P50 };
        let gates = CheckGates::default();
        let of = |base| margins(p50, &gates, Some(base));
        assert!((of(1e6).noise.exp_m1() - 0.02).abs() < 1e-12);
        // 500 ns of 5 µs are a tenth.
        assert!((of(5e3).noise.exp_m1() - 0.1).abs() < 1e-12 && (of(5e3).limit.exp_m1() - 0.1).abs() < 1e-12);
        assert!((of(1e3).limit.exp_m1() - 0.5).abs() < 1e-12);
        assert_eq!(margins(CheckMetric::Rate, &gates, Some(1.0)).limit, 0.1_f64.ln_1p());
    }

    #[test]
    fn what_is_gated_is_not_shown_again_and_an_open_loop_has_no_rate_of_its_own() {
        let names = |model, gated: &[CheckMetric]| {
            shown_metrics(model, gated).iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(
            names(LoadModel::Closed, &[CheckMetric::Rate, CheckMetric::Cpu]),
            "service p50, service p99, service p999, service max, service mean"
        );
        assert!(!names(LoadModel::Open, &[]).contains("rate"));
        assert_eq!(names(LoadModel::Open, &[CheckMetric::Capacity]), "");
    }
}
