//! A user's messages against another protobuf implementation, prost-reflect.

use std::sync::Arc;

use prost::Message as _;
use prost_reflect::DynamicMessage;
use serde_json::json;

use super::*;
use crate::rpc::{Answer, Field, Method, Type};

const MAIN: &str = r#"
    syntax = "proto3";
    package shop;
    import "google/protobuf/timestamp.proto";
    import "common/money.proto";

    service Orders {
      rpc Store(Order) returns (Receipt);
      rpc Count(Empty) returns (Number);
      rpc Watch(Empty) returns (stream Number);
      rpc Upload(stream Number) returns (Empty);
    }
    message Empty {}
    message Number { uint32 how_many = 7; }
    message Receipt { Order order = 3; bool paid = 1; }
    enum Color { NONE = 0; RED = 3; BLUE = -1; }
    message Order {
      sint64 id = 15;
      string name = 2;
      repeated Item items = 4;
      map<string, int32> stock = 5;
      map<int64, Item> by_number = 6;
      Color color = 7;
      repeated Color colors = 8;
      optional int32 rating = 9;
      oneof paid { common.Money cash = 10; string card = 11; }
      google.protobuf.Timestamp at = 12;
      bytes blob = 13;
      Order parent = 14;
      Scalars scalars = 300;
    }
    message Item { string sku = 1; repeated double weights = 2; repeated string tags = 3; }
    message Scalars {
      double a = 1; float b = 2; int32 c = 3; int64 d = 4; uint32 e = 5; uint64 f = 6; sint32 g = 7;
      sint64 h = 8; fixed32 i = 9; fixed64 j = 10; sfixed32 k = 11; sfixed64 l = 12; bool m = 13;
      string n = 14; bytes o = 15; repeated sint32 p = 16; repeated fixed64 q = 17 [packed = false];
      repeated float r = 18; repeated bool s = 19;
    }
"#;

const MONEY: &str =
    "syntax = \"proto3\"; package common; message Money { int64 cents = 1; string unit = 2; }";

/// One for all tests: messages of two pools are never equal.
fn schema() -> &'static ProtoSchema {
    static SCHEMA: std::sync::OnceLock<ProtoSchema> = std::sync::OnceLock::new();
    SCHEMA.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("common")).unwrap();
        std::fs::write(folder.path().join("shop.proto"), MAIN).unwrap();
        std::fs::write(folder.path().join("common/money.proto"), MONEY).unwrap();
        let compiled = protox::compile(["shop.proto"], [folder.path()]).unwrap();
        ProtoSchema::from_bytes(&compiled.encode_to_vec()).unwrap()
    })
}

fn method(name: &str, params: Vec<Field>, returns: Type) -> ServiceMethod {
    ServiceMethod {
        method: Method { name: name.into(), params, returns },
        answer: Answer::Value(Value::Nil),
        stream_items: None,
        delay: None,
        fail_rate: 0.0,
    }
}

fn prepare(method: &ServiceMethod) -> Result<CallCodec, Unsupported> {
    schema().codec(Some("shop.Orders")).unwrap().0.prepare_method(method)
}

/// The bytes of a request, and the request as another implementation reads it.
fn encoded(params: Vec<Field>, values: &[Value]) -> Result<DynamicMessage, EncodeError> {
    let codec = prepare(&method("Store", params, Type::Nil)).unwrap();
    let mut bytes = Vec::new();
    codec.params.encode(values, &mut bytes)?;
    let descriptor = schema().pool.get_message_by_name("shop.Order").unwrap();
    Ok(DynamicMessage::decode(descriptor, &bytes[..]).unwrap())
}

fn whole(json: &serde_json::Value) -> Result<DynamicMessage, EncodeError> {
    let value = Value::from_plain_json(json).unwrap();
    encoded(vec![Field::new("the request", Type::Any)], &[value])
}

fn oracle(text: &str) -> DynamicMessage {
    let descriptor = schema().pool.get_message_by_name("shop.Order").unwrap();
    DynamicMessage::parse_text_format(descriptor, text).unwrap()
}

/// Every kind of field, and the same in protobuf's text format.
fn everything() -> (serde_json::Value, &'static str) {
    let json = json!({
        "id": -5, "name": "é", "items": [{"sku": "a", "weights": [0.5, 1.0], "tags": ["x", ""]}, {"sku": "b", "weights": [], "tags": []}],
        "stock": {"a": 1, "b": 0}, "by_number": {"-7": {"sku": "c", "weights": [], "tags": []}},
        "color": "BLUE", "colors": ["RED", "NONE"], "rating": 0, "cash": {"cents": 3, "unit": ""},
        "at": "2023-11-14T22:13:20.5Z", "blob": "AP8=",
        "parent": {"name": "p", "id": 0, "items": [], "stock": {}, "by_number": {}, "color": "NONE", "colors": [], "blob": ""},
        "scalars": {"a": -0.5, "b": 0.1, "c": -1, "d": i64::MIN, "e": u32::MAX, "f": i64::MAX, "g": i32::MIN,
            "h": -3, "i": 1, "j": 2, "k": -3, "l": -4, "m": true, "n": "n", "o": "bw==", "p": [-1, 1],
            "q": [1, 2], "r": [12.345], "s": [true, false]},
    });
    let text = r#"id: -5 name: "é" items { sku: "a" weights: [0.5, 1.0] tags: "x" tags: "" } items { sku: "b" }
        stock { key: "a" value: 1 } stock { key: "b" value: 0 } by_number { key: -7 value { sku: "c" } }
        color: BLUE colors: [RED, NONE] rating: 0 cash { cents: 3 } at { seconds: 1700000000 nanos: 500000000 }
        blob: "\000\377" parent { name: "p" }
        scalars { a: -0.5 b: 0.1 c: -1 d: -9223372036854775808 e: 4294967295 f: 9223372036854775807
            g: -2147483648 h: -3 i: 1 j: 2 k: -3 l: -4 m: true n: "n" o: "o" p: [-1, 1] q: [1, 2] r: 12.345 s: [true, false] }"#;
    (json, text)
}

#[test]
fn another_implementation_reads_every_kind_of_field() {
    let (json, text) = everything();
    assert_eq!(whole(&json).unwrap(), oracle(text));
}

#[test]
fn every_kind_of_field_is_read_from_another_implementation() {
    let (json, text) = everything();
    let codec = prepare(&method("Store", vec![], Type::Any)).unwrap();
    let receipt = schema().pool.get_message_by_name("shop.Receipt").unwrap();
    let mut message = DynamicMessage::new(receipt);
    message.set_field_by_name("order", prost_reflect::Value::Message(oracle(text)));
    let mut values = Vec::new();
    codec.result.decode(&message.encode_to_vec(), &mut values).unwrap();
    let json = Value::from_plain_json(&json!({"order": json, "paid": false})).unwrap();
    // Bytes and times are text in JSON and themselves in values.
    assert_eq!(values[0].to_plain_json().to_string().len(), json.to_plain_json().to_string().len());
    let read = Value::from_plain_json(&values[0].to_plain_json()).unwrap();
    assert_eq!(read, json);
}

#[test]
fn a_type_chooses_fields_and_what_does_not_come_has_its_default() {
    let order = Type::Struct(vec![
        Field::new("color", Type::Int),
        Field::new("name", Type::Text),
        Field::new("parent", Type::Struct(vec![Field::new("id", Type::Int)])),
        Field::new("card", Type::Text),
        Field::new("at", Type::Text),
    ]);
    let codec = prepare(&method("Store", vec![], Type::Struct(vec![Field::new("order", order)]))).unwrap();
    let read = |text: &str| {
        let receipt = schema().pool.get_message_by_name("shop.Receipt").unwrap();
        let message = DynamicMessage::parse_text_format(receipt, text).unwrap();
        let mut values = Vec::new();
        codec.result.decode(&message.encode_to_vec(), &mut values).unwrap();
        values[0].to_plain_json()
    };
    assert_eq!(
        read("order { name: 'x' color: RED card: 'c' rating: 4 } paid: true"),
        json!({"order": {"color": 3, "name": "x", "parent": {"id": 0}, "card": "c", "at": ""}})
    );
    // A member of a oneof that is not set is nil; a message that comes in parts is merged.
    assert_eq!(
        read("order { cash { cents: 1 } parent { id: 7 } at { seconds: 1 } }")["order"]["card"],
        json!(null)
    );
    let mut values = Vec::new();
    let half = |text: &str| {
        let receipt = schema().pool.get_message_by_name("shop.Receipt").unwrap();
        DynamicMessage::parse_text_format(receipt, text).unwrap().encode_to_vec()
    };
    let parts = [half("order { name: 'x' parent { id: 7 } }"), half("order { color: BLUE }")].concat();
    codec.result.decode(&parts, &mut values).unwrap();
    let order = &values[0].to_plain_json()["order"];
    assert_eq!(
        (&order["name"], &order["color"], &order["parent"]["id"]),
        (&json!("x"), &json!(-1), &json!(7))
    );
}

#[test]
fn a_result_that_is_no_struct_is_the_only_field() {
    let codec = prepare(&method("Count", vec![], Type::Int)).unwrap();
    let mut bytes = Vec::new();
    codec.result.encode(&[Value::Int(300)], &mut bytes).unwrap();
    assert_eq!(bytes, b"\x38\xac\x02");
    let mut values = Vec::new();
    codec.result.decode(&bytes, &mut values).unwrap();
    codec.result.decode(b"", &mut values).unwrap();
    assert_eq!(values, [Value::Int(300), Value::Int(0)]);
}

#[test]
fn parameters_are_fields_by_name() {
    let params = vec![Field::new("name", Type::Text), Field::new("id", Type::Int)];
    let message = encoded(params, &[Value::Text("n".into()), Value::Int(9)]).unwrap();
    assert_eq!(message, oracle("name: 'n' id: 9"));
}

#[test]
fn what_the_proto_does_not_have_is_refused_in_words() {
    let words = |name: &str, params: Vec<Field>, returns: Type| {
        prepare(&method(name, params, returns)).map(drop).unwrap_err().to_string()
    };
    let field = |name: &str, ty: Type| vec![Field::new(name, ty)];
    for (found, expected) in [
        (words("Nope", vec![], Type::Nil), "a method that shop.Orders does not have; it has: Store, Count"),
        (words("Watch", vec![], Type::Nil), "stream = { items = N }"),
        (words("Upload", vec![], Type::Nil), "a stream of requests"),
        (words("Store", field("nmae", Type::Text), Type::Nil), "shop.Order does not have (name, items"),
        (
            words("Store", field("name", Type::Int), Type::Nil),
            "int as shop.Order.name: it is text (params.name)",
        ),
        (words("Store", field("items", Type::Int), Type::Nil), "it is a list"),
        (words("Store", field("stock", Type::Int), Type::Nil), "whose fields are the map's keys"),
        (words("Store", vec![], Type::Int), "name its fields in a struct (paid, order)"),
        (
            words(
                "Store",
                vec![Field::new("cash", Type::Struct(vec![])), Field::new("card", Type::Text)],
                Type::Nil,
            ),
            "two fields of one oneof",
        ),
    ] {
        assert!(found.contains(expected), "{found}");
    }
    for (json, expected) in [
        (json!({"scalars": {"e": -1}}), "-1 as uint32"),
        (json!({"scalars": {"c": 1_i64 << 40}}), "1099511627776 as int32"),
        (json!({"scalars": {"b": 0.123_456_789}}), "write 0.12345679"),
        (json!({"color": "PINK"}), "it has BLUE, NONE, RED"),
        (json!({"by_number": {"x": {}}}), "the key \"x\" in a map whose keys are int"),
        (json!({"cash": {}, "card": "x"}), "two fields of one oneof"),
        (json!({"at": "noon"}), "RFC 3339"),
        (json!({"blob": "?"}), "base64"),
        (json!({"parent": {"name": 1}}), "int as shop.Order.name"),
        (json!({"parent": {"nope": 1}}), "the field \"nope\", which shop.Order does not have"),
    ] {
        let found = whole(&json).unwrap_err().to_string();
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn no_bytes_make_it_panic_or_overflow() {
    let codec = prepare(&method("Store", vec![], Type::Any)).unwrap();
    let (_, text) = everything();
    let receipt = schema().pool.get_message_by_name("shop.Receipt").unwrap();
    let mut message = DynamicMessage::new(receipt);
    message.set_field_by_name("order", prost_reflect::Value::Message(oracle(text)));
    let bytes = message.encode_to_vec();
    let mut random = crate::rpc::random::Random::new(1);
    for _ in 0..5_000 {
        let mut damaged = bytes.clone();
        let at = usize::try_from(random.below(damaged.len() as u64)).unwrap();
        damaged[at] = random.next_u64().to_le_bytes()[0];
        damaged.truncate(usize::try_from(random.below(damaged.len() as u64 + 1)).unwrap());
        let mut values = Vec::new();
        let _ = codec.result.decode(&damaged, &mut values);
    }
    // parent { parent { … } }, deeper than anybody follows.
    let mut deep = Vec::new();
    for _ in 0..200 {
        let mut outer = Vec::new();
        prost::encoding::bytes::encode(14, &deep, &mut outer);
        deep = outer;
    }
    let mut order = Vec::new();
    prost::encoding::bytes::encode(3, &deep, &mut order);
    assert!(codec.result.decode(&order, &mut Vec::new()).unwrap_err().reason.contains("deeper"));
}

#[test]
fn the_only_service_is_found_and_another_is_named() {
    let error = schema().codec(Some("shop.Nope")).map(|_| ()).unwrap_err().to_string();
    assert_eq!(error, "the .proto has no service \"shop.Nope\"; it has: shop.Orders");
    assert_eq!(schema().codec(None).unwrap().1, "shop.Orders");
}

#[test]
fn a_service_is_described_in_the_types_of_scenarios() {
    let services = schema().services();
    let store = &services[0].methods[0];
    let name = |field: &Field| field.name.to_string();
    let names: Vec<String> = store.params.iter().map(name).collect();
    assert_eq!(names, ["name", "items", "color", "colors", "rating", "cash", "at", "blob", "id", "scalars"]);
    assert_eq!(store.left_out[..2], ["params.stock (a map)", "params.by_number (a map)"]);
    let color = store.samples.iter().find(|(path, _)| path == "params.color").unwrap();
    assert_eq!(color.1, Value::Text("RED".into()));
    let codec: Arc<dyn Codec> = schema().codec(None).unwrap().0;
    assert!(codec.prepare_method(&method("Store", store.params.clone(), store.returns.clone())).is_ok());
}

#[test]
fn two_bytes_stand_for_a_message_of_defaults_only_so_often() {
    let texts = || Type::List(Box::new(Type::Text));
    let item = Type::Struct(vec![
        Field::new("sku", Type::Text),
        Field::new("weights", Type::List(Box::new(Type::Float))),
        Field::new("tags", texts()),
    ]);
    let order = Type::Struct(vec![Field::new("items", Type::List(Box::new(item)))]);
    let receipt = |returns: &Type, items: usize| {
        let codec =
            prepare(&method("Store", vec![Field::new("request", Type::Any)], returns.clone())).unwrap();
        let order = [0x22, 0].repeat(items);
        let mut bytes = vec![0x1A];
        prost::encoding::encode_varint(order.len() as u64, &mut bytes);
        bytes.extend_from_slice(&order);
        codec.result.decode(&bytes, &mut Vec::new())
    };
    let typed = Type::Struct(vec![Field::new("order", order)]);
    receipt(&typed, 50_000).unwrap();
    let error = receipt(&typed, 1 << 19).unwrap_err();
    assert!(error.reason.contains("far more values"), "{error}");
    receipt(&Type::Any, 50_000).unwrap();
    receipt(&Type::Any, 1 << 19).unwrap_err();
}

#[test]
fn a_message_that_comes_in_three_parts_is_all_of_them() {
    let order = Type::Struct(vec![
        Field::new("name", Type::Text),
        Field::new("rating", Type::Int),
        Field::new("card", Type::Text),
    ]);
    let receipt = Type::Struct(vec![Field::new("order", order)]);
    let codec = prepare(&method("Store", vec![Field::new("request", Type::Any)], receipt)).unwrap();
    let mut values = Vec::new();
    codec.result.decode(b"\x1A\x03\x12\x01a\x1A\x02\x48\x07\x1A\x03\x5A\x01c", &mut values).unwrap();
    let json = values[0].to_plain_json();
    assert_eq!(json, json!({"order": {"name": "a", "rating": 7, "card": "c"}}));
}

#[test]
fn parts_of_a_message_again_and_again_end_within_the_budget() {
    let codec = prepare(&method("Store", vec![Field::new("request", Type::Any)], Type::Any)).unwrap();
    let name = vec![b'a'; 4 << 10];
    let mut first = vec![0x12];
    prost::encoding::encode_varint(name.len() as u64, &mut first);
    first.extend_from_slice(&name);
    let mut bytes = vec![0x1A];
    prost::encoding::encode_varint(first.len() as u64, &mut bytes);
    bytes.extend_from_slice(&first);
    bytes.extend([0x1A, 0].repeat(10_000));
    let error = codec.result.decode(&bytes, &mut Vec::new()).unwrap_err();
    assert!(error.reason.contains("far more values"), "{error}");
}
