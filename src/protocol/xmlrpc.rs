//! XML-RPC: one element around the codec's values, over HTTP.
//!
//! | message | document |
//! |---|---|
//! | call | `<?xml version='1.0'?>\n<methodCall><methodName>…</methodName>` and the codec's `<params>…</params>`, `</methodCall>` |
//! | answer | `<?xml version='1.0'?>\n<methodResponse><params><param>` and the codec's `<value>…</value>`, `</param></params></methodResponse>` |
//! | fault | `<?xml version='1.0'?>\n<methodResponse><fault>` and a struct of `faultCode` and `faultString`, `</fault></methodResponse>` |
//!
//! A server behaves as CPython's `SimpleXMLRPCServer` with its introspection functions: HTTP 200 also for
//! faults, 404 for paths but `/` and `/RPC2`, code 1 for every fault that has no code of its own, its
//! kind in the text (`<class 'Exception'>:method "nope" is not supported`).
//!
//! Documents are not parsed twice. A head and an end as every usual implementation writes them are cut
//! off by comparing bytes ([`document`]), and the codec checks what is between; only where they look
//! otherwise does an exact parser look for the places to cut.
//!
//! May import the traits of this module, `rpc`, the XML codec by its name (for the values of faults
//! and of introspection) and `transport`'s vocabulary. Has no socket and no clock. Carries no streams.

mod client;
mod document;
mod escape;
mod inspect;
mod multicall;
mod server;

pub(super) use inspect::introspect;

use std::sync::Arc;

use super::{ClientEnvelope, Context, Envelope, Route, ServerEnvelope};
use crate::codec::{self, Shape, ShapeCodec, Unsupported};
use crate::rpc::{Field, Service, Type};

/// Where calls are posted to.
const PATH: &str = "/RPC2";

/// What both ends begin a document with, as Python does.
const DECLARATION: &str = "<?xml version='1.0'?>\n";

/// The methods by which a server tells about itself.
const LIST_METHODS: &str = "system.listMethods";
const METHOD_HELP: &str = "system.methodHelp";
const METHOD_SIGNATURE: &str = "system.methodSignature";

/// All methods of a server's own.
const OWN_METHODS: [&str; 4] = [LIST_METHODS, METHOD_HELP, METHOD_SIGNATURE, multicall::NAME];

/// The XML-RPC envelope.
#[derive(Debug)]
pub struct XmlRpc;

/// Makes the envelope.
#[must_use]
pub fn envelope() -> Arc<dyn Envelope> {
    Arc::new(XmlRpc)
}

impl Envelope for XmlRpc {
    fn route(&self, service: &Service, _codec_media_type: &str) -> Route {
        Route {
            paths: vec![PATH.to_owned(); service.methods.len()],
            media_type: "text/xml".to_owned(),
            id_frame: false,
            request_streams: Vec::new(),
        }
    }

    fn check(&self, service: &Service) -> Result<(), Unsupported> {
        for method in &service.methods {
            let name = &method.method.name;
            let what = if method.stream_items.is_some() {
                "streams"
            } else if name.chars().any(|character| !escape::is_carried(character)) {
                "a method name with a character that XML has no place for"
            } else if OWN_METHODS.contains(&&**name) {
                "a method with the name of one of its own"
            } else {
                continue;
            };
            return Err(Unsupported { codec: "xmlrpc", what: what.into(), place: name.to_string() });
        }
        Ok(())
    }

    fn client(&self, context: &Context) -> Box<dyn ClientEnvelope> {
        Box::new(client::Client::new(&context.service))
    }

    fn server(&self, context: &Context) -> Box<dyn ServerEnvelope> {
        Box::new(server::Server::new(&context.service))
    }
}

/// The XML codec for the values of the envelope's own.
fn own_values(shape: &Shape) -> Option<Box<dyn ShapeCodec>> {
    codec::by_name("xml", &codec::Options { xmlrpc_i8: true, ..codec::Options::default() })?
        .prepare(shape)
        .ok()
}

/// The shape of one text argument.
fn one_text() -> Shape {
    Shape::Params(vec![Field::new("method_name", Type::Text)])
}

#[cfg(test)]
mod tests;
