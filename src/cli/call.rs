//! `wirebench call`: one call to any server, from JSON to JSON.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value as Json, json};

use super::remote::{self, NO_ANSWER, Remote};
use crate::protocol::{OneAnswer, OneCall};
use crate::rpc::{Answer, CallError, Field, Method, Service, ServiceMethod, Type, Value};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where the server is, as grpc+http://127.0.0.1:50051
    url: String,
    /// The method
    method: String,
    /// The arguments: one JSON array
    #[arg(default_value = "[]")]
    args: String,
    /// How long connecting and the call may take
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = remote::duration)]
    timeout: u64,
    /// A header to send along (HTTP, gRPC); may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = remote::metadata)]
    metadata: Vec<(String, String)>,
    /// Take the method's types from this scenario
    #[arg(long, value_name = "SCENARIO")]
    scenario: Option<String>,
    /// Arguments and answer tell their types, as {"int": 5} and {"bytes": "AP8="}
    #[arg(long)]
    tagged: bool,
    /// XML-RPC: write integers beyond 32 bits as i8
    #[arg(long)]
    xmlrpc_i8: bool,
    /// What is printed: the answer, with time and bytes on standard error, or one object with all of it
    #[arg(long, default_value = "answer", value_parser = ["answer", "json"])]
    format: String,
}

/// The method that is called, in a service that has no other.
struct Target {
    remote: Remote,
    service: Arc<Service>,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let given: Vec<Json> =
        serde_json::from_str(&arguments.args).context("ARGS must be one JSON array, as '[1, \"two\"]'")?;
    let remote = Remote::open(&arguments.url, &arguments.metadata, arguments.xmlrpc_i8)?;
    let target = target(arguments, remote, given.len())?;
    let values = values(arguments, &target, &given)?;
    target
        .remote
        .protocol
        .check_arguments(&target.service, 0, &values)
        .with_context(|| format!("cannot call {}", arguments.method))?;
    let call = OneCall {
        protocol: &target.remote.protocol,
        service: &target.service,
        target: &target.remote.address,
        method: 0,
        arguments: &values,
        timeout: Duration::from_nanos(arguments.timeout),
    };
    let mut printed = Ok(());
    let outcome = call.make(&mut |item| {
        if printed.is_ok() {
            printed = print_line(&written(arguments, item));
        }
    });
    printed?;
    match outcome {
        Ok(answer) => show(arguments, &answer).map(|()| 0),
        Err(error) => refused(arguments, &target.remote, &error),
    }
}

fn target(arguments: &Arguments, mut remote: Remote, given: usize) -> anyhow::Result<Target> {
    if let Some(name) = &arguments.scenario {
        let service = super::find_scenario(name)?.service();
        let position = service.position(&arguments.method).with_context(|| {
            let names: Vec<&str> = service.methods.iter().map(|method| &*method.method.name).collect();
            format!("{name} has no method {:?}; it has: {}", arguments.method, names.join(", "))
        })?;
        let methods = vec![service.methods[position].clone()];
        return Ok(Target { remote, service: Arc::new(Service { methods, ..service }) });
    }
    remote.needs_types()?;
    let name = std::mem::take(&mut remote.service_name);
    let params = (1..=given).map(|number| Field::new(&format!("argument {number}"), Type::Any)).collect();
    let method = ServiceMethod {
        method: Method { name: arguments.method.as_str().into(), params, returns: Type::Any },
        answer: Answer::Value(Value::Nil),
        stream_items: None,
        delay: None,
        fail_rate: 0.0,
    };
    let service = Arc::new(Service { name, methods: vec![method], seed: 0 });
    Ok(Target { remote, service })
}

fn values(arguments: &Arguments, target: &Target, given: &[Json]) -> anyhow::Result<Vec<Value>> {
    let params = &target.service.methods[0].method.params;
    if params.len() != given.len() {
        let names: Vec<String> = params.iter().map(|param| format!("{}: {}", param.name, param.ty)).collect();
        anyhow::bail!(
            "{} takes {} arguments ({}), found {}",
            arguments.method,
            params.len(),
            names.join(", "),
            given.len()
        );
    }
    let value = |(param, json): (&Field, &Json)| {
        let read = if arguments.tagged {
            serde_json::from_value(json.clone()).map_err(anyhow::Error::from)
        } else {
            Value::from_plain_json_as(json, &param.ty).map_err(anyhow::Error::from)
        };
        read.with_context(|| format!("{}: not a value", param.name))
    };
    params.iter().zip(given).map(value).collect()
}

/// A value as it is printed.
fn written(arguments: &Arguments, value: &Value) -> Json {
    if arguments.tagged {
        // A time outside the years of RFC 3339 has no tagged form.
        serde_json::to_value(value).unwrap_or_else(|_| value.to_plain_json())
    } else {
        value.to_plain_json()
    }
}

fn print_line(json: &Json) -> anyhow::Result<()> {
    super::print(format!("{json}\n").as_bytes())
}

fn show(arguments: &Arguments, answer: &OneAnswer) -> anyhow::Result<()> {
    let value = answer.value.as_ref().map(|value| written(arguments, value));
    let traffic = answer.traffic;
    if arguments.format == "json" {
        return print_line(&json!({
            "answer": value,
            "items": answer.value.is_none().then_some(answer.items),
            "connect_ns": answer.opening.connect_ns,
            "service_ns": answer.service_ns,
            "bytes": {
                "request": {"encoded": answer.request_bytes, "framed": traffic.sent_bytes},
                "response": {"encoded": answer.response_bytes, "framed": traffic.received_bytes},
            },
        }));
    }
    if let Some(value) = value {
        print_line(&value)?;
    }
    let items = if answer.value.is_none() { format!("{} items, ", answer.items) } else { String::new() };
    anstream::eprintln!(
        "{items}{} (and {} to connect); {} bytes sent, {} received (arguments {}, answer {})",
        remote::milliseconds(answer.service_ns),
        remote::milliseconds(answer.opening.connect_ns),
        traffic.sent_bytes,
        traffic.received_bytes,
        answer.request_bytes,
        answer.response_bytes,
    );
    Ok(())
}

fn refused(arguments: &Arguments, remote: &Remote, error: &CallError) -> anyhow::Result<u8> {
    let (code, text) = match error {
        CallError::Remote(fault) => (1, remote.native(fault)),
        error => (NO_ANSWER, error.to_string()),
    };
    if arguments.format == "json" {
        let fault = match error {
            CallError::Remote(fault) => json!({
                "class": error.class().name(), "code": fault.code, "name": fault.name,
                "message": fault.message, "traceback": fault.traceback,
            }),
            error => json!({"class": error.class().name(), "message": error.to_string()}),
        };
        print_line(&json!({ "error": fault }))?;
    }
    anstream::eprintln!("{text}");
    Ok(code)
}
