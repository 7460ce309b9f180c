//! A run under way: its folder, what was left out, and one round after another into it. Which rounds are
//! made is decided elsewhere: the plan's own (`execute`), or those of a search (`capacity`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

use super::describe::describe;
use super::execute::{FinishedRun, Progress, RunError, RunOptions};
use super::interrupt::Interrupt;
use super::missing::{look_for_commands, skipped_for, start_optional_ones};
use super::plan::{Cell, Plan};
use super::round::{Extras, FinishedRound, RoundError, run_round_with};
use crate::analysis::{Limits, RoundInput, cell_from_rounds, evaluate_gates};
use crate::host;
use crate::host::disturbance::{Own, Snapshot};
use crate::result::{
    CellKey, CellResult, Reason, ReasonKind, RoundResult, RunResult, SCHEMA_VERSION, ScenarioRecord, Skipped,
    Status, Store, StoreError, Versions, rfc3339_ms, shell_word,
};
use crate::scenario::{Expect, Scenario, without_secrets};

/// A round that was tried.
pub(super) struct Tried {
    pub(super) order: u64,
    pub(super) implementation: Option<String>,
    pub(super) histograms: Option<String>,
    pub(super) outcome: Result<RoundResult, Reason>,
}

/// What came of trying to make a round.
pub(super) enum Made {
    /// It was tried.
    Round(Box<Tried>),
    /// The back end is not installed here.
    Skipped,
    /// The user ended the run.
    Interrupted,
}

/// A run under way.
pub(super) struct Session<'a> {
    pub(super) plan: &'a Plan,
    pub(super) run: RunResult,
    pub(super) skipped: BTreeMap<String, Skipped>,
    options: &'a RunOptions,
    interrupt: &'a Interrupt,
    folder: PathBuf,
    store: Store,
    dir: PathBuf,
    /// The cores that this process could use when it was started.
    allowed: Vec<usize>,
    before: (Option<Snapshot>, u64),
    made: u64,
}

impl<'a> Session<'a> {
    /// Looks for what is missing and makes the run's folder.
    pub(super) fn open(
        plan: &'a Plan,
        options: &'a RunOptions,
        interrupt: &'a Interrupt,
    ) -> Result<Self, RunError> {
        let folder = plan.scenario.folder.clone().unwrap_or_else(|| PathBuf::from("."));
        let mut skipped: BTreeMap<String, Skipped> = BTreeMap::new();
        for (backend, why) in &plan.left_out {
            let how_to_get_it = Some(String::from("change the scenario so that the protocol can carry it"));
            let entry = Skipped { backend: backend.clone(), why: why.clone(), how_to_get_it };
            skipped.insert(backend.clone(), entry);
        }
        look_for_commands(plan, options.require_all, &folder, &mut skipped)?;
        if options.require_all {
            start_optional_ones(plan, &folder, interrupt)?;
        }
        let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let started_ms = i64::try_from(started.as_millis()).unwrap_or(i64::MAX);
        let store = match &options.out {
            Some(dir) => Store::create(dir)?,
            None => Store::create_in(Path::new("reports"), &plan.scenario.file_stem, started_ms / 1_000)?,
        };
        let dir = store.dir().to_owned();
        let run = blank(plan, "run", &options.overrides, started_ms);
        let allowed: Vec<usize> =
            host::placement::allowed_cpus().unwrap_or_default().iter().map(|cpu| cpu.number).collect();
        let before = (Snapshot::take(), processor_time_ns());
        Ok(Self { plan, run, skipped, options, interrupt, folder, store, dir, allowed, before, made: 0 })
    }

    /// Whether the user has ended the run.
    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupt.is_set()
    }

    /// Makes a round of a cell, the `number`th of about `total`, and puts it on disk: or, where
    /// `extras` is a reason, the round that was not worth trying.
    pub(super) fn make(
        &mut self,
        cell: &Cell,
        round: u64,
        (number, total): (usize, usize),
        extras: Result<Extras, Reason>,
        progress: &mut dyn Progress,
    ) -> Result<Made, RunError> {
        if self.is_interrupted() {
            return Ok(Made::Interrupted);
        }
        if self.skipped.contains_key(&cell.backend.name) {
            return Ok(Made::Skipped);
        }
        progress.begins(&label(cell), number, total);
        // The parent stays away from the measured cores where it can. A free cell's processes inherit where it
        // may run.
        let harness = &cell.cpus.harness;
        let _ = host::placement::pin_self(if harness.is_empty() { &self.allowed } else { harness });
        let mut implementation = None;
        let outcome = match extras {
            Err(reason) => Err(reason),
            Ok(extras) => {
                let made = run_round_with(cell, &self.plan.service, &self.folder, self.interrupt, extras);
                match made {
                    Ok(FinishedRound { result, implementation: said }) => {
                        implementation = said;
                        Ok(result)
                    }
                    Err(RoundError::Interrupted) => return Ok(Made::Interrupted),
                    Err(RoundError::Host(error))
                        if error.is_missing() && cell.backend.optional && !self.options.require_all =>
                    {
                        let entry = skipped_for(&cell.backend.name, &error);
                        progress.ended(Some(&format!("skipped: {}", entry.why)));
                        self.skipped.insert(cell.backend.name.clone(), entry);
                        return Ok(Made::Skipped);
                    }
                    Err(error) => Err(Reason { kind: ReasonKind::Failed, detail: error.to_string() }),
                }
            }
        };
        let histograms = match &outcome {
            Ok(result) => {
                let key = CellKey { backend: cell.backend.name.clone(), point: cell.point.label.clone() };
                Some(self.store.write_round(&key, round, result).map_err(lost(&self.dir))?)
            }
            Err(_) => None,
        };
        let note = match &outcome {
            Ok(result) => result.mishap.clone(),
            Err(reason) => Some(reason.detail.clone()),
        };
        progress.ended(note.as_deref());
        let order = self.made;
        self.made += 1;
        Ok(Made::Round(Box::new(Tried { order, implementation, histograms, outcome })))
    }

    /// What the cells are now, and what follows from them.
    pub(super) fn set_cells(&mut self, cells: Vec<CellResult>) {
        let run = &mut self.run;
        run.cells = cells;
        run.curves = crate::analysis::curves(&run.cells);
        run.skipped = self.skipped.values().cloned().collect();
        run.gates = evaluate_gates(&self.plan.scenario.gates.slo, &run.cells);
        let all_valid = run.cells.iter().all(|cell| cell.verdict.is_valid());
        run.verdict = if all_valid && !run.cells.is_empty() { Status::Valid } else { Status::Invalid };
    }

    /// Writes the result as it is: a run that ends here was interrupted.
    pub(super) fn keep(&mut self) -> Result<(), RunError> {
        self.run.interrupted = true;
        self.store.write_run(&self.run).map_err(lost(&self.dir))?;
        Ok(())
    }

    /// Looks what else the machine did meanwhile; the result is finished after that.
    pub(super) fn look_around(&mut self) {
        self.run.environment.warnings.extend(disturbed(self.before));
        self.run.interrupted = self.interrupt.is_set();
    }

    /// Writes the finished result.
    pub(super) fn close(self) -> Result<FinishedRun, RunError> {
        self.store.write_run(&self.run).map_err(lost(&self.dir))?;
        let interrupted = self.run.interrupted;
        Ok(FinishedRun { result: self.run, dir: self.dir, interrupted })
    }
}

fn lost(dir: &Path) -> impl FnOnce(StoreError) -> RunError {
    |source| RunError::Lost { dir: dir.to_owned(), source }
}

/// What others did on the machine while the rounds ran, where it is worth a word.
pub(super) fn disturbed((before, own_before_ns): (Option<Snapshot>, u64)) -> Option<String> {
    let own_ns = processor_time_ns().saturating_sub(own_before_ns);
    let own = Own { cpu_ns: own_ns, core_wait_ns: None };
    let seen = before?.until(&Snapshot::take()?, own);
    seen.is_notable().then(|| format!("while the rounds ran, {seen}"))
}

/// The processor time of this process and of every child that has ended.
pub(super) fn processor_time_ns() -> u64 {
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

/// What a run's result begins with. `subcommand` is the one that makes such a run.
pub(super) fn blank(plan: &Plan, subcommand: &str, overrides: &[String], started_ms: i64) -> RunResult {
    RunResult {
        schema_version: SCHEMA_VERSION,
        wirebench: Versions {
            version: env!("CARGO_PKG_VERSION").into(),
            git: option_env!("WIREBENCH_GIT").filter(|git| !git.is_empty()).map(str::to_owned),
        },
        started_at: rfc3339_ms(started_ms),
        seed: plan.scenario.seed,
        scenario: record(&plan.scenario, subcommand, overrides),
        environment: host::environment(),
        verdict: Status::Invalid,
        interrupted: false,
        skipped: Vec::new(),
        gates: Vec::new(),
        notes: Vec::new(),
        selftest: super::selftest::last(),
        curves: Vec::new(),
        capacity: Vec::new(),
        cells: Vec::new(),
    }
}

fn record(scenario: &Scenario, subcommand: &str, overrides: &[String]) -> ScenarioRecord {
    let file = scenario.folder.is_some().then(|| scenario.file.clone());
    let shown = shell_word(file.as_ref().unwrap_or(&scenario.file_stem));
    let words = ["wirebench", subcommand, &shown].into_iter().chain(overrides.iter().map(String::as_str));
    let loose = scenario.methods.iter().filter(|method| method.expect != Expect::Equal);
    ScenarioRecord {
        name: scenario.name.clone(),
        again: Some(words.collect::<Vec<_>>().join(" ")),
        file,
        text: without_secrets(&scenario.text),
        overrides: overrides.to_vec(),
        expect: loose.map(|method| (method.name.to_string(), method.expect.name().to_owned())).collect(),
    }
}

/// A cell from the rounds that were tried.
pub(super) fn judged<'t>(
    cell: &Cell,
    tried: impl IntoIterator<Item = &'t Tried> + Clone,
    limits: &Limits,
) -> CellResult {
    let inputs: Vec<RoundInput<'_>> = tried
        .clone()
        .into_iter()
        .map(|round| RoundInput {
            order: round.order,
            histograms: round.histograms.clone(),
            outcome: round.outcome.as_ref().map_err(Reason::clone),
        })
        .collect();
    let mut description = describe(cell);
    // What the server calls itself says more than its command.
    if let Some(said) = tried.into_iter().find_map(|round| round.implementation.clone()) {
        description.implementation = Some(said);
    }
    cell_from_rounds(description, &inputs, limits)
}
