//! The server's end.

use std::borrow::Cow;
use std::sync::Arc;

use super::document::{self, Call};
use super::{
    DECLARATION, LIST_METHODS, METHOD_HELP, METHOD_SIGNATURE, OWN_METHODS, PATH, escape, multicall, one_text,
    own_values,
};
use crate::codec::ShapeCodec;
use crate::protocol::{Asked, CallKey, Posted, ServerEnvelope};
use crate::rpc::{Fault, FaultKind, Service, Value};
use crate::transport::{Incoming, Status, StatusKind};

/// The server's end of one connection. Remembers nothing of a call.
pub(super) struct Server {
    service: Arc<Service>,
    /// Reads the one argument of the `system` methods.
    one_text: Option<Box<dyn ShapeCodec>>,
}

impl Server {
    pub(super) fn new(service: &Arc<Service>) -> Self {
        Self { service: Arc::clone(service), one_text: own_values(&one_text()) }
    }

    /// The value of a `system` method; `None` for any other method.
    fn introspect(&self, call: &Call<'_>) -> Option<Result<Vec<u8>, Fault>> {
        let names_a_method = || -> Result<String, Fault> {
            let mut values = Vec::new();
            let codec = self.one_text.as_ref().ok_or_else(|| {
                Fault::new(FaultKind::Internal, "this build has no XML codec to read the argument with")
            })?;
            let damaged = |error| Fault::new(FaultKind::BadArguments, format!("{}(): {error}", call.method));
            codec.decode(call.arguments, &mut values).map_err(damaged)?;
            match values.pop() {
                Some(Value::Text(name)) => Ok(name),
                _ => Ok(String::new()),
            }
        };
        let value = match &*call.method {
            LIST_METHODS => Ok(self.list()),
            METHOD_HELP => names_a_method().map(|name| self.help(&name)),
            METHOD_SIGNATURE => names_a_method().map(|_| "<string>signatures not supported</string>".into()),
            _ => return None,
        };
        Some(value.map(|value| format!("<value>{value}</value>").into_bytes()))
    }

    /// Every name, sorted.
    fn list(&self) -> String {
        let mut names: Vec<&str> = self.service.methods.iter().map(|method| &*method.method.name).collect();
        names.extend(OWN_METHODS);
        names.sort_unstable();
        let values: String =
            names.iter().map(|name| format!("<value><string>{}</string></value>", escaped(name))).collect();
        format!("<array><data>{values}</data></array>")
    }

    /// The signature of a method; nothing for one that there is not, as Python does.
    fn help(&self, name: &str) -> String {
        let method = self.service.position(name).and_then(|position| self.service.methods.get(position));
        let help = method.map(|method| method.method.signature(method.stream_items.is_some()));
        format!("<string>{}</string>", escaped(&help.unwrap_or_default()))
    }
}

impl ServerEnvelope for Server {
    fn open<'a>(&mut self, incoming: Incoming<'a>, _now_ns: u64, _outbox: &mut Vec<Posted>) -> Asked<'a> {
        let reply_to = incoming.reply_to;
        if incoming.path.is_some_and(|path| path != PATH && path != "/") {
            let status = Status::new(StatusKind::UnknownMethod, "calls are posted to / and /RPC2");
            return Asked::Refused { reply_to, status, body: Vec::new() };
        }
        let key = CallKey { reply_to, slot: 0 };
        let mut body = Vec::new();
        let call = match document::call(incoming.body) {
            Ok(call) => call,
            Err(reason) => {
                put_fault(1, &format!("<class 'xml.parsers.expat.ExpatError'>:{reason}"), &mut body);
                return Asked::Answered { call: key, body };
            }
        };
        if call.method == multicall::NAME {
            match multicall::parts(call.arguments) {
                Ok(parts) => return Asked::Several { call: key, parts },
                Err(fault) => self.fault(key, &fault, &mut body),
            };
            return Asked::Answered { call: key, body };
        }
        match self.introspect(&call) {
            None => return Asked::Call { call: key, method: call.method, arguments: call.arguments },
            Some(Ok(value)) => {
                self.begin_reply(key, false, &mut body);
                body.extend_from_slice(&value);
                self.end_reply(key, false, &mut body);
            }
            Some(Err(fault)) => {
                self.fault(key, &fault, &mut body);
            }
        }
        Asked::Answered { call: key, body }
    }

    fn begin_reply(&mut self, _call: CallKey, _item: bool, out: &mut Vec<u8>) {
        out.extend_from_slice(DECLARATION.as_bytes());
        out.extend_from_slice(b"<methodResponse><params><param>");
    }

    fn end_reply(&mut self, _call: CallKey, _item: bool, out: &mut Vec<u8>) {
        out.extend_from_slice(b"</param></params></methodResponse>");
    }

    fn fault(&mut self, _call: CallKey, fault: &Fault, out: &mut Vec<u8>) -> Status {
        let (code, text) = code_and_text(fault);
        put_fault(code, &text, out);
        Status::OK
    }

    fn own_answer(&mut self, method: &str, arguments: &[u8]) -> Option<Result<Vec<u8>, Fault>> {
        self.introspect(&Call { method: method.into(), arguments })
    }

    fn join(&mut self, call: CallKey, answers: &[Result<Vec<u8>, Fault>], out: &mut Vec<u8>) {
        self.begin_reply(call, false, out);
        out.extend_from_slice(b"<value><array><data>");
        for answer in answers {
            match answer {
                Ok(value) => {
                    out.extend_from_slice(b"<value><array><data>");
                    out.extend_from_slice(value);
                    out.extend_from_slice(b"</data></array></value>");
                }
                Err(fault) => {
                    let (code, text) = code_and_text(fault);
                    put_fault_value(code, &text, out);
                }
            }
        }
        out.extend_from_slice(b"</data></array></value>");
        self.end_reply(call, false, out);
    }

    fn end_stream(&mut self, _call: CallKey, _out: &mut Vec<u8>) {}

    fn may_send(&self, _call: CallKey) -> bool {
        true
    }

    fn finish(&mut self, _call: CallKey) {}

    fn tick(&mut self, _now_ns: u64, _outbox: &mut Vec<Posted>, _lost: &mut Vec<CallKey>) -> Option<u64> {
        None
    }
}

/// A fault's own code, or 1 with its class in the text as Python's servers write it.
fn code_and_text(fault: &Fault) -> (i64, Cow<'_, str>) {
    if let Some(code) = fault.code {
        return (code, Cow::Borrowed(&fault.message));
    }
    let name = if fault.kind == FaultKind::UnknownMethod { "Exception" } else { &fault.name };
    (1, Cow::Owned(format!("<class '{name}'>:{}", fault.message)))
}

fn put_fault(code: i64, text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(DECLARATION.as_bytes());
    out.extend_from_slice(b"<methodResponse><fault>");
    put_fault_value(code, text, out);
    out.extend_from_slice(b"</fault></methodResponse>");
}

fn put_fault_value(code: i64, text: &str, out: &mut Vec<u8>) {
    let code = format!(
        "<value><struct><member><name>faultCode</name><value><int>{code}</int></value></member>\
         <member><name>faultString</name><value><string>"
    );
    out.extend_from_slice(code.as_bytes());
    escape::push(text, out);
    out.extend_from_slice(b"</string></value></member></struct></value>");
}

fn escaped(text: &str) -> String {
    let mut out = Vec::new();
    escape::push(text, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}
