//! From token to envelope: what is taken, what is refused, what is a repeat.

use std::time::Duration;

use hob_protocol::code::{Code, Refused};
use hob_protocol::envelope::Envelope;
use hob_protocol::frame::{ServerBody, TokenKind, Urgency};
use hob_protocol::ids::{DeliveryToken, EnvelopeId};
use hob_protocol::limits::{ENVELOPE_SIZES, INTRODUCTION_PENDING_MAX, INTRODUCTION_TOTAL_MAX, TTL_MIN};
use hob_protocol::planted;

use crate::clock::Now;
use crate::connection::{BAD_TOKENS_MAX, Role};
use crate::event::Append;
use crate::pending::{Deadline, New, Stage};
use crate::{Body, ConnId, Effect, Effects, Relay, Storing, Waiting};

/// How long a sender is told to wait for room. Always the same: a time that depends on the mailbox would tell how long
/// its owner has been away.
const ROOM_AFTER: Duration = Duration::from_secs(600);

/// How long a sender is told to wait for a disk that fails.
const DISK_AFTER: Duration = Duration::from_secs(30);

pub(crate) struct Submit {
    pub(crate) token: DeliveryToken,
    pub(crate) envelope: Envelope,
    pub(crate) ttl: Duration,
    pub(crate) urgency: Urgency,
    pub(crate) online_only: bool,
}

impl Relay {
    pub(crate) fn submit(
        &mut self,
        now: Now,
        conn: ConnId,
        request: u64,
        submit: Submit,
        effects: &mut Effects,
    ) -> Result<(), Refused> {
        if self.going_down {
            return Err(Refused::for_now(Code::Restarting, Duration::from_secs(5)));
        }
        let token = self.good_token(now, conn, &submit.token, effects)?;
        let (burst, rate) = (self.config.token_burst, (self.config.token_per_second, Duration::from_secs(1)));
        let Some(state) = self.tokens.get_mut(token) else {
            return Err(Refused::finally(Code::NoSuchToken));
        };
        let mailbox = state.mailbox;
        let charged = state.bucket.take(now.box_time, 1, burst, rate);
        if !planted!("token-not-charged") {
            charged.map_err(|after| Refused::for_now(Code::TooFast, after))?;
        }
        if submit.ttl < TTL_MIN {
            return Err(Refused::finally(Code::TtlTooShort));
        }
        let ttl = submit.ttl.min(self.config.ttl_max());
        if submit.online_only {
            self.pass_on(mailbox, submit, ttl, effects);
            effects.send(conn, request, ServerBody::Accepted { ttl, duplicate: false });
            return Ok(());
        }
        let Some(owner) = self.mailboxes.get(mailbox) else {
            return Err(Refused::finally(Code::NoSuchToken));
        };
        let id = submit.envelope.id_in(&owner.id);
        if self.answer_repeat(now, conn, request, &id, effects) {
            return Ok(());
        }
        if planted!("accepted-but-swallowed") && id.as_bytes().first().is_some_and(|byte| *byte < 4) {
            effects.send(conn, request, ServerBody::Accepted { ttl, duplicate: false });
            return Ok(());
        }
        self.check_room(now, mailbox, token, submit.envelope.len())?;
        self.keep(now, conn, request, (mailbox, token), id, submit, ttl, effects);
        Ok(())
    }

    /// The number of a token that is known and not expired. Everything else is answered alike.
    pub(crate) fn good_token(
        &mut self,
        now: Now,
        conn: ConnId,
        token: &DeliveryToken,
        effects: &mut Effects,
    ) -> Result<u32, Refused> {
        let found = self.tokens.find(&token.hash());
        let good = found.filter(|&number| {
            self.tokens.get(number).is_some_and(|token| {
                let spent = token.kind == TokenKind::Introduction && token.submitted >= INTRODUCTION_TOTAL_MAX;
                !token.is_expired(now.ledger_time) && !spent
            })
        });
        let Some(connection) = self.connections.get_mut(&conn) else {
            return Err(Refused::finally(Code::NoSuchToken));
        };
        match good {
            Some(number) => {
                connection.role = Role::Sender;
                self.establish(conn, effects);
                Ok(number)
            }
            None => {
                connection.bad_tokens += 1;
                if connection.bad_tokens > BAD_TOKENS_MAX {
                    self.close(conn, Refused::for_now(Code::TooFast, Duration::from_secs(60)), effects);
                }
                Err(Refused::finally(Code::NoSuchToken))
            }
        }
    }

    /// Online-only: pushed now or dropped; what happened is not told, so nobody learns who is there.
    fn pass_on(&mut self, mailbox: u32, submit: Submit, ttl: Duration, effects: &mut Effects) {
        self.counters.online_only += 1;
        let Some(mailbox) = self.mailboxes.get(mailbox) else {
            return;
        };
        let sealed = submit.envelope.into_bytes();
        let there: Vec<ConnId> =
            mailbox.owner.iter().map(|owner| owner.conn).chain(mailbox.watchers.iter().copied()).collect();
        if there.is_empty() && submit.urgency == Urgency::Wake {
            effects.push(Effect::WakeDevice { mailbox: mailbox.id });
        }
        for conn in there {
            let body = Body::Here(sealed.clone(), None);
            effects.push(Effect::Push { conn, id: EnvelopeId::ONLINE_ONLY, ttl, body });
        }
    }

    /// Answers a repeat. Whether the first one was read is not told.
    fn answer_repeat(&mut self, now: Now, conn: ConnId, request: u64, id: &EnvelopeId, effects: &mut Effects) -> bool {
        if let Some(entry) = self.pending.find(id) {
            let Some(found) = self.pending.get(entry) else {
                return false;
            };
            let ttl = found.deadline.left(now.box_time);
            self.counters.duplicates += 1;
            if self.pending.stage(entry) == Some(Stage::Storing) {
                // Not durable yet: the repeat waits like the first.
                self.wait(Waiting::Repeat { conn, request, ttl }, effects);
            } else {
                effects.send(conn, request, ServerBody::Accepted { ttl, duplicate: true });
            }
            return true;
        }
        let known = self.pending.known(id, now.box_time).filter(|_| !planted!("dedupe-forgotten"));
        let Some(deadline) = known else {
            return false;
        };
        self.counters.duplicates += 1;
        let ttl = deadline.left(now.box_time);
        effects.send(conn, request, ServerBody::Accepted { ttl, duplicate: true });
        true
    }

    fn check_room(&mut self, now: Now, mailbox: u32, token: u32, body_bytes: usize) -> Result<(), Refused> {
        if !self.may_store(now) {
            return Err(Refused::for_now(Code::CannotStore, DISK_AFTER));
        }
        let config = &self.config;
        let added = body_bytes as u64;
        let ids = u64::from(self.pending.len()) + self.pending.known_len() as u64;
        if self.pending.bytes() + added > config.box_bytes || ids >= u64::from(config.box_ids) {
            return Err(Refused::for_now(Code::CannotStore, ROOM_AFTER));
        }
        let (Some(owner), Some(token)) = (self.mailboxes.get_mut(mailbox), self.tokens.get(token)) else {
            return Err(Refused::finally(Code::NoSuchToken));
        };
        let places_for_all = config.mailbox_envelopes.saturating_sub(config.mailbox_small_places);
        let small = body_bytes == ENVELOPE_SIZES[0];
        let places = if small { config.mailbox_envelopes } else { places_for_all };
        let share = config.mailbox_envelopes / 4;
        let is_introduction = token.kind == TokenKind::Introduction;
        let places = if planted!("quota-off-by-one") { places + 1 } else { places };
        let share = if planted!("token-share-ignored") { config.mailbox_envelopes } else { share };
        let full = owner.queue.count >= places
            || owner.bytes + added > config.mailbox_bytes
            || token.pending >= share.max(1)
            || token.pending_bytes + added > config.mailbox_bytes / 4
            || (is_introduction && token.pending >= INTRODUCTION_PENDING_MAX);
        if full {
            owner.refused += 1;
            return Err(Refused::for_now(Code::MailboxFull, ROOM_AFTER));
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "one submit has that many parts, and they are used once")]
    fn keep(
        &mut self,
        now: Now,
        conn: ConnId,
        request: u64,
        (mailbox, token): (u32, u32),
        id: EnvelopeId,
        submit: Submit,
        ttl: Duration,
        effects: &mut Effects,
    ) {
        let first_use =
            self.tokens.get(token).is_some_and(|token| token.kind == TokenKind::Introduction && !token.used);
        if first_use {
            self.mark_used(now, token, effects);
        }
        let Some(owner) = self.mailboxes.get_mut(mailbox) else {
            return;
        };
        let late = Duration::from_secs(if planted!("deadline-off-by-one") { 1 } else { 0 });
        let deadline = Deadline::at(now.box_time.plus(ttl).plus(late));
        let body = submit.envelope.into_bytes();
        let new = New { id, deadline, mailbox, token, body_bytes: body.len(), urgency: submit.urgency };
        let entry = self.pending.add(&mut owner.queue, new);
        owner.bytes += body.len() as u64;
        if let Some(cursor) = owner.owner.as_mut()
            && cursor.cursor == crate::pending::NIL
        {
            cursor.cursor = entry;
        }
        let append = Append::Accept {
            mailbox: owner.id,
            id,
            deadline: deadline.time(),
            urgency: submit.urgency,
            body: body.clone(),
        };
        if let Some(token) = self.tokens.get_mut(token) {
            token.pending += 1;
            token.pending_bytes += body.len() as u64;
            token.submitted = token.submitted.saturating_add(1);
        }
        let ttl = deadline.left(now.box_time);
        if planted!("answer-before-append") {
            effects.send(conn, request, ServerBody::Accepted { ttl, duplicate: false });
        }
        self.append(append, Some(Waiting::Accept { entry, id, conn, request, ttl, body }), effects);
    }

    /// Whether the disk may be asked: after a failed commit, once in a while.
    pub(crate) fn may_store(&mut self, now: Now) -> bool {
        match &mut self.storing {
            Storing::Well => true,
            Storing::Badly { try_again_at } if *try_again_at <= now.box_time => {
                *try_again_at = now.box_time.plus(Duration::from_secs(1));
                true
            }
            Storing::Badly { .. } => false,
        }
    }
}
