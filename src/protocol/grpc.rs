//! gRPC: another envelope, and what a gRPC server is expected to say beside its methods, so that common
//! tools find them: reflection (`grpc.reflection.v1` and `v1alpha`) and health (`grpc.health.v1`).
//!
//! HTTP/2 carries id, method and status, so the other envelope writes nothing around the codec's
//! bytes; this one looks at the path first. Requests of reflection are a stream, each answered when it
//! comes; a health watch is answered once and stays open.
//!
//! May import the traits of this module, `rpc`, the protobuf codec's descriptors and `transport`'s
//! vocabulary. Has no socket and no clock. The descriptors come from the same plan as `wirebench proto`.
//!
//! Sources: "GRPC Server Reflection Protocol" and "GRPC Health Checking Protocol" of the gRPC project,
//! and their .proto files in <https://github.com/grpc/grpc-proto>.

mod files;
mod health;
mod reflection;
mod wire;

use std::sync::Arc;

use self::reflection::Reflection;
use super::{Asked, CallKey, ClientEnvelope, Context, Envelope, Opened, Posted, Route, ServerEnvelope};
use crate::codec::Unsupported;
use crate::rpc::{Fault, Service};
use crate::transport::{Incoming, Status};

/// Every path of gRPC's own services begins so.
const OWN_PATHS: &str = "/grpc.";

/// The names of the status numbers ("Status codes and their use in gRPC").
const STATUS_NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The name of a gRPC status number; `None` for one that gRPC does not define.
#[must_use]
pub fn grpc_status_name(code: i64) -> Option<&'static str> {
    usize::try_from(code).ok().and_then(|code| STATUS_NAMES.get(code)).copied()
}

/// Makes the envelope around another.
pub(super) fn envelope(inner: Arc<dyn Envelope>) -> Arc<dyn Envelope> {
    Arc::new(Grpc { inner })
}

/// The full name of the gRPC service of a service.
fn full_name(service: &Service) -> String {
    format!("wirebench.{}", service.name)
}

#[derive(Debug)]
struct Grpc {
    inner: Arc<dyn Envelope>,
}

impl Envelope for Grpc {
    fn route(&self, service: &Service, media_type: &str) -> Route {
        let request_streams = reflection::PATHS.map(str::to_owned).into();
        Route { request_streams, ..self.inner.route(service, media_type) }
    }

    fn check(&self, service: &Service) -> Result<(), Unsupported> {
        self.inner.check(service)
    }

    fn client(&self, context: &Context) -> Box<dyn ClientEnvelope> {
        Box::new(Client { inner: self.inner.client(context) })
    }

    fn server(&self, context: &Context) -> Box<dyn ServerEnvelope> {
        let service = Arc::clone(&context.service);
        Box::new(Server { inner: self.inner.server(context), service, reflection: None })
    }
}

struct Client {
    inner: Box<dyn ClientEnvelope>,
}

impl ClientEnvelope for Client {
    fn begin_call(&mut self, id: u64, method: usize, now_ns: u64, out: &mut Vec<u8>) {
        self.inner.begin_call(id, method, now_ns, out);
    }

    fn end_call(&mut self, out: &mut Vec<u8>) {
        self.inner.end_call(out);
    }

    fn open<'a>(
        &mut self,
        id: Option<u64>,
        body: &'a [u8],
        now_ns: u64,
        outbox: &mut Vec<Posted>,
    ) -> Result<Opened<'a>, String> {
        self.inner.open(id, body, now_ns, outbox)
    }

    fn fault_of(&self, status: &Status) -> Fault {
        let fault = self.inner.fault_of(status);
        match status.code.and_then(|code| grpc_status_name(code.into())) {
            Some(name) => Fault { name: name.to_owned(), ..fault },
            None => fault,
        }
    }

    fn tick(&mut self, now_ns: u64, outbox: &mut Vec<Posted>, lost: &mut Vec<u64>) -> Option<u64> {
        self.inner.tick(now_ns, outbox, lost)
    }

    fn forget(&mut self, id: u64) {
        self.inner.forget(id);
    }
}

struct Server {
    inner: Box<dyn ServerEnvelope>,
    service: Arc<Service>,
    /// Made when a client asks.
    reflection: Option<Reflection>,
}

impl ServerEnvelope for Server {
    fn open<'a>(&mut self, incoming: Incoming<'a>, now_ns: u64, outbox: &mut Vec<Posted>) -> Asked<'a> {
        let path = match incoming.path {
            Some(path) if path.starts_with(OWN_PATHS) => path,
            _ => return self.inner.open(incoming, now_ns, outbox),
        };
        let reply_to = incoming.reply_to;
        let call = CallKey { reply_to, slot: 0 };
        let refused = |status| Asked::Refused { reply_to, status, body: Vec::new() };
        if path == health::CHECK {
            return match health::check(&self.service, incoming.body) {
                Ok(body) => Asked::Answered { call, body },
                Err(status) => refused(status),
            };
        }
        if path == health::WATCH {
            return health::watch(&self.service, incoming.body)
                .map_or_else(refused, |body| Asked::Said { call, body });
        }
        if reflection::PATHS.contains(&path) {
            let reflection = self.reflection.get_or_insert_with(|| Reflection::of(&self.service));
            return reflection.answer(incoming.body).map_or_else(refused, |body| Asked::Said { call, body });
        }
        self.inner.open(incoming, now_ns, outbox)
    }

    fn begin_reply(&mut self, call: CallKey, item: bool, out: &mut Vec<u8>) {
        self.inner.begin_reply(call, item, out);
    }

    fn end_reply(&mut self, call: CallKey, item: bool, out: &mut Vec<u8>) {
        self.inner.end_reply(call, item, out);
    }

    fn fault(&mut self, call: CallKey, fault: &Fault, out: &mut Vec<u8>) -> Status {
        self.inner.fault(call, fault, out)
    }

    fn end_stream(&mut self, call: CallKey, out: &mut Vec<u8>) {
        self.inner.end_stream(call, out);
    }

    fn may_send(&self, call: CallKey) -> bool {
        self.inner.may_send(call)
    }

    fn finish(&mut self, call: CallKey) {
        self.inner.finish(call);
    }

    fn tick(&mut self, now_ns: u64, outbox: &mut Vec<Posted>, lost: &mut Vec<CallKey>) -> Option<u64> {
        self.inner.tick(now_ns, outbox, lost)
    }
}

#[cfg(test)]
mod tests;
