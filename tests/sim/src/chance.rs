//! Chance that can be had again: everything random in a world comes from its seed.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// A stream of chance. Streams of one seed do not disturb each other: who draws more from one leaves the others as they are.
pub struct Chance(pub ChaCha8Rng);

impl Chance {
    /// The stream of a seed with this name and number.
    pub fn new(seed: u64, stream: &str, number: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&number.to_le_bytes());
        for (to, from) in key[16..].iter_mut().zip(stream.bytes()) {
            *to = from;
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `end`; 0 if there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number().checked_rem(end).unwrap_or(0)
    }

    /// A place in a list of this length.
    pub fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// A number from `first` to `last`, both included.
    pub fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last.saturating_sub(first).saturating_add(1))
    }

    /// True once in `times`.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// A length between the two, short ones as likely as long ones: each doubling has the same chance.
    pub fn length(&mut self, shortest: u64, longest: u64) -> u64 {
        let doublings = u64::from((longest / shortest.max(1)).max(1).ilog2());
        let least = shortest << self.between(0, doublings);
        self.between(least, (least * 2).min(longest.max(least)))
    }

    /// 32 bytes.
    pub fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}
