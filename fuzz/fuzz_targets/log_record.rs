//! Records of the log: what a card gives back may be anything, sealed by us or not.
#![no_main]

use arbitrary::Arbitrary;
use bytes::Bytes;
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hob_log::files::RealFiles;
use hob_log::record::{
    BLOCK_HEADER_BYTES, Block, ChainPlace, HEADER_BYTES, Header, Item, LogKeys, Opening, open_front, seal_group,
};
use libfuzzer_sys::fuzz_target;

const LOG: [u8; 16] = [1; 16];
const INDEX_KEY: [u8; 32] = [2; 32];
const BODY_KEY: [u8; 32] = [3; 32];

#[derive(Debug, Arbitrary)]
enum Case<'a> {
    /// Bytes as they lie on the card.
    Raw(&'a [u8]),
    /// An index of any shape under a good seal: what a bug of the writer, or its thief, could leave.
    Index { records: u16, total_bytes: u32, first_sequence: u64, plain: &'a [u8] },
    /// Records that were written, with some bytes changed afterwards.
    Changed { items: Vec<(&'a [u8], &'a [u8])>, changes: Vec<(u16, u8)> },
    /// An event of the ledger.
    Event(&'a [u8]),
}

fn keys() -> LogKeys {
    LogKeys::new(LOG, &INDEX_KEY, Some(&BODY_KEY))
}

fuzz_target!(|case: Case<'_>| match case {
    Case::Raw(bytes) => drop(read(bytes)),
    Case::Index { records, total_bytes, first_sequence, plain } => {
        drop(read(&sealed_index(records, total_bytes, first_sequence, plain)));
    }
    Case::Changed { items, changes } => changed(&items, &changes),
    Case::Event(bytes) => {
        if let Ok(Some(event)) = hob_relay::event::decode_ledger(Bytes::copy_from_slice(bytes)) {
            let (key, _) = hob_relay::event::ledger_key(&event);
            let again = hob_relay::event::decode_ledger(hob_relay::event::encode_ledger(event).into());
            let again = again.expect("it was encoded").expect("it has a kind");
            assert_eq!(hob_relay::event::ledger_key(&again).0, key);
        }
    }
});

/// Reads a group as the log does: events and bodies, of those that check out.
fn read(group: &[u8]) -> Option<Vec<(Bytes, Vec<u8>)>> {
    let header = Header::parse(group)?;
    let front = group.get(..header.front_bytes())?;
    let records = open_front(&keys(), &header, front)?;
    assert_eq!(records.len() as u64, header.records);
    let mut read = Vec::new();
    for record in records {
        let mut body = Vec::new();
        if record.body_bytes > 0 {
            let block = Block::parse(group.get(record.block_at..)?)?;
            let begins = record.block_at.checked_add(BLOCK_HEADER_BYTES)?;
            body.extend_from_slice(group.get(begins..begins.checked_add(block.body_bytes)?)?);
            let opened = block.open(&keys(), record.sequence, &mut body) == Opening::Good;
            if !opened || block.tag != record.body_tag || block.body_bytes != record.body_bytes {
                return None;
            }
        }
        read.push((record.event, body));
    }
    Some(read)
}

fn changed(items: &[(&[u8], &[u8])], changes: &[(u16, u8)]) {
    if items.is_empty() || items.iter().any(|(event, body)| event.len() + body.len() > 4096) || items.len() > 64 {
        return;
    }
    let as_items: Vec<Item<'_>> = items.iter().map(|(event, body)| Item { event, body }).collect();
    let (mut group, mut offsets) = (Vec::new(), Vec::new());
    let at = ChainPlace { first_sequence: 10, previous_tag: [4; 16], synced_to: 77 };
    seal_group(&RealFiles, &keys(), at, &as_items, &mut group, &mut offsets).expect("small records");
    let written = read(&group).expect("what was written reads");
    assert!(written.iter().zip(items).all(|(read, item)| read.0 == item.0 && read.1 == item.1));
    let before = group.clone();
    for (place, byte) in changes {
        let place = usize::from(*place) % group.len();
        group[place] ^= byte;
    }
    if let Some(still) = read(&group) {
        assert!(group == before && still == written, "a change was not noticed");
    }
}

/// `record.rs` says how a group looks.
fn sealed_index(records: u16, total_bytes: u32, first_sequence: u64, plain: &[u8]) -> Vec<u8> {
    let salt = [9; 16];
    let mut group = b"HOBG".to_vec();
    group.extend_from_slice(&total_bytes.to_le_bytes());
    group.extend_from_slice(&u32::try_from(plain.len() + 16).unwrap_or(u32::MAX).to_le_bytes());
    group.extend_from_slice(&u32::from(records).to_le_bytes());
    group.extend_from_slice(&first_sequence.to_le_bytes());
    group.extend_from_slice(&[0; 8]);
    group.extend_from_slice(&salt);
    group.extend_from_slice(&[4; 16]);
    assert_eq!(group.len(), HEADER_BYTES);
    let aad = [&b"hob/1 log index."[..], &LOG, &group].concat();
    let mut nonce = [0; 24];
    nonce[..16].copy_from_slice(&salt);
    nonce[16..].copy_from_slice(&first_sequence.to_le_bytes());
    let mut sealed = plain.to_vec();
    let cipher = XChaCha20Poly1305::new(&Key::from(INDEX_KEY));
    let tag = cipher
        .encrypt_inout_detached(&XNonce::from(nonce), &aad, sealed.as_mut_slice().into())
        .expect("far below the cipher's bound");
    group.extend_from_slice(&sealed);
    group.extend_from_slice(&tag);
    group.resize(group.len().max((total_bytes as usize).min(1 << 16)), 0);
    group
}
