//! Every signature and MAC of the protocol. Each has a context string of its own, so that none can stand for another.
//!
//! A signed message is `context || 0x00 || fields`, each field of variable length preceded by its length in bytes as
//! `u32`, little-endian; fields of fixed length stand as they are.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::ids::{BoxIdentity, DeviceKey, InvitationSecret};

/// The TLS exporter of a connection: label `EXPORTER-Channel-Binding`, no context, 32 bytes (RFC 9266, section 4.2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Exporter(pub [u8; 32]);

impl std::fmt::Debug for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("Exporter(…)")
    }
}

/// The exporter's label (RFC 9266, section 4.2).
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// What a proof is bound to besides challenge and box.
#[derive(Debug, Clone, Copy)]
pub enum BoundTo<'a> {
    /// The connection itself.
    Exporter(&'a Exporter),
    /// The web origin, for devices registered as web.
    Origin(&'a str),
}

/// Bytes that are signed: built field by field.
#[derive(Debug, Clone)]
pub struct Transcript(Vec<u8>);

impl Transcript {
    /// Starts with a context.
    pub fn new(context: &'static str) -> Self {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(context.as_bytes());
        bytes.push(0);
        Self(bytes)
    }

    /// Adds a field whose length is always the same.
    #[must_use]
    pub fn fixed(mut self, field: &[u8]) -> Self {
        self.0.extend_from_slice(field);
        self
    }

    /// Adds a number as `u64`, little-endian.
    #[must_use]
    pub fn number(self, number: u64) -> Self {
        self.fixed(&number.to_le_bytes())
    }

    /// Adds a field of any length, with its length first.
    #[must_use]
    pub fn sized(mut self, field: &[u8]) -> Self {
        // Fields of the protocol are bounded by the frame, far below 4 GiB.
        let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(field);
        self
    }

    /// The bytes so far.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Signs with Ed25519 (RFC 8032).
    pub fn sign(&self, key: &SigningKey) -> [u8; 64] {
        key.sign(&self.0).to_bytes()
    }

    /// Checks an Ed25519 signature strictly: no small-order keys, no malleable forms.
    pub fn is_signed_by(&self, key: &[u8; 32], signature: &[u8]) -> bool {
        let Ok(signature) = <[u8; 64]>::try_from(signature) else {
            return false;
        };
        VerifyingKey::from_bytes(key)
            .is_ok_and(|key| key.verify_strict(&self.0, &Signature::from_bytes(&signature)).is_ok())
    }
}

/// What the box signs in its hello: it holds the pinned identity, on this very connection, under this certificate.
pub fn server(exporter: &Exporter, certificate_spki: &[u8]) -> Transcript {
    Transcript::new("hob/1 server").fixed(&exporter.0).sized(certificate_spki)
}

/// What a device signs to prove its mailbox.
pub fn prove(nonce: &[u8; 32], identity: &BoxIdentity, bound_to: BoundTo<'_>) -> Transcript {
    let transcript = Transcript::new("hob/1 prove").fixed(nonce).fixed(identity.as_bytes());
    match bound_to {
        BoundTo::Exporter(exporter) => transcript.fixed(&[1]).fixed(&exporter.0),
        BoundTo::Origin(origin) => transcript.fixed(&[2]).sized(origin.as_bytes()),
    }
}

/// The MAC of a redeem: BLAKE3 in keyed mode, the key derived from the invitation's secret.
pub fn redeem_mac(
    secret: &InvitationSecret,
    device: &DeviceKey,
    identity: &BoxIdentity,
    exporter: Option<&Exporter>,
) -> [u8; 32] {
    let key = blake3::derive_key("hob/1 redeem", secret.expose());
    let mut hasher = blake3::Hasher::new_keyed(&key);
    hasher.update(device.as_bytes());
    hasher.update(identity.as_bytes());
    if let Some(exporter) = exporter {
        hasher.update(&exporter.0);
    }
    *hasher.finalize().as_bytes()
}

/// Compares two MACs in constant time.
pub fn same_mac(a: &[u8; 32], b: &[u8; 32]) -> bool {
    blake3::Hash::from_bytes(*a) == blake3::Hash::from_bytes(*b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[3; 32])
    }

    #[test]
    fn a_proof_for_one_connection_is_worth_nothing_on_another() {
        let identity = BoxIdentity([9; 32]);
        let mine = prove(&[1; 32], &identity, BoundTo::Exporter(&Exporter([5; 32])));
        let other = prove(&[1; 32], &identity, BoundTo::Exporter(&Exporter([6; 32])));
        let signature = mine.sign(&key());
        let public = key().verifying_key().to_bytes();
        assert!(mine.is_signed_by(&public, &signature));
        assert!(!other.is_signed_by(&public, &signature));
    }

    #[test]
    fn an_exporter_cannot_be_passed_off_as_an_origin() {
        let identity = BoxIdentity([9; 32]);
        let exporter = Exporter(*b"https://evil.example/aaaaaaaaaaa");
        let origin = std::str::from_utf8(&exporter.0).unwrap();
        assert_ne!(
            prove(&[1; 32], &identity, BoundTo::Exporter(&exporter)).bytes(),
            prove(&[1; 32], &identity, BoundTo::Origin(origin)).bytes()
        );
    }

    #[test]
    fn a_signature_of_the_wrong_length_is_refused() {
        let message = server(&Exporter([0; 32]), b"spki");
        assert!(!message.is_signed_by(&key().verifying_key().to_bytes(), &[0; 63]));
        assert!(!message.is_signed_by(&[0; 32], &[0; 64]), "a small-order key signs nothing");
    }
}
