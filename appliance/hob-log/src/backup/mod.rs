//! Backups: what lasts of a box in one sealed file, and a data folder made of it.
//!
//! A backup holds the box's identity, its settings, and of the ledger what a box needs to go on: members, devices, the
//! hashes of tokens, how far the addresses were counted. It does not hold traffic, which is meant to be forgotten; the
//! box key and the log's keys, which a new folder makes anew; bundles, which devices publish again; nor invitations,
//! which would be secrets lying about. A box that is made of it begins a new epoch.
//!
//! # Layout
//! - this file: [`Content`], what a backup says.
//! - [`header`]: the file's first 88 bytes: version, how it is locked, what that costs.
//! - [`mod@seal`]: the file as a whole: a stream of sealed chunks, and [`Sealed`], which reads it.
//! - [`records`]: what lies in the chunks.
//! - [`folder`]: reads the ledger of a stopped box, and makes a new data folder.
//! - [`error`]: what can be wrong with a file, and with making one.

pub mod error;
pub mod folder;
pub mod header;
pub mod records;
pub mod seal;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use hob_protocol::ids::RecoveryKey;
use hob_relay::clock::Checkpoint;
use hob_relay::event::{LedgerEvent, decode_ledger};
use zeroize::Zeroizing;

pub use error::BackupError;
pub use folder::{LastingLedger, build, of_stopped_box};
pub use header::{Cost, LockKind};
pub use seal::{Sealed, seal};

/// What a backup says. Its parts are whole and checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// When it was made, Unix seconds, by the clock of the computer that made it.
    pub made_at_s: u64,
    /// The version of the program that made it.
    pub made_by: String,
    /// The seed of the box's Ed25519 identity.
    pub identity_seed: Zeroizing<[u8; 32]>,
    /// The settings' file, as it was; `None`: the box had none.
    pub settings: Option<String>,
    /// What lasts of the ledger.
    pub ledger: LastingLedger,
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { made_at_s, made_by, identity_seed: _, settings, ledger } = self;
        f.debug_struct("Content")
            .field("made_at_s", made_at_s)
            .field("made_by", made_by)
            .field("has_settings", &settings.is_some())
            .field("events", &ledger.events.len())
            .finish_non_exhaustive()
    }
}

/// What opens a backup.
#[derive(Debug)]
pub enum Secret<'a> {
    /// What its keeper chose.
    Passphrase(Passphrase<'a>),
    /// What its keeper wrote down.
    RecoveryKey(&'a RecoveryKey),
}

/// A passphrase: never shown.
pub struct Passphrase<'a>(pub &'a str);

impl std::fmt::Debug for Passphrase<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("Passphrase(…)")
    }
}

impl Secret<'_> {
    /// Of which kind it is.
    pub const fn kind(&self) -> LockKind {
        match self {
            Self::Passphrase(_) => LockKind::Passphrase,
            Self::RecoveryKey(_) => LockKind::RecoveryKey,
        }
    }
}

/// How many of each a ledger holds: what a keeper is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Members.
    pub members: u64,
    /// Their devices.
    pub devices: u64,
    /// Hashes of delivery tokens.
    pub tokens: u64,
}

impl LastingLedger {
    /// Of the live events of a ledger those that a backup holds, in their order.
    pub fn of(live: Vec<Bytes>, checkpoint: Option<Checkpoint>) -> Self {
        Self { events: live.into_iter().filter(lasts).collect(), checkpoint }
    }

    /// How many of each there are.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for event in &self.events {
            match decode_ledger(event.clone()) {
                Ok(Some(LedgerEvent::Member(_))) => counts.members += 1,
                Ok(Some(LedgerEvent::Device(_))) => counts.devices += 1,
                Ok(Some(LedgerEvent::Token(_))) => counts.tokens += 1,
                _ => {}
            }
        }
        counts
    }
}

/// Whether a backup holds an event. What a newer box wrote is kept: nobody here knows what it is.
fn lasts(event: &Bytes) -> bool {
    match decode_ledger(event.clone()) {
        Ok(Some(event)) => match event {
            LedgerEvent::Member(_)
            | LedgerEvent::Device(_)
            | LedgerEvent::Token(_)
            | LedgerEvent::Addresses(_)
            | LedgerEvent::Keeper(_)
            | LedgerEvent::SetUp(_)
            | LedgerEvent::Settings(_)
            | LedgerEvent::AutomationToken(_)
            | LedgerEvent::Audit(_)
            | LedgerEvent::Suspended(_) => true,
            // Secrets that admit somebody; keys that are published again; an epoch and its losses, which end here; and
            // removals, which a live ledger does not have.
            LedgerEvent::Invitation(_)
            | LedgerEvent::InvitationRemoved(_)
            | LedgerEvent::Bundle(_)
            | LedgerEvent::BundleRemoved(_)
            | LedgerEvent::Epoch(_)
            | LedgerEvent::LostWindow(_)
            | LedgerEvent::MemberRemoved(_)
            | LedgerEvent::DeviceRemoved(_)
            | LedgerEvent::TokenRemoved(_)
            | LedgerEvent::KeeperRemoved(_)
            | LedgerEvent::AutomationTokenRemoved(_)
            | LedgerEvent::Resumed(_) => false,
        },
        Ok(None) => true,
        Err(_) => false,
    }
}
