//! A protobuf file as its descriptor: what `protoc` would make of the `.proto`, for servers that tell
//! clients about themselves.
//!
//! Source: google/protobuf/descriptor.proto, whose field numbers stand here.

use prost::encoding::{WireType, bool, encode_key, encode_varint, int32};

use super::schema::{File, Kind, Message, MessageField, Rpc};

/// The file of `google.protobuf.Timestamp`.
pub(crate) const TIMESTAMP_FILE: &str = "google/protobuf/timestamp.proto";

/// Its descriptor as protobuf's own compiler makes it, options included: a client that knows the file
/// already takes no other.
pub(crate) const TIMESTAMP: &[u8] = b"\n\x1fgoogle/protobuf/timestamp.proto\x12\x0fgoogle.protobuf\
    \";\n\tTimestamp\x12\x18\n\x07seconds\x18\x01 \x01(\x03R\x07seconds\
    \x12\x14\n\x05nanos\x18\x02 \x01(\x05R\x05nanos\
    B\x85\x01\n\x13com.google.protobufB\x0eTimestampProtoP\x01\
    Z2google.golang.org/protobuf/types/known/timestamppb\
    \xf8\x01\x01\xa2\x02\x03GPB\xaa\x02\x1eGoogle.Protobuf.WellKnownTypesb\x06proto3";

const LABEL_OPTIONAL: i32 = 1;
const LABEL_REPEATED: i32 = 3;

/// The bytes of the file's `FileDescriptorProto`.
pub(crate) fn encode(file: &File) -> Vec<u8> {
    let package = format!(".{}", file.package);
    let mut out = Vec::new();
    text(1, &file.name, &mut out);
    text(2, &file.package, &mut out);
    for import in &file.imports {
        text(3, import, &mut out);
    }
    for message in &file.messages {
        part(4, &message_bytes(message, &package, &package), &mut out);
    }
    let mut service = Vec::new();
    text(1, &file.service, &mut service);
    for rpc in &file.rpcs {
        part(2, &rpc_bytes(rpc, &package), &mut service);
    }
    part(6, &service, &mut out);
    text(12, "proto3", &mut out);
    out
}

fn rpc_bytes(rpc: &Rpc, package: &str) -> Vec<u8> {
    let mut out = Vec::new();
    text(1, &rpc.name, &mut out);
    text(2, &format!("{package}.{}", rpc.request), &mut out);
    text(3, &format!("{package}.{}", rpc.response), &mut out);
    for (number, streams) in [(5, rpc.streams_requests), (6, rpc.streams_responses)] {
        if streams {
            bool::encode(number, &true, &mut out);
        }
    }
    out
}

/// `package` and `outer`, the name of what the message stands in, begin with a dot.
fn message_bytes(message: &Message, package: &str, outer: &str) -> Vec<u8> {
    let path = format!("{outer}.{}", message.name);
    let mut out = Vec::new();
    text(1, &message.name, &mut out);
    for field in &message.fields {
        part(2, &field_bytes(field, message, package, &path), &mut out);
    }
    for nested in &message.nested {
        part(3, &message_bytes(nested, package, &path), &mut out);
    }
    if let Some((name, values)) = message.choice {
        let mut choice = Vec::new();
        text(1, name, &mut choice);
        for (number, value) in (0..).zip(values) {
            let mut bytes = Vec::new();
            text(1, value, &mut bytes);
            int32::encode(2, &number, &mut bytes);
            part(2, &bytes, &mut choice);
        }
        part(4, &choice, &mut out);
    }
    if let Some(oneof) = message.oneof {
        let mut bytes = Vec::new();
        text(1, oneof, &mut bytes);
        part(8, &bytes, &mut out);
    }
    out
}

fn field_bytes(field: &MessageField, message: &Message, package: &str, path: &str) -> Vec<u8> {
    let choice = message.choice.map_or("", |(name, _)| name);
    let (number, named) = match &field.kind {
        Kind::Double => (1, None),
        Kind::Int32 => (5, None),
        Kind::Bool => (8, None),
        Kind::String => (9, None),
        Kind::Timestamp => (11, Some(".google.protobuf.Timestamp".to_owned())),
        Kind::Message(inner) => (11, Some(format!("{package}.{inner}"))),
        Kind::Bytes => (12, None),
        Kind::Choice => (14, Some(format!("{path}.{choice}"))),
        Kind::Sint64 => (18, None),
    };
    let mut out = Vec::new();
    text(1, &field.name, &mut out);
    int32::encode(3, &field.number, &mut out);
    int32::encode(4, if field.repeated { &LABEL_REPEATED } else { &LABEL_OPTIONAL }, &mut out);
    int32::encode(5, &number, &mut out);
    if let Some(named) = named {
        text(6, &named, &mut out);
    }
    if field.in_oneof {
        int32::encode(9, &0, &mut out);
    }
    text(10, &json_name(&field.name), &mut out);
    out
}

/// `user_id` as `userId`, as protobuf's compiler has it.
fn json_name(name: &str) -> String {
    let mut json = String::with_capacity(name.len());
    let mut upper = false;
    for character in name.chars() {
        if character == '_' {
            upper = true;
        } else if std::mem::take(&mut upper) {
            json.push(character.to_ascii_uppercase());
        } else {
            json.push(character);
        }
    }
    json
}

/// A field of text.
pub(crate) fn text(number: u32, text: &str, out: &mut Vec<u8>) {
    part(number, text.as_bytes(), out);
}

/// A field that is a message, or bytes.
pub(crate) fn part(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}
