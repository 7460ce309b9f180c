//! What a server tells about itself: the `_zerorpc_…` methods of `core.py`.

use super::event::{self, put_array, put_map, put_nil, put_text};
use crate::rpc::{Fault, FaultKind, Service, ServiceMethod};

/// The prefix of the names of these methods.
pub(super) const PREFIX: &str = "_zerorpc_";

/// Appends the result of an introspection method.
///
/// # Errors
/// The fault that the real server answers with; `out` is then as it was.
pub(super) fn answer(service: &Service, name: &str, args: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    match name {
        "_zerorpc_list" => {
            no_arguments(name, args)?;
            put_array(service.methods.len(), out);
            sorted(service).iter().for_each(|method| put_text(&method.method.name, out));
        }
        "_zerorpc_name" => {
            no_arguments(name, args)?;
            put_text(&service.name, out);
        }
        "_zerorpc_ping" => {
            no_arguments(name, args)?;
            put_array(2, out);
            put_text("pong", out);
            put_text(&service.name, out);
        }
        "_zerorpc_help" => put_text(&help(method(service, name, args)?), out),
        "_zerorpc_args" => {
            // Python's argument specification: names, then no *args, no **kwargs, no defaults.
            let method = method(service, name, args)?;
            put_array(4, out);
            put_array(method.method.params.len(), out);
            method.method.params.iter().for_each(|param| put_text(&param.name, out));
            (0..3).for_each(|_| put_nil(out));
        }
        "_zerorpc_inspect" => {
            no_arguments(name, args)?;
            inspect(service, out);
        }
        _ => return Err(Fault::unknown_method(name)),
    }
    Ok(())
}

fn inspect(service: &Service, out: &mut Vec<u8>) {
    put_map(2, out);
    put_text("name", out);
    put_text(&service.name, out);
    put_text("methods", out);
    put_map(service.methods.len(), out);
    for method in sorted(service) {
        put_text(&method.method.name, out);
        put_map(2, out);
        put_text("args", out);
        put_array(method.method.params.len(), out);
        for param in &method.method.params {
            put_map(1, out);
            put_text("name", out);
            put_text(&param.name, out);
        }
        put_text("doc", out);
        put_text(&help(method), out);
    }
}

/// In the order in which Python lists the members of an object.
fn sorted(service: &Service) -> Vec<&ServiceMethod> {
    let mut methods: Vec<_> = service.methods.iter().collect();
    methods.sort_by(|a, b| a.method.name.cmp(&b.method.name));
    methods
}

/// `store(user: struct { … }, blob: bytes) -> nil`.
fn help(method: &ServiceMethod) -> String {
    method.method.signature(method.stream_items.is_some())
}

fn arguments<'a>(name: &str, mut args: &'a [u8], expected: u32) -> Result<&'a [u8], Fault> {
    let given = event::array(&mut args)
        .ok_or_else(|| Fault::new(FaultKind::BadArguments, format!("{name}() takes a list of arguments")))?;
    if given == expected {
        return Ok(args);
    }
    Err(Fault::new(
        FaultKind::BadArguments,
        format!("{name}() takes {expected} arguments but {given} were given"),
    ))
}

fn no_arguments(name: &str, args: &[u8]) -> Result<(), Fault> {
    arguments(name, args, 0).map(|_| ())
}

/// The method that the one argument names.
fn method<'a>(service: &'a Service, name: &str, args: &[u8]) -> Result<&'a ServiceMethod, Fault> {
    let mut args = arguments(name, args, 1)?;
    let asked = event::take(&mut args).and_then(event::text).unwrap_or_default();
    service.position(asked).and_then(|position| service.methods.get(position)).ok_or_else(|| Fault {
        name: "KeyError".into(),
        ..Fault::new(FaultKind::Application, format!("'{asked}'"))
    })
}
