//! Sessions that do not hold any more, from both sides: they heal by themselves, and nothing is lost or shown twice.

use super::world::{HOUR, World};
use super::{ADA, BOB, acquainted};
use crate::keys::Keys;
use crate::seal::middle::Middle;
use crate::seal::outer;
use crate::{Client, MessageStatus, Notice, SendOptions};

const NAMES: [&str; 2] = ["bob", "ada"];
const PAIRS: [(usize, usize); 2] = [(ADA, BOB), (BOB, ADA)];

/// A device is restored from what was saved earlier.
fn restore(world: &mut World, who: usize, saved: Vec<u8>) {
    world.kill(who);
    world.devices[who].saved = saved;
    world.start(who);
}

/// Both write; whatever has to be asked for or sent again is, within a day. Each has read the other's, once.
fn both_understand_each_other(world: &mut World) {
    let ids = [world.send(ADA, "bob", "from ada"), world.send(BOB, "ada", "from bob")];
    world.pass(7 * HOUR);
    for (who, other) in PAIRS {
        let expected = ["from ada", "from bob"][other];
        assert_eq!(world.read(who), [expected], "what {} reads", NAMES[other]);
        assert_eq!(world.devices[other].client.status_of(&ids[other]), Some(MessageStatus::Delivered));
    }
}

fn renewals_told(world: &World, who: usize) -> usize {
    world.devices[who].notices.iter().filter(|notice| matches!(notice, Notice::SessionRenewed { .. })).count()
}

/// A conversation of some length each way.
fn talk(world: &mut World, rounds: usize) {
    for round in 0..rounds {
        world.send(ADA, "bob", &format!("ada {round}"));
        world.send(BOB, "ada", &format!("bob {round}"));
        world.pass(10_000);
        world.read(ADA);
        world.read(BOB);
    }
}

#[test]
fn a_device_that_is_restored_from_yesterday_understands_and_is_understood() {
    for (restored, other) in PAIRS {
        let mut world = acquainted();
        let saved = world.devices[restored].saved.clone();
        for _ in 0..4 {
            talk(&mut world, 2);
            world.pass(6 * HOUR);
        }
        // While it is down, the other one writes by the session as it was.
        world.kill(restored);
        let id = world.send(other, NAMES[other], "sealed to what was lost");
        restore(&mut world, restored, saved);
        world.pass(7 * HOUR);
        let read = world.read(restored);
        assert_eq!(read.iter().filter(|text| *text == "sealed to what was lost").count(), 1, "{read:?}");
        assert_eq!(world.devices[other].client.status_of(&id), Some(MessageStatus::Delivered));
        world.read(other);
        both_understand_each_other(&mut world);
        for who in [ADA, BOB] {
            assert!(renewals_told(&world, who) <= 3, "a line a day at most");
        }
    }
}

#[test]
fn a_restored_device_uses_no_message_key_a_second_time() {
    let mut world = acquainted();
    let saved = world.devices[ADA].saved.clone();
    talk(&mut world, 3);
    world.pass(7 * HOUR);
    let before = world.boxes[0].accepted.len();
    restore(&mut world, ADA, saved.clone());
    world.send(ADA, "bob", "by a new session");
    world.pass(5_000);
    let old: Vec<[u8; 32]> = Client::load(&saved).unwrap().state.peers[0].sessions.iter().map(|one| one.id).collect();
    let bob = &world.devices[BOB].client;
    let mailbox = bob.home().unwrap().mailbox;
    let sent = world.boxes[0].accepted[before..].iter().filter(|(to, _)| *to == mailbox);
    let sessions: Vec<[u8; 32]> = sent
        .map(|(_, envelope)| {
            let secret = |id| bob.state.keys.prekey_secret(id);
            let opened = outer::open_envelope(&bob.device_key(), secret, envelope).unwrap();
            Middle::decode(&opened).unwrap().session
        })
        .collect();
    assert!(sessions.len() >= 2, "her `back`, and the message");
    assert!(sessions.iter().all(|session| !old.contains(session)));
}

#[test]
fn a_device_that_is_restored_from_an_hour_ago_understands_and_is_understood() {
    for (restored, other) in PAIRS {
        let mut world = acquainted();
        let saved = world.devices[restored].saved.clone();
        world.pass(HOUR);
        talk(&mut world, 3);
        restore(&mut world, restored, saved);
        // An hour is no absence: nothing tells it that its state is older than what it said.
        both_understand_each_other(&mut world);
        let _ = other;
        both_understand_each_other(&mut world);
    }
}

#[test]
fn lost_sessions_heal_whoever_writes_first() {
    for (lost, other) in PAIRS {
        for first in [lost, other] {
            let mut world = acquainted();
            talk(&mut world, 2);
            world.devices[lost].client.state.peers[0].sessions.clear();
            let id = world.send(first, NAMES[first], "first");
            world.pass(60_000);
            assert_eq!(world.devices[first].client.status_of(&id), Some(MessageStatus::Delivered));
            assert_eq!(world.read(1 - first), ["first"]);
            both_understand_each_other(&mut world);
        }
    }
}

#[test]
fn a_ratchet_that_is_too_far_ahead_is_left_behind_by_both() {
    for (ahead, other) in PAIRS {
        let mut world = acquainted();
        talk(&mut world, 2);
        // More than the library skips at once.
        for _ in 0..2_100 {
            world.devices[ahead].client.state.peers[0].sessions[0].encrypt(b"never sent").unwrap();
        }
        let id = world.send(ahead, NAMES[ahead], "far ahead");
        world.pass(60_000);
        assert_eq!(world.read(other), ["far ahead"]);
        assert_eq!(world.devices[ahead].client.status_of(&id), Some(MessageStatus::Delivered));
        assert_eq!((renewals_told(&world, ahead), renewals_told(&world, other)), (1, 1), "one line each");
        both_understand_each_other(&mut world);
    }
}

#[test]
fn five_hundred_messages_that_wait_open_in_whatever_order_they_come() {
    let mut world = acquainted();
    talk(&mut world, 1);
    world.stop(ADA);
    world.lazy_saves = true;
    let number = |range: std::ops::Range<usize>| -> Vec<String> { range.map(|n| format!("message {n}")).collect() };
    for text in number(0..250) {
        world.send(BOB, "ada", &text);
    }
    world.pass(4 * HOUR);
    for text in number(250..500) {
        world.send(BOB, "ada", &text);
    }
    // The first half has expired, the second is still there, and Bob's program is gone.
    world.kill(BOB);
    world.pass(2 * HOUR);
    world.start(ADA);
    assert_eq!(world.read(ADA), number(250..500));
    world.start(BOB);
    world.pass(60_000);
    assert_eq!(world.read(ADA), number(0..250), "250 keys were skipped, and none was lost");
    assert_eq!(world.devices[BOB].client.summary(world.now_ms).unconfirmed, 0);
    assert_eq!(renewals_told(&world, ADA) + renewals_told(&world, BOB), 0, "nothing had to be asked for");
}

#[test]
fn five_hundred_messages_to_a_lost_session_heal_by_a_handful_of_requests() {
    let mut world = acquainted();
    talk(&mut world, 1);
    world.stop(ADA);
    world.lazy_saves = true;
    for number in 0..500 {
        world.send(BOB, "ada", &format!("message {number}"));
    }
    let mut ada = Client::load(&world.devices[ADA].saved).unwrap();
    ada.state.peers[0].sessions.clear();
    world.devices[ADA].saved = ada.save().to_vec();
    let bobs = world.devices[BOB].client.home().unwrap().mailbox;
    let before = world.boxes[0].accepted.iter().filter(|(to, _)| *to == bobs).count();
    world.start(ADA);
    world.pass(120_000);
    let mut read = world.read(ADA);
    read.sort();
    read.dedup();
    assert_eq!(read.len(), 500);
    assert_eq!(world.devices[BOB].client.summary(world.now_ms).unconfirmed, 0);
    let to_bob = world.boxes[0].accepted.iter().filter(|(to, _)| *to == bobs).count() - before;
    println!("healing 500 messages took {to_bob} envelopes to their sender");
    assert!(to_bob <= 20, "requests and receipts together: {to_bob}");
    assert_eq!((renewals_told(&world, ADA), renewals_told(&world, BOB)), (1, 1));
}

/// The device's Olm account is another one from now on, certified by the same keys.
fn new_olm_identity(world: &mut World, who: usize) {
    let fresh = Keys::generate(world.now_ms, &mut world.rng);
    let state = &mut world.devices[who].client.state;
    let old = std::mem::replace(&mut state.keys, fresh);
    state.keys.device = old.device.clone();
    state.keys.member = old.member.clone();
    for peer in &mut state.peers {
        peer.sessions.clear();
    }
    let saved = world.devices[who].client.save().to_vec();
    restore(world, who, saved);
}

#[test]
fn a_new_olm_identity_of_the_same_device_is_told_loudly_and_taken() {
    for (changed, other) in PAIRS {
        for first in [changed, other] {
            let mut world = acquainted();
            talk(&mut world, 2);
            world.stop(changed);
            let waiting = world.send(other, NAMES[other], "sealed to the old one");
            new_olm_identity(&mut world, changed);
            world.send(first, NAMES[first], "hello again");
            world.pass(7 * HOUR);
            assert_eq!(world.devices[other].client.status_of(&waiting), Some(MessageStatus::Delivered));
            let mut read = [world.read(changed), world.read(other)].concat();
            read.sort();
            assert_eq!(read, ["hello again", "sealed to the old one"]);
            let renewed = world.devices[other].notices.iter();
            let renewed = renewed.filter(|notice| matches!(notice, Notice::KeysRenewed { .. })).count();
            assert_eq!(renewed, 1, "said once");
            both_understand_each_other(&mut world);
        }
    }
}

/// The device is certified by another member key from now on.
fn new_member_key(world: &mut World, who: usize) {
    let fresh = Keys::generate(world.now_ms, &mut world.rng);
    let state = &mut world.devices[who].client.state;
    state.keys.member = fresh.member.clone();
    // What the box hands out names the old one.
    state.keys.renew(&mut world.rng);
    let saved = world.devices[who].client.save().to_vec();
    restore(world, who, saved);
    world.pass(60_000);
}

#[test]
fn a_new_member_key_of_a_contact_who_was_never_verified_is_told_loudly_and_taken() {
    for (changed, other) in PAIRS {
        for first in [changed, other] {
            let mut world = acquainted();
            talk(&mut world, 2);
            world.stop(changed);
            let waiting = world.send(other, NAMES[other], "for the old member");
            new_member_key(&mut world, changed);
            world.send(first, NAMES[first], "hello again");
            world.pass(7 * HOUR);
            assert_eq!(world.devices[other].client.status_of(&waiting), Some(MessageStatus::Delivered));
            let mut read = [world.read(changed), world.read(other)].concat();
            read.sort();
            assert_eq!(read, ["for the old member", "hello again"]);
            let mine = world.devices[changed].client.member_key();
            let theirs = world.devices[other].client.contact(NAMES[other]).unwrap().member_key;
            assert_eq!(mine, theirs);
            assert!(world.has_notice(other, |notice| matches!(notice, Notice::KeysRenewed { .. })));
            both_understand_each_other(&mut world);
        }
    }
}

#[test]
fn a_new_member_key_of_a_verified_contact_gets_nothing_until_the_numbers_were_compared_again() {
    let mut world = acquainted();
    let now_ms = world.now_ms;
    let outputs = world.devices[BOB].client.confirm_verified(now_ms, &mut world.rng, "ada").unwrap();
    world.carry_out(BOB, outputs);
    new_member_key(&mut world, ADA);
    world.pass(HOUR);
    let id = world.send(BOB, "ada", "is it you?");
    let from_ada = world.send(ADA, "bob", "it is me");
    world.pass(HOUR);
    assert!(world.has_notice(BOB, |notice| matches!(notice, Notice::KeysChanged { .. })), "said loudly");
    let told = world.devices[BOB].notices.iter().filter(|notice| matches!(notice, Notice::KeysChanged { .. })).count();
    assert_eq!(told, 1, "and once");
    assert!(world.read(BOB).is_empty() && world.read(ADA).is_empty());
    let status = world.devices[BOB].client.status_of(&id);
    let why = crate::WaitReason::KeysChanged;
    assert!(matches!(status, Some(MessageStatus::Outbox { why: got, .. }) if got == why), "{status:?}");
    // They read the numbers to each other: Bob's shows the new key, and fits Ada's.
    let numbers = |who: usize, name: &str| world.devices[who].client.safety_number(name).unwrap().digits;
    assert_eq!(numbers(BOB, "ada"), numbers(ADA, "bob"));
    let now_ms = world.now_ms;
    let outputs = world.devices[BOB].client.confirm_verified(now_ms, &mut world.rng, "ada").unwrap();
    world.carry_out(BOB, outputs);
    world.pass(7 * HOUR);
    assert_eq!(world.read(ADA), ["is it you?"]);
    assert_eq!(world.read(BOB), ["it is me"]);
    assert_eq!(world.devices[ADA].client.status_of(&from_ada), Some(MessageStatus::Delivered));
    assert!(world.devices[BOB].client.contact("ada").unwrap().verified);
}

#[test]
fn a_wiped_contact_with_a_fresh_code_takes_the_old_ones_place_and_gets_what_waited() {
    let mut world = acquainted();
    let now_ms = world.now_ms;
    let outputs = world.devices[BOB].client.confirm_verified(now_ms, &mut world.rng, "ada").unwrap();
    world.carry_out(BOB, outputs);
    world.stop(ADA);
    let id = world.send(BOB, "ada", "where are you?");
    let new = world.add_device();
    let invitation = world.invitation(0);
    let outputs = world.devices[new].client.join(now_ms, &mut world.rng, invitation, "ada").unwrap();
    world.carry_out(new, outputs);
    world.run();
    let code = world.devices[new].client.show_contact_code(now_ms, &mut world.rng).unwrap();
    world.carry_out(new, code.outputs);
    world.run();
    let bob = &mut world.devices[BOB].client;
    assert!(bob.add_contact(now_ms, &mut world.rng, &code.value, "ada").is_err(), "not without saying so");
    let history = bob.history(now_ms, "ada", 99).unwrap().len();
    let outputs = bob.replace_contact(now_ms, &mut world.rng, &code.value, "ada").unwrap();
    world.carry_out(BOB, outputs);
    world.pass(60_000);
    assert_eq!(world.read(new), ["where are you?"]);
    let bob = &world.devices[BOB].client;
    assert_eq!(bob.status_of(&id), Some(MessageStatus::Delivered));
    assert!(!bob.contact("ada").unwrap().verified, "new keys, to be compared");
    assert_eq!(bob.history(world.now_ms, "ada", 99).unwrap().len(), history, "the conversation stays");
    world.send(new, "bob", "here I am");
    assert_eq!(world.read(BOB), ["here I am"]);
}

#[test]
fn two_clients_that_understand_nothing_of_each_other_fall_silent() {
    let mut world = acquainted();
    talk(&mut world, 1);
    world.garble = true;
    world.send(ADA, "bob", "do you read me?");
    world.send(BOB, "ada", "do you read me?");
    let mut most = 0;
    for day in 0..3 {
        let before = world.boxes[0].accepted.len();
        world.pass(24 * HOUR);
        let envelopes = world.boxes[0].accepted.len() - before;
        most = most.max(envelopes);
        println!("day {day}: {envelopes} envelopes between two clients that cannot understand each other");
    }
    // 30 requests each way, and each message five times a day and three times afresh.
    assert!(most <= 2 * (30 + 5 + 3), "{most}");
    for who in [ADA, BOB] {
        assert!(world.read(who).is_empty());
        assert!(world.devices[who].client.state.outbox.len() <= 3);
        assert!(renewals_told(&world, who) <= 4, "a line a day at most");
    }
    world.garble = false;
    world.pass(13 * HOUR);
    for who in [ADA, BOB] {
        assert_eq!(world.read(who), ["do you read me?"], "once they can, they do");
    }
    both_understand_each_other(&mut world);
}

#[test]
fn a_lost_retry_request_costs_time_and_not_the_message() {
    let mut world = acquainted();
    world.stop(ADA);
    let id = world.send(BOB, "ada", "asked for twice");
    let mut ada = Client::load(&world.devices[ADA].saved).unwrap();
    ada.state.peers[0].sessions.clear();
    world.devices[ADA].saved = ada.save().to_vec();
    world.kill(BOB);
    world.start(ADA);
    world.pass(60_000);
    world.boxes[0].mail.clear();
    world.stop(ADA);
    world.pass(7 * HOUR);
    world.start(BOB);
    world.pass(60_000);
    world.start(ADA);
    world.pass(60_000);
    assert_eq!(world.read(ADA), ["asked for twice"]);
    assert_eq!(world.devices[BOB].client.status_of(&id), Some(MessageStatus::Delivered));
}

#[test]
fn a_view_once_message_that_cannot_be_opened_is_encrypted_afresh_too() {
    let mut world = acquainted();
    world.stop(ADA);
    let mut ada = Client::load(&world.devices[ADA].saved).unwrap();
    ada.state.peers[0].sessions.clear();
    world.devices[ADA].saved = ada.save().to_vec();
    world.send_with(BOB, "ada", "burn this", SendOptions { view_once: true, ..SendOptions::default() });
    world.start(ADA);
    world.pass(60_000);
    assert_eq!(world.read(ADA), ["burn this"]);
}
