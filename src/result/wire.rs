//! What was counted and not timed: the bytes of a method's first seeded calls.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The codec's bytes of a method's first seeded calls, summed: the same on every machine and in every run of
/// the same scenario, and so to be compared exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct FirstCalls {
    /// How many calls. It follows from the scenario alone.
    pub calls: u64,
    /// Bytes of their encoded arguments, from the plan.
    pub request: u64,
    /// Bytes of the encoded answers as the server sent them; null where one of the calls was not answered.
    pub response: Option<u64>,
}

/// What crossed a byte-counting relay between client and server.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct WireCounts {
    /// Calls that were answered.
    pub calls: u64,
    /// Connections that carried them.
    pub connections: u64,
    /// Bytes from client to server over these connections, from opening to closing.
    pub request_bytes: u64,
    /// Bytes from server to client.
    pub response_bytes: u64,
    /// Bytes that a request takes at the client's socket, averaged: with a connection for all calls those
    /// of all but the first, which carries the handshake. Null where there is only that one.
    pub framed_request: Option<f64>,
    /// The same of an answer.
    pub framed_response: Option<f64>,
}

/// The first seeded calls of one method.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct WireMethod {
    /// The codec's bytes.
    pub encoded: FirstCalls,
    /// What crossed the relay; null where not a single call was answered.
    pub crossed: Option<WireCounts>,
}

/// The pass in which bytes were counted: untimed, after the timed calls of a round.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WirePass {
    /// By method.
    pub methods: BTreeMap<String, WireMethod>,
    /// What went wrong; null where all planned calls were answered.
    pub note: Option<String>,
}

impl WirePass {
    /// A pass that counted nothing.
    #[must_use]
    pub fn failed(reason: impl Into<String>) -> Self {
        Self { methods: BTreeMap::new(), note: Some(reason.into()) }
    }

    /// Whether anything crossed the relay.
    #[must_use]
    pub fn has_counts(&self) -> bool {
        self.methods.values().any(|method| method.crossed.is_some())
    }
}
