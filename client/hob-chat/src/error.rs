//! What can go wrong, sorted by who must act: who typed it, who looks after this computer, who keeps the box.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hob_client::{CommandError, Refusal, StateError};
use hob_protocol::printed::PrintedError;

use crate::net::NetError;
use crate::picture::PictureError;
use crate::profile::ProfileError;

/// How a command that could be done ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As asked.
    Fine,
    /// The message is in the outbox only, or was refused: exit code 3.
    NotWithTheBox,
}

impl Ending {
    /// Its exit code.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::NotWithTheBox => 3,
        }
    }
}

/// A command could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    // Who typed it.
    /// The core refused it.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// An invitation or a contact code that is none.
    #[error(transparent)]
    Code(#[from] PrintedError),
    /// A picture without a code.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// Bytes on stdin that are no text.
    #[error("what came on stdin is no UTF-8 text: messages are text; files come with a later version")]
    StdinNotText,
    /// A command that no other process can do.
    #[error("this command needs no profile: run it by itself")]
    NeedsNoProfile,
    /// A recovery sheet could not be read.
    #[error("cannot read {}", hob_client::display::escape_line(&path.display().to_string()))]
    ReadFile {
        /// Which file.
        path: std::path::PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A secret is not printed where a program could keep it unasked.
    #[error("the recovery sheet is printed to a terminal only: use --to FILE, or --json")]
    NeedsTerminal,
    /// A manual page could not be written.
    #[error("cannot write {}", hob_client::display::escape_line(&path.display().to_string()))]
    WriteFile {
        /// Which file or folder.
        path: std::path::PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The question was not answered with yes.
    #[error("nothing was done: answer yes, or use --yes")]
    NotConfirmed,

    // Who looks after this computer.
    /// The profile's folder.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The state could not be made durable; nothing that depends on it left this device.
    #[error("nothing more was sent, because what must be remembered could not be written; make room and try again")]
    NotSaved(#[source] Arc<ProfileError>),
    /// The state inside it.
    #[error("the profile's state was opened and cannot be understood")]
    State(#[from] StateError),
    /// Reading the message failed.
    #[error("cannot read the message from stdin")]
    ReadStdin {
        /// The cause.
        source: io::Error,
    },
    /// Writing the answer failed.
    #[error("cannot write to stdout")]
    Output {
        /// The cause.
        source: io::Error,
    },
    /// The terminal went away, or is none.
    #[error("this terminal cannot be used for the full screen: every command works without it, see --help")]
    Terminal {
        /// The cause.
        source: io::Error,
    },
    /// The runtime did not start.
    #[error("this computer refuses what the program needs to run")]
    Runtime {
        /// The cause.
        source: io::Error,
    },
    /// The profile is in use and its process does not answer.
    #[error(
        "another hob-chat{} uses this profile and did not answer within {} s: wait for it, or end it",
        pid.map(|pid| format!(" (process {pid})")).unwrap_or_default(),
        waited.as_secs()
    )]
    InUse {
        /// The other process, where it is known.
        pid: Option<u32>,
        /// How long it was asked.
        waited: Duration,
    },
    /// The other process ended while it did this.
    #[error(
        "the hob-chat that had taken over this command ended before it was done: see `hob-chat status`, then try again"
    )]
    OtherEnded,
    /// Two programs on one profile.
    #[error(
        "version {} of hob-chat uses this profile, this is another one: end it first",
        hob_client::display::escape_line(version)
    )]
    OtherVersion {
        /// The other's.
        version: String,
    },
    /// Ctrl-C, or the system goes down.
    #[error("interrupted; what was saved is safe, and the next command goes on with it")]
    Interrupted,
    /// `forget` was called meanwhile.
    #[error("this profile was wiped by `forget`: join a box again")]
    Forgotten,

    // Who keeps the box.
    /// No connection.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The box refused.
    #[error("the box refused: {why}")]
    Refused {
        /// Why, with the next step.
        why: Refusal,
    },
    /// The box is not the pinned one; what happened was said already.
    #[error("nothing was sent: the box at this address is not the one this device knows; ask its keeper what happened")]
    WrongBox,
    /// The box did not do its part in time.
    #[error("the box answers, but did not {what} within {} s: try again, and tell its keeper if it stays so", waited.as_secs())]
    TooSlow {
        /// What was waited for.
        what: &'static str,
        /// How long.
        waited: Duration,
    },
}

impl ChatError {
    /// 2 for what was typed wrongly, else 1.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Command(
                CommandError::BadName { .. }
                | CommandError::EmptyText
                | CommandError::TextTooLong { .. }
                | CommandError::BadTtl { .. },
            )
            | Self::StdinNotText => 2,
            _ => 1,
        }
    }

    /// The text and its causes, each once, on one line, safe to show.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        hob_client::display::escape_line(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_names_what_a_stranger_wrote_shows_it_escaped() {
        let error = ChatError::from(CommandError::NoSuchContact { name: "bob\u{1b}[2J\n".to_owned() });
        assert!(!error.chain().chars().any(char::is_control), "{:?}", error.chain());
        assert_eq!(error.exit_code(), 1);
    }

    #[test]
    fn what_was_typed_wrongly_has_an_exit_code_of_its_own() {
        assert_eq!(ChatError::from(CommandError::EmptyText).exit_code(), 2);
    }
}
