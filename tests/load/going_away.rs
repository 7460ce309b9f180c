//! A gRPC server that tells every connection to go away while its calls are in flight, as a server does that
//! is restarted or limits the age of connections.

use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, Response};
use tokio::net::{TcpListener, TcpStream};

/// From one answer to the next, once the client was told to go: it has calls in flight meanwhile.
const BETWEEN_ANSWERS: Duration = Duration::from_millis(2);

/// A server that takes so many calls of a connection, says GOAWAY, and then answers them one by one. It lets
/// a client have `streams` calls in flight.
pub fn serve(calls: usize, streams: u32) -> String {
    listen(move |stream| connection(stream, calls, streams))
}

/// A server that takes so many calls of a connection, answers them, and ends it: with a GOAWAY for the calls
/// that it never looked at, and no wait for anything.
pub fn serve_abruptly(calls: usize) -> String {
    listen(move |stream| abrupt_connection(stream, calls))
}

fn listen<C: Future<Output = ()> + 'static>(serve: impl Fn(TcpStream) -> C + Send + 'static) -> String {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap().to_string()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                tokio::task::spawn_local(serve(stream));
            }
        });
    });
    told.recv().unwrap()
}

async fn connection(stream: TcpStream, calls: usize, streams: u32) {
    let mut builder = h2::server::Builder::new();
    let mut connection = builder.max_concurrent_streams(streams).handshake(stream).await.unwrap();
    let mut held = Vec::new();
    while held.len() < calls {
        // The client may leave before.
        let Some(Ok((_, respond))) = connection.accept().await else { return };
        held.push(respond);
    }
    connection.graceful_shutdown();
    let answers = async {
        for respond in held {
            tokio::time::sleep(BETWEEN_ANSWERS).await;
            answer(respond);
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = answers => {}
        // What comes after GOAWAY is none of this connection's.
        () = async { while let Some(Ok(_)) = connection.accept().await {} } => {}
    }
}

async fn abrupt_connection(stream: TcpStream, calls: usize) {
    let stream = stream.into_std().unwrap();
    let mut behind = stream.try_clone().unwrap();
    let mut connection = h2::server::handshake(TcpStream::from_std(stream).unwrap()).await.unwrap();
    let mut last = 0;
    for _ in 0..calls {
        let Some(Ok((_, respond))) = connection.accept().await else { return };
        last = respond.stream_id().as_u32();
        answer(respond);
    }
    // The answers are on their way; the calls that have come meanwhile are not looked at.
    let written = tokio::time::sleep(BETWEEN_ANSWERS);
    tokio::select! {
        _ = std::future::poll_fn(|cx| connection.poll_closed(cx)) => return,
        () = written => {}
    }
    // RFC 9113, 6.8. The library would name every call that it has read.
    let mut goaway = vec![0, 0, 8, 7, 0, 0, 0, 0, 0];
    goaway.extend(last.to_be_bytes());
    goaway.extend([0; 4]);
    // The client may have left before.
    let _ = behind.write_all(&goaway);
}

fn answer(mut respond: SendResponse<Bytes>) {
    let mut stream = respond.send_response(Response::new(()), false).unwrap();
    stream.send_data(Bytes::from_static(b"\0\0\0\0\0"), false).unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    stream.send_trailers(trailers).unwrap();
}
