//! The truths of the selftest on a clock that is computed: schedule, source and recorder as they are,
//! between them a server that follows its rule exactly. What is recorded must be the sample, and the
//! sample must follow the rule.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use hdrhistogram::Histogram;

use super::truth::{quantile, queued_quantile, stalled_quantile};
use crate::load::{Closed, Next, Open, Released, Schedule, Source};
use crate::record::{Background, Interval, IntervalLength, Kinds, Recorder, Sample};
use crate::result::hlog::Kind;
use crate::rpc::random::Random;
use crate::rpc::{Delay, Hold, How, Stall};
use crate::scenario::Arrivals;

const MS: u64 = 1_000_000;
const STALL: Option<Stall> = Some(Stall { every_ns: 2_000 * MS, for_ns: 200 * MS });

/// What was recorded, and the sample itself, sorted.
struct Outcome {
    recorded: Histogram<u32>,
    service: Histogram<u32>,
    sample_ns: Vec<u64>,
}

struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

struct World {
    source: Source,
    delay: Delay,
    slots: usize,
    in_flight: usize,
    serial_free_ns: u64,
    /// Calls under way, by the time of their answer.
    answers: BinaryHeap<Reverse<(u64, Moments)>>,
    recorder: Recorder,
    sample_ns: Vec<u64>,
    /// One for all: `Waker::noop()` is not always the same as itself.
    waker: Waker,
}

/// Due, ready and start of a call, in an order that a heap can have.
type Moments = (u64, u64, u64);

impl World {
    fn start_what_can(&mut self, now_ns: u64) {
        let waker = self.waker.clone();
        let cx = Context::from_waker(&waker);
        while self.in_flight < self.slots {
            let Next::Call(call) = self.source.next(now_ns, &cx) else { break };
            self.in_flight += 1;
            let mut random = Random::labelled(1, "service").at(call.index);
            let begins_ns =
                if self.delay.how == How::Serial { now_ns.max(self.serial_free_ns) } else { now_ns };
            let answer_ns = begins_ns + self.delay.draw(&mut random, begins_ns);
            self.serial_free_ns = answer_ns;
            self.answers.push(Reverse((answer_ns, (call.due_ns, call.ready_ns, now_ns))));
        }
    }

    fn answer(&mut self, done_ns: u64, (due_ns, ready_ns, start_ns): Moments) {
        self.in_flight -= 1;
        self.source.completed(done_ns);
        self.recorder.record(&Sample { method: 0, due_ns, ready_ns, start_ns, first_item_ns: None, done_ns });
        self.sample_ns.push(done_ns - due_ns);
        self.start_what_can(done_ns);
    }
}

/// Drives calls that are due at `due_ns`, each released by `ready`; in a closed loop there are none,
/// and the source says when calls start.
fn run(source: Source, slots: usize, delay: Delay, due_ns: &[u64], ready: fn(u64) -> u64) -> Outcome {
    let is_open = matches!(source, Source::Open(_));
    let merged = Arc::new(Mutex::new([Histogram::new(3).unwrap(), Histogram::new(3).unwrap()]));
    let sink = Arc::clone(&merged);
    let background = Background::start(Box::new(move |interval: &Interval| {
        let mut merged = sink.lock().unwrap();
        for (_, kind, histogram) in interval.filled() {
            match kind {
                Kind::Response => merged[0].add(histogram).unwrap(),
                Kind::Service => merged[1].add(histogram).unwrap(),
                _ => {}
            }
        }
    }))
    .unwrap();
    let length = IntervalLength::of_round(None);
    let recorder = Recorder::new(1, Kinds::of(is_open, false), 0, length, background);
    let mut world = World {
        source,
        delay,
        slots,
        in_flight: 0,
        serial_free_ns: 0,
        answers: BinaryHeap::new(),
        recorder,
        sample_ns: Vec::new(),
        waker: Waker::from(Arc::new(Nobody)),
    };
    world.start_what_can(0);
    let mut due = due_ns.iter().copied().zip(0..).peekable();
    loop {
        let next_ready_ns = due.peek().map_or(u64::MAX, |(due_ns, _)| ready(*due_ns));
        match world.answers.peek() {
            Some(&Reverse((done_ns, call))) if done_ns <= next_ready_ns => {
                world.answers.pop();
                world.answer(done_ns, call);
            }
            _ => {
                let Some((due_ns, index)) = due.next() else { break };
                let released = Released { index, due_ns, ready_ns: next_ready_ns };
                world.source.open().unwrap().release(released);
                world.start_what_can(next_ready_ns);
            }
        }
    }
    let World { recorder, mut sample_ns, .. } = world;
    recorder.finish(u64::MAX);
    sample_ns.sort_unstable();
    let [response, service] = Arc::into_inner(merged).unwrap().into_inner().unwrap();
    Outcome { recorded: if is_open { response } else { service.clone() }, service, sample_ns }
}

fn schedule(rate_per_s: f64, arrivals: Arrivals, calls: usize) -> Vec<u64> {
    Schedule::new(rate_per_s, arrivals, 42, u64::MAX).take(calls).map(|(_, due_ns)| due_ns).collect()
}

fn open(slots: usize, delay: Delay, due_ns: &[u64]) -> Outcome {
    run(Source::Open(Open::new(slots)), slots, delay, due_ns, |due_ns| due_ns)
}

fn fixed(stall: Option<Stall>, how: How) -> Delay {
    Delay { hold: Hold::Fixed(MS), stall, how }
}

/// The recorded quantile, which must be the sample's within the three digits of the histogram.
fn exact(outcome: &Outcome, q: f64) -> f64 {
    let sample_ns = quantile(&outcome.sample_ns, q).unwrap() as f64;
    let recorded_ns = outcome.recorded.value_at_quantile(q) as f64;
    assert_eq!(outcome.recorded.len(), outcome.sample_ns.len() as u64);
    assert!((recorded_ns / sample_ns - 1.0).abs() <= 0.001, "q {q}: {recorded_ns} for {sample_ns}");
    recorded_ns
}

fn assert_near(outcome: &Outcome, expected: &[(f64, f64)], tolerance_ns: f64) {
    for &(q, rule_ns) in expected {
        let recorded_ns = exact(outcome, q);
        assert!((recorded_ns - rule_ns).abs() <= tolerance_ns, "q {q}: {recorded_ns}, by rule {rule_ns}");
    }
}

#[test]
fn fixed_times_are_recorded_as_they_are() {
    let outcome = open(200, fixed(None, How::Sleep), &schedule(200.0, Arrivals::Constant, 2_000));
    assert_near(&outcome, &[(0.5, 1e6), (0.99, 1e6), (0.999, 1e6)], 1e3);
}

#[test]
fn a_stall_delays_every_call_that_was_due_in_it() {
    let due_ns = schedule(500.0, Arrivals::Constant, 100_000);
    let rule = |busy_share: f64, q: f64| (q, stalled_quantile(1e6, 200e6, 2_000e6, busy_share, q));
    // Calls are 2 ms apart, and so are their waits.
    let outcome = open(200, fixed(STALL, How::Sleep), &due_ns);
    assert_near(&outcome, &[0.5, 0.95, 0.99, 0.999].map(|q| rule(0.0, q)), 2e6);
    // However few calls are in flight: the waiting is then in the client.
    for slots in [1, 4, 200] {
        let outcome = open(slots, fixed(STALL, How::Serial), &due_ns);
        assert_near(&outcome, &[0.9, 0.99].map(|q| rule(0.5, q)), 2e6);
    }
    let few = open(1, fixed(STALL, How::Serial), &due_ns);
    assert!(few.service.value_at_quantile(0.99) < 2 * MS, "what counts from the start omits the waiting");
}

#[test]
fn a_closed_loop_omits_the_waiting_and_records_its_service_time_exactly() {
    let source = Source::Closed(Closed::new(0, 1, 50_000, u64::MAX, 1));
    let outcome = run(source, 1, fixed(STALL, How::Sleep), &[], |due_ns| due_ns);
    assert_near(&outcome, &[(0.5, 1e6), (0.99, 1e6), (0.999, 1e6)], 1e3);
    assert!(outcome.recorded.max() > 190 * MS);
}

#[test]
fn a_queue_has_the_quantiles_of_its_theory() {
    let delay = Delay { hold: Hold::Exponential(MS), stall: None, how: How::Serial };
    let due_ns = schedule(500.0, Arrivals::Poisson, 400_000);
    let outcome = open(4_096, delay, &due_ns);
    for (q, tolerance) in [(0.5, 0.02), (0.9, 0.03), (0.99, 0.05)] {
        let rule_ns = queued_quantile(1e6, 0.5, q);
        assert_near(&outcome, &[(q, rule_ns)], tolerance * rule_ns);
    }
    exact(&outcome, 0.999);
    // With one slot all waiting is in the client, and the response time is the same.
    assert_eq!(open(1, delay, &due_ns).sample_ns, outcome.sample_ns);
}

#[test]
fn few_slow_calls_show_where_they_are() {
    let hold = Hold::Bimodal { fast_ns: MS, slow_ns: 50 * MS, slow_share: 0.005 };
    let delay = Delay { hold, stall: None, how: How::Sleep };
    let outcome = open(200, delay, &schedule(1_000.0, Arrivals::Constant, 100_000));
    assert_near(&outcome, &[(0.99, 1e6), (0.999, 50e6)], 5e4);
}

#[test]
fn a_client_that_stood_still_does_not_move_due_times() {
    let ready = |due_ns: u64| if (1_000 * MS..1_200 * MS).contains(&due_ns) { 1_200 * MS } else { due_ns };
    let due_ns = schedule(500.0, Arrivals::Constant, 2_000);
    let outcome = run(Source::Open(Open::new(200)), 200, fixed(None, How::Sleep), &due_ns, ready);
    // 5 % of the calls were due meanwhile, and waited up to 200 ms.
    assert_near(&outcome, &[(0.5, 1e6), (0.99, 161e6)], 2e6);
    assert_eq!(outcome.recorded.max() / MS, 201);
    assert!(outcome.service.max() < 2 * MS);
}
