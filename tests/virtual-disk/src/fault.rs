//! Operations that fail.

use std::io;
use std::path::Path;

use crate::VirtualDisk;

/// Kinds of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// Reading a file.
    Read,
    /// Writing, cutting and reserving.
    Write,
    /// Syncing a file or a folder.
    Sync,
    /// Making, renaming and removing names.
    Name,
}

/// An error that a disk gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errno {
    /// `EIO`
    Io,
    /// `ENOSPC`
    NoSpace,
}

impl Errno {
    pub(crate) fn error(self) -> io::Error {
        // As the kernel numbers them, so that they are told apart as a real disk's are.
        io::Error::from_raw_os_error(match self {
            Self::Io => 5,
            Self::NoSpace => 28,
        })
    }
}

/// Some operations that will fail.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Which kind.
    pub on: On,
    /// Only on files and folders with this name, if one is given.
    pub name: Option<&'static str>,
    /// How many of them are let pass first.
    pub after: u64,
    /// How many fail then.
    pub times: u64,
    /// How.
    pub errno: Errno,
    /// Whether a failed sync lets the kernel forget what was not synced: reads still show it, no later sync writes it.
    pub forgets: bool,
}

/// What is wrong with a disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    list: Vec<Fault>,
    pub(crate) is_full: bool,
    pub(crate) is_read_only: bool,
    /// Whether the operation that just failed was to forget.
    pub(crate) forgets: bool,
    pub(crate) failed: u64,
}

impl Faults {
    pub(crate) fn enter(&mut self, on: On, path: &Path) -> io::Result<()> {
        if self.is_read_only && matches!(on, On::Write | On::Name) {
            self.failed += 1;
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        for fault in &mut self.list {
            let is_named = fault.name.is_none_or(|name| path.ends_with(name));
            if fault.on != on || !is_named || fault.times == 0 {
                continue;
            }
            if fault.after > 0 {
                fault.after -= 1;
                continue;
            }
            fault.times -= 1;
            self.forgets = fault.forgets;
            self.failed += 1;
            return Err(fault.errno.error());
        }
        Ok(())
    }
}

impl VirtualDisk {
    /// Lets operations fail.
    pub fn fail(&self, fault: Fault) {
        self.lock().faults.list.push(fault);
    }

    /// No space left: nothing new can be written, what has its space can be overwritten.
    pub fn set_full(&self, is_full: bool) {
        self.lock().faults.is_full = is_full;
    }

    /// Mounted read-only.
    pub fn set_read_only(&self, is_read_only: bool) {
        self.lock().faults.is_read_only = is_read_only;
    }

    /// Nothing fails any more.
    pub fn heal(&self) {
        let mut state = self.lock();
        state.faults.list.clear();
        state.faults.is_full = false;
        state.faults.is_read_only = false;
    }

    /// Operations that failed by a fault.
    pub fn failed(&self) -> u64 {
        self.lock().faults.failed
    }
}
