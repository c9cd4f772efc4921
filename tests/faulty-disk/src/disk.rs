//! The disk itself, in memory: what everybody sees now, and what a power cut leaves.
//!
//! A file's pages and its size, and a folder's entries, each have two states. *Now* is what reads show; *safe* is what
//! was synced. `fsync` and `fdatasync` of a file make its pages and a grown size safe; only `fsync` also a shrunk one
//! (fdatasync(2)). Names become safe by `fsync` of their folder, never by that of the file. What `sync_file_range` does
//! never gets here, so it makes nothing safe, as its man page warns. A rename is one step: never half of it is safe.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use fuser::Errno;

/// What a disk reads and writes at once, in bytes.
pub const PAGE: usize = 4096;

/// The number of the root folder.
pub const ROOT: u64 = 1;

/// The content of a page; one that is not there is all zeros.
pub type Page = Arc<[u8; PAGE]>;

/// What kind of thing an inode is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A Unix socket.
    Socket,
}

/// A page that was written and not synced.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dirty {
    /// One of the versions that it had in between, which may have reached the disk on its own.
    pub(crate) between: Option<Option<Page>>,
    versions: u32,
}

/// A file, a folder or a socket.
#[derive(Debug, Clone)]
pub struct Inode {
    /// What it is.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u16,
    /// Who owns it.
    pub owner: (u32, u32),
    /// Names that lead to it now.
    pub links: u32,
    /// The name that it got last.
    pub name: OsString,
    /// Its length in bytes.
    pub size: u64,
    pub(crate) safe_size: u64,
    pub(crate) pages: BTreeMap<u64, Page>,
    pub(crate) safe_pages: BTreeMap<u64, Page>,
    pub(crate) dirty: BTreeMap<u64, Dirty>,
    /// Pages that a failed sync gave up: they are shown and are nowhere.
    given_up: BTreeSet<u64>,
    /// A folder's entries.
    pub entries: BTreeMap<OsString, u64>,
    pub(crate) safe_entries: BTreeMap<OsString, u64>,
}

impl Inode {
    pub(crate) fn new(kind: Kind, mode: u16, owner: (u32, u32)) -> Self {
        Self {
            kind,
            mode,
            owner,
            links: 0,
            name: OsString::new(),
            size: 0,
            safe_size: 0,
            pages: BTreeMap::new(),
            safe_pages: BTreeMap::new(),
            dirty: BTreeMap::new(),
            given_up: BTreeSet::new(),
            entries: BTreeMap::new(),
            safe_entries: BTreeMap::new(),
        }
    }

    /// Bytes of the disk that it takes.
    pub fn stored_bytes(&self) -> u64 {
        (self.pages.len() * PAGE) as u64
    }

    fn set_page(&mut self, number: u64, page: Option<Page>, coin: u32) {
        let before = match page {
            Some(page) => self.pages.insert(number, page),
            None => self.pages.remove(&number),
        };
        self.given_up.remove(&number);
        let dirty = self.dirty.entry(number).or_default();
        dirty.versions += 1;
        // Each version in between is kept with the same chance.
        if dirty.versions > 1 && coin.is_multiple_of(dirty.versions - 1) {
            dirty.between = Some(before);
        }
    }

    fn write(&mut self, offset: u64, bytes: &[u8], coin: u32) {
        let mut done = 0;
        while done < bytes.len() {
            let at = offset + done as u64;
            let (number, within) = (at / PAGE as u64, (at % PAGE as u64) as usize);
            let take = (PAGE - within).min(bytes.len() - done);
            let mut page = self.pages.get(&number).map_or([0; PAGE], |page| **page);
            page[within..within + take].copy_from_slice(&bytes[done..done + take]);
            self.set_page(number, Some(Arc::new(page)), coin);
            done += take;
        }
        self.size = self.size.max(offset + bytes.len() as u64);
    }

    fn read(&self, offset: u64, bytes: usize) -> Vec<u8> {
        let end = self.size.min(offset.saturating_add(bytes as u64));
        let mut out = Vec::with_capacity(end.saturating_sub(offset) as usize);
        let mut at = offset;
        while at < end {
            let within = (at % PAGE as u64) as usize;
            let take = (PAGE - within).min((end - at) as usize);
            match self.pages.get(&(at / PAGE as u64)) {
                Some(page) => out.extend_from_slice(&page[within..within + take]),
                None => out.resize(out.len() + take, 0),
            }
            at += take as u64;
        }
        out
    }

    /// Makes a range zeros, and gives whole pages in it back.
    fn clear(&mut self, from: u64, to: u64, coin: u32) {
        let page = PAGE as u64;
        let held: Vec<u64> = self.pages.range(from / page..to.div_ceil(page)).map(|(number, _)| *number).collect();
        for number in held {
            let (first, last) = (from.max(number * page), to.min((number + 1) * page));
            if last - first == page {
                self.set_page(number, None, coin);
            } else if let Some(mut content) = self.pages.get(&number).map(|content| **content) {
                content[(first - number * page) as usize..(last - number * page) as usize].fill(0);
                self.set_page(number, Some(Arc::new(content)), coin);
            }
        }
    }

    fn set_size(&mut self, size: u64, coin: u32) {
        if size < self.size {
            self.clear(size, self.size.div_ceil(PAGE as u64) * PAGE as u64, coin);
        }
        self.size = size;
    }

    fn sync(&mut self, only_data: bool) {
        for (number, _) in std::mem::take(&mut self.dirty) {
            match self.pages.get(&number) {
                Some(page) => drop(self.safe_pages.insert(number, Arc::clone(page))),
                None => drop(self.safe_pages.remove(&number)),
            }
        }
        if !only_data || self.size > self.safe_size {
            self.safe_size = self.size;
        }
    }

    /// A sync that fails: what was to be written is written nowhere, and is never tried again.
    fn give_up(&mut self) {
        self.given_up.extend(std::mem::take(&mut self.dirty).into_keys());
    }

    /// What is nowhere is not shown any more either.
    fn evict(&mut self) {
        for number in std::mem::take(&mut self.given_up) {
            match self.safe_pages.get(&number) {
                Some(page) => drop(self.pages.insert(number, Arc::clone(page))),
                None => drop(self.pages.remove(&number)),
            }
        }
    }
}

/// Names that change together: folder, name, what it leads to from now on.
type Change = Vec<(u64, OsString, Option<u64>)>;

/// A whole file system.
#[derive(Debug, Clone)]
pub struct Disk {
    pub(crate) inodes: BTreeMap<u64, Inode>,
    pub(crate) next: u64,
    /// Changes of names that are not safe yet, in order.
    pub(crate) changes: Vec<Change>,
}

impl Default for Disk {
    fn default() -> Self {
        let mut root = Inode::new(Kind::Folder, 0o700, (0, 0));
        root.links = 2;
        Self { inodes: BTreeMap::from([(ROOT, root)]), next: ROOT + 1, changes: Vec::new() }
    }
}

type Result<T> = std::result::Result<T, Errno>;

impl Disk {
    /// An inode by its number.
    ///
    /// # Errors
    /// `ESTALE` if there is none.
    pub fn inode(&self, number: u64) -> Result<&Inode> {
        self.inodes.get(&number).ok_or(Errno::ESTALE)
    }

    fn inode_mut(&mut self, number: u64) -> Result<&mut Inode> {
        self.inodes.get_mut(&number).ok_or(Errno::ESTALE)
    }

    /// What a name in a folder leads to.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`.
    pub fn lookup(&self, folder: u64, name: &OsStr) -> Result<u64> {
        let inode = self.inode(folder)?;
        if inode.kind != Kind::Folder {
            return Err(Errno::ENOTDIR);
        }
        inode.entries.get(name).copied().ok_or(Errno::ENOENT)
    }

    /// What a path from the root leads to.
    pub fn at(&self, path: &str) -> Option<u64> {
        let names = path.split('/').filter(|name| !name.is_empty());
        names.into_iter().try_fold(ROOT, |folder, name| self.lookup(folder, OsStr::new(name)).ok())
    }

    /// The names in a folder, by path; none if it is not there.
    pub fn names(&self, path: &str) -> Vec<String> {
        let inode = self.at(path).and_then(|number| self.inodes.get(&number));
        inode.map_or_else(Vec::new, |inode| {
            inode.entries.keys().map(|name| name.to_string_lossy().into_owned()).collect()
        })
    }

    fn change(&mut self, change: Change) -> Result<()> {
        for (folder, name, to) in &change {
            let inode = self.inode_mut(*folder)?;
            let before = match to {
                Some(number) => inode.entries.insert(name.clone(), *number),
                None => inode.entries.remove(name),
            };
            if let Some(before) = before {
                self.inode_mut(before)?.links -= 1;
            }
            if let Some(number) = to {
                let inode = self.inode_mut(*number)?;
                inode.links += 1;
                inode.name.clone_from(name);
            }
        }
        self.changes.push(change);
        Ok(())
    }

    /// Makes something new under a name.
    ///
    /// # Errors
    /// `EEXIST`.
    pub fn make(&mut self, folder: u64, name: &OsStr, kind: Kind, mode: u16, owner: (u32, u32)) -> Result<u64> {
        match self.lookup(folder, name) {
            Ok(_) => return Err(Errno::EEXIST),
            Err(Errno::ENOENT) => {}
            Err(other) => return Err(other),
        }
        let number = self.next;
        self.next += 1;
        self.inodes.insert(number, Inode::new(kind, mode & 0o7777, owner));
        self.change(vec![(folder, name.to_owned(), Some(number))])?;
        Ok(number)
    }

    /// One more name for a file.
    ///
    /// # Errors
    /// `EEXIST`.
    pub fn link(&mut self, number: u64, folder: u64, name: &OsStr) -> Result<()> {
        if self.lookup(folder, name).is_ok() {
            return Err(Errno::EEXIST);
        }
        self.change(vec![(folder, name.to_owned(), Some(number))])
    }

    /// Takes a name away.
    ///
    /// # Errors
    /// `EISDIR`, `ENOTDIR`, `ENOTEMPTY`, `ENOENT`.
    pub fn unlink(&mut self, folder: u64, name: &OsStr, a_folder: bool) -> Result<()> {
        let inode = self.inode(self.lookup(folder, name)?)?;
        match (a_folder, inode.kind == Kind::Folder) {
            (true, false) => return Err(Errno::ENOTDIR),
            (false, true) => return Err(Errno::EISDIR),
            _ if !inode.entries.is_empty() => return Err(Errno::ENOTEMPTY),
            _ => {}
        }
        self.change(vec![(folder, name.to_owned(), None)])
    }

    /// Renames, replacing what is there unless it must not.
    ///
    /// # Errors
    /// `EEXIST`, `ENOTEMPTY`, `ENOENT`.
    pub fn rename(&mut self, from: (u64, &OsStr), to: (u64, &OsStr), may_replace: bool) -> Result<()> {
        let number = self.lookup(from.0, from.1)?;
        if let Ok(there) = self.lookup(to.0, to.1) {
            if there == number {
                return Ok(());
            }
            if !may_replace {
                return Err(Errno::EEXIST);
            }
            if !self.inode(there)?.entries.is_empty() {
                return Err(Errno::ENOTEMPTY);
            }
        }
        self.change(vec![(to.0, to.1.to_owned(), Some(number)), (from.0, from.1.to_owned(), None)])
    }

    /// Writes. `coin` is any number: it chooses which versions in between may survive.
    ///
    /// # Errors
    /// `ESTALE`.
    pub fn write(&mut self, number: u64, offset: u64, bytes: &[u8], coin: u32) -> Result<()> {
        self.inode_mut(number)?.write(offset, bytes, coin);
        Ok(())
    }

    /// Reads.
    ///
    /// # Errors
    /// `ESTALE`.
    pub fn read(&self, number: u64, offset: u64, bytes: usize) -> Result<Vec<u8>> {
        Ok(self.inode(number)?.read(offset, bytes))
    }

    /// Cuts or grows.
    ///
    /// # Errors
    /// `ESTALE`.
    pub fn set_size(&mut self, number: u64, size: u64, coin: u32) -> Result<()> {
        self.inode_mut(number)?.set_size(size, coin);
        Ok(())
    }

    /// Sets permission bits; those are safe at once.
    ///
    /// # Errors
    /// `ESTALE`.
    pub fn set_mode(&mut self, number: u64, mode: u16) -> Result<()> {
        self.inode_mut(number)?.mode = mode & 0o7777;
        Ok(())
    }

    /// Grows over a range that reads as zeros.
    ///
    /// # Errors
    /// `ESTALE`.
    pub fn reserve(&mut self, number: u64, end: u64) -> Result<()> {
        let inode = self.inode_mut(number)?;
        inode.size = inode.size.max(end);
        Ok(())
    }

    /// Gives a range back; it reads as zeros.
    ///
    /// # Errors
    /// `ESTALE`.
    pub fn punch(&mut self, number: u64, from: u64, to: u64, coin: u32) -> Result<()> {
        self.inode_mut(number)?.clear(from, to, coin);
        Ok(())
    }

    /// `fsync`, or `fdatasync` with `only_data`.
    ///
    /// # Errors
    /// `ESTALE`.
    pub fn sync(&mut self, number: u64, only_data: bool) -> Result<()> {
        let inode = self.inode_mut(number)?;
        if inode.kind == Kind::Folder {
            self.sync_folder(number);
        } else {
            inode.sync(only_data);
        }
        Ok(())
    }

    /// A sync that fails: what was to be written is gone, and reads show it until it is evicted.
    ///
    /// # Errors
    /// `ESTALE`.
    pub fn fail_sync(&mut self, number: u64, evict: bool) -> Result<()> {
        let inode = self.inode_mut(number)?;
        inode.give_up();
        if evict {
            inode.evict();
        }
        Ok(())
    }

    /// Every page that a failed sync gave up is not shown any more.
    pub fn evict_all(&mut self) {
        self.inodes.values_mut().for_each(Inode::evict);
    }

    /// Whether anything of a file is not safe.
    pub fn is_dirty(&self, number: u64) -> bool {
        self.inodes.get(&number).is_some_and(|inode| !inode.dirty.is_empty() || inode.size != inode.safe_size)
    }

    fn sync_folder(&mut self, folder: u64) {
        let mut wanted = vec![false; self.changes.len()];
        let mut names: BTreeSet<(u64, &OsString)> = BTreeSet::new();
        // Backwards: what becomes safe needs everything that happened to its names before.
        for (change, wanted) in self.changes.iter().zip(&mut wanted).rev() {
            if change.iter().any(|(at, name, _)| *at == folder || names.contains(&(*at, name))) {
                *wanted = true;
                names.extend(change.iter().map(|(at, name, _)| (*at, name)));
            }
        }
        let changes = std::mem::take(&mut self.changes);
        for (change, wanted) in changes.into_iter().zip(wanted) {
            if wanted {
                self.make_safe(&change);
            } else {
                self.changes.push(change);
            }
        }
    }

    pub(crate) fn make_safe(&mut self, change: &Change) {
        for (folder, name, to) in change {
            let Some(inode) = self.inodes.get_mut(folder) else { continue };
            match to {
                Some(number) => inode.safe_entries.insert(name.clone(), *number),
                None => inode.safe_entries.remove(name),
            };
        }
    }
}
