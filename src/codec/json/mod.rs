//! The codec `json`: values as plain JSON, without tags.
//!
//! Arguments are an array, a result is the bare value; bytes are base64 text and times RFC 3339
//! text. JSON has no NaN and no infinity; they are refused. Read with serde_json; an integer where
//! a float is expected is taken if it is exactly that float, because Python writes 1.0 as 1 where
//! the value is an int.

mod decode;
mod encode;

use super::support::{check_shape, encode_error};
use super::{Codec, DecodeError, EncodeError, Options, Shape, ShapeCodec, Unsupported};
use crate::rpc::Value;

const NAME: &str = "json";

/// The codec.
#[derive(Debug)]
pub struct Json;

impl Json {
    /// Makes the codec; there is nothing to choose.
    #[must_use]
    pub fn new(_options: &Options) -> Self {
        Self
    }
}

impl Codec for Json {
    fn name(&self) -> &'static str {
        NAME
    }

    fn media_type(&self) -> &'static str {
        "application/json"
    }

    fn prepare(&self, shape: &Shape) -> Result<Box<dyn ShapeCodec>, Unsupported> {
        check_shape(NAME, shape, &|_| None)?;
        Ok(Box::new(JsonShape { shape: shape.clone() }))
    }
}

#[derive(Debug)]
struct JsonShape {
    shape: Shape,
}

impl ShapeCodec for JsonShape {
    fn encode(&self, values: &[Value], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        encode::values(&self.shape, values, out)
            .map_err(|refused| encode_error(NAME, &self.shape, values, refused))
    }

    fn decode(&self, bytes: &[u8], values: &mut Vec<Value>) -> Result<(), DecodeError> {
        decode::values(&self.shape, bytes, values)
    }
}

#[cfg(test)]
mod tests;
