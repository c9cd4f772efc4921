//! A smaller world that breaks the same promise: fewer people, fewer steps, less time.

use std::time::{Duration, Instant};

use crate::plan::Plan;
use crate::world::{Outcome, World};

/// Looks for a smaller plan that breaks the same promise, for so long at most.
pub fn shrink(plan: &Plan, failed: &Outcome, at_most: Duration) -> Plan {
    let Some((_, wrong)) = &failed.failure else { return plan.clone() };
    let end = Instant::now() + at_most;
    let fails = |plan: &Plan| {
        let outcome = World::run(plan, false);
        outcome.failure.is_some_and(|(_, found)| found.rule == wrong.rule)
    };
    let mut smallest = plan.clone();
    for number in 0..smallest.members.len() {
        let mut smaller = smallest.clone();
        smaller.members[number].is_here = false;
        if Instant::now() < end && fails(&smaller) {
            smallest = smaller;
        }
    }
    let mut piece = smallest.steps.len().div_ceil(2);
    while piece > 0 && Instant::now() < end {
        let mut from = 0;
        let mut any = false;
        while from < smallest.steps.len() && Instant::now() < end {
            let mut smaller = smallest.clone();
            let to = (from + piece).min(smaller.steps.len());
            smaller.steps.drain(from..to);
            if fails(&smaller) {
                smallest = smaller;
                any = true;
            } else {
                from = to;
            }
        }
        if !any || piece > 1 {
            piece /= 2;
        }
    }
    let last_ms = smallest.steps.last().map_or(0, |step| step.at_ms) + 60_000;
    let shorter = Plan { lasts_ms: last_ms.min(smallest.lasts_ms), ..smallest.clone() };
    if fails(&shorter) { shorter } else { smallest }
}
