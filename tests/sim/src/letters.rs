//! The books of what people write to each other: at most once on every screen, and in the end exactly once.

use std::collections::BTreeMap;

use hob_client::{Message, MessageId};

use crate::plan::How;

/// A message.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Its number, in the order of writing.
    pub number: u64,
    /// Who wrote it.
    pub from: usize,
    /// On which device.
    pub device: usize,
    /// To whom.
    pub to: usize,
    /// How.
    pub how: How,
    /// When, in true milliseconds.
    pub sent_ms: u64,
    /// When, by the writer's clock, Unix milliseconds.
    pub sent_unix_ms: u64,
    /// Its text.
    pub text: String,
    /// The writer's device has saved it: from here on it is promised.
    pub is_safe: bool,
    /// Until when a box keeps it, as its writer was told, in true milliseconds.
    pub kept_until_ms: u64,
    /// The two have parted since: nothing is promised any more.
    pub parted: bool,
    /// On which devices it came to the screen, and how often.
    pub told: BTreeMap<usize, u32>,
    /// On which devices it was read, and how often.
    pub read: BTreeMap<usize, u32>,
}

impl Letter {
    /// A text of about this length that says which message it is.
    pub fn text_of(number: u64, bytes: usize) -> String {
        let mut text = format!("message {number}");
        if text.len() < bytes {
            text.push(' ');
            text.extend(std::iter::repeat_n('x', bytes - text.len()));
        }
        text
    }

    /// Whether it must arrive in the end.
    pub const fn must_arrive(&self) -> bool {
        matches!(self.how, How::Plainly) && self.is_safe && !self.parted
    }

    /// Checks one that came to a screen: the rule that it breaks, if it breaks one.
    pub fn check(&self, message: &Message, reader: usize, unix_ms: u64) -> Option<&'static str> {
        if reader != self.to {
            return Some("a message is shown to its reader and to nobody else");
        }
        if message.text != self.text {
            return Some("a message says what its writer wrote");
        }
        // A clock ahead of the reader's does not prolong its life: the earlier of the two counts.
        let over = match self.how {
            How::ForSeconds(seconds) => {
                unix_ms >= self.sent_unix_ms.saturating_add(seconds * 1_000).max(unix_ms.min(self.sent_unix_ms))
            }
            _ => false,
        };
        over.then_some("a message is not shown after its time to live")
    }
}

/// Everything that was written.
#[derive(Debug, Default)]
pub struct Letters {
    /// By id.
    pub all: BTreeMap<MessageId, Letter>,
    /// Written so far.
    pub count: u64,
}

impl Letters {
    /// Their writer's device has saved them.
    pub fn are_safe(&mut self, ids: &[MessageId]) {
        for id in ids {
            if let Some(letter) = self.all.get_mut(id) {
                letter.is_safe = true;
            }
        }
    }

    /// The two part: what is under way between them may arrive or not.
    pub fn part(&mut self, a: usize, b: usize) {
        let between =
            |letter: &&mut Letter| (letter.from == a && letter.to == b) || (letter.from == b && letter.to == a);
        self.all.values_mut().filter(between).for_each(|letter| letter.parted = true);
    }
}
