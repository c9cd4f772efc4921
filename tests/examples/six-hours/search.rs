//! Finds any 32 bytes of many needles, at every offset of a haystack (Rabin and Karp's rolling hash).

use std::collections::HashMap;
use std::ops::Range;

/// Needles are cut into pieces of so many bytes. Any run of twice as many holds one of them whole.
pub const PIECE: usize = 16;

const PAGE_BYTES: usize = 4096;
static ZEROS: [u8; PAGE_BYTES] = [0; PAGE_BYTES];
const BASE: u64 = 0x9e37_79b9_7f4a_7c15;
const FILTER_BITS: u32 = 24;

/// Which piece of which needle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece {
    pub needle: usize,
    pub at: usize,
}

pub struct Search<'a> {
    needles: Vec<&'a [u8]>,
    pieces: HashMap<u64, Piece>,
    /// Says quickly that a hash is none of them.
    filter: Vec<u64>,
    /// The base to the power of a piece's length: what the byte that leaves counts.
    leaves: u64,
}

impl<'a> Search<'a> {
    pub fn new(needles: Vec<&'a [u8]>) -> Self {
        let leaves = (0..PIECE).fold(1_u64, |power, _| power.wrapping_mul(BASE));
        let mut this = Self { needles, pieces: HashMap::new(), filter: vec![0; 1 << (FILTER_BITS - 6)], leaves };
        for needle in 0..this.needles.len() {
            let bytes = this.needles[needle];
            let mut pieces = Vec::new();
            this.roll(bytes, |at, hash| {
                if at.is_multiple_of(PIECE) {
                    pieces.push((at, hash));
                }
            });
            for (at, hash) in pieces {
                this.pieces.insert(hash, Piece { needle, at });
                let bit = hash >> (64 - FILTER_BITS);
                this.filter[usize::try_from(bit >> 6).unwrap()] |= 1 << (bit & 63);
            }
        }
        this
    }

    fn roll(&self, bytes: &[u8], mut piece: impl FnMut(usize, u64)) {
        let mut hash = 0_u64;
        for (at, &byte) in bytes.iter().enumerate() {
            // One more than the byte, so that zeros count.
            hash = hash.wrapping_mul(BASE).wrapping_add(u64::from(byte) + 1);
            if at >= PIECE {
                hash = hash.wrapping_sub((u64::from(bytes[at - PIECE]) + 1).wrapping_mul(self.leaves));
            }
            if at + 1 >= PIECE {
                piece(at + 1 - PIECE, hash);
            }
        }
    }

    /// Every offset at which a piece of a needle stands, with which piece.
    pub fn find(&self, haystack: &[u8]) -> Vec<(usize, Piece)> {
        let mut found = Vec::new();
        for written in written(haystack) {
            self.find_in(haystack, written, &mut found);
        }
        found
    }

    fn find_in(&self, haystack: &[u8], range: Range<usize>, found: &mut Vec<(usize, Piece)>) {
        let from = range.start;
        self.roll(&haystack[range], |at, hash| {
            let at = from + at;
            let bit = hash >> (64 - FILTER_BITS);
            if self.filter[usize::try_from(bit >> 6).unwrap()] & (1 << (bit & 63)) == 0 {
                return;
            }
            let Some(&piece) = self.pieces.get(&hash) else { return };
            if self.needles[piece.needle][piece.at..piece.at + PIECE] == haystack[at..at + PIECE] {
                found.push((at, piece));
            }
        });
    }
}

/// The ranges whose pages are not all zeros, which nothing that we look for is.
pub fn written(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (number, page) in bytes.chunks(PAGE_BYTES).enumerate() {
        if page == &ZEROS[..page.len()] {
            continue;
        }
        let begin = number * PAGE_BYTES;
        let end = begin + page.len();
        match ranges.last_mut() {
            Some(last) if last.end == begin => last.end = end,
            _ => ranges.push(begin..end),
        }
    }
    ranges
}
