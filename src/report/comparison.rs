//! Two runs side by side, for people and programs.

use std::fmt::Write as _;

use super::text::{line, markdown, wrap};
use super::view::NOTHING;
use crate::analysis::compare::change;
use crate::analysis::{SideBySide, SideRow, Unlike, duration_ns, duration_us, rate_per_s};

/// The formats of a comparison.
pub const COMPARE_FORMATS: [&str; 3] = ["table", "md", "json"];

const ADVISORY: &str = "advisory: the runs are of different times, and the machine around them may have changed; \
                        `wirebench check` decides";
const MAX_NAME: usize = 60;
const MAX_TEXT: usize = 120;

/// There is no such format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no format {0:?} for comparisons; the formats are {list}", list = COMPARE_FORMATS.join(", "))]
pub struct UnknownCompareFormat(String);

/// Writes a comparison in one of [`COMPARE_FORMATS`].
///
/// # Errors
/// There is no such format.
pub fn render_comparison(
    both: &SideBySide,
    format: &str,
    columns: usize,
) -> Result<String, UnknownCompareFormat> {
    match format {
        "table" => Ok(table(both, columns)),
        "md" => Ok(document(both)),
        "json" => Ok(format!("{:#}\n", serde_json::json!(both))),
        other => Err(UnknownCompareFormat(other.to_owned())),
    }
}

fn figure(row: &SideRow, value: Option<f64>) -> String {
    match (value, row.unit) {
        (None, _) => NOTHING.to_owned(),
        (Some(value), "ns") => duration_ns(value),
        (Some(value), "µs/call") => duration_us(value),
        (Some(value), _) => rate_per_s(value),
    }
}

/// The columns; which run is which stands above the table.
const COLUMNS: [&str; 4] = ["figure", "first", "second", "change"];

/// Which run is which, in a line each.
fn runs(both: &SideBySide) -> [String; 2] {
    let [first, second] = &both.runs;
    [("first", first), ("second", second)].map(|(name, run)| {
        let path = run.path.as_deref().map_or_else(String::new, |path| format!("{path}, "));
        format!("{name}: {path}begun {}", run.started_at)
    })
}

/// A row in words: figure, first, second, change.
fn fields(row: &SideRow) -> [String; 4] {
    let change = row.change.map_or_else(|| NOTHING.to_owned(), change);
    let mark = if row.beyond_rounds == Some(true) { " *" } else { "" };
    // The other figures have their whole unit with them.
    let per = if row.unit == "µs/call" { " per call" } else { "" };
    [format!("{}{per}", row.name), figure(row, row.a), figure(row, row.b), format!("{change}{mark}")]
}

const MARK: &str = "* the ranges of the rounds do not touch";

fn difference(difference: &Unlike) -> String {
    format!("{}: {} → {}", difference.what, line(&difference.a, MAX_TEXT), line(&difference.b, MAX_TEXT))
}

fn bytes(both: &SideBySide, cell: usize) -> Vec<String> {
    both.cells[cell]
        .bytes
        .iter()
        .filter(|method| method.request[0] != method.request[1] || method.response[0] != method.response[1])
        .map(|method| {
            let [request, answer] = [method.request, method.response].map(|[a, b]| format!("{a} → {b}"));
            format!(
                "encoded bytes of {} calls of {}: request {request}, answer {answer}",
                method.calls,
                line(&method.method, MAX_NAME)
            )
        })
        .collect()
}

fn table(both: &SideBySide, columns: usize) -> String {
    let mut text = String::new();
    for run in runs(both) {
        wrap(&mut text, &line(&run, 2 * MAX_TEXT), "  ", columns);
    }
    for different in &both.differences {
        wrap(&mut text, &format!("differs: {}", difference(different)), "  ", columns);
    }
    for (index, cell) in both.cells.iter().enumerate() {
        text.push('\n');
        wrap(&mut text, &line(&cell.cell, MAX_NAME), "", columns);
        for different in &cell.differences {
            wrap(&mut text, &format!("  differs: {}", difference(different)), "    ", columns);
        }
        let shown = cell.rows.iter().filter(|row| row.a.is_some() || row.b.is_some()).map(fields);
        for [name, a, b, change] in std::iter::once(COLUMNS.map(str::to_owned)).chain(shown) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {name:<19} {a:>10} {b:>10}   {change}");
        }
        for sentence in bytes(both, index) {
            wrap(&mut text, &format!("  {sentence}"), "    ", columns);
        }
    }
    text.push('\n');
    for left_out in &both.left_out {
        wrap(&mut text, &format!("not compared: {}", line(left_out, 4 * MAX_TEXT)), "  ", columns);
    }
    wrap(&mut text, &format!("{MARK}; {ADVISORY}"), "  ", columns);
    text
}

fn document(both: &SideBySide) -> String {
    let mut text = String::from("### Two runs side by side\n\n");
    for run in runs(both) {
        let _ = writeln!(text, "- {}", markdown(&run, 2 * MAX_TEXT));
    }
    for different in &both.differences {
        let _ = writeln!(text, "- differs: {}", markdown(&difference(different), 3 * MAX_TEXT));
    }
    for (index, cell) in both.cells.iter().enumerate() {
        let _ = writeln!(text, "\n**{}**\n", markdown(&cell.cell, MAX_NAME));
        for different in &cell.differences {
            let _ = writeln!(text, "- differs: {}", markdown(&difference(different), 3 * MAX_TEXT));
        }
        let _ = writeln!(text, "\n| {} |\n|:--|--:|--:|--:|", COLUMNS.join(" | "));
        for row in &cell.rows {
            let _ = writeln!(text, "| {} |", fields(row).map(|field| markdown(&field, MAX_NAME)).join(" | "));
        }
        text.push('\n');
        for sentence in bytes(both, index) {
            let _ = writeln!(text, "- {}", markdown(&sentence, 3 * MAX_TEXT));
        }
    }
    for left_out in &both.left_out {
        let _ = writeln!(text, "- not compared: {}", markdown(left_out, 4 * MAX_TEXT));
    }
    let _ = writeln!(text, "\n{}; {}", markdown(MARK, MAX_TEXT), markdown(ADVISORY, 2 * MAX_TEXT));
    text
}
