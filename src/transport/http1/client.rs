//! The client's end: writes a request, reads the response, on one socket and in one task.

use std::future::Future;
use std::io::{IoSlice, Write};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncReadExt, AsyncWrite};

use super::response::Reader;
use crate::transport::gzip;
use crate::transport::socket::Socket;
use crate::transport::{
    Connection, Delivery, Opening, Outgoing, StatusKind, Traffic, TransportError, Wiring, http_key,
};

/// Up to here a body is copied behind its head; beyond it keeps its own buffer and both are written
/// in one system call.
const COPY_BYTES: usize = 4096;

/// How much room a read is given.
const READ_BYTES: usize = 64 << 10;
/// Reads at one poll. More are at the next, so that whoever waits beside gets a turn.
const READS_PER_POLL: u32 = 32;

pub(super) struct Client {
    stream: Socket,
    opening: Opening,
    /// The constant part of each method's head, up to the value of `Content-Length`.
    heads: Vec<Vec<u8>>,
    /// The head, and a small body.
    head: Vec<u8>,
    /// A large body.
    body: Vec<u8>,
    /// How much of head and body is written.
    written: usize,
    in_flight: Option<u64>,
    gzip: bool,
    /// Calls so far.
    submitted: u64,
    port: u16,
    reader: Reader,
    traffic: Traffic,
    /// Why writing failed. The answer may have come nevertheless (413), so reading goes on.
    write_error: Option<TransportError>,
    over: Option<TransportError>,
}

impl Client {
    pub(super) fn new(stream: Socket, opening: Opening, target: &str, wiring: &Wiring) -> Self {
        let accepted = if wiring.gzip { "Accept-Encoding: gzip\r\n" } else { "" };
        let host = wiring.authority(target);
        let constant = |path: &String| {
            format!(
                "POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: wirebench\r\n{accepted}Content-Type: {}\r\nContent-Length: ",
                wiring.media_type
            )
            .into_bytes()
        };
        Self {
            port: stream.local_port(),
            submitted: 0,
            stream,
            opening,
            heads: wiring.paths.iter().map(constant).collect(),
            head: Vec::new(),
            body: Vec::new(),
            written: 0,
            in_flight: None,
            gzip: wiring.gzip,
            reader: Reader::new(wiring.max_message_bytes),
            traffic: Traffic::default(),
            write_error: None,
            over: None,
        }
    }

    fn is_written(&self) -> bool {
        self.written == self.head.len() + self.body.len()
    }

    fn write(&mut self, cx: &mut Context<'_>) {
        while self.write_error.is_none() && !self.is_written() {
            let stream = Pin::new(&mut self.stream);
            let head = self.head.get(self.written..).unwrap_or_default();
            let result = if self.body.is_empty() {
                stream.poll_write(cx, head)
            } else {
                let body = &self.body[self.written.saturating_sub(self.head.len())..];
                stream.poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(body)])
            };
            match result {
                Poll::Pending => return,
                Poll::Ready(Ok(0)) => {
                    self.write_error = Some(TransportError::reset("the socket takes no more bytes"));
                }
                Poll::Ready(Ok(bytes)) => {
                    self.written += bytes;
                    self.traffic.sent_bytes += bytes as u64;
                }
                Poll::Ready(Err(error)) => self.write_error = Some(TransportError::reset(error)),
            }
        }
    }

    /// Reads once. `Ok(false)` is the end of the stream.
    fn read(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<bool>> {
        self.reader.buffer.reserve(READ_BYTES);
        let read = pin!(self.stream.read_buf(&mut self.reader.buffer));
        let bytes = ready!(read.poll(cx))?;
        self.traffic.received_bytes += bytes as u64;
        Poll::Ready(Ok(bytes > 0))
    }

    /// Takes what was read to pieces; an error ends the connection.
    fn deliver(&mut self, ended: bool, sink: &mut dyn FnMut(Delivery<'_>)) -> Result<(), TransportError> {
        let Some(id) = self.in_flight else {
            return match self.reader.has_begun() {
                true => Err(TransportError::protocol("the server sent bytes that no call asked for")),
                false => Ok(()),
            };
        };
        let is_written = self.written == self.head.len() + self.body.len();
        let mut next = Ok(());
        let complete = self.reader.advance(ended, |response| {
            if response.status.kind == StatusKind::Ok {
                sink(Delivery::Message { id: Some(id), body: response.body });
            }
            next = if !response.keep_alive || !is_written {
                Err(TransportError::Closed)
            } else if response.surplus {
                Err(TransportError::protocol("the server sent bytes that no call asked for"))
            } else {
                Ok(())
            };
            sink(Delivery::End { id, status: response.status });
        })?;
        if complete {
            self.in_flight = None;
        }
        next
    }

    fn drive(&mut self, cx: &mut Context<'_>, sink: &mut dyn FnMut(Delivery<'_>)) -> Poll<TransportError> {
        self.write(cx);
        for _ in 0..READS_PER_POLL {
            let ended = match ready!(self.read(cx)) {
                Ok(more) => !more,
                Err(error) => {
                    return Poll::Ready(self.write_error.take().unwrap_or(TransportError::reset(error)));
                }
            };
            if let Err(error) = self.deliver(ended, sink) {
                return Poll::Ready(error);
            }
            if ended {
                return Poll::Ready(match (self.in_flight, self.write_error.take()) {
                    (None, _) => TransportError::Closed,
                    (Some(_), Some(error)) => error,
                    (Some(_), None) if self.reader.has_begun() => {
                        TransportError::reset("the server closed it in the middle of a reply")
                    }
                    (Some(_), None) => TransportError::reset("the server closed it before it replied"),
                });
            }
        }
        // Time-outs are somebody else's turn, and a server may send faster than it is read.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Whether a header can be sent without ending the head early.
fn is_header((name, value): &(String, String)) -> bool {
    http::HeaderName::from_bytes(name.as_bytes()).is_ok() && http::HeaderValue::from_str(value).is_ok()
}

impl Connection for Client {
    fn submit(&mut self, outgoing: Outgoing<'_>) -> Result<(), TransportError> {
        if let Some(error) = &self.over {
            return Err(error.clone());
        }
        if self.in_flight.is_some() {
            let reason =
                "HTTP/1 takes one call at a time and one is in flight; open another connection".into();
            return Err(TransportError::Refused { reason });
        }
        let Some(head) = self.heads.get(outgoing.method) else {
            let reason = format!("there is no path for method {}", outgoing.method);
            return Err(TransportError::Refused { reason });
        };
        let is_packed = self.gzip && gzip::pack_in_place(outgoing.body);
        self.head.clear();
        self.head.extend_from_slice(head);
        // Writing to a Vec cannot fail.
        let _ = write!(self.head, "{}\r\n", outgoing.body.len());
        if is_packed {
            self.head.extend_from_slice(b"Content-Encoding: gzip\r\n");
        }
        for (name, value) in outgoing.metadata.iter().filter(|header| is_header(header)) {
            let _ = write!(self.head, "{name}: {value}\r\n");
        }
        self.head.extend_from_slice(b"\r\n");
        self.body.clear();
        if outgoing.body.len() <= COPY_BYTES {
            self.head.extend_from_slice(outgoing.body);
        } else {
            std::mem::swap(&mut self.body, outgoing.body);
        }
        self.written = 0;
        self.in_flight = Some(outgoing.id);
        self.submitted += 1;
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Result<(), TransportError> {
        if let Some(error) = &self.over {
            return Err(error.clone());
        }
        self.write(cx);
        Ok(())
    }

    fn poll(&mut self, cx: &mut Context<'_>, sink: &mut dyn FnMut(Delivery<'_>)) -> Poll<TransportError> {
        if let Some(error) = &self.over {
            return Poll::Ready(error.clone());
        }
        let error = ready!(self.drive(cx, sink));
        self.over = Some(error.clone());
        Poll::Ready(error)
    }

    fn key(&self, _id: u64) -> Option<u64> {
        Some(http_key(self.port, self.submitted.checked_sub(1)?))
    }

    fn cancel(&mut self, _id: u64) -> bool {
        // The answer may still come and cannot be told from the next one.
        self.over = Some(TransportError::Closed);
        false
    }

    fn traffic(&self) -> Traffic {
        self.traffic
    }

    fn opening(&self) -> Opening {
        self.opening
    }
}
