//! A certificate for the peers that are run with TLS: ECDSA P-256, as Hob's own is.

use std::io;
use std::path::{Path, PathBuf};

/// The files of a certificate and its key in a folder, made if they are wanted.
///
/// # Errors
/// If they cannot be written.
pub fn pair(folder: &Path, is_wanted: bool) -> io::Result<(PathBuf, PathBuf)> {
    let (certificate, key) = (folder.join("server.crt"), folder.join("server.key"));
    if is_wanted && !certificate.exists() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).map_err(io::Error::other)?;
        std::fs::write(&certificate, made.cert.pem())?;
        std::fs::write(&key, made.signing_key.serialize_pem())?;
    }
    Ok((certificate, key))
}
