//! gRPC's HTTP/2: a stream per call, many calls on a connection, driven inline on the `h2` crate.
//!
//! Neither end spawns a task: a connection and all its streams are polled by whoever polls the
//! [`Connection`] or serves the socket. TLS, server push and the HTTP/1
//! upgrade are left out. Both ends read gzip and neither writes it: the bytes that are measured are
//! the codec's.

mod answers;
mod client;
mod framing;
mod server;
mod stream;
#[cfg(test)]
mod tests;
mod wakeups;

use std::sync::Arc;

use super::{
    Carries, Connection, LocalFuture, Server, Transport, TransportError, Wiring, connector, grpc, http_key,
    listener,
};

/// The largest header list taken.
const MAX_HEADER_LIST_BYTES: u32 = 64 << 10;

/// What small DATA frames may cost before h2 calls them an attack. A stream of small items fills the
/// window with them; beyond this they would fill memory.
const DATA_FRAME_BUDGET: usize = 64 << 20;

/// After so many rounds in one poll other tasks get their turn.
const ROUNDS_PER_POLL: usize = 16;

/// The key of a call by its stream: a client's streams are 1, 3, 5, …
fn key_of(port: u16, stream: h2::StreamId) -> u64 {
    http_key(port, u64::from(stream.as_u32() / 2))
}

/// The HTTP/2 transport with gRPC's framing.
#[derive(Debug)]
pub struct Http2;

impl Transport for Http2 {
    fn name(&self) -> &'static str {
        "http2"
    }

    fn carries(&self) -> Carries {
        Carries { id: true, method: true, status: true }
    }

    fn max_in_flight(&self) -> usize {
        grpc::MAX_STREAMS.into()
    }

    fn carries_metadata(&self) -> bool {
        true
    }

    fn compresses(&self) -> bool {
        true
    }

    fn connect<'a>(
        &'a self,
        target: &'a str,
        wiring: Arc<Wiring>,
    ) -> LocalFuture<'a, Result<Box<dyn Connection>, TransportError>> {
        Box::pin(async move {
            let (stream, opening) = connector::connect(target).await?;
            let client = client::Client::open(stream, opening, target, &wiring).await?;
            Ok(Box::new(client) as Box<dyn Connection>)
        })
    }

    fn bind<'a>(
        &'a self,
        address: &'a str,
        wiring: Arc<Wiring>,
    ) -> LocalFuture<'a, Result<Box<dyn Server>, TransportError>> {
        Box::pin(async move {
            let (listener, local) = listener::bind(address).await?;
            Ok(Box::new(server::Http2Server { listener, local, wiring }) as Box<dyn Server>)
        })
    }
}
