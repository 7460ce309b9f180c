//! What a `.proto` says of its services, in the types of scenarios: for introspection, and for
//! scenarios to start from.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, ServiceDescriptor};

use super::plan::TIMESTAMP;
use super::scalar::Scalar;
use crate::rpc::{Field, Type, Value};

/// A service of a `.proto`.
#[derive(Debug, Clone, PartialEq)]
pub struct ProtoService {
    /// The full name, as `shop.Orders`.
    pub name: String,
    /// Its methods.
    pub methods: Vec<ProtoMethod>,
}

/// A method of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct ProtoMethod {
    /// The name.
    pub name: String,
    /// The full name of the request message.
    pub request: String,
    /// The full name of the response message.
    pub response: String,
    /// The names of all fields of the request, by their numbers.
    pub request_fields: Vec<String>,
    /// The fields of the request that a scenario can set.
    pub params: Vec<Field>,
    /// The fields of the response that a scenario can ask for.
    pub returns: Type,
    /// Whether the client streams.
    pub client_streaming: bool,
    /// Whether the server streams.
    pub server_streaming: bool,
    /// Fields that are not among them, with the reason.
    pub left_out: Vec<String>,
    /// Values that stand for a type where any other would be wrong (an enum's name), by their path.
    pub samples: Vec<(String, Value)>,
}

/// Messages within messages that are followed.
const DEPTH: usize = 4;

pub(super) fn service(service: &ServiceDescriptor) -> ProtoService {
    ProtoService {
        name: service.full_name().to_owned(),
        methods: service.methods().map(|method| describe(&method)).collect(),
    }
}

fn describe(method: &MethodDescriptor) -> ProtoMethod {
    let mut walk = Walk { reading: false, left_out: Vec::new(), samples: Vec::new(), within: Vec::new() };
    let params = walk.fields(&method.input(), "params");
    let mut request_fields: Vec<_> = method.input().fields().collect();
    request_fields.sort_by_key(FieldDescriptor::number);
    walk.reading = true;
    let returns = walk.fields(&method.output(), "returns");
    ProtoMethod {
        name: method.name().to_owned(),
        request: method.input().full_name().to_owned(),
        response: method.output().full_name().to_owned(),
        request_fields: request_fields.iter().map(|field| field.name().to_owned()).collect(),
        params,
        returns: if returns.is_empty() { Type::Nil } else { Type::Struct(returns) },
        client_streaming: method.is_client_streaming(),
        server_streaming: method.is_server_streaming(),
        left_out: walk.left_out,
        samples: walk.samples,
    }
}

struct Walk {
    reading: bool,
    left_out: Vec<String>,
    samples: Vec<(String, Value)>,
    within: Vec<String>,
}

impl Walk {
    fn fields(&mut self, message: &MessageDescriptor, path: &str) -> Vec<Field> {
        let mut fields = Vec::new();
        let mut oneofs: Vec<String> = Vec::new();
        self.within.push(message.full_name().to_owned());
        for field in message.fields() {
            let here = format!("{path}.{}", field.name());
            let oneof = field.containing_oneof().filter(|oneof| !oneof.is_synthetic());
            if let Some(oneof) = oneof {
                // One member at most can be set, and a scenario cannot know which will come back.
                if self.reading || oneofs.iter().any(|seen| seen == oneof.name()) {
                    self.left_out.push(format!("{here} (of the oneof {})", oneof.name()));
                    continue;
                }
                oneofs.push(oneof.name().to_owned());
            }
            if let Some(ty) = self.field(&field, &here) {
                fields.push(Field::new(field.name(), ty));
            }
        }
        self.within.pop();
        fields
    }

    fn field(&mut self, field: &FieldDescriptor, path: &str) -> Option<Type> {
        if field.is_map() || field.is_group() {
            self.left_out.push(format!("{path} ({})", if field.is_map() { "a map" } else { "a group" }));
            return None;
        }
        let path = if field.is_list() { format!("{path}[]") } else { path.to_owned() };
        let ty = self.kind(field, &path)?;
        Some(if field.is_list() { Type::List(Box::new(ty)) } else { ty })
    }

    fn kind(&mut self, field: &FieldDescriptor, path: &str) -> Option<Type> {
        match field.kind() {
            Kind::Enum(of) => {
                let name = of.values().last().map(|value| value.name().to_owned()).unwrap_or_default();
                self.samples.push((path.to_owned(), Value::Text(name)));
                Some(Type::Text)
            }
            Kind::Message(message) if message.full_name() == TIMESTAMP => {
                if !self.reading {
                    return Some(Type::Time);
                }
                // Servers answer with fractions of seconds, which times have not.
                self.samples.push((path.to_owned(), Value::Text("2000-01-01T00:00:00Z".into())));
                Some(Type::Text)
            }
            Kind::Message(message) => {
                let recursive = self.within.iter().any(|name| name == message.full_name());
                if recursive || self.within.len() >= DEPTH {
                    let why = if recursive { "a message within itself" } else { "nested deeply" };
                    self.left_out.push(format!("{path} ({why})"));
                    return None;
                }
                let fields = self.fields(&message, path);
                if fields.is_empty() {
                    self.left_out.push(format!("{path} (nothing in it to set)"));
                    return None;
                }
                Some(Type::Struct(fields))
            }
            kind => Scalar::of(&kind).map(Scalar::ty),
        }
    }
}
