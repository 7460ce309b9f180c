//! The ZeroRPC envelope: bytes of the real client and server.

mod over_time;

use proptest::prelude::*;

use super::client::Client;
use super::event::{Event, Ids};
use super::server::Server;
use super::*;
use crate::protocol::{Asked, CallKey, Opened, Posted};
use crate::rpc::{Answer, Fault, FaultKind, Field, Method, ServiceMethod, Type, Value};
use crate::transport::{Incoming, ReplyTo};

const S: u64 = 1_000_000_000;

fn method(name: &str, params: Vec<Field>, stream_items: Option<u64>) -> ServiceMethod {
    ServiceMethod {
        method: Method { name: name.into(), params, returns: Type::Int },
        answer: Answer::Value(Value::Int(1)),
        stream_items,
        delay: None,
        fail_rate: 0.0,
    }
}

fn service() -> Arc<Service> {
    Arc::new(Service {
        name: "seed".into(),
        methods: vec![
            method("sendObj", vec![Field::new("data", Type::Text)], None),
            method("getObj", Vec::new(), None),
            method("feed", Vec::new(), Some(10)),
        ],
        seed: 1,
    })
}

fn client() -> Client {
    Client::with_ids(&service(), Ids::fixed(*b"0123456789abcdef"))
}

fn server() -> Server {
    Server::new(&service(), 3)
}

fn from(id: u64) -> ReplyTo {
    ReplyTo { peer: 7, id }
}

/// A request as Python writes it, with more in its header.
fn request(id: &[u8], more: &[u8], name: &str, args: &[u8]) -> Vec<u8> {
    let mut body = vec![0x93, 0x81 + u8::from(!more.is_empty())];
    body.extend_from_slice(b"\xaamessage_id");
    body.extend_from_slice(id);
    body.extend_from_slice(more);
    body.push(0xa0 + name.len() as u8);
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(args);
    body
}

/// An event of a channel.
fn event_on(channel: &[u8], name: &str, args: &[u8]) -> Vec<u8> {
    request(b"\xa1m", &[b"\xabresponse_to", channel].concat(), name, args)
}

fn ask<'a>(server: &mut Server, id: u64, body: &'a [u8], now_ns: u64) -> Asked<'a> {
    let mut outbox = Vec::new();
    let asked = server.open(
        Incoming { reply_to: from(id), path: None, body, deadline_ns: None, key: None },
        now_ns,
        &mut outbox,
    );
    assert_eq!(outbox, []);
    asked
}

fn call(server: &mut Server, id: u64, body: &[u8], now_ns: u64) -> CallKey {
    match ask(server, id, body, now_ns) {
        Asked::Call { call, .. } => call,
        other => panic!("{other:?}"),
    }
}

fn answered(server: &mut Server, body: &[u8]) -> (String, Vec<u8>) {
    match ask(server, 1, body, 0) {
        Asked::Answered { body, .. } => {
            let event = Event::parse(&body).unwrap();
            (event.name.unwrap().to_owned(), event.args.to_vec())
        }
        other => panic!("{other:?}"),
    }
}

fn names(posted: &[Posted]) -> Vec<(String, Vec<u8>)> {
    let event = |posted: &Posted| {
        let event = Event::parse(&posted.body).unwrap();
        (event.name.unwrap().to_owned(), event.args.to_vec())
    };
    posted.iter().map(event).collect()
}

#[test]
fn a_call_has_the_bytes_of_the_real_client() {
    let mut body = Vec::new();
    client().begin_call(0x1f, 1, 0, &mut body);
    body.push(0x90);
    let expected = b"\x93\x82\xaamessage_id\xc4\x200123456789abcdef000000000000001f\xa1v\x03\xa6getObj\x90";
    assert_eq!(body, expected);
    assert_eq!(body.len(), 58);
}

#[test]
fn a_reply_has_the_bytes_of_the_real_server() {
    let mut server = server();
    let id = b"\xc4\x20ffffffffffffffffffffffffffffffff";
    let call = call(&mut server, 1, &request(id, b"\xa1v\x03", "getObj", b"\x90"), 0);
    let mut body = Vec::new();
    server.begin_reply(call, false, &mut body);
    body.extend_from_slice(b"\x82\xa2id\x01\xa4name\xa1x");
    server.end_reply(call, false, &mut body);
    assert_eq!(body.len(), 112);
    assert!(body.starts_with(b"\x93\x83\xaamessage_id\xc4\x20"));
    let rest = [b"\xa1v\x03\xabresponse_to", &id[..], b"\xa2OK\x91\x82\xa2id\x01\xa4name\xa1x"].concat();
    assert!(body.ends_with(&rest));
}

#[test]
fn the_id_is_echoed_in_the_type_in_which_it_came() {
    for id in [&b"\xa2ab"[..], b"\xc4\x02ab", b"\xc5\x00\x02ab", b"\x07", b"\xcb@\x09!\xfbTD-\x18"] {
        let mut server = server();
        let call = call(&mut server, 1, &request(id, b"\xa1v\x03", "getObj", b"\x90"), 0);
        let mut body = Vec::new();
        server.begin_reply(call, false, &mut body);
        assert_eq!(Event::parse(&body).unwrap().response_to, Some(id));
    }
}

#[test]
fn the_method_and_its_arguments_are_handed_on_as_they_are() {
    let body = request(b"\xa1x", b"\xa1v\x03", "sendObj", b"\x91\xa1y");
    let mut server = server();
    match ask(&mut server, 1, &body, 0) {
        Asked::Call { method, arguments, .. } => {
            assert_eq!((&*method, arguments), ("sendObj", &b"\x91\xa1y"[..]));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_the_real_server_ignores_is_ignored() {
    let long = [&b"\xd9\x41"[..], &[b'x'; 65]].concat();
    let cases: &[(&str, &[u8])] = &[
        ("nothing", b""),
        ("garbage", b"\xc1\xff"),
        ("no message_id", b"\x93\x81\xa1v\x03\xa6getObj\x90"),
        ("a nil header", b"\x93\xc0\xa6getObj\x90"),
        ("an id too long", &request(&long, b"\xa1v\x03", "getObj", b"\x90")),
        ("an event of no channel", &event_on(b"\xa1z", "_zpc_more", b"\x91\x64")),
        ("a heartbeat that opens a channel", &request(b"\xa1x", b"\xa1v\x03", "_zpc_hb", b"\x91\x00")),
    ];
    for (what, body) in cases {
        let mut server = server();
        assert_eq!(ask(&mut server, 1, body, 0), Asked::Nothing, "{what}");
        assert_eq!(server.tick(100 * S, &mut Vec::new(), &mut Vec::new()), None, "{what}");
    }
}

#[test]
fn faults_are_three_texts_and_one_before_version_2() {
    let fault = Fault::new(FaultKind::UnknownMethod, "it's gone");
    for (version, args) in [
        (&b"\xa1v\x03"[..], &b"\x93\xa9NameError\xa9it's gone\xb5NameError: it's gone\n"[..]),
        (b"\xa1v\x01", b"\x91\xb7NameError('it\\'s gone')"),
        (b"", b"\x91\xb7NameError('it\\'s gone')"),
    ] {
        let mut server = server();
        let call = call(&mut server, 1, &request(b"\xa1x", version, "nope", b"\x90"), 0);
        let mut body = Vec::new();
        server.fault(call, &fault, &mut body);
        let event = Event::parse(&body).unwrap();
        assert_eq!((event.name, event.args), (Some("ERR"), args), "{version:?}");
    }
}

#[test]
fn a_name_that_is_no_text_is_an_unknown_method() {
    let (name, args) = answered(&mut server(), b"\x93\x82\xaamessage_id\xa1x\xa1v\x03\xc4\x01a\x90");
    assert_eq!(name, "ERR");
    assert!(args.starts_with(b"\x93\xa9NameError"));
}

#[test]
fn more_open_calls_than_the_cap_are_refused() {
    let mut server = server();
    let bodies: Vec<_> = (0..4).map(|n| request(&[0xc4, 1, n], b"\xa1v\x03", "getObj", b"\x90")).collect();
    let first = call(&mut server, 0, &bodies[0], 0);
    call(&mut server, 1, &bodies[1], 0);
    call(&mut server, 2, &bodies[2], 0);
    assert_eq!(answered(&mut server, &bodies[3]).0, "ERR");
    server.finish(first);
    server.finish(first);
    call(&mut server, 3, &bodies[3], 0);
    // The old key has lost its place.
    let mut body = Vec::new();
    server.begin_reply(first, false, &mut body);
    server.fault(first, &Fault::new(FaultKind::Internal, ""), &mut body);
    server.end_stream(first, &mut body);
    assert_eq!(body, b"");
    assert!(!server.may_send(first));
}

#[test]
fn the_server_introduces_itself() {
    let ask = |name: &str, args: &[u8]| answered(&mut server(), &request(b"\xa1x", b"\xa1v\x03", name, args));
    let ok = |args: &[u8]| ("OK".to_owned(), args.to_vec());
    assert_eq!(ask("_zerorpc_list", b"\x90"), ok(b"\x91\x93\xa4feed\xa6getObj\xa7sendObj"));
    assert_eq!(ask("_zerorpc_name", b"\x90"), ok(b"\x91\xa4seed"));
    assert_eq!(ask("_zerorpc_ping", b"\x90"), ok(b"\x91\x92\xa4pong\xa4seed"));
    assert_eq!(ask("_zerorpc_help", b"\x91\xa7sendObj"), ok(b"\x91\xbasendObj(data: text) -> int"));
    assert_eq!(ask("_zerorpc_args", b"\x91\xa7sendObj"), ok(b"\x91\x94\x91\xa4data\xc0\xc0\xc0"));
    let (name, args) = ask("_zerorpc_inspect", b"\x90");
    assert_eq!(name, "OK");
    assert!(args.starts_with(b"\x91\x82\xa4name\xa4seed\xa7methods\x83\xa4feed\x82\xa4args\x90\xa3doc"));
    for (name, args, fault) in [
        ("_zerorpc_help", &b"\x91\xa4nope"[..], "KeyError"),
        ("_zerorpc_help", b"\x90", "TypeError"),
        ("_zerorpc_name", b"\xc0", "TypeError"),
        ("_zerorpc_nope", b"\x90", "NameError"),
    ] {
        let (event, args) = ask(name, args);
        assert_eq!(event, "ERR");
        assert!(String::from_utf8_lossy(&args).contains(fault), "{name}");
    }
}

#[test]
fn a_client_opens_answers_and_faults() {
    let channel = b"\xc4\x200123456789abcdef0000000000000005";
    let remote = |kind, name: &str, message: &str, traceback: Option<&str>| {
        let traceback = traceback.map(str::to_owned);
        Opened::Fault {
            id: 5,
            fault: Fault { kind, code: None, name: name.into(), message: message.into(), traceback },
        }
    };
    let version = |args: &[u8], v: u8| {
        let more = [b"\xabresponse_to", &channel[..], b"\xa1v", &[v]].concat();
        let mut body = request(b"\xa1m", &more, "ERR", args);
        body[1] = 0x83;
        body
    };
    let cases = [
        (event_on(channel, "OK", b"\x91\x07"), Opened::Answer { id: 5, body: &b"\x07"[..] }),
        (event_on(channel, "OK", b"\x92\x07\x08"), Opened::Answer { id: 5, body: b"\x07" }),
        (event_on(channel, "OK", b"\x90"), Opened::Answer { id: 5, body: b"" }),
        (event_on(channel, "OK", b"\xc0"), Opened::Answer { id: 5, body: b"" }),
        (event_on(channel, "WHAT", b"\x90"), Opened::Answer { id: 5, body: b"" }),
        (
            version(b"\x93\xa9NameError\xa1m\xa1t", 3),
            remote(FaultKind::UnknownMethod, "NameError", "m", Some("t")),
        ),
        (version(b"\x93\xa9TypeError\xa1m\xc0", 3), remote(FaultKind::BadArguments, "TypeError", "m", None)),
        (
            version(b"\x93\xa8KeyError\xc4\x01m\xa1t", 3),
            remote(FaultKind::Application, "KeyError", "m", Some("t")),
        ),
        (version(b"\x91\xa1r", 1), remote(FaultKind::Application, "RemoteError", "r", None)),
        (event_on(channel, "ERR", b"\x91\xa1r"), remote(FaultKind::Application, "RemoteError", "r", None)),
        (version(b"\x92\xa1a\xa1b", 3), Opened::Answer { id: 5, body: b"" }),
        (event_on(b"\xc4\x200123456789abcdef0000000000000006", "OK", b"\x91\x07"), Opened::Nothing),
        (event_on(b"\xd9\x200123456789abcdef0000000000000005", "OK", b"\x91\x07"), Opened::Nothing),
        (event_on(channel, "_zpc_more", b"\x91\x33"), Opened::Nothing),
        (b"garbage".to_vec(), Opened::Nothing),
    ];
    for (message, expected) in cases {
        let mut client = client();
        client.begin_call(5, 1, 0, &mut Vec::new());
        assert_eq!(client.open(None, &message, 0, &mut Vec::new()), Ok(expected), "{message:x?}");
    }
}

#[test]
fn reserved_names_are_refused() {
    let mut service = (*service()).clone();
    assert!(ZeroRpc.check(&service).is_ok());
    service.methods.push(method("_zpc_hb", Vec::new(), None));
    assert_eq!(ZeroRpc.check(&service).unwrap_err().place, "_zpc_hb");
}

proptest! {
    #[test]
    fn any_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        feed(&bytes);
    }

    #[test]
    fn a_damaged_event_does_no_harm(
        at in 0_usize..120,
        byte in any::<u8>(),
        keep in 0_usize..120,
        name in prop::sample::select(vec!["OK", "ERR", "STREAM", "STREAM_DONE", "_zpc_more", "_zpc_hb", "_zerorpc_help"]),
        args in prop::sample::select(vec![&b"\x91\x64"[..], b"\x93\xa1a\xa1b\xa1c", b"\xc0", b"\x91\xa4feed"]),
    ) {
        let channel = b"\xc4\x200123456789abcdef0000000000000005";
        for mut body in [event_on(channel, name, args), request(channel, b"\xa1v\x03", name, args)] {
            if let Some(place) = body.get_mut(at) {
                *place = byte;
            }
            feed(&body);
            body.truncate(keep);
            feed(&body);
        }
    }
}

/// Gives bytes to both ends, which have a call open.
fn feed(bytes: &[u8]) {
    let (mut client, mut server) = (client(), server());
    let mut body = Vec::new();
    client.begin_call(5, 2, 0, &mut body);
    body.push(0x90);
    call(&mut server, 1, &body, 0);
    let mut outbox = Vec::new();
    let _ = client.open(None, bytes, 0, &mut outbox);
    let _ = server.open(
        Incoming { reply_to: from(2), path: None, body: bytes, deadline_ns: None, key: None },
        0,
        &mut outbox,
    );
    client.tick(20 * S, &mut outbox, &mut Vec::new());
    server.tick(20 * S, &mut outbox, &mut Vec::new());
}
