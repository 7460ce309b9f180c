//! A server's own record of its calls: the truth that `wirebench selftest` compares with.
//!
//! Stamps are of the machine's one monotonic clock ([`crate::clock::now_ns`]), kept in memory and
//! written at the end, so that a server that logs behaves as one that does not. It knows no file and
//! no client.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

/// Calls beyond this many are counted and not kept: 96 MB of stamps.
const MOST_CALLS: usize = 4_000_000;
/// Room for so many calls is there from the start, so that growing disturbs no short round.
const FIRST_CALLS: usize = 65_536;

/// The stamps of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoggedCall {
    /// When the server had it.
    pub arrived_ns: u64,
    /// When its service time began; later than its arrival where a serial server had others to serve.
    pub begins_ns: u64,
    /// When its answer was handed to the transport.
    pub answered_ns: u64,
}

/// The calls of a server.
#[derive(Debug)]
pub struct CallLog {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    calls: Vec<LoggedCall>,
    left_out: u64,
}

/// A log that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("line {line} of the server's log is not three stamps in nanoseconds")]
pub struct CallLogError {
    line: usize,
}

impl Default for CallLog {
    fn default() -> Self {
        Self { kept: Mutex::new(Kept { calls: Vec::with_capacity(FIRST_CALLS), left_out: 0 }) }
    }
}

impl CallLog {
    /// Keeps a call.
    pub(super) fn add(&self, call: LoggedCall) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.calls.len() < MOST_CALLS {
            kept.calls.push(call);
        } else {
            kept.left_out += 1;
        }
    }

    /// A line per call, in the order in which they were answered.
    #[must_use]
    pub fn to_text(&self) -> String {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::with_capacity(kept.calls.len() * 60);
        for LoggedCall { arrived_ns, begins_ns, answered_ns } in &kept.calls {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{arrived_ns} {begins_ns} {answered_ns}");
        }
        if kept.left_out > 0 {
            let _ = writeln!(text, "# {} more", kept.left_out);
        }
        text
    }

    /// Reads what [`Self::to_text`] wrote.
    ///
    /// # Errors
    /// A line that is no call, which a log that was cut short has.
    pub fn read(text: &str) -> Result<Vec<LoggedCall>, CallLogError> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#'));
        lines
            .map(|(number, line)| {
                let mut stamps = line.split(' ').map(|word| word.parse::<u64>().ok());
                let mut stamp = || stamps.next().flatten().ok_or(CallLogError { line: number + 1 });
                Ok(LoggedCall { arrived_ns: stamp()?, begins_ns: stamp()?, answered_ns: stamp()? })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_survives_its_text_and_a_cut_one_is_refused() {
        let log = CallLog::default();
        let call =
            |arrived_ns| LoggedCall { arrived_ns, begins_ns: arrived_ns + 1, answered_ns: arrived_ns + 2 };
        log.add(call(10));
        log.add(call(5));
        let text = log.to_text();
        assert_eq!(CallLog::read(&text).unwrap(), [call(10), call(5)]);
        assert_eq!(CallLog::read(&text[..text.len() - 3]).unwrap_err().line, 2);
    }
}
