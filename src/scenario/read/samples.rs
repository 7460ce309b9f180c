//! Reads values of the user's own from JSON files.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;

use super::node::{Node, Problem, Read};
use super::shapes::read_shape;
use crate::rpc::{Type, Value};
use crate::scenario::Shape;

/// The largest file: what a client process is handed with its orders.
const MOST_BYTES: u64 = 64 << 20;

/// Reads `json_file = "PATH"` or `json_file = { path, type }`.
pub(super) fn read_json_file(node: &Node<'_>) -> Read<Shape> {
    let (path, ty) = if node.is_table() {
        let section = node.section()?;
        let ty = section.get("type").map(read_shape).transpose()?;
        (node.folder.join(section.need("path")?.text()?), ty.map(|shape| shape.ty()))
    } else {
        (node.folder.join(node.text()?), None)
    };
    let values = match load(node, &path)? {
        Json::Array(values) if values.is_empty() => {
            return Err(node.problem(format!("{} is an empty list", path.display())));
        }
        Json::Array(values) => values,
        value => vec![value],
    };
    let wanted = ty.as_ref().unwrap_or(&Type::Any);
    let value = |(index, json): (usize, &Json)| {
        Value::from_plain_json_as(json, wanted)
            .map_err(|error| node.problem(format!("{}: value {index}: {error}", path.display())))
    };
    let values: Arc<[Value]> = (1..).zip(&values).map(value).collect::<Read<_>>()?;
    let common = || values.iter().map(Value::ty).reduce(|a, b| a.common(&b));
    let ty = ty.or_else(common).unwrap_or(Type::Any);
    Ok(Shape::Sample { ty, values })
}

fn load(node: &Node<'_>, path: &Path) -> Read<Json> {
    let failed = |why: String| -> Problem { node.problem(format!("cannot read {}: {why}", path.display())) };
    let file = File::open(path).map_err(|error| failed(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| failed(error.to_string()))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(failed(format!("it has more than {} MiB", MOST_BYTES >> 20)));
    }
    serde_json::from_slice(&bytes).map_err(|error| failed(format!("not JSON: {error}")))
}
