//! One call over a connection of its own: readiness, and whoever needs an answer and no numbers.

use std::sync::Arc;
use std::time::Duration;

use super::{MethodCodecs, Protocol, Session, call_error};
use crate::clock::now_ns;
use crate::rpc::{CallError, Service, Value};

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
    let failed = |reason: String| CallError::Connect { target: target.to_owned(), reason };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| failed(format!("no runtime: {error}")))?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let call = call(protocol, service, target, method, arguments, on_item);
        let after_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        tokio::time::timeout(timeout, call).await.unwrap_or(Err(CallError::Timeout { after_ms }))
    })
}

async fn call(
    protocol: &Protocol,
    service: &Arc<Service>,
    target: &str,
    method: usize,
    arguments: &[Value],
    on_item: &mut dyn FnMut(&Value),
) -> Result<Value, CallError> {
    let refused = |error: super::ProtocolError| CallError::Protocol { reason: error.to_string() };
    let wiring = protocol.wiring(service, 1, 1).map_err(refused)?;
    let codecs = MethodCodecs::prepare(protocol.codec.as_ref(), service).map_err(refused)?;
    let connection = protocol.transport.connect(target, wiring).await.map_err(call_error)?;
    let mut session = Session::new(protocol, service, &codecs, connection, 1);
    session.submit(method, arguments, now_ns())?;
    std::future::poll_fn(|cx| {
        let mut outcome = None;
        let polled = session.poll(cx, &mut |answered| match &answered.outcome {
            Ok(item) if answered.is_item => on_item(item),
            _ => outcome = Some(answered.outcome.cloned()),
        });
        match (outcome, polled) {
            (Some(outcome), _) => std::task::Poll::Ready(outcome),
            (None, std::task::Poll::Ready(error)) => std::task::Poll::Ready(Err(error)),
            (None, std::task::Poll::Pending) => std::task::Poll::Pending,
        }
    })
    .await
}
