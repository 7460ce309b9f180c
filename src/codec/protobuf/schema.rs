//! A service as a protobuf file: its messages with their names, as a hand-written service would have
//! them, and what the codec's bytes conform to. `text` writes it as a `.proto`, `descriptor` as what a
//! compiler would make of that.

use std::collections::HashSet;

use super::{NAME, Protobuf};
use crate::codec::{Codec as _, Shape, Unsupported};
use crate::rpc::{Field, Method, Service, Type};

/// The package of every service.
const PACKAGE: &str = "wirebench";

/// A protobuf file with one service.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) package: String,
    pub(crate) imports: Vec<&'static str>,
    pub(crate) service: String,
    pub(crate) rpcs: Vec<Rpc>,
    pub(crate) messages: Vec<Message>,
    /// How the text names the type of times.
    pub(super) timestamp: &'static str,
    /// The message that nil is, where it is used; it is among the messages, too.
    pub(super) nil: Option<String>,
}

/// A method.
#[derive(Debug)]
pub(crate) struct Rpc {
    pub(crate) name: String,
    /// Names of top-level messages.
    pub(crate) request: String,
    pub(crate) response: String,
    pub(crate) streams_requests: bool,
    pub(crate) streams_responses: bool,
}

/// A message. Fields are numbered as they say.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) name: String,
    pub(crate) fields: Vec<MessageField>,
    pub(crate) nested: Vec<Message>,
    /// An enum inside the message: its name and its values from 0.
    pub(crate) choice: Option<(&'static str, &'static [&'static str])>,
    /// The name of the oneof of the fields that are in it.
    pub(crate) oneof: Option<&'static str>,
}

/// A field.
#[derive(Debug)]
pub(crate) struct MessageField {
    pub(crate) name: String,
    pub(crate) number: i32,
    pub(crate) repeated: bool,
    pub(crate) kind: Kind,
    pub(crate) in_oneof: bool,
}

/// A field's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Int32,
    Sint64,
    Double,
    String,
    Bytes,
    Timestamp,
    /// A message of the file by its path: `FeedRequest.User`.
    Message(String),
    /// The message's own enum.
    Choice,
}

impl File {
    /// The file of a service.
    ///
    /// Messages are named after their methods (`GetObjRequest`, `GetObjResponse`) and fields; where two
    /// names would be the same, the later one gets a number, always the same one for the same service.
    ///
    /// # Errors
    /// A type that the codec cannot carry, a name that is no protobuf identifier, or two fields of one
    /// message that protobuf would not tell apart.
    pub(crate) fn of(service: &Service) -> Result<Self, Unsupported> {
        check_service(service)?;
        let mut namer = Namer::new(service);
        let mut rpcs = Vec::new();
        let mut messages = Vec::new();
        for offered in &service.methods {
            let Method { name, params, returns } = &offered.method;
            let base = upper_camel(name);
            let request = namer.top_level(&format!("{base}Request"));
            let response = namer.top_level(&format!("{base}Response"));
            let params: Vec<_> = params.iter().map(|field| (&*field.name, &field.ty)).collect();
            let results: Vec<_> = match returns {
                Type::Nil => Vec::new(),
                Type::Struct(fields) => fields.iter().map(|field| (&*field.name, &field.ty)).collect(),
                returns => vec![("value", returns)],
            };
            for (name, fields) in [(&request, params), (&response, results)] {
                messages.push(namer.message(name, "", &fields, &HashSet::new()));
            }
            rpcs.push(Rpc {
                name: name.to_string(),
                request,
                response,
                streams_requests: false,
                streams_responses: offered.stream_items.is_some(),
            });
        }
        let nil = namer.uses_nil.then_some(namer.nil);
        messages.extend(nil.iter().map(|name| Message::new(name, Vec::new())));
        let name = format!("{}.proto", service.name);
        let mut file = Self::new(name, PACKAGE, &service.name, rpcs, messages);
        if namer.uses_timestamp {
            file.imports.push(super::descriptor::TIMESTAMP_FILE);
        }
        (file.timestamp, file.nil) = (namer.timestamp, nil);
        Ok(file)
    }

    /// A file of parts that need no other file.
    pub(crate) fn new(
        name: String,
        package: &str,
        service: &str,
        rpcs: Vec<Rpc>,
        messages: Vec<Message>,
    ) -> Self {
        let (package, service) = (package.to_owned(), service.to_owned());
        Self { name, package, imports: Vec::new(), service, rpcs, messages, timestamp: "", nil: None }
    }
}

impl Message {
    pub(crate) fn new(name: &str, fields: Vec<MessageField>) -> Self {
        Self { name: name.to_owned(), fields, nested: Vec::new(), choice: None, oneof: None }
    }
}

/// Finds names for messages.
struct Namer {
    /// Names that no message may take: those of fields, methods and top-level messages. Protobuf
    /// resolves names from the innermost scope outwards, and fields have names there too.
    taken: HashSet<String>,
    nil: String,
    uses_nil: bool,
    timestamp: &'static str,
    uses_timestamp: bool,
}

impl Namer {
    fn new(service: &Service) -> Self {
        let mut taken = HashSet::from([service.name.clone()]);
        for offered in &service.methods {
            taken.insert(offered.method.name.to_string());
            take_names(&offered.method.params, &mut taken);
            if let Type::Struct(fields) = &offered.method.returns {
                take_names(fields, &mut taken);
            } else {
                take_type_names(&offered.method.returns, &mut taken);
            }
        }
        // The leading dot is needed only where `google` would be found nearer.
        let timestamp =
            if taken.contains("google") { ".google.protobuf.Timestamp" } else { "google.protobuf.Timestamp" };
        let mut namer = Self { taken, nil: String::new(), uses_nil: false, timestamp, uses_timestamp: false };
        namer.nil = namer.top_level("Nil");
        namer
    }

    fn top_level(&mut self, base: &str) -> String {
        let name = unique(base, |name| self.taken.contains(name));
        self.taken.insert(name.clone());
        name
    }

    /// A message with the messages of its fields inside it. `outer` is the path of what it stands in.
    fn message(
        &mut self,
        name: &str,
        outer: &str,
        fields: &[(&str, &Type)],
        enclosing: &HashSet<String>,
    ) -> Message {
        let path = if outer.is_empty() { name.to_owned() } else { format!("{outer}.{name}") };
        let mut scope = enclosing.clone();
        scope.insert(name.to_owned());
        let mut message = Message::new(name, Vec::with_capacity(fields.len()));
        for (number, (field, ty)) in (1..).zip(fields) {
            let (repeated, item) = match ty {
                Type::List(item) => (true, &**item),
                ty => (false, *ty),
            };
            let kind = self.kind(field, item, &path, &mut scope, &mut message.nested);
            let name = (*field).to_owned();
            message.fields.push(MessageField { name, number, repeated, kind, in_oneof: false });
        }
        message
    }

    /// A type that stands once, or that of the items of a list.
    fn kind(
        &mut self,
        field: &str,
        ty: &Type,
        path: &str,
        scope: &mut HashSet<String>,
        nested: &mut Vec<Message>,
    ) -> Kind {
        let (base, fields): (_, Vec<_>) = match ty {
            Type::Nil | Type::Any => {
                self.uses_nil = true;
                return Kind::Message(self.nil.clone());
            }
            Type::Bool => return Kind::Bool,
            Type::Int => return Kind::Sint64,
            Type::Float => return Kind::Double,
            Type::Text => return Kind::String,
            Type::Bytes => return Kind::Bytes,
            Type::Time => {
                self.uses_timestamp = true;
                return Kind::Timestamp;
            }
            Type::Struct(fields) => {
                (upper_camel(field), fields.iter().map(|field| (&*field.name, &field.ty)).collect())
            }
            list @ Type::List(_) => (format!("{}List", upper_camel(field)), vec![("values", list)]),
        };
        let name = unique(&base, |name| self.taken.contains(name) || scope.contains(name));
        scope.insert(name.clone());
        nested.push(self.message(&name, path, &fields, scope));
        Kind::Message(format!("{path}.{name}"))
    }
}

fn unique(base: &str, taken: impl Fn(&str) -> bool) -> String {
    let numbered = |number: u64| if number == 1 { base.to_owned() } else { format!("{base}{number}") };
    (1..).map(numbered).find(|name| !taken(name)).unwrap_or_else(|| base.to_owned())
}

fn take_names(fields: &[Field], taken: &mut HashSet<String>) {
    for field in fields {
        taken.insert(field.name.to_string());
        take_type_names(&field.ty, taken);
    }
}

fn take_type_names(ty: &Type, taken: &mut HashSet<String>) {
    match ty {
        Type::List(item) => take_type_names(item, taken),
        Type::Struct(fields) => take_names(fields, taken),
        _ => {}
    }
}

/// `get_obj` and `getObj` as `GetObj`.
fn upper_camel(name: &str) -> String {
    let camel: String = name
        .split('_')
        .flat_map(|word| {
            let mut characters = word.chars();
            characters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(characters)
        })
        .collect();
    if camel.starts_with(|first: char| first.is_ascii_alphabetic()) { camel } else { format!("M{camel}") }
}

/// What protobuf compilers compare the fields of a message by, for the sake of its JSON: older ones
/// without underscores and case, newer ones without underscores.
fn folded(name: &str) -> String {
    name.chars().filter(|character| *character != '_').map(|c| c.to_ascii_lowercase()).collect()
}

fn check_service(service: &Service) -> Result<(), Unsupported> {
    check_identifier(&service.name, "the service's name", "service")?;
    let mut methods = HashSet::new();
    for offered in &service.methods {
        let Method { name, params, returns } = &offered.method;
        check_identifier(name, "the method's name", name)?;
        if !methods.insert(&**name) {
            return Err(refused(format!("two methods named {name:?}"), name));
        }
        let at_method =
            |error: Unsupported| Unsupported { place: format!("{name}.{}", error.place), ..error };
        Protobuf.prepare(&Shape::Params(params.clone())).map_err(at_method)?;
        Protobuf.prepare(&Shape::Result(returns.clone())).map_err(at_method)?;
        check_fields(params, &format!("{name}.params"))?;
        check_type(returns, &format!("{name}.returns"))?;
    }
    Ok(())
}

fn check_fields(fields: &[Field], place: &str) -> Result<(), Unsupported> {
    let mut names = HashSet::new();
    for field in fields {
        let place = format!("{place}.{}", field.name);
        check_identifier(&field.name, "the field name", &place)?;
        if !names.insert(folded(&field.name)) {
            let what = format!("{:?} beside a field that differs in underscores and case alone", field.name);
            return Err(refused(what, &place));
        }
        check_type(&field.ty, &place)?;
    }
    Ok(())
}

fn check_type(ty: &Type, place: &str) -> Result<(), Unsupported> {
    match ty {
        Type::List(item) => check_type(item, place),
        Type::Struct(fields) => check_fields(fields, place),
        _ => Ok(()),
    }
}

fn check_identifier(name: &str, what: &str, place: &str) -> Result<(), Unsupported> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let starts_well = name.bytes().next().is_some_and(|first| !first.is_ascii_digit());
    if starts_well && name.bytes().all(is_word) {
        Ok(())
    } else {
        Err(refused(format!("{what} {name:?}, which is no protobuf identifier (letters, digits, _)"), place))
    }
}

fn refused(what: String, place: &str) -> Unsupported {
    Unsupported { codec: NAME, what, place: place.to_owned() }
}
