//! The world stops after the n-th operation, for every n. Then: exactly one valid generation, nothing acknowledged lost.

use super::recording::Recording;
use super::*;

/// Everything that changes folders and keys: first start, windows, generations, destruction. Returns what was
/// acknowledged: envelopes that are pending, and labels that are live.
fn live_through(folder: &Path, disk: &Recording) -> (Vec<u64>, Vec<&'static str>, bool) {
    let (mut kept, mut labels, mut done) = (Vec::new(), Vec::new(), false);
    let Ok(opened) = try_open(folder, Some(disk.layer()), at(0)) else {
        return (kept, labels, done);
    };
    let mut log = opened.log;
    let mut days = || -> Result<(), crate::LogError> {
        log.commit(at(0), &[member(1, "ada"), member(2, "bob")])?;
        labels.extend(["ada", "bob"]);
        let place = log.commit(at(0), &[accept(1, at(0))])?[0];
        kept.push(1);
        log.compact(at(1))?;
        log.commit(at(2), &[accept(2, at(2))])?;
        kept.push(2);
        log.commit(at(2), &[member_removed(2)])?;
        labels.pop();
        log.commit(at(40), &[Append::Acknowledge { place }, accept(3, at(40))])?;
        kept.push(3);
        log.tick(at(41))?;
        log.compact(at(42))?;
        Ok(())
    };
    done = days().is_ok();
    (kept, labels, done)
}

#[test]
fn a_crash_at_any_operation_leaves_one_valid_generation_and_loses_nothing_acknowledged() {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let done_at = std::sync::atomic::AtomicUsize::new(usize::MAX);
    let order = std::sync::atomic::Ordering::SeqCst;
    // Each try waits for its syncs most of the time.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while done_at.load(order) == usize::MAX {
                    let operations = next.fetch_add(1, order);
                    if crash_after(operations) {
                        done_at.fetch_min(operations, order);
                    }
                }
            });
        }
    });
    let tried = done_at.load(order);
    assert!(tried > 150, "only {tried} operations were tried");
}

/// Lives until the world stops, starts again and looks. Whether it lived to the end.
fn crash_after(operations: usize) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let disk = Recording::stopping_after(operations);
    let (kept, want, done) = live_through(folder.path(), &disk);
    let opened = open(folder.path(), at(43));
    let what = format!("stopped after {operations} operations: {:?}", disk.told().last());
    let pending = ids(&opened);
    for number in kept.iter().filter(|number| **number != 1) {
        assert!(pending.contains(&id(*number)), "{what}: envelope {number} is lost");
    }
    if kept.contains(&1) {
        let known = opened.known.iter().any(|known| known.id == id(1));
        assert!(pending.contains(&id(1)) || known, "{what}: envelope 1 is lost");
    }
    assert!(opened.lost_windows.is_empty(), "{what}: {:?}", opened.lost_windows);
    assert_eq!((opened.report.ledger_lost, opened.report.ledger_restored), (0, 0), "{what}");
    // What was not acknowledged may be stored all the same; what was, is.
    for label in &want {
        let unsure_removal = *label == "bob";
        assert!(labels(&opened.ledger).contains(label) || unsure_removal, "{what}: {label} is lost");
    }
    let generations = std::fs::read_dir(folder.path().join("log/ledger")).unwrap().count() - 1;
    assert_eq!(generations, 1, "{what}");
    for pending in &opened.pending {
        let read = opened.log.reader().read(pending.place);
        read.unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    drop(opened);
    let verdicts = crate::verify(folder.path()).unwrap();
    assert!(verdicts.iter().all(|verdict| !verdict.is_damaged()), "{what}");
    done
}

#[test]
fn a_key_that_was_being_destroyed_in_a_crash_is_destroyed_before_the_next_start_serves() {
    let mut operations = 0;
    loop {
        let folder = tempfile::tempdir().unwrap();
        drop({
            let mut log = open(folder.path(), at(0)).log;
            keep(&mut log, 1, at(0));
            log
        });
        let disk = Recording::stopping_after(operations);
        let destroyed = try_open(folder.path(), Some(disk.layer()), at(361)).is_ok();
        let opened = open(folder.path(), at(362));
        assert!(opened.pending.is_empty() && opened.lost_windows.is_empty(), "after {operations}");
        drop(opened);
        let files = crate::files::RealFiles;
        let keys = folder.path().join("keys");
        let whole = std::fs::read(keys.join("log.keys")).unwrap();
        // Neither slot knows the window any more, whichever one is believed.
        for slot in 0..2 {
            let mut one = whole.clone();
            let half = one.len() / 2;
            one[(1 - slot) * half..(2 - slot) * half].fill(0);
            let copy = tempfile::tempdir().unwrap();
            std::fs::write(copy.path().join("log.keys"), one).unwrap();
            let box_key = crate::keys::BoxKey::load(&files, &keys, false).unwrap();
            let table = crate::keys::KeyStore::peek(&files, copy.path(), &box_key).unwrap();
            assert!(table.of(crate::LogName::Window { number: 1 }).is_none(), "slot {slot} after {operations}");
        }
        if destroyed {
            break;
        }
        operations += 1;
    }
    assert!(operations > 10);
}
