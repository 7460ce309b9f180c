//! ZeroMQ: a DEALER at the client, a ROUTER at the server, on the `zeromq` crate.
//!
//! A message is the frames `["", body]`, or `["", id, body]` where the wiring asks for an id frame
//! (eight bytes, big-endian). Both ends take the last frame as the body and accept a missing empty
//! frame; both always send one, as libzmq's REQ and zerorpc do.
//!
//! What a user of this transport should know, all of it the crate's ways (version 0.7.0, read in its
//! source):
//! - **Opening.** The crate connects, resolves and shakes hands in one step and stamps none of them,
//!   so [`super::Opening::connect_ns`] holds all three. It retries a refused connection until a
//!   time-out, therefore a plain TCP connection asks for the reason when nothing has happened after
//!   20 ms. A probe from the start would add a connection to every call that opens its own.
//! - **A lost peer.** A DEALER never reconnects and its `recv` says nothing when the peer closes; its
//!   monitor does ([`super::TransportError::Reset`] follows at the next poll). A peer that vanishes
//!   without closing is noticed by the caller's time-outs only.
//! - **Sending.** `send` queues; the crate's own task writes, up to 128 messages at a time. The
//!   queues are bounded here by counting what the crate has not yet written ([`backlog`]). A reply
//!   to a peer that is gone, or that reads nothing for [`backlog::PEER_MESSAGES`] messages, is
//!   dropped as libzmq drops it, and its call is cancelled.
//! - **Bytes.** The crate shows no stream, so traffic is computed: each frame's 2 or 9 bytes of header
//!   and its body (ZMTP 3.0, exact), and at the start a greeting of 64 bytes and a READY command of
//!   30 each way. A libzmq peer's READY has an `Identity` of 13 bytes more, which is not counted.
//! - **Huge frames.** A header that announces a huge length makes the crate reserve that much, which
//!   can abort the process. `max_message_bytes` is checked after the message is complete: use this
//!   transport among trusted peers; `serve` says so where others could come.
//! - **PING.** The crate answers a ZMTP PING (libzmq's `ZMQ_HEARTBEAT_IVL`, off by default) by closing the
//!   connection.
//! - **Threads.** One socket, one handler, one thread: `server_threads` has no effect.

mod backlog;
mod client;
mod frames;
mod peers;
mod server;

use std::sync::Arc;
use std::time::Duration;

use zeromq::{DealerSocket, RouterSocket, Socket, SocketOptions, ZmqError};

use super::socket::{Listener, is_path};
use super::{Carries, Connection, LocalFuture, Opening, Server, Transport, TransportError, Wiring};
use super::{connector, listener};
use crate::clock::now_ns;

/// How long opening a connection may take, handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// When to ask plain TCP why there is no connection yet. A loopback connection takes 0.1 ms.
const PROBE_AFTER: Duration = Duration::from_millis(20);

/// The most calls in flight on one socket: the real zerorpc client, with libzmq's default
/// high-water mark of 1,000 messages, lost calls silently at 4,000.
const MAX_IN_FLIGHT: usize = 1_000;

/// The ZeroMQ transport.
#[derive(Debug)]
pub struct Zmq;

impl Transport for Zmq {
    fn name(&self) -> &'static str {
        "zmq"
    }

    fn carries(&self) -> Carries {
        Carries { id: true, method: false, status: false }
    }

    fn max_in_flight(&self) -> usize {
        MAX_IN_FLIGHT
    }

    fn trusts_peers(&self) -> bool {
        true
    }

    fn connect<'a>(
        &'a self,
        target: &'a str,
        wiring: Arc<Wiring>,
    ) -> LocalFuture<'a, Result<Box<dyn Connection>, TransportError>> {
        Box::pin(async move {
            let begun_ns = now_ns();
            let mut options = SocketOptions::default();
            options.connect_timeout(CONNECT_TIMEOUT);
            let mut socket = DealerSocket::with_options(options);
            let monitor = socket.monitor();
            open(&mut socket, target).await?;
            let opening = Opening { connect_ns: now_ns().saturating_sub(begun_ns), ..Opening::default() };
            let client = client::Client::new(socket, Box::pin(monitor), &wiring, opening);
            Ok(Box::new(client) as Box<dyn Connection>)
        })
    }

    fn bind<'a>(
        &'a self,
        address: &'a str,
        wiring: Arc<Wiring>,
    ) -> LocalFuture<'a, Result<Box<dyn Server>, TransportError>> {
        Box::pin(async move {
            let failed = |reason: String| TransportError::Bind { address: address.to_owned(), reason };
            let (listener, local) = listener::bind(address).await?;
            let mut socket = RouterSocket::new();
            let monitor = socket.monitor();
            match listener {
                Listener::Tcp(listener) => {
                    let listener = listener.into_std().map_err(|error| failed(error.to_string()))?;
                    socket.bind_listener(listener).await.map(drop)
                }
                // The crate takes no UNIX listener; the path is free now.
                Listener::Unix(listener, unlinked) => {
                    drop((listener, unlinked));
                    socket.bind(&format!("ipc://{address}")).await.map(drop)
                }
            }
            .map_err(|error| failed(error.to_string()))?;
            let server = server::Listening::new(socket, Box::pin(monitor), local, wiring);
            Ok(Box::new(server) as Box<dyn Server>)
        })
    }
}

/// Connects the socket; fails as soon as plain TCP would.
async fn open(socket: &mut DealerSocket, target: &str) -> Result<(), TransportError> {
    let failed = |reason: String| TransportError::Connect { target: target.into(), reason };
    let scheme = if is_path(target) { "ipc" } else { "tcp" };
    let endpoint = format!("{scheme}://{target}");
    let mut connecting = socket.connect(&endpoint);
    let outcome = match tokio::time::timeout(PROBE_AFTER, &mut connecting).await {
        Ok(outcome) => outcome,
        Err(_) => {
            let probe = tokio::time::timeout(CONNECT_TIMEOUT, connector::connect(target));
            if let Ok(probed) = probe.await {
                probed?;
            }
            connecting.await
        }
    };
    outcome.map_err(|error| match error {
        ZmqError::ConnectTimeout(_) => {
            failed(format!("no ZMTP handshake within {} s", CONNECT_TIMEOUT.as_secs()))
        }
        other => failed(other.to_string()),
    })
}

#[cfg(test)]
mod tests;
