//! The stages of a load in one client thread: which one a call belongs to, what becomes of its calls,
//! and the steps of a closed loop. A call belongs to the stage in which it was due, whenever its
//! answer comes.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::phase::Phase;
use super::source::Source;
use crate::clock::PreciseTimer;
use crate::record::{Recorder, Sample};
use crate::result::StageCounts;
use crate::rpc::ErrorClass;
use crate::scenario::Stage;

/// Counts and histograms of each stage.
pub(super) struct StageWatch {
    begun_ns: Cell<u64>,
    /// After the begin.
    ends_ns: Vec<u64>,
    recorder: RefCell<Option<Recorder>>,
    counts: RefCell<Vec<StageCounts>>,
}

impl StageWatch {
    /// `recorder` has a method for each stage.
    pub(super) fn new(stages: &[Stage], recorder: Recorder) -> Self {
        Self {
            begun_ns: Cell::new(0),
            ends_ns: ends_ns(stages),
            recorder: RefCell::new(Some(recorder)),
            counts: RefCell::new(vec![StageCounts::default(); stages.len()]),
        }
    }

    /// The first stage begins at this time.
    pub(super) fn begins(&self, at_ns: u64) {
        self.begun_ns.set(at_ns);
    }

    fn stage_of(&self, due_ns: u64) -> usize {
        let offset_ns = due_ns.saturating_sub(self.begun_ns.get());
        let stage = self.ends_ns.partition_point(|end_ns| *end_ns <= offset_ns);
        stage.min(self.ends_ns.len().saturating_sub(1))
    }

    /// A call of an open loop was due, and perhaps found no free slot.
    pub(super) fn offered(&self, due_ns: u64, waited: bool) {
        let stage = self.stage_of(due_ns);
        if let Some(counts) = self.counts.borrow_mut().get_mut(stage) {
            counts.offered_calls += 1;
            counts.waited_calls += u64::from(waited);
        }
    }

    /// A call was answered: rightly, where there is something to record.
    pub(super) fn answered(&self, sample: &Sample, is_right: bool) {
        let stage = self.stage_of(sample.due_ns);
        let before_ns = stage.checked_sub(1).map_or(0, |before| self.ends_ns[before]);
        if let Some(counts) = self.counts.borrow_mut().get_mut(stage) {
            counts.calls += 1;
            let elapsed_ns = sample.done_ns.saturating_sub(self.begun_ns.get() + before_ns);
            counts.elapsed_ns = counts.elapsed_ns.max(elapsed_ns);
        }
        if let (true, Some(recorder)) = (is_right, &mut *self.recorder.borrow_mut()) {
            recorder.record(&Sample { method: stage, ..*sample });
        }
    }

    /// A call failed, or was due and never sent.
    pub(super) fn failed(&self, due_ns: u64, class: ErrorClass) {
        let stage = self.stage_of(due_ns);
        if let Some(counts) = self.counts.borrow_mut().get_mut(stage) {
            *counts.errors.entry(class).or_default() += 1;
        }
    }

    /// Ends the recording, and gives what was counted.
    pub(super) fn finish(&self, at_ns: u64) -> Vec<StageCounts> {
        if let Some(recorder) = self.recorder.borrow_mut().take() {
            recorder.finish(at_ns);
        }
        self.counts.take()
    }
}

/// When stages end, in nanoseconds after the begin of the first.
fn ends_ns(stages: &[Stage]) -> Vec<u64> {
    let mut end_ns = 0_u64;
    stages
        .iter()
        .map(|stage| {
            end_ns = end_ns.saturating_add(stage.length_ns);
            end_ns
        })
        .collect()
}

/// Changes the calls in flight of a closed loop where its stages say so; `slots` are this thread's of
/// each stage. Ends when the last stage does.
///
/// # Errors
/// The system arms no timer.
pub(super) async fn step(
    phase: &Rc<Phase>,
    stages: &[Stage],
    slots: &[usize],
    begun_ns: u64,
) -> std::io::Result<()> {
    let mut timer = PreciseTimer::new()?;
    let ends_ns = ends_ns(stages);
    for (index, end_ns) in ends_ns.iter().enumerate() {
        let at_ns = begun_ns.saturating_add(*end_ns);
        timer.until(at_ns).await?;
        let slots = slots.get(index + 1).copied();
        let is_last = index + 2 >= stages.len();
        match &mut *phase.source.borrow_mut() {
            // After the last stage the lanes have only to learn that it is over.
            Source::Closed(closed) => closed.set_concurrency(slots.unwrap_or(0)),
            Source::Thinking(thinking) => thinking.set_users(slots.unwrap_or(0), at_ns, is_last),
            Source::Open(_) => {}
        }
    }
    Ok(())
}
