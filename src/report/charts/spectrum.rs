//! The percentile spectrum: latency against the quantile, on HdrHistogram's usual axis.

use std::ops::Range;

use hdrhistogram::Histogram;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::{ChartBuilder, IntoDrawingArea as _, IntoFont as _, LineSeries, ShapeStyle};
use plotters::style::{Color as _, TextStyle};

use super::svg::{FINE, GRID, INK, Svg, end, series};
use super::{ChartError, Frame};
use crate::analysis::MIN_SAMPLES_ABOVE;

/// Points per factor of ten on the quantile axis.
const POINTS_PER_NINE: u32 = 24;
/// The axis reaches at least to 99 %.
const MIN_NINES: f64 = 2.0;
/// Nothing beyond 99.999999 %.
const MAX_NINES: f64 = 8.0;

/// A line of the chart.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct Line {
    /// Which colour and dash pattern.
    pub series: usize,
    /// Points of log₁₀(1/(1−q)) and log₁₀ of nanoseconds.
    points: Vec<(f64, f64)>,
}

/// The line of a histogram, up to the last quantile that has samples enough; `None` where there are
/// too few for any. One without a tail ends at the median.
pub(in crate::report) fn line_of(series: usize, histogram: &Histogram<u64>, tail: bool) -> Option<Line> {
    let longest = if tail { MAX_NINES } else { 2_f64.log10() };
    let nines = (histogram.len() as f64 / MIN_SAMPLES_ABOVE).log10().min(longest);
    if histogram.is_empty() || nines <= 0.0 {
        return None;
    }
    let steps = (nines * f64::from(POINTS_PER_NINE)).ceil() as u32;
    let points = (0..=steps)
        .map(|step| {
            let x = (f64::from(step) / f64::from(POINTS_PER_NINE)).min(nines);
            let value =
                if step == 0 { histogram.min() } else { histogram.value_at_quantile(1.0 - 10_f64.powf(-x)) };
            (x, (value.max(1) as f64).log10())
        })
        .collect();
    Some(Line { series, points })
}

/// Draws the lines.
pub(in crate::report) fn spectrum(lines: &[Line], frame: &Frame<'_>) -> Result<String, ChartError> {
    let all = || lines.iter().flat_map(|line| &line.points);
    let nines = all().map(|(x, _)| *x).fold(MIN_NINES, f64::max);
    let low = all().map(|(_, y)| *y).fold(f64::INFINITY, f64::min);
    let high = all().map(|(_, y)| *y).fold(f64::NEG_INFINITY, f64::max);
    if !low.is_finite() || !high.is_finite() {
        return Err(ChartError::of("a spectrum needs a line"));
    }
    let margin = ((high - low) * 0.06).max(0.05);
    let (low, high) = (low - margin, high + margin);
    let wide = frame.width > 600;
    let mut text = String::new();
    {
        let area = Svg::begin(&mut text, frame, frame.height).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin_top(10 * FINE)
            .margin_right(FINE * if wide { 28 } else { 22 })
            .margin_bottom(4 * FINE)
            .x_label_area_size(44 * FINE)
            .y_label_area_size(FINE * if wide { 66 } else { 58 })
            .build_cartesian_2d(
                Axis { low: 0.0, high: nines, ticks: quantile_ticks(nines, wide), label: quantile_label },
                Axis { low, high, ticks: latency_ticks(low, high), label: latency_label },
            )
            .map_err(ChartError::of)?;
        draw_axes(&mut chart)?;
        for line in lines {
            let style = ShapeStyle::from(series(line.series)).stroke_width(2);
            chart.draw_series(LineSeries::new(line.points.iter().copied(), style)).map_err(ChartError::of)?;
        }
        area.present().map_err(ChartError::of)?;
    }
    end(&mut text);
    Ok(text)
}

/// A linear axis with ticks and labels of our own; the logarithms are taken before.
struct Axis {
    low: f64,
    high: f64,
    ticks: Vec<f64>,
    label: fn(f64) -> String,
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (first, last): (i32, i32)) -> i32 {
        let share = (value - self.low) / (self.high - self.low);
        first + (f64::from(last - first) * share).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        (self.label)(*value)
    }
}

type Chart<'a, 'b> = plotters::chart::ChartContext<'a, Svg<'b>, plotters::prelude::Cartesian2d<Axis, Axis>>;

fn draw_axes(chart: &mut Chart<'_, '_>) -> Result<(), ChartError> {
    let label = TextStyle::from(("sans-serif", 13 * FINE).into_font()).color(&INK);
    chart
        .configure_mesh()
        .x_desc("share of the calls that are at most this slow")
        .set_all_tick_mark_size(5 * FINE)
        .axis_style(INK.stroke_width(1))
        .bold_line_style(GRID.stroke_width(1))
        .light_line_style(GRID.mix(0.0))
        .label_style(label.clone())
        .axis_desc_style(label)
        .draw()
        .map_err(ChartError::of)
}

fn quantile_ticks(nines: f64, wide: bool) -> Vec<f64> {
    let mut ticks = vec![0.0];
    if wide {
        ticks.push(2_f64.log10());
    }
    ticks.extend((1..=8).map(f64::from).filter(|tick| *tick <= nines + 1e-9));
    ticks
}

fn quantile_label(nines: f64) -> String {
    if nines < 0.01 {
        return "0".to_owned();
    }
    if nines < 0.99 {
        return "50 %".to_owned();
    }
    let decimals = (nines.round() as usize).saturating_sub(2);
    format!("{:.decimals$} %", 100.0 - 100.0 * 10_f64.powf(-nines))
}

/// 1, 2 and 5 of each factor of ten, or the factors alone where the axis has many.
fn latency_ticks(low: f64, high: f64) -> Vec<f64> {
    let steps: &[f64] = if high - low > 2.6 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let mut ticks = Vec::new();
    for decade in low.floor() as i32..=high.ceil() as i32 {
        for step in steps {
            let tick = f64::from(decade) + step.log10();
            if (low..=high).contains(&tick) {
                ticks.push(tick);
            }
        }
    }
    ticks
}

fn latency_label(log_ns: f64) -> String {
    let ns = 10_f64.powf(log_ns);
    let (value, unit) = match ns {
        ns if ns < 999.0 => (ns, "ns"),
        ns if ns < 999e3 => (ns / 1e3, "µs"),
        ns if ns < 999e6 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    format!("{value:.0} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_where_ten_samples_are_left() {
        let mut histogram = Histogram::new(3).unwrap();
        for value in 1..=1_000_u64 {
            histogram.record(value * 1_000).unwrap();
        }
        let line = line_of(0, &histogram, true).unwrap();
        let (last, _) = line.points.last().unwrap();
        assert!((last - 2.0).abs() < 1e-9, "{last}");
        let (last, _) = *line_of(0, &histogram, false).unwrap().points.last().unwrap();
        assert!((10_f64.powf(-last) - 0.5).abs() < 1e-9, "without a tail it ends at the median");
        let few = {
            let mut few = Histogram::new(3).unwrap();
            few.record_n(5, 10).unwrap();
            few
        };
        assert_eq!(line_of(0, &few, true), None);
    }

    #[test]
    fn labels_are_the_usual_ones() {
        let labels: Vec<String> = quantile_ticks(5.0, true).into_iter().map(quantile_label).collect();
        assert_eq!(labels, ["0", "50 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"]);
        let labels: Vec<String> = latency_ticks(2.9, 4.1).into_iter().map(latency_label).collect();
        assert_eq!(labels, ["1 µs", "2 µs", "5 µs", "10 µs"]);
    }
}
