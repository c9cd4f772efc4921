//! Whole-system tests: the real `hob`, the real `hob-chat`, a module per promise.
//!
//! # Layout
//! - `promises`: what users buy.
//! - `hostile`: bad input and bad days.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on stops"
)]

mod hostile;
mod promises;
