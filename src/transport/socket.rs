//! Stream sockets, TCP or UNIX, beneath every transport. An address that begins with a slash is the
//! path of a UNIX socket; any other is `host:port`.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// Whether an address is the path of a UNIX socket.
pub(crate) fn is_path(address: &str) -> bool {
    address.starts_with('/')
}

/// The host that HTTP is told: a UNIX socket has none.
pub(crate) fn authority(address: &str) -> &str {
    if is_path(address) { "localhost" } else { address }
}

/// A connected socket.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A connected socket on its way to another runtime.
pub(crate) enum StdSocket {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Socket {
    /// The options of every transport, those that the zeromq crate sets: no delay for small messages,
    /// which UNIX sockets never have. (Its 4 MiB socket buffers are what Linux grows to by itself.)
    pub(crate) fn set_options(&self) -> io::Result<()> {
        match self {
            Socket::Tcp(stream) => stream.set_nodelay(true),
            Socket::Unix(_) => Ok(()),
        }
    }

    /// This end's port; 0 where there is none.
    pub(crate) fn local_port(&self) -> u16 {
        match self {
            Socket::Tcp(stream) => stream.local_addr().map_or(0, |address| address.port()),
            Socket::Unix(_) => 0,
        }
    }

    /// The other end's port; 0 where there is none.
    pub(crate) fn peer_port(&self) -> u16 {
        match self {
            Socket::Tcp(stream) => stream.peer_addr().map_or(0, |address| address.port()),
            Socket::Unix(_) => 0,
        }
    }

    pub(crate) fn into_std(self) -> io::Result<StdSocket> {
        Ok(match self {
            Socket::Tcp(stream) => StdSocket::Tcp(stream.into_std()?),
            Socket::Unix(stream) => StdSocket::Unix(stream.into_std()?),
        })
    }

    pub(crate) fn from_std(socket: StdSocket) -> io::Result<Self> {
        Ok(match socket {
            StdSocket::Tcp(stream) => Socket::Tcp(TcpStream::from_std(stream)?),
            StdSocket::Unix(stream) => Socket::Unix(UnixStream::from_std(stream)?),
        })
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Socket::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Socket::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Socket::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Socket::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Socket::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// A listening socket.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, Unlinked),
}

/// The path of a UNIX socket, which is removed when the socket is closed.
#[derive(Debug)]
pub(crate) struct Unlinked(PathBuf);

impl Drop for Unlinked {
    fn drop(&mut self) {
        // Gone already, or not ours any more: nothing to do about either.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    /// Listens on an address and says where: with the real port.
    pub(crate) async fn bind(address: &str) -> io::Result<(Self, String)> {
        if !is_path(address) {
            let listener = TcpListener::bind(address).await?;
            let local = listener.local_addr()?.to_string();
            return Ok((Listener::Tcp(listener), local));
        }
        let path = Path::new(address);
        let listener = match UnixListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left_over(path) => {
                std::fs::remove_file(path)?;
                UnixListener::bind(path)?
            }
            outcome => outcome?,
        };
        Ok((Listener::Unix(listener, Unlinked(path.to_owned())), address.to_owned()))
    }

    pub(crate) async fn accept(&self) -> io::Result<Socket> {
        Ok(match self {
            Listener::Tcp(listener) => Socket::Tcp(listener.accept().await?.0),
            Listener::Unix(listener, _) => Socket::Unix(listener.accept().await?.0),
        })
    }
}

/// Whether a path is a socket that nobody listens on any more.
fn is_left_over(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    let is_socket = path.symlink_metadata().is_ok_and(|metadata| metadata.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    is_socket && std::os::unix::net::UnixStream::connect(path).err().is_some_and(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_left_over_socket_is_taken_over_and_a_used_one_or_a_file_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.sock");
        let address = path.to_str().unwrap();
        // The standard library leaves the file behind.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (listener, local) = Listener::bind(address).await.unwrap();
            assert_eq!(local, address);
            assert_eq!(Listener::bind(address).await.unwrap_err().kind(), io::ErrorKind::AddrInUse);
            drop(listener);
            assert!(!path.exists());
            std::fs::write(&path, "mine").unwrap();
            assert!(Listener::bind(address).await.is_err());
            assert_eq!(std::fs::read(&path).unwrap(), b"mine");
        });
    }
}
