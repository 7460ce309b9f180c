//! Protocols: rows of codec, envelope and transport.
//!
//! An envelope puts around the codec's bytes what neither the codec nor the transport carries of
//! {id, method, status}, and keeps a protocol's rules over time (heartbeats, credit) as a state
//! machine without I/O. [`registry`] lists the named protocols and makes free pairs; [`Session`] is
//! the client's end, [`Dispatcher`] the server's; neither knows any protocol by name.

mod call_log;
#[doc = include_str!("binary_tcp.md")]
pub mod binary_tcp {}
mod dispatch;
mod gap;
mod grpc;
mod method_codecs;
mod offer;
mod once;
mod reach;
mod reflection;
pub mod registry;
mod series;
mod session;
mod stages;
mod xmlrpc;
mod zerorpc;

pub use call_log::{CallLog, CallLogError, LoggedCall};
pub use dispatch::{Dispatcher, Records};
pub use grpc::grpc_status_name;
pub use method_codecs::MethodCodecs;
pub use offer::{Asker, Introspect, MAX_METHODS, Offer, OfferedMethod, one_method};
pub use once::{OneAnswer, OneCall, call_once, stream_once};
pub use reach::{Reach, ReachError};
pub use reflection::reflect;
pub use registry::{Protocol, ProtocolError};
pub use series::Series;
pub use session::{Answered, CallId, Session, Submitted, call_error};
pub use stages::{ClientStamps, SampleLog, ServerStamps, StampLog, from_bytes, to_bytes};

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;

use crate::codec::Unsupported;
use crate::rpc::{Fault, Service};
use crate::transport::{Carries, Incoming, ReplyTo, Status};

/// What an envelope is made for.
#[derive(Debug, Clone)]
pub struct Context {
    /// The service.
    pub service: Arc<Service>,
    /// What the transport carries itself.
    pub carries: Carries,
}

/// The envelope of a protocol: makes the state machines of both ends.
pub trait Envelope: Debug + Send + Sync {
    /// How the transport has to be wired for a service.
    fn route(&self, service: &Service, media_type: &str) -> Route;

    /// Whether the envelope can carry a service's names.
    ///
    /// # Errors
    /// A name that the protocol has no place for.
    fn check(&self, service: &Service) -> Result<(), Unsupported>;

    /// The client's end of one connection.
    fn client(&self, context: &Context) -> Box<dyn ClientEnvelope>;

    /// The server's end of one connection (or one socket, where the transport has no connections).
    fn server(&self, context: &Context) -> Box<dyn ServerEnvelope>;
}

/// The part of a transport's wiring that an envelope decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The request path of each method.
    pub paths: Vec<String>,
    /// The media type of requests and replies.
    pub media_type: String,
    /// Whether ZeroMQ carries the id in a frame of its own.
    pub id_frame: bool,
    /// Paths whose requests are streams of messages, each answered when it comes.
    pub request_streams: Vec<String>,
}

/// A message of an envelope's own, on its way out (a heartbeat, credit).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Where to; clients ignore it.
    pub to: ReplyTo,
    /// The whole message.
    pub body: Vec<u8>,
}

/// The client's end of an envelope. All times are [`crate::clock::now_ns`] and passed in.
pub trait ClientEnvelope {
    /// Writes what stands before the arguments.
    fn begin_call(&mut self, id: u64, method: usize, now_ns: u64, out: &mut Vec<u8>);

    /// Writes what stands after the arguments.
    fn end_call(&mut self, out: &mut Vec<u8>);

    /// Takes a message apart. `id` is the call as far as the transport knows it. Messages of the
    /// session's own go to `outbox`.
    ///
    /// # Errors
    /// A message that breaks the envelope's rules, in words.
    fn open<'a>(
        &mut self,
        id: Option<u64>,
        body: &'a [u8],
        now_ns: u64,
        outbox: &mut Vec<Posted>,
    ) -> Result<Opened<'a>, String>;

    /// Makes a fault of the status with which a transport ended a call.
    fn fault_of(&self, status: &Status) -> Fault;

    /// Does what time demands. Calls whose peer is lost are appended to `lost`. Returns when it
    /// wants to be called again.
    fn tick(&mut self, now_ns: u64, outbox: &mut Vec<Posted>, lost: &mut Vec<u64>) -> Option<u64>;

    /// The caller has given up this call, or has its answer.
    fn forget(&mut self, id: u64);
}

/// What a client's envelope found in a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Opened<'a> {
    /// The answer of a unary call.
    Answer {
        /// The call.
        id: u64,
        /// The codec's bytes.
        body: &'a [u8],
    },
    /// One item of a stream.
    Item {
        /// The call.
        id: u64,
        /// The codec's bytes.
        body: &'a [u8],
    },
    /// A stream's end.
    End {
        /// The call.
        id: u64,
    },
    /// An error.
    Fault {
        /// The call.
        id: u64,
        /// The error.
        fault: Fault,
    },
    /// Nothing for the caller: a heartbeat, credit, an event of a call that is over.
    Nothing,
}

/// The server's end of an envelope. All times are [`crate::clock::now_ns`] and passed in.
pub trait ServerEnvelope: Send {
    /// By which number the client knows a call ([`Incoming::key`]); `None` where the message is none, or
    /// does not say. Looks and changes nothing.
    fn key(&self, incoming: &Incoming<'_>) -> Option<u64> {
        incoming.key
    }

    /// Takes a message apart.
    fn open<'a>(&mut self, incoming: Incoming<'a>, now_ns: u64, outbox: &mut Vec<Posted>) -> Asked<'a>;

    /// Writes what stands before an answer (`item` false) or an item of a stream.
    fn begin_reply(&mut self, call: CallKey, item: bool, out: &mut Vec<u8>);

    /// Writes what stands after it.
    fn end_reply(&mut self, call: CallKey, item: bool, out: &mut Vec<u8>);

    /// Writes the message of a fault (none where `out` stays empty) and says with which status the
    /// transport is to end the call.
    fn fault(&mut self, call: CallKey, fault: &Fault, out: &mut Vec<u8>) -> Status;

    /// The answer to one of the calls of [`Asked::Several`] that the envelope gives itself (introspection):
    /// the codec's bytes, or a fault. `None` for the service's methods.
    fn own_answer(&mut self, _method: &str, _arguments: &[u8]) -> Option<Result<Vec<u8>, Fault>> {
        None
    }

    /// Writes the whole answer to [`Asked::Several`]. An envelope that never asks so need not.
    fn join(&mut self, _call: CallKey, _answers: &[Result<Vec<u8>, Fault>], _out: &mut Vec<u8>) {}

    /// Writes the message that ends a stream (none where `out` stays empty: the transport's status
    /// says it).
    fn end_stream(&mut self, call: CallKey, out: &mut Vec<u8>);

    /// Whether the peer's credit allows another item of this call.
    fn may_send(&self, call: CallKey) -> bool;

    /// The call is over: answered, failed or cancelled.
    fn finish(&mut self, call: CallKey);

    /// Does what time demands. Calls whose client is lost are appended to `lost`. Returns when it
    /// wants to be called again.
    fn tick(&mut self, now_ns: u64, outbox: &mut Vec<Posted>, lost: &mut Vec<CallKey>) -> Option<u64>;
}

/// A call at the server: where its reply goes, and the envelope's own note of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallKey {
    /// Where the reply goes.
    pub reply_to: ReplyTo,
    /// The envelope's own: the place where it remembers the call. 0 where it remembers nothing.
    pub slot: u32,
}

/// What a server's envelope found in a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked<'a> {
    /// A call.
    Call {
        /// Its key.
        call: CallKey,
        /// The method's name.
        method: Cow<'a, str>,
        /// The codec's bytes.
        arguments: &'a [u8],
    },
    /// Several calls in one message, to be answered together by one that [`ServerEnvelope::join`]
    /// writes.
    Several {
        /// Their one key.
        call: CallKey,
        /// The calls, in order.
        parts: Vec<Part>,
    },
    /// Something that the envelope answers itself (introspection): the whole message, after which
    /// the call is over.
    Answered {
        /// Its key.
        call: CallKey,
        /// The message.
        body: Vec<u8>,
    },
    /// A message with which the envelope answers itself, and the call goes on: one of a stream of
    /// requests, or a subscription.
    Said {
        /// Its key.
        call: CallKey,
        /// The message.
        body: Vec<u8>,
    },
    /// A message that the transport is to refuse with a status and this body.
    Refused {
        /// Whom to refuse.
        reply_to: ReplyTo,
        /// The status.
        status: Status,
        /// The body, empty for none.
        body: Vec<u8>,
    },
    /// Nothing to do: a heartbeat, credit, garbage that the real system ignores too.
    Nothing,
}

/// One of several calls in a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// A call.
    Call {
        /// The method's name.
        method: String,
        /// The codec's bytes.
        arguments: Vec<u8>,
    },
    /// A call that the envelope refuses.
    Refused(Fault),
}
