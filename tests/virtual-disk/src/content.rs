//! A file's pages: as they are read now, and as they are durable.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::PAGE_BYTES;

pub(crate) type Page = Arc<[u8; PAGE_BYTES]>;

/// Unsynced versions of a page that are kept: any of them may be what a cut leaves.
const VERSIONS_MAX: usize = 6;

const ZEROS: [u8; PAGE_BYTES] = [0; PAGE_BYTES];

/// Bytes in pages; what is not there reads as zeros.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    pub(crate) bytes: u64,
    pub(crate) pages: BTreeMap<u64, Page>,
}

/// The pieces of a range, page by page: page, begin and end in it.
fn pieces(offset: u64, bytes: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let page = PAGE_BYTES as u64;
    let end = offset + bytes as u64;
    (offset / page..end.div_ceil(page)).map(move |number| {
        let begin = offset.max(number * page) - number * page;
        let stop = end.min((number + 1) * page) - number * page;
        // Both are at most one page.
        (number, begin as usize, stop as usize)
    })
}

impl Content {
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> usize {
        let left = usize::try_from(self.bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let got = buffer.len().min(left);
        let mut rest = buffer.get_mut(..got).unwrap_or_default();
        for (number, begin, end) in pieces(offset, got) {
            let (now, after) = rest.split_at_mut(end - begin);
            let page = self.pages.get(&number).map_or(&ZEROS, |page| page);
            now.copy_from_slice(page.get(begin..end).unwrap_or_default());
            rest = after;
        }
        got
    }

    /// Writes, growing the file. Returns the pages that it touched.
    pub(crate) fn write_at(&mut self, bytes: &[u8], offset: u64) -> Vec<u64> {
        let (mut rest, mut touched) = (bytes, Vec::new());
        for (number, begin, end) in pieces(offset, bytes.len()) {
            let (now, after) = rest.split_at(end - begin);
            let page = self.pages.entry(number).or_insert_with(|| Arc::new(ZEROS));
            if let Some(place) = Arc::make_mut(page).get_mut(begin..end) {
                place.copy_from_slice(now);
            }
            rest = after;
            touched.push(number);
        }
        self.bytes = self.bytes.max(offset + bytes.len() as u64);
        touched
    }

    /// Cuts or grows. Returns the pages that it touched.
    pub(crate) fn set_len(&mut self, bytes: u64) -> Vec<u64> {
        let mut touched = Vec::new();
        if bytes < self.bytes {
            let whole = bytes.div_ceil(PAGE_BYTES as u64);
            touched.extend(self.pages.split_off(&whole).keys());
            let (last, begin) = (bytes / PAGE_BYTES as u64, (bytes % PAGE_BYTES as u64) as usize);
            if begin > 0
                && let Some(page) = self.pages.get_mut(&last)
            {
                Arc::make_mut(page).iter_mut().skip(begin).for_each(|byte| *byte = 0);
                touched.push(last);
            }
        }
        self.bytes = bytes;
        touched
    }
}

/// A file.
#[derive(Debug, Clone, Default)]
pub(crate) struct FileNode {
    now: Content,
    pub(crate) durable: Content,
    /// Pages that were not synced: what each was in between; `None` is a hole.
    pub(crate) unsynced: BTreeMap<u64, Vec<Option<Page>>>,
    /// Sizes that were not synced.
    pub(crate) sizes: Vec<u64>,
    /// Space behind the pages that is the file's, in bytes.
    reserved: u64,
}

impl FileNode {
    pub(crate) const fn now(&self) -> &Content {
        &self.now
    }

    /// A file that was just found on the disk: everything is durable.
    pub(crate) fn found(content: Content) -> Self {
        Self { reserved: content.bytes, now: content.clone(), durable: content, ..Self::default() }
    }

    /// Whether a write needs space that the file does not have.
    pub(crate) fn needs_space(&self, offset: u64, bytes: usize) -> bool {
        pieces(offset, bytes)
            .any(|(number, ..)| number * PAGE_BYTES as u64 >= self.reserved && !self.now.pages.contains_key(&number))
    }

    pub(crate) fn write_at(&mut self, bytes: &[u8], offset: u64) {
        let touched = self.now.write_at(bytes, offset);
        self.changed(&touched);
    }

    pub(crate) fn set_len(&mut self, bytes: u64) {
        let touched = self.now.set_len(bytes);
        self.reserved = self.reserved.min(bytes);
        self.changed(&touched);
    }

    pub(crate) fn reserve(&mut self, end: u64) {
        self.reserved = self.reserved.max(end);
        self.now.bytes = self.now.bytes.max(end);
        self.changed(&[]);
    }

    /// Punches whole pages out of a range.
    pub(crate) fn discard(&mut self, offset: u64, bytes: u64) {
        let end = (offset + bytes) / PAGE_BYTES as u64;
        let inside = offset.div_ceil(PAGE_BYTES as u64)..end;
        let touched: Vec<u64> = if inside.is_empty() {
            Vec::new()
        } else {
            self.now.pages.range(inside).map(|(number, _)| *number).collect()
        };
        for number in &touched {
            self.now.pages.remove(number);
        }
        self.changed(&touched);
    }

    fn changed(&mut self, touched: &[u64]) {
        for number in touched {
            let versions = self.unsynced.entry(*number).or_default();
            versions.truncate(VERSIONS_MAX - 1);
            versions.push(self.now.pages.get(number).cloned());
        }
        if self.sizes.last().copied().unwrap_or(self.durable.bytes) != self.now.bytes {
            self.sizes.push(self.now.bytes);
        }
    }

    pub(crate) fn sync(&mut self) {
        for number in std::mem::take(&mut self.unsynced).into_keys() {
            match self.now.pages.get(&number) {
                Some(page) => drop(self.durable.pages.insert(number, Arc::clone(page))),
                None => drop(self.durable.pages.remove(&number)),
            }
        }
        self.sizes.clear();
        self.durable.bytes = self.now.bytes;
    }

    /// A sync failed, and the kernel takes the pages for clean: reads still show them, no later sync writes them.
    pub(crate) fn forget_unsynced(&mut self) {
        self.unsynced.clear();
    }

    /// Changes what is read and what is durable alike.
    pub(crate) fn tamper(&mut self, change: impl Fn(&mut Content)) {
        change(&mut self.now);
        change(&mut self.durable);
        self.unsynced.clear();
        self.sizes.clear();
        self.reserved = self.now.bytes;
    }
}
