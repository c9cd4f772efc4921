//! Sessions heal: what cannot be opened is asked for, over a new session, and encrypted afresh by its sender.
//!
//! State may be lost on either side: an older copy was restored, keys are gone, a ratchet is too far ahead. Nobody can
//! see from within that the whole state is an older one. So a device that was away for longer than boxes keep opens a
//! new session to everybody it writes to, whether it slept or was restored: no message key is used twice. A younger copy
//! shows itself by what others send: retry requests, and receipts for messages that it never wrote.
//!
//! Everything here is bounded, so that two clients that cannot understand each other at all fall silent.

use std::collections::HashMap;

use hob_protocol::ids::DeviceKey;
use serde::{Deserialize, Serialize};

use crate::Client;
use crate::client::Step;
use crate::inbox::Dropped;
use crate::outbox::{Entry, OutBody, Stage, new_id};
use crate::output::{Notice, Output, WakeReason};
use crate::seal::inner::RETRY_HASHES_MAX;
use crate::seal::middle::Middle;
use crate::view::MessageId;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// Retry requests to one device, of up to 256 messages each: so many at once, and one more an hour.
const REQUESTS_AT_ONCE: u64 = 6;
/// The next one waits for so long, so that it names more.
const REQUEST_SPACING_MS: u64 = 10_000;
/// What is to be asked for, of one device. What does not fit comes again, and is asked for then.
const RETRIES_DUE_MAX: usize = 512;
/// Retry requests that one message obeys: more would be a loop.
const RETRIES_MAX: u32 = 3;
/// Retry requests of one device that are looked at in an hour, and messages that are encrypted afresh for it.
const OBEYED_REQUESTS_PER_HOUR: u32 = 60;
const OBEYED_PER_HOUR: u32 = 1_000;

/// How many retry requests went out lately: a bucket of [`REQUESTS_AT_ONCE`] that gets one more an hour.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Budget {
    spent: u64,
    since_ms: u64,
    last_ms: u64,
}

impl Budget {
    /// When one more may go; now, if that is not after `now_ms`.
    fn may_go_at_ms(&self, now_ms: u64) -> u64 {
        // A clock that was set back holds nothing up.
        if self.last_ms > now_ms {
            return now_ms;
        }
        let refilled_ms = self.since_ms.saturating_add((self.spent + 1).saturating_sub(REQUESTS_AT_ONCE) * HOUR_MS);
        refilled_ms.max(self.last_ms.saturating_add(REQUEST_SPACING_MS))
    }

    fn spend(&mut self, now_ms: u64) {
        let hours = now_ms.saturating_sub(self.since_ms) / HOUR_MS;
        self.spent = self.spent.saturating_sub(hours);
        self.since_ms = if self.spent == 0 { now_ms } else { self.since_ms.saturating_add(hours * HOUR_MS) };
        self.spent = (self.spent + 1).min(REQUESTS_AT_ONCE);
        self.last_ms = now_ms;
    }
}

/// What of one device's retry requests was obeyed in an hour.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Obeyed {
    hour: u64,
    requests: u32,
    messages: u32,
}

impl Client {
    /// The program starts. After a long absence every session is opened anew: this state may be an older copy.
    pub(crate) fn started(&mut self, s: &mut Step<'_>) {
        self.run.started = true;
        if self.was_long_away(s.now_ms) {
            for peer in self.state.peers.iter_mut().filter(|peer| !peer.sessions.is_empty()) {
                s.dirty |= !peer.fresh_session;
                peer.fresh_session = true;
            }
        }
    }

    /// A known device's message cannot be used.
    pub(crate) fn dropped(&mut self, middle: &Middle, dropped: &Dropped, s: &mut Step<'_>) {
        let contact = self.state.name_of_device(&middle.sender);
        if contact.is_none() && !self.is_sibling(&middle.sender) {
            if !matches!(dropped, Dropped::Silently) {
                self.unreadable(s);
            }
            return;
        }
        match dropped {
            Dropped::Silently => {}
            Dropped::Unreadable => self.unreadable(s),
            Dropped::KeysChanged => {
                if self.run.told.insert(middle.sender) {
                    let notice = contact.map_or(Notice::OwnDevicesDisagree, |contact| Notice::KeysChanged { contact });
                    self.later(Output::Notice(notice), s);
                }
            }
            Dropped::Undecipherable => self.ask_again(middle),
            Dropped::NewIdentity => {
                // Only a bundle says which identity is the newest.
                if let Some(peer) = self.state.peer_mut(&middle.sender) {
                    peer.bundle = None;
                }
                self.ask_again(middle);
            }
            Dropped::OtherMembers => {
                // They may not know this member's key: the request brings the record.
                if let Some(peer) = self.state.peer_mut(&middle.sender) {
                    peer.they_have_token = false;
                }
                self.ask_again(middle);
            }
        }
    }

    /// Told once an hour: whoever has a token can send rubbish.
    pub(crate) fn unreadable(&mut self, s: &Step<'_>) {
        let told_ms = self.run.unreadable_told_ms;
        if told_ms.is_none_or(|told| s.now_ms.saturating_sub(told) >= HOUR_MS) {
            self.run.unreadable_told_ms = Some(s.now_ms);
            self.later(Output::Notice(Notice::Unreadable), s);
        }
    }

    /// An envelope is sealed to a prekey that this device does not have: the box hands out one of a later state. At most
    /// one new one an hour: whoever has a token can name any prekey.
    pub(crate) fn prekey_is_lost(&mut self, s: &Step<'_>) {
        let renewed_ms = self.run.renewed_prekeys_ms;
        if renewed_ms.is_none_or(|renewed| s.now_ms.saturating_sub(renewed) >= HOUR_MS) {
            self.run.renewed_prekeys_ms = Some(s.now_ms);
            self.run.wants_prekey = true;
        }
    }

    fn ask_again(&mut self, middle: &Middle) {
        let hash = middle.hash();
        let asked = self.state.outbox.iter().any(|entry| {
            entry.to == middle.sender
                && matches!(&entry.body, OutBody::Retry { inner_hashes } if inner_hashes.contains(&hash))
        });
        let Some(peer) = self.state.peer_mut(&middle.sender).filter(|_| !asked) else { return };
        if peer.retries_due.len() < RETRIES_DUE_MAX && !peer.retries_due.contains(&hash) {
            peer.retries_due.push(hash);
        }
    }

    /// Turns what is to be asked for into retry requests, once everything that came is in.
    pub(crate) fn make_retries(&mut self, s: &mut Step<'_>) {
        if !(self.run.caught_up || self.run.hurry) || self.run.batch.since_ms.is_some() {
            return;
        }
        let asking = self.state.peers.iter().filter(|peer| !peer.retries_due.is_empty());
        let asking = asking.filter(|peer| self.state.is_contact(peer) && peer.token().is_some());
        for device in asking.map(|peer| peer.device).collect::<Vec<_>>() {
            let Some(peer) = self.state.peer_mut(&device) else { continue };
            let at_ms = peer.retries_sent.may_go_at_ms(s.now_ms);
            if at_ms > s.now_ms {
                s.wake(at_ms, WakeReason::Outbox);
                continue;
            }
            peer.retries_sent.spend(s.now_ms);
            // The old session may be what is broken.
            peer.fresh_session = true;
            let some = peer.retries_due.len().min(RETRY_HASHES_MAX);
            let inner_hashes = peer.retries_due.drain(..some).collect();
            self.state.outbox.push(Entry::new(new_id(s), device, OutBody::Retry { inner_hashes }, s.now_ms));
            s.dirty = true;
            self.session_renewed(&device, s);
        }
    }

    /// One line a day and contact.
    fn session_renewed(&mut self, device: &DeviceKey, s: &mut Step<'_>) {
        let contact = self.state.name_of_device(device);
        let Some(peer) = self.state.peer_mut(device) else { return };
        let is_news = peer.renewed_told_ms == 0 || s.now_ms.saturating_sub(peer.renewed_told_ms) >= DAY_MS;
        if let Some(contact) = contact.filter(|_| is_news) {
            peer.renewed_told_ms = s.now_ms;
            self.later(Output::Notice(Notice::SessionRenewed { contact }), s);
        }
    }

    /// A contact cannot open messages: they are encrypted afresh under the same ids, by the session that the contact
    /// used last.
    pub(crate) fn retries_wanted(&mut self, device: &DeviceKey, inner_hashes: &[[u8; 32]], s: &mut Step<'_>) {
        if !self.state.peer(device).is_some_and(|peer| self.state.is_contact(peer)) {
            return;
        }
        let hour = s.now_ms / HOUR_MS;
        let obeyed = self.run.obeyed.entry(*device).or_default();
        if obeyed.hour != hour {
            *obeyed = Obeyed { hour, ..Obeyed::default() };
        }
        obeyed.requests = obeyed.requests.saturating_add(1);
        if obeyed.requests > OBEYED_REQUESTS_PER_HOUR {
            return;
        }
        let mut asked_for: HashMap<[u8; 32], ()> = inner_hashes.iter().map(|hash| (*hash, ())).collect();
        let mut any = false;
        for entry in self.state.outbox.iter_mut().filter(|entry| entry.to == *device && entry.awaits_receipt()) {
            let Some(inner) = &entry.inner else { continue };
            let is_wanted = asked_for.remove(blake3::hash(&inner.bytes).as_bytes()).is_some();
            if !is_wanted || entry.retries >= RETRIES_MAX || obeyed.messages >= OBEYED_PER_HOUR {
                continue;
            }
            obeyed.messages += 1;
            entry.retries += 1;
            entry.encrypt_afresh();
            any = true;
        }
        if any {
            self.run.batch.dirty = true;
            self.run.batch.since_ms.get_or_insert(s.now_ms);
            self.session_renewed(device, s);
        }
    }

    /// A receipt for a message that this device never wrote: it did, in a state that was lost. Its keys are used up.
    pub(crate) fn note_unknown_receipt(&mut self, id: &MessageId, from: &DeviceKey) {
        let known = self.run.finished.contains(id) || self.state.history.iter().any(|item| item.id == *id);
        if let Some(peer) = self.state.peer_mut(from).filter(|_| !known) {
            peer.fresh_session = true;
        }
    }
}

impl Entry {
    /// Forgets its ciphertexts: it goes out again by whatever session holds then.
    pub(crate) fn encrypt_afresh(&mut self) {
        self.inner = None;
        self.sealed = None;
        self.stage = Stage::Ready { again: true };
    }
}
