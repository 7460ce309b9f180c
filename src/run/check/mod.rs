//! `wirebench check`: is the candidate slower than the base?
//!
//! Pairs of rounds, one of each side in an order decided by a coin, each with fresh processes. The coin is
//! what makes the test exact: whatever the machine does between two rounds, on identical builds it is as
//! likely to be to the candidate's favour as to the base's. How it is decided is `analysis::compare`'s
//! work; this makes the rounds, drops pairs with an invalid one, looks when it was planned, and keeps all.
//!
//! Where capacities are compared a pair is two searches, and the coin decides which side is first in every
//! turn of them.

mod calibration;
mod error;
mod looks;
mod prepare;
mod searches;
mod series;
mod sides;
mod words;

use std::path::PathBuf;
use std::time::Instant;

pub use error::CheckError;

use self::prepare::{Prepared, prepare};
use self::series::{End, Series};
use self::sides::{Sides, plan_sides};
use super::Interrupt;
use super::describe::describe;
use super::session::{blank, disturbed, processor_time_ns};
use crate::analysis::Outcome;
use crate::analysis::compare::{OVERLOADED_TIMES, calibrated, sentence, status};
use crate::host::{self, disturbance::Snapshot};
use crate::result::{
    Calibration, CheckResult, CheckSettings, CheckStatus, LookRecord, MetricCheck, SCHEMA_VERSION,
    SearchSettings, Store, rfc3339_ms,
};
use crate::scenario::{Inconclusive, Scenario};

/// What a caller decides about a check beside its scenario.
#[derive(Debug, Clone, Default)]
pub struct CheckOptions {
    /// The back end that is compared with.
    pub base: String,
    /// The back end that is checked.
    pub candidate: String,
    /// Replaces the base's command.
    pub base_command: Option<String>,
    /// Replaces the candidate's command.
    pub candidate_command: Option<String>,
    /// The load point, where the scenario has several.
    pub point: Option<String>,
    /// The seed of the coin; `None` for another one each time.
    pub order_seed: Option<u64>,
    /// Measure how much the base varies against itself, and keep it.
    pub calibrate: bool,
    /// The file with calibrations; `None` for the one in the user's state folder.
    pub calibration: Option<PathBuf>,
    /// The check's folder; `None` for `reports/<name>-check-<time>`.
    pub out: Option<PathBuf>,
    /// What the command line changed in the scenario, as it was typed.
    pub overrides: Vec<String>,
}

/// Hears how a check goes on.
pub trait CheckProgress {
    /// Unscored rounds are made.
    fn practises(&mut self);
    /// Pair `number` of `total` begins; the text says what is still undecided.
    fn begins(&mut self, number: usize, total: usize, undecided: &str);
    /// A pair does not count.
    fn dropped(&mut self, why: &str);
    /// The data was looked at after so many pairs.
    fn looked(&mut self, pairs: usize, found: &str);
    /// A round of a search begins: whose, and at which rate.
    fn tries(&mut self, _round: &str) {}
}

/// A check that was carried out.
#[derive(Debug)]
pub struct FinishedCheck {
    /// What came out.
    pub result: CheckResult,
    /// Where it lies.
    pub dir: PathBuf,
    /// What was kept about this machine, and where, if it was asked for.
    pub calibrated: Option<(Calibration, PathBuf)>,
}

/// Carries out a check.
///
/// # Errors
/// See [`CheckError`]. Rounds that fail are part of the result.
pub fn check(
    scenario: Scenario,
    options: &CheckOptions,
    progress: &mut dyn CheckProgress,
    interrupt: &Interrupt,
) -> Result<FinishedCheck, CheckError> {
    let begun = Instant::now();
    let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let started_ms = i64::try_from(started.as_millis()).unwrap_or(i64::MAX);
    let order_seed = options.order_seed.unwrap_or_else(|| {
        u64::try_from(started.as_nanos() & u128::from(u64::MAX)).unwrap_or(0) ^ u64::from(std::process::id())
    });
    let mut sides = plan_sides(scenario, options)?;
    // What it says of the machine is read before this process keeps to some of its cores.
    let mut run = blank(&sides.plan, "check", &options.overrides, started_ms);
    let _ = host::placement::pin_self(&sides.plan.cells[0].cpus.harness);
    let before = (Snapshot::take(), processor_time_ns());
    let prepared = prepare(&mut sides, progress, interrupt)?;
    let store = match &options.out {
        Some(dir) => Store::create(dir)?,
        None => {
            let name = format!("{}-check", sides.plan.scenario.file_stem);
            Store::create_in(std::path::Path::new("reports"), &name, started_ms / 1_000)?
        }
    };
    let dir = store.dir().to_owned();
    let mut series = Series::new(&sides, &prepared, store, order_seed);
    let end = series.run(begun, progress, interrupt)?;

    run.environment.warnings.extend(disturbed(before));
    series.fill(&mut run);
    run.interrupted = interrupt.is_set();
    let (metrics, _) = series.judged_at(end.look());
    let (mut outcome, mut notes) = conclude(&end, &series, &metrics, &prepared);
    notes.extend(prepared.notes.iter().cloned());
    if options.calibrate && outcome == CheckStatus::Regressed {
        notes.insert(
            0,
            "a back end differs from itself: a false alarm, or a machine that is not quiet".into(),
        );
        outcome = CheckStatus::Inconclusive;
    }
    let mut load = describe(&sides.plan.cells[0]).load;
    if sides.capacity.is_some() {
        // The searches decide it, round by round.
        load.rate_per_s = None;
    }
    let mut result = CheckResult {
        schema_version: SCHEMA_VERSION,
        wirebench: run.wirebench.clone(),
        started_at: run.started_at.clone(),
        elapsed_s: begun.elapsed().as_secs_f64(),
        seed: run.seed,
        scenario: run.scenario.clone(),
        environment: run.environment.clone(),
        status: outcome,
        sentence: String::new(),
        interrupted: run.interrupted,
        base: sides.side(&run, 0),
        candidate: sides.side(&run, 1),
        load,
        settings: settings(&sides, &prepared, order_seed),
        metrics,
        bytes: prepared.bytes.clone(),
        errors: series.errors().clone(),
        pairs: series.pairs().to_vec(),
        calibration: None,
        notes,
    };
    result.sentence = sentence(&result);
    series.store().write_run(&run)?;
    series.store().write_check(&result)?;
    let calibrated = match keep_calibration(&mut result, &sides, options) {
        Ok(calibrated) => calibrated,
        Err(error) => {
            // What was measured counts all the same.
            result.notes.push(format!("the calibration could not be kept: {error}"));
            None
        }
    };
    series.store().write_check(&result)?;
    Ok(FinishedCheck { result, dir, calibrated })
}

/// What came of it, and why there is no verdict where there is none.
fn conclude(
    end: &End,
    series: &Series<'_>,
    metrics: &[MetricCheck],
    prepared: &Prepared,
) -> (CheckStatus, Vec<String>) {
    match end {
        End::Decided(_) => {
            let status = status(metrics, &prepared.bytes, series.errors());
            let mut notes = Vec::new();
            for (side, pairs) in
                sides::NAMES.into_iter().zip(series.overloaded()).filter(|(_, pairs)| *pairs > 0)
            {
                notes.push(format!(
                    "in {pairs} pairs the {side} alone was overloaded: its times count as at least \
                     {OVERLOADED_TIMES} times the other's"
                ));
            }
            match series.drops().against_candidate().or_else(|| prepared.bytes_unknown.clone()) {
                Some(why) if status != CheckStatus::Regressed => {
                    notes.insert(0, why);
                    (CheckStatus::Invalid, notes)
                }
                _ => (status, notes),
            }
        }
        End::Invalid(_, why) => (CheckStatus::Invalid, vec![why.clone()]),
        End::Interrupted(_) => {
            let pairs = series.counted();
            (
                CheckStatus::Invalid,
                vec![format!("it was interrupted after {pairs} pairs of {}", series.pairs_of())],
            )
        }
    }
}

fn settings(sides: &Sides, prepared: &Prepared, order_seed: u64) -> CheckSettings {
    let gates = &sides.plan.scenario.gates;
    CheckSettings {
        alpha: gates.check.alpha,
        noise_margin: gates.check.noise_margin,
        limit: gates.check.limit,
        pairs: prepared.last().pairs as u64,
        looks: prepared
            .looks
            .iter()
            .map(|look| LookRecord { pairs: look.pairs as u64, level: look.level })
            .collect(),
        round_ms: prepared.round_ns / 1_000_000,
        budget_s: gates.check.rounds.is_none().then_some(gates.check.budget_or_default_ns() as f64 / 1e9),
        order_seed,
        inconclusive_fails: gates.inconclusive == Inconclusive::Fail,
        search: sides.capacity.as_ref().map(|capacity| SearchSettings {
            slo: capacity.slo.iter().map(|gate| gate.text.clone()).collect(),
            precision: capacity.precision,
        }),
    }
}

/// Keeps what was found about this machine, or adds what is known.
fn keep_calibration(
    result: &mut CheckResult,
    sides: &Sides,
    options: &CheckOptions,
) -> Result<Option<(Calibration, PathBuf)>, CheckError> {
    let file = options.calibration.as_deref();
    if !options.calibrate {
        result.calibration = calibration::last(file, &result.scenario.name, &result.base.backend);
        return Ok(None);
    }
    if result.status == CheckStatus::Invalid {
        return Ok(None);
    }
    let found = Calibration {
        at: rfc3339_ms(
            i64::try_from(
                std::time::SystemTime::now()
                    .duration_since(std::time::UNIX_EPOCH)
                    .unwrap_or_default()
                    .as_millis(),
            )
            .unwrap_or(0),
        ),
        machine: calibration::machine(),
        wirebench: result.wirebench.version.clone(),
        scenario: result.scenario.name.clone(),
        backend: result.base.backend.clone(),
        pairs: result.pairs_counted() as u64,
        metrics: calibrated(&result.metrics, sides.plan.scenario.gates.check.limit),
    };
    let path = calibration::keep(file, &found)?;
    result.calibration = Some(found.clone());
    Ok(Some((found, path)))
}

/// The outcome of a check for the exit code; an interrupted one has its own.
#[must_use]
pub fn outcome_of_check(check: &CheckResult) -> Outcome {
    match check.status {
        CheckStatus::Pass => Outcome::Good,
        CheckStatus::Regressed => Outcome::Regression,
        CheckStatus::Inconclusive if check.settings.inconclusive_fails => Outcome::Inconclusive,
        CheckStatus::Inconclusive => Outcome::Good,
        CheckStatus::Invalid => Outcome::Invalid,
    }
}
