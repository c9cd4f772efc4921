//! Who is in the way. Every flood goes on until it is ended, and counts what it did.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hob_protocol::frame::{ClientBody, ServerBody, TokenKind};
use hob_protocol::ids::DeliveryToken;
use hob_tests::boxes::HobBox;
use hob_tests::people::{Device, envelope, random, submit};
use hob_tests::wire::{Wire, client_hello, tcp_from, tls};
use tokio::io::AsyncWriteExt;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// Idle connections of one address: as many as the gate lets in at once.
pub const IDLE_PER_ADDRESS: u64 = 100;

/// Handshakes that are open at the same time: 100 of each of 40 addresses.
pub const HALF_OPEN: u64 = 4000;

/// Connections of one address that the gate lets be: 100 that have shown nothing, 512 that wait.
pub const PREFIX_AT_ONCE: u64 = 612;

/// Owners who read nothing.
pub const UNREAD_OWNERS: u64 = 20;

/// Largest envelopes that wait for each of them: as many as are pushed before one is acknowledged.
const UNREAD_EACH: usize = 64;

/// Who submits with bad tokens, each from an address of its own.
const GUESSERS: u8 = 64;

/// Who comes from one address, again and again.
const PREFIX_TASKS: usize = 400;

/// What comes one after the other.
pub const KINDS: &[(&str, Kind)] = &[
    ("bad tokens", Kind::BadTokens),
    ("half-open handshakes", Kind::HalfOpen),
    ("unread pushes", Kind::Unread),
    ("connections of one address", Kind::OnePrefix),
];

#[derive(Debug, Clone, Copy)]
pub enum Kind {
    BadTokens,
    HalfOpen,
    Unread,
    OnePrefix,
}

/// What all floods share.
pub struct Flood {
    address: SocketAddr,
    connector: TlsConnector,
    token: DeliveryToken,
    owners: Arc<Vec<Device>>,
}

/// A flood that goes on.
pub struct Running {
    tasks: JoinSet<()>,
    count: Arc<AtomicU64>,
}

impl Running {
    /// Ends it: how many there were.
    pub fn end(mut self, runtime: &Runtime) -> u64 {
        runtime.block_on(self.tasks.shutdown());
        self.count.load(Ordering::Relaxed)
    }
}

/// An address of this machine that nobody else here uses.
fn from(block: u8, number: u64) -> [u8; 4] {
    [127, block, u8::try_from(number / 250).unwrap(), u8::try_from(number % 250 + 1).unwrap()]
}

impl Flood {
    /// Members whose devices read nothing, with their mail, and a token that makes a connection a sender's.
    pub async fn prepare(hob: &HobBox, idle: u64) -> Self {
        let (address, connector) = (hob.address, tls());
        let absent = Device::join(address, &hob.invite()).await;
        let token = absent.grant(&mut absent.prove().await, TokenKind::Contact).await;
        let mut owners = Vec::new();
        for number in 0..UNREAD_OWNERS {
            let invitation = hob_protocol::invitation::Invitation::parse(&hob.invite()).unwrap();
            let mut wire = Wire::connect_from(from(9, number), address).await;
            let key = Device::random_key();
            let answer = hob_tests::people::redeem(&mut wire, &invitation, &key).await;
            let ServerBody::Admitted { mailbox, .. } = answer else { panic!("admitted, not {answer:?}") };
            let device = Device { key, mailbox, address };
            assert!(matches!(device.prove_on(&mut wire).await, ServerBody::Proved { .. }));
            let to_owner = device.grant(&mut wire, TokenKind::Contact).await;
            drop(wire);
            let mut sender = Wire::connect_from(from(9, number), address).await;
            for _ in 0..UNREAD_EACH {
                sender.send(submit(&to_owner, envelope(65_536))).await;
            }
            for _ in 0..UNREAD_EACH {
                let answer = sender.frame().await.unwrap().body;
                assert!(matches!(answer, ServerBody::Accepted { .. }), "{answer:?}");
            }
            owners.push(device);
        }
        println!(
            "                             {UNREAD_OWNERS} owners with {UNREAD_EACH} envelopes of 64 KiB; {idle} connections come"
        );
        Self { address, connector, token, owners: Arc::new(owners) }
    }

    /// Senders' connections that said one thing and are silent now; they stay as long as the answer lives.
    pub async fn idle(&self, count: u64) -> Vec<Wire> {
        let mut coming = JoinSet::new();
        let mut crowd = Vec::new();
        for number in 0..count {
            let (connector, address, token) = (self.connector.clone(), self.address, self.token.clone());
            coming.spawn(async move {
                let mut wire = Wire::try_from(&connector, from(1, number / IDLE_PER_ADDRESS), address).await?;
                let once = ClientBody::Submit {
                    token,
                    envelope: envelope(2048),
                    ttl: Duration::from_secs(60),
                    urgency: hob_protocol::frame::Urgency::Quiet,
                    online_only: true,
                };
                assert!(matches!(wire.ask(once).await, ServerBody::Accepted { .. }));
                Ok::<_, tokio_tungstenite::tungstenite::Error>(wire)
            });
            if coming.len() >= 64 {
                crowd.push(coming.join_next().await.unwrap().unwrap().unwrap());
            }
            if crowd.len() % 2500 == 2499 && crowd.len() as u64 + 64 > number {
                println!("  {} of {count} are here", crowd.len() + 1);
            }
        }
        while let Some(wire) = coming.join_next().await {
            crowd.push(wire.unwrap().unwrap());
        }
        crowd
    }

    /// Begins a flood.
    pub fn start(&self, runtime: &Runtime, kind: Kind) -> Running {
        let (mut tasks, count) = (JoinSet::new(), Arc::new(AtomicU64::new(0)));
        let (connector, address) = (&self.connector, self.address);
        let _inside = runtime.enter();
        match kind {
            Kind::BadTokens => {
                for number in 0..GUESSERS {
                    tasks.spawn(guess(connector.clone(), from(2, number.into()), address, Arc::clone(&count)));
                }
            }
            Kind::HalfOpen => {
                for number in 0..HALF_OPEN {
                    tasks.spawn(half_open(from(3, number / IDLE_PER_ADDRESS), number, address, Arc::clone(&count)));
                }
            }
            Kind::Unread => {
                for number in 0..self.owners.len() {
                    let (owners, count) = (Arc::clone(&self.owners), Arc::clone(&count));
                    tasks.spawn(read_nothing(connector.clone(), owners, number, address, count));
                }
            }
            Kind::OnePrefix => {
                for _ in 0..PREFIX_TASKS {
                    tasks.spawn(come_again([127, 0, 0, 1], address, Arc::clone(&count)));
                }
            }
        }
        Running { tasks, count }
    }
}

/// Submits with tokens that are none until the box has had enough, and comes again.
async fn guess(connector: TlsConnector, from: [u8; 4], address: SocketAddr, count: Arc<AtomicU64>) {
    loop {
        let Ok(mut wire) = Wire::try_from(&connector, from, address).await else { continue };
        for _ in 0..40 {
            wire.send(submit(&DeliveryToken(random()), envelope(2048))).await;
            count.fetch_add(1, Ordering::Relaxed);
        }
        wire.closed().await;
    }
}

/// Begins a handshake, or only connects, and says nothing more until the box hangs up.
async fn half_open(from: [u8; 4], number: u64, address: SocketAddr, count: Arc<AtomicU64>) {
    let hello = client_hello();
    let first = match number % 4 {
        0 => &[][..],
        1 => &hello[..1],
        2 => &hello[..hello.len() / 2],
        _ => &hello[..],
    };
    loop {
        let Ok(mut stream) = tcp_from(from, address).await else { continue };
        count.fetch_add(1, Ordering::Relaxed);
        if stream.write_all(first).await.is_ok() {
            until_it_ends(&mut stream).await;
        }
        // Not a beat: a crowd is no choir.
        tokio::time::sleep(Duration::from_millis(number % 97)).await;
    }
}

async fn until_it_ends(stream: &mut tokio::net::TcpStream) {
    let mut dropped = [0; 4096];
    while matches!(tokio::io::AsyncReadExt::read(stream, &mut dropped).await, Ok(1..)) {}
}

/// Proves, and never reads what is pushed.
async fn read_nothing(
    connector: TlsConnector,
    owners: Arc<Vec<Device>>,
    number: usize,
    address: SocketAddr,
    count: Arc<AtomicU64>,
) {
    let Some(device) = owners.get(number) else { return };
    loop {
        let Ok(mut wire) = Wire::try_from(&connector, from(9, number as u64), address).await else { continue };
        let proof = device.proof(&wire);
        wire.tell(proof).await;
        count.fetch_add(1, Ordering::Relaxed);
        // The box gives up after half a minute; whoever drops it comes again with the same mail waiting.
        tokio::time::sleep(Duration::from_secs(35)).await;
    }
}

/// Connects, shows nothing, goes and comes again.
async fn come_again(from: [u8; 4], address: SocketAddr, count: Arc<AtomicU64>) {
    let hello = client_hello();
    loop {
        let Ok(mut stream) = tcp_from(from, address).await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        count.fetch_add(1, Ordering::Relaxed);
        let _ = stream.write_all(&hello).await;
        let _ = tokio::time::timeout(Duration::from_millis(200), until_it_ends(&mut stream)).await;
    }
}
