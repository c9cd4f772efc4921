//! Padding: hidden inside the sealed plaintext, so that only the six sizes can be seen.

use zeroize::Zeroizing;

/// Bytes of the length before the content.
pub const LENGTH_BYTES: usize = 4;

/// What was opened is not padded as it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the padding is not as it must be")]
pub struct BadPadding;

/// `length (4 B, little-endian) || content || zeros`, `to_bytes` in all; `None` if it does not fit.
pub fn pad(content: &[u8], to_bytes: usize) -> Option<Zeroizing<Vec<u8>>> {
    if content.len() + LENGTH_BYTES > to_bytes {
        return None;
    }
    let mut padded = Zeroizing::new(Vec::with_capacity(to_bytes));
    padded.extend_from_slice(&u32::try_from(content.len()).ok()?.to_le_bytes());
    padded.extend_from_slice(content);
    padded.resize(to_bytes, 0);
    Some(padded)
}

/// Takes the content out.
///
/// # Errors
/// [`BadPadding`] if the length does not fit or anything but zeros follows: there is no place to hide bytes in.
pub fn unpad(padded: &[u8]) -> Result<&[u8], BadPadding> {
    let (length, rest) = padded.split_first_chunk::<LENGTH_BYTES>().ok_or(BadPadding)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| BadPadding)?;
    let (content, zeros) = rest.split_at_checked(length).ok_or(BadPadding)?;
    if zeros.iter().all(|byte| *byte == 0) { Ok(content) } else { Err(BadPadding) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_can_be_hidden_in_the_padding() {
        let mut padded = pad(b"tea", 16).unwrap();
        assert_eq!(unpad(&padded), Ok(&b"tea"[..]));
        *padded.last_mut().unwrap() = 1;
        assert_eq!(unpad(&padded), Err(BadPadding));
    }

    #[test]
    fn a_length_beyond_the_end_is_refused() {
        assert_eq!(unpad(&[5, 0, 0, 0, 1]), Err(BadPadding));
        assert_eq!(unpad(&[0xff; 8]), Err(BadPadding));
        assert_eq!(unpad(&[0; 3]), Err(BadPadding));
        assert!(pad(&[1; 13], 16).is_none());
    }

    proptest! {
        #[test]
        fn what_was_padded_comes_out_again(content in proptest::collection::vec(any::<u8>(), 0..200)) {
            let padded = pad(&content, 204).unwrap();
            prop_assert_eq!(unpad(&padded), Ok(&content[..]));
        }
    }
}
