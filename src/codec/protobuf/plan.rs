//! Types as messages: what is worked out once, when a shape is prepared.

use std::sync::Arc;

use crate::codec::Shape;
use crate::codec::support::{Budget, FIELD_BYTES};
use crate::rpc::{Field, StructValue, Type, Value};

/// The message of a shape.
#[derive(Debug)]
pub(super) enum Root {
    /// The values are the message's fields: the parameters, or a result as field 1 `value`.
    Fields(Message),
    /// The one value is the message.
    Struct(Message),
    /// The one value is nil, the message empty.
    Nil,
}

/// A message: its fields, numbered in order from 1.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) fields: Box<[MessageField]>,
    /// Whether a field is a message, whose default is made only where it is missing.
    has_messages: bool,
    /// What the message of all defaults takes, with the messages in it.
    default_bytes: usize,
}

#[derive(Debug)]
pub(super) struct MessageField {
    pub(super) tag: u32,
    pub(super) name: Arc<str>,
    pub(super) kind: Kind,
}

/// The type of a field.
#[derive(Debug)]
pub(super) enum Kind {
    Nil,
    Bool,
    Int,
    Float,
    Text,
    Bytes,
    Time,
    Message(Message),
    Repeated(Box<Kind>),
    /// An item that is a list itself: protobuf repeats no repeated fields, so a message with the
    /// list as its field 1 stands for it.
    Wrapped(Message),
}

impl Root {
    pub(super) fn new(shape: &Shape) -> Self {
        match shape {
            Shape::Params(fields) => Root::Fields(Message::new(fields)),
            Shape::Result(Type::Nil) => Root::Nil,
            Shape::Result(Type::Struct(fields)) => Root::Struct(Message::new(fields)),
            Shape::Result(ty) => Root::Fields(Message::single("value", ty)),
        }
    }
}

impl Message {
    fn new(fields: &[Field]) -> Self {
        Self::of(fields.iter().map(|field| (Arc::clone(&field.name), Kind::new(&field.ty))))
    }

    fn single(name: &str, ty: &Type) -> Self {
        Self::of(std::iter::once((Arc::from(name), Kind::new(ty))))
    }

    fn of(fields: impl Iterator<Item = (Arc<str>, Kind)>) -> Self {
        let fields: Box<[MessageField]> =
            (1..).zip(fields).map(|(tag, (name, kind))| MessageField { tag, name, kind }).collect();
        let has_messages = fields.iter().any(|field| matches!(field.kind, Kind::Message(_)));
        let default_bytes = fields.iter().fold(0_usize, |sum, field| {
            let inner = if let Kind::Message(message) = &field.kind { message.default_bytes } else { 0 };
            sum.saturating_add(FIELD_BYTES).saturating_add(inner)
        });
        Self { fields, has_messages, default_bytes }
    }

    /// The field of a number.
    pub(super) fn field(&self, tag: u32) -> Option<(usize, &MessageField)> {
        let index = usize::try_from(tag).ok()?.checked_sub(1)?;
        self.fields.get(index).map(|field| (index, field))
    }

    /// The fields before anything is read; [`Self::complete`] makes messages that never came.
    pub(super) fn blank(&self) -> StructValue {
        self.fields.iter().map(|field| (Arc::clone(&field.name), field.kind.blank())).collect()
    }

    /// What [`Self::blank`] takes.
    pub(super) fn blank_bytes(&self) -> usize {
        self.fields.len().saturating_mul(FIELD_BYTES)
    }

    /// Gives messages that are still blank their default. Says whether the budget allows it.
    #[must_use]
    pub(super) fn complete<'v>(&self, values: impl Iterator<Item = &'v mut Value>, budget: &Budget) -> bool {
        if !self.has_messages {
            return true;
        }
        for (field, value) in self.fields.iter().zip(values) {
            if let (Kind::Message(message), Value::Nil) = (&field.kind, &*value) {
                if !budget.take(message.default_bytes) {
                    return false;
                }
                *value = Value::Struct(message.default_fields());
            }
        }
        true
    }

    fn default_fields(&self) -> StructValue {
        let default = |field: &MessageField| match &field.kind {
            Kind::Message(message) => Value::Struct(message.default_fields()),
            kind => kind.blank(),
        };
        self.fields.iter().map(|field| (Arc::clone(&field.name), default(field))).collect()
    }
}

impl Kind {
    fn new(ty: &Type) -> Self {
        match ty {
            Type::Bool => Kind::Bool,
            Type::Int => Kind::Int,
            Type::Float => Kind::Float,
            Type::Text => Kind::Text,
            Type::Bytes => Kind::Bytes,
            Type::Time => Kind::Time,
            Type::Struct(fields) => Kind::Message(Message::new(fields)),
            Type::List(item) => Kind::Repeated(Box::new(match &**item {
                Type::List(_) => Kind::Wrapped(Message::single("values", item)),
                item => Kind::new(item),
            })),
            // `prepare` has refused the open type.
            Type::Nil | Type::Any => Kind::Nil,
        }
    }

    /// The value of a field that did not come, but for messages: nil stands for those.
    pub(super) fn blank(&self) -> Value {
        match self {
            Kind::Nil | Kind::Message(_) => Value::Nil,
            Kind::Bool => Value::Bool(false),
            Kind::Int => Value::Int(0),
            Kind::Float => Value::Float(0.0),
            Kind::Text => Value::Text(String::new()),
            Kind::Bytes => Value::Bytes(Vec::new()),
            Kind::Time => Value::Time(0),
            Kind::Repeated(_) | Kind::Wrapped(_) => Value::List(Vec::new()),
        }
    }
}
