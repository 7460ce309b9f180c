//! The server's end: accepts until nothing more has come, then answers, then writes.
//!
//! Answering between two accepts would be one write per reply.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::RecvStream;
use http::Request;

use super::answers::{Answers, KEPT_BYTES, Refusal};
use super::framing::{self, Framed, FramingError};
use super::wakeups::Wakeups;
use super::{DATA_FRAME_BUDGET, MAX_HEADER_LIST_BYTES, ROUNDS_PER_POLL};
use crate::clock::now_ns;
use crate::transport::grpc::{self, Encoding, MAX_STREAMS, WINDOW_BYTES};
use crate::transport::socket::{Listener, Socket};
use crate::transport::work_timer::WorkTimer;
use crate::transport::{
    Handler, HandlerFactory, Incoming, LocalFuture, Replies, Server, Status, TransportError, Wiring, listener,
};

pub(super) struct Http2Server {
    pub(super) listener: Listener,
    pub(super) local: String,
    pub(super) wiring: Arc<Wiring>,
}

impl Server for Http2Server {
    fn address(&self) -> String {
        self.local.clone()
    }

    fn run(self: Box<Self>, handlers: HandlerFactory) -> LocalFuture<'static, TransportError> {
        let Self { listener, wiring, .. } = *self;
        let threads = wiring.server_threads;
        Box::pin(listener::accept(listener, threads, move |stream| {
            serve(stream, handlers(), Arc::clone(&wiring))
        }))
    }
}

/// Serves one connection until either end closes it. A client that goes away or does not speak
/// HTTP/2 is its own affair.
async fn serve(stream: Socket, handler: Box<dyn Handler>, wiring: Arc<Wiring>) {
    let peer_port = stream.peer_port();
    let handshake = h2::server::Builder::new()
        .initial_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_concurrent_streams(MAX_STREAMS.into())
        .max_header_list_size(MAX_HEADER_LIST_BYTES)
        .max_concurrent_reset_streams(MAX_STREAMS.into())
        .max_pending_accept_reset_streams(MAX_STREAMS.into())
        .data_frame_budget(DATA_FRAME_BUDGET)
        .handshake::<_, Framed>(stream);
    let Ok(connection) = handshake.await else { return };
    let wakeups = Arc::<Wakeups>::default();
    let connection_waker = Waker::from(Arc::clone(&wakeups));
    connection_waker.wake_by_ref();
    let mut serving = Serving {
        connection,
        handler,
        answers: Answers::new(&wiring.media_type, &wakeups),
        wiring,
        unpacked: Vec::new(),
        wakeups,
        connection_waker,
        woken: Vec::new(),
        timer: WorkTimer::default(),
        due_ns: None,
        has_handled: false,
        peer_port,
    };
    poll_fn(|cx| serving.poll(cx)).await;
}

/// A connection being served.
struct Serving {
    connection: h2::server::Connection<Socket, Framed>,
    handler: Box<dyn Handler>,
    answers: Answers,
    wiring: Arc<Wiring>,
    /// A message that was compressed.
    unpacked: Vec<u8>,
    wakeups: Arc<Wakeups>,
    connection_waker: Waker,
    woken: Vec<usize>,
    timer: WorkTimer,
    due_ns: Option<u64>,
    /// Whether the handler took a message since it was last told to work.
    has_handled: bool,
    peer_port: u16,
}

impl Serving {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.wakeups.enter(Some(cx.waker()));
        let result = self.drive(cx);
        self.wakeups.leave();
        if result.is_pending() && self.wakeups.is_woken() {
            cx.waker().wake_by_ref();
        }
        result
    }

    fn drive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..ROUNDS_PER_POLL {
            let has_written = self.wakeups.take_connection();
            if has_written && self.accept().is_ready() {
                return Poll::Ready(());
            }
            if self.answer().is_ready() {
                return Poll::Ready(());
            }
            self.work(has_written);
            if self.wakeups.is_woken() {
                continue;
            }
            let Some(due_ns) = self.due_ns else { return Poll::Pending };
            match self.timer.poll_until(cx, due_ns) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
        // Others have their turn first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads and writes the socket, and takes the requests that have come. Ready when the connection is over.
    fn accept(&mut self) -> Poll<()> {
        let cx = &mut Context::from_waker(&self.connection_waker);
        loop {
            match self.connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => self.answers.open(request, respond),
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Answers the requests that are complete. Ready when the connection is over.
    fn answer(&mut self) -> Poll<()> {
        let mut woken = std::mem::take(&mut self.woken);
        self.wakeups.take_streams(&mut woken);
        let mut over = Poll::Pending;
        for &index in &woken {
            self.advance(index);
            if self.answers.ended >= self.wiring.write_batch.max(1) {
                over = self.write();
                if over.is_ready() {
                    break;
                }
            }
        }
        self.woken = woken;
        over
    }

    fn write(&mut self) -> Poll<()> {
        self.answers.ended = 0;
        let cx = &mut Context::from_waker(&self.connection_waker);
        let over = self.connection.poll_closed(cx).map(|_| ());
        // It may have read requests, which only `accept` sees.
        self.connection_waker.wake_by_ref();
        over
    }

    /// Reads a request's body, and answers it if that is all; or learns that the client gave up.
    fn advance(&mut self, index: usize) {
        let Some((waker, call)) = self.answers.look_at(index) else { return };
        let cx = &mut Context::from_waker(&waker);
        let Some(request) = &mut call.request else {
            if call.poll_given_up(cx) {
                let reply_to = self.answers.reply_to(index);
                self.answers.close(index);
                self.handler.cancelled(reply_to);
            }
            return;
        };
        if self.wiring.request_streams.iter().any(|path| path == request.uri().path()) {
            return self.converse(index, cx);
        }
        let limit = self.wiring.max_message_bytes;
        let piece = match read_body(request.body_mut(), &mut call.joined, limit, cx) {
            Poll::Pending => return,
            Poll::Ready(Ok(piece)) => piece,
            Poll::Ready(Err(refusal)) => return self.answers.refuse(index, refusal),
        };
        let Some(request) = call.request.take() else { return };
        let key = super::key_of(self.peer_port, call.stream());
        let joined = std::mem::take(&mut call.joined);
        let whole = if joined.is_empty() { &piece[..] } else { &joined[..] };
        let message = match framing::split(whole, limit) {
            Ok(Some((message, []))) => message,
            Ok(_) => return self.answers.refuse(index, NOT_ONE_MESSAGE),
            Err(error) => return self.answers.refuse(index, error.into()),
        };
        let headers = request.headers();
        let body = match message.unpacked(Encoding::of(headers), limit, &mut self.unpacked) {
            Ok(body) => body,
            Err(error) => return self.answers.refuse(index, error.into()),
        };
        self.has_handled = true;
        let incoming = Incoming {
            reply_to: self.answers.reply_to(index),
            path: Some(request.uri().path()),
            body,
            deadline_ns: grpc::timeout_ns(headers).map(|ns| now_ns().saturating_add(ns)),
            key: Some(key),
        };
        self.handler.handle(incoming, &mut self.answers);
        self.answers.await_end(index, joined);
        if self.unpacked.capacity() > KEPT_BYTES {
            self.unpacked = Vec::new();
        }
    }

    /// Gives the messages of a stream of requests to the handler as they come, and ends the call with
    /// the request.
    fn converse(&mut self, index: usize, cx: &mut Context<'_>) {
        let limit = self.wiring.max_message_bytes;
        let reply_to = self.answers.reply_to(index);
        // The handler may have ended the call; then there is none to look at.
        while let Some((_, call)) = self.answers.look_at(index) {
            let Some(request) = &mut call.request else { return };
            let Poll::Ready(piece) = request.body_mut().poll_data(cx) else { return };
            let Some(piece) = piece else {
                let is_whole = call.joined.is_empty();
                return if is_whole {
                    self.answers.end(reply_to, Status::OK);
                } else {
                    self.answers.refuse(index, NOT_ONE_MESSAGE);
                };
            };
            let released = piece.and_then(|piece| {
                request.body_mut().flow_control().release_capacity(piece.len()).map(|()| piece)
            });
            let Ok(piece) = released else {
                self.answers.close(index);
                return self.handler.cancelled(reply_to);
            };
            let (encoding, path) = (Encoding::of(request.headers()), request.uri().path().to_owned());
            let mut joined = std::mem::take(&mut call.joined);
            joined.extend_from_slice(&piece);
            let mut rest = &joined[..];
            let refusal = loop {
                let message = match framing::split(rest, limit) {
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                    Ok(Some((message, after))) => {
                        rest = after;
                        message
                    }
                };
                match message.unpacked(encoding, limit, &mut self.unpacked) {
                    Ok(body) => {
                        let incoming =
                            Incoming { reply_to, path: Some(&path), body, deadline_ns: None, key: None };
                        self.handler.handle(incoming, &mut self.answers);
                    }
                    Err(error) => break Some(error),
                }
            };
            self.has_handled = true;
            if let Some(error) = refusal {
                return self.answers.refuse(index, error.into());
            }
            let done = joined.len() - rest.len();
            joined.drain(..done);
            if let Some((_, call)) = self.answers.look_at(index) {
                call.joined = joined;
            }
        }
    }

    /// Lets the handler work where it has taken a message, where it asked to, and where there may be room
    /// again.
    fn work(&mut self, has_written: bool) {
        let is_due = self.due_ns.is_some_and(|due_ns| due_ns <= now_ns());
        let has_room = has_written && self.answers.is_room_awaited.take();
        if std::mem::take(&mut self.has_handled) || is_due || has_room {
            self.due_ns = self.handler.work(&mut self.answers);
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        while let Some(reply_to) = self.answers.close_next() {
            self.handler.cancelled(reply_to);
        }
    }
}

impl From<FramingError> for Refusal {
    fn from(error: FramingError) -> Self {
        match error {
            FramingError::Encoding => Self::Encoding,
            FramingError::TooLarge { .. } => Self::TooLarge,
            FramingError::Compressed => {
                Self::Malformed("the message is compressed, but no grpc-encoding says how")
            }
            FramingError::Gzip => Self::Malformed("the message's gzip is damaged"),
            FramingError::Flag(_) => Self::Malformed("the message's compression flag is neither 0 nor 1"),
        }
    }
}

const NOT_ONE_MESSAGE: Refusal =
    Refusal::Malformed("the request does not consist of whole messages, one where the method takes one");

/// Reads to the end of a request: its only piece, or nothing where several pieces are now in `joined`.
fn read_body(
    body: &mut RecvStream,
    joined: &mut Vec<u8>,
    limit: usize,
    cx: &mut Context<'_>,
) -> Poll<Result<Bytes, Refusal>> {
    loop {
        let Some(piece) = std::task::ready!(body.poll_data(cx)) else {
            return Poll::Ready(Ok(Bytes::new()));
        };
        let Ok(piece) = piece else { return Poll::Ready(Err(Refusal::Gone)) };
        // The window opens at once: what is kept is bounded by the limit, not by the window.
        if body.flow_control().release_capacity(piece.len()).is_err() {
            return Poll::Ready(Err(Refusal::Gone));
        }
        if joined.is_empty() && body.is_end_stream() {
            return Poll::Ready(Ok(piece));
        }
        joined.extend_from_slice(&piece);
        match framing::split(joined, limit) {
            Ok(Some((_, []))) | Ok(None) => {}
            Ok(Some(_)) => return Poll::Ready(Err(NOT_ONE_MESSAGE)),
            Err(error) => return Poll::Ready(Err(error.into())),
        }
    }
}

/// A request whose body is being read.
pub(super) type Reading = Request<RecvStream>;
