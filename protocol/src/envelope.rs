//! The envelope: sealed bytes of one of six sizes.

use std::fmt;

use bytes::Bytes;

use crate::ids::{EnvelopeId, MailboxId};
use crate::limits::ENVELOPE_SIZES;

/// Sealed bytes of exactly 2, 4, 8, 16, 32 or 64 KiB. Nothing inside can be read by a box.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope(Bytes);

/// Some bytes are no envelope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{got_bytes} bytes are no envelope: 2, 4, 8, 16, 32 or 64 KiB are taken")]
pub struct NotAnEnvelopeSize {
    /// Bytes that came.
    pub got_bytes: usize,
}

impl Envelope {
    /// Checks the size.
    ///
    /// # Errors
    /// [`NotAnEnvelopeSize`] for any but the six sizes.
    pub fn new(sealed: Bytes) -> Result<Self, NotAnEnvelopeSize> {
        if ENVELOPE_SIZES.contains(&sealed.len()) {
            Ok(Self(sealed))
        } else {
            Err(NotAnEnvelopeSize { got_bytes: sealed.len() })
        }
    }

    /// The smallest size in bytes that holds `content_bytes`, if any does.
    pub fn size_for(content_bytes: usize) -> Option<usize> {
        ENVELOPE_SIZES.into_iter().find(|size| *size >= content_bytes)
    }

    /// Its id in a mailbox.
    pub fn id_in(&self, mailbox: &MailboxId) -> EnvelopeId {
        EnvelopeId::of(mailbox, &self.0)
    }

    /// Its bytes.
    pub const fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// Its bytes, by value.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// Its size in bytes.
    #[allow(clippy::len_without_is_empty, reason = "an envelope is never empty")]
    pub const fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Envelope({} B)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_six_sizes_are_envelopes() {
        for size in ENVELOPE_SIZES {
            assert!(Envelope::new(Bytes::from(vec![0; size])).is_ok());
            assert_eq!(
                Envelope::new(Bytes::from(vec![0; size + 1])),
                Err(NotAnEnvelopeSize { got_bytes: size + 1 }),
                "one byte more"
            );
            assert!(Envelope::new(Bytes::from(vec![0; size - 1])).is_err(), "one byte less");
        }
        assert!(Envelope::new(Bytes::new()).is_err());
    }
}
