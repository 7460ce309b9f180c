//! What an XML-RPC server says about itself: the `system` methods of
//! <https://xmlrpc-c.sourceforge.io/introspection.html>, which CPython's server has too.

use super::{LIST_METHODS, METHOD_HELP, METHOD_SIGNATURE};
use crate::protocol::offer::{Asker, MAX_METHODS, Offer, OfferedMethod};
use crate::rpc::{CallError, Field, Type, Value};

/// Asks a server what it offers.
pub(crate) fn introspect(asker: &Asker<'_>) -> Result<Offer, CallError> {
    let listed = asker.ask(LIST_METHODS, &[])?;
    let Value::List(names) = listed else {
        let reason = format!("{LIST_METHODS} answered with a value of type {}", listed.type_name());
        return Err(CallError::Protocol { reason });
    };
    let names = names.into_iter().filter_map(|name| match name {
        Value::Text(name) if !name.starts_with("system.") => Some(name),
        _ => None,
    });
    let mut offer = Offer::default();
    for name in names.take(MAX_METHODS) {
        let mut method = OfferedMethod::named(name);
        let asked = Value::Text(method.name.clone());
        // Servers without signatures or help answer with a text or a fault: nothing is known then.
        if let Some(Value::List(signatures)) =
            answered(asker.ask(METHOD_SIGNATURE, std::slice::from_ref(&asked)))?
        {
            sign(&mut method, &signatures, &mut offer.notes);
        }
        if let Some(Value::Text(help)) = answered(asker.ask(METHOD_HELP, &[asked]))? {
            method.document(&help);
        }
        offer.methods.push(method);
    }
    if offer.methods.iter().any(|method| method.params.is_none()) {
        offer.notes.push("the server tells no parameters (XML-RPC signatures are optional)".into());
    }
    Ok(offer)
}

/// The answer; `None` where the server answered with a fault.
fn answered(outcome: Result<Value, CallError>) -> Result<Option<Value>, CallError> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(CallError::Remote(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Takes the first of a method's signatures: the type of the answer and those of the parameters.
fn sign(method: &mut OfferedMethod, signatures: &[Value], notes: &mut Vec<String>) {
    let Some(Value::List(types)) = signatures.first() else { return };
    let named = |ty: &Value| match ty {
        Value::Text(name) => type_of(name),
        _ => Type::Any,
    };
    let Some((returns, params)) = types.split_first() else { return };
    method.returns = named(returns);
    let param = |(number, ty): (usize, &Value)| Field::new(&format!("argument{number}"), named(ty));
    method.params = Some((1..).zip(params).map(param).collect());
    if signatures.len() > 1 {
        notes.push(format!("{} has {} signatures; the first is taken", method.name, signatures.len()));
    }
}

fn type_of(name: &str) -> Type {
    match name {
        "int" | "i4" | "i8" => Type::Int,
        "boolean" => Type::Bool,
        "string" => Type::Text,
        "double" => Type::Float,
        "dateTime.iso8601" => Type::Time,
        "base64" => Type::Bytes,
        "nil" => Type::Nil,
        _ => Type::Any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_gives_the_types_and_no_names() {
        let text = |text: &str| Value::Text(text.into());
        let mut method = OfferedMethod::named("m".into());
        let mut notes = Vec::new();
        let signature = Value::List(vec![text("string"), text("int"), text("array")]);
        sign(&mut method, &[signature, Value::List(vec![])], &mut notes);
        assert_eq!(method.returns, Type::Text);
        let params = vec![Field::new("argument1", Type::Int), Field::new("argument2", Type::Any)];
        assert_eq!(method.params, Some(params));
        assert_eq!(notes, ["m has 2 signatures; the first is taken"]);
    }
}
