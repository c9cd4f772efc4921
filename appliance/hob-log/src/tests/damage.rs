//! Flipped, swapped, cut and replaced bytes; databases from another time. And a torn tail, which is no damage.

use std::path::PathBuf;

use super::*;
use crate::record::Header;
use crate::verify;

/// A stopped box with three windows of traffic and a ledger, and a way to start a copy of it.
struct Stopped {
    folder: tempfile::TempDir,
}

const JOURNAL: &str = "log/windows/2/journal";

impl Stopped {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut log = open(folder.path(), at(0)).log;
        log.commit(at(0), &[member(1, "ada")]).unwrap();
        keep(&mut log, 1, at(0));
        let place = keep(&mut log, 20, at(31));
        let group = [accept(21, at(32)), Append::Acknowledge { place }, accept(22, at(32))];
        log.commit(at(32), &group).unwrap();
        let place = keep(&mut log, 23, at(33));
        log.commit(at(33), &[Append::Expire { place }, accept(24, at(33))]).unwrap();
        keep(&mut log, 3, at(62));
        log.close().unwrap();
        Self { folder }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn journal(&self) -> Vec<u8> {
        std::fs::read(self.path(JOURNAL)).unwrap()
    }

    /// A copy with another journal in window 2, and no sled to help.
    fn with_journal(&self, bytes: &[u8]) -> tempfile::TempDir {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(self.folder.path(), copy.path());
        std::fs::write(copy.path().join(JOURNAL), bytes).unwrap();
        std::fs::remove_dir_all(copy.path().join("log/windows/2/events")).unwrap();
        copy
    }

    /// Groups of window 2: where each begins and ends.
    fn groups(&self) -> Vec<(usize, usize)> {
        let bytes = self.journal();
        let mut begin = 0;
        let mut groups = Vec::new();
        while let Some(header) = bytes.get(begin..).and_then(Header::parse) {
            groups.push((begin, begin + header.total_bytes));
            begin += header.total_bytes;
        }
        groups
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Damage was found offline and by a start, told, and everything that is served is good.
fn assert_damage_is_told(copy: &Path, what: &str) -> Vec<EnvelopeId> {
    let verdicts = verify(copy).unwrap();
    let damaged: Vec<_> = verdicts.iter().filter(|verdict| verdict.is_damaged()).map(|verdict| verdict.log).collect();
    assert_eq!(damaged, [crate::LogName::Window { number: 2 }], "{what}: {verdicts:?}");
    let opened = open(copy, at(63));
    assert_eq!(opened.lost_windows.iter().map(|lost| lost.number).collect::<Vec<_>>(), [2], "{what}");
    assert!(copy.join("log/quarantine/2").is_dir(), "{what}");
    let reader = opened.log.reader();
    for pending in &opened.pending {
        let number = u64::from_le_bytes(pending.id.0[..8].try_into().unwrap());
        assert_eq!(reader.read(pending.place).unwrap(), body(number), "{what}");
    }
    let served = ids(&opened);
    assert!(served.contains(&id(1)) && served.contains(&id(3)), "{what}: other windows are served");
    assert!(opened.log.stats().quarantined_records > 0, "{what}");
    drop(opened);
    let again = open(copy, at(64));
    assert_eq!(ids(&again), served, "{what}: the next start says the same");
    assert!(!again.lost_windows[0].is_new);
    served
}

#[test]
fn a_byte_flipped_anywhere_in_what_is_alive_is_found_told_and_the_rest_is_served() {
    let stopped = Stopped::new();
    let good = stopped.journal();
    let dead_bodies = dead_bodies(&stopped);
    let is_dead = |at: &usize| dead_bodies.iter().any(|range| range.contains(at));
    // Bodies are uniform: a few places in each are enough.
    let is_told = |at: &usize| at % 300 < 10 || good.len() - at <= 200 || is_near_a_front(&stopped, *at);
    let all = (0..good.len()).step_by(10);
    let places: Vec<usize> = all.filter(|at| !is_dead(at)).filter(is_told).collect();
    assert!(places.len() > 60, "{}", places.len());
    std::thread::scope(|scope| {
        for some in places.chunks(places.len().div_ceil(8)) {
            let (stopped, good) = (&stopped, &good);
            scope.spawn(move || {
                for at in some {
                    let mut bytes = good.clone();
                    bytes[*at] ^= 0x10;
                    let copy = stopped.with_journal(&bytes);
                    let served = assert_damage_is_told(copy.path(), &format!("byte {at}"));
                    assert!(served.len() >= 3, "byte {at}: {served:?}");
                }
            });
        }
    });
}

fn is_near_a_front(stopped: &Stopped, at: usize) -> bool {
    stopped.groups().iter().any(|(begin, _)| (*begin..begin + 400).contains(&at))
}

/// Body blocks of envelopes that are done: nobody will ever read them, and a start does not either.
fn dead_bodies(stopped: &Stopped) -> Vec<std::ops::Range<usize>> {
    let copy = stopped.with_journal(&stopped.journal());
    let opened = open(copy.path(), at(63));
    let alive: Vec<u64> = opened.pending.iter().filter(|p| p.place.window == 2).map(|p| p.place.offset).collect();
    let mut dead = Vec::new();
    for (begin, end) in stopped.groups() {
        let bytes = stopped.journal();
        let header = Header::parse(&bytes[begin..]).unwrap();
        let mut at = begin + header.front_bytes();
        while at < end {
            if !alive.contains(&(at as u64)) {
                dead.push(at..at + 2048 + 36);
            }
            at += 2048 + 36;
        }
    }
    assert_eq!(dead.len(), 2);
    dead
}

#[test]
fn a_damaged_index_is_restored_from_sled_and_no_envelope_is_lost() {
    let stopped = Stopped::new();
    let (begin, _) = stopped.groups()[1];
    let mut bytes = stopped.journal();
    bytes[begin + 100] ^= 1;
    std::fs::write(stopped.path(JOURNAL), bytes).unwrap();
    let opened = open(stopped.folder.path(), at(63));
    assert_eq!(ids(&opened), [id(1), id(21), id(22), id(24), id(3)]);
    assert_eq!(opened.report.window_records_restored, 3);
    assert!(opened.lost_windows.is_empty());
}

#[test]
fn groups_that_are_swapped_cut_out_or_repeated_are_found() {
    let stopped = Stopped::new();
    let good = stopped.journal();
    let groups = stopped.groups();
    let part = |number: usize| &good[groups[number].0..groups[number].1];
    assert_eq!(groups.len(), 4);
    let swapped = [part(0), part(2), part(1), part(3)].concat();
    let cut_out = [part(0), part(1), part(3)].concat();
    let repeated = [part(0), part(1), part(1), part(3)].concat();
    for (what, bytes) in [("swapped", swapped), ("cut out", cut_out), ("repeated", repeated)] {
        assert_damage_is_told(stopped.with_journal(&bytes).path(), what);
    }
}

#[test]
fn a_group_of_another_window_is_not_taken() {
    let stopped = Stopped::new();
    let foreign = std::fs::read(stopped.path("log/windows/1/journal")).unwrap();
    let good = stopped.journal();
    let (_, end) = stopped.groups()[0];
    let bytes = [&foreign[..], &good[end..]].concat();
    let served = assert_damage_is_told(stopped.with_journal(&bytes).path(), "replayed");
    assert_eq!(served.iter().filter(|served| **served == id(1)).count(), 1);
}

#[test]
fn an_older_copy_of_a_journal_is_found_by_the_mark() {
    let stopped = Stopped::new();
    let good = stopped.journal();
    for (_, end) in &stopped.groups()[..3] {
        assert_damage_is_told(stopped.with_journal(&good[..*end]).path(), &format!("cut at {end}"));
    }
    assert_damage_is_told(stopped.with_journal(b"").path(), "emptied");
}

#[test]
fn a_windows_folder_that_is_replaced_by_an_older_copy_of_itself_is_found_by_the_mark() {
    let folder = tempfile::tempdir().unwrap();
    let window = folder.path().join("log/windows/1");
    let mut log = open(folder.path(), at(0)).log;
    keep(&mut log, 1, at(0));
    log.close().unwrap();
    drop(log);
    let older = tempfile::tempdir().unwrap();
    copy_folder(&window, older.path());
    let mut log = open(folder.path(), at(1)).log;
    keep(&mut log, 2, at(1));
    log.close().unwrap();
    drop(log);
    std::fs::remove_dir_all(&window).unwrap();
    copy_folder(older.path(), &window);
    assert_eq!(verify(folder.path()).unwrap().iter().filter(|verdict| verdict.is_damaged()).count(), 1);
    let opened = open(folder.path(), at(2));
    assert_eq!(opened.lost_windows.iter().map(|lost| lost.lost_records).collect::<Vec<_>>(), [Some(1)]);
    assert_eq!(ids(&opened), [id(1)], "what is there is served");
}

#[test]
fn a_box_whose_marks_still_lie_in_its_logs_folders_loses_nothing_and_moves_them() {
    let stopped = Stopped::new();
    let marks = std::fs::read_dir(stopped.path("log/marks")).unwrap().flatten().map(|entry| entry.path());
    let box_key = crate::keys::BoxKey::load(&crate::files::RealFiles, &stopped.path("keys"), false).unwrap();
    let table = crate::keys::KeyStore::peek(&crate::files::RealFiles, &stopped.path("keys"), &box_key).unwrap();
    for path in marks {
        let entry =
            table.entries.iter().find(|entry| crate::mark::path_of(&stopped.path("log/marks"), entry.log_id) == path);
        let folder = match entry.unwrap().name {
            crate::LogName::Ledger { generation } => format!("log/ledger/{generation}/mark"),
            crate::LogName::Window { number } => format!("log/windows/{number}/mark"),
        };
        std::fs::rename(path, stopped.path(&folder)).unwrap();
    }
    std::fs::remove_dir(stopped.path("log/marks")).unwrap();
    let shortened = stopped.journal()[..stopped.groups()[2].1].to_vec();
    assert_damage_is_told(stopped.with_journal(&shortened).path(), "shortened, with the mark in its folder");
    let opened = open(stopped.folder.path(), at(63));
    assert_eq!((opened.pending.len(), opened.lost_windows.len()), (5, 0));
    drop(opened);
    assert_eq!(std::fs::read_dir(stopped.path("log/marks")).unwrap().count(), 4);
    std::fs::write(stopped.path(JOURNAL), &shortened).unwrap();
    std::fs::remove_file(stopped.path("log/windows/2/mark")).unwrap();
    std::fs::remove_dir_all(stopped.path("log/windows/2/events")).unwrap();
    assert_eq!(open(stopped.folder.path(), at(64)).lost_windows.len(), 1, "the one that was moved tells too");
}

#[test]
fn what_was_found_damaged_after_a_kill_is_synced_so_that_a_power_cut_does_not_make_a_torn_tail_of_it() {
    let stopped = Stopped::new();
    let mut bytes = stopped.journal();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let copy = stopped.with_journal(&bytes);
    let disk = recording::Recording::default();
    let opened = try_open(copy.path(), Some(disk.layer()), at(63)).unwrap();
    assert_eq!(opened.lost_windows.len(), 1);
    let aside = disk.ops().iter().position(|op| op.what == "rename" && op.to.ends_with("quarantine/2")).unwrap();
    let behind = disk.told().split_off(aside);
    let position = |what: &str| behind.iter().position(|op| op == what).unwrap_or_else(|| panic!("{what}: {behind:?}"));
    assert!(position("sync journal") < position("sync mark"), "{behind:?}");
}

#[test]
fn a_clock_that_is_lost_is_at_least_as_late_as_the_newest_window_so_that_nothing_lives_longer() {
    let stopped = Stopped::new();
    for lose in
        [|path: &Path| std::fs::remove_file(path).unwrap(), |path: &Path| std::fs::write(path, [0; 8192]).unwrap()]
    {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(stopped.folder.path(), copy.path());
        lose(&copy.path().join("log/clock/mark"));
        let clock = open(copy.path(), at(63)).checkpoint.unwrap();
        assert_eq!((clock.box_time, clock.unix_ms), (at(62).box_time, at(62).unix_ms));
    }
    assert_eq!(open(tempfile::tempdir().unwrap().path(), at(0)).checkpoint, None, "a new box has none");
}

#[test]
fn a_torn_tail_is_cut_and_counted_and_is_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), at(0)).log;
    keep(&mut log, 1, at(0));
    let end = usize::try_from(log.stats().windows[0].journal_bytes).unwrap();
    keep(&mut log, 2, at(0));
    drop(log);
    let journal = folder.path().join("log/windows/1/journal");
    let mut bytes = std::fs::read(&journal).unwrap();
    // What a power cut leaves of a group that was being written: a page here and there, in reserved space.
    let torn = bytes[end..end + 900].to_vec();
    let whole = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    bytes.resize(whole + 70_000, 0);
    bytes[whole..whole + 900].copy_from_slice(&torn);
    std::fs::write(&journal, bytes).unwrap();
    let opened = open(folder.path(), at(1));
    assert_eq!(ids(&opened), [id(1), id(2)]);
    assert_eq!((opened.report.cut_tails, opened.report.cut_bytes), (1, 900));
    assert!(opened.lost_windows.is_empty());
    drop(opened);
    assert_eq!(open(folder.path(), at(2)).report.cut_tails, 0);
}

#[test]
fn a_sled_folder_that_is_deleted_emptied_or_from_another_time_is_rebuilt() {
    let stopped = Stopped::new();
    let older = tempfile::tempdir().unwrap();
    copy_folder(&stopped.path("log/windows/1/events"), older.path());
    for log in ["log/windows/3", "log/ledger/1"] {
        for what in ["deleted", "emptied", "foreign"] {
            let events = stopped.path(log).join("events");
            std::fs::remove_dir_all(&events).unwrap();
            match what {
                "emptied" => std::fs::create_dir(&events).unwrap(),
                "foreign" => copy_folder(older.path(), &events),
                _ => {}
            }
            let mut opened = open(stopped.folder.path(), at(63));
            assert_eq!((opened.pending.len(), labels(&opened.ledger)), (5, vec!["ada"]), "{what} {log}");
            opened.log.wait_for_events();
            assert_eq!(opened.log.stats().events_rebuilt, u64::from(what == "foreign"), "{what} {log}");
            opened.log.close().unwrap();
            drop(opened);
            assert_eq!(sled::open(&events).unwrap().len(), 1, "{what} {log}");
        }
    }
}

#[test]
fn a_window_that_is_kept_aside_is_destroyed_in_time() {
    let stopped = Stopped::new();
    let mut bytes = stopped.journal();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let copy = stopped.with_journal(&bytes);
    assert_damage_is_told(copy.path(), "last byte");
    let opened = open(copy.path(), at(31 + 360));
    assert_eq!(opened.report.destroyed_windows, [1, 2]);
    assert!(!copy.path().join("log/quarantine/2").exists());
}

#[test]
fn verifying_a_whole_folder_finds_nothing_and_changes_nothing() {
    let stopped = Stopped::new();
    let before = stopped.journal();
    let verdicts = verify(stopped.folder.path()).unwrap();
    assert_eq!(verdicts.len(), 4);
    assert!(verdicts.iter().all(|verdict| !verdict.is_damaged() && verdict.remarks.is_empty()), "{verdicts:?}");
    assert_eq!(verdicts.iter().map(|verdict| verdict.live).sum::<u64>(), 6);
    assert_eq!(verdicts.iter().map(|verdict| verdict.records).sum::<u64>(), 1 + 1 + 7 + 1);
    assert_eq!(stopped.journal(), before);
}

#[test]
fn a_key_file_with_one_bad_slot_still_opens_and_is_mended() {
    let stopped = Stopped::new();
    let keys = stopped.path("keys/log.keys");
    let slot = std::fs::metadata(&keys).unwrap().len() as usize / 2;
    for number in 0..2 {
        let mut bytes = std::fs::read(&keys).unwrap();
        bytes[number * slot + 50_000] ^= 1;
        std::fs::write(&keys, bytes).unwrap();
        assert_eq!(open(stopped.folder.path(), at(63)).pending.len(), 5, "slot {number}");
    }
}

#[test]
fn a_box_without_its_keys_says_so_and_touches_nothing() {
    let stopped = Stopped::new();
    for file in ["keys/box.key", "keys/log.keys"] {
        let away = stopped.path("away");
        std::fs::rename(stopped.path(file), &away).unwrap();
        let refused = try_open(stopped.folder.path(), None, at(63)).unwrap_err();
        assert!(matches!(refused, OpenError::Unreadable { .. }), "{file}: {refused}");
        std::fs::rename(&away, stopped.path(file)).unwrap();
    }
    assert_eq!(open(stopped.folder.path(), at(63)).pending.len(), 5);
}
