//! What a box says to a client: a box may be hostile too. A frame that can be read is given to a real client, which is
//! joining, and must not take it amiss.
#![no_main]

use bytes::Bytes;
use hob_client::{Client, Input, Link};
use hob_protocol::address::Address;
use hob_protocol::frame::{ServerBody, ServerFrame};
use hob_protocol::ids::{BoxIdentity, InvitationId, InvitationSecret};
use hob_protocol::invitation::Invitation;
use hob_protocol::transcript::{Exporter, server};
use libfuzzer_sys::fuzz_target;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const NOW_MS: u64 = 1_790_000_000_000;

fuzz_target!(|bytes: &[u8]| {
    let Ok(frame) = ServerFrame::decode(Bytes::copy_from_slice(bytes)) else { return };
    let again = ServerFrame::decode(frame.clone().encode());
    assert_eq!(again.as_ref(), Ok(&frame));
    show_to_client(frame);
});

fn show_to_client(frame: ServerFrame) {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let box_key = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
    let identity = BoxIdentity(box_key.verifying_key().to_bytes());
    let (exporter, spki) = (Exporter([5; 32]), Bytes::from_static(b"spki"));
    let invitation = Invitation {
        id: InvitationId([1; 16]),
        secret: InvitationSecret([2; 16]),
        box_identity: identity,
        addresses: Address::parse("hob.example:8443").into_iter().collect(),
        expires_at_s: NOW_MS / 1000 + 3600,
    };
    let mut client = Client::create(NOW_MS, &mut rng);
    drop(client.handle(NOW_MS, &mut rng, Input::Started));
    drop(client.join(NOW_MS, &mut rng, invitation, "ada").expect("a good invitation"));
    let link = Link::Owner;
    drop(client.handle(NOW_MS, &mut rng, Input::Opened { link, exporter, certificate_spki: spki.clone() }));
    // A hello is shown as it came, and then as the pinned box would have signed it: what is behind the check counts too.
    drop(client.handle(NOW_MS, &mut rng, Input::Received { link, frame: frame.clone() }));
    if let ServerBody::Hello(mut hello) = frame.body {
        hello.identity = identity;
        hello.signature = Bytes::copy_from_slice(&server(&exporter, &spki).sign(&box_key));
        let frame = ServerFrame { request: frame.request, body: ServerBody::Hello(hello) };
        drop(client.handle(NOW_MS, &mut rng, Input::Opened { link, exporter, certificate_spki: spki }));
        drop(client.handle(NOW_MS, &mut rng, Input::Received { link, frame }));
    }
    drop(client.handle(NOW_MS + 1000, &mut rng, Input::Timeout));
    assert!(Client::load(&client.save()).is_ok(), "what a box said never spoils the saved state");
}
