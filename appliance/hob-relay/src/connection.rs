//! What a connection is, and what may be said on it.

use std::time::Duration;

use bytes::Bytes;
use hob_protocol::code::{Code, Refused};
use hob_protocol::frame::{ClientBody, FrameError, Hello, ServerBody};
use hob_protocol::planted;
use hob_protocol::transcript::Exporter;
use rand_core::Rng;

use crate::clock::{BoxTime, Now};
use crate::{ConnId, Effect, Effects, Relay};

/// Bad tokens that one connection may show before it is closed.
pub(crate) const BAD_TOKENS_MAX: u32 = 32;

/// Frames that a connection may say before it shows a good token or proof, and bad ones that it may say at all.
const UNPROVEN_FRAMES_MAX: u32 = 64;

/// What a connection has shown to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Nothing yet: it may become either.
    Fresh,
    /// It showed a token. It stays anonymous for good.
    Sender,
    /// It proved a mailbox.
    Owner { mailbox: u32 },
    /// It is told what comes to a mailbox, and says nothing.
    Watcher { mailbox: u32 },
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) exporter: Option<Exporter>,
    /// What the next proof must sign; used up by it.
    pub(crate) nonce: [u8; 32],
    pub(crate) role: Role,
    pub(crate) bad_tokens: u32,
    /// Frames said while unproven, and bad ones.
    pub(crate) tries: u32,
    pub(crate) heard_at: BoxTime,
    /// A good token or proof was shown.
    pub(crate) established: bool,
}

impl Connection {
    /// What a request without a connection of its own is for its moment.
    pub(crate) const fn for_one_request(now: BoxTime, role: Role, established: bool) -> Self {
        Self { exporter: None, nonce: [0; 32], role, bad_tokens: 0, tries: 0, heard_at: now, established }
    }

    /// Whether a frame belongs on this kind of connection.
    pub(crate) fn may_say(&self, body: &ClientBody) -> Result<(), Refused> {
        use ClientBody as B;
        match (body, self.role) {
            (B::Ping, Role::Fresh | Role::Sender | Role::Owner { .. })
            | (B::Redeem { .. } | B::Prove { .. }, Role::Fresh) => Ok(()),
            (B::Submit { .. } | B::BundleFetch { .. }, Role::Fresh | Role::Sender) => Ok(()),
            // A connection that showed a token and then proved a mailbox would tell the box who sends.
            (_, Role::Watcher { .. }) => Err(Refused::finally(Code::UnknownFrame)),
            (B::Redeem { .. } | B::Prove { .. }, Role::Sender) => Err(Refused::finally(Code::NotAnonymous)),
            (B::Redeem { .. } | B::Prove { .. }, Role::Owner { .. }) => Err(Refused::finally(Code::BadProof)),
            (B::Submit { .. } | B::BundleFetch { .. }, Role::Owner { .. }) => Err(Refused::finally(Code::NotAnonymous)),
            (_, Role::Owner { .. }) => Ok(()),
            (_, Role::Fresh | Role::Sender) => Err(Refused::finally(Code::NotProved)),
        }
    }
}

impl Relay {
    pub(crate) fn opened(
        &mut self,
        now: Now,
        conn: ConnId,
        exporter: Option<Exporter>,
        signature: Bytes,
        effects: &mut Effects,
    ) {
        let mut nonce = [0; 32];
        self.rng.fill_bytes(&mut nonce);
        let connection = Connection {
            exporter,
            nonce,
            role: Role::Fresh,
            bad_tokens: 0,
            tries: 0,
            heard_at: now.box_time,
            established: false,
        };
        self.connections.insert(conn, connection);
        let hello = self.hello(signature);
        effects.send(conn, 0, ServerBody::Hello(Box::new(hello)));
        effects.send(conn, 0, ServerBody::Challenge { nonce });
    }

    pub(crate) fn hello(&self, signature: Bytes) -> Hello {
        Hello {
            identity: self.identity,
            signature,
            epoch: self.epoch,
            lost_windows: self.lost_windows.clone(),
            limits: self.config.limits(),
            address_record: self.addresses.clone(),
        }
    }

    pub(crate) fn garbled(&mut self, conn: ConnId, error: FrameError, effects: &mut Effects) {
        self.counters.refused(error.code);
        let refused = Refused::finally(error.code);
        if error.code == Code::TooLarge {
            return self.close(conn, refused, effects);
        }
        effects.refuse(conn, error.request, refused);
        self.count_try(conn, effects);
    }

    /// Whoever shows nothing good may not say much; and nobody has a reason to send many bad frames.
    pub(crate) fn count_try(&mut self, conn: ConnId, effects: &mut Effects) {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        connection.tries += 1;
        if connection.tries > UNPROVEN_FRAMES_MAX {
            let refused = Refused::for_now(Code::TooFast, Duration::from_secs(60));
            self.close(conn, refused, effects);
        }
    }

    /// Tells why, and forgets the connection: nothing more is heard on it.
    pub(crate) fn close(&mut self, conn: ConnId, refused: Refused, effects: &mut Effects) {
        self.closed(conn);
        effects.push(Effect::Close { conn, refused });
    }

    pub(crate) fn closed(&mut self, conn: ConnId) {
        let Some(connection) = self.connections.remove(&conn) else {
            return;
        };
        match connection.role {
            Role::Owner { .. } if planted!("owner-not-forgotten") => {}
            Role::Owner { mailbox } => self.mailboxes.owner_left(mailbox, conn),
            Role::Watcher { mailbox } => self.mailboxes.watcher_left(mailbox, conn),
            Role::Fresh | Role::Sender => {}
        }
    }

    /// Marks a connection as one that showed something good.
    pub(crate) fn establish(&mut self, conn: ConnId, effects: &mut Effects) {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        if !connection.established {
            connection.established = true;
            effects.push(Effect::Established { conn });
        }
    }

    pub(crate) fn going_down(&mut self, back_in: Duration, effects: &mut Effects) {
        self.going_down = true;
        let mut there: Vec<ConnId> = self.connections.keys().copied().collect();
        there.sort_unstable();
        for conn in there {
            effects.send(conn, 0, ServerBody::Restarting { back_in });
        }
    }
}
