//! Wrapped keys at every offset of the medium, and what opens them.

use std::collections::HashSet;

use hob_log::keys::BoxKey;
use hob_log::splitter::{SPREAD_BYTES, merge};

use crate::search::written;
use crate::table::{self, Wrapped};

/// Turns of the key file that are tried: it is counted up with each window, and these boxes have few.
const TURNS: u64 = 40;

/// What was found.
#[derive(Default)]
pub struct Carved {
    /// Places whose length can be a wrapped table's.
    pub candidates: usize,
    /// Slots, whole, by their first bytes.
    pub slots: usize,
    /// How often something was tried.
    pub tries: u64,
    /// Open tables.
    pub tables: HashSet<Vec<u8>>,
}

/// Looks at every offset. Tries each wrapped table with the secrets of the key file, and with the secret that lies spread
/// before it, wherever that is.
pub fn carve(medium: &[u8], box_key: &BoxKey, secrets: &[[u8; 32]]) -> Carved {
    let mut carved = Carved::default();
    // A wrapped table begins with its nonce: never in a page of zeros.
    for at in written(medium).into_iter().flatten() {
        let bytes = &medium[at..];
        if bytes.starts_with(table::MAGIC)
            && let Some((turn, secret, wrapped)) = table::slot(bytes)
        {
            carved.slots += 1;
            carved.tries += 1;
            carved.tables.extend(wrapped.open(&table::wrapping(box_key, &secret), turn));
        }
        // The upper two bytes of the length: nearly everything ends here.
        if bytes.get(26..28) != Some(&[0, 0]) || bytes.get(24..26) == Some(&[0, 0]) {
            continue;
        }
        let Some(wrapped) = Wrapped::at(bytes) else { continue };
        carved.candidates += 1;
        let before = at.checked_sub(SPREAD_BYTES).map(|from| *merge(&medium[from..at]));
        for secret in secrets.iter().copied().chain(before) {
            let key = table::wrapping(box_key, &secret);
            carved.tries += TURNS;
            carved.tables.extend((1..=TURNS).filter_map(|turn| wrapped.open(&key, turn)));
        }
    }
    carved
}
