//! What a person sees: messages, contacts, requests, states. Plain data, texts raw: see [`crate::display::escape`].

use std::fmt;
use std::time::Duration;

use data_encoding::HEXLOWER;
use hob_protocol::address::Address;
use hob_protocol::code::Code;
use hob_protocol::ids::{BoxIdentity, DeviceKey, MailboxId, MemberId, MemberKey};

/// Names a message between devices: random, made by its writer. Exactly once is by it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub [u8; 16]);

impl MessageId {
    /// Reads what [`Display`](fmt::Display) writes.
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for MessageId {
    /// Lower-case hex.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({})", HEXLOWER.encode(&self.0[..4]))
    }
}

/// Which way a message took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Path {
    /// Kept and relayed by the recipient's box.
    Box,
    /// Passed on by the recipient's box and never kept: strict.
    Unkept,
}

impl Path {
    /// One word for screens and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Box => "box",
            Self::Unkept => "unkept",
        }
    }
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The contact.
    Received,
    /// This member.
    Sent,
}

/// One message, received or sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// The local name of the contact.
    pub contact: String,
    /// Whether the contact's safety number was compared.
    pub verified: bool,
    /// Who wrote it.
    pub direction: Direction,
    /// The text, raw: it may hold control and bidi characters.
    pub text: String,
    /// When it was written by its writer's clock, Unix time in milliseconds.
    pub sent_at_ms: u64,
    /// When it is dropped here and there, Unix time in milliseconds.
    pub expires_at_ms: Option<u64>,
    /// Shown once, never in history.
    pub view_once: bool,
    /// What it answers.
    pub quote: Option<Quoted>,
    /// Which way it took.
    pub path: Path,
    /// How it stands; received ones are delivered.
    pub status: MessageStatus,
    /// Where the contact has several devices: those that confirmed it, or the one that wrote it, by their names.
    pub devices: Vec<String>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every field is named: a new one does not compile before someone has decided whether it may be logged.
        let Self {
            id,
            contact,
            verified,
            direction,
            text: _,
            sent_at_ms,
            expires_at_ms,
            view_once,
            quote,
            path,
            status,
            devices: _,
        } = self;
        f.debug_struct("Message")
            .field("id", id)
            .field("contact", contact)
            .field("verified", verified)
            .field("direction", direction)
            .field("sent_at_ms", sent_at_ms)
            .field("expires_at_ms", expires_at_ms)
            .field("view_once", view_once)
            .field("quote", &quote.as_ref().map(|quote| quote.id))
            .field("path", path)
            .field("status", status)
            .finish_non_exhaustive()
    }
}

/// The message that another one answers.
#[derive(Clone, PartialEq, Eq)]
pub struct Quoted {
    /// Which.
    pub id: MessageId,
    /// Who wrote it; `None`: it is not in this device's history, and `excerpt` is what the writer of the answer says.
    pub by: Option<Direction>,
    /// Its beginning, raw; from this device's own history where the message is there. May be empty.
    pub excerpt: String,
}

/// How a sent message stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageStatus {
    /// In the outbox of this device only.
    Outbox {
        /// Why it is not with the box yet.
        why: WaitReason,
        /// When it is tried again, Unix time in milliseconds; `None`: as soon as it can.
        retry_at_ms: Option<u64>,
        /// How often it expired at the box and went out again.
        sent_again: u32,
    },
    /// The contact's box keeps it.
    Kept {
        /// Until when, Unix time in milliseconds.
        until_ms: u64,
        /// How often it expired there before and went out again.
        sent_again: u32,
    },
    /// Strict: handed to the contact's box for passing on at once. No box keeps it.
    Offered {
        /// Until when a confirmation is waited for, Unix time in milliseconds.
        until_ms: u64,
    },
    /// The contact's device confirmed it.
    Delivered,
    /// Refused for good.
    Refused {
        /// Why.
        why: Refusal,
    },
    /// Its time to live passed without a receipt; of view-once ones, the box's deadline.
    Expired,
    /// 14 days passed without a receipt.
    GivenUp {
        /// When anything of the contact came last, Unix time in milliseconds; `None`: never.
        last_seen_ms: Option<u64>,
    },
    /// Strict, and not confirmed within a minute.
    NobodyThere,
}

/// Why a message is still in the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitReason {
    /// The contact's box is not connected, or has not answered yet.
    NotConnected,
    /// The home box has to grant the contact's token first.
    TokenNotGranted,
    /// The contact's device has published no bundle, or has to publish again.
    NoBundle,
    /// The mailbox, or this contact's share of it, is full.
    MailboxFull,
    /// Too many at once.
    TooFast,
    /// The contact's box cannot store at the moment, or is restarting.
    BoxUnwell,
    /// It was kept and passed its deadline, or was lost, without a receipt: it goes out again.
    ToBeSentAgain,
    /// The contact's box lost its memory, and the contact's device has not told it anew whose messages it takes.
    BoxForgot,
    /// Another box answers at the address of the contact's.
    WrongBox,
    /// The contact's keys are others than those that were verified.
    KeysChanged,
    /// Another device of this member sends it, and has not told of a receipt yet.
    OnAnotherDevice,
}

impl WaitReason {
    /// What it means, for a person.
    pub const fn text(self) -> &'static str {
        match self {
            Self::NotConnected => "the contact's box cannot be reached yet",
            Self::TokenNotGranted => "your own box has to take note of the contact first",
            Self::NoBundle => "the contact's device has published no keys yet",
            Self::MailboxFull => "the contact's mailbox is full",
            Self::TooFast => "too many messages at once",
            Self::BoxUnwell => "the contact's box cannot store at the moment",
            Self::ToBeSentAgain => "it was not confirmed in time and is sent again",
            Self::BoxForgot => "the contact's box lost its memory and waits for the contact's device",
            Self::WrongBox => "another box answers at the address of the contact's",
            Self::KeysChanged => "the contact's keys have changed: compare the safety numbers, then confirm them",
            Self::OnAnotherDevice => "another device of yours sends it",
        }
    }
}

/// A box refused something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub struct Refusal {
    /// The code's number on the wire.
    pub code: u32,
    /// When trying again may help; `None`: it will not.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// What it means, for a person; never the box's own text, which a stranger could have written.
    pub fn text(&self) -> &'static str {
        match Code::from_number(self.code) {
            Some(Code::NoSuchToken) => "the contact takes no messages from you any more: ask for a new contact code",
            // Taken out by the keeper, or unknown to a box that was restored from an older backup: the way back is the same.
            Some(Code::NotAMember) => {
                "the box does not know this device: ask its keeper for an invitation and join with it here; contacts, \
                 history and mailbox stay"
            }
            Some(code) => code.text(),
            None => "the box refused, for a reason that this program does not know: update it",
        }
    }
}

/// Somebody to write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The local name, unique.
    pub name: String,
    /// The member.
    pub member_key: MemberKey,
    /// The member's devices that are known.
    pub device_keys: Vec<DeviceKey>,
    /// Their home box.
    pub box_identity: BoxIdentity,
    /// Whether the safety number was compared.
    pub verified: bool,
    /// Whether nothing of theirs is taken and nothing goes to them.
    pub blocked: bool,
    /// Whether their revocation certificate was taken: nothing comes or goes before a fresh code is added.
    pub revoked: bool,
    /// Whether anything came from them yet.
    pub answered: bool,
    /// Since when, Unix time in milliseconds.
    pub added_at_ms: u64,
    /// Messages received and not shown yet.
    pub unshown: usize,
    /// When anything of them came last, by their clock or ours, whichever is earlier; Unix time in milliseconds.
    pub last_seen_ms: Option<u64>,
}

/// A contact code that was shown here and not used yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCode {
    /// What `contact revoke` takes: the first 8 hex digits of its token's hash.
    pub id: String,
    /// When it was made, Unix time in milliseconds.
    pub made_at_ms: u64,
    /// When it is too late for its first use, Unix time in milliseconds.
    pub use_before_ms: u64,
}

/// Somebody who wrote without a code of this device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What `accept` and `refuse` take: the first 8 hex digits of the device key.
    pub id: String,
    /// The name they propose, made safe; may be empty.
    pub proposed_name: String,
    /// The member key that certified their device.
    pub member_key: MemberKey,
    /// Their device.
    pub device_key: DeviceKey,
    /// How many messages wait.
    pub messages: usize,
    /// When the first came, Unix time in milliseconds.
    pub since_ms: u64,
}

/// The box that this device is a member's of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// The pin.
    pub identity: BoxIdentity,
    /// Where it can be reached.
    pub addresses: Vec<Address>,
    /// This device's mailbox.
    pub mailbox: MailboxId,
    /// The box's own name of the member.
    pub member: MemberId,
    /// The label given at joining; also the name proposed to contacts.
    pub label: String,
}

/// 60 digits and bytes for a QR code, the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafetyNumber {
    /// 60 decimal digits without spaces. [`SafetyNumber::grouped`] writes them for reading aloud.
    pub digits: String,
    /// What a QR code of it holds: version, and the two halves in full length (65 B).
    pub qr: Vec<u8>,
}

impl SafetyNumber {
    /// Twelve groups of five digits, four a line.
    pub fn grouped(&self) -> String {
        let mut text = String::with_capacity(72);
        for (at, digit) in self.digits.chars().enumerate() {
            if at > 0 && at % 20 == 0 {
                text.push('\n');
            } else if at > 0 && at % 5 == 0 {
                text.push(' ');
            }
            text.push(digit);
        }
        text
    }
}

/// Numbers for `status`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Messages without a receipt, kept by a box or not.
    pub unconfirmed: usize,
    /// Of these, not with a box.
    pub in_outbox: usize,
    /// Received and not shown yet.
    pub unshown: usize,
    /// Contacts.
    pub contacts: usize,
    /// Requests that wait.
    pub requests: usize,
    /// Receipts that are to be sent.
    pub receipts_due: usize,
}
