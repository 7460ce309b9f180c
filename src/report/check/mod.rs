//! Reports of a check: one file per format, like those of a run, and as pure.

mod bencher;
mod benchmark;
mod comment;
mod json;
mod junit;
mod lines;
mod markdown;
mod table;

use super::{Options, ReportError, ReportFile};
use crate::result::CheckResult;

/// Every format of a check.
pub const CHECK_FORMATS: &[CheckFormat] = &[
    table::FORMAT,
    json::FORMAT,
    markdown::FORMAT,
    comment::FORMAT,
    junit::FORMAT,
    benchmark::SMALLER,
    benchmark::BIGGER,
    bencher::FORMAT,
];

/// A format of a check.
#[derive(Clone, Copy)]
pub struct CheckFormat {
    /// The name on the command line.
    pub name: &'static str,
    /// What it is, in a line of help.
    pub about: &'static str,
    /// The name of its file in a check's folder.
    pub file_name: &'static str,
    render: fn(&CheckResult, Options) -> Result<Vec<u8>, ReportError>,
}

impl std::fmt::Debug for CheckFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CheckFormat").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Whether there is such a format for checks.
#[must_use]
pub fn is_check_format(name: &str) -> bool {
    CHECK_FORMATS.iter().any(|format| format.name == name)
}

/// Makes a report of a check.
///
/// # Errors
/// There is no such format, or the check cannot be put into it.
pub fn render_check(format: &str, check: &CheckResult, options: Options) -> Result<ReportFile, ReportError> {
    let found = CHECK_FORMATS
        .iter()
        .find(|known| known.name == format)
        .ok_or_else(|| ReportError::UnknownFormat { name: format.to_owned() })?;
    Ok(ReportFile { name: found.file_name.to_owned(), bytes: (found.render)(check, options)? })
}

#[cfg(test)]
mod tests;
