//! Refusals: of types when a shape is prepared, of values when they are encoded, of bytes when they
//! are decoded. The hot path carries a small mark; words are made only once something is wrong.

use crate::codec::{DecodeError, EncodeError, MAX_DEPTH, Shape, Unsupported};
use crate::rpc::{Field, Type, Value};

/// Why a value is not encoded, in a form that costs the hot path little.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It is not of the shape's type; [`encode_error`] finds out where.
    Type,
    /// The codec has no form for it, in words.
    Value(Box<str>),
}

impl Refused {
    #[cold]
    pub(crate) fn value(what: impl Into<Box<str>>) -> Self {
        Self::Value(what.into())
    }
}

/// Bytes that are not what they should be; boxed, because results of it are passed up every level.
pub(crate) type Damage = Box<DecodeError>;

/// The result of a decoding step.
pub(crate) type Decoded<T> = Result<T, Damage>;

/// Says which rule the bytes of a codec break, and where.
#[cold]
pub(crate) fn damage(codec: &'static str, reason: impl Into<String>, at: usize) -> Damage {
    Box::new(DecodeError { codec, reason: reason.into(), at })
}

/// Says that something else stands where a value of a type should.
#[cold]
pub(crate) fn mismatch(codec: &'static str, ty: &Type, found: &str, at: usize) -> Damage {
    damage(codec, format!("expected {ty}, found {found}"), at)
}

/// Undoes what a failed decoding appended.
#[cold]
pub(crate) fn decode_error(error: DecodeError, values: &mut Vec<Value>, before: usize) -> DecodeError {
    values.truncate(before);
    error
}

/// One level deeper into the value of an open type, which no prepared type bounds.
pub(crate) fn enter(depth: usize) -> Result<usize, Refused> {
    if depth < MAX_DEPTH {
        Ok(depth + 1)
    } else {
        Err(Refused::value(format!("lists and structs nested deeper than {MAX_DEPTH}")))
    }
}

/// Calls `write` for every value with its type.
pub(crate) fn each(
    shape: &Shape,
    values: &[Value],
    mut write: impl FnMut(&Type, &Value) -> Result<(), Refused>,
) -> Result<(), Refused> {
    match (shape, values) {
        (Shape::Result(ty), [value]) => write(ty, value),
        (Shape::Params(fields), values) if fields.len() == values.len() => {
            fields.iter().zip(values).try_for_each(|(field, value)| write(&field.ty, value))
        }
        _ => Err(Refused::Type),
    }
}

/// Words a refusal: which value is wrong, and where.
#[cold]
pub(crate) fn encode_error(
    codec: &'static str,
    shape: &Shape,
    values: &[Value],
    refused: Refused,
) -> EncodeError {
    let what = match refused {
        Refused::Value(what) => what.into_string(),
        Refused::Type => return type_error(shape, values),
    };
    EncodeError::Unsupported { codec, what }
}

fn type_error(shape: &Shape, values: &[Value]) -> EncodeError {
    let expected = match shape {
        Shape::Params(fields) => fields.len(),
        Shape::Result(_) => 1,
    };
    if expected != values.len() {
        return EncodeError::Type {
            expected: format!("{expected} values"),
            found: format!("{} values", values.len()),
        };
    }
    let named = |(index, value): (usize, &Value)| match shape {
        Shape::Params(fields) => fields.get(index).map(|field| (&*field.name, field.ty.check(value))),
        Shape::Result(ty) => Some(("result", ty.check(value))),
    };
    let wrong = values.iter().enumerate().filter_map(named).find_map(|(name, checked)| {
        let mismatch = checked.err()?;
        let inside = mismatch.path.strip_prefix("value").unwrap_or(&mismatch.path).to_owned();
        Some(EncodeError::Type {
            expected: format!("{} as {name}{inside}", mismatch.expected),
            found: mismatch.found,
        })
    });
    wrong.unwrap_or_else(|| EncodeError::Type {
        expected: "a value of the prepared type".into(),
        found: "another".into(),
    })
}

/// Refuses the types that no codec carries (nested too deep, two fields of one name) and those that
/// `refuse` finds words against.
pub(crate) fn check_shape(
    codec: &'static str,
    shape: &Shape,
    refuse: &dyn Fn(&Type) -> Option<String>,
) -> Result<(), Unsupported> {
    let mut walk = Walk { codec, refuse, path: Vec::new() };
    match shape {
        Shape::Params(fields) => {
            walk.path.push("params");
            fields.iter().try_for_each(|field| walk.field(field, 0))
        }
        Shape::Result(ty) => {
            walk.path.push("returns");
            walk.ty(ty, 0)
        }
    }
}

struct Walk<'a> {
    codec: &'static str,
    refuse: &'a dyn Fn(&Type) -> Option<String>,
    path: Vec<&'a str>,
}

impl<'a> Walk<'a> {
    fn refused(&self, what: String) -> Unsupported {
        Unsupported { codec: self.codec, what, place: self.path.join(".") }
    }

    fn field(&mut self, field: &'a Field, depth: usize) -> Result<(), Unsupported> {
        self.path.push(&field.name);
        self.ty(&field.ty, depth)?;
        self.path.pop();
        Ok(())
    }

    fn ty(&mut self, ty: &'a Type, depth: usize) -> Result<(), Unsupported> {
        if let Some(what) = (self.refuse)(ty) {
            return Err(self.refused(what));
        }
        if matches!(ty, Type::List(_) | Type::Struct(_)) && depth == MAX_DEPTH {
            return Err(self.refused(format!("lists and structs nested deeper than {MAX_DEPTH}")));
        }
        match ty {
            Type::List(item) => self.ty(item, depth + 1),
            Type::Struct(fields) => {
                let mut names: Vec<&str> = fields.iter().map(|field| &*field.name).collect();
                names.sort_unstable();
                if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
                    return Err(self.refused(format!("two fields named {:?}", twice[0])));
                }
                fields.iter().try_for_each(|field| self.field(field, depth + 1))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> Type {
        (0..levels).fold(Type::Int, |inner, _| Type::List(Box::new(inner)))
    }

    #[test]
    fn a_shape_is_refused_with_its_place() {
        let user = Type::Struct(vec![Field::new("born", Type::List(Box::new(Type::Time)))]);
        let shape = Shape::Params(vec![Field::new("user", user)]);
        let refuse = |ty: &Type| (*ty == Type::Time).then(|| "times".to_owned());
        let error = check_shape("xml", &shape, &refuse).unwrap_err();
        assert_eq!(error.to_string(), "xml cannot carry times (params.user.born)");
    }

    #[test]
    fn types_are_refused_beyond_the_deepest_level_only() {
        let check = |levels| check_shape("xml", &Shape::Result(nested(levels)), &|_| None);
        assert_eq!(check(MAX_DEPTH), Ok(()));
        assert!(check(MAX_DEPTH + 1).is_err());
    }

    #[test]
    fn two_fields_of_one_name_are_refused() {
        let twice = Type::Struct(vec![Field::new("a", Type::Int), Field::new("a", Type::Text)]);
        let error = check_shape("xml", &Shape::Result(twice), &|_| None).unwrap_err();
        assert_eq!(error.what, "two fields named \"a\"");
    }

    #[test]
    fn a_wrong_value_is_named_by_its_parameter() {
        let shape = Shape::Params(vec![Field::new("ids", Type::List(Box::new(Type::Int)))]);
        let values = [Value::List(vec![Value::Int(1), Value::Nil])];
        let error = encode_error("xml", &shape, &values, Refused::Type);
        assert_eq!(error.to_string(), "expected int as ids[1], found nil");
        let error = encode_error("xml", &shape, &[], Refused::Type);
        assert_eq!(error.to_string(), "expected 1 values, found 0 values");
    }
}
