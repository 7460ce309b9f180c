//! What the lanes of a client thread share, and how an answer is settled: compared with the expected
//! one, counted and recorded.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::connections::ConnectionTimes;
use super::load_stages::StageWatch;
use super::patience::Patience;
use super::source::{Released, Source};
use super::stages::StampedCall;
use crate::clock::now_ns;
use crate::protocol::{Answered, CallId, MethodCodecs, Protocol, SampleLog, Session};
use crate::record::{CallBytes, Recorder, Sample, Tally};
use crate::result::OpeningTotals;
use crate::rpc::{CallError, Service, Value};
use crate::scenario::{Expect, Generator};
use crate::transport::{Connection, Opening, Wiring};

/// What the lanes of one thread share for the life of a round.
pub(super) struct Client {
    pub(super) protocol: Protocol,
    pub(super) service: Arc<Service>,
    pub(super) codecs: Rc<[MethodCodecs]>,
    pub(super) wiring: Arc<Wiring>,
    pub(super) target: String,
    pub(super) generator: Arc<Generator>,
    /// Payload bytes of the arguments and the answer, by method and variant.
    pub(super) payload_bytes: Arc<Vec<Vec<(u64, u64)>>>,
    pub(super) timeout_ns: u64,
    pub(super) per_call: bool,
    pub(super) in_flight: usize,
    pub(super) write_batch: usize,
    /// One call in so many leaves stamps; 0 for none.
    pub(super) sample_every: u32,
    /// The number of the thread's next session, which no other session of the process has, and how far it is
    /// to the one after.
    pub(super) next_session: Cell<u64>,
    pub(super) threads: u64,
    /// Of the connections that count: those of the warm-up do where they are kept.
    pub(super) connections: RefCell<ConnectionTimes>,
}

impl Client {
    /// Notes what it took to open a connection, in a phase.
    pub(super) fn opened(&self, opening: Opening, is_warmup: bool) {
        if !(is_warmup && self.per_call) {
            self.connections.borrow_mut().opened(opening);
        }
    }

    /// A session over a fresh connection.
    pub(super) fn session(&self, connection: Box<dyn Connection>) -> Box<Session> {
        let Self { protocol, service, codecs, in_flight, .. } = self;
        let mut session = Session::new(protocol, service, codecs, connection, *in_flight);
        session.set_timeout(self.wiring.timeout_ns);
        if self.sample_every > 0 {
            let number = self.next_session.get();
            self.next_session.set(number + self.threads);
            session.sample(self.sample_every, number);
        }
        Box::new(session)
    }
}

/// What the lanes of one thread share for one phase (warm-up, or the measured interval).
pub(super) struct Phase {
    pub(super) source: RefCell<Source>,
    pub(super) is_warmup: bool,
    pub(super) results: RefCell<PhaseResults>,
    /// The load's stages; `None` where it has none, and in the warm-up.
    pub(super) stages: Option<StageWatch>,
    /// How long the pacer of a loop whose users think has polled until calls were due.
    pub(super) spun_ns: Cell<u64>,
}

/// What a phase found.
pub(super) struct PhaseResults {
    /// `None` in the warm-up.
    pub(super) recorder: Option<Recorder>,
    /// `None` in the warm-up, and where no call is sampled.
    pub(super) stages: Option<SampleLog<StampedCall>>,
    pub(super) tally: Tally,
    pub(super) openings: OpeningTotals,
    pub(super) patience: Patience,
    pub(super) first_start_ns: Option<u64>,
    /// When the server last answered a call; `None` where it answered none.
    pub(super) last_answered_ns: Option<u64>,
    /// When the last call was over, answered or not.
    pub(super) last_done_ns: u64,
    /// Why the phase ended before its time.
    pub(super) gave_up: Option<String>,
    /// Bytes of the connections that are over.
    pub(super) sent_bytes: u64,
    pub(super) received_bytes: u64,
}

impl PhaseResults {
    /// Ends the phase before its time, where the thread has seen enough.
    pub(super) fn give_up(&mut self, seen: impl FnOnce(&mut Patience) -> Option<String>) {
        if let Some(why) = seen(&mut self.patience) {
            self.gave_up.get_or_insert(why);
        }
    }
}

/// A call that has started.
#[derive(Default)]
pub(super) struct Started {
    pub(super) released: Released,
    pub(super) method: usize,
    pub(super) variant: usize,
    pub(super) start_ns: u64,
    /// When it had a connection: its start, where there was one.
    pub(super) connected_ns: u64,
    /// `None` while its connection is on the way.
    pub(super) id: Option<CallId>,
    pub(super) encoded_request: u64,
    /// What has come of a stream.
    pub(super) stream: Stream,
}

/// What has come of a stream so far.
#[derive(Default)]
pub(super) struct Stream {
    items: u64,
    first_item_ns: Option<u64>,
    encoded_bytes: u64,
    /// Payload of the items, where nobody knew it before.
    payload_bytes: u64,
    /// Whether an item was not the expected one. It is counted once.
    is_wrong: bool,
}

/// Checks an answer or an item as its method asks for.
fn is_expected(client: &Client, method: usize, expected: &Value, answer: &Value) -> bool {
    match client.generator.expect(method) {
        Expect::Equal => *answer == *expected,
        Expect::Type => {
            let method = client.service.methods.get(method);
            method.is_some_and(|method| method.method.returns.check(answer).is_ok())
        }
        Expect::Any => true,
    }
}

/// Takes an answer, an item of a stream or a stream's end. Says whether the call is over.
pub(super) fn settle(
    client: &Client,
    phase: &Phase,
    started: &mut [Option<Started>],
    answered: &Answered<'_>,
) -> bool {
    let Some(place) = started.get_mut(answered.id.slot()) else { return false };
    let Some(call) = place.as_mut().filter(|call| call.id == Some(answered.id)) else { return false };
    if answered.is_item {
        take_item(client, phase, call, answered);
        return false;
    }
    let Some(call) = place.take() else { return false };
    let at_ns = now_ns();
    let mut results = phase.results.borrow_mut();
    let results = &mut *results;
    results.last_done_ns = at_ns;
    match &answered.outcome {
        Ok(_) | Err(CallError::Remote(_) | CallError::Protocol { .. }) => {
            results.last_answered_ns = Some(at_ns);
            results.patience.answered();
        }
        Err(CallError::Timeout { .. }) => results.give_up(Patience::unanswered),
        Err(CallError::Connect { .. } | CallError::Reset { .. }) => {}
    }
    let expected = client.generator.expected(call.method, call.variant);
    let items = client.service.methods[call.method].stream_items;
    let bytes = bytes_of(client, &call, answered);
    let is_right = match (&answered.outcome, items) {
        (Err(error), _) => {
            results.tally.failed(call.method, error);
            if let Some(stages) = &phase.stages {
                stages.failed(call.released.due_ns, error.class());
            }
            false
        }
        (Ok(_), _) if call.stream.is_wrong => {
            results.tally.good(call.method, bytes);
            false
        }
        (Ok(_), Some(items))
            if items != call.stream.items && client.generator.expect(call.method) != Expect::Any =>
        {
            let found = call.stream.items;
            results.tally.wrong(call.method, bytes, || (format!("{items} items"), format!("{found} items")));
            false
        }
        (Ok(answer), None) if !is_expected(client, call.method, expected, answer) => {
            results.tally.wrong(call.method, bytes, || expected.told_apart(answer));
            false
        }
        (Ok(_), _) => {
            results.tally.good(call.method, bytes);
            true
        }
    };
    let sample = Sample {
        method: call.method,
        due_ns: call.released.due_ns,
        ready_ns: call.released.ready_ns,
        start_ns: call.start_ns,
        first_item_ns: call.stream.first_item_ns,
        done_ns: at_ns,
    };
    if is_right && let Some(recorder) = &mut results.recorder {
        recorder.record(&sample);
        if let (Some(stages), Some(stamps)) = (&mut results.stages, answered.stamps) {
            stages.add(StampedCall {
                method: call.method as u64,
                start_ns: call.start_ns,
                connected_ns: call.connected_ns,
                stamps: *stamps,
                done_ns: at_ns,
            });
        }
    }
    if let (Some(stages), Ok(_)) = (&phase.stages, &answered.outcome) {
        stages.answered(&sample, is_right);
    }
    if is_right && answered.is_first && !(phase.is_warmup && client.per_call) {
        client.connections.borrow_mut().first_call(at_ns.saturating_sub(call.connected_ns));
    }
    phase.source.borrow_mut().completed(at_ns);
    true
}

/// Compares an item of a stream with the expected one and counts it.
fn take_item(client: &Client, phase: &Phase, call: &mut Started, answered: &Answered<'_>) {
    let stream = &mut call.stream;
    stream.items += 1;
    stream.encoded_bytes += answered.encoded_bytes as u64;
    stream.first_item_ns.get_or_insert_with(now_ns);
    let Ok(item) = &answered.outcome else { return };
    let is_expected_at_all = client.service.methods[call.method].stream_items.is_some();
    let expected = client.generator.expected(call.method, call.variant);
    if client.generator.expect(call.method) != Expect::Equal {
        stream.payload_bytes += item.payload_bytes();
    }
    if (is_expected_at_all && is_expected(client, call.method, expected, item)) || stream.is_wrong {
        return;
    }
    stream.is_wrong = true;
    let tally = &mut phase.results.borrow_mut().tally;
    if is_expected_at_all {
        let number = stream.items;
        tally.wrong_answer(call.method, || {
            let (expected, found) = expected.told_apart(item);
            (expected, format!("{found} as item {number}"))
        });
    } else {
        tally.wrong_answer(call.method, || {
            ("one answer (stream = { items = N } makes it a stream)".into(), "an item of a stream".into())
        });
    }
}

fn bytes_of(client: &Client, call: &Started, answered: &Answered<'_>) -> CallBytes {
    let (payload_request, payload_response) = client.payload_bytes[call.method][call.variant];
    let is_stream = client.service.methods[call.method].stream_items.is_some();
    let stream = &call.stream;
    let payload_response = match &answered.outcome {
        Ok(answer) if client.generator.expect(call.method) != Expect::Equal => {
            if is_stream {
                stream.payload_bytes
            } else {
                answer.payload_bytes()
            }
        }
        _ if is_stream => payload_response * stream.items,
        _ => payload_response,
    };
    CallBytes {
        encoded_request: call.encoded_request,
        encoded_response: if is_stream { stream.encoded_bytes } else { answered.encoded_bytes as u64 },
        payload_request,
        payload_response,
        items: is_stream.then_some(stream.items),
    }
}
