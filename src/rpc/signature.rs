//! A method in one line, as help texts tell it: `store(user: struct { id: int }, note: text) -> nil`.
//! What our servers write, and other servers that want their types known, `wirebench inspect` reads back.

use super::{Field, Method, Type};

/// The deepest nesting of types that is read.
const MAX_DEPTH: usize = 64;

impl Method {
    /// The method in one line; `streams` where it answers with any number of items.
    #[must_use]
    pub fn signature(&self, streams: bool) -> String {
        let params: Vec<String> =
            self.params.iter().map(|param| format!("{}: {}", param.name, param.ty)).collect();
        let stream = if streams { STREAM } else { "" };
        format!("{}({}) -> {stream}{}", self.name, params.join(", "), self.returns)
    }

    /// Reads [`Self::signature`] back, and whether the method streams. `None` for any other text.
    #[must_use]
    pub fn from_signature(text: &str) -> Option<(Method, bool)> {
        let mut rest = text.trim();
        let name = take_name(&mut rest)?;
        take(&mut rest, "(")?;
        let params =
            if take(&mut rest, ")").is_some() { Vec::new() } else { take_fields(&mut rest, ")", 0)? };
        take(&mut rest, " -> ")?;
        let streams = take(&mut rest, STREAM).is_some();
        let returns = take_type(&mut rest, 0)?;
        rest.is_empty().then(|| (Method { name: name.into(), params, returns }, streams))
    }
}

const STREAM: &str = "stream of ";

fn take(rest: &mut &str, expected: &str) -> Option<()> {
    *rest = rest.strip_prefix(expected)?;
    Some(())
}

fn take_name<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let end = rest.find(|character: char| " ,:(){}".contains(character)).unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    *rest = after;
    (!name.is_empty()).then_some(name)
}

/// `a: int, b: text` up to `end`, which is taken, too.
fn take_fields(rest: &mut &str, end: &str, depth: usize) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    loop {
        let name = take_name(rest)?;
        take(rest, ": ")?;
        fields.push(Field::new(name, take_type(rest, depth)?));
        if take(rest, end).is_some() {
            return Some(fields);
        }
        take(rest, ", ")?;
    }
}

fn take_type(rest: &mut &str, depth: usize) -> Option<Type> {
    if depth > MAX_DEPTH {
        return None;
    }
    if take(rest, "list of ").is_some() {
        return Some(Type::List(Box::new(take_type(rest, depth + 1)?)));
    }
    if take(rest, "struct {").is_some() {
        if take(rest, " }").is_some() {
            return Some(Type::Struct(Vec::new()));
        }
        take(rest, " ")?;
        return Some(Type::Struct(take_fields(rest, " }", depth + 1)?));
    }
    Some(match take_name(rest)? {
        "nil" => Type::Nil,
        "bool" => Type::Bool,
        "int" => Type::Int,
        "float" => Type::Float,
        "text" => Type::Text,
        "bytes" => Type::Bytes,
        "time" => Type::Time,
        "any" => Type::Any,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let list = |of| Type::List(Box::new(of));
        let user = Type::Struct(vec![
            Field::new("id", Type::Int),
            Field::new("tags", list(list(Type::Struct(vec![])))),
            Field::new("größe", Type::Struct(vec![Field::new("x", Type::Float)])),
        ]);
        for (params, returns, streams) in [
            (vec![], Type::Nil, false),
            (vec![Field::new("user", user.clone()), Field::new("at", Type::Time)], list(user), true),
            (vec![Field::new("a", Type::Any), Field::new("b", Type::Bytes)], Type::Bool, true),
        ] {
            let method = Method { name: "a.b-c".into(), params, returns };
            let text = method.signature(streams);
            assert_eq!(Method::from_signature(&format!(" {text}\n")), Some((method, streams)), "{text}");
        }
    }

    #[test]
    fn any_other_text_is_no_signature() {
        for text in [
            "",
            "Adds two numbers.",
            "add(a, b)",
            "add(a: int, b: int)",
            "add(a: int, b: int) -> number",
            "add(a: int,) -> int",
            "add(a: int) -> int and more",
            "add(a: struct { x: int) -> int",
            "(a: int) -> int",
            &format!("f() -> {}int", "list of ".repeat(100_000)),
        ] {
            assert_eq!(Method::from_signature(text), None, "{:.40}", text);
        }
    }
}
