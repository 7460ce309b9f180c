//! Latency against load, and scaling with concurrency and payload: charts over the load points of a run.

use super::parts::{Block, Chart, Grid, Key, Small, twice};
use crate::analysis::{self, duration_ns, rate_per_s};
use crate::report::Input;
use crate::report::charts::{Axis, ChartError, Dot, Frame, Plot, PlotLine, Unit, Weight, plot};
use crate::report::place::{MAX_NAME, Palette};
use crate::report::text::line;
use crate::report::view::{NOTHING, times};
use crate::result::{CellResult, LoadModel, LoadRecord};

/// More lines cannot be told apart.
const MAX_LINES: usize = 12;
/// A small chart of scaling.
const SMALL: (u32, u32) = (430, 300);

/// What changes along a curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Along {
    Concurrency,
    Rate,
    Payload,
}

impl Along {
    fn of(self, load: &LoadRecord) -> Option<f64> {
        match self {
            Along::Concurrency if load.model == LoadModel::Closed => {
                load.concurrency.map(|calls| calls as f64)
            }
            Along::Rate if load.model == LoadModel::Open => load.rate_per_s,
            Along::Payload => load.payload_bytes.map(|bytes| bytes as f64),
            _ => None,
        }
    }

    /// The load without what changes: cells that agree in it are on one curve.
    fn rest(self, load: &LoadRecord) -> LoadRecord {
        let mut rest = load.clone();
        match self {
            Along::Concurrency => {
                // These follow from the concurrency where the scenario does not say.
                (rest.concurrency, rest.connections, rest.in_flight) = (None, 0, 0);
            }
            Along::Rate => rest.rate_per_s = None,
            Along::Payload => {
                rest.payload_bytes = None;
                (rest.connections, rest.in_flight) = (0, 0);
            }
        }
        // Where the length of a round is adapted to the load, the load is still the same.
        (rest.calls, rest.duration_ms, rest.warmup_ms, rest.warmup_calls) = (None, None, None, None);
        rest
    }
}

/// The cells of one back end that differ in one thing only, in its order.
struct Curve<'a> {
    backend: &'a str,
    points: Vec<(f64, &'a CellResult)>,
}

/// The curves of a run along one thing, those of one load together.
fn families<'a>(cells: &'a [CellResult], along: Along) -> Vec<Vec<Curve<'a>>> {
    let mut found: Vec<(LoadRecord, Vec<Curve<'a>>)> = Vec::new();
    for cell in cells {
        let Some(at) = along.of(&cell.load) else { continue };
        let mut rest = along.rest(&cell.load);
        // Transports differ in these by themselves.
        (rest.connections, rest.in_flight, rest.client_threads, rest.server_threads) = (0, 0, None, None);
        (rest.write_batch, rest.socket) = Default::default();
        let family = match found.iter_mut().position(|(load, _)| *load == rest) {
            Some(index) => index,
            None => {
                found.push((rest, Vec::new()));
                found.len() - 1
            }
        };
        let Some((_, curves)) = found.get_mut(family) else { continue };
        match curves.iter_mut().find(|curve| curve.backend == cell.backend) {
            Some(curve) => curve.points.push((at, cell)),
            None => curves.push(Curve { backend: &cell.backend, points: vec![(at, cell)] }),
        }
    }
    let mut families: Vec<Vec<Curve<'a>>> = found.into_iter().map(|(_, curves)| curves).collect();
    for curves in &mut families {
        for curve in curves.iter_mut() {
            curve.points.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        }
        curves
            .retain(|curve| curve.points.first().map(|(at, _)| *at) < curve.points.last().map(|(at, _)| *at));
        curves.truncate(MAX_LINES);
    }
    families.retain(|curves| !curves.is_empty());
    families
}

/// What the section of the load is called and about. Its address in the page is the same in any case: where
/// there is no curve, it is of the rates, and says how to get one.
pub(super) fn title(inputs: &[Input<'_>], has_curves: bool) -> (&'static str, &'static str) {
    if has_curves {
        let about = "How latency grows with the calls answered per second.";
        return ("Latency against load", about);
    }
    if inputs.iter().any(|input| !input.run.capacity.is_empty()) {
        let about = "The highest rate at which each back end kept its objective, and the calls answered per second \
                     at that rate. How latency grows on the way there takes a [sweep] of rate_per_s.";
        return ("Capacity", about);
    }
    let about = "How many calls each back end answered per second under this load. How latency grows with load takes \
                 several load points: a [sweep] of rate_per_s or concurrency, or [capacity] for the highest rate \
                 that keeps an objective.";
    ("Calls per second", about)
}

/// Latency against the rate that was reached, one block per run and load.
pub(super) fn load_blocks(inputs: &[Input<'_>], palette: &Palette) -> Result<Vec<Block>, ChartError> {
    let mut blocks = Vec::new();
    for (index, input) in inputs.iter().enumerate() {
        let knees = knees(&input.run.cells);
        for along in [Along::Rate, Along::Concurrency] {
            for curves in families(&input.run.cells, along) {
                let number = blocks.len() + 1;
                let id = if number == 1 { "load-curve".to_owned() } else { format!("load-curve-{number}") };
                let heading = if inputs.len() > 1 { format!("Run {}", index + 1) } else { String::new() };
                blocks.extend(load_block(&id, heading, along, &curves, &knees, palette)?);
            }
        }
    }
    Ok(blocks)
}

/// The cells at which curves have their knee.
fn knees(cells: &[CellResult]) -> Vec<&CellResult> {
    let knee = |curve: &crate::result::Curve| {
        let point = curve.points.get(usize::try_from(curve.knee?).ok()?)?;
        usize::try_from(point.cell).ok()
    };
    analysis::curves(cells).iter().filter_map(knee).filter_map(|index| cells.get(index)).collect()
}

fn load_block(
    id: &str,
    heading: String,
    along: Along,
    curves: &[Curve<'_>],
    knees: &[&CellResult],
    palette: &Palette,
) -> Result<Option<Block>, ChartError> {
    let log = |value: f64| value.max(1e-9).log10();
    let at = |cell: &CellResult| cell.figures.rate_per_s.filter(|rate| *rate > 0.0).map(log);
    let mut lines = Vec::new();
    let mut dots = Vec::new();
    let mut legend = Vec::new();
    let mut rows = Vec::new();
    for curve in curves {
        let series = palette.series(curve.backend);
        let of = |quantile: fn(&CellResult) -> Option<u64>, weight: Weight, name: String| {
            let points = curve.points.iter().filter(|(_, cell)| cell.verdict.is_valid());
            let points =
                points.filter_map(|(_, cell)| Some((at(cell)?, log(quantile(cell)? as f64)))).collect();
            PlotLine { series, weight, name, points }
        };
        let name = line(curve.backend, MAX_NAME);
        lines.push(of(|cell| times(cell).p99, Weight::Main, name.clone()));
        lines.push(of(|cell| times(cell).p50, Weight::Thin, String::new()));
        for (_, cell) in &curve.points {
            let tail = times(cell).p99.or(times(cell).p50);
            if let Some((x, y)) = at(cell).zip(tail) {
                let is_knee = knees.iter().any(|knee| std::ptr::eq(*knee, *cell));
                let size = if is_knee { 7 } else { 4 };
                dots.push(Dot { series, at: (x, log(y as f64)), filled: cell.verdict.is_valid(), size });
            }
        }
        legend.push(Key::line(series, name.clone()));
        rows.extend(curve.points.iter().map(|(x, cell)| load_row(&name, along, *x, cell)));
    }
    lines.retain(|line| !line.points.is_empty());
    let points =
        || lines.iter().flat_map(|line| line.points.iter().copied()).chain(dots.iter().map(|dot| dot.at));
    let draw = |frame: &Frame<'_>| {
        let wide = frame.width > 600;
        let x = Axis::logarithmic(
            points().map(|(x, _)| x),
            Unit::Plain,
            if wide { 10 } else { 4 },
            "calls answered per second",
        );
        let y = Axis::logarithmic(points().map(|(_, y)| y), Unit::Time, 8, if wide { "latency" } else { "" });
        let (Some(x), Some(y)) = (x, y) else { return Err(ChartError::of("a load curve needs points")) };
        plot(&Plot { lines: lines.clone(), dots: dots.clone(), ..Plot::new(x, y) }, frame)
    };
    if points().next().is_none() {
        return Ok(None);
    }
    let steps = match along {
        Along::Rate => "offered rates",
        _ => "calls in flight",
    };
    let description = format!(
        "Line chart of latency against calls answered per second for {} back ends as {steps} grow. \
         The figures are in the table below it.",
        curves.len()
    );
    let title = "Latency against load";
    let pair = twice(id, title, &description, draw)?;
    let chart = Chart {
        legend,
        legend_when_narrow: true,
        note: format!(
            "p99 with dots, p50 thin, as {steps} grow. A large dot is the knee: the most calls per second for each unit of \
             mean time. Hollow dots do not count (overloaded, or another verdict); of \
             those without a p99 the median is shown."
        ),
        grid: Some(Grid {
            title: title.to_owned(),
            header: ["back end", "load", "answered", "p50", "p90", "p99", "verdict"]
                .map(str::to_owned)
                .to_vec(),
            rows,
        }),
        ..Chart::of(id.to_owned(), "", pair)
    };
    Ok(Some(Block::of(format!("{id}-block"), heading, vec![chart])))
}

fn load_row(name: &str, along: Along, x: f64, cell: &CellResult) -> Vec<String> {
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    let time = |value: Option<u64>| or_nothing(value.map(|value| duration_ns(value as f64)));
    let of = times(cell);
    vec![
        name.to_owned(),
        match along {
            Along::Rate => rate_per_s(x),
            Along::Concurrency => format!("{x} in flight"),
            Along::Payload => format!("{x} B"),
        },
        or_nothing(cell.figures.rate_per_s.map(rate_per_s)),
        time(of.p50),
        time(of.p90),
        time(of.p99),
        cell.verdict.reasons.first().map_or("valid", |reason| reason.kind.name()).to_owned(),
    ]
}

/// How rate and latency change with concurrency and with payload, one block per run and load.
pub(super) fn scaling_blocks(inputs: &[Input<'_>], palette: &Palette) -> Result<Vec<Block>, ChartError> {
    let mut blocks = Vec::new();
    for (index, input) in inputs.iter().enumerate() {
        for along in [Along::Concurrency, Along::Payload] {
            for curves in families(&input.run.cells, along) {
                let number = blocks.len() + 1;
                let id = if number == 1 {
                    "scaling-curves".to_owned()
                } else {
                    format!("scaling-curves-{number}")
                };
                let heading = if inputs.len() > 1 { format!("Run {}", index + 1) } else { String::new() };
                blocks.extend(scaling_block(&id, heading, along, &curves, palette)?);
            }
        }
    }
    Ok(blocks)
}

fn scaling_block(
    id: &str,
    heading: String,
    along: Along,
    curves: &[Curve<'_>],
    palette: &Palette,
) -> Result<Option<Block>, ChartError> {
    let (axis_name, unit) = match along {
        Along::Payload => ("payload", Unit::Bytes),
        _ => ("calls in flight", Unit::Plain),
    };
    type Value = fn(&CellResult) -> Option<f64>;
    let panels: [(&str, &str, Unit, Value); 4] = [
        ("rate", "Calls per second", Unit::Plain, |cell| cell.figures.rate_per_s),
        ("p50", "Median", Unit::Time, |cell| times(cell).p50.map(|value| value as f64)),
        ("p99", "99th percentile", Unit::Time, |cell| times(cell).p99.map(|value| value as f64)),
        ("cpu", "CPU per call, both sides", Unit::Time, |cell| {
            let cpu = cell.figures.cpu_us_per_call;
            Some((cpu.client? + cpu.server?) * 1e3)
        }),
    ];
    let mut small = Vec::new();
    for (name, title, y_unit, value) in panels {
        let mut lines = Vec::new();
        let mut dots = Vec::new();
        for curve in curves {
            let series = palette.series(curve.backend);
            let at = |x: &f64, cell: &CellResult| {
                let y = value(cell).filter(|y| *y > 0.0 && *x > 0.0)?;
                Some((x.log10(), y.log10()))
            };
            let valid = curve.points.iter().filter(|(_, cell)| cell.verdict.is_valid());
            let points = valid.filter_map(|(x, cell)| at(x, cell)).collect();
            lines.push(PlotLine { series, weight: Weight::Main, name: String::new(), points });
            dots.extend(curve.points.iter().filter_map(|(x, cell)| {
                Some(Dot { series, at: at(x, cell)?, filled: cell.verdict.is_valid(), size: 4 })
            }));
        }
        lines.retain(|line| !line.points.is_empty());
        let x = Axis::logarithmic(dots.iter().map(|dot| dot.at.0), unit, 5, axis_name);
        let y = Axis::logarithmic(dots.iter().map(|dot| dot.at.1), y_unit, 6, "");
        let (Some(x), Some(y)) = (x, y) else { continue };
        let description = format!(
            "{title} against {axis_name} for {} back ends, both logarithmic. The figures are in the table below.",
            curves.len()
        );
        let (width, height) = SMALL;
        let frame = Frame { id: &format!("{id}-{name}"), title, description: &description, width, height };
        small.push(Small {
            title: title.to_owned(),
            charts: vec![plot(&Plot { lines, dots, ..Plot::new(x, y) }, &frame)?],
            note: String::new(),
        });
    }
    if small.is_empty() {
        return Ok(None);
    }
    let mut chart = Chart::of_small(id.to_owned(), &format!("With {axis_name}"), small);
    chart.legend = curves
        .iter()
        .map(|curve| Key::line(palette.series(curve.backend), line(curve.backend, MAX_NAME)))
        .collect();
    let rows = curves
        .iter()
        .flat_map(|curve| {
            let name = line(curve.backend, MAX_NAME);
            curve.points.iter().map(move |(x, cell)| load_row(&name, along, *x, cell)).collect::<Vec<_>>()
        })
        .collect();
    chart.grid = Some(Grid {
        title: format!("Scaling with {axis_name}"),
        header: ["back end", "load", "answered", "p50", "p90", "p99", "verdict"].map(str::to_owned).to_vec(),
        rows,
    });
    Ok(Some(Block::of(format!("{id}-block"), heading, vec![chart])))
}
