//! The server's end of a protocol over one connection: takes calls apart, asks the service, answers.

mod late;
mod several;
mod streams;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use self::late::{Holding, Late};
use self::streams::Stream;
use super::{
    Asked, CallKey, CallLog, LoggedCall, Posted, ProtocolError, ServerEnvelope, ServerStamps, StampLog,
};
use crate::clock::now_ns;
use crate::codec::{Codec, Shape, ShapeCodec};
use crate::rpc::{Fault, FaultKind, How, Outcome, Service, ServiceMethod, Value};
use crate::transport::{Handler, Incoming, Replies, ReplyTo, Status};

/// What all connections of a server share.
pub struct Prepared {
    methods: Vec<PreparedMethod>,
    /// Numbers the calls, for service times and deliberate faults.
    ordinal: AtomicU64,
    started_ns: u64,
    /// When the one line of a serial server is free again.
    serial_free_ns: Mutex<u64>,
    records: Records,
}

/// What a server records of its calls.
#[derive(Debug, Clone, Default)]
pub struct Records {
    /// Every call, for a selftest.
    pub calls: Option<Arc<CallLog>>,
    /// Stamps of sampled calls, for the stages.
    pub stages: Option<Arc<StampLog>>,
}

struct PreparedMethod {
    params: Box<dyn ShapeCodec>,
    result: Box<dyn ShapeCodec>,
}

impl Prepared {
    /// Notes a call that has just been answered.
    fn note(&self, arrived_ns: u64, begins_ns: u64) {
        if let Some(log) = &self.records.calls {
            log.add(LoggedCall { arrived_ns, begins_ns, answered_ns: now_ns() });
        }
    }

    /// How a call that arrived at `at_ns` behaves, and when it is over.
    fn decide(&self, service: &Service, method: &ServiceMethod, ordinal: u64, at_ns: u64) -> (Outcome, u64) {
        let from = |begins_ns: u64| {
            let outcome = service.decide(method, ordinal, begins_ns.saturating_sub(self.started_ns));
            let due_ns = begins_ns.saturating_add(outcome.hold_ns);
            (outcome, due_ns)
        };
        if method.delay.is_none_or(|delay| delay.how != How::Serial) {
            return from(at_ns);
        }
        // A number is never half written, whatever panicked.
        let mut free_ns = self.serial_free_ns.lock().unwrap_or_else(PoisonError::into_inner);
        let (outcome, due_ns) = from(at_ns.max(*free_ns));
        *free_ns = due_ns;
        (outcome, due_ns)
    }
}

/// A server's handler of one connection, for any protocol.
pub struct Dispatcher {
    service: Arc<Service>,
    prepared: Arc<Prepared>,
    envelope: Box<dyn ServerEnvelope>,
    arguments: Vec<Value>,
    body: Vec<u8>,
    outbox: Vec<Posted>,
    lost: Vec<CallKey>,
    /// Answers that have to wait, the earliest on top.
    late: BinaryHeap<Reverse<Late>>,
    streams: Vec<Stream>,
    /// What is held of late answers and streams.
    holding: Holding,
    next_tick_ns: Option<u64>,
    /// When the first message since the last [`Handler::work`] was taken: envelopes count in seconds,
    /// and a clock read costs as much as decoding a small message.
    batch_ns: Option<u64>,
    /// Of the call that is being handled, where it is sampled.
    stamps: Option<ServerStamps>,
}

/// A call whose arguments were read.
struct Begun {
    position: usize,
    outcome: Outcome,
    /// When its time began.
    at_ns: u64,
    due_ns: u64,
    /// The answer has to wait until it is due.
    is_late: bool,
    /// The client's deadline, where it passes before the answer is due.
    expires_ns: Option<u64>,
}

/// What becomes of a call without a fault of its own.
enum Decided {
    /// The message is ready.
    Now {
        /// How the transport is to end the call.
        status: Status,
        /// When the call came.
        at_ns: u64,
    },
    /// [`Dispatcher::work`] sends it.
    Later,
}

impl Dispatcher {
    /// Prepares the codecs of a service's methods, once for all connections.
    ///
    /// # Errors
    /// A type that the codec cannot carry.
    pub fn prepare(codec: &dyn Codec, service: &Service) -> Result<Arc<Prepared>, ProtocolError> {
        Self::prepare_with(codec, service, Records::default())
    }

    /// [`Self::prepare`], with records of the calls.
    ///
    /// # Errors
    /// A type that the codec cannot carry.
    pub fn prepare_with(
        codec: &dyn Codec,
        service: &Service,
        records: Records,
    ) -> Result<Arc<Prepared>, ProtocolError> {
        let methods = service
            .methods
            .iter()
            .map(|method| {
                let failed =
                    |source| ProtocolError::Unsupported { method: method.method.name.to_string(), source };
                Ok(PreparedMethod {
                    params: codec.prepare(&Shape::Params(method.method.params.clone())).map_err(failed)?,
                    result: codec.prepare(&Shape::Result(method.method.returns.clone())).map_err(failed)?,
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Arc::new(Prepared {
            methods,
            ordinal: AtomicU64::new(0),
            started_ns: now_ns(),
            serial_free_ns: Mutex::new(0),
            records,
        }))
    }

    /// A handler for one connection.
    #[must_use]
    pub fn new(service: &Arc<Service>, prepared: &Arc<Prepared>, envelope: Box<dyn ServerEnvelope>) -> Self {
        Self {
            service: Arc::clone(service),
            prepared: Arc::clone(prepared),
            envelope,
            arguments: Vec::new(),
            body: Vec::new(),
            outbox: Vec::new(),
            lost: Vec::new(),
            late: BinaryHeap::new(),
            streams: Vec::new(),
            holding: Holding::default(),
            next_tick_ns: None,
            batch_ns: None,
            stamps: None,
        }
    }

    /// Reads a call's arguments and decides how it behaves; computes, where that is its way to take
    /// time. `at_ns` is when its time begins; `None` for now.
    fn begin(
        &mut self,
        name: &str,
        arguments: &[u8],
        at_ns: Option<u64>,
        deadline_ns: Option<u64>,
    ) -> Result<Begun, Fault> {
        let position = self.service.position(name).ok_or_else(|| Fault::unknown_method(name))?;
        let (method, codecs) = (&self.service.methods[position], &self.prepared.methods[position]);
        // Only service times and the log need to know when this very call came.
        let is_timed = method.delay.is_some() || self.prepared.records.calls.is_some();
        let at_ns = at_ns.unwrap_or_else(|| if is_timed { now_ns() } else { 0 });
        self.arguments.clear();
        codecs
            .params
            .decode(arguments, &mut self.arguments)
            .map_err(|error| Fault::new(FaultKind::BadArguments, error.to_string()))?;
        if let Some(stamps) = &mut self.stamps {
            stamps.decoded_ns = now_ns();
        }
        let ordinal = if method.delay.is_some() || method.fail_rate > 0.0 {
            self.prepared.ordinal.fetch_add(1, Ordering::Relaxed)
        } else {
            0
        };
        let (outcome, due_ns) = self.prepared.decide(&self.service, method, ordinal, at_ns);
        let is_busy = outcome.how == How::Busy;
        // How long a call takes is known when it comes, and so is whether its deadline passes first.
        let expires_ns = deadline_ns.filter(|deadline_ns| *deadline_ns < due_ns);
        if is_busy {
            let until_ns = expires_ns.unwrap_or(due_ns);
            while now_ns() < until_ns {
                std::hint::spin_loop();
            }
        }
        let is_late = due_ns > at_ns && !is_busy;
        Ok(Begun { position, outcome, at_ns, due_ns, is_late, expires_ns })
    }

    fn call(
        &mut self,
        call: CallKey,
        name: &str,
        arguments: &[u8],
        deadline_ns: Option<u64>,
        replies: &mut dyn Replies,
    ) {
        match self.decide(call, name, arguments, deadline_ns) {
            Ok(Decided::Now { status, at_ns }) => {
                if let (Some(mut stamps), Some(log)) = (self.stamps.take(), &self.prepared.records.stages) {
                    stamps.answered_ns = stamps.encoded_ns;
                    log.add(stamps);
                }
                self.reply(call, status, replies);
                self.prepared.note(at_ns, at_ns);
            }
            Ok(Decided::Later) => {}
            Err(fault) => self.fail(call, &fault, replies),
        }
    }

    /// Decodes the arguments and encodes the answer, which is then in `self.body`, unless it has to wait.
    fn decide(
        &mut self,
        call: CallKey,
        name: &str,
        arguments: &[u8],
        deadline_ns: Option<u64>,
    ) -> Result<Decided, Fault> {
        let begun = self.begin(name, arguments, None, deadline_ns)?;
        let Begun { position, outcome, at_ns, due_ns, is_late, expires_ns } = begun;
        let (method, codecs) = (&self.service.methods[position], &self.prepared.methods[position]);
        if let Some(expires_ns) = expires_ns {
            if expires_ns <= now_ns() {
                return Err(too_late());
            }
            let mut body = Vec::new();
            let status = self.envelope.fault(call, &too_late(), &mut body);
            let _held = self.holding.hold(body.len())?;
            // The client counts it as failed.
            let stamps = None;
            let (due_ns, arrived_ns, begins_ns) = (expires_ns, at_ns, at_ns);
            let late = Late { due_ns, arrived_ns, begins_ns, call, body, status, stamps, _held };
            self.late.push(Reverse(late));
            return Ok(Decided::Later);
        }
        let answer = method.answer.value(&self.arguments).ok_or_else(no_answer)?;
        if let (Some(left), None) = (method.stream_items, &outcome.fault) {
            let not_before_ns = if is_late { due_ns } else { 0 };
            // An echoed item is as large as the arguments, about; any other is one for all calls.
            let _held = self.holding.hold(arguments.len())?;
            let item = answer.into_owned();
            let (method, stamps) = (position, self.stamps.take());
            let stream = Stream { call, method, item, left, not_before_ns, deadline_ns, stamps, _held };
            self.streams.push(stream);
            return Ok(Decided::Later);
        }
        self.body.clear();
        if let Some(stamps) = &mut self.stamps {
            stamps.encoding_ns = now_ns();
        }
        let status = match &outcome.fault {
            Some(fault) => self.envelope.fault(call, fault, &mut self.body),
            None => {
                self.envelope.begin_reply(call, false, &mut self.body);
                codecs
                    .result
                    .encode(std::slice::from_ref(&*answer), &mut self.body)
                    .map_err(|error| Fault::new(FaultKind::Internal, error.to_string()))?;
                self.envelope.end_reply(call, false, &mut self.body);
                Status::OK
            }
        };
        if let Some(stamps) = &mut self.stamps {
            stamps.encoded_ns = now_ns();
        }
        if is_late {
            let _held = self.holding.hold(self.body.len())?;
            let stamps = self.stamps.take().map(Box::new);
            let body = std::mem::take(&mut self.body);
            let begins_ns = due_ns.saturating_sub(outcome.hold_ns);
            let arrived_ns = at_ns;
            let late = Late { due_ns, arrived_ns, begins_ns, call, body, status, stamps, _held };
            self.late.push(Reverse(late));
            return Ok(Decided::Later);
        }
        Ok(Decided::Now { status, at_ns })
    }

    /// Begins the stamps of a message, where it is a call that is sampled.
    fn first_stamp(&self, incoming: &Incoming<'_>) -> Option<ServerStamps> {
        let log = self.prepared.records.stages.as_ref()?;
        let key = self.envelope.key(incoming).filter(|key| log.wants(*key))?;
        Some(ServerStamps { key, received_ns: now_ns(), ..ServerStamps::default() })
    }

    /// Sends `self.body` (unless empty with a status that is no answer) and ends the call.
    fn reply(&mut self, call: CallKey, status: Status, replies: &mut dyn Replies) {
        let is_answer = status.kind == crate::transport::StatusKind::Ok;
        if is_answer || !self.body.is_empty() {
            replies.message(call.reply_to, &mut self.body);
        }
        replies.end(call.reply_to, status);
        self.envelope.finish(call);
    }

    fn fail(&mut self, call: CallKey, fault: &Fault, replies: &mut dyn Replies) {
        self.body.clear();
        let status = self.envelope.fault(call, fault, &mut self.body);
        self.reply(call, status, replies);
    }

    fn post(&mut self, replies: &mut dyn Replies) {
        for mut posted in self.outbox.drain(..) {
            replies.message(posted.to, &mut posted.body);
        }
    }
}

/// What a client is told whose deadline passes.
fn too_late() -> Fault {
    Fault::new(FaultKind::DeadlineExceeded, "the deadline passed before the call was answered")
}

fn no_answer() -> Fault {
    Fault::new(FaultKind::BadArguments, "the service has no answer to these arguments")
}

impl Handler for Dispatcher {
    fn handle(&mut self, incoming: Incoming<'_>, replies: &mut dyn Replies) {
        let at_ns = *self.batch_ns.get_or_insert_with(now_ns);
        let deadline_ns = incoming.deadline_ns;
        self.stamps = self.first_stamp(&incoming);
        match self.envelope.open(incoming, at_ns, &mut self.outbox) {
            Asked::Call { call, method, arguments } => {
                self.call(call, &method, arguments, deadline_ns, replies);
            }
            Asked::Several { call, parts } => self.several(call, parts, replies),
            Asked::Answered { call, body } => {
                self.body = body;
                self.reply(call, Status::OK, replies);
            }
            Asked::Said { call, mut body } => replies.message(call.reply_to, &mut body),
            Asked::Refused { reply_to, status, mut body } => {
                if !body.is_empty() {
                    replies.message(reply_to, &mut body);
                }
                replies.end(reply_to, status);
            }
            Asked::Nothing => {}
        }
        self.post(replies);
    }

    fn work(&mut self, replies: &mut dyn Replies) -> Option<u64> {
        let batch_ns = self.batch_ns.take().filter(|_| self.late.is_empty() && self.streams.is_empty());
        let at_ns = batch_ns.unwrap_or_else(now_ns);
        while self.late.peek().is_some_and(|Reverse(late)| late.due_ns <= at_ns) {
            let Some(Reverse(late)) = self.late.pop() else { break };
            self.body = late.body;
            if let (Some(mut stamps), Some(log)) = (late.stamps, &self.prepared.records.stages) {
                stamps.answered_ns = now_ns();
                log.add(*stamps);
            }
            self.reply(late.call, late.status, replies);
            self.prepared.note(late.arrived_ns, late.begins_ns);
        }
        let streams_ns = if self.streams.is_empty() { None } else { self.stream(at_ns, replies) };
        if self.next_tick_ns.is_none_or(|next_ns| next_ns <= at_ns) {
            self.next_tick_ns = self.envelope.tick(at_ns, &mut self.outbox, &mut self.lost);
            for call in std::mem::take(&mut self.lost) {
                self.cancelled(call.reply_to);
                self.envelope.finish(call);
            }
            self.post(replies);
        }
        let late_ns = self.late.peek().map(|Reverse(late)| late.due_ns);
        [streams_ns, late_ns, self.next_tick_ns].into_iter().flatten().min()
    }

    fn cancelled(&mut self, reply_to: ReplyTo) {
        let Self { late, streams, envelope, .. } = self;
        late.retain(|Reverse(late)| {
            let keep = late.call.reply_to != reply_to;
            if !keep {
                envelope.finish(late.call);
            }
            keep
        });
        streams.retain(|stream| {
            let keep = stream.call.reply_to != reply_to;
            if !keep {
                envelope.finish(stream.call);
            }
            keep
        });
    }
}

#[cfg(test)]
mod tests;
