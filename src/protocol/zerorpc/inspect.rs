//! What a zerorpc server says about itself: `_zerorpc_inspect`, or where that fails (the real server
//! cannot answer it on Python 3.11 and later) `_zerorpc_list` with what else it answers.

use crate::protocol::offer::{Asker, MAX_METHODS, Offer, OfferedMethod};
use crate::rpc::{CallError, Field, StructValue, Type, Value};

/// Asks a server what it offers.
pub(crate) fn introspect(asker: &Asker<'_>) -> Result<Offer, CallError> {
    match asker.ask("_zerorpc_inspect", &[]) {
        Ok(Value::Struct(fields)) => Ok(inspected(&fields)),
        Ok(other) => Err(CallError::Protocol {
            reason: format!("_zerorpc_inspect answered with a value of type {}", other.type_name()),
        }),
        Err(CallError::Remote(fault)) => {
            let mut offer = listed(asker)?;
            offer.notes.push(format!(
                "_zerorpc_inspect failed at the server ({}); the methods are from _zerorpc_list",
                fault.name
            ));
            Ok(offer)
        }
        Err(error) => Err(error),
    }
}

fn get<'v>(fields: &'v StructValue, name: &str) -> Option<&'v Value> {
    fields.iter().find(|(found, _)| **found == *name).map(|(_, value)| value)
}

/// `{name, methods: {m: {args: [{name, default?}], doc}}}`.
fn inspected(fields: &StructValue) -> Offer {
    let name = match get(fields, "name") {
        Some(Value::Text(name)) => Some(name.clone()),
        _ => None,
    };
    let methods = match get(fields, "methods") {
        Some(Value::Struct(methods)) => methods.iter().take(MAX_METHODS).map(|(name, about)| {
            let mut method = OfferedMethod::named(name.to_string());
            if let Value::Struct(about) = about {
                if let Some(Value::List(args)) = get(about, "args") {
                    let name = |arg: &Value| match arg {
                        Value::Struct(arg) => get(arg, "name").cloned(),
                        _ => None,
                    };
                    method.params = params(args.iter().filter_map(name));
                }
                if let Some(Value::Text(doc)) = get(about, "doc") {
                    method.document(doc);
                }
            }
            method
        }),
        _ => return Offer { name, ..Offer::default() },
    };
    Offer { name, methods: methods.collect(), ..Offer::default() }
}

fn params(names: impl Iterator<Item = Value>) -> Option<Vec<Field>> {
    let field = |name| match name {
        Value::Text(name) => Some(Field::new(&name, Type::Any)),
        _ => None,
    };
    let mut fields = names.map(field).collect::<Option<Vec<_>>>()?;
    // Python's methods list the object that they belong to.
    if fields.first().is_some_and(|field| &*field.name == "self") {
        fields.remove(0);
    }
    Some(fields)
}

fn listed(asker: &Asker<'_>) -> Result<Offer, CallError> {
    let Value::List(names) = asker.ask("_zerorpc_list", &[])? else {
        return Err(CallError::Protocol { reason: "_zerorpc_list answered with no list".into() });
    };
    let mut offer = Offer::default();
    if let Some(Value::Text(name)) = answered(asker.ask("_zerorpc_name", &[]))? {
        offer.name = Some(name);
    }
    // Where one method's arguments fail, all do: by the version of Python.
    let mut tells_arguments = true;
    for name in names.into_iter().take(MAX_METHODS) {
        let Value::Text(name) = name else { continue };
        if name.starts_with("_zerorpc_") {
            continue;
        }
        let asked = [Value::Text(name.clone())];
        let mut method = OfferedMethod::named(name);
        if tells_arguments {
            match answered(asker.ask("_zerorpc_args", &asked))? {
                // Python's argument specification: names, *args, **kwargs, defaults.
                Some(Value::List(specification)) => {
                    if let Some(Value::List(names)) = specification.into_iter().next() {
                        method.params = params(names.into_iter());
                    }
                }
                _ => tells_arguments = false,
            }
        }
        if let Some(Value::Text(help)) = answered(asker.ask("_zerorpc_help", &asked))? {
            method.document(&help);
        }
        offer.methods.push(method);
    }
    if offer.methods.iter().any(|method| method.params.is_none()) {
        offer.notes.push("the server tells no parameters".into());
    }
    Ok(offer)
}

/// The answer; `None` where the server answered with an error.
fn answered(outcome: Result<Value, CallError>) -> Result<Option<Value>, CallError> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(CallError::Remote(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_inspection_gives_names_without_self() {
        let value = Value::from_plain_json(&json!({"name": "shop", "methods": {
            "get": {"args": [{"name": "self"}, {"name": "id"}], "doc": " Gets. "},
            "odd": {"args": [7], "doc": null},
        }}));
        let Ok(Value::Struct(fields)) = value else { panic!("{value:?}") };
        let offer = inspected(&fields);
        assert_eq!(offer.name.as_deref(), Some("shop"));
        assert_eq!(offer.methods[0].params, Some(vec![Field::new("id", Type::Any)]));
        assert_eq!(offer.methods[0].help, "Gets.");
        assert_eq!(offer.methods[1].params, Some(vec![]));
    }
}
