//! Protobuf to values, through prost's reading functions.

use std::sync::Arc;

use prost::DecodeError as ProstError;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::plan::{Kind, Message, Root};
use super::{NAME, TIMESTAMP_SECONDS};
use crate::codec::support::{Budget, Damage, Decoded, SPENT, damage};
use crate::rpc::Value;

/// How much memory a byte of a message may stand for, beside what every message may take. A field of a
/// struct needs two bytes, for which 48 are made.
pub(super) const MEMORY_PER_BYTE: usize = 32;

pub(super) fn values(root: &Root, bytes: &[u8], values: &mut Vec<Value>) -> Decoded<()> {
    let budget = Budget::new(bytes, MEMORY_PER_BYTE);
    let mut input = Input { start: bytes, rest: bytes, budget: &budget };
    match root {
        Root::Fields(message) => {
            let before = values.len();
            values.extend(message.fields.iter().map(|field| field.kind.blank()));
            let slots = values.get_mut(before..).unwrap_or_default();
            input.merge(message, slots)?;
            input.complete(message, slots.iter_mut())?;
        }
        Root::Struct(message) => {
            let mut value = Value::Nil;
            input.message(message, &mut value)?;
            values.push(value);
        }
        Root::Nil => {
            input.skip_all()?;
            values.push(Value::Nil);
        }
    }
    Ok(())
}

/// Where a field's value goes: a parameter, or a field of a struct.
trait Slot {
    fn value(&mut self) -> &mut Value;
}

impl Slot for Value {
    fn value(&mut self) -> &mut Value {
        self
    }
}

impl Slot for (Arc<str>, Value) {
    fn value(&mut self) -> &mut Value {
        &mut self.1
    }
}

/// Bytes on their way to become values.
pub(super) struct Input<'a> {
    pub(super) start: &'a [u8],
    pub(super) rest: &'a [u8],
    pub(super) budget: &'a Budget,
}

impl<'a> Input<'a> {
    #[cold]
    pub(super) fn damage(&self, reason: impl Into<String>) -> Damage {
        let at = self.rest.as_ptr().addr().saturating_sub(self.start.as_ptr().addr());
        damage(NAME, reason, at)
    }

    /// Pays for what is made beyond the message's own bytes.
    pub(super) fn pay(&self, bytes: usize) -> Decoded<()> {
        self.paid(self.budget.take(bytes))
    }

    fn paid(&self, is_paid: bool) -> Decoded<()> {
        if is_paid { Ok(()) } else { Err(self.damage(SPENT)) }
    }

    fn complete<'v>(&self, message: &Message, values: impl Iterator<Item = &'v mut Value>) -> Decoded<()> {
        self.paid(message.complete(values, self.budget))
    }

    fn some<T>(&self, read: Result<T, ProstError>) -> Decoded<T> {
        read.map_err(|error| {
            let text = error.to_string();
            self.damage(text.strip_prefix("failed to decode Protobuf message: ").unwrap_or(&text))
        })
    }

    pub(super) fn varint(&mut self) -> Decoded<u64> {
        // Small numbers and lengths are one byte.
        if let Some((&byte, rest)) = self.rest.split_first()
            && byte < 0x80
        {
            self.rest = rest;
            return Ok(byte.into());
        }
        let read = decode_varint(&mut self.rest);
        self.some(read)
    }

    pub(super) fn key(&mut self) -> Decoded<(u32, WireType)> {
        let read = decode_key(&mut self.rest);
        self.some(read)
    }

    pub(super) fn skip(&mut self, tag: u32, wire: WireType) -> Decoded<()> {
        let read = skip_field(wire, tag, &mut self.rest, DecodeContext::default());
        self.some(read)
    }

    fn skip_all(&mut self) -> Decoded<()> {
        while !self.rest.is_empty() {
            let (tag, wire) = self.key()?;
            self.skip(tag, wire)?;
        }
        Ok(())
    }

    pub(super) fn expect(&self, expected: WireType, found: WireType) -> Decoded<()> {
        if found == expected {
            Ok(())
        } else {
            Err(self.damage(format!("expected wire type {expected:?}, found {found:?}")))
        }
    }

    /// What has its length in front.
    pub(super) fn delimited(&mut self, wire: WireType) -> Decoded<&'a [u8]> {
        self.expect(WireType::LengthDelimited, wire)?;
        let length = self.varint()?;
        let split = usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length));
        let (inner, rest) = split.ok_or_else(|| self.damage("the bytes end within a field"))?;
        self.rest = rest;
        Ok(inner)
    }

    /// Reads what has its length in front, to its end.
    pub(super) fn within<T>(
        &mut self,
        wire: WireType,
        read: impl FnOnce(&mut Self) -> Decoded<T>,
    ) -> Decoded<T> {
        let inner = self.delimited(wire)?;
        read(&mut Self { start: self.start, rest: inner, budget: self.budget })
    }

    /// Reads the fields of a message to the end of the bytes.
    fn merge<S: Slot>(&mut self, message: &Message, slots: &mut [S]) -> Decoded<()> {
        while !self.rest.is_empty() {
            let (tag, wire) = self.key()?;
            match message.field(tag).and_then(|(index, field)| Some((slots.get_mut(index)?, field))) {
                Some((slot, field)) => self.field(&field.kind, wire, slot.value())?,
                None => self.skip(tag, wire)?,
            }
        }
        Ok(())
    }

    /// Reads a message into `slot`, or into the message that is there already.
    fn message(&mut self, message: &Message, slot: &mut Value) -> Decoded<()> {
        if let Value::Struct(fields) = slot {
            return self.merge(message, fields);
        }
        self.pay(message.blank_bytes())?;
        let mut fields = message.blank();
        self.merge(message, &mut fields)?;
        self.complete(message, fields.iter_mut().map(|(_, value)| value))?;
        *slot = Value::Struct(fields);
        Ok(())
    }

    fn field(&mut self, kind: &Kind, wire: WireType, slot: &mut Value) -> Decoded<()> {
        match kind {
            Kind::Bool | Kind::Int | Kind::Float => *slot = self.scalar(kind, wire)?,
            Kind::Text => {
                let bytes = self.delimited(wire)?;
                let text =
                    std::str::from_utf8(bytes).map_err(|_| self.damage("a string that is no UTF-8"))?;
                *slot = Value::Text(text.to_owned());
            }
            Kind::Bytes => *slot = Value::Bytes(self.delimited(wire)?.to_vec()),
            Kind::Nil => self.within(wire, Self::skip_all)?,
            Kind::Time => {
                let before = if let Value::Time(seconds) = slot { *seconds } else { 0 };
                *slot = self.within(wire, |inner| inner.timestamp(before)).map(Value::Time)?;
            }
            Kind::Message(message) => self.within(wire, |inner| inner.message(message, slot))?,
            Kind::Wrapped(message) => {
                self.within(wire, |inner| inner.merge(message, std::slice::from_mut(slot)))?;
            }
            Kind::Repeated(item) => match slot {
                Value::List(items) => self.repeated(item, wire, items)?,
                slot => {
                    let mut items = Vec::new();
                    self.repeated(item, wire, &mut items)?;
                    *slot = Value::List(items);
                }
            },
        }
        Ok(())
    }

    fn scalar(&mut self, kind: &Kind, wire: WireType) -> Decoded<Value> {
        if let Kind::Float = kind {
            self.expect(WireType::SixtyFourBit, wire)?;
            let split = self.rest.split_first_chunk();
            let (bytes, rest) = split.ok_or_else(|| self.damage("the bytes end within a field"))?;
            self.rest = rest;
            return Ok(Value::Float(f64::from_le_bytes(*bytes)));
        }
        self.expect(WireType::Varint, wire)?;
        let varint = self.varint()?;
        Ok(match kind {
            Kind::Bool => Value::Bool(varint != 0),
            _ => Value::Int((varint >> 1).cast_signed() ^ -((varint & 1).cast_signed())),
        })
    }

    /// One more item of a list, or, for scalars, many packed together.
    fn repeated(&mut self, item: &Kind, wire: WireType, items: &mut Vec<Value>) -> Decoded<()> {
        let own_wire = match item {
            Kind::Bool | Kind::Int => WireType::Varint,
            Kind::Float => WireType::SixtyFourBit,
            item => {
                let mut slot = item.blank();
                self.field(item, wire, &mut slot)?;
                items.push(slot);
                return Ok(());
            }
        };
        if wire != WireType::LengthDelimited {
            items.push(self.scalar(item, wire)?);
            return Ok(());
        }
        self.within(wire, |inner| {
            if let Kind::Float = item {
                items.reserve(inner.rest.len() / 8);
            }
            while !inner.rest.is_empty() {
                items.push(inner.scalar(item, own_wire)?);
            }
            Ok(())
        })
    }

    /// A google.protobuf.Timestamp: `int64 seconds = 1; int32 nanos = 2`.
    fn timestamp(&mut self, before: i64) -> Decoded<i64> {
        let mut seconds = before;
        while !self.rest.is_empty() {
            match self.key()? {
                (1, wire) => {
                    self.expect(WireType::Varint, wire)?;
                    seconds = self.varint()?.cast_signed();
                }
                (2, wire) => {
                    self.expect(WireType::Varint, wire)?;
                    if self.varint()? != 0 {
                        return Err(self.damage("a Timestamp with a fraction of a second"));
                    }
                }
                (tag, wire) => self.skip(tag, wire)?,
            }
        }
        if TIMESTAMP_SECONDS.contains(&seconds) {
            Ok(seconds)
        } else {
            Err(self.damage(format!("a Timestamp of {seconds} s, outside the years 0001 to 9999")))
        }
    }
}
