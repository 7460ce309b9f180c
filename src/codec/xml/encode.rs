//! Values to XML-RPC's XML: bytes pushed straight into the buffer.

use super::chars::push_escaped;
use crate::codec::support::{
    ANY, Refused, digits, each, enter, first_duplicate, push_base64, push_float, push_int,
};
use crate::codec::{Shape, field};
use crate::rpc::{StructValue, Type, Value, civil};

pub(super) fn values(shape: &Shape, i8: bool, values: &[Value], out: &mut Vec<u8>) -> Result<(), Refused> {
    let mut writer = Writer { out, i8 };
    if matches!(shape, Shape::Result(_)) {
        return each(shape, values, |ty, value| writer.value(ty, value, 0));
    }
    writer.push("<params>");
    each(shape, values, |ty, value| {
        writer.push("<param>");
        writer.value(ty, value, 0)?;
        writer.push("</param>");
        Ok(())
    })?;
    writer.push("</params>");
    Ok(())
}

struct Writer<'o> {
    out: &'o mut Vec<u8>,
    i8: bool,
}

impl Writer<'_> {
    fn push(&mut self, markup: &str) {
        self.out.extend_from_slice(markup.as_bytes());
    }

    fn value(&mut self, ty: &Type, value: &Value, depth: usize) -> Result<(), Refused> {
        match (ty, value) {
            (Type::Nil | Type::Any, Value::Nil) => self.push("<value><nil/></value>"),
            (Type::Bool | Type::Any, Value::Bool(true)) => self.push("<value><boolean>1</boolean></value>"),
            (Type::Bool | Type::Any, Value::Bool(false)) => self.push("<value><boolean>0</boolean></value>"),
            (Type::Int | Type::Any, Value::Int(value)) => self.int(*value)?,
            (Type::Float | Type::Any, Value::Float(value)) => self.float(*value)?,
            (Type::Text | Type::Any, Value::Text(value)) => {
                self.push("<value><string>");
                self.escaped(value)?;
                self.push("</string></value>");
            }
            (Type::Bytes | Type::Any, Value::Bytes(value)) => {
                self.push("<value><base64>");
                push_base64(self.out, value);
                self.push("</base64></value>");
            }
            (Type::Time | Type::Any, Value::Time(seconds)) => self.time(*seconds)?,
            (Type::List(item), Value::List(items)) => self.list(item, items, depth)?,
            (Type::Any, Value::List(items)) => self.list(&ANY, items, enter(depth)?)?,
            (Type::Struct(fields), Value::Struct(values)) if fields.len() == values.len() => {
                self.push("<value><struct>");
                for (index, wanted) in fields.iter().enumerate() {
                    let value = field(values, index, &wanted.name).ok_or(Refused::Type)?;
                    self.member(&wanted.name, &wanted.ty, value, depth)?;
                }
                self.push("</struct></value>");
            }
            (Type::Any, Value::Struct(values)) => self.open_struct(values, enter(depth)?)?,
            _ => return Err(Refused::Type),
        }
        Ok(())
    }

    fn int(&mut self, int: i64) -> Result<(), Refused> {
        if i32::try_from(int).is_ok() {
            self.push("<value><int>");
            push_int(self.out, int);
            self.push("</int></value>");
        } else if self.i8 {
            self.push("<value><i8>");
            push_int(self.out, int);
            self.push("</i8></value>");
        } else {
            let what = format!("the int {int}, which is beyond 32 bits; xmlrpc_i8 = true writes it as <i8>");
            return Err(Refused::value(what));
        }
        Ok(())
    }

    fn float(&mut self, float: f64) -> Result<(), Refused> {
        if !float.is_finite() {
            return Err(Refused::value(format!("the float {float}; a double is a finite decimal number")));
        }
        self.push("<value><double>");
        push_float(self.out, float);
        self.push("</double></value>");
        Ok(())
    }

    fn escaped(&mut self, text: &str) -> Result<(), Refused> {
        push_escaped(self.out, text)
            .map_err(|character| Refused::value(format!("the character {character:?} in text")))
    }

    fn time(&mut self, seconds: i64) -> Result<(), Refused> {
        let (year, month, day, hour, minute, second) = civil(seconds)
            .ok_or_else(|| Refused::value(format!("time {seconds} s, outside the years 0000 to 9999")))?;
        self.push("<value><dateTime.iso8601>");
        self.out.extend_from_slice(&digits::<4>(u32::try_from(year).unwrap_or(0)));
        self.out.extend_from_slice(&digits::<2>(month));
        self.out.extend_from_slice(&digits::<2>(day));
        for (separator, number) in [(b'T', hour), (b':', minute), (b':', second)] {
            self.out.push(separator);
            self.out.extend_from_slice(&digits::<2>(number));
        }
        self.push("</dateTime.iso8601></value>");
        Ok(())
    }

    fn list(&mut self, item: &Type, items: &[Value], depth: usize) -> Result<(), Refused> {
        self.push("<value><array><data>");
        items.iter().try_for_each(|value| self.value(item, value, depth))?;
        self.push("</data></array></value>");
        Ok(())
    }

    fn member(&mut self, name: &str, ty: &Type, value: &Value, depth: usize) -> Result<(), Refused> {
        self.push("<member><name>");
        self.escaped(name)?;
        self.push("</name>");
        self.value(ty, value, depth)?;
        self.push("</member>");
        Ok(())
    }

    fn open_struct(&mut self, values: &StructValue, depth: usize) -> Result<(), Refused> {
        if let Some(name) = first_duplicate(values) {
            return Err(Refused::value(format!("a struct with two fields named {name:?}")));
        }
        self.push("<value><struct>");
        for (name, value) in values {
            self.member(name, &ANY, value, depth)?;
        }
        self.push("</struct></value>");
        Ok(())
    }
}
