//! One round thinned for charts: its quantile curve, and what each second of it was like.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::hlog::{self, HlogError, Interval, Kind};

/// Points of a quantile curve per factor of ten of 1/(1−q).
pub const POINTS_PER_NINE: u32 = 24;
/// No curve goes beyond 99.999999 %.
const MAX_NINES: u32 = 8;
/// Starts of intervals that differ by less are one second: they are kept to the millisecond.
const SAME_START_S: f64 = 5e-4;

/// A round's calls of one kind in one interval, all methods together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Second {
    /// Begin, in seconds after the begin of the round's measured interval.
    pub start_s: f64,
    /// Its length in seconds.
    pub length_s: f64,
    /// How many calls were recorded in it.
    pub calls: u64,
    /// Their median.
    pub p50_ns: u64,
    /// Their 99th percentile, however few they are: whoever shows it looks at `calls` first.
    pub p99_ns: u64,
    /// The slowest.
    pub max_ns: u64,
}

/// The quantiles of a histogram at fixed shares of the calls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuantileCurve {
    /// How many calls the histogram has.
    pub samples: u64,
    /// In nanoseconds: the first is the shortest, and the k-th the quantile 1 − 10^(−k/24), as long as
    /// at least one call is slower.
    pub values_ns: Vec<u64>,
}

/// A round of a cell.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RoundSeries {
    /// Its position among the cell's rounds.
    pub round: usize,
    /// Its seconds by kind, in order of time.
    pub seconds: BTreeMap<Kind, Vec<Second>>,
    /// Its quantiles by kind.
    pub curves: BTreeMap<Kind, QuantileCurve>,
}

/// The quantiles of a histogram, found in one pass over it.
#[must_use]
pub fn quantile_curve(histogram: &Histogram<u64>) -> QuantileCurve {
    let samples = histogram.len();
    let mut values_ns = Vec::new();
    if samples == 0 {
        return QuantileCurve::default();
    }
    values_ns.push(histogram.min());
    let steps = MAX_NINES * POINTS_PER_NINE;
    // How many calls are at most as slow as the k-th value; null where none is slower.
    let rank_of = |step: u32| {
        let above = samples as f64 * 10_f64.powf(-f64::from(step) / f64::from(POINTS_PER_NINE));
        (above >= 1.0).then(|| (samples as f64 - above).ceil() as u64)
    };
    let mut step = 1;
    let mut passed = 0_u64;
    for bucket in histogram.iter_recorded() {
        passed = passed.saturating_add(bucket.count_since_last_iteration());
        while step <= steps
            && let Some(rank) = rank_of(step)
            && rank <= passed
        {
            values_ns.push(bucket.value_iterated_to());
            step += 1;
        }
    }
    QuantileCurve { samples, values_ns }
}

/// Thins the intervals of one round.
///
/// # Errors
/// A count does not fit in 64 bits.
pub(super) fn round_series(round: usize, intervals: &[Interval]) -> Result<RoundSeries, HlogError> {
    let mut series = RoundSeries { round, ..RoundSeries::default() };
    for kind in [Kind::Response, Kind::Service] {
        let mut of_kind: Vec<&Interval> = intervals.iter().filter(|interval| interval.kind == kind).collect();
        of_kind.sort_by(|a, b| a.start_s.total_cmp(&b.start_s));
        let mut whole = BTreeMap::new();
        let mut seconds = Vec::new();
        for together in of_kind.chunk_by(|a, b| (a.start_s - b.start_s).abs() < SAME_START_S) {
            let mut sum = BTreeMap::new();
            for interval in together {
                hlog::add(&mut sum, "", kind, &interval.histogram)?;
                hlog::add(&mut whole, "", kind, &interval.histogram)?;
            }
            let (Some(first), Some(histogram)) = (together.first(), sum.into_values().next()) else {
                continue;
            };
            seconds.push(Second {
                start_s: first.start_s,
                length_s: together.iter().map(|interval| interval.length_s).fold(0.0, f64::max),
                calls: histogram.len(),
                p50_ns: histogram.value_at_quantile(0.5),
                p99_ns: histogram.value_at_quantile(0.99),
                max_ns: histogram.max(),
            });
        }
        if let Some(histogram) = whole.into_values().next() {
            series.seconds.insert(kind, seconds);
            series.curves.insert(kind, quantile_curve(&histogram));
        }
    }
    Ok(series)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(method: &str, start_s: f64, values: impl IntoIterator<Item = u64>) -> Interval {
        let mut histogram = Histogram::new(3).unwrap();
        for value in values {
            histogram.record(value).unwrap();
        }
        Interval { method: method.into(), kind: Kind::Service, start_s, length_s: 1.0, histogram }
    }

    #[test]
    fn a_curve_is_the_histogram_quantile_by_quantile() {
        let histogram = interval("m", 0.0, (1..=5_000).map(|value| value * value)).histogram;
        let curve = quantile_curve(&histogram);
        assert_eq!(curve.samples, 5_000);
        assert_eq!(curve.values_ns[0], histogram.min());
        for (step, value) in curve.values_ns.iter().enumerate().skip(1) {
            let quantile = 1.0 - 10_f64.powf(-(step as f64) / f64::from(POINTS_PER_NINE));
            assert!(histogram.equivalent(*value, histogram.value_at_quantile(quantile)), "{quantile}");
        }
        // The last of 5,000 calls is slower than 99.98 %: 24 × log₁₀ 5,000 points, and the shortest.
        assert_eq!(curve.values_ns.len(), 89);
        assert_eq!(quantile_curve(&Histogram::new(3).unwrap()), QuantileCurve::default());
    }

    #[test]
    fn the_methods_of_a_second_are_one() {
        let intervals = [
            interval("a", 0.0, [10, 20]),
            interval("b", 1.0, [70]),
            interval("b", 0.0, [30, 40, 50]),
            interval("a", 1.0, [60, 80]),
        ];
        let series = round_series(0, &intervals).unwrap();
        let seconds = &series.seconds[&Kind::Service];
        let told: Vec<_> = seconds.iter().map(|of| (of.start_s, of.calls, of.p50_ns, of.max_ns)).collect();
        assert_eq!(told, [(0.0, 5, 30, 50), (1.0, 3, 70, 80)]);
        assert_eq!(series.curves[&Kind::Service].samples, 8);
        assert!(!series.seconds.contains_key(&Kind::Response));
    }
}
