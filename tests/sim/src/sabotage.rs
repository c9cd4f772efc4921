//! Planted faults: the list of them, and how long each lives before a world shows it.

use std::time::Duration;

use hob_protocol::sabotage::plant;

use crate::plan::Plan;
use crate::world::World;

/// Faults in the rules, the client and the log, by the names at their places.
pub const FAULTS: &[&str] = &[
    // hob-relay
    "answer-before-append",
    "push-before-durable",
    "failed-commit-answered",
    "deadline-off-by-one",
    "expired-late",
    "dedupe-forgotten",
    "ids-forgotten-at-start",
    "token-not-charged",
    "token-share-ignored",
    "quota-off-by-one",
    "revoked-token-accepted",
    "tokens-revoked-by-others",
    "bundle-fetch-unbounded",
    "acknowledged-for-others",
    "credit-leak",
    "credit-ignored",
    "newest-first",
    "owner-not-forgotten",
    "epoch-not-renewed",
    // hob-client
    "saved-late",
    "outbox-forgets",
    "sent-again-while-kept",
    "receipt-not-again",
    "message-id-unchecked",
    "siblings-not-told",
    "shown-not-saved",
    "prekeys-die-early",
    // hob-log
    "answer-before-sync",
    "failed-sync-taken-as-written",
    "destroyed-late",
    "overdue-at-start-kept",
    "window-key-not-destroyed",
    "body-key-destroyed-while-pending",
    "acknowledgement-not-written",
    "removal-forgotten",
    "clock-not-synced",
    "folder-not-synced-after-rename",
];

/// What came of one.
#[derive(Debug, Clone)]
pub struct Hunt {
    /// Which.
    pub name: &'static str,
    /// The world that showed it, and the promise that it broke; `None`: none did.
    pub caught: Option<(u64, &'static str)>,
    /// Worlds that ran.
    pub worlds: u64,
    /// CPU time that it took.
    pub took: Duration,
}

/// CPU time of this thread (Linux: proc_pid_schedstat(5)).
pub fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(stat.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0))
}

/// Plants a fault and runs worlds until one of them shows it, for so much CPU time at most.
pub fn hunt(name: &'static str, first_seed: u64, at_most: Duration) -> Hunt {
    let begun = cpu();
    plant(Some(name));
    let mut hunt = Hunt { name, caught: None, worlds: 0, took: Duration::ZERO };
    for seed in first_seed.. {
        if cpu().saturating_sub(begun) > at_most {
            break;
        }
        hunt.worlds += 1;
        let outcome = World::run(&Plan::for_sabotage(seed), false);
        if let Some((_, wrong)) = outcome.failure {
            hunt.caught = Some((seed, wrong.rule));
            break;
        }
    }
    plant(None);
    hunt.took = cpu().saturating_sub(begun);
    hunt
}

/// Whether a world is well without a fault: else it says nothing about one.
pub fn is_well_without(seed: u64) -> bool {
    plant(None);
    World::run(&Plan::for_sabotage(seed), false).failure.is_none()
}
