//! The codec `msgpack`: MessagePack with the widths, the str/bin split and the timestamp extension
//! of its specification (github.com/msgpack/msgpack, spec.md).
//!
//! Arguments are an array, a result is the bare value. Reading is strict about types (text is a
//! str, bytes are a bin) and lenient about widths, because peers differ in those: any integer
//! format, float32, map keys as bin, and an integer where a float of exactly that value stands.

mod decode;
mod encode;

use super::support::{check_shape, decode_error, encode_error};
use super::{Codec, DecodeError, EncodeError, Options, Shape, ShapeCodec, Unsupported};
use crate::rpc::{Type, Value};

const NAME: &str = "msgpack";

/// The application type of the timestamp extension.
const TIMESTAMP: i8 = -1;

/// The codec.
#[derive(Debug)]
pub struct MsgPack {
    /// Whether times may be carried.
    time: bool,
}

impl MsgPack {
    /// Makes the codec.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        Self { time: options.msgpack_time }
    }
}

impl Codec for MsgPack {
    fn name(&self) -> &'static str {
        NAME
    }

    fn media_type(&self) -> &'static str {
        "application/msgpack"
    }

    fn prepare(&self, shape: &Shape) -> Result<Box<dyn ShapeCodec>, Unsupported> {
        check_shape(NAME, shape, &|ty| {
            let refused = *ty == Type::Time && !self.time;
            refused.then(|| "times: the peers of this protocol know no timestamp extension".into())
        })?;
        Ok(Box::new(MsgPackShape { shape: shape.clone(), time: self.time }))
    }
}

#[derive(Debug)]
struct MsgPackShape {
    shape: Shape,
    time: bool,
}

impl ShapeCodec for MsgPackShape {
    fn encode(&self, values: &[Value], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        encode::values(&self.shape, self.time, values, out)
            .map_err(|refused| encode_error(NAME, &self.shape, values, refused))
    }

    fn decode(&self, bytes: &[u8], values: &mut Vec<Value>) -> Result<(), DecodeError> {
        let before = values.len();
        decode::values(&self.shape, self.time, bytes, values)
            .map_err(|damage| decode_error(*damage, values, before))
    }
}

#[cfg(test)]
mod tests;
