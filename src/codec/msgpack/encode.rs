//! Values to MessagePack, through rmp's writing functions.

use std::convert::Infallible;

use rmp::encode::{self, ByteBuf, RmpWrite as _, ValueWriteError};

use super::TIMESTAMP;
use crate::codec::support::{ANY, Refused, each, enter, first_duplicate};
use crate::codec::{Shape, field};
use crate::rpc::{StructValue, Type, Value};

pub(super) fn values(shape: &Shape, time: bool, values: &[Value], out: &mut Vec<u8>) -> Result<(), Refused> {
    // rmp writes into its own buffer type without a path for errors; the bytes stay where they are.
    let mut writer = Writer { out: ByteBuf::from_vec(std::mem::take(out)), time };
    let written = writer.shape(shape, values);
    *out = writer.out.into_vec();
    written
}

struct Writer {
    out: ByteBuf,
    time: bool,
}

/// Writing into memory cannot fail, as the error's type says.
#[allow(clippy::needless_pass_by_value)] // It stands around calls, in the place of a `?`.
fn sure<T>(written: Result<T, ValueWriteError<Infallible>>) {
    debug_assert!(written.is_ok());
}

fn length(length: usize) -> Result<u32, Refused> {
    u32::try_from(length).map_err(|_| Refused::value("more than 4294967295 bytes or items in one value"))
}

impl Writer {
    fn shape(&mut self, shape: &Shape, values: &[Value]) -> Result<(), Refused> {
        if let Shape::Params(fields) = shape {
            sure(encode::write_array_len(&mut self.out, length(fields.len())?));
        }
        each(shape, values, |ty, value| self.value(ty, value, 0))
    }

    fn value(&mut self, ty: &Type, value: &Value, depth: usize) -> Result<(), Refused> {
        let out = &mut self.out;
        match (ty, value) {
            (Type::Nil | Type::Any, Value::Nil) => {
                sure(encode::write_nil(out).map_err(ValueWriteError::InvalidMarkerWrite));
            }
            (Type::Bool | Type::Any, Value::Bool(value)) => {
                sure(encode::write_bool(out, *value).map_err(ValueWriteError::InvalidMarkerWrite));
            }
            (Type::Int | Type::Any, Value::Int(value)) => sure(encode::write_sint(out, *value)),
            (Type::Float | Type::Any, Value::Float(value)) => sure(encode::write_f64(out, *value)),
            (Type::Text | Type::Any, Value::Text(value)) => {
                length(value.len())?;
                sure(encode::write_str(out, value));
            }
            (Type::Bytes | Type::Any, Value::Bytes(value)) => {
                length(value.len())?;
                sure(encode::write_bin(out, value));
            }
            (Type::Time | Type::Any, Value::Time(seconds)) => self.time(*seconds)?,
            (Type::List(item), Value::List(items)) => self.list(item, items, depth)?,
            (Type::Any, Value::List(items)) => self.list(&ANY, items, enter(depth)?)?,
            (Type::Struct(fields), Value::Struct(values)) if fields.len() == values.len() => {
                sure(encode::write_map_len(out, length(fields.len())?));
                for (index, wanted) in fields.iter().enumerate() {
                    let value = field(values, index, &wanted.name).ok_or(Refused::Type)?;
                    sure(encode::write_str(&mut self.out, &wanted.name));
                    self.value(&wanted.ty, value, depth)?;
                }
            }
            (Type::Any, Value::Struct(values)) => self.open_struct(values, enter(depth)?)?,
            _ => return Err(Refused::Type),
        }
        Ok(())
    }

    fn list(&mut self, item: &Type, items: &[Value], depth: usize) -> Result<(), Refused> {
        sure(encode::write_array_len(&mut self.out, length(items.len())?));
        items.iter().try_for_each(|value| self.value(item, value, depth))
    }

    fn open_struct(&mut self, values: &StructValue, depth: usize) -> Result<(), Refused> {
        if let Some(name) = first_duplicate(values) {
            return Err(Refused::value(format!("a struct with two fields named {name:?}")));
        }
        sure(encode::write_map_len(&mut self.out, length(values.len())?));
        for (name, value) in values {
            sure(encode::write_str(&mut self.out, name));
            self.value(&ANY, value, depth)?;
        }
        Ok(())
    }

    /// The shortest of the three timestamp formats, always with zero nanoseconds.
    fn time(&mut self, seconds: i64) -> Result<(), Refused> {
        if !self.time {
            return Err(Refused::value("a time: the peers of this protocol know no timestamp extension"));
        }
        let out = &mut self.out;
        if let Ok(seconds) = u32::try_from(seconds) {
            sure(encode::write_ext_meta(out, 4, TIMESTAMP));
            sure(out.write_bytes(&seconds.to_be_bytes()).map_err(ValueWriteError::InvalidMarkerWrite));
        } else if (0..1 << 34).contains(&seconds) {
            sure(encode::write_ext_meta(out, 8, TIMESTAMP));
            sure(out.write_bytes(&seconds.to_be_bytes()).map_err(ValueWriteError::InvalidMarkerWrite));
        } else {
            sure(encode::write_ext_meta(out, 12, TIMESTAMP));
            sure(out.write_bytes(&[0; 4]).map_err(ValueWriteError::InvalidMarkerWrite));
            sure(out.write_bytes(&seconds.to_be_bytes()).map_err(ValueWriteError::InvalidMarkerWrite));
        }
        Ok(())
    }
}
