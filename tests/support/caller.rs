//! A client of ours for the interop tests: one session, driven until what was waited for has come.

// Each test file uses a part.
#![allow(dead_code)]

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use wirebench::clock::now_ns;
use wirebench::protocol::{CallId, MethodCodecs, Protocol, Session, call_error};
use wirebench::rpc::{Answer, CallError, Field, Method, Service, ServiceMethod, Type, Value};

/// Nothing that a test waits for takes so long.
const PATIENCE: Duration = Duration::from_secs(90);

/// Something that came back.
#[derive(Debug)]
pub struct Event {
    pub id: CallId,
    pub outcome: Result<Value, CallError>,
    pub is_item: bool,
}

/// A session on a runtime of its own.
pub struct Caller {
    runtime: tokio::runtime::Runtime,
    local: tokio::task::LocalSet,
    session: Session,
    service: Arc<Service>,
}

impl Caller {
    /// Connects.
    pub fn connect(protocol: &Protocol, service: &Arc<Service>, target: &str, in_flight: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let local = tokio::task::LocalSet::new();
        let wiring = protocol.wiring(service, 16, 1).unwrap();
        let codecs = MethodCodecs::prepare(protocol.codec.as_ref(), service).unwrap();
        let connection = local.block_on(&runtime, protocol.transport.connect(target, wiring));
        let connection = connection.map_err(call_error).unwrap();
        let session = Session::new(protocol, service, &codecs, connection, in_flight);
        Self { runtime, local, session, service: Arc::clone(service) }
    }

    /// Submits a call.
    pub fn submit(&mut self, method: &str, arguments: &[Value]) -> Result<CallId, CallError> {
        let method = self.service.position(method).unwrap();
        self.session.submit(method, arguments, now_ns()).map(|submitted| submitted.id)
    }

    /// Drives the session until `done` says so, or its connection is over.
    pub fn until(&mut self, mut done: impl FnMut(Event) -> bool) -> Result<(), CallError> {
        let session = &mut self.session;
        let mut sleep: Option<std::pin::Pin<Box<tokio::time::Sleep>>> = None;
        let driven = poll_fn(|cx| {
            let is_done = std::cell::Cell::new(false);
            let mut take = |answered: wirebench::protocol::Answered<'_>| {
                let (id, is_item) = (answered.id, answered.is_item);
                let event = Event { id, outcome: answered.outcome.cloned(), is_item };
                is_done.set(done(event) || is_done.get());
            };
            loop {
                let next_ns = session.tick(now_ns(), &mut take);
                let polled = session.poll(cx, &mut take);
                if is_done.get() {
                    return Poll::Ready(Ok(()));
                }
                if let Poll::Ready(error) = polled {
                    return Poll::Ready(Err(error));
                }
                let Some(next_ns) = next_ns else { return Poll::Pending };
                let in_ns = Duration::from_nanos(next_ns.saturating_sub(now_ns()));
                let mut timer = Box::pin(tokio::time::sleep(in_ns));
                if timer.as_mut().poll(cx).is_pending() {
                    sleep = Some(timer);
                    return Poll::Pending;
                }
            }
        });
        let outcome =
            self.local.block_on(&self.runtime, async { tokio::time::timeout(PATIENCE, driven).await });
        drop(sleep);
        outcome.expect("what was waited for did not come")
    }

    /// One call and its answer.
    pub fn call(&mut self, method: &str, arguments: &[Value]) -> Result<Value, CallError> {
        let id = self.submit(method, arguments)?;
        let mut answer = None;
        self.until(|event| {
            let is_mine = event.id == id && !event.is_item;
            if is_mine {
                answer = Some(event.outcome);
            }
            is_mine
        })?;
        answer.unwrap()
    }

    /// Whether the connection can carry another call.
    pub fn is_open(&mut self) -> bool {
        let session = &mut self.session;
        let polled = poll_fn(|cx| Poll::Ready(session.poll(cx, &mut |_| ()).is_pending()));
        self.local.block_on(&self.runtime, polled)
    }

    /// Gives up a call.
    pub fn cancel(&mut self, id: CallId) -> bool {
        self.session.cancel(id)
    }
}

/// A method as a client has to know it.
pub fn method(name: &str, params: &[(&str, Type)], returns: Type) -> ServiceMethod {
    let params = params.iter().map(|(name, ty)| Field::new(name, ty.clone())).collect();
    ServiceMethod {
        method: Method { name: name.into(), params, returns },
        answer: Answer::Value(Value::Nil),
        stream_items: None,
        delay: None,
        fail_rate: 0.0,
    }
}

/// The same method as a stream.
pub fn stream(method: ServiceMethod, items: u64) -> ServiceMethod {
    ServiceMethod { stream_items: Some(items), ..method }
}

/// A service as a client has to know it.
pub fn service(methods: Vec<ServiceMethod>) -> Arc<Service> {
    Arc::new(Service { name: "interop".into(), methods, seed: 1 })
}

pub fn list(ty: Type) -> Type {
    Type::List(Box::new(ty))
}

pub fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub fn record(fields: &[(&str, Value)]) -> Value {
    Value::Struct(fields.iter().map(|(name, value)| (Arc::from(*name), value.clone())).collect())
}
