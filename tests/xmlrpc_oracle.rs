//! dxr, an XML-RPC implementation of other authors, as an oracle: what one side writes, the other
//! reads as the same values.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod arbitrary;

use std::sync::Arc;

use arbitrary::{Range, a_type, a_value};
use proptest::collection::vec;
use proptest::prelude::*;
use wirebench::codec::Shape;
use wirebench::protocol::{Asked, Context, Opened, Protocol, registry};
use wirebench::rpc::{Answer, Fault, FaultKind, Field, Method, Service, ServiceMethod, Type, Value, civil};
use wirebench::transport::{Incoming, ReplyTo, Status};

const REPLY_TO: ReplyTo = ReplyTo { peer: 0, id: 1 };
const CALL: wirebench::protocol::CallKey = wirebench::protocol::CallKey { reply_to: REPLY_TO, slot: 0 };

fn xmlrpc() -> Protocol {
    registry::named("xmlrpc", true).unwrap()
}

fn context(name: &str, params: Vec<Field>, returns: Type) -> Context {
    let method = ServiceMethod {
        method: Method { name: name.into(), params, returns },
        answer: Answer::Value(Value::Nil),
        stream_items: None,
        delay: None,
        fail_rate: 0.0,
    };
    let service = Service { name: "oracle".into(), methods: vec![method], seed: 1 };
    xmlrpc().context(&Arc::new(service))
}

/// Our value in dxr's words.
fn theirs(value: &Value) -> dxr::Value {
    match value {
        Value::Nil => dxr::Value::Nil,
        Value::Bool(value) => dxr::Value::Boolean(*value),
        Value::Int(int) => match i32::try_from(*int) {
            Ok(int) => dxr::Value::Integer(int),
            Err(_) => dxr::Value::Long(*int),
        },
        Value::Float(float) => dxr::Value::Double(*float),
        Value::Text(text) => dxr::Value::String(text.clone()),
        Value::Bytes(bytes) => dxr::Value::Base64(bytes.clone()),
        Value::Time(seconds) => {
            let (year, month, day, hour, minute, second) = civil(*seconds).unwrap();
            let text = format!("{year:04}{month:02}{day:02}T{hour:02}:{minute:02}:{second:02}");
            dxr::Value::DateTime(text.parse().unwrap())
        }
        Value::List(items) => dxr::Value::Array(items.iter().map(theirs).collect()),
        Value::Struct(fields) => {
            dxr::Value::Struct(fields.iter().map(|(name, value)| (name.to_string(), theirs(value))).collect())
        }
    }
}

/// What a text may hold so that dxr reads and writes all of it.
fn is_for_both(value: &Value) -> bool {
    match value {
        // XML makes a newline of a bare carriage return, and dxr writes it bare.
        Value::Text(text) => !text.contains('\r'),
        Value::List(items) => items.iter().all(is_for_both),
        Value::Struct(fields) => fields.iter().all(|(_, value)| is_for_both(value)),
        _ => true,
    }
}

fn types_and_values() -> impl Strategy<Value = Vec<(Type, Value)>> {
    let one = a_type("[a-zA-Z0-9_<&é]{1,8}").prop_flat_map(|ty| {
        let value = a_value(&ty, Range::Tame);
        (Just(ty), value)
    });
    vec(one, 0..4).prop_filter("text that dxr cannot carry", |values| {
        values.iter().all(|(_, value)| is_for_both(value))
    })
}

proptest! {
    #[test]
    fn dxr_reads_our_calls_and_we_read_its(name in "[a-zA-Z0-9_.:/]{1,12}", values in types_and_values()) {
        let (types, values): (Vec<Type>, Vec<Value>) = values.into_iter().unzip();
        let params: Vec<Field> = types.into_iter().enumerate().map(|(index, ty)| Field::new(&format!("p{index}"), ty)).collect();
        let protocol = xmlrpc();
        let codec = protocol.codec.prepare(&Shape::Params(params.clone())).unwrap();
        let context = context(&name, params, Type::Nil);
        let expected: Vec<dxr::Value> = values.iter().map(theirs).collect();

        let mut client = protocol.envelope.client(&context);
        let mut document = Vec::new();
        client.begin_call(1, 0, 0, &mut document);
        codec.encode(&values, &mut document).unwrap();
        client.end_call(&mut document);
        let document = String::from_utf8(document).unwrap();
        let call = dxr::MethodCall::from_xml(&document).unwrap();
        prop_assert_eq!(&*call.name, &*name, "{}", document);
        prop_assert_eq!(&call.params, &expected, "{}", document);

        let document = dxr::MethodCall { name: name.as_str().into(), params: expected }.to_xml().unwrap();
        let incoming = Incoming { reply_to: REPLY_TO, path: Some("/RPC2"), body: document.as_bytes(), deadline_ns: None, key: None };
        let mut server = protocol.envelope.server(&context);
        let asked = server.open(incoming, 0, &mut Vec::new());
        let Asked::Call { method, arguments, .. } = asked else { panic!("{asked:?}") };
        prop_assert_eq!(&*method, &*name);
        let mut read = Vec::new();
        codec.decode(arguments, &mut read).unwrap();
        prop_assert_eq!(read, values, "{}", document);
    }

    #[test]
    fn dxr_reads_our_answers_and_we_read_its(values in types_and_values()) {
        for (ty, value) in values {
            let protocol = xmlrpc();
            let codec = protocol.codec.prepare(&Shape::Result(ty.clone())).unwrap();
            let context = context("m", vec![], ty);

            let mut document = Vec::new();
            let mut server = protocol.envelope.server(&context);
            server.begin_reply(CALL, false, &mut document);
            codec.encode(std::slice::from_ref(&value), &mut document).unwrap();
            server.end_reply(CALL, false, &mut document);
            let document = String::from_utf8(document).unwrap();
            let response = dxr::MethodResponse::from_xml(&document).unwrap();
            prop_assert_eq!(response.value, theirs(&value), "{}", document);

            let document = dxr::MethodResponse { value: theirs(&value) }.to_xml().unwrap();
            let mut client = protocol.envelope.client(&context);
            let opened = client.open(Some(1), document.as_bytes(), 0, &mut Vec::new());
            let Ok(Opened::Answer { body, .. }) = opened else { panic!("{opened:?}") };
            let mut read = Vec::new();
            codec.decode(body, &mut read).unwrap();
            prop_assert_eq!(&read[..], std::slice::from_ref(&value), "{}", document);
        }
    }

    #[test]
    fn faults_mean_the_same_to_both(code in any::<i32>(), text in "[\\PC\n\t]{0,40}") {
        let protocol = xmlrpc();
        let context = context("m", vec![], Type::Nil);
        let fault = Fault { code: Some(code.into()), ..Fault::new(FaultKind::Application, text.clone()) };
        let mut document = Vec::new();
        let status = protocol.envelope.server(&context).fault(CALL, &fault, &mut document);
        prop_assert_eq!(status, Status::OK);
        let read = dxr::FaultResponse::from_xml(std::str::from_utf8(&document).unwrap()).unwrap().fault;
        prop_assert_eq!((read.code(), read.string()), (code, &*text));

        let document = dxr::FaultResponse { fault: dxr::Fault::new(code, text.clone()) }.to_xml().unwrap();
        let mut client = protocol.envelope.client(&context);
        let opened = client.open(Some(1), document.as_bytes(), 0, &mut Vec::new());
        let Ok(Opened::Fault { fault, .. }) = opened else { panic!("{opened:?}") };
        prop_assert_eq!((fault.code, fault.message), (Some(code.into()), text));
    }
}

#[test]
fn multicalls_mean_the_same_to_both() {
    let protocol = xmlrpc();
    let context = context("add", vec![Field::new("a", Type::Int), Field::new("b", Type::Int)], Type::Int);
    let calls = vec![("add".to_owned(), (1, 2)), ("nope".to_owned(), (3, 4))];
    let params = vec![dxr::multicall::into_multicall_params(calls).unwrap()];
    let document = dxr::MethodCall { name: "system.multicall".into(), params }.to_xml().unwrap();
    let incoming = Incoming {
        reply_to: REPLY_TO,
        path: Some("/"),
        body: document.as_bytes(),
        deadline_ns: None,
        key: None,
    };
    let mut server = protocol.envelope.server(&context);
    let Asked::Several { parts, .. } = server.open(incoming, 0, &mut Vec::new()) else { panic!() };
    assert_eq!(parts.len(), 2);

    let answers = [Ok(b"<value><int>3</int></value>".to_vec()), Err(Fault::unknown_method("nope"))];
    let mut document = Vec::new();
    server.join(CALL, &answers, &mut document);
    let response = dxr::MethodResponse::from_xml(std::str::from_utf8(&document).unwrap()).unwrap();
    let fault = dxr::Fault::new(1, "<class 'Exception'>:method \"nope\" is not supported".into());
    let expected = dxr::multicall::into_multicall_response(vec![Ok(dxr::Value::Integer(3)), Err(fault)]);
    assert_eq!(response.value, expected);
}
