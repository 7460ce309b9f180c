//! The JSON Schema of scenario files, made from the table of keys that the reader itself uses.
//!
//! It says what a table of keys can say (names, types, ranges); that a sequence needs a closed load
//! and the like only `wirebench validate` knows.

use serde_json::{Map, Value, json};

use super::read::keys::{Keys, Kind, MOST_DURATION_NS, SCENARIO};

/// The JSON Schema (draft 2020-12) of a scenario file, read as TOML.
#[must_use]
pub fn json_schema() -> Value {
    let mut definitions = Map::new();
    let mut schema = Map::new();
    schema.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".into(), json!("Wirebench scenario"));
    if let Value::Object(table) = table(&SCENARIO, &mut definitions) {
        schema.extend(table);
    }
    schema.insert("$defs".into(), Value::Object(definitions));
    Value::Object(schema)
}

fn table(keys: &'static Keys, definitions: &mut Map<String, Value>) -> Value {
    let mut properties = Map::new();
    for key in keys.keys {
        let mut schema = kind(&key.kind, definitions);
        if let Value::Object(schema) = &mut schema {
            schema.insert("description".into(), json!(key.doc));
        }
        properties.insert(key.name.into(), schema);
    }
    let mut schema = Map::new();
    schema.insert("type".into(), json!("object"));
    schema.insert("properties".into(), Value::Object(properties));
    schema.insert("additionalProperties".into(), json!(false));
    let required: Vec<&str> = keys.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    if !required.is_empty() {
        schema.insert("required".into(), json!(required));
    }
    if keys.exactly_one {
        schema.insert("minProperties".into(), json!(1));
        schema.insert("maxProperties".into(), json!(1));
    }
    Value::Object(schema)
}

/// A reference to a table of keys, which is defined once: types hold types.
fn reference(keys: &'static Keys, definitions: &mut Map<String, Value>) -> Value {
    if !definitions.contains_key(keys.name) {
        // The place is taken before the table is made, so that a table within itself ends there.
        definitions.insert(keys.name.into(), Value::Null);
        let schema = table(keys, definitions);
        definitions.insert(keys.name.into(), schema);
    }
    json!({ "$ref": format!("#/$defs/{}", keys.name) })
}

fn kind(kind_of: &'static Kind, definitions: &mut Map<String, Value>) -> Value {
    match kind_of {
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Integer { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
        Kind::Number { min, max } => json!({"type": "number", "minimum": min, "maximum": max}),
        Kind::AnyNumber => json!({"type": "number"}),
        Kind::Text { most } => json!({"type": "string", "minLength": 1, "maxLength": most}),
        Kind::AnyText => json!({"type": "string"}),
        Kind::Duration { .. } => json!({
            "type": "string",
            "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*(ns|us|µs|ms|s|m|h)\s*$",
            "$comment": format!("at most {}", super::format_duration_ns(MOST_DURATION_NS)),
        }),
        Kind::Time => json!({"type": "string", "format": "date-time"}),
        Kind::Choice(names) => json!({"enum": names}),
        Kind::List { of, least, most } => {
            json!({"type": "array", "items": kind(of, definitions), "minItems": least, "maxItems": most})
        }
        Kind::Table(keys) => reference(keys, definitions),
        Kind::Names { of, least, most } => json!({
            "type": "object",
            "additionalProperties": kind(of, definitions),
            "minProperties": least,
            "maxProperties": most,
        }),
        Kind::Either(forms) => {
            let forms: Vec<Value> = forms.iter().map(|form| kind(form, definitions)).collect();
            json!({ "anyOf": forms })
        }
        Kind::Literal => json!({}),
    }
}
