//! The thin layer over the file system: what the log asks of a disk, and nothing else.
//!
//! [`RealFiles`] is the disk. The tests put a recording layer in its place that knows the order of operations, fails at a
//! chosen one, or stops the world after it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FallocateFlags;

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
}

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
