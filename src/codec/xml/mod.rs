//! The codec `xml`: values as XML-RPC writes them (xmlrpc.com/spec.md), with the usual extensions
//! for nil and 64-bit integers.
//!
//! Arguments are `<params>`, a result is a bare `<value>`; `<methodCall>` and `<methodResponse>`
//! belong to the XML-RPC envelope. Read with quick-xml, which leaves several rules of XML to its
//! user; `decode` says which it adds.

mod chars;
mod decode;
mod encode;
mod scalars;

use super::support::{check_shape, decode_error, encode_error};
use super::{Codec, DecodeError, EncodeError, Options, Shape, ShapeCodec, Unsupported};
use crate::rpc::{Type, Value};

const NAME: &str = "xml";

/// The codec.
#[derive(Debug)]
pub struct Xml {
    /// Whether integers beyond 32 bits are written as `<i8>`.
    i8: bool,
}

impl Xml {
    /// Makes the codec.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        Self { i8: options.xmlrpc_i8 }
    }
}

impl Codec for Xml {
    fn name(&self) -> &'static str {
        NAME
    }

    fn media_type(&self) -> &'static str {
        "text/xml"
    }

    fn prepare(&self, shape: &Shape) -> Result<Box<dyn ShapeCodec>, Unsupported> {
        check_shape(NAME, shape, &|ty| {
            let Type::Struct(fields) = ty else { return None };
            let bad = fields.iter().find(|field| chars::first_forbidden(&field.name).is_some())?;
            Some(format!("the field name {:?}, which has a control character", bad.name))
        })?;
        Ok(Box::new(XmlShape { shape: shape.clone(), i8: self.i8 }))
    }
}

#[derive(Debug)]
struct XmlShape {
    shape: Shape,
    i8: bool,
}

impl ShapeCodec for XmlShape {
    fn encode(&self, values: &[Value], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        encode::values(&self.shape, self.i8, values, out)
            .map_err(|refused| encode_error(NAME, &self.shape, values, refused))
    }

    fn decode(&self, bytes: &[u8], values: &mut Vec<Value>) -> Result<(), DecodeError> {
        let before = values.len();
        decode::values(&self.shape, bytes, values).map_err(|damage| decode_error(*damage, values, before))
    }
}

#[cfg(test)]
mod tests;
