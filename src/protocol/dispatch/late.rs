//! Answers that have to wait, and how many of them and of streams one connection may have.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::protocol::{CallKey, ServerStamps};
use crate::rpc::{Fault, FaultKind};
use crate::transport::{MAX_MESSAGE_BYTES, Status};

/// Late answers and streams that one connection may owe: more than any client has calls in flight.
const MAX_HELD: usize = 100_000;

/// What these may hold together: four of the largest messages.
const MAX_HELD_BYTES: usize = 4 * MAX_MESSAGE_BYTES;

/// An answer, already encoded, that is sent at `due_ns`.
pub(super) struct Late {
    pub(super) due_ns: u64,
    pub(super) arrived_ns: u64,
    pub(super) begins_ns: u64,
    pub(super) call: CallKey,
    pub(super) body: Vec<u8>,
    pub(super) status: Status,
    /// Where the call is sampled.
    pub(super) stamps: Option<Box<ServerStamps>>,
    pub(super) _held: Held,
}

/// Ordered by time alone.
impl PartialEq for Late {
    fn eq(&self, other: &Self) -> bool {
        self.due_ns == other.due_ns
    }
}

impl Eq for Late {}

impl PartialOrd for Late {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Late {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due_ns.cmp(&other.due_ns)
    }
}

/// Counts what one connection's late answers and streams hold.
#[derive(Debug, Default)]
pub(super) struct Holding(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    calls: AtomicUsize,
    bytes: AtomicUsize,
}

/// The part of one call, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    bytes: usize,
    counts: Arc<Counts>,
}

impl Holding {
    /// Holds one more call with so many bytes.
    ///
    /// # Errors
    /// Too many calls or bytes are held.
    pub(super) fn hold(&self, bytes: usize) -> Result<Held, Fault> {
        let counts = &self.0;
        let is_full = counts.calls.load(Relaxed) >= MAX_HELD
            || counts.bytes.load(Relaxed).saturating_add(bytes) > MAX_HELD_BYTES;
        if is_full {
            let text =
                "too many calls, or too large ones, are waiting for their service time or being streamed";
            return Err(Fault::new(FaultKind::Internal, text));
        }
        counts.calls.fetch_add(1, Relaxed);
        counts.bytes.fetch_add(bytes, Relaxed);
        Ok(Held { bytes, counts: Arc::clone(counts) })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.counts.calls.fetch_sub(1, Relaxed);
        self.counts.bytes.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_bytes_are_bounded_and_given_back() {
        let holding = Holding::default();
        let largest: Vec<Held> = (0..4).map(|_| holding.hold(MAX_MESSAGE_BYTES).unwrap()).collect();
        assert!(holding.hold(1).is_err());
        drop(largest);
        let calls: Vec<Held> = (0..MAX_HELD).map(|_| holding.hold(0).unwrap()).collect();
        assert!(holding.hold(0).is_err());
        drop(calls);
        assert!(holding.hold(1).is_ok());
    }
}
