//! The registry: named protocols as rows of codec, envelope and transport, and free pairs.

use std::sync::Arc;

use super::offer::Introspect;
use super::reach::{Reach, ReachError};
use super::{Context, Dispatcher, Envelope, Records, gap, grpc, reflection, xmlrpc, zerorpc};
use crate::codec::{self, Codec, EncodeError, ProtoError, Unsupported};
use crate::rpc::{Compression, Service, Value};
use crate::transport::{self, Handler, HandlerFactory, MAX_MESSAGE_BYTES, Transport, Wiring};

/// A named protocol.
#[derive(Debug)]
pub struct Row {
    /// The name in scenarios, flags and reports.
    pub name: &'static str,
    /// The scheme of its URLs.
    pub scheme: &'static str,
    /// The scheme of its URLs on this machine's UNIX sockets, which ZeroMQ calls `ipc`; `None` without one.
    pub unix_scheme: Option<&'static str>,
    /// The codec's name.
    pub codec: &'static str,
    /// The transport's name.
    pub transport: &'static str,
    /// Makes the envelope.
    pub envelope: fn() -> Arc<dyn Envelope>,
    /// The media type, where it is not the codec's.
    pub media_type: Option<&'static str>,
    /// Whether MessagePack may carry times.
    pub msgpack_time: bool,
    /// How a server of the protocol tells what it offers, if it can.
    pub introspect: Option<Introspect>,
}

/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>, Content-Type.
const GRPC: &str = "application/grpc";

/// The named protocols.
pub const NAMED: &[Row] = &[
    Row {
        name: "xmlrpc",
        scheme: "xmlrpc+http",
        unix_scheme: Some("xmlrpc+unix"),
        codec: "xml",
        transport: "http1",
        envelope: xmlrpc::envelope,
        media_type: None,
        msgpack_time: true,
        introspect: Some(xmlrpc::introspect),
    },
    Row {
        name: "zerorpc",
        scheme: "zerorpc+tcp",
        unix_scheme: Some("zerorpc+ipc"),
        codec: "msgpack",
        transport: "zmq",
        envelope: zerorpc::envelope,
        media_type: None,
        msgpack_time: false,
        introspect: Some(zerorpc::ask),
    },
    Row {
        name: "grpc",
        scheme: "grpc+http",
        unix_scheme: Some("grpc+unix"),
        codec: "protobuf",
        transport: "http2",
        envelope: || grpc::envelope(gap::envelope()),
        media_type: Some(GRPC),
        msgpack_time: true,
        introspect: Some(reflection::introspect),
    },
    Row {
        name: "grpc-tonic",
        scheme: "grpc-tonic+http",
        unix_scheme: Some("grpc-tonic+unix"),
        codec: "protobuf",
        transport: "http2-tonic",
        envelope: || grpc::envelope(gap::envelope()),
        media_type: Some(GRPC),
        msgpack_time: true,
        introspect: Some(reflection::introspect),
    },
    Row {
        name: "binary-tcp",
        scheme: "binary+tcp",
        unix_scheme: Some("binary+unix"),
        codec: "postcard",
        transport: "tcp",
        envelope: gap::envelope,
        media_type: None,
        msgpack_time: true,
        introspect: None,
    },
    Row {
        name: "null",
        scheme: "null",
        unix_scheme: None,
        codec: "postcard",
        transport: "null",
        envelope: gap::envelope,
        media_type: None,
        msgpack_time: true,
        introspect: None,
    },
];

/// A codec, an envelope and a transport that work together.
#[derive(Debug, Clone)]
pub struct Protocol {
    /// The named protocol's name; `None` for a free pair.
    pub name: Option<&'static str>,
    /// The codec.
    pub codec: Arc<dyn Codec>,
    /// The envelope.
    pub envelope: Arc<dyn Envelope>,
    /// The transport.
    pub transport: &'static dyn Transport,
    /// The media type of requests and replies.
    pub media_type: &'static str,
    /// What one server wants beside its protocol.
    pub reach: Reach,
}

/// A protocol that cannot be used as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// No such name.
    #[error("unknown {what} {name:?}; allowed: {allowed}")]
    Unknown {
        /// `protocol`, `codec` or `transport`.
        what: &'static str,
        /// The name asked for.
        name: String,
        /// The names there are.
        allowed: String,
    },
    /// The protocol cannot carry the service.
    #[error("method {method}: {source}")]
    Unsupported {
        /// The method.
        method: String,
        /// What cannot be carried.
        source: Unsupported,
    },
    /// The server cannot be reached as asked.
    #[error("{0}")]
    Reach(ReachError),
    /// The user's `.proto` cannot be used.
    #[error("{0}")]
    Proto(ProtoError),
    /// The protocol cannot carry a value of the calls.
    #[error("method {method}: {source}")]
    Value {
        /// The method.
        method: String,
        /// The value.
        source: EncodeError,
    },
}

/// The names of a list, for messages.
fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// Finds a named protocol.
///
/// # Errors
/// No such name.
pub fn named(name: &str, xmlrpc_i8: bool) -> Result<Protocol, ProtocolError> {
    let row = NAMED.iter().find(|row| row.name == name).ok_or_else(|| ProtocolError::Unknown {
        what: "protocol",
        name: name.into(),
        allowed: names(NAMED.iter().map(|row| row.name)),
    })?;
    let options = codec::Options { xmlrpc_i8, msgpack_time: row.msgpack_time };
    let mut protocol = free_pair_with(row.codec, row.transport, &options)?;
    protocol.name = Some(row.name);
    protocol.envelope = (row.envelope)();
    if let Some(media_type) = row.media_type {
        protocol.media_type = media_type;
    }
    Ok(protocol)
}

/// How a server of a protocol tells what it offers, if it can.
#[must_use]
pub fn introspection(protocol: &Protocol) -> Option<Introspect> {
    NAMED.iter().find(|row| Some(row.name) == protocol.name).and_then(|row| row.introspect)
}

/// Finds the named protocol of a URL's scheme.
///
/// # Errors
/// No such scheme.
pub fn by_scheme(scheme: &str) -> Result<Protocol, ProtocolError> {
    match NAMED.iter().find(|row| row.scheme == scheme || row.unix_scheme == Some(scheme)) {
        Some(row) => named(row.name, false),
        None => Err(ProtocolError::Unknown {
            what: "scheme",
            name: scheme.into(),
            allowed: names(NAMED.iter().flat_map(|row| [Some(row.scheme), row.unix_scheme]).flatten()),
        }),
    }
}

/// Makes a free pair: any codec over any transport, with the minimal envelope.
///
/// # Errors
/// No such codec or transport.
pub fn free_pair(codec: &str, transport: &str, xmlrpc_i8: bool) -> Result<Protocol, ProtocolError> {
    free_pair_with(codec, transport, &codec::Options { xmlrpc_i8, ..codec::Options::default() })
}

fn free_pair_with(codec: &str, transport: &str, options: &codec::Options) -> Result<Protocol, ProtocolError> {
    let codec = codec::by_name(codec, options).ok_or_else(|| ProtocolError::Unknown {
        what: "codec",
        name: codec.into(),
        allowed: names(codec::ALL.iter().map(|entry| entry.name)),
    })?;
    let transport = transport::by_name(transport).ok_or_else(|| ProtocolError::Unknown {
        what: "transport",
        name: transport.into(),
        allowed: names(transport::ALL.iter().map(|transport| transport.name())),
    })?;
    let media_type = codec.media_type();
    let reach = Reach::default();
    Ok(Protocol { name: None, codec, envelope: gap::envelope(), transport, media_type, reach })
}

impl Protocol {
    /// The protocol's name, or `codec/transport` for a free pair.
    #[must_use]
    pub fn label(&self) -> String {
        self.name.map_or_else(|| format!("{}/{}", self.codec.name(), self.transport.name()), str::to_owned)
    }

    /// Whether the protocol can carry the service: names, types and constant answers.
    ///
    /// # Errors
    /// The first thing that it cannot carry, with its place.
    pub fn check(&self, service: &Service) -> Result<(), ProtocolError> {
        self.envelope
            .check(service)
            .map_err(|source| ProtocolError::Unsupported { method: source.place.clone(), source })?;
        for method in &service.methods {
            let failed =
                |source| ProtocolError::Unsupported { method: method.method.name.to_string(), source };
            if method.stream_items.is_some() && !self.transport.carries_streams() {
                let place = method.method.name.to_string();
                let codec = self.transport.name();
                return Err(failed(Unsupported { codec, what: "streams".into(), place }));
            }
            let result = self.codec.prepare_method(method).map_err(failed)?.result;
            if let crate::rpc::Answer::Value(answer) = &method.answer {
                result.encode(std::slice::from_ref(answer), &mut Vec::new()).map_err(|source| {
                    ProtocolError::Value { method: method.method.name.to_string(), source }
                })?;
            }
        }
        Ok(())
    }

    /// Whether the protocol can carry these arguments of a method, and the answer where it echoes one.
    ///
    /// # Errors
    /// The value that it cannot carry.
    pub fn check_arguments(
        &self,
        service: &Service,
        method: usize,
        arguments: &[Value],
    ) -> Result<(), ProtocolError> {
        let Some(method) = service.methods.get(method) else { return Ok(()) };
        let name = || method.method.name.to_string();
        let unsupported = |source| ProtocolError::Unsupported { method: name(), source };
        let refused = |source| ProtocolError::Value { method: name(), source };
        let mut scratch = Vec::new();
        let codecs = self.codec.prepare_method(method).map_err(unsupported)?;
        codecs.params.encode(arguments, &mut scratch).map_err(refused)?;
        if let Some(answer) = method.answer.value(arguments) {
            codecs.result.encode(std::slice::from_ref(&*answer), &mut scratch).map_err(refused)?;
        }
        Ok(())
    }

    /// What envelopes are made for.
    #[must_use]
    pub fn context(&self, service: &Arc<Service>) -> Context {
        Context { service: Arc::clone(service), carries: self.transport.carries() }
    }

    /// The transport's wiring for a service.
    ///
    /// # Errors
    /// See [`Self::handlers`].
    pub fn wiring(
        &self,
        service: &Arc<Service>,
        write_batch: usize,
        server_threads: usize,
    ) -> Result<Arc<Wiring>, ProtocolError> {
        self.wiring_with(service, write_batch, server_threads, Records::default())
    }

    /// [`Self::wiring`]; a server end that lives in the client keeps these records.
    ///
    /// # Errors
    /// See [`Self::handlers`].
    pub fn wiring_with(
        &self,
        service: &Arc<Service>,
        write_batch: usize,
        server_threads: usize,
        records: Records,
    ) -> Result<Arc<Wiring>, ProtocolError> {
        let mut route = self.envelope.route(service, self.media_type);
        self.reach.redirect(&mut route, service);
        // The null transport has no server process: its server end lives in the client.
        let local = self.transport.name() == transport::NULL;
        let local_handlers = if local { Some(self.handlers_with(service, records)?) } else { None };
        Ok(Arc::new(Wiring {
            paths: route.paths,
            media_type: route.media_type,
            id_frame: route.id_frame,
            max_message_bytes: MAX_MESSAGE_BYTES,
            write_batch,
            server_threads,
            local_handlers,
            request_streams: route.request_streams,
            timeout_ns: None,
            gzip: self.reach.compression == Compression::Gzip,
            named_address: None,
        }))
    }

    /// The server's end for a service.
    ///
    /// # Errors
    /// The codec cannot carry a type of the service.
    pub fn handlers(&self, service: &Arc<Service>) -> Result<HandlerFactory, ProtocolError> {
        self.handlers_with(service, Records::default())
    }

    /// [`Self::handlers`] that keep records of their calls.
    ///
    /// # Errors
    /// A type that the codec cannot carry.
    pub fn handlers_with(
        &self,
        service: &Arc<Service>,
        records: Records,
    ) -> Result<HandlerFactory, ProtocolError> {
        let methods = Dispatcher::prepare_with(self.codec.as_ref(), service, records)?;
        let (envelope, context) = (Arc::clone(&self.envelope), self.context(service));
        Ok(Arc::new(move || -> Box<dyn Handler> {
            Box::new(Dispatcher::new(&context.service, &methods, envelope.server(&context)))
        }))
    }
}
