//! Axes: from where to where, with which ticks, and what stands at them.
//!
//! Logarithms are taken by whoever gives points: an axis itself is linear.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use crate::analysis::three_digits;

/// An axis.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct Axis {
    low: f64,
    high: f64,
    ticks: Vec<(f64, String)>,
    /// What it measures, in words.
    pub name: String,
}

/// What the numbers of an axis are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Unit {
    /// Nanoseconds.
    Time,
    /// A plain number, with k, M and G behind large ones.
    Plain,
    /// Bytes.
    Bytes,
}

impl Axis {
    /// The share of calls, as the logarithm of 1/(1−q), up to so many nines. `room` is how much of a
    /// label fits between two nines: 1 where all do.
    pub(in crate::report) fn quantiles(nines: f64, room: f64) -> Self {
        let mut ticks = vec![(0.0, "0".to_owned())];
        if room >= 1.3 {
            ticks.push((2_f64.log10(), "50 %".to_owned()));
        }
        let every = (1.0 / room.max(0.05) - 1e-9).ceil().max(1.0) as usize;
        for nine in (1..=8_u32).filter(|nine| f64::from(*nine) <= nines + 1e-9).step_by(every) {
            let decimals = nine.saturating_sub(2) as usize;
            let label = format!("{:.decimals$} %", 100.0 - 100.0 * 10_f64.powi(-(nine as i32)));
            ticks.push((f64::from(nine), label));
        }
        Self { low: 0.0, high: nines, ticks, name: "share of calls at most this slow".to_owned() }
    }

    /// A logarithmic axis around values (their logarithms), with a margin, and at most so many ticks: three
    /// at least, where there is room for them.
    pub(in crate::report) fn logarithmic(
        values: impl IntoIterator<Item = f64>,
        unit: Unit,
        most: usize,
        name: &str,
    ) -> Option<Self> {
        let (low, high) = extent(values)?;
        let margin = ((high - low) * 0.06).max(0.05);
        let (low, high) = (low - margin, high + margin);
        let ticks = log_ticks(low, high, most.max(2));
        let ticks = ticks.into_iter().map(|tick| (tick, label(10_f64.powf(tick), unit))).collect();
        Some(Self { low, high, ticks, name: name.to_owned() })
    }

    /// A linear axis from zero to the largest value, with three ticks at least.
    pub(in crate::report) fn from_zero(
        values: impl IntoIterator<Item = f64>,
        unit: Unit,
        most: usize,
        name: &str,
    ) -> Option<Self> {
        let (_, high) = extent(values)?;
        let high = if high > 0.0 { high } else { 1.0 };
        let step = round_step(high, most.max(2));
        let steps = (high / step).ceil().clamp(1.0, 100.0);
        let top = step * steps;
        let ticks = (0..=steps as u32)
            .map(|index| f64::from(index) * step)
            .map(|tick| (tick, label(tick, unit)))
            .collect();
        Some(Self { low: 0.0, high: top * 1.04, ticks, name: name.to_owned() })
    }

    /// An axis with ticks of its own.
    pub(in crate::report) fn with_ticks(low: f64, high: f64, ticks: Vec<(f64, String)>, name: &str) -> Self {
        Self { low, high: if high > low { high } else { low + 1.0 }, ticks, name: name.to_owned() }
    }

    /// Whether a value is on it.
    pub(super) fn has(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// The widest of its labels, in characters.
    pub(super) fn widest(&self) -> usize {
        self.ticks.iter().map(|(_, label)| label.chars().count()).max().unwrap_or(0)
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (first, last): (i32, i32)) -> i32 {
        let share = (value - self.low) / (self.high - self.low);
        first + (f64::from(last - first) * share).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.ticks.iter().map(|(tick, _)| *tick).collect()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let nearest =
            self.ticks.iter().min_by(|(a, _), (b, _)| (a - value).abs().total_cmp(&(b - value).abs()));
        nearest.map_or_else(String::new, |(_, label)| label.clone())
    }
}

fn extent(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    let finite = values.into_iter().filter(|value| value.is_finite());
    let (low, high) = finite
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    (low <= high).then_some((low, high))
}

/// Fewer ticks than this leave a reader to guess the scale.
const FEWEST: usize = 3;

/// 1, 2 and 5 of each factor of ten; fewer where they would be too many, more where hardly any are there.
fn log_ticks(low: f64, high: f64, most: usize) -> Vec<f64> {
    const COARSER: [(&[f64], i32); 6] =
        [(&[1.0, 2.0, 5.0], 1), (&[1.0, 3.0], 1), (&[1.0], 1), (&[1.0], 2), (&[1.0], 3), (&[1.0], 6)];
    const FINER: [(&[f64], i32); 2] =
        [(&[1.0, 1.5, 2.0, 3.0, 5.0, 7.0], 1), (&[1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0], 1)];
    let ticks = |(steps, every): (&[f64], i32)| -> Vec<f64> {
        (low.floor() as i32..=high.ceil() as i32)
            .filter(|decade| decade.rem_euclid(every) == 0)
            .flat_map(|decade| steps.iter().map(move |step| f64::from(decade) + step.log10()))
            .filter(|tick| (low..=high).contains(tick))
            .collect()
    };
    let mut found = Vec::new();
    for choice in COARSER {
        found = ticks(choice);
        if found.len() <= most {
            break;
        }
    }
    for choice in FINER {
        let finer = ticks(choice);
        if found.len() < FEWEST && finer.len() <= most {
            found = finer;
        }
    }
    if found.len() >= FEWEST || most < FEWEST {
        return found;
    }
    // Some of those that were too many; on an axis of less than a factor of two, steps of equal length.
    let coarse_first = COARSER.into_iter().rev().chain(FINER).map(ticks);
    coarse_first
        .chain((1..=4).map(|finer| even_ticks(low, high, most * finer)))
        .map(|all| all.iter().copied().step_by(all.len().div_ceil(most).max(1)).collect::<Vec<f64>>())
        .find(|thinned| thinned.len() >= FEWEST)
        .unwrap_or(found)
}

/// Logarithms of round numbers at equal distances, about so many.
fn even_ticks(low: f64, high: f64, about: usize) -> Vec<f64> {
    let (from, to) = (10_f64.powf(low), 10_f64.powf(high));
    let step = round_step(to - from, about);
    let first = (from / step).ceil();
    // Numbers that are too close together for a float would never end.
    (0..64_u32)
        .map(|index| (first + f64::from(index)) * step)
        .take_while(|tick| *tick <= to)
        .map(f64::log10)
        .collect()
}

/// 1, 2 or 5 of a factor of ten, so that at most so many steps reach the value.
fn round_step(high: f64, most: usize) -> f64 {
    let least = high / most as f64;
    let decade = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * decade).find(|step| *step >= least).unwrap_or(least)
}

fn label(value: f64, unit: Unit) -> String {
    let (value, suffix) = match unit {
        Unit::Time => match value {
            0.0 => return "0".to_owned(),
            value if value < 999.0 => (value, " ns"),
            value if value < 999e3 => (value / 1e3, " µs"),
            value if value < 999e6 => (value / 1e6, " ms"),
            value => (value / 1e9, " s"),
        },
        Unit::Plain => match value {
            value if value < 9_990.0 => (value, ""),
            value if value < 999e3 => (value / 1e3, "k"),
            value if value < 999e6 => (value / 1e6, "M"),
            value => (value / 1e9, "G"),
        },
        Unit::Bytes => match value {
            value if value < 1_000.0 => (value, " B"),
            value if value < 999e3 => (value / 1e3, " kB"),
            value if value < 999e6 => (value / 1e6, " MB"),
            value => (value / 1e9, " GB"),
        },
    };
    let rounded = (value * 1e6).round() / 1e6;
    let number = if rounded == 0.0 || rounded >= 1.0 { format!("{rounded}") } else { significant(value) };
    let number = if number.len() > 6 && value >= 1.0 { three_digits(value) } else { number };
    let number =
        if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { &number };
    format!("{number}{suffix}")
}

/// A number below 1 with two digits that say something.
fn significant(value: f64) -> String {
    let zeros = (-value.log10().floor()).clamp(1.0, 12.0) as usize;
    format!("{value:.*}", zeros + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| &**label).collect()
    }

    #[test]
    fn labels_are_the_usual_ones() {
        let axis = Axis::quantiles(5.0, 1.5);
        assert_eq!(labels(&axis), ["0", "50 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"]);
        let axis = Axis::logarithmic([3.0, 4.0], Unit::Time, 8, "").unwrap();
        assert_eq!(labels(&axis), ["1 µs", "2 µs", "5 µs", "10 µs"]);
        let axis = Axis::logarithmic([0.0, 9.0], Unit::Plain, 5, "").unwrap();
        assert_eq!(labels(&axis), ["1", "100", "10k", "1M", "100M"]);
        let axis = Axis::from_zero([31_642.0], Unit::Plain, 4, "").unwrap();
        assert_eq!(labels(&axis), ["0", "10k", "20k", "30k", "40k"]);
        let axis = Axis::from_zero([0.031], Unit::Plain, 4, "").unwrap();
        assert_eq!(labels(&axis), ["0", "0.01", "0.02", "0.03", "0.04"]);
        let axis = Axis::from_zero([0.0009], Unit::Plain, 3, "").unwrap();
        assert_eq!(labels(&axis), ["0", "0.0005", "0.001"]);
        let axis = Axis::logarithmic([5.8, 6.1], Unit::Time, 5, "").unwrap();
        assert_eq!(labels(&axis), ["600 µs", "800 µs", "1 ms", "1.2 ms"]);
    }

    #[test]
    fn no_axis_has_more_ticks_than_it_has_room_for() {
        for most in 2..12 {
            for span in [0.0, 0.3, 1.0, 2.7, 5.0, 9.0] {
                let axis = Axis::logarithmic([3.0, 3.0 + span], Unit::Time, most, "").unwrap();
                assert!(axis.ticks.len() <= most.max(2), "{span} {most} {:?}", axis.ticks);
                let axis = Axis::from_zero([span], Unit::Plain, most, "").unwrap();
                assert!(axis.ticks.len() <= most + 2, "{span} {most} {:?}", axis.ticks);
            }
        }
        assert_eq!(Axis::from_zero([f64::NAN], Unit::Plain, 3, ""), None);
    }

    #[test]
    fn every_axis_has_three_different_labels_wherever_its_values_lie() {
        let different = |axis: &Axis| {
            let mut labels = labels(axis);
            labels.dedup();
            labels.len()
        };
        for most in 3..12 {
            for begin in 0..90 {
                for span in [0.0, 0.02, 0.1, 0.3, 0.7, 1.0, 1.7, 2.0, 2.7, 5.0, 9.0] {
                    let low = f64::from(begin) * 0.097;
                    for unit in [Unit::Time, Unit::Plain, Unit::Bytes] {
                        let axis = Axis::logarithmic([low, low + span], unit, most, "").unwrap();
                        assert!((3..=most).contains(&axis.ticks.len()), "{low} {span} {most} {axis:?}");
                        assert_eq!(different(&axis), axis.ticks.len(), "{axis:?}");
                        let high = 10_f64.powf(low - 3.0);
                        let axis = Axis::from_zero([0.0, high], unit, most, "").unwrap();
                        assert!(different(&axis) >= 3, "{high} {most} {axis:?}");
                    }
                }
            }
        }
        assert_eq!(labels(&Axis::from_zero([0.0], Unit::Plain, 3, "").unwrap()), ["0", "0.5", "1"]);
        let axis = Axis::logarithmic([4.332, 4.341], Unit::Time, 5, "").unwrap();
        assert_eq!(labels(&axis), ["20 µs", "22 µs", "24 µs"]);
    }
}
