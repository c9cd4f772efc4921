//! The device record: which keys are one device of one member, and where it lives.
//!
//! The member key certifies it; the device's key signs the same, so that nobody certifies a device that is not theirs. A
//! new device's record is half signed, by the device only, until the device with the member key puts it into the list.

use ed25519_dalek::SigningKey;
use hob_protocol::ids::{BoxIdentity, DeviceKey, MailboxId, MemberKey};
use hob_protocol::transcript::Transcript;
use prost::Message as _;

/// The record as it is serialised (Protocol Buffers).
#[allow(missing_docs, reason = "documented on the checked type beside it")]
pub mod wire {
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct DeviceRecord {
        #[prost(bytes = "vec", tag = "1")]
        pub member_key: Vec<u8>,
        #[prost(bytes = "vec", tag = "2")]
        pub device_key: Vec<u8>,
        #[prost(bytes = "vec", tag = "3")]
        pub olm_identity: Vec<u8>,
        #[prost(bytes = "vec", tag = "4")]
        pub mailbox: Vec<u8>,
        #[prost(bytes = "vec", tag = "5")]
        pub home_box: Vec<u8>,
        #[prost(bytes = "vec", tag = "6")]
        pub member_signature: Vec<u8>,
        #[prost(bytes = "vec", tag = "7")]
        pub device_signature: Vec<u8>,
    }
}

/// A device record whose device signed it; [`DeviceRecord::decode`] takes none that its member did not certify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRecord {
    /// The member.
    pub member_key: MemberKey,
    /// The device: its id is its Ed25519 key.
    pub device_key: DeviceKey,
    /// The device's Curve25519 key, by which Olm knows it.
    pub olm_identity: [u8; 32],
    /// Where the device receives.
    pub home_box: BoxIdentity,
    member_signature: [u8; 64],
    device_signature: [u8; 64],
}

/// Some bytes are no device record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Cut, or a field of a wrong length.
    #[error("the device record cannot be read")]
    Unreadable,
    /// One of the two signatures does not hold.
    #[error("the device record is not signed by its member and its device")]
    Unsigned,
    /// The mailbox is not the device's.
    #[error("the device record names a mailbox that is not its device's")]
    ForeignMailbox,
}

fn transcript(
    context: &'static str,
    member: &MemberKey,
    device: &DeviceKey,
    olm_identity: &[u8; 32],
    home_box: &BoxIdentity,
) -> Transcript {
    Transcript::new(context)
        .fixed(member.as_bytes())
        .fixed(device.as_bytes())
        .fixed(olm_identity)
        .fixed(MailboxId::of_device(device).as_bytes())
        .fixed(home_box.as_bytes())
}

const BY_MEMBER: &str = "hob/1 device record";
const BY_DEVICE: &str = "hob/1 device record, device";

impl DeviceRecord {
    /// The record of a device that its member has not certified yet.
    pub fn half(device: &SigningKey, member_key: MemberKey, olm_identity: [u8; 32], home_box: BoxIdentity) -> Self {
        let device_key = DeviceKey(device.verifying_key().to_bytes());
        let signed = transcript(BY_DEVICE, &member_key, &device_key, &olm_identity, &home_box);
        let device_signature = signed.sign(device);
        Self { member_key, device_key, olm_identity, home_box, member_signature: [0; 64], device_signature }
    }

    /// Certifies a device that asked for it; `None` if it names another member.
    pub fn certify(self, member: &SigningKey) -> Option<Self> {
        if self.member_key.0 != member.verifying_key().to_bytes() {
            return None;
        }
        let Self { member_key, device_key, olm_identity, home_box, .. } = &self;
        let member_signature = transcript(BY_MEMBER, member_key, device_key, olm_identity, home_box).sign(member);
        Some(Self { member_signature, ..self })
    }

    /// Whether it names the same member, device, Olm identity and box.
    pub fn names_the_same(&self, other: &Self) -> bool {
        let Self { member_key, device_key, olm_identity, home_box, member_signature: _, device_signature: _ } = self;
        (member_key, device_key, olm_identity, home_box)
            == (&other.member_key, &other.device_key, &other.olm_identity, &other.home_box)
    }

    /// Certifies a device.
    pub fn sign(member: &SigningKey, device: &SigningKey, olm_identity: [u8; 32], home_box: BoxIdentity) -> Self {
        let member_key = MemberKey(member.verifying_key().to_bytes());
        let device_key = DeviceKey(device.verifying_key().to_bytes());
        let signed = |context| transcript(context, &member_key, &device_key, &olm_identity, &home_box);
        Self {
            member_key,
            device_key,
            olm_identity,
            home_box,
            member_signature: signed(BY_MEMBER).sign(member),
            device_signature: signed(BY_DEVICE).sign(device),
        }
    }

    /// Its bytes, 280 or so.
    pub fn encode(&self) -> Vec<u8> {
        wire::DeviceRecord {
            member_key: self.member_key.0.to_vec(),
            device_key: self.device_key.0.to_vec(),
            olm_identity: self.olm_identity.to_vec(),
            mailbox: MailboxId::of_device(&self.device_key).0.to_vec(),
            home_box: self.home_box.0.to_vec(),
            member_signature: self.member_signature.to_vec(),
            device_signature: self.device_signature.to_vec(),
        }
        .encode_to_vec()
    }

    /// Reads a record and checks both signatures and the mailbox.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let record = Self::decode_half(bytes)?;
        let Self { member_key, device_key, olm_identity, home_box, member_signature, device_signature: _ } = &record;
        let signed = transcript(BY_MEMBER, member_key, device_key, olm_identity, home_box);
        if !signed.is_signed_by(member_key.as_bytes(), member_signature) {
            return Err(RecordError::Unsigned);
        }
        Ok(record)
    }

    /// Reads a record and checks the device's signature and the mailbox only: for a device that asks to be certified, and
    /// for one that its member's list names.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn decode_half(bytes: &[u8]) -> Result<Self, RecordError> {
        let record = wire::DeviceRecord::decode(bytes).map_err(|_| RecordError::Unreadable)?;
        let unreadable = |_| RecordError::Unreadable;
        let checked = Self {
            member_key: record.member_key[..].try_into().map_err(|_| RecordError::Unreadable)?,
            device_key: record.device_key[..].try_into().map_err(|_| RecordError::Unreadable)?,
            olm_identity: record.olm_identity[..].try_into().map_err(unreadable)?,
            home_box: record.home_box[..].try_into().map_err(|_| RecordError::Unreadable)?,
            member_signature: record.member_signature[..].try_into().map_err(unreadable)?,
            device_signature: record.device_signature[..].try_into().map_err(unreadable)?,
        };
        let Self { member_key, device_key, olm_identity, home_box, device_signature, .. } = &checked;
        let signed = transcript(BY_DEVICE, member_key, device_key, olm_identity, home_box);
        if !signed.is_signed_by(device_key.as_bytes(), device_signature) {
            return Err(RecordError::Unsigned);
        }
        if record.mailbox != MailboxId::of_device(&checked.device_key).0 {
            return Err(RecordError::ForeignMailbox);
        }
        Ok(checked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    #[test]
    fn a_record_with_any_field_changed_is_refused() {
        let record = DeviceRecord::sign(&key(1), &key(2), [3; 32], BoxIdentity([4; 32]));
        assert_eq!(DeviceRecord::decode(&record.encode()), Ok(record.clone()));
        let bytes = record.encode();
        for at in (2..bytes.len()).step_by(7) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(DeviceRecord::decode(&changed).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_member_cannot_certify_a_device_that_is_not_theirs() {
        let theirs = DeviceRecord::sign(&key(1), &key(2), [3; 32], BoxIdentity([4; 32]));
        let mallorys = DeviceRecord::sign(&key(7), &key(8), [9; 32], BoxIdentity([4; 32]));
        let forged = DeviceRecord {
            device_key: theirs.device_key,
            device_signature: theirs.device_signature,
            member_signature: transcript(
                BY_MEMBER,
                &mallorys.member_key,
                &theirs.device_key,
                &mallorys.olm_identity,
                &mallorys.home_box,
            )
            .sign(&key(7)),
            ..mallorys
        };
        assert_eq!(DeviceRecord::decode(&forged.encode()), Err(RecordError::Unsigned));
    }
}
