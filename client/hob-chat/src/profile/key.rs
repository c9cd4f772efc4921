//! `PROFILE/key`: 32 random bytes that open the state.
//!
//! Two shapes, told apart by their length:
//! - plain: the 32 bytes, nothing else;
//! - wrapped: `"hobkey" || version (1 B) || memory KiB (u32) || passes (u32) || lanes (u32) || salt (16 B) || nonce (24 B)
//!   || XChaCha20-Poly1305 of the 32 bytes (48 B)`, numbers little-endian, everything before the ciphertext being
//!   associated data. The wrapping key is Argon2id (RFC 9106) of the passphrase; 64 MiB, three passes, one lane.

use std::fs::OpenOptions;
use std::io::IsTerminal;
use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::{ProfileError, file};

const KEY_BYTES: usize = 32;
const MAGIC: &[u8; 7] = b"hobkey\x01";
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 24;
const PARAMETERS_AT: usize = MAGIC.len();
const SALT_AT: usize = PARAMETERS_AT + 12;
const NONCE_AT: usize = SALT_AT + SALT_BYTES;
const SEALED_AT: usize = NONCE_AT + NONCE_BYTES;
const WRAPPED_BYTES: usize = SEALED_AT + KEY_BYTES + 16;

/// What a new wrapping costs: 64 MiB, three passes, one lane.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;
/// What a file may ask for at most: one that was tampered with must not hang the program or eat the machine.
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
const PASSES_MAX: u32 = 16;
const LANES_MAX: u32 = 8;

/// The key that opens the state. Never shown, wiped when dropped.
pub struct StateKey(Zeroizing<[u8; KEY_BYTES]>);

impl StateKey {
    /// Its cipher.
    pub fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.0))
    }
}

/// Where a passphrase comes from.
pub struct Passphrase {
    /// `HOB_CHAT_PASSPHRASE`.
    given: Option<Zeroizing<String>>,
    /// `--passphrase`: ask.
    asked_for: bool,
}

impl Passphrase {
    /// From the environment, or by asking where `--passphrase` says so or the key needs it.
    pub fn new(asked_for: bool) -> Self {
        let given = std::env::var("HOB_CHAT_PASSPHRASE").ok().filter(|text| !text.is_empty()).map(Zeroizing::new);
        Self { given, asked_for }
    }

    /// Whether a plain key is to be wrapped.
    const fn is_wanted(&self) -> bool {
        self.given.is_some() || self.asked_for
    }

    fn to_open(&self) -> Result<Zeroizing<String>, ProfileError> {
        match &self.given {
            Some(given) => Ok(given.clone()),
            None => ask("Passphrase: "),
        }
    }

    fn to_set(&self) -> Result<Zeroizing<String>, ProfileError> {
        if let Some(given) = &self.given {
            return Ok(given.clone());
        }
        let first = ask("New passphrase for this profile: ")?;
        if first.is_empty() {
            return Err(ProfileError::NoPassphrase { why: "it was empty" });
        }
        if *first != *ask("Once more: ")? {
            return Err(ProfileError::NoPassphrase { why: "the two were not the same" });
        }
        Ok(first)
    }
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, ProfileError> {
    // It is asked at the terminal itself, so the message may come by a pipe; somebody must sit there, though.
    if !std::io::stdin().is_terminal() && !std::io::stderr().is_terminal() {
        return Err(ProfileError::PassphraseNeeded);
    }
    rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|_| ProfileError::PassphraseNeeded)
}

/// Makes a fresh key and its file.
///
/// # Errors
/// [`ProfileError`].
pub fn create(path: &Path, passphrase: &Passphrase) -> Result<StateKey, ProfileError> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    fill(&mut key[..])?;
    if passphrase.is_wanted() {
        file::replace(path, &[&wrap(&key, &passphrase.to_set()?)?])?;
    } else {
        file::replace(path, &[&key[..]])?;
    }
    Ok(StateKey(key))
}

/// Reads the key; unwraps it where it is wrapped; wraps it where a passphrase is given and it is not.
///
/// # Errors
/// [`ProfileError`].
pub fn load(path: &Path, passphrase: &Passphrase) -> Result<StateKey, ProfileError> {
    let bytes = file::read(path, 4096)?;
    if let Ok(plain) = <[u8; KEY_BYTES]>::try_from(&bytes[..]) {
        let key = Zeroizing::new(plain);
        if passphrase.is_wanted() {
            wrap_existing(path, &key, &passphrase.to_set()?)?;
        }
        return Ok(StateKey(key));
    }
    let damaged = |why| ProfileError::KeyDamaged { path: path.to_owned(), why };
    let wrapped = <&[u8; WRAPPED_BYTES]>::try_from(&bytes[..]).map_err(|_| damaged("its length is not a key's"))?;
    if !wrapped.starts_with(MAGIC) {
        return Err(damaged("it starts otherwise, or a newer program wrote it"));
    }
    let params = parameters(wrapped).ok_or_else(|| damaged("its Argon2id parameters are out of bounds"))?;
    unwrap(wrapped, params, &passphrase.to_open()?).map(StateKey)
}

/// The wrapped key takes the plain one's name; then the plain one's bytes are overwritten where they lie.
fn wrap_existing(path: &Path, key: &[u8; KEY_BYTES], passphrase: &str) -> Result<(), ProfileError> {
    let failed = || ProfileError::file("overwrite", path);
    let plain = OpenOptions::new().write(true).open(path).map_err(failed())?;
    file::replace(path, &[&wrap(key, passphrase)?])?;
    file::overwrite_open(plain).map_err(failed())?;
    crate::out::stderr_line("the profile's key is wrapped by your passphrase from now on");
    Ok(())
}

fn wrap(key: &[u8; KEY_BYTES], passphrase: &str) -> Result<Vec<u8>, ProfileError> {
    let mut wrapped = Vec::with_capacity(WRAPPED_BYTES);
    wrapped.extend_from_slice(MAGIC);
    for parameter in [MEMORY_KIB, PASSES, LANES] {
        wrapped.extend_from_slice(&parameter.to_le_bytes());
    }
    let mut salt_and_nonce = [0; SALT_BYTES + NONCE_BYTES];
    fill(&mut salt_and_nonce)?;
    wrapped.extend_from_slice(&salt_and_nonce);
    let (salt, nonce) = salt_and_nonce.split_at(SALT_BYTES);
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(KEY_BYTES)).map_err(cannot_derive)?;
    let sealed = cipher(passphrase, salt, params)?
        .encrypt(&nonce_of(nonce), Payload { msg: key, aad: &wrapped })
        .map_err(cannot_derive)?;
    wrapped.extend_from_slice(&sealed);
    Ok(wrapped)
}

#[expect(clippy::indexing_slicing, reason = "constants within the array's length")]
fn unwrap(
    wrapped: &[u8; WRAPPED_BYTES],
    params: Params,
    passphrase: &str,
) -> Result<Zeroizing<[u8; KEY_BYTES]>, ProfileError> {
    let (header, sealed) = wrapped.split_at(SEALED_AT);
    let opened = cipher(passphrase, &header[SALT_AT..NONCE_AT], params)?
        .decrypt(&nonce_of(&header[NONCE_AT..]), Payload { msg: sealed, aad: header })
        .map(Zeroizing::new)
        .map_err(|_| ProfileError::WrongPassphrase)?;
    <[u8; KEY_BYTES]>::try_from(&opened[..]).map(Zeroizing::new).map_err(|_| ProfileError::WrongPassphrase)
}

#[expect(clippy::indexing_slicing, reason = "constants within the array's length")]
fn parameters(wrapped: &[u8; WRAPPED_BYTES]) -> Option<Params> {
    let number = |at: usize| {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&wrapped[PARAMETERS_AT + at..PARAMETERS_AT + at + 4]);
        u32::from_le_bytes(bytes)
    };
    let (memory_kib, passes, lanes) = (number(0), number(4), number(8));
    if memory_kib > MEMORY_KIB_MAX || passes > PASSES_MAX || lanes > LANES_MAX {
        return None;
    }
    Params::new(memory_kib, passes, lanes, Some(KEY_BYTES)).ok()
}

fn cipher(passphrase: &str, salt: &[u8], params: Params) -> Result<XChaCha20Poly1305, ProfileError> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, &mut key[..])
        .map_err(cannot_derive)?;
    Ok(XChaCha20Poly1305::new(&Key::from(*key)))
}

fn nonce_of(bytes: &[u8]) -> XNonce {
    let mut nonce = [0; NONCE_BYTES];
    nonce.copy_from_slice(bytes);
    XNonce::from(nonce)
}

fn fill(bytes: &mut [u8]) -> Result<(), ProfileError> {
    getrandom::fill(bytes).map_err(cannot_derive)
}

fn cannot_derive(error: impl std::fmt::Display) -> ProfileError {
    ProfileError::CannotDerive { why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passphrase(text: &str) -> Passphrase {
        Passphrase { given: Some(Zeroizing::new(text.to_owned())), asked_for: false }
    }

    const NONE: Passphrase = Passphrase { given: None, asked_for: false };

    #[test]
    fn a_plain_key_is_wrapped_when_a_passphrase_is_given_and_opens_by_it_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let key = create(&path, &NONE).unwrap();
        assert_eq!(std::fs::read(&path).unwrap().len(), KEY_BYTES);
        assert!(*load(&path, &passphrase("spring")).unwrap().0 == *key.0);
        assert_eq!(std::fs::read(&path).unwrap().len(), WRAPPED_BYTES);
        assert!(*load(&path, &passphrase("spring")).unwrap().0 == *key.0);
        assert!(matches!(load(&path, &passphrase("autumn")), Err(ProfileError::WrongPassphrase)));
    }

    #[test]
    fn a_key_file_that_asks_for_a_terabyte_is_refused_before_anything_is_allocated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        create(&path, &passphrase("spring")).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[PARAMETERS_AT..PARAMETERS_AT + 4].copy_from_slice(&(1u32 << 30).to_le_bytes());
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(load(&path, &passphrase("spring")), Err(ProfileError::KeyDamaged { .. })));
    }
}
