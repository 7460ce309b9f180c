//! The part of JSON Schema that our schemas use. A keyword that is not known here fails the test: a
//! rule that nobody checks is no rule.

use predicates::Predicate as _;
use serde_json::{Map, Value};

/// What only explains.
const NOTES: [&str; 7] = ["$schema", "$comment", "$defs", "title", "description", "default", "format"];

/// Every way in which a value breaks a schema, with the place.
pub fn violations(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    Check { root: schema, found: &mut found }.value(schema, value, "$");
    found
}

struct Check<'a, 'found> {
    root: &'a Value,
    found: &'found mut Vec<String>,
}

impl<'a> Check<'a, '_> {
    fn value(&mut self, schema: &Value, value: &Value, at: &str) {
        let rules = match schema {
            Value::Bool(true) => return,
            Value::Object(rules) => rules,
            other => return self.found.push(format!("{at}: nothing is allowed by {other}")),
        };
        for (keyword, rule) in rules {
            if !NOTES.contains(&keyword.as_str()) {
                self.keyword(keyword, rule, rules, value, at);
            }
        }
    }

    fn keyword(&mut self, keyword: &str, rule: &Value, rules: &Map<String, Value>, value: &Value, at: &str) {
        let number = |value: &Value| value.as_f64().unwrap();
        let length = |value: &Value| match value {
            Value::String(text) => text.chars().count() as f64,
            Value::Array(items) => items.len() as f64,
            Value::Object(fields) => fields.len() as f64,
            _ => f64::NAN,
        };
        let holds = match keyword {
            "type" => match rule {
                Value::Array(types) => types.iter().any(|name| is_of(value, name.as_str().unwrap())),
                name => is_of(value, name.as_str().unwrap()),
            },
            "const" => value == rule,
            "enum" => rule.as_array().unwrap().contains(value),
            "minimum" => !value.is_number() || number(value) >= number(rule),
            "maximum" => !value.is_number() || number(value) <= number(rule),
            "minLength" => !value.is_string() || length(value) >= number(rule),
            "maxLength" => !value.is_string() || length(value) <= number(rule),
            "minItems" => !value.is_array() || length(value) >= number(rule),
            "maxItems" => !value.is_array() || length(value) <= number(rule),
            "minProperties" => !value.is_object() || length(value) >= number(rule),
            "maxProperties" => !value.is_object() || length(value) <= number(rule),
            "pattern" => value
                .as_str()
                .is_none_or(|text| predicates::str::is_match(rule.as_str().unwrap()).unwrap().eval(text)),
            "required" => value.as_object().is_none_or(|fields| {
                rule.as_array().unwrap().iter().all(|name| fields.contains_key(name.as_str().unwrap()))
            }),
            "anyOf" => self.matching(rule, value, at) >= 1,
            "oneOf" => self.matching(rule, value, at) == 1,
            "$ref" => return self.value(self.definition(rule), value, at),
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    self.value(rule, item, &format!("{at}[{index}]"));
                }
                true
            }
            "properties" | "additionalProperties" => {
                let known = rules.get("properties").and_then(Value::as_object);
                for (name, field) in value.as_object().into_iter().flatten() {
                    let own = known.and_then(|known| known.get(name));
                    let place = format!("{at}.{name}");
                    match (keyword, own) {
                        ("properties", Some(schema)) => self.value(schema, field, &place),
                        ("additionalProperties", None) => self.value(rule, field, &place),
                        _ => {}
                    }
                }
                true
            }
            other => panic!("{at}: the keyword {other} is not known to this test"),
        };
        if !holds {
            let shown: String = value.to_string().chars().take(200).collect();
            self.found.push(format!("{at}: {keyword} {rule} does not hold for {shown}"));
        }
    }

    fn matching(&self, alternatives: &Value, value: &Value, at: &str) -> usize {
        let matches = |schema: &&Value| {
            let mut found = Vec::new();
            Check { root: self.root, found: &mut found }.value(schema, value, at);
            found.is_empty()
        };
        alternatives.as_array().unwrap().iter().filter(matches).count()
    }

    fn definition(&self, reference: &Value) -> &'a Value {
        let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
        self.root.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"))
    }
}

fn is_of(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("there is no type {other}"),
    }
}
