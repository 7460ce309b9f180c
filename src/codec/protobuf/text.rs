//! A protobuf file as a `.proto`.

use std::fmt::Write as _;

use super::schema::{File, Kind, Message};

/// Writes the file. The message of nil comes last, with a comment.
// Writing into a String cannot fail, here and below.
pub(super) fn proto(file: &File) -> String {
    let mut text = format!("syntax = \"proto3\";\n\npackage {};\n\n", file.package);
    for import in &file.imports {
        let _ = writeln!(text, "import \"{import}\";\n");
    }
    let _ = writeln!(text, "service {} {{", file.service);
    for rpc in &file.rpcs {
        let stream = if rpc.streams_responses { "stream " } else { "" };
        let _ = writeln!(text, "  rpc {}({}) returns ({stream}{});", rpc.name, rpc.request, rpc.response);
    }
    text.push_str("}\n");
    for message in &file.messages {
        text.push('\n');
        if file.nil.as_ref() == Some(&message.name) {
            text.push_str("// Nothing.\n");
        }
        write_message(message, file, 0, &mut text);
    }
    text
}

fn write_message(message: &Message, file: &File, level: usize, text: &mut String) {
    let indent = "  ".repeat(level);
    let name = &message.name;
    if message.fields.is_empty() {
        let _ = writeln!(text, "{indent}message {name} {{}}");
        return;
    }
    let _ = writeln!(text, "{indent}message {name} {{");
    for nested in &message.nested {
        write_message(nested, file, level + 1, text);
    }
    for field in &message.fields {
        let repeated = if field.repeated { "repeated " } else { "" };
        let ty = type_name(&field.kind, file);
        let _ = writeln!(text, "{indent}  {repeated}{ty} {} = {};", field.name, field.number);
    }
    let _ = writeln!(text, "{indent}}}");
}

/// Names are unique where they are used, so the last part of a path is enough.
fn type_name<'a>(kind: &'a Kind, file: &'a File) -> &'a str {
    match kind {
        Kind::Bool => "bool",
        Kind::Int32 => "int32",
        Kind::Sint64 => "sint64",
        Kind::Double => "double",
        Kind::String => "string",
        Kind::Bytes => "bytes",
        Kind::Timestamp => file.timestamp,
        Kind::Message(path) => path.rsplit('.').next().unwrap_or(path),
        // Only files that are never written as text have enums.
        Kind::Choice => "int32",
    }
}
