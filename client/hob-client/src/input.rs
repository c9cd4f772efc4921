//! What comes in: from connections, from the clock. (Commands of a person are methods of [`Client`](crate::Client).)

use bytes::Bytes;
use hob_protocol::frame::ServerFrame;
use hob_protocol::ids::BoxIdentity;
use hob_protocol::transcript::Exporter;

/// One connection that the client wants. At most one of each is open at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Link {
    /// The owner's connection to the home box: it proves the mailbox and receives.
    Owner,
    /// An anonymous connection to somebody's box, home box included: it submits and fetches bundles, by tokens only.
    /// Its TLS connection shares no tickets with the owner's.
    Sender(BoxIdentity),
}

/// What happened outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The program starts: connect, prove, fetch receipts, send what waits. Once, after `create` or `load`.
    Started,
    /// A connection asked for by [`Output::Connect`](crate::Output::Connect) is up.
    Opened {
        /// Which.
        link: Link,
        /// Its TLS exporter: label `EXPORTER-Channel-Binding`, no context, 32 bytes (RFC 9266, section 4.2).
        exporter: Exporter,
        /// The SPKI (DER) of the certificate that the box showed.
        certificate_spki: Bytes,
    },
    /// The box said something.
    Received {
        /// On which connection.
        link: Link,
        /// The decoded frame. One that cannot be decoded: close the connection and send [`Input::Closed`].
        frame: ServerFrame,
    },
    /// A connection ended, or could not be made.
    Closed {
        /// Which.
        link: Link,
    },
    /// A wake-up came: a contact's box has something, or a contact is back. Connections are tried at once, whatever was
    /// waited for, and what has no receipt goes out again as at the start.
    WokenUp,
    /// The time of the last [`Output::Wake`](crate::Output::Wake) has come. Harmless at any other time.
    Timeout,
}
