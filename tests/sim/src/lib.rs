//! The simulation: real boxes' rules and real clients over a made-up network, disk and clock, on one thread, from one seed.
//!
//! A [`plan`] is made from the seed and says who lives in a [`world`] and what happens when. The world carries it out, and
//! keeps [`books`] and [`letters`] of what must be true. What goes wrong is shrunk and told in words.
//!
//! # Layout
//! - [`chance`]: everything random. [`plan`]: worlds from seeds.
//! - [`world`]: the queue of events, and all that happens in it.
//! - [`the_box`]: the rules over a log, with the engine's part played; [`store`]: the seam to the log.
//! - [`books`]: what boxes promise; [`letters`]: what people are promised.
//! - [`sealing`]: real, or by a stand-in. [`shrink`]: a smaller world that fails alike. `sabotage`: planted faults, found.

pub mod books;
pub mod chance;
pub mod letters;
pub mod plan;
#[cfg(feature = "sabotage")]
pub mod sabotage;
pub mod sealing;
pub mod shrink;
pub mod store;
pub mod the_box;
pub mod world;
