//! First contact: what a writer shows who has a contact code only, and whom its receiver makes a contact.

use hob_protocol::ids::{DeliveryToken, DeviceKey, MemberKey};
use hob_protocol::transcript::same_mac;

use crate::Client;
use crate::client::Step;
use crate::contacts::{Peer, Person, read_address_record, safe_name};
use crate::devices::known::KnownDevice;
use crate::output::{Notice, Output};
use crate::seal::inner::Introduction;

/// Requests that wait at once; more are dropped unread.
const REQUESTS_MAX: usize = 64;
/// Devices whose messages are dropped; the oldest are forgotten.
const REFUSED_MAX: usize = 1_024;

/// What proves that a writer was shown a code: BLAKE3 keyed by its introduction token, over both device keys.
pub(crate) fn introduction_mac(token: &DeliveryToken, writer: &DeviceKey, reader: &DeviceKey) -> [u8; 32] {
    let key = blake3::derive_key("hob/1 introduction", token.expose());
    let mut hasher = blake3::Hasher::new_keyed(&key);
    hasher.update(writer.as_bytes());
    hasher.update(reader.as_bytes());
    *hasher.finalize().as_bytes()
}

/// A fresh delivery token.
pub(crate) fn new_token(s: &mut Step<'_>) -> DeliveryToken {
    let mut token = DeliveryToken([0; 32]);
    rand_core::Rng::fill_bytes(s.rng, &mut token.0);
    token
}

impl Client {
    /// What goes with every message until its receiver is known to have this device's token.
    pub(crate) fn introduction_for(&self, to: &DeviceKey) -> Option<Introduction> {
        let peer = self.state.peer(to).filter(|peer| !peer.they_have_token)?;
        let home = self.state.home.as_ref()?;
        let me = self.state.keys.device_key();
        let code = peer.introduction.as_ref().filter(|_| peer.their_token.is_none());
        Some(Introduction {
            mac: code.map(|token| introduction_mac(token, &me, to)),
            list: self.state.own_list().map(|list| list.bytes.clone()).unwrap_or_default(),
            token: peer.my_token.clone(),
            address_record: home.address_record.clone(),
            addresses: home.addresses.clone(),
            name: home.label.clone(),
        })
    }

    /// Takes what came with a message of a known peer: the token, and where its box is.
    pub(crate) fn take_introduction(&mut self, from: &DeviceKey, introduction: &Introduction, s: &mut Step<'_>) {
        let identity = self.state.peer(from).map(|peer| peer.box_identity);
        let epoch = identity.and_then(|identity| self.state.epoch_of(&identity));
        let Some(peer) = self.state.peer_mut(from) else { return };
        let is_new = peer.their_token.as_ref() != Some(&introduction.token);
        if is_new {
            peer.their_token = Some(introduction.token.clone());
            peer.token_epoch = epoch;
        }
        peer.shared_token = None;
        let member = peer.member;
        if let Some(record) = read_address_record(&introduction.address_record) {
            peer.take_address_record(&record);
        }
        if peer.record_sequence == 0 && !introduction.addresses.is_empty() {
            peer.addresses.clone_from(&introduction.addresses);
        }
        if is_new {
            self.sync_contact(&member, s);
        }
    }

    /// Somebody unknown wrote: a contact, if they were shown a code that the box still took; else a request. False: their
    /// message is dropped.
    pub(crate) fn admit_stranger(
        &mut self,
        member: &MemberKey,
        named: &KnownDevice,
        intro: &Introduction,
        s: &mut Step<'_>,
    ) -> bool {
        let device = named.device;
        let me = self.state.keys.device_key();
        if *member == self.state.keys.member_key() || self.state.is_shut_out(member) {
            return false;
        }
        let proposed = safe_name(&intro.name);
        let by_mac = |token: &DeliveryToken, mac| same_mac(&introduction_mac(token, &device, &me), mac);
        let code = intro.mac.as_ref().and_then(|mac| {
            let mut codes = self.state.codes.iter_mut();
            codes.find(|code| !code.for_device && by_mac(&code.token, mac))
        });
        let shown_a_code = match code {
            Some(code) if code.used_by.is_none_or(|first| first == device) => {
                code.used_by = Some(device);
                code.used_ms = s.now_ms;
                true
            }
            Some(code) => {
                let first = code.used_by;
                self.refuse_second_use(device, first, proposed, s);
                return false;
            }
            None => false,
        };
        if !shown_a_code && self.state.requesters().count() >= REQUESTS_MAX {
            return false;
        }
        let mut peer = Peer::new(device, *member, named.home_box, new_token(s), s.now_ms);
        peer.olm_identity = Some(named.olm_identity);
        peer.is_listed = true;
        peer.proposed_name = proposed;
        self.state.peers.push(peer);
        if shown_a_code {
            self.make_contact(&device, None, s);
        } else if self.state.person(member).is_none() {
            let request = crate::contacts::request_id(&device);
            self.later(Output::Notice(Notice::RequestArrived { request }), s);
        }
        true
    }

    fn refuse_second_use(&mut self, second: DeviceKey, first: Option<DeviceKey>, proposed: String, s: &Step<'_>) {
        self.refuse_device(second);
        let first = first.and_then(|device| self.state.name_of_device(&device)).unwrap_or_default();
        let notice = Notice::CodeUsedTwice { first, second: proposed };
        self.later(Output::Notice(notice), s);
    }

    pub(crate) fn refuse_device(&mut self, device: DeviceKey) {
        self.state.refused.push(device);
        let surplus = self.state.refused.len().saturating_sub(REFUSED_MAX);
        self.state.refused.drain(..surplus);
    }

    /// Makes the member of a known device a contact: new and unverified. Answers the local name.
    pub(crate) fn make_contact(&mut self, device: &DeviceKey, name: Option<&str>, s: &mut Step<'_>) -> String {
        let Some(peer) = self.state.peer(device) else { return String::new() };
        if let Some(person) = self.state.person(&peer.member) {
            return person.name.clone();
        }
        let member = peer.member;
        let contact = match name {
            Some(name) => name.to_owned(),
            None => self.state.free_name(&peer.proposed_name, device),
        };
        let added_ms = self.state.added_now(&member, s.now_ms);
        self.state.persons.push(Person {
            name: contact.clone(),
            member,
            verified: false,
            answered: true,
            added_ms,
            blocked: false,
            named_ms: 0,
            blocked_ms: 0,
            revoked: None,
        });
        let told = contact.clone();
        self.later(Output::Notice(Notice::ContactMade { contact: told }), s);
        self.apply_list(&member, s);
        self.sync_contact(&member, s);
        contact
    }

    /// A contact wrote: whoever was added here by a code has answered.
    pub(crate) fn note_answer(&mut self, from: &DeviceKey, s: &Step<'_>) {
        let Some(member) = self.state.peer(from).map(|peer| peer.member) else { return };
        let Some(person) = self.state.person_mut(&member).filter(|person| !person.answered) else { return };
        person.answered = true;
        let contact = person.name.clone();
        self.later(Output::Notice(Notice::ContactAnswered { contact }), s);
    }

    /// A known contact used a code that was shown here, too: both showed each other one.
    pub(crate) fn note_code_use(&mut self, device: &DeviceKey, mac: &[u8; 32], now_ms: u64) {
        let me = self.state.keys.device_key();
        let mut unused = self.state.codes.iter_mut().filter(|code| code.used_by.is_none() && !code.for_device);
        if let Some(code) = unused.find(|code| same_mac(&introduction_mac(&code.token, device, &me), mac)) {
            code.used_by = Some(*device);
            code.used_ms = now_ms;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_introduction_is_worth_nothing_from_another_device_or_to_another() {
        let token = DeliveryToken([1; 32]);
        let (bob, ada, eve) = (DeviceKey([2; 32]), DeviceKey([3; 32]), DeviceKey([4; 32]));
        let mac = introduction_mac(&token, &bob, &ada);
        assert_ne!(mac, introduction_mac(&token, &eve, &ada));
        assert_ne!(mac, introduction_mac(&token, &bob, &eve));
        assert_ne!(mac, introduction_mac(&DeliveryToken([9; 32]), &bob, &ada));
    }
}
