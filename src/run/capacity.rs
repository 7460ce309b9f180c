//! The search for a capacity: rounds at the rates that `analysis` asks for, back end by back end in
//! turn, so that a machine that drifts is unfair to all alike.

use super::execute::{Progress, RunError};
use super::plan::Cell;
use super::round::Extras;
use super::session::{Made, Session, Tried, judged};
use crate::analysis::{Judged, Limits, Probe, Search, add_wire, judge_probe, slows_down};
use crate::result::{Bound, CapacityProbe, CapacityResult, CellResult, WirePass};
use crate::scenario::{Capacity, LoadModel};

/// So many rounds that cannot be made, and no other: a server that never starts takes its whole time-out
/// each time.
const HOPELESS: usize = 2;

/// The search for one back end at one load point.
pub(super) struct Seeker {
    cell: Cell,
    search: Search,
    /// Every round, with the cell at its rate.
    rounds: Vec<(Cell, Tried)>,
    probes: Vec<CapacityProbe>,
    /// What counted bytes, at whatever rate: they are the same at each.
    passes: Vec<WirePass>,
    is_skipped: bool,
}

/// Searches for every cell of the plan.
pub(super) fn search(
    session: &mut Session<'_>,
    capacity: &Capacity,
    progress: &mut dyn Progress,
) -> Result<(), RunError> {
    let plan = session.plan;
    let limits = Limits { errors: plan.scenario.gates.errors, objective_ns: capacity.shortest_time_ns() };
    let mut seekers: Vec<Seeker> =
        plan.cells.iter().map(|cell| Seeker::new(cell.clone(), capacity)).collect();
    let mut number = 0;
    loop {
        let mut is_over = true;
        for index in 0..seekers.len() {
            let seeker = &mut seekers[index];
            let Some((cell, round)) = seeker.next(capacity).filter(|_| !seeker.is_skipped) else {
                continue;
            };
            is_over = false;
            number += 1;
            let extras = Ok(Extras::after(seeker.passes.iter()));
            // How many rounds there will be nobody knows: at least one more.
            match session.make(&cell, round, (number, number + 1), extras, progress)? {
                Made::Interrupted => return Ok(()),
                Made::Skipped => seeker.is_skipped = true,
                Made::Round(made) => drop(seeker.take(cell, *made, capacity, &limits)),
            }
            assemble(session, &seekers, capacity, &limits);
            session.keep()?;
        }
        if is_over {
            return Ok(());
        }
    }
}

/// The cell at a rate.
fn at_rate(cell: &Cell, capacity: &Capacity, rate_per_s: f64) -> Cell {
    let mut cell = cell.clone();
    let gap = if cell.point.label.is_empty() { "" } else { " " };
    cell.point.label.push_str(&format!("{gap}rate_per_s={rate_per_s}"));
    cell.point.load = capacity.load_at(&cell.point.load, rate_per_s);
    cell
}

impl Seeker {
    /// A search that begins at the cell's own rate.
    pub(super) fn new(cell: Cell, capacity: &Capacity) -> Self {
        let start_per_s = match cell.point.load.model {
            LoadModel::Open { rate_per_s, .. } => rate_per_s,
            LoadModel::Closed { .. } => capacity.min_per_s,
        };
        Self::of(cell, Search::new(capacity, start_per_s))
    }

    /// One that begins near the answer.
    pub(super) fn near(cell: Cell, capacity: &Capacity, start_per_s: f64) -> Self {
        Self::of(cell, Search::near(capacity, start_per_s))
    }

    fn of(cell: Cell, search: Search) -> Self {
        Self { cell, search, rounds: Vec::new(), probes: Vec::new(), passes: Vec::new(), is_skipped: false }
    }

    /// The cell at the rate of the next round, and which round at that rate it is, from 1; `None` where the
    /// search is over.
    pub(super) fn next(&self, capacity: &Capacity) -> Option<(Cell, u64)> {
        let rate_per_s = self.search.next_per_s().filter(|_| self.hopeless().is_none())?;
        Some((at_rate(&self.cell, capacity, rate_per_s), self.rounds_at(rate_per_s) + 1))
    }

    /// Why there is no use in going on: none of several rounds could be made.
    fn hopeless(&self) -> Option<&str> {
        let reason = |(_, tried): &'_ (Cell, Tried)| tried.outcome.is_err();
        let is_hopeless = self.rounds.len() >= HOPELESS && self.rounds.iter().all(reason);
        self.probes.first().filter(|_| is_hopeless).map(|probe| probe.why.as_str())
    }

    fn rounds_at(&self, rate_per_s: f64) -> u64 {
        self.probes.iter().filter(|probe| is_same(probe.rate_per_s, rate_per_s)).count() as u64
    }

    /// Takes a round of [`Self::next`], and returns it as a cell of its own.
    pub(super) fn take(
        &mut self,
        cell: Cell,
        made: Tried,
        capacity: &Capacity,
        limits: &Limits,
    ) -> Option<CellResult> {
        let rate_per_s = self.search.next_per_s()?;
        let result = judged(&cell, [&made], limits);
        let slows_down = made.outcome.as_ref().is_ok_and(slows_down);
        let judgement = match &made.outcome {
            Ok(_) => judge_probe(&result, &capacity.slo, slows_down),
            // A server that did not start, or a client that was killed, says nothing of the rate.
            Err(reason) => Judged { probe: Probe::Unclear, why: format!("failed: {}", reason.detail) },
        };
        self.probes.push(CapacityProbe {
            rate_per_s,
            achieved_per_s: result.figures.rate_per_s,
            p99_ns: result.figures.response_ns.p99,
            ok: judgement.probe == Probe::Holds,
            why: judgement.why,
            order: made.order,
            histograms: made.histograms.clone(),
        });
        self.passes.extend(made.outcome.iter().filter_map(|round| round.wire_pass.clone()));
        self.rounds.push((cell, made));
        self.search.take(judgement.probe);
        Some(result)
    }

    pub(super) fn outcome(&self, capacity: &Capacity) -> CapacityResult {
        CapacityResult {
            backend: self.cell.backend.name.clone(),
            point: self.cell.point.label.clone(),
            slo: capacity.slo.iter().map(|gate| gate.text.clone()).collect(),
            precision: capacity.precision,
            rate_per_s: self.search.found_per_s(),
            bound: self.search.bound(),
            why: self.hopeless().map_or_else(
                || self.search.why(),
                |why| format!("none of {} rounds could be made: {why}", self.rounds.len()),
            ),
            probes: self.probes.clone(),
        }
    }

    /// The cell at the rate that was found, from the rounds in which it was kept; where none was, at
    /// the lowest rate that was tried.
    pub(super) fn at_its_best(&self, limits: &Limits) -> Option<CellResult> {
        let shown = self
            .search
            .found_per_s()
            .or_else(|| self.probes.iter().map(|probe| probe.rate_per_s).min_by(f64::total_cmp))?;
        let counts = |probe: &CapacityProbe| {
            is_same(probe.rate_per_s, shown) && (probe.ok || self.search.bound() == Bound::None)
        };
        let own: Vec<&(Cell, Tried)> = self
            .rounds
            .iter()
            .zip(&self.probes)
            .filter(|(_, probe)| counts(probe))
            .map(|(round, _)| round)
            .collect();
        let (cell, _) = own.first()?;
        let mut best = judged(cell, own.iter().map(|(_, tried)| tried), limits);
        add_wire(&mut best.figures, self.passes.iter());
        // Back ends end at different rates, and are compared all the same: the rate is in the load.
        best.point.clone_from(&self.cell.point.label);
        Some(best)
    }
}

/// Rates are compared as they were asked for.
#[allow(clippy::float_cmp)]
fn is_same(one: f64, other: f64) -> bool {
    one == other
}

fn assemble(session: &mut Session<'_>, seekers: &[Seeker], capacity: &Capacity, limits: &Limits) {
    let installed = || seekers.iter().filter(|seeker| !seeker.is_skipped && !seeker.probes.is_empty());
    session.run.capacity = installed().map(|seeker| seeker.outcome(capacity)).collect();
    session.set_cells(installed().filter_map(|seeker| seeker.at_its_best(limits)).collect());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{Reason, ReasonKind};
    use crate::run::Registry;
    use crate::run::plan::{Choices, Plan};
    use crate::scenario::Scenario;

    #[test]
    fn a_round_that_cannot_be_made_says_nothing_of_its_rate() {
        let text = "name = \"c\"\n[methods.work]\n[load]\nopen = { rate_per_s = 400 }\nduration = \"1s\"\n\
                    [capacity]\nslo = \"p99 <= 5ms\"\n[backends.tcp]\nprotocol = \"binary-tcp\"\n";
        let plan = Plan::new(Scenario::parse("c", text, &Registry).unwrap(), &Choices::default()).unwrap();
        let capacity = plan.scenario.capacity.clone().unwrap();
        let mut seeker = Seeker::new(plan.cells[0].clone(), &capacity);
        for order in 0..2 {
            let (cell, round) = seeker.next(&capacity).unwrap();
            assert_eq!(
                (cell.point.label.as_str(), round),
                ("rate_per_s=400", order + 1),
                "the same rate again"
            );
            let reason = Reason { kind: ReasonKind::Failed, detail: "no port".into() };
            let tried = Tried { order, implementation: None, histograms: None, outcome: Err(reason) };
            seeker.take(cell, tried, &capacity, &Limits::default());
        }
        assert!(
            seeker.next(&capacity).is_none(),
            "a server that never starts is not waited for at every rate"
        );
        let found = seeker.outcome(&capacity);
        assert_eq!((found.bound, found.rate_per_s), (Bound::None, None));
        assert!(found.probes.iter().all(|probe| !probe.ok && probe.why == "failed: no port"));
        assert_eq!(found.why, "none of 2 rounds could be made: failed: no port");
    }
}
