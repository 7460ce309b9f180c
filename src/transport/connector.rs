//! Opens TCP and UNIX connections, beneath every transport but ZeroMQ, and stamps each step.

use tokio::net::{TcpStream, UnixStream};

use super::TransportError;
use super::socket::{Socket, is_path};
use crate::clock::now_ns;

/// How long the steps of opening a connection took, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Opening {
    /// Name resolution; 0 for an address in digits.
    pub resolve_ns: u64,
    /// The connection itself.
    pub connect_ns: u64,
    /// What the transport says before the first call (HTTP/2 settings, ZMTP greeting).
    pub handshake_ns: u64,
}

/// Opens a connection to `host:port`, or to the path of a UNIX socket.
pub(crate) async fn connect(target: &str) -> Result<(Socket, Opening), TransportError> {
    let failed =
        |error: std::io::Error| TransportError::Connect { target: target.into(), reason: error.to_string() };
    let mut opening = Opening::default();
    let begun_ns = now_ns();
    if is_path(target) {
        let stream = UnixStream::connect(target).await.map_err(failed)?;
        opening.connect_ns = now_ns().saturating_sub(begun_ns);
        return Ok((Socket::Unix(stream), opening));
    }
    let addresses: Vec<std::net::SocketAddr> = match target.parse() {
        Ok(address) => vec![address],
        Err(_) => {
            let resolved = tokio::net::lookup_host(target).await.map_err(failed)?.collect();
            opening.resolve_ns = now_ns().saturating_sub(begun_ns);
            resolved
        }
    };
    let resolved_ns = now_ns();
    let stream = Socket::Tcp(TcpStream::connect(&addresses[..]).await.map_err(failed)?);
    stream.set_options().map_err(failed)?;
    opening.connect_ns = now_ns().saturating_sub(resolved_ns);
    Ok((stream, opening))
}
