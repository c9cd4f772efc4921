//! The log's twin without a disk: the same answers, forgotten with the process. For simulations and property tests.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hob_protocol::limits::KEEP_MAX;
use hob_relay::clock::{BoxTime, Checkpoint, Now};
use hob_relay::event::{Append, Known, LedgerEvent, LedgerKey, Pending, Place, encode_ledger, ledger_key};

use crate::{
    BodyError, BodyReader, CompactReport, EventLog, LogError, LogNotice, LogStats, WINDOW_LENGTH, WindowStats,
};

/// An event log in memory.
#[derive(Debug)]
pub struct MemoryLog {
    retention: Duration,
    windows: BTreeMap<u32, Window>,
    next_window: u32,
    ledger: Vec<LedgerEvent>,
    generation: u64,
    checkpoint: Option<Checkpoint>,
    bodies: Arc<Bodies>,
    fails: u32,
    refused: u64,
}

#[derive(Debug)]
struct Window {
    opened: BoxTime,
    opened_unix_ms: u64,
    is_open: bool,
    has_body_key: bool,
    next_sequence: u32,
    offset: u64,
    accepted: BTreeMap<u32, (Pending, bool)>,
}

impl Window {
    fn pending(&self) -> u64 {
        self.accepted.values().filter(|(_, done)| !done).count() as u64
    }
}

#[derive(Debug, Default)]
struct Bodies(Mutex<HashMap<Place, Bytes>>);

impl Bodies {
    fn lock(&self) -> MutexGuard<'_, HashMap<Place, Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BodyReader for Bodies {
    fn read(&self, place: Place) -> Result<Bytes, BodyError> {
        self.lock().get(&place).cloned().ok_or(BodyError::Gone)
    }
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self::new(KEEP_MAX)
    }
}

impl MemoryLog {
    /// An empty log that destroys a window this long after it opened.
    pub fn new(retention: Duration) -> Self {
        Self {
            retention,
            windows: BTreeMap::new(),
            next_window: 1,
            ledger: Vec::new(),
            generation: 1,
            checkpoint: None,
            bodies: Arc::default(),
            fails: 0,
            refused: 0,
        }
    }

    /// Makes the next commits that bring something awaited fail.
    pub fn fail_commits(&mut self, count: u32) {
        self.fails = count;
    }

    /// What a start would hand to the rules: the ledger's live events, in the order of their last change.
    pub fn ledger(&self) -> Vec<LedgerEvent> {
        let mut live: HashMap<LedgerKey, (usize, &LedgerEvent)> = HashMap::new();
        for (at, event) in self.ledger.iter().enumerate() {
            match ledger_key(event) {
                (key, true) => drop(live.remove(&key)),
                (key, false) => drop(live.insert(key, (at, event))),
            }
        }
        let mut live: Vec<_> = live.into_values().collect();
        live.sort_by_key(|(at, _)| *at);
        live.into_iter().map(|(_, event)| event.clone()).collect()
    }

    /// What a start would hand to the rules: pending envelopes, oldest first.
    pub fn pending(&self) -> Vec<Pending> {
        let all = self.windows.values().flat_map(|window| window.accepted.values());
        all.filter(|(_, done)| !done).map(|(pending, _)| *pending).collect()
    }

    /// What a start would hand to the rules: ids of envelopes that are done, until their window is destroyed.
    pub fn known(&self) -> Vec<Known> {
        let all = self.windows.values().flat_map(|window| window.accepted.values());
        all.filter(|(_, done)| *done).map(|(pending, _)| Known { id: pending.id, deadline: pending.deadline }).collect()
    }

    /// The clock as it was last stored.
    pub const fn last_checkpoint(&self) -> Option<Checkpoint> {
        self.checkpoint
    }

    fn open_window(&mut self, now: Now) -> u32 {
        let open = self.windows.iter().find(|(_, window)| window.is_open);
        if let Some((number, window)) = open
            && now.box_time.since(window.opened) < WINDOW_LENGTH
        {
            return *number;
        }
        self.close_window();
        let number = self.next_window;
        self.next_window += 1;
        let window = Window {
            opened: now.box_time,
            opened_unix_ms: now.unix_ms,
            is_open: true,
            has_body_key: true,
            next_sequence: 0,
            offset: 0,
            accepted: BTreeMap::new(),
        };
        self.windows.insert(number, window);
        number
    }

    fn close_window(&mut self) -> Option<u32> {
        let (number, window) = self.windows.iter_mut().find(|(_, window)| window.is_open)?;
        window.is_open = false;
        Some(*number)
    }

    fn append(&mut self, now: Now, append: &Append, places: &mut Vec<Place>) {
        match append {
            Append::Accept { mailbox, id, deadline, urgency, body } => {
                let number = self.open_window(now);
                let Some(window) = self.windows.get_mut(&number) else {
                    return;
                };
                let place = Place { window: number, sequence: window.next_sequence, offset: window.offset };
                let pending = Pending {
                    mailbox: *mailbox,
                    id: *id,
                    deadline: *deadline,
                    urgency: *urgency,
                    body_bytes: u32::try_from(body.len()).unwrap_or(u32::MAX),
                    place,
                };
                window.accepted.insert(place.sequence, (pending, false));
                window.next_sequence += 1;
                window.offset += body.len() as u64;
                self.bodies.lock().insert(place, body.clone());
                places.push(place);
            }
            Append::Acknowledge { place } | Append::Expire { place } => {
                if let Some(window) = self.windows.get_mut(&place.window)
                    && let Some((_, done)) = window.accepted.get_mut(&place.sequence)
                {
                    *done = true;
                    window.next_sequence += 1;
                }
            }
            Append::Ledger(event) => self.ledger.push(event.clone()),
        }
    }

    fn destroy(&mut self, is_due: impl Fn(&Window) -> bool) -> Vec<LogNotice> {
        let due: Vec<u32> =
            self.windows.iter().filter(|(_, window)| is_due(window)).map(|(number, _)| *number).collect();
        let mut notices = Vec::new();
        for number in due {
            if let Some(window) = self.windows.remove(&number) {
                self.bodies.lock().retain(|place, _| place.window != number);
                notices.push(LogNotice::WindowDestroyed {
                    window: number,
                    opened_unix_ms: window.opened_unix_ms,
                    pending_lost: window.pending(),
                });
            }
        }
        notices
    }

    fn drop_body_keys(&mut self) -> Vec<LogNotice> {
        let mut notices = Vec::new();
        for (number, window) in &mut self.windows {
            if !window.is_open && window.has_body_key && window.pending() == 0 {
                window.has_body_key = false;
                self.bodies.lock().retain(|place, _| place.window != *number);
                notices.push(LogNotice::BodyKeyDestroyed { window: *number });
            }
        }
        notices
    }
}

impl EventLog for MemoryLog {
    fn commit(&mut self, now: Now, batch: &[Append]) -> Result<Vec<Place>, LogError> {
        if self.fails > 0 && batch.iter().any(Append::is_awaited) {
            self.fails -= 1;
            self.refused += 1;
            // As on a real disk: what nobody waits for is remembered all the same.
            for append in batch.iter().filter(|append| !append.is_awaited()) {
                self.append(now, append, &mut Vec::new());
            }
            return Err(LogError::ToldToFail);
        }
        let mut places = Vec::new();
        for append in batch {
            self.append(now, append, &mut places);
        }
        Ok(places)
    }

    fn tick(&mut self, now: Now) -> Result<Vec<LogNotice>, LogError> {
        let mut notices = Vec::new();
        let retention = self.retention;
        notices.extend(self.destroy(|window| now.box_time.since(window.opened) >= retention));
        let is_over = |window: &Window| window.is_open && now.box_time.since(window.opened) >= WINDOW_LENGTH;
        if self.windows.values().any(is_over)
            && let Some(window) = self.close_window()
        {
            notices.push(LogNotice::WindowClosed { window });
        }
        notices.extend(self.drop_body_keys());
        Ok(notices)
    }

    fn checkpoint(&mut self, checkpoint: Checkpoint) -> Result<(), LogError> {
        self.checkpoint = Some(checkpoint);
        Ok(())
    }

    fn compact(&mut self, _now: Now) -> Result<CompactReport, LogError> {
        let records_before = self.ledger.len() as u64;
        self.ledger = self.ledger();
        self.generation += 1;
        let closed_window = self.close_window();
        self.drop_body_keys();
        Ok(CompactReport {
            generation: self.generation,
            records_before,
            records_after: self.ledger.len() as u64,
            closed_window,
        })
    }

    fn destroy_windows_opened_before(&mut self, moment: BoxTime) -> Result<Vec<LogNotice>, LogError> {
        Ok(self.destroy(|window| window.opened < moment))
    }

    fn live_ledger(&mut self) -> Result<Vec<Bytes>, LogError> {
        Ok(self.ledger().into_iter().map(|event| encode_ledger(event).into()).collect())
    }

    fn stats(&self) -> LogStats {
        let windows = self.windows.iter().map(|(number, window)| WindowStats {
            number: *number,
            opened: window.opened,
            opened_unix_ms: window.opened_unix_ms,
            destroyed_at: window.opened.plus(self.retention),
            is_open: window.is_open,
            accepted: window.accepted.len() as u64,
            pending: window.pending(),
            has_body_key: window.has_body_key,
            journal_bytes: window.offset,
            damaged_records: 0,
        });
        LogStats {
            windows: windows.collect(),
            generation: self.generation,
            ledger_records: self.ledger.len() as u64,
            ledger_live: self.ledger().len() as u64,
            refused_commits: self.refused,
            ..LogStats::default()
        }
    }

    fn reader(&self) -> Arc<dyn BodyReader> {
        Arc::clone(&self.bodies) as Arc<dyn BodyReader>
    }

    fn close(&mut self) -> Result<(), LogError> {
        Ok(())
    }
}
