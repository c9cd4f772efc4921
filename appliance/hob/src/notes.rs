//! Two notes that the commands leave in the data folder: when the box was backed up last, and from what it was restored.
//! The box itself neither writes nor needs them.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::folder::{self, FolderError};

const BACKUP: &str = "last-backup";
const RESTORED: &str = "restored";

/// No note is longer, in bytes.
const NOTE_BYTES_MAX: usize = 500;

/// What the box was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// When the backup was made, RFC 3339.
    pub backup_made: String,
    /// When the box was restored from it, RFC 3339.
    pub restored: String,
}

impl Restored {
    /// What its keeper must know until the members are checked.
    pub fn reminder(&self) -> String {
        format!(
            "restored on {} from a backup of {}: members and devices taken out after that are in again, and those that \
             joined after it are not; take out who must not be there (`hob revoke`), make invitations for who is missing \
             (`hob invite`), then `hob members --checked`",
            self.restored, self.backup_made
        )
    }
}

/// Notes that a backup was made.
///
/// # Errors
/// [`FolderError::CannotWrite`].
pub fn backed_up(data: &Path, made: &str) -> Result<(), FolderError> {
    replace(data, BACKUP, made)
}

/// When the last backup was made from this folder, RFC 3339.
pub fn last_backup(data: &Path) -> Option<String> {
    read(data, BACKUP)
}

/// Notes what a new folder is made of.
///
/// # Errors
/// [`FolderError::CannotWrite`].
pub fn write_restored(data: &Path, note: &Restored) -> Result<(), FolderError> {
    replace(data, RESTORED, &serde_json::to_string(note).unwrap_or_default())
}

/// What the box was made of, until its keeper has checked the members.
pub fn restored(data: &Path) -> Option<Restored> {
    let note: Restored = serde_json::from_str(&read(data, RESTORED)?).ok()?;
    // It is shown on a terminal, whoever wrote it.
    let plain = crate::show::plain;
    Some(Restored { backup_made: plain(&note.backup_made), restored: plain(&note.restored) })
}

/// The keeper has checked them. Returns whether there was something to check.
///
/// # Errors
/// [`FolderError::CannotWrite`].
pub fn members_are_checked(data: &Path) -> Result<bool, FolderError> {
    let path = data.join(RESTORED);
    match fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(FolderError::CannotWrite { path, source }),
    }
}

fn replace(data: &Path, name: &str, text: &str) -> Result<(), FolderError> {
    let path = data.join(name);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(FolderError::CannotWrite { path, source });
        }
        _ => {}
    }
    folder::write_private(&path, format!("{text}\n").as_bytes()).map(drop)
}

fn read(data: &Path, name: &str) -> Option<String> {
    let text = fs::read_to_string(data.join(name)).ok().filter(|text| text.len() <= NOTE_BYTES_MAX)?;
    let line = crate::show::plain(text.trim());
    (!line.is_empty()).then_some(line)
}
