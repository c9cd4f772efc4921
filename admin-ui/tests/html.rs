//! As much of an HTML reader as the checks need: elements with their attributes, and the texts between them.

use std::collections::BTreeMap;

/// A start tag, an end tag, or a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Start { name: String, attributes: BTreeMap<String, String> },
    End { name: String },
    Text(String),
}

/// Takes a page apart. Panics where it is not well-formed: our own pages are.
pub fn pieces(html: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let (text, tag) = rest.split_at(at);
        if !text.trim().is_empty() {
            pieces.push(Piece::Text(unescape(text)));
        }
        let end = end_of_tag(tag);
        let inside = &tag[1..end];
        if let Some(name) = inside.strip_prefix('/') {
            pieces.push(Piece::End { name: name.trim().to_owned() });
        } else if !inside.starts_with('!') {
            pieces.push(start(inside.trim_end_matches('/')));
        }
        rest = &tag[end + 1..];
    }
    assert!(rest.trim().is_empty(), "text after the end: {rest}");
    pieces
}

/// The `>` that is not in quotes.
fn end_of_tag(tag: &str) -> usize {
    let mut quoted = false;
    for (index, character) in tag.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '>' if !quoted => return index,
            '<' if index > 0 => panic!("a tag in a tag: {}", &tag[..index]),
            _ => {}
        }
    }
    panic!("a tag without an end: {tag}");
}

fn start(inside: &str) -> Piece {
    let (name, mut rest) = inside.split_once(char::is_whitespace).unwrap_or((inside, ""));
    let mut attributes = BTreeMap::new();
    while let Some(next) = Some(rest.trim_start()).filter(|next| !next.is_empty()) {
        let end = next.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(next.len());
        let (key, after) = next.split_at(end);
        let (value, after) = match after.strip_prefix("=\"") {
            Some(after) => after.split_once('"').expect("a quote has an end"),
            None => {
                assert!(!after.starts_with('='), "a value without quotes: {inside}");
                ("", after)
            }
        };
        let before = attributes.insert(key.to_owned(), unescape(value));
        assert!(before.is_none(), "{key} stands twice in <{inside}>");
        rest = after;
    }
    Piece::Start { name: name.to_owned(), attributes }
}

fn unescape(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    let text = text.replace("&#60;", "<").replace("&#62;", ">").replace("&#34;", "\"").replace("&#39;", "'");
    text.replace("&#38;", "&").replace("&amp;", "&")
}

/// The start tags with their attributes.
pub fn elements(html: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let element = |piece| match piece {
        Piece::Start { name, attributes } => Some((name, attributes)),
        Piece::End { .. } | Piece::Text(_) => None,
    };
    pieces(html).into_iter().filter_map(element).collect()
}
