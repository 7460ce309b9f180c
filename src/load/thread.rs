//! One client thread through a round: connect, warm up, measure, drain.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::connections::ConnectionTimes;
use super::lane::{Lane, Link, connect};
use super::load_stages::{self, StageWatch};
use super::pacer::{self, Paced};
use super::phase::{Client, Phase, PhaseResults};
use super::profile::Profile;
use super::schedule::Schedule;
use super::source::{Closed, Open, ReleaseCounts, Source};
use super::thinking::{self, Deal, Thinking};
use super::{Drive, DriveError};
use crate::clock::{now_ns, reduce_timer_slack};
use crate::protocol::MethodCodecs;
use crate::record::{Background, IntervalLength, IntervalSink, Kinds, Recorder, Tally};
use crate::result::{OpeningTotals, StageCounts};
use crate::scenario::{Amount, ConnectionMode, Idle, LoadModel};

/// The heartbeat by which a client notices that it was stopped.
const HEARTBEAT: Duration = Duration::from_millis(10);
/// An open loop's first call is due this long after its lanes were started, so that it is not late.
const LEAD_NS: u64 = 1_000_000;

/// What one client thread found in the measured interval.
#[derive(Debug)]
pub(super) struct ThreadResult {
    pub(super) tally: Tally,
    pub(super) begun_ns: u64,
    pub(super) first_start_ns: Option<u64>,
    pub(super) last_done_ns: u64,
    pub(super) offered_calls: u64,
    pub(super) openings: OpeningTotals,
    pub(super) connections: ConnectionTimes,
    pub(super) sent_bytes: u64,
    pub(super) received_bytes: u64,
    pub(super) released: ReleaseCounts,
    pub(super) spun_ns: u64,
    pub(super) stopped_ns: u64,
    pub(super) warmup_ns: u64,
    pub(super) gave_up: Option<String>,
    pub(super) load_stages: Vec<StageCounts>,
}

/// A client thread's place among the others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) thread: u32,
    pub(super) threads: u32,
}

impl Place {
    /// This thread's share of `total`, dealt one by one.
    fn share(self, total: u32) -> usize {
        let extra = u32::from(self.thread < total % self.threads);
        (total / self.threads + extra) as usize
    }
}

/// Where full intervals go: those of methods, and those of stages where the load has some.
pub(super) struct Sinks {
    pub(super) methods: IntervalSink,
    pub(super) stages: Option<IntervalSink>,
}

/// Runs one client thread. `switch` is called between warm-up and measured interval (with `true`)
/// and after the drain (with `false`), and returns when every thread is there.
pub(super) fn run(
    drive: &Drive,
    place: Place,
    sinks: Sinks,
    switch: &dyn Fn(bool),
) -> Result<ThreadResult, DriveError> {
    // The background thread is started first, so that it is not confined to the measuring core.
    let background = Background::start(sinks.methods).map_err(DriveError::Thread)?;
    let of_stages = sinks.stages.map(Background::start).transpose().map_err(DriveError::Thread)?;
    if !drive.cpus.is_empty() {
        let cpu = drive.cpus[place.thread as usize % drive.cpus.len()];
        super::pin(cpu).map_err(DriveError::Thread)?;
    }
    // Without it the lag is larger, which is measured.
    let _ = reduce_timer_slack();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(DriveError::Thread)?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, round(drive, place, (background, of_stages), switch))
}

async fn round(
    drive: &Drive,
    place: Place,
    (background, of_stages): (Background, Option<Background>),
    switch: &dyn Fn(bool),
) -> Result<ThreadResult, DriveError> {
    let codecs = MethodCodecs::prepare(drive.protocol.codec.as_ref(), &drive.service)?;
    let names: Arc<[Arc<str>]> =
        drive.service.methods.iter().map(|method| Arc::clone(&method.method.name)).collect();
    let client = Rc::new(Client {
        protocol: drive.protocol.clone(),
        service: Arc::clone(&drive.service),
        codecs,
        wiring: Arc::clone(&drive.wiring),
        target: drive.target.clone(),
        generator: Arc::clone(&drive.generator),
        payload_bytes: Arc::clone(&drive.payload_bytes),
        timeout_ns: drive.load.timeout_ns,
        per_call: drive.load.connection_mode == ConnectionMode::PerCall,
        in_flight: drive.links.in_flight.max(1) as usize,
        write_batch: drive.write_batch.max(1) as usize,
        sample_every: drive.stages.as_ref().map_or(0, |probe| probe.every),
        next_session: Cell::new(place.thread.into()),
        threads: place.threads.into(),
        connections: RefCell::default(),
    });
    let spinner = (drive.load.idle == Idle::Spin).then(|| tokio::task::spawn_local(spin()));
    let mut openings = OpeningTotals::default();
    let links = open_links(&client, place.share(drive.links.connections), &mut openings).await;

    let warmed_from_ns = now_ns();
    let warmup = Phase::new(drive, place, &names, None, None);
    let links = run_phase(drive, place, &client, &Rc::new(warmup), links).await?.links;
    let warmup_ns = now_ns().saturating_sub(warmed_from_ns);
    switch(true);

    let stopped_ns = Rc::new(Cell::new(0));
    let heart = tokio::task::spawn_local(heartbeat(Rc::clone(&stopped_ns)));
    let streams = drive.service.methods.iter().any(|method| method.stream_items.is_some());
    let is_paced = matches!(drive.load.model, LoadModel::Open { .. }) || drive.load.thinks().is_some();
    let kinds = Kinds::of(is_paced, streams);
    let recorder = Recorder::new(names.len(), kinds, now_ns(), drive.intervals(), background);
    let watch = of_stages.map(|background| watch_stages(drive, Kinds::of(is_paced, false), background));
    let phase = Rc::new(Phase::new(drive, place, &names, Some(recorder), watch));
    phase.results.borrow_mut().stages = drive.stages.as_ref().map(|probe| probe.thread_log());
    let finished = run_phase(drive, place, &client, &phase, links).await?;
    heart.abort();
    switch(false);
    if let Some(spinner) = spinner {
        spinner.abort();
    }

    let PhaseResults { recorder, stages, mut tally, .. } =
        std::mem::replace(&mut *phase.results.borrow_mut(), PhaseResults::new(&names, None));
    if let Some(recorder) = recorder {
        recorder.finish(now_ns());
    }
    let load_stages = phase.stages.as_ref().map_or_else(Vec::new, |stages| stages.finish(now_ns()));
    if let (Some(probe), Some(log)) = (&drive.stages, stages) {
        probe.take(log);
    }
    for (method, calls) in finished.unsent.into_iter().enumerate().filter(|(_, calls)| *calls > 0) {
        tally.unsent(method, calls);
    }
    openings.merge(&finished.summary.openings);
    let connections = client.connections.take();
    let stopped_ns = stopped_ns.get();
    Ok(ThreadResult { tally, openings, connections, stopped_ns, warmup_ns, load_stages, ..finished.summary })
}

fn watch_stages(drive: &Drive, kinds: Kinds, background: Background) -> StageWatch {
    let stages = &drive.load.stages;
    // Each stage is judged by its parts.
    let length = IntervalLength::of_round(stages.iter().map(|stage| stage.length_ns).min());
    StageWatch::new(stages, Recorder::new(stages.len(), kinds, now_ns(), length, background))
}

/// The length of the measured interval, where it is known before.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn known_length_ns(drive: &Drive) -> Option<u64> {
    match (drive.load.length, drive.load.model) {
        (Amount::DurationNs(ns), _) => Some(ns),
        (Amount::Calls(calls), LoadModel::Open { rate_per_s, .. }) => {
            Some((calls as f64 / rate_per_s * 1e9) as u64)
        }
        (Amount::Calls(_), LoadModel::Closed { .. }) => None,
    }
}

/// Keeps the thread awake, so that its core never halts.
async fn spin() {
    loop {
        tokio::task::yield_now().await;
    }
}

/// Notes the longest time in which this thread did not run.
async fn heartbeat(stopped_ns: Rc<Cell<u64>>) {
    let mut last_ns = now_ns();
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        let at_ns = now_ns();
        let gap_ns = (at_ns - last_ns).saturating_sub(HEARTBEAT.as_nanos() as u64);
        stopped_ns.set(stopped_ns.get().max(gap_ns));
        last_ns = at_ns;
    }
}

/// Opens a thread's connections before the warm-up. One that cannot be opened is tried again by its
/// lane, which counts the failure.
async fn open_links(client: &Rc<Client>, count: usize, openings: &mut OpeningTotals) -> Vec<Link> {
    let mut links = Vec::with_capacity(count);
    for _ in 0..count {
        let mut link = Link::Down;
        if !client.per_call
            && let Link::Connecting(connecting) = connect(client)
            && let Ok(Ok(connection)) =
                tokio::time::timeout(Duration::from_nanos(client.timeout_ns), connecting).await
        {
            let session = client.session(connection);
            let opening = session.opening();
            client.opened(opening, false);
            openings.add(opening.resolve_ns, opening.connect_ns, opening.handshake_ns);
            link = Link::Up(session);
        }
        links.push(link);
    }
    links
}

impl PhaseResults {
    fn new(names: &Arc<[Arc<str>]>, recorder: Option<Recorder>) -> Self {
        Self {
            recorder,
            stages: None,
            tally: Tally::new(names),
            openings: OpeningTotals::default(),
            connect_failures_in_a_row: 0,
            first_start_ns: None,
            last_done_ns: 0,
            gave_up: None,
            sent_bytes: 0,
            received_bytes: 0,
        }
    }
}

impl Phase {
    /// The measured interval, where there is a recorder; else the warm-up.
    fn new(
        drive: &Drive,
        place: Place,
        names: &Arc<[Arc<str>]>,
        recorder: Option<Recorder>,
        stages: Option<StageWatch>,
    ) -> Self {
        let is_warmup = recorder.is_none();
        let amount = if is_warmup { drive.load.warmup } else { drive.load.length };
        let source = match drive.load.model {
            LoadModel::Open { .. } => {
                let slots = place.share(drive.links.connections) * drive.links.in_flight.max(1) as usize;
                Source::Open(Open::new(slots))
            }
            LoadModel::Closed { concurrency } => {
                let begins_ns = now_ns();
                let (end_index, ends_ns) = match amount {
                    Amount::Calls(calls) => (calls, u64::MAX),
                    Amount::DurationNs(ns) => (u64::MAX, begins_ns.saturating_add(ns)),
                };
                let (first, step) = (u64::from(place.thread), u64::from(place.threads));
                let deal = Deal { first, step, end_index, begins_ns, ends_ns };
                // The warm-up is a first stage that lasts; the steps come later.
                let first_stage = drive.load.stages.first().and_then(|stage| stage.level.concurrency());
                let concurrency = first_stage.unwrap_or(concurrency);
                let slots = place.share(concurrency);
                match drive.load.thinks() {
                    Some(think) => {
                        let seed = if is_warmup { !drive.seed } else { drive.seed };
                        let mut thinking = Thinking::new(think, seed, deal, slots, concurrency);
                        if !is_warmup && drive.load.stages.len() > 1 {
                            thinking.expect_steps();
                        }
                        Source::Thinking(thinking)
                    }
                    None => Source::Closed(Closed::new(first, step, end_index, ends_ns, slots)),
                }
            }
        };
        Self {
            source: RefCell::new(source),
            is_warmup,
            results: RefCell::new(PhaseResults::new(names, recorder)),
            stages,
            spun_ns: Cell::new(0),
        }
    }
}

struct Finished {
    links: Vec<Link>,
    summary: ThreadResult,
    /// Calls that were due and never sent, by method.
    unsent: Vec<u64>,
}

async fn run_phase(
    drive: &Drive,
    place: Place,
    client: &Rc<Client>,
    phase: &Rc<Phase>,
    links: Vec<Link>,
) -> Result<Finished, DriveError> {
    let is_open = matches!(drive.load.model, LoadModel::Open { .. });
    let begun_ns = now_ns() + if is_open { LEAD_NS } else { 0 };
    if let Some(stages) = &phase.stages {
        stages.begins(begun_ns);
    }
    let lanes: Vec<_> = links
        .into_iter()
        .map(|link| tokio::task::spawn_local(Lane::new(Rc::clone(client), Rc::clone(phase), link).run()))
        .collect();
    let helpers = [think(drive, phase), step(drive, place, phase, begun_ns)];
    let mut unsent = vec![0; drive.service.methods.len()];
    let paced = match drive.load.model {
        LoadModel::Closed { .. } => Paced::default(),
        LoadModel::Open { rate_per_s, arrivals } => {
            let amount = if phase.is_warmup { drive.load.warmup } else { drive.load.length };
            let seed = if phase.is_warmup { !drive.seed } else { drive.seed };
            let (length_ns, calls) = match amount {
                Amount::Calls(calls) => (u64::MAX, calls),
                Amount::DurationNs(ns) => (ns, u64::MAX),
            };
            let profile = match drive.load.stages.first().and_then(|stage| stage.level.mean_per_s()) {
                None => Profile::constant(rate_per_s, length_ns),
                Some(first_per_s) if phase.is_warmup => Profile::constant(first_per_s, length_ns),
                Some(_) => Profile::of_stages(&drive.load.stages),
            };
            let offered = |due_ns, waited| {
                if let Some(stages) = &phase.stages {
                    stages.offered(due_ns, waited);
                }
            };
            let schedule = Schedule::over(profile, arrivals, seed)
                .take_while(|(index, _)| *index < calls)
                .filter(|(index, _)| index % u64::from(place.threads) == u64::from(place.thread));
            let paced = pacer::pace(schedule, &phase.source, begun_ns, drive.pacing, &offered)
                .await
                .map_err(DriveError::Thread)?;
            drain(drive, phase, &lanes, &mut unsent).await;
            paced
        }
    };
    let mut links = Vec::with_capacity(lanes.len());
    for lane in lanes {
        // A lane that panicked has already said so; its connection is gone.
        links.push(lane.await.unwrap_or_default());
    }
    helpers.into_iter().flatten().for_each(|helper| helper.abort());
    let results = phase.results.borrow();
    let released = phase.source.borrow_mut().counts();
    let summary = ThreadResult {
        tally: Tally::default(),
        begun_ns,
        first_start_ns: results.first_start_ns,
        last_done_ns: results.last_done_ns,
        offered_calls: paced.offered_calls,
        openings: results.openings,
        connections: ConnectionTimes::default(),
        sent_bytes: results.sent_bytes,
        received_bytes: results.received_bytes,
        released,
        spun_ns: paced.spun_ns + phase.spun_ns.get(),
        stopped_ns: 0,
        warmup_ns: 0,
        gave_up: results.gave_up.clone(),
        load_stages: Vec::new(),
    };
    drop(results);
    Ok(Finished { links, summary, unsent })
}

/// Starts the pacer of a loop whose users think. One that cannot be paced is given up.
fn think(drive: &Drive, phase: &Rc<Phase>) -> Option<tokio::task::JoinHandle<()>> {
    drive.load.thinks()?;
    let (phase, spin_ns) = (Rc::clone(phase), drive.pacing.spin_ns);
    Some(tokio::task::spawn_local(async move {
        if let Err(error) = thinking::pace(&phase.source, spin_ns, &phase.spun_ns).await {
            let why = format!("no timer for think times: {error}");
            phase.results.borrow_mut().gave_up.get_or_insert(why);
        }
    }))
}

/// Starts what changes the calls in flight of a closed loop in the measured interval.
fn step(
    drive: &Drive,
    place: Place,
    phase: &Rc<Phase>,
    begun_ns: u64,
) -> Option<tokio::task::JoinHandle<()>> {
    phase.stages.as_ref()?;
    let slots: Vec<usize> =
        drive.load.stages.iter().filter_map(|stage| Some(place.share(stage.level.concurrency()?))).collect();
    if slots.is_empty() {
        return None;
    }
    let (phase, stages) = (Rc::clone(phase), drive.load.stages.clone());
    Some(tokio::task::spawn_local(async move {
        if let Err(error) = load_stages::step(&phase, &stages, &slots, begun_ns).await {
            let why = format!("no timer for the steps of the load: {error}");
            phase.results.borrow_mut().gave_up.get_or_insert(why);
        }
    }))
}

/// Waits until every call that is due has been answered, at most for a time-out; what then still
/// waits for a slot is counted as unsent.
async fn drain(drive: &Drive, phase: &Phase, lanes: &[tokio::task::JoinHandle<Link>], unsent: &mut [u64]) {
    let deadline_ns = now_ns().saturating_add(drive.load.timeout_ns);
    while now_ns() < deadline_ns && lanes.iter().any(|lane| !lane.is_finished()) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let mut source = phase.source.borrow_mut();
    if let Some(open) = source.open() {
        for released in open.take_unsent() {
            let planned = drive.generator.call(released.index);
            unsent[planned.method] += 1;
            if let Some(stages) = &phase.stages {
                stages.unsent(released.due_ns);
            }
        }
        if let Some(first) = unsent.first_mut() {
            // Beyond the longest queue only their number is known.
            *first += open.counts.overflow;
        }
    }
}
