//! Carries out a plan: round after round, each on disk when it ends, and the run's result after each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

use super::describe::describe;
use super::interrupt::Interrupt;
use super::missing::{look_for_commands, skipped_for, start_optional_ones};
use super::plan::{Cell, Plan};
use super::round::{Extras, FinishedRound, RoundError, run_round_with};
use crate::analysis::{self, Limits, Outcome, RoundInput, cell_from_rounds, evaluate_gates};
use crate::host::disturbance::Snapshot;
use crate::host::{self, HostError};
use crate::result::{
    CellKey, CellResult, Reason, ReasonKind, RoundResult, RunResult, SCHEMA_VERSION, ScenarioRecord, Skipped,
    Status, Store, StoreError, Versions, WirePass, rfc3339_ms,
};
use crate::scenario::without_secrets;

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

/// A round that was tried.
struct Tried {
    order: u64,
    implementation: Option<String>,
    histograms: Option<String>,
    outcome: Result<RoundResult, Reason>,
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
    let folder = plan.scenario.folder.clone().unwrap_or_else(|| PathBuf::from("."));
    let mut skipped: BTreeMap<String, Skipped> = BTreeMap::new();
    for (backend, why) in &plan.left_out {
        let how_to_get_it = Some(String::from("change the scenario so that the protocol can carry it"));
        skipped
            .insert(backend.clone(), Skipped { backend: backend.clone(), why: why.clone(), how_to_get_it });
    }
    look_for_commands(plan, options.require_all, &folder, &mut skipped)?;
    if options.require_all {
        start_optional_ones(plan, &folder, interrupt)?;
    }
    let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let started_ms = i64::try_from(started.as_millis()).unwrap_or(i64::MAX);
    let mut store = match &options.out {
        Some(dir) => Store::create(dir)?,
        None => Store::create_in(Path::new("reports"), &plan.scenario.file_stem, started_ms / 1_000)?,
    };
    let dir = store.dir().to_owned();
    let mut run = blank(plan, options, started_ms);
    let mut tried: Vec<Vec<Tried>> = plan.cells.iter().map(|_| Vec::new()).collect();
    // The parent stays away from the measured cores where it can.
    if let Some(cell) = plan.cells.first() {
        let _ = host::placement::pin_self(&cell.cpus.harness);
    }
    let before = (Snapshot::take(), processor_time_ns());
    for (order, &(index, round)) in plan.order.iter().enumerate() {
        if interrupt.is_set() {
            break;
        }
        let cell = &plan.cells[index];
        if skipped.contains_key(&cell.backend.name) {
            continue;
        }
        progress.begins(&label(cell), order + 1, plan.order.len());
        let mut implementation = None;
        let outcome = match hopeless(&tried[index]) {
            Some(reason) => Err(reason),
            None => match run_round_with(cell, &plan.service, &folder, interrupt, extras(&tried[index])) {
                Ok(FinishedRound { result, implementation: said }) => {
                    implementation = said;
                    Ok(result)
                }
                Err(RoundError::Interrupted) => break,
                Err(RoundError::Host(error))
                    if error.is_missing() && cell.backend.optional && !options.require_all =>
                {
                    let entry = skipped_for(&cell.backend.name, &error);
                    progress.ended(Some(&format!("skipped: {}", entry.why)));
                    skipped.insert(cell.backend.name.clone(), entry);
                    continue;
                }
                Err(error) => Err(Reason { kind: ReasonKind::Failed, detail: error.to_string() }),
            },
        };
        let histograms = match &outcome {
            Ok(result) => {
                let key = CellKey { backend: cell.backend.name.clone(), point: cell.point.label.clone() };
                Some(store.write_round(&key, u64::from(round) + 1, result).map_err(lost(&dir))?)
            }
            Err(_) => None,
        };
        let note = match &outcome {
            Ok(result) => result.mishap.clone(),
            Err(reason) => Some(reason.detail.clone()),
        };
        tried[index].push(Tried { order: order as u64, implementation, histograms, outcome });
        progress.ended(note.as_deref());
        assemble(&mut run, plan, &tried, &skipped, Some(index));
        run.interrupted = true;
        store.write_run(&run).map_err(lost(&dir))?;
    }
    run.environment.warnings.extend(disturbed(before));
    run.interrupted = interrupt.is_set();
    assemble(&mut run, plan, &tried, &skipped, None);
    store.write_run(&run).map_err(lost(&dir))?;
    let interrupted = run.interrupted;
    Ok(FinishedRun { result: run, dir, interrupted })
}

fn lost(dir: &Path) -> impl FnOnce(StoreError) -> RunError {
    |source| RunError::Lost { dir: dir.to_owned(), source }
}

/// What others did on the machine while the rounds ran, where it is worth a word.
fn disturbed((before, own_before_ns): (Option<Snapshot>, u64)) -> Option<String> {
    let own_ns = processor_time_ns().saturating_sub(own_before_ns);
    let seen = before?.until(&Snapshot::take()?, own_ns);
    seen.is_notable().then(|| format!("while the rounds ran, {seen}"))
}

/// The processor time of this process and of every child that has ended.
fn processor_time_ns() -> u64 {
    let used = |who| {
        let usage = getrusage(who).ok()?;
        u64::try_from((usage.user_time() + usage.system_time()).num_nanoseconds()).ok()
    };
    [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN].into_iter().filter_map(used).sum()
}

/// The name of a cell for people.
fn label(cell: &Cell) -> String {
    if cell.point.label.is_empty() {
        cell.backend.name.clone()
    } else {
        format!("{} ({})", cell.backend.name, cell.point.label)
    }
}

/// How many rounds of a cell may try to count bytes.
const WIRE_ATTEMPTS: usize = 2;

/// What the next round of a cell is to find out beside its times: bytes are counted once.
fn extras(tried: &[Tried]) -> Extras {
    let mut passes = tried.iter().filter_map(|round| round.outcome.as_ref().ok()?.wire_pass.as_ref());
    let failed = passes.clone().filter(|pass| !pass.has_counts()).count();
    Extras { wire_pass: failed < WIRE_ATTEMPTS && !passes.any(WirePass::has_counts) }
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

fn blank(plan: &Plan, options: &RunOptions, started_ms: i64) -> RunResult {
    RunResult {
        schema_version: SCHEMA_VERSION,
        wirebench: Versions {
            version: env!("CARGO_PKG_VERSION").into(),
            git: option_env!("WIREBENCH_GIT").filter(|git| !git.is_empty()).map(str::to_owned),
        },
        started_at: rfc3339_ms(started_ms),
        seed: plan.scenario.seed,
        scenario: ScenarioRecord {
            name: plan.scenario.name.clone(),
            file: plan.scenario.folder.is_some().then(|| plan.scenario.file.clone()),
            text: without_secrets(&plan.scenario.text),
            overrides: options.overrides.clone(),
        },
        environment: host::environment(),
        verdict: Status::Invalid,
        interrupted: false,
        skipped: Vec::new(),
        gates: Vec::new(),
        notes: Vec::new(),
        selftest: super::selftest::last(),
        curves: Vec::new(),
        cells: Vec::new(),
    }
}

/// Brings the result up to date: the cell that has a new round, or every cell.
fn assemble(
    run: &mut RunResult,
    plan: &Plan,
    tried: &[Vec<Tried>],
    skipped: &BTreeMap<String, Skipped>,
    changed: Option<usize>,
) {
    let limits = Limits { errors: plan.scenario.gates.errors };
    let mut cells: Vec<CellResult> = Vec::with_capacity(plan.cells.len());
    let mut kept = std::mem::take(&mut run.cells).into_iter();
    for (index, cell) in plan.cells.iter().enumerate() {
        let is_skipped = skipped.contains_key(&cell.backend.name);
        if is_skipped {
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
    run.cells = cells;
    run.curves = analysis::curves(&run.cells);
    run.skipped = skipped.values().cloned().collect();
    run.gates = evaluate_gates(&plan.scenario.gates.slo, &run.cells);
    let all_valid = run.cells.iter().all(|cell| cell.verdict.is_valid());
    run.verdict = if all_valid && !run.cells.is_empty() { Status::Valid } else { Status::Invalid };
}

fn judged(cell: &Cell, tried: &[Tried], limits: &Limits) -> CellResult {
    let inputs: Vec<RoundInput<'_>> = tried
        .iter()
        .map(|round| RoundInput {
            order: round.order,
            histograms: round.histograms.clone(),
            outcome: round.outcome.as_ref().map_err(Reason::clone),
        })
        .collect();
    let mut description = describe(cell);
    // What the server calls itself says more than its command.
    if let Some(said) = tried.iter().find_map(|round| round.implementation.clone()) {
        description.implementation = Some(said);
    }
    cell_from_rounds(description, &inputs, limits)
}

/// The outcome of a run for the exit code; an interrupted one has its own.
#[must_use]
pub fn exit_code(run: &FinishedRun) -> u8 {
    if run.interrupted { super::INTERRUPTED } else { analysis::outcome_of_run(&run.result).code() }
}
