//! What was measured of two cells beside their times: bytes and connections, side by side.

use serde::Serialize;

use super::super::attribution::{Estimate, Metric, Series, jackknife};
use super::super::quantiles::CONFIDENCE;
use crate::result::{CellResult, ConnectionMode, MessageBytes};

/// From this many connections per call on, a back end is said to open one per call.
const ONE_PER_CALL: f64 = 0.5;

/// Bytes per call of one direction in both back ends; null where not measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BytesRow {
    /// `request` or `response`.
    pub direction: &'static str,
    /// Of the slower back end.
    pub slower: MessageBytes,
    /// Of the faster one.
    pub faster: MessageBytes,
}

/// How a back end handles connections.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConnectionFact {
    /// The back end.
    pub backend: String,
    /// What the load asks for.
    pub mode: ConnectionMode,
    /// How many connections were opened per call.
    pub opened_per_call: f64,
    /// Whether that is one per call, whatever the load asked for.
    pub is_per_call: bool,
    /// What opening one took on average, in nanoseconds; null where not measured.
    pub opening_ns: Option<f64>,
    /// How much longer its calls take with a connection per call than with persistent ones, in
    /// nanoseconds; null where the run does not have both.
    pub per_call_costs_ns: Option<Estimate>,
}

pub(super) fn bytes(slower: &CellResult, faster: &CellResult) -> Vec<BytesRow> {
    let (slower, faster) = (&slower.figures.bytes_per_call, &faster.figures.bytes_per_call);
    let rows = [
        BytesRow { direction: "request", slower: slower.request, faster: faster.request },
        BytesRow { direction: "response", slower: slower.response, faster: faster.response },
    ];
    let nothing = MessageBytes::default();
    rows.into_iter().filter(|row| row.slower != nothing || row.faster != nothing).collect()
}

/// The facts of both, where one opens a connection per call or the run tells what that costs.
pub(super) fn connections(cells: &[CellResult], slow: usize, fast: usize) -> Vec<ConnectionFact> {
    let facts: Vec<ConnectionFact> = [slow, fast]
        .into_iter()
        .filter_map(|index| cells.get(index))
        .filter_map(|cell| connection(cells, cell))
        .collect();
    let is_of_interest = facts.iter().any(|fact| fact.is_per_call || fact.per_call_costs_ns.is_some());
    if is_of_interest { facts } else { Vec::new() }
}

fn connection(cells: &[CellResult], cell: &CellResult) -> Option<ConnectionFact> {
    let calls = cell.figures.calls.filter(|calls| *calls > 0)?;
    // The warm-up's connections are among them: its calls are not.
    let opened_per_call = cell.figures.connections_opened? as f64 / calls as f64;
    let opening = cell.figures.opening_ns.as_ref();
    let sum = |opening: &crate::result::OpeningTime| {
        let parts = [opening.resolve, opening.connect, opening.handshake];
        parts.iter().any(Option::is_some).then(|| parts.into_iter().flatten().sum())
    };
    Some(ConnectionFact {
        backend: cell.backend.clone(),
        mode: cell.load.connection_mode,
        opened_per_call,
        is_per_call: opened_per_call >= ONE_PER_CALL,
        opening_ns: opening.and_then(sum),
        per_call_costs_ns: per_call_costs_ns(cells, cell),
    })
}

/// Of the cells of the back end that differ in the connection mode alone.
fn per_call_costs_ns(cells: &[CellResult], cell: &CellResult) -> Option<Estimate> {
    let is_other = |other: &&CellResult| {
        let mut load = other.load.clone();
        load.connection_mode = cell.load.connection_mode;
        other.backend == cell.backend
            && other.load.connection_mode != cell.load.connection_mode
            && load == cell.load
    };
    let other = cells.iter().find(is_other)?;
    let (per_call, persistent) = match cell.load.connection_mode {
        ConnectionMode::PerCall => (cell, other),
        ConnectionMode::Persistent => (other, cell),
    };
    let of = |cell: &CellResult| Series::of(cell, Metric::ServiceNs);
    let (per_call, persistent) = (of(per_call), of(persistent));
    let spreads = jackknife(per_call.rounds().max(persistent.rounds()), |without| {
        Some(vec![per_call.mean(without)? - persistent.mean(without)?])
    })?;
    spreads.first().map(|spread| spread.at(CONFIDENCE))
}
