//! What several codecs share and none owns: how shapes are checked and refusals worded, how the
//! fields of a struct are put back into the type's order, and how numbers and base64 become text.
//!
//! Deliberately knows no wire format. It may import `rpc` and the traits of `codec` alone.

mod fields;
mod refusal;
mod text;

pub(crate) use fields::{FieldError, FieldOrder, first_duplicate};
pub(crate) use refusal::{
    Damage, Decoded, Refused, check_shape, damage, decode_error, each, encode_error, enter, mismatch,
};
pub(crate) use text::{digits, exact_float, push_base64, push_float, push_int};

/// The type that a value has where the shape leaves it open.
pub(crate) static ANY: crate::rpc::Type = crate::rpc::Type::Any;
