//! Values as people write them in JSON: without tags. What JSON has no form for (bytes, times, NaN)
//! stands as text, so reading it back needs the type; [`super::Value`]'s own JSON is the exact form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value as Json};

use super::types::{parse_rfc3339, rfc3339};
use super::{Field, Type, Value};

/// JSON that is no value, or none of the type asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: expected {expected}, found {found}")]
pub struct PlainJsonError {
    /// Where, as `user.tags[2]`.
    pub path: String,
    /// What was expected.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

/// The deepest nesting of lists and objects, as in every codec.
const MAX_DEPTH: usize = 64;

impl Value {
    /// The value of untyped JSON: whole numbers are ints, other numbers floats, objects structs.
    ///
    /// # Errors
    /// A whole number beyond 64 bits; nesting that no codec follows.
    pub fn from_plain_json(json: &Json) -> Result<Value, PlainJsonError> {
        Self::from_plain_json_as(json, &Type::Any)
    }

    /// The value of JSON that is meant as a type: bytes are base64 text, times RFC 3339 text, whole
    /// numbers do as floats, and a struct's fields may stand in any order.
    ///
    /// # Errors
    /// The first place that is of another type.
    pub fn from_plain_json_as(json: &Json, ty: &Type) -> Result<Value, PlainJsonError> {
        read(json, ty, "value", 0)
    }

    /// Two values that differ, as text for people: plain JSON, or with their types where that looks alike
    /// (bytes and their base64).
    #[must_use]
    pub fn told_apart(&self, other: &Value) -> (String, String) {
        let plain = (self.to_plain_json().to_string(), other.to_plain_json().to_string());
        if plain.0 != plain.1 {
            return plain;
        }
        // A time outside the years of RFC 3339 has no tagged form.
        let tagged = |value: &Value, plain: String| serde_json::to_string(value).unwrap_or(plain);
        (tagged(self, plain.0), tagged(other, plain.1))
    }

    /// The value as plain JSON.
    #[must_use]
    pub fn to_plain_json(&self) -> Json {
        match self {
            Value::Nil => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Int(value) => Json::Number((*value).into()),
            Value::Float(value) => {
                Number::from_f64(*value).map_or_else(|| Json::String(value.to_string()), Json::Number)
            }
            Value::Text(value) => Json::String(value.clone()),
            Value::Bytes(value) => Json::String(STANDARD.encode(value)),
            Value::Time(seconds) => rfc3339(*seconds).map_or_else(|| Json::from(*seconds), Json::String),
            Value::List(items) => Json::Array(items.iter().map(Value::to_plain_json).collect()),
            Value::Struct(fields) => {
                let mut map = Map::new();
                for (name, value) in fields {
                    map.insert(name.to_string(), value.to_plain_json());
                }
                Json::Object(map)
            }
        }
    }

    /// The narrowest type of this value: lists of values that differ are of the open type.
    #[must_use]
    pub fn ty(&self) -> Type {
        match self {
            Value::Nil => Type::Nil,
            Value::Bool(_) => Type::Bool,
            Value::Int(_) => Type::Int,
            Value::Float(_) => Type::Float,
            Value::Text(_) => Type::Text,
            Value::Bytes(_) => Type::Bytes,
            Value::Time(_) => Type::Time,
            Value::List(items) => {
                let common = items.iter().map(Value::ty).reduce(|a, b| a.common(&b));
                Type::List(Box::new(common.unwrap_or(Type::Any)))
            }
            Value::Struct(fields) => Type::Struct(
                fields.iter().map(|(name, value)| Field { name: name.clone(), ty: value.ty() }).collect(),
            ),
        }
    }
}

impl Type {
    /// The narrowest type that holds values of both: the open type where they differ.
    #[must_use]
    pub fn common(&self, other: &Type) -> Type {
        match (self, other) {
            (a, b) if a == b => a.clone(),
            (Type::List(a), Type::List(b)) => Type::List(Box::new(match (&**a, &**b) {
                // An empty list says nothing about its items.
                (Type::Any, known) | (known, Type::Any) => known.clone(),
                (a, b) => a.common(b),
            })),
            (Type::Struct(a), Type::Struct(b)) => {
                let paired = |field: &Field| {
                    let other = b.iter().find(|other| other.name == field.name)?;
                    Some(Field { name: field.name.clone(), ty: field.ty.common(&other.ty) })
                };
                match a.iter().map(paired).collect::<Option<Vec<_>>>() {
                    Some(fields) if fields.len() == b.len() => Type::Struct(fields),
                    _ => Type::Any,
                }
            }
            _ => Type::Any,
        }
    }
}

fn read(json: &Json, ty: &Type, path: &str, depth: usize) -> Result<Value, PlainJsonError> {
    let wrong = |expected: String| PlainJsonError { path: path.to_owned(), expected, found: describe(json) };
    if depth > MAX_DEPTH {
        return Err(wrong(format!("at most {MAX_DEPTH} levels of nesting")));
    }
    let text = || json.as_str().ok_or_else(|| wrong(ty.to_string()));
    Ok(match ty {
        Type::Any => return read_open(json, path, depth),
        Type::Nil if json.is_null() => Value::Nil,
        Type::Bool => Value::Bool(json.as_bool().ok_or_else(|| wrong("true or false".into()))?),
        Type::Int => Value::Int(json.as_i64().ok_or_else(|| wrong("a whole number of 64 bits".into()))?),
        Type::Float => Value::Float(match json {
            Json::String(text) => text.parse().map_err(|_| wrong("a number".into()))?,
            json => json.as_f64().ok_or_else(|| wrong("a number".into()))?,
        }),
        Type::Text => Value::Text(text()?.to_owned()),
        Type::Bytes => Value::Bytes(STANDARD.decode(text()?).map_err(|_| wrong("bytes in base64".into()))?),
        Type::Time => {
            let seconds = parse_rfc3339(text()?);
            Value::Time(seconds.ok_or_else(|| wrong("a time in UTC with whole seconds, as RFC 3339".into()))?)
        }
        Type::List(of) => {
            let items = json.as_array().ok_or_else(|| wrong(ty.to_string()))?;
            let item = |(index, item)| read(item, of, &format!("{path}[{index}]"), depth + 1);
            Value::List(items.iter().enumerate().map(item).collect::<Result<_, _>>()?)
        }
        Type::Struct(fields) => {
            let map = json.as_object().ok_or_else(|| wrong(ty.to_string()))?;
            let field = |field: &Field| {
                let found = map.get(&*field.name);
                let found = found.ok_or_else(|| wrong(format!("a field {:?}", field.name)))?;
                let value = read(found, &field.ty, &format!("{path}.{}", field.name), depth + 1)?;
                Ok((field.name.clone(), value))
            };
            let values = fields.iter().map(field).collect::<Result<Vec<_>, _>>()?;
            match map.keys().find(|key| fields.iter().all(|field| *field.name != ***key)) {
                Some(key) => return Err(wrong(format!("no field {key:?}"))),
                None => Value::Struct(values),
            }
        }
        Type::Nil => return Err(wrong("null".into())),
    })
}

fn read_open(json: &Json, path: &str, depth: usize) -> Result<Value, PlainJsonError> {
    let ty = match json {
        Json::Null => Type::Nil,
        Json::Bool(_) => Type::Bool,
        Json::Number(number) if number.is_f64() => Type::Float,
        Json::Number(_) => Type::Int,
        Json::String(_) => Type::Text,
        Json::Array(_) => Type::List(Box::new(Type::Any)),
        Json::Object(map) => {
            let field = |(name, json): (&String, &Json)| {
                Ok((name.as_str().into(), read(json, &Type::Any, &format!("{path}.{name}"), depth + 1)?))
            };
            return Ok(Value::Struct(map.iter().map(field).collect::<Result<_, _>>()?));
        }
    };
    read(json, &ty, path, depth)
}

fn describe(json: &Json) -> String {
    match json {
        Json::Null => "null".into(),
        Json::Bool(_) | Json::Number(_) => json.to_string(),
        Json::String(text) => format!("the text {:?}", text.chars().take(40).collect::<String>()),
        Json::Array(items) => format!("a list of {}", items.len()),
        Json::Object(map) => format!("an object of {} fields", map.len()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn untyped_json_keeps_whole_numbers_and_floats_apart() {
        let json = json!({"id": 1, "ratio": 1.0, "name": "5", "tags": [true, null]});
        let value = Value::from_plain_json(&json).unwrap();
        let Value::Struct(fields) = &value else { panic!("{value:?}") };
        assert_eq!(fields[0].1, Value::Int(1));
        assert_eq!(fields[1].1, Value::Float(1.0));
        assert_eq!(fields[3].1, Value::List(vec![Value::Bool(true), Value::Nil]));
        assert_eq!(value.to_plain_json(), json);
    }

    #[test]
    fn a_type_gives_meaning_to_text_and_whole_numbers() {
        let ty = Type::Struct(vec![
            Field::new("blob", Type::Bytes),
            Field::new("at", Type::Time),
            Field::new("ratio", Type::Float),
        ]);
        let json = json!({"ratio": 2, "blob": "AP8=", "at": "2023-11-14T22:13:20Z"});
        let value = Value::from_plain_json_as(&json, &ty).unwrap();
        assert!(ty.check(&value).is_ok());
        let expected = json!({"blob": "AP8=", "at": "2023-11-14T22:13:20Z", "ratio": 2.0});
        assert_eq!(value.to_plain_json(), expected);
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_place() {
        let ints = Type::List(Box::new(Type::Int));
        let error = Value::from_plain_json_as(&json!([1, "x"]), &ints).unwrap_err();
        assert_eq!(error.to_string(), "value[1]: expected a whole number of 64 bits, found the text \"x\"");
        assert!(Value::from_plain_json(&json!(u64::MAX)).is_err());
        let empty = Type::Struct(Vec::new());
        assert!(Value::from_plain_json_as(&json!({"a": 1}), &empty).is_err());
        let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
        assert!(Value::from_plain_json(&deep).is_err());
    }

    #[test]
    fn the_type_of_several_values_holds_them_all() {
        let ty = |json| Value::from_plain_json(&json).unwrap().ty();
        assert_eq!(ty(json!([1, 2])), Type::List(Box::new(Type::Int)));
        assert_eq!(ty(json!([1, "x"])), Type::List(Box::new(Type::Any)));
        assert_eq!(ty(json!([[], [1]])), ty(json!([[1], []])));
        assert_eq!(ty(json!([{"a": 1}, {"b": 1}])), Type::List(Box::new(Type::Any)));
    }

    #[test]
    fn values_that_differ_are_told_apart() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(Value::Int(1).told_apart(&Value::Text("1".into())), pair("1", "\"1\""));
        assert_eq!(Value::Int(1).told_apart(&Value::Float(1.0)), pair("1", "1.0"));
        let (bytes, text) = (Value::Bytes(vec![0, 255]), Value::Text("AP8=".into()));
        assert_eq!(bytes.told_apart(&text), pair(r#"{"bytes":"AP8="}"#, r#"{"text":"AP8="}"#));
    }
}
