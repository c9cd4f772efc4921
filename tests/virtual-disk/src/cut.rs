//! What is left after the power went.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

use crate::content::{Content, FileNode, Page};
use crate::tree::{Folder, Id, Node, ROOT, Tree};
use crate::{PAGE_BYTES, SECTOR_BYTES, VirtualDisk};

/// How unkind a cut is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// What was synced is there, and nothing else.
    Pessimistic,
    /// Besides, any part of what was not: pages one by one (any version of each, one in ten torn at a sector), sizes and
    /// names independently of them; names sometimes in the order in which they were changed.
    Adversarial,
}

impl VirtualDisk {
    /// Cuts the power: this disk and everything open on it is dead. Returns what a machine finds that starts with it
    /// again, with its chance from a new seed.
    #[must_use]
    pub fn cut(&self, how: How, seed: u64) -> Self {
        let mut state = self.lock();
        state.is_off = true;
        let left = state.tree.after_cut(how, seed);
        drop(state);
        Self::with(left, seed)
    }

    /// What a cut would leave, without cutting.
    #[must_use]
    pub fn if_cut(&self, how: How, seed: u64) -> Self {
        Self::with(self.lock().tree.after_cut(how, seed), seed)
    }
}

impl Tree {
    fn after_cut(&self, how: How, seed: u64) -> Self {
        let mut dice = ChaCha8Rng::seed_from_u64(seed ^ 0x5eed_0fcb);
        let mut folders = self.durable.clone();
        if how == How::Adversarial {
            // A journalling file system keeps the order of names; others need not.
            let in_order = dice.next_u32().is_multiple_of(2);
            let kept_in_order = dice.next_u32() as usize % (self.pending.len() + 1);
            for (number, change) in self.pending.iter().enumerate() {
                let is_kept = if in_order { number < kept_in_order } else { dice.next_u32().is_multiple_of(2) };
                if is_kept {
                    for (folder, name, after) in &change.0 {
                        let entries = folders.entry(*folder).or_default();
                        match after {
                            Some(id) => drop(entries.insert(name.clone(), *id)),
                            None => drop(entries.remove(name)),
                        }
                    }
                }
            }
        }
        let mut nodes = BTreeMap::new();
        self.keep(ROOT, how, &folders, &mut dice, &mut nodes);
        Self::found(nodes)
    }

    fn keep(
        &self,
        id: Id,
        how: How,
        folders: &BTreeMap<Id, Folder>,
        dice: &mut ChaCha8Rng,
        kept: &mut BTreeMap<Id, Node>,
    ) {
        match self.nodes.get(&id) {
            Some(Node::File(file)) if !kept.contains_key(&id) => {
                kept.insert(id, Node::File(FileNode::found(content_after_cut(file, how, dice))));
            }
            Some(Node::Folder(_)) => {
                let mut entries = folders.get(&id).cloned().unwrap_or_default();
                entries.retain(|_, entry| self.nodes.contains_key(entry));
                for entry in entries.values() {
                    self.keep(*entry, how, folders, dice, kept);
                }
                kept.insert(id, Node::Folder(entries));
            }
            _ => {}
        }
    }
}

fn content_after_cut(file: &FileNode, how: How, dice: &mut ChaCha8Rng) -> Content {
    let mut content = file.durable.clone();
    if how == How::Adversarial {
        for (number, versions) in &file.unsynced {
            let choice = dice.next_u32() as usize % (2 * versions.len());
            let Some(version) = versions.get(choice) else { continue };
            let is_torn = dice.next_u32().is_multiple_of(10);
            let page =
                if is_torn { Some(torn(content.pages.get(number), version.as_ref(), dice)) } else { version.clone() };
            match page {
                Some(page) => drop(content.pages.insert(*number, page)),
                None => drop(content.pages.remove(number)),
            }
        }
        if let Some(bytes) = file.sizes.get(dice.next_u32() as usize % (file.sizes.len() + 1)) {
            content.bytes = *bytes;
        }
    }
    let bytes = content.bytes;
    // Nothing is behind the end, and a file that grows over it reads zeros there.
    content.bytes = u64::MAX;
    content.set_len(bytes);
    content
}

fn torn(old: Option<&Page>, new: Option<&Page>, dice: &mut ChaCha8Rng) -> Page {
    let mut page = old.map_or([0; PAGE_BYTES], |page| **page);
    for (number, sector) in page.chunks_mut(SECTOR_BYTES).enumerate() {
        if dice.next_u32().is_multiple_of(2) {
            let from = new.and_then(|page| page.chunks(SECTOR_BYTES).nth(number));
            match from {
                Some(from) => sector.copy_from_slice(from),
                None => sector.fill(0),
            }
        }
    }
    page.into()
}
