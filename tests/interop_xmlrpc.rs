//! XML-RPC against the real thing: CPython's ServerProxy calls our server, our client calls CPython's
//! SimpleXMLRPCServer, and raw sockets say what no client would.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/caller.rs"]
mod caller;
#[path = "support/interop.rs"]
mod interop;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use caller::{Caller, list, method, record, service, text};
use interop::{Pair, Server, python};
use wirebench::protocol::registry;
use wirebench::rpc::{CallError, Fault, FaultKind, Field, Service, Type, Value, validator1};

const TO_OURS: Pair =
    Pair { protocol: "xmlrpc", client: "CPython `ServerProxy`", server: "`wirebench serve`" };
const FROM_OURS: Pair =
    Pair { protocol: "xmlrpc", client: "wirebench", server: "CPython `SimpleXMLRPCServer`" };
const RAW: Pair = Pair { protocol: "xmlrpc", client: "raw HTTP", server: "`wirebench serve`" };

fn ours() -> Server {
    Server::ours("xmlrpc.toml", &["--protocol", "xmlrpc", "--xmlrpc-i8"])
}

#[test]
fn cpythons_client_calls_our_server() {
    let Some(python) = python(&["xmlrpc.client"]) else { return };
    let server = ours();
    let suite = Server::ours("validator1", &["--protocol", "xmlrpc"]);
    TO_OURS.script_proves(&python, "xmlrpc_client.py", &[&server.address, &suite.address]);
}

/// What `tests/python/xmlrpc_server.py` serves, as far as the tests call it.
fn theirs() -> Arc<Service> {
    let part = Type::Struct(vec![Field::new("name", Type::Text), Field::new("weights", list(Type::Float))]);
    let nested = Type::Struct(vec![Field::new("id", Type::Int), Field::new("parts", list(part))]);
    let echo = |name: &str, ty: Type| method(name, &[("value", ty.clone())], ty);
    let mut methods = vec![
        echo("echo_nil", Type::Nil),
        echo("echo_bool", Type::Bool),
        echo("echo_int", Type::Int),
        echo("echo_float", Type::Float),
        echo("echo_text", Type::Text),
        echo("echo_bytes", Type::Bytes),
        echo("echo_time", Type::Time),
        echo("echo_nested", nested),
        method("fault", &[("code", Type::Int), ("text", Type::Text)], Type::Nil),
        method("breaks", &[], Type::Nil),
        method("big", &[], Type::Int),
        method("nope", &[], Type::Nil),
        method("system.listMethods", &[], list(Type::Text)),
        method("system.methodSignature", &[("name", Type::Text)], Type::Text),
        method("system.multicall", &[("calls", list(Type::Any))], list(Type::Any)),
    ];
    methods.extend(validator1::service().methods);
    service(methods)
}

/// Our client, for one server. A connection that closed after its reply is followed by another.
struct Client {
    address: String,
    caller: Option<Caller>,
    connections: usize,
}

impl Client {
    fn new(server: &Server) -> Self {
        Self { address: server.address.clone(), caller: None, connections: 0 }
    }

    fn call(&mut self, method: &str, arguments: &[Value]) -> Result<Value, CallError> {
        let Self { address, caller, connections } = self;
        let caller = caller.get_or_insert_with(|| {
            *connections += 1;
            Caller::connect(&registry::named("xmlrpc", true).unwrap(), &theirs(), address, 1)
        });
        let answer = caller.call(method, arguments);
        // HTTP/1.0 closes after the reply.
        if !caller.is_open() {
            self.caller = None;
        }
        answer
    }

    fn echoes(&mut self, method: &str, value: &Value) {
        assert_eq!(self.call(method, std::slice::from_ref(value)).as_ref(), Ok(value), "{method}");
    }

    fn fault(&mut self, method: &str, arguments: &[Value]) -> Fault {
        match self.call(method, arguments) {
            Err(CallError::Remote(fault)) => fault,
            other => panic!("{method}: {other:?}"),
        }
    }
}

fn nested() -> Value {
    let part = |name: &str, weights: &[f64]| {
        let weights = Value::List(weights.iter().copied().map(Value::Float).collect());
        record(&[("name", text(name)), ("weights", weights)])
    };
    record(&[
        ("id", Value::Int(7)),
        ("parts", Value::List(vec![part("<é>", &[0.5, -1.0, 1e300]), part("", &[])])),
    ])
}

#[test]
fn our_client_calls_cpythons_server() {
    let Some(python) = python(&["xmlrpc.server"]) else { return };
    let server = Server::script(&python, "xmlrpc_server.py", &["1.1"]);
    let mut client = Client::new(&server);
    FROM_OURS.proves("nil, boolean, int, double and string", || {
        client.echoes("echo_nil", &Value::Nil);
        client.echoes("echo_bool", &Value::Bool(true));
        for int in [0, -1, i64::from(i32::MAX), i64::from(i32::MIN)] {
            client.echoes("echo_int", &Value::Int(int));
        }
        for float in [0.0, -0.5, 0.1, 1e300, 5e-324] {
            client.echoes("echo_float", &Value::Float(float));
        }
        // Not a carriage return: CPython writes it bare, and XML then makes a newline of it.
        for string in ["", " two  spaces ", "tab\t line\n", "<&>'\"]]>&amp;"] {
            client.echoes("echo_text", &text(string));
        }
    });
    FROM_OURS.proves("Unicode text", || client.echoes("echo_text", &text("ÄÖÜ Ж 語 🦀 \u{2028}\u{feff}")));
    FROM_OURS.proves("dateTime and base64", || {
        client.echoes("echo_time", &Value::Time(1_700_000_000));
        client.echoes("echo_time", &Value::Time(-1));
        client.echoes("echo_bytes", &Value::Bytes((0..=255).cycle().take(5000).collect()));
        client.echoes("echo_bytes", &Value::Bytes(Vec::new()));
    });
    FROM_OURS.proves("nested structs and arrays", || client.echoes("echo_nested", &nested()));
    FROM_OURS.proves("faults with code and string, Fault(42, …)", || {
        let own = client.fault("fault", &[Value::Int(42), text("own <text>")]);
        assert_eq!((own.code, &*own.message), (Some(42), "own <text>"));
        let raised = client.fault("breaks", &[]);
        assert_eq!((raised.code, &*raised.name, &*raised.message), (Some(1), "ValueError", "a & b"));
        assert_eq!(client.fault("nope", &[]).kind, FaultKind::UnknownMethod);
        assert_eq!(client.fault("big", &[]).code, Some(1));
    });
    FROM_OURS.proves("introspection and system.multicall", || {
        let Ok(Value::List(names)) = client.call("system.listMethods", &[]) else { panic!() };
        assert!(names.contains(&text("echo_int")), "{names:?}");
        let signature = client.call("system.methodSignature", &[text("big")]);
        assert_eq!(signature, Ok(text("signatures not supported")));
        let calls = ["echo_text", "nope"]
            .map(|name| record(&[("methodName", text(name)), ("params", Value::List(vec![text("x")]))]));
        let answers = client.call("system.multicall", &[Value::List(calls.to_vec())]).unwrap();
        let Value::List(answers) = answers else { panic!("{answers:?}") };
        assert_eq!(answers[0], Value::List(vec![text("x")]));
        assert!(matches!(&answers[1], Value::Struct(fields) if fields[0].1 == Value::Int(1)));
    });
    FROM_OURS.proves("many calls over one kept-alive connection", || {
        for int in 0..100 {
            client.echoes("echo_int", &Value::Int(int));
        }
        assert_eq!(client.connections, 1);
    });
    FROM_OURS.proves("i8", || {
        // CPython reads it and does not write it.
        let fault = client.fault("echo_int", &[Value::Int(1 << 40)]);
        assert_eq!(&*fault.name, "OverflowError");
    });
    FROM_OURS.proves("the eight validator1 methods", || call_validator1(&mut client));
}

#[test]
fn our_client_reads_what_other_servers_may_send() {
    let Some(python) = python(&["xmlrpc.server"]) else { return };
    for (feature, arguments) in [
        ("close after each reply (HTTP/1.0)", &["1.0"][..]),
        ("gzip replies", &["1.1", "gzip"]),
        ("chunked replies", &["1.1", "chunked"]),
        ("chunked gzip replies", &["1.1", "gzip", "chunked"]),
    ] {
        let server = Server::script(&python, "xmlrpc_server.py", arguments);
        let mut client = Client::new(&server);
        FROM_OURS.proves(feature, || {
            for size in [0, 10, 100_000] {
                client.echoes("echo_text", &text(&"é<&".repeat(size)));
            }
            client.echoes("echo_nested", &nested());
            assert_eq!(client.fault("fault", &[Value::Int(42), text("own")]).code, Some(42));
            let closes = arguments == ["1.0"];
            assert_eq!(client.connections, if closes { 5 } else { 1 });
        });
    }
}

/// The suite with its usual arguments: what the server computes is what ours computes.
fn call_validator1(client: &mut Client) {
    let ints = |fields: &[(&str, i64)]| {
        let fields: Vec<_> = fields.iter().map(|(name, int)| (*name, Value::Int(*int))).collect();
        record(&fields)
    };
    let stooges = ints(&[("moe", 1), ("larry", -2), ("curly", 30)]);
    let day = record(&[("01", stooges.clone()), ("02", ints(&[("moe", 0), ("larry", 0), ("curly", 0)]))]);
    let calendar = record(&[("1999", record(&[])), ("2000", record(&[("03", record(&[])), ("04", day)]))]);
    let many = [
        Value::Int(7),
        Value::Bool(true),
        text("text"),
        Value::Float(1.5),
        Value::Time(1_700_000_000),
        Value::Bytes(vec![0, 255]),
    ];
    let texts = (0..150).map(|number| text(&number.to_string())).collect();
    let suite = [
        ("arrayOfStructsTest", vec![Value::List(vec![stooges.clone(), stooges.clone()])], Value::Int(60)),
        (
            "countTheEntities",
            vec![text("<<>&&&''\"x")],
            ints(&[
                ("ctLeftAngleBrackets", 2),
                ("ctRightAngleBrackets", 1),
                ("ctAmpersands", 3),
                ("ctApostrophes", 2),
                ("ctQuotes", 1),
            ]),
        ),
        ("easyStructTest", vec![stooges.clone()], Value::Int(29)),
        ("echoStructTest", vec![stooges.clone()], stooges),
        ("manyTypesTest", many.to_vec(), Value::List(many.to_vec())),
        ("moderateSizeArrayCheck", vec![Value::List(texts)], text("0149")),
        ("nestedStructTest", vec![calendar], Value::Int(29)),
        (
            "simpleStructReturnTest",
            vec![Value::Int(7)],
            ints(&[("times10", 70), ("times100", 700), ("times1000", 7000)]),
        ),
    ];
    for (name, arguments, expected) in suite {
        assert_eq!(client.call(&format!("validator1.{name}"), &arguments), Ok(expected), "{name}");
    }
}

/// Sends raw bytes and reads until the server closes.
fn raw(server: &Server, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // A server that refuses early may close before all is sent.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn post(version: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST {path} HTTP/{version}\r\nHost: x\r\n{headers}Content-Length: {length}\r\n\r\n{body}").into()
}

const CALL: &str = "<?xml version='1.0'?><methodCall><methodName>second</methodName><params><param><value><i4>1</i4>\
                    </value></param><param><value>two</value></param></params></methodCall>";
const CLOSE: &str = "Connection: close\r\n";

#[test]
fn raw_requests_are_answered_as_http_asks() {
    let server = ours();
    RAW.proves("HTTP/1.0", || {
        let answer = raw(&server, &post("1.0", "/RPC2", "", CALL));
        assert!(answer.starts_with("HTTP/1.0 200") && answer.contains("<string>two</string>"), "{answer}");
    });
    RAW.proves("HTTP/1.0 kept alive, and pipelined HTTP/1.1", || {
        let kept = post("1.0", "/RPC2", "Connection: keep-alive\r\n", CALL);
        let answer = raw(&server, &[kept, post("1.0", "/RPC2", "", CALL)].concat());
        assert_eq!(answer.matches("<string>two</string>").count(), 2, "{answer}");
        let requests = [post("1.1", "/", "", CALL), post("1.1", "/RPC2", CLOSE, CALL)];
        let answer = raw(&server, &requests.concat());
        assert_eq!(answer.matches("<string>two</string>").count(), 2, "{answer}");
    });
    RAW.proves("404 for other paths, 405 for GET", || {
        let answer = raw(&server, &post("1.1", "/other", CLOSE, CALL));
        assert!(answer.starts_with("HTTP/1.1 404") && answer.ends_with("/ and /RPC2"), "{answer}");
        let answer = raw(&server, b"GET /RPC2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
    });
    RAW.proves("413 for oversize bodies", || {
        let head = "POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n";
        let answer = raw(&server, head.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("larger than"), "{answer}");
    });
    RAW.proves("400 for damaged gzip, 415 for other codings", || {
        let answer = raw(&server, &post("1.1", "/", &format!("{CLOSE}Content-Encoding: gzip\r\n"), CALL));
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        let answer = raw(&server, &post("1.1", "/", &format!("{CLOSE}Content-Encoding: br\r\n"), CALL));
        assert!(answer.starts_with("HTTP/1.1 415"), "{answer}");
    });
    RAW.proves("chunked requests", || {
        let mut request =
            b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for piece in CALL.as_bytes().chunks(7) {
            request.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            request.extend_from_slice(piece);
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"0\r\n\r\n");
        let answer = raw(&server, &request);
        assert!(answer.contains("<string>two</string>"), "{answer}");
    });
    RAW.proves("malformed XML is a fault, and the server lives on", || {
        let entity = "<!DOCTYPE a [<!ENTITY x 'y'>]>";
        let deep = "<value><array><data>".repeat(5000);
        for body in [
            String::new(),
            "hello".into(),
            "\u{0}".into(),
            CALL.replace("</params>", ""),
            CALL.replace("two", "&nope;"),
            CALL.replace("two", "\u{1}"),
            format!("{CALL}{CALL}"),
            CALL.replace("<methodCall>", &format!("{entity}<methodCall>")),
            CALL.replace("two", &deep),
            CALL.replace("<i4>1</i4>", "<i4>99999999999</i4>"),
        ] {
            let answer = raw(&server, &post("1.1", "/", CLOSE, &body));
            let shown: String = body.chars().take(200).collect();
            assert!(answer.starts_with("HTTP/1.1 200"), "{shown}: {answer}");
            assert!(answer.contains("<name>faultCode</name><value><int>1</int>"), "{shown}: {answer}");
        }
        let answer = raw(&server, &post("1.1", "/", CLOSE, CALL));
        assert!(answer.contains("<string>two</string>"), "{answer}");
    });
    RAW.proves("a request cut short", || {
        let request = post("1.1", "/RPC2", "", CALL);
        for cut in [1, 40, request.len() - 1] {
            let mut stream = TcpStream::connect(&server.address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            stream.write_all(&request[..cut]).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer);
            assert!(!answer.contains("two"), "{answer}");
        }
    });
}
