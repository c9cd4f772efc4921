//! What a shell may ask. Nothing here changes anything.

use hob_protocol::contact::ContactCode;
use hob_protocol::ids::{DeviceKey, MemberKey};

use crate::Client;
use crate::command::CommandError;
use crate::contacts::{Person, request_id};
use crate::input::Link;
use crate::link::Phase;
use crate::outbox::{Entry, SEND_AGAIN_MAX, Stage};
use crate::seal::quote::{Quote, beginning};
use crate::state::{Item, Standing};
use crate::view::{
    Contact, Direction, Home, Message, MessageId, MessageStatus, Path, Quoted, Refusal, Request, SafetyNumber, Summary,
    WaitReason,
};

impl Client {
    /// The home box; `None` before [`Notice::Joined`](crate::Notice::Joined).
    pub fn home(&self) -> Option<Home> {
        let home = self.state.home.as_ref()?;
        Some(Home {
            identity: home.identity,
            addresses: home.places(),
            mailbox: self.state.keys.mailbox(),
            member: home.member,
            label: home.label.clone(),
        })
    }

    /// This member's key.
    pub fn member_key(&self) -> MemberKey {
        self.state.keys.member_key()
    }

    /// This device's key.
    pub fn device_key(&self) -> DeviceKey {
        self.state.keys.device_key()
    }

    /// All contacts, by name.
    pub fn contacts(&self) -> Vec<Contact> {
        let mut contacts: Vec<Contact> = self.state.persons.iter().map(|person| self.view_of(person)).collect();
        contacts.sort_by(|a, b| a.name.cmp(&b.name));
        contacts
    }

    /// One contact.
    pub fn contact(&self, name: &str) -> Option<Contact> {
        self.state.person_named(name).ok().map(|person| self.view_of(person))
    }

    /// All who wait to be accepted or refused, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        let messages = |device| self.state.history.iter().filter(|item| item.device == device).count();
        let mut requests: Vec<Request> = self
            .state
            .requesters()
            .map(|peer| Request {
                id: request_id(&peer.device),
                proposed_name: peer.proposed_name.clone(),
                member_key: peer.member,
                device_key: peer.device,
                messages: messages(peer.device),
                since_ms: peer.since_ms,
            })
            .collect();
        requests.sort_by_key(|request| request.since_ms);
        requests
    }

    /// The last `last` messages with a contact, oldest first; neither expired nor view-once ones.
    ///
    /// # Errors
    /// [`CommandError::NoSuchContact`].
    pub fn history(&self, now_ms: u64, name: &str, last: usize) -> Result<Vec<Message>, CommandError> {
        let member = self.state.person_named(name)?.member;
        let with_them = self.state.history.iter().filter(|item| item.member == member && !item.view_once);
        let living = with_them.filter(|item| item.expires_at_ms.is_none_or(|expires| now_ms < expires));
        let mut newest: Vec<Message> = living.rev().take(last).filter_map(|item| self.message(item)).collect();
        newest.reverse();
        Ok(newest)
    }

    /// The last `last` messages with a contact, oldest first, for a screen that shows all that there is: view-once ones are
    /// among them, without their text. What is to be read of those is in [`Client::unshown`].
    ///
    /// # Errors
    /// [`CommandError::NoSuchContact`].
    pub fn conversation(&self, now_ms: u64, name: &str, last: usize) -> Result<Vec<Message>, CommandError> {
        let member = self.state.person_named(name)?.member;
        let with_them = self.state.history.iter().rev().filter(|item| item.member == member);
        let living = with_them.filter(|item| item.expires_at_ms.is_none_or(|expires| now_ms < expires));
        let mut newest: Vec<Message> = living.take(last).filter_map(|item| self.message(item)).collect();
        newest.reverse();
        for message in newest.iter_mut().filter(|message| message.view_once) {
            message.text.clear();
        }
        Ok(newest)
    }

    /// Messages that were received and not [marked as shown](Client::mark_shown), in the order they came.
    pub fn unshown(&self, now_ms: u64) -> Vec<Message> {
        let unshown = self.state.history.iter().filter(|item| item.standing == Standing::Unshown);
        let living = unshown.filter(|item| item.expires_at_ms.is_none_or(|expires| now_ms < expires));
        living.filter_map(|item| self.message(item)).collect()
    }

    /// How a sent message stands; `None`: never heard of it, or forgotten.
    pub fn status_of(&self, id: &MessageId) -> Option<MessageStatus> {
        let sent = |item: &&Item| item.id == *id && item.direction() == Direction::Sent;
        let item = self.state.history.iter().find(sent)?;
        Some(self.status(item))
    }

    /// Sent messages without a receipt, oldest first.
    pub fn outbox(&self) -> Vec<Message> {
        let waiting = self.state.history.iter().filter(|item| item.standing == Standing::InOutbox);
        waiting.filter_map(|item| self.message(item)).collect()
    }

    /// Sent messages that were given up within the last 14 days, oldest first.
    pub fn given_up(&self, now_ms: u64) -> Vec<Message> {
        let recent_ms = 2 * u64::try_from(SEND_AGAIN_MAX.as_millis()).unwrap_or(u64::MAX);
        let given_up = self.state.history.iter().filter(|item| matches!(item.standing, Standing::GivenUp { .. }));
        let recent = given_up.filter(|item| now_ms.saturating_sub(item.sent_at_ms) < recent_ms);
        recent.filter_map(|item| self.message(item)).collect()
    }

    /// What both read aloud, or scan.
    ///
    /// # Errors
    /// [`CommandError::NoSuchContact`].
    pub fn safety_number(&self, name: &str) -> Result<SafetyNumber, CommandError> {
        let person = self.state.person_named(name)?;
        let theirs = self.member_key_to_compare(&person.member);
        Ok(crate::trust::safety_number(&self.state.keys.member_key(), &theirs))
    }

    /// Whether the box knows a code's token, so that it can be shown.
    pub fn code_is_ready(&self, code: &ContactCode) -> bool {
        let mut codes = self.state.codes.iter();
        codes.any(|shown| shown.granted && shown.token == code.introduction_token)
    }

    /// Whether the owner's connection is proved.
    pub fn is_online(&self) -> bool {
        self.run.proved
    }

    /// When the home box was last known to have handed out everything that it kept, Unix time in milliseconds; 0: never.
    pub const fn last_online_ms(&self) -> u64 {
        self.state.last_online_ms
    }

    /// Whether everything that the box had kept has been pushed, since the owner's connection was proved.
    pub fn is_caught_up(&self) -> bool {
        self.run.caught_up
    }

    /// Whether a connection is up and its box is the pinned one.
    pub fn is_open(&self, link: Link) -> bool {
        self.phase(link) == Phase::Open
    }

    /// Whether nothing is left that could be done now: nothing to save or acknowledge, no frame unanswered, no receipt
    /// due, no token ungranted, and every message in the outbox is with a box, or waits for a time to try again or for
    /// a box that cannot be reached.
    pub fn everything_flushed(&self, now_ms: u64) -> bool {
        let batch = &self.run.batch;
        let nothing_to_save = batch.since_ms.is_none() && batch.acknowledge.is_empty();
        let pinging_only = self.run.requests.values().all(|(_, what)| *what == crate::client::What::Ping);
        let confirmed = (self.receipts_due() == 0 && self.state.news.is_empty()) || !self.run.caught_up;
        nothing_to_save && pinging_only && confirmed && self.home_is_settled(now_ms) && self.outbox_is_settled(now_ms)
    }

    /// Numbers for `status`.
    pub fn summary(&self, now_ms: u64) -> Summary {
        let waiting = || self.state.outbox.iter().filter(|entry| entry.is_text());
        Summary {
            unconfirmed: waiting().count(),
            in_outbox: waiting().filter(|entry| matches!(entry.stage, Stage::Ready { .. })).count(),
            unshown: self.unshown(now_ms).len(),
            contacts: self.state.persons.len(),
            requests: self.state.requesters().count(),
            receipts_due: self.receipts_due(),
        }
    }

    /// Receipts that could be sent, were there a connection.
    fn receipts_due(&self) -> usize {
        let contacts = self.state.peers.iter().filter(|peer| self.state.is_contact(peer) && peer.token().is_some());
        contacts.map(|peer| peer.receipts.len() + peer.strict_receipts.len()).sum()
    }

    fn view_of(&self, person: &Person) -> Contact {
        let devices = || self.state.peers.iter().filter(|peer| peer.member == person.member);
        let unshown = self.state.history.iter().filter(|item| item.member == person.member);
        Contact {
            name: person.name.clone(),
            member_key: person.member,
            device_keys: devices().map(|peer| peer.device).collect(),
            box_identity: devices().next().map_or(hob_protocol::ids::BoxIdentity([0; 32]), |peer| peer.box_identity),
            verified: person.verified,
            blocked: person.blocked,
            revoked: person.is_revoked(),
            answered: person.answered,
            added_at_ms: person.added_ms,
            unshown: unshown.filter(|item| item.standing == Standing::Unshown).count(),
            last_seen_ms: self.state.last_seen_ms(&person.member),
        }
    }

    /// A message of the history as a person sees it; `None` while its writer is no contact.
    pub(crate) fn message(&self, item: &Item) -> Option<Message> {
        let person = self.state.person(&item.member)?;
        Some(Message {
            id: item.id,
            contact: person.name.clone(),
            verified: person.verified,
            direction: item.direction(),
            text: item.text.clone(),
            sent_at_ms: item.sent_at_ms,
            expires_at_ms: item.expires_at_ms,
            view_once: item.view_once,
            quote: item.quote.as_ref().map(|quote| self.quoted(item, quote)),
            path: if item.strict { Path::Unkept } else { Path::Box },
            status: self.status(item),
            devices: self.devices_of_item(item),
        })
    }

    /// What this device knows of a quoted message counts more than what its quote says.
    fn quoted(&self, answer: &Item, quote: &Quote) -> Quoted {
        let is_it = |item: &&Item| item.id == quote.id && item.member == answer.member;
        match self.state.history.iter().rev().find(is_it) {
            Some(item) if item.view_once => Quoted { id: quote.id, by: Some(item.direction()), excerpt: String::new() },
            Some(item) => Quoted { id: quote.id, by: Some(item.direction()), excerpt: beginning(&item.text) },
            None => Quoted { id: quote.id, by: None, excerpt: quote.excerpt.clone() },
        }
    }

    /// Names, where the contact has several devices: who confirmed it, or who wrote it.
    fn devices_of_item(&self, item: &Item) -> Vec<String> {
        let devices = match item.direction() {
            Direction::Received => std::slice::from_ref(&item.device),
            Direction::Sent => &item.by[..],
        };
        devices.iter().filter_map(|device| self.state.device_name(&item.member, device)).collect()
    }

    fn status(&self, item: &Item) -> MessageStatus {
        match item.standing {
            Standing::Unshown | Standing::Shown | Standing::Delivered => MessageStatus::Delivered,
            Standing::Expired => MessageStatus::Expired,
            Standing::GivenUp { last_seen_ms } => MessageStatus::GivenUp { last_seen_ms },
            Standing::NobodyThere => MessageStatus::NobodyThere,
            Standing::Elsewhere => {
                MessageStatus::Outbox { why: WaitReason::OnAnotherDevice, retry_at_ms: None, sent_again: 0 }
            }
            Standing::Refused { code } => MessageStatus::Refused { why: Refusal { code, retry_after: None } },
            Standing::InOutbox => {
                let entries = self.state.outbox.iter().filter(|entry| entry.id == item.id);
                self.outbox_status(entries.collect())
            }
        }
    }

    /// To a member of several devices, the best of them counts.
    fn outbox_status(&self, entries: Vec<&Entry>) -> MessageStatus {
        let kept = entries.iter().filter_map(|entry| match entry.stage {
            Stage::Kept { until_ms, .. } => Some((until_ms, entry.sent_again)),
            Stage::Ready { .. } | Stage::Offered { .. } => None,
        });
        if let Some((until_ms, sent_again)) = kept.max() {
            return MessageStatus::Kept { until_ms, sent_again };
        }
        let offered = entries.iter().filter_map(|entry| match entry.stage {
            Stage::Offered { until_ms } => Some(until_ms),
            Stage::Ready { .. } | Stage::Kept { .. } => None,
        });
        if let Some(until_ms) = offered.max() {
            return MessageStatus::Offered { until_ms };
        }
        match entries.first() {
            Some(entry) => {
                let (why, retry_at_ms) = self.why_waiting(entry);
                MessageStatus::Outbox { why, retry_at_ms, sent_again: entry.sent_again }
            }
            None => MessageStatus::Expired,
        }
    }
}
