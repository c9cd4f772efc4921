//! The kinds of faults.

use std::time::Duration;

use hob_faulty_disk::faults::{Ask, Effect, Faults, Rule};

/// As many as there are.
const FOR_GOOD: u64 = u64::MAX;

/// Sessions of the kinds that are sampled even in the long form: a session has thousands of reads.
const READS_SAMPLED: u64 = 60;

/// A kind of fault.
pub struct Kind {
    pub name: &'static str,
    asks: &'static [Ask],
    times: u64,
    effect: Effect,
    /// Whether the box cannot store anything until the fault is taken away.
    pub lasts: bool,
    /// How long a sync takes.
    pub sync_takes: Duration,
}

const WRITES: &[Ask] = &[Ask::Store];
const SYNCS: &[Ask] = &[Ask::Sync];
const READS: &[Ask] = &[Ask::Read];
const CHANGES: &[Ask] = &[Ask::Store, Ask::Change, Ask::Sync];

const fn kind(name: &'static str, asks: &'static [Ask], times: u64, effect: Effect) -> Kind {
    Kind { name, asks, times, effect, lasts: times == FOR_GOOD, sync_takes: Duration::ZERO }
}

pub const KINDS: &[Kind] = &[
    kind("full-once", WRITES, 1, Effect::NoSpace),
    kind("full", WRITES, FOR_GOOD, Effect::NoSpace),
    kind("sync-fails", SYNCS, 1, Effect::Broken),
    kind("sync-fails-and-forgets", SYNCS, 1, Effect::BrokenAndEvicted),
    kind("read-fails", READS, 1, Effect::Broken),
    kind("read-only", CHANGES, FOR_GOOD, Effect::ReadOnly),
    Kind {
        name: "slow",
        asks: &[],
        times: 0,
        effect: Effect::Broken,
        lasts: false,
        sync_takes: Duration::from_millis(200),
    },
];

impl Kind {
    /// The rule of a session: the n-th fails, the first being 0.
    pub fn rule(&self, at: u64) -> Rule {
        Rule::fail(self.asks, at, self.times, self.effect)
    }

    /// Where it strikes: everywhere, or at so many places evenly spread.
    pub fn places(&self, counts: &Faults, sessions: Option<u64>) -> Vec<u64> {
        let all = match self.asks {
            [] => return vec![0],
            [Ask::Store] => counts.stores,
            [Ask::Sync] => counts.syncs,
            [Ask::Read] => counts.reads,
            _ => counts.changes,
        };
        let sampled = if self.asks == READS || self.asks == CHANGES { READS_SAMPLED } else { all };
        let sessions = sessions.unwrap_or(sampled).clamp(1, all);
        (0..sessions).map(|session| (2 * session + 1) * all / (2 * sessions)).collect()
    }
}
