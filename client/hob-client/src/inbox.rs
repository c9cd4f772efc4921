//! The inbox: envelopes are opened layer by layer, and at least once becomes exactly once.
//!
//! What came is held in memory until it is saved; only then it is shown and acknowledged. Before the ratchet is touched,
//! a remembered hash of the inner ciphertext is looked up: a hit means "receipt again" and nothing else.

use std::time::Duration;

use hob_protocol::envelope::Envelope;
use hob_protocol::ids::{DeviceKey, EnvelopeId, MemberKey};
use hob_protocol::planted;
use zeroize::Zeroizing;

use crate::Client;
use crate::client::Step;
use crate::outbox::{Entry, OutBody, new_id};
use crate::output::{Notice, Output};
use crate::seal::inner::{Body, Inner, Introduction};
use crate::seal::middle::{Kind, Middle};
use crate::seal::olm::{self, OlmError, OlmSession};
use crate::seal::outer;
use crate::state::{Item, Standing};
use crate::view::MessageId;

/// Messages kept of one requester.
const REQUEST_MESSAGES_MAX: usize = 64;
const REQUEST_BYTES_MAX: usize = 128 << 10;
/// Unread messages kept of one contact; what is more waits with its writer.
const UNREAD_MAX: usize = 2_000;
const UNREAD_BYTES_MAX: usize = 16 << 20;
/// Absence after which contacts are told `back`: so much less than a box keeps.
const BACK_SLACK_MS: u64 = 30 * 60_000;

/// A decrypted message, and what to keep of its session once it is believed.
struct Decrypted {
    plaintext: Zeroizing<Vec<u8>>,
    /// By which Olm identity.
    identity: [u8; 32],
    /// A session that it opened.
    opened: Option<OlmSession>,
}

/// Why a message is dropped.
pub(crate) enum Dropped {
    /// It cannot be decrypted: its sender may be asked once.
    Undecipherable,
    /// Its layers do not agree, or nobody known sent it.
    Unreadable,
    /// It opens a session by another Olm identity than the one that is known.
    NewIdentity,
    /// It is for another conversation than that of the two members: one of them has a new member key.
    OtherMembers,
    /// The member key of a known device is another one, and the person has to decide.
    KeysChanged,
    /// Not wanted; nobody is told.
    Silently,
}

/// What became of a message.
enum Delivered {
    /// It is safe here: its sender is told, now and whenever it comes again.
    ToConfirm(MessageId),
    /// It did what it says.
    Done,
    /// Too many messages of one requester wait: it may come again.
    NoRoom,
}

impl Client {
    /// The box gave an envelope.
    pub(crate) fn push(&mut self, id: EnvelopeId, envelope: &Envelope, s: &mut Step<'_>) {
        let me = self.state.keys.device_key();
        let opened = outer::open_envelope(&me, |prekey| self.state.keys.prekey_secret(prekey), envelope);
        if matches!(opened, Err(outer::OpenError::UnknownPrekey { .. })) {
            self.prekey_is_lost(s);
        }
        let middle = opened.ok().and_then(|middle| Middle::decode(&middle).ok());
        let Some(middle) = middle else {
            self.unreadable(s);
            return self.is_safe(id, s);
        };
        self.take(id, &middle, s);
    }

    /// Everything kept has been pushed.
    pub(crate) fn caught_up(&mut self, s: &mut Step<'_>) {
        if !std::mem::replace(&mut self.run.caught_up, true) {
            self.tell_contacts_if_long_away(s);
        }
        self.later(Output::Notice(Notice::CaughtUp), s);
        self.run.batch.urgent = true;
    }

    /// Notes an envelope as one that the box may forget once the state is saved.
    fn is_safe(&mut self, id: EnvelopeId, s: &Step<'_>) {
        if id != EnvelopeId::ONLINE_ONLY {
            self.run.batch.acknowledge.push(id);
        }
        self.run.batch.dirty = true;
        self.run.batch.since_ms.get_or_insert(s.now_ms);
    }

    fn take(&mut self, id: EnvelopeId, middle: &Middle, s: &mut Step<'_>) {
        self.is_safe(id, s);
        let tag = middle.tag();
        if let Some(message) = self.state.seen.before(&tag).filter(|_| !planted!("ciphertexts-forgotten")) {
            if let Some(message) = message.filter(|_| !planted!("receipt-not-again")) {
                self.confirm(&middle.sender, message, id == EnvelopeId::ONLINE_ONLY);
            }
            return;
        }
        if self.state.removed {
            return;
        }
        let is_shut_out = self.state.peer(&middle.sender).is_some_and(|peer| self.state.is_shut_out(&peer.member));
        if is_shut_out || self.state.is_cut_off(&middle.sender) || self.state.refused.contains(&middle.sender) {
            return;
        }
        let message = match self.open(middle, s) {
            Ok(inner) => {
                if let Some(peer) = self.state.peer_mut(&middle.sender) {
                    peer.seen(inner.sent_at_ms, s.now_ms);
                }
                self.deliver(&middle.sender, inner, s)
            }
            // Not remembered: what there was no room for, and what cannot be opened yet, may come again.
            Err(Dropped::Silently) => return,
            Err(Dropped::Unreadable) => {
                self.unreadable(s);
                Delivered::Done
            }
            Err(dropped) => return self.dropped(middle, &dropped, s),
        };
        let message = match message {
            Delivered::ToConfirm(id) => Some(id),
            Delivered::Done => None,
            Delivered::NoRoom => return,
        };
        let writer = self.state.peer(&middle.sender).map_or(MemberKey([0; 32]), |peer| peer.member);
        self.state.seen.remember(tag, &writer, message, s.now_ms);
    }

    /// Decrypts and checks; on success the sender is a known peer.
    fn open(&mut self, middle: &Middle, s: &mut Step<'_>) -> Result<Inner, Dropped> {
        let decrypted = self.decrypt(middle, s.now_ms).map_err(|error| match error {
            OlmError::ForeignIdentity => Dropped::NewIdentity,
            OlmError::Unreadable | OlmError::BadKeys | OlmError::NoKey => Dropped::Undecipherable,
        })?;
        let inner = Inner::decode(&decrypted.plaintext).map_err(|_| Dropped::Unreadable)?;
        let me = self.state.keys.device_key();
        if inner.sender != middle.sender || inner.recipient != me || inner.message_id.0 == [0; 16] {
            return Err(Dropped::Unreadable);
        }
        self.believe(&inner, &decrypted.identity, s)?;
        let Some(peer) = self.state.peer_mut(&inner.sender) else {
            return Err(Dropped::Unreadable);
        };
        match decrypted.opened {
            Some(session) => peer.prefer(session),
            None => prefer_known(&mut peer.sessions, &middle.session),
        }
        Ok(inner)
    }

    /// By the session that the middle layer names; else by a new one; else, for what a session cannot open any more, by
    /// one that is thrown away.
    fn decrypt(&mut self, middle: &Middle, now_ms: u64) -> Result<Decrypted, OlmError> {
        let account = &mut self.state.keys.olm;
        let peer = self.state.peers.iter_mut().find(|peer| peer.device == middle.sender);
        let (known_identity, session) = match peer {
            Some(peer) => {
                let session = peer.sessions.iter_mut().find(|session| session.id == middle.session);
                (peer.olm_identity, session)
            }
            None => (None, None),
        };
        if let (Some(identity), Kind::Olm) = (known_identity, middle.kind) {
            let plaintext = session.ok_or(OlmError::NoKey)?.decrypt(Kind::Olm, &middle.inner, now_ms)?;
            return Ok(Decrypted { plaintext, identity, opened: None });
        }
        if middle.kind == Kind::Olm {
            return Err(OlmError::NoKey);
        }
        let message = olm::read_prekey(&middle.inner)?;
        if olm::session_of(&message) != middle.session {
            return Err(OlmError::Unreadable);
        }
        let identity = known_identity.unwrap_or_else(|| message.identity_key().to_bytes());
        if let Some(session) = session {
            let by_session = session.decrypt(Kind::OlmPrekey, &middle.inner, now_ms);
            let plaintext = match by_session {
                Err(OlmError::NoKey) => olm::inbound(account, &identity, &message)?.1,
                other => other?,
            };
            return Ok(Decrypted { plaintext, identity, opened: None });
        }
        let (session, plaintext) = olm::inbound(account, &identity, &message)?;
        Ok(Decrypted { plaintext, identity, opened: Some(session) })
    }

    pub(crate) fn take_extras(
        &mut self,
        from: &DeviceKey,
        intro: Option<&Introduction>,
        has_token: bool,
        s: &mut Step<'_>,
    ) {
        if let Some(introduction) = intro {
            self.take_introduction(from, introduction, s);
            if let Some(mac) = &introduction.mac {
                self.note_code_use(from, mac, s.now_ms);
            }
        }
        if let Some(peer) = self.state.peer_mut(from) {
            peer.they_have_token |= has_token;
        }
        self.note_answer(from, s);
    }

    /// Does what a message says.
    fn deliver(&mut self, from: &DeviceKey, inner: Inner, s: &mut Step<'_>) -> Delivered {
        match inner.body {
            Body::Text { text, view_once, quote } => {
                let id = inner.message_id;
                let writer = self.state.peer(from).map_or(MemberKey([0; 32]), |peer| peer.member);
                if self.state.seen.has_message(&writer, &id) && !planted!("message-id-unchecked") {
                    self.confirm(from, id, inner.strict);
                    return Delivered::ToConfirm(id);
                }
                // A clock ahead of ours does not prolong a message's life.
                let expires_at_ms = inner.ttl.map(|ttl| inner.sent_at_ms.min(s.now_ms).saturating_add(millis(ttl)));
                let member = self.state.peer(from).map(|peer| peer.member);
                let Some(member) = member.filter(|_| expires_at_ms.is_none_or(|expires| s.now_ms < expires)) else {
                    return Delivered::Done;
                };
                self.show(
                    Item {
                        id,
                        member,
                        device: *from,
                        standing: Standing::Unshown,
                        text: text.to_string(),
                        sent_at_ms: inner.sent_at_ms,
                        expires_at_ms,
                        view_once,
                        quote,
                        strict: inner.strict,
                        by: Vec::new(),
                    },
                    &inner.also_to,
                    s,
                )
            }
            Body::Receipt { ids } => {
                for id in ids {
                    self.delivered(&id, from, s);
                    self.note_unknown_receipt(&id, from);
                }
                Delivered::Done
            }
            Body::Back => {
                self.is_back(from, s);
                Delivered::Done
            }
            Body::Addresses { record } => {
                self.box_has_moved(from, &record, s);
                self.confirm(from, inner.message_id, false);
                Delivered::ToConfirm(inner.message_id)
            }
            Body::Retry { inner_hashes } => {
                self.retries_wanted(from, &inner_hashes, s);
                Delivered::Done
            }
            // What it says was taken when the writer was believed.
            Body::List { .. } => self.owe_receipt(from, inner.message_id),
            Body::Hello(_) => {
                self.welcome_sibling(from, s);
                self.owe_receipt(from, inner.message_id)
            }
            Body::Sync(_) | Body::Copies { .. } | Body::Deliveries { .. } | Body::Removals { .. }
                if !self.is_sibling(from) =>
            {
                Delivered::Done
            }
            Body::Sync(sync) => {
                self.take_sync(sync, from, s);
                self.owe_receipt(from, inner.message_id)
            }
            Body::Copies { copies, history } => {
                self.take_copies(copies, history, s);
                self.owe_receipt(from, inner.message_id)
            }
            Body::Deliveries { deliveries } => {
                self.take_deliveries(&deliveries, s);
                self.owe_receipt(from, inner.message_id)
            }
            Body::Removals { removals } => {
                self.take_removals(&removals, s);
                self.owe_receipt(from, inner.message_id)
            }
        }
    }

    fn owe_receipt(&mut self, from: &DeviceKey, id: MessageId) -> Delivered {
        self.confirm(from, id, false);
        Delivered::ToConfirm(id)
    }

    fn show(&mut self, item: Item, also_to: &[[u8; 8]], s: &mut Step<'_>) -> Delivered {
        let (id, device, member, strict) = (item.id, item.device, item.member, item.strict);
        if self.state.person(&member).is_none() {
            let of_device = || self.state.history.iter().filter(|other| other.device == device);
            let bytes: usize = of_device().map(|other| other.text.len()).sum();
            if of_device().count() >= REQUEST_MESSAGES_MAX || bytes + item.text.len() > REQUEST_BYTES_MAX {
                return Delivered::NoRoom;
            }
            self.state.history.push(item);
            return Delivered::ToConfirm(id);
        }
        let unread = || self.state.history.iter().filter(|other| other.member == member);
        let unread = || unread().filter(|other| other.standing == Standing::Unshown);
        let bytes: usize = unread().map(|other| other.text.len()).sum();
        if unread().count() >= UNREAD_MAX || bytes > UNREAD_BYTES_MAX {
            // Not remembered and not confirmed: its writer keeps it, and it comes again.
            return Delivered::NoRoom;
        }
        if let Some(message) = self.message(&item) {
            self.later(Output::Message(message), s);
        }
        if !planted!("siblings-not-told") {
            self.copy_to_siblings(&item, also_to, s);
        }
        self.state.history.push(item);
        self.confirm(&device, id, strict);
        Delivered::ToConfirm(id)
    }

    /// Whether this device was away for longer than boxes keep.
    pub(crate) fn was_long_away(&self, now_ms: u64) -> bool {
        let kept_ms = self.state.home.as_ref().map_or(0, |home| home.ttl_max_ms.saturating_sub(BACK_SLACK_MS));
        now_ms.saturating_sub(self.state.last_online_ms) > kept_ms
    }

    /// A device that was away for longer than boxes keep says so once to each contact.
    fn tell_contacts_if_long_away(&mut self, s: &mut Step<'_>) {
        let was_long_away = self.was_long_away(s.now_ms);
        self.state.last_online_ms = s.now_ms;
        if !was_long_away {
            return;
        }
        let contacts = self.state.peers.iter().filter(|peer| self.state.is_contact(peer) && peer.token().is_some());
        for device in contacts.map(|peer| peer.device).collect::<Vec<_>>() {
            let mut to_device = self.state.outbox.iter().filter(|entry| entry.to == device);
            if !to_device.any(|entry| matches!(entry.body, OutBody::Back)) {
                let entry = Entry::new(new_id(s), device, OutBody::Back, s.now_ms);
                self.state.outbox.push(entry);
            }
        }
    }
}

/// Puts a known session first: the other side used it last.
fn prefer_known(sessions: &mut [OlmSession], id: &[u8; 32]) {
    if let Some(at) = sessions.iter().position(|session| session.id == *id) {
        sessions.get_mut(..=at).unwrap_or_default().rotate_right(1);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
