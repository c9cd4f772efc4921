//! Delivery tokens: granted, revoked and listed by the owner, shown by senders. The box holds only their hashes.

use std::collections::HashMap;

use hob_protocol::code::{Code, Refused};
use hob_protocol::frame::{Grant, ServerBody, TokenKind};
use hob_protocol::ids::TokenHash;
use hob_protocol::limits::{INTRODUCTION_AFTER_USE, INTRODUCTION_FIRST_USE, TOKENS_PER_MAILBOX};
use hob_protocol::planted;

use std::time::Duration;

use crate::clock::{BoxTime, LedgerTime, Now};
use crate::event::{LedgerEvent, disk};
use crate::pending::NIL;
use crate::quota::Bucket;
use crate::{ConnId, Effects, Relay};

/// A granted token. What it did is counted here and nowhere else.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) hash: TokenHash,
    pub(crate) mailbox: u32,
    pub(crate) kind: TokenKind,
    /// An introduction's first use was accepted.
    pub(crate) used: bool,
    /// `None`: until it is revoked.
    pub(crate) expires_at: Option<LedgerTime>,
    pub(crate) bucket: Bucket,
    pub(crate) pending: u32,
    pub(crate) pending_bytes: u64,
    pub(crate) submitted: u32,
    pub(crate) fetches: Bucket,
}

impl Token {
    pub(crate) fn is_expired(&self, now: LedgerTime) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

/// All tokens, by number and by hash.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    slots: Vec<Option<Token>>,
    free: Vec<u32>,
    by_hash: HashMap<TokenHash, u32>,
}

impl Tokens {
    pub(crate) fn insert(&mut self, token: Token) -> u32 {
        let hash = token.hash;
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or(NIL)
        });
        if let Some(slot) = self.slots.get_mut(number as usize) {
            *slot = Some(token);
        }
        self.by_hash.insert(hash, number);
        number
    }

    pub(crate) fn remove(&mut self, number: u32) -> Option<Token> {
        let token = self.slots.get_mut(number as usize)?.take()?;
        self.by_hash.remove(&token.hash);
        self.free.push(number);
        Some(token)
    }

    pub(crate) fn find(&self, hash: &TokenHash) -> Option<u32> {
        self.by_hash.get(hash).copied()
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Token> {
        self.slots.get(number as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut Token> {
        self.slots.get_mut(number as usize)?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Token)> {
        (0..).zip(&self.slots).filter_map(|(number, slot)| slot.as_ref().map(|token| (number, token)))
    }
}

pub(crate) fn token_event(token: &Token, mailbox: &[u8; 16]) -> LedgerEvent {
    LedgerEvent::Token(disk::Token {
        hash: token.hash.0.to_vec().into(),
        mailbox: mailbox.to_vec().into(),
        introduction: token.kind == TokenKind::Introduction,
        used: token.used,
        expires_at_ms: token.expires_at.map_or(0, |at| at.0),
    })
}

impl Relay {
    pub(crate) fn grant(
        &mut self,
        now: Now,
        conn: ConnId,
        request: u64,
        grant: Grant,
        effects: &mut Effects,
    ) -> Result<(), Refused> {
        let mailbox = self.owner_of(conn)?;
        self.charge_owner(now.box_time, mailbox, 1)?;
        self.add_grant(now, mailbox, grant, effects)?;
        self.reply_when_durable(conn, request, ServerBody::Done, effects);
        Ok(())
    }

    pub(crate) fn revoke(
        &mut self,
        now: Now,
        conn: ConnId,
        request: u64,
        hash: &TokenHash,
        effects: &mut Effects,
    ) -> Result<(), Refused> {
        let mailbox = self.owner_of(conn)?;
        self.charge_owner(now.box_time, mailbox, 1)?;
        // Whether the token was there is not told: it is not there any more.
        if let Some(number) = self.tokens.find(hash)
            && self
                .tokens
                .get(number)
                .is_some_and(|token| token.mailbox == mailbox || planted!("tokens-revoked-by-others"))
            && !planted!("revoked-token-accepted")
        {
            self.drop_token(number, effects);
        }
        self.reply_when_durable(conn, request, ServerBody::Done, effects);
        Ok(())
    }

    pub(crate) fn token_list(
        &mut self,
        now: Now,
        conn: ConnId,
        request: u64,
        grants: &[Grant],
        effects: &mut Effects,
    ) -> Result<(), Refused> {
        let mailbox = self.owner_of(conn)?;
        let listed: std::collections::HashSet<TokenHash> = grants.iter().map(|grant| grant.token_hash).collect();
        let unlisted: Vec<u32> = self
            .tokens
            .iter()
            .filter(|(_, token)| token.mailbox == mailbox && !listed.contains(&token.hash))
            .map(|(number, _)| number)
            .collect();
        let missing: Vec<Grant> =
            grants.iter().filter(|grant| self.tokens.find(&grant.token_hash).is_none()).copied().collect();
        let changes = u32::try_from(unlisted.len() + missing.len()).unwrap_or(u32::MAX);
        self.charge_owner(now.box_time, mailbox, changes.max(1))?;
        for number in unlisted {
            self.drop_token(number, effects);
        }
        for grant in missing {
            self.add_grant(now, mailbox, grant, effects)?;
        }
        if let Some(mailbox) = self.mailboxes.get_mut(mailbox)
            && std::mem::take(&mut mailbox.wants_token_list)
        {
            let event = mailbox.event();
            self.append_ledger(event, effects);
        }
        self.reply_when_durable(conn, request, ServerBody::Done, effects);
        Ok(())
    }

    fn add_grant(&mut self, now: Now, mailbox: u32, grant: Grant, effects: &mut Effects) -> Result<(), Refused> {
        if let Some(number) = self.tokens.find(&grant.token_hash) {
            let mine = self.tokens.get(number).is_some_and(|token| token.mailbox == mailbox);
            return if mine { Ok(()) } else { Err(Refused::finally(Code::NoSuchToken)) };
        }
        let Some(owner) = self.mailboxes.get_mut(mailbox) else {
            return Err(Refused::finally(Code::NotAMember));
        };
        if owner.tokens as usize >= TOKENS_PER_MAILBOX {
            return Err(Refused::finally(Code::TooManyTokens));
        }
        owner.tokens += 1;
        let id = owner.id;
        let token = Token {
            hash: grant.token_hash,
            mailbox,
            kind: grant.kind,
            used: false,
            expires_at: match grant.kind {
                TokenKind::Contact => None,
                TokenKind::Introduction => Some(now.ledger_time.plus(INTRODUCTION_FIRST_USE)),
            },
            bucket: Bucket::full(now.box_time, self.config.token_burst),
            pending: 0,
            pending_bytes: 0,
            submitted: 0,
            fetches: Bucket::full(now.box_time, self.config.bundle_fetches_per_hour),
        };
        self.append_ledger(token_event(&token, id.as_bytes()), effects);
        self.tokens.insert(token);
        Ok(())
    }

    /// Takes a token out. What it brought stays and is delivered.
    pub(crate) fn drop_token(&mut self, number: u32, effects: &mut Effects) {
        let Some(token) = self.tokens.remove(number) else {
            return;
        };
        if let Some(mailbox) = self.mailboxes.get_mut(token.mailbox) {
            mailbox.tokens = mailbox.tokens.saturating_sub(1);
            let mut entry = mailbox.queue.head;
            while let Some(pending) = self.pending.get(entry) {
                let next = self.pending.next_in_queue(entry);
                if pending.token == number {
                    self.pending.forget_token(entry);
                }
                entry = next;
            }
        }
        self.append_ledger(
            LedgerEvent::TokenRemoved(disk::TokenRemoved { hash: token.hash.0.to_vec().into() }),
            effects,
        );
    }

    /// The first accepted use of an introduction prolongs it.
    pub(crate) fn mark_used(&mut self, now: Now, number: u32, effects: &mut Effects) {
        let Some(token) = self.tokens.get_mut(number) else {
            return;
        };
        token.used = true;
        token.expires_at = Some(now.ledger_time.plus(INTRODUCTION_AFTER_USE));
        let Some(mailbox) = self.mailboxes.get(token.mailbox) else {
            return;
        };
        let event = token_event(token, mailbox.id.as_bytes());
        self.append_ledger(event, effects);
    }

    /// Changes to the ledger are few in an honest life; a hostile member must not fill the card with them.
    pub(crate) fn charge_owner(&mut self, now: BoxTime, mailbox: u32, changes: u32) -> Result<(), Refused> {
        let (burst, per) = (self.config.owner_burst, (self.config.owner_per_minute, Duration::from_secs(60)));
        let Some(mailbox) = self.mailboxes.get_mut(mailbox) else {
            return Err(Refused::finally(Code::NotAMember));
        };
        mailbox
            .ledger_bucket
            .take(now, changes.min(burst), burst, per)
            .map_err(|after| Refused::for_now(Code::TooFast, after))
    }
}
