//! Markdown for a comment on a pull request, below 64 KiB.

use super::CheckFormat;
use super::lines::{COLUMNS, MAX_NAME, MAX_SENTENCE, bytes, dropped, errors, row, setting};
use crate::report::text::{Limited, markdown};
use crate::report::{Options, ReportError};
use crate::result::{CheckResult, CheckStatus};

pub(super) const FORMAT: CheckFormat = CheckFormat {
    name: "comment",
    about: "Markdown for a comment on a pull request",
    file_name: "comment.md",
    render,
};

/// GitHub takes 65,536 characters; some are left for what others put around it.
const MAX_BYTES: usize = 60_000;

fn render(check: &CheckResult, _: Options) -> Result<Vec<u8>, ReportError> {
    let mut text = Limited::new(MAX_BYTES);
    short(&mut text, check);
    Ok(text.finish().into_bytes())
}

/// The check without its single rounds.
pub(super) fn short(text: &mut Limited, check: &CheckResult) {
    let mark = match check.status {
        CheckStatus::Pass => "✅",
        CheckStatus::Regressed => "❌",
        CheckStatus::Inconclusive => "❔",
        CheckStatus::Invalid => "⚠️",
    };
    text.push(&format!("### {mark} {}\n\n", markdown(&check.scenario.name, MAX_NAME)));
    text.push(&format!("**{}**\n", markdown(&check.sentence, 2 * MAX_SENTENCE)));
    text.push(&format!("\n| {} |\n|:--|--:|--:|--:|--:|--:|--:|:--|\n", COLUMNS.join(" | ")));
    for metric in &check.metrics {
        text.push(&format!("| {} |\n", row(metric).map(|field| markdown(&field, MAX_NAME)).join(" | ")));
    }
    text.push("\n");
    let said = check.bytes.iter().map(bytes).chain(errors(check)).chain(dropped(check));
    for sentence in said.chain(setting(check)).chain(check.notes.iter().cloned()) {
        text.push(&format!("- {}\n", markdown(&sentence, MAX_SENTENCE)));
    }
}
