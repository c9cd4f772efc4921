//! `hob`: the box.
//!
//! # Layout
//! - `cli`: what can be typed; `cmd`: one file a command; `config`: the keeper's settings.
//! - `engine`: the one owner of the relay's rules; `clock`: the clocks under it.
//! - `net`: what strangers reach; `control`: what the keeper asks over a socket in the data folder.
//! - `admin`: the keeper's dashboard.
//! - `identity`: the box's keys; `folder`: the data folder and private files; `last_stop`: how the last run ended;
//!   `notes`: when it was backed up, and restored from what; `secret`: passphrases and recovery keys.
//! - `addresses`: where the box can be reached; `show`: how an invitation is shown.
//! - `service`: the service manager and its watchdog; `sockets`: ports that it opened, or that outlive a program; `again`:
//!   restarting in place.
//! - `logging`: the log on stderr; `failure`: how a command ends that cannot do its work.

// No panic is reachable from outside: an index that may be out of bounds is one. Generated code and tests may.
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::string_slice))]

mod addresses;
#[expect(clippy::result_large_err, reason = "an early answer is an answer like any other: no handler should unbox it")]
mod admin;
mod again;
mod cli;
mod clock;
mod cmd;
mod config;
mod control;
mod engine;
mod failure;
mod folder;
mod identity;
mod last_stop;
mod logging;
mod net;
mod notes;
mod secret;
mod service;
mod show;
mod sockets;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    logging::plain_faults();
    match cmd::run(cli::Arguments::parse().command) {
        Ok(code) => code,
        Err(failure) => failure.tell(),
    }
}
