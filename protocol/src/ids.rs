//! Ids, keys and tokens, and how each is derived.

use std::fmt;

use data_encoding::HEXLOWER;
use zeroize::Zeroize;

/// Some bytes are not an id: they have the wrong length.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} has {want_bytes} bytes, not {got_bytes}")]
pub struct WrongLength {
    /// What was read.
    pub what: &'static str,
    /// Bytes it must have.
    pub want_bytes: usize,
    /// Bytes it had.
    pub got_bytes: usize,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $bytes]);

        impl $name {
            /// Its length in bytes.
            pub const BYTES: usize = $bytes;

            /// Its bytes.
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = WrongLength;

            fn try_from(bytes: &[u8]) -> Result<Self, WrongLength> {
                <[u8; $bytes]>::try_from(bytes)
                    .map(Self)
                    .map_err(|_| WrongLength { what: $what, want_bytes: $bytes, got_bytes: bytes.len() })
            }
        }

        impl fmt::Display for $name {
            /// Lower-case hex.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&HEXLOWER.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), HEXLOWER.encode(&self.0[..4]))
            }
        }
    };
}

id!(
    /// The queue of one device: the first 16 bytes of BLAKE3(context "hob/1 mailbox", device's Ed25519 key), so that a
    /// device that joins again has the same one.
    MailboxId, 16, "a mailbox id"
);
id!(
    /// Names an envelope within a box: BLAKE3(context "hob/1 envelope", version, mailbox, sealed bytes).
    EnvelopeId, 32, "an envelope id"
);
id!(
    /// What the box keeps of a delivery token: BLAKE3(context "hob/1 token", token).
    TokenHash, 32, "a token hash"
);
id!(
    /// A device's Ed25519 public key.
    DeviceKey, 32, "a device key"
);
id!(
    /// A member's Ed25519 public key, which certifies that member's devices.
    MemberKey, 32, "a member key"
);
id!(
    /// A box's Ed25519 public key: what clients pin.
    BoxIdentity, 32, "a box identity"
);
id!(
    /// The box's own name of a member: random, and known to nobody else.
    MemberId, 16, "a member id"
);
id!(
    /// The public half of an invitation.
    InvitationId, 16, "an invitation id"
);

impl MailboxId {
    /// The mailbox of a device.
    pub fn of_device(key: &DeviceKey) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("hob/1 mailbox");
        hasher.update(key.as_bytes());
        let mut id = [0; 16];
        hasher.finalize_xof().fill(&mut id);
        Self(id)
    }
}

impl EnvelopeId {
    /// The id of what was sent without keeping it: nothing can be acknowledged by it.
    pub const ONLINE_ONLY: Self = Self([0; 32]);

    /// The id of an envelope in a mailbox.
    pub fn of(mailbox: &MailboxId, sealed: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("hob/1 envelope");
        hasher.update(&[1]);
        hasher.update(mailbox.as_bytes());
        hasher.update(sealed);
        Self(*hasher.finalize().as_bytes())
    }
}

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $what:literal) => {
        $(#[$doc])*
        ///
        /// A secret: never printed, wiped when dropped.
        #[derive(Clone, PartialEq, Eq, Zeroize, zeroize::ZeroizeOnDrop)]
        pub struct $name(pub [u8; $bytes]);

        impl $name {
            /// Its bytes: for the wire and for deriving only.
            pub const fn expose(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = WrongLength;

            fn try_from(bytes: &[u8]) -> Result<Self, WrongLength> {
                <[u8; $bytes]>::try_from(bytes)
                    .map(Self)
                    .map_err(|_| WrongLength { what: $what, want_bytes: $bytes, got_bytes: bytes.len() })
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let Self(_) = self;
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    };
}

secret!(
    /// A capability: lets its holder submit to one mailbox and fetch its bundle.
    DeliveryToken, 32, "a delivery token"
);
secret!(
    /// The part of an invitation that proves that somebody was shown it.
    InvitationSecret, 16, "an invitation secret"
);

secret!(
    /// Opens a box's backup. Made when a backup is, written down by the keeper, known to nobody else.
    RecoveryKey, 32, "a recovery key"
);

impl DeliveryToken {
    /// What the box keeps of it.
    pub fn hash(&self) -> TokenHash {
        TokenHash(blake3::derive_key("hob/1 token", &self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_joins_again_has_the_same_mailbox() {
        let key = DeviceKey([7; 32]);
        assert_eq!(MailboxId::of_device(&key), MailboxId::of_device(&key));
        assert_ne!(MailboxId::of_device(&key), MailboxId::of_device(&DeviceKey([8; 32])));
    }

    #[test]
    fn the_same_sealed_bytes_have_another_id_in_another_mailbox() {
        assert_ne!(EnvelopeId::of(&MailboxId([1; 16]), b"x"), EnvelopeId::of(&MailboxId([2; 16]), b"x"));
    }

    #[test]
    fn a_token_never_shows_itself_in_debug_output() {
        assert_eq!(format!("{:?}", DeliveryToken([0xab; 32])), "DeliveryToken(…)");
    }

    #[test]
    fn an_id_of_the_wrong_length_says_what_and_how_long() {
        let error = MailboxId::try_from(&[0u8; 15][..]).unwrap_err();
        assert_eq!(error.to_string(), "a mailbox id has 16 bytes, not 15");
    }
}
