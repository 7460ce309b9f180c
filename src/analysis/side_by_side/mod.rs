//! Two stored runs side by side: for looking. Rounds of another time have another machine around them,
//! so that nothing here is a verdict, but for what is exact: encoded bytes.

mod differences;

use serde::Serialize;

use self::differences::{load_differences, refusals, run_differences};
use super::ranking::judged_times;
use crate::result::{BytesCheck, CellResult, CheckStatus, LoadModel, RunResult};

/// Something that is not the same in both runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unlike {
    /// What.
    pub what: String,
    /// In the first run.
    pub a: String,
    /// In the second.
    pub b: String,
}

/// One of the two runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SideRun {
    /// Where it lies, as who asks named it; `None` where nobody did.
    pub path: Option<String>,
    /// When it began.
    pub started_at: String,
}

/// A figure of both runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SideRow {
    /// The figure: `service p50`.
    pub name: String,
    /// `ns`, `calls/s`, `µs/call`.
    pub unit: &'static str,
    /// Of the first run.
    pub a: Option<f64>,
    /// Of the second.
    pub b: Option<f64>,
    /// b/a − 1.
    pub change: Option<f64>,
    /// Whether it differs by more than the rounds of both runs do: their ranges do not touch. It is no
    /// test; with three rounds it happens to identical builds too.
    pub beyond_rounds: Option<bool>,
}

/// A cell that both runs have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SideCell {
    /// Back end and load point.
    pub cell: String,
    /// How its load and server differ.
    pub differences: Vec<Unlike>,
    /// Its figures.
    pub rows: Vec<SideRow>,
    /// Encoded bytes of the first seeded calls, where both runs counted the same ones.
    pub bytes: Vec<BytesCheck>,
}

/// Two runs side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SideBySide {
    /// The first run and the second.
    pub runs: [SideRun; 2],
    /// How machine, program and scenario differ.
    pub differences: Vec<Unlike>,
    /// The cells of both.
    pub cells: Vec<SideCell>,
    /// Cells that are not compared, and why.
    pub left_out: Vec<String>,
}

impl SideBySide {
    /// Whether a method of the second run encodes to more bytes.
    #[must_use]
    pub fn has_more_bytes(&self) -> bool {
        self.cells.iter().flat_map(|cell| &cell.bytes).any(|method| method.verdict == CheckStatus::Regressed)
    }
}

/// A comparison that would mean nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the runs cannot be compared: {0}")]
pub struct NotComparable(pub String);

/// Puts two runs side by side: cells of the same back end and load point. With `gate_bytes` more encoded
/// bytes are a regression.
///
/// # Errors
/// The comparison would mean nothing, and why.
pub fn side_by_side(a: &RunResult, b: &RunResult, gate_bytes: bool) -> Result<SideBySide, NotComparable> {
    if let Some(why) = refusals(a, b) {
        return Err(NotComparable(why));
    }
    let mut cells = Vec::new();
    let mut left_out = Vec::new();
    let mut refused = Vec::new();
    for ours in &a.cells {
        let same = |cell: &&CellResult| cell.backend == ours.backend && cell.point == ours.point;
        let Some(theirs) = b.cells.iter().find(same) else {
            left_out.push(format!("{}: the second run has no such cell", ours.label()));
            continue;
        };
        match load_differences(ours, theirs) {
            Err(why) => refused.push(format!("{}: {why}", ours.label())),
            Ok(_) if !ours.verdict.is_valid() || !theirs.verdict.is_valid() => {
                left_out.push(format!("{}: its measurement is not valid in both runs", ours.label()));
            }
            Ok(differences) => cells.push(SideCell {
                cell: ours.label(),
                differences,
                rows: rows(ours, theirs),
                bytes: if a.seed == b.seed { bytes(ours, theirs, gate_bytes) } else { Vec::new() },
            }),
        }
    }
    for theirs in &b.cells {
        if !a.cells.iter().any(|cell| cell.backend == theirs.backend && cell.point == theirs.point) {
            left_out.push(format!("{}: the first run has no such cell", theirs.label()));
        }
    }
    if cells.is_empty() {
        let why: Vec<String> = refused.into_iter().chain(left_out).collect();
        let why = if why.is_empty() { "neither has a cell".to_owned() } else { why.join("; ") };
        return Err(NotComparable(why));
    }
    left_out.extend(refused);
    let runs = [a, b].map(|run| SideRun { path: None, started_at: run.started_at.clone() });
    Ok(SideBySide { runs, differences: run_differences(a, b), cells, left_out })
}

fn rows(a: &CellResult, b: &CellResult) -> Vec<SideRow> {
    let kind = if a.load.model == LoadModel::Open { "response" } else { "service" };
    let nanoseconds = |value: Option<u64>| value.map(|ns| ns as f64);
    let times = |of: fn(&crate::result::Quantiles) -> Option<u64>| {
        move |cell: &CellResult| nanoseconds(of(judged_times(cell)))
    };
    let row = |name: &str, unit, of: &dyn Fn(&CellResult) -> Option<f64>| {
        let (ours, theirs) = (of(a), of(b));
        let ranges = range(a, of).zip(range(b, of));
        SideRow {
            name: name.to_owned(),
            unit,
            a: ours,
            b: theirs,
            change: ours
                .zip(theirs)
                .filter(|(ours, _)| *ours > 0.0)
                .map(|(ours, theirs)| theirs / ours - 1.0),
            beyond_rounds: ranges.map(|(ours, theirs)| ours[1] < theirs[0] || theirs[1] < ours[0]),
        }
    };
    vec![
        row(&format!("{kind} p50"), "ns", &times(|of| of.p50)),
        row(&format!("{kind} p99"), "ns", &times(|of| of.p99)),
        row(&format!("{kind} p99.9"), "ns", &times(|of| of.p999)),
        row("throughput", "calls/s", &|cell| cell.figures.rate_per_s),
        row("server CPU", "µs/call", &|cell| cell.figures.cpu_us_per_call.server),
        row("client CPU", "µs/call", &|cell| cell.figures.cpu_us_per_call.client),
    ]
}

/// The least and the greatest figure of a cell's valid rounds, of two or more.
fn range(cell: &CellResult, of: &dyn Fn(&CellResult) -> Option<f64>) -> Option<[f64; 2]> {
    let mut values = Vec::new();
    for round in cell.rounds.iter().filter(|round| round.verdict.is_valid()) {
        let alone = CellResult { figures: round.figures.clone(), rounds: Vec::new(), ..cell.clone() };
        values.push(of(&alone)?);
    }
    if values.len() < 2 {
        return None;
    }
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    Some([least, values.into_iter().fold(0.0, f64::max)])
}

fn bytes(a: &CellResult, b: &CellResult, gated: bool) -> Vec<BytesCheck> {
    let mut found = Vec::new();
    for (name, ours) in &a.figures.methods {
        let theirs = b.figures.methods.get(name).and_then(|method| method.encoded_bytes_first_calls);
        let Some((ours, theirs)) = ours.encoded_bytes_first_calls.zip(theirs) else { continue };
        let Some((answer, other_answer)) = ours.response.zip(theirs.response) else { continue };
        if ours.calls != theirs.calls {
            continue;
        }
        let (request, response) = ([ours.request, theirs.request], [answer, other_answer]);
        let more = request[1] > request[0] || response[1] > response[0];
        let verdict = if gated && more { CheckStatus::Regressed } else { CheckStatus::Pass };
        found.push(BytesCheck { method: name.clone(), calls: ours.calls, request, response, gated, verdict });
    }
    found
}

#[cfg(test)]
mod tests;
