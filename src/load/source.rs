//! Where lanes get their next call. Closed and open loop differ in this alone.

use std::collections::VecDeque;
use std::task::{Context, Waker};

use super::thinking::Thinking;

/// What a source says to a lane with a free slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Make this call.
    Call(Released),
    /// Nothing now: the lane is woken when there is.
    Park,
    /// There will be no more.
    Done,
}

/// A call that may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Released {
    /// Its index in the seeded sequence of calls.
    pub index: u64,
    /// When the schedule said so.
    pub due_ns: u64,
    /// When the pacer released it.
    pub ready_ns: u64,
}

/// A source of calls for the lanes of one client thread.
#[derive(Debug)]
pub enum Source {
    /// A fixed number of calls in flight.
    Closed(Closed),
    /// A fixed number of users who think between their calls.
    Thinking(Thinking),
    /// Calls that become due on a schedule.
    Open(Open),
}

/// The closed loop of one client thread.
#[derive(Debug)]
pub struct Closed {
    next_index: u64,
    step: u64,
    /// No call from this index on.
    end_index: u64,
    /// No call from this time on.
    ends_ns: u64,
    concurrency: usize,
    in_flight: usize,
    parked: Vec<Waker>,
}

impl Closed {
    /// A loop that makes the calls `first`, `first + step`, … below `end_index` and before `ends_ns`,
    /// with `concurrency` of them in flight.
    #[must_use]
    pub fn new(first: u64, step: u64, end_index: u64, ends_ns: u64, concurrency: usize) -> Self {
        Self { next_index: first, step, end_index, ends_ns, concurrency, in_flight: 0, parked: Vec::new() }
    }
}

impl Closed {
    /// Changes how many calls are in flight from now on: those beyond it end by themselves.
    pub(super) fn set_concurrency(&mut self, concurrency: usize) {
        self.concurrency = concurrency;
        self.parked.drain(..).for_each(Waker::wake);
    }
}

/// Calls that wait for a slot: at most this many. A queue that long means seconds of overload; what
/// becomes due beyond it is counted as unsent, and the round is invalid as overloaded.
const MAX_QUEUED: usize = 1 << 20;

/// The open loop of one client thread: the pacer puts calls in, lanes take them out.
#[derive(Debug)]
pub struct Open {
    queue: VecDeque<Released>,
    /// Calls that can be in flight at once: the slots of all lanes.
    slots: usize,
    in_flight: usize,
    finished: bool,
    parked: Vec<Waker>,
    /// What became of the calls before they had a slot.
    pub counts: ReleaseCounts,
}

/// A call that is released this much after it was due counts as late.
pub(super) const LATE_NS: u64 = 200_000;

/// What became of the calls of an open loop before they had a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReleaseCounts {
    /// Calls that found no free slot when they were released.
    pub waited: u64,
    /// Calls that the pacer released more than 200 µs late.
    pub late: u64,
    /// The most calls that were released and had no slot yet.
    pub peak_backlog: u64,
    /// Calls that became due with the queue full.
    pub overflow: u64,
}

impl Open {
    /// A loop over lanes that together have so many slots.
    #[must_use]
    pub fn new(slots: usize) -> Self {
        Self {
            queue: VecDeque::new(),
            slots,
            in_flight: 0,
            finished: false,
            parked: Vec::new(),
            counts: ReleaseCounts::default(),
        }
    }

    /// Whether a call released now would have to wait for a slot.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.in_flight + self.queue.len() >= self.slots
    }

    /// Releases a call; says whether it has to wait for a slot.
    pub fn release(&mut self, call: Released) -> bool {
        self.counts.late += u64::from(call.ready_ns.saturating_sub(call.due_ns) > LATE_NS);
        let waits = self.is_full();
        self.counts.waited += u64::from(waits);
        if self.queue.len() >= MAX_QUEUED {
            self.counts.overflow += 1;
            return waits;
        }
        self.queue.push_back(call);
        let backlog = (self.in_flight + self.queue.len()).saturating_sub(self.slots);
        self.counts.peak_backlog = self.counts.peak_backlog.max(backlog as u64);
        if let Some(waker) = self.parked.pop() {
            waker.wake();
        }
        waits
    }

    /// Says that no more calls will come.
    pub fn finish(&mut self) {
        self.finished = true;
        self.parked.drain(..).for_each(Waker::wake);
    }

    /// Takes the calls that never got a slot.
    pub fn take_unsent(&mut self) -> VecDeque<Released> {
        self.finish();
        std::mem::take(&mut self.queue)
    }
}

impl Source {
    /// The next call for a lane that has a free slot at `now_ns`; a parked lane is woken through `cx`.
    pub fn next(&mut self, now_ns: u64, cx: &Context<'_>) -> Next {
        let parked = match self {
            Source::Closed(closed) => {
                if closed.next_index >= closed.end_index || now_ns >= closed.ends_ns {
                    // The others learn it now and not when they next look at their time-outs.
                    closed.parked.drain(..).for_each(Waker::wake);
                    return Next::Done;
                }
                if closed.in_flight < closed.concurrency {
                    let index = closed.next_index;
                    closed.next_index += closed.step;
                    closed.in_flight += 1;
                    return Next::Call(Released { index, due_ns: now_ns, ready_ns: now_ns });
                }
                &mut closed.parked
            }
            Source::Thinking(thinking) => match thinking.next() {
                Next::Park => thinking.parked(),
                other => return other,
            },
            Source::Open(open) => {
                if let Some(call) = open.queue.pop_front() {
                    open.in_flight += 1;
                    return Next::Call(call);
                }
                if open.finished {
                    return Next::Done;
                }
                &mut open.parked
            }
        };
        if !parked.iter().any(|waker| waker.will_wake(cx.waker())) {
            parked.push(cx.waker().clone());
        }
        Next::Park
    }

    /// A lane that was woken has no free slot (it took calls on the way): wakes another, if there is a
    /// call for it.
    pub fn pass_on(&mut self) {
        let (has_call, parked) = match self {
            Source::Closed(closed) => {
                let has_call = closed.in_flight < closed.concurrency && closed.next_index < closed.end_index;
                (has_call, &mut closed.parked)
            }
            Source::Thinking(thinking) => (thinking.has_call(), thinking.parked()),
            Source::Open(open) => (!open.queue.is_empty(), &mut open.parked),
        };
        if has_call && let Some(waker) = parked.pop() {
            waker.wake();
        }
    }

    /// A call is over at `at_ns`.
    pub fn completed(&mut self, at_ns: u64) {
        match self {
            Source::Closed(closed) => {
                closed.in_flight = closed.in_flight.saturating_sub(1);
                if let Some(waker) = closed.parked.pop() {
                    waker.wake();
                }
            }
            Source::Thinking(thinking) => thinking.completed(at_ns),
            Source::Open(open) => open.in_flight = open.in_flight.saturating_sub(1),
        }
    }

    /// What became of calls before they had a slot.
    pub fn counts(&self) -> ReleaseCounts {
        match self {
            Source::Open(open) => open.counts,
            Source::Thinking(thinking) => ReleaseCounts { late: thinking.late, ..ReleaseCounts::default() },
            Source::Closed(_) => ReleaseCounts::default(),
        }
    }

    /// The open loop, if it is one.
    pub fn open(&mut self) -> Option<&mut Open> {
        match self {
            Source::Open(open) => Some(open),
            Source::Closed(_) | Source::Thinking(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(index: u64, ns: u64) -> Next {
        Next::Call(Released { index, due_ns: ns, ready_ns: ns })
    }

    #[test]
    fn a_closed_loop_keeps_its_number_in_flight_and_stops_at_its_end() {
        let cx = Context::from_waker(Waker::noop());
        let mut source = Source::Closed(Closed::new(0, 1, 3, u64::MAX, 2));
        assert_eq!(source.next(10, &cx), call(0, 10));
        assert_eq!(source.next(11, &cx), call(1, 11));
        assert_eq!(source.next(12, &cx), Next::Park);
        source.completed(0);
        assert_eq!(source.next(13, &cx), call(2, 13));
        source.completed(0);
        assert_eq!(source.next(14, &cx), Next::Done);
    }

    #[test]
    fn a_closed_loop_ends_at_its_time() {
        let cx = Context::from_waker(Waker::noop());
        let mut source = Source::Closed(Closed::new(0, 1, u64::MAX, 100, 1));
        assert_eq!(source.next(99, &cx), call(0, 99));
        source.completed(0);
        assert_eq!(source.next(100, &cx), Next::Done);
    }

    #[test]
    fn a_full_lane_passes_its_wake_up_on_to_an_idle_one() {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicU32, Ordering};
        #[derive(Default)]
        struct Count(AtomicU32);
        impl std::task::Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let (idle, full) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let (idle_waker, full_waker) = (Waker::from(Arc::clone(&idle)), Waker::from(Arc::clone(&full)));
        let mut source = Source::Open(Open::new(1));
        assert_eq!(source.next(0, &Context::from_waker(&idle_waker)), Next::Park);
        assert_eq!(source.next(0, &Context::from_waker(&full_waker)), Next::Park);
        source.open().unwrap().release(Released { index: 0, due_ns: 1, ready_ns: 1 });
        assert_eq!((idle.0.load(Ordering::Relaxed), full.0.load(Ordering::Relaxed)), (0, 1));
        source.pass_on();
        assert_eq!(idle.0.load(Ordering::Relaxed), 1);
        source.pass_on();
        assert_eq!(idle.0.load(Ordering::Relaxed), 1, "nobody is left to wake");
    }

    #[test]
    fn an_open_loop_keeps_due_times_however_late_a_slot_comes() {
        let cx = Context::from_waker(Waker::noop());
        let mut source = Source::Open(Open::new(1));
        assert_eq!(source.next(0, &cx), Next::Park);
        let released = Released { index: 4, due_ns: 100, ready_ns: 101 };
        source.open().unwrap().release(released);
        source.open().unwrap().finish();
        assert_eq!(source.next(900, &cx), Next::Call(released));
        assert_eq!(source.next(901, &cx), Next::Done);
    }

    #[test]
    fn an_open_loop_counts_calls_without_a_slot_and_late_ones() {
        let cx = Context::from_waker(Waker::noop());
        let mut source = Source::Open(Open::new(2));
        let release = |source: &mut Source, index, lag_ns| {
            source.open().unwrap().release(Released { index, due_ns: 1_000, ready_ns: 1_000 + lag_ns });
        };
        release(&mut source, 0, 0);
        assert!(matches!(source.next(1_000, &cx), Next::Call(_)));
        // One slot is left, though nobody has asked for the call yet.
        release(&mut source, 1, LATE_NS);
        let counts = |source: &mut Source| source.open().unwrap().counts;
        assert_eq!(counts(&mut source), ReleaseCounts::default());
        release(&mut source, 2, LATE_NS + 1);
        release(&mut source, 3, 0);
        assert_eq!(counts(&mut source), ReleaseCounts { waited: 2, late: 1, peak_backlog: 2, overflow: 0 });
        source.completed(0);
        assert!(matches!(source.next(1_000, &cx), Next::Call(Released { index: 1, .. })));
        assert!(source.open().unwrap().is_full());
    }

    #[test]
    fn every_parked_lane_learns_that_a_closed_loop_is_over() {
        struct Woken(std::sync::atomic::AtomicBool);
        impl std::task::Wake for Woken {
            fn wake(self: std::sync::Arc<Self>) {
                self.0.store(true, std::sync::atomic::Ordering::Relaxed);
            }
        }
        let woken = std::sync::Arc::new(Woken(false.into()));
        let waker = Waker::from(std::sync::Arc::clone(&woken));
        let cx = Context::from_waker(Waker::noop());
        let mut source = Source::Closed(Closed::new(0, 1, 1, u64::MAX, 1));
        assert_eq!(source.next(0, &cx), call(0, 0));
        let Source::Closed(closed) = &mut source else { unreachable!() };
        closed.parked.push(waker);
        assert_eq!(source.next(1, &cx), Next::Done);
        assert!(woken.0.load(std::sync::atomic::Ordering::Relaxed));
    }
}
