//! What devices of one member tell each other: contacts, copies of messages, deliveries. All of it waits for receipts, as
//! messages do, and is taken once.

use hob_protocol::ids::{DeviceKey, MemberKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::known::Verdict;
use crate::Client;
use crate::client::Step;
use crate::contacts::{Peer, Person};
use crate::introduce::new_token;
use crate::outbox::{Entry, OutBody, new_id};
use crate::output::{Notice, Output, WakeReason};
use crate::seal::devices::{Card, CardDevice, Copied, Delivery, PARTS_MAX, Sync};
use crate::seal::inner::Body;
use crate::state::{Item, Standing};
use crate::view::MessageId;

/// History that a new device is given: so many days back …
const HISTORY_COPIED_MS: u64 = 14 * 86_400_000;
/// … and so many messages at most …
const HISTORY_COPIED_MAX: usize = 500;
/// … in pieces of so many bytes of text.
const PIECE_BYTES: usize = 24 << 10;
/// Cards in one piece: each may hold a list of several KiB.
const CARDS_IN_PIECE: usize = 4;
/// News of deliveries are batched so long.
const DELIVERIES_BATCH_MS: u64 = 2_000;

/// A delivery that siblings are to hear of.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct News {
    #[serde(with = "crate::raw")]
    id: MessageId,
    #[serde(with = "crate::raw")]
    member: MemberKey,
    #[serde(with = "crate::raw")]
    device: DeviceKey,
}

impl Client {
    /// Puts something into the outbox that is no person's message.
    pub(crate) fn post(&mut self, to: DeviceKey, body: OutBody, s: &mut Step<'_>) {
        let entry = Entry::new(new_id(s), to, body, s.now_ms);
        self.state.outbox.push(entry);
        self.run.batch.dirty = true;
        self.run.batch.since_ms.get_or_insert(s.now_ms);
    }

    /// This member's other devices to which something can be submitted.
    pub(crate) fn siblings(&self) -> Vec<DeviceKey> {
        let own = self.state.keys.member_key();
        let siblings = self.state.peers.iter().filter(|peer| peer.member == own && !peer.leaving && peer.is_listed);
        siblings.filter(|peer| peer.token().is_some()).map(|peer| peer.device).collect()
    }

    /// Whether something came from a device of this very member.
    pub(crate) fn is_sibling(&self, device: &DeviceKey) -> bool {
        let own = self.state.keys.member_key();
        self.state.peer(device).is_some_and(|peer| peer.member == own && peer.is_listed && !peer.leaving)
    }

    // Contacts.

    fn card(&self, member: &MemberKey, for_device: &DeviceKey) -> Card {
        let person = self.state.person(member);
        let peers = self.state.peers.iter().filter(|peer| peer.member == *member && peer.device != *for_device);
        Card {
            member_key: *member,
            name: person.map(|person| person.name.clone()).unwrap_or_default(),
            verified: person.is_some_and(|person| person.verified),
            blocked: person.is_some_and(|person| person.blocked),
            named_at_ms: person.map_or(0, |person| person.named_ms),
            blocked_at_ms: person.map_or(0, |person| person.blocked_ms),
            answered: person.is_some_and(|person| person.answered),
            added_at_ms: person.map_or(0, |person| person.added_ms),
            list: self.state.list_of(member).map(|list| list.bytes.clone()).unwrap_or_default(),
            devices: peers
                .filter(|peer| !peer.leaving)
                .take(super::list::DEVICES_MAX)
                .map(|peer| CardDevice {
                    device_key: peer.device,
                    home_box: peer.box_identity,
                    addresses: peer.addresses.clone(),
                    address_sequence: peer.record_sequence,
                    // A token from a code is one device's own way in.
                    token: peer.their_token.clone().or_else(|| peer.shared_token.clone()),
                })
                .collect(),
        }
    }

    /// Tells siblings what is known of a contact.
    pub(crate) fn sync_contact(&mut self, member: &MemberKey, s: &mut Step<'_>) {
        for device in self.siblings() {
            // One that is not encrypted yet says the newest anyway.
            let waits = |entry: &Entry| {
                entry.to == device
                    && entry.inner.is_none()
                    && matches!(&entry.body, OutBody::Sync { members } if members.contains(member))
            };
            if !self.state.outbox.iter().any(waits) {
                self.post(device, OutBody::Sync { members: vec![*member] }, s);
            }
        }
    }

    pub(crate) fn sync_everything(&mut self, device: &DeviceKey, s: &mut Step<'_>) {
        let own = self.state.keys.member_key();
        let members: Vec<MemberKey> =
            std::iter::once(own).chain(self.state.persons.iter().map(|person| person.member)).collect();
        for members in members.chunks(CARDS_IN_PIECE) {
            self.post(*device, OutBody::Sync { members: members.to_vec() }, s);
        }
        self.tell_partings(device, s);
    }

    /// As it stands when it is encrypted.
    pub(crate) fn sync_body(&self, members: &[MemberKey], to: &DeviceKey) -> Body {
        let own = self.state.keys.member_key();
        let known = members.iter().filter(|member| **member == own || self.state.person(member).is_some());
        let contacts = known.map(|member| self.card(member, to)).collect();
        let label = self.state.home.as_ref().map(|home| home.label.clone()).unwrap_or_default();
        Body::Sync(Sync { label, contacts })
    }

    /// A sibling tells what it knows.
    pub(crate) fn take_sync(&mut self, sync: Sync, from: &DeviceKey, s: &mut Step<'_>) {
        // A device that came later proposes the name that the member chose first.
        if self.state.keys.member.is_none()
            && let Some(home) = self.state.home.as_mut().filter(|_| !sync.label.is_empty())
        {
            home.label = sync.label.chars().take(64).collect();
        }
        for card in sync.contacts {
            if !self.is_parted(&card, from, s) {
                self.take_card(card, s);
            }
        }
    }

    fn take_card(&mut self, card: Card, s: &mut Step<'_>) {
        let (member, own) = (card.member_key, self.state.keys.member_key());
        if member != own {
            self.take_person(&card, s);
        }
        if let Ok((list, verdict)) = self.weigh(&card.list, s.now_ms)
            && list.member_key == member
            && verdict == Verdict::Newer
            && !self.contradicts(&list)
        {
            self.take_list(&list, &card.list, s);
        }
        self.apply_list(&member, s);
        let me = self.state.keys.device_key();
        for device in card.devices.iter().filter(|device| device.device_key != me) {
            self.take_card_device(&member, device, s);
        }
    }

    fn take_person(&mut self, card: &Card, s: &mut Step<'_>) {
        if let Some(person) = self.state.person_mut(&card.member_key) {
            person.verified |= card.verified;
            person.answered |= card.answered;
            if self.is_unblocked_by(card) {
                self.unblock(&card.member_key, s);
            }
            return self.follow_card(card);
        }
        let name = self.free_name_of(card);
        self.state.persons.push(Person {
            name: name.clone(),
            member: card.member_key,
            verified: card.verified,
            answered: card.answered,
            added_ms: card.added_at_ms,
            blocked: card.blocked,
            named_ms: card.named_at_ms,
            blocked_ms: card.blocked_at_ms,
            revoked: None,
        });
        self.later(Output::Notice(Notice::ContactMade { contact: name }), s);
    }

    fn take_card_device(&mut self, member: &MemberKey, card: &CardDevice, s: &mut Step<'_>) {
        let is_home = self.state.home.as_ref().is_some_and(|home| home.identity == card.home_box);
        if self.state.is_revoked(member) || self.state.is_cut_off(&card.device_key) {
            return;
        }
        if self.state.peer(&card.device_key).is_none() {
            // Where a list is known, it says which devices there are.
            if self.state.list_of(member).is_some() {
                return;
            }
            let peer = Peer::new(card.device_key, *member, card.home_box, new_token(s), s.now_ms);
            self.state.peers.push(peer);
        }
        let Some(peer) = self.state.peer_mut(&card.device_key).filter(|peer| peer.member == *member) else { return };
        if !is_home && (peer.addresses.is_empty() || card.address_sequence > peer.record_sequence) {
            peer.addresses.clone_from(&card.addresses);
            peer.record_sequence = card.address_sequence;
        }
        if peer.their_token.is_none() && card.token.is_some() {
            peer.shared_token.clone_from(&card.token);
        }
        self.introduce_to(&card.device_key, s);
    }

    /// Gives a device that has none of this device's tokens one, with the list that names this device.
    pub(crate) fn introduce_to(&mut self, device: &DeviceKey, s: &mut Step<'_>) {
        let is_in_a_list =
            self.state.own_list().is_some_and(|list| list.device(&self.state.keys.device_key()).is_some());
        let Some(peer) = self.state.peer(device).filter(|_| is_in_a_list) else { return };
        if peer.they_have_token || peer.token().is_none() || !self.state.is_contact(peer) {
            return;
        }
        let mut waiting = self.state.outbox.iter().filter(|entry| entry.to == *device);
        if !waiting.any(|entry| matches!(entry.body, OutBody::List)) {
            self.post(*device, OutBody::List, s);
        }
    }

    // Messages.

    /// Siblings that a message did not reach get a copy; none of what is shown once, or may be kept by no box.
    pub(crate) fn copy_to_siblings(&mut self, item: &Item, but: &[[u8; 8]], s: &mut Step<'_>) {
        if item.view_once || item.strict {
            return;
        }
        for device in self.siblings() {
            let reached = device.0.first_chunk::<8>().is_some_and(|short| but.contains(short));
            if !reached {
                self.post(device, OutBody::Copies { items: vec![item.clone()], history: false }, s);
            }
        }
    }

    /// The last 14 days, at most 500 messages, oldest first.
    pub(crate) fn copy_history(&mut self, device: &DeviceKey, s: &mut Step<'_>) {
        let since_ms = s.now_ms.saturating_sub(HISTORY_COPIED_MS);
        let contacts = |item: &&Item| self.state.person(&item.member).is_some();
        let recent = self.state.history.iter().filter(|item| item.sent_at_ms >= since_ms && !item.view_once);
        let mut items: Vec<Item> =
            recent.filter(contacts).filter(|item| !item.strict).rev().take(HISTORY_COPIED_MAX).cloned().collect();
        items.reverse();
        let mut piece: Vec<Item> = Vec::new();
        let mut bytes = 0;
        for item in items {
            if !piece.is_empty() && (bytes + item.text.len() > PIECE_BYTES || piece.len() >= PARTS_MAX / 4) {
                let items = std::mem::take(&mut piece);
                self.post(*device, OutBody::Copies { items, history: true }, s);
                bytes = 0;
            }
            bytes += item.text.len();
            piece.push(item);
        }
        if !piece.is_empty() {
            self.post(*device, OutBody::Copies { items: piece, history: true }, s);
        }
    }

    pub(crate) fn copies_body(items: &[Item], history: bool) -> Body {
        let copy = |item: &Item| Copied {
            message_id: item.id,
            member_key: item.member,
            sent: item.direction() == crate::view::Direction::Sent,
            text: Zeroizing::new(item.text.clone()),
            quote: item.quote.clone(),
            sent_at_ms: item.sent_at_ms,
            expires_at_ms: item.expires_at_ms,
            device_key: item.device,
            delivered_to: item.by.iter().take(super::list::DEVICES_MAX).copied().collect(),
        };
        Body::Copies { copies: items.iter().map(copy).collect(), history }
    }

    /// A sibling's copies: each is taken once, however it came.
    pub(crate) fn take_copies(&mut self, copies: Vec<Copied>, history: bool, s: &mut Step<'_>) {
        if copies.is_empty() && history {
            self.later(Output::Notice(Notice::DeviceSynced), s);
        }
        for copied in copies {
            self.take_copy(copied, history, s);
        }
    }

    fn take_copy(&mut self, copied: Copied, history: bool, s: &mut Step<'_>) {
        let (id, member) = (copied.message_id, copied.member_key);
        let is_over = copied.expires_at_ms.is_some_and(|expires| expires <= s.now_ms);
        if is_over || self.state.person(&member).is_none_or(Person::is_shut_out) {
            return;
        }
        let writer = if copied.sent { self.state.keys.member_key() } else { member };
        let is_here = self.state.history.iter().any(|item| item.id == id && item.member == member);
        if is_here || self.state.seen.has_message(&writer, &id) {
            return;
        }
        self.state.seen.remember_message(&writer, id, s.now_ms);
        let standing = match (copied.sent, history) {
            (true, _) if copied.delivered_to.is_empty() => Standing::Elsewhere,
            (true, _) => Standing::Delivered,
            (false, true) => Standing::Shown,
            (false, false) => Standing::Unshown,
        };
        let item = Item {
            id,
            member,
            device: copied.device_key,
            standing,
            text: copied.text.to_string(),
            sent_at_ms: copied.sent_at_ms,
            expires_at_ms: copied.expires_at_ms,
            view_once: false,
            quote: copied.quote,
            strict: false,
            by: copied.delivered_to,
        };
        if !history
            && !copied.sent
            && let Some(message) = self.message(&item)
        {
            self.later(Output::Message(message), s);
        }
        let later = self.state.history.iter().position(|other| history && other.sent_at_ms > item.sent_at_ms);
        self.state.history.insert(later.unwrap_or(self.state.history.len()), item);
    }

    // Deliveries.

    /// A contact's device confirmed a message: siblings that hold a copy hear of it, soon.
    pub(crate) fn news_of_delivery(&mut self, id: &MessageId, member: &MemberKey, device: &DeviceKey, s: &Step<'_>) {
        if !self.siblings().is_empty() {
            self.state.news.push(News { id: *id, member: *member, device: *device });
            self.run.news_since_ms.get_or_insert(s.now_ms);
        }
    }

    pub(crate) fn tell_news(&mut self, s: &mut Step<'_>) {
        if self.state.news.is_empty() {
            return;
        }
        let due_ms = self.run.news_since_ms.get_or_insert(s.now_ms).saturating_add(DELIVERIES_BATCH_MS);
        if !self.run.hurry && s.now_ms < due_ms {
            return s.wake(due_ms, WakeReason::Receipts);
        }
        self.run.news_since_ms = None;
        let news = std::mem::take(&mut self.state.news);
        for device in self.siblings() {
            for news in news.chunks(PARTS_MAX) {
                self.post(device, OutBody::Deliveries { news: news.to_vec() }, s);
            }
        }
        s.dirty = true;
    }

    pub(crate) fn deliveries_body(news: &[News]) -> Body {
        let delivery = |news: &News| Delivery { message_id: news.id, member_key: news.member, device_key: news.device };
        Body::Deliveries { deliveries: news.iter().map(delivery).collect() }
    }

    pub(crate) fn take_deliveries(&mut self, deliveries: &[Delivery], s: &Step<'_>) {
        for Delivery { message_id, member_key, device_key } in deliveries {
            let mut items = self.state.history.iter_mut();
            let sent = items.find(|item| item.id == *message_id && item.member == *member_key);
            let Some(item) = sent.filter(|item| item.direction() == crate::view::Direction::Sent) else { continue };
            if !item.by.contains(device_key) && item.by.len() < super::list::DEVICES_MAX {
                item.by.push(*device_key);
            }
            if item.standing == Standing::Elsewhere {
                item.standing = Standing::Delivered;
                if let Some(contact) = self.state.person(member_key).map(|person| person.name.clone()) {
                    let message = *message_id;
                    self.later(Output::Notice(Notice::Delivered { contact, message }), s);
                }
            }
        }
    }
}
