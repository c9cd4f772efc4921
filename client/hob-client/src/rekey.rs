//! A contact's new keys.
//!
//! The device key is what a contact is reached by, and nobody else can sign by it. What it signs anew is told loudly and
//! taken, while the person never compared numbers; once they did, they decide: nothing goes to the new keys before.

use hob_protocol::contact::ContactCode;
use hob_protocol::ids::{DeviceKey, MemberKey};
use rand_core::CryptoRng;

use crate::Client;
use crate::bundle::Bundle;
use crate::client::Step;
use crate::command::CommandError;
use crate::outbox::Stage;
use crate::output::{Notice, Output, Outputs};
use crate::state::Standing;
use crate::view::WaitReason;

/// How long what waits for a person's decision rests.
const DECISION_PAUSE_MS: u64 = 600_000;

impl Client {
    /// A known device is certified by another member key. True: it is that contact's from now on.
    pub(crate) fn member_key_changed(&mut self, device: &DeviceKey, new: MemberKey, s: &mut Step<'_>) -> bool {
        let Some(old) = self.state.peer(device).map(|peer| peer.member) else { return false };
        if new == self.state.keys.member_key() || self.state.person(&new).is_some() {
            return false;
        }
        let of_member = self.state.peers.iter().filter(|peer| peer.member == old).count();
        let Some(person) = self.state.person(&old) else { return false };
        if person.verified || of_member > 1 {
            if let Some(peer) = self.state.peer_mut(device) {
                peer.new_member = Some(new);
            }
            return false;
        }
        self.take_member_key(old, new, s);
        true
    }

    /// A contact's member key is another one from now on, and what was sealed under the old one is sealed afresh.
    fn take_member_key(&mut self, old: MemberKey, new: MemberKey, s: &mut Step<'_>) {
        let Some(person) = self.state.person_mut(&old) else { return };
        person.member = new;
        let contact = person.name.clone();
        for item in self.state.history.iter_mut().filter(|item| item.member == old) {
            item.member = new;
        }
        let mut devices = Vec::new();
        for peer in self.state.peers.iter_mut().filter(|peer| peer.member == old) {
            peer.member = new;
            peer.new_member = None;
            peer.bundle = None;
            devices.push(peer.device);
        }
        for device in devices {
            self.seal_afresh(&device);
        }
        self.later(Output::Notice(Notice::KeysRenewed { contact }), s);
    }

    /// Everything that waits for a device's receipt is encrypted afresh.
    fn seal_afresh(&mut self, device: &DeviceKey) {
        self.run.pauses.remove(device);
        for entry in self.state.outbox.iter_mut().filter(|entry| entry.to == *device && entry.inner.is_some()) {
            let was_with_a_box = matches!(entry.stage, Stage::Kept { .. } | Stage::Offered { .. });
            if entry.may_go_again() || !was_with_a_box {
                entry.encrypt_afresh();
            }
        }
    }

    /// A device's bundle, newer than any before, names other keys than those that are known. True: they are taken.
    pub(crate) fn bundle_has_new_keys(&mut self, device: &DeviceKey, bundle: &Bundle, s: &mut Step<'_>) -> bool {
        let Some(peer) = self.state.peer(device) else { return false };
        let is_newer = bundle.generation > peer.generation;
        let same_box = bundle.record.home_box == peer.box_identity;
        let (old, known_identity) = (peer.member, peer.olm_identity);
        if !is_newer || !same_box {
            return false;
        }
        if bundle.record.member_key != old && !self.member_key_changed(device, bundle.record.member_key, s) {
            return false;
        }
        let Some(peer) = self.state.peer_mut(device) else { return false };
        if known_identity != Some(bundle.record.olm_identity) {
            // Certified by member and device alike: it lost its sessions, and is nobody else.
            peer.olm_identity = Some(bundle.record.olm_identity);
            peer.sessions.clear();
            self.seal_afresh(device);
            if bundle.record.member_key == old
                && let Some(contact) = self.state.name_of_device(device)
            {
                self.later(Output::Notice(Notice::KeysRenewed { contact }), s);
            }
        }
        true
    }

    /// Tells the person that they have to decide, once a run; what is for that device waits.
    pub(crate) fn wait_for_decision(&mut self, device: &DeviceKey, s: &mut Step<'_>) {
        if let Some(contact) = self.state.name_of_device(device).filter(|_| self.run.told.insert(*device)) {
            s.notice(Notice::KeysChanged { contact });
        }
        self.pause(*device, WaitReason::KeysChanged, s.now_ms.saturating_add(DECISION_PAUSE_MS), s);
    }

    /// The person compared the numbers: a new member key that waits is taken.
    pub(crate) fn take_confirmed_keys(&mut self, member: &MemberKey, s: &mut Step<'_>) -> MemberKey {
        let waiting = self.state.peers.iter().filter(|peer| peer.member == *member);
        let Some(new) = waiting.filter_map(|peer| peer.new_member).next() else { return *member };
        self.take_member_key(*member, new, s);
        for peer in &self.state.peers {
            self.run.told.remove(&peer.device);
        }
        new
    }

    /// The member key that a safety number is to show: the new one, where one waits for the person.
    pub(crate) fn member_key_to_compare(&self, member: &MemberKey) -> MemberKey {
        let of_member = self.state.peers.iter().filter(|peer| peer.member == *member);
        of_member.filter_map(|peer| peer.new_member).next().unwrap_or(*member)
    }

    /// A contact lost everything and showed a fresh code: it takes the old keys' place under the same name. The
    /// conversation stays; what waits for the contact is sealed afresh and goes to the new device. Unverified again.
    ///
    /// # Errors
    /// [`CommandError::NoSuchContact`], and those of [`Client::add_contact`].
    pub fn replace_contact(
        &mut self,
        now_ms: u64,
        rng: &mut dyn CryptoRng,
        code: &ContactCode,
        name: &str,
    ) -> Result<Outputs, CommandError> {
        let old = self.state.person_named(name)?.member;
        if old == code.member_key {
            return self.add_contact(now_ms, rng, code, name);
        }
        let mut s = Step::new(now_ms, rng);
        // Out of the way for a moment: every check of a new contact is made, and nothing changed if one fails.
        let before = self.state.persons.clone();
        self.state.persons.retain(|person| person.member != old);
        if let Err(error) = self.take_code(code, name, &mut s) {
            self.state.persons = before;
            return Err(error);
        }
        let old_devices: Vec<DeviceKey> =
            self.state.peers.iter().filter(|peer| peer.member == old).map(|peer| peer.device).collect();
        for device in &old_devices {
            self.take_token_back(device);
            self.run.pauses.remove(device);
        }
        self.state.peers.retain(|peer| peer.member != old);
        for item in self.state.history.iter_mut().filter(|item| item.member == old) {
            item.member = code.member_key;
            item.device = code.device_key;
        }
        let mut moved = std::collections::HashSet::new();
        self.state.outbox.retain_mut(|entry| {
            if !old_devices.contains(&entry.to) {
                return true;
            }
            let unread = matches!(entry.stage, Stage::Ready { .. }) || entry.may_go_again();
            let stays = entry.is_text() && unread && moved.insert(entry.id);
            if stays {
                entry.to = code.device_key;
                entry.encrypt_afresh();
            }
            stays
        });
        for item in self.state.history.iter_mut().filter(|item| item.member == code.member_key) {
            if item.standing == Standing::InOutbox && !moved.contains(&item.id) {
                item.standing = Standing::Expired;
            }
        }
        s.dirty = true;
        Ok(self.settle(s))
    }
}
