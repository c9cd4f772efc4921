//! Files that a power cut leaves whole: written beside the old one, synced, renamed, the folder synced.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::ProfileError;

/// Replaces a file as a whole; it is readable by its owner alone. On return the new one is durable.
///
/// # Errors
/// [`ProfileError::File`]. The old file is untouched then, except when syncing the folder failed: old or new, whole.
pub fn replace(path: &Path, parts: &[&[u8]]) -> Result<(), ProfileError> {
    let beside = beside(path);
    write_whole(&beside, parts).map_err(ProfileError::file("write", &beside))?;
    std::fs::rename(&beside, path).map_err(ProfileError::file("replace", path))?;
    sync_folder(path.parent().unwrap_or(path))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn write_whole(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    // What a kill left behind may have been created under other rights; it is never written to.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.sync_all()
}

/// Makes a rename in a folder durable.
///
/// # Errors
/// [`ProfileError::File`].
pub fn sync_folder(folder: &Path) -> Result<(), ProfileError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(ProfileError::file("sync", folder))
}

/// Reads a file that is at most this long.
///
/// # Errors
/// [`ProfileError::File`], also for one that is longer.
pub fn read(path: &Path, bytes_max: u64) -> Result<zeroize::Zeroizing<Vec<u8>>, ProfileError> {
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    let length = File::open(path)
        .and_then(|file| {
            // Room at once: growing would leave copies of a key in freed memory.
            bytes.reserve_exact(usize::try_from(file.metadata()?.len().min(bytes_max)).unwrap_or(0) + 1);
            file.take(bytes_max + 1).read_to_end(&mut bytes)
        })
        .map_err(ProfileError::file("read", path))?;
    if length as u64 > bytes_max {
        return Err(ProfileError::file("read", path)(io::Error::other(format!("it has more than {bytes_max} bytes"))));
    }
    Ok(bytes)
}

/// Overwrites a file's bytes where they lie, and syncs. (Flash media may keep old blocks all the same.)
///
/// # Errors
/// [`ProfileError::File`].
pub fn overwrite(path: &Path) -> Result<(), ProfileError> {
    OpenOptions::new().write(true).open(path).and_then(overwrite_open).map_err(ProfileError::file("overwrite", path))
}

/// As [`overwrite`], for a file that was opened before another took its name.
///
/// # Errors
/// The system's.
pub fn overwrite_open(mut file: File) -> io::Result<()> {
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
    let mut noise = vec![0u8; length.min(1 << 20)];
    getrandom::fill(&mut noise).map_err(io::Error::other)?;
    file.write_all(&noise)?;
    file.sync_all()
}
