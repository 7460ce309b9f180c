//! The codec `postcard`: the values of a shape in order, without names and without tags.
//!
//! The bytes are those that the postcard crate writes for a Rust struct with the same fields (its
//! wire specification, version 1): bool one byte, int a zigzag varint, float eight bytes little
//! endian, text and bytes a length and the bytes, a time an int, a list its length and its items,
//! a struct its fields in order, nil nothing.

use std::fmt;
use std::sync::Arc;

use postcard::{Deserializer, Serializer, ser_flavors};
use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use serde::ser::{Error as _, SerializeSeq as _, SerializeTuple as _};
use serde::{Serialize, de};

use super::support::{
    Budget, FIELD_BYTES, ROOM_IN_ADVANCE, Refused, SPENT, check_shape, damage, decode_error, each,
    encode_error,
};
use super::{Codec, DecodeError, EncodeError, Options, Shape, ShapeCodec, Unsupported, field};
use crate::rpc::{Field, StructValue, Type, Value};

const NAME: &str = "postcard";

/// How much memory a byte of a message may stand for, beside what every message may take. A field of a
/// struct takes 48 bytes and needs one, but for nil, which needs none.
const MEMORY_PER_BYTE: usize = 64;

/// The codec.
#[derive(Debug)]
pub struct Postcard;

impl Postcard {
    /// Makes the codec; there is nothing to choose.
    #[must_use]
    pub fn new(_options: &Options) -> Self {
        Self
    }
}

impl Codec for Postcard {
    fn name(&self) -> &'static str {
        NAME
    }

    fn media_type(&self) -> &'static str {
        "application/x-postcard"
    }

    fn prepare(&self, shape: &Shape) -> Result<Box<dyn ShapeCodec>, Unsupported> {
        check_shape(NAME, shape, &|ty| match ty {
            Type::Any => Some("values of an open type: the bytes do not say what they are".into()),
            // Otherwise ten bytes could announce more items than there is memory.
            Type::List(item) if needs_no_bytes(item) => {
                Some(format!("a list of {item}: its items need no bytes"))
            }
            _ => None,
        })?;
        Ok(Box::new(PostcardShape { shape: shape.clone() }))
    }
}

fn needs_no_bytes(ty: &Type) -> bool {
    match ty {
        Type::Nil => true,
        Type::Struct(fields) => fields.iter().all(|field| needs_no_bytes(&field.ty)),
        _ => false,
    }
}

#[derive(Debug)]
struct PostcardShape {
    shape: Shape,
}

impl ShapeCodec for PostcardShape {
    fn encode(&self, values: &[Value], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut serializer = Serializer { output: Append(out) };
        each(&self.shape, values, |ty, value| {
            Typed { ty, value }.serialize(&mut serializer).map_err(|_| Refused::Type)
        })
        .map_err(|refused| encode_error(NAME, &self.shape, values, refused))
    }

    fn decode(&self, bytes: &[u8], values: &mut Vec<Value>) -> Result<(), DecodeError> {
        let before = values.len();
        let mut input = Deserializer::from_bytes(bytes);
        let budget = &Budget::new(bytes, MEMORY_PER_BYTE);
        let mut read = |ty| {
            values.push(Value::Nil);
            values.last_mut().map_or(Ok(()), |value| Expected { ty, value, budget }.deserialize(&mut input))
        };
        let decoded = match &self.shape {
            Shape::Result(ty) => read(ty),
            Shape::Params(fields) => fields.iter().try_for_each(|field| read(&field.ty)),
        };
        let left = input.finalize().map_or(0, <[u8]>::len);
        let at = bytes.len() - left;
        let checked = match decoded {
            Err(error) => Err(damage(NAME, error.to_string(), at)),
            Ok(()) if left > 0 => Err(damage(NAME, format!("{left} bytes are left over"), at)),
            Ok(()) => Ok(()),
        };
        checked.map_err(|damage| decode_error(*damage, values, before))
    }
}

/// Writes into the caller's buffer.
struct Append<'a>(&'a mut Vec<u8>);

impl ser_flavors::Flavor for Append<'_> {
    type Output = ();

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(data);
        Ok(())
    }

    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.0.push(data);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// A value and the type that it has to have.
struct Typed<'a> {
    ty: &'a Type,
    value: &'a Value,
}

impl Serialize for Typed<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.ty, self.value) {
            (Type::Nil, Value::Nil) => serializer.serialize_unit(),
            (Type::Bool, Value::Bool(value)) => serializer.serialize_bool(*value),
            (Type::Int, Value::Int(value)) | (Type::Time, Value::Time(value)) => {
                serializer.serialize_i64(*value)
            }
            (Type::Float, Value::Float(value)) => serializer.serialize_f64(*value),
            (Type::Text, Value::Text(value)) => serializer.serialize_str(value),
            (Type::Bytes, Value::Bytes(value)) => serializer.serialize_bytes(value),
            (Type::List(ty), Value::List(items)) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for value in items {
                    list.serialize_element(&Typed { ty, value })?;
                }
                list.end()
            }
            (Type::Struct(fields), Value::Struct(values)) if fields.len() == values.len() => {
                let mut tuple = serializer.serialize_tuple(fields.len())?;
                for (index, wanted) in fields.iter().enumerate() {
                    let value = field(values, index, &wanted.name);
                    let value = value.ok_or_else(|| S::Error::custom("a field is missing"))?;
                    tuple.serialize_element(&Typed { ty: &wanted.ty, value })?;
                }
                tuple.end()
            }
            _ => Err(S::Error::custom("another type")),
        }
    }
}

/// Reads a value of a type into its place. (Handing values up through every level's result cost three
/// times as much for a list of ints.)
struct Expected<'t, 'v> {
    ty: &'t Type,
    value: &'v mut Value,
    budget: &'v Budget,
}

impl<'de> DeserializeSeed<'de> for Expected<'_, '_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        match self.ty {
            Type::Nil => input.deserialize_unit(self),
            Type::Bool => input.deserialize_bool(self),
            Type::Int | Type::Time => input.deserialize_i64(self),
            Type::Float => input.deserialize_f64(self),
            Type::Text => input.deserialize_str(self),
            Type::Bytes => input.deserialize_bytes(self),
            Type::List(_) => input.deserialize_seq(self),
            Type::Struct(fields) => input.deserialize_tuple(fields.len(), self),
            Type::Any => input.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Expected<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ty)
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        *self.value = Value::Nil;
        Ok(())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        *self.value = Value::Bool(value);
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        *self.value = if matches!(self.ty, Type::Time) { Value::Time(value) } else { Value::Int(value) };
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        *self.value = Value::Float(value);
        Ok(())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        *self.value = Value::Text(value.to_owned());
        Ok(())
    }

    fn visit_bytes<E: de::Error>(self, value: &[u8]) -> Result<(), E> {
        *self.value = Value::Bytes(value.to_vec());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        if let Type::Struct(fields) = self.ty {
            *self.value = Value::Struct(read_fields(fields, items, self.budget)?);
            return Ok(());
        }
        let Type::List(ty) = self.ty else { return Err(de::Error::custom("no list is expected")) };
        // One more, for the place that the list's end leaves empty.
        let mut list = Vec::with_capacity(items.size_hint().unwrap_or(0).min(ROOM_IN_ADVANCE) + 1);
        loop {
            list.push(Value::Nil);
            let Some(value) = list.last_mut() else { break };
            if items.next_element_seed(Expected { ty, value, budget: self.budget })?.is_none() {
                list.pop();
                break;
            }
        }
        *self.value = Value::List(list);
        Ok(())
    }
}

fn read_fields<'de, A: SeqAccess<'de>>(
    fields: &[Field],
    mut items: A,
    budget: &Budget,
) -> Result<StructValue, A::Error> {
    if !budget.take(fields.len().saturating_mul(FIELD_BYTES)) {
        return Err(de::Error::custom(SPENT));
    }
    let mut values = StructValue::with_capacity(fields.len());
    for (index, field) in fields.iter().enumerate() {
        values.push((Arc::clone(&field.name), Value::Nil));
        let Some((_, value)) = values.last_mut() else { break };
        let found = items.next_element_seed(Expected { ty: &field.ty, value, budget })?;
        found.ok_or_else(|| de::Error::invalid_length(index, &"all fields"))?;
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(ty: &Type) -> Box<dyn ShapeCodec> {
        Postcard.prepare(&Shape::Result(ty.clone())).unwrap()
    }

    fn both_ways(ty: &Type, value: &Value, expected: &[u8]) {
        let codec = prepared(ty);
        let mut out = Vec::new();
        codec.encode(std::slice::from_ref(value), &mut out).unwrap();
        assert_eq!(out, expected, "{value:?}");
        let mut values = Vec::new();
        codec.decode(&out, &mut values).unwrap();
        assert_eq!(values, std::slice::from_ref(value));
    }

    #[test]
    fn every_type_has_the_bytes_of_the_postcard_specification() {
        both_ways(&Type::Nil, &Value::Nil, &[]);
        both_ways(&Type::Bool, &Value::Bool(true), &[1]);
        both_ways(&Type::Int, &Value::Int(-1), &[1]);
        both_ways(&Type::Int, &Value::Int(64), &[0x80, 1]);
        both_ways(&Type::Time, &Value::Time(1), &[2]);
        both_ways(&Type::Float, &Value::Float(1.0), &[0, 0, 0, 0, 0, 0, 0xF0, 0x3F]);
        both_ways(&Type::Text, &Value::Text("ab".into()), &[2, b'a', b'b']);
        both_ways(&Type::Bytes, &Value::Bytes(vec![0, 255]), &[2, 0, 255]);
        let list = Type::List(Box::new(Type::Bool));
        both_ways(&list, &Value::List(vec![Value::Bool(false), Value::Bool(true)]), &[2, 0, 1]);
    }

    #[test]
    fn the_bytes_are_those_of_the_postcard_crate() {
        #[derive(serde::Serialize)]
        struct Row<'a> {
            id: i64,
            name: &'a str,
            tags: Vec<f64>,
        }
        let ty = Type::Struct(vec![
            Field::new("id", Type::Int),
            Field::new("name", Type::Text),
            Field::new("tags", Type::List(Box::new(Type::Float))),
        ]);
        // The value's own order differs from the type's.
        let value = Value::Struct(vec![
            ("name".into(), Value::Text("x".into())),
            ("tags".into(), Value::List(vec![Value::Float(0.5)])),
            ("id".into(), Value::Int(i64::MIN)),
        ]);
        let row = Row { id: i64::MIN, name: "x", tags: vec![0.5] };
        both_ways(&ty, &value, &postcard::to_allocvec(&row).unwrap());
    }

    #[test]
    fn lists_of_values_without_bytes_and_open_types_are_refused() {
        let empty = Type::Struct(vec![Field::new("a", Type::Nil)]);
        for ty in [Type::List(Box::new(Type::Nil)), Type::List(Box::new(empty)), Type::Any] {
            let shape = Shape::Result(ty.clone());
            assert!(Postcard.prepare(&shape).is_err(), "{ty}");
        }
    }

    #[test]
    fn a_lying_length_is_an_error_and_takes_no_memory() {
        let codec = prepared(&Type::List(Box::new(Type::List(Box::new(Type::Text)))));
        let lie = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1];
        assert!(codec.decode(&lie, &mut Vec::new()).is_err());
        assert!(codec.decode(&[&[1], &lie[..]].concat(), &mut Vec::new()).is_err());
    }

    #[test]
    fn structs_of_fields_without_bytes_end_within_the_budget() {
        let mut fields: Vec<Field> =
            (0..50).map(|field| Field::new(&format!("nil{field}"), Type::Nil)).collect();
        fields.push(Field::new("flag", Type::Bool));
        let codec = prepared(&Type::List(Box::new(Type::Struct(fields))));
        let flags = |count: usize| {
            let mut bytes = postcard::to_allocvec(&count).unwrap();
            bytes.resize(bytes.len() + count, 1);
            bytes
        };
        assert!(codec.decode(&flags(5_000), &mut Vec::new()).is_ok());
        assert!(codec.decode(&flags(50_000), &mut Vec::new()).is_err());
    }

    #[test]
    fn damaged_bytes_are_errors_with_their_place() {
        let mut values = vec![Value::Nil];
        let error = prepared(&Type::Bool).decode(&[2], &mut values).unwrap_err();
        assert_eq!(error.at, 1);
        let error = prepared(&Type::Bool).decode(&[1, 0], &mut values).unwrap_err();
        assert_eq!(error.to_string(), "postcard: 1 bytes are left over (at byte 1)");
        assert!(prepared(&Type::Text).decode(&[1, 0xFF], &mut values).is_err());
        assert!(prepared(&Type::Int).decode(&[0xFF; 11], &mut values).is_err());
        assert_eq!(values, [Value::Nil], "nothing of a failed decoding stays");
    }

    #[test]
    fn a_value_of_another_type_is_named() {
        let codec = prepared(&Type::Struct(vec![Field::new("a", Type::Int)]));
        let value = Value::Struct(vec![("a".into(), Value::Float(1.0))]);
        let error = codec.encode(&[value], &mut Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "expected int as result.a, found float");
    }
}
