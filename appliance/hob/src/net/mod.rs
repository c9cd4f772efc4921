//! What strangers reach: the TLS endpoint with WebSocket, JSON and a few pages.
//!
//! # Layout
//! - [`listen`]: sockets in, one task a connection.
//! - [`witness`]: what the keeper may find unusual, noted where the addresses are.
//! - [`door`]: the gate's rules applied: who waits, who is let in, who makes room.
//! - [`tls`]: TLS 1.3 and nothing older.
//! - [`patience`]: gives up on whoever does not read.
//! - [`api`]: `/v1`, JSON for those who cannot hold a socket.
//! - [`pages`]: HTTP: the upgrade to WebSocket, `/join`, and clear answers to everything else.
//! - [`websocket`]: messages over a stream, without memory while nothing is said.
//! - [`connection`]: frames between one WebSocket and the engine.
//! - [`answer`]: what a refusal looks like on the wire.

pub mod answer;
pub mod api;
pub mod connection;
pub mod door;
pub mod listen;
pub mod pages;
pub mod patience;
pub mod tls;
pub mod websocket;
pub mod witness;

pub use listen::{Endpoint, serve};
