//! The eight rules of storing, and a disk that is full, failing or gone.

use std::io::ErrorKind;

use super::recording::Recording;
use super::*;
use crate::{LogError, LogNotice, Trouble, WriterEvent};

#[test]
fn rule_1_a_commit_returns_only_after_the_journal_was_synced() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Recording::default());
    let mut log = try_open(folder.path(), Some(disk.layer()), at(0)).unwrap().log;
    keep(&mut log, 1, at(0));
    disk.clear();
    keep(&mut log, 2, at(1));
    assert_eq!(
        disk.told(),
        ["write journal", "sync mark", "sync journal", "write mark"],
        "rule 6 too: the mark after the sync, and synced with the next"
    );
}

#[test]
fn rule_1_after_a_failed_sync_the_envelope_is_refused_and_not_there_after_a_start() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Recording::default());
    let mut log = try_open(folder.path(), Some(disk.layer()), at(0)).unwrap().log;
    keep(&mut log, 1, at(0));
    disk.fail("sync", "journal", ErrorKind::Other, 1);
    let refused = log.commit(at(0), &[accept(2, at(0))]);
    assert!(matches!(&refused, Err(LogError::Disk { trouble: Trouble::Failing, .. })), "{refused:?}");
    disk.clear();
    let place = keep(&mut log, 3, at(0));
    assert_eq!(&disk.told()[..3], ["set_len journal", "sync_all journal", "reserve journal"], "cut back first");
    assert_eq!(log.reader().read(place).unwrap(), body(3));
    assert_eq!(log.stats().refused_commits, 1);
    drop(log);
    assert_eq!(ids(&open(folder.path(), at(1))), [id(1), id(3)]);
}

#[test]
fn rule_1_what_no_mark_covers_is_written_again_by_a_start_since_a_sync_may_have_failed_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), at(0)).log;
    let place = keep(&mut log, 1, at(0));
    acknowledge(&mut log, place, at(0));
    log.commit(at(0), &[]).unwrap();
    drop(log);
    let disk = Recording::default();
    let opened = try_open(folder.path(), Some(disk.layer()), at(1)).unwrap();
    assert_eq!((opened.pending.len(), opened.known.len()), (0, 1), "the acknowledgement was written and not synced");
    let of_window: Vec<_> =
        disk.ops().into_iter().filter(|op| op.path.ends_with("windows/1/journal")).map(|op| op.what).collect();
    assert!(of_window.ends_with(&["write", "sync"]), "{of_window:?}");
}

#[test]
fn rule_2_a_window_is_complete_and_synced_before_it_has_its_name() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Recording::default());
    let mut log = try_open(folder.path(), Some(disk.layer()), at(0)).unwrap().log;
    disk.clear();
    keep(&mut log, 1, at(0));
    let ops = disk.ops();
    let rename = ops.iter().position(|op| op.what == "rename").unwrap();
    assert!(ops[rename].path.ends_with("log/tmp/window-1") && ops[rename].to.ends_with("log/windows/1"));
    let told = disk.told();
    let before = &told[..rename];
    for synced in ["sync_all journal", "sync_all mark", "sync_folder window-1"] {
        assert!(before.contains(&synced.to_string()), "{synced} is missing in {before:?}");
    }
    assert_eq!(told[rename + 1], "sync_folder windows");
    let keys = told.iter().position(|op| op == "sync log.keys").unwrap();
    assert!(rename < keys, "folder first, key second");
    assert!(keys < told.iter().position(|op| op == "sync journal").unwrap());
}

#[test]
fn rule_2_a_new_data_folder_and_the_folders_made_above_it_are_durable_before_the_box_answers() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Recording::default());
    let data = folder.path().join("new/box");
    try_open(&data, Some(disk.layer()), at(0)).unwrap();
    for parent in [&folder.path().join("new"), folder.path()] {
        let is_synced = disk.ops().iter().any(|op| op.what == "sync_folder" && op.path == parent);
        assert!(is_synced, "{} is not synced", parent.display());
    }
}

#[test]
fn rule_2_a_root_that_can_only_be_read_and_knows_no_sync_stops_no_first_start() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Recording::default());
    // squashfs and erofs, which images like for their root, answer so.
    disk.fail("sync_folder", "/", ErrorKind::InvalidInput, 1);
    try_open(&folder.path().join("new"), Some(disk.layer()), at(0)).unwrap();
}

#[test]
fn rule_2_the_manifest_is_synced_before_it_is_renamed() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Recording::default());
    let mut log = try_open(folder.path(), Some(disk.layer()), at(0)).unwrap().log;
    log.commit(at(0), &[member(1, "ada")]).unwrap();
    disk.clear();
    log.compact(at(1)).unwrap();
    let told = disk.told();
    let position = |what: &str| told.iter().position(|op| op == what).unwrap_or_else(|| panic!("{what}: {told:?}"));
    assert!(position("sync_folder ledger-2") < position("rename ledger-2"));
    assert!(position("rename ledger-2") < position("write log.keys"), "the key before the manifest");
    assert!(position("write log.keys") < position("sync_all current.new"));
    assert!(position("sync_all current.new") < position("rename current.new"));
    assert!(position("rename current.new") < position("remove 1"), "the old generation last");
}

#[test]
fn rule_3_a_database_with_a_torn_snapshot_never_stops_the_box() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), at(0)).log;
    keep(&mut log, 1, at(0));
    log.commit(at(0), &[member(1, "ada")]).unwrap();
    log.close().unwrap();
    drop(log);
    for events in ["log/windows/1/events", "log/ledger/1/events"] {
        std::fs::write(folder.path().join(events).join("snap.00000000000000ff.generating"), b"torn").unwrap();
        let db = folder.path().join(events).join("db");
        let mut bytes = std::fs::read(&db).unwrap();
        let half = bytes.len() / 2;
        bytes[..half].fill(0xa5);
        std::fs::write(&db, bytes).unwrap();
    }
    let mut opened = open(folder.path(), at(1));
    assert_eq!((ids(&opened), labels(&opened.ledger)), (vec![id(1)], vec!["ada"]));
    opened.log.wait_for_events();
    opened.log.close().unwrap();
    drop(opened);
    for log in ["log/windows/1", "log/ledger/1"] {
        let db = sled::open(folder.path().join(log).join("events")).unwrap();
        assert_eq!(db.len(), 1, "{log} was rebuilt");
    }
}

#[test]
fn rule_4_and_5_sled_holds_one_sealed_value_a_commit_in_small_parts_and_no_blobs() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), at(0)).log;
    let group: Vec<Append> = (0..120).map(|number| accept(number, at(0))).collect();
    log.commit(at(0), &group).unwrap();
    let bundle = vec![5; 300_000];
    let event =
        LedgerEvent::Bundle(disk::Bundle { mailbox: vec![1; 16].into(), bundle: bundle.into(), expires_at_ms: 0 });
    log.commit(at(0), &[Append::Ledger(event)]).unwrap();
    log.wait_for_events();
    log.close().unwrap();
    drop(log);
    for (log, values) in [("log/windows/1", 2), ("log/ledger/1", 42)] {
        let events = folder.path().join(log).join("events");
        assert_eq!(std::fs::read_dir(events.join("blobs")).unwrap().count(), 0, "blobs of {log}");
        let db = sled::Config::new().path(&events).open().unwrap();
        let parts: Vec<_> = db.iter().flatten().collect();
        assert_eq!(parts.len(), values);
        assert!(parts.iter().all(|(_, value)| value.len() <= 7 << 10));
        assert!(parts.iter().all(|(_, value)| !value.windows(8).any(|bytes| *bytes == [5; 8])), "sealed");
        assert!(!db.was_recovered() || db.tree_names().len() == 1, "one tree");
    }
}

#[test]
fn rule_6_a_journal_that_was_shortened_is_noticed_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), at(0)).log;
    keep(&mut log, 1, at(0));
    let cut_at = log.stats().windows[0].journal_bytes;
    keep(&mut log, 2, at(0));
    keep(&mut log, 3, at(0));
    drop(log);
    remove_events(folder.path(), "log/windows/1");
    let journal = folder.path().join("log/windows/1/journal");
    std::fs::OpenOptions::new().write(true).open(journal).unwrap().set_len(cut_at).unwrap();
    let opened = open(folder.path(), at(1));
    assert_eq!(ids(&opened), [id(1)]);
    assert_eq!(opened.lost_windows.len(), 1);
    assert_eq!(opened.lost_windows[0].lost_records, Some(2));
    assert!(folder.path().join("log/quarantine/1").is_dir());
}

fn remove_events(folder: &Path, log: &str) {
    std::fs::remove_dir_all(folder.join(log).join("events")).unwrap();
}

#[test]
fn rule_7_the_ledger_is_whole_in_both_and_each_restores_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), at(0)).log;
    log.commit(at(0), &[member(1, "ada"), member(2, "bob")]).unwrap();
    log.commit(at(0), &[member_removed(2), member(3, "cyd")]).unwrap();
    log.close().unwrap();
    drop(log);
    let journal = folder.path().join("log/ledger/1/journal");
    let whole = std::fs::metadata(&journal).unwrap().len();
    std::fs::write(&journal, vec![0; usize::try_from(whole).unwrap()]).unwrap();
    let opened = open(folder.path(), at(1));
    assert_eq!(labels(&opened.ledger), ["ada", "cyd"]);
    assert_eq!((opened.report.ledger_restored, opened.report.ledger_lost), (4, 0));
    let generation = opened.log.stats().generation;
    assert_eq!(generation, 2, "written anew");
    drop(opened);
    remove_events(folder.path(), "log/ledger/2");
    let opened = open(folder.path(), at(2));
    assert_eq!(labels(&opened.ledger), ["ada", "cyd"]);
    opened.log.wait_for_events();
    drop(opened);
    std::fs::remove_file(folder.path().join("log/ledger/2/journal")).unwrap();
    assert_eq!(labels(&open(folder.path(), at(3)).ledger), ["ada", "cyd"], "sled was filled again");
}

#[test]
fn rule_8_a_lost_window_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), at(3)).log;
    keep(&mut log, 1, at(3));
    drop(log);
    std::fs::remove_dir_all(folder.path().join("log/windows/1")).unwrap();
    let opened = open(folder.path(), at(4));
    assert_eq!(opened.lost_windows.len(), 1);
    assert_eq!((opened.lost_windows[0].number, opened.lost_windows[0].opened_unix_ms), (1, at(3).unix_ms));
}

#[test]
fn a_full_disk_refuses_delivers_forgets_and_recovers_by_itself() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Recording::default());
    let mut log = try_open(folder.path(), Some(disk.layer()), at(0)).unwrap().log;
    let place = keep(&mut log, 1, at(0));
    log.compact(at(0)).unwrap();
    disk.fail("reserve", "journal", ErrorKind::StorageFull, 100);
    let refused = log.commit(at(1), &[accept(2, at(1))]);
    assert!(matches!(&refused, Err(LogError::Disk { trouble: Trouble::Full, .. })), "{refused:?}");
    assert_eq!(log.reader().read(place).unwrap(), body(1), "still delivers");
    acknowledge(&mut log, place, at(1));
    let notices = log.tick(at(1)).unwrap();
    assert_eq!(notices.iter().filter(|notice| matches!(notice, LogNotice::BodyKeyDestroyed { window: 1 })).count(), 1);
    assert_eq!(log.stats().unwritten, 1, "the acknowledgement waits");
    disk.fail("reserve", "journal", ErrorKind::StorageFull, 0);
    keep(&mut log, 3, at(2));
    log.tick(at(2)).unwrap();
    assert_eq!(log.stats().unwritten, 0);
    drop(log);
    let opened = open(folder.path(), at(3));
    assert_eq!((ids(&opened), opened.known.len(), opened.lost_windows.len()), (vec![id(3)], 1, 0));
}

#[test]
fn a_half_written_group_on_a_full_disk_is_cut_off_and_the_next_one_is_whole() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Recording::default());
    let mut log = try_open(folder.path(), Some(disk.layer()), at(0)).unwrap().log;
    keep(&mut log, 1, at(0));
    disk.fail("write", "journal", ErrorKind::StorageFull, 1);
    assert_eq!(log.commit(at(0), &[accept(2, at(0))]).unwrap_err().trouble(), Trouble::Full);
    keep(&mut log, 3, at(0));
    drop(log);
    let opened = open(folder.path(), at(1));
    assert_eq!(ids(&opened), [id(1), id(3)]);
    assert!(opened.lost_windows.is_empty());
}

#[test]
fn acknowledgements_of_a_commit_whose_sync_failed_are_not_forgotten() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Recording::default());
    let mut log = try_open(folder.path(), Some(disk.layer()), at(0)).unwrap().log;
    let place = keep(&mut log, 1, at(0));
    disk.fail("sync", "journal", ErrorKind::Other, 1);
    let batch = [Append::Acknowledge { place }, accept(2, at(0))];
    assert!(log.commit(at(0), &batch).is_err());
    log.commit(at(0), &[]).unwrap();
    drop(log);
    let opened = open(folder.path(), at(1));
    assert_eq!((ids(&opened), opened.known.len()), (vec![], 1));
}

#[test]
fn a_data_folder_that_is_removed_while_running_is_a_typed_error() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut log = open(&data, at(0)).log;
    keep(&mut log, 1, at(0));
    std::fs::remove_dir_all(&data).unwrap();
    for append in [accept(2, at(0)), member(1, "ada")] {
        let refused = log.commit(at(0), &[append]).unwrap_err();
        assert_eq!(refused.trouble(), Trouble::Missing, "{refused}");
    }
    let ticked = log.tick(at(31));
    assert!(ticked.is_err() || log.commit(at(31), &[accept(3, at(31))]).is_err());
    assert!(log.close().is_err());
}

#[test]
fn the_clock_that_a_start_goes_by_is_durable_before_it_serves() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), at(0)).log;
    let now = at(7);
    let stored = hob_relay::clock::Checkpoint {
        box_time: now.box_time,
        ledger_time: now.ledger_time,
        unix_ms: now.unix_ms,
        boot: None,
    };
    log.checkpoint(stored).unwrap();
    drop(log);
    let disk = Recording::default();
    assert_eq!(try_open(folder.path(), Some(disk.layer()), at(8)).unwrap().checkpoint, Some(stored));
    let of_clock = disk.ops().into_iter().filter(|op| op.path.ends_with("clock/mark"));
    assert_eq!(of_clock.map(|op| op.what).collect::<Vec<_>>(), ["write", "sync"]);
    assert_eq!(open(folder.path(), at(9)).checkpoint, Some(stored), "and it is still the same");
}

#[test]
fn two_boxes_never_share_a_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path(), at(0));
    let second = try_open(folder.path(), None, at(0)).unwrap_err();
    assert!(matches!(second, OpenError::InUse { pid, .. } if pid == std::process::id()), "{second}");
    assert!(matches!(crate::verify(folder.path()), Err(OpenError::InUse { .. })));
    drop(opened);
    open(folder.path(), at(0));
}

#[test]
fn a_folder_of_a_newer_format_is_refused_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path(), at(0)));
    std::fs::write(folder.path().join("format"), "2\n").unwrap();
    std::fs::write(folder.path().join("log/windows/stranger"), "x").unwrap();
    let refused = try_open(folder.path(), None, at(1)).unwrap_err();
    assert!(matches!(refused, OpenError::NewerFormat { found: 2, known: 1, .. }), "{refused}");
    assert!(folder.path().join("log/windows/stranger").exists());
}

#[test]
fn the_writer_groups_what_waits_and_reports_it_durable_in_order() {
    use hob_relay::Ticket;
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path(), at(0)).log;
    let (tell, told) = std::sync::mpsc::channel();
    let report = Box::new(move |event| drop(tell.send(event)));
    let writer = crate::Writer::start(Box::new(log), report).unwrap();
    let handle = writer.handle();
    for number in 0..500 {
        handle.append(at(0), vec![(Ticket(number), accept(number, at(0)))]);
    }
    let (mut reported, mut places) = (0, Vec::new());
    while reported < 499 {
        match told.recv().unwrap() {
            WriterEvent::Durable { up_to, places: more } => {
                assert!(up_to.0 + 1 == places.len() as u64 + more.len() as u64);
                reported = up_to.0;
                places.extend(more);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(handle.queued_bytes(), 0);
    let reader = handle.reader();
    for (number, place) in places.iter().enumerate() {
        assert_eq!(reader.read(*place).unwrap(), body(number as u64));
    }
    let (tell, stats) = std::sync::mpsc::channel();
    handle.stats(Box::new(move |stats| drop(tell.send(stats))));
    assert_eq!(stats.recv().unwrap().windows[0].pending, 500);
    writer.close().unwrap();
    assert_eq!(open(folder.path(), at(1)).pending.len(), 500);
}

/// A database whose file cannot be synced falls when it is dropped, as sled's does.
struct Falls;

impl Drop for Falls {
    fn drop(&mut self) {
        panic!("the disk says no");
    }
}

#[test]
fn a_database_that_falls_when_it_is_closed_takes_no_thread_with_it() {
    std::thread::spawn(|| crate::events::let_go(Falls)).join().unwrap();
}
