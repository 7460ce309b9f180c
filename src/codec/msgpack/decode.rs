//! MessagePack to values, through rmp's markers and reading functions.

use std::sync::Arc;

use rmp::Marker;
use rmp::decode::{Bytes, RmpRead};

use super::{NAME, TIMESTAMP};
use crate::codec::support::{
    ANY, Damage, Decoded, FieldError, FieldOrder, ROOM_IN_ADVANCE, damage, exact_float, first_duplicate,
    fits, mismatch,
};
use crate::codec::{MAX_DEPTH, Shape};
use crate::rpc::{Field, StructValue, Type, Value};

pub(super) fn values(shape: &Shape, time: bool, bytes: &[u8], values: &mut Vec<Value>) -> Decoded<()> {
    let mut input = Input { rest: Bytes::new(bytes), total: bytes.len(), time };
    match shape {
        Shape::Result(ty) => values.push(input.value(ty, 0)?),
        Shape::Params(fields) => {
            input.arguments(fields.len())?;
            for field in fields {
                values.push(input.value(&field.ty, 0)?);
            }
        }
    }
    match input.left() {
        0 => Ok(()),
        left => Err(input.damage(format!("{left} bytes are left over"))),
    }
}

struct Input<'a> {
    rest: Bytes<'a>,
    total: usize,
    time: bool,
}

impl<'a> Input<'a> {
    fn left(&self) -> usize {
        self.rest.remaining_slice().len()
    }

    fn at(&self) -> usize {
        self.total - self.left()
    }

    fn damage(&self, reason: impl Into<String>) -> Damage {
        damage(NAME, reason, self.at())
    }

    /// The result of one of rmp's functions, which fail here at the end of the bytes only.
    fn some<T, E>(&self, read: Result<T, E>) -> Decoded<T> {
        read.map_err(|_| self.damage("the bytes end within a value"))
    }

    fn marker(&mut self) -> Decoded<Marker> {
        let byte = self.rest.read_u8();
        Ok(Marker::from_u8(self.some(byte)?))
    }

    fn u8(&mut self) -> Decoded<u32> {
        let read = self.rest.read_data_u8();
        self.some(read).map(u32::from)
    }

    fn u16(&mut self) -> Decoded<u32> {
        let read = self.rest.read_data_u16();
        self.some(read).map(u32::from)
    }

    fn u32(&mut self) -> Decoded<u32> {
        let read = self.rest.read_data_u32();
        self.some(read)
    }

    fn take(&mut self, length: u32) -> Decoded<&'a [u8]> {
        let split = self.rest.remaining_slice().split_at_checked(length as usize);
        let (taken, rest) = split.ok_or_else(|| self.damage("the bytes end within a value"))?;
        self.rest = Bytes::new(rest);
        Ok(taken)
    }

    /// The number of items that a header announces, if the bytes can hold as many: `least` is the
    /// fewest bytes that an item takes.
    fn count(&self, items: u32, least: usize) -> Decoded<usize> {
        let items = items as usize;
        if items > self.left() / least {
            return Err(self.damage(format!("{items} items are announced, and there are not as many")));
        }
        Ok(items)
    }

    fn arguments(&mut self, expected: usize) -> Decoded<()> {
        let found = match self.marker()? {
            Marker::FixArray(length) => u32::from(length),
            Marker::Array16 => self.u16()?,
            Marker::Array32 => self.u32()?,
            _ => return Err(self.damage("the arguments are no array")),
        };
        if found as usize == expected {
            Ok(())
        } else {
            Err(self.damage(format!("expected {expected} arguments, found {found}")))
        }
    }

    fn value(&mut self, ty: &Type, depth: usize) -> Decoded<Value> {
        let at = self.at();
        match self.marker()? {
            Marker::Null if fits(ty, &Type::Nil) => Ok(Value::Nil),
            Marker::True if fits(ty, &Type::Bool) => Ok(Value::Bool(true)),
            Marker::False if fits(ty, &Type::Bool) => Ok(Value::Bool(false)),
            Marker::Null => Err(mismatch(NAME, ty, "nil", at)),
            Marker::True | Marker::False => Err(mismatch(NAME, ty, "a bool", at)),
            Marker::FixPos(int) => number(ty, int.into(), at),
            Marker::FixNeg(int) => number(ty, int.into(), at),
            marker @ (Marker::U8 | Marker::U16 | Marker::U32 | Marker::U64) => {
                let int = self.unsigned(marker)?;
                match i64::try_from(int) {
                    Ok(int) => number(ty, int, at),
                    Err(_) => beyond(ty, int, at),
                }
            }
            marker @ (Marker::I8 | Marker::I16 | Marker::I32 | Marker::I64) => {
                let int = self.signed(marker)?;
                number(ty, int, at)
            }
            marker @ (Marker::F32 | Marker::F64) => self.float(ty, marker, at),
            Marker::FixStr(length) => self.text(ty, length.into(), at),
            Marker::Str8 => self.u8().and_then(|length| self.text(ty, length, at)),
            Marker::Str16 => self.u16().and_then(|length| self.text(ty, length, at)),
            Marker::Str32 => self.u32().and_then(|length| self.text(ty, length, at)),
            Marker::Bin8 => self.u8().and_then(|length| self.bytes(ty, length, at)),
            Marker::Bin16 => self.u16().and_then(|length| self.bytes(ty, length, at)),
            Marker::Bin32 => self.u32().and_then(|length| self.bytes(ty, length, at)),
            Marker::FixArray(length) => self.list(ty, length.into(), depth, at),
            Marker::Array16 => self.u16().and_then(|length| self.list(ty, length, depth, at)),
            Marker::Array32 => self.u32().and_then(|length| self.list(ty, length, depth, at)),
            Marker::FixMap(length) => self.map(ty, length.into(), depth, at),
            Marker::Map16 => self.u16().and_then(|length| self.map(ty, length, depth, at)),
            Marker::Map32 => self.u32().and_then(|length| self.map(ty, length, depth, at)),
            Marker::FixExt1 => self.extension(ty, 1, at),
            Marker::FixExt2 => self.extension(ty, 2, at),
            Marker::FixExt4 => self.extension(ty, 4, at),
            Marker::FixExt8 => self.extension(ty, 8, at),
            Marker::FixExt16 => self.extension(ty, 16, at),
            Marker::Ext8 => self.u8().and_then(|length| self.extension(ty, length, at)),
            Marker::Ext16 => self.u16().and_then(|length| self.extension(ty, length, at)),
            Marker::Ext32 => self.u32().and_then(|length| self.extension(ty, length, at)),
            Marker::Reserved => Err(damage(NAME, "byte c1, which is never used", at)),
        }
    }

    fn unsigned(&mut self, marker: Marker) -> Decoded<u64> {
        match marker {
            Marker::U8 => self.u8().map(u64::from),
            Marker::U16 => self.u16().map(u64::from),
            Marker::U32 => self.u32().map(u64::from),
            _ => {
                let read = self.rest.read_data_u64();
                self.some(read)
            }
        }
    }

    fn signed(&mut self, marker: Marker) -> Decoded<i64> {
        let read = match marker {
            Marker::I8 => self.rest.read_data_i8().map(i64::from),
            Marker::I16 => self.rest.read_data_i16().map(i64::from),
            Marker::I32 => self.rest.read_data_i32().map(i64::from),
            _ => self.rest.read_data_i64(),
        };
        self.some(read)
    }

    fn float(&mut self, ty: &Type, marker: Marker, at: usize) -> Decoded<Value> {
        let read = match marker {
            Marker::F32 => self.rest.read_data_f32().map(f64::from),
            _ => self.rest.read_data_f64(),
        };
        let float = self.some(read)?;
        if fits(ty, &Type::Float) { Ok(Value::Float(float)) } else { Err(mismatch(NAME, ty, "a float", at)) }
    }

    fn text(&mut self, ty: &Type, length: u32, at: usize) -> Decoded<Value> {
        if !fits(ty, &Type::Text) {
            return Err(mismatch(NAME, ty, "a str", at));
        }
        let bytes = self.take(length)?;
        let text = std::str::from_utf8(bytes).map_err(|_| damage(NAME, "a str that is no UTF-8", at))?;
        Ok(Value::Text(text.to_owned()))
    }

    fn bytes(&mut self, ty: &Type, length: u32, at: usize) -> Decoded<Value> {
        if !fits(ty, &Type::Bytes) {
            return Err(mismatch(NAME, ty, "a bin", at));
        }
        Ok(Value::Bytes(self.take(length)?.to_vec()))
    }

    fn list(&mut self, ty: &Type, length: u32, depth: usize, at: usize) -> Decoded<Value> {
        let item = match ty {
            Type::List(item) => item,
            Type::Any => &ANY,
            _ => return Err(mismatch(NAME, ty, "an array", at)),
        };
        let depth = self.enter(depth)?;
        let length = self.count(length, 1)?;
        let mut items = Vec::with_capacity(length.min(ROOM_IN_ADVANCE));
        for _ in 0..length {
            items.push(self.value(item, depth)?);
        }
        Ok(Value::List(items))
    }

    fn map(&mut self, ty: &Type, length: u32, depth: usize, at: usize) -> Decoded<Value> {
        let depth = self.enter(depth)?;
        let length = self.count(length, 2)?;
        match ty {
            Type::Struct(fields) => self.fields(fields, length, depth, at),
            Type::Any => self.open_struct(length, depth, at),
            _ => Err(mismatch(NAME, ty, "a map", at)),
        }
    }

    fn fields(&mut self, fields: &[Field], length: usize, depth: usize, at: usize) -> Decoded<Value> {
        let wrong = |error: FieldError| damage(NAME, error.to_string(), at);
        let mut order = FieldOrder::new(fields, length);
        for _ in 0..length {
            let name = self.key()?;
            let position = order.position(name).map_err(wrong)?;
            order.put(position, self.value(&fields[position].ty, depth)?);
        }
        order.finish().map_err(wrong)
    }

    fn open_struct(&mut self, length: usize, depth: usize, at: usize) -> Decoded<Value> {
        let mut values = StructValue::with_capacity(length.min(ROOM_IN_ADVANCE));
        for _ in 0..length {
            let name = self.key()?;
            let name = std::str::from_utf8(name).map_err(|_| self.damage("a key that is no UTF-8"))?;
            values.push((Arc::from(name), self.value(&ANY, depth)?));
        }
        if let Some(name) = first_duplicate(&values) {
            return Err(damage(NAME, FieldError::Twice(name.into()).to_string(), at));
        }
        Ok(Value::Struct(values))
    }

    /// A map's key: a str, or a bin as Python 2 wrote it.
    fn key(&mut self) -> Decoded<&'a [u8]> {
        let length = match self.marker()? {
            Marker::FixStr(length) => u32::from(length),
            Marker::Str8 | Marker::Bin8 => self.u8()?,
            Marker::Str16 | Marker::Bin16 => self.u16()?,
            Marker::Str32 | Marker::Bin32 => self.u32()?,
            _ => return Err(self.damage("a map's key is no str")),
        };
        self.take(length)
    }

    fn extension(&mut self, ty: &Type, length: u32, at: usize) -> Decoded<Value> {
        let read = self.rest.read_data_i8();
        let application_type = self.some(read)?;
        let data = self.take(length)?;
        if application_type != TIMESTAMP || !self.time {
            let reason = format!("extension type {application_type}, which this protocol does not use");
            return Err(damage(NAME, reason, at));
        }
        if !fits(ty, &Type::Time) {
            return Err(mismatch(NAME, ty, "a timestamp", at));
        }
        seconds(data).map(Value::Time).map_err(|reason| damage(NAME, reason, at))
    }

    fn enter(&self, depth: usize) -> Decoded<usize> {
        if depth < MAX_DEPTH {
            Ok(depth + 1)
        } else {
            Err(self.damage(format!("arrays and maps nested deeper than {MAX_DEPTH}")))
        }
    }
}

fn number(ty: &Type, int: i64, at: usize) -> Decoded<Value> {
    match ty {
        Type::Int | Type::Any => Ok(Value::Int(int)),
        Type::Float => exact_float(int.into())
            .map(Value::Float)
            .ok_or_else(|| damage(NAME, format!("{int} is no float exactly"), at)),
        _ => Err(mismatch(NAME, ty, "an int", at)),
    }
}

#[cold]
fn beyond(ty: &Type, int: u64, at: usize) -> Decoded<Value> {
    match (ty, exact_float(int.into())) {
        (Type::Float, Some(float)) => Ok(Value::Float(float)),
        _ => Err(damage(NAME, format!("{int} is beyond 64-bit signed integers"), at)),
    }
}

/// The seconds of a timestamp (spec.md, "Timestamp extension type").
fn seconds(data: &[u8]) -> Result<i64, &'static str> {
    const FRACTION: &str = "a timestamp with a fraction of a second";
    if let Ok(seconds) = data.try_into() {
        return Ok(u32::from_be_bytes(seconds).into());
    }
    if let Ok(both) = data.try_into() {
        let both = u64::from_be_bytes(both);
        return if both >> 34 == 0 { Ok(both.cast_signed()) } else { Err(FRACTION) };
    }
    match data.split_first_chunk::<4>() {
        Some((nanoseconds, seconds)) => {
            let seconds = seconds.try_into().map_err(|_| "a timestamp of another length than 4, 8 or 12")?;
            if *nanoseconds == [0; 4] { Ok(i64::from_be_bytes(seconds)) } else { Err(FRACTION) }
        }
        None => Err("a timestamp of another length than 4, 8 or 12"),
    }
}
