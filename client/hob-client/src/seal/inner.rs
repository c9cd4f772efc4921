//! The inner plaintext: what one device says to another, inside Olm.

use std::time::Duration;

use hob_protocol::address::Address;
use hob_protocol::ids::{DeliveryToken, DeviceKey};
use prost::Message as _;
use zeroize::Zeroizing;

use super::devices::{self, Copied, Delivery, Hello, Removal, Sync};
use super::quote::Quote;
use crate::devices::list::DEVICES_MAX;
use crate::view::MessageId;

/// Ids in one receipt.
pub const RECEIPT_IDS_MAX: usize = 256;

/// Inner ciphertexts that one retry request names.
pub const RETRY_HASHES_MAX: usize = 256;

/// The longest address record: three addresses of the longest kind.
pub const RECORD_BYTES_MAX: usize = 1_024;

/// The messages as they are serialised (Protocol Buffers).
#[allow(missing_docs, reason = "documented on the checked types beside it")]
pub mod wire {
    pub use crate::seal::devices::wire as devices;

    /// A new field number is for a new meaning: unknown ones are ignored by older clients.
    #[derive(Clone, PartialEq, prost::Message)]
    #[prost(skip_debug)]
    pub struct Inner {
        #[prost(bytes = "vec", tag = "1")]
        pub sender_device: Vec<u8>,
        #[prost(bytes = "vec", tag = "2")]
        pub recipient_device: Vec<u8>,
        #[prost(bytes = "vec", tag = "3")]
        pub conversation: Vec<u8>,
        #[prost(bytes = "vec", tag = "4")]
        pub message_id: Vec<u8>,
        #[prost(uint64, tag = "5")]
        pub sent_at_ms: u64,
        #[prost(uint32, tag = "6")]
        pub ttl_s: u32,
        /// Room for a franking commitment.
        #[prost(bytes = "vec", tag = "7")]
        pub franking: Vec<u8>,
        /// Room for a passphrase layer.
        #[prost(bytes = "vec", tag = "8")]
        pub passphrase_layer: Vec<u8>,
        #[prost(message, optional, tag = "9")]
        pub introduction: Option<Introduction>,
        #[prost(bool, tag = "10")]
        pub has_your_token: bool,
        #[prost(bool, tag = "11")]
        pub strict: bool,
        /// First 8 bytes of the recipient's other device keys to which the same message goes.
        #[prost(bytes = "vec", repeated, tag = "12")]
        pub also_to: Vec<Vec<u8>>,
        #[prost(oneof = "Body", tags = "20, 21, 22, 23, 24, 30, 31, 32, 33, 34, 35")]
        pub body: Option<Body>,
    }

    #[derive(Clone, PartialEq, prost::Oneof)]
    #[prost(skip_debug)]
    pub enum Body {
        #[prost(message, tag = "20")]
        Text(Text),
        #[prost(message, tag = "21")]
        Receipt(Receipt),
        #[prost(message, tag = "22")]
        Back(Back),
        #[prost(message, tag = "23")]
        Retry(Retry),
        #[prost(message, tag = "30")]
        List(devices::List),
        #[prost(message, tag = "31")]
        Hello(devices::Hello),
        #[prost(message, tag = "32")]
        Sync(devices::Sync),
        #[prost(message, tag = "33")]
        Copies(devices::Copies),
        #[prost(message, tag = "34")]
        Deliveries(devices::Deliveries),
        #[prost(message, tag = "35")]
        Removals(devices::Removals),
        #[prost(message, tag = "24")]
        Addresses(Addresses),
    }

    #[derive(Clone, PartialEq, prost::Message)]
    #[prost(skip_debug)]
    pub struct Text {
        #[prost(string, tag = "1")]
        pub text: String,
        #[prost(bool, tag = "2")]
        pub view_once: bool,
        #[prost(bytes = "vec", tag = "3")]
        pub quoted: Vec<u8>,
        #[prost(string, tag = "4")]
        pub excerpt: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    #[prost(skip_debug)]
    pub struct Receipt {
        #[prost(bytes = "vec", repeated, tag = "1")]
        pub ids: Vec<Vec<u8>>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    #[prost(skip_debug)]
    pub struct Back {}

    #[derive(Clone, PartialEq, prost::Message)]
    #[prost(skip_debug)]
    pub struct Retry {
        #[prost(bytes = "vec", repeated, tag = "1")]
        pub inner_hashes: Vec<Vec<u8>>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    #[prost(skip_debug)]
    pub struct Addresses {
        #[prost(bytes = "vec", tag = "1")]
        pub record: Vec<u8>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    #[prost(skip_debug)]
    pub struct Introduction {
        #[prost(bytes = "vec", tag = "1")]
        pub mac: Vec<u8>,
        // 2 was the bare device record.
        #[prost(bytes = "vec", tag = "3")]
        pub token: Vec<u8>,
        #[prost(bytes = "vec", tag = "4")]
        pub address_record: Vec<u8>,
        #[prost(string, repeated, tag = "5")]
        pub addresses: Vec<String>,
        #[prost(string, tag = "6")]
        pub name: String,
        #[prost(bytes = "vec", tag = "10")]
        pub list: Vec<u8>,
    }
}

/// What one device says to another.
#[derive(Clone, PartialEq, Eq)]
pub enum Body {
    /// A person's text.
    Text {
        /// As it was written.
        text: Zeroizing<String>,
        /// To be shown once.
        view_once: bool,
        /// What it answers.
        quote: Option<Quote>,
    },
    /// These messages are safe on the device.
    Receipt {
        /// At most [`RECEIPT_IDS_MAX`].
        ids: Vec<MessageId>,
    },
    /// The device was away for longer than boxes keep.
    Back,
    /// Inner ciphertexts could not be opened: encrypt afresh, under the same message ids.
    Retry {
        /// BLAKE3 of each; at most [`RETRY_HASHES_MAX`].
        inner_hashes: Vec<[u8; 32]>,
    },
    /// The writer's member has these devices.
    List {
        /// Serialised; checked by [`crate::devices::list`].
        list: Vec<u8>,
    },
    /// To the device that shows a device code: a new device asks to be put into the list.
    Hello(Hello),
    /// Between siblings: what is known of contacts.
    Sync(Sync),
    /// Between siblings: messages that the other has not.
    Copies {
        /// At most [`super::devices::PARTS_MAX`].
        copies: Vec<Copied>,
        /// They were shown on another device before.
        history: bool,
    },
    /// Between siblings: what was confirmed.
    Deliveries {
        /// At most [`super::devices::PARTS_MAX`].
        deliveries: Vec<Delivery>,
    },
    /// Between siblings: contacts that the person removed.
    Removals {
        /// At most [`super::devices::PARTS_MAX`].
        removals: Vec<Removal>,
    },
    /// The writer's box has moved: its address record, serialised, at most [`RECORD_BYTES_MAX`]. Confirmed like a text.
    Addresses {
        /// Signed by the box; checked by who takes it.
        record: Vec<u8>,
    },
}

/// What comes with every message until the first answer, and with answers until they are known to have come.
#[derive(Clone, PartialEq, Eq)]
pub struct Introduction {
    /// Keyed by the introduction token; `None` in answers.
    pub mac: Option<[u8; 32]>,
    /// The writer's device list, serialised; checked by [`crate::devices::list`]. Empty where the body is one, and from a
    /// device that is in no list yet.
    pub list: Vec<u8>,
    /// A token granted at the writer's box for the recipient's device.
    pub token: DeliveryToken,
    /// The writer's box's address record, serialised; may be empty.
    pub address_record: Vec<u8>,
    /// Where the writer reaches that box itself, at most three; used where there is no record.
    pub addresses: Vec<Address>,
    /// What the writer would like to be called; raw.
    pub name: String,
}

/// A checked inner plaintext.
#[derive(Clone, PartialEq, Eq)]
pub struct Inner {
    /// Who wrote it.
    pub sender: DeviceKey,
    /// For whom.
    pub recipient: DeviceKey,
    /// Of two members, or a room.
    pub conversation: [u8; 16],
    /// Exactly once is by it.
    pub message_id: MessageId,
    /// The writer's clock, Unix time in milliseconds.
    pub sent_at_ms: u64,
    /// Counts from `sent_at_ms`.
    pub ttl: Option<Duration>,
    /// First contact's extras.
    pub introduction: Option<Introduction>,
    /// The writer has a token made for it: extras are needed no more.
    pub has_your_token: bool,
    /// No box may keep it, nor what confirms it.
    pub strict: bool,
    /// The recipient's other devices to which the same message goes, by the first 8 bytes of their keys, at most sixteen:
    /// to those the recipient need not forward it.
    pub also_to: Vec<[u8; 8]>,
    /// What it says.
    pub body: Body,
}

/// Some bytes are no inner plaintext.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("what was decrypted cannot be read: {what}")]
pub struct InnerError {
    /// Which part.
    pub what: &'static str,
}

pub(super) fn exact<const N: usize>(what: &'static str, bytes: &[u8]) -> Result<[u8; N], InnerError> {
    bytes.try_into().map_err(|_| InnerError { what })
}

pub(super) fn text_to_wire(text: &str, view_once: bool, quote: Option<&Quote>) -> wire::Text {
    let (quoted, excerpt) = quote.map(Quote::to_wire).unwrap_or_default();
    wire::Text { text: text.to_owned(), view_once, quoted, excerpt }
}

impl Inner {
    /// The writer's device list, wherever it stands.
    pub fn list(&self) -> Option<&[u8]> {
        let introduced = self.introduction.as_ref().map(|introduction| &introduction.list[..]);
        match &self.body {
            Body::List { list } => Some(list),
            _ => introduced.filter(|list| !list.is_empty()),
        }
    }

    /// As Olm's plaintext.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let body = match &self.body {
            Body::Text { text, view_once, quote } => wire::Body::Text(text_to_wire(text, *view_once, quote.as_ref())),
            Body::Receipt { ids } => {
                wire::Body::Receipt(wire::Receipt { ids: ids.iter().map(|id| id.0.to_vec()).collect() })
            }
            Body::Back => wire::Body::Back(wire::Back {}),
            Body::Addresses { record } => wire::Body::Addresses(wire::Addresses { record: record.clone() }),
            Body::Retry { inner_hashes } => {
                wire::Body::Retry(wire::Retry { inner_hashes: inner_hashes.iter().map(|hash| hash.to_vec()).collect() })
            }
            Body::List { list } => wire::Body::List(wire::devices::List { list: list.clone() }),
            Body::Hello(Hello { record, name }) => {
                wire::Body::Hello(wire::devices::Hello { record: record.clone(), name: name.clone() })
            }
            Body::Sync(sync) => wire::Body::Sync(sync.to_wire()),
            Body::Copies { copies, history } => wire::Body::Copies(devices::copies_to_wire(copies, *history)),
            Body::Deliveries { deliveries } => wire::Body::Deliveries(devices::deliveries_to_wire(deliveries)),
            Body::Removals { removals } => wire::Body::Removals(devices::removals_to_wire(removals)),
        };
        let inner = wire::Inner {
            sender_device: self.sender.0.to_vec(),
            recipient_device: self.recipient.0.to_vec(),
            conversation: self.conversation.to_vec(),
            message_id: self.message_id.0.to_vec(),
            sent_at_ms: self.sent_at_ms,
            ttl_s: self.ttl.map_or(0, |ttl| u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX)),
            franking: Vec::new(),
            passphrase_layer: Vec::new(),
            introduction: self.introduction.as_ref().map(Introduction::to_wire),
            has_your_token: self.has_your_token,
            strict: self.strict,
            also_to: self.also_to.iter().map(|device| device.to_vec()).collect(),
            body: Some(body),
        };
        Zeroizing::new(inner.encode_to_vec())
    }

    /// Reads what Olm decrypted.
    ///
    /// # Errors
    /// [`InnerError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, InnerError> {
        let inner = wire::Inner::decode(bytes).map_err(|_| InnerError { what: "its shape" })?;
        let body = match inner.body.ok_or(InnerError { what: "a body of this version" })? {
            wire::Body::Text(text) => Body::Text {
                quote: Quote::from_wire(&text.quoted, &text.excerpt)?,
                text: Zeroizing::new(text.text),
                view_once: text.view_once,
            },
            wire::Body::Receipt(receipt) if receipt.ids.len() <= RECEIPT_IDS_MAX => Body::Receipt {
                ids: receipt
                    .ids
                    .iter()
                    .map(|id| exact("a receipt's id", id).map(MessageId))
                    .collect::<Result<_, _>>()?,
            },
            wire::Body::Receipt(_) => return Err(InnerError { what: "a receipt" }),
            wire::Body::Back(wire::Back {}) => Body::Back,
            wire::Body::Retry(retry) if retry.inner_hashes.len() <= RETRY_HASHES_MAX => Body::Retry {
                inner_hashes: retry
                    .inner_hashes
                    .iter()
                    .map(|hash| exact("a retry request's hash", hash))
                    .collect::<Result<_, _>>()?,
            },
            wire::Body::Retry(_) => return Err(InnerError { what: "a retry request" }),
            wire::Body::List(list) => Body::List { list: list.list },
            wire::Body::Hello(hello) => Body::Hello(Hello { record: hello.record, name: hello.name }),
            wire::Body::Sync(sync) => Body::Sync(Sync::from_wire(sync)?),
            wire::Body::Copies(copies) => devices::copies_from_wire(copies)?,
            wire::Body::Deliveries(deliveries) => devices::deliveries_from_wire(deliveries)?,
            wire::Body::Removals(removals) => devices::removals_from_wire(&removals)?,
            wire::Body::Addresses(moved) if moved.record.len() <= RECORD_BYTES_MAX => {
                Body::Addresses { record: moved.record }
            }
            wire::Body::Addresses(_) => return Err(InnerError { what: "an address record" }),
        };
        if inner.also_to.len() > DEVICES_MAX {
            return Err(InnerError { what: "the recipient's other devices" });
        }
        let also_to = inner.also_to.iter().map(|device| exact("a recipient's other device", device));
        Ok(Self {
            sender: DeviceKey(exact("the sender", &inner.sender_device)?),
            recipient: DeviceKey(exact("the recipient", &inner.recipient_device)?),
            conversation: exact("the conversation", &inner.conversation)?,
            message_id: MessageId(exact("the message id", &inner.message_id)?),
            sent_at_ms: inner.sent_at_ms,
            ttl: Some(inner.ttl_s).filter(|seconds| *seconds > 0).map(|seconds| Duration::from_secs(seconds.into())),
            introduction: inner.introduction.map(Introduction::from_wire).transpose()?,
            has_your_token: inner.has_your_token,
            strict: inner.strict,
            also_to: also_to.collect::<Result<_, _>>()?,
            body,
        })
    }
}

impl Introduction {
    fn to_wire(&self) -> wire::Introduction {
        wire::Introduction {
            mac: self.mac.map(|mac| mac.to_vec()).unwrap_or_default(),
            list: self.list.clone(),
            token: self.token.expose().to_vec(),
            address_record: self.address_record.clone(),
            addresses: self.addresses.iter().map(ToString::to_string).collect(),
            name: self.name.clone(),
        }
    }

    fn from_wire(introduction: wire::Introduction) -> Result<Self, InnerError> {
        let addresses = introduction
            .addresses
            .iter()
            .take(hob_protocol::limits::ADDRESSES_MAX)
            .map(|address| Address::parse(address).map_err(|_| InnerError { what: "an address" }))
            .collect::<Result<_, _>>()?;
        let mac = match introduction.mac.is_empty() {
            true => None,
            false => Some(exact("the introduction's MAC", &introduction.mac)?),
        };
        Ok(Self {
            mac,
            list: introduction.list,
            token: DeliveryToken(exact("a delivery token", &introduction.token)?),
            address_record: introduction.address_record,
            addresses,
            name: introduction.name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_inner_plaintext_reads_back_as_it_was_written() {
        let inner = Inner {
            sender: DeviceKey([1; 32]),
            recipient: DeviceKey([2; 32]),
            conversation: [3; 16],
            message_id: MessageId([4; 16]),
            sent_at_ms: 5,
            ttl: Some(Duration::from_secs(600)),
            introduction: Some(Introduction {
                mac: Some([6; 32]),
                list: vec![7; 9],
                token: DeliveryToken([8; 32]),
                address_record: vec![9],
                addresses: vec![Address::parse("a.example:1").unwrap()],
                name: "bob".to_owned(),
            }),
            has_your_token: true,
            strict: true,
            also_to: vec![[9; 8]],
            body: Body::Text {
                text: Zeroizing::new("supper at eight".to_owned()),
                view_once: true,
                quote: Some(Quote::of(MessageId([5; 16]), "when do we eat?", true)),
            },
        };
        assert!(Inner::decode(&inner.encode()) == Ok(inner));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_inner_plaintext_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Inner::decode(&bytes);
        }
    }
}
