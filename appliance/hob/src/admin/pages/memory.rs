//! `/memory`: windows, generations, compacting, verifying.

use std::sync::atomic::{AtomicU64, Ordering};

/// What the last reading of all records found.
#[derive(Debug, Default)]
pub struct Verifying {
    version: AtomicU64,
}

impl Verifying {
    /// Differs when something changed.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }
}
