//! Short lives, from seeds that are always the same, and those of past failures.

use super::live;

#[test]
fn a_log_keeps_its_promises_through_cuts_failing_disks_and_damage() {
    for seed in 0..2 {
        let counts = live(seed, 120).unwrap_or_else(|broken| panic!("{broken}"));
        assert!(counts.cuts > 3 && counts.accepted > 50 && counts.destroyed > 0, "{counts:?}");
    }
}

#[test]
fn the_same_seed_lives_the_same_life_twice() {
    let lived = || live(7, 40).unwrap_or_else(|broken| panic!("{broken}"));
    assert_eq!(lived(), lived());
    assert_ne!(lived().trace, live(8, 40).unwrap_or_else(|broken| panic!("{broken}")).trace);
}
