//! What the lanes of a client thread share, and how an answer is settled: compared with the expected
//! one, counted and recorded.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::source::{Released, Source};
use crate::clock::now_ns;
use crate::protocol::{Answered, CallId, MethodCodecs, Protocol};
use crate::record::{CallBytes, Recorder, Sample, Tally};
use crate::result::OpeningTotals;
use crate::rpc::{Service, Value};
use crate::scenario::{Expect, Generator};
use crate::transport::Wiring;

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
}

/// What the lanes of one thread share for one phase (warm-up, or the measured interval).
pub(super) struct Phase {
    pub(super) source: RefCell<Source>,
    pub(super) is_warmup: bool,
    pub(super) results: RefCell<PhaseResults>,
}

/// What a phase found.
pub(super) struct PhaseResults {
    /// `None` in the warm-up.
    pub(super) recorder: Option<Recorder>,
    pub(super) tally: Tally,
    pub(super) openings: OpeningTotals,
    pub(super) connect_failures_in_a_row: u32,
    pub(super) first_start_ns: Option<u64>,
    pub(super) last_done_ns: u64,
    /// Why the phase ended before its time.
    pub(super) gave_up: Option<String>,
    /// Bytes of the connections that are over.
    pub(super) sent_bytes: u64,
    pub(super) received_bytes: u64,
}

/// A call that has started.
pub(super) struct Started {
    pub(super) released: Released,
    pub(super) method: usize,
    pub(super) variant: usize,
    pub(super) start_ns: u64,
    /// `None` while its connection is on the way.
    pub(super) id: Option<CallId>,
    pub(super) encoded_request: u64,
}

/// Checks an answer as its method asks for.
fn is_expected(client: &Client, call: &Started, expected: &Value, answer: &Value) -> bool {
    match client.generator.expect(call.method) {
        Expect::Equal => *answer == *expected,
        Expect::Type => client
            .service
            .methods
            .get(call.method)
            .is_some_and(|method| method.method.returns.check(answer).is_ok()),
        Expect::Any => true,
    }
}

/// Records an answer. Says whether the call is over.
pub(super) fn settle(
    client: &Client,
    phase: &Phase,
    started: &mut [Option<Started>],
    answered: &Answered<'_>,
) -> bool {
    let Some(place) = started.get_mut(answered.id.slot()) else { return false };
    if answered.is_item || place.as_ref().is_none_or(|call| call.id != Some(answered.id)) {
        return false;
    }
    let Some(call) = place.take() else { return false };
    let done_ns = now_ns();
    let mut results = phase.results.borrow_mut();
    let results = &mut *results;
    results.last_done_ns = done_ns;
    let (payload_request, payload_response) = client.payload_bytes[call.method][call.variant];
    let payload_response = match &answered.outcome {
        // Nobody knew the answer before.
        Ok(answer) if client.generator.expect(call.method) != Expect::Equal => answer.payload_bytes(),
        _ => payload_response,
    };
    let bytes = CallBytes {
        encoded_request: call.encoded_request,
        encoded_response: answered.encoded_bytes as u64,
        payload_request,
        payload_response,
    };
    let expected = client.generator.expected(call.method, call.variant);
    match &answered.outcome {
        Err(error) => results.tally.failed(call.method, error),
        Ok(answer) if is_expected(client, &call, expected, answer) => {
            results.tally.good(call.method, bytes);
            if let Some(recorder) = &mut results.recorder {
                recorder.record(&Sample {
                    method: call.method,
                    due_ns: call.released.due_ns,
                    ready_ns: call.released.ready_ns,
                    start_ns: call.start_ns,
                    done_ns,
                });
            }
        }
        Ok(answer) => results.tally.wrong(call.method, bytes, expected, answer),
    }
    phase.source.borrow_mut().completed();
    true
}
