//! What devices of one member, and a member's list, say inside the plaintext.

use hob_protocol::address::Address;
use hob_protocol::ids::{BoxIdentity, DeliveryToken, DeviceKey, MemberKey};
use hob_protocol::limits::ADDRESSES_MAX;
use zeroize::Zeroizing;

use super::inner::{Body, InnerError, exact, text_to_wire};
use super::quote::Quote;
use crate::devices::list::DEVICES_MAX;
use crate::view::MessageId;

/// Contacts in one sync, copies of messages and news of deliveries in one body.
pub const PARTS_MAX: usize = 256;

/// The year 2200: a change is never later, so that the next one always can be.
const TIME_MAX_MS: u64 = 7_258_118_400_000;

/// The messages as they are serialised (Protocol Buffers).
#[allow(missing_docs, reason = "documented on the checked types beside it")]
pub mod wire {
    use crate::seal::inner::wire::Text;

    #[derive(Clone, PartialEq, prost::Message)]
    #[prost(skip_debug)]
    pub struct List {
        #[prost(bytes = "vec", tag = "1")]
        pub list: Vec<u8>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    #[prost(skip_debug)]
    pub struct Hello {
        #[prost(bytes = "vec", tag = "1")]
        pub record: Vec<u8>,
        #[prost(string, tag = "2")]
        pub name: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    #[prost(skip_debug)]
    pub struct Sync {
        #[prost(string, tag = "1")]
        pub label: String,
        #[prost(message, repeated, tag = "2")]
        pub contacts: Vec<Card>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    #[prost(skip_debug)]
    pub struct Card {
        #[prost(bytes = "vec", tag = "1")]
        pub member_key: Vec<u8>,
        #[prost(string, tag = "2")]
        pub name: String,
        #[prost(bool, tag = "3")]
        pub verified: bool,
        #[prost(bool, tag = "4")]
        pub answered: bool,
        #[prost(uint64, tag = "5")]
        pub added_at_ms: u64,
        #[prost(bytes = "vec", tag = "6")]
        pub list: Vec<u8>,
        #[prost(message, repeated, tag = "7")]
        pub devices: Vec<CardDevice>,
        #[prost(bool, tag = "8")]
        pub blocked: bool,
        #[prost(uint64, tag = "9")]
        pub named_at_ms: u64,
        #[prost(uint64, tag = "10")]
        pub blocked_at_ms: u64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    #[prost(skip_debug)]
    pub struct CardDevice {
        #[prost(bytes = "vec", tag = "1")]
        pub device_key: Vec<u8>,
        #[prost(bytes = "vec", tag = "2")]
        pub home_box: Vec<u8>,
        #[prost(string, repeated, tag = "3")]
        pub addresses: Vec<String>,
        #[prost(uint64, tag = "4")]
        pub address_sequence: u64,
        #[prost(bytes = "vec", tag = "5")]
        pub token: Vec<u8>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    #[prost(skip_debug)]
    pub struct Copies {
        #[prost(message, repeated, tag = "1")]
        pub copies: Vec<Copied>,
        #[prost(bool, tag = "2")]
        pub history: bool,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    #[prost(skip_debug)]
    pub struct Copied {
        #[prost(bytes = "vec", tag = "1")]
        pub message_id: Vec<u8>,
        #[prost(bytes = "vec", tag = "2")]
        pub member_key: Vec<u8>,
        #[prost(bool, tag = "3")]
        pub sent: bool,
        #[prost(message, optional, tag = "4")]
        pub text: Option<Text>,
        #[prost(uint64, tag = "5")]
        pub sent_at_ms: u64,
        #[prost(uint64, tag = "6")]
        pub expires_at_ms: u64,
        #[prost(bytes = "vec", tag = "7")]
        pub device_key: Vec<u8>,
        #[prost(bytes = "vec", repeated, tag = "8")]
        pub delivered_to: Vec<Vec<u8>>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    #[prost(skip_debug)]
    pub struct Deliveries {
        #[prost(message, repeated, tag = "1")]
        pub deliveries: Vec<Delivery>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    #[prost(skip_debug)]
    pub struct Delivery {
        #[prost(bytes = "vec", tag = "1")]
        pub message_id: Vec<u8>,
        #[prost(bytes = "vec", tag = "2")]
        pub member_key: Vec<u8>,
        #[prost(bytes = "vec", tag = "3")]
        pub device_key: Vec<u8>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    #[prost(skip_debug)]
    pub struct Removals {
        #[prost(message, repeated, tag = "1")]
        pub removals: Vec<Removal>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    #[prost(skip_debug)]
    pub struct Removal {
        #[prost(bytes = "vec", tag = "1")]
        pub member_key: Vec<u8>,
        #[prost(uint64, tag = "2")]
        pub at_ms: u64,
    }
}

/// A new device asks to be put into its member's list.
#[derive(Clone, PartialEq, Eq)]
pub struct Hello {
    /// Its record, signed by the device only; serialised.
    pub record: Vec<u8>,
    /// What it is to be called; raw.
    pub name: String,
}

/// What one device of a member knows of contacts, for another.
#[derive(Clone, PartialEq, Eq)]
pub struct Sync {
    /// What the member would like to be called by contacts.
    pub label: String,
    /// At most [`PARTS_MAX`].
    pub contacts: Vec<Card>,
}

/// What is known of one contact, or of the member's own devices.
#[derive(Clone, PartialEq, Eq)]
pub struct Card {
    /// Whose card.
    pub member_key: MemberKey,
    /// The local name; raw.
    pub name: String,
    /// The safety number was compared.
    pub verified: bool,
    /// Nothing of theirs is taken.
    pub blocked: bool,
    /// When the name was chosen, Unix time in milliseconds; 0: never changed.
    pub named_at_ms: u64,
    /// When they were blocked or unblocked last, Unix time in milliseconds; 0: never.
    pub blocked_at_ms: u64,
    /// Something came from them.
    pub answered: bool,
    /// Unix time in milliseconds.
    pub added_at_ms: u64,
    /// Their newest list; empty where none came yet.
    pub list: Vec<u8>,
    /// Their devices.
    pub devices: Vec<CardDevice>,
}

/// A contact that the person removed.
#[derive(Clone, PartialEq, Eq)]
pub struct Removal {
    /// Who.
    pub member_key: MemberKey,
    /// Unix time in milliseconds, later than when they were added.
    pub at_ms: u64,
}

/// How one device of a contact is reached.
#[derive(Clone, PartialEq, Eq)]
pub struct CardDevice {
    /// The device.
    pub device_key: DeviceKey,
    /// Where it receives.
    pub home_box: BoxIdentity,
    /// Where that box is; none where it is the home box.
    pub addresses: Vec<Address>,
    /// Of its address record; 0: none was seen.
    pub address_sequence: u64,
    /// By which the sibling submits to it; good until the device gives one of its own.
    pub token: Option<DeliveryToken>,
}

/// A copy of a message, for a sibling that has it not.
#[derive(Clone, PartialEq, Eq)]
pub struct Copied {
    /// The message's own id.
    pub message_id: MessageId,
    /// The contact.
    pub member_key: MemberKey,
    /// Whether this member wrote it.
    pub sent: bool,
    /// The text.
    pub text: Zeroizing<String>,
    /// What it answers.
    pub quote: Option<Quote>,
    /// The writer's clock, Unix time in milliseconds.
    pub sent_at_ms: u64,
    /// Unix time in milliseconds.
    pub expires_at_ms: Option<u64>,
    /// Which device wrote it.
    pub device_key: DeviceKey,
    /// Sent ones: the contact's devices that confirmed it, at most sixteen.
    pub delivered_to: Vec<DeviceKey>,
}

/// A contact's device confirmed a message that this member wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Which.
    pub message_id: MessageId,
    /// The contact.
    pub member_key: MemberKey,
    /// Their device.
    pub device_key: DeviceKey,
}

fn device(bytes: &[u8]) -> Result<DeviceKey, InnerError> {
    exact("a device key", bytes).map(DeviceKey)
}

fn member(bytes: &[u8]) -> Result<MemberKey, InnerError> {
    exact("a member key", bytes).map(MemberKey)
}

fn at_most(what: &'static str, got: usize, max: usize) -> Result<(), InnerError> {
    if got <= max { Ok(()) } else { Err(InnerError { what }) }
}

impl Sync {
    pub(super) fn to_wire(&self) -> wire::Sync {
        wire::Sync { label: self.label.clone(), contacts: self.contacts.iter().map(Card::to_wire).collect() }
    }

    pub(super) fn from_wire(sync: wire::Sync) -> Result<Self, InnerError> {
        at_most("a sync", sync.contacts.len(), PARTS_MAX)?;
        let contacts = sync.contacts.into_iter().map(Card::from_wire).collect::<Result<_, _>>()?;
        Ok(Self { label: sync.label, contacts })
    }
}

impl Card {
    fn to_wire(&self) -> wire::Card {
        wire::Card {
            member_key: self.member_key.0.to_vec(),
            name: self.name.clone(),
            verified: self.verified,
            answered: self.answered,
            added_at_ms: self.added_at_ms,
            list: self.list.clone(),
            devices: self.devices.iter().map(CardDevice::to_wire).collect(),
            blocked: self.blocked,
            named_at_ms: self.named_at_ms,
            blocked_at_ms: self.blocked_at_ms,
        }
    }

    fn from_wire(card: wire::Card) -> Result<Self, InnerError> {
        at_most("a contact's devices", card.devices.len(), DEVICES_MAX)?;
        Ok(Self {
            member_key: member(&card.member_key)?,
            name: card.name,
            verified: card.verified,
            blocked: card.blocked,
            named_at_ms: time(card.named_at_ms)?,
            blocked_at_ms: time(card.blocked_at_ms)?,
            answered: card.answered,
            added_at_ms: time(card.added_at_ms)?,
            list: card.list,
            devices: card.devices.into_iter().map(CardDevice::from_wire).collect::<Result<_, _>>()?,
        })
    }
}

impl CardDevice {
    fn to_wire(&self) -> wire::CardDevice {
        wire::CardDevice {
            device_key: self.device_key.0.to_vec(),
            home_box: self.home_box.0.to_vec(),
            addresses: self.addresses.iter().map(ToString::to_string).collect(),
            address_sequence: self.address_sequence,
            token: self.token.as_ref().map(|token| token.expose().to_vec()).unwrap_or_default(),
        }
    }

    fn from_wire(card: wire::CardDevice) -> Result<Self, InnerError> {
        at_most("addresses", card.addresses.len(), ADDRESSES_MAX)?;
        let address = |text: &String| Address::parse(text).map_err(|_| InnerError { what: "an address" });
        Ok(Self {
            device_key: device(&card.device_key)?,
            home_box: BoxIdentity(exact("a box identity", &card.home_box)?),
            addresses: card.addresses.iter().map(address).collect::<Result<_, _>>()?,
            address_sequence: card.address_sequence,
            token: match card.token.is_empty() {
                true => None,
                false => Some(DeliveryToken(exact("a delivery token", &card.token)?)),
            },
        })
    }
}

impl Copied {
    fn to_wire(&self) -> wire::Copied {
        wire::Copied {
            message_id: self.message_id.0.to_vec(),
            member_key: self.member_key.0.to_vec(),
            sent: self.sent,
            text: Some(text_to_wire(&self.text, false, self.quote.as_ref())),
            sent_at_ms: self.sent_at_ms,
            expires_at_ms: self.expires_at_ms.unwrap_or_default(),
            device_key: self.device_key.0.to_vec(),
            delivered_to: self.delivered_to.iter().map(|device| device.0.to_vec()).collect(),
        }
    }

    fn from_wire(copied: wire::Copied) -> Result<Self, InnerError> {
        at_most("devices that confirmed", copied.delivered_to.len(), DEVICES_MAX)?;
        let text = copied.text.ok_or(InnerError { what: "a copy's text" })?;
        if text.view_once {
            return Err(InnerError { what: "a copy of what is shown once" });
        }
        let quote = Quote::from_wire(&text.quoted, &text.excerpt)?;
        let message_id = exact("a message id", &copied.message_id)?;
        Ok(Self {
            message_id: MessageId(message_id),
            member_key: member(&copied.member_key)?,
            sent: copied.sent,
            text: Zeroizing::new(text.text),
            quote,
            sent_at_ms: copied.sent_at_ms,
            expires_at_ms: Some(copied.expires_at_ms).filter(|at| *at > 0),
            device_key: device(&copied.device_key)?,
            delivered_to: copied.delivered_to.iter().map(|key| device(key)).collect::<Result<_, _>>()?,
        })
    }
}

pub(super) fn copies_to_wire(copies: &[Copied], history: bool) -> wire::Copies {
    wire::Copies { copies: copies.iter().map(Copied::to_wire).collect(), history }
}

pub(super) fn copies_from_wire(copies: wire::Copies) -> Result<Body, InnerError> {
    at_most("copies", copies.copies.len(), PARTS_MAX)?;
    let history = copies.history;
    let copies = copies.copies.into_iter().map(Copied::from_wire).collect::<Result<_, _>>()?;
    Ok(Body::Copies { copies, history })
}

pub(super) fn deliveries_to_wire(deliveries: &[Delivery]) -> wire::Deliveries {
    let to_wire = |delivery: &Delivery| wire::Delivery {
        message_id: delivery.message_id.0.to_vec(),
        member_key: delivery.member_key.0.to_vec(),
        device_key: delivery.device_key.0.to_vec(),
    };
    wire::Deliveries { deliveries: deliveries.iter().map(to_wire).collect() }
}

pub(super) fn deliveries_from_wire(deliveries: wire::Deliveries) -> Result<Body, InnerError> {
    at_most("deliveries", deliveries.deliveries.len(), PARTS_MAX)?;
    let from_wire = |delivery: &wire::Delivery| {
        Ok(Delivery {
            message_id: MessageId(exact("a message id", &delivery.message_id)?),
            member_key: member(&delivery.member_key)?,
            device_key: device(&delivery.device_key)?,
        })
    };
    Ok(Body::Deliveries { deliveries: deliveries.deliveries.iter().map(from_wire).collect::<Result<_, _>>()? })
}

pub(super) fn removals_to_wire(removals: &[Removal]) -> wire::Removals {
    let to_wire = |removal: &Removal| wire::Removal { member_key: removal.member_key.0.to_vec(), at_ms: removal.at_ms };
    wire::Removals { removals: removals.iter().map(to_wire).collect() }
}

pub(super) fn removals_from_wire(removals: &wire::Removals) -> Result<Body, InnerError> {
    at_most("removals", removals.removals.len(), PARTS_MAX)?;
    let from_wire =
        |removal: &wire::Removal| Ok(Removal { member_key: member(&removal.member_key)?, at_ms: time(removal.at_ms)? });
    Ok(Body::Removals { removals: removals.removals.iter().map(from_wire).collect::<Result<_, _>>()? })
}

/// A time by which changes are ordered.
fn time(at_ms: u64) -> Result<u64, InnerError> {
    if at_ms <= TIME_MAX_MS { Ok(at_ms) } else { Err(InnerError { what: "a time" }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back(count: usize, at_ms: u64) -> Result<Body, InnerError> {
        let removal = Removal { member_key: MemberKey([4; 32]), at_ms };
        removals_from_wire(&removals_to_wire(&vec![removal; count]))
    }

    #[test]
    fn removals_are_read_in_bounded_numbers_and_never_from_a_time_that_nothing_could_follow() {
        assert!(matches!(read_back(PARTS_MAX, TIME_MAX_MS), Ok(Body::Removals { removals }) if removals.len() == 256));
        assert!(read_back(PARTS_MAX + 1, 1).is_err());
        assert!(read_back(1, TIME_MAX_MS + 1).is_err());
        let cut = wire::Removals { removals: vec![wire::Removal { member_key: vec![4; 31], at_ms: 1 }] };
        assert!(removals_from_wire(&cut).is_err());
    }
}
