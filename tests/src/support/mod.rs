//! What the whole-system tests and the benches share: a real box as a process, and a client that speaks frames.
//!
//! # Layout
//! - [`boxes`]: starts, kills and asks `hob` processes. [`chance`]: choices from a seed.
//! - [`wire`]: one connection, frame by frame, well-behaved or not.
//! - [`people`]: devices with keys that join, grant and prove.
//! - [`chat`]: runs `hob-chat`.
//! - [`http`]: JSON over HTTP, and devices that speak it.
//! - [`clock`]: a wall clock that the tests set; [`held`]: a disk that hangs.
//! - [`dashboard`]: a browser without a screen, and a keeper who uses it.
//! - [`measure`]: what a process cost: CPU, memory, bytes written.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    missing_docs,
    reason = "a test that cannot go on stops"
)]

pub mod boxes;
pub mod chance;
pub mod chat;
pub mod clock;
pub mod dashboard;
pub mod held;
pub mod http;
pub mod measure;
pub mod people;
pub mod wire;
