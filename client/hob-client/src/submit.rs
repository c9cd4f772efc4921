//! From the outbox to a box: connect, fetch the bundle, encrypt, seal, submit, and what the box answers.

use std::time::Duration;

use bytes::Bytes;
use hob_protocol::code::Code;
use hob_protocol::envelope::Envelope;
use hob_protocol::frame::{ClientBody, ServerBody, Urgency};
use hob_protocol::ids::{DeviceKey, TokenHash};

use crate::Client;
use crate::bundle::{Bundle, BundleError};
use crate::client::{Step, What};
use crate::contacts::conversation;
use crate::input::Link;
use crate::keys::BUNDLE_CACHE;
use crate::outbox::{OutBody, Sealed, Stage};
use crate::output::{Notice, WakeReason};
use crate::seal::inner::{Body, Inner};
use crate::seal::middle::Middle;
use crate::seal::{olm, outer};
use crate::view::{MessageId, Refusal, WaitReason};

/// Submits without an answer, to one device: a token's burst is 256, and an introduction's share 64.
const IN_FLIGHT_MAX: usize = 32;
/// How long an answer to a strict message is waited for, at most.
const STRICT_WAIT_MS: u64 = 60_000;
/// When a box that lost its memory is asked again whether it knows a token.
const FORGOTTEN_PAUSE_MS: u64 = 600_000;
/// When nothing says when to try again.
const PAUSE_MS: u64 = 30_000;
/// After a bundle that is not its owner's: the box will hand out the same one for a while.
const BAD_BUNDLE_PAUSE_MS: u64 = 600_000;

/// Why a device cannot be sealed to at the moment.
enum Hindrance {
    /// Encryption or sealing refused: its bundle is of no use.
    BadBundle,
    /// It will never fit.
    TooLarge,
}

impl Client {
    /// Moves everything that can move.
    pub(crate) fn pump(&mut self, s: &mut Step<'_>) {
        self.turn_stages(s);
        let mut devices: Vec<DeviceKey> = Vec::new();
        for entry in &self.state.outbox {
            if matches!(entry.stage, Stage::Ready { .. }) && !devices.contains(&entry.to) {
                devices.push(entry.to);
            }
        }
        for device in devices {
            self.pump_device(&device, s);
        }
    }

    fn pump_device(&mut self, device: &DeviceKey, s: &mut Step<'_>) {
        if let Some((until_ms, _)) = self.run.pauses.get(device).copied() {
            if until_ms > s.now_ms {
                return s.wake(until_ms, WakeReason::Outbox);
            }
            self.run.pauses.remove(device);
        }
        let Some(peer) = self.state.peer(device) else { return };
        // The message carries a token made for them: one that the box does not know would be a dead letter box.
        let Some(token) = peer.token().cloned().filter(|_| peer.granted) else { return };
        let link = Link::Sender(peer.box_identity);
        if !self.want_link(link, s) {
            return;
        }
        let Some(bundle) = self.state.peer(device).and_then(|peer| peer.fresh_bundle(s.now_ms)) else {
            let device = *device;
            let what = What::Fetch { device, token: token.hash() };
            if !self.run.requests.values().any(|(_, pending)| *pending == what) {
                self.ask(link, what, ClientBody::BundleFetch { token }, s);
            }
            return;
        };
        for id in self.next_for(device) {
            if self.submit(&id, device, link, &bundle, s).is_break() {
                return;
            }
        }
    }

    /// What may go now, in order. What goes again goes first, and only after receipts were fetched; so does what is
    /// behind it.
    fn next_for(&self, device: &DeviceKey) -> Vec<MessageId> {
        let mine = || self.state.outbox.iter().filter(|entry| entry.to == *device);
        let again = |entry: &&crate::outbox::Entry| entry.stage == Stage::Ready { again: true };
        let texts_wait = !self.run.caught_up && mine().any(|entry| again(&entry));
        let fresh = mine().filter(|entry| entry.stage == Stage::Ready { again: false });
        let ordered = mine().filter(again).chain(fresh);
        let in_flight = self.run.requests.values();
        let in_flight = in_flight.filter(|(_, what)| matches!(what, What::Submit { to, .. } if to == device)).count();
        ordered
            .filter(|entry| !(texts_wait && entry.awaits_receipt()))
            .filter(|entry| !self.is_in_flight(&entry.id, device))
            .take(IN_FLIGHT_MAX.saturating_sub(in_flight))
            .map(|entry| entry.id)
            .collect()
    }

    fn submit(
        &mut self,
        id: &MessageId,
        to: &DeviceKey,
        link: Link,
        bundle: &Bundle,
        s: &mut Step<'_>,
    ) -> std::ops::ControlFlow<()> {
        use std::ops::ControlFlow::{Break, Continue};
        let Some(limits) = self.link(link).limits else { return Break(()) };
        let Some(token) = self.state.peer(to).and_then(|peer| peer.token().cloned()) else { return Break(()) };
        let envelope = match self.envelope(id, to, bundle, s) {
            Ok(Some(envelope)) => envelope,
            Ok(None) => return Continue(()),
            Err(Hindrance::TooLarge) => {
                let code = Code::TooLarge.number();
                let retry_after = None;
                self.refused(id, to, Refusal { code, retry_after }, s);
                return Continue(());
            }
            Err(Hindrance::BadBundle) => {
                self.pause(*to, WaitReason::NoBundle, s.now_ms.saturating_add(BAD_BUNDLE_PAUSE_MS), s);
                return Break(());
            }
        };
        let (now_ms, in_time_ms) = (s.now_ms, s.now_ms.saturating_add(STRICT_WAIT_MS));
        let Some(entry) = self.entry_mut(id, to) else { return Continue(()) };
        let online_only = entry.strict;
        if online_only && entry.is_text() {
            // Noted before it leaves: whatever becomes of this connection, it never goes a second time.
            entry.stage = Stage::Offered { until_ms: entry.gives_up_at_ms().min(in_time_ms) };
            s.dirty = true;
        }
        let left_ms = entry.expires_at_ms().map(|expires| expires.saturating_sub(now_ms));
        // What has seconds left is taken all the same; its reader drops it in time.
        let ttl =
            left_ms.map_or(limits.ttl_max, |left| Duration::from_millis(left).max(limits.ttl_min).min(limits.ttl_max));
        let urgency = match entry.body {
            OutBody::Back | OutBody::Text { .. } | OutBody::Hello | OutBody::Copies { history: false, .. } => {
                Urgency::Wake
            }
            OutBody::Receipt { .. }
            | OutBody::Retry { .. }
            | OutBody::Addresses { .. }
            | OutBody::List
            | OutBody::Farewell
            | OutBody::Sync { .. }
            | OutBody::Copies { .. }
            | OutBody::Deliveries { .. }
            | OutBody::Removals { .. } => Urgency::Quiet,
        };
        let what = What::Submit { id: *id, to: *to, token: token.hash() };
        let body = ClientBody::Submit { token, envelope, ttl, urgency, online_only };
        self.ask(link, what, body, s);
        Continue(())
    }

    /// The entry's envelope: the one that was sealed before, if the box may have it, else a new outer layer. What is new
    /// is saved before it leaves.
    fn envelope(
        &mut self,
        id: &MessageId,
        to: &DeviceKey,
        bundle: &Bundle,
        s: &mut Step<'_>,
    ) -> Result<Option<Envelope>, Hindrance> {
        let now_ms = s.now_ms;
        let Some(entry) = self.entry_mut(id, to) else { return Ok(None) };
        if let Some(sealed) = &entry.sealed
            && u128::from(now_ms.saturating_sub(sealed.at_ms)) < BUNDLE_CACHE.as_millis()
        {
            return Ok(Envelope::new(Bytes::from(sealed.bytes.clone())).ok());
        }
        if entry.inner.is_none() {
            self.encrypt(id, to, bundle)?;
        }
        let sender = self.state.keys.device_key();
        let Some(entry) = self.entry_mut(id, to) else { return Ok(None) };
        let Some(inner) = &entry.inner else { return Ok(None) };
        let middle = Middle { sender, kind: inner.kind, session: inner.session, inner: inner.bytes.clone() };
        let sealed = outer::seal_envelope(to, &bundle.prekey, &middle.encode(), s.rng);
        let envelope = sealed.map_err(|error| match error {
            outer::SealError::TooLarge { .. } => Hindrance::TooLarge,
            outer::SealError::BadPrekey | outer::SealError::Refused { .. } => Hindrance::BadBundle,
        })?;
        entry.sealed = Some(Sealed { bytes: envelope.bytes().to_vec(), at_ms: now_ms });
        s.dirty = true;
        Ok(Some(envelope))
    }

    /// Encrypts an entry once: by the session that the other side used last, or by a new one.
    fn encrypt(&mut self, id: &MessageId, to: &DeviceKey, bundle: &Bundle) -> Result<(), Hindrance> {
        let Some(body) = self.body_of(id, to) else { return Ok(()) };
        let mut introduction = self.introduction_for(to);
        if introduction.is_some() {
            self.addresses_were_told(to);
        }
        if let (Some(introduction), Body::List { .. }) = (&mut introduction, &body) {
            // Once is enough.
            introduction.list.clear();
        }
        let me = (self.state.keys.device_key(), self.state.keys.member_key());
        let Some(entry) = self.state.outbox.iter().find(|entry| entry.id == *id && entry.to == *to) else {
            return Ok(());
        };
        let Some(peer) = self.state.peers.iter_mut().find(|peer| peer.device == *to) else { return Ok(()) };
        let plaintext = Inner {
            sender: me.0,
            recipient: *to,
            conversation: conversation(&me.1, &peer.member),
            message_id: entry.id,
            sent_at_ms: entry.sent_at_ms,
            ttl: entry.ttl_ms.map(Duration::from_millis),
            introduction,
            has_your_token: peer.their_token.is_some(),
            strict: entry.strict,
            also_to: entry.also_to.clone(),
            body,
        };
        if peer.sessions.is_empty() || peer.fresh_session {
            let session = olm::outbound(&self.state.keys.olm, &bundle.record.olm_identity, &bundle.olm_fallback)
                .map_err(|_| Hindrance::BadBundle)?;
            peer.prefer(session);
            peer.fresh_session = false;
        }
        let Some(session) = peer.sessions.first_mut() else { return Ok(()) };
        let inner = session.encrypt(&plaintext.encode()).map_err(|_| Hindrance::BadBundle)?;
        if let Some(entry) = self.entry_mut(id, to) {
            entry.inner = Some(inner);
        }
        Ok(())
    }

    pub(crate) fn submit_answered(
        &mut self,
        id: MessageId,
        to: &DeviceKey,
        token: &TokenHash,
        body: ServerBody,
        s: &mut Step<'_>,
    ) {
        match body {
            ServerBody::Accepted { ttl, duplicate: _ } => {
                self.token_was_taken(to, token);
                self.accepted(&id, to, ttl, s);
            }
            ServerBody::Error { code, retry_after, .. } => {
                let why = Refusal { code, retry_after };
                self.take_offer_back(&id, to);
                match waits_for(code, retry_after) {
                    Some(reason) => self.pause(*to, reason, retry_at_ms(retry_after, s.now_ms), s),
                    None if self.token_was_replaced(to, token) => {}
                    None if self.box_forgot_the_token(to, code) => self.wait_for_their_device(to, s),
                    None => self.refused(&id, to, why, s),
                }
            }
            // An answer of the wrong kind: as if there was none. The envelope is kept and goes again.
            _ => self.pause(*to, WaitReason::BoxUnwell, s.now_ms.saturating_add(PAUSE_MS), s),
        }
    }

    /// A strict message that a box did not pass on may be offered once more.
    fn take_offer_back(&mut self, id: &MessageId, to: &DeviceKey) {
        if let Some(entry) = self.entry_mut(id, to).filter(|entry| matches!(entry.stage, Stage::Offered { .. })) {
            entry.stage = Stage::Ready { again: false };
        }
    }

    fn token_was_taken(&mut self, to: &DeviceKey, token: &TokenHash) {
        let identity = self.state.peer(to).map(|peer| peer.box_identity);
        let epoch = identity.and_then(|identity| self.state.epoch_of(&identity));
        let Some(peer) = self.state.peer_mut(to) else { return };
        if peer.token().is_some_and(|current| current.hash() == *token) && peer.token_epoch != epoch {
            peer.token_epoch = epoch;
            self.run.batch.dirty = true;
        }
    }

    /// Whether a token that is refused was good in an earlier memory of the box: its owner tells the box anew, once the
    /// owner is there. A token that this very memory took before was taken back by its owner.
    fn box_forgot_the_token(&self, to: &DeviceKey, code: u32) -> bool {
        let Some(peer) = self.state.peer(to).filter(|_| Code::from_number(code) == Some(Code::NoSuchToken)) else {
            return false;
        };
        let now = self.state.epoch_of(&peer.box_identity);
        peer.token_epoch.is_some_and(|then| now.is_some_and(|now| now != then))
    }

    fn wait_for_their_device(&mut self, to: &DeviceKey, s: &mut Step<'_>) {
        self.pause(*to, WaitReason::BoxForgot, s.now_ms.saturating_add(FORGOTTEN_PAUSE_MS), s);
    }

    /// While the refusal was on its way, the contact's answer brought another token.
    fn token_was_replaced(&self, to: &DeviceKey, token: &TokenHash) -> bool {
        let current = self.state.peer(to).and_then(|peer| peer.token().map(hob_protocol::ids::DeliveryToken::hash));
        current.is_some_and(|current| current != *token)
    }

    pub(crate) fn fetch_answered(
        &mut self,
        link: Link,
        device: &DeviceKey,
        token: &TokenHash,
        body: ServerBody,
        s: &mut Step<'_>,
    ) {
        match body {
            ServerBody::Bundle { bundle } => {
                self.token_was_taken(device, token);
                self.bundle_came(device, &bundle, s);
            }
            ServerBody::Error { code, retry_after, .. } => match waits_for(code, retry_after) {
                Some(reason) => self.pause(*device, reason, retry_at_ms(retry_after, s.now_ms), s),
                None if self.token_was_replaced(device, token) => {}
                None if self.box_forgot_the_token(device, code) => self.wait_for_their_device(device, s),
                None => self.refuse_all(device, &Refusal { code, retry_after }, s),
            },
            _ => self.close_for(link, PAUSE_MS, s),
        }
    }

    fn refuse_all(&mut self, device: &DeviceKey, why: &Refusal, s: &mut Step<'_>) {
        let of_device = self.state.outbox.iter().filter(|entry| entry.to == *device);
        for id in of_device.map(|entry| entry.id).collect::<Vec<_>>() {
            let kept = self.entry_mut(&id, device).is_some_and(|entry| matches!(entry.stage, Stage::Kept { .. }));
            // What was accepted before a token was revoked is still delivered.
            if !kept {
                self.refused(&id, device, why.clone(), s);
            }
        }
    }

    fn bundle_came(&mut self, device: &DeviceKey, bundle: &Bytes, s: &mut Step<'_>) {
        let Some(peer) = self.state.peer_mut(device) else { return };
        let mut taken = peer.take_bundle(bundle, s.now_ms);
        if taken == Err(BundleError::KeysChanged) {
            let new = peer.open_new_keys(bundle, s.now_ms);
            if let Ok(new) = new
                && self.bundle_has_new_keys(device, &new, s)
                && let Some(peer) = self.state.peer_mut(device)
            {
                taken = peer.take_bundle(bundle, s.now_ms);
            }
        }
        let Err(error) = taken else {
            // Persisted with what is sealed to it, so that fifty short programs fetch it once.
            s.dirty = true;
            return;
        };
        if error == BundleError::KeysChanged {
            return self.wait_for_decision(device, s);
        }
        let contact = self.state.name_of_device(device).unwrap_or_default();
        s.notice(Notice::BadBundle { contact, why: error.to_string() });
        self.pause(*device, WaitReason::NoBundle, s.now_ms.saturating_add(BAD_BUNDLE_PAUSE_MS), s);
    }
}

/// Whether a refusal passes, and what it is then.
fn waits_for(code: u32, retry_after: Option<Duration>) -> Option<WaitReason> {
    match Code::from_number(code) {
        Some(Code::MailboxFull) => Some(WaitReason::MailboxFull),
        Some(Code::TooFast | Code::TooSlow) => Some(WaitReason::TooFast),
        Some(Code::NoBundle) => Some(WaitReason::NoBundle),
        Some(Code::CannotStore | Code::Restarting) => Some(WaitReason::BoxUnwell),
        _ => retry_after.map(|_| WaitReason::BoxUnwell),
    }
}

fn retry_at_ms(retry_after: Option<Duration>, now_ms: u64) -> u64 {
    let after_ms = retry_after.map_or(PAUSE_MS, |after| after.as_millis().try_into().unwrap_or(u64::MAX));
    now_ms.saturating_add(after_ms)
}
