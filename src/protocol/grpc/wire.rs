//! The few protobuf messages of gRPC's own services, field by field.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use crate::transport::{Status, StatusKind};

/// A field of a message: its number and its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) number: u32,
    /// Text, bytes or a message; empty for a number, of which none is ever looked at.
    pub(super) content: &'a [u8],
}

impl<'a> Field<'a> {
    /// The content as text.
    pub(super) fn text(self) -> Result<&'a str, Status> {
        std::str::from_utf8(self.content).map_err(|_| damaged())
    }
}

/// The fields of a message in the order in which they came.
pub(super) fn fields(mut message: &[u8]) -> Result<Vec<Field<'_>>, Status> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let (number, wire_type) = decode_key(&mut message).map_err(|_| damaged())?;
        let mut content = &[][..];
        if wire_type == WireType::LengthDelimited {
            let length = decode_varint(&mut message).ok().and_then(|length| usize::try_from(length).ok());
            let split = length.and_then(|length| message.split_at_checked(length));
            (content, message) = split.ok_or_else(damaged)?;
        } else {
            skip_field(wire_type, number, &mut message, DecodeContext::default()).map_err(|_| damaged())?;
        }
        fields.push(Field { number, content });
    }
    Ok(fields)
}

fn damaged() -> Status {
    Status::new(StatusKind::BadArguments, "the request is no protobuf message of its type")
}
