//! One round: a fresh server process, a first real call, a fresh client process, and their end.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Interrupt;
use super::plan::Cell;
use super::probe::Probe;
use super::spec::RoundSpec;
use crate::host::server::{self, READY_TIMEOUT, RunningServer, ServerCommand, ServerSpec};
use crate::host::{Child, ChildSpec, HostError, own_binary};
use crate::protocol::OneCall;
use crate::result::{RoundResult, WirePass};
use crate::rpc::{CallError, Listen, Service, to_json};
use crate::scenario::{Amount, Arrivals, Generator, Hosting, LoadModel};
use crate::transport;

/// How long the first call to a server may take before another attempt is made.
const FIRST_CALL_LIMIT: Duration = Duration::from_secs(5);
/// How often the parent looks for an interrupt while a client measures.
const GLANCE: Duration = Duration::from_millis(50);
/// The most a round's result may take: an hour of one-second intervals of many methods.
const RESULT_LIMIT_BYTES: usize = 512 << 20;
/// A client that has given up knows of its server's death sooner than the parent, who is told by a supervisor.
const DEATH_NOTICE: Duration = Duration::from_secs(1);
/// What a client process gets beyond the longest its load can take.
const CLIENT_GRACE: Duration = Duration::from_secs(30);

/// Why a round has no result.
#[derive(Debug, thiserror::Error)]
pub enum RoundError {
    /// The user ended the run.
    #[error("interrupted")]
    Interrupted,
    /// The server could not be started, or a client process could not.
    #[error(transparent)]
    Host(#[from] HostError),
    /// An external server does not answer.
    #[error("{url} does not answer: {reason}")]
    External {
        /// Its address.
        url: String,
        /// The last attempt.
        reason: String,
    },
    /// The client ended without a result.
    #[error("the client {0}")]
    Client(String),
    /// Files of the round could not be written.
    #[error("cannot {attempt}: {source}")]
    Files {
        /// What was attempted.
        attempt: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A finished round.
#[derive(Debug)]
pub struct FinishedRound {
    /// What the client measured.
    pub result: RoundResult,
    /// What the server calls itself, where it says so.
    pub implementation: Option<String>,
}

/// Runs one round of a cell. A server that dies under it is told in the result's `mishap`: what the
/// client measured until then is kept.
///
/// # Errors
/// See [`RoundError`].
pub fn run_round(
    cell: &Cell,
    service: &std::sync::Arc<Service>,
    folder: &Path,
    interrupt: &Interrupt,
) -> Result<FinishedRound, RoundError> {
    run_round_with(cell, service, folder, interrupt, Extras::default())
}

/// What a round is to find out beside its times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extras {
    /// Count bytes on the wire afterwards, where the cell asks for it and there is a wire.
    pub wire_pass: bool,
}

/// How many rounds of a cell may try to count bytes.
const WIRE_ATTEMPTS: usize = 2;

impl Extras {
    /// Of a cell whose rounds until now made these passes: bytes are counted once.
    pub fn after<'a>(passes: impl Iterator<Item = &'a WirePass> + Clone) -> Self {
        let failed = passes.clone().filter(|pass| !pass.has_counts()).count();
        let is_counted = passes.into_iter().any(WirePass::has_counts);
        Self { wire_pass: failed < WIRE_ATTEMPTS && !is_counted }
    }
}

/// [`run_round`], and more.
///
/// # Errors
/// See [`RoundError`].
pub fn run_round_with(
    cell: &Cell,
    service: &std::sync::Arc<Service>,
    folder: &Path,
    interrupt: &Interrupt,
    extras: Extras,
) -> Result<FinishedRound, RoundError> {
    let probe = Probe::of(cell);
    let logs = Logs { calls: None, stages: probe.as_ref().and_then(Probe::server_log) };
    let OpenedRound { mut server, spec } = open_round(cell, service, folder, interrupt, &logs)?;
    let probing = RoundSpec { stages: probe.as_ref().map(Probe::orders), ..spec.clone() };
    let mut result = run_client_process(&probing, interrupt, &mut |_| {})?;
    if let (Some(server), Some(_)) = (&server, &result.gave_up) {
        let _ = server.child.wait(Instant::now() + DEATH_NOTICE);
    }
    result.mishap = server.as_mut().and_then(|server| died(server, &cell.backend.name));
    if extras.wire_pass && result.mishap.is_none() {
        result.wire_pass = wire_pass(cell, &spec, interrupt);
    }
    if let (Some(probe), None) = (&probe, &result.mishap) {
        result.stages = probe.collect(server.as_mut(), service);
    }
    let implementation = server.and_then(|server| server.implementation);
    Ok(FinishedRound { result, implementation })
}

/// Counts bytes on the wire, with the server that was timed. A client that fails takes nothing away from
/// the timed calls.
fn wire_pass(cell: &Cell, spec: &RoundSpec, interrupt: &Interrupt) -> Option<WirePass> {
    let calls = cell.point.load.wire_calls;
    if calls == 0 || cell.protocol.transport.name() == transport::NULL {
        return None;
    }
    let spec = RoundSpec { wire_calls: Some(calls), ..spec.clone() };
    match run_client_process(&spec, interrupt, &mut |_| {}) {
        Ok(result) => result.wire_pass,
        Err(RoundError::Interrupted) => None,
        Err(error) => Some(WirePass::failed(error.to_string())),
    }
}

/// A server that has answered its first call, and what its client will be told.
pub(super) struct OpenedRound {
    /// `None` where it is not ours to start.
    pub(super) server: Option<RunningServer>,
    pub(super) spec: RoundSpec,
}

/// What one of our servers writes when it is ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Logs {
    /// A record of its calls.
    pub(super) calls: Option<PathBuf>,
    /// Stamps of one call in so many.
    pub(super) stages: Option<(PathBuf, u32)>,
}

/// Starts the server of a round.
pub(super) fn open_round(
    cell: &Cell,
    service: &std::sync::Arc<Service>,
    folder: &Path,
    interrupt: &Interrupt,
    logs: &Logs,
) -> Result<OpenedRound, RoundError> {
    let generator = Generator::new(&cell.workload);
    let mut ready = |address: &str| first_call(cell, &generator, service, address, interrupt);
    let server = start_server(cell, service, folder, logs, &mut ready, interrupt);
    if interrupt.is_set() {
        return Err(RoundError::Interrupted);
    }
    let server = server?;
    let target = match (&server, &cell.backend.hosting) {
        (Some(server), _) => Some(server.address.clone()),
        (None, Hosting::External(url)) => {
            await_external(&url.address, &url.url, &mut ready, interrupt)?;
            Some(url.address.clone())
        }
        (None, _) => None,
    };
    let spec = RoundSpec {
        backend: cell.backend.clone(),
        target,
        workload: cell.workload.clone(),
        load: cell.point.load.clone(),
        links: cell.links,
        errors: cell.errors,
        placement: cell.placement,
        client_cpus: cell.cpus.client.clone(),
        server_cpus: cell.cpus.server.clone(),
        write_batch: cell.write_batch,
        server_threads: cell.server_threads,
        server_pid: server.as_ref().map(|server| server.child.pid()),
        break_pacer: false,
        wire_calls: None,
        stages: None,
    };
    Ok(OpenedRound { server, spec })
}

/// Starts a cell's server, waits for its first answer and ends it.
///
/// # Errors
/// See [`RoundError`].
pub fn try_start(
    cell: &Cell,
    service: &std::sync::Arc<Service>,
    folder: &Path,
    interrupt: &Interrupt,
) -> Result<(), RoundError> {
    let generator = Generator::new(&cell.workload);
    let mut ready = |address: &str| first_call(cell, &generator, service, address, interrupt);
    start_server(cell, service, folder, &Logs::default(), &mut ready, interrupt).map(drop)
}

/// A real call to a server that has just been started; the error is why it is not ready.
fn first_call(
    cell: &Cell,
    generator: &Generator,
    service: &std::sync::Arc<Service>,
    address: &str,
    interrupt: &Interrupt,
) -> Result<(), String> {
    let first = generator.warmup_call(0);
    let call = OneCall {
        protocol: &cell.protocol,
        service,
        target: address,
        method: first.method,
        arguments: generator.arguments(first.method, first.variant),
        timeout: FIRST_CALL_LIMIT,
    };
    match call.make_unless(&|| interrupt.is_set(), &mut |_| {}) {
        // An error of the service is an answer of the server; what it means the round will say.
        Ok(_) | Err(CallError::Remote(_)) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

fn start_server(
    cell: &Cell,
    service: &Service,
    folder: &Path,
    logs: &Logs,
    ready: &mut dyn FnMut(&str) -> Result<(), String>,
    interrupt: &Interrupt,
) -> Result<Option<RunningServer>, RoundError> {
    let is_null = cell.protocol.transport.name() == transport::NULL;
    if is_null || cell.backend.hosting != Hosting::Subprocess {
        return Ok(None);
    }
    let command = match &cell.backend.command {
        Some(argv) => ServerCommand::Foreign { argv: argv.clone() },
        None => ServerCommand::Ours { args: serve_arguments(cell, logs) },
    };
    let spec = ServerSpec {
        name: cell.backend.name.clone(),
        command,
        cpus: cell.cpus.server.clone(),
        service_json: to_json(service).map_err(|error| RoundError::Client(error.to_string()))?,
        folder: folder.to_owned(),
        ready_timeout: READY_TIMEOUT,
        stop: interrupt.flag(),
    };
    Ok(Some(server::start(&spec, ready)?))
}

/// The arguments of `wirebench serve` for one of our own servers.
fn serve_arguments(cell: &Cell, logs: &Logs) -> Vec<String> {
    let mut arguments: Vec<String> = ["serve", "--service-file", "{service}"].map(String::from).to_vec();
    let mut add = |flag: &str, value: &str| arguments.extend([flag.to_owned(), value.to_owned()]);
    match cell.protocol.name {
        Some(name) => add("--protocol", name),
        None => {
            add("--codec", cell.protocol.codec.name());
            add("--transport", cell.protocol.transport.name());
        }
    }
    add("--listen", if cell.backend.listen == Listen::Unix { "{socket}" } else { "127.0.0.1:0" });
    add("--write-batch", &cell.write_batch.to_string());
    add("--threads", &cell.server_threads.to_string());
    add("--idle", cell.point.load.idle.name());
    if let Some(log) = &logs.calls {
        add("--log", &log.to_string_lossy());
    }
    if let Some((log, every)) = &logs.stages {
        add("--stage-log", &log.to_string_lossy());
        add("--stage-samples", &every.to_string());
    }
    if cell.backend.xmlrpc_i8 {
        arguments.push("--xmlrpc-i8".into());
    }
    arguments
}

fn await_external(
    address: &str,
    url: &str,
    ready: &mut dyn FnMut(&str) -> Result<(), String>,
    interrupt: &Interrupt,
) -> Result<(), RoundError> {
    // Somebody else starts it: a few attempts bridge a restart, no more.
    let deadline = Instant::now() + FIRST_CALL_LIMIT;
    loop {
        match ready(address) {
            Ok(()) => return Ok(()),
            Err(_) if interrupt.is_set() => return Err(RoundError::Interrupted),
            Err(reason) if Instant::now() >= deadline => {
                return Err(RoundError::External { url: url.to_owned(), reason });
            }
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// Whether the server has died under the round.
fn died(server: &mut RunningServer, name: &str) -> Option<String> {
    let exit = server.child.try_exit()?;
    // Its last words are complete only when its pipes are closed.
    server.child.kill();
    let tail = server.child.stderr_tail();
    let said = if tail.trim().is_empty() {
        String::from("; it wrote nothing to standard error")
    } else {
        format!("; its standard error ends with:\n{}", tail.trim_end())
    };
    Some(format!("the server of {name} {exit} during the round{said}"))
}

/// Runs a round's client. `started` is told its process's number.
pub(super) fn run_client_process(
    spec: &RoundSpec,
    interrupt: &Interrupt,
    started: &mut dyn FnMut(u32),
) -> Result<RoundResult, RoundError> {
    let files = |attempt| move |source| RoundError::Files { attempt, source };
    let mut file = tempfile::NamedTempFile::new().map_err(files("make a file for the client"))?;
    serde_json::to_writer(&mut file, spec)
        .map_err(|error| files("write the client's orders")(error.into()))?;
    file.flush().map_err(files("write the client's orders"))?;
    let mut command = ChildSpec::new(own_binary()).args(["client"]);
    command.stdin_file = Some(PathBuf::from(file.path()));
    command.output_limit_bytes = RESULT_LIMIT_BYTES;
    let mut client = Child::start(&command)?;
    started(client.pid());
    let deadline = Instant::now() + longest(spec);
    let exit = loop {
        if interrupt.is_set() {
            client.kill();
            return Err(RoundError::Interrupted);
        }
        if let Some(exit) = client.wait(Instant::now() + GLANCE) {
            break exit;
        }
        if Instant::now() >= deadline {
            client.kill();
            return Err(RoundError::Client(format!(
                "had no result after {} s and was ended",
                longest(spec).as_secs()
            )));
        }
    };
    let output = client.output(Instant::now() + Duration::from_secs(10)).unwrap_or_default();
    if !exit.success() {
        client.kill();
        let tail = client.stderr_tail();
        let said = if tail.trim().is_empty() { String::new() } else { format!(": {}", tail.trim()) };
        return Err(RoundError::Client(format!("{exit}{said}")));
    }
    serde_json::from_slice(&output)
        .map_err(|error| RoundError::Client(format!("gave a result that cannot be read: {error}")))
}

/// The longest that a client can take by its load: every call at its time-out, one after another
/// where a number of calls is asked for.
fn longest(spec: &RoundSpec) -> Duration {
    let timeout = Duration::from_nanos(spec.load.timeout_ns);
    if spec.wire_calls.is_some() {
        return super::wire::LIMIT.saturating_add(timeout * 2).saturating_add(CLIENT_GRACE);
    }
    let amount = |amount: Amount| match (amount, spec.load.model) {
        (Amount::DurationNs(ns), _) => Duration::from_nanos(ns),
        (Amount::Calls(calls), LoadModel::Open { rate_per_s, arrivals }) => {
            #[allow(clippy::cast_precision_loss)]
            let calls = calls as f64;
            // The sum of so many gaps differs from its mean: by this, once in a thousand million schedules.
            let late = if arrivals == Arrivals::Poisson { 6.0 * calls.sqrt() } else { 0.0 };
            Duration::try_from_secs_f64((calls + late) / rate_per_s).unwrap_or(Duration::MAX)
        }
        (Amount::Calls(calls), LoadModel::Closed { concurrency }) => {
            let turns = u32::try_from(calls.div_ceil(u64::from(concurrency.max(1)))).unwrap_or(u32::MAX);
            let think = spec.load.thinks().map_or(0, crate::scenario::ThinkTime::longest_ns);
            (timeout + Duration::from_nanos(think)).saturating_mul(turns)
        }
    };
    let week = Duration::from_secs(7 * 24 * 3_600);
    [amount(spec.load.warmup), amount(spec.load.length), timeout * 2, CLIENT_GRACE]
        .into_iter()
        .fold(Duration::ZERO, Duration::saturating_add)
        .min(week)
}
