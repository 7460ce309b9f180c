//! Stamps of sampled calls at the client, from start to done.

use std::sync::Mutex;

use crate::protocol::{ClientStamps, SampleLog};

/// A client thread keeps so many samples.
const THREAD_SAMPLES: usize = 4_096;

/// A sampled call that was answered rightly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StampedCall {
    /// The method's position.
    pub method: u64,
    /// It got a slot.
    pub start_ns: u64,
    /// It had a connection, too: later than its start where one was opened for it.
    pub connected_ns: u64,
    /// At the session.
    pub stamps: ClientStamps,
    /// Its answer was decoded, or a stream's end was there.
    pub done_ns: u64,
}

impl StampedCall {
    /// The stamps as numbers, for a file.
    #[must_use]
    pub fn to_words(self) -> [u64; 9] {
        let Self { method, start_ns, connected_ns, stamps, done_ns } = self;
        let ClientStamps { key, sent_ns, received_ns, decoded_ns, ended_ns } = stamps;
        [method, start_ns, connected_ns, key, sent_ns, received_ns, decoded_ns, ended_ns, done_ns]
    }

    /// The stamps that [`Self::to_words`] wrote.
    #[must_use]
    pub fn from_words(words: [u64; 9]) -> Self {
        let [method, start_ns, connected_ns, key, sent_ns, received_ns, decoded_ns, ended_ns, done_ns] =
            words;
        let stamps = ClientStamps { key, sent_ns, received_ns, decoded_ns, ended_ns };
        Self { method, start_ns, connected_ns, stamps, done_ns }
    }
}

/// How a round samples its calls, and what came of it.
#[derive(Debug)]
pub struct StageProbe {
    /// One call in so many.
    pub every: u32,
    /// Every thread's samples, once the round is over.
    pub calls: Mutex<Vec<StampedCall>>,
}

impl StageProbe {
    /// A probe of one call in `every`.
    #[must_use]
    pub fn new(every: u32) -> Self {
        Self { every, calls: Mutex::new(Vec::new()) }
    }

    /// The log of one thread.
    pub(super) fn thread_log(&self) -> SampleLog<StampedCall> {
        SampleLog::new(self.every, THREAD_SAMPLES, |call| call.stamps.key)
    }

    /// Takes the log of a thread that is done.
    pub(super) fn take(&self, log: SampleLog<StampedCall>) {
        if let Ok(mut calls) = self.calls.lock() {
            calls.extend(log.into_samples());
        }
    }
}
