//! The client's end.

use super::document::{self, Response};
use super::{DECLARATION, escape, own_values};
use crate::codec::{Shape, ShapeCodec};
use crate::protocol::{ClientEnvelope, Opened, Posted};
use crate::rpc::{Fault, FaultKind, Service, Type, Value};
use crate::transport::{Status, StatusKind};

/// The client's end of one connection.
pub(super) struct Client {
    /// What stands before the arguments, for each method.
    heads: Vec<Vec<u8>>,
    /// Reads the struct of a fault.
    faults: Option<Box<dyn ShapeCodec>>,
}

impl Client {
    pub(super) fn new(service: &Service) -> Self {
        let head = |name: &str| {
            let mut head = format!("{DECLARATION}<methodCall><methodName>").into_bytes();
            escape::push(name, &mut head);
            head.extend_from_slice(b"</methodName>");
            head
        };
        Self {
            heads: service.methods.iter().map(|method| head(&method.method.name)).collect(),
            faults: own_values(&Shape::Result(Type::Any)),
        }
    }

    fn fault(&self, value: &[u8]) -> Result<Fault, String> {
        let mut values = Vec::new();
        let codec = self.faults.as_ref().ok_or("this build has no XML codec to read a fault with")?;
        codec.decode(value, &mut values).map_err(|error| format!("a damaged fault: {error}"))?;
        let Some(Value::Struct(fields)) = values.first() else {
            return Err("a fault that is no struct".into());
        };
        let (mut code, mut text) = (None, None);
        for (name, value) in fields {
            match (&**name, value) {
                ("faultCode", Value::Int(int)) => code = Some(*int),
                ("faultString", Value::Text(string)) => text = Some(string.as_str()),
                _ => {}
            }
        }
        let code = code.ok_or("a fault without an integer faultCode")?;
        Ok(named(code, text.ok_or("a fault without a text faultString")?))
    }
}

impl ClientEnvelope for Client {
    fn begin_call(&mut self, _id: u64, method: usize, _now_ns: u64, out: &mut Vec<u8>) {
        if let Some(head) = self.heads.get(method) {
            out.extend_from_slice(head);
        }
    }

    fn end_call(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"</methodCall>");
    }

    fn open<'a>(
        &mut self,
        id: Option<u64>,
        body: &'a [u8],
        _now_ns: u64,
        _outbox: &mut Vec<Posted>,
    ) -> Result<Opened<'a>, String> {
        let id = id.ok_or("a response of no call")?;
        Ok(match document::response(body)? {
            Response::Answer(body) => Opened::Answer { id, body },
            Response::Fault(value) => Opened::Fault { id, fault: self.fault(value)? },
        })
    }

    fn fault_of(&self, status: &Status) -> Fault {
        let kind = match status.kind {
            StatusKind::UnknownMethod => FaultKind::UnknownMethod,
            StatusKind::BadArguments => FaultKind::BadArguments,
            StatusKind::TooLarge => FaultKind::TooLarge,
            StatusKind::DeadlineExceeded => FaultKind::DeadlineExceeded,
            StatusKind::Ok | StatusKind::Application | StatusKind::Internal | StatusKind::Other => {
                FaultKind::Internal
            }
        };
        let code = status.code.map(i64::from);
        let name = code.map_or_else(|| String::from("ProtocolError"), |code| format!("HTTP {code}"));
        Fault { kind, code, name, message: status.message.clone(), traceback: None }
    }

    fn tick(&mut self, _now_ns: u64, _outbox: &mut Vec<Posted>, _lost: &mut Vec<u64>) -> Option<u64> {
        None
    }

    fn forget(&mut self, _id: u64) {}
}

/// A fault with the kind and the name that Python's servers hide in the text:
/// `<class 'TypeError'>:…`.
fn named(code: i64, text: &str) -> Fault {
    let class = text.strip_prefix("<class '").and_then(|rest| rest.split_once("'>:"));
    let (name, message) = class.unwrap_or(("Fault", text));
    let kind = match name {
        "Exception" if message.starts_with("method ") && message.ends_with(" is not supported") => {
            FaultKind::UnknownMethod
        }
        "TypeError" => FaultKind::BadArguments,
        "TooLarge" => FaultKind::TooLarge,
        "TimeoutError" => FaultKind::DeadlineExceeded,
        "InternalError" => FaultKind::Internal,
        _ => FaultKind::Application,
    };
    Fault { kind, code: Some(code), name: name.to_owned(), message: message.to_owned(), traceback: None }
}
