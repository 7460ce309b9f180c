//! The MessagePack codec: bytes of the specification and of a real zerorpc server.

use super::*;
use crate::rpc::Field;

fn open(ty: &Type) -> Box<dyn ShapeCodec> {
    MsgPack::new(&Options::default()).prepare(&Shape::Result(ty.clone())).unwrap()
}

fn decode(ty: &Type, bytes: &[u8]) -> Result<Value, DecodeError> {
    let mut values = Vec::new();
    open(ty).decode(bytes, &mut values).map(|()| values.remove(0))
}

fn encode(ty: &Type, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    open(ty).encode(std::slice::from_ref(value), &mut out).unwrap();
    out
}

#[test]
fn every_type_has_the_bytes_of_the_specification() {
    let text = |length| Value::Text("x".repeat(length));
    for (ty, value, expected) in [
        (Type::Nil, Value::Nil, &[0xC0][..]),
        (Type::Bool, Value::Bool(false), &[0xC2]),
        (Type::Bool, Value::Bool(true), &[0xC3]),
        (Type::Int, Value::Int(127), &[0x7F]),
        (Type::Int, Value::Int(128), &[0xCC, 0x80]),
        (Type::Int, Value::Int(-32), &[0xE0]),
        (Type::Int, Value::Int(-33), &[0xD0, 0xDF]),
        (Type::Int, Value::Int(65_536), &[0xCE, 0, 1, 0, 0]),
        (Type::Int, Value::Int(i64::MIN), &[0xD3, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        (Type::Float, Value::Float(1.0), &[0xCB, 0x3F, 0xF0, 0, 0, 0, 0, 0, 0]),
        (Type::Text, Value::Text("x".into()), &[0xA1, b'x']),
        (Type::Bytes, Value::Bytes(vec![255]), &[0xC4, 1, 255]),
        (Type::Time, Value::Time(1), &[0xD6, 0xFF, 0, 0, 0, 1]),
        (Type::Time, Value::Time(1 << 32), &[0xD7, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0]),
        (Type::Time, Value::Time(-1), &[0xC7, 12, 0xFF, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]),
    ] {
        assert_eq!(encode(&ty, &value), expected, "{value:?}");
        assert_eq!(decode(&ty, expected).unwrap(), value);
    }
    assert_eq!(encode(&Type::Text, &text(31))[..1], [0xBF]);
    assert_eq!(encode(&Type::Text, &text(32))[..2], [0xD9, 32]);
    assert_eq!(encode(&Type::Text, &text(256))[..3], [0xDA, 1, 0]);
}

#[test]
fn the_reply_of_a_real_zerorpc_server_is_read() {
    let ty = Type::Struct(vec![Field::new("id", Type::Int), Field::new("name", Type::Text)]);
    let bytes = b"\x82\xa2id\x01\xa4name\xa1x";
    let value = Value::Struct(vec![("id".into(), Value::Int(1)), ("name".into(), Value::Text("x".into()))]);
    assert_eq!(decode(&ty, bytes).unwrap(), value);
    assert_eq!(encode(&ty, &value), bytes);
    assert_eq!(decode(&Type::Any, bytes).unwrap(), value);
    let reversed = b"\x82\xc4\x04name\xa1x\xd9\x02id\xd1\x00\x01";
    let Value::Struct(fields) = decode(&ty, reversed).unwrap() else { panic!("no struct") };
    assert_eq!(&*fields[0].0, "id", "the type's order, whatever the order, key type and width");
}

#[test]
fn arguments_are_an_array() {
    let shape = Shape::Params(vec![Field::new("a", Type::Int), Field::new("b", Type::Bool)]);
    let codec = MsgPack::new(&Options::default()).prepare(&shape).unwrap();
    let mut out = Vec::new();
    let arguments = [Value::Int(1), Value::Bool(true)];
    codec.encode(&arguments, &mut out).unwrap();
    assert_eq!(out, [0x92, 1, 0xC3]);
    let mut values = Vec::new();
    codec.decode(&out, &mut values).unwrap();
    assert_eq!(values, arguments);
    for wrong in [&[0x91, 1][..], &[0x93, 1, 0xC3, 1], &[1], &[0x92, 1], &[0xC0]] {
        assert!(codec.decode(wrong, &mut values).is_err(), "{wrong:02x?}");
    }
    assert_eq!(values, arguments, "nothing of a failed decoding stays");
}

#[test]
fn any_integer_width_and_exact_integers_for_floats_are_read() {
    for bytes in [&[1][..], &[0xCC, 1], &[0xCD, 0, 1], &[0xCE, 0, 0, 0, 1], &[0xD2, 0, 0, 0, 1]] {
        assert_eq!(decode(&Type::Int, bytes).unwrap(), Value::Int(1));
        assert_eq!(decode(&Type::Float, bytes).unwrap(), Value::Float(1.0));
    }
    assert_eq!(decode(&Type::Float, &[0xCA, 0x3F, 0x80, 0, 0]).unwrap(), Value::Float(1.0));
    let beyond_i64 = [0xCF, 0x80, 0, 0, 0, 0, 0, 0, 0];
    assert!(decode(&Type::Int, &beyond_i64).is_err());
    assert_eq!(decode(&Type::Float, &beyond_i64).unwrap(), Value::Float(9_223_372_036_854_775_808.0));
    let inexact = [0xD3, 0, 0x20, 0, 0, 0, 0, 0, 1];
    assert!(decode(&Type::Float, &inexact).is_err());
}

#[test]
fn str_and_bin_are_kept_apart() {
    assert!(decode(&Type::Text, &[0xC4, 1, b'x']).is_err());
    assert!(decode(&Type::Bytes, &[0xA1, b'x']).is_err());
    assert_eq!(decode(&Type::Any, &[0xC4, 1, b'x']).unwrap(), Value::Bytes(b"x".to_vec()));
    assert_eq!(decode(&Type::Any, &[0xA1, b'x']).unwrap(), Value::Text("x".into()));
}

#[test]
fn damaged_and_forbidden_bytes_are_errors() {
    let row = Type::Struct(vec![Field::new("a", Type::Int)]);
    let list = Type::List(Box::new(Type::Nil));
    for (ty, bytes, reason) in [
        (&Type::Any, &[0xC1][..], "never used"),
        (&Type::Int, &[], "end within"),
        (&Type::Int, &[0xCD, 1], "end within"),
        (&Type::Int, &[1, 1], "left over"),
        (&Type::Int, &[0xC0], "expected int, found nil"),
        (&Type::Text, &[0xA2, b'x'], "end within"),
        (&Type::Text, &[0xA1, 0xFF], "no UTF-8"),
        (&list, &[0xDD, 0xFF, 0xFF, 0xFF, 0xFF, 0xC0], "announced"),
        (&row, &[0xDF, 0xFF, 0xFF, 0xFF, 0xFF, 0xA1, b'a', 1], "announced"),
        (&row, &[0x81, 0xA1, b'b', 1], "unknown field \"b\""),
        (&row, &[0x80], "field \"a\" is missing"),
        (&row, &[0x82, 0xA1, b'a', 1, 0xA1, b'a', 1], "stands twice"),
        (&row, &[0x81, 1, 1], "key is no str"),
        (&Type::Any, &[0x82, 0xA1, b'a', 1, 0xA1, b'a', 1], "stands twice"),
        (&Type::Any, &[0x81, 0xA1, 0xFF, 1], "no UTF-8"),
        (&Type::Time, &[0xD7, 0xFF, 0, 0, 0, 4, 0, 0, 0, 1], "fraction"),
        (&Type::Time, &[0xD4, 0xFF, 0], "another length"),
        (&Type::Any, &[0xD4, 5, 0], "extension type 5"),
    ] {
        let error = decode(ty, bytes).unwrap_err();
        assert!(error.reason.contains(reason), "{error} for {bytes:02x?}");
    }
}

#[test]
fn nesting_is_followed_to_the_deepest_level_only() {
    use crate::codec::MAX_DEPTH;
    let nested = |levels: usize| [vec![0x91; levels], vec![0xC0]].concat();
    assert!(decode(&Type::Any, &nested(MAX_DEPTH)).is_ok());
    assert!(decode(&Type::Any, &nested(MAX_DEPTH + 1)).is_err());
    assert!(decode(&Type::Any, &nested(1_000_000)).is_err());
    let value = |levels| (0..levels).fold(Value::Nil, |inner, _| Value::List(vec![inner]));
    assert!(open(&Type::Any).encode(&[value(MAX_DEPTH)], &mut Vec::new()).is_ok());
    assert!(open(&Type::Any).encode(&[value(MAX_DEPTH + 1)], &mut Vec::new()).is_err());
}

#[test]
fn times_are_refused_where_the_peers_know_none() {
    let codec = MsgPack::new(&Options { msgpack_time: false, ..Options::default() });
    let error = codec.prepare(&Shape::Params(vec![Field::new("when", Type::Time)])).unwrap_err();
    assert_eq!(error.place, "params.when");
    let any = codec.prepare(&Shape::Result(Type::Any)).unwrap();
    assert!(any.encode(&[Value::Time(0)], &mut Vec::new()).is_err());
    assert!(any.decode(&[0xD6, 0xFF, 0, 0, 0, 1], &mut Vec::new()).is_err());
}

#[test]
fn an_open_struct_with_two_fields_of_one_name_is_refused() {
    let value = Value::Struct(vec![("a".into(), Value::Nil), ("a".into(), Value::Nil)]);
    assert!(open(&Type::Any).encode(&[value], &mut Vec::new()).is_err());
}
