//! What is worked out once of a method's messages and the scenario's types.

use std::collections::HashMap;
use std::sync::Arc;

use prost_reflect::{Cardinality, EnumDescriptor, FieldDescriptor, Kind as ProtoKind, MessageDescriptor};

use super::scalar::Scalar;
use crate::codec::protobuf::NAME;
use crate::codec::{MAX_DEPTH, Unsupported};
use crate::rpc::{Field as TypeField, Type, Value};

/// How the values of a shape are laid out in its message, which is the first of `messages`.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) root: Root,
    pub(super) messages: Vec<Message>,
    /// The message's place.
    pub(super) top: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    /// The values are the message's fields.
    Fields,
    /// The one value is the message.
    Message,
    /// Nothing is written or looked at; the one value, if there is one, is nil.
    Nothing,
}

#[derive(Debug)]
pub(super) struct Message {
    pub(super) name: Arc<str>,
    /// In the order of the values.
    pub(super) fields: Vec<Field>,
    /// Positions by field number, sorted.
    by_tag: Vec<(u32, usize)>,
    /// Whether all its fields are here and may be missing in values.
    pub(super) open: bool,
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) tag: u32,
    pub(super) name: Arc<str>,
    /// The name in protobuf's JSON, which values may use too.
    pub(super) json_name: Arc<str>,
    pub(super) kind: Kind,
    pub(super) label: Label,
    pub(super) oneof: Option<u32>,
    pub(super) absent: Absent,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Scalar(Scalar),
    /// Bytes that stand as base64 text in values.
    Base64,
    Enum(Arc<Enum>),
    /// An enum that stands as its number in values.
    Number(Arc<Enum>),
    Message(usize),
    /// A google.protobuf.Timestamp, as time; in open values as text where it has a fraction.
    Time {
        open: bool,
    },
    /// A google.protobuf.Timestamp, as RFC 3339 text.
    TimeText,
    /// Never set, never looked at.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    /// Whether the default is written too, because presence is information.
    One {
        presence: bool,
    },
    Repeated {
        packed: bool,
    },
    Map {
        key: Scalar,
    },
}

/// What stands for a field that did not come.
#[derive(Debug)]
pub(super) enum Absent {
    /// Nil; in an open message nothing.
    Omitted,
    Value(Value),
    /// The message of defaults.
    Message,
}

#[derive(Debug)]
pub(super) struct Enum {
    pub(super) name: String,
    /// Sorted by number; the first name of a number.
    by_number: Vec<(i32, String)>,
    by_name: HashMap<String, i32>,
}

impl Enum {
    fn new(descriptor: &EnumDescriptor) -> Self {
        let mut by_number: Vec<(i32, String)> = Vec::new();
        for value in descriptor.values() {
            if by_number.iter().all(|(number, _)| *number != value.number()) {
                by_number.push((value.number(), value.name().to_owned()));
            }
        }
        by_number.sort_by_key(|(number, _)| *number);
        let by_name = descriptor.values().map(|value| (value.name().to_owned(), value.number())).collect();
        Self { name: descriptor.full_name().to_owned(), by_number, by_name }
    }

    pub(super) fn number(&self, name: &str) -> Option<i32> {
        self.by_name.get(name).copied()
    }

    pub(super) fn name_of(&self, number: i32) -> Option<&str> {
        let at = self.by_number.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        self.by_number.get(at).map(|(_, name)| name.as_str())
    }

    pub(super) fn names(&self) -> String {
        let names: Vec<&str> = self.by_number.iter().take(20).map(|(_, name)| name.as_str()).collect();
        names.join(", ")
    }
}

impl Message {
    fn new(name: &str, fields: Vec<Field>, open: bool) -> Self {
        let mut by_tag: Vec<(u32, usize)> =
            fields.iter().enumerate().map(|(index, field)| (field.tag, index)).collect();
        by_tag.sort_unstable();
        Self { name: name.into(), fields, by_tag, open }
    }

    /// The field of a number.
    pub(super) fn field(&self, tag: u32) -> Option<(usize, &Field)> {
        let at = self.by_tag.binary_search_by_key(&tag, |(tag, _)| *tag).ok()?;
        let (_, index) = self.by_tag.get(at)?;
        self.fields.get(*index).map(|field| (*index, field))
    }
}

/// The full name of the message that stands for a time.
pub(super) const TIMESTAMP: &str = "google.protobuf.Timestamp";

impl Plan {
    /// The plan of a request.
    pub(super) fn params(message: &MessageDescriptor, params: &[TypeField]) -> Result<Self, Unsupported> {
        let mut builder = Builder::new(false, "params");
        let (root, top) = match params {
            [] => (Root::Nothing, builder.typed(message, &[], 0)?),
            [only] if is_whole(message, only) => (Root::Message, builder.message(message, &only.ty, 0)?),
            params => (Root::Fields, builder.typed(message, params, 0)?),
        };
        Ok(Self { root, messages: builder.messages, top })
    }

    /// The plan of a response.
    pub(super) fn result(message: &MessageDescriptor, returns: &Type) -> Result<Self, Unsupported> {
        let mut builder = Builder::new(true, "returns");
        let (root, top) = match returns {
            Type::Nil => (Root::Nothing, builder.typed(message, &[], 0)?),
            Type::Any | Type::Struct(_) => (Root::Message, builder.message(message, returns, 0)?),
            single => {
                let mut fields = message.fields();
                let field = match (fields.next(), fields.next()) {
                    (Some(only), None) => Some(only),
                    _ => message.get_field_by_name("value"),
                };
                let field = field.ok_or_else(|| {
                    builder.refused(format!(
                        "{single} as the message {}: name its fields in a struct ({})",
                        message.full_name(),
                        names(message)
                    ))
                })?;
                let wanted = TypeField::new(field.name(), single.clone());
                (Root::Fields, builder.typed(message, &[wanted], 0)?)
            }
        };
        Ok(Self { root, messages: builder.messages, top })
    }
}

/// Whether the only parameter is the whole request.
fn is_whole(message: &MessageDescriptor, param: &TypeField) -> bool {
    matches!(param.ty, Type::Struct(_) | Type::Any) && find(message, &param.name).is_none()
}

fn find(message: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    message.get_field_by_name(name).or_else(|| message.get_field_by_json_name(name))
}

fn names(message: &MessageDescriptor) -> String {
    let names: Vec<String> = message.fields().map(|field| field.name().to_owned()).collect();
    if names.is_empty() { "it has no fields".into() } else { names.join(", ") }
}

struct Builder {
    messages: Vec<Message>,
    /// Open messages that are made already, or being made: messages hold themselves.
    open: HashMap<String, usize>,
    reading: bool,
    place: Vec<String>,
}

impl Builder {
    fn new(reading: bool, place: &str) -> Self {
        Self { messages: Vec::new(), open: HashMap::new(), reading, place: vec![place.to_owned()] }
    }

    fn refused(&self, what: String) -> Unsupported {
        Unsupported { codec: NAME, what, place: self.place.join(".") }
    }

    /// A message as a type.
    fn message(
        &mut self,
        message: &MessageDescriptor,
        ty: &Type,
        depth: usize,
    ) -> Result<usize, Unsupported> {
        match ty {
            Type::Struct(fields) => self.typed(message, fields, depth),
            _ => self.open(message),
        }
    }

    /// The fields of a message that a type names.
    fn typed(
        &mut self,
        message: &MessageDescriptor,
        wanted: &[TypeField],
        depth: usize,
    ) -> Result<usize, Unsupported> {
        if depth > MAX_DEPTH {
            return Err(self.refused(format!("messages nested deeper than {MAX_DEPTH}")));
        }
        let mut fields: Vec<Field> = Vec::with_capacity(wanted.len());
        for want in wanted {
            self.place.push(want.name.to_string());
            let descriptor = find(message, &want.name).ok_or_else(|| {
                self.refused(format!(
                    "a field that {} does not have ({})",
                    message.full_name(),
                    names(message)
                ))
            })?;
            let field = self.field(&descriptor, &want.ty, depth)?;
            let is_same = |other: &Field| field.oneof.is_some() && other.oneof == field.oneof;
            if !self.reading && fields.iter().any(is_same) {
                return Err(self.refused("two fields of one oneof: keep one".into()));
            }
            if fields.iter().any(|other| other.tag == field.tag) {
                return Err(self.refused("a field that is named twice".into()));
            }
            fields.push(Field { name: Arc::clone(&want.name), ..field });
            self.place.pop();
        }
        let missing = message.fields().find(|field| {
            field.cardinality() == Cardinality::Required
                && fields.iter().all(|there| there.tag != field.number())
        });
        if let (Some(field), false) = (missing, self.reading) {
            return Err(self.refused(format!("a request without {}, which is required", field.full_name())));
        }
        self.messages.push(Message::new(message.full_name(), fields, false));
        Ok(self.messages.len() - 1)
    }

    /// All fields of a message, with open types.
    fn open(&mut self, message: &MessageDescriptor) -> Result<usize, Unsupported> {
        if let Some(known) = self.open.get(message.full_name()) {
            return Ok(*known);
        }
        let index = self.messages.len();
        self.open.insert(message.full_name().to_owned(), index);
        self.messages.push(Message::new(message.full_name(), Vec::new(), true));
        let mut fields = Vec::new();
        for descriptor in message.fields().filter(|field| !field.is_group()) {
            fields.push(self.field(&descriptor, &Type::Any, 0)?);
        }
        self.messages[index] = Message::new(message.full_name(), fields, true);
        Ok(index)
    }

    fn field(&mut self, field: &FieldDescriptor, ty: &Type, depth: usize) -> Result<Field, Unsupported> {
        if field.is_group() {
            return Err(self.refused(format!("{}: groups are not supported", field.full_name())));
        }
        let (kind, label) = if field.is_map() {
            self.map(field, ty, depth)?
        } else if field.is_list() {
            let item = match ty {
                Type::List(item) => item,
                Type::Any | Type::Nil => ty,
                _ => return Err(self.mismatch(field, ty, "a list")),
            };
            (self.kind(field, &field.kind(), item, depth)?, Label::Repeated { packed: field.is_packed() })
        } else {
            let presence = field.supports_presence();
            (self.kind(field, &field.kind(), ty, depth)?, Label::One { presence })
        };
        // An `optional` is a oneof of its own to the compiler, and none to anybody else.
        let oneof = field.containing_oneof().filter(|oneof| !oneof.is_synthetic());
        let oneof = oneof.map(|oneof| u32::try_from(oneof.path().last().copied().unwrap_or(0)).unwrap_or(0));
        let absent = absent(field, &kind, label, oneof.is_some(), *ty == Type::Any);
        Ok(Field {
            tag: field.number(),
            name: field.name().into(),
            json_name: field.json_name().into(),
            kind,
            label,
            oneof,
            absent,
        })
    }

    fn map(
        &mut self,
        field: &FieldDescriptor,
        ty: &Type,
        depth: usize,
    ) -> Result<(Kind, Label), Unsupported> {
        let entry = match field.kind() {
            ProtoKind::Message(entry) => entry,
            _ => return Err(self.refused(format!("{}: a map without entries", field.full_name()))),
        };
        let value_type = match ty {
            Type::Struct(fields) => {
                let mut types = fields.iter().map(|field| &field.ty);
                let first = types.next().cloned().unwrap_or(Type::Any);
                types.fold(first, |common, ty| common.common(ty))
            }
            Type::Any | Type::Nil => ty.clone(),
            _ => return Err(self.mismatch(field, ty, "a struct, whose fields are the map's keys")),
        };
        let key = Scalar::of(&entry.map_entry_key_field().kind())
            .ok_or_else(|| self.refused(format!("{}: keys of this type", field.full_name())))?;
        let value = entry.map_entry_value_field();
        Ok((self.kind(&value, &value.kind(), &value_type, depth)?, Label::Map { key }))
    }

    fn kind(
        &mut self,
        field: &FieldDescriptor,
        kind: &ProtoKind,
        ty: &Type,
        depth: usize,
    ) -> Result<Kind, Unsupported> {
        if *ty == Type::Nil {
            return Ok(Kind::Nothing);
        }
        let made = match (kind, ty) {
            (ProtoKind::Enum(descriptor), Type::Text | Type::Any) => {
                Kind::Enum(Arc::new(Enum::new(descriptor)))
            }
            (ProtoKind::Enum(descriptor), Type::Int) => Kind::Number(Arc::new(Enum::new(descriptor))),
            (ProtoKind::Enum(_), _) => return Err(self.mismatch(field, ty, "text (its name) or int")),
            (ProtoKind::Message(message), ty) if message.full_name() == TIMESTAMP => match ty {
                Type::Time => Kind::Time { open: false },
                Type::Any => Kind::Time { open: true },
                Type::Text => Kind::TimeText,
                _ => return Err(self.mismatch(field, ty, "time, or text as RFC 3339")),
            },
            (ProtoKind::Message(message), Type::Struct(_) | Type::Any) => {
                Kind::Message(self.message(message, ty, depth + 1)?)
            }
            (ProtoKind::Message(_), _) => return Err(self.mismatch(field, ty, "a struct")),
            (ProtoKind::Bytes, Type::Text) => Kind::Base64,
            (kind, ty) => {
                let scalar = Scalar::of(kind)
                    .ok_or_else(|| self.refused(format!("{}: a field of this type", field.full_name())))?;
                let is_number = matches!(scalar, Scalar::Double | Scalar::Float);
                let fits = *ty == Type::Any
                    || *ty == scalar.ty()
                    || (is_number && *ty == Type::Int && !self.reading);
                if !fits {
                    return Err(self.mismatch(field, ty, &scalar.ty().to_string()));
                }
                Kind::Scalar(scalar)
            }
        };
        Ok(made)
    }

    fn mismatch(&self, field: &FieldDescriptor, ty: &Type, wanted: &str) -> Unsupported {
        self.refused(format!("{ty} as {}: it is {wanted}", field.full_name()))
    }
}

fn absent(field: &FieldDescriptor, kind: &Kind, label: Label, in_oneof: bool, open: bool) -> Absent {
    match label {
        _ if matches!(kind, Kind::Nothing) => Absent::Omitted,
        Label::Repeated { .. } => Absent::Value(Value::List(Vec::new())),
        Label::Map { .. } => Absent::Value(Value::Struct(Vec::new())),
        Label::One { presence } if in_oneof || (open && presence) => Absent::Omitted,
        Label::One { .. } => match kind {
            Kind::Message(_) => Absent::Message,
            Kind::Time { .. } => Absent::Value(Value::Time(0)),
            Kind::TimeText => Absent::Value(Value::Text(String::new())),
            Kind::Base64 => Absent::Value(Value::Text(String::new())),
            kind => Absent::Value(default(field, kind)),
        },
    }
}

/// The default of a field that is no message; proto2 has defaults of its own.
fn default(field: &FieldDescriptor, kind: &Kind) -> Value {
    use prost_reflect::Value as Proto;
    match (field.default_value(), kind) {
        (Proto::EnumNumber(number), Kind::Enum(of)) => {
            Value::Text(of.name_of(number).unwrap_or_default().to_owned())
        }
        (Proto::EnumNumber(number), _) => Value::Int(number.into()),
        (Proto::Bool(value), _) => Value::Bool(value),
        (Proto::I32(value), _) => Value::Int(value.into()),
        (Proto::I64(value), _) => Value::Int(value),
        (Proto::U32(value), _) => Value::Int(value.into()),
        (Proto::U64(value), _) => Value::Int(i64::try_from(value).unwrap_or(i64::MAX)),
        (Proto::F32(value), _) => Value::Float(super::scalar::widen(value)),
        (Proto::F64(value), _) => Value::Float(value),
        (Proto::String(value), _) => Value::Text(value),
        (Proto::Bytes(value), _) => Value::Bytes(value.to_vec()),
        _ => Value::Nil,
    }
}
