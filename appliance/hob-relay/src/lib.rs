//! The relay's rules: `handle_input(now, input) -> effects`.
//!
//! A state machine without I/O. It knows no socket, file, clock or random source: time comes in with every input,
//! chance from a seed, and everything that must follow comes back as [`Effects`]. One owner holds the [`Relay`] and
//! feeds it; what it holds in memory is the index over the log and is rebuilt from the log's events on start. The same
//! inputs always have the same effects in the same order: no order of a hash table ever shows.
//!
//! # The rules in short
//! 1. Two kinds of connection: an *owner's* proves a mailbox ([`Input::Frame`] with `prove`), a *sender's* stays
//!    anonymous and shows delivery tokens. What belongs to one is refused on the other.
//! 2. An envelope is accepted, made durable, and only then answered and pushed: answers wait for [`Input::Durable`].
//! 3. A mailbox is delivered oldest first, up to the owner's credit; acknowledgement is by id. Until its deadline a
//!    repeated submit is a duplicate, read or unread.
//! 4. Every refusal is a typed [`hob_protocol::code::Refused`] that says when to try again.
//! 5. Nothing outlives its deadline; box time never goes back.
//!
//! # Layout
//! - `connection`: what a connection is and may say; `admit`: invitations and proofs; `ticket`: a member's further
//!   devices.
//! - `submit`: token to envelope; `deliver`: push, credit, acknowledge; `bundle`: publish and fetch.
//! - `tokens`: grant, revoke, list; [`quota`]: who may take how much; `pending`: the index.
//! - `expiry`: deadlines and sweeps; [`timer`]: all wake-ups; [`clock`]: box time and ledger time.
//! - `mailbox`: what is known of a device; `ledger`: the state from its events; [`event`]: those events.
//! - [`web`]: single requests and watchers, for those who hold no socket.
//! - [`activity`]: what was refused lately, against the last day: the keeper's "nothing unusual".
//! - [`keeping`]: who keeps the box, what they set, what they did, whom they suspended.
//! - [`gate`]: how many connections one address may open; [`status`]: counters; [`admin`]: what the keeper may ask.

// No panic is reachable from outside: an index that may be out of bounds is one. Generated code and tests may.
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::string_slice))]

pub mod activity;
pub mod admin;
mod admit;
mod bundle;
pub mod clock;
mod connection;
mod deliver;
pub mod event;
mod expiry;
pub mod gate;
pub mod keeping;
mod ledger;
mod mailbox;
mod pending;
pub mod quota;
pub mod status;
mod submit;
mod ticket;
pub mod timer;
mod tokens;
pub mod web;

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use hob_protocol::address::AddressRecord;
use hob_protocol::code::{Code, Refused};
use hob_protocol::frame::{ClientBody, ClientFrame, FrameError, ServerBody, ServerFrame};
use hob_protocol::ids::{BoxIdentity, EnvelopeId, InvitationId, MailboxId, MemberId};
use hob_protocol::transcript::Exporter;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::clock::Now;
use crate::connection::{Connection, Role};
use crate::event::{Append, Known, LedgerEvent, Pending, Place};
use crate::quota::Config;
use crate::status::Counters;
use crate::timer::{Timers, WakeReason};

/// A connection, as the shell numbers it. Never used twice in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(pub u64);

/// The number of an append, in the order in which the rules asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Ticket(pub u64);

/// What happens to the relay.
#[derive(Debug)]
pub enum Input {
    /// A connection is open and its TLS handshake done. Hello and challenge follow from it.
    Opened {
        /// Its number.
        conn: ConnId,
        /// Its TLS exporter; `None` where the transport has none.
        exporter: Option<Exporter>,
        /// The identity's signature over this connection, for the hello.
        signature: Bytes,
    },
    /// A frame came.
    Frame {
        /// On this connection.
        conn: ConnId,
        /// The frame.
        frame: ClientFrame,
    },
    /// A frame came that could not be read.
    Garbled {
        /// On this connection.
        conn: ConnId,
        /// What was wrong with it.
        error: FrameError,
    },
    /// A connection is gone.
    Closed {
        /// Its number.
        conn: ConnId,
    },
    /// Somebody asks once, without a connection: HTTP. Answered once, by [`Effect::Send`] or [`Effect::Replied`].
    Asked {
        /// The request's own number; no [`Input::Closed`] follows.
        conn: ConnId,
        /// Who.
        asker: web::Asker,
        /// What.
        question: web::Question,
    },
    /// A device whose session is good wants to be told what comes: an event stream. Ends with [`Input::Closed`].
    Watch {
        /// The stream's number.
        conn: ConnId,
        /// The device.
        device: hob_protocol::ids::DeviceKey,
    },
    /// Everything up to a ticket is durable.
    Durable {
        /// The last ticket of the commit.
        up_to: Ticket,
        /// Where the accepted envelopes of the commit lie, in order.
        places: Vec<Place>,
    },
    /// A commit failed: nothing up to this ticket that was not reported durable is stored.
    NotStored {
        /// The last ticket of the commit.
        up_to: Ticket,
    },
    /// An envelope that was to be pushed cannot be read any more: the card lost it, or it was destroyed meanwhile.
    Unreadable {
        /// Its id.
        id: EnvelopeId,
    },
    /// Windows were destroyed: their envelopes are gone.
    WindowsDestroyed {
        /// Every window with a number below this.
        below: u32,
    },
    /// Windows were lost: their numbers, and when they were opened, Unix time in seconds.
    WindowsLost {
        /// What was lost.
        windows: Vec<(u32, u64)>,
    },
    /// A wake-up that the rules asked for, or any other moment.
    Timeout,
    /// The keeper asks or orders.
    Admin {
        /// Comes back with the answer.
        request: u64,
        /// What.
        ask: admin::Ask,
    },
    /// The addresses of the box changed: what the hello shall carry.
    Addresses(AddressRecord),
    /// The box goes down on purpose.
    GoingDown {
        /// When it expects to be back.
        back_in: std::time::Duration,
    },
}

/// What must follow. In order.
#[derive(Debug)]
pub enum Effect {
    /// Send a frame.
    Send {
        /// On this connection.
        conn: ConnId,
        /// The frame.
        frame: ServerFrame,
    },
    /// Push an envelope to its owner.
    Push {
        /// On this connection.
        conn: ConnId,
        /// Its id; [`EnvelopeId::ONLINE_ONLY`] for what is dropped if the connection cannot take it now.
        id: EnvelopeId,
        /// What is left of its life.
        ttl: std::time::Duration,
        /// The sealed bytes, or where they lie.
        body: Body,
    },
    /// Tell a watcher that an envelope became durable and can be fetched.
    Ready {
        /// On this connection.
        conn: ConnId,
        /// Its id.
        id: EnvelopeId,
        /// What is left of its life.
        ttl: std::time::Duration,
    },
    /// Reply to a question that has no frame.
    Replied {
        /// To this request or watcher.
        conn: ConnId,
        /// With this.
        reply: web::Reply,
    },
    /// Append to the log.
    Append {
        /// Its number, for [`Input::Durable`].
        ticket: Ticket,
        /// What.
        append: Append,
    },
    /// The connection showed a proof or a token that is good: it does not count as half-open any more.
    Established {
        /// Which.
        conn: ConnId,
    },
    /// Tell why, then close.
    Close {
        /// Which.
        conn: ConnId,
        /// Why.
        refused: Refused,
    },
    /// A device is not connected and something urgent came: fire its wake-up.
    WakeDevice {
        /// Which.
        mailbox: MailboxId,
    },
    /// A proven device told what time it has.
    TimeTold {
        /// The member it belongs to.
        member: MemberId,
        /// Unix time in milliseconds.
        unix_ms: u64,
    },
    /// The answer to a keeper's request.
    Answer {
        /// The request.
        request: u64,
        /// The answer.
        answer: admin::Answer,
    },
}

/// The bytes of a push.
#[derive(Debug, Clone)]
pub enum Body {
    /// In memory, and in the log at a place that a slow connection may read later. No place: online-only.
    Here(Bytes, Option<Place>),
    /// In the log.
    At(Place),
}

/// Everything that follows from one input, in order, and when to come back.
#[derive(Debug, Default)]
#[must_use = "an effect that is not carried out is a promise broken"]
pub struct Effects {
    /// In order.
    pub list: Vec<Effect>,
    /// When [`Input::Timeout`] is wanted at the latest, and why.
    pub wake_at: Option<(clock::BoxTime, WakeReason)>,
}

impl Effects {
    pub(crate) fn push(&mut self, effect: Effect) {
        self.list.push(effect);
    }

    pub(crate) fn send(&mut self, conn: ConnId, request: u64, body: ServerBody) {
        self.push(Effect::Send { conn, frame: ServerFrame { request, body } });
    }

    pub(crate) fn refuse(&mut self, conn: ConnId, request: u64, refused: Refused) {
        self.push(Effect::Send { conn, frame: ServerFrame::refusal(request, refused) });
    }
}

/// What the log found on start.
#[derive(Debug, Default)]
pub struct Restored {
    /// Live events of the ledger, in order.
    pub ledger: Vec<LedgerEvent>,
    /// Pending envelopes, oldest first.
    pub pending: Vec<Pending>,
    /// Ids that are done and still known.
    pub known: Vec<Known>,
    /// Windows lost since the last start: number and opening in Unix seconds.
    pub lost_windows: Vec<(u32, u64)>,
    /// The memory is not continuous for another reason (a restored backup).
    pub epoch_ended: bool,
}

/// What waits for a ticket to be durable.
#[derive(Debug)]
enum Waiting {
    /// An envelope: its entry in the index, the sender, the bytes to push.
    Accept { entry: u32, id: EnvelopeId, conn: ConnId, request: u64, ttl: std::time::Duration, body: Bytes },
    /// A repeat of an envelope that is not durable yet.
    Repeat { conn: ConnId, request: u64, ttl: std::time::Duration },
    /// Any other answer.
    Reply { conn: ConnId, request: u64, body: ServerBody },
    /// An answer to the keeper.
    Admin { request: u64, answer: admin::Answer },
    /// A ledger event for which nobody waits; kept so that it can be written again if the commit fails.
    Ledger(LedgerEvent),
}

/// The relay: all rules, and the index over the log.
pub struct Relay {
    config: Config,
    identity: BoxIdentity,
    rng: ChaCha20Rng,
    epoch: u64,
    lost_windows: Vec<u64>,
    addresses: Option<AddressRecord>,
    address_sequence: u64,
    connections: HashMap<ConnId, Connection>,
    members: BTreeMap<MemberId, ledger::Member>,
    mailboxes: mailbox::Mailboxes,
    tokens: tokens::Tokens,
    invitations: HashMap<InvitationId, admit::OpenInvitation>,
    keeping: keeping::Keeping,
    /// As the settings' file has it: what the dashboard does not set, and the most for the retention.
    file_config: Config,
    pending: pending::Index,
    waiting: VecDeque<(Ticket, Waiting)>,
    /// Ledger events of failed commits: they go before the next one.
    unstored: Vec<LedgerEvent>,
    last_ticket: Ticket,
    storing: Storing,
    going_down: bool,
    timers: Timers,
    counters: Counters,
}

/// Whether the disk takes what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Storing {
    Well,
    /// The last commit failed: one envelope at a time may try again, from this time on.
    Badly {
        try_again_at: clock::BoxTime,
    },
}

impl Relay {
    /// A relay over what the log found. `seed` must be random: challenges and invitations come from it.
    ///
    /// Returns effects at once: a first start, a new epoch and what expired meanwhile are written to the log.
    pub fn start(
        config: Config,
        identity: BoxIdentity,
        seed: [u8; 32],
        now: Now,
        restored: Restored,
    ) -> (Self, Effects) {
        let mut rng = ChaCha20Rng::from_seed(seed);
        let mut relay = Self {
            identity,
            epoch: 0,
            lost_windows: Vec::new(),
            addresses: None,
            address_sequence: 0,
            connections: HashMap::new(),
            members: BTreeMap::new(),
            mailboxes: mailbox::Mailboxes::default(),
            tokens: tokens::Tokens::default(),
            invitations: HashMap::new(),
            keeping: keeping::Keeping::default(),
            file_config: config.clone(),
            pending: pending::Index::new(&mut rng),
            waiting: VecDeque::new(),
            unstored: Vec::new(),
            last_ticket: Ticket(0),
            storing: Storing::Well,
            going_down: false,
            timers: Timers::default(),
            counters: Counters::default(),
            config,
            rng,
        };
        let mut effects = Effects::default();
        relay.restore(now, restored, &mut effects);
        relay.expire(now, &mut effects);
        effects.wake_at = relay.next_wake();
        (relay, effects)
    }

    /// Applies one input and returns everything that must follow from it, in order.
    pub fn handle_input(&mut self, now: Now, input: Input) -> Effects {
        let mut effects = Effects::default();
        match input {
            Input::Opened { conn, exporter, signature } => self.opened(now, conn, exporter, signature, &mut effects),
            Input::Frame { conn, frame } => self.frame(now, conn, frame, &mut effects),
            Input::Garbled { conn, error } => self.garbled(conn, error, &mut effects),
            Input::Closed { conn } => self.closed(conn),
            Input::Asked { conn, asker, question } => self.asked(now, conn, asker, question, &mut effects),
            Input::Watch { conn, device } => self.watch(now, conn, &device, &mut effects),
            // Senders' answers are released here and nowhere else: promise 1 in one line.
            Input::Durable { up_to, places } => self.durable(now, up_to, places, &mut effects),
            Input::NotStored { up_to } => self.not_stored(now, up_to, &mut effects),
            Input::Unreadable { id } => self.unreadable(now, &id, &mut effects),
            Input::WindowsDestroyed { below } => self.windows_destroyed(now, |window| window < below, &mut effects),
            Input::WindowsLost { windows } => self.windows_lost(now, &windows, &mut effects),
            Input::Timeout => {}
            Input::Admin { request, ask } => self.admin(now, request, ask, &mut effects),
            Input::Addresses(record) => self.addresses(record, &mut effects),
            Input::GoingDown { back_in } => self.going_down(back_in, &mut effects),
        }
        self.expire(now, &mut effects);
        effects.wake_at = self.next_wake();
        effects
    }

    fn frame(&mut self, now: Now, conn: ConnId, frame: ClientFrame, effects: &mut Effects) {
        let request = frame.request;
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        connection.heard_at = now.box_time;
        let unproven = !connection.established;
        if let Err(refused) = connection.may_say(&frame.body) {
            self.counters.refused(refused.code);
            return effects.refuse(conn, request, refused);
        }
        let done = match frame.body {
            ClientBody::Redeem { invitation, device_key, label, binding, mac } => {
                let redeem = admit::Redeem { invitation, device_key, label, binding, mac };
                self.redeem(now, conn, request, redeem, effects)
            }
            ClientBody::Prove { device_key, signature, origin, clock_ms } => {
                let proof = admit::Proof { device_key, signature, origin, clock_ms };
                self.prove(now, conn, request, &proof, effects)
            }
            ClientBody::Submit { token, envelope, ttl, urgency, online_only } => {
                let submit = submit::Submit { token, envelope, ttl, urgency, online_only };
                self.submit(now, conn, request, submit, effects)
            }
            ClientBody::Acknowledge { ids } => self.acknowledge(now, conn, request, &ids, effects),
            ClientBody::Credit { envelopes } => self.credit(now, conn, request, envelopes, effects),
            ClientBody::TokenGrant(grant) => self.grant(now, conn, request, grant, effects),
            ClientBody::TokenRevoke { token_hash } => self.revoke(now, conn, request, &token_hash, effects),
            ClientBody::TokenList { grants } => self.token_list(now, conn, request, &grants, effects),
            ClientBody::BundlePublish { bundle, ttl } => self.publish(now, conn, request, bundle, ttl, effects),
            ClientBody::BundleFetch { token } => self.fetch(now, conn, request, &token, effects),
            ClientBody::DeviceTicket => self.device_ticket(now, conn, request, effects),
            ClientBody::Ping => {
                effects.send(conn, request, ServerBody::Pong);
                Ok(())
            }
        };
        if let Err(refused) = done {
            self.counters.refused(refused.code);
            effects.refuse(conn, request, refused);
        }
        if unproven {
            self.count_try(conn, effects);
        }
    }

    /// Asks for an append and says what waits for it.
    fn append(&mut self, append: Append, waiting: Option<Waiting>, effects: &mut Effects) -> Ticket {
        self.last_ticket.0 += 1;
        let ticket = self.last_ticket;
        if let Some(waiting) = waiting {
            self.waiting.push_back((ticket, waiting));
        }
        effects.push(Effect::Append { ticket, append });
        ticket
    }

    /// Asks for a ledger event; it is written again if its commit fails.
    fn append_ledger(&mut self, event: LedgerEvent, effects: &mut Effects) {
        for unstored in std::mem::take(&mut self.unstored) {
            self.append(Append::Ledger(unstored.clone()), Some(Waiting::Ledger(unstored)), effects);
        }
        self.append(Append::Ledger(event.clone()), Some(Waiting::Ledger(event)), effects);
    }

    /// Answers when everything asked for so far is durable; at once if nothing is outstanding.
    fn reply_when_durable(&mut self, conn: ConnId, request: u64, body: ServerBody, effects: &mut Effects) {
        self.wait(Waiting::Reply { conn, request, body }, effects);
    }

    fn wait(&mut self, waiting: Waiting, effects: &mut Effects) {
        for unstored in std::mem::take(&mut self.unstored) {
            self.append(Append::Ledger(unstored.clone()), Some(Waiting::Ledger(unstored)), effects);
        }
        match self.waiting.back() {
            Some(&(ticket, _)) => self.waiting.push_back((ticket, waiting)),
            None => self.release(waiting, effects),
        }
    }

    /// The number of the box's memory, as the hello tells it.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The quotas and rates in force.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The next sequence number for an address record, and the addresses that the last one named.
    pub const fn address_sequence(&self) -> u64 {
        self.address_sequence
    }

    fn owner_of(&self, conn: ConnId) -> Result<u32, Refused> {
        match self.connections.get(&conn).map(|connection| &connection.role) {
            Some(Role::Owner { mailbox }) => Ok(*mailbox),
            _ => Err(Refused::finally(Code::NotProved)),
        }
    }
}

#[cfg(test)]
mod tests;
