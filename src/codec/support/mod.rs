//! What several codecs share and none owns: how shapes are checked and refusals worded, how the
//! fields of a struct are put back into the type's order, how numbers and base64 become text, and how
//! much memory the values of a message may take.
//!
//! Deliberately knows no wire format. It may import `rpc` and the traits of `codec` alone.

mod budget;
mod fields;
mod refusal;
mod text;

use crate::rpc::Type;

pub(crate) use budget::{Budget, FIELD_BYTES, SPENT};
pub(crate) use fields::{FieldError, FieldOrder, first_duplicate};
pub(crate) use refusal::{
    Damage, Decoded, Refused, check_shape, damage, decode_error, each, encode_error, enter, mismatch,
};
pub(crate) use text::{digits, exact_float, push_base64, push_float, push_int};

/// The most items that a length in the input alone makes room for: a length may lie, at every level
/// of nesting, so the rest of the room is made as items arrive.
pub(crate) const ROOM_IN_ADVANCE: usize = 1_024;

/// Whether a value that says itself what it is fits a type. `found` is a scalar's type.
pub(crate) fn fits(ty: &Type, found: &Type) -> bool {
    use std::mem::discriminant;
    matches!(ty, Type::Any) || discriminant(ty) == discriminant(found)
}

/// The type that a value has where the shape leaves it open.
pub(crate) static ANY: Type = Type::Any;
