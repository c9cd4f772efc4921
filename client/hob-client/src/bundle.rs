//! The bundle: what is needed to seal to a device. Published at its box, which can neither make nor change one.

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use hob_protocol::ids::{BoxIdentity, DeviceKey, MemberKey};
use hob_protocol::limits::BUNDLE_BYTES_MAX;
use hob_protocol::transcript::Transcript;
use prost::Message as _;

use crate::record::{DeviceRecord, RecordError};
use crate::seal::outer::{PREKEY_BYTES, Prekey, SUITE};

/// The bundle as it is serialised (Protocol Buffers).
#[allow(missing_docs, reason = "documented on the checked type beside it")]
pub mod wire {
    /// What is signed, as bytes: nobody has to serialise it again in the same way.
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct SignedBundle {
        #[prost(bytes = "vec", tag = "1")]
        pub bundle: Vec<u8>,
        #[prost(bytes = "vec", tag = "2")]
        pub signature: Vec<u8>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Bundle {
        #[prost(bytes = "vec", tag = "1")]
        pub record: Vec<u8>,
        #[prost(fixed32, tag = "2")]
        pub prekey_id: u32,
        #[prost(bytes = "vec", tag = "3")]
        pub prekey: Vec<u8>,
        #[prost(bytes = "vec", tag = "4")]
        pub olm_fallback: Vec<u8>,
        #[prost(bytes = "vec", tag = "5")]
        pub suites: Vec<u8>,
        #[prost(uint64, tag = "6")]
        pub generation: u64,
        #[prost(uint64, tag = "7")]
        pub expires_at_s: u64,
    }
}

/// A checked bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Whose it is.
    pub record: DeviceRecord,
    /// For the outer layer.
    pub prekey: Prekey,
    /// For a new Olm session.
    pub olm_fallback: [u8; 32],
    /// Suites that the device takes, best first.
    pub suites: Vec<u8>,
    /// A higher one replaces a lower one.
    pub generation: u64,
    /// Unix time in seconds.
    pub expires_at_s: u64,
}

/// Whose bundle is expected. What is not known yet is learnt from the first one.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The member, from the contact code or the first message.
    pub member_key: &'a MemberKey,
    /// The device, likewise.
    pub device_key: &'a DeviceKey,
    /// Its box, likewise.
    pub home_box: &'a BoxIdentity,
    /// Its Olm identity, once known.
    pub olm_identity: Option<&'a [u8; 32]>,
    /// The highest generation that was seen.
    pub generation: u64,
    /// The member's device list names the device with just these keys: then the device's own signature is enough.
    pub is_listed: bool,
}

impl Expected<'_> {
    /// Whether the member's list stands for the member's signature on the record.
    pub(crate) const fn trusts_the_list(&self) -> bool {
        self.is_listed && self.olm_identity.is_some()
    }
}

/// A bundle is not taken. Nothing is sealed to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Cut, or a field of a wrong length.
    #[error("the bundle cannot be read")]
    Unreadable,
    /// Its signature is not its device's.
    #[error("the bundle is not signed by its device")]
    Unsigned,
    /// Its record does not hold.
    #[error("the bundle's record does not hold")]
    Record(#[source] RecordError),
    /// Of another device, member or box than asked for.
    #[error("the bundle is another device's")]
    Foreign,
    /// The device's own keys are others than before. Loud.
    #[error("the device's keys are not those that are known")]
    KeysChanged,
    /// Past its expiry.
    #[error("the bundle has expired")]
    Expired,
    /// Older than one seen before.
    #[error("the bundle has generation {got}, older than {seen}")]
    Older {
        /// Its generation.
        got: u64,
        /// The highest seen.
        seen: u64,
    },
    /// No suite that this program knows.
    #[error("the device takes no suite that this program knows: update it")]
    NoCommonSuite,
}

fn transcript(bundle: &[u8]) -> Transcript {
    Transcript::new("hob/1 bundle").sized(bundle)
}

impl Bundle {
    /// Serialises and signs, for publishing: at most 4,096 bytes.
    pub fn sign(&self, device: &SigningKey) -> Bytes {
        let bundle = wire::Bundle {
            record: self.record.encode(),
            prekey_id: self.prekey.id,
            prekey: self.prekey.public.clone(),
            olm_fallback: self.olm_fallback.to_vec(),
            suites: self.suites.clone(),
            generation: self.generation,
            expires_at_s: self.expires_at_s,
        }
        .encode_to_vec();
        let signature = transcript(&bundle).sign(device).to_vec();
        wire::SignedBundle { bundle, signature }.encode_to_vec().into()
    }

    /// Reads a bundle that a box handed out, and checks it against what is known of the device.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn open(bytes: &[u8], expected: Expected<'_>, now_s: u64) -> Result<Self, BundleError> {
        let bundle = Self::read(bytes, expected.device_key, expected.trusts_the_list())?;
        bundle.check(expected, now_s)?;
        Ok(bundle)
    }

    /// Checks what can change while a bundle lies in the cache: what is known of the device, and the time.
    ///
    /// # Errors
    /// [`BundleError`].
    pub(crate) fn check(&self, expected: Expected<'_>, now_s: u64) -> Result<(), BundleError> {
        let record = &self.record;
        if record.device_key != *expected.device_key {
            return Err(BundleError::Foreign);
        }
        if record.member_key != *expected.member_key
            || record.home_box != *expected.home_box
            || expected.olm_identity.is_some_and(|known| *known != record.olm_identity)
        {
            return Err(BundleError::KeysChanged);
        }
        if self.generation < expected.generation {
            return Err(BundleError::Older { got: self.generation, seen: expected.generation });
        }
        if self.expires_at_s <= now_s {
            return Err(BundleError::Expired);
        }
        if !self.suites.contains(&SUITE) {
            return Err(BundleError::NoCommonSuite);
        }
        Ok(())
    }

    /// Reads a bundle that this device signed, of whatever member and keys; its generation and expiry are not looked at.
    ///
    /// # Errors
    /// [`BundleError`].
    pub(crate) fn open_of_device(bytes: &[u8], device: &DeviceKey) -> Result<Self, BundleError> {
        let bundle = Self::read(bytes, device, false)?;
        if bundle.record.device_key == *device { Ok(bundle) } else { Err(BundleError::Foreign) }
    }

    /// Shape and signatures only.
    fn read(bytes: &[u8], device: &DeviceKey, is_listed: bool) -> Result<Self, BundleError> {
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(BundleError::Unreadable);
        }
        let signed = wire::SignedBundle::decode(bytes).map_err(|_| BundleError::Unreadable)?;
        let bundle = wire::Bundle::decode(&signed.bundle[..]).map_err(|_| BundleError::Unreadable)?;
        if !transcript(&signed.bundle).is_signed_by(device.as_bytes(), &signed.signature) {
            // A sound bundle by somebody else is told apart from a broken one: it names whose it is.
            let theirs = DeviceRecord::decode_half(&bundle.record).map_err(|_| BundleError::Unsigned)?;
            let by_them = transcript(&signed.bundle).is_signed_by(theirs.device_key.as_bytes(), &signed.signature);
            return Err(if by_them { BundleError::Foreign } else { BundleError::Unsigned });
        }
        if bundle.prekey.len() != PREKEY_BYTES {
            return Err(BundleError::Unreadable);
        }
        let record = match is_listed {
            true => DeviceRecord::decode_half(&bundle.record),
            false => DeviceRecord::decode(&bundle.record),
        };
        Ok(Self {
            record: record.map_err(BundleError::Record)?,
            prekey: Prekey { id: bundle.prekey_id, public: bundle.prekey },
            olm_fallback: bundle.olm_fallback[..].try_into().map_err(|_| BundleError::Unreadable)?,
            suites: bundle.suites,
            generation: bundle.generation,
            expires_at_s: bundle.expires_at_s,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOME: BoxIdentity = BoxIdentity([4; 32]);

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn bundle() -> Bundle {
        Bundle {
            record: DeviceRecord::sign(&key(1), &key(2), [3; 32], HOME),
            prekey: Prekey { id: 9, public: vec![1; PREKEY_BYTES] },
            olm_fallback: [5; 32],
            suites: vec![SUITE],
            generation: 10,
            expires_at_s: 1_000,
        }
    }

    fn open(bytes: &[u8], generation: u64, now_s: u64) -> Result<Bundle, BundleError> {
        let record = bundle().record;
        let expected = Expected {
            member_key: &record.member_key,
            device_key: &record.device_key,
            home_box: &HOME,
            olm_identity: Some(&[3; 32]),
            generation,
            is_listed: false,
        };
        Bundle::open(bytes, expected, now_s)
    }

    #[test]
    fn a_bundle_reads_back_and_fits_what_boxes_take() {
        let bytes = bundle().sign(&key(2));
        assert!(bytes.len() <= BUNDLE_BYTES_MAX);
        assert_eq!(open(&bytes, 10, 999), Ok(bundle()));
    }

    #[test]
    fn unsigned_older_expired_and_foreign_bundles_are_refused() {
        assert_eq!(open(&bundle().sign(&key(6)), 0, 0), Err(BundleError::Unsigned));
        let mut changed = bundle().sign(&key(2)).to_vec();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        assert_eq!(open(&changed, 0, 0), Err(BundleError::Unsigned), "a prekey that the box invented");
        let seen = BundleError::Older { got: 10, seen: 11 };
        assert_eq!(open(&bundle().sign(&key(2)), 11, 0), Err(seen));
        assert_eq!(open(&bundle().sign(&key(2)), 0, 1_000), Err(BundleError::Expired));
        let foreign = Bundle { record: DeviceRecord::sign(&key(7), &key(8), [3; 32], HOME), ..bundle() };
        assert_eq!(open(&foreign.sign(&key(8)), 0, 0), Err(BundleError::Foreign));
    }

    #[test]
    fn a_bundle_with_other_keys_of_the_same_device_is_told_apart() {
        let other_olm = Bundle { record: DeviceRecord::sign(&key(1), &key(2), [33; 32], HOME), ..bundle() };
        assert_eq!(open(&other_olm.sign(&key(2)), 0, 0), Err(BundleError::KeysChanged));
        let other_member = Bundle { record: DeviceRecord::sign(&key(11), &key(2), [3; 32], HOME), ..bundle() };
        assert_eq!(open(&other_member.sign(&key(2)), 0, 0), Err(BundleError::KeysChanged));
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_bundle_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(open(&bytes, 0, 0).is_err());
        }
    }
}
