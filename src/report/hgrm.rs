//! Percentile distributions as HdrHistogram's plotter reads them, in milliseconds: one file per cell
//! and method, and one per cell for all its methods.
//!
//! The format is that of `AbstractHistogram.outputPercentileDistribution` with five ticks per half
//! distance, HdrHistogram's default.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use hdrhistogram::Histogram;

use super::text::{file_name, line};
use super::{Format, Input, ReportError, ReportFile};
use crate::result::{Kind, LoadModel};

pub(super) const FORMAT: Format = Format {
    name: "hgrm",
    about: "percentile distributions for HdrHistogram's plotter",
    file_name: "hgrm",
    render,
};

const TICKS_PER_HALF_DISTANCE: u32 = 5;
const NS_PER_MS: f64 = 1e6;

fn render(input: &Input<'_>) -> Result<Vec<ReportFile>, ReportError> {
    let mut files = Vec::new();
    let mut names = BTreeSet::new();
    for (cell, histograms) in input.run.cells.iter().zip(&input.histograms.cells) {
        let kind = match cell.load.model {
            LoadModel::Closed => Kind::Service,
            LoadModel::Open => Kind::Response,
        };
        let methods: Vec<&str> = histograms.methods(kind).collect();
        let mut add = |method: Option<&str>, histogram: &Histogram<u64>| {
            let mut stem = file_name(&cell.label());
            if let Some(method) = method {
                stem.push('-');
                stem.push_str(&file_name(method));
            }
            let mut name = format!("{stem}.hgrm");
            let mut copy = 2;
            while !names.insert(name.to_lowercase()) {
                name = format!("{stem}-{copy}.hgrm");
                copy += 1;
            }
            let title = format!(
                "{}, {} time in ms{}",
                line(&cell.label(), 200),
                kind.name(),
                method.map_or_else(String::new, |method| format!(", {}", line(method, 200)))
            );
            files.push(ReportFile { name, bytes: distribution(&title, histogram).into_bytes() });
        };
        if methods.len() != 1
            && let Some(all) = histograms.all(kind)
        {
            add(None, &all);
        }
        for method in methods {
            if let Some(histogram) = histograms.of(method, kind) {
                add(Some(method), histogram);
            }
        }
    }
    Ok(files)
}

fn distribution(title: &str, histogram: &Histogram<u64>) -> String {
    let mut text = format!(
        "#[{title}]\n{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    let mut below = 0_u64;
    for step in histogram.iter_quantiles(TICKS_PER_HALF_DISTANCE) {
        below = below.saturating_add(step.count_since_last_iteration());
        let value = step.value_iterated_to() as f64 / NS_PER_MS;
        let quantile = step.quantile_iterated_to();
        let _ = if quantile < 1.0 {
            writeln!(text, "{value:>12.6} {quantile:>14.12} {below:>10} {:>14.2}", 1.0 / (1.0 - quantile))
        } else {
            writeln!(text, "{value:>12.6} {quantile:>14.12} {below:>10}")
        };
    }
    let _ = writeln!(
        text,
        "#[Mean    = {:>12.6}, StdDeviation   = {:>12.6}]\n#[Max     = {:>12.6}, Total count    = {:>12}]\n#[Buckets = {:>12}, SubBuckets     = {:>12}]",
        histogram.mean() / NS_PER_MS,
        histogram.stdev() / NS_PER_MS,
        histogram.max() as f64 / NS_PER_MS,
        histogram.len(),
        histogram.buckets(),
        (2 * 10_u64.pow(u32::from(histogram.sigfig().min(5)))).next_power_of_two()
    );
    text
}
