//! The log's life on a virtual disk: weeks of a box in seconds, with cuts, failing disks and damage, watched by an oracle.
//!
//! # Layout
//! - this file: one life from a seed, step by step, and what it counts.
//! - `oracle`: what must be true of the log, as a model of its promises.
//! - `attack`: damage that somebody or the medium does between a stop and a start.

mod attack;
mod oracle;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use hob_log::{DiskLog, EventLog as _, LogError, LogNotice, OpenError, Opened, Options};
use hob_protocol::frame::Urgency;
use hob_protocol::ids::{EnvelopeId, MailboxId};
use hob_relay::clock::{BoxTime, Checkpoint, LedgerTime, Now};
use hob_relay::event::{Append, LedgerEvent, disk};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

use crate::fault::Errno;
use crate::{Fault, How, On, VirtualDisk};
use oracle::Oracle;

/// The data folder.
pub(crate) const DATA: &str = "/srv/hob/box";

const MINUTE_MS: u64 = 60_000;

/// What a life consisted of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Steps.
    pub steps: u64,
    /// Box time that passed, in minutes.
    pub minutes: u64,
    /// Power cuts.
    pub cuts: u64,
    /// Starts.
    pub starts: u64,
    /// Commits that were answered.
    pub commits: u64,
    /// Commits that were refused.
    pub refused: u64,
    /// Envelopes that were accepted.
    pub accepted: u64,
    /// Of them, acknowledged or expired.
    pub ended: u64,
    /// Operations that the disk let fail.
    pub failed: u64,
    /// Damage that was done.
    pub damaged: u64,
    /// Windows that were told as lost.
    pub told: u64,
    /// Windows that were destroyed.
    pub destroyed: u64,
    /// Generations of the ledger.
    pub generations: u64,
    /// Changing operations of the disk.
    pub operations: u64,
    /// A hash of everything that was asked of the disks.
    pub trace: u64,
}

impl Counts {
    /// Adds another life's.
    pub const fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.minutes += other.minutes;
        self.cuts += other.cuts;
        self.starts += other.starts;
        self.commits += other.commits;
        self.refused += other.refused;
        self.accepted += other.accepted;
        self.ended += other.ended;
        self.failed += other.failed;
        self.damaged += other.damaged;
        self.told += other.told;
        self.destroyed += other.destroyed;
        self.generations += other.generations;
        self.operations += other.operations;
        self.trace = self.trace.rotate_left(7) ^ other.trace;
    }
}

/// A promise that was broken.
#[derive(Debug)]
pub struct Broken {
    /// The life's seed.
    pub seed: u64,
    /// In which step.
    pub step: u64,
    /// What is not as it must be.
    pub what: String,
    /// What happened, the last steps of it, in words.
    pub story: Vec<String>,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "seed {}, step {}: {}", self.seed, self.step, self.what)?;
        let skipped = self.story.len().saturating_sub(40);
        self.story.iter().skip(skipped).try_for_each(|line| writeln!(f, "  {line}"))
    }
}

type Checked = Result<(), String>;

/// Lives one life.
///
/// # Errors
/// [`Broken`] when the log broke a promise.
pub fn live(seed: u64, steps: u64) -> Result<Counts, Box<Broken>> {
    let mut life = Life::new(seed);
    let mut lived = life.start();
    while lived.is_ok() && life.counts.steps < steps {
        life.counts.steps += 1;
        lived = life.step();
    }
    let lived = lived.and_then(|()| life.ends());
    match lived {
        Ok(()) => Ok(life.counts),
        Err(what) => Err(Box::new(Broken { seed, step: life.counts.steps, what, story: life.story })),
    }
}

struct Life {
    seed: u64,
    dice: ChaCha8Rng,
    disk: VirtualDisk,
    log: Option<DiskLog>,
    oracle: Oracle,
    now_ms: u64,
    /// Some operations of the disk fail now.
    is_faulty: bool,
    /// Some of them are reads.
    cannot_read: bool,
    /// The power will go within the next operations.
    is_doomed: bool,
    next: u64,
    checkpoints: Vec<Checkpoint>,
    /// The box as it was at some moments: for damage.
    older: Option<VirtualDisk>,
    counts: Counts,
    story: Vec<String>,
}

/// How a box stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Clean,
    Killed,
    Cut(How),
}

fn is_power(error: &impl std::fmt::Debug) -> bool {
    format!("{error:?}").contains("the power is off")
}

impl Life {
    fn new(seed: u64) -> Self {
        Self {
            seed,
            dice: ChaCha8Rng::seed_from_u64(seed),
            disk: VirtualDisk::new(seed),
            log: None,
            oracle: Oracle::default(),
            now_ms: 0,
            is_faulty: false,
            cannot_read: false,
            is_doomed: false,
            next: 1,
            checkpoints: Vec::new(),
            older: None,
            counts: Counts::default(),
            story: Vec::new(),
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.dice.next_u64() % bound.max(1)
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    fn now(&self) -> Now {
        Now {
            box_time: BoxTime(self.now_ms),
            ledger_time: LedgerTime(self.now_ms),
            unix_ms: 1_790_000_000_000 + self.now_ms,
        }
    }

    fn tell(&mut self, what: impl Into<String>) {
        let line =
            format!("{:4} {:7.1} min  {}", self.counts.steps, self.now_ms as f64 / MINUTE_MS as f64, what.into());
        self.story.push(line);
    }

    fn passes(&mut self, ms: u64) {
        self.now_ms += ms;
        self.counts.minutes = self.now_ms / MINUTE_MS;
    }

    fn step(&mut self) -> Checked {
        let pass = match self.below(20) {
            0..=11 => self.below(60_000),
            12..=18 => self.below(10 * MINUTE_MS),
            _ => self.below(90 * MINUTE_MS),
        };
        self.passes(pass);
        self.tick()?;
        match self.below(100) {
            0..=54 => self.commit()?,
            55..=59 => self.flush()?,
            60..=64 => self.checkpoint()?,
            65..=67 => self.compact()?,
            68..=79 => self.read_some()?,
            80..=81 => self.restart(Stop::Clean)?,
            82..=83 => self.restart(Stop::Killed)?,
            84..=87 => self.doom(),
            88..=89 => {
                let how = self.how();
                self.restart(Stop::Cut(how))?;
            }
            90..=93 => self.break_disk(),
            94..=95 => self.older = Some(self.disk.fork(self.seed ^ self.counts.steps)),
            _ => self.mend_disk()?,
        }
        if self.disk.is_off() {
            let how = self.how();
            self.restart(Stop::Cut(how))?;
        }
        Ok(())
    }

    /// After the faults end, everything works again; and a last start finds everything.
    fn ends(&mut self) -> Checked {
        self.mend_disk()?;
        if self.disk.is_off() || self.is_doomed {
            self.restart(Stop::Cut(How::Pessimistic))?;
        }
        self.commit()?;
        self.restart(Stop::Clean)?;
        self.counts.operations += self.disk.operations();
        Ok(())
    }

    fn how(&mut self) -> How {
        if self.one_in(3) { How::Pessimistic } else { How::Adversarial }
    }

    fn doom(&mut self) {
        let operations = self.below(40);
        self.tell(format!("the power will go after {operations} operations"));
        self.disk.stop_after(operations);
        self.is_doomed = true;
    }

    fn break_disk(&mut self) {
        let kind = self.below(8);
        match kind {
            0 => self.disk.set_full(true),
            1 => self.disk.set_read_only(true),
            _ => {
                let on = [On::Sync, On::Sync, On::Write, On::Read, On::Name][self.below(5) as usize];
                let errno = if on == On::Write && self.one_in(2) { Errno::NoSpace } else { Errno::Io };
                let name = [None, Some("journal"), Some("log.keys"), Some("mark")][self.below(4) as usize];
                let fault = Fault {
                    on,
                    name,
                    after: self.below(6),
                    times: 1 + self.below(3),
                    errno,
                    forgets: on == On::Sync && self.one_in(2),
                };
                self.tell(format!("the disk will fail: {fault:?}"));
                self.cannot_read |= on == On::Read;
                self.disk.fail(fault);
            }
        }
        if kind < 2 {
            self.tell(["the disk is full", "the disk is read-only"][kind as usize]);
        }
        self.is_faulty = true;
    }

    fn mend_disk(&mut self) -> Checked {
        if self.is_faulty {
            self.disk.heal();
            (self.is_faulty, self.cannot_read) = (false, false);
            self.tell("the disk is well again");
        }
        if !self.is_doomed {
            self.tick()?;
            self.commit()?;
        }
        Ok(())
    }

    /// An error is only right when the disk gave one, or the power went.
    fn allow<T>(&mut self, doing: &str, result: Result<T, LogError>) -> Result<Option<T>, String> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                let text = format!("{error:?}");
                self.tell(format!("{doing}: refused: {text}"));
                let is_excused = self.is_faulty || self.disk.is_off() || is_power(&error);
                if is_excused { Ok(None) } else { Err(format!("{doing} fails on a disk that is well: {text}")) }
            }
        }
    }

    fn commit(&mut self) -> Checked {
        let mut batch = Vec::new();
        let mut numbers = Vec::new();
        for _ in 0..self.below(5) {
            let number = self.next;
            self.next += 1;
            let bytes = if self.one_in(12) { 65_536 } else { 2048 << (self.below(8) / 6) };
            let deadline = self.now().box_time.plus(Duration::from_secs(30 + self.below(330 * 60)));
            let envelope = oracle::Envelope::new(number, bytes, deadline, self.now_ms);
            batch.push(envelope.append());
            numbers.push(envelope);
        }
        let mut ended = Vec::new();
        for _ in 0..self.below(6) {
            let pick = self.dice.next_u64();
            if let Some((number, place)) = self.oracle.pending_place(pick)
                && !ended.contains(&number)
            {
                ended.push(number);
                let is_expiry = self.one_in(4);
                batch.push(if is_expiry { Append::Expire { place } } else { Append::Acknowledge { place } });
            }
        }
        let mut events = Vec::new();
        for _ in 0..self.below(8).saturating_sub(5) {
            events.push(self.ledger_event());
        }
        batch.extend(events.iter().cloned().map(Append::Ledger));
        self.hand_over(&batch, numbers, &ended, &events)
    }

    fn hand_over(
        &mut self,
        batch: &[Append],
        envelopes: Vec<oracle::Envelope>,
        ended: &[u64],
        events: &[LedgerEvent],
    ) -> Checked {
        let now = self.now();
        let Some(log) = &mut self.log else { return Ok(()) };
        let result = log.commit(now, batch);
        // What is not awaited is never refused.
        self.oracle.end(ended);
        self.counts.ended += ended.len() as u64;
        let first = envelopes.first().map(|envelope| envelope.number);
        self.tell(format!(
            "commit: {} envelopes from {first:?}, ends {ended:?}, {} events",
            envelopes.len(),
            events.len()
        ));
        match self.allow("a commit", result)? {
            Some(places) => {
                self.counts.commits += 1;
                self.counts.accepted += places.len() as u64;
                if places.len() != envelopes.len() {
                    return Err(format!("{} envelopes have {} places", envelopes.len(), places.len()));
                }
                let stats = self.log.as_ref().map(|log| log.stats()).unwrap_or_default();
                self.oracle.accepted(envelopes, &places, &stats)?;
                self.oracle.ledger_written(events, true);
            }
            None => {
                self.counts.refused += 1;
                self.oracle.unsure(envelopes);
                self.oracle.ledger_written(events, false);
            }
        }
        Ok(())
    }

    fn ledger_event(&mut self) -> LedgerEvent {
        let number = self.below(40) as u8;
        let id = Bytes::from(vec![number; 16]);
        match self.below(4) {
            0 => LedgerEvent::MemberRemoved(disk::MemberRemoved { id }),
            1 => LedgerEvent::Bundle(disk::Bundle {
                mailbox: id,
                bundle: vec![number; 3000].into(),
                expires_at_ms: self.dice.next_u64(),
            }),
            _ => LedgerEvent::Member(disk::Member {
                id,
                label: format!("member {}", self.dice.next_u32()),
                joined_at_s: self.now_ms / 1000,
            }),
        }
    }

    fn flush(&mut self) -> Checked {
        self.hand_over(&[], Vec::new(), &[], &[])
    }

    fn checkpoint(&mut self) -> Checked {
        let now = self.now();
        let stored =
            Checkpoint { box_time: now.box_time, ledger_time: now.ledger_time, unix_ms: now.unix_ms, boot: None };
        let Some(log) = &mut self.log else { return Ok(()) };
        let result = log.checkpoint(stored);
        if self.allow("a checkpoint", result)?.is_some() {
            self.checkpoints.clear();
            self.oracle.has_checkpoint = true;
        }
        self.checkpoints.push(stored);
        Ok(())
    }

    fn compact(&mut self) -> Checked {
        let now = self.now();
        let Some(log) = &mut self.log else { return Ok(()) };
        let result = log.compact(now);
        self.tell("compact");
        if self.allow("a compaction", result)?.is_some() {
            self.counts.generations += 1;
            // Keys go first: a folder that could not be removed after them is the next start's to remove.
            if !self.disk.is_off() && !self.is_faulty {
                self.oracle.check_generations(&self.disk)?;
            }
        }
        Ok(())
    }

    fn tick(&mut self) -> Checked {
        let now = self.now();
        let Some(log) = &mut self.log else { return Ok(()) };
        let result = log.tick(now);
        let stats = log.stats();
        let Some(notices) = self.allow("a tick", result)? else { return Ok(()) };
        if self.is_faulty {
            return Ok(());
        }
        self.oracle.check_stats(&stats, self.now_ms)?;
        let mut destroys = false;
        for notice in notices {
            match notice {
                LogNotice::BodyKeyDestroyed { window } => {
                    destroys = true;
                    self.oracle.body_key_destroyed(window)?;
                }
                LogNotice::WindowDestroyed { window, .. } => {
                    destroys = true;
                    self.counts.destroyed += 1;
                    self.tell(format!("window {window} is destroyed"));
                }
                _ => {}
            }
        }
        if destroys && !self.disk.is_off() {
            self.oracle.check_keys(&self.disk, &stats, self.now_ms)?;
        }
        Ok(())
    }

    fn read_some(&mut self) -> Checked {
        let Some(log) = &self.log else { return Ok(()) };
        let reader = log.reader();
        let picks = [self.dice.next_u64(), self.dice.next_u64()];
        let is_excused = self.is_faulty || self.disk.is_off();
        self.oracle.check_reading(&*reader, &picks, self.now_ms, is_excused)
    }

    fn restart(&mut self, stop: Stop) -> Checked {
        self.tell(format!("stop: {stop:?}"));
        if stop == Stop::Clean
            && let Some(log) = &mut self.log
        {
            let result = log.close();
            // A disk that takes nothing keeps no acknowledgement either: it costs a repeated push.
            if self.allow("a clean stop", result)?.is_some() && !self.is_faulty {
                self.oracle.closed();
            }
        }
        self.log = None;
        let seed = self.dice.next_u64();
        if let Stop::Cut(how) = stop {
            self.counts.cuts += 1;
            self.replace_disk(|disk| disk.cut(how, seed));
        } else if self.disk.is_off() {
            return self.restart(Stop::Cut(How::Adversarial));
        }
        let off = if self.one_in(12) { self.below(8 * 60 * MINUTE_MS) } else { self.below(10 * MINUTE_MS) };
        self.passes(off);
        let is_quiet = !self.is_faulty && !self.is_doomed && !matches!(stop, Stop::Cut(_));
        if is_quiet && self.one_in(3) {
            self.attack()?;
        }
        self.start()
    }

    fn replace_disk(&mut self, next: impl FnOnce(&VirtualDisk) -> VirtualDisk) {
        let after = next(&self.disk);
        self.counts.operations += self.disk.operations();
        self.counts.failed += self.disk.failed();
        self.counts.trace = self.counts.trace.rotate_left(5) ^ self.disk.trace();
        self.disk = after;
        (self.is_faulty, self.cannot_read) = (false, false);
        self.is_doomed = false;
    }

    fn attack(&mut self) -> Checked {
        let now = self.now();
        let attack = attack::choose(&mut self.dice, &self.disk, self.older.as_ref(), now, &mut self.next);
        if let Some(done) = attack {
            self.tell(format!("damage: {} in window {:?}", done.what, done.window));
            self.counts.damaged += 1;
            self.oracle.damaged(done);
        }
        Ok(())
    }

    fn start(&mut self) -> Checked {
        if self.cannot_read {
            // What a start cannot read it takes for lost: another promise than this oracle's.
            self.disk.heal();
            (self.is_faulty, self.cannot_read) = (false, false);
        }
        loop {
            self.counts.starts += 1;
            match self.open() {
                Ok(opened) => return self.started(opened),
                Err(error) => {
                    self.tell(format!("a start is refused: {error:?}"));
                    if self.disk.is_off() {
                        let (how, seed) = (self.how(), self.dice.next_u64());
                        self.counts.cuts += 1;
                        self.replace_disk(|disk| disk.cut(how, seed));
                    } else if self.is_faulty {
                        self.disk.heal();
                        (self.is_faulty, self.cannot_read) = (false, false);
                    } else {
                        return Err(format!("a start is refused on a disk that is well: {error:?}"));
                    }
                }
            }
        }
    }

    fn open(&self) -> Result<Opened, OpenError> {
        let options = Options { files: self.disk.layer(), has_events: false, ..Options::new(DATA) };
        let now = self.now();
        DiskLog::open(options, |_| now)
    }

    fn started(&mut self, opened: Opened) -> Checked {
        let lost: Vec<u32> = opened.lost_windows.iter().map(|lost| lost.number).collect();
        self.tell(format!("start: {} pending, {} known, lost {lost:?}", opened.pending.len(), opened.known.len()));
        self.counts.told += opened.lost_windows.iter().filter(|lost| lost.is_new).count() as u64;
        self.check_checkpoint(opened.checkpoint)?;
        let excused = self.disk.is_off();
        self.oracle.check_start(&opened, self.now_ms, excused)?;
        if !excused && !self.is_faulty {
            self.oracle.check_generations(&self.disk)?;
            self.oracle.check_keys(&self.disk, &opened.log.stats(), self.now_ms)?;
        }
        if self.one_in(4) && !self.is_doomed && !self.is_faulty && !excused {
            return self.look_twice(opened);
        }
        self.log = Some(opened.log);
        Ok(())
    }

    /// The next start finds what this one left: nothing torn, nothing damaged that was not told.
    fn look_twice(&mut self, opened: Opened) -> Checked {
        let told: Vec<u32> = opened.lost_windows.iter().map(|lost| lost.number).collect();
        drop(opened);
        let verdicts =
            hob_log::verify_on(&*self.disk.layer(), Path::new(DATA)).map_err(|error| format!("{error:?}"))?;
        for verdict in &verdicts {
            if verdict.torn_bytes > 0 && !self.oracle.is_damaged(verdict.log) {
                return Err(format!("a torn tail is still there after a start: {verdict:?}"));
            }
            if verdict.is_damaged() && !self.oracle.is_damaged(verdict.log) {
                return Err(format!("there is damage that nobody did and no start told: {verdict:?}"));
            }
        }
        let again = self.open().map_err(|error| format!("the next start is refused: {error:?}"))?;
        self.counts.starts += 1;
        let still: Vec<u32> = again.lost_windows.iter().map(|lost| lost.number).collect();
        if again.report.cut_tails > 0 || still.iter().any(|number| !told.contains(number)) {
            return Err(format!("two starts in a row do not agree: told {told:?}, then {still:?}, {:?}", again.report));
        }
        self.oracle.check_start(&again, self.now_ms, false)?;
        self.log = Some(again.log);
        Ok(())
    }

    fn check_checkpoint(&mut self, found: Option<Checkpoint>) -> Checked {
        let is_known = found.is_some_and(|found| self.checkpoints.contains(&found));
        if !is_known && self.oracle.has_checkpoint {
            return Err(format!("the clock was stored as one of {:?} and is {found:?}", self.checkpoints));
        }
        if is_known {
            self.checkpoints = found.into_iter().collect();
            self.oracle.has_checkpoint = true;
        }
        Ok(())
    }
}

/// The mailbox, id and urgency of an envelope's number.
fn names_of(number: u64) -> (MailboxId, EnvelopeId, Urgency) {
    let mut id = [0x1d; 32];
    for (place, byte) in id.iter_mut().zip(number.to_le_bytes()) {
        *place = byte;
    }
    let urgency = if number.is_multiple_of(3) { Urgency::Wake } else { Urgency::Quiet };
    (MailboxId([(number % 7) as u8; 16]), EnvelopeId(id), urgency)
}
