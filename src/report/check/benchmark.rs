//! github-action-benchmark of a check: the candidate's figures, in two files as that action wants them.

use super::CheckFormat;
use crate::report::ReportError;
use crate::report::measures::{github_benchmark, of_check};
use crate::result::CheckResult;

pub(super) const SMALLER: CheckFormat = CheckFormat {
    name: "benchmark-smaller",
    about: "github-action-benchmark, customSmallerIsBetter",
    file_name: "benchmark-smaller.json",
    render: |check, _| render(check, false),
};

pub(super) const BIGGER: CheckFormat = CheckFormat {
    name: "benchmark-bigger",
    about: "github-action-benchmark, customBiggerIsBetter",
    file_name: "benchmark-bigger.json",
    render: |check, _| render(check, true),
};

fn render(check: &CheckResult, more_is_better: bool) -> Result<Vec<u8>, ReportError> {
    github_benchmark(&of_check(check), more_is_better)
        .map_err(|error| ReportError::Render { format: SMALLER.name, reason: error.to_string() })
}
