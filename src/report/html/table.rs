//! The table of every cell: figures with their ratio to the best, which the page's script sorts by.

use super::parts::Grid;
use crate::analysis::{ByteCount, PointAnswers, count, duration_ns, rate_per_s, three_digits};
use crate::report::place::{MAX_NAME, Place};
use crate::report::text::line;
use crate::report::view::{NOTHING, STREAM_COLUMNS, bytes_text, nanoseconds, stack, stream_row, times};
use crate::result::{CellResult, LoadModel, MethodResult};

/// A column of figures.
pub(super) struct Column {
    /// Its short name, for addresses and the script.
    pub key: &'static str,
    pub name: &'static str,
    /// What its choice in the list is called.
    pub long: &'static str,
    pub more_is_better: bool,
    /// Whether it is about times, which are not compared where the load point is not ranked.
    times: bool,
    value: fn(&CellResult, ByteCount) -> Option<f64>,
    text: fn(f64) -> String,
}

const fn column(key: &'static str, name: &'static str, long: &'static str) -> Column {
    Column {
        key,
        name,
        long,
        more_is_better: false,
        times: false,
        value: |_, _| None,
        text: |value| three_digits(value),
    }
}

/// The columns.
pub(super) const COLUMNS: &[Column] = &[
    Column {
        times: true,
        value: |cell, _| times(cell).p50.map(|value| value as f64),
        text: duration_ns,
        ..column("p50", "p50", "median (p50)")
    },
    Column {
        times: true,
        value: |cell, _| times(cell).p99.map(|value| value as f64),
        text: duration_ns,
        ..column("p99", "p99", "99th percentile (p99)")
    },
    Column {
        times: true,
        value: |cell, _| times(cell).max.map(|value| value as f64),
        text: duration_ns,
        ..column("max", "max", "slowest call (max)")
    },
    Column {
        more_is_better: true,
        times: true,
        value: |cell, _| cell.figures.rate_per_s,
        text: rate_per_s,
        ..column("rate", "rate", "calls per second")
    },
    Column {
        value: |cell, counted| {
            let bytes = &cell.figures.bytes_per_call;
            Some(counted.of(&bytes.request)? + counted.of(&bytes.response)?)
        },
        text: bytes_text,
        ..column("bytes", "bytes", "bytes per call")
    },
    Column {
        value: |cell, _| cell.figures.cpu_us_per_call.client,
        ..column("cpu-client", "client CPU µs", "processor time of the client")
    },
    Column {
        value: |cell, _| cell.figures.cpu_us_per_call.server,
        ..column("cpu-server", "server CPU µs", "processor time of the server")
    },
    Column {
        value: |cell, _| cell.figures.rss_peak_bytes.server.map(|bytes| bytes as f64 / f64::from(1 << 20)),
        ..column("memory", "server MiB", "memory of the server")
    },
];

/// A row.
pub(super) struct Row {
    pub run: String,
    pub point: String,
    /// For sorting by load point.
    pub order: usize,
    pub backend: String,
    pub stack: String,
    pub implementation: String,
    pub figures: Vec<Figure>,
    pub errors: String,
    pub error_count: String,
    pub verdict: String,
    pub valid: bool,
}

/// A figure of a row.
pub(super) struct Figure {
    pub key: &'static str,
    pub name: &'static str,
    pub text: String,
    /// The number behind it; empty where there is none.
    pub value: String,
    /// Times the best of its load point; empty where it is not compared.
    pub ratio: String,
    pub best: bool,
}

/// A row per cell, in the order of the runs.
pub(super) fn rows(places: &[Place<'_>]) -> Vec<Row> {
    let several = places.iter().map(|place| place.run).collect::<std::collections::BTreeSet<_>>().len() > 1;
    let mut rows = Vec::new();
    for (order, place) in places.iter().enumerate() {
        let bests: Vec<Option<f64>> = COLUMNS.iter().map(|column| best(column, place)).collect();
        let counted = counted(&place.answers);
        for (_, cell) in place.cells() {
            let failed: u64 = cell.figures.errors.values().sum();
            let errors = failed.saturating_add(cell.figures.wrong_answers.unwrap_or(0));
            let measured = cell.figures.calls.is_some();
            rows.push(Row {
                run: if several {
                    place.run.map_or_else(String::new, |run| run.to_string())
                } else {
                    String::new()
                },
                point: line(if cell.point.is_empty() { "" } else { &cell.point }, 40),
                order,
                backend: line(&cell.backend, MAX_NAME),
                stack: line(&stack(cell), MAX_NAME),
                implementation: cell
                    .implementation
                    .as_deref()
                    .filter(|name| !name.starts_with("wirebench"))
                    .map_or_else(String::new, |name| line(name, MAX_NAME)),
                figures: COLUMNS
                    .iter()
                    .zip(&bests)
                    .map(|(column, best)| figure(column, cell, counted, *best))
                    .collect(),
                errors: if measured { count(errors) } else { NOTHING.to_owned() },
                error_count: if measured { errors.to_string() } else { String::new() },
                verdict: match cell.verdict.reasons.first() {
                    Some(reason) => reason.kind.name().to_owned(),
                    None => "valid".to_owned(),
                },
                valid: cell.verdict.is_valid(),
            });
        }
    }
    rows
}

/// Where the bytes of a load point were counted.
pub(super) fn counted(answers: &PointAnswers) -> ByteCount {
    answers.answers.iter().find_map(|answer| answer.counted).unwrap_or(ByteCount::Encoded)
}

fn compared(column: &Column, cell: &CellResult, place: &Place<'_>) -> bool {
    let ranked = || {
        let mut of_times = place.answers.answers.iter().filter(|answer| answer.goal.key() == "p50");
        of_times.any(|answer| answer.contenders.len() > 1)
    };
    // In an open loop the schedule makes the rate.
    let scheduled = column.key == "rate" && cell.load.model == LoadModel::Open;
    cell.verdict.is_valid() && cell.transport != "null" && !scheduled && (!column.times || ranked())
}

fn best(column: &Column, place: &Place<'_>) -> Option<f64> {
    let counted = counted(&place.answers);
    let values: Vec<f64> = place
        .cells()
        .filter(|(_, cell)| compared(column, cell, place))
        .filter_map(|(_, cell)| (column.value)(cell, counted))
        .collect();
    if values.len() < 2 {
        return None;
    }
    let better = if column.more_is_better { f64::max } else { f64::min };
    values.into_iter().reduce(better).filter(|best| *best > 0.0)
}

fn figure(column: &Column, cell: &CellResult, counted: ByteCount, best: Option<f64>) -> Figure {
    let value = (column.value)(cell, counted);
    let ratio = value
        .zip(best)
        .filter(|(value, _)| *value > 0.0 && cell.verdict.is_valid() && cell.transport != "null")
        .map(|(value, best)| if column.more_is_better { best / value } else { value / best });
    let offered = cell.figures.offered_rate_per_s.filter(|_| column.key == "rate");
    let text = value.map_or_else(|| NOTHING.to_owned(), column.text);
    Figure {
        key: column.key,
        name: column.name,
        text: match (value, offered) {
            (Some(rate), Some(offered)) if rate < offered * 0.99 => {
                format!("{text} of {}", rate_per_s(offered))
            }
            _ => text,
        },
        value: value.map_or_else(String::new, |value| format!("{value:.3}")),
        ratio: ratio.map_or_else(String::new, ratio_text),
        best: ratio.is_some_and(|ratio| ratio <= 1.0),
    }
}

fn ratio_text(ratio: f64) -> String {
    if ratio < 9.995 { format!("{ratio:.2}×") } else { format!("{ratio:.1}×") }
}

/// The figures by method, where a cell has several, and those of streams.
pub(super) fn method_grids(places: &[Place<'_>]) -> Vec<Grid> {
    let cells = || places.iter().flat_map(|place| place.cells().map(move |(_, cell)| (place, cell)));
    let place_and_name = |place: &Place<'_>, cell: &CellResult| {
        let mut name = line(&cell.label(), MAX_NAME);
        if let Some(run) = place.run {
            name.push_str(&format!(" (run {run})"));
        }
        name
    };
    let methods: Vec<Vec<String>> = cells()
        .filter(|(_, cell)| cell.figures.methods.len() > 1)
        .flat_map(|(place, cell)| {
            let name = place_and_name(place, cell);
            cell.figures.methods.iter().map(move |(method, of)| method_row(&name, cell, method, of))
        })
        .collect();
    let streams: Vec<Vec<String>> = cells()
        .flat_map(|(place, cell)| {
            let name = place_and_name(place, cell);
            cell.figures.methods.iter().filter_map(move |(method, of)| {
                let row = stream_row(cell, method, of)?;
                Some([name.clone(), line(method, MAX_NAME)].into_iter().chain(row.figures).collect())
            })
        })
        .collect();
    let grid = |title: &str, header: &[&str], rows: Vec<Vec<String>>| Grid {
        title: title.to_owned(),
        header: header.iter().map(|&name| name.to_owned()).collect(),
        rows,
    };
    [
        grid("Streams", &STREAM_COLUMNS, streams),
        grid(
            "By method",
            &["back end", "method", "calls", "errors", "p50", "p99", "request B", "response B"],
            methods,
        ),
    ]
    .into_iter()
    .filter(|grid| !grid.rows.is_empty())
    .collect()
}

fn method_row(backend: &str, cell: &CellResult, name: &str, method: &MethodResult) -> Vec<String> {
    let of = match cell.load.model {
        LoadModel::Open => &method.response_ns,
        LoadModel::Closed => &method.service_ns,
    };
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    vec![
        backend.to_owned(),
        line(name, MAX_NAME),
        count(method.calls),
        count(method.errors.values().sum()),
        or_nothing(nanoseconds(of.p50)),
        or_nothing(nanoseconds(of.p99)),
        or_nothing(method.bytes_per_call.request.encoded.map(bytes_text)),
        or_nothing(method.bytes_per_call.response.encoded.map(bytes_text)),
    ]
}
