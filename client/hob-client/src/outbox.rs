//! The outbox: what has no receipt yet. The sender's device remembers, because boxes forget.
//!
//! An entry keeps its plaintext, its message id and, once encrypted, its inner ciphertext, until the receipt. Sent again,
//! the same inner ciphertext gets a new outer layer: the ratchet stands still, and the receiver knows it by its hash.
//! Until the box accepts it, the sealed envelope is kept too: after a kill the very same bytes are submitted, and the
//! box knows them.

use std::time::Duration;

use hob_protocol::ids::{DeviceKey, MemberKey};
use hob_protocol::planted;
use serde::{Deserialize, Serialize};

use crate::Client;
use crate::client::{Step, What};
use crate::devices::partings::Parting;
use crate::devices::siblings::News;
use crate::input::Link;
use crate::output::{Notice, Output};
use crate::seal::inner::Body;
use crate::seal::olm::InnerCiphertext;
use crate::seal::quote::Quote;
use crate::state::{Item, Standing};
use crate::view::{Direction, MessageId, Refusal, WaitReason};

/// How long a message is sent again.
pub(crate) const SEND_AGAIN_MAX: Duration = Duration::from_secs(14 * 86_400);
/// How long a strict message waits for its receipt.
pub(crate) const STRICT_WAIT: Duration = Duration::from_secs(60);

/// Confirmed entries that are no messages, remembered while the program runs.
const FINISHED_MAX: usize = 4_096;

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
    /// No box keeps it.
    #[serde(default)]
    pub(crate) strict: bool,
    /// How often it went out again after a box had kept it.
    #[serde(default)]
    pub(crate) sent_again: u32,
    /// Other devices of its reader to which the same message goes, by the first bytes of their keys.
    #[serde(default)]
    pub(crate) also_to: Vec<[u8; 8]>,
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
        #[serde(default, with = "crate::raw::list")]
        inner_hashes: Vec<[u8; 32]>,
    },
    Addresses {
        #[serde(with = "crate::raw")]
        record: Vec<u8>,
    },
    /// This member's device list, as it is when it is encrypted.
    List,
    /// The same, to a device that is in it no more: the last that it hears.
    Farewell,
    /// A new device to the one that showed the code.
    Hello,
    /// What is known of contacts, as it is when it is encrypted.
    Sync {
        #[serde(with = "crate::raw::list")]
        members: Vec<MemberKey>,
    },
    Copies {
        items: Vec<Item>,
        history: bool,
    },
    Deliveries {
        news: Vec<News>,
    },
    Removals {
        partings: Vec<Parting>,
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
    /// Strict: a box has been told to pass it on at once. It may have got there; it never goes again by itself.
    Offered { until_ms: u64 },
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
            strict: false,
            sent_again: 0,
            also_to: Vec::new(),
        }
    }

    pub(crate) const fn is_text(&self) -> bool {
        matches!(self.body, OutBody::Text { .. })
    }

    pub(crate) fn expires_at_ms(&self) -> Option<u64> {
        self.ttl_ms.map(|ttl| self.sent_at_ms.saturating_add(ttl))
    }

    /// Whether it is kept until its receipt.
    pub(crate) const fn awaits_receipt(&self) -> bool {
        match self.body {
            OutBody::Text { .. }
            | OutBody::Addresses { .. }
            | OutBody::List
            | OutBody::Hello
            | OutBody::Sync { .. }
            | OutBody::Copies { .. }
            | OutBody::Deliveries { .. }
            | OutBody::Removals { .. } => true,
            OutBody::Receipt { .. } | OutBody::Back | OutBody::Retry { .. } | OutBody::Farewell => false,
        }
    }

    /// View-once is never sent again: a second copy could be shown a second time. Strict neither.
    pub(crate) const fn may_go_again(&self) -> bool {
        self.awaits_receipt() && !self.strict && !matches!(self.body, OutBody::Text { view_once: true, .. })
    }

    pub(crate) fn gives_up_at_ms(&self) -> u64 {
        let last = if self.strict { STRICT_WAIT } else { SEND_AGAIN_MAX };
        let last = u64::try_from(last.as_millis()).unwrap_or(u64::MAX);
        self.sent_at_ms.saturating_add(self.ttl_ms.unwrap_or(last).min(last))
    }

    fn to_body(&self, client: &Client) -> Option<Body> {
        Some(match &self.body {
            OutBody::Text { text, view_once, quote } => {
                Body::Text { text: text.clone().into(), view_once: *view_once, quote: quote.clone() }
            }
            OutBody::Receipt { ids } => Body::Receipt { ids: ids.clone() },
            OutBody::Back => Body::Back,
            OutBody::Retry { inner_hashes } => Body::Retry { inner_hashes: inner_hashes.clone() },
            OutBody::Addresses { record } => Body::Addresses { record: record.clone() },
            OutBody::List | OutBody::Farewell => Body::List { list: client.state.own_list()?.bytes.clone() },
            OutBody::Hello => return client.hello_body(),
            OutBody::Sync { members } => client.sync_body(members, &self.to),
            OutBody::Copies { items, history } => Client::copies_body(items, *history),
            OutBody::Deliveries { news } => Client::deliveries_body(news),
            OutBody::Removals { partings } => Client::removals_body(partings),
        })
    }
}

impl Client {
    pub(crate) fn entry_mut(&mut self, id: &MessageId, to: &DeviceKey) -> Option<&mut Entry> {
        self.state.outbox.iter_mut().find(|entry| entry.id == *id && entry.to == *to)
    }

    /// What an entry says now; `None` if it has nothing to say any more.
    pub(crate) fn body_of(&self, id: &MessageId, to: &DeviceKey) -> Option<Body> {
        let entry = self.state.outbox.iter().find(|entry| entry.id == *id && entry.to == *to)?;
        entry.to_body(self)
    }

    /// Takes an entry out; where it was a text, its history says how it ended.
    pub(crate) fn finish(&mut self, id: &MessageId, to: &DeviceKey, standing: Standing) -> Option<Entry> {
        let at = self.state.outbox.iter().position(|entry| entry.id == *id && entry.to == *to)?;
        let entry = self.state.outbox.remove(at);
        // The first device that confirms a message has delivered it, to a member of several; how it ended otherwise, only
        // the last of them says.
        let others_wait = self.state.outbox.iter().any(|other| other.id == *id && other.is_text());
        let sent = |item: &&mut Item| item.id == *id && item.direction() == Direction::Sent;
        let item = self.state.history.iter_mut().find(sent);
        if let Some(item) = item.filter(|_| entry.is_text()) {
            let is_delivered = standing == Standing::Delivered;
            if is_delivered && !item.by.contains(to) {
                item.by.push(*to);
            }
            if is_delivered || (item.standing == Standing::InOutbox && !others_wait) {
                item.standing = standing;
            }
            if item.view_once && !others_wait {
                item.text.clear();
            }
        }
        if matches!(entry.body, OutBody::Farewell) {
            self.drop_device(to);
        }
        Some(entry)
    }

    /// Whether a message was confirmed by one of its reader's devices, or may still be by another.
    pub(crate) fn is_settled_elsewhere(&self, id: &MessageId) -> bool {
        let waits = self.state.outbox.iter().any(|entry| entry.id == *id && entry.is_text());
        let delivered = |item: &Item| item.id == *id && item.standing == Standing::Delivered;
        waits || self.state.history.iter().any(delivered)
    }

    /// A contact's device confirmed a message.
    pub(crate) fn delivered(&mut self, id: &MessageId, by: &DeviceKey, s: &Step<'_>) {
        let known = self.state.outbox.iter().find(|entry| entry.id == *id && entry.to == *by);
        let known = known.map(|entry| (entry.awaits_receipt(), entry.is_text()));
        let delivered = |item: &Item| item.id == *id && item.standing == Standing::Delivered;
        let is_first = !self.state.history.iter().any(delivered);
        let is_news = match known {
            Some((true, is_text)) => {
                if !is_text && self.run.finished.len() < FINISHED_MAX {
                    self.run.finished.insert(*id);
                }
                self.finish(id, by, Standing::Delivered).is_some() && is_text
            }
            Some((false, _)) => false,
            None => self.delivered_late(id, by),
        };
        if !is_news {
            return;
        }
        let member = self.state.peer(by).map(|peer| peer.member);
        if let Some(member) = member {
            self.news_of_delivery(id, &member, by, s);
        }
        if let Some(contact) = self.state.name_of_device(by).filter(|_| is_first) {
            let message = *id;
            self.later(Output::Notice(Notice::Delivered { contact, message }), s);
        }
    }

    /// Whether a receipt is for a message that was given up before it came.
    fn delivered_late(&mut self, id: &MessageId, by: &DeviceKey) -> bool {
        let gave_up =
            |standing| matches!(standing, Standing::Expired | Standing::GivenUp { .. } | Standing::NobodyThere);
        let Some(member) = self.state.peer(by).map(|peer| peer.member) else { return false };
        let mut items = self.state.history.iter_mut();
        let item = items.find(|item| item.id == *id && item.member == member && gave_up(item.standing));
        item.map(|item| item.standing = Standing::Delivered).is_some()
    }

    /// A box refused an entry for good.
    pub(crate) fn refused(&mut self, id: &MessageId, to: &DeviceKey, why: Refusal, s: &mut Step<'_>) {
        let code = why.code;
        let Some(entry) = self.finish(id, to, Standing::Refused { code }) else { return };
        s.dirty = true;
        let is_told = entry.is_text() && !self.is_settled_elsewhere(id);
        if let Some(contact) = self.state.name_of_device(to).filter(|_| is_told) {
            let message = *id;
            s.notice(Notice::Refused { contact, message, why });
        }
    }

    /// The box keeps an envelope. Only texts and addresses wait for a receipt.
    pub(crate) fn accepted(&mut self, id: &MessageId, to: &DeviceKey, ttl: Duration, s: &mut Step<'_>) {
        let now_ms = s.now_ms;
        let Some(entry) = self.entry_mut(id, to) else { return };
        if !entry.awaits_receipt() || planted!("outbox-forgets") {
            self.finish(id, to, Standing::Delivered);
            self.run.batch.dirty = true;
            self.run.batch.since_ms.get_or_insert(now_ms);
            return;
        }
        if entry.strict {
            entry.sealed = None;
            return;
        }
        let until_ms = now_ms.saturating_add(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
        entry.sealed = None;
        entry.stage = Stage::Kept { since_ms: now_ms, until_ms };
        let is_text = entry.is_text();
        let others = self.state.outbox.iter().filter(|entry| entry.id == *id && entry.to != *to);
        let is_first = !others.into_iter().any(|entry| matches!(entry.stage, Stage::Kept { .. }));
        if let Some(contact) = self.state.name_of_device(to).filter(|_| is_text && is_first) {
            let message = *id;
            let notice = Notice::Kept { contact, message, until_ms };
            self.later(Output::Notice(notice), s);
        }
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
        if self.run.strangers.contains(&peer.box_identity) {
            return (WaitReason::WrongBox, None);
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
            let Some(peer) = self.state.peer(&entry.to).filter(|peer| peer.token().is_some()) else { return true };
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
