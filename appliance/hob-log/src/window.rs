//! Half an hour of traffic, from opening to shredding.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use hob_protocol::frame::Urgency;
use hob_protocol::planted;
use hob_relay::clock::BoxTime;
use hob_relay::event::disk::{Accepted, Acknowledged, Expired, TrafficEvent, traffic_event};
use hob_relay::event::{Append, Pending, Place};
use prost::Message;

use crate::error::{BodyError, LogError, OrDisk, Trouble};
use crate::events::FOLDER as EVENTS_FOLDER;
use crate::files::{FileLayer, LogFile};
use crate::journal::Journal;
use crate::keys::KeyEntry;
use crate::record::{BLOCK_HEADER_BYTES, Block, Item, LogKeys, Opening};
use crate::{BodyReader, LogName};

/// How an envelope ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Acknowledged,
    Expired,
}

/// One bit for each sequence number.
#[derive(Debug, Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn set(&mut self, at: u32) {
        let word = at as usize / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << (at % 64);
        }
    }

    /// Takes a bit away; whether it was there.
    fn clear(&mut self, at: u32) -> bool {
        let Some(word) = self.0.get_mut(at as usize / 64) else {
            return false;
        };
        let was = *word & (1 << (at % 64)) != 0;
        *word &= !(1 << (at % 64));
        was
    }
}

/// A window.
#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) number: u32,
    pub(crate) opened: BoxTime,
    pub(crate) opened_unix_ms: u64,
    pub(crate) keys: LogKeys,
    pub(crate) journal: Journal,
    pub(crate) is_open: bool,
    pub(crate) accepted: u64,
    pub(crate) pending: u64,
    /// Records that were lost; such a window is kept aside, served, and never written to again.
    pub(crate) damaged: Option<u64>,
    live: Bits,
    /// Ends that ride with the next commit.
    riding: Vec<(u32, End)>,
    /// Ends that were written and not synced: after a failed sync they ride again.
    unsynced: Vec<(u32, End)>,
}

impl Window {
    pub(crate) fn new(entry: &KeyEntry, number: u32, journal: Journal) -> Self {
        Self {
            number,
            opened: entry.opened,
            opened_unix_ms: entry.opened_unix_ms,
            keys: entry.keys(),
            journal,
            is_open: false,
            accepted: 0,
            pending: 0,
            damaged: None,
            live: Bits::default(),
            riding: Vec::new(),
            unsynced: Vec::new(),
        }
    }

    /// Makes a window's folder, complete, in a temporary place, then renames it (rule 2).
    pub(crate) fn create(
        files: &Arc<dyn FileLayer>,
        temporary: &Path,
        folder: &Path,
        marks: &Path,
        entry: &KeyEntry,
        number: u32,
    ) -> Result<Self, LogError> {
        let doing = "make a window's folder";
        files.remove(temporary).or_disk(doing, temporary)?;
        files.create_folder(&temporary.join(EVENTS_FOLDER)).or_disk(doing, temporary)?;
        let mut journal = Journal::create(files, temporary, marks, entry.log_id)?;
        move_complete(&**files, temporary, folder).or_disk(doing, folder)?;
        journal.moved_to(folder);
        Ok(Self::new(entry, number, journal))
    }

    /// What a start found pending.
    pub(crate) fn remember(&mut self, pending: &[Pending], accepted: u64) {
        self.accepted = accepted;
        self.pending = pending.len() as u64;
        for envelope in pending {
            self.live.set(envelope.place.sequence);
        }
    }

    pub(crate) const fn name(&self) -> LogName {
        LogName::Window { number: self.number }
    }

    /// Ends that wait in memory.
    pub(crate) const fn riding(&self) -> usize {
        self.riding.len()
    }

    /// An envelope is done. Rides with the next commit.
    pub(crate) fn end(&mut self, sequence: u32, end: End) {
        if self.live.clear(sequence) {
            self.pending -= 1;
            if self.damaged.is_none() && !planted!("acknowledgement-not-written") {
                self.riding.push((sequence, end));
            }
        }
    }

    /// Appends envelopes and what rides along, and syncs. Pushes one place for each.
    pub(crate) fn accept(&mut self, accepts: &[&Append], places: &mut Vec<Place>) -> Result<(), LogError> {
        self.heal()?;
        let mut arena = Arena::with_room_for(accepts.len() + self.riding.len());
        arena.ends(&self.riding);
        for append in accepts {
            arena.accept(append);
        }
        let mut blocks = Vec::with_capacity(accepts.len());
        let written = self.journal.append(&self.keys, &arena.items(), &mut blocks);
        let first = written.and_then(|first| self.journal.sync().map(|()| first))?;
        let first_accept = first + self.riding.len() as u64;
        self.riding.clear();
        self.unsynced.clear();
        for (sequence, offset) in (first_accept..).zip(blocks) {
            let sequence = u32::try_from(sequence).unwrap_or(u32::MAX);
            self.live.set(sequence);
            places.push(Place { window: self.number, sequence, offset });
        }
        self.accepted += accepts.len() as u64;
        self.pending += accepts.len() as u64;
        Ok(())
    }

    /// Writes what rides, unsynced. What cannot be written rides on.
    pub(crate) fn write_riding(&mut self) {
        if self.riding.is_empty() || self.damaged.is_some() {
            return;
        }
        let written = self.heal().and_then(|()| {
            let mut arena = Arena::with_room_for(self.riding.len());
            arena.ends(&self.riding);
            self.journal.append(&self.keys, &arena.items(), &mut Vec::new())
        });
        match written {
            Ok(_) => self.unsynced.append(&mut self.riding),
            Err(error) => tracing::debug!(window = self.number, %error, "acknowledgements wait in memory"),
        }
    }

    fn heal(&mut self) -> Result<(), LogError> {
        if self.journal.is_broken() {
            self.riding.append(&mut self.unsynced);
            self.journal.heal()?;
        }
        Ok(())
    }

    /// Takes no more envelopes in: everything synced, reserved space given back.
    pub(crate) fn close(&mut self) -> Result<(), LogError> {
        self.is_open = false;
        self.write_riding();
        self.journal.seal_up()?;
        self.unsynced.clear();
        Ok(())
    }
}

/// Makes a temporary folder and everything in it durable, then gives it its name, durably (rule 2).
pub(crate) fn move_complete(files: &dyn FileLayer, temporary: &Path, folder: &Path) -> std::io::Result<()> {
    files.sync_folder(temporary)?;
    files.rename(temporary, folder)?;
    if planted!("folder-not-synced-after-rename") {
        return Ok(());
    }
    for parent in [folder.parent(), temporary.parent()].into_iter().flatten() {
        files.sync_folder(parent)?;
    }
    Ok(())
}

/// The events of one commit, encoded one behind the other.
struct Arena<'a> {
    events: Vec<u8>,
    items: Vec<(usize, &'a [u8])>,
}

impl<'a> Arena<'a> {
    fn with_room_for(records: usize) -> Self {
        Self { events: Vec::with_capacity(records * 72), items: Vec::with_capacity(records) }
    }

    fn push(&mut self, event: traffic_event::Event, body: &'a [u8]) {
        let event = TrafficEvent { event: Some(event) };
        // A growing vector always has room.
        let encoded = event.encode(&mut self.events);
        debug_assert!(encoded.is_ok());
        self.items.push((self.events.len(), body));
    }

    fn ends(&mut self, ends: &[(u32, End)]) {
        for (sequence, end) in ends {
            let accepted_sequence = u64::from(*sequence);
            let event = match end {
                End::Acknowledged => traffic_event::Event::Acknowledged(Acknowledged { accepted_sequence }),
                End::Expired => traffic_event::Event::Expired(Expired { accepted_sequence }),
            };
            self.push(event, &[]);
        }
    }

    fn accept(&mut self, append: &'a Append) {
        if let Append::Accept { mailbox, id, deadline, urgency, body } = append {
            let accepted = Accepted {
                mailbox: Bytes::copy_from_slice(mailbox.as_bytes()),
                id: Bytes::copy_from_slice(id.as_bytes()),
                deadline_ms: deadline.0,
                wake: *urgency == Urgency::Wake,
            };
            self.push(traffic_event::Event::Accepted(accepted), body);
        }
    }

    fn items(&self) -> Vec<Item<'_>> {
        let mut begin = 0;
        let item = |(end, body): &(usize, &'a [u8])| {
            let event = self.events.get(begin..*end).unwrap_or_default();
            begin = *end;
            Item { event, body }
        };
        self.items.iter().map(item).collect()
    }
}

/// The bodies of all windows, for readers on any thread.
#[derive(Debug, Default)]
pub(crate) struct Bodies(RwLock<HashMap<u32, Arc<OpenBodies>>>);

#[derive(Debug)]
struct OpenBodies {
    journal: Arc<dyn LogFile>,
    keys: LogKeys,
}

impl Bodies {
    /// Serves a window's bodies, or serves them from another file.
    pub(crate) fn serve(&self, window: &Window) {
        let open = OpenBodies { journal: window.journal.file(), keys: window.keys.clone() };
        self.write(|map| map.insert(window.number, Arc::new(open)));
    }

    /// Forgets a window's body key here.
    pub(crate) fn forget(&self, number: u32) {
        self.write(|map| map.remove(&number));
    }

    fn write<T>(&self, change: impl FnOnce(&mut HashMap<u32, Arc<OpenBodies>>) -> T) {
        let mut map = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let old = change(&mut map);
        drop(map);
        drop(old);
    }
}

/// What is read at once: the smallest envelope and its block's header.
const FIRST_READ_BYTES: usize = BLOCK_HEADER_BYTES + (2 << 10);

impl BodyReader for Bodies {
    fn read(&self, place: Place) -> Result<Bytes, BodyError> {
        let open = {
            let map = self.0.read().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(map.get(&place.window).ok_or(BodyError::Gone)?)
        };
        open.read(place)
    }
}

impl OpenBodies {
    fn read(&self, place: Place) -> Result<Bytes, BodyError> {
        let mut block = vec![0; FIRST_READ_BYTES];
        let got = self.fill(&mut block, place.offset)?;
        block.truncate(got);
        let front = Block::parse(&block).ok_or(BodyError::Damaged)?;
        let want = BLOCK_HEADER_BYTES + front.body_bytes;
        let have = block.len();
        block.resize(want, 0);
        if let Some(rest) = block.get_mut(have..).filter(|rest| !rest.is_empty()) {
            let missing = rest.len();
            if self.fill(rest, place.offset + have as u64)? != missing {
                return Err(BodyError::Damaged);
            }
        }
        let sealed = block.get_mut(BLOCK_HEADER_BYTES..).unwrap_or_default();
        match front.open(&self.keys, u64::from(place.sequence), sealed) {
            Opening::Good => Ok(Bytes::from(block).slice(BLOCK_HEADER_BYTES..)),
            Opening::Damaged => Err(BodyError::Damaged),
            Opening::NoKey => Err(BodyError::Gone),
        }
    }

    fn fill(&self, buffer: &mut [u8], offset: u64) -> Result<usize, BodyError> {
        let mut got = 0;
        while let Some(rest) = buffer.get_mut(got..).filter(|rest| !rest.is_empty()) {
            match self.journal.read_at(rest, offset + got as u64) {
                Ok(0) => break,
                Ok(read) => got += read,
                Err(source) => {
                    return Err(BodyError::Disk { trouble: Trouble::of(&source), source });
                }
            }
        }
        Ok(got)
    }
}

/// Where windows lie.
pub(crate) fn folder_of(parent: &Path, number: u32) -> PathBuf {
    parent.join(number.to_string())
}
