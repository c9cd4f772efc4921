//! The one owner of the relay: takes inputs, carries out effects.
//!
//! One task holds the [`Relay`] and the clock; one thread holds the log and syncs; connections read and write frames.
//! What passes between them are messages, so no rule needs a lock.
//!
//! # Layout
//! - [`outbox`]: what waits to be written to one connection.
//! - [`asking`]: single requests, which have no connection.
//! - `run`: the task's loop: inputs in, effects out.
//! - `time`: when the loop wakes, checkpoints and believes a clock.

pub mod asking;
pub mod outbox;
mod run;
mod time;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hob_log::backup::LastingLedger;
use hob_log::{
    BodyReader, CompactReport, DiskLog, EventLog as _, LogError, LogStats, Opened, Options, Writer, WriterHandle,
};
use hob_protocol::address::Address;
use hob_protocol::frame::{ClientFrame, FrameError};
use hob_protocol::ids::{DeviceKey, EnvelopeId};
use hob_protocol::transcript::Exporter;
use hob_relay::admin::{Answer, Ask};
use hob_relay::clock::BoxClock;
use hob_relay::quota::Config as RelayConfig;
use hob_relay::web::{Asker, Question};
use hob_relay::{ConnId, Relay, Restored};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::clock::{Clocks, Pace};
use crate::engine::asking::Answered;
use crate::engine::outbox::Outbox;
use crate::identity::Identity;

/// Frames that may wait for the engine before connections are made to wait.
const COMMANDS_MAX: usize = 1024;

/// What a start needs.
pub struct EngineOptions {
    /// The data folder.
    pub data: PathBuf,
    /// Quotas and rates.
    pub relay: RelayConfig,
    /// The box's keys.
    pub identity: Arc<Identity>,
    /// 1, but in demo builds.
    pub pace: Pace,
}

/// The box cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log does not open.
    #[error(transparent)]
    Log(#[from] hob_log::OpenError),
    /// The system gives no thread for the log.
    #[error("the system gives no thread for the log")]
    Thread(#[from] std::io::Error),
    /// No random bytes can be had.
    #[error("the system gives no random bytes")]
    Random(#[from] getrandom::Error),
}

/// What connections and the keeper's commands tell the engine.
enum Command {
    Opened { conn: ConnId, outbox: Arc<Outbox>, exporter: Exporter, signature: Bytes },
    Frames { conn: ConnId, frames: Vec<Result<ClientFrame, FrameError>> },
    Asked { conn: ConnId, asker: Asker, question: Question, reply: oneshot::Sender<Answered> },
    Watch { conn: ConnId, outbox: Arc<Outbox>, device: DeviceKey },
    Unreadable { id: EnvelopeId },
    Closed { conn: ConnId },
    Ask { ask: Ask, reply: oneshot::Sender<Answer> },
    Addresses(Vec<Address>),
    Clock { reply: oneshot::Sender<ClockView> },
    Ledger { reply: oneshot::Sender<Result<LastingLedger, LogError>> },
    Compact { reply: oneshot::Sender<Result<CompactReport, LogError>> },
    Stop { back_in: Duration, reply: oneshot::Sender<()> },
}

/// What the box thinks of the time.
#[derive(Debug, Clone, Copy)]
pub struct ClockView {
    /// The wall clock by the box's own reckoning, Unix milliseconds.
    pub unix_ms: u64,
    /// Whether two sources agreed on the time.
    pub is_confirmed: bool,
    /// How long mail from before the start is still kept, where nobody knows how long the box was off.
    pub old_mail_for: Option<Duration>,
}

/// A handle on the running relay. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    commands: mpsc::Sender<Command>,
    writer: WriterHandle,
    shared: Arc<Shared>,
}

struct Shared {
    identity: Arc<Identity>,
    bodies: Arc<dyn BodyReader>,
    clocks: Clocks,
    next_conn: AtomicU64,
    unproven_for: Duration,
    addresses: RwLock<Vec<Address>>,
    first_start: bool,
    started_at: Instant,
    /// Held by each connection.
    alive: Arc<()>,
    recovery: hob_log::RecoveryReport,
}

/// The engine has stopped: the box is going down.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the box is going down")]
pub struct Stopped;

/// Opens the log and starts the relay. What is due is destroyed before this returns.
///
/// # Errors
/// If the folder is in use, or cannot be read or written.
pub fn start(options: EngineOptions) -> Result<(Engine, JoinHandle<()>), StartError> {
    let clocks = Clocks::new(options.pace);
    let machine = crate::clock::machine(clocks.unix_ms());
    let mut clock = None;
    let opening = Options { retention: options.relay.retention, ..Options::new(options.data) };
    let opened = DiskLog::open(opening, |checkpoint| {
        let mut started = BoxClock::start(checkpoint, machine, clocks.monotone(), clocks.unix_ms());
        let now = started.now(clocks.monotone(), clocks.unix_ms());
        clock = Some(started);
        now
    })?;
    let mut clock = clock.unwrap_or_else(|| BoxClock::start(None, machine, clocks.monotone(), clocks.unix_ms()));
    let Opened { log, ledger, pending, known, lost_windows, report, .. } = opened;
    let first_start = ledger.is_empty();
    let bodies = log.reader();
    let (events_in, events) = mpsc::unbounded_channel();
    let writer = Writer::start(
        Box::new(log),
        Box::new(move |event| {
            // The engine is gone only when the box goes down: then nobody waits for the event.
            let _ = events_in.send(event);
        }),
    )?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let now = clock.now(clocks.monotone(), clocks.unix_ms());
    // Tokens of a ledger with holes come back with the devices' lists, too.
    let epoch_ended = report.ledger_lost > 0 || lost_windows.iter().any(|window| window.is_new);
    let lost_windows = lost_windows.iter().map(|window| (window.number, window.opened_unix_ms / 1000)).collect();
    let unproven_for = options.relay.unproven_for;
    let restored = Restored { ledger, pending, known, lost_windows, epoch_ended };
    let (relay, effects) = Relay::start(options.relay, options.identity.public, seed, now, restored);
    let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
    let shared = Arc::new(Shared {
        identity: Arc::clone(&options.identity),
        bodies,
        clocks,
        next_conn: AtomicU64::new(1),
        unproven_for,
        addresses: RwLock::default(),
        first_start,
        started_at: Instant::now(),
        alive: Arc::new(()),
        recovery: report,
    });
    let engine = Engine { commands, writer: writer.handle(), shared };
    let task = run::Task::new(relay, clock, clocks, options.identity, writer, inbox, events);
    Ok((engine, tokio::spawn(task.run(effects))))
}

impl Engine {
    /// A number for a new connection.
    pub fn next_conn(&self) -> ConnId {
        ConnId(self.shared.next_conn.fetch_add(1, Ordering::Relaxed))
    }

    /// The box's keys.
    pub fn identity(&self) -> &Identity {
        &self.shared.identity
    }

    /// Reads bodies from the log.
    pub fn bodies(&self) -> Arc<dyn BodyReader> {
        Arc::clone(&self.shared.bodies)
    }

    /// The clocks of the gate.
    pub fn clocks(&self) -> Clocks {
        self.shared.clocks
    }

    /// A connection is open: its hello will be the first thing in its outbox.
    pub async fn opened(
        &self,
        conn: ConnId,
        outbox: Arc<Outbox>,
        exporter: Exporter,
        signature: Bytes,
    ) -> Result<(), Stopped> {
        self.tell(Command::Opened { conn, outbox, exporter, signature }).await
    }

    /// Frames came on a connection. Waits while too many wait already: that slows the connection down.
    pub async fn frames(&self, conn: ConnId, frames: Vec<Result<ClientFrame, FrameError>>) -> Result<(), Stopped> {
        self.tell(Command::Frames { conn, frames }).await
    }

    /// Asks once, without a connection. Waits as long as the rules do: a submit until it is durable.
    ///
    /// # Errors
    /// If the box is going down.
    pub async fn asked(&self, asker: Asker, question: Question) -> Result<Answered, Stopped> {
        let (reply, answered) = oneshot::channel();
        self.tell(Command::Asked { conn: self.next_conn(), asker, question, reply }).await?;
        answered.await.map_err(|_| Stopped)
    }

    /// Tells an outbox what comes for a device, from now until [`Engine::closed`].
    ///
    /// # Errors
    /// If the box is going down.
    pub async fn watch(&self, conn: ConnId, outbox: Arc<Outbox>, device: DeviceKey) -> Result<(), Stopped> {
        self.tell(Command::Watch { conn, outbox, device }).await
    }

    /// An envelope that was to be pushed could not be read.
    ///
    /// # Errors
    /// If the box is going down.
    pub async fn unreadable(&self, id: EnvelopeId) -> Result<(), Stopped> {
        self.tell(Command::Unreadable { id }).await
    }

    /// A connection is gone.
    pub async fn closed(&self, conn: ConnId) {
        // Going down, the relay forgets all connections anyway.
        let _ = self.tell(Command::Closed { conn }).await;
    }

    async fn tell(&self, command: Command) -> Result<(), Stopped> {
        self.commands.send(command).await.map_err(|_| Stopped)
    }

    /// Asks or orders as the keeper.
    ///
    /// # Errors
    /// If the box is going down.
    pub async fn ask(&self, ask: Ask) -> Result<Answer, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.tell(Command::Ask { ask, reply }).await?;
        answer.await.map_err(|_| Stopped)
    }

    /// Closes the open window and compacts the ledger.
    ///
    /// # Errors
    /// What the log says, in words.
    pub async fn compact(&self) -> Result<CompactReport, String> {
        let (reply, answer) = oneshot::channel();
        self.tell(Command::Compact { reply }).await.map_err(|stopped| stopped.to_string())?;
        match answer.await {
            Ok(report) => report.map_err(|error| error.to_string()),
            Err(_) => Err(Stopped.to_string()),
        }
    }

    /// What lasts of the ledger as it is durable now, with the clock: for a backup. Nobody waits meanwhile but the writer.
    ///
    /// # Errors
    /// What the log says, in words.
    pub async fn lasting_ledger(&self) -> Result<LastingLedger, String> {
        let (reply, answer) = oneshot::channel();
        self.tell(Command::Ledger { reply }).await.map_err(|stopped| stopped.to_string())?;
        match answer.await {
            Ok(ledger) => ledger.map_err(|error| error.to_string()),
            Err(_) => Err(Stopped.to_string()),
        }
    }

    /// What the box thinks of the time.
    ///
    /// # Errors
    /// If the box is going down.
    pub async fn clock_view(&self) -> Result<ClockView, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.tell(Command::Clock { reply }).await?;
        answer.await.map_err(|_| Stopped)
    }

    /// How the log stands.
    ///
    /// # Errors
    /// If the box is going down.
    pub async fn log_stats(&self) -> Result<LogStats, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.writer.stats(Box::new(move |stats| {
            let _ = reply.send(stats);
        }));
        answer.await.map_err(|_| Stopped)
    }

    /// Where the box can be reached: signed and told in every hello from now on.
    ///
    /// # Errors
    /// If the box is going down.
    pub async fn set_addresses(&self, addresses: Vec<Address>) -> Result<(), Stopped> {
        addresses.clone_into(&mut self.shared.addresses.write().unwrap_or_else(PoisonError::into_inner));
        self.tell(Command::Addresses(addresses)).await
    }

    /// Whether a web page of this origin is the box's own (RFC 6454, section 6.2).
    pub fn is_own_origin(&self, origin: &str) -> bool {
        let addresses = self.shared.addresses.read().unwrap_or_else(PoisonError::into_inner);
        addresses.iter().any(|address| is_origin_of(origin, address.as_str()))
    }

    /// How long a connection may stay without showing a token or a proof.
    pub fn unproven_for(&self) -> Duration {
        self.shared.unproven_for
    }

    /// Whether the data folder was empty when the box started.
    pub fn is_first_start(&self) -> bool {
        self.shared.first_start
    }

    /// Since the start.
    pub fn uptime(&self) -> Duration {
        self.shared.started_at.elapsed()
    }

    /// What the start found in the log.
    pub fn recovery(&self) -> &hob_log::RecoveryReport {
        &self.shared.recovery
    }

    /// A connection holds this for as long as it has something to write.
    pub fn alive(&self) -> Arc<()> {
        Arc::clone(&self.shared.alive)
    }

    /// Waits until all connections have written what waited for them and ended, but not for those that do not read.
    pub async fn goodbyes(&self, within: Duration) {
        let all_gone = async {
            while Arc::strong_count(&self.shared.alive) > 1 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        // Whoever is not gone by then does not read, and will notice.
        let _ = tokio::time::timeout(within, all_gone).await;
    }

    /// Tells clients when the box will be back, writes what is due, and closes the log.
    pub async fn stop(&self, back_in: Duration) {
        let (reply, stopped) = oneshot::channel();
        if self.tell(Command::Stop { back_in, reply }).await.is_ok() {
            let _ = stopped.await;
        }
    }
}

fn is_origin_of(origin: &str, address: &str) -> bool {
    let Some(host_and_port) = origin.strip_prefix("https://") else { return false };
    host_and_port == address || address.strip_suffix(":443") == Some(host_and_port)
}
