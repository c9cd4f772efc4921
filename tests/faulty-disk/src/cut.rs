//! What is left of a disk when the power goes.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

use crate::disk::{Disk, Inode, Kind, PAGE, Page, ROOT};

/// The least that a disk writes at once, in bytes: what tears a page.
const SECTOR: usize = 512;

/// How kind the disk is to what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Nothing of it is left.
    Pessimistic,
    /// A random part of it is left: pages, sizes and names apart, one page in ten torn.
    Adversarial,
}

impl std::fmt::Display for Manner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pessimistic => "pessimistic",
            Self::Adversarial => "adversarial",
        })
    }
}

/// A number below a bound.
pub fn below(rng: &mut ChaCha8Rng, bound: u64) -> u64 {
    rng.next_u64() % bound.max(1)
}

fn happens(rng: &mut ChaCha8Rng, percent: u64) -> bool {
    below(rng, 100) < percent
}

impl Disk {
    /// What is found after a power cut now.
    #[must_use]
    pub fn cut(&self, manner: Manner, rng: &mut ChaCha8Rng) -> Self {
        let mut left = self.clone();
        // Some cuts come just after a write-back, some long before.
        let kept_percent = [10, 50, 90][below(rng, 3) as usize];
        for change in std::mem::take(&mut left.changes) {
            if manner == Manner::Adversarial && happens(rng, kept_percent) {
                left.make_safe(&change);
            }
        }
        for inode in left.inodes.values_mut() {
            if manner == Manner::Adversarial {
                keep_some(inode, kept_percent, rng);
            }
            show_what_is_safe(inode);
        }
        left.drop_unreachable();
        left
    }

    fn drop_unreachable(&mut self) {
        let mut links: BTreeMap<u64, u32> = BTreeMap::from([(ROOT, 2)]);
        let mut folders = vec![ROOT];
        while let Some(inode) = folders.pop().and_then(|folder| self.inodes.get(&folder)) {
            for number in inode.entries.values() {
                *links.entry(*number).or_default() += 1;
                if self.inodes.get(number).is_some_and(|inode| inode.kind == Kind::Folder) {
                    folders.push(*number);
                }
            }
        }
        self.inodes.retain(|number, _| links.contains_key(number));
        for (number, inode) in &mut self.inodes {
            inode.links = links.get(number).copied().unwrap_or(0);
        }
    }

    /// Takes a folder or a file away, safely: between a cut and a start, as somebody with the card in hand would.
    pub fn take_away(&mut self, path: &str) -> bool {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let Some(folder) = self.at(folder).and_then(|number| self.inodes.get_mut(&number)) else { return false };
        folder.safe_entries.remove(OsStr::new(name));
        folder.entries.remove(OsStr::new(name)).is_some()
    }

    /// A copy of a folder with everything in it, as it shows now.
    pub fn copy_of(&self, path: &str) -> Option<Copy> {
        self.at(path).and_then(|number| self.copy_inode(number))
    }

    fn copy_inode(&self, number: u64) -> Option<Copy> {
        let inode = self.inodes.get(&number)?;
        let entries = inode.entries.iter().filter_map(|(name, number)| Some((name.clone(), self.copy_inode(*number)?)));
        Some(Copy { entries: entries.collect(), inode: inode.clone() })
    }

    /// Puts a copy in the place of a folder, safely.
    pub fn put_back(&mut self, path: &str, copy: &Copy) {
        self.take_away(path);
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if let Some(folder) = self.at(folder) {
            self.put(folder, OsString::from(name), copy);
        }
    }

    fn put(&mut self, folder: u64, name: OsString, copy: &Copy) {
        let number = self.next;
        self.next += 1;
        let mut inode = copy.inode.clone();
        inode.links = 1;
        inode.entries = BTreeMap::new();
        inode.safe_entries = BTreeMap::new();
        inode.safe_pages.clone_from(&inode.pages);
        inode.safe_size = inode.size;
        inode.dirty = BTreeMap::new();
        self.inodes.insert(number, inode);
        for (name, copy) in &copy.entries {
            self.put(number, name.clone(), copy);
        }
        if let Some(folder) = self.inodes.get_mut(&folder) {
            folder.entries.insert(name.clone(), number);
            folder.safe_entries.insert(name, number);
        }
    }
}

/// A folder or a file outside any disk.
#[derive(Debug, Clone)]
pub struct Copy {
    entries: Vec<(OsString, Copy)>,
    inode: Inode,
}

fn keep_some(inode: &mut Inode, kept_percent: u64, rng: &mut ChaCha8Rng) {
    for (number, dirty) in std::mem::take(&mut inode.dirty) {
        if !happens(rng, kept_percent) {
            continue;
        }
        let newest = inode.pages.get(&number).cloned();
        let written = match dirty.between {
            Some(between) if happens(rng, 25) => between,
            _ => newest,
        };
        let left = if happens(rng, 10) { torn(inode.safe_pages.get(&number), written.as_ref(), rng) } else { written };
        match left {
            Some(page) => drop(inode.safe_pages.insert(number, page)),
            None => drop(inode.safe_pages.remove(&number)),
        }
    }
    let (shorter, longer) = (inode.safe_size.min(inode.size), inode.safe_size.max(inode.size));
    inode.safe_size = match below(rng, 3) {
        0 => inode.safe_size,
        1 => inode.size,
        _ => shorter + below(rng, longer - shorter + 1),
    };
}

/// Some sectors are of the old page and some of the new one.
fn torn(old: Option<&Page>, new: Option<&Page>, rng: &mut ChaCha8Rng) -> Option<Page> {
    const ZEROS: [u8; PAGE] = [0; PAGE];
    let mut page = old.map_or(ZEROS, |page| **page);
    let new = new.map_or(ZEROS, |page| **page);
    for (to, from) in page.chunks_mut(SECTOR).zip(new.chunks(SECTOR)) {
        if happens(rng, 50) {
            to.copy_from_slice(from);
        }
    }
    Some(Arc::new(page))
}

fn show_what_is_safe(inode: &mut Inode) {
    let size = inode.safe_size;
    let fresh = Inode::new(inode.kind, inode.mode, inode.owner);
    let old = std::mem::replace(inode, fresh);
    inode.name = old.name;
    inode.entries.clone_from(&old.safe_entries);
    inode.safe_entries = old.safe_entries;
    inode.safe_pages = old.safe_pages;
    inode.safe_pages.retain(|number, _| number * (PAGE as u64) < size);
    // What lies behind the end of a file reads as zeros when the file grows again.
    let (last, within) = (size / PAGE as u64, (size % PAGE as u64) as usize);
    if let Some(page) = inode.safe_pages.get_mut(&last) {
        Arc::make_mut(page)[within..].fill(0);
    }
    inode.pages.clone_from(&inode.safe_pages);
    inode.size = size;
    inode.safe_size = size;
}

/// The numbers of pages of a file that are not safe: for tests and stories.
impl Inode {
    /// Pages that were written and not synced.
    pub fn unsynced_pages(&self) -> BTreeSet<u64> {
        self.dirty.keys().copied().collect()
    }
}
