//! Planted faults, for the checks' own sake: a check that has never failed proves nothing.
//!
//! A place in the product asks [`planted!`](crate::planted) whether its fault is switched on. Without the feature
//! `sabotage` the answer is the constant `false` and not even the name is left in the program; nothing in a member's
//! normal dependencies names the feature. With it, one fault at a time is switched on: by [`plant`] for the thread that
//! asks, so that simulations of different faults may run side by side, or by the variable `HOB_TEST_SABOTAGE` for a whole
//! process.

use std::cell::Cell;
use std::sync::OnceLock;

thread_local! {
    static PLANTED: Cell<Option<&'static str>> = const { Cell::new(None) };
}

static EVERYWHERE: OnceLock<Option<String>> = OnceLock::new();

/// Switches one fault on for this thread, or off again.
pub fn plant(name: Option<&'static str>) {
    PLANTED.set(name);
}

/// Whether this fault is the one that is switched on.
pub fn is_planted(name: &str) -> bool {
    let everywhere = EVERYWHERE.get_or_init(|| std::env::var("HOB_TEST_SABOTAGE").ok());
    PLANTED.get() == Some(name) || everywhere.as_deref() == Some(name)
}
