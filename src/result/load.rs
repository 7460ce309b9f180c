//! The load under which a cell was measured.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::stage::LoadStage;
pub use crate::rpc::{Arrivals, Compression, ConnectionMode, Idle, Listen, Placement, ThinkTime};

/// When calls become due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LoadModel {
    /// When an earlier one is done: a fixed number is in flight.
    #[default]
    Closed,
    /// When the schedule says so, whatever the server does.
    Open,
}

/// How many messages are written at once: a number, or `"all"` that are ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WriteBatch {
    /// Everything that is ready.
    #[default]
    All,
    /// At most so many.
    UpTo(u32),
}

impl Serialize for WriteBatch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            WriteBatch::All => serializer.serialize_str("all"),
            WriteBatch::UpTo(messages) => serializer.serialize_u32(*messages),
        }
    }
}

/// The two ways in which a write batch stands in JSON.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged, rename = "WriteBatch")]
enum WriteBatchForm {
    Messages(u32),
    Word(WriteBatchWord),
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum WriteBatchWord {
    All,
}

impl<'de> Deserialize<'de> for WriteBatch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match WriteBatchForm::deserialize(deserializer)? {
            WriteBatchForm::Messages(messages) => WriteBatch::UpTo(messages),
            WriteBatchForm::Word(WriteBatchWord::All) => WriteBatch::All,
        })
    }
}

impl JsonSchema for WriteBatch {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "WriteBatch".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        WriteBatchForm::json_schema(generator)
    }
}

/// The load of a cell, with everything that the command line changed in it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct LoadRecord {
    /// When calls become due.
    pub model: LoadModel,
    /// Calls in flight in a closed loop; null in an open one.
    pub concurrency: Option<u64>,
    /// The stages of the load, in order; empty where it is one throughout. `concurrency` is then the
    /// highest, and `rate_per_s` the mean.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<LoadStage>,
    /// Connections.
    pub connections: u64,
    /// The most calls in flight on one connection.
    pub in_flight: u64,
    /// How long a connection lives.
    pub connection_mode: ConnectionMode,
    /// Due calls per second in an open loop; null in a closed one.
    pub rate_per_s: Option<f64>,
    /// How long a slot of a closed loop waits between an answer and its next call: the gap between
    /// calls. Null where it does not, and in an open loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub think_time: Option<ThinkTime>,
    /// How an open loop spaces its calls.
    pub arrivals: Option<Arrivals>,
    /// On which cores client and server ran.
    pub placement: Placement,
    /// What idle threads do.
    pub idle: Idle,
    /// How many messages are written at once.
    pub write_batch: WriteBatch,
    /// Threads of the client.
    pub client_threads: Option<u64>,
    /// Threads of the server, where it is ours.
    pub server_threads: Option<u64>,
    /// When a call is given up, from its start, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Calls of the measured interval, where their number ends it.
    pub calls: Option<u64>,
    /// Length of the measured interval in milliseconds, where time ends it.
    pub duration_ms: Option<u64>,
    /// Length of the warm-up in milliseconds, where time ends it.
    pub warmup_ms: Option<u64>,
    /// Calls of the warm-up, where their number ends it.
    pub warmup_calls: Option<u64>,
    /// TCP or UNIX sockets; null where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<Listen>,
    /// How messages were compressed; null where nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
    /// One call in so many left stamps for the stages; null where none did.
    #[serde(default)]
    pub stage_samples: Option<u64>,
    /// Calls of each method in the wire pass; null without one.
    #[serde(default)]
    pub wire_calls: Option<u64>,
    /// The payload size of this load point in bytes, where the sweep sets it.
    pub payload_bytes: Option<u64>,
}
