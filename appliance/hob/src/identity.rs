//! Who the box is: its Ed25519 identity, which clients pin, and the certificate of its TLS endpoint, which they do not.
//!
//! Both lie in `DATA/keys`: `identity.key`, `tls.key`, `tls.crt`. The identity is made once and never again; the
//! certificate can be made anew at any time, since the hello signs whatever certificate is in use.

use std::fmt;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use hob_protocol::ids::BoxIdentity;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PublicKeyData as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::folder::{self, FolderError};

/// What an identity file begins with.
const MAGIC: &[u8; 8] = b"HOBIDK1\n";
const CHECKSUM_BYTES: usize = 8;

/// Certificates of a chain; real ones have two or three.
const CHAIN_MAX: usize = 8;

/// What stands in a certificate as name of the box: no person, no machine.
const SUBJECT: &str = "hob";

/// Names in the data folder that are there before any box: a mounted card's own.
const NOT_OURS: [&str; 1] = ["lost+found"];

/// Names in the data folder that tell of a box even when all its keys are gone.
const OF_A_LOG: [&str; 2] = ["format", "log"];

/// The box's own keys.
pub struct Identity {
    /// Signs hellos and address records.
    pub key: SigningKey,
    /// What clients pin.
    pub public: BoxIdentity,
    /// The certificate of the TLS endpoint and what certifies it, in order (X.509, DER).
    pub certificates_der: Vec<Vec<u8>>,
    /// Its key (PKCS #8, SEC 1 or PKCS #1, DER).
    pub certificate_key_der: Zeroizing<Vec<u8>>,
    /// Its public key (`SubjectPublicKeyInfo`, DER; RFC 5280, section 4.1.2.7): what the hello's signature covers.
    pub spki: Vec<u8>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key: _, public, certificates_der: _, certificate_key_der: _, spki: _ } = self;
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
        certificates_der: vec![tls.certificate_der],
        spki: tls.key.subject_public_key_info(),
        certificate_key_der: Zeroizing::new(tls.key.serialize_der()),
    })
}

/// The keeper's own certificate cannot be used. Nothing was opened.
#[derive(Debug, thiserror::Error)]
pub enum OwnCertificateError {
    /// A file cannot be read.
    #[error("cannot read {}: make it readable for the box's user, or take tls.certificate and tls.key out", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// There is nothing of that kind in a file, or too much.
    #[error("{} holds {what}: write them there in PEM", path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// Others can read the key.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The key is of no kind that is known.
    #[error("{} holds no key that can be used: an ECDSA (P-256, P-384), Ed25519 or RSA key is taken", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rcgen::Error,
    },
    /// The first certificate is of another key.
    #[error("{} is not the certificate of {}: the box's own comes first, its chain behind it", certificate.display(), key.display())]
    DoNotFit {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's.
        key: PathBuf,
    },
}

impl Identity {
    /// Shows the keeper's own certificate instead of the self-made one. Who pins the identity does not notice.
    ///
    /// # Errors
    /// [`OwnCertificateError`].
    pub fn show_own(&mut self, certificate_path: &Path, key_path: &Path) -> Result<(), OwnCertificateError> {
        use rustls::pki_types::pem::PemObject as _;
        let unreadable = |path: &Path, source| OwnCertificateError::Unreadable { path: path.to_owned(), source };
        let chain: Vec<Vec<u8>> = CertificateDer::pem_file_iter(certificate_path)
            .and_then(|found| found.map(|one| one.map(|one| one.to_vec())).take(CHAIN_MAX + 1).collect())
            .map_err(|source| unreadable(certificate_path, source))?;
        let not_pem = |what| OwnCertificateError::NotPem { path: certificate_path.to_owned(), what };
        let first = chain.first().ok_or_else(|| not_pem("no certificate"))?;
        if chain.len() > CHAIN_MAX {
            return Err(not_pem("more than eight certificates"));
        }
        // Checks its rights too.
        let pem = folder::read_private(key_path)?.unwrap_or_default();
        let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|source| unreadable(key_path, source))?;
        let pair =
            KeyPair::try_from(&key).map_err(|source| OwnCertificateError::Key { path: key_path.to_owned(), source })?;
        let spki = pair.subject_public_key_info();
        if !first.windows(spki.len()).any(|window| window == spki) {
            let (certificate, key) = (certificate_path.to_owned(), key_path.to_owned());
            return Err(OwnCertificateError::DoNotFit { certificate, key });
        }
        self.certificate_key_der = Zeroizing::new(key.secret_der().to_vec());
        self.certificates_der = chain;
        self.spki = spki;
        Ok(())
    }
}

/// An identity is made in a folder with nothing in it, or with what a start left that ended before there was one.
fn refuse_unless_new(data: &Path, identity_path: &Path) -> Result<(), FolderError> {
    let foreign = folder::names(data)?.into_iter().find(|name| name != "keys" && !NOT_OURS.contains(&name.as_str()));
    let has_keys = folder::names(&data.join("keys"))?.into_iter().any(|name| !name.starts_with(".new-"));
    let has_log = OF_A_LOG.iter().all(|name| data.join(name).exists());
    let used = has_keys || has_log;
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

/// Writes an identity's file, where there is none. Returns whether there was none.
fn write_identity(path: &Path, seed: &[u8; 32]) -> Result<bool, FolderError> {
    let mut file = Zeroizing::new(Vec::with_capacity(MAGIC.len() + seed.len() + CHECKSUM_BYTES));
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(seed);
    file.extend_from_slice(&checksum(seed));
    folder::write_private(path, &file)
}

/// The seed of the identity in a data folder, for its backup.
///
/// # Errors
/// [`FolderError`]: the file is missing, damaged or open to others.
pub fn seed_of(data: &Path) -> Result<Zeroizing<[u8; 32]>, FolderError> {
    let path = data.join("keys").join("identity.key");
    let bytes = folder::read_private(&path)?.ok_or_else(|| FolderError::IdentityGone { path: path.clone() })?;
    Ok(Zeroizing::new(parse_identity(&path, &bytes)?.to_bytes()))
}

/// Puts an identity from a backup into a new data folder, which then has its keys' folder; the certificate is made by the
/// first start. Returns what clients pin.
///
/// # Errors
/// [`FolderError`].
pub fn put_back(data: &Path, seed: &[u8; 32]) -> Result<BoxIdentity, FolderError> {
    let keys = data.join("keys");
    folder::make_private(&keys)?;
    write_identity(&keys.join("identity.key"), seed)?;
    Ok(BoxIdentity(SigningKey::from_bytes(seed).verifying_key().to_bytes()))
}

fn make_identity(path: &Path) -> Result<SigningKey, FolderError> {
    let mut seed = Zeroizing::new([0; 32]);
    random(path, &mut *seed)?;
    if write_identity(path, &seed)? {
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
        assert_eq!(first.certificates_der, second.certificates_der);
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
    fn a_box_whose_keys_are_all_gone_is_told_of_its_identity_and_not_of_a_strangers_folder() {
        let data = tempfile::tempdir().unwrap();
        std::fs::write(data.path().join("format"), "1\n").unwrap();
        std::fs::create_dir(data.path().join("log")).unwrap();
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
    fn the_keepers_own_certificate_is_shown_if_it_fits_its_key_and_nobody_else_can_read_that() {
        use std::os::unix::fs::PermissionsExt as _;
        let data = tempfile::tempdir().unwrap();
        let files = tempfile::tempdir().unwrap();
        let mut identity = load_or_make(data.path()).unwrap();
        let write = |name: &str, text: &str| {
            let path = files.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            path
        };
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["box.example".to_owned()]).unwrap().self_signed(&key).unwrap();
        let certificate_path = write("box.crt", &certificate.pem());
        let key_path = write("box.key", &key.serialize_pem());
        let other = write("other.key", &KeyPair::generate().unwrap().serialize_pem());
        let error = identity.show_own(&certificate_path, &other).unwrap_err();
        assert!(matches!(error, OwnCertificateError::DoNotFit { .. }), "{error}");
        let error = identity.show_own(&key_path, &key_path).unwrap_err();
        assert!(matches!(error, OwnCertificateError::NotPem { .. }), "{error}");
        assert!(identity.show_own(&files.path().join("none"), &key_path).is_err());
        assert!(identity.show_own(&certificate_path, &files.path().join("none")).is_err());
        std::fs::set_permissions(&key_path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = identity.show_own(&certificate_path, &key_path).unwrap_err();
        assert!(matches!(error, OwnCertificateError::Folder(FolderError::TooOpen { .. })), "{error}");
        std::fs::set_permissions(&key_path, std::fs::Permissions::from_mode(0o600)).unwrap();
        identity.show_own(&certificate_path, &key_path).unwrap();
        assert_eq!(identity.spki, key.subject_public_key_info());
        assert_eq!(identity.certificates_der, [certificate.der().to_vec()]);
    }

    #[test]
    fn a_certificate_of_another_key_is_refused() {
        let data = tempfile::tempdir().unwrap();
        load_or_make(data.path()).unwrap();
        std::fs::remove_file(data.path().join("keys/tls.key")).unwrap();
        assert!(matches!(load_or_make(data.path()), Err(FolderError::Damaged { .. })));
    }
}
