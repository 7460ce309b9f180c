//! XML-RPC's XML to values, by recursive descent over quick-xml's events.
//!
//! quick-xml checks that end tags match and that UTF-8 is valid; it leaves to us, and we refuse:
//! unclosed elements at the end, a second root, text outside the root or between elements, DOCTYPE,
//! undefined entities, forbidden characters and unbounded nesting. Attributes are ignored. Entities
//! arrive as events of their own, so text is gathered from pieces and never trimmed.

use std::borrow::Cow;
use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::{NAME, chars, scalars};
use crate::codec::support::{
    ANY, Damage, Decoded, FieldError, FieldOrder, damage, exact_float, first_duplicate, mismatch,
};
use crate::codec::{MAX_DEPTH, Shape};
use crate::rpc::{Field, StructValue, Type, Value};

pub(super) fn values(shape: &Shape, bytes: &[u8], values: &mut Vec<Value>) -> Decoded<()> {
    let mut reader = Reader::from_reader(bytes);
    reader.config_mut().check_comments = true;
    let mut input = Input { reader };
    match shape {
        Shape::Params(fields) => input.params(fields, values)?,
        Shape::Result(ty) => match input.markup()? {
            markup @ (Markup::Open(Tag::Value) | Markup::Empty(Tag::Value)) => {
                values.push(input.value(markup, ty, 0)?);
            }
            _ => return Err(input.damage("expected <value>")),
        },
    }
    match input.markup()? {
        Markup::End => Ok(()),
        _ => Err(input.damage("a second element beside the root")),
    }
}

/// The elements of XML-RPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tag {
    Params,
    Param,
    Value,
    Nil,
    Bool,
    Int { bits: u32 },
    Float,
    Text,
    Bytes,
    Time,
    Array,
    Data,
    Struct,
    Member,
    Name,
    Unknown,
}

impl Tag {
    fn of(element: &BytesStart<'_>) -> Self {
        let name = element.name();
        let name: &str = name.as_ref();
        match name {
            "value" => Tag::Value,
            "string" => Tag::Text,
            "member" => Tag::Member,
            "name" => Tag::Name,
            "struct" => Tag::Struct,
            "array" => Tag::Array,
            "data" => Tag::Data,
            "param" => Tag::Param,
            "params" => Tag::Params,
            "boolean" => Tag::Bool,
            "base64" => Tag::Bytes,
            "dateTime.iso8601" => Tag::Time,
            name => match name.strip_prefix("ex:").unwrap_or(name) {
                "nil" => Tag::Nil,
                "int" | "i4" | "i2" | "i1" => Tag::Int { bits: 32 },
                "i8" => Tag::Int { bits: 64 },
                "double" | "float" => Tag::Float,
                _ => Tag::Unknown,
            },
        }
    }
}

/// What stands next, apart from white space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Markup {
    Open(Tag),
    Empty(Tag),
    Close,
    End,
}

/// Text gathered from pieces.
#[derive(Default)]
struct Gathered<'a> {
    text: Cow<'a, str>,
    /// Whether a reference or a CDATA section says that even white space is meant.
    marked: bool,
}

impl<'a> Gathered<'a> {
    fn push(&mut self, piece: Cow<'a, str>, marked: bool) {
        self.marked |= marked;
        if self.text.is_empty() {
            self.text = piece;
        } else {
            self.text.to_mut().push_str(&piece);
        }
    }

    fn is_blank(&self) -> bool {
        !self.marked && is_blank(&self.text)
    }
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

struct Input<'a> {
    reader: Reader<&'a [u8]>,
}

impl<'a> Input<'a> {
    fn at(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    #[cold]
    fn damage(&self, reason: impl Into<String>) -> Damage {
        damage(NAME, reason, self.at())
    }

    /// The next event that carries something.
    fn event(&mut self) -> Decoded<Event<'a>> {
        loop {
            let at = self.reader.buffer_position();
            match self.reader.read_event() {
                Ok(Event::Comment(_) | Event::PI(_)) => {}
                Ok(Event::Decl(_)) if at == 0 => {}
                Ok(Event::Decl(_)) => return Err(self.damage("an XML declaration that is not at the start")),
                Ok(Event::DocType(_)) => return Err(self.damage("a DOCTYPE, which is refused")),
                Ok(event) => return Ok(event),
                Err(error) => return Err(self.damage(error.to_string())),
            }
        }
    }

    fn markup(&mut self) -> Decoded<Markup> {
        loop {
            return Ok(match self.event()? {
                Event::Start(element) => Markup::Open(Tag::of(&element)),
                Event::Empty(element) => Markup::Empty(Tag::of(&element)),
                Event::End(_) => Markup::Close,
                Event::Eof => Markup::End,
                Event::Text(text) if is_blank(&text) => continue,
                _ => return Err(self.damage("text where only elements may stand")),
            });
        }
    }

    fn close(&mut self, element: &str) -> Decoded<()> {
        match self.markup()? {
            Markup::Close => Ok(()),
            _ => Err(self.damage(format!("expected </{element}>"))),
        }
    }

    fn reference(&self, reference: &BytesRef<'_>) -> Decoded<Cow<'a, str>> {
        Ok(Cow::Borrowed(match &**reference {
            "amp" => "&",
            "lt" => "<",
            "gt" => ">",
            "quot" => "\"",
            "apos" => "'",
            name => {
                return match reference.resolve_char_ref() {
                    Ok(Some(character)) if chars::is_allowed(character) => {
                        Ok(Cow::Owned(character.to_string()))
                    }
                    Ok(Some(character)) => {
                        Err(self.damage(format!("a reference to the forbidden character {character:?}")))
                    }
                    Ok(None) => Err(self.damage(format!("the undefined entity {name:?}"))),
                    Err(error) => Err(self.damage(error.to_string())),
                };
            }
        }))
    }

    fn piece(&self, text: Cow<'a, str>) -> Decoded<Cow<'a, str>> {
        let forbidden = |character| self.damage(format!("the forbidden character {character:?}"));
        match text {
            Cow::Borrowed(text) => chars::normalized(text).map_err(forbidden),
            Cow::Owned(text) => Ok(Cow::Owned(chars::normalized(&text).map_err(forbidden)?.into_owned())),
        }
    }

    /// Takes an event of text into `gathered`, or gives any other back.
    fn gather(&self, event: Event<'a>, gathered: &mut Gathered<'a>) -> Decoded<Option<Event<'a>>> {
        match event {
            Event::Text(text) => gathered.push(self.piece(text.into_inner())?, false),
            Event::CData(text) => gathered.push(self.piece(text.into_inner())?, true),
            Event::GeneralRef(reference) => gathered.push(self.reference(&reference)?, true),
            event => return Ok(Some(event)),
        }
        Ok(None)
    }

    /// The text of an element, whose start was read, with its end.
    fn text(&mut self) -> Decoded<Cow<'a, str>> {
        let mut gathered = Gathered::default();
        loop {
            let event = self.event()?;
            match self.gather(event, &mut gathered)? {
                None => {}
                Some(Event::End(_)) => return Ok(gathered.text),
                Some(Event::Eof) => return Err(self.unclosed()),
                Some(_) => return Err(self.damage("an element where only text may stand")),
            }
        }
    }

    fn unclosed(&self) -> Damage {
        self.damage("the document ends within an element")
    }

    fn params(&mut self, fields: &[Field], values: &mut Vec<Value>) -> Decoded<()> {
        let expected = fields.len();
        let wrong = |input: &Self, found: &str| {
            Err(input.damage(format!("expected {expected} arguments, found {found}")))
        };
        match self.markup()? {
            Markup::Open(Tag::Params) => {}
            Markup::Empty(Tag::Params) | Markup::End if expected == 0 => return Ok(()),
            Markup::Empty(Tag::Params) | Markup::End => return wrong(self, "none"),
            _ => return Err(self.damage("expected <params>")),
        }
        for field in fields {
            match self.markup()? {
                Markup::Open(Tag::Param) => {}
                Markup::Close => return wrong(self, "fewer"),
                _ => return Err(self.damage("expected <param>")),
            }
            let markup = self.markup()?;
            values.push(self.value(markup, &field.ty, 0)?);
            self.close("param")?;
        }
        match self.markup()? {
            Markup::Close => Ok(()),
            Markup::Open(Tag::Param) => wrong(self, "more"),
            _ => Err(self.damage("expected </params>")),
        }
    }

    /// A value, whose `<value>` was read, with its end.
    fn value(&mut self, markup: Markup, ty: &Type, depth: usize) -> Decoded<Value> {
        match markup {
            Markup::Open(Tag::Value) => {}
            Markup::Empty(Tag::Value) => return self.fit(ty, Value::Text(String::new())),
            _ => return Err(self.damage("expected <value>")),
        }
        let mut gathered = Gathered::default();
        let (element, empty) = loop {
            let event = self.event()?;
            match self.gather(event, &mut gathered)? {
                None => {}
                Some(Event::Start(element)) => break (element, false),
                Some(Event::Empty(element)) => break (element, true),
                Some(Event::End(_)) => return self.fit(ty, Value::Text(gathered.text.into_owned())),
                Some(_) => return Err(self.unclosed()),
            }
        };
        if !gathered.is_blank() {
            return Err(self.damage("text beside the element of a value"));
        }
        let value = self.element(&element, empty, ty, depth)?;
        self.close("value")?;
        Ok(value)
    }

    fn element(&mut self, element: &BytesStart<'a>, empty: bool, ty: &Type, depth: usize) -> Decoded<Value> {
        let tag = Tag::of(element);
        match tag {
            Tag::Array => return self.array(empty, ty, depth),
            Tag::Struct => return self.structure(empty, ty, depth),
            Tag::Unknown | Tag::Params | Tag::Param | Tag::Value | Tag::Data | Tag::Member | Tag::Name => {
                let name = element.name();
                let shown: String = AsRef::<str>::as_ref(&name).chars().take(32).collect();
                return Err(self.damage(format!("<{shown}> is no type of XML-RPC")));
            }
            _ => {}
        }
        let text = if empty { Cow::Borrowed("") } else { self.text()? };
        let scalar = match tag {
            Tag::Text => Ok(Value::Text(text.into_owned())),
            Tag::Int { bits } => scalars::int(&text, bits).map(Value::Int),
            Tag::Bool => scalars::bool(&text).map(Value::Bool),
            Tag::Float => scalars::float(&text).map(Value::Float),
            Tag::Bytes => scalars::bytes(&text).map(Value::Bytes),
            Tag::Time => scalars::time(&text).map(Value::Time),
            _ if is_blank(&text) => Ok(Value::Nil),
            _ => Err("text within <nil>"),
        };
        let scalar = scalar.map_err(|reason| self.damage(reason))?;
        self.fit(ty, scalar)
    }

    /// Checks a scalar against the type that is expected.
    fn fit(&self, ty: &Type, scalar: Value) -> Decoded<Value> {
        match (ty, &scalar) {
            (Type::Any, _)
            | (Type::Nil, Value::Nil)
            | (Type::Bool, Value::Bool(_))
            | (Type::Int, Value::Int(_))
            | (Type::Float, Value::Float(_))
            | (Type::Text, Value::Text(_))
            | (Type::Bytes, Value::Bytes(_))
            | (Type::Time, Value::Time(_)) => Ok(scalar),
            // A peer without static types writes 1.0 as 1.
            (Type::Float, Value::Int(int)) => exact_float((*int).into())
                .map(Value::Float)
                .ok_or_else(|| self.damage(format!("{int} is no double exactly"))),
            (ty, found) => Err(mismatch(NAME, ty, found.type_name(), self.at())),
        }
    }

    fn enter(&self, depth: usize) -> Decoded<usize> {
        if depth < MAX_DEPTH {
            Ok(depth + 1)
        } else {
            Err(self.damage(format!("arrays and structs nested deeper than {MAX_DEPTH}")))
        }
    }

    fn array(&mut self, empty: bool, ty: &Type, depth: usize) -> Decoded<Value> {
        let item = match ty {
            Type::List(item) => item,
            Type::Any => &ANY,
            _ => return Err(mismatch(NAME, ty, "an array", self.at())),
        };
        let depth = self.enter(depth)?;
        let mut items = Vec::new();
        match if empty { Markup::Close } else { self.markup()? } {
            Markup::Empty(Tag::Data) => {}
            Markup::Open(Tag::Data) => loop {
                match self.markup()? {
                    Markup::Close => break,
                    markup => items.push(self.value(markup, item, depth)?),
                }
            },
            _ => return Err(self.damage("an array without <data>")),
        }
        self.close("array")?;
        Ok(Value::List(items))
    }

    fn structure(&mut self, empty: bool, ty: &Type, depth: usize) -> Decoded<Value> {
        let depth = self.enter(depth)?;
        match ty {
            Type::Struct(fields) => {
                let mut order = FieldOrder::new(fields, fields.len());
                while !empty && let Some(name) = self.member()? {
                    let position = order.position(name.as_bytes()).map_err(|error| self.wrong(&error))?;
                    order.put(position, self.member_value(&fields[position].ty, depth)?);
                }
                order.finish().map_err(|error| self.wrong(&error))
            }
            Type::Any => {
                let mut values = StructValue::new();
                while !empty && let Some(name) = self.member()? {
                    values.push((Arc::from(&*name), self.member_value(&ANY, depth)?));
                }
                match first_duplicate(&values) {
                    None => Ok(Value::Struct(values)),
                    Some(name) => Err(self.wrong(&FieldError::Twice(name.into()))),
                }
            }
            _ => Err(mismatch(NAME, ty, "a struct", self.at())),
        }
    }

    #[cold]
    fn wrong(&self, error: &FieldError) -> Damage {
        self.damage(error.to_string())
    }

    /// The name of the next member, or `None` at the struct's end.
    fn member(&mut self) -> Decoded<Option<Cow<'a, str>>> {
        match self.markup()? {
            Markup::Open(Tag::Member) => {}
            Markup::Close => return Ok(None),
            _ => return Err(self.damage("expected <member>")),
        }
        match self.markup()? {
            Markup::Open(Tag::Name) => self.text().map(Some),
            Markup::Empty(Tag::Name) => Ok(Some(Cow::Borrowed(""))),
            _ => Err(self.damage("expected <name>")),
        }
    }

    fn member_value(&mut self, ty: &Type, depth: usize) -> Decoded<Value> {
        let markup = self.markup()?;
        let value = self.value(markup, ty, depth)?;
        self.close("member")?;
        Ok(value)
    }
}
