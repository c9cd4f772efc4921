//! Hob's own: frames over WebSocket and TLS 1.3, as the tests' client speaks them.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use hob_protocol::envelope::Envelope;
use hob_protocol::frame::{ClientBody, ServerBody, TokenKind};
use hob_protocol::ids::DeliveryToken;
use hob_tests::people::{Device, submit};
use hob_tests::wire::{Wire, tls};

use super::{number_of, wrong};

/// A reader's device, and a token for its mailbox.
pub struct Account {
    device: Device,
    token: DeliveryToken,
}

impl Account {
    /// Joins by an invitation and grants a token.
    pub async fn join(address: SocketAddr, link: &str) -> Self {
        let device = Device::join(address, link).await;
        let mut owner = device.prove().await;
        let token = device.grant(&mut owner, TokenKind::Contact).await;
        Self { device, token }
    }
}

/// A client.
pub struct Hob {
    wire: Wire,
    tokens: Vec<DeliveryToken>,
}

impl Hob {
    /// An anonymous connection to write to those readers.
    ///
    /// # Errors
    /// If the box does not take it.
    pub async fn sender(address: SocketAddr, accounts: &[Account]) -> io::Result<Self> {
        let wire = Wire::connect_with(&tls(), address).await.map_err(io::Error::other)?;
        Ok(Self { wire, tokens: accounts.iter().map(|account| account.token.clone()).collect() })
    }

    /// An owner's connection.
    pub async fn reader(account: &Account) -> Self {
        Self { wire: account.device.prove().await, tokens: Vec::new() }
    }

    pub(super) async fn send(&mut self, to: usize, body: &[u8]) -> io::Result<()> {
        let envelope = Envelope::new(Bytes::copy_from_slice(body)).map_err(io::Error::other)?;
        let token = self.tokens.get(to).ok_or_else(|| wrong("no such reader"))?;
        self.wire.send(submit(token, envelope)).await;
        Ok(())
    }

    pub(super) async fn acked(&mut self) -> io::Result<usize> {
        match self.wire.frame().await.map(|frame| frame.body) {
            Some(ServerBody::Accepted { .. }) => Ok(1),
            other => Err(wrong(format!("accepted, not {other:?}"))),
        }
    }

    pub(super) async fn received(&mut self) -> io::Result<Vec<u64>> {
        loop {
            let body = match self.wire.unasked.pop_front() {
                Some(body) => body,
                None => self.wire.frame().await.ok_or_else(|| wrong("the box closed"))?.body,
            };
            match body {
                ServerBody::Push { id, envelope, .. } => {
                    let number = number_of(envelope.bytes())?;
                    self.wire.tell(ClientBody::Acknowledge { ids: vec![id] }).await;
                    return Ok(vec![number]);
                }
                ServerBody::CaughtUp | ServerBody::Done => {}
                other => return Err(wrong(format!("a push, not {other:?}"))),
            }
        }
    }

    pub(super) async fn finish(&mut self) -> io::Result<()> {
        self.wire.assert_open().await;
        Ok(())
    }
}
