//! The client's core: keys, sealing, sessions, outbox. Sans-I/O.
//!
//! It has no socket, file or clock. Time comes in as Unix milliseconds, randomness as [`rand_core::CryptoRng`] (the Olm
//! library alone draws from the operating system's source by itself: it takes no other). So it runs the same in a
//! terminal program, in a browser and in a simulation.
//!
//! # How to drive it
//! 1. [`Client::create`] or [`Client::load`]; then `handle(Input::Started)`.
//! 2. Carry out the [`Outputs`] of every call, in order. [`Output::Save`] comes before whatever depends on it.
//! 3. Report connections, frames and the time as [`Input`]s; commands are methods ([`Client::send`], …).
//! 4. Before the program ends: [`Client::hurry`], and wait for [`Client::everything_flushed`].
//!
//! # Layout
//! - [`Client`]: all state, one entry; [`Input`], [`Output`]: what comes in and what must follow.
//! - [`command`]: what a person does; `query`: what a shell may ask; [`view`]: the plain data of both.
//! - [`display`]: texts of others made safe for a screen.

pub mod command;
pub mod display;
mod input;
mod output;
mod query;
mod raw;
pub mod seal;
pub mod view;

pub use command::{CommandError, SendOptions};
pub use input::{Input, Link};
pub use output::{Done, Notice, Output, Outputs, WakeReason};
pub use view::{
    Contact, Direction, Home, Message, MessageId, MessageStatus, Path, Refusal, Request, SafetyNumber, Summary,
    WaitReason,
};

use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// A device of a member: its keys, contacts, sessions, outbox and inbox.
pub struct Client {}

/// A saved state cannot be read. It is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Not a state at all, or cut.
    #[error("this is no saved state of a Hob client, or it is cut short: restore it, or start with a new profile")]
    NotAState,
    /// Written by a newer program.
    #[error("this state has version {got}, newer than this program: update it")]
    UnknownVersion {
        /// The version.
        got: u8,
    },
    /// The bytes were changed.
    #[error("this state is damaged (its checksum does not fit): restore it, or start with a new profile")]
    Damaged,
    /// The checksum fits and a field does not.
    #[error("this state cannot be read: {why}; restore it, or start with a new profile")]
    Field {
        /// Which field, and how.
        why: String,
    },
}

impl Client {
    /// A new device of a new member, with fresh keys. Save it before anything else.
    pub fn create(now_ms: u64, rng: &mut dyn CryptoRng) -> Self {
        todo!()
    }

    /// Reads what [`Client::save`] wrote. Connections are all closed then: send [`Input::Started`].
    ///
    /// # Errors
    /// [`StateError`]; never a panic, whatever the bytes.
    pub fn load(state: &[u8]) -> Result<Self, StateError> {
        todo!()
    }

    /// Everything that must survive a kill, in the clear, versioned and with a checksum: encrypt it, write it beside the
    /// old one, sync, rename, sync the folder.
    pub fn save(&self) -> Zeroizing<Vec<u8>> {
        todo!()
    }

    /// Applies one input and returns everything that must follow from it, in order.
    ///
    /// `now_ms` is Unix time in milliseconds. One that runs backwards harms nothing but punctuality.
    pub fn handle(&mut self, now_ms: u64, rng: &mut dyn CryptoRng, input: Input) -> Outputs {
        todo!()
    }
}
