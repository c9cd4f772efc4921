//! Owners are there: what it costs to take, sync, push and forget.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hob_protocol::envelope::Envelope;
use hob_protocol::frame::{ClientBody, ServerBody, Urgency};
use hob_tests::people::{random, submit};
use hob_tests::wire::Wire;

use crate::load::{Reader, all, cost, read, readers, runtime, senders, write};
use crate::{box_for_load, figure};

/// Unanswered envelopes of each sender.
const WINDOW: usize = 4;

pub fn closed_loop() {
    for (connections, envelopes) in [(1, 20_000), (50, 60_000), (500, 60_000)] {
        let hob = box_for_load();
        runtime().block_on(async {
            let people = readers(&hob, connections.min(100)).await;
            let each = envelopes / connections;
            let mut owners = Vec::new();
            for Reader { device, .. } in &people {
                owners.push(device.prove().await);
            }
            let per_reader = |reader: usize| (0..connections).filter(|sender| sender % people.len() == reader).count();
            let tokens: Vec<_> = (0..connections).map(|sender| people[sender % people.len()].token.clone()).collect();
            let wires = senders(&hob, connections).await;
            let reading: Vec<_> = owners
                .into_iter()
                .enumerate()
                .map(|(reader, owner)| tokio::spawn(read(owner, per_reader(reader) * each, None)))
                .collect();
            let cpu = cost(&hob, async move {
                let writing =
                    wires.into_iter().zip(tokens).map(|(wire, token)| write(wire, token, each, WINDOW)).collect();
                all(writing, connections).await;
                for reader in reading {
                    reader.await.unwrap();
                }
            })
            .await;
            let name = format!("closed loop, {connections} senders, {WINDOW} unanswered each");
            figure(&name, (each * connections) as f64 / cpu, "envelopes / CPU-s");
        });
    }
}

pub fn paced() {
    const A_SECOND: u32 = 500;
    const COUNT: usize = 5_000;
    let hob = box_for_load();
    runtime().block_on(async {
        let people = readers(&hob, 10).await;
        let mut senders = Vec::new();
        let mut owners = Vec::new();
        for reader in &people {
            senders.push((Wire::connect(hob.address).await, reader.token.clone()));
            owners.push(reader.device.prove().await);
        }
        let began = Instant::now();
        let reading: Vec<_> =
            owners.into_iter().map(|owner| tokio::spawn(read(owner, COUNT / people.len(), Some(began)))).collect();
        let mut times = Vec::new();
        let cpu = cost(&hob, async {
            let mut tick = tokio::time::interval(Duration::from_secs(1) / A_SECOND);
            for n in 0..COUNT {
                tick.tick().await;
                let (sender, token) = &mut senders[n % people.len()];
                sender.send(submit(token, stamped(began))).await;
            }
            for reader in reading {
                times.extend(reader.await.unwrap());
            }
        })
        .await;
        times.sort();
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        figure("500 a second, 10 senders", COUNT as f64 / cpu, "envelopes / CPU-s");
        figure("500 a second, one way, p50", at(0.5), "ms");
        figure("500 a second, one way, p99", at(0.99), "ms");
    });
}

/// An envelope that begins with the time at which it was sent.
fn stamped(began: Instant) -> Envelope {
    let mut bytes = vec![0; 2048];
    bytes[..8].copy_from_slice(&u64::try_from(began.elapsed().as_nanos()).unwrap().to_le_bytes());
    bytes[8..40].copy_from_slice(&random::<32>());
    Envelope::new(Bytes::from(bytes)).unwrap()
}

pub fn online_only() {
    const COUNT: usize = 40_000;
    let hob = box_for_load();
    runtime().block_on(async {
        let people = readers(&hob, 10).await;
        let mut writing = Vec::new();
        for reader in &people {
            let mut owner = reader.device.prove().await;
            let mut sender = Wire::connect(hob.address).await;
            let token = reader.token.clone();
            let envelope = hob_tests::people::envelope(2048);
            writing.push(async move {
                for _ in 0..COUNT / 10 {
                    let ttl = Duration::from_secs(60);
                    let (token, envelope) = (token.clone(), envelope.clone());
                    let body = ClientBody::Submit { token, envelope, ttl, urgency: Urgency::Quiet, online_only: true };
                    assert!(matches!(sender.ask(body).await, ServerBody::Accepted { .. }));
                    while !matches!(owner.unasked().await, ServerBody::Push { .. }) {}
                }
            });
        }
        let cpu = cost(&hob, async move {
            all(writing, 10).await;
        })
        .await;
        figure("online-only, 10 senders, one by one", COUNT as f64 / cpu, "envelopes / CPU-s");
    });
}
