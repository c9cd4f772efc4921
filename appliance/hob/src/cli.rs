//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::config::flags::{AllFlags, DataFlag, GivenFlags};
use crate::config::value::parse_duration;

const EXAMPLES: &str = "\
Examples:
  See it work, in this terminal, on data that is thrown away:
    hob demo

  Run a box. The first start shows an invitation for the first member:
    hob serve
    hob serve --data /srv/hob --listen [::]:8443 --address box.example:8443

  Let more people in, see who is here, take somebody out:
    hob invite --expires 2h
    hob members
    hob revoke 3f2a99c0

  Look after it:
    hob status
    hob doctor                        of a box that runs or is stopped; says what to do
    hob compact                       destroys what need not be kept, now instead of later
    hob restart                       in place, as the program that lies at its path now
    hob verify-log                    of a box that is stopped
    hob backup box.hob-backup         what lasts of it, sealed; `hob restore` makes a box of that
    hob config example > hob.toml && hob config check --config hob.toml

Exit codes:
  0  done
  1  it could not be done; the last line on stderr says what to do
  2  something was typed or set that is not possible; nothing was touched";

/// A relay box that a household or a small organisation owns: carries sealed messages between members' devices, keeps
/// what cannot be delivered yet for at most six hours, and forgets it.
#[derive(Debug, Parser)]
#[command(name = "hob", version, after_help = EXAMPLES, max_term_width = 110)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the box
    #[command(after_help = "\
Example:
  hob serve --data /srv/hob --address box.example:8443

On an empty folder it asks nothing: it makes its identity, its keys and one invitation, good for
24 hours, which it shows on the terminal, or puts into a private file whose name it logs.

With --ready-json, one line on stdout once connections are taken:
{\"ready\":true,\"client\":\"https://127.0.0.1:PORT\",\"identity\":hex,\"invitation\":link or null}
With metrics.listen also \"metrics\":\"http://127.0.0.1:PORT\"; with a dashboard \"admin\":\"https://127.0.0.1:PORT\",
and before that is set up \"setup_code\":twelve digits")]
    Serve(Serve),
    /// Make an invitation for one device
    #[command(after_help = "\
Example:
  hob invite --expires 2h

Without a terminal on stdout, it goes into a private file in the data folder.
With --json: {\"link\":\"hob://join/…\",\"expires\":RFC 3339}")]
    Invite(Invite),
    /// Put what lasts of the box into one sealed file, also while it runs
    #[command(after_help = "\
Examples:
  hob backup box.hob-backup                           asks twice for a passphrase
  hob backup box.hob-backup --recovery-key            shows a key once, to be written down
  hob backup /mnt/stick/box.hob-backup --force --recovery-key-file ~/hob-recovery-key
                                                      for a timer: nobody is asked

It holds the box's identity, members, devices, hashes of tokens, and the settings' file if there is
one. It holds no message, no invitation, and no certificate or key of your own that the settings
name: messages are meant to be forgotten, and their senders' devices remember them.

Whoever has the file and its secret can be your box. The file is written whole or not at all, for
this user only. The same file again needs --force.

With --json: {\"file\":…,\"bytes\":n,\"made\":RFC 3339,\"members\":n,\"devices\":n,\"tokens\":n,\"settings\":bool}")]
    Backup(Backup),
    /// Make a box of a backup, in a new folder
    #[command(after_help = "\
Example:
  hob restore box.hob-backup --data /srv/hob && hob serve --data /srv/hob

The whole file is checked before the folder is made; the folder is made whole or not at all. Never
run the old box again: two boxes with one identity take each other's members, who are warned.

Members need not pair again: their devices find the box at the addresses they know, and if it has
none of these, `hob-chat home address` or a fresh invitation tells them. Open invitations are void.
Who joined after the backup uses a fresh invitation, and keeps contacts and history. Who was taken
out after the backup is in again: look at `hob members`.

With --json: {\"data\":…,\"identity\":hex,\"made\":RFC 3339,\"made_by\":…,\"members\":n,\"devices\":n,\"tokens\":n,
\"settings\":path or null}")]
    Restore(Restore),
    /// Show the code that opens the dashboard's set-up
    #[command(
        name = "setup-code",
        after_help = "\
It is another one after each start, and opens nothing any more once the owner has a password.

With --json: {\"setup_code\":twelve digits or null,\"dashboard\":\"ADDR:PORT\" or null}"
    )]
    SetupCode(Look),
    /// Give a keeper of the dashboard a new password
    #[command(
        name = "reset-keeper",
        after_help = "\
Examples:
  hob reset-keeper                  the owner; asks twice for the password
  hob reset-keeper bob --password-file /root/new-password

Signs that keeper out everywhere, and asks for no one-time codes any more."
    )]
    ResetKeeper(ResetKeeper),
    /// List the members and their devices
    #[command(after_help = "\
After a restore: `hob members --checked` says that whoever is listed belongs there.

With --json, one line a member: {\"member\":hex,\"label\":…,\"joined\":RFC 3339,
\"devices\":[{\"mailbox\":hex,\"kind\":\"native\"|\"web\",\"connected\":bool,\"pending\":n}]}")]
    Members(Members),
    /// Take out a member with all devices, or one device
    #[command(after_help = "\
Example:
  hob revoke 3f2a99c0               as much of the id as tells it apart
  hob revoke 3f2a99c0 --yes         without being asked")]
    Revoke(Revoke),
    /// Close the open window and compact the ledger: destroys what need not be kept
    #[command(after_help = "\
With --json: {\"generation\":n,\"records_before\":n,\"records_after\":n,\"closed_window\":n or null,
\"windows_with_body_key\":n}")]
    Compact(Look),
    /// Restart the box in place, as the program that lies at its path now: how it is upgraded
    #[command(after_help = "\
Example:
  install -m 755 hob-new /usr/bin/hob && hob restart --data /srv/hob

The new program must first tell its version and find the settings good; if it does not, the box goes
on as it is. Then connections are told to come back in a second, what was taken is made durable, and
the new program takes over the process, the service and the ports, so that no connection attempt is
refused meanwhile. SIGUSR2 does the same, and so does `systemctl reload hob`.

With --json: {\"from_version\":…,\"to_version\":…,\"connections_told\":n,\"ready_after_ms\":n}")]
    Restart(Look),
    /// Say how the box stands, in one line, and what is unusual
    #[command(after_help = "\
With --json, one object; counters run since the start: pending, pending_bytes, accepted (taken for
keeping), delivered, expired, online_only, duplicates, pushed, refused, members, devices, connected,
senders, windows, windows_with_body_key, lost_windows, damaged_records, generation, bytes_on_disk,
storing_fails, memory_bytes, uptime_s, last_stop (how the run before this one ended), last_backup and
restored_from (RFC 3339 or null),
unusual: [{\"kind\":\"token\"|\"join\"|\"proof\"|\"handshake\"|\"fetch\",\"last_hour\":n,\"day_before\":n,\"text\":…}]")]
    Status(Look),
    /// Check every record of a stopped box's log, changing nothing
    #[command(after_help = "\
Ends with 1 if anything is damaged.

With --json, one line a log:
{\"log\":…,\"records\":n,\"live\":n,\"damaged\":n,\"torn_bytes\":n,\"notes\":[…]}")]
    VerifyLog(Look),
    /// Look at everything that a box needs, and say what to do. Changes nothing
    #[command(after_help = "\
Examples:
  hob doctor                        the box of this user, running or stopped
  hob doctor --data /srv/hob        another one; as its user, or as root
  hob doctor --config /etc/hob/hob.toml --json | jq -r '.findings[] | select(.verdict != \"ok\")'

Looks at the rights of the folder and its keys, the clock and who sets it, the disk (room, file
system, wear), the ports (a running box is really connected to), open files, memory, the
certificate, the log, and the service. Each is one of
  ok      nothing needs to be done
  look    the box works; something weakens a promise, or will go wrong later
  WRONG   something does not work
and the line below says what to do.

Ends with 0 if all is ok, 1 if something is to be looked at, 2 if something is wrong.

With --json, one object: {\"verdict\":\"ok\"|\"look\"|\"wrong\",\"running\":bool,
\"findings\":[{\"check\":…,\"verdict\":…,\"says\":…,\"next\":… or null}]}")]
    Doctor(Doctor),
    /// Check the settings, or show them all
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Show a box at work: a real one, with real clients, on data that is thrown away
    #[command(after_help = "\
Needs hob-chat beside this program. Stays until Ctrl-C so that you can join in; with --once, or
without a terminal, it ends by itself.")]
    Demo(Demo),
}

/// `hob serve`
#[derive(Debug, Args)]
pub struct Serve {
    /// The file with the settings; none is needed
    #[arg(long, env = "HOB_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print one JSON line on stdout once connections are taken, and nothing else
    #[arg(long)]
    pub ready_json: bool,
    /// Let the box's deadlines, windows and generations run faster than time: for demonstrations only
    #[cfg(feature = "demo-clock")]
    #[arg(long)]
    pub demo_clock: bool,
    /// How much faster
    #[cfg(feature = "demo-clock")]
    #[arg(long, value_name = "N", requires = "demo_clock", default_value_t = 60,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub clock_speed: u32,
    /// Let box and wall clock be ahead by as many seconds as this file says (eight bytes), also while the box runs
    #[cfg(feature = "demo-clock")]
    #[arg(long, value_name = "FILE", requires = "demo_clock")]
    pub clock_file: Option<PathBuf>,
    #[command(flatten)]
    pub settings: AllFlags,
}

/// Where the data of a box is, for commands that speak to it.
#[derive(Debug, Args)]
pub struct Place {
    /// The file with the settings of the box
    #[arg(long, env = "HOB_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub data: DataFlag,
}

/// A command that asks one thing.
#[derive(Debug, Args)]
pub struct Look {
    /// For programs: JSON on stdout
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub place: Place,
}

/// `hob reset-keeper`
#[derive(Debug, Args)]
pub struct ResetKeeper {
    /// The keeper's name; without it: the owner
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// The password stands on the first line of this file
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    #[command(flatten)]
    pub place: Place,
}

/// `hob members`
#[derive(Debug, Args)]
pub struct Members {
    /// After a restore: the list is right, no more reminders
    #[arg(long, conflicts_with = "json")]
    pub checked: bool,
    #[command(flatten)]
    pub look: Look,
}

/// `hob backup`
#[derive(Debug, Args)]
pub struct Backup {
    /// Where to write it
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    pub force: bool,
    /// Seal it to the passphrase on the first line of this file
    #[arg(long, value_name = "FILE", group = "secret")]
    pub passphrase_file: Option<PathBuf>,
    /// Seal it to a fresh recovery key, and show that once on this terminal
    #[arg(long, group = "secret")]
    pub recovery_key: bool,
    /// Seal it to the recovery key in this file; makes key and file (0600) if it is not there
    #[arg(long, value_name = "FILE", group = "secret")]
    pub recovery_key_file: Option<PathBuf>,
    /// For programs: JSON on stdout
    #[arg(long, conflicts_with = "recovery_key")]
    pub json: bool,
    #[command(flatten)]
    pub place: Place,
}

/// `hob restore`
#[derive(Debug, Args)]
pub struct Restore {
    /// The backup
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The passphrase stands on the first line of this file
    #[arg(long, value_name = "FILE", group = "secret")]
    pub passphrase_file: Option<PathBuf>,
    /// The recovery key stands in this file
    #[arg(long, value_name = "FILE", group = "secret")]
    pub recovery_key_file: Option<PathBuf>,
    /// For programs: JSON on stdout
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub place: Place,
}

/// `hob invite`
#[derive(Debug, Args)]
pub struct Invite {
    /// How long it is good: 1m to 30d
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = invitation_time)]
    pub expires: Duration,
    /// For programs: JSON on stdout
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub place: Place,
}

/// `hob revoke`
#[derive(Debug, Args)]
pub struct Revoke {
    /// Id of a member or of a device's mailbox, as `hob members` shows it
    #[arg(value_name = "MEMBER|MAILBOX")]
    pub id: String,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub place: Place,
}

/// `hob config …`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check file, variables and flags as `serve` would take them
    Check(ConfigCheck),
    /// Print an example file with all settings and what holds without it
    Example,
}

/// `hob config check`
#[derive(Debug, Args)]
pub struct ConfigCheck {
    /// The file with the settings
    #[arg(long, env = "HOB_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub settings: AllFlags,
}

/// `hob doctor`
#[derive(Debug, Args)]
pub struct Doctor {
    /// The file with the settings of the box
    #[arg(long, env = "HOB_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// For programs: JSON on stdout
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub settings: AllFlags,
}

/// `hob demo`
#[derive(Debug, Args)]
pub struct Demo {
    /// End after the conversation instead of staying until Ctrl-C
    #[arg(long)]
    pub once: bool,
}

impl Place {
    /// The flags among it.
    pub const fn flags(&self) -> &GivenFlags {
        &self.data.0
    }
}

fn invitation_time(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .filter(|time| *time >= Duration::from_secs(60) && *time <= crate::control::routes::INVITATION_MAX)
        .ok_or_else(|| "an invitation is good for 1m to 30d, for example \"24h\"".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_every_command_that_takes_json_says_what_it_holds() {
        let command = Arguments::command();
        command.clone().debug_assert();
        let mut looked_at = 0;
        for sub in command.get_subcommands() {
            let takes_json = sub.get_arguments().any(|argument| argument.get_id() == "json");
            let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(!takes_json || help.contains("With --json"), "{}", sub.get_name());
            looked_at += usize::from(takes_json);
        }
        assert_eq!(looked_at, 10);
    }
}
