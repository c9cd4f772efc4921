//! One file a command.
//!
//! # Layout
//! - [`serve`]: runs the box; `listen` opens its ports, `ready` tells that it is.
//! - [`backup`], [`restore`]: what lasts of a box in a file, and a box from it.
//! - [`invite`], [`members`], [`revoke`], [`compact`], [`restart`], [`status`], [`setup_code`], [`reset_keeper`]: ask a
//!   running box.
//! - [`verify_log`]: looks at a stopped one; [`doctor`]: at everything that either needs.
//! - [`config`]: checks settings; [`demo`]: shows it all.

mod backup;
mod compact;
mod config;
mod demo;
pub mod doctor;
mod invite;
mod listen;
mod members;
mod ready;
mod reset_keeper;
mod restart;
mod restore;
mod revoke;
mod serve;
mod setup_code;
mod status;
mod verify_log;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use crate::cli::{Command, Place};
use crate::config::Config;
use crate::control::client::AskError;
use crate::failure::Failure;

/// Runs a command.
///
/// # Errors
/// It could not be done.
pub fn run(command: Command) -> Result<ExitCode, Failure> {
    let done = |()| ExitCode::SUCCESS;
    match command {
        Command::Serve(args) => serve::run(&args).map(done),
        Command::Invite(args) => invite::run(&args).map(done),
        Command::SetupCode(args) => setup_code::run(&args).map(done),
        Command::ResetKeeper(args) => reset_keeper::run(&args).map(done),
        Command::Members(args) => members::run(&args).map(done),
        Command::Revoke(args) => revoke::run(&args).map(done),
        Command::Compact(args) => compact::run(&args).map(done),
        Command::Backup(args) => backup::run(&args).map(done),
        Command::Restore(args) => restore::run(&args).map(done),
        Command::Restart(args) => restart::run(&args).map(done),
        Command::Status(args) => status::run(&args).map(done),
        Command::VerifyLog(args) => verify_log::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Config(which) => config::run(&which).map(done),
        Command::Demo(args) => demo::run(&args).map(done),
    }
}

/// The data folder that a command speaks about.
fn data_of(place: &Place) -> Result<PathBuf, Failure> {
    Ok(Config::load(place.config.as_deref(), place.flags())?.data_folder()?)
}

/// A line of the answer on stdout.
fn say(line: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::because(format!("cannot write the answer: {error}")))
}

/// An object of the answer on stdout, in one line.
fn say_json(object: &impl Serialize) -> Result<(), Failure> {
    let line = serde_json::to_string(object).map_err(|error| Failure::of(&error))?;
    say(&line)
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        Self::of(&error)
    }
}
