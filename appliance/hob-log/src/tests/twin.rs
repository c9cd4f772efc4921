//! The disk and the memory say the same, whatever the rules ask, and across every restart.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::{LogNotice, MemoryLog};

#[derive(Debug, Clone)]
enum Step {
    Accept(Vec<u8>),
    End { which: usize, expired: bool },
    Ledger { member: u8, removed: bool },
    Pass { minutes: u64 },
    Compact,
    Restart { cleanly: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => proptest::collection::vec(any::<u8>(), 1..4).prop_map(Step::Accept),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(which, expired)| Step::End { which, expired }),
        2 => (0..4u8, any::<bool>()).prop_map(|(member, removed)| Step::Ledger { member, removed }),
        3 => (1..40u64).prop_map(|minutes| Step::Pass { minutes }),
        1 => Just(Step::Compact),
        1 => any::<bool>().prop_map(|cleanly| Step::Restart { cleanly }),
    ]
}

fn destroyed(notices: &[LogNotice]) -> Vec<(u32, u64)> {
    notices
        .iter()
        .filter_map(|notice| match notice {
            LogNotice::WindowDestroyed { window, pending_lost, .. } => Some((*window, *pending_lost)),
            _ => None,
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_disk_says_what_the_memory_says(steps in proptest::collection::vec(step(), 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = open(folder.path(), at(0)).log;
        let mut memory = MemoryLog::default();
        let (mut now, mut number, mut places) = (at(0), 0, Vec::new());
        for step in steps {
            match step {
                Step::Accept(marks) => {
                    let batch: Vec<Append> = marks.iter().map(|_| { number += 1; accept(number, now) }).collect();
                    let on_disk = disk.commit(now, &batch).unwrap();
                    let in_memory = memory.commit(now, &batch).unwrap();
                    prop_assert_eq!(on_disk.len(), in_memory.len());
                    places.extend(on_disk.into_iter().zip(in_memory));
                }
                Step::End { which, expired } if !places.is_empty() => {
                    let (on_disk, in_memory) = places[which % places.len()];
                    let end = |place| if expired { Append::Expire { place } } else { Append::Acknowledge { place } };
                    disk.commit(now, &[end(on_disk)]).unwrap();
                    memory.commit(now, &[end(in_memory)]).unwrap();
                }
                Step::End { .. } => {}
                Step::Ledger { member: who, removed } => {
                    let event = if removed { member_removed(who) } else { member(who, "x") };
                    disk.commit(now, std::slice::from_ref(&event)).unwrap();
                    memory.commit(now, &[event]).unwrap();
                }
                Step::Pass { minutes } => {
                    now = at(now.box_time.0 / MINUTE + minutes);
                    let (on_disk, in_memory) = (disk.tick(now).unwrap(), memory.tick(now).unwrap());
                    prop_assert_eq!(destroyed(&on_disk), destroyed(&in_memory));
                }
                Step::Compact => {
                    let (on_disk, in_memory) = (disk.compact(now).unwrap(), memory.compact(now).unwrap());
                    prop_assert_eq!(on_disk.records_after, in_memory.records_after);
                }
                Step::Restart { cleanly } => {
                    if cleanly { disk.close().unwrap(); } else { disk.commit(now, &[]).unwrap(); }
                    drop(disk);
                    let opened = open(folder.path(), now);
                    let wanted: Vec<EnvelopeId> = memory.pending().iter().map(|pending| pending.id).collect();
                    prop_assert_eq!(ids(&opened), wanted);
                    let known = |known: &[hob_relay::event::Known]| known.iter().map(|known| known.id).collect::<BTreeSet<_>>();
                    prop_assert_eq!(known(&opened.known), known(&memory.known()));
                    prop_assert_eq!(&opened.ledger, &memory.ledger());
                    prop_assert!(opened.lost_windows.is_empty());
                    disk = opened.log;
                }
            }
            let (on_disk, in_memory) = (disk.stats(), memory.stats());
            prop_assert_eq!(on_disk.ledger_live, in_memory.ledger_live);
            let pending = |stats: &crate::LogStats| stats.windows.iter().map(|window| window.pending).sum::<u64>();
            prop_assert_eq!(pending(&on_disk), pending(&in_memory));
        }
        let reader = disk.reader();
        for (on_disk, in_memory) in places {
            match (reader.read(on_disk), memory.reader().read(in_memory)) {
                (Ok(on_disk), Ok(in_memory)) => prop_assert_eq!(on_disk, in_memory),
                // A body whose window is closed, done and not ticked yet may be gone on one side first.
                (on_disk, in_memory) => prop_assert!(on_disk.is_err() || in_memory.is_err()),
            }
        }
    }
}
