//! Charts as inline SVG: drawn by plotters on a backend of our own (see [`svg`]).

mod bars;
mod spectrum;
mod svg;

pub(super) use bars::{Bar, Part, bars};
pub(super) use spectrum::{Line, line_of, spectrum};
pub(super) use svg::{COLOURS, DASHES};

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
    fn of(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}
