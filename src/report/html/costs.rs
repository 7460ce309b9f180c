//! What a call costs: bytes, processor time and memory; and how many were answered.

use super::parts::{Block, Chart, Grid, Key, twice};
use crate::analysis::{rate_per_s, three_digits};
use crate::report::charts::{Bar, ChartError, Part, bars};
use crate::report::place::{MAX_NAME, Palette, Place, short, with_verdict};
use crate::report::text::line;
use crate::report::view::{NOTHING, bytes_text};
use crate::result::{CellResult, Figures, MessageBytes};

/// More bars are a table.
const MAX_BARS: usize = 24;

/// What a bar chart shows, in words.
fn sentence_of(rows: &[Bar]) -> String {
    let pairs: Vec<String> = rows.iter().map(|bar| format!("{} {}", bar.name, bar.figure)).collect();
    line(&format!("Bar chart. {}.", pairs.join("; ")), 2_000)
}

pub(super) fn bar_chart(
    id: String,
    heading: &str,
    title: &str,
    mut rows: Vec<Bar>,
) -> Result<Option<Chart>, ChartError> {
    let all = rows.len();
    rows.truncate(MAX_BARS);
    if rows.is_empty() {
        return Ok(None);
    }
    let pair = twice(&id, title, &sentence_of(&rows), |frame| bars(&rows, frame))?;
    let mut chart = Chart::of(id, heading, pair);
    if all > MAX_BARS {
        chart.note = format!("The first {MAX_BARS} of {all} are drawn; the table has all.");
    }
    Ok(Some(chart))
}

pub(super) fn block(place: &Place<'_>, name: &str, charts: Vec<Chart>) -> Option<Block> {
    (!charts.is_empty()).then(|| Block::of(place.id(name), place.heading.clone(), charts))
}

/// A figure of the valid rounds, from the lowest to the highest.
fn range(cell: &CellResult, value: impl Fn(&Figures) -> Option<f64>) -> Option<[f64; 2]> {
    let values: Vec<f64> = cell
        .rounds
        .iter()
        .filter(|round| round.verdict.is_valid())
        .filter_map(|round| value(&round.figures))
        .collect();
    let low = values.iter().copied().reduce(f64::min)?;
    let high = values.iter().copied().reduce(f64::max)?;
    (values.len() > 1).then_some([low, high])
}

/// Calls per second of a load point.
pub(super) fn rate_block(place: &Place<'_>, palette: &Palette) -> Result<Option<Block>, ChartError> {
    let rows = place
        .cells()
        .filter_map(|(_, cell)| {
            let rate = cell.figures.rate_per_s?;
            Some(Bar {
                name: with_verdict(cell),
                figure: rate_per_s(rate),
                parts: vec![Part::Series(palette.series(&cell.backend), rate)],
                range: range(cell, |figures| figures.rate_per_s),
            })
        })
        .collect();
    let chart = bar_chart(place.id("rate"), "", "Calls per second", rows)?;
    Ok(block(place, "rates", chart.into_iter().collect()))
}

/// Payload, encoding, framing and connection of one direction: each beyond the one before.
fn layers(bytes: &MessageBytes) -> Option<[Option<f64>; 4]> {
    let encoded = bytes.encoded?;
    let payload = bytes.payload.map(|payload| payload.min(encoded));
    let beyond = |outer: Option<f64>, inner: Option<f64>| Some((outer? - inner?).max(0.0));
    Some([
        payload,
        Some(encoded - payload.unwrap_or(0.0)),
        beyond(bytes.framed, Some(encoded)),
        beyond(bytes.wire, bytes.framed),
    ])
}

/// Bytes of a load point, request and response.
pub(super) fn bytes_block(place: &Place<'_>) -> Result<Option<Block>, ChartError> {
    let mut rows = Vec::new();
    let mut figures = Vec::new();
    for (_, cell) in place.cells() {
        let bytes = cell.figures.bytes_per_call;
        for (direction, of) in [("request", &bytes.request), ("response", &bytes.response)] {
            let Some(layers) = layers(of) else { continue };
            let parts = layers.iter().enumerate().filter_map(|(index, layer)| {
                let layer = (*layer)?;
                Some(if index == 3 { Part::Around(layer) } else { Part::Piece(index, layer) })
            });
            let whole: f64 = layers.iter().flatten().sum();
            rows.push(Bar {
                name: format!("{} {direction}", short(cell)),
                figure: format!("{} B", bytes_text(whole)),
                parts: parts.collect(),
                range: None,
            });
            let fields = [of.payload, of.encoded, of.framed, of.wire];
            let name = [line(&cell.backend, MAX_NAME), direction.to_owned()];
            let text =
                |bytes: Option<f64>| bytes.map_or_else(|| NOTHING.to_owned(), |bytes| format!("{bytes:.1}"));
            figures.push(name.into_iter().chain(fields.map(text)).collect());
        }
    }
    let Some(mut chart) = bar_chart(place.id("bytes-per-call"), "", "Bytes per call", rows)? else {
        return Ok(None);
    };
    chart.legend = vec![
        Key::fill("f0", "payload: the information"),
        Key::fill("f1", "encoding around it"),
        Key::fill("f2", "envelope and framing"),
        Key::fill("faint", "connection: handshakes, heartbeats"),
    ];
    chart.grid = Some(Grid {
        title: "Mean bytes per call".to_owned(),
        header: ["back end", "direction", "payload", "encoded", "framed", "on the wire"]
            .map(str::to_owned)
            .to_vec(),
        rows: figures,
    });
    Ok(block(place, "bytes-block", vec![chart]))
}

/// Processor time and memory.
pub(super) fn cost_block(place: &Place<'_>) -> Result<Option<Block>, ChartError> {
    let mut charts = Vec::new();
    let mut cpu = Vec::new();
    let mut memory = Vec::new();
    let mut rows = Vec::new();
    for (_, cell) in place.cells() {
        let figures = &cell.figures;
        let of = figures.cpu_us_per_call;
        if of.client.is_some() || of.server.is_some() {
            let (client, server) = (of.client.unwrap_or(0.0), of.server.unwrap_or(0.0));
            cpu.push(Bar {
                name: with_verdict(cell),
                figure: format!("{} + {} µs", three_digits(client), three_digits(server)),
                parts: vec![Part::Piece(0, client), Part::Piece(1, server)],
                range: range(cell, |figures| {
                    Some(
                        figures.cpu_us_per_call.client.unwrap_or(0.0)
                            + figures.cpu_us_per_call.server.unwrap_or(0.0),
                    )
                }),
            });
        }
        let mib = |bytes: Option<u64>| bytes.map(|bytes| bytes as f64 / f64::from(1 << 20));
        let (client, server) = (mib(figures.rss_peak_bytes.client), mib(figures.rss_peak_bytes.server));
        if client.is_some() || server.is_some() {
            let text = |of: Option<f64>| of.map_or_else(|| NOTHING.to_owned(), |of| format!("{of:.1}"));
            memory.push(Bar {
                name: with_verdict(cell),
                figure: format!("{} + {} MiB", text(client), text(server)),
                parts: vec![Part::Piece(0, client.unwrap_or(0.0)), Part::Piece(1, server.unwrap_or(0.0))],
                range: None,
            });
        }
        rows.push(cost_row(cell));
    }
    let legend = || vec![Key::fill("f0", "client"), Key::fill("f1", "server, with all that it started")];
    if let Some(chart) = bar_chart(place.id("cpu"), "CPU per call", "Processor time per call", cpu)? {
        charts.push(Chart { legend: legend(), ..chart });
    }
    if let Some(chart) = bar_chart(place.id("memory"), "Peak memory", "Peak resident memory", memory)? {
        charts.push(Chart { legend: legend(), ..chart });
    }
    if let Some(last) = charts.last_mut() {
        let header = [
            "back end",
            "client CPU µs",
            "server CPU µs",
            "client MiB",
            "server MiB",
            "client switches",
            "server switches",
            "connections opened",
        ];
        last.grid =
            Some(Grid { title: "Costs".to_owned(), header: header.map(str::to_owned).to_vec(), rows });
    }
    Ok(block(place, "costs", charts))
}

fn cost_row(cell: &CellResult) -> Vec<String> {
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    let figures = &cell.figures;
    let mib = |bytes: Option<u64>| {
        or_nothing(bytes.map(|bytes| format!("{:.1}", bytes as f64 / f64::from(1 << 20))))
    };
    let switches = |side: Option<crate::result::Switches>| {
        or_nothing(side.map(|side| crate::analysis::count(side.voluntary.saturating_add(side.involuntary))))
    };
    vec![
        line(&cell.backend, MAX_NAME),
        or_nothing(figures.cpu_us_per_call.client.map(three_digits)),
        or_nothing(figures.cpu_us_per_call.server.map(three_digits)),
        mib(figures.rss_peak_bytes.client),
        mib(figures.rss_peak_bytes.server),
        switches(figures.context_switches.client),
        switches(figures.context_switches.server),
        or_nothing(figures.connections_opened.map(crate::analysis::count)),
    ]
}
