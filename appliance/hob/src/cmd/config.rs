//! `hob config check` and `hob config example`.

use crate::cli::ConfigCommand;
use crate::cmd::say;
use crate::config::{Config, example};
use crate::failure::Failure;

/// Checks or shows the settings; touches nothing.
///
/// # Errors
/// A setting is not possible.
pub fn run(which: &ConfigCommand) -> Result<(), Failure> {
    match which {
        ConfigCommand::Check(args) => {
            let config = Config::load(args.config.as_deref(), &args.settings.0)?;
            say(&format!("good; the data folder is {}", config.data_folder()?.display()))
        }
        ConfigCommand::Example => say(example::text().trim_end()),
    }
}
