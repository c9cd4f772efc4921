//! The engine's side of the screen: does what is asked, and tells how things stand whenever that changes.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use hob_client::{Client, CommandError, Direction, Message, MessageId, MessageStatus, Notice, SendOptions, WaitReason};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, sleep_until};

use super::talk::{
    Ask, ContactRow, LinkRow, Mark, MessageRow, News, QuoteRow, RequestRow, Snapshot, TalkRow, WINDOW_MAX,
};
use crate::engine::{Engine, now_ms};
use crate::error::ChatError;
use crate::show;
use crate::show::qr::Qr;

/// What changes together is told together.
const TOGETHER: Duration = Duration::from_millis(30);
/// Things that change with time alone (a message that expires) are looked for so often.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Texts that are told of one conversation at once: older ones stay where they are.
const TEXT_BYTES_MAX: usize = 4 << 20;

type Drafts = BTreeMap<String, String>;

struct Backend {
    engine: Rc<Engine>,
    news: UnboundedSender<News>,
    contact: Option<String>,
    last: usize,
    told: Option<Snapshot>,
    drafts: Drafts,
    /// Nothing can be done any more, and it was said.
    is_stopped: bool,
}

/// Serves one screen until it goes or nothing can be done any more.
pub async fn serve(engine: Rc<Engine>, mut asks: UnboundedReceiver<Ask>, news: UnboundedSender<News>) {
    let mut changes = engine.changes();
    let mut notices = engine.listen();
    let drafts: Drafts = serde_json::from_slice(&engine.drafts()).unwrap_or_default();
    let _ = news.send(News::Drafts(drafts.clone().into_iter().collect()));
    let mut backend = Backend { engine, news, contact: None, last: 0, told: None, drafts, is_stopped: false };
    let mut due = Instant::now();
    loop {
        if due <= Instant::now() {
            backend.tell();
            due = Instant::now() + LOOK_AGAIN;
        }
        tokio::select! {
            ask = asks.recv() => match ask {
                Some(ask) => {
                    backend.answer(ask);
                    due = Instant::now();
                }
                None => return,
            },
            notice = notices.recv() => if let Some(notice) = notice {
                backend.notice(&notice);
            },
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
                due = due.min(Instant::now() + TOGETHER);
            }
            () = sleep_until(due) => {}
        }
        if let Err(error) = backend.engine.check() {
            if !std::mem::replace(&mut backend.is_stopped, true) {
                backend.say(News::Stopped { why: error.chain() });
            }
            if matches!(error, ChatError::Interrupted | ChatError::Forgotten) {
                return;
            }
        }
    }
}

impl Backend {
    fn say(&self, news: News) {
        let _ = self.news.send(news);
    }

    fn tell(&mut self) {
        let snapshot = self.engine.ask(|client, now_ms| self.snapshot(client, now_ms));
        if self.told.as_ref() != Some(&snapshot) {
            self.told = Some(snapshot.clone());
            self.say(News::Snapshot(Box::new(snapshot)));
        }
    }

    fn name_of(&self, key: &str) -> Result<String, ChatError> {
        let found = self.engine.ask(|client, _| client.contacts()).into_iter();
        let mut named = found.filter(|contact| contact.member_key.to_string() == key);
        let no_such = || CommandError::NoSuchContact { name: key.to_owned() };
        Ok(named.next().map(|contact| contact.name).ok_or_else(no_such)?)
    }

    fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::Look { contact, last } => {
                self.contact = contact;
                self.last = last.min(WINDOW_MAX);
            }
            Ask::Send { contact, text, ttl, view_once, strict, reply_to } => {
                let reply_to = reply_to.as_deref().and_then(MessageId::from_hex);
                let sent = self.send(&contact, &text, SendOptions { ttl, view_once, strict, reply_to });
                self.say(match sent {
                    Ok(()) => News::Sent { contact },
                    Err(error) => News::NotSent { contact, why: error.chain() },
                });
            }
            Ask::Shown { ids } => {
                let ids: Vec<_> = ids.iter().filter_map(|id| MessageId::from_hex(id)).collect();
                let marked = self.engine.command(|client, now, random| Ok(((), client.mark_shown(now, random, &ids))));
                self.unless_failed(marked);
            }
            Ask::Uncover { id } => self.uncover(&id),
            Ask::SafetyNumber { contact } => {
                let number = self.safety_number(contact);
                match number {
                    Ok(news) => self.say(news),
                    Err(error) => self.say(News::Failed { why: error.chain() }),
                }
            }
            Ask::Draft { contact, text } => {
                match text.is_empty() {
                    true => self.drafts.remove(&contact),
                    false => self.drafts.insert(contact.clone(), text),
                };
                let saved = self.save_drafts();
                self.say(match saved {
                    Ok(()) => News::DraftSaved { contact },
                    Err(error) => News::DraftNotSaved { contact, why: error.chain() },
                });
            }
            ask => {
                let done = self.change(ask);
                self.say(match done {
                    Ok(text) => News::Done { text },
                    Err(error) => News::Failed { why: error.chain() },
                });
            }
        }
    }

    fn unless_failed(&self, done: Result<(), ChatError>) {
        if let Err(error) = done {
            self.say(News::Failed { why: error.chain() });
        }
    }

    fn send(&self, contact: &str, text: &str, options: SendOptions) -> Result<(), ChatError> {
        let name = self.name_of(contact)?;
        self.engine.command(|client, now, random| {
            let done = client.send(now, random, &name, text, options)?;
            Ok(((), done.outputs))
        })
    }

    /// Contacts and requests; answers what was done.
    fn change(&self, ask: Ask) -> Result<String, ChatError> {
        match ask {
            Ask::Accept { id, name } => {
                let name = self.engine.command(|client, now, random| {
                    let done = client.accept_request(now, random, &id, name.as_deref())?;
                    Ok((done.value, done.outputs))
                })?;
                Ok(format!("{name} is a contact now, not verified"))
            }
            Ask::Refuse { id } => {
                self.engine.command(|client, now, random| Ok(((), client.refuse_request(now, random, &id)?)))?;
                Ok("refused, and not told".to_owned())
            }
            Ask::Verified { contact } => {
                let name = self.name_of(&contact)?;
                self.engine.command(|client, now, random| Ok(((), client.confirm_verified(now, random, &name)?)))?;
                Ok(format!("{name} is verified"))
            }
            Ask::Rename { contact, name: new } => {
                let name = self.name_of(&contact)?;
                self.engine
                    .command(|client, now, random| Ok(((), client.rename_contact(now, random, &name, &new)?)))?;
                Ok(format!("{name} is called {new} now"))
            }
            Ask::Block { contact, block } => {
                let name = self.name_of(&contact)?;
                self.engine.command(|client, now, random| {
                    let outputs = match block {
                        true => client.block_contact(now, random, &name)?,
                        false => client.unblock_contact(now, random, &name)?,
                    };
                    Ok(((), outputs))
                })?;
                Ok(format!("{name} is {} now", if block { "blocked" } else { "not blocked" }))
            }
            Ask::Remove { contact } => {
                let name = self.name_of(&contact)?;
                self.engine.command(|client, now, random| Ok(((), client.remove_contact(now, random, &name)?)))?;
                Ok(format!("{name} is removed"))
            }
            _ => Ok(String::new()),
        }
    }

    /// Noted as shown before it is shown: a kill in between loses it, which is what view-once promises.
    fn uncover(&self, id: &str) {
        let unshown = self.engine.ask(|client, now| client.unshown(now)).into_iter();
        let Some(message) = unshown.into_iter().find(|message| message.view_once && message.id.to_string() == id)
        else {
            return self.say(News::Failed { why: "this message is gone".to_owned() });
        };
        let marked = self.engine.command(|client, now, random| Ok(((), client.mark_shown(now, random, &[message.id]))));
        match marked {
            Ok(()) => self.say(News::Uncovered { id: id.to_owned(), text: message.text }),
            Err(error) => self.say(News::Failed { why: error.chain() }),
        }
    }

    fn safety_number(&self, contact: String) -> Result<News, ChatError> {
        let name = self.name_of(&contact)?;
        let number = self.engine.ask(|client, _| client.safety_number(&name))?;
        let lines = |text: &str| text.lines().map(str::to_owned).collect();
        let qr = Qr::of(&number.qr).map(|qr| lines(&qr.text())).unwrap_or_default();
        Ok(News::SafetyNumber { contact, digits: lines(&number.grouped()), qr })
    }

    fn save_drafts(&mut self) -> Result<(), ChatError> {
        let contacts = self.engine.ask(|client, _| client.contacts()).into_iter();
        let known: BTreeSet<String> = contacts.map(|contact| contact.member_key.to_string()).collect();
        self.drafts.retain(|contact, _| known.contains(contact));
        let json = zeroize::Zeroizing::new(serde_json::to_vec(&self.drafts).unwrap_or_default());
        self.engine.save_drafts(&json)
    }

    fn notice(&self, notice: &Notice) {
        let text = match notice {
            Notice::ContactMade { contact } => {
                Some(format!("{contact} used a code of yours and is a contact now; F2 compares numbers"))
            }
            Notice::RequestArrived { .. } => Some("somebody without a code of yours wrote: see requests".to_owned()),
            // The marks in the conversation say these.
            Notice::Refused { .. }
            | Notice::Expired { .. }
            | Notice::GivenUp { .. }
            | Notice::NobodyThere { .. }
            | Notice::Restarting { .. } => None,
            other => show::notice::line(other, &BTreeSet::new()),
        };
        if let Some(text) = text {
            let loud = text.starts_with("!!!");
            let text = text.trim_start_matches("!!! ").to_owned();
            self.say(News::Notice { contact: about(notice), text, loud });
        }
    }

    fn snapshot(&self, client: &Client, now_ms: u64) -> Snapshot {
        let summary = client.summary(now_ms);
        let online = client.is_online();
        Snapshot {
            me: client.home().map(|home| home.label).unwrap_or_default(),
            link: LinkRow {
                online,
                why: if online { None } else { self.engine.known_offline() },
                last_contact_ms: Some(client.last_online_ms()).filter(|at| !online && *at > 0),
            },
            contacts: client.contacts().iter().map(contact_row).collect(),
            requests: client.requests().iter().map(request_row).collect(),
            open: self.open(client, now_ms),
            in_outbox: summary.in_outbox,
        }
    }

    fn open(&self, client: &Client, now_ms: u64) -> Option<TalkRow> {
        let key = self.contact.as_ref()?;
        let name = client.contacts().into_iter().find(|contact| contact.member_key.to_string() == *key)?.name;
        // One more than is shown tells whether there are more.
        let mut messages = client.conversation(now_ms, &name, self.last.saturating_add(1)).ok()?;
        let mut has_more = messages.len() > self.last;
        if has_more {
            messages.remove(0);
        }
        let unread: BTreeSet<MessageId> = client.unshown(now_ms).iter().map(|message| message.id).collect();
        let mut rows = Vec::new();
        let mut bytes = 0;
        for message in messages.iter().rev() {
            bytes += message.text.len();
            if bytes > TEXT_BYTES_MAX {
                has_more = false;
                break;
            }
            rows.push(message_row(message, unread.contains(&message.id), now_ms));
        }
        rows.reverse();
        Some(TalkRow { contact: key.clone(), has_more, messages: rows })
    }
}

fn contact_row(contact: &hob_client::Contact) -> ContactRow {
    ContactRow {
        key: contact.member_key.to_string(),
        name: contact.name.clone(),
        verified: contact.verified,
        answered: contact.answered,
        blocked: contact.blocked,
        revoked: contact.revoked,
        unread: contact.unshown,
        devices: contact.device_keys.len(),
        last_seen_ms: contact.last_seen_ms,
    }
}

fn request_row(request: &hob_client::Request) -> RequestRow {
    RequestRow {
        id: request.id.clone(),
        name: request.proposed_name.clone(),
        messages: request.messages,
        since_ms: request.since_ms,
    }
}

fn message_row(message: &Message, unread: bool, now_ms: u64) -> MessageRow {
    let sent = message.direction == Direction::Sent;
    MessageRow {
        id: message.id.to_string(),
        sent,
        text: message.text.clone(),
        sent_at_ms: message.sent_at_ms,
        expires_at_ms: message.expires_at_ms,
        view_once: message.view_once,
        unread: unread && !sent,
        quote: message
            .quote
            .as_ref()
            .map(|quote| QuoteRow { sent: quote.by.map(|by| by == Direction::Sent), excerpt: quote.excerpt.clone() }),
        path: message.path.as_str().to_owned(),
        devices: message.devices.clone(),
        mark: sent.then(|| mark(&message.status)),
        standing: if sent { show::message::status(&message.status, &message.contact, now_ms) } else { String::new() },
    }
}

const fn mark(status: &MessageStatus) -> Mark {
    match status {
        MessageStatus::Delivered => Mark::Delivered,
        MessageStatus::Kept { sent_again: 0, .. } | MessageStatus::Offered { .. } => Mark::Kept,
        MessageStatus::Kept { .. }
        | MessageStatus::Outbox { why: WaitReason::ToBeSentAgain, .. }
        | MessageStatus::Outbox { sent_again: 1.., .. } => Mark::Again,
        MessageStatus::Outbox { .. } => Mark::Outbox,
        MessageStatus::Refused { .. }
        | MessageStatus::Expired
        | MessageStatus::GivenUp { .. }
        | MessageStatus::NobodyThere => Mark::GivenUp,
    }
}

/// Whose conversation a notice belongs to.
fn about(notice: &Notice) -> Option<String> {
    match notice {
        Notice::ContactMade { contact }
        | Notice::ContactAnswered { contact }
        | Notice::KeysChanged { contact }
        | Notice::BadBundle { contact, .. }
        | Notice::SessionRenewed { contact }
        | Notice::DevicesChanged { contact, .. }
        | Notice::DeviceListExpired { contact }
        | Notice::KeysRenewed { contact } => Some(contact.clone()),
        Notice::CodeUsedTwice { first, .. } => Some(first.clone()),
        _ => None,
    }
}

/// The time, for the screen.
pub fn now() -> u64 {
    now_ms()
}
