//! One client thread through a round: connect, warm up, measure, drain.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::connections::ConnectionTimes;
use super::lane::{LANE_PANICKED, Lane};
use super::link::{Link, connect};
use super::load_stages::{self, StageWatch};
use super::pacer::{self, Paced};
use super::patience::Patience;
use super::phase::{Client, Phase, PhaseResults};
use super::share::{Place, Share};
use super::source::{Open, ReleaseCounts, Source};
use super::thinking;
use super::{Drive, DriveError};
use crate::clock::{now_ns, reduce_timer_slack};
use crate::protocol::MethodCodecs;
use crate::record::{Background, IntervalLength, IntervalSink, Kinds, Recorder, Tally};
use crate::result::{OpeningTotals, StageCounts};
use crate::rpc::ErrorClass;
use crate::scenario::{Amount, ConnectionMode, Idle, LoadModel};

/// The heartbeat by which a client notices that it was stopped.
const HEARTBEAT: Duration = Duration::from_millis(10);
/// The first call of a schedule is due this long after its lanes were started, so that it is not late.
const LEAD_NS: u64 = 1_000_000;

/// What one client thread found in the measured interval.
#[derive(Debug)]
pub(super) struct ThreadResult {
    pub(super) tally: Tally,
    pub(super) begun_ns: u64,
    pub(super) first_start_ns: Option<u64>,
    pub(super) last_answered_ns: Option<u64>,
    pub(super) last_done_ns: u64,
    pub(super) offered_calls: u64,
    /// When the thread's last call was due, after the begin; `None` where nothing is on a schedule.
    pub(super) last_due_offset_ns: Option<u64>,
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

/// Where full intervals go: those of methods, and those of stages where the load has some.
pub(super) struct Sinks {
    pub(super) methods: IntervalSink,
    pub(super) stages: Option<IntervalSink>,
}

/// Told that the measured interval begins (`true`) or that its drain is over (`false`): returns when every
/// thread is there, with the time at which the interval begins for all of them.
pub(super) type Switch<'a> = &'a dyn Fn(bool) -> Result<u64, DriveError>;

/// When a phase begins whose threads are ready now.
pub(super) fn begin_ns(drive: &Drive) -> u64 {
    let is_paced = matches!(drive.load.model, LoadModel::Open { .. }) || drive.load.thinks().is_some();
    now_ns() + if is_paced { LEAD_NS } else { 0 }
}

/// Runs one client thread.
pub(super) fn run(
    drive: &Drive,
    place: Place,
    sinks: Sinks,
    switch: Switch<'_>,
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
    switch: Switch<'_>,
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
    let share = Share { drive, place, is_warmup: true };
    let warmup = Phase::new(share, &names, None, None);
    let links = run_phase(share, &client, &Rc::new(warmup), links, begin_ns(drive)).await?.links;
    let warmup_ns = now_ns().saturating_sub(warmed_from_ns);

    // Everything that takes time is made before the threads begin together.
    let streams = drive.service.methods.iter().any(|method| method.stream_items.is_some());
    let is_paced = matches!(drive.load.model, LoadModel::Open { .. }) || drive.load.thinks().is_some();
    let kinds = Kinds::of(is_paced, streams);
    let recorder = Recorder::new(names.len(), kinds, now_ns(), drive.intervals(), background);
    let watch = of_stages.map(|background| watch_stages(drive, Kinds::of(is_paced, false), background));
    let share = Share { is_warmup: false, ..share };
    let phase = Rc::new(Phase::new(share, &names, Some(recorder), watch));
    phase.results.borrow_mut().stages = drive.stages.as_ref().map(|probe| probe.thread_log());
    let begun_ns = switch(true)?;

    let stopped_ns = Rc::new(Cell::new(0));
    let heart = tokio::task::spawn_local(heartbeat(Rc::clone(&stopped_ns)));
    let finished = run_phase(share, &client, &phase, links, begun_ns).await?;
    heart.abort();
    switch(false)?;
    if let Some(spinner) = spinner {
        spinner.abort();
    }

    let PhaseResults { recorder, stages, mut tally, .. } =
        std::mem::replace(&mut *phase.results.borrow_mut(), PhaseResults::new(share, &names, None));
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
    fn new(share: Share<'_>, names: &Arc<[Arc<str>]>, recorder: Option<Recorder>) -> Self {
        let drive = share.drive;
        Self {
            recorder,
            stages: None,
            tally: Tally::new(names),
            openings: OpeningTotals::default(),
            patience: Patience::new(drive.load.timeout_ns, share.slots(), drive.errors, share.calls()),
            first_start_ns: None,
            last_answered_ns: None,
            last_done_ns: 0,
            gave_up: None,
            sent_bytes: 0,
            received_bytes: 0,
        }
    }
}

impl Phase {
    /// The measured interval, where there is a recorder; else the warm-up. Its source comes when it begins.
    fn new(
        share: Share<'_>,
        names: &Arc<[Arc<str>]>,
        recorder: Option<Recorder>,
        stages: Option<StageWatch>,
    ) -> Self {
        Self {
            source: RefCell::new(Source::Open(Open::new(0))),
            is_warmup: share.is_warmup,
            results: RefCell::new(PhaseResults::new(share, names, recorder)),
            stages,
            spun_ns: Cell::new(0),
        }
    }

    fn begins(&self, share: Share<'_>, at_ns: u64) {
        *self.source.borrow_mut() = share.source(at_ns);
        if let Some(recorder) = &mut self.results.borrow_mut().recorder {
            recorder.begins(at_ns);
        }
        if let Some(stages) = &self.stages {
            stages.begins(at_ns);
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
    share: Share<'_>,
    client: &Rc<Client>,
    phase: &Rc<Phase>,
    links: Vec<Link>,
    begun_ns: u64,
) -> Result<Finished, DriveError> {
    let drive = share.drive;
    phase.begins(share, begun_ns);
    let lanes: Vec<_> = links
        .into_iter()
        .map(|link| tokio::task::spawn_local(Lane::new(Rc::clone(client), Rc::clone(phase), link).run()))
        .collect();
    let helpers = [think(drive, phase), step(drive, share.place, phase, begun_ns)];
    let mut unsent = vec![0; drive.service.methods.len()];
    let paced = match drive.load.model {
        LoadModel::Closed { .. } => Paced::default(),
        LoadModel::Open { rate_per_s, arrivals } => {
            let offered = |due_ns, waited| {
                if let Some(stages) = &phase.stages {
                    stages.offered(due_ns, waited);
                }
            };
            let schedule =
                share.schedule(rate_per_s, arrivals).take_while(|_| phase.results.borrow().gave_up.is_none());
            let paced = pacer::pace(schedule, &phase.source, begun_ns, drive.pacing, &offered)
                .await
                .map_err(DriveError::Thread)?;
            drain(drive, phase, &lanes, &mut unsent).await;
            paced
        }
    };
    let mut links = Vec::with_capacity(lanes.len());
    for lane in lanes {
        links.push(lane.await.unwrap_or_else(|_| {
            phase.results.borrow_mut().gave_up.get_or_insert_with(|| LANE_PANICKED.into());
            Link::Down
        }));
    }
    helpers.into_iter().flatten().for_each(|helper| helper.abort());
    let results = phase.results.borrow();
    let released = phase.source.borrow_mut().counts();
    let summary = ThreadResult {
        tally: Tally::default(),
        begun_ns,
        first_start_ns: results.first_start_ns,
        last_answered_ns: results.last_answered_ns,
        last_done_ns: results.last_done_ns,
        offered_calls: paced.offered_calls,
        last_due_offset_ns: paced.last_due_ns.map(|due_ns| due_ns.saturating_sub(begun_ns)),
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
                stages.failed(released.due_ns, ErrorClass::Unsent);
            }
        }
        if let Some(first) = unsent.first_mut() {
            // Beyond the longest queue only their number is known.
            *first += open.counts.overflow;
        }
    }
}
