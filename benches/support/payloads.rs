//! The values that the benches carry, from nothing to much.

use wirebench::rpc::{Field, Type, Value};

/// A value with its type and its name in reports.
pub struct Payload {
    pub name: &'static str,
    pub ty: Type,
    pub value: Value,
}

/// All payloads, the smallest first.
pub fn all() -> Vec<Payload> {
    let payload = |name, ty, value| Payload { name, ty, value };
    let ints = (0..1_000).map(|index| Value::Int(index * 7_919 % 1_000_000)).collect();
    let floats = (0..1_000).map(|index| Value::Float(f64::from(index) * 1_234.567)).collect();
    let bytes = (0..64 << 10).map(|index: u32| (index * 31 / 8) as u8).collect();
    vec![
        payload("nil", Type::Nil, Value::Nil),
        payload("text", Type::Text, text("lqz nb")),
        payload("user", user_type(), user()),
        payload("text-1k", Type::Text, Value::Text("All work and no play. ".repeat(47)[..1024].to_owned())),
        payload("ints-1000", Type::List(Box::new(Type::Int)), Value::List(ints)),
        payload("floats-1000", Type::List(Box::new(Type::Float)), Value::List(floats)),
        payload("users-100", Type::List(Box::new(user_type())), Value::List(vec![user(); 100])),
        payload("nested-16", nested_type(16), nested(16)),
        payload("bytes-64k", Type::Bytes, Value::Bytes(bytes)),
    ]
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// A struct in a struct, so many deep.
fn nested_type(depth: u32) -> Type {
    let inner = if depth > 1 { nested_type(depth - 1) } else { Type::Int };
    Type::Struct(vec![Field::new("note", Type::Text), Field::new("next", inner)])
}

fn nested(depth: u32) -> Value {
    let inner = if depth > 1 { nested(depth - 1) } else { Value::Int(7) };
    Value::Struct(vec![("note".into(), text("and further in")), ("next".into(), inner)])
}

fn user_type() -> Type {
    let address = vec![Field::new("city", Type::Text), Field::new("zip", Type::Text)];
    Type::Struct(vec![
        Field::new("id", Type::Int),
        Field::new("name", Type::Text),
        Field::new("score", Type::Float),
        Field::new("active", Type::Bool),
        Field::new("tags", Type::List(Box::new(Type::Text))),
        Field::new("address", Type::Struct(address)),
    ])
}

fn user() -> Value {
    let address = vec![("city".into(), text("Chengdu")), ("zip".into(), text("610000"))];
    Value::Struct(vec![
        ("id".into(), Value::Int(123_456)),
        ("name".into(), text("Ada Lovelace")),
        ("score".into(), Value::Float(0.875)),
        ("active".into(), Value::Bool(true)),
        ("tags".into(), Value::List(["red", "green", "blue", "ultraviolet"].map(text).to_vec())),
        ("address".into(), Value::Struct(address)),
    ])
}
