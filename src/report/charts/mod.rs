//! Charts as inline SVG: drawn by plotters on a backend of our own (see [`svg`]).

mod axis;
mod bars;
mod plot;
mod spectrum;
mod svg;

pub(super) use axis::{Axis, Unit};
pub(super) use bars::{Bar, Part, bars};
pub(super) use plot::{Dot, Plot, PlotLine, Shade, Target, Weight, plot};
pub(super) use spectrum::{Spectrum, between, points, spectrum};
#[cfg(test)]
pub(super) use svg::text_width;
pub(super) use svg::{COLOURS, SHADES, dash, with_dash};

/// How classes look, in light and in dark surroundings.
pub(super) const CHART_STYLE: &str = include_str!("chart.css");

/// A chart's frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    /// Unique in the page.
    pub id: &'a str,
    /// What a screen reader says first.
    pub title: &'a str,
    /// What it says then.
    pub description: &'a str,
    /// Width in units of the drawing; a page scales it.
    pub width: u32,
    /// Height, where the content does not decide it.
    pub height: u32,
}

/// Why a chart cannot be drawn.
#[derive(Debug, thiserror::Error)]
#[error("plotters: {0}")]
pub(super) struct ChartError(String);

impl ChartError {
    pub(super) fn of(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}
