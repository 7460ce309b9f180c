//! What connections cost, told where a run is about it: where some of its cells open one for each call.

use super::view::{Group, NOTHING, nanoseconds};
use crate::analysis::count;
use crate::result::{ConnectionMode, Quantiles, RunResult};

/// What is told: medians, with the 99th percentile of the first call, which alone is a call.
pub(super) const COLUMNS: [&str; 7] =
    ["back end", "opened", "resolve p50", "connect p50", "handshake p50", "first call p50", "first call p99"];

/// A row of [`COLUMNS`] for each cell of a load point that opened connections.
pub(super) fn rows(run: &RunResult, group: &Group) -> Vec<[String; 7]> {
    let is_about_it = run.cells.iter().any(|cell| cell.load.connection_mode == ConnectionMode::PerCall);
    if !is_about_it {
        return Vec::new();
    }
    let cells = group.rows.iter().filter_map(|row| run.cells.get(row.cell));
    cells
        .filter_map(|cell| {
            let cost = cell.figures.connection_ns?;
            let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
            let p50 =
                |of: Option<Quantiles>| or_nothing(nanoseconds(of.and_then(|of| of.p50.or(alone(&of)))));
            Some([
                cell.backend.clone(),
                or_nothing(cell.figures.connections_opened.map(count)),
                p50(cost.resolve),
                p50(cost.connect),
                p50(cost.handshake),
                p50(cost.first_call),
                or_nothing(nanoseconds(cost.first_call.and_then(|of| of.p99))),
            ])
        })
        .collect()
}

/// A few kept connections have no median with an interval; their mean is still what they took.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn alone(of: &Quantiles) -> Option<u64> {
    of.mean.map(|mean| mean.round() as u64)
}

/// What the columns mean, for below the table.
pub(super) const LEGEND: &str = "Opening a connection, and its first call once it is open; of fewer than 20 connections the mean. zmq opens in one step.";
