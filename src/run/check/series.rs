//! The pairs of a check: made, judged one by one, kept, and looked at when it was planned.

use std::time::{Duration, Instant};

use super::CheckProgress;
use super::error::CheckError;
use super::looks::{found, open, overloaded_alone};
use super::prepare::{Prepared, record};
use super::searches::{Ended, Searches, confirmed, take_turns, told};
use super::sides::{NAMES, Sides};
use crate::analysis::compare::{
    Drops, Gate, Look, PairFigures, capacities, capacity_of, fewest_pairs, figure, judge,
};
use crate::result::{
    CellKey, ErrorsCheck, MetricCheck, PairRecord, Reason, ReasonKind, RoundRecord, RunResult, Status, Store,
};
use crate::rpc::random::Random;
use crate::run::plan::Cell;
use crate::run::round::run_round;
use crate::run::session::{Tried, judged};
use crate::run::{Interrupt, RoundError, RunError};
use crate::scenario::LoadModel;

/// Pairs that are dropped are made again, but not without end: at most so many times the planned ones.
const MOST_MADE: usize = 2;
/// A check in which the first so many pairs are all dropped will not come to anything.
const HOPELESS: usize = 4;
/// A check that is slower than expected ends after so many times its budget.
const OVERTIME: f64 = 1.5;

/// How the pairs ended.
pub(super) enum End {
    /// At a look.
    Decided(Look),
    /// The measurement does not count, and why; what there is can be shown at this look.
    Invalid(Look, String),
    /// The user ended it.
    Interrupted(Look),
}

impl End {
    pub(super) fn look(&self) -> Look {
        match self {
            Self::Decided(look) | Self::Invalid(look, _) | Self::Interrupted(look) => *look,
        }
    }
}

/// The pairs so far.
pub(super) struct Series<'a> {
    sides: &'a Sides,
    prepared: &'a Prepared,
    store: Store,
    coin: Random,
    tried: [Vec<Tried>; 2],
    made: u64,
    pairs: Vec<PairRecord>,
    counted: Vec<PairFigures>,
    drops: Drops,
    /// Pairs that count although one side, `[base, candidate]`, was overloaded.
    overloaded: [u64; 2],
    errors: ErrorsCheck,
    /// Where capacities are compared.
    searches: Option<Searches>,
}

impl<'a> Series<'a> {
    pub(super) fn new(sides: &'a Sides, prepared: &'a Prepared, store: Store, order_seed: u64) -> Self {
        Self {
            sides,
            prepared,
            store,
            coin: Random::labelled(order_seed, "order within pairs"),
            tried: [Vec::new(), Vec::new()],
            made: 0,
            pairs: Vec::new(),
            counted: Vec::new(),
            drops: Drops::default(),
            overloaded: [0, 0],
            errors: ErrorsCheck::default(),
            searches: sides
                .capacity
                .as_ref()
                .zip(prepared.middle_per_s)
                .map(|(capacity, middle_per_s)| Searches::new(capacity.clone(), middle_per_s, order_seed)),
        }
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn pairs(&self) -> &[PairRecord] {
        &self.pairs
    }

    pub(super) fn errors(&self) -> &ErrorsCheck {
        &self.errors
    }

    pub(super) fn drops(&self) -> Drops {
        self.drops
    }

    pub(super) fn overloaded(&self) -> [u64; 2] {
        self.overloaded
    }

    pub(super) fn counted(&self) -> usize {
        self.counted.len()
    }

    /// What the pairs are pairs of.
    pub(super) fn pairs_of(&self) -> &'static str {
        if self.searches.is_some() { "searches" } else { "rounds" }
    }

    /// The metrics at a look, and whether all is settled.
    pub(super) fn judged_at(&self, look: Look) -> (Vec<MetricCheck>, bool) {
        let load = &self.sides.plan.scenario.load;
        let model = match load.model {
            LoadModel::Closed { .. } => crate::result::LoadModel::Closed,
            LoadModel::Open { .. } => crate::result::LoadModel::Open,
        };
        let gate = Gate {
            metrics: &self.prepared.metrics,
            gates: &self.sides.plan.scenario.gates.check,
            model,
            last: self.prepared.last(),
            step: self.sides.capacity.as_ref().map_or(0.0, |capacity| capacity.precision),
        };
        judge(&gate, &self.counted, look)
    }

    /// Makes pairs until it is decided.
    ///
    /// # Errors
    /// A round could not be written.
    pub(super) fn run(
        &mut self,
        begun: Instant,
        progress: &mut dyn CheckProgress,
        interrupt: &Interrupt,
    ) -> Result<End, CheckError> {
        let looks = self.prepared.looks.clone();
        let last = self.prepared.last();
        let check = &self.sides.plan.scenario.gates.check;
        let (bounded, alpha) = (check.rounds.is_none(), check.alpha);
        let deadline = Duration::from_nanos(check.budget_or_default_ns()).mul_f64(OVERTIME);
        let mut undecided =
            self.prepared.metrics.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let mut looks = looks.into_iter().peekable();
        loop {
            if interrupt.is_set() {
                return Ok(End::Interrupted(last));
            }
            progress.begins(self.counted.len() + 1, last.pairs, &undecided);
            match self.pair(progress, interrupt)? {
                Some(Stop::Interrupted) => return Ok(End::Interrupted(last)),
                Some(Stop::Invalid(why)) => return Ok(End::Invalid(last, why)),
                Some(Stop::Errors) => return Ok(End::Decided(last)),
                None => {}
            }
            if let Some(why) = self.pairs.last().and_then(|pair| pair.dropped.as_deref()) {
                progress.dropped(why);
            }
            if let Some(why) = self.hopeless(last.pairs) {
                return Ok(End::Invalid(last, why));
            }
            let late = bounded && begun.elapsed() > deadline;
            let due = looks.peek().is_some_and(|look| look.pairs == self.counted.len());
            if due && let Some(look) = looks.next() {
                let (metrics, settled) = self.judged_at(look);
                undecided = open(&metrics);
                progress.looked(look.pairs, &found(&metrics));
                if settled || look.pairs == last.pairs {
                    return Ok(End::Decided(look));
                }
            } else if late {
                // The clock says when, not the figures: the last look is only earlier than planned.
                let enough =
                    self.counted.len() >= fewest_pairs(self.prepared.metrics.len(), last.level.min(alpha));
                let why = format!(
                    "only {} of {} pairs of {} were made in one and a half times the budget: lengthen it (--budget), \
                     or quiet the machine (wirebench doctor)",
                    self.counted.len(),
                    last.pairs,
                    self.pairs_of()
                );
                return Ok(if enough { End::Decided(last) } else { End::Invalid(last, why) });
            }
        }
    }

    /// Makes a pair, in an order decided by the coin.
    fn pair(
        &mut self,
        progress: &mut dyn CheckProgress,
        interrupt: &Interrupt,
    ) -> Result<Option<Stop>, CheckError> {
        let candidate_first = self.coin.below(2) == 1;
        match self.searches.take() {
            None => self.pair_of_rounds(candidate_first, interrupt),
            Some(mut searches) => {
                let stop = self.pair_of_searches(&mut searches, candidate_first, progress, interrupt);
                self.searches = Some(searches);
                stop
            }
        }
    }

    /// Makes a search for each side, their rounds in turn. A search that breaks off is kept, too.
    fn pair_of_searches(
        &mut self,
        searches: &mut Searches,
        candidate_first: bool,
        progress: &mut dyn CheckProgress,
        interrupt: &Interrupt,
    ) -> Result<Option<Stop>, CheckError> {
        let (sides, limits) = (self.sides, &self.prepared.limits);
        let number = self.pairs.len() + 1;
        let mut seekers = searches.pair(sides, number);
        let mut make = |side: usize, cell: &Cell, round: u64| {
            progress.tries(&told(side, cell));
            self.make(cell, round, interrupt)
        };
        let first = usize::from(candidate_first);
        let ended = take_turns(&mut seekers, first, &searches.capacity, limits, &mut make)?;
        let found = searches.keep(&seekers, limits);
        let mut pair = PairRecord {
            candidate_first,
            base: confirmed(&found[0]),
            candidate: confirmed(&found[1]),
            searches: Vec::new(),
            dropped: None,
        };
        let stop = match ended {
            Ended::Interrupted => return Ok(Some(Stop::Interrupted)),
            Ended::Broken { side, reason, wrong_answers } => {
                let why = format!("{}: {reason}", NAMES[side]);
                pair.dropped = Some(why.clone());
                self.drops.any[side] += 1;
                self.drops.failed[side] += u64::from(!wrong_answers);
                wrong_answers.then_some(Stop::Invalid(why))
            }
            Ended::Both => {
                match capacities([&found[0], &found[1]]) {
                    Ok(both) => self.counted.push(PairFigures::of_capacities(both)),
                    Err((side, why)) => {
                        pair.dropped = Some(format!("{}: {why}", NAMES[side]));
                        let has_none = [0, 1].map(|side: usize| capacity_of(&found[side]).is_err());
                        if has_none[0] != has_none[1] {
                            self.drops.any[side] += 1;
                        }
                    }
                }
                None
            }
        };
        for (side, seeker) in seekers.iter().enumerate() {
            // Beyond its capacity a server may fail calls; what counts is what it kept.
            let best = seeker.at_its_best(limits).filter(|_| found[side].rate_per_s.is_some());
            for record in best.iter().flat_map(|best| &best.rounds) {
                self.count_errors(side, record);
            }
        }
        pair.searches = found.into();
        self.pairs.push(pair);
        Ok(stop)
    }

    /// Makes a round of each side.
    fn pair_of_rounds(
        &mut self,
        candidate_first: bool,
        interrupt: &Interrupt,
    ) -> Result<Option<Stop>, CheckError> {
        let order = if candidate_first { [1, 0] } else { [0, 1] };
        let mut pair =
            PairRecord { candidate_first, base: None, candidate: None, searches: Vec::new(), dropped: None };
        let mut records: [Option<RoundRecord>; 2] = [None, None];
        for side in order {
            let Some((number, outcome)) = self.round(side, interrupt)? else {
                return Ok(Some(Stop::Interrupted));
            };
            *(if side == 0 { &mut pair.base } else { &mut pair.candidate }) = Some(number);
            match outcome {
                Ok(record) => records[side] = Some(record),
                Err(detail) => {
                    // The other round would be dropped with this one.
                    pair.dropped = Some(format!("{}: failed: {detail}", NAMES[side]));
                    self.drops.any[side] += 1;
                    self.drops.failed[side] += 1;
                    break;
                }
            }
        }
        let overloaded = overloaded_alone(&records);
        let mut bad = [false, false];
        for (side, record) in records.iter().enumerate() {
            let Some(record) = record else { continue };
            self.count_errors(side, record);
            let reason = if overloaded == Some(side) { None } else { self.reason_to_drop(record) };
            if let Some(reason) = reason {
                bad[side] = true;
                let why = format!("{}: {reason}", NAMES[side]);
                if record.verdict.has(ReasonKind::WrongAnswers) {
                    pair.dropped = Some(why.clone());
                    self.pairs.push(pair);
                    return Ok(Some(Stop::Invalid(why)));
                }
                if record.verdict.has(ReasonKind::Failed) {
                    self.drops.failed[side] += 1;
                }
                pair.dropped.get_or_insert(why);
            }
        }
        if bad[0] != bad[1] {
            self.drops.any[usize::from(bad[1])] += 1;
        }
        if let ([Some(base), Some(candidate)], None) = (records, &pair.dropped) {
            let (base, candidate) = (base.figures, candidate.figures);
            self.counted.push(match overloaded {
                Some(side) => {
                    self.overloaded[side] += 1;
                    PairFigures::with_overload(base, candidate, side)
                }
                None => PairFigures { base, candidate, capacities_per_s: None },
            });
        }
        self.pairs.push(pair);
        Ok(self.errors.is_regression().then_some(Stop::Errors))
    }

    /// Makes a round and keeps it; `None` where the user ended it.
    fn round(&mut self, side: usize, interrupt: &Interrupt) -> Result<Option<Made>, CheckError> {
        let cell = &self.sides.plan.cells[side];
        let number = self.tried[side].len() as u64 + 1;
        let Some(tried) = self.make(cell, number, interrupt)? else { return Ok(None) };
        let judged = match &tried.outcome {
            Ok(result) => Ok(record(cell, result, &self.prepared.limits)),
            Err(reason) => Err(reason.detail.clone()),
        };
        let order = tried.order;
        self.tried[side].push(tried);
        Ok(Some((order, judged)))
    }

    /// Makes a round of a cell, its so manieth, and puts it on disk; `None` where the user ended it.
    fn make(&mut self, cell: &Cell, number: u64, interrupt: &Interrupt) -> Result<Option<Tried>, CheckError> {
        let order = self.made;
        let (implementation, outcome) =
            match run_round(cell, &self.sides.plan.service, &self.prepared.folder, interrupt) {
                Ok(finished) => (finished.implementation, Ok(finished.result)),
                Err(RoundError::Interrupted) => return Ok(None),
                Err(error) => (None, Err(Reason { kind: ReasonKind::Failed, detail: error.to_string() })),
            };
        self.made += 1;
        let histograms = match &outcome {
            Ok(result) => {
                let key = CellKey { backend: cell.backend.name.clone(), point: cell.point.label.clone() };
                let file = self.store.write_round(&key, number, result).map_err(|source| {
                    CheckError::Run(RunError::Lost { dir: self.store.dir().to_owned(), source })
                })?;
                Some(file)
            }
            Err(_) => None,
        };
        Ok(Some(Tried { order, implementation, histograms, outcome }))
    }

    /// What is wrong with a round, if anything. That its halves differ (`unstable`) is nothing: what
    /// varies within rounds varies between them too, and is in the spread of the pairs already.
    fn reason_to_drop(&self, record: &RoundRecord) -> Option<String> {
        let reasons = &record.verdict.reasons;
        if let Some(reason) = reasons.iter().find(|reason| reason.kind != ReasonKind::Unstable) {
            return Some(format!("{}: {}", reason.kind.name(), reason.detail));
        }
        let metrics = self.prepared.metrics.iter();
        let missing = metrics.copied().find(|metric| figure(*metric, &record.figures).is_none())?;
        let calls = record.figures.calls.unwrap_or(0);
        Some(format!("too few calls: {calls} have no {missing}; lengthen the rounds with --round"))
    }

    fn count_errors(&mut self, side: usize, record: &RoundRecord) {
        let failed: u64 = record.figures.errors.values().sum();
        self.errors.failed[side] += failed;
        self.errors.calls[side] += record.figures.calls.unwrap_or(0) + failed;
        // Where the client stood still, what ran into its time-out is not the server's doing.
        let is_over =
            record.verdict.has(ReasonKind::Errors) && !record.verdict.has(ReasonKind::ClientStopped);
        self.errors.rounds_over_budget[side] += u64::from(is_over);
    }

    /// Why there is no use in going on; `None` where there is.
    fn hopeless(&self, planned: usize) -> Option<String> {
        let dropped: Vec<&str> = self.pairs.iter().filter_map(|pair| pair.dropped.as_deref()).collect();
        let none_counts = self.counted.is_empty() && dropped.len() >= HOPELESS;
        let too_many = self.pairs.len() >= planned * MOST_MADE && self.counted.len() < planned;
        if !none_counts && !too_many {
            return None;
        }
        let last = dropped.last()?;
        Some(format!(
            "{} of {} pairs of {} do not count; the last one: {last}",
            dropped.len(),
            self.pairs.len(),
            self.pairs_of()
        ))
    }

    /// Puts the rounds into the result of the run.
    pub(super) fn fill(&self, run: &mut RunResult) {
        match &self.searches {
            Some(searches) => searches.fill(run),
            None => {
                let tried = self.sides.plan.cells.iter().zip(&self.tried);
                run.cells = tried.map(|(cell, tried)| judged(cell, tried, &self.prepared.limits)).collect();
            }
        }
        let valid = run.cells.iter().all(|cell| cell.verdict.is_valid());
        run.verdict = if valid { Status::Valid } else { Status::Invalid };
    }
}

/// A round that was made: its place in the order of all, and what it measured or why it did not.
type Made = (u64, Result<RoundRecord, String>);

/// Why no further pair is made.
enum Stop {
    Interrupted,
    Invalid(String),
    Errors,
}
