//! The figures that a cell and each of its rounds have in common.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cell::{ErrorExample, MethodResult};
use super::stage::StageResult;
use crate::rpc::ErrorClass;

/// A distribution of times in nanoseconds. A quantile without enough samples is null.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Quantiles {
    /// How many calls the distribution is made of.
    #[serde(default)]
    pub samples: u64,
    /// The shortest.
    pub min: Option<u64>,
    /// The arithmetic mean.
    pub mean: Option<f64>,
    /// The median.
    pub p50: Option<u64>,
    /// 90 % are at most this.
    pub p90: Option<u64>,
    /// 95 % are at most this.
    pub p95: Option<u64>,
    /// 99 % are at most this.
    pub p99: Option<u64>,
    /// 99.9 % are at most this.
    pub p999: Option<u64>,
    /// 99.99 % are at most this.
    pub p9999: Option<u64>,
    /// The longest.
    pub max: Option<u64>,
    /// The interval of each quantile that is not null.
    #[serde(default)]
    pub intervals: QuantileIntervals,
}

/// Where each quantile lies with 95 % confidence, from order statistics, in nanoseconds: `[low, high]`.
///
/// The intervals take the calls as independent. Calls of one round share its luck, so two rounds
/// differ by more than this.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct QuantileIntervals {
    /// Of the median.
    pub p50: Option<[u64; 2]>,
    /// Of the 90th percentile.
    pub p90: Option<[u64; 2]>,
    /// Of the 95th percentile.
    pub p95: Option<[u64; 2]>,
    /// Of the 99th percentile.
    pub p99: Option<[u64; 2]>,
    /// Of the 99.9th percentile.
    pub p999: Option<[u64; 2]>,
    /// Of the 99.99th percentile.
    pub p9999: Option<[u64; 2]>,
}

/// Bytes of the messages of one direction, averaged per call.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct MessageBytes {
    /// What the values' information needs at least, by one rule for every protocol.
    pub payload: Option<f64>,
    /// What the codec made of the values.
    pub encoded: Option<f64>,
    /// With envelope and framing, as handed to the socket.
    pub framed: Option<f64>,
    /// What a byte-counting relay saw, heartbeats and handshakes included.
    pub wire: Option<f64>,
}

/// Bytes per call in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct BytesPerCall {
    /// From client to server.
    pub request: MessageBytes,
    /// From server to client.
    pub response: MessageBytes,
}

/// Processor time per call in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CpuPerCall {
    /// Of the client process.
    pub client: Option<f64>,
    /// Of the server and everything that it started.
    pub server: Option<f64>,
}

/// The most memory that was resident, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct RssPeak {
    /// Of the client process.
    pub client: Option<u64>,
    /// Of the server and everything that it started.
    pub server: Option<u64>,
}

/// What both sides used in a part of a round: a second, or less of a short round.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct UsagePiece {
    /// Its begin, in seconds after the begin of the measured interval.
    pub start_s: f64,
    /// Its length in seconds.
    pub length_s: f64,
    /// How many cores the client process used on average, and in-process servers with it.
    pub client_cores: Option<f64>,
    /// How many cores the server used, with the processes below it that there were at the begin.
    pub server_cores: Option<f64>,
    /// The client's resident memory at its end.
    pub client_rss_bytes: Option<u64>,
    /// The server's resident memory at its end.
    pub server_rss_bytes: Option<u64>,
}

/// How often a process gave up its core and how often it was taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Switches {
    /// The process waited for something.
    pub voluntary: u64,
    /// The core was given to another process.
    pub involuntary: u64,
    /// How long its threads were ready to run and had no core, added up, in nanoseconds. Threads of a lower
    /// priority than the process are left out: they wait by intent. Null where the kernel does not say.
    #[serde(default)]
    pub core_wait_ns: Option<u64>,
}

/// Context switches on both sides in the measured interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ContextSwitches {
    /// Of the client process.
    pub client: Option<Switches>,
    /// Of the server and everything that it started.
    pub server: Option<Switches>,
}

/// What opening a connection took, averaged over the connections opened, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct OpeningTime {
    /// Name resolution.
    pub resolve: Option<f64>,
    /// Connecting.
    pub connect: Option<f64>,
    /// The transport's handshake.
    pub handshake: Option<f64>,
    /// The longest opening of all, from begin to end.
    pub max: Option<u64>,
}

/// What a connection costs before its second call: of the connections that were opened before the warm-up or
/// in the measured interval. Null is a step that there was none of, or that the transport does not tell
/// apart.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionCost {
    /// Name resolution; null for an address in digits.
    pub resolve: Option<Quantiles>,
    /// Connecting the socket. Of `zmq` the whole opening: its library does all in one step.
    pub connect: Option<Quantiles>,
    /// What the transport says before the first call: HTTP/2's preface until the server's settings are there.
    pub handshake: Option<Quantiles>,
    /// The first call, from the open connection to its answer.
    pub first_call: Option<Quantiles>,
}

/// Where the time between start and done goes, of sampled calls. A stage that cannot be told apart
/// is null.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Stages {
    /// Opening the connection, where every call opens its own.
    #[serde(default)]
    pub connecting: Option<Quantiles>,
    /// Encoding the call.
    pub client_encode: Option<Quantiles>,
    /// From handed to the client's transport until the server has the message.
    pub request_transport: Option<Quantiles>,
    /// Decoding the call.
    pub server_decode: Option<Quantiles>,
    /// The service's own time.
    pub handler: Option<Quantiles>,
    /// Encoding the answer.
    pub server_encode: Option<Quantiles>,
    /// From handed to the server's transport until the client has the message.
    pub response_transport: Option<Quantiles>,
    /// Decoding the answer; of a stream, its first item.
    pub client_decode: Option<Quantiles>,
    /// Of a stream: from its first item, decoded, to its end.
    #[serde(default)]
    pub following_items: Option<Quantiles>,
    /// Of a server that leaves no stamps: everything from handed to the client's transport until the client
    /// has the answer.
    #[serde(default)]
    pub transport_and_server: Option<Quantiles>,
}

impl Stages {
    /// Every stage with its name, in the order in which a call goes through them. A call has either the stages
    /// between the two transports or [`Self::transport_and_server`].
    #[must_use]
    pub fn named(&self) -> [(&'static str, Option<&Quantiles>); 10] {
        [
            ("connecting", self.connecting.as_ref()),
            ("client_encode", self.client_encode.as_ref()),
            ("request_transport", self.request_transport.as_ref()),
            ("server_decode", self.server_decode.as_ref()),
            ("handler", self.handler.as_ref()),
            ("server_encode", self.server_encode.as_ref()),
            ("response_transport", self.response_transport.as_ref()),
            ("transport_and_server", self.transport_and_server.as_ref()),
            ("client_decode", self.client_decode.as_ref()),
            ("following_items", self.following_items.as_ref()),
        ]
    }
}

/// Whether the stages add up to the service time of the sampled calls.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct StagesCheck {
    /// Calls that were sampled and found on both sides: the stages are theirs.
    pub samples: u64,
    /// Calls that were sampled at the client and not found, or not told apart, at the server.
    pub unmatched: u64,
    /// Mean service time of all sampled calls, in nanoseconds.
    pub service_mean_ns: f64,
    /// Sum of the means of the stages, in nanoseconds.
    pub stages_mean_ns: f64,
    /// (stages − service) / service.
    pub difference: f64,
}

/// What was measured, of a round or of a cell's rounds together.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Figures {
    /// Calls that were answered, rightly or wrongly.
    pub calls: Option<u64>,
    /// Answers that were not the expected ones. Any voids the cell.
    pub wrong_answers: Option<u64>,
    /// Failed calls by class. Of a cell: of all its rounds, whether they count or not.
    #[serde(default)]
    pub errors: BTreeMap<ErrorClass, u64>,
    /// One example per class and native code, with how often it occurred.
    #[serde(default)]
    pub error_examples: Vec<ErrorExample>,
    /// From the first due time until the last call was done, in seconds.
    pub elapsed_s: Option<f64>,
    /// Answered calls per second of the elapsed time.
    pub rate_per_s: Option<f64>,
    /// What the schedule asked for, in calls per second; null in a closed loop.
    pub offered_rate_per_s: Option<f64>,
    /// done − due.
    pub response_ns: Quantiles,
    /// done − start.
    pub service_ns: Quantiles,
    /// start − ready. Empty in a closed loop without think time.
    pub wait_ns: Quantiles,
    /// ready − due. Empty in a closed loop without think time.
    pub lag_ns: Quantiles,
    /// Quantiles of the response time of which the generator's lag is more than a tenth.
    #[serde(default)]
    pub lag_marked: Vec<String>,
    /// Message sizes.
    pub bytes_per_call: BytesPerCall,
    /// What went wrong in the wire pass; null where nothing did, or there was none.
    #[serde(default)]
    pub wire_note: Option<String>,
    /// Processor time.
    pub cpu_us_per_call: CpuPerCall,
    /// Memory.
    pub rss_peak_bytes: RssPeak,
    /// Context switches in the measured interval.
    #[serde(default)]
    pub context_switches: ContextSwitches,
    /// Connections opened, the first ones included.
    pub connections_opened: Option<u64>,
    /// What opening them took.
    pub opening_ns: Option<OpeningTime>,
    /// The same as distributions, with the first call; null where no connection was opened.
    #[serde(default)]
    pub connection_ns: Option<ConnectionCost>,
    /// Calls that the generator released late: by more than the limit of a `client-limited` verdict.
    pub late: Option<u64>,
    /// Calls that found no free slot when they were ready; null in a closed loop.
    #[serde(default)]
    pub waited_calls: Option<u64>,
    /// Processor time that the pacer spun until calls were due, in nanoseconds: part of the client's,
    /// and none of the protocol's. Null in a closed loop.
    #[serde(default)]
    pub spun_ns: Option<u64>,
    /// The most calls that were due and had no slot yet.
    pub backlog: Option<u64>,
    /// The longest time in which the client process did not run, in nanoseconds.
    pub client_stopped_ns: Option<u64>,
    /// The longest time in which the server process was stopped, in nanoseconds, as far as twenty looks
    /// a second tell; null where its processes are not ours.
    pub server_stopped_ns: Option<u64>,
    /// Where the service time goes; null where no stamps were taken.
    pub stages_ns: Option<Stages>,
    /// Why they are missing, where something went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stages_note: Option<String>,
    /// The same by stage of the load; empty where it has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<StageResult>,
    /// Whether the stages add up; null where there are none.
    #[serde(default)]
    pub stages_check: Option<StagesCheck>,
    /// The same by method.
    #[serde(default)]
    pub methods: BTreeMap<String, MethodResult>,
}
