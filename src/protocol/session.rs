//! The client's end of a protocol over one connection: calls in, decoded answers out.

mod receive;

use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};

use self::receive::Receiver;
use super::method_codecs::{MethodCodecs, unencodable};
use super::stages::{ClientStamps, is_sampled};
use super::{ClientEnvelope, Posted, Protocol};
use crate::rpc::{CallError, Service, Value};
use crate::transport::{Connection, Delivery, Opening, Outgoing, Traffic, TransportError};

/// The id of a call on its session. Its low bits are a slot below the session's capacity; the rest a
/// generation, so that a late reply after a time-out cannot answer the slot's next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallId(u64);

const SLOT_BITS: u32 = 16;
/// Above the generation stands the number of the session, where calls are sampled: another process has to
/// tell apart the calls of several.
const SESSION_SHIFT: u32 = 44;

impl CallId {
    /// The slot.
    #[must_use]
    pub fn slot(self) -> usize {
        (self.0 & ((1 << SLOT_BITS) - 1)) as usize
    }
}

/// What submitting a call gave.
#[derive(Debug, Clone, Copy)]
pub struct Submitted {
    /// The call.
    pub id: CallId,
    /// Bytes that the codec wrote.
    pub encoded_bytes: usize,
}

/// Something that came back for a call.
#[derive(Debug)]
pub struct Answered<'a> {
    /// The call.
    pub id: CallId,
    /// Its answer, or why there is none.
    pub outcome: Result<&'a Value, CallError>,
    /// Whether this is one item of a stream, with more to come.
    pub is_item: bool,
    /// Whether the call was never sent or looked at, for the connection takes no more: another may take it.
    pub is_unsent: bool,
    /// Bytes that the codec read.
    pub encoded_bytes: usize,
    /// When the messages of this poll began to be delivered, before any was decoded ([`crate::clock::now_ns`]).
    pub received_ns: u64,
    /// Whether it was the first call of its connection.
    pub is_first: bool,
    /// When it was where, if it is sampled ([`Session::sample`]).
    pub stamps: Option<&'a ClientStamps>,
}

impl Answered<'_> {
    /// A call that has no answer and will get none.
    fn without(id: CallId, error: CallError, received_ns: u64, is_unsent: bool) -> Self {
        Self {
            id,
            outcome: Err(error),
            is_item: false,
            is_unsent,
            encoded_bytes: 0,
            received_ns,
            is_first: false,
            stamps: None,
        }
    }
}

/// A call in flight.
#[derive(Debug, Default)]
struct Open {
    id: u64,
    in_use: bool,
    method: usize,
    start_ns: u64,
    /// The decoded answer that waits for the transport's status.
    held: Option<Held>,
    is_first: bool,
    /// Kept after the call until its slot is taken again.
    stamps: Option<ClientStamps>,
}

#[derive(Debug)]
struct Held {
    outcome: Result<Value, CallError>,
    encoded_bytes: usize,
    received_ns: u64,
}

/// A client's session over one connection.
pub struct Session {
    connection: Box<dyn Connection>,
    envelope: Box<dyn ClientEnvelope>,
    methods: Rc<[MethodCodecs]>,
    calls: Calls,
    status_ends_calls: bool,
    metadata: std::sync::Arc<[(String, String)]>,
    timeout_ns: Option<u64>,
    /// One call in so many leaves stamps; 0 for none.
    sample_every: u32,
    body: Vec<u8>,
    values: Vec<Value>,
    outbox: Vec<Posted>,
    lost: Vec<u64>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("calls", &self.calls).finish_non_exhaustive()
    }
}

/// The table of calls in flight.
#[derive(Debug)]
struct Calls {
    open: Vec<Open>,
    free: Vec<usize>,
    /// How many calls in flight are sampled.
    sampled: usize,
    /// Whether there was a call already.
    begun: bool,
}

impl Calls {
    fn find(&mut self, id: u64) -> Option<&mut Open> {
        self.open.get_mut(CallId(id).slot()).filter(|call| call.in_use && call.id == id)
    }

    fn close(&mut self, id: u64) {
        let slot = CallId(id).slot();
        if let Some(call) = self.find(id) {
            call.in_use = false;
            call.held = None;
            let was_sampled = call.stamps.is_some();
            self.sampled -= usize::from(was_sampled);
            self.free.push(slot);
        }
    }

    /// What is left of a call that has just been closed: whether it was the first, and its stamps.
    fn closed(&self, id: u64) -> (bool, Option<&ClientStamps>) {
        let call = self.open.get(CallId(id).slot()).filter(|call| call.id == id);
        call.map_or((false, None), |call| (call.is_first, call.stamps.as_ref()))
    }

    /// Whether a delivery belongs to a sampled call, or may.
    fn is_sampled(&mut self, delivery: &Delivery<'_>) -> bool {
        self.sampled > 0
            && match delivery {
                Delivery::Message { id: None, .. } => true,
                Delivery::Message { id: Some(id), .. } | Delivery::End { id, .. } => {
                    self.find(*id).is_some_and(|call| call.stamps.is_some())
                }
                Delivery::Failed { .. } | Delivery::Unsent { .. } => false,
            }
    }
}

impl Session {
    /// A session of a protocol over a fresh connection, for at most `in_flight` calls at once.
    #[must_use]
    pub fn new(
        protocol: &Protocol,
        service: &std::sync::Arc<Service>,
        methods: &Rc<[MethodCodecs]>,
        connection: Box<dyn Connection>,
        in_flight: usize,
    ) -> Self {
        let context = protocol.context(service);
        let in_flight = in_flight.clamp(1, 1 << SLOT_BITS);
        let open = (0..in_flight).map(|slot| Open { id: slot as u64, ..Open::default() }).collect();
        Self {
            connection,
            envelope: protocol.envelope.client(&context),
            methods: Rc::clone(methods),
            calls: Calls { open, free: (0..in_flight).rev().collect(), sampled: 0, begun: false },
            status_ends_calls: context.carries.status,
            metadata: std::sync::Arc::clone(&protocol.reach.metadata),
            timeout_ns: None,
            sample_every: 0,
            body: Vec::new(),
            values: Vec::new(),
            outbox: Vec::new(),
            lost: Vec::new(),
        }
    }

    /// Says how long a call may take, where the server was told (`Wiring::timeout_ns`): an error that
    /// comes later is a time-out, whatever the server calls it. Giving calls up is the caller's part.
    pub fn set_timeout(&mut self, timeout_ns: Option<u64>) {
        self.timeout_ns = timeout_ns;
    }

    /// Has one call in `every` leave stamps. `number` tells the session from the process's others. To be
    /// said before the first call.
    pub fn sample(&mut self, every: u32, number: u64) {
        self.sample_every = every;
        for call in &mut self.calls.open {
            call.id |= number << SESSION_SHIFT;
        }
    }

    /// How many more calls fit.
    #[must_use]
    pub fn free_slots(&self) -> usize {
        self.calls.free.len()
    }

    /// Encodes a call and hands it to the connection, which does not write it yet.
    ///
    /// # Errors
    /// A value that cannot be encoded, no free slot, or a connection that is over.
    pub fn submit(
        &mut self,
        method: usize,
        arguments: &[Value],
        now_ns: u64,
    ) -> Result<Submitted, CallError> {
        let codecs = self
            .methods
            .get(method)
            .ok_or_else(|| CallError::Protocol { reason: format!("there is no method number {method}") })?;
        let slot =
            self.calls.free.last().copied().ok_or_else(|| CallError::Protocol {
                reason: "every slot of the connection is taken".into(),
            })?;
        let call = &mut self.calls.open[slot];
        let id = call.id.wrapping_add(1 << SLOT_BITS);
        self.body.clear();
        self.envelope.begin_call(id, method, now_ns, &mut self.body);
        let head_bytes = self.body.len();
        codecs.params.encode(arguments, &mut self.body).map_err(unencodable)?;
        let encoded_bytes = self.body.len() - head_bytes;
        self.envelope.end_call(&mut self.body);
        self.connection
            .submit(Outgoing { id, method, metadata: &self.metadata, body: &mut self.body })
            .map_err(call_error)?;
        let stamps =
            match self.sample_every {
                0 => None,
                every => self.connection.key(id).filter(|key| is_sampled(*key, every)).map(|key| {
                    ClientStamps { key, sent_ns: crate::clock::now_ns(), ..ClientStamps::default() }
                }),
            };
        self.calls.free.pop();
        let is_first = !std::mem::replace(&mut self.calls.begun, true);
        self.calls.sampled += usize::from(stamps.is_some());
        *call = Open { id, in_use: true, method, start_ns: now_ns, held: None, is_first, stamps };
        Ok(Submitted { id: CallId(id), encoded_bytes })
    }

    /// Writes what was submitted, as far as the peer takes it.
    ///
    /// # Errors
    /// The connection is over.
    pub fn poll_flush(&mut self, cx: &mut TaskContext<'_>) -> Result<(), CallError> {
        self.connection.poll_flush(cx).map_err(call_error)
    }

    /// Writes, reads, decodes and hands each answer to `sink`. Pending while the connection lives;
    /// ready with the reason when it is over. Calls then still in flight have failed with it;
    /// the sink is not told.
    pub fn poll(&mut self, cx: &mut TaskContext<'_>, sink: &mut dyn FnMut(Answered<'_>)) -> Poll<CallError> {
        let Self { connection, envelope, methods, calls, status_ends_calls, values, outbox, .. } = self;
        let timeout_ns = self.timeout_ns;
        let mut receiver = Receiver {
            envelope: envelope.as_mut(),
            methods,
            calls,
            values,
            outbox,
            hold: *status_ends_calls,
            timeout_ns,
            received_ns: None,
        };
        let polled = connection.poll(cx, &mut |delivery| receiver.take(delivery, sink));
        if let Poll::Ready(error) = polled {
            return Poll::Ready(call_error(error));
        }
        if !self.outbox.is_empty() {
            if let Err(error) = self.post() {
                return Poll::Ready(error);
            }
            if let Err(error) = self.connection.poll_flush(cx) {
                return Poll::Ready(call_error(error));
            }
        }
        Poll::Pending
    }

    /// Does what time demands of the envelope, and hands calls whose peer is lost to `sink`. The
    /// caller polls afterwards. Returns when it wants to be called again.
    pub fn tick(&mut self, now_ns: u64, sink: &mut dyn FnMut(Answered<'_>)) -> Option<u64> {
        let next_ns = self.envelope.tick(now_ns, &mut self.outbox, &mut self.lost);
        for id in std::mem::take(&mut self.lost) {
            if self.calls.find(id).is_some() {
                self.calls.close(id);
                let error = CallError::Reset { reason: "the peer is lost: no heartbeat".into() };
                sink(Answered::without(CallId(id), error, now_ns, false));
            }
        }
        // A connection that is over says so when it is polled.
        let _ = self.post();
        next_ns
    }

    fn post(&mut self) -> Result<(), CallError> {
        for mut posted in self.outbox.drain(..) {
            let outgoing = Outgoing { id: u64::MAX, method: 0, metadata: &[], body: &mut posted.body };
            self.connection.submit(outgoing).map_err(call_error)?;
        }
        Ok(())
    }

    /// Gives up a call. Says whether the session can still be used.
    pub fn cancel(&mut self, id: CallId) -> bool {
        if self.calls.find(id.0).is_none() {
            return true;
        }
        self.calls.close(id.0);
        self.envelope.forget(id.0);
        self.connection.cancel(id.0)
    }

    /// Bytes that the connection has carried so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.connection.traffic()
    }

    /// How long the connection took to open.
    #[must_use]
    pub fn opening(&self) -> Opening {
        self.connection.opening()
    }
}

/// The transport's trouble in the words of a call.
#[must_use]
pub fn call_error(error: TransportError) -> CallError {
    match error {
        TransportError::Connect { target, reason } | TransportError::Bind { address: target, reason } => {
            CallError::Connect { target, reason }
        }
        TransportError::Closed => CallError::Reset { reason: "the peer closed the connection".into() },
        TransportError::Reset { reason } => CallError::Reset { reason },
        TransportError::Protocol { reason } | TransportError::Refused { reason } => {
            CallError::Protocol { reason }
        }
    }
}
