//! What `wirebench explain` says: sentences, each with the number of the run that backs it.
//!
//! Shared by no other format: it is made of two names and a run, and not of a run alone. The parts and
//! their intervals come from `analysis`; here they are only put into words.

mod document;
mod overview;
mod parts;
mod sentences;

use serde::Serialize;

use crate::analysis::{Explanation, Overview};
use crate::result::RunResult;
use document::Document;

/// The formats of an explanation.
pub const EXPLAIN_FORMATS: [&str; 3] = ["text", "md", "json"];

#[derive(Serialize)]
struct Json<'a, T> {
    /// What is explained.
    scenario: &'a str,
    started_at: &'a str,
    explanations: &'a [T],
}

/// Writes explanations in one of [`EXPLAIN_FORMATS`]; `columns` is how wide text may be.
///
/// # Errors
/// There is no such format.
pub fn render_explanations(
    run: &RunResult,
    explanations: &[Explanation],
    format: &str,
    columns: usize,
) -> Result<String, UnknownExplainFormat> {
    render(run, explanations, format, columns, sentences::write)
}

/// Writes overviews in one of [`EXPLAIN_FORMATS`]; `columns` is how wide text may be.
///
/// # Errors
/// There is no such format.
pub fn render_overviews(
    run: &RunResult,
    overviews: &[Overview],
    format: &str,
    columns: usize,
) -> Result<String, UnknownExplainFormat> {
    render(run, overviews, format, columns, overview::write)
}

/// There is no such format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no format {name:?} of an explanation; the formats are {}", EXPLAIN_FORMATS.join(", "))]
pub struct UnknownExplainFormat {
    /// The name.
    pub name: String,
}

fn render<T: Serialize>(
    run: &RunResult,
    items: &[T],
    format: &str,
    columns: usize,
    write: impl Fn(&mut Document, &T),
) -> Result<String, UnknownExplainFormat> {
    if format == "json" {
        let whole = Json { scenario: &run.scenario.name, started_at: &run.started_at, explanations: items };
        // Plain data: there is nothing in it that JSON cannot hold.
        return Ok(serde_json::to_string_pretty(&whole).unwrap_or_default() + "\n");
    }
    let mut document = Document::default();
    for item in items {
        write(&mut document, item);
    }
    match format {
        "text" => Ok(document.to_text(columns)),
        "md" => Ok(document.to_markdown()),
        _ => Err(UnknownExplainFormat { name: format.to_owned() }),
    }
}

#[cfg(test)]
mod tests;
