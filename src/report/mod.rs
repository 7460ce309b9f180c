//! Reports: results to bytes, one file per format.
//!
//! May import `analysis` (and `result` through it). Pure: no I/O, no clock, no network, so that a
//! report can be made again from a stored run at any time. It deliberately judges nothing: verdicts
//! and ranks come from `analysis`. Every text of a result may come from a stranger's server or
//! scenario, and is escaped for where it goes.
//!
//! Adding a format is one file and one line in [`FORMATS`].

mod answer;
mod bencher;
mod benchmark_bigger;
mod benchmark_smaller;
mod charts;
mod check;
mod comparison;
mod connections;
mod criterion;
mod csv;
mod explain;
mod extras;
mod hgrm;
mod history;
mod html;
mod json;
mod junit;
mod markdown;
mod measures;
mod place;
mod sentences;
mod spectra;
mod suite;
mod svg;
mod table;
mod text;
mod view;

pub use check::{CHECK_FORMATS, CheckFormat, is_check_format, render_check};
pub use comparison::{COMPARE_FORMATS, UnknownCompareFormat, render_comparison};
pub use history::{history_csv, history_page};

use crate::result::{Histograms, RunResult};

pub use explain::{EXPLAIN_FORMATS, UnknownExplainFormat, render_explanations, render_overviews};

/// Every format.
pub const FORMATS: &[Format] = &[
    table::FORMAT,
    json::FORMAT,
    markdown::FORMAT,
    csv::FORMAT,
    hgrm::FORMAT,
    html::FORMAT,
    svg::FORMAT,
    junit::FORMAT,
    benchmark_smaller::FORMAT,
    benchmark_bigger::FORMAT,
    bencher::FORMAT,
    criterion::FORMAT,
];

/// Formats that put several runs into one report, with how they do.
const TOGETHER: &[(&str, RenderRuns)] = &[(html::FORMAT.name, html::render_runs)];

type RenderRuns = fn(&[Input<'_>]) -> Result<Vec<ReportFile>, ReportError>;

/// A format.
#[derive(Clone, Copy)]
pub struct Format {
    /// The name on the command line.
    pub name: &'static str,
    /// What it is, in a line of help.
    pub about: &'static str,
    /// The name of its file in a run's folder; where a format has several files, of the first part
    /// of their names.
    pub file_name: &'static str,
    render: fn(&Input<'_>) -> Result<Vec<ReportFile>, ReportError>,
}

impl std::fmt::Debug for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Format").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a report is made of.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The run.
    pub run: &'a RunResult,
    /// Its histograms.
    pub histograms: &'a Histograms,
    /// How it is drawn.
    pub options: Options,
}

/// How a report is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Whether the terminal shows colours.
    pub colour: bool,
    /// How many columns the terminal has.
    pub columns: u16,
    /// Whether a CSV has a row per round too.
    pub rounds: bool,
}

/// Longer lines of prose are hard to read, however wide the terminal is.
const MAX_PROSE: usize = 100;

impl Options {
    /// The columns that sentences take.
    fn prose(&self) -> usize {
        usize::from(self.columns).min(MAX_PROSE)
    }
}

impl Default for Options {
    fn default() -> Self {
        // A table with a column for each figure takes about so many.
        Self { colour: false, columns: 120, rounds: false }
    }
}

/// A file of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFile {
    /// Its name, with folders where a format has them.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Why a report cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// There is no such format.
    #[error("there is no report format {name:?}; the formats are {}", format_names())]
    UnknownFormat {
        /// The name.
        name: String,
    },
    /// The result cannot be put into the format.
    #[error("cannot make the {format} report: {reason}")]
    Render {
        /// The format.
        format: &'static str,
        /// Why.
        reason: String,
    },
}

fn format_names() -> String {
    FORMATS.iter().map(|format| format.name).collect::<Vec<_>>().join(", ")
}

/// Whether there is such a format.
///
/// # Errors
/// There is none.
pub fn check_format(name: &str) -> Result<(), ReportError> {
    find_format(name).map(|_| ())
}

fn find_format(name: &str) -> Result<&'static Format, ReportError> {
    let unknown = || ReportError::UnknownFormat { name: name.to_owned() };
    FORMATS.iter().find(|known| known.name == name).ok_or_else(unknown)
}

/// Makes a report with the default options. A format of several files gives them one after the other.
///
/// # Errors
/// There is no such format, or the result cannot be put into it.
pub fn render(format: &str, run: &RunResult, histograms: &Histograms) -> Result<Vec<u8>, ReportError> {
    render_with(format, run, histograms, Options::default())
}

/// Makes a report. A format of several files gives them one after the other.
///
/// # Errors
/// There is no such format, or the result cannot be put into it.
pub fn render_with(
    format: &str,
    run: &RunResult,
    histograms: &Histograms,
    options: Options,
) -> Result<Vec<u8>, ReportError> {
    Ok(render_files(format, run, histograms, options)?.into_iter().flat_map(|file| file.bytes).collect())
}

/// Makes the files of a report.
///
/// # Errors
/// There is no such format, or the result cannot be put into it.
pub fn render_files(
    format: &str,
    run: &RunResult,
    histograms: &Histograms,
    options: Options,
) -> Result<Vec<ReportFile>, ReportError> {
    (find_format(format)?.render)(&Input { run, histograms, options })
}

/// Makes one report of several runs; `None` where the format has one report per run.
///
/// # Errors
/// The results cannot be put into the format.
pub fn render_together(format: &str, runs: &[Input<'_>]) -> Result<Option<Vec<ReportFile>>, ReportError> {
    let Some((_, render)) = TOGETHER.iter().find(|(name, _)| *name == format) else { return Ok(None) };
    render(runs).map(Some)
}

/// The one file of a format.
fn one_file(name: &str, text: impl Into<Vec<u8>>) -> Vec<ReportFile> {
    vec![ReportFile { name: name.to_owned(), bytes: text.into() }]
}

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
