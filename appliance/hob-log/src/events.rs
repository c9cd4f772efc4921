//! The sled databases: one sealed value per group, by sequence number, brought up to the journal and rebuilt from it.
//!
//! A value is the group's front as the journal has it (header and sealed index; for the ledger that is the whole group),
//! in parts of at most 7 KiB, under `first sequence (8 B, big-endian) || part (2 B)`. Nothing else is in sled, and nothing
//! is ever overwritten or removed (rules 4 and 5).
//!
//! One thread does it, behind everybody's back: a log tells it how far its journal is synced, and the thread reads the
//! fronts from there. So nothing waits for sled, nothing queues up, and a database that is behind, from another time or
//! broken is the same case: it is compared with the journal when it is opened, and thrown away where it differs (rule 3).

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::files::LogFile;
use crate::record::{Bytes16, HEADER_BYTES, Header};
use crate::recovery::ReadAhead;
use crate::{LogName, LogNotice};

/// The name of the database's folder in a log's folder.
pub const FOLDER: &str = "events";

/// The most that one value may have: 17 of them fit a quarter of a segment of 512 KiB.
pub const PART_BYTES_MAX: usize = 7 << 10;

/// How long the thread lets work gather before it goes on, unless somebody waits for it.
const GATHERS_FOR: Duration = Duration::from_millis(200);

/// What is read of the journal at once: fronts, and as little as possible of the bodies between them.
const FRONTS_BYTES: usize = 16 << 10;

/// How often the ledger's database is synced: rule 7 gives it a second.
const LEDGER_SYNC_EVERY: Duration = Duration::from_millis(300);

/// How often a window's database is handed to the kernel. It is never synced by us, and each time costs more than what is
/// in it: what a crash takes of it is read from the journal again.
const FLUSH_EVERY: Duration = Duration::from_secs(60);

/// How often opening is tried while a just dropped database still holds its lock.
const OPEN_TRIES: u32 = 20;

/// A database could not be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// sled says no.
    #[error("the events database refused")]
    Sled(#[source] sled::Error),
    /// sled panicked.
    #[error("the events database gave up")]
    Panicked,
    /// The file system says no.
    #[error("the events folder cannot be used")]
    Folder(#[source] std::io::Error),
    /// A value became a file of its own, which sled never syncs.
    #[error("a value went to blobs/")]
    Blob,
    /// It does not say what the journal says.
    #[error("the events differ from the journal")]
    Differs,
}

/// An open database.
#[derive(Debug)]
pub struct Events {
    /// There until it is let go.
    db: Option<sled::Db>,
    folder: PathBuf,
    /// The sequence number after the last group that it holds.
    next_sequence: u64,
    /// Where the next group begins in the journal.
    journal_at: u64,
    unsynced_since: Option<Instant>,
    is_entered: bool,
}

impl Events {
    /// Opens the database in a log's folder, or makes it. Nothing in it is trusted yet.
    ///
    /// # Errors
    /// [`EventsError`]: throw it away and rebuild it.
    pub fn open(log_folder: &Path) -> Result<Self, EventsError> {
        let folder = log_folder.join(FOLDER);
        remove_snapshots(&folder).map_err(EventsError::Folder)?;
        let mut tries = 0;
        let db = loop {
            let opened = catch_unwind(AssertUnwindSafe(|| {
                sled::Config::new()
                    .path(&folder)
                    .mode(sled::Mode::LowSpace)
                    .cache_capacity(256 << 10)
                    .flush_every_ms(None)
                    .open()
            }));
            match opened {
                Ok(Ok(db)) => break db,
                Err(_) => return Err(EventsError::Panicked),
                Ok(Err(error)) if tries >= OPEN_TRIES || !is_lock(&error) => return Err(EventsError::Sled(error)),
                Ok(Err(_)) => {
                    tries += 1;
                    std::thread::sleep(Duration::from_millis(25));
                }
            }
        };
        Ok(Self { db: Some(db), folder, next_sequence: 0, journal_at: 0, unsynced_since: None, is_entered: false })
    }

    fn db(&self) -> Result<&sled::Db, EventsError> {
        self.db.as_ref().ok_or(EventsError::Panicked)
    }

    /// The front that begins with a sequence number, put together from its parts.
    pub fn front(&self, sequence: u64) -> Option<Vec<u8>> {
        let read = || {
            let mut front = Vec::new();
            for item in self.db().ok()?.scan_prefix(sequence.to_be_bytes()) {
                front.extend_from_slice(&item.ok()?.1);
            }
            (!front.is_empty()).then_some(front)
        };
        catch_unwind(AssertUnwindSafe(read)).ok().flatten()
    }

    /// Compares what it holds with the journal up to an end, in order, and stops behind the last group that is the same.
    ///
    /// # Errors
    /// [`EventsError::Differs`] if it holds anything else.
    pub fn compare(&mut self, journal: &dyn LogFile, end: u64) -> Result<(), EventsError> {
        let compared = catch_unwind(AssertUnwindSafe(|| self.compare_all(journal, end)));
        compared.unwrap_or(Err(EventsError::Panicked))
    }

    fn compare_all(&mut self, journal: &dyn LogFile, end: u64) -> Result<(), EventsError> {
        let mut reader = ReadAhead::new(journal);
        let mut items = self.db()?.iter();
        let mut next = || items.next().transpose().map_err(EventsError::Sled);
        while let Some((key, first_part)) = next()? {
            let header = header_at(&mut reader, self.journal_at, end).ok_or(EventsError::Differs)?;
            let front = reader.get(self.journal_at, header.front_bytes()).ok_or(EventsError::Differs)?;
            let mut got = Some((key, first_part));
            for (number, part) in front.chunks(PART_BYTES_MAX).enumerate() {
                let (key, value) = match got.take() {
                    Some(item) => item,
                    None => next()?.ok_or(EventsError::Differs)?,
                };
                if *key != key_of(&header, number) || *value != *part {
                    return Err(EventsError::Differs);
                }
            }
            self.journal_at += header.total_bytes as u64;
            self.next_sequence = header.next_sequence();
        }
        Ok(())
    }

    /// Takes in the groups of the journal up to an end.
    ///
    /// # Errors
    /// [`EventsError`]: throw it away and rebuild it.
    pub fn catch_up(&mut self, journal: &dyn LogFile, end: u64) -> Result<(), EventsError> {
        let caught = catch_unwind(AssertUnwindSafe(|| self.catch_up_all(journal, end)));
        caught.unwrap_or(Err(EventsError::Panicked))
    }

    fn catch_up_all(&mut self, journal: &dyn LogFile, end: u64) -> Result<(), EventsError> {
        let mut reader = ReadAhead::in_pieces_of(FRONTS_BYTES, journal);
        while self.journal_at < end {
            let header = header_at(&mut reader, self.journal_at, end).ok_or(EventsError::Differs)?;
            if header.at.first_sequence != self.next_sequence {
                return Err(EventsError::Differs);
            }
            let front = reader.get(self.journal_at, header.front_bytes()).ok_or(EventsError::Differs)?;
            for (number, part) in front.chunks(PART_BYTES_MAX).enumerate() {
                self.db()?.insert(key_of(&header, number), part).map_err(EventsError::Sled)?;
            }
            self.journal_at += header.total_bytes as u64;
            self.next_sequence = header.next_sequence();
            self.unsynced_since.get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    /// Hands what it holds to the kernel; with `sync` to the medium, files and folders (sled's own `flush` does not).
    ///
    /// # Errors
    /// [`EventsError::Blob`] if a value went to `blobs/`; then as above.
    pub fn flush(&mut self, sync: bool) -> Result<(), EventsError> {
        let db = self.db()?;
        let flushed = catch_unwind(AssertUnwindSafe(|| db.flush()));
        flushed.map_err(|_| EventsError::Panicked)?.map_err(EventsError::Sled)?;
        self.check_blobs()?;
        if sync {
            self.sync_files().map_err(EventsError::Folder)?;
        }
        self.unsynced_since = None;
        Ok(())
    }

    fn sync_files(&mut self) -> std::io::Result<()> {
        std::fs::File::open(self.folder.join("db"))?.sync_data()?;
        if !self.is_entered {
            std::fs::File::open(self.folder.join("conf"))?.sync_all()?;
            for folder in [self.folder.join("blobs"), self.folder.clone()] {
                std::fs::File::open(folder)?.sync_all()?;
            }
            self.is_entered = true;
        }
        Ok(())
    }

    /// Rule 4, while running: a value that became a file of its own would never be synced.
    fn check_blobs(&self) -> Result<(), EventsError> {
        match std::fs::read_dir(self.folder.join("blobs")) {
            Ok(mut entries) => entries.next().map_or(Ok(()), |_| Err(EventsError::Blob)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(EventsError::Folder(error)),
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let_go(self.db.take());
    }
}

/// sled syncs its file when it is dropped, and panics when the disk says no: no thread may fall with a database that can
/// be thrown away.
pub(crate) fn let_go<T>(db: T) {
    if catch_unwind(AssertUnwindSafe(|| drop(db))).is_err() {
        tracing::warn!("an events database could not be closed tidily; it is checked when it is opened again");
    }
}

fn header_at(reader: &mut ReadAhead<'_>, at: u64, end: u64) -> Option<Header> {
    let header = Header::parse(reader.get(at, HEADER_BYTES)?)?;
    (at + header.total_bytes as u64 <= end).then_some(header)
}

fn key_of(header: &Header, part: usize) -> [u8; 10] {
    let mut key = [0; 10];
    let (sequence, number) = key.split_at_mut(8);
    sequence.copy_from_slice(&header.at.first_sequence.to_be_bytes());
    number.copy_from_slice(&u16::try_from(part).unwrap_or(u16::MAX).to_be_bytes());
    key
}

fn is_lock(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(io) if io.kind() == std::io::ErrorKind::Other
        || io.kind() == std::io::ErrorKind::WouldBlock)
}

/// Rule 3: a snapshot that was being written makes sled refuse, and none is needed.
fn remove_snapshots(folder: &Path) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b"snap.") {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Throws a log's database away.
///
/// # Errors
/// As the file system says.
pub fn throw_away(log_folder: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(log_folder.join(FOLDER)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Opens a log's database and makes it say what the journal says, from scratch if need be. Returns why it was rebuilt.
///
/// # Errors
/// [`EventsError`] if not even a new one can be made.
pub fn open_and_catch_up(
    log_folder: &Path,
    journal: &dyn LogFile,
    end: u64,
) -> Result<(Events, Option<EventsError>), EventsError> {
    let attempt = || {
        let mut events = Events::open(log_folder)?;
        events.compare(journal, end)?;
        events.catch_up(journal, end)?;
        events.check_blobs()?;
        Ok(events)
    };
    match attempt() {
        Ok(events) => Ok((events, None)),
        Err(why) => {
            throw_away(log_folder).map_err(EventsError::Folder)?;
            attempt().map(|events| (events, Some(why)))
        }
    }
}

/// What the thread is to do for one log.
struct Target {
    name: LogName,
    folder: PathBuf,
    journal: Arc<dyn LogFile>,
    end: u64,
    stays_open: bool,
    /// Somebody told of it since it was last looked at.
    is_fresh: bool,
    /// The journal was cut back, or the log is gone: the open database is of no use.
    forget: bool,
}

#[derive(Default)]
struct Shared {
    targets: BTreeMap<Bytes16, Target>,
    dirty: bool,
    /// Somebody waits: what there is to do is done without letting more gather.
    urgent: bool,
    stop: bool,
    notices: Vec<LogNotice>,
    rebuilt: u64,
    rounds: u64,
    idle_rounds: u64,
}

type Meeting = Arc<(Mutex<Shared>, Condvar)>;

fn lock(meeting: &Meeting) -> MutexGuard<'_, Shared> {
    meeting.0.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread that keeps all databases up to their journals.
pub struct Indexer {
    meeting: Meeting,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Indexer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Indexer").finish_non_exhaustive()
    }
}

impl Indexer {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start() -> std::io::Result<Self> {
        let meeting: Meeting = Arc::default();
        let theirs = Arc::clone(&meeting);
        let thread = std::thread::Builder::new()
            .name("hob-log-events".into())
            .spawn(move || Worker { meeting: theirs, open: BTreeMap::new() }.run())?;
        Ok(Self { meeting, thread: Some(thread) })
    }

    /// Tells how far a log's journal is synced.
    pub fn advance(
        &self,
        name: LogName,
        log_id: Bytes16,
        folder: &Path,
        journal: &Arc<dyn LogFile>,
        end: u64,
        stays_open: bool,
    ) {
        let mut shared = lock(&self.meeting);
        let target = shared.targets.entry(log_id).or_insert_with(|| Target {
            name,
            folder: folder.to_path_buf(),
            journal: Arc::clone(journal),
            end: 0,
            stays_open,
            is_fresh: true,
            forget: false,
        });
        target.end = end;
        target.is_fresh = true;
        target.stays_open = stays_open;
        if !Arc::ptr_eq(&target.journal, journal) {
            target.journal = Arc::clone(journal);
        }
        if target.folder != folder {
            target.folder = folder.to_path_buf();
        }
        self.wake(shared);
    }

    /// A log is gone, or its journal was cut back: closes its database. Returns when that is done.
    pub fn forget(&self, log_id: Bytes16) {
        let mut shared = lock(&self.meeting);
        let Some(target) = shared.targets.get_mut(&log_id) else {
            return;
        };
        target.forget = true;
        self.hurry(shared);
        self.wait_idle_until(|shared| !shared.targets.contains_key(&log_id));
    }

    /// Returns when every database has what its journal has.
    pub fn wait_until_caught_up(&self) {
        let round = {
            let shared = lock(&self.meeting);
            let round = shared.rounds;
            self.hurry(shared);
            round
        };
        self.wait_idle_until(|shared| shared.rounds > round + 1 || shared.idle_rounds > round);
    }

    /// What happened since the last time.
    pub fn notices(&self) -> Vec<LogNotice> {
        std::mem::take(&mut lock(&self.meeting).notices)
    }

    /// Databases that were rebuilt.
    pub fn rebuilt(&self) -> u64 {
        lock(&self.meeting).rebuilt
    }

    /// Syncs and closes all databases and ends the thread.
    pub fn stop(&mut self) {
        {
            let mut shared = lock(&self.meeting);
            shared.stop = true;
            self.hurry(shared);
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the events databases ended; they are rebuilt by the next start");
        }
    }

    fn wake(&self, mut shared: MutexGuard<'_, Shared>) {
        if !shared.dirty {
            shared.dirty = true;
            drop(shared);
            self.meeting.1.notify_all();
        }
    }

    fn hurry(&self, mut shared: MutexGuard<'_, Shared>) {
        shared.dirty = true;
        shared.urgent = true;
        drop(shared);
        self.meeting.1.notify_all();
    }

    fn wait_idle_until(&self, done: impl Fn(&Shared) -> bool) {
        let mut shared = lock(&self.meeting);
        while !done(&shared) && self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            let waited = self.meeting.1.wait_timeout(shared, Duration::from_millis(50));
            shared = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Indexer {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Worker {
    meeting: Meeting,
    open: BTreeMap<Bytes16, (Events, bool)>,
}

/// A target, copied out of the lock.
struct Job {
    log_id: Bytes16,
    name: LogName,
    folder: PathBuf,
    journal: Arc<dyn LogFile>,
    end: u64,
    stays_open: bool,
}

impl Worker {
    fn run(mut self) {
        loop {
            let (jobs, stop) = self.wait_for_work();
            for job in &jobs {
                self.work(job);
            }
            self.flush_due(stop);
            let mut shared = lock(&self.meeting);
            shared.rounds += 1;
            // A log that is closed is looked at once, and comes back when it is told of again.
            shared.targets.retain(|_, target| target.stays_open || target.is_fresh || target.forget);
            if !shared.dirty {
                shared.idle_rounds = shared.rounds;
            }
            drop(shared);
            self.meeting.1.notify_all();
            if stop {
                return;
            }
            self.let_gather();
        }
    }

    /// One look at a journal is cheaper than ten.
    fn let_gather(&self) {
        let shared = lock(&self.meeting);
        let gathered = self.meeting.1.wait_timeout_while(shared, GATHERS_FOR, |shared| !shared.urgent);
        gathered.unwrap_or_else(PoisonError::into_inner).0.urgent = false;
    }

    /// Waits until something is to be done, or a database is due to be flushed.
    fn wait_for_work(&mut self) -> (Vec<Job>, bool) {
        let meeting = Arc::clone(&self.meeting);
        let mut shared = lock(&meeting);
        while !shared.dirty {
            let due = self.open.values().filter_map(|(events, is_ledger)| due_in(events, *is_ledger)).min();
            let Some(due) = due else {
                shared = meeting.1.wait(shared).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let waited = meeting.1.wait_timeout(shared, due);
            let (back, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            shared = back;
            if timeout.timed_out() {
                break;
            }
        }
        shared.dirty = false;
        let gone: Vec<Bytes16> = shared.targets.iter().filter(|(_, target)| target.forget).map(|(id, _)| *id).collect();
        for log_id in gone {
            // Dropped before the target goes: whoever waits for that may remove the folder.
            drop(self.open.remove(&log_id));
            shared.targets.remove(&log_id);
        }
        let jobs = shared.targets.iter().filter(|(_, target)| target.is_fresh).map(|(log_id, target)| Job {
            log_id: *log_id,
            name: target.name,
            folder: target.folder.clone(),
            journal: Arc::clone(&target.journal),
            end: target.end,
            stays_open: target.stays_open,
        });
        let jobs = jobs.collect();
        let stop = shared.stop;
        for target in shared.targets.values_mut() {
            target.is_fresh = false;
        }
        (jobs, stop)
    }

    fn work(&mut self, job: &Job) {
        if !job.folder.exists() {
            return;
        }
        let caught = match self.open.get_mut(&job.log_id) {
            Some((events, _)) => events.catch_up(&*job.journal, job.end),
            None => self.open_for(job),
        };
        if let Err(why) = caught {
            drop(self.open.remove(&job.log_id));
            let thrown = throw_away(&job.folder).map_err(EventsError::Folder);
            if let Err(error) = thrown.and_then(|()| self.open_for(job)) {
                tracing::warn!(log = %job.name, %error, "cannot keep the events database; the next change tries again");
            }
            self.tell(job.name, &why);
        }
        if !job.stays_open
            && let Some((mut events, _)) = self.open.remove(&job.log_id)
            && let Err(error) = events.flush(false)
        {
            tracing::warn!(log = %job.name, %error, "cannot flush the events database");
        }
    }

    fn open_for(&mut self, job: &Job) -> Result<(), EventsError> {
        let (events, rebuilt) = open_and_catch_up(&job.folder, &*job.journal, job.end)?;
        if let Some(why) = rebuilt {
            self.tell(job.name, &why);
        }
        let is_ledger = matches!(job.name, LogName::Ledger { .. });
        self.open.insert(job.log_id, (events, is_ledger));
        Ok(())
    }

    fn tell(&self, log: LogName, why: &EventsError) {
        tracing::warn!(%log, %why, "the events database was rebuilt from the journal");
        let mut shared = lock(&self.meeting);
        shared.rebuilt += 1;
        shared.notices.push(LogNotice::EventsRebuilt { log, why: why.to_string() });
    }

    fn flush_due(&mut self, stop: bool) {
        let mut bad = Vec::new();
        for (log_id, (events, is_ledger)) in &mut self.open {
            let is_due = stop || due_in(events, *is_ledger).is_some_and(|due| due.is_zero());
            if is_due && let Err(error) = events.flush(*is_ledger || stop) {
                tracing::warn!(%error, "cannot flush an events database; it is opened again");
                bad.push(*log_id);
            }
        }
        for log_id in bad {
            if let Some((events, _)) = self.open.remove(&log_id) {
                let folder = events.folder.clone();
                drop(events);
                if let Some(log_folder) = folder.parent()
                    && let Err(error) = throw_away(log_folder)
                {
                    tracing::warn!(%error, "cannot throw an events database away");
                }
            }
        }
        if stop {
            self.open.clear();
        }
    }
}

fn due_in(events: &Events, is_ledger: bool) -> Option<Duration> {
    let every = if is_ledger { LEDGER_SYNC_EVERY } else { FLUSH_EVERY };
    events.unsynced_since.map(|since| every.saturating_sub(since.elapsed()))
}
