//! github-action-benchmark's `customBiggerIsBetter`: the throughput of the valid cells.

use super::measures::{github_benchmark, of_run};
use super::{Format, Input, ReportError, ReportFile, one_file};

pub(super) const FORMAT: Format = Format {
    name: "benchmark-bigger",
    about: "github-action-benchmark, customBiggerIsBetter",
    file_name: "benchmark-bigger.json",
    render,
};

fn render(input: &Input<'_>) -> Result<Vec<ReportFile>, ReportError> {
    let json = github_benchmark(&of_run(input.run), true)
        .map_err(|error| ReportError::Render { format: FORMAT.name, reason: error.to_string() })?;
    Ok(one_file(FORMAT.file_name, json))
}
