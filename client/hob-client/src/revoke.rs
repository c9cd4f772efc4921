//! A contact's revocation certificate: their devices are cut off, and only the person brings them back, by a fresh code.

use ed25519_dalek::VerifyingKey;
use hob_protocol::contact::ContactCode;
use hob_protocol::ids::{DeviceKey, MemberKey, TokenHash};
use hob_protocol::revocation::Revocation;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use crate::Client;
use crate::client::Step;
use crate::command::CommandError;
use crate::contacts::Peer;
use crate::introduce::new_token;
use crate::output::{Done, Outputs};
use crate::state::{Standing, State};

/// Devices and codes that are remembered of one contact; the oldest go first. Four times what a list names.
const REMEMBERED_MAX: usize = 64;

/// What is remembered of a certificate that was taken.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Revoked {
    /// No fresh code was added since.
    pub(crate) in_force: bool,
    made_at_s: u64,
    /// Devices that were known then: nothing of theirs is taken, whatever a list says, but by a fresh code of their own.
    #[serde(with = "crate::raw::list")]
    devices: Vec<DeviceKey>,
    /// Introduction tokens that were used before: their codes are not fresh.
    #[serde(with = "crate::raw::list")]
    codes: Vec<TokenHash>,
}

fn remember<T: PartialEq>(known: &mut Vec<T>, new: T) {
    known.retain(|other| *other != new);
    known.push(new);
    let surplus = known.len().saturating_sub(REMEMBERED_MAX);
    known.drain(..surplus);
}

impl State {
    /// Whether a device was cut off by a certificate and not added anew.
    pub(crate) fn is_cut_off(&self, device: &DeviceKey) -> bool {
        let revoked = self.persons.iter().filter_map(|person| person.revoked.as_ref());
        revoked.into_iter().any(|revoked| revoked.devices.contains(device))
    }

    pub(crate) fn is_revoked(&self, member: &MemberKey) -> bool {
        self.person(member).is_some_and(crate::contacts::Person::is_revoked)
    }
}

impl Client {
    /// Takes a contact's revocation certificate: nothing goes to any device of theirs any more, and nothing of theirs is
    /// taken; what waits for them ends; the conversation stays. Nobody is told, this member's other devices neither.
    /// A fresh contact code added under the same name makes the device of that code theirs again. Answers the local name.
    ///
    /// # Errors
    /// [`CommandError::OwnRevocation`], [`CommandError::RevokesNobody`], [`CommandError::RevokedAlready`].
    pub fn revoke_contact(
        &mut self,
        now_ms: u64,
        rng: &mut dyn CryptoRng,
        certificate: &Revocation,
    ) -> Result<Done<String>, CommandError> {
        let member = certificate.member_key();
        if member == self.state.keys.member_key() {
            return Err(CommandError::OwnRevocation);
        }
        let person = self.state.person(&member).ok_or(CommandError::RevokesNobody)?;
        let name = person.name.clone();
        if person.is_revoked() {
            return Err(CommandError::RevokedAlready { name });
        }
        let mut revoked = person.revoked.clone().unwrap_or_default();
        revoked.in_force = true;
        revoked.made_at_s = certificate.made_at_s();
        if let Some(list) = self.state.list_of(&member) {
            list.devices.iter().for_each(|known| remember(&mut revoked.devices, known.device));
        }
        let mut s = Step::new(now_ms, rng);
        for device in self.devices_of(&member) {
            let introduction = self.state.peer(&device).and_then(|peer| peer.introduction.as_ref());
            if let Some(token) = introduction.map(hob_protocol::ids::DeliveryToken::hash) {
                remember(&mut revoked.codes, token);
            }
            remember(&mut revoked.devices, device);
            self.drop_device(&device);
        }
        for item in self.state.history.iter_mut().filter(|item| item.member == member) {
            if item.standing == Standing::InOutbox {
                item.standing = Standing::Expired;
            }
        }
        if let Some(person) = self.state.person_mut(&member) {
            person.revoked = Some(revoked);
        }
        s.dirty = true;
        let outputs: Outputs = self.settle(s);
        Ok(Done { value: name, outputs })
    }

    /// A contact who was cut off, or one of whose devices was, showed a fresh code on a device: that one is theirs again,
    /// new and unverified. False: this is another story, and nothing was changed.
    pub(crate) fn take_code_of_revoked(&mut self, code: &ContactCode, is_home: bool, s: &mut Step<'_>) -> bool {
        let token = code.introduction_token.hash();
        let is_weak = |key: &[u8; 32]| VerifyingKey::from_bytes(key).map_or(true, |key| key.is_weak());
        if self.state.peer(&code.device_key).is_some()
            || is_weak(code.device_key.as_bytes())
            || is_weak(code.box_identity.as_bytes())
        {
            return false;
        }
        let Some(person) = self.state.person_mut(&code.member_key) else { return false };
        let Some(revoked) = person.revoked.as_mut() else { return false };
        let is_cut_off = revoked.in_force || revoked.devices.contains(&code.device_key);
        if !is_cut_off || revoked.codes.contains(&token) {
            return false;
        }
        revoked.in_force = false;
        revoked.devices.retain(|device| *device != code.device_key);
        person.verified = false;
        person.answered = false;
        let mut peer = Peer::new(code.device_key, code.member_key, code.box_identity, new_token(s), s.now_ms);
        peer.introduction = Some(code.introduction_token.clone());
        if !is_home {
            peer.addresses.clone_from(&code.addresses);
        }
        self.state.peers.push(peer);
        self.state.refused.retain(|device| *device != code.device_key);
        s.dirty = true;
        true
    }
}
