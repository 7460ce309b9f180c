//! Values to protobuf, through prost's writing functions.

use bytes::BufMut as _;
use prost::encoding::varint::encoded_len_varint;
use prost::encoding::{
    WireType, bool, bytes as raw, double, encode_key, encode_varint, int64, sint64, string,
};

use super::TIMESTAMP_SECONDS;
use super::plan::{Kind, Message, MessageField, Root};
use crate::codec::field;
use crate::codec::support::Refused;
use crate::rpc::{StructValue, Value};

pub(super) fn values(root: &Root, values: &[Value], out: &mut Vec<u8>) -> Result<(), Refused> {
    match (root, values) {
        (Root::Fields(message), values) if message.fields.len() == values.len() => {
            message.fields.iter().zip(values).try_for_each(|(field, value)| write(field, value, out))
        }
        (Root::Struct(message), [Value::Struct(values)]) => fields(message, values, out),
        (Root::Nil, [Value::Nil]) => Ok(()),
        _ => Err(Refused::Type),
    }
}

fn fields(message: &Message, values: &StructValue, out: &mut Vec<u8>) -> Result<(), Refused> {
    if message.fields.len() != values.len() {
        return Err(Refused::Type);
    }
    for (index, wanted) in message.fields.iter().enumerate() {
        write(wanted, field(values, index, &wanted.name).ok_or(Refused::Type)?, out)?;
    }
    Ok(())
}

/// A field that stands once: a scalar of default value is left out.
fn write(field: &MessageField, value: &Value, out: &mut Vec<u8>) -> Result<(), Refused> {
    let tag = field.tag;
    match (&field.kind, value) {
        (Kind::Bool, Value::Bool(false)) | (Kind::Int, Value::Int(0)) => {}
        (Kind::Bool, Value::Bool(value)) => bool::encode(tag, value, out),
        (Kind::Int, Value::Int(value)) => sint64::encode(tag, value, out),
        // By its bits: −0.0 is no default.
        (Kind::Float, Value::Float(value)) if value.to_bits() == 0 => {}
        (Kind::Float, Value::Float(value)) => double::encode(tag, value, out),
        (Kind::Text, Value::Text(value)) if value.is_empty() => {}
        (Kind::Bytes, Value::Bytes(value)) if value.is_empty() => {}
        (Kind::Repeated(item), Value::List(items)) => return repeated(tag, item, items, out),
        (kind, value) => return item(tag, kind, value, out),
    }
    Ok(())
}

/// A field, or one of its repetitions, that is written whatever its value.
fn item(tag: u32, kind: &Kind, value: &Value, out: &mut Vec<u8>) -> Result<(), Refused> {
    match (kind, value) {
        (Kind::Text, Value::Text(value)) => string::encode(tag, value, out),
        (Kind::Bytes, Value::Bytes(value)) => raw::encode(tag, value, out),
        (Kind::Nil, Value::Nil) => return delimited(tag, out, |_| Ok(())),
        (Kind::Time, Value::Time(seconds)) => {
            if !TIMESTAMP_SECONDS.contains(seconds) {
                let what = format!("time {seconds} s, outside the years 0001 to 9999 of a Timestamp");
                return Err(Refused::value(what));
            }
            return delimited(tag, out, |out| {
                if *seconds != 0 {
                    int64::encode(1, seconds, out);
                }
                Ok(())
            });
        }
        (Kind::Message(message), Value::Struct(values)) => {
            return delimited(tag, out, |out| fields(message, values, out));
        }
        (Kind::Wrapped(message), list) => {
            return delimited(tag, out, |out| {
                message.fields.iter().try_for_each(|field| write(field, list, out))
            });
        }
        _ => return Err(Refused::Type),
    }
    Ok(())
}

fn repeated(tag: u32, kind: &Kind, items: &[Value], out: &mut Vec<u8>) -> Result<(), Refused> {
    if items.is_empty() {
        return Ok(());
    }
    match kind {
        Kind::Bool | Kind::Int | Kind::Float => {
            delimited(tag, out, |out| items.iter().try_for_each(|value| packed(kind, value, out)))
        }
        kind => items.iter().try_for_each(|value| item(tag, kind, value, out)),
    }
}

fn packed(kind: &Kind, value: &Value, out: &mut Vec<u8>) -> Result<(), Refused> {
    match (kind, value) {
        (Kind::Bool, Value::Bool(value)) => out.push(u8::from(*value)),
        (Kind::Int, Value::Int(value)) => encode_varint(((value << 1) ^ (value >> 63)).cast_unsigned(), out),
        (Kind::Float, Value::Float(value)) => out.put_f64_le(*value),
        _ => return Err(Refused::Type),
    }
    Ok(())
}

/// Writes what has its length in front. Most things are shorter than 128 bytes, so the length is
/// given one byte, and longer things are moved; asking for every length first costs more.
pub(super) fn delimited(
    tag: u32,
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), Refused>,
) -> Result<(), Refused> {
    encode_key(tag, WireType::LengthDelimited, out);
    let at = out.len();
    out.push(0);
    write(out)?;
    let length = out.len() - at - 1;
    match u8::try_from(length) {
        Ok(length) if length < 0x80 => out[at] = length,
        _ => {
            let (end, width) = (out.len(), encoded_len_varint(length as u64));
            out.resize(end + width - 1, 0);
            out.copy_within(at + 1..end, at + width);
            encode_varint(length as u64, &mut &mut out[at..at + width]);
        }
    }
    Ok(())
}
