//! Bencher Metric Format of a check: the candidate's figures.

use super::CheckFormat;
use crate::report::measures::{bencher, of_check};
use crate::report::{Options, ReportError};
use crate::result::CheckResult;

pub(super) const FORMAT: CheckFormat =
    CheckFormat { name: "bencher", about: "Bencher Metric Format", file_name: "bencher.json", render };

fn render(check: &CheckResult, _: Options) -> Result<Vec<u8>, ReportError> {
    bencher(&of_check(check))
        .map_err(|error| ReportError::Render { format: FORMAT.name, reason: error.to_string() })
}
