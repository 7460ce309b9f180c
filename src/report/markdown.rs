//! Markdown for a job summary or a pull request's comment, below 64 KiB.

use std::fmt::Write as _;

use super::answer::panels;
use super::connections;
use super::extras::{Extra, extras};
use super::place::places;
use super::text::{Limited, markdown};
use super::view::{Figure, Group, Row, STREAM_COLUMNS, StreamRow, View, view};
use super::{Format, Input, ReportError, ReportFile, one_file};
use crate::result::RunResult;

pub(super) const FORMAT: Format =
    Format { name: "md", about: "Markdown with GitHub tables", file_name: "report.md", render };

/// GitHub takes 65,536 characters in a comment; some are left for what others put around it.
const MAX_BYTES: usize = 60_000;
const MAX_NAME: usize = 60;
const MAX_SENTENCE: usize = 400;
const MAX_REMARK: usize = 1_000;

fn render(input: &Input<'_>) -> Result<Vec<ReportFile>, ReportError> {
    let view = view(input.run);
    let mut text = Limited::new(MAX_BYTES);
    text.push(&format!("### {}\n\n", markdown(&input.run.scenario.name, MAX_NAME)));
    for sentence in &view.headline {
        text.push(&format!("{}  \n", markdown(sentence, MAX_SENTENCE)));
    }
    push_answers(&mut text, input);
    for group in &view.groups {
        push_group(&mut text, group, input.run);
    }
    for extra in extras(input.run) {
        push_extra(&mut text, &extra);
    }
    push_notes(&mut text, &view);
    if let Some(cpu) = &input.run.environment.cpu {
        let cores = input.run.environment.cores.unwrap_or(0);
        text.push(&format!(
            "\n<sub>{}, {cores} cores; {}; seed {}; wirebench {}</sub>\n",
            markdown(cpu, MAX_NAME),
            markdown(&input.run.started_at, 40),
            input.run.seed,
            markdown(&input.run.wirebench.version, 40)
        ));
    }
    Ok(one_file(FORMAT.file_name, text.finish()))
}

/// Which back end serves each goal best, and what stands against those that win.
fn push_answers(text: &mut Limited, input: &Input<'_>) {
    let places = places(std::slice::from_ref(input));
    let panels = panels(&places);
    let several = places.len() > 1;
    let mut rows = Vec::new();
    let mut catches: Vec<String> = Vec::new();
    let mut among: Vec<String> = Vec::new();
    let mut further = 0;
    for panel in &panels {
        for card in panel.cards.iter().filter(|card| card.kind != "nobody") {
            let mut row = vec![panel.name.to_owned()];
            if several {
                row.push(markdown(&card.place, MAX_NAME));
            }
            let take = markdown(&card.take, MAX_NAME);
            row.push(if card.kind == "clear" { format!("**{take}**") } else { take });
            let told = [(&card.why, MAX_SENTENCE), (&card.runner_up, MAX_NAME)];
            row.extend(told.map(|(text, most)| markdown(text.trim_end(), most)));
            rows.push(row);
            for text in &card.among {
                let told = markdown(&format!("{}: {text}", panel.name), MAX_SENTENCE);
                if !several && !among.contains(&told) {
                    among.push(told);
                }
            }
            for (name, of) in &card.catches {
                let told = markdown(&format!("{name}: {}.", of.join("; ")), MAX_SENTENCE);
                if !catches.contains(&told) {
                    catches.push(told);
                }
            }
        }
        further += panel.more.len();
    }
    if rows.is_empty() {
        return;
    }
    let load = if several { " load |" } else { "" };
    let mark = if several { ":--|" } else { "" };
    text.push(&format!("\n| goal |{load} take | by how much | then |\n|:--|{mark}:--|:--|:--|\n"));
    for row in rows {
        text.push(&format!("| {} |\n", row.join(" | ")));
    }
    if further > 0 {
        text.push("\nFurther load points are in the HTML report.\n");
    }
    for told in among {
        text.push(&format!("\n- {told}"));
    }
    text.push("\n");
    if !catches.is_empty() {
        text.push(&format!("\nThe catch: {}\n", catches.join(" ")));
    }
}

fn push_group(text: &mut Limited, group: &Group, run: &RunResult) {
    let point =
        if group.point.is_empty() { String::new() } else { format!("**{}**: ", markdown(&group.point, 40)) };
    text.push(&format!("\n{point}{}; {}\n\n", group.times, markdown(&group.load, MAX_SENTENCE)));
    text.push(
        "| back end | p50 | p99 | max | rate | ratio | request B | response B | client CPU µs | server CPU µs | errors | verdict |\n\
         |:--|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|:--|\n",
    );
    for row in &group.rows {
        text.push(&table_row(row));
    }
    if !group.streams.is_empty() {
        text.push(&format!("\n| {} |\n|:--|:--|--:|--:|--:|--:|--:|--:|\n", STREAM_COLUMNS.join(" | ")));
    }
    for row in &group.streams {
        text.push(&stream_row(row));
    }
    let opened = connections::rows(run, group);
    if !opened.is_empty() {
        text.push(&format!("\n| {} |\n|:--|--:|--:|--:|--:|--:|--:|\n", connections::COLUMNS.join(" | ")));
    }
    for row in &opened {
        text.push(&format!("| {} |\n", row.each_ref().map(|figure| markdown(figure, MAX_NAME)).join(" | ")));
    }
    if !opened.is_empty() {
        text.push(&format!("\n{}\n", connections::LEGEND));
    }
    for remark in &group.remarks {
        text.push(&format!("\n{}\n", markdown(remark, MAX_SENTENCE)));
    }
}

fn push_extra(text: &mut Limited, extra: &Extra) {
    let columns = extra.columns.len();
    let marks: Vec<&str> = (0..columns)
        .map(|column| if column < extra.names || column + 1 == columns { ":--" } else { "--:" })
        .collect();
    text.push(&format!(
        "\n**{}**\n\n| {} |\n|{}|\n",
        extra.title,
        extra.columns.join(" | "),
        marks.join("|")
    ));
    for row in &extra.rows {
        let cells: Vec<String> = row.iter().map(|cell| markdown(cell, MAX_NAME)).collect();
        text.push(&format!("| {} |\n", cells.join(" | ")));
    }
    for remark in &extra.remarks {
        text.push(&format!("\n{}\n", markdown(remark, MAX_REMARK)));
    }
}

fn stream_row(row: &StreamRow) -> String {
    let names = [&row.backend, &row.method].map(|name| markdown(name, MAX_NAME));
    format!("| {} | {} |\n", names.join(" | "), row.figures.join(" | "))
}

fn table_row(row: &Row) -> String {
    let mut name = markdown(&row.backend, MAX_NAME);
    if let Some(implementation) = &row.implementation {
        let _ = write!(name, " ({})", markdown(implementation, MAX_NAME));
    }
    let figures = [
        &row.p50,
        &row.p99,
        &row.max,
        &row.rate,
        &Figure { text: row.ratio.clone(), best: false },
        &row.bytes_request,
        &row.bytes_response,
        &row.cpu_client,
        &row.cpu_server,
    ]
    .map(|figure| if figure.best { format!("**{}**", figure.text) } else { figure.text.clone() });
    format!("| {name} | {} | {} | {} |\n", figures.join(" | "), row.errors, row.verdict)
}

fn push_notes(text: &mut Limited, view: &View) {
    let mut lines: Vec<String> = Vec::new();
    for remark in &view.invalid {
        lines.push(format!(
            "**{}** {}",
            markdown(&remark.subject, MAX_NAME),
            markdown(&remark.text, MAX_SENTENCE)
        ));
    }
    for gate in &view.gates {
        lines.push(format!("gate **{}**: {}", gate.outcome, markdown(&gate.text, MAX_SENTENCE)));
    }
    for skipped in &view.skipped {
        let remedy = skipped
            .remedy
            .as_ref()
            .map_or_else(String::new, |remedy| format!("; to have it: {}", markdown(remedy, MAX_SENTENCE)));
        lines.push(format!(
            "skipped **{}**: {}{remedy}",
            markdown(&skipped.subject, MAX_NAME),
            markdown(&skipped.text, MAX_SENTENCE)
        ));
    }
    lines.extend(view.notes.iter().map(|note| markdown(note, MAX_SENTENCE)));
    if !lines.is_empty() {
        text.push("\n");
    }
    for line in lines {
        text.push(&format!("- {line}\n"));
    }
}
