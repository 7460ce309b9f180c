//! An estimate from the rounds of a run, and how sure it is.
//!
//! The round is the unit: its calls share its luck. Each round of all cells is one block, because rounds
//! are interleaved, and the interval comes from leaving out one block at a time (the jackknife of Tukey,
//! "Bias and confidence in not quite large samples", 1958, with Student's t). Where every cell has every
//! round, this is the paired t interval over the rounds; where a cell lacks one, nothing is thrown away.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF as _, StudentsT};

/// A figure with the interval in which it lies with 95 % confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The figure, in the unit of what was estimated.
    pub value: f64,
    /// Its two ends; null where one round cannot tell how much rounds differ.
    pub interval: Option<[f64; 2]>,
}

impl Estimate {
    /// Whether the interval says that the figure is not 0.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.interval.is_some_and(|[low, high]| low > 0.0 || high < 0.0)
    }
}

/// A figure with its standard error, from which intervals of any confidence follow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::analysis) struct Spread {
    pub(in crate::analysis) value: f64,
    error: Option<f64>,
    freedom: f64,
}

impl Spread {
    /// The figure with its interval at a confidence in (0, 1).
    pub(in crate::analysis) fn at(self, confidence: f64) -> Estimate {
        let interval = self.error.and_then(|error| {
            let t = StudentsT::new(0.0, 1.0, self.freedom).ok()?.inverse_cdf(0.5 + confidence / 2.0);
            let half = t * error;
            Some([self.value - half, self.value + half])
        });
        Estimate { value: self.value, interval }
    }
}

/// Estimates figures of `rounds` blocks. `figures` is given the block to leave out, or none, and says the
/// figures without it, always in the same order; none where they cannot be told.
pub(in crate::analysis) fn jackknife(
    rounds: usize,
    figures: impl Fn(Option<usize>) -> Option<Vec<f64>>,
) -> Option<Vec<Spread>> {
    let whole = figures(None)?;
    let without: Option<Vec<Vec<f64>>> =
        (0..rounds).map(|round| figures(Some(round)).filter(|found| found.len() == whole.len())).collect();
    // With two blocks, each half would stand on one, and Student's t on one degree of freedom: allowed.
    let without = without.filter(|_| rounds >= 2);
    let blocks = rounds as f64;
    let spread = |(index, value): (usize, &f64)| {
        let error = without.as_ref().map(|without| {
            let left: Vec<f64> = without.iter().filter_map(|found| found.get(index)).copied().collect();
            let mean = left.iter().sum::<f64>() / blocks;
            let squares: f64 = left.iter().map(|one| (one - mean).powi(2)).sum();
            ((blocks - 1.0) / blocks * squares).sqrt()
        });
        Spread { value: *value, error, freedom: blocks - 1.0 }
    };
    Some(whole.iter().enumerate().map(spread).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(values: &[f64], without: Option<usize>) -> Option<Vec<f64>> {
        let kept: Vec<f64> = values
            .iter()
            .enumerate()
            .filter(|(index, _)| Some(*index) != without)
            .map(|(_, value)| *value)
            .collect();
        (!kept.is_empty()).then(|| vec![kept.iter().sum::<f64>() / kept.len() as f64])
    }

    #[test]
    fn the_interval_of_a_mean_is_the_t_interval() {
        // Of 1, 2, 3, 4, 6: mean 3.2, standard deviation 1.9235, t(4) = 2.7764.
        let values = [1.0, 2.0, 3.0, 4.0, 6.0];
        let spread = jackknife(values.len(), |without| mean(&values, without)).unwrap()[0];
        let [low, high] = spread.at(0.95).interval.unwrap();
        assert!((spread.value - 3.2).abs() < 1e-12);
        assert!((low - 0.8116).abs() < 1e-3 && (high - 5.5884).abs() < 1e-3, "{low} {high}");
    }

    #[test]
    fn one_round_has_a_figure_and_no_interval() {
        let spread = jackknife(1, |without| mean(&[5.0], without)).unwrap()[0];
        assert_eq!(spread.at(0.95), Estimate { value: 5.0, interval: None });
        assert!(!spread.at(0.95).is_certain());
        assert!(jackknife(1, |_| None).is_none());
    }

    #[test]
    fn nineteen_of_twenty_intervals_hold_the_truth() {
        let mut random = crate::rpc::random::Random::labelled(1, "coverage");
        let mut covered = 0;
        for _ in 0..2_000 {
            // Sums of twelve uniform draws are as good as normal here.
            let values: Vec<f64> =
                (0..6).map(|_| (0..12).map(|_| random.unit()).sum::<f64>() - 6.0).collect();
            let spread = jackknife(6, |without| mean(&values, without)).unwrap()[0];
            let [low, high] = spread.at(0.95).interval.unwrap();
            covered += i32::from(low <= 0.0 && high >= 0.0);
        }
        assert!((1_860..=1_940).contains(&covered), "{covered} of 2,000");
    }
}
