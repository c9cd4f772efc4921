//! The event log on real files.
//!
//! ```text
//! data/
//!   format                  the format's number
//!   lock                    held while a box runs; the owner's process id
//!   keys/box.key, log.keys  see `keys`
//!   log/clock               the clock's checkpoint, two slots
//!   log/ledger/current      the manifest: which generation holds
//!   log/ledger/7/           a generation: journal, events/
//!   log/windows/81/         a window: journal, events/
//!   log/marks/1f2e…         how much of a log was acknowledged, by its id
//!   log/quarantine/80/      a damaged window, kept aside until its time is up
//!   log/tmp/                folders that are being made
//! ```

mod open;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hob_protocol::planted;
use hob_relay::clock::{Boot, BoxTime, Checkpoint, Now};
use hob_relay::event::{Append, Known, LedgerEvent, Pending, Place};

use crate::error::OrDisk;
use crate::events::Indexer;
use crate::files::{FileLayer, Held, Kind, RealFiles, write_whole};
use crate::keys::{KeyEntry, KeyStore, KeyTable};
use crate::ledger::{GenerationWriter, Ledger};
use crate::mark::{self, Mark, MarkFile};
use crate::record::Bytes16;
use crate::window::{Bodies, End, Window, folder_of};
use crate::{
    BodyReader, CompactReport, EventLog, LogError, LogName, LogNotice, LogStats, LostWindow, RecoveryReport,
    WINDOW_LENGTH, WindowStats,
};

pub use open::FORMAT;
pub(crate) use open::{check_format, clock_id, take_lock};

/// Ends that wait for a commit to ride with, before they are written on their own.
const RIDING_MAX: usize = 256;

/// How a log is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data folder; made if it is not there.
    pub data_folder: PathBuf,
    /// How long after it opened a window is destroyed: 1 h to 6 h.
    pub retention: Duration,
    /// Whether a start reads and checks the body of every pending envelope.
    pub checks_bodies: bool,
    /// The file system.
    pub files: Arc<dyn FileLayer>,
    /// Whether there are event databases. Without them the journals are the whole truth, no thread is started, and what
    /// the log does depends on its input and on `files` alone: for simulations.
    pub has_events: bool,
}

impl Options {
    /// The defaults: six hours, bodies checked, the real file system.
    pub fn new(data_folder: impl Into<PathBuf>) -> Self {
        Self {
            data_folder: data_folder.into(),
            retention: hob_protocol::limits::KEEP_MAX,
            checks_bodies: true,
            files: Arc::new(RealFiles),
            has_events: true,
        }
    }
}

/// A log that was opened, and what it remembers.
#[derive(Debug)]
pub struct Opened {
    /// The log.
    pub log: DiskLog,
    /// The ledger's live events, in the order of their last change.
    pub ledger: Vec<LedgerEvent>,
    /// Pending envelopes, oldest first.
    pub pending: Vec<Pending>,
    /// Envelopes that are done, but whose ids are known until their windows are destroyed.
    pub known: Vec<Known>,
    /// The clock as it was last stored.
    pub checkpoint: Option<Checkpoint>,
    /// Windows of which something was lost.
    pub lost_windows: Vec<LostWindow>,
    /// What this start found and did.
    pub report: RecoveryReport,
}

/// Where things lie in a data folder.
#[derive(Debug, Clone)]
pub(crate) struct Folders {
    pub(crate) data: PathBuf,
    pub(crate) keys: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) ledger: PathBuf,
    pub(crate) windows: PathBuf,
    pub(crate) quarantine: PathBuf,
    pub(crate) temporary: PathBuf,
    pub(crate) marks: PathBuf,
}

impl Folders {
    pub(crate) fn new(data: &Path) -> Self {
        let log = data.join("log");
        Self {
            data: data.to_path_buf(),
            keys: data.join("keys"),
            ledger: log.join("ledger"),
            windows: log.join("windows"),
            quarantine: log.join("quarantine"),
            temporary: log.join("tmp"),
            marks: log.join("marks"),
            log,
        }
    }

    pub(crate) fn manifest(&self) -> PathBuf {
        self.ledger.join("current")
    }

    pub(crate) fn generation(&self, generation: u64) -> PathBuf {
        self.ledger.join(generation.to_string())
    }

    /// The folder of a window, wherever it lies; and whether it is kept aside.
    pub(crate) fn window(&self, files: &dyn FileLayer, number: u32) -> Option<(PathBuf, bool)> {
        [(&self.windows, false), (&self.quarantine, true)]
            .into_iter()
            .map(|(parent, is_aside)| (folder_of(parent, number), is_aside))
            .find(|(folder, _)| files.kind(folder) == Some(Kind::Folder))
    }
}

/// The event log on real files.
#[derive(Debug)]
pub struct DiskLog {
    folders: Folders,
    files: Arc<dyn FileLayer>,
    retention: Duration,
    keys: KeyStore,
    clock: MarkFile,
    ledger: Ledger,
    /// Oldest first.
    windows: Vec<Window>,
    bodies: Arc<Bodies>,
    /// None: there are no event databases.
    indexer: Option<Indexer>,
    notices: Vec<LogNotice>,
    /// Generations that were switched away from and whose keys could not be destroyed yet.
    stale: Vec<u64>,
    refused: u64,
    is_closed: bool,
    _lock: Box<dyn Held>,
}

pub(crate) fn checkpoint_of(mark: Mark) -> Option<Checkpoint> {
    let (unix, boot) = mark.last_tag.split_first_chunk::<8>()?;
    let unix_ms = u64::from_le_bytes(*unix);
    let boot = boot.first_chunk().map(|boot| u64::from_le_bytes(*boot)).filter(|boot| *boot != NO_BOOT);
    (mark != Mark::default()).then_some(Checkpoint {
        box_time: BoxTime(mark.records),
        ledger_time: hob_relay::clock::LedgerTime(mark.bytes),
        unix_ms,
        boot: boot.map(Boot),
    })
}

/// The checkpoint tells no boot; the first boxes wrote this into all of theirs. A first checkpoint at time zero differs by it
/// from none.
const NO_BOOT: u64 = 0x0101_0101_0101_0101;

impl EventLog for DiskLog {
    fn commit(&mut self, now: Now, batch: &[Append]) -> Result<Vec<Place>, LogError> {
        if self.is_closed {
            return Err(LogError::Closed);
        }
        let mut ledger = Vec::new();
        let mut accepts = Vec::new();
        for append in batch {
            match append {
                Append::Ledger(event) => ledger.push(event),
                Append::Accept { .. } => accepts.push(append),
                Append::Acknowledge { place } => self.end(*place, End::Acknowledged),
                Append::Expire { place } => self.end(*place, End::Expired),
            }
        }
        let mut places = Vec::with_capacity(accepts.len());
        let committed = self.commit_ledger(&ledger).and_then(|()| self.commit_accepts(now, &accepts, &mut places));
        if let Err(error) = committed {
            self.refused += 1;
            return Err(error);
        }
        let flushes = batch.is_empty();
        for window in self.windows.iter_mut().filter(|window| flushes || window.riding() >= RIDING_MAX) {
            window.write_riding();
        }
        Ok(places)
    }

    fn tick(&mut self, now: Now) -> Result<Vec<LogNotice>, LogError> {
        if self.is_closed {
            return Err(LogError::Closed);
        }
        if let Some(indexer) = &self.indexer {
            self.notices.extend(indexer.notices());
        }
        let retention = self.retention;
        let late = if planted!("destroyed-late") { WINDOW_LENGTH } else { Duration::ZERO };
        self.destroy(|window| now.box_time.since(window.opened) >= retention + late)?;
        if let Some(open) = self.windows.iter().find(|window| window.is_open)
            && now.box_time.since(open.opened) >= WINDOW_LENGTH
        {
            self.close_window()?;
        }
        for window in &mut self.windows {
            window.write_riding();
        }
        self.drop_body_keys()?;
        self.drop_stale_generations()?;
        if self.ledger.is_compaction_due(now.box_time) {
            let report = self.compact_ledger(now)?;
            self.notices.push(LogNotice::Compacted(report));
        }
        Ok(std::mem::take(&mut self.notices))
    }

    fn checkpoint(&mut self, checkpoint: Checkpoint) -> Result<(), LogError> {
        let mut last_tag = [0; 16];
        let (unix, boot) = last_tag.split_at_mut(8);
        unix.copy_from_slice(&checkpoint.unix_ms.to_le_bytes());
        boot.copy_from_slice(&checkpoint.boot.map_or(NO_BOOT, |boot| boot.0).to_le_bytes());
        let mark = Mark { records: checkpoint.box_time.0, bytes: checkpoint.ledger_time.0, last_tag };
        let sync = !planted!("clock-not-synced");
        let stored = self.clock.write(mark).and_then(|()| if sync { self.clock.sync() } else { Ok(()) });
        stored.or_disk("store the clock", &self.folders.log)
    }

    fn compact(&mut self, now: Now) -> Result<CompactReport, LogError> {
        if self.is_closed {
            return Err(LogError::Closed);
        }
        let closed_window = self.close_window()?;
        for window in &mut self.windows {
            window.write_riding();
        }
        self.drop_body_keys()?;
        let report = self.compact_ledger(now)?;
        Ok(CompactReport { closed_window, ..report })
    }

    fn destroy_windows_opened_before(&mut self, moment: BoxTime) -> Result<Vec<LogNotice>, LogError> {
        if self.is_closed {
            return Err(LogError::Closed);
        }
        self.destroy(|window| window.opened < moment)?;
        Ok(std::mem::take(&mut self.notices))
    }

    fn live_ledger(&mut self) -> Result<Vec<bytes::Bytes>, LogError> {
        if self.is_closed {
            return Err(LogError::Closed);
        }
        self.mend_ledger();
        self.ledger.read_live()
    }

    fn stats(&self) -> LogStats {
        LogStats {
            windows: self.windows.iter().map(|window| self.window_stats(window)).collect(),
            generation: self.ledger.generation,
            ledger_records: self.ledger.records,
            ledger_live: self.ledger.live(),
            bytes_on_disk: self.files.bytes_under(&self.folders.log) + self.files.bytes_under(&self.folders.keys),
            quarantined_records: self.windows.iter().filter_map(|window| window.damaged).sum(),
            refused_commits: self.refused,
            unwritten: self.windows.iter().map(|window| window.riding() as u64).sum(),
            events_rebuilt: self.indexer.as_ref().map_or(0, Indexer::rebuilt),
        }
    }

    fn reader(&self) -> Arc<dyn BodyReader> {
        Arc::clone(&self.bodies) as Arc<dyn BodyReader>
    }

    fn close(&mut self) -> Result<(), LogError> {
        if std::mem::replace(&mut self.is_closed, true) {
            return Ok(());
        }
        let mut result = self.ledger.journal.seal_up();
        for window in self.windows.iter_mut().filter(|window| window.damaged.is_none()) {
            result = result.and(window.close());
        }
        for window in &self.windows {
            self.index(window);
        }
        if let Some(indexer) = &mut self.indexer {
            indexer.stop();
        }
        result
    }
}

impl DiskLog {
    fn end(&mut self, place: Place, end: End) {
        // A window that is gone has nothing to end.
        let is_wrong = planted!("acknowledged-in-the-wrong-window");
        if let Some(window) = self.windows.iter_mut().find(|window| window.number == place.window || is_wrong) {
            window.end(place.sequence, end);
        }
    }

    fn commit_ledger(&mut self, events: &[&LedgerEvent]) -> Result<(), LogError> {
        if events.is_empty() {
            return Ok(());
        }
        self.mend_ledger();
        self.ledger.append(events)?;
        self.index_ledger();
        Ok(())
    }

    /// Before a journal is cut back its database is closed: it may hold what is cut off.
    fn mend_ledger(&self) {
        if self.ledger.journal.is_broken() {
            self.forget_events(self.ledger.keys.log_id());
        }
    }

    fn forget_events(&self, log_id: Bytes16) {
        if let Some(indexer) = &self.indexer {
            indexer.forget(log_id);
        }
    }

    fn index_ledger(&self) {
        let Some(indexer) = &self.indexer else { return };
        let ledger = &self.ledger;
        let journal = &ledger.journal;
        let end = journal.good().bytes;
        let log_id = ledger.keys.log_id();
        indexer.advance(ledger.name(), log_id, journal.folder(), &journal.file(), end, true);
    }

    fn index(&self, window: &Window) {
        if let Some(indexer) = &self.indexer
            && window.damaged.is_none()
        {
            let journal = &window.journal;
            let end = journal.good().bytes;
            let log_id = window.keys.log_id();
            let file = journal.file();
            indexer.advance(window.name(), log_id, journal.folder(), &file, end, window.is_open);
        }
    }

    fn commit_accepts(&mut self, now: Now, accepts: &[&Append], places: &mut Vec<Place>) -> Result<(), LogError> {
        if accepts.is_empty() {
            return Ok(());
        }
        let at = self.open_window(now)?;
        let Some(window) = self.windows.get_mut(at) else {
            return Err(LogError::Closed);
        };
        let was_broken = window.journal.is_broken();
        if was_broken && let Some(indexer) = &self.indexer {
            indexer.forget(window.keys.log_id());
        }
        window.accept(accepts, places)?;
        if let Some(window) = self.windows.get(at) {
            if was_broken {
                // The journal was opened anew: readers must not go on with a file that may have been replaced.
                self.bodies.serve(window);
            }
            self.index(window);
        }
        Ok(())
    }

    /// The open window, opening one if need be.
    fn open_window(&mut self, now: Now) -> Result<usize, LogError> {
        if let Some(at) = self.windows.iter().position(|window| window.is_open) {
            let is_over = |window: &Window| now.box_time.since(window.opened) >= WINDOW_LENGTH;
            if !self.windows.get(at).is_some_and(is_over) {
                return Ok(at);
            }
            // Over is over, even if the disk will not give the reserved space back now.
            if let Err(error) = self.close_window() {
                tracing::warn!(%error, "cannot close a window tidily");
            }
        }
        let number = self.keys.table().next_window;
        let entry = KeyEntry::fresh(&*self.files, LogName::Window { number }, now.box_time, now.unix_ms)?;
        let folder = folder_of(&self.folders.windows, number);
        // What an earlier try left behind has no key and no record.
        self.files.remove(&folder).or_disk("remove a left-over", &folder)?;
        let temporary = self.folders.temporary.join(format!("window-{number}"));
        // Folder first, key second: a folder without a key is a left-over, a key without a folder would be a loss.
        let mut window = Window::create(&self.files, &temporary, &folder, &self.folders.marks, &entry, number)?;
        self.keys.change(|table| {
            table.next_window = number + 1;
            table.entries.push(entry);
        })?;
        window.is_open = true;
        self.bodies.serve(&window);
        self.windows.push(window);
        Ok(self.windows.len() - 1)
    }

    fn close_window(&mut self) -> Result<Option<u32>, LogError> {
        let Some(at) = self.windows.iter().position(|window| window.is_open) else {
            return Ok(None);
        };
        let Some(window) = self.windows.get_mut(at) else {
            return Ok(None);
        };
        let number = window.number;
        if window.journal.is_broken()
            && let Some(indexer) = &self.indexer
        {
            indexer.forget(window.keys.log_id());
        }
        let closed = window.close();
        if let Some(window) = self.windows.get(at) {
            self.bodies.serve(window);
            self.index(window);
        }
        self.notices.push(LogNotice::WindowClosed { window: number });
        closed.map(|()| Some(number))
    }

    fn drop_body_keys(&mut self) -> Result<(), LogError> {
        let is_due = |window: &Window| {
            !window.is_open
                && window.keys.has_body_key()
                && (window.pending == 0 || planted!("body-key-destroyed-while-pending"))
                && window.damaged.is_none()
        };
        let due: Vec<LogName> = self.windows.iter().filter(|window| is_due(window)).map(Window::name).collect();
        if due.is_empty() {
            return Ok(());
        }
        self.keys.change(|table| {
            for name in &due {
                table.drop_body_key(*name);
            }
        })?;
        for window in self.windows.iter_mut().filter(|window| due.contains(&window.name())) {
            window.keys.drop_body_key();
            self.bodies.forget(window.number);
            self.notices.push(LogNotice::BodyKeyDestroyed { window: window.number });
        }
        Ok(())
    }

    /// Destroys windows. Keys first: a crash in between leaves ciphertext that nobody can open. Folder first would leave
    /// a live key, and on flash the folder's old pages for it to open.
    fn destroy(&mut self, is_due: impl Fn(&Window) -> bool) -> Result<(), LogError> {
        let due: Vec<LogName> = self.windows.iter().filter(|window| is_due(window)).map(Window::name).collect();
        if due.is_empty() {
            return Ok(());
        }
        if !planted!("window-key-not-destroyed") {
            self.keys.change(|table| table.entries.retain(|entry| !due.contains(&entry.name)))?;
        }
        let (gone, kept) =
            std::mem::take(&mut self.windows).into_iter().partition(|window| due.contains(&window.name()));
        self.windows = kept;
        for window in gone {
            self.bodies.forget(window.number);
            self.forget_events(window.keys.log_id());
            self.remove_window(&window);
            self.notices.push(LogNotice::WindowDestroyed {
                window: window.number,
                opened_unix_ms: window.opened_unix_ms,
                pending_lost: window.pending,
            });
        }
        Ok(())
    }

    /// A folder that cannot be removed now is sealed for good, and removed by the next start.
    fn remove_window(&self, window: &Window) {
        window.journal.file().discard(0, window.journal.end().bytes.max(1));
        let folder = window.journal.folder();
        if let Err(error) = self.files.remove(folder) {
            tracing::warn!(window = window.number, %error, "cannot remove a destroyed window's folder");
        }
        window.journal.remove_mark();
    }

    fn compact_ledger(&mut self, now: Now) -> Result<CompactReport, LogError> {
        self.mend_ledger();
        let live = self.ledger.read_live()?;
        let report = self.switch_ledger(now, live)?;
        self.drop_stale_generations()?;
        Ok(report)
    }

    fn switch_ledger(&mut self, now: Now, live: Vec<bytes::Bytes>) -> Result<CompactReport, LogError> {
        let records_before = self.ledger.records;
        let old = self.ledger.generation;
        if planted!("old-generation-dropped-first") {
            self.keys
                .change(|table| table.entries.retain(|entry| entry.name != LogName::Ledger { generation: old }))?;
        }
        let place = Whereabouts { folders: &self.folders, files: &self.files, has_events: self.indexer.is_some() };
        self.ledger = switch_to_new(place, &mut self.keys, old + 1, now, live)?;
        self.stale.push(old);
        self.index_ledger();
        Ok(CompactReport {
            generation: self.ledger.generation,
            records_before,
            records_after: self.ledger.records,
            closed_window: None,
        })
    }

    fn drop_stale_generations(&mut self) -> Result<(), LogError> {
        if self.stale.is_empty() {
            return Ok(());
        }
        let is_stale = |name: LogName, stale: &[u64]| matches!(name, LogName::Ledger { generation } if stale.contains(&generation));
        let log_ids: Vec<_> = {
            let entries = self.keys.table().entries.iter();
            entries.filter(|entry| is_stale(entry.name, &self.stale)).map(|entry| entry.log_id).collect()
        };
        let stale = &self.stale;
        self.keys.change(|table| table.entries.retain(|entry| !is_stale(entry.name, stale)))?;
        for log_id in log_ids {
            self.forget_events(log_id);
            if let Err(error) = self.files.remove(&mark::path_of(&self.folders.marks, log_id)) {
                tracing::debug!(%error, "cannot remove an old generation's mark; the next start does");
            }
        }
        for generation in std::mem::take(&mut self.stale) {
            let folder = self.folders.generation(generation);
            if let Err(error) = self.files.remove(&folder) {
                tracing::warn!(generation, %error, "cannot remove an old generation's folder");
            }
        }
        Ok(())
    }

    fn window_stats(&self, window: &Window) -> WindowStats {
        WindowStats {
            number: window.number,
            opened: window.opened,
            opened_unix_ms: window.opened_unix_ms,
            destroyed_at: window.opened.plus(self.retention),
            is_open: window.is_open,
            accepted: window.accepted,
            pending: window.pending,
            has_body_key: window.keys.has_body_key(),
            journal_bytes: window.journal.end().bytes,
            damaged_records: window.damaged.unwrap_or(0),
        }
    }

    /// Makes these events the whole ledger: for a folder that was made a moment ago.
    pub(crate) fn begin_with(&mut self, now: Now, live: Vec<bytes::Bytes>) -> Result<(), LogError> {
        self.switch_ledger(now, live)?;
        self.drop_stale_generations()
    }

    /// Waits until sled has what the journals have. For tests, and for a snapshot of the folder.
    pub fn wait_for_events(&self) {
        if let Some(indexer) = &self.indexer {
            indexer.wait_until_caught_up();
        }
    }
}

/// Where a new generation goes.
#[derive(Clone, Copy)]
struct Whereabouts<'a> {
    folders: &'a Folders,
    files: &'a Arc<dyn FileLayer>,
    has_events: bool,
}

/// Makes a new generation and makes it hold: folder, key, manifest, in this order. A crash at any point leaves exactly
/// one valid generation, the one that the manifest names.
fn switch_to_new(
    place: Whereabouts<'_>,
    keys: &mut KeyStore,
    generation: u64,
    now: Now,
    live: Vec<bytes::Bytes>,
) -> Result<Ledger, LogError> {
    let Whereabouts { folders, files, has_events } = place;
    let entry = KeyEntry::fresh(&**files, LogName::Ledger { generation }, now.box_time, now.unix_ms)?;
    let temporary = folders.temporary.join(format!("ledger-{generation}"));
    let mut verified =
        GenerationWriter::write(files, &temporary, &folders.marks, generation, entry, live, has_events)?.verify()?;
    let folder = folders.generation(generation);
    files.remove(&folder).or_disk("remove a left-over", &folder)?;
    verified.settle(&**files, &folder)?;
    let name = LogName::Ledger { generation };
    keys.change(|table: &mut KeyTable| {
        table.entries.retain(|entry| entry.name != name);
        table.entries.push(verified.entry().clone());
    })?;
    let manifest = folders.manifest();
    write_whole(&**files, &manifest, format!("{generation}\n").as_bytes()).or_disk("switch the ledger", &manifest)?;
    Ok(verified.into_ledger())
}
