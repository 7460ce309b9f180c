//! Reads the types of parameters and answers, with their literals and ranges.

use std::sync::Arc;

use base64::Engine as _;
use toml::Spanned;
use toml::de::DeValue;

use super::method_keys::BARE_TYPES;
use super::node::{Node, Problem, Read, Section};
use super::words::{closest, join, quote};
use crate::rpc::{Type, Value, parse_rfc3339};
use crate::scenario::{Length, Shape};

/// Where a range gives one end only, it is this wide.
const DEFAULT_RANGE: i64 = 1_000_000;

/// Reads a type: a bare name or a table with one key.
pub(super) fn read_shape(node: &Node<'_>) -> Read<Shape> {
    if node.is_text() {
        return read_bare(node);
    }
    let section = node.section().map_err(|problem| meant_a_list(node, problem))?;
    read_kind(section.first()?)
}

/// How a struct is written.
const A_STRUCT: &str = "for example { struct = { id = \"int\", name = \"text\" } }";
/// How a list is written.
const A_LIST: &str = "for example { list = { of = \"int\", length = 5 } }";

/// Adds how a list is written where one was surely meant: `["int"]`, or `{ of = "int" }`.
pub(super) fn meant_a_list(node: &Node<'_>, problem: Problem) -> Problem {
    let has_items = || node.literal().as_table().is_some_and(|table| table.contains_key("of"));
    if !node.is_list() && !has_items() {
        return problem;
    }
    let help = format!("a list is written as {}", A_LIST.trim_start_matches("for example "));
    let allowed = problem.help.as_deref().map_or_else(String::new, |allowed| format!("; {allowed}"));
    problem.with_help(format!("{help}{allowed}"))
}

fn read_bare(node: &Node<'_>) -> Read<Shape> {
    let text = node.literal().as_str().unwrap_or_default();
    match text {
        "list" => Err(node.problem("a list needs the type of its items").with_help(A_LIST)),
        "struct" => Err(node.problem("a struct needs its fields").with_help(A_STRUCT)),
        _ => bare(text).ok_or_else(|| {
            let problem = node.problem(format!("unknown type {}", quote(text)));
            let allowed = format!("{}, list, struct", join(BARE_TYPES));
            let names = BARE_TYPES.iter().copied().chain(["list", "struct"]);
            problem.with_help(match closest(text, names) {
                Some("list") => format!("{A_LIST}; allowed: {allowed}"),
                Some("struct") => format!("{A_STRUCT}; allowed: {allowed}"),
                Some(name) => format!("did you mean \"{name}\"? allowed: {allowed}"),
                None => format!("allowed: {allowed}"),
            })
        }),
    }
}

fn bare(name: &str) -> Option<Shape> {
    Some(match name {
        "nil" => Shape::Nil,
        "bool" => Shape::Bool,
        "int" => Shape::DEFAULT_INT,
        "float" => Shape::DEFAULT_FLOAT,
        "text" => Shape::Text { length: None },
        "bytes" => Shape::Bytes { length: None },
        "time" => Shape::DEFAULT_TIME,
        _ => return None,
    })
}

/// Reads one key of a type's table: `text = { length = 5 }`.
pub(super) fn read_kind(node: &Node<'_>) -> Read<Shape> {
    if node.name == "struct" {
        return read_struct(node);
    }
    if node.name == "json_file" {
        return super::samples::read_json_file(node);
    }
    let section = node.section().map_err(|problem| match node.name {
        "list" => problem.with_help(A_LIST),
        _ => problem,
    })?;
    if let Some(value) = section.get("value") {
        return read_literal(node.name, &section, value);
    }
    Ok(match node.name {
        "int" => read_int(&section)?,
        "float" => read_float(&section)?,
        "time" => read_time(&section)?,
        "text" => Shape::Text { length: section.get("length").map(read_length).transpose()? },
        "bytes" => Shape::Bytes { length: section.get("length").map(read_length).transpose()? },
        "list" => Shape::List {
            of: Box::new(read_shape(section.need("of")?)?),
            length: section.get("length").map(read_length).transpose()?,
        },
        name => bare(name).ok_or_else(|| node.name_problem("unknown type"))?,
    })
}

fn read_struct(node: &Node<'_>) -> Read<Shape> {
    let mut fields = Vec::new();
    for entry in node.entries()? {
        check_name(&entry)?;
        fields.push((Arc::from(entry.name), read_shape(&entry)?));
    }
    Ok(Shape::Struct(fields))
}

/// Refuses names of parameters and fields that no protocol could carry.
pub(super) fn check_name(node: &Node<'_>) -> Read<()> {
    let longest = super::keys::LONGEST_NAME;
    let fits = !node.name.is_empty()
        && node.name.chars().count() <= longest
        && !node.name.chars().any(|character| character.is_control() || character.is_whitespace());
    if fits {
        return Ok(());
    }
    Err(node
        .name_problem(format!("a name has 1 to {longest} characters, without spaces and control characters")))
}

fn read_literal(name: &str, section: &Section<'_>, value: &Node<'_>) -> Read<Shape> {
    for other in ["min", "max", "length"] {
        section.exclusive("value", other)?;
    }
    let (ty, value) = match name {
        "bool" => (Type::Bool, Value::Bool(value.boolean()?)),
        "int" => (Type::Int, Value::Int(value.integer()?)),
        "float" => (Type::Float, Value::Float(value.number()?)),
        "text" => (Type::Text, Value::Text(value.text()?.to_owned())),
        "bytes" => (Type::Bytes, Value::Bytes(decode_base64(value)?)),
        "time" => (Type::Time, Value::Time(value.time()?)),
        _ => {
            let of = read_shape(section.need("of")?)?.ty();
            let items = value.items()?;
            let items = items.iter().map(|item| literal(item, item.literal(), &of)).collect::<Read<_>>()?;
            (Type::List(Box::new(of)), Value::List(items))
        }
    };
    Ok(Shape::Literal { ty, value })
}

fn decode_base64(node: &Node<'_>) -> Read<Vec<u8>> {
    base64::engine::general_purpose::STANDARD
        .decode(node.text()?)
        .map_err(|error| node.problem(format!("bytes are written in base64: {error}")))
}

/// A TOML value as a value of a type.
fn literal(node: &Node<'_>, toml: &DeValue<'_>, ty: &Type) -> Read<Value> {
    let wrong = || node.problem(format!("expected a value of type {ty}, found {}", toml.type_str()));
    let integer =
        || toml.as_integer().and_then(|integer| i64::from_str_radix(integer.as_str(), integer.radix()).ok());
    match ty {
        Type::Bool => toml.as_bool().map(Value::Bool),
        Type::Int => integer().map(Value::Int),
        #[allow(clippy::cast_precision_loss)]
        Type::Float => toml
            .as_float()
            .and_then(|float| float.as_str().parse().ok())
            .or_else(|| integer().map(|integer| integer as f64))
            .map(Value::Float),
        Type::Text => toml.as_str().map(|text| Value::Text(text.to_owned())),
        Type::Bytes => toml
            .as_str()
            .and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok())
            .map(Value::Bytes),
        Type::Time => toml.as_str().and_then(parse_rfc3339).map(Value::Time),
        Type::List(of) => {
            let items = toml.as_array().ok_or_else(wrong)?;
            let items = items.iter().map(|item| literal(node, item.get_ref(), of)).collect::<Read<_>>()?;
            Some(Value::List(items))
        }
        Type::Struct(fields) => {
            let table = toml.as_table().ok_or_else(wrong)?;
            let value_of = |name: &str| {
                table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| Spanned::get_ref(value))
            };
            let mut values = Vec::with_capacity(fields.len());
            for field in fields {
                let value = value_of(&field.name)
                    .ok_or_else(|| node.problem(format!("the field {} is missing", quote(&field.name))))?;
                values.push((field.name.clone(), literal(node, value, &field.ty)?));
            }
            if table.len() != fields.len() {
                return Err(node.problem(format!("expected {} fields, found {}", fields.len(), table.len())));
            }
            Some(Value::Struct(values))
        }
        Type::Nil | Type::Any => None,
    }
    .ok_or_else(wrong)
}

fn read_int(section: &Section<'_>) -> Read<Shape> {
    let (min, max) = (section.get("min"), section.get("max"));
    let (min, max) = ends(
        min.map(Node::integer).transpose()?,
        max.map(Node::integer).transpose()?,
        (0, DEFAULT_RANGE),
        DEFAULT_RANGE,
    );
    in_order(section, min <= max)?;
    Ok(Shape::Int { min, max })
}

fn read_time(section: &Section<'_>) -> Read<Shape> {
    // A year; years 0000 to 9999 are all that a time can be.
    const YEAR_S: i64 = 366 * 86_400;
    let Shape::Time { min: default_min, max: default_max } = Shape::DEFAULT_TIME else {
        return Ok(Shape::DEFAULT_TIME);
    };
    let (min, max) = (section.get("min"), section.get("max"));
    let (min, max) = ends(
        min.map(Node::time).transpose()?,
        max.map(Node::time).transpose()?,
        (default_min, default_max),
        YEAR_S,
    );
    in_order(section, min <= max)?;
    let held = |seconds: i64, fallback| if crate::rpc::civil(seconds).is_some() { seconds } else { fallback };
    Ok(Shape::Time { min: held(min, max), max: held(max, min) })
}

/// Both ends of a range of which one may be missing.
fn ends(min: Option<i64>, max: Option<i64>, default: (i64, i64), width: i64) -> (i64, i64) {
    match (min, max) {
        (Some(min), Some(max)) => (min, max),
        (Some(min), None) if min <= default.1 => (min, default.1),
        (Some(min), None) => (min, min.saturating_add(width)),
        (None, Some(max)) if max >= default.0 => (default.0, max),
        (None, Some(max)) => (max.saturating_sub(width), max),
        (None, None) => default,
    }
}

fn read_float(section: &Section<'_>) -> Read<Shape> {
    let min = section.get("min").map(Node::number).transpose()?;
    let max = section.get("max").map(Node::number).transpose()?;
    let (min, max) = match (min, max) {
        (Some(min), Some(max)) => (min, max),
        (Some(min), None) => (min, if min <= 1_000.0 { 1_000.0 } else { min * 2.0 }),
        (None, Some(max)) => (if max >= 0.0 { 0.0 } else { max * 2.0 }, max),
        (None, None) => return Ok(Shape::DEFAULT_FLOAT),
    };
    in_order(section, min <= max)?;
    // The doubled end of a huge number.
    Ok(Shape::Float { min: min.max(f64::MIN), max: max.min(f64::MAX) })
}

fn in_order(section: &Section<'_>, ordered: bool) -> Read<()> {
    if ordered {
        return Ok(());
    }
    let node = section.get("min").unwrap_or(section.node());
    Err(min_beyond_max(node))
}

pub(super) fn min_beyond_max(node: &Node<'_>) -> Problem {
    node.problem("min is greater than max")
}

fn read_length(node: &Node<'_>) -> Read<Length> {
    if !node.is_table() {
        let length = node.unsigned()?;
        return Ok(Length { min: length, max: length });
    }
    let section = node.section()?;
    let (min, max) = (section.need("min")?.unsigned()?, section.need("max")?.unsigned()?);
    in_order(&section, min <= max)?;
    Ok(Length { min, max })
}
