//! One-time codes of an app: TOTP (RFC 6238) over HMAC-SHA-1 with six digits and thirty seconds, which is what apps know.
//!
//! Thirty lines over the hash that is in the house already, instead of a crate that brings older ones.

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

/// Bytes of a secret: as many as the hash has (RFC 4226, section 4).
pub const SECRET_BYTES: usize = 20;

const STEP_S: u64 = 30;

/// The code of a moment.
fn code_at(secret: &[u8], step: u64) -> Option<u32> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).ok()?;
    mac.update(&step.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    // RFC 4226, section 5.3.
    let at = usize::from(hash.last()? & 0xf);
    let four: [u8; 4] = hash.get(at..at + 4)?.try_into().ok()?;
    Some((u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000)
}

/// The step of thirty seconds in which a typed code is good: this one, the one before or after it (RFC 6238, section 5.2).
/// A code is good once, so the caller remembers the step.
pub fn step_of(secret: &[u8], typed: &str, unix_s: u64) -> Option<u64> {
    let typed: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
    if typed.len() != 6 || !typed.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let now = unix_s / STEP_S;
    (now.saturating_sub(1)..=now + 1).find(|step| {
        let code = code_at(secret, *step).map(|code| format!("{code:06}")).unwrap_or_default();
        // Hashes compare in constant time.
        blake3::hash(code.as_bytes()) == blake3::hash(typed.as_bytes())
    })
}

/// The secret as apps take it when it is typed.
pub fn shown(secret: &[u8]) -> String {
    BASE32_NOPAD.encode(secret)
}

/// What apps scan.
pub fn link(secret: &[u8], box_name: &str, keeper: &str) -> String {
    let escaped = |text: &str| crate::admin::form::escaped(text).replace('/', "%2F");
    let (issuer, account) = (escaped(box_name), escaped(keeper));
    format!("otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}", shown(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, SHA-1, the last six of eight digits.
    const SECRET: &[u8] = b"12345678901234567890";

    #[test]
    fn codes_are_those_of_the_rfc() {
        for (unix_s, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
        {
            assert_eq!(step_of(SECRET, code, unix_s), Some(unix_s / 30), "{unix_s}");
        }
    }

    #[test]
    fn a_code_is_good_half_a_minute_early_and_late_and_no_longer() {
        for (late_s, good) in [(0, true), (30, true), (61, false)] {
            assert_eq!(step_of(SECRET, "287 082", 59 + late_s).is_some(), good, "{late_s} s late");
        }
        assert_eq!(step_of(SECRET, "287082", 29), Some(1));
        for bad in ["", "28708", "2870822", "28708x", "287083"] {
            assert_eq!(step_of(SECRET, bad, 59), None, "{bad}");
        }
    }
}
