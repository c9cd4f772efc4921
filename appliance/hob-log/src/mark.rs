//! The high-water mark: how much of a journal was acknowledged, told by a file of its own, `log/marks/<log id in hex>`:
//! outside the log's folder, so that it also tells when that folder is replaced by an older copy of itself.
//!
//! Two slots 4 KiB apart take turns, so that a torn write spoils at most the newer one. A mark is written after the
//! journal's sync and synced with the next commit's; so it may be one commit behind, and never ahead.
//!
//! A slot is `magic (8 B) || turn (8) || log id (16) || records (8) || journal bytes (8) || last tag (16)
//! || BLAKE3 of all that, cut (16)`, integers little-endian.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::files::{FileLayer, LogFile, read_exact_at};
use crate::record::{Bytes16, take};

const MAGIC: &[u8; 8] = b"hobmark1";
const SLOT_BYTES: usize = 80;
const APART: u64 = 4096;

/// The name of the clock's file, which is one of these. The first boxes had a log's mark under it in the log's own folder.
pub const FILE: &str = "mark";

/// Where a log's mark lies.
pub fn path_of(marks: &Path, log_id: Bytes16) -> PathBuf {
    let name: String = log_id.iter().map(|byte| format!("{byte:02x}")).collect();
    marks.join(name)
}

/// Reads a log's mark without changing anything: at its place, or where the first boxes had it.
pub fn find(files: &dyn FileLayer, marks: &Path, log_folder: &Path, log_id: Bytes16) -> Option<Mark> {
    let places = [path_of(marks, log_id), log_folder.join(FILE)];
    let file = places.iter().find_map(|path| files.open(path).ok())?;
    read(&*file, log_id).map(|(_, mark)| mark)
}

/// What was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// Records.
    pub records: u64,
    /// Bytes of the journal.
    pub bytes: u64,
    /// The last group's tag.
    pub last_tag: Bytes16,
}

/// The file that holds it.
#[derive(Debug)]
pub struct MarkFile {
    file: Arc<dyn LogFile>,
    log_id: Bytes16,
    turn: u64,
    unsynced: bool,
}

impl MarkFile {
    /// Makes the file, synced, with an empty mark.
    ///
    /// # Errors
    /// As the file system says.
    pub fn create(files: &dyn FileLayer, path: &Path, log_id: Bytes16) -> io::Result<Self> {
        let file = files.create(path)?;
        file.write_at(&[0; 2 * APART as usize], 0)?;
        let mut this = Self { file, log_id, turn: 0, unsynced: false };
        this.write(Mark::default())?;
        this.file.sync_all()?;
        this.unsynced = false;
        Ok(this)
    }

    /// Opens the file and reads the newer good slot; no mark if neither is good or the file belongs to another log.
    ///
    /// # Errors
    /// As the file system says. A file that is not there is made anew.
    pub fn open(files: &dyn FileLayer, path: &Path, log_id: Bytes16) -> io::Result<(Self, Option<Mark>)> {
        let file = match files.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok((Self::create(files, path, log_id)?, None));
            }
            other => other?,
        };
        let newest = read(&*file, log_id);
        // What an earlier run wrote may be in the kernel's memory only.
        let this = Self { file, log_id, turn: newest.map_or(0, |(turn, _)| turn), unsynced: true };
        Ok((this, newest.map(|(_, mark)| mark)))
    }

    /// Writes the mark into the older slot. Not synced.
    ///
    /// # Errors
    /// As the file system says.
    pub fn write(&mut self, mark: Mark) -> io::Result<()> {
        self.turn += 1;
        let mut slot = Vec::with_capacity(SLOT_BYTES);
        slot.extend_from_slice(MAGIC);
        slot.extend_from_slice(&self.turn.to_le_bytes());
        slot.extend_from_slice(&self.log_id);
        slot.extend_from_slice(&mark.records.to_le_bytes());
        slot.extend_from_slice(&mark.bytes.to_le_bytes());
        slot.extend_from_slice(&mark.last_tag);
        let check = check_of(&slot);
        slot.extend_from_slice(&check);
        self.file.write_at(&slot, (self.turn % 2) * APART)?;
        self.unsynced = true;
        Ok(())
    }

    /// Syncs what was written since the last time, if anything was.
    ///
    /// # Errors
    /// As the file system says.
    pub fn sync(&mut self) -> io::Result<()> {
        if self.unsynced {
            self.file.sync()?;
            self.unsynced = false;
        }
        Ok(())
    }
}

/// Reads the newer good slot of a mark file, without changing it.
pub fn read(file: &dyn LogFile, log_id: Bytes16) -> Option<(u64, Mark)> {
    [0, APART].into_iter().filter_map(|offset| read_slot(file, offset, log_id)).max_by_key(|(turn, _)| *turn)
}

fn read_slot(file: &dyn LogFile, offset: u64, log_id: Bytes16) -> Option<(u64, Mark)> {
    let mut slot = [0; SLOT_BYTES];
    read_exact_at(file, &mut slot, offset).ok()?;
    let (content, check) = slot.split_at_checked(SLOT_BYTES - 16)?;
    if check != check_of(content) {
        return None;
    }
    let mut rest = content.strip_prefix(MAGIC)?;
    let turn = u64::from_le_bytes(take(&mut rest)?);
    if take::<16>(&mut rest)? != log_id {
        return None;
    }
    let mark = Mark {
        records: u64::from_le_bytes(take(&mut rest)?),
        bytes: u64::from_le_bytes(take(&mut rest)?),
        last_tag: take(&mut rest)?,
    };
    Some((turn, mark))
}

fn check_of(content: &[u8]) -> Bytes16 {
    let mut check = [0; 16];
    blake3::Hasher::new().update(content).finalize_xof().fill(&mut check);
    check
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::RealFiles;

    const A: Mark = Mark { records: 3, bytes: 99, last_tag: [1; 16] };

    #[test]
    fn a_mark_survives_a_torn_write_of_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut marks = MarkFile::create(&RealFiles, &folder.path().join(FILE), [9; 16]).unwrap();
        marks.write(A).unwrap();
        marks.write(Mark { records: 4, ..A }).unwrap();
        let newest = (marks.turn % 2) * APART;
        marks.file.write_at(&[0xff; 40], newest).unwrap();
        let (_, mark) = MarkFile::open(&RealFiles, &folder.path().join(FILE), [9; 16]).unwrap();
        assert_eq!(mark, Some(A));
    }

    #[test]
    fn a_mark_of_another_log_is_no_mark() {
        let folder = tempfile::tempdir().unwrap();
        MarkFile::create(&RealFiles, &folder.path().join(FILE), [9; 16]).unwrap().write(A).unwrap();
        let (_, mark) = MarkFile::open(&RealFiles, &folder.path().join(FILE), [8; 16]).unwrap();
        assert_eq!(mark, None);
    }
}
