//! ZeroRPC against the real thing: zerorpc.Client for Python and a bare pyzmq socket call our server,
//! our client calls zerorpc.Server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/caller.rs"]
mod caller;
#[path = "support/interop.rs"]
mod interop;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caller::{Caller, list, method, record, service, stream, text};
use interop::{Pair, Server};
use wirebench::protocol::registry;
use wirebench::rpc::{CallError, Fault, FaultKind, Field, Service, Type, Value};

const TO_OURS: Pair =
    Pair { protocol: "zerorpc", client: "Python `zerorpc.Client`, pyzmq", server: "`wirebench serve`" };
const FROM_OURS: Pair = Pair { protocol: "zerorpc", client: "wirebench", server: "Python `zerorpc.Server`" };

const SCRIPT: &str = "zerorpc_server.py";
const STREAMED: u64 = 10_000;

fn python() -> Option<PathBuf> {
    interop::python(&["zerorpc", "msgpack", "zmq"])
}

fn ours() -> Server {
    Server::ours("zerorpc.toml", &["--protocol", "zerorpc"])
}

#[test]
fn pythons_client_calls_our_server() {
    let Some(python) = python() else { return };
    let server = ours();
    TO_OURS.script_proves(&python, "zerorpc_client.py", &[&server.address]);
    // 2 GB were asked for and not read.
    let kibibytes = interop::peak_kibibytes(&server);
    assert!(kibibytes < 100 << 10, "the server's memory grew to {kibibytes} KiB");
}

#[test]
fn pythons_client_calls_our_server_over_a_unix_socket() {
    let Some(python) = python() else { return };
    let home = tempfile::TempDir::new().unwrap();
    let path = home.path().join("s.sock");
    let path = path.to_str().unwrap();
    let _server = Server::ours("zerorpc.toml", &["--protocol", "zerorpc", "--listen", path]);
    TO_OURS.script_proves(&python, "unix_client.py", &["zerorpc", path]);
}

#[test]
#[ignore = "long: heartbeats in real time, a minute"]
fn heartbeats_keep_pythons_slow_calls_alive() {
    let Some(python) = python() else { return };
    let server = ours();
    TO_OURS.script_proves(&python, "zerorpc_client.py", &[&server.address, "long"]);
}

/// What `tests/python/zerorpc_server.py` serves, under several types where it echoes.
fn theirs() -> Arc<Service> {
    let value = |ty| [("value", ty)];
    let inspected = Type::Any;
    service(vec![
        method("echo", &value(Type::Any), Type::Any),
        method("second", &[("first", Type::Int), ("second", Type::Text)], Type::Text),
        method("breaks", &[], Type::Nil),
        method("nope", &[], Type::Nil),
        method("pause", &value(Type::Int), Type::Int),
        method("slow", &[], Type::Text),
        stream(method("feed", &[("items", Type::Int)], Type::Int), STREAMED),
        stream(method("endless", &[], Type::Int), u64::MAX),
        method("_zerorpc_list", &[], list(Type::Text)),
        method("_zerorpc_name", &[], Type::Text),
        method("_zerorpc_ping", &[], list(Type::Text)),
        method("_zerorpc_help", &value(Type::Text), Type::Text),
        method("_zerorpc_args", &value(Type::Text), Type::Any),
        method("_zerorpc_inspect", &[], inspected),
    ])
}

/// A service whose `echo` has a type.
fn echo(ty: Type) -> Arc<Service> {
    service(vec![method("echo", &[("value", ty.clone())], ty)])
}

fn connect(server: &Server, in_flight: usize) -> Caller {
    Caller::connect(&registry::named("zerorpc", false).unwrap(), &theirs(), &server.address, in_flight)
}

fn fault(outcome: Result<Value, CallError>) -> Fault {
    match outcome {
        Err(CallError::Remote(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn our_client_calls_pythons_server() {
    let Some(python) = python() else { return };
    let server = Server::script(&python, SCRIPT, &[]);
    let mut client = connect(&server, 10);
    FROM_OURS.proves("nil, bool, int, float, text, binary and nested values", || values(&server));
    FROM_OURS.proves("remote exceptions: name, message and traceback, and of unknown methods", || {
        let raised = fault(client.call("breaks", &[]));
        assert_eq!((&*raised.name, &*raised.message), ("ValueError", "a & b"));
        let traceback = raised.traceback.unwrap();
        assert!(traceback.contains("zerorpc_server.py") && traceback.contains("in breaks"), "{traceback}");
        let unknown = fault(client.call("nope", &[]));
        assert_eq!((unknown.kind, &*unknown.name), (FaultKind::UnknownMethod, "NameError"));
        assert_eq!(client.call("second", &[Value::Int(1), text("two")]), Ok(text("two")));
    });
    FROM_OURS.proves("_zerorpc_list, _zerorpc_name, _zerorpc_ping, _zerorpc_help", || {
        let Ok(Value::List(names)) = client.call("_zerorpc_list", &[]) else { panic!() };
        assert!(names.contains(&text("feed")), "{names:?}");
        assert_eq!(client.call("_zerorpc_name", &[]), Ok(text("Interop")));
        let pong = Value::List(vec![text("pong"), text("Interop")]);
        assert_eq!(client.call("_zerorpc_ping", &[]), Ok(pong));
        assert_eq!(client.call("_zerorpc_help", &[text("echo")]), Ok(text("Gives back what it gets.")));
    });
    FROM_OURS.proves("_zerorpc_inspect and _zerorpc_args, or the error of Python 3.11", || {
        for (name, arguments) in [("_zerorpc_inspect", vec![]), ("_zerorpc_args", vec![text("second")])] {
            match client.call(name, &arguments) {
                Ok(answer) => assert!(format!("{answer:?}").contains("second"), "{answer:?}"),
                Err(CallError::Remote(fault)) => assert_eq!(fault.name, "AttributeError", "{fault:?}"),
                Err(error) => panic!("{error}"),
            }
        }
    });
    FROM_OURS.proves("a stream of 10,000 items under credit", || ten_thousand_items(&server));
    FROM_OURS.proves("1,000 calls in flight on one socket, out of order", || a_thousand_calls(&server));
    FROM_OURS.proves("late events of closed channels", || {
        let endless = client.submit("endless", &[]).unwrap();
        let mut items = 0;
        client
            .until(|event| {
                items += usize::from(event.is_item && event.id == endless);
                items > 250
            })
            .unwrap();
        // There is no event that cancels: up to a credit's worth of items is still under way.
        assert!(client.cancel(endless));
        for number in 0..100 {
            assert_eq!(client.call("pause", &[Value::Int(number)]), Ok(Value::Int(number)));
        }
    });
}

fn values(server: &Server) {
    let part = Type::Struct(vec![Field::new("name", Type::Text), Field::new("weights", list(Type::Float))]);
    let nested = record(&[("name", text("é")), ("weights", Value::List(vec![Value::Float(0.5)]))]);
    let ints = [0, -1, 127, 128, -129, 1 << 31, i64::MIN, i64::MAX].map(Value::Int);
    let floats = [0.0, -0.5, 0.1, 1e300, 5e-324, f64::INFINITY].map(Value::Float);
    let texts = ["".to_owned(), "ÄÖÜ 語 🦀 \0\r\n".into(), "x".repeat(100_000)].map(Value::Text);
    let blobs = [vec![], (0..=255).cycle().take(70_000).collect()].map(Value::Bytes);
    for (ty, values) in [
        (Type::Nil, vec![Value::Nil]),
        (Type::Bool, vec![Value::Bool(true), Value::Bool(false)]),
        (Type::Int, ints.to_vec()),
        (Type::Float, floats.to_vec()),
        (Type::Text, texts.to_vec()),
        (Type::Bytes, blobs.to_vec()),
        (list(part), vec![Value::List(vec![nested.clone(), nested]), Value::List(vec![])]),
    ] {
        let protocol = registry::named("zerorpc", false).unwrap();
        let mut client = Caller::connect(&protocol, &echo(ty), &server.address, 1);
        for value in values {
            assert_eq!(client.call("echo", std::slice::from_ref(&value)), Ok(value));
        }
    }
}

fn ten_thousand_items(server: &Server) {
    let mut client = connect(server, 1);
    let feed = client.submit("feed", &[Value::Int(10_000)]).unwrap();
    let mut items = 0;
    client
        .until(|event| {
            assert_eq!(event.id, feed);
            if event.is_item {
                assert_eq!(event.outcome, Ok(Value::Int(items)));
                items += 1;
            }
            !event.is_item
        })
        .unwrap();
    assert_eq!(items, 10_000);
}

fn a_thousand_calls(server: &Server) {
    let mut client = connect(server, 1000);
    let mut open = HashMap::new();
    for number in 0..1000 {
        open.insert(client.submit("pause", &[Value::Int(number)]).unwrap(), number);
    }
    assert!(client.submit("pause", &[Value::Int(0)]).is_err(), "there is no 1,001st slot");
    let mut order = Vec::new();
    client
        .until(|event| {
            let number = open.remove(&event.id).unwrap();
            assert_eq!(event.outcome, Ok(Value::Int(number)));
            order.push(number);
            open.is_empty()
        })
        .unwrap();
    assert!(!order.is_sorted(), "the server sleeps for different times");
}

#[test]
fn a_lost_server_is_reported_and_a_new_socket_finds_the_next() {
    let Some(python) = python() else { return };
    FROM_OURS.proves("a restarted server: the loss is reported, a new socket goes on", || {
        let mut server = Server::script(&python, SCRIPT, &[]);
        let mut client = connect(&server, 10);
        assert_eq!(client.call("pause", &[Value::Int(1)]), Ok(Value::Int(1)));
        client.submit("slow", &[]).unwrap();
        // The call is at the server once a later one is answered.
        assert_eq!(client.call("pause", &[Value::Int(2)]), Ok(Value::Int(2)));
        server.child.kill();
        let begun = Instant::now();
        let ended = client.until(|_| false);
        assert!(matches!(ended, Err(CallError::Reset { .. })), "{ended:?}");
        assert!(begun.elapsed() < Duration::from_secs(5), "seen by the socket, not by a heartbeat");
        let next = Server::script(&python, SCRIPT, &[]);
        assert_eq!(connect(&next, 1).call("pause", &[Value::Int(3)]), Ok(Value::Int(3)));
    });
}

#[test]
fn pythons_client_hears_of_our_servers_loss_and_finds_the_next() {
    let Some(python) = python() else { return };
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/zerorpc.toml");
    let args = [env!("CARGO_BIN_EXE_wirebench"), scenario];
    TO_OURS.script_proves(&python, "zerorpc_restart.py", &args);
}

#[test]
#[ignore = "long: heartbeats in real time, 17 s"]
fn heartbeats_keep_our_slow_calls_alive() {
    let Some(python) = python() else { return };
    FROM_OURS.proves("a call of 17 s survives by heartbeats (long)", || {
        let server = Server::script(&python, SCRIPT, &[]);
        assert_eq!(connect(&server, 1).call("slow", &[]), Ok(text("late")));
    });
}

#[test]
#[ignore = "long: heartbeats in real time, 15 s"]
fn a_mute_server_is_reported_lost() {
    let Some(python) = python() else { return };
    FROM_OURS.proves("a mute server is reported lost after 15 s (long)", || {
        let server = Server::script(&python, "mute_server.py", &[]);
        let mut client = connect(&server, 1);
        let begun = Instant::now();
        let outcome = client.call("slow", &[]);
        assert!(matches!(outcome, Err(CallError::Reset { .. })), "{outcome:?}");
        let after = begun.elapsed();
        assert!((14..18).contains(&after.as_secs()), "{after:?}");
    });
}
