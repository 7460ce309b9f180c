//! Where the difference between two back ends comes from, with a number of the run behind each part.
//!
//! The difference of two cells is taken apart along a chain: what another implementation of the same protocol
//! costs (a server in Python against ours), then the envelope, the codec and the transport, where the run
//! has the free pairs that tell them apart (`attribution`). What the chain cannot reach is one part of its
//! own, and never shared out. Bytes, processor time, stages and connections stand beside it as they were
//! measured. Pure; the sentences are `report`'s.

mod chain;
mod facts;
mod stages;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use chain::{Cause, Difference, Part};
pub use facts::{BytesRow, ConnectionFact};
pub use stages::{StageGroup, StageRow, StagesDifference};

use super::attribution::{Estimate, Metric, NotEstimable, Series, Table, difference_of_load};
use crate::result::{CellResult, Idle, LoadModel, Placement, RunResult};

/// One of the two back ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// The cell's position in the run.
    pub cell: usize,
    /// The back end's name.
    pub backend: String,
    /// The named protocol; null for a free pair.
    pub protocol: Option<String>,
    /// The codec.
    pub codec: String,
    /// The transport.
    pub transport: String,
    /// Who wrote the server, where that is known.
    pub implementation: Option<String>,
}

/// Why what follows must be read with care.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Caution {
    /// A measurement does not count.
    Invalid {
        /// The back end.
        backend: String,
        /// Why, as its verdict has it.
        reasons: Vec<String>,
    },
    /// The two were loaded differently, so that their difference says nothing about what they speak.
    LoadsDiffer {
        /// In what.
        what: String,
    },
    /// One call at a time on two sleeping cores: the waking of a core hides the rest.
    WakeUp,
    /// Closed loop with several calls in flight: the service time contains waiting for the other calls.
    Queued {
        /// Calls in flight.
        concurrency: u64,
    },
    /// The run has one round, which cannot tell by how much rounds differ.
    OneRound,
}

/// Two back ends at one load point.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The load point's short name; empty where the run has one only.
    pub point: String,
    /// The one whose calls take longer; as asked for, where times were not measured.
    pub slower: Side,
    /// The other.
    pub faster: Side,
    /// Why to be careful.
    pub cautions: Vec<Caution>,
    /// Each metric that was measured of both, taken apart; slower less faster.
    pub differences: Vec<Difference>,
    /// Why codec and transport are not told apart; null where they are.
    pub not_split: Option<String>,
    /// Where the time goes by stamps inside the calls; null where one of the two has none.
    pub stages: Option<StagesDifference>,
    /// Bytes per call.
    pub bytes: Vec<BytesRow>,
    /// How the two handle connections, where there is something to say.
    pub connections: Vec<ConnectionFact>,
}

/// Why there is nothing to explain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// The run has no such back end.
    #[error("the run has no back end {name:?}; it has: {}", allowed.join(", "))]
    UnknownBackend {
        /// What was asked for.
        name: String,
        /// What there is.
        allowed: Vec<String>,
    },
    /// A back end against itself.
    #[error("{name:?} against itself: name two back ends of the run: {}", allowed.join(", "))]
    Same {
        /// What was asked for twice.
        name: String,
        /// What there is.
        allowed: Vec<String>,
    },
    /// The run has no such load point.
    #[error("the run has no load point {name:?}; it has: {}", allowed.join(", "))]
    UnknownPoint {
        /// What was asked for.
        name: String,
        /// What there is.
        allowed: Vec<String>,
    },
    /// They were never loaded alike.
    #[error("{one:?} and {other:?} have no load point in common, so there is no difference to explain")]
    Apart {
        /// The one.
        one: String,
        /// The other.
        other: String,
    },
}

/// The load points of a run, in its order.
#[must_use]
pub fn load_points(cells: &[CellResult]) -> Vec<&str> {
    let mut points: Vec<&str> = Vec::new();
    for cell in cells {
        if !points.contains(&cell.point.as_str()) {
            points.push(&cell.point);
        }
    }
    points
}

/// Checks the name of a load point.
///
/// # Errors
/// There is no such load point.
pub fn check_point(cells: &[CellResult], point: &str) -> Result<(), ExplainError> {
    let points = load_points(cells);
    if points.contains(&point) {
        return Ok(());
    }
    let quoted = |point: &&str| format!("{point:?}");
    Err(ExplainError::UnknownPoint { name: point.to_owned(), allowed: points.iter().map(quoted).collect() })
}

/// Explains the difference between two back ends, at each load point that both have or at the one asked for.
///
/// # Errors
/// A name that the run does not have, or nothing to compare.
pub fn explain(
    run: &RunResult,
    one: &str,
    other: &str,
    point: Option<&str>,
) -> Result<Vec<Explanation>, ExplainError> {
    let cells = &run.cells;
    let mut allowed: Vec<String> = Vec::new();
    for cell in cells {
        if !allowed.contains(&cell.backend) {
            allowed.push(cell.backend.clone());
        }
    }
    for name in [one, other] {
        if !allowed.iter().any(|known| known == name) {
            return Err(ExplainError::UnknownBackend { name: name.to_owned(), allowed });
        }
    }
    if one == other {
        return Err(ExplainError::Same { name: one.to_owned(), allowed });
    }
    if let Some(point) = point {
        check_point(cells, point)?;
    }
    let at = |backend: &str, point: &str| {
        cells.iter().position(|cell| cell.backend == backend && cell.point == point)
    };
    let explanations: Vec<Explanation> = load_points(cells)
        .into_iter()
        .filter(|known| point.is_none_or(|asked| asked == *known))
        .filter_map(|point| explain_cells(cells, at(one, point)?, at(other, point)?))
        .collect();
    if explanations.is_empty() {
        return Err(ExplainError::Apart { one: one.to_owned(), other: other.to_owned() });
    }
    Ok(explanations)
}

fn explain_cells(cells: &[CellResult], one: usize, other: usize) -> Option<Explanation> {
    // By what is then taken apart: the mean of the rounds, which the cell's own quantile may contradict.
    let time = |cell: usize| {
        let cell = cells.get(cell)?;
        let of_rounds = Series::of(cell, Metric::ServiceNs).mean(None);
        of_rounds.or_else(|| Metric::ServiceNs.of(&cell.figures, &cell.load))
    };
    let swap = time(one).zip(time(other)).is_some_and(|(one, other)| one < other);
    let (slow, fast) = if swap { (other, one) } else { (one, other) };
    let (slower, faster) = (cells.get(slow)?, cells.get(fast)?);
    let table = Table::new(cells, &slower.point);
    let cautions = cautions(slower, faster);
    let alike = !cautions.iter().any(|caution| matches!(caution, Caution::LoadsDiffer { .. }));
    let differences =
        if alike { chain::differences(cells, slow, fast, table.as_ref().ok()) } else { Vec::new() };
    let lumped = |part: &Part| matches!(&part.cause, Cause::Protocol { what } if what.len() > 1);
    let not_split = differences.iter().flat_map(|one| &one.parts).any(lumped);
    Some(Explanation {
        point: slower.point.clone(),
        slower: side(slow, slower),
        faster: side(fast, faster),
        cautions,
        not_split: not_split.then(|| why_not_split(table.as_ref().err(), slower, faster)),
        differences,
        stages: stages::stages(slower, faster),
        bytes: facts::bytes(slower, faster),
        connections: facts::connections(cells, slow, fast),
    })
}

fn why_not_split(error: Option<&NotEstimable>, slower: &CellResult, faster: &CellResult) -> String {
    if let Some(invalid) = [slower, faster].into_iter().find(|cell| !cell.verdict.is_valid()) {
        return format!("the measurement of {} is not valid", invalid.backend);
    }
    error.map_or_else(
        || {
            format!(
                "the run's valid free pairs do not have both {} over {} and {} over {}",
                slower.codec, slower.transport, faster.codec, faster.transport
            )
        },
        ToString::to_string,
    )
}

fn side(index: usize, cell: &CellResult) -> Side {
    Side {
        cell: index,
        backend: cell.backend.clone(),
        protocol: cell.protocol.clone(),
        codec: cell.codec.clone(),
        transport: cell.transport.clone(),
        implementation: cell.implementation.clone(),
    }
}

fn cautions(slower: &CellResult, faster: &CellResult) -> Vec<Caution> {
    let mut cautions = Vec::new();
    if let Some(what) = difference_of_load(slower, faster) {
        cautions.push(Caution::LoadsDiffer { what: what.to_owned() });
    }
    for cell in [slower, faster].into_iter().filter(|cell| !cell.verdict.is_valid()) {
        let reasons = cell.verdict.reasons.iter().map(|reason| reason.kind.name().to_owned()).collect();
        cautions.push(Caution::Invalid { backend: cell.backend.clone(), reasons });
    }
    let load = &slower.load;
    match (load.model, load.concurrency) {
        (LoadModel::Closed, Some(1)) if load.placement == Placement::Split && load.idle == Idle::Park => {
            cautions.push(Caution::WakeUp);
        }
        (LoadModel::Closed, Some(concurrency)) if concurrency > 1 => {
            cautions.push(Caution::Queued { concurrency });
        }
        _ => {}
    }
    if slower.rounds.len() < 2 || faster.rounds.len() < 2 {
        cautions.push(Caution::OneRound);
    }
    cautions
}

/// Everything that `explain` can say of a run without two names: each load point taken apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overview {
    /// The load point's short name.
    pub point: String,
    /// Its parts; null where they cannot be told apart.
    pub attribution: Option<super::Attribution>,
    /// Why not.
    pub not_split: Option<String>,
}

/// Takes each load point of a run apart, or the one asked for.
///
/// # Errors
/// There is no such load point.
pub fn overview(run: &RunResult, point: Option<&str>) -> Result<Vec<Overview>, ExplainError> {
    if let Some(point) = point {
        check_point(&run.cells, point)?;
    }
    let points =
        load_points(&run.cells).into_iter().filter(|known| point.is_none_or(|asked| asked == *known));
    let of = |point: &str| {
        let (attribution, not_split) = match super::attribute(&run.cells, point) {
            Ok(attribution) => (Some(attribution), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Overview { point: point.to_owned(), attribution, not_split }
    };
    Ok(points.map(of).collect())
}
