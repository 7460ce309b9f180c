//! The client's end: a boxed future per call over one tonic channel.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::{AbortHandle, Abortable, Aborted};
use futures_util::stream::FuturesUnordered;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use hyper_util::rt::TokioIo;
use tonic::client::Grpc;
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Extensions, Request};

use super::codec::RawCodec;
use crate::clock::now_ns;
use crate::transport::counted::{Counted, Counters};
use crate::transport::grpc::{self, MAX_STREAMS, WINDOW_BYTES};
use crate::transport::socket::Socket;
use crate::transport::{
    Connection, Delivery, Opening, Outgoing, Status, Traffic, TransportError, Wiring, http_key,
};

type Call = Pin<Box<dyn Future<Output = Result<(), Aborted>>>>;

pub(super) struct Client {
    grpc: Grpc<Channel>,
    paths: Vec<PathAndQuery>,
    calls: FuturesUnordered<Call>,
    /// The calls in flight, at most [`MAX_STREAMS`].
    handles: HashMap<u64, AbortHandle>,
    events: Events,
    counters: Arc<Counters>,
    /// Calls so far: tonic opens their streams in the order in which they were submitted.
    submitted: u64,
    port: u16,
    opening: Opening,
    over: Option<TransportError>,
}

/// What calls have to tell. Bounded by the flow-control window: what arrives in one poll.
type Events = Rc<RefCell<VecDeque<(u64, Event)>>>;

enum Event {
    Message(Bytes),
    Ended(Status),
    /// The connection takes no more calls.
    Unsent(TransportError),
    /// The same, and the server did not look at this one, unless the whole connection is over.
    Unseen(TransportError),
    Failed(TransportError),
}

/// Connects to the socket that is open already, once: tonic would connect again behind our back.
struct Once(Option<Counted>);

impl tower_service::Service<Uri> for Once {
    type Response = TokioIo<Counted>;
    type Error = std::io::Error;
    type Future = Ready<std::io::Result<TokioIo<Counted>>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _uri: Uri) -> Self::Future {
        ready(self.0.take().map(TokioIo::new).ok_or(std::io::ErrorKind::NotConnected.into()))
    }
}

impl Client {
    pub(super) async fn open(
        stream: Socket,
        mut opening: Opening,
        target: &str,
        wiring: &Wiring,
    ) -> Result<Self, TransportError> {
        let failed = |error: tonic::transport::Error| TransportError::Connect {
            target: target.into(),
            reason: chain(&error),
        };
        let path = |path: &String| {
            PathAndQuery::try_from(path.as_str()).map_err(|error| TransportError::Refused {
                reason: format!("no request can go to {path:?}: {error}"),
            })
        };
        let paths = wiring.paths.iter().map(path).collect::<Result<_, _>>()?;
        let counters = Arc::<Counters>::default();
        let port = stream.local_port();
        let begun_ns = now_ns();
        let channel = Endpoint::from_shared(format!("http://{}", wiring.authority(target)))
            .and_then(|endpoint| endpoint.user_agent("wirebench"))
            .map_err(failed)?
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .connect_with_connector(Once(Some(Counted::new(stream, Arc::clone(&counters)))))
            .await
            .map_err(failed)?;
        opening.handshake_ns = now_ns().saturating_sub(begun_ns);
        let grpc = Grpc::new(channel)
            .max_decoding_message_size(wiring.max_message_bytes)
            .accept_compressed(CompressionEncoding::Gzip);
        let grpc = if wiring.gzip { grpc.send_compressed(CompressionEncoding::Gzip) } else { grpc };
        Ok(Self {
            grpc,
            paths,
            calls: FuturesUnordered::new(),
            handles: HashMap::new(),
            events: Events::default(),
            counters,
            submitted: 0,
            port,
            opening,
            over: None,
        })
    }

    /// Lets the calls get on.
    fn advance(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(_)) = self.calls.poll_next_unpin(cx) {}
    }

    fn deliver(&mut self, sink: &mut dyn FnMut(Delivery<'_>)) {
        loop {
            // Not held while the sink runs.
            let Some((id, event)) = self.events.borrow_mut().pop_front() else { return };
            if !self.handles.contains_key(&id) {
                // Cancelled meanwhile.
                continue;
            }
            match event {
                Event::Message(body) => sink(Delivery::Message { id: Some(id), body: &body }),
                Event::Ended(status) => {
                    self.handles.remove(&id);
                    sink(Delivery::End { id, status });
                }
                Event::Unsent(error) => {
                    self.handles.remove(&id);
                    sink(Delivery::Unsent { id, error });
                }
                // The connection's end is told once, not for every call.
                Event::Failed(_) | Event::Unseen(_) if self.counters.is_gone() => {}
                Event::Unseen(error) => {
                    self.handles.remove(&id);
                    sink(Delivery::Unsent { id, error });
                }
                Event::Failed(error) => {
                    self.handles.remove(&id);
                    sink(Delivery::Failed { id, error });
                }
            }
        }
    }
}

/// Makes a call and tells what comes back.
async fn call(
    mut grpc: Grpc<Channel>,
    request: Request<Vec<u8>>,
    path: PathAndQuery,
    id: u64,
    events: Events,
) {
    let tell = |event| events.borrow_mut().push_back((id, event));
    if let Err(error) = grpc.ready().await {
        return tell(Event::Unsent(TransportError::reset(chain(&error))));
    }
    // A unary call is a stream of one message; tonic's `unary` is this and a check of the number.
    let mut replies = match grpc.server_streaming(request, path, RawCodec).await {
        Ok(response) => response.into_inner(),
        Err(status) => return tell(ending(&status, false)),
    };
    loop {
        match replies.message().await {
            Ok(Some(body)) => tell(Event::Message(body)),
            Ok(None) => return tell(Event::Ended(grpc::status(0, String::new()))),
            Err(status) => return tell(ending(&status, true)),
        }
    }
}

/// Tells a server's status from what went wrong on the way, which has a source.
fn ending(status: &tonic::Status, is_reading: bool) -> Event {
    if status.source().is_some() {
        return broken(status)(TransportError::reset(chain(status)));
    }
    // The only way to know tonic's own refusal of a message: a server's comes before any message.
    let is_own = status.code() == Code::OutOfRange && status.message().contains("message length too large");
    if is_reading && is_own {
        return Event::Failed(TransportError::Refused { reason: status.message().into() });
    }
    let code = u32::try_from(i32::from(status.code())).unwrap_or(2);
    Event::Ended(grpc::status(code, status.message().into()))
}

/// What a connection's trouble means for a call. hyper gives back what it has not sent when the server says
/// GOAWAY, and tonic then asks for the second connection that [`Once`] refuses; a call that has a stream may
/// be beyond the last one that the server looks at (RFC 9113, 6.8).
fn broken(status: &tonic::Status) -> fn(TransportError) -> Event {
    let mut cause = status.source();
    while let Some(error) = cause {
        let is_canceled = error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled);
        let refused = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if is_canceled || refused == Some(std::io::ErrorKind::NotConnected) {
            return Event::Unsent;
        }
        if error.downcast_ref::<h2::Error>().is_some_and(|error| error.is_go_away() && error.is_remote()) {
            return Event::Unseen;
        }
        cause = error.source();
    }
    Event::Failed
}

/// An error with its causes, which tonic keeps to itself.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl Connection for Client {
    fn submit(&mut self, outgoing: Outgoing<'_>) -> Result<(), TransportError> {
        let Outgoing { id, method, metadata, body } = outgoing;
        if let Some(error) = &self.over {
            return Err(error.clone());
        }
        let Some(path) = self.paths.get(method) else {
            return Err(TransportError::Refused { reason: format!("there is no path for method {method}") });
        };
        if self.handles.len() >= usize::from(MAX_STREAMS) {
            let reason = format!("{MAX_STREAMS} calls are in flight; open another connection");
            return Err(TransportError::Refused { reason });
        }
        let mut headers = HeaderMap::new();
        for (name, value) in metadata {
            let header = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value));
            if let (Ok(name), Ok(value)) = header {
                headers.append(name, value);
            }
        }
        let metadata = MetadataMap::from_headers(headers);
        let request = Request::from_parts(metadata, Extensions::default(), std::mem::take(body));
        let call = call(self.grpc.clone(), request, path.clone(), id, Rc::clone(&self.events));
        let (handle, registration) = AbortHandle::new_pair();
        self.handles.insert(id, handle);
        self.calls.push(Box::pin(Abortable::new(call, registration)));
        self.submitted += 1;
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Result<(), TransportError> {
        // tonic's own tasks write when they have their turn.
        self.advance(cx);
        if !self.events.borrow().is_empty() {
            cx.waker().wake_by_ref();
        }
        Ok(())
    }

    fn poll(&mut self, cx: &mut Context<'_>, sink: &mut dyn FnMut(Delivery<'_>)) -> Poll<TransportError> {
        if let Some(error) = &self.over {
            return Poll::Ready(error.clone());
        }
        let gone = self.counters.poll_gone(cx);
        self.advance(cx);
        self.deliver(sink);
        // What had arrived is delivered first: the calls that are left end with an error.
        if gone.is_pending() || !self.calls.is_empty() {
            return Poll::Pending;
        }
        let error = match self.handles.len() {
            0 => TransportError::Closed,
            in_flight => TransportError::reset(format!("closed with {in_flight} calls in flight")),
        };
        self.over = Some(error.clone());
        Poll::Ready(error)
    }

    fn key(&self, _id: u64) -> Option<u64> {
        Some(http_key(self.port, self.submitted.checked_sub(1)?))
    }

    fn cancel(&mut self, id: u64) -> bool {
        if let Some(handle) = self.handles.remove(&id) {
            handle.abort();
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
