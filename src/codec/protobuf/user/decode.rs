//! The messages of a user's `.proto` to values.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::encoding::WireType;

use super::plan::{Absent, Field, Kind, Label, Message, Plan, Root};
use super::scalar::Scalar;
use crate::codec::MAX_DEPTH;
use crate::codec::protobuf::TIMESTAMP_SECONDS;
use crate::codec::protobuf::decode::{Input, MEMORY_PER_BYTE};
use crate::codec::support::{Budget, Decoded, FIELD_BYTES};
use crate::rpc::{StructValue, Value, rfc3339};

pub(super) fn values(plan: &Plan, bytes: &[u8], values: &mut Vec<Value>) -> Decoded<()> {
    let reader = Reader { plan };
    let budget = Budget::new(bytes, MEMORY_PER_BYTE);
    let mut input = Input { start: bytes, rest: bytes, budget: &budget };
    let Some(top) = plan.messages.get(plan.top) else { return Err(input.damage("a plan without a message")) };
    match plan.root {
        Root::Nothing => {
            let mut slots = Vec::new();
            reader.merge(top, &mut input, &mut slots, 0)?;
            values.push(Value::Nil);
        }
        Root::Fields => {
            let mut slots = vec![Value::Nil; top.fields.len()];
            reader.merge(top, &mut input, &mut slots, 0)?;
            for (field, slot) in top.fields.iter().zip(slots) {
                values.push(reader.completed(field, slot, &input)?);
            }
        }
        Root::Message => values.push(reader.message(top, &mut input, 0)?),
    }
    Ok(())
}

struct Reader<'p> {
    plan: &'p Plan,
}

impl Reader<'_> {
    fn message(&self, message: &Message, input: &mut Input<'_>, depth: usize) -> Decoded<Value> {
        if depth > MAX_DEPTH {
            return Err(input.damage(format!("messages nested deeper than {MAX_DEPTH}")));
        }
        let mut slots = vec![Value::Nil; message.fields.len()];
        self.merge(message, input, &mut slots, depth)?;
        self.complete(message, slots, input).map(Value::Struct)
    }

    /// The fields with their names; of an open message those that are there.
    fn complete(&self, message: &Message, slots: Vec<Value>, input: &Input<'_>) -> Decoded<StructValue> {
        let is_there = |(field, slot): &(&Field, &Value)| {
            !matches!((slot, &field.absent), (Value::Nil, Absent::Omitted))
        };
        let count = if message.open {
            message.fields.iter().zip(&slots).filter(is_there).count()
        } else {
            slots.len()
        };
        input.pay(count.saturating_mul(FIELD_BYTES))?;
        let mut fields = StructValue::with_capacity(count);
        for (field, slot) in message.fields.iter().zip(slots) {
            let value = self.completed(field, slot, input)?;
            if !(message.open && matches!(value, Value::Nil)) {
                fields.push((Arc::clone(&field.name), value));
            }
        }
        Ok(fields)
    }

    fn completed(&self, field: &Field, slot: Value, input: &Input<'_>) -> Decoded<Value> {
        match (slot, &field.absent, &field.kind) {
            (Value::Nil, Absent::Value(value), _) => {
                if let Value::Text(_) | Value::Bytes(_) = value {
                    input.pay(usize::try_from(value.payload_bytes()).unwrap_or(usize::MAX))?;
                }
                Ok(value.clone())
            }
            (Value::Nil, Absent::Message, Kind::Message(index)) => {
                // Of a finite type: open messages that are absent are omitted.
                let Some(message) = self.plan.messages.get(*index) else { return Ok(Value::Nil) };
                let slots = vec![Value::Nil; message.fields.len()];
                self.complete(message, slots, input).map(Value::Struct)
            }
            (slot, ..) => Ok(slot),
        }
    }

    /// Reads the fields of a message to the end of the bytes; those that do not come stay nil.
    fn merge<'a>(
        &self,
        message: &Message,
        input: &mut Input<'a>,
        slots: &mut [Value],
        depth: usize,
    ) -> Decoded<()> {
        // The bytes of messages that stand once: if one comes again, both together are the message.
        let mut parts: Vec<(usize, Cow<'a, [u8]>)> = Vec::new();
        while !input.rest.is_empty() {
            let (tag, wire) = input.key()?;
            let Some((index, field)) = message.field(tag).filter(|(index, _)| *index < slots.len()) else {
                input.skip(tag, wire)?;
                continue;
            };
            if let Some(oneof) = field.oneof {
                for (other, slot) in message.fields.iter().zip(slots.iter_mut()) {
                    if other.oneof == Some(oneof) && other.tag != tag {
                        *slot = Value::Nil;
                    }
                }
            }
            let slot = &mut slots[index];
            match (field.label, &field.kind) {
                (_, Kind::Nothing) => input.skip(tag, wire)?,
                (Label::One { .. }, Kind::Message(of)) => {
                    let bytes = input.delimited(wire)?;
                    let before = parts.iter_mut().find(|(part, _)| *part == index);
                    *slot = match before {
                        Some((_, before)) if !matches!(slot, Value::Nil) => {
                            // They are read once more each time.
                            input.pay(before.len().saturating_add(bytes.len()))?;
                            before.to_mut().extend_from_slice(bytes);
                            self.whole(*of, &before[..], &before[..], input.budget, depth)?
                        }
                        _ => {
                            parts.retain(|(part, _)| *part != index);
                            parts.push((index, Cow::Borrowed(bytes)));
                            self.whole(*of, input.start, bytes, input.budget, depth)?
                        }
                    };
                }
                (Label::One { .. }, kind) => *slot = self.item(kind, input, wire, depth)?,
                (Label::Repeated { .. }, kind) => {
                    if !matches!(slot, Value::List(_)) {
                        *slot = Value::List(Vec::new());
                    }
                    if let Value::List(items) = slot {
                        self.repeated(kind, input, wire, items, depth)?;
                    }
                }
                (Label::Map { key }, kind) => {
                    if !matches!(slot, Value::Struct(_)) {
                        *slot = Value::Struct(Vec::new());
                    }
                    if let Value::Struct(entries) = slot {
                        entries.push(self.entry(key, kind, input, wire, depth)?);
                    }
                }
            }
        }
        for (field, slot) in message.fields.iter().zip(slots) {
            if let (Label::Map { .. }, Value::Struct(entries)) = (field.label, slot) {
                last_of_each(entries);
            }
        }
        Ok(())
    }

    fn whole(&self, of: usize, start: &[u8], bytes: &[u8], budget: &Budget, depth: usize) -> Decoded<Value> {
        let mut inner = Input { start, rest: bytes, budget };
        match self.plan.messages.get(of) {
            Some(message) => self.message(message, &mut inner, depth + 1),
            None => Err(inner.damage("a plan without this message")),
        }
    }

    fn item(&self, kind: &Kind, input: &mut Input<'_>, wire: WireType, depth: usize) -> Decoded<Value> {
        match kind {
            Kind::Scalar(scalar) => scalar.read(input, wire),
            Kind::Base64 => Ok(Value::Text(STANDARD.encode(input.delimited(wire)?))),
            Kind::Enum(_) | Kind::Number(_) => {
                let Value::Int(number) = Scalar::Int32.read(input, wire)? else {
                    return Err(input.damage("an enum that is no number"));
                };
                enum_value(kind, number, input)
            }
            Kind::Message(of) => {
                let (start, bytes) = (input.start, input.delimited(wire)?);
                self.whole(*of, start, bytes, input.budget, depth)
            }
            Kind::Time { open } => {
                let (seconds, nanos) = input.within(wire, timestamp)?;
                match (nanos, open) {
                    (0, _) => Ok(Value::Time(seconds)),
                    (_, true) => text(seconds, nanos).ok_or_else(|| input.damage("a Timestamp of no year")),
                    (_, false) => Err(input.damage(
                        "a Timestamp with a fraction of a second, which a time has not; take it as text",
                    )),
                }
            }
            Kind::TimeText => {
                let (seconds, nanos) = input.within(wire, timestamp)?;
                text(seconds, nanos).ok_or_else(|| input.damage("a Timestamp of no year"))
            }
            Kind::Nothing => Ok(Value::Nil),
        }
    }

    /// One more item, or, for what has no length, many packed together.
    fn repeated(
        &self,
        kind: &Kind,
        input: &mut Input<'_>,
        wire: WireType,
        items: &mut Vec<Value>,
        depth: usize,
    ) -> Decoded<()> {
        let scalar = match kind {
            Kind::Scalar(Scalar::String | Scalar::Bytes) => None,
            Kind::Scalar(scalar) => Some(*scalar),
            Kind::Enum(_) | Kind::Number(_) => Some(Scalar::Int32),
            _ => None,
        };
        let Some(scalar) = scalar.filter(|_| wire == WireType::LengthDelimited) else {
            items.push(self.item(kind, input, wire, depth)?);
            return Ok(());
        };
        input.within(wire, |inner| {
            while !inner.rest.is_empty() {
                items.push(match scalar.read_packed(inner)? {
                    Value::Int(number) => enum_value(kind, number, inner)?,
                    value => value,
                });
            }
            Ok(())
        })
    }

    fn entry(
        &self,
        key: Scalar,
        kind: &Kind,
        input: &mut Input<'_>,
        wire: WireType,
        depth: usize,
    ) -> Decoded<(Arc<str>, Value)> {
        let (name, value) = input.within(wire, |inner| {
            let (mut name, mut value) = (key.default(), Value::Nil);
            while !inner.rest.is_empty() {
                match inner.key()? {
                    (1, wire) => name = key.read(inner, wire)?,
                    (2, wire) => value = self.item(kind, inner, wire, depth)?,
                    (tag, wire) => inner.skip(tag, wire)?,
                }
            }
            Ok((name, value))
        })?;
        input.pay(FIELD_BYTES)?;
        let value = match (value, kind) {
            (Value::Nil, Kind::Scalar(scalar)) => scalar.default(),
            (Value::Nil, Kind::Enum(_) | Kind::Number(_)) => enum_value(kind, 0, input)?,
            (Value::Nil, Kind::Message(of)) => self.whole(*of, &[], &[], input.budget, depth)?,
            (value, _) => value,
        };
        let name = match name {
            Value::Text(text) => text,
            name => name.to_plain_json().to_string(),
        };
        Ok((Arc::from(name), value))
    }
}

/// A map's key that comes twice has its last value.
fn last_of_each(entries: &mut StructValue) {
    if entries.len() < 2 {
        return;
    }
    entries.reverse();
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    entries.dedup_by(|(later, _), (kept, _)| later == kept);
}

/// An enum's name, or its number where it has no name or was asked for.
fn enum_value(kind: &Kind, number: i64, input: &Input<'_>) -> Decoded<Value> {
    let name = match (kind, i32::try_from(number)) {
        (Kind::Enum(of), Ok(narrow)) => of.name_of(narrow),
        _ => None,
    };
    let Some(name) = name else { return Ok(Value::Int(number)) };
    input.pay(name.len())?;
    Ok(Value::Text(name.to_owned()))
}

/// `int64 seconds = 1; int32 nanos = 2`.
fn timestamp(input: &mut Input<'_>) -> Decoded<(i64, i64)> {
    let (mut seconds, mut nanos) = (0, 0);
    while !input.rest.is_empty() {
        match input.key()? {
            (tag @ (1 | 2), wire) => {
                input.expect(WireType::Varint, wire)?;
                let number = input.varint()?.cast_signed();
                if tag == 1 {
                    seconds = number;
                } else {
                    nanos = number;
                }
            }
            (tag, wire) => input.skip(tag, wire)?,
        }
    }
    if TIMESTAMP_SECONDS.contains(&seconds) && (0..1_000_000_000).contains(&nanos) {
        Ok((seconds, nanos))
    } else {
        Err(input
            .damage(format!("a Timestamp of {seconds} s and {nanos} ns, outside the years 0001 to 9999")))
    }
}

fn text(seconds: i64, nanos: i64) -> Option<Value> {
    let whole = rfc3339(seconds)?;
    if nanos == 0 {
        return Some(Value::Text(whole));
    }
    let fraction = format!("{nanos:09}");
    Some(Value::Text(format!("{}.{}Z", whole.trim_end_matches('Z'), fraction.trim_end_matches('0'))))
}
