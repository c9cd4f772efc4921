//! One client's connection, whatever the server speaks: send, be answered, receive and acknowledge.
//!
//! # Layout
//! - [`mqtt`]: MQTT 3.1.1, QoS 1 (Mosquitto).
//! - [`nats`]: NATS with JetStream.
//! - [`xmpp`]: XMPP with stream management (Prosody, ejabberd).
//! - [`hob`]: Hob's frames over WebSocket and TLS.
//! - [`wire`]: the stream and its buffer under the first two.

pub mod hob;
pub mod mqtt;
pub mod nats;
pub mod wire;
pub mod xmpp;

use std::io;

/// Somebody's connection.
pub enum Conn {
    /// To Mosquitto.
    Mqtt(mqtt::Mqtt),
    /// To NATS.
    Nats(nats::Nats),
    /// To Prosody or ejabberd.
    Xmpp(Box<xmpp::Xmpp>),
    /// To Hob.
    Hob(Box<hob::Hob>),
}

impl Conn {
    /// Sends a message of that many bytes with a number in it to a reader, without waiting for the answer.
    ///
    /// # Errors
    /// If the connection breaks.
    pub async fn send(&mut self, to: usize, number: u64, bytes: usize) -> io::Result<()> {
        match self {
            Self::Mqtt(conn) => conn.send(to, &body(number, bytes)).await,
            Self::Nats(conn) => conn.send(to, &body(number, bytes)).await,
            Self::Xmpp(conn) => conn.send(to, number, bytes).await,
            Self::Hob(conn) => conn.send(to, &body(number, bytes)).await,
        }
    }

    /// Waits until at least one more message was acknowledged by the server; how many were.
    ///
    /// # Errors
    /// If the connection breaks, or the server refuses.
    pub async fn acked(&mut self) -> io::Result<usize> {
        match self {
            Self::Mqtt(conn) => conn.acked().await,
            Self::Nats(conn) => conn.acked().await,
            Self::Xmpp(conn) => conn.acked().await,
            Self::Hob(conn) => conn.acked().await,
        }
    }

    /// Waits for at least one message, acknowledges what came, and tells the numbers in it.
    ///
    /// # Errors
    /// If the connection breaks.
    pub async fn received(&mut self) -> io::Result<Vec<u64>> {
        match self {
            Self::Mqtt(conn) => conn.received().await,
            Self::Nats(conn) => conn.received().await,
            Self::Xmpp(conn) => conn.received().await,
            Self::Hob(conn) => conn.received().await,
        }
    }

    /// Says goodbye properly: what was acknowledged is known to the server.
    ///
    /// # Errors
    /// If the connection breaks before.
    pub async fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Mqtt(conn) => conn.finish().await,
            Self::Nats(conn) => conn.finish().await,
            Self::Xmpp(conn) => conn.finish().await,
            Self::Hob(conn) => conn.finish().await,
        }
    }
}

/// Digits of the number that a body begins with.
pub const NUMBER_BYTES: usize = 16;

/// A body: its number in hexadecimal digits, then random bytes.
fn body(number: u64, bytes: usize) -> Vec<u8> {
    let mut body = format!("{number:016x}").into_bytes();
    body.resize(bytes.max(NUMBER_BYTES), 0);
    random(&mut body[NUMBER_BYTES..]);
    body
}

/// The number that a body begins with.
fn number_of(body: &[u8]) -> io::Result<u64> {
    let digits = body.get(..NUMBER_BYTES).and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).ok_or_else(|| wrong("a body without a number"))
}

fn random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("random bytes");
}

fn wrong(what: impl Into<String>) -> io::Error {
    io::Error::other(what.into())
}
