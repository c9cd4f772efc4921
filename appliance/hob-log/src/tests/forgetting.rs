//! Promise 2: windows end, and their keys first.

use super::*;
use crate::keys::{BoxKey, KeyStore, LOG_KEYS_FILE};
use crate::record::{BLOCK_HEADER_BYTES, Block, Opening};
use crate::{BodyError, LogName, LogNotice};

#[test]
fn an_envelope_is_pending_until_it_is_acknowledged_and_known_until_its_window_is_destroyed() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), at(0)).log;
    let place = keep(&mut log, 1, at(0));
    acknowledge(&mut log, place, at(1));
    log.commit(at(1), &[]).unwrap();
    drop(log);
    for minutes in [2, 40, 359] {
        let opened = open(folder.path(), at(minutes));
        assert_eq!((opened.pending.len(), opened.known.len()), (0, 1), "after {minutes} minutes");
        assert_eq!(opened.known[0].id, id(1));
    }
    let opened = open(folder.path(), at(360));
    assert_eq!((opened.pending.len(), opened.known.len()), (0, 0));
    assert_eq!(opened.report.destroyed_windows, [1]);
}

#[test]
fn six_hours_of_traffic_live_in_at_most_thirteen_windows_and_each_is_destroyed_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), at(0)).log;
    let mut destroyed = 0;
    for minutes in (0..12 * 60).step_by(10) {
        let now = at(minutes);
        keep(&mut log, minutes, now);
        for notice in log.tick(now).unwrap() {
            if let LogNotice::WindowDestroyed { pending_lost, .. } = notice {
                assert_eq!(pending_lost, 3);
                destroyed += 1;
            }
        }
        let stats = log.stats();
        assert!(stats.windows.len() <= 13, "{} windows", stats.windows.len());
        assert!(stats.windows.iter().all(|window| now.box_time < window.destroyed_at));
        assert_eq!(stats.windows.iter().filter(|window| window.is_open).count(), 1);
    }
    assert_eq!(destroyed, 12);
    let folders = std::fs::read_dir(folder.path().join("log/windows")).unwrap().count();
    assert_eq!(folders, log.stats().windows.len());
    drop(log);
    assert_eq!(open(folder.path(), at(12 * 60)).pending.len(), 3 * 11, "one more window was due");
}

#[test]
fn the_body_key_of_a_closed_window_goes_as_soon_as_nothing_in_it_is_pending() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), at(0)).log;
    let (first, second) = (keep(&mut log, 1, at(0)), keep(&mut log, 2, at(0)));
    let reader = log.reader();
    acknowledge(&mut log, first, at(1));
    assert_eq!(log.tick(at(31)).unwrap(), [LogNotice::WindowClosed { window: 1 }]);
    assert_eq!(reader.read(second).unwrap(), body(2));
    log.commit(at(32), &[Append::Expire { place: second }]).unwrap();
    assert_eq!(log.tick(at(32)).unwrap(), [LogNotice::BodyKeyDestroyed { window: 1 }]);
    assert!(matches!(reader.read(first), Err(BodyError::Gone)));
    drop(log);
    assert_eq!(open(folder.path(), at(33)).known.len(), 2);
}

#[test]
fn compacting_closes_the_open_window_and_the_next_envelope_opens_another() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), at(0)).log;
    let place = keep(&mut log, 1, at(0));
    acknowledge(&mut log, place, at(0));
    let report = log.compact(at(1)).unwrap();
    assert_eq!(report.closed_window, Some(1));
    assert!(!log.stats().windows[0].has_body_key);
    assert_eq!(keep(&mut log, 2, at(2)).window, 2);
}

#[test]
fn after_a_window_is_destroyed_none_of_the_keys_on_disk_opens_its_envelopes() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), at(0)).log;
    let place = keep(&mut log, 1, at(0));
    keep(&mut log, 2, at(31));
    let keys = folder.path().join("keys");
    let journal = std::fs::read(folder.path().join("log/windows/1/journal")).unwrap();
    let old_slots = std::fs::read(keys.join(LOG_KEYS_FILE)).unwrap();
    let opens = |folder: &Path| {
        let files = crate::files::RealFiles;
        let box_key = BoxKey::load(&files, folder, false).unwrap();
        let Ok(table) = KeyStore::peek(&files, folder, &box_key) else {
            return false;
        };
        let block = &journal[usize::try_from(place.offset).unwrap()..];
        let front = Block::parse(block).unwrap();
        table.entries.iter().any(|entry| {
            let mut sealed = block[BLOCK_HEADER_BYTES..][..2048].to_vec();
            front.open(&entry.keys(), u64::from(place.sequence), &mut sealed) == Opening::Good
        })
    };
    assert!(opens(&keys), "before");
    let notices = log.tick(at(360)).unwrap();
    let is_it = |notice: &LogNotice| matches!(notice, LogNotice::WindowDestroyed { window: 1, pending_lost: 1, .. });
    assert!(notices.iter().any(is_it), "{notices:?}");
    assert!(!opens(&keys), "after");
    assert!(!folder.path().join("log/windows/1").exists());
    let new_slots = std::fs::read(keys.join(LOG_KEYS_FILE)).unwrap();
    assert_eq!(old_slots.len(), new_slots.len(), "overwritten in place");
    // Most of an old slot, dug out of a flash card, with one 512-byte sector really gone: worthless.
    for slot in 0..2 {
        let mut carved = new_slots.clone();
        let slot_bytes = old_slots.len() / 2;
        let range = slot * slot_bytes..(slot + 1) * slot_bytes;
        carved[range.clone()].copy_from_slice(&old_slots[range.clone()]);
        carved[range.start + 65_536..][..512].copy_from_slice(&new_slots[range.start + 65_536..][..512]);
        let dug = tempfile::tempdir().unwrap();
        std::fs::copy(keys.join("box.key"), dug.path().join("box.key")).unwrap();
        std::fs::write(dug.path().join(LOG_KEYS_FILE), carved).unwrap();
        assert!(!opens(dug.path()), "slot {slot}");
    }
}

#[test]
fn an_unknown_gap_that_nobody_confirmed_destroys_the_windows_from_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), at(0)).log;
    keep(&mut log, 1, at(0));
    keep(&mut log, 2, at(40));
    let notices = log.destroy_windows_opened_before(at(40).box_time).unwrap();
    assert!(notices.iter().any(|notice| matches!(notice, LogNotice::WindowDestroyed { window: 1, .. })));
    assert_eq!(log.stats().windows.len(), 1);
}

#[test]
fn window_numbers_are_never_used_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), at(0)).log;
    keep(&mut log, 1, at(0));
    drop(log);
    let mut log = open(folder.path(), at(1000)).log;
    assert_eq!(keep(&mut log, 2, at(1000)).window, 2);
}

#[test]
fn the_clock_is_given_back_as_it_was_stored() {
    use hob_relay::clock::{Boot, Checkpoint};
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), at(0)).log;
    assert_eq!(open_checkpoint(&mut log), None);
    let stored = Checkpoint { box_time: BoxTime(5), ledger_time: LedgerTime(6), unix_ms: 7, boot: Some(Boot(8)) };
    log.checkpoint(stored).unwrap();
    drop(log);
    assert_eq!(open(folder.path(), at(1)).checkpoint, Some(stored));
}

fn open_checkpoint(_log: &mut DiskLog) -> Option<hob_relay::clock::Checkpoint> {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path(), at(0)).checkpoint
}

#[test]
fn the_ledger_is_compacted_when_more_than_half_of_it_is_dead_and_every_six_hours() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), at(0)).log;
    for _ in 0..70 {
        log.commit(at(0), &[member(1, "ada"), member(2, "bob")]).unwrap();
    }
    let notices = log.tick(at(1)).unwrap();
    assert!(
        matches!(notices[..], [LogNotice::Compacted(report)] if report.records_before == 140 && report.records_after == 2)
    );
    assert!(!folder.path().join("log/ledger/1").exists());
    log.commit(at(2), &[member_removed(1)]).unwrap();
    assert_eq!(log.tick(at(300)).unwrap(), []);
    assert!(matches!(log.tick(at(361)).unwrap()[..], [LogNotice::Compacted(report)] if report.generation == 3));
    assert_eq!(log.tick(at(900)).unwrap(), [], "nothing is dead");
    drop(log);
    assert_eq!(labels(&open(folder.path(), at(901)).ledger), ["bob"]);
}

#[test]
fn keys_and_data_are_for_the_boxs_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    drop(open(&data, at(0)));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for file in ["keys/box.key", "keys/log.keys", "log/ledger/1/journal"] {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
}

#[test]
fn the_key_table_knows_its_logs_by_name() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path(), at(0)));
    let files = crate::files::RealFiles;
    let keys = folder.path().join("keys");
    let box_key = BoxKey::load(&files, &keys, false).unwrap();
    let table = KeyStore::peek(&files, &keys, &box_key).unwrap();
    assert!(table.of(LogName::Ledger { generation: 1 }).is_some_and(|entry| !entry.has_body_key()));
}

#[test]
fn a_start_overwrites_both_key_slots_since_after_a_failed_sync_nobody_knows_what_the_medium_has() {
    let folder = tempfile::tempdir().unwrap();
    keep(&mut open(folder.path(), at(0)).log, 1, at(0));
    let disk = recording::Recording::default();
    disk.fail("sync", "log.keys", std::io::ErrorKind::Other, 1);
    assert!(try_open(folder.path(), Some(disk.layer()), at(1)).is_err(), "nothing is served before");
    let disk = recording::Recording::default();
    try_open(folder.path(), Some(disk.layer()), at(2)).unwrap();
    let keys: Vec<String> = disk.told().into_iter().filter(|op| op.ends_with("log.keys")).collect();
    assert_eq!(keys, ["write log.keys", "sync log.keys", "write log.keys", "sync log.keys"]);
}
