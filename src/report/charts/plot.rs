//! A chart with two axes: lines with a name at their end, dots, bands, shaded stretches and targets.
//!
//! The spectrum, load curves, the course of time and scaling are all drawn by it.

use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::prelude::{ChartBuilder, IntoDrawingArea as _, IntoFont as _, LineSeries, ShapeStyle};
use plotters::style::{Color as _, TextStyle};

use super::axis::Axis;
use super::svg::{
    FINE, GRID, INK, STALL, Svg, TARGET, WARM_UP, band, end, fitting, hint, series, text_width, thin,
};
use super::{ChartError, Frame};

/// The size of letters, in units of the drawing.
const LETTERS: i32 = 13;
/// The least distance of two lines of text.
const LINE_GAP: i32 = 16;
/// The most room for a name at the end of a line.
const MAX_NAME: f64 = 190.0;
/// Between the end of a line and its name.
const LEADER: i32 = 18;
/// Narrower charts have their names in a legend.
const WIDE: u32 = 600;

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Weight {
    /// What the chart is about.
    Main,
    /// What is compared with it.
    Thin,
    /// What should hardly be seen.
    Hint,
}

/// A line.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct PlotLine {
    /// Which colour and dash pattern.
    pub series: usize,
    pub weight: Weight,
    /// What stands at its end; empty for nothing.
    pub name: String,
    /// From left to right, in the units of the axes.
    pub points: Vec<(f64, f64)>,
}

/// A point of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::report) struct Dot {
    pub series: usize,
    pub at: (f64, f64),
    /// Hollow where what it shows does not count.
    pub filled: bool,
    /// Its radius.
    pub size: i32,
}

/// What lies between two lines.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct Band {
    pub series: usize,
    /// x, the lower and the upper end.
    pub points: Vec<(f64, f64, f64)>,
}

/// A stretch of the x axis that is shaded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::report) struct Shade {
    pub from: f64,
    pub to: f64,
    /// Whether it is a stall; else it is a warm-up.
    pub stall: bool,
}

/// A horizontal line with its name.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct Target {
    pub at: f64,
    pub name: String,
}

/// The chart.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct Plot {
    pub x: Axis,
    pub y: Axis,
    pub shades: Vec<Shade>,
    pub bands: Vec<Band>,
    pub lines: Vec<PlotLine>,
    pub dots: Vec<Dot>,
    pub targets: Vec<Target>,
    /// How many characters the labels of the y axis have room for at least, so that charts below each
    /// other begin at the same place.
    pub label_room: usize,
}

impl Plot {
    /// One without content.
    pub(in crate::report) fn new(x: Axis, y: Axis) -> Self {
        Self {
            x,
            y,
            shades: Vec::new(),
            bands: Vec::new(),
            lines: Vec::new(),
            dots: Vec::new(),
            targets: Vec::new(),
            label_room: 0,
        }
    }

    /// The lines with a name.
    fn named(&self) -> impl Iterator<Item = &PlotLine> {
        self.lines.iter().filter(|line| !line.name.is_empty() && !line.points.is_empty())
    }

    /// How high the chart must be for its names to stand under each other.
    fn height(&self, frame: &Frame<'_>) -> u32 {
        let names = u32::try_from(self.named().count()).unwrap_or(u32::MAX);
        let needed = names.saturating_mul(LINE_GAP.unsigned_abs()).saturating_add(64);
        if frame.width > WIDE { frame.height.max(needed.min(4_000)) } else { frame.height }
    }
}

fn letters() -> TextStyle<'static> {
    TextStyle::from(("sans-serif", LETTERS * FINE).into_font()).color(&INK)
}

fn name_of(line_of: &PlotLine) -> String {
    fitting(&line_of.name, f64::from(LETTERS), MAX_NAME)
}

type Chart<'a, 'b> = plotters::chart::ChartContext<'a, Svg<'b>, plotters::prelude::Cartesian2d<Axis, Axis>>;

/// Draws the chart. Names stand at the ends of lines where the chart is wide.
pub(in crate::report) fn plot(plot: &Plot, frame: &Frame<'_>) -> Result<String, ChartError> {
    let wide = frame.width > WIDE;
    let size = f64::from(LETTERS);
    let names = plot.named().map(|line| text_width(&name_of(line), size)).fold(0.0, f64::max);
    let right = if wide && names > 0.0 { names.ceil() as i32 + LEADER + 6 } else { 32 };
    let left = text_width(&"0".repeat(plot.y.widest().max(plot.label_room)), size).ceil() as i32 + 16;
    let under = if plot.x.name.is_empty() { 26 } else { 44 };
    let beside = if plot.y.name.is_empty() { 0 } else { 22 };
    let height = plot.height(frame);
    let mut text = String::new();
    {
        let area = Svg::begin(&mut text, frame, height).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin_top(10 * FINE)
            .margin_right(right * FINE)
            .margin_bottom(4 * FINE)
            .x_label_area_size(under * FINE)
            .y_label_area_size((left + beside) * FINE)
            .build_cartesian_2d(plot.x.clone(), plot.y.clone())
            .map_err(ChartError::of)?;
        draw_shades(&mut chart, plot)?;
        draw_axes(&mut chart, plot)?;
        draw_content(&mut chart, plot)?;
        let place = |at: &(f64, f64)| chart.plotting_area().map_coordinate(at);
        let bottom = i32::try_from(height).unwrap_or(i32::MAX / FINE);
        for (target, y) in plot.targets.iter().zip(target_places(plot, &place)) {
            let x = place(&(plot.x_low(), target.at)).0 + 8 * FINE;
            let words = fitting(&target.name, size, f64::from(frame.width) * 0.6);
            area.draw(&Text::new(words, (x, y), letters())).map_err(ChartError::of)?;
        }
        if wide {
            draw_names(&area, plot, &place, bottom)?;
        }
        area.present().map_err(ChartError::of)?;
    }
    end(&mut text);
    Ok(text)
}

impl Plot {
    fn x_low(&self) -> f64 {
        plotters::coord::ranged1d::Ranged::range(&self.x).start
    }

    fn x_range(&self) -> (f64, f64) {
        let range = plotters::coord::ranged1d::Ranged::range(&self.x);
        (range.start, range.end)
    }
}

fn draw_axes(chart: &mut Chart<'_, '_>, plot: &Plot) -> Result<(), ChartError> {
    let mut mesh = chart.configure_mesh();
    if !plot.x.name.is_empty() {
        mesh.x_desc(plot.x.name.clone());
    }
    if !plot.y.name.is_empty() {
        mesh.y_desc(plot.y.name.clone());
    }
    mesh.set_all_tick_mark_size(5 * FINE)
        .axis_style(INK.stroke_width(1))
        .bold_line_style(GRID.stroke_width(1))
        .light_line_style(GRID.mix(0.0))
        .label_style(letters())
        .axis_desc_style(letters())
        .draw()
        .map_err(ChartError::of)
}

fn draw_shades(chart: &mut Chart<'_, '_>, plot: &Plot) -> Result<(), ChartError> {
    let range = plotters::coord::ranged1d::Ranged::range(&plot.y);
    let shades = plot.shades.iter().map(|shade| {
        let color = if shade.stall { STALL } else { WARM_UP };
        Rectangle::new([(shade.from, range.end), (shade.to, range.start)], color.filled())
    });
    chart.draw_series(shades).map(|_| ()).map_err(ChartError::of)
}

fn draw_content(chart: &mut Chart<'_, '_>, plot: &Plot) -> Result<(), ChartError> {
    for of in plot.bands.iter().filter(|of| of.points.len() > 1) {
        let there = of.points.iter().map(|(x, low, _)| (*x, *low));
        let back = of.points.iter().rev().map(|(x, _, high)| (*x, *high));
        let corners: Vec<(f64, f64)> = there.chain(back).collect();
        let polygon = Polygon::new(corners, band(of.series).filled());
        chart.draw_series(std::iter::once(polygon)).map_err(ChartError::of)?;
    }
    let (low, high) = plot.x_range();
    for target in plot.targets.iter().filter(|target| plot.y.has(target.at)) {
        let path = PathElement::new(vec![(low, target.at), (high, target.at)], TARGET.stroke_width(1));
        chart.draw_series(std::iter::once(path)).map_err(ChartError::of)?;
    }
    // What matters most is drawn last.
    for weight in [Weight::Hint, Weight::Thin, Weight::Main] {
        for of in plot.lines.iter().filter(|of| of.weight == weight) {
            let color = match weight {
                Weight::Main => series(of.series),
                Weight::Thin => thin(of.series),
                Weight::Hint => hint(of.series),
            };
            let style = ShapeStyle::from(color).stroke_width(2);
            chart.draw_series(LineSeries::new(of.points.iter().copied(), style)).map_err(ChartError::of)?;
        }
    }
    let dots = plot.dots.iter().map(|dot| {
        let style = series(dot.series);
        Circle::new(dot.at, dot.size * FINE, if dot.filled { style.filled() } else { style.stroke_width(1) })
    });
    chart.draw_series(dots).map(|_| ()).map_err(ChartError::of)
}

type Place<'a> = dyn Fn(&(f64, f64)) -> (i32, i32) + 'a;

/// Where the names of targets stand: above their lines, and under each other.
fn target_places(plot: &Plot, place: &Place<'_>) -> Vec<i32> {
    let wanted: Vec<i32> =
        plot.targets.iter().map(|target| place(&(plot.x_low(), target.at)).1 - LINE_GAP * FINE).collect();
    let range = plotters::coord::ranged1d::Ranged::range(&plot.y);
    let top = place(&(plot.x_low(), range.end)).1;
    let bottom = place(&(plot.x_low(), range.start)).1 - LINE_GAP * FINE;
    spread(&wanted, LINE_GAP * FINE, top, bottom)
}

fn draw_names(
    area: &plotters::prelude::DrawingArea<Svg<'_>, plotters::coord::Shift>,
    plot: &Plot,
    place: &Place<'_>,
    height: i32,
) -> Result<(), ChartError> {
    let lines: Vec<&PlotLine> = plot.named().collect();
    let ends: Vec<(i32, i32)> = lines.iter().filter_map(|of| of.points.last().map(place)).collect();
    let half = LETTERS * FINE / 2;
    let wanted: Vec<i32> = ends.iter().map(|(_, y)| *y).collect();
    let places = spread(&wanted, LINE_GAP * FINE, half + 4 * FINE, height * FINE - half - 4 * FINE);
    let x = place(&(plot.x_range().1, 0.0)).0 + LEADER * FINE;
    for ((of, (end_x, end_y)), y) in lines.iter().zip(ends).zip(places) {
        let leader = PathElement::new(vec![(end_x + 2 * FINE, end_y), (x - 4 * FINE, y)], hint(of.series));
        area.draw(&leader).map_err(ChartError::of)?;
        area.draw(&Text::new(name_of(of), (x, y - half), letters())).map_err(ChartError::of)?;
    }
    Ok(())
}

/// Moves places apart until each two are a gap apart, in their order, between two ends. Where there is
/// too little room they go beyond the upper end.
pub(in crate::report) fn spread(wanted: &[i32], gap: i32, low: i32, high: i32) -> Vec<i32> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by_key(|index| wanted.get(*index).copied().unwrap_or(0));
    let mut places: Vec<i32> = Vec::with_capacity(wanted.len());
    for index in &order {
        let want = wanted.get(*index).copied().unwrap_or(low).max(low);
        places.push(places.last().map_or(want, |last: &i32| want.max(last.saturating_add(gap))));
    }
    let mut limit = high;
    for place in places.iter_mut().rev() {
        *place = (*place).min(limit);
        limit = place.saturating_sub(gap);
    }
    let mut spread = vec![low; wanted.len()];
    for (index, place) in order.into_iter().zip(places) {
        if let Some(slot) = spread.get_mut(index) {
            *slot = place;
        }
    }
    spread
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_moved_apart_and_keep_their_order() {
        assert_eq!(spread(&[50, 10, 51, 52], 10, 0, 100), [50, 10, 60, 70]);
        assert_eq!(spread(&[95, 96, 97], 10, 0, 100), [80, 90, 100]);
        assert_eq!(spread(&[], 10, 0, 100), [0_i32; 0]);
    }
}
