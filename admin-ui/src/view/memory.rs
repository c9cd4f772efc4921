//! `/memory`: what the box remembers, and when it forgets it.

use std::fmt::Write as _;

use crate::markup::Markup;
use crate::ui::Ui;
use crate::view::{Page, page};

/// Width and height of a window in the picture, in its own units.
const WIDTH: u64 = 10;
const HEIGHT: u64 = 100;

/// Log and memory.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// How long anything is kept, at most.
    pub retention_s: u64,
    /// The windows on the disk, oldest first.
    pub windows: Vec<Window>,
    /// The ledger's generation, records and bytes.
    pub generation: Generation,
    /// The last compaction since the start; `None`: none yet.
    pub last_compaction: Option<Compaction>,
    /// Until the next one; `None`: none is due.
    pub next_compaction_s: Option<u64>,
    /// What was found damaged and is kept aside until its time is up.
    pub quarantine: Vec<Quarantined>,
    /// Verifying.
    pub verify: Verify,
    /// [`crate::live::Versions::memory`] of this moment.
    pub version: String,
}

/// Half an hour of traffic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Window {
    /// When it was opened.
    pub opened_unix_s: u64,
    /// Envelopes are still put into it.
    pub open: bool,
    /// Envelopes in it that wait.
    pub waiting: u64,
    /// Envelopes in it that were delivered.
    pub delivered: u64,
    /// Envelopes in it that expired.
    pub expired: u64,
    /// On the disk.
    pub bytes: u64,
    /// Whether the key of its bodies still exists: without it nothing in it can be read.
    pub readable: bool,
    /// When it is destroyed whole.
    pub destroyed_unix_s: u64,
}

/// An edition of the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Generation {
    /// Its number.
    pub number: u64,
    /// Records in it.
    pub records: u64,
    /// Of them, those that mean nothing any more.
    pub dead: u64,
    /// On the disk.
    pub bytes: u64,
    /// When it was written; 0: before the box's start.
    pub made_unix_s: u64,
}

/// What compacting did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compaction {
    /// When.
    pub at_unix_s: u64,
    /// Records before.
    pub records_before: u64,
    /// Records after.
    pub records_after: u64,
    /// How long it took.
    pub took_ms: u64,
}

/// Something damaged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quarantined {
    /// Its folder: "windows/81", "ledger/4".
    pub place: String,
    /// When it was found.
    pub found_unix_s: u64,
    /// How many records could not be read.
    pub records: u64,
    /// When it is destroyed.
    pub destroyed_unix_s: u64,
}

/// Verifying, which reads every record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Verify {
    /// Not since the start.
    #[default]
    Never,
    /// Now.
    Running {
        /// Bytes read.
        read_bytes: u64,
        /// Bytes in all.
        all_bytes: u64,
    },
    /// Finished.
    Done {
        /// When.
        at_unix_s: u64,
        /// Records read.
        records: u64,
        /// Records damaged.
        damaged: u64,
    },
    /// It could not be done.
    Failed {
        /// Why, in the box's English.
        why: String,
    },
}

impl Memory {
    /// A column for each window; its parts stand on each other.
    fn picture(&self) -> Markup {
        let most = self.windows.iter().map(Window::all).max().unwrap_or(0).max(1);
        let mut html = String::new();
        for (index, window) in self.windows.iter().enumerate() {
            let mut below = 0.0;
            let parts = [("waiting", window.waiting), ("delivered", window.delivered), ("expired", window.expired)];
            for (class, count) in parts.into_iter().filter(|(_, count)| *count > 0) {
                let height = (count as f64 * HEIGHT as f64 / most as f64).max(1.0);
                let x = index as u64 * WIDTH + 1;
                let y = HEIGHT as f64 - below - height;
                let _ = write!(
                    html,
                    "<rect class=\"bar {class}\" x=\"{x}\" y=\"{y:.1}\" width=\"{}\" height=\"{height:.1}\"/>",
                    WIDTH - 2
                );
                below += height;
            }
        }
        Markup::trusted(html)
    }

    fn picture_width(&self) -> u64 {
        self.windows.len() as u64 * WIDTH
    }

    fn is_quiet(&self) -> bool {
        self.windows.iter().all(|window| window.all() == 0)
    }

    fn sum(&self, ui: &Ui<'_>) -> String {
        let waiting: u64 = self.windows.iter().map(|window| window.waiting).sum();
        ui.t2("memory-picture-sum", "windows", self.windows.len(), "waiting", waiting)
    }

    fn first_and_last(&self, ui: &Ui<'_>) -> Vec<String> {
        let ends = [self.windows.first(), self.windows.get(self.windows.len() / 2), self.windows.last()];
        ends.into_iter().flatten().map(|window| ui.clock_text(window.opened_unix_s)).collect()
    }

    fn state<'a>(&self, window: &'a Window) -> &'a str {
        match (window.open, window.readable) {
            (true, _) => "memory-window-open",
            (false, true) => "memory-window-readable",
            (false, false) => "memory-window-unreadable",
        }
    }
}

impl Window {
    fn all(&self) -> u64 {
        self.waiting + self.delivered + self.expired
    }
}

impl Page for Memory {
    fn title(&self, ui: &Ui<'_>) -> String {
        ui.t("nav-memory")
    }
}

page!(Memory, "memory.html");
