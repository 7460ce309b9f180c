//! One call over a connection of its own: readiness, and whoever needs an answer and no numbers.

use std::sync::Arc;
use std::time::Duration;

use super::{MethodCodecs, Protocol, Session, call_error};
use crate::clock::now_ns;
use crate::rpc::{CallError, Service, Value};

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
    call_once_unless(protocol, service, target, method, arguments, timeout, &|| false)
}

/// [`call_once`], ended early once `stop` says so: it is asked several times a second.
///
/// # Errors
/// As there; a call that was stopped has timed out.
pub fn call_once_unless(
    protocol: &Protocol,
    service: &Arc<Service>,
    target: &str,
    method: usize,
    arguments: &[Value],
    timeout: Duration,
    stop: &dyn Fn() -> bool,
) -> Result<Value, CallError> {
    let begun = std::time::Instant::now();
    let failed = |reason: String| CallError::Connect { target: target.to_owned(), reason };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| failed(format!("no runtime: {error}")))?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let call = call(protocol, service, target, method, arguments);
        let limit = async {
            while begun.elapsed() < timeout && !stop() {
                tokio::time::sleep(GLANCE.min(timeout.saturating_sub(begun.elapsed()))).await;
            }
        };
        tokio::select! {
            biased;
            outcome = call => outcome,
            () = limit => {
                let after_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
                Err(CallError::Timeout { after_ms })
            }
        }
    })
}

async fn call(
    protocol: &Protocol,
    service: &Arc<Service>,
    target: &str,
    method: usize,
    arguments: &[Value],
) -> Result<Value, CallError> {
    let refused = |error: super::ProtocolError| CallError::Protocol { reason: error.to_string() };
    let wiring = protocol.wiring(service, 1, 1).map_err(refused)?;
    let codecs = MethodCodecs::prepare(protocol.codec.as_ref(), service).map_err(refused)?;
    let connection = protocol.transport.connect(target, wiring).await.map_err(call_error)?;
    let mut session = Session::new(protocol, service, &codecs, connection, 1);
    session.submit(method, arguments, now_ns())?;
    std::future::poll_fn(|cx| {
        let mut outcome = None;
        let polled = session.poll(cx, &mut |answered| {
            if !answered.is_item {
                outcome = Some(answered.outcome.cloned());
            }
        });
        match (outcome, polled) {
            (Some(outcome), _) => std::task::Poll::Ready(outcome),
            (None, std::task::Poll::Ready(error)) => std::task::Poll::Ready(Err(error)),
            (None, std::task::Poll::Pending) => std::task::Poll::Pending,
        }
    })
    .await
}
