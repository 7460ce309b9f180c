//! One call over a connection of its own: readiness, `wirebench call`, introspection.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::{MethodCodecs, Protocol, Session, call_error};
use crate::clock::now_ns;
use crate::rpc::{CallError, Service, Type, Value};
use crate::transport::{Opening, Traffic};

/// How often the envelope is asked whether a heartbeat is due.
const TICK: Duration = Duration::from_millis(250);

/// One call.
#[derive(Debug, Clone, Copy)]
pub struct OneCall<'a> {
    /// What to speak.
    pub protocol: &'a Protocol,
    /// The service on the other side.
    pub service: &'a Arc<Service>,
    /// Where it is.
    pub target: &'a str,
    /// The method's position.
    pub method: usize,
    /// Its arguments.
    pub arguments: &'a [Value],
    /// How long connecting and the call may take.
    pub timeout: Duration,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct OneAnswer {
    /// The answer; `None` where the method streamed.
    pub value: Option<Value>,
    /// How many items it streamed.
    pub items: u64,
    /// What it took to open the connection.
    pub opening: Opening,
    /// From the call's start, connected, to its decoded answer, in nanoseconds.
    pub service_ns: u64,
    /// Bytes that the codec wrote of the arguments.
    pub request_bytes: u64,
    /// Bytes that the codec read of the answer, or of all items.
    pub response_bytes: u64,
    /// Bytes of the connection, opening included.
    pub traffic: Traffic,
}

/// How often a call looks whether it is to stop.
const GLANCE: Duration = Duration::from_millis(50);

/// Connects to `target`, calls a method and returns its answer. Blocks this thread, which must not
/// be inside a runtime.
///
/// # Errors
/// Any [`CallError`]; the time-out covers connecting and the call.
pub fn call_once(
    protocol: &Protocol,
    service: &Arc<Service>,
    target: &str,
    method: usize,
    arguments: &[Value],
    timeout: Duration,
) -> Result<Value, CallError> {
    stream_once(protocol, service, target, method, arguments, timeout, &mut |_| {})
}

/// As [`call_once`], and hands the items of a stream to `on_item`. A stream's own answer is nil.
///
/// # Errors
/// Any [`CallError`]; the time-out covers connecting and the call to its end.
pub fn stream_once(
    protocol: &Protocol,
    service: &Arc<Service>,
    target: &str,
    method: usize,
    arguments: &[Value],
    timeout: Duration,
    on_item: &mut dyn FnMut(&Value),
) -> Result<Value, CallError> {
    let call = OneCall { protocol, service, target, method, arguments, timeout };
    Ok(call.make(on_item)?.value.unwrap_or(Value::Nil))
}

impl OneCall<'_> {
    /// Connects, calls, and hands every item of a stream to `on_item`. Blocks this thread, which must
    /// not be inside a runtime.
    ///
    /// # Errors
    /// Any [`CallError`]; the time-out covers connecting and the call.
    pub fn make(&self, on_item: &mut dyn FnMut(&Value)) -> Result<OneAnswer, CallError> {
        self.make_unless(&|| false, on_item)
    }

    /// [`Self::make`], ended early once `stop` says so: it is asked several times a second.
    ///
    /// # Errors
    /// As there; a call that was stopped has timed out.
    pub fn make_unless(
        &self,
        stop: &dyn Fn() -> bool,
        on_item: &mut dyn FnMut(&Value),
    ) -> Result<OneAnswer, CallError> {
        let begun = std::time::Instant::now();
        let failed = |reason: String| CallError::Connect { target: self.target.to_owned(), reason };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| failed(format!("no runtime: {error}")))?;
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async {
            let limit = async {
                while begun.elapsed() < self.timeout && !stop() {
                    tokio::time::sleep(GLANCE.min(self.timeout.saturating_sub(begun.elapsed()))).await;
                }
            };
            tokio::select! {
                // The limit first: a peer that sends without end uses up the task's budget, and a timer that
                // is polled after that is not looked at.
                biased;
                () = limit => {
                    let after_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
                    Err(CallError::Timeout { after_ms })
                }
                outcome = self.connect_and_call(on_item) => outcome,
            }
        })
    }

    async fn connect_and_call(&self, on_item: &mut dyn FnMut(&Value)) -> Result<OneAnswer, CallError> {
        let Self { protocol, service, .. } = self;
        let refused = |error: super::ProtocolError| CallError::Protocol { reason: error.to_string() };
        let timeout_ns = u64::try_from(self.timeout.as_nanos()).unwrap_or(u64::MAX);
        let wiring = protocol.wiring(service, 1, 1).map_err(refused)?.with_timeout(timeout_ns);
        let codecs = MethodCodecs::prepare(protocol.codec.as_ref(), service).map_err(refused)?;
        let connection = protocol.transport.connect(self.target, wiring).await.map_err(call_error)?;
        let mut session = Session::new(protocol, service, &codecs, connection, 1);
        session.set_timeout(Some(timeout_ns));
        let start_ns = now_ns();
        let Answer { value, items, request_bytes, response_bytes, .. } =
            call_on(&mut session, service, self.method, self.arguments, on_item).await?;
        Ok(OneAnswer {
            value,
            items,
            opening: session.opening(),
            service_ns: now_ns().saturating_sub(start_ns),
            request_bytes,
            response_bytes,
            traffic: session.traffic(),
        })
    }
}

/// What came of a call on a session.
#[derive(Debug)]
pub(super) struct Answer {
    /// The answer; `None` where the method streamed.
    pub(super) value: Option<Value>,
    /// How many items it streamed.
    pub(super) items: u64,
    /// Bytes that the codec wrote.
    pub(super) request_bytes: u64,
    /// Bytes that the codec read.
    pub(super) response_bytes: u64,
    /// Whether the connection was over with the answer.
    pub(super) is_over: bool,
}

/// Makes a call on a session that has none in flight, and waits for its answer.
pub(super) async fn call_on(
    session: &mut Session,
    service: &Service,
    method: usize,
    arguments: &[Value],
    on_item: &mut dyn FnMut(&Value),
) -> Result<Answer, CallError> {
    let called = service.methods.get(method);
    let streams = called.is_some_and(|method| method.stream_items.is_some());
    let is_open = called.is_some_and(|method| method.method.returns == Type::Any);
    let submitted = session.submit(method, arguments, now_ns())?;
    let (mut items, mut response_bytes) = (0, 0);
    let mut ticks = tokio::time::interval(TICK);
    let (value, is_over) = std::future::poll_fn(|cx| {
        let mut outcome = None;
        let mut take = |answered: super::Answered<'_>| {
            response_bytes += answered.encoded_bytes as u64;
            match answered.outcome {
                Ok(item) if answered.is_item => {
                    items += 1;
                    on_item(item);
                }
                // A stream's end reads no bytes; an answer of a self-describing codec always does.
                Ok(_) if streams || items > 0 || (is_open && answered.encoded_bytes == 0) => {
                    outcome = Some(Ok(None));
                }
                Ok(answer) => outcome = Some(Ok(Some(answer.clone()))),
                Err(error) => outcome = Some(Err(error)),
            }
        };
        while ticks.poll_tick(cx).is_ready() {
            session.tick(now_ns(), &mut take);
        }
        let polled = session.poll(cx, &mut take);
        match (outcome, polled) {
            (Some(outcome), polled) => Poll::Ready(outcome.map(|value| (value, polled.is_ready()))),
            (None, Poll::Ready(error)) => Poll::Ready(Err(error)),
            (None, Poll::Pending) => Poll::Pending,
        }
    })
    .await?;
    let request_bytes = submitted.encoded_bytes as u64;
    Ok(Answer { value, items, request_bytes, response_bytes, is_over })
}
