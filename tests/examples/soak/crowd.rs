//! Devices that come and go: each reads what waits, stays a while, writes to others, and leaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hob_protocol::frame::{ClientBody, ServerBody, TokenKind, Urgency};
use hob_protocol::ids::DeliveryToken;
use hob_tests::boxes::HobBox;
use hob_tests::chance::Chance;
use hob_tests::people::{Device, envelope};
use hob_tests::wire::Wire;
use tokio::time::{Instant, sleep, timeout};

const AWAY_MS: u64 = 30_000;
const STAYS_MS: u64 = 40_000;
const WRITES_EVERY_MS: u64 = 8_000;

#[derive(Default)]
pub struct Counts {
    pub over: AtomicBool,
    sessions: AtomicU64,
    sent: AtomicU64,
    refused: AtomicU64,
    read: AtomicU64,
    pub cut: AtomicU64,
}

impl Counts {
    pub fn told(&self) -> String {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (sessions, sent, read) = (of(&self.sessions), of(&self.sent), of(&self.read));
        format!("{sessions} visits, {sent} sent, {read} read, {} refused, {} cut", of(&self.refused), of(&self.cut))
    }

    /// Whether there was any load at all.
    pub fn is_busy(&self) -> bool {
        self.read.load(Ordering::Relaxed) > 100
    }
}

pub struct Crowd {
    devices: Vec<(Device, DeliveryToken)>,
    pub counts: Arc<Counts>,
}

impl Crowd {
    pub async fn join(hob: &HobBox, count: usize) -> Self {
        let mut devices = Vec::new();
        for _ in 0..count {
            let device = Device::join(hob.address, &hob.invite()).await;
            let token = device.grant(&mut device.prove().await, TokenKind::Contact).await;
            devices.push((device, token));
        }
        Self { devices, counts: Arc::default() }
    }

    pub fn begin(self: &Arc<Self>, chance: &mut Chance) {
        for who in 0..self.devices.len() {
            tokio::spawn(Arc::clone(self).live(who, chance.fork()));
        }
    }

    async fn live(self: Arc<Self>, who: usize, mut chance: Chance) {
        while !self.counts.over.load(Ordering::Relaxed) {
            sleep(Duration::from_millis(chance.below(AWAY_MS))).await;
            let visit = tokio::spawn(Arc::clone(&self).visit(who, chance.fork()));
            self.counts.sessions.fetch_add(1, Ordering::Relaxed);
            if visit.await.is_err() {
                // A connection that the box cut: its clock jumps.
                self.counts.cut.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    async fn visit(self: Arc<Self>, who: usize, mut chance: Chance) {
        let mut owner = self.devices[who].0.prove().await;
        let mut sender = Wire::connect(self.devices[who].0.address).await;
        let until = Instant::now() + Duration::from_millis(chance.below(STAYS_MS));
        while Instant::now() < until {
            let pause = Duration::from_millis(chance.below(WRITES_EVERY_MS));
            // Reads as it comes, until it is time to write.
            let _ = timeout(pause, self.read(&mut owner)).await;
            self.write(&mut sender, &mut chance).await;
        }
    }

    async fn read(&self, owner: &mut Wire) {
        loop {
            if let ServerBody::Push { id, .. } = owner.unasked().await {
                owner.tell(ClientBody::Acknowledge { ids: vec![id] }).await;
                self.counts.read.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    async fn write(&self, sender: &mut Wire, chance: &mut Chance) {
        let to = usize::try_from(chance.below(self.devices.len() as u64)).unwrap();
        let bytes = if chance.one_in(20) { 64 << 10 } else { 2 << 10 };
        let submit = ClientBody::Submit {
            token: self.devices[to].1.clone(),
            envelope: envelope(bytes),
            ttl: Duration::from_secs(5 * 3600),
            urgency: Urgency::Quiet,
            online_only: false,
        };
        let count = match sender.ask(submit).await {
            ServerBody::Accepted { .. } => &self.counts.sent,
            _ => &self.counts.refused,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}
