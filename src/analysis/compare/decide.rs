//! Verdicts over several metrics at once.

use super::capacity::spread_of_steps;
use super::looks::Look;
use super::paired::Differences;
use super::power::{PRINTED_POWER, smallest_detectable};

/// What came of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Worse by more than the noise margin.
    Regressed,
    /// Not worse by as much as the limit.
    Pass,
    /// Neither can be said.
    Inconclusive,
}

/// Where a metric's verdicts begin: logarithms of ratios.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margins {
    /// ln(1 + δ): an effect up to here is none.
    pub noise: f64,
    /// ln(1 + Δ): an effect from here on must not pass.
    pub limit: f64,
}

/// A metric that is gated.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Its pairs.
    pub differences: Differences,
    /// Its margins.
    pub margins: Margins,
    /// The step in which its figures come, as a share; 0 for what is measured without steps.
    pub step: f64,
}

/// The verdict on a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decided {
    /// The verdict.
    pub verdict: Verdict,
    /// The one-sided level at which it was decided: [`Differences::interval`] at this level agrees with
    /// the verdict.
    pub level: f64,
    /// The exact p-value of "no worse than the noise margin".
    pub p_regressed: f64,
    /// The exact p-value of "worse by the limit or more".
    pub p_passed: f64,
}

/// Decides all metrics so that any false `Regressed` among them has a probability of at most `level`,
/// and so has a false "all of them pass".
///
/// `Regressed` by Holm's step-down procedure (Holm 1979): the metrics in the order of their p-values, the
/// k-th of m at `level`/(m − k + 1), until one is not rejected. What is not rejected keeps the level at
/// which the procedure stopped, and passes where its p-value against the limit is within it. That the
/// whole gate passes takes every metric to pass, so no correction is needed there (an intersection–union
/// test, Berger 1982), and a level below `level` only errs on the side of not deciding.
#[must_use]
pub fn decide(metrics: &[Measured], level: f64) -> Vec<Decided> {
    let p_regressed: Vec<f64> =
        metrics.iter().map(|metric| metric.differences.p_above(metric.margins.noise)).collect();
    let mut order: Vec<usize> = (0..metrics.len()).collect();
    order.sort_by(|a, b| p_regressed[*a].total_cmp(&p_regressed[*b]));
    let mut levels = vec![0.0; metrics.len()];
    let mut regressed = vec![false; metrics.len()];
    let mut stopped_at = None;
    for (step, index) in order.into_iter().enumerate() {
        let step_level = stopped_at.unwrap_or(level / (metrics.len() - step) as f64);
        levels[index] = step_level;
        if stopped_at.is_none() && p_regressed[index] <= step_level {
            regressed[index] = true;
        } else {
            stopped_at = Some(step_level);
        }
    }
    metrics
        .iter()
        .enumerate()
        .map(|(index, metric)| {
            let p_passed = metric.differences.p_below(metric.margins.limit);
            let verdict = if regressed[index] {
                Verdict::Regressed
            } else if p_passed <= levels[index] {
                Verdict::Pass
            } else {
                Verdict::Inconclusive
            };
            Decided { verdict, level: levels[index], p_regressed: p_regressed[index], p_passed }
        })
        .collect()
}

impl Measured {
    /// How much the differences vary from pair to pair: no less than figures that come in steps do, even
    /// where all happened to fall on the same step.
    #[must_use]
    pub fn spread(&self, level: f64) -> Option<f64> {
        Some(self.differences.spread(level)?.max(spread_of_steps(self.step)))
    }

    /// The smallest effect, as a ratio − 1, that a gate of so many metrics finds at its last look nine
    /// times in ten, by the spread of these pairs. `None` where there are too few pairs to say.
    #[must_use]
    pub fn detectable(&self, last: Look, metrics: usize) -> Option<f64> {
        let level = last.level / metrics.max(1) as f64;
        let spread = self.spread(level)?;
        smallest_detectable(spread, last.pairs, level, PRINTED_POWER, self.margins.noise.exp_m1())
    }
}

/// Whether a check may end at this look: a metric regressed; or every metric passes, and none can any
/// more be as bad as the last look would find. (An effect between the noise margin and the limit passes
/// early and is found late: without the second condition looking early would make the check blind.)
#[must_use]
pub fn is_settled(metrics: &[Measured], decided: &[Decided], last: Look) -> bool {
    if decided.iter().any(|of| of.verdict == Verdict::Regressed) {
        return true;
    }
    metrics.iter().zip(decided).all(|(metric, of)| {
        let excluded = |detectable: f64| metric.differences.p_below(detectable.ln_1p()) <= of.level;
        of.verdict == Verdict::Pass && metric.detectable(last, metrics.len()).is_some_and(excluded)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARGINS: Margins = Margins { noise: 0.0198, limit: 0.0953 };

    fn around(effect: f64, pairs: usize) -> Measured {
        let values = (0..pairs).map(|index| effect + 0.001 * (index as f64 - pairs as f64 / 2.0));
        Measured { differences: Differences::new(values), margins: MARGINS, step: 0.0 }
    }

    fn verdicts(metrics: &[Measured], level: f64) -> Vec<Verdict> {
        decide(metrics, level).into_iter().map(|decided| decided.verdict).collect()
    }

    #[test]
    fn an_effect_is_a_regression_a_pass_or_not_decided() {
        use Verdict::{Inconclusive, Pass, Regressed};
        for (effect, verdict) in [(0.2, Regressed), (0.05, Regressed), (0.0, Pass), (-0.3, Pass)] {
            assert_eq!(verdicts(&[around(effect, 12)], 0.05), [verdict], "{effect}");
        }
        let mut wild = around(0.05, 12);
        wild.differences = Differences::new((0..12).map(|index| f64::from(index - 6) * 0.2 + 0.05));
        assert_eq!(verdicts(&[wild], 0.05), [Inconclusive]);
    }

    #[test]
    fn holm_steps_down_from_the_clearest_metric() {
        // Six pairs have a least p-value of 1/64: enough for one of two (0.025), and when that is
        // rejected for the other too (0.05); of three the first is already too many (0.0167 is enough,
        // so 0.015 is not).
        let two = [around(0.3, 6), around(0.3, 6)];
        assert_eq!(verdicts(&two, 0.05), [Verdict::Regressed; 2]);
        let levels: Vec<f64> = decide(&two, 0.05).iter().map(|decided| decided.level).collect();
        assert_eq!(levels, [0.025, 0.05]);
        let three = [around(0.3, 6), around(0.0, 6), around(0.3, 6)];
        assert_eq!(verdicts(&three, 0.045), [Verdict::Inconclusive; 3]);
        let of_three = decide(&three, 0.06);
        assert_eq!(of_three[0].verdict, Verdict::Regressed);
        assert_eq!((of_three[1].verdict, of_three[1].level), (Verdict::Pass, 0.06));
    }

    #[test]
    fn the_interval_at_the_level_of_the_decision_agrees_with_it() {
        for effect in [-0.05, 0.0, 0.018, 0.03, 0.09, 0.2] {
            let metrics = [around(effect, 9), around(effect / 2.0, 14), around(0.0, 30)];
            for (metric, decided) in metrics.iter().zip(decide(&metrics, 0.05)) {
                let [low, high] = metric.differences.interval(decided.level).unwrap();
                assert_eq!(low > MARGINS.noise, decided.verdict == Verdict::Regressed);
                if decided.verdict != Verdict::Regressed {
                    assert_eq!(high < MARGINS.limit, decided.verdict == Verdict::Pass);
                }
            }
        }
    }

    #[test]
    fn a_check_goes_on_while_an_effect_could_still_be_found() {
        let last = Look { pairs: 36, level: 0.035 };
        let settled = |effect| {
            let values = (0..12).map(|index| effect + 0.02 * (f64::from(index) - 5.5) / 5.5);
            let metrics = [Measured { differences: Differences::new(values), margins: MARGINS, step: 0.0 }];
            let decided = decide(&metrics, 0.01);
            (decided[0].verdict, is_settled(&metrics, &decided, last))
        };
        assert_eq!(settled(0.0), (Verdict::Pass, true));
        assert_eq!(settled(0.02), (Verdict::Pass, false), "it passes, and may be found yet");
        assert_eq!(settled(0.2), (Verdict::Regressed, true));
    }

    #[test]
    fn figures_in_steps_do_not_promise_to_find_less_than_a_step() {
        let last = Look { pairs: 12, level: 0.05 };
        let same = |step| Measured { differences: Differences::new([0.0; 12]), margins: MARGINS, step };
        let without = same(0.0).detectable(last, 1).unwrap();
        let with = same(0.02).detectable(last, 1).unwrap();
        assert!((without - 0.02).abs() < 1e-3 && with > 0.027, "{without} {with}");
        let wild = Differences::new((0..12).map(|index| f64::from(index) * 0.05));
        let wild = Measured { differences: wild, margins: MARGINS, step: 0.02 };
        assert_eq!(wild.spread(0.05), wild.differences.spread(0.05));
    }

    #[test]
    fn nothing_gated_decides_nothing() {
        assert_eq!(decide(&[], 0.05), []);
        assert_eq!(verdicts(&[around(0.0, 0)], 0.05), [Verdict::Inconclusive]);
    }
}
