//! Quantiles of a histogram, and how sure they are.
//!
//! A quantile q of n values is given only where n(1−q) ≥ 10: with fewer values above it, it says
//! more about luck than about the distribution. Its interval comes from order statistics: the number
//! of values below the true quantile is binomial, whatever the distribution (David and Nagaraja,
//! Order Statistics, §7.1).

use hdrhistogram::Histogram;

use crate::result::{QuantileIntervals, Quantiles};

/// The fewest values above a quantile that is given.
pub const MIN_SAMPLES_ABOVE: f64 = 10.0;
/// The confidence of the intervals in results.
pub const CONFIDENCE: f64 = 0.95;

/// The quantiles of results, with their names.
pub const QUANTILES: [(&str, f64); 6] =
    [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999), ("p9999", 0.9999)];

/// Where a quantile lies, in the histogram's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuantileInterval {
    /// The quantile of the values.
    pub value: u64,
    /// The lower end.
    pub low: u64,
    /// The upper end.
    pub high: u64,
}

/// The quantiles of a histogram; those without enough values are null.
#[must_use]
pub fn quantiles(histogram: &Histogram<u64>) -> Quantiles {
    if histogram.is_empty() {
        return Quantiles::default();
    }
    let of = |q: f64| quantile_interval(histogram, q, CONFIDENCE);
    let value = |found: Option<QuantileInterval>| found.map(|found| found.value);
    let ends = |found: Option<QuantileInterval>| found.map(|found| [found.low, found.high]);
    let [p50, p90, p95, p99, p999, p9999] = QUANTILES.map(|(_, q)| of(q));
    Quantiles {
        samples: histogram.len(),
        min: Some(histogram.min()),
        mean: Some(histogram.mean()),
        p50: value(p50),
        p90: value(p90),
        p95: value(p95),
        p99: value(p99),
        p999: value(p999),
        p9999: value(p9999),
        max: Some(histogram.max()),
        intervals: QuantileIntervals {
            p50: ends(p50),
            p90: ends(p90),
            p95: ends(p95),
            p99: ends(p99),
            p999: ends(p999),
            p9999: ends(p9999),
        },
    }
}

/// A quantile and its interval; `None` where there are not enough values.
#[must_use]
pub fn quantile_interval(histogram: &Histogram<u64>, q: f64, confidence: f64) -> Option<QuantileInterval> {
    let samples = histogram.len();
    // The tolerance is for the rounding of 1 − q: 1,000 values are enough for q = 0.99.
    if samples == 0 || samples as f64 * (1.0 - q) < MIN_SAMPLES_ABOVE - 1e-6 {
        return None;
    }
    let (low, high) = interval(samples, q, confidence);
    Some(QuantileInterval {
        value: histogram.value_at_quantile(q),
        low: value_of_rank(histogram, low),
        high: value_of_rank(histogram, high),
    })
}

/// The value of an order statistic, from 1. Half a rank is taken off so that rounding cannot reach
/// the next one.
pub(super) fn value_of_rank(histogram: &Histogram<u64>, rank: u64) -> u64 {
    histogram.value_at_quantile((rank as f64 - 0.5) / histogram.len().max(1) as f64)
}

/// The ranks (from 1) of the order statistics between which the quantile `q` of the distribution
/// lies with at least `confidence`, of `n` values. Exact, by the binomial distribution; an end that
/// would lie beyond the values is the first or last of them.
#[must_use]
pub fn interval(n: u64, q: f64, confidence: f64) -> (u64, u64) {
    if n == 0 {
        return (0, 0);
    }
    let tail = ((1.0 - confidence) / 2.0).clamp(0.0, 0.5);
    let (first, weights) = binomial_weights(n, q.clamp(0.0, 1.0));
    let total: f64 = weights.iter().sum();
    // low: the largest rank with P(B < low) ≤ tail; high: the smallest with P(B ≥ high) ≤ tail.
    let mut low = first;
    let mut below = 0.0;
    for weight in &weights {
        below += weight;
        if below > tail * total {
            break;
        }
        low += 1;
    }
    let mut high = first + weights.len() as u64;
    let mut above = 0.0;
    for weight in weights.iter().rev() {
        above += weight;
        if above > tail * total {
            break;
        }
        high -= 1;
    }
    (low.clamp(1, n), high.clamp(1, n))
}

/// The binomial probabilities around the mode, up to a common factor, and the number of the first.
/// By the ratio of neighbours from the mode outwards, until they no longer matter: no logarithm and
/// no approximation, and about 18 standard deviations of work.
fn binomial_weights(n: u64, q: f64) -> (u64, Vec<f64>) {
    const NEGLIGIBLE: f64 = 1e-18;
    if q <= 0.0 {
        return (0, vec![1.0]);
    }
    if q >= 1.0 {
        return (n, vec![1.0]);
    }
    let odds = q / (1.0 - q);
    let mode = (((n as f64 + 1.0) * q) as u64).min(n);
    let mut weights = Vec::new();
    let (mut k, mut weight) = (mode, 1.0);
    while k > 0 && weight > NEGLIGIBLE {
        weight *= k as f64 / ((n - k + 1) as f64 * odds);
        weights.push(weight);
        k -= 1;
    }
    let first = k;
    weights.reverse();
    weights.push(1.0);
    (k, weight) = (mode, 1.0);
    while k < n && weight > NEGLIGIBLE {
        weight *= (n - k) as f64 * odds / (k + 1) as f64;
        weights.push(weight);
        k += 1;
    }
    (first, weights)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::random::Random;

    fn counting_to(n: u64) -> Histogram<u64> {
        let mut histogram = Histogram::new(3).unwrap();
        for value in 1..=n {
            histogram.record(value).unwrap();
        }
        histogram
    }

    #[test]
    fn a_quantile_is_null_until_ten_values_lie_above_it() {
        for (n, expected) in [
            (0, [false; 6]),
            (19, [false; 6]),
            (20, [true, false, false, false, false, false]),
            (100, [true, true, false, false, false, false]),
            (200, [true, true, true, false, false, false]),
            (999, [true, true, true, false, false, false]),
            (1_000, [true, true, true, true, false, false]),
            (10_000, [true, true, true, true, true, false]),
            (100_000, [true; 6]),
        ] {
            let found = quantiles(&counting_to(n));
            let given = [found.p50, found.p90, found.p95, found.p99, found.p999, found.p9999];
            assert_eq!(given.map(|value| value.is_some()), expected, "{n}");
            let ends = found.intervals;
            let ends = [ends.p50, ends.p90, ends.p95, ends.p99, ends.p999, ends.p9999];
            assert_eq!(ends.map(|value| value.is_some()), expected, "{n}");
        }
    }

    #[test]
    fn minimum_mean_and_maximum_need_one_value() {
        let found = quantiles(&counting_to(1));
        assert_eq!((found.min, found.mean, found.max, found.samples), (Some(1), Some(1.0), Some(1), 1));
        assert_eq!(quantiles(&counting_to(0)), Quantiles::default());
    }

    #[test]
    fn ranks_agree_with_the_binomial_distribution() {
        // By exact fractions: the smallest k whose cumulated probability reaches 2.5 %, and one more than that for 97.5 %.
        for (n, q, expected) in [
            (100, 0.5, (40, 61)),
            (20, 0.5, (6, 15)),
            (1_000, 0.99, (983, 997)),
            (2_000, 0.9, (1_773, 1_827)),
        ] {
            assert_eq!(interval(n, q, 0.95), expected, "n = {n}, q = {q}");
        }
    }

    #[test]
    fn ranks_of_many_values_agree_with_the_normal_approximation() {
        let n = 100_000_000_u64;
        let (low, high) = interval(n, 0.5, 0.95);
        let half_width = 1.959_964 * (n as f64 * 0.25).sqrt();
        assert!((n as f64 / 2.0 - low as f64 - half_width).abs() < 3.0, "{low}");
        assert!((high as f64 - n as f64 / 2.0 - half_width).abs() < 3.0, "{high}");
    }

    #[test]
    fn the_interval_holds_the_true_quantile_as_often_as_it_says() {
        let mut random = Random::new(5);
        let mut held = 0;
        for _ in 0..1_000 {
            let mut values: Vec<f64> = (0..200).map(|_| random.unit()).collect();
            values.sort_by(f64::total_cmp);
            let (low, high) = interval(200, 0.9, 0.95);
            if values[low as usize - 1] <= 0.9 && 0.9 <= values[high as usize - 1] {
                held += 1;
            }
        }
        assert!((940..=985).contains(&held), "{held} of 1000");
    }

    #[test]
    fn odd_quantiles_and_sizes_stay_within_the_values() {
        for n in [1, 2, 3, 10] {
            for q in [0.0, 1e-12, 0.5, 0.999_999, 1.0] {
                let (low, high) = interval(n, q, 0.999);
                assert!(1 <= low && low <= high && high <= n, "{n} {q}: {low} {high}");
            }
        }
        assert_eq!(interval(0, 0.5, 0.95), (0, 0));
    }
}
