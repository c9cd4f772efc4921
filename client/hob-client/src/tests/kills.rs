use std::collections::HashSet;

use super::world::World;
use super::{ADA, BOB, acquainted, paired};
use crate::seal::middle::Middle;
use crate::seal::outer;
use crate::{MessageStatus, Output, SendOptions};

/// Every inner ciphertext that went to Ada: two of one key would show as equal ones of different messages.
fn inner_ciphertexts(world: &World) -> Vec<Vec<u8>> {
    let client = &world.devices[ADA].client;
    let mailbox = client.home().unwrap().mailbox;
    let mine = world.boxes[0].accepted.iter().filter(|(to, _)| *to == mailbox);
    mine.map(|(_, envelope)| {
        let secret = |id| client.state.keys.prekey_secret(id);
        let opened = outer::open_envelope(&client.device_key(), secret, envelope).unwrap();
        Middle::decode(&opened).unwrap().inner
    })
    .collect()
}

/// The place in its chain of an Olm message: a key is used once, so no two messages share a place.
fn place(inner: &[u8]) -> ([u8; 32], u64) {
    use vodozemac::olm::{Message, PreKeyMessage};
    match PreKeyMessage::from_bytes(inner) {
        Ok(message) => (message.message().ratchet_key().to_bytes(), message.message().chain_index()),
        Err(_) => {
            let message = Message::from_bytes(inner).unwrap();
            (message.ratchet_key().to_bytes(), message.chain_index())
        }
    }
}

/// Bob is killed after each number of outputs in turn, while he sends; then he starts again.
fn sender_killed(make: fn() -> World) {
    for kill_after in 0..12 {
        let mut world = make();
        world.start(BOB);
        let before = inner_ciphertexts(&world).len();
        world.devices[BOB].kill_after = Some(kill_after);
        let now_ms = world.now_ms;
        let done =
            world.devices[BOB].client.send(now_ms, &mut world.rng, "ada", "one", SendOptions::default()).unwrap();
        world.carry_out(BOB, done.outputs);
        world.run();
        let survives = kill_after > 0;
        world.start(BOB);
        world.send(BOB, "ada", "two");
        world.pass(5_000);
        let read = world.read(ADA);
        let expected: &[&str] = if survives { &["one", "two"] } else { &["two"] };
        assert_eq!(
            read, expected,
            "killed after {kill_after} outputs: nothing lost once it was saved, nothing doubled"
        );
        let inner = inner_ciphertexts(&world)[before..].to_vec();
        let places: HashSet<_> = inner.iter().map(|inner| place(inner)).collect();
        let different: HashSet<_> = inner.iter().collect();
        assert_eq!(places.len(), different.len(), "killed after {kill_after}: no ratchet key is used twice");
        if survives {
            assert_eq!(world.devices[BOB].client.status_of(&done.value), Some(MessageStatus::Delivered));
        }
    }
}

#[test]
fn a_sender_killed_at_any_output_loses_and_doubles_nothing_on_first_contact() {
    sender_killed(paired);
}

#[test]
fn a_sender_killed_at_any_output_loses_and_doubles_nothing_later() {
    sender_killed(acquainted);
}

#[test]
fn a_receiver_killed_at_any_output_loses_and_doubles_nothing() {
    for kill_after in 0..16 {
        let mut world = paired();
        world.stop(ADA);
        let ids = ["one", "two", "three"].map(|text| world.send(BOB, "ada", text));
        world.devices[ADA].kill_after = None;
        let device = &mut world.devices[ADA];
        device.client = crate::Client::load(&device.saved).unwrap();
        device.dead = false;
        device.kill_after = Some(kill_after);
        world.input(ADA, crate::Input::Started);
        world.run();
        world.start(ADA);
        world.pass(5_000);
        assert_eq!(world.read(ADA), ["one", "two", "three"], "killed after {kill_after} outputs");
        assert!(world.read(ADA).is_empty());
        for id in ids {
            let status = world.devices[BOB].client.status_of(&id);
            assert_eq!(status, Some(MessageStatus::Delivered), "killed after {kill_after} outputs");
        }
        let mailbox = world.devices[ADA].client.home().unwrap().mailbox;
        assert!(world.boxes[0].pending(&mailbox, world.now_ms).is_empty());
    }
}

#[test]
fn a_device_killed_while_it_joins_joins_when_it_starts_again() {
    for kill_after in 0..12 {
        let mut world = World::new(1, &[]);
        let who = world.add_device();
        world.devices[who].kill_after = Some(kill_after);
        let (now_ms, invitation) = (world.now_ms, world.invitation(0));
        let outputs = world.devices[who].client.join(now_ms, &mut world.rng, invitation, "ada").unwrap();
        assert_eq!(outputs.0.first(), Some(&Output::Save));
        world.carry_out(who, outputs);
        world.run();
        world.start(who);
        let joined = world.devices[who].client.home().is_some();
        assert_eq!(joined, kill_after > 0, "killed after {kill_after} outputs");
        assert_eq!(world.boxes[0].bundles.len(), usize::from(joined));
    }
}

#[test]
fn nothing_that_depends_on_new_state_leaves_before_it_is_saved() {
    let mut world = paired();
    let now_ms = world.now_ms;
    let done = world.devices[BOB].client.send(now_ms, &mut world.rng, "ada", "x", SendOptions::default()).unwrap();
    let outputs = done.outputs.0;
    assert_eq!(outputs.first(), Some(&Output::Save));
    assert_eq!(outputs.iter().filter(|output| **output == Output::Save).count(), 1);
}

#[test]
fn a_message_that_was_saved_and_not_shown_is_shown_after_the_next_start() {
    let mut world = acquainted();
    world.send(BOB, "ada", "unseen");
    world.kill(ADA);
    world.start(ADA);
    assert_eq!(world.read(ADA), ["unseen"]);
    world.kill(ADA);
    world.start(ADA);
    assert!(world.read(ADA).is_empty());
}
