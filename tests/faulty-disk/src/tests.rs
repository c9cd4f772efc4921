//! What the disk keeps and loses. Without mounting: these run everywhere.

use std::collections::BTreeSet;
use std::ffi::OsStr;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use crate::cut::Manner;
use crate::disk::{Disk, Kind, PAGE, ROOT};
use crate::faults::{Ask, Effect, Faults, Rule};

fn file(disk: &mut Disk, name: &str) -> u64 {
    disk.make(ROOT, OsStr::new(name), Kind::File, 0o600, (0, 0)).unwrap()
}

fn cut(disk: &Disk, manner: Manner, seed: u64) -> Disk {
    disk.cut(manner, &mut ChaCha8Rng::seed_from_u64(seed))
}

fn shown(disk: &Disk, name: &str) -> Option<Vec<u8>> {
    disk.at(name).map(|number| disk.read(number, 0, usize::MAX).unwrap())
}

#[test]
fn a_cut_takes_what_was_not_synced_and_leaves_what_was() {
    let mut disk = Disk::default();
    let number = file(&mut disk, "a");
    disk.write(number, 0, b"first", 1).unwrap();
    disk.sync(number, true).unwrap();
    disk.sync(ROOT, false).unwrap();
    disk.write(number, 0, b"later and longer", 1).unwrap();
    assert_eq!(shown(&cut(&disk, Manner::Pessimistic, 1), "a").unwrap(), b"first");
    assert_eq!(shown(&disk, "a").unwrap(), b"later and longer");
}

#[test]
fn a_synced_file_without_a_synced_folder_has_no_name() {
    let mut disk = Disk::default();
    let number = file(&mut disk, "a");
    disk.write(number, 0, b"x", 1).unwrap();
    disk.sync(number, false).unwrap();
    assert_eq!(shown(&cut(&disk, Manner::Pessimistic, 1), "a"), None);
}

#[test]
fn a_grown_size_is_safe_after_fdatasync_and_a_shrunk_one_only_after_fsync() {
    let mut disk = Disk::default();
    let number = file(&mut disk, "a");
    disk.sync(ROOT, false).unwrap();
    disk.write(number, 0, &[7; 2 * PAGE], 1).unwrap();
    disk.sync(number, true).unwrap();
    disk.set_size(number, 10, 1).unwrap();
    disk.sync(number, true).unwrap();
    let left = shown(&cut(&disk, Manner::Pessimistic, 1), "a").unwrap();
    assert_eq!(left.len(), 2 * PAGE, "the old size");
    assert!(left[10..].iter().all(|byte| *byte == 0), "what was cut off was synced as zeros");
    disk.sync(number, false).unwrap();
    assert_eq!(shown(&cut(&disk, Manner::Pessimistic, 1), "a").unwrap(), [7; 10]);
}

#[test]
fn a_rename_is_never_half_done() {
    for seed in 0..200 {
        let mut disk = Disk::default();
        let folder = disk.make(ROOT, OsStr::new("f"), Kind::Folder, 0o700, (0, 0)).unwrap();
        disk.sync(ROOT, false).unwrap();
        let number = disk.make(folder, OsStr::new("new"), Kind::File, 0o600, (0, 0)).unwrap();
        disk.write(number, 0, b"x", 1).unwrap();
        disk.sync(number, false).unwrap();
        disk.sync(folder, false).unwrap();
        disk.rename((folder, OsStr::new("new")), (ROOT, OsStr::new("old")), true).unwrap();
        let left = cut(&disk, Manner::Adversarial, seed);
        assert!(shown(&left, "old").is_some() != shown(&left, "f/new").is_some(), "seed {seed}: one name, not two");
        disk.sync(ROOT, false).unwrap();
        assert_eq!(shown(&cut(&disk, Manner::Pessimistic, seed), "f/new"), None);
    }
}

#[test]
fn what_a_folder_sync_makes_safe_is_not_undone_by_an_older_change() {
    let mut disk = Disk::default();
    let folder = disk.make(ROOT, OsStr::new("f"), Kind::Folder, 0o700, (0, 0)).unwrap();
    disk.make(folder, OsStr::new("a"), Kind::File, 0o600, (0, 0)).unwrap();
    disk.rename((folder, OsStr::new("a")), (ROOT, OsStr::new("b")), true).unwrap();
    disk.sync(ROOT, false).unwrap();
    disk.sync(folder, false).unwrap();
    let left = cut(&disk, Manner::Pessimistic, 1);
    assert_eq!((left.at("f/a"), left.at("b").is_some()), (None, true));
}

#[test]
fn an_adversarial_cut_keeps_some_pages_and_tears_some() {
    let (mut kinds, mut torn) = (BTreeSet::new(), 0);
    for seed in 0..100 {
        let mut disk = Disk::default();
        let number = file(&mut disk, "a");
        disk.sync(ROOT, false).unwrap();
        disk.write(number, 0, &[1; 8 * PAGE], 1).unwrap();
        disk.sync(number, true).unwrap();
        disk.write(number, 0, &[2; 8 * PAGE], 1).unwrap();
        let left = shown(&cut(&disk, Manner::Adversarial, seed), "a").unwrap();
        for page in left.chunks(PAGE) {
            let new = page.iter().filter(|byte| **byte == 2).count();
            assert_eq!(new % 512, 0, "torn between sectors only");
            torn += usize::from(new > 0 && new < PAGE);
            kinds.insert(new.div_ceil(PAGE / 2));
        }
    }
    assert_eq!(kinds, BTreeSet::from([0, 1, 2]), "old pages, new ones, and some of both");
    assert!((10..100).contains(&torn), "{torn} of 800 pages are torn");
}

#[test]
fn a_version_in_between_may_be_what_is_left() {
    let survived = (0..200).any(|seed| {
        let mut disk = Disk::default();
        let number = file(&mut disk, "a");
        disk.sync(ROOT, false).unwrap();
        for version in 1..4u8 {
            disk.write(number, 0, &[version; PAGE], u32::from(version)).unwrap();
        }
        let left = shown(&cut(&disk, Manner::Adversarial, seed), "a").unwrap();
        left.len() == PAGE && left.iter().all(|byte| *byte == left[0]) && (1..3).contains(&left[0])
    });
    assert!(survived);
}

#[test]
fn a_failed_sync_writes_nothing_and_the_next_one_does_not_try_again() {
    let mut disk = Disk::default();
    let number = file(&mut disk, "a");
    disk.sync(ROOT, false).unwrap();
    disk.write(number, 0, b"lost", 1).unwrap();
    disk.fail_sync(number, false).unwrap();
    assert_eq!(shown(&disk, "a").unwrap(), b"lost", "it is still shown");
    disk.sync(number, true).unwrap();
    assert_eq!(shown(&cut(&disk, Manner::Pessimistic, 1), "a").unwrap(), [0; 4]);
    disk.evict_all();
    assert_eq!(shown(&disk, "a").unwrap(), [0; 4], "and then not any more");
}

#[test]
fn the_power_goes_at_the_change_that_was_named_and_everything_fails_after_it() {
    let mut faults = Faults { rules: vec![Rule::cut(1, &["journal"])], ..Faults::default() };
    assert_eq!(faults.strike(Ask::Store, "journal"), None);
    assert_eq!(faults.strike(Ask::Store, "mark"), None);
    assert_eq!(faults.strike(Ask::Read, "journal"), None);
    assert_eq!(faults.strike(Ask::Sync, "journal"), Some(Effect::Cut));
    assert_eq!(faults.strike(Ask::Read, "journal"), Some(Effect::Broken));
}

#[test]
fn a_copy_that_is_put_back_shows_what_was_and_is_safe() {
    let mut disk = Disk::default();
    let folder = disk.make(ROOT, OsStr::new("f"), Kind::Folder, 0o700, (0, 0)).unwrap();
    let number = disk.make(folder, OsStr::new("a"), Kind::File, 0o600, (0, 0)).unwrap();
    disk.write(number, 0, b"old", 1).unwrap();
    let copy = disk.copy_of("f").unwrap();
    disk.write(number, 0, b"new", 1).unwrap();
    disk.sync(ROOT, false).unwrap();
    disk.put_back("f", &copy);
    assert_eq!(shown(&cut(&disk, Manner::Pessimistic, 1), "f/a").unwrap(), b"old");
    assert!(disk.take_away("f"));
    assert_eq!(cut(&disk, Manner::Pessimistic, 1).at("f"), None);
}
