//! One self-contained page: no network, no script, light and dark, from 320 pixels upwards.

use askama::Template;

use super::charts::{Bar, Frame, Line, Part, bars, line_of, spectrum};
use super::sentences::machine;
use super::text::{block, line};
use super::view::{Figure, Group, NOTHING, Row, STREAM_COLUMNS, View, bytes_text, nanoseconds, times, view};
use super::{Format, Input, ReportError, ReportFile, one_file};
use crate::analysis::{count, duration_ns, rate_per_s};
use crate::result::{CellResult, Kind, LoadModel, MessageBytes, ReasonKind};

pub(super) const FORMAT: Format =
    Format { name: "html", about: "one self-contained page", file_name: "report.html", render };

const MAX_NAME: usize = 120;
const MAX_SENTENCE: usize = 600;
/// Charts are drawn twice, for wide and for narrow screens; the page shows one.
const WIDE: (u32, u32) = (920, 400);
const NARROW: (u32, u32) = (340, 320);

/// The page. Every text is escaped by askama, but for the charts, which escape their own.
#[derive(Template)]
#[template(path = "page.html", config = "src/report/html/askama.toml")]
struct Page<'a> {
    name: String,
    description: String,
    started_at: String,
    valid: bool,
    headline: Vec<String>,
    groups: Vec<PageGroup<'a>>,
    view: &'a View,
    machine: Vec<(String, String)>,
    selftest: Option<(String, Vec<String>)>,
    missing: &'a [String],
    overrides: String,
    scenario: String,
    seed: u64,
    version: String,
}

struct PageGroup<'a> {
    heading: String,
    group: &'a Group,
    charts: Vec<Chart>,
    /// The percentiles behind the chart.
    details: Vec<Vec<String>>,
    methods: Vec<Vec<String>>,
    streams: Vec<Vec<String>>,
}

/// A chart with its legend.
struct Chart {
    heading: &'static str,
    wide: String,
    narrow: String,
    legend: Vec<Key>,
    note: &'static str,
}

/// A line or colour of a legend.
struct Key {
    /// The classes of a line sample; empty for a filled one.
    line: String,
    /// The class of a filled sample.
    fill: String,
    name: String,
}

const DETAILS: [&str; 17] = [
    "back end",
    "calls",
    "min",
    "mean",
    "p50",
    "p90",
    "p95",
    "p99",
    "p99.9",
    "p99.99",
    "max",
    "rate",
    "request B",
    "response B",
    "server memory",
    "client switches",
    "server switches",
];
const METHODS: [&str; 8] = ["back end", "method", "calls", "errors", "p50", "p99", "request B", "response B"];

fn render(input: &Input<'_>) -> Result<Vec<ReportFile>, ReportError> {
    let run = input.run;
    let view = view(run);
    let failed = |reason: String| ReportError::Render { format: FORMAT.name, reason };
    let mut groups = Vec::new();
    for (index, group) in view.groups.iter().enumerate() {
        groups.push(page_group(index, group, input).map_err(|error| failed(error.to_string()))?);
    }
    let page = Page {
        name: line(&run.scenario.name, MAX_NAME),
        description: view.headline.first().map_or_else(String::new, |first| line(first, 200)),
        started_at: line(&run.started_at, 40),
        valid: view.valid,
        headline: view.headline.iter().map(|sentence| line(sentence, MAX_SENTENCE)).collect(),
        groups,
        view: &view,
        machine: machine(&run.environment)
            .into_iter()
            .map(|(name, value)| (line(&name, MAX_NAME), line(&value, MAX_NAME)))
            .collect(),
        selftest: run.selftest.as_ref().map(|selftest| {
            let outcome = if selftest.passed { "passed" } else { "failed" };
            let lines = selftest.lines.iter().map(|text| line(text, MAX_SENTENCE)).collect();
            (format!("The selftest of {} {outcome}.", line(&selftest.at, 40)), lines)
        }),
        missing: &input.histograms.missing,
        overrides: run
            .scenario
            .overrides
            .iter()
            .map(|text| line(text, MAX_NAME))
            .collect::<Vec<_>>()
            .join(" "),
        scenario: block(&run.scenario.text),
        seed: run.seed,
        version: match &run.wirebench.git {
            Some(commit) => format!("{} ({commit})", run.wirebench.version),
            None => run.wirebench.version.clone(),
        },
    };
    let html = page.render().map_err(|error| failed(error.to_string()))?;
    Ok(one_file(FORMAT.file_name, html))
}

fn page_group<'a>(
    index: usize,
    group: &'a Group,
    input: &Input<'_>,
) -> Result<PageGroup<'a>, super::charts::ChartError> {
    let cell_of = |row: &Row| input.run.cells.get(row.cell);
    let mut charts = Vec::new();
    charts.extend(spectrum_chart(index, group, input)?);
    charts.extend(rate_chart(index, group, input)?);
    charts.extend(bytes_chart(index, group, input)?);
    let methods: Vec<Vec<String>> = group
        .rows
        .iter()
        .filter_map(|row| Some((row, cell_of(row)?)))
        .filter(|(_, cell)| cell.figures.methods.len() > 1)
        .flat_map(|(row, cell)| method_rows(row, cell))
        .collect();
    Ok(PageGroup {
        heading: if group.point.is_empty() { "Results".to_owned() } else { line(&group.point, MAX_NAME) },
        group,
        charts,
        details: group.rows.iter().filter_map(|row| Some(detail_row(row, cell_of(row)?))).collect(),
        methods,
        streams: group
            .streams
            .iter()
            .map(|row| {
                let names = [&row.backend, &row.method].map(|name| line(name, MAX_NAME));
                names.into_iter().chain(row.figures.iter().cloned()).collect()
            })
            .collect(),
    })
}

/// A name that a stranger may have given.
fn name(text: &str) -> String {
    line(text, MAX_NAME)
}

/// A sentence that a stranger may have written.
fn sentence(text: &str) -> String {
    line(text, MAX_SENTENCE)
}

/// The figures of a row with the names of their columns.
fn figures(row: &Row) -> [(&'static str, Figure); 9] {
    let copy = |figure: &Figure| Figure { text: figure.text.clone(), best: figure.best };
    [
        ("p50", copy(&row.p50)),
        ("p99", copy(&row.p99)),
        ("max", copy(&row.max)),
        ("rate", copy(&row.rate)),
        ("ratio", Figure { text: row.ratio.clone(), best: false }),
        ("request B", copy(&row.bytes_request)),
        ("response B", copy(&row.bytes_response)),
        ("client CPU µs", copy(&row.cpu_client)),
        ("server CPU µs", copy(&row.cpu_server)),
    ]
}

fn or_nothing(text: Option<String>) -> String {
    text.unwrap_or_else(|| NOTHING.to_owned())
}

fn detail_row(row: &Row, cell: &CellResult) -> Vec<String> {
    let of = times(cell);
    let figures = &cell.figures;
    let switches = |side: Option<crate::result::Switches>| {
        or_nothing(side.map(|side| count(side.voluntary.saturating_add(side.involuntary))))
    };
    let mut fields = vec![line(&row.backend, MAX_NAME), or_nothing(figures.calls.map(count))];
    fields.push(or_nothing(nanoseconds(of.min)));
    fields.push(or_nothing(of.mean.map(duration_ns)));
    let within = of.intervals;
    for (quantile, interval) in [
        (of.p50, within.p50),
        (of.p90, within.p90),
        (of.p95, within.p95),
        (of.p99, within.p99),
        (of.p999, within.p999),
        (of.p9999, within.p9999),
    ] {
        fields.push(or_nothing(with_interval(quantile, interval)));
    }
    fields.push(or_nothing(nanoseconds(of.max)));
    fields.push(or_nothing(figures.rate_per_s.map(rate_per_s)));
    fields.push(message_bytes(&figures.bytes_per_call.request));
    fields.push(message_bytes(&figures.bytes_per_call.response));
    fields.push(or_nothing(
        figures.rss_peak_bytes.server.map(|bytes| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))),
    ));
    fields.push(switches(figures.context_switches.client));
    fields.push(switches(figures.context_switches.server));
    fields
}

/// A quantile and where it lies with 95 % confidence.
fn with_interval(quantile: Option<u64>, interval: Option<[u64; 2]>) -> Option<String> {
    let value = nanoseconds(quantile)?;
    let ends = interval.map(|[low, high]| (duration_ns(low as f64), duration_ns(high as f64)));
    Some(match ends {
        Some((low, high)) if low != high => format!("{value} ({low} to {high})"),
        _ => value,
    })
}

/// Payload, encoded, framed and wire.
fn message_bytes(of: &MessageBytes) -> String {
    [of.payload, of.encoded, of.framed, of.wire].map(|bytes| or_nothing(bytes.map(bytes_text))).join(" / ")
}

fn method_rows(row: &Row, cell: &CellResult) -> Vec<Vec<String>> {
    let of_method = |(name, method): (&String, &crate::result::MethodResult)| {
        let of = match cell.load.model {
            LoadModel::Open => &method.response_ns,
            LoadModel::Closed => &method.service_ns,
        };
        vec![
            line(&row.backend, MAX_NAME),
            line(name, MAX_NAME),
            count(method.calls),
            count(method.errors.values().sum()),
            or_nothing(nanoseconds(of.p50)),
            or_nothing(nanoseconds(of.p99)),
            or_nothing(method.bytes_per_call.request.encoded.map(bytes_text)),
            or_nothing(method.bytes_per_call.response.encoded.map(bytes_text)),
        ]
    };
    cell.figures.methods.iter().map(of_method).collect()
}

/// Draws a chart for both widths.
fn twice(
    id: &str,
    title: &str,
    description: &str,
    draw: impl Fn(&Frame<'_>) -> Result<String, super::charts::ChartError>,
) -> Result<(String, String), super::charts::ChartError> {
    let one = |suffix: &str, (width, height): (u32, u32)| {
        let id = format!("{id}{suffix}");
        draw(&Frame { id: &id, title, description, width, height })
    };
    Ok((one("w", WIDE)?, one("n", NARROW)?))
}

fn spectrum_chart(
    index: usize,
    group: &Group,
    input: &Input<'_>,
) -> Result<Option<Chart>, super::charts::ChartError> {
    let mut lines: Vec<Line> = Vec::new();
    let mut legend = Vec::new();
    for (series, row) in group.rows.iter().enumerate() {
        let Some(cell) = input.run.cells.get(row.cell) else { continue };
        let kind = match cell.load.model {
            LoadModel::Open => Kind::Response,
            LoadModel::Closed => Kind::Service,
        };
        let histogram = input.histograms.cell(row.cell).and_then(|histograms| histograms.all(kind));
        let tail = !cell.verdict.has(ReasonKind::Overloaded);
        let Some(line) = histogram.and_then(|histogram| line_of(series, &histogram, tail)) else { continue };
        lines.push(line);
        legend.push(Key { line: line_classes(series), fill: String::new(), name: name_with_verdict(row) });
    }
    if lines.is_empty() {
        return Ok(None);
    }
    let description = format!(
        "Line chart of the {} in {} back ends, from the fastest call to the slowest. \
         The figures are in the table All figures.",
        group.times,
        lines.len()
    );
    let title = format!("Percentile spectrum of the {}", group.times);
    let (wide, narrow) =
        twice(&format!("spectrum{index}"), &title, &description, |frame| spectrum(&lines, frame))?;
    Ok(Some(Chart {
        heading: "Percentile spectrum",
        wide,
        narrow,
        legend,
        note: "Each line ends where fewer than ten calls are slower; of an overloaded back end, at the median.",
    }))
}

fn line_classes(series: usize) -> String {
    format!("l{} d{}", series % super::charts::COLOURS, series % super::charts::DASHES)
}

fn name_with_verdict(row: &Row) -> String {
    let name = line(&row.backend, MAX_NAME);
    if row.valid { name } else { format!("{name} (does not count: {})", row.verdict) }
}

fn rate_chart(
    index: usize,
    group: &Group,
    input: &Input<'_>,
) -> Result<Option<Chart>, super::charts::ChartError> {
    let rows: Vec<Bar> = group
        .rows
        .iter()
        .enumerate()
        .filter_map(|(series, row)| {
            let rate = input.run.cells.get(row.cell)?.figures.rate_per_s?;
            Some(Bar {
                name: name_with_verdict(row),
                figure: row.rate.text.clone(),
                parts: vec![Part::Series(series, rate)],
            })
        })
        .collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let description = sentence_of(&rows);
    let (wide, narrow) =
        twice(&format!("rate{index}"), "Calls per second", &description, |frame| bars(&rows, frame))?;
    Ok(Some(Chart { heading: "Calls per second", wide, narrow, legend: Vec::new(), note: "" }))
}

fn bytes_chart(
    index: usize,
    group: &Group,
    input: &Input<'_>,
) -> Result<Option<Chart>, super::charts::ChartError> {
    let rows: Vec<Bar> = group
        .rows
        .iter()
        .filter_map(|row| {
            let bytes = input.run.cells.get(row.cell)?.figures.bytes_per_call;
            let (request, response) = (bytes.request.encoded?, bytes.response.encoded?);
            let framed = bytes.request.framed.zip(bytes.response.framed).map(|(a, b)| a + b);
            let around = framed.map(|framed| (framed - request - response).max(0.0));
            let mut figure = bytes_text(request + response);
            if let Some(around) = around {
                figure.push_str(&format!(" + {}", bytes_text(around)));
            }
            Some(Bar {
                name: line(&row.backend, MAX_NAME),
                figure: format!("{figure} B"),
                parts: vec![
                    Part::Series(0, request),
                    Part::Series(1, response),
                    Part::Around(around.unwrap_or(0.0)),
                ],
            })
        })
        .collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let description = sentence_of(&rows);
    let (wide, narrow) =
        twice(&format!("bytes{index}"), "Bytes per call", &description, |frame| bars(&rows, frame))?;
    let key = |fill: &str, name: &str| Key { line: String::new(), fill: fill.into(), name: name.into() };
    Ok(Some(Chart {
        heading: "Bytes per call",
        wide,
        narrow,
        legend: vec![
            key("f0", "encoded request"),
            key("f1", "encoded response"),
            key("faint", "envelope and framing of both"),
        ],
        note: "",
    }))
}

/// What a bar chart shows, in words.
fn sentence_of(rows: &[Bar]) -> String {
    let pairs: Vec<String> = rows.iter().map(|bar| format!("{} {}", bar.name, bar.figure)).collect();
    line(&format!("Bar chart. {}.", pairs.join("; ")), 2_000)
}
