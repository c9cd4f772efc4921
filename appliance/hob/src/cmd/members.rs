//! `hob members`: who is here.

use crate::cli::Look;
use crate::cmd::{data_of, say, say_json};
use crate::control::client;
use crate::control::wire::Member;
use crate::failure::Failure;
use crate::show;

/// Lists members and devices.
///
/// # Errors
/// No box runs.
pub fn run(args: &Look) -> Result<(), Failure> {
    let data = data_of(&args.place)?;
    let members: Vec<Member> = client::get(&data, "/v1/members")?;
    if args.json {
        return members.iter().try_for_each(say_json);
    }
    if members.is_empty() {
        return say("nobody yet; `hob invite` makes an invitation");
    }
    for member in &members {
        say(&format!("{}  {}  since {}", member.member, show::plain(&member.label), member.joined))?;
        for device in &member.devices {
            say(&format!(
                "  mailbox {}  {}, {}, {} waiting",
                device.mailbox,
                device.kind,
                if device.connected { "connected" } else { "away" },
                device.pending
            ))?;
        }
    }
    Ok(())
}
