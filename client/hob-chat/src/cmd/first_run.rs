//! `hob-chat` without a command where nobody has joined a box yet: five lines that say what to do.

use std::process::ExitCode;

use clap::CommandFactory;

use crate::cli::Arguments;
use crate::error::ChatError;
use crate::out::Out;
use crate::profile::Folder;

const FIRST_STEPS: &str = "\
hob-chat sends sealed messages through a Hob box: a small relay that somebody you know keeps at home.
1. Ask the box's keeper for an invitation: a link that begins with hob://join/, or a picture of its QR code.
2. hob-chat join LINK --name YOU          (this device is a member of the box from then on)
3. hob-chat contact show                  (a friend adds this code; or: hob-chat contact add CODE --as FRIEND)
4. hob-chat send FRIEND \"hello\"           (and then `hob-chat` alone shows your conversations; --help tells the rest)";

/// Says what to do first; where somebody has joined already, what can be done.
pub fn run(folder: &Folder, out: &Out) -> Result<ExitCode, ChatError> {
    if folder.holds_a_profile() {
        out.line(&Arguments::command().render_help().to_string())?;
    } else {
        out.line(FIRST_STEPS)?;
    }
    Ok(ExitCode::SUCCESS)
}
