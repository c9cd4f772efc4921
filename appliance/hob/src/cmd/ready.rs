//! Tells that the box is ready: the service manager, a program, or a person.

use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;
use std::path::Path;

use hob_protocol::invitation::Invitation;
use serde::Serialize;

use crate::addresses;
use crate::admin::code;
use crate::cmd::{say, say_json};
use crate::control::Control;
use crate::failure::Failure;
use crate::service;
use crate::show::{self, Shown};

/// The line of `--ready-json`. Later versions only add fields.
#[derive(Debug, Serialize)]
struct ReadyLine {
    ready: bool,
    client: String,
    identity: String,
    invitation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    admin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    setup_code: Option<String>,
}

/// What there is to tell.
pub struct Ready<'a> {
    /// The running box.
    pub control: &'a Control,
    /// Its data folder.
    pub data: &'a Path,
    /// The first start's invitation.
    pub invitation: Option<&'a Invitation>,
    /// Where figures are served, if they are.
    pub metrics: Option<SocketAddr>,
    /// Where the dashboard is, if there is one.
    pub admin: Option<SocketAddr>,
    /// What opens its set-up, before that is done.
    pub set_up_code: Option<String>,
    /// A program reads stdout.
    pub as_json: bool,
}

impl Ready<'_> {
    /// Tells everybody.
    ///
    /// # Errors
    /// stdout is gone, or the invitation cannot be written.
    pub fn tell(&self) -> Result<(), Failure> {
        if self.as_json {
            say_json(&self.line())?;
        } else {
            self.tell_person()?;
        }
        service::ready(self.control.listening_on.port());
        tracing::info!(port = self.control.listening_on.port(), "ready");
        Ok(())
    }

    fn dashboard(&self) -> Option<String> {
        self.admin.map(|address| format!("https://{}", addresses::from_here(address)))
    }

    fn line(&self) -> ReadyLine {
        ReadyLine {
            ready: true,
            client: format!("https://{}", addresses::from_here(self.control.listening_on)),
            identity: self.control.engine.identity().public.to_string(),
            invitation: self.invitation.map(Invitation::to_link),
            metrics: self.metrics.map(|address| format!("http://{address}")),
            admin: self.dashboard(),
            setup_code: self.set_up_code.clone().filter(|_| self.admin.is_some()),
        }
    }

    fn tell_person(&self) -> Result<(), Failure> {
        if let Some(invitation) = self.invitation
            && let Shown::InFile(path) = show::invitation(self.data, invitation).map_err(|error| Failure::of(&error))?
        {
            tracing::info!(file = %path.display(), "an invitation for the first member is in this file");
        }
        if !io::stdout().is_terminal() {
            return Ok(());
        }
        let reached_at: Vec<String> = self.control.addresses().iter().map(ToString::to_string).collect();
        say(&format!(
            "The box is ready. Members reach it at {}\nIts data is in {}. Stop it with Ctrl-C.",
            reached_at.join(", "),
            self.data.display()
        ))?;
        let Some(dashboard) = self.dashboard() else { return Ok(()) };
        say(&match &self.set_up_code {
            Some(code) => format!("Set it up at {dashboard} with the code {}", code::grouped(code)),
            None => format!("Its dashboard is at {dashboard}"),
        })
    }
}
