//! Safety numbers: what two people compare to know that nobody sits between them.

use hob_protocol::ids::MemberKey;
use sha2::{Digest, Sha512};

use crate::view::SafetyNumber;

const VERSION: u8 = 1;
/// Makes looking for a member key with a similar number that much dearer.
const ROUNDS: usize = 5_200;

/// 60 digits from both member keys, the same whoever asks: each key gives 30, the smaller 30 come first.
///
/// Each half is the first 30 bytes of an iterated SHA-512 over the key, six groups of 5 bytes taken modulo 100,000. That
/// is the construction of libsignal's numeric fingerprint, with a context of our own.
pub(crate) fn safety_number(a: &MemberKey, b: &MemberKey) -> SafetyNumber {
    let mut halves = [half(a), half(b)];
    halves.sort();
    let [(first_digits, first), (second_digits, second)] = halves;
    let mut qr = vec![VERSION];
    qr.extend_from_slice(&first);
    qr.extend_from_slice(&second);
    SafetyNumber { digits: first_digits + &second_digits, qr }
}

fn half(key: &MemberKey) -> (String, [u8; 32]) {
    let mut hash: [u8; 64] =
        Sha512::new().chain_update(b"hob/1 safety number\0").chain_update(key.as_bytes()).finalize().into();
    for _ in 1..ROUNDS {
        hash = Sha512::new().chain_update(hash).chain_update(key.as_bytes()).finalize().into();
    }
    let mut digits = String::with_capacity(30);
    for group in hash.chunks_exact(5).take(6) {
        let number = group.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        digits.push_str(&format!("{:05}", number % 100_000));
    }
    let mut full = [0; 32];
    for (to, from) in full.iter_mut().zip(hash) {
        *to = from;
    }
    (digits, full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_people_read_the_same_sixty_digits() {
        let (ada, bob, eve) = (MemberKey([1; 32]), MemberKey([2; 32]), MemberKey([3; 32]));
        let number = safety_number(&ada, &bob);
        assert_eq!(number, safety_number(&bob, &ada));
        assert_eq!(number.digits.len(), 60);
        assert!(number.digits.bytes().all(|digit| digit.is_ascii_digit()));
        assert_eq!(number.qr.len(), 65);
        assert_ne!(number.digits, safety_number(&ada, &eve).digits);
        assert_eq!(number.grouped().lines().count(), 3);
    }
}
