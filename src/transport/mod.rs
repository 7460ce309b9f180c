//! Transports: messages between two ends. They know nothing of values or methods; paths and media
//! types reach them as data ([`Wiring`]).
//!
//! A client's [`Connection`] takes messages without waiting and delivers what comes back when it is
//! polled. A server's transport gives each incoming message to a [`Handler`], which may answer
//! nothing, now, later or many times through [`Replies`].
//!
//! Everything runs on the current thread's runtime, inside a `tokio::task::LocalSet`. Adding a
//! transport is one file and one line in [`ALL`].

mod buffer;
#[cfg(test)]
mod conformance;
mod connector;
mod counted;
mod grpc;
mod gzip;
mod http1;
mod http2;
mod listener;
mod null;
mod relay;
mod socket;
mod tcp;
#[cfg(test)]
mod testing;
mod tonic;
mod work_timer;
mod zmq;

pub use connector::Opening;
pub use relay::{Crossed, Relay};

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Every transport.
pub const ALL: &[&dyn Transport] =
    &[&http1::Http1, &http2::Http2, &tonic::Tonic, &zmq::Zmq, &tcp::Tcp, &null::Null];

/// Finds a transport by name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Transport> {
    ALL.iter().copied().find(|transport| transport.name() == name)
}

/// A future of the current thread.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Which parts of a call's head a transport carries itself, so that an envelope need not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carries {
    /// Which call a reply belongs to.
    pub id: bool,
    /// The method's name (as a path).
    pub method: bool,
    /// Whether the call went well, and where a stream ends.
    pub status: bool,
}

/// What a protocol tells a transport about the service and the load.
#[derive(Clone)]
pub struct Wiring {
    /// The request path of each method, by the method's position. Client only.
    pub paths: Vec<String>,
    /// The media type of requests and replies.
    pub media_type: String,
    /// ZeroMQ: put the call's id into a frame of its own. Off where the envelope carries an id.
    pub id_frame: bool,
    /// The largest message taken from the peer, in bytes; a larger one is refused.
    pub max_message_bytes: usize,
    /// How many messages a server collects before it writes them.
    pub write_batch: usize,
    /// How many threads a server answers on.
    pub server_threads: usize,
    /// The null transport's server end, which lives in the client.
    pub local_handlers: Option<HandlerFactory>,
    /// HTTP/2, server: paths whose requests are streams of messages. Each message is given to the
    /// handler when it comes, and the call ends well when the request does.
    pub request_streams: Vec<String>,
    /// How long a call may take; told to the server with each call where the transport has a way
    /// (gRPC's deadlines). The client's own clock decides all the same. Client only.
    pub timeout_ns: Option<u64>,
    /// Requests are packed by gzip where that makes them smaller, and packed replies asked for, by
    /// transports that compress. A server packs its replies for clients that do so. Client only.
    pub gzip: bool,
    /// The address that HTTP is told as the host, where it is not the one that is connected to: through
    /// a relay the bytes must be those of the server's own address. Client only.
    pub named_address: Option<String>,
}

impl Wiring {
    /// The wiring with a time-out, which the server is told.
    #[must_use]
    pub fn with_timeout(mut self: Arc<Self>, timeout_ns: u64) -> Arc<Self> {
        Arc::make_mut(&mut self).timeout_ns = Some(timeout_ns);
        self
    }

    /// The wiring for a connection through a relay to the server at `address`.
    #[must_use]
    pub fn naming(mut self: Arc<Self>, address: &str) -> Arc<Self> {
        Arc::make_mut(&mut self).named_address = Some(address.to_owned());
        self
    }

    /// The host that HTTP is told on a connection to `target`.
    pub(crate) fn authority<'a>(&'a self, target: &'a str) -> &'a str {
        socket::authority(self.named_address.as_deref().unwrap_or(target))
    }
}

impl Debug for Wiring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wiring")
            .field("paths", &self.paths)
            .field("media_type", &self.media_type)
            .finish_non_exhaustive()
    }
}

/// The name of the transport without a network.
pub const NULL: &str = "null";

/// The largest message taken by default: the largest payload of the shipped scenarios is 1 MiB,
/// and base64 and XML escaping can multiply it.
pub const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// A way to carry messages.
pub trait Transport: Debug + Send + Sync {
    /// The name in scenarios and reports.
    fn name(&self) -> &'static str;

    /// What it carries besides the body.
    fn carries(&self) -> Carries;

    /// Whether a call may be answered with several messages.
    fn carries_streams(&self) -> bool {
        true
    }

    /// The most calls that may be in flight on one connection.
    fn max_in_flight(&self) -> usize;

    /// Whether it carries metadata ([`Outgoing::metadata`]): HTTP does, as headers.
    fn carries_metadata(&self) -> bool {
        false
    }

    /// Whether it compresses messages ([`Wiring::gzip`]).
    fn compresses(&self) -> bool {
        false
    }

    /// Whether one peer can end a server of it by what it sends: for networks of friends only.
    fn trusts_peers(&self) -> bool {
        false
    }

    /// Opens a connection to `target`: `host:port`, or the path of a UNIX socket.
    fn connect<'a>(
        &'a self,
        target: &'a str,
        wiring: Arc<Wiring>,
    ) -> LocalFuture<'a, Result<Box<dyn Connection>, TransportError>>;

    /// Listens on `address`: `host:port` (port 0 picks a free one), or the path of a UNIX socket.
    fn bind<'a>(
        &'a self,
        address: &'a str,
        wiring: Arc<Wiring>,
    ) -> LocalFuture<'a, Result<Box<dyn Server>, TransportError>>;
}

/// A client's end of a connection.
pub trait Connection {
    /// Takes one message. Never waits and does not write: [`Self::poll_flush`] and [`Self::poll`] do.
    /// May take the body's buffer and leave an empty one.
    ///
    /// # Errors
    /// The connection is over, or (HTTP/1) has a call in flight already.
    fn submit(&mut self, outgoing: Outgoing<'_>) -> Result<(), TransportError>;

    /// Writes what was submitted, as far as the peer takes it now.
    ///
    /// # Errors
    /// The connection is over.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Result<(), TransportError>;

    /// Writes what was submitted, reads what is there and hands it to `sink`. Pending as long as the
    /// connection lives, with the waker registered for whatever it waits for; ready with the reason
    /// when it is over. Calls in flight then have no answer, and the sink is not told about them.
    ///
    /// A clean end after the last reply (HTTP/1.0, `Connection: close`) is [`TransportError::Closed`]
    /// and comes after the delivery.
    fn poll(&mut self, cx: &mut Context<'_>, sink: &mut dyn FnMut(Delivery<'_>)) -> Poll<TransportError>;

    /// By which number the server's transport knows the call that was submitted last ([`Incoming::key`]): its
    /// own id, where that is in the message; over HTTP a number made of its port and ordinal
    /// ([`http_key`]). `None` where it is not known yet.
    fn key(&self, id: u64) -> Option<u64> {
        Some(id)
    }

    /// Gives up a call. Says whether the connection can still be used; HTTP/1 cannot.
    fn cancel(&mut self, id: u64) -> bool;

    /// Bytes so far.
    fn traffic(&self) -> Traffic;

    /// How long it took to open.
    fn opening(&self) -> Opening;
}

/// One message on its way out.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// The caller's id of the call. A message of a session (a heartbeat) has one too.
    pub id: u64,
    /// The method's position, for [`Wiring::paths`].
    pub method: usize,
    /// Headers that the caller wants sent along, where the transport has any.
    pub metadata: &'a [(String, String)],
    /// The body.
    pub body: &'a mut Vec<u8>,
}

/// Something that came back. `id` is what the transport itself knows of the call, if it carries ids.
#[derive(Debug)]
pub enum Delivery<'a> {
    /// A message (over HTTP/1 the body of a 200; other bodies are pages for people and are dropped).
    Message {
        /// The call.
        id: Option<u64>,
        /// The body.
        body: &'a [u8],
    },
    /// The call is over (transports that carry a status only).
    End {
        /// The call.
        id: u64,
        /// How it ended.
        status: Status,
    },
    /// This call was not sent, or the peer has said that it did not look at it: the connection takes no more
    /// calls. Those in flight may still be answered.
    Unsent {
        /// The call.
        id: u64,
        /// Why the connection takes no more.
        error: TransportError,
    },
    /// This call has failed; the connection lives on.
    Failed {
        /// The call.
        id: u64,
        /// Why.
        error: TransportError,
    },
}

/// How a call ended, for transports that carry it; each has its own code for each kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The kind.
    pub kind: StatusKind,
    /// The code on the wire: the HTTP status or the gRPC status number. A server may leave it out.
    pub code: Option<u32>,
    /// Text for people; empty where there is none. Over HTTP/1 it is the reason phrase of an answer
    /// that is not 200.
    pub message: String,
}

impl Status {
    /// All is well.
    pub const OK: Status = Status { kind: StatusKind::Ok, code: None, message: String::new() };

    /// A status of a kind.
    #[must_use]
    pub fn new(kind: StatusKind, message: impl Into<String>) -> Self {
        Self { kind, code: None, message: message.into() }
    }
}

/// The kinds of [`Status`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusKind {
    /// An answer. HTTP 200, gRPC 0.
    Ok,
    /// No such path or method. HTTP 404, gRPC 12 UNIMPLEMENTED.
    UnknownMethod,
    /// Damaged or ill-typed arguments. HTTP 400, gRPC 3 INVALID_ARGUMENT.
    BadArguments,
    /// The method failed. HTTP 500, gRPC 2 UNKNOWN.
    Application,
    /// The message is too large. HTTP 413, gRPC 8 RESOURCE_EXHAUSTED.
    TooLarge,
    /// Too late. HTTP 504, gRPC 4 DEADLINE_EXCEEDED.
    DeadlineExceeded,
    /// The server failed. HTTP 500, gRPC 13 INTERNAL.
    Internal,
    /// Any other code that a peer sent.
    Other,
}

/// Bytes that a connection has carried so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Written to the socket, with everything the transport adds.
    pub sent_bytes: u64,
    /// Read from the socket.
    pub received_bytes: u64,
}

/// A server that listens.
pub trait Server {
    /// Where: `host:port` with the real port, or the path of a UNIX socket.
    fn address(&self) -> String;

    /// Serves until it fails; dropping the future ends it.
    fn run(self: Box<Self>, handlers: HandlerFactory) -> LocalFuture<'static, TransportError>;
}

/// Makes a handler: one per connection, or one per socket where the transport has no connections.
pub type HandlerFactory = Arc<dyn Fn() -> Box<dyn Handler> + Send + Sync>;

/// A server's end of a connection: gets messages, gives replies.
pub trait Handler: Send {
    /// Takes one message; may answer through `replies` at once, later in [`Self::work`], or not.
    fn handle(&mut self, incoming: Incoming<'_>, replies: &mut dyn Replies);

    /// Does what has come due (late answers, heartbeats, more of a stream) and says when it wants to
    /// be called again, as [`crate::clock::now_ns`]; a time in the past means "as soon as others have
    /// had their turn, the writing of the replies so far among them". A transport calls it after every
    /// batch of messages, at that time, and when there is room where [`Replies::has_room`] said no.
    fn work(&mut self, replies: &mut dyn Replies) -> Option<u64>;

    /// The peer gave up this call, or its connection ended.
    fn cancelled(&mut self, reply_to: ReplyTo);
}

/// One message from a client.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// Whom to answer.
    pub reply_to: ReplyTo,
    /// The request path, where the transport has one.
    pub path: Option<&'a str>,
    /// The message.
    pub body: &'a [u8],
    /// When the client gives up, as [`crate::clock::now_ns`], where it says so.
    pub deadline_ns: Option<u64>,
    /// What the client's [`Connection::key`] says of this call, where the transport knows.
    pub key: Option<u64>,
}

/// The address of a reply, chosen by the transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReplyTo {
    /// Which peer, for sockets that have many.
    pub peer: u32,
    /// Which of the peer's calls.
    pub id: u64,
}

/// Takes a handler's replies. A call is answered by any number of messages and one end.
pub trait Replies {
    /// Sends one message. May take the body's buffer and leave an empty one.
    fn message(&mut self, to: ReplyTo, body: &mut Vec<u8>);

    /// Ends the call. Transports that carry no status only forget it.
    fn end(&mut self, to: ReplyTo, status: Status);

    /// Whether more of this call's replies may wait to be written. Where not, a stream pauses, and
    /// the transport lets the handler work again when there is room, without being asked to: calls
    /// whose peers read are not held up by those whose peers do not.
    fn has_room(&self, to: ReplyTo) -> bool;
}

/// The number of a call over HTTP: the client's port (0 over UNIX sockets, which have none) and how many
/// calls were on the connection before.
#[must_use]
pub fn http_key(port: u16, ordinal: u64) -> u64 {
    ordinal << 16 | u64::from(port)
}

/// Why a transport cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection.
    #[error("cannot connect to {target}: {reason}")]
    Connect {
        /// The address.
        target: String,
        /// What the system said.
        reason: String,
    },
    /// No listening.
    #[error("cannot listen on {address}: {reason}")]
    Bind {
        /// The address.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// The peer ended the connection as the protocol allows.
    #[error("the peer closed the connection")]
    Closed,
    /// The connection broke.
    #[error("the connection broke: {reason}")]
    Reset {
        /// What the system said.
        reason: String,
    },
    /// The peer broke the transport's rules.
    #[error("{reason}")]
    Protocol {
        /// Which rule.
        reason: String,
    },
    /// The call did not fit: a call is in flight on a connection that takes one, or the message is
    /// too large.
    #[error("refused: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
}

impl TransportError {
    pub(crate) fn reset(error: impl std::fmt::Display) -> Self {
        Self::Reset { reason: error.to_string() }
    }

    pub(crate) fn protocol(reason: impl Into<String>) -> Self {
        Self::Protocol { reason: reason.into() }
    }
}
