//! `PROFILE/lock`: one process at a time owns a profile. The file holds that process's id, for messages only.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::{Folder, ProfileError};

/// Held as long as it lives; the system lets go of it when the process ends, however it ends.
pub struct ProfileLock {
    _file: File,
}

impl ProfileLock {
    /// Takes the lock; `None`: another process has it.
    ///
    /// # Errors
    /// [`ProfileError::File`].
    pub fn try_take(folder: &Folder) -> Result<Option<Self>, ProfileError> {
        let path = folder.file("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(ProfileError::file("open", &path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(ProfileError::file("lock", &path)(error.into())),
        }
        // `forget` removes the file while it holds the lock: a lock on a removed file keeps nobody out.
        if !is_still_the_file(&file, &path) {
            return Ok(None);
        }
        // The id is a courtesy; a full disk must not keep anybody from reading messages.
        let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Some(Self { _file: file }))
    }
}

fn is_still_the_file(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// The process that has the lock, if it wrote its id.
pub fn owner(folder: &Folder) -> Option<u32> {
    let mut text = String::new();
    File::open(folder.file("lock")).ok()?.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
