//! The log as the box itself sees it: a copy of its folder, opened with its own keys.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hob_log::{BodyError, DiskLog, EventLog as _, Opened, Options};
use hob_relay::clock::{Checkpoint, Now};
use hob_relay::event::Place;

use crate::config::value::Time;
use crate::failure::Failure;

/// Bytes that are shown of an envelope and of the journal.
const SHOWN_BYTES: usize = 64;

/// What was seen.
pub struct Seen {
    /// For people.
    pub text: String,
    places: Vec<Place>,
}

/// Looks at everything that waits.
///
/// # Errors
/// The copy cannot be made or opened, or nothing waits in it.
pub fn look(data: &Path, copies: &Path) -> Result<Seen, Failure> {
    let (opened, now, copy) = open_copy(data, copies, "look")?;
    let reader = opened.log.reader();
    let mut text = String::new();
    let mut places = Vec::new();
    for pending in &opened.pending {
        let left = pending.deadline.since(now.box_time);
        let body = reader.read(pending.place).map_err(|error| Failure::of(&error))?;
        let _ = writeln!(
            text,
            "envelope of {} bytes, for mailbox {}, to be forgotten in {}\n{}",
            pending.body_bytes,
            pending.mailbox,
            Time(Duration::from_secs(left.as_secs())),
            hex(&body)
        );
        places.push(pending.place);
    }
    if let Some(journal) = newest_journal(&copy) {
        let raw = fs::read(&journal).map_err(|error| Failure::of(&error))?;
        let _ = writeln!(
            text,
            "and how the disk holds it, sealed once more by the box (the end of {}):",
            name_of(&journal, &copy)
        );
        let end = raw.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let from = end.saturating_sub(SHOWN_BYTES);
        let _ = writeln!(text, "{}", hex(raw.get(from..end).unwrap_or_default()));
    }
    throw_away(opened, &copy);
    if places.is_empty() {
        return Err(Failure::because("nothing waits in the box's log"));
    }
    Ok(Seen { text, places })
}

/// Checks that what was seen before cannot be read any more with the keys that the box has now.
///
/// # Errors
/// It can.
pub fn must_be_unreadable(data: &Path, copies: &Path, seen: &Seen) -> Result<(), Failure> {
    let (opened, _, copy) = open_copy(data, copies, "again")?;
    let reader = opened.log.reader();
    let readable = seen.places.iter().any(|place| !matches!(reader.read(*place), Err(BodyError::Gone)));
    throw_away(opened, &copy);
    if readable {
        return Err(Failure::because("a body can still be read after its key was destroyed"));
    }
    Ok(())
}

/// Checks that some words are in no file of the box.
///
/// # Errors
/// They are.
pub fn must_not_hold(data: &Path, words: &str) -> Result<(), Failure> {
    for file in files_below(data).map_err(|error| Failure::of(&error))? {
        let bytes = fs::read(&file).unwrap_or_default();
        if bytes.windows(words.len()).any(|window| window == words.as_bytes()) {
            return Err(Failure::because(format!("{words:?} can be read in {}", file.display())));
        }
    }
    Ok(())
}

fn open_copy(data: &Path, copies: &Path, name: &str) -> Result<(Opened, Now, PathBuf), Failure> {
    let copy = copies.join(name);
    copy_folder(data, &copy).map_err(|error| Failure::because(format!("cannot copy the box's folder: {error}")))?;
    let mut now = Now::default();
    let opened = DiskLog::open(Options::new(&copy), |checkpoint: Option<Checkpoint>| {
        if let Some(checkpoint) = checkpoint {
            now.box_time = checkpoint.box_time;
            now.ledger_time = checkpoint.ledger_time;
        }
        now
    })
    .map_err(|error| Failure::of(&error))?;
    Ok((opened, now, copy))
}

fn throw_away(opened: Opened, copy: &Path) {
    drop(opened);
    let _ = fs::remove_dir_all(copy);
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_folder(&entry.path(), &to.join(entry.file_name()))?;
        } else if kind.is_file() {
            // The box works on: a file may be gone between being listed and being read.
            match fs::copy(entry.path(), to.join(entry.file_name())) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

fn files_below(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            files.extend(files_below(&entry.path())?);
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(files)
}

/// The journal of a window that was written last.
fn newest_journal(data: &Path) -> Option<PathBuf> {
    let journals = files_below(data).ok()?.into_iter().filter(|path| {
        path.file_name().is_some_and(|name| name == "journal")
            && path.components().any(|part| part.as_os_str() == "windows")
    });
    journals.max_by_key(|path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok())
}

fn name_of(path: &Path, folder: &Path) -> String {
    path.strip_prefix(folder).unwrap_or(path).display().to_string()
}

fn hex(bytes: &[u8]) -> String {
    let shown = bytes.get(..SHOWN_BYTES).unwrap_or(bytes);
    let lines: Vec<String> =
        shown.chunks(32).map(|line| format!("    {}", data_encoding::HEXLOWER.encode(line))).collect();
    let more = if bytes.len() > shown.len() {
        format!("\n    … and {} bytes more", bytes.len() - shown.len())
    } else {
        String::new()
    };
    lines.join("\n") + &more
}
