//! What can be typed. Parsed and then resolved into a [`Job`](crate::job::Job); nothing behind that sees a raw argument.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use hob_client::MessageId;

const EXAMPLES: &str = "\
Examples:
  Two people who were each given an invitation by their box's keeper:
    ada$ hob-chat join hob://join/AQ…      (or a picture: join invitation.png)
    ada$ hob-chat contact show --code
    bob$ hob-chat contact add hob://contact/AQ… --as ada
    bob$ hob-chat send ada \"supper at eight\"
    ada$ hob-chat receive
    bob  17:42  supper at eight

  Several people at one computer, or one who tries things out:
    hob-chat --profile ~/ada receive --follow

Exit codes:
  0  done; of `send`: delivered, or kept by the contact's box
  1  it could not be done; the last line on stderr says what to do
  2  something was typed that is no command
  3  of `send`: the message is only in this device's outbox, or was refused

What protects what:
PROFILE/state holds keys, contacts and messages, encrypted, and PROFILE/drafts what you typed and did not send. \
PROFILE/key, readable by you alone, opens both. So a copy of `state` alone is worth nothing to anyone; a copy of the whole \
folder is worth everything, unless the key is wrapped by a passphrase: `hob-chat --passphrase status` does that, and from \
then on every command asks, or reads HOB_CHAT_PASSPHRASE. \
A passphrase does not protect against somebody who watches this computer while you use it.";

/// Talk through a Hob box: sealed messages between devices, kept for at most six hours on the way.
#[derive(Debug, Parser)]
#[command(name = "hob-chat", version, after_help = EXAMPLES, max_term_width = 110)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    /// Without one: what to do first, or the whole conversation on the screen.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What every command takes.
#[derive(Debug, Args)]
pub struct Global {
    /// The folder that holds this device's key and state [default: hob-chat in the XDG data folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub profile: Option<PathBuf>,
    /// One JSON object a line on stdout; each command's --help names the fields
    #[arg(long, global = true)]
    pub json: bool,
    /// Ask for the passphrase that wraps the profile's key, or wrap it now (HOB_CHAT_PASSPHRASE gives it without asking)
    #[arg(long, global = true)]
    pub passphrase: bool,
    /// Draw the full screen with ASCII signs alone (so does HOB_CHAT_ASCII=1)
    #[arg(long, global = true)]
    pub ascii: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Join a box with an invitation: its link, or a PNG or JPEG picture of its QR code
    #[command(after_help = "\
Example:
  hob-chat join hob://join/AQ… --name ada

With --json: {\"joined\":true,\"identity\":…,\"mailbox\":…,\"name\":…,\"addresses\":[…]}")]
    Join {
        /// hob://join/… or the name of a picture file
        #[arg(value_name = "LINK")]
        link: String,
        /// What the box's keeper and your contacts see as your name
        #[arg(long, default_value = "member")]
        name: String,
    },
    /// Contact codes, and what becomes of contacts
    #[command(subcommand)]
    Contact(ContactCommand),
    /// Your own devices: add, list, remove
    #[command(subcommand)]
    Device(DeviceCommand),
    /// List the contacts
    #[command(after_help = "\
A contact is new until `verify --confirm`.

With --json, one line a contact:
  {\"name\":…, \"verified\":bool, \"new\":bool, \"answered\":bool, \"blocked\":bool, \"revoked\":bool, \"unread\":n,
   \"member\":hex, \"box\":hex, \"added_at\":RFC 3339,
   \"last_seen\":RFC 3339 or null}")]
    Contacts,
    /// List those who wrote without a code of yours
    #[command(after_help = "\
With --json, one line a request:
  {\"id\":…, \"proposed_name\":…, \"messages\":n, \"since\":RFC 3339}")]
    Requests,
    /// Accept or refuse somebody who wrote without a code of yours
    #[command(subcommand)]
    Request(RequestCommand),
    /// Show the safety number that you and a contact compare, or note that you did
    #[command(after_help = "\
Example:
  hob-chat verify bob               read the 60 digits to each other, or scan the QR code
  hob-chat verify bob --confirm     they are the same

With --json: {\"name\":…,\"digits\":…,\"verified\":bool}")]
    Verify {
        /// The contact
        name: String,
        /// The numbers are the same on both sides
        #[arg(long)]
        confirm: bool,
    },
    /// Send a message
    #[command(after_help = "\
Examples:
  hob-chat send bob \"supper at eight\"
  uptime | hob-chat send bob
  hob-chat send bob \"the code is 4711\" --ttl 10m --view-once
  hob-chat send bob \"yes\" --reply-to 3f0c…
  hob-chat send bob \"are you there?\" --strict

With --json, one line:
  {\"id\":hex, \"to\":…, \"until\":RFC 3339 or null, \"why\":text or null,
   \"status\":\"delivered\", \"kept\", \"offered\", \"outbox\", \"refused\", \"expired\",
            \"given up\" or \"nobody there\", \"sent_again\":n}")]
    Send {
        /// The contact
        to: String,
        /// The message; without it, it is read from stdin
        text: Option<String>,
        /// Gone everywhere after this time, counted from now: 30s to 14d
        #[arg(long, value_parser = parse_duration, value_name = "TIME")]
        ttl: Option<Duration>,
        /// Shown once by the receiving client, never in its history
        #[arg(long)]
        view_once: bool,
        /// Never kept by any box: passed on at once, or not delivered. Waits up to a minute for the confirmation
        #[arg(long)]
        strict: bool,
        /// The message that it answers, by its id as `history --json` and `receive --json` name it
        #[arg(long, value_name = "ID", value_parser = parse_message_id)]
        reply_to: Option<String>,
        /// How long to wait for the contact's confirmation once the box keeps the message
        #[arg(long, value_parser = parse_duration, value_name = "TIME", default_value = "1s")]
        wait: Duration,
    },
    /// Print the messages that came
    #[command(after_help = "\
Prints all that the box keeps and ends. stdout holds messages only. What cannot be seen in a message (control and bidi \
characters) is shown as \\u{202e}.

Examples:
  hob-chat receive
  hob-chat receive --follow --notify
  hob-chat receive --wait 10s --json

With --json, one line a message, its text as it was written:
  {\"from\":name, \"text\":…, \"path\":\"box\" or \"unkept\", \"sent_at\":RFC 3339, \"id\":hex,
   \"verified\":bool, \"view_once\":bool, \"expires_at\":RFC 3339 or null,
   \"reply_to\":null or {\"id\":hex, \"by\":\"received\", \"sent\" or null, \"excerpt\":…}}")]
    Receive {
        /// Stay, and print messages as they come
        #[arg(long)]
        follow: bool,
        /// Tell the desktop, too, where it has a notification service: who wrote, never what
        #[arg(long, requires = "follow")]
        notify: bool,
        /// If nothing is kept, wait this long for the first message
        #[arg(long, value_parser = parse_duration, value_name = "TIME", default_value = "0s")]
        wait: Duration,
    },
    /// Open the full screen, with a contact's conversation or with the list (so does `hob-chat` alone)
    #[command(after_help = "\
F1 shows all keys. Needs a terminal; signs are plain ASCII where the locale is not UTF-8, and NO_COLOR is respected.

There is no --json: `receive --follow --json` and `send --json` are for programs.")]
    Open {
        /// The contact
        name: Option<String>,
        /// While another window has the keyboard, tell the desktop who wrote, never what
        #[arg(long)]
        notify: bool,
    },
    /// Show the last messages with a contact
    #[command(after_help = "\
With --json, one line a message, the oldest first:
  {\"contact\":name, \"direction\":\"received\" or \"sent\", \"text\":…, \"path\":\"box\" or \"unkept\",
   \"sent_at\":RFC 3339, \"id\":hex, \"expires_at\":RFC 3339 or null,
   \"reply_to\":as in `receive`,
   \"status\":\"delivered\", \"kept\", \"offered\", \"outbox\", \"refused\", \"expired\",
            \"given up\" or \"nobody there\", \"sent_again\":n}
`devices`: where the contact has several, those that confirmed it, or the one that wrote it.")]
    History {
        /// The contact
        name: String,
        /// How many
        #[arg(long, default_value_t = 20, value_name = "N")]
        last: usize,
    },
    /// Print the whole conversation with a contact as Markdown
    #[command(after_help = "\
Everything that this device still has: expired and view-once messages are not in it. The file is as readable as you \
make it: who finds it reads it.

Example:
  hob-chat export bob > bob.md

With --json, one line: {\"name\":…, \"messages\":n, \"markdown\":…}")]
    Export {
        /// The contact
        name: String,
    },
    /// Show box, connection, outbox and contacts
    #[command(after_help = "\
With --json, one line:
  {\"box\":hex, \"addresses\":[…], \"name\":…, \"mailbox\":hex,
   \"online\":bool, \"why_offline\":text or null, \"unconfirmed\":n,
   \"in_outbox\":n, \"unread\":n, \"contacts\":n, \"requests\":n, \"messages\":[…]}
`messages` are those that are not confirmed yet or were given up lately, as `history --json` names them. `unconfirmed` messages are not confirmed by the contact's device yet; of these, `in_outbox` are with no box either.")]
    Status,
    /// Print a script that completes commands in your shell
    #[command(after_help = "\
Examples:
  hob-chat completions bash > ~/.local/share/bash-completion/completions/hob-chat
  hob-chat completions zsh > ~/.zfunc/_hob-chat
  hob-chat completions fish > ~/.config/fish/completions/hob-chat.fish

--json changes nothing here.")]
    Completions {
        /// Which shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Write the manual pages, one for each command
    #[command(after_help = "\
Example:
  hob-chat man ~/.local/share/man/man1 && man hob-chat-send

With --json, one line a page: {\"page\":path}")]
    Man {
        /// The folder; it is made where it is missing
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Show where your box is, or say where it is now
    #[command(after_help = "\
Examples:
  hob-chat home
  hob-chat home address box.example:8443
  hob-chat join hob://join/AQ…          (any invitation of the same box says it, too, and is not used up)

A wrong address costs time only: whoever answers there has to prove that it is your box. Contacts on other boxes are told \
by themselves, sealed, once the box has signed where it is.

With --json: {\"box\":hex, \"addresses\":[…], \"online\":bool, \"why_offline\":text or null}")]
    Home {
        #[command(subcommand)]
        command: Option<HomeCommand>,
    },
    /// Wipe this profile: key, contacts, messages, all of it
    #[command(after_help = "\
The key file is overwritten before it is removed, so that what is left of the state on the disk opens no more (flash \
media may keep old blocks all the same). What is in the outbox is never sent. The box forgets this device only when its \
keeper revokes it.

With --json: {\"forgotten\":true}")]
    Forget {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// `contact …`
#[derive(Debug, Subcommand)]
pub enum ContactCommand {
    /// Make a fresh contact code and show it, as QR code on a terminal
    #[command(after_help = "\
The code is for one person's device and is to be used within 24 hours.

With --json: {\"code\":\"hob://contact/…\",\"use_before\":RFC 3339}")]
    Show {
        /// The bare code alone
        #[arg(long)]
        code: bool,
    },
    /// Add who showed this code: the code itself, or a PNG or JPEG picture of it
    #[command(after_help = "\
Example:
  hob-chat contact add hob://contact/AQ… --as bob

With --json: {\"name\":…,\"verified\":false}")]
    Add {
        /// hob://contact/… or the name of a picture file
        #[arg(value_name = "CODE")]
        code: String,
        /// What you call them
        #[arg(long = "as", value_name = "NAME")]
        name: String,
        /// The contact of this name lost everything: the code takes the old keys' place, and gets what waits for them
        #[arg(long)]
        replace: bool,
    },
    #[command(flatten)]
    People(PeopleCommand),
}

/// What may be done with contacts, in `contact …` too.
#[derive(Debug, Subcommand)]
pub enum PeopleCommand {
    /// List the codes that you showed and that nobody has used yet
    #[command(after_help = "\
With --json, one line a code: {\"id\":…, \"made_at\":RFC 3339, \"use_before\":RFC 3339}")]
    Codes,
    /// Withdraw a code that you showed and that nobody has used yet
    #[command(after_help = "\
Example:
  hob-chat contact codes
  hob-chat contact revoke 3f9a01c2

With --json: {\"revoked\":id}")]
    Revoke {
        /// Its id, as listed by `contact codes`, or the code itself
        #[arg(value_name = "CODE")]
        code: String,
    },
    /// Take a contact's revocation certificate: all their devices were lost or are in wrong hands
    #[command(after_help = "\
It is on the recovery sheet of that contact, who gives it to you by any way. Nothing goes to their devices any more, nothing \
that those send is taken, and what waits for them ends; the conversation stays. A fresh code of theirs, added under the same \
name, makes you contacts again (--replace where they begin with a new profile and no recovery sheet). Your own other devices \
are not told: take it on each.

Example:
  hob-chat contact revoked hob://revoked/AQ…

With --json: {\"revoked\":name}")]
    Revoked {
        /// The certificate; spaces and line breaks in it do no harm
        #[arg(required = true, value_name = "CERTIFICATE")]
        certificate: Vec<String>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Call a contact something else; nobody is told
    #[command(after_help = "With --json: {\"name\":new name}")]
    Rename {
        /// What you call them now
        name: String,
        /// What you will call them
        new_name: String,
    },
    /// Forget a contact and the whole conversation; they are not told
    #[command(after_help = "\
What waits for them is not sent any more, and your box refuses what they still send. Only a new code makes you contacts \
again. `export` keeps the conversation as a file.

With --json: {\"removed\":name}")]
    Remove {
        /// The contact
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Take nothing more from a contact and send them nothing; they are not told
    #[command(after_help = "\
The conversation stays. Your box refuses what they send, as it does with everybody who has no token.

With --json: {\"blocked\":name}")]
    Block {
        /// The contact
        name: String,
    },
    /// Take messages of a blocked contact again
    #[command(after_help = "\
Your next message brings their device a new token; until then they cannot write to you.

With --json: {\"unblocked\":name}")]
    Unblock {
        /// The contact
        name: String,
    },
}

/// `device …`
#[derive(Debug, Subcommand)]
pub enum DeviceCommand {
    /// Show a device code, and wait until a new device of yours has used it
    #[command(after_help = "\
Only the device that holds your member key can do this: your first one. The code is good once, for an hour. Whoever \
uses it reads your messages from then on, so show it to nobody. It waits until the new device is in your list; Ctrl-C \
ends the waiting, and the code stays good: the device is then added while `receive` runs here.

Example:
  phone$  hob-chat device add --code
  laptop$ hob-chat device join hob://device/AQ… --name laptop

With --json, two lines: {\"code\":\"hob://device/…\",\"use_before\":RFC 3339 or null}, and at the end {\"added\":name}")]
    Add {
        /// The bare code alone
        #[arg(long)]
        code: bool,
    },
    /// Make this new profile a device of the member who shows this code
    #[command(after_help = "\
The device that shows the code must be running (`device add` waits for it), or be started while this waits.

With --json: {\"joined\":true,\"paired\":bool,\"device\":name,\"mailbox\":…,\"contacts\":n}")]
    Join {
        /// hob://device/… or the name of a picture file
        #[arg(value_name = "CODE")]
        code: String,
        /// What this device is called, for you and your contacts
        #[arg(long, default_value = "device")]
        name: String,
    },
    /// List your devices
    #[command(after_help = "\
With --json, one line a device: {\"name\":…,\"device\":hex,\"this\":bool}")]
    List,
    /// Call a device of yours something else; contacts see it
    #[command(after_help = "With --json: {\"name\":new name}")]
    Rename {
        /// What it is called now
        name: String,
        /// What it will be called
        new_name: String,
    },
    /// Print the recovery sheet: your member key on paper, in three parts
    #[command(after_help = "\
With all three parts, any device of yours can get the member key back (`device recover`), and remove a lost one. Each \
sheet stays good as long as your member key.

Example:
  hob-chat device sheet --to sheet.txt      a file that only you can read: print it, then delete it

With --json: {\"sheet\":text}, or with --to: {\"file\":path}")]
    Sheet {
        /// Write it to a new file for your eyes only (0600), instead of the terminal
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Give this device the member key of a recovery sheet
    #[command(after_help = "\
On a device of yours, or on a new profile that has joined. Type lines K1 to K4, A and B of the sheet; spaces and capitals \
do not matter.

With --json: {\"recovered\":true,\"devices\":[names]}")]
    Recover {
        /// The file that holds the lines, or - for stdin
        #[arg(value_name = "FILE")]
        sheet: PathBuf,
    },
    /// Remove a device of yours: contacts take nothing of it any more
    #[command(after_help = "\
Nothing is wiped on the removed device: its history stays there. Its mailbox stays, too, until the keeper closes it \
(`hob revoke`); nothing is sealed to it any more.

With --json: {\"removed\":name}")]
    Remove {
        /// Its name, as listed by `device list`
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// `home …`
#[derive(Debug, Subcommand)]
pub enum HomeCommand {
    /// Note the address where the box is now; the one that it says of itself is kept beside it
    #[command(after_help = "With --json: as `home`")]
    Address {
        /// HOST:PORT
        #[arg(value_name = "HOST:PORT", value_parser = hob_protocol::address::Address::parse)]
        address: hob_protocol::address::Address,
    },
}

/// `request …`
#[derive(Debug, Subcommand)]
pub enum RequestCommand {
    /// Make them a contact
    #[command(after_help = "With --json: {\"name\":…,\"verified\":false}")]
    Accept {
        /// As listed by `requests`
        id: String,
        /// What you call them; without it, what they propose
        #[arg(long = "as", value_name = "NAME")]
        name: Option<String>,
    },
    /// Drop their messages, now and later; they are not told
    #[command(after_help = "With --json: {\"refused\":id}")]
    Refuse {
        /// As listed by `requests`
        id: String,
    },
}

/// Checks an id of 32 hex digits.
fn parse_message_id(text: &str) -> Result<String, String> {
    match MessageId::from_hex(text) {
        Some(id) => Ok(id.to_string()),
        None => Err("a message's id has 32 hex digits; `history --json` names it".to_owned()),
    }
}

/// Reads "10m", "1s", "500ms", "2h", "7d". A number alone is refused: it could mean anything.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    const HINT: &str = "write a number and a unit: 500ms, 30s, 10m, 2h or 7d";
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: u64 = number.parse().map_err(|_| HINT.to_owned())?;
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(HINT.to_owned()),
    };
    number
        .checked_mul(unit_ms)
        .filter(|ms| *ms <= 366 * 86_400_000)
        .map(Duration::from_millis)
        .ok_or_else(|| "more than a year is too long".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_every_command_says_what_its_json_holds() {
        let command = Arguments::command();
        command.clone().debug_assert();
        let mut leaves = Vec::new();
        collect(&command, &mut leaves);
        assert!(leaves.len() >= 13, "every command is looked at");
        for leaf in leaves {
            let help = leaf.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("--json"), "{} documents its JSON", leaf.get_name());
        }
    }

    fn collect<'a>(command: &'a clap::Command, leaves: &mut Vec<&'a clap::Command>) {
        for sub in command.get_subcommands() {
            if sub.has_subcommands() {
                collect(sub, leaves);
            } else {
                leaves.push(sub);
            }
        }
    }

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!(parse_duration("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(parse_duration("0s"), Ok(Duration::ZERO));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        for bad in ["10", "", "m", "-1s", "1 s", "1y", "99999999999999999999s", "400d"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
