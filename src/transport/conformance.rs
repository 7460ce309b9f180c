//! What every transport of the registry must do; a new one is covered without being told.

use super::testing::{
    ECHO, FAULT, LARGE, LATE, LIMIT_BYTES, MANY, MANY_MESSAGES, NEVER, PACED, PACED_MESSAGES, TestClient,
    UNKNOWN, many_message, run, start, until, wiring, within,
};
use super::{ALL, Delivery, NULL, StatusKind, Transport, TransportError};
use std::sync::atomic::Ordering;
use std::task::Poll;

/// Transports with a network.
fn networked() -> impl Iterator<Item = &'static dyn Transport> {
    ALL.iter().copied().filter(|transport| transport.name() != NULL)
}

/// Those that tell the handler a path, so that it behaves by it.
fn with_paths() -> impl Iterator<Item = &'static dyn Transport> {
    networked().filter(|transport| transport.carries().method)
}

fn streaming() -> impl Iterator<Item = &'static dyn Transport> {
    with_paths().filter(|transport| transport.max_in_flight() > 1)
}

fn sample(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 % 251) as u8).collect()
}

#[test]
fn bodies_of_every_size_come_back_as_they_were_sent() {
    run(async {
        for transport in networked() {
            let server = start(transport, wiring()).await;
            let mut client = TestClient::connect(transport, &server.address, wiring()).await;
            for length in [5, 0, 1, 255, 256, 4096, 4097, 16_384, 70_000, 1 << 20, 5 << 20, 3] {
                let body = sample(length);
                let outcome = client.call(ECHO, &body).await.unwrap();
                assert!(outcome.messages == [body], "{} with {length} bytes", transport.name());
                if transport.carries().status {
                    assert_eq!(outcome.kind(), Some(StatusKind::Ok));
                }
            }
            let traffic = client.connection.traffic();
            assert!(traffic.sent_bytes > 6 << 20, "{}: {traffic:?}", transport.name());
            assert!(traffic.received_bytes > 6 << 20, "{}: {traffic:?}", transport.name());
        }
    });
}

#[test]
fn a_thousand_calls_follow_one_another_on_a_connection() {
    run(async {
        for transport in networked() {
            let server = start(transport, wiring()).await;
            let mut client = TestClient::connect(transport, &server.address, wiring()).await;
            for call in 0..1000_u32 {
                let outcome = client.call(ECHO, &call.to_be_bytes()).await.unwrap();
                assert_eq!(outcome.messages, [call.to_be_bytes()], "{}", transport.name());
            }
        }
    });
}

#[test]
fn calls_in_flight_do_not_mix() {
    run(async {
        for transport in networked().filter(|transport| transport.max_in_flight() > 1) {
            let server = start(transport, wiring()).await;
            let mut client = TestClient::connect(transport, &server.address, wiring()).await;
            for in_flight in [64, 300] {
                let mut expected = Vec::new();
                for call in 0..in_flight {
                    let method = if transport.carries().method && call % 3 == 0 { LATE } else { ECHO };
                    let body = sample(call * 7);
                    expected.push((client.submit(method, &body).unwrap(), body));
                }
                let outcomes = client.wait(in_flight).await.unwrap();
                for (id, body) in expected {
                    let found =
                        outcomes.iter().filter(|(_, outcome)| outcome.messages == [body.clone()]).count();
                    assert_eq!(found, 1, "{}", transport.name());
                    if transport.carries().id {
                        assert!(
                            outcomes
                                .iter()
                                .any(|(other, outcome)| *other == id && outcome.messages == [&body[..]])
                        );
                    }
                }
            }
        }
    });
}

/// Every frame that has been read is answered, also where the replies of one turn are more than a server
/// keeps unsent: the client sends nothing more that would wake it.
#[test]
fn calls_in_flight_are_answered_though_their_replies_are_more_than_a_turn_holds() {
    const SHARED_WRITE_BATCH: usize = 65_536;
    run(async {
        for transport in networked() {
            for write_batch in [1, 16, SHARED_WRITE_BATCH] {
                let batched = || super::Wiring { write_batch, ..wiring() };
                let server = start(transport, batched()).await;
                let mut client = TestClient::connect(transport, &server.address, batched()).await;
                // A large message first, so that one read holds many of the calls that follow.
                client.call(ECHO, &sample(5 << 20)).await.unwrap();
                for (in_flight, length) in [(8, 1 << 20), (1000, 4000), (200, 50_000)] {
                    let in_flight = if transport.max_in_flight() > 1 { in_flight } else { 1 };
                    let body = sample(length);
                    for _ in 0..in_flight {
                        client.submit(ECHO, &body).unwrap();
                    }
                    let outcomes = client.wait(in_flight).await.unwrap();
                    let what = format!("{}, {in_flight} of {length} bytes", transport.name());
                    let answered = outcomes.iter().map(|(_, outcome)| outcome.messages.len()).sum::<usize>();
                    assert_eq!(answered, in_flight, "{what}, batches of {write_batch}");
                    assert!(
                        outcomes.iter().flat_map(|(_, outcome)| &outcome.messages).all(|got| *got == body)
                    );
                }
            }
        }
    });
}

#[test]
fn several_server_threads_answer() {
    run(async {
        for transport in networked() {
            let several = || super::Wiring { server_threads: 2, ..wiring() };
            let server = start(transport, several()).await;
            for _ in 0..3 {
                let mut client = TestClient::connect(transport, &server.address, several()).await;
                assert_eq!(client.call(ECHO, b"hello").await.unwrap().messages, [b"hello"]);
            }
        }
    });
}

#[test]
fn an_answer_may_come_late_or_be_a_fault_or_a_refusal() {
    run(async {
        for transport in with_paths() {
            let server = start(transport, wiring()).await;
            let mut client = TestClient::connect(transport, &server.address, wiring()).await;
            for _ in 0..3 {
                let late = client.call(LATE, b"later").await.unwrap();
                assert_eq!(
                    (late.messages, late.status.unwrap().kind),
                    (vec![b"later".to_vec()], StatusKind::Ok)
                );
                let fault = client.call(FAULT, b"why").await.unwrap();
                assert_eq!(fault.kind(), Some(StatusKind::Application), "{}", transport.name());
                // Over HTTP/1 the body of an error is its text.
                let expected: &[&[u8]] = if transport.name() == "http1" { &[] } else { &[b"why"] };
                assert_eq!(fault.messages, expected);
                assert_eq!(fault.status.unwrap().message, "it failed, à dessein: 100%");
                let unknown = client.call(UNKNOWN, b"").await.unwrap();
                assert_eq!(unknown.kind(), Some(StatusKind::UnknownMethod), "{}", transport.name());
                assert!(unknown.messages.is_empty());
            }
        }
    });
}

#[test]
fn messages_over_the_limit_are_refused_both_ways() {
    run(async {
        for transport in with_paths() {
            let server = start(transport, wiring()).await;
            let mut client = TestClient::connect(transport, &server.address, wiring()).await;
            let outcome = client.call(ECHO, &sample(LIMIT_BYTES + 1)).await.unwrap();
            let status = outcome.status.unwrap();
            // 11 is OUT_OF_RANGE, which is what tonic says.
            let is_refused = status.kind == StatusKind::TooLarge || status.code == Some(11);
            assert!(is_refused, "{}: {status:?}", transport.name());
            let mut client = TestClient::connect(transport, &server.address, wiring()).await;
            let error = match client.call(LARGE, b"").await {
                Ok(outcome) => outcome.failed.expect("too large a message is not delivered"),
                Err(error) => error,
            };
            assert!(matches!(error, TransportError::Refused { .. }), "{}: {error}", transport.name());
        }
    });
}

#[test]
fn a_stream_arrives_complete_and_in_order() {
    run(async {
        for transport in streaming() {
            let server = start(transport, wiring()).await;
            let mut client = TestClient::connect(transport, &server.address, wiring()).await;
            for _ in 0..2 {
                let outcome = client.call(MANY, b"").await.unwrap();
                assert_eq!(outcome.messages.len(), MANY_MESSAGES, "{}", transport.name());
                for (index, message) in outcome.messages.iter().enumerate() {
                    assert!(*message == many_message(index), "{} message {index}", transport.name());
                }
                assert_eq!(outcome.kind(), Some(StatusKind::Ok));
            }
        }
    });
}

#[test]
fn an_item_reaches_the_client_while_the_stream_goes_on() {
    run(async {
        for transport in streaming() {
            let server = start(transport, wiring()).await;
            let mut client = TestClient::connect(transport, &server.address, wiring()).await;
            client.submit(PACED, b"").unwrap();
            let arrived = &server.arrived;
            // The handler sends no item before the last one was counted here.
            within(std::future::poll_fn(|cx| {
                let ended = client.connection.poll(cx, &mut |delivery| {
                    if matches!(delivery, Delivery::Message { .. }) {
                        arrived.fetch_add(1, Ordering::SeqCst);
                    }
                });
                assert!(ended.is_pending(), "{}: {ended:?}", transport.name());
                let is_all = arrived.load(Ordering::SeqCst) == PACED_MESSAGES;
                if is_all { Poll::Ready(()) } else { Poll::Pending }
            }))
            .await;
        }
    });
}

#[test]
fn a_stream_that_is_not_read_does_not_hold_up_the_other_calls_of_its_connection() {
    run(async {
        for transport in streaming().filter(|transport| transport.name().starts_with("http2")) {
            let server = start(transport, wiring()).await;
            let stream = tokio::net::TcpStream::connect(&server.address).await.unwrap();
            let mut builder = h2::client::Builder::new();
            builder.initial_window_size(64 << 10).initial_connection_window_size(1 << 20);
            let (mut sender, connection) = builder.handshake::<_, &[u8]>(stream).await.unwrap();
            tokio::task::spawn_local(connection);
            let mut begin = || {
                let request = http::Request::post("http://localhost/many");
                let request = request.header("content-type", "application/grpc").body(()).unwrap();
                let (response, mut body) = sender.send_request(request, false).unwrap();
                body.send_data(b"\0\0\0\0\0", true).unwrap();
                response
            };
            // Three are never read, so that their buffers fill as far as they may.
            let mut unread = Vec::new();
            for _ in 0..3 {
                unread.push(within(begin()).await.unwrap().into_body());
            }
            let mut body = within(begin()).await.unwrap().into_body();
            let mut bytes = 0;
            while let Some(piece) = within(body.data()).await {
                let piece = piece.unwrap();
                bytes += piece.len();
                body.flow_control().release_capacity(piece.len()).unwrap();
            }
            let expected: usize = (0..MANY_MESSAGES).map(|index| many_message(index).len() + 5).sum();
            assert_eq!(bytes, expected, "{}", transport.name());
        }
    });
}

#[test]
fn a_cancelled_call_reaches_the_handler_and_the_next_call_works_where_it_says_so() {
    run(async {
        for transport in with_paths() {
            let server = start(transport, wiring()).await;
            let mut client = TestClient::connect(transport, &server.address, wiring()).await;
            let id = client.begin(NEVER, b"").await;
            until(|| server.received.load(Ordering::SeqCst) == 1).await;
            let cancelled = || server.cancelled.load(Ordering::SeqCst);
            if transport.max_in_flight() > 1 {
                assert_eq!(client.call(ECHO, b"first").await.unwrap().messages, [b"first"]);
                assert!(client.connection.cancel(id));
                assert_eq!(client.call(ECHO, b"second").await.unwrap().messages, [b"second"]);
            } else {
                assert!(!client.connection.cancel(id));
                assert!(client.submit(ECHO, b"").is_err());
                drop(client);
            }
            until(|| cancelled() == 1).await;
        }
    });
}

#[test]
fn a_connection_dropped_with_calls_in_flight_cancels_them() {
    run(async {
        for transport in with_paths() {
            let server = start(transport, wiring()).await;
            let mut client = TestClient::connect(transport, &server.address, wiring()).await;
            client.begin(NEVER, b"").await;
            until(|| server.received.load(Ordering::SeqCst) == 1).await;
            drop(client);
            until(|| server.cancelled.load(Ordering::SeqCst) == 1).await;
        }
    });
}

#[test]
fn a_server_that_dies_in_mid_call_ends_the_connection() {
    for transport in with_paths() {
        let (address, kill) = dying_server(transport);
        run(async {
            let mut client = TestClient::connect(transport, &address, wiring()).await;
            assert_eq!(client.call(ECHO, b"alive").await.unwrap().messages, [b"alive"]);
            client.begin(NEVER, b"").await;
            kill.send(()).unwrap();
            let error = client.wait(1).await.expect_err("the call has no answer");
            assert!(
                matches!(error, TransportError::Reset { .. } | TransportError::Closed),
                "{}: {error}",
                transport.name()
            );
            let again = client.end().await;
            assert!(matches!(again, TransportError::Reset { .. } | TransportError::Closed));
            assert!(client.submit(ECHO, b"").is_err(), "{}", transport.name());
        });
    }
}

/// A server on a thread and runtime of its own, which ends with all its connections when told.
fn dying_server(transport: &'static dyn Transport) -> (String, tokio::sync::oneshot::Sender<()>) {
    let (kill, killed) = tokio::sync::oneshot::channel();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        run(async {
            let server = start(transport, wiring()).await;
            tell.send(server.address.clone()).unwrap();
            let _ = killed.await;
        });
    });
    (told.recv().unwrap(), kill)
}
