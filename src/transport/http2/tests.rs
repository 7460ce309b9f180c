//! The client against h2 servers that misbehave, and the server against raw h2 clients.

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request, Response};
use tokio::net::TcpStream;

use super::Http2;
use crate::transport::testing::{
    ECHO, MANY, NEVER, Outcome, TestClient, run, script, start, until, wiring, within,
};
use crate::transport::{StatusKind, TransportError};

type Answer = SendResponse<Bytes>;

fn head(fields: &[(&'static str, &'static str)]) -> Response<()> {
    let mut response = Response::new(());
    for (name, value) in fields {
        response.headers_mut().insert(*name, value.parse().unwrap());
    }
    response
}

/// A server on plain h2 that answers every request with `answer`.
async fn server(
    builder: h2::server::Builder,
    answer: impl Fn(Request<RecvStream>, Answer) + 'static,
) -> String {
    script(move |stream| async move {
        let mut connection = builder.handshake(stream).await.unwrap();
        while let Some(Ok((request, respond))) = connection.accept().await {
            answer(request, respond);
        }
    })
    .await
}

/// One call against a server that answers so; then another, which shows whether the connection lives.
async fn call_against(answer: impl Fn(Answer) + 'static) -> Outcome {
    let address = server(h2::server::Builder::new(), move |_, respond| answer(respond)).await;
    let mut client = TestClient::connect(&Http2, &address, wiring()).await;
    let outcome = client.call(ECHO, b"ping").await.unwrap();
    assert_eq!(client.call(ECHO, b"ping").await.unwrap(), outcome, "the connection lives on");
    outcome
}

fn answer_with(body: &'static [u8], status: &'static str) -> impl Fn(Answer) + 'static {
    move |mut respond| {
        let mut stream = respond.send_response(head(&[]), false).unwrap();
        stream.send_data(Bytes::from_static(body), false).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", status.parse().unwrap());
        trailers.insert("grpc-message", "50%25 d%C3%A9j%C3%A0".parse().unwrap());
        stream.send_trailers(trailers).unwrap();
    }
}

#[test]
fn messages_and_statuses_of_other_servers_are_read() {
    run(async {
        let outcome = call_against(answer_with(b"\0\0\0\0\x02ab\0\0\0\0\0\0\0\0\0\x01c", "14")).await;
        assert_eq!(outcome.messages, [&b"ab"[..], b"", b"c"]);
        let status = outcome.status.unwrap();
        assert_eq!((status.kind, status.code), (StatusKind::Other, Some(14)));
        assert_eq!(status.message, "50% déjà");
        let outcome = call_against(|mut respond| {
            respond.send_response(head(&[("grpc-status", "3"), ("grpc-message", "bad")]), true).unwrap();
        })
        .await;
        assert_eq!(outcome.kind(), Some(StatusKind::BadArguments));
    });
}

#[test]
fn a_reply_that_breaks_the_rules_fails_its_call_only() {
    run(async {
        let protocol = |outcome: Outcome| {
            assert!(matches!(outcome.failed, Some(TransportError::Protocol { .. })), "{outcome:?}");
        };
        protocol(call_against(answer_with(b"\x01\0\0\0\x02ab", "0")).await);
        protocol(call_against(answer_with(b"\x07\0\0\0\x02ab", "0")).await);
        protocol(call_against(answer_with(b"\0\0\0\0\x09ab", "0")).await);
        protocol(call_against(answer_with(b"", "many")).await);
        protocol(
            call_against(|mut respond| {
                let mut response = head(&[]);
                *response.status_mut() = http::StatusCode::BAD_GATEWAY;
                respond.send_response(response, true).unwrap();
            })
            .await,
        );
        protocol(
            call_against(|mut respond| {
                respond.send_response(head(&[]), true).unwrap();
            })
            .await,
        );
        protocol(
            call_against(|mut respond| {
                let page = head(&[("content-type", "text/html; charset=utf-8")]);
                let mut stream = respond.send_response(page, false).unwrap();
                stream.send_data(Bytes::from_static(b"<html>"), true).unwrap();
            })
            .await,
        );
        let huge = call_against(answer_with(b"\0\xff\xff\xff\xff", "0")).await;
        assert!(matches!(huge.failed, Some(TransportError::Refused { .. })), "{huge:?}");
        let reset = call_against(|mut respond| respond.send_reset(Reason::INTERNAL_ERROR)).await;
        assert!(matches!(reset.failed, Some(TransportError::Reset { .. })), "{reset:?}");
    });
}

#[test]
fn a_server_that_takes_two_calls_at_a_time_gets_all_in_the_end() {
    run(async {
        let mut builder = h2::server::Builder::new();
        builder.max_concurrent_streams(2).initial_window_size(1000);
        let address = server(builder, |request, respond| {
            tokio::task::spawn_local(async move {
                let mut body = request.into_body();
                while let Some(Ok(piece)) = body.data().await {
                    body.flow_control().release_capacity(piece.len()).unwrap();
                    tokio::task::yield_now().await;
                }
                answer_with(b"\0\0\0\0\x01c", "0")(respond);
            });
        })
        .await;
        let mut client = TestClient::connect(&Http2, &address, wiring()).await;
        // The settings are known after a first call.
        assert_eq!(client.call(ECHO, b"ping").await.unwrap().messages, [b"c"]);
        for _ in 0..50 {
            client.submit(ECHO, &[5; 5000]).unwrap();
        }
        let queued = client.submit(ECHO, b"not wanted").unwrap();
        assert!(client.connection.cancel(queued));
        let outcomes = client.wait(50).await.unwrap();
        assert!(outcomes.iter().all(|(id, outcome)| *id != queued && outcome.messages == [b"c"]));
    });
}

#[test]
fn calls_beyond_the_most_in_flight_are_refused() {
    run(async {
        let server = start(&Http2, wiring()).await;
        let mut client = TestClient::connect(&Http2, &server.address, wiring()).await;
        for _ in 0..1000 {
            client.submit(ECHO, b"ping").unwrap();
        }
        assert!(matches!(client.submit(ECHO, b"ping"), Err(TransportError::Refused { .. })));
        assert_eq!(client.wait(1000).await.unwrap().len(), 1000);
        assert_eq!(client.call(ECHO, b"ping").await.unwrap().messages, [b"ping"]);
    });
}

#[test]
fn replies_before_a_goaway_are_delivered_and_then_the_connection_is_closed() {
    run(async {
        let address = script(|stream| async move {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            let (_, respond) = connection.accept().await.unwrap().unwrap();
            answer_with(b"\0\0\0\0\x01c", "0")(respond);
            connection.graceful_shutdown();
            while connection.accept().await.is_some() {}
        })
        .await;
        let mut client = TestClient::connect(&Http2, &address, wiring()).await;
        assert_eq!(client.call(ECHO, b"ping").await.unwrap().messages, [b"c"]);
        assert_eq!(client.end().await, TransportError::Closed);
        assert!(client.submit(ECHO, b"ping").is_err());
    });
}

#[test]
fn what_is_not_http2_breaks_the_connection() {
    run(async {
        let address = script(|mut stream| async move {
            use tokio::io::AsyncWriteExt;
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await.unwrap();
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        })
        .await;
        let mut client = TestClient::connect(&Http2, &address, wiring()).await;
        // It has said so before the first call.
        let at_once = client.submit(ECHO, b"ping").unwrap_err();
        let error = client.wait(1).await.unwrap_err();
        for error in [at_once, error] {
            assert!(
                matches!(error, TransportError::Protocol { .. } | TransportError::Reset { .. }),
                "{error}"
            );
        }
    });
}

#[test]
fn a_server_without_settings_of_its_own_is_called_after_a_while() {
    run(async {
        let address = script(|mut stream| async move {
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        })
        .await;
        let begun = std::time::Instant::now();
        let mut client = TestClient::connect(&Http2, &address, wiring()).await;
        assert!(begun.elapsed() >= std::time::Duration::from_secs(1));
        client.submit(ECHO, b"ping").unwrap();
    });
}

/// What the server answers to a raw request: HTTP status and gRPC status.
async fn ask(request: Request<()>, body: &'static [u8]) -> (u16, Option<String>) {
    let server = start(&Http2, wiring()).await;
    let stream = TcpStream::connect(&server.address).await.unwrap();
    let (mut requests, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::task::spawn_local(connection);
    let (response, mut stream) = requests.send_request(request, false).unwrap();
    stream.send_data(Bytes::from_static(body), true).unwrap();
    within(async {
        let mut response = response.await.unwrap();
        let mut status = response.headers().get("grpc-status").cloned();
        while let Some(Ok(_)) = response.body_mut().data().await {}
        if let Some(trailers) = response.body_mut().trailers().await.unwrap() {
            status = trailers.get("grpc-status").cloned();
        }
        (response.status().as_u16(), status.map(|status| status.to_str().unwrap().to_owned()))
    })
    .await
}

#[test]
fn the_server_refuses_what_is_no_grpc_call() {
    run(async {
        let request = |method: &str, media_type: &str| {
            let request = Request::builder().method(method).uri("http://localhost/echo");
            request.header("content-type", media_type).body(()).unwrap()
        };
        let grpc = || request("POST", "application/grpc+proto");
        let status = |code: &str| (200, Some(code.to_owned()));
        assert_eq!(ask(grpc(), b"\0\0\0\0\x01c").await, status("0"));
        assert_eq!(ask(grpc(), b"\x01\0\0\0\x01c").await, status("13"), "compressed, without an encoding");
        for (encoding, code) in [("snappy", "12"), ("identity", "13"), ("gzip", "13")] {
            let mut request = grpc();
            request.headers_mut().insert("grpc-encoding", encoding.parse().unwrap());
            assert_eq!(ask(request, b"\x01\0\0\0\x01c").await, status(code), "{encoding}");
        }
        assert_eq!(ask(grpc(), b"\x02\0\0\0\x01c").await, status("13"));
        assert_eq!(ask(grpc(), b"\0\0\0\0\x09c").await, status("13"));
        assert_eq!(ask(grpc(), b"\0\0\0\0\0\0\0\0\0\0").await, status("13"));
        assert_eq!(ask(grpc(), b"").await, status("13"));
        assert_eq!(ask(grpc(), b"\0\xff\0\0\0").await, status("8"));
        assert_eq!(ask(request("POST", "text/xml"), b"").await, (415, None));
        assert_eq!(ask(request("GET", "application/grpc"), b"").await, (405, None));
    });
}

#[test]
fn a_stream_pauses_while_its_client_does_not_read() {
    run(async {
        let server = start(&Http2, wiring()).await;
        let stream = TcpStream::connect(&server.address).await.unwrap();
        let (mut requests, connection) =
            h2::client::Builder::new().initial_window_size(100).handshake::<_, Bytes>(stream).await.unwrap();
        tokio::task::spawn_local(connection);
        let request = Request::builder().method("POST").uri("http://localhost/many");
        let request = request.header("content-type", "application/grpc").body(()).unwrap();
        let (response, mut stream) = requests.send_request(request, false).unwrap();
        stream.send_data(Bytes::from_static(&[0; 5]), true).unwrap();
        let body = within(response).await.unwrap().into_body();
        // Never read; another call on the same connection is answered all the same.
        let mut client = TestClient::connect(&Http2, &server.address, wiring()).await;
        assert_eq!(client.call(MANY, b"").await.unwrap().kind(), Some(StatusKind::Ok));
        drop((body, stream));
        until(|| server.cancelled.load(std::sync::atomic::Ordering::SeqCst) == 1).await;
    });
}

#[test]
fn many_cancelled_calls_do_not_end_the_connection() {
    run(async {
        let server = start(&Http2, wiring()).await;
        let mut client = TestClient::connect(&Http2, &server.address, wiring()).await;
        for _ in 0..5 {
            let ids: Vec<_> = (0..200).map(|_| client.submit(NEVER, b"").unwrap()).collect();
            assert_eq!(client.call(ECHO, b"ping").await.unwrap().messages, [b"ping"]);
            assert!(ids.into_iter().all(|id| client.connection.cancel(id)));
        }
        assert_eq!(client.call(ECHO, b"ping").await.unwrap().messages, [b"ping"]);
        until(|| server.cancelled.load(std::sync::atomic::Ordering::SeqCst) == 1000).await;
    });
}
