//! A file layer that remembers the order of operations, fails at a chosen one, or stops the world after one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::files::{FileLayer, Held, Kind, LogFile, NotLocked, RealFiles};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Op {
    pub(super) what: &'static str,
    pub(super) path: PathBuf,
    pub(super) to: PathBuf,
}

#[derive(Debug, Default)]
struct State {
    ops: Vec<Op>,
    /// After so many changing operations nothing happens any more, as if the process were gone.
    stops_after: Option<usize>,
    /// Operations that were asked for behind that.
    refused: usize,
    /// The next operations of a kind, on a file with this name, fail.
    fails: Option<(&'static str, &'static str, io::ErrorKind, u32)>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Recording(Arc<Mutex<State>>);

impl Recording {
    pub(super) fn stopping_after(operations: usize) -> Self {
        let this = Self::default();
        this.0.lock().unwrap().stops_after = Some(operations);
        this
    }

    pub(super) fn layer(&self) -> Arc<dyn FileLayer> {
        Arc::new(self.clone())
    }

    pub(super) fn fail(&self, what: &'static str, file: &'static str, kind: io::ErrorKind, times: u32) {
        self.0.lock().unwrap().fails = Some((what, file, kind, times));
    }

    pub(super) fn clear(&self) {
        self.0.lock().unwrap().ops.clear();
    }

    pub(super) fn ops(&self) -> Vec<Op> {
        self.0.lock().unwrap().ops.clone()
    }

    /// Operations on files and folders, as "what name", in order.
    pub(super) fn told(&self) -> Vec<String> {
        let name = |path: &Path| match path.parent().is_some_and(|parent| parent.ends_with("marks")) {
            // Marks go by their log's random id.
            true => "mark".to_owned(),
            false => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        };
        self.ops().iter().map(|op| format!("{} {}", op.what, name(&op.path))).collect()
    }

    fn is_at_the_edge(&self) -> bool {
        self.0.lock().unwrap().refused <= 1
    }

    fn enter(&self, what: &'static str, path: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        if state.stops_after.is_some_and(|stop| state.ops.len() >= stop) {
            state.refused += 1;
            return Err(io::Error::other("the world has stopped"));
        }
        if let Some((kind, file, error, left)) = &mut state.fails
            && *kind == what
            && path.ends_with(*file)
            && *left > 0
        {
            *left -= 1;
            return Err((*error).into());
        }
        state.ops.push(Op { what, path: path.to_path_buf(), to: to.to_path_buf() });
        Ok(())
    }
}

#[derive(Debug)]
struct RecordingFile {
    path: PathBuf,
    inner: Arc<dyn LogFile>,
    recording: Recording,
}

impl RecordingFile {
    fn enter(&self, what: &'static str) -> io::Result<()> {
        self.recording.enter(what, &self.path, Path::new(""))
    }
}

impl FileLayer for Recording {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        self.enter("create", path, Path::new(""))?;
        let inner = RealFiles.create(path)?;
        Ok(Arc::new(RecordingFile { path: path.to_path_buf(), inner, recording: self.clone() }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        let inner = RealFiles.open(path)?;
        Ok(Arc::new(RecordingFile { path: path.to_path_buf(), inner, recording: self.clone() }))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.enter("create_folder", path, Path::new(""))?;
        RealFiles.create_folder(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.enter("rename", from, to)?;
        RealFiles.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.enter("remove", path, Path::new(""))?;
        RealFiles.remove(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.enter("sync_folder", path, Path::new(""))?;
        RealFiles.sync_folder(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        RealFiles.list(path)
    }

    fn kind(&self, path: &Path) -> Option<Kind> {
        RealFiles.kind(path)
    }

    fn bytes_under(&self, folder: &Path) -> u64 {
        RealFiles.bytes_under(folder)
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Held>, NotLocked> {
        RealFiles.lock(path)
    }
}

impl LogFile for RecordingFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if let Err(error) = self.enter("write") {
            // A crash, and a failing disk, may leave half of it. Behind the crash nothing is written any more.
            if self.recording.is_at_the_edge() {
                let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
                self.inner.write_at(half, offset)?;
            }
            return Err(error);
        }
        self.inner.write_at(bytes, offset)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(buffer, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.enter("sync")?;
        self.inner.sync()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.enter("sync_all")?;
        self.inner.sync_all()
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.enter("set_len")?;
        self.inner.set_len(bytes)
    }

    fn reserve(&self, offset: u64, bytes: u64) -> io::Result<()> {
        self.enter("reserve")?;
        self.inner.reserve(offset, bytes)
    }

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn links(&self) -> io::Result<u64> {
        self.inner.links()
    }

    fn discard(&self, offset: u64, bytes: u64) {
        if self.enter("discard").is_ok() {
            self.inner.discard(offset, bytes);
        }
    }
}
