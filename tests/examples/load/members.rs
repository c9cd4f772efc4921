//! Members who write to each other while others are in the way: one whose connections stand, one who comes anew for each
//! message. On a thread of their own, so that they do not wait for the crowd on this side. The same members write over a
//! second box that nobody floods: what they wait for there is the machine's doing.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hob_protocol::frame::{ClientBody, ServerBody};
use hob_protocol::ids::{DeliveryToken, EnvelopeId};
use hob_tests::boxes::HobBox;
use hob_tests::people::{Device, envelope, reachable, submit, submit_new};
use hob_tests::wire::{Wire, tls};
use tokio_rustls::TlsConnector;

/// From the crowd's own address, where there is one: the gate has to let a member in all the same.
const MEMBERS_ADDRESS: [u8; 4] = [127, 0, 0, 1];

/// Between two messages.
const PAUSE: Duration = Duration::from_millis(20);

/// How long messages took: over standing connections, and of those who came anew.
#[derive(Debug, Clone, Default)]
pub struct Times {
    standing: Vec<Duration>,
    anew: Vec<Duration>,
}

impl Times {
    /// Of several spans together.
    pub fn together(all: &[Self]) -> Self {
        let mut whole = Self::default();
        for times in all {
            whole.standing.extend(&times.standing);
            whole.anew.extend(&times.anew);
        }
        whole
    }

    /// What 99 of 100 took at most, of whichever kind took longer.
    pub fn most(&self) -> Duration {
        of_hundred(&self.standing, 99).max(of_hundred(&self.anew, 99))
    }
}

/// The time that so many of a hundred took at most.
fn of_hundred(times: &[Duration], share: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() * share).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default()
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |times: &[Duration], share| of_hundred(times, share).as_secs_f64() * 1000.0;
        let one = |times: &[Duration]| {
            format!("median {:.0} ms, 99 % {:.0} ms, worst {:.0} ms", ms(times, 50), ms(times, 99), ms(times, 100))
        };
        write!(f, "{} messages: {}; ", self.standing.len(), one(&self.standing))?;
        write!(f, "{} by newcomers: {}", self.anew.len(), one(&self.anew))
    }
}

/// A member's device, its owner's connection and a token to write to it.
type Reachable = (Device, Wire, DeliveryToken);

enum Took {
    Standing(Duration),
    Anew(Duration),
}

/// The members' thread.
pub struct Members {
    stop: Arc<AtomicBool>,
    took: Receiver<Took>,
    thread: Option<JoinHandle<()>>,
}

impl Members {
    /// Joins and begins to write.
    pub fn start(hob: &HobBox) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (tell, took) = channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (mut one, mut other) = runtime.block_on(async { (reachable(hob).await, reachable(hob).await) });
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::join!(stand(&mut one, &stopped, &tell), come(&mut other, &stopped, &tell));
            });
        });
        Self { stop, took, thread: Some(thread) }
    }

    /// What was measured since it was last asked.
    pub fn times(&mut self) -> Times {
        let mut times = Times::default();
        for took in self.took.try_iter() {
            match took {
                Took::Standing(took) => times.standing.push(took),
                Took::Anew(took) => times.anew.push(took),
            }
        }
        times
    }

    /// What is measured from now on for so long. Where nothing got through, it took that long at least.
    pub fn times_of(&mut self, span: Duration) -> Times {
        self.times();
        std::thread::sleep(span);
        let mut times = self.times();
        assert!(!self.thread.as_ref().unwrap().is_finished(), "the members' connections ended");
        for kind in [&mut times.standing, &mut times.anew] {
            if kind.is_empty() {
                kind.push(span);
            }
        }
        times
    }

    /// Writes no more.
    pub fn end(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Over standing connections, message after message.
async fn stand(who: &mut Reachable, stop: &AtomicBool, tell: &Sender<Took>) {
    let (device, owner, token) = who;
    let mut sender = Wire::connect_from(MEMBERS_ADDRESS, device.address).await;
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        goes_through(device, &mut sender, owner, token).await;
        let _ = tell.send(Took::Standing(began.elapsed()));
        tokio::time::sleep(PAUSE).await;
    }
}

/// A connection for each message.
async fn come(who: &mut Reachable, stop: &AtomicBool, tell: &Sender<Took>) {
    let (device, owner, token) = who;
    let connector = tls();
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        comes_anew(&connector, device, owner, token).await;
        let _ = tell.send(Took::Anew(began.elapsed()));
        tokio::time::sleep(4 * PAUSE).await;
    }
}

/// Submitted, accepted, pushed, acknowledged.
async fn goes_through(device: &Device, sender: &mut Wire, owner: &mut Wire, token: &DeliveryToken) {
    let sealed = envelope(2048);
    let id = sealed.id_in(&device.mailbox);
    submit_new(sender, token, sealed).await;
    arrives(owner, id).await;
}

/// The same on a connection of its own, which may have to make room for others: then again, with the same bytes.
async fn comes_anew(connector: &TlsConnector, device: &Device, owner: &mut Wire, token: &DeliveryToken) {
    let sealed = envelope(2048);
    loop {
        let Ok(mut wire) = Wire::try_from(connector, MEMBERS_ADDRESS, device.address).await else { continue };
        wire.send(submit(token, sealed.clone())).await;
        let answer = wire.frame().await.map(|frame| frame.body);
        if matches!(answer, Some(ServerBody::Accepted { .. })) {
            return arrives(owner, sealed.id_in(&device.mailbox)).await;
        }
    }
}

async fn arrives(owner: &mut Wire, id: EnvelopeId) {
    loop {
        match owner.unasked().await {
            ServerBody::Push { id: pushed, .. } if pushed == id => break,
            ServerBody::Push { .. } | ServerBody::Done | ServerBody::CaughtUp => {}
            other => panic!("a push, not {other:?}"),
        }
    }
    owner.tell(ClientBody::Acknowledge { ids: vec![id] }).await;
}
