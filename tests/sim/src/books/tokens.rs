//! Tokens and bundles: who may submit and fetch, how often, and what the box says of it.

use super::*;

impl Books {
    pub(super) fn tokens_change(&mut self, mailbox: &MailboxId, request: &Request) {
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

    pub(super) fn unlisted(&self, mailbox: &MailboxId, grants: &[Grant]) -> Vec<TokenHash> {
        let is_listed = |hash: &TokenHash| grants.iter().any(|grant| grant.token_hash == *hash);
        let mine = self.tokens.iter().filter(|(_, token)| token.mailbox == *mailbox);
        mine.filter(|(hash, token)| !is_listed(hash) && token.standing != Standing::Revoked)
            .map(|(hash, _)| *hash)
            .collect()
    }

    pub(super) fn settle_tokens(&mut self, mailbox: &MailboxId, request: &Request) {
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

    pub(super) fn check_token(&mut self, token: &TokenHash, mailbox: &MailboxId) {
        let found = self.tokens.get(token).map(|token| (token.mailbox, token.standing));
        let good = found.is_some_and(|(of, standing)| of == *mailbox && standing != Standing::Revoked);
        self.must(good, "nothing is accepted without a token that is good", || {
            format!("accepted by a token that is {found:?}")
        });
    }

    /// A submit that was asked for then was taken.
    pub(super) fn rate(&mut self, at: BoxTime, token: &TokenHash, burst: u64, per_hour: u64) {
        let fits = self.tokens.get_mut(token).is_none_or(|token| token.submits.note(at, burst, per_hour));
        self.must(fits, "a token is no faster than it may be", || "a token's submits were taken faster".to_owned());
    }

    /// A token that is good is not refused. (Those of introductions end by themselves.)
    pub(super) fn check_refusal(&mut self, token: &TokenHash) {
        let good = self
            .tokens
            .get(token)
            .is_some_and(|token| token.standing == Standing::Good && token.kind == TokenKind::Contact);
        self.must(!good, "a token that is good is taken", || "a good token was refused".to_owned());
    }

    pub(super) fn fetch_answered(&mut self, now: BoxTime, token: &TokenHash, body: &ServerBody) {
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
}
