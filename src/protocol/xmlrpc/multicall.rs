//! `system.multicall`: several calls in one, as CPython's servers offer it. Takes an array of structs
//! `{methodName, params}`; answers an array with `[value]` or `{faultCode, faultString}` for each.
//!
//! Arguments are read as open values and written again for each method's own codec: the outer document
//! cannot be cut by comparing bytes, and nobody measures this path.

use super::own_values;
use crate::codec::Shape;
use crate::protocol::Part;
use crate::rpc::{Fault, FaultKind, Field, Type, Value};

/// The method's name.
pub(super) const NAME: &str = "system.multicall";

/// Takes the arguments apart.
///
/// # Errors
/// They are not one array of calls; CPython answers with one fault then, too.
pub(super) fn parts(arguments: &[u8]) -> Result<Vec<Part>, Fault> {
    let shape = Shape::Params(vec![Field::new("calls", Type::List(Box::new(Type::Any)))]);
    let codec = own_values(&shape).ok_or_else(no_codec)?;
    let mut values = Vec::new();
    codec.decode(arguments, &mut values).map_err(|error| damaged(&error.to_string()))?;
    let Some(Value::List(calls)) = values.pop() else { return Err(damaged("no array of calls")) };
    calls.into_iter().map(part).collect()
}

fn part(call: Value) -> Result<Part, Fault> {
    let Value::Struct(fields) = call else { return Err(damaged("a call is a struct")) };
    let (mut method, mut params) = (None, Vec::new());
    for (name, value) in fields {
        match (&*name, value) {
            ("methodName", Value::Text(text)) => method = Some(text),
            ("params", Value::List(list)) => params = list,
            ("methodName" | "params", _) => return Err(damaged("methodName is text and params an array")),
            _ => {}
        }
    }
    let method = method.ok_or_else(|| damaged("a call without its methodName"))?;
    if method == NAME {
        let fault = Fault::new(FaultKind::BadArguments, "system.multicall within system.multicall");
        return Ok(Part::Refused(fault));
    }
    let shape = Shape::Params(params.iter().map(|_| Field::new("", Type::Any)).collect());
    let mut arguments = Vec::new();
    let codec = own_values(&shape).ok_or_else(no_codec)?;
    codec.encode(&params, &mut arguments).map_err(|error| damaged(&error.to_string()))?;
    Ok(Part::Call { method, arguments })
}

fn damaged(reason: &str) -> Fault {
    Fault::new(FaultKind::BadArguments, format!("{NAME}(): {reason}"))
}

fn no_codec() -> Fault {
    Fault::new(FaultKind::Internal, "this build has no XML codec to read the arguments with")
}
