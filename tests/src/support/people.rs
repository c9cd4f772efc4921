//! Devices with keys that join, grant and prove, without sealing: the box cannot tell.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use hob_protocol::envelope::Envelope;
use hob_protocol::frame::{Binding, ClientBody, Grant, ServerBody, TokenKind, Urgency};
use hob_protocol::ids::{DeliveryToken, DeviceKey, EnvelopeId, MailboxId};
use hob_protocol::invitation::Invitation;
use hob_protocol::transcript::{BoundTo, prove, redeem_mac};

use crate::boxes::HobBox;
use crate::wire::Wire;

pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

/// An envelope of random bytes: what a box sees of any.
pub fn envelope(bytes: usize) -> Envelope {
    let mut sealed = vec![0; bytes];
    getrandom::fill(&mut sealed).unwrap();
    Envelope::new(Bytes::from(sealed)).unwrap()
}

/// A device that is a member's.
pub struct Device {
    pub key: SigningKey,
    pub mailbox: MailboxId,
    pub address: SocketAddr,
}

impl Device {
    pub fn public(&self) -> DeviceKey {
        DeviceKey(self.key.verifying_key().to_bytes())
    }

    /// A key that no device has yet.
    pub fn random_key() -> SigningKey {
        SigningKey::from_bytes(&random())
    }

    /// Joins with an invitation's link.
    pub async fn join(address: SocketAddr, link: &str) -> Self {
        let key = Self::random_key();
        match redeem(&mut Wire::connect(address).await, &Invitation::parse(link).unwrap(), &key).await {
            ServerBody::Admitted { mailbox, .. } => Self { key, mailbox, address },
            other => panic!("admitted, not {other:?}"),
        }
    }

    /// An owner's connection.
    pub async fn prove(&self) -> Wire {
        let mut wire = Wire::connect(self.address).await;
        let answer = self.prove_on(&mut wire).await;
        assert!(matches!(answer, ServerBody::Proved { .. }), "{answer:?}");
        wire
    }

    /// Proves on a connection and returns the answer.
    pub async fn prove_on(&self, wire: &mut Wire) -> ServerBody {
        wire.ask(self.proof(wire)).await
    }

    /// Proves, and tells what time it is on this device: Unix time in seconds.
    pub async fn prove_at(&self, clock_s: u64) -> Wire {
        let mut wire = Wire::connect(self.address).await;
        let mut proof = self.proof(&wire);
        if let ClientBody::Prove { clock_ms, .. } = &mut proof {
            *clock_ms = clock_s * 1000;
        }
        let answer = wire.ask(proof).await;
        assert!(matches!(answer, ServerBody::Proved { .. }), "{answer:?}");
        wire
    }

    /// The proof for a connection.
    pub fn proof(&self, wire: &Wire) -> ClientBody {
        let message = prove(&wire.nonce, &wire.hello.identity, BoundTo::Exporter(&wire.exporter));
        let signature = message.sign(&self.key);
        ClientBody::Prove { device_key: self.public(), signature, origin: None, clock_ms: 0 }
    }

    /// A new token for this device's mailbox.
    pub async fn grant(&self, owner: &mut Wire, kind: TokenKind) -> DeliveryToken {
        let token = DeliveryToken(random());
        let answer = owner.ask(ClientBody::TokenGrant(Grant { token_hash: token.hash(), kind })).await;
        assert_eq!(answer, ServerBody::Done);
        token
    }
}

/// A member with an owner's connection, and a token to write to them.
pub async fn reachable(hob: &HobBox) -> (Device, Wire, DeliveryToken) {
    let device = Device::join(hob.address, &hob.invite()).await;
    let mut owner = device.prove().await;
    let token = device.grant(&mut owner, TokenKind::Contact).await;
    (device, owner, token)
}

/// Redeems an invitation and returns the answer.
pub async fn redeem(wire: &mut Wire, invitation: &Invitation, key: &SigningKey) -> ServerBody {
    let device_key = DeviceKey(key.verifying_key().to_bytes());
    let mac = redeem_mac(&invitation.secret, &device_key, &invitation.box_identity, Some(&wire.exporter));
    let (invitation, label) = (invitation.id, "tester".to_owned());
    wire.ask(ClientBody::Redeem { invitation, device_key, label, binding: Binding::Native, mac }).await
}

/// A submit for ten minutes.
pub fn submit(token: &DeliveryToken, envelope: Envelope) -> ClientBody {
    ClientBody::Submit {
        token: token.clone(),
        envelope,
        ttl: Duration::from_secs(600),
        urgency: Urgency::Quiet,
        online_only: false,
    }
}

/// Submits and expects it to be accepted as new.
pub async fn submit_new(sender: &mut Wire, token: &DeliveryToken, envelope: Envelope) {
    let answer = sender.ask(submit(token, envelope)).await;
    assert!(matches!(answer, ServerBody::Accepted { duplicate: false, .. }), "{answer:?}");
}

/// Everything that is kept, until `caught_up`, acknowledged.
pub async fn drain(owner: &mut Wire) -> Vec<EnvelopeId> {
    let mut got = Vec::new();
    loop {
        match owner.unasked().await {
            ServerBody::Push { id, .. } => {
                got.push(id);
                owner.send(ClientBody::Acknowledge { ids: vec![id] }).await;
            }
            ServerBody::CaughtUp => {
                // The last acknowledgement has been heard once something behind it is answered.
                owner.assert_open().await;
                return got;
            }
            ServerBody::Done => {}
            other => panic!("a push, not {other:?}"),
        }
    }
}

/// The next push, which is not acknowledged.
pub async fn pushed(owner: &mut Wire) -> EnvelopeId {
    loop {
        match owner.unasked().await {
            ServerBody::Push { id, .. } => return id,
            ServerBody::Done | ServerBody::CaughtUp => {}
            other => panic!("a push, not {other:?}"),
        }
    }
}
