//! The books of one box: what must be true, kept as a person would keep it, from what goes in and comes out.
//!
//! Nothing here is a copy of the rules: lists and sums, compared after the fact.

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
        self.last = now;
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
    /// The submit that the box is hearing just now.
    hearing: Option<(TokenHash, Duration)>,
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
            Request::Submit { token, ttl, online_only: false, .. } => Some((token, ttl)),
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

    fn tokens_change(&mut self, mailbox: &MailboxId, request: &Request) {
        let granted: &[Grant] = match request {
            Request::Grant(grant) => std::slice::from_ref(grant),
            Request::List(grants) => grants,
            _ => &[],
        };
        for grant in granted {
            let new = Token {
                mailbox: *mailbox,
                kind: grant.kind,
                standing: Standing::Unsure,
                pending: 0,
                pending_bytes: 0,
                submits: Rate::default(),
                fetches: Rate::default(),
            };
            let token = self.tokens.entry(grant.token_hash).or_insert(new);
            if token.standing == Standing::Revoked {
                token.standing = Standing::Unsure;
            }
        }
        let dropped: Vec<TokenHash> = match request {
            Request::Revoke(hash) => vec![*hash],
            Request::List(grants) => self.unlisted(mailbox, grants),
            _ => Vec::new(),
        };
        for hash in dropped {
            if let Some(token) = self.tokens.get_mut(&hash).filter(|token| token.mailbox == *mailbox) {
                token.standing = Standing::Unsure;
            }
        }
    }

    fn unlisted(&self, mailbox: &MailboxId, grants: &[Grant]) -> Vec<TokenHash> {
        let is_listed = |hash: &TokenHash| grants.iter().any(|grant| grant.token_hash == *hash);
        let mine = self.tokens.iter().filter(|(_, token)| token.mailbox == *mailbox);
        mine.filter(|(hash, token)| !is_listed(hash) && token.standing != Standing::Revoked)
            .map(|(hash, _)| *hash)
            .collect()
    }

    fn settle_tokens(&mut self, mailbox: &MailboxId, request: &Request) {
        let (good, gone): (Vec<TokenHash>, Vec<TokenHash>) = match request {
            Request::Grant(grant) => (vec![grant.token_hash], Vec::new()),
            Request::Revoke(hash) => (Vec::new(), vec![*hash]),
            Request::List(grants) => {
                (grants.iter().map(|grant| grant.token_hash).collect(), self.unlisted(mailbox, grants))
            }
            _ => return,
        };
        for (hashes, standing) in [(good, Standing::Good), (gone, Standing::Revoked)] {
            for hash in hashes {
                if let Some(token) = self.tokens.get_mut(&hash).filter(|token| token.mailbox == *mailbox) {
                    token.standing = standing;
                }
            }
        }
    }

    fn acknowledged(&mut self, id: &EnvelopeId, mailbox: &MailboxId) {
        let Some(kept) = self.kept.get_mut(id).filter(|kept| kept.mailbox == *mailbox && kept.stage == Stage::Kept)
        else {
            return;
        };
        kept.stage = Stage::Acknowledged;
        let kept = kept.clone();
        self.leaves(id, &kept);
    }

    /// It does not wait any more.
    fn leaves(&mut self, id: &EnvelopeId, kept: &Kept) {
        self.pending -= 1;
        self.pending_bytes -= kept.bytes;
        let Some(mailbox) = self.mailboxes.get_mut(&kept.mailbox) else { return };
        mailbox.queue.remove(&kept.number);
        mailbox.bytes -= kept.bytes;
        if let Some(conn) = mailbox.owner.and_then(|owner| self.conns.get_mut(&owner)) {
            conn.in_flight.remove(id);
        }
        if let Some(token) = kept.token.and_then(|token| self.tokens.get_mut(&token)) {
            token.pending = token.pending.saturating_sub(1);
            token.pending_bytes = token.pending_bytes.saturating_sub(kept.bytes);
        }
    }

    /// Everything past its deadline is crossed out.
    pub fn expire(&mut self, now: BoxTime) {
        while self.remembered.first().is_some_and(|(until, _)| *until <= now) {
            self.remembered.pop_first();
        }
        while let Some(&(deadline, id)) = self.by_deadline.first().filter(|(deadline, _)| *deadline <= now) {
            self.by_deadline.remove(&(deadline, id));
            if let Some(kept) = self.kept.remove(&id)
                && kept.stage != Stage::Acknowledged
            {
                self.leaves(&id, &kept);
            }
        }
    }

    /// The rules ask for an append.
    pub fn appended(&mut self, now: BoxTime, append: &Append) {
        match append {
            Append::Accept { mailbox, id, deadline, body, .. } => self.accepting(now, mailbox, id, *deadline, body),
            Append::Acknowledge { place } => {
                let found = self.at(place).map(|kept| kept.stage);
                let fits = found.is_none_or(|stage| stage == Stage::Acknowledged);
                self.must(fits, "only its owner acknowledges an envelope", || {
                    format!("the envelope at {place:?} is marked as read")
                });
            }
            Append::Expire { place } => {
                let waits = self.at(place).is_some_and(|kept| kept.stage == Stage::Kept && kept.deadline > now);
                self.must(!waits, "nothing is dropped before its time", || {
                    format!("the envelope at {place:?} is dropped")
                });
            }
            Append::Ledger(_) => {}
        }
    }

    fn at(&self, place: &Place) -> Option<&Kept> {
        self.by_place.get(&(place.window, place.sequence)).and_then(|id| self.kept.get(id))
    }

    fn accepting(&mut self, now: BoxTime, mailbox: &MailboxId, id: &EnvelopeId, deadline: BoxTime, body: &Bytes) {
        let is_new = !self.kept.contains_key(id);
        self.must(is_new, "an envelope is taken once", || {
            format!("envelope {id} is taken a second time before its deadline")
        });
        let whose = Envelope::new(body.clone()).map(|envelope| envelope.id_in(mailbox)).ok();
        self.must(whose == Some(*id), "an envelope's id is that of its bytes", || {
            format!("envelope {id} has other bytes")
        });
        let Some((token, ttl)) = self.hearing.take() else {
            return self.must(false, "what is kept was submitted", || format!("envelope {id} was submitted by nobody"));
        };
        let longest = ttl.min(self.config.ttl_max());
        let in_time = deadline <= now.plus(longest) && deadline.plus(Duration::from_secs(1)) > now.plus(longest);
        self.must(in_time, "a deadline is what the sender asked for, at most", || {
            format!("asked for {ttl:?} at {now:?}, kept until {deadline:?}")
        });
        let bytes = body.len() as u64;
        self.check_token(&token, mailbox);
        self.check_room(&token, mailbox, bytes);
        self.next_number += 1;
        let number = self.next_number;
        let kept = Kept {
            number,
            mailbox: *mailbox,
            deadline,
            bytes,
            token: Some(token),
            stage: Stage::Asked,
            place: None,
            answered: false,
        };
        self.adds(*id, kept);
        if let Some(token) = self.tokens.get_mut(&token) {
            token.pending += 1;
            token.pending_bytes += bytes;
        }
    }

    fn adds(&mut self, id: EnvelopeId, kept: Kept) {
        self.pending += 1;
        self.pending_bytes += kept.bytes;
        let mailbox = self.mailboxes.entry(kept.mailbox).or_default();
        mailbox.queue.insert(kept.number, id);
        mailbox.bytes += kept.bytes;
        self.by_deadline.insert((kept.deadline, id));
        self.remembered.insert((kept.deadline.plus(SWEPT_WITHIN), id));
        self.kept.insert(id, kept);
    }

    fn check_token(&mut self, token: &TokenHash, mailbox: &MailboxId) {
        let found = self.tokens.get(token).map(|token| (token.mailbox, token.standing));
        let good = found.is_some_and(|(of, standing)| of == *mailbox && standing != Standing::Revoked);
        self.must(good, "nothing is accepted without a token that is good", || {
            format!("accepted by a token that is {found:?}")
        });
    }

    fn check_room(&mut self, token: &TokenHash, mailbox: &MailboxId, bytes: u64) {
        let config = self.config.clone();
        let (count, held) =
            self.mailboxes.get(mailbox).map_or((0, 0), |mailbox| (mailbox.queue.len() as u64, mailbox.bytes));
        let small = bytes == ENVELOPE_SIZES[0] as u64;
        let places =
            if small { config.mailbox_envelopes } else { config.mailbox_envelopes - config.mailbox_small_places };
        let fits = count < u64::from(places) && held + bytes <= config.mailbox_bytes;
        self.must(fits, "a mailbox holds no more than its quota", || {
            format!("{count} envelopes, {held} bytes, and {bytes} more")
        });
        let Some(of_token) = self.tokens.get(token) else { return };
        let (pending, pending_bytes, kind) = (of_token.pending, of_token.pending_bytes, of_token.kind);
        let most = if kind == TokenKind::Introduction { INTRODUCTION_PENDING_MAX } else { u32::MAX };
        let share = (config.mailbox_envelopes / 4).max(1).min(most);
        let fits = pending < share && pending_bytes + bytes <= config.mailbox_bytes / 4;
        self.must(fits, "one token holds no more than its share", || {
            format!("{pending} envelopes, {pending_bytes} bytes, and {bytes} more")
        });
    }

    /// A commit is durable: where its envelopes lie.
    pub fn durable(&mut self, batch: &[Append], places: &[Place], true_ms: u64) {
        let mut places = places.iter();
        for append in batch {
            let Append::Accept { id, .. } = append else { continue };
            let place = places.next().copied();
            self.must(place.is_some(), "a commit tells where everything lies", || {
                format!("envelope {id} lies nowhere")
            });
            let number = self.kept.get_mut(id).map(|kept| {
                kept.stage = Stage::Kept;
                kept.place = place;
                kept.number
            });
            if let Some(place) = place {
                self.by_place.insert((place.window, place.sequence), *id);
                self.shelf.push_back((true_ms, place, number.unwrap_or(0)));
            }
        }
    }

    /// A commit was refused.
    pub fn not_stored(&mut self, batch: &[Append]) {
        for append in batch {
            if let Append::Accept { id, .. } = append {
                self.never_was(id);
            }
        }
    }

    fn never_was(&mut self, id: &EnvelopeId) {
        if let Some(kept) = self.kept.get(id).filter(|kept| kept.stage == Stage::Asked).cloned() {
            self.kept.remove(id);
            self.by_deadline.remove(&(kept.deadline, *id));
            self.leaves(id, &kept);
        }
    }

    /// The box says something.
    pub fn said(&mut self, now: BoxTime, conn: u64, frame: &ServerFrame) {
        let Some(at) = self.conns.get_mut(&conn) else {
            return;
        };
        let of = at.of;
        if let ServerBody::Proved { mailbox, .. } = &frame.body {
            at.proved = true;
            let fits = of == Some(*mailbox);
            let before = self.mailboxes.entry(*mailbox).or_default().owner.replace(conn);
            self.must(fits, "a mailbox opens to its own device only", || {
                format!("mailbox {mailbox:?} was opened by another device")
            });
            let taken_over = before.is_some_and(|before| before != conn && self.conns.contains_key(&before));
            if taken_over && let Some(before) = before {
                // Its end is told to it in the same breath.
                self.conns.remove(&before);
            }
            return;
        }
        if frame.request == 0 {
            return;
        }
        let Some(request) = at.requests.remove(&frame.request) else { return };
        match (&request, &frame.body) {
            (Request::Submit { token, id, ttl, online_only, at }, body) => {
                let submit = (*token, *id, *ttl, *online_only, *at);
                self.submit_answered(now, submit, body);
            }
            (Request::Fetch { token }, body) => self.fetch_answered(now, token, body),
            (_, ServerBody::Done) => {
                if let Some(mailbox) = of {
                    self.settle_tokens(&mailbox, &request);
                }
            }
            _ => {}
        }
    }

    fn submit_answered(
        &mut self,
        now: BoxTime,
        (token, id, ttl, online_only, at): (TokenHash, EnvelopeId, Duration, bool, BoxTime),
        body: &ServerBody,
    ) {
        let (burst, per_hour) = (u64::from(self.config.token_burst), u64::from(self.config.token_per_second) * 3600);
        match body {
            ServerBody::Accepted { ttl: left, duplicate } => {
                let standing = self.tokens.get(&token).map(|token| token.standing);
                let good = standing.is_some_and(|standing| standing != Standing::Revoked) || now > at;
                self.must(good, "nothing is accepted without a token that is good", || {
                    format!("answered `accepted` to a token that is {standing:?}")
                });
                let most = ttl.min(self.config.ttl_max());
                self.must(*left <= most, "nobody is promised more time than was asked for", || {
                    format!("{left:?} of {most:?}")
                });
                if !online_only {
                    self.accepted_is_true(now, &id, *duplicate, at, most);
                }
                self.rate(now, &token, burst, per_hour);
            }
            ServerBody::Error { code, .. } => match Code::from_number(*code) {
                Some(Code::NoSuchToken) => self.check_refusal(&token),
                Some(Code::MailboxFull) => {
                    self.check_fullness(&token);
                    self.rate(now, &token, burst, per_hour);
                }
                Some(Code::CannotStore | Code::TooFast | Code::Restarting) => {}
                Some(Code::TtlTooShort) => {
                    self.must(ttl < TTL_MIN, "a refusal has its reason", || format!("{ttl:?} is too short"))
                }
                other => {
                    self.must(false, "a refusal has its reason", || format!("a submit was refused with {other:?}"))
                }
            },
            other => self.must(false, "a submit is answered", || format!("with {other:?}")),
        }
    }

    fn accepted_is_true(&mut self, now: BoxTime, id: &EnvelopeId, duplicate: bool, at: BoxTime, most: Duration) {
        let over = at.plus(most) <= now.plus(Duration::from_secs(1));
        match self.kept.get_mut(id) {
            Some(kept) => {
                let (stage, answered) = (kept.stage, kept.answered);
                kept.answered = true;
                let durable = stage != Stage::Asked;
                self.must(durable, "nothing is answered before it is durable", || {
                    format!("envelope {id} is not in the log and was answered")
                });
                self.must(duplicate || !answered, "an envelope is taken once", || {
                    format!("envelope {id} was accepted twice")
                });
                if !duplicate {
                    self.accepted += 1;
                }
            }
            None => self.must(over || duplicate, "what is accepted is kept", || {
                format!("envelope {id} was accepted and is not kept")
            }),
        }
    }

    fn rate(&mut self, now: BoxTime, token: &TokenHash, burst: u64, per_hour: u64) {
        let fits = self.tokens.get_mut(token).is_none_or(|token| token.submits.note(now, burst, per_hour));
        self.must(fits, "a token is no faster than it may be", || "a token's submits were taken faster".to_owned());
    }

    /// A token that is good is not refused. (Those of introductions end by themselves.)
    fn check_refusal(&mut self, token: &TokenHash) {
        let good = self
            .tokens
            .get(token)
            .is_some_and(|token| token.standing == Standing::Good && token.kind == TokenKind::Contact);
        self.must(!good, "a token that is good is taken", || "a good token was refused".to_owned());
    }

    fn check_fullness(&mut self, token: &TokenHash) {
        let Some(of_token) = self.tokens.get(token) else { return };
        let Some(mailbox) = self.mailboxes.get(&of_token.mailbox) else { return };
        let config = &self.config;
        let largest = hob_protocol::limits::ENVELOPE_BYTES_MAX as u64;
        let share = config.mailbox_envelopes / 4;
        let nearly = mailbox.queue.len() as u64 >= u64::from(config.mailbox_envelopes - config.mailbox_small_places)
            || mailbox.bytes + largest > config.mailbox_bytes
            || of_token.pending >= share.min(INTRODUCTION_PENDING_MAX)
            || of_token.pending_bytes + largest > config.mailbox_bytes / 4;
        let (count, held) = (mailbox.queue.len(), of_token.pending);
        self.must(nearly, "a refusal has its reason", || {
            format!("called full with {count} envelopes, {held} of this token")
        });
    }

    fn fetch_answered(&mut self, now: BoxTime, token: &TokenHash, body: &ServerBody) {
        match body {
            ServerBody::Bundle { bundle } => {
                let found = self.tokens.get(token).map(|token| (token.mailbox, token.standing));
                let good = found.is_some_and(|(_, standing)| standing != Standing::Revoked);
                self.must(good, "nothing is accepted without a token that is good", || {
                    format!("a bundle was given to a token that is {found:?}")
                });
                let of = found.and_then(|(mailbox, _)| self.mailboxes.get(&mailbox));
                let its_own = of.is_some_and(|mailbox| mailbox.published.contains(&digest(bundle)));
                self.must(its_own, "a bundle is its owner's", || {
                    "a bundle was given that its owner never published".to_owned()
                });
                let per_hour = u64::from(self.config.bundle_fetches_per_hour);
                let fits = self.tokens.get_mut(token).is_none_or(|token| token.fetches.note(now, per_hour, per_hour));
                self.must(fits, "a bundle is fetched so often and no more", || format!("more than {per_hour} an hour"));
            }
            ServerBody::Error { code, .. } if Code::from_number(*code) == Some(Code::NoSuchToken) => {
                self.check_refusal(token)
            }
            _ => {}
        }
    }

    /// The box pushes an envelope that it keeps. `sealed`: its bytes, where they could be had.
    pub fn pushed(&mut self, now: BoxTime, conn: u64, id: &EnvelopeId, ttl: Duration, sealed: Option<&Bytes>) {
        let Some(at) = self.conns.get_mut(&conn) else {
            return self
                .must(false, "what is pushed goes to its owner", || "pushed to a connection that is gone".to_owned());
        };
        let (of, proved, last) = (at.of, at.proved, at.last_pushed);
        let Some(kept) = self.kept.get(id).cloned() else {
            return self.must(false, "nothing is pushed past its deadline", || {
                format!("envelope {id} was pushed at {now:?}; it is not kept any more")
            });
        };
        self.must(proved && of == Some(kept.mailbox), "what is pushed goes to its owner", || {
            format!("envelope {id} went to another device")
        });
        self.must(kept.stage != Stage::Asked, "nothing is pushed before it is durable", || {
            format!("envelope {id} is not in the log and was pushed")
        });
        self.must(kept.stage != Stage::Acknowledged, "what was acknowledged is not pushed again", || {
            format!("envelope {id} was")
        });
        self.must(kept.number > last, "a mailbox is pushed in order", || {
            format!("number {} after number {last}", kept.number)
        });
        self.must(
            kept.deadline > now && ttl <= kept.deadline.since(now),
            "nothing is pushed past its deadline",
            || format!("envelope {id}, due at {:?}, at {now:?}", kept.deadline),
        );
        if let Some(sealed) = sealed {
            let whose = Envelope::new(sealed.clone()).ok().map(|envelope| envelope.id_in(&kept.mailbox));
            self.must(whose == Some(*id), "an envelope comes as it was sent", || {
                format!("envelope {id} has other bytes")
            });
        }
        if let Some(at) = self.conns.get_mut(&conn) {
            at.last_pushed = kept.number;
            at.in_flight.insert(*id);
        }
    }

    /// An envelope cannot be read any more: the box gives it up. Whether it may is for the disk's story to say.
    pub fn given_up(&mut self, id: &EnvelopeId) {
        if let Some(kept) = self.kept.remove(id) {
            self.by_deadline.remove(&(kept.deadline, *id));
            if kept.stage != Stage::Acknowledged {
                self.leaves(id, &kept);
            }
        }
    }

    /// Windows are gone before their envelopes' deadlines, and the box says so.
    /// Returns how many waited.
    pub fn lost(&mut self, is_gone: impl Fn(u32) -> bool) -> usize {
        let gone = self.kept.iter().filter(|(_, kept)| kept.place.is_some_and(|place| is_gone(place.window)));
        let gone: Vec<(EnvelopeId, Stage)> = gone.map(|(id, kept)| (*id, kept.stage)).collect();
        for (id, _) in &gone {
            self.given_up(id);
        }
        gone.iter().filter(|(_, stage)| *stage == Stage::Kept).count()
    }

    /// What the rules were handed by a start, against what was promised before it.
    pub fn started(&mut self, now: BoxTime, handed: &Handed, was_cut: bool) {
        self.conns.clear();
        self.hearing = None;
        for mailbox in self.mailboxes.values_mut() {
            mailbox.owner = None;
        }
        for token in self.tokens.values_mut() {
            (token.pending, token.pending_bytes) = (0, 0);
            (token.submits, token.fetches) = (Rate::default(), Rate::default());
        }
        self.expire(now);
        self.remembered.extend(handed.known.iter().map(|id| (now.plus(SWEPT_WITHIN), *id)));
        let lost: BTreeSet<u32> = handed.lost_windows.iter().map(|(window, _)| *window).collect();
        let found: BTreeMap<EnvelopeId, _> = handed.pending.iter().copied().collect();
        for id in self.kept.keys().copied().collect::<Vec<_>>() {
            let Some(kept) = self.kept.get_mut(&id) else { continue };
            kept.token = None;
            let kept = kept.clone();
            let is_found = found.get(&id);
            match (kept.stage, is_found) {
                (Stage::Asked, None) => self.never_was(&id),
                (Stage::Kept, None) => {
                    let told = kept.place.is_some_and(|place| lost.contains(&place.window));
                    self.must(told || !kept.answered, "what was accepted outlives a crash", || {
                        format!("envelope {id} is gone after a start")
                    });
                    self.given_up(&id);
                }
                (Stage::Acknowledged, None) => {
                    let told = kept.place.is_some_and(|place| lost.contains(&place.window));
                    let known = handed.known.contains(&id);
                    self.must(known || told, "ids are known until their deadline", || {
                        format!("envelope {id} is forgotten after a start")
                    });
                }
                (Stage::Acknowledged, Some(_)) => {
                    // Acknowledgements are not synced by themselves: one may be lost with the power.
                    self.must(was_cut, "what was acknowledged is not pushed again", || {
                        format!("envelope {id} is pending again")
                    });
                    self.kept.remove(&id);
                    self.adds(id, Kept { stage: Stage::Kept, ..kept });
                }
                (Stage::Asked | Stage::Kept, Some(pending)) => {
                    let fits = pending.mailbox == kept.mailbox && pending.deadline == kept.deadline;
                    self.must(fits, "the log gives back what it took", || {
                        format!("envelope {id} came back as another")
                    });
                    if let Some(kept) = self.kept.get_mut(&id) {
                        kept.stage = Stage::Kept;
                        kept.place = Some(pending.place);
                    }
                }
            }
        }
        for (hash, token) in self.tokens.clone() {
            let found = handed.tokens.contains(&hash);
            let fits = match token.standing {
                // Those of introductions end by themselves.
                Standing::Good => found || token.kind == TokenKind::Introduction,
                Standing::Revoked => !found,
                Standing::Unsure => true,
            };
            self.must(fits, "the ledger outlives a start", || format!("a token that is {:?}", token.standing));
        }
        for (id, pending) in &handed.pending {
            let known = self.kept.contains_key(id) || pending.deadline <= now;
            self.must(known, "nothing is alive past its deadline", || format!("envelope {id} came back after a start"));
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
    fn check_flight(&mut self, id: &MailboxId, owner: u64) {
        let (Some(mailbox), Some(conn)) = (self.mailboxes.get(id), self.conns.get(&owner)) else { return };
        let stored = mailbox.queue.values().map_while(|id| self.kept.get(id).filter(|kept| kept.stage == Stage::Kept));
        let want = stored.count().min(self.config.credit_max as usize);
        let got = conn.in_flight.len();
        self.must(got == want, "an owner who is there gets everything", || {
            format!("{got} in flight, {want} should be")
        });
    }

    /// Places of envelopes that were accepted longer ago than anything may be kept: they must not be readable.
    pub fn overdue(&mut self, before_ms: u64) -> Vec<(Place, u64)> {
        let mut due = Vec::new();
        while let Some(&(_, place, number)) = self.shelf.front().filter(|(at_ms, ..)| *at_ms < before_ms) {
            self.shelf.pop_front();
            self.by_place.remove(&(place.window, place.sequence));
            due.push((place, number));
        }
        due
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
