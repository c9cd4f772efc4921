//! What comes in single requests: the same rules for those who hold no socket.
//!
//! A request is a connection that lives for one frame: it is anonymous, or on behalf of a device whose session the shell
//! has checked. Such a request never takes a mailbox over: reading by pages and acknowledging by id disturb no owner's
//! connection, so nobody is superseded. A *watcher* is told what became durable, and fetches it by pages.

use std::time::Duration;

use hob_protocol::code::{Code, Refused};
use hob_protocol::frame::{Binding, ClientBody, ClientFrame, Hello};
use hob_protocol::ids::{DeviceKey, EnvelopeId, MailboxId, MemberId};

use crate::admit::Proof;
use crate::clock::Now;
use crate::connection::{Connection, Role};
use crate::event::Place;
use crate::pending::Stage;
use crate::{ConnId, Effect, Effects, Relay};

/// Watchers of one mailbox. One more takes the place of the oldest: a device that comes back is not held up by what is
/// left of its earlier connections.
pub const WATCHERS_MAX: usize = 4;

/// The request number of the one frame that a request is; what the box says unasked carries 0.
pub const ONLY_REQUEST: u64 = 1;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// Nobody in particular: only what a fresh or a sender's connection may say is taken.
    Anybody,
    /// A device whose session is good.
    Device(DeviceKey),
}

/// What is asked.
#[derive(Debug)]
pub enum Question {
    /// Anything that has a frame; answered by [`Effect::Send`].
    Frame(ClientBody),
    /// What this box is and allows; answered like the rest by [`Effect::Replied`].
    Hello,
    /// A session for a device: checks its proof, which must be a web device's.
    LogIn {
        /// What the proof signs. The shell made it and has seen that it was used once only.
        nonce: [u8; 32],
        /// The device.
        device_key: DeviceKey,
        /// Over [`hob_protocol::transcript::prove`], bound to the origin.
        signature: [u8; 64],
        /// The origin that was signed.
        origin: String,
        /// The device's own clock, Unix time in milliseconds; 0: none.
        clock_ms: u64,
    },
    /// How the device that asks stands.
    Me,
    /// Envelopes that wait for the device that asks, oldest first.
    Page {
        /// Window and sequence of the last one that is not wanted any more.
        after: Option<(u32, u32)>,
        /// At most so many.
        envelopes: usize,
        /// At most so many bytes of bodies, but always one envelope.
        bytes: u64,
    },
}

/// What is replied to what has no frame.
#[derive(Debug)]
pub enum Reply {
    /// What this box is and allows; its signature is empty, as there is no exporter to sign.
    Hello(Box<Hello>),
    /// The proof was good, and so the device stands.
    LoggedIn(Standing),
    /// So the device stands.
    Me(Standing),
    /// Some envelopes.
    Page {
        /// Oldest first.
        envelopes: Vec<Waiting>,
        /// More wait behind them.
        more: bool,
    },
    /// No.
    Refused(Refused),
}

/// How a device stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whose it is.
    pub member: MemberId,
    /// The device.
    pub device_key: DeviceKey,
    /// Its mailbox.
    pub mailbox: MailboxId,
    /// Envelopes that wait in it.
    pub pending: u32,
    /// Tokens granted.
    pub tokens: u32,
    /// The box misses the token list.
    pub wants_token_list: bool,
    /// The box misses a good bundle.
    pub wants_bundle: bool,
    /// A WebSocket of the device is connected.
    pub connected: bool,
    /// Event streams of the device.
    pub watchers: u32,
}

/// An envelope that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// What acknowledge names.
    pub id: EnvelopeId,
    /// What is left of its life.
    pub ttl: Duration,
    /// Where its bytes lie.
    pub place: Place,
}

impl Relay {
    /// One request, from its question to its answer; a submit's answer comes when it is durable.
    pub(crate) fn asked(&mut self, now: Now, conn: ConnId, asker: Asker, question: Question, effects: &mut Effects) {
        let role = match asker {
            Asker::Anybody => Role::Fresh,
            Asker::Device(device) => match self.web_mailbox(&device) {
                Ok(mailbox) => Role::Owner { mailbox },
                Err(refused) => return self.replied(conn, Err(refused), effects),
            },
        };
        let established = role != Role::Fresh;
        self.connections.insert(conn, Connection::for_one_request(now.box_time, role, established));
        match question {
            Question::Frame(body) => {
                let body = self.only_web(body);
                match body {
                    Ok(body) => self.frame(now, conn, ClientFrame { request: ONLY_REQUEST, body }, effects),
                    Err(refused) => self.replied(conn, Err(refused), effects),
                }
            }
            Question::Hello => {
                let hello = self.hello(bytes::Bytes::new());
                self.replied(conn, Ok(Reply::Hello(Box::new(hello))), effects);
            }
            Question::LogIn { nonce, device_key, signature, origin, clock_ms } => {
                let proof = Proof { device_key, signature, origin: Some(origin), clock_ms };
                let reply = self.log_in(now, conn, &nonce, &proof, effects);
                self.replied(conn, reply, effects);
            }
            Question::Me => {
                let reply = self.owner_of(conn).and_then(|number| self.standing(now, number)).map(Reply::Me);
                self.replied(conn, reply, effects);
            }
            Question::Page { after, envelopes, bytes } => {
                let reply = self.owner_of(conn).map(|number| self.page(now, number, after, envelopes, bytes));
                self.replied(conn, reply, effects);
            }
        }
        // Not `closed`: nobody's place is given up, as none was taken.
        self.connections.remove(&conn);
    }

    fn replied(&mut self, conn: ConnId, reply: Result<Reply, Refused>, effects: &mut Effects) {
        let reply = reply.unwrap_or_else(|refused| {
            self.counters.refused(refused.code);
            Reply::Refused(refused)
        });
        effects.push(Effect::Replied { conn, reply });
    }

    /// Single requests reach no exporter, so they make no native device; and they prove by [`Question::LogIn`] only.
    fn only_web(&self, body: ClientBody) -> Result<ClientBody, Refused> {
        match &body {
            ClientBody::Prove { .. } => Err(Refused::finally(Code::BadProof)),
            ClientBody::Redeem { binding: Binding::Native, .. } => Err(Refused::finally(Code::ExporterMissing)),
            // A quarter of an hour without its word would be a quarter of an hour without mail.
            ClientBody::Credit { .. } => Err(Refused::finally(Code::UnknownFrame)),
            _ => Ok(body),
        }
    }

    /// The mailbox of a device that may be spoken for without an exporter.
    fn web_mailbox(&self, device: &DeviceKey) -> Result<u32, Refused> {
        let number = self.mailboxes.number_of(&MailboxId::of_device(device));
        let found = number.and_then(|number| self.mailboxes.get(number).map(|mailbox| (number, mailbox.binding)));
        if let Some(mailbox) = number.and_then(|number| self.mailboxes.get(number)) {
            self.is_served(&mailbox.member)?;
        }
        match found {
            Some((number, Binding::Web)) => Ok(number),
            Some((_, Binding::Native)) => Err(Refused::finally(Code::ExporterMissing)),
            None => Err(Refused::finally(Code::Revoked)),
        }
    }

    fn log_in(
        &mut self,
        now: Now,
        conn: ConnId,
        nonce: &[u8; 32],
        proof: &Proof,
        effects: &mut Effects,
    ) -> Result<Reply, Refused> {
        let number = self.check_proof(nonce, None, proof)?;
        let standing = self.standing(now, number)?;
        self.establish(conn, effects);
        if let Some(mailbox) = self.mailboxes.get_mut(number) {
            mailbox.seen(now);
        }
        if proof.clock_ms > 0 {
            effects.push(Effect::TimeTold { member: standing.member, unix_ms: proof.clock_ms });
        }
        Ok(Reply::LoggedIn(standing))
    }

    fn standing(&self, now: Now, number: u32) -> Result<Standing, Refused> {
        let mailbox = self.mailboxes.get(number).ok_or(Refused::finally(Code::Revoked))?;
        Ok(Standing {
            member: mailbox.member,
            device_key: mailbox.device,
            mailbox: mailbox.id,
            pending: mailbox.queue.count,
            tokens: mailbox.tokens,
            wants_token_list: mailbox.wants_token_list,
            wants_bundle: !mailbox.has_good_bundle(now.ledger_time),
            connected: mailbox.owner.is_some(),
            watchers: u32::try_from(mailbox.watchers.len()).unwrap_or(u32::MAX),
        })
    }

    fn page(&self, now: Now, number: u32, after: Option<(u32, u32)>, envelopes: usize, bytes: u64) -> Reply {
        let mut page = Vec::new();
        let mut held_bytes = 0;
        let mut entry = self.mailboxes.get(number).map_or(crate::pending::NIL, |mailbox| mailbox.queue.head);
        while let Some(found) = self.pending.get(entry) {
            // Envelopes become durable in the order in which they came: behind this one nothing is either.
            if self.pending.stage(entry) == Some(Stage::Storing) {
                break;
            }
            entry = self.pending.next_in_queue(entry);
            if after.is_some_and(|after| (found.place.window, found.place.sequence) <= after) {
                continue;
            }
            held_bytes += found.body_bytes();
            if !page.is_empty() && (page.len() >= envelopes || held_bytes > bytes) {
                return Reply::Page { envelopes: page, more: true };
            }
            page.push(Waiting { id: found.id, ttl: found.deadline.left(now.box_time), place: found.place });
        }
        Reply::Page { envelopes: page, more: false }
    }

    /// Somebody wants to be told what comes for a device. Answered by [`Reply::Me`]; then by [`Effect::Ready`].
    pub(crate) fn watch(&mut self, now: Now, conn: ConnId, device: &DeviceKey, effects: &mut Effects) {
        let number = match self.web_mailbox(device) {
            Ok(number) => number,
            Err(refused) => return effects.push(Effect::Close { conn, refused }),
        };
        let role = Role::Watcher { mailbox: number };
        self.connections.insert(conn, Connection::for_one_request(now.box_time, role, true));
        let Some(mailbox) = self.mailboxes.get_mut(number) else { return };
        mailbox.watchers.push(conn);
        let oldest = (mailbox.watchers.len() > WATCHERS_MAX).then(|| mailbox.watchers.remove(0));
        if let Some(oldest) = oldest {
            self.close(oldest, Refused::finally(Code::Superseded), effects);
        }
        let reply = self.standing(now, number).map(Reply::Me);
        self.replied(conn, reply, effects);
    }

    /// Tells those who watch a mailbox what became durable in it, oldest first.
    pub(crate) fn tell_watchers<'a>(
        &self,
        now: Now,
        number: u32,
        fresh: impl Iterator<Item = &'a u32>,
        effects: &mut Effects,
    ) {
        let Some(mailbox) = self.mailboxes.get(number).filter(|mailbox| !mailbox.watchers.is_empty()) else {
            return;
        };
        let mut found: Vec<_> =
            fresh.filter_map(|&entry| self.pending.get(entry)).filter(|entry| entry.mailbox == number).collect();
        found.sort_unstable_by_key(|entry| (entry.place.window, entry.place.sequence));
        for entry in found {
            let (id, ttl) = (entry.id, entry.deadline.left(now.box_time));
            for &conn in &mailbox.watchers {
                effects.push(Effect::Ready { conn, id, ttl });
            }
        }
    }
}
