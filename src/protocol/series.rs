//! Calls one after another over connections of one mode: for what is counted and not timed.

use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::once::call_on;
use super::{MethodCodecs, Protocol, ProtocolError, Session, call_error};
use crate::rpc::{CallError, Service, Value};
use crate::transport::{Traffic, Wiring};

/// A client that makes one call at a time.
pub struct Series {
    protocol: Protocol,
    service: Arc<Service>,
    codecs: Rc<[MethodCodecs]>,
    wiring: Arc<Wiring>,
    target: String,
    /// Every call opens a connection and closes it.
    per_call: bool,
    timeout: Duration,
    session: Option<Session>,
    /// Of the connections that are over.
    traffic: Traffic,
}

impl std::fmt::Debug for Series {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Series").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Series {
    /// A client of the server at `target`, which opens its connection with the first call.
    ///
    /// # Errors
    /// A type that the codec cannot carry.
    pub fn new(
        protocol: &Protocol,
        service: &Arc<Service>,
        wiring: &Arc<Wiring>,
        target: &str,
        per_call: bool,
        timeout: Duration,
    ) -> Result<Self, ProtocolError> {
        Ok(Self {
            protocol: protocol.clone(),
            service: Arc::clone(service),
            codecs: MethodCodecs::prepare(protocol.codec.as_ref(), service)?,
            wiring: Arc::clone(wiring),
            target: target.to_owned(),
            per_call,
            timeout,
            session: None,
            traffic: Traffic::default(),
        })
    }

    /// Makes a call and waits for its end. Gives the bytes that the codec read of the answer, or of all
    /// items of a stream; `None` for a fault, whose bytes are no codec's.
    ///
    /// # Errors
    /// The call has no answer: no connection, no time, or a broken rule.
    pub async fn call(&mut self, method: usize, arguments: &[Value]) -> Result<Option<u64>, CallError> {
        let timeout = self.timeout;
        match tokio::time::timeout(timeout, self.connect_and_call(method, arguments)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                self.close();
                let after_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
                Err(CallError::Timeout { after_ms })
            }
        }
    }

    async fn connect_and_call(
        &mut self,
        method: usize,
        arguments: &[Value],
    ) -> Result<Option<u64>, CallError> {
        let mut session = match self.take_session().await {
            Some(session) => session,
            None => {
                let Self { protocol, service, codecs, wiring, target, .. } = self;
                let connecting = protocol.transport.connect(target, Arc::clone(wiring));
                Session::new(protocol, service, codecs, connecting.await.map_err(call_error)?, 1)
            }
        };
        let outcome = call_on(&mut session, &self.service, method, arguments, &mut |_| {}).await;
        self.session = Some(session);
        let (outcome, is_over) = match outcome {
            Ok(answer) => (Ok(Some(answer.response_bytes)), answer.is_over),
            Err(CallError::Remote(_)) => (Ok(None), false),
            Err(error) => (Err(error), true),
        };
        if self.per_call || is_over {
            self.close();
        }
        outcome
    }

    /// The session, unless its connection was closed after the last answer.
    async fn take_session(&mut self) -> Option<Session> {
        let mut session = self.session.take()?;
        let is_over = std::future::poll_fn(|cx| Poll::Ready(session.poll(cx, &mut |_| {}).is_ready())).await;
        if is_over {
            self.add_traffic(&session);
            return None;
        }
        Some(session)
    }

    /// How many bytes the codec writes for these arguments.
    ///
    /// # Errors
    /// A value that it cannot carry.
    pub fn request_bytes(&self, method: usize, arguments: &[Value]) -> Result<u64, CallError> {
        let unknown = || CallError::Protocol { reason: format!("there is no method number {method}") };
        self.codecs.get(method).ok_or_else(unknown)?.request_bytes(arguments)
    }

    /// Closes the connection, where there is one.
    pub fn close(&mut self) {
        if let Some(session) = self.session.take() {
            self.add_traffic(&session);
        }
    }

    fn add_traffic(&mut self, session: &Session) {
        let traffic = session.traffic();
        self.traffic.sent_bytes += traffic.sent_bytes;
        self.traffic.received_bytes += traffic.received_bytes;
    }

    /// Bytes of every connection so far, as handed to the socket.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let open = self.session.as_ref().map(Session::traffic).unwrap_or_default();
        Traffic {
            sent_bytes: self.traffic.sent_bytes + open.sent_bytes,
            received_bytes: self.traffic.received_bytes + open.received_bytes,
        }
    }
}
