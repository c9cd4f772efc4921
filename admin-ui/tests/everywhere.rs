//! What holds on every page.

use std::collections::BTreeSet;
use std::io::Write as _;

use hob_admin_ui::Here;
use hob_admin_ui::assets;
use hob_admin_ui::chrome::Language;
use hob_admin_ui::view::members::{LastSeen, Members, Row};
use hob_admin_ui::view::setup::Naming;

use crate::html::{Piece, elements, pieces};
use crate::samples::{Make, Sample, all};

/// What a page may weigh, compressed, with all that it asks for.
const PAGE_BYTES_MAX: usize = 30 * 1024;

/// What the script may weigh as it is.
const SCRIPT_BYTES_MAX: usize = 10 * 1024;

fn english() -> Vec<Sample> {
    all(&Make::english())
}

fn compressed(bytes: &[u8]) -> usize {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap().len()
}

#[test]
fn a_page_with_styles_and_script_weighs_less_than_30_kib_compressed() {
    let assets_bytes: usize = assets().iter().map(|asset| compressed(asset.bytes)).sum();
    for Sample { name, html } in english() {
        let all = compressed(html.as_bytes()) + assets_bytes;
        println!("{name}: {all} bytes");
        assert!(all < PAGE_BYTES_MAX, "{name}: {all} bytes");
    }
    let long = [("all time zones", every_zone()), ("a long list of members", many_members())];
    for (name, html) in long {
        let all = compressed(html.as_bytes()) + assets_bytes;
        println!("{name}: {all} bytes");
        assert!(all < PAGE_BYTES_MAX, "{name}: {all} bytes");
    }
    let script = assets().iter().find(|asset| asset.path.ends_with(".js")).unwrap();
    assert!(script.bytes.len() <= SCRIPT_BYTES_MAX, "{} bytes", script.bytes.len());
}

/// As many zones as the time zone database has, with names as long as its.
fn every_zone() -> String {
    let zone = |number: u64| format!("America/{}", random_word(number));
    let naming = Naming { zones: (0..600).map(zone).collect(), ..Naming::default() };
    naming.render(&Make::english().outside())
}

fn many_members() -> String {
    let row = |number: u64| Row {
        id: random_word(number) + &random_word(number + 1000),
        label: format!("{} {}", random_word(number + 2000), number),
        joined_unix_s: crate::samples::NOW - number * 77_777,
        last_seen: LastSeen::Day { unix_s: crate::samples::NOW - number * 7_777 },
        devices: number % 5,
        suspended: false,
    };
    let rows = (0..100).map(row).collect();
    let members = Members { total: 10_000, found: 10_000, rows, page: 1, pages: 100, ..Members::default() };
    members.render(&Make::english().owner(Here::Members))
}

/// Sixteen characters that compress like chance: the worst that a name can be.
fn random_word(number: u64) -> String {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{:016x}", mixed ^ (mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9))
}

#[test]
fn nothing_in_a_page_needs_more_than_the_strict_policy_allows() {
    let known: BTreeSet<&str> = assets().iter().map(|asset| asset.path).collect();
    for Sample { name, html } in english() {
        for (element, attributes) in elements(&html) {
            assert_ne!(element, "style", "{name}");
            assert!(!attributes.contains_key("style"), "{name}: style in <{element}>");
            let handler = attributes.keys().find(|key| key.starts_with("on"));
            assert!(handler.is_none(), "{name}: {handler:?} in <{element}>");
            let asks_for = match element.as_str() {
                "script" => Some(attributes.get("src").expect("no script stands in a page")),
                "link" => attributes.get("href"),
                "img" => attributes.get("src"),
                _ => None,
            };
            assert!(asks_for.is_none_or(|path| known.contains(path.as_str())), "{name}: {asks_for:?}");
        }
    }
}

#[test]
fn every_form_that_changes_something_carries_its_token() {
    for Sample { name, html } in english() {
        let mut open: Option<(bool, bool)> = None;
        for piece in pieces(&html) {
            match piece {
                Piece::Start { name: element, attributes } if element == "form" => {
                    assert!(open.is_none(), "{name}: a form in a form");
                    let action = attributes.get("action").expect("a form says where it goes");
                    assert!(action.starts_with('/'), "{name}: {action}");
                    open = Some((attributes.get("method").is_some_and(|method| method == "post"), false));
                }
                Piece::Start { name: element, attributes } if element == "input" => {
                    if let (Some((_, carries)), Some("csrf")) = (&mut open, attributes.get("name").map(String::as_str))
                    {
                        *carries = attributes.get("value").is_some_and(|value| !value.is_empty());
                    }
                }
                Piece::End { name: element } if element == "form" => {
                    let (changes, carries) = open.take().expect("a form was open");
                    // And a form that only asks must not put it into an address.
                    assert_eq!(changes, carries, "{name}");
                }
                _ => {}
            }
        }
    }
}

#[test]
fn every_id_is_there_once_and_whatever_points_at_one_finds_it() {
    for Sample { name, html } in english() {
        let elements = elements(&html);
        let mut ids = BTreeSet::new();
        for id in elements.iter().filter_map(|(_, attributes)| attributes.get("id")) {
            assert!(ids.insert(id.as_str()), "{name}: {id} is there twice");
        }
        for (element, attributes) in &elements {
            for key in ["for", "aria-labelledby", "aria-describedby", "data-copy", "data-strength"] {
                for id in attributes.get(key).into_iter().flat_map(|ids| ids.split(' ')) {
                    assert!(ids.contains(id), "{name}: {key}={id} of <{element}>");
                }
            }
            if let Some(id) = attributes.get("href").and_then(|href| href.strip_prefix('#')) {
                assert!(ids.contains(id), "{name}: href=#{id}");
            }
        }
    }
}

#[test]
fn every_field_has_a_label_and_every_table_a_caption() {
    for Sample { name, html } in english() {
        let elements = elements(&html);
        let labelled: BTreeSet<&String> = elements
            .iter()
            .filter(|(element, _)| element == "label")
            .filter_map(|(_, attributes)| attributes.get("for"))
            .collect();
        for (element, attributes) in &elements {
            let is_field = matches!(element.as_str(), "input" | "select" | "textarea" | "progress")
                && attributes.get("type").is_none_or(|type_of| type_of != "hidden");
            let is_labelled = attributes.get("id").is_some_and(|id| labelled.contains(id));
            assert!(!is_field || is_labelled, "{name}: <{element} {attributes:?}>");
            if element == "th" {
                assert!(attributes.contains_key("scope"), "{name}: a heading of nothing");
            }
        }
        let count = |what: &str| elements.iter().filter(|(element, _)| element == what).count();
        assert_eq!(count("table"), count("caption"), "{name}");
        assert_eq!(count("h1"), 1, "{name}");
        assert_eq!(count("main"), 1, "{name}");
    }
}

#[test]
fn texts_from_outside_can_neither_become_html_nor_deceive() {
    const HOSTILE: &str = "<b onclick=\"x\">'&\u{202e}\u{200b}\u{1b}[31m\r\u{feff}";
    for Sample { name, html } in all(&Make { language: Language::English, hostile: Some(HOSTILE) }) {
        assert!(elements(&html).iter().all(|(element, _)| element != "b"), "{name}: a text became an element");
        for piece in pieces(&html) {
            match piece {
                Piece::Text(text) => {
                    let found = text.chars().find(|c| is_deceptive(*c));
                    assert!(found.is_none() || is_in_textarea(&html, &text), "{name}: {found:?} in {text:?}");
                }
                Piece::Start { name: element, attributes } => {
                    assert!(!attributes.contains_key("onclick"), "{name}: <{element}>");
                    // What goes back into a field is what was typed.
                    for (key, value) in attributes.iter().filter(|(key, _)| *key != "value") {
                        assert!(!value.chars().any(is_deceptive), "{name}: {key} of <{element}>: {value:?}");
                    }
                }
                Piece::End { .. } => {}
            }
        }
    }
}

fn is_deceptive(character: char) -> bool {
    (character.is_control() && !matches!(character, '\n' | '\t')) || "\u{202e}\u{200b}\u{feff}".contains(character)
}

/// What was typed into a large field comes back as it was.
fn is_in_textarea(html: &str, text: &str) -> bool {
    let mut last = String::new();
    pieces(html).into_iter().any(|piece| match piece {
        Piece::Start { name, .. } => {
            last = name;
            false
        }
        Piece::Text(other) => last == "textarea" && other == text,
        Piece::End { .. } => false,
    })
}

#[test]
fn no_text_of_a_page_escapes_the_catalogue() {
    let mut seen = BTreeSet::new();
    for Sample { name, html } in all(&Make { language: Language::Pseudo, hostile: None }) {
        assert!(!html.contains('⟨'), "{name}: a key is missing: {}", html.split('⟨').nth(1).unwrap_or_default());
        let mut data = Vec::new();
        for piece in pieces(&html) {
            match piece {
                Piece::Start { name: element, attributes } => {
                    for key in ["aria-label", "data-label", "data-done", "data-weak", "placeholder", "alt"] {
                        if let Some(text) = attributes.get(key) {
                            assert_translated(&name_of(name, key), text);
                        }
                    }
                    let is_data = attributes.get("translate").is_some_and(|translate| translate == "no");
                    let is_choice = element == "option" || element == "textarea";
                    if !is_void(&element) {
                        data.push(is_data || is_choice || data.last().copied().unwrap_or(false));
                    }
                }
                Piece::End { .. } => {
                    data.pop();
                }
                Piece::Text(text) => {
                    if !data.last().copied().unwrap_or(false) {
                        assert_translated(name, &text);
                        seen.insert(text);
                    }
                }
            }
        }
    }
    assert!(seen.len() > 300, "only {} texts were looked at", seen.len());
}

fn name_of(page: &str, key: &str) -> String {
    format!("{page}, {key}")
}

fn is_void(element: &str) -> bool {
    matches!(element, "input" | "meta" | "link" | "path" | "rect" | "br" | "img")
}

/// The made-up language has no plain letter; what is filled in is fenced.
fn assert_translated(place: &str, text: &str) {
    let mut depth = 0_u32;
    let outside: String = text
        .chars()
        .filter(|character| {
            match character {
                '\u{2068}' => depth += 1,
                '\u{2069}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0
        })
        .collect();
    // The window's title names the box, which is data.
    let outside = outside.replace("Maple Street 4", "");
    assert!(!outside.chars().any(|c| c.is_ascii_alphabetic()), "{place}: {text:?} is in no catalogue");
}
