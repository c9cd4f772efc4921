//! The disk keeps what was synced, and nothing else is sure.

use std::path::Path;

use super::*;
use crate::fault::Errno;

fn path(name: &str) -> PathBuf {
    Path::new("/box").join(name)
}

/// A disk with a folder, and a file of two synced pages in it.
fn disk() -> VirtualDisk {
    let disk = VirtualDisk::new(1);
    let layer = disk.layer();
    layer.create_folder(Path::new("/box")).unwrap();
    layer.sync_folder(Path::new("/")).unwrap();
    let file = layer.create(&path("a")).unwrap();
    file.write_at(&[1; 8192], 0).unwrap();
    file.sync().unwrap();
    layer.sync_folder(Path::new("/box")).unwrap();
    disk
}

#[test]
fn what_was_synced_survives_every_cut() {
    for seed in 0..50 {
        for how in [How::Pessimistic, How::Adversarial] {
            assert_eq!(disk().cut(how, seed).read(&path("a")).unwrap(), [1; 8192]);
        }
    }
}

#[test]
fn what_was_not_synced_is_gone_after_a_pessimistic_cut() {
    let disk = disk();
    let file = disk.layer().open(&path("a")).unwrap();
    file.write_at(&[2; 10_000], 0).unwrap();
    drop(disk.layer().create(&path("b")).unwrap());
    disk.layer().rename(&path("a"), &path("c")).unwrap();
    let after = disk.cut(How::Pessimistic, 1);
    assert_eq!(after.read(&path("a")).unwrap(), [1; 8192]);
    assert_eq!(after.names(Path::new("/box")), ["a"]);
    assert!(file.write_at(&[3], 0).is_err() && disk.layer().list(Path::new("/box")).is_err(), "the old one is dead");
}

#[test]
fn an_adversarial_cut_keeps_some_pages_whole_some_torn_and_sizes_of_their_own() {
    let (mut whole, mut torn, mut short, mut long_and_empty) = (0, 0, 0, 0);
    for seed in 0..400 {
        let disk = disk();
        let file = disk.layer().open(&path("a")).unwrap();
        file.write_at(&[2; 12_288], 0).unwrap();
        let bytes = disk.cut(How::Adversarial, seed).read(&path("a")).unwrap();
        let first = &bytes[..4096];
        whole += u32::from(first == [2; 4096]);
        torn += u32::from(first.contains(&1) && first.contains(&2));
        for sector in first.chunks(SECTOR_BYTES) {
            assert!(sector.iter().all(|byte| *byte == sector[0]), "a sector is never torn");
        }
        short += u32::from(bytes.len() == 8192);
        long_and_empty += u32::from(bytes.len() == 12_288 && bytes[8192..] == [0; 4096]);
    }
    for seen in [whole, torn, short, long_and_empty] {
        assert!(seen > 5, "{whole} {torn} {short} {long_and_empty}");
    }
}

#[test]
fn a_rename_is_never_half_done_and_syncing_one_folder_is_enough() {
    for seed in 0..100 {
        let disk = disk();
        let layer = disk.layer();
        layer.create_folder(&path("sub")).unwrap();
        layer.sync_folder(Path::new("/box")).unwrap();
        layer.rename(&path("a"), &path("sub/a")).unwrap();
        let unsynced = disk.if_cut(How::Adversarial, seed);
        assert!(unsynced.exists(&path("a")) != unsynced.exists(&path("sub/a")));
        layer.sync_folder(&path("sub")).unwrap();
        let synced = disk.cut(How::Adversarial, seed);
        assert!(!synced.exists(&path("a")) && synced.exists(&path("sub/a")));
    }
}

#[test]
fn after_a_failed_sync_the_kernel_may_forget_what_reads_still_show() {
    let disk = disk();
    let file = disk.layer().open(&path("a")).unwrap();
    file.write_at(&[2; 100], 0).unwrap();
    disk.fail(Fault { on: On::Sync, name: Some("a"), after: 0, times: 1, errno: Errno::Io, forgets: true });
    assert!(file.sync().is_err());
    file.sync().unwrap();
    assert_eq!(disk.read(&path("a")).unwrap()[0], 2);
    assert_eq!(disk.cut(How::Adversarial, 3).read(&path("a")).unwrap(), [1; 8192]);
}

#[test]
fn a_full_disk_takes_nothing_new_and_lets_what_is_there_be_overwritten() {
    let disk = disk();
    let file = disk.layer().open(&path("a")).unwrap();
    disk.set_full(true);
    file.write_at(&[4; 8192], 0).unwrap();
    for refused in [file.write_at(&[4; 10], 8192), file.reserve(8192, 10), disk.layer().create(&path("b")).map(drop)] {
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
    disk.heal();
    file.reserve(8192, 4096).unwrap();
    disk.set_full(true);
    file.write_at(&[4; 10], 8192).unwrap();
    disk.set_read_only(true);
    assert_eq!(file.write_at(&[4], 0).unwrap_err().kind(), io::ErrorKind::ReadOnlyFilesystem);
}

#[test]
fn a_removed_file_that_is_open_has_no_links_and_can_still_be_read() {
    let disk = disk();
    let layer = disk.layer();
    let file = layer.open(&path("a")).unwrap();
    assert_eq!(file.links().unwrap(), 1);
    layer.remove(&path("a")).unwrap();
    layer.sync_folder(Path::new("/box")).unwrap();
    let mut byte = [0];
    assert_eq!((file.links().unwrap(), file.read_at(&mut byte, 0).unwrap(), byte), (0, 1, [1]));
    drop(file);
    layer.sync_folder(Path::new("/box")).unwrap();
    assert!(disk.files().is_empty());
}

#[test]
fn damage_is_durable_and_an_older_copy_can_be_put_back() {
    let disk = disk();
    let older = disk.fork(2);
    disk.flip(&path("a"), 5000, 0x80).unwrap();
    let after = disk.cut(How::Pessimistic, 1);
    assert_eq!(after.read(&path("a")).unwrap()[5000], 0x81);
    after.put_back(&older, Path::new("/box"));
    assert_eq!(after.cut(How::Pessimistic, 1).read(&path("a")).unwrap(), [1; 8192]);
}

#[test]
fn the_same_seed_and_input_leave_the_same_trace() {
    let live = || {
        let disk = disk();
        let mut random = [0; 32];
        disk.layer().fill_random(&mut random).unwrap();
        disk.layer().open(&path("a")).unwrap().write_at(&random, 4000).unwrap();
        (disk.trace(), disk.cut(How::Adversarial, 9).read(&path("a")))
    };
    assert_eq!(live(), live());
}

#[test]
fn a_disk_is_locked_by_one_at_a_time() {
    let layer = disk().layer();
    let held = layer.lock(&path("lock")).unwrap();
    assert!(layer.lock(&path("lock")).is_err());
    drop(held);
    assert!(layer.lock(&path("lock")).is_ok());
}

/// A log that takes two envelopes and a tick; the power goes after so many operations. What is there then.
fn log_on(disk: &VirtualDisk, now: hob_relay::clock::Now) -> hob_log::Opened {
    let options = hob_log::Options { files: disk.layer(), has_events: false, ..hob_log::Options::new("/box") };
    hob_log::DiskLog::open(options, |_| now).unwrap()
}

#[test]
fn a_log_lives_on_it_and_the_same_seed_does_the_same_twice() {
    use hob_log::EventLog as _;
    use hob_relay::event::Append;
    let now = hob_relay::clock::Now::default();
    let live = |seed| {
        let disk = VirtualDisk::new(seed);
        let mut log = log_on(&disk, now).log;
        let accept = Append::Accept {
            mailbox: hob_protocol::ids::MailboxId([1; 16]),
            id: hob_protocol::ids::EnvelopeId([2; 32]),
            deadline: now.box_time.plus(std::time::Duration::from_secs(60)),
            urgency: hob_protocol::frame::Urgency::Wake,
            body: vec![7; 2048].into(),
        };
        let place = log.commit(now, &[accept]).unwrap()[0];
        assert_eq!(log.reader().read(place).unwrap()[..], [7; 2048]);
        let trace = disk.trace();
        let after = disk.cut(How::Pessimistic, seed);
        assert!(log.commit(now, &[]).is_ok() && log.tick(now).is_ok() && log.compact(now).is_err());
        drop(log);
        let opened = log_on(&after, now);
        assert_eq!((opened.pending.len(), opened.lost_windows.len()), (1, 0));
        (trace, after.trace())
    };
    assert_eq!(live(3), live(3));
    assert_ne!(live(3), live(4), "keys and salts are others");
}
