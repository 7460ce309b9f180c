//! Did the two halves of a round agree?

use hdrhistogram::Histogram;

use super::quantiles::quantile_interval;
use super::units::duration_ns;
use crate::result::hlog::{Interval, Kind, SIGNIFICANT_DIGITS};
use crate::result::{LoadModel, Reason, ReasonKind};

/// Every method of every round is looked at, so that 5 % of false alarms would be many.
const CONFIDENCE: f64 = 0.999;
/// Halves that differ by less are what machines do; it is the smallest regression that
/// `wirebench check` looks for by default.
const MARGIN: f64 = 0.1;

/// The medians of a method's two halves.
#[derive(Debug, Clone, PartialEq)]
pub struct Halves {
    /// The method.
    pub method: String,
    /// Median of the first half in nanoseconds.
    pub first_ns: u64,
    /// Median of the second half in nanoseconds.
    pub second_ns: u64,
    /// Whether they differ by more than the interval of the round explains.
    pub disagree: bool,
}

/// Compares the two halves of each method's own time span. A method with fewer than two intervals
/// or too few calls in a half is left out.
///
/// Three things must come together: the 99.9 % intervals of the medians are apart, the medians
/// differ by more than a tenth, and the difference is large against the spread of the medians of the
/// single intervals, because calls next to each other are not independent (Welch's t over intervals,
/// the method of batch means).
#[must_use]
pub fn halves(intervals: &[Interval], kind: Kind) -> Vec<Halves> {
    let mut methods: Vec<&str> = Vec::new();
    for interval in intervals.iter().filter(|interval| interval.kind == kind) {
        if !methods.contains(&&*interval.method) {
            methods.push(&interval.method);
        }
    }
    methods.into_iter().filter_map(|method| halves_of(method, intervals, kind)).collect()
}

fn halves_of(method: &str, intervals: &[Interval], kind: Kind) -> Option<Halves> {
    let own = || intervals.iter().filter(|interval| interval.kind == kind && interval.method == method);
    let middle_of = |interval: &Interval| interval.start_s + interval.length_s / 2.0;
    let begin = own().map(|interval| interval.start_s).fold(f64::INFINITY, f64::min);
    let end = own().map(|interval| interval.start_s + interval.length_s).fold(0.0, f64::max);
    let middle = f64::midpoint(begin, end);
    let first: Vec<&Interval> = own().filter(|interval| middle_of(interval) < middle).collect();
    let second: Vec<&Interval> = own().filter(|interval| middle_of(interval) > middle).collect();
    let a = quantile_interval(&together(&first)?, 0.5, CONFIDENCE)?;
    let b = quantile_interval(&together(&second)?, 0.5, CONFIDENCE)?;
    let apart = a.high < b.low || b.high < a.low;
    let ratio = a.value.max(b.value) as f64 / a.value.min(b.value).max(1) as f64;
    Some(Halves {
        method: method.to_owned(),
        first_ns: a.value,
        second_ns: b.value,
        disagree: apart && ratio > 1.0 + MARGIN && beyond_the_spread(&first, &second),
    })
}

fn together(intervals: &[&Interval]) -> Option<Histogram<u64>> {
    let mut sum = Histogram::new(SIGNIFICANT_DIGITS).ok()?;
    for interval in intervals {
        sum.add(&interval.histogram).ok()?;
    }
    (!sum.is_empty()).then_some(sum)
}

/// Whether the mean of the intervals' medians differs by more than their spread explains. With one
/// interval in a half the spread is not known, and the other two conditions decide.
fn beyond_the_spread(first: &[&Interval], second: &[&Interval]) -> bool {
    let (Some(a), Some(b)) = (Spread::of(first), Spread::of(second)) else { return true };
    let error = (a.variance / a.count + b.variance / b.count).sqrt();
    // The fewest degrees of freedom that Welch's formula can give: never too bold.
    let freedom = a.count.min(b.count) - 1.0;
    (a.mean - b.mean).abs() > student_t(freedom) * error
}

struct Spread {
    mean: f64,
    variance: f64,
    count: f64,
}

impl Spread {
    fn of(intervals: &[&Interval]) -> Option<Self> {
        if intervals.len() < 2 {
            return None;
        }
        let medians: Vec<f64> =
            intervals.iter().map(|interval| interval.histogram.value_at_quantile(0.5) as f64).collect();
        let count = medians.len() as f64;
        let mean = medians.iter().sum::<f64>() / count;
        let variance = medians.iter().map(|median| (median - mean).powi(2)).sum::<f64>() / (count - 1.0);
        Some(Self { mean, variance, count })
    }
}

/// Student's t for 99.9 % on both sides together, by degrees of freedom; between two rows the larger.
fn student_t(freedom: f64) -> f64 {
    const TABLE: [(f64, f64); 9] = [
        (1.0, 636.6),
        (2.0, 31.60),
        (3.0, 12.92),
        (4.0, 8.610),
        (5.0, 6.869),
        (7.0, 5.408),
        (10.0, 4.587),
        (20.0, 3.850),
        (60.0, 3.460),
    ];
    TABLE.iter().rev().find(|(row, _)| *row <= freedom).map_or(TABLE[0].1, |(_, t)| *t)
}

/// `unstable`, for the methods whose halves disagree.
pub(super) fn unstable(intervals: &[Interval], model: LoadModel) -> Option<Reason> {
    let kind = match model {
        LoadModel::Closed => Kind::Service,
        LoadModel::Open => Kind::Response,
    };
    let changes: Vec<String> = halves(intervals, kind)
        .into_iter()
        .filter(|halves| halves.disagree)
        .map(|halves| {
            format!(
                "{} {} in the first half, {} in the second",
                halves.method,
                duration_ns(halves.first_ns as f64),
                duration_ns(halves.second_ns as f64)
            )
        })
        .collect();
    (!changes.is_empty()).then(|| Reason {
        kind: ReasonKind::Unstable,
        detail: format!(
            "the median moved within the round ({}): lengthen warmup, or quiet the machine (wirebench doctor)",
            changes.join("; ")
        ),
    })
}
