//! The fifteen scalar types of protobuf, without keys and lengths of fields.

use bytes::BufMut as _;
use prost::encoding::{WireType, encode_varint};
use prost_reflect::Kind as ProtoKind;

use crate::codec::protobuf::decode::Input;
use crate::codec::support::{Decoded, Refused, exact_float};
use crate::rpc::{Type, Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    String,
    Bytes,
}

impl Scalar {
    pub(super) fn of(kind: &ProtoKind) -> Option<Self> {
        Some(match kind {
            ProtoKind::Double => Scalar::Double,
            ProtoKind::Float => Scalar::Float,
            ProtoKind::Int32 => Scalar::Int32,
            ProtoKind::Int64 => Scalar::Int64,
            ProtoKind::Uint32 => Scalar::Uint32,
            ProtoKind::Uint64 => Scalar::Uint64,
            ProtoKind::Sint32 => Scalar::Sint32,
            ProtoKind::Sint64 => Scalar::Sint64,
            ProtoKind::Fixed32 => Scalar::Fixed32,
            ProtoKind::Fixed64 => Scalar::Fixed64,
            ProtoKind::Sfixed32 => Scalar::Sfixed32,
            ProtoKind::Sfixed64 => Scalar::Sfixed64,
            ProtoKind::Bool => Scalar::Bool,
            ProtoKind::String => Scalar::String,
            ProtoKind::Bytes => Scalar::Bytes,
            ProtoKind::Message(_) | ProtoKind::Enum(_) => return None,
        })
    }

    /// The type of its values.
    pub(super) fn ty(self) -> Type {
        match self {
            Scalar::Double | Scalar::Float => Type::Float,
            Scalar::Bool => Type::Bool,
            Scalar::String => Type::Text,
            Scalar::Bytes => Type::Bytes,
            _ => Type::Int,
        }
    }

    pub(super) fn wire(self) -> WireType {
        match self {
            Scalar::Double | Scalar::Fixed64 | Scalar::Sfixed64 => WireType::SixtyFourBit,
            Scalar::Float | Scalar::Fixed32 | Scalar::Sfixed32 => WireType::ThirtyTwoBit,
            Scalar::String | Scalar::Bytes => WireType::LengthDelimited,
            _ => WireType::Varint,
        }
    }

    /// Appends a value's bytes; those of text and bytes have their length in front.
    pub(super) fn write(self, value: &Value, out: &mut Vec<u8>) -> Result<(), Refused> {
        match (self, value) {
            (Scalar::Bool, Value::Bool(value)) => out.push(u8::from(*value)),
            (Scalar::String, Value::Text(text)) => write_bytes(text.as_bytes(), out),
            (Scalar::Bytes, Value::Bytes(bytes)) => write_bytes(bytes, out),
            (Scalar::Double, value) => out.put_f64_le(float(value)?),
            (Scalar::Float, value) => out.put_f32_le(narrow(float(value)?)?),
            (_, Value::Int(int)) => self.write_int(*int, out)?,
            _ => return Err(Refused::Type),
        }
        Ok(())
    }

    fn write_int(self, int: i64, out: &mut Vec<u8>) -> Result<(), Refused> {
        let beyond = || Refused::value(format!("{int} as {}", self.name()));
        let narrow = || i32::try_from(int).map_err(|_| beyond());
        let positive = || u64::try_from(int).map_err(|_| beyond());
        let small = || u32::try_from(int).map_err(|_| beyond());
        match self {
            Scalar::Int32 => encode_varint(i64::from(narrow()?).cast_unsigned(), out),
            Scalar::Int64 => encode_varint(int.cast_unsigned(), out),
            Scalar::Uint32 => encode_varint(small()?.into(), out),
            Scalar::Uint64 => encode_varint(positive()?, out),
            Scalar::Sint32 => {
                let int = narrow()?;
                encode_varint(((int << 1) ^ (int >> 31)).cast_unsigned().into(), out);
            }
            Scalar::Sint64 => encode_varint(((int << 1) ^ (int >> 63)).cast_unsigned(), out),
            Scalar::Fixed32 => out.put_u32_le(small()?),
            Scalar::Fixed64 => out.put_u64_le(positive()?),
            Scalar::Sfixed32 => out.put_i32_le(narrow()?),
            Scalar::Sfixed64 => out.put_i64_le(int),
            _ => return Err(Refused::Type),
        }
        Ok(())
    }

    fn name(self) -> &'static str {
        match self {
            Scalar::Int32 => "int32",
            Scalar::Uint32 => "uint32",
            Scalar::Uint64 => "uint64",
            Scalar::Sint32 => "sint32",
            Scalar::Fixed32 => "fixed32",
            Scalar::Fixed64 => "fixed64",
            Scalar::Sfixed32 => "sfixed32",
            _ => "its type",
        }
    }

    /// Whether proto3 leaves this value out.
    pub(super) fn is_default(value: &Value) -> bool {
        match value {
            Value::Bool(value) => !value,
            Value::Int(value) => *value == 0,
            // By its bits: −0.0 is no default.
            Value::Float(value) => value.to_bits() == 0,
            Value::Text(text) => text.is_empty(),
            Value::Bytes(bytes) => bytes.is_empty(),
            _ => false,
        }
    }

    /// Reads a value of this type from what follows its key.
    pub(super) fn read(self, input: &mut Input<'_>, wire: WireType) -> Decoded<Value> {
        match self {
            Scalar::String => {
                let bytes = input.delimited(wire)?;
                let text =
                    std::str::from_utf8(bytes).map_err(|_| input.damage("a string that is no UTF-8"))?;
                return Ok(Value::Text(text.to_owned()));
            }
            Scalar::Bytes => return Ok(Value::Bytes(input.delimited(wire)?.to_vec())),
            _ => input.expect(self.wire(), wire)?,
        }
        self.read_packed(input)
    }

    /// Reads a value that has no key: one of many packed together.
    #[allow(clippy::cast_possible_truncation)] // protobuf keeps the low bits of a varint
    pub(super) fn read_packed(self, input: &mut Input<'_>) -> Decoded<Value> {
        let unsigned = |input: &Input<'_>, value: u64| {
            i64::try_from(value)
                .map(Value::Int)
                .map_err(|_| input.damage(format!("{value}, beyond the 63 bits that an int holds here")))
        };
        Ok(match self {
            Scalar::Double => Value::Float(f64::from_le_bytes(fixed(input)?)),
            Scalar::Float => Value::Float(widen(f32::from_le_bytes(fixed(input)?))),
            Scalar::Fixed32 => Value::Int(u32::from_le_bytes(fixed(input)?).into()),
            Scalar::Sfixed32 => Value::Int(i32::from_le_bytes(fixed(input)?).into()),
            Scalar::Sfixed64 => Value::Int(i64::from_le_bytes(fixed(input)?)),
            Scalar::Fixed64 => {
                let value = u64::from_le_bytes(fixed(input)?);
                unsigned(input, value)?
            }
            Scalar::Bool => Value::Bool(input.varint()? != 0),
            Scalar::Int32 => Value::Int((input.varint()? as u32).cast_signed().into()),
            Scalar::Int64 => Value::Int(input.varint()?.cast_signed()),
            Scalar::Uint32 => Value::Int((input.varint()? as u32).into()),
            Scalar::Uint64 => {
                let value = input.varint()?;
                unsigned(input, value)?
            }
            Scalar::Sint32 => {
                let value = input.varint()? as u32;
                Value::Int(((value >> 1).cast_signed() ^ -((value & 1).cast_signed())).into())
            }
            Scalar::Sint64 => {
                let value = input.varint()?;
                Value::Int((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
            }
            Scalar::String | Scalar::Bytes => return Err(input.damage("text or bytes packed together")),
        })
    }

    /// The key of a map's entry, from its text.
    pub(super) fn key_of(self, text: &str) -> Result<Value, Refused> {
        let wrong = || Refused::value(format!("the key {text:?} in a map whose keys are {}", self.ty()));
        match self.ty() {
            Type::Text => Ok(Value::Text(text.to_owned())),
            Type::Int => text.parse().map(Value::Int).map_err(|_| wrong()),
            Type::Bool => text.parse().map(Value::Bool).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }

    /// The default, as a map's entry without its key or value has it.
    pub(super) fn default(self) -> Value {
        match self.ty() {
            Type::Float => Value::Float(0.0),
            Type::Bool => Value::Bool(false),
            Type::Text => Value::Text(String::new()),
            Type::Bytes => Value::Bytes(Vec::new()),
            _ => Value::Int(0),
        }
    }
}

pub(super) fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn fixed<const N: usize>(input: &mut Input<'_>) -> Decoded<[u8; N]> {
    let split = input.rest.split_first_chunk();
    let (bytes, rest) = split.ok_or_else(|| input.damage("the bytes end within a field"))?;
    input.rest = rest;
    Ok(*bytes)
}

fn float(value: &Value) -> Result<f64, Refused> {
    match value {
        Value::Float(value) => Ok(*value),
        // People write 1 for 1.0.
        Value::Int(int) => exact_float((*int).into()).ok_or(Refused::Type),
        _ => Err(Refused::Type),
    }
}

/// A float of 32 bits as the shortest decimal that means it, as protobuf's JSON writes it: 0.1 comes
/// back as 0.1, not as 0.10000000149011612.
pub(super) fn widen(float: f32) -> f64 {
    /// Up to here thousandths, which the generator draws, are certain to be the shortest.
    const CERTAIN: f32 = 8192.0;
    let wide = f64::from(float);
    if float.abs() < CERTAIN {
        let thousandths = (wide * 1e3).round() / 1e3;
        #[allow(clippy::cast_possible_truncation)]
        let same = (thousandths as f32).to_bits() == float.to_bits();
        if same {
            return thousandths;
        }
    }
    if float.is_finite() { float.to_string().parse().unwrap_or(wide) } else { wide }
}

#[allow(clippy::cast_possible_truncation)]
fn narrow(float: f64) -> Result<f32, Refused> {
    let narrow = float as f32;
    if widen(narrow).to_bits() == float.to_bits() || float.is_nan() {
        return Ok(narrow);
    }
    Err(Refused::value(format!(
        "{float} as a float of 32 bits, which keeps some 7 digits; write {}",
        widen(narrow)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_of_32_bits_come_back_as_they_were_written() {
        for float in [0.1, -0.0, 12.345, 999.999, 8191.999, 1e10, 3.4e38, 1e-40, f64::INFINITY, 16_777_216.0]
        {
            let there = narrow(float).unwrap_or_else(|refused| panic!("{float}: {refused:?}"));
            assert_eq!(widen(there).to_bits(), float.to_bits(), "{float}");
        }
        for float in [0.123_456_789, 16_777_217.0, 1e300] {
            assert!(narrow(float).is_err(), "{float}");
        }
    }
}
