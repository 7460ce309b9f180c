//! The server's end: tonic's transport server for each connection, with one service for every path.

use std::convert::Infallible;
use std::future::{Future, Ready, poll_fn, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tonic::server::Grpc;
use tonic::transport::server::Connected;
use tower_service::Service;

use super::codec::RawCodec;
use super::session::{Conversation, Reply, Session};
use crate::clock::now_ns;
use crate::transport::counted::{Counted, Counters};
use crate::transport::grpc::{self, MAX_STREAMS, WINDOW_BYTES};
use crate::transport::socket::{Listener, Socket};
use crate::transport::work_timer::WorkTimer;
use crate::transport::{Handler, HandlerFactory, LocalFuture, Server, TransportError, Wiring, listener};

pub(super) struct TonicServer {
    pub(super) listener: Listener,
    pub(super) local: String,
    pub(super) wiring: Arc<Wiring>,
}

impl Server for TonicServer {
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

/// Serves one connection until either end closes it.
async fn serve(stream: Socket, handler: Box<dyn Handler>, wiring: Arc<Wiring>) {
    let session = Session::new(handler, stream.peer_port());
    let counters = Arc::<Counters>::default();
    let stream = Counted::new(stream, Arc::clone(&counters));
    let service = Methods { session: Arc::clone(&session), wiring };
    let incoming = futures_util::stream::iter([Ok::<_, Infallible>(stream)]);
    // Spawns the connection's task and returns, for no more connections are to come.
    let served = tonic::transport::Server::builder()
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_concurrent_streams(u32::from(MAX_STREAMS))
        .http2_max_pending_accept_reset_streams(Some(MAX_STREAMS.into()))
        .serve_with_incoming(service, incoming)
        .await;
    if served.is_ok() {
        let mut timer = WorkTimer::default();
        poll_fn(|cx| session.poll_work(cx, &counters, &mut timer)).await;
    }
}

impl Connected for Counted {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

type BoxFuture<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// The service behind every path.
#[derive(Clone)]
struct Methods {
    session: Arc<Session>,
    wiring: Arc<Wiring>,
}

impl Service<http::Request<Body>> for Methods {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let Self { session, wiring } = self.clone();
        let key = session.next_key();
        Box::pin(async move {
            let gzip = grpc::answers_gzip(request.headers());
            let path = request.uri().path();
            let timeout_ns = grpc::timeout_ns(request.headers());
            let deadline_ns = timeout_ns.map(|ns| now_ns().saturating_add(ns));
            let method = Method { session, path: path.into(), deadline_ns, key };
            let grpc = Grpc::new(RawCodec)
                .max_decoding_message_size(wiring.max_message_bytes)
                .accept_compressed(CompressionEncoding::Gzip);
            let mut grpc = if gzip { grpc.send_compressed(CompressionEncoding::Gzip) } else { grpc };
            if wiring.request_streams.iter().any(|stream| stream == path) {
                return Ok(grpc.streaming(method, request).await);
            }
            Ok(grpc.server_streaming(method, request).await)
        })
    }
}

/// A method as tonic's generated code would have it.
struct Method {
    session: Arc<Session>,
    path: String,
    deadline_ns: Option<u64>,
    key: u64,
}

impl Service<tonic::Request<Bytes>> for Method {
    type Response = tonic::Response<Reply>;
    type Error = tonic::Status;
    type Future = BoxFuture<Self::Response, tonic::Status>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), tonic::Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let reply = self.session.open();
        reply.ask(&self.path, request.get_ref(), self.deadline_ns, Some(self.key));
        Box::pin(async move { reply.begun().await.map(tonic::Response::new) })
    }
}

/// A method whose requests are streams.
impl Service<tonic::Request<tonic::Streaming<Bytes>>> for Method {
    type Response = tonic::Response<Conversation>;
    type Error = tonic::Status;
    type Future = Ready<Result<Self::Response, tonic::Status>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), tonic::Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: tonic::Request<tonic::Streaming<Bytes>>) -> Self::Future {
        let (reply, path) = (self.session.open(), self.path.clone());
        ready(Ok(tonic::Response::new(Conversation { reply, path, requests: Some(request.into_inner()) })))
    }
}
