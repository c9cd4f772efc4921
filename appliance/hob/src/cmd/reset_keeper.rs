//! `hob reset-keeper`: a new password for whoever forgot theirs, from the machine itself.

use crate::cli::ResetKeeper;
use crate::cmd::{data_of, say};
use crate::control::client;
use crate::control::wire::{Done, ResetOrder};
use crate::failure::Failure;
use crate::secret;

/// Asks for the password and orders the running box to take it.
///
/// # Errors
/// No box runs, there is no such keeper, or the password cannot be had.
pub fn run(args: &ResetKeeper) -> Result<(), Failure> {
    let data = data_of(&args.place)?;
    let password = secret::new_password(args.password_file.as_deref()).map_err(|error| Failure::of(&error))?;
    let order = ResetOrder { name: args.name.clone().unwrap_or_default(), password: password.to_string() };
    let _: Done = client::post(&data, "/v1/reset-keeper", &order)?;
    say("The password is changed; whoever was signed in with the old one is not any more.")
}
