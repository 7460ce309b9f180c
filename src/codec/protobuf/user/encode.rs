//! Values to the messages of a user's `.proto`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::encoding::{WireType, encode_key, encode_varint, int32, int64};

use super::plan::{Field, Kind, Label, Message, Plan, Root};
use super::scalar::{Scalar, write_bytes};
use crate::codec::field;
use crate::codec::protobuf::TIMESTAMP_SECONDS;
use crate::codec::protobuf::encode::delimited;
use crate::codec::support::{Refused, enter};
use crate::rpc::{StructValue, Value, parse_rfc3339};

pub(super) fn values(plan: &Plan, values: &[Value], out: &mut Vec<u8>) -> Result<(), Refused> {
    let writer = Writer { plan };
    let Some(top) = plan.messages.get(plan.top) else { return Err(Refused::Type) };
    match (plan.root, values) {
        (Root::Nothing, [] | [Value::Nil]) => Ok(()),
        (Root::Fields, values) if values.len() == top.fields.len() => {
            top.fields.iter().zip(values).try_for_each(|(field, value)| writer.field(field, value, 0, out))
        }
        // The answer of a method that nobody looks at.
        (Root::Message, [Value::Nil]) if top.open => Ok(()),
        (Root::Message, [Value::Struct(values)]) => writer.message(top, values, 0, out),
        _ => Err(Refused::Type),
    }
}

struct Writer<'p> {
    plan: &'p Plan,
}

impl Writer<'_> {
    fn message(
        &self,
        message: &Message,
        values: &StructValue,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        let mut used = 0;
        let mut oneofs = 0_u64;
        for (index, wanted) in message.fields.iter().enumerate() {
            let found = field(values, index, &wanted.name)
                .or_else(|| if message.open { field(values, index, &wanted.json_name) } else { None });
            let Some(value) = found else {
                if message.open {
                    continue;
                }
                return Err(Refused::Type);
            };
            used += 1;
            if let (Some(oneof), false) = (wanted.oneof, matches!(value, Value::Nil)) {
                let bit = 1_u64.checked_shl(oneof).unwrap_or(0);
                if oneofs & bit != 0 {
                    return Err(Refused::value(format!(
                        "two fields of one oneof of {} ({:?} is the second)",
                        message.name, wanted.name
                    )));
                }
                oneofs |= bit;
            }
            self.field(wanted, value, depth, out).map_err(|refused| match refused {
                // A type of the scenario's would have the words; an open one has none.
                Refused::Type if message.open => {
                    Refused::value(format!("{} as {}.{}", value.type_name(), message.name, wanted.name))
                }
                refused => refused,
            })?;
        }
        if used == values.len() { Ok(()) } else { Err(unknown(message, values)) }
    }

    fn field(&self, field: &Field, value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<(), Refused> {
        if matches!(value, Value::Nil) || matches!(field.kind, Kind::Nothing) {
            return Ok(());
        }
        match (field.label, value) {
            (Label::One { presence }, value) => {
                self.item(field.tag, &field.kind, value, presence, depth, out)
            }
            (Label::Repeated { .. }, Value::List(items)) if items.is_empty() => Ok(()),
            (Label::Repeated { packed: true }, Value::List(items)) => delimited(field.tag, out, |out| {
                items.iter().try_for_each(|item| match &field.kind {
                    Kind::Scalar(scalar) => scalar.write(item, out),
                    kind => {
                        encode_varint(i64::from(number(kind, item)?).cast_unsigned(), out);
                        Ok(())
                    }
                })
            }),
            (Label::Repeated { packed: false }, Value::List(items)) => {
                items.iter().try_for_each(|item| self.item(field.tag, &field.kind, item, true, depth, out))
            }
            (Label::Map { key }, Value::Struct(entries)) => entries.iter().try_for_each(|(name, value)| {
                delimited(field.tag, out, |out| {
                    let name = key.key_of(name)?;
                    self.item(1, &Kind::Scalar(key), &name, true, depth, out)?;
                    self.item(2, &field.kind, value, true, depth, out)
                })
            }),
            _ => Err(Refused::Type),
        }
    }

    /// A field that stands once, or one of its repetitions. A default is written only where `always`.
    fn item(
        &self,
        tag: u32,
        kind: &Kind,
        value: &Value,
        always: bool,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        match (kind, value) {
            (Kind::Base64 | Kind::Scalar(Scalar::Bytes), Value::Text(text)) => {
                let bytes = base64(text)?;
                if always || !bytes.is_empty() {
                    encode_key(tag, WireType::LengthDelimited, out);
                    write_bytes(&bytes, out);
                }
                Ok(())
            }
            (Kind::Scalar(scalar), value) => {
                if !always && Scalar::is_default(value) {
                    // Only what fits is a default of this type.
                    return scalar.write(value, &mut Vec::new());
                }
                encode_key(tag, scalar.wire(), out);
                scalar.write(value, out)
            }
            (Kind::Enum(_) | Kind::Number(_), value) => {
                let number = number(kind, value)?;
                if always || number != 0 {
                    int32::encode(tag, &number, out);
                }
                Ok(())
            }
            (Kind::Time { .. } | Kind::TimeText, value) => {
                let (seconds, nanos) = moment(value)?;
                delimited(tag, out, |out| {
                    if seconds != 0 {
                        int64::encode(1, &seconds, out);
                    }
                    if nanos != 0 {
                        int32::encode(2, &nanos, out);
                    }
                    Ok(())
                })
            }
            (Kind::Message(index), Value::Struct(values)) => {
                let depth = enter(depth)?;
                let message = self.plan.messages.get(*index).ok_or(Refused::Type)?;
                delimited(tag, out, |out| self.message(message, values, depth, out))
            }
            _ => Err(Refused::Type),
        }
    }
}

#[cold]
fn unknown(message: &Message, values: &StructValue) -> Refused {
    let is_known =
        |name: &str| message.fields.iter().any(|field| *field.name == *name || *field.json_name == *name);
    let name = values.iter().map(|(name, _)| &**name).find(|name| !is_known(name)).unwrap_or("(twice)");
    let names: Vec<&str> = message.fields.iter().map(|field| &*field.name).collect();
    Refused::value(format!("the field {name:?}, which {} does not have ({})", message.name, names.join(", ")))
}

fn base64(text: &str) -> Result<Vec<u8>, Refused> {
    STANDARD.decode(text).map_err(|error| Refused::value(format!("{text:?} as bytes in base64: {error}")))
}

fn number(kind: &Kind, value: &Value) -> Result<i32, Refused> {
    match (kind, value) {
        (Kind::Enum(of) | Kind::Number(of), Value::Text(name)) => of
            .number(name)
            .ok_or_else(|| Refused::value(format!("{name:?} as {}: it has {}", of.name, of.names()))),
        (Kind::Enum(of) | Kind::Number(of), Value::Int(number)) => {
            i32::try_from(*number).map_err(|_| Refused::value(format!("{number} as {}", of.name)))
        }
        _ => Err(Refused::Type),
    }
}

/// Seconds and nanoseconds of a time, or of its RFC 3339 text with at most nine decimals.
fn moment(value: &Value) -> Result<(i64, i32), Refused> {
    let (seconds, nanos) = match value {
        Value::Time(seconds) => (Some(*seconds), Some(0)),
        Value::Text(text) => match text.split_once('.') {
            None => (parse_rfc3339(text), Some(0)),
            Some((whole, rest)) => {
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                let nanos = format!("{:0<9}", &rest[..digits]).parse().ok().filter(|_| digits <= 9);
                (parse_rfc3339(&format!("{whole}{}", &rest[digits..])), nanos)
            }
        },
        _ => return Err(Refused::Type),
    };
    match (seconds.filter(|seconds| TIMESTAMP_SECONDS.contains(seconds)), nanos) {
        (Some(seconds), Some(nanos)) => Ok((seconds, nanos)),
        _ => {
            let shown = value.to_plain_json();
            Err(Refused::value(format!("{shown} as a Timestamp (RFC 3339 in UTC, years 0001 to 9999)")))
        }
    }
}
