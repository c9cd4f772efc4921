//! The event log: what a box acknowledged is on disk, and what it forgot is gone, keys first.
//!
//! Two kinds of log share one mechanism. *Windows* hold half an hour of traffic each and are destroyed whole, at the
//! latest six hours after they opened. The *ledger* holds what lasts and is compacted into generations. Both are chains
//! of sealed groups in a `journal` file, which is the truth, beside a sled database in `events/`, which is its copy.
//!
//! # Layout
//! - this file: the seam between the rules and the disk, [`EventLog`], and what it tells.
//! - [`memory`]: the twin without a disk, for simulations.
//! - [`writer`]: group commit on a thread of its own; tickets in, durable tickets out.
//! - [`disk`]: [`DiskLog`], the seam on real files; `window` and `ledger` are its two kinds of log.
//! - [`record`]: how a group of records is sealed and chained.
//! - [`journal`]: the synced truth: append, sync, cut; [`mark`]: what tells that a journal was shortened or replaced.
//! - [`events`]: sled, brought up to the journal and rebuilt from it.
//! - [`keys`]: the box key, the shred secret, and how a key is destroyed; [`splitter`] spreads the secret.
//! - [`recovery`]: what a start finds: torn tails are cut, damaged middles quarantined, both counted.
//! - [`mod@verify`]: the same, offline and without changing anything; [`mod@look`]: its quick sister, which takes no lock.
//! - [`backup`]: what lasts, in one sealed file, and a data folder made of it.
//! - [`files`]: the thin layer over the file system, and the recording one that the tests look through.

// No panic is reachable from outside: an index that may be out of bounds is one. Generated code and tests may.
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::string_slice))]

pub mod backup;
pub mod disk;
pub mod error;
pub mod events;
pub mod files;
pub mod journal;
pub mod keys;
mod ledger;
pub mod look;
pub mod mark;
pub mod memory;
pub mod record;
pub mod recovery;
pub mod splitter;
#[cfg(test)]
mod tests;
pub mod verify;
mod window;
pub mod writer;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hob_relay::clock::{BoxTime, Checkpoint, Now};
use hob_relay::event::{Append, Place};

pub use disk::{DiskLog, Opened, Options};
pub use error::{BodyError, LogError, OpenError, Trouble};
pub use look::{Look, check_data_format, look, verify_running};
pub use memory::MemoryLog;
pub use recovery::{LostWindow, RecoveryReport};
pub use verify::{LogVerdict, verify, verify_on};
pub use writer::{Writer, WriterEvent, WriterHandle};

/// The seam between the rules and the disk.
///
/// One owner calls it, in order. Times are the box's ([`Now`]); the log has no clock of its own.
pub trait EventLog: Send {
    /// Appends in order and returns when everything in it that is awaited ([`Append::is_awaited`]) is durable: the
    /// journal of each log it touches was synced once.
    ///
    /// Returns one [`Place`] for each [`Append::Accept`], in order. Acknowledgements and expiries go to their envelope's
    /// own window and ride along unsynced; those of windows that are gone are dropped, and those that cannot be written
    /// are kept in memory and tried again, so they never make a commit fail.
    ///
    /// # Errors
    /// Nothing that was awaited may be taken as stored; the log stays usable for reading, forgetting and destroying, and
    /// the next commit tries again. Ledger events of a failed commit may turn out to be stored: appending them again is
    /// harmless, since the later event with the same key wins.
    fn commit(&mut self, now: Now, batch: &[Append]) -> Result<Vec<Place>, LogError>;

    /// Does what is due: closes the open window after half an hour, destroys the body keys of closed windows with
    /// nothing pending, destroys windows whose time is up, compacts the ledger. Call it at least every minute.
    ///
    /// # Errors
    /// What could not be done stays due and is tried by the next call.
    fn tick(&mut self, now: Now) -> Result<Vec<LogNotice>, LogError>;

    /// Stores the clock, durably. Every 60 s and on a clean stop.
    ///
    /// # Errors
    /// The earlier checkpoint then still holds.
    fn checkpoint(&mut self, checkpoint: Checkpoint) -> Result<(), LogError>;

    /// Closes the open window, destroys the body keys of windows with nothing pending, compacts the ledger.
    ///
    /// # Errors
    /// The old generation then still holds.
    fn compact(&mut self, now: Now) -> Result<CompactReport, LogError>;

    /// Destroys every window that opened before a moment: for the gap of unknown length that nobody confirmed.
    ///
    /// # Errors
    /// Windows that are not named in a later notice are still there: call it again.
    fn destroy_windows_opened_before(&mut self, moment: BoxTime) -> Result<Vec<LogNotice>, LogError>;

    /// The live events of the ledger as they are durable now, encoded, in the order of their last change: for a backup.
    ///
    /// # Errors
    /// The ledger cannot be read.
    fn live_ledger(&mut self) -> Result<Vec<Bytes>, LogError>;

    /// How it stands.
    fn stats(&self) -> LogStats;

    /// Reads bodies, from any thread, while the log goes on.
    fn reader(&self) -> Arc<dyn BodyReader>;

    /// A clean stop: everything is synced, sled too.
    ///
    /// # Errors
    /// What was durable stays durable all the same.
    fn close(&mut self) -> Result<(), LogError>;
}

/// Reads the bodies of accepted envelopes by their place.
pub trait BodyReader: Send + Sync {
    /// The sealed envelope at a place, decrypted from rest and checked.
    ///
    /// # Errors
    /// [`BodyError::Gone`] after its window, or its window's body key, was destroyed.
    fn read(&self, place: Place) -> Result<Bytes, BodyError>;
}

/// Something that happened in the log and that somebody should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogNotice {
    /// The open window takes no more envelopes in.
    WindowClosed {
        /// Its number.
        window: u32,
    },
    /// Nothing in a closed window is pending: its bodies cannot be read any more.
    BodyKeyDestroyed {
        /// Its number.
        window: u32,
    },
    /// A window is gone, with its keys.
    WindowDestroyed {
        /// Its number.
        window: u32,
        /// When it opened, Unix milliseconds.
        opened_unix_ms: u64,
        /// Envelopes in it that were still pending.
        pending_lost: u64,
    },
    /// The ledger has a new generation.
    Compacted(CompactReport),
    /// A sled database was thrown away and is rebuilt from its journal.
    EventsRebuilt {
        /// Of which log.
        log: LogName,
        /// Why.
        why: String,
    },
}

/// What a compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactReport {
    /// The generation that now holds.
    pub generation: u64,
    /// Records before.
    pub records_before: u64,
    /// Records after: the live ones.
    pub records_after: u64,
    /// The window that was closed with it, if one was open.
    pub closed_window: Option<u32>,
}

/// The name of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogName {
    /// A generation of the ledger.
    Ledger {
        /// Its number.
        generation: u64,
    },
    /// A window of traffic.
    Window {
        /// Its number.
        number: u32,
    },
}

impl std::fmt::Display for LogName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ledger { generation } => write!(f, "ledger, generation {generation}"),
            Self::Window { number } => write!(f, "window {number}"),
        }
    }
}

/// How the log stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogStats {
    /// Windows, oldest first.
    pub windows: Vec<WindowStats>,
    /// The ledger's generation.
    pub generation: u64,
    /// Records in the ledger.
    pub ledger_records: u64,
    /// Of them, live.
    pub ledger_live: u64,
    /// Bytes that the log takes on the disk: journals, sled, keys.
    pub bytes_on_disk: u64,
    /// Records that were found damaged in logs that are still kept aside.
    pub quarantined_records: u64,
    /// Commits that were refused since the start.
    pub refused_commits: u64,
    /// Acknowledgements and expiries that wait in memory because they could not be written.
    pub unwritten: u64,
    /// sled databases that were rebuilt since the start.
    pub events_rebuilt: u64,
}

/// How a window stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowStats {
    /// Its number.
    pub number: u32,
    /// When it opened.
    pub opened: BoxTime,
    /// When it opened, Unix milliseconds.
    pub opened_unix_ms: u64,
    /// When it is destroyed.
    pub destroyed_at: BoxTime,
    /// Whether it takes envelopes in.
    pub is_open: bool,
    /// Envelopes taken in.
    pub accepted: u64,
    /// Of them, pending.
    pub pending: u64,
    /// Whether its bodies can still be read.
    pub has_body_key: bool,
    /// Bytes written to its journal.
    pub journal_bytes: u64,
    /// Records that were found damaged in it; it is kept aside, and its good records are served.
    pub damaged_records: u64,
}

/// How long a window takes envelopes in.
pub const WINDOW_LENGTH: Duration = hob_protocol::limits::WINDOW_LENGTH;

/// The most that one commit should bring, in bytes.
pub const COMMIT_BYTES_MAX: usize = 256 * 1024;

/// The shortest time between two commits: what comes sooner is collected.
pub const COMMIT_COLLECTS_FOR: Duration = Duration::from_millis(10);
