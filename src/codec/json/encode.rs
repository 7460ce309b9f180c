//! Values to JSON.

use crate::codec::support::{ANY, Refused, digits, each, enter, first_duplicate, push_base64, push_int};
use crate::codec::{Shape, field};
use crate::rpc::{StructValue, Type, Value, civil};

pub(super) fn values(shape: &Shape, values: &[Value], out: &mut Vec<u8>) -> Result<(), Refused> {
    if matches!(shape, Shape::Result(_)) {
        return each(shape, values, |ty, value| write(ty, value, 0, out));
    }
    out.push(b'[');
    let mut first = true;
    each(shape, values, |ty, value| {
        comma(&mut first, out);
        write(ty, value, 0, out)
    })?;
    out.push(b']');
    Ok(())
}

fn comma(first: &mut bool, out: &mut Vec<u8>) {
    if !std::mem::take(first) {
        out.push(b',');
    }
}

fn write(ty: &Type, value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<(), Refused> {
    match (ty, value) {
        (Type::Nil | Type::Any, Value::Nil) => out.extend_from_slice(b"null"),
        (Type::Bool | Type::Any, Value::Bool(true)) => out.extend_from_slice(b"true"),
        (Type::Bool | Type::Any, Value::Bool(false)) => out.extend_from_slice(b"false"),
        (Type::Int | Type::Any, Value::Int(value)) => push_int(out, *value),
        (Type::Float | Type::Any, Value::Float(value)) if value.is_finite() => {
            // Writing into memory cannot fail; nor can it in `text`.
            let _ = serde_json::to_writer(out, value);
        }
        (Type::Float | Type::Any, Value::Float(value)) => {
            return Err(Refused::value(format!("the float {value}; JSON has finite numbers only")));
        }
        (Type::Text | Type::Any, Value::Text(value)) => text(value, out),
        (Type::Bytes | Type::Any, Value::Bytes(value)) => {
            out.push(b'"');
            push_base64(out, value);
            out.push(b'"');
        }
        (Type::Time | Type::Any, Value::Time(seconds)) => time(*seconds, out)?,
        (Type::List(item), Value::List(items)) => list(item, items, depth, out)?,
        (Type::Any, Value::List(items)) => list(&ANY, items, enter(depth)?, out)?,
        (Type::Struct(fields), Value::Struct(values)) if fields.len() == values.len() => {
            let mut first = true;
            out.push(b'{');
            for (index, wanted) in fields.iter().enumerate() {
                let value = field(values, index, &wanted.name).ok_or(Refused::Type)?;
                comma(&mut first, out);
                text(&wanted.name, out);
                out.push(b':');
                write(&wanted.ty, value, depth, out)?;
            }
            out.push(b'}');
        }
        (Type::Any, Value::Struct(values)) => open_struct(values, enter(depth)?, out)?,
        _ => return Err(Refused::Type),
    }
    Ok(())
}

fn text(text: &str, out: &mut Vec<u8>) {
    let _ = serde_json::to_writer(out, text);
}

fn list(item: &Type, items: &[Value], depth: usize, out: &mut Vec<u8>) -> Result<(), Refused> {
    let mut first = true;
    out.push(b'[');
    for value in items {
        comma(&mut first, out);
        write(item, value, depth, out)?;
    }
    out.push(b']');
    Ok(())
}

fn open_struct(values: &StructValue, depth: usize, out: &mut Vec<u8>) -> Result<(), Refused> {
    if let Some(name) = first_duplicate(values) {
        return Err(Refused::value(format!("a struct with two fields named {name:?}")));
    }
    let mut first = true;
    out.push(b'{');
    for (name, value) in values {
        comma(&mut first, out);
        text(name, out);
        out.push(b':');
        write(&ANY, value, depth, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn time(seconds: i64, out: &mut Vec<u8>) -> Result<(), Refused> {
    let (year, month, day, hour, minute, second) = civil(seconds)
        .ok_or_else(|| Refused::value(format!("time {seconds} s, outside the years 0000 to 9999")))?;
    out.push(b'"');
    out.extend_from_slice(&digits::<4>(u32::try_from(year).unwrap_or(0)));
    for (separator, number) in [(b'-', month), (b'-', day), (b'T', hour), (b':', minute), (b':', second)] {
        out.push(separator);
        out.extend_from_slice(&digits::<2>(number));
    }
    out.extend_from_slice(b"Z\"");
    Ok(())
}
