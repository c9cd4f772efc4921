//! The full screen: `hob-chat` without a command, or `hob-chat open bob`.
//!
//! The state and the drawing know no terminal and no engine, so nearly all of it is tested without either. The engine may
//! be in another process that had the profile first; then the same words go over the profile's socket.
//!
//! # Layout
//! - [`model`]: the state: events in, effects out. [`view`]: draws it. [`keys`]: every key, in one table.
//! - [`text`]: what others wrote, made safe and measured; [`look`]: signs and styles.
//! - [`talk`]: what screen and engine say to each other; [`backend`]: the engine's side of it.
//! - [`front`]: the driver: events from everywhere to the model, effects to where they belong.
//! - [`terminal`]: the terminal, given back as it was found whatever happens.

pub mod backend;
pub mod front;
mod keys;
mod look;
mod model;
pub mod talk;
mod terminal;
mod text;
mod view;
