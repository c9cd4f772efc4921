//! Senders and owners at work, over the real wire, until the box is gone or they are told to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hob_protocol::frame::{ClientBody, Grant, ServerBody, TokenKind, Urgency};
use hob_protocol::ids::{DeliveryToken, EnvelopeId, MailboxId};
use hob_protocol::limits::ENVELOPE_SIZES;
use hob_tests::people::{envelope, random};
use hob_tests::wire::{Wire, tls};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use tokio::task::JoinHandle;

use crate::account::{Account, Sent};
use crate::cut::below;
use crate::house::{House, Time};

/// What people do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Senders; they take the members in turn.
    pub senders: usize,
    /// Envelopes that a sender sends at most.
    pub each: usize,
    /// Of them, unanswered at a time.
    pub at_once: usize,
    /// How long they are good, in seconds: one of these.
    pub ttls_s: Vec<u64>,
    /// Members whose owners are there, from the first one.
    pub owners: usize,
    /// How many of a hundred the owners acknowledge.
    pub acknowledged_percent: u64,
    /// Tokens that the first owner grants, and revokes half of.
    pub tokens: usize,
}

impl Plan {
    /// Everybody is busy.
    pub fn busy() -> Self {
        Self {
            senders: 4,
            each: 50,
            at_once: 6,
            ttls_s: vec![3600, 4 * 3600],
            owners: 2,
            acknowledged_percent: 60,
            tokens: 5,
        }
    }

    /// Some envelopes for everybody, and nobody reads.
    pub fn some(each: usize, ttl_s: u64) -> Self {
        let ttls_s = vec![ttl_s];
        Self { senders: 4, each, at_once: 4, ttls_s, owners: 0, acknowledged_percent: 0, tokens: 0 }
    }

    /// Nobody sends; everybody reads.
    pub fn reading(owners: usize, acknowledged_percent: u64) -> Self {
        Self { senders: 0, owners, acknowledged_percent, ..Self::busy() }
    }
}

/// People at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    senders: Vec<JoinHandle<()>>,
    others: Vec<JoinHandle<()>>,
}

struct Shared {
    account: Arc<Mutex<Account>>,
    time: Time,
    stop: Arc<AtomicBool>,
    starts: u32,
}

impl Shared {
    fn account<T>(&self, work: impl FnOnce(&mut Account) -> T) -> T {
        work(&mut self.account.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn stops(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Load {
    /// Everybody connects, then begins. The box must be well until this returns.
    pub fn begin(house: &House, plan: &Plan, rng: &mut ChaCha8Rng) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let share = || Shared {
            account: Arc::clone(&house.account),
            time: house.time(),
            stop: Arc::clone(&stop),
            starts: house.starts,
        };
        let mut owners = Vec::new();
        for member in 0..plan.owners {
            owners.push((member, house.owner(member)));
        }
        let connector = tls();
        let wires: Vec<Wire> = house.runtime.block_on(async {
            let mut wires = Vec::new();
            for _ in 0..plan.senders {
                wires.push(Wire::connect_with(&connector, house.address()).await.unwrap());
            }
            wires
        });
        let changing = (plan.tokens > 0).then(|| house.owner(house.members.len() - 1));
        let mut fork = || ChaCha8Rng::seed_from_u64(rng.next_u64());
        let mut others = Vec::new();
        for (member, wire) in owners {
            let (mailbox, percent) = (house.members[member].mailbox, plan.acknowledged_percent);
            others.push(house.runtime.spawn(read(share(), wire, member, mailbox, percent, fork())));
        }
        let mut senders = Vec::new();
        for (sender, wire) in wires.into_iter().enumerate() {
            let member = sender % house.members.len();
            let to = (member, house.members[member].mailbox, house.members[member].token.clone());
            senders.push(house.runtime.spawn(write(share(), wire, to, plan.clone(), fork())));
        }
        if let Some(wire) = changing {
            senders.push(house.runtime.spawn(change_tokens(share(), wire, house.members.len() - 1, plan.tokens)));
        }
        Self { stop, senders, others }
    }

    /// Waits until all senders are done: everything that they sent was answered.
    pub fn wait_for_senders(&mut self, house: &House) {
        let senders = std::mem::take(&mut self.senders);
        house.runtime.block_on(async {
            for sender in senders {
                sender.await.unwrap();
            }
        });
    }

    /// Whether all senders are done.
    pub fn is_done(&self) -> bool {
        self.senders.iter().all(JoinHandle::is_finished)
    }

    /// Everybody goes: the box is gone, or they are told to stop.
    pub fn end(mut self, house: &House) {
        self.stop.store(true, Ordering::Relaxed);
        self.wait_for_senders(house);
        house.runtime.block_on(async {
            for other in self.others {
                other.abort();
                let _ = other.await;
            }
        });
    }
}

/// Asks; `None` when the box is gone. Pushes that come meanwhile stay for later.
async fn ask(wire: &mut Wire, body: ClientBody) -> Option<ServerBody> {
    let request = wire.send(body).await;
    loop {
        let frame = wire.frame().await?;
        if frame.request == request {
            return Some(frame.body);
        }
        wire.unasked.push_back(frame.body);
    }
}

async fn write(shared: Shared, mut wire: Wire, to: (usize, MailboxId, DeliveryToken), plan: Plan, mut rng: ChaCha8Rng) {
    let (member, mailbox, token) = to;
    let mut waiting: Vec<(u64, EnvelopeId)> = Vec::new();
    let mut sent = 0;
    loop {
        while sent < plan.each && waiting.len() < plan.at_once && !shared.stops() {
            let body = envelope(ENVELOPE_SIZES[below(&mut rng, ENVELOPE_SIZES.len() as u64) as usize]);
            let id = body.id_in(&mailbox);
            let ttl_s = plan.ttls_s[below(&mut rng, plan.ttls_s.len() as u64) as usize];
            let entry = Sent {
                to: member,
                at_s: shared.time.now_s(),
                accepted_s: None,
                ttl_s: ttl_s as f64,
                starts: shared.starts,
                acknowledged: false,
                forgotten: false,
                came: 0,
            };
            shared.account(|account| account.sending(id, entry));
            let submit = ClientBody::Submit {
                token: token.clone(),
                envelope: body,
                ttl: Duration::from_secs(ttl_s),
                urgency: Urgency::Quiet,
                online_only: false,
            };
            waiting.push((wire.send(submit).await, id));
            sent += 1;
        }
        if waiting.is_empty() {
            return;
        }
        let Some(frame) = wire.frame().await else { return };
        let Some(at) = waiting.iter().position(|(request, _)| *request == frame.request) else { continue };
        let (_, id) = waiting.swap_remove(at);
        match frame.body {
            ServerBody::Accepted { .. } => shared.account(|account| account.accepted(&id, shared.time.now_s())),
            ServerBody::Error { code, .. } => shared.account(|account| *account.refused.entry(code).or_default() += 1),
            other => shared.account(|account| account.wrong.push(format!("a submit was answered by {other:?}"))),
        }
    }
}

async fn read(
    shared: Shared,
    mut wire: Wire,
    member: usize,
    mailbox: MailboxId,
    acknowledged_percent: u64,
    mut rng: ChaCha8Rng,
) {
    loop {
        let body = match wire.unasked.pop_front() {
            Some(body) => body,
            None => match wire.frame().await {
                Some(frame) => frame.body,
                None => return,
            },
        };
        if let ServerBody::Push { id, envelope, .. } = body {
            let now_s = shared.time.on_its_way_s();
            shared.account(|account| account.came(member, &id, envelope.id_in(&mailbox) == id, now_s));
            if below(&mut rng, 100) < acknowledged_percent {
                shared.account(|account| account.acknowledge(&id));
                wire.tell(ClientBody::Acknowledge { ids: vec![id] }).await;
            }
        }
    }
}

/// Grants tokens, and revokes every second one of them.
async fn change_tokens(shared: Shared, mut wire: Wire, member: usize, count: usize) {
    for number in 0..count {
        let token = DeliveryToken(random());
        shared.account(|account| account.asking_token(&token, member));
        let grant = ClientBody::TokenGrant(Grant { token_hash: token.hash(), kind: TokenKind::Contact });
        match ask(&mut wire, grant).await {
            Some(ServerBody::Done) => shared.account(|account| account.token_is(&token, true)),
            Some(_) => {}
            None => return,
        }
        if number % 2 == 1 {
            shared.account(|account| account.asking_token(&token, member));
            match ask(&mut wire, ClientBody::TokenRevoke { token_hash: token.hash() }).await {
                Some(ServerBody::Done) => shared.account(|account| account.token_is(&token, false)),
                Some(_) => {}
                None => return,
            }
        }
        if shared.stops() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}
