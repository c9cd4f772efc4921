//! Errors, sorted by who must act.

use std::io;
use std::path::{Path, PathBuf};

/// What is wrong with the disk, as its keeper can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// No space left, or over quota.
    Full,
    /// The file system is read-only.
    ReadOnly,
    /// The box may not write there any more.
    NoPermission,
    /// The data folder was removed or unmounted.
    Missing,
    /// Reading, writing or syncing failed.
    Failing,
}

impl Trouble {
    /// Sorts an error of the file system.
    pub fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            io::ErrorKind::PermissionDenied => Self::NoPermission,
            io::ErrorKind::NotFound => Self::Missing,
            _ => Self::Failing,
        }
    }

    /// What the keeper should do.
    pub const fn next_step(self) -> &'static str {
        match self {
            Self::Full => "make room on the disk; the box then goes on by itself",
            Self::ReadOnly => "the disk is read-only: check it and mount it for writing",
            Self::NoPermission => "give the box's user the data folder back",
            Self::Missing => "put the data folder back and start the box again",
            Self::Failing => "check the disk; if this comes back, replace it",
        }
    }
}

/// Something could not be stored, forgotten or told.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk refused.
    #[error("cannot {doing} in {}: {}", path.display(), trouble.next_step())]
    Disk {
        /// What we were doing.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// Sorted for the keeper.
        trouble: Trouble,
        /// The cause.
        source: io::Error,
    },
    /// What the disk gave back is not what was written.
    #[error("{what} in {} does not check out: run `hob verify-log`", path.display())]
    Damaged {
        /// What was read.
        what: &'static str,
        /// Where.
        path: PathBuf,
    },
    /// An event is larger than a group may be.
    #[error("an event of {got_bytes} bytes is more than the log takes: at most {max_bytes}")]
    TooLarge {
        /// Bytes it has.
        got_bytes: usize,
        /// Bytes that are taken.
        max_bytes: usize,
    },
    /// The log was closed.
    #[error("the log is closed: start the box again")]
    Closed,
    /// The twin in memory was told to fail.
    #[error("the log was told to fail")]
    ToldToFail,
}

impl LogError {
    /// What is wrong with the disk, as its keeper can act on it.
    pub const fn trouble(&self) -> Trouble {
        match self {
            Self::Disk { trouble, .. } => *trouble,
            Self::Damaged { .. } | Self::TooLarge { .. } | Self::Closed | Self::ToldToFail => Trouble::Failing,
        }
    }

    pub(crate) fn disk(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Disk { doing, path: path.to_path_buf(), trouble: Trouble::of(&source), source }
    }
}

/// Turns an error of the file system into a [`LogError`].
pub(crate) trait OrDisk<T> {
    /// Says what we were doing, and where.
    fn or_disk(self, doing: &'static str, path: &Path) -> Result<T, LogError>;
}

impl<T> OrDisk<T> for io::Result<T> {
    fn or_disk(self, doing: &'static str, path: &Path) -> Result<T, LogError> {
        self.map_err(|source| LogError::disk(doing, path, source))
    }
}

/// A data folder cannot be opened. Nothing in it was changed, unless the disk failed midway.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("the data folder {} is in use by process {pid}: stop that box first", path.display())]
    InUse {
        /// Where.
        path: PathBuf,
        /// The owner's process id; 0 if it did not say.
        pid: u32,
    },
    /// A newer box wrote it.
    #[error("the data folder {} has format {found}, and this box knows formats up to {known}: use a newer hob", path.display())]
    NewerFormat {
        /// Where.
        path: PathBuf,
        /// The format it has.
        found: u32,
        /// The newest that we know.
        known: u32,
    },
    /// Something that must be there is missing or unreadable, and going on would lose what is left.
    #[error("{what} in {} is missing or unreadable: put it back from a backup, or move the folder away to start anew", path.display())]
    Unreadable {
        /// What.
        what: &'static str,
        /// Where.
        path: PathBuf,
    },
    /// The retention is not one that a box can have.
    #[error("a retention of {got_s} s is not possible: 1 h to 6 h")]
    Retention {
        /// What was asked for, in seconds.
        got_s: u64,
    },
    /// The disk refused.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// A body cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It was forgotten: its window, or its window's body key, was destroyed.
    #[error("the envelope was forgotten")]
    Gone,
    /// What lies there is not what was written.
    #[error("the envelope's body is damaged: run `hob verify-log`")]
    Damaged,
    /// The disk refused.
    #[error("cannot read an envelope's body: {}", trouble.next_step())]
    Disk {
        /// Sorted for the keeper.
        trouble: Trouble,
        /// The cause.
        source: io::Error,
    },
}
