//! The exact distribution of the signed-rank statistic.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

/// The distribution of Wilcoxon's T⁺ of n differences that are as likely above zero as below: each rank
/// 1 to n is in the sum or not, by a coin (Wilcoxon 1945; Lehmann, Nonparametrics, §3.1).
///
/// It is computed by adding one rank after another, in double precision: n²/2 numbers, and no
/// approximation by the normal distribution.
#[derive(Debug, Clone, PartialEq)]
pub struct SignedRank {
    pairs: usize,
    /// P(T⁺ ≤ t) for t from 0 to n(n+1)/2.
    at_most: Vec<f64>,
}

impl SignedRank {
    /// The distribution for so many pairs.
    #[must_use]
    pub fn new(pairs: usize) -> Self {
        let mut weights = vec![0.0; pairs * (pairs + 1) / 2 + 1];
        weights[0] = 1.0;
        let mut highest = 0;
        for rank in 1..=pairs {
            highest += rank;
            for sum in (0..=highest).rev() {
                let with = if sum >= rank { weights[sum - rank] } else { 0.0 };
                weights[sum] = (weights[sum] + with) / 2.0;
            }
        }
        let mut sum = 0.0;
        let at_most = weights
            .iter()
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect();
        Self { pairs, at_most }
    }

    /// [`Self::new`], kept for the next time.
    #[must_use]
    pub fn of(pairs: usize) -> Arc<Self> {
        static KNOWN: OnceLock<Mutex<BTreeMap<usize, Arc<SignedRank>>>> = OnceLock::new();
        let known = KNOWN.get_or_init(Mutex::default);
        // A poisoned map is still a map of finished tables.
        let mut known = known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(known.entry(pairs).or_insert_with(|| Arc::new(Self::new(pairs))))
    }

    /// The number of pairs.
    #[must_use]
    pub fn pairs(&self) -> usize {
        self.pairs
    }

    /// The largest value: n(n+1)/2, which is also the number of Walsh averages.
    #[must_use]
    pub fn largest(&self) -> usize {
        self.at_most.len() - 1
    }

    /// P(T⁺ ≥ t).
    #[must_use]
    pub fn at_least(&self, t: usize) -> f64 {
        // The distribution is symmetric about half its largest value.
        self.largest().checked_sub(t).map_or(0.0, |opposite| self.at_most[opposite].min(1.0))
    }

    /// The rank, from 1, of the Walsh average that bounds the effect from below with an error of at most
    /// `level`: the largest k with P(T⁺ ≤ k − 1) ≤ `level`. `None` where there are too few pairs for any.
    #[must_use]
    pub fn bound_rank(&self, level: f64) -> Option<usize> {
        let ranks = self.at_most.partition_point(|probability| *probability <= level);
        // A level of 1 would be a bound that is above everything.
        (ranks > 0).then(|| ranks.min(self.largest()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distribution_is_that_of_the_tables() {
        // scipy 1.17: wilcoxon(x, alternative="greater", method="exact") of ten values with T+ = 51, of
        // twenty with T+ = 144.
        assert_eq!(SignedRank::new(10).at_least(51), 0.006_835_937_5);
        assert!((SignedRank::new(20).at_least(144) - 0.076_823_234_558_105_47).abs() < 1e-15);
        // Wilcoxon's own table: n = 8, T ≤ 3 has probability 5/256.
        assert_eq!(SignedRank::new(8).at_least(36 - 3), 5.0 / 256.0);
    }

    #[test]
    fn ranks_of_bounds_are_those_of_the_cumulated_distribution() {
        // numpy: c = cumsum of the distribution by convolution; searchsorted(c, level, side="right").
        for (pairs, level, rank) in
            [(10, 0.025, 9), (10, 0.05, 11), (20, 0.025, 53), (36, 0.0125, 192), (6, 0.05, 3)]
        {
            assert_eq!(SignedRank::new(pairs).bound_rank(level), Some(rank), "{pairs} at {level}");
        }
        assert_eq!(SignedRank::new(5).bound_rank(0.025), None, "1/32 is more than 0.025");
        assert_eq!(SignedRank::new(6).bound_rank(0.025), Some(1), "1/64 is less");
    }

    #[test]
    fn all_signs_the_same_way_has_the_probability_of_so_many_coins() {
        for pairs in [1, 6, 20, 60] {
            let table = SignedRank::of(pairs);
            let expected = 0.5_f64.powi(i32::try_from(pairs).unwrap());
            assert!((table.at_least(table.largest()) / expected - 1.0).abs() < 1e-12);
            assert!((table.at_least(0) - 1.0).abs() < 1e-12);
            assert_eq!(table.at_least(table.largest() + 1), 0.0);
        }
    }
}
