//! Byte buffers between a socket and its frames, reused for the life of a connection.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::TransportError;
use super::socket::Socket;

const READ_BYTES: usize = 64 << 10;

/// Bytes read and not yet taken.
#[derive(Debug)]
pub(crate) struct ReadBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes read so far.
    pub(crate) total: u64,
}

impl ReadBuffer {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; READ_BYTES], start: 0, end: 0, total: 0 }
    }

    pub(crate) fn filled(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Reads once. Ready with whether the peer is still there (false at the end of its bytes).
    /// The buffer grows only when what has arrived fills it, never by what a peer announces.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Socket,
    ) -> Poll<Result<bool, TransportError>> {
        if self.end == self.bytes.len() {
            if self.start > 0 {
                self.bytes.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            } else {
                let length = self.bytes.len();
                self.bytes.resize(length * 2, 0);
            }
        }
        let mut space = ReadBuf::new(&mut self.bytes[self.end..]);
        match Pin::new(stream).poll_read(cx, &mut space) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(TransportError::reset(error))),
            Poll::Ready(Ok(())) => {
                let count = space.filled().len();
                self.end += count;
                self.total += count as u64;
                Poll::Ready(Ok(count > 0))
            }
        }
    }
}

/// Bytes to write.
#[derive(Debug, Default)]
pub(crate) struct WriteBuffer {
    pub(crate) bytes: Vec<u8>,
    written: usize,
    /// Bytes written so far.
    pub(crate) total: u64,
}

impl WriteBuffer {
    pub(crate) fn pending(&self) -> usize {
        self.bytes.len() - self.written
    }

    /// Writes what the socket takes now; the waker is registered where that is not all.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Socket,
    ) -> Result<(), TransportError> {
        while self.written < self.bytes.len() {
            match Pin::new(&mut *stream).poll_write(cx, &self.bytes[self.written..]) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(0)) => return Err(TransportError::reset("the socket takes no more bytes")),
                Poll::Ready(Ok(count)) => {
                    self.written += count;
                    self.total += count as u64;
                }
                Poll::Ready(Err(error)) => return Err(TransportError::reset(error)),
            }
        }
        self.bytes.clear();
        self.written = 0;
        // One large message must not hold its memory for the life of the connection.
        if self.bytes.capacity() > 16 * READ_BYTES {
            self.bytes.shrink_to(READ_BYTES);
        }
        Ok(())
    }
}
