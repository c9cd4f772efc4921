//! What must be true of the log, as a model of its promises.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use hob_log::keys::{BoxKey, KeyStore, KeyTable};
use hob_log::{BodyError, BodyReader, EventLog as _, LogName, LogStats, Opened};
use hob_protocol::frame::Urgency;
use hob_protocol::ids::{EnvelopeId, MailboxId};
use hob_relay::clock::BoxTime;
use hob_relay::event::{Append, LedgerEvent, LedgerKey, Pending, Place, ledger_key};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

use super::attack::Done;
use super::{Checked, DATA, names_of};
use crate::{How, VirtualDisk};

const RETENTION: Duration = hob_protocol::limits::KEEP_MAX;

fn retention_ms() -> u64 {
    RETENTION.as_millis() as u64
}

/// An envelope that was handed over.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub(crate) number: u64,
    bytes: usize,
    deadline: BoxTime,
    /// When its window opened; when it was handed over, as long as nobody said.
    opened_ms: u64,
    place: Option<Place>,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Pending,
    /// Done. Sure: the next start must not offer it again.
    Ended {
        is_sure: bool,
    },
}

impl Envelope {
    pub(crate) fn new(number: u64, bytes: usize, deadline: BoxTime, now_ms: u64) -> Self {
        Self { number, bytes, deadline, opened_ms: now_ms, place: None, fate: Fate::Pending }
    }

    fn body(&self) -> Bytes {
        let mut body = vec![0; self.bytes];
        ChaCha8Rng::seed_from_u64(self.number).fill_bytes(&mut body);
        body.into()
    }

    pub(crate) fn append(&self) -> Append {
        let (mailbox, id, urgency) = names_of(self.number);
        Append::Accept { mailbox, id, deadline: self.deadline, urgency, body: self.body() }
    }

    fn is(&self, pending: &Pending) -> bool {
        let names: (MailboxId, EnvelopeId, Urgency) = names_of(self.number);
        names == (pending.mailbox, pending.id, pending.urgency)
            && self.deadline == pending.deadline
            && self.bytes == pending.body_bytes as usize
    }

    fn is_over(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.opened_ms) >= retention_ms()
    }
}

fn number_of(id: EnvelopeId) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(id.0.split_at(8).0);
    u64::from_le_bytes(bytes)
}

/// The ledger: what is live, in the order of its last change.
type Ledger = Vec<(LedgerKey, LedgerEvent)>;

fn apply(ledger: &mut Ledger, events: &[LedgerEvent]) {
    for event in events {
        let (key, ends) = ledger_key(event);
        ledger.retain(|(other, _)| *other != key);
        if !ends {
            ledger.push((key, event.clone()));
        }
    }
}

/// The model.
#[derive(Debug)]
pub(crate) struct Oracle {
    /// What was answered, until its window's time is up.
    accepted: BTreeMap<u64, Envelope>,
    /// What was refused, or not answered before the power went: it may be there.
    unsure: BTreeMap<u64, Envelope>,
    /// The ledgers that there may be.
    ledgers: Vec<Ledger>,
    /// Windows that somebody damaged, and when that was.
    damaged: BTreeSet<u32>,
    pub(crate) has_checkpoint: bool,
}

impl Default for Oracle {
    fn default() -> Self {
        Self {
            accepted: BTreeMap::new(),
            unsure: BTreeMap::new(),
            ledgers: vec![Ledger::new()],
            damaged: BTreeSet::new(),
            has_checkpoint: false,
        }
    }
}

impl Oracle {
    pub(crate) fn accepted(&mut self, envelopes: Vec<Envelope>, places: &[Place], stats: &LogStats) -> Checked {
        for (mut envelope, place) in envelopes.into_iter().zip(places) {
            let window = stats.windows.iter().find(|window| window.number == place.window);
            let window =
                window.ok_or_else(|| format!("an envelope lies in window {}, which is not there", place.window))?;
            if !window.is_open {
                return Err(format!("an envelope was taken into window {}, which is closed", place.window));
            }
            envelope.opened_ms = window.opened.0;
            envelope.place = Some(*place);
            self.accepted.insert(envelope.number, envelope);
        }
        Ok(())
    }

    pub(crate) fn unsure(&mut self, envelopes: Vec<Envelope>) {
        self.unsure.extend(envelopes.into_iter().map(|envelope| (envelope.number, envelope)));
    }

    pub(crate) fn ledger_written(&mut self, events: &[LedgerEvent], is_sure: bool) {
        if events.is_empty() {
            return;
        }
        let mut with = self.ledgers.clone();
        with.iter_mut().for_each(|ledger| apply(ledger, events));
        if is_sure {
            self.ledgers = with;
        } else {
            self.ledgers.extend(with);
        }
        // Two ledgers that are the same are one.
        let mut different: Vec<Ledger> = Vec::new();
        for ledger in self.ledgers.drain(..) {
            if !different.contains(&ledger) {
                different.push(ledger);
            }
        }
        self.ledgers = different;
    }

    /// A pending envelope's place, by lot.
    pub(crate) fn pending_place(&self, pick: u64) -> Option<(u64, Place)> {
        let pending: Vec<_> = self.accepted.values().filter(|envelope| envelope.fate == Fate::Pending).collect();
        let chosen = pending.get(usize::try_from(pick % (pending.len() as u64).max(1)).ok()?)?;
        Some((chosen.number, chosen.place?))
    }

    pub(crate) fn end(&mut self, numbers: &[u64]) {
        for number in numbers {
            if let Some(envelope) = self.accepted.get_mut(number) {
                envelope.fate = Fate::Ended { is_sure: false };
            }
        }
    }

    /// A clean stop: every acknowledgement is on the disk.
    pub(crate) fn closed(&mut self) {
        let damaged = &self.damaged;
        for envelope in self.accepted.values_mut() {
            let is_aside = envelope.place.is_some_and(|place| damaged.contains(&place.window));
            if envelope.fate != Fate::Pending && !is_aside {
                envelope.fate = Fate::Ended { is_sure: true };
            }
        }
    }

    pub(crate) fn damaged(&mut self, done: Done) {
        self.damaged.extend(done.window);
        self.unsure(done.foreign);
    }

    pub(crate) fn is_damaged(&self, log: LogName) -> bool {
        matches!(log, LogName::Window { number } if self.damaged.contains(&number))
    }

    pub(crate) fn check_start(&mut self, opened: &Opened, now_ms: u64, is_excused: bool) -> Checked {
        self.accepted.retain(|_, envelope| !envelope.is_over(now_ms));
        self.unsure.retain(|_, envelope| !envelope.is_over(now_ms));
        let told: BTreeSet<u32> = opened.lost_windows.iter().map(|lost| lost.number).collect();
        if let Some(window) = told.iter().find(|window| !self.damaged.contains(window)) {
            return Err(format!("window {window} is told as lost, and nobody damaged it"));
        }
        if opened.report.ledger_lost > 0 {
            return Err(format!("{} records of the ledger are lost", opened.report.ledger_lost));
        }
        let served = self.check_offered(opened, now_ms)?;
        let known: BTreeSet<u64> = opened.known.iter().map(|known| number_of(known.id)).collect();
        if let Some(number) = known.iter().find(|number| served.contains(number)) {
            return Err(format!("envelope {number} is pending and done at once"));
        }
        let mut gone = Vec::new();
        for envelope in self.accepted.values_mut() {
            let number = envelope.number;
            let is_told = envelope.place.is_some_and(|place| told.contains(&place.window));
            let is_damaged = envelope.place.is_some_and(|place| self.damaged.contains(&place.window));
            match (served.contains(&number), known.contains(&number)) {
                (false, false) if is_told => gone.push(number),
                (false, false) => return Err(format!("accepted and lost, and nobody is told: {envelope:?}")),
                (_, true) if envelope.fate == Fate::Pending && !is_damaged => {
                    return Err(format!("done, though nobody acknowledged it: {envelope:?}"));
                }
                (true, _) if envelope.fate == (Fate::Ended { is_sure: true }) && !is_damaged => {
                    return Err(format!("pending again, though its acknowledgement was on the disk: {envelope:?}"));
                }
                (true, _) => envelope.fate = Fate::Pending,
                (_, true) => envelope.fate = Fate::Ended { is_sure: !is_excused },
            }
        }
        self.accepted.retain(|number, _| !gone.contains(number));
        // What a start does not find is cut off for good.
        self.unsure.clear();
        self.check_ledger(opened)?;
        self.check_bodies(opened, now_ms, is_excused)
    }

    /// Everything that is offered was handed over once, as it is, and is not over. Returns its numbers.
    fn check_offered(&mut self, opened: &Opened, now_ms: u64) -> Result<BTreeSet<u64>, String> {
        let stats = opened.log.stats();
        let mut last = None;
        let mut served = BTreeSet::new();
        for pending in &opened.pending {
            let number = number_of(pending.id);
            let window = stats.windows.iter().find(|window| window.number == pending.place.window);
            let Some(window) = window else {
                return Err(format!("envelope {number} is pending in a window that is not there"));
            };
            if now_ms.saturating_sub(window.opened.0) >= retention_ms() {
                return Err(format!("envelope {number} is offered after its window's time was up"));
            }
            if let Some(mut unsure) = self.unsure.remove(&number) {
                unsure.opened_ms = window.opened.0;
                self.accepted.insert(number, unsure);
            }
            let place = (pending.place.window, pending.place.sequence);
            let Some(envelope) = self.accepted.get_mut(&number).filter(|envelope| envelope.is(pending)) else {
                return Err(format!("what is offered was never handed over so: {pending:?}"));
            };
            envelope.place = Some(pending.place);
            if last.is_some_and(|last| last >= place) || !served.insert(number) {
                return Err(format!("envelope {number} is offered twice or out of order"));
            }
            last = Some(place);
        }
        for known in &opened.known {
            let number = number_of(known.id);
            if let Some(unsure) = self.unsure.remove(&number) {
                let ended = Envelope { fate: Fate::Ended { is_sure: false }, ..unsure };
                self.accepted.insert(number, ended);
            }
            // A window's time may be up for an envelope whose window nobody told.
            if !self.accepted.contains_key(&number) {
                return Err(format!("envelope {number} is known as done and was never handed over"));
            }
        }
        Ok(served)
    }

    fn check_ledger(&mut self, opened: &Opened) -> Checked {
        let found = |ledger: &Ledger| {
            ledger.len() == opened.ledger.len() && ledger.iter().zip(&opened.ledger).all(|((_, want), got)| want == got)
        };
        let Some(ledger) = self.ledgers.iter().find(|ledger| found(ledger)) else {
            let want: Vec<usize> = self.ledgers.iter().map(Vec::len).collect();
            return Err(format!("the ledger is none of those it may be: {} live, not {want:?}", opened.ledger.len()));
        };
        self.ledgers = vec![ledger.clone()];
        Ok(())
    }

    fn check_bodies(&self, opened: &Opened, now_ms: u64, is_excused: bool) -> Checked {
        let picks: Vec<u64> = (0..12).collect();
        self.check_reading(&*opened.log.reader(), &picks, now_ms, is_excused)
    }

    /// Bodies are as they were, or gone.
    pub(crate) fn check_reading(
        &self,
        reader: &dyn BodyReader,
        picks: &[u64],
        now_ms: u64,
        is_excused: bool,
    ) -> Checked {
        for pick in picks {
            let Some((number, place)) = self.pending_place(*pick) else { return Ok(()) };
            let Some(envelope) = self.accepted.get(&number) else { return Ok(()) };
            match reader.read(place) {
                Ok(body) if body != envelope.body() => return Err(format!("another body: {envelope:?}")),
                // A tick is always called before anything is read.
                Ok(_) if envelope.is_over(now_ms) && !is_excused => {
                    return Err(format!("can be read after its window's time was up: {envelope:?}"));
                }
                Ok(_) => {}
                Err(BodyError::Gone) if envelope.is_over(now_ms) => {}
                Err(_) if is_excused => {}
                Err(error) => return Err(format!("cannot be read ({error:?}): {envelope:?}")),
            }
        }
        Ok(())
    }

    pub(crate) fn body_key_destroyed(&self, window: u32) -> Checked {
        let is_in = |envelope: &&Envelope| {
            envelope.fate == Fate::Pending && envelope.place.is_some_and(|place| place.window == window)
        };
        match self.accepted.values().find(is_in) {
            Some(envelope) => Err(format!("the body key of window {window} is destroyed, and pending is {envelope:?}")),
            None => Ok(()),
        }
    }

    /// What the log says of itself.
    pub(crate) fn check_stats(&mut self, stats: &LogStats, now_ms: u64) -> Checked {
        self.accepted.retain(|_, envelope| !envelope.is_over(now_ms));
        let pending: u64 = stats.windows.iter().map(|window| window.pending).sum();
        let want = self.accepted.values().filter(|envelope| envelope.fate == Fate::Pending).count() as u64;
        if pending != want {
            return Err(format!("{pending} envelopes are said to be pending, and {want} are"));
        }
        if let Some(late) = stats.windows.iter().find(|window| now_ms - window.opened.0 >= retention_ms()) {
            return Err(format!("window {} is still there after its time", late.number));
        }
        if stats.windows.len() > 400 || !self.ledgers.iter().any(|ledger| ledger.len() as u64 == stats.ledger_live) {
            return Err(format!("the ledger has {} live records", stats.ledger_live));
        }
        Ok(())
    }

    /// One generation, one manifest.
    #[expect(clippy::unused_self, reason = "a check like the others")]
    pub(crate) fn check_generations(&self, disk: &VirtualDisk) -> Checked {
        let names = disk.names(&Path::new(DATA).join("log/ledger"));
        if names.len() == 2 && names.contains(&"current".to_owned()) {
            return Ok(());
        }
        Err(format!("there is not exactly one generation: {names:?}"))
    }

    /// What was destroyed cannot be opened with any key on the medium, whichever of the two slots is believed.
    #[expect(clippy::unused_self, reason = "a check like the others")]
    pub(crate) fn check_keys(&self, disk: &VirtualDisk, stats: &LogStats, now_ms: u64) -> Checked {
        for slot in 0..2 {
            let Some(table) = slot_of(disk, slot) else { continue };
            for entry in &table.entries {
                let LogName::Window { number } = entry.name else { continue };
                let there = stats.windows.iter().find(|window| window.number == number);
                if now_ms.saturating_sub(entry.opened.0) >= retention_ms() {
                    return Err(format!("slot {slot} still has the keys of window {number}, whose time is up"));
                }
                if there.is_some_and(|window| !window.has_body_key) && entry.has_body_key() {
                    return Err(format!("slot {slot} still has the destroyed body key of window {number}"));
                }
            }
        }
        Ok(())
    }
}

/// The keys in one slot of the key file, as the medium surely has them.
fn slot_of(disk: &VirtualDisk, slot: usize) -> Option<KeyTable> {
    let medium = disk.if_cut(How::Pessimistic, 0);
    let keys = Path::new(DATA).join("keys");
    let path: PathBuf = keys.join("log.keys");
    let mut bytes = medium.read(&path)?;
    let half = bytes.len() / 2;
    bytes.get_mut((1 - slot) * half..(2 - slot) * half)?.fill(0);
    medium.replace(&path, &bytes).ok()?;
    let layer = medium.layer();
    let box_key = BoxKey::load(&*layer, &keys, false).ok()?;
    KeyStore::peek(&*layer, &keys, &box_key).ok()
}
