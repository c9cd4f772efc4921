//! At home: joining, proving, granting tokens, publishing bundles, on the owner's connection.

use std::time::Duration;

use hob_protocol::code::Code;
use hob_protocol::frame::{Binding, ClientBody, ClientFrame, Grant, ServerBody, TokenKind};
use hob_protocol::ids::{EnvelopeId, MemberId, TokenHash};
use hob_protocol::limits::{ACKNOWLEDGE_IDS_MAX, BUNDLE_TTL_MAX, INTRODUCTION_FIRST_USE, KEEP_MAX, TOKENS_PER_MAILBOX};
use hob_protocol::transcript::{self, BoundTo};

use crate::Client;
use crate::client::{Step, What};
use crate::input::Link;
use crate::keys::Published;
use crate::link::Phase;
use crate::output::{Notice, Output, WakeReason};
use crate::state::{HomeState, Joining};
use crate::view::Refusal;

/// After the home box refused a proof: it will not change its mind soon.
const REFUSED_WAIT_MS: u64 = 600_000;
/// After it refused a token or a bundle.
const PAUSE_MS: u64 = 30_000;
/// How long a used code is remembered, so that a second use is noticed: as long as the box may take its envelopes.
const USED_CODE_KEPT_MS: u64 = 32 * 86_400_000;
/// What is assumed before the first hello.
const TTL_MAX_MS: u64 = 5 * 3_600_000 + 30 * 60_000;

impl Client {
    /// The box proved itself: now this device does.
    pub(crate) fn owner_is_open(&mut self, s: &mut Step<'_>) {
        if self.state.home.is_some() { self.prove(s) } else { self.redeem(s) }
    }

    fn redeem(&mut self, s: &mut Step<'_>) {
        let Some(exporter) = self.link(Link::Owner).exporter else { return };
        let Some(joining) = &self.state.joining else { return };
        let device_key = self.state.keys.device_key();
        let body = ClientBody::Redeem {
            invitation: joining.id(),
            device_key,
            label: joining.label.clone(),
            binding: Binding::Native,
            mac: transcript::redeem_mac(joining.secret(), &device_key, &joining.box_identity, Some(&exporter)),
        };
        self.ask(Link::Owner, What::Redeem, body, s);
    }

    fn prove(&mut self, s: &mut Step<'_>) {
        let Some(identity) = self.state.home.as_ref().map(|home| home.identity) else { return };
        let link = self.link(Link::Owner);
        // A nonce is good for one proof.
        let (Some(nonce), Some(exporter)) = (link.nonce.take(), link.exporter) else { return };
        let signature =
            transcript::prove(&nonce, &identity, BoundTo::Exporter(&exporter)).sign(&self.state.keys.device);
        let body =
            ClientBody::Prove { device_key: self.state.keys.device_key(), signature, origin: None, clock_ms: s.now_ms };
        self.ask(Link::Owner, What::Prove, body, s);
    }

    pub(crate) fn redeemed(&mut self, body: ServerBody, s: &mut Step<'_>) {
        match body {
            ServerBody::Admitted { member, mailbox } if mailbox == self.state.keys.mailbox() => {
                let Some(joining) = self.state.joining.take() else { return };
                let identity = joining.box_identity;
                match self.state.home.take() {
                    Some(home) => {
                        self.state.home = Some(HomeState { member, label: joining.label, ..home });
                        self.grant_all_again();
                    }
                    None => {
                        self.come_home(joining, member);
                        self.state.last_online_ms = s.now_ms;
                    }
                }
                s.dirty = true;
                s.notice(Notice::Joined { identity });
                self.greet_adder(s);
                self.prove(s);
            }
            ServerBody::Error { code, retry_after, .. } => {
                self.state.joining = None;
                self.pairing_failed(s);
                s.dirty = true;
                let why = Refusal { code, retry_after };
                s.notice(Notice::JoinRefused { why });
                self.close_for(Link::Owner, 0, s);
            }
            _ => {
                self.state.joining = None;
                self.pairing_failed(s);
                s.dirty = true;
                let code = Code::BadFrame.number();
                let why = Refusal { code, retry_after: None };
                s.notice(Notice::JoinRefused { why });
                self.close_for(Link::Owner, 0, s);
            }
        }
    }

    fn come_home(&mut self, joining: Joining, member: MemberId) {
        let record = self.link(Link::Owner).record.take();
        let home = self.state.home.insert(HomeState {
            identity: joining.box_identity,
            addresses: joining.addresses,
            address_record: Vec::new(),
            record_sequence: 0,
            member,
            label: joining.label,
            ttl_max_ms: TTL_MAX_MS,
            named: None,
        });
        if let Some(record) = record {
            home.take_record(&record);
        }
    }

    /// A box that admits this device again knows none of its tokens.
    fn grant_all_again(&mut self) {
        for peer in &mut self.state.peers {
            peer.granted = false;
        }
        for code in &mut self.state.codes {
            code.granted = false;
        }
    }

    pub(crate) fn prove_answered(&mut self, body: ServerBody, s: &mut Step<'_>) {
        match body {
            ServerBody::Proved { mailbox, wants_token_list, wants_bundle } if mailbox == self.state.keys.mailbox() => {
                self.run.proved = true;
                self.run.wants_token_list = wants_token_list;
                self.run.wants_bundle = wants_bundle;
                self.run.home_pause_ms = 0;
                // An invitation of the same box was not needed: it stays good for somebody else.
                s.dirty |= self.state.joining.take().is_some();
                s.notice(Notice::Online);
            }
            ServerBody::Error { code, .. }
                if Code::from_number(code) == Some(Code::NotAMember) && self.state.joining.is_some() =>
            {
                self.redeem(s);
            }
            ServerBody::Error { code, retry_after, .. } => {
                let why = Refusal { code, retry_after };
                let wait_ms =
                    retry_after.map_or(REFUSED_WAIT_MS, |after| after.as_millis().try_into().unwrap_or(u64::MAX));
                s.notice(Notice::HomeRefused { why });
                self.close_for(Link::Owner, wait_ms, s);
            }
            _ => self.close_for(Link::Owner, REFUSED_WAIT_MS, s),
        }
    }

    /// The box complains unasked: the end of a connection, mostly.
    pub(crate) fn complaint(&mut self, link: Link, code: u32, retry_after: Option<Duration>, s: &mut Step<'_>) {
        if link == Link::Owner {
            let why = Refusal { code, retry_after };
            s.notice(Notice::HomeRefused { why });
            if Code::from_number(code) == Some(Code::Superseded) {
                // Two programs of one device would take the mailbox from each other for ever.
                self.close_for(link, REFUSED_WAIT_MS, s);
            }
        }
    }

    pub(crate) fn owner_is_gone(&mut self) {
        self.run.proved = false;
        self.run.caught_up = false;
        self.ticket_is_wanted_again();
        // What was not saved yet is pushed again; what was is acknowledged then.
        self.run.batch.acknowledge.clear();
    }

    /// Connects, grants, publishes, rotates: whatever the home box is to know next.
    pub(crate) fn tend_owner(&mut self, s: &mut Step<'_>) {
        self.forget_old_codes(s.now_ms);
        if self.state.home.is_none() && self.state.joining.is_none() {
            return;
        }
        if !self.want_link(Link::Owner, s) || !self.run.proved {
            return;
        }
        if self.run.home_pause_ms > s.now_ms {
            return s.wake(self.run.home_pause_ms, WakeReason::Reconnect);
        }
        self.grant_tokens(s);
        self.revoke_tokens(s);
        self.ask_for_ticket(s);
        if self.run.caught_up {
            if std::mem::take(&mut self.run.wants_prekey) {
                self.state.keys.renew(s.rng);
            }
            if self.state.keys.rotate(s.now_ms, s.rng) {
                self.run.wants_bundle = true;
            }
            if let Some(at_ms) = self.state.keys.rotates_at_ms() {
                s.wake(at_ms, WakeReason::Prekey);
            }
        }
        if self.run.wants_bundle || self.state.keys.is_unpublished() {
            self.publish(s);
        }
    }

    /// A used code is kept to notice a second use; an unused one as long as an envelope by it may be on its way.
    fn forget_old_codes(&mut self, now_ms: u64) {
        let unused_ms = (INTRODUCTION_FIRST_USE + KEEP_MAX).as_millis();
        self.state.codes.retain(|code| match code.used_by {
            Some(_) => now_ms.saturating_sub(code.used_ms) < USED_CODE_KEPT_MS,
            None => u128::from(now_ms.saturating_sub(code.made_ms)) < unused_ms,
        });
    }

    /// Every token that the box should know, by hash; the flag says whether it does.
    fn grants(&self) -> Vec<(Grant, bool)> {
        let codes = self.state.codes.iter().map(|code| (&code.token, TokenKind::Introduction, code.granted));
        let peers = self.state.peers.iter().filter(|peer| self.state.is_contact(peer));
        let peers = peers.map(|peer| (&peer.my_token, TokenKind::Contact, peer.granted));
        let grant = |(token, kind, granted): (&hob_protocol::ids::DeliveryToken, _, _)| {
            let token_hash = token.hash();
            (Grant { token_hash, kind }, granted)
        };
        peers.chain(codes).map(grant).collect()
    }

    fn grant_tokens(&mut self, s: &mut Step<'_>) {
        let grants = self.grants();
        if std::mem::take(&mut self.run.wants_token_list) {
            let grants: Vec<Grant> = grants.into_iter().map(|(grant, _)| grant).take(TOKENS_PER_MAILBOX).collect();
            let hashes = grants.iter().map(|grant| grant.token_hash).collect();
            return self.ask(Link::Owner, What::TokenList(hashes), ClientBody::TokenList { grants }, s);
        }
        for (grant, granted) in grants {
            if !granted && !self.is_being_granted(&grant.token_hash) {
                let what = What::Grant(grant.token_hash);
                self.ask(Link::Owner, what, ClientBody::TokenGrant(grant), s);
            }
        }
    }

    /// Takes back what nobody is to submit by any more; the box answers alike whether it knew the token.
    fn revoke_tokens(&mut self, s: &mut Step<'_>) {
        for token_hash in self.state.revoked.clone() {
            let what = What::Revoke(token_hash);
            if !self.run.requests.values().any(|(_, pending)| *pending == what) {
                self.ask(Link::Owner, what, ClientBody::TokenRevoke { token_hash }, s);
            }
        }
    }

    pub(crate) fn revoke_answered(&mut self, token: &TokenHash, body: ServerBody, s: &mut Step<'_>) {
        if body != ServerBody::Done {
            return self.home_refuses(body, s);
        }
        self.state.revoked.retain(|revoked| revoked != token);
        s.dirty = true;
    }

    fn is_being_granted(&self, token: &TokenHash) -> bool {
        self.run.requests.values().any(|(_, what)| match what {
            What::Grant(hash) => hash == token,
            What::TokenList(hashes) => hashes.contains(token),
            _ => false,
        })
    }

    pub(crate) fn grants_answered(&mut self, tokens: &[TokenHash], body: ServerBody, s: &mut Step<'_>) {
        if body != ServerBody::Done {
            return self.home_refuses(body, s);
        }
        s.dirty = true;
        for peer in &mut self.state.peers {
            peer.granted |= tokens.contains(&peer.my_token.hash());
        }
        let mut ready = Vec::new();
        for code in &mut self.state.codes {
            let token_hash = code.token.hash();
            if !code.granted && tokens.contains(&token_hash) {
                code.granted = true;
                ready.push((token_hash, code.for_device));
            }
        }
        for (token_hash, for_device) in ready {
            s.notice(if for_device { Notice::DeviceCodeReady } else { Notice::CodeReady { token_hash } });
        }
    }

    fn publish(&mut self, s: &mut Step<'_>) {
        let under_way = self.run.requests.values().any(|(_, what)| matches!(what, What::Publish(_)));
        let Some(home) = self.state.home.as_ref().map(|home| home.identity) else { return };
        if under_way {
            return;
        }
        let Some((published, bundle)) = self.state.keys.bundle(s.now_ms, home) else { return };
        self.run.wants_bundle = false;
        // The private keys first: a bundle whose secrets were lost would make every sender's envelope unreadable.
        s.dirty = true;
        let ttl = BUNDLE_TTL_MAX;
        self.ask(Link::Owner, What::Publish(published), ClientBody::BundlePublish { bundle, ttl }, s);
    }

    pub(crate) fn publish_answered(&mut self, published: Published, body: ServerBody, s: &mut Step<'_>) {
        if body == ServerBody::Done {
            self.state.keys.published(published);
            s.dirty = true;
        } else {
            self.run.wants_bundle = true;
            self.home_refuses(body, s);
        }
    }

    fn home_refuses(&mut self, body: ServerBody, s: &mut Step<'_>) {
        let ServerBody::Error { code, retry_after, .. } = body else { return };
        let pause_ms = retry_after.map_or(PAUSE_MS, |after| after.as_millis().try_into().unwrap_or(u64::MAX));
        self.run.home_pause_ms = s.now_ms.saturating_add(pause_ms);
        let why = Refusal { code, retry_after };
        s.notice(Notice::HomeRefused { why });
    }

    /// What is saved here is forgotten there.
    pub(crate) fn acknowledge(&self, ids: &[EnvelopeId], s: &mut Step<'_>) {
        for ids in ids.chunks(ACKNOWLEDGE_IDS_MAX) {
            let body = ClientBody::Acknowledge { ids: ids.to_vec() };
            // No answer comes: an acknowledgement that is lost costs a repeated push.
            s.out.push(Output::Frame { link: Link::Owner, frame: ClientFrame { request: 0, body } });
        }
    }

    /// Whether the home box has been told all it should know, or cannot be told now.
    pub(crate) fn home_is_settled(&self, now_ms: u64) -> bool {
        if self.state.home.is_none() && self.state.joining.is_none() {
            return true;
        }
        if self.phase(Link::Owner) == Phase::Closed {
            return self.run.links.get(&Link::Owner).is_some_and(|link| link.is_given_up_for_now(now_ms));
        }
        let told = self.run.home_pause_ms > now_ms
            || (!self.run.wants_token_list
                && !self.run.wants_bundle
                && !self.state.keys.is_unpublished()
                && self.state.revoked.is_empty()
                && self.grants().iter().all(|(_, granted)| *granted));
        self.run.proved && self.run.caught_up && told
    }
}
