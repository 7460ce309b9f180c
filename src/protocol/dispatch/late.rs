//! Answers that have to wait for their service time.

use crate::protocol::{CallKey, ServerStamps};
use crate::transport::Status;

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
