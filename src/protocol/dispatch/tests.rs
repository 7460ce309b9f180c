//! How a server's calls take their time.

use super::*;
use crate::protocol::Part;
use crate::rpc::{Answer, Delay, Field, Hold, Method, Type};

#[test]
fn a_serial_server_has_one_line_and_a_sleeping_one_has_none() {
    let service = |how| Service {
        name: "s".into(),
        seed: 1,
        methods: vec![ServiceMethod {
            method: Method { name: "m".into(), params: Vec::new(), returns: Type::Nil },
            answer: Answer::Value(Value::Nil),
            stream_items: None,
            delay: Some(Delay { hold: Hold::Fixed(10), stall: None, how }),
            fail_rate: 0.0,
        }],
    };
    let ends = |how, arrivals: [u64; 4]| {
        let service = service(how);
        let codec = crate::codec::by_name("json", &crate::codec::Options::default()).unwrap();
        let prepared = Dispatcher::prepare(codec.as_ref(), &service).unwrap();
        let base_ns = prepared.started_ns;
        arrivals.map(|at| prepared.decide(&service, &service.methods[0], 0, base_ns + at).1 - base_ns)
    };
    assert_eq!(ends(How::Serial, [1_000, 1_001, 1_002, 1_500]), [1_010, 1_020, 1_030, 1_510]);
    assert_eq!(ends(How::Sleep, [1_000, 1_001, 1_002, 1_500]), [1_010, 1_011, 1_012, 1_510]);
}

/// Keeps what is sent.
#[derive(Default)]
struct Sent(Vec<String>);

impl Replies for Sent {
    fn message(&mut self, _to: ReplyTo, body: &mut Vec<u8>) {
        self.0.push(String::from_utf8_lossy(body).into_owned());
    }

    fn end(&mut self, _to: ReplyTo, _status: Status) {}

    fn has_room(&self, _to: ReplyTo) -> bool {
        true
    }
}

#[test]
fn several_answers_that_are_too_large_together_are_one_fault_whoever_gives_them() {
    let long = "x".repeat(100);
    let params = (0..1_000).map(|number| Field::new(&format!("{long}{number}"), Type::Text)).collect();
    let service = Arc::new(Service {
        name: "s".into(),
        seed: 1,
        methods: vec![ServiceMethod {
            method: Method { name: "m".into(), params, returns: Type::Nil },
            answer: Answer::Value(Value::Nil),
            stream_items: None,
            delay: None,
            fail_rate: 0.0,
        }],
    });
    let protocol = crate::protocol::registry::named("xmlrpc", false).unwrap();
    let prepared = Dispatcher::prepare(protocol.codec.as_ref(), &service).unwrap();
    let call = CallKey { reply_to: ReplyTo { peer: 0, id: 1 }, slot: 0 };
    let answer = |parts: Vec<Part>| {
        let envelope = protocol.envelope.server(&protocol.context(&service));
        let mut sent = Sent::default();
        Dispatcher::new(&service, &prepared, envelope).several(call, parts, &mut sent);
        assert_eq!(sent.0.len(), 1);
        sent.0.remove(0)
    };
    let help = Part::Call {
        method: "system.methodHelp".into(),
        arguments: b"<params><param><value>m</value></param></params>".to_vec(),
    };
    let fault = Part::Refused(Fault::new(FaultKind::Application, "x".repeat(1 << 20)));
    for part in [help, fault] {
        let few = answer(vec![part.clone(); 3]);
        assert_eq!(few.matches(&*long).count() > 3, !few.contains("larger than"), "{}", few.len());
        let many = answer(vec![part; 700]);
        assert!(many.len() < 1_000 && many.contains("larger than"), "{}", many.len());
    }
}
