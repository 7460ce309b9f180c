//! A back end's server: started, found listening, and ready when it has answered a first real call.
//!
//! It knows two kinds of server: ours, which says where it listens, and a foreign command, which is
//! told where to listen. What a call is it does not know: the caller hands in the check.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tempfile::TempDir;

use super::{Child, ChildSpec, Exit, HostError, NoLine, own_binary, peers, port};

/// How long a server may take until its first answer, unless the caller says otherwise.
pub const READY_TIMEOUT: Duration = Duration::from_secs(20);

/// A foreign server listens here: figures of a network are none of this machine's.
const HOST: &str = "127.0.0.1";

/// How often a foreign server that lost its port gets another.
const PORTS: usize = 5;

/// A server whose port answers through another's socket gets this long to die of it.
const LOST_PORT_LIMIT: Duration = Duration::from_secs(2);

/// A line that was written before the first answer needs no longer to reach us.
const LAST_WORD_LIMIT: Duration = Duration::from_millis(20);

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// By this exit code and this beginning of a line the shipped peers say what they miss.
const MISSING_PACKAGE: i32 = 3;
const MISSING_PREFIX: &str = "wirebench-peer: missing ";

/// What to start as a server.
#[derive(Debug, Clone)]
pub enum ServerCommand {
    /// Our own binary; `{service}` in an argument becomes the path of the service file, `{socket}` a
    /// path for a UNIX socket. It says
    /// where it listens in the first line of its standard output.
    Ours {
        /// Its arguments, as `serve --service-file {service} --protocol grpc --listen 127.0.0.1:0`.
        args: Vec<String>,
    },
    /// Any command, with `{host}`, `{port}`, `{python}` and `{service}`, and the service file's path
    /// in `WIREBENCH_SERVICE`.
    Foreign {
        /// The program and its arguments.
        argv: Vec<String>,
    },
}

/// A server to be started.
#[derive(Debug, Clone)]
pub struct ServerSpec {
    /// The back end's name, for messages.
    pub name: String,
    /// What to start.
    pub command: ServerCommand,
    /// The CPUs it is kept on; empty for any.
    pub cpus: Vec<usize>,
    /// The service file's content.
    pub service_json: String,
    /// The scenario's folder: a foreign command runs there, and its relative paths start there.
    pub folder: PathBuf,
    /// How long it may take until its first answer.
    pub ready_timeout: Duration,
    /// Once set, nobody waits for it any more.
    pub stop: Arc<AtomicBool>,
}

/// A server that answers; dropping it ends it.
#[derive(Debug)]
pub struct RunningServer {
    /// `host:port`.
    pub address: String,
    /// What the server calls itself, where it says so.
    pub implementation: Option<String>,
    /// The process.
    pub child: Child,
    /// Removed when the server has ended, hence the last field.
    files: TempDir,
}

impl RunningServer {
    /// The file that tells the server its service.
    #[must_use]
    pub fn service_file(&self) -> PathBuf {
        service_file(self.files.path())
    }
}

/// A check whether the server at an address answers a real call; the error is why not.
pub type Ready<'a> = &'a mut dyn FnMut(&str) -> Result<(), String>;

/// Starts a server and returns when it has answered.
///
/// # Errors
/// [`HostError`]: what is missing, or how the server died, or that it never answered.
pub fn start(spec: &ServerSpec, ready: Ready<'_>) -> Result<RunningServer, HostError> {
    let files = tempfile::Builder::new()
        .prefix("wirebench-")
        .tempdir()
        .map_err(HostError::io("make a temporary folder"))?;
    let service = service_file(files.path());
    fs::write(&service, &spec.service_json)
        .map_err(HostError::io(format!("write the service file {}", service.display())))?;
    let (address, child) = match &spec.command {
        ServerCommand::Ours { args } => start_ours(spec, args, &service, ready)?,
        ServerCommand::Foreign { argv } => start_foreign(spec, argv, files.path(), ready)?,
    };
    let implementation = match &spec.command {
        ServerCommand::Ours { .. } => None,
        ServerCommand::Foreign { .. } => said_implementation(&child),
    };
    Ok(RunningServer { address, implementation, child, files })
}

fn service_file(folder: &Path) -> PathBuf {
    folder.join("service.json")
}

fn start_ours(
    spec: &ServerSpec,
    args: &[String],
    service: &Path,
    ready: Ready<'_>,
) -> Result<(String, Child), HostError> {
    // Beside the service file, in a folder that nobody else has and that goes with the server.
    let socket = service.with_file_name("server.sock");
    let args = args.iter().map(|arg| {
        arg.replace("{service}", &service.to_string_lossy()).replace("{socket}", &socket.to_string_lossy())
    });
    let command = ChildSpec {
        env: vec![("WIREBENCH_SERVICE".into(), service.into())],
        cpus: spec.cpus.clone(),
        ..ChildSpec::new(own_binary()).args(args)
    };
    let mut child = Child::start(&command)?;
    let begun = Instant::now();
    let deadline = begun + spec.ready_timeout;
    let line = loop {
        if spec.stop.load(Ordering::Relaxed) {
            return Err(stopped(spec));
        }
        match child.next_line(deadline.min(Instant::now() + LONGEST_PAUSE)) {
            Ok(line) => break line,
            Err(NoLine::Ended) => return Err(died(spec, &mut child)),
            Err(NoLine::TimedOut) if Instant::now() < deadline => {}
            Err(NoLine::TimedOut) => {
                return Err(not_ready(spec, begun, "it did not say where it listens".into(), &mut child));
            }
        }
    };
    let Ok(Listening { listening }) = serde_json::from_str(&line) else {
        let reason = format!("instead of where it listens it said {line:?}");
        return Err(not_ready(spec, begun, reason, &mut child));
    };
    wait_until_ready(spec, begun, &listening, &mut child, ready)?;
    Ok((listening, child))
}

#[derive(Deserialize)]
struct Listening {
    listening: String,
}

#[derive(Deserialize)]
struct Introduction {
    implementation: String,
}

/// What a foreign server calls itself in the first line of its standard output. It has answered a
/// call, so whatever it had to say is said.
fn said_implementation(child: &Child) -> Option<String> {
    let line = child.next_line(Instant::now() + LAST_WORD_LIMIT).ok()?;
    let Introduction { implementation } = serde_json::from_str(&line).ok()?;
    Some(implementation.chars().take(100).collect())
}

fn start_foreign(
    spec: &ServerSpec,
    argv: &[String],
    scratch: &Path,
    ready: Ready<'_>,
) -> Result<(String, Child), HostError> {
    let mut attempt = 1;
    loop {
        let port = port::free_port(HOST).map_err(HostError::io("find a free port"))?;
        let address = format!("{HOST}:{port}");
        let mut child = start_command(spec, argv, port, scratch)?;
        let begun = Instant::now();
        let failure = match wait_until_ready(spec, begun, &address, &mut child, ready) {
            Ok(()) if !died_of_a_lost_port(&child, port) => return Ok((address, child)),
            Ok(()) => died(spec, &mut child),
            Err(failure) => failure,
        };
        let lost = match &failure {
            HostError::Died { stderr, .. } => says_address_in_use(stderr) || port::is_taken(HOST, port),
            _ => false,
        };
        if !lost || attempt == PORTS {
            return Err(failure);
        }
        attempt += 1;
    }
}

/// Whether the first answer was another's, who took the port before our server did.
fn died_of_a_lost_port(child: &Child, port: u16) -> bool {
    // A listener that is none of the server's may also be rightful: a container's, a tunnel's.
    port::is_anothers(child.pid(), port) && child.wait(Instant::now() + LOST_PORT_LIMIT).is_some()
}

fn start_command(spec: &ServerSpec, argv: &[String], port: u16, scratch: &Path) -> Result<Child, HostError> {
    let root = peers::project_root(&spec.folder);
    let python = peers::python(&spec.folder, root.as_deref());
    let service = service_file(scratch);
    let fill = |word: &String| -> Result<OsString, HostError> {
        if word == "{python}" {
            return Ok(python.clone());
        }
        let word = word
            .replace("{host}", HOST)
            .replace("{port}", &port.to_string())
            .replace("{python}", &python.to_string_lossy())
            .replace("{service}", &service.to_string_lossy());
        peers::resolve(&word, &spec.folder, root.as_deref(), scratch)
            .map_err(HostError::io("write the embedded peers"))
    };
    let words = argv.iter().map(fill).collect::<Result<Vec<_>, _>>()?;
    let Some((program, args)) = words.split_first() else {
        return Err(HostError::Start { command: String::new(), reason: "the command is empty".into() });
    };
    let command = ChildSpec {
        env: vec![("WIREBENCH_SERVICE".into(), service.into())],
        folder: Some(spec.folder.clone()).filter(|folder| folder.is_dir()),
        cpus: spec.cpus.clone(),
        ..ChildSpec::new(program).args(args)
    };
    let wants_python = argv.first().is_some_and(|word| word == "{python}");
    Child::start(&command).map_err(|error| match error {
        HostError::CommandMissing { .. } if wants_python => python_missing(program),
        error => error,
    })
}

/// Whether the program of a foreign command exists, before anything is started.
///
/// # Errors
/// [`HostError::MissingPeer`] for `{python}`, else [`HostError::CommandMissing`].
pub fn find_command(argv: &[String], folder: &Path) -> Result<(), HostError> {
    let root = peers::project_root(folder);
    let wanted = argv.first().map_or("", String::as_str);
    let is_python = wanted == "{python}";
    let program = if is_python { peers::python(folder, root.as_deref()) } else { OsString::from(wanted) };
    let path = Path::new(&program);
    let is_there = |candidate: &Path| candidate.is_file();
    let found = if program.to_string_lossy().contains('/') {
        let bases = [Some(folder), root.as_deref()];
        path.is_absolute() && is_there(path)
            || bases.into_iter().flatten().any(|base| is_there(&base.join(path)))
            || peers::EMBEDDED.iter().any(|(name, _)| Path::new(name) == path)
    } else {
        let places = std::env::var_os("PATH").unwrap_or_default();
        !wanted.is_empty() && std::env::split_paths(&places).any(|place| is_there(&place.join(path)))
    };
    match (found, is_python) {
        (true, _) => Ok(()),
        (false, true) => Err(python_missing(&program)),
        (false, false) => Err(HostError::CommandMissing {
            command: argv.join(" "),
            how: format!("install {wanted} or correct the command"),
        }),
    }
}

fn python_missing(program: &std::ffi::OsStr) -> HostError {
    HostError::MissingPeer {
        what: program.to_string_lossy().into_owned(),
        how_to_get_it: "install Python 3 (Debian: apt-get install python3 python3-venv)".into(),
    }
}

fn wait_until_ready(
    spec: &ServerSpec,
    begun: Instant,
    address: &str,
    child: &mut Child,
    ready: Ready<'_>,
) -> Result<(), HostError> {
    let deadline = begun + spec.ready_timeout;
    let mut pause = FIRST_PAUSE;
    loop {
        if child.try_exit().is_some() {
            return Err(died(spec, child));
        }
        let Err(reason) = ready(address) else { return Ok(()) };
        if spec.stop.load(Ordering::Relaxed) {
            return Err(stopped(spec));
        }
        if Instant::now() >= deadline {
            return Err(not_ready(spec, begun, reason, child));
        }
        if child.wait(deadline.min(Instant::now() + pause)).is_some() {
            return Err(died(spec, child));
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn stopped(spec: &ServerSpec) -> HostError {
    HostError::Stopped { name: spec.name.clone() }
}

fn not_ready(spec: &ServerSpec, begun: Instant, reason: String, child: &mut Child) -> HostError {
    let waited = begun.elapsed();
    child.kill();
    HostError::NotReady { name: spec.name.clone(), waited, reason, stderr: child.stderr_tail() }
}

fn died(spec: &ServerSpec, child: &mut Child) -> HostError {
    // Its last words are complete only when its pipes are closed.
    child.kill();
    let exit = child.try_exit().unwrap_or(Exit::UNKNOWN);
    let stderr = child.stderr_tail();
    missing_peer(exit, &stderr).unwrap_or_else(|| HostError::Died { name: spec.name.clone(), exit, stderr })
}

fn missing_peer(exit: Exit, stderr: &str) -> Option<HostError> {
    if exit.code != Some(MISSING_PACKAGE) {
        return None;
    }
    let said = stderr.lines().find_map(|line| line.strip_prefix(MISSING_PREFIX))?;
    let (what, how) = said.split_once("; ").unwrap_or((said, "install it"));
    Some(HostError::MissingPeer { what: what.into(), how_to_get_it: how.into() })
}

/// What servers say in whatever language: `Address already in use`, `EADDRINUSE`, `os error 98`.
fn says_address_in_use(stderr: &str) -> bool {
    let stderr = stderr.to_lowercase();
    ["in use", "eaddrinuse", "errno 98", "os error 98"].iter().any(|words| stderr.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_misses_is_read_from_its_last_words() {
        let exit = Exit { code: Some(3), signal: None };
        let said = "noise\nwirebench-peer: missing package zerorpc; run ./scripts/setup-python\n";
        match missing_peer(exit, said) {
            Some(HostError::MissingPeer { what, how_to_get_it }) => {
                assert_eq!(what, "package zerorpc");
                assert_eq!(how_to_get_it, "run ./scripts/setup-python");
            }
            other => panic!("{other:?}"),
        }
        assert!(missing_peer(Exit { code: Some(1), signal: None }, said).is_none());
        assert!(missing_peer(exit, "a crash of its own").is_none());
    }

    #[test]
    fn a_lost_port_is_recognised_in_several_languages() {
        for said in [
            "zmq.error.ZMQError: Address already in use (addr='tcp://127.0.0.1:1')",
            "OSError: [Errno 98] Address already in use",
            "Error: listen EADDRINUSE: address already in use 127.0.0.1:8080",
            "listen tcp 127.0.0.1:80: bind: address already in use",
            "Error: Os { code: 98, kind: AddrInUse, message: \"Address already in use\" }",
        ] {
            assert!(says_address_in_use(said), "{said}");
        }
        assert!(!says_address_in_use("ModuleNotFoundError: No module named 'x'"));
    }
}
