//! Counts what the crate has taken and not yet written, and reuses the buffers.
//!
//! The crate copies a frame into its write buffer and then drops it, so the drop of a body says that
//! it is on its way out. That is the only sign the crate gives.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use bytes::Bytes;

/// Messages that may wait for one peer. libzmq's default is 1,000; the more generous number is
/// still a tenth of where the crate's own queue would block.
pub(super) const PEER_MESSAGES: usize = 10_000;

/// Bytes that may wait for one peer: 256 MiB, four of the largest messages.
const PEER_BYTES: usize = 256 << 20;

/// Messages waiting on a whole socket above which streams pause.
const SOCKET_MESSAGES: usize = 1_024;

/// Bytes waiting on a whole socket above which streams pause.
const SOCKET_BYTES: usize = 8 << 20;

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
    /// Whether streams may go on.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.is_below(SOCKET_MESSAGES, SOCKET_BYTES)
    }

    /// Wakes this task when [`Self::has_room`] may have become true. Says whether it is true already.
    pub(super) fn wake_when_room(&self, waker: &Waker) -> bool {
        // Under the lock that a drop takes after counting down, so that no wake-up is missed.
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.waker = Some(waker.clone());
        self.has_room()
    }

    fn give_back(&self, mut body: Vec<u8>) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.free.len() < KEPT_BUFFERS && body.capacity() <= KEPT_BUFFER_BYTES {
            body.clear();
            shared.free.push(body);
        }
        if shared.waker.is_some() && self.has_room() {
            let waker = shared.waker.take();
            drop(shared);
            waker.iter().for_each(Waker::wake_by_ref);
        }
    }
}

impl Queue {
    /// The queue of a new peer.
    pub(super) fn new(backlog: &Arc<Backlog>) -> Arc<Self> {
        Arc::new(Self { waiting: Waiting::default(), backlog: Arc::clone(backlog) })
    }

    /// Whether the peer still takes messages.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.is_below(PEER_MESSAGES, PEER_BYTES)
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
        self.queue.waiting.subtract(self.body.len());
        self.queue.backlog.waiting.subtract(self.body.len());
        self.queue.backlog.give_back(std::mem::take(&mut self.body));
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
    fn streams_pause_at_the_bound_and_are_woken_when_it_clears() {
        let backlog = Arc::new(Backlog::default());
        let queue = Queue::new(&backlog);
        let mut taken: Vec<Bytes> = (0..SOCKET_MESSAGES).map(|_| queue.take(&mut vec![0])).collect();
        assert!(!backlog.has_room());
        assert!(queue.has_room());
        let woken = Arc::new(Woken::default());
        assert!(!backlog.wake_when_room(&Waker::from(Arc::clone(&woken))));
        taken.pop();
        assert!(backlog.has_room());
        assert_eq!(woken.0.load(Relaxed), 1);
    }

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }
}
