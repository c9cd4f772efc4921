//! A quote: which message a text answers, and the beginning of it for a reader who has it no more.

use serde::{Deserialize, Serialize};

use super::inner::{InnerError, exact};
use crate::view::MessageId;

/// The longest excerpt, in bytes of UTF-8: a line or two. A longer one is cut, whoever wrote it.
pub const EXCERPT_BYTES_MAX: usize = 256;

/// Which message a text answers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// The message.
    #[serde(with = "crate::raw")]
    pub id: MessageId,
    /// Its beginning, at most [`EXCERPT_BYTES_MAX`] bytes; empty where nothing may outlive the message itself.
    pub excerpt: String,
}

impl Quote {
    /// Of a message. What is shown once, or gone after a time, is named and not repeated.
    pub fn of(id: MessageId, text: &str, may_be_repeated: bool) -> Self {
        let excerpt = if may_be_repeated { beginning(text) } else { String::new() };
        Self { id, excerpt }
    }

    pub(super) fn to_wire(&self) -> (Vec<u8>, String) {
        (self.id.0.to_vec(), self.excerpt.clone())
    }

    /// No id: no quote. Another length than an id's makes the message unreadable.
    pub(super) fn from_wire(id: &[u8], excerpt: &str) -> Result<Option<Self>, InnerError> {
        if id.is_empty() {
            return Ok(None);
        }
        let id = MessageId(exact("a quoted message's id", id)?);
        Ok(Some(Self { id, excerpt: beginning(excerpt) }))
    }
}

/// At most [`EXCERPT_BYTES_MAX`] bytes, cut between characters.
pub(crate) fn beginning(text: &str) -> String {
    let mut end = text.len().min(EXCERPT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_cut_between_characters_whoever_wrote_it() {
        let long = "ä".repeat(EXCERPT_BYTES_MAX);
        let quote = Quote::of(MessageId([1; 16]), &format!("x{long}"), true);
        assert_eq!(quote.excerpt.len(), EXCERPT_BYTES_MAX - 1);
        let read = Quote::from_wire(&[1; 16], &long).ok().flatten().unwrap();
        assert_eq!(read.excerpt.len(), EXCERPT_BYTES_MAX);
    }

    #[test]
    fn what_is_not_to_stay_is_named_and_not_repeated() {
        assert_eq!(Quote::of(MessageId([1; 16]), "4711", false).excerpt, "");
    }

    #[test]
    fn a_quote_without_an_id_is_none_and_one_with_half_an_id_is_unreadable() {
        assert!(Quote::from_wire(&[], "words").unwrap().is_none());
        assert!(Quote::from_wire(&[1; 8], "words").is_err());
    }
}
