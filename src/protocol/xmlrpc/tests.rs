//! The XML-RPC envelope: documents as SimpleXMLRPCServer and ServerProxy write them.

use proptest::prelude::*;

use super::client::Client;
use super::server::Server;
use super::*;
use crate::protocol::{Asked, CallKey, Opened, Part};
use crate::rpc::{Answer, Fault, FaultKind, Method, ServiceMethod, Value};
use crate::transport::{Incoming, ReplyTo, Status, StatusKind};

const REPLY_TO: ReplyTo = ReplyTo { peer: 0, id: 3 };
const CALL: CallKey = CallKey { reply_to: REPLY_TO, slot: 0 };

fn service() -> Arc<Service> {
    let method = |name: &str, params| ServiceMethod {
        method: Method { name: name.into(), params, returns: Type::Nil },
        answer: Answer::Value(Value::Nil),
        stream_items: None,
        delay: None,
        fail_rate: 0.0,
    };
    let methods = vec![method("sendObj", vec![Field::new("data", Type::Text)]), method("a<b", vec![])];
    Arc::new(Service { name: "seed".into(), methods, seed: 1 })
}

fn asked<'a>(path: &'a str, body: &'a [u8]) -> Asked<'a> {
    let incoming = Incoming { reply_to: REPLY_TO, path: Some(path), body, deadline_ns: None, key: None };
    Server::new(&service()).open(incoming, 0, &mut Vec::new())
}

/// What the server answers by itself.
fn answered(body: &str) -> String {
    match asked(PATH, body.as_bytes()) {
        Asked::Answered { body, .. } => String::from_utf8(body).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn opened(body: &str) -> Result<Opened<'_>, String> {
    Client::new(&service()).open(Some(3), body.as_bytes(), 0, &mut Vec::new())
}

fn fault(body: &str) -> Fault {
    match opened(body) {
        Ok(Opened::Fault { id: 3, fault }) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_call_is_its_name_and_the_codecs_parameters() {
    let mut body = Vec::new();
    let mut client = Client::new(&service());
    client.begin_call(1, 1, 0, &mut body);
    body.extend_from_slice(b"<params></params>");
    client.end_call(&mut body);
    let expected =
        "<?xml version='1.0'?>\n<methodCall><methodName>a&lt;b</methodName><params></params></methodCall>";
    assert_eq!(String::from_utf8(body).unwrap(), expected);
    match asked("/", expected.as_bytes()) {
        Asked::Call { method, arguments, .. } => {
            assert_eq!((&*method, arguments), ("a<b", &b"<params></params>"[..]));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_answer_is_the_codecs_value_within_one_parameter() {
    let mut server = Server::new(&service());
    let mut body = Vec::new();
    server.begin_reply(CALL, false, &mut body);
    body.extend_from_slice(b"<value><nil/></value>");
    server.end_reply(CALL, false, &mut body);
    let body = String::from_utf8(body).unwrap();
    assert_eq!(
        body,
        "<?xml version='1.0'?>\n<methodResponse><params><param><value><nil/></value></param></params></methodResponse>"
    );
    assert_eq!(opened(&body), Ok(Opened::Answer { id: 3, body: b"<value><nil/></value>" }));
}

#[test]
fn a_fault_without_a_code_has_code_1_and_its_class_in_the_text() {
    let mut server = Server::new(&service());
    for (sent, code, text) in [
        (Fault::unknown_method("nope"), 1, "&lt;class 'Exception'&gt;:method \"nope\" is not supported"),
        (Fault::new(FaultKind::BadArguments, "a & b"), 1, "&lt;class 'TypeError'&gt;:a &amp; b"),
        (Fault::new(FaultKind::Application, ""), 1, "&lt;class 'ApplicationError'&gt;:"),
        (Fault { code: Some(-42), ..Fault::new(FaultKind::Application, "own") }, -42, "own"),
    ] {
        let mut body = Vec::new();
        assert_eq!(server.fault(CALL, &sent, &mut body), Status::OK);
        let body = String::from_utf8(body).unwrap();
        let expected = format!(
            "<?xml version='1.0'?>\n<methodResponse><fault><value><struct><member><name>faultCode</name>\
             <value><int>{code}</int></value></member><member><name>faultString</name>\
             <value><string>{text}</string></value></member></struct></value></fault></methodResponse>"
        );
        assert_eq!(body, expected);
        let received = fault(&body);
        assert_eq!((received.kind, received.code), (sent.kind, Some(code)));
        assert_eq!(received.message, sent.message);
    }
}

#[test]
fn faults_of_other_servers_are_read_in_any_form() {
    let python = "<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value><struct>\n<member>\n\
        <name>faultCode</name>\n<value><int>1</int></value>\n</member>\n<member>\n<name>faultString</name>\n\
        <value><string>&lt;class 'Exception'&gt;:method \"nope\" is not supported</string></value>\n\
        </member>\n</struct></value>\n</fault>\n</methodResponse>\n";
    let received = fault(python);
    assert_eq!((received.kind, &*received.name), (FaultKind::UnknownMethod, "Exception"));
    assert_eq!(received.message, "method \"nope\" is not supported");
    let other = "<methodResponse><fault><!-- --><value><struct><member><name>faultString</name>\
        <value>bare &amp; text</value></member><member><name>more</name><value><nil/></value></member>\
        <member> <name>faultCode</name> <value> <i4>7</i4> </value></member></struct></value></fault></methodResponse>";
    let received = fault(other);
    assert_eq!((received.code, &*received.message), (Some(7), "bare & text"));
    assert_eq!((received.kind, &*received.name), (FaultKind::Application, "Fault"));
}

#[test]
fn a_fault_without_its_members_breaks_the_protocol() {
    for value in [
        "<value/>",
        "<value><struct/></value>",
        "<value><struct><member><name>faultCode</name><value>1</value></member></struct></value>",
        "<value><struct><member><name>faultCode</name><value><int>1</int></value></member></struct></value>",
        "<value><struct></value>",
        "",
    ] {
        let body = format!("<methodResponse><fault>{value}</fault></methodResponse>");
        assert!(opened(&body).is_err(), "{value}");
    }
    assert!(Client::new(&service()).open(None, b"", 0, &mut Vec::new()).is_err());
}

#[test]
fn only_two_paths_are_served() {
    let body = b"<methodCall><methodName>sendObj</methodName></methodCall>";
    for path in ["/", "/RPC2"] {
        assert!(matches!(asked(path, body), Asked::Call { .. }), "{path}");
    }
    for path in ["/RPC", "/RPC2/", "", "/rpc2", "/wirebench.seed/sendObj"] {
        match asked(path, body) {
            Asked::Refused { status, body, reply_to: REPLY_TO } => {
                assert_eq!((status.kind, body.len()), (StatusKind::UnknownMethod, 0), "{path}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn malformed_documents_are_answered_with_fault_1() {
    for body in ["", "hello", "<methodCall><methodName>sendObj</methodName>", "<!DOCTYPE x><methodCall/>"] {
        let received = fault(&answered(body));
        assert_eq!((received.code, &*received.name), (Some(1), "xml.parsers.expat.ExpatError"), "{body}");
    }
}

#[test]
fn the_server_introduces_itself() {
    let ask = |method: &str, params: &str| {
        answered(&format!("<methodCall><methodName>{method}</methodName>{params}</methodCall>"))
    };
    let value = |body: &str| match opened(body).unwrap() {
        Opened::Answer { body, .. } => String::from_utf8(body.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    };
    let string = |text: &str| format!("<value><string>{text}</string></value>");
    let names = ["a&lt;b", "sendObj", LIST_METHODS, METHOD_HELP, METHOD_SIGNATURE, multicall::NAME];
    let names = names.map(string).concat();
    let list = ask(LIST_METHODS, "<params>\n</params>");
    assert_eq!(value(&list), format!("<value><array><data>{names}</data></array></value>"));
    let named = |name: &str| format!("<params><param><value>{name}</value></param></params>");
    assert_eq!(value(&ask(METHOD_HELP, &named("sendObj"))), string("sendObj(data: text) -&gt; nil"));
    assert_eq!(value(&ask(METHOD_HELP, &named("nope"))), string(""));
    assert_eq!(value(&ask(METHOD_SIGNATURE, &named("sendObj"))), string("signatures not supported"));
    assert_eq!(fault(&ask(METHOD_HELP, "")).kind, FaultKind::BadArguments);
}

/// A multicall's document with this XML as its one argument.
fn multicall(argument: &str) -> String {
    format!(
        "<methodCall><methodName>system.multicall</methodName><params><param><value>{argument}</value>\
         </param></params></methodCall>"
    )
}

fn member(name: &str, value: &str) -> String {
    format!("<member><name>{name}</name><value>{value}</value></member>")
}

#[test]
fn a_multicall_is_taken_apart() {
    let call = |method: &str, params: &str| {
        let params = format!("<array><data>{params}</data></array>");
        format!(
            "<value><struct>{}{}</struct></value>",
            member("methodName", method),
            member("params", &params)
        )
    };
    let calls = [
        call("sendObj", "<value>a&lt;b</value>"),
        call("nope", "<value><i8>5000000000</i8></value><value><nil/></value>"),
        call("system.multicall", ""),
        call(METHOD_SIGNATURE, "<value>x</value>"),
        format!("<value><struct>{}</struct></value>", member("methodName", "bare")),
    ];
    let document = multicall(&format!("<array><data>{}</data></array>", calls.concat()));
    let Asked::Several { call: CALL, parts } = asked(PATH, document.as_bytes()) else { panic!() };
    let arguments = |part: &Part| match part {
        Part::Call { method, arguments } => (method.clone(), String::from_utf8(arguments.clone()).unwrap()),
        Part::Refused(fault) => panic!("{fault:?}"),
    };
    let param = |value: &str| format!("<param><value>{value}</value></param>");
    let params = |params: &str| format!("<params>{params}</params>");
    assert_eq!(arguments(&parts[0]), ("sendObj".into(), params(&param("<string>a&lt;b</string>"))));
    let two = param("<i8>5000000000</i8>") + &param("<nil/>");
    assert_eq!(arguments(&parts[1]), ("nope".into(), params(&two)));
    assert!(matches!(&parts[2], Part::Refused(fault) if fault.kind == FaultKind::BadArguments));
    // Answered only when it is its turn.
    let (method, argument) = arguments(&parts[3]);
    let signature = b"<value><string>signatures not supported</string></value>".to_vec();
    let answer = Server::new(&service()).own_answer(&method, argument.as_bytes());
    assert_eq!(answer, Some(Ok(signature)));
    assert_eq!(arguments(&parts[4]), ("bare".into(), params("")));
    assert_eq!(parts.len(), 5);
}

#[test]
fn what_is_no_multicall_is_one_fault() {
    let not_text = format!("<struct>{}</struct>", member("methodName", "<int>1</int>"));
    for argument in [
        "x".to_owned(),
        "<array><data><value>x</value></data></array>".into(),
        "<array><data><value><struct/></value></data></array>".into(),
        format!("<array><data><value>{not_text}</value></data></array>"),
        "<array>".into(),
    ] {
        assert_eq!(fault(&answered(&multicall(&argument))).kind, FaultKind::BadArguments, "{argument}");
    }
}

#[test]
fn the_answers_of_a_multicall_stand_in_one_array() {
    let answers = [
        Ok(b"<value><nil/></value>".to_vec()),
        Err(Fault { code: Some(42), ..Fault::new(FaultKind::Application, "own & only") }),
        Err(Fault::unknown_method("nope")),
    ];
    let mut body = Vec::new();
    Server::new(&service()).join(CALL, &answers, &mut body);
    let body = String::from_utf8(body).unwrap();
    let fault = |code: &str, text: &str| {
        let fields = member("faultCode", &format!("<int>{code}</int>"))
            + &member("faultString", &format!("<string>{text}</string>"));
        format!("<value><struct>{fields}</struct></value>")
    };
    let expected = [
        "<value><array><data><value><array><data><value><nil/></value></data></array></value>".to_owned(),
        fault("42", "own &amp; only"),
        fault("1", "&lt;class 'Exception'&gt;:method \"nope\" is not supported"),
        "</data></array></value>".to_owned(),
    ]
    .concat();
    let opened = opened(&body);
    assert_eq!(opened, Ok(Opened::Answer { id: 3, body: expected.as_bytes() }));
}

#[test]
fn what_xml_rpc_has_no_place_for_is_refused_before_the_run() {
    let check = |change: fn(&mut ServiceMethod)| {
        let mut service = (*service()).clone();
        change(&mut service.methods[1]);
        XmlRpc.check(&service)
    };
    assert!(check(|_| ()).is_ok());
    assert!(check(|method| method.stream_items = Some(3)).unwrap_err().what.contains("stream"));
    assert!(check(|method| method.method.name = "a\0".into()).is_err());
    assert!(check(|method| method.method.name = LIST_METHODS.into()).is_err());
}

#[test]
fn http_statuses_are_faults() {
    let status = Status { kind: StatusKind::UnknownMethod, code: Some(404), message: "Not Found".into() };
    let fault = Client::new(&service()).fault_of(&status);
    assert_eq!((fault.kind, fault.code, &*fault.name), (FaultKind::UnknownMethod, Some(404), "HTTP 404"));
}

proptest! {
    #[test]
    fn any_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = document::call(&bytes);
        let _ = document::response(&bytes);
    }

    #[test]
    fn pieces_of_xml_do_no_harm(pieces in proptest::collection::vec(prop::sample::select(vec![
        "<methodCall>", "</methodCall>", "<methodName>", "</methodName>", "a", "&amp;", "&#65;", "<params>",
        "</params>", "<param>", "</param>", "<value>", "</value>", "<methodResponse>", "</methodResponse>",
        "<fault>", "</fault>", "<!--", "-->", "<![CDATA[", "]]>", "<?xml version='1.0'?>", " ", "<", "<params/>",
    ]), 0..14)) {
        let text = pieces.concat();
        let _ = asked(PATH, text.as_bytes());
        let _ = opened(&text);
    }

    /// Cutting by comparison gives what the exact parser gives, or the codec refuses the slice.
    #[test]
    fn a_comment_behind_never_changes_a_call(
        name in "[a-zA-Z0-9_.:/é]{1,12}",
        space in "[ \n\t]{0,2}",
    ) {
        let usual = format!("<methodCall>{space}<methodName>{name}</methodName>{space}<params/></methodCall>{space}");
        let odd = format!("{usual}<!-- -->");
        prop_assert_eq!(document::call(usual.as_bytes()), document::call(odd.as_bytes()));
    }
}
