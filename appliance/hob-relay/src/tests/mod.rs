//! A box without disk and network: connections are numbers, the log is a list, time is whatever the test says.

mod admission;
mod delivering;
mod forgetting;
mod keeping;
mod model;
mod storing;
mod submitting;
mod tickets;
mod web;

use std::time::Duration;

use ed25519_dalek::SigningKey;
use hob_protocol::code::Code;
use hob_protocol::envelope::Envelope;
use hob_protocol::frame::{Binding, ClientBody, Grant, TokenKind, Urgency};
use hob_protocol::ids::{DeliveryToken, DeviceKey};
use hob_protocol::transcript::{BoundTo, prove, redeem_mac};

use super::*;
use crate::admin::{Answer, Ask};
use crate::clock::{BoxTime, LedgerTime};

pub(super) struct World {
    pub(super) relay: Relay,
    pub(super) now: Now,
    /// Appends that wait for [`World::sync`].
    pub(super) unsynced: Vec<(Ticket, Append)>,
    /// Everything that is durable.
    pub(super) log: Vec<Append>,
    pub(super) sent: Vec<(ConnId, ServerFrame)>,
    pub(super) pushed: Vec<(ConnId, EnvelopeId)>,
    pub(super) closed: Vec<(ConnId, Code)>,
    pub(super) woken: Vec<MailboxId>,
    pub(super) answers: Vec<Answer>,
    pub(super) replies: Vec<(ConnId, crate::web::Reply)>,
    pub(super) ready: Vec<(ConnId, EnvelopeId)>,
    /// Times that devices told, Unix milliseconds.
    pub(super) told_times: Vec<u64>,
    pub(super) syncs_by_itself: bool,
    next_conn: u64,
    next_place: u32,
}

pub(super) const IDENTITY: BoxIdentity = BoxIdentity([0xb0; 32]);

pub(super) fn device(byte: u8) -> SigningKey {
    SigningKey::from_bytes(&[byte; 32])
}

pub(super) fn key_of(device: &SigningKey) -> DeviceKey {
    DeviceKey(device.verifying_key().to_bytes())
}

pub(super) fn envelope(byte: u8) -> Envelope {
    Envelope::new(Bytes::from(vec![byte; 2048])).unwrap()
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(super) fn with(config: Config) -> Self {
        Self::restored(config, Restored::default())
    }

    pub(super) fn restored(config: Config, restored: Restored) -> Self {
        let now = Now { box_time: BoxTime(1_000_000), ledger_time: LedgerTime(1_000_000), unix_ms: 1_790_000_000_000 };
        let (relay, effects) = Relay::start(config, IDENTITY, [7; 32], now, restored);
        let mut world = Self {
            relay,
            now,
            unsynced: Vec::new(),
            log: Vec::new(),
            sent: Vec::new(),
            pushed: Vec::new(),
            closed: Vec::new(),
            woken: Vec::new(),
            answers: Vec::new(),
            replies: Vec::new(),
            ready: Vec::new(),
            told_times: Vec::new(),
            syncs_by_itself: true,
            next_conn: 0,
            next_place: 0,
        };
        world.apply(effects);
        world
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now.box_time = self.now.box_time.plus(time);
        self.now.ledger_time = self.now.ledger_time.plus(time);
        self.input(Input::Timeout);
    }

    pub(super) fn input(&mut self, input: Input) {
        let effects = self.relay.handle_input(self.now, input);
        self.apply(effects);
    }

    fn apply(&mut self, effects: Effects) {
        for effect in effects.list {
            match effect {
                Effect::Send { conn, frame } => self.sent.push((conn, frame)),
                Effect::Push { conn, id, .. } => self.pushed.push((conn, id)),
                Effect::Append { ticket, append } => self.unsynced.push((ticket, append)),
                Effect::Close { conn, refused } => self.closed.push((conn, refused.code)),
                Effect::WakeDevice { mailbox } => self.woken.push(mailbox),
                Effect::Answer { answer, .. } => self.answers.push(answer),
                Effect::Replied { conn, reply } => self.replies.push((conn, reply)),
                Effect::Ready { conn, id, .. } => self.ready.push((conn, id)),
                Effect::TimeTold { unix_ms, .. } => self.told_times.push(unix_ms),
                Effect::Established { .. } => {}
            }
        }
        if self.syncs_by_itself && !self.unsynced.is_empty() {
            self.sync();
        }
    }

    /// Everything asked for becomes durable.
    pub(super) fn sync(&mut self) {
        let Some(&(up_to, _)) = self.unsynced.last() else { return };
        let mut places = Vec::new();
        for (_, append) in self.unsynced.drain(..) {
            if matches!(append, Append::Accept { .. }) {
                places.push(Place { window: 1, sequence: self.next_place, offset: 0 });
                self.next_place += 1;
            }
            self.log.push(append);
        }
        self.input(Input::Durable { up_to, places });
    }

    /// The disk refuses everything asked for.
    pub(super) fn fail_to_sync(&mut self) {
        let Some(&(up_to, _)) = self.unsynced.last() else { return };
        self.unsynced.clear();
        self.input(Input::NotStored { up_to });
    }

    pub(super) fn connect(&mut self) -> ConnId {
        self.next_conn += 1;
        let conn = ConnId(self.next_conn);
        self.input(Input::Opened { conn, exporter: Some(exporter(conn)), signature: Bytes::new() });
        conn
    }

    /// A single request.
    pub(super) fn ask(&mut self, asker: crate::web::Asker, question: crate::web::Question) -> ConnId {
        self.next_conn += 1;
        let conn = ConnId(self.next_conn);
        self.input(Input::Asked { conn, asker, question });
        conn
    }

    /// An event stream of a device; what it is told first is taken.
    pub(super) fn watch(&mut self, device: &SigningKey) -> ConnId {
        self.next_conn += 1;
        let conn = ConnId(self.next_conn);
        self.input(Input::Watch { conn, device: key_of(device) });
        self.replies.pop();
        conn
    }

    pub(super) fn say(&mut self, conn: ConnId, body: ClientBody) {
        self.input(Input::Frame { conn, frame: ClientFrame { request: 9, body } });
    }

    /// The last thing that the box said on a connection.
    pub(super) fn last(&self, conn: ConnId) -> &ServerBody {
        let last = self.sent.iter().rev().find(|(to, _)| *to == conn);
        &last.expect("something was said").1.body
    }

    pub(super) fn last_code(&self, conn: ConnId) -> Option<Code> {
        match self.last(conn) {
            ServerBody::Error { code, .. } => Code::from_number(*code),
            _ => None,
        }
    }

    /// The last refusal on a connection.
    pub(super) fn refused(&self, conn: ConnId) -> Option<Code> {
        self.sent.iter().rev().find_map(|(to, frame)| match frame.body {
            ServerBody::Error { code, .. } if *to == conn => Code::from_number(code),
            _ => None,
        })
    }

    pub(super) fn admin(&mut self, ask: Ask) -> Answer {
        self.input(Input::Admin { request: 1, ask });
        self.answers.pop().expect("every question is answered once it is durable")
    }

    pub(super) fn invitation(&mut self) -> (InvitationId, hob_protocol::ids::InvitationSecret) {
        self.input(Input::Admin { request: 1, ask: Ask::Invite { expires_in: Duration::from_secs(86_400) } });
        match self.answers.pop() {
            Some(Answer::Invited { invitation, secret, .. }) => (invitation, secret),
            other => panic!("an invitation was asked for, not {other:?}"),
        }
    }

    pub(super) fn redeem(&mut self, conn: ConnId, device: &SigningKey, invitation: InvitationId, mac: [u8; 32]) {
        let device_key = key_of(device);
        let label = "ada".to_owned();
        self.say(conn, ClientBody::Redeem { invitation, device_key, label, binding: Binding::Native, mac });
    }

    /// A device that joined; its mailbox.
    pub(super) fn member(&mut self, device: &SigningKey) -> MailboxId {
        let (invitation, secret) = self.invitation();
        let conn = self.connect();
        let mac = redeem_mac(&secret, &key_of(device), &IDENTITY, Some(&exporter(conn)));
        self.redeem(conn, device, invitation, mac);
        match self.last(conn) {
            ServerBody::Admitted { mailbox, .. } => *mailbox,
            other => panic!("admitted, not {other:?}"),
        }
    }

    pub(super) fn nonce(&self, conn: ConnId) -> [u8; 32] {
        let challenge = self.sent.iter().rev().find_map(|(to, frame)| match frame.body {
            ServerBody::Challenge { nonce } if *to == conn => Some(nonce),
            _ => None,
        });
        challenge.expect("every connection is challenged")
    }

    pub(super) fn proof(&self, conn: ConnId, device: &SigningKey) -> ClientBody {
        let message = prove(&self.nonce(conn), &IDENTITY, BoundTo::Exporter(&exporter(conn)));
        ClientBody::Prove { device_key: key_of(device), signature: message.sign(device), origin: None, clock_ms: 0 }
    }

    /// An owner's connection.
    pub(super) fn owner(&mut self, device: &SigningKey) -> ConnId {
        let conn = self.connect();
        let proof = self.proof(conn, device);
        self.say(conn, proof);
        conn
    }

    /// Whether a device that proves itself is asked for its token list, and for its bundle.
    pub(super) fn asks(&mut self, device: &SigningKey) -> (bool, bool) {
        let owner = self.owner(device);
        let asked = self.sent.iter().rev().find_map(|(to, frame)| match frame.body {
            ServerBody::Proved { wants_token_list, wants_bundle, .. } if *to == owner => {
                Some((wants_token_list, wants_bundle))
            }
            _ => None,
        });
        asked.expect("the device is a member's")
    }

    /// Every event of the ledger so far.
    pub(super) fn ledger(&self) -> Vec<LedgerEvent> {
        let events = self.log.iter().filter_map(|append| match append {
            Append::Ledger(event) => Some(event.clone()),
            _ => None,
        });
        events.collect()
    }

    pub(super) fn grant(&mut self, owner: ConnId, byte: u8, kind: TokenKind) -> DeliveryToken {
        let token = DeliveryToken([byte; 32]);
        self.say(owner, ClientBody::TokenGrant(Grant { token_hash: token.hash(), kind }));
        assert_eq!(self.last(owner), &ServerBody::Done);
        token
    }

    pub(super) fn submit(&mut self, conn: ConnId, token: &DeliveryToken, envelope: Envelope) {
        self.submit_for(conn, token, envelope, Duration::from_secs(600));
    }

    pub(super) fn submit_for(&mut self, conn: ConnId, token: &DeliveryToken, envelope: Envelope, ttl: Duration) {
        let token = token.clone();
        self.say(conn, ClientBody::Submit { token, envelope, ttl, urgency: Urgency::Quiet, online_only: false });
    }

    /// A member with a connection and a token for somebody else.
    pub(super) fn home(&mut self, byte: u8) -> Home {
        let device = device(byte);
        let mailbox = self.member(&device);
        let owner = self.owner(&device);
        let token = self.grant(owner, byte, TokenKind::Contact);
        Home { device, mailbox, owner, token }
    }
}

pub(super) struct Home {
    pub(super) device: SigningKey,
    pub(super) mailbox: MailboxId,
    pub(super) owner: ConnId,
    pub(super) token: DeliveryToken,
}

pub(super) fn exporter(conn: ConnId) -> Exporter {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&conn.0.to_le_bytes());
    Exporter(bytes)
}

pub(super) fn accepted(duplicate: bool) -> impl Fn(&ServerBody) -> bool {
    move |body| matches!(body, ServerBody::Accepted { duplicate: was, .. } if *was == duplicate)
}
