//! The JSON Schema says what the reader does.

use serde_json::Value as Json;
use toml::Value as Toml;

use super::*;

/// Enough of JSON Schema for what [`json_schema`] writes; an unknown word is a failure, so that
/// the schema cannot outgrow this check.
fn accepts(schema: &Json, root: &Json, value: &Json) -> Result<(), String> {
    let Json::Object(schema) = schema else { return Err("a schema is an object".into()) };
    for (word, rule) in schema {
        let number = rule.as_f64().unwrap_or(f64::NAN);
        let holds = match word.as_str() {
            "$schema" | "title" | "description" | "$comment" | "$defs" | "format" => true,
            "$ref" => {
                let pointer = rule.as_str().unwrap().trim_start_matches('#');
                accepts(root.pointer(pointer).ok_or("dangling $ref")?, root, value)?;
                true
            }
            "type" => match rule.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "integer" => value.is_i64() || value.is_u64(),
                "number" => value.is_number(),
                other => return Err(format!("type {other}")),
            },
            "enum" => rule.as_array().unwrap().contains(value),
            "anyOf" => rule.as_array().unwrap().iter().any(|form| accepts(form, root, value).is_ok()),
            "minimum" => value.as_f64().is_none_or(|value| value >= number),
            "maximum" => value.as_f64().is_none_or(|value| value <= number),
            "minLength" => value.as_str().is_none_or(|text| text.chars().count() as f64 >= number),
            "maxLength" => value.as_str().is_none_or(|text| text.chars().count() as f64 <= number),
            "pattern" => value.as_str().is_none_or(|text| parse_duration_ns(text).is_ok()),
            "minItems" => value.as_array().is_none_or(|items| items.len() as f64 >= number),
            "maxItems" => value.as_array().is_none_or(|items| items.len() as f64 <= number),
            "minProperties" => value.as_object().is_none_or(|map| map.len() as f64 >= number),
            "maxProperties" => value.as_object().is_none_or(|map| map.len() as f64 <= number),
            "required" => value.as_object().is_none_or(|map| {
                rule.as_array().unwrap().iter().all(|name| map.contains_key(name.as_str().unwrap()))
            }),
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    accepts(rule, root, item)?;
                }
                true
            }
            "properties" => {
                for (name, schema) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        accepts(schema, root, value).map_err(|why| format!("{name}: {why}"))?;
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = schema.get("properties").and_then(Json::as_object);
                for (name, value) in value.as_object().into_iter().flatten() {
                    if known.is_some_and(|known| known.contains_key(name)) {
                        continue;
                    }
                    if rule == &Json::Bool(false) {
                        return Err(format!("{name} is unknown"));
                    }
                    accepts(rule, root, value).map_err(|why| format!("{name}: {why}"))?;
                }
                true
            }
            other => return Err(format!("unknown word {other}")),
        };
        if !holds {
            return Err(format!("{word} {rule} refuses {value}"));
        }
    }
    Ok(())
}

fn json_of(text: &str) -> Json {
    fn convert(value: Toml) -> Json {
        match value {
            // JSON has no NaN; to a schema it is any number.
            Toml::Float(value) if value.is_nan() => Json::from(0.5),
            Toml::Datetime(time) => Json::String(time.to_string()),
            Toml::Array(items) => Json::Array(items.into_iter().map(convert).collect()),
            Toml::Table(table) => table.into_iter().map(|(name, value)| (name, convert(value))).collect(),
            other => serde_json::to_value(other).unwrap(),
        }
    }
    convert(Toml::Table(toml::from_str(text).unwrap()))
}

fn check(text: &str) -> Result<(), String> {
    let schema = json_schema();
    accepts(&schema, &schema, &json_of(text))
}

/// Every key of every table at least once.
const EVERY_KEY: &[&str] = &[
    r#"
name = "every key"
description = ""
seed = 0
[methods.a]
params = { user = { struct = { id = { int = { min = 1, max = 5 } }, tags = { list = { of = "text", length = { min = 0, max = 2 } } } } },
           b = { bool = { value = true } }, i = { int = { value = -1 } }, f = { float = { value = nan } },
           g = { float = { min = 0, max = 1.5 } }, t = { text = { value = "" } }, n = { nil = {} },
           x = { bytes = { value = "AAE=" } }, y = { bytes = { length = 5 } },
           z = { time = { min = 2000-01-01T00:00:00Z, max = "2001-01-01T00:00:00Z" } },
           w = { time = { value = 2023-11-14T23:13:20+01:00 } },
           l = { list = { of = { struct = { a = "int" } }, value = [{ a = 1 }, { a = 2 }] } } }
returns = { echo = "user" }
service_time = { uniform = ["1ms", "2ms"], stall = { every = "2s", for = "200ms" }, how = "busy" }
fail = { rate = 0.5 }
stream = { items = 10 }
[methods.b]
returns = { text = { length = { min = 1, max = 2 } } }
service_time = { bimodal = { fast = "1ms", slow = "50ms", slow_share = 0.005 } }
[methods.c]
returns = "int"
service_time = { uniform = { min = "0s", max = "1ms" } }
[methods.d]
service_time = { fixed = "1ms" }
[methods.e]
service_time = { exponential = "1ms" }
[methods.g]
params = { a = { json_file = "tests/data/notes.json" }, b = { json_file = { path = "tests/data/notes.json", type = { struct = { title = "text", body = "text", blob = "bytes" } } } } }
returns = "any"
expect = "any"
[methods.f]
service_time = { stall = { every = "2s", for = "200ms" } }
[mix]
weights = { a = 1, b = 0 }
[load]
open = { rate_per_s = 500, arrivals = "poisson" }
connections = 2
in_flight = 1
connection_mode = "per-call"
duration = "1.5s"
warmup = "0s"
rounds = 1
placement = "shared"
idle = "spin"
write_batch = 16
timeout = "5s"
client_threads = 2
wire_calls = 20
stage_samples = 8
server_threads = 2
[sweep]
rate_per_s = [1, 2.5]
connections = [2, 4]
in_flight = [1]
connection_mode = ["persistent", "per-call"]
placement = ["split", "shared", "free"]
idle = ["park", "spin"]
payload = [0, 1024]
[gates]
slo = ["p99 <= 5ms", "errors == 0"]
errors = "1%"
inconclusive = "fail"
metrics = ["service p50", "p99", "rate", "cpu"]
noise_margin = "1.5%"
limit = "5%"
floor = { time = "1us", cpu = "0ns" }
alpha = 0.01
rounds = 40
budget = "2m"
round = "1s"
early_stop = false
bytes = "show"
[backends.a]
protocol = "xmlrpc"
hosting = "subprocess"
command = ["{python}", "x.py", "{\"json\": 1}", "--port", "{port}"]
optional = true
xmlrpc_i8 = true
server_threads = 2
[backends.b]
codec = "msgpack"
transport = "tcp"
hosting = "in-process"
listen = "tcp"
[backends.c]
url = "grpc+http://[::1]:50051"
hosting = "external"
proto = "a.proto"
proto_include = ["protos"]
service = "shop.Orders"
metadata = { authorization = "Bearer x" }
compression = "gzip"
"#,
    r#"
name = "a sequence"
[methods.a]
[mix]
sequence = [{ method = "a", calls = 5 }]
[load]
closed = { concurrency = 1 }
warmup = { calls = 0 }
[gates]
errors = 5
[backends.a]
protocol = "null"
"#,
    r#"
name = "a sweep"
[methods.a]
[load]
calls = 5
think_time = { uniform = ["1ms", "2ms"] }
[sweep]
concurrency = [1, 8]
think_time = ["0s", "1ms"]
[backends.a]
protocol = "null"
"#,
    r#"
name = "stages"
[methods.a]
[load]
open = { arrivals = "poisson" }
stages = [
    { ramp_from_per_s = 0, ramp_to_per_s = 500, for = "5s", label = "morning" },
    { rate_per_s = 500, for = "10s" },
    { ramp_to_per_s = 2000.5, for = "5s" },
]
[backends.a]
protocol = "null"
"#,
    r#"
name = "steps"
[methods.a]
[load]
stages = [{ concurrency = 1, for = "5s" }, { concurrency = 8, for = "5s" }]
[backends.a]
protocol = "null"
"#,
    r#"
name = "capacity"
[methods.a]
[load]
open = {}
[capacity]
slo = ["p99 <= 5ms", "wait p50 < 1ms"]
min_per_s = 1
max_per_s = 1000
precision = 0.1
[backends.a]
protocol = "null"
"#,
];

#[test]
fn what_the_reader_accepts_the_schema_accepts() {
    let shipped = embedded::SCENARIOS.iter().map(|scenario| scenario.text);
    for text in EVERY_KEY.iter().copied().chain(shipped) {
        parse(text);
        check(text).unwrap_or_else(|why| panic!("{why}\n{text}"));
    }
}

#[test]
fn the_examples_hold_every_key_of_the_schema_so_none_is_untested() {
    fn properties(schema: &Json, found: &mut std::collections::BTreeSet<String>) {
        if let Some(map) = schema.get("properties").and_then(Json::as_object) {
            found.extend(map.keys().cloned());
        }
    }
    let schema = json_schema();
    let mut keys = std::collections::BTreeSet::new();
    properties(&schema, &mut keys);
    for definition in schema["$defs"].as_object().unwrap().values() {
        properties(definition, &mut keys);
    }
    assert!(keys.len() > 60, "{keys:?}");
    let examples = EVERY_KEY.concat();
    let holds = |key: &str| {
        examples.match_indices(key).any(|(at, _)| {
            let rest = examples[at + key.len()..].trim_start();
            rest.starts_with('=') || rest.starts_with(']') || rest.starts_with('.')
        })
    };
    let missing: Vec<_> = keys.iter().filter(|key| !holds(key)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn what_the_schema_refuses_the_reader_refuses() {
    let good = EVERY_KEY[0];
    for (from, to) in [
        ("seed = 0", "seed = -1"),
        ("seed = 0", "sed = 0"),
        ("arrivals = \"poisson\"", "arrivals = \"x\""),
        ("rounds = 1", "rounds = 0"),
        ("items = 10", "items = \"10\""),
        ("{ nil = {} }", "{ nil = { value = 1 } }"),
        ("{ nil = {} }", "{}"),
        ("rate = 0.5", "rate = 1.5"),
        ("duration = \"1.5s\"", "duration = \"1.5\""),
        ("payload = [0, 1024]", "payload = []"),
        ("optional = true", "optional = 1"),
        ("alpha = 0.01", "alpha = 0.9"),
        ("rounds = 40", "rounds = 501"),
        ("bytes = \"show\"", "bytes = true"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        assert!(check(&bad).is_err(), "{to}");
        assert!(Scenario::parse("test.toml", &bad, &Fixed).is_err(), "{to}");
    }
}
