//! What survives a kill: everything that a device knows, in one versioned piece.
//!
//! On disk it is `"HOBC" || version (1 B) || BLAKE3 of the rest (32 B) || JSON`. The shell encrypts it.

use std::cell::Cell;
use std::io::Write;

use hob_protocol::address::Address;
use hob_protocol::frame::Hello;
use hob_protocol::ids::{
    BoxIdentity, DeliveryToken, DeviceKey, InvitationId, InvitationSecret, MemberId, MemberKey, TokenHash,
};
use hob_protocol::invitation::Invitation;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::contacts::{Peer, Person};
use crate::devices::known::KnownList;
use crate::devices::pairing::Pairing;
use crate::devices::partings::Parting;
use crate::devices::siblings::News;
use crate::keys::Keys;
use crate::outbox::Entry;
use crate::seal::quote::Quote;
use crate::seen::Seen;
use crate::view::{Direction, MessageId};

const MAGIC: &[u8; 4] = b"HOBC";
const VERSION: u8 = 1;
/// What goes before the JSON: magic, version, checksum.
const HEAD_BYTES: usize = MAGIC.len() + 1 + 32;

/// Messages kept in history; the oldest shown ones go first.
pub(crate) const HISTORY_MAX: usize = 5_000;

/// A saved state cannot be read. It is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Not a state at all, or cut.
    #[error("this is no saved state of a Hob client, or it is cut short: restore it, or start with a new profile")]
    NotAState,
    /// Written by a newer program.
    #[error("this state has version {got}, newer than this program: update it")]
    UnknownVersion {
        /// The version.
        got: u8,
    },
    /// The bytes were changed.
    #[error("this state is damaged (its checksum does not fit): restore it, or start with a new profile")]
    Damaged,
    /// The checksum fits and a field does not.
    #[error("this state cannot be read: {why}; restore it, or start with a new profile")]
    Field {
        /// Which field, and how.
        why: String,
    },
}

/// Everything that a device knows.
#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) keys: Keys,
    pub(crate) home: Option<HomeState>,
    pub(crate) joining: Option<Joining>,
    pub(crate) boxes: Vec<BoxMemory>,
    pub(crate) codes: Vec<ShownCode>,
    /// Contacts.
    pub(crate) persons: Vec<Person>,
    /// Their devices, and those of requesters: a peer whose member is no person is a request.
    pub(crate) peers: Vec<Peer>,
    /// Devices whose messages are dropped.
    #[serde(with = "crate::raw::list")]
    pub(crate) refused: Vec<DeviceKey>,
    pub(crate) outbox: Vec<Entry>,
    pub(crate) history: Vec<Item>,
    pub(crate) seen: Seen,
    pub(crate) last_online_ms: u64,
    /// Tokens that the home box is to forget.
    #[serde(with = "crate::raw::list", default)]
    pub(crate) revoked: Vec<TokenHash>,
    /// The newest device list of each member, the own one included.
    #[serde(default)]
    pub(crate) lists: Vec<KnownList>,
    /// This device waits to be put into its member's list.
    #[serde(default)]
    pub(crate) pairing: Option<Pairing>,
    /// Its member took this device out of the list.
    #[serde(default)]
    pub(crate) removed: bool,
    /// Deliveries that siblings are to hear of.
    #[serde(default)]
    pub(crate) news: Vec<News>,
    /// Contacts that were removed, on any device of the member.
    #[serde(default)]
    pub(crate) partings: Vec<Parting>,
    /// How long it was when it was last saved or loaded: how much the next one will take.
    #[serde(skip)]
    saved_bytes: Cell<usize>,
}

/// The home box.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct HomeState {
    #[serde(with = "crate::raw")]
    pub(crate) identity: BoxIdentity,
    #[serde(with = "address_list")]
    pub(crate) addresses: Vec<Address>,
    /// As it goes over the wire; empty before the box gave one.
    #[serde(with = "crate::raw")]
    pub(crate) address_record: Vec<u8>,
    pub(crate) record_sequence: u64,
    #[serde(with = "crate::raw")]
    pub(crate) member: MemberId,
    pub(crate) label: String,
    pub(crate) ttl_max_ms: u64,
    /// Where the person says that it is; tried first.
    #[serde(default, with = "address_lists")]
    pub(crate) named: Option<Vec<Address>>,
}

impl HomeState {
    /// Where the box is tried, in this order: what the person named, then what it says of itself.
    pub(crate) fn places(&self) -> Vec<Address> {
        let mut places = self.named.clone().unwrap_or_default();
        for address in &self.addresses {
            if !places.contains(address) {
                places.push(address.clone());
            }
        }
        places
    }
}

/// An invitation that is being used. Kept over a restart: the box takes the same device again for ten minutes.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Joining {
    #[serde(with = "crate::raw")]
    id: InvitationId,
    #[serde(with = "crate::raw")]
    secret: InvitationSecret,
    #[serde(with = "crate::raw")]
    pub(crate) box_identity: BoxIdentity,
    #[serde(with = "address_list")]
    pub(crate) addresses: Vec<Address>,
    expires_at_s: u64,
    pub(crate) label: String,
}

impl Joining {
    pub(crate) fn new(invitation: Invitation, label: String) -> Self {
        let Invitation { id, secret, box_identity, addresses, expires_at_s } = invitation;
        Self { id, secret, box_identity, addresses, expires_at_s, label }
    }

    pub(crate) const fn id(&self) -> InvitationId {
        self.id
    }

    pub(crate) const fn secret(&self) -> &InvitationSecret {
        &self.secret
    }
}

/// What is remembered of a box, to notice that it forgot.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct BoxMemory {
    #[serde(with = "crate::raw")]
    pub(crate) identity: BoxIdentity,
    pub(crate) epoch: u64,
    /// Lost windows of this epoch that were dealt with: their openings, Unix time in seconds.
    pub(crate) lost_windows: Vec<u64>,
    /// Epochs before this one, the latest last: one that comes back belongs to a second box, or to an old copy.
    #[serde(default)]
    pub(crate) past_epochs: Vec<u64>,
    /// The highest sequence of an address record that the box showed in this epoch.
    #[serde(default)]
    pub(crate) record_sequence: u64,
    /// The person was told that there are two.
    #[serde(default)]
    pub(crate) said_twice: bool,
}

/// Epochs that are remembered of a box: one a restore.
const PAST_EPOCHS_MAX: usize = 16;

impl BoxMemory {
    /// A box that was met for the first time.
    pub(crate) fn of(hello: &Hello) -> Self {
        Self {
            identity: hello.identity,
            epoch: hello.epoch,
            lost_windows: hello.lost_windows.clone(),
            past_epochs: Vec::new(),
            record_sequence: hello.address_record.as_ref().map_or(0, |record| record.sequence),
            said_twice: false,
        }
    }

    /// Notes what a box says of itself. True, once: this cannot be the box that was here last. Either an epoch that ended
    /// is back, or the count of its addresses, which rises with every start, has fallen.
    pub(crate) fn is_another(&mut self, hello: &Hello) -> bool {
        let sequence = hello.address_record.as_ref().map_or(0, |record| record.sequence);
        let is_new_epoch = hello.epoch != self.epoch;
        let is_back = is_new_epoch && self.past_epochs.contains(&hello.epoch);
        let is_older = !is_new_epoch && sequence > 0 && sequence < self.record_sequence;
        if is_new_epoch {
            self.past_epochs.retain(|past| *past != self.epoch);
            self.past_epochs.push(self.epoch);
            let surplus = self.past_epochs.len().saturating_sub(PAST_EPOCHS_MAX);
            self.past_epochs.drain(..surplus);
        }
        self.record_sequence = sequence;
        if is_new_epoch && !is_back {
            // A restore, which ends what was told before.
            self.said_twice = false;
        }
        (is_back || is_older) && !std::mem::replace(&mut self.said_twice, true)
    }
}

/// A contact code that was shown.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct ShownCode {
    #[serde(with = "crate::raw")]
    pub(crate) token: DeliveryToken,
    pub(crate) made_ms: u64,
    pub(crate) granted: bool,
    #[serde(with = "crate::raw")]
    pub(crate) used_by: Option<DeviceKey>,
    pub(crate) used_ms: u64,
    /// A device code: it makes a sibling, and no contact.
    #[serde(default)]
    pub(crate) for_device: bool,
}

/// One message of the history.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Item {
    #[serde(with = "crate::raw")]
    pub(crate) id: MessageId,
    #[serde(with = "crate::raw")]
    pub(crate) member: MemberKey,
    #[serde(with = "crate::raw")]
    pub(crate) device: DeviceKey,
    pub(crate) standing: Standing,
    pub(crate) text: String,
    pub(crate) sent_at_ms: u64,
    pub(crate) expires_at_ms: Option<u64>,
    pub(crate) view_once: bool,
    #[serde(default)]
    pub(crate) quote: Option<Quote>,
    /// No box keeps it, nor what confirms it.
    #[serde(default)]
    pub(crate) strict: bool,
    /// The contact's devices that confirmed it.
    #[serde(default, with = "crate::raw::list")]
    pub(crate) by: Vec<DeviceKey>,
}

impl Item {
    pub(crate) const fn direction(&self) -> Direction {
        match self.standing {
            Standing::Unshown | Standing::Shown => Direction::Received,
            _ => Direction::Sent,
        }
    }
}

/// How a message of the history stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Standing {
    /// Received, not on a screen yet.
    Unshown,
    /// Received and shown.
    Shown,
    /// Sent; the outbox knows more.
    InOutbox,
    /// Sent and confirmed.
    Delivered,
    /// Refused for good, by this code.
    Refused { code: u32 },
    /// Not confirmed in its own time.
    Expired,
    /// Not confirmed in 14 days.
    GivenUp { last_seen_ms: Option<u64> },
    /// Strict, and not confirmed within a minute.
    NobodyThere,
    /// Sent by another device of this member, which has not told of a receipt yet.
    Elsewhere,
}

impl State {
    pub(crate) fn new(keys: Keys) -> Self {
        Self {
            keys,
            home: None,
            joining: None,
            boxes: Vec::new(),
            codes: Vec::new(),
            persons: Vec::new(),
            peers: Vec::new(),
            refused: Vec::new(),
            outbox: Vec::new(),
            history: Vec::new(),
            seen: Seen::default(),
            last_online_ms: 0,
            revoked: Vec::new(),
            lists: Vec::new(),
            pairing: None,
            removed: false,
            news: Vec::new(),
            partings: Vec::new(),
            saved_bytes: Cell::new(0),
        }
    }

    pub(crate) fn save(&self) -> Zeroizing<Vec<u8>> {
        // Every growth copies and wipes, and wiping is slow: a little more than last time is asked for at once.
        let before = self.saved_bytes.get();
        let mut saved = WipingBuffer(Zeroizing::new(Vec::with_capacity(before + before / 8 + HEAD_BYTES)));
        saved.0.extend_from_slice(MAGIC);
        saved.0.push(VERSION);
        saved.0.extend_from_slice(&[0; 32]);
        // Writing to memory does not fail, and no map here has keys that JSON cannot write: every test that loads a
        // saved state would see it.
        let _ = serde_json::to_writer(&mut saved, self);
        let mut saved = saved.0;
        if let Some((head, json)) = saved.split_at_mut_checked(HEAD_BYTES)
            && let Some(checksum) = head.last_chunk_mut()
        {
            *checksum = *blake3::hash(json).as_bytes();
        }
        self.saved_bytes.set(saved.len());
        saved
    }

    pub(crate) fn load(saved: &[u8]) -> Result<Self, StateError> {
        let rest = saved.strip_prefix(MAGIC).ok_or(StateError::NotAState)?;
        let (version, rest) = rest.split_first().ok_or(StateError::NotAState)?;
        if *version != VERSION {
            return Err(StateError::UnknownVersion { got: *version });
        }
        let (checksum, json) = rest.split_first_chunk::<32>().ok_or(StateError::NotAState)?;
        if blake3::hash(json) != blake3::Hash::from_bytes(*checksum) {
            return Err(StateError::Damaged);
        }
        let state: Self = serde_json::from_slice(json).map_err(|error| StateError::Field { why: error.to_string() })?;
        state.saved_bytes.set(saved.len());
        Ok(state)
    }

    /// Drops messages whose time to live is over, and the oldest shown ones beyond [`HISTORY_MAX`]. True if any went.
    pub(crate) fn trim_history(&mut self, now_ms: u64) -> bool {
        let before = self.history.len();
        self.history.retain(|item| {
            item.expires_at_ms.is_none_or(|expires| now_ms < expires) || item.standing == Standing::InOutbox
        });
        let mut surplus = self.history.len().saturating_sub(HISTORY_MAX);
        self.history.retain(|item| {
            let goes = surplus > 0 && !matches!(item.standing, Standing::Unshown | Standing::InOutbox);
            surplus -= usize::from(goes);
            !goes
        });
        self.history.len() != before
    }
}

/// Grows by copying and wiping: no reallocation leaves secrets behind.
struct WipingBuffer(Zeroizing<Vec<u8>>);

impl Write for WipingBuffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let mut larger = Vec::with_capacity(needed.max(self.0.capacity() * 2).max(16 << 10));
            larger.extend_from_slice(&self.0);
            self.0.zeroize();
            self.0 = Zeroizing::new(larger);
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Addresses as texts, checked again when read.
pub(crate) mod address_list {
    use hob_protocol::address::Address;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(addresses: &[Address], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(addresses.iter().map(Address::as_str))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Address>, D::Error> {
        Vec::<String>::deserialize(deserializer)?
            .iter()
            .map(|address| Address::parse(address).map_err(D::Error::custom))
            .collect()
    }
}

/// The same, where there may be none.
pub(crate) mod address_lists {
    use hob_protocol::address::Address;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(addresses: &Option<Vec<Address>>, serializer: S) -> Result<S::Ok, S::Error> {
        let texts = addresses.as_ref().map(|addresses| addresses.iter().map(Address::as_str).collect::<Vec<_>>());
        texts.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Address>>, D::Error> {
        let texts = Option::<Vec<String>>::deserialize(deserializer)?;
        let parse = |text: &String| Address::parse(text).map_err(D::Error::custom);
        texts.map(|texts| texts.iter().map(parse).collect()).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn saved() -> Zeroizing<Vec<u8>> {
        State::new(Keys::generate(0, &mut ChaCha20Rng::seed_from_u64(1))).save()
    }

    fn refusal(bytes: &[u8]) -> StateError {
        State::load(bytes).err().unwrap()
    }

    #[test]
    fn a_state_loads_as_it_was_saved() {
        let saved = saved();
        let state = State::load(&saved).ok().unwrap();
        assert!(*state.save() == *saved);
    }

    #[test]
    fn a_state_that_is_cut_or_changed_says_so() {
        let saved = saved();
        assert_eq!(refusal(b""), StateError::NotAState);
        assert_eq!(refusal(b"HOBC"), StateError::NotAState);
        assert_eq!(refusal(b"HOBC\x02"), StateError::UnknownVersion { got: 2 });
        assert_eq!(refusal(&saved[..saved.len() - 1]), StateError::Damaged);
        let mut changed = saved.to_vec();
        changed[100] ^= 1;
        assert_eq!(refusal(&changed), StateError::Damaged);
    }

    /// Somebody who changes a state can also make its checksum fit.
    fn with_checksum(json: &[u8]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        bytes.extend_from_slice(blake3::hash(json).as_bytes());
        bytes.extend_from_slice(json);
        bytes
    }

    proptest! {
        #[test]
        fn no_bytes_make_loading_panic(json in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(State::load(&json).is_err());
            prop_assert!(State::load(&with_checksum(&json)).is_err());
        }

        #[test]
        fn a_state_with_bytes_changed_under_a_fitting_checksum_loads_or_says_why(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)
        ) {
            let mut json = saved()[37..].to_vec();
            for (at, byte) in changes {
                let at = at.index(json.len());
                json[at] = byte;
            }
            if let Ok(state) = State::load(&with_checksum(&json)) {
                let _ = state.save();
            }
        }
    }
}
