//! gRPC server reflection, the client's end: which services a server offers, and their messages.
//!
//! Wire: `grpc/reflection/v1/reflection.proto` of <https://github.com/grpc/grpc-proto>, and the same
//! messages under `v1alpha`, which older servers have. The one method streams both ways; here every
//! stream has one request, which any server answers.
//!
//! May import the traits of this module, the protobuf schema of `codec`, and `rpc`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use prost::Message as _;
use prost_reflect::DescriptorPool;
use prost_reflect::prost_types::FileDescriptorProto;

use super::offer::{Asker, MAX_METHODS, Offer, OfferedMethod, one_method};
use super::{Protocol, Reach};
use crate::codec::{
    Codec, DecodeError, EncodeError, ProtoMethod, ProtoSchema, Shape, ShapeCodec, Unsupported,
};
use crate::rpc::{CallError, Fault, FaultKind, Field, Type, Value};

const METHOD: &str = "ServerReflectionInfo";

/// The services, the newer first.
const SERVICES: [&str; 2] =
    ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];

/// The prefix of the services that tell about a server itself.
const OWN: &str = "grpc.reflection.";

/// The most files that a server is asked for.
const MAX_FILES: usize = 2_000;

#[derive(Clone, PartialEq, prost::Message)]
struct Request {
    #[prost(oneof = "Question", tags = "3, 4, 7")]
    question: Option<Question>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Question {
    #[prost(string, tag = "3")]
    FileByName(String),
    #[prost(string, tag = "4")]
    FileContainingSymbol(String),
    #[prost(string, tag = "7")]
    ListServices(String),
}

#[derive(Clone, PartialEq, prost::Message)]
struct Response {
    #[prost(message, optional, tag = "4")]
    files: Option<Files>,
    #[prost(message, optional, tag = "6")]
    services: Option<Services>,
    #[prost(message, optional, tag = "7")]
    error: Option<Refusal>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Files {
    #[prost(bytes = "vec", repeated, tag = "1")]
    descriptors: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Services {
    #[prost(message, repeated, tag = "1")]
    services: Vec<ServiceName>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ServiceName {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Refusal {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// Asks a server what it offers.
pub(super) fn introspect(asker: &Asker<'_>) -> Result<Offer, CallError> {
    let schema = reflect(asker)?;
    let methods = schema.services().into_iter().flat_map(|service| {
        let name = service.name;
        service.methods.into_iter().map(move |method| offered(&name, method))
    });
    Ok(Offer {
        name: None,
        methods: methods.take(MAX_METHODS).collect(),
        descriptors: Some(schema.to_bytes()),
        notes: Vec::new(),
    })
}

fn offered(service: &str, method: ProtoMethod) -> OfferedMethod {
    let mut help = format!("takes {}, answers {}", method.request, method.response);
    if !method.left_out.is_empty() {
        help.push_str(&format!("\nleft out: {}", method.left_out.join(", ")));
    }
    OfferedMethod {
        name: method.name,
        service: Some(service.to_owned()),
        params: Some(method.params),
        returns: method.returns,
        streams: method.server_streaming,
        obstacle: method.client_streaming.then(|| "the client streams".into()),
        samples: method.samples,
        help,
    }
}

/// Collects the descriptors of every service of a server.
///
/// # Errors
/// Any [`CallError`]; UNIMPLEMENTED where the server has no reflection.
pub fn reflect(asker: &Asker<'_>) -> Result<ProtoSchema, CallError> {
    let version = match listed(asker, SERVICES[0]) {
        Err(CallError::Remote(fault)) if fault.kind == FaultKind::UnknownMethod => SERVICES[1],
        first => return collect(asker, SERVICES[0], first?),
    };
    let names = listed(asker, version)?;
    collect(asker, version, names)
}

fn listed(asker: &Asker<'_>, version: &str) -> Result<Vec<String>, CallError> {
    let response = ask(asker, version, Question::ListServices(String::new()))?;
    let services = response.services.unwrap_or_default().services;
    Ok(services.into_iter().map(|service| service.name).filter(|name| !name.starts_with(OWN)).collect())
}

fn collect(asker: &Asker<'_>, version: &str, services: Vec<String>) -> Result<ProtoSchema, CallError> {
    let broken = |reason: String| CallError::Protocol { reason };
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut wanted: BTreeSet<String> = BTreeSet::new();
    for service in services {
        take(ask(asker, version, Question::FileContainingSymbol(service))?, &mut files, &mut wanted)?;
    }
    while let Some(name) = wanted.pop_first() {
        if files.contains_key(&name) {
            continue;
        }
        if files.len() >= MAX_FILES {
            return Err(broken(format!("the server's services need more than {MAX_FILES} files")));
        }
        match ask(asker, version, Question::FileByName(name.clone())) {
            Ok(response) => take(response, &mut files, &mut wanted)?,
            // Some servers leave out what every protobuf has.
            Err(error) => match DescriptorPool::global().get_file_by_name(&name) {
                Some(file) => drop(files.insert(name.clone(), file.encode_to_vec())),
                None => return Err(error),
            },
        }
        if !files.contains_key(&name) {
            return Err(broken(format!("asked for {name}, the server sent another file")));
        }
    }
    let files: Vec<Vec<u8>> = files.into_values().collect();
    ProtoSchema::from_files(&files).map_err(|error| broken(error.to_string()))
}

/// Keeps the files of a response and notes the imports that are still missing.
fn take(
    response: Response,
    files: &mut BTreeMap<String, Vec<u8>>,
    wanted: &mut BTreeSet<String>,
) -> Result<(), CallError> {
    for bytes in response.files.unwrap_or_default().descriptors {
        let file = FileDescriptorProto::decode(&bytes[..]).map_err(|error| CallError::Protocol {
            reason: format!("a file descriptor that cannot be read: {error}"),
        })?;
        wanted.extend(file.dependency.iter().filter(|name| !files.contains_key(*name)).cloned());
        files.insert(file.name().to_owned(), bytes);
    }
    Ok(())
}

fn ask(asker: &Asker<'_>, version: &str, question: Question) -> Result<Response, CallError> {
    let broken = |reason: String| CallError::Protocol { reason };
    let reach = Reach { service: Some(version.to_owned()), ..asker.protocol.reach.clone() };
    let protocol = Protocol { codec: Arc::new(Raw), reach, ..asker.protocol.clone() };
    let service = one_method(METHOD, vec![Field::new("request", Type::Bytes)], Type::Bytes, Some(1));
    let request = Request { question: Some(question) }.encode_to_vec();
    let mut answer = None;
    asker.call(&protocol, &service, &[Value::Bytes(request)], &mut |item| {
        if let (Value::Bytes(bytes), None) = (item, &answer) {
            answer = Some(Response::decode(&bytes[..]));
        }
    })?;
    let answer = answer.ok_or_else(|| broken("server reflection answered nothing".into()))?;
    let response =
        answer.map_err(|error| broken(format!("a reflection answer that cannot be read: {error}")))?;
    match response.error {
        None => Ok(response),
        Some(Refusal { code, message }) => Err(CallError::Remote(Fault {
            code: Some(code.into()),
            ..Fault::new(FaultKind::Application, message)
        })),
    }
}

/// Bytes as they are.
#[derive(Debug)]
struct Raw;

impl Codec for Raw {
    fn name(&self) -> &'static str {
        "raw"
    }

    fn media_type(&self) -> &'static str {
        "application/octet-stream"
    }

    fn prepare(&self, _shape: &Shape) -> Result<Box<dyn ShapeCodec>, Unsupported> {
        Ok(Box::new(Raw))
    }
}

impl ShapeCodec for Raw {
    fn encode(&self, values: &[Value], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        for value in values {
            let Value::Bytes(bytes) = value else {
                let found = value.type_name().to_owned();
                return Err(EncodeError::Type { expected: "bytes".into(), found });
            };
            out.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn decode(&self, bytes: &[u8], values: &mut Vec<Value>) -> Result<(), DecodeError> {
        values.push(Value::Bytes(bytes.to_vec()));
        Ok(())
    }
}
