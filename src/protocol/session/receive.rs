//! What a session does with what its connection delivers: opens the envelope, decodes, and hands on.

use super::{Answered, CallId, Calls, Held, call_error};
use crate::clock::now_ns;
use crate::protocol::{ClientEnvelope, MethodCodecs, Opened, Posted};
use crate::rpc::{CallError, Value};
use crate::transport::{Delivery, TransportError};

/// Takes deliveries of one poll: everything of a session but its connection.
pub(super) struct Receiver<'s> {
    pub(super) envelope: &'s mut dyn ClientEnvelope,
    pub(super) methods: &'s [MethodCodecs],
    pub(super) calls: &'s mut Calls,
    pub(super) values: &'s mut Vec<Value>,
    pub(super) outbox: &'s mut Vec<Posted>,
    /// Answers wait for the transport's status.
    pub(super) hold: bool,
    pub(super) timeout_ns: Option<u64>,
    /// When the first message of this poll was delivered: a clock read for each would cost as much as
    /// decoding a small answer.
    pub(super) received_ns: Option<u64>,
}

impl Receiver<'_> {
    pub(super) fn take(&mut self, delivery: Delivery<'_>, sink: &mut dyn FnMut(Answered<'_>)) {
        let received_ns = *self.received_ns.get_or_insert_with(now_ns);
        let exact_ns = if self.calls.is_sampled(&delivery) { now_ns() } else { received_ns };
        match delivery {
            Delivery::Message { id, body } => match self.envelope.open(id, body, received_ns, self.outbox) {
                Ok(opened) => self.opened(opened, received_ns, exact_ns, sink),
                Err(reason) => {
                    if let Some(id) = id {
                        self.finish(id, Err(CallError::Protocol { reason }), 0, received_ns, sink);
                    }
                    // A damaged message of no known call leaves that call to its time-out.
                }
            },
            Delivery::End { id, status } => self.ended(id, &status, received_ns, exact_ns, sink),
            Delivery::Unsent { id, error } => self.unsent(id, error, received_ns, sink),
            Delivery::Failed { id, error } => self.finish(id, Err(call_error(error)), 0, received_ns, sink),
        }
    }

    fn unsent(
        &mut self,
        id: u64,
        error: TransportError,
        received_ns: u64,
        sink: &mut dyn FnMut(Answered<'_>),
    ) {
        if self.calls.find(id).is_some() {
            self.calls.close(id);
            self.envelope.forget(id);
            sink(Answered::without(CallId(id), call_error(error), received_ns, true));
        }
    }

    fn opened(
        &mut self,
        opened: Opened<'_>,
        received_ns: u64,
        exact_ns: u64,
        sink: &mut dyn FnMut(Answered<'_>),
    ) {
        let (id, body, is_item) = match opened {
            Opened::Answer { id, body } => (id, body, false),
            Opened::Item { id, body } => (id, body, true),
            Opened::End { id } => return self.finish(id, Ok(&Value::Nil), 0, received_ns, sink),
            Opened::Fault { id, fault } => {
                return self.finish(id, Err(CallError::Remote(fault)), 0, received_ns, sink);
            }
            Opened::Nothing => return,
        };
        let hold = self.hold;
        let Some(call) = self.calls.find(id) else { return };
        let codecs = &self.methods[call.method];
        // Where the status ends a call, its envelope cannot tell an item from an answer.
        let is_item = is_item || (hold && codecs.streams);
        self.values.clear();
        let decoded = codecs.result.decode(body, self.values);
        let outcome = match decoded {
            Ok(()) if self.values.len() == 1 => Ok(()),
            Ok(()) => Err(CallError::Protocol { reason: "the answer is not one value".into() }),
            Err(error) => Err(CallError::Protocol { reason: format!("cannot decode the answer: {error}") }),
        };
        let encoded_bytes = body.len();
        // Of a stream the first item counts.
        if let Some(stamps) = call.stamps.as_mut().filter(|stamps| stamps.received_ns == 0) {
            stamps.received_ns = exact_ns;
            stamps.decoded_ns = now_ns();
        }
        if is_item && outcome.is_ok() {
            let outcome = Ok(&self.values[0]);
            return sink(Answered {
                id: CallId(id),
                outcome,
                is_item,
                is_unsent: false,
                encoded_bytes,
                received_ns,
                is_first: false,
                stamps: None,
            });
        }
        if hold {
            let outcome = match outcome {
                _ if call.held.is_some() => {
                    Err(CallError::Protocol { reason: "two answers to one call".into() })
                }
                Ok(()) => self.values.pop().ok_or(CallError::Protocol { reason: "no value".into() }),
                Err(error) => Err(error),
            };
            call.held = Some(Held { outcome, encoded_bytes, received_ns });
            return;
        }
        self.calls.close(id);
        self.envelope.forget(id);
        let outcome = outcome.map(|()| &self.values[0]);
        let (is_first, stamps) = self.calls.closed(id);
        let (id, is_item, is_unsent) = (CallId(id), false, false);
        sink(Answered { id, outcome, is_item, is_unsent, encoded_bytes, received_ns, is_first, stamps });
    }

    fn ended(
        &mut self,
        id: u64,
        status: &crate::transport::Status,
        received_ns: u64,
        exact_ns: u64,
        sink: &mut dyn FnMut(Answered<'_>),
    ) {
        let Some(call) = self.calls.find(id) else { return };
        let streams = self.methods[call.method].streams;
        if let Some(stamps) = &mut call.stamps {
            stamps.ended_ns = exact_ns;
        }
        let held = call.held.take();
        if status.kind != crate::transport::StatusKind::Ok {
            let elapsed_ns = received_ns.saturating_sub(call.start_ns);
            if let Some(limit_ns) = self.timeout_ns.filter(|limit_ns| *limit_ns <= elapsed_ns) {
                let error = CallError::Timeout { after_ms: limit_ns / 1_000_000 };
                return self.finish(id, Err(error), 0, received_ns, sink);
            }
            let fault = self.envelope.fault_of(status);
            return self.finish(id, Err(CallError::Remote(fault)), 0, received_ns, sink);
        }
        match held {
            Some(held) => {
                let outcome = held.outcome.as_ref().map_err(CallError::clone);
                self.finish(id, outcome, held.encoded_bytes, held.received_ns, sink);
            }
            None if streams => self.finish(id, Ok(&Value::Nil), 0, received_ns, sink),
            None => {
                let reason = "the call ended well but without an answer".into();
                self.finish(id, Err(CallError::Protocol { reason }), 0, received_ns, sink);
            }
        }
    }

    fn finish(
        &mut self,
        id: u64,
        outcome: Result<&Value, CallError>,
        encoded_bytes: usize,
        received_ns: u64,
        sink: &mut dyn FnMut(Answered<'_>),
    ) {
        if self.calls.find(id).is_none() {
            return;
        }
        self.calls.close(id);
        self.envelope.forget(id);
        let (is_first, stamps) = self.calls.closed(id);
        let (id, is_item, is_unsent) = (CallId(id), false, false);
        sink(Answered { id, outcome, is_item, is_unsent, encoded_bytes, received_ns, is_first, stamps });
    }
}
