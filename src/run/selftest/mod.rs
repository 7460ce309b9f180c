//! `wirebench selftest`: proves the measuring on this machine against known truths.
//!
//! Each case is a scenario with one round, measured as `wirebench run` measures: fresh processes, a
//! real protocol over a socket. The server keeps a record of its calls; what the response times
//! really were follows from the record and the schedule (see `truth`), and from a rule where there is
//! one. A process is stopped to prove the verdicts. The outcome is stored, and later runs carry it.
//!
//! It tests the tool, so that it may only loosen nothing: a case that fails while something else
//! disturbed the machine is repeated, where there is time, and that is said.

mod case;
mod check;
mod lines;
mod round;
mod store;
mod truth;
#[cfg(test)]
mod virtual_clock;

use std::time::{Duration, Instant};

use serde::Serialize;

pub use check::{Check, Comparison};
pub use store::{StoreError, last, store};
pub(super) use store::{machine, state_folder};

use super::{Interrupt, RoundError};
use crate::host::disturbance::Disturbance;
use crate::result::{Quantiles, SelftestRecord, rfc3339_ms};

/// So many failures may be repeated, where a disturbance was seen: as many as fit into [`LIMIT`].
const REPEATS: u32 = 3;
/// Beside its load, a case starts and ends two processes.
const AROUND: Duration = Duration::from_millis(500);
/// A selftest that is not thorough repeats nothing that would take it beyond this.
const LIMIT: Duration = Duration::from_secs(88);

/// What to test.
#[derive(Debug, Clone)]
pub struct SelftestOptions {
    /// More calls, and the rules beside the server's record.
    pub thorough: bool,
    /// The protocol.
    pub protocol: String,
    /// Only these cases; empty for all.
    pub only: Vec<String>,
    /// Pace wrongly, to see the selftest fail.
    pub break_pacer: bool,
}

/// The outcome of a selftest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Selftest {
    /// When it began: RFC 3339, UTC.
    pub at: String,
    /// Whether every case passed.
    pub passed: bool,
    /// The protocol.
    pub protocol: String,
    /// Every case that was run.
    pub cases: Vec<CaseOutcome>,
}

/// The outcome of a case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaseOutcome {
    /// Its name.
    pub name: String,
    /// What it is.
    pub about: String,
    /// Whether all was within its tolerance.
    pub passed: bool,
    /// How often it was run: twice where the first time something disturbed it.
    pub attempts: u32,
    /// Measured times and the truth.
    pub comparisons: Vec<Comparison>,
    /// What else must hold.
    pub checks: Vec<Check>,
    /// What else the machine did, in words.
    pub disturbance: String,
    #[serde(skip)]
    figures: Quantiles,
    #[serde(skip)]
    disturbed: bool,
}

/// Why a selftest has no outcome.
#[derive(Debug, thiserror::Error)]
pub enum SelftestError {
    /// The user ended it.
    #[error("interrupted")]
    Interrupted,
    /// A case cannot be planned: this protocol cannot carry it, or the machine has no room.
    #[error("{0}")]
    Scenario(String),
    /// `--only` names no case.
    #[error("there is no case {name}; allowed: {allowed}")]
    Only {
        /// The name.
        name: String,
        /// The names of all cases.
        allowed: String,
    },
    /// A round has no result.
    #[error(transparent)]
    Round(RoundError),
    /// Files cannot be written.
    #[error("cannot make a temporary folder: {0}")]
    Files(#[source] std::io::Error),
    /// The server's record is missing or damaged.
    #[error("no record of the server's calls: {0}")]
    Log(String),
}

impl SelftestError {
    /// Whether nothing was measured because of what was asked.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(self, SelftestError::Scenario(_) | SelftestError::Only { .. })
    }
}

/// Runs a selftest. `progress` hears of each case before it begins and after it ended.
///
/// # Errors
/// See [`SelftestError`]; a case that fails is no error but part of the outcome.
pub fn selftest(
    options: &SelftestOptions,
    interrupt: &Interrupt,
    progress: &mut dyn FnMut(&str),
) -> Result<Selftest, SelftestError> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let at = rfc3339_ms(i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
    let cases = case::cases(options.thorough);
    if let Some(name) = options.only.iter().find(|name| cases.iter().all(|case| case.name != **name)) {
        let allowed: Vec<&str> = cases.iter().map(|case| case.name).collect();
        return Err(SelftestError::Only { name: name.clone(), allowed: allowed.join(", ") });
    }
    let begun = Instant::now();
    let is_chosen =
        |case: &&case::Case| options.only.is_empty() || options.only.iter().any(|name| name == case.name);
    let chosen: Vec<&case::Case> = cases.iter().filter(is_chosen).collect();
    let length = |case: &case::Case| Duration::from_secs(case.seconds) + AROUND;
    let mut outcomes: Vec<CaseOutcome> = Vec::new();
    let mut repeats = if options.break_pacer { 0 } else { REPEATS };
    for (index, case) in chosen.iter().enumerate() {
        progress(&format!("{}: {}", case.name, case.about));
        let mut outcome = run_case(case, options, interrupt, &outcomes)?;
        let left: Duration = chosen[index..].iter().map(|case| length(case)).sum();
        while !outcome.passed
            && outcome.disturbed
            && repeats > 0
            && (options.thorough || begun.elapsed() + left <= LIMIT)
        {
            repeats -= 1;
            progress(&format!("{}: again, because {}", case.name, outcome.disturbance));
            let attempts = outcome.attempts + 1;
            outcome = CaseOutcome { attempts, ..run_case(case, options, interrupt, &outcomes)? };
        }
        outcomes.push(outcome);
    }
    Ok(Selftest {
        at,
        passed: outcomes.iter().all(|outcome| outcome.passed),
        protocol: options.protocol.clone(),
        cases: outcomes,
    })
}

fn run_case(
    case: &case::Case,
    options: &SelftestOptions,
    interrupt: &Interrupt,
    before: &[CaseOutcome],
) -> Result<CaseOutcome, SelftestError> {
    let measured = round::measure(case, &options.protocol, options.break_pacer, interrupt)?;
    let closed =
        |name: &str| before.iter().find(|outcome| outcome.name == name).map(|outcome| outcome.figures);
    let (comparisons, checks) = check::compare(case, &measured, &closed);
    Ok(outcome(case, comparisons, checks, measured.disturbance, measured.cell.figures.response_ns))
}

fn outcome(
    case: &case::Case,
    comparisons: Vec<Comparison>,
    checks: Vec<Check>,
    disturbance: Disturbance,
    figures: Quantiles,
) -> CaseOutcome {
    CaseOutcome {
        name: case.name.to_owned(),
        about: case.about.to_owned(),
        passed: comparisons.iter().all(|comparison| comparison.passed)
            && checks.iter().all(|check| check.passed),
        attempts: 1,
        comparisons,
        checks,
        disturbance: disturbance.in_numbers(),
        figures,
        disturbed: disturbance.moves_a_tail(),
    }
}

impl Selftest {
    /// What later runs carry.
    #[must_use]
    pub fn record(&self) -> SelftestRecord {
        SelftestRecord {
            at: self.at.clone(),
            passed: self.passed,
            lines: self.cases.iter().map(lines::one_line).collect(),
        }
    }

    /// The outcome for people: a table, and what is to be known of cases that failed.
    #[must_use]
    pub fn text(&self) -> String {
        lines::text(self)
    }
}
