//! The percentile spectrum of a load point, with the quantiles behind it.

use super::parts::{Block, Chart, Grid, Key, twice};
use crate::analysis::{count, duration_ns};
use crate::report::charts::ChartError;
use crate::report::place::{MAX_NAME, Palette, Place};
use crate::report::spectra::{Spectra, times_name};
use crate::report::text::line;
use crate::report::view::{NOTHING, nanoseconds, times};
use crate::result::CellResult;

/// The spectrum of a load point.
pub(super) fn spectrum_block(place: &Place<'_>, palette: &Palette) -> Result<Option<Block>, ChartError> {
    let Some(spectra) = Spectra::of(place, palette) else { return Ok(None) };
    let id = place.id("spectrum");
    let description = format!("{} The figures are in the table below it.", spectra.description);
    let pair = twice(&id, &spectra.title, &description, |frame| spectra.draw(frame))?;
    let chart = Chart {
        legend: spectra.names.into_iter().map(|(series, name)| Key::line(series, name)).collect(),
        legend_when_narrow: true,
        note: spectra.note,
        grid: Some(percentiles(place)),
        ..Chart::of(id, "", pair)
    };
    Ok(Some(Block::of(place.id("spectra"), place.heading.clone(), vec![chart])))
}

/// The quantiles behind a spectrum, with their intervals.
fn percentiles(place: &Place<'_>) -> Grid {
    let header = ["back end", "calls", "min", "mean", "p50", "p90", "p95", "p99", "p99.9", "p99.99", "max"];
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    let row = |cell: &CellResult| {
        let of = times(cell);
        let within = of.intervals;
        let mut fields = vec![line(&cell.backend, MAX_NAME), or_nothing(cell.figures.calls.map(count))];
        fields.push(or_nothing(nanoseconds(of.min)));
        fields.push(or_nothing(of.mean.map(duration_ns)));
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
        fields
    };
    Grid {
        title: format!(
            "Quantiles of the {} and the interval that holds each with 95 % confidence, if calls were independent",
            times_name(place)
        ),
        header: header.iter().map(|&name| name.to_owned()).collect(),
        rows: place.cells().map(|(_, cell)| row(cell)).collect(),
    }
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
