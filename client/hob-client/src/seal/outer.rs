//! The outer layer: HPKE to one device's prekey. It hides everything but the size, the suite and the prekey's id.

use bytes::Bytes;
use hob_protocol::envelope::Envelope;
use hob_protocol::ids::DeviceKey;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::padding;

/// The suite of this version: X-Wing, HKDF-SHA256, ChaCha20-Poly1305 outside; Olm version 2 inside.
pub const SUITE: u8 = 1;

/// Bytes of an X-Wing public key.
pub const PREKEY_BYTES: usize = 1216;

const INFO: &[u8] = b"hob/seal/1";
const ENC_BYTES: usize = 1120;
const TAG_BYTES: usize = 16;
const HEADER_BYTES: usize = 1 + 4;

/// What the outer layer adds to a middle layer, without padding, in bytes.
pub const OVERHEAD_BYTES: usize = HEADER_BYTES + ENC_BYTES + TAG_BYTES + padding::LENGTH_BYTES;

/// The public half of a prekey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prekey {
    /// Names it within its device.
    pub id: u32,
    /// The X-Wing public key, 1,216 B.
    pub public: Vec<u8>,
}

/// The private half of a prekey: an X-Wing seed.
pub type PrekeySecret = Zeroizing<[u8; 32]>;

/// Something cannot be sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key fails its own check.
    #[error("the prekey of the recipient's device is no key: fetch a fresh bundle")]
    BadPrekey,
    /// More than the largest envelope holds.
    #[error("{got_bytes} bytes are more than the largest envelope holds: send less at once")]
    TooLarge {
        /// Bytes with everything around them.
        got_bytes: usize,
    },
    /// The sealing library refused.
    #[error("the sealing library refused: {why}")]
    Refused {
        /// Its word.
        why: &'static str,
    },
}

/// An envelope cannot be opened by this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// A newer suite.
    #[error("it is sealed by suite {suite}, which this program does not know: update it")]
    UnknownSuite {
        /// Its number.
        suite: u8,
    },
    /// The prekey is not this device's, or was destroyed when its time was over.
    #[error("it is sealed to prekey {id}, which this device does not have (any more)")]
    UnknownPrekey {
        /// Its id.
        id: u32,
    },
    /// Changed on the way, or sealed to somebody else.
    #[error("it was changed on the way, or is for another device")]
    Forged,
    /// Opened, and not padded as it must be.
    #[error(transparent)]
    Padding(#[from] padding::BadPadding),
}

/// A fresh prekey: its secret and its public half.
pub fn generate_prekey(rng: &mut dyn CryptoRng) -> (PrekeySecret, Prekey) {
    let mut secret = Zeroizing::new([0; 32]);
    rng.fill_bytes(&mut *secret);
    let id = rng.next_u32();
    let public = prekey_public(&secret);
    (secret, Prekey { id, public })
}

/// The public half of a secret.
pub fn prekey_public(secret: &PrekeySecret) -> Vec<u8> {
    #[cfg(feature = "stand-in")]
    if super::stand_in::is_on() {
        return super::stand_in::prekey_public(secret, PREKEY_BYTES);
    }
    // Any 32 bytes are an X-Wing seed (draft-connolly-cfrg-xwing-kem, section 5.2).
    <XWing as Kem>::PrivateKey::from_bytes(&secret[..])
        .map(|key| XWing::sk_to_pk(&key).to_bytes().to_vec())
        .unwrap_or_default()
}

fn associated_data(suite: u8, recipient: &DeviceKey, prekey_id: u32) -> [u8; 37] {
    let mut data = [0; 37];
    let (first, rest) = data.split_at_mut(1);
    let (device, id) = rest.split_at_mut(32);
    first.copy_from_slice(&[suite]);
    device.copy_from_slice(recipient.as_bytes());
    id.copy_from_slice(&prekey_id.to_le_bytes());
    data
}

/// Seals a middle layer to one device's prekey and pads it to the smallest of the six envelope sizes.
///
/// Returns `suite (1 B) || prekey id (4 B) || enc (1,120 B) || ciphertext || tag (16 B)`: 2, 4, 8, 16, 32 or 64 KiB in
/// all. Suite, recipient device and prekey id are bound as associated data: an envelope cannot be turned to another
/// device.
///
/// # Errors
/// [`SealError::BadPrekey`] if the key fails ML-KEM's own check (FIPS 203, section 7.2); fetch a fresh one and try again.
///
/// # Source
/// Single-shot base mode, RFC 9180 (HPKE), sections 5.1.1 and 6.1; KEM: X-Wing, draft-connolly-cfrg-xwing-kem.
pub fn seal_envelope(
    to: &DeviceKey,
    prekey: &Prekey,
    middle: &[u8],
    mut rng: &mut dyn CryptoRng,
) -> Result<Envelope, SealError> {
    let got_bytes = middle.len() + OVERHEAD_BYTES;
    let size = Envelope::size_for(got_bytes).ok_or(SealError::TooLarge { got_bytes })?;
    let plaintext =
        padding::pad(middle, size - OVERHEAD_BYTES + padding::LENGTH_BYTES).ok_or(SealError::TooLarge { got_bytes })?;
    #[cfg(feature = "stand-in")]
    if super::stand_in::is_on() {
        let mut enc = Vec::new();
        let data = super::stand_in::data(SUITE, to, prekey.id);
        let ciphertext = super::stand_in::seal(&prekey.public, &data, &plaintext, &mut enc, ENC_BYTES);
        let sealed = [&[SUITE][..], &prekey.id.to_le_bytes(), &enc, &ciphertext].concat();
        return Envelope::new(Bytes::from(sealed)).map_err(|_| SealError::BadPrekey);
    }
    let public = <XWing as Kem>::PublicKey::from_bytes(&prekey.public).map_err(|_| SealError::BadPrekey)?;
    let (enc, ciphertext) = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeS::Base,
        &public,
        INFO,
        &plaintext,
        &associated_data(SUITE, to, prekey.id),
        &mut rng,
    )
    .map_err(|_| SealError::BadPrekey)?;
    let mut sealed = Vec::with_capacity(size);
    sealed.push(SUITE);
    sealed.extend_from_slice(&prekey.id.to_le_bytes());
    sealed.extend_from_slice(&enc.to_bytes());
    sealed.extend_from_slice(&ciphertext);
    Envelope::new(Bytes::from(sealed)).map_err(|_| SealError::Refused { why: "a ciphertext of an unexpected length" })
}

/// Opens an envelope for this device: the middle layer, without padding. `secret_of` finds a private prekey by its id.
///
/// # Errors
/// [`OpenError`]; never a panic, whatever the bytes.
///
/// # Source
/// RFC 9180 (HPKE), section 6.1.
pub fn open_envelope(
    me: &DeviceKey,
    secret_of: impl FnOnce(u32) -> Option<PrekeySecret>,
    envelope: &Envelope,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (suite, rest) = envelope.bytes().split_first().ok_or(OpenError::Forged)?;
    if *suite != SUITE {
        return Err(OpenError::UnknownSuite { suite: *suite });
    }
    let (id, rest) = rest.split_first_chunk::<4>().ok_or(OpenError::Forged)?;
    let (enc, ciphertext) = rest.split_at_checked(ENC_BYTES).ok_or(OpenError::Forged)?;
    let id = u32::from_le_bytes(*id);
    let secret = secret_of(id).ok_or(OpenError::UnknownPrekey { id })?;
    #[cfg(feature = "stand-in")]
    if super::stand_in::is_on() {
        let public = super::stand_in::prekey_public(&secret, PREKEY_BYTES);
        let data = super::stand_in::data(SUITE, me, id);
        let padded = super::stand_in::open(&public, &data, enc, ciphertext).ok_or(OpenError::Forged)?;
        return Ok(Zeroizing::new(padding::unpad(&padded)?.to_vec()));
    }
    let secret = <XWing as Kem>::PrivateKey::from_bytes(&secret[..]).map_err(|_| OpenError::Forged)?;
    let enc = <XWing as Kem>::EncappedKey::from_bytes(enc).map_err(|_| OpenError::Forged)?;
    let padded = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeR::Base,
        &secret,
        &enc,
        INFO,
        ciphertext,
        &associated_data(SUITE, me, id),
    )
    .map(Zeroizing::new)
    .map_err(|_| OpenError::Forged)?;
    Ok(Zeroizing::new(padding::unpad(&padded)?.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    const ADA: DeviceKey = DeviceKey([1; 32]);
    const BOB: DeviceKey = DeviceKey([2; 32]);

    fn sealed(content: &[u8]) -> (PrekeySecret, Envelope) {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let (secret, prekey) = generate_prekey(&mut rng);
        let envelope = seal_envelope(&ADA, &prekey, content, &mut rng).unwrap();
        (secret, envelope)
    }

    #[test]
    fn an_envelope_opens_for_its_device_and_for_no_other() {
        let (secret, envelope) = sealed(b"middle");
        assert_eq!(&open_envelope(&ADA, |_| Some(secret.clone()), &envelope).unwrap()[..], b"middle");
        assert_eq!(open_envelope(&BOB, |_| Some(secret.clone()), &envelope), Err(OpenError::Forged));
        assert!(matches!(open_envelope(&ADA, |_| None, &envelope), Err(OpenError::UnknownPrekey { .. })));
    }

    #[test]
    fn an_envelope_changed_at_any_part_does_not_open() {
        let (secret, envelope) = sealed(b"middle");
        for at in [0, 1, 5, 700, 1125, 1500, 2047] {
            let mut bytes = envelope.bytes().to_vec();
            bytes[at] ^= 1;
            let changed = Envelope::new(bytes.into()).unwrap();
            assert!(open_envelope(&ADA, |_| Some(secret.clone()), &changed).is_err(), "byte {at}");
        }
    }

    #[test]
    fn contents_take_the_smallest_size_that_holds_them() {
        assert_eq!(sealed(&[1; 2048 - OVERHEAD_BYTES]).1.len(), 2048);
        assert_eq!(sealed(&[1; 2048 - OVERHEAD_BYTES + 1]).1.len(), 4096);
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let (_, prekey) = generate_prekey(&mut rng);
        assert!(matches!(seal_envelope(&ADA, &prekey, &[1; 65536], &mut rng), Err(SealError::TooLarge { .. })));
    }

    #[test]
    fn a_prekey_that_is_no_key_is_refused() {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        for public in [vec![], vec![1; 1215], vec![0xff; PREKEY_BYTES]] {
            let prekey = Prekey { id: 1, public };
            assert_eq!(seal_envelope(&ADA, &prekey, b"x", &mut rng), Err(SealError::BadPrekey));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn no_bytes_make_opening_panic(head in proptest::collection::vec(any::<u8>(), 0..1300), suite in 0u8..3) {
            let mut bytes = vec![suite];
            bytes.extend_from_slice(&head);
            bytes.resize(2048, 0x5a);
            let envelope = Envelope::new(bytes.into()).unwrap();
            prop_assert!(open_envelope(&ADA, |_| Some(Zeroizing::new([9; 32])), &envelope).is_err());
        }
    }
}
