//! What our gRPC servers do that no ordinary client shows: a bare HTTP/2 client sends deadlines,
//! encodings and conversations by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request};
use wirebench::host::{Serve, serve_in_process};
use wirebench::protocol::registry;
use wirebench::rpc::{Answer, Delay, Field, Hold, How, Method, Service, ServiceMethod, Type};

const PATIENCE: Duration = Duration::from_secs(20);
/// Longer than any test waits.
const SLOW_NS: u64 = 10_000_000_000;

fn method(name: &str, how: Option<How>, stream_items: Option<u64>) -> ServiceMethod {
    ServiceMethod {
        method: Method {
            name: name.into(),
            params: vec![Field::new("value", Type::Text)],
            returns: Type::Text,
        },
        answer: Answer::Echo(0),
        stream_items,
        delay: how.map(|how| Delay { hold: Hold::Fixed(SLOW_NS), stall: None, how }),
        fail_rate: 0.0,
    }
}

fn start(protocol: &str) -> String {
    let protocol = registry::named(protocol, false).unwrap();
    let service = Arc::new(Service {
        name: "wire".into(),
        seed: 1,
        methods: vec![
            method("echo", None, None),
            method("sleeps", Some(How::Sleep), None),
            method("computes", Some(How::Busy), None),
            method("late_feed", Some(How::Sleep), Some(3)),
            method("endless", None, Some(u64::MAX)),
        ],
    });
    let wiring = protocol.wiring(&service, 16, 1).unwrap();
    serve_in_process(Serve { protocol, service, wiring, spin: false, log: None }, &[]).unwrap()
}

/// `value = "hi"`, with its prefix.
const HI: &[u8] = b"\0\0\0\0\x04\x0a\x02hi";

/// What came back: the messages' bytes, and the headers and trailers together.
struct Reply {
    body: Vec<u8>,
    fields: HeaderMap,
}

impl Reply {
    fn status(&self) -> &str {
        self.fields["grpc-status"].to_str().unwrap()
    }
}

fn ask(address: &str, path: &str, headers: &[(&'static str, &str)], body: &[u8]) -> Reply {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let asked = async {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        // h2's own limit takes a fast stream of small items for an attack.
        let mut client = h2::client::Builder::new();
        let handshake = client.data_frame_budget(64 << 20).handshake(stream);
        let (mut requests, connection) = handshake.await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method("POST")
            .uri(format!("http://{address}{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (response, mut stream) = requests.send_request(request.body(()).unwrap(), false).unwrap();
        stream.send_data(Bytes::copy_from_slice(body), true).unwrap();
        let (head, mut body) = response.await.unwrap().into_parts();
        let mut reply = Reply { body: Vec::new(), fields: head.headers };
        while let Some(piece) = body.data().await {
            let piece = piece.unwrap();
            body.flow_control().release_capacity(piece.len()).unwrap();
            reply.body.extend_from_slice(&piece);
        }
        reply.fields.extend(body.trailers().await.unwrap().unwrap_or_default());
        reply
    };
    runtime.block_on(async { tokio::time::timeout(PATIENCE, asked).await.expect("no answer") })
}

#[test]
fn a_call_ends_at_its_deadline_whatever_the_server_does_meanwhile() {
    for (protocol, expected) in [("grpc", "4"), ("grpc-tonic", "1")] {
        let address = start(protocol);
        for method in ["sleeps", "computes", "late_feed", "endless"] {
            let begun = Instant::now();
            let reply = ask(&address, &format!("/wirebench.wire/{method}"), &[("grpc-timeout", "150m")], HI);
            // tonic watches the time, too, until a reply begins, and calls it CANCELLED.
            assert!([expected, "4"].contains(&reply.status()), "{protocol} {method}: {:?}", reply.fields);
            let elapsed = begun.elapsed();
            assert!(elapsed >= Duration::from_millis(150) && elapsed < Duration::from_secs(8), "{elapsed:?}");
            assert_eq!(method == "endless", !reply.body.is_empty(), "{protocol} {method}");
        }
        let reply = ask(&address, "/wirebench.wire/sleeps", &[("grpc-timeout", "0n")], HI);
        assert!([expected, "4"].contains(&reply.status()), "{protocol}: {:?}", reply.fields);
        for timeout in ["5S", "soon"] {
            let reply = ask(&address, "/wirebench.wire/echo", &[("grpc-timeout", timeout)], HI);
            assert_eq!((reply.status(), &*reply.body), ("0", HI), "{protocol} {timeout}");
        }
    }
}

#[test]
fn gzip_is_read_and_other_encodings_are_refused_with_the_ones_that_are_taken() {
    use std::io::Write as _;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&HI[5..]).unwrap();
    let packed = gzip.finish().unwrap();
    let packed = [&[1][..], &u32::try_from(packed.len()).unwrap().to_be_bytes(), &packed].concat();
    for protocol in ["grpc", "grpc-tonic"] {
        let address = start(protocol);
        let ask =
            |encoding, body| ask(&address, "/wirebench.wire/echo", &[("grpc-encoding", encoding)], body);
        let reply = ask("gzip", &packed);
        assert_eq!((reply.status(), &*reply.body), ("0", HI), "{protocol}: answered uncompressed");
        assert_eq!(ask("gzip", HI).status(), "0", "{protocol}: not every message has to be compressed");
        let refused = ask("snappy", &packed);
        assert_eq!(refused.status(), "12", "{protocol}");
        let accepted = refused.fields["grpc-accept-encoding"].to_str().unwrap();
        assert!(accepted.contains("gzip"), "{protocol}: {accepted}");
        assert_eq!(ask("identity", &packed).status(), "13", "{protocol}");
    }
}

#[test]
fn reflection_answers_each_message_of_its_stream_and_ends_with_it() {
    for protocol in ["grpc", "grpc-tonic"] {
        let address = start(protocol);
        for version in ["v1", "v1alpha"] {
            let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
            let list = b"\0\0\0\0\x03\x3a\x01*";
            let reply = ask(&address, &path, &[], &[&list[..], list].concat());
            assert_eq!(reply.status(), "0", "{protocol} {version}");
            let name = b"wirebench.wire";
            let found = reply.body.windows(name.len()).filter(|window| window == name).count();
            assert_eq!(found, 2, "{protocol} {version}");
            let none = ask(&address, &path, &[], b"");
            assert_eq!((none.status(), none.body.len()), ("0", 0), "{protocol} {version}");
            let cut = ask(&address, &path, &[], &list[..6]);
            assert_ne!(cut.status(), "0", "{protocol} {version}: a message cut short");
            let damaged = ask(&address, &path, &[], b"\0\0\0\0\x02\x3a\x09");
            assert_eq!(damaged.status(), "3", "{protocol} {version}");
        }
    }
}
