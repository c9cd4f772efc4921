//! What was seen: so that at least once becomes exactly once.

use std::collections::{HashMap, HashSet};

use hob_protocol::ids::MemberKey;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::view::MessageId;

/// Days that something is remembered: until the fallback key of its time is gone.
const REMEMBERED_DAYS: u32 = 31;
/// Remembered of one writer: more than six hundred messages a day.
const OF_WRITER_MAX: usize = 20_000;
const DAY_MS: u64 = 86_400_000;
const ENTRY_BYTES: usize = 16 + 16 + 8 + 4;

/// What is known of an inner ciphertext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    /// The message, where a receipt is due for it.
    message: Option<MessageId>,
    /// The writer: a member, of whichever device.
    writer: [u8; 8],
    day: u32,
}

/// Remembered inner ciphertexts and message ids of 31 days.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    by_tag: HashMap<[u8; 16], Entry>,
    ids: HashSet<(MessageId, [u8; 8])>,
}

fn day(now_ms: u64) -> u32 {
    u32::try_from(now_ms / DAY_MS).unwrap_or(u32::MAX)
}

fn short(writer: &MemberKey) -> [u8; 8] {
    let mut short = [0; 8];
    for (to, from) in short.iter_mut().zip(writer.as_bytes()) {
        *to = *from;
    }
    short
}

impl Seen {
    /// Whether this inner ciphertext came before; if so, the message to confirm again, if it is one to confirm.
    pub(crate) fn before(&self, tag: &[u8; 16]) -> Option<Option<MessageId>> {
        self.by_tag.get(tag).map(|entry| entry.message)
    }

    /// Whether this message of this member came before, in whatever ciphertext, from whichever device.
    pub(crate) fn has_message(&self, writer: &MemberKey, id: &MessageId) -> bool {
        self.ids.contains(&(*id, short(writer)))
    }

    /// Remembers an inner ciphertext and, for messages that are confirmed, its id.
    pub(crate) fn remember(&mut self, tag: [u8; 16], writer: &MemberKey, message: Option<MessageId>, now_ms: u64) {
        let writer = short(writer);
        if let Some(id) = message {
            self.ids.insert((id, writer));
        }
        let day = day(now_ms);
        self.by_tag.insert(tag, Entry { message, writer, day });
        if self.by_tag.len() > OF_WRITER_MAX {
            self.make_room(writer);
        }
    }

    /// Of a writer who floods, the oldest are forgotten: what comes again of those is that writer's own doing.
    fn make_room(&mut self, writer: [u8; 8]) {
        let of_writer = || self.by_tag.iter().filter(|(_, entry)| entry.writer == writer);
        if of_writer().count() <= OF_WRITER_MAX {
            return;
        }
        let oldest = of_writer().map(|(_, entry)| entry.day).min();
        let some = of_writer().filter(|(_, entry)| Some(entry.day) == oldest).take(OF_WRITER_MAX / 20);
        for tag in some.map(|(tag, _)| *tag).collect::<Vec<_>>() {
            self.by_tag.remove(&tag);
        }
        self.ids = ids_of(&self.by_tag);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_tag.len()
    }

    /// Remembers a message that came as a copy, inside another one's ciphertext.
    pub(crate) fn remember_message(&mut self, writer: &MemberKey, id: MessageId, now_ms: u64) {
        let mut hasher = blake3::Hasher::new_derive_key("hob/1 seen copy");
        hasher.update(writer.as_bytes());
        hasher.update(&id.0);
        let mut tag = [0; 16];
        hasher.finalize_xof().fill(&mut tag);
        self.remember(tag, writer, Some(id), now_ms);
    }

    /// Forgets what is older than 31 days.
    pub(crate) fn forget_old(&mut self, now_ms: u64) {
        let today = day(now_ms);
        let before = self.by_tag.len();
        self.by_tag.retain(|_, entry| today <= entry.day.saturating_add(REMEMBERED_DAYS));
        if self.by_tag.len() != before {
            self.ids = ids_of(&self.by_tag);
        }
    }
}

fn ids_of(by_tag: &HashMap<[u8; 16], Entry>) -> HashSet<(MessageId, [u8; 8])> {
    by_tag.values().filter_map(|entry| entry.message.map(|id| (id, entry.writer))).collect()
}

impl Serialize for Seen {
    /// One text of 44 bytes each: tag, message id or zeros, writer, day.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut packed = Vec::with_capacity(self.by_tag.len() * ENTRY_BYTES);
        for (tag, entry) in &self.by_tag {
            packed.extend_from_slice(tag);
            packed.extend_from_slice(&entry.message.map_or([0; 16], |id| id.0));
            packed.extend_from_slice(&entry.writer);
            packed.extend_from_slice(&entry.day.to_le_bytes());
        }
        crate::raw::serialize(&packed, serializer)
    }
}

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let packed: Vec<u8> = crate::raw::deserialize(deserializer)?;
        if !packed.len().is_multiple_of(ENTRY_BYTES) {
            return Err(D::Error::custom("what was seen is cut"));
        }
        let by_tag: HashMap<_, _> = packed.chunks_exact(ENTRY_BYTES).filter_map(unpack).collect();
        let ids = ids_of(&by_tag);
        Ok(Self { by_tag, ids })
    }
}

fn unpack(entry: &[u8]) -> Option<([u8; 16], Entry)> {
    let (tag, rest) = entry.split_first_chunk::<16>()?;
    let (message, rest) = rest.split_first_chunk::<16>()?;
    let (writer, day) = rest.split_first_chunk::<8>()?;
    let entry = Entry {
        message: Some(MessageId(*message)).filter(|id| id.0 != [0; 16]),
        writer: *writer,
        day: u32::from_le_bytes(day.try_into().ok()?),
    };
    Some((*tag, entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_remembered_for_31_days_and_over_a_restart() {
        let (ada, bob) = (MemberKey([1; 32]), MemberKey([2; 32]));
        let id = MessageId([3; 16]);
        let mut seen = Seen::default();
        seen.remember([4; 16], &ada, Some(id), 0);
        seen.remember([5; 16], &ada, None, 0);
        let text = serde_json::to_string(&seen).unwrap();
        let mut seen: Seen = serde_json::from_str(&text).unwrap();
        assert_eq!(seen.before(&[4; 16]), Some(Some(id)));
        assert_eq!(seen.before(&[5; 16]), Some(None));
        assert_eq!(seen.before(&[6; 16]), None);
        assert!(seen.has_message(&ada, &id));
        assert!(!seen.has_message(&bob, &id), "ids are a member's own");
        seen.forget_old(31 * DAY_MS);
        assert!(seen.has_message(&ada, &id));
        seen.forget_old(32 * DAY_MS);
        assert!(!seen.has_message(&ada, &id));
        assert_eq!(seen.before(&[4; 16]), None);
    }
}
