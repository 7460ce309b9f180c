//! Pairs of a check that compares capacities: each is a search per side, their rounds in turn, so that a
//! machine that drifts is unfair to both alike.

use std::path::Path;
use std::time::{Duration, Instant};

use super::CheckProgress;
use super::error::CheckError;
use super::sides::{NAMES, Sides};
use crate::analysis::Limits;
use crate::analysis::compare::{capacities, middle_of, start_of_pair};
use crate::result::{CapacityResult, CellResult, ReasonKind, RunResult};
use crate::rpc::random::Random;
use crate::run::capacity::Seeker;
use crate::run::plan::Cell;
use crate::run::round::run_round;
use crate::run::session::Tried;
use crate::run::{Interrupt, RoundError};
use crate::scenario::{Capacity, LoadModel};

/// The search from afar only finds the neighbourhood.
const PRACTICE_PRECISION: f64 = 0.1;
/// It is tried so often: a busy moment is no reason to give up.
const ATTEMPTS: usize = 2;
/// Unscored searches may take as long as the whole budget, and this long where that is shorter: in a minute
/// or two most come to their end, and then say how much is needed.
const PRACTICE_AT_LEAST: Duration = Duration::from_secs(120);

/// How two searches ended.
pub(super) enum Ended {
    /// Both came to their end.
    Both,
    /// A round could not be made, or had wrong answers: on this side, for this reason.
    Broken {
        side: usize,
        reason: String,
        /// What was wrong were answers.
        wrong_answers: bool,
    },
    /// The user ended it.
    Interrupted,
}

/// A round that was tried; nothing where the user ended it.
type Tries = Result<Option<Tried>, CheckError>;

/// Makes the rounds of two searches in turn, `first` before the other, until both are over. `make` makes a
/// round of a side, the so manieth at its rate; it gives `None` where the user ended it.
pub(super) fn take_turns(
    seekers: &mut [Seeker; 2],
    first: usize,
    capacity: &Capacity,
    limits: &Limits,
    make: &mut dyn FnMut(usize, &Cell, u64) -> Tries,
) -> Result<Ended, CheckError> {
    loop {
        let mut is_over = true;
        for side in [first, 1 - first] {
            let Some((cell, round)) = seekers[side].next(capacity) else { continue };
            is_over = false;
            let Some(tried) = make(side, &cell, round)? else { return Ok(Ended::Interrupted) };
            let failed = tried.outcome.as_ref().err().map(|reason| format!("failed: {}", reason.detail));
            let judged = seekers[side].take(cell, tried, capacity, limits);
            if let Some(reason) = failed {
                return Ok(Ended::Broken { side, reason, wrong_answers: false });
            }
            let reasons = judged.iter().flat_map(|judged| &judged.verdict.reasons);
            if let Some(wrong) = reasons.clone().find(|reason| reason.kind == ReasonKind::WrongAnswers) {
                let reason = format!("{}: {}", wrong.kind.name(), wrong.detail);
                return Ok(Ended::Broken { side, reason, wrong_answers: true });
            }
        }
        if is_over {
            return Ok(Ended::Both);
        }
    }
}

/// What a round of a search is, for who waits.
pub(super) fn told(side: usize, cell: &Cell) -> String {
    match cell.point.load.model {
        LoadModel::Open { rate_per_s, .. } => format!("{} at {rate_per_s}/s", NAMES[side]),
        LoadModel::Closed { .. } => NAMES[side].to_owned(),
    }
}

/// The searches of a check.
pub(super) struct Searches {
    pub(super) capacity: Capacity,
    /// Where the capacities are about.
    middle_per_s: f64,
    luck: Random,
    /// Every search with the cell at its best, in the order of the pairs, the base first.
    done: Vec<(CapacityResult, Option<CellResult>)>,
}

impl Searches {
    pub(super) fn new(capacity: Capacity, middle_per_s: f64, order_seed: u64) -> Self {
        let luck = Random::labelled(order_seed, "start of searches");
        Self { capacity, middle_per_s, luck, done: Vec::new() }
    }

    /// The searches of the next pair. Each pair begins where the one before ended.
    pub(super) fn pair(&mut self, sides: &Sides, number: usize) -> [Seeker; 2] {
        let start_per_s = start_of_pair(self.middle_per_s, self.capacity.precision, self.luck.unit());
        [0, 1].map(|side| {
            let mut cell = sides.plan.cells[side].clone();
            cell.point.label = format!("pair={number}");
            Seeker::near(cell, &self.capacity, start_per_s)
        })
    }

    /// Keeps what two searches found, and returns it.
    pub(super) fn keep(&mut self, seekers: &[Seeker; 2], limits: &Limits) -> [CapacityResult; 2] {
        let found = [0, 1].map(|side: usize| seekers[side].outcome(&self.capacity));
        for (seeker, found) in seekers.iter().zip(&found) {
            if !found.probes.is_empty() {
                self.done.push((found.clone(), seeker.at_its_best(limits)));
            }
        }
        if let Ok(both) = capacities([&found[0], &found[1]]) {
            self.middle_per_s = middle_of(both);
        }
        found
    }

    /// Puts the searches into the result of the run: each pair is a load point.
    pub(super) fn fill(&self, run: &mut RunResult) {
        run.capacity = self.done.iter().map(|(found, _)| found.clone()).collect();
        run.cells = self.done.iter().filter_map(|(_, cell)| cell.clone()).collect();
    }
}

/// The `order` of the round that confirmed a search's rate.
#[allow(clippy::float_cmp)] // Rates are compared as they were asked for.
pub(super) fn confirmed(search: &CapacityResult) -> Option<u64> {
    let rate_per_s = search.rate_per_s?;
    let own = search.probes.iter().filter(|probe| probe.ok && probe.rate_per_s == rate_per_s);
    own.map(|probe| probe.order).next_back()
}

/// What unscored searches showed.
pub(super) struct Practised {
    /// Where the capacities are about.
    pub(super) middle_per_s: f64,
    /// How long a pair takes; zero where nobody asked.
    pub(super) pair_time: Duration,
}

/// Makes unscored searches: one per side from the scenario's rate on, which only finds the neighbourhood;
/// and, where the budget has to be divided, a pair as the later ones will be.
///
/// # Errors
/// A side does not work, or has no capacity within the limits of the search.
pub(super) fn practise(
    sides: &Sides,
    capacity: &Capacity,
    folder: &Path,
    is_timed: bool,
    progress: &mut dyn CheckProgress,
    interrupt: &Interrupt,
) -> Result<Practised, CheckError> {
    let coarse = Capacity { precision: capacity.precision.max(PRACTICE_PRECISION), ..capacity.clone() };
    let cell = |side: usize| sides.plan.cells[side].clone();
    let budget = Duration::from_nanos(sides.plan.scenario.gates.check.budget_or_default_ns());
    let (begun, at_most) = (Instant::now(), budget.max(PRACTICE_AT_LEAST));
    let mut practice = Practice { sides, folder, progress, interrupt, begun, at_most };
    let mut attempt = 1;
    let middle_per_s = loop {
        let seekers = [0, 1].map(|side| Seeker::new(cell(side), &coarse));
        match practice.search(seekers, &coarse)? {
            Ok(middle_per_s) => break middle_per_s,
            Err(_) if attempt < ATTEMPTS => attempt += 1,
            Err((side, reason)) => return Err(practice.failed(side, reason)),
        }
    };
    if !is_timed {
        return Ok(Practised { middle_per_s, pair_time: Duration::ZERO });
    }
    let begun = Instant::now();
    let seekers = [0, 1].map(|side| Seeker::near(cell(side), capacity, middle_per_s));
    // Whatever it found: it is as long as others.
    let found = practice.search(seekers, capacity)?;
    Ok(Practised { middle_per_s: found.unwrap_or(middle_per_s), pair_time: begun.elapsed() })
}

/// Unscored searches under way.
struct Practice<'a> {
    sides: &'a Sides,
    folder: &'a Path,
    progress: &'a mut dyn CheckProgress,
    interrupt: &'a Interrupt,
    begun: Instant,
    at_most: Duration,
}

impl Practice<'_> {
    /// The middle of the capacities that a pair of searches finds; or which side has none, and why.
    fn search(
        &mut self,
        mut seekers: [Seeker; 2],
        capacity: &Capacity,
    ) -> Result<Result<f64, (usize, String)>, CheckError> {
        let errors = self.sides.plan.scenario.gates.errors;
        let limits = Limits { errors, objective_ns: capacity.shortest_time_ns() };
        let mut make = |side: usize, cell: &Cell, _| {
            if self.begun.elapsed() >= self.at_most {
                return Err(CheckError::PracticeTooLong { at_most_s: self.at_most.as_secs() });
            }
            self.progress.tries(&told(side, cell));
            match run_round(cell, &self.sides.plan.service, self.folder, self.interrupt) {
                Ok(made) => Ok(Some(Tried {
                    order: 0,
                    implementation: made.implementation,
                    histograms: None,
                    outcome: Ok(made.result),
                })),
                Err(RoundError::Interrupted) => Ok(None),
                Err(error) => Err(CheckError::of_round(side, &cell.backend.name, error)),
            }
        };
        match take_turns(&mut seekers, 0, capacity, &limits, &mut make)? {
            Ended::Interrupted => Err(CheckError::Interrupted),
            Ended::Broken { side, reason, .. } => Err(self.failed(side, reason)),
            Ended::Both => {
                let found = [0, 1].map(|side: usize| seekers[side].outcome(capacity));
                Ok(capacities([&found[0], &found[1]]).map(middle_of))
            }
        }
    }

    fn failed(&self, side: usize, reason: String) -> CheckError {
        let backend = self.sides.plan.cells[side].backend.name.clone();
        CheckError::Practice { side: NAMES[side], backend, reason }
    }
}
