//! github-action-benchmark's `customSmallerIsBetter`: times, processor time and bytes of the valid cells.

use super::measures::{github_benchmark, of_run};
use super::{Format, Input, ReportError, ReportFile, one_file};

pub(super) const FORMAT: Format = Format {
    name: "benchmark-smaller",
    about: "github-action-benchmark, customSmallerIsBetter",
    file_name: "benchmark-smaller.json",
    render,
};

fn render(input: &Input<'_>) -> Result<Vec<ReportFile>, ReportError> {
    let json = github_benchmark(&of_run(input.run), false)
        .map_err(|error| ReportError::Render { format: FORMAT.name, reason: error.to_string() })?;
    Ok(one_file(FORMAT.file_name, json))
}
