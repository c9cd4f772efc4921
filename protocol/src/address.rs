//! Where a box can be reached: addresses, and the record of them that the box signs.

use ed25519_dalek::SigningKey;

use crate::ids::BoxIdentity;
use crate::limits::{ADDRESS_BYTES_MAX, ADDRESSES_MAX};
use crate::transcript::Transcript;
use crate::wire;

/// One address, "host:port"; the host is a name, an IPv4 address, or an IPv6 address in brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(String);

/// Some text is no address, or there are too many of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not "host:port".
    #[error("an address is written host:port, for example box.example:8443 or [2001:db8::1]:8443")]
    NotHostPort,
    /// More than a code may hold.
    #[error("{got} addresses, more than {ADDRESSES_MAX}")]
    TooMany {
        /// How many.
        got: usize,
    },
}

impl Address {
    /// Checks the shape: printable ASCII without spaces, a host, a colon, a port that is not 0.
    ///
    /// # Errors
    /// [`AddressError::NotHostPort`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (host, port) = text.rsplit_once(':').ok_or(AddressError::NotHostPort)?;
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let host_is_good = match bare {
            Some(inside) => inside.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                !host.is_empty()
                    && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
            }
        };
        let port_is_good = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|p| p > 0);
        if text.len() <= ADDRESS_BYTES_MAX && host_is_good && port_is_good {
            Ok(Self(text.to_owned()))
        } else {
            Err(AddressError::NotHostPort)
        }
    }

    /// "host:port".
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host without brackets, and the port.
    pub fn host_and_port(&self) -> (&str, u16) {
        // The shape was checked when it was made.
        let (host, port) = self.0.rsplit_once(':').unwrap_or((&self.0, "0"));
        (host.trim_start_matches('[').trim_end_matches(']'), port.parse().unwrap_or(0))
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Parses a list of at most three.
pub(crate) fn parse_list(texts: &[String]) -> Result<Vec<Address>, AddressError> {
    if texts.len() > ADDRESSES_MAX {
        return Err(AddressError::TooMany { got: texts.len() });
    }
    texts.iter().map(|text| Address::parse(text)).collect()
}

/// The box's addresses, signed by its identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressRecord {
    /// At most three.
    pub addresses: Vec<Address>,
    /// A higher one replaces a lower one.
    pub sequence: u64,
    /// Unix time in seconds.
    pub expires_at_s: u64,
    /// Ed25519 over all the above.
    pub signature: [u8; 64],
}

fn transcript(addresses: &[Address], sequence: u64, expires_at_s: u64) -> Transcript {
    let mut transcript = Transcript::new("hob/1 addresses").number(sequence).number(expires_at_s);
    for address in addresses {
        transcript = transcript.sized(address.as_str().as_bytes());
    }
    transcript
}

impl AddressRecord {
    /// Signs a record.
    pub fn sign(key: &SigningKey, addresses: Vec<Address>, sequence: u64, expires_at_s: u64) -> Self {
        let signature = transcript(&addresses, sequence, expires_at_s).sign(key);
        Self { addresses, sequence, expires_at_s, signature }
    }

    /// Whether this box signed it. Its expiry is for the caller to compare.
    pub fn is_signed_by(&self, identity: &BoxIdentity) -> bool {
        transcript(&self.addresses, self.sequence, self.expires_at_s).is_signed_by(identity.as_bytes(), &self.signature)
    }

    /// As it goes over the wire.
    pub fn to_wire(&self) -> wire::AddressRecord {
        wire::AddressRecord {
            addresses: self.addresses.iter().map(ToString::to_string).collect(),
            sequence: self.sequence,
            expires_at_s: self.expires_at_s,
            signature: self.signature.to_vec().into(),
        }
    }

    /// Checks the shape; not the signature.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn from_wire(record: &wire::AddressRecord) -> Result<Self, String> {
        Ok(Self {
            addresses: parse_list(&record.addresses).map_err(|error| error.to_string())?,
            sequence: record.sequence,
            expires_at_s: record.expires_at_s,
            signature: <[u8; 64]>::try_from(&record.signature[..])
                .map_err(|_| format!("a signature has 64 bytes, not {}", record.signature.len()))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_names_or_numbers_with_a_port() {
        for good in ["box.example:8443", "192.0.2.1:1", "[2001:db8::1]:8443", "hob-1a2b.local:65535"] {
            assert!(Address::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "box", "box:", ":1", "box:0", "box:65536", "[::g]:1", "b ox:1", "box:+1", "\u{202e}:1", "a/b:1"]
        {
            assert!(Address::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Address::parse("[::1]:80").unwrap().host_and_port(), ("::1", 80));
    }

    #[test]
    fn an_address_record_with_a_changed_address_is_not_the_boxs() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let identity = BoxIdentity(key.verifying_key().to_bytes());
        let mut record = AddressRecord::sign(&key, vec![Address::parse("a:1").unwrap()], 4, 5);
        assert!(record.is_signed_by(&identity));
        record.addresses = vec![Address::parse("b:1").unwrap()];
        assert!(!record.is_signed_by(&identity));
    }
}
