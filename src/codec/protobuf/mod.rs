//! The codec `protobuf`: one request and one response message per method, written and read with
//! prost's wire functions and without reflection.
//!
//! Fields are numbered in order from 1. A result that is a struct is the response message; nil is
//! an empty message; anything else is field 1 `value`. [`proto_file`] writes the `.proto` that the
//! bytes conform to, as a hand-written service would have it.
//!
//! As proto3 says (protobuf.dev, "Encoding" and "proto3"): scalars of default value are not
//! written, repeated scalars are packed and read either way, unknown fields are skipped, what is
//! missing has its default, a message that comes twice is merged. Message fields are always
//! written, because their presence is information. Two bytes may therefore stand for a struct of all its
//! type's defaults; a budget of memory bounds how often ([`decode::MEMORY_PER_BYTE`]).

mod decode;
pub(crate) mod descriptor;
mod encode;
mod plan;
pub(crate) mod schema;
mod text;
mod user;

pub use user::{ProtoError, ProtoMethod, ProtoSchema, ProtoService};

use super::support::{check_shape, decode_error, encode_error};
use super::{Codec, DecodeError, EncodeError, Options, Shape, ShapeCodec, Unsupported};
use crate::rpc::{Service, Type, Value};

const NAME: &str = "protobuf";

/// The seconds that a google.protobuf.Timestamp may hold: years 0001 to 9999 (timestamp.proto).
const TIMESTAMP_SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// Field numbers from 19000 are reserved for the protobuf implementation.
const MOST_FIELDS: usize = 18_999;

/// Writes the `.proto` (proto3) of a service in the package `wirebench`.
///
/// Messages are named after their methods (`GetObjRequest`, `GetObjResponse`) and fields; where two
/// names would be the same, the later one gets a number, always the same one for the same service.
///
/// # Errors
/// A type that the codec cannot carry, a name that is no protobuf identifier, or two fields of one
/// message that protobuf would not tell apart.
pub fn proto_file(service: &Service) -> Result<String, Unsupported> {
    Ok(text::proto(&schema::File::of(service)?))
}

/// What a compiler makes of [`proto_file`]: the bytes of a `google.protobuf.FileDescriptorProto`, named
/// after the service (`seed.proto`).
///
/// # Errors
/// See [`proto_file`].
pub fn file_descriptor(service: &Service) -> Result<Vec<u8>, Unsupported> {
    Ok(descriptor::encode(&schema::File::of(service)?))
}

/// The codec.
#[derive(Debug)]
pub struct Protobuf;

impl Protobuf {
    /// Makes the codec; there is nothing to choose.
    #[must_use]
    pub fn new(_options: &Options) -> Self {
        Self
    }
}

impl Codec for Protobuf {
    fn name(&self) -> &'static str {
        NAME
    }

    fn media_type(&self) -> &'static str {
        "application/protobuf"
    }

    fn prepare(&self, shape: &Shape) -> Result<Box<dyn ShapeCodec>, Unsupported> {
        let too_many = |fields: usize| {
            (fields > MOST_FIELDS).then(|| format!("more than {MOST_FIELDS} fields in one message"))
        };
        check_shape(NAME, shape, &|ty| match ty {
            Type::Any => Some("values of an open type: the bytes do not say what they are".into()),
            Type::Struct(fields) => too_many(fields.len()),
            _ => None,
        })?;
        if let Shape::Params(fields) = shape
            && let Some(what) = too_many(fields.len())
        {
            return Err(Unsupported { codec: NAME, what, place: "params".into() });
        }
        Ok(Box::new(ProtobufShape { shape: shape.clone(), root: plan::Root::new(shape) }))
    }
}

#[derive(Debug)]
struct ProtobufShape {
    shape: Shape,
    root: plan::Root,
}

impl ShapeCodec for ProtobufShape {
    fn encode(&self, values: &[Value], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        encode::values(&self.root, values, out)
            .map_err(|refused| encode_error(NAME, &self.shape, values, refused))
    }

    fn decode(&self, bytes: &[u8], values: &mut Vec<Value>) -> Result<(), DecodeError> {
        let before = values.len();
        decode::values(&self.root, bytes, values).map_err(|damage| decode_error(*damage, values, before))
    }
}

#[cfg(test)]
mod tests;
