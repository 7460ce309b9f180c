//! The client against raw sockets that misbehave, and the server against raw requests.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Http1;
use crate::transport::gzip;
use crate::transport::testing::{ECHO, LIMIT_BYTES, Outcome, TestClient, run, script, start, wiring, within};
use crate::transport::{StatusKind, TransportError};

/// Reads a request's head and body (which the tests keep short).
async fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"ping") {
        assert!(stream.read_buf(&mut request).await.unwrap() > 0);
    }
    String::from_utf8(request).unwrap()
}

/// Answers one call with `pieces`, each in a segment of its own, and then stays open or closes.
async fn call_against(
    pieces: Vec<Vec<u8>>,
    close: bool,
) -> (Result<Outcome, TransportError>, Option<TransportError>) {
    let address = script(move |mut stream| async move {
        read_request(&mut stream).await;
        for piece in pieces {
            stream.write_all(&piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        if !close {
            // Open until the client hangs up.
            let _ = stream.read(&mut [0]).await;
        }
    })
    .await;
    let mut client = TestClient::connect(&Http1, &address, wiring()).await;
    let outcome = client.call(ECHO, b"ping").await;
    let ended = if close || outcome.is_err() { Some(client.end().await) } else { None };
    (outcome, ended)
}

fn by_byte(text: &[u8]) -> Vec<Vec<u8>> {
    text.iter().map(|byte| vec![*byte]).collect()
}

#[test]
fn the_request_is_what_http_asks_for() {
    run(async {
        let (tell, told) = tokio::sync::oneshot::channel();
        let address = script(move |mut stream| async move {
            tell.send(read_request(&mut stream).await).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        })
        .await;
        let mut client = TestClient::connect(&Http1, &address, wiring()).await;
        assert_eq!(client.call(ECHO, b"ping").await.unwrap().messages, [b""]);
        let expected = format!(
            "POST /echo HTTP/1.1\r\nHost: {address}\r\nUser-Agent: wirebench\r\nContent-Type: application/grpc\r\nContent-Length: 4\r\nx-test: 1\r\n\r\nping"
        );
        let request = told.await.unwrap();
        assert_eq!(request, expected);
        let traffic = client.connection.traffic();
        assert_eq!(traffic.sent_bytes, expected.len() as u64);
        assert_eq!(traffic.received_bytes, 38);
    });
}

#[test]
fn chunked_and_unframed_and_split_replies_are_read() {
    run(async {
        let chunked =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\npo\r\n2;a=b\r\nng\r\n0\r\n\r\n";
        let (outcome, _) = call_against(vec![chunked.to_vec()], false).await;
        assert_eq!(outcome.unwrap().messages, [b"pong"]);
        let (outcome, _) = call_against(by_byte(chunked), false).await;
        assert_eq!(outcome.unwrap().messages, [b"pong"]);
        let (outcome, ended) = call_against(by_byte(b"HTTP/1.0 200 OK\r\n\r\npong"), true).await;
        let outcome = outcome.unwrap();
        assert_eq!((outcome.kind(), outcome.messages), (Some(StatusKind::Ok), vec![b"pong".to_vec()]));
        assert_eq!(ended, Some(TransportError::Closed));
        let headers = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 4\r\n\r\npong";
        let (outcome, _) = call_against(by_byte(headers), false).await;
        assert_eq!(outcome.unwrap().messages, [b"pong"]);
    });
}

#[test]
fn an_announced_close_comes_after_the_delivery() {
    run(async {
        let reply = b"HTTP/1.1 404 Not Here\r\nConnection: close\r\nContent-Length: 4\r\n\r\npong";
        let (outcome, ended) = call_against(vec![reply.to_vec()], true).await;
        let outcome = outcome.unwrap();
        assert!(outcome.messages.is_empty());
        let status = outcome.status.unwrap();
        assert_eq!((status.kind, status.code), (StatusKind::UnknownMethod, Some(404)));
        assert_eq!(status.message, "pong");
        assert_eq!(ended, Some(TransportError::Closed));
    });
}

#[test]
fn the_text_of_an_error_is_its_body_or_else_its_reason() {
    run(async {
        for (reply, text) in [
            (&b"HTTP/1.1 500 Oh\r\nContent-Length: 8\r\n\r\nno room\n"[..], "no room"),
            (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", "Oh"),
            (b"HTTP/1.1 500 Oh\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n<p>x", "Oh"),
        ] {
            let (outcome, _) = call_against(vec![reply.to_vec()], false).await;
            assert_eq!(outcome.unwrap().status.unwrap().message, text);
        }
    });
}

#[test]
fn packed_replies_are_unpacked_under_the_limit() {
    run(async {
        let reply = |body: &[u8]| {
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            [head.as_bytes(), body].concat()
        };
        let packed = gzip::pack(b"pong");
        let (outcome, _) = call_against(by_byte(&reply(&packed)), false).await;
        assert_eq!(outcome.unwrap().messages, [b"pong"]);
        let (head, tail) = packed.split_at(9);
        let mut chunked =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n".to_vec();
        for chunk in [head, tail, b""] {
            chunked.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            chunked.extend_from_slice(chunk);
            chunked.extend_from_slice(b"\r\n");
        }
        let (outcome, _) = call_against(by_byte(&chunked), false).await;
        assert_eq!(outcome.unwrap().messages, [b"pong"]);
        let bomb = gzip::pack(&vec![0; LIMIT_BYTES + 1]);
        let (outcome, _) = call_against(vec![reply(&bomb)], false).await;
        assert!(matches!(outcome, Err(TransportError::Refused { .. })), "{outcome:?}");
        let (outcome, _) = call_against(vec![reply(b"pong")], false).await;
        assert!(matches!(outcome, Err(TransportError::Protocol { .. })), "{outcome:?}");
        let other = b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 4\r\n\r\npong";
        let (outcome, _) = call_against(vec![other.to_vec()], false).await;
        assert!(matches!(outcome, Err(TransportError::Protocol { .. })), "{outcome:?}");
    });
}

#[test]
fn garbage_and_huge_claims_break_the_connection_at_once() {
    run(async {
        for reply in [
            &b"\x16\x03\x01garbage"[..],
            b"HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\npong",
            b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\npong",
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\npong",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff0\r\npong",
        ] {
            let (outcome, ended) = call_against(vec![reply.to_vec()], false).await;
            let error = outcome.unwrap_err();
            assert!(
                matches!(error, TransportError::Protocol { .. } | TransportError::Refused { .. }),
                "{}: {error}",
                reply.escape_ascii()
            );
            assert_eq!(ended, Some(error));
        }
    });
}

#[test]
fn garbage_after_the_reply_comes_after_the_delivery() {
    run(async {
        let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npongHTTP/1.1 200 OK\r\n\r\n";
        for pieces in [vec![reply.to_vec()], by_byte(reply)] {
            let (outcome, ended) = call_against(pieces, true).await;
            assert_eq!(outcome.unwrap().messages, [b"pong"]);
            assert!(matches!(ended, Some(TransportError::Protocol { .. })), "{ended:?}");
        }
    });
}

#[test]
fn a_reply_cut_short_is_a_broken_connection() {
    run(async {
        for reply in [
            &b""[..],
            b"HTTP/1.1 20",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\npong",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npong\r\n",
        ] {
            let (outcome, _) = call_against(vec![reply.to_vec()], true).await;
            let error = outcome.unwrap_err();
            assert!(matches!(error, TransportError::Reset { .. }), "{}: {error}", reply.escape_ascii());
        }
    });
}

#[test]
fn an_idle_connection_notices_its_end_and_a_second_call_in_flight_is_refused() {
    run(async {
        let address = script(|stream| async move { drop(stream) }).await;
        let mut client = TestClient::connect(&Http1, &address, wiring()).await;
        assert_eq!(client.end().await, TransportError::Closed);
        let server = start(&Http1, wiring()).await;
        let mut client = TestClient::connect(&Http1, &server.address, wiring()).await;
        client.submit(ECHO, b"one").unwrap();
        assert!(matches!(client.submit(ECHO, b"two"), Err(TransportError::Refused { .. })));
        assert_eq!(client.wait(1).await.unwrap()[0].1.messages, [b"one"]);
    });
}

/// What the server answers to raw bytes, until it closes.
async fn ask(request: &[u8]) -> String {
    String::from_utf8(ask_bytes(request).await).unwrap().to_ascii_lowercase()
}

async fn ask_bytes(request: &[u8]) -> Vec<u8> {
    let server = start(&Http1, wiring()).await;
    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    within(stream.read_to_end(&mut answer)).await.unwrap();
    answer
}

#[test]
fn the_server_takes_and_gives_gzip() {
    run(async {
        let request = |headers: &str, body: &[u8]| {
            let head = format!(
                "POST /echo HTTP/1.1\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n",
                body.len()
            );
            [head.as_bytes(), body].concat()
        };
        let gzip = "Content-Encoding: gzip\r\n";
        let answer = ask(&request(gzip, &gzip::pack(b"ping"))).await;
        assert!(answer.starts_with("http/1.1 200") && answer.ends_with("\r\n\r\nping"), "{answer}");
        let answer = ask(&request(gzip, b"ping")).await;
        assert!(answer.starts_with("http/1.1 400") && answer.contains("gzip is damaged"), "{answer}");
        let answer = ask(&request(gzip, &gzip::pack(&vec![0; LIMIT_BYTES + 1]))).await;
        assert!(answer.starts_with("http/1.1 413") && answer.contains("larger than"), "{answer}");
        let answer = ask(&request("Content-Encoding: br\r\n", b"ping")).await;
        assert!(answer.starts_with("http/1.1 415") && answer.contains("not supported"), "{answer}");
        let asking = "Accept-Encoding: gzip\r\n";
        let (small, large) = (vec![b'x'; 1400], vec![b'x'; 1401]);
        let answer = ask(&request(asking, &small)).await;
        assert!(!answer.contains("content-encoding") && answer.ends_with('x'), "{answer}");
        let answer = ask_bytes(&request(asking, &large)).await;
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        assert!(String::from_utf8_lossy(&answer[..end]).contains("content-encoding: gzip"));
        let mut unpacked = Vec::new();
        gzip::unpack(&answer[end..], 10_000, &mut unpacked).unwrap();
        assert_eq!(unpacked, large);
        let answer = ask(&request("", &large)).await;
        assert!(!answer.contains("content-encoding") && answer.ends_with('x'), "{answer}");
    });
}

#[test]
fn the_server_answers_http_1_0_and_refuses_what_is_no_call() {
    run(async {
        let old = ask(b"POST /echo HTTP/1.0\r\nContent-Length: 4\r\n\r\nping").await;
        assert!(old.starts_with("http/1.0 200") && old.ends_with("\r\n\r\nping"), "{old}");
        assert!(old.contains("content-length: 4") && old.contains("content-type: application/grpc"), "{old}");
        let get = ask(b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(get.starts_with("http/1.1 405") && get.contains("allow: post"), "{get}");
        let huge = format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", LIMIT_BYTES + 1);
        let huge = ask(huge.as_bytes()).await;
        assert!(huge.starts_with("http/1.1 413") && huge.contains("connection: close"), "{huge}");
        let bad = ask(b"POST /echo HTTP/1.1\r\nContent-Length: -1\r\n\r\n").await;
        assert!(bad.starts_with("http/1.1 400"), "{bad}");
        let stream = ask(b"POST /many HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
        assert!(stream.starts_with("http/1.1 500") && stream.contains("streams"), "{stream}");
        let unknown = ask(b"POST /x HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
        assert!(
            unknown.starts_with("http/1.1 404 not found") && unknown.ends_with("\r\n\r\nno such path"),
            "{unknown}"
        );
    });
}
