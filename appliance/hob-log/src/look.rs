//! A look at a data folder that changes nothing, not even the lock: for `hob doctor`.
//!
//! What [`mod@crate::verify`] reads, without the bodies, and with files that can be read only: so it also works on a disk
//! that is mounted read-only, and as a user who may read and not write.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hob_relay::clock::Checkpoint;
use rustix::fs::FlockOperation;

use crate::OpenError;
use crate::disk::{Folders, check_format, checkpoint_of, clock_id};
use crate::error::OrDisk;
use crate::files::{FileLayer, Held, Kind, LogFile, NotLocked, RealFiles};
use crate::keys::BoxKey;
use crate::mark;
use crate::verify::{Depth, LogVerdict, live_ledger, verdicts};

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Log by log.
    pub verdicts: Vec<LogVerdict>,
    /// Windows that lie aside because they were found damaged.
    pub quarantined: u64,
    /// The clock as the box stored it last; `None`: it never did.
    pub checkpoint: Option<Checkpoint>,
}

/// Looks at the log of a stopped box. While this runs, a box that starts is told that the folder is in use.
///
/// # Errors
/// [`OpenError::InUse`] while a box runs; [`OpenError::NewerFormat`]; [`OpenError::Unreadable`] without the keys.
pub fn look(data_folder: &Path) -> Result<Look, OpenError> {
    let files = ReadOnly(RealFiles);
    let _lock = share_lock(data_folder)?;
    check_format(&files, data_folder)?;
    let folders = Folders::new(data_folder);
    let box_key = BoxKey::load(&files, &folders.keys, false)?;
    let aside = files.list(&folders.quarantine).or_disk("list the folder of what is damaged", &folders.quarantine)?;
    Ok(Look {
        verdicts: verdicts(&files, &folders, &box_key, Depth::Records)?,
        quarantined: aside.len() as u64,
        checkpoint: stored_clock(&files, &folders, &box_key),
    })
}

/// Checks every record of a box that runs in this process, changing nothing. The box goes on meanwhile: a window that is
/// destroyed, or a generation that is replaced, while it is read looks like damage, so what is damaged is read once more.
///
/// # Errors
/// [`OpenError::Unreadable`] without the keys, and what the disk says.
pub fn verify_running(data_folder: &Path) -> Result<Vec<LogVerdict>, OpenError> {
    let read = || {
        let files = ReadOnly(RealFiles);
        let folders = Folders::new(data_folder);
        let box_key = BoxKey::load(&files, &folders.keys, false)?;
        verdicts(&files, &folders, &box_key, Depth::Bodies)
    };
    let mut found = read()?;
    if found.iter().any(LogVerdict::is_damaged) {
        let again = read()?;
        for verdict in &mut found {
            if verdict.is_damaged() {
                match again.iter().find(|other| other.log == verdict.log) {
                    Some(other) => other.clone_into(verdict),
                    // It is gone by now, as it should be.
                    None => verdict.damaged = 0,
                }
            }
        }
    }
    Ok(found)
}

/// The live events of a stopped box's ledger, and its clock. A ledger that is damaged is refused: the next start repairs
/// it from its copy, and a backup of what is left would hide what is missing.
pub(crate) fn lasting_ledger(data_folder: &Path) -> Result<(Vec<bytes::Bytes>, Option<Checkpoint>), OpenError> {
    let files = ReadOnly(RealFiles);
    let _lock = share_lock(data_folder)?;
    check_format(&files, data_folder)?;
    let folders = Folders::new(data_folder);
    let box_key = BoxKey::load(&files, &folders.keys, false)?;
    let (live, is_whole) = live_ledger(&files, &folders, &box_key)?;
    if !is_whole {
        return Err(crate::LogError::Damaged { what: "the ledger", path: folders.ledger }.into());
    }
    Ok((live, stored_clock(&files, &folders, &box_key)))
}

fn stored_clock(files: &dyn FileLayer, folders: &Folders, box_key: &BoxKey) -> Option<Checkpoint> {
    let clock = files.open(&folders.log.join("clock").join(mark::FILE)).ok()?;
    let (_, mark) = mark::read(&*clock, clock_id(box_key))?;
    checkpoint_of(mark)
}

/// Whether this version can read the format of a data folder; a folder that is not there has none and is fine.
///
/// # Errors
/// [`OpenError::NewerFormat`], [`OpenError::Unreadable`].
pub fn check_data_format(data_folder: &Path) -> Result<(), OpenError> {
    check_format(&ReadOnly(RealFiles), data_folder).map(drop)
}

/// A share of the lock, which a running box refuses. A folder without a lock's file has no box.
fn share_lock(data_folder: &Path) -> Result<Option<File>, OpenError> {
    let path = data_folder.join("lock");
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.or_disk("open the lock", &path)?,
    };
    if rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared).is_err() {
        let owner = io::read_to_string(&file).ok().and_then(|pid| pid.trim().parse().ok());
        return Err(OpenError::InUse { path: data_folder.to_path_buf(), pid: owner.unwrap_or(0) });
    }
    Ok(Some(file))
}

/// The disk, with every way to change it closed.
#[derive(Debug)]
struct ReadOnly(RealFiles);

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "only looked at")
}

impl FileLayer for ReadOnly {
    fn create(&self, _: &Path) -> io::Result<Arc<dyn LogFile>> {
        Err(closed())
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        // What is opened for reading refuses to be written.
        Ok(RealFiles::wrap(File::open(path)?))
    }

    fn create_folder(&self, _: &Path) -> io::Result<()> {
        Err(closed())
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(closed())
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        Err(closed())
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        Err(closed())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        self.0.list(path)
    }

    fn kind(&self, path: &Path) -> Option<Kind> {
        self.0.kind(path)
    }

    fn bytes_under(&self, folder: &Path) -> u64 {
        self.0.bytes_under(folder)
    }

    fn lock(&self, _: &Path) -> Result<Box<dyn Held>, NotLocked> {
        Err(closed().into())
    }
}
