//! The service file: how a service is handed to a server process in any language (`WIREBENCH_SERVICE`).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::service::Stall;
use super::{Answer, Delay, Field, Hold, How, Method, Service, ServiceMethod, Type, Value};

/// A service file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ServiceFileError {
    /// Not JSON of the expected shape.
    #[error("not a service file: {0}")]
    Json(#[from] serde_json::Error),
    /// A method echoes a parameter that it does not have.
    #[error("method {method}: echoes parameter {param:?}, which it does not have")]
    Echo {
        /// The method.
        method: String,
        /// The parameter.
        param: String,
    },
    /// A method's answers are computed, which no file can say.
    #[error("method {method}: its answers are computed; a service file says a value or an echo")]
    Computed {
        /// The method.
        method: String,
    },
    /// A service time of no known form.
    #[error(
        "method {method}: unknown service_time; allowed: fixed_ns, uniform_ns, exponential_ns, bimodal_ns, stall_ns, how"
    )]
    ServiceTime {
        /// The method.
        method: String,
    },
}

#[derive(Serialize, Deserialize)]
struct ServiceFile {
    service: String,
    #[serde(default)]
    seed: u64,
    /// In the order of the scenario: `serde_json` is built to keep it.
    methods: Map<String, Json>,
}

#[derive(Serialize, Deserialize)]
struct MethodFile {
    params: Vec<Field>,
    returns: Type,
    answer: AnswerFile,
    #[serde(default)]
    stream: Option<StreamFile>,
    #[serde(default)]
    service_time: Option<TimeFile>,
    #[serde(default)]
    fail_rate: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AnswerFile {
    Value(Value),
    Echo(String),
}

#[derive(Serialize, Deserialize)]
struct StreamFile {
    items: u64,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TimeFile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fixed_ns: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uniform_ns: Option<(u64, u64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exponential_ns: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bimodal_ns: Option<BimodalFile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stall_ns: Option<StallFile>,
    #[serde(default)]
    how: How,
}

#[derive(Serialize, Deserialize)]
struct BimodalFile {
    fast: u64,
    slow: u64,
    slow_share: f64,
}

#[derive(Serialize, Deserialize)]
struct StallFile {
    every: u64,
    r#for: u64,
}

/// Writes the service file.
///
/// # Errors
/// A value that JSON cannot hold (a time outside the years 0000 to 9999).
pub fn to_json(service: &Service) -> Result<String, ServiceFileError> {
    let mut methods = Map::new();
    for method in &service.methods {
        let file = MethodFile {
            params: method.method.params.clone(),
            returns: method.method.returns.clone(),
            answer: match &method.answer {
                Answer::Value(value) => AnswerFile::Value(value.clone()),
                Answer::Computed(_) => {
                    let method = method.method.name.to_string();
                    return Err(ServiceFileError::Computed { method });
                }
                Answer::Echo(position) => AnswerFile::Echo(
                    method
                        .method
                        .params
                        .get(*position)
                        .map_or_else(String::new, |field| field.name.to_string()),
                ),
            },
            stream: method.stream_items.map(|items| StreamFile { items }),
            service_time: method.delay.map(time_file),
            fail_rate: method.fail_rate,
        };
        methods.insert(method.method.name.to_string(), serde_json::to_value(file)?);
    }
    let file = ServiceFile { service: service.name.clone(), seed: service.seed, methods };
    Ok(serde_json::to_string_pretty(&file)?)
}

/// Reads a service file.
///
/// # Errors
/// See [`ServiceFileError`].
pub fn from_json(text: &str) -> Result<Service, ServiceFileError> {
    let file: ServiceFile = serde_json::from_str(text)?;
    let mut methods = Vec::with_capacity(file.methods.len());
    for (name, json) in file.methods {
        let method: MethodFile = serde_json::from_value(json)?;
        methods.push(from_file(&name, method)?);
    }
    Ok(Service { name: file.service, seed: file.seed, methods })
}

fn from_file(name: &str, file: MethodFile) -> Result<ServiceMethod, ServiceFileError> {
    let answer = match file.answer {
        AnswerFile::Value(value) => Answer::Value(value),
        AnswerFile::Echo(param) => {
            let position = file.params.iter().position(|field| *field.name == *param);
            Answer::Echo(position.ok_or_else(|| ServiceFileError::Echo { method: name.into(), param })?)
        }
    };
    let delay = match file.service_time {
        None => None,
        Some(time) => {
            Some(from_time(time).ok_or_else(|| ServiceFileError::ServiceTime { method: name.to_string() })?)
        }
    };
    Ok(ServiceMethod {
        method: Method { name: name.into(), params: file.params, returns: file.returns },
        answer,
        stream_items: file.stream.map(|stream| stream.items),
        delay,
        fail_rate: file.fail_rate,
    })
}

fn time_file(delay: Delay) -> TimeFile {
    let mut file = TimeFile { how: delay.how, ..TimeFile::default() };
    match delay.hold {
        Hold::Fixed(ns) => file.fixed_ns = Some(ns),
        Hold::Uniform(min, max) => file.uniform_ns = Some((min, max)),
        Hold::Exponential(ns) => file.exponential_ns = Some(ns),
        Hold::Bimodal { fast_ns, slow_ns, slow_share } => {
            file.bimodal_ns = Some(BimodalFile { fast: fast_ns, slow: slow_ns, slow_share });
        }
    }
    file.stall_ns = delay.stall.map(|stall| StallFile { every: stall.every_ns, r#for: stall.for_ns });
    file
}

fn from_time(file: TimeFile) -> Option<Delay> {
    let given = [
        file.fixed_ns.map(Hold::Fixed),
        file.uniform_ns.map(|(min, max)| Hold::Uniform(min, max)),
        file.exponential_ns.map(Hold::Exponential),
        file.bimodal_ns.map(|bimodal| Hold::Bimodal {
            fast_ns: bimodal.fast,
            slow_ns: bimodal.slow,
            slow_share: bimodal.slow_share,
        }),
    ];
    let mut given = given.into_iter().flatten();
    let hold = match (given.next(), given.next()) {
        (Some(hold), None) => hold,
        (None, None) if file.stall_ns.is_some() => Hold::Fixed(0),
        _ => return None,
    };
    let stall = file.stall_ns.map(|stall| Stall { every_ns: stall.every, for_ns: stall.r#for });
    Some(Delay { hold, stall, how: file.how })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_survives_its_file_in_order() {
        let method = |name: &str, answer, delay| ServiceMethod {
            method: Method {
                name: name.into(),
                params: vec![Field::new("data", Type::Text)],
                returns: Type::Text,
            },
            answer,
            stream_items: None,
            delay,
            fail_rate: 0.25,
        };
        let stall = Some(Stall { every_ns: 5, for_ns: 2 });
        let service = Service {
            name: "seed".into(),
            seed: 42,
            methods: vec![
                method("z", Answer::Echo(0), None),
                method(
                    "a",
                    Answer::Value(Value::Text("lqz nb".into())),
                    Some(Delay { hold: Hold::Exponential(1_000_000), stall, how: How::Serial }),
                ),
            ],
        };
        let json = to_json(&service).unwrap();
        assert!(json.contains(r#""exponential_ns": 1000000"#), "{json}");
        assert!(json.contains(r#""how": "serial""#), "{json}");
        assert_eq!(from_json(&json).unwrap(), service);
    }

    #[test]
    fn the_contract_of_the_design_is_readable() {
        let service = from_json(
            r#"{ "service": "seed", "methods": {
            "getObj": {"params": [], "returns": {"text": {}}, "answer": {"value": {"text": "lqz nb"}}, "service_time": null, "fail_rate": 0.0},
            "sendObj": {"params": [["data", {"text": {}}]], "returns": "nil", "answer": {"value": {"nil": null}}}}}"#,
        )
        .unwrap();
        assert_eq!(service.methods.len(), 2);
        assert_eq!(service.methods[1].method.params[0].ty, Type::Text);
        assert_eq!(service.methods[1].answer, Answer::Value(Value::Nil));
    }

    #[test]
    fn a_missing_echo_parameter_is_named() {
        let error =
            from_json(r#"{"service": "s", "methods": {"m": {"params": [], "returns": "nil", "answer": {"echo": "x"}}}}"#)
                .unwrap_err();
        assert_eq!(error.to_string(), "method m: echoes parameter \"x\", which it does not have");
    }
}
