//! Pieces of a page that are HTML already.

use std::fmt::{self, Write as _};

use askama::filters::HtmlSafe;

/// HTML that was escaped where it was made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Markup(String);

impl Markup {
    /// Takes HTML on trust: everything from outside in it went through [`escape`].
    pub(crate) const fn trusted(html: String) -> Self {
        Self(html)
    }
}

impl HtmlSafe for Markup {}

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text as it may stand between tags and in a quoted attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' | '>' | '&' | '"' | '\'' => {
                let _ = write!(html, "&#{};", u32::from(character));
            }
            _ => html.push(character),
        }
    }
    html
}
