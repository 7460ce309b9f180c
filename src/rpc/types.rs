//! Types of values, and the signature of a method.

use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Value;

/// The type of a value. A service checks types only; lengths and ranges guide the generator.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Type {
    /// No value.
    Nil,
    /// A truth value.
    Bool,
    /// A signed 64-bit integer.
    Int,
    /// An IEEE 754 double.
    Float,
    /// Unicode text.
    Text,
    /// Raw bytes.
    Bytes,
    /// Whole seconds, UTC.
    Time,
    /// Values of one type, in order.
    List(Box<Type>),
    /// Named fields in a fixed order.
    Struct(Vec<Field>),
    /// Whatever a self-describing codec finds. Codecs that need a type refuse it.
    Any,
}

/// A named and typed parameter of a method or field of a struct.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field {
    /// The name.
    pub name: Arc<str>,
    /// The type.
    pub ty: Type,
}

/// A method's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    /// The name on the wire.
    pub name: Arc<str>,
    /// The parameters, in order.
    pub params: Vec<Field>,
    /// The type of the result, or of one item where the method streams.
    pub returns: Type,
}

/// A value that is not of the type it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: expected {expected}, found {found}")]
pub struct TypeMismatch {
    /// Where in the value, as `user.tags[2]`.
    pub path: String,
    /// The type that was asked for.
    pub expected: String,
    /// What stood there.
    pub found: String,
}

impl Type {
    /// Checks that `value` is of this type.
    ///
    /// # Errors
    /// The first place where it is not.
    pub fn check(&self, value: &Value) -> Result<(), TypeMismatch> {
        if self.accepts(value) { Ok(()) } else { Err(self.mismatch(value, String::from("value"))) }
    }

    fn accepts(&self, value: &Value) -> bool {
        match (self, value) {
            (Type::Any, _)
            | (Type::Nil, Value::Nil)
            | (Type::Bool, Value::Bool(_))
            | (Type::Int, Value::Int(_))
            | (Type::Float, Value::Float(_))
            | (Type::Text, Value::Text(_))
            | (Type::Bytes, Value::Bytes(_))
            | (Type::Time, Value::Time(_)) => true,
            (Type::List(item), Value::List(items)) => items.iter().all(|value| item.accepts(value)),
            (Type::Struct(fields), Value::Struct(values)) => {
                fields.len() == values.len()
                    && fields.iter().zip(values).all(|(field, (name, value))| {
                        if *name == field.name {
                            field.ty.accepts(value)
                        } else {
                            values.iter().any(|(name, value)| *name == field.name && field.ty.accepts(value))
                        }
                    })
            }
            _ => false,
        }
    }

    fn mismatch(&self, value: &Value, path: String) -> TypeMismatch {
        match (self, value) {
            (Type::List(item), Value::List(items)) => {
                if let Some((index, value)) = items.iter().enumerate().find(|(_, value)| !item.accepts(value))
                {
                    return item.mismatch(value, format!("{path}[{index}]"));
                }
            }
            (Type::Struct(fields), Value::Struct(values)) => {
                for field in fields {
                    let path = format!("{path}.{}", field.name);
                    match values.iter().find(|(name, _)| *name == field.name) {
                        None => {
                            return TypeMismatch {
                                path,
                                expected: field.ty.to_string(),
                                found: "nothing".into(),
                            };
                        }
                        Some((_, value)) if !field.ty.accepts(value) => {
                            return field.ty.mismatch(value, path);
                        }
                        Some(_) => {}
                    }
                }
                return TypeMismatch {
                    path,
                    expected: format!("{} fields", fields.len()),
                    found: format!("{} fields", values.len()),
                };
            }
            _ => {}
        }
        TypeMismatch { path, expected: self.to_string(), found: value.type_name().into() }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Nil => f.write_str("nil"),
            Type::Bool => f.write_str("bool"),
            Type::Int => f.write_str("int"),
            Type::Float => f.write_str("float"),
            Type::Text => f.write_str("text"),
            Type::Bytes => f.write_str("bytes"),
            Type::Time => f.write_str("time"),
            Type::Any => f.write_str("any"),
            Type::List(item) => write!(f, "list of {item}"),
            Type::Struct(fields) => {
                f.write_str("struct {")?;
                for (index, field) in fields.iter().enumerate() {
                    write!(f, "{} {}: {}", if index == 0 { "" } else { "," }, field.name, field.ty)?;
                }
                f.write_str(" }")
            }
        }
    }
}

/// In the service file: `"nil"`, `{"text": {}}`, `{"list": {"of": …}}`,
/// `{"struct": [["id", {"int": {}}], …]}` (a list of pairs, so that the order survives any JSON
/// library). A bare name is accepted for every simple type.
impl Serialize for Type {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl Type {
    fn to_json(&self) -> serde_json::Value {
        use serde_json::json;
        match self {
            Type::Nil => json!("nil"),
            Type::Any => json!("any"),
            Type::List(item) => json!({"list": {"of": item.to_json()}}),
            Type::Struct(fields) => {
                let fields: Vec<_> =
                    fields.iter().map(|field| json!([&*field.name, field.ty.to_json()])).collect();
                json!({ "struct": fields })
            }
            simple => {
                let mut map = serde_json::Map::new();
                map.insert(simple.to_string(), json!({}));
                serde_json::Value::Object(map)
            }
        }
    }

    fn simple(name: &str) -> Option<Type> {
        Some(match name {
            "nil" => Type::Nil,
            "bool" => Type::Bool,
            "int" => Type::Int,
            "float" => Type::Float,
            "text" => Type::Text,
            "bytes" => Type::Bytes,
            "time" => Type::Time,
            "any" => Type::Any,
            _ => return None,
        })
    }

    fn from_json(json: &serde_json::Value) -> Result<Type, String> {
        let unknown =
            || format!("unknown type {json}; allowed: nil bool int float text bytes time any list struct");
        if let Some(name) = json.as_str() {
            return Type::simple(name).ok_or_else(unknown);
        }
        let (name, inner) = match json.as_object().map(|map| (map.len(), map.iter().next())) {
            Some((1, Some(entry))) => entry,
            _ => return Err(unknown()),
        };
        match name.as_str() {
            "list" => {
                let item = inner.get("of").ok_or_else(|| format!("a list needs \"of\": {json}"))?;
                Ok(Type::List(Box::new(Type::from_json(item)?)))
            }
            "struct" => {
                let pairs = inner.as_array().ok_or_else(|| format!("a struct is a list of pairs: {json}"))?;
                let fields = pairs.iter().map(Field::from_json).collect::<Result<_, _>>()?;
                Ok(Type::Struct(fields))
            }
            name => Type::simple(name).ok_or_else(unknown),
        }
    }
}

impl<'de> Deserialize<'de> for Type {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Type::from_json(&serde_json::Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl Field {
    /// A field.
    #[must_use]
    pub fn new(name: &str, ty: Type) -> Self {
        Self { name: Arc::from(name), ty }
    }

    fn from_json(json: &serde_json::Value) -> Result<Field, String> {
        match json.as_array().map(Vec::as_slice) {
            Some([serde_json::Value::String(name), ty]) => Ok(Field::new(name, Type::from_json(ty)?)),
            _ => Err(format!("expected a pair of a name and a type, found {json}")),
        }
    }
}

/// A pair: `["data", {"text": {}}]`.
impl Serialize for Field {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&*self.name, &self.ty).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Field::from_json(&serde_json::Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Year, month, day, hour, minute and second of a time in whole seconds UTC, or `None` outside
/// the years 0000 to 9999. Proleptic Gregorian calendar (days-from-civil by the era method).
#[must_use]
pub fn civil(seconds: i64) -> Option<(i64, u32, u32, u32, u32, u32)> {
    let days = seconds.div_euclid(86_400);
    let second_of_day = u32::try_from(seconds.rem_euclid(86_400)).ok()?;
    let shifted = days.checked_add(719_468)?;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = u32::try_from(day_of_year - (153 * shifted_month + 2) / 5 + 1).ok()?;
    let month = u32::try_from(if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 }).ok()?;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (0..=9_999).contains(&year).then_some((
        year,
        month,
        day,
        second_of_day / 3_600,
        second_of_day / 60 % 60,
        second_of_day % 60,
    ))
}

/// The inverse of [`civil`]; `None` for a date that does not exist.
#[must_use]
pub fn from_civil(year: i64, month: u32, day: u32, hour: u32, minute: u32, second: u32) -> Option<i64> {
    let plausible = (0..=9_999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !plausible {
        return None;
    }
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let shifted_month = i64::from(if month > 2 { month - 3 } else { month + 9 });
    let day_of_year = (153 * shifted_month + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    let seconds = days * 86_400 + i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
    let round_trip = civil(seconds)?;
    (round_trip.1 == month && round_trip.2 == day).then_some(seconds)
}

/// RFC 3339 in UTC with whole seconds: `2023-11-14T22:13:20Z`; `None` outside years 0000 to 9999.
#[must_use]
pub fn rfc3339(seconds: i64) -> Option<String> {
    let (year, month, day, hour, minute, second) = civil(seconds)?;
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"))
}

/// Reads what [`rfc3339`] writes: UTC, whole seconds, `Z`.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() != 20 || !text.is_ascii() {
        return None;
    }
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'Z')];
    if separators.iter().any(|&(at, byte)| bytes[at] != byte) {
        return None;
    }
    let number = |from: usize, to: usize| -> Option<u32> {
        let digits = &text[from..to];
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    from_civil(
        i64::from(number(0, 4)?),
        number(5, 7)?,
        number(8, 10)?,
        number(11, 13)?,
        number(14, 16)?,
        number(17, 19)?,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mismatch_names_the_place() {
        let ty = Type::Struct(vec![Field::new("tags", Type::List(Box::new(Type::Text)))]);
        let value =
            Value::Struct(vec![("tags".into(), Value::List(vec![Value::Text("a".into()), Value::Int(1)]))]);
        let error = ty.check(&value).unwrap_err();
        assert_eq!(error.to_string(), "value.tags[1]: expected text, found int");
    }

    #[test]
    fn types_survive_the_service_file() {
        let ty = Type::Struct(vec![
            Field::new("b", Type::List(Box::new(Type::List(Box::new(Type::Int))))),
            Field::new("a", Type::Nil),
        ]);
        let json = serde_json::to_string(&ty).unwrap();
        assert_eq!(json, r#"{"struct":[["b",{"list":{"of":{"list":{"of":{"int":{}}}}}}],["a","nil"]]}"#);
        assert_eq!(serde_json::from_str::<Type>(&json).unwrap(), ty);
    }

    #[test]
    fn civil_dates_agree_with_known_ones() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (-62_167_219_200, "0000-01-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(seconds).as_deref(), Some(text));
            assert_eq!(parse_rfc3339(text), Some(seconds));
        }
        assert_eq!(rfc3339(253_402_300_800), None);
        assert_eq!(parse_rfc3339("2023-02-29T00:00:00Z"), None);
        assert_eq!(parse_rfc3339("2023-02-28T00:00:00+"), None);
    }
}
