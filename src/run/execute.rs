//! Carries out a plan: round after round, each on disk when it ends, and the run's result after each.

use std::path::PathBuf;

use super::interrupt::Interrupt;
use super::plan::Plan;
use super::round::Extras;
use super::session::{Made, Session, Tried, judged};
use crate::analysis::{self, Limits, Outcome};
use crate::host::HostError;
use crate::result::{CellResult, Reason, ReasonKind, RunResult, StoreError};

/// What a caller decides about a run beside its scenario.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// The run's folder; `None` for `reports/<name>-<time>`.
    pub out: Option<PathBuf>,
    /// A back end that cannot start is an error even if it is optional.
    pub require_all: bool,
    /// What the command line changed in the scenario, as it was typed.
    pub overrides: Vec<String>,
}

/// Hears how a run goes on.
pub trait Progress {
    /// Round `number` of `total` begins.
    fn begins(&mut self, cell: &str, number: usize, total: usize);
    /// It is over; the text says what is worth knowing.
    fn ended(&mut self, note: Option<&str>);
}

/// Why a run ended without a result.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A back end that is not optional cannot start.
    #[error("back end {backend}: {source}")]
    Missing {
        /// The back end.
        backend: String,
        /// What is missing, and how to get it.
        source: HostError,
    },
    /// The run's folder cannot be made or written; nothing was measured.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A result could not be written after rounds were measured: the disk is full, mostly.
    #[error("{source}; the run was ended, and the rounds that it finished before are in {}", dir.display())]
    Lost {
        /// The run's folder.
        dir: PathBuf,
        /// What could not be written.
        source: StoreError,
    },
}

impl RunError {
    /// The exit code: what was lost after measuring is an invalid measurement.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Missing { .. } | Self::Store(_) => Outcome::Usage.code(),
            Self::Lost { .. } => Outcome::Invalid.code(),
        }
    }
}

/// A run that was carried out.
#[derive(Debug)]
pub struct FinishedRun {
    /// What came out.
    pub result: RunResult,
    /// Where it lies.
    pub dir: PathBuf,
    /// Whether the user ended it.
    pub interrupted: bool,
}

/// Runs a plan.
///
/// # Errors
/// See [`RunError`]. Cells that fail are part of the result.
pub fn execute(
    plan: &Plan,
    options: &RunOptions,
    progress: &mut dyn Progress,
    interrupt: &Interrupt,
) -> Result<FinishedRun, RunError> {
    let mut session = Session::open(plan, options, interrupt)?;
    if let Some(objective) = &plan.scenario.capacity {
        super::capacity::search(&mut session, objective, progress)?;
        session.look_around();
        return session.close();
    }
    let mut tried: Vec<Vec<Tried>> = plan.cells.iter().map(|_| Vec::new()).collect();
    for (number, &(index, round)) in plan.order.iter().enumerate() {
        let own = &tried[index];
        let passes = || own.iter().filter_map(|round| round.outcome.as_ref().ok()?.wire_pass.as_ref());
        let extras = hopeless(own).map_or_else(|| Ok(Extras::after(passes())), Err);
        let place = (number + 1, plan.order.len());
        match session.make(&plan.cells[index], u64::from(round) + 1, place, extras, progress)? {
            Made::Interrupted => break,
            Made::Skipped => {}
            Made::Round(made) => {
                tried[index].push(*made);
                assemble(&mut session, &tried, Some(index));
                session.keep()?;
            }
        }
    }
    session.look_around();
    assemble(&mut session, &tried, None);
    session.close()
}

const NOT_TRIED: &str = "not tried again";

/// A server that could not be started twice is not tried again: each attempt may take its whole
/// time-out.
fn hopeless(tried: &[Tried]) -> Option<Reason> {
    let failed = tried.iter().filter(|round| round.outcome.is_err()).count();
    let last = tried.last()?;
    match &last.outcome {
        Err(reason) if failed >= 2 && failed == tried.len() => {
            let detail = if reason.detail.starts_with(NOT_TRIED) {
                reason.detail.clone()
            } else {
                let first_line = reason.detail.lines().next().unwrap_or_default();
                format!("{NOT_TRIED} after {failed} failures: {first_line}")
            };
            Some(Reason { kind: ReasonKind::Failed, detail })
        }
        _ => None,
    }
}

/// Brings the result up to date: the cell that has a new round, or every cell.
fn assemble(session: &mut Session<'_>, tried: &[Vec<Tried>], changed: Option<usize>) {
    let plan = session.plan;
    let limits = Limits { errors: plan.scenario.gates.errors, objective_ns: None };
    let mut cells: Vec<CellResult> = Vec::with_capacity(plan.cells.len());
    let mut kept = std::mem::take(&mut session.run.cells).into_iter();
    for (index, cell) in plan.cells.iter().enumerate() {
        if session.skipped.contains_key(&cell.backend.name) {
            continue;
        }
        let is_same = |known: &CellResult| {
            known.backend == cell.backend.name && known.point == cell.point.label && changed != Some(index)
        };
        let known = kept.next().filter(is_same);
        cells.push(match (known, changed) {
            (Some(known), Some(_)) => known,
            _ => judged(cell, &tried[index], &limits),
        });
    }
    session.set_cells(cells);
}

/// The outcome of a run for the exit code; an interrupted one has its own.
#[must_use]
pub fn exit_code(run: &FinishedRun) -> u8 {
    if run.interrupted { super::INTERRUPTED } else { analysis::outcome_of_run(&run.result).code() }
}
