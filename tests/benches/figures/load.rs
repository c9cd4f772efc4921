//! People under load: owners and senders, connected once and used for all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hob_protocol::frame::{ClientBody, ServerBody, TokenKind};
use hob_protocol::ids::DeliveryToken;
use hob_tests::boxes::HobBox;
use hob_tests::measure::cpu_seconds;
use hob_tests::people::{Device, envelope, submit};
use hob_tests::wire::{Wire, tls};
use tokio::sync::Semaphore;

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A member and a token for its mailbox.
pub struct Reader {
    pub device: Device,
    pub token: DeliveryToken,
}

/// Joins that many members.
pub async fn readers(hob: &HobBox, count: usize) -> Vec<Reader> {
    let mut readers = Vec::new();
    for _ in 0..count {
        let device = Device::join(hob.address, &hob.invite()).await;
        let mut owner = device.prove().await;
        let token = device.grant(&mut owner, TokenKind::Contact).await;
        readers.push(Reader { device, token });
    }
    readers
}

/// Reads and acknowledges until `wanted` envelopes came; the one-way times if the envelopes carry their start.
pub async fn read(mut owner: Wire, wanted: usize, began: Option<Instant>) -> Vec<Duration> {
    let mut times = Vec::new();
    let mut acknowledged = Vec::new();
    let mut got = 0;
    while got < wanted {
        match owner.unasked().await {
            ServerBody::Push { id, envelope, .. } => {
                got += 1;
                if let Some(began) = began {
                    let mut stamp = [0; 8];
                    stamp.copy_from_slice(&envelope.bytes()[..8]);
                    times.push(began.elapsed().saturating_sub(Duration::from_nanos(u64::from_le_bytes(stamp))));
                }
                acknowledged.push(id);
                // As a real client does: what came together is acknowledged together.
                if acknowledged.len() >= 16 || owner.unasked.is_empty() {
                    let ids = std::mem::take(&mut acknowledged);
                    owner.tell(ClientBody::Acknowledge { ids }).await;
                }
            }
            ServerBody::CaughtUp | ServerBody::Done => {}
            other => panic!("a push, not {other:?}"),
        }
    }
    times
}

/// Senders' connections, made before anything is measured.
pub async fn senders(hob: &HobBox, count: usize) -> Vec<Wire> {
    let connector = tls();
    let mut senders = Vec::new();
    for _ in 0..count {
        senders.push(Wire::connect_with(&connector, hob.address).await.unwrap());
    }
    senders
}

/// Submits `count` envelopes, at most `window` unanswered.
pub async fn write(mut sender: Wire, token: DeliveryToken, count: usize, window: usize) {
    let (mut sent, mut answered) = (0, 0);
    while answered < count {
        while sent < count && sent - answered < window {
            sender.send(submit(&token, envelope(2048))).await;
            sent += 1;
        }
        match sender.frame().await.expect("an answer").body {
            ServerBody::Accepted { .. } => answered += 1,
            other => panic!("accepted, not {other:?}"),
        }
    }
}

/// Runs a load and says what it cost the box: CPU-seconds.
pub async fn cost(hob: &HobBox, load: impl Future<Output = ()>) -> f64 {
    let before = cpu_seconds(hob.pid());
    load.await;
    cpu_seconds(hob.pid()) - before
}

/// Runs at most so many of them at a time.
pub async fn all<T: Send + 'static>(tasks: Vec<impl Future<Output = T> + Send + 'static>, at_once: usize) -> Vec<T> {
    let places = Arc::new(Semaphore::new(at_once));
    let mut running = Vec::new();
    for task in tasks {
        let places = Arc::clone(&places);
        running.push(tokio::spawn(async move {
            let _place = places.acquire_owned().await.unwrap();
            task.await
        }));
    }
    let mut results = Vec::new();
    for task in running {
        results.push(task.await.unwrap());
    }
    results
}
