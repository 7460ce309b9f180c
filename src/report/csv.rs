//! One row per cell with every figure, and one per round if asked for. RFC 4180, in base units.
//!
//! Methods that stream, stages of a load, and the probes of a search for a capacity have files of their
//! own, which are there only where the run has such.

use super::{Format, Input, ReportError, ReportFile, one_file};
use crate::result::{
    CapacityProbe, CapacityResult, CellResult, Figures, LoadRecord, MessageBytes, MethodResult, Quantiles,
    StageResult, Verdict,
};
use crate::rpc::ErrorClass;

pub(super) const FORMAT: Format = Format {
    name: "csv",
    about: "a row per cell with every figure (and per round)",
    file_name: "report.csv",
    render,
};

const STREAMS_FILE: &str = "report-streams.csv";
const STAGES_FILE: &str = "report-stages.csv";
const CAPACITY_FILE: &str = "report-capacity.csv";

/// A row as pairs of a column's name and its text, so that names and values cannot part.
type Row = Vec<(String, String)>;

fn render(input: &Input<'_>) -> Result<Vec<ReportFile>, ReportError> {
    let mut rows: Vec<Row> = Vec::new();
    for cell in &input.run.cells {
        rows.push(row(cell, None, &cell.verdict, &cell.figures));
        if input.options.rounds {
            for round in &cell.rounds {
                rows.push(row(cell, Some(round.order), &round.verdict, &round.figures));
            }
        }
    }
    let mut files = one_file(FORMAT.file_name, table(&rows));
    let cells = || input.run.cells.iter();
    let streams: Vec<Row> = cells()
        .flat_map(|cell| cell.figures.methods.iter().filter_map(|(name, of)| stream_row(cell, name, of)))
        .collect();
    let stages: Vec<Row> =
        cells().flat_map(|cell| cell.figures.stages.iter().map(|stage| stage_row(cell, stage))).collect();
    let probes: Vec<Row> = input
        .run
        .capacity
        .iter()
        .flat_map(|search| search.probes.iter().map(|probe| probe_row(search, probe)))
        .collect();
    for (name, rows) in [(STREAMS_FILE, streams), (STAGES_FILE, stages), (CAPACITY_FILE, probes)] {
        if !rows.is_empty() {
            files.push(ReportFile { name: name.to_owned(), bytes: table(&rows).into_bytes() });
        }
    }
    Ok(files)
}

fn table(rows: &[Row]) -> String {
    let mut text = String::new();
    if let Some(first) = rows.first() {
        push_record(&mut text, first.iter().map(|(name, _)| &**name));
    }
    for row in rows {
        push_record(&mut text, row.iter().map(|(_, value)| &**value));
    }
    text
}

fn stream_row(cell: &CellResult, name: &str, method: &MethodResult) -> Option<Row> {
    let (items, first) = (method.items?, method.first_item_ns?);
    let mut row = Row::new();
    let mut add = |name: &str, value: String| row.push((name.to_owned(), value));
    add("backend", cell.backend.clone());
    add("point", cell.point.clone());
    add("method", name.to_owned());
    add("verdict", word(cell.verdict.status));
    add("calls", method.calls.to_string());
    add("items", items.to_string());
    add("items_per_s", field(method.items_per_s));
    add_quantiles(&mut add, "first_item", &first);
    add_quantiles(&mut add, "service", &method.service_ns);
    Some(row)
}

fn stage_row(cell: &CellResult, of: &StageResult) -> Row {
    let mut row = Row::new();
    let mut add = |name: &str, value: String| row.push((name.to_owned(), value));
    add("backend", cell.backend.clone());
    add("point", cell.point.clone());
    add("stage", of.stage.label.clone());
    add("begins_s", of.stage.begins_s.to_string());
    add("lasts_s", of.stage.lasts_s.to_string());
    add("from_per_s", field(of.stage.from_per_s));
    add("to_per_s", field(of.stage.to_per_s));
    add("concurrency", field(of.stage.concurrency));
    add_verdict(&mut add, &of.verdict);
    add("calls", field(of.calls));
    for class in ErrorClass::ALL {
        let failed = of.errors.get(&class).copied().unwrap_or(0);
        add(&format!("errors_{}", class.name()), field(of.calls.map(|_| failed)));
    }
    add("offered_rate_per_s", field(of.offered_rate_per_s));
    add("rate_per_s", field(of.rate_per_s));
    add_quantiles(&mut add, "response", &of.response_ns);
    add_quantiles(&mut add, "service", &of.service_ns);
    add_quantiles(&mut add, "wait", &of.wait_ns);
    add_quantiles(&mut add, "lag", &of.lag_ns);
    row
}

fn probe_row(search: &CapacityResult, probe: &CapacityProbe) -> Row {
    let mut row = Row::new();
    let mut add = |name: &str, value: String| row.push((name.to_owned(), value));
    add("backend", search.backend.clone());
    add("point", search.point.clone());
    add("order", probe.order.to_string());
    add("rate_per_s", probe.rate_per_s.to_string());
    add("achieved_per_s", field(probe.achieved_per_s));
    add("p99_ns", field(probe.p99_ns));
    add("ok", probe.ok.to_string());
    add("why", probe.why.clone());
    add("found_per_s", field(search.rate_per_s));
    add("bound", word(search.bound));
    row
}

pub(super) fn push_record<'a>(text: &mut String, fields: impl Iterator<Item = &'a str>) {
    for (index, field) in fields.enumerate() {
        if index > 0 {
            text.push(',');
        }
        push_field(text, field);
    }
    text.push_str("\r\n");
}

fn push_field(text: &mut String, field: &str) {
    // A spreadsheet would take such a text for a formula.
    let formula = field.starts_with(['=', '+', '@', '\t', '\r'])
        || (field.starts_with('-') && field.parse::<f64>().is_err());
    let quote = if formula { "'" } else { "" };
    if formula || field.contains([',', '"', '\n', '\r']) {
        text.push('"');
        text.push_str(quote);
        text.push_str(&field.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(field);
    }
}

/// An empty field is what was not measured.
fn field<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// How an enum stands in the result.
fn word(value: impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(serde_json::Value::Null) | Err(_) => String::new(),
        Ok(other) => other.to_string(),
    }
}

fn row(cell: &CellResult, round: Option<u64>, verdict: &Verdict, figures: &Figures) -> Row {
    let mut row = Row::new();
    let mut add = |name: &str, value: String| row.push((name.to_owned(), value));
    add("backend", cell.backend.clone());
    add("point", cell.point.clone());
    add("round", field(round));
    add("protocol", field(cell.protocol.as_ref()));
    add("codec", cell.codec.clone());
    add("transport", cell.transport.clone());
    add("hosting", cell.hosting.clone());
    add("implementation", field(cell.implementation.as_ref()));
    add_load(&mut add, &cell.load);
    add_verdict(&mut add, verdict);
    add_figures(&mut add, figures);
    row
}

fn add_verdict(add: &mut impl FnMut(&str, String), verdict: &Verdict) {
    add("verdict", word(verdict.status));
    let kinds: Vec<&str> = verdict.reasons.iter().map(|reason| reason.kind.name()).collect();
    add("reasons", kinds.join(" "));
}

fn add_load(add: &mut impl FnMut(&str, String), load: &LoadRecord) {
    add("model", word(load.model));
    add("concurrency", field(load.concurrency));
    add("connections", load.connections.to_string());
    add("in_flight", load.in_flight.to_string());
    add("connection_mode", word(load.connection_mode));
    add("target_rate_per_s", field(load.rate_per_s));
    add("arrivals", word(load.arrivals));
    add("placement", word(load.placement));
    add("idle", word(load.idle));
    add("write_batch", word(load.write_batch));
    add("client_threads", field(load.client_threads));
    add("server_threads", field(load.server_threads));
    add("timeout_ms", field(load.timeout_ms));
    add("payload_bytes", field(load.payload_bytes));
}

fn add_figures(add: &mut impl FnMut(&str, String), figures: &Figures) {
    add("calls", field(figures.calls));
    add("wrong_answers", field(figures.wrong_answers));
    for class in ErrorClass::ALL {
        let failed = figures.errors.get(&class).copied().unwrap_or(0);
        add(&format!("errors_{}", class.name()), field(figures.calls.map(|_| failed)));
    }
    add("elapsed_s", field(figures.elapsed_s));
    add("rate_per_s", field(figures.rate_per_s));
    add("offered_rate_per_s", field(figures.offered_rate_per_s));
    add_quantiles(add, "response", &figures.response_ns);
    add_quantiles(add, "service", &figures.service_ns);
    add_quantiles(add, "wait", &figures.wait_ns);
    add_quantiles(add, "lag", &figures.lag_ns);
    add_bytes(add, "request", &figures.bytes_per_call.request);
    add_bytes(add, "response", &figures.bytes_per_call.response);
    add("client_cpu_us_per_call", field(figures.cpu_us_per_call.client));
    add("server_cpu_us_per_call", field(figures.cpu_us_per_call.server));
    add("client_rss_peak_bytes", field(figures.rss_peak_bytes.client));
    add("server_rss_peak_bytes", field(figures.rss_peak_bytes.server));
    add("client_voluntary_switches", field(figures.context_switches.client.map(|of| of.voluntary)));
    add("client_involuntary_switches", field(figures.context_switches.client.map(|of| of.involuntary)));
    add("server_voluntary_switches", field(figures.context_switches.server.map(|of| of.voluntary)));
    add("server_involuntary_switches", field(figures.context_switches.server.map(|of| of.involuntary)));
    add("client_core_wait_ns", field(figures.context_switches.client.and_then(|of| of.core_wait_ns)));
    add("server_core_wait_ns", field(figures.context_switches.server.and_then(|of| of.core_wait_ns)));
    add("connections_opened", field(figures.connections_opened));
    add_means(add, figures);
    add("late", field(figures.late));
    add("backlog", field(figures.backlog));
    add("client_stopped_ns", field(figures.client_stopped_ns));
    add("server_stopped_ns", field(figures.server_stopped_ns));
}

/// Means of the steps of opening a connection, and of the stages of a call.
fn add_means(add: &mut impl FnMut(&str, String), figures: &Figures) {
    let cost = figures.connection_ns.unwrap_or_default();
    for (step, of) in [
        ("resolve", cost.resolve),
        ("connect", cost.connect),
        ("handshake", cost.handshake),
        ("first_call", cost.first_call),
    ] {
        add(&format!("connection_{step}_mean_ns"), field(of.and_then(|of| of.mean)));
    }
    for (stage, of) in figures.stages_ns.unwrap_or_default().named() {
        add(&format!("stage_{stage}_mean_ns"), field(of.and_then(|of| of.mean)));
    }
}

fn add_quantiles(add: &mut impl FnMut(&str, String), name: &str, of: &Quantiles) {
    add(&format!("{name}_min_ns"), field(of.min));
    add(&format!("{name}_mean_ns"), field(of.mean));
    let within = of.intervals;
    for (quantile, value, interval) in [
        ("p50", of.p50, within.p50),
        ("p90", of.p90, within.p90),
        ("p95", of.p95, within.p95),
        ("p99", of.p99, within.p99),
        ("p999", of.p999, within.p999),
        ("p9999", of.p9999, within.p9999),
    ] {
        add(&format!("{name}_{quantile}_ns"), field(value));
        add(&format!("{name}_{quantile}_low_ns"), field(interval.map(|[low, _]| low)));
        add(&format!("{name}_{quantile}_high_ns"), field(interval.map(|[_, high]| high)));
    }
    add(&format!("{name}_max_ns"), field(of.max));
}

fn add_bytes(add: &mut impl FnMut(&str, String), name: &str, of: &MessageBytes) {
    add(&format!("{name}_payload_bytes"), field(of.payload));
    add(&format!("{name}_encoded_bytes"), field(of.encoded));
    add(&format!("{name}_framed_bytes"), field(of.framed));
    add(&format!("{name}_wire_bytes"), field(of.wire));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_quoted_where_it_must_be_and_is_never_a_formula() {
        for (value, quoted) in [
            ("plain", "plain"),
            ("-0.5", "-0.5"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=1+1", "\"'=1+1\""),
            ("-x", "\"'-x\""),
        ] {
            let mut text = String::new();
            push_field(&mut text, value);
            assert_eq!(text, quoted);
        }
    }
}
