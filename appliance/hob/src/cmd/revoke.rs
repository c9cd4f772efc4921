//! `hob revoke`: takes a member or a device out.

use std::io::{self, IsTerminal as _, Write as _};

use crate::cli::Revoke;
use crate::cmd::{data_of, say};
use crate::control::client;
use crate::control::wire::{Device, Done, Member, RevokeOrder};
use crate::failure::Failure;
use crate::show;

/// Fewer digits name anybody.
const DIGITS_MIN: usize = 4;

/// Shows what will happen, asks, and does it.
///
/// # Errors
/// No box runs, nobody or more than one is meant, or the keeper says no.
pub fn run(args: &Revoke) -> Result<(), Failure> {
    let data = data_of(&args.place)?;
    let members: Vec<Member> = client::get(&data, "/v1/members")?;
    let meant = find(&members, &args.id.to_lowercase()).map_err(Failure::usage)?;
    if !args.yes && !confirmed(&meant)? {
        return Err(Failure::because("nothing was done"));
    }
    let _: Done = client::post(&data, "/v1/revoke", &meant.order())?;
    say("done")
}

#[derive(Debug)]
enum Meant<'a> {
    Member(&'a Member),
    Device(&'a Member, &'a Device),
}

fn find<'a>(members: &'a [Member], id: &str) -> Result<Meant<'a>, String> {
    if id.len() < DIGITS_MIN {
        return Err(format!("{DIGITS_MIN} digits of an id are the least; `hob members` shows them"));
    }
    let mut found = Vec::new();
    for member in members {
        if member.member.starts_with(id) {
            found.push(Meant::Member(member));
        }
        let devices = member.devices.iter().filter(|device| device.mailbox.starts_with(id));
        found.extend(devices.map(|device| Meant::Device(member, device)));
    }
    let several = found.len() > 1;
    match found.pop() {
        Some(one) if !several => Ok(one),
        Some(_) => Err("more than one id begins so: type more of it".to_owned()),
        None => Err("no member and no mailbox has this id; `hob members` lists them".to_owned()),
    }
}

impl Meant<'_> {
    fn order(&self) -> RevokeOrder {
        match self {
            Self::Member(member) => RevokeOrder::Member(member.member.clone()),
            Self::Device(_, device) => RevokeOrder::Mailbox(device.mailbox.clone()),
        }
    }

    fn what_happens(&self) -> String {
        let (who, devices, waiting) = match self {
            Self::Member(member) => (
                format!("member {} ({})", show::plain(&member.label), member.member),
                member.devices.len(),
                member.devices.iter().map(|device| u64::from(device.pending)).sum(),
            ),
            Self::Device(member, device) => (
                format!("a device of {} ({})", show::plain(&member.label), device.mailbox),
                1,
                u64::from(device.pending),
            ),
        };
        format!(
            "This takes out {who}.\n\
             {devices} mailbox(es) are closed, and {waiting} waiting envelope(s) are destroyed with them.\n\
             It closes the mailbox only: contacts still hold this device's keys until its owner's other devices\n\
             tell them otherwise. To come back, the device needs a new invitation."
        )
    }
}

fn confirmed(meant: &Meant<'_>) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage("there is nobody to ask: add --yes to revoke without being asked"));
    }
    say(&meant.what_happens())?;
    let mut stdout = io::stdout().lock();
    let asked = write!(stdout, "Type yes to do it: ").and_then(|()| stdout.flush());
    asked.map_err(|error| Failure::of(&error))?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|error| Failure::of(&error))?;
    Ok(answer.trim() == "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, mailboxes: &[&str]) -> Member {
        Member {
            member: id.to_owned(),
            label: "ada\u{202e}".to_owned(),
            joined: String::new(),
            devices: mailboxes
                .iter()
                .map(|mailbox| Device {
                    mailbox: (*mailbox).to_owned(),
                    kind: "native".to_owned(),
                    connected: false,
                    pending: 3,
                })
                .collect(),
        }
    }

    #[test]
    fn an_id_that_could_mean_two_takes_nobody_out() {
        let members = [member("aaaa1", &["bbbb1", "bbbb2"]), member("aaaa2", &["aaaa3"])];
        assert!(matches!(find(&members, "aaaa1"), Ok(Meant::Member(_))));
        assert!(matches!(find(&members, "bbbb2"), Ok(Meant::Device(..))));
        for unclear in ["aaaa", "bbbb", "aaa", "cccc", ""] {
            assert!(find(&members, unclear).is_err(), "{unclear:?}");
        }
    }

    #[test]
    fn the_question_says_what_is_lost_and_shows_the_label_escaped() {
        let member = member("aaaa1", &["bbbb1", "bbbb2"]);
        let text = Meant::Member(&member).what_happens();
        assert!(text.contains("6 waiting") && text.contains("ada\\u{202e}"), "{text}");
    }
}
