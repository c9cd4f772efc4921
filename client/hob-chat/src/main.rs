//! `hob-chat`: the terminal client of a Hob box.
//!
//! Everything that has to do with keys, sealing, sessions and the outbox is in `hob-client`, which has no I/O; here is
//! the world around it: a command line, a folder, two kinds of connections, a terminal.
//!
//! # Layout
//! - [`cli`]: what can be typed; [`job`]: what is meant by it, ready to be done here or by another process.
//! - [`cmd`]: one file a command.
//! - [`engine`]: owns the client's core and carries out what it asks for, in order; [`net`]: the connections.
//! - [`profile`]: the folder: key, sealed state, lock.
//! - [`handover`]: a second process on a profile hands its job to the first.
//! - [`notify`]: a word to the desktop that something came.
//! - [`screen`]: the full screen.
//! - [`show`]: QR codes, times, lines; [`out`]: where they go; [`picture`]: codes read from PNG and JPEG files.
//! - [`error`]: what can go wrong, and which exit code it has.

// No panic is reachable from outside: an index that may be out of bounds is one. Generated code and tests may.
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::string_slice))]

mod cli;
mod cmd;
mod engine;
mod error;
mod handover;
mod job;
mod net;
mod notify;
mod out;
mod picture;
mod profile;
mod run;
mod screen;
mod show;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    run::run(arguments)
}
