//! The outbox: what has no receipt yet. The sender's device remembers, because boxes forget.
//!
//! An entry keeps its plaintext, its message id and, once encrypted, its inner ciphertext, until the receipt. Sent again,
//! the same inner ciphertext gets a new outer layer: the ratchet stands still, and the receiver knows it by its hash.
//! Until the box accepts it, the sealed envelope is kept too: after a kill the very same bytes are submitted, and the
//! box knows them.

use std::time::Duration;

use hob_protocol::ids::{BoxIdentity, DeviceKey};
use hob_protocol::limits::WINDOW_LENGTH;
use serde::{Deserialize, Serialize};

use crate::Client;
use crate::client::{Step, What};
use crate::input::Link;
use crate::output::{Notice, Output, WakeReason};
use crate::seal::inner::{Body, RECEIPT_IDS_MAX};
use crate::seal::olm::InnerCiphertext;
use crate::seal::quote::Quote;
use crate::state::Standing;
use crate::view::{MessageId, Refusal, WaitReason};

/// How long a message is sent again.
pub(crate) const SEND_AGAIN_MAX: Duration = Duration::from_secs(14 * 86_400);
/// The first receipt after so much quiet goes at once …
const RECEIPT_QUIET_MS: u64 = 1_000;
/// … and later ones are batched so long.
const RECEIPT_BATCH_MS: u64 = 2_000;
/// Retry requests that one message obeys: more would be a loop.
const RETRIES_MAX: u32 = 3;

/// Something on its way to one device.
#[derive(Serialize, Deserialize)]
pub(crate) struct Entry {
    #[serde(with = "crate::raw")]
    pub(crate) id: MessageId,
    #[serde(with = "crate::raw")]
    pub(crate) to: DeviceKey,
    pub(crate) body: OutBody,
    pub(crate) sent_at_ms: u64,
    pub(crate) ttl_ms: Option<u64>,
    pub(crate) inner: Option<InnerCiphertext>,
    pub(crate) sealed: Option<Sealed>,
    pub(crate) stage: Stage,
    pub(crate) retries: u32,
}

/// What an entry says.
#[derive(Serialize, Deserialize)]
pub(crate) enum OutBody {
    Text {
        text: String,
        view_once: bool,
        #[serde(default)]
        quote: Option<Quote>,
    },
    Receipt {
        #[serde(with = "crate::raw::list")]
        ids: Vec<MessageId>,
    },
    Back,
    Retry {
        #[serde(with = "crate::raw")]
        inner_hash: [u8; 32],
    },
}

/// An envelope that the box has not answered yet.
#[derive(Serialize, Deserialize)]
pub(crate) struct Sealed {
    #[serde(with = "crate::raw")]
    pub(crate) bytes: Vec<u8>,
    pub(crate) at_ms: u64,
}

/// How far an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// To be submitted; `again`: it was with a box before.
    Ready { again: bool },
    /// The box keeps it.
    Kept { since_ms: u64, until_ms: u64 },
}

impl Entry {
    pub(crate) fn new(id: MessageId, to: DeviceKey, body: OutBody, sent_at_ms: u64) -> Self {
        Self {
            id,
            to,
            body,
            sent_at_ms,
            ttl_ms: None,
            inner: None,
            sealed: None,
            stage: Stage::Ready { again: false },
            retries: 0,
        }
    }

    pub(crate) const fn is_text(&self) -> bool {
        matches!(self.body, OutBody::Text { .. })
    }

    pub(crate) fn expires_at_ms(&self) -> Option<u64> {
        self.ttl_ms.map(|ttl| self.sent_at_ms.saturating_add(ttl))
    }

    /// View-once is never sent again: a second copy could be shown a second time.
    const fn may_go_again(&self) -> bool {
        matches!(self.body, OutBody::Text { view_once: false, .. })
    }

    fn gives_up_at_ms(&self) -> u64 {
        let last = u64::try_from(SEND_AGAIN_MAX.as_millis()).unwrap_or(u64::MAX);
        self.sent_at_ms.saturating_add(self.ttl_ms.unwrap_or(last).min(last))
    }

    pub(crate) fn to_body(&self) -> Body {
        match &self.body {
            OutBody::Text { text, view_once, quote } => {
                Body::Text { text: text.clone().into(), view_once: *view_once, quote: quote.clone() }
            }
            OutBody::Receipt { ids } => Body::Receipt { ids: ids.clone() },
            OutBody::Back => Body::Back,
            OutBody::Retry { inner_hash } => Body::Retry { inner_hash: *inner_hash },
        }
    }
}

impl Client {
    pub(crate) fn entry_mut(&mut self, id: &MessageId, to: &DeviceKey) -> Option<&mut Entry> {
        self.state.outbox.iter_mut().find(|entry| entry.id == *id && entry.to == *to)
    }

    /// Takes an entry out; where it was a text, its history says how it ended.
    fn finish(&mut self, id: &MessageId, to: &DeviceKey, standing: Standing) -> Option<Entry> {
        let at = self.state.outbox.iter().position(|entry| entry.id == *id && entry.to == *to)?;
        let entry = self.state.outbox.remove(at);
        // The first device that confirms a message has delivered it, to a member of several.
        let item = self.state.history.iter_mut().find(|item| item.id == *id && item.standing == Standing::InOutbox);
        if let Some(item) = item.filter(|_| entry.is_text()) {
            item.standing = standing;
            if item.view_once {
                item.text.clear();
            }
        }
        Some(entry)
    }

    /// A contact's device confirmed a message.
    pub(crate) fn delivered(&mut self, id: &MessageId, by: &DeviceKey, s: &Step<'_>) {
        let is_known = self.entry_mut(id, by).is_some_and(|entry| entry.is_text());
        if !is_known || self.finish(id, by, Standing::Delivered).is_none() {
            return;
        }
        if let Some(contact) = self.state.name_of_device(by) {
            let message = *id;
            self.later(Output::Notice(Notice::Delivered { contact, message }), s);
        }
    }

    /// A box refused an entry for good.
    pub(crate) fn refused(&mut self, id: &MessageId, to: &DeviceKey, why: Refusal, s: &mut Step<'_>) {
        let code = why.code;
        let Some(entry) = self.finish(id, to, Standing::Refused { code }) else { return };
        s.dirty = true;
        if let Some(contact) = self.state.name_of_device(to).filter(|_| entry.is_text()) {
            let message = *id;
            s.notice(Notice::Refused { contact, message, why });
        }
    }

    fn expired(&mut self, id: &MessageId, to: &DeviceKey, s: &mut Step<'_>) {
        let Some(entry) = self.finish(id, to, Standing::Expired) else { return };
        s.dirty = true;
        if let Some(contact) = self.state.name_of_device(to).filter(|_| entry.is_text()) {
            let message = *id;
            s.notice(Notice::Expired { contact, message });
        }
    }

    /// The box keeps an envelope. Only texts wait for a receipt.
    pub(crate) fn accepted(&mut self, id: &MessageId, to: &DeviceKey, ttl: Duration, s: &mut Step<'_>) {
        let now_ms = s.now_ms;
        let Some(entry) = self.entry_mut(id, to) else { return };
        if !entry.is_text() {
            self.finish(id, to, Standing::Delivered);
            self.run.batch.dirty = true;
            self.run.batch.since_ms.get_or_insert(now_ms);
            return;
        }
        let until_ms = now_ms.saturating_add(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
        entry.sealed = None;
        entry.stage = Stage::Kept { since_ms: now_ms, until_ms };
        if let Some(contact) = self.state.name_of_device(to) {
            let message = *id;
            let notice = Notice::Kept { contact, message, until_ms };
            self.later(Output::Notice(notice), s);
        }
    }

    /// A box's memory is not continuous: what it kept without a receipt goes out again.
    pub(crate) fn box_forgot(&mut self, identity: &BoxIdentity, all: bool, windows_s: &[u64]) {
        let length_ms = u64::try_from(WINDOW_LENGTH.as_millis()).unwrap_or(u64::MAX);
        let at_box: Vec<DeviceKey> =
            self.state.peers.iter().filter(|peer| peer.box_identity == *identity).map(|peer| peer.device).collect();
        for entry in self.state.outbox.iter_mut().filter(|entry| at_box.contains(&entry.to)) {
            let Stage::Kept { since_ms, .. } = entry.stage else { continue };
            // Half an hour of slack either way: the box's clock is not ours, and a copy too many shows nowhere.
            let in_window = windows_s.iter().any(|opening_s| {
                let opening_ms = opening_s.saturating_mul(1000);
                since_ms.saturating_add(length_ms) >= opening_ms
                    && since_ms <= opening_ms.saturating_add(length_ms.saturating_mul(2))
            });
            if (all || in_window) && entry.may_go_again() {
                entry.stage = Stage::Ready { again: true };
            }
        }
    }

    /// Somebody is back: what they could not get in time goes out again at once.
    pub(crate) fn is_back(&mut self, device: &DeviceKey) {
        self.run.pauses.remove(device);
    }

    /// A contact cannot open a message: it is encrypted afresh under the same id, by their newest session.
    pub(crate) fn retry_wanted(&mut self, device: &DeviceKey, inner_hash: &[u8; 32], s: &Step<'_>) {
        let wanted = self.state.outbox.iter_mut().find(|entry| {
            let inner = entry.inner.as_ref();
            entry.to == *device && inner.is_some_and(|inner| blake3::hash(&inner.bytes).as_bytes() == inner_hash)
        });
        let Some(entry) = wanted.filter(|entry| entry.is_text() && entry.retries < RETRIES_MAX) else { return };
        entry.retries += 1;
        entry.inner = None;
        entry.sealed = None;
        entry.stage = Stage::Ready { again: true };
        self.run.batch.dirty = true;
        self.run.batch.since_ms.get_or_insert(s.now_ms);
    }

    /// Entries whose time is over end; those whose deadline at the box passed go out again, once receipts are fetched.
    pub(crate) fn turn_stages(&mut self, s: &mut Step<'_>) {
        let now_ms = s.now_ms;
        let mut over = Vec::new();
        for entry in self.state.outbox.iter_mut() {
            let give_up_ms = entry.gives_up_at_ms();
            let kept_until_ms = match entry.stage {
                Stage::Kept { until_ms, .. } => Some(until_ms),
                Stage::Ready { .. } => None,
            };
            // While the box may still hold it, or a receipt may be waiting at home, it is not over.
            let may_be_confirmed = kept_until_ms.is_some_and(|until| until > now_ms) || !self.run.caught_up;
            if now_ms >= give_up_ms && !(kept_until_ms.is_some() && may_be_confirmed) {
                over.push((entry.id, entry.to));
                continue;
            }
            match kept_until_ms {
                Some(until_ms) if until_ms > now_ms => s.wake(until_ms, WakeReason::Outbox),
                Some(_) if !self.run.caught_up => {}
                Some(_) if entry.may_go_again() => {
                    entry.stage = Stage::Ready { again: true };
                    s.dirty = true;
                }
                Some(_) => over.push((entry.id, entry.to)),
                None => s.wake(give_up_ms, WakeReason::Outbox),
            }
        }
        for (id, to) in over {
            self.expired(&id, &to, s);
        }
    }

    /// Turns what is to be confirmed into receipts: the first after a quiet second at once, later ones within 2 s.
    pub(crate) fn make_receipts(&mut self, s: &mut Step<'_>) {
        // While mail is still coming, one receipt for all of it is on its way to being longer.
        let mail_is_in = self.run.caught_up || self.run.hurry;
        if !mail_is_in || self.run.batch.since_ms.is_some() {
            return;
        }
        let with_receipts = self.state.peers.iter().filter(|peer| !peer.receipts.is_empty());
        let with_receipts = with_receipts.filter(|peer| self.state.is_contact(peer) && peer.token().is_some());
        for device in with_receipts.map(|peer| peer.device).collect::<Vec<_>>() {
            let last_ms = self.run.receipts_sent_ms.get(&device).copied();
            let due_ms = match last_ms {
                Some(last_ms) if s.now_ms.saturating_sub(last_ms) < RECEIPT_QUIET_MS || self.receipt_waits(&device) => {
                    last_ms.saturating_add(RECEIPT_BATCH_MS)
                }
                _ => s.now_ms,
            };
            if self.run.hurry || due_ms <= s.now_ms {
                self.make_receipt(device, s);
            } else {
                s.wake(due_ms, WakeReason::Receipts);
            }
        }
    }

    fn receipt_waits(&self, device: &DeviceKey) -> bool {
        let waits = |entry: &Entry| entry.to == *device && matches!(entry.body, OutBody::Receipt { .. });
        self.state.outbox.iter().any(waits)
    }

    fn make_receipt(&mut self, device: DeviceKey, s: &mut Step<'_>) {
        let Some(peer) = self.state.peer_mut(&device) else { return };
        let mut due = std::mem::take(&mut peer.receipts);
        due.dedup();
        // One that is not encrypted yet takes more.
        let open = self.state.outbox.iter_mut().find_map(|entry| match &mut entry.body {
            OutBody::Receipt { ids } if entry.to == device && entry.inner.is_none() => Some(ids),
            _ => None,
        });
        if let Some(ids) = open {
            let room = RECEIPT_IDS_MAX.saturating_sub(ids.len()).min(due.len());
            ids.extend(due.drain(..room));
        }
        for ids in due.chunks(RECEIPT_IDS_MAX) {
            let body = OutBody::Receipt { ids: ids.to_vec() };
            self.state.outbox.push(Entry::new(new_id(s), device, body, s.now_ms));
        }
        self.run.receipts_sent_ms.insert(device, s.now_ms);
        s.dirty = true;
    }

    /// Told of entries that wait, once a pause.
    pub(crate) fn pause(&mut self, device: DeviceKey, why: WaitReason, until_ms: u64, s: &mut Step<'_>) {
        if self.run.pauses.insert(device, (until_ms, why)).is_some_and(|(until, _)| until > s.now_ms) {
            return;
        }
        let Some(contact) = self.state.name_of_device(&device) else { return };
        let waiting = self.state.outbox.iter().filter(|entry| entry.to == device && entry.is_text());
        let waiting = waiting.filter(|entry| matches!(entry.stage, Stage::Ready { .. }));
        for message in waiting.map(|entry| entry.id).collect::<Vec<_>>() {
            let contact = contact.clone();
            let retry_at_ms = Some(until_ms);
            s.notice(Notice::Waiting { contact, message, why, retry_at_ms });
        }
    }

    /// Why an entry is not with its box, and when it is tried again.
    pub(crate) fn why_waiting(&self, entry: &Entry) -> (WaitReason, Option<u64>) {
        if let Some((until_ms, why)) = self.run.pauses.get(&entry.to) {
            return (*why, Some(*until_ms));
        }
        let Some(peer) = self.state.peer(&entry.to) else { return (WaitReason::NotConnected, None) };
        if !peer.granted {
            return (WaitReason::TokenNotGranted, None);
        }
        match entry.stage {
            Stage::Ready { again: true } => (WaitReason::ToBeSentAgain, None),
            _ => (WaitReason::NotConnected, None),
        }
    }

    /// Whether nothing of the outbox could go now.
    pub(crate) fn outbox_is_settled(&self, now_ms: u64) -> bool {
        let mut ready = self.state.outbox.iter().filter(|entry| matches!(entry.stage, Stage::Ready { .. }));
        ready.all(|entry| {
            let Some(peer) = self.state.peer(&entry.to) else { return true };
            let paused = self.run.pauses.get(&entry.to).is_some_and(|(until_ms, _)| *until_ms > now_ms);
            let unreachable = |link| self.run.links.get(&link).is_some_and(|link| link.is_given_up_for_now(now_ms));
            let at_home = !self.run.caught_up || !peer.granted;
            let home_refuses = !peer.granted && self.run.home_pause_ms > now_ms;
            paused
                || home_refuses
                || unreachable(Link::Sender(peer.box_identity))
                || (at_home && unreachable(Link::Owner))
        })
    }

    pub(crate) fn is_in_flight(&self, id: &MessageId, to: &DeviceKey) -> bool {
        let is_it = |what: &What| matches!(what, What::Submit { id: of, to: whose, .. } if of == id && whose == to);
        self.run.requests.values().any(|(_, what)| is_it(what))
    }
}

/// 16 random bytes, never all zero.
pub(crate) fn new_id(s: &mut Step<'_>) -> MessageId {
    let mut id = [0; 16];
    while id == [0; 16] {
        rand_core::Rng::fill_bytes(s.rng, &mut id);
    }
    MessageId(id)
}
