//! `check.json` itself.

use super::CheckFormat;
use crate::report::{Options, ReportError};
use crate::result::CheckResult;

pub(super) const FORMAT: CheckFormat =
    CheckFormat { name: "json", about: "the whole check", file_name: "check.json", render };

fn render(check: &CheckResult, _: Options) -> Result<Vec<u8>, ReportError> {
    let mut json = serde_json::to_vec_pretty(check)
        .map_err(|error| ReportError::Render { format: FORMAT.name, reason: error.to_string() })?;
    json.push(b'\n');
    Ok(json)
}
