//! What every codec of the registry owes, whatever its format. A codec that is added to the
//! registry is covered without being named here.

// Clippy knows only functions marked as tests; everything here is one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod arbitrary;

use std::sync::Arc;

use arbitrary::{Range, shape_and_values};
use proptest::prelude::*;
use proptest::sample::Index;
use wirebench::codec::{ALL, Codec, EncodeError, MAX_DEPTH, Options, Shape, Unsupported, by_name};
use wirebench::rpc::{Field, Type, Value};

/// Identifiers, so that no codec objects to a name.
const IDENTIFIER: &str = "[a-z][a-z0-9]{0,6}";
/// Names with anything in them.
const ANY_NAME: &str = ".{0,6}|[\\x00-\\x1f]|[a-z]{1,4}";

fn codecs() -> impl Iterator<Item = Arc<dyn Codec>> {
    ALL.iter().map(|entry| (entry.open)(&Options::default()))
}

fn types(shape: &Shape) -> Vec<&Type> {
    match shape {
        Shape::Result(ty) => vec![ty],
        Shape::Params(fields) => fields.iter().map(|field| &field.ty).collect(),
    }
}

fn needs_no_bytes(ty: &Type) -> bool {
    match ty {
        Type::Nil => true,
        Type::Struct(fields) => fields.iter().all(|field| needs_no_bytes(&field.ty)),
        _ => false,
    }
}

fn any_type(ty: &Type, holds: &dyn Fn(&Type) -> bool) -> bool {
    holds(ty)
        || match ty {
            Type::List(item) => any_type(item, holds),
            Type::Struct(fields) => fields.iter().any(|field| any_type(&field.ty, holds)),
            _ => false,
        }
}

/// Whether a refused type is one that the documentation names: a list whose items need no bytes, or
/// a field name with a character that text formats cannot carry.
fn may_refuse_shape(shape: &Shape) -> bool {
    let documented = |ty: &Type| match ty {
        Type::List(item) => needs_no_bytes(item),
        Type::Struct(fields) => {
            fields.iter().any(|field| field.name.chars().any(|c| c.is_control() || c >= '\u{FFFE}'))
        }
        _ => false,
    };
    types(shape).into_iter().any(|ty| any_type(ty, &documented))
}

/// Whether a refused value is one that the table of DESIGN.md §3 names.
fn may_refuse_value(value: &Value) -> bool {
    match value {
        Value::Int(int) => i32::try_from(*int).is_err(),
        Value::Float(float) => !float.is_finite(),
        Value::Text(text) => text
            .chars()
            .any(|c| c.is_control() && !"\t\n\r".contains(c) || matches!(c, '\u{FFFE}' | '\u{FFFF}')),
        Value::Time(seconds) => !(-62_135_596_800..=253_402_300_799).contains(seconds),
        Value::List(items) => items.iter().any(may_refuse_value),
        Value::Struct(fields) => fields.iter().any(|(_, value)| may_refuse_value(value)),
        Value::Nil | Value::Bool(_) | Value::Bytes(_) => false,
    }
}

/// Decodes what may be anything: no panic, and what is accepted is of the type.
fn decode_anything(codec: &dyn Codec, shape: &Shape, bytes: &[u8]) -> Option<Vec<Value>> {
    let prepared = codec.prepare(shape).ok()?;
    let mut values = vec![Value::Bool(true)];
    let decoded = prepared.decode(bytes, &mut values);
    assert_eq!(values.remove(0), Value::Bool(true), "{}: values before are kept", codec.name());
    match decoded {
        Err(error) => {
            assert!(error.at <= bytes.len(), "{error}");
            assert!(values.is_empty(), "{}: nothing of a failed decoding stays", codec.name());
            None
        }
        Ok(()) => {
            let types = types(shape);
            assert_eq!(values.len(), types.len());
            for (ty, value) in types.into_iter().zip(&values) {
                assert_eq!(ty.check(value), Ok(()), "{}", codec.name());
            }
            Some(values)
        }
    }
}

fn encode(codec: &dyn Codec, shape: &Shape, values: &[Value]) -> Result<Vec<u8>, EncodeError> {
    let mut out = b"before".to_vec();
    codec.prepare(shape).unwrap().encode(values, &mut out)?;
    assert!(out.starts_with(b"before"), "{}: encoding appends", codec.name());
    Ok(out.split_off(6))
}

fn reversed(value: &Value) -> Value {
    match value {
        Value::List(items) => Value::List(items.iter().map(reversed).collect()),
        Value::Struct(fields) => {
            Value::Struct(fields.iter().rev().map(|(name, value)| (name.clone(), reversed(value))).collect())
        }
        value => value.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_every_codec_carries_comes_back_equal((shape, values) in shape_and_values(IDENTIFIER, Range::Tame)) {
        for codec in codecs() {
            if let Err(error) = codec.prepare(&shape) {
                prop_assert!(may_refuse_shape(&shape), "{error}");
                continue;
            }
            let bytes = encode(&*codec, &shape, &values).unwrap();
            prop_assert_eq!(decode_anything(&*codec, &shape, &bytes), Some(values.clone()), "{}", codec.name());
            let backwards: Vec<Value> = values.iter().map(reversed).collect();
            prop_assert_eq!(encode(&*codec, &shape, &backwards).unwrap(), bytes, "{}: the type's order", codec.name());
        }
    }

    #[test]
    fn whatever_is_not_refused_comes_back_equal((shape, values) in shape_and_values(ANY_NAME, Range::Wild)) {
        for codec in codecs() {
            if let Err(error) = codec.prepare(&shape) {
                prop_assert!(may_refuse_shape(&shape), "{error}");
                continue;
            }
            match encode(&*codec, &shape, &values) {
                Ok(bytes) => prop_assert_eq!(
                    decode_anything(&*codec, &shape, &bytes), Some(values.clone()), "{}", codec.name()
                ),
                Err(EncodeError::Unsupported { what, .. }) => {
                    prop_assert!(values.iter().any(may_refuse_value), "{}: {what}", codec.name());
                }
                Err(error) => prop_assert!(false, "{}: {error}", codec.name()),
            }
        }
    }

    #[test]
    fn an_open_type_is_written_like_the_value_s_own((shape, values) in shape_and_values(IDENTIFIER, Range::Tame)) {
        let open = match &shape {
            Shape::Result(_) => Shape::Result(Type::Any),
            Shape::Params(fields) => {
                Shape::Params(fields.iter().map(|field| Field::new(&field.name, Type::Any)).collect())
            }
        };
        for codec in codecs() {
            if codec.prepare(&open).is_err() || codec.prepare(&shape).is_err() {
                continue;
            }
            let bytes = encode(&*codec, &open, &values).unwrap();
            prop_assert_eq!(&bytes, &encode(&*codec, &shape, &values).unwrap(), "{}", codec.name());
            let found = decode_anything(&*codec, &open, &bytes);
            prop_assert!(found.is_some(), "{}", codec.name());
        }
    }

    #[test]
    fn a_message_that_was_cut_off_is_an_error(
        (shape, values) in shape_and_values(IDENTIFIER, Range::Tame),
        cut in any::<Index>(),
    ) {
        // A bare number, or no argument at all, has no end of its own.
        let shape = match shape {
            Shape::Result(ty) => Shape::Params(vec![Field::new("value", ty)]),
            shape => shape,
        };
        if values.is_empty() {
            return Ok(());
        }
        // A protobuf message may end after any field: what is missing has its default.
        for codec in codecs().filter(|codec| codec.name() != "protobuf" && codec.prepare(&shape).is_ok()) {
            let bytes = encode(&*codec, &shape, &values).unwrap();
            if !bytes.is_empty() {
                let cut = cut.index(bytes.len());
                prop_assert_eq!(decode_anything(&*codec, &shape, &bytes[..cut]), None, "{}", codec.name());
            }
        }
    }

    #[test]
    fn altered_and_random_bytes_are_errors_or_values_of_the_type(
        (shape, values) in shape_and_values(IDENTIFIER, Range::Tame),
        alterations in proptest::collection::vec((any::<Index>(), any::<u8>(), 0..3), 1..4),
        random in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        for codec in codecs().filter(|codec| codec.prepare(&shape).is_ok()) {
            let mut bytes = encode(&*codec, &shape, &values).unwrap();
            for (index, byte, how) in &alterations {
                let at = index.index(bytes.len() + 1);
                match how {
                    0 => bytes.insert(at, *byte),
                    1 if at < bytes.len() => { bytes.remove(at); }
                    _ if at < bytes.len() => bytes[at] = *byte,
                    _ => {}
                }
            }
            decode_anything(&*codec, &shape, &bytes);
            decode_anything(&*codec, &shape, &random);
            decode_anything(&*codec, &Shape::Result(Type::Any), &bytes);
            decode_anything(&*codec, &Shape::Result(Type::Any), &random);
        }
    }
}

#[test]
fn a_codec_is_found_by_its_name() {
    for entry in ALL {
        assert_eq!(by_name(entry.name, &Options::default()).unwrap().name(), entry.name);
    }
    assert!(by_name("smoke-signals", &Options::default()).is_none());
    let names: Vec<_> = ALL.iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["xml", "msgpack", "protobuf", "postcard", "json"]);
}

#[test]
fn the_wrong_number_of_values_and_values_of_another_type_are_refused() {
    let shape = Shape::Params(vec![Field::new("a", Type::Struct(vec![Field::new("b", Type::Int)]))]);
    let right = Value::Struct(vec![("b".into(), Value::Int(1))]);
    for codec in codecs() {
        for wrong in [
            vec![],
            vec![right.clone(), right.clone()],
            vec![Value::Nil],
            vec![Value::Struct(vec![])],
            vec![Value::Struct(vec![("c".into(), Value::Int(1))])],
            vec![Value::Struct(vec![("b".into(), Value::Float(1.0))])],
            vec![Value::Struct(vec![("b".into(), Value::Int(1)), ("c".into(), Value::Int(1))])],
        ] {
            let error = encode(&*codec, &shape, &wrong).unwrap_err();
            assert!(matches!(error, EncodeError::Type { .. }), "{}: {error} for {wrong:?}", codec.name());
        }
    }
}

#[test]
fn nesting_is_carried_to_the_deepest_level_and_refused_beyond() {
    let ty = |levels| (0..levels).fold(Type::Int, |inner, _| Type::List(Box::new(inner)));
    let value = |levels| (0..levels).fold(Value::Int(5), |inner, _| Value::List(vec![inner]));
    for codec in codecs() {
        let deepest = Shape::Result(ty(MAX_DEPTH));
        let bytes = encode(&*codec, &deepest, &[value(MAX_DEPTH)]).unwrap();
        assert_eq!(decode_anything(&*codec, &deepest, &bytes), Some(vec![value(MAX_DEPTH)]));
        let refused: Unsupported = codec.prepare(&Shape::Result(ty(MAX_DEPTH + 1))).unwrap_err();
        assert!(refused.what.contains("deeper"), "{refused}");
    }
}
