//! The connection of a lane: on its way, there, or not.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use super::phase::Client;
use crate::protocol::Session;
use crate::transport::{Connection, LocalFuture, TransportError};

/// The connection of a lane, kept from phase to phase.
#[derive(Default)]
pub(super) enum Link {
    /// None yet, or none any more.
    #[default]
    Down,
    /// On its way.
    Connecting(LocalFuture<'static, Result<Box<dyn Connection>, TransportError>>),
    /// Waiting before the next attempt.
    Pausing(Pin<Box<tokio::time::Sleep>>),
    /// Ready for calls.
    Up(Box<Session>),
}

/// The bytes that it has sent and received so far.
pub(super) fn traffic(link: &Link) -> (u64, u64) {
    match link {
        Link::Up(session) => {
            let traffic = session.traffic();
            (traffic.sent_bytes, traffic.received_bytes)
        }
        _ => (0, 0),
    }
}

/// Begins to connect.
pub(super) fn connect(client: &Rc<Client>) -> Link {
    let client = Rc::clone(client);
    Link::Connecting(Box::pin(async move {
        client.protocol.transport.connect(&client.target, Arc::clone(&client.wiring)).await
    }))
}
