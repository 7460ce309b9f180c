//! What a back end cannot do, however fast it is: facts about protocols, beside the figures of a run.
//!
//! `tests/catches.rs` compares what is said of streams and of types with what the protocols carry.

use crate::result::CellResult;

/// What one should know of a protocol, or of a codec over a transport, before taking it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The name of the protocol, codec or transport.
    pub name: &'static str,
    /// Values that it refuses, in words; empty for none.
    pub refuses: &'static str,
    /// What else stands against it.
    pub against: &'static [&'static str],
}

/// The named protocols.
pub const PROTOCOLS: &[Facts] = &[
    Facts {
        name: "xmlrpc",
        refuses: "integers beyond 32 bits (unless both sides know i8), NaN and infinities, and control characters",
        against: &["one call in flight per connection: many calls at once need many connections"],
    },
    Facts {
        name: "zerorpc",
        refuses: "times",
        against: &[
            "implemented for Python and Node.js only, beside this one",
            "ZeroMQ's own transport: common proxies, load balancers and browsers do not speak it",
        ],
    },
    Facts {
        name: "grpc",
        refuses: "",
        against: &["both sides need the .proto and code made from it; browsers need a proxy (gRPC-Web)"],
    },
    Facts {
        name: "grpc-tonic",
        refuses: "",
        against: &["both sides need the .proto and code made from it; browsers need a proxy (gRPC-Web)"],
    },
    Facts {
        name: "binary-tcp",
        refuses: "",
        against: &[
            "this project's own protocol: a peer in another language has to be written from its description",
            "its messages name no fields: both sides have to change their types at the same time",
        ],
    },
    Facts {
        name: "null",
        refuses: "",
        against: &["no network: the harness's own floor, and nothing to take"],
    },
];

/// The codecs, for free pairs.
pub const CODECS: &[Facts] = &[
    Facts {
        name: "xml",
        refuses: "integers beyond 32 bits (unless both sides know i8), NaN and infinities, and control characters",
        against: &[],
    },
    Facts { name: "msgpack", refuses: "", against: &[] },
    Facts { name: "protobuf", refuses: "", against: &["both sides need the schema"] },
    Facts {
        name: "postcard",
        refuses: "",
        against: &["its messages name no fields: both sides have to change their types at the same time"],
    },
    Facts {
        name: "json",
        refuses: "NaN and infinities",
        against: &["bytes travel as base64, a third longer"],
    },
];

/// Transports on which no answer can be a stream of items.
pub const WITHOUT_STREAMS: &[&str] = &["http1"];

/// Calls per connection opened below which a back end is said to open connections all the time.
const FEW_CALLS_PER_CONNECTION: f64 = 2.0;

/// What stands against a cell's back end, in sentences' parts.
#[must_use]
pub fn catches(cell: &CellResult) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let facts = match &cell.protocol {
        Some(protocol) => PROTOCOLS.iter().find(|facts| facts.name == protocol),
        None => {
            found.push(
                "a free pair: the envelope around it is this project's own, and no other system speaks it"
                    .to_owned(),
            );
            CODECS.iter().find(|facts| facts.name == cell.codec)
        }
    };
    if WITHOUT_STREAMS.contains(&&*cell.transport) {
        found.push("no streams: an answer is one message".to_owned());
    }
    if let Some(facts) = facts {
        if !facts.refuses.is_empty() {
            found.push(format!("refuses {}", facts.refuses));
        }
        found.extend(facts.against.iter().map(|&text| text.to_owned()));
    }
    if opens_all_the_time(cell) {
        found.push("its connections did not last: it opened one for nearly every call".to_owned());
    }
    found
}

/// Whether there are about as many connections as calls.
#[must_use]
pub fn opens_all_the_time(cell: &CellResult) -> bool {
    let (Some(calls), Some(opened)) = (cell.figures.calls, cell.figures.connections_opened) else {
        return false;
    };
    opened > cell.load.connections.saturating_mul(cell.rounds.len() as u64)
        && (calls as f64) < opened as f64 * FEW_CALLS_PER_CONNECTION
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{CellDescription, Limits, cell_from_rounds};

    fn cell(protocol: Option<&str>, codec: &str, transport: &str) -> CellResult {
        let description = CellDescription {
            protocol: protocol.map(Into::into),
            codec: codec.into(),
            transport: transport.into(),
            ..CellDescription::default()
        };
        cell_from_rounds(description, &[], &Limits::default())
    }

    #[test]
    fn a_named_protocol_and_a_free_pair_have_their_own_catches() {
        let named = catches(&cell(Some("xmlrpc"), "xml", "http1")).join("; ");
        assert!(named.contains("no streams") && named.contains("32 bits") && !named.contains("free pair"));
        let pair = catches(&cell(None, "json", "tcp")).join("; ");
        assert!(pair.contains("free pair") && pair.contains("NaN") && !pair.contains("streams"));
        assert_eq!(catches(&cell(Some("new"), "new", "new")), [""; 0]);
    }

    #[test]
    fn a_connection_for_every_call_is_said() {
        let mut cell = cell(Some("grpc"), "protobuf", "http2");
        (cell.figures.calls, cell.figures.connections_opened) = (Some(1_000), Some(1));
        cell.load.connections = 1;
        assert!(!opens_all_the_time(&cell));
        cell.figures.connections_opened = Some(1_000);
        assert!(catches(&cell).last().unwrap().contains("connections did not last"));
    }
}
