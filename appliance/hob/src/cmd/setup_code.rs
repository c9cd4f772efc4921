//! `hob setup-code`: what opens the dashboard's set-up.

use crate::admin::code::grouped;
use crate::cli::Look;
use crate::cmd::{data_of, say, say_json};
use crate::control::client;
use crate::control::wire::SetupCode;
use crate::failure::Failure;

/// Asks the running box and shows it.
///
/// # Errors
/// No box runs, or there is nothing to set up.
pub fn run(args: &Look) -> Result<(), Failure> {
    let found: SetupCode = client::get(&data_of(&args.place)?, "/v1/setup-code")?;
    if args.json {
        return say_json(&found);
    }
    match (found.setup_code, found.dashboard) {
        (Some(code), Some(dashboard)) => say(&format!("{}\nType it at https://{dashboard}", grouped(&code))),
        (Some(_), None) => Err(Failure::because(
            "the box runs without a dashboard: choose where it listens with admin.listen, and restart the box",
        )),
        (None, _) => Err(Failure::because(
            "the dashboard is set up already: sign in there, or give a keeper a new password with `hob reset-keeper`",
        )),
    }
}
