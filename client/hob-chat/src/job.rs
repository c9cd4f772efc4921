//! What is meant: a command with everything that it needs from the place where it was typed (files, stdin), so that any
//! process that has the profile open can do it.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hob_client::command::TEXT_BYTES_MAX;
use hob_protocol::contact::ContactCode;
use hob_protocol::device_code::DeviceCode;
use hob_protocol::invitation::Invitation;
use hob_protocol::revocation::Revocation;
use serde::{Deserialize, Serialize};

use crate::cli::{Command, ContactCommand, DeviceCommand, HomeCommand, PeopleCommand, RequestCommand};
use crate::error::ChatError;
use crate::picture;

/// Far more than a recovery sheet has.
const SHEET_BYTES_MAX: u64 = 64 << 10;

/// A command, ready to be done.
///
/// Texts in it are as they were typed. It goes over the profile's socket, so it has no `Debug`: messages stay out of logs.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Job {
    Join {
        link: String,
        name: String,
    },
    ContactShow {
        bare: bool,
    },
    ContactAdd {
        code: String,
        name: String,
        replace: bool,
    },
    /// Where the home box is, as typed; `None`: only to be shown.
    Home {
        address: Option<String>,
    },
    Codes,
    RevokeCode {
        which: String,
    },
    ContactRevoked {
        certificate: String,
    },
    Rename {
        name: String,
        new_name: String,
    },
    Remove {
        name: String,
    },
    Block {
        name: String,
    },
    Unblock {
        name: String,
    },
    DeviceAdd {
        bare: bool,
    },
    DeviceJoin {
        code: String,
        name: String,
    },
    DeviceList,
    DeviceRename {
        name: String,
        new_name: String,
    },
    DeviceRemove {
        name: String,
    },
    DeviceSheet {
        to: Option<PathBuf>,
    },
    DeviceRecover {
        sheet: String,
    },
    Contacts,
    Requests,
    Accept {
        id: String,
        name: Option<String>,
    },
    Refuse {
        id: String,
    },
    Verify {
        name: String,
        confirm: bool,
    },
    Send {
        to: String,
        text: String,
        ttl: Option<Duration>,
        view_once: bool,
        strict: bool,
        reply_to: Option<String>,
        wait: Duration,
    },
    Receive {
        follow: bool,
        notify: bool,
        wait: Duration,
    },
    History {
        name: String,
        last: usize,
    },
    Export {
        name: String,
    },
    Status,
    Forget,
    /// A full screen in another process: only ever handed over.
    Screen,
}

impl Job {
    /// Reads what the command needs from this process's files and stdin.
    ///
    /// # Errors
    /// A picture or a text that cannot be read, or a "no" to the question that `forget` asks.
    pub fn resolve(command: Command, profile: &Path) -> Result<Self, ChatError> {
        Ok(match command {
            Command::Join { link, name } if DeviceCode::is_meant(&link) => {
                let name = if name == "member" { "device".to_owned() } else { name };
                Self::about_devices(DeviceCommand::Join { code: link, name })?
            }
            Command::Join { link, name } => {
                let link = code_or_picture(link, "hob://join/")?;
                // Looked at here already: a link that was cut makes no profile.
                Invitation::parse(&link)?;
                Self::Join { link, name }
            }
            Command::Contact(ContactCommand::Show { code }) => Self::ContactShow { bare: code },
            Command::Contact(ContactCommand::Add { code, name, replace }) => {
                let code = code_or_picture(code, "hob://contact/")?;
                ContactCode::parse(&code)?;
                Self::ContactAdd { code, name, replace }
            }
            Command::Contact(ContactCommand::People(command)) => Self::about_people(command)?,
            Command::Device(command) => Self::about_devices(command)?,
            Command::Contacts => Self::Contacts,
            Command::Requests => Self::Requests,
            Command::Request(RequestCommand::Accept { id, name }) => Self::Accept { id, name },
            Command::Request(RequestCommand::Refuse { id }) => Self::Refuse { id },
            Command::Verify { name, confirm } => Self::Verify { name, confirm },
            Command::Send { to, text, ttl, view_once, strict, reply_to, wait } => {
                let text = text.map_or_else(text_from_stdin, Ok)?;
                Self::Send { to, text, ttl, view_once, strict, reply_to, wait }
            }
            Command::Receive { follow, notify, wait } => Self::Receive { follow, notify, wait },
            Command::History { name, last } => Self::History { name, last },
            Command::Export { name } => Self::Export { name },
            Command::Status => Self::Status,
            Command::Home { command } => {
                let address = command.map(|HomeCommand::Address { address }| address.to_string());
                Self::Home { address }
            }
            Command::Completions { .. } | Command::Man { .. } | Command::Open { .. } => {
                return Err(ChatError::NeedsNoProfile);
            }
            Command::Forget { yes } => {
                if !yes {
                    crate::cmd::forget::ask(profile)?;
                }
                Self::Forget
            }
        })
    }

    fn about_people(command: PeopleCommand) -> Result<Self, ChatError> {
        Ok(match command {
            PeopleCommand::Codes => Self::Codes,
            PeopleCommand::Revoke { code } => Self::RevokeCode { which: code },
            PeopleCommand::Revoked { certificate, yes } => {
                // Looked at here already: nobody is asked about one that was cut.
                Revocation::parse(&certificate.concat())?;
                if !yes {
                    crate::cmd::people::ask_revoked()?;
                }
                Self::ContactRevoked { certificate: certificate.concat() }
            }
            PeopleCommand::Rename { name, new_name } => Self::Rename { name, new_name },
            PeopleCommand::Remove { name, yes } => {
                if !yes {
                    crate::cmd::people::ask(&name)?;
                }
                Self::Remove { name }
            }
            PeopleCommand::Block { name } => Self::Block { name },
            PeopleCommand::Unblock { name } => Self::Unblock { name },
        })
    }

    fn about_devices(command: DeviceCommand) -> Result<Self, ChatError> {
        Ok(match command {
            DeviceCommand::Add { code } => Self::DeviceAdd { bare: code },
            DeviceCommand::Join { code, name } => {
                let code = code_or_picture(code, "hob://device/")?;
                // Looked at here already: a code that was cut makes no profile.
                DeviceCode::parse(&code)?;
                Self::DeviceJoin { code, name }
            }
            DeviceCommand::List => Self::DeviceList,
            DeviceCommand::Rename { name, new_name } => Self::DeviceRename { name, new_name },
            DeviceCommand::Sheet { to } => {
                // Another process may do it, from another folder.
                let to = to.map(std::path::absolute).transpose().map_err(|source| ChatError::ReadStdin { source })?;
                Self::DeviceSheet { to }
            }
            DeviceCommand::Recover { sheet } => {
                let sheet = match sheet.as_os_str() == "-" {
                    true => text_from_stdin()?,
                    false => sheet_from_file(&sheet)?,
                };
                Self::DeviceRecover { sheet }
            }
            DeviceCommand::Remove { name, yes } => {
                if !yes {
                    crate::cmd::device::ask(&name)?;
                }
                Self::DeviceRemove { name }
            }
        })
    }

    /// Whether the command starts a profile where there is none.
    pub const fn starts_a_profile(&self) -> bool {
        matches!(self, Self::Join { .. } | Self::DeviceJoin { .. })
    }
}

/// A code is taken as it stands; what does not look like one and is the name of a file is read as a picture.
fn code_or_picture(argument: String, scheme: &str) -> Result<String, ChatError> {
    let argument = argument.trim().to_owned();
    if argument.starts_with("hob:") {
        return Ok(argument);
    }
    let path = Path::new(&argument);
    let looks_like_a_file =
        path.extension().is_some_and(|end| ["png", "jpg", "jpeg"].iter().any(|known| end.eq_ignore_ascii_case(known)));
    if path.exists() || looks_like_a_file {
        return Ok(picture::read_code(path, scheme)?);
    }
    Ok(argument)
}

/// A recovery sheet that was typed into a file.
fn sheet_from_file(path: &Path) -> Result<String, ChatError> {
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(SHEET_BYTES_MAX).read_to_string(&mut text));
    read.map_err(|source| ChatError::ReadFile { path: path.to_owned(), source })?;
    Ok(text)
}

/// The whole of stdin without its last line break.
fn text_from_stdin() -> Result<String, ChatError> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        crate::out::stderr_line("write the message; end it with Ctrl-D");
    }
    let mut bytes = Vec::new();
    stdin
        .lock()
        .take(TEXT_BYTES_MAX as u64 + 2)
        .read_to_end(&mut bytes)
        .map_err(|source| ChatError::ReadStdin { source })?;
    let mut text = String::from_utf8(bytes).map_err(|_| ChatError::StdinNotText)?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}
