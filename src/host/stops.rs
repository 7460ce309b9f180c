//! Notices that a process stood still: that somebody stopped it (SIGSTOP, a debugger, a frozen
//! container shows elsewhere).
//!
//! The kernel keeps no record of how long a process was stopped, so that its state is looked at
//! twenty times a second; what is shorter than that is not seen, and what is seen is known to that. The
//! looks cost a few microseconds each, on a thread of the lowest priority.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::process_tree::descendants_at_a_glance;
use crate::clock::now_ns;

/// From one look to the next. Stops that matter last longer; more looks would be seen in a tail of one
/// call in a hundred.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The most processes of a server that are looked at: each look costs time.
const MOST_PROCESSES: usize = 16;

/// What the looking thread is to do.
const WAIT: u8 = 0;
const COUNT: u8 = 1;
const END: u8 = 2;

/// Looks at a process and those below it until it is dropped or asked. It is made before the thread
/// that starts it is confined to a core, so that the looks need not take place on that core.
#[derive(Debug)]
pub struct StopWatch {
    order: Arc<AtomicU8>,
    thread: Option<JoinHandle<Option<u64>>>,
}

impl StopWatch {
    /// Gets ready to look at `pid` and the processes that it has now; `None` where there is nothing to
    /// look at.
    #[must_use]
    pub fn start(pid: u32) -> Option<Self> {
        let root = i32::try_from(pid).ok()?;
        let states: Vec<State> = std::iter::once(root)
            .chain(descendants_at_a_glance(root))
            .take(MOST_PROCESSES)
            .filter_map(State::open)
            .collect();
        if states.is_empty() {
            return None;
        }
        let order = Arc::new(AtomicU8::new(WAIT));
        let told = Arc::clone(&order);
        let thread = std::thread::Builder::new()
            .name("stops".into())
            .spawn(move || {
                // Without the priority the figures are a little noisier, and still right.
                let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), 19);
                look(states, &told)
            })
            .ok()?;
        Some(Self { order, thread: Some(thread) })
    }

    /// Stops count from now on.
    pub fn begin(&self) {
        self.order.store(COUNT, Ordering::Relaxed);
    }

    /// Stops no longer count.
    pub fn pause(&self) {
        self.order.store(WAIT, Ordering::Relaxed);
    }

    /// Ends the looking: the longest time in nanoseconds, of those that counted, in which one of the
    /// processes was stopped; `None` where their state could not be read.
    #[must_use]
    pub fn longest_ns(mut self) -> Option<u64> {
        self.end()
    }

    fn end(&mut self) -> Option<u64> {
        self.order.store(END, Ordering::Relaxed);
        let thread = self.thread.take()?;
        thread.thread().unpark();
        thread.join().unwrap_or(None)
    }
}

impl Drop for StopWatch {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

fn look(mut states: Vec<State>, order: &AtomicU8) -> Option<u64> {
    let mut longest_ns = None;
    loop {
        let order = order.load(Ordering::Relaxed);
        if order == END {
            return longest_ns;
        }
        let at_ns = now_ns();
        for state in &mut states {
            let stopped_ns = state.look(at_ns);
            if order == COUNT {
                longest_ns = longest_ns.max(stopped_ns);
            }
        }
        std::thread::park_timeout(LOOK_EVERY);
    }
}

/// One process: its state's file, open, and since when it is seen stopped.
#[derive(Debug)]
struct State {
    stat: File,
    stopped_since_ns: Option<u64>,
    /// When it was last seen going: a stop began after that.
    seen_going_ns: u64,
}

impl State {
    fn open(pid: i32) -> Option<Self> {
        let stat = File::open(format!("/proc/{pid}/stat")).ok()?;
        Some(Self { stat, stopped_since_ns: None, seen_going_ns: now_ns() })
    }

    /// How long the process has been stopped; 0 where it is not, `None` where it has gone.
    fn look(&mut self, at_ns: u64) -> Option<u64> {
        let mut bytes = [0; 256];
        let read = self.stat.read_at(&mut bytes, 0).ok()?;
        let is_stopped = is_stopped(&bytes[..read])?;
        if !is_stopped {
            // A stop that ended between two looks lasted until somewhere between them.
            let since_ns = self.stopped_since_ns.take();
            self.seen_going_ns = at_ns;
            return Some(since_ns.map_or(0, |since_ns| at_ns.saturating_sub(since_ns)));
        }
        let begun_ns = u64::midpoint(self.seen_going_ns, at_ns);
        let since_ns = *self.stopped_since_ns.get_or_insert(begun_ns);
        Some(at_ns.saturating_sub(since_ns))
    }
}

/// The state in `/proc/PID/stat` (proc(5)): the letter behind the name, which stands in brackets and
/// may hold anything. `T` is stopped by a signal, `t` by a tracer.
fn is_stopped(stat: &[u8]) -> Option<bool> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let state = stat.get(end + 2)?;
    Some(matches!(state, b'T' | b't'))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    use nix::sys::signal::{Signal, kill};
    use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
    use nix::unistd::Pid;

    use super::*;

    #[test]
    fn the_state_stands_behind_a_name_that_may_hold_anything() {
        assert_eq!(is_stopped(b"12 (a) T b) S 1 12"), Some(false));
        assert_eq!(is_stopped(b"12 (sh) T 1 12"), Some(true));
        assert_eq!(is_stopped(b"12 (sh) t 1 12"), Some(true));
        assert_eq!(is_stopped(b"12 (sh"), None);
        assert_eq!(is_stopped(b""), None);
    }

    #[test]
    fn a_process_that_is_stopped_is_seen_for_as_long_as_it_is() {
        let mut child = Command::new("sh")
            .args(["-c", "echo up; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let watch = StopWatch::start(child.id()).unwrap();
        watch.begin();
        let begun_ns = now_ns();
        kill(pid, Signal::SIGSTOP).unwrap();
        assert!(matches!(waitpid(pid, Some(WaitPidFlag::WUNTRACED)).unwrap(), WaitStatus::Stopped(..)));
        let stopped_ns = now_ns();
        std::thread::sleep(Duration::from_millis(150));
        let before_ns = now_ns();
        kill(pid, Signal::SIGCONT).unwrap();
        assert!(matches!(waitpid(pid, Some(WaitPidFlag::WCONTINUED)).unwrap(), WaitStatus::Continued(_)));
        let continued_ns = now_ns();
        // The end is seen at the next look, whenever a busy machine lets it be.
        std::thread::sleep(LOOK_EVERY * 3);
        let ended_ns = now_ns();
        let longest_ns = watch.longest_ns().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let about = format!("{longest_ns} of {} to {}", before_ns - stopped_ns, continued_ns - begun_ns);
        assert!(
            longest_ns > 0 && longest_ns <= ended_ns - begun_ns + LOOK_EVERY.as_nanos() as u64,
            "{about}"
        );
        assert!(longest_ns + 100_000_000 >= before_ns - stopped_ns, "{about}");
    }

    #[test]
    fn a_process_that_goes_on_was_not_stopped_and_one_that_does_not_exist_is_not_watched() {
        let watch = StopWatch::start(std::process::id()).unwrap();
        watch.begin();
        std::thread::sleep(LOOK_EVERY * 4);
        assert_eq!(watch.longest_ns(), Some(0));
        assert!(StopWatch::start(4_194_305).is_none() && StopWatch::start(u32::MAX).is_none());
    }
}
