//! The vocabulary of a remote procedure call: values, types, signatures, services and errors.
//!
//! Everything here is plain data and pure functions. This module imports nothing of the crate,
//! and deliberately knows no bytes (see `codec`), no sockets (see `transport`) and no methods of
//! any protocol (see `protocol`).

mod choice;
mod error;
mod plain_json;
pub mod random;
mod service;
mod service_file;
mod signature;
mod think;
mod types;
pub mod validator1;
mod value;

pub(crate) use choice::named_choice;
pub use choice::{Arrivals, Compression, ConnectionMode, Idle, Listen, Placement};
pub use error::{CallError, ErrorClass, Fault, FaultKind};
pub use plain_json::PlainJsonError;
pub use service::{Answer, Compute, Delay, Hold, How, Outcome, Service, ServiceMethod, Stall};
pub use service_file::{ServiceFileError, from_json, to_json};
pub use think::ThinkTime;
pub use types::{Field, Method, Type, TypeMismatch, civil, from_civil, parse_rfc3339, rfc3339};
pub use value::{StructValue, Value};
