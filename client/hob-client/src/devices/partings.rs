//! Contacts renamed, blocked and removed on one device of a member: the others follow.
//!
//! Names and blocks go with the contact's card (`siblings`), each with the time of the change: the later one holds. A
//! removal goes by itself and is remembered, so that what an older device still tells does not bring the contact back.

use hob_protocol::ids::{DeviceKey, MemberKey};
use serde::{Deserialize, Serialize};

use crate::Client;
use crate::client::Step;
use crate::contacts::{check_name, safe_name};
use crate::outbox::OutBody;
use crate::seal::devices::{Card, PARTS_MAX, Removal};
use crate::seal::inner::Body;
use crate::state::State;

/// Removed contacts that are remembered; those removed first are forgotten.
const PARTINGS_MAX: usize = 1_024;

/// A contact that was removed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parting {
    #[serde(with = "crate::raw")]
    pub(crate) member: MemberKey,
    /// Later than when they were added.
    pub(crate) at_ms: u64,
}

impl State {
    fn parted_ms(&self, member: &MemberKey) -> Option<u64> {
        self.partings.iter().find(|parting| parting.member == *member).map(|parting| parting.at_ms)
    }

    fn note_parting(&mut self, parting: Parting) {
        let at_ms = self.parted_ms(&parting.member).map_or(parting.at_ms, |known| known.max(parting.at_ms));
        self.partings.retain(|known| known.member != parting.member);
        self.partings.push(Parting { at_ms, ..parting });
        let surplus = self.partings.len().saturating_sub(PARTINGS_MAX);
        self.partings.drain(..surplus);
    }

    /// When a contact is added now: later than any removal of theirs, whatever the clock says. The removal is forgotten.
    pub(crate) fn added_now(&mut self, member: &MemberKey, now_ms: u64) -> u64 {
        let added_ms = self.parted_ms(member).map_or(now_ms, |parted_ms| now_ms.max(parted_ms.saturating_add(1)));
        self.partings.retain(|parting| parting.member != *member);
        added_ms
    }
}

impl Client {
    /// This device's person removed a contact, who was added at that time.
    pub(crate) fn part_from(&mut self, member: MemberKey, added_ms: u64, s: &mut Step<'_>) {
        let parting = Parting { member, at_ms: later(s.now_ms, added_ms) };
        self.let_go(&member);
        self.state.note_parting(parting.clone());
        for device in self.siblings() {
            self.post(device, OutBody::Removals { partings: vec![parting.clone()] }, s);
        }
    }

    /// A device that is new hears of all removals.
    pub(crate) fn tell_partings(&mut self, device: &DeviceKey, s: &mut Step<'_>) {
        let partings = self.state.partings.clone();
        for partings in partings.chunks(PARTS_MAX) {
            self.post(*device, OutBody::Removals { partings: partings.to_vec() }, s);
        }
    }

    pub(crate) fn removals_body(partings: &[Parting]) -> Body {
        let removal = |parting: &Parting| Removal { member_key: parting.member, at_ms: parting.at_ms };
        Body::Removals { removals: partings.iter().map(removal).collect() }
    }

    /// A sibling removed contacts. Who was added later than that stays.
    pub(crate) fn take_removals(&mut self, removals: &[Removal], s: &mut Step<'_>) {
        let own = self.state.keys.member_key();
        for removal in removals.iter().filter(|removal| removal.member_key != own) {
            let member = removal.member_key;
            match self.state.person(&member) {
                Some(person) if person.added_ms >= removal.at_ms => continue,
                Some(_) => self.let_go(&member),
                None => {}
            }
            self.state.note_parting(Parting { member, at_ms: removal.at_ms });
            s.dirty = true;
        }
    }

    /// Whether a card is of a contact who was removed since. Its writer, who does not know it yet, is told.
    pub(crate) fn is_parted(&mut self, card: &Card, from: &DeviceKey, s: &mut Step<'_>) -> bool {
        let member = card.member_key;
        let Some(at_ms) = self.state.parted_ms(&member) else { return false };
        if card.added_at_ms > at_ms {
            self.state.partings.retain(|parting| parting.member != member);
            return false;
        }
        let parting = Parting { member, at_ms };
        let mut to_it = self.state.outbox.iter().filter(|entry| entry.to == *from);
        let is_told = |body: &OutBody| matches!(body, OutBody::Removals { partings } if partings.contains(&parting));
        if !to_it.any(|entry| is_told(&entry.body)) {
            self.post(*from, OutBody::Removals { partings: vec![parting] }, s);
        }
        true
    }

    /// What a sibling changed later than this device takes the place of what was chosen here.
    pub(crate) fn follow_card(&mut self, card: &Card) {
        let member = card.member_key;
        let Some(person) = self.state.person_mut(&member) else { return };
        person.added_ms = person.added_ms.max(card.added_at_ms);
        let (is_renamed, is_decided) = (card.named_at_ms > person.named_ms, card.blocked_at_ms > person.blocked_ms);
        let is_other_name = card.name != person.name;
        if is_renamed && is_other_name {
            let name = self.free_name_of(card);
            if let Some(person) = self.state.person_mut(&member) {
                person.name = name;
            }
        }
        if is_decided && card.blocked {
            self.block(&member);
        }
        let Some(person) = self.state.person_mut(&member) else { return };
        person.named_ms = person.named_ms.max(card.named_at_ms);
        person.blocked_ms = person.blocked_ms.max(card.blocked_at_ms);
    }

    /// Whether a card unblocks a contact who is blocked here.
    pub(crate) fn is_unblocked_by(&self, card: &Card) -> bool {
        let person = self.state.person(&card.member_key);
        person.is_some_and(|person| person.blocked && !card.blocked && card.blocked_at_ms > person.blocked_ms)
    }

    /// The name that a sibling's person chose, or one like it where it is taken here.
    pub(crate) fn free_name_of(&self, card: &Card) -> String {
        let name = if check_name(&card.name).is_ok() { card.name.clone() } else { safe_name(&card.name) };
        let device = card.devices.first().map_or(DeviceKey([0; 32]), |device| device.device_key);
        self.state.free_name(&name, &device)
    }
}

/// Now, and later than what was there before.
pub(crate) fn later(now_ms: u64, before_ms: u64) -> u64 {
    now_ms.max(before_ms.saturating_add(1))
}
