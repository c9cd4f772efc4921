//! What the keeper asks of a running box, over a Unix socket in the data folder that only the box's user can open.
//!
//! # Layout
//! - [`socket`]: the socket's file, also where its path is longer than the system's 107 bytes.
//! - [`routes`]: what is answered; [`wire`]: the shape of questions and answers, in JSON.
//! - [`metrics`]: the figures in Prometheus' text format.
//! - [`client`]: the other side, for `hob invite` and its sisters.

pub mod client;
pub mod metrics;
pub mod routes;
pub mod socket;
pub mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hob_protocol::address::Address;
use hob_protocol::ids::{InvitationId, InvitationSecret};
use hob_protocol::invitation::Invitation;
use hob_relay::admin::{Answer, Ask};
use hob_relay::keeping::By;
use tokio::sync::Notify;

use crate::addresses;
use crate::again::Program;
use crate::control::wire::Restarting;
use crate::engine::Engine;
use crate::net::witness::Watch;

/// What the answers need.
#[derive(Clone)]
pub struct Control {
    /// The running relay.
    pub engine: Engine,
    /// Addresses that the keeper set.
    pub set_addresses: Arc<[Address]>,
    /// Where members reach the box.
    pub listening_on: SocketAddr,
    /// Where figures are served besides the control socket.
    pub metrics: Option<SocketAddr>,
    /// How this run came about.
    pub start: Arc<StartStory>,
    /// What is unusual.
    pub watch: Arc<Watch>,
    /// The program that it was started as.
    pub program: Arc<Program>,
    /// Somebody wants the box to restart in place, and what lies at its path is good.
    pub again: Arc<Notify>,
    /// Somebody on the dashboard wants the box to stop.
    pub stop: Arc<Notify>,
    /// Or to forget everything and begin anew.
    pub reset: Arc<Notify>,
    /// The box goes down.
    pub stopping: Arc<AtomicBool>,
}

/// How a run came about.
#[derive(Debug, Clone, Default)]
pub struct StartStory {
    /// How the run before it ended, in words.
    pub last_stop: String,
    /// The service manager opened the ports.
    pub activated: bool,
    /// A random number, another one for each start.
    pub run: u64,
}

/// The box did not do what the keeper asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    /// There is no such member, device or invitation.
    #[error("there is none such; `hob members` lists members and their mailboxes")]
    NotFound,
    /// The disk refuses.
    #[error("the box cannot store anything at the moment, so nothing was done: look at `hob status` and the disk")]
    CannotStore,
    /// The box goes down.
    #[error("the box is going down")]
    Stopping,
}

impl Control {
    /// Asks the rules.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn ask(&self, ask: Ask) -> Result<Answer, NotDone> {
        match self.engine.ask(ask).await {
            Ok(Answer::NotFound) => Err(NotDone::NotFound),
            Ok(Answer::CannotStore) => Err(NotDone::CannotStore),
            Ok(answer) => Ok(answer),
            Err(_) => Err(NotDone::Stopping),
        }
    }

    /// Makes an invitation; it is durable when this returns.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn invite(&self, by: By, expires_in: Duration) -> Result<Invitation, NotDone> {
        match self.ask(Ask::Noted { by, ask: Box::new(Ask::Invite { expires_in }) }).await? {
            Answer::Invited { invitation, secret, expires_at_s } => {
                Ok(self.invitation(invitation, secret, expires_at_s))
            }
            _ => Err(NotDone::CannotStore),
        }
    }

    /// What is shown of an invitation.
    pub fn invitation(&self, id: InvitationId, secret: InvitationSecret, expires_at_s: u64) -> Invitation {
        let (box_identity, addresses) = (self.engine.identity().public, self.addresses());
        Invitation { id, secret, box_identity, addresses, expires_at_s }
    }

    /// Where members reach the box now: the network may have changed since the start.
    pub fn addresses(&self) -> Vec<Address> {
        addresses::of_box(&self.set_addresses, self.listening_on)
    }

    /// Restarts the box in place, if what lies at its path can take over. Returns before it does.
    ///
    /// # Errors
    /// What is wrong with the program there, in words.
    pub async fn restart(&self) -> Result<Restarting, String> {
        let Ok(Answer::Status(status)) = self.ask(Ask::Status).await else {
            return Err(NotDone::Stopping.to_string());
        };
        let to_version = self.program_is_good().await?;
        self.again.notify_one();
        Ok(Restarting {
            run: self.start.run,
            from_version: env!("CARGO_PKG_VERSION").to_owned(),
            to_version,
            connections: status.owners_connected + status.others_connected,
        })
    }

    /// The version of the program that would take over.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub async fn program_is_good(&self) -> Result<String, String> {
        let program = Arc::clone(&self.program);
        let checked = tokio::task::spawn_blocking(move || program.check()).await.map_err(|error| error.to_string())?;
        checked.map_err(|error| crate::failure::chain(&error))
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}
