//! `hob config check` and `hob config example`.

use hob_log::OpenError;

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
            let data = config.data_folder()?;
            // What the next version is asked before it takes over: an older one may not know the folder's format.
            // Whether the folder can be read at all is not asked here: it may be another user's.
            if let Err(error @ OpenError::NewerFormat { .. }) = hob_log::check_data_format(&data) {
                return Err(Failure::of(&error));
            }
            say(&format!("good; the data folder is {}", data.display()))
        }
        ConfigCommand::Example => say(example::text().trim_end()),
    }
}
