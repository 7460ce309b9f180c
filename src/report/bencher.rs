//! Bencher Metric Format: what a run measured, for bencher.dev.

use super::measures::{bencher, of_run};
use super::{Format, Input, ReportError, ReportFile, one_file};

pub(super) const FORMAT: Format =
    Format { name: "bencher", about: "Bencher Metric Format", file_name: "bencher.json", render };

fn render(input: &Input<'_>) -> Result<Vec<ReportFile>, ReportError> {
    let json = bencher(&of_run(input.run))
        .map_err(|error| ReportError::Render { format: FORMAT.name, reason: error.to_string() })?;
    Ok(one_file(FORMAT.file_name, json))
}
