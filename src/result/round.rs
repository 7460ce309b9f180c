//! What a client process hands to its parent when a round ends.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cell::ErrorExample;
use super::figures::{ContextSwitches, RssPeak, UsagePiece};
use super::wire::WirePass;
use crate::rpc::ErrorClass;

/// The most examples of wrong answers kept per round.
const MAX_WRONG_EXAMPLES: usize = 3;
/// The most characters kept of an expected or found answer.
const MAX_EXAMPLE_CHARS: usize = 200;

/// An answer that was not the expected one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WrongAnswer {
    /// The method.
    pub method: String,
    /// The answer that the scenario says.
    pub expected: String,
    /// The answer that came.
    pub found: String,
}

impl WrongAnswer {
    /// An example with both answers cut to a length that a report can show.
    #[must_use]
    pub fn new(method: &str, expected: &str, found: &str) -> Self {
        Self { method: method.into(), expected: shortened(expected), found: shortened(found) }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_EXAMPLE_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Counts of one method over the measured interval of a round.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MethodCounts {
    /// Calls that were answered, rightly or wrongly.
    pub calls: u64,
    /// Answers that were not the expected ones.
    pub wrong_answers: u64,
    /// Failed calls by class.
    pub errors: BTreeMap<ErrorClass, u64>,
    /// Sum of the payload of the answered calls' requests.
    pub request_payload_bytes: u64,
    /// Sum of their encoded requests.
    pub request_encoded_bytes: u64,
    /// Sum of the payload of the answers.
    pub response_payload_bytes: u64,
    /// Sum of the encoded answers; of a stream's items.
    pub response_encoded_bytes: u64,
    /// Items of the answered calls; null where the method does not stream.
    pub items: Option<u64>,
}

/// Bytes over all connections in the measured interval; null where they were not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct TrafficBytes {
    /// From client to server.
    pub request: Option<u64>,
    /// From server to client.
    pub response: Option<u64>,
}

/// What opening connections took together, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct OpeningTotals {
    /// How many openings were timed.
    pub connections: u64,
    /// Sum of name resolution; null where the transport does not say.
    pub resolve_ns: Option<u64>,
    /// Sum of connecting; null where the transport does not say.
    pub connect_ns: Option<u64>,
    /// Sum of handshakes; null where the transport does not say.
    pub handshake_ns: Option<u64>,
    /// The longest opening.
    pub max_ns: Option<u64>,
}

impl OpeningTotals {
    /// Adds one opening.
    pub fn add(&mut self, resolve_ns: u64, connect_ns: u64, handshake_ns: u64) {
        let all_ns = resolve_ns + connect_ns + handshake_ns;
        self.merge(&Self {
            connections: 1,
            resolve_ns: Some(resolve_ns),
            connect_ns: Some(connect_ns),
            handshake_ns: Some(handshake_ns),
            max_ns: Some(all_ns),
        });
    }

    /// Adds the openings of another thread or time.
    pub fn merge(&mut self, other: &Self) {
        let sum = |mine: Option<u64>, theirs: Option<u64>| match (mine, theirs) {
            (Some(mine), Some(theirs)) => Some(mine + theirs),
            (one, other) => one.or(other),
        };
        self.connections += other.connections;
        self.resolve_ns = sum(self.resolve_ns, other.resolve_ns);
        self.connect_ns = sum(self.connect_ns, other.connect_ns);
        self.handshake_ns = sum(self.handshake_ns, other.handshake_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
    }
}

/// The histograms of the stages, each as an interval log of one line tagged with the stage's name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct StageLog {
    /// How many calls were sampled and matched on both sides.
    pub samples: u64,
    /// How many were sampled at the client and have no counterpart at the server.
    pub unmatched: u64,
    /// Sum of the service times of all sampled calls, in nanoseconds.
    pub service_ns: u64,
    /// Sum of all stages of the matched ones, in nanoseconds.
    pub stages_ns: u64,
    /// The interval log: `Tag=<stage>/stage,…` (see `hlog`).
    pub hlog: String,
}

/// What became of the calls that were due in one stage of the load.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct StageCounts {
    /// Calls that were due, in an open loop.
    pub offered_calls: u64,
    /// Calls that were answered, rightly or wrongly.
    pub calls: u64,
    /// Failed calls by class.
    pub errors: BTreeMap<ErrorClass, u64>,
    /// Calls that found no free slot, in an open loop.
    pub waited_calls: u64,
    /// From the stage's begin until its last call was answered.
    pub elapsed_ns: u64,
}

impl StageCounts {
    /// Adds what another thread counted.
    pub fn merge(&mut self, other: &Self) {
        self.offered_calls += other.offered_calls;
        self.calls += other.calls;
        self.waited_calls += other.waited_calls;
        self.elapsed_ns = self.elapsed_ns.max(other.elapsed_ns);
        for (class, count) in &other.errors {
            *self.errors.entry(*class).or_default() += count;
        }
    }
}

/// A finished round.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RoundResult {
    /// When the measured interval began: RFC 3339, UTC, milliseconds.
    pub started_at: String,
    /// When the schedule of an open loop began, on the machine's monotonic clock: call i was due at this
    /// time plus the i-th offset of the schedule. Null in a closed loop.
    pub begun_ns: Option<u64>,
    /// From the first due time until the last call was answered; where none was, until the last one was over.
    pub elapsed_ns: u64,
    /// The length of the measured interval: from the first due time until the last one could be. In an open
    /// loop of so many calls it ends a mean gap after the last one was due; in a closed one, with the last answer.
    pub interval_ns: u64,
    /// How long the warm-up before it took.
    pub warmup_ns: Option<u64>,
    /// Calls that became due in the measured interval.
    pub offered_calls: u64,
    /// Calls that were answered, rightly or wrongly.
    pub calls: u64,
    /// Answers that were not the expected ones.
    pub wrong_answers: u64,
    /// The first few of them.
    pub wrong_examples: Vec<WrongAnswer>,
    /// Failed calls by class.
    pub errors: BTreeMap<ErrorClass, u64>,
    /// One example per class and native code.
    pub error_examples: Vec<ErrorExample>,
    /// The same by method, with the sizes of messages.
    pub methods: BTreeMap<String, MethodCounts>,
    /// Bytes as handed to the sockets.
    pub framed: TrafficBytes,
    /// Bytes as a relay saw them, in a pass after the timed calls; null where there was none.
    pub wire_pass: Option<WirePass>,
    /// Processor time of the client in the measured interval.
    pub client_cpu_ns: Option<u64>,
    /// Processor time of the server in the measured interval.
    pub server_cpu_ns: Option<u64>,
    /// The most memory that was resident.
    pub rss_peak_bytes: RssPeak,
    /// Context switches in the measured interval.
    pub context_switches: ContextSwitches,
    /// Connections opened, the first ones included.
    pub connections_opened: Option<u64>,
    /// What opening them took.
    pub opening: Option<OpeningTotals>,
    /// The interval log of the steps of opening a connection and of its first call, tagged
    /// `Tag=<step>/connection,…`; empty where none was opened.
    pub connection_log: String,
    /// Calls that found no free slot when they were ready; null in a closed loop.
    pub waited_calls: Option<u64>,
    /// The most calls that were due and had no slot yet; null in a closed loop.
    pub backlog: Option<u64>,
    /// Calls that the generator released more than 200 µs late; null in a closed loop.
    pub late: Option<u64>,
    /// Processor time that the pacer spent on spinning until calls were due: part of the client's, and
    /// none of the protocol's. Null in a closed loop.
    pub spun_ns: Option<u64>,
    /// Why the client ended the round before its time; null where it did not.
    pub gave_up: Option<String>,
    /// What befell the round beside its calls, such as the server's death, with its last words; null
    /// where nothing did. The calls until then are part of the result.
    pub mishap: Option<String>,
    /// The largest gap in the generator's own heartbeat.
    pub client_stopped_ns: Option<u64>,
    /// The longest time in which the server was stopped, as far as twenty looks a second tell.
    pub server_stopped_ns: Option<u64>,
    /// What client and server used, piece by piece.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub usage: Vec<UsagePiece>,
    /// Stages of sampled calls; null where no stamps were taken.
    pub stages: Option<StageLog>,
    /// Why there are none, where they were asked for; null where nothing went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stages_note: Option<String>,
    /// The stages of the load, in order; empty where it has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub load_stages: Vec<StageCounts>,
    /// The interval log of the stages: as `hlog`, with a stage's position in place of a method.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stages_hlog: String,
    /// The interval log with the response, service, wait and lag histograms of every method, and the
    /// times to the first item of streams.
    pub hlog: String,
}

impl RoundResult {
    /// Counts a wrong answer and keeps it as an example while there is room.
    pub fn add_wrong_answer(&mut self, method: &str, expected: &str, found: &str) {
        self.wrong_answers = self.wrong_answers.saturating_add(1);
        if self.wrong_examples.len() < MAX_WRONG_EXAMPLES {
            self.wrong_examples.push(WrongAnswer::new(method, expected, found));
        }
    }

    /// Failed calls of every class together.
    #[must_use]
    pub fn failed_calls(&self) -> u64 {
        self.errors.values().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_three_wrong_answers_are_kept_and_all_are_counted() {
        let mut round = RoundResult::default();
        for _ in 0..5 {
            round.add_wrong_answer("getObj", &"é".repeat(300), "b");
        }
        assert_eq!((round.wrong_answers, round.wrong_examples.len()), (5, 3));
        assert_eq!(round.wrong_examples[0].expected.chars().count(), 201);
    }
}
