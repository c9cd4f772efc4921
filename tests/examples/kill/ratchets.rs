//! Every envelope that the box had, taken from its own log with its own keys, and opened with the readers' keys: where in
//! its chain each message stands. A ratchet key is used once, so no two messages share a place.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use data_encoding::BASE64_NOPAD;
use ed25519_dalek::SigningKey;
use hob_client::seal::middle::{Kind, Middle};
use hob_client::seal::outer::{PrekeySecret, open_envelope};
use hob_log::LogName;
use hob_log::files::RealFiles;
use hob_log::keys::{BoxKey, KeyEntry, KeyStore};
use hob_log::record::{BLOCK_HEADER_BYTES, Block, Header, LogKeys, Opening, open_front};
use hob_protocol::envelope::Envelope;
use hob_protocol::ids::{DeviceKey, MailboxId};
use hob_relay::event::disk::{TrafficEvent, traffic_event};
use prost::Message as _;
use serde_json::Value;
use vodozemac::olm::{Message, PreKeyMessage};

/// What a dead box's log was found to hold.
#[derive(Default)]
pub struct Copies {
    /// How far each window's journal was read.
    read_to: HashMap<u32, usize>,
    by_id: HashMap<Vec<u8>, (MailboxId, Vec<u8>)>,
}

impl Copies {
    /// Takes what is new. The box must not run.
    pub fn take(&mut self, data: &Path) {
        let keys = data.join("keys");
        let box_key = BoxKey::load(&RealFiles, &keys, false).unwrap();
        for entry in KeyStore::peek(&RealFiles, &keys, &box_key).unwrap().entries {
            if let LogName::Window { number } = entry.name {
                self.take_window(&data.join(format!("log/windows/{number}/journal")), number, &entry);
            }
        }
    }

    fn take_window(&mut self, journal: &Path, number: u32, entry: &KeyEntry) {
        let Ok(bytes) = fs::read(journal) else { return };
        let keys = entry.keys();
        let at = self.read_to.entry(number).or_default();
        while let Some((header, group)) = group_at(&bytes, *at) {
            let Some(records) = open_front(&keys, &header, &group[..header.front_bytes()]) else { break };
            for record in records {
                let event = TrafficEvent::decode(record.event).unwrap().event;
                let Some(traffic_event::Event::Accepted(accepted)) = event else { continue };
                let Some(body) = body(&group[record.block_at..], &keys, record.sequence) else { continue };
                let mailbox = MailboxId::try_from(&accepted.mailbox[..]).unwrap();
                self.by_id.insert(accepted.id.to_vec(), (mailbox, body));
            }
            *at += header.total_bytes;
        }
    }

    /// Opens them all for these profiles; how many envelopes there were, and how many messages in them.
    pub fn open(&self, profiles: &[&Path]) -> (usize, usize) {
        let readers: Vec<Reader> = profiles.iter().map(|profile| Reader::of(profile)).collect();
        let mut places: HashMap<(MailboxId, [u8; 32], u64), Vec<u8>> = HashMap::new();
        for (mailbox, body) in self.by_id.values() {
            let reader = readers.iter().find(|reader| reader.mailbox == *mailbox).unwrap();
            let middle = reader.open(body);
            let (ratchet_key, index) = place(&middle);
            let other = places.insert((*mailbox, ratchet_key, index), middle.inner.clone());
            if let Some(other) = other {
                assert!(other == middle.inner, "KEY USED TWICE: two messages at place {index} of one chain");
            }
        }
        let messages: HashSet<_> = places.values().collect();
        assert_eq!(messages.len(), places.len(), "one ciphertext at two places");
        (self.by_id.len(), places.len())
    }
}

fn group_at(bytes: &[u8], at: usize) -> Option<(Header, &[u8])> {
    let header = Header::parse(bytes.get(at..)?)?;
    let group = bytes.get(at..at + header.total_bytes)?;
    Some((header, group))
}

/// `None` where the window's body key is gone.
fn body(block: &[u8], keys: &LogKeys, sequence: u64) -> Option<Vec<u8>> {
    let front = Block::parse(block).unwrap();
    let mut sealed = block[BLOCK_HEADER_BYTES..][..front.body_bytes].to_vec();
    match front.open(keys, sequence, &mut sealed) {
        Opening::Good => Some(sealed),
        Opening::NoKey => None,
        Opening::Damaged => panic!("a body in the box's log is damaged"),
    }
}

fn place(middle: &Middle) -> ([u8; 32], u64) {
    match middle.kind {
        Kind::OlmPrekey => {
            let message = PreKeyMessage::from_bytes(&middle.inner).unwrap();
            (message.message().ratchet_key().to_bytes(), message.message().chain_index())
        }
        Kind::Olm => {
            let message = Message::from_bytes(&middle.inner).unwrap();
            (message.ratchet_key().to_bytes(), message.chain_index())
        }
    }
}

/// A profile's keys, read as its own program reads them (`hob-chat`'s `profile`, `hob-client`'s `state`).
struct Reader {
    device: DeviceKey,
    mailbox: MailboxId,
    prekeys: HashMap<u32, PrekeySecret>,
}

impl Reader {
    fn of(profile: &Path) -> Self {
        let key: [u8; 32] = fs::read(profile.join("key")).unwrap().try_into().unwrap();
        let sealed = fs::read(profile.join("state")).unwrap();
        let (magic, rest) = sealed.split_at(9);
        let (nonce, sealed) = rest.split_first_chunk::<24>().unwrap();
        let cipher = XChaCha20Poly1305::new(&Key::from(key));
        let state = cipher.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: magic }).unwrap();
        // "HOBC", the version, BLAKE3 of the rest.
        let state: Value = serde_json::from_slice(&state[37..]).unwrap();
        let raw = |value: &Value| BASE64_NOPAD.decode(value.as_str().unwrap().as_bytes()).unwrap();
        let seed: [u8; 32] = raw(&state["keys"]["device"]).try_into().unwrap();
        let device = DeviceKey(SigningKey::from_bytes(&seed).verifying_key().to_bytes());
        let prekeys = state["keys"]["prekeys"].as_array().unwrap().iter();
        let prekey = |value: &Value| {
            let secret = <[u8; 32]>::try_from(raw(&value["secret"])).unwrap();
            (u32::try_from(value["id"].as_u64().unwrap()).unwrap(), PrekeySecret::from(secret))
        };
        Self { mailbox: MailboxId::of_device(&device), device, prekeys: prekeys.map(prekey).collect() }
    }

    fn open(&self, envelope: &[u8]) -> Middle {
        let envelope = Envelope::new(envelope.to_vec().into()).unwrap();
        let opened = open_envelope(&self.device, |id| self.prekeys.get(&id).cloned(), &envelope).unwrap();
        Middle::decode(&opened).unwrap()
    }
}
