//! The middle layer: by it the receiver finds the session. HPKE's plaintext.

use hob_protocol::ids::DeviceKey;

const VERSION: u8 = 1;

/// Bytes before the inner ciphertext.
pub const HEADER_BYTES: usize = 1 + 1 + 32 + 32;

/// What the inner ciphertext is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Kind {
    /// Olm: opens a session.
    OlmPrekey,
    /// Olm: within a session.
    Olm,
}

/// `version (1 B) || kind (1 B) || sender device (32 B) || session id (32 B) || inner ciphertext`.
///
/// Kind 3 is Megolm's, for rooms. Nothing here is authenticated by the sender: the inner plaintext repeats it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Middle {
    /// Who claims to have sent it.
    pub sender: DeviceKey,
    /// What the inner ciphertext is.
    pub kind: Kind,
    /// The Olm session's id.
    pub session: [u8; 32],
    /// The inner ciphertext.
    pub inner: Vec<u8>,
}

/// Some bytes are no middle layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MiddleError {
    /// Shorter than its header.
    #[error("it is cut short")]
    Short,
    /// A newer version.
    #[error("it has version {got}, which this program does not know: update it")]
    UnknownVersion {
        /// The version.
        got: u8,
    },
    /// A newer kind.
    #[error("it is of kind {got}, which this program does not know: update it")]
    UnknownKind {
        /// The kind.
        got: u8,
    },
}

impl Middle {
    /// As HPKE's plaintext, before padding.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.inner.len());
        bytes.push(VERSION);
        bytes.push(match self.kind {
            Kind::OlmPrekey => 1,
            Kind::Olm => 2,
        });
        bytes.extend_from_slice(self.sender.as_bytes());
        bytes.extend_from_slice(&self.session);
        bytes.extend_from_slice(&self.inner);
        bytes
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`MiddleError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, MiddleError> {
        let ([version, kind], rest) = bytes.split_first_chunk::<2>().ok_or(MiddleError::Short)?;
        if *version != VERSION {
            return Err(MiddleError::UnknownVersion { got: *version });
        }
        let kind = match kind {
            1 => Kind::OlmPrekey,
            2 => Kind::Olm,
            got => return Err(MiddleError::UnknownKind { got: *got }),
        };
        let (sender, rest) = rest.split_first_chunk::<32>().ok_or(MiddleError::Short)?;
        let (session, inner) = rest.split_first_chunk::<32>().ok_or(MiddleError::Short)?;
        Ok(Self { sender: DeviceKey(*sender), kind, session: *session, inner: inner.to_vec() })
    }

    /// What is remembered of an inner ciphertext: bound to its sender, so that nobody else's counts as it.
    pub fn tag(&self) -> [u8; 16] {
        inner_tag(&self.sender, &self.inner)
    }

    /// What a retry request names: BLAKE3 of the inner ciphertext.
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(&self.inner).as_bytes()
    }
}

fn inner_tag(sender: &DeviceKey, inner: &[u8]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_derive_key("hob/1 remembered inner ciphertext");
    hasher.update(sender.as_bytes());
    hasher.update(inner);
    let mut tag = [0; 16];
    hasher.finalize_xof().fill(&mut tag);
    tag
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_middle_layer_reads_back_and_a_cut_one_is_refused() {
        let middle = Middle { sender: DeviceKey([4; 32]), kind: Kind::Olm, session: [5; 32], inner: b"inner".to_vec() };
        let bytes = middle.encode();
        assert_eq!(Middle::decode(&bytes), Ok(middle));
        for end in 0..HEADER_BYTES {
            assert_eq!(Middle::decode(&bytes[..end]), Err(MiddleError::Short), "cut at {end}");
        }
        assert_eq!(Middle::decode(&[2, 1]), Err(MiddleError::UnknownVersion { got: 2 }));
        assert_eq!(Middle::decode(&[1, 3]), Err(MiddleError::UnknownKind { got: 3 }));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_middle_layer_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = Middle::decode(&bytes);
        }
    }
}
