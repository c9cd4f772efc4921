//! A backup reads back as it was, or says why not.

use hob_protocol::ids::InvitationSecret;
use hob_relay::clock::{BoxTime, LedgerTime, Now};
use hob_relay::event::{disk, encode_ledger};

use super::header::HEADER_BYTES;
use super::seal::CHUNK_BYTES;
use super::*;
use crate::{DiskLog, EventLog as _, Options};

/// What it costs to try a passphrase in a test.
const CHEAP: Cost = Cost { memory_kib: 32, passes: 1, lanes: 1 };
const PASSPHRASE: Secret<'static> = Secret::Passphrase(Passphrase("an open window"));

fn member(byte: u8) -> Bytes {
    let id = vec![byte; 16].into();
    encode_ledger(LedgerEvent::Member(disk::Member { id, label: "ada".into(), joined_at_s: 7 })).into()
}

fn addresses(sequence: u64) -> Bytes {
    encode_ledger(LedgerEvent::Addresses(disk::Addresses { addresses: vec!["box:8443".into()], sequence })).into()
}

fn checkpoint() -> Checkpoint {
    Checkpoint {
        box_time: BoxTime(5_000_000),
        ledger_time: LedgerTime(4_000_000),
        unix_ms: 1_790_000_000_000,
        boot: None,
    }
}

fn content() -> Content {
    let events = vec![member(1), member(2), addresses(9)];
    Content {
        made_at_s: 1_790_000_000,
        made_by: "0.1.0".into(),
        identity_seed: Zeroizing::new([0xb0; 32]),
        settings: Some("listen = \"[::]:8443\"\n".into()),
        ledger: LastingLedger { events, checkpoint: Some(checkpoint()) },
    }
}

/// As many members as it takes.
fn large(at_least_bytes: usize) -> Content {
    let mut content = content();
    let events = &mut content.ledger.events;
    for number in 0_u64.. {
        let id = [number.to_le_bytes(), [1; 8]].concat().into();
        let event = disk::Member { id, label: "x".repeat(100), joined_at_s: number };
        events.push(encode_ledger(LedgerEvent::Member(event)).into());
        if events.iter().map(Bytes::len).sum::<usize>() >= at_least_bytes {
            return content;
        }
    }
    content
}

fn sealed(content: &Content, secret: &Secret<'_>) -> Vec<u8> {
    let mut file = Vec::new();
    seal(content, secret, CHEAP, &mut file, &mut |_| {}).unwrap();
    file
}

fn read(file: &[u8], secret: &Secret<'_>) -> Result<Content, BackupError> {
    Sealed::open(file)?.read(secret, &mut |_| {})
}

#[test]
fn a_backup_reads_back_as_it_was_whichever_way_it_is_locked() {
    let key = RecoveryKey([7; 32]);
    for secret in [PASSPHRASE, Secret::RecoveryKey(&key)] {
        for content in [content(), large(3 * CHUNK_BYTES + 5)] {
            let file = sealed(&content, &secret);
            assert_eq!(Sealed::open(&file[..]).unwrap().lock(), secret.kind());
            assert_eq!(read(&file, &secret).unwrap(), content);
            assert_ne!(sealed(&content, &secret), file, "no two files are alike");
        }
    }
}

#[test]
fn another_passphrase_and_another_kind_of_secret_are_told_from_damage() {
    let file = sealed(&content(), &PASSPHRASE);
    let other = Secret::Passphrase(Passphrase("an open windoW"));
    assert!(matches!(read(&file, &other), Err(BackupError::WrongSecret { kind: LockKind::Passphrase })));
    let key = RecoveryKey([7; 32]);
    let by_key = Secret::RecoveryKey(&key);
    assert!(matches!(read(&file, &by_key), Err(BackupError::OtherLock { .. })));
    let file = sealed(&content(), &by_key);
    let other = RecoveryKey([8; 32]);
    assert!(matches!(read(&file, &Secret::RecoveryKey(&other)), Err(BackupError::WrongSecret { .. })));
}

#[test]
fn a_file_cut_at_any_length_is_refused_and_most_cuts_are_called_one() {
    let file = sealed(&content(), &PASSPHRASE);
    assert!(matches!(read(&[], &PASSPHRASE), Err(BackupError::NotABackup)), "an empty file");
    for end in 1..file.len() {
        let error = read(&file[..end], &PASSPHRASE).unwrap_err();
        assert!(matches!(error, BackupError::Cut { .. } | BackupError::Damaged { .. }), "cut at {end}: {error}");
    }
    let file = sealed(&large(2 * CHUNK_BYTES), &PASSPHRASE);
    for chunks in 0..=2 {
        let at = HEADER_BYTES + chunks * (CHUNK_BYTES + 16);
        let error = read(&file[..at], &PASSPHRASE).unwrap_err();
        assert!(matches!(error, BackupError::Cut { at: told } if told == at as u64), "cut at {at}: {error}");
    }
}

#[test]
fn one_changed_byte_anywhere_is_noticed() {
    let content = content();
    let file = sealed(&content, &PASSPHRASE);
    for at in 0..file.len() {
        for flip in [1, 0x80] {
            let mut changed = file.clone();
            changed[at] ^= flip;
            assert!(read(&changed, &PASSPHRASE).is_err(), "byte {at}");
        }
    }
}

#[test]
fn bytes_behind_the_end_and_chunks_in_another_order_are_noticed() {
    let mut longer = sealed(&content(), &PASSPHRASE);
    longer.push(0);
    assert!(read(&longer, &PASSPHRASE).is_err());
    let file = sealed(&large(3 * CHUNK_BYTES), &PASSPHRASE);
    let (head, chunks) = file.split_at(HEADER_BYTES);
    let mut chunks: Vec<&[u8]> = chunks.chunks(CHUNK_BYTES + 16).collect();
    chunks.swap(0, 1);
    assert!(read(&[head, &chunks.concat()].concat(), &PASSPHRASE).is_err());
    chunks.swap(0, 1);
    chunks.remove(1);
    assert!(read(&[head, &chunks.concat()].concat(), &PASSPHRASE).is_err());
    let doubled = [&file[..], &file[HEADER_BYTES..]].concat();
    assert!(read(&doubled, &PASSPHRASE).is_err());
}

#[test]
fn a_backup_that_ends_with_a_chunk_reads_back_as_well() {
    let mut content = content();
    let mut without_settings = 0;
    content.settings = Some(String::new());
    records::write(&content, &mut |bytes| {
        without_settings += bytes.len();
        Ok(())
    })
    .unwrap();
    for plain_bytes in [CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1] {
        content.settings = Some("x".repeat(plain_bytes - without_settings));
        let file = sealed(&content, &PASSPHRASE);
        let chunks = plain_bytes.div_ceil(CHUNK_BYTES);
        assert_eq!(file.len(), HEADER_BYTES + plain_bytes + 16 * chunks);
        assert!(read(&file, &PASSPHRASE).unwrap() == content, "{plain_bytes}");
    }
}

#[test]
fn a_file_of_a_newer_program_is_said_to_be_one() {
    let mut file = sealed(&content(), &PASSPHRASE);
    file[8] = 2;
    let error = read(&file, &PASSPHRASE).unwrap_err();
    assert!(matches!(error, BackupError::Newer { found: 2, known: 1 }), "{error}");
}

/// A header with other numbers, and a checksum that fits.
fn with_parameter(file: &[u8], at: usize, value: u32) -> Vec<u8> {
    let mut file = file.to_vec();
    file[at..at + 4].copy_from_slice(&value.to_le_bytes());
    let mut sum = [0; 8];
    blake3::Hasher::new_derive_key("hob/1 backup header checksum").update(&file[..64]).finalize_xof().fill(&mut sum);
    file[64..72].copy_from_slice(&sum);
    file
}

#[test]
fn a_file_that_asks_for_a_terabyte_or_a_year_is_refused_before_any_work_is_begun() {
    let file = sealed(&content(), &PASSPHRASE);
    for (at, value) in [(12, 1 << 30), (12, (256 << 10) + 1), (16, u32::MAX), (16, 17), (20, 5), (20, u32::MAX)] {
        let error = read(&with_parameter(&file, at, value), &PASSPHRASE).unwrap_err();
        assert!(matches!(error, BackupError::TooCostly { .. }), "{at} {value}: {error}");
    }
    for (at, value) in [(12, 0), (16, 0), (20, 0)] {
        let error = read(&with_parameter(&file, at, value), &PASSPHRASE).unwrap_err();
        assert!(matches!(error, BackupError::Damaged { .. }), "{at} {value}: {error}");
    }
}

#[test]
fn a_record_that_claims_four_gigabytes_is_refused_and_so_are_records_out_of_order() {
    let refused = |plain: &[u8]| {
        let mut reader = records::Reader::default();
        let mut result = Ok(());
        for part in plain.chunks(7) {
            result = result.and_then(|()| reader.take_in(part));
        }
        result.and_then(|()| reader.finish().map(drop)).is_err()
    };
    let mut plain = Vec::new();
    records::write(&content(), &mut |bytes| {
        plain.extend_from_slice(bytes);
        Ok(())
    })
    .unwrap();
    assert!(!refused(&plain));
    assert!(refused(&[4, 0xff, 0xff, 0xff, 0xff]));
    let huge = [&plain[..plain.len() - 13], &[4, 0xff, 0xff, 0xff, 0xff][..]].concat();
    assert!(refused(&huge));
    assert!(refused(&[&plain[..], &plain[..]].concat()), "twice");
    assert!(refused(&plain[..plain.len() - 13]), "without an end");
    assert!(refused(&[9, 0, 0, 0, 0]), "an unknown kind");
    assert!(refused(&plain[5 + plain[1] as usize..]), "without its first record");
}

#[test]
fn what_does_not_last_is_in_no_backup_and_taken_from_none() {
    let secret = InvitationSecret([0x5e; 16]);
    let invitation = disk::Invitation {
        id: vec![1; 16].into(),
        secret: secret.expose().to_vec().into(),
        expires_at_ms: 5,
        ..disk::Invitation::default()
    };
    let bundle = disk::Bundle { mailbox: vec![1; 16].into(), bundle: vec![2; 100].into(), expires_at_ms: 5 };
    let fleeting = [
        LedgerEvent::Invitation(invitation),
        LedgerEvent::Bundle(bundle),
        LedgerEvent::Epoch(disk::Epoch { epoch: 5 }),
        LedgerEvent::LostWindow(disk::LostWindow { opened_at_s: 5 }),
    ];
    let fleeting: Vec<Bytes> = fleeting.into_iter().map(|event| encode_ledger(event).into()).collect();
    let of = LastingLedger::of([fleeting.clone(), vec![member(1)]].concat(), None);
    assert_eq!(of.events, [member(1)]);
    // A file that holds them all the same was made by something that is not Hob.
    let mut content = content();
    let events = std::mem::replace(&mut content.ledger.events, fleeting);
    content.ledger.events.extend(events.clone());
    let key = RecoveryKey([7; 32]);
    let read = read(&sealed(&content, &Secret::RecoveryKey(&key)), &Secret::RecoveryKey(&key)).unwrap();
    assert_eq!(read.ledger.events, events);
    assert_eq!(read.ledger.counts(), Counts { members: 2, devices: 0, tokens: 0 });
}

#[test]
fn a_folder_made_of_a_backup_has_its_ledger_and_clock_and_addresses_ahead_of_the_lost_boxs() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("box");
    let ledger = content().ledger;
    build(&data, &ledger, 1_790_000_500).unwrap();
    let of_stopped = of_stopped_box(&data).unwrap();
    assert_eq!(of_stopped.events, [member(1), member(2), addresses(1_790_000_500)]);
    assert_eq!(of_stopped.checkpoint, ledger.checkpoint);
    let opened = DiskLog::open(Options::new(&data), |_| Now::default()).unwrap();
    assert_eq!((opened.ledger.len(), opened.report.left_overs), (3, 0));
    assert!(matches!(of_stopped_box(&data), Err(crate::OpenError::InUse { .. })));
    // A box without a clock counts ahead by what no box starts.
    let other = folder.path().join("other");
    build(&other, &ledger, 0).unwrap();
    assert_eq!(of_stopped_box(&other).unwrap().events[2], addresses(1_000_009));
}

#[test]
fn a_running_boxs_ledger_is_the_one_that_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    let now = Now { box_time: BoxTime(1), ledger_time: LedgerTime(1), unix_ms: 1 };
    let mut log = DiskLog::open(Options::new(folder.path()), |_| now).unwrap().log;
    let event = |bytes: &Bytes| hob_relay::event::Append::Ledger(decode_ledger(bytes.clone()).unwrap().unwrap());
    log.commit(now, &[event(&member(1)), event(&member(2)), event(&member(1))]).unwrap();
    assert_eq!(log.live_ledger().unwrap(), [member(2), member(1)]);
    log.close().unwrap();
    drop(log);
    assert_eq!(of_stopped_box(folder.path()).unwrap().events, [member(2), member(1)]);
}

#[test]
fn keepers_what_they_set_and_what_they_did_are_in_a_backup() {
    let lasting = [
        LedgerEvent::Keeper(disk::Keeper { id: vec![1; 16].into(), ..disk::Keeper::default() }),
        LedgerEvent::SetUp(disk::SetUp { done: 3 }),
        LedgerEvent::Settings(disk::Settings { box_name: "home".into(), ..disk::Settings::default() }),
        LedgerEvent::AutomationToken(disk::AutomationToken::default()),
        LedgerEvent::Audit(disk::Audit { number: 1, ..disk::Audit::default() }),
        LedgerEvent::Suspended(disk::Suspended { member: vec![2; 16].into() }),
    ];
    let live: Vec<Bytes> = lasting.into_iter().map(|event| encode_ledger(event).into()).collect();
    assert_eq!(LastingLedger::of(live.clone(), None).events, live);
}
