//! What the screen and the engine say to each other. They may live in two processes, so all of it is plain data that goes
//! over the profile's socket as JSON. Texts are raw here; the screen makes them safe when it lays them out.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The newest messages of a conversation that are looked at first, and by which more are asked for.
pub const WINDOW: usize = 200;
/// More than a history holds: everything.
pub const WINDOW_MAX: usize = 100_000;

/// What the screen wants. Contacts are named by their member key in hex: names may change meanwhile.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Show this conversation from now on, so many of its newest messages.
    Look { contact: Option<String>, last: usize },
    /// Send. Answered by [`News::Sent`] or [`News::NotSent`].
    Send {
        contact: String,
        text: String,
        ttl: Option<Duration>,
        view_once: bool,
        strict: bool,
        reply_to: Option<String>,
    },
    /// These messages were on the screen.
    Shown { ids: Vec<String> },
    /// Open a view-once message: it is gone from the device then. Answered by [`News::Uncovered`].
    Uncover { id: String },
    /// Make a requester a contact.
    Accept { id: String, name: Option<String> },
    /// Drop a requester.
    Refuse { id: String },
    /// Answered by [`News::SafetyNumber`].
    SafetyNumber { contact: String },
    /// The numbers are the same on both sides.
    Verified { contact: String },
    /// Another local name.
    Rename { contact: String, name: String },
    /// Take nothing of theirs and send nothing to them, or no more so.
    Block { contact: String, block: bool },
    /// Remove a contact and the conversation.
    Remove { contact: String },
    /// What is typed and not sent. Answered by [`News::DraftSaved`] or [`News::DraftNotSaved`].
    Draft { contact: String, text: String },
}

/// What the engine tells.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// How everything stands now.
    Snapshot(Box<Snapshot>),
    /// What was typed in earlier sessions and not sent: contact, text.
    Drafts(Vec<(String, String)>),
    /// It is in the outbox, durably.
    Sent { contact: String },
    /// Nothing was sent.
    NotSent { contact: String, why: String },
    /// A view-once message, for the only time.
    Uncovered { id: String, text: String },
    /// 60 digits, in groups, and the QR code where it can be drawn: one string a line.
    SafetyNumber { contact: String, digits: Vec<String>, qr: Vec<String> },
    /// The draft is durable.
    DraftSaved { contact: String },
    /// It is not.
    DraftNotSaved { contact: String, why: String },
    /// Something else that was asked for is done.
    Done { text: String },
    /// Something else that was asked for was not done.
    Failed { why: String },
    /// Something happened.
    Notice { contact: Option<String>, text: String, loud: bool },
    /// Nothing can be done any more, and why.
    Stopped { why: String },
}

/// How everything stands.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The name that this member has at the box.
    pub me: String,
    /// The connection to the own box.
    pub link: LinkRow,
    /// By name.
    pub contacts: Vec<ContactRow>,
    /// The oldest first.
    pub requests: Vec<RequestRow>,
    /// The conversation that is looked at.
    pub open: Option<TalkRow>,
    /// Messages that are with no box yet, of all conversations.
    pub in_outbox: usize,
}

/// The connection to the own box.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRow {
    /// Whether it is up and proved.
    pub online: bool,
    /// Why not, where it is known.
    pub why: Option<String>,
    /// When the box was last heard of, Unix time in milliseconds.
    pub last_contact_ms: Option<u64>,
}

/// A contact.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactRow {
    /// The member key, in hex.
    pub key: String,
    /// The local name.
    pub name: String,
    /// Whether the safety number was compared.
    pub verified: bool,
    /// Whether anything came from them yet.
    pub answered: bool,
    /// Whether nothing is taken from them.
    pub blocked: bool,
    /// Their certificate was taken: nothing comes or goes before a fresh code is added.
    pub revoked: bool,
    /// Messages that were on no screen yet.
    pub unread: usize,
    /// How many devices of theirs are known.
    pub devices: usize,
    /// When something last came from them, Unix time in milliseconds, where it is known.
    pub last_seen_ms: Option<u64>,
}

/// Somebody who wrote without a code of this device.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRow {
    /// As `accept` takes it.
    pub id: String,
    /// What they call themselves; may be empty.
    pub name: String,
    /// How many messages wait.
    pub messages: usize,
    /// When the first came, Unix time in milliseconds.
    pub since_ms: u64,
}

/// A conversation.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TalkRow {
    /// With whom.
    pub contact: String,
    /// Whether there are older messages than these.
    pub has_more: bool,
    /// The oldest first.
    pub messages: Vec<MessageRow>,
}

/// A message.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRow {
    /// In hex.
    pub id: String,
    /// Whether this member wrote it.
    pub sent: bool,
    /// Raw; empty for view-once ones.
    pub text: String,
    /// By its writer's clock, Unix time in milliseconds.
    pub sent_at_ms: u64,
    /// When it goes, Unix time in milliseconds.
    pub expires_at_ms: Option<u64>,
    /// Shown once.
    pub view_once: bool,
    /// It was on no screen yet.
    pub unread: bool,
    /// What it answers.
    pub quote: Option<QuoteRow>,
    /// Where the contact has several devices: those that confirmed it, or the one that wrote it. Raw.
    pub devices: Vec<String>,
    /// Which way it took, in a word.
    pub path: String,
    /// How it stands; nothing for received ones.
    pub mark: Option<Mark>,
    /// The same in words.
    pub standing: String,
}

/// What a message answers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuoteRow {
    /// Whether this member wrote it; `None`: nobody here knows it, the excerpt is what the answer says.
    pub sent: Option<bool>,
    /// Its beginning, raw.
    pub excerpt: String,
}

/// How a sent message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// With no box yet.
    Outbox,
    /// Kept by a box.
    Kept,
    /// Confirmed.
    Delivered,
    /// On its way again.
    Again,
    /// Refused, expired or given up.
    GivenUp,
}
