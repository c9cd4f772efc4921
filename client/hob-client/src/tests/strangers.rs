use hob_protocol::envelope::Envelope;
use hob_protocol::frame::{ServerBody, ServerFrame};
use hob_protocol::ids::EnvelopeId;
use proptest::prelude::*;

use super::world::World;
use super::{ADA, BOB, acquainted, paired};
use crate::seal::middle::{Kind, Middle};
use crate::seal::outer;
use crate::{Input, Link, Notice};

#[test]
fn a_box_with_another_identity_hears_nothing_and_the_member_is_told() {
    let mut world = World::new(2, &[("ada", 0)]);
    world.take_down(0);
    world.kill(ADA);
    let frames = world.devices[ADA].frames.len();
    world.start(ADA);
    // The address answers, and it is box 1.
    world.devices[ADA].client.link(Link::Owner).phase = crate::link::Phase::Connecting;
    world.connect_to(ADA, Link::Owner, 1);
    world.run();
    let (expected, got) = (world.boxes[0].identity(), world.boxes[1].identity());
    let link = Link::Owner;
    let told = Notice::BoxIdentityChanged { link, expected, got };
    assert!(world.devices[ADA].notices.contains(&told));
    assert_eq!(world.devices[ADA].frames.len(), frames, "nothing was sent");
    assert!(!world.devices[ADA].client.is_online());
}

#[test]
fn a_hello_signed_for_another_connection_is_not_believed() {
    let mut world = World::new(1, &[("ada", 0)]);
    world.take_down(0);
    world.kill(ADA);
    let frames = world.devices[ADA].frames.len();
    world.start(ADA);
    world.devices[ADA].client.link(Link::Owner).phase = crate::link::Phase::Connecting;
    // Somebody in between: the hello is the box's, its TLS connection is not this one.
    let exporter = hob_protocol::transcript::Exporter([0xee; 32]);
    let certificate_spki = bytes::Bytes::from_static(b"a certificate's key");
    let link = Link::Owner;
    let relayed = hob_protocol::transcript::server(&hob_protocol::transcript::Exporter([1; 32]), &certificate_spki);
    let mut hello = None;
    let signature = relayed.sign(&world.boxes[0].key).to_vec();
    world.connect_to(ADA, link, 0);
    if let ServerBody::Hello(mut real) = world.hello_of(0, &exporter) {
        real.signature = signature.into();
        hello = Some(real);
    }
    world.kill_queue();
    world.input(ADA, Input::Opened { link, exporter, certificate_spki });
    let body = ServerBody::Hello(hello.unwrap());
    let frame = ServerFrame { request: 0, body };
    world.input(ADA, Input::Received { link, frame });
    assert!(world.has_notice(ADA, |notice| matches!(notice, Notice::BoxNotProven { .. })));
    assert_eq!(world.devices[ADA].frames.len(), frames, "nothing was sent");
}

#[test]
fn a_bundle_that_the_box_made_up_is_not_sealed_to() {
    for kind in ["changed", "another's", "nonsense"] {
        let mut world = paired();
        let adas = world.devices[ADA].client.home().unwrap().mailbox;
        let bobs = world.devices[BOB].client.home().unwrap().mailbox;
        let good = world.boxes[0].bundles[&adas].clone();
        let bad = match kind {
            "changed" => {
                let mut changed = good.to_vec();
                let middle = changed.len() / 2;
                changed[middle] ^= 1;
                changed.into()
            }
            "another's" => world.boxes[0].bundles[&bobs].clone(),
            _ => bytes::Bytes::from_static(b"nonsense"),
        };
        world.boxes[0].bundles.insert(adas, bad);
        world.send(BOB, "ada", "x");
        assert!(world.boxes[0].accepted.is_empty(), "{kind}: nothing is sealed to it");
        let told = |notice: &Notice| matches!(notice, Notice::BadBundle { .. });
        assert!(world.has_notice(BOB, told), "{kind}");
        world.boxes[0].bundles.insert(adas, good);
        world.pass(11 * 60_000);
        assert_eq!(world.read(ADA), ["x"], "{kind}: what waited goes once the bundle is good");
    }
}

#[test]
fn an_older_bundle_is_refused() {
    let mut world = acquainted();
    let adas = world.devices[ADA].client.home().unwrap().mailbox;
    let old = world.boxes[0].bundles[&adas].clone();
    world.pass(7 * 3_600_000);
    assert_ne!(world.boxes[0].bundles[&adas], old);
    world.send(BOB, "ada", "by the new one");
    world.pass(31 * 60_000);
    world.boxes[0].bundles.insert(adas, old);
    let accepted = world.boxes[0].accepted.len();
    world.send(BOB, "ada", "by the old one?");
    assert_eq!(world.boxes[0].accepted.len(), accepted);
    assert!(world.has_notice(BOB, |notice| matches!(notice, Notice::BadBundle { .. })));
}

#[test]
fn a_changed_or_misdirected_envelope_is_dropped_and_acknowledged() {
    let mut world = World::new(1, &[("ada", 0), ("bob", 0), ("eve", 0)]);
    world.add(BOB, ADA, "ada");
    world.stop(ADA);
    world.send(BOB, "ada", "for ada");
    let (mailbox, envelope) = world.boxes[0].accepted[0].clone();
    let mut changed = envelope.bytes().to_vec();
    changed[1500] ^= 1;
    let changed = Envelope::new(changed.into()).unwrap();
    for envelope in [envelope, changed] {
        let frames = world.devices[2].frames.len();
        world.push(2, envelope.id_in(&mailbox), envelope);
        world.run();
        assert!(world.devices[2].messages.is_empty());
        assert!(world.devices[2].frames.len() > frames, "acknowledged: it will never open");
    }
    assert!(world.devices[2].client.requests().is_empty());
}

#[test]
fn an_inner_ciphertext_sent_under_anothers_name_is_not_taken_for_theirs() {
    let mut world = World::new(1, &[("ada", 0), ("bob", 0), ("eve", 0)]);
    world.add(BOB, ADA, "ada");
    world.send(BOB, "ada", "hello");
    world.add(2, ADA, "ada");
    world.send(2, "ada", "hello too");
    world.read(ADA);
    world.pass(5_000);
    // Eve takes her own inner ciphertext and names Bob as its sender.
    let ada = &world.devices[ADA].client;
    let eves = world.boxes[0].accepted.iter().rev().find_map(|(_, envelope)| {
        let opened = outer::open_envelope(&ada.device_key(), |id| ada.state.keys.prekey_secret(id), envelope).ok()?;
        let middle = Middle::decode(&opened).ok()?;
        (middle.sender == world.devices[2].client.device_key()).then_some(middle)
    });
    let eves = eves.unwrap();
    let forged = Middle { sender: world.devices[BOB].client.device_key(), ..eves };
    let bundle = world.devices[2].client.state.peers[0].fresh_bundle(world.now_ms).unwrap();
    let envelope = outer::seal_envelope(&ada.device_key(), &bundle.prekey, &forged.encode(), &mut world.rng).unwrap();
    let before = world.devices[ADA].messages.len();
    world.push(ADA, EnvelopeId([9; 32]), envelope);
    world.pass(5_000);
    assert_eq!(world.devices[ADA].messages.len(), before);
}

#[test]
fn a_member_whose_keys_changed_is_told_loudly_and_not_sealed_to() {
    let mut world = acquainted();
    // The record that Bob knows is not the one that comes: as if Ada's device had another Olm identity.
    world.devices[BOB].client.state.peers[0].olm_identity = Some([1; 32]);
    world.devices[BOB].client.state.peers[0].bundle = None;
    let accepted = world.boxes[0].accepted.len();
    world.send(BOB, "ada", "is it you?");
    assert_eq!(world.boxes[0].accepted.len(), accepted);
    let contact = "ada".to_owned();
    assert!(world.devices[BOB].notices.contains(&Notice::KeysChanged { contact }));
}

#[test]
fn frames_that_answer_nothing_change_nothing() {
    let mut world = acquainted();
    let before = world.devices[ADA].client.save().to_vec();
    for body in [
        ServerBody::Done,
        ServerBody::Pong,
        ServerBody::Accepted { ttl: std::time::Duration::from_secs(1), duplicate: false },
        ServerBody::Challenge { nonce: [0; 32] },
    ] {
        for request in [0, 1, u64::MAX] {
            let frame = ServerFrame { request, body: body.clone() };
            world.input(ADA, Input::Received { link: Link::Owner, frame });
        }
    }
    assert_eq!(world.devices[ADA].client.save().len(), before.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn no_middle_layer_makes_a_client_panic(
        kind in prop_oneof![Just(Kind::Olm), Just(Kind::OlmPrekey)],
        session in any::<[u8; 32]>(),
        inner in proptest::collection::vec(any::<u8>(), 0..200),
        by_bob in any::<bool>(),
    ) {
        let mut world = paired();
        world.send(BOB, "ada", "hello");
        let bob = world.devices[BOB].client.device_key();
        let sender = if by_bob { bob } else { hob_protocol::ids::DeviceKey([3; 32]) };
        let bundle = world.devices[BOB].client.state.peers[0].fresh_bundle(world.now_ms).unwrap();
        let ada = world.devices[ADA].client.device_key();
        let middle = Middle { sender, kind, session, inner };
        let envelope = outer::seal_envelope(&ada, &bundle.prekey, &middle.encode(), &mut world.rng).unwrap();
        world.push(ADA, EnvelopeId([9; 32]), envelope);
        world.run();
        prop_assert_eq!(world.devices[ADA].messages.len(), 1);
    }
}
