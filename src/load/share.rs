//! One client thread's share of a phase: its calls, and when they are due.

use super::Drive;
use super::profile::Profile;
use super::schedule::Schedule;
use super::source::{Closed, Open, Source};
use super::thinking::{Deal, Thinking};
use crate::scenario::{Amount, Arrivals, LoadModel};

/// A client thread's place among the others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) thread: u32,
    pub(super) threads: u32,
}

impl Place {
    /// This thread's share of `total`, dealt one by one.
    pub(super) fn share(self, total: u32) -> usize {
        let extra = u32::from(self.thread < total % self.threads);
        (total / self.threads + extra) as usize
    }
}

/// One thread's share of the warm-up or of the measured interval.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share<'a> {
    pub(super) drive: &'a Drive,
    pub(super) place: Place,
    pub(super) is_warmup: bool,
}

impl Share<'_> {
    fn amount(self) -> Amount {
        if self.is_warmup { self.drive.load.warmup } else { self.drive.load.length }
    }

    /// Of arrivals and think times: those of the warm-up are not those of the interval.
    fn seed(self) -> u64 {
        if self.is_warmup { !self.drive.seed } else { self.drive.seed }
    }

    /// How many calls the thread can have in flight.
    pub(super) fn slots(self) -> usize {
        let links = self.drive.links;
        match self.drive.load.model {
            LoadModel::Open { .. } => self.place.share(links.connections) * links.in_flight.max(1) as usize,
            LoadModel::Closed { concurrency } => self.place.share(concurrency),
        }
    }

    /// How many calls all threads will make, where that is known.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(super) fn calls(self) -> Option<u64> {
        match (self.amount(), self.drive.load.model) {
            (Amount::Calls(calls), _) => Some(calls),
            (Amount::DurationNs(ns), LoadModel::Open { rate_per_s, .. }) => {
                Some((ns as f64 / 1e9 * rate_per_s) as u64)
            }
            (Amount::DurationNs(_), LoadModel::Closed { .. }) => None,
        }
    }

    /// Where the lanes get their calls, in a phase that begins at this time.
    pub(super) fn source(self, begins_ns: u64) -> Source {
        let load = &self.drive.load;
        let LoadModel::Closed { concurrency } = load.model else {
            return Source::Open(Open::new(self.slots()));
        };
        let (end_index, ends_ns) = match self.amount() {
            Amount::Calls(calls) => (calls, u64::MAX),
            Amount::DurationNs(ns) => (u64::MAX, begins_ns.saturating_add(ns)),
        };
        // The warm-up is a first stage that lasts; the steps come later.
        let first_stage = load.stages.first().and_then(|stage| stage.level.concurrency());
        let concurrency = first_stage.unwrap_or(concurrency);
        let slots = self.place.share(concurrency);
        // Who has no call in flight in all of the warm-up has no part in it: its calls are the others'.
        let threads = self.place.threads;
        let sharing = if self.is_warmup { threads.min(concurrency.max(1)) } else { threads };
        let (first, step) = (u64::from(self.place.thread), u64::from(sharing));
        let end_index = if self.place.thread < sharing { end_index } else { 0 };
        let Some(think) = load.thinks() else {
            return Source::Closed(Closed::new(first, step, end_index, ends_ns, slots));
        };
        let deal = Deal { first, step, end_index, begins_ns, ends_ns };
        let mut thinking = Thinking::new(think, self.seed(), deal, slots, concurrency);
        if !self.is_warmup && load.stages.len() > 1 {
            thinking.expect_steps();
        }
        Source::Thinking(thinking)
    }

    /// When the thread's calls of an open loop are due, after the begin.
    pub(super) fn schedule(self, rate_per_s: f64, arrivals: Arrivals) -> impl Iterator<Item = (u64, u64)> {
        let (length_ns, calls) = match self.amount() {
            Amount::Calls(calls) => (u64::MAX, calls),
            Amount::DurationNs(ns) => (ns, u64::MAX),
        };
        let stages = &self.drive.load.stages;
        let profile = match stages.first().and_then(|stage| stage.level.mean_per_s()) {
            None => Profile::constant(rate_per_s, length_ns),
            Some(first_per_s) if self.is_warmup => Profile::constant(first_per_s, length_ns),
            Some(_) => Profile::of_stages(stages),
        };
        let (thread, threads) = (u64::from(self.place.thread), u64::from(self.place.threads));
        Schedule::over(profile, arrivals, self.seed())
            .take_while(move |(index, _)| *index < calls)
            .filter(move |(index, _)| index % threads == thread)
    }
}
