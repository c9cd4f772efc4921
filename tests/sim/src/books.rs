//! The books of one box: what must be true, kept as a person would keep it, from what goes in and comes out.
//!
//! Nothing here is a copy of the rules: lists and sums, compared after the fact.
//!
//! # Layout
//! - this file: the books, and who is connected; `tokens`, `keeping` and `answers`: a promise's side each.

mod answers;
mod keeping;
mod tokens;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use hob_protocol::code::Code;
use hob_protocol::envelope::Envelope;
use hob_protocol::frame::{ClientBody, ClientFrame, Grant, ServerBody, ServerFrame, TokenKind};
use hob_protocol::ids::{EnvelopeId, MailboxId, TokenHash};
use hob_protocol::limits::{ENVELOPE_SIZES, INTRODUCTION_PENDING_MAX, TTL_MIN};
use hob_relay::clock::BoxTime;
use hob_relay::event::{Append, Place};
use hob_relay::quota::Config;
use hob_relay::status::Status;

use crate::the_box::Handed;

/// How long after its deadline an id may still be known.
const SWEPT_WITHIN: Duration = Duration::from_secs(11 * 60);

/// A promise is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Which promise, in a few words: the same words for the same promise.
    pub rule: &'static str,
    /// What happened.
    pub what: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Asked to be stored.
    Asked,
    /// Stored.
    Kept,
    /// Its owner has it.
    Acknowledged,
}

#[derive(Debug, Clone)]
struct Kept {
    number: u64,
    mailbox: MailboxId,
    deadline: BoxTime,
    bytes: u64,
    token: Option<TokenHash>,
    stage: Stage,
    place: Option<Place>,
    /// Whether the box told its sender that it is safe.
    answered: bool,
    /// The log has written down that its owner has it.
    is_marked: bool,
}

#[derive(Debug, Default)]
struct Mailbox {
    /// Pending, oldest first.
    queue: BTreeMap<u64, EnvelopeId>,
    bytes: u64,
    owner: Option<u64>,
    published: BTreeSet<[u8; 32]>,
}

#[derive(Debug)]
struct Conn {
    /// The mailbox of the device at its other end.
    of: Option<MailboxId>,
    proved: bool,
    last_pushed: u64,
    in_flight: BTreeSet<EnvelopeId>,
    requests: BTreeMap<u64, Request>,
}

#[derive(Debug, Clone)]
enum Request {
    Submit { token: TokenHash, id: EnvelopeId, ttl: Duration, online_only: bool, at: BoxTime },
    Fetch { token: TokenHash },
    Grant(Grant),
    Revoke(TokenHash),
    List(Vec<Grant>),
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Granted, and the box said so.
    Good,
    /// The box was told and has not said yes.
    Unsure,
    /// Revoked, and the box said so.
    Revoked,
}

#[derive(Debug, Clone)]
struct Token {
    mailbox: MailboxId,
    kind: TokenKind,
    standing: Standing,
    pending: u32,
    pending_bytes: u64,
    submits: Rate,
    fetches: Rate,
}

/// How often something was allowed since it was last quiet for long.
#[derive(Debug, Clone, Copy, Default)]
struct Rate {
    since: BoxTime,
    last: BoxTime,
    count: u64,
}

impl Rate {
    /// Notes one; whether a bucket of this size that is filled so fast could have given that many.
    fn note(&mut self, now: BoxTime, burst: u64, per_hour: u64) -> bool {
        let full_after_ms = burst * 3_600_000 / per_hour.max(1) + 1;
        if self.count == 0 || now.0.saturating_sub(self.last.0) > full_after_ms {
            *self = Self { since: now, last: now, count: 0 };
        }
        self.count += 1;
        // Answers come later than what they answer, and not always in its order.
        self.since = self.since.min(now);
        self.last = self.last.max(now);
        let gained = u64::try_from(now.since(self.since).as_millis()).unwrap_or(u64::MAX) * per_hour / 3_600_000;
        self.count <= burst + gained + 1
    }
}

/// The books of one box.
#[derive(Debug)]
pub struct Books {
    config: Config,
    kept: BTreeMap<EnvelopeId, Kept>,
    by_deadline: BTreeSet<(BoxTime, EnvelopeId)>,
    by_place: BTreeMap<(u32, u32), EnvelopeId>,
    /// The submit that the box is hearing just now: its token, its id in the token's mailbox, and its time to live.
    hearing: Option<(TokenHash, EnvelopeId, Duration)>,
    mailboxes: BTreeMap<MailboxId, Mailbox>,
    tokens: BTreeMap<TokenHash, Token>,
    conns: BTreeMap<u64, Conn>,
    pending: u64,
    pending_bytes: u64,
    /// Where accepted envelopes lay, and when they were accepted in true time: to look whether they can still be read.
    shelf: VecDeque<(u64, Place, u64)>,
    /// Ids that may be known: until their deadline, and a sweep after it.
    remembered: BTreeSet<(BoxTime, EnvelopeId)>,
    next_number: u64,
    /// Accepted so far.
    pub accepted: u64,
    /// The first thing that went wrong.
    pub wrong: Option<Wrong>,
}

impl Books {
    /// Empty books.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            kept: BTreeMap::new(),
            by_deadline: BTreeSet::new(),
            by_place: BTreeMap::new(),
            hearing: None,
            mailboxes: BTreeMap::new(),
            tokens: BTreeMap::new(),
            conns: BTreeMap::new(),
            pending: 0,
            pending_bytes: 0,
            shelf: VecDeque::new(),
            remembered: BTreeSet::new(),
            next_number: 0,
            accepted: 0,
            wrong: None,
        }
    }

    /// Notes what is wrong, if nothing was before.
    pub fn must(&mut self, holds: bool, rule: &'static str, what: impl FnOnce() -> String) {
        if !holds && self.wrong.is_none() {
            self.wrong = Some(Wrong { rule, what: what() });
        }
    }

    /// A connection is open at the box.
    pub fn opened(&mut self, conn: u64, of: Option<MailboxId>) {
        let new = Conn { of, proved: false, last_pushed: 0, in_flight: BTreeSet::new(), requests: BTreeMap::new() };
        self.conns.insert(conn, new);
    }

    /// It is gone.
    pub fn closed(&mut self, conn: u64) {
        let Some(gone) = self.conns.remove(&conn) else { return };
        if let Some(mailbox) = gone.of.and_then(|of| self.mailboxes.get_mut(&of))
            && mailbox.owner == Some(conn)
        {
            mailbox.owner = None;
        }
    }

    /// A frame reaches the box.
    pub fn frame(&mut self, now: BoxTime, conn: u64, frame: &ClientFrame) {
        let Some(at) = self.conns.get_mut(&conn) else { return };
        let (of, proved) = (at.of, at.proved);
        let request = match &frame.body {
            ClientBody::Submit { token, envelope, ttl, online_only, .. } => {
                let token = token.hash();
                let mailbox = self.tokens.get(&token).map_or(MailboxId([0; 16]), |token| token.mailbox);
                let id = envelope.id_in(&mailbox);
                Request::Submit { token, id, ttl: *ttl, online_only: *online_only, at: now }
            }
            ClientBody::BundleFetch { token } => Request::Fetch { token: token.hash() },
            ClientBody::TokenGrant(grant) if proved => Request::Grant(*grant),
            ClientBody::TokenRevoke { token_hash } if proved => Request::Revoke(*token_hash),
            ClientBody::TokenList { grants } if proved => Request::List(grants.clone()),
            _ => Request::Other,
        };
        at.requests.insert(frame.request, request.clone());
        self.hearing = match request {
            Request::Submit { token, id, ttl, online_only: false, .. } => Some((token, id, ttl)),
            _ => None,
        };
        match (&frame.body, of.filter(|_| proved)) {
            (ClientBody::Acknowledge { ids }, Some(mailbox)) => {
                for id in ids {
                    self.acknowledged(id, &mailbox);
                }
            }
            (ClientBody::BundlePublish { bundle, .. }, Some(mailbox)) => {
                self.mailboxes.entry(mailbox).or_default().published.insert(digest(bundle));
            }
            (_, Some(mailbox)) => self.tokens_change(&mailbox, &request),
            _ => {}
        }
    }

    /// The sums.
    pub fn check(&mut self, status: &Status) {
        let (pending, bytes) = (self.pending, self.pending_bytes);
        self.must(status.pending == pending && status.pending_bytes == bytes, "the box counts what it keeps", || {
            format!(
                "it counts {} ({} bytes), the books {pending} ({bytes} bytes)",
                status.pending, status.pending_bytes
            )
        });
        let (open, counted) = (self.conns.len() as u64, status.owners_connected + status.others_connected);
        self.must(open == counted, "the box forgets connections that are gone", || {
            format!("it counts {counted}, there are {open}")
        });
        let known = self.kept.values().filter(|kept| kept.stage == Stage::Acknowledged).count() as u64;
        let most = self.remembered.len() as u64;
        self.must(
            status.known_ids >= known && status.known_ids <= most,
            "ids are known until their deadline, and not for ever",
            || format!("{} ids are known, {known} are in the books", status.known_ids),
        );
        let owners: Vec<(MailboxId, u64)> =
            self.mailboxes.iter().filter_map(|(id, mailbox)| mailbox.owner.map(|owner| (*id, owner))).collect();
        for (id, owner) in owners {
            self.check_flight(&id, owner);
        }
    }

    /// Everything that is stored is on its way to an owner who is there, up to the credit.
    pub(super) fn check_flight(&mut self, id: &MailboxId, owner: u64) {
        let (Some(mailbox), Some(conn)) = (self.mailboxes.get(id), self.conns.get(&owner)) else { return };
        let stored = mailbox.queue.values().map_while(|id| self.kept.get(id).filter(|kept| kept.stage == Stage::Kept));
        let want = stored.count().min(self.config.credit_max as usize);
        let got = conn.in_flight.len();
        self.must(got == want, "an owner who is there gets everything", || {
            format!("{got} in flight, {want} should be")
        });
    }

    /// Ids of envelopes that wait, and tokens that are good: what a meddler would like to get at.
    pub fn what_others_have(&self) -> (Vec<EnvelopeId>, Vec<TokenHash>) {
        let ids = self.kept.iter().filter(|(_, kept)| kept.stage == Stage::Kept).map(|(id, _)| *id);
        let tokens = self.tokens.iter().filter(|(_, token)| token.standing == Standing::Good).map(|(hash, _)| *hash);
        (ids.take(512).collect(), tokens.take(16).collect())
    }

    /// Whether nothing waits, and nobody is connected.
    pub fn is_idle(&self) -> bool {
        self.pending == 0 && self.conns.is_empty() && self.shelf.is_empty()
    }

    /// Pending envelopes.
    pub const fn pending(&self) -> u64 {
        self.pending
    }

    /// The number of an envelope, for the trace: the same in every run of a seed.
    pub fn number_of(&self, id: &EnvelopeId) -> u64 {
        self.kept.get(id).map_or(0, |kept| kept.number)
    }
}

fn digest(bundle: &Bytes) -> [u8; 32] {
    // Hash enough to tell bundles apart.
    let mut digest = [0u8; 32];
    for (at, byte) in bundle.iter().enumerate() {
        let slot = &mut digest[at % 32];
        *slot = slot.rotate_left(3) ^ byte;
    }
    digest
}
