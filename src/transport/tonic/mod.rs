//! What a user of tonic gets: the wire of `http2`, by tonic's own client and server.
//!
//! Here to be compared with `http2`, so nothing is tuned but the flow-control windows, which are the
//! same. tonic boxes its futures, spawns tasks and allocates for every call, and so does this. It
//! writes its own media type, `application/grpc`, and batches writes as hyper does: the wiring's media
//! type and `write_batch` do not reach it.
//!
//! A message over the limit is OUT_OF_RANGE to tonic, where gRPC's other implementations say
//! RESOURCE_EXHAUSTED.

mod client;
mod codec;
mod server;
mod session;

use std::sync::Arc;

use super::{
    Carries, Connection, LocalFuture, Server, Transport, TransportError, Wiring, connector, grpc, listener,
};

/// The HTTP/2 transport on tonic.
#[derive(Debug)]
pub struct Tonic;

impl Transport for Tonic {
    fn name(&self) -> &'static str {
        "http2-tonic"
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
            Ok(Box::new(server::TonicServer { listener, local, wiring }) as Box<dyn Server>)
        })
    }
}
