//! `hob invite`: makes an invitation.

use hob_protocol::invitation::Invitation;

use crate::cli::Invite;
use crate::cmd::{data_of, say, say_json};
use crate::control::client;
use crate::control::wire::{InviteOrder, Invited};
use crate::failure::Failure;
use crate::show::{self, Shown};

/// Asks the running box and shows what it made.
///
/// # Errors
/// No box runs, it refuses, or the invitation cannot be shown.
pub fn run(args: &Invite) -> Result<(), Failure> {
    let data = data_of(&args.place)?;
    let order = InviteOrder { expires_in_s: args.expires.as_secs() };
    let invited: Invited = client::post(&data, "/v1/invite", &order)?;
    if args.json {
        return say_json(&invited);
    }
    let invitation = Invitation::parse(&invited.link).map_err(|error| Failure::of(&error))?;
    match show::invitation(&data, &invitation).map_err(|error| Failure::of(&error))? {
        Shown::OnTerminal => Ok(()),
        Shown::InFile(path) => say(&format!("the invitation is in {}", path.display())),
    }
}
