//! What a reader is told, in the units and words of people: shared by the formats for people.

use super::sentences::{gate_line, headline, invalid, load_in_words, notes};
use crate::analysis::{Ranking, Standing, count, duration_ns, rank, rate_per_s, three_digits};
use crate::result::{CellResult, Figures, LoadModel, MethodResult, Quantiles, RunResult, Status};

/// What stands for a figure that was not measured.
pub(super) const NOTHING: &str = "–";

/// A run as it is told.
pub(super) struct View {
    /// Sentences that answer the reader's question.
    pub headline: Vec<String>,
    /// Whether the run counts.
    pub valid: bool,
    /// One per load point.
    pub groups: Vec<Group>,
    /// Why cells or rounds do not count.
    pub invalid: Vec<Remark>,
    /// Back ends left out.
    pub skipped: Vec<Remark>,
    /// Gates in sentences, and whether each is met.
    pub gates: Vec<GateLine>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

/// Something said about a back end.
pub(super) struct Remark {
    pub subject: String,
    pub text: String,
    /// A line for the shell that mends it, or what to do.
    pub remedy: Option<String>,
}

/// A gate and what came of it.
pub(super) struct GateLine {
    pub outcome: &'static str,
    pub text: String,
}

/// The cells of a load point.
pub(super) struct Group {
    /// Its short name; empty where the run has one load point only.
    pub point: String,
    /// Its load in words.
    pub load: String,
    /// Which times the columns show.
    pub times: &'static str,
    /// Why its cells are not ranked, or who ties.
    pub remarks: Vec<String>,
    pub rows: Vec<Row>,
    /// The methods that stream.
    pub streams: Vec<StreamRow>,
}

/// A method of a cell that answers with a stream of items.
pub(super) struct StreamRow {
    pub backend: String,
    pub method: String,
    /// [`STREAM_COLUMNS`] after the first two.
    pub figures: [String; 6],
}

/// What is told of a stream. Times run from the call's start; the last item is there when the stream
/// has ended.
pub(super) const STREAM_COLUMNS: [&str; 8] =
    ["back end", "method", "items/call", "first p50", "first p99", "items/s", "last p50", "last p99"];

/// A cell.
pub(super) struct Row {
    /// Its position in the run.
    pub cell: usize,
    pub backend: String,
    /// Who wrote the server, where it is not ours.
    pub implementation: Option<String>,
    pub p50: Figure,
    pub p99: Figure,
    pub max: Figure,
    pub rate: Figure,
    pub ratio: String,
    pub bytes_request: Figure,
    pub bytes_response: Figure,
    /// In microseconds.
    pub cpu_client: Figure,
    /// In microseconds.
    pub cpu_server: Figure,
    pub errors: String,
    pub verdict: String,
    pub valid: bool,
}

/// A figure in its unit.
pub(super) struct Figure {
    pub text: String,
    /// Whether it is the best of its load point.
    pub best: bool,
}

/// Tells a run.
pub(super) fn view(run: &RunResult) -> View {
    let rankings = rank(&run.cells);
    let valid = run.verdict == Status::Valid && run.cells.iter().all(|cell| cell.verdict.is_valid());
    View {
        headline: headline(run, &rankings, valid),
        valid,
        groups: rankings.iter().map(|ranking| group(run, ranking)).collect(),
        invalid: invalid(run),
        skipped: run
            .skipped
            .iter()
            .map(|skipped| Remark {
                subject: skipped.backend.clone(),
                text: skipped.why.clone(),
                remedy: skipped.how_to_get_it.clone(),
            })
            .collect(),
        gates: run.gates.iter().map(gate_line).collect(),
        notes: notes(run),
    }
}

fn group(run: &RunResult, ranking: &Ranking) -> Group {
    let mut remarks: Vec<String> = Vec::new();
    let valid_cells = || {
        ranking
            .standings
            .iter()
            .filter(|standing| run.cells.get(standing.cell).is_some_and(|cell| cell.verdict.is_valid()))
    };
    for reason in valid_cells().filter_map(|standing| standing.not_ranked.as_ref()) {
        let sentence = format!("Not ranked: {reason}.");
        if !remarks.contains(&sentence) {
            remarks.push(sentence);
        }
    }
    if ranking.load.model == LoadModel::Closed {
        remarks.push("Closed loop: not what users would wait at a given rate.".to_owned());
    }
    let mut rows: Vec<Row> = ranking
        .standings
        .iter()
        .filter_map(|standing| Some(row(standing, run.cells.get(standing.cell)?)))
        .collect();
    mark_best(run, &mut rows);
    let streams = rows
        .iter()
        .filter_map(|row| run.cells.get(row.cell))
        .flat_map(|cell| cell.figures.methods.iter().filter_map(|of| stream_row(cell, of.0, of.1)))
        .collect();
    Group {
        point: ranking.point.clone(),
        load: load_in_words(&ranking.load),
        times: match ranking.load.model {
            LoadModel::Closed => "service time",
            LoadModel::Open => "response time",
        },
        remarks,
        rows,
        streams,
    }
}

pub(super) fn stream_row(cell: &CellResult, name: &str, method: &MethodResult) -> Option<StreamRow> {
    let (items, first) = (method.items?, method.first_item_ns?);
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    let per_call = (method.calls > 0).then(|| three_digits(items as f64 / method.calls as f64));
    Some(StreamRow {
        backend: cell.backend.clone(),
        method: name.to_owned(),
        figures: [
            per_call,
            nanoseconds(first.p50),
            nanoseconds(first.p99),
            method.items_per_s.map(rate_per_s),
            nanoseconds(method.service_ns.p50),
            nanoseconds(method.service_ns.p99),
        ]
        .map(or_nothing),
    })
}

fn row(standing: &Standing, cell: &CellResult) -> Row {
    let figures = &cell.figures;
    let times = times(cell);
    let failed: u64 = figures.errors.values().sum();
    let bytes = figures.bytes_per_call;
    Row {
        cell: standing.cell,
        backend: cell.backend.clone(),
        implementation: cell.implementation.clone().filter(|name| !name.starts_with("wirebench")),
        p50: plain(nanoseconds(times.p50)),
        p99: plain(nanoseconds(times.p99)),
        max: plain(nanoseconds(times.max)),
        rate: plain(rate_text(figures)),
        ratio: standing.ratio_to_best.map_or_else(|| NOTHING.to_owned(), |ratio| format!("{ratio:.2}×")),
        bytes_request: plain(bytes.request.encoded.map(bytes_text)),
        bytes_response: plain(bytes.response.encoded.map(bytes_text)),
        cpu_client: plain(figures.cpu_us_per_call.client.map(three_digits)),
        cpu_server: plain(figures.cpu_us_per_call.server.map(three_digits)),
        errors: if figures.calls.is_some() {
            count(failed.saturating_add(figures.wrong_answers.unwrap_or(0)))
        } else {
            NOTHING.to_owned()
        },
        verdict: match cell.verdict.reasons.first() {
            None => "valid".to_owned(),
            Some(reason) => reason.kind.name().to_owned(),
        },
        valid: cell.verdict.is_valid(),
    }
}

/// What the back end is made of.
pub(super) fn stack(cell: &CellResult) -> String {
    let pair = format!("{} over {}", cell.codec, cell.transport);
    match &cell.protocol {
        None => format!("{pair}, a free pair"),
        Some(protocol) if *protocol == cell.backend => pair,
        Some(protocol) => format!("{protocol}: {pair}"),
    }
}

/// The rate, and beside it the offered one where it was not reached.
fn rate_text(figures: &Figures) -> Option<String> {
    let rate = figures.rate_per_s?;
    Some(match figures.offered_rate_per_s {
        Some(offered) if rate < offered * 0.99 => format!("{} of {}", rate_per_s(rate), rate_per_s(offered)),
        _ => rate_per_s(rate),
    })
}

fn plain(text: Option<String>) -> Figure {
    Figure { text: text.unwrap_or_else(|| NOTHING.to_owned()), best: false }
}

/// The times of a cell that people are told: what they wait in an open loop, what a call takes in a
/// closed one.
pub(super) fn times(cell: &CellResult) -> &Quantiles {
    match cell.load.model {
        LoadModel::Open => &cell.figures.response_ns,
        LoadModel::Closed => &cell.figures.service_ns,
    }
}

/// A quantile in its unit.
pub(super) fn nanoseconds(value: Option<u64>) -> Option<String> {
    value.map(|value| duration_ns(value as f64))
}

/// A mean number of bytes.
pub(super) fn bytes_text(bytes: f64) -> String {
    if bytes < 9_999.5 { format!("{bytes:.0}") } else { format!("{:.1}k", bytes / 1e3) }
}

/// Marks the best figure of each column among the valid cells, where there are several. The times of
/// a group that is not ranked are not marked.
fn mark_best(run: &RunResult, rows: &mut [Row]) {
    let ranked = rows.iter().any(|row| row.ratio != NOTHING);
    type Column = (fn(&CellResult) -> Option<f64>, fn(&mut Row) -> &mut Figure, bool);
    let columns: [Column; 8] = [
        (|cell| times(cell).p50.map(|value| value as f64), |row| &mut row.p50, true),
        (|cell| times(cell).p99.map(|value| value as f64), |row| &mut row.p99, true),
        (|cell| times(cell).max.map(|value| value as f64), |row| &mut row.max, true),
        (
            // In an open loop the schedule makes the rate.
            |cell| cell.figures.rate_per_s.filter(|_| cell.load.model == LoadModel::Closed).map(|rate| -rate),
            |row| &mut row.rate,
            true,
        ),
        (|cell| cell.figures.bytes_per_call.request.encoded, |row| &mut row.bytes_request, false),
        (|cell| cell.figures.bytes_per_call.response.encoded, |row| &mut row.bytes_response, false),
        (|cell| cell.figures.cpu_us_per_call.client, |row| &mut row.cpu_client, false),
        (|cell| cell.figures.cpu_us_per_call.server, |row| &mut row.cpu_server, false),
    ];
    for (value, figure, needs_ranking) in columns {
        if needs_ranking && !ranked {
            continue;
        }
        let values: Vec<Option<f64>> =
            rows.iter().map(|row| run.cells.get(row.cell).filter(|_| row.valid).and_then(value)).collect();
        if values.iter().flatten().count() < 2 {
            continue;
        }
        let best = values.iter().flatten().copied().fold(f64::INFINITY, f64::min);
        for (row, value) in rows.iter_mut().zip(values) {
            figure(row).best = value == Some(best);
        }
    }
}
