//! A box: the real rules over a log, with the engine's part played one event at a time.
//!
//! The engine proper is a task with threads around it; what it does is done here in the same order: appends of a turn go to
//! one commit, a commit takes its time, and only then its tickets are reported durable.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use hob_log::LogNotice;
use hob_protocol::address::{Address, AddressRecord};
use hob_protocol::ids::{BoxIdentity, EnvelopeId, TokenHash};
use hob_protocol::transcript::{self, Exporter};
use hob_relay::admin::Ask;
use hob_relay::clock::{Boot, BoxClock, BoxTime, Checkpoint, Machine, Now, TimeSource, TimeVotes};
use hob_relay::event::{Append, LedgerEvent, Pending, Place};
use hob_relay::quota::Config;
use hob_relay::{Effects, Input, Relay, Ticket};

use crate::chance::Chance;
use crate::plan::Wall;
use crate::store::Store;

/// When the simulation begins, Unix time in milliseconds.
pub const BEGINNING_UNIX_MS: u64 = 1_790_000_000_000;

/// What every box shows as its certificate's key.
pub const SPKI: &[u8] = b"a certificate's key";

/// How often the log looks at its windows and the clock is stored.
pub const BEAT_MS: u64 = 60_000;

/// A box, running or not.
pub struct SimBox {
    /// Its identity.
    pub key: SigningKey,
    /// Where clients find it.
    pub address: Address,
    /// Quotas.
    pub config: Config,
    /// Its disk.
    pub store: Store,
    /// What runs, if it does.
    pub run: Option<Run>,
    /// Runs so far.
    pub runs: u64,
    wall: WallClock,
    stopped_wall_ms: u64,
    chance: Chance,
}

/// One run of a box.
pub struct Run {
    /// The rules.
    pub relay: Relay,
    clock: BoxClock,
    votes: TimeVotes,
    batch: Vec<(Ticket, Append)>,
    /// A commit is under way.
    pub committing: bool,
    /// When it came up, in true milliseconds.
    pub started_ms: u64,
    dropped_unconfirmed: bool,
    next_request: u64,
}

/// What the wall shows: the truth and an error, or a time at which it stands.
#[derive(Debug, Clone, Copy)]
struct WallClock {
    off_ms: i64,
}

impl WallClock {
    fn unix_ms(self, true_ms: u64) -> u64 {
        (BEGINNING_UNIX_MS + true_ms).saturating_add_signed(self.off_ms)
    }
}

/// What a commit came to.
pub enum Committed {
    /// Stored; where the accepted envelopes lie.
    Well(Vec<Append>, Ticket, Vec<Place>),
    /// Refused.
    Badly(Vec<Append>, Ticket),
    /// There was nothing to commit.
    Nothing,
    /// In the middle of it the power went.
    PowerWent,
}

impl SimBox {
    /// A new box that was never switched on.
    pub fn new(seed: u64, number: usize, small_quotas: bool) -> Option<Self> {
        let mut chance = Chance::new(seed, "box", number as u64);
        let defaults = Config::default();
        let config = if small_quotas {
            Config {
                mailbox_envelopes: 40,
                mailbox_small_places: 8,
                mailbox_bytes: 256 << 10,
                token_burst: 32,
                token_per_second: 2,
                credit_max: 4,
                ..defaults
            }
        } else {
            defaults
        };
        Some(Self {
            key: SigningKey::from_bytes(&chance.bytes()),
            address: Address::parse(&format!("box{number}.example:8443")).ok()?,
            config,
            store: Store::new(chance.number()),
            run: None,
            runs: 0,
            wall: WallClock { off_ms: 0 },
            stopped_wall_ms: 0,
            chance,
        })
    }

    /// What clients pin.
    pub fn identity(&self) -> BoxIdentity {
        BoxIdentity(self.key.verifying_key().to_bytes())
    }

    /// Starts. Returns what the rules were handed, the time, and what must follow.
    ///
    /// # Errors
    /// The log refuses to open.
    pub fn start(&mut self, true_ms: u64, wall: Wall) -> Result<(Handed, Now, Effects), String> {
        let truth = BEGINNING_UNIX_MS + true_ms;
        let shown = match wall {
            Wall::Right => truth,
            // The system wrote its time down some seconds after the box did.
            Wall::Stands => self.stopped_wall_ms + 5_000,
            Wall::Lost => 0,
            Wall::Ahead(hours) => truth + hours * 3_600_000,
        };
        self.wall.off_ms = i64::try_from(i128::from(shown) - i128::from(truth)).unwrap_or(0);
        let (monotone, unix_ms) = (Duration::from_millis(true_ms), self.wall.unix_ms(true_ms));
        let machine = Machine {
            boot: Some(Boot(self.runs)),
            // A clock that stood has nothing that runs without power beside it.
            keeps_time_when_off: matches!(wall, Wall::Right | Wall::Ahead(_)),
        };
        let started = self.store.start(|checkpoint| {
            let mut clock = BoxClock::start(checkpoint, machine, monotone, unix_ms);
            let now = clock.now(monotone, unix_ms);
            (clock, now)
        })?;
        let mut clock = started.clock;
        let now = clock.now(monotone, unix_ms);
        let handed = Handed {
            pending: started.restored.pending.iter().map(|pending| (pending.id, *pending)).collect(),
            known: started.restored.known.iter().map(|known| known.id).collect(),
            lost_windows: started.restored.lost_windows.clone(),
            damaged: started.damaged,
            ledger_lost: started.ledger_lost,
            tokens: started.restored.ledger.iter().filter_map(token_of).collect(),
        };
        let seed = self.chance.bytes();
        let (relay, effects) = Relay::start(self.config.clone(), self.identity(), seed, now, started.restored);
        self.runs += 1;
        self.run = Some(Run {
            relay,
            clock,
            votes: TimeVotes::default(),
            batch: Vec::new(),
            committing: false,
            started_ms: true_ms,
            dropped_unconfirmed: false,
            next_request: 0,
        });
        Ok((handed, now, effects))
    }

    /// The signature of its hello.
    pub fn sign_hello(&self, exporter: &Exporter) -> Bytes {
        transcript::server(exporter, SPKI).sign(&self.key).to_vec().into()
    }

    /// What it says of its addresses.
    pub fn addresses(&self) -> AddressRecord {
        let sequence = self.run.as_ref().map_or(1, |run| run.relay.address_sequence() + 1);
        AddressRecord::sign(&self.key, vec![self.address.clone()], sequence, u64::MAX)
    }

    /// The time now, while it runs.
    pub fn now(&mut self, true_ms: u64) -> Option<Now> {
        let wall = self.wall.unix_ms(true_ms);
        self.run.as_mut().map(|run| run.clock.now(Duration::from_millis(true_ms), wall))
    }

    /// Something happens to the rules.
    pub fn input(&mut self, true_ms: u64, input: Input) -> Option<(Now, Effects)> {
        let now = self.now(true_ms)?;
        let run = self.run.as_mut()?;
        Some((now, run.relay.handle_input(now, input)))
    }

    /// Notes an append for the next commit.
    pub fn take(&mut self, ticket: Ticket, append: Append) {
        if let Some(run) = &mut self.run {
            run.batch.push((ticket, append));
        }
    }

    /// Whether somebody waits for the next commit; `None`: there is nothing to commit.
    pub fn wants_commit(&self) -> Option<bool> {
        let run = self.run.as_ref().filter(|run| !run.committing && !run.batch.is_empty())?;
        Some(run.batch.iter().any(|(_, append)| append.is_awaited()))
    }

    /// Everything asked for goes to the log.
    pub fn commit(&mut self, true_ms: u64) -> Committed {
        let Some(now) = self.now(true_ms) else { return Committed::Nothing };
        let Some(run) = &mut self.run else { return Committed::Nothing };
        run.committing = false;
        let Some(&(up_to, _)) = run.batch.last() else { return Committed::Nothing };
        let batch: Vec<Append> = std::mem::take(&mut run.batch).into_iter().map(|(_, append)| append).collect();
        let Some(log) = self.store.log() else { return Committed::Nothing };
        let result = log.commit(now, &batch);
        if self.store.is_off() {
            return Committed::PowerWent;
        }
        match result {
            Ok(places) => Committed::Well(batch, up_to, places),
            Err(_) => Committed::Badly(batch, up_to),
        }
    }

    /// What is due in the log is done, and the clock is stored.
    pub fn beat(&mut self, true_ms: u64) -> Vec<LogNotice> {
        let Some(now) = self.now(true_ms) else { return Vec::new() };
        let (monotone, wall) = (Duration::from_millis(true_ms), self.wall.unix_ms(true_ms));
        let Some(run) = &mut self.run else { return Vec::new() };
        let Some(log) = self.store.log() else { return Vec::new() };
        let mut notices = log.tick(now).unwrap_or_default();
        if run.clock.old_windows_until().is_some_and(|until| until <= now.box_time) && !run.dropped_unconfirmed {
            run.dropped_unconfirmed = true;
            notices.extend(log.destroy_windows_opened_before(run.clock.started_at()).unwrap_or_default());
        }
        let checkpoint = run.clock.checkpoint(monotone, wall);
        self.stopped_wall_ms = wall;
        self.checkpoint(checkpoint);
        notices
    }

    fn checkpoint(&mut self, checkpoint: Checkpoint) {
        // One that cannot be stored leaves the earlier one: the next start charges more.
        if let Some(log) = self.store.log() {
            let _ = log.checkpoint(checkpoint);
        }
    }

    /// A member's device told its time.
    pub fn time_told(&mut self, true_ms: u64, source: TimeSource, unix_ms: u64) {
        let (monotone, wall) = (Duration::from_millis(true_ms), self.wall.unix_ms(true_ms));
        let Some(run) = self.run.as_mut().filter(|run| !run.clock.is_confirmed()) else { return };
        let _ = run.votes.vote(TimeSource::WallClock, monotone, wall);
        if let Some(agreed) = run.votes.vote(source, monotone, unix_ms) {
            run.clock.confirm(monotone, agreed);
        }
    }

    /// Whether mail from before the start is served although nobody knows its age.
    pub fn serves_unconfirmed(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.clock.old_windows_until().is_some() && !run.dropped_unconfirmed)
    }

    /// The keeper asks.
    pub fn ask(&mut self, true_ms: u64, ask: Ask) -> Option<(u64, Now, Effects)> {
        let request = {
            let run = self.run.as_mut()?;
            run.next_request += 1;
            run.next_request
        };
        let (now, effects) = self.input(true_ms, Input::Admin { request, ask })?;
        Some((request, now, effects))
    }

    /// It stops as it should: everything that was asked for is in the log already.
    pub fn stop(&mut self, true_ms: u64) {
        let (monotone, wall) = (Duration::from_millis(true_ms), self.wall.unix_ms(true_ms));
        if let Some(run) = &mut self.run {
            let checkpoint = run.clock.checkpoint(monotone, wall);
            self.checkpoint(checkpoint);
        }
        self.store.close();
        self.goes();
    }

    /// Its power fails.
    pub fn cut(&mut self) {
        self.store.cut();
        self.goes();
    }

    fn goes(&mut self) {
        self.run = None;
    }

    /// Its wall clock jumps.
    pub fn jump(&mut self, by_ms: i64) {
        self.wall.off_ms = self.wall.off_ms.saturating_add(by_ms);
    }

    /// The keeper compacts; whether that went well.
    pub fn compact(&mut self, true_ms: u64) -> bool {
        let Some(now) = self.now(true_ms) else { return false };
        self.store.log().is_some_and(|log| log.compact(now).is_ok())
    }

    /// Reads a body back.
    pub fn read(&mut self, place: Place) -> Option<Bytes> {
        self.store.log()?.reader().read(place).ok()
    }

    /// How many windows there are, and how old in box time the oldest is.
    pub fn windows(&mut self, now: BoxTime) -> (usize, Duration) {
        let Some(log) = self.store.log() else { return (0, Duration::ZERO) };
        let stats = log.stats();
        let oldest = stats.windows.iter().map(|window| now.since(window.opened)).max().unwrap_or_default();
        (stats.windows.len(), oldest)
    }
}

/// What the rules were handed by a start.
pub struct Handed {
    /// Pending envelopes.
    pub pending: Vec<(EnvelopeId, Pending)>,
    /// Ids that are done.
    pub known: BTreeSet<EnvelopeId>,
    /// Windows that are lost.
    pub lost_windows: Vec<(u32, u64)>,
    /// Of them, those of which something is there still.
    pub damaged: u64,
    /// Tokens that the ledger knows.
    pub tokens: BTreeSet<TokenHash>,
    /// Records of it that are lost, as it says.
    pub ledger_lost: u64,
}

fn token_of(event: &LedgerEvent) -> Option<TokenHash> {
    match event {
        LedgerEvent::Token(token) => TokenHash::try_from(&token.hash[..]).ok(),
        _ => None,
    }
}
