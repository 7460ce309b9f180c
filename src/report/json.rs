//! `run.json` itself.

use super::{Format, Input, ReportError, ReportFile, one_file};

pub(super) const FORMAT: Format =
    Format { name: "json", about: "the whole result", file_name: "run.json", render };

fn render(input: &Input<'_>) -> Result<Vec<ReportFile>, ReportError> {
    let mut json = serde_json::to_vec_pretty(input.run)
        .map_err(|error| ReportError::Render { format: FORMAT.name, reason: error.to_string() })?;
    json.push(b'\n');
    Ok(one_file(FORMAT.file_name, json))
}
