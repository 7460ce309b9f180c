//! The minimal envelope: writes exactly what the transport does not carry of {id, method, status}.
//!
//! It serves every free pair, and by the same rule `grpc` (HTTP/2 carries all three, so it writes
//! nothing) and `binary-tcp` (framed TCP carries the id; specified as a whole in
//! [`super::binary_tcp`]).
//!
//! # Bytes
//!
//! All lengths are unsigned LEB128 (7 bits a byte, least significant first, high bit: more follow).
//!
//! | message | bytes |
//! |---|---|
//! | request | id, where the transport carries none (8 bytes, big-endian); method, where it carries none (length, UTF-8 name); the codec's bytes |
//! | reply | id, likewise; kind, where the transport carries no status (1 byte); what follows depends on the kind |
//! | kind 0, answer | the codec's bytes of the result |
//! | kind 1, fault | fault kind (1 byte: 0 unknown method, 1 bad arguments, 2 application, 3 too large, 4 deadline exceeded, 5 internal); name and message, each length and UTF-8 |
//! | kind 2, item of a stream | the codec's bytes of the item |
//! | kind 3, end of a stream | nothing |

use std::sync::Arc;

use super::{Asked, CallKey, ClientEnvelope, Context, Envelope, Opened, Posted, Route, ServerEnvelope};
use crate::codec::Unsupported;
use crate::rpc::{Fault, FaultKind, Service};
use crate::transport::{Incoming, Status, StatusKind};

const ANSWER: u8 = 0;
const FAULT: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;

/// Kinds of fault by their number on the wire.
const FAULT_KINDS: [FaultKind; 6] = [
    FaultKind::UnknownMethod,
    FaultKind::BadArguments,
    FaultKind::Application,
    FaultKind::TooLarge,
    FaultKind::DeadlineExceeded,
    FaultKind::Internal,
];

/// Makes the envelope.
pub(super) fn envelope() -> Arc<dyn Envelope> {
    Arc::new(Gap)
}

#[derive(Debug)]
struct Gap;

impl Envelope for Gap {
    fn route(&self, service: &Service, media_type: &str) -> Route {
        let path = |method: &crate::rpc::ServiceMethod| {
            format!("/wirebench.{}/{}", service.name, method.method.name)
        };
        Route {
            paths: service.methods.iter().map(path).collect(),
            media_type: media_type.to_owned(),
            id_frame: true,
            request_streams: Vec::new(),
        }
    }

    fn check(&self, service: &Service) -> Result<(), Unsupported> {
        // Names become request paths and protobuf identifiers.
        let bad = service.methods.iter().find(|method| {
            let name = &method.method.name;
            name.is_empty()
                || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
        });
        match bad {
            None => Ok(()),
            Some(method) => Err(Unsupported {
                codec: "the envelope",
                what: "a method name with other characters than letters, digits and _.-".into(),
                place: method.method.name.to_string(),
            }),
        }
    }

    fn client(&self, context: &Context) -> Box<dyn ClientEnvelope> {
        Box::new(GapClient { context: context.clone() })
    }

    fn server(&self, context: &Context) -> Box<dyn ServerEnvelope> {
        let prefix = format!("/wirebench.{}/", context.service.name);
        Box::new(GapServer { context: context.clone(), prefix })
    }
}

struct GapClient {
    context: Context,
}

impl ClientEnvelope for GapClient {
    fn begin_call(&mut self, id: u64, method: usize, _now_ns: u64, out: &mut Vec<u8>) {
        if !self.context.carries.id {
            out.extend_from_slice(&id.to_be_bytes());
        }
        if !self.context.carries.method {
            let name = self.context.service.methods.get(method).map_or("", |method| &*method.method.name);
            put_text(out, name);
        }
    }

    fn end_call(&mut self, _out: &mut Vec<u8>) {}

    fn open<'a>(
        &mut self,
        id: Option<u64>,
        body: &'a [u8],
        _now_ns: u64,
        _outbox: &mut Vec<Posted>,
    ) -> Result<Opened<'a>, String> {
        let mut rest = body;
        let id = match id {
            Some(id) => id,
            None => take_id(&mut rest).ok_or("a reply shorter than its id")?,
        };
        if self.context.carries.status {
            return Ok(Opened::Answer { id, body: rest });
        }
        let (&kind, rest) = rest.split_first().ok_or("a reply without its kind")?;
        match kind {
            ANSWER => Ok(Opened::Answer { id, body: rest }),
            ITEM => Ok(Opened::Item { id, body: rest }),
            END => Ok(Opened::End { id }),
            FAULT => {
                let fault = read_fault(rest).ok_or("a damaged fault")?;
                Ok(Opened::Fault { id, fault })
            }
            other => Err(format!("unknown kind of reply {other}; allowed: 0 to 3")),
        }
    }

    fn fault_of(&self, status: &Status) -> Fault {
        let kind = match status.kind {
            StatusKind::UnknownMethod => FaultKind::UnknownMethod,
            StatusKind::BadArguments => FaultKind::BadArguments,
            StatusKind::TooLarge => FaultKind::TooLarge,
            StatusKind::DeadlineExceeded => FaultKind::DeadlineExceeded,
            StatusKind::Internal => FaultKind::Internal,
            StatusKind::Ok | StatusKind::Application | StatusKind::Other => FaultKind::Application,
        };
        let name = status.code.map_or_else(|| String::from("status"), |code| format!("status {code}"));
        Fault {
            kind,
            code: status.code.map(i64::from),
            name,
            message: status.message.clone(),
            traceback: None,
        }
    }

    fn tick(&mut self, _now_ns: u64, _outbox: &mut Vec<Posted>, _lost: &mut Vec<u64>) -> Option<u64> {
        None
    }

    fn forget(&mut self, _id: u64) {}
}

struct GapServer {
    context: Context,
    prefix: String,
}

impl GapServer {
    /// Ids that the transport does not carry are remembered in the reply's address: it is unused.
    fn put_head(&self, call: CallKey, kind: u8, out: &mut Vec<u8>) {
        if !self.context.carries.id {
            out.extend_from_slice(&call.reply_to.id.to_be_bytes());
        }
        if !self.context.carries.status {
            out.push(kind);
        }
    }
}

impl ServerEnvelope for GapServer {
    fn open<'a>(&mut self, incoming: Incoming<'a>, _now_ns: u64, _outbox: &mut Vec<Posted>) -> Asked<'a> {
        let mut call = CallKey { reply_to: incoming.reply_to, slot: 0 };
        let refused = |kind, message: &str| Asked::Refused {
            reply_to: incoming.reply_to,
            status: Status::new(kind, message),
            body: Vec::new(),
        };
        let mut rest = incoming.body;
        if !self.context.carries.id {
            let Some(id) = take_id(&mut rest) else {
                return refused(StatusKind::BadArguments, "a request shorter than its id");
            };
            call.reply_to.id = id;
        }
        if self.context.carries.method {
            let method = incoming.path.and_then(|path| path.strip_prefix(&*self.prefix));
            return match method {
                Some(method) => Asked::Call { call, method: method.into(), arguments: rest },
                None => refused(StatusKind::UnknownMethod, "no such service"),
            };
        }
        match take_text(&mut rest) {
            Some(method) => Asked::Call { call, method: method.into(), arguments: rest },
            None => {
                let mut body = Vec::new();
                let status = self.fault(
                    call,
                    &Fault::new(FaultKind::BadArguments, "the request's method name is damaged"),
                    &mut body,
                );
                Asked::Refused { reply_to: call.reply_to, status, body }
            }
        }
    }

    fn begin_reply(&mut self, call: CallKey, item: bool, out: &mut Vec<u8>) {
        self.put_head(call, if item { ITEM } else { ANSWER }, out);
    }

    fn end_reply(&mut self, _call: CallKey, _item: bool, _out: &mut Vec<u8>) {}

    fn fault(&mut self, call: CallKey, fault: &Fault, out: &mut Vec<u8>) -> Status {
        if !self.context.carries.status {
            self.put_head(call, FAULT, out);
            let number = FAULT_KINDS.iter().position(|kind| *kind == fault.kind).unwrap_or(0);
            out.push(u8::try_from(number).unwrap_or(0));
            put_text(out, &fault.name);
            put_text(out, &fault.message);
        }
        let kind = match fault.kind {
            FaultKind::UnknownMethod => StatusKind::UnknownMethod,
            FaultKind::BadArguments => StatusKind::BadArguments,
            FaultKind::Application => StatusKind::Application,
            FaultKind::TooLarge => StatusKind::TooLarge,
            FaultKind::DeadlineExceeded => StatusKind::DeadlineExceeded,
            FaultKind::Internal => StatusKind::Internal,
        };
        Status::new(kind, &*fault.message)
    }

    fn end_stream(&mut self, call: CallKey, out: &mut Vec<u8>) {
        if !self.context.carries.status {
            self.put_head(call, END, out);
        }
    }

    fn may_send(&self, _call: CallKey) -> bool {
        true
    }

    fn finish(&mut self, _call: CallKey) {}

    fn tick(&mut self, _now_ns: u64, _outbox: &mut Vec<Posted>, _lost: &mut Vec<CallKey>) -> Option<u64> {
        None
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    let mut length = text.len();
    while length >= 0x80 {
        out.push((length & 0x7F) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(text.as_bytes());
}

fn take_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let mut length = 0_usize;
    for shift in [0, 7, 14, 21] {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        length |= usize::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            let (text, rest) = bytes.split_at_checked(length)?;
            *bytes = rest;
            return std::str::from_utf8(text).ok();
        }
    }
    None
}

fn take_id(bytes: &mut &[u8]) -> Option<u64> {
    let (id, rest) = bytes.split_first_chunk::<8>()?;
    *bytes = rest;
    Some(u64::from_be_bytes(*id))
}

fn read_fault(mut bytes: &[u8]) -> Option<Fault> {
    let (&number, rest) = bytes.split_first()?;
    bytes = rest;
    let kind = *FAULT_KINDS.get(usize::from(number))?;
    let name = take_text(&mut bytes)?.to_owned();
    let message = take_text(&mut bytes)?.to_owned();
    bytes.is_empty().then_some(Fault { kind, code: Some(i64::from(number)), name, message, traceback: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Shape;
    use crate::rpc::{Answer, Field, Method, ServiceMethod, Type, Value};
    use crate::transport::{Carries, ReplyTo};

    fn context(carries: Carries) -> Context {
        let method = ServiceMethod {
            method: Method { name: "ping".into(), params: vec![], returns: Type::Nil },
            answer: Answer::Value(Value::Nil),
            stream_items: None,
            delay: None,
            fail_rate: 0.0,
        };
        Context { service: Arc::new(Service { name: "s".into(), methods: vec![method], seed: 0 }), carries }
    }

    const NOTHING: Carries = Carries { id: false, method: false, status: false };
    const ALL: Carries = Carries { id: true, method: true, status: true };

    #[test]
    fn only_what_the_transport_lacks_is_written() {
        for (carries, request) in [
            (NOTHING, &b"\0\0\0\0\0\0\0\x07\x04ping"[..]),
            (Carries { id: true, ..NOTHING }, b"\x04ping"),
            (ALL, b""),
        ] {
            let mut out = Vec::new();
            Gap.client(&context(carries)).begin_call(7, 0, 0, &mut out);
            assert_eq!(out, request, "{carries:?}");
        }
    }

    #[test]
    fn the_example_of_the_specification_is_what_is_written() {
        let text = include_str!("binary_tcp.md");
        let bytes: Vec<String> = text
            .split("```text")
            .skip(1)
            .filter_map(|example| example.split("```").next())
            .map(|example| example.lines().filter_map(|line| line.split("   ").next()).collect::<String>())
            .map(|hex| hex.replace(' ', ""))
            .collect();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let protocol = super::super::registry::named("binary-tcp", false).unwrap();
        let params = vec![Field::new("first", Type::Int), Field::new("second", Type::Text)];
        let values = [Value::Int(-1), Value::Text("né".into())];
        let frame = |body: &[u8]| {
            let length = u32::try_from(body.len() + 8).unwrap().to_be_bytes();
            hex(&[&length[..], &7_u64.to_be_bytes(), body].concat())
        };
        let mut context = context(protocol.transport.carries());
        Arc::get_mut(&mut context.service).unwrap().methods[0].method.name = "second".into();
        let mut request = Vec::new();
        Gap.client(&context).begin_call(7, 0, 0, &mut request);
        protocol.codec.prepare(&Shape::Params(params)).unwrap().encode(&values, &mut request).unwrap();
        let mut answer = Vec::new();
        let call = CallKey { reply_to: ReplyTo { peer: 0, id: 7 }, slot: 0 };
        Gap.server(&context).begin_reply(call, false, &mut answer);
        let result = protocol.codec.prepare(&Shape::Result(Type::Text)).unwrap();
        result.encode(&values[1..], &mut answer).unwrap();
        assert_eq!(bytes, [frame(&request), frame(&answer)]);
    }

    #[test]
    fn a_fault_arrives_whole_where_the_envelope_carries_it() {
        let context = context(NOTHING);
        let call = CallKey { reply_to: ReplyTo { peer: 0, id: 9 }, slot: 0 };
        let mut out = Vec::new();
        let fault = Fault::new(FaultKind::Application, "ü".repeat(200));
        let status = Gap.server(&context).fault(call, &fault, &mut out);
        assert_eq!(status.kind, StatusKind::Application);
        let opened = Gap.client(&context).open(None, &out, 0, &mut Vec::new()).unwrap();
        let Opened::Fault { id: 9, fault: arrived } = opened else { panic!("{opened:?}") };
        assert_eq!((arrived.kind, arrived.message), (fault.kind, fault.message));
    }

    #[test]
    fn damaged_messages_are_refused_in_words() {
        let context = context(NOTHING);
        for bytes in [
            &b""[..],
            b"\0\0\0\0\0\0\0",
            b"\0\0\0\0\0\0\0\x01",
            b"\0\0\0\0\0\0\0\x01\x09",
            b"\0\0\0\0\0\0\0\x01\x01\x00\x7f",
        ] {
            assert!(Gap.client(&context).open(None, bytes, 0, &mut Vec::new()).is_err(), "{bytes:?}");
        }
        let incoming = |body| Incoming {
            reply_to: ReplyTo { peer: 0, id: 0 },
            path: None,
            body,
            deadline_ns: None,
            key: None,
        };
        let asked = Gap.server(&context).open(
            incoming(b"\0\0\0\0\0\0\0\x01\xff\xff\xff\xff\xff"),
            0,
            &mut Vec::new(),
        );
        assert!(matches!(asked, Asked::Refused { .. }), "{asked:?}");
    }
}
