//! HTTP/1.1: one `POST` per call, one call in flight on a connection.
//!
//! The client drives its socket by hand with `httparse`, which keeps a call free of allocations; the
//! server is hyper's. Bodies may be packed with gzip: both ends unpack what says so, and the server
//! packs large replies for clients that ask, as CPython's servers do; our client does not ask. A call
//! that ended otherwise than well has its status's text as the body of the reply.
//!
//! Redirects, proxies, cookies and pipelining are left out: a benchmark's client talks to one server
//! that it was pointed at.

mod chunked;
mod client;
mod response;
mod server;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::{
    Carries, Connection, LocalFuture, Server, Status, StatusKind, Transport, TransportError, Wiring,
    connector, listener,
};

/// The HTTP/1.1 transport.
#[derive(Debug)]
pub struct Http1;

impl Transport for Http1 {
    fn name(&self) -> &'static str {
        "http1"
    }

    fn carries(&self) -> Carries {
        Carries { id: true, method: true, status: true }
    }

    fn carries_streams(&self) -> bool {
        // A reply is one body; a media type for several messages in it would be an invention.
        false
    }

    fn max_in_flight(&self) -> usize {
        1
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
            Ok(Box::new(client::Client::new(stream, opening, target, &wiring)) as Box<dyn Connection>)
        })
    }

    fn bind<'a>(
        &'a self,
        address: &'a str,
        wiring: Arc<Wiring>,
    ) -> LocalFuture<'a, Result<Box<dyn Server>, TransportError>> {
        Box::pin(async move {
            let (listener, local) = listener::bind(address).await?;
            Ok(Box::new(server::Http1Server { listener, local, wiring }) as Box<dyn Server>)
        })
    }
}

/// What an HTTP status says about a call; the mapping of [`StatusKind`].
fn kind_of(code: u16) -> StatusKind {
    match code {
        200 => StatusKind::Ok,
        400 => StatusKind::BadArguments,
        404 => StatusKind::UnknownMethod,
        413 => StatusKind::TooLarge,
        500 => StatusKind::Application,
        504 => StatusKind::DeadlineExceeded,
        _ => StatusKind::Other,
    }
}

/// The HTTP status of a call that ended so.
fn code_of(status: &Status) -> u16 {
    match status.kind {
        StatusKind::Ok => 200,
        StatusKind::BadArguments => 400,
        StatusKind::UnknownMethod => 404,
        StatusKind::TooLarge => 413,
        StatusKind::DeadlineExceeded => 504,
        StatusKind::Application | StatusKind::Internal => 500,
        StatusKind::Other => {
            let code = status.code.and_then(|code| u16::try_from(code).ok());
            code.filter(|code| (400..600).contains(code)).unwrap_or(500)
        }
    }
}
