//! The thin layer over the machine: what the log asks of a disk, and of chance, and nothing else.
//!
//! [`RealFiles`] is the disk. The tests put a recording layer in its place that knows the order of operations, fails at a
//! chosen one, or stops the world after it; `tests/virtual-disk` is a whole disk in memory whose power can be cut.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FallocateFlags, FlockOperation};

/// What the log asks of a file system.
pub trait FileLayer: Send + Sync + std::fmt::Debug {
    /// Makes a file of mode 0600 that must not be there yet.
    ///
    /// # Errors
    /// As the file system says.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn LogFile>>;
    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// As the file system says.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn LogFile>>;
    /// Makes a folder of mode 0700, and the folders above it. One that is there is fine.
    ///
    /// # Errors
    /// As the file system says.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Renames, replacing what is there.
    ///
    /// # Errors
    /// As the file system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file or a folder with everything in it. One that is not there is fine.
    ///
    /// # Errors
    /// As the file system says.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the entries of a folder durable.
    ///
    /// # Errors
    /// As the file system says.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// The names in a folder; none if it is not there.
    ///
    /// # Errors
    /// As the file system says.
    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>>;
    /// What lies there, if anything does.
    fn kind(&self, path: &Path) -> Option<Kind>;
    /// What lies under a folder, in bytes of the disk.
    fn bytes_under(&self, folder: &Path) -> u64;
    /// Takes a lock for this process; its file is made if it is not there.
    ///
    /// # Errors
    /// [`NotLocked`] if another process has it, or as the file system says.
    fn lock(&self, path: &Path) -> Result<Box<dyn Held>, NotLocked>;
    /// Fills with random bytes: salts and keys. Everything but a simulation takes the system's, as is the default here.
    ///
    /// # Errors
    /// If the system has none.
    fn fill_random(&self, bytes: &mut [u8]) -> io::Result<()> {
        getrandom::fill(bytes).map_err(|_| io::Error::other("the system has no random bytes"))
    }
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A folder.
    Folder,
}

/// A lock, until it is dropped.
pub trait Held: Send + Sync + std::fmt::Debug {}

/// A lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum NotLocked {
    /// Another process has it.
    #[error("it is locked by process {pid}")]
    Taken {
        /// The owner's process id; 0 if it did not say.
        pid: u32,
    },
    /// The file system refused.
    #[error(transparent)]
    Disk(#[from] io::Error),
}

/// What the log asks of a file. Offsets and lengths are in bytes.
#[expect(clippy::len_without_is_empty, reason = "nobody asks whether a file is empty")]
pub trait LogFile: Send + Sync + std::fmt::Debug {
    /// Writes all of it at an offset.
    ///
    /// # Errors
    /// As the file system says; some of it may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Reads as much as there is, up to the buffer's length.
    ///
    /// # Errors
    /// As the file system says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Makes the content durable (`fdatasync`).
    ///
    /// # Errors
    /// As the file system says; what was written since the last good one may be lost.
    fn sync(&self) -> io::Result<()>;
    /// Makes content and metadata durable (`fsync`).
    ///
    /// # Errors
    /// As the file system says.
    fn sync_all(&self) -> io::Result<()>;
    /// Cuts or grows.
    ///
    /// # Errors
    /// As the file system says.
    fn set_len(&self, bytes: u64) -> io::Result<()>;
    /// Reserves space that reads as zeros, and grows the file over it. Nothing is written.
    ///
    /// # Errors
    /// `StorageFull` when there is not that much.
    fn reserve(&self, offset: u64, bytes: u64) -> io::Result<()>;
    /// Its length.
    ///
    /// # Errors
    /// As the file system says.
    fn len(&self) -> io::Result<u64>;
    /// Names that lead to it; 0 when it was removed.
    ///
    /// # Errors
    /// As the file system says.
    fn links(&self) -> io::Result<u64>;
    /// Gives the blocks of a range back and tells the medium so, where it can (`FALLOC_FL_PUNCH_HOLE`). Best effort.
    fn discard(&self, offset: u64, bytes: u64);
}

/// Fills a buffer from an offset.
///
/// # Errors
/// `UnexpectedEof` if the file ends before.
pub fn read_exact_at(file: &dyn LogFile, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match file.read_at(buffer, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            got => {
                buffer = buffer.get_mut(got..).unwrap_or_default();
                offset += got as u64;
            }
        }
    }
    Ok(())
}

/// Writes a small file so that it is whole or not there: temporary name, sync, rename, sync of the folder.
///
/// # Errors
/// As the file system says; the earlier file then still holds.
pub fn write_whole(files: &dyn FileLayer, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    files.remove(&temporary)?;
    let file = files.create(&temporary)?;
    file.write_at(bytes, 0)?;
    file.sync_all()?;
    files.rename(&temporary, path)?;
    files.sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// Reads a small file; `None` if it is not there.
///
/// # Errors
/// As the file system says.
pub fn read_whole(files: &dyn FileLayer, path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match files.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or(usize::MAX).min(1 << 20)];
    read_exact_at(&*file, &mut bytes, 0)?;
    Ok(Some(bytes))
}

/// The disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealFiles;

#[derive(Debug)]
struct RealFile(File);

impl RealFiles {
    /// A file that somebody else opened.
    pub(crate) fn wrap(file: File) -> Arc<dyn LogFile> {
        Arc::new(RealFile(file))
    }
}

impl FileLayer for RealFiles {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        Ok(Arc::new(RealFile(file)))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        Ok(Arc::new(RealFile(OpenOptions::new().read(true).write(true).open(path)?)))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let removed = match std::fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
            Ok(_) => std::fs::remove_file(path),
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        match std::fs::read_dir(path) {
            Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn kind(&self, path: &Path) -> Option<Kind> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(if metadata.is_dir() { Kind::Folder } else { Kind::File })
    }

    fn bytes_under(&self, folder: &Path) -> u64 {
        let Ok(entries) = std::fs::read_dir(folder) else {
            return 0;
        };
        let bytes = entries.flatten().map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => self.bytes_under(&entry.path()),
            Ok(metadata) => metadata.blocks() * 512,
            Err(_) => 0,
        });
        bytes.sum()
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Held>, NotLocked> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut owner = String::new();
            let pid = file.read_to_string(&mut owner).ok().and_then(|_| owner.trim().parse().ok());
            return Err(NotLocked::Taken { pid: pid.unwrap_or(0) });
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Box::new(HeldFile { _file: file }))
    }
}

/// The kernel's lock goes with the file.
#[derive(Debug)]
struct HeldFile {
    _file: File,
}

impl Held for HeldFile {}

impl LogFile for RealFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn reserve(&self, offset: u64, bytes: u64) -> io::Result<()> {
        Ok(rustix::fs::fallocate(&self.0, FallocateFlags::empty(), offset, bytes)?)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn links(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.nlink())
    }

    fn discard(&self, offset: u64, bytes: u64) {
        let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        if let Err(error) = rustix::fs::fallocate(&self.0, punch, offset, bytes) {
            tracing::debug!(%error, "this medium takes no discards");
        }
    }
}
