//! `docs/protocol.md` names every frame, field, code and vector.

use hob_protocol::code::Code;
use serde_json::Value;

use crate::proto;
use crate::repository::{quoted, read, section};

const DOCUMENT: &str = "docs/protocol.md";

#[test]
fn every_error_code_stands_in_the_table_with_its_number_its_name_and_its_closing_code() {
    let document = read(DOCUMENT);
    for code in Code::ALL {
        let row = format!("| {} | `{}` | {} |", code.number(), code.name(), 4000 + code.number());
        assert!(document.contains(&row), "{DOCUMENT} has no row that begins: {row}");
    }
    let rows = document.lines().filter(|line| is_code_row(line)).count();
    assert_eq!(rows, Code::ALL.len(), "the table lists no code that does not exist");
}

/// `| number | ...`
fn is_code_row(line: &str) -> bool {
    let mut cells = line.split('|').skip(1).map(str::trim);
    let number = cells.next().is_some_and(|cell| cell.parse::<u32>().is_ok());
    number && cells.nth(1).is_some_and(|cell| cell.len() == 4 && cell.starts_with('4'))
}

#[test]
fn every_message_has_a_section_that_names_each_of_its_fields() {
    let document = read(DOCUMENT);
    let file = proto::frames();
    for message in &file.message_type {
        let name = message.name();
        let text = section(&document, name).unwrap_or_else(|| panic!("{DOCUMENT} has no heading for `{name}`"));
        let named = quoted(&text);
        for field in message.field.iter().filter(|field| field.oneof_index.is_none()) {
            assert!(named.contains(field.name()), "{DOCUMENT}, `{name}`: nothing is said of `{}`", field.name());
        }
    }
}

#[test]
fn every_frame_stands_in_the_tables_with_its_number() {
    let document = read(DOCUMENT);
    let file = proto::frames();
    for frame in ["ClientFrame", "ServerFrame"] {
        let text = section(&document, frame).unwrap();
        for (field, message, number) in proto::bodies(&file, frame) {
            let row = format!("| {number} | `{field}` | `{message}` |");
            assert!(text.contains(&row), "{DOCUMENT}, `{frame}`: no row that begins: {row}");
        }
    }
}

#[test]
fn every_limit_that_no_setting_can_change_stands_in_the_document() {
    use hob_protocol::limits as l;
    let document = read(DOCUMENT);
    let seconds = |duration: std::time::Duration| duration.as_secs() as usize;
    let limits = [
        ("FRAME_BYTES_MAX", l::FRAME_BYTES_MAX),
        ("BUNDLE_BYTES_MAX", l::BUNDLE_BYTES_MAX),
        ("ACKNOWLEDGE_IDS_MAX", l::ACKNOWLEDGE_IDS_MAX),
        ("TOKENS_PER_MAILBOX", l::TOKENS_PER_MAILBOX),
        ("ADDRESSES_MAX", l::ADDRESSES_MAX),
        ("ADDRESS_BYTES_MAX", l::ADDRESS_BYTES_MAX),
        ("LABEL_BYTES_MAX", l::LABEL_BYTES_MAX),
        ("ORIGIN_BYTES_MAX", l::ORIGIN_BYTES_MAX),
        ("CONTACT_CODE_BYTES_MAX", l::CONTACT_CODE_BYTES_MAX),
        ("INTRODUCTION_PENDING_MAX", l::INTRODUCTION_PENDING_MAX as usize),
        ("INTRODUCTION_TOTAL_MAX", l::INTRODUCTION_TOTAL_MAX as usize),
        ("KEEP_MAX", seconds(l::KEEP_MAX)),
        ("WINDOW_LENGTH", seconds(l::WINDOW_LENGTH)),
        ("TTL_MAX", seconds(l::TTL_MAX)),
        ("TTL_MIN", seconds(l::TTL_MIN)),
        ("INTRODUCTION_FIRST_USE", seconds(l::INTRODUCTION_FIRST_USE)),
        ("INTRODUCTION_AFTER_USE", seconds(l::INTRODUCTION_AFTER_USE)),
        ("BUNDLE_TTL_MAX", seconds(l::BUNDLE_TTL_MAX)),
        ("REDEEM_AGAIN", seconds(l::REDEEM_AGAIN)),
        ("DEVICE_TICKET_TTL", seconds(l::DEVICE_TICKET_TTL)),
        ("DEVICE_TICKETS_MAX", l::DEVICE_TICKETS_MAX),
        ("DEVICES_PER_MEMBER", l::DEVICES_PER_MEMBER),
    ];
    for (name, value) in limits {
        let row = format!("| `{name}` | {} |", grouped(value));
        assert!(document.contains(&row), "{DOCUMENT} has no row that begins: {row}");
    }
}

/// 1234567 as 1,234,567.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut groups: Vec<&str> = digits.as_bytes()[first..].chunks(3).map(|g| std::str::from_utf8(g).unwrap()).collect();
    if first > 0 {
        groups.insert(0, &digits[..first]);
    }
    groups.join(",")
}

#[test]
fn every_context_string_of_the_protocol_stands_in_the_document() {
    let document = read(DOCUMENT);
    let protocol =
        ["ids", "transcript", "address", "printed", "revocation"].map(|name| format!("protocol/src/{name}.rs"));
    let client = ["record", "bundle", "introduce", "contacts", "trust", "devices/list"];
    let client = client.map(|name| format!("client/hob-client/src/{name}.rs"));
    for path in protocol.iter().chain(&client) {
        let source = read(path);
        let contexts = source.split("\"hob/1 ").skip(1).filter_map(|rest| rest.split('"').next());
        assert!(source.contains("\"hob/1 "), "{path} has a context");
        for context in contexts {
            let context = format!("hob/1 {}", context.trim_end_matches("\\0"));
            assert!(document.contains(&context), "{DOCUMENT} does not say what \"{context}\" is for");
        }
    }
}

#[test]
fn every_test_vector_is_pointed_to_from_the_document() {
    let vectors: Value = serde_json::from_str(&read("docs/vectors.json")).unwrap();
    let named = quoted(&read(DOCUMENT));
    for name in vectors.as_object().unwrap().keys() {
        assert!(named.contains(name), "{DOCUMENT} does not point to the vector `{name}`");
    }
}
