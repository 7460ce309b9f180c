//! Load: when calls become due (`schedule`), who releases them (the pacer), and the driver, which
//! is one lane per connection for closed and open loops alike.
//!
//! May import `protocol`, `record` and below; starts no process and reads no scenario file.

mod connections;
mod lane;
mod link;
mod load_stages;
mod meeting;
mod pacer;
mod patience;
mod phase;
mod profile;
mod schedule;
mod share;
mod source;
mod stages;
mod thinking;
mod thread;

pub use pacer::{Paced, Pacing, SPIN_NS};
pub use profile::Profile;
pub use schedule::Schedule;
pub use source::{Closed, Next, Open, ReleaseCounts, Released, Source};
pub use stages::{StageProbe, StampedCall};
pub use thinking::{Deal, Thinking};

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use self::connections::ConnectionTimes;
use self::meeting::Meeting;
use crate::clock::now_ns;
use crate::protocol::{Protocol, ProtocolError};
use crate::record::{Interval, IntervalLength, IntervalSink, Tally};
use crate::result::{OpeningTotals, RoundResult, StageCounts, TrafficBytes, hlog};
use crate::rpc::Service;
use crate::scenario::{Amount, ErrorBudget, Generator, Links, Load, LoadModel};
use crate::transport::Wiring;

/// Everything a client needs for one round.
#[derive(Debug)]
pub struct Drive {
    /// What to speak.
    pub protocol: Protocol,
    /// The service on the other side.
    pub service: Arc<Service>,
    /// How the transport is wired for it.
    pub wiring: Arc<Wiring>,
    /// Where it is: `host:port`.
    pub target: String,
    /// The seeded calls.
    pub generator: Arc<Generator>,
    /// The load.
    pub load: Load,
    /// The connections that follow from it.
    pub links: Links,
    /// How many calls may fail: a server that leaves no more than these without an answer is not given up.
    pub errors: ErrorBudget,
    /// Messages per write.
    pub write_batch: u32,
    /// How the calls of an open loop are paced.
    pub pacing: Pacing,
    /// The seed of the arrivals.
    pub seed: u64,
    /// The cores of the client's threads; empty for any.
    pub cpus: Vec<usize>,
    /// Payload bytes of arguments and answer, by method and variant ([`payload_bytes`]).
    pub payload_bytes: Arc<Vec<Vec<(u64, u64)>>>,
    /// Stamps of sampled calls; `None` for none.
    pub stages: Option<Arc<StageProbe>>,
}

impl Drive {
    /// The intervals into which the round is cut.
    #[must_use]
    pub fn intervals(&self) -> IntervalLength {
        IntervalLength::of_round(thread::known_length_ns(self))
    }
}

/// Why a round could not be driven.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The system refused a thread, timer or core.
    #[error("cannot set up a client thread: {0}")]
    Thread(#[source] std::io::Error),
    /// The protocol cannot carry the service.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// A client thread died.
    #[error("a client thread panicked; this is a fault of Wirebench")]
    Panicked,
    /// Another client thread failed, and the round cannot go on without it.
    #[error("another client thread failed")]
    Abandoned,
}

/// Is told when the measured interval begins and ends, to read counters of the processes.
pub trait Observer: Sync {
    /// The measured interval begins now.
    fn begins(&self);
    /// Every call of the measured interval is over.
    fn ends(&self);
}

/// The payload bytes of every variant of every method's call.
#[must_use]
pub fn payload_bytes(generator: &Generator, methods: usize) -> Vec<Vec<(u64, u64)>> {
    (0..methods)
        .map(|method| {
            (0..generator.variants(method))
                .map(|variant| {
                    let arguments = generator.arguments(method, variant);
                    let request = arguments.iter().map(crate::rpc::Value::payload_bytes).sum();
                    (request, generator.expected(method, variant).payload_bytes())
                })
                .collect()
        })
        .collect()
}

/// Confines the calling thread to one core.
fn pin(cpu: usize) -> std::io::Result<()> {
    let mut set = nix::sched::CpuSet::new();
    set.set(cpu)?;
    Ok(nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &set)?)
}

/// Runs one round: connects, warms up, measures, drains. Fills everything of the result that a
/// client can know; counters of processes are the observer's.
///
/// # Errors
/// See [`DriveError`]; calls that fail are no error of the round but part of its result.
pub fn drive(drive: &Drive, observer: &dyn Observer) -> Result<RoundResult, DriveError> {
    let threads = drive.load.client_threads.max(1);
    let meeting = Meeting::new(threads);
    let log = Arc::new(Mutex::new(IntervalLog::default()));
    let stages_log = Arc::new(Mutex::new(IntervalLog::default()));
    let switch = |begins: bool| {
        meeting.meet(|| {
            if !begins {
                observer.ends();
                return now_ns();
            }
            observer.begins();
            let begun_ns = thread::begin_ns(drive);
            IntervalLog::begins(&log, begun_ns);
            IntervalLog::begins(&stages_log, begun_ns);
            begun_ns
        })
    };
    let run = |thread: u32| {
        let attendance = meeting.attend();
        let names =
            drive.service.methods.iter().map(|method| method.method.name.to_string()).collect::<Vec<_>>();
        let positions: Vec<String> =
            (0..drive.load.stages.len()).map(|position| position.to_string()).collect();
        let sinks = thread::Sinks {
            methods: IntervalLog::sink(&log, names),
            stages: (!positions.is_empty()).then(|| IntervalLog::sink(&stages_log, positions)),
        };
        let result = thread::run(drive, share::Place { thread, threads }, sinks, &switch)?;
        attendance.complete();
        Ok(result)
    };
    let results: Vec<Result<thread::ThreadResult, DriveError>> = if threads == 1 {
        vec![run(0)]
    } else {
        std::thread::scope(|scope| {
            let spawned: Vec<_> = (0..threads)
                .map(|thread| {
                    let spawned = std::thread::Builder::new().spawn_scoped(scope, move || run(thread));
                    spawned.inspect_err(|_| meeting.abandon()).map_err(DriveError::Thread)
                })
                .collect();
            let ended = |handle: Handle<'_>| handle.join().unwrap_or(Err(DriveError::Panicked));
            spawned.into_iter().map(|spawned| spawned.and_then(ended)).collect()
        })
    };
    let results = all_of(results)?;
    let mut round = combine(drive, results);
    round.hlog = IntervalLog::into_text(log);
    round.stages_hlog = IntervalLog::into_text(stages_log);
    Ok(round)
}

type Handle<'a> = std::thread::ScopedJoinHandle<'a, Result<thread::ThreadResult, DriveError>>;

/// The results of all threads, or why there is one missing: the cause and not what followed from it.
fn all_of(
    results: Vec<Result<thread::ThreadResult, DriveError>>,
) -> Result<Vec<thread::ThreadResult>, DriveError> {
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(result) => found.push(result),
            Err(error) => errors.push(error),
        }
    }
    errors.sort_by_key(|error| matches!(error, DriveError::Abandoned));
    errors.into_iter().next().map_or(Ok(found), Err)
}

/// Interval logs of all threads, written as they come.
#[derive(Default)]
struct IntervalLog {
    /// When the load begins, whenever its first answer comes; times are relative to it.
    begun_ns: u64,
    writer: Option<hlog::Writer>,
}

impl IntervalLog {
    fn begins(log: &Mutex<Self>, at_ns: u64) {
        if let Ok(mut log) = log.lock() {
            log.begun_ns = at_ns;
        }
    }

    /// Takes the intervals of one thread, whose methods (or stages) have these names.
    fn sink(log: &Arc<Mutex<Self>>, names: Vec<String>) -> IntervalSink {
        let log = Arc::clone(log);
        Box::new(move |interval: &Interval| {
            if let Ok(mut log) = log.lock() {
                log.add(&names, interval);
            }
        })
    }

    fn into_text(log: Arc<Mutex<Self>>) -> String {
        let log = Arc::into_inner(log).and_then(|log| log.into_inner().ok()).unwrap_or_default();
        log.writer.map(hlog::Writer::into_text).unwrap_or_default()
    }

    #[allow(clippy::cast_precision_loss)]
    fn add(&mut self, names: &[String], interval: &Interval) {
        let begun_ns = self.begun_ns;
        let writer = self.writer.get_or_insert_with(|| {
            let ago_ms = now_ns().saturating_sub(begun_ns) / 1_000_000;
            hlog::Writer::new(unix_ms().saturating_sub(ago_ms))
        });
        let start_s = interval.start_ns.saturating_sub(begun_ns) as f64 / 1e9;
        let length_s = interval.end_ns.saturating_sub(interval.start_ns) as f64 / 1e9;
        for (method, kind, histogram) in interval.filled() {
            // The only failure is a histogram beyond the format's size, which the bounds exclude.
            let _ = writer.add(&names[method], kind, start_s, length_s, histogram);
        }
    }
}

fn unix_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn combine(drive: &Drive, threads: Vec<thread::ThreadResult>) -> RoundResult {
    let is_open = matches!(drive.load.model, LoadModel::Open { .. });
    let begun_ns = threads.iter().map(|thread| thread.begun_ns).min().unwrap_or(0);
    // A call that ran into its time-out says how long the client waited, not how long the server took.
    let answered_ns = threads.iter().filter_map(|thread| thread.last_answered_ns).max();
    let done_ns = threads.iter().map(|thread| thread.last_done_ns).max().unwrap_or(0);
    let first_ns = threads.iter().filter_map(|thread| thread.first_start_ns).min().unwrap_or(begun_ns);
    let from_ns = if is_open { begun_ns } else { first_ns };
    let elapsed_ns = answered_ns.unwrap_or(done_ns).saturating_sub(from_ns);
    let started_at_ms = unix_ms().saturating_sub(now_ns().saturating_sub(from_ns) / 1_000_000);
    // Calls of users who think become due like those of a schedule.
    let is_paced = is_open || drive.load.thinks().is_some();
    let last_due_offset_ns = threads.iter().filter_map(|thread| thread.last_due_offset_ns).max();
    let mut round = RoundResult {
        started_at: crate::result::rfc3339_ms(i64::try_from(started_at_ms).unwrap_or(i64::MAX)),
        elapsed_ns,
        begun_ns: is_open.then_some(begun_ns),
        waited_calls: is_open.then_some(0),
        backlog: is_open.then_some(0),
        late: is_paced.then_some(0),
        spun_ns: is_paced.then_some(0),
        client_stopped_ns: Some(0),
        warmup_ns: threads.iter().map(|thread| thread.warmup_ns).max(),
        ..RoundResult::default()
    };
    let names: Arc<[Arc<str>]> =
        drive.service.methods.iter().map(|method| Arc::clone(&method.method.name)).collect();
    let mut tally = Tally::new(&names);
    let (mut sent_bytes, mut received_bytes) = (0, 0);
    let mut openings = OpeningTotals::default();
    let mut connections = ConnectionTimes::default();
    for thread in threads {
        round.offered_calls += thread.offered_calls;
        sent_bytes += thread.sent_bytes;
        received_bytes += thread.received_bytes;
        let add = |sum: &mut Option<u64>, more: u64| *sum = sum.map(|sum| sum + more);
        add(&mut round.waited_calls, thread.released.waited);
        add(&mut round.backlog, thread.released.peak_backlog);
        add(&mut round.late, thread.released.late);
        add(&mut round.spun_ns, thread.spun_ns);
        round.client_stopped_ns = round.client_stopped_ns.max(Some(thread.stopped_ns));
        round.gave_up = round.gave_up.take().or(thread.gave_up);
        openings.merge(&thread.openings);
        round.load_stages.resize(thread.load_stages.len(), StageCounts::default());
        for (stage, more) in round.load_stages.iter_mut().zip(&thread.load_stages) {
            stage.merge(more);
        }
        connections.merge(thread.connections);
        tally.merge(thread.tally);
    }
    let methods: BTreeMap<_, _> = names.iter().map(|name| name.to_string()).zip(tally.methods).collect();
    for counts in methods.values() {
        round.calls += counts.calls;
        round.wrong_answers += counts.wrong_answers;
        for (class, count) in &counts.errors {
            *round.errors.entry(*class).or_default() += count;
        }
    }
    if !is_open {
        round.offered_calls = round.calls + round.failed_calls();
    }
    round.interval_ns = match (drive.load.length, drive.load.model, last_due_offset_ns) {
        (Amount::DurationNs(ns), ..) => ns,
        (Amount::Calls(_), LoadModel::Open { rate_per_s, .. }, Some(offset_ns)) => {
            offset_ns.saturating_add(mean_gap_ns(rate_per_s))
        }
        (Amount::Calls(_), ..) => elapsed_ns,
    };
    round.framed = TrafficBytes { request: Some(sent_bytes), response: Some(received_bytes) };
    round.connections_opened = Some(openings.connections);
    round.connection_log = connections.to_hlog();
    round.opening = (openings.connections > 0).then_some(openings);
    round.methods = methods;
    round.error_examples = tally.examples;
    round.wrong_examples = tally.wrong_answers;
    round
}

/// How long after the last call of a schedule another would be due: the last call's share of the interval.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn mean_gap_ns(rate_per_s: f64) -> u64 {
    (1e9 / rate_per_s) as u64
}
