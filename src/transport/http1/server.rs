//! The server's end: hyper reads and writes HTTP, one [`Handler`] per connection answers.
//!
//! Carries unary calls only: HTTP/1 could stream a body, but no protocol here does.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming as RequestBody};
use hyper_util::rt::TokioIo;

use crate::clock::now_ns;
use crate::transport::gzip::{self, Coding, GzipError};
use crate::transport::socket::{Listener, Socket};
use crate::transport::work_timer::WorkTimer;
use crate::transport::{
    Handler, HandlerFactory, Incoming, LocalFuture, Replies, ReplyTo, Server, Status, StatusKind,
    TransportError, Wiring, http_key, listener,
};

/// Up to here a reply's body is copied, which leaves the handler its buffer.
const COPY_BYTES: usize = 4096;

/// A reply larger than this is packed for a client that asks: CPython's `encode_threshold`.
const PACK_BEYOND_BYTES: usize = 1400;

/// How much is allocated at once for copied bodies.
const CHUNK_BYTES: usize = 64 << 10;

pub(super) struct Http1Server {
    pub(super) listener: Listener,
    pub(super) local: String,
    pub(super) wiring: Arc<Wiring>,
}

impl Server for Http1Server {
    fn address(&self) -> String {
        self.local.clone()
    }

    fn run(self: Box<Self>, handlers: HandlerFactory) -> LocalFuture<'static, TransportError> {
        let Self { listener, wiring, .. } = *self;
        let threads = wiring.server_threads;
        Box::pin(listener::accept(listener, threads, move |stream| {
            let session = Session::new(handlers(), &wiring, stream.peer_port());
            serve(stream, Rc::new(RefCell::new(session)))
        }))
    }
}

/// Serves one connection until either end closes it.
async fn serve(stream: Socket, session: Rc<RefCell<Session>>) {
    let service = hyper::service::service_fn(|request| answer(Rc::clone(&session), request));
    // Half-closed connections count as closed: only so does hyper notice a client that gave up, and
    // drop its call.
    let mut connection = pin!(
        hyper::server::conn::http1::Builder::new()
            .header_read_timeout(None)
            .serve_connection(TokioIo::new(stream), service)
    );
    let mut timer = WorkTimer::default();
    poll_fn(|cx| {
        // A client that goes away or does not speak HTTP is its own affair.
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        session.borrow_mut().poll_work(cx, &mut timer)
    })
    .await;
}

/// A connection's handler and the call it is answering; hyper gives one request at a time.
struct Session {
    handler: Box<dyn Handler>,
    call: Call,
    media_type: HeaderValue,
    max_message_bytes: usize,
    /// Whether the handler took a message since it was last told to work.
    has_handled: bool,
    due_ns: Option<u64>,
    peer_port: u16,
}

/// The call in flight, if its id is that of the reply.
#[derive(Default)]
struct Call {
    id: u64,
    body: Option<Bytes>,
    end: Option<Status>,
    has_surplus: bool,
    waker: Option<Waker>,
    chunk: BytesMut,
}

impl Session {
    fn new(handler: Box<dyn Handler>, wiring: &Wiring, peer_port: u16) -> Self {
        Self {
            handler,
            call: Call::default(),
            media_type: HeaderValue::from_str(&wiring.media_type)
                .unwrap_or(HeaderValue::from_static("application/octet-stream")),
            max_message_bytes: wiring.max_message_bytes,
            has_handled: false,
            due_ns: None,
            peer_port,
        }
    }

    /// Lets the handler work when it has taken a message and when it asked to. Ready when the
    /// connection cannot be served any longer.
    fn poll_work(&mut self, cx: &mut Context<'_>, timer: &mut WorkTimer) -> Poll<()> {
        loop {
            if std::mem::take(&mut self.has_handled) || self.due_ns.is_some_and(|due_ns| due_ns <= now_ns()) {
                self.due_ns = self.handler.work(&mut self.call);
            }
            let Some(due_ns) = self.due_ns else { return Poll::Pending };
            if due_ns <= now_ns() {
                // More to do once hyper has written what there is.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match timer.poll_until(cx, due_ns) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// An answer, packed where that was asked for and pays.
    fn respond(&self, body: Bytes, pack: bool) -> Response<Full<Bytes>> {
        let pack = pack && body.len() > PACK_BEYOND_BYTES;
        let body = if pack { Bytes::from(gzip::pack(&body)) } else { body };
        let mut response = Response::new(Full::new(body));
        response.headers_mut().insert(header::CONTENT_TYPE, self.media_type.clone());
        if pack {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

/// A status other than 200, with its text.
fn error(code: u16, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

/// The refusal of a request whose body was not read, so that the next one could not be found.
fn refuse(refusal: Refusal) -> Response<Full<Bytes>> {
    let mut response = error(refusal.code, refusal.text);
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Why a request is not given to the handler.
struct Refusal {
    code: u16,
    text: String,
}

impl Refusal {
    fn too_large(limit: usize) -> Self {
        Self { code: 413, text: format!("the request is larger than the {limit} bytes allowed") }
    }
}

impl Call {
    fn is_current(&self, to: ReplyTo) -> bool {
        self.id == to.id && self.end.is_none()
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Replies for Call {
    fn message(&mut self, to: ReplyTo, body: &mut Vec<u8>) {
        if !self.is_current(to) {
            return;
        }
        if self.body.is_some() {
            self.has_surplus = true;
            self.wake();
        } else if body.len() <= COPY_BYTES {
            if self.chunk.capacity() < body.len() {
                self.chunk.reserve(CHUNK_BYTES);
            }
            self.chunk.extend_from_slice(body);
            self.body = Some(self.chunk.split().freeze());
        } else {
            self.body = Some(Bytes::from(std::mem::take(body)));
        }
    }

    fn end(&mut self, to: ReplyTo, status: Status) {
        if self.is_current(to) {
            self.end = Some(status);
            self.wake();
        }
    }

    fn has_room(&self, _to: ReplyTo) -> bool {
        // A stream that waited for room here would wait for ever; its second message ends the call.
        true
    }
}

/// Tells the handler that nobody waits any longer, when hyper drops a request unanswered.
struct Unanswered<'a> {
    session: &'a RefCell<Session>,
    to: ReplyTo,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        let Ok(mut session) = self.session.try_borrow_mut() else { return };
        if session.call.end.is_none() {
            session.call.end = Some(Status::OK);
            session.handler.cancelled(self.to);
        }
    }
}

async fn answer(
    session: Rc<RefCell<Session>>,
    request: Request<RequestBody>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    if head.method != Method::POST {
        let mut response = refuse(Refusal { code: 405, text: "calls are posted".into() });
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return Ok(response);
    }
    let max_message_bytes = session.borrow().max_message_bytes;
    let body = match collect(body, max_message_bytes).await {
        Ok(body) => body,
        Err(refusal) => return Ok(refuse(refusal)),
    };
    let body = match unpack(&head.headers, body, max_message_bytes) {
        Ok(body) => body,
        Err(refusal) => return Ok(error(refusal.code, refusal.text)),
    };
    let unanswered = {
        let mut guard = session.borrow_mut();
        let Session { handler, call, has_handled, peer_port, .. } = &mut *guard;
        let key = http_key(*peer_port, call.id);
        call.id += 1;
        (call.body, call.end, call.has_surplus) = (None, None, false);
        let reply_to = ReplyTo { peer: 0, id: call.id };
        handler.handle(
            Incoming {
                reply_to,
                path: Some(head.uri.path()),
                body: &body,
                deadline_ns: None,
                key: Some(key),
            },
            call,
        );
        *has_handled = true;
        Unanswered { session: &session, to: reply_to }
    };
    poll_fn(|cx| {
        let call = &mut session.borrow_mut().call;
        if call.end.is_some() || call.has_surplus {
            return Poll::Ready(());
        }
        call.waker = Some(cx.waker().clone());
        Poll::Pending
    })
    .await;
    // Of a call with surplus messages the handler hears that it need not go on.
    drop(unanswered);
    let mut guard = session.borrow_mut();
    let body = guard.call.body.take().unwrap_or_default();
    if guard.call.has_surplus {
        return Ok(error(500, "this method streams, which HTTP/1 does not carry".into()));
    }
    let status = guard.call.end.clone().unwrap_or(Status::new(StatusKind::Internal, ""));
    let pack = header_text(&head.headers, &header::ACCEPT_ENCODING).is_some_and(gzip::is_accepted);
    Ok(match super::code_of(&status) {
        200 => guard.respond(body, pack),
        code => error(code, status.message),
    })
}

fn header_text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The body without its content coding.
fn unpack(headers: &HeaderMap, body: Bytes, limit: usize) -> Result<Bytes, Refusal> {
    let Some(coding) = headers.get(header::CONTENT_ENCODING) else { return Ok(body) };
    match Coding::of(coding.as_bytes()) {
        Coding::Identity => Ok(body),
        Coding::Unknown => {
            let text = format!("the content-encoding {coding:?} is not supported; gzip is");
            Err(Refusal { code: 415, text })
        }
        Coding::Gzip => {
            let mut unpacked = Vec::new();
            gzip::unpack(&body, limit, &mut unpacked).map_err(|error| match error {
                GzipError::TooLarge => Refusal::too_large(limit),
                GzipError::Damaged(reason) => {
                    Refusal { code: 400, text: format!("the request's gzip is damaged: {reason}") }
                }
            })?;
            Ok(Bytes::from(unpacked))
        }
    }
}

/// Reads the whole body, or says why it is refused.
async fn collect(mut body: RequestBody, limit: usize) -> Result<Bytes, Refusal> {
    if body.size_hint().lower() > limit as u64 {
        return Err(Refusal::too_large(limit));
    }
    let damaged = |error| Refusal { code: 400, text: format!("the request's body is damaged: {error}") };
    let mut whole = Bytes::new();
    let mut joined = Vec::new();
    while let Some(frame) = body.frame().await {
        // The request's framing is damaged or its client has gone.
        let Ok(data) = frame.map_err(damaged)?.into_data() else { continue };
        if whole.len() + joined.len() + data.len() > limit {
            return Err(Refusal::too_large(limit));
        }
        if whole.is_empty() && joined.is_empty() {
            whole = data;
        } else {
            joined.extend_from_slice(&std::mem::take(&mut whole));
            joined.extend_from_slice(&data);
        }
    }
    Ok(if joined.is_empty() { whole } else { Bytes::from(joined) })
}
