//! Whether a process stands still: somebody stopped it (SIGSTOP, a debugger; a frozen container shows
//! elsewhere).
//!
//! The kernel keeps no record of how long a process was stopped, so that its state is looked at again
//! and again (see `watch`): what is shorter than the time between two looks is not seen, and what is
//! seen is known to that.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use crate::clock::now_ns;

/// One process: its state's file, open, and since when it is seen stopped.
#[derive(Debug)]
pub(super) struct State {
    stat: File,
    stopped_since_ns: Option<u64>,
    /// When it was last seen going: a stop began after that.
    seen_going_ns: u64,
}

impl State {
    pub(super) fn open(pid: i32) -> Option<Self> {
        let stat = File::open(format!("/proc/{pid}/stat")).ok()?;
        Some(Self { stat, stopped_since_ns: None, seen_going_ns: now_ns() })
    }

    /// How long the process has been stopped until `at_ns`; 0 where it is not, `None` where it has gone.
    pub(super) fn look(&mut self, at_ns: u64) -> Option<u64> {
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
    fn a_process_that_does_not_exist_has_no_state() {
        assert!(State::open(4_194_305).is_none());
    }
}
