//! Contacts, their devices, and what they are called here.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use bytes::Bytes;
use hob_protocol::address::{Address, AddressRecord};
use hob_protocol::ids::{BoxIdentity, DeliveryToken, DeviceKey, MemberKey};
use prost::Message as _;
use serde::{Deserialize, Serialize};

use crate::bundle::{Bundle, BundleError, Expected};
use crate::command::{CommandError, NAME_CHARS_MAX};
use crate::display::is_deceptive;
use crate::heal::Budget;
use crate::keys::BUNDLE_CACHE;
use crate::seal::olm::OlmSession;
use crate::state::State;
use crate::view::MessageId;

/// Sessions kept with one device.
pub(crate) const SESSIONS_MAX: usize = 5;

/// Somebody to write to: a member.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) name: String,
    #[serde(with = "crate::raw")]
    pub(crate) member: MemberKey,
    pub(crate) verified: bool,
    pub(crate) answered: bool,
    pub(crate) added_ms: u64,
    /// Nothing of theirs is taken, nothing goes to them.
    #[serde(default)]
    pub(crate) blocked: bool,
    /// When the person chose the name, on any of their devices; 0: it is the one that came with them.
    #[serde(default)]
    pub(crate) named_ms: u64,
    /// When they were blocked or unblocked last.
    #[serde(default)]
    pub(crate) blocked_ms: u64,
    /// Their certificate was taken once.
    #[serde(default)]
    pub(crate) revoked: Option<crate::revoke::Revoked>,
}

impl Person {
    /// Their devices are cut off by a certificate.
    pub(crate) fn is_revoked(&self) -> bool {
        self.revoked.as_ref().is_some_and(|revoked| revoked.in_force)
    }

    /// Nothing of theirs is taken, nothing goes to them.
    pub(crate) fn is_shut_out(&self) -> bool {
        self.blocked || self.is_revoked()
    }
}

/// One device of somebody.
#[derive(Serialize, Deserialize)]
pub(crate) struct Peer {
    #[serde(with = "crate::raw")]
    pub(crate) device: DeviceKey,
    #[serde(with = "crate::raw")]
    pub(crate) member: MemberKey,
    #[serde(with = "crate::raw")]
    pub(crate) box_identity: BoxIdentity,
    #[serde(with = "crate::state::address_list")]
    pub(crate) addresses: Vec<Address>,
    pub(crate) record_sequence: u64,
    /// Known from its bundle or its first message.
    #[serde(with = "crate::raw")]
    pub(crate) olm_identity: Option<[u8; 32]>,
    /// From the contact code that they showed: used until their first answer brings a token of its own.
    #[serde(with = "crate::raw")]
    pub(crate) introduction: Option<DeliveryToken>,
    /// For submitting to them.
    #[serde(with = "crate::raw")]
    pub(crate) their_token: Option<DeliveryToken>,
    /// A sibling's, for submitting to them until they give this device one of its own.
    #[serde(default, with = "crate::raw")]
    pub(crate) shared_token: Option<DeliveryToken>,
    /// Its member's newest list names it, with these keys.
    #[serde(default)]
    pub(crate) is_listed: bool,
    /// A device that this member just removed: one last envelope tells it.
    #[serde(default)]
    pub(crate) leaving: bool,
    /// For them to submit here.
    #[serde(with = "crate::raw")]
    pub(crate) my_token: DeliveryToken,
    /// The home box knows it.
    pub(crate) granted: bool,
    /// They said that they have it.
    pub(crate) they_have_token: bool,
    /// Made safe.
    pub(crate) proposed_name: String,
    pub(crate) since_ms: u64,
    /// The highest generation of their bundles.
    pub(crate) generation: u64,
    pub(crate) bundle: Option<CachedBundle>,
    /// The one to send by first.
    pub(crate) sessions: Vec<OlmSession>,
    /// The next message opens a new session: the old one does not hold any more.
    pub(crate) fresh_session: bool,
    /// Messages to confirm.
    #[serde(with = "crate::raw::list")]
    pub(crate) receipts: Vec<MessageId>,
    /// Strict ones: no box keeps what confirms them.
    #[serde(default, with = "crate::raw::list")]
    pub(crate) strict_receipts: Vec<MessageId>,
    /// When anything of theirs came last; 0: never.
    #[serde(default)]
    pub(crate) last_seen_ms: u64,
    /// The memory of their box that took the token last, or that was known when the token came.
    #[serde(default)]
    pub(crate) token_epoch: Option<u64>,
    /// Inner ciphertexts of theirs that could not be opened and are to be asked for.
    #[serde(default, with = "crate::raw::list")]
    pub(crate) retries_due: Vec<[u8; 32]>,
    /// Retry requests that went to them lately.
    #[serde(default)]
    pub(crate) retries_sent: Budget,
    /// When the person was told last that the session was renewed.
    #[serde(default)]
    pub(crate) renewed_told_ms: u64,
    /// Which addresses of the own box they were told; `None`: a client of before this was noted, which told them.
    #[serde(default, with = "crate::state::address_lists")]
    pub(crate) told_addresses: Option<Vec<Address>>,
    /// The member key that certifies this device now, where a verified contact's is another: for the person to compare.
    #[serde(default, with = "crate::raw")]
    pub(crate) new_member: Option<MemberKey>,
}

/// A bundle as it was fetched.
#[derive(Serialize, Deserialize)]
pub(crate) struct CachedBundle {
    #[serde(with = "crate::raw")]
    bytes: Vec<u8>,
    fetched_ms: u64,
    /// Read from the bytes once, its signatures checked: without the member's, if the member's list stood for it.
    #[serde(skip)]
    read: OnceCell<(bool, Bundle)>,
}

impl Peer {
    pub(crate) fn new(
        device: DeviceKey,
        member: MemberKey,
        box_identity: BoxIdentity,
        my_token: DeliveryToken,
        since_ms: u64,
    ) -> Self {
        Self {
            device,
            member,
            box_identity,
            addresses: Vec::new(),
            record_sequence: 0,
            olm_identity: None,
            introduction: None,
            their_token: None,
            shared_token: None,
            is_listed: false,
            leaving: false,
            my_token,
            granted: false,
            they_have_token: false,
            proposed_name: String::new(),
            since_ms,
            generation: 0,
            bundle: None,
            sessions: Vec::new(),
            fresh_session: false,
            receipts: Vec::new(),
            strict_receipts: Vec::new(),
            last_seen_ms: 0,
            token_epoch: None,
            retries_due: Vec::new(),
            retries_sent: Budget::default(),
            renewed_told_ms: 0,
            told_addresses: None,
            new_member: None,
        }
    }

    /// What submits to them, if anything does yet.
    pub(crate) fn token(&self) -> Option<&DeliveryToken> {
        self.their_token.as_ref().or(self.shared_token.as_ref()).or(self.introduction.as_ref())
    }

    /// Notes that something of theirs came. A clock ahead of ours does not count.
    pub(crate) fn seen(&mut self, sent_at_ms: u64, now_ms: u64) {
        self.last_seen_ms = self.last_seen_ms.max(sent_at_ms.min(now_ms));
    }

    const fn expected(&self) -> Expected<'_> {
        Expected {
            member_key: &self.member,
            device_key: &self.device,
            home_box: &self.box_identity,
            olm_identity: self.olm_identity.as_ref(),
            generation: self.generation,
            is_listed: self.is_listed,
        }
    }

    /// Reads a bundle of this very device, whatever other keys it names.
    pub(crate) fn open_new_keys(&self, bytes: &[u8], now_ms: u64) -> Result<Bundle, BundleError> {
        let new = Bundle::open_of_device(bytes, &self.device)?;
        let record = &new.record;
        let expected = Expected {
            member_key: &record.member_key,
            device_key: &self.device,
            home_box: &self.box_identity,
            olm_identity: None,
            generation: self.generation,
            is_listed: false,
        };
        Bundle::open(bytes, expected, now_ms / 1000)
    }

    /// The cached bundle, unless it is older than half an hour.
    pub(crate) fn fresh_bundle(&self, now_ms: u64) -> Option<Bundle> {
        let cached = self.bundle.as_ref()?;
        let age_ms = now_ms.checked_sub(cached.fetched_ms)?;
        if u128::from(age_ms) > BUNDLE_CACHE.as_millis() {
            return None;
        }
        let (expected, now_s) = (self.expected(), now_ms / 1000);
        let trusted = expected.trusts_the_list();
        if let Some((_, bundle)) = cached.read.get().filter(|(was_trusted, _)| *was_trusted == trusted) {
            return bundle.check(expected, now_s).is_ok().then(|| bundle.clone());
        }
        let bundle = Bundle::open(&cached.bytes, expected, now_s).ok()?;
        // Where it was read under the other rule, it is read anew each time: lists come seldom.
        let _ = cached.read.set((trusted, bundle.clone()));
        Some(bundle)
    }

    /// Takes a bundle that the box handed out.
    pub(crate) fn take_bundle(&mut self, bytes: &Bytes, now_ms: u64) -> Result<(), BundleError> {
        let bundle = Bundle::open(bytes, self.expected(), now_ms / 1000)?;
        self.generation = bundle.generation;
        self.olm_identity = Some(bundle.record.olm_identity);
        self.bundle = Some(CachedBundle { bytes: bytes.to_vec(), fetched_ms: now_ms, read: OnceCell::new() });
        Ok(())
    }

    /// Takes an address record of their box, if it is newer and signed by that box.
    pub(crate) fn take_address_record(&mut self, record: &AddressRecord) -> bool {
        let taken = take_address_record(record, &self.box_identity, self.record_sequence);
        if taken {
            self.addresses.clone_from(&record.addresses);
            self.record_sequence = record.sequence;
        }
        taken
    }

    /// Puts a session first; the oldest beyond five go.
    pub(crate) fn prefer(&mut self, session: OlmSession) {
        self.sessions.retain(|known| known.id != session.id);
        self.sessions.insert(0, session);
        while self.sessions.len() > SESSIONS_MAX {
            // Of those that the other side never used the oldest goes first: what it has was sealed by one that it did.
            let unused = self.sessions.iter().skip(1).rposition(|session| !session.is_confirmed());
            self.sessions.remove(unused.map_or(SESSIONS_MAX, |at| at + 1));
        }
    }
}

/// Whether an address record is this box's, newer than what is known, and names an address at all.
pub(crate) fn take_address_record(record: &AddressRecord, identity: &BoxIdentity, known_sequence: u64) -> bool {
    record.sequence > known_sequence && !record.addresses.is_empty() && record.is_signed_by(identity)
}

/// Reads a serialised address record.
pub(crate) fn read_address_record(bytes: &[u8]) -> Option<AddressRecord> {
    let wire = hob_protocol::wire::AddressRecord::decode(bytes).ok()?;
    AddressRecord::from_wire(&wire).ok()
}

/// Of two members: the same on both sides.
pub(crate) fn conversation(a: &MemberKey, b: &MemberKey) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_derive_key("hob/1 conversation");
    hasher.update(a.min(b).as_bytes());
    hasher.update(a.max(b).as_bytes());
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    id
}

/// Checks a name that a person typed.
pub(crate) fn check_name(name: &str) -> Result<(), CommandError> {
    let chars = name.chars().count();
    let visible = name.chars().all(|c| !c.is_whitespace() && !is_deceptive(c));
    if (1..=NAME_CHARS_MAX).contains(&chars) && visible && !name.starts_with('-') {
        Ok(())
    } else {
        Err(CommandError::BadName { name: name.to_owned() })
    }
}

/// Makes a name that somebody proposes one that can be typed and cannot deceive; may be empty.
pub(crate) fn safe_name(proposed: &str) -> String {
    let joined: Vec<&str> = proposed.split_whitespace().collect();
    joined
        .join("-")
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
        .filter(|c| !is_deceptive(*c))
        .take(NAME_CHARS_MAX)
        .collect::<String>()
        .trim_matches(|c| matches!(c, '-' | '.'))
        .to_owned()
}

impl State {
    pub(crate) fn peer(&self, device: &DeviceKey) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.device == *device)
    }

    pub(crate) fn peer_mut(&mut self, device: &DeviceKey) -> Option<&mut Peer> {
        self.peers.iter_mut().find(|peer| peer.device == *device)
    }

    pub(crate) fn person(&self, member: &MemberKey) -> Option<&Person> {
        self.persons.iter().find(|person| person.member == *member)
    }

    pub(crate) fn person_mut(&mut self, member: &MemberKey) -> Option<&mut Person> {
        self.persons.iter_mut().find(|person| person.member == *member)
    }

    pub(crate) fn person_named(&self, name: &str) -> Result<&Person, CommandError> {
        self.persons
            .iter()
            .find(|person| person.name == name)
            .ok_or_else(|| CommandError::NoSuchContact { name: name.to_owned() })
    }

    /// The local name of the contact whose device this is.
    pub(crate) fn name_of_device(&self, device: &DeviceKey) -> Option<String> {
        let peer = self.peer(device)?;
        self.person(&peer.member).map(|person| person.name.clone())
    }

    /// When anything of this member came last.
    pub(crate) fn last_seen_ms(&self, member: &MemberKey) -> Option<u64> {
        let devices = self.peers.iter().filter(|peer| peer.member == *member);
        devices.map(|peer| peer.last_seen_ms).max().filter(|seen| *seen > 0)
    }

    /// The memory of a box as it was met last.
    pub(crate) fn epoch_of(&self, identity: &BoxIdentity) -> Option<u64> {
        self.boxes.iter().find(|memory| memory.identity == *identity).map(|memory| memory.epoch)
    }

    /// Whether receipts and tokens go to a device: one of a contact, or of this member.
    pub(crate) fn is_contact(&self, peer: &Peer) -> bool {
        let is_own = peer.member == self.keys.member_key();
        !peer.leaving && (is_own || self.person(&peer.member).is_some_and(|person| !person.is_shut_out()))
    }

    pub(crate) fn is_blocked(&self, member: &MemberKey) -> bool {
        self.person(member).is_some_and(|person| person.blocked)
    }

    /// By the person here, or by the contact's own certificate.
    pub(crate) fn is_shut_out(&self, member: &MemberKey) -> bool {
        self.person(member).is_some_and(Person::is_shut_out)
    }

    /// Requests: devices of nobody who is a contact, oldest first.
    pub(crate) fn requesters(&self) -> impl Iterator<Item = &Peer> {
        let own = self.keys.member_key();
        self.peers.iter().filter(move |peer| peer.member != own && self.person(&peer.member).is_none())
    }

    /// A free name, from a safe one.
    pub(crate) fn free_name(&self, safe: &str, device: &DeviceKey) -> String {
        let base = match safe {
            "" => format!("contact-{}", request_id(device)),
            name => name.to_owned(),
        };
        let taken: BTreeMap<&str, ()> = self.persons.iter().map(|person| (person.name.as_str(), ())).collect();
        if !taken.contains_key(base.as_str()) {
            return base;
        }
        let stem: String = base.chars().take(NAME_CHARS_MAX - 5).collect();
        (2..=u16::MAX)
            .map(|number| format!("{stem}-{number}"))
            .find(|name| !taken.contains_key(name.as_str()))
            .unwrap_or(base)
    }
}

/// What a request is called: the first 8 hex digits of the device key.
pub(crate) fn request_id(device: &DeviceKey) -> String {
    device.to_string().chars().take(8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposed_name_cannot_deceive() {
        assert_eq!(safe_name("  Bob   Miller "), "Bob-Miller");
        assert_eq!(safe_name("b\u{202e}o\u{1b}[2Jb"), "bo2Jb");
        assert_eq!(safe_name("--rf"), "rf");
        assert_eq!(safe_name("\u{200b}\u{7}"), "");
        assert_eq!(safe_name(&"ö".repeat(99)).chars().count(), NAME_CHARS_MAX);
        assert_eq!(safe_name("日本"), "日本");
    }

    #[test]
    fn names_that_cannot_be_typed_or_read_are_refused() {
        for bad in ["", "a b", "-x", "a\u{202e}", "a\n", &"x".repeat(33)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        for good in ["bob", "Bob.2", "Jörg", "日本"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_conversation_has_the_same_id_on_both_sides() {
        let (a, b) = (MemberKey([1; 32]), MemberKey([2; 32]));
        assert_eq!(conversation(&a, &b), conversation(&b, &a));
        assert_ne!(conversation(&a, &b), conversation(&a, &a));
    }
}
