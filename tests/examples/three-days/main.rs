//! Three days in the life of three members with five devices and two boxes, in a minute: real processes, and a clock that
//! jumps. Prints the story and ends with an error where a message is not on every screen that it is for exactly once.
//!
//! `tests/recipes/three-days` builds the demo boxes that it needs and runs it.
//!
//! # Layout
//! - [`stage`]: boxes, devices, the clock, and the account of who has read what. [`story`]: the chapters.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a simulation: where something is not as it must be, it ends there and says what"
)]

mod stage;
mod story;

fn main() {
    let mut stage = stage::Stage::set();
    story::play(&mut stage);
    stage.finish();
}
