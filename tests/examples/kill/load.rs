//! Senders and owners at work. Each goes on until the box has closed, so that every answer that left it is heard.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hob_protocol::frame::{ClientBody, Grant, ServerBody, TokenKind, Urgency};
use hob_protocol::ids::{DeliveryToken, MailboxId};
use hob_tests::chance::Chance;
use hob_tests::people::{envelope, random};
use hob_tests::wire::{Wire, code_of};

use crate::account::Account;

pub type Shared = Arc<Mutex<Account>>;

/// Longer than the box's longest: each start charges a minute, so this run makes hours of box time.
const TTL: Duration = Duration::from_secs(5 * 3600);
/// Submits without an answer that one sender has under way.
const IN_FLIGHT: usize = 16;

/// A submit that is kept for hours.
pub fn submit(token: &DeliveryToken, envelope: hob_protocol::envelope::Envelope) -> ClientBody {
    let (token, ttl) = (token.clone(), TTL);
    ClientBody::Submit { token, envelope, ttl, urgency: Urgency::Quiet, online_only: false }
}

/// Where a sender may write to.
#[derive(Clone)]
pub struct Way {
    pub to: usize,
    pub mailbox: MailboxId,
    pub token: DeliveryToken,
    /// How often at most until the box is killed.
    pub at_most: u64,
}

/// Submits as fast as the box takes it.
pub async fn sender(mut wire: Wire, from: usize, mut ways: Vec<Way>, mut chance: Chance, account: Shared) {
    let mut in_flight = HashMap::new();
    loop {
        while in_flight.len() < IN_FLIGHT && ways.iter().any(|way| way.at_most > 0) {
            let at = usize::try_from(chance.below(ways.len() as u64)).unwrap();
            if ways[at].at_most == 0 {
                continue;
            }
            ways[at].at_most -= 1;
            let envelope = envelope(size(&mut chance));
            let id = envelope.id_in(&ways[at].mailbox);
            account.lock().unwrap().submits(id, from, ways[at].to, envelope.clone());
            let request = wire.send(submit(&ways[at].token, envelope)).await;
            in_flight.insert(request, id);
        }
        let Some(frame) = wire.frame().await else { return };
        match (in_flight.remove(&frame.request), frame.body) {
            (Some(id), ServerBody::Accepted { duplicate: false, .. }) => account.lock().unwrap().accepts(&id),
            // A second answer to the same submit: the first one counted.
            (None, ServerBody::Accepted { .. }) => {}
            (_, other) => account.lock().unwrap().refusals.push(format!("{:?} {other:?}", code_of(&other))),
        }
    }
}

fn size(chance: &mut Chance) -> usize {
    match chance.below(20) {
        0 => 64 << 10,
        1..4 => 8 << 10,
        _ => 2 << 10,
    }
}

/// Takes what comes and acknowledges it, now one by one, now a few together.
pub async fn owner(mut wire: Wire, mailbox: usize, mut chance: Chance, account: Shared) {
    let mut ids = Vec::new();
    while let Some(frame) = wire.frame().await {
        let ServerBody::Push { id, .. } = frame.body else { continue };
        account.lock().unwrap().acknowledges(&id, mailbox);
        ids.push(id);
        if chance.one_in(4) {
            wire.tell(ClientBody::Acknowledge { ids: std::mem::take(&mut ids) }).await;
        }
    }
}

/// Tokens that the box confirmed: what lasts must last.
#[derive(Default, Clone)]
pub struct Tokens {
    pub granted: Option<DeliveryToken>,
    pub revoked: Option<DeliveryToken>,
}

/// Grants a token, takes the one before it back, and so on.
pub async fn clerk(mut wire: Wire, changes: u64, tokens: Arc<Mutex<Tokens>>) {
    for _ in 0..changes {
        let token = DeliveryToken(random());
        let grant = Grant { token_hash: token.hash(), kind: TokenKind::Contact };
        if !done(&mut wire, ClientBody::TokenGrant(grant)).await {
            return;
        }
        let before = tokens.lock().unwrap().granted.replace(token);
        let Some(before) = before else { continue };
        if !done(&mut wire, ClientBody::TokenRevoke { token_hash: before.hash() }).await {
            return;
        }
        tokens.lock().unwrap().revoked = Some(before);
    }
    while wire.frame().await.is_some() {}
}

async fn done(wire: &mut Wire, body: ClientBody) -> bool {
    let request = wire.send(body).await;
    while let Some(frame) = wire.frame().await {
        if frame.request == request {
            assert_eq!(frame.body, ServerBody::Done, "the clerk");
            return true;
        }
    }
    false
}
