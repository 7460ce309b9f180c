//! From the figures of a check's rounds to the verdicts on its metrics.

use super::decide::{Decided, Measured, Verdict, decide, is_settled};
use super::looks::Look;
use super::metric::{change_of, figure, margins, more_is_better, shown_metrics, unit, worse_by};
use super::paired::Differences;
use super::power::{PRINTED_POWER, pairs_needed};
use crate::result::{
    BytesCheck, CalibratedMetric, CheckStatus, ErrorsCheck, Figures, LoadModel, MetricCheck,
};
use crate::scenario::{CheckGates, CheckMetric};

/// How a check decides.
#[derive(Debug, Clone, Copy)]
pub struct Gate<'a> {
    /// What is gated.
    pub metrics: &'a [CheckMetric],
    /// Margins, floors and α.
    pub gates: &'a CheckGates,
    /// The load, which says what is shown beside.
    pub model: LoadModel,
    /// The last look that is planned.
    pub last: Look,
    /// The step in which gated figures come, as a share: the precision of a search; 0 for all others.
    pub step: f64,
}

/// The figures of a pair that counts: of two rounds, or of two searches.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PairFigures {
    /// Of the base's round.
    pub base: Figures,
    /// Of the candidate's.
    pub candidate: Figures,
    /// `[base, candidate]`: calls per second, of searches.
    pub capacities_per_s: Option<[f64; 2]>,
}

impl PairFigures {
    /// A pair of searches.
    #[must_use]
    pub fn of_capacities(capacities_per_s: [f64; 2]) -> Self {
        Self { capacities_per_s: Some(capacities_per_s), ..Self::default() }
    }

    fn of(&self, metric: CheckMetric) -> Option<[f64; 2]> {
        match metric {
            CheckMetric::Capacity => self.capacities_per_s,
            _ => Some([figure(metric, &self.base)?, figure(metric, &self.candidate)?]),
        }
    }
}

struct Column {
    metric: CheckMetric,
    pairs: Vec<[f64; 2]>,
    base: Option<f64>,
    candidate: Option<f64>,
    measured: Measured,
}

fn column(metric: CheckMetric, gate: &Gate<'_>, pairs: &[PairFigures]) -> Column {
    let pairs: Vec<[f64; 2]> = pairs.iter().filter_map(|pair| pair.of(metric)).collect();
    let base = median(pairs.iter().map(|[base, _]| *base));
    let candidate = median(pairs.iter().map(|[_, candidate]| *candidate));
    let differences = Differences::new(pairs.iter().map(|pair| worse_by(metric, *pair)));
    let margins = margins(metric, gate.gates, base);
    let measured = Measured { differences, margins, step: gate.step };
    Column { metric, pairs, base, candidate, measured }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    Some(f64::midpoint(values[last / 2], values[last.div_ceil(2)]))
}

/// Judges the gated metrics after some pairs, at a look, and adds what is only shown. Says also whether
/// the check may end here.
#[must_use]
pub fn judge(gate: &Gate<'_>, pairs: &[PairFigures], look: Look) -> (Vec<MetricCheck>, bool) {
    let columns: Vec<Column> = gate.metrics.iter().map(|metric| column(*metric, gate, pairs)).collect();
    let measured: Vec<Measured> = columns.iter().map(|column| column.measured.clone()).collect();
    let decided = decide(&measured, look.level);
    let settled = is_settled(&measured, &decided, gate.last);
    let reached = Look { pairs: pairs.len(), level: look.level };
    let mut metrics: Vec<MetricCheck> = columns
        .into_iter()
        .zip(&decided)
        .map(|(column, of)| checked(column, Some(of), reached, gate.metrics.len()))
        .collect();
    let shown = shown_metrics(gate.model, gate.metrics).into_iter();
    let shown = shown.map(|metric| column(metric, gate, pairs)).filter(|column| !column.pairs.is_empty());
    metrics.extend(shown.map(|column| checked(column, None, reached, gate.metrics.len())));
    (metrics, settled)
}

fn checked(column: Column, decided: Option<&Decided>, look: Look, metrics: usize) -> MetricCheck {
    let metric = column.metric;
    let worst_level = look.level / metrics.max(1) as f64;
    let level = decided.map_or(worst_level, |of| of.level);
    let Measured { differences, margins, .. } = &column.measured;
    let natural = |worse: f64| change_of(metric, worse);
    let spread = column.measured.spread(worst_level);
    let (noise, limit) = (margins.noise.exp_m1(), margins.limit.exp_m1());
    MetricCheck {
        name: metric.to_string(),
        unit: unit(metric).to_owned(),
        more_is_better: more_is_better(metric),
        gated: decided.is_some(),
        verdict: decided.map(|of| match of.verdict {
            Verdict::Regressed => CheckStatus::Regressed,
            Verdict::Pass => CheckStatus::Pass,
            Verdict::Inconclusive => CheckStatus::Inconclusive,
        }),
        change: differences.effect().map(natural),
        interval: differences.interval(level).map(|ends| {
            let [a, b] = ends.map(natural);
            [a.min(b), a.max(b)]
        }),
        confidence: 1.0 - 2.0 * level,
        p_regressed: decided.map(|of| of.p_regressed),
        noise_margin: natural(margins.noise),
        limit: natural(margins.limit),
        base: column.base,
        candidate: column.candidate,
        spread,
        smallest_detectable: column.measured.detectable(look, metrics).map(|effect| natural(effect.ln_1p())),
        pairs_for_limit: spread
            .and_then(|spread| pairs_needed(spread, worst_level, PRINTED_POWER, noise, limit))
            .map(|pairs| pairs as u64),
        pairs: column.pairs,
    }
}

/// What the whole gate says: a regression where any part is one, a pass where every part passes.
#[must_use]
pub fn status(metrics: &[MetricCheck], bytes: &[BytesCheck], errors: &ErrorsCheck) -> CheckStatus {
    let gated = || metrics.iter().filter_map(|metric| metric.verdict);
    let more_bytes = bytes.iter().any(|method| method.verdict == CheckStatus::Regressed);
    if more_bytes || errors.is_regression() || gated().any(|verdict| verdict == CheckStatus::Regressed) {
        CheckStatus::Regressed
    } else if gated().all(|verdict| verdict == CheckStatus::Pass) {
        CheckStatus::Pass
    } else {
        CheckStatus::Inconclusive
    }
}

/// What rounds of the same thing say about how much its metrics vary. Metrics with too few pairs are
/// left out.
#[must_use]
pub fn calibrated(metrics: &[MetricCheck], limit: f64) -> Vec<CalibratedMetric> {
    let of = |metric: &MetricCheck| {
        Some(CalibratedMetric {
            name: metric.name.clone(),
            spread: metric.spread?,
            smallest_detectable: metric.smallest_detectable?,
            limit,
            pairs_for_limit: metric.pairs_for_limit,
        })
    };
    metrics.iter().filter(|metric| metric.gated).filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::Quantiles;
    use crate::rpc::random::Random;
    use crate::scenario::{Figure, TimeKind};

    const P50: CheckMetric = CheckMetric::Time { kind: TimeKind::Response, figure: Figure::P50 };
    const P99: CheckMetric = CheckMetric::Time { kind: TimeKind::Response, figure: Figure::P99 };

    fn round(p50_us: f64, p99_us: f64, cpu_us: f64, random: &mut Random) -> Figures {
        let mut luck = || 1.0 + 0.03 * (random.unit() + random.unit() - 1.0);
        let ns = |us: f64, luck: f64| Some((us * 1e3 * luck) as u64);
        let mut figures = Figures { rate_per_s: Some(1e6 / p50_us * luck()), ..Figures::default() };
        figures.response_ns =
            Quantiles { p50: ns(p50_us, luck()), p99: ns(p99_us, luck()), ..Quantiles::default() };
        figures.cpu_us_per_call.server = Some(cpu_us * luck());
        figures
    }

    fn judged(candidate: [f64; 3], metrics: &[CheckMetric]) -> Vec<MetricCheck> {
        let mut random = Random::new(9);
        let pairs: Vec<PairFigures> = (0..20)
            .map(|_| PairFigures {
                base: round(100.0, 900.0, 50.0, &mut random),
                candidate: round(candidate[0], candidate[1], candidate[2], &mut random),
                capacities_per_s: None,
            })
            .collect();
        let gates = CheckGates::default();
        let last = Look { pairs: 20, level: 0.05 };
        judge(&Gate { metrics, gates: &gates, model: LoadModel::Open, last, step: 0.0 }, &pairs, last).0
    }

    fn verdicts(metrics: &[MetricCheck]) -> Vec<(&str, Option<CheckStatus>)> {
        metrics.iter().filter(|metric| metric.gated).map(|metric| (&*metric.name, metric.verdict)).collect()
    }

    #[test]
    fn a_slower_tail_is_found_in_the_tail_alone() {
        let found = judged([100.0, 20_900.0, 50.0], &[P50, P99, CheckMetric::Cpu]);
        assert_eq!(
            verdicts(&found),
            [
                ("response p50", Some(CheckStatus::Pass)),
                ("response p99", Some(CheckStatus::Regressed)),
                ("cpu", Some(CheckStatus::Pass))
            ]
        );
        assert_eq!(status(&found, &[], &ErrorsCheck::default()), CheckStatus::Regressed);
    }

    #[test]
    fn a_rate_falls_by_a_negative_change_and_its_limit_is_negative_too() {
        let found = judged([150.0, 900.0, 50.0], &[CheckMetric::Rate]);
        let rate = &found[0];
        assert_eq!(rate.verdict, Some(CheckStatus::Regressed));
        let change = rate.change.unwrap();
        assert!((change + 1.0 / 3.0).abs() < 0.03, "{change}");
        let [low, high] = rate.interval.unwrap();
        assert!(low <= change && change <= high && high < rate.noise_margin);
        assert!(rate.limit < rate.noise_margin && rate.smallest_detectable.unwrap() < 0.0);
        assert!(rate.base.unwrap() > rate.candidate.unwrap());
    }

    #[test]
    fn a_lower_capacity_is_a_regression_and_a_higher_one_is_not() {
        let gates = CheckGates::default();
        let last = Look { pairs: 8, level: 0.05 };
        let metrics = &[CheckMetric::Capacity];
        let judged = |share: f64| {
            let pairs: Vec<PairFigures> = (0..8)
                .map(|pair| 1_000.0 + 5.0 * f64::from(pair))
                .map(|base| PairFigures::of_capacities([base, base * share]))
                .collect();
            let gate = Gate { metrics, gates: &gates, model: LoadModel::Open, last, step: 0.01 };
            let (found, settled) = judge(&gate, &pairs, last);
            assert_eq!(found.len(), 1, "nothing is shown beside a capacity");
            (found.into_iter().next().unwrap(), settled)
        };
        let (worse, settled) = judged(0.8);
        assert_eq!((worse.verdict, settled), (Some(CheckStatus::Regressed), true));
        assert!((worse.change.unwrap() + 0.2).abs() < 1e-9 && worse.limit < 0.0);
        assert_eq!((&*worse.name, &*worse.unit, worse.more_is_better), ("capacity", "calls/s", true));
        assert_eq!(judged(1.0).0.verdict, Some(CheckStatus::Pass));
        assert_eq!(judged(1.3).0.verdict, Some(CheckStatus::Pass));
        assert!(judged(1.0).0.smallest_detectable.unwrap() < -0.02);
    }

    #[test]
    fn what_is_only_shown_has_no_verdict_and_decides_nothing() {
        let found = judged([100.0, 90_000.0, 50.0], &[P50]);
        assert_eq!(verdicts(&found), [("response p50", Some(CheckStatus::Pass))]);
        let p99 = found.iter().find(|metric| metric.name == "response p99").unwrap();
        assert!(p99.verdict.is_none() && p99.change.unwrap() > 50.0 && p99.p_regressed.is_none());
        assert!(found.iter().all(|metric| metric.name != "response p999"), "nobody measured it");
        assert_eq!(status(&found, &[], &ErrorsCheck::default()), CheckStatus::Pass);
    }

    #[test]
    fn errors_and_bytes_fail_a_gate_alone() {
        let same = judged([100.0, 900.0, 50.0], &[P50]);
        let errors = ErrorsCheck { rounds_over_budget: [0, 1], ..ErrorsCheck::default() };
        assert_eq!(status(&same, &[], &errors), CheckStatus::Regressed);
        let both = ErrorsCheck { rounds_over_budget: [1, 1], ..ErrorsCheck::default() };
        assert_eq!(status(&same, &[], &both), CheckStatus::Pass);
        let more = BytesCheck {
            method: "m".into(),
            calls: 1,
            request: [1, 2],
            response: [1, 1],
            gated: true,
            verdict: CheckStatus::Regressed,
        };
        assert_eq!(status(&same, &[more], &ErrorsCheck::default()), CheckStatus::Regressed);
    }

    #[test]
    fn a_metric_that_no_round_has_is_not_decided() {
        let found = judged(
            [100.0, 900.0, 50.0],
            &[CheckMetric::Time { kind: TimeKind::Service, figure: Figure::P50 }],
        );
        assert_eq!(found[0].verdict, Some(CheckStatus::Inconclusive));
        assert_eq!((found[0].change, found[0].interval, found[0].base), (None, None, None));
    }

    #[test]
    fn a_calibration_has_the_spread_of_every_gated_metric() {
        let found = calibrated(&judged([100.0, 900.0, 50.0], &[P50, CheckMetric::Cpu]), 0.1);
        assert_eq!(found.iter().map(|metric| &*metric.name).collect::<Vec<_>>(), ["response p50", "cpu"]);
        assert!(found.iter().all(|metric| metric.spread > 0.01 && metric.spread < 0.03));
        assert!(found.iter().all(|metric| metric.pairs_for_limit.unwrap() < 10));
    }
}
