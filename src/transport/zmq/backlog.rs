//! Counts what the crate has taken and not yet written, and reuses the buffers.
//!
//! The crate copies a frame into its write buffer and then drops it, so the drop of a body says that
//! it is on its way out. That is the only sign the crate gives.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use bytes::Bytes;

/// Messages that may wait for one peer. libzmq's default is 1,000; the more generous number is
/// still a tenth of where the crate's own queue would block.
pub(super) const PEER_MESSAGES: usize = 10_000;

/// Bytes that may wait for one peer: 256 MiB, four of the largest messages.
const PEER_BYTES: usize = 256 << 20;

/// Messages waiting for one peer above which its streams pause.
const STREAM_MESSAGES: usize = 1_024;

/// Bytes waiting for one peer above which its streams pause.
const STREAM_BYTES: usize = 1 << 20;

/// Bytes that may wait on a whole socket: beyond it, a peer gets no more than its streams may have waiting.
const SOCKET_BYTES: usize = 512 << 20;

/// Buffers kept for reuse, and how large one may be: 4 MiB in all.
const KEPT_BUFFERS: usize = 64;
const KEPT_BUFFER_BYTES: usize = 64 << 10;

/// What waits on a whole socket.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    waiting: Waiting,
    shared: Mutex<Shared>,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: AtomicUsize,
    bytes: AtomicUsize,
}

#[derive(Debug, Default)]
struct Shared {
    free: Vec<Vec<u8>>,
    waker: Option<Waker>,
}

/// What waits for one peer of the socket.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: Waiting,
    /// A stream of this peer waits for room.
    is_awaited: AtomicBool,
    backlog: Arc<Backlog>,
}

/// A body that the crate has taken.
struct Parcel {
    body: Vec<u8>,
    queue: Arc<Queue>,
}

impl Waiting {
    fn add(&self, bytes: usize) {
        self.messages.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    fn subtract(&self, bytes: usize) {
        self.messages.fetch_sub(1, Relaxed);
        self.bytes.fetch_sub(bytes, Relaxed);
    }

    fn is_below(&self, messages: usize, bytes: usize) -> bool {
        self.messages.load(Relaxed) < messages && self.bytes.load(Relaxed) < bytes
    }
}

impl Backlog {
    /// The task to wake when a peer has room whose stream waits for it.
    pub(super) fn wake(&self, waker: &Waker) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.waker.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            shared.waker = Some(waker.clone());
        }
    }

    fn give_back(&self, mut body: Vec<u8>, has_room: bool) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.free.len() < KEPT_BUFFERS && body.capacity() <= KEPT_BUFFER_BYTES {
            body.clear();
            shared.free.push(body);
        }
        if has_room && let Some(waker) = &shared.waker {
            waker.wake_by_ref();
        }
    }
}

impl Queue {
    /// The queue of a new peer.
    pub(super) fn new(backlog: &Arc<Backlog>) -> Arc<Self> {
        let backlog = Arc::clone(backlog);
        Arc::new(Self { waiting: Waiting::default(), is_awaited: AtomicBool::new(false), backlog })
    }

    /// Whether the peer still takes messages.
    pub(super) fn takes_more(&self) -> bool {
        self.waiting.is_below(PEER_MESSAGES, PEER_BYTES)
            && (self.backlog.waiting.is_below(usize::MAX, SOCKET_BYTES) || self.is_below(1))
    }

    /// Whether the peer's streams may go on. Where not, [`Backlog::wake`]'s task is woken when they may.
    pub(super) fn has_room(&self) -> bool {
        if self.is_below(1) {
            return true;
        }
        self.is_awaited.store(true, SeqCst);
        // Some may have been written meanwhile.
        self.is_below(1)
    }

    /// Whether less is waiting than so much of what streams may have waiting: the whole, a half...
    fn is_below(&self, part: usize) -> bool {
        self.waiting.is_below(STREAM_MESSAGES / part, STREAM_BYTES / part)
    }

    /// Takes a body for the crate and leaves an empty buffer, a used one where there is one.
    pub(super) fn take(self: &Arc<Self>, body: &mut Vec<u8>) -> Bytes {
        let empty = {
            let mut shared = self.backlog.shared.lock().unwrap_or_else(PoisonError::into_inner);
            shared.free.pop().unwrap_or_default()
        };
        let body = std::mem::replace(body, empty);
        self.waiting.add(body.len());
        self.backlog.waiting.add(body.len());
        Bytes::from_owner(Parcel { body, queue: Arc::clone(self) })
    }
}

impl AsRef<[u8]> for Parcel {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        let queue = &self.queue;
        queue.waiting.subtract(self.body.len());
        queue.backlog.waiting.subtract(self.body.len());
        // With half of it free a stream has something to do.
        let has_room = queue.is_awaited.load(SeqCst) && queue.is_below(2);
        if has_room {
            queue.is_awaited.store(false, SeqCst);
        }
        queue.backlog.give_back(std::mem::take(&mut self.body), has_room);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_counts_until_it_is_dropped_and_its_buffer_comes_back() {
        let backlog = Arc::new(Backlog::default());
        let queue = Queue::new(&backlog);
        let mut body = Vec::with_capacity(100);
        body.extend_from_slice(b"one");
        let taken = queue.take(&mut body);
        assert_eq!(taken.as_ref(), b"one");
        assert_eq!((body.len(), body.capacity()), (0, 0));
        assert_eq!(backlog.waiting.bytes.load(Relaxed), 3);
        drop(taken);
        assert_eq!(backlog.waiting.messages.load(Relaxed), 0);
        drop(queue.take(&mut body));
        assert_eq!(body.capacity(), 100);
    }

    #[test]
    fn a_peers_streams_pause_at_its_bound_and_go_on_when_half_of_it_is_written() {
        let backlog = Arc::new(Backlog::default());
        let (queue, other) = (Queue::new(&backlog), Queue::new(&backlog));
        let woken = Arc::new(Woken::default());
        backlog.wake(&Waker::from(Arc::clone(&woken)));
        let mut taken: Vec<Bytes> = (0..STREAM_MESSAGES).map(|_| queue.take(&mut vec![0])).collect();
        assert!(!queue.has_room());
        assert!(queue.takes_more(), "answers are still taken");
        assert!(other.has_room(), "another peer's streams go on");
        taken.truncate(STREAM_MESSAGES / 2);
        assert_eq!(woken.0.load(Relaxed), 0);
        taken.pop();
        assert_eq!(woken.0.load(Relaxed), 1);
        assert!(queue.has_room());
        drop(taken);
        assert_eq!(woken.0.load(Relaxed), 1, "nobody waits any longer");
    }

    #[test]
    fn a_message_larger_than_the_bound_goes_alone() {
        let backlog = Arc::new(Backlog::default());
        let queue = Queue::new(&backlog);
        let woken = Arc::new(Woken::default());
        backlog.wake(&Waker::from(Arc::clone(&woken)));
        let large = queue.take(&mut vec![0; STREAM_BYTES + 1]);
        assert!(!queue.has_room());
        drop(large);
        assert_eq!(woken.0.load(Relaxed), 1);
        assert!(queue.has_room());
    }

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }
}
