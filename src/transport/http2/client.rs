//! The client's end: polls h2's connection and the streams that it woke.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, SendStream};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, header};

use super::framing::{Buffers, Framed, Unsent};
use super::stream::{Progress, Reply};
use super::wakeups::{StreamWaker, Wakeups};
use super::{DATA_FRAME_BUDGET, MAX_HEADER_LIST_BYTES, ROUNDS_PER_POLL};
use crate::clock::now_ns;
use crate::transport::counted::{Counted, Counters};
use crate::transport::grpc::{self, MAX_STREAMS, WINDOW_BYTES};
use crate::transport::socket::Socket;
use crate::transport::{Connection, Delivery, Opening, Outgoing, Traffic, TransportError, Wiring};

/// How long a server's settings are waited for.
const SETTINGS_LIMIT: Duration = Duration::from_secs(1);

pub(super) struct Client {
    requests: SendRequest<Framed>,
    connection: h2::client::Connection<Counted, Framed>,
    uris: Vec<Uri>,
    headers: HeaderMap,
    buffers: Buffers,
    unsent: Unsent,
    gzip: bool,
    max_message_bytes: usize,
    calls: Vec<Place>,
    free: Vec<usize>,
    /// Calls that the server's `SETTINGS_MAX_CONCURRENT_STREAMS` keeps back; with those in flight
    /// never more than [`MAX_STREAMS`].
    queue: VecDeque<Queued>,
    wakeups: Arc<Wakeups>,
    connection_waker: Waker,
    woken: Vec<usize>,
    counters: Arc<Counters>,
    port: u16,
    /// The key of the call that was submitted last.
    key: Option<u64>,
    opening: Opening,
    /// Why the connection is over; told once what had arrived is delivered.
    over: Option<TransportError>,
}

/// A place for a call in flight, with what is used again by the next.
struct Place {
    call: Option<Call>,
    reply: Reply,
    note: Arc<StreamWaker>,
    waker: Waker,
}

struct Call {
    id: u64,
    request: SendStream<Framed>,
}

struct Queued {
    id: u64,
    method: usize,
    metadata: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Client {
    pub(super) async fn open(
        stream: Socket,
        mut opening: Opening,
        target: &str,
        wiring: &Wiring,
    ) -> Result<Self, TransportError> {
        let uri = |path: &String| {
            let path = PathAndQuery::try_from(path.as_str());
            let parts = path.map(|path| {
                Uri::builder().scheme("http").authority(wiring.authority(target)).path_and_query(path)
            });
            let uri = parts.map_err(http::Error::from).and_then(http::uri::Builder::build);
            uri.map_err(|error| TransportError::Refused {
                reason: format!("no request can go there: {error}"),
            })
        };
        let uris = wiring.paths.iter().map(uri).collect::<Result<Vec<_>, _>>()?;
        let media_type = HeaderValue::from_str(&wiring.media_type).map_err(|error| {
            TransportError::Refused { reason: format!("{:?} is no media type: {error}", wiring.media_type) }
        })?;
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, media_type);
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static("wirebench"));
        if let Some(timeout_ns) = wiring.timeout_ns
            && let Ok(timeout) = HeaderValue::from_str(&grpc::encode_timeout(timeout_ns))
        {
            headers.insert("grpc-timeout", timeout);
        }

        if wiring.gzip {
            headers.insert("grpc-encoding", HeaderValue::from_static("gzip"));
            headers.insert("grpc-accept-encoding", HeaderValue::from_static(grpc::ACCEPTED_ENCODINGS));
        }
        let counters = Arc::<Counters>::default();
        let port = stream.local_port();
        let begun_ns = now_ns();
        let (requests, mut connection) = h2::client::Builder::new()
            .initial_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_header_list_size(MAX_HEADER_LIST_BYTES)
            .max_concurrent_reset_streams(MAX_STREAMS.into())
            .data_frame_budget(DATA_FRAME_BUDGET)
            .enable_push(false)
            .handshake(Counted::new(stream, Arc::clone(&counters)))
            .await
            .map_err(TransportError::reset)?;
        let over = settings(&mut connection, &counters).await;
        opening.handshake_ns = now_ns().saturating_sub(begun_ns);

        let wakeups = Arc::<Wakeups>::default();
        let connection_waker = Waker::from(Arc::clone(&wakeups));
        // The first poll starts the connection, and nobody has woken it yet.
        connection_waker.wake_by_ref();
        Ok(Self {
            requests,
            connection,
            uris,
            headers,
            buffers: Buffers::default(),
            unsent: Unsent::default(),
            gzip: wiring.gzip,
            max_message_bytes: wiring.max_message_bytes,
            calls: Vec::new(),
            free: Vec::new(),
            queue: VecDeque::new(),
            wakeups,
            connection_waker,
            woken: Vec::new(),
            counters,
            port,
            key: None,
            opening,
            over,
        })
    }

    fn in_flight(&self) -> usize {
        self.calls.len() - self.free.len() + self.queue.len()
    }

    /// Whether h2 takes another request now; where not, the connection is woken when it does.
    fn poll_ready(&mut self) -> Poll<Result<(), TransportError>> {
        let cx = &mut Context::from_waker(&self.connection_waker);
        self.requests.poll_ready(cx).map_err(TransportError::reset)
    }

    fn begin(
        &mut self,
        id: u64,
        method: usize,
        metadata: &[(String, String)],
        body: &mut Vec<u8>,
    ) -> Result<(), TransportError> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = self.uris[method].clone();
        *request.headers_mut() = self.headers.clone();
        for (name, value) in metadata {
            let header = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value));
            if let (Ok(name), Ok(value)) = header {
                request.headers_mut().append(name, value);
            }
        }
        let (response, mut stream) =
            self.requests.send_request(request, false).map_err(TransportError::reset)?;
        // h2 keeps what the peer's window has no room for and sends it as the window opens.
        let framed = self.buffers.frame(body, self.gzip, &self.unsent);
        stream.send_data(framed, true).map_err(TransportError::reset)?;
        self.key = Some(super::key_of(self.port, stream.stream_id()));
        self.occupy(Call { id, request: stream }, response);
        Ok(())
    }

    fn occupy(&mut self, call: Call, response: ResponseFuture) {
        let index = self.free.pop().unwrap_or_else(|| {
            let note = StreamWaker::new(self.calls.len(), &self.wakeups);
            let waker = Waker::from(Arc::clone(&note));
            self.calls.push(Place { call: None, reply: Reply::default(), note, waker });
            self.calls.len() - 1
        });
        let place = &mut self.calls[index];
        place.call = Some(call);
        place.reply.expect(response);
        // Its first poll registers the waker.
        place.waker.wake_by_ref();
    }

    fn vacate(&mut self, index: usize) {
        self.calls[index].call = None;
        self.calls[index].reply.clear();
        self.free.push(index);
    }

    fn poll_connection(&mut self) {
        let cx = &mut Context::from_waker(&self.connection_waker);
        let Poll::Ready(result) = Pin::new(&mut self.connection).poll(cx) else { return };
        self.over = Some(ending(result));
    }

    fn begin_queued(&mut self, sink: &mut dyn FnMut(Delivery<'_>)) {
        while !self.queue.is_empty() && self.over.is_none() {
            let ready = match self.poll_ready() {
                Poll::Pending => return,
                Poll::Ready(ready) => ready,
            };
            let Some(mut queued) = self.queue.pop_front() else { return };
            if let Err(error) = ready {
                sink(Delivery::Unsent { id: queued.id, error });
            } else if let Err(error) =
                self.begin(queued.id, queued.method, &queued.metadata, &mut queued.body)
            {
                sink(Delivery::Failed { id: queued.id, error });
            }
        }
    }

    fn read_replies(&mut self, sink: &mut dyn FnMut(Delivery<'_>)) {
        let mut woken = std::mem::take(&mut self.woken);
        self.wakeups.take_streams(&mut woken);
        for &index in &woken {
            let place = &mut self.calls[index];
            place.note.rearm();
            let Some(call) = &mut place.call else { continue };
            let id = call.id;
            let cx = &mut Context::from_waker(&place.waker);
            let limit = self.max_message_bytes;
            let progress = place.reply.poll(cx, limit, |body| sink(Delivery::Message { id: Some(id), body }));
            match progress {
                Progress::Pending => continue,
                Progress::Ended(status) => sink(Delivery::End { id, status }),
                // The connection's end is told once, not for every call; which calls the server never looked
                // at is told even then.
                Progress::Failed(_) if self.over.is_some() => continue,
                Progress::Unseen(error) => sink(Delivery::Unsent { id, error }),
                Progress::Failed(error) => {
                    call.request.send_reset(Reason::CANCEL);
                    sink(Delivery::Failed { id, error });
                }
            }
            self.vacate(index);
        }
        self.woken = woken;
    }

    fn drive(&mut self, sink: &mut dyn FnMut(Delivery<'_>)) -> Poll<TransportError> {
        for _ in 0..ROUNDS_PER_POLL {
            if self.over.is_none() && self.wakeups.take_connection() {
                self.poll_connection();
            }
            self.begin_queued(sink);
            self.read_replies(sink);
            let in_flight = self.in_flight();
            if let Some(error) = &mut self.over {
                if *error == TransportError::Closed && in_flight > 0 {
                    *error = TransportError::reset(format!("closed with {in_flight} calls in flight"));
                }
                return Poll::Ready(error.clone());
            }
            if !self.wakeups.is_woken() {
                return Poll::Pending;
            }
        }
        Poll::Pending
    }

    /// Ends a round in which wake-ups were noted only; those that are left wake the task.
    fn leave(&self, cx: &Context<'_>) {
        self.wakeups.leave();
        if self.over.is_some() || self.wakeups.is_woken() {
            cx.waker().wake_by_ref();
        }
    }
}

/// Waits for the server's settings, as gRPC's own clients do before their first call. One that sends none
/// for a while is called all the same. Says whether the connection is over already.
async fn settings(
    connection: &mut h2::client::Connection<Counted, Framed>,
    counters: &Counters,
) -> Option<TransportError> {
    let arrived = std::future::poll_fn(|cx| match Pin::new(&mut *connection).poll(cx) {
        Poll::Ready(result) => Poll::Ready(Some(ending(result))),
        Poll::Pending if counters.traffic().received_bytes > 0 => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    tokio::time::timeout(SETTINGS_LIMIT, arrived).await.unwrap_or(None)
}

fn ending(result: Result<(), h2::Error>) -> TransportError {
    match result {
        Ok(()) => TransportError::Closed,
        Err(error) if error.is_io() || error.is_remote() => TransportError::reset(error),
        Err(error) => TransportError::protocol(error.to_string()),
    }
}

impl Connection for Client {
    fn submit(&mut self, outgoing: Outgoing<'_>) -> Result<(), TransportError> {
        let Outgoing { id, method, metadata, body } = outgoing;
        if let Some(error) = &self.over {
            return Err(error.clone());
        }
        if method >= self.uris.len() {
            return Err(TransportError::Refused { reason: format!("there is no path for method {method}") });
        }
        if self.in_flight() >= usize::from(MAX_STREAMS) {
            let reason = format!("{MAX_STREAMS} calls are in flight; open another connection");
            return Err(TransportError::Refused { reason });
        }
        // The caller flushes or polls next, so h2 need not wake its task for that.
        self.wakeups.enter(None);
        let result = match self.poll_ready() {
            Poll::Ready(Ok(())) if self.queue.is_empty() => self.begin(id, method, metadata, body),
            Poll::Ready(Err(error)) => Err(error),
            _ => {
                let body = std::mem::take(body);
                self.key = None;
                self.queue.push_back(Queued { id, method, metadata: metadata.to_vec(), body });
                Ok(())
            }
        };
        self.wakeups.leave();
        result
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Result<(), TransportError> {
        self.wakeups.enter(Some(cx.waker()));
        // An end is told by `poll`, after what came before it.
        if self.over.is_none() && self.wakeups.take_connection() {
            self.poll_connection();
        }
        self.leave(cx);
        Ok(())
    }

    fn poll(&mut self, cx: &mut Context<'_>, sink: &mut dyn FnMut(Delivery<'_>)) -> Poll<TransportError> {
        self.wakeups.enter(Some(cx.waker()));
        let result = self.drive(sink);
        if result.is_ready() {
            self.wakeups.leave();
        } else {
            self.leave(cx);
        }
        result
    }

    fn key(&self, _id: u64) -> Option<u64> {
        self.key
    }

    fn cancel(&mut self, id: u64) -> bool {
        let found = self.calls.iter().position(|place| place.call.as_ref().is_some_and(|call| call.id == id));
        if let Some(index) = found {
            if let Some(call) = &mut self.calls[index].call {
                call.request.send_reset(Reason::CANCEL);
            }
            self.vacate(index);
        } else {
            self.queue.retain(|queued| queued.id != id);
        }
        true
    }

    fn traffic(&self) -> Traffic {
        self.counters.traffic()
    }

    fn opening(&self) -> Opening {
        self.opening
    }
}
