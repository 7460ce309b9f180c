//! The table for the terminal.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use super::connections;
use super::extras::{Extra, extras};
use super::text::{line, wrap};
use super::view::{Figure, Group, NOTHING, Row, STREAM_COLUMNS, StreamRow, View, view};
use super::{Format, Input, ReportError, ReportFile, one_file};

pub(super) const FORMAT: Format =
    Format { name: "table", about: "a table for the terminal", file_name: "report.txt", render };

/// What marks the best figure of a column where there are no colours to see.
const BEST: &str = "*";
/// Names are whole up to here: a terminal without room for them shows fewer columns.
const MAX_NAME: usize = 48;
const MAX_SENTENCE: usize = 600;
const MAX_REMARK: usize = 1_000;
/// A narrow terminal loses the last ones.
const HEADER: [&str; 12] = [
    "back end",
    "p50",
    "p99",
    "max",
    "rate",
    "ratio",
    "errors",
    "verdict",
    "request\nbytes",
    "response\nbytes",
    "client\nCPU µs",
    "server\nCPU µs",
];

fn render(input: &Input<'_>) -> Result<Vec<ReportFile>, ReportError> {
    let view = view(input.run);
    let mut text = String::new();
    // At least one column beside the names is always there.
    let mut shown = 0;
    for group in &view.groups {
        shown = write_group(&mut text, group, input).max(shown);
    }
    for extra in extras(input.run) {
        write_extra(&mut text, &extra, input);
    }
    write_notes(&mut text, &view, input, shown);
    Ok(one_file(FORMAT.file_name, text))
}

/// Returns how many columns the table of the group has.
fn write_group(text: &mut String, group: &Group, input: &Input<'_>) -> usize {
    let columns = input.options.prose();
    let point = if group.point.is_empty() { String::new() } else { format!("{}: ", line(&group.point, 40)) };
    wrap(text, &format!("{point}{}; {}", group.times, line(&group.load, MAX_SENTENCE)), "", columns);
    let rows = group.rows.iter().map(cells).collect();
    let shown = write_table(text, &HEADER, rows, &[1, 2, 3, 4, 5, 6, 8, 9, 10, 11], input);
    if !group.streams.is_empty() {
        text.push('\n');
        let rows = group.streams.iter().map(stream_cells).collect();
        write_table(text, &STREAM_COLUMNS, rows, &[2, 3, 4, 5, 6, 7], input);
    }
    let opened = connections::rows(input.run, group);
    if !opened.is_empty() {
        text.push('\n');
        let cells = |row: [String; 7]| row.iter().map(|figure| Cell::new(line(figure, MAX_NAME))).collect();
        let rows = opened.into_iter().map(cells).collect();
        write_table(text, &connections::COLUMNS, rows, &[1, 2, 3, 4, 5, 6], input);
        wrap(text, connections::LEGEND, "  ", columns);
    }
    for remark in &group.remarks {
        wrap(text, &line(remark, MAX_REMARK), "  ", columns);
    }
    text.push('\n');
    shown
}

fn write_extra(text: &mut String, extra: &Extra, input: &Input<'_>) {
    let _ = writeln!(text, "{}", extra.title);
    let cells = |row: &Vec<String>| row.iter().map(|cell| Cell::new(line(cell, MAX_NAME))).collect();
    let rows = extra.rows.iter().map(cells).collect();
    let figures: Vec<usize> = (extra.names..extra.columns.len().saturating_sub(1)).collect();
    write_table(text, &extra.columns, rows, &figures, input);
    for remark in &extra.remarks {
        wrap(text, &line(remark, MAX_REMARK), "  ", input.options.prose());
    }
    text.push('\n');
}

/// Writes a table of what fits the terminal, and which columns do not. Figures, told by their position, are
/// set to the right. Returns how many columns are there.
fn write_table(
    text: &mut String,
    header: &[&str],
    mut rows: Vec<Vec<Cell>>,
    figures: &[usize],
    input: &Input<'_>,
) -> usize {
    let columns = input.options.columns;
    let fitting = fitting(&made(header, &rows), columns);
    let (shown, left_out) = header.split_at(fitting.min(header.len()));
    for row in &mut rows {
        row.truncate(shown.len());
    }
    let mut table = made(shown, &rows);
    // The space behind the last column is cut off again.
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(columns.saturating_add(1));
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 1));
        if figures.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let rendered = table.trim_fmt();
    if input.options.colour {
        let lines_of_header = shown.iter().map(|head| head.lines().count()).max().unwrap_or(1);
        text.push_str(&coloured(&rendered, lines_of_header));
    } else {
        text.push_str(&rendered);
    }
    text.push('\n');
    if !left_out.is_empty() {
        let names: Vec<String> = left_out.iter().map(|head| head.replace('\n', " ")).collect();
        let told = format!(
            "Left out, as there are {columns} columns: {}. A wider terminal shows them, and so does wirebench \
             report --format md.",
            names.join(", ")
        );
        wrap(text, &told, "  ", input.options.prose());
    }
    shown.len()
}

fn made(header: &[&str], rows: &[Vec<Cell>]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.to_vec());
    for row in rows {
        table.add_row(row.clone());
    }
    table
}

/// How many columns of a table, from the left, fit the terminal as they are: at least a name and a figure.
fn fitting(table: &Table, columns: u16) -> usize {
    let mut room = usize::from(columns);
    let widths = table.column_max_content_widths();
    let fit = widths.iter().take_while(|width| {
        // A space stands between two columns.
        let fits = usize::from(**width) <= room;
        room = room.saturating_sub(usize::from(**width) + 1);
        fits
    });
    fit.count().max(2)
}

fn stream_cells(row: &StreamRow) -> Vec<Cell> {
    let names = [&row.backend, &row.method].map(|name| Cell::new(line(name, MAX_NAME)));
    names.into_iter().chain(row.figures.iter().map(Cell::new)).collect()
}

fn cells(row: &Row) -> Vec<Cell> {
    vec![
        Cell::new(line(&row.backend, MAX_NAME)),
        Cell::new(marked(&row.p50)),
        Cell::new(marked(&row.p99)),
        Cell::new(marked(&row.max)),
        Cell::new(marked(&row.rate)),
        Cell::new(&row.ratio),
        Cell::new(&row.errors),
        Cell::new(&row.verdict),
        Cell::new(marked(&row.bytes_request)),
        Cell::new(marked(&row.bytes_response)),
        Cell::new(marked(&row.cpu_client)),
        Cell::new(marked(&row.cpu_server)),
    ]
}

fn marked(figure: &Figure) -> String {
    format!("{}{}", figure.text, if figure.best { BEST } else { "" })
}

/// Paints what is marked as best, and the mark with it.
fn coloured(table: &str, lines_of_header: usize) -> String {
    let best = Style::new().bold().fg_color(Some(AnsiColor::Green.into()));
    let header = Style::new().bold();
    let mut text = String::new();
    for (index, row) in table.lines().enumerate() {
        if index < lines_of_header {
            let _ = writeln!(text, "{header}{row}{header:#}");
            continue;
        }
        // A figure is a number, a space and its unit: the mark ends it, two spaces or none begin it.
        let mut rest = row;
        while let Some(end) = rest.find(BEST) {
            let (figure, after) = rest.split_at(end + BEST.len());
            let begin = begin_of_figure(figure);
            let _ = write!(text, "{}{best}{}{best:#}", &figure[..begin], &figure[begin..]);
            rest = after;
        }
        text.push_str(rest);
        text.push('\n');
    }
    text.trim_end_matches('\n').to_owned()
}

/// Where the last number in the text begins.
fn begin_of_figure(text: &str) -> usize {
    let digit = text.rfind(|character: char| character.is_ascii_digit()).unwrap_or(0);
    text[..digit].rfind(' ').map_or(0, |space| space + 1)
}

/// Who wrote the servers that are not ours: too long for a column.
fn implementations(view: &View) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for row in view.groups.iter().flat_map(|group| &group.rows) {
        let Some(implementation) = &row.implementation else { continue };
        let sentence = format!("{}: {}", line(&row.backend, MAX_NAME), line(implementation, MAX_SENTENCE));
        if !told.contains(&sentence) {
            told.push(sentence);
        }
    }
    told
}

fn write_notes(text: &mut String, view: &View, input: &Input<'_>, shown: usize) {
    let columns = input.options.prose();
    for sentence in &view.headline {
        wrap(text, &line(sentence, MAX_SENTENCE), "", columns);
    }
    let any_best = view.groups.iter().flat_map(|group| &group.rows).any(|row| {
        [&row.p50, &row.rate, &row.bytes_request, &row.cpu_client, &row.cpu_server].iter().any(|f| f.best)
    });
    let mut legend = String::new();
    if shown > 9 {
        legend.push_str("bytes: mean encoded request and response; ");
    }
    if shown > 11 {
        legend.push_str("CPU: processor time per call; ");
    }
    let _ = write!(legend, "{NOTHING}: not measured, or too few calls");
    if any_best {
        let _ = write!(legend, "; {BEST} best of its column");
    }
    wrap(text, &legend, "", columns);
    for sentence in implementations(view) {
        wrap(text, &sentence, "  ", columns);
    }
    for remark in view.invalid.iter() {
        let sentence = format!("! {}: {}", line(&remark.subject, 60), line(&remark.text, MAX_SENTENCE));
        wrap(text, &sentence, "  ", columns);
    }
    for gate in &view.gates {
        wrap(text, &format!("gate {}: {}", gate.outcome, line(&gate.text, MAX_SENTENCE)), "  ", columns);
    }
    for skipped in &view.skipped {
        let sentence =
            format!("skipped {}: {}", line(&skipped.subject, 60), line(&skipped.text, MAX_SENTENCE));
        wrap(text, &sentence, "  ", columns);
        if let Some(remedy) = &skipped.remedy {
            // Not wrapped: people copy it.
            let _ = writeln!(text, "    to have it: {}", line(remedy, MAX_SENTENCE));
        }
    }
    for note in &view.notes {
        wrap(text, &line(note, MAX_SENTENCE), "  ", columns);
    }
}

#[cfg(test)]
mod tests {
    use crate::report::fixture::{hostile_run, run, small_run};
    use crate::report::{Options, render_with};
    use crate::result::{Histograms, RunResult};

    fn table_of(columns: u16, (run, histograms): &(RunResult, Histograms)) -> String {
        let options = Options { columns, ..Options::default() };
        String::from_utf8(render_with("table", run, histograms, options).unwrap()).unwrap()
    }

    #[test]
    fn the_table_fits_its_columns() {
        for result in [run(), hostile_run()] {
            for columns in [60, 80, 100, 120, 300] {
                let table = table_of(columns, &result);
                for line in table.lines().filter(|line| !line.starts_with("    to have it: ")) {
                    let width = line.chars().count();
                    assert!(width <= usize::from(columns) || !line.trim().contains(' '), "{width}: {line}");
                }
            }
        }
    }

    #[test]
    fn a_narrow_terminal_has_fewer_columns_and_is_told_which_and_where_they_are() {
        let (mut run, histograms) = small_run();
        let name = "a-server-with-a-name-of-41-characters-yes";
        run.cells[0].backend = name.into();
        let result = (run, histograms);
        let wide = table_of(160, &result);
        assert!(!wide.contains("Left out"), "{wide}");
        let header: Vec<&str> =
            wide.lines().find(|line| line.starts_with("back end")).unwrap().split_whitespace().collect();
        assert_eq!(header[6..], ["ratio", "errors", "verdict", "request", "response", "client", "server"]);
        let row = |table: &str| {
            table.lines().find(|line| line.starts_with(name)).unwrap().split_whitespace().count()
        };
        // Every figure but the ratio, and the name, stands with its unit.
        assert_eq!(row(&wide), 12 + 4, "each figure has a column of its own: {wide}");
        let narrow = table_of(80, &result);
        assert!(narrow.contains(name), "the name is cut: {narrow}");
        let told = narrow.replace("\n  ", " ");
        for part in [
            "Left out, as there are 80 columns: ratio, errors, verdict, request bytes, response bytes, client CPU µs, server CPU µs.",
            "--format md",
        ] {
            assert!(told.contains(part), "{part}: {narrow}");
        }
        let header = narrow.lines().find(|line| line.starts_with("back end")).unwrap();
        assert!(header.ends_with("rate") && !narrow.contains("CPU: processor time"), "{narrow}");
    }

    #[test]
    fn servers_are_called_by_their_whole_names() {
        let table = table_of(120, &run());
        assert!(
            table.contains("python-xmlrpc: CPython SimpleXMLRPCServer 3.11\n") && !table.contains('…'),
            "{table}"
        );
    }
}
