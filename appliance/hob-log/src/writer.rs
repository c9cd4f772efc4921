//! Group commit: one thread owns the log, takes what is waiting, appends, syncs once, reports.
//!
//! Alone, an append is committed at once. What comes less than [`COMMIT_COLLECTS_FOR`] after the last commit began waits
//! until that much has passed, or [`COMMIT_BYTES_MAX`] are together, and shares one sync: a card that syncs two hundred
//! times a second is worn out by nothing else. While it waits, the thread sleeps through what comes.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hob_relay::Ticket;
use hob_relay::clock::{BoxTime, Checkpoint, Now};
use hob_relay::event::{Append, Place};

use crate::{
    BodyReader, COMMIT_BYTES_MAX, COMMIT_COLLECTS_FOR, CompactReport, EventLog, LogError, LogNotice, LogStats,
};

/// How long acknowledgements wait for a commit to ride with before they are written, unsynced, on their own.
const RIDE_WAITS: Duration = Duration::from_millis(200);

/// What the writer reports, from its own thread and in order. The callback must not block.
#[derive(Debug)]
pub enum WriterEvent {
    /// Everything up to this ticket is durable.
    Durable {
        /// The last ticket of the commit.
        up_to: Ticket,
        /// Where the accepted envelopes of the commit lie, in order.
        places: Vec<Place>,
    },
    /// A commit failed: nothing up to this ticket that was not reported durable is stored.
    Failed {
        /// The last ticket of the commit.
        up_to: Ticket,
        /// Why.
        error: LogError,
    },
    /// What happened in the log.
    Notices(Vec<LogNotice>),
    /// A tick or a checkpoint failed; what was due stays due.
    TickFailed(LogError),
}

/// Is called with an answer, on the writer's thread. Must not block.
pub type Reply<T> = Box<dyn FnOnce(T) + Send>;

enum Command {
    Append { now: Now, appends: Vec<(Ticket, Append)> },
    Tick { now: Now },
    Checkpoint(Checkpoint),
    DestroyBefore(BoxTime),
    Compact { now: Now, reply: Reply<Result<CompactReport, LogError>> },
    Ledger(Reply<Result<Vec<Bytes>, LogError>>),
    Stats(Reply<LogStats>),
    Close,
}

/// The writer's thread. Dropping it does not stop it: close it.
#[derive(Debug)]
pub struct Writer {
    thread: JoinHandle<Result<(), LogError>>,
    handle: WriterHandle,
}

/// Talks to the writer from any thread.
#[derive(Clone)]
pub struct WriterHandle {
    commands: Sender<Command>,
    queued_bytes: Arc<AtomicUsize>,
    reader: Arc<Mutex<Arc<dyn BodyReader>>>,
    busy_since: BusySince,
    /// Set once the thread runs: to be woken when a whole commit is together.
    thread: Arc<OnceLock<Thread>>,
}

/// When the writer began with what it is doing; `None`: it waits for something to do.
type BusySince = Arc<Mutex<Option<Instant>>>;

impl std::fmt::Debug for WriterHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriterHandle").field("queued_bytes", &self.queued_bytes).finish_non_exhaustive()
    }
}

impl Writer {
    /// Starts the thread. `report` is called on it.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(log: Box<dyn EventLog>, report: Box<dyn FnMut(WriterEvent) + Send>) -> io::Result<Self> {
        let (commands, inbox) = mpsc::channel();
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        let handle = WriterHandle {
            commands,
            queued_bytes: Arc::clone(&queued_bytes),
            reader: Arc::new(Mutex::new(log.reader())),
            busy_since: BusySince::default(),
            thread: Arc::default(),
        };
        let busy_since = Arc::clone(&handle.busy_since);
        let worker = Worker { log, report, inbox, queued_bytes, busy_since, rides_since: None, last_commit: None };
        let thread = std::thread::Builder::new().name("hob-log-writer".into()).spawn(move || worker.run())?;
        handle.thread.get_or_init(|| thread.thread().clone());
        Ok(Self { thread, handle })
    }

    /// To talk to it.
    pub fn handle(&self) -> WriterHandle {
        self.handle.clone()
    }

    /// Commits what is waiting, closes the log cleanly and ends the thread.
    ///
    /// # Errors
    /// If the last sync failed; everything that was reported durable is durable all the same.
    pub fn close(self) -> Result<(), LogError> {
        self.handle.send(Command::Close);
        self.thread.join().unwrap_or(Err(LogError::Closed))
    }
}

impl WriterHandle {
    /// Hands over what the rules ask for, in the order of its tickets. Never blocks; see [`Self::queued_bytes`].
    pub fn append(&self, now: Now, appends: Vec<(Ticket, Append)>) {
        let bytes: usize = appends.iter().map(|(_, append)| append.weight_bytes()).sum();
        let before = self.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.send(Command::Append { now, appends });
        if before < COMMIT_BYTES_MAX
            && before + bytes >= COMMIT_BYTES_MAX
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }

    /// Bytes that wait to be committed: a shell that sees much here reads no more from its sockets.
    pub fn queued_bytes(&self) -> usize {
        self.queued_bytes.load(Ordering::Relaxed)
    }

    /// How long the writer has been at one thing: a commit, a compaction. Zero while it waits for something to do. A
    /// disk that hangs shows here, and so does a writer that is gone over it.
    pub fn busy_for(&self) -> Duration {
        let since = *self.busy_since.lock().unwrap_or_else(PoisonError::into_inner);
        since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Does what is due. See [`EventLog::tick`].
    pub fn tick(&self, now: Now) {
        self.send(Command::Tick { now });
    }

    /// Stores the clock. See [`EventLog::checkpoint`].
    pub fn checkpoint(&self, checkpoint: Checkpoint) {
        self.send(Command::Checkpoint(checkpoint));
    }

    /// See [`EventLog::destroy_windows_opened_before`]. A failure is reported, and the next call tries again.
    pub fn destroy_windows_opened_before(&self, moment: BoxTime) {
        self.send(Command::DestroyBefore(moment));
    }

    /// Compacts. See [`EventLog::compact`].
    pub fn compact(&self, now: Now, reply: Reply<Result<CompactReport, LogError>>) {
        self.send(Command::Compact { now, reply });
    }

    /// The ledger as it is durable after everything that was handed over so far. See [`EventLog::live_ledger`].
    pub fn live_ledger(&self, reply: Reply<Result<Vec<Bytes>, LogError>>) {
        self.send(Command::Ledger(reply));
    }

    /// Asks how the log stands.
    pub fn stats(&self, reply: Reply<LogStats>) {
        self.send(Command::Stats(reply));
    }

    /// Reads bodies without passing through the writer.
    pub fn reader(&self) -> Arc<dyn BodyReader> {
        Arc::clone(&self.reader.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn send(&self, command: Command) {
        // A writer that is gone has been closed: whoever still talks to it gets no answer, as after a stop.
        drop(self.commands.send(command));
    }
}

struct Worker {
    log: Box<dyn EventLog>,
    report: Box<dyn FnMut(WriterEvent) + Send>,
    inbox: Receiver<Command>,
    queued_bytes: Arc<AtomicUsize>,
    busy_since: BusySince,
    /// The time of the last commit that brought only what nobody waits for.
    rides_since: Option<Now>,
    /// When the last commit began.
    last_commit: Option<Instant>,
}

impl Worker {
    fn run(mut self) -> Result<(), LogError> {
        let mut next = None;
        loop {
            let command = match next.take() {
                Some(command) => command,
                None => match self.wait() {
                    Some(command) => command,
                    None => return self.log.close(),
                },
            };
            self.busy(true);
            match command {
                Command::Append { now, appends } => next = self.commit_group(now, appends),
                Command::Close => return self.log.close(),
                other => self.handle(other),
            }
            self.busy(false);
        }
    }

    fn busy(&self, is_busy: bool) {
        *self.busy_since.lock().unwrap_or_else(PoisonError::into_inner) = is_busy.then(Instant::now);
    }

    /// The next command; `None` when nobody can send one any more.
    fn wait(&mut self) -> Option<Command> {
        let Some(now) = self.rides_since else {
            return self.inbox.recv().ok();
        };
        match self.inbox.recv_timeout(RIDE_WAITS) {
            Ok(command) => Some(command),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                self.rides_since = None;
                self.busy(true);
                if let Err(error) = self.log.commit(now, &[]) {
                    (self.report)(WriterEvent::TickFailed(error));
                }
                self.busy(false);
                self.inbox.recv().ok()
            }
        }
    }

    /// Commits what is waiting; returns the command that ended the group, if one did.
    fn commit_group(&mut self, mut now: Now, first: Vec<(Ticket, Append)>) -> Option<Command> {
        let mut batch = Vec::with_capacity(first.len());
        let (mut bytes, mut up_to) = (0, None);
        let mut take = |appends: Vec<(Ticket, Append)>, batch: &mut Vec<Append>| {
            for (ticket, append) in appends {
                bytes += append.weight_bytes();
                up_to = Some(ticket);
                batch.push(append);
            }
            bytes
        };
        self.let_gather();
        let mut taken = take(first, &mut batch);
        let mut ended_by = None;
        while taken < COMMIT_BYTES_MAX {
            match self.inbox.try_recv().ok() {
                Some(Command::Append { now: later, appends }) => {
                    now = later;
                    taken = take(appends, &mut batch);
                }
                Some(other) => {
                    ended_by = Some(other);
                    break;
                }
                None => break,
            }
        }
        self.last_commit = Some(Instant::now());
        self.queued_bytes.fetch_sub(taken, Ordering::Relaxed);
        self.rides_since = (!batch.iter().any(Append::is_awaited)).then_some(now);
        let result = self.log.commit(now, &batch);
        let up_to = up_to?;
        (self.report)(match result {
            Ok(places) => WriterEvent::Durable { up_to, places },
            Err(error) => WriterEvent::Failed { up_to, error },
        });
        ended_by
    }

    /// Waits until the next commit may begin, or a whole one is together. Parked, so that what comes wakes nobody.
    fn let_gather(&self) {
        while self.queued_bytes.load(Ordering::Relaxed) < COMMIT_BYTES_MAX {
            let wait = self.last_commit.map(|last| COMMIT_COLLECTS_FOR.saturating_sub(last.elapsed()));
            match wait.filter(|wait| !wait.is_zero()) {
                Some(wait) => std::thread::park_timeout(wait),
                None => return,
            }
        }
    }

    fn handle(&mut self, command: Command) {
        match command {
            Command::Append { .. } | Command::Close => {}
            Command::Tick { now } => {
                let result = self.log.tick(now);
                self.notice(result);
            }
            Command::DestroyBefore(moment) => {
                let result = self.log.destroy_windows_opened_before(moment);
                self.notice(result);
            }
            Command::Checkpoint(checkpoint) => {
                if let Err(error) = self.log.checkpoint(checkpoint) {
                    (self.report)(WriterEvent::TickFailed(error));
                }
            }
            Command::Compact { now, reply } => reply(self.log.compact(now)),
            Command::Ledger(reply) => reply(self.log.live_ledger()),
            Command::Stats(reply) => reply(self.log.stats()),
        }
    }

    fn notice(&mut self, result: Result<Vec<LogNotice>, LogError>) {
        match result {
            Ok(notices) if notices.is_empty() => {}
            Ok(notices) => (self.report)(WriterEvent::Notices(notices)),
            Err(error) => (self.report)(WriterEvent::TickFailed(error)),
        }
    }
}
