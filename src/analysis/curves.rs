//! Curves: the cells of a sweep in a row, for each back end, with the knee. Pure.

use std::collections::BTreeMap;

use crate::result::{Axis, CellResult, Curve, CurvePoint, LoadModel, Quantiles};

/// A knee among fewer points says nothing.
const FEWEST_FOR_A_KNEE: usize = 3;

/// Every curve that the cells of a run make: for each back end and swept setting with two values or
/// more, the cells that differ in nothing else. In the order of the cells.
#[must_use]
pub fn curves(cells: &[CellResult]) -> Vec<Curve> {
    Axis::ALL.into_iter().flat_map(|axis| along(cells, axis)).collect()
}

fn along(cells: &[CellResult], axis: Axis) -> Vec<Curve> {
    let mut order: Vec<(&str, String)> = Vec::new();
    let mut found: BTreeMap<(&str, String), Vec<CurvePoint>> = BTreeMap::new();
    for (index, cell) in cells.iter().enumerate() {
        let Some(rest) = without(&cell.point, axis) else { continue };
        let Some(x) = place(cell, axis) else { continue };
        let key = (cell.backend.as_str(), rest);
        if !found.contains_key(&key) {
            order.push(key.clone());
        }
        found.entry(key).or_default().push(point(index, cell, x));
    }
    order
        .into_iter()
        .filter_map(|key| {
            let mut points = found.remove(&key)?;
            points.sort_by(|one, other| one.x.total_cmp(&other.x));
            let knee = if axis.is_load() { knee(cells, &points) } else { None };
            let (backend, point) = key;
            (points.len() > 1).then(|| Curve { backend: backend.to_owned(), axis, point, points, knee })
        })
        .collect()
}

/// The name of a load point without the swept setting; `None` where it does not name it.
fn without(point: &str, axis: Axis) -> Option<String> {
    let is_own = |word: &&str| word.split_once('=').is_some_and(|(key, _)| key == axis.name());
    point.split(' ').find(is_own)?;
    Some(point.split(' ').filter(|word| !is_own(word)).collect::<Vec<_>>().join(" "))
}

fn place(cell: &CellResult, axis: Axis) -> Option<f64> {
    let load = &cell.load;
    match axis {
        Axis::RatePerS => load.rate_per_s,
        Axis::Concurrency => load.concurrency.map(|calls| calls as f64),
        Axis::Connections => Some(load.connections as f64),
        Axis::InFlight => Some(load.in_flight as f64),
        Axis::Payload => load.payload_bytes.map(|bytes| bytes as f64),
        Axis::ThinkTime => load.think_time.map(|think| think.mean_ns()),
    }
}

fn point(index: usize, cell: &CellResult, x: f64) -> CurvePoint {
    let times = times(cell);
    CurvePoint {
        x,
        cell: index as u64,
        achieved_per_s: cell.figures.rate_per_s,
        p50_ns: times.p50,
        p90_ns: times.p90,
        p99_ns: times.p99,
        valid: cell.verdict.is_valid(),
    }
}

fn times(cell: &CellResult) -> &Quantiles {
    match cell.load.model {
        LoadModel::Open => &cell.figures.response_ns,
        LoadModel::Closed => &cell.figures.service_ns,
    }
}

/// Kleinrock's power: throughput over mean response time (Kleinrock 1979, "Power and deterministic
/// rules of thumb for probabilistic problems in computer communications"). Below its greatest value
/// more load buys more throughput than waiting, beyond it more waiting than throughput. It has no
/// parameter that could be chosen to please.
fn knee(cells: &[CellResult], points: &[CurvePoint]) -> Option<u64> {
    let power = |point: &CurvePoint| {
        let cell = cells.get(usize::try_from(point.cell).ok()?)?;
        let mean_ns = times(cell).mean.filter(|mean| *mean > 0.0)?;
        point.achieved_per_s.filter(|_| point.valid).map(|rate| rate / mean_ns)
    };
    let powers: Vec<(usize, f64)> =
        points.iter().enumerate().filter_map(|(index, point)| Some((index, power(point)?))).collect();
    let last = powers.last()?.0;
    let (best, _) = powers.iter().copied().max_by(|one, other| one.1.total_cmp(&other.1))?;
    (powers.len() >= FEWEST_FOR_A_KNEE && best != last).then_some(best as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{CellDescription, Limits, cell_from_rounds};
    use crate::result::{LoadRecord, Reason, ReasonKind, Verdict};

    /// A server that can do 1,000/s with exponential times (M/M/1): mean 1 / (μ − λ).
    fn cell(backend: &str, point: &str, rate: f64) -> CellResult {
        let load = LoadRecord { model: LoadModel::Open, rate_per_s: Some(rate), ..LoadRecord::default() };
        let description = CellDescription {
            backend: backend.into(),
            point: point.into(),
            load,
            ..CellDescription::default()
        };
        let mut cell = cell_from_rounds(description, &[], &Limits::default());
        cell.verdict = Verdict::default();
        cell.figures.rate_per_s = Some(rate.min(1_000.0));
        let mean_ns = if rate < 1_000.0 { 1e9 / (1_000.0 - rate) } else { 1e10 };
        cell.figures.response_ns.mean = Some(mean_ns);
        cell.figures.response_ns.p50 = Some((mean_ns * 0.7) as u64);
        cell
    }

    fn sweep(rates: &[f64]) -> Vec<CellResult> {
        rates.iter().map(|rate| cell("a", &format!("rate_per_s={rate}"), *rate)).collect()
    }

    #[test]
    fn the_knee_of_a_queue_is_at_half_of_what_it_can_do() {
        let cells = sweep(&[900.0, 100.0, 300.0, 500.0, 700.0]);
        let curves = curves(&cells);
        assert_eq!((curves.len(), curves[0].axis, curves[0].backend.as_str()), (1, Axis::RatePerS, "a"));
        let xs: Vec<f64> = curves[0].points.iter().map(|point| point.x).collect();
        assert_eq!(xs, [100.0, 300.0, 500.0, 700.0, 900.0]);
        assert_eq!(curves[0].knee, Some(2));
        assert_eq!(curves[0].points[2].cell, 3, "a point knows its cell");
    }

    #[test]
    fn there_is_no_knee_where_the_power_still_rises_or_points_are_few_or_invalid() {
        let knee = |cells: &[CellResult]| curves(cells)[0].knee;
        assert_eq!(knee(&sweep(&[100.0, 200.0, 300.0])), None);
        assert_eq!(knee(&sweep(&[500.0, 700.0])), None);
        let mut cells = sweep(&[300.0, 500.0, 900.0]);
        assert_eq!(knee(&cells), Some(1));
        cells[2].verdict = Verdict::of(vec![Reason { kind: ReasonKind::Overloaded, detail: String::new() }]);
        assert_eq!(knee(&cells), None);
    }

    #[test]
    fn cells_that_differ_elsewhere_are_on_curves_of_their_own() {
        let mut cells = Vec::new();
        for backend in ["a", "b"] {
            for placement in ["shared", "split"] {
                for rate in [10.0, 20.0] {
                    cells.push(cell(backend, &format!("rate_per_s={rate} placement={placement}"), rate));
                }
            }
        }
        let found: Vec<(String, String, usize)> = curves(&cells)
            .into_iter()
            .map(|curve| (curve.backend, curve.point, curve.points.len()))
            .collect();
        let curve =
            |backend: &str, placement: &str| (backend.to_owned(), format!("placement={placement}"), 2);
        assert_eq!(
            found,
            [curve("a", "shared"), curve("a", "split"), curve("b", "shared"), curve("b", "split")]
        );
        assert!(curves(&sweep(&[10.0])).is_empty(), "one point is no curve");
        assert!(curves(&[cell("a", "", 10.0)]).is_empty());
    }
}
