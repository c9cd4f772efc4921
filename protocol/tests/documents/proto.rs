//! The descriptions of frames and events, and a reader of bytes that knows nothing but them: what a stranger has.

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};
use serde_json::{Map, Value, json};

use crate::repository;

/// The description of the frames.
pub fn frames() -> FileDescriptorProto {
    compile("hob.proto", concat!(env!("CARGO_MANIFEST_DIR"), "/proto"))
}

/// The description of the log's events.
pub fn events() -> FileDescriptorProto {
    compile("events.proto", concat!(env!("CARGO_MANIFEST_DIR"), "/../appliance/hob-relay/proto"))
}

/// The description of what clients say to each other, as `docs/protocol.md` prints it.
pub fn between_clients() -> FileDescriptorProto {
    let document = repository::read("docs/protocol.md");
    let blocks = document.split("```protobuf\n").skip(1).filter_map(|rest| rest.split("```").next());
    let source = format!("syntax = \"proto3\";\n{}", blocks.collect::<String>());
    let folder = env!("CARGO_TARGET_TMPDIR");
    std::fs::write(std::path::Path::new(folder).join("printed.proto"), source).unwrap();
    compile("printed.proto", folder)
}

fn compile(file: &str, folder: &str) -> FileDescriptorProto {
    let mut set = protox::compile([file], [folder]).unwrap();
    assert_eq!(set.file.len(), 1, "{file} imports nothing");
    set.file.remove(0)
}

/// `(Message, field)` of everything in a file.
pub fn fields(file: &FileDescriptorProto) -> Vec<(String, String)> {
    let of = |message: &DescriptorProto| {
        let name = message.name().to_owned();
        message.field.iter().map(move |field| (name.clone(), field.name().to_owned())).collect::<Vec<_>>()
    };
    file.message_type.iter().flat_map(of).collect()
}

/// The frames of a `oneof body`: `(field, message, number)`.
pub fn bodies(file: &FileDescriptorProto, message: &str) -> Vec<(String, String, i32)> {
    let frame = message_named(file, message);
    let bodies = frame.field.iter().filter(|field| field.oneof_index.is_some());
    bodies.map(|field| (field.name().to_owned(), short(field.type_name()).to_owned(), field.number())).collect()
}

fn message_named<'a>(file: &'a FileDescriptorProto, name: &str) -> &'a DescriptorProto {
    file.message_type.iter().find(|message| message.name() == name).unwrap()
}

fn short(type_name: &str) -> &str {
    type_name.rsplit('.').next().unwrap()
}

/// Reads a message by its description alone (Protocol Buffers, "Encoding"). Bytes become hex, enums their names.
pub fn read(file: &FileDescriptorProto, message: &str, mut bytes: &[u8]) -> Value {
    let description = message_named(file, message);
    let mut fields = Map::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let field = description.field.iter().find(|field| field.number() as u64 == tag >> 3).unwrap();
        let repeated = field.label() == Label::Repeated;
        let packed = repeated && field.r#type() != Type::Bytes && tag & 7 == 2 && !is_length_delimited(field);
        if packed {
            let mut run = take_sized(&mut bytes);
            while !run.is_empty() {
                append(&mut fields, field, number(file, field, &mut run, wire_type(field)));
            }
            continue;
        }
        let value = number(file, field, &mut bytes, tag & 7);
        if repeated {
            append(&mut fields, field, value);
        } else {
            assert!(fields.insert(field.name().to_owned(), value).is_none(), "{} comes once", field.name());
        }
    }
    Value::Object(fields)
}

fn append(fields: &mut Map<String, Value>, field: &FieldDescriptorProto, value: Value) {
    let list = fields.entry(field.name()).or_insert_with(|| json!([]));
    list.as_array_mut().unwrap().push(value);
}

fn is_length_delimited(field: &FieldDescriptorProto) -> bool {
    matches!(field.r#type(), Type::Bytes | Type::String | Type::Message)
}

fn wire_type(field: &FieldDescriptorProto) -> u64 {
    match field.r#type() {
        Type::Fixed64 => 1,
        Type::Fixed32 => 5,
        Type::Bytes | Type::String | Type::Message => 2,
        _ => 0,
    }
}

fn number(file: &FileDescriptorProto, field: &FieldDescriptorProto, bytes: &mut &[u8], wire: u64) -> Value {
    assert_eq!(wire, wire_type(field), "{} has the wire type of its description", field.name());
    match field.r#type() {
        Type::Fixed64 => {
            let (first, rest) = bytes.split_first_chunk::<8>().unwrap();
            *bytes = rest;
            json!(u64::from_le_bytes(*first))
        }
        Type::Fixed32 => {
            let (first, rest) = bytes.split_first_chunk::<4>().unwrap();
            *bytes = rest;
            json!(u32::from_le_bytes(*first))
        }
        Type::Bytes => json!(data_encoding::HEXLOWER.encode(take_sized(bytes))),
        Type::String => json!(std::str::from_utf8(take_sized(bytes)).unwrap()),
        Type::Message => read(file, short(field.type_name()), take_sized(bytes)),
        Type::Bool => json!(varint(bytes) == 1),
        Type::Enum => {
            let value = varint(bytes);
            let kind = file.enum_type.iter().find(|kind| kind.name() == short(field.type_name())).unwrap();
            json!(kind.value.iter().find(|name| name.number() as u64 == value).unwrap().name())
        }
        Type::Uint32 | Type::Uint64 => json!(varint(bytes)),
        other => panic!("{other:?} is used nowhere yet: teach this reader"),
    }
}

fn take_sized<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let length = varint(bytes) as usize;
    let (taken, rest) = bytes.split_at(length);
    *bytes = rest;
    taken
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return value;
        }
    }
    panic!("a number of more than ten bytes")
}
