//! The parent's side of a supervised process, usable from synchronous code.
//!
//! Three threads per child sleep in reads (lifeline, standard output, standard error), so that a
//! child is never blocked on a full pipe and a measurement is never disturbed by polling. It knows
//! nothing of what the child does; see [`server`](super::server) for that.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader, Read};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::lifeline::{Exit, Message};
use super::output::{Output, Tail};
use super::supervisor::{GRACE, INSISTENCE, OWN_PROGRAM};
use super::{HostError, process_tree};

/// How long a supervisor may take to say that the command runs: two program starts, on a machine
/// that may be busy.
const START_LIMIT: Duration = Duration::from_secs(10);

/// How long the pipes of a killed child may take to run dry.
const PIPES_LIMIT: Duration = Duration::from_millis(500);

/// Standard output kept by default, in bytes.
const OUTPUT_LIMIT_BYTES: usize = 1024 * 1024;

static BINARY: OnceLock<PathBuf> = OnceLock::new();

/// Names the `wirebench` program for supervisors, servers and clients. For tests, which run in a
/// program of their own; only the first call counts.
pub fn use_binary(path: impl Into<PathBuf>) {
    let _ = BINARY.set(path.into());
}

/// The program to start as supervisor, server and client: this one, even if its file has been
/// replaced meanwhile (a build during a run must not mix two versions in one result).
#[must_use]
pub fn own_binary() -> PathBuf {
    if let Some(path) = BINARY.get() {
        return path.clone();
    }
    let running = Path::new(OWN_PROGRAM);
    if running.exists() {
        return running.to_path_buf();
    }
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from("wirebench"))
}

/// What to start, and how.
#[derive(Debug, Clone)]
pub struct ChildSpec {
    /// The program: a path, or a name to be found in `PATH`.
    pub program: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables on top of our own environment.
    pub env: Vec<(OsString, OsString)>,
    /// Where it runs; `None` for where we are.
    pub folder: Option<PathBuf>,
    /// The CPUs it is kept on; empty for any.
    pub cpus: Vec<usize>,
    /// What it reads from standard input; `None` for nothing.
    pub stdin_file: Option<PathBuf>,
    /// How much of its standard output is kept for the reader.
    pub output_limit_bytes: usize,
}

impl ChildSpec {
    /// A command without arguments, in our environment and folder, on any CPU.
    #[must_use]
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            folder: None,
            cpus: Vec::new(),
            stdin_file: None,
            output_limit_bytes: OUTPUT_LIMIT_BYTES,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_os_string()));
        self
    }

    fn shown(&self) -> String {
        let program =
            if self.program == OWN_PROGRAM { "wirebench".as_ref() } else { self.program.as_os_str() };
        let words = std::iter::once(program).chain(self.args.iter().map(OsString::as_os_str));
        words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
    }
}

/// Why there is no line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoLine {
    /// The child closed its standard output, mostly by ending.
    Ended,
    /// None came in time.
    TimedOut,
}

/// A running child, ended with everything below it when dropped.
#[derive(Debug)]
pub struct Child {
    pid: u32,
    supervisor: std::process::Child,
    lifeline: UnixStream,
    shared: Arc<Shared>,
    reaped: bool,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    exit: Option<Exit>,
    supervisor_gone: bool,
    stdout: Output,
    stdout_ended: bool,
    stderr: Tail,
    stderr_ended: bool,
}

impl Child {
    /// Starts a command under a supervisor of its own and returns once it runs.
    ///
    /// # Errors
    /// [`HostError::CommandMissing`], [`HostError::Start`] or [`HostError::Io`].
    pub fn start(spec: &ChildSpec) -> Result<Self, HostError> {
        if let Some(folder) = spec.folder.as_ref().filter(|folder| !folder.is_dir()) {
            let reason = format!("there is no folder {} to run it in", folder.display());
            return Err(HostError::Start { command: spec.shown(), reason });
        }
        let (lifeline, theirs) = UnixStream::pair().map_err(HostError::io("make a lifeline"))?;
        // The command holds their end: gone after this statement, or its end would never be read.
        let mut supervisor = supervisor_command(spec, theirs)
            .spawn()
            .map_err(HostError::io(format!("start {} as supervisor", own_binary().display())))?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                exit: None,
                supervisor_gone: false,
                stdout: Output::new(spec.output_limit_bytes),
                stdout_ended: false,
                stderr: Tail::default(),
                stderr_ended: false,
            }),
            changed: Condvar::new(),
        });
        let pipes = (supervisor.stdout.take(), supervisor.stderr.take());
        let mut child = Self { pid: 0, supervisor, lifeline, shared, reaped: false };
        // From here on an error drops the child, which ends the supervisor.
        if let (Some(stdout), Some(stderr)) = pipes {
            child.read(stdout, |state| state.stdout_ended = true, |state, bytes| state.stdout.push(bytes))?;
            child.read(stderr, |state| state.stderr_ended = true, |state, bytes| state.stderr.push(bytes))?;
        }
        child.hear_of_the_start(spec)?;
        Ok(child)
    }

    fn hear_of_the_start(&mut self, spec: &ChildSpec) -> Result<(), HostError> {
        let clone = |error| HostError::io("use the lifeline")(error);
        self.lifeline.set_read_timeout(Some(START_LIMIT)).map_err(clone)?;
        let mut messages = BufReader::new(self.lifeline.try_clone().map_err(clone)?);
        let first = next_message(&mut messages);
        self.lifeline.set_read_timeout(None).map_err(clone)?;
        match first {
            Some(Message::Started { pid }) => self.pid = pid,
            Some(Message::Failed { missing: true, .. }) => {
                return Err(HostError::CommandMissing {
                    command: spec.shown(),
                    how: format!("install {} or correct the command", spec.program.to_string_lossy()),
                });
            }
            Some(Message::Failed { reason, .. }) => {
                return Err(HostError::Start { command: spec.shown(), reason });
            }
            Some(Message::Exited(_)) | None => {
                self.kill();
                let reason = format!("its supervisor failed: {}", self.stderr_tail());
                return Err(HostError::Start { command: spec.shown(), reason });
            }
        }
        let shared = Arc::clone(&self.shared);
        let group = process_id(self.supervisor.id());
        let listen = move || {
            let mut exit = None;
            while let Some(message) = next_message(&mut messages) {
                if let Message::Exited(how) = message {
                    exit = Some(how);
                    shared.change(|state| state.exit = exit);
                }
            }
            if let (None, Some(group)) = (exit, group) {
                // The supervisor was killed. Its group cannot be another's yet: it is not reaped.
                let _ = killpg(group, Signal::SIGKILL);
            }
            shared.change(|state| {
                state.exit.get_or_insert(Exit::UNKNOWN);
                state.supervisor_gone = true;
            });
        };
        spawn_thread("lifeline", listen)
    }

    fn read(
        &self,
        mut pipe: impl Read + Send + 'static,
        end: impl Fn(&mut State) + Send + 'static,
        push: impl Fn(&mut State, &[u8]) + Send + 'static,
    ) -> Result<(), HostError> {
        let shared = Arc::clone(&self.shared);
        spawn_thread("output", move || {
            let mut bytes = vec![0; 16 * 1024];
            loop {
                match pipe.read(&mut bytes) {
                    Ok(0) => break,
                    Ok(read) => shared.change(|state| push(state, &bytes[..read])),
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
            shared.change(|state| end(state));
        })
    }

    /// The command's process (not its supervisor's).
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The supervisor's process.
    #[must_use]
    pub fn supervisor_pid(&self) -> u32 {
        self.supervisor.id()
    }

    /// How the command ended, if it has.
    #[must_use]
    pub fn try_exit(&self) -> Option<Exit> {
        self.shared.lock().exit
    }

    /// Waits for the command to end by itself; `None` if it still runs at the deadline.
    #[must_use]
    pub fn wait(&self, deadline: Instant) -> Option<Exit> {
        self.shared.wait_until(deadline, |state| state.exit)
    }

    /// The next line of standard output.
    ///
    /// # Errors
    /// [`NoLine`]: the child closed its output, or none came before the deadline.
    pub fn next_line(&self, deadline: Instant) -> Result<String, NoLine> {
        let line = self.shared.wait_until(deadline, |state| {
            let ended = state.stdout_ended;
            match state.stdout.take_line(ended) {
                Some(line) => Some(Ok(line)),
                None => ended.then_some(Err(NoLine::Ended)),
            }
        });
        line.unwrap_or(Err(NoLine::TimedOut))
    }

    /// Everything left of standard output, once the child has closed it; `None` at the deadline.
    #[must_use]
    pub fn output(&self, deadline: Instant) -> Option<Vec<u8>> {
        self.shared.wait_until(deadline, |state| state.stdout_ended.then(|| state.stdout.take_all()))
    }

    /// Whether standard output was longer than its limit, so that its end is missing.
    #[must_use]
    pub fn output_truncated(&self) -> bool {
        self.shared.lock().stdout.truncated()
    }

    /// The last 20 lines, at most 8 KiB, of standard error so far.
    #[must_use]
    pub fn stderr_tail(&self) -> String {
        self.shared.lock().stderr.text()
    }

    /// Ends the command and everything it started; returns when nothing of it is left, at the
    /// latest after some seconds. Does nothing the second time.
    pub fn kill(&mut self) {
        if self.reaped {
            return;
        }
        // Half closed: what the supervisor still says about the exit is read.
        let _ = self.lifeline.shutdown(Shutdown::Write);
        // The thread that listens may never have been started: then the process itself tells.
        let limit = Instant::now() + GRACE + INSISTENCE + Duration::from_secs(2);
        if self.pid == 0 {
            while !self.collected() && Instant::now() < limit {
                thread::sleep(Duration::from_millis(5));
            }
        } else {
            let _ = self.shared.wait_until(limit, |state| state.supervisor_gone.then_some(()));
        }
        if !self.collected_after_end() {
            self.kill_by_force();
        }
        let _ = self.shared.wait_until(Instant::now() + PIPES_LIMIT, |state| {
            (state.stdout_ended && state.stderr_ended).then_some(())
        });
    }

    fn collected(&mut self) -> bool {
        self.reaped = self.reaped || matches!(self.supervisor.try_wait(), Ok(Some(_)));
        self.reaped
    }

    fn collected_after_end(&mut self) -> bool {
        if self.shared.lock().supervisor_gone {
            // Its end of the lifeline is closed by its exit, so this does not block.
            self.reaped = self.supervisor.wait().is_ok();
        }
        self.collected()
    }

    /// The supervisor hangs: kill below it first, as what it leaves behind comes to nobody's care.
    fn kill_by_force(&mut self) {
        if let Some(supervisor) = process_id(self.supervisor.id()) {
            for pid in process_tree::descendants(supervisor.as_raw()) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            let _ = killpg(supervisor, Signal::SIGKILL);
        }
        let _ = self.supervisor.kill();
        self.reaped = self.supervisor.wait().is_ok();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn wait_until<T>(&self, deadline: Instant, mut wanted: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(found) = wanted(&mut state) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn supervisor_command(spec: &ChildSpec, lifeline: UnixStream) -> Command {
    let mut command = Command::new(own_binary());
    command.arg0("wirebench").arg("supervise");
    if !spec.cpus.is_empty() {
        let cpus: Vec<String> = spec.cpus.iter().map(usize::to_string).collect();
        command.arg("--cpus").arg(cpus.join(","));
    }
    if let Some(path) = &spec.stdin_file {
        // Ours, not relative to the folder that the command runs in.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        command.arg("--stdin-file").arg(path);
    }
    command.arg("--").arg(&spec.program).args(&spec.args);
    command.envs(spec.env.iter().map(|(name, value)| (name, value)));
    if let Some(folder) = &spec.folder {
        command.current_dir(folder);
    }
    command.stdin(Stdio::from(OwnedFd::from(lifeline))).stdout(Stdio::piped()).stderr(Stdio::piped());
    // From the first moment, so that Ctrl-C never reaches it.
    command.process_group(0);
    command
}

fn next_message(messages: &mut BufReader<UnixStream>) -> Option<Message> {
    let mut line = String::new();
    match messages.read_line(&mut line) {
        Ok(read) if read > 0 => serde_json::from_str(&line).ok(),
        _ => None,
    }
}

fn process_id(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().map(Pid::from_raw)
}

fn spawn_thread(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), HostError> {
    let built = thread::Builder::new().name(format!("host-{name}")).stack_size(128 * 1024).spawn(body);
    built.map(drop).map_err(HostError::io("start a thread"))
}
