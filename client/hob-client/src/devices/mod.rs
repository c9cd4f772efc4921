//! Several devices of one member.
//!
//! # Layout
//! - [`list`]: the signed list of a member's devices; `known`: which lists are believed, and what follows from them;
//!   `believe`: whose message it is, by them.
//! - `pairing`: how a new device comes into the list.
//! - `siblings`: what devices of one member tell each other: contacts, copies of messages, deliveries.
//! - `partings`: contacts renamed, blocked and removed on one device: the others follow.
//! - `manage`: the list as its member sees and changes it; [`sheet`]: the member key on paper.

pub(crate) mod believe;
pub(crate) mod known;
pub mod list;
pub(crate) mod manage;
pub(crate) mod pairing;
pub(crate) mod partings;
pub mod sheet;
pub(crate) mod siblings;

pub use manage::DeviceView;
