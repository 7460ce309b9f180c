//! Horizontal bars, each under its name.

use plotters::element::{PathElement, Rectangle, Text};
use plotters::prelude::{IntoDrawingArea as _, IntoFont as _};
use plotters::style::{Color as _, TextStyle};

use super::svg::{FAINT, FINE, INK, Svg, end, fitting, part, series, text_width};
use super::{ChartError, Frame};

const ROW: i32 = 44;
const BAR: i32 = 16;
const TEXT: i32 = 14;
const GAP: i32 = 6;

/// What a part of a bar is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::report) enum Part {
    /// In the colour of a series.
    Series(usize, f64),
    /// In a colour that the legend explains.
    Piece(usize, f64),
    /// What is around it.
    Around(f64),
}

impl Part {
    fn amount(self) -> f64 {
        match self {
            Part::Series(_, amount) | Part::Piece(_, amount) | Part::Around(amount) => amount.max(0.0),
        }
    }
}

/// A bar of parts one after the other.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct Bar {
    /// The name above it.
    pub name: String,
    /// The figure behind it.
    pub figure: String,
    /// Its parts.
    pub parts: Vec<Part>,
    /// From the lowest to the highest of the rounds, where there are several.
    pub range: Option<[f64; 2]>,
}

/// Draws the bars from zero; the longest takes the width that its figure leaves.
pub(in crate::report) fn bars(bars: &[Bar], frame: &Frame<'_>) -> Result<String, ChartError> {
    let size = f64::from(TEXT);
    let height = u32::try_from(ROW).unwrap_or(0) * u32::try_from(bars.len()).unwrap_or(0);
    let figures = bars.iter().map(|bar| text_width(&bar.figure, size)).fold(0.0, f64::max);
    let room = (f64::from(frame.width) - figures - f64::from(GAP) * 2.0).max(40.0);
    let longest = bars.iter().map(reach).fold(0.0, f64::max);
    let x = |amount: f64| {
        if longest > 0.0 { (amount / longest * room * f64::from(FINE)).round() as i32 } else { 0 }
    };
    let style = || TextStyle::from(("sans-serif", TEXT * FINE).into_font()).color(&INK);
    let mut text = String::new();
    {
        let area = Svg::begin(&mut text, frame, height).into_drawing_area();
        for (row, bar) in (0_i32..).zip(bars) {
            let top = row.saturating_mul(ROW);
            area.draw(&Text::new(
                fitting(&bar.name, size, f64::from(frame.width)),
                (0, (top + 4) * FINE),
                style(),
            ))
            .map_err(ChartError::of)?;
            let bar_top = top + TEXT + 8;
            let mut sum = 0.0;
            for of in &bar.parts {
                let color = match of {
                    Part::Series(index, _) => series(*index),
                    Part::Piece(index, _) => part(*index),
                    Part::Around(_) => FAINT,
                };
                let (left, right) = (x(sum), x(sum + of.amount()));
                sum += of.amount();
                // At least a hair of what is there.
                let right = if of.amount() > 0.0 { right.max(left + FINE) } else { right };
                let rectangle =
                    Rectangle::new([(left, bar_top * FINE), (right, (bar_top + BAR) * FINE)], color.filled());
                area.draw(&rectangle).map_err(ChartError::of)?;
            }
            // A stroke that is hardly longer than wide says nothing.
            let visible = bar.range.filter(|[low, high]| x(*high) - x(*low) > 4 * FINE);
            if let Some([low, high]) = visible {
                let (left, right, middle) = (x(low), x(high), (bar_top + BAR / 2) * FINE);
                let ends = [left, right].map(|at| vec![(at, middle - 4 * FINE), (at, middle + 4 * FINE)]);
                for path in ends.into_iter().chain([vec![(left, middle), (right, middle)]]) {
                    area.draw(&PathElement::new(path, INK.stroke_width(1))).map_err(ChartError::of)?;
                }
            }
            let behind = x(visible.map_or(sum, |[_, high]| high.max(sum)));
            area.draw(&Text::new(bar.figure.clone(), (behind + GAP * FINE, (bar_top + 1) * FINE), style()))
                .map_err(ChartError::of)?;
        }
        area.present().map_err(ChartError::of)?;
    }
    end(&mut text);
    Ok(text)
}

fn reach(bar: &Bar) -> f64 {
    let sum: f64 = bar.parts.iter().map(|of| of.amount()).sum();
    bar.range.map_or(sum, |[_, high]| high.max(sum))
}
