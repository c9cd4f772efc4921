//! A disk that loses what was not synced, and real boxes on it.
//!
//! # Layout
//! - [`disk`]: files, folders and names in memory, each as it is now and as it was synced; [`cut`]: what a power cut leaves.
//! - [`faults`]: what goes wrong, and when: no room, a bad medium, read-only, slow, and the cut itself.
//! - [`mount`]: the disk as a file system, by FUSE.
//! - [`house`]: a box on such a disk, and the people who use it; [`account`]: what was promised to them; [`load`]: senders
//!   and owners at work; [`check`]: whether the promises were kept.
//!
//! `examples/powercut` and `examples/disk-faults` are the proofs; the recipes of the same names run them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a proof that cannot go on stops and says where"
)]
#![allow(clippy::cast_possible_truncation, reason = "offsets within a page")]

pub mod account;
pub mod check;
pub mod cut;
pub mod disk;
pub mod faults;
pub mod house;
pub mod load;
pub mod mount;
#[cfg(test)]
mod tests;
