//! What a person sees. Everything that others wrote goes through `hob-client`'s escaping first.
//!
//! # Layout
//! - [`message`]: a message as a line, or as an object.
//! - [`notice`]: what happened meanwhile, in words.
//! - [`qr`]: codes as QR codes, in the terminal or as a picture.
//! - [`time`]: local times for people, RFC 3339 for programs.

pub mod message;
pub mod notice;
pub mod qr;
pub mod time;
