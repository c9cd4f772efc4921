//! The folder that is damaged: three windows and a ledger with a record of every kind, and an older copy of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hob_log::{DiskLog, EventLog as _, Opened, Options};
use hob_protocol::frame::Urgency;
use hob_protocol::ids::{EnvelopeId, MailboxId};
use hob_relay::clock::{BoxTime, Checkpoint, LedgerTime, Now};
use hob_relay::event::{Append, LedgerEvent, Place, disk};

/// An envelope that was accepted.
#[derive(Debug, Clone)]
pub struct Envelope {
    pub number: u64,
    pub bytes: usize,
    pub place: Place,
    pub is_pending: bool,
}

/// A stopped box's log.
pub struct Stage {
    _folder: tempfile::TempDir,
    pub data: PathBuf,
    /// The same a little earlier.
    pub older: PathBuf,
    pub envelopes: Vec<Envelope>,
    /// What is live.
    pub ledger: Vec<LedgerEvent>,
    /// What ever was.
    pub written: Vec<LedgerEvent>,
    pub checkpoint: Checkpoint,
}

pub fn at(minutes: u64) -> Now {
    let ms = minutes * 60_000;
    Now { box_time: BoxTime(ms), ledger_time: LedgerTime(ms), unix_ms: 1_790_000_000_000 + ms }
}

pub fn id(number: u64) -> EnvelopeId {
    let mut id = [0x1d; 32];
    id[..8].copy_from_slice(&number.to_le_bytes());
    EnvelopeId(id)
}

pub fn body(number: u64, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at as u64 * 31 + number * 7) as u8).collect()
}

/// Opens with sled, as a box does.
pub fn open(data: &Path, now: Now) -> Result<Opened, hob_log::OpenError> {
    DiskLog::open(Options::new(data), |_| now)
}

struct Builder {
    log: DiskLog,
    envelopes: Vec<Envelope>,
}

impl Builder {
    fn accept(&mut self, now: Now, group: &[(u64, usize)]) {
        let appends: Vec<Append> = group
            .iter()
            .map(|(number, bytes)| Append::Accept {
                mailbox: MailboxId([*number as u8; 16]),
                id: id(*number),
                deadline: now.box_time.plus(Duration::from_secs(5 * 3600)),
                urgency: Urgency::Wake,
                body: body(*number, *bytes).into(),
            })
            .collect();
        let places = self.log.commit(now, &appends).unwrap();
        for ((number, bytes), place) in group.iter().zip(places) {
            self.envelopes.push(Envelope { number: *number, bytes: *bytes, place, is_pending: true });
        }
    }

    fn end(&mut self, now: Now, number: u64, is_expiry: bool) {
        let envelope = self.envelopes.iter_mut().find(|envelope| envelope.number == number).unwrap();
        envelope.is_pending = false;
        let place = envelope.place;
        let append = if is_expiry { Append::Expire { place } } else { Append::Acknowledge { place } };
        self.log.commit(now, &[append]).unwrap();
    }
}

/// One of each kind.
fn kinds() -> Vec<LedgerEvent> {
    let id = |byte: u8| bytes::Bytes::from(vec![byte; 16]);
    let key = |byte: u8| bytes::Bytes::from(vec![byte; 32]);
    vec![
        LedgerEvent::Epoch(disk::Epoch { epoch: 77 }),
        LedgerEvent::Member(disk::Member { id: id(1), label: "ada".into(), joined_at_s: 1 }),
        LedgerEvent::Member(disk::Member { id: id(2), label: "bob".into(), joined_at_s: 2 }),
        LedgerEvent::Device(disk::Device { key: key(3), member: id(1), added_at_s: 3, ..Default::default() }),
        LedgerEvent::Device(disk::Device { key: key(4), member: id(2), added_at_s: 4, ..Default::default() }),
        LedgerEvent::Token(disk::Token { hash: key(5), mailbox: id(6), ..Default::default() }),
        LedgerEvent::Token(disk::Token { hash: key(7), mailbox: id(6), introduction: true, ..Default::default() }),
        LedgerEvent::Bundle(disk::Bundle { mailbox: id(6), bundle: vec![8; 2000].into(), expires_at_ms: 9 }),
        LedgerEvent::Bundle(disk::Bundle { mailbox: id(9), bundle: vec![9; 20_000].into(), expires_at_ms: 9 }),
        LedgerEvent::Invitation(disk::Invitation {
            id: id(10),
            secret: id(11),
            expires_at_ms: 12,
            ..Default::default()
        }),
        LedgerEvent::Invitation(disk::Invitation {
            id: id(13),
            secret: id(14),
            expires_at_ms: 15,
            ..Default::default()
        }),
        LedgerEvent::LostWindow(disk::LostWindow { opened_at_s: 16 }),
        LedgerEvent::Addresses(disk::Addresses { addresses: vec!["wss://10.0.0.1:4433".into()], sequence: 17 }),
        LedgerEvent::MemberRemoved(disk::MemberRemoved { id: id(2) }),
        LedgerEvent::DeviceRemoved(disk::DeviceRemoved { key: key(4) }),
        LedgerEvent::TokenRemoved(disk::TokenRemoved { hash: key(7) }),
        LedgerEvent::BundleRemoved(disk::BundleRemoved { mailbox: id(9) }),
        LedgerEvent::InvitationRemoved(disk::InvitationRemoved { id: id(13) }),
    ]
}

impl Stage {
    pub fn build() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (data, older) = (folder.path().join("data"), folder.path().join("older"));
        let mut build = Builder { log: open(&data, at(0)).unwrap().log, envelopes: Vec::new() };
        let written = kinds();
        let (first, second) = written.split_at(9);
        for event in first {
            build.log.commit(at(0), &[Append::Ledger(event.clone())]).unwrap();
        }
        build.accept(at(0), &[(1, 2048), (2, 4096)]);
        build.accept(at(1), &[(3, 2048)]);
        build.end(at(2), 2, false);
        build.accept(at(3), &[(4, 2048)]);
        build.end(at(3), 4, true);
        build.log.tick(at(31)).unwrap();
        build.accept(at(32), &[(11, 2048)]);
        build.accept(at(33), &[(12, 2048)]);
        build.end(at(34), 11, false);
        build.end(at(34), 12, true);
        build.log.tick(at(63)).unwrap();
        build.accept(at(64), &[(21, 2048), (22, 8192)]);
        build.log.close().unwrap();
        drop(build.log);
        copy(&data, &older, true);
        build.log = open(&data, at(65)).unwrap().log;
        build.accept(at(65), &[(23, 2048)]);
        build.end(at(66), 22, false);
        build.accept(at(66), &[(24, 2048), (25, 2048), (26, 2048)]);
        build.end(at(66), 1, false);
        for event in second {
            build.log.commit(at(66), &[Append::Ledger(event.clone())]).unwrap();
        }
        let now = at(67);
        let checkpoint =
            Checkpoint { box_time: now.box_time, ledger_time: now.ledger_time, unix_ms: now.unix_ms, boot: None };
        build.log.checkpoint(checkpoint).unwrap();
        build.log.wait_for_events();
        build.log.close().unwrap();
        let envelopes = build.envelopes;
        drop(build.log);
        let ledger = open(&data, at(68)).map(|opened| {
            opened.log.wait_for_events();
            opened.ledger
        });
        Self { _folder: folder, data, older, envelopes, ledger: ledger.unwrap(), written, checkpoint }
    }

    /// A copy to damage. Without sled every log has only its journal.
    pub fn copy(&self, has_sled: bool) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        copy(&self.data, folder.path(), has_sled);
        folder
    }
}

pub fn copy(from: &Path, to: &Path, has_sled: bool) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if !path.is_dir() {
            std::fs::copy(path, target).unwrap();
        } else if has_sled || !path.ends_with("events") {
            copy(&path, &target, has_sled);
        }
    }
}
