//! The first bytes of a backup, and the key that they lead to.
//!
//! ```text
//!  0  "HOBBAK\r\n"   8
//!  8  version        1   1
//!  9  lock           1   1: passphrase, 2: recovery key
//! 10  zeros          2
//! 12  memory         4   KiB of Argon2id; 0 with a recovery key
//! 16  passes         4   likewise
//! 20  lanes          4   likewise
//! 24  salt          16
//! 40  nonce         19   of the stream (24 bytes less counter and flag)
//! 59  zeros          5
//! 64  checksum       8   BLAKE3 of what stands before: tells damage from a wrong secret
//! 72  key check     16   of the key and what stands before: tells a wrong secret from damage
//! 88
//! ```
//! Integers are little-endian. All 88 bytes are associated data of every chunk.

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use crate::backup::{BackupError, Secret};
use crate::record::take;

/// Bytes of a header.
pub const HEADER_BYTES: usize = 88;

/// The version that this program writes.
pub const VERSION: u8 = 1;

/// Bytes of the stream's nonce: XChaCha20's 24 less the counter's four and the flag's one.
pub const NONCE_BYTES: usize = 19;

const MAGIC: &[u8; 8] = b"HOBBAK\r\n";
const CHECKED_BYTES: usize = 64;
const CHECK_AT: usize = 72;
const CHECKSUM_CONTEXT: &str = "hob/1 backup header checksum";
const KEY_CONTEXT: &str = "hob/1 backup key";
const CHECK_CONTEXT: &str = "hob/1 backup key check";

/// How a backup is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockKind {
    /// By Argon2id (RFC 9106) of a passphrase.
    Passphrase,
    /// By 32 random bytes that the keeper wrote down.
    RecoveryKey,
}

impl LockKind {
    /// As a keeper knows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passphrase => "passphrase",
            Self::RecoveryKey => "recovery key",
        }
    }
}

/// What it costs to try a passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Cost {
    /// What a new backup costs: 64 MiB, three passes, one lane. A Pi with 1 GiB takes a second.
    pub const DEFAULT: Self = Self { memory_kib: 64 << 10, passes: 3, lanes: 1 };
    /// The most that a file may ask for: one that was tampered with must not eat the machine.
    pub const MAX: Self = Self { memory_kib: 256 << 10, passes: 16, lanes: 4 };
    /// The least: Argon2 itself wants eight blocks a lane.
    const MEMORY_KIB_MIN: u32 = 32;

    const NONE: Self = Self { memory_kib: 0, passes: 0, lanes: 0 };

    fn check(self) -> Result<Params, BackupError> {
        let too_costly = |why| Err(BackupError::TooCostly { why });
        if self.memory_kib > Self::MAX.memory_kib {
            return too_costly("memory");
        }
        if self.passes > Self::MAX.passes {
            return too_costly("passes");
        }
        if self.lanes > Self::MAX.lanes {
            return too_costly("lanes");
        }
        let odd = || BackupError::Damaged { at: 12, why: "no Argon2id has such parameters" };
        if self.memory_kib < Self::MEMORY_KIB_MIN {
            return Err(odd());
        }
        Params::new(self.memory_kib, self.passes, self.lanes, Some(32)).map_err(|_| odd())
    }
}

/// A header, read or made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    bytes: [u8; HEADER_BYTES],
    lock: LockKind,
    cost: Cost,
    salt: [u8; 16],
    nonce: [u8; NONCE_BYTES],
}

/// A key of a stream.
pub(crate) type StreamKey = Zeroizing<[u8; 32]>;

impl Header {
    /// A fresh one, and the key that it leads to.
    pub(crate) fn make(secret: &Secret<'_>, cost: Cost) -> Result<(Self, StreamKey), BackupError> {
        let lock = secret.kind();
        let cost = if lock == LockKind::Passphrase { cost } else { Cost::NONE };
        let mut random = [0; 16 + NONCE_BYTES];
        getrandom::fill(&mut random).map_err(|error| BackupError::NoKey { why: error.to_string() })?;
        let mut bytes = [0; HEADER_BYTES];
        let mut rest = &mut bytes[..];
        put(&mut rest, MAGIC);
        put(&mut rest, &[VERSION, lock_number(lock), 0, 0]);
        for number in [cost.memory_kib, cost.passes, cost.lanes] {
            put(&mut rest, &number.to_le_bytes());
        }
        put(&mut rest, &random);
        put(&mut rest, &[0; 5]);
        let sum = checksum(&bytes);
        bytes[CHECKED_BYTES..CHECK_AT].copy_from_slice(&sum);
        let mut header = Self::parse(&bytes)?;
        let (key, check) = header.derive(secret)?;
        header.bytes[CHECK_AT..].copy_from_slice(&check);
        Ok((header, key))
    }

    /// Reads one; everything in it is bounded.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<Self, BackupError> {
        let mut rest = &bytes[..];
        let not_whole = BackupError::Damaged { at: 0, why: "its beginning" };
        let (Some(magic), Some([version, lock, ..])) = (take::<8>(&mut rest), take::<4>(&mut rest)) else {
            return Err(not_whole);
        };
        if magic != *MAGIC {
            return Err(BackupError::NotABackup);
        }
        if version > VERSION {
            return Err(BackupError::Newer { found: version, known: VERSION });
        }
        if bytes[CHECKED_BYTES..CHECK_AT] != checksum(bytes) {
            return Err(not_whole);
        }
        let lock = match lock {
            1 => LockKind::Passphrase,
            2 => LockKind::RecoveryKey,
            _ => return Err(not_whole),
        };
        let mut number = || take(&mut rest).map(u32::from_le_bytes);
        let (Some(memory_kib), Some(passes), Some(lanes)) = (number(), number(), number()) else {
            return Err(not_whole);
        };
        let (Some(salt), Some(nonce)) = (take(&mut rest), take(&mut rest)) else {
            return Err(not_whole);
        };
        let cost = Cost { memory_kib, passes, lanes };
        if version == 0 || (lock == LockKind::RecoveryKey && cost != Cost::NONE) {
            return Err(not_whole);
        }
        if lock == LockKind::Passphrase {
            cost.check()?;
        }
        Ok(Self { bytes: *bytes, lock, cost, salt, nonce })
    }

    /// How the backup is locked.
    pub const fn lock(&self) -> LockKind {
        self.lock
    }

    /// As it stands in the file.
    pub const fn bytes(&self) -> &[u8; HEADER_BYTES] {
        &self.bytes
    }

    pub(crate) const fn nonce(&self) -> &[u8; NONCE_BYTES] {
        &self.nonce
    }

    /// The key of the stream.
    pub(crate) fn key(&self, secret: &Secret<'_>) -> Result<StreamKey, BackupError> {
        let (key, check) = self.derive(secret)?;
        // The check is public and no part of the key: how long the comparison takes tells nothing.
        if check == self.bytes[CHECK_AT..] { Ok(key) } else { Err(BackupError::WrongSecret { kind: self.lock }) }
    }

    fn derive(&self, secret: &Secret<'_>) -> Result<(StreamKey, [u8; HEADER_BYTES - CHECK_AT]), BackupError> {
        let mut root = Zeroizing::new([0; 32]);
        match (self.lock, secret) {
            (LockKind::Passphrase, Secret::Passphrase(passphrase)) => {
                let no_key = |error: argon2::Error| BackupError::NoKey { why: error.to_string() };
                Argon2::new(Algorithm::Argon2id, Version::V0x13, self.cost.check()?)
                    .hash_password_into(passphrase.0.as_bytes(), &self.salt, &mut root[..])
                    .map_err(no_key)?;
            }
            (LockKind::RecoveryKey, Secret::RecoveryKey(key)) => root.copy_from_slice(key.expose()),
            (wanted, got) => return Err(BackupError::OtherLock { wanted, got: got.kind() }),
        }
        let mut key = Zeroizing::new([0; 32]);
        let mut check = [0; HEADER_BYTES - CHECK_AT];
        self.expand(KEY_CONTEXT, &root, &mut key[..]);
        self.expand(CHECK_CONTEXT, &root, &mut check);
        Ok((key, check))
    }

    /// BLAKE3's key derivation over the secret and the header: a header that was changed leads to another key.
    fn expand(&self, context: &str, root: &[u8; 32], out: &mut [u8]) {
        let mut hasher = blake3::Hasher::new_derive_key(context);
        hasher.update(root);
        hasher.update(&self.bytes[..CHECKED_BYTES]);
        hasher.finalize_xof().fill(out);
        zeroize::Zeroize::zeroize(&mut hasher);
    }
}

const fn lock_number(lock: LockKind) -> u8 {
    match lock {
        LockKind::Passphrase => 1,
        LockKind::RecoveryKey => 2,
    }
}

fn put(rest: &mut &mut [u8], bytes: &[u8]) {
    let (first, after) = std::mem::take(rest).split_at_mut(bytes.len());
    first.copy_from_slice(bytes);
    *rest = after;
}

fn checksum(bytes: &[u8; HEADER_BYTES]) -> [u8; CHECK_AT - CHECKED_BYTES] {
    let mut sum = [0; CHECK_AT - CHECKED_BYTES];
    blake3::Hasher::new_derive_key(CHECKSUM_CONTEXT).update(&bytes[..CHECKED_BYTES]).finalize_xof().fill(&mut sum);
    sum
}
