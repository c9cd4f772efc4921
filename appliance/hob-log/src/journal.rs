//! A log's journal: the synced truth. Append, sync, cut.
//!
//! Space is reserved in steps of 4 MiB and reads as zeros, so that a sync seldom writes metadata. What was never written is
//! still marked so in the file's extents, and each sync behind that mark writes the inode; so a small group brings the
//! zeros up to the next `ZERO_BYTES` along, and the following small ones land in blocks that were written before. After a failed write or
//! sync nothing since the last good sync is taken as written (rule 1): the journal is broken until [`Journal::heal`] has
//! reopened it, checked it against the mark and cut it back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hob_protocol::planted;

use crate::error::{LogError, OrDisk};
use crate::files::{FileLayer, LogFile, read_exact_at};
use crate::mark::{self, Mark, MarkFile};
use crate::record::{Bytes16, ChainPlace, GROUP_BYTES_MAX, Item, LogKeys, seal_group};

/// The name of the file in a log's folder.
pub const FILE: &str = "journal";

/// Space is reserved in steps of this many bytes.
pub const RESERVE_BYTES: u64 = 4 << 20;

/// A small group is written with zeros up to the next multiple of this many bytes.
const ZERO_BYTES: u64 = 64 << 10;

/// Larger groups bring no zeros: their share of the inode's write is small, and every zero is written twice.
const SMALL_GROUP_BYTES: usize = 12 << 10;

/// A group is closed when its items reach this many bytes.
const GROUP_BYTES_WANTED: usize = 512 << 10;

/// The buffer is given back when it has grown beyond this many bytes.
const BUFFER_BYTES_KEPT: usize = 1 << 20;

const _: () = assert!(2 * GROUP_BYTES_WANTED + (1 << 20) < GROUP_BYTES_MAX);

/// Where a chain ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct End {
    /// Bytes of the journal.
    pub bytes: u64,
    /// The sequence number of the next record: the number of records so far.
    pub next_sequence: u64,
    /// The tag of the last group.
    pub last_tag: Bytes16,
}

impl From<End> for Mark {
    fn from(end: End) -> Self {
        Self { records: end.next_sequence, bytes: end.bytes, last_tag: end.last_tag }
    }
}

/// A log's journal and its mark.
#[derive(Debug)]
pub struct Journal {
    files: Arc<dyn FileLayer>,
    folder: PathBuf,
    file: Arc<dyn LogFile>,
    mark: MarkFile,
    mark_path: PathBuf,
    log_id: Bytes16,
    /// What was written.
    end: End,
    /// What is durable.
    good: End,
    reserved: u64,
    /// Up to here the file's blocks were written at least once.
    written: u64,
    broken: bool,
    buffer: Vec<u8>,
}

impl Journal {
    /// Makes an empty journal in a folder, and its mark, synced. The folder itself is the caller's to sync.
    ///
    /// # Errors
    /// As the file system says.
    pub fn create(files: &Arc<dyn FileLayer>, folder: &Path, marks: &Path, log_id: Bytes16) -> Result<Self, LogError> {
        let path = folder.join(FILE);
        let mark_path = mark::path_of(marks, log_id);
        let make = || {
            let file = files.create(&path)?;
            file.sync_all()?;
            let mark = MarkFile::create(&**files, &mark_path, log_id)?;
            files.sync_folder(marks)?;
            Ok((file, mark))
        };
        let (file, mark) = make().or_disk("make a journal", &path)?;
        Ok(Self {
            files: Arc::clone(files),
            folder: folder.to_path_buf(),
            file,
            mark,
            mark_path,
            log_id,
            end: End::default(),
            good: End::default(),
            reserved: 0,
            written: 0,
            broken: false,
            buffer: Vec::new(),
        })
    }

    /// Goes on with a journal that was read and found good up to `end`; whatever lies behind is cut off, unless it is
    /// kept aside: then nothing is changed, and what says so is made durable.
    ///
    /// # Errors
    /// As the file system says.
    pub fn resume(
        files: &Arc<dyn FileLayer>,
        folder: &Path,
        marks: &Path,
        log_id: Bytes16,
        file: Arc<dyn LogFile>,
        end: End,
        is_aside: bool,
    ) -> Result<Self, LogError> {
        let path = folder.join(FILE);
        let mark_path = mark::path_of(marks, log_id);
        let marked = mark::find(&**files, marks, folder, log_id).unwrap_or_default();
        let mark = open_mark(&**files, folder, marks, log_id).or_disk("open a mark", &mark_path)?;
        let mut this = Self {
            files: Arc::clone(files),
            folder: folder.to_path_buf(),
            file,
            mark,
            mark_path,
            log_id,
            end,
            good: end,
            reserved: end.bytes,
            written: end.bytes,
            broken: false,
            buffer: Vec::new(),
        };
        if is_aside {
            // After a kill they may be in the kernel's memory only, and a power cut would turn damage into a torn tail.
            this.file.sync().and_then(|()| this.mark.sync()).or_disk("sync a damaged journal", &path)?;
            return Ok(this);
        }
        let bytes = this.file.len().or_disk("read a journal", &path)?;
        if bytes != end.bytes && !planted!("torn-tail-not-cut") {
            this.cut().or_disk("cut a journal", &path)?;
        }
        // After a kill the last groups may be in the kernel's memory only, and later ones will say that they are synced.
        // After a sync that failed the kernel takes them for clean: only what is written again reaches the medium.
        rewrite(&*this.file, marked.bytes.min(end.bytes), end.bytes).or_disk("write a journal again", &path)?;
        this.file.sync().or_disk("sync a journal", &path)?;
        this.mark.write(end.into()).or_disk("write a mark", &path)?;
        Ok(this)
    }

    /// The file, for readers on other threads.
    pub fn file(&self) -> Arc<dyn LogFile> {
        Arc::clone(&self.file)
    }

    /// The folder it lies in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Follows its folder to another place.
    pub fn moved_to(&mut self, folder: &Path) {
        self.folder = folder.to_path_buf();
    }

    /// What was written.
    pub const fn end(&self) -> End {
        self.end
    }

    /// What is durable.
    pub const fn good(&self) -> End {
        self.good
    }

    /// Whether a write or a sync failed since it was last healed.
    pub const fn is_broken(&self) -> bool {
        self.broken
    }

    /// Appends items in order, in as many groups as they need. Not synced. Returns the first record's sequence number;
    /// for each item with a body, where its block begins is pushed to `blocks`.
    ///
    /// # Errors
    /// Nothing of it may be taken as written.
    pub fn append(&mut self, keys: &LogKeys, items: &[Item<'_>], blocks: &mut Vec<u64>) -> Result<u64, LogError> {
        let first = self.end.next_sequence;
        let mut rest = items;
        while !rest.is_empty() {
            let (group, after) = rest.split_at(group_len(rest));
            rest = after;
            self.append_group(keys, group, blocks)?;
        }
        Ok(first)
    }

    fn append_group(&mut self, keys: &LogKeys, group: &[Item<'_>], blocks: &mut Vec<u64>) -> Result<(), LogError> {
        let at = ChainPlace {
            first_sequence: self.end.next_sequence,
            previous_tag: self.end.last_tag,
            synced_to: self.good.bytes,
        };
        let known = blocks.len();
        let sealed = seal_group(&*self.files, keys, at, group, &mut self.buffer, blocks)?;
        for block in blocks.iter_mut().skip(known) {
            *block += self.end.bytes;
        }
        let bytes = self.buffer.len() as u64;
        self.reserve(self.end.bytes + bytes)?;
        self.bring_zeros();
        if let Err(error) = self.file.write_at(&self.buffer, self.end.bytes) {
            self.broken = true;
            return Err(LogError::disk("write to a journal", &self.folder.join(FILE), error));
        }
        self.written = self.written.max(self.end.bytes + self.buffer.len() as u64);
        self.end = End {
            bytes: self.end.bytes + bytes,
            next_sequence: self.end.next_sequence + sealed.records,
            last_tag: sealed.tag,
        };
        if self.buffer.capacity() > BUFFER_BYTES_KEPT {
            self.buffer = Vec::new();
        }
        Ok(())
    }

    /// A small group that reaches blocks that were never written takes the zeros behind it along: within what is
    /// reserved, where they change nothing that anybody reads.
    fn bring_zeros(&mut self) {
        let end = self.end.bytes + self.buffer.len() as u64;
        if end <= self.written || self.buffer.len() > SMALL_GROUP_BYTES {
            return;
        }
        let zeros = (end.next_multiple_of(ZERO_BYTES).min(self.reserved)).saturating_sub(end);
        let zeros = usize::try_from(zeros).unwrap_or_default();
        self.buffer.resize(self.buffer.len() + zeros, 0);
    }

    /// Makes sure that there is room, before anything is written: a full disk is noticed while the journal is whole.
    fn reserve(&mut self, bytes: u64) -> Result<(), LogError> {
        if bytes <= self.reserved {
            return Ok(());
        }
        let generous = bytes.div_ceil(RESERVE_BYTES) * RESERVE_BYTES;
        for want in [generous, bytes] {
            match self.file.reserve(self.reserved, want - self.reserved) {
                Ok(()) => {
                    self.reserved = want;
                    return Ok(());
                }
                // A nearly full disk may still have room for this one group.
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull && want > bytes => {}
                Err(error) if error.kind() == std::io::ErrorKind::Unsupported => return Ok(()),
                Err(error) => {
                    // What was appended unsynced before in this commit is taken back too.
                    self.broken = self.end != self.good;
                    return Err(LogError::disk("reserve space for a journal", &self.folder.join(FILE), error));
                }
            }
        }
        Ok(())
    }

    /// Makes everything that was appended durable, then writes the mark. The mark is synced with the next commit.
    ///
    /// # Errors
    /// Nothing since the last good sync may be taken as written.
    pub fn sync(&mut self) -> Result<(), LogError> {
        let sync_file = || if planted!("answer-before-sync") { Ok(()) } else { self.file.sync() };
        let synced = self.mark.sync().and_then(|()| sync_file()).and_then(|()| {
            // A file that was removed syncs without an error, into nothing.
            if self.file.links()? == 0 {
                return Err(std::io::ErrorKind::NotFound.into());
            }
            Ok(())
        });
        if let Err(error) = synced
            && !planted!("failed-sync-taken-as-written")
        {
            self.broken = true;
            return Err(LogError::disk("sync a journal", &self.folder.join(FILE), error));
        }
        self.good = self.end;
        if planted!("mark-not-written") {
            return Ok(());
        }
        if let Err(error) = self.mark.write(self.good.into()) {
            // The records are safe; what is missing is the proof. The next sync tries again.
            tracing::warn!(%error, "cannot write a high-water mark");
        }
        Ok(())
    }

    /// After a failure: reopens the file, checks it against the mark, cuts it back to the last good sync.
    ///
    /// # Errors
    /// It stays broken.
    pub fn heal(&mut self) -> Result<(), LogError> {
        if !self.broken {
            return Ok(());
        }
        let path = self.folder.join(FILE);
        self.file = self.files.open(&path).or_disk("reopen a journal", &path)?;
        let (mark, found) =
            MarkFile::open(&*self.files, &self.mark_path, self.log_id).or_disk("reopen a mark", &path)?;
        let bytes = self.file.len().or_disk("reopen a journal", &path)?;
        let marked = found.unwrap_or_default();
        if bytes < self.good.bytes || marked.bytes > self.good.bytes || marked.records > self.good.next_sequence {
            return Err(LogError::Damaged { what: "the journal", path });
        }
        self.mark = mark;
        if planted!("refused-group-not-cut") {
            self.broken = false;
            return Ok(());
        }
        self.end = self.good;
        self.cut().or_disk("cut a journal", &path)?;
        self.broken = false;
        Ok(())
    }

    /// Closes it for appending: synced, the mark too, reserved space given back.
    ///
    /// # Errors
    /// As the file system says.
    pub fn seal_up(&mut self) -> Result<(), LogError> {
        self.heal()?;
        let path = self.folder.join(FILE);
        if self.end != self.good {
            self.sync()?;
        }
        self.mark.sync().or_disk("sync a mark", &path)?;
        if self.reserved > self.end.bytes {
            self.cut().or_disk("give reserved space back", &path)?;
        }
        Ok(())
    }

    /// Removes its mark: the log is gone.
    pub fn remove_mark(&self) {
        if let Err(error) = self.files.remove(&self.mark_path) {
            tracing::debug!(%error, "cannot remove a mark; the next start does");
        }
    }

    fn cut(&mut self) -> std::io::Result<()> {
        self.file.set_len(self.end.bytes)?;
        self.file.sync_all()?;
        self.reserved = self.end.bytes;
        self.written = self.end.bytes;
        Ok(())
    }
}

/// Opens a log's mark. One that is not at its place is made anew, and begins with what the first boxes left in the folder.
fn open_mark(files: &dyn FileLayer, folder: &Path, marks: &Path, log_id: Bytes16) -> std::io::Result<MarkFile> {
    let path = mark::path_of(marks, log_id);
    let is_there = files.kind(&path).is_some();
    let earlier = mark::find(files, marks, folder, log_id);
    let (mut mark, _) = MarkFile::open(files, &path, log_id)?;
    if !is_there {
        if let Some(earlier) = earlier {
            mark.write(earlier)?;
        }
        files.sync_folder(marks)?;
    }
    Ok(mark)
}

/// Writes what a file holds from one offset to another again, so that the next sync brings it to the medium.
fn rewrite(file: &dyn LogFile, from: u64, to: u64) -> std::io::Result<()> {
    const PIECE_BYTES: u64 = 256 << 10;
    let mut at = from;
    while at < to {
        let bytes = (to - at).min(PIECE_BYTES);
        let mut piece = vec![0; usize::try_from(bytes).unwrap_or_default()];
        read_exact_at(file, &mut piece, at)?;
        file.write_at(&piece, at)?;
        at += bytes;
    }
    Ok(())
}

/// How many of the items make the next group.
fn group_len(items: &[Item<'_>]) -> usize {
    let mut bytes = 0;
    let fits = items.iter().take_while(|item| {
        let before = bytes;
        bytes += item.event.len() + item.body.len() + 64;
        before < GROUP_BYTES_WANTED
    });
    fits.count().max(1)
}
