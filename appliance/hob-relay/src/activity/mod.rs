//! Unusual activity: what was refused lately, compared with the box's own last day.
//!
//! Counters in memory, by kind and ten minutes; for the last hour also by place, of which the heaviest are kept. A place
//! is a keyed hash of an address' prefix under a key of this start: it tells places apart and leads back to none without
//! that key. Neither leaves memory; what does is a [`Snapshot`] of numbers, and sentences made from it.
//!
//! It stands here beside the gate because it is like it: rules without I/O, to be simulated over days. The shell, which
//! alone knows addresses, feeds it with what the relay refused and what broke off before.
//!
//! # Layout
//! - this file: [`Activity`], what is counted and for how long.
//! - `heavy`: the heaviest places in bounded memory.
//! - `sentences`: what the keeper reads.

mod heavy;
mod sentences;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use hob_protocol::code::Code;
use hob_protocol::frame::ServerBody;

use crate::activity::heavy::Heavy;
pub use crate::activity::sentences::{Sentence, sentences};
use crate::gate::Prefix;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A delivery token that is unknown, revoked or expired.
    Token,
    /// An invitation that is unknown, used or wrong.
    Join,
    /// A proof or session that is not good.
    Proof,
    /// A connection that spoke and broke off before it was encrypted.
    Handshake,
    /// A bundle that was fetched, with a good token.
    Fetch,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Token, Self::Join, Self::Proof, Self::Handshake, Self::Fetch];

    /// Its name for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Join => "join",
            Self::Proof => "proof",
            Self::Handshake => "handshake",
            Self::Fetch => "fetch",
        }
    }

    /// What a refusal counts as, if it counts: quotas and a full disk are nobody's attempt.
    pub const fn of_refusal(code: Code) -> Option<Self> {
        match code {
            Code::NoSuchToken => Some(Self::Token),
            Code::NoSuchInvitation => Some(Self::Join),
            Code::BadProof | Code::NotAMember | Code::ExporterMissing => Some(Self::Proof),
            _ => None,
        }
    }

    /// What an answer counts as, if it counts.
    pub fn of_answer(body: &ServerBody) -> Option<Self> {
        match body {
            ServerBody::Bundle { .. } => Some(Self::Fetch),
            ServerBody::Error { code, .. } => Code::from_number(*code).and_then(Self::of_refusal),
            _ => None,
        }
    }
}

/// Where something comes from, told apart from other places and no more. Memory only.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place(u64);

impl Place {
    /// The place of a prefix, under a random key of this start.
    pub fn of(prefix: Prefix, key: &[u8; 32]) -> Self {
        let hash = blake3::keyed_hash(key, &prefix.bytes());
        let (first, _) = hash.as_bytes().split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        Self(u64::from_le_bytes(*first))
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("Place(…)")
    }
}

/// How long one counter counts.
const SLOT: Duration = Duration::from_secs(600);

/// Counters of an hour.
const HOUR_SLOTS: u64 = 6;

/// Counters of the day before it.
const DAY_SLOTS: u64 = 24 * HOUR_SLOTS;

/// From how many places something came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Places {
    /// From none: nothing happened.
    None,
    /// All of it, or nearly all, from one.
    One,
    /// From so many.
    Some(usize),
    /// From more than are told apart.
    Many,
}

/// One kind, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Which.
    pub kind: Kind,
    /// In the last hour.
    pub last_hour: u64,
    /// In the day before that hour.
    pub day_before: u64,
    /// In the middle one of that day's hours, by count: what is usual.
    pub usual_hour: u64,
    /// Where the last hour's came from.
    pub places: Places,
}

/// All kinds, in numbers. Names nobody and no place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// How long the box has counted before the last hour: a day at most.
    pub compared_with: Duration,
    /// Kind by kind.
    pub seen: Vec<Seen>,
}

#[derive(Debug, Default)]
struct Series {
    /// Ten minutes each, oldest first, with their places: of the last hour.
    recent: VecDeque<(u64, Heavy)>,
    /// The day before: only how much.
    older: VecDeque<(u64, u64)>,
}

/// What happened lately.
#[derive(Debug)]
pub struct Activity {
    began: u64,
    series: [Series; Kind::ALL.len()],
}

fn slot_of(now: Duration) -> u64 {
    now.as_secs() / SLOT.as_secs()
}

impl Activity {
    /// Nothing happened yet. `now` is a monotone time, here and below.
    pub fn new(now: Duration) -> Self {
        Self { began: slot_of(now), series: Default::default() }
    }

    /// Something happened.
    pub fn note(&mut self, now: Duration, kind: Kind, place: Place) {
        let slot = slot_of(now);
        let Some(series) = self.series.get_mut(kind as usize) else { return };
        series.forget(slot);
        match series.recent.back_mut() {
            Some((newest, heavy)) if *newest >= slot => heavy.add(place.0),
            _ => {
                let mut heavy = Heavy::default();
                heavy.add(place.0);
                series.recent.push_back((slot, heavy));
            }
        }
    }

    /// How it stands.
    pub fn snapshot(&mut self, now: Duration) -> Snapshot {
        let slot = slot_of(now);
        let hours = (slot.saturating_sub(self.began + HOUR_SLOTS - 1) / HOUR_SLOTS).min(24);
        let ran = slot.saturating_sub(self.began).saturating_sub(HOUR_SLOTS - 1).min(DAY_SLOTS);
        let seen = Kind::ALL.into_iter().zip(&mut self.series).map(|(kind, series)| {
            series.forget(slot);
            series.seen(kind, slot, hours)
        });
        Snapshot { seen: seen.collect(), compared_with: SLOT * u32::try_from(ran).unwrap_or(u32::MAX) }
    }

    /// What it takes at most, in bytes, whatever comes.
    pub const fn memory_bytes_max() -> usize {
        let recent = (HOUR_SLOTS as usize).next_power_of_two() * (8 + Heavy::bytes_max());
        let older = (DAY_SLOTS as usize).next_power_of_two() * 16;
        Kind::ALL.len() * (size_of::<Series>() + recent + older)
    }

    #[cfg(test)]
    fn memory_bytes(&self) -> usize {
        let of = |series: &Series| {
            let recent: usize = series.recent.iter().map(|(_, heavy)| heavy.memory_bytes()).sum();
            size_of::<Series>() + recent + series.recent.capacity() * 8 + series.older.capacity() * 16
        };
        self.series.iter().map(of).sum()
    }
}

impl Series {
    /// What is older than an hour is only a number; what is older than a day before that, nothing.
    fn forget(&mut self, slot: u64) {
        while let Some((oldest, heavy)) = self.recent.front()
            && *oldest + HOUR_SLOTS <= slot
        {
            self.older.push_back((*oldest, heavy.total()));
            self.recent.pop_front();
        }
        while let Some((oldest, _)) = self.older.front()
            && *oldest + HOUR_SLOTS + DAY_SLOTS <= slot
        {
            self.older.pop_front();
        }
    }

    fn seen(&self, kind: Kind, slot: u64, hours: u64) -> Seen {
        let last_hour = self.recent.iter().map(|(_, heavy)| heavy.total()).sum();
        let mut by_hour = vec![0_u64; usize::try_from(hours).unwrap_or(0)];
        for (of, count) in &self.older {
            // How many whole hours before the last one this was.
            let back = (slot.saturating_sub(*of).saturating_sub(HOUR_SLOTS)) / HOUR_SLOTS;
            if let Some(hour) = usize::try_from(back).ok().and_then(|back| by_hour.get_mut(back)) {
                *hour += count;
            }
        }
        by_hour.sort_unstable();
        Seen {
            kind,
            last_hour,
            day_before: self.older.iter().map(|(_, count)| count).sum(),
            usual_hour: by_hour.get(by_hour.len() / 2).copied().unwrap_or(0),
            places: self.places(last_hour),
        }
    }

    fn places(&self, last_hour: u64) -> Places {
        let mut surely: HashMap<u64, u64> = HashMap::new();
        let mut all_known = true;
        for (_, heavy) in &self.recent {
            all_known &= heavy.knows_all();
            for (place, at_least) in heavy.places() {
                *surely.entry(place).or_default() += at_least;
            }
        }
        let heaviest = surely.values().copied().max().unwrap_or(0);
        match surely.len() {
            0 => Places::None,
            _ if heaviest.saturating_mul(10) >= last_hour.saturating_mul(9) => Places::One,
            count if all_known => Places::Some(count),
            _ => Places::Many,
        }
    }
}
