//! What a person does: join, show and add codes, accept, send. Each is a method of [`Client`] that answers at once; what
//! must follow comes with the answer.

use std::time::Duration;

use hob_protocol::contact::ContactCode;
use hob_protocol::invitation::Invitation;
use rand_core::CryptoRng;

use crate::output::{Done, Outputs};
use crate::view::MessageId;
use crate::Client;

/// The longest text, in bytes of UTF-8: with everything around it it fits the largest envelope.
pub const TEXT_BYTES_MAX: usize = 60 * 1024;

/// The longest local or proposed name, in characters.
pub const NAME_CHARS_MAX: usize = 32;

/// A command cannot be done. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No box yet.
    #[error("this device has not joined a box yet: ask its keeper for an invitation and use `join`")]
    NotJoined,
    /// One box a device.
    #[error("this device has joined a box already: use another profile for another box")]
    AlreadyJoined,
    /// The invitation's time is over, by this device's clock.
    #[error("this invitation has expired: ask for a new one")]
    InvitationExpired,
    /// No contact has this name.
    #[error("no contact is called {name:?}: see `contacts`")]
    NoSuchContact {
        /// What was asked for.
        name: String,
    },
    /// No request has this id.
    #[error("no request has the id {id:?}: see `requests`")]
    NoSuchRequest {
        /// What was asked for.
        id: String,
    },
    /// Another contact has this name.
    #[error("a contact is called {name:?} already: choose another name")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// A name that could not be typed or read.
    #[error("{name:?} is no name: use 1 to {NAME_CHARS_MAX} visible characters without spaces")]
    BadName {
        /// The name.
        name: String,
    },
    /// A code shown by this very member.
    #[error("this is your own contact code: show it to somebody else")]
    OwnCode,
    /// The code was added before, or its device is a contact by another code.
    #[error("this code was used already: its device is your contact {name:?}")]
    CodeAlreadyUsed {
        /// The local name of that contact.
        name: String,
    },
    /// The code's keys are no keys.
    #[error("this contact code names keys that cannot be: ask for a new one")]
    BadCode,
    /// Too many codes are waiting for their first use.
    #[error("{max} contact codes are open already: wait until one is used or expires (24 h)")]
    TooManyCodes {
        /// How many may be open.
        max: usize,
    },
    /// Nothing to send.
    #[error("the message is empty: write something")]
    EmptyText,
    /// More than an envelope holds.
    #[error("the message has {got_bytes} bytes, more than {TEXT_BYTES_MAX}: send it in parts")]
    TextTooLong {
        /// Its length in bytes.
        got_bytes: usize,
    },
    /// A time to live that no box takes.
    #[error("a time to live of {} s is outside {} s to {} days", got.as_secs(), min.as_secs(), max.as_secs() / 86_400)]
    BadTtl {
        /// What was asked for.
        got: Duration,
        /// The shortest.
        min: Duration,
        /// The longest.
        max: Duration,
    },
}

/// How a message is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SendOptions {
    /// Counts from sending; bounds the envelope too; 30 s to 14 days. `None`: until confirmed, at most 14 days.
    pub ttl: Option<Duration>,
    /// The receiving client shows it once and never has it in history.
    pub view_once: bool,
}

impl Client {
    /// Uses an invitation. [`Notice::Joined`](crate::Notice::Joined) or
    /// [`Notice::JoinRefused`](crate::Notice::JoinRefused) follows.
    ///
    /// `label` is what the keeper's dashboard shows and what contacts are proposed as a name; cut to 64 bytes.
    ///
    /// # Errors
    /// [`CommandError::AlreadyJoined`], [`CommandError::InvitationExpired`].
    pub fn join(
        &mut self,
        now_ms: u64,
        rng: &mut dyn CryptoRng,
        invitation: Invitation,
        label: &str,
    ) -> Result<Outputs, CommandError> {
        todo!()
    }

    /// Makes a contact code with a fresh introduction token. Show it once [`Notice::CodeReady`](crate::Notice::CodeReady)
    /// says that the box knows the token (or [`Client::code_is_ready`]).
    ///
    /// # Errors
    /// [`CommandError::NotJoined`], [`CommandError::TooManyCodes`].
    pub fn show_contact_code(
        &mut self,
        now_ms: u64,
        rng: &mut dyn CryptoRng,
    ) -> Result<Done<ContactCode>, CommandError> {
        todo!()
    }

    /// Makes whoever showed this code a contact under a local name.
    ///
    /// # Errors
    /// [`CommandError`]: not joined, a bad or taken name, the own code, a code that was used already.
    pub fn add_contact(
        &mut self,
        now_ms: u64,
        rng: &mut dyn CryptoRng,
        code: &ContactCode,
        name: &str,
    ) -> Result<Outputs, CommandError> {
        todo!()
    }

    /// Makes a requester a contact: its messages come as [`Output::Message`](crate::Output::Message), receipts go out.
    /// Without a name, the proposed one is taken. Answers the local name.
    ///
    /// # Errors
    /// [`CommandError::NoSuchRequest`], a bad or taken name.
    pub fn accept_request(
        &mut self,
        now_ms: u64,
        rng: &mut dyn CryptoRng,
        id: &str,
        name: Option<&str>,
    ) -> Result<Done<String>, CommandError> {
        todo!()
    }

    /// Drops a requester's messages, now and later. They are not told.
    ///
    /// # Errors
    /// [`CommandError::NoSuchRequest`].
    pub fn refuse_request(
        &mut self,
        now_ms: u64,
        rng: &mut dyn CryptoRng,
        id: &str,
    ) -> Result<Outputs, CommandError> {
        todo!()
    }

    /// Notes that the safety number was compared.
    ///
    /// # Errors
    /// [`CommandError::NoSuchContact`].
    pub fn confirm_verified(
        &mut self,
        now_ms: u64,
        rng: &mut dyn CryptoRng,
        name: &str,
    ) -> Result<Outputs, CommandError> {
        todo!()
    }

    /// Writes a message. It is in the outbox, for good, once the first [`Output::Save`](crate::Output::Save) is done;
    /// [`Client::status_of`] and the notices tell how it stands.
    ///
    /// # Errors
    /// [`CommandError`]: not joined, no such contact, empty, too long, a time to live out of bounds.
    pub fn send(
        &mut self,
        now_ms: u64,
        rng: &mut dyn CryptoRng,
        to: &str,
        text: &str,
        options: SendOptions,
    ) -> Result<Done<MessageId>, CommandError> {
        todo!()
    }

    /// Notes that these messages were printed: they are not in [`Client::unshown`] any more, and view-once ones are
    /// gone. Unknown ids are ignored.
    pub fn mark_shown(&mut self, now_ms: u64, rng: &mut dyn CryptoRng, ids: &[MessageId]) -> Outputs {
        todo!()
    }

    /// For a program that is about to end: what is batched (pushed messages, receipts) goes now instead of within 2 s,
    /// and the state is saved. Then wait, within reason, for [`Client::everything_flushed`].
    pub fn hurry(&mut self, now_ms: u64, rng: &mut dyn CryptoRng) -> Outputs {
        todo!()
    }
}
