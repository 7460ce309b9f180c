//! gRPC against the real thing: grpcio with stubs that grpcio-tools makes of `wirebench proto` calls our
//! servers, our client calls a grpcio server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/caller.rs"]
mod caller;
#[path = "support/interop.rs"]
mod interop;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caller::{Caller, list, method, record, service, stream, text};
use interop::{Pair, Server};
use wirebench::codec::proto_file;
use wirebench::host::{Serve, serve_in_process};
use wirebench::protocol::{OneCall, Protocol, Reach, registry};
use wirebench::rpc::{
    Answer, CallError, Compression, ErrorClass, Fault, FaultKind, Field, Service, ServiceMethod, Type, Value,
};
use wirebench::transport::Wiring;

const TO_OURS: Pair = Pair { protocol: "grpc", client: "Python `grpcio`", server: "`wirebench serve`" };
const TO_TONIC: Pair =
    Pair { protocol: "grpc", client: "Python `grpcio`", server: "`wirebench serve`, on tonic" };
const FROM_OURS: Pair = Pair { protocol: "grpc", client: "wirebench", server: "Python `grpcio`" };
const FROM_TONIC: Pair = Pair { protocol: "grpc", client: "wirebench, on tonic", server: "Python `grpcio`" };

const SCENARIO: &str = "grpc.toml";
/// Of messages at the servers with a limit of the tests' own.
const LIMIT_BYTES: usize = 1 << 20;

fn python() -> Option<PathBuf> {
    interop::python(&["grpc", "grpc_tools", "grpc_reflection", "grpc_health"])
}

/// The scenario's `.proto` in a folder of its own.
struct Proto {
    folder: tempfile::TempDir,
}

impl Proto {
    fn printed() -> Self {
        let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support").join(SCENARIO);
        let output =
            Command::new(env!("CARGO_BIN_EXE_wirebench")).arg("proto").arg(scenario).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("interop.proto"), output.stdout).unwrap();
        Self { folder }
    }

    fn path(&self) -> String {
        self.folder.path().join("interop.proto").to_str().unwrap().to_owned()
    }
}

/// A server in this process that takes messages of [`LIMIT_BYTES`].
fn limited(protocol: &Protocol) -> String {
    let blob =
        ServiceMethod { answer: Answer::Echo(0), ..method("blob", &[("data", Type::Bytes)], Type::Bytes) };
    let service = service(vec![blob]);
    let wiring = protocol.wiring(&service, 16, 1).unwrap();
    let wiring = Arc::new(Wiring { max_message_bytes: LIMIT_BYTES, ..Arc::unwrap_or_clone(wiring) });
    serve_in_process(Serve { protocol: protocol.clone(), service, wiring, spin: false, log: None }, &[])
        .unwrap()
}

fn pythons_client(pair: Pair, name: &str) {
    let Some(python) = python() else { return };
    let proto = Proto::printed();
    let server = Server::ours(SCENARIO, &["--protocol", name]);
    let limited = limited(&registry::named(name, false).unwrap());
    let limit = LIMIT_BYTES.to_string();
    pair.script_proves(&python, "grpc_client.py", &[&server.address, &limited, &limit, &proto.path()]);
}

#[test]
fn pythons_client_calls_our_server() {
    pythons_client(TO_OURS, "grpc");
}

#[test]
fn pythons_client_calls_our_server_on_tonic() {
    pythons_client(TO_TONIC, "grpc-tonic");
}

fn part() -> Type {
    Type::Struct(vec![Field::new("part_name", Type::Text), Field::new("weights", list(Type::Float))])
}

fn everything() -> Type {
    Type::Struct(vec![
        Field::new("none", Type::Nil),
        Field::new("flag", Type::Bool),
        Field::new("number", Type::Int),
        Field::new("ratio", Type::Float),
        Field::new("name", Type::Text),
        Field::new("blob", Type::Bytes),
        Field::new("at", Type::Time),
        Field::new("tags", list(Type::Text)),
        Field::new("matrix", list(list(Type::Int))),
        Field::new("parts", list(part())),
    ])
}

/// What `tests/python/grpc_server.py` serves.
fn theirs() -> Arc<Service> {
    service(vec![
        method("nothing", &[], Type::Nil),
        method("everything", &[("value", everything())], everything()),
        method("second", &[("first", Type::Int), ("second", Type::Text)], Type::Text),
        method("blob", &[("data", Type::Bytes)], Type::Bytes),
        method("slow", &[("value", Type::Int)], Type::Int),
        stream(method("feed", &[("item", Type::Text)], Type::Text), 10_000),
        stream(method("slow_feed", &[], Type::Int), 3),
        method("status", &[("code", Type::Int), ("message", Type::Text)], Type::Nil),
        method("metadata", &[("name", Type::Text)], Type::Text),
        method("remaining", &[], Type::Float),
        method("nope", &[], Type::Nil),
    ])
}

fn fault(outcome: Result<Value, CallError>) -> Fault {
    match outcome {
        Err(CallError::Remote(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

/// One call with a time-out.
fn one_call(
    protocol: &Protocol,
    server: &Server,
    name: &str,
    arguments: &[Value],
    timeout: Duration,
) -> Result<Value, CallError> {
    let service = &theirs();
    let target = &server.address;
    let method = service.position(name).unwrap();
    let call = OneCall { protocol, service, target, method, arguments, timeout };
    Ok(call.make(&mut |_| {})?.value.unwrap_or(Value::Nil))
}

const LONG: Duration = Duration::from_secs(30);

#[test]
fn pythons_client_calls_our_servers_over_unix_sockets() {
    let Some(python) = python() else { return };
    let home = tempfile::TempDir::new().unwrap();
    for (pair, protocol) in [(TO_OURS, "grpc"), (TO_TONIC, "grpc-tonic")] {
        let path = home.path().join(protocol);
        let path = path.to_str().unwrap();
        let _server = Server::ours("grpc.toml", &["--protocol", protocol, "--listen", path]);
        pair.script_proves(&python, "unix_client.py", &["grpc", path]);
    }
}

fn our_client(pair: Pair, name: &str) {
    let Some(python) = python() else { return };
    let proto = Proto::printed();
    let server = Server::script(&python, "grpc_server.py", &[&proto.path(), &LIMIT_BYTES.to_string()]);
    let protocol = registry::named(name, false).unwrap();
    let mut client = Caller::connect(&protocol, &theirs(), &server.address, 100);
    pair.proves("unary calls of every type", || {
        for value in [filled(), blank()] {
            assert_eq!(client.call("everything", std::slice::from_ref(&value)), Ok(value));
        }
        assert_eq!(client.call("nothing", &[]), Ok(Value::Nil));
        assert_eq!(client.call("second", &[Value::Int(1), text("two")]), Ok(text("two")));
    });
    pair.proves("server streaming: 10,000 items, and a status in the middle of a stream", || {
        let feed = client.submit("feed", &[text("an item")]).unwrap();
        let mut items = 0;
        client
            .until(|event| {
                let item = event.outcome.unwrap();
                items += usize::from(event.is_item && item == text("an item"));
                event.id == feed && !event.is_item
            })
            .unwrap();
        assert_eq!(items, 10_000);
        let lost = fault(client.call("slow_feed", &[]));
        assert_eq!((&*lost.name, &*lost.message), ("DATA_LOSS", "lost in the middle"));
    });
    pair.proves("metadata is sent", || {
        let metadata = [("x-request-id", "7"), ("authorization", "Bearer x")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let reach = Reach { metadata: Arc::from(metadata), ..Reach::default() };
        let reaching = protocol.clone().reaching(reach).unwrap();
        for (name, value) in
            [("x-request-id", "7"), ("authorization", "Bearer x"), ("user-agent", "wirebench")]
        {
            let Ok(Value::Text(found)) = one_call(&reaching, &server, "metadata", &[text(name)], LONG) else {
                panic!("{name}")
            };
            assert!(found.starts_with(value), "{name}: {found}");
        }
    });
    pair.proves("every status code with its message", || {
        for code in 1..=16 {
            let message = format!("100% Ünïcode: {code}\n");
            let fault = fault(client.call("status", &[Value::Int(code), text(&message)]));
            assert_eq!((fault.code, &fault.message), (Some(code), &message));
        }
        let unknown = fault(client.call("nope", &[]));
        assert_eq!((unknown.kind, &*unknown.name), (FaultKind::UnknownMethod, "UNIMPLEMENTED"));
    });
    pair.proves("messages at and over the server's limit (RESOURCE_EXHAUSTED)", || {
        let fits = Value::Bytes(vec![7; LIMIT_BYTES - 4]);
        assert_eq!(client.call("blob", std::slice::from_ref(&fits)), Ok(fits));
        let over = fault(client.call("blob", &[Value::Bytes(vec![7; LIMIT_BYTES - 3])]));
        assert_eq!((over.kind, &*over.name), (FaultKind::TooLarge, "RESOURCE_EXHAUSTED"));
        assert_eq!(client.call("second", &[Value::Int(1), text("on")]), Ok(text("on")));
    });
    pair.proves("gzip: compressed replies", || {
        let (service, data) = (&theirs(), [Value::Bytes(vec![7; 200_000])]);
        let method = service.position("blob").unwrap();
        let (protocol, target) = (&protocol, &*server.address);
        let call = OneCall { protocol, service, target, method, arguments: &data, timeout: LONG };
        let answer = call.make(&mut |_| {}).unwrap();
        assert_eq!(answer.value.as_ref(), Some(&data[0]));
        let received = answer.traffic.received_bytes;
        assert!(received < 20_000, "{received} bytes: it was not compressed");
    });
    pair.proves("gzip asked for (compression): requests and replies are packed", || {
        let reach = Reach { compression: Compression::Gzip, ..Reach::default() };
        let (protocol, service) = (&protocol.clone().reaching(reach).unwrap(), &theirs());
        let (target, data) = (&*server.address, [Value::Bytes(vec![7; 200_000])]);
        let method = service.position("blob").unwrap();
        let call = OneCall { protocol, service, target, method, arguments: &data, timeout: LONG };
        let answer = call.make(&mut |_| {}).unwrap();
        assert_eq!(answer.value.as_ref(), Some(&data[0]));
        let traffic = answer.traffic;
        assert!(traffic.sent_bytes < 20_000 && traffic.received_bytes < 20_000, "{traffic:?}");
    });
    pair.proves("deadlines: a call is given up in time and the connection lives on", || {
        let begun = Instant::now();
        let short = Duration::from_millis(200);
        let error = one_call(&protocol, &server, "slow", &[Value::Int(3)], short).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Timeout, "{error}");
        assert!(begun.elapsed() < Duration::from_millis(1_400));
        assert_eq!(one_call(&protocol, &server, "slow", &[Value::Int(3)], LONG), Ok(Value::Int(3)));
        let late = client.submit("slow", &[Value::Int(4)]).unwrap();
        assert!(client.cancel(late));
        assert_eq!(client.call("second", &[Value::Int(1), text("on")]), Ok(text("on")));
    });
}

fn filled() -> Value {
    let time = Value::Time(1_700_000_000);
    let weights = Value::List(vec![Value::Float(0.5), Value::Float(1e300)]);
    let row = |numbers: &[i64]| Value::List(numbers.iter().copied().map(Value::Int).collect());
    record(&[
        ("none", Value::Nil),
        ("flag", Value::Bool(true)),
        ("number", Value::Int(i64::MIN)),
        ("ratio", Value::Float(-1.5)),
        ("name", text("Ünï<&>\0")),
        ("blob", Value::Bytes((0..=255).collect())),
        ("at", time),
        ("tags", Value::List(vec![text("a"), text(""), text("c")])),
        ("matrix", Value::List(vec![row(&[1, -1, 1 << 62]), row(&[])])),
        ("parts", Value::List(vec![record(&[("part_name", text("p")), ("weights", weights)])])),
    ])
}

fn blank() -> Value {
    let empty = || Value::List(Vec::new());
    record(&[
        ("none", Value::Nil),
        ("flag", Value::Bool(false)),
        ("number", Value::Int(0)),
        ("ratio", Value::Float(0.0)),
        ("name", text("")),
        ("blob", Value::Bytes(Vec::new())),
        ("at", Value::Time(0)),
        ("tags", empty()),
        ("matrix", empty()),
        ("parts", empty()),
    ])
}

#[test]
fn our_client_calls_pythons_server() {
    our_client(FROM_OURS, "grpc");
    let Some(python) = python() else { return };
    let proto = Proto::printed();
    let server = Server::script(&python, "grpc_server.py", &[&proto.path(), &LIMIT_BYTES.to_string()]);
    let protocol = registry::named("grpc", false).unwrap();
    FROM_OURS.proves("the server is told the time-out (grpc-timeout)", || {
        let remaining = one_call(&protocol, &server, "remaining", &[], LONG);
        let Ok(Value::Float(seconds)) = remaining else { panic!("{remaining:?}") };
        assert!((20.0..=30.0).contains(&seconds), "{seconds}");
    });
    FROM_OURS.proves("reflection: `wirebench inspect` lists a server's methods", || {
        let url = format!("grpc+http://{}", server.address);
        let output = Command::new(env!("CARGO_BIN_EXE_wirebench")).args(["inspect", &url]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{told} {}", String::from_utf8_lossy(&output.stderr));
        for name in ["wirebench.interop/feed", "wirebench.interop/everything", "grpc.health.v1.Health/Check"]
        {
            assert!(told.contains(name), "{told}");
        }
    });
}

#[test]
fn our_client_on_tonic_calls_pythons_server() {
    our_client(FROM_TONIC, "grpc-tonic");
}

#[test]
fn the_types_of_this_test_are_those_of_the_scenario() {
    let printed = Proto::printed();
    let proto = std::fs::read_to_string(printed.path()).unwrap();
    let mut theirs = Arc::unwrap_or_clone(theirs());
    theirs.methods.retain(|method| &*method.method.name == "everything");
    let ours = proto_file(&theirs).unwrap();
    let message = |text: &str| {
        let begin = text.find("message EverythingRequest {").unwrap();
        text[begin..].split("\n}\n").next().unwrap().to_owned()
    };
    assert_eq!(message(&proto), message(&ours));
}
