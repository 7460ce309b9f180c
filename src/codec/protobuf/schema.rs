//! The `.proto` of a service: what a hand-written service would have, and what the codec's bytes
//! conform to.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::{NAME, Protobuf};
use crate::codec::{Codec as _, Shape, Unsupported};
use crate::rpc::{Field, Method, Service, Type};

/// Writes the `.proto` (proto3) of a service in the package `wirebench`.
///
/// Messages are named after their methods (`GetObjRequest`, `GetObjResponse`) and fields; where two
/// names would be the same, the later one gets a number, always the same one for the same service.
///
/// # Errors
/// A type that the codec cannot carry, a name that is no protobuf identifier, or two fields of one
/// message that protobuf would not tell apart.
pub fn proto_file(service: &Service) -> Result<String, Unsupported> {
    check_service(service)?;
    let mut writer = Writer::new(service);
    let mut rpcs = String::new();
    let mut messages = String::new();
    for offered in &service.methods {
        let Method { name, params, returns } = &offered.method;
        let base = upper_camel(name);
        let request = writer.top_level(&format!("{base}Request"));
        let response = writer.top_level(&format!("{base}Response"));
        let stream = if offered.stream_items.is_some() { "stream " } else { "" };
        // Writing into a String cannot fail, here and below.
        let _ = writeln!(rpcs, "  rpc {name}({request}) returns ({stream}{response});");
        let params: Vec<_> = params.iter().map(|field| (&*field.name, &field.ty)).collect();
        let results: Vec<_> = match returns {
            Type::Nil => Vec::new(),
            Type::Struct(fields) => fields.iter().map(|field| (&*field.name, &field.ty)).collect(),
            returns => vec![("value", returns)],
        };
        for (name, fields) in [(request, params), (response, results)] {
            messages.push('\n');
            writer.message(&name, &fields, 0, &HashSet::new(), &mut messages);
        }
    }
    let mut file = String::from("syntax = \"proto3\";\n\npackage wirebench;\n\n");
    if writer.uses_timestamp {
        file.push_str("import \"google/protobuf/timestamp.proto\";\n\n");
    }
    let _ = write!(file, "service {} {{\n{rpcs}}}\n{messages}", service.name);
    if writer.uses_nil {
        let _ = write!(file, "\n// Nothing.\nmessage {} {{}}\n", writer.nil);
    }
    Ok(file)
}

struct Writer {
    /// Names that no message may take: those of fields, methods and top-level messages. Protobuf
    /// resolves names from the innermost scope outwards, and fields have names there too.
    taken: HashSet<String>,
    nil: String,
    uses_nil: bool,
    timestamp: &'static str,
    uses_timestamp: bool,
}

impl Writer {
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
        let mut writer =
            Self { taken, nil: String::new(), uses_nil: false, timestamp, uses_timestamp: false };
        writer.nil = writer.top_level("Nil");
        writer
    }

    fn top_level(&mut self, base: &str) -> String {
        let name = unique(base, |name| self.taken.contains(name));
        self.taken.insert(name.clone());
        name
    }

    /// Writes a message with the messages of its fields inside it.
    fn message(
        &mut self,
        name: &str,
        fields: &[(&str, &Type)],
        level: usize,
        enclosing: &HashSet<String>,
        out: &mut String,
    ) {
        let indent = "  ".repeat(level);
        if fields.is_empty() {
            let _ = writeln!(out, "{indent}message {name} {{}}");
            return;
        }
        let mut scope = enclosing.clone();
        scope.insert(name.to_owned());
        let (mut nested, mut own) = (String::new(), String::new());
        for (number, (field, ty)) in (1..).zip(fields) {
            let (repeated, item) = match ty {
                Type::List(item) => ("repeated ", &**item),
                ty => ("", *ty),
            };
            let ty = self.type_name(field, item, level + 1, &mut scope, &mut nested);
            let _ = writeln!(own, "{indent}  {repeated}{ty} {field} = {number};");
        }
        let _ = writeln!(out, "{indent}message {name} {{\n{nested}{own}{indent}}}");
    }

    /// The name of a type that stands once, or of the items of a list.
    fn type_name(
        &mut self,
        field: &str,
        ty: &Type,
        level: usize,
        scope: &mut HashSet<String>,
        nested: &mut String,
    ) -> String {
        let (base, fields): (_, Vec<_>) = match ty {
            Type::Nil | Type::Any => {
                self.uses_nil = true;
                return self.nil.clone();
            }
            Type::Bool => return "bool".into(),
            Type::Int => return "sint64".into(),
            Type::Float => return "double".into(),
            Type::Text => return "string".into(),
            Type::Bytes => return "bytes".into(),
            Type::Time => {
                self.uses_timestamp = true;
                return self.timestamp.into();
            }
            Type::Struct(fields) => {
                (upper_camel(field), fields.iter().map(|field| (&*field.name, &field.ty)).collect())
            }
            list @ Type::List(_) => (format!("{}List", upper_camel(field)), vec![("values", list)]),
        };
        let name = unique(&base, |name| self.taken.contains(name) || scope.contains(name));
        scope.insert(name.clone());
        self.message(&name, &fields, level, scope, nested);
        name
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
