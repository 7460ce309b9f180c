//! How a server's calls take their time.

use super::*;
use crate::rpc::{Answer, Delay, Hold, Method, Type};

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
