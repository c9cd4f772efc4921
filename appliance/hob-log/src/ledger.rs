//! What lasts: generations that are written, verified, switched to, shredded.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use hob_protocol::planted;
use hob_relay::clock::BoxTime;
use hob_relay::event::{LedgerEvent, LedgerKey, decode_ledger, encode_ledger, ledger_key};

use crate::LogName;
use crate::error::{LogError, OrDisk};
use crate::events::{Events, EventsError};
use crate::files::FileLayer;
use crate::journal::{FILE as JOURNAL_FILE, Journal};
use crate::keys::KeyEntry;
use crate::record::{Item, LogKeys};
use crate::recovery::{Found, scan};
use crate::window::move_complete;

/// The ledger as a fold over its events: what is live, in the order of its last change.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    live: HashMap<FoldKey, (u64, Bytes)>,
    records: u64,
    pub(crate) unreadable: u64,
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum FoldKey {
    Known(LedgerKey),
    /// An event of a newer box, by its place: nobody here knows what would replace it.
    Foreign(u64),
}

impl Fold {
    pub(crate) fn take_in(&mut self, found: &Found<'_>) {
        for record in &found.records {
            self.add(record.event.clone());
        }
    }

    fn add(&mut self, event: Bytes) {
        self.records += 1;
        let at = self.records;
        match decode_ledger(event.clone()) {
            Ok(Some(decoded)) => {
                let (key, ends) = ledger_key(&decoded);
                let key = FoldKey::Known(key);
                if ends && !planted!("removal-forgotten") {
                    self.live.remove(&key);
                } else {
                    self.live.insert(key, (at, event));
                }
            }
            // Of a newer box: kept, and not understood.
            Ok(None) => drop(self.live.insert(FoldKey::Foreign(at), (at, event))),
            Err(_) => self.unreadable += 1,
        }
    }

    /// Records so far.
    pub(crate) const fn records(&self) -> u64 {
        self.records
    }

    /// The live events, encoded, in the order of their last change.
    pub(crate) fn into_live(self) -> Vec<Bytes> {
        let mut live: Vec<(u64, Bytes)> = self.live.into_values().collect();
        live.sort_by_key(|(at, _)| *at);
        live.into_iter().map(|(_, event)| event).collect()
    }
}

/// The events that this box understands.
pub(crate) fn decode_all(live: &[Bytes]) -> Vec<LedgerEvent> {
    live.iter().filter_map(|event| decode_ledger(event.clone()).ok().flatten()).collect()
}

/// The generation that holds.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) generation: u64,
    pub(crate) made: BoxTime,
    pub(crate) keys: LogKeys,
    pub(crate) journal: Journal,
    /// Hashes of the keys of what is live: enough to know how much is dead.
    live: HashSet<u64>,
    /// Live events that this box does not understand.
    foreign: u64,
    pub(crate) records: u64,
}

fn key_hash(event: &LedgerEvent) -> (u64, bool) {
    let (key, ends) = ledger_key(event);
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    (hasher.finish(), ends)
}

impl Ledger {
    pub(crate) fn new(entry: &KeyEntry, generation: u64, journal: Journal, live: &[Bytes], records: u64) -> Self {
        let events = decode_all(live);
        Self {
            generation,
            made: entry.opened,
            keys: entry.keys(),
            journal,
            foreign: (live.len() - events.len()) as u64,
            live: events.iter().map(|event| key_hash(event).0).collect(),
            records,
        }
    }

    pub(crate) const fn name(&self) -> LogName {
        LogName::Ledger { generation: self.generation }
    }

    pub(crate) fn live(&self) -> u64 {
        self.live.len() as u64 + self.foreign
    }

    /// Whether it should be compacted: every six hours if anything is dead, and when more than half is.
    pub(crate) fn is_compaction_due(&self, now: BoxTime) -> bool {
        const EVERY: std::time::Duration = std::time::Duration::from_secs(6 * 3600);
        // A handful of records is not worth a generation, and a removal is a record itself.
        const WORTH_RECORDS: u64 = 128;
        let dead = self.records.saturating_sub(self.live());
        (dead > 0 && now.since(self.made) >= EVERY) || (self.records >= WORTH_RECORDS && dead * 2 > self.records)
    }

    /// Appends events and syncs.
    pub(crate) fn append(&mut self, events: &[&LedgerEvent]) -> Result<(), LogError> {
        self.journal.heal()?;
        let encoded: Vec<Vec<u8>> = events.iter().map(|event| encode_ledger((*event).clone())).collect();
        let items: Vec<Item<'_>> = encoded.iter().map(|event| Item { event, body: &[] }).collect();
        self.journal.append(&self.keys, &items, &mut Vec::new())?;
        self.journal.sync()?;
        self.records += events.len() as u64;
        for event in events {
            match key_hash(event) {
                (key, true) => drop(self.live.remove(&key)),
                (key, false) => drop(self.live.insert(key)),
            }
        }
        Ok(())
    }

    /// Reads what is live back from the journal.
    pub(crate) fn read_live(&mut self) -> Result<Vec<Bytes>, LogError> {
        self.journal.heal()?;
        let mut fold = Fold::default();
        let found = scan(
            &*self.journal.file(),
            &self.keys,
            Some(self.journal.good().into()),
            &mut |_| None,
            false,
            &mut |found| fold.take_in(&found),
        );
        if found.is_damaged || found.end != self.journal.good() {
            return Err(LogError::Damaged { what: "the ledger", path: self.journal.folder().join(JOURNAL_FILE) });
        }
        Ok(fold.into_live())
    }
}

/// A generation that is being written, in a temporary folder.
pub(crate) struct GenerationWriter {
    generation: u64,
    entry: KeyEntry,
    journal: Journal,
    live: Vec<Bytes>,
}

/// A generation that was read back and is what was meant: the only thing that can be switched to.
pub(crate) struct VerifiedGeneration {
    generation: u64,
    entry: KeyEntry,
    journal: Journal,
    live: Vec<Bytes>,
}

impl GenerationWriter {
    /// Writes a snapshot: journal, mark and sled, all synced.
    pub(crate) fn write(
        files: &Arc<dyn FileLayer>,
        temporary: &Path,
        marks: &Path,
        generation: u64,
        entry: KeyEntry,
        live: Vec<Bytes>,
        has_events: bool,
    ) -> Result<Self, LogError> {
        let doing = "write a generation of the ledger";
        files.remove(temporary).or_disk(doing, temporary)?;
        files.create_folder(temporary).or_disk(doing, temporary)?;
        let mut journal = Journal::create(files, temporary, marks, entry.log_id)?;
        let items: Vec<Item<'_>> = live.iter().map(|event| Item { event, body: &[] }).collect();
        journal.append(&entry.keys(), &items, &mut Vec::new())?;
        journal.sync()?;
        journal.seal_up()?;
        if has_events && let Err(error) = write_events(temporary, &journal) {
            let source = match error {
                EventsError::Folder(source) | EventsError::Sled(sled::Error::Io(source)) => source,
                other => std::io::Error::other(other),
            };
            return Err(LogError::disk(doing, temporary, source));
        }
        Ok(Self { generation, entry, journal, live })
    }

    /// Reads it back, record by record.
    pub(crate) fn verify(self) -> Result<VerifiedGeneration, LogError> {
        let mut read = Vec::with_capacity(self.live.len());
        let found = scan(
            &*self.journal.file(),
            &self.entry.keys(),
            Some(self.journal.good().into()),
            &mut |_| None,
            false,
            &mut |found| read.extend(found.records.into_iter().map(|record| record.event)),
        );
        if found.is_damaged || read != self.live {
            return Err(LogError::Damaged {
                what: "a new generation of the ledger",
                path: self.journal.folder().to_path_buf(),
            });
        }
        let Self { generation, entry, journal, live } = self;
        Ok(VerifiedGeneration { generation, entry, journal, live })
    }
}

fn write_events(folder: &Path, journal: &Journal) -> Result<(), EventsError> {
    let mut events = Events::open(folder)?;
    events.catch_up(&*journal.file(), journal.good().bytes)?;
    events.flush(true)
}

impl VerifiedGeneration {
    /// Its key, for the key file: before anything says that it holds.
    pub(crate) const fn entry(&self) -> &KeyEntry {
        &self.entry
    }

    /// Gives its folder its name, durably.
    pub(crate) fn settle(&mut self, files: &dyn FileLayer, folder: &Path) -> Result<(), LogError> {
        let temporary = self.journal.folder().to_path_buf();
        move_complete(files, &temporary, folder).or_disk("settle a generation of the ledger", folder)?;
        self.journal.moved_to(folder);
        Ok(())
    }

    /// The ledger that it is.
    pub(crate) fn into_ledger(self) -> Ledger {
        let records = self.live.len() as u64;
        Ledger::new(&self.entry, self.generation, self.journal, &self.live, records)
    }
}
