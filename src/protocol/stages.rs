//! Stamps of sampled calls on both sides of the wire, from which the stages of a call are put together.
//!
//! A call is known on both sides by its *key*: what the wire carries anyway. Where the caller's id is in
//! the message (framed TCP, ZeroMQ's id frame, zerorpc's `message_id`) it is the key; over HTTP it is the
//! client's port and the ordinal of the call on its connection (over HTTP/2 by its stream id), see
//! [`crate::transport::http_key`]. Both sides take the same share of the keys, so nothing is added to a message.
//!
//! Stamps are of the machine's one monotonic clock ([`crate::clock::now_ns`]) and are kept in memory. A log
//! that is full throws every second sample away and takes half as many from then on, so that it is bounded
//! and still covers the whole round. It knows no file; joining the two sides is `run`'s work.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

/// A server keeps so many samples: of warm-up and other clients too, hence more than a client.
const SERVER_SAMPLES: usize = 16_384;

/// Whether one call in `every` is this one.
///
/// A key has three parts (slot or port, ordinal or generation, connection), and consecutive calls differ in
/// one of them by one: so their sum picks every n-th call of a connection, and of many connections
/// with a call each every n-th connection, and not all slots at the same time.
#[must_use]
pub fn is_sampled(key: u64, every: u32) -> bool {
    let parts = (key & 0xFFFF) + (key >> 16 & 0xFFF_FFFF) + (key >> 44);
    // Each part is below 2^28, so the sum fits.
    every > 0 && (parts as u32).is_multiple_of(every)
}

/// When a sampled call was where at the server. All in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServerStamps {
    /// The call.
    pub key: u64,
    /// The handler got the message.
    pub received_ns: u64,
    /// Envelope and arguments are decoded.
    pub decoded_ns: u64,
    /// The answer's encoding begins.
    pub encoding_ns: u64,
    /// It is encoded. Before the service time is over, where that is spent waiting.
    pub encoded_ns: u64,
    /// The message is handed to the transport. Of a stream: the first item is.
    pub answered_ns: u64,
}

/// When a sampled call was where at the client's session. All in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClientStamps {
    /// The call.
    pub key: u64,
    /// The message is handed to the transport.
    pub sent_ns: u64,
    /// The answer's message is delivered; of a stream, the first item's. 0 where none was.
    pub received_ns: u64,
    /// It is decoded.
    pub decoded_ns: u64,
    /// The status that ends the call is delivered, where the transport carries one; else 0.
    pub ended_ns: u64,
}

/// A bounded log of samples.
#[derive(Debug)]
pub struct SampleLog<T> {
    every: u32,
    most: usize,
    kept: Vec<T>,
    key: fn(&T) -> u64,
}

impl<T> SampleLog<T> {
    /// A log of at most `most` samples, of one call in `every` to begin with.
    #[must_use]
    pub fn new(every: u32, most: usize, key: fn(&T) -> u64) -> Self {
        // Room for all from the start: growing would copy in the middle of a round.
        Self { every, most: most.max(1), kept: Vec::with_capacity(most), key }
    }

    /// Keeps a sample, if it is one of those that the log still takes.
    pub fn add(&mut self, sample: T) {
        while self.kept.len() >= self.most && self.every < u32::MAX / 2 {
            self.every *= 2;
            let (every, key) = (self.every, self.key);
            self.kept.retain(|kept| is_sampled(key(kept), every));
        }
        if self.kept.len() < self.most && is_sampled((self.key)(&sample), self.every) {
            self.kept.push(sample);
        }
    }

    /// What was kept.
    #[must_use]
    pub fn into_samples(self) -> Vec<T> {
        self.kept
    }
}

/// The samples of a server, shared by its connections.
#[derive(Debug)]
pub struct StampLog {
    every: AtomicU32,
    log: Mutex<SampleLog<ServerStamps>>,
}

impl StampLog {
    /// A log of one call in `every`.
    #[must_use]
    pub fn new(every: u32) -> Self {
        let log = SampleLog::new(every, SERVER_SAMPLES, |stamps: &ServerStamps| stamps.key);
        Self { every: AtomicU32::new(every), log: Mutex::new(log) }
    }

    /// Whether this call leaves stamps.
    pub(super) fn wants(&self, key: u64) -> bool {
        is_sampled(key, self.every.load(Ordering::Relaxed))
    }

    pub(super) fn add(&self, stamps: ServerStamps) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.add(stamps);
        self.every.store(log.every, Ordering::Relaxed);
    }

    /// The samples so far.
    #[must_use]
    pub fn samples(&self) -> Vec<ServerStamps> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).kept.clone()
    }
}

impl ServerStamps {
    /// The stamps as numbers, for a file.
    #[must_use]
    pub fn to_words(self) -> [u64; 6] {
        let Self { key, received_ns, decoded_ns, encoding_ns, encoded_ns, answered_ns } = self;
        [key, received_ns, decoded_ns, encoding_ns, encoded_ns, answered_ns]
    }

    /// The stamps that [`Self::to_words`] wrote.
    #[must_use]
    pub fn from_words(words: [u64; 6]) -> Self {
        let [key, received_ns, decoded_ns, encoding_ns, encoded_ns, answered_ns] = words;
        Self { key, received_ns, decoded_ns, encoding_ns, encoded_ns, answered_ns }
    }
}

/// Rows of numbers as bytes: eight each, little-endian.
#[must_use]
pub fn to_bytes<const N: usize>(rows: impl Iterator<Item = [u64; N]>) -> Vec<u8> {
    rows.flatten().flat_map(u64::to_le_bytes).collect()
}

/// The rows that [`to_bytes`] wrote; a row that was cut is left out.
#[must_use]
pub fn from_bytes<const N: usize>(bytes: &[u8]) -> Vec<[u64; N]> {
    let (words, _) = bytes.as_chunks::<8>();
    let (rows, _) = words.as_chunks::<N>();
    rows.iter().map(|row| row.map(u64::from_le_bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::http_key;

    fn stamps(key: u64) -> ServerStamps {
        ServerStamps { key, received_ns: key + 1, ..ServerStamps::default() }
    }

    #[test]
    fn every_nth_call_is_sampled_on_one_connection_and_on_many() {
        let sampled = |keys: &mut dyn Iterator<Item = u64>| keys.filter(|key| is_sampled(*key, 32)).count();
        assert_eq!(sampled(&mut (0..3_200).map(|ordinal| http_key(40_001, ordinal))), 100, "HTTP, kept");
        assert_eq!(sampled(&mut (0..3_200).map(|port| http_key(33_000 + port, 0))), 100, "HTTP, per call");
        assert_eq!(sampled(&mut (0..3_200).map(|generation| generation << 16 | 5)), 100, "one slot");
        assert_eq!(sampled(&mut (0..3_200).map(|connection| connection << 44 | 1 << 16)), 100, "per call");
        assert_eq!(sampled(&mut (0..64).map(|slot| 7 << 16 | slot)), 2, "not all slots at once");
        assert!(!is_sampled(0, 0));
    }

    #[test]
    fn a_full_log_keeps_an_even_share_of_the_whole_round() {
        let mut log = SampleLog::new(1, 100, |stamps: &ServerStamps| stamps.key);
        for ordinal in 0..10_000 {
            log.add(stamps(http_key(0, ordinal)));
        }
        let kept: Vec<u64> = log.into_samples().iter().map(|stamps| stamps.key >> 16).collect();
        assert!((50..=100).contains(&kept.len()), "{}", kept.len());
        let step = kept[1] - kept[0];
        assert!(kept.windows(2).all(|pair| pair[1] - pair[0] == step), "{kept:?}");
        assert!(10_000 - kept[kept.len() - 1] <= step, "the end of the round is in it");
    }

    #[test]
    fn two_logs_that_were_thinned_differently_still_have_the_same_calls() {
        let fill = |most| {
            let mut log = SampleLog::new(2, most, |stamps: &ServerStamps| stamps.key);
            (0..5_000).for_each(|ordinal| log.add(stamps(http_key(9, ordinal))));
            log.into_samples()
        };
        let (few, many) = (fill(50), fill(1_000));
        assert!(few.len() > 20 && few.iter().all(|stamps| many.contains(stamps)));
    }

    #[test]
    fn rows_survive_their_bytes_and_a_cut_one_is_left_out() {
        let rows = [stamps(1), stamps(u64::MAX - 1)];
        let bytes = to_bytes(rows.into_iter().map(ServerStamps::to_words));
        let read =
            |bytes: &[u8]| from_bytes(bytes).into_iter().map(ServerStamps::from_words).collect::<Vec<_>>();
        assert_eq!(read(&bytes), rows);
        assert_eq!(read(&bytes[..bytes.len() - 1]), rows[..1]);
        assert!(read(&[]).is_empty());
    }

    #[test]
    fn a_servers_log_asks_for_fewer_calls_once_it_is_full() {
        let log = StampLog::new(1);
        for ordinal in 0..=SERVER_SAMPLES as u64 {
            log.add(stamps(http_key(0, ordinal)));
        }
        assert!(log.wants(http_key(0, 2)) && !log.wants(http_key(0, 3)));
        assert_eq!(log.samples().len(), SERVER_SAMPLES / 2 + 1);
    }
}
