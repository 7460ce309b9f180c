//! One self-contained page: no network, complete without a script, light and dark, from 320 pixels upwards.
//!
//! Sections stand in the order in which a team asks: what to take, whether to believe it, the figures,
//! then why. A small script sorts, filters and links; the security policy lets no other run.

mod believe;
mod costs;
mod course;
mod digest;
mod loads;
mod method;
mod parts;
mod spectrum;
mod table;
mod tables;
mod why;

use askama::Template;
use base64::Engine as _;

use super::answer;
use super::charts::{CHART_STYLE, ChartError};
use super::place::{MAX_NAME, Palette, Place, places};
use super::text::line;
use super::view::{View, view};
use super::{Format, Input, ReportError, ReportFile, one_file};
use crate::analysis::ByteCount;
use believe::Check;
use method::{About, MAX_SENTENCE};
use parts::{Block, Grid, Section};

pub(super) const FORMAT: Format =
    Format { name: "html", about: "one self-contained page", file_name: "report.html", render };

/// Load points whose charts are open at first; of more, the others are folded.
const OPEN_BLOCKS: usize = 3;
const SCRIPT: &str = include_str!("html/page.js");

/// The page. Every text is escaped by askama, but for the charts, which escape their own.
#[derive(Template)]
#[template(path = "page.html", config = "src/report/html/askama.toml")]
struct Page<'a> {
    title: String,
    description: String,
    dates: String,
    valid: bool,
    lead: Vec<String>,
    panels: Vec<answer::Panel>,
    runs: Vec<Validity<'a>>,
    several: bool,
    /// Whether every answer of every run was compared as a whole.
    compared: bool,
    points: bool,
    /// Whether there is any load point at all.
    points_there: bool,
    columns: &'static [table::Column],
    counted: &'static str,
    rows: Vec<table::Row>,
    remarks: Vec<String>,
    grids: Vec<Grid>,
    sections: Vec<Section>,
    abouts: Vec<About>,
    version: String,
    script: &'static str,
    script_hash: String,
    style: String,
}

/// What a page says of a run under Validity.
struct Validity<'a> {
    run: String,
    /// Whether it can be believed.
    believe: String,
    checks: Vec<Check>,
    view: View,
    missing: &'a [String],
}

fn render(input: &Input<'_>) -> Result<Vec<ReportFile>, ReportError> {
    render_runs(std::slice::from_ref(input))
}

/// Puts several runs onto one page.
pub(super) fn render_runs(inputs: &[Input<'_>]) -> Result<Vec<ReportFile>, ReportError> {
    let failed = |reason: String| ReportError::Render { format: FORMAT.name, reason };
    let Some(first) = inputs.first() else { return Err(failed("there is no run".to_owned())) };
    let all = places(inputs);
    let palette = Palette::of(inputs);
    let several = inputs.len() > 1;
    let number = |index: usize| several.then_some(index + 1);
    let runs: Vec<Validity<'_>> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let own: Vec<Place<'_>> = places(std::slice::from_ref(input));
            let checks = believe::checks(input, &own);
            Validity {
                run: number(index).map_or_else(String::new, |number| {
                    format!("Run {number}: {}", line(&input.run.scenario.name, MAX_NAME))
                }),
                believe: believe::verdict(&checks),
                checks,
                view: view(input.run),
                missing: &input.histograms.missing,
            }
        })
        .collect();
    let mut abouts = Vec::new();
    for (index, input) in inputs.iter().enumerate() {
        abouts.push(method::about(input, number(index), first.run)?);
    }
    let titles: Vec<String> = inputs.iter().map(|input| line(&input.run.scenario.name, MAX_NAME)).collect();
    let title =
        if several { format!("{} runs: {}", inputs.len(), titles.join(", ")) } else { titles.concat() };
    let lead: Vec<String> = runs
        .iter()
        .flat_map(|run| run.view.headline.iter().map(|sentence| line(sentence, MAX_SENTENCE)))
        .take(4)
        .collect();
    let mut remarks: Vec<String> = Vec::new();
    for remark in runs.iter().flat_map(|run| &run.view.groups).flat_map(|group| &group.remarks) {
        let remark = line(remark, MAX_SENTENCE);
        if !remarks.contains(&remark) {
            remarks.push(remark);
        }
    }
    let page = Page {
        title: line(&title, 400),
        description: lead.first().map_or_else(String::new, |first| line(first, 200)),
        dates: inputs.iter().map(|input| line(&input.run.started_at, 40)).collect::<Vec<_>>().join(", "),
        valid: runs.iter().all(|run| run.view.valid),
        lead,
        panels: answer::panels(&all),
        several,
        compared: inputs.iter().all(|input| input.run.scenario.expect.is_empty()),
        points: all.len() > 1,
        points_there: !all.is_empty(),
        columns: table::COLUMNS,
        counted: counted(&all),
        rows: table::rows(&all),
        remarks,
        grids: table::method_grids(&all),
        sections: sections(inputs, &all, &palette).map_err(|error| failed(error.to_string()))?,
        version: method::version(first.run),
        runs,
        abouts,
        script: SCRIPT,
        script_hash: base64::engine::general_purpose::STANDARD.encode(digest::sha256(SCRIPT)),
        style: [CHART_STYLE, include_str!("html/page.css")].concat(),
    };
    let html = page.render().map_err(|error| failed(error.to_string()))?;
    Ok(one_file(FORMAT.file_name, html))
}

/// Where the table's bytes were counted.
fn counted(places: &[Place<'_>]) -> &'static str {
    let mut counts: Vec<ByteCount> = places.iter().map(|place| table::counted(&place.answers)).collect();
    counts.dedup();
    match counts.as_slice() {
        [ByteCount::Wire] => "counted on the wire, handshakes included",
        [ByteCount::Framed] => "counted as handed to the sockets",
        [ByteCount::Encoded] => "counted as the codec makes them",
        _ => "counted as far as every back end of the load point has it",
    }
}

type Draw<'a> = dyn Fn(&Place<'_>) -> Result<Option<Block>, ChartError> + 'a;

fn sections(
    inputs: &[Input<'_>],
    places: &[Place<'_>],
    palette: &Palette,
) -> Result<Vec<Section>, ChartError> {
    let every = |draw: &Draw<'_>| -> Result<Vec<Block>, ChartError> {
        let mut blocks = Vec::new();
        for place in places {
            blocks.extend(draw(place)?);
        }
        Ok(blocks)
    };
    let mut load = loads::load_blocks(inputs, palette)?;
    let (load_title, load_about) = loads::title(inputs, !load.is_empty());
    if load.is_empty() {
        load = every(&|place| costs::rate_block(place, palette))?;
    }
    load.extend(tables::table_blocks(inputs));
    let mut scaling = loads::scaling_blocks(inputs, palette)?;
    scaling.extend(every(&costs::cost_block)?);
    Ok(vec![
        Section {
            id: "spectrum-section",
            title: "Percentile spectrum",
            about: "How long calls take, from the fastest to the slowest: the farther right, the rarer. Lower is better.",
            blocks: every(&|place| spectrum::spectrum_block(place, palette))?,
            nothing: "There is no histogram with enough calls.",
        },
        Section {
            id: "load",
            title: load_title,
            about: load_about,
            blocks: load,
            nothing: "No rate was measured.",
        },
        Section {
            id: "time-section",
            title: "Over time",
            about: "Second by second, the rounds one after the other. Processor time and memory of both processes below.",
            blocks: every(&|place| course::course_block(place, palette))?,
            nothing: "No histogram was kept.",
        },
        Section {
            id: "bytes",
            title: "Bytes on the wire",
            about: "Mean bytes of a request and of an answer: the information itself, and what goes around it.",
            blocks: every(&costs::bytes_block)?,
            nothing: "No bytes were counted.",
        },
        Section {
            id: "why",
            title: "Stages, codec and transport",
            about: "Where the time of a call goes, and what codec and transport contribute.",
            blocks: every(&why::why_block)?,
            nothing: "This run has no stamps of stages, and no free pairs of codec and transport to compare: \
                      the scenario attribution has them.",
        },
        Section {
            id: "scaling",
            title: "Scaling and cost",
            about: "How figures grow with calls in flight and with payload, where the run sweeps them, and what a call costs.",
            blocks: scaling,
            nothing: "No cost was measured.",
        },
    ])
}

/// A name that a stranger may have given.
fn name(text: &str) -> String {
    line(text, MAX_NAME)
}

/// A sentence that a stranger may have written.
fn sentence(text: &str) -> String {
    line(text, MAX_SENTENCE)
}
