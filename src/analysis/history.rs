//! Trends over stored runs: for looking, never for gating. Each figure with the machine it was measured on,
//! because a step in a line is as often another machine as another program.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ranking::judged_times;
use crate::result::{CellResult, LoadModel, RunResult};

/// A run's figures, as an index keeps them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IndexedRun {
    /// The run's folder, within the folder of all.
    pub folder: String,
    /// The length and time of its `run.json`, by which a changed one is noticed.
    pub stamp: String,
    /// When it began: RFC 3339, UTC.
    pub started_at: String,
    /// The scenario's name.
    pub scenario: String,
    /// Version and commit of Wirebench.
    pub wirebench: String,
    /// Processor, cores and kernel.
    pub machine: String,
    /// Its cells.
    pub cells: Vec<IndexedCell>,
}

/// A cell's figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IndexedCell {
    /// Back end and load point.
    pub cell: String,
    /// The load in short, with the placement: only the same is one line.
    pub load: String,
    /// Whether it counts.
    pub valid: bool,
    /// The figures by name, in base units (ns, calls/s, µs/call, bytes/call).
    pub figures: BTreeMap<String, f64>,
}

/// One figure over time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trend {
    /// The scenario.
    pub scenario: String,
    /// Back end and load point.
    pub cell: String,
    /// The load in short.
    pub load: String,
    /// The figure: `service p50 (ns)`.
    pub figure: String,
    /// The runs, in order of time.
    pub points: Vec<TrendPoint>,
}

/// A run in a trend.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrendPoint {
    /// When.
    pub started_at: String,
    /// The run's folder.
    pub folder: String,
    /// Version and commit.
    pub wirebench: String,
    /// The machine.
    pub machine: String,
    /// The figure.
    pub value: f64,
}

/// What an index keeps of a run.
#[must_use]
pub fn indexed(folder: &str, stamp: &str, run: &RunResult) -> IndexedRun {
    let environment = &run.environment;
    let machine = [
        environment.cpu.clone(),
        environment.cores.map(|cores| format!("{cores} cores")),
        environment.kernel.clone(),
    ];
    let git = run.wirebench.git.as_ref().map_or_else(String::new, |git| format!(" {git}"));
    IndexedRun {
        folder: folder.to_owned(),
        stamp: stamp.to_owned(),
        started_at: run.started_at.clone(),
        scenario: run.scenario.name.clone(),
        wirebench: format!("{}{git}", run.wirebench.version),
        machine: machine.into_iter().flatten().collect::<Vec<_>>().join(", "),
        cells: run.cells.iter().map(indexed_cell).collect(),
    }
}

fn indexed_cell(cell: &CellResult) -> IndexedCell {
    let load = &cell.load;
    let (kind, shape) = match load.model {
        LoadModel::Open => ("response", format!("open {}/s", load.rate_per_s.unwrap_or(0.0))),
        LoadModel::Closed => ("service", format!("closed {}", load.concurrency.unwrap_or(0))),
    };
    let times = judged_times(cell);
    let bytes = cell.figures.bytes_per_call;
    let figures = [
        (format!("{kind} p50 (ns)"), times.p50.map(|ns| ns as f64)),
        (format!("{kind} p99 (ns)"), times.p99.map(|ns| ns as f64)),
        ("throughput (calls/s)".to_owned(), cell.figures.rate_per_s),
        ("server CPU (µs/call)".to_owned(), cell.figures.cpu_us_per_call.server),
        ("encoded request (bytes/call)".to_owned(), bytes.request.encoded),
        ("encoded answer (bytes/call)".to_owned(), bytes.response.encoded),
    ];
    IndexedCell {
        cell: cell.label(),
        load: format!("{shape}, {}, {}", load.placement, load.connection_mode),
        valid: cell.verdict.is_valid(),
        figures: figures.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
    }
}

/// The trends of all valid cells: by scenario, cell, load and figure; the runs in order of time.
#[must_use]
pub fn trends(runs: &[IndexedRun]) -> Vec<Trend> {
    let mut sorted: Vec<&IndexedRun> = runs.iter().collect();
    sorted.sort_by(|a, b| (&a.started_at, &a.folder).cmp(&(&b.started_at, &b.folder)));
    let mut found: BTreeMap<[&str; 4], Vec<TrendPoint>> = BTreeMap::new();
    for run in sorted {
        for cell in run.cells.iter().filter(|cell| cell.valid) {
            for (figure, value) in &cell.figures {
                found.entry([&run.scenario, &cell.cell, &cell.load, figure]).or_default().push(TrendPoint {
                    started_at: run.started_at.clone(),
                    folder: run.folder.clone(),
                    wirebench: run.wirebench.clone(),
                    machine: run.machine.clone(),
                    value: *value,
                });
            }
        }
    }
    found
        .into_iter()
        .map(|(key, points)| {
            let [scenario, cell, load, figure] = key.map(str::to_owned);
            Trend { scenario, cell, load, figure, points }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(folder: &str, at: &str, p50: f64, load: &str) -> IndexedRun {
        let figures = [("service p50 (ns)".to_owned(), p50)].into();
        IndexedRun {
            folder: folder.into(),
            stamp: String::new(),
            started_at: at.into(),
            scenario: "seed".into(),
            wirebench: "0.1.0".into(),
            machine: "m".into(),
            cells: vec![IndexedCell { cell: "grpc".into(), load: load.into(), valid: true, figures }],
        }
    }

    #[test]
    fn runs_of_the_same_load_are_one_line_in_order_of_time() {
        let mut invalid = run("d", "2023-01-04", 1.0, "closed 1, shared");
        invalid.cells[0].valid = false;
        let runs = [
            run("b", "2023-01-02", 2.0, "closed 1, shared"),
            run("a", "2023-01-01", 1.0, "closed 1, shared"),
            run("c", "2023-01-03", 9.0, "closed 1, split"),
            invalid,
        ];
        let found = trends(&runs);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].points.iter().map(|point| point.value).collect::<Vec<_>>(), [1.0, 2.0]);
        assert_eq!(found[1].load, "closed 1, split");
    }
}
