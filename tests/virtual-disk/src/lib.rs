//! A disk in memory for the event log: what was not synced is lost in a power cut, in part or whole; sectors rot, space
//! runs out, syncs fail. Everything it does follows from its seed and from what is asked of it, so a run can be repeated.
//!
//! What a sync makes durable, and nothing else does:
//! - a file's sync: its pages and its size;
//! - a folder's sync: its entries. A rename is one step: it is durable in both folders or in neither.
//!
//! Handles and layers of a disk that was cut are dead: every operation on them fails.
//!
//! # Layout
//! - this file: [`VirtualDisk`], and how a test looks into it and damages it.
//! - `content`: a file's pages: as they are read now, and as they are durable.
//! - `tree`: folders and names, likewise.
//! - [`cut`]: what is left after the power went.
//! - [`fault`]: operations that fail.
//! - `layer`: the disk as the log sees it.
//! - [`life`]: the log's life on it, watched by an oracle.

mod content;
pub mod cut;
pub mod fault;
mod layer;
pub mod life;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hob_log::files::FileLayer;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

use content::Content;
pub use cut::How;
use fault::Faults;
pub use fault::{Fault, On};
use tree::{Id, Node, Tree};

/// What lies on a medium at once or not at all, in bytes.
pub const SECTOR_BYTES: usize = 512;

/// What a file system writes at once, in bytes. Torn at sectors by a cut.
pub const PAGE_BYTES: usize = 4096;

/// A disk. Copies of the handle are the same disk; [`VirtualDisk::fork`] makes another one.
#[derive(Debug, Clone)]
pub struct VirtualDisk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    tree: Tree,
    random: ChaCha8Rng,
    faults: Faults,
    /// Changing operations so far.
    operations: u64,
    /// After so many of them the power goes.
    stops_after: Option<u64>,
    is_off: bool,
    locks: BTreeSet<PathBuf>,
    trace: DefaultHasher,
}

impl VirtualDisk {
    /// An empty disk. All its chance, that of the log on it too, comes from the seed.
    pub fn new(seed: u64) -> Self {
        Self::with(Tree::new(), seed)
    }

    fn with(tree: Tree, seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            tree,
            random: ChaCha8Rng::seed_from_u64(seed),
            faults: Faults::default(),
            operations: 0,
            stops_after: None,
            is_off: false,
            locks: BTreeSet::new(),
            trace: DefaultHasher::new(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The disk as the log sees it: for `hob_log::Options::files`.
    pub fn layer(&self) -> Arc<dyn FileLayer> {
        Arc::new(self.clone())
    }

    /// Another disk with the same content, durable and not. Nothing on it is open or fails.
    #[must_use]
    pub fn fork(&self, seed: u64) -> Self {
        Self::with(self.lock().tree.clone().closed(), seed)
    }

    /// Changing operations so far: writes, syncs, reservations, new, renamed and removed names.
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// Lets the power go after so many more changing operations: the next one and all behind it fail, until the disk is
    /// [cut](Self::cut).
    pub fn stop_after(&self, operations: u64) {
        let mut state = self.lock();
        state.stops_after = Some(state.operations + operations);
    }

    /// Whether the power went.
    pub fn is_off(&self) -> bool {
        self.lock().is_off
    }

    /// A hash of everything that was asked of the disk and answered by it: the same seed and the same input give the same.
    pub fn trace(&self) -> u64 {
        self.lock().trace.finish()
    }

    /// Every file, with its bytes, by path.
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        self.lock().tree.files()
    }

    /// Whether there is something at a path.
    pub fn exists(&self, path: &Path) -> bool {
        self.lock().tree.find(path).is_some()
    }

    /// The names in a folder.
    pub fn names(&self, folder: &Path) -> Vec<String> {
        let state = self.lock();
        let found = state.tree.find(folder).and_then(|id| state.tree.folder(id));
        found.map(|folder| folder.keys().cloned().collect()).unwrap_or_default()
    }

    /// A file's bytes as they are read now.
    pub fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let mut state = self.lock();
        let id = state.tree.find(path)?;
        let file = state.tree.file_mut(id)?;
        let mut bytes = vec![0; usize::try_from(file.now().bytes).ok()?];
        file.now().read_at(&mut bytes, 0);
        Some(bytes)
    }

    /// Behind everybody's back: a file's bytes are others, durably. The file must be there.
    ///
    /// # Errors
    /// `NotFound` if it is not.
    pub fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.tamper(path, |content| {
            *content = Content::default();
            content.bytes = bytes.len() as u64;
            content.write_at(bytes, 0);
        })
    }

    /// Behind everybody's back: bits of one byte are flipped, durably.
    ///
    /// # Errors
    /// `NotFound` if there is no such file.
    pub fn flip(&self, path: &Path, at: u64, bits: u8) -> io::Result<()> {
        self.tamper(path, |content| {
            let mut byte = [0];
            if content.read_at(&mut byte, at) == 1 {
                content.write_at(&[byte[0] ^ bits], at);
            }
        })
    }

    fn tamper(&self, path: &Path, change: impl Fn(&mut Content)) -> io::Result<()> {
        let mut state = self.lock();
        let id = state.tree.find(path).ok_or(io::ErrorKind::NotFound)?;
        state.tree.file_mut(id).ok_or(io::ErrorKind::NotFound)?.tamper(change);
        Ok(())
    }

    /// Behind everybody's back: what lies at a path is gone, durably.
    pub fn lose(&self, path: &Path) {
        self.lock().tree.lose(path);
    }

    /// Behind everybody's back: what lies at a path is what lies there on another disk, or nothing if nothing does.
    pub fn put_back(&self, from: &Self, path: &Path) {
        let older = from.lock().tree.clone();
        self.lock().tree.put_back(&older, path);
    }
}

impl State {
    /// Every operation comes by here: counts it, remembers it, refuses it.
    fn enter(&mut self, on: On, path: &Path, detail: u64) -> io::Result<()> {
        if self.is_off {
            return Err(io::Error::other("the power is off"));
        }
        self.note(&[on as u64, detail]);
        self.trace.write(path.as_os_str().as_encoded_bytes());
        if on != On::Read {
            if self.stops_after.is_some_and(|stop| self.operations >= stop) {
                self.is_off = true;
                return Err(io::Error::other("the power is off"));
            }
            self.operations += 1;
        }
        self.faults.enter(on, path)
    }

    fn note(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.trace.write_u64(*number);
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random.next_u64() % bound.max(1)
    }
}
