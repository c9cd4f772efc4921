//! What can be wrong with a backup. Each text ends with the next step.

use std::io;

use crate::backup::LockKind;

/// A backup cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file cannot be read or written.
    #[error("cannot {doing} the backup: look at the disk, and try again")]
    Disk {
        /// "read" or "write".
        doing: &'static str,
        /// Why.
        source: io::Error,
    },
    /// It begins otherwise.
    #[error("this is no backup of a box: name a file that `hob backup` made")]
    NotABackup,
    /// A newer program made it.
    #[error(
        "a newer hob made this backup (its version is {found}, this program knows {known}): restore it with that one"
    )]
    Newer {
        /// The version it has.
        found: u8,
        /// The newest that is known here.
        known: u8,
    },
    /// It ends before its end.
    #[error("the backup ends too early, at byte {at}: copy the file again, or take another one")]
    Cut {
        /// Bytes that are there.
        at: u64,
    },
    /// A byte is not what was written.
    #[error("the backup is damaged near byte {at} ({why}): copy the file again, or take another one")]
    Damaged {
        /// Where it shows, in bytes.
        at: u64,
        /// How.
        why: &'static str,
    },
    /// The header asks for more than any backup costs.
    #[error("this backup asks for more work than any that hob makes ({why}), so it was not begun: take another one")]
    TooCostly {
        /// What is too much.
        why: &'static str,
    },
    /// It is locked in the other way.
    #[error("this backup is opened by a {}, not by a {}", wanted.name(), got.name())]
    OtherLock {
        /// How it is locked.
        wanted: LockKind,
        /// What was given.
        got: LockKind,
    },
    /// The file is whole as far as one can tell, and the secret does not open it.
    #[error("that is not the {} of this backup: try again", kind.name())]
    WrongSecret {
        /// What was given.
        kind: LockKind,
    },
    /// What is to be written is more than a backup holds.
    #[error("the ledger is larger than a backup may be ({bytes} bytes): run `hob compact` and try again")]
    TooLarge {
        /// What it would hold.
        bytes: u64,
    },
    /// No memory or no random bytes for the key derivation.
    #[error("the key of the backup cannot be derived ({why}): free some memory and try again")]
    NoKey {
        /// Why.
        why: String,
    },
}

impl BackupError {
    pub(crate) const fn read(source: io::Error) -> Self {
        Self::Disk { doing: "read", source }
    }

    pub(crate) const fn write(source: io::Error) -> Self {
        Self::Disk { doing: "write", source }
    }
}
