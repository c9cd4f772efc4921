//! The events of the log: what the rules ask to be remembered, and what they get back after a start.

use bytes::Bytes;
use hob_protocol::frame::Urgency;
use hob_protocol::ids::{EnvelopeId, MailboxId};
use prost::Message;

use crate::clock::BoxTime;

/// The events as `prost` generates them from `proto/events.proto`.
#[allow(missing_docs, clippy::doc_markdown, reason = "generated code")]
pub mod disk {
    include!(concat!(env!("OUT_DIR"), "/hob.log.v1.rs"));
}

/// The events' own description (Protocol Buffers source), for the test that holds the docs to it.
pub const PROTO_SOURCE: &str = include_str!("../proto/events.proto");

/// An event of the ledger.
pub use disk::ledger_event::Event as LedgerEvent;

/// Where an accepted envelope lies in the log. The rules keep it and hand it back; they never look inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// The window's number.
    pub window: u32,
    /// The accepted event's sequence number in that window.
    pub sequence: u32,
    /// Where in the window's journal the record begins, in bytes.
    pub offset: u64,
}

/// What the rules ask the log to append. Each becomes one event.
#[derive(Debug, Clone)]
pub enum Append {
    /// An envelope was taken for keeping, body and all, into the open window.
    Accept {
        /// Whose it is.
        mailbox: MailboxId,
        /// Its id.
        id: EnvelopeId,
        /// When it is forgotten.
        deadline: BoxTime,
        /// Whether the device is to be woken.
        urgency: Urgency,
        /// The sealed bytes.
        body: Bytes,
    },
    /// Its owner has it safe. Goes to the envelope's own window; need not be synced by itself.
    Acknowledge {
        /// Where it lies.
        place: Place,
    },
    /// Its deadline passed. Goes to the envelope's own window; need not be synced by itself.
    Expire {
        /// Where it lies.
        place: Place,
    },
    /// Something that lasts.
    Ledger(LedgerEvent),
}

impl Append {
    /// Whether somebody waits for it to be durable. The others ride with the next commit: losing one costs a repeated
    /// push, or a second look at a deadline.
    pub const fn is_awaited(&self) -> bool {
        match self {
            Self::Accept { .. } | Self::Ledger(_) => true,
            Self::Acknowledge { .. } | Self::Expire { .. } => false,
        }
    }

    /// Bytes it brings into a commit, roughly: what group commit counts.
    pub fn weight_bytes(&self) -> usize {
        match self {
            Self::Accept { body, .. } => body.len() + 128,
            Self::Acknowledge { .. } | Self::Expire { .. } => 32,
            Self::Ledger(event) => event.encoded_len() + 64,
        }
    }
}

/// A pending envelope as the log finds it on start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// Whose it is.
    pub mailbox: MailboxId,
    /// Its id.
    pub id: EnvelopeId,
    /// When it is forgotten.
    pub deadline: BoxTime,
    /// Whether the device is to be woken.
    pub urgency: Urgency,
    /// Its size in bytes.
    pub body_bytes: u32,
    /// Where it lies.
    pub place: Place,
}

/// An envelope that is done, but whose id is known until its deadline, so that it is not taken twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub id: EnvelopeId,
    /// When the id is forgotten.
    pub deadline: BoxTime,
}

/// What a ledger event is about: a later event with the same key replaces an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LedgerKey(u8, Bytes);

/// Lines of the audit log that are kept. The line after them takes the place of the oldest, which needs no removal.
pub const AUDIT_LINES_MAX: u64 = 2_000;

/// The place of a line: a later line in the same one replaces it.
const fn place_of_audit(number: u64) -> u64 {
    number % AUDIT_LINES_MAX
}

/// The key of an event, and whether the event ends what it is about.
pub fn ledger_key(event: &LedgerEvent) -> (LedgerKey, bool) {
    let live = |kind, id: &Bytes| (LedgerKey(kind, id.clone()), false);
    let removal = |kind, id: &Bytes| (LedgerKey(kind, id.clone()), true);
    match event {
        LedgerEvent::Member(member) => live(1, &member.id),
        LedgerEvent::MemberRemoved(member) => removal(1, &member.id),
        LedgerEvent::Device(device) => live(3, &device.key),
        LedgerEvent::DeviceRemoved(device) => removal(3, &device.key),
        LedgerEvent::Token(token) => live(5, &token.hash),
        LedgerEvent::TokenRemoved(token) => removal(5, &token.hash),
        LedgerEvent::Bundle(bundle) => live(7, &bundle.mailbox),
        LedgerEvent::BundleRemoved(bundle) => removal(7, &bundle.mailbox),
        LedgerEvent::Invitation(invitation) => live(9, &invitation.id),
        LedgerEvent::InvitationRemoved(invitation) => removal(9, &invitation.id),
        LedgerEvent::Epoch(_) => live(11, &Bytes::new()),
        LedgerEvent::LostWindow(window) => live(12, &Bytes::copy_from_slice(&window.opened_at_s.to_be_bytes())),
        LedgerEvent::Addresses(_) => live(13, &Bytes::new()),
        LedgerEvent::Keeper(keeper) => live(20, &keeper.id),
        LedgerEvent::KeeperRemoved(keeper) => removal(20, &keeper.id),
        LedgerEvent::SetUp(_) => live(22, &Bytes::new()),
        LedgerEvent::Settings(_) => live(23, &Bytes::new()),
        LedgerEvent::AutomationToken(token) => live(24, &token.id),
        LedgerEvent::AutomationTokenRemoved(token) => removal(24, &token.id),
        LedgerEvent::Audit(line) => live(26, &Bytes::copy_from_slice(&place_of_audit(line.number).to_be_bytes())),
        LedgerEvent::Suspended(member) => live(27, &member.member),
        LedgerEvent::Resumed(member) => removal(27, &member.member),
    }
}

/// An event as bytes, for sealing.
pub fn encode_ledger(event: LedgerEvent) -> Vec<u8> {
    disk::LedgerEvent { event: Some(event) }.encode_to_vec()
}

/// An event from bytes; `None` for one of a newer box, which is kept but not understood.
///
/// # Errors
/// If the bytes are no event at all.
pub fn decode_ledger(bytes: Bytes) -> Result<Option<LedgerEvent>, prost::DecodeError> {
    Ok(disk::LedgerEvent::decode(bytes)?.event)
}
