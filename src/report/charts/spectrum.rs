//! The percentile spectrum: latency against the quantile, on HdrHistogram's usual axis.

use super::axis::{Axis, Unit};
use super::plot::{Band, Plot, PlotLine, Target, Weight, plot};
use super::{ChartError, Frame};
use crate::analysis::MIN_SAMPLES_ABOVE;
use crate::result::{POINTS_PER_NINE, QuantileCurve};

/// The axis reaches at least to 99 %, and at most to 99.999 %.
const NINES: std::ops::RangeInclusive<f64> = 2.0..=5.0;
/// log₁₀ 2: the median, where a line without a tail ends.
const MEDIAN: f64 = std::f64::consts::LOG10_2;
/// Between two labels of the axis.
const LABEL_ROOM: f64 = 66.0;

/// A back end's lines.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct Spectrum {
    /// Which colour and dash pattern.
    pub series: usize,
    pub name: String,
    /// Points of log₁₀(1/(1−q)) and log₁₀ of nanoseconds: what the chart is about.
    pub main: Vec<(f64, f64)>,
    /// Beside it, thinner: service times where the main line is response times.
    pub beside: Vec<(f64, f64)>,
    /// The load generator's lag, faint.
    pub lag: Vec<(f64, f64)>,
    /// From the lowest to the highest of the rounds.
    pub rounds: Vec<(f64, f64, f64)>,
}

/// The points of a curve up to the last quantile that has samples enough. One without a tail ends at the
/// median.
pub(in crate::report) fn points(curve: &QuantileCurve, tail: bool) -> Vec<(f64, f64)> {
    let longest = if tail { *NINES.end() } else { MEDIAN };
    let nines = (curve.samples as f64 / MIN_SAMPLES_ABOVE).log10().min(longest);
    let x_of = |step: usize| step as f64 / f64::from(POINTS_PER_NINE);
    if curve.samples == 0 || nines <= 0.0 {
        return Vec::new();
    }
    let logarithm = |value: u64| (value.max(1) as f64).log10();
    let mut points: Vec<(f64, f64)> = curve
        .values_ns
        .iter()
        .enumerate()
        .map(|(step, value)| (x_of(step), logarithm(*value)))
        .take_while(|(x, _)| *x <= nines)
        .collect();
    // The line ends exactly there; the next point of the curve is no farther than a twenty-fourth.
    if let (Some((x, y)), Some(next)) = (points.last().copied(), curve.values_ns.get(points.len()))
        && nines > x
    {
        let share = (nines - x) * f64::from(POINTS_PER_NINE);
        points.push((nines, y + (logarithm(*next) - y) * share));
    }
    points
}

/// From the lowest to the highest of several rounds, as far as the second longest of them reaches.
pub(in crate::report) fn between(rounds: &[Vec<(f64, f64)>]) -> Vec<(f64, f64, f64)> {
    let mut lengths: Vec<usize> = rounds.iter().map(Vec::len).collect();
    lengths.sort_unstable();
    let Some(second) = lengths.len().checked_sub(2).and_then(|index| lengths.get(index)) else {
        return Vec::new();
    };
    (0..*second)
        .filter_map(|step| {
            let mut at = rounds.iter().filter_map(|points| points.get(step));
            let (x, first) = *at.next()?;
            let ends = at.fold((first, first), |(low, high), (_, y)| (low.min(*y), high.max(*y)));
            Some((x, ends.0, ends.1))
        })
        .collect()
}

/// Draws the spectra; `times` names what the main lines are. Targets are in log₁₀ of nanoseconds.
pub(in crate::report) fn spectrum(
    spectra: &[Spectrum],
    targets: &[Target],
    times: &str,
    frame: &Frame<'_>,
) -> Result<String, ChartError> {
    let main = || spectra.iter().flat_map(|of| &of.main);
    let nines = main().map(|(x, _)| *x).fold(*NINES.start(), f64::max);
    let heights = main()
        .chain(spectra.iter().flat_map(|of| &of.beside))
        .map(|(_, y)| *y)
        .chain(spectra.iter().flat_map(|of| &of.rounds).flat_map(|(_, low, high)| [*low, *high]))
        .chain(targets.iter().map(|target| target.at));
    let wide = frame.width > 600;
    let y = Axis::logarithmic(heights, Unit::Time, 10, if wide { times } else { "" })
        .ok_or_else(|| ChartError::of("a spectrum needs a line"))?;
    let room = f64::from(frame.width) * if wide { 0.72 } else { 0.75 };
    let mut of = Plot::new(Axis::quantiles(nines, room / nines / LABEL_ROOM), y);
    for spectrum in spectra {
        let line = |weight, name: &str, points: &[(f64, f64)]| PlotLine {
            series: spectrum.series,
            weight,
            name: name.to_owned(),
            points: points.to_vec(),
        };
        of.bands.push(Band { series: spectrum.series, points: spectrum.rounds.clone() });
        // Lag may lie far below everything else: what is outside the axis is not drawn.
        let lag: Vec<(f64, f64)> = spectrum.lag.iter().copied().filter(|(_, y)| of.y.has(*y)).collect();
        of.lines.push(line(Weight::Hint, "", &lag));
        of.lines.push(line(Weight::Thin, "", &spectrum.beside));
        of.lines.push(line(Weight::Main, &spectrum.name, &spectrum.main));
    }
    of.lines.retain(|line| !line.points.is_empty());
    of.targets = targets.to_vec();
    plot(&of, frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::quantile_curve;
    use hdrhistogram::Histogram;

    #[test]
    fn a_line_ends_where_ten_samples_are_left() {
        let mut histogram = Histogram::new(3).unwrap();
        for value in 1..=1_500_u64 {
            histogram.record(value * 1_000).unwrap();
        }
        let curve = quantile_curve(&histogram);
        let (last, height) = *points(&curve, true).last().unwrap();
        assert!((last - 150_f64.log10()).abs() < 1e-9, "{last}");
        assert!((10_f64.powf(height) / 1_490e3 - 1.0).abs() < 0.002, "{height}");
        let (last, _) = *points(&curve, false).last().unwrap();
        assert!((10_f64.powf(-last) - 0.5).abs() < 1e-9, "without a tail it ends at the median");
        let mut few = Histogram::<u64>::new(3).unwrap();
        few.record_n(5, 10).unwrap();
        assert!(points(&quantile_curve(&few), true).is_empty());
    }

    #[test]
    fn the_band_reaches_from_the_lowest_round_to_the_highest_while_there_are_two() {
        let rounds =
            [vec![(0.0, 1.0), (1.0, 5.0)], vec![(0.0, 2.0)], vec![(0.0, 3.0), (1.0, 4.0), (2.0, 9.0)]];
        assert_eq!(between(&rounds), [(0.0, 1.0, 3.0), (1.0, 4.0, 5.0)]);
        assert!(between(&rounds[..1]).is_empty());
    }
}
