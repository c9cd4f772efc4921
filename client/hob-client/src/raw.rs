//! Keys, ids and secrets as base64 text in the saved state: `#[serde(with = "crate::raw")]`.

use data_encoding::BASE64_NOPAD;
use ed25519_dalek::SigningKey;
use hob_protocol::ids::{
    BoxIdentity, DeliveryToken, DeviceKey, InvitationId, InvitationSecret, MailboxId, MemberId, MemberKey, TokenHash,
};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};
use zeroize::{Zeroize, Zeroizing};

use crate::view::MessageId;

/// A value that is its bytes.
pub(crate) trait Raw: Sized {
    fn raw(&self) -> &[u8];
    fn from_raw(raw: &[u8]) -> Option<Self>;
}

macro_rules! raw_ids {
    ($($name:ident)*) => {$(
        impl Raw for $name {
            fn raw(&self) -> &[u8] {
                &self.0
            }

            fn from_raw(raw: &[u8]) -> Option<Self> {
                raw.try_into().ok().map(Self)
            }
        }
    )*};
}

raw_ids!(
    BoxIdentity DeliveryToken DeviceKey InvitationId InvitationSecret MailboxId MemberId MemberKey MessageId TokenHash
);

impl<const N: usize> Raw for [u8; N] {
    fn raw(&self) -> &[u8] {
        self
    }

    fn from_raw(raw: &[u8]) -> Option<Self> {
        raw.try_into().ok()
    }
}

impl Raw for Vec<u8> {
    fn raw(&self) -> &[u8] {
        self
    }

    fn from_raw(raw: &[u8]) -> Option<Self> {
        Some(raw.to_vec())
    }
}

impl<T: Raw + Zeroize> Raw for Zeroizing<T> {
    fn raw(&self) -> &[u8] {
        (**self).raw()
    }

    fn from_raw(raw: &[u8]) -> Option<Self> {
        T::from_raw(raw).map(Zeroizing::new)
    }
}

impl Raw for SigningKey {
    fn raw(&self) -> &[u8] {
        self.as_bytes()
    }

    fn from_raw(raw: &[u8]) -> Option<Self> {
        let seed = Zeroizing::new(<[u8; 32]>::try_from(raw).ok()?);
        Some(Self::from_bytes(&seed))
    }
}

/// `None` is empty text: no value here is empty.
impl<T: Raw> Raw for Option<T> {
    fn raw(&self) -> &[u8] {
        self.as_ref().map_or(&[], Raw::raw)
    }

    fn from_raw(raw: &[u8]) -> Option<Self> {
        if raw.is_empty() { Some(None) } else { T::from_raw(raw).map(Some) }
    }
}

pub(crate) fn serialize<T: Raw, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let text = Zeroizing::new(BASE64_NOPAD.encode(value.raw()));
    serializer.serialize_str(&text)
}

pub(crate) fn deserialize<'de, T: Raw, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let text = Zeroizing::new(String::deserialize(deserializer)?);
    let raw = Zeroizing::new(BASE64_NOPAD.decode(text.as_bytes()).map_err(D::Error::custom)?);
    T::from_raw(&raw).ok_or_else(|| D::Error::custom("a key or id of the wrong length"))
}

/// The same for lists of ids.
pub(crate) mod list {
    use super::{Raw, Zeroizing};
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<T: Raw, S: Serializer>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|value| data_encoding::BASE64_NOPAD.encode(value.raw())))
    }

    pub(crate) fn deserialize<'de, T: Raw, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
        Vec::<String>::deserialize(deserializer)?
            .into_iter()
            .map(|text| {
                let raw = data_encoding::BASE64_NOPAD.decode(text.as_bytes()).map_err(D::Error::custom)?;
                T::from_raw(&Zeroizing::new(raw)).ok_or_else(|| D::Error::custom("an id of the wrong length"))
            })
            .collect()
    }
}
