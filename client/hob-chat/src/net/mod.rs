//! A connection to a box: TLS 1.3, then a WebSocket, one frame a message.
//!
//! # Layout
//! - [`dial`]: which address, in which order, for how long.
//! - [`tls`]: the handshake, and what it leaves for the core to check: exporter and SPKI.
//! - [`socket`]: frames in, frames out.

mod dial;
mod socket;
mod tls;

use std::time::Duration;

pub use dial::{Connection, connect, list};
pub use socket::run_until_closed;

/// No connection to a box. Whoever keeps it may have to act.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// Nothing answers at any address.
    #[error("no answer from the box at {addresses} ({why}); is it running, and is this device in its network?")]
    NoAnswer {
        /// All that were tried.
        addresses: String,
        /// What the last one said.
        why: String,
    },
    /// Something answers, in another language.
    #[error("what answers at {address} is no Hob box, or one that cannot be spoken to: {why}")]
    NotABox {
        /// Where.
        address: String,
        /// What was wrong.
        why: String,
    },
    /// It answered and hung up before this could be done.
    #[error("the box closed the connection: try again in a moment")]
    HungUp,
    /// The core got no further within the time.
    #[error("the box at {addresses} answers too slowly (more than {} s): try again", waited.as_secs())]
    TooSlow {
        /// All that are known.
        addresses: String,
        /// How long.
        waited: Duration,
    },
}
