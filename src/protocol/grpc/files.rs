//! The files that describe a server's services: its own, and those of gRPC itself.

use crate::codec::Unsupported;
use crate::codec::protobuf::descriptor::{self, TIMESTAMP, TIMESTAMP_FILE};
use crate::codec::protobuf::schema::{File, Kind, Message, MessageField, Rpc};
use crate::rpc::Service;

/// The services that every server has.
pub(super) const OWN_SERVICES: [&str; 3] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

/// A file as it is told.
pub(super) struct DescribedFile {
    pub(super) name: String,
    pub(super) imports: Vec<&'static str>,
    /// The full names of its services, methods, messages and fields.
    pub(super) symbols: Vec<String>,
    /// Its `FileDescriptorProto`.
    pub(super) bytes: Vec<u8>,
}

/// The file of a service, and what it imports.
pub(super) fn service_files(service: &Service) -> Result<Vec<DescribedFile>, Unsupported> {
    let timestamp = "google.protobuf.Timestamp";
    let imported = DescribedFile {
        name: TIMESTAMP_FILE.into(),
        imports: Vec::new(),
        symbols: [timestamp.into()].into_iter().chain(fields_of(timestamp, &["seconds", "nanos"])).collect(),
        bytes: TIMESTAMP.to_vec(),
    };
    let file = File::of(service)?;
    let uses_timestamp = !file.imports.is_empty();
    Ok([described(file)].into_iter().chain(uses_timestamp.then_some(imported)).collect())
}

/// The files of the services that every server has.
pub(super) fn own_files() -> Vec<DescribedFile> {
    [health(), reflection("v1"), reflection("v1alpha")].map(described).into()
}

fn fields_of<'a>(message: &'a str, fields: &'a [&str]) -> impl Iterator<Item = String> + use<'a> {
    fields.iter().map(move |field| format!("{message}.{field}"))
}

fn described(file: File) -> DescribedFile {
    let mut symbols = Vec::new();
    let service = format!("{}.{}", file.package, file.service);
    symbols.extend(file.rpcs.iter().map(|rpc| format!("{service}.{}", rpc.name)));
    symbols.push(service);
    for message in &file.messages {
        add_symbols(message, &file.package, &mut symbols);
    }
    DescribedFile { bytes: descriptor::encode(&file), name: file.name, imports: file.imports, symbols }
}

fn add_symbols(message: &Message, outer: &str, symbols: &mut Vec<String>) {
    let path = format!("{outer}.{}", message.name);
    symbols.extend(message.fields.iter().map(|field| format!("{path}.{}", field.name)));
    if let Some((name, values)) = message.choice {
        symbols.push(format!("{path}.{name}"));
        // An enum's values stand beside it.
        symbols.extend(fields_of(&path, values));
    }
    for nested in &message.nested {
        add_symbols(nested, &path, symbols);
    }
    symbols.push(path);
}

/// <https://github.com/grpc/grpc-proto/blob/master/grpc/health/v1/health.proto>, without `List`.
fn health() -> File {
    let request = Message::new("HealthCheckRequest", vec![field("service", 1, Kind::String)]);
    let mut response = Message::new("HealthCheckResponse", vec![field("status", 1, Kind::Choice)]);
    response.choice = Some(("ServingStatus", &["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"]));
    let rpc = |name: &str, streams_responses| Rpc {
        name: name.into(),
        request: "HealthCheckRequest".into(),
        response: "HealthCheckResponse".into(),
        streams_requests: false,
        streams_responses,
    };
    file(
        "grpc.health.v1",
        "health",
        "Health",
        vec![rpc("Check", false), rpc("Watch", true)],
        vec![request, response],
    )
}

/// <https://github.com/grpc/grpc-proto/blob/master/grpc/reflection/v1/reflection.proto>.
fn reflection(version: &str) -> File {
    let message = |name: &str| Kind::Message(name.to_owned());
    let one_of = |name: &str, number, kind| MessageField { in_oneof: true, ..field(name, number, kind) };
    let repeated = |name: &str, number, kind| MessageField { repeated: true, ..field(name, number, kind) };
    let mut request = Message::new(
        "ServerReflectionRequest",
        vec![
            field("host", 1, Kind::String),
            one_of("file_by_filename", 3, Kind::String),
            one_of("file_containing_symbol", 4, Kind::String),
            one_of("file_containing_extension", 5, message("ExtensionRequest")),
            one_of("all_extension_numbers_of_type", 6, Kind::String),
            one_of("list_services", 7, Kind::String),
        ],
    );
    request.oneof = Some("message_request");
    let extension = Message::new(
        "ExtensionRequest",
        vec![field("containing_type", 1, Kind::String), field("extension_number", 2, Kind::Int32)],
    );
    let mut response = Message::new(
        "ServerReflectionResponse",
        vec![
            field("valid_host", 1, Kind::String),
            field("original_request", 2, message("ServerReflectionRequest")),
            one_of("file_descriptor_response", 4, message("FileDescriptorResponse")),
            one_of("all_extension_numbers_response", 5, message("ExtensionNumberResponse")),
            one_of("list_services_response", 6, message("ListServiceResponse")),
            one_of("error_response", 7, message("ErrorResponse")),
        ],
    );
    response.oneof = Some("message_response");
    let messages = vec![
        request,
        extension,
        response,
        Message::new("FileDescriptorResponse", vec![repeated("file_descriptor_proto", 1, Kind::Bytes)]),
        Message::new(
            "ExtensionNumberResponse",
            vec![field("base_type_name", 1, Kind::String), repeated("extension_number", 2, Kind::Int32)],
        ),
        Message::new("ListServiceResponse", vec![repeated("service", 1, message("ServiceResponse"))]),
        Message::new("ServiceResponse", vec![field("name", 1, Kind::String)]),
        Message::new(
            "ErrorResponse",
            vec![field("error_code", 1, Kind::Int32), field("error_message", 2, Kind::String)],
        ),
    ];
    let rpc = Rpc {
        name: "ServerReflectionInfo".into(),
        request: "ServerReflectionRequest".into(),
        response: "ServerReflectionResponse".into(),
        streams_requests: true,
        streams_responses: true,
    };
    file(&format!("grpc.reflection.{version}"), "reflection", "ServerReflection", vec![rpc], messages)
}

fn file(package: &str, stem: &str, service: &str, rpcs: Vec<Rpc>, messages: Vec<Message>) -> File {
    let name = format!("{}/{stem}.proto", package.replace('.', "/"));
    File::new(name, package, service, rpcs, messages)
}

fn field(name: &str, number: i32, kind: Kind) -> MessageField {
    MessageField { name: name.into(), number, repeated: false, kind, in_oneof: false }
}
