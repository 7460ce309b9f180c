//! The JSON codec: the text of every type, and what is refused.

use super::*;
use crate::codec::MAX_DEPTH;
use crate::rpc::{Field, Type};

fn open(ty: &Type) -> Box<dyn ShapeCodec> {
    Json.prepare(&Shape::Result(ty.clone())).unwrap()
}

fn decode(ty: &Type, text: &str) -> Result<Value, DecodeError> {
    let mut values = Vec::new();
    open(ty).decode(text.as_bytes(), &mut values).map(|()| values.remove(0))
}

fn encode(ty: &Type, value: &Value) -> Result<String, EncodeError> {
    let mut out = Vec::new();
    open(ty).encode(std::slice::from_ref(value), &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

fn row() -> Type {
    Type::Struct(vec![Field::new("a", Type::Int), Field::new("b \"", Type::List(Box::new(Type::Bool)))])
}

#[test]
fn every_type_has_its_text() {
    let value = Value::Struct(vec![
        ("b \"".into(), Value::List(vec![Value::Bool(true), Value::Bool(false)])),
        ("a".into(), Value::Int(-5)),
    ]);
    for (ty, value, expected) in [
        (Type::Nil, Value::Nil, "null"),
        (Type::Int, Value::Int(i64::MIN), "-9223372036854775808"),
        (Type::Float, Value::Float(1.0), "1.0"),
        (Type::Float, Value::Float(-0.0), "-0.0"),
        (Type::Float, Value::Float(1e300), "1e+300"),
        (Type::Text, Value::Text("a\"\\\u{1}ä".into()), r#""a\"\\\u0001ä""#),
        (Type::Bytes, Value::Bytes(vec![0, 255]), r#""AP8=""#),
        (Type::Time, Value::Time(1_700_000_000), r#""2023-11-14T22:13:20Z""#),
        (row(), value, r#"{"a":-5,"b \"":[true,false]}"#),
    ] {
        assert_eq!(encode(&ty, &value).unwrap(), expected);
        assert_eq!(decode(&ty, expected).unwrap(), value);
    }
}

#[test]
fn arguments_are_an_array() {
    let shape = Shape::Params(vec![Field::new("a", Type::Int), Field::new("b", Type::Text)]);
    let codec = Json.prepare(&shape).unwrap();
    let arguments = [Value::Int(1), Value::Text("x".into())];
    let (mut out, mut values) = (Vec::new(), Vec::new());
    codec.encode(&arguments, &mut out).unwrap();
    assert_eq!(out, br#"[1,"x"]"#);
    codec.decode(&out, &mut values).unwrap();
    assert_eq!(values, arguments);
    for wrong in ["[1]", "[1,\"x\",2]", "{}", "", "1", "[1,\"x\"", "[1,\"x\"]1"] {
        assert!(codec.decode(wrong.as_bytes(), &mut values).is_err(), "{wrong}");
    }
    assert_eq!(values, arguments, "nothing of a failed decoding stays");
}

#[test]
fn an_open_type_takes_what_is_there() {
    let value = decode(&Type::Any, r#" {"a": [1, 1.0, null], "b": "x"} "#).unwrap();
    let list = Value::List(vec![Value::Int(1), Value::Float(1.0), Value::Nil]);
    assert_eq!(value, Value::Struct(vec![("a".into(), list), ("b".into(), Value::Text("x".into()))]));
    assert_eq!(encode(&Type::Any, &value).unwrap(), r#"{"a":[1,1.0,null],"b":"x"}"#);
}

#[test]
fn an_integer_is_a_float_only_exactly() {
    assert_eq!(decode(&Type::Float, "1").unwrap(), Value::Float(1.0));
    assert_eq!(
        decode(&Type::Float, "9223372036854775808").unwrap(),
        Value::Float(9_223_372_036_854_775_808.0)
    );
    assert!(decode(&Type::Float, "9007199254740993").is_err());
    assert!(decode(&Type::Int, "1.0").is_err());
    assert!(decode(&Type::Int, "9223372036854775808").is_err());
}

#[test]
fn what_json_cannot_carry_is_refused() {
    for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(matches!(encode(&Type::Float, &Value::Float(float)), Err(EncodeError::Unsupported { .. })));
    }
    assert!(matches!(encode(&Type::Time, &Value::Time(i64::MAX)), Err(EncodeError::Unsupported { .. })));
    assert!(matches!(encode(&Type::Int, &Value::Nil), Err(EncodeError::Type { .. })));
}

#[test]
fn damaged_text_is_an_error_with_its_place() {
    for (ty, text, reason) in [
        (&row(), r#"{"a":1}"#, "missing"),
        (&row(), r#"{"a":1,"a":1}"#, "stands twice"),
        (&row(), r#"{"a":1,"x":1}"#, "unknown field \"x\""),
        (&Type::Any, r#"{"a":1,"a":1}"#, "stands twice"),
        (&Type::Bytes, r#""A""#, "no base64"),
        (&Type::Time, r#""2023-11-14""#, "no RFC 3339"),
        (&Type::Text, "\"\u{1}\"", "control character"),
        (&Type::Bool, "tru", "EOF"),
        (&Type::Float, "1e999", "out of range"),
        (&Type::Float, "NaN", "expected value"),
    ] {
        let error = decode(ty, text).unwrap_err();
        assert!(error.reason.contains(reason), "{error} for {text}");
        assert!(!error.reason.contains("line"), "{error}");
    }
    assert_eq!(decode(&Type::Int, "\n\n \"x\"").unwrap_err().at, 6);
    let mut values = Vec::new();
    assert_eq!(open(&Type::Text).decode(b"\"\xFF\"", &mut values).unwrap_err().at, 1);
}

#[test]
fn nesting_is_followed_to_the_deepest_level_only() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(decode(&Type::Any, &nested(MAX_DEPTH)).is_ok());
    assert!(decode(&Type::Any, &nested(MAX_DEPTH + 1)).is_err());
    assert!(decode(&Type::Any, &nested(100_000)).is_err());
}
