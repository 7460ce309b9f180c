//! Codecs: one typed value to bytes and back. Pure: no I/O, no clock, no methods, no ids.
//!
//! A codec is prepared once for a [`Shape`] and then encodes and decodes it many times. What a codec
//! cannot carry it refuses by name, never altering a value silently: types when it is prepared,
//! single values (an int beyond 32 bits in XML-RPC) when they are encoded.
//!
//! Adding a codec is one file and one line in [`ALL`].

mod json;
mod msgpack;
mod postcard;
pub(crate) mod protobuf;
mod support;
mod xml;

pub use protobuf::{ProtoError, ProtoMethod, ProtoSchema, ProtoService, file_descriptor, proto_file};

use std::fmt::Debug;
use std::sync::Arc;

use crate::rpc::{Field, ServiceMethod, Type, Value};

/// Every codec, by name.
pub const ALL: &[Entry] = &[
    Entry { name: "xml", open: |options| Arc::new(xml::Xml::new(options)) },
    Entry { name: "msgpack", open: |options| Arc::new(msgpack::MsgPack::new(options)) },
    Entry { name: "protobuf", open: |options| Arc::new(protobuf::Protobuf::new(options)) },
    Entry { name: "postcard", open: |options| Arc::new(postcard::Postcard::new(options)) },
    Entry { name: "json", open: |options| Arc::new(json::Json::new(options)) },
];

/// A row of the registry.
#[derive(Debug)]
pub struct Entry {
    /// The name in scenarios and reports.
    pub name: &'static str,
    /// Makes the codec.
    pub open: fn(&Options) -> Arc<dyn Codec>,
}

/// What a back end may ask of its codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// XML: write integers beyond 32 bits as `<i8>` instead of refusing them.
    pub xmlrpc_i8: bool,
    /// MessagePack: carry times as the timestamp extension; refused where this is off (zerorpc).
    pub msgpack_time: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { xmlrpc_i8: false, msgpack_time: true }
    }
}

/// Finds a codec by name.
#[must_use]
pub fn by_name(name: &str, options: &Options) -> Option<Arc<dyn Codec>> {
    ALL.iter().find(|entry| entry.name == name).map(|entry| (entry.open)(options))
}

/// What is encoded together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// The arguments of a call: one value per parameter, in order.
    Params(Vec<Field>),
    /// A result, or one item of a stream: exactly one value.
    Result(Type),
}

/// A way to write values.
pub trait Codec: Debug + Send + Sync {
    /// The name in scenarios and reports.
    fn name(&self) -> &'static str;

    /// The media type of an encoded body, for transports that announce one.
    fn media_type(&self) -> &'static str;

    /// Prepares for one shape.
    ///
    /// # Errors
    /// [`Unsupported`] where the codec has no way to carry a type of the shape.
    fn prepare(&self, shape: &Shape) -> Result<Box<dyn ShapeCodec>, Unsupported>;

    /// Prepares for the calls of a method: by its types alone, unless the codec knows the method
    /// itself, from a schema of its service.
    ///
    /// # Errors
    /// [`Unsupported`] where the codec has no way to carry a type of the method.
    fn prepare_method(&self, method: &ServiceMethod) -> Result<CallCodec, Unsupported> {
        Ok(CallCodec {
            params: self.prepare(&Shape::Params(method.method.params.clone()))?,
            result: self.prepare(&Shape::Result(method.method.returns.clone()))?,
        })
    }
}

/// A codec prepared for the calls of a method.
#[derive(Debug)]
pub struct CallCodec {
    /// For the arguments.
    pub params: Box<dyn ShapeCodec>,
    /// For the result, or one item of a stream.
    pub result: Box<dyn ShapeCodec>,
}

/// A codec prepared for a shape.
pub trait ShapeCodec: Debug + Send + Sync {
    /// Appends the encoded values to `out`. On an error what was appended is undefined, and the
    /// caller truncates it.
    ///
    /// Struct fields are written in the order of the type, whatever their order in the value.
    ///
    /// # Errors
    /// A value that is not of the shape's type, or that the codec cannot carry.
    fn encode(&self, values: &[Value], out: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// Decodes `bytes` wholly and appends the values to `values`: one per parameter, or one.
    /// Never panics and never allocates more than a small multiple of `bytes.len()`. On an error
    /// nothing is appended.
    ///
    /// # Errors
    /// Bytes that are damaged, left over, or not of the shape's type.
    fn decode(&self, bytes: &[u8], values: &mut Vec<Value>) -> Result<(), DecodeError>;
}

/// A type that a codec cannot carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{codec} cannot carry {what} ({place})")]
pub struct Unsupported {
    /// The codec or protocol.
    pub codec: &'static str,
    /// What cannot be carried.
    pub what: String,
    /// Where it stands, as `params.user.id`.
    pub place: String,
}

/// A value that cannot be encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The codec has no form for this value.
    #[error("{codec} cannot carry {what}")]
    Unsupported {
        /// The codec.
        codec: &'static str,
        /// The value, and what could be done.
        what: String,
    },
    /// The value is not of the shape's type.
    #[error("expected {expected}, found {found}")]
    Type {
        /// The type of the shape.
        expected: String,
        /// What was given.
        found: String,
    },
}

/// Bytes that are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{codec}: {reason} (at byte {at})")]
pub struct DecodeError {
    /// The codec.
    pub codec: &'static str,
    /// The rule that the bytes break.
    pub reason: String,
    /// Where in the body.
    pub at: usize,
}

/// Deepest nesting of lists and structs that any decoder follows.
pub const MAX_DEPTH: usize = 64;

/// Looks up a struct's field, first where the type has it (fields usually stand in order).
pub(crate) fn field<'a>(fields: &'a [(Arc<str>, Value)], index: usize, name: &str) -> Option<&'a Value> {
    match fields.get(index) {
        Some((found, value)) if **found == *name => Some(value),
        _ => fields.iter().find(|(found, _)| **found == *name).map(|(_, value)| value),
    }
}
