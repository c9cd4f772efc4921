//! Contacts on other boxes: boxes that move, that are down, and others in their place.

use std::time::Duration;

use hob_protocol::address::{Address, AddressRecord};
use hob_protocol::frame::ClientBody;
use hob_protocol::invitation::Invitation;

use super::world::{HOUR, World};
use super::{ADA, BOB};
use crate::{CommandError, MessageStatus, Notice, WaitReason};

/// Ada at the first box, Bob at the second; each has heard of the other.
fn at_two_boxes() -> World {
    let mut world = World::new(2, &[("ada", 0), ("bob", 1)]);
    world.add(BOB, ADA, "ada");
    world.send(BOB, "ada", "hello ada");
    world.send(ADA, "bob", "hello bob");
    world.pass(10_000);
    world.read(ADA);
    world.read(BOB);
    world
}

fn name_home(world: &mut World, who: usize, address: &str) {
    let (now_ms, address) = (world.now_ms, Address::parse(address).unwrap());
    let outputs = world.devices[who].client.name_home_addresses(now_ms, &mut world.rng, vec![address]).unwrap();
    world.carry_out(who, outputs);
    world.pass(10_000);
}

#[test]
fn a_contact_is_found_at_the_new_address_of_a_box_that_moved() {
    let mut world = at_two_boxes();
    world.take_down(0);
    world.boxes[0].move_to("new.example:1");
    world.boxes[0].up = true;
    let id = world.send(BOB, "ada", "where are you?");
    world.pass(HOUR);
    let status = world.devices[BOB].client.status_of(&id);
    assert!(matches!(status, Some(MessageStatus::Outbox { why: WaitReason::NotConnected, .. })), "{status:?}");
    // Ada is told by her keeper; the box signs what she heard; her contacts hear it from her.
    name_home(&mut world, ADA, "new.example:1");
    world.pass(60_000);
    assert_eq!(world.read(ADA), ["where are you?"]);
    world.pass(10_000);
    assert_eq!(world.devices[BOB].client.status_of(&id), Some(MessageStatus::Delivered));
    let waiting = &world.devices[ADA].client.state.outbox;
    assert!(waiting.is_empty(), "the record was confirmed");
    let to_bobs_box = world.boxes[1].accepted.len();
    world.pass(24 * HOUR);
    assert_eq!(world.boxes[1].accepted.len(), to_bobs_box, "told once");
}

#[test]
fn a_contact_who_is_away_for_days_while_a_box_moves_hears_of_it_when_he_is_back() {
    let mut world = at_two_boxes();
    world.stop(BOB);
    world.take_down(0);
    world.boxes[0].move_to("new.example:1");
    world.boxes[0].up = true;
    name_home(&mut world, ADA, "new.example:1");
    world.pass(72 * HOUR);
    world.start(BOB);
    world.pass(10_000);
    world.send(BOB, "ada", "found you");
    assert_eq!(world.read(ADA), ["found you"]);
}

#[test]
fn a_fresh_invitation_of_the_same_box_says_where_it_is_and_is_not_used_up() {
    let mut world = at_two_boxes();
    world.take_down(0);
    world.boxes[0].move_to("new.example:1");
    world.boxes[0].up = true;
    let addresses = world.boxes[0].addresses.clone();
    let invitation = Invitation { addresses, ..world.invitation(0) };
    let now_ms = world.now_ms;
    let frames = world.devices[ADA].frames.len();
    let outputs = world.devices[ADA].client.join(now_ms, &mut world.rng, invitation, "ada").unwrap();
    world.carry_out(ADA, outputs);
    world.pass(10_000);
    assert!(world.devices[ADA].client.is_online());
    let redeems = |frame: &hob_protocol::frame::ClientFrame| matches!(frame.body, ClientBody::Redeem { .. });
    assert!(!world.devices[ADA].frames[frames..].iter().any(redeems));
    let other = world.invitation(1);
    let refused = world.devices[ADA].client.join(now_ms, &mut world.rng, other, "ada");
    assert_eq!(refused.unwrap_err(), CommandError::AlreadyJoined);
}

#[test]
fn another_box_at_the_old_address_gets_nothing_and_is_said_loudly_once() {
    let mut world = at_two_boxes();
    world.take_down(0);
    let old = world.boxes[0].addresses[0].clone();
    world.boxes[1].squats = Some(old);
    let frames = world.devices[BOB].frames.len();
    let id = world.send(BOB, "ada", "for ada only");
    world.pass(3 * HOUR);
    let loud = |notice: &&Notice| matches!(notice, Notice::BoxIdentityChanged { .. });
    assert_eq!(world.devices[BOB].notices.iter().filter(loud).count(), 1);
    let sent = &world.devices[BOB].frames[frames..];
    let secret = |frame: &&hob_protocol::frame::ClientFrame| !matches!(frame.body, ClientBody::Ping);
    assert_eq!(sent.iter().filter(secret).count(), 0, "no token, no envelope");
    let status = world.devices[BOB].client.status_of(&id);
    assert!(matches!(status, Some(MessageStatus::Outbox { why: WaitReason::WrongBox, .. })), "{status:?}");
    world.boxes[1].squats = None;
    world.boxes[0].up = true;
    world.pass(HOUR);
    assert_eq!(world.read(ADA), ["for ada only"]);
}

#[test]
fn only_what_the_box_signed_and_only_what_is_newer_moves_a_contact() {
    let mut world = at_two_boxes();
    let adas = world.devices[ADA].client.device_key();
    let known = world.devices[BOB].client.state.peer(&adas).unwrap().addresses.clone();
    let evil = vec![Address::parse("evil.example:1").unwrap()];
    let forged = AddressRecord::sign(&world.boxes[1].key, evil.clone(), 99, u64::MAX);
    let old = AddressRecord::sign(&world.boxes[0].key, evil.clone(), 1, u64::MAX);
    for record in [&forged, &old] {
        let bytes = prost::Message::encode_to_vec(&record.to_wire());
        let now_ms = world.now_ms;
        let step = crate::client::Step::new(now_ms, &mut world.rng);
        world.devices[BOB].client.box_has_moved(&adas, &bytes, &step);
    }
    assert_eq!(world.devices[BOB].client.state.peer(&adas).unwrap().addresses, known);
    let real = AddressRecord::sign(&world.boxes[0].key, evil.clone(), 9, u64::MAX);
    let bytes = prost::Message::encode_to_vec(&real.to_wire());
    let step = crate::client::Step::new(world.now_ms, &mut world.rng);
    world.devices[BOB].client.box_has_moved(&adas, &bytes, &step);
    assert_eq!(world.devices[BOB].client.state.peer(&adas).unwrap().addresses, evil);
}

#[test]
fn a_box_that_restarts_a_hundred_times_with_the_same_addresses_is_no_news_to_anybody() {
    let mut world = at_two_boxes();
    let to_bobs_box = world.boxes[1].accepted.len();
    for _ in 0..100 {
        world.take_down(0);
        world.boxes[0].sequence += 1;
        world.boxes[0].up = true;
        world.pass(Duration::from_secs(600).as_millis().try_into().unwrap());
    }
    assert_eq!(world.boxes[1].accepted.len(), to_bobs_box);
    // And one that moves a hundred times while Bob is away leaves one record for him, not a hundred.
    world.stop(BOB);
    for number in 1..=100 {
        world.take_down(0);
        world.boxes[0].addresses = vec![Address::parse(&format!("place-{number}.example:1")).unwrap()];
        world.boxes[0].sequence += 1;
        world.boxes[0].up = true;
        world.pass(600_000);
    }
    let waiting = world.devices[ADA].client.state.outbox.len();
    println!("100 moves leave {waiting} entries in the outbox");
    assert_eq!(waiting, 1);
    world.start(BOB);
    world.pass(10_000);
    let adas = world.devices[ADA].client.device_key();
    let known = &world.devices[BOB].client.state.peer(&adas).unwrap().addresses;
    assert_eq!(known[0].as_str(), "place-100.example:1");
}
