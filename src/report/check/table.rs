//! The check for the terminal.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::CheckFormat;
use super::lines::{COLUMNS, MAX_SENTENCE, bytes, dropped, errors, row, setting};
use crate::report::text::{line, wrap};
use crate::report::{Options, ReportError};
use crate::result::CheckResult;

pub(super) const FORMAT: CheckFormat =
    CheckFormat { name: "table", about: "a table for the terminal", file_name: "check.txt", render };

fn render(check: &CheckResult, options: Options) -> Result<Vec<u8>, ReportError> {
    let columns = options.prose();
    let mut text = String::new();
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(options.columns)
        .set_header(COLUMNS.to_vec());
    for metric in &check.metrics {
        table.add_row(row(metric));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 1));
        if (1..=6).contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    text.push_str(&table.trim_fmt());
    text.push('\n');
    for method in &check.bytes {
        wrap(&mut text, &bytes(method), "  ", columns);
    }
    let said = errors(check).into_iter().chain(dropped(check)).chain(setting(check));
    for sentence in said.chain(check.notes.iter().cloned()) {
        wrap(&mut text, &line(&sentence, MAX_SENTENCE), "  ", columns);
    }
    text.push('\n');
    // The last line is the one that is read.
    wrap(&mut text, &line(&check.sentence, 2 * MAX_SENTENCE), "", columns);
    Ok(text.into_bytes())
}
