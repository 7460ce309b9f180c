//! Protobuf as a user's own `.proto` has it: messages with the field names, numbers and types of their
//! service, built from a scenario's values.
//!
//! For every method a plan of its own is made from the `.proto`'s descriptors and the scenario's types: the hot path knows no descriptors.
//!
//! | a scenario's value | stands in a field of type |
//! |---|---|
//! | bool | bool |
//! | int | any integer type, within its range; an enum, by number |
//! | float | double; float, where its 7 digits hold the number |
//! | text | string; an enum, by name; bytes, in base64; `google.protobuf.Timestamp`, in RFC 3339 |
//! | bytes | bytes |
//! | time | `google.protobuf.Timestamp` |
//! | list | a repeated field |
//! | struct | a message; a map, its keys as text |
//! | nil | nothing is set |
//!
//! The parameters of a method are fields of its request message, by name; a single parameter that is
//! none of them and a struct is the whole request. A result that is a struct is the response message,
//! or as many of its fields as the scenario names; any other result is the only field of the
//! response, or its field `value`. What is not named is not set, and not looked at.
//!
//! Left out: groups, extensions, client streams, and unsigned numbers beyond 63 bits.

mod decode;
mod describe;
mod encode;
mod plan;
mod scalar;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use prost_reflect::{DescriptorPool, ServiceDescriptor};

use self::plan::Plan;
use super::NAME;
use crate::codec::support::{decode_error, encode_error};
use crate::codec::{CallCodec, Codec, DecodeError, EncodeError, Shape, ShapeCodec, Unsupported};
use crate::rpc::{ServiceMethod, Value};

pub use describe::{ProtoMethod, ProtoService};

/// A `.proto` that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtoError {
    /// It cannot be read or compiled.
    #[error("{file}: {reason}")]
    File {
        /// The file.
        file: String,
        /// What the compiler or the system said.
        reason: String,
    },
    /// No such service, or several to choose from.
    #[error("{}", service_words(asked.as_deref(), offered))]
    Service {
        /// The service asked for, if one was.
        asked: Option<String>,
        /// The services there are.
        offered: Vec<String>,
    },
}

fn service_words(asked: Option<&str>, offered: &[String]) -> String {
    let offered = if offered.is_empty() { "none".to_owned() } else { offered.join(", ") };
    match asked {
        Some(name) => format!("the .proto has no service {name:?}; it has: {offered}"),
        None => format!("which service? Say service = \"…\"; the .proto has: {offered}"),
    }
}

/// Compiled `.proto` files.
#[derive(Debug, Clone)]
pub struct ProtoSchema {
    pool: DescriptorPool,
    /// The file that was asked for; its imports' services are not offered. `None` for all files.
    main: Option<String>,
}

impl ProtoSchema {
    /// Of descriptors; `main` names the file whose services are offered.
    #[must_use]
    pub fn of(pool: DescriptorPool, main: Option<String>) -> Self {
        Self { pool, main }
    }

    /// Reads a `FileDescriptorSet`.
    ///
    /// # Errors
    /// Bytes that are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProtoError> {
        let pool = DescriptorPool::decode(bytes).map_err(|error| ProtoError::File {
            file: "the compiled .proto".into(),
            reason: format!("not a FileDescriptorSet: {error}"),
        })?;
        Ok(Self { pool, main: None })
    }

    /// Collects single `FileDescriptorProto`s, in any order, as gRPC reflection hands them out.
    ///
    /// # Errors
    /// Bytes that are none, or an import that is missing.
    pub fn from_files(files: &[Vec<u8>]) -> Result<Self, ProtoError> {
        // A set is its files as field 1, one after another.
        let mut set = Vec::new();
        for file in files {
            prost::encoding::bytes::encode(1, file, &mut set);
        }
        Self::from_bytes(&set)
    }

    /// The `FileDescriptorSet`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.pool.encode_to_vec()
    }

    /// The services, with their methods.
    #[must_use]
    pub fn services(&self) -> Vec<ProtoService> {
        self.offered().map(|service| describe::service(&service)).collect()
    }

    fn offered(&self) -> impl Iterator<Item = ServiceDescriptor> + '_ {
        self.pool
            .services()
            .filter(|service| self.main.as_deref().is_none_or(|main| service.parent_file().name() == main))
    }

    /// The codec of a service's messages, and the service's full name: the one asked for, or the
    /// only one.
    ///
    /// # Errors
    /// No such service, or several to choose from.
    pub fn codec(&self, service: Option<&str>) -> Result<(Arc<dyn Codec>, String), ProtoError> {
        let mut offered: Vec<ServiceDescriptor> = match service {
            Some(name) => self.pool.get_service_by_name(name).into_iter().collect(),
            None => self.offered().collect(),
        };
        match (offered.pop(), offered.is_empty()) {
            (Some(service), true) => {
                let name = service.full_name().to_owned();
                Ok((Arc::new(UserProtobuf { service }), name))
            }
            _ => Err(ProtoError::Service {
                asked: service.map(str::to_owned),
                offered: self.offered().map(|service| service.full_name().to_owned()).collect(),
            }),
        }
    }
}

/// The codec of one service's messages.
#[derive(Debug)]
struct UserProtobuf {
    service: ServiceDescriptor,
}

impl Codec for UserProtobuf {
    fn name(&self) -> &'static str {
        NAME
    }

    fn media_type(&self) -> &'static str {
        "application/protobuf"
    }

    fn prepare(&self, _shape: &Shape) -> Result<Box<dyn ShapeCodec>, Unsupported> {
        Err(Unsupported {
            codec: NAME,
            what: "values outside the methods of the .proto".into(),
            place: self.service.full_name().to_owned(),
        })
    }

    fn prepare_method(&self, method: &ServiceMethod) -> Result<CallCodec, Unsupported> {
        let signature = &method.method;
        let refused = |what: String| Unsupported { codec: NAME, what, place: signature.name.to_string() };
        let found = self.service.methods().find(|found| found.name() == &*signature.name);
        let found = found.ok_or_else(|| {
            let names: Vec<String> = self.service.methods().map(|method| method.name().to_owned()).collect();
            refused(format!(
                "a method that {} does not have; it has: {}",
                self.service.full_name(),
                names.join(", ")
            ))
        })?;
        if found.is_client_streaming() {
            return Err(refused("a stream of requests".into()));
        }
        match (found.is_server_streaming(), method.stream_items.is_some()) {
            (true, false) => {
                return Err(refused(
                    "one answer, where the .proto has a stream; say stream = { items = N }".into(),
                ));
            }
            (false, true) => return Err(refused("a stream, where the .proto has one answer".into())),
            _ => {}
        }
        let params = Plan::params(&found.input(), &signature.params)?;
        let result = Plan::result(&found.output(), &signature.returns)?;
        Ok(CallCodec {
            params: Box::new(UserShape { shape: Shape::Params(signature.params.clone()), plan: params }),
            result: Box::new(UserShape { shape: Shape::Result(signature.returns.clone()), plan: result }),
        })
    }
}

#[derive(Debug)]
struct UserShape {
    shape: Shape,
    plan: Plan,
}

impl ShapeCodec for UserShape {
    fn encode(&self, values: &[Value], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        encode::values(&self.plan, values, out)
            .map_err(|refused| encode_error(NAME, &self.shape, values, refused))
    }

    fn decode(&self, bytes: &[u8], values: &mut Vec<Value>) -> Result<(), DecodeError> {
        let before = values.len();
        decode::values(&self.plan, bytes, values).map_err(|damage| decode_error(*damage, values, before))
    }
}
