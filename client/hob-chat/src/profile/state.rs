//! `PROFILE/state`: everything that the client's core must not forget, encrypted under the profile's key.
//!
//! `"hobstate" || version (1 B) || nonce (24 B) || XChaCha20-Poly1305 ciphertext || tag (16 B)`; the first nine bytes are
//! associated data. `PROFILE/drafts`, what is typed and not sent, is written alike and begins with `"hobdraft"`, so that
//! neither passes for the other. The nonce is fresh and random with every save: 192 bits never meet again.

use std::path::Path;

use chacha20poly1305::XNonce;
use chacha20poly1305::aead::AeadInOut;
use zeroize::Zeroizing;

use super::key::StateKey;
use super::{ProfileError, file};

const MAGIC: &[u8; 9] = b"hobstate\x01";
const DRAFTS_MAGIC: &[u8; 9] = b"hobdraft\x01";
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
/// Far above any real one: a file that is larger is not read into memory.
const STATE_BYTES_MAX: u64 = 256 << 20;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What the client's core must not forget.
    State,
    /// What is typed and not sent.
    Drafts,
}

impl Kind {
    const fn magic(self) -> &'static [u8; 9] {
        match self {
            Self::State => MAGIC,
            Self::Drafts => DRAFTS_MAGIC,
        }
    }
}

/// Encrypts and replaces the state.
///
/// # Errors
/// [`ProfileError::File`].
pub fn save(path: &Path, key: &StateKey, state: &[u8]) -> Result<(), ProfileError> {
    save_as(Kind::State, path, key, state)
}

/// Encrypts and replaces.
///
/// # Errors
/// [`ProfileError::File`].
pub fn save_as(kind: Kind, path: &Path, key: &StateKey, state: &[u8]) -> Result<(), ProfileError> {
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(|error| ProfileError::CannotDerive { why: error.to_string() })?;
    // Room for the tag at once: growing would leave the plaintext in freed memory.
    let mut sealed = Zeroizing::new(Vec::with_capacity(state.len() + TAG_BYTES));
    sealed.extend_from_slice(state);
    key.cipher()
        .encrypt_in_place(&XNonce::from(nonce), kind.magic(), &mut *sealed)
        .map_err(|error| ProfileError::CannotDerive { why: error.to_string() })?;
    file::replace(path, &[kind.magic(), &nonce, &sealed])
}

/// Reads and decrypts the state.
///
/// # Errors
/// [`ProfileError::StateDamaged`], [`ProfileError::File`].
pub fn load(path: &Path, key: &StateKey) -> Result<Zeroizing<Vec<u8>>, ProfileError> {
    load_as(Kind::State, path, key)
}

/// Reads and decrypts.
///
/// # Errors
/// As [`load`].
#[expect(clippy::indexing_slicing, reason = "the length was looked at before")]
pub fn load_as(kind: Kind, path: &Path, key: &StateKey) -> Result<Zeroizing<Vec<u8>>, ProfileError> {
    let damaged = |why| ProfileError::StateDamaged { path: path.to_owned(), why };
    let mut bytes = file::read(path, STATE_BYTES_MAX)?;
    let magic = kind.magic();
    let header_bytes = magic.len() + NONCE_BYTES;
    if bytes.len() < header_bytes + TAG_BYTES {
        return Err(damaged("it is cut short"));
    }
    if !bytes.starts_with(magic) {
        return Err(damaged("it starts otherwise, or a newer program wrote it"));
    }
    let mut nonce = [0; NONCE_BYTES];
    nonce.copy_from_slice(&bytes[magic.len()..header_bytes]);
    bytes.drain(..header_bytes);
    key.cipher()
        .decrypt_in_place(&XNonce::from(nonce), magic, &mut *bytes)
        .map_err(|_| damaged("its seal does not fit"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::key;
    use super::super::key::Passphrase;
    use super::*;

    #[test]
    fn a_state_reads_back_and_no_changed_byte_goes_unnoticed() {
        let folder = tempfile::tempdir().unwrap();
        let key = key::create(&folder.path().join("key"), &Passphrase::new(false)).unwrap();
        let path = folder.path().join("state");
        save(&path, &key, b"ratchets").unwrap();
        assert_eq!(&load(&path, &key).unwrap()[..], b"ratchets");
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            std::fs::write(&path, &changed).unwrap();
            assert!(matches!(load(&path, &key), Err(ProfileError::StateDamaged { .. })), "byte {at}");
            std::fs::write(&path, &whole[..at]).unwrap();
            assert!(matches!(load(&path, &key), Err(ProfileError::StateDamaged { .. })), "cut at {at}");
        }
    }

    #[test]
    fn drafts_and_state_never_pass_for_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let key = key::create(&folder.path().join("key"), &Passphrase::new(false)).unwrap();
        let path = folder.path().join("drafts");
        save_as(Kind::Drafts, &path, &key, b"typed").unwrap();
        assert_eq!(&load_as(Kind::Drafts, &path, &key).unwrap()[..], b"typed");
        assert!(load(&path, &key).is_err());
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[..9].copy_from_slice(MAGIC);
        std::fs::write(&path, bytes).unwrap();
        assert!(load(&path, &key).is_err(), "nor with its beginning changed");
    }

    #[test]
    fn two_saves_of_the_same_state_share_no_bytes_after_the_header() {
        let folder = tempfile::tempdir().unwrap();
        let key = key::create(&folder.path().join("key"), &Passphrase::new(false)).unwrap();
        let path = folder.path().join("state");
        let saved = || {
            save(&path, &key, &[7; 100]).unwrap();
            std::fs::read(&path).unwrap()
        };
        let (first, second) = (saved(), saved());
        assert_eq!(first[..MAGIC.len()], second[..MAGIC.len()]);
        assert_ne!(first[MAGIC.len()..][..NONCE_BYTES], second[MAGIC.len()..][..NONCE_BYTES]);
        assert_ne!(first[first.len() - 50..], second[second.len() - 50..]);
    }
}
