//! The anti-forensic splitter: a secret spread over 128 KiB so that losing any block of it loses the secret.
//!
//! A flash card seldom overwrites in place; what it keeps of an old slot is a page here and there. One stripe that is
//! really gone is enough.
//!
//! # Source
//! The construction is AFsplit of LUKS (Fruhwirth, "TKS1 - An anti-forensic, two level, and iterated key setup scheme",
//! section 2.4), with BLAKE3 as the diffusing function.

use std::io;

use zeroize::{Zeroize, Zeroizing};

use crate::files::FileLayer;

/// Bytes of the secret.
pub const SECRET_BYTES: usize = 32;

/// Bytes over which it is spread.
pub const SPREAD_BYTES: usize = 128 * 1024;

const STRIPES: usize = SPREAD_BYTES / SECRET_BYTES;

/// Spreads a secret over these [`SPREAD_BYTES`]. All stripes but the last are random; the last is the secret, masked by
/// all others.
///
/// # Errors
/// If the system has no random bytes, or there is no room for the last stripe.
pub fn split(files: &dyn FileLayer, secret: &[u8; SECRET_BYTES], spread: &mut [u8]) -> io::Result<()> {
    let stripes = spread.get_mut(..SPREAD_BYTES - SECRET_BYTES).ok_or(io::ErrorKind::InvalidInput)?;
    files.fill_random(stripes)?;
    let mut mask = mask_of(spread);
    for ((out, secret), mask) in spread.iter_mut().skip(SPREAD_BYTES - SECRET_BYTES).zip(secret).zip(&mask) {
        *out = secret ^ mask;
    }
    mask.zeroize();
    Ok(())
}

/// Puts a secret together again. Whatever was changed in `spread` changes it unrecognisably.
pub fn merge(spread: &[u8]) -> Zeroizing<[u8; SECRET_BYTES]> {
    let mut secret = Zeroizing::new([0; SECRET_BYTES]);
    let mut mask = mask_of(spread);
    let last = spread.iter().skip(SPREAD_BYTES - SECRET_BYTES);
    for ((out, last), mask) in secret.iter_mut().zip(last).zip(&mask) {
        *out = last ^ mask;
    }
    mask.zeroize();
    secret
}

/// Diffuses all stripes but the last.
fn mask_of(spread: &[u8]) -> [u8; SECRET_BYTES] {
    let mut diffused = [0; SECRET_BYTES];
    for (number, stripe) in spread.chunks_exact(SECRET_BYTES).take(STRIPES - 1).enumerate() {
        for (byte, stripe) in diffused.iter_mut().zip(stripe) {
            *byte ^= stripe;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"hob/1 splitter");
        hasher.update(&(number as u64).to_le_bytes());
        hasher.update(&diffused);
        diffused = *hasher.finalize().as_bytes();
    }
    diffused
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::RealFiles;

    fn spread() -> Vec<u8> {
        let mut spread = vec![0; SPREAD_BYTES];
        split(&RealFiles, &[7; 32], &mut spread).unwrap();
        spread
    }

    #[test]
    fn a_secret_that_was_spread_comes_together_again() {
        assert_eq!(*merge(&spread()), [7; 32]);
    }

    #[test]
    fn one_bit_that_is_gone_anywhere_takes_the_whole_secret_with_it() {
        let spread = spread();
        for at in (0..SPREAD_BYTES - SECRET_BYTES).step_by(4999) {
            let mut torn = spread.clone();
            torn[at] ^= 1;
            let merged = merge(&torn);
            let wrong_bits: u32 = merged.iter().map(|byte| (byte ^ 7).count_ones()).sum();
            assert!((64..192).contains(&wrong_bits), "byte {at} changed {wrong_bits} of 256 bits");
        }
    }

    #[test]
    fn the_same_secret_is_never_spread_the_same_way() {
        assert_ne!(spread(), spread());
    }
}
