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
//! - `client`: [`Client`], all state and one entry; `input`, `output`: what comes in and what must follow.
//! - [`command`]: what a person does, `people` with contacts and codes; `query`: what a shell may ask; [`view`]: the plain data of both.
//! - [`devices`]: several devices of one member.
//! - [`display`]: texts of others made safe for a screen; `trust`: safety numbers.
//! - [`seal`]: from a text to an envelope and back, one file a layer.
//! - `keys`: this device's own; [`record`] and [`bundle`]: what others know of them; `contacts`: what is known of others.
//! - `link`: when to connect and whom to believe; `owner`: what the home box is told.
//! - `outbox`, `submit`: what has no receipt yet, and how it gets to a box; `again`: what goes again, and when that ends.
//! - `inbox`: at least once becomes exactly once, by what `seen` remembers; `receipts`: what is confirmed, and when;
//!   `introduce`: first contact.
//! - `heal`: messages that cannot be opened, and how both sides agree on a new session; `rekey`: a contact's new keys;
//!   `moving`: boxes that move.
//! - `state`: what survives a kill; `raw`: how its keys and ids are written.

// No panic is reachable from outside: an index that may be out of bounds is one. Generated code and tests may.
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::string_slice))]

mod again;
pub mod bundle;
mod client;
pub mod command;
mod contacts;
pub mod devices;
pub mod display;
mod heal;
mod inbox;
mod input;
mod introduce;
mod keys;
mod link;
mod moving;
mod outbox;
mod output;
mod owner;
mod people;
mod query;
mod raw;
mod receipts;
pub mod record;
mod rekey;
mod revoke;
pub mod seal;
mod seen;
mod state;
mod submit;
#[cfg(test)]
mod tests;
mod trust;
pub mod view;

pub use client::Client;
pub use command::{CommandError, SendOptions};
pub use devices::DeviceView;
pub use input::{Input, Link};
pub use output::{Done, Notice, Output, Outputs, WakeReason};
pub use state::StateError;
pub use view::{
    Contact, Direction, Home, Message, MessageId, MessageStatus, OpenCode, Path, Quoted, Refusal, Request,
    SafetyNumber, Summary, WaitReason,
};
