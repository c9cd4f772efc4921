//! The text form of invitations, contact codes, device codes, revocation certificates and recovery keys: `hob://join/…`,
//! `hob://contact/…`, `hob://device/…`, `hob://revoked/…`, `hob://recovery/…`.
//!
//! After the scheme comes base64url without padding (RFC 4648, section 5) of
//! `version (1 B) || body (Protocol Buffers; a recovery key: its 32 bytes) || checksum (4 B)`, the checksum being the first bytes of
//! BLAKE3(context "hob/1 printed", version || body): it catches a mistyped character, nothing more.

use data_encoding::BASE64URL_NOPAD;

const VERSION: u8 = 1;
const CHECKSUM_BYTES: usize = 4;
/// A link longer than this is refused before it is decoded.
const LINK_BYTES_MAX: usize = 2048;

/// What is wrong with a link or a code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrintedError {
    /// It starts otherwise than it should.
    #[error("this is no {what}: it should start with {scheme}")]
    WrongScheme {
        /// "invitation", "contact code", "device code", "revocation certificate" or "recovery key".
        what: &'static str,
        /// How it should start.
        scheme: &'static str,
    },
    /// It is longer than any.
    #[error("this is no {what}: it has {got_bytes} characters, more than any has")]
    TooLong {
        /// "invitation", "contact code", "device code", "revocation certificate" or "recovery key".
        what: &'static str,
        /// Its length.
        got_bytes: usize,
    },
    /// A character that does not belong, or the end is missing.
    #[error("this {what} is damaged at character {at}: copy it whole, or scan it again")]
    NotBase64 {
        /// "invitation", "contact code", "device code", "revocation certificate" or "recovery key".
        what: &'static str,
        /// Where, counted from 1 over the whole text.
        at: usize,
    },
    /// Characters were changed or left out.
    #[error("this {what} was changed or cut on the way: copy it whole, or scan it again")]
    WrongChecksum {
        /// "invitation", "contact code", "device code", "revocation certificate" or "recovery key".
        what: &'static str,
    },
    /// A version this program does not know.
    #[error("this {what} has version {got}, newer than this program: update it")]
    UnknownVersion {
        /// "invitation", "contact code", "device code", "revocation certificate" or "recovery key".
        what: &'static str,
        /// The version.
        got: u8,
    },
    /// The checksum fits and a field does not: made by something that is not Hob.
    #[error("this {what} is not whole: {why}")]
    Field {
        /// "invitation", "contact code", "device code", "revocation certificate" or "recovery key".
        what: &'static str,
        /// Which field, and how.
        why: String,
    },
}

fn checksum(versioned: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut sum = [0; CHECKSUM_BYTES];
    sum.copy_from_slice(&blake3::derive_key("hob/1 printed", versioned)[..CHECKSUM_BYTES]);
    sum
}

/// `version || body || checksum`.
pub(crate) fn pack(body: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(1 + body.len() + CHECKSUM_BYTES);
    packed.push(VERSION);
    packed.extend_from_slice(body);
    let sum = checksum(&packed);
    packed.extend_from_slice(&sum);
    packed
}

pub(crate) fn print(scheme: &'static str, body: &[u8]) -> String {
    format!("{scheme}{}", BASE64URL_NOPAD.encode(&pack(body)))
}

pub(crate) fn parse(what: &'static str, scheme: &'static str, text: &str) -> Result<Vec<u8>, PrintedError> {
    let text = text.trim();
    let encoded = text.strip_prefix(scheme).ok_or(PrintedError::WrongScheme { what, scheme })?;
    if text.len() > LINK_BYTES_MAX {
        return Err(PrintedError::TooLong { what, got_bytes: text.len() });
    }
    let packed = BASE64URL_NOPAD
        .decode(encoded.as_bytes())
        .map_err(|error| PrintedError::NotBase64 { what, at: scheme.len() + error.position + 1 })?;
    let Some((versioned, sum)) = packed.split_last_chunk::<CHECKSUM_BYTES>() else {
        return Err(PrintedError::WrongChecksum { what });
    };
    if *sum != checksum(versioned) {
        return Err(PrintedError::WrongChecksum { what });
    }
    match versioned.split_first() {
        Some((&VERSION, body)) => Ok(body.to_vec()),
        Some((&got, _)) => Err(PrintedError::UnknownVersion { what, got }),
        None => Err(PrintedError::WrongChecksum { what }),
    }
}
