//! How a group of records is sealed and chained.
//!
//! What one commit appends to one log is a *group*: one sealed index of its records, and beside it each record's body,
//! sealed on its own under the body key. So one body can be read alone, a commit costs one sealing besides its bodies,
//! and the index lives on when the body key is destroyed.
//!
//! ```text
//! group  = header (64 B) || index (sealed, tag at its end) || body blocks
//! header = "HOBG" || total bytes (4) || index bytes (4) || records (4) || first sequence (8) || synced to (8)
//!          || salt (16) || tag of the group before (16)
//! index  = per record: event bytes (4) || body bytes (4) || tag of the body (16, if there is one) || event
//! block  = body bytes (4) || salt (16) || tag (16) || sealed body
//! ```
//! Integers are little-endian; an event is Protocol Buffers (`events.proto`). Bound as associated data: to the index,
//! the log id and the header, and by it sequence, place in the chain and the group before; to a body, the log id and its
//! sequence number; and the index holds the body's tag. So nothing can be reordered, replayed, swapped or cut out unseen.
//! A salt is random and new for each try to write a group, so no nonce (salt, sequence) is ever used twice.
//!
//! *Synced to* is how much of the journal was known to be synced when the group was written: it tells a torn tail, which
//! was never acknowledged, from damage.

use std::io;

use bytes::Bytes;
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Key, Tag, XChaCha20Poly1305, XNonce};
use hob_protocol::planted;
use zeroize::Zeroizing;

use crate::error::LogError;
use crate::files::FileLayer;

/// An id, a salt or a tag.
pub type Bytes16 = [u8; 16];

/// Bytes of a group's header.
pub const HEADER_BYTES: usize = 64;

/// Bytes before the sealed bytes in a body block.
pub const BLOCK_HEADER_BYTES: usize = 36;

/// The most that a group may have, in bytes.
pub const GROUP_BYTES_MAX: usize = 4 << 20;

/// The most that one event may have, in bytes.
pub const EVENT_BYTES_MAX: usize = 1 << 20;

/// The most that one body may have, in bytes.
pub const BODY_BYTES_MAX: usize = 1 << 20;

const MAGIC: &[u8; 4] = b"HOBG";
const TAG_BYTES: usize = 16;

/// Takes the first bytes off a slice.
pub fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*first)
}

fn take_u32(rest: &mut &[u8]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(take(rest)?)).ok()
}

/// The keys of one log, ready to use. Wiped when dropped.
#[derive(Clone)]
pub struct LogKeys {
    log_id: Bytes16,
    index: XChaCha20Poly1305,
    body: Option<XChaCha20Poly1305>,
}

impl std::fmt::Debug for LogKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { log_id, index: _, body } = self;
        f.debug_struct("LogKeys").field("log_id", log_id).field("has_body_key", &body.is_some()).finish_non_exhaustive()
    }
}

impl LogKeys {
    /// From the bytes of the keys.
    pub fn new(log_id: Bytes16, index: &[u8; 32], body: Option<&[u8; 32]>) -> Self {
        let cipher = |key: &[u8; 32]| XChaCha20Poly1305::new(&Key::from(*key));
        Self { log_id, index: cipher(index), body: body.map(cipher) }
    }

    /// Which log they are for.
    pub const fn log_id(&self) -> Bytes16 {
        self.log_id
    }

    /// Forgets the body key.
    pub fn drop_body_key(&mut self) {
        self.body = None;
    }

    /// Whether bodies can be sealed and opened.
    pub const fn has_body_key(&self) -> bool {
        self.body.is_some()
    }
}

fn nonce(salt: &Bytes16, sequence: u64) -> XNonce {
    let mut nonce = [0; 24];
    let (front, back) = nonce.split_at_mut(16);
    front.copy_from_slice(salt);
    back.copy_from_slice(&sequence.to_le_bytes());
    XNonce::from(nonce)
}

fn body_aad(log_id: &Bytes16, sequence: u64) -> [u8; 40] {
    let mut aad = *b"hob/1 log body..                        ";
    let (_, rest) = aad.split_at_mut(16);
    let (id, at) = rest.split_at_mut(16);
    id.copy_from_slice(log_id);
    at.copy_from_slice(&sequence.to_le_bytes());
    aad
}

fn index_aad(log_id: &Bytes16, header: &[u8]) -> [u8; 32 + HEADER_BYTES] {
    let mut aad = [0; 32 + HEADER_BYTES];
    let (context, rest) = aad.split_at_mut(16);
    let (id, rest) = rest.split_at_mut(16);
    context.copy_from_slice(b"hob/1 log index.");
    id.copy_from_slice(log_id);
    rest.copy_from_slice(header);
    aad
}

/// What becomes one record: an event, and a body if it has one.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    /// The event, encoded.
    pub event: &'a [u8],
    /// The body; empty if there is none.
    pub body: &'a [u8],
}

/// Where in a chain a group goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChainPlace {
    /// The sequence number of its first record.
    pub first_sequence: u64,
    /// The tag of the group before; zeros for the first.
    pub previous_tag: Bytes16,
    /// How much of the journal is synced.
    pub synced_to: u64,
}

/// A group that was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// Its tag: what the next group is chained to.
    pub tag: Bytes16,
    /// Records in it.
    pub records: u64,
}

/// Seals a group into `out`, which is cleared first: one growing buffer, encrypted in place.
///
/// The salt comes from `files`, fresh for each call. For each item with a body, its block's offset within the group is
/// pushed to `offsets`.
///
/// # Errors
/// [`LogError::TooLarge`] for an event or a group over the bounds. Bodies need the body key: [`LogError::Closed`].
pub fn seal_group(
    files: &dyn FileLayer,
    keys: &LogKeys,
    at: ChainPlace,
    items: &[Item<'_>],
    out: &mut Vec<u8>,
    offsets: &mut Vec<u64>,
) -> Result<Sealed, LogError> {
    let mut salt = [0; 16];
    files.fill_random(&mut salt).map_err(|_| LogError::Closed)?;
    out.clear();
    out.resize(HEADER_BYTES, 0);
    let body_bytes: usize = items.iter().map(|item| item.body.len()).sum();
    let event_bytes: usize = items.iter().map(|item| item.event.len()).sum();
    let records = items.len();
    out.reserve(body_bytes + event_bytes + records * (24 + BLOCK_HEADER_BYTES) + TAG_BYTES);
    for item in items {
        if item.event.len() > EVENT_BYTES_MAX || item.body.len() > BODY_BYTES_MAX {
            return Err(LogError::TooLarge {
                got_bytes: item.event.len().max(item.body.len()),
                max_bytes: EVENT_BYTES_MAX,
            });
        }
        out.extend_from_slice(&length(item.event));
        out.extend_from_slice(&length(item.body));
        if !item.body.is_empty() {
            out.extend_from_slice(&[0; TAG_BYTES]);
        }
        out.extend_from_slice(item.event);
    }
    let index_end = out.len() + TAG_BYTES;
    out.resize(index_end, 0);
    let mut tag_at = HEADER_BYTES + 8;
    for (sequence, item) in (at.first_sequence..).zip(items) {
        if !item.body.is_empty() {
            let cipher = keys.body.as_ref().ok_or(LogError::Closed)?;
            offsets.push(out.len() as u64);
            let tag = seal_body(cipher, &keys.log_id, &salt, sequence, item.body, out);
            if let Some(slot) = out.get_mut(tag_at..tag_at + TAG_BYTES) {
                slot.copy_from_slice(&tag);
            }
            tag_at += TAG_BYTES;
        }
        tag_at += item.event.len() + 8;
    }
    let total = out.len();
    if total > GROUP_BYTES_MAX {
        return Err(LogError::TooLarge { got_bytes: total, max_bytes: GROUP_BYTES_MAX });
    }
    let header =
        Header { total_bytes: total, index_bytes: index_end - HEADER_BYTES, records: records as u64, at, salt };
    let tag = seal_index(keys, &header, out);
    Ok(Sealed { tag, records: records as u64 })
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes()
}

fn seal_body(
    cipher: &XChaCha20Poly1305,
    log_id: &Bytes16,
    salt: &Bytes16,
    sequence: u64,
    body: &[u8],
    out: &mut Vec<u8>,
) -> Bytes16 {
    let block = out.len();
    out.extend_from_slice(&length(body));
    out.extend_from_slice(salt);
    out.extend_from_slice(&[0; TAG_BYTES]);
    out.extend_from_slice(body);
    let (front, sealed) = out.split_at_mut(block + BLOCK_HEADER_BYTES);
    let aad = body_aad(log_id, sequence);
    let tag = seal(cipher, &nonce(salt, sequence), &aad, sealed);
    if let Some(slot) = front.get_mut(block + 20..) {
        slot.copy_from_slice(&tag);
    }
    tag
}

fn seal_index(keys: &LogKeys, header: &Header, out: &mut [u8]) -> Bytes16 {
    let head = header.to_bytes();
    let (front, rest) = out.split_at_mut(HEADER_BYTES);
    front.copy_from_slice(&head);
    let (index, rest) = rest.split_at_mut(header.index_bytes - TAG_BYTES);
    let aad = index_aad(&keys.log_id, &head);
    let tag = seal(&keys.index, &nonce(&header.salt, header.at.first_sequence), &aad, index);
    let (slot, _) = rest.split_at_mut(TAG_BYTES);
    slot.copy_from_slice(&tag);
    tag
}

fn seal(cipher: &XChaCha20Poly1305, nonce: &XNonce, aad: &[u8], bytes: &mut [u8]) -> Bytes16 {
    match cipher.encrypt_inout_detached(nonce, aad, bytes.into()) {
        Ok(tag) => tag.into(),
        // RFC 8439, section 2.8: the bound is 256 GiB, and a group has at most 4 MiB.
        Err(_) => unreachable_length(),
    }
}

#[expect(clippy::panic, reason = "our own bounds forbid it, and going on would write plain bytes")]
fn unreachable_length() -> ! {
    panic!("a group is never larger than the cipher takes")
}

/// A group's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the whole group.
    pub total_bytes: usize,
    /// Bytes of its sealed index, tag included.
    pub index_bytes: usize,
    /// Records in it.
    pub records: u64,
    /// Where in the chain it is.
    pub at: ChainPlace,
    salt: Bytes16,
}

impl Header {
    /// Reads a header; `None` for bytes that are none.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(MAGIC)?;
        let total_bytes = take_u32(&mut rest)?;
        let index_bytes = take_u32(&mut rest)?;
        let records = take_u32(&mut rest)? as u64;
        let first_sequence = u64::from_le_bytes(take(&mut rest)?);
        let synced_to = u64::from_le_bytes(take(&mut rest)?);
        let salt = take(&mut rest)?;
        let previous_tag = take(&mut rest)?;
        let fits = total_bytes <= GROUP_BYTES_MAX
            && index_bytes >= TAG_BYTES
            && HEADER_BYTES + index_bytes <= total_bytes
            && (1..=index_bytes as u64 / 8).contains(&records)
            && first_sequence.checked_add(records).is_some();
        fits.then_some(Self {
            total_bytes,
            index_bytes,
            records,
            at: ChainPlace { first_sequence, previous_tag, synced_to },
            salt,
        })
    }

    fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        let u32_of = |value: usize| u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes();
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&u32_of(self.total_bytes));
        bytes.extend_from_slice(&u32_of(self.index_bytes));
        bytes.extend_from_slice(&u32_of(usize::try_from(self.records).unwrap_or(usize::MAX)));
        bytes.extend_from_slice(&self.at.first_sequence.to_le_bytes());
        bytes.extend_from_slice(&self.at.synced_to.to_le_bytes());
        bytes.extend_from_slice(&self.salt);
        bytes.extend_from_slice(&self.at.previous_tag);
        let mut header = [0; HEADER_BYTES];
        header.copy_from_slice(&bytes);
        header
    }

    /// Bytes of header and index: what sled holds of a group.
    pub const fn front_bytes(&self) -> usize {
        HEADER_BYTES + self.index_bytes
    }

    /// The sequence number after its last record.
    pub const fn next_sequence(&self) -> u64 {
        self.at.first_sequence + self.records
    }
}

/// The tag of a group, from its front (header and sealed index).
pub fn tag_of(front: &[u8]) -> Option<Bytes16> {
    front.last_chunk().copied()
}

/// One record, as it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its sequence number.
    pub sequence: u64,
    /// The event, encoded.
    pub event: Bytes,
    /// Bytes of its body; 0 if it has none.
    pub body_bytes: usize,
    /// The body's tag.
    pub body_tag: Bytes16,
    /// Where its body block begins within the group, in bytes.
    pub block_at: usize,
}

/// Opens a group's front. `None` if anything about it does not check out. Its place in the chain is the caller's to
/// compare: [`Header::at`].
pub fn open_front(keys: &LogKeys, header: &Header, front: &[u8]) -> Option<Vec<Record>> {
    let (head, index) = front.split_at_checked(HEADER_BYTES)?;
    let (sealed, tag) = index.split_at_checked(header.index_bytes.checked_sub(TAG_BYTES)?)?;
    let tag: Bytes16 = tag.try_into().ok()?;
    let mut plain = sealed.to_vec();
    let aad = index_aad(&keys.log_id, head);
    let nonce = nonce(&header.salt, header.at.first_sequence);
    if planted!("index-tag-unchecked") {
        // The cipher is its own inverse; only the tag is left out.
        keys.index.encrypt_inout_detached(&nonce, &aad, plain.as_mut_slice().into()).ok()?;
        return read_index(header, &Bytes::from(plain));
    }
    keys.index.decrypt_inout_detached(&nonce, &aad, plain.as_mut_slice().into(), &Tag::from(tag)).ok()?;
    read_index(header, &Bytes::from(plain))
}

fn read_index(header: &Header, plain: &Bytes) -> Option<Vec<Record>> {
    let mut rest: &[u8] = plain;
    let mut block_at = header.front_bytes();
    let mut records = Vec::with_capacity(usize::try_from(header.records).ok()?);
    for sequence in header.at.first_sequence..header.next_sequence() {
        let event_bytes = take_u32(&mut rest)?;
        let body_bytes = take_u32(&mut rest)?;
        let body_tag = if body_bytes > 0 { take(&mut rest)? } else { [0; 16] };
        let (event, after) = rest.split_at_checked(event_bytes)?;
        rest = after;
        records.push(Record { sequence, event: plain.slice_ref(event), body_bytes, body_tag, block_at });
        if body_bytes > 0 {
            block_at = block_at.checked_add(BLOCK_HEADER_BYTES)?.checked_add(body_bytes)?;
        }
    }
    (rest.is_empty() && block_at == header.total_bytes).then_some(records)
}

/// A body block's front: how long the body is, and what opens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Bytes of the body.
    pub body_bytes: usize,
    salt: Bytes16,
    /// Its tag.
    pub tag: Bytes16,
}

impl Block {
    /// Reads it; `None` for bytes that are none.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let body_bytes = take_u32(&mut rest)?;
        let (salt, tag) = (take(&mut rest)?, take(&mut rest)?);
        (1..=BODY_BYTES_MAX).contains(&body_bytes).then_some(Self { body_bytes, salt, tag })
    }

    /// Opens the sealed body in place.
    pub fn open(&self, keys: &LogKeys, sequence: u64, sealed: &mut [u8]) -> Opening {
        let Some(cipher) = &keys.body else {
            return Opening::NoKey;
        };
        let aad = body_aad(&keys.log_id, sequence);
        if planted!("body-tag-unchecked") {
            let opened = cipher.encrypt_inout_detached(&nonce(&self.salt, sequence), &aad, sealed.into());
            return if opened.is_ok() { Opening::Good } else { Opening::Damaged };
        }
        let opened =
            cipher.decrypt_inout_detached(&nonce(&self.salt, sequence), &aad, sealed.into(), &Tag::from(self.tag));
        if opened.is_ok() { Opening::Good } else { Opening::Damaged }
    }
}

/// What came of opening a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// It is what was written.
    Good,
    /// It is not.
    Damaged,
    /// The body key was destroyed.
    NoKey,
}

/// Random bytes that are wiped when dropped.
///
/// # Errors
/// If the system has none.
pub fn random_key(files: &dyn FileLayer) -> io::Result<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    files.fill_random(&mut *key)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::RealFiles;

    fn keys() -> LogKeys {
        LogKeys::new([1; 16], &[2; 32], Some(&[3; 32]))
    }

    fn group(at: ChainPlace) -> (Vec<u8>, Sealed, Vec<u64>) {
        let (mut out, mut offsets) = (Vec::new(), Vec::new());
        let items = [
            Item { event: b"accepted", body: &[7; 100] },
            Item { event: b"acknowledged", body: b"" },
            Item { event: b"", body: &[8; 5] },
        ];
        let sealed = seal_group(&RealFiles, &keys(), at, &items, &mut out, &mut offsets).unwrap();
        (out, sealed, offsets)
    }

    const AT: ChainPlace = ChainPlace { first_sequence: 10, previous_tag: [4; 16], synced_to: 77 };

    #[test]
    fn a_group_opens_to_the_records_that_were_sealed() {
        let (bytes, sealed, offsets) = group(AT);
        let header = Header::parse(&bytes).unwrap();
        assert_eq!((header.at, header.records, header.total_bytes), (AT, 3, bytes.len()));
        let front = &bytes[..header.front_bytes()];
        assert_eq!(tag_of(front), Some(sealed.tag));
        let records = open_front(&keys(), &header, front).unwrap();
        assert_eq!(&records[0].event[..], b"accepted");
        assert_eq!(&records[1].event[..], b"acknowledged");
        assert_eq!([records[0].block_at as u64, records[2].block_at as u64], offsets[..]);
        let block = Block::parse(&bytes[records[2].block_at..]).unwrap();
        let mut body = bytes[records[2].block_at + BLOCK_HEADER_BYTES..].to_vec();
        assert_eq!(block.open(&keys(), 12, &mut body), Opening::Good);
        assert_eq!(body, [8; 5]);
    }

    #[test]
    fn any_byte_that_changed_is_noticed() {
        let (bytes, ..) = group(AT);
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(!is_whole(&changed), "byte {at} of {}", bytes.len());
        }
        assert!(is_whole(&bytes));
    }

    fn is_whole(bytes: &[u8]) -> bool {
        let check = || {
            let header = Header::parse(bytes).filter(|header| header.total_bytes == bytes.len())?;
            let records = open_front(&keys(), &header, bytes.get(..header.front_bytes())?)?;
            for record in records.iter().filter(|record| record.body_bytes > 0) {
                let block = Block::parse(bytes.get(record.block_at..)?)?;
                let body_at = record.block_at + BLOCK_HEADER_BYTES;
                let mut body = bytes.get(body_at..body_at + record.body_bytes)?.to_vec();
                let same = block.body_bytes == record.body_bytes && block.tag == record.body_tag;
                if !same || block.open(&keys(), record.sequence, &mut body) != Opening::Good {
                    return None;
                }
            }
            Some(())
        };
        check().is_some()
    }

    #[test]
    fn a_group_of_another_log_or_sequence_does_not_open() {
        let (bytes, ..) = group(AT);
        let header = Header::parse(&bytes).unwrap();
        let other = LogKeys::new([9; 16], &[2; 32], Some(&[3; 32]));
        assert_eq!(open_front(&other, &header, &bytes[..header.front_bytes()]), None);
        let mut block = bytes[header.front_bytes() + BLOCK_HEADER_BYTES..][..100].to_vec();
        let front = Block::parse(&bytes[header.front_bytes()..]).unwrap();
        assert_eq!(front.open(&keys(), 11, &mut block), Opening::Damaged);
    }

    #[test]
    fn the_same_records_are_never_sealed_with_the_same_nonce() {
        assert_ne!(group(AT).0, group(AT).0);
    }

    #[test]
    fn no_bytes_whatever_make_the_parsers_panic() {
        let (bytes, ..) = group(AT);
        for cut in 0..bytes.len() {
            assert!(!is_whole(&bytes[..cut]), "cut at {cut}");
        }
        assert_eq!(Header::parse(&[0xff; 64]), None);
        assert_eq!(Block::parse(&[0xff; 36]), None);
    }

    #[test]
    fn keys_never_show_themselves_in_debug_output() {
        let shown = format!("{:?}", keys());
        assert!(!shown.contains("[2, 2") && !shown.contains("[3, 3"), "{shown}");
    }
}
