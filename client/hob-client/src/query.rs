//! What a shell may ask. Nothing here changes anything.

use hob_protocol::contact::ContactCode;
use hob_protocol::ids::{DeviceKey, MemberKey};

use crate::Client;
use crate::command::CommandError;
use crate::input::Link;
use crate::view::{Contact, Home, Message, MessageId, MessageStatus, Request, SafetyNumber, Summary};

impl Client {
    /// The home box; `None` before [`Notice::Joined`](crate::Notice::Joined).
    pub fn home(&self) -> Option<Home> {
        todo!()
    }

    /// This member's key.
    pub fn member_key(&self) -> MemberKey {
        todo!()
    }

    /// This device's key.
    pub fn device_key(&self) -> DeviceKey {
        todo!()
    }

    /// All contacts, by name.
    pub fn contacts(&self) -> Vec<Contact> {
        todo!()
    }

    /// One contact.
    pub fn contact(&self, name: &str) -> Option<Contact> {
        todo!()
    }

    /// All who wait to be accepted or refused, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        todo!()
    }

    /// The last `last` messages with a contact, oldest first; neither expired nor view-once ones.
    ///
    /// # Errors
    /// [`CommandError::NoSuchContact`].
    pub fn history(&self, now_ms: u64, name: &str, last: usize) -> Result<Vec<Message>, CommandError> {
        todo!()
    }

    /// Messages that were received and not [marked as shown](Client::mark_shown), in the order they came.
    pub fn unshown(&self, now_ms: u64) -> Vec<Message> {
        todo!()
    }

    /// How a sent message stands; `None`: never heard of it, or forgotten.
    pub fn status_of(&self, id: &MessageId) -> Option<MessageStatus> {
        todo!()
    }

    /// Sent messages without a receipt, oldest first.
    pub fn outbox(&self) -> Vec<Message> {
        todo!()
    }

    /// What both read aloud, or scan.
    ///
    /// # Errors
    /// [`CommandError::NoSuchContact`].
    pub fn safety_number(&self, name: &str) -> Result<SafetyNumber, CommandError> {
        todo!()
    }

    /// Whether the box knows a code's token, so that it can be shown.
    pub fn code_is_ready(&self, code: &ContactCode) -> bool {
        todo!()
    }

    /// Whether the owner's connection is proved.
    pub fn is_online(&self) -> bool {
        todo!()
    }

    /// Whether everything that the box had kept has been pushed, since the owner's connection was proved.
    pub fn is_caught_up(&self) -> bool {
        todo!()
    }

    /// Whether a connection is up and its box is the pinned one.
    pub fn is_open(&self, link: Link) -> bool {
        todo!()
    }

    /// Whether nothing is left that could be done now: nothing to save or acknowledge, no frame unanswered, no receipt
    /// due, no token ungranted, and every message in the outbox is with a box, or waits for a time to try again or for
    /// a box that cannot be reached.
    pub fn everything_flushed(&self, now_ms: u64) -> bool {
        todo!()
    }

    /// Numbers for `status`.
    pub fn summary(&self, now_ms: u64) -> Summary {
        todo!()
    }
}
