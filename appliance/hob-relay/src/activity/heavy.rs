//! The heaviest places in bounded memory: "space-saving" (Metwally, Agrawal, El Abbadi: Efficient Computation of Frequent
//! and Top-k Elements in Data Streams, 2005).
//!
//! A new place that finds no room takes over the lightest entry with its count: so a count may be too high, by at most
//! what was taken over, and a place that made more than one part in [`PLACES_MAX`] of the total is always there.

/// Places that are told apart.
const PLACES_MAX: usize = 32;

#[derive(Debug, Clone, Copy)]
struct Entry {
    place: u64,
    count: u32,
    /// Of the count, what others may have made.
    over: u32,
}

/// How much came, and from where most of it.
#[derive(Debug, Default)]
pub struct Heavy {
    total: u64,
    entries: Vec<Entry>,
    has_dropped: bool,
}

impl Heavy {
    /// Something came from a place.
    pub fn add(&mut self, place: u64) {
        self.total += 1;
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.place == place) {
            entry.count = entry.count.saturating_add(1);
            return;
        }
        if self.entries.len() < PLACES_MAX {
            if self.entries.len() == self.entries.capacity() {
                // Doubling would end beyond the bound.
                self.entries.reserve_exact(if self.entries.is_empty() { 1 } else { PLACES_MAX - self.entries.len() });
            }
            self.entries.push(Entry { place, count: 1, over: 0 });
            return;
        }
        self.has_dropped = true;
        if let Some(lightest) = self.entries.iter_mut().min_by_key(|entry| entry.count) {
            *lightest = Entry { place, count: lightest.count.saturating_add(1), over: lightest.count };
        }
    }

    /// How much came.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Whether every place that anything came from is told apart.
    pub const fn knows_all(&self) -> bool {
        !self.has_dropped
    }

    /// The places, each with how much surely came from it.
    pub fn places(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.entries.iter().map(|entry| (entry.place, u64::from(entry.count - entry.over)))
    }

    /// What one takes at most, in bytes.
    pub const fn bytes_max() -> usize {
        size_of::<Self>() + PLACES_MAX * size_of::<Entry>()
    }

    #[cfg(test)]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.entries.capacity() * size_of::<Entry>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_made_a_tenth_of_a_million_others_is_there_and_not_counted_too_low() {
        let mut heavy = Heavy::default();
        for other in 0..1_000_000_u64 {
            heavy.add(other + 10);
            if other % 9 == 0 {
                heavy.add(1);
            }
        }
        assert_eq!(heavy.total(), 1_000_000 + 111_112);
        let entry = heavy.entries.iter().find(|entry| entry.place == 1).unwrap();
        assert!(entry.count >= 111_112, "{entry:?}");
        assert!(heavy.places().all(|(_, at_least)| at_least <= 111_112), "what is sure is never too high");
        assert!(!heavy.knows_all() && heavy.memory_bytes() <= Heavy::bytes_max());
    }
}
