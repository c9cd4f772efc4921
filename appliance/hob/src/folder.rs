//! The data folder and the private files in it: made whole or not at all, and for the box's user only.

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// No private file of a box is larger, in bytes.
const PRIVATE_BYTES_MAX: u64 = 64 << 10;

/// Something is wrong with the data folder or a private file in it. Each text ends with the next step.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder cannot be made or looked at.
    #[error("cannot use {} as data folder: make it writable for this user, or name another with --data", path.display())]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is something that is no folder.
    #[error("{} is no folder: name another with --data", path.display())]
    NotAFolder {
        /// What was named.
        path: PathBuf,
    },
    /// The folder holds something that no box made.
    #[error("{} holds {found:?} and no box: name an empty folder with --data", path.display())]
    SomebodyElses {
        /// The folder.
        path: PathBuf,
        /// The first such thing.
        found: String,
    },
    /// There is a log and no identity.
    #[error(
        "{} is missing and the rest of the box is there: put it back from a backup; to begin anew, as another box \
         that nobody knows, empty the data folder",
        path.display()
    )]
    IdentityGone {
        /// Where the identity should be.
        path: PathBuf,
    },
    /// Others may read what they must not.
    #[error("{} can be read by others (mode {mode:04o}): run chmod {} {0}, and if strangers use this computer, begin anew", path.display(), if *folder { "700" } else { "600" })]
    TooOpen {
        /// The file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Whether it is a folder.
        folder: bool,
    },
    /// A private file cannot be written.
    #[error("cannot write {}: make room on the disk and the folder writable for this user", path.display())]
    CannotWrite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A private file cannot be read.
    #[error("cannot read {}: start the box as the user who owns it", path.display())]
    CannotRead {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A private file is not what was written.
    #[error("{} is damaged ({why}): put it back from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How it shows.
        why: String,
    },
}

/// Makes a folder that only this user can enter, with those above it.
///
/// # Errors
/// [`FolderError::Unusable`], [`FolderError::NotAFolder`].
pub fn make_private(path: &Path) -> Result<(), FolderError> {
    let unusable = |source| FolderError::Unusable { path: path.to_owned(), source };
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => return Err(FolderError::NotAFolder { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(unusable(error)),
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
    match path.parent() {
        Some(parent) => sync_folder(parent).map_err(unusable),
        None => Ok(()),
    }
}

/// Makes sure that only this user can enter the folder of a box: an empty one is closed, a used one must be.
///
/// # Errors
/// [`FolderError::TooOpen`], [`FolderError::Unusable`].
pub fn keep_private(path: &Path) -> Result<(), FolderError> {
    let unusable = |source| FolderError::Unusable { path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(unusable)?.mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    // systemd makes its state folders 0755. What lies in there is 0600 anyway; a closed folder hides the names too.
    fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(|_| FolderError::TooOpen {
        path: path.to_owned(),
        mode,
        folder: true,
    })
}

/// Destroys everything that a stopped box has: its keys first, overwritten in place, so that a cut in between leaves
/// ciphertext that nobody can open.
///
/// # Errors
/// [`FolderError::CannotWrite`]: what is left is told by the next start.
pub fn wipe(data: &Path) -> Result<(), FolderError> {
    let cannot = |path: &Path| {
        let path = path.to_owned();
        move |source| FolderError::CannotWrite { path, source }
    };
    let keys = data.join("keys");
    for name in names(&keys)? {
        let path = keys.join(name);
        let overwrite = || -> io::Result<()> {
            let mut file = fs::OpenOptions::new().write(true).open(&path)?;
            let mut left = file.metadata()?.len();
            let zeros = [0; 4096];
            while left > 0 {
                let some = zeros.get(..usize::try_from(left).unwrap_or(4096).min(4096)).unwrap_or_default();
                file.write_all(some)?;
                left -= some.len() as u64;
            }
            file.sync_all()
        };
        if fs::symlink_metadata(&path).is_ok_and(|found| found.is_file()) {
            overwrite().map_err(cannot(&path))?;
        }
    }
    for name in names(data)? {
        let path = data.join(name);
        let is_folder = fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir());
        let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(cannot(&path))?;
    }
    sync_folder(data).map_err(cannot(data))
}

/// Names in a folder, sorted; none if it is not there.
///
/// # Errors
/// [`FolderError::Unusable`].
pub fn names(path: &Path) -> Result<Vec<String>, FolderError> {
    let unusable = |source| FolderError::Unusable { path: path.to_owned(), source };
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unusable(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(unusable)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Writes a private file that is not there yet, whole or not at all: under a temporary name, synced, renamed, and the
/// folder synced. If another process was first, its file stays and the answer is `false`.
///
/// # Errors
/// [`FolderError::CannotWrite`].
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<bool, FolderError> {
    let cannot = |source| FolderError::CannotWrite { path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    // tempfile makes its files 0600.
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder).map_err(cannot)?;
    file.write_all(bytes).map_err(cannot)?;
    file.as_file().sync_all().map_err(cannot)?;
    match file.persist_noclobber(path) {
        Ok(_) => sync_folder(folder).map_err(cannot).map(|()| true),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(cannot(error.error)),
    }
}

/// Reads a private file; `None`: it is not there.
///
/// # Errors
/// [`FolderError::CannotRead`], [`FolderError::TooOpen`], [`FolderError::Damaged`].
pub fn read_private(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, FolderError> {
    let cannot = |source| FolderError::CannotRead { path: path.to_owned(), source };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot(error)),
    };
    let metadata = file.metadata().map_err(cannot)?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(FolderError::TooOpen { path: path.to_owned(), mode, folder: false });
    }
    if metadata.len() > PRIVATE_BYTES_MAX {
        return Err(FolderError::Damaged {
            path: path.to_owned(),
            why: format!("it has {} bytes, more than any such file", metadata.len()),
        });
    }
    // Room for all of it at once: growing would leave copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default() + 1));
    file.read_to_end(&mut bytes).map_err(cannot)?;
    Ok(Some(bytes))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_file_is_written_once_and_for_this_user_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        assert!(write_private(&path, b"one").unwrap());
        assert!(!write_private(&path, b"two").unwrap(), "the first one stays");
        assert_eq!(read_private(&path).unwrap().unwrap()[..], *b"one");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(names(folder.path()).unwrap(), ["secret"], "nothing temporary is left");
    }

    #[test]
    fn a_private_file_that_others_can_read_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        write_private(&path, b"one").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let error = read_private(&path).unwrap_err().to_string();
        assert!(error.contains("mode 0640") && error.contains("chmod 600"), "{error}");
    }
}
