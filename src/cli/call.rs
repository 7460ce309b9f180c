//! `wirebench call`: one call to any server, from JSON to JSON.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value as Json, json};

use super::remote::{self, NO_ANSWER, Remote, printable, printable_lines};
use crate::codec::{ProtoMethod, ProtoSchema};
use crate::protocol::{Asker, OneAnswer, OneCall, ProtocolError, one_method, reflect};
use crate::rpc::{CallError, Compression, Field, Service, Type, Value};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where the server is, as grpc+http://127.0.0.1:50051
    url: String,
    /// The method
    method: String,
    /// The arguments: one JSON array. gRPC: the request as one object, '[{"field": value}]', or the values
    /// of its fields in their order
    #[arg(default_value = "[]")]
    args: String,
    /// How long connecting and the call may take
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = remote::duration)]
    timeout: u64,
    /// A header to send along (HTTP, gRPC); may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = remote::metadata)]
    metadata: Vec<(String, String)>,
    /// Pack the request by gzip and ask for a packed answer (HTTP, gRPC)
    #[arg(long, value_name = "NAME", default_value = "none", value_parser = ["none", "gzip"])]
    compression: String,
    /// Take the method's types from this scenario
    #[arg(long, value_name = "SCENARIO")]
    scenario: Option<String>,
    /// gRPC: take the types from this .proto (or compiled .protoset) instead of asking the server
    #[arg(long, value_name = "FILE", conflicts_with = "scenario")]
    proto: Option<PathBuf>,
    /// Where the .proto finds its imports
    #[arg(long, value_name = "DIR", requires = "proto")]
    proto_include: Vec<PathBuf>,
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

/// What an argument looks like that tells its type.
const TAGGED: &str = "with --tagged expected \"nil\", or an object of one of bool, int, float, text, bytes, time, \
                      list and struct, as {\"int\": 5}";

/// The method that is called, in a service that has no other.
struct Target {
    remote: Remote,
    service: Arc<Service>,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let mut given = read_arguments(arguments)?;
    let compression = Compression::from_name(&arguments.compression).unwrap_or_default();
    let remote = Remote::open(&arguments.url, &arguments.metadata, compression, arguments.xmlrpc_i8)?;
    let target = match target(arguments, remote, &mut given)? {
        Ok(target) => target,
        Err((remote, error)) => return refused(arguments, &remote, &error),
    };
    let values = values(arguments, &target, &given)?;
    target
        .remote
        .protocol
        .check_arguments(&target.service, 0, &values)
        .map_err(|error| anyhow::anyhow!("{}: {}", attempted(arguments), not_carried(&error)))?;
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

/// What was attempted, and where: the first words of every error that is not the server's own.
fn attempted(arguments: &Arguments) -> String {
    printable(&format!("cannot call {} at {}", arguments.method, arguments.url))
}

fn read_arguments(arguments: &Arguments) -> anyhow::Result<Vec<Json>> {
    let found = match serde_json::from_str(&arguments.args) {
        Ok(Json::Array(given)) => return Ok(given),
        Ok(Json::Object(_)) => "an object".to_owned(),
        Ok(Json::String(_)) => "a text".to_owned(),
        Ok(one) => printable(&one.to_string()),
        Err(error) => format!("what is no JSON from its column {} on", error.column()),
    };
    anyhow::bail!(
        "{}: the arguments are one JSON array, as '[1, \"two\"]', found {found}",
        attempted(arguments)
    )
}

/// Why a protocol cannot carry the arguments: without the method, which was told, and with this command's own
/// option in place of a scenario's key.
fn not_carried(error: &ProtocolError) -> String {
    let why = match error {
        ProtocolError::Unsupported { source, .. } => source.to_string(),
        ProtocolError::Value { source, .. } => source.to_string(),
        other => other.to_string(),
    };
    printable(&why.replace("xmlrpc_i8 = true", "--xmlrpc-i8"))
}

/// Finds out how the method is called; the inner error is the server's, when it was asked.
fn target(
    arguments: &Arguments,
    remote: Remote,
    given: &mut Vec<Json>,
) -> anyhow::Result<Result<Target, (Remote, CallError)>> {
    if let Some(name) = &arguments.scenario {
        let service = super::find_scenario(name)?.service();
        let position = service.position(&arguments.method).with_context(|| {
            let names: Vec<&str> = service.methods.iter().map(|method| &*method.method.name).collect();
            format!("{name} has no method {:?}; it has: {}", arguments.method, names.join(", "))
        })?;
        let methods = vec![service.methods[position].clone()];
        return Ok(Ok(Target { remote, service: Arc::new(Service { methods, ..service }) }));
    }
    if remote.is_grpc() {
        let schema = match schema(arguments, &remote)? {
            Ok(schema) => schema,
            Err(error) => return Ok(Err((remote, error))),
        };
        let target = grpc_target(arguments, remote, given, &schema);
        return target.map(Ok).with_context(|| attempted(arguments));
    }
    anyhow::ensure!(arguments.proto.is_none(), "{} has no use for a .proto", remote.protocol.label());
    remote.needs_types()?;
    let params = (1..=given.len()).map(|number| Field::new(&format!("argument {number}"), Type::Any));
    let service = one_method(&arguments.method, params.collect(), Type::Any, None);
    Ok(Ok(Target { remote, service }))
}

/// The server's types: from the file, or from the server itself.
fn schema(arguments: &Arguments, remote: &Remote) -> anyhow::Result<Result<ProtoSchema, CallError>> {
    if let Some(file) = &arguments.proto {
        return Ok(Ok(crate::run::load_proto(file, &arguments.proto_include)?));
    }
    let deadline = Instant::now() + Duration::from_nanos(arguments.timeout);
    let outcome = reflect(&Asker { protocol: &remote.protocol, target: &remote.address, deadline });
    if let Err(CallError::Remote(_)) = &outcome {
        anstream::eprintln!(
            "the server does not tell its types (gRPC reflection); give them with --proto or --scenario"
        );
    }
    Ok(outcome)
}

fn grpc_target(
    arguments: &Arguments,
    remote: Remote,
    given: &mut Vec<Json>,
    schema: &ProtoSchema,
) -> anyhow::Result<Target> {
    let (service, method) = find_method(&arguments.method, schema)?;
    anyhow::ensure!(!method.client_streaming, "{}: the client streams, which is not supported", method.name);
    // One object is the request; with --tagged every value is an object, a message a struct.
    let is_request = match given.as_slice() {
        [] => true,
        [Json::Object(only)] => !arguments.tagged || only.contains_key("struct"),
        _ => false,
    };
    if !is_request {
        let fields = &method.request_fields;
        anyhow::ensure!(
            given.len() <= fields.len(),
            "{} takes {}, which has {} fields ({}), found {} arguments",
            method.name,
            method.request,
            fields.len(),
            fields.join(", "),
            given.len()
        );
        let request: Json = fields.iter().cloned().zip(given.drain(..)).collect();
        given.push(if arguments.tagged { json!({ "struct": request }) } else { request });
    }
    let Remote { protocol, address } = remote;
    let protocol = protocol.with_proto(schema, Some(&service))?;
    // No field has a space in its name: the one argument is the whole message.
    let params = given.iter().map(|_| Field::new("the request", Type::Any)).collect();
    let items = method.server_streaming.then_some(1);
    let service = one_method(&method.name, params, Type::Any, items);
    Ok(Target { remote: Remote { protocol, address }, service })
}

/// A method by its name, alone where no other service has it too, or as `package.Service/Method`.
fn find_method(asked: &str, schema: &ProtoSchema) -> anyhow::Result<(String, ProtoMethod)> {
    let services = schema.services();
    let (wanted, name) = match asked.trim_start_matches('/').rsplit_once(['/', '.']) {
        Some((service, name)) => (Some(service), name),
        None => (None, asked),
    };
    let mut found = Vec::new();
    let mut names = Vec::new();
    for service in services {
        for method in service.methods {
            names.push(printable(&format!("{}/{}", service.name, method.name)));
            if method.name == name && wanted.is_none_or(|wanted| wanted == service.name) {
                found.push((service.name.clone(), method));
            }
        }
    }
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => anyhow::bail!("there is no method {asked:?}; there are: {}", names.join(", ")),
        (Some(_), false) => anyhow::bail!("several services have {asked:?}: {}", names.join(", ")),
    }
}

fn values(arguments: &Arguments, target: &Target, given: &[Json]) -> anyhow::Result<Vec<Value>> {
    let params = &target.service.methods[0].method.params;
    if params.len() != given.len() {
        let names: Vec<String> = params.iter().map(|param| format!("{}: {}", param.name, param.ty)).collect();
        anyhow::bail!(
            "{}: {} takes {} arguments ({}), found {}",
            attempted(arguments),
            arguments.method,
            params.len(),
            names.join(", "),
            given.len()
        );
    }
    let value = |(param, json): (&Field, &Json)| {
        let read = if arguments.tagged {
            // What the reader of JSON says of it is about its own types.
            serde_json::from_value(json.clone()).map_err(|_| format!("{TAGGED}, found {json}"))
        } else {
            Value::from_plain_json_as(json, &param.ty).map_err(|error| error.to_string())
        };
        read.map_err(|why| {
            let why = why.strip_prefix("value: ").unwrap_or(&why);
            anyhow::anyhow!("{}: {}: {}", attempted(arguments), param.name, printable(why))
        })
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
        error => (NO_ANSWER, format!("{}: {error}", attempted(arguments))),
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
    anstream::eprintln!("{}", printable_lines(&text));
    Ok(code)
}
