//! The differences of one metric, pair by pair, and what follows from them without assumptions.

use super::power::{effective_pairs, z};
use super::signed_rank::SignedRank;

/// The efficiency of the signed-rank test against the mean for normal noise: 3/π (Lehmann, §4.3).
pub(super) const EFFICIENCY: f64 = 0.955;

/// What each pair says about one metric: ln(candidate / base), turned so that positive is worse.
///
/// Everything here counts *Walsh averages*, the n(n+1)/2 means of two of the values (or of one with
/// itself). Their median is the Hodges–Lehmann estimate; so many of them above a number is the
/// signed-rank statistic of the values minus that number; and the interval ends at one of them (Hodges
/// and Lehmann 1963; Hollander and Wolfe, §3.3).
///
/// Ties and zeros need no correction: an average counts as above only where it is strictly above, and
/// intervals contain their ends. With ties, which come from histograms with three digits, that errs on
/// the side of not deciding (Noether 1967).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Differences {
    sorted: Vec<f64>,
}

impl Differences {
    /// From the values of the pairs; those that are no finite number are left out.
    #[must_use]
    pub fn new(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        Self { sorted }
    }

    /// How many pairs.
    #[must_use]
    pub fn pairs(&self) -> usize {
        self.sorted.len()
    }

    /// How many Walsh averages lie strictly above a number: the signed-rank statistic T⁺ there.
    fn averages_above(&self, number: f64) -> usize {
        // For each value the partners from the top that bring the mean above; the border only falls.
        let values = &self.sorted;
        let mut above = 0;
        let mut border = values.len();
        for (index, value) in values.iter().enumerate() {
            while border > 0 && value + values[border - 1] > 2.0 * number {
                border -= 1;
            }
            above += values.len() - border.max(index);
        }
        above
    }

    /// How many lie strictly below a number.
    fn averages_below(&self, number: f64) -> usize {
        let values = &self.sorted;
        let mut below = 0;
        let mut border = 0;
        for (index, value) in values.iter().enumerate().rev() {
            while border < values.len() && value + values[border] < 2.0 * number {
                border += 1;
            }
            below += border.min(index + 1);
        }
        below
    }

    /// The error with which one can say that the effect is above a number: the exact one-sided p-value
    /// of the signed-rank test; 1 without pairs.
    #[must_use]
    pub fn p_above(&self, number: f64) -> f64 {
        SignedRank::of(self.pairs()).at_least(self.averages_above(number))
    }

    /// The error with which one can say that the effect is below a number.
    #[must_use]
    pub fn p_below(&self, number: f64) -> f64 {
        SignedRank::of(self.pairs()).at_least(self.averages_below(number))
    }

    /// The Walsh averages in order.
    fn averages(&self) -> Vec<f64> {
        let mut averages = Vec::with_capacity(self.sorted.len() * (self.sorted.len() + 1) / 2);
        for (index, value) in self.sorted.iter().enumerate() {
            averages.extend(self.sorted[index..].iter().map(|other| f64::midpoint(*value, *other)));
        }
        averages.sort_by(f64::total_cmp);
        averages
    }

    /// The Hodges–Lehmann estimate of the effect, a logarithm; `None` without pairs.
    #[must_use]
    pub fn effect(&self) -> Option<f64> {
        let averages = self.averages();
        let last = averages.len().checked_sub(1)?;
        Some(f64::midpoint(averages[last / 2], averages[last.div_ceil(2)]))
    }

    /// Where the effect lies, with an error of at most `level` on each side: the inverted exact test.
    /// `None` where there are too few pairs for that level.
    #[must_use]
    pub fn interval(&self, level: f64) -> Option<[f64; 2]> {
        let rank = SignedRank::of(self.pairs()).bound_rank(level)?;
        let averages = self.averages();
        Some([*averages.get(rank - 1)?, *averages.get(averages.len().checked_sub(rank)?)?])
    }

    /// The spread σ_d of the values from pair to pair: the one that makes a normal distribution's
    /// interval at a level as wide as this one, so that wild pairs count as much as they do in a decision
    /// at that level. Where there are too few pairs for the level, at the smallest that they have.
    /// `None` for fewer than six pairs.
    #[must_use]
    pub fn spread(&self, level: f64) -> Option<f64> {
        const FEWEST: usize = 6;
        if self.pairs() < FEWEST {
            return None;
        }
        let table = SignedRank::of(self.pairs());
        let level = level.max(table.at_least(table.largest()));
        let [low, high] = self.interval(level)?;
        // The level that is really used: the distribution has steps.
        let used = 1.0 - table.at_least(table.bound_rank(level)?);
        let pairs = effective_pairs(self.pairs() as f64, used);
        Some((high - low) / (2.0 * z(1.0 - used)) * (EFFICIENCY * pairs).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::rpc::random::Random;

    const TEN: [f64; 10] = [0.031, -0.012, 0.054, 0.022, 0.047, -0.005, 0.018, 0.061, 0.009, 0.040];

    #[test]
    fn estimate_and_p_value_are_those_of_scipy() {
        // scipy 1.17: wilcoxon(TEN, alternative="greater", method="exact").pvalue; the median of the
        // Walsh averages by numpy.
        let differences = Differences::new(TEN);
        assert_eq!(differences.p_above(0.0), 0.006_835_937_5);
        assert!((differences.effect().unwrap() - 0.0265).abs() < 1e-12);
        let mirrored = Differences::new(TEN.map(|value| -value));
        assert_eq!(mirrored.p_below(0.0), 0.006_835_937_5);
    }

    #[test]
    fn without_enough_pairs_there_is_no_bound_and_nothing_is_found() {
        let none = Differences::new([f64::NAN, f64::INFINITY]);
        assert_eq!(
            (none.pairs(), none.effect(), none.interval(0.4), none.spread(0.1)),
            (0, None, None, None)
        );
        assert_eq!((none.p_above(0.0), none.p_below(0.0)), (1.0, 1.0));
        let five = Differences::new([1.0; 5]);
        assert_eq!(five.interval(0.025), None);
        assert_eq!(five.p_above(0.0), 1.0 / 32.0);
    }

    #[test]
    fn ties_and_zeros_never_count_for_a_decision() {
        let zeros = Differences::new([0.0; 30]);
        assert_eq!((zeros.p_above(0.0), zeros.p_below(0.0)), (1.0, 1.0));
        assert_eq!(zeros.interval(0.01), Some([0.0, 0.0]));
    }

    #[test]
    fn the_spread_of_normal_values_is_their_standard_deviation() {
        let mut random = Random::new(3);
        let mut normal =
            || (-2.0 * (1.0 - random.unit()).ln()).sqrt() * (random.unit() * std::f64::consts::TAU).cos();
        let mean = (0..200)
            .map(|_| Differences::new((0..40).map(|_| 0.13 * normal())).spread(0.025).unwrap())
            .sum::<f64>()
            / 200.0;
        assert!((mean / 0.13 - 1.0).abs() < 0.06, "{mean}");
    }

    proptest! {
        // A test and its interval are one thing: the bound is above a number exactly where the p-value
        // there is within the level. The first values are coarse, so that there are ties.
        #[test]
        fn bounds_and_p_values_agree(
            coarse in prop::collection::vec(-5_i32..6, 0..20),
            fine in prop::collection::vec(-0.5_f64..0.5, 6..20),
            number in -6_i32..7,
            level in 0.001_f64..0.3,
        ) {
            let values = coarse.iter().map(|value| f64::from(*value) / 8.0).chain(fine);
            let differences = Differences::new(values);
            let number = f64::from(number) / 16.0;
            if let Some([low, high]) = differences.interval(level) {
                prop_assert!(low <= high);
                prop_assert_eq!(low > number, differences.p_above(number) <= level);
                prop_assert_eq!(high < number, differences.p_below(number) <= level);
            } else {
                prop_assert!(differences.p_above(-10.0) > level);
            }
            let averages = differences.averages();
            prop_assert_eq!(
                differences.averages_above(number),
                averages.iter().filter(|average| **average > number).count()
            );
            prop_assert_eq!(
                differences.averages_below(number),
                averages.iter().filter(|average| **average < number).count()
            );
        }
    }
}
