//! binary-tcp: a client and a server in Python, written from `src/protocol/binary_tcp.md` alone,
//! understand ours.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/caller.rs"]
mod caller;
#[path = "support/interop.rs"]
mod interop;

use std::collections::HashMap;
use std::sync::Arc;

use caller::{Caller, list, method, record, service, stream, text};
use interop::{Pair, Server, python};
use wirebench::protocol::registry;
use wirebench::rpc::{CallError, FaultKind, Field, Service, Type, Value};

const SPEC: &str = "Python, from the specification";
const TO_OURS: Pair = Pair { protocol: "binary-tcp", client: SPEC, server: "`wirebench serve`" };
const FROM_OURS: Pair = Pair { protocol: "binary-tcp", client: "wirebench", server: SPEC };

#[test]
fn a_client_written_from_the_specification_calls_our_server() {
    let Some(python) = python(&["struct"]) else { return };
    let server = Server::ours("binary_tcp.toml", &["--protocol", "binary-tcp"]);
    TO_OURS.script_proves(&python, "binary_tcp_client.py", &[&server.address]);
}

/// `METHODS` of `tests/python/binary_tcp_types.py`.
fn theirs() -> Arc<Service> {
    let part = Type::Struct(vec![Field::new("id", Type::Int), Field::new("weights", list(Type::Float))]);
    let every = Type::Struct(vec![
        Field::new("nothing", Type::Nil),
        Field::new("yes", Type::Bool),
        Field::new("number", Type::Int),
        Field::new("real", Type::Float),
        Field::new("name", Type::Text),
        Field::new("blob", Type::Bytes),
        Field::new("at", Type::Time),
        Field::new("tags", list(Type::Text)),
        Field::new("parts", list(part)),
    ]);
    service(vec![
        method("nothing", &[], Type::Nil),
        method("second", &[("first", Type::Int), ("second", Type::Text)], Type::Text),
        method("echo", &[("value", every.clone())], every),
        method("fails", &[], Type::Nil),
        method("nope", &[], Type::Nil),
        stream(method("feed", &[], Type::Text), 10_000),
        method("pause", &[("value", Type::Int)], Type::Int),
    ])
}

#[test]
fn our_client_calls_a_server_written_from_the_specification() {
    let Some(python) = python(&["struct"]) else { return };
    let server = Server::script(&python, "binary_tcp_server.py", &[]);
    let protocol = registry::named("binary-tcp", false).unwrap();
    let mut client = Caller::connect(&protocol, &theirs(), &server.address, 1000);
    FROM_OURS.proves("every type", || {
        assert_eq!(client.call("nothing", &[]), Ok(Value::Nil));
        for int in [0, -1, 63, 64, -65, 1 << 31, i64::MAX, i64::MIN] {
            let part = record(&[
                ("id", Value::Int(int)),
                ("weights", Value::List(vec![Value::Float(0.5), Value::Float(-1e300)])),
            ]);
            let value = record(&[
                ("nothing", Value::Nil),
                ("yes", Value::Bool(int % 2 == 0)),
                ("number", Value::Int(int)),
                ("real", Value::Float(f64::NEG_INFINITY)),
                ("name", text(&"Ж語🦀".repeat(50))),
                ("blob", Value::Bytes((0..=255).cycle().take(70_000).collect())),
                ("at", Value::Time(int / 2)),
                ("tags", Value::List(vec![text(""), text("é")])),
                ("parts", Value::List(vec![part.clone(), part])),
            ]);
            assert_eq!(client.call("echo", std::slice::from_ref(&value)), Ok(value));
        }
    });
    FROM_OURS.proves("faults: kind, name and message", || {
        let Err(CallError::Remote(fault)) = client.call("fails", &[]) else { panic!() };
        let expected = (FaultKind::Application, "ZeroDivisionError", "ä & b");
        assert_eq!((fault.kind, &*fault.name, &*fault.message), expected);
        let Err(CallError::Remote(fault)) = client.call("nope", &[]) else { panic!() };
        assert_eq!(fault.kind, FaultKind::UnknownMethod);
        assert_eq!(client.call("second", &[Value::Int(1), text("still here")]), Ok(text("still here")));
    });
    FROM_OURS.proves("a stream of 10,000 items", || {
        let feed = client.submit("feed", &[]).unwrap();
        let mut items = 0;
        client
            .until(|event| {
                assert_eq!(event.id, feed);
                items += usize::from(event.is_item && event.outcome == Ok(text("item")));
                !event.is_item
            })
            .unwrap();
        assert_eq!(items, 10_000);
    });
    FROM_OURS.proves("1,000 calls in flight, answered out of order", || {
        let mut open = HashMap::new();
        for number in 0..1000 {
            open.insert(client.submit("pause", &[Value::Int(number)]).unwrap(), number);
        }
        let mut order = Vec::new();
        client
            .until(|event| {
                let number = open.remove(&event.id).unwrap();
                assert_eq!(event.outcome, Ok(Value::Int(number)));
                order.push(number);
                open.is_empty()
            })
            .unwrap();
        assert!(!order.is_sorted());
    });
}
