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
const MAX_NAME: usize = 22;
const MAX_IMPLEMENTATION: usize = 20;
const MAX_SENTENCE: usize = 600;
const MAX_REMARK: usize = 1_000;
const HEADER: [&str; 10] =
    ["back end", "p50", "p99", "max", "rate", "ratio", "bytes", "CPU µs", "errors", "verdict"];

fn render(input: &Input<'_>) -> Result<Vec<ReportFile>, ReportError> {
    let view = view(input.run);
    let mut text = String::new();
    for group in &view.groups {
        write_group(&mut text, group, input);
    }
    for extra in extras(input.run) {
        write_extra(&mut text, &extra, input);
    }
    write_notes(&mut text, &view, input);
    Ok(one_file(FORMAT.file_name, text))
}

fn write_group(text: &mut String, group: &Group, input: &Input<'_>) {
    let columns = usize::from(input.options.columns);
    let point = if group.point.is_empty() { String::new() } else { format!("{}: ", line(&group.point, 40)) };
    wrap(text, &format!("{point}{}; {}", group.times, line(&group.load, MAX_SENTENCE)), "", columns);
    let rows = group.rows.iter().map(cells).collect();
    write_table(text, &HEADER, rows, 1..=8, input);
    if !group.streams.is_empty() {
        text.push('\n');
        let rows = group.streams.iter().map(stream_cells).collect();
        write_table(text, &STREAM_COLUMNS, rows, 2..=7, input);
    }
    let opened = connections::rows(input.run, group);
    if !opened.is_empty() {
        text.push('\n');
        let cells = |row: [String; 7]| row.iter().map(|figure| Cell::new(line(figure, MAX_NAME))).collect();
        write_table(text, &connections::COLUMNS, opened.into_iter().map(cells).collect(), 1..=6, input);
        wrap(text, connections::LEGEND, "  ", columns);
    }
    for remark in &group.remarks {
        wrap(text, &line(remark, MAX_REMARK), "  ", columns);
    }
    text.push('\n');
}

fn write_extra(text: &mut String, extra: &Extra, input: &Input<'_>) {
    let _ = writeln!(text, "{}", extra.title);
    let cells = |row: &Vec<String>| row.iter().map(|cell| Cell::new(line(cell, MAX_NAME))).collect();
    let rows = extra.rows.iter().map(cells).collect();
    write_table(text, &extra.columns, rows, extra.names..=extra.columns.len() - 2, input);
    for remark in &extra.remarks {
        wrap(text, &line(remark, MAX_REMARK), "  ", usize::from(input.options.columns));
    }
    text.push('\n');
}

fn write_table(
    text: &mut String,
    header: &[&str],
    rows: Vec<Vec<Cell>>,
    figures: std::ops::RangeInclusive<usize>,
    input: &Input<'_>,
) {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(input.options.columns)
        .set_header(header.to_vec());
    for row in rows {
        table.add_row(row);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 1));
        if figures.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let rendered = table.trim_fmt();
    if input.options.colour {
        text.push_str(&coloured(&rendered));
    } else {
        text.push_str(&rendered);
    }
    text.push('\n');
}

fn stream_cells(row: &StreamRow) -> Vec<Cell> {
    let names = [&row.backend, &row.method].map(|name| Cell::new(line(name, MAX_NAME)));
    names.into_iter().chain(row.figures.iter().map(Cell::new)).collect()
}

fn cells(row: &Row) -> Vec<Cell> {
    let mut name = line(&row.backend, MAX_NAME);
    if let Some(implementation) = &row.implementation {
        let _ = write!(name, "\n  {}", line(implementation, MAX_IMPLEMENTATION));
    }
    let pair = |a: &Figure, b: &Figure| format!("{} {}", marked(a), marked(b));
    vec![
        Cell::new(name),
        Cell::new(marked(&row.p50)),
        Cell::new(marked(&row.p99)),
        Cell::new(marked(&row.max)),
        Cell::new(marked(&row.rate)),
        Cell::new(&row.ratio),
        Cell::new(pair(&row.bytes_request, &row.bytes_response)),
        Cell::new(pair(&row.cpu_client, &row.cpu_server)),
        Cell::new(&row.errors),
        Cell::new(&row.verdict),
    ]
}

fn marked(figure: &Figure) -> String {
    format!("{}{}", figure.text, if figure.best { BEST } else { "" })
}

/// Paints what is marked as best, and the mark with it.
fn coloured(table: &str) -> String {
    let best = Style::new().bold().fg_color(Some(AnsiColor::Green.into()));
    let header = Style::new().bold();
    let mut text = String::new();
    for (index, row) in table.lines().enumerate() {
        if index == 0 {
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

fn write_notes(text: &mut String, view: &View, input: &Input<'_>) {
    let columns = usize::from(input.options.columns);
    for sentence in &view.headline {
        wrap(text, &line(sentence, MAX_SENTENCE), "", columns);
    }
    let any_best = view.groups.iter().flat_map(|group| &group.rows).any(|row| {
        [&row.p50, &row.rate, &row.bytes_request, &row.cpu_client, &row.cpu_server].iter().any(|f| f.best)
    });
    let mut legend = format!(
        "bytes: encoded request and response; CPU: client and server per call; {NOTHING}: not measured, or too few calls"
    );
    if any_best {
        let _ = write!(legend, "; {BEST} best of its column");
    }
    wrap(text, &legend, "", columns);
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
