//! ZeroRPC, protocol version 3: MessagePack events over ZeroMQ, as zerorpc 0.6.3 for Python speaks it.
//!
//! An event is the array `[header, name, args]`. A call opens a channel, named by its `message_id`;
//! every later event of the channel has that id as its `response_to`. A channel ends with `OK`,
//! `ERR` or `STREAM_DONE`, and none of them is acknowledged: a fast call is one message each way.
//!
//! Over time a channel follows two rules, both from the source of zerorpc 0.6.3:
//! - **Heartbeat** (`heartbeat.py`): each side sends `_zpc_hb` every 5 s, the first 5 s after the
//!   channel opened, and gives the other side up when nothing came for two intervals, or for three
//!   from the opening. Unlike Python, any event of the channel counts as a sign of life.
//! - **Credit** (`channel.py`): each side may send one event; `_zpc_more [n]` allows n more. The
//!   reader asks for what its inbox of 100 events has free as soon as fewer than 50 are on their way.
//!
//! What the real server ignores is ignored: garbage, events without an id, events of channels that
//! are over. Two corners are stricter here: an id longer than 64 bytes is ignored, and bytes behind
//! an event's arguments make them invalid.
//!
//! May import the traits of this module, `rpc` and `transport`'s vocabulary. Has no socket, no
//! clock and does not look into values: those are the codec's.

mod channels;
mod client;
mod event;
mod inspect;
mod introspect;
mod server;

pub(super) use inspect::introspect as ask;

use std::sync::Arc;

use super::{ClientEnvelope, Context, Envelope, Route, ServerEnvelope};
use crate::codec::Unsupported;
use crate::rpc::Service;

/// Between two heartbeats of a channel, and before the first: zerorpc's default.
const HEARTBEAT_NS: u64 = 5_000_000_000;

/// Events that a reader's inbox holds: zerorpc's default.
const INBOX: u32 = 100;

/// Calls that a server keeps open at once. The real one has no limit; one client keeps 1,000.
const MAX_OPEN_CALLS: usize = 100_000;

/// The ZeroRPC envelope.
#[derive(Debug)]
pub struct ZeroRpc;

/// Makes the envelope.
#[must_use]
pub fn envelope() -> Arc<dyn Envelope> {
    Arc::new(ZeroRpc)
}

impl Envelope for ZeroRpc {
    fn route(&self, service: &Service, codec_media_type: &str) -> Route {
        Route {
            paths: vec![String::new(); service.methods.len()],
            media_type: codec_media_type.to_owned(),
            id_frame: false,
            request_streams: Vec::new(),
        }
    }

    fn check(&self, service: &Service) -> Result<(), Unsupported> {
        let reserved = ["_zpc_", "_zerorpc_"];
        let names = service.methods.iter().map(|method| &*method.method.name);
        match names.into_iter().find(|name| reserved.iter().any(|prefix| name.starts_with(prefix))) {
            None => Ok(()),
            Some(name) => Err(Unsupported {
                codec: "zerorpc",
                what: "a method whose name begins with _zpc_ or _zerorpc_, which are its own".into(),
                place: name.to_owned(),
            }),
        }
    }

    fn client(&self, context: &Context) -> Box<dyn ClientEnvelope> {
        Box::new(client::Client::new(&context.service))
    }

    fn server(&self, context: &Context) -> Box<dyn ServerEnvelope> {
        Box::new(server::Server::new(&context.service, MAX_OPEN_CALLS))
    }
}

#[cfg(test)]
mod tests;
