//! `hob members`: who is here.

use crate::cli::Members;
use crate::cmd::{data_of, say, say_json};
use crate::control::client;
use crate::control::wire::Member;
use crate::failure::Failure;
use crate::{notes, show};

/// Lists members and devices.
///
/// # Errors
/// No box runs.
pub fn run(args: &Members) -> Result<(), Failure> {
    let data = data_of(&args.look.place)?;
    if args.checked {
        let was_restored = notes::members_are_checked(&data).map_err(|error| Failure::of(&error))?;
        return say(if was_restored { "no more reminders" } else { "nothing was to be checked" });
    }
    let members: Vec<Member> = client::get(&data, "/v1/members")?;
    if args.look.json {
        return members.iter().try_for_each(say_json);
    }
    if let Some(restored) = notes::restored(&data) {
        say(&restored.reminder())?;
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
