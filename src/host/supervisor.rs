//! The small process between the harness and a command it starts: no process outlives the run.
//!
//! A parent-death signal alone would miss grandchildren and fire when the thread that started the
//! child ends. The supervisor instead makes itself the reaper of all its descendants
//! (`PR_SET_CHILD_SUBREAPER`, prctl(2)), so that even one that daemonises comes back to it, and
//! lives as long as its standard input, the [`lifeline`](super::lifeline), which ends when the
//! parent does, also by SIGKILL. It has a process group of its own, so that Ctrl-C at a terminal
//! reaches the harness alone, which then ends its servers in order.
//!
//! It knows nothing of services and protocols, and does nothing while the command runs: it sleeps
//! in poll(2), so sharing the command's CPUs costs no measurement anything.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, setpgid};

use super::lifeline::{Exit, Message};
use super::{placement, process_tree};

/// How long processes have between SIGTERM and SIGKILL, where the parent ends the command.
pub const GRACE: Duration = Duration::from_millis(200);

/// The running program, whatever has become of its file. A child that is about to become another
/// program is still this one, so the path works in a command, too.
pub(super) const OWN_PROGRAM: &str = "/proc/self/exe";

/// How long the supervisor insists with SIGKILL. Only a process that the kernel cannot end (stuck
/// in a driver) outlasts it, and then nobody can help.
pub(super) const INSISTENCE: Duration = Duration::from_secs(3);

/// Between two rounds of SIGKILL: a process may have forked while the first one ran.
const KILL_PAUSE: Duration = Duration::from_millis(5);

/// Runs `command` on `cpus` (none: wherever it likes) with `stdin_file` (none: nothing) as its
/// standard input, until it exits or standard input ends or a signal asks to stop; then kills every
/// descendant. Returns the exit code for the process: the command's own, 128 + signal, 127 where
/// there is no such command, 126 where it cannot run, 125 where the supervisor itself failed.
///
/// Standard input must be one end of a socket pair: progress is written to it, see [`Message`].
#[must_use]
pub fn supervise(cpus: &[usize], stdin_file: Option<&Path>, command: &[OsString]) -> u8 {
    match Supervisor::new() {
        Ok(supervisor) => supervisor.run(cpus, stdin_file, command),
        Err(error) => {
            eprintln!("wirebench supervise: cannot set up: {error}");
            125
        }
    }
}

struct Supervisor {
    lifeline: File,
    /// A byte per SIGCHLD.
    child_ended: UnixStream,
    /// A byte per signal that asks to stop.
    asked_to_stop: UnixStream,
    command: Option<Pid>,
    exit: Option<Exit>,
}

impl Supervisor {
    fn new() -> io::Result<Self> {
        let lifeline = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let child_ended = self_pipe(&[signal_hook::consts::SIGCHLD])?;
        let asked_to_stop = self_pipe(&[
            signal_hook::consts::SIGINT,
            signal_hook::consts::SIGTERM,
            signal_hook::consts::SIGHUP,
            signal_hook::consts::SIGQUIT,
        ])?;
        // A parent that dies while we write to it must not kill us before we have cleaned up.
        signal_hook::flag::register(signal_hook::consts::SIGPIPE, Arc::new(AtomicBool::new(false)))?;
        // A mask inherited from the parent would reach the command, too.
        SigSet::all().thread_unblock()?;
        prctl::set_child_subreaper(true)?;
        match setpgid(Pid::from_raw(0), Pid::from_raw(0)) {
            // Already the leader of a session, and so of a group.
            Ok(()) | Err(Errno::EPERM) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(Self { lifeline, child_ended, asked_to_stop, command: None, exit: None })
    }

    fn run(mut self, cpus: &[usize], stdin_file: Option<&Path>, command: &[OsString]) -> u8 {
        match start(cpus, stdin_file, command) {
            Ok(pid) => {
                self.command = i32::try_from(pid).ok().map(Pid::from_raw);
                self.tell(&Message::Started { pid });
            }
            Err(StartError { reason, missing }) => {
                self.tell(&Message::Failed { reason, missing });
                return if missing { 127 } else { 126 };
            }
        }
        let mut told = false;
        if self.wait_for_the_end() {
            self.tell_exit();
            told = true;
        } else {
            self.signal_all(&[Signal::SIGTERM, Signal::SIGCONT]);
            self.reap_until(Instant::now() + GRACE);
        }
        self.kill_all();
        if !told {
            self.tell_exit();
        }
        exit_code(self.exit)
    }

    /// Sleeps until the command has exited (true) or must be ended (false).
    fn wait_for_the_end(&mut self) -> bool {
        loop {
            self.reap();
            if self.exit.is_some() {
                return true;
            }
            let ready = readable(
                [self.lifeline.as_fd(), self.asked_to_stop.as_fd(), self.child_ended.as_fd()],
                PollTimeout::NONE,
            );
            let [lifeline, stop, child] = match ready {
                Ok(ready) => ready,
                Err(Errno::EINTR) => continue,
                // Without poll there is no hearing of the parent's end: end now rather than never.
                Err(_) => return false,
            };
            if child {
                drain(&mut self.child_ended);
            }
            if stop || (lifeline && self.lifeline_ended()) {
                // The command's own end, if it came at the same time, is the better news.
                self.reap();
                return self.exit.is_some();
            }
        }
    }

    fn lifeline_ended(&mut self) -> bool {
        let mut ignored = [0; 64];
        match self.lifeline.read(&mut ignored) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => !matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock),
        }
    }

    /// Collects everyone who has ended; false when no descendant is left.
    ///
    /// As a subreaper we inherit every orphan, so "no child" means "no descendant".
    fn reap(&mut self) -> bool {
        let left = loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => self.note(pid, Exit { code: Some(code), signal: None }),
                Ok(WaitStatus::Signaled(pid, signal, _)) => {
                    self.note(pid, Exit { code: None, signal: Some(signal as i32) });
                }
                Ok(WaitStatus::StillAlive) => break true,
                Err(Errno::ECHILD) => break false,
                // EINVAL: reaped, but killed by a real-time signal, which nix has no name for.
                Ok(_) | Err(_) => {}
            }
        };
        if let (None, Some(command)) = (self.exit, self.command)
            && kill(command, None) == Err(Errno::ESRCH)
        {
            self.exit = Some(Exit::UNKNOWN);
        }
        left
    }

    fn note(&mut self, pid: Pid, exit: Exit) {
        if self.command == Some(pid) {
            self.exit = Some(exit);
        }
    }

    fn reap_until(&mut self, deadline: Instant) -> bool {
        loop {
            if !self.reap() {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let timeout =
                PollTimeout::try_from(left.max(Duration::from_millis(1))).unwrap_or(PollTimeout::ZERO);
            if matches!(readable([self.child_ended.as_fd()], timeout), Ok([true])) {
                drain(&mut self.child_ended);
            }
        }
    }

    fn kill_all(&mut self) {
        let deadline = Instant::now() + INSISTENCE;
        while self.reap() {
            if Instant::now() >= deadline {
                let left = process_tree::descendants(Pid::this().as_raw());
                // Not eprintln: where the parent is gone, so is the reader, and a panic helps nobody.
                let _ =
                    writeln!(io::stderr(), "wirebench supervise: these processes survive SIGKILL: {left:?}");
                return;
            }
            self.signal_all(&[Signal::SIGKILL]);
            self.reap_until(Instant::now() + KILL_PAUSE);
        }
    }

    /// A stopped process acts on SIGTERM only when continued, hence several signals.
    fn signal_all(&self, signals: &[Signal]) {
        let mut targets = process_tree::descendants(Pid::this().as_raw());
        if let (Some(command), None) = (self.command, self.exit)
            && !targets.contains(&command.as_raw())
        {
            targets.push(command.as_raw());
        }
        for pid in targets {
            for signal in signals {
                // Gone already, or not ours to signal: the next round or the limit decides.
                let _ = kill(Pid::from_raw(pid), *signal);
            }
        }
    }

    fn tell_exit(&mut self) {
        self.tell(&Message::Exited(self.exit.unwrap_or(Exit::UNKNOWN)));
    }

    fn tell(&mut self, message: &Message) {
        if let Ok(mut line) = serde_json::to_vec(message) {
            line.push(b'\n');
            // A parent that is gone is found out by reading.
            let _ = self.lifeline.write_all(&line);
        }
    }
}

struct StartError {
    reason: String,
    missing: bool,
}

impl StartError {
    fn new(reason: String) -> Self {
        Self { reason, missing: false }
    }
}

// Not waited for through its handle: waitpid(2) for any child reaps it with the orphans.
#[allow(clippy::zombie_processes)]
fn start(cpus: &[usize], stdin_file: Option<&Path>, command: &[OsString]) -> Result<u32, StartError> {
    let Some((program, args)) = command.split_first() else {
        return Err(StartError::new("no command was given".into()));
    };
    if !cpus.is_empty() {
        placement::pin_self(cpus).map_err(|error| StartError::new(error.to_string()))?;
    }
    let stdin = match stdin_file {
        None => Stdio::null(),
        Some(path) => Stdio::from(
            File::open(path)
                .map_err(|error| StartError::new(format!("cannot open {}: {error}", path.display())))?,
        ),
    };
    let mut command = Command::new(program);
    command.args(args).stdin(stdin);
    if program == OWN_PROGRAM {
        command.arg0("wirebench");
    }
    let child = command.spawn();
    child.map(|child| child.id()).map_err(|error| StartError {
        reason: error.to_string(),
        missing: error.kind() == io::ErrorKind::NotFound,
    })
}

/// Handlers, not a signalfd: a signalfd needs the signals blocked, and the command would inherit
/// that mask, while handlers end with exec(2).
fn self_pipe(signals: &[i32]) -> io::Result<UnixStream> {
    let (read, write) = UnixStream::pair()?;
    read.set_nonblocking(true)?;
    for signal in signals {
        signal_hook::low_level::pipe::register(*signal, write.try_clone()?)?;
    }
    Ok(read)
}

fn drain(pipe: &mut UnixStream) {
    let mut bytes = [0; 256];
    while matches!(pipe.read(&mut bytes), Ok(read) if read > 0) {}
}

fn readable<const N: usize>(fds: [BorrowedFd<'_>; N], timeout: PollTimeout) -> Result<[bool; N], Errno> {
    let mut polled = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    poll(&mut polled, timeout)?;
    Ok(std::array::from_fn(|index| polled[index].any().unwrap_or(true)))
}

fn exit_code(exit: Option<Exit>) -> u8 {
    match exit {
        Some(Exit { code: Some(code), .. }) => u8::try_from(code & 0xff).unwrap_or(125),
        Some(Exit { signal: Some(signal), .. }) => u8::try_from(128 + signal).unwrap_or(125),
        _ => 125,
    }
}
