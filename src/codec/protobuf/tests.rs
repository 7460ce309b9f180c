//! The protobuf codec: bytes of the encoding guide, and what a decoder must put up with.

use super::*;
use crate::rpc::Field;

fn list(item: Type) -> Type {
    Type::List(Box::new(item))
}

fn prepare(shape: &Shape) -> Box<dyn ShapeCodec> {
    Protobuf.prepare(shape).unwrap()
}

fn result(ty: &Type) -> Box<dyn ShapeCodec> {
    prepare(&Shape::Result(ty.clone()))
}

fn decode(ty: &Type, bytes: &[u8]) -> Result<Value, DecodeError> {
    let mut values = Vec::new();
    result(ty).decode(bytes, &mut values).map(|()| values.remove(0))
}

fn encode(ty: &Type, value: &Value) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    result(ty).encode(std::slice::from_ref(value), &mut out).map(|()| out)
}

fn ints(ints: &[i64]) -> Value {
    Value::List(ints.iter().copied().map(Value::Int).collect())
}

#[test]
fn every_type_has_the_bytes_of_its_field() {
    let row = Type::Struct(vec![Field::new("a", Type::Int), Field::new("b", Type::Nil)]);
    let row_value = Value::Struct(vec![("a".into(), Value::Int(-1)), ("b".into(), Value::Nil)]);
    for (ty, value, expected) in [
        (Type::Nil, Value::Nil, &[][..]),
        (Type::Bool, Value::Bool(true), &[0x08, 1]),
        (Type::Bool, Value::Bool(false), &[]),
        (Type::Int, Value::Int(-1), &[0x08, 1]),
        (Type::Int, Value::Int(150), &[0x08, 0xAC, 0x02]),
        (Type::Int, Value::Int(0), &[]),
        (Type::Float, Value::Float(1.0), &[0x09, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F]),
        (Type::Float, Value::Float(0.0), &[]),
        (Type::Float, Value::Float(-0.0), &[0x09, 0, 0, 0, 0, 0, 0, 0, 0x80]),
        (Type::Text, Value::Text("lqz nb".into()), b"\x0A\x06lqz nb"),
        (Type::Text, Value::Text(String::new()), &[]),
        (Type::Bytes, Value::Bytes(vec![255]), &[0x0A, 1, 255]),
        (Type::Time, Value::Time(1), &[0x0A, 2, 0x08, 1]),
        (Type::Time, Value::Time(0), &[0x0A, 0]),
        (list(Type::Int), ints(&[1, -1]), &[0x0A, 2, 2, 1]),
        (list(Type::Int), ints(&[]), &[]),
        (list(Type::Nil), Value::List(vec![Value::Nil; 2]), &[0x0A, 0, 0x0A, 0]),
        (list(list(Type::Int)), Value::List(vec![ints(&[1]), ints(&[])]), &[0x0A, 3, 0x0A, 1, 2, 0x0A, 0]),
        (row.clone(), row_value.clone(), &[0x08, 1, 0x12, 0]),
        (list(row), Value::List(vec![row_value]), &[0x0A, 4, 0x08, 1, 0x12, 0]),
    ] {
        assert_eq!(encode(&ty, &value).unwrap(), expected, "{value:?}");
        assert_eq!(decode(&ty, expected).unwrap(), value, "{ty}");
    }
}

#[test]
fn parameters_are_the_fields_of_one_message() {
    let codec = prepare(&Shape::Params(vec![Field::new("a", Type::Int), Field::new("b", Type::Text)]));
    let (mut out, mut values) = (Vec::new(), vec![Value::Nil]);
    codec.encode(&[Value::Int(0), Value::Text("x".into())], &mut out).unwrap();
    assert_eq!(out, [0x12, 1, b'x']);
    codec.decode(&out, &mut values).unwrap();
    assert_eq!(values, [Value::Nil, Value::Int(0), Value::Text("x".into())]);
    assert!(codec.decode(&[0x12, 2, b'x'], &mut values).is_err());
    assert_eq!(values.len(), 3, "nothing of a failed decoding stays");
    assert!(codec.encode(&[Value::Int(0)], &mut out).is_err());
}

#[test]
fn lengths_of_any_width_stand_before_nested_messages() {
    let ty = list(Type::Struct(vec![Field::new("blob", Type::Bytes), Field::new("after", Type::Int)]));
    for length in [0, 100, 121, 122, 123, 124, 125, 126, 127, 128, 16_376, 16_377, 16_384, 70_000] {
        let fields = vec![("blob".into(), Value::Bytes(vec![7; length])), ("after".into(), Value::Int(3))];
        let value = Value::List(vec![Value::Struct(fields.clone()), Value::Struct(fields)]);
        assert_eq!(decode(&ty, &encode(&ty, &value).unwrap()).unwrap(), value, "{length}");
    }
}

#[test]
fn the_decoder_follows_the_rules_of_proto3() {
    let inner = Type::Struct(vec![Field::new("x", Type::Int), Field::new("ys", list(Type::Int))]);
    let row = Type::Struct(vec![
        Field::new("n", Type::Int),
        Field::new("inner", inner),
        Field::new("when", Type::Time),
        Field::new("rows", list(list(Type::Text))),
    ]);
    let expected = |n, x, ys: &[i64]| {
        Value::Struct(vec![
            ("n".into(), Value::Int(n)),
            ("inner".into(), Value::Struct(vec![("x".into(), Value::Int(x)), ("ys".into(), ints(ys))])),
            ("when".into(), Value::Time(0)),
            ("rows".into(), Value::List(vec![])),
        ])
    };
    assert_eq!(decode(&row, &[]).unwrap(), expected(0, 0, &[]), "what is missing has its default");
    let twice = [0x08, 2, 0x08, 4];
    assert_eq!(decode(&row, &twice).unwrap(), expected(2, 0, &[]), "the last scalar wins");
    let merged = [0x12, 4, 0x08, 2, 0x10, 2, 0x12, 3, 0x12, 1, 4];
    assert_eq!(decode(&row, &merged).unwrap(), expected(0, 1, &[1, 2]), "messages are merged");
    let unknown = [0x28, 9, 0x2A, 1, 0, 0x31, 0, 0, 0, 0, 0, 0, 0, 0, 0x3D, 0, 0, 0, 0, 0x43, 0x44, 0x08, 2];
    assert_eq!(decode(&row, &unknown).unwrap(), expected(1, 0, &[]), "unknown fields are skipped");
    let list = list(Type::Bool);
    let mixed = decode(&list, &[0x08, 1, 0x0A, 2, 0, 7, 0x08, 0]).unwrap();
    let bools = [true, false, true, false].map(Value::Bool);
    assert_eq!(mixed, Value::List(bools.to_vec()), "packed and unpacked items mix");
}

#[test]
fn damaged_bytes_are_errors() {
    for (ty, bytes, reason) in [
        (Type::Int, &[0x08][..], "varint"),
        (Type::Int, &[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1], "varint"),
        (Type::Int, &[0x09, 0, 0, 0, 0, 0, 0, 0, 0], "wire type"),
        (Type::Float, &[0x09, 0], "end within"),
        (Type::Text, &[0x0A, 5, b'x'], "end within"),
        (Type::Text, &[0x0A, 1, 255], "UTF-8"),
        (Type::Nil, &[0x0C], "end group"),
        (Type::Nil, &[0x00, 0], "tag"),
        (Type::Nil, &[0x0F], "wire type"),
        (Type::Nil, &[0x0A, 9, 0], ""),
        (Type::Time, &[0x0A, 2, 0x10, 1], "fraction"),
        (Type::Time, &[0x0A, 7, 0x08, 255, 255, 255, 255, 255, 127], "outside the years"),
        (list(Type::Int), &[0x0A, 1, 0x80], "varint"),
        (list(Type::Float), &[0x0A, 4, 0, 0, 0, 0], "end within"),
    ] {
        let error = decode(&ty, bytes).unwrap_err();
        assert!(error.reason.contains(reason), "{error} for {bytes:02x?}");
    }
    assert_eq!(decode(&Type::Text, &[0x18, 1, 0x0A, 1, 255]).unwrap_err().at, 5);
}

#[test]
fn what_protobuf_cannot_carry_is_refused() {
    assert!(Protobuf.prepare(&Shape::Result(Type::Any)).is_err());
    assert!(Protobuf.prepare(&Shape::Params(vec![Field::new("a", list(Type::Any))])).is_err());
    let many: Vec<Field> = (0..19_000).map(|number| Field::new(&format!("f{number}"), Type::Int)).collect();
    assert!(Protobuf.prepare(&Shape::Params(many.clone())).is_err());
    assert!(Protobuf.prepare(&Shape::Result(Type::Struct(many))).is_err());
    for seconds in [-62_135_596_801, 253_402_300_800] {
        assert!(matches!(encode(&Type::Time, &Value::Time(seconds)), Err(EncodeError::Unsupported { .. })));
    }
    let wrong = encode(&list(Type::Int), &Value::List(vec![Value::Nil])).unwrap_err();
    assert_eq!(wrong.to_string(), "expected int as result[0], found nil");
}

/// A list of structs of eight fields, each struct of two bytes.
fn sparse(structs: usize) -> (Type, Vec<u8>) {
    let fields = (0..8).map(|field| Field::new(&format!("f{field}"), Type::Int)).collect();
    (list(Type::Struct(fields)), [0x0A, 0].repeat(structs))
}

#[test]
fn two_bytes_stand_for_a_struct_of_defaults_only_so_often() {
    let (ty, bytes) = sparse(20_000);
    let Value::List(items) = decode(&ty, &bytes).unwrap() else { panic!("no list") };
    assert_eq!(items.len(), 20_000);
    let (ty, bytes) = sparse(1 << 18);
    let error = decode(&ty, &bytes).unwrap_err();
    assert!(error.reason.contains("far more values"), "{error}");
    assert!(error.at < bytes.len() / 2, "{error}");
    // The same in a message that is missing in each of them.
    let inner = Type::Struct((0..100).map(|field| Field::new(&format!("f{field}"), Type::Text)).collect());
    let outer = list(Type::Struct(vec![Field::new("inner", inner)]));
    let error = decode(&outer, &[0x0A, 0].repeat(20_000)).unwrap_err();
    assert!(error.reason.contains("far more values"), "{error}");
}

#[test]
fn full_structs_of_any_number_are_within_the_budget() {
    let fields: Vec<Field> = (0..30).map(|field| Field::new(&format!("f{field}"), Type::Bool)).collect();
    let row = (0..30).map(|field| (format!("f{field}").as_str().into(), Value::Bool(true))).collect();
    let value = Value::List(vec![Value::Struct(row); 20_000]);
    let ty = list(Type::Struct(fields));
    let bytes = encode(&ty, &value).unwrap();
    assert_eq!(decode(&ty, &bytes).unwrap(), value);
    let bools = Value::List(vec![Value::Bool(true); 1 << 20]);
    let bytes = encode(&list(Type::Bool), &bools).unwrap();
    assert_eq!(decode(&list(Type::Bool), &bytes).unwrap(), bools);
}
