//! The one neutral value that every codec encodes and decodes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A value of a call: an argument or a result.
///
/// In JSON a value is tagged with its type (`{"int": 5}`), so that a text never turns into a
/// number on the way; bytes are base64 and times RFC 3339 text (see [`crate::rpc::to_json`]).
#[derive(Debug, Clone)]
pub enum Value {
    /// No value.
    Nil,
    /// A truth value.
    Bool(bool),
    /// A signed 64-bit integer.
    Int(i64),
    /// An IEEE 754 double.
    Float(f64),
    /// Unicode text.
    Text(String),
    /// Raw bytes.
    Bytes(Vec<u8>),
    /// A point in time: whole seconds since 1970-01-01T00:00:00 UTC.
    Time(i64),
    /// Values of one type, in order.
    List(Vec<Value>),
    /// Named fields.
    Struct(StructValue),
}

/// The fields of a struct, in the order in which they were written.
///
/// Names are shared with the type, so that decoding a field allocates no name.
pub type StructValue = Vec<(Arc<str>, Value)>;

impl Value {
    /// The name of the value's type, as scenario files spell it.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Nil => "nil",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Text(_) => "text",
            Value::Bytes(_) => "bytes",
            Value::Time(_) => "time",
            Value::List(_) => "list",
            Value::Struct(_) => "struct",
        }
    }

    /// The payload of a value in bytes: what its information needs at least.
    ///
    /// The one rule, the same for every protocol: nil 0; bool 1; int its shortest two's
    /// complement (1 to 8); float and time 8; text and bytes their length; a list or a struct the
    /// sum of its members, without names.
    #[must_use]
    pub fn payload_bytes(&self) -> u64 {
        match self {
            Value::Nil => 0,
            Value::Bool(_) => 1,
            Value::Int(int) => {
                let magnitude = if *int < 0 { !*int } else { *int };
                u64::from((65 - magnitude.leading_zeros()).div_ceil(8))
            }
            Value::Float(_) | Value::Time(_) => 8,
            Value::Text(text) => text.len() as u64,
            Value::Bytes(bytes) => bytes.len() as u64,
            Value::List(items) => items.iter().map(Value::payload_bytes).sum(),
            Value::Struct(fields) => fields.iter().map(|(_, value)| value.payload_bytes()).sum(),
        }
    }
}

/// Two values are equal when they carry the same information: floats by their bits (so NaN equals
/// itself and 0.0 differs from −0.0), structs by name whatever the order of their fields.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Nil, Value::Nil) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) | (Value::Time(a), Value::Time(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Bytes(a), Value::Bytes(b)) => a == b,
            (Value::List(a), Value::List(b)) => a == b,
            (Value::Struct(a), Value::Struct(b)) => same_fields(a, b),
            _ => false,
        }
    }
}

impl Eq for Value {}

fn same_fields(a: &StructValue, b: &StructValue) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let same_order = a.iter().zip(b).all(|((name_a, _), (name_b, _))| name_a == name_b);
    if same_order {
        return a.iter().zip(b).all(|((_, value_a), (_, value_b))| value_a == value_b);
    }
    a.iter().all(|(name, value)| b.iter().any(|(other, candidate)| other == name && candidate == value))
}

/// How a value stands in JSON: tagged, with bytes and times as text.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum TaggedValue {
    Nil(Option<()>),
    Bool(bool),
    Int(i64),
    Float(FloatText),
    Text(String),
    Bytes(String),
    Time(String),
    List(Vec<Value>),
    Struct(serde_json::Map<String, serde_json::Value>),
}

/// JSON has no NaN and no infinities; they stand as text.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum FloatText {
    Number(f64),
    Text(String),
}

impl Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error;
        let tagged = match self {
            Value::Nil => TaggedValue::Nil(None),
            Value::Bool(value) => TaggedValue::Bool(*value),
            Value::Int(value) => TaggedValue::Int(*value),
            Value::Float(value) if value.is_finite() => TaggedValue::Float(FloatText::Number(*value)),
            Value::Float(value) => TaggedValue::Float(FloatText::Text(value.to_string())),
            Value::Text(value) => TaggedValue::Text(value.clone()),
            Value::Bytes(value) => {
                use base64::Engine as _;
                TaggedValue::Bytes(base64::engine::general_purpose::STANDARD.encode(value))
            }
            Value::Time(seconds) => TaggedValue::Time(super::types::rfc3339(*seconds).ok_or_else(|| {
                S::Error::custom(format!("time {seconds} s lies outside the years 0000 to 9999"))
            })?),
            Value::List(items) => TaggedValue::List(items.clone()),
            Value::Struct(fields) => {
                let mut map = serde_json::Map::new();
                for (name, value) in fields {
                    map.insert(name.to_string(), serde_json::to_value(value).map_err(S::Error::custom)?);
                }
                TaggedValue::Struct(map)
            }
        };
        tagged.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        Ok(match TaggedValue::deserialize(deserializer)? {
            TaggedValue::Nil(_) => Value::Nil,
            TaggedValue::Bool(value) => Value::Bool(value),
            TaggedValue::Int(value) => Value::Int(value),
            TaggedValue::Float(FloatText::Number(value)) => Value::Float(value),
            TaggedValue::Float(FloatText::Text(text)) => {
                Value::Float(text.parse().map_err(D::Error::custom)?)
            }
            TaggedValue::Text(value) => Value::Text(value),
            TaggedValue::Bytes(text) => {
                use base64::Engine as _;
                Value::Bytes(
                    base64::engine::general_purpose::STANDARD.decode(text).map_err(D::Error::custom)?,
                )
            }
            TaggedValue::Time(text) => Value::Time(
                super::types::parse_rfc3339(&text)
                    .ok_or_else(|| D::Error::custom(format!("not an RFC 3339 time in UTC: {text:?}")))?,
            ),
            TaggedValue::List(items) => Value::List(items),
            TaggedValue::Struct(map) => {
                let mut fields = StructValue::with_capacity(map.len());
                for (name, value) in map {
                    fields.push((Arc::from(name), serde_json::from_value(value).map_err(D::Error::custom)?));
                }
                Value::Struct(fields)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structs_are_equal_whatever_the_order_of_their_fields() {
        let ab = Value::Struct(vec![("a".into(), Value::Int(1)), ("b".into(), Value::Int(2))]);
        let ba = Value::Struct(vec![("b".into(), Value::Int(2)), ("a".into(), Value::Int(1))]);
        let other = Value::Struct(vec![("b".into(), Value::Int(2)), ("a".into(), Value::Int(3))]);
        assert_eq!(ab, ba);
        assert_ne!(ab, other);
    }

    #[test]
    fn floats_are_equal_by_their_bits() {
        assert_eq!(Value::Float(f64::NAN), Value::Float(f64::NAN));
        assert_ne!(Value::Float(0.0), Value::Float(-0.0));
    }

    #[test]
    fn payload_counts_the_shortest_twos_complement_of_an_integer() {
        for (int, bytes) in [(0, 1), (127, 1), (128, 2), (-128, 1), (-129, 2), (i64::MAX, 8), (i64::MIN, 8)] {
            assert_eq!(Value::Int(int).payload_bytes(), bytes, "{int}");
        }
    }

    #[test]
    fn json_keeps_every_type_apart() {
        let value = Value::Struct(vec![
            ("nil".into(), Value::Nil),
            ("bool".into(), Value::Bool(true)),
            ("int".into(), Value::Int(i64::MIN)),
            ("float".into(), Value::Float(1.0)),
            ("nan".into(), Value::Float(f64::INFINITY)),
            ("text".into(), Value::Text("5".into())),
            ("bytes".into(), Value::Bytes(vec![0, 255])),
            ("time".into(), Value::Time(1_700_000_000)),
            ("list".into(), Value::List(vec![Value::Int(1)])),
        ]);
        let json = serde_json::to_string(&value).unwrap();
        assert!(json.contains(r#""time":{"time":"2023-11-14T22:13:20Z"}"#), "{json}");
        assert!(json.contains(r#""nil":{"nil":null}"#), "{json}");
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), value);
    }
}
