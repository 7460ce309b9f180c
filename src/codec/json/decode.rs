//! JSON to values, through serde_json: a visitor that knows the expected type.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::NAME;
use crate::codec::support::{
    ANY, FieldError, FieldOrder, damage, decode_error, exact_float, first_duplicate, fits,
};
use crate::codec::{DecodeError, MAX_DEPTH, Shape};
use crate::rpc::{Field, StructValue, Type, Value, parse_rfc3339};

pub(super) fn values(shape: &Shape, bytes: &[u8], values: &mut Vec<Value>) -> Result<(), DecodeError> {
    let before = values.len();
    let text = std::str::from_utf8(bytes)
        .map_err(|error| *damage(NAME, "the body is no UTF-8", error.valid_up_to()))?;
    let mut input = serde_json::Deserializer::from_str(text);
    let decoded = match shape {
        Shape::Params(fields) => de::Deserializer::deserialize_seq(&mut input, Arguments { fields, values }),
        Shape::Result(ty) => {
            Expected { ty, depth: 0 }.deserialize(&mut input).map(|value| values.push(value))
        }
    };
    decoded.and_then(|()| input.end()).map_err(|error| {
        let reason = error.to_string();
        let reason = reason.rsplit_once(" at line ").map_or(&*reason, |(reason, _)| reason);
        decode_error(*damage(NAME, reason, offset(bytes, &error)), values, before)
    })
}

/// The byte at which serde_json, which counts lines and columns, found an error.
fn offset(bytes: &[u8], error: &serde_json::Error) -> usize {
    let lines_before = error.line().saturating_sub(1);
    let line = match lines_before.checked_sub(1) {
        Some(last) => memchr::memchr_iter(b'\n', bytes).nth(last).map_or(0, |newline| newline + 1),
        None => 0,
    };
    (line + error.column()).min(bytes.len())
}

/// Reads the arguments of a call.
struct Arguments<'a> {
    fields: &'a [Field],
    values: &'a mut Vec<Value>,
}

impl<'de> Visitor<'de> for Arguments<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array of {} arguments", self.fields.len())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        for (index, field) in self.fields.iter().enumerate() {
            let value = items.next_element_seed(Expected { ty: &field.ty, depth: 0 })?;
            self.values.push(value.ok_or_else(|| de::Error::invalid_length(index, &self))?);
        }
        match items.next_element::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(de::Error::invalid_length(self.fields.len() + 1, &self)),
        }
    }
}

/// Reads a value of a type.
#[derive(Clone, Copy)]
struct Expected<'t> {
    ty: &'t Type,
    depth: usize,
}

impl Expected<'_> {
    #[cold]
    fn mismatch<E: de::Error>(&self, found: &str) -> E {
        E::custom(format_args!("expected {}, found {found}", self.ty))
    }

    fn enter<E: de::Error>(&self) -> Result<usize, E> {
        if self.depth < MAX_DEPTH {
            Ok(self.depth + 1)
        } else {
            Err(E::custom(format_args!("arrays and objects nested deeper than {MAX_DEPTH}")))
        }
    }

    fn int<E: de::Error>(&self, int: i128) -> Result<Value, E> {
        if let (Type::Int | Type::Any, Ok(int)) = (self.ty, i64::try_from(int)) {
            return Ok(Value::Int(int));
        }
        match (self.ty, exact_float(int)) {
            (Type::Float, Some(float)) => Ok(Value::Float(float)),
            (Type::Float, None) => Err(E::custom(format_args!("{int} is no float exactly"))),
            (Type::Int | Type::Any, _) => {
                Err(E::custom(format_args!("{int} is beyond 64-bit signed integers")))
            }
            _ => Err(self.mismatch("a number")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Expected<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, input: D) -> Result<Value, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Expected<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ty)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        if fits(self.ty, &Type::Nil) { Ok(Value::Nil) } else { Err(self.mismatch("null")) }
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        if fits(self.ty, &Type::Bool) { Ok(Value::Bool(value)) } else { Err(self.mismatch("a bool")) }
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        if matches!(self.ty, Type::Int) { Ok(Value::Int(value)) } else { self.int(value.into()) }
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        self.int(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        if fits(self.ty, &Type::Float) { Ok(Value::Float(value)) } else { Err(self.mismatch("a fraction")) }
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        match self.ty {
            Type::Text | Type::Any => Ok(Value::Text(value.to_owned())),
            Type::Bytes => {
                STANDARD.decode(value).map(Value::Bytes).map_err(|_| E::custom("a string that is no base64"))
            }
            Type::Time => parse_rfc3339(value)
                .map(Value::Time)
                .ok_or_else(|| E::custom("a string that is no RFC 3339 time in UTC and whole seconds")),
            _ => Err(self.mismatch("a string")),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let ty = match self.ty {
            Type::List(item) => item,
            Type::Any => &ANY,
            _ => return Err(self.mismatch("an array")),
        };
        let depth = self.enter()?;
        let mut list = Vec::new();
        while let Some(value) = items.next_element_seed(Expected { ty, depth })? {
            list.push(value);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let depth = self.enter()?;
        let wrong = |error: FieldError| de::Error::custom(error);
        match self.ty {
            Type::Struct(fields) => {
                let mut order = FieldOrder::new(fields, fields.len());
                while let Some(position) = entries.next_key_seed(Name(&order))? {
                    let ty = &fields[position].ty;
                    order.put(position, entries.next_value_seed(Expected { ty, depth })?);
                }
                order.finish().map_err(wrong)
            }
            Type::Any => {
                let mut values = StructValue::new();
                while let Some(name) = entries.next_key::<Arc<str>>()? {
                    values.push((name, entries.next_value_seed(Expected { ty: &ANY, depth })?));
                }
                match first_duplicate(&values) {
                    None => Ok(Value::Struct(values)),
                    Some(name) => Err(wrong(FieldError::Twice(name.into()))),
                }
            }
            _ => Err(self.mismatch("an object")),
        }
    }
}

/// Reads an object's key as the position of the field, without allocating.
struct Name<'a, 't>(&'a FieldOrder<'t>);

impl<'de> DeserializeSeed<'de> for Name<'_, '_> {
    type Value = usize;

    fn deserialize<D: de::Deserializer<'de>>(self, input: D) -> Result<usize, D::Error> {
        input.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_, '_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<usize, E> {
        self.0.position(name.as_bytes()).map_err(E::custom)
    }
}
