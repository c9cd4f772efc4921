//! Who the box is: its Ed25519 identity, which clients pin, and the certificate of its TLS endpoint, which they do not.
//!
//! Both lie in `DATA/keys`: `identity.key`, `tls.key`, `tls.crt`. The identity is made once and never again; the
//! certificate can be made anew at any time, since the hello signs whatever certificate is in use.

use std::fmt;
use std::path::Path;

use ed25519_dalek::SigningKey;
use hob_protocol::ids::BoxIdentity;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PublicKeyData as _};
use rustls::pki_types::PrivatePkcs8KeyDer;
use zeroize::Zeroizing;

use crate::folder::{self, FolderError};

/// What an identity file begins with.
const MAGIC: &[u8; 8] = b"HOBIDK1\n";
const CHECKSUM_BYTES: usize = 8;

/// What stands in a certificate as name of the box: no person, no machine.
const SUBJECT: &str = "hob";

/// Names in the data folder that are there before any box: a mounted card's own.
const NOT_OURS: [&str; 1] = ["lost+found"];

/// The box's own keys.
pub struct Identity {
    /// Signs hellos and address records.
    pub key: SigningKey,
    /// What clients pin.
    pub public: BoxIdentity,
    /// The certificate of the TLS endpoint (X.509, DER).
    pub certificate_der: Vec<u8>,
    /// Its key (PKCS #8, DER).
    pub certificate_key_der: Zeroizing<Vec<u8>>,
    /// Its public key (`SubjectPublicKeyInfo`, DER; RFC 5280, section 4.1.2.7): what the hello's signature covers.
    pub spki: Vec<u8>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key: _, public, certificate_der: _, certificate_key_der: _, spki: _ } = self;
        f.debug_struct("Identity").field("public", public).finish_non_exhaustive()
    }
}

/// Reads the box's keys, and makes what is missing in a folder that is new.
///
/// # Errors
/// [`FolderError`]: the folder is not a box's, or a file in it is missing, damaged or open to others.
pub fn load_or_make(data: &Path) -> Result<Identity, FolderError> {
    folder::make_private(data)?;
    let keys = data.join("keys");
    let identity_path = keys.join("identity.key");
    let stored = folder::read_private(&identity_path)?;
    if stored.is_none() {
        refuse_unless_new(data, &identity_path)?;
    }
    folder::keep_private(data)?;
    folder::make_private(&keys)?;
    folder::keep_private(&keys)?;
    let key = match stored {
        Some(bytes) => parse_identity(&identity_path, &bytes)?,
        None => make_identity(&identity_path)?,
    };
    let tls = Tls::load_or_make(&keys)?;
    Ok(Identity {
        public: BoxIdentity(key.verifying_key().to_bytes()),
        key,
        certificate_der: tls.certificate_der,
        spki: tls.key.subject_public_key_info(),
        certificate_key_der: Zeroizing::new(tls.key.serialize_der()),
    })
}

/// An identity is made in a folder with nothing in it, or with what a start left that ended before there was one.
fn refuse_unless_new(data: &Path, identity_path: &Path) -> Result<(), FolderError> {
    let foreign = folder::names(data)?.into_iter().find(|name| name != "keys" && !NOT_OURS.contains(&name.as_str()));
    let used = folder::names(&data.join("keys"))?.into_iter().any(|name| !name.starts_with(".new-"));
    match foreign {
        None if !used => Ok(()),
        Some(found) if !used => Err(FolderError::SomebodyElses { path: data.to_owned(), found }),
        _ => Err(FolderError::IdentityGone { path: identity_path.to_owned() }),
    }
}

fn checksum(seed: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut sum = [0; CHECKSUM_BYTES];
    blake3::Hasher::new_derive_key("hob/1 identity file").update(seed).finalize_xof().fill(&mut sum);
    sum
}

fn make_identity(path: &Path) -> Result<SigningKey, FolderError> {
    let mut seed = Zeroizing::new([0; 32]);
    random(path, &mut *seed)?;
    let mut file = Zeroizing::new(Vec::with_capacity(MAGIC.len() + seed.len() + CHECKSUM_BYTES));
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&*seed);
    file.extend_from_slice(&checksum(&*seed));
    if folder::write_private(path, &file)? {
        return Ok(SigningKey::from_bytes(&seed));
    }
    // Another start was faster. There is one identity, and it is that one.
    match folder::read_private(path)? {
        Some(bytes) => parse_identity(path, &bytes),
        None => Err(FolderError::IdentityGone { path: path.to_owned() }),
    }
}

fn random(path: &Path, bytes: &mut [u8]) -> Result<(), FolderError> {
    getrandom::fill(bytes)
        .map_err(|error| FolderError::CannotWrite { path: path.to_owned(), source: std::io::Error::other(error) })
}

fn parse_identity(path: &Path, bytes: &[u8]) -> Result<SigningKey, FolderError> {
    let damaged = |why: &str| FolderError::Damaged { path: path.to_owned(), why: why.to_owned() };
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| damaged("it does not begin as an identity does"))?;
    let (seed, sum) = rest.split_first_chunk::<32>().ok_or_else(|| damaged("its end is missing"))?;
    if *sum != checksum(seed) {
        return Err(damaged("its checksum does not fit"));
    }
    Ok(SigningKey::from_bytes(seed))
}

struct Tls {
    key: KeyPair,
    certificate_der: Vec<u8>,
}

impl Tls {
    fn load_or_make(keys: &Path) -> Result<Self, FolderError> {
        let (key_path, certificate_path) = (keys.join("tls.key"), keys.join("tls.crt"));
        let cannot = |error: rcgen::Error| FolderError::CannotWrite {
            path: certificate_path.clone(),
            source: std::io::Error::other(error),
        };
        if folder::read_private(&key_path)?.is_none() {
            let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(cannot)?;
            folder::write_private(&key_path, &Zeroizing::new(key.serialize_der()))?;
        }
        let stored = folder::read_private(&key_path)?.unwrap_or_default();
        let key = KeyPair::try_from(&PrivatePkcs8KeyDer::from(stored.as_slice()))
            .map_err(|error| damaged(&key_path, &error))?;
        if folder::read_private(&certificate_path)?.is_none() {
            folder::write_private(&certificate_path, &self_signed(&key).map_err(cannot)?)?;
        }
        let certificate_der = folder::read_private(&certificate_path)?.unwrap_or_default().to_vec();
        let spki = key.subject_public_key_info();
        if !certificate_der.windows(spki.len()).any(|window| window == spki) {
            return Err(FolderError::Damaged {
                path: certificate_path,
                why: "it is not the certificate of tls.key; remove both and the box makes new ones".to_owned(),
            });
        }
        Ok(Self { key, certificate_der })
    }
}

fn damaged(path: &Path, error: &rcgen::Error) -> FolderError {
    FolderError::Damaged {
        path: path.to_owned(),
        why: format!("{error}; or remove it with tls.crt, and the box makes new ones"),
    }
}

/// A certificate that is valid on a box without a clock too, which begins in 1970 or at its build and counts up.
fn self_signed(key: &KeyPair) -> Result<Vec<u8>, rcgen::Error> {
    let mut params = CertificateParams::new(vec![SUBJECT.to_owned()])?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, SUBJECT);
    params.distinguished_name = name;
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2040, 1, 1);
    Ok(params.self_signed(key)?.der().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_the_same_box_after_a_restart() {
        let data = tempfile::tempdir().unwrap();
        let first = load_or_make(data.path()).unwrap();
        let second = load_or_make(data.path()).unwrap();
        assert_eq!(first.public, second.public);
        assert_eq!(first.certificate_der, second.certificate_der);
        assert_eq!(first.spki, second.spki);
    }

    #[test]
    fn one_flipped_bit_of_the_identity_is_noticed_wherever_it_is() {
        let data = tempfile::tempdir().unwrap();
        load_or_make(data.path()).unwrap();
        let path = data.path().join("keys/identity.key");
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(parse_identity(&path, &bad).is_err(), "byte {at}");
            assert!(parse_identity(&path, &good[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_box_whose_identity_is_gone_does_not_become_another_box() {
        let data = tempfile::tempdir().unwrap();
        load_or_make(data.path()).unwrap();
        std::fs::remove_file(data.path().join("keys/identity.key")).unwrap();
        assert!(matches!(load_or_make(data.path()), Err(FolderError::IdentityGone { .. })));
    }

    #[test]
    fn a_folder_with_somebody_elses_things_is_left_alone() {
        let data = tempfile::tempdir().unwrap();
        std::fs::write(data.path().join("letters.txt"), "dear").unwrap();
        let error = load_or_make(data.path()).unwrap_err().to_string();
        assert!(error.contains("letters.txt"), "{error}");
        assert_eq!(folder::names(data.path()).unwrap(), ["letters.txt"]);
    }

    #[test]
    fn a_certificate_of_another_key_is_refused() {
        let data = tempfile::tempdir().unwrap();
        load_or_make(data.path()).unwrap();
        std::fs::remove_file(data.path().join("keys/tls.key")).unwrap();
        assert!(matches!(load_or_make(data.path()), Err(FolderError::Damaged { .. })));
    }
}
