//! Every protocol of the registry and every free pair carries the same calls: equal values for each
//! type, errors, unknown methods, sizes, characters and limits. A new row is covered without being
//! told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use wirebench::host::{Serve, serve_in_process};
use wirebench::protocol::{Protocol, ProtocolError, call_once, registry, stream_once};
use wirebench::rpc::{
    Answer, CallError, ErrorClass, FaultKind, Field, Method, Service, ServiceMethod, Type, Value,
};
use wirebench::{codec, transport};

/// How long one call may take here, where everything else runs at the same time.
const LIMIT: Duration = Duration::from_secs(20);

fn every_protocol() -> Vec<Protocol> {
    let named = registry::NAMED.iter().map(|row| registry::named(row.name, false).unwrap());
    let pairs = codec::ALL.iter().flat_map(|codec| {
        transport::ALL
            .iter()
            .map(|transport| registry::free_pair(codec.name, transport.name(), false).unwrap())
    });
    named.chain(pairs).collect()
}

fn echo(name: &str, ty: Type) -> ServiceMethod {
    ServiceMethod {
        method: Method { name: name.into(), params: vec![Field::new("value", ty.clone())], returns: ty },
        answer: Answer::Echo(0),
        stream_items: None,
        delay: None,
        fail_rate: 0.0,
    }
}

fn service(methods: Vec<ServiceMethod>) -> Arc<Service> {
    Arc::new(Service { name: "conformance".into(), methods, seed: 1 })
}

/// Starts a server for a protocol in this process; the null transport needs none.
fn start(protocol: &Protocol, service: &Arc<Service>) -> String {
    let wiring = protocol.wiring(service, 16, 1).unwrap();
    if wiring.local_handlers.is_some() {
        return String::new();
    }
    let serve =
        Serve { protocol: protocol.clone(), service: Arc::clone(service), wiring, spin: false, log: None };
    serve_in_process(serve, &[]).unwrap()
}

/// Runs a test on every protocol, each on a thread of its own, and names the one that failed.
fn on_every_protocol(test: impl Fn(&Protocol) + Sync) {
    let test = &test;
    for protocols in every_protocol().chunks(8) {
        std::thread::scope(|scope| {
            let running: Vec<_> = protocols
                .iter()
                .map(|protocol| (protocol.label(), scope.spawn(move || test(protocol))))
                .collect();
            for (label, thread) in running {
                if let Err(panic) = thread.join() {
                    let message = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                    panic!("{label}: {message}");
                }
            }
        });
    }
}

fn list(ty: Type) -> Type {
    Type::List(Box::new(ty))
}

/// Types with values at their limits.
fn samples() -> Vec<(&'static str, Type, Vec<Value>)> {
    let text = |text: &str| Value::Text(text.to_owned());
    let user = Type::Struct(vec![
        Field::new("id", Type::Int),
        Field::new("name", Type::Text),
        Field::new("tags", list(Type::Text)),
        Field::new("home", Type::Struct(vec![Field::new("zip", Type::Text), Field::new("at", Type::Float)])),
    ]);
    let struct_of = |id: i64, name: &str, tags: &[&str]| {
        Value::Struct(vec![
            ("id".into(), Value::Int(id)),
            ("name".into(), text(name)),
            ("tags".into(), Value::List(tags.iter().map(|tag| text(tag)).collect())),
            ("home".into(), Value::Struct(vec![("zip".into(), text("")), ("at".into(), Value::Float(-1.5))])),
        ])
    };
    vec![
        ("nil", Type::Nil, vec![Value::Nil]),
        ("bool", Type::Bool, vec![Value::Bool(true), Value::Bool(false)]),
        (
            "int",
            Type::Int,
            [
                0,
                1,
                -1,
                127,
                128,
                -129,
                65_536,
                i64::from(i32::MIN),
                i64::from(i32::MAX),
                1 << 31,
                i64::MIN,
                i64::MAX,
            ]
            .map(Value::Int)
            .to_vec(),
        ),
        (
            "float",
            Type::Float,
            [0.0, -0.0, 1.5, 0.1, 1e300, 5e-324, -2.5e-10, f64::MAX, f64::NAN, f64::INFINITY]
                .map(Value::Float)
                .to_vec(),
        ),
        (
            "text",
            Type::Text,
            vec![
                text(""),
                text(" leading, trailing and  double spaces "),
                text("tab\t newline\n carriage return\r and both\r\n"),
                text("<&>'\"]]> &amp; {}[]:,\\"),
                text("ÄÖÜ ßéñ Ω Ж 語 🦀 \u{2028}\u{feff}"),
                text("\0"),
                text("\u{1}\u{1b}\u{7f}"),
            ],
        ),
        ("bytes", Type::Bytes, vec![Value::Bytes(vec![]), Value::Bytes((0..=255).collect())]),
        ("time", Type::Time, [0, 1_700_000_000, -1, 253_402_300_799].map(Value::Time).to_vec()),
        ("list", list(Type::Int), vec![Value::List(vec![]), Value::List((0..300).map(Value::Int).collect())]),
        (
            "nested",
            list(list(Type::Text)),
            vec![
                Value::List(vec![]),
                Value::List(vec![Value::List(vec![]), Value::List(vec![text(""), text("b")])]),
            ],
        ),
        ("struct", user.clone(), vec![struct_of(0, "", &[]), struct_of(7, "Ünïcödé", &["a", "", "c"])]),
        (
            "structs",
            list(user),
            vec![Value::List(vec![]), Value::List(vec![struct_of(1, "x", &["y"]), struct_of(2, "", &[])])],
        ),
    ]
}

/// A refusal must come before the run and say what cannot be carried; nothing may be altered.
fn is_documented_refusal(error: &ProtocolError) -> bool {
    let text = error.to_string();
    matches!(error, ProtocolError::Unsupported { .. } | ProtocolError::Value { .. })
        && text.contains("cannot carry")
}

#[test]
fn every_value_of_every_type_comes_back_equal_or_is_refused_beforehand() {
    on_every_protocol(|protocol| {
        let mut carried = 0;
        for (name, ty, values) in samples() {
            let service = service(vec![echo(name, ty)]);
            if let Err(error) = protocol.check(&service) {
                assert!(is_documented_refusal(&error), "{name}: {error}");
                continue;
            }
            let target = start(protocol, &service);
            for value in values {
                let arguments = [value];
                if let Err(error) = protocol.check_arguments(&service, 0, &arguments) {
                    assert!(is_documented_refusal(&error), "{name} {arguments:?}: {error}");
                    continue;
                }
                let answer = call_once(protocol, &service, &target, 0, &arguments, LIMIT)
                    .unwrap_or_else(|error| panic!("{name} {arguments:?}: {error}"));
                assert_eq!(answer, arguments[0], "{name}");
                carried += 1;
            }
        }
        assert!(carried >= 39, "only {carried} values were carried");
    });
}

#[test]
fn what_a_protocol_cannot_carry_is_refused_by_name() {
    let refused = |name: &str, value: Value, ty: Type| {
        let protocol = registry::named(name, false).unwrap();
        let service = service(vec![echo("m", ty)]);
        let error = protocol
            .check(&service)
            .and_then(|()| protocol.check_arguments(&service, 0, &[value]))
            .expect_err("it should be refused");
        assert!(is_documented_refusal(&error), "{error}");
    };
    refused("xmlrpc", Value::Int(1 << 31), Type::Int);
    refused("xmlrpc", Value::Int(-(1 << 31) - 1), Type::Int);
    refused("xmlrpc", Value::Text("a\0b".into()), Type::Text);
    refused("xmlrpc", Value::Float(f64::NAN), Type::Float);
    refused("zerorpc", Value::Time(0), Type::Time);
    let wide = registry::named("xmlrpc", true).unwrap();
    let service = service(vec![echo("m", Type::Int)]);
    wide.check_arguments(&service, 0, &[Value::Int(i64::MIN)]).expect("xmlrpc_i8 carries 64 bits");
}

#[test]
fn empty_and_one_mebibyte_payloads_arrive_whole() {
    on_every_protocol(|protocol| {
        let service = service(vec![echo("text", Type::Text), echo("bytes", Type::Bytes)]);
        let target = start(protocol, &service);
        let mebibyte: String = "Wirebench <&> Ω ".chars().cycle().take(1 << 20).collect();
        let bytes: Vec<u8> = (0..1_usize << 20).map(|index| (index * 31 % 251) as u8).collect();
        for (method, value) in [
            (0, Value::Text(String::new())),
            (0, Value::Text(mebibyte)),
            (1, Value::Bytes(vec![])),
            (1, Value::Bytes(bytes)),
        ] {
            let arguments = [value];
            let answer = call_once(protocol, &service, &target, method, &arguments, LIMIT).unwrap();
            assert!(answer == arguments[0], "method {method}");
        }
    });
}

#[test]
fn a_method_without_parameters_and_one_with_many_work() {
    on_every_protocol(|protocol| {
        let ping = ServiceMethod {
            method: Method { name: "ping".into(), params: vec![], returns: Type::Nil },
            answer: Answer::Value(Value::Nil),
            ..echo("ping", Type::Nil)
        };
        let mut last = echo("last", Type::Text);
        last.method.params =
            vec![Field::new("a", Type::Int), Field::new("b", list(Type::Bool)), Field::new("c", Type::Text)];
        last.answer = Answer::Echo(2);
        let service = service(vec![ping, last]);
        let target = start(protocol, &service);
        assert_eq!(call_once(protocol, &service, &target, 0, &[], LIMIT).unwrap(), Value::Nil);
        let arguments = [Value::Int(5), Value::List(vec![Value::Bool(true)]), Value::Text("c".into())];
        assert_eq!(call_once(protocol, &service, &target, 1, &arguments, LIMIT).unwrap(), arguments[2]);
    });
}

#[test]
fn an_unknown_method_is_an_error_of_the_server() {
    on_every_protocol(|protocol| {
        let offered = service(vec![echo("known", Type::Int)]);
        let target = start(protocol, &offered);
        // The null transport's server end is made from the caller's own service: there is no other.
        if target.is_empty() {
            return;
        }
        let asked = service(vec![echo("unknown", Type::Int)]);
        let error = call_once(protocol, &asked, &target, 0, &[Value::Int(1)], LIMIT).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Remote, "{error}");
    });
}

#[test]
fn a_fault_carries_its_text() {
    on_every_protocol(|protocol| {
        let failing = ServiceMethod { fail_rate: 1.0, ..echo("failing", Type::Int) };
        let service = service(vec![failing]);
        let target = start(protocol, &service);
        let error = call_once(protocol, &service, &target, 0, &[Value::Int(1)], LIMIT).unwrap_err();
        let CallError::Remote(fault) = error else { panic!("{error}") };
        assert!(fault.message.contains("fails on purpose"), "{fault:?}");
        assert_ne!(fault.kind, FaultKind::UnknownMethod);
    });
}

#[test]
fn arguments_of_another_type_are_an_error_of_the_server_and_it_lives_on() {
    on_every_protocol(|protocol| {
        let offered = service(vec![echo("m", list(Type::Text))]);
        let target = start(protocol, &offered);
        if target.is_empty() {
            return;
        }
        let asked = service(vec![echo("m", Type::Float)]);
        let error = call_once(protocol, &asked, &target, 0, &[Value::Float(1.5)], LIMIT).unwrap_err();
        assert!(matches!(error.class(), ErrorClass::Remote | ErrorClass::Protocol), "{error}");
        let arguments = [Value::List(vec![Value::Text("still here".into())])];
        assert_eq!(call_once(protocol, &offered, &target, 0, &arguments, LIMIT).unwrap(), arguments[0]);
    });
}

#[test]
fn a_service_time_delays_the_answer_and_nothing_else() {
    use wirebench::rpc::{Delay, Hold, How};
    on_every_protocol(|protocol| {
        let delay = Delay { hold: Hold::Fixed(20_000_000), stall: None, how: How::Sleep };
        let service = service(vec![ServiceMethod { delay: Some(delay), ..echo("slow", Type::Int) }]);
        let target = start(protocol, &service);
        let begun = std::time::Instant::now();
        let answer = call_once(protocol, &service, &target, 0, &[Value::Int(3)], LIMIT).unwrap();
        assert_eq!(answer, Value::Int(3));
        assert!(begun.elapsed() >= Duration::from_millis(20));
    });
}

#[test]
fn a_stream_of_ten_thousand_items_arrives_whole_or_is_refused_beforehand() {
    const ITEMS: u64 = 10_000;
    on_every_protocol(|protocol| {
        let service = service(vec![
            ServiceMethod { stream_items: Some(ITEMS), ..echo("feed", Type::Text) },
            echo("unary", Type::Int),
        ]);
        if !protocol.transport.carries_streams() {
            let error = protocol.check(&service).expect_err("it should be refused");
            assert!(error.to_string().contains("cannot carry streams"), "{error}");
            return;
        }
        protocol.check(&service).unwrap();
        let target = start(protocol, &service);
        let arguments = [Value::Text("an item of some length, as a feed may have".into())];
        let mut items = 0;
        let mut take = |item: &Value| {
            assert_eq!(*item, arguments[0]);
            items += 1;
        };
        let end = stream_once(protocol, &service, &target, 0, &arguments, LIMIT, &mut take).unwrap();
        assert_eq!((end, items), (Value::Nil, ITEMS));
        let answer = call_once(protocol, &service, &target, 1, &[Value::Int(3)], LIMIT).unwrap();
        assert_eq!(answer, Value::Int(3), "the server is there for others");
    });
}
