//! Opening a data folder: lock, format, keys, what is due, what is left over, the ledger, the windows.

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use hob_protocol::limits::KEEP_MAX;
use hob_protocol::planted;
use hob_relay::clock::{Checkpoint, LedgerTime, Now};

use super::{DiskLog, Folders, Opened, Options, Whereabouts, checkpoint_of, switch_to_new};
use crate::error::OrDisk;
use crate::events::{Events, Indexer};
use crate::files::{FileLayer, Held, Kind, NotLocked, read_whole, write_whole};
use crate::journal::{FILE as JOURNAL_FILE, Journal};
use crate::keys::{BoxKey, KeyEntry, KeyStore, LOG_KEYS_FILE};
use crate::ledger::{Fold, Ledger, decode_all};
use crate::mark::{self, MarkFile};
use crate::recovery::{Scan, WindowContent, WindowReader, scan};
use crate::window::{Bodies, Window, folder_of};
use crate::{LogError, LogName, LostWindow, OpenError, RecoveryReport, WINDOW_LENGTH};

/// The format that this box writes.
pub const FORMAT: u32 = 1;

/// Takes a data folder for this process.
pub(crate) fn take_lock(files: &dyn FileLayer, data_folder: &Path) -> Result<Box<dyn Held>, OpenError> {
    let path = data_folder.join("lock");
    files.lock(&path).map_err(|refused| match refused {
        NotLocked::Taken { pid } => OpenError::InUse { path: data_folder.to_path_buf(), pid },
        NotLocked::Disk(error) => LogError::disk("take the lock", &path, error).into(),
    })
}

/// Refuses a folder of a newer format. Returns whether the folder has a format at all.
pub(crate) fn check_format(files: &dyn FileLayer, data_folder: &Path) -> Result<bool, OpenError> {
    let path = data_folder.join("format");
    let Some(bytes) = read_whole(files, &path).or_disk("read the format", &path)? else {
        return Ok(false);
    };
    let text = String::from_utf8_lossy(&bytes);
    match text.trim().parse() {
        Ok(found) if found > FORMAT => {
            Err(OpenError::NewerFormat { path: data_folder.to_path_buf(), found, known: FORMAT })
        }
        Ok(_) => Ok(true),
        Err(_) => Err(OpenError::Unreadable { what: "the format", path }),
    }
}

/// A window that was read.
struct ReadWindow {
    entry: KeyEntry,
    number: u32,
    folder: std::path::PathBuf,
    is_aside: bool,
    file: Arc<dyn crate::files::LogFile>,
    scan: Scan,
    content: WindowContent,
}

impl ReadWindow {
    fn lost(&self) -> u64 {
        self.scan.lost_records + self.content.damaged_bodies + self.content.unknown_events
    }

    fn is_damaged(&self) -> bool {
        self.is_aside || self.scan.is_damaged || self.lost() > 0
    }
}

struct Opening {
    options: Options,
    folders: Folders,
    keys: KeyStore,
    now: Now,
    report: RecoveryReport,
    lost_windows: Vec<LostWindow>,
}

impl DiskLog {
    /// Opens the data folder, or makes it. `today` turns the stored clock into the time of now; whatever is due then is
    /// destroyed, keys first, before this returns.
    ///
    /// # Errors
    /// [`OpenError`]; a folder that is in use or of a newer format is not touched.
    pub fn open(options: Options, today: impl FnOnce(Option<Checkpoint>) -> Now) -> Result<Opened, OpenError> {
        let (shortest, got) = (WINDOW_LENGTH * 2, options.retention);
        if !(shortest..=KEEP_MAX).contains(&got) {
            return Err(OpenError::Retention { got_s: got.as_secs() });
        }
        let files = Arc::clone(&options.files);
        let folders = Folders::new(&options.data_folder);
        let data = &folders.data;
        files.create_folder(data).or_disk("make the data folder", data)?;
        // Before the lock, which writes the process's number: a newer box's folder is not touched at all.
        check_format(&*files, data)?;
        let lock = take_lock(&*files, data)?;
        let is_old = check_format(&*files, data)?;
        let keys = open_keys(&files, &folders)?;
        make_folders(&*files, &folders)?;
        if !is_old {
            enter_data_folder(&*files, data)?;
            let path = data.join("format");
            write_whole(&*files, &path, format!("{FORMAT}\n").as_bytes()).or_disk("write the format", &path)?;
        }
        let (clock, checkpoint) = open_clock(&*files, &folders, &keys)?;
        let mut opening = Opening {
            now: today(checkpoint),
            options,
            folders,
            keys,
            report: RecoveryReport::default(),
            lost_windows: Vec::new(),
        };
        if !planted!("overdue-at-start-kept") {
            opening.destroy_due()?;
        }
        opening.remove_left_overs()?;
        let (ledger, events) = opening.open_ledger()?;
        let read = opening.read_windows();
        let (windows, pending, known) = opening.settle_windows(read)?;
        let indexer = opening.options.has_events.then(Indexer::start).transpose();
        let indexer = indexer.or_disk("start a thread", &opening.folders.log)?;
        let Opening { options, folders, keys, report, lost_windows, .. } = opening;
        let log = Self {
            folders,
            files,
            retention: options.retention,
            keys,
            clock,
            ledger,
            windows,
            bodies: Arc::new(Bodies::default()),
            indexer,
            notices: Vec::new(),
            stale: Vec::new(),
            refused: 0,
            is_closed: false,
            _lock: lock,
        };
        log.index_ledger();
        for window in &log.windows {
            if window.keys.has_body_key() {
                log.bodies.serve(window);
            }
            log.index(window);
        }
        Ok(Opened { log, ledger: events, pending, known, checkpoint, lost_windows, report })
    }
}

fn open_keys(files: &Arc<dyn FileLayer>, folders: &Folders) -> Result<KeyStore, OpenError> {
    files.create_folder(&folders.keys).or_disk("make the keys' folder", &folders.keys)?;
    let has_logs = files.kind(&folders.log.join("clock")).is_some();
    let has_keys = files.kind(&folders.keys.join(LOG_KEYS_FILE)).is_some();
    if has_logs && !has_keys {
        return Err(OpenError::Unreadable { what: "the key file", path: folders.keys.join(LOG_KEYS_FILE) });
    }
    let box_key = BoxKey::load(&**files, &folders.keys, !has_keys)?;
    if has_keys {
        KeyStore::open(files, &folders.keys, box_key)
    } else {
        Ok(KeyStore::create(files, &folders.keys, box_key)?)
    }
}

fn make_folders(files: &dyn FileLayer, folders: &Folders) -> Result<(), LogError> {
    let make = || {
        for folder in [&folders.ledger, &folders.windows, &folders.quarantine, &folders.temporary, &folders.marks] {
            files.create_folder(folder)?;
            files.sync_folder(folder)?;
        }
        files.sync_folder(&folders.log)?;
        files.sync_folder(&folders.data)
    };
    make().or_disk("make the log's folders", &folders.log)
}

/// Makes the data folder's own name durable, and those above it: a box that was just made must not be lost as a whole.
fn enter_data_folder(files: &dyn FileLayer, data_folder: &Path) -> Result<(), LogError> {
    use std::io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem};
    for folder in data_folder.ancestors().skip(1) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        match files.sync_folder(folder) {
            // What this user may not even list is older than the box; so is a root that can only be read, which knows no
            // sync (squashfs, erofs: EINVAL; fsync(2)).
            Err(error) if matches!(error.kind(), PermissionDenied | InvalidInput | ReadOnlyFilesystem) => {}
            other => other.or_disk("make the data folder", folder)?,
        }
    }
    Ok(())
}

pub(crate) fn clock_id(box_key: &BoxKey) -> [u8; 16] {
    let derived = box_key.derive(b"", b"hob/1 clock");
    let mut id = [0; 16];
    id.copy_from_slice(derived.split_at(16).0);
    id
}

fn open_clock(
    files: &dyn FileLayer,
    folders: &Folders,
    keys: &KeyStore,
) -> Result<(MarkFile, Option<Checkpoint>), LogError> {
    let folder = folders.log.join("clock");
    let opened = files.create_folder(&folder).and_then(|()| {
        let mut opened = MarkFile::open(files, &folder.join(mark::FILE), clock_id(keys.box_key()))?;
        if let (file, Some(stored)) = &mut opened {
            // After a sync that failed it may be in the kernel's memory only, and stored time never goes back.
            file.write(*stored)?;
            file.sync()?;
        }
        files.sync_folder(&folder)?;
        files.sync_folder(&folders.log)?;
        Ok(opened)
    });
    let (file, stored) = opened.or_disk("open the clock", &folder)?;
    Ok((file, stored.and_then(checkpoint_of).or_else(|| clock_from_keys(keys))))
}

/// What a lost clock was at least: the newest log's beginning. From zero, what is there would live for as long again as the
/// box ever ran.
fn clock_from_keys(keys: &KeyStore) -> Option<Checkpoint> {
    let newest = keys.table().entries.iter().max_by_key(|entry| entry.opened)?;
    Some(Checkpoint {
        box_time: newest.opened,
        ledger_time: LedgerTime(newest.opened.0),
        unix_ms: newest.opened_unix_ms,
        boot: None,
    })
}

impl Opening {
    fn entries(&self) -> Vec<(u32, KeyEntry)> {
        let entries = self.keys.table().entries.iter();
        let mut windows: Vec<(u32, KeyEntry)> = entries
            .filter_map(|entry| match entry.name {
                LogName::Window { number } => Some((number, entry.clone())),
                LogName::Ledger { .. } => None,
            })
            .collect();
        windows.sort_by_key(|(number, _)| *number);
        windows
    }

    /// Promise 2 for a box that was off: keys go before anything is served.
    fn destroy_due(&mut self) -> Result<(), LogError> {
        let (now, retention) = (self.now.box_time, self.options.retention);
        let due: Vec<u32> = self
            .entries()
            .into_iter()
            .filter(|(_, entry)| now.since(entry.opened) >= retention)
            .map(|(number, _)| number)
            .collect();
        if !due.is_empty() {
            self.drop_keys(&due)?;
        }
        for number in &due {
            if let Some((folder, _)) = self.folders.window(&*self.options.files, *number) {
                if let Ok(journal) = self.options.files.open(&folder.join(JOURNAL_FILE)) {
                    journal.discard(0, journal.len().unwrap_or(0).max(1));
                }
                self.remove(&folder)?;
            }
        }
        self.report.destroyed_windows = due;
        Ok(())
    }

    fn drop_keys(&mut self, numbers: &[u32]) -> Result<(), LogError> {
        let is_gone = |name: LogName| matches!(name, LogName::Window { number } if numbers.contains(&number));
        self.keys.change(|table| table.entries.retain(|entry| !is_gone(entry.name)))
    }

    fn remove(&self, path: &Path) -> Result<(), LogError> {
        self.options.files.remove(path).or_disk("remove a left-over", path)
    }

    /// Folders without keys are what an interrupted creation or destruction left; keys without folders are a loss.
    fn remove_left_overs(&mut self) -> Result<(), LogError> {
        let entries = self.entries();
        for parent in [&self.folders.windows, &self.folders.quarantine, &self.folders.temporary] {
            for path in self.options.files.list(parent).or_disk("list a folder", parent)? {
                let number = path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
                let is_known = *parent != self.folders.temporary
                    && number.is_some_and(|number| entries.iter().any(|(known, _)| *known == number));
                if !is_known {
                    self.remove(&path)?;
                    self.report.left_overs += 1;
                }
            }
        }
        self.remove_left_over_marks()?;
        let files = &*self.options.files;
        let gone: Vec<(u32, KeyEntry)> =
            entries.into_iter().filter(|(number, _)| self.folders.window(files, *number).is_none()).collect();
        for (number, entry) in &gone {
            self.lost_windows.push(LostWindow {
                number: *number,
                opened_unix_ms: entry.opened_unix_ms,
                lost_records: None,
                is_new: true,
            });
        }
        if !gone.is_empty() {
            self.drop_keys(&gone.iter().map(|(number, _)| *number).collect::<Vec<_>>())?;
        }
        Ok(())
    }

    fn remove_left_over_marks(&mut self) -> Result<(), LogError> {
        let marks = &self.folders.marks;
        let entries = self.keys.table().entries.iter();
        let known: Vec<_> = entries.map(|entry| mark::path_of(marks, entry.log_id)).collect();
        for path in self.options.files.list(marks).or_disk("list a folder", marks)? {
            if !known.contains(&path) {
                self.remove(&path)?;
            }
        }
        Ok(())
    }

    fn open_ledger(&mut self) -> Result<(Ledger, Vec<hob_relay::event::LedgerEvent>), OpenError> {
        let files = Arc::clone(&self.options.files);
        let has_events = self.options.has_events;
        let Some((generation, entry)) = self.choose_generation()? else {
            let place = Whereabouts { folders: &self.folders, files: &files, has_events };
            let ledger = switch_to_new(place, &mut self.keys, 1, self.now, Vec::new())?;
            return Ok((ledger, Vec::new()));
        };
        self.drop_other_generations(generation)?;
        let folder = self.folders.generation(generation);
        let path = folder.join(JOURNAL_FILE);
        let file = match files.open(&path) {
            // The journal is gone; sled may still have everything.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => files.create(&path),
            other => other,
        };
        let file = file.or_disk("open the ledger", &path)?;
        let marked = mark::find(&*files, &self.folders.marks, &folder, entry.log_id);
        let mut fold = Fold::default();
        let found = {
            // Opened only when it is needed: a ledger that is whole does not wait for sled.
            let mut sled: Option<Option<Events>> = None;
            let mut copy = |sequence| {
                let opened = sled.get_or_insert_with(|| has_events.then(|| Events::open(&folder).ok())?);
                opened.as_ref().and_then(|events| events.front(sequence))
            };
            scan(&*file, &entry.keys(), marked, &mut copy, true, &mut |found| fold.take_in(&found))
        };
        self.count_tail(&found);
        self.report.ledger_restored += found.restored_records;
        self.report.ledger_lost += found.lost_records + fold.unreadable;
        let records = fold.records();
        let live = fold.into_live();
        let events = decode_all(&live);
        if found.is_damaged {
            let place = Whereabouts { folders: &self.folders, files: &files, has_events };
            let restored = switch_to_new(place, &mut self.keys, generation + 1, self.now, live)?;
            self.drop_other_generations(generation + 1)?;
            return Ok((restored, events));
        }
        let journal = Journal::resume(&files, &folder, &self.folders.marks, entry.log_id, file, found.end, false)?;
        Ok((Ledger::new(&entry, generation, journal, &live, records), events))
    }

    /// The generation that the manifest names; without a readable manifest the newest that has key and folder.
    fn choose_generation(&self) -> Result<Option<(u64, KeyEntry)>, OpenError> {
        let manifest = self.folders.manifest();
        let named = read_whole(&*self.options.files, &manifest).or_disk("read the ledger's manifest", &manifest)?;
        let has_manifest = named.is_some();
        let named: Option<u64> = named.and_then(|bytes| String::from_utf8_lossy(&bytes).trim().parse().ok());
        let entries = self.keys.table().entries.iter().filter_map(|entry| match entry.name {
            LogName::Ledger { generation } => Some((generation, entry.clone())),
            LogName::Window { .. } => None,
        });
        let entries: Vec<(u64, KeyEntry)> = entries.collect();
        let was_made = has_manifest || !entries.is_empty();
        let files = &self.options.files;
        let there = entries
            .into_iter()
            .filter(|(generation, _)| files.kind(&self.folders.generation(*generation)) == Some(Kind::Folder));
        match there.max_by_key(|(generation, _)| (Some(*generation) == named, *generation)) {
            None if was_made => Err(OpenError::Unreadable { what: "the ledger", path: self.folders.ledger.clone() }),
            Some((generation, entry)) => {
                if named != Some(generation) {
                    let text = format!("{generation}\n");
                    let written = write_whole(&*self.options.files, &manifest, text.as_bytes());
                    written.or_disk("write the ledger's manifest", &manifest)?;
                }
                Ok(Some((generation, entry)))
            }
            None => Ok(None),
        }
    }

    fn drop_other_generations(&mut self, holds: u64) -> Result<(), LogError> {
        let is_other = |name: LogName| matches!(name, LogName::Ledger { generation } if generation != holds);
        if self.keys.table().entries.iter().any(|entry| is_other(entry.name)) {
            self.keys.change(|table| table.entries.retain(|entry| !is_other(entry.name)))?;
            self.report.left_overs += 1;
        }
        let keep = [self.folders.generation(holds), self.folders.manifest()];
        let ledger = &self.folders.ledger;
        for path in self.options.files.list(ledger).or_disk("list a folder", ledger)? {
            if !keep.contains(&path) {
                self.remove(&path)?;
            }
        }
        Ok(())
    }

    fn count_tail(&mut self, found: &Scan) {
        if found.torn_bytes > 0 {
            self.report.cut_tails += 1;
            self.report.cut_bytes += found.torn_bytes;
        }
    }

    /// Reads all windows, on as many threads as there are processors; on this one in a simulation.
    fn read_windows(&mut self) -> Vec<ReadWindow> {
        let entries = self.entries();
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::new());
        let this = &*self;
        let work = || {
            while let Some((number, entry)) = entries.get(next.fetch_add(1, Ordering::Relaxed)) {
                let read = this.read_window(*number, entry);
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                done.push(read.ok_or((*number, entry.opened_unix_ms)));
            }
        };
        let most = if self.options.has_events { entries.len().max(1) } else { 1 };
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(most);
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
        let mut read = Vec::new();
        for result in done.into_inner().unwrap_or_else(PoisonError::into_inner) {
            match result {
                Ok(window) => read.push(window),
                // Not even its file can be opened. Its key goes when its time is up.
                Err((number, opened_unix_ms)) => {
                    self.lost_windows.push(LostWindow { number, opened_unix_ms, lost_records: None, is_new: true })
                }
            }
        }
        read.sort_by_key(|window: &ReadWindow| window.number);
        read
    }

    fn read_window(&self, number: u32, entry: &KeyEntry) -> Option<ReadWindow> {
        let files = &self.options.files;
        let has_events = self.options.has_events;
        let (folder, is_aside) = self.folders.window(&**files, number)?;
        let path = folder.join(JOURNAL_FILE);
        // A journal that is gone is an empty one, and the mark knows how many records it had.
        let file = files.open(&path).or_else(|_| files.create(&path)).ok()?;
        let marked = mark::find(&**files, &self.folders.marks, &folder, entry.log_id);
        let keys = entry.keys();
        let mut reader = WindowReader::new(number);
        let mut sled: Option<Option<Events>> = None;
        let mut copy = |sequence| {
            let opened = sled.get_or_insert_with(|| has_events.then(|| Events::open(&folder).ok())?);
            opened.as_ref().and_then(|events| events.front(sequence))
        };
        let scan = scan(&*file, &keys, marked, &mut copy, false, &mut |found| reader.take_in(&found));
        let content = reader.finish(&*file, &keys, self.options.checks_bodies);
        Some(ReadWindow { entry: entry.clone(), number, folder, is_aside, file, scan, content })
    }

    #[expect(clippy::type_complexity, reason = "three lists, told apart by their types")]
    fn settle_windows(
        &mut self,
        read: Vec<ReadWindow>,
    ) -> Result<(Vec<Window>, Vec<hob_relay::event::Pending>, Vec<hob_relay::event::Known>), LogError> {
        let (mut windows, mut pending, mut known) = (Vec::new(), Vec::new(), Vec::new());
        let newest = read.last().map(|window| window.number);
        for mut read in read {
            if read.is_damaged() {
                self.set_aside(&mut read)?;
            } else {
                self.count_tail(&read.scan);
            }
            let content = std::mem::take(&mut read.content);
            let files = &self.options.files;
            let journal = Journal::resume(
                files,
                &read.folder,
                &self.folders.marks,
                read.entry.log_id,
                read.file,
                read.scan.end,
                read.is_aside,
            )?;
            let mut window = Window::new(&read.entry, read.number, journal);
            window.remember(&content.pending, content.accepted);
            if read.is_aside {
                window.damaged = Some(read.scan.lost_records + content.damaged_bodies + content.unknown_events);
            }
            window.is_open = Some(read.number) == newest
                && !read.is_aside
                && window.keys.has_body_key()
                && self.now.box_time.since(window.opened) < WINDOW_LENGTH;
            pending.extend(content.pending);
            known.extend(content.known);
            windows.push(window);
        }
        self.lost_windows.sort_by_key(|window| window.number);
        Ok((windows, pending, known))
    }

    /// Moves a damaged window aside. Its key is kept, what is good in it is served, and nothing is written to it again.
    fn set_aside(&mut self, read: &mut ReadWindow) -> Result<(), LogError> {
        let is_new = !read.is_aside;
        if is_new {
            let folder = folder_of(&self.folders.quarantine, read.number);
            let files = &self.options.files;
            let moved = files.rename(&read.folder, &folder).and_then(|()| {
                files.sync_folder(&self.folders.quarantine)?;
                files.sync_folder(&self.folders.windows)
            });
            moved.or_disk("set a damaged window aside", &read.folder)?;
            read.folder = folder;
            read.is_aside = true;
        }
        self.report.window_records_restored += read.scan.restored_records;
        if read.lost() > 0 && !planted!("damage-not-told") {
            self.lost_windows.push(LostWindow {
                number: read.number,
                opened_unix_ms: read.entry.opened_unix_ms,
                lost_records: Some(read.lost()),
                is_new,
            });
        }
        Ok(())
    }
}
