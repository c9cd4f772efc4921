//! The simulation's own manners. Worlds by the dozen are run by tests/recipes/sim.

use std::path::Path;

use hob_sim::plan::{DAY, Plan};
use hob_sim::world::World;

/// A world that is short enough for a build without optimisation.
fn short(seed: u64) -> Plan {
    let mut plan = Plan::for_sabotage(seed);
    plan.lasts_ms = DAY / 4;
    plan.steps.retain(|step| step.at_ms < DAY / 4);
    plan
}

#[test]
fn the_same_seed_gives_the_same_trace_twice_and_another_one_another() {
    let first = World::run(&short(1), false);
    assert_eq!(first.failure, None);
    assert!(first.counts.envelopes > 10, "{:?}", first.counts);
    assert_eq!(World::run(&short(1), false).trace, first.trace);
    assert_ne!(World::run(&short(3), false).trace, first.trace);
}

#[test]
fn no_member_names_the_features_that_break_or_weaken_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let members = [
        "protocol",
        "client/hob-client",
        "client/hob-chat",
        "appliance/hob-relay",
        "appliance/hob-log",
        "appliance/hob",
    ];
    for member in members {
        let manifest = std::fs::read_to_string(root.join(member).join("Cargo.toml")).unwrap();
        for line in manifest.lines().filter(|line| !line.starts_with('#')) {
            let names = line.contains("sabotage") || line.contains("stand-in");
            // Where the feature itself stands.
            let declares = line == "sabotage = []" || line == "stand-in = []";
            assert!(!names || declares, "{member} says {line:?}");
        }
    }
    let workspace = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    assert!(!workspace.contains("sabotage") && !workspace.contains("stand-in"));
}
