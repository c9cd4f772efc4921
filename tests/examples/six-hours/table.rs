//! The key table as a thief would read it: by the format that `hob-log`'s `keys` describes, with code of our own.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hob_log::keys::BoxKey;
use hob_log::splitter::{SPREAD_BYTES, merge};

pub const MAGIC: &[u8; 8] = b"hobkeys1";
/// The spread secret begins here in a slot; the wrapped table behind it.
const SPREAD_AT: usize = 4096;
const TABLE_AT: usize = SPREAD_AT + SPREAD_BYTES;
/// Where the second slot begins.
pub const SLOT_BYTES: usize = TABLE_AT + 24 * 1024;
const TABLE_BYTES_MAX: usize = 24 * 1024 - 28;
/// Next window and count, before the entries.
const HEAD_BYTES: usize = 8;
/// An entry without and with a body key.
const ENTRY_BYTES: [usize; 2] = [74, 106];

/// A wrapped table: nonce, length, ciphertext with its tag.
#[derive(Clone)]
pub struct Wrapped {
    nonce: [u8; 24],
    sealed: Vec<u8>,
}

impl Wrapped {
    /// Of bytes that begin with one, if their length can be a table's.
    pub fn at(bytes: &[u8]) -> Option<Self> {
        let (nonce, rest) = bytes.split_first_chunk::<24>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let is_plausible = (HEAD_BYTES..TABLE_BYTES_MAX).contains(&length) && is_sum(length - HEAD_BYTES);
        let sealed = rest.get(..length + 16).filter(|_| is_plausible)?;
        // Nonce and ciphertext are random: four equal bytes in a row stand in one of half a million.
        let is_random = |bytes: &[u8]| !bytes.windows(4).any(|four| four.iter().all(|byte| *byte == four[0]));
        (is_random(nonce) && is_random(&sealed[..8.min(sealed.len())]))
            .then(|| Self { nonce: *nonce, sealed: sealed.to_vec() })
    }

    /// The table, if what it is wrapped with and the turn are its own.
    pub fn open(&self, cipher: &XChaCha20Poly1305, turn: u64) -> Option<Vec<u8>> {
        let aad = [MAGIC.as_slice(), &turn.to_le_bytes()].concat();
        cipher.decrypt(&XNonce::from(self.nonce), Payload { msg: &self.sealed, aad: &aad }).ok()
    }
}

/// What a table is wrapped with.
pub fn wrapping(box_key: &BoxKey, secret: &[u8; 32]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&Key::from(*box_key.derive(secret, b"hob/1 log keys")))
}

/// Whether entries of the two lengths can come to so many bytes.
fn is_sum(bytes: usize) -> bool {
    let [short, long] = ENTRY_BYTES;
    (0..=bytes / long).any(|count| (bytes - count * long).is_multiple_of(short))
}

/// A slot of the key file: its turn, secret, and wrapped table. Of bytes that begin with one.
pub fn slot(bytes: &[u8]) -> Option<(u64, [u8; 32], Wrapped)> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let turn = u64::from_le_bytes(*rest.first_chunk()?);
    let secret = *merge(bytes.get(SPREAD_AT..TABLE_AT)?);
    Some((turn, secret, Wrapped::at(bytes.get(TABLE_AT..)?)?))
}

/// What may be keys in an open table: any 32 bytes of it.
pub fn keys(table: &[u8]) -> impl Iterator<Item = [u8; 32]> {
    table.windows(32).map(|bytes| <[u8; 32]>::try_from(bytes).unwrap_or([0; 32]))
}
