//! Rounds that do not count, and on which side they are.
//!
//! A pair with a round that does not count is made again. That is fair as long as it befalls both sides alike;
//! where it befalls the candidate, dropping its bad rounds would leave the good ones to judge by.

use super::PairFigures;
use crate::result::{Figures, Quantiles};

/// So many times slower than the other round counts one that was overloaded where the other was not: its
/// own times depend on how long it lasted, and its tail has none.
pub const OVERLOADED_TIMES: u64 = 10;
/// So rarely do identical sides drop as unevenly.
const UNEVEN: f64 = 0.05;

/// The pairs that were dropped for one side alone: `[base, candidate]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drops {
    /// For a round that does not count, whatever the reason.
    pub any: [u64; 2],
    /// For a round that failed: a server that did not start, or died.
    pub failed: [u64; 2],
}

impl Drops {
    /// Why the pairs that are left cannot speak for the candidate; `None` where they can.
    #[must_use]
    pub fn against_candidate(&self) -> Option<String> {
        if let [0, failed] = self.failed
            && failed > 0
        {
            return Some(format!(
                "{failed} of the candidate's rounds failed and none of the base's: the pairs that are left do not \
                 speak for it"
            ));
        }
        let [base, candidate] = self.any;
        (sign_test(candidate, base) <= UNEVEN).then(|| {
            format!(
                "{candidate} pairs were dropped for the candidate and {base} for the base: the pairs that are \
                 left do not speak for it"
            )
        })
    }
}

/// How likely it is that of all these, each as likely to be one as the other, so many or more are ones.
fn sign_test(ones: u64, others: u64) -> f64 {
    let all = ones + others;
    // Pairs are few; far beyond that the answer is clear.
    let mut term = 0.5_f64.powi(i32::try_from(all).unwrap_or(i32::MAX));
    let mut sum = 0.0;
    for k in (ones..=all).rev() {
        sum += term;
        term *= k as f64 / (all - k + 1) as f64;
    }
    sum
}

impl PairFigures {
    /// A pair of rounds of which one, `overloaded` (0 for the base), could not keep up with the load.
    #[must_use]
    pub fn with_overload(base: Figures, candidate: Figures, overloaded: usize) -> Self {
        let mut pair = Self { base, candidate, capacities_per_s: None };
        let (slow, fast) = if overloaded == 0 {
            (&mut pair.base, &pair.candidate)
        } else {
            (&mut pair.candidate, &pair.base)
        };
        slow_down(&mut slow.response_ns, &fast.response_ns);
        slow_down(&mut slow.service_ns, &fast.service_ns);
        pair
    }
}

fn slow_down(times: &mut Quantiles, than: &Quantiles) {
    let at_least = |time: &mut Option<u64>, than: Option<u64>| {
        *time = (*time).max(than.map(|ns| ns.saturating_mul(OVERLOADED_TIMES)));
    };
    at_least(&mut times.p50, than.p50);
    at_least(&mut times.p90, than.p90);
    at_least(&mut times.p95, than.p95);
    at_least(&mut times.p99, than.p99);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_of_one_side_speak_against_it() {
        let of = |any, failed| Drops { any, failed }.against_candidate();
        for any in [[0, 0], [0, 4], [3, 3], [9, 0], [1, 5], [10, 15]] {
            assert_eq!(of(any, [0, 0]), None, "{any:?}");
        }
        for any in [[0, 5], [1, 7], [10, 25]] {
            assert!(of(any, [0, 0]).unwrap().contains("dropped for the candidate"), "{any:?}");
        }
        assert!(of([0, 1], [0, 1]).unwrap().starts_with("1 of the candidate's rounds failed"));
        assert_eq!(of([1, 1], [1, 1]), None);
        assert_eq!(of([2, 0], [2, 0]), None);
    }

    #[test]
    fn the_sign_test_is_the_binomial_s_tail() {
        for (ones, others, p) in [(0, 0, 1.0), (1, 0, 0.5), (5, 0, 1.0 / 32.0), (4, 1, 6.0 / 32.0)] {
            assert!((sign_test(ones, others) - p).abs() < 1e-12, "{ones} {others}");
        }
        assert!(sign_test(0, 9) > 0.999 && sign_test(60, 0) < 1e-15);
    }

    #[test]
    fn an_overloaded_round_is_ten_times_slower_or_as_slow_as_it_was() {
        let figures = |p50, p99| Figures {
            response_ns: Quantiles { p50: Some(p50), p99, ..Quantiles::default() },
            ..Figures::default()
        };
        let (quick, slow) = (figures(100, Some(200)), figures(5_000, None));
        let pair = PairFigures::with_overload(quick.clone(), slow, 1);
        assert_eq!(
            (pair.candidate.response_ns.p50, pair.candidate.response_ns.p99),
            (Some(5_000), Some(2_000))
        );
        assert_eq!(pair.base, quick);
        let pair = PairFigures::with_overload(figures(300, None), quick, 0);
        assert_eq!((pair.base.response_ns.p50, pair.base.response_ns.p99), (Some(1_000), Some(2_000)));
    }
}
