//! A relay that counts every byte between a client and a server and adds none.
//!
//! It listens on loopback, opens one connection to the server for each that it accepts, and passes on
//! what comes from either side until both have closed. It knows no protocol, so it counts for every
//! transport and for servers in any language. What it counts is the payload of the sockets: the
//! headers of TCP and IP, acknowledgements and retransmissions are the kernel's and are not seen.
//!
//! It takes time, and so it has no place in a measurement of time.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::socket::{Listener, Socket};
use super::{TransportError, connector, listener};

/// Where it listens. The server may be elsewhere.
const ADDRESS: &str = "127.0.0.1:0";

/// How much is read at once.
const READ_BYTES: usize = 64 << 10;

/// How long a server may take to close after its client has closed.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// What crossed the relay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Crossed {
    /// Connections on which the client sent anything.
    pub connections: u64,
    /// Bytes from client to server.
    pub request_bytes: u64,
    /// Bytes from server to client.
    pub response_bytes: u64,
}

/// A relay that is running; dropping it ends it and its connections.
#[derive(Debug)]
pub struct Relay {
    address: String,
    state: Rc<State>,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    counts: RefCell<Counts>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Counts {
    /// Of the connections that are over.
    crossed: Crossed,
    open: usize,
    /// Why the last connection to the server failed.
    failed: Option<String>,
}

impl Relay {
    /// Starts a relay to `target`: `host:port`, or the path of a UNIX socket. Needs a `LocalSet`.
    ///
    /// # Errors
    /// No port can be had on this machine.
    pub async fn start(target: &str) -> Result<Self, TransportError> {
        let (listener, address) = listener::bind(ADDRESS).await?;
        let state = Rc::<State>::default();
        let accepting = tokio::task::spawn_local(accept(listener, target.to_owned(), Rc::clone(&state)));
        Ok(Self { address, state, accepting })
    }

    /// Where clients connect to.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Waits until every connection is over and says what crossed since the last time. The caller has
    /// closed its own ends.
    ///
    /// A connection without a byte of the client's is left out: it carried no call, whatever greeting
    /// the server sent.
    ///
    /// # Errors
    /// The server could not be connected to.
    pub async fn take(&self) -> Result<Crossed, TransportError> {
        loop {
            let changed = self.state.changed.notified();
            {
                let mut counts = self.state.counts.borrow_mut();
                if let Some(reason) = counts.failed.take() {
                    return Err(TransportError::Reset { reason });
                }
                if counts.open == 0 {
                    return Ok(std::mem::take(&mut counts.crossed));
                }
            }
            changed.await;
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: Listener, target: String, state: Rc<State>) {
    // The connections end with the relay.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok(client) = listener.accept().await {
        state.counts.borrow_mut().open += 1;
        let (target, state) = (target.clone(), Rc::clone(&state));
        connections.spawn_local(async move {
            let carried = carry(client, &target).await;
            let mut counts = state.counts.borrow_mut();
            counts.open -= 1;
            match carried {
                Ok(crossed) if crossed.request_bytes > 0 => {
                    counts.crossed.connections += 1;
                    counts.crossed.request_bytes += crossed.request_bytes;
                    counts.crossed.response_bytes += crossed.response_bytes;
                }
                Ok(_) => {}
                Err(error) => counts.failed = Some(error.to_string()),
            }
            state.changed.notify_one();
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Carries one connection from its opening until both sides have closed.
async fn carry(client: Socket, target: &str) -> Result<Crossed, TransportError> {
    client.set_options().map_err(TransportError::reset)?;
    let (server, _) = connector::connect(target).await?;
    let (from_client, to_client) = tokio::io::split(client);
    let (from_server, to_server) = tokio::io::split(server);
    let (mut request_bytes, mut response_bytes) = (0, 0);
    {
        let up = pass(from_client, to_server, &mut request_bytes);
        let down = pass(from_server, to_client, &mut response_bytes);
        tokio::pin!(up, down);
        tokio::select! {
            // A server that does not close when its client has gone is not waited for.
            () = &mut up => { let _ = tokio::time::timeout(CLOSE_LIMIT, down).await; }
            () = &mut down => up.await,
        }
    }
    Ok(Crossed { connections: 1, request_bytes, response_bytes })
}

/// Passes on what comes until it ends, and then the end. What the other side no longer takes is
/// counted all the same: it was sent.
async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, bytes: &mut u64) {
    let mut buffer = vec![0; READ_BYTES];
    let mut is_taken = true;
    loop {
        match from.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(count) => {
                *bytes += count as u64;
                is_taken = is_taken && to.write_all(&buffer[..count]).await.is_ok();
            }
        }
    }
    // The other side may have gone already.
    let _ = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a test inside a `LocalSet`, with a limit on its time.
    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let limited = async { tokio::time::timeout(Duration::from_secs(20), test).await.unwrap() };
        tokio::task::LocalSet::new().block_on(&runtime, limited);
    }

    /// Answers every byte with two until its client closes, and greets first.
    async fn serve(listener: Listener) {
        loop {
            let mut socket = listener.accept().await.unwrap();
            tokio::task::spawn_local(async move {
                socket.write_all(b"hello").await.unwrap();
                let mut buffer = [0; 1_000];
                while let Ok(count @ 1..) = socket.read(&mut buffer).await {
                    let twice = vec![7; count * 2];
                    if socket.write_all(&twice).await.is_err() {
                        return;
                    }
                }
            });
        }
    }

    async fn call(address: &str, bytes: usize) {
        let (mut socket, _) = connector::connect(address).await.unwrap();
        socket.write_all(&vec![1; bytes]).await.unwrap();
        let mut answer = vec![0; 5 + bytes * 2];
        socket.read_exact(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"hello\x07"));
    }

    fn crossed(connections: u64, request_bytes: u64, response_bytes: u64) -> Crossed {
        Crossed { connections, request_bytes, response_bytes }
    }

    #[test]
    fn every_byte_is_counted_once_over_tcp_and_unix_sockets() {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("s.sock");
            for address in ["127.0.0.1:0", path.to_str().unwrap()] {
                let (listener, target) = listener::bind(address).await.unwrap();
                tokio::task::spawn_local(serve(listener));
                let relay = Relay::start(&target).await.unwrap();
                call(relay.address(), 1).await;
                call(relay.address(), 300_000).await;
                assert_eq!(relay.take().await.unwrap(), crossed(2, 300_001, 600_012));
                call(relay.address(), 10).await;
                assert_eq!(relay.take().await.unwrap(), crossed(1, 10, 25), "since the last time");
            }
        });
    }

    #[test]
    fn a_connection_that_carried_no_call_is_left_out() {
        run(async {
            let (listener, target) = listener::bind("127.0.0.1:0").await.unwrap();
            tokio::task::spawn_local(serve(listener));
            let relay = Relay::start(&target).await.unwrap();
            let (mut idle, _) = connector::connect(relay.address()).await.unwrap();
            idle.read_exact(&mut [0; 5]).await.unwrap();
            drop(idle);
            assert_eq!(relay.take().await.unwrap(), crossed(0, 0, 0));
        });
    }

    #[test]
    fn a_server_that_is_not_there_is_an_error_and_no_count() {
        run(async {
            let (listener, target) = listener::bind("127.0.0.1:0").await.unwrap();
            drop(listener);
            let relay = Relay::start(&target).await.unwrap();
            let (mut socket, _) = connector::connect(relay.address()).await.unwrap();
            assert!(matches!(socket.read(&mut [0]).await, Ok(0) | Err(_)), "it is closed");
            assert!(relay.take().await.is_err());
        });
    }
}
