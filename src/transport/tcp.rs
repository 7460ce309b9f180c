//! Framed TCP: any number of messages in both directions over one connection.
//!
//! A frame is a 4-byte big-endian length of what follows, an 8-byte big-endian call id chosen by the
//! client and sent back with every reply, and the body. No greeting, no end mark; either side may
//! close between frames. A frame with a length below 8 or above the receiver's limit ends the
//! connection.

use std::cell::Cell;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::buffer::{ReadBuffer, WriteBuffer};
use super::socket::{Listener, Socket};
use super::{
    Carries, Connection, Delivery, Handler, HandlerFactory, Incoming, LocalFuture, Opening, Outgoing,
    Replies, ReplyTo, Server, Status, Traffic, Transport, TransportError, Wiring, connector, listener,
};
use crate::clock::PreciseTimer;

/// The transport.
#[derive(Debug)]
pub(super) struct Tcp;

const LENGTH_BYTES: usize = 4;
const ID_BYTES: usize = 8;
/// How much a server keeps for a client that does not read before it stops reading from it.
const MAX_UNSENT_BYTES: usize = 1 << 20;
/// Reads of one poll, so that one busy connection does not starve the rest of the thread.
const READS_PER_POLL: usize = 8;

impl Transport for Tcp {
    fn name(&self) -> &'static str {
        "tcp"
    }

    fn carries(&self) -> Carries {
        Carries { id: true, method: false, status: false }
    }

    fn max_in_flight(&self) -> usize {
        1 << 16
    }

    fn connect<'a>(
        &'a self,
        target: &'a str,
        wiring: Arc<Wiring>,
    ) -> LocalFuture<'a, Result<Box<dyn Connection>, TransportError>> {
        Box::pin(async move {
            let (stream, opening) = connector::connect(target).await?;
            let connection = TcpConnection {
                stream,
                read: ReadBuffer::new(),
                write: WriteBuffer::default(),
                max_bytes: wiring.max_message_bytes,
                opening,
            };
            Ok(Box::new(connection) as Box<dyn Connection>)
        })
    }

    fn bind<'a>(
        &'a self,
        address: &'a str,
        wiring: Arc<Wiring>,
    ) -> LocalFuture<'a, Result<Box<dyn Server>, TransportError>> {
        Box::pin(async move {
            let (listener, local) = listener::bind(address).await?;
            Ok(Box::new(TcpServer { listener, address: local, wiring }) as Box<dyn Server>)
        })
    }
}

fn put_frame(out: &mut Vec<u8>, id: u64, body: &[u8]) -> Result<(), TransportError> {
    let length = u32::try_from(body.len() + ID_BYTES).map_err(|_| TransportError::Refused {
        reason: format!("a frame of {} bytes is too large", body.len()),
    })?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&id.to_be_bytes());
    out.extend_from_slice(body);
    Ok(())
}

/// The first whole frame of `bytes`: its id, where its body lies, and where the next frame begins.
fn split_frame(
    bytes: &[u8],
    max_bytes: usize,
) -> Result<Option<(u64, std::ops::Range<usize>)>, TransportError> {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length) as usize;
    if length < ID_BYTES || length - ID_BYTES > max_bytes {
        let allowed = max_bytes + ID_BYTES;
        return Err(TransportError::protocol(format!(
            "a frame of {length} bytes; allowed: {ID_BYTES} to {allowed}"
        )));
    }
    if rest.len() < length {
        return Ok(None);
    }
    let Some((id, _)) = rest.split_first_chunk::<ID_BYTES>() else { return Ok(None) };
    Ok(Some((u64::from_be_bytes(*id), LENGTH_BYTES + ID_BYTES..LENGTH_BYTES + length)))
}

struct TcpConnection {
    stream: Socket,
    read: ReadBuffer,
    write: WriteBuffer,
    max_bytes: usize,
    opening: Opening,
}

impl Connection for TcpConnection {
    fn submit(&mut self, outgoing: Outgoing<'_>) -> Result<(), TransportError> {
        put_frame(&mut self.write.bytes, outgoing.id, outgoing.body)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Result<(), TransportError> {
        self.write.poll_write(cx, &mut self.stream)
    }

    fn poll(&mut self, cx: &mut Context<'_>, sink: &mut dyn FnMut(Delivery<'_>)) -> Poll<TransportError> {
        if let Err(error) = self.write.poll_write(cx, &mut self.stream) {
            return Poll::Ready(error);
        }
        for _ in 0..READS_PER_POLL {
            match self.read.poll_read(cx, &mut self.stream) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(error),
                Poll::Ready(Ok(false)) if self.read.filled().is_empty() => {
                    return Poll::Ready(TransportError::Closed);
                }
                Poll::Ready(Ok(false)) => {
                    return Poll::Ready(TransportError::reset("the peer closed in the middle of a frame"));
                }
                Poll::Ready(Ok(true)) => {}
            }
            loop {
                match split_frame(self.read.filled(), self.max_bytes) {
                    Ok(None) => break,
                    Ok(Some((id, body))) => {
                        let end = body.end;
                        sink(Delivery::Message { id: Some(id), body: &self.read.filled()[body] });
                        self.read.consume(end);
                    }
                    Err(error) => return Poll::Ready(error),
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn cancel(&mut self, _id: u64) -> bool {
        // There is no cancel frame; the session knows late replies by their id.
        true
    }

    fn traffic(&self) -> Traffic {
        Traffic { sent_bytes: self.write.total, received_bytes: self.read.total }
    }

    fn opening(&self) -> Opening {
        self.opening
    }
}

struct TcpServer {
    listener: Listener,
    address: String,
    wiring: Arc<Wiring>,
}

impl Server for TcpServer {
    fn address(&self) -> String {
        self.address.clone()
    }

    fn run(self: Box<Self>, handlers: HandlerFactory) -> LocalFuture<'static, TransportError> {
        let Self { listener, wiring, .. } = *self;
        let threads = wiring.server_threads;
        Box::pin(listener::accept(listener, threads, move |stream| {
            let (handler, wiring) = (handlers(), Arc::clone(&wiring));
            async move {
                let Ok(timer) = PreciseTimer::new() else { return };
                let mut peer = Peer {
                    stream,
                    read: ReadBuffer::new(),
                    replies: FrameReplies::default(),
                    handler,
                    timer,
                    max_bytes: wiring.max_message_bytes,
                    write_batch: wiring.write_batch.max(1),
                };
                std::future::poll_fn(|cx| peer.poll(cx)).await;
            }
        }))
    }
}

/// One connection of a server.
struct Peer {
    stream: Socket,
    read: ReadBuffer,
    replies: FrameReplies,
    handler: Box<dyn Handler>,
    timer: PreciseTimer,
    max_bytes: usize,
    write_batch: usize,
}

#[derive(Default)]
struct FrameReplies {
    write: WriteBuffer,
    count: usize,
    /// The handler waits for room.
    is_awaited: Cell<bool>,
    /// A reply that does not fit a frame ends the connection.
    failed: bool,
}

impl Replies for FrameReplies {
    fn message(&mut self, to: ReplyTo, body: &mut Vec<u8>) {
        self.count += 1;
        self.failed |= put_frame(&mut self.write.bytes, to.id, body).is_err();
    }

    fn end(&mut self, _to: ReplyTo, _status: Status) {}

    fn has_room(&self, _to: ReplyTo) -> bool {
        let has_room = self.takes_more();
        self.is_awaited.set(self.is_awaited.get() || !has_room);
        has_room
    }
}

impl FrameReplies {
    fn takes_more(&self) -> bool {
        self.write.pending() < MAX_UNSENT_BYTES
    }
}

impl Peer {
    /// Serves the connection; ready when it is over, for whatever reason.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..READS_PER_POLL {
            let Ok(is_through) = self.answer(cx) else { return Poll::Ready(()) };
            let next_ns = self.handler.work(&mut self.replies);
            if self.flush(cx).is_err() || self.replies.failed {
                return Poll::Ready(());
            }
            if !self.replies.takes_more() {
                // The client does not read: the write's waker continues.
                return Poll::Pending;
            }
            if self.replies.is_awaited.take() || !is_through {
                continue;
            }
            match self.read.poll_read(cx, &mut self.stream) {
                Poll::Ready(Ok(true)) => continue,
                Poll::Ready(Ok(false) | Err(_)) => return Poll::Ready(()),
                Poll::Pending => {}
            }
            match next_ns.map(|next_ns| self.timer.poll_until(cx, next_ns)) {
                None | Some(Poll::Pending) => return Poll::Pending,
                Some(Poll::Ready(Ok(()))) => {}
                Some(Poll::Ready(Err(_))) => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> Result<(), TransportError> {
        self.replies.count = 0;
        self.replies.write.poll_write(cx, &mut self.stream)
    }

    /// Answers the whole frames that have been read, writing every `write_batch` replies. Says whether those
    /// were all: not where the replies leave no room for more. The client need not send another byte
    /// then, so that nothing but the caller can go on.
    fn answer(&mut self, cx: &mut Context<'_>) -> Result<bool, TransportError> {
        while self.replies.takes_more() {
            let Some((id, body)) = split_frame(self.read.filled(), self.max_bytes)? else { return Ok(true) };
            let end = body.end;
            let reply_to = ReplyTo { peer: 0, id };
            let incoming = Incoming {
                reply_to,
                path: None,
                body: &self.read.filled()[body],
                deadline_ns: None,
                key: Some(id),
            };
            self.handler.handle(incoming, &mut self.replies);
            self.read.consume(end);
            if self.replies.count >= self.write_batch {
                self.flush(cx)?;
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_length_id_and_body() {
        let mut out = Vec::new();
        put_frame(&mut out, 0x0102, b"ab").unwrap();
        assert_eq!(out, b"\0\0\0\x0a\0\0\0\0\0\0\x01\x02ab");
        assert_eq!(split_frame(&out, 100).unwrap(), Some((0x0102, 12..14)));
        for cut in 0..out.len() {
            assert_eq!(split_frame(&out[..cut], 100).unwrap(), None);
        }
    }

    #[test]
    fn lengths_outside_the_limit_are_refused() {
        assert!(split_frame(b"\0\0\0\x07", 100).is_err());
        assert!(split_frame(b"\xff\xff\xff\xff", 100).is_err());
        assert!(split_frame(b"\0\0\0\x6c", 100).is_ok());
        assert!(split_frame(b"\0\0\0\x6d", 100).is_err());
    }
}
