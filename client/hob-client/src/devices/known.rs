//! Which device lists are believed, and what follows from a newer one: devices come and go.

use hob_protocol::ids::{BoxIdentity, DeviceKey, MemberKey};
use serde::{Deserialize, Serialize};

use super::list::{DeviceList, ListError, Listed};
use crate::Client;
use crate::client::Step;
use crate::contacts::Peer;
use crate::introduce::new_token;
use crate::outbox::OutBody;
use crate::output::{Notice, Output};
use crate::state::{Standing, State};

/// The newest list of a member, as it was checked when it came.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct KnownList {
    #[serde(with = "crate::raw")]
    pub(crate) member: MemberKey,
    pub(crate) version: u64,
    #[serde(with = "crate::raw")]
    pub(crate) hash: [u8; 32],
    pub(crate) made_at_s: u64,
    pub(crate) expires_at_s: u64,
    pub(crate) devices: Vec<KnownDevice>,
    #[serde(with = "crate::raw::list")]
    pub(crate) revoked: Vec<DeviceKey>,
    /// As it was signed.
    #[serde(with = "crate::raw")]
    pub(crate) bytes: Vec<u8>,
    pub(crate) told_expired: bool,
}

/// One device of it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct KnownDevice {
    #[serde(with = "crate::raw")]
    pub(crate) device: DeviceKey,
    #[serde(with = "crate::raw")]
    pub(crate) olm_identity: [u8; 32],
    #[serde(with = "crate::raw")]
    pub(crate) home_box: BoxIdentity,
    pub(crate) name: String,
}

impl From<&Listed> for KnownDevice {
    fn from(listed: &Listed) -> Self {
        let record = &listed.record;
        Self {
            device: record.device_key,
            olm_identity: record.olm_identity,
            home_box: record.home_box,
            name: listed.name.clone(),
        }
    }
}

impl KnownList {
    pub(crate) fn new(list: &DeviceList, bytes: &[u8]) -> Self {
        Self {
            member: list.member_key,
            version: list.version,
            hash: DeviceList::hash_of(bytes),
            made_at_s: list.made_at_s,
            expires_at_s: list.expires_at_s,
            devices: list.devices.iter().map(KnownDevice::from).collect(),
            revoked: list.revoked.clone(),
            bytes: bytes.to_vec(),
            told_expired: false,
        }
    }

    pub(crate) fn device(&self, device: &DeviceKey) -> Option<&KnownDevice> {
        self.devices.iter().find(|known| known.device == *device)
    }
}

/// What a list is, beside the newest that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// To be taken.
    Newer,
    /// The one that is known.
    Same,
    /// Refused, silently and counted.
    Older,
    /// Two lists of one version, or one that denies the one before it: told loudly, not taken.
    Forked,
    /// Newer, and past its own expiry: not taken.
    Expired,
}

pub(crate) fn judge(known: Option<&KnownList>, list: &DeviceList, hash: &[u8; 32], now_s: u64) -> Verdict {
    if let Some(known) = known {
        let follows = known.version.checked_add(1) == Some(list.version);
        match list.version.cmp(&known.version) {
            std::cmp::Ordering::Less => return Verdict::Older,
            std::cmp::Ordering::Equal if known.hash == *hash => return Verdict::Same,
            std::cmp::Ordering::Equal => return Verdict::Forked,
            std::cmp::Ordering::Greater if follows && list.previous != known.hash => return Verdict::Forked,
            std::cmp::Ordering::Greater => {}
        }
    }
    if list.expires_at_s <= now_s { Verdict::Expired } else { Verdict::Newer }
}

impl State {
    /// The newest list of a member.
    pub(crate) fn list_of(&self, member: &MemberKey) -> Option<&KnownList> {
        self.lists.iter().find(|list| list.member == *member)
    }

    /// This member's own.
    pub(crate) fn own_list(&self) -> Option<&KnownList> {
        self.list_of(&self.keys.member_key())
    }

    /// What a device is called by its member; only where the member has several.
    pub(crate) fn device_name(&self, member: &MemberKey, device: &DeviceKey) -> Option<String> {
        let list = self.list_of(member).filter(|list| list.devices.len() > 1)?;
        list.device(device).map(|known| known.name.clone())
    }

    pub(crate) fn keep_list(&mut self, list: KnownList) {
        self.lists.retain(|known| known.member != list.member);
        self.lists.push(list);
    }

    /// Lists of those of whom nothing else is known any more.
    pub(crate) fn forget_lists(&mut self) {
        let own = self.keys.member_key();
        let (peers, persons) = (&self.peers, &self.persons);
        self.lists.retain(|list| {
            let is_known = |member: &MemberKey| *member == list.member;
            list.member == own
                || persons.iter().any(|person| is_known(&person.member))
                || peers.iter().any(|peer| is_known(&peer.member))
        });
    }
}

impl Client {
    /// Reads a list and says what it is beside the known one.
    pub(crate) fn weigh(&self, bytes: &[u8], now_ms: u64) -> Result<(DeviceList, Verdict), ListError> {
        let list = DeviceList::open(bytes)?;
        let known = self.state.list_of(&list.member_key);
        let verdict = judge(known, &list, &DeviceList::hash_of(bytes), now_ms / 1000);
        Ok((list, verdict))
    }

    /// Takes a newer list of a contact or of this member: devices come and go.
    pub(crate) fn take_list(&mut self, list: &DeviceList, bytes: &[u8], s: &mut Step<'_>) {
        let member = list.member_key;
        let before = self.state.list_of(&member).cloned();
        let known = KnownList::new(list, bytes);
        self.state.keep_list(known.clone());
        self.run.batch.dirty = true;
        self.run.batch.since_ms.get_or_insert(s.now_ms);
        if member == self.state.keys.member_key() {
            return self.take_own_list(list, before.as_ref(), s);
        }
        self.apply_list(&member, s);
        let Some(person) = self.state.person(&member) else { return };
        let contact = person.name.clone();
        let Some(before) = before else { return };
        let missing_in = |those: &KnownList, these: &KnownList| -> Vec<String> {
            let missing = these.devices.iter().filter(|known| those.device(&known.device).is_none());
            missing.map(|known| known.name.clone()).collect()
        };
        let (added, removed) = (missing_in(&before, &known), missing_in(&known, &before));
        if !added.is_empty() || !removed.is_empty() {
            self.later(Output::Notice(Notice::DevicesChanged { contact, added, removed }), s);
        }
    }

    /// Makes the devices of a contact, or the siblings, those of the newest list.
    pub(crate) fn apply_list(&mut self, member: &MemberKey, s: &mut Step<'_>) {
        let own = self.state.keys.member_key();
        if *member != own && self.state.person(member).is_none_or(|person| person.is_revoked()) {
            return;
        }
        let Some(list) = self.state.list_of(member).cloned() else { return };
        let me = self.state.keys.device_key();
        for known in list.devices.iter().filter(|known| known.device != me) {
            if self.state.is_cut_off(&known.device) {
                continue;
            }
            self.list_peer(member, known, s);
        }
        let gone = self.state.peers.iter().filter(|peer| peer.member == *member && !peer.leaving);
        let gone = gone.filter(|peer| list.device(&peer.device).is_none());
        for device in gone.map(|peer| peer.device).collect::<Vec<_>>() {
            self.drop_device(&device);
        }
    }

    fn list_peer(&mut self, member: &MemberKey, known: &KnownDevice, s: &mut Step<'_>) {
        if self.state.peer(&known.device).is_none() {
            let token = new_token(s);
            let mut peer = Peer::new(known.device, *member, known.home_box, token, s.now_ms);
            // Where a box is, another device there has told.
            let there = self.state.peers.iter().filter(|other| other.box_identity == known.home_box);
            if let Some(other) = there.max_by_key(|other| other.record_sequence) {
                peer.addresses.clone_from(&other.addresses);
                peer.record_sequence = other.record_sequence;
            }
            self.state.peers.push(peer);
        }
        let Some(peer) = self.state.peer_mut(&known.device) else { return };
        if peer.member == *member && peer.olm_identity.is_none_or(|olm| olm == known.olm_identity) {
            peer.olm_identity = Some(known.olm_identity);
            peer.is_listed = true;
        }
    }

    /// Whether a newer list says of a known device what is known of it.
    pub(crate) fn contradicts(&self, list: &DeviceList) -> bool {
        list.devices.iter().any(|listed| {
            let record = &listed.record;
            self.state.peer(&record.device_key).is_some_and(|peer| {
                peer.member != list.member_key
                    || peer.box_identity != record.home_box
                    || peer.olm_identity.is_some_and(|olm| olm != record.olm_identity)
            })
        })
    }

    /// A device that its member removed: nothing goes to it, nothing of it is taken, its token is taken back.
    pub(crate) fn drop_device(&mut self, device: &DeviceKey) {
        self.take_token_back(device);
        self.run.pauses.remove(device);
        let to_it = self.state.outbox.iter().filter(|entry| entry.to == *device);
        for id in to_it.map(|entry| entry.id).collect::<Vec<_>>() {
            self.finish(&id, device, Standing::Expired);
        }
        self.state.peers.retain(|peer| peer.device != *device);
    }

    /// Own devices and contacts hear of a new list, wherever something can be submitted.
    pub(crate) fn announce_list(&mut self, s: &mut Step<'_>) {
        let everybody = self.state.peers.iter().filter(|peer| self.state.is_contact(peer) && peer.token().is_some());
        for device in everybody.map(|peer| peer.device).collect::<Vec<_>>() {
            self.tell_list(&device, s);
        }
    }

    /// One device hears of the list: what is not encrypted yet says the newest one anyway.
    pub(crate) fn tell_list(&mut self, device: &DeviceKey, s: &mut Step<'_>) {
        let mut to_it = self.state.outbox.iter().filter(|entry| entry.to == *device && entry.inner.is_none());
        if !to_it.any(|entry| matches!(entry.body, OutBody::List)) {
            self.post(*device, OutBody::List, s);
        }
    }

    /// A list past its expiry: its devices are still written to, and the person is told once.
    pub(crate) fn tell_expired_lists(&mut self, s: &mut Step<'_>) {
        let (own, now_s) = (self.state.keys.member_key(), s.now_ms / 1000);
        let mut told = Vec::new();
        for list in self.state.lists.iter_mut().filter(|list| list.member != own && !list.told_expired) {
            if list.expires_at_s <= now_s {
                list.told_expired = true;
                told.push(list.member);
            }
        }
        for member in told {
            s.dirty = true;
            if let Some(contact) = self.state.person(&member).map(|person| person.name.clone()) {
                s.notice(Notice::DeviceListExpired { contact });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    use crate::devices::list::LIST_LIFE_S;
    use crate::record::DeviceRecord;

    fn list(version: u64, previous: [u8; 32], made_at_s: u64) -> (DeviceList, Vec<u8>) {
        let key = |seed: u8| SigningKey::from_bytes(&[seed; 32]);
        let record = DeviceRecord::sign(&key(1), &key(2), [3; 32], BoxIdentity([4; 32]));
        let list = DeviceList {
            member_key: record.member_key,
            version,
            previous,
            made_at_s,
            expires_at_s: made_at_s + LIST_LIFE_S,
            devices: vec![Listed { record, name: "phone".to_owned() }],
            revoked: Vec::new(),
        };
        let bytes = list.sign(&key(1)).to_vec();
        (list, bytes)
    }

    fn beside(known: &KnownList, (list, bytes): &(DeviceList, Vec<u8>), now_s: u64) -> Verdict {
        judge(Some(known), list, &DeviceList::hash_of(bytes), now_s)
    }

    #[test]
    fn an_older_list_a_second_one_of_a_version_and_an_expired_one_are_told_apart() {
        let (first, bytes) = list(10, [0; 32], 100);
        let known = KnownList::new(&first, &bytes);
        assert_eq!(beside(&known, &(first, bytes), 100), Verdict::Same);
        assert_eq!(beside(&known, &list(9, [0; 32], 90), 100), Verdict::Older);
        assert_eq!(beside(&known, &list(10, [1; 32], 100), 100), Verdict::Forked);
        assert_eq!(beside(&known, &list(11, [1; 32], 100), 100), Verdict::Forked);
        assert_eq!(beside(&known, &list(11, known.hash, 100), 100), Verdict::Newer);
        assert_eq!(beside(&known, &list(12, [1; 32], 100), 100), Verdict::Newer, "one in between was missed");
        assert_eq!(beside(&known, &list(12, [1; 32], 100), 100 + LIST_LIFE_S), Verdict::Expired);
    }

    proptest! {
        #[test]
        fn no_order_of_lists_makes_a_version_go_back(versions in proptest::collection::vec(0..20u64, 1..30)) {
            let mut known: Option<KnownList> = None;
            for version in versions {
                let (list, bytes) = list(version, [0; 32], 100);
                let before = known.as_ref().map_or(0, |known| known.version);
                if judge(known.as_ref(), &list, &DeviceList::hash_of(&bytes), 100) == Verdict::Newer {
                    prop_assert!(known.is_none() || list.version > before);
                    known = Some(KnownList::new(&list, &bytes));
                }
            }
        }
    }
}
