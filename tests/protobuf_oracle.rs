//! The bytes of the protobuf codec and the `.proto` that `proto_file` writes belong together:
//! another implementation (protox compiles, prost-reflect encodes and decodes) agrees on both.

// Clippy knows only functions marked as tests; everything here is one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod arbitrary;

use arbitrary::{Range, a_type, a_value, values_of};
use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, Kind, MessageDescriptor, MethodDescriptor, ReflectMessage as _,
    Value as Dynamic,
};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use wirebench::codec::{Options, Shape, by_name, file_descriptor, proto_file};
use wirebench::rpc::{Answer, Field, Method, Service, ServiceMethod, Type, Value};

const IDENTIFIER: &str = "[a-z][a-z0-9]{0,6}(_[a-z]{1,3})?|nil|Nil|value|values|google|message|string";

fn service(methods: Vec<(&str, Vec<Field>, Type, Option<u64>)>) -> Service {
    let methods = methods.into_iter().map(|(name, params, returns, stream_items)| ServiceMethod {
        method: Method { name: name.into(), params, returns },
        answer: Answer::Value(Value::Nil),
        stream_items,
        delay: None,
        fail_rate: 0.0,
    });
    Service { name: "seed".into(), methods: methods.collect(), seed: 1 }
}

/// Serves one file from memory.
struct InMemory(String);

impl FileResolver for InMemory {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name == "seed.proto" {
            File::from_source(name, &self.0)
        } else {
            Err(protox::Error::file_not_found(name))
        }
    }
}

fn compile(proto: &str) -> DescriptorPool {
    let mut resolver = ChainFileResolver::new();
    resolver.add(InMemory(proto.to_owned()));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true);
    match compiler.open_file("seed.proto") {
        Ok(compiler) => compiler.descriptor_pool(),
        Err(error) => panic!("{error}\n{proto}"),
    }
}

/// Our descriptor of a service is what a compiler makes of our text.
fn check_descriptor(service: &Service, compiled: &DescriptorPool) {
    fn decoded_like<M: prost::Message + Default>(_like: &M, bytes: &[u8]) -> M {
        M::decode(bytes).unwrap()
    }
    let file = compiled.get_file_by_name("seed.proto").unwrap();
    let mut theirs = file.file_descriptor_proto().clone();
    theirs.source_code_info = None;
    let ours = decoded_like(&theirs, &file_descriptor(service).unwrap());
    assert_eq!(format!("{ours:#?}"), format!("{theirs:#?}"));
}

fn method(pool: &DescriptorPool, name: &str) -> MethodDescriptor {
    let service = pool.get_service_by_name("wirebench.seed").unwrap();
    service.methods().find(|method| method.name() == name).unwrap()
}

/// A message whose fields are these values in order.
fn to_message<'a>(
    descriptor: &MessageDescriptor,
    fields: impl Iterator<Item = (&'a Type, &'a Value)>,
) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    for (number, (ty, value)) in (1..).zip(fields) {
        let field = descriptor.get_field(number).unwrap();
        let dynamic = match (ty, value) {
            (Type::List(item), Value::List(items)) => {
                assert!(field.is_list());
                Dynamic::List(items.iter().map(|value| to_dynamic(&field.kind(), item, value)).collect())
            }
            (ty, value) => to_dynamic(&field.kind(), ty, value),
        };
        message.set_field(&field, dynamic);
    }
    message
}

fn to_dynamic(kind: &Kind, ty: &Type, value: &Value) -> Dynamic {
    match (kind, ty, value) {
        (Kind::Bool, Type::Bool, Value::Bool(value)) => Dynamic::Bool(*value),
        (Kind::Sint64, Type::Int, Value::Int(value)) => Dynamic::I64(*value),
        (Kind::Double, Type::Float, Value::Float(value)) => Dynamic::F64(*value),
        (Kind::String, Type::Text, Value::Text(value)) => Dynamic::String(value.clone()),
        (Kind::Bytes, Type::Bytes, Value::Bytes(value)) => Dynamic::Bytes(value.clone().into()),
        (Kind::Message(descriptor), ty, value) => Dynamic::Message(match (ty, value) {
            (Type::Nil, Value::Nil) => {
                assert_eq!(descriptor.fields().count(), 0);
                DynamicMessage::new(descriptor.clone())
            }
            (Type::Time, Value::Time(seconds)) => {
                assert_eq!(descriptor.full_name(), "google.protobuf.Timestamp");
                let mut message = DynamicMessage::new(descriptor.clone());
                message.set_field_by_name("seconds", Dynamic::I64(*seconds));
                message
            }
            (Type::Struct(fields), Value::Struct(values)) => {
                let pairs = fields.iter().zip(values).map(|(field, (_, value))| (&field.ty, value));
                to_message(descriptor, pairs)
            }
            (list @ Type::List(_), value) => to_message(descriptor, std::iter::once((list, value))),
            other => panic!("{other:?}"),
        }),
        other => panic!("{other:?}"),
    }
}

fn check(descriptor: &MessageDescriptor, shape: &Shape, values: &[Value]) {
    let codec = by_name("protobuf", &Options::default()).unwrap().prepare(shape).unwrap();
    let mut ours = Vec::new();
    codec.encode(values, &mut ours).unwrap();
    let message = match (shape, values) {
        (Shape::Params(fields), values) => {
            to_message(descriptor, fields.iter().map(|field| &field.ty).zip(values))
        }
        (Shape::Result(Type::Nil), _) => DynamicMessage::new(descriptor.clone()),
        (Shape::Result(Type::Struct(fields)), [Value::Struct(values)]) => {
            let pairs = fields.iter().zip(values).map(|(field, (_, value))| (&field.ty, value));
            to_message(descriptor, pairs)
        }
        (Shape::Result(ty), values) => to_message(descriptor, values.iter().map(|value| (ty, value))),
    };
    assert_eq!(message.descriptor(), *descriptor);
    let theirs = message.encode_to_vec();
    assert_eq!(ours, theirs, "the same bytes");
    let mut read = Vec::new();
    codec.decode(&theirs, &mut read).unwrap();
    assert_eq!(read, values, "we read theirs");
    let reread = DynamicMessage::decode(descriptor.clone(), &*ours).unwrap();
    assert!(reread.unknown_fields().next().is_none(), "every field of ours is in the .proto");
    assert_eq!(reread.encode_to_vec(), theirs, "they read ours");
}

fn a_method() -> impl Strategy<Value = (Vec<Field>, Type)> {
    let params = proptest::collection::vec((IDENTIFIER, a_type(IDENTIFIER)), 0..4).prop_map(|params| {
        let mut names = std::collections::HashSet::new();
        let fresh = |(name, ty): (String, Type)| {
            names.insert(name.replace('_', "").to_lowercase()).then(|| Field::new(&name, ty))
        };
        params.into_iter().filter_map(fresh).collect()
    });
    (params, a_type(IDENTIFIER))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_bytes_are_those_that_another_implementation_writes_for_the_proto(
        (params, returns, arguments, result) in a_method().prop_flat_map(|(params, returns)| {
            let arguments = values_of(&Shape::Params(params.clone()), Range::Tame);
            let result = a_value(&returns, Range::Tame);
            (Just(params), Just(returns), arguments, result)
        }),
    ) {
        let service = service(vec![("call", params.clone(), returns.clone(), None)]);
        let pool = compile(&proto_file(&service).unwrap());
        check_descriptor(&service, &pool);
        let method = method(&pool, "call");
        check(&method.input(), &Shape::Params(params), &arguments);
        check(&method.output(), &Shape::Result(returns), &[result]);
    }
}

fn list(item: Type) -> Type {
    Type::List(Box::new(item))
}

#[test]
fn the_proto_is_what_a_hand_written_service_would_have() {
    let user = Type::Struct(vec![
        Field::new("id", Type::Int),
        Field::new("born", Type::Time),
        Field::new("matrix", list(list(Type::Float))),
    ]);
    let service = service(vec![
        ("getObj", vec![], Type::Text, None),
        ("send_obj", vec![Field::new("data", Type::Text), Field::new("none", Type::Nil)], Type::Nil, None),
        ("store", vec![Field::new("users", list(user.clone())), Field::new("blob", Type::Bytes)], user, None),
        ("feed", vec![], list(Type::Bool), Some(5)),
    ]);
    let proto = proto_file(&service).unwrap();
    let expected = r#"syntax = "proto3";

package wirebench;

import "google/protobuf/timestamp.proto";

service seed {
  rpc getObj(GetObjRequest) returns (GetObjResponse);
  rpc send_obj(SendObjRequest) returns (SendObjResponse);
  rpc store(StoreRequest) returns (StoreResponse);
  rpc feed(FeedRequest) returns (stream FeedResponse);
}

message GetObjRequest {}

message GetObjResponse {
  string value = 1;
}

message SendObjRequest {
  string data = 1;
  Nil none = 2;
}

message SendObjResponse {}

message StoreRequest {
  message Users {
    message MatrixList {
      repeated double values = 1;
    }
    sint64 id = 1;
    google.protobuf.Timestamp born = 2;
    repeated MatrixList matrix = 3;
  }
  repeated Users users = 1;
  bytes blob = 2;
}

message StoreResponse {
  message MatrixList {
    repeated double values = 1;
  }
  sint64 id = 1;
  google.protobuf.Timestamp born = 2;
  repeated MatrixList matrix = 3;
}

message FeedRequest {}

message FeedResponse {
  repeated bool value = 1;
}

// Nothing.
message Nil {}
"#;
    assert_eq!(proto, expected);
    let pool = compile(&proto);
    check_descriptor(&service, &pool);
    assert!(method(&pool, "feed").is_server_streaming());
    assert!(!method(&pool, "store").is_server_streaming());
}

#[test]
fn names_that_would_collide_are_numbered_and_still_mean_the_right_type() {
    let inner = Type::Struct(vec![Field::new("x", Type::Nil)]);
    let fields = vec![
        Field::new("Nil", inner.clone()),
        Field::new("google", Type::Time),
        Field::new("Item", inner.clone()),
        Field::new("item_list", inner),
        Field::new("items", list(list(list(Type::Text)))),
        Field::new("stream", Type::Bool),
        Field::new("GetObjRequest", Type::Int),
        Field::new("_1", Type::Struct(vec![])),
    ];
    let service = service(vec![
        ("get_obj", fields.clone(), Type::Time, None),
        ("getObj", vec![], Type::Int, None),
        ("stream", vec![], Type::Nil, None),
        ("GetObjResponse", vec![], Type::Nil, None),
    ]);
    let proto = proto_file(&service).unwrap();
    assert_eq!(proto, proto_file(&service).unwrap(), "always the same");
    let pool = compile(&proto);
    check_descriptor(&service, &pool);
    let method = method(&pool, "get_obj");
    let row = |value: Value| Value::Struct(vec![("x".into(), value)]);
    let texts = Value::List(vec![Value::Text("x".into())]);
    let arguments = [
        row(Value::Nil),
        Value::Time(5),
        row(Value::Nil),
        row(Value::Nil),
        Value::List(vec![Value::List(vec![texts, Value::List(vec![])]), Value::List(vec![])]),
        Value::Bool(true),
        Value::Int(7),
        Value::Struct(vec![]),
    ];
    check(&method.input(), &Shape::Params(fields), &arguments);
}

#[test]
fn what_no_proto_can_say_is_refused_with_its_place() {
    let refused = |methods| proto_file(&service(methods)).unwrap_err();
    let bad_field = Type::Struct(vec![Field::new("a b", Type::Int)]);
    let error = refused(vec![("call", vec![Field::new("user", list(bad_field))], Type::Nil, None)]);
    assert_eq!(error.place, "call.params.user.a b");
    assert_eq!(refused(vec![("get-obj", vec![], Type::Nil, None)]).place, "get-obj");
    assert_eq!(refused(vec![("9", vec![], Type::Nil, None)]).place, "9");
    assert_eq!(refused(vec![("a", vec![], Type::Any, None)]).place, "a.returns");
    let twice = vec![("a", vec![], Type::Nil, None), ("a", vec![], Type::Nil, None)];
    assert!(refused(twice).what.contains("two methods"));
    for name in ["aB", "ab", "a_b"] {
        let alike = vec![Field::new("a_b", Type::Int), Field::new(name, Type::Int)];
        assert_eq!(refused(vec![("a", alike, Type::Nil, None)]).place, format!("a.params.{name}"));
    }
    let mut named = service(vec![]);
    named.name = "my service".into();
    assert_eq!(proto_file(&named).unwrap_err().place, "service");
}
