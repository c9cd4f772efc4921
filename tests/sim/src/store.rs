//! A box's disk, over all its starts: the real log on a disk in memory, whose power can be cut.

use std::io;
use std::path::{Path, PathBuf};

use hob_log::{DiskLog, EventLog, Opened, Options};
use hob_relay::Restored;
use hob_relay::clock::{BoxClock, Checkpoint, Now};
use hob_virtual_disk::fault::Errno;
use hob_virtual_disk::{Fault, How, On, VirtualDisk};

use crate::chance::Chance;

const DATA: &str = "/data";

/// A box's disk, and the log on it while the box runs.
pub struct Store {
    disk: VirtualDisk,
    log: Option<DiskLog>,
    chance: Chance,
}

/// What a start needs: the clock of the run, and what the rules are handed.
pub struct Started {
    /// The run's clock.
    pub clock: BoxClock,
    /// What the log found.
    pub restored: Restored,
    /// Windows that were damaged.
    pub damaged: u64,
    /// Records of the ledger that are lost, as it says.
    pub ledger_lost: u64,
}

/// What can be wrong with a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskTrouble {
    /// So many writes fail.
    Writes(u64),
    /// So many syncs fail; what was not synced may be forgotten.
    Syncs(u64, bool),
    /// So many reads fail.
    Reads(u64),
    /// So many new, renamed and removed names fail.
    Names(u64),
    /// No space is left.
    Full,
}

/// What bits flip in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flips {
    /// The journals of windows.
    Windows,
    /// The ledger's journal.
    Ledger,
}

impl Store {
    /// An empty disk.
    pub fn new(seed: u64) -> Self {
        Self { disk: VirtualDisk::new(seed), log: None, chance: Chance::new(seed, "disk", 0) }
    }

    /// Opens the log: what is due is destroyed before anything else. `begin` makes the clock from what was stored.
    ///
    /// # Errors
    /// The log refuses to open: its word.
    pub fn start(&mut self, begin: impl FnOnce(Option<Checkpoint>) -> (BoxClock, Now)) -> Result<Started, String> {
        self.disk.heal();
        let mut clock = None;
        let options = Options { files: self.disk.layer(), has_events: false, ..Options::new(DATA) };
        let opened = DiskLog::open(options, |checkpoint| {
            let (started, now) = begin(checkpoint);
            clock = Some(started);
            now
        });
        let Opened { log, ledger, pending, known, lost_windows, report, .. } =
            opened.map_err(|error| error.to_string())?;
        self.log = Some(log);
        let epoch_ended = lost_windows.iter().any(|window| window.is_new);
        let damaged = lost_windows.len() as u64;
        let lost_windows = lost_windows.iter().map(|window| (window.number, window.opened_unix_ms / 1000)).collect();
        let restored = Restored { ledger, pending, known, lost_windows, epoch_ended };
        let clock = clock.ok_or_else(|| "the log asked for no time".to_owned())?;
        Ok(Started { clock, restored, damaged, ledger_lost: report.ledger_lost })
    }

    /// The open log.
    pub fn log(&mut self) -> Option<&mut dyn EventLog> {
        self.log.as_mut().map(|log| log as &mut dyn EventLog)
    }

    /// It is closed, and what it holds is let go.
    pub fn close(&mut self) {
        if let Some(mut log) = self.log.take() {
            // What cannot be written when it closes is as after a power cut.
            let _ = log.close();
        }
    }

    /// The power will go after so many more operations of the disk.
    pub fn stop_after(&mut self, operations: u64) {
        self.disk.stop_after(operations);
    }

    /// Whether the power went.
    pub fn is_off(&self) -> bool {
        self.disk.is_off()
    }

    /// The power fails: of what was not synced chance keeps a part, or nothing.
    pub fn cut(&mut self) {
        let how = if self.chance.one_in(3) { How::Pessimistic } else { How::Adversarial };
        self.disk = self.disk.cut(how, self.chance.number());
        self.log = None;
    }

    /// Something is wrong with the disk, until the next start.
    pub fn trouble(&mut self, trouble: DiskTrouble) {
        let fault = |on, times, errno, forgets| Fault { on, name: None, after: 0, times, errno, forgets };
        match trouble {
            DiskTrouble::Writes(times) => self.disk.fail(fault(On::Write, times, Errno::NoSpace, false)),
            DiskTrouble::Syncs(times, forgets) => self.disk.fail(fault(On::Sync, times, Errno::Io, forgets)),
            DiskTrouble::Reads(times) => self.disk.fail(fault(On::Read, times, Errno::Io, false)),
            DiskTrouble::Names(times) => self.disk.fail(fault(On::Name, times, Errno::NoSpace, false)),
            DiskTrouble::Full => self.disk.set_full(true),
        }
    }

    /// Nothing is wrong with it any more.
    pub fn heal(&mut self) {
        self.disk.heal();
    }

    /// Bits flip in journals; how many did.
    ///
    /// # Errors
    /// A file that was there is not.
    pub fn flip(&mut self, bits: u32, of: Flips) -> io::Result<u32> {
        let folder = Path::new(DATA).join(match of {
            Flips::Windows => "log/windows",
            Flips::Ledger => "log/ledger",
        });
        let is_journal = |path: &Path| path.starts_with(&folder) && path.ends_with("journal");
        let journals: Vec<(PathBuf, u64)> =
            self.disk.files().into_iter().filter(|(path, bytes)| is_journal(path) && *bytes > 0).collect();
        let mut flipped = 0;
        for _ in 0..bits {
            let Some((path, bytes)) = journals.get(self.chance.place(journals.len())) else { break };
            let (at, bit) = (self.chance.below(*bytes), self.chance.below(8));
            self.disk.flip(path, at, 1 << bit)?;
            flipped += 1;
        }
        Ok(flipped)
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.disk.files().iter().map(|(_, bytes)| bytes).sum()
    }
}
