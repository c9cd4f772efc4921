//! The device list: which devices a member has. Signed by the member key, and by nobody else: a box adds no reader.
//!
//! It travels sealed, between clients. Each list names a version and the hash of the one before it, so that an older one
//! is known as old, and two of one version as a forgery or a lost key.

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use hob_protocol::ids::{DeviceKey, MemberKey};
use hob_protocol::limits::DEVICES_PER_MEMBER;
use hob_protocol::transcript::Transcript;
use prost::Message as _;

use crate::contacts::{request_id, safe_name};
use crate::record::{DeviceRecord, RecordError};

/// Bytes of a signed list; a larger one is refused before it is read. Sixteen devices and 64 revoked ones take half.
pub const LIST_BYTES_MAX: usize = 16 << 10;
/// Devices in one list.
pub const DEVICES_MAX: usize = DEVICES_PER_MEMBER;
/// Keys of removed devices that one list still names.
pub const REVOKED_MAX: usize = 64;
/// How long a list is good, in seconds: 30 days. The device with the member key renews it after half of that.
pub const LIST_LIFE_S: u64 = 30 * 86_400;

/// The list as it is serialised (Protocol Buffers).
#[allow(missing_docs, reason = "documented on the checked type beside it")]
pub mod wire {
    /// What is signed, as bytes: nobody has to serialise it again in the same way.
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct SignedDeviceList {
        #[prost(bytes = "vec", tag = "1")]
        pub list: Vec<u8>,
        #[prost(bytes = "vec", tag = "2")]
        pub signature: Vec<u8>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct DeviceList {
        #[prost(bytes = "vec", tag = "1")]
        pub member_key: Vec<u8>,
        #[prost(uint64, tag = "2")]
        pub version: u64,
        #[prost(bytes = "vec", tag = "3")]
        pub previous: Vec<u8>,
        #[prost(uint64, tag = "4")]
        pub made_at_s: u64,
        #[prost(uint64, tag = "5")]
        pub expires_at_s: u64,
        #[prost(message, repeated, tag = "6")]
        pub devices: Vec<ListedDevice>,
        #[prost(bytes = "vec", repeated, tag = "7")]
        pub revoked: Vec<Vec<u8>>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct ListedDevice {
        #[prost(bytes = "vec", tag = "1")]
        pub record: Vec<u8>,
        #[prost(string, tag = "2")]
        pub name: String,
    }
}

/// One device of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its record, signed by member and device.
    pub record: DeviceRecord,
    /// What its member calls it; made safe.
    pub name: String,
}

/// A device list whose signatures all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceList {
    /// Whose devices.
    pub member_key: MemberKey,
    /// A higher one replaces a lower one: one more than before, or the seconds of Unix time, whichever is more.
    pub version: u64,
    /// BLAKE3 of the list before it; zeros for the first.
    pub previous: [u8; 32],
    /// Unix time in seconds.
    pub made_at_s: u64,
    /// Unix time in seconds, at most 30 days later.
    pub expires_at_s: u64,
    /// One to sixteen.
    pub devices: Vec<Listed>,
    /// Removed devices, at most [`REVOKED_MAX`].
    pub revoked: Vec<DeviceKey>,
}

/// Some bytes are no device list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// Longer than any.
    #[error("the device list has {got_bytes} bytes, more than {LIST_BYTES_MAX}")]
    TooLarge {
        /// Its length.
        got_bytes: usize,
    },
    /// Cut, or a field of a wrong length.
    #[error("the device list cannot be read")]
    Unreadable,
    /// Not signed by the member that it names.
    #[error("the device list is not signed by its member")]
    Unsigned,
    /// None, or more than sixteen.
    #[error("the device list names {got} devices, not 1 to {DEVICES_MAX}")]
    DeviceCount {
        /// How many.
        got: usize,
    },
    /// More than can have been removed.
    #[error("the device list names {got} removed devices, more than {REVOKED_MAX}")]
    RevokedCount {
        /// How many.
        got: usize,
    },
    /// A record in it does not hold.
    #[error("a record in the device list does not hold")]
    Record(#[source] RecordError),
    /// A record of another member, a device named twice, or one that is removed and listed at once.
    #[error("the device list contradicts itself")]
    Contradiction,
    /// It is good for longer than any.
    #[error("the device list claims to be good for {got_s} s, more than {LIST_LIFE_S}")]
    TooLong {
        /// For how long.
        got_s: u64,
    },
}

fn transcript(list: &[u8]) -> Transcript {
    Transcript::new("hob/1 device list").sized(list)
}

impl DeviceList {
    /// Serialises and signs.
    pub fn sign(&self, member: &SigningKey) -> Bytes {
        let list = wire::DeviceList {
            member_key: self.member_key.0.to_vec(),
            version: self.version,
            previous: self.previous.to_vec(),
            made_at_s: self.made_at_s,
            expires_at_s: self.expires_at_s,
            devices: self
                .devices
                .iter()
                .map(|listed| wire::ListedDevice { record: listed.record.encode(), name: listed.name.clone() })
                .collect(),
            revoked: self.revoked.iter().map(|device| device.0.to_vec()).collect(),
        }
        .encode_to_vec();
        let signature = transcript(&list).sign(member).to_vec();
        wire::SignedDeviceList { list, signature }.encode_to_vec().into()
    }

    /// Reads a list and checks every signature in it. Whether it is the newest is another matter.
    ///
    /// # Errors
    /// [`ListError`].
    pub fn open(bytes: &[u8]) -> Result<Self, ListError> {
        if bytes.len() > LIST_BYTES_MAX {
            return Err(ListError::TooLarge { got_bytes: bytes.len() });
        }
        let signed = wire::SignedDeviceList::decode(bytes).map_err(|_| ListError::Unreadable)?;
        let list = wire::DeviceList::decode(&signed.list[..]).map_err(|_| ListError::Unreadable)?;
        let member_key = MemberKey::try_from(&list.member_key[..]).map_err(|_| ListError::Unreadable)?;
        if !transcript(&signed.list).is_signed_by(member_key.as_bytes(), &signed.signature) {
            return Err(ListError::Unsigned);
        }
        let (got, revoked) = (list.devices.len(), list.revoked.len());
        if !(1..=DEVICES_MAX).contains(&got) {
            return Err(ListError::DeviceCount { got });
        }
        if revoked > REVOKED_MAX {
            return Err(ListError::RevokedCount { got: revoked });
        }
        let got_s = list.expires_at_s.saturating_sub(list.made_at_s);
        if got_s > LIST_LIFE_S {
            return Err(ListError::TooLong { got_s });
        }
        let revoked = list.revoked.iter().map(|key| DeviceKey::try_from(&key[..]));
        let checked = Self {
            member_key,
            version: list.version,
            previous: list.previous[..].try_into().map_err(|_| ListError::Unreadable)?,
            made_at_s: list.made_at_s,
            expires_at_s: list.expires_at_s,
            devices: list.devices.iter().map(read_device).collect::<Result<_, _>>()?,
            revoked: revoked.collect::<Result<_, _>>().map_err(|_| ListError::Unreadable)?,
        };
        checked.agrees_with_itself()?;
        Ok(checked)
    }

    fn agrees_with_itself(&self) -> Result<(), ListError> {
        let mut keys: Vec<DeviceKey> = self.devices.iter().map(|listed| listed.record.device_key).collect();
        let foreign = self.devices.iter().any(|listed| listed.record.member_key != self.member_key);
        let both = keys.iter().any(|key| self.revoked.contains(key));
        let listed = keys.len();
        keys.sort_unstable();
        keys.dedup();
        if foreign || both || keys.len() != listed { Err(ListError::Contradiction) } else { Ok(()) }
    }

    /// What this list says of a device.
    pub fn device(&self, device: &DeviceKey) -> Option<&Listed> {
        self.devices.iter().find(|listed| listed.record.device_key == *device)
    }

    /// BLAKE3 of what is signed: what the next list names as the one before it.
    pub fn hash_of(bytes: &[u8]) -> [u8; 32] {
        // Not of the signature around it: the same list, signed again, is the same list.
        let list = wire::SignedDeviceList::decode(bytes).map(|signed| signed.list).unwrap_or_default();
        *blake3::hash(&list).as_bytes()
    }
}

fn read_device(listed: &wire::ListedDevice) -> Result<Listed, ListError> {
    let record = DeviceRecord::decode(&listed.record).map_err(ListError::Record)?;
    let name = match safe_name(&listed.name) {
        name if name.is_empty() => format!("device-{}", request_id(&record.device_key)),
        name => name,
    };
    Ok(Listed { record, name })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hob_protocol::ids::BoxIdentity;
    use proptest::prelude::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn listed(seed: u8) -> Listed {
        let record = DeviceRecord::sign(&key(1), &key(seed), [seed; 32], BoxIdentity([4; 32]));
        Listed { record, name: format!("device{seed}") }
    }

    fn list(devices: Vec<Listed>) -> DeviceList {
        DeviceList {
            member_key: MemberKey(key(1).verifying_key().to_bytes()),
            version: 7,
            previous: [3; 32],
            made_at_s: 1_000,
            expires_at_s: 1_000 + LIST_LIFE_S,
            devices,
            revoked: vec![DeviceKey([9; 32])],
        }
    }

    #[test]
    fn a_device_list_reads_back_as_it_was_signed() {
        let list = list(vec![listed(2), listed(3)]);
        let bytes = list.sign(&key(1));
        assert_eq!(DeviceList::open(&bytes), Ok(list.clone()));
        assert_ne!(DeviceList::hash_of(&bytes), DeviceList::hash_of(&DeviceList { version: 8, ..list }.sign(&key(1))));
    }

    #[test]
    fn the_largest_honest_list_fits_and_ten_thousand_devices_are_refused_unread() {
        let devices: Vec<Listed> = (2..18).map(|seed| Listed { name: "ö".repeat(32), ..listed(seed) }).collect();
        let revoked = (0..64).map(|seed| DeviceKey([100 + seed; 32])).collect();
        let bytes = DeviceList { revoked, ..list(devices.clone()) }.sign(&key(1));
        assert!(bytes.len() <= LIST_BYTES_MAX / 2, "{} bytes", bytes.len());
        assert!(DeviceList::open(&bytes).is_ok());
        let one = list(vec![devices[0].clone(); 17]).sign(&key(1));
        assert_eq!(DeviceList::open(&one), Err(ListError::DeviceCount { got: 17 }));
        let many = list(vec![devices[0].clone(); 10_000]).sign(&key(1));
        assert_eq!(DeviceList::open(&many), Err(ListError::TooLarge { got_bytes: many.len() }));
        assert_eq!(DeviceList::open(&list(Vec::new()).sign(&key(1))), Err(ListError::DeviceCount { got: 0 }));
        let revoked = vec![DeviceKey([9; 32]); 65];
        let bytes = DeviceList { revoked, ..list(vec![listed(2)]) }.sign(&key(1));
        assert_eq!(DeviceList::open(&bytes), Err(ListError::RevokedCount { got: 65 }));
    }

    #[test]
    fn a_list_by_another_key_or_with_a_record_by_another_key_is_refused() {
        assert_eq!(DeviceList::open(&list(vec![listed(2)]).sign(&key(5))), Err(ListError::Unsigned));
        let home = BoxIdentity([4; 32]);
        let foreign = DeviceRecord::sign(&key(5), &key(6), [6; 32], home);
        let named = |record| list(vec![listed(2), Listed { record, name: "x".to_owned() }]).sign(&key(1));
        assert_eq!(DeviceList::open(&named(foreign)), Err(ListError::Contradiction));
        let half = DeviceRecord::half(&key(6), list(Vec::new()).member_key, [6; 32], home);
        assert_eq!(DeviceList::open(&named(half)), Err(ListError::Record(RecordError::Unsigned)));
    }

    #[test]
    fn a_list_that_contradicts_itself_or_never_ends_is_refused() {
        let twice = list(vec![listed(2), listed(2)]).sign(&key(1));
        assert_eq!(DeviceList::open(&twice), Err(ListError::Contradiction));
        let revoked = vec![listed(2).record.device_key];
        let both = DeviceList { revoked, ..list(vec![listed(2)]) }.sign(&key(1));
        assert_eq!(DeviceList::open(&both), Err(ListError::Contradiction));
        let endless = DeviceList { expires_at_s: u64::MAX, ..list(vec![listed(2)]) }.sign(&key(1));
        assert_eq!(DeviceList::open(&endless), Err(ListError::TooLong { got_s: u64::MAX - 1_000 }));
    }

    #[test]
    fn a_device_name_cannot_deceive() {
        let named = |name: &str| {
            let bytes = list(vec![Listed { name: name.to_owned(), ..listed(2) }]).sign(&key(1));
            DeviceList::open(&bytes).unwrap().devices[0].name.clone()
        };
        assert_eq!(named("my\u{202e}phone\u{1b}[2J"), "myphone2J");
        assert!(named("\u{7}").starts_with("device-"));
        assert_eq!(named(&"x".repeat(999)).len(), 32);
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_device_list_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(DeviceList::open(&bytes).is_err());
            let _ = DeviceList::hash_of(&bytes);
        }

        #[test]
        fn a_list_with_any_byte_changed_is_refused(at in any::<prop::sample::Index>(), bit in 0..8u8) {
            let mut bytes = list(vec![listed(2), listed(3)]).sign(&key(1)).to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(DeviceList::open(&bytes).is_err());
        }
    }
}
