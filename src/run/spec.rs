//! What a client process is told and gives back: a [`RoundSpec`] on its standard input, a
//! [`RoundResult`] on its standard output. Ranks on other hosts speak the same.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::catalogue::protocol_of;
use super::probe::StageOrders;
use super::wire::Pass;
use crate::host::resources::{self, Usage};
use crate::host::watch::Watch;
use crate::host::{Serve, ServeError, serve_in_process};
use crate::load::{self, Drive, DriveError, Observer, Pacing, StageProbe, StampedCall};
use crate::protocol::{ProtocolError, Records, ServerStamps, StampLog, to_bytes};
use crate::result::{ContextSwitches, RoundResult, RssPeak};
use crate::scenario::{
    Backend, ConnectionMode, ErrorBudget, Generator, Idle, Links, Load, Placement, Workload,
};

/// One round, for a client process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RoundSpec {
    /// The back end.
    pub backend: Backend,
    /// Where its server listens (`host:port`); `None` to host it in the client's own process.
    pub target: Option<String>,
    /// The calls.
    pub workload: Workload,
    /// The load.
    pub load: Load,
    /// The connections.
    pub links: Links,
    /// How many calls may fail.
    #[serde(default)]
    pub errors: ErrorBudget,
    /// Where both sides run.
    pub placement: Placement,
    /// The cores of the client's threads; empty for any.
    pub client_cpus: Vec<usize>,
    /// The cores of an in-process server; empty for any.
    pub server_cpus: Vec<usize>,
    /// Messages per write.
    pub write_batch: u32,
    /// Threads of an in-process server.
    pub server_threads: u32,
    /// The server's process on this machine, whose resources are read; `None` for another machine's.
    pub server_pid: Option<u32>,
    /// Pace as tools do that omit waiting: see [`Pacing::is_broken`].
    #[serde(default)]
    pub break_pacer: bool,
    /// Make the wire pass with so many calls of each method, and no timed calls.
    #[serde(default)]
    pub wire_calls: Option<u32>,
    /// Leave stamps of sampled calls.
    #[serde(default)]
    pub stages: Option<StageOrders>,
}

/// Why a client has no result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The round could not be driven.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// The protocol cannot be used.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The in-process server does not serve.
    #[error("in-process server: {0}")]
    Serve(#[from] ServeError),
}

/// Carries out a round in this process.
///
/// # Errors
/// See [`ClientError`]; failed calls are part of the result.
pub fn run_client(spec: &RoundSpec) -> Result<RoundResult, ClientError> {
    let protocol = protocol_of(&spec.backend)?;
    let service = Arc::new(spec.workload.service());
    let stamp_log = spec.stages.as_ref().map(|orders| Arc::new(StampLog::new(orders.every)));
    let records = Records { calls: None, stages: stamp_log.clone() };
    let wiring = protocol
        .wiring_with(&service, spec.write_batch as usize, spec.server_threads as usize, records.clone())?
        .with_timeout(spec.load.timeout_ns);
    let is_null = wiring.local_handlers.is_some();
    let target = match &spec.target {
        Some(target) => target.clone(),
        None if is_null => String::new(),
        None => {
            let server = Serve {
                protocol: protocol.clone(),
                service: Arc::clone(&service),
                wiring: Arc::clone(&wiring),
                spin: spec.load.idle == Idle::Spin,
                log: Some(records),
            };
            serve_in_process(server, &spec.server_cpus)?
        }
    };
    let generator = Arc::new(Generator::new(&spec.workload));
    let payload_bytes = Arc::new(load::payload_bytes(&generator, service.methods.len()));
    if let Some(calls) = spec.wire_calls {
        let pass = Pass {
            protocol: &protocol,
            service: &service,
            wiring: &wiring,
            target: &target,
            generator: &generator,
            payload_bytes: &payload_bytes,
            per_call: spec.load.connection_mode == ConnectionMode::PerCall,
            timeout: Duration::from_nanos(spec.load.timeout_ns),
            calls: calls.into(),
        };
        return Ok(RoundResult { wire_pass: Some(pass.run()), ..RoundResult::default() });
    }
    // On one core a spin takes the time from the server.
    let spin_ns = if spec.placement == Placement::Shared && !is_null { 0 } else { load::SPIN_NS };
    let drive = Drive {
        protocol,
        service,
        wiring,
        target,
        generator,
        load: spec.load.clone(),
        links: spec.links,
        errors: spec.errors,
        write_batch: spec.write_batch,
        pacing: Pacing { spin_ns, is_broken: spec.break_pacer },
        seed: spec.workload.seed,
        cpus: spec.client_cpus.clone(),
        payload_bytes,
        stages: spec.stages.as_ref().map(|orders| Arc::new(StageProbe::new(orders.every))),
    };
    let counters = Counters {
        server_pid: spec.server_pid,
        ends: Mutex::new(Ends::default()),
        // Without it there is no course, and no stop is seen; both are null.
        watch: Watch::start(spec.server_pid, drive.intervals()).ok(),
    };
    let mut round = load::drive(&drive, &counters)?;
    let seen = counters.watch.map(Watch::end).unwrap_or_default();
    round.server_stopped_ns = seen.server_stopped_ns;
    round.usage = seen.course;
    counters.ends.into_inner().unwrap_or_default().fill(&mut round);
    if let (Some(orders), Some(probe), Some(log)) = (&spec.stages, &drive.stages, stamp_log) {
        let calls = probe.calls.lock().map(|mut calls| std::mem::take(&mut *calls)).unwrap_or_default();
        let mut left = leave(&orders.client_file, &to_bytes(calls.into_iter().map(StampedCall::to_words)));
        if spec.target.is_none() {
            let stamps = to_bytes(log.samples().into_iter().map(ServerStamps::to_words));
            left = left.and_then(|()| leave(&orders.server_file, &stamps));
        }
        round.stages_note = left.err();
    }
    Ok(round)
}

/// Leaves stamps where they are looked for; where that cannot be done, says why. The round is as good
/// without them.
fn leave(path: &Path, bytes: &[u8]) -> Result<(), String> {
    std::fs::write(path, bytes).map_err(|error| {
        // Half a file would be taken for all.
        let _ = std::fs::remove_file(path);
        format!("cannot write stamps to {}: {error}", path.display())
    })
}

/// Reads the counters of both processes at the ends of the measured interval.
struct Counters {
    server_pid: Option<u32>,
    ends: Mutex<Ends>,
    /// What happens between the ends.
    watch: Option<Watch>,
}

#[derive(Default)]
struct Ends {
    client: [Option<Usage>; 2],
    server: [Option<Usage>; 2],
}

impl Counters {
    fn look(&self, end: usize) {
        if let Ok(mut ends) = self.ends.lock() {
            // Unreadable counters are null in the result.
            ends.client[end] = resources::sample(std::process::id()).ok();
            ends.server[end] = self.server_pid.and_then(|pid| resources::sample(pid).ok());
        }
    }
}

impl Observer for Counters {
    fn begins(&self) {
        self.look(0);
        self.watch.iter().for_each(Watch::begin);
    }

    fn ends(&self) {
        self.watch.iter().for_each(Watch::pause);
        self.look(1);
    }
}

impl Ends {
    fn fill(&self, round: &mut RoundResult) {
        let used = |ends: &[Option<Usage>; 2]| match ends {
            [Some(begin), Some(end)] => Some(end.since(*begin)),
            _ => None,
        };
        let (client, server) = (used(&self.client), used(&self.server));
        round.client_cpu_ns = client.map(|usage| usage.cpu_ns);
        round.server_cpu_ns = server.map(|usage| usage.cpu_ns);
        round.rss_peak_bytes = RssPeak {
            client: client.map(|usage| usage.rss_peak_bytes),
            server: server.map(|usage| usage.rss_peak_bytes),
        };
        round.context_switches = ContextSwitches {
            client: client.map(|usage| usage.context_switches),
            server: server.map(|usage| usage.context_switches),
        };
    }
}
