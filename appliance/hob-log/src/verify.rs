//! Offline verification: every record of every log, without changing anything.

use std::path::Path;

use crate::disk::{Folders, check_format, take_lock};
use crate::files::{FileLayer, RealFiles, read_whole};
use crate::journal::FILE as JOURNAL_FILE;
use crate::keys::{BoxKey, KeyEntry, KeyStore};
use crate::ledger::Fold;
use crate::mark;
use crate::recovery::{Found, Scan, WindowReader, scan};
use crate::{LogName, OpenError};

/// What verification found in one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogVerdict {
    /// Which log.
    pub log: LogName,
    /// Records that are there.
    pub records: u64,
    /// Of them, live: the ledger's current events, a window's pending envelopes.
    pub live: u64,
    /// Records that are damaged or missing in the journal.
    pub damaged: u64,
    /// Bytes after the last record that were never acknowledged: a torn tail, which is no damage.
    pub torn_bytes: u64,
    /// What is wrong, in words, if anything is.
    pub remarks: Vec<String>,
}

impl LogVerdict {
    /// Whether anything was lost or changed.
    pub const fn is_damaged(&self) -> bool {
        self.damaged > 0
    }
}

/// Checks every log of a data folder without changing anything. The box must be stopped.
///
/// Journals are the truth, so they are what is checked; sled is left alone: opening
/// it would change its folder.
///
/// # Errors
/// [`OpenError::InUse`] while a box runs; [`OpenError::Unreadable`] without the keys.
pub fn verify(data_folder: &Path) -> Result<Vec<LogVerdict>, OpenError> {
    verify_on(&RealFiles, data_folder)
}

/// The same on another disk than the machine's.
///
/// # Errors
/// As [`verify`].
pub fn verify_on(files: &dyn FileLayer, data_folder: &Path) -> Result<Vec<LogVerdict>, OpenError> {
    check_format(files, data_folder)?;
    let _lock = take_lock(files, data_folder)?;
    let folders = Folders::new(data_folder);
    let box_key = BoxKey::load(files, &folders.keys, false)?;
    verdicts(files, &folders, &box_key, Depth::Bodies)
}

/// How much of a log is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The chain of its records.
    Records,
    /// The bodies of what waits, too.
    Bodies,
}

pub(crate) fn verdicts(
    files: &dyn FileLayer,
    folders: &Folders,
    box_key: &BoxKey,
    depth: Depth,
) -> Result<Vec<LogVerdict>, OpenError> {
    let table = KeyStore::peek(files, &folders.keys, box_key)?;
    let manifest = read_whole(files, &folders.manifest()).ok().flatten().unwrap_or_default();
    let holds: Option<u64> = String::from_utf8_lossy(&manifest).trim().parse().ok();
    let mut entries: Vec<&KeyEntry> = table.entries.iter().collect();
    entries.sort_by_key(|entry| entry.name);
    let mut verdicts = Vec::new();
    for entry in entries {
        match entry.name {
            LogName::Ledger { generation } if holds.is_none_or(|holds| holds == generation) => {
                verdicts.push(verify_ledger(files, (&folders.generation(generation), &folders.marks), entry));
            }
            // Another generation is what an interrupted switch left; the next start removes it.
            LogName::Ledger { .. } => {}
            LogName::Window { number } => verdicts.push(match folders.window(files, number) {
                Some((folder, is_aside)) => {
                    verify_window(files, (&folder, &folders.marks), entry, (number, is_aside), depth)
                }
                None => missing(entry.name),
            }),
        }
    }
    Ok(verdicts)
}

fn missing(log: LogName) -> LogVerdict {
    LogVerdict {
        log,
        records: 0,
        live: 0,
        damaged: 1,
        torn_bytes: 0,
        remarks: vec!["its folder is gone, and nobody can tell how many records it had".into()],
    }
}

fn walk(
    files: &dyn FileLayer,
    (folder, marks): (&Path, &Path),
    entry: &KeyEntry,
    sink: &mut dyn FnMut(Found<'_>),
) -> Option<Scan> {
    let file = files.open(&folder.join(JOURNAL_FILE)).ok()?;
    let marked = mark::find(files, marks, folder, entry.log_id);
    // Nothing comes from sled here: opening it would change its folder.
    Some(scan(&*file, &entry.keys(), marked, &mut |_| None, false, sink))
}

/// The live events of the generation that holds, and whether its journal is whole.
pub(crate) fn live_ledger(
    files: &dyn FileLayer,
    folders: &Folders,
    box_key: &BoxKey,
) -> Result<(Vec<bytes::Bytes>, bool), OpenError> {
    let table = KeyStore::peek(files, &folders.keys, box_key)?;
    let manifest = read_whole(files, &folders.manifest()).ok().flatten().unwrap_or_default();
    let holds = String::from_utf8_lossy(&manifest).trim().parse().ok();
    let entry = holds.and_then(|generation| table.of(LogName::Ledger { generation }).map(|entry| (generation, entry)));
    let mut fold = Fold::default();
    let found = entry.and_then(|(generation, entry)| {
        walk(files, (&folders.generation(generation), &folders.marks), entry, &mut |found| fold.take_in(&found))
    });
    let is_whole = found.is_some_and(|found| !found.is_damaged && found.lost_records == 0) && fold.unreadable == 0;
    Ok((fold.into_live(), is_whole))
}

fn verify_ledger(files: &dyn FileLayer, places: (&Path, &Path), entry: &KeyEntry) -> LogVerdict {
    let mut fold = Fold::default();
    let Some(found) = walk(files, places, entry, &mut |found| fold.take_in(&found)) else {
        return missing(entry.name);
    };
    let mut verdict = LogVerdict {
        log: entry.name,
        records: fold.records(),
        damaged: found.lost_records + fold.unreadable,
        torn_bytes: found.torn_bytes,
        remarks: Vec::new(),
        live: fold.into_live().len() as u64,
    };
    judge(&mut verdict, &found);
    if verdict.is_damaged() {
        verdict.remarks.push("the next start restores what its events database still has".into());
    }
    verdict
}

fn verify_window(
    files: &dyn FileLayer,
    places: (&Path, &Path),
    entry: &KeyEntry,
    (number, is_aside): (u32, bool),
    depth: Depth,
) -> LogVerdict {
    let mut reader = WindowReader::new(number);
    let mut records = 0;
    let found = walk(files, places, entry, &mut |found| {
        records += found.records.len() as u64;
        reader.take_in(&found);
    });
    let (Some(found), Ok(file)) = (found, files.open(&places.0.join(JOURNAL_FILE))) else {
        return missing(entry.name);
    };
    let content = reader.finish(&*file, &entry.keys(), depth == Depth::Bodies);
    let mut verdict = LogVerdict {
        log: entry.name,
        records,
        live: content.pending.len() as u64,
        damaged: found.lost_records + content.damaged_bodies + content.unknown_events,
        torn_bytes: found.torn_bytes,
        remarks: Vec::new(),
    };
    judge(&mut verdict, &found);
    if is_aside {
        verdict.remarks.push("it was found damaged before and is kept aside".into());
    }
    verdict
}

fn judge(verdict: &mut LogVerdict, found: &Scan) {
    if found.is_damaged && verdict.damaged == 0 {
        // The journal is not what was acknowledged, though no number is missing: it was replaced.
        verdict.damaged = 1;
        verdict.remarks.push("its journal is not the one that was acknowledged".into());
    }
    if found.torn_bytes > 0 {
        let text = format!("{} bytes of a torn tail, never acknowledged; the next start cuts them", found.torn_bytes);
        verdict.remarks.push(text);
    }
}
