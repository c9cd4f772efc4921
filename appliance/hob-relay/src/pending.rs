//! The index over the log: pending envelopes by id, by mailbox and by deadline, and the ids of those that are done.
//!
//! Small, since a box of a gigabyte holds a hundred thousand of them: an entry has 72 bytes, its place in the table of
//! ids about seven, its deadline eight.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use hashbrown::HashTable;
use hob_protocol::frame::Urgency;
use hob_protocol::ids::EnvelopeId;
use hob_protocol::limits::ENVELOPE_SIZES;
use rand_core::Rng;

use crate::clock::BoxTime;
use crate::event::Place;

/// No entry, no token.
pub(crate) const NIL: u32 = u32::MAX;

/// A deadline in whole seconds of box time, rounded down: nobody is promised more time than there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Deadline(pub(crate) u32);

impl Deadline {
    pub(crate) fn at(time: BoxTime) -> Self {
        Self(u32::try_from(time.0 / 1000).unwrap_or(u32::MAX))
    }

    pub(crate) fn time(self) -> BoxTime {
        BoxTime(u64::from(self.0) * 1000)
    }

    pub(crate) fn is_over(self, now: BoxTime) -> bool {
        self.time() <= now
    }

    pub(crate) fn left(self, now: BoxTime) -> Duration {
        self.time().since(now)
    }
}

/// How far an envelope got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Asked to be stored.
    Storing,
    /// Durable, and not pushed on the owner's present connection.
    Kept,
    /// Pushed on the owner's present connection, not acknowledged.
    Pushed,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) id: EnvelopeId,
    pub(crate) place: Place,
    pub(crate) deadline: Deadline,
    pub(crate) mailbox: u32,
    /// The token that brought it: counted in memory, never stored. [`NIL`] after a start.
    pub(crate) token: u32,
    next: u32,
    prev: u32,
    /// Which of the six sizes.
    size: u8,
    stage: Stage,
    pub(crate) urgency: Urgency,
}

const _: () = assert!(size_of::<Entry>() <= 72);
// An entry, eight bytes of deadline and at most twelve in a table that is half full: DESIGN.md allows 96.
const _: () = assert!(size_of::<Entry>() + size_of::<Reverse<(Deadline, u32)>>() + 12 <= 96);

impl Entry {
    pub(crate) fn body_bytes(&self) -> u64 {
        ENVELOPE_SIZES.get(usize::from(self.size)).map_or(0, |&bytes| bytes as u64)
    }
}

/// One mailbox's pending envelopes, oldest first: a list threaded through the entries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Queue {
    pub(crate) head: u32,
    pub(crate) tail: u32,
    pub(crate) count: u32,
}

impl Default for Queue {
    fn default() -> Self {
        Self { head: NIL, tail: NIL, count: 0 }
    }
}

/// What is new about an envelope.
#[derive(Debug, Clone, Copy)]
pub(crate) struct New {
    pub(crate) id: EnvelopeId,
    pub(crate) deadline: Deadline,
    pub(crate) mailbox: u32,
    pub(crate) token: u32,
    pub(crate) body_bytes: usize,
    pub(crate) urgency: Urgency,
}

pub(crate) struct Index {
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    by_id: HashTable<u32>,
    by_deadline: BinaryHeap<Reverse<(Deadline, u32)>>,
    known: HashMap<[u8; 16], Deadline, ahash::RandomState>,
    /// Seeded: a stranger who chooses ids cannot choose where they fall.
    hasher: ahash::RandomState,
    live: u32,
    bytes: u64,
}

fn short(id: &EnvelopeId) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&id.0[..16]);
    short
}

impl Index {
    pub(crate) fn new(rng: &mut impl Rng) -> Self {
        let mut seeded =
            || ahash::RandomState::with_seeds(rng.next_u64(), rng.next_u64(), rng.next_u64(), rng.next_u64());
        Self {
            entries: Vec::new(),
            free: Vec::new(),
            by_id: HashTable::new(),
            by_deadline: BinaryHeap::new(),
            known: HashMap::with_hasher(seeded()),
            hasher: seeded(),
            live: 0,
            bytes: 0,
        }
    }

    pub(crate) const fn len(&self) -> u32 {
        self.live
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn known_len(&self) -> usize {
        self.known.len()
    }

    pub(crate) fn get(&self, entry: u32) -> Option<&Entry> {
        self.entries.get(entry as usize)?.as_ref()
    }

    fn get_mut(&mut self, entry: u32) -> Option<&mut Entry> {
        self.entries.get_mut(entry as usize)?.as_mut()
    }

    pub(crate) fn find(&self, id: &EnvelopeId) -> Option<u32> {
        let hash = self.hasher.hash_one(id);
        self.by_id.find(hash, |&entry| self.get(entry).is_some_and(|found| found.id == *id)).copied()
    }

    /// The deadline of an envelope that is done and whose id is not forgotten yet.
    pub(crate) fn known(&self, id: &EnvelopeId, now: BoxTime) -> Option<Deadline> {
        self.known.get(&short(id)).copied().filter(|deadline| !deadline.is_over(now))
    }

    pub(crate) fn remember(&mut self, id: &EnvelopeId, deadline: Deadline) {
        self.known.insert(short(id), deadline);
    }

    /// Adds at the end of the mailbox's queue.
    pub(crate) fn add(&mut self, queue: &mut Queue, new: New) -> u32 {
        let size = ENVELOPE_SIZES.iter().position(|&bytes| bytes == new.body_bytes).unwrap_or(0);
        let added = Entry {
            id: new.id,
            place: Place { window: u32::MAX, sequence: u32::MAX, offset: 0 },
            deadline: new.deadline,
            mailbox: new.mailbox,
            token: new.token,
            next: NIL,
            prev: queue.tail,
            size: u8::try_from(size).unwrap_or(0),
            stage: Stage::Storing,
            urgency: new.urgency,
        };
        let entry = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            u32::try_from(self.entries.len() - 1).unwrap_or(NIL)
        });
        if let Some(slot) = self.entries.get_mut(entry as usize) {
            *slot = Some(added);
        }
        if let Some(last) = self.get_mut(queue.tail) {
            last.next = entry;
        } else {
            queue.head = entry;
        }
        queue.tail = entry;
        queue.count += 1;
        let Self { by_id, entries, hasher, .. } = self;
        by_id.insert_unique(hasher.hash_one(new.id), entry, |&other| {
            entries.get(other as usize).and_then(Option::as_ref).map_or(0, |entry| hasher.hash_one(entry.id))
        });
        self.by_deadline.push(Reverse((new.deadline, entry)));
        self.live += 1;
        self.bytes += added.body_bytes();
        entry
    }

    /// Takes out of the mailbox's queue; the id stays known until its deadline if `remember`.
    pub(crate) fn remove(&mut self, queue: &mut Queue, entry: u32, remember: bool) -> Option<Entry> {
        let removed = self.entries.get_mut(entry as usize)?.take()?;
        match self.get_mut(removed.prev) {
            Some(before) => before.next = removed.next,
            None => queue.head = removed.next,
        }
        match self.get_mut(removed.next) {
            Some(after) => after.prev = removed.prev,
            None => queue.tail = removed.prev,
        }
        queue.count -= 1;
        let hash = self.hasher.hash_one(removed.id);
        if let Ok(found) = self.by_id.find_entry(hash, |&other| other == entry) {
            found.remove();
        }
        self.free.push(entry);
        self.live -= 1;
        self.bytes -= removed.body_bytes();
        if remember {
            self.remember(&removed.id, removed.deadline);
        }
        self.tidy();
        Some(removed)
    }

    /// Deadlines of entries that are gone stay in the heap until they are due; more than half of them are thrown out.
    fn tidy(&mut self) {
        if self.by_deadline.len() > 2 * self.live as usize + 1024 {
            let entries = &self.entries;
            self.by_deadline.retain(|&Reverse((deadline, entry))| is_live(entries, deadline, entry));
        }
    }

    pub(crate) fn next_in_queue(&self, entry: u32) -> u32 {
        self.get(entry).map_or(NIL, |entry| entry.next)
    }

    pub(crate) fn stage(&self, entry: u32) -> Option<Stage> {
        self.get(entry).map(|entry| entry.stage)
    }

    pub(crate) fn set_stage(&mut self, entry: u32, stage: Stage) {
        if let Some(entry) = self.get_mut(entry) {
            entry.stage = stage;
        }
    }

    pub(crate) fn set_place(&mut self, entry: u32, place: Place) {
        if let Some(entry) = self.get_mut(entry) {
            entry.place = place;
            entry.stage = Stage::Kept;
        }
    }

    pub(crate) fn forget_token(&mut self, entry: u32) {
        if let Some(entry) = self.get_mut(entry) {
            entry.token = NIL;
        }
    }

    /// The next entry that is past its deadline.
    pub(crate) fn pop_due(&mut self, now: BoxTime) -> Option<u32> {
        while let Some(&Reverse((deadline, entry))) = self.by_deadline.peek() {
            if !is_live(&self.entries, deadline, entry) {
                self.by_deadline.pop();
                continue;
            }
            if !deadline.is_over(now) {
                return None;
            }
            self.by_deadline.pop();
            return Some(entry);
        }
        None
    }

    pub(crate) fn next_deadline(&self) -> Option<BoxTime> {
        self.by_deadline.peek().map(|&Reverse((deadline, _))| deadline.time())
    }

    /// Forgets ids whose deadline is over.
    pub(crate) fn sweep_known(&mut self, now: BoxTime) {
        self.known.retain(|_, deadline| !deadline.is_over(now));
        if self.known.capacity() > 4 * self.known.len() + 1024 {
            self.known.shrink_to_fit();
        }
    }

    /// Every entry, by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Entry)> {
        (0..).zip(&self.entries).filter_map(|(number, entry)| entry.as_ref().map(|entry| (number, entry)))
    }
}

fn is_live(entries: &[Option<Entry>], deadline: Deadline, entry: u32) -> bool {
    entries.get(entry as usize).and_then(Option::as_ref).is_some_and(|live| live.deadline == deadline)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    fn new(id: u8, deadline: u32) -> New {
        New {
            id: EnvelopeId([id; 32]),
            deadline: Deadline(deadline),
            mailbox: 0,
            token: 0,
            body_bytes: 2048,
            urgency: Urgency::Quiet,
        }
    }

    #[test]
    fn a_queue_stays_in_order_whatever_is_taken_from_its_middle() {
        let mut index = Index::new(&mut ChaCha8Rng::from_seed([0; 32]));
        let mut queue = Queue::default();
        let entries: Vec<u32> = (0..5).map(|id| index.add(&mut queue, new(id, 10))).collect();
        index.remove(&mut queue, entries[2], true);
        index.remove(&mut queue, entries[0], true);
        index.remove(&mut queue, entries[4], true);
        index.add(&mut queue, new(9, 10));
        let mut seen = Vec::new();
        let mut at = queue.head;
        while let Some(entry) = index.get(at) {
            seen.push(entry.id.0[0]);
            at = index.next_in_queue(at);
        }
        assert_eq!(seen, [1, 3, 9]);
        assert_eq!((queue.count, index.len(), index.bytes()), (3, 3, 3 * 2048));
        assert!(index.find(&EnvelopeId([2; 32])).is_none());
        assert!(index.known(&EnvelopeId([2; 32]), BoxTime(9_999)).is_some());
        assert!(index.known(&EnvelopeId([2; 32]), BoxTime(10_000)).is_none(), "known until the deadline, not longer");
    }

    #[test]
    fn entries_come_due_in_order_of_deadline_and_those_taken_out_never() {
        let mut index = Index::new(&mut ChaCha8Rng::from_seed([0; 32]));
        let mut queue = Queue::default();
        let late = index.add(&mut queue, new(1, 20));
        let gone = index.add(&mut queue, new(2, 5));
        let early = index.add(&mut queue, new(3, 10));
        index.remove(&mut queue, gone, false);
        assert_eq!(index.pop_due(BoxTime(9_999)), None);
        assert_eq!(index.pop_due(BoxTime(20_000)), Some(early));
        assert_eq!(index.pop_due(BoxTime(20_000)), Some(late));
        assert_eq!(index.pop_due(BoxTime(u64::MAX)), None);
    }
}
