//! The disk as the log sees it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hob_log::files::{FileLayer, Held, Kind, LogFile, NotLocked};
use rand_core::Rng as _;

use crate::content::FileNode;
use crate::fault::Errno;
use crate::{Id, Node, On, State, VirtualDisk};

/// A file that is open.
#[derive(Debug)]
struct OpenFile {
    disk: VirtualDisk,
    id: Id,
    path: PathBuf,
}

impl VirtualDisk {
    fn opened(&self, state: &mut State, id: Id, path: &Path) -> Arc<dyn LogFile> {
        state.tree.opened(id);
        Arc::new(OpenFile { disk: self.clone(), id, path: path.to_path_buf() })
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.disk.lock().tree.closed_one(self.id);
    }
}

impl FileLayer for VirtualDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        let mut state = self.lock();
        state.enter(On::Name, path, 1)?;
        state.needs_room()?;
        let id = state.tree.create(path, Node::File(FileNode::default()))?;
        Ok(self.opened(&mut state, id, path))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        let mut state = self.lock();
        state.enter(On::Read, path, 2)?;
        let id = state.tree.find(path).ok_or(io::ErrorKind::NotFound)?;
        if state.tree.file_mut(id).is_none() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(self.opened(&mut state, id, path))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        let is_there = state.tree.find(path).is_some_and(|id| state.tree.folder(id).is_some());
        // As on a real disk: what is there asks for nothing, even of a disk that is full or read-only.
        if is_there && !state.is_off {
            return Ok(());
        }
        state.enter(On::Name, path, 3)?;
        state.needs_room()?;
        state.tree.create_folders(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.enter(On::Name, from, 4)?;
        state.tree.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        if state.tree.find(path).is_none() && !state.is_off {
            return Ok(());
        }
        state.enter(On::Name, path, 5)?;
        state.tree.remove(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.enter(On::Sync, path, 6)?;
        let id = state.tree.find(path).ok_or(io::ErrorKind::NotFound)?;
        state.tree.sync_folder(id);
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let mut state = self.lock();
        state.enter(On::Read, path, 7)?;
        let found = state.tree.find(path).and_then(|id| state.tree.folder(id));
        Ok(found.map(|entries| entries.keys().map(|name| path.join(name)).collect()).unwrap_or_default())
    }

    fn kind(&self, path: &Path) -> Option<Kind> {
        let state = self.lock();
        let id = state.tree.find(path)?;
        Some(if state.tree.folder(id).is_some() { Kind::Folder } else { Kind::File })
    }

    fn bytes_under(&self, folder: &Path) -> u64 {
        let files = self.files();
        files.iter().filter(|(path, _)| path.starts_with(folder)).map(|(_, bytes)| bytes.div_ceil(4096) * 4096).sum()
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Held>, NotLocked> {
        let mut state = Self::lock(self);
        state.enter(On::Read, path, 8)?;
        if !state.locks.insert(path.to_path_buf()) {
            return Err(NotLocked::Taken { pid: std::process::id() });
        }
        Ok(Box::new(HeldPath { disk: self.clone(), path: path.to_path_buf() }))
    }

    fn fill_random(&self, bytes: &mut [u8]) -> io::Result<()> {
        Self::lock(self).random.fill_bytes(bytes);
        Ok(())
    }
}

#[derive(Debug)]
struct HeldPath {
    disk: VirtualDisk,
    path: PathBuf,
}

impl Held for HeldPath {}

impl Drop for HeldPath {
    fn drop(&mut self) {
        self.disk.lock().locks.remove(&self.path);
    }
}

impl State {
    fn needs_room(&mut self) -> io::Result<()> {
        if self.faults.is_full {
            self.faults.failed += 1;
            return Err(Errno::NoSpace.error());
        }
        Ok(())
    }

    fn file(&mut self, id: Id) -> io::Result<&mut FileNode> {
        self.tree.file_mut(id).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl OpenFile {
    fn sync_it(&self, detail: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        if let Err(error) = state.enter(On::Sync, &self.path, detail) {
            if std::mem::take(&mut state.faults.forgets) {
                state.file(self.id)?.forget_unsynced();
            }
            return Err(error);
        }
        state.file(self.id)?.sync();
        Ok(())
    }
}

impl LogFile for OpenFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        let entered = state.enter(On::Write, &self.path, offset);
        std::hash::Hasher::write(&mut state.trace, bytes);
        if let Err(error) = entered {
            // A write that fails may have written some of it.
            if !state.is_off && !state.faults.is_read_only {
                let part = usize::try_from(state.below(bytes.len() as u64)).unwrap_or(0);
                if !state.faults.is_full {
                    state.file(self.id)?.write_at(bytes.get(..part).unwrap_or_default(), offset);
                }
            }
            return Err(error);
        }
        if state.file(self.id)?.needs_space(offset, bytes.len()) {
            state.needs_room()?;
        }
        state.file(self.id)?.write_at(bytes, offset);
        Ok(())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.lock();
        state.enter(On::Read, &self.path, offset)?;
        Ok(state.file(self.id)?.now().read_at(buffer, offset))
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_it(9)
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_it(10)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        state.enter(On::Write, &self.path, bytes)?;
        state.file(self.id)?.set_len(bytes);
        Ok(())
    }

    fn reserve(&self, offset: u64, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        state.enter(On::Write, &self.path, offset + bytes)?;
        state.needs_room()?;
        state.file(self.id)?.reserve(offset + bytes);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        let mut state = self.disk.lock();
        if state.is_off {
            return Err(io::Error::other("the power is off"));
        }
        Ok(state.file(self.id)?.now().bytes)
    }

    fn links(&self) -> io::Result<u64> {
        let state = self.disk.lock();
        if state.is_off {
            return Err(io::Error::other("the power is off"));
        }
        Ok(state.tree.links(self.id))
    }

    fn discard(&self, offset: u64, bytes: u64) {
        let mut state = self.disk.lock();
        if state.enter(On::Write, &self.path, offset).is_ok()
            && let Ok(file) = state.file(self.id)
        {
            file.discard(offset, bytes);
        }
    }
}
