//! What a gRPC server says about itself, as another implementation of protobuf reads it.

use super::*;
use crate::protocol::gap;
use crate::rpc::{Answer, Field, Method, ServiceMethod, Type, Value};
use crate::transport::{Carries, ReplyTo, StatusKind};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};

/// `grpc/health/v1/health.proto` without comments, options and `List`.
const HEALTH: &str = r#"
syntax = "proto3";
package grpc.health.v1;
message HealthCheckRequest { string service = 1; }
message HealthCheckResponse {
  enum ServingStatus { UNKNOWN = 0; SERVING = 1; NOT_SERVING = 2; SERVICE_UNKNOWN = 3; }
  ServingStatus status = 1;
}
service Health {
  rpc Check(HealthCheckRequest) returns (HealthCheckResponse);
  rpc Watch(HealthCheckRequest) returns (stream HealthCheckResponse);
}
"#;

/// `grpc/reflection/v1/reflection.proto` without comments and options.
const REFLECTION: &str = r#"
syntax = "proto3";
package grpc.reflection.v1;
service ServerReflection {
  rpc ServerReflectionInfo(stream ServerReflectionRequest) returns (stream ServerReflectionResponse);
}
message ServerReflectionRequest {
  string host = 1;
  oneof message_request {
    string file_by_filename = 3;
    string file_containing_symbol = 4;
    ExtensionRequest file_containing_extension = 5;
    string all_extension_numbers_of_type = 6;
    string list_services = 7;
  }
}
message ExtensionRequest { string containing_type = 1; int32 extension_number = 2; }
message ServerReflectionResponse {
  string valid_host = 1;
  ServerReflectionRequest original_request = 2;
  oneof message_response {
    FileDescriptorResponse file_descriptor_response = 4;
    ExtensionNumberResponse all_extension_numbers_response = 5;
    ListServiceResponse list_services_response = 6;
    ErrorResponse error_response = 7;
  }
}
message FileDescriptorResponse { repeated bytes file_descriptor_proto = 1; }
message ExtensionNumberResponse { string base_type_name = 1; repeated int32 extension_number = 2; }
message ListServiceResponse { repeated ServiceResponse service = 1; }
message ServiceResponse { string name = 1; }
message ErrorResponse { int32 error_code = 1; string error_message = 2; }
"#;

struct InMemory(&'static str, String);

impl protox::file::FileResolver for InMemory {
    fn open_file(&self, name: &str) -> Result<protox::file::File, protox::Error> {
        if name == self.0 {
            protox::file::File::from_source(name, &self.1)
        } else {
            Err(protox::Error::file_not_found(name))
        }
    }
}

fn compile(name: &'static str, text: &str) -> DescriptorPool {
    let mut compiler = protox::Compiler::with_file_resolver(InMemory(name, text.to_owned()));
    compiler.open_file(name).unwrap().descriptor_pool()
}

fn service() -> Service {
    let user = Type::Struct(vec![Field::new("id", Type::Int), Field::new("born", Type::Time)]);
    let method = ServiceMethod {
        method: Method { name: "store".into(), params: vec![Field::new("user", user)], returns: Type::Nil },
        answer: Answer::Value(Value::Nil),
        stream_items: None,
        delay: None,
        fail_rate: 0.0,
    };
    Service { name: "seed".into(), methods: vec![method], seed: 0 }
}

fn server(service: Service) -> Box<dyn ServerEnvelope> {
    let carries = Carries { id: true, method: true, status: true };
    envelope(gap::envelope()).server(&Context { service: Arc::new(service), carries })
}

const REPLY_TO: ReplyTo = ReplyTo { peer: 0, id: 7 };

fn ask<'a>(server: &mut dyn ServerEnvelope, path: &'a str, body: &'a [u8]) -> Asked<'a> {
    let incoming = Incoming { reply_to: REPLY_TO, path: Some(path), body, deadline_ns: None, key: None };
    server.open(incoming, 0, &mut Vec::new())
}

#[test]
fn the_files_of_grpcs_own_services_are_what_a_compiler_makes_of_them() {
    let alpha = REFLECTION.replace("grpc.reflection.v1;", "grpc.reflection.v1alpha;");
    let texts = [
        ("grpc/health/v1/health.proto", HEALTH),
        ("grpc/reflection/v1/reflection.proto", REFLECTION),
        ("grpc/reflection/v1alpha/reflection.proto", &alpha),
    ];
    for (file, (name, text)) in files::own_files().iter().zip(texts) {
        fn decoded_like<M: prost::Message + Default>(_like: &M, bytes: &[u8]) -> M {
            M::decode(bytes).unwrap()
        }
        assert_eq!(file.name, name);
        let pool = compile(name, text);
        let mut theirs = pool.get_file_by_name(name).unwrap().file_descriptor_proto().clone();
        theirs.source_code_info = None;
        assert_eq!(format!("{:#?}", decoded_like(&theirs, &file.bytes)), format!("{theirs:#?}"));
    }
}

/// Asks reflection and gives the answer as another implementation reads it.
fn reflect(server: &mut dyn ServerEnvelope, version: usize, field: &str, value: &str) -> DynamicMessage {
    let pool = compile("grpc/reflection/v1/reflection.proto", REFLECTION);
    let message = |name: &str| pool.get_message_by_name(&format!("grpc.reflection.v1.{name}")).unwrap();
    let mut request = DynamicMessage::new(message("ServerReflectionRequest"));
    request.set_field_by_name("host", prost_reflect::Value::String("here".into()));
    request.set_field_by_name(field, prost_reflect::Value::String(value.into()));
    let body = request.encode_to_vec();
    let Asked::Said { body: answer, call } = ask(server, reflection::PATHS[version], &body) else {
        panic!("{field} {value}");
    };
    assert_eq!(call.reply_to, REPLY_TO);
    let answer = DynamicMessage::decode(message("ServerReflectionResponse"), &*answer).unwrap();
    assert_eq!(answer.get_field_by_name("valid_host").unwrap().as_str(), Some("here"));
    assert_eq!(answer.get_field_by_name("original_request").unwrap().as_message(), Some(&request));
    answer
}

fn part(message: &DynamicMessage, field: &str) -> DynamicMessage {
    message.get_field_by_name(field).unwrap().as_message().unwrap().clone()
}

fn error_code(answer: &DynamicMessage) -> Option<i32> {
    part(answer, "error_response").get_field_by_name("error_code").unwrap().as_i32()
}

#[test]
fn services_are_listed_and_every_file_is_found_by_name_and_symbol() {
    for version in [0, 1] {
        let server = &mut *server(service());
        let list = part(&reflect(server, version, "list_services", "*"), "list_services_response");
        let mut names = Vec::new();
        for service in list.get_field_by_name("service").unwrap().as_list().unwrap() {
            let name = service.as_message().unwrap().get_field_by_name("name").unwrap();
            names.push(name.as_str().unwrap().to_owned());
        }
        assert_eq!(names[0], "wirebench.seed");
        assert_eq!(names[1..], files::OWN_SERVICES);
        let mut pool = DescriptorPool::new();
        let symbols =
            ["wirebench.seed.store", "wirebench.StoreRequest.User.born", "google.protobuf.Timestamp"];
        for symbol in names.iter().map(String::as_str).chain(symbols) {
            let answer = reflect(server, version, "file_containing_symbol", symbol);
            let files = part(&answer, "file_descriptor_response");
            let files = files.get_field_by_name("file_descriptor_proto").unwrap();
            // A file comes before what it imports.
            for file in files.as_list().unwrap().iter().rev() {
                pool.decode_file_descriptor_proto(&**file.as_bytes().unwrap()).unwrap();
            }
        }
        for name in &names {
            assert!(pool.get_service_by_name(name).is_some(), "{name}");
        }
        for file in pool.files() {
            let answer = reflect(server, version, "file_by_filename", file.name());
            part(&answer, "file_descriptor_response");
            assert_eq!(error_code(&answer), Some(0), "no error");
        }
        let store = pool.get_service_by_name("wirebench.seed").unwrap().methods().next().unwrap();
        assert_eq!(store.input().full_name(), "wirebench.StoreRequest");
    }
}

#[test]
fn what_is_not_there_is_an_error_message_and_the_conversation_goes_on() {
    let server = &mut *server(service());
    for (field, value) in [
        ("file_by_filename", "nope.proto"),
        ("file_containing_symbol", "nope"),
        ("all_extension_numbers_of_type", "nope"),
    ] {
        assert_eq!(error_code(&reflect(server, 0, field, value)), Some(5), "{field}");
    }
    let answer = reflect(server, 0, "all_extension_numbers_of_type", "wirebench.StoreRequest");
    let numbers = part(&answer, "all_extension_numbers_response");
    assert_eq!(numbers.get_field_by_name("base_type_name").unwrap().as_str(), Some("wirebench.StoreRequest"));
}

#[test]
fn a_service_that_no_proto_can_describe_is_listed_and_says_why() {
    let mut service = service();
    service.methods[0].method.name = "get-obj".into();
    let answer = reflect(&mut *server(service), 0, "file_containing_symbol", "wirebench.seed");
    let error = part(&answer, "error_response");
    let message = error.get_field_by_name("error_message").unwrap();
    assert!(message.as_str().unwrap().contains("get-obj"), "{message:?}");
}

#[test]
fn damaged_requests_end_the_call_with_a_status() {
    let server = &mut *server(service());
    for path in [reflection::PATHS[0], health::CHECK, health::WATCH] {
        for body in [&b"\x0a\x05ab"[..], b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x0a\x01\xff"] {
            let asked = ask(server, path, body);
            let Asked::Refused { status, .. } = asked else { panic!("{path} {body:?}: {asked:?}") };
            assert_eq!(status.kind, StatusKind::BadArguments);
        }
    }
    let asked = ask(server, "/grpc.health.v1.Health/Nope", b"");
    assert!(matches!(&asked, Asked::Refused { status, .. } if status.kind == StatusKind::UnknownMethod));
}

#[test]
fn health_is_told_for_the_server_and_its_service() {
    let server = &mut *server(service());
    let serving = vec![0x08, 1];
    for request in [&b""[..], b"\x0a\x0ewirebench.seed"] {
        let asked = ask(server, health::CHECK, request);
        assert!(matches!(&asked, Asked::Answered { body, .. } if *body == serving), "{asked:?}");
        let asked = ask(server, health::WATCH, request);
        assert!(matches!(&asked, Asked::Said { body, .. } if *body == serving), "{asked:?}");
    }
    let Asked::Refused { status, .. } = ask(server, health::CHECK, b"\x0a\x04nope") else { panic!() };
    assert_eq!(status.code, Some(5));
    let asked = ask(server, health::WATCH, b"\x0a\x04nope");
    assert!(matches!(&asked, Asked::Said { body, .. } if *body == [0x08, 3]), "{asked:?}");
}

#[test]
fn a_fault_has_the_name_of_its_status() {
    let carries = Carries { id: true, method: true, status: true };
    let client = envelope(gap::envelope()).client(&Context { service: Arc::new(service()), carries });
    let fault = |code| client.fault_of(&Status { kind: StatusKind::Other, code, message: "m".into() });
    assert_eq!(fault(Some(14)).name, "UNAVAILABLE");
    assert_eq!((fault(Some(14)).code, &*fault(Some(14)).message), (Some(14), "m"));
    assert_eq!(fault(Some(99)).name, "status 99");
}
