//! The box's program from outside: what is typed, what is told, how it starts and ends.
//!
//! # Layout
//! - `running`: a box as a child process; `typed`: commands that end by themselves.
//! - `settings`: everything that can be wrong with them; `starting`: folders, keys, ports, signals.
//! - `keeping`: what the keeper asks of a running box; `telling`: the log's rule, health and figures.
//! - `damaged`: one flipped byte; `typed` also has the demo without its clients.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests may end wherever something is not as it must be")]

mod damaged;
mod keeping;
mod running;
mod settings;
mod starting;
mod telling;
mod typed;
