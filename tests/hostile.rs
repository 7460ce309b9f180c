//! Clients that break every rule against our servers, and servers that do against our client: a server
//! lives on, keeps its memory and answers others; a client says what was wrong, in time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/interop.rs"]
mod interop;
#[path = "support/said.rs"]
mod said;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use interop::{Server, peak_kibibytes};
use said::said;
use tempfile::TempDir;

const SCENARIO: &str = "name = \"s\"\n[methods.add]\nparams = { a = \"int\", b = \"int\" }\nreturns = { echo = \"a\" }\n[methods.blob]\nparams = { a = \"bytes\" }\nreturns = { echo = \"a\" }\n[backends.b]\nprotocol = \"binary-tcp\"\n";

/// Every protocol with a server of its own, and its URLs' scheme.
const PROTOCOLS: [(&str, &str); 5] = [
    ("binary-tcp", "binary+tcp"),
    ("grpc", "grpc+http"),
    ("grpc-tonic", "grpc-tonic+http"),
    ("xmlrpc", "xmlrpc+http"),
    ("zerorpc", "zerorpc+tcp"),
];

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// An HTTP/2 frame.
fn h2(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A ZMTP greeting and the READY of a DEALER.
fn zmtp() -> Vec<u8> {
    let mut greeting = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL".to_vec();
    greeting.resize(64, 0);
    greeting.extend_from_slice(b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER");
    greeting
}

fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 8).unwrap().to_be_bytes();
    [&length[..], &7_u64.to_be_bytes(), body].concat()
}

fn posted(head: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST / HTTP/1.1\r\nHost: h\r\n{head}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// What breaks the rules of a protocol.
fn attacks(protocol: &str) -> Vec<Vec<u8>> {
    let mut attacks = vec![vec![], vec![0], vec![0xff; 1000], b"GET / HTTP/1.1\r\n\r\n".to_vec()];
    match protocol {
        "binary-tcp" => attacks.extend([
            b"\xff\xff\xff\xffabc".to_vec(),
            b"\0\0\0\x07abcdefg".to_vec(),
            b"\x03\xff\xff\xffabc".to_vec(),
            framed(b""),
            framed(b"\xff\xff\xff\xff\xff\xff"),
            framed(b"\x02\xff\xfe"),
            framed(b"\x04blob\xff\xff\xff\xff\x0f"),
        ]),
        "xmlrpc" => attacks.extend([
            posted("", b"<methodCall><methodName>\xff\xfe</methodName></methodCall>"),
            posted("", &b"<value><array><data>".repeat(50_000)),
            posted(
                "",
                b"<!DOCTYPE x [<!ENTITY a \"aaaa\">]><methodCall><methodName>&a;</methodName></methodCall>",
            ),
            posted("Content-Type: application/json\r\n", b"{}"),
            posted(&format!("X: {}\r\n", "a".repeat(1 << 20)), b""),
            posted(&"X: a\r\n".repeat(5_000), b""),
            posted("Content-Length: 5\r\n", b"123"),
            posted("Content-Encoding: gzip\r\n", b"no gzip"),
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n".to_vec(),
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n".to_vec(),
            b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffff\r\n".to_vec(),
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Le".to_vec(),
        ]),
        "zerorpc" => {
            let message = |payload: &[u8]| {
                let length = u64::try_from(payload.len()).unwrap().to_be_bytes();
                [&zmtp()[..], b"\x01\0\x02", &length, payload].concat()
            };
            let call = b"\x93\x82\xaamessage_id\xa1x\xa1v\x03\xa4blob";
            attacks.extend([
                zmtp()[..40].to_vec(),
                message(b"\x93\x80"),
                message(&[&call[..], &[0x91; 100_000]].concat()),
                message(&[&call[..], b"\xdd\xff\xff\xff\xff"].concat()),
                message(&[&call[..], b"\x91\xc6\xff\xff\xff\xff"].concat()),
                [&zmtp()[..], b"\x04\x07\x04PING\0\x0a"].concat(),
                [&zmtp()[..], &b"\x01\x01a".repeat(10_000)].concat(),
            ]);
        }
        _ => {
            let head = b"\x83\x86\x44\x02/a\x41\x01h\x5f\x10application/grpc";
            let open = h2(1, 4, 1, head);
            let after = |frames: &[u8]| [PREFACE, frames].concat();
            attacks.extend([
                after(&h2(0, 0, 1, &[0; 20_000])),
                after(&h2(1, 4, 0, head)),
                after(&h2(1, 4, 1, &[0xff; 50])),
                after(&h2(8, 0, 0, &[0; 4])),
                after(&h2(8, 0, 0, b"\x7f\xff\xff\xff").repeat(3)),
                after(&h2(4, 0, 0, b"\0\x04\xff\xff\xff\xff")),
                after(&h2(5, 4, 1, b"\0\0\0\x02abc")),
                after(&[h2(1, 0, 1, b"\x82"), h2(9, 0, 1, b"\0\x01a\x05hello").repeat(10_000)].concat()),
                after(&[open.clone(), h2(0, 1, 1, b"\0\xff\xff\xff\xff")].concat()),
                after(&[open, h2(0, 1, 1, b"\x01\0\0\0\x02ab")].concat()),
                after(
                    &(0..2_000)
                        .flat_map(|n| [h2(1, 4, 2 * n + 1, head), h2(3, 0, 2 * n + 1, &[0; 4])].concat())
                        .collect::<Vec<_>>(),
                ),
                after(&h2(6, 0, 0, b"12345678").repeat(10_000)),
            ]);
        }
    }
    attacks
}

#[test]
fn a_server_lives_through_clients_that_break_every_rule() {
    let home = TempDir::new().unwrap();
    std::fs::write(home.path().join("s.toml"), SCENARIO).unwrap();
    let scenario = home.path().join("s.toml");
    let scenario = scenario.to_str().unwrap();
    for (protocol, scheme) in PROTOCOLS {
        let server = Server::ours(scenario, &["--protocol", protocol]);
        let url = format!("{scheme}://{}", server.address);
        let answers = |what: &str| {
            let called = said(home.path(), &["call", &url, "add", "[2, 3]", "--scenario", scenario]);
            assert_eq!(called.out, "2\n", "{protocol} after {what}: {}", called.err);
        };
        let connect = || TcpStream::connect(&server.address).unwrap();
        for attack in attacks(protocol) {
            // The server may hang up before all of it is written.
            let _ = connect().write_all(&attack);
            let mut half = connect();
            let _ = half.write_all(&attack);
            let _ = half.shutdown(std::net::Shutdown::Write);
            answers(&format!("{:?}", String::from_utf8_lossy(&attack[..attack.len().min(80)])));
        }
        // Many that begin and never go on; the beginnings are good.
        let beginning = match protocol {
            "binary-tcp" => b"\0\0\0".to_vec(),
            "xmlrpc" => b"POST / HT".to_vec(),
            "zerorpc" => zmtp(),
            _ => PREFACE[..20].to_vec(),
        };
        let slow: Vec<TcpStream> = (0..300).map(|_| connect()).collect();
        for mut stream in &slow {
            stream.write_all(&beginning).unwrap();
        }
        answers("many slow connections");
        let kibibytes = peak_kibibytes(&server);
        assert!(kibibytes < 150 << 10, "{protocol}: {kibibytes} KiB");
    }
}

/// A server that answers the first bytes of a connection with these, again and again where `endless`.
fn answering(answer: Vec<u8>, endless: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, answer) = (stream.unwrap(), answer.clone());
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 65_536]);
                while stream.write_all(&answer).is_ok() && endless {}
                // Held until the client goes.
                let _ = stream.read_to_end(&mut Vec::new());
            });
        }
    });
    address
}

#[test]
fn a_client_says_what_a_server_did_wrong_and_does_not_hang() {
    let home = TempDir::new().unwrap();
    std::fs::write(home.path().join("s.toml"), SCENARIO).unwrap();
    let http = |head: &str, body: &str| format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}").into_bytes();
    let settings = [h2(4, 0, 0, b""), h2(4, 1, 0, b"")].concat();
    let late = "no answer within";
    for (scheme, answer, endless, words) in [
        ("xmlrpc+http", vec![], false, late),
        ("xmlrpc+http", b"garbage\r\n\r\n".to_vec(), false, "the reply is not HTTP"),
        ("xmlrpc+http", http("X: a\r\n", "")[..25].to_vec(), false, late),
        (
            "xmlrpc+http",
            [&http("", "")[..17], &b"X: a\r\n".repeat(20_000)].concat(),
            false,
            "too many headers",
        ),
        ("xmlrpc+http", [&http("", "")[..17], &[b'a'; 100_000]].concat(), false, "head is larger"),
        ("xmlrpc+http", http("Content-Length: 99999999999\r\n", "a"), false, "larger than"),
        ("xmlrpc+http", http("Content-Length: 5\r\n", "hello"), false, "the answer breaks the protocol"),
        ("xmlrpc+http", b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(), true, late),
        ("xmlrpc+http", b"a".repeat(65_536), true, "head is larger"),
        ("binary+tcp", vec![], false, late),
        ("binary+tcp", b"\xff\xff\xff\xff".to_vec(), false, "a frame of 4294967295 bytes"),
        ("binary+tcp", framed(b"\0\x04"), true, late),
        ("grpc+http", vec![], false, late),
        ("grpc+http", settings.clone(), false, late),
        ("grpc+http", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), false, "the answer breaks the protocol"),
        ("grpc+http", [&settings[..], &h2(7, 0, 0, &[0; 8])].concat(), false, "the connection ended"),
        ("grpc+http", [&settings[..9], &h2(6, 0, 0, &[0; 8]).repeat(1_000)].concat(), true, late),
        ("grpc-tonic+http", settings, false, late),
    ] {
        let url = format!("{scheme}://{}", answering(answer.clone(), endless));
        let args = ["call", &url, "add", "[2, 3]", "--scenario", "s.toml", "--timeout", "300ms"];
        let begun = Instant::now();
        let called = said(home.path(), &args);
        let shown = String::from_utf8_lossy(&answer[..answer.len().min(60)]).into_owned();
        assert_eq!(called.code, 3, "{scheme} {shown:?}: {}", called.err);
        assert!(called.err.contains(words), "{scheme} {shown:?}: {}", called.err);
        // Far more than the time-out, for machines that are busy.
        assert!(begun.elapsed() < Duration::from_secs(10), "{scheme} {shown:?}");
    }
}

/// A server of `binary-tcp` that answers every call with this fault.
fn failing(message: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 12];
            while stream.read_exact(&mut head).is_ok() {
                let (length, id) = head.split_at(4);
                let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
                stream.read_exact(&mut vec![0; length - 8]).unwrap();
                let message = [&[u8::try_from(message.len()).unwrap()], message.as_bytes()].concat();
                let body = [b"\x01\x02\x04Evil", &message[..]].concat();
                let length = u32::try_from(body.len() + 8).unwrap().to_be_bytes();
                stream.write_all(&[&length[..], id, &body].concat()).unwrap();
            }
        }
    });
    address
}

#[test]
fn an_error_of_a_server_reaches_the_terminal_without_escape_sequences() {
    let home = TempDir::new().unwrap();
    std::fs::write(home.path().join("s.toml"), SCENARIO).unwrap();
    let url = format!("binary+tcp://{}", failing("\u{1b}]0;owned\u{7}\u{9b}31mred\nnext"));
    let called = said(home.path(), &["call", &url, "add", "[2, 3]", "--scenario", "s.toml"]);
    assert_eq!(called.code, 1, "{}", called.err);
    assert!(called.err.contains("owned") && called.err.contains("red\nnext"), "{:?}", called.err);
    assert!(!called.err.chars().any(|c| c.is_control() && c != '\n'), "{:?}", called.err);
}
