//! The nested struct as a program would have it that knows its types: no `Value`.

use std::hint::black_box;

use criterion::BenchmarkGroup;
use criterion::measurement::WallTime;
use prost::Message;
use serde::{Deserialize, Serialize};
use wirebench::rpc::Value;

#[derive(Clone, PartialEq, Serialize, Deserialize, Message)]
struct User {
    #[prost(sint64, tag = "1")]
    id: i64,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(double, tag = "3")]
    score: f64,
    #[prost(bool, tag = "4")]
    active: bool,
    #[prost(string, repeated, tag = "5")]
    tags: Vec<String>,
    #[prost(message, required, tag = "6")]
    address: Address,
}

#[derive(Clone, PartialEq, Serialize, Deserialize, Message)]
struct Address {
    #[prost(string, tag = "1")]
    city: String,
    #[prost(string, tag = "2")]
    zip: String,
}

type Encode = fn(&User, &mut Vec<u8>);
type Decode = fn(&[u8]) -> User;

/// Rows named after the codec whose bytes are the same (but for XML, which has none).
const ROWS: [(&str, Encode, Decode); 4] = [
    (
        "msgpack-struct",
        |user, bytes| rmp_serde::encode::write_named(bytes, user).expect("msgpack"),
        |bytes| rmp_serde::from_slice(bytes).expect("msgpack"),
    ),
    (
        "protobuf-struct",
        |user, bytes| user.encode(bytes).expect("protobuf"),
        |bytes| User::decode(bytes).expect("protobuf"),
    ),
    (
        "postcard-struct",
        |user, bytes| *bytes = postcard::to_extend(user, std::mem::take(bytes)).expect("postcard"),
        |bytes| postcard::from_bytes(bytes).expect("postcard"),
    ),
    (
        "json-struct",
        |user, bytes| serde_json::to_writer(bytes, user).expect("json"),
        |bytes| serde_json::from_slice(bytes).expect("json"),
    ),
];

pub fn encode(group: &mut BenchmarkGroup<'_, WallTime>, value: &Value) {
    let (user, mut bytes) = (User::of(value), Vec::new());
    for (name, encode, _) in ROWS {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                bytes.clear();
                encode(black_box(&user), &mut bytes);
                black_box(bytes.len())
            });
        });
    }
}

pub fn decode(group: &mut BenchmarkGroup<'_, WallTime>, value: &Value) {
    let user = User::of(value);
    for (name, encode, decode) in ROWS {
        let mut bytes = Vec::new();
        encode(&user, &mut bytes);
        assert_eq!(decode(&bytes), user, "{name}");
        group.bench_function(name, |bencher| bencher.iter(|| decode(black_box(&bytes))));
    }
}

impl User {
    /// The same user as the neutral value.
    fn of(value: &Value) -> Self {
        let member = |value: &Value, name: &str| match value {
            Value::Struct(fields) => {
                fields.iter().find(|(found, _)| **found == *name).map(|(_, value)| value.clone())
            }
            _ => None,
        };
        let text = |value: Option<Value>| match value {
            Some(Value::Text(text)) => text,
            other => unreachable!("{other:?} is no text"),
        };
        let (
            Some(Value::Int(id)),
            Some(Value::Float(score)),
            Some(Value::Bool(active)),
            Some(Value::List(tags)),
        ) = (member(value, "id"), member(value, "score"), member(value, "active"), member(value, "tags"))
        else {
            unreachable!("{value:?} is no user")
        };
        let address = member(value, "address").unwrap_or(Value::Nil);
        Self {
            id,
            name: text(member(value, "name")),
            score,
            active,
            tags: tags.into_iter().map(|tag| text(Some(tag))).collect(),
            address: Address { city: text(member(&address, "city")), zip: text(member(&address, "zip")) },
        }
    }
}
