//! Figures as programs that track them over commits want them: a name, a value, a unit, a range.

use std::collections::BTreeMap;

use serde::Serialize;

use super::text::line;
use crate::result::{CellResult, CheckResult, LoadModel, RunResult};

/// The longest name.
const MAX_NAME: usize = 200;

/// A figure that is tracked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measure {
    /// What it is of: scenario, back end, load point.
    pub benchmark: String,
    /// What it is: `service p50`.
    pub name: String,
    /// Bencher's short name of the measure.
    pub slug: &'static str,
    pub unit: &'static str,
    pub value: f64,
    /// Where it lies.
    pub interval: Option<[f64; 2]>,
    pub more_is_better: bool,
    /// What a reader may want to know.
    pub extra: String,
}

/// The figures of a run's valid cells.
pub(super) fn of_run(run: &RunResult) -> Vec<Measure> {
    run.cells.iter().filter(|cell| cell.verdict.is_valid()).flat_map(|cell| of_cell(run, cell)).collect()
}

fn of_cell(run: &RunResult, cell: &CellResult) -> Vec<Measure> {
    let figures = &cell.figures;
    let (kind, times) = match cell.load.model {
        LoadModel::Open => ("response", &figures.response_ns),
        LoadModel::Closed => ("service", &figures.service_ns),
    };
    let benchmark = named(&[&run.scenario.name, &cell.label()]);
    let extra =
        format!("{} valid rounds", cell.rounds.iter().filter(|round| round.verdict.is_valid()).count());
    let measure =
        |name: String, slug, unit, value: Option<f64>, interval: Option<[f64; 2]>, more_is_better| {
            let value = value?;
            let (benchmark, extra) = (benchmark.clone(), extra.clone());
            Some(Measure { benchmark, name, slug, unit, value, interval, more_is_better, extra })
        };
    let ends = |interval: Option<[u64; 2]>| interval.map(|ends| ends.map(|end| end as f64));
    let time = |figure: &str, slug, value: Option<u64>, interval| {
        measure(format!("{kind} {figure}"), slug, "ns", value.map(|ns| ns as f64), ends(interval), false)
    };
    let bytes = figures.bytes_per_call.request.encoded.zip(figures.bytes_per_call.response.encoded);
    [
        time("p50", "latency", times.p50, times.intervals.p50),
        time("p99", "latency-p99", times.p99, times.intervals.p99),
        measure("throughput".into(), "throughput", "calls/s", figures.rate_per_s, None, true)
            .filter(|_| cell.load.model == LoadModel::Closed),
        measure("server CPU".into(), "server-cpu", "µs/call", figures.cpu_us_per_call.server, None, false),
        measure("encoded".into(), "encoded-bytes", "bytes/call", bytes.map(|(a, b)| a + b), None, false),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The candidate's figures of a check, each with the interval of its change.
pub(super) fn of_check(check: &CheckResult) -> Vec<Measure> {
    let benchmark = named(&[&check.scenario.name, &check.candidate.backend]);
    let mut measures: Vec<Measure> = Vec::new();
    for metric in &check.metrics {
        let (Some(value), Some(base)) = (metric.candidate, metric.base) else { continue };
        let (slug, unit) = match metric.name.as_str() {
            "rate" => ("throughput", "calls/s"),
            "capacity" => ("capacity", "calls/s"),
            "cpu" => ("server-cpu", "µs/call"),
            name if name.ends_with(" p50") => ("latency", "ns"),
            name if name.ends_with(" p99") => ("latency-p99", "ns"),
            _ => continue,
        };
        measures.push(Measure {
            benchmark: benchmark.clone(),
            name: metric.name.clone(),
            slug,
            unit,
            value,
            interval: metric.interval.map(|ends| ends.map(|change| base * (1.0 + change))),
            more_is_better: metric.more_is_better,
            extra: format!(
                "against {}: {}",
                line(&check.base.cell, 60),
                metric.change.map_or_else(|| "–".into(), crate::analysis::compare::change)
            ),
        });
    }
    measures
}

fn named(parts: &[&str]) -> String {
    let parts: Vec<String> = parts.iter().map(|part| line(part, MAX_NAME / 2)).collect();
    parts.join("/")
}

/// An entry of github-action-benchmark's `customSmallerIsBetter` and `customBiggerIsBetter`.
#[derive(Serialize)]
struct Entry<'a> {
    name: String,
    unit: &'a str,
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<String>,
    extra: &'a str,
}

/// JSON for github-action-benchmark: the measures of which less, or of which more, is better.
pub(super) fn github_benchmark(measures: &[Measure], more_is_better: bool) -> serde_json::Result<Vec<u8>> {
    let entries: Vec<Entry<'_>> = measures
        .iter()
        .filter(|measure| measure.more_is_better == more_is_better)
        .map(|measure| Entry {
            name: format!("{}: {}", measure.benchmark, measure.name),
            unit: measure.unit,
            value: measure.value,
            range: measure.interval.map(|[low, high]| format!("{low:.3} to {high:.3}")),
            extra: &measure.extra,
        })
        .collect();
    pretty(&entries)
}

/// A metric of Bencher.
#[derive(Serialize)]
struct BencherMetric {
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lower_value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upper_value: Option<f64>,
}

/// Bencher Metric Format: benchmarks by name, their measures by short name.
pub(super) fn bencher(measures: &[Measure]) -> serde_json::Result<Vec<u8>> {
    let mut benchmarks: BTreeMap<&str, BTreeMap<&str, BencherMetric>> = BTreeMap::new();
    for measure in measures {
        let metric = BencherMetric {
            value: measure.value,
            lower_value: measure.interval.map(|[low, _]| low),
            upper_value: measure.interval.map(|[_, high]| high),
        };
        benchmarks.entry(&measure.benchmark).or_default().entry(measure.slug).or_insert(metric);
    }
    pretty(&benchmarks)
}

fn pretty(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut json = serde_json::to_vec_pretty(value)?;
    json.push(b'\n');
    Ok(json)
}
