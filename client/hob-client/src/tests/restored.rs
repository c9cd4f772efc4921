//! Boxes that were restored from a backup: who joined after it, and two boxes with one identity.

use hob_protocol::frame::ClientBody;

use super::world::{HOUR, World};
use super::{ADA, BOB};
use crate::{Link, MessageStatus, Notice};

fn two_at_one_box() -> World {
    let mut world = World::new(1, &[("ada", 0), ("bob", 0)]);
    world.add(BOB, ADA, "ada");
    world.send(BOB, "ada", "hello ada");
    world.send(ADA, "bob", "hello bob");
    world.pass(10_000);
    world.read(ADA);
    world.read(BOB);
    world
}

/// The box as it was before Ada joined, with a memory of its own.
fn restore_without_ada(world: &mut World) {
    let ada = world.devices[ADA].client.device_key();
    world.take_down(0);
    let the_box = &mut world.boxes[0];
    the_box.members.remove(&ada);
    the_box.tokens.clear();
    the_box.bundles.clear();
    the_box.mail.clear();
    the_box.epoch += 1000;
    the_box.sequence += 1000;
    the_box.knows_lists = false;
    the_box.up = true;
}

fn join(world: &mut World, who: usize) {
    let (now_ms, invitation) = (world.now_ms, world.invitation(0));
    let outputs = world.devices[who].client.join(now_ms, &mut world.rng, invitation, "ada").unwrap();
    world.carry_out(who, outputs);
    world.pass(10_000);
}

#[test]
fn a_device_that_the_restored_box_does_not_know_joins_again_and_its_contacts_reach_it_as_before() {
    let mut world = two_at_one_box();
    restore_without_ada(&mut world);
    let id = world.send(BOB, "ada", "are you there?");
    world.pass(HOUR);
    let refused = |notice: &Notice| matches!(notice, Notice::HomeRefused { why } if why.text().contains("invitation"));
    assert!(world.has_notice(ADA, refused), "the person is told what to do");
    assert!(!world.devices[ADA].client.is_online());
    join(&mut world, ADA);
    assert!(world.devices[ADA].client.is_online());
    world.pass(HOUR);
    assert_eq!(world.read(ADA), ["are you there?"]);
    world.pass(60_000);
    assert_eq!(world.devices[BOB].client.status_of(&id), Some(MessageStatus::Delivered));
    world.send(ADA, "bob", "again");
    world.pass(60_000);
    assert_eq!(world.read(BOB), ["again"]);
    assert!(world.devices[ADA].client.state.joining.is_none());
}

#[test]
fn an_invitation_that_was_not_needed_is_forgotten_and_never_used_later() {
    let mut world = two_at_one_box();
    world.take_down(0);
    join(&mut world, ADA);
    assert!(world.devices[ADA].client.state.joining.is_some(), "nobody said yet whether it is needed");
    world.boxes[0].up = true;
    world.pass(HOUR);
    assert!(world.devices[ADA].client.is_online());
    assert!(world.devices[ADA].client.state.joining.is_none());
    restore_without_ada(&mut world);
    let frames = world.devices[ADA].frames.len();
    world.pass(HOUR);
    let redeems = |frame: &hob_protocol::frame::ClientFrame| matches!(frame.body, ClientBody::Redeem { .. });
    assert!(!world.devices[ADA].frames[frames..].iter().any(redeems));
}

fn told_twice(world: &World, who: usize) -> usize {
    let twice = |notice: &&Notice| matches!(notice, Notice::BoxTwice { .. });
    world.devices[who].notices.iter().filter(twice).count()
}

/// The same box again, as it was or as it will be.
fn becomes(world: &mut World, epoch: u64, sequence: u64) {
    world.take_down(0);
    (world.boxes[0].epoch, world.boxes[0].sequence) = (epoch, sequence);
    world.boxes[0].up = true;
    world.pass(HOUR);
}

#[test]
fn two_boxes_with_one_identity_are_noticed_when_an_ended_epoch_comes_back_and_said_once() {
    let mut world = two_at_one_box();
    let (old, sequence) = (world.boxes[0].epoch, world.boxes[0].sequence);
    becomes(&mut world, old + 7, sequence + 1000);
    assert_eq!(told_twice(&world, ADA), 0, "a restore is no second box");
    becomes(&mut world, old, sequence + 1);
    assert_eq!(told_twice(&world, ADA), 1, "the old box is");
    let own = |notice: &Notice| matches!(notice, Notice::BoxTwice { link: Link::Owner });
    assert!(world.has_notice(ADA, own));
    for _ in 0..3 {
        becomes(&mut world, old + 7, sequence + 1001);
        becomes(&mut world, old, sequence + 2);
    }
    assert_eq!(told_twice(&world, ADA), 1, "once");
    becomes(&mut world, old + 8, sequence + 5000);
    becomes(&mut world, old + 7, sequence + 1002);
    assert_eq!(told_twice(&world, ADA), 2, "and again after another restore");
}

#[test]
fn an_older_copy_of_the_data_folder_is_noticed_by_its_address_record_and_so_is_a_contacts_box() {
    let mut world = two_at_one_box();
    let (epoch, sequence) = (world.boxes[0].epoch, world.boxes[0].sequence);
    becomes(&mut world, epoch, sequence + 5);
    becomes(&mut world, epoch, sequence + 5);
    assert_eq!(told_twice(&world, ADA), 0);
    becomes(&mut world, epoch, sequence + 4);
    assert_eq!(told_twice(&world, ADA), 1);
    // What was said is remembered over a restart of the client.
    world.stop(ADA);
    world.start(ADA);
    becomes(&mut world, epoch, sequence + 3);
    assert_eq!(told_twice(&world, ADA), 1);
    let mut world = World::new(2, &[("ada", 0), ("bob", 1)]);
    world.add(BOB, ADA, "ada");
    world.send(BOB, "ada", "hello ada");
    world.pass(10_000);
    let (epoch, sequence) = (world.boxes[0].epoch, world.boxes[0].sequence);
    for (epoch, sequence) in [(epoch + 1, sequence + 1000), (epoch, sequence + 1)] {
        becomes(&mut world, epoch, sequence);
        world.send(BOB, "ada", "and again");
        world.pass(60_000);
    }
    let contacts = |notice: &Notice| matches!(notice, Notice::BoxTwice { link: Link::Sender(_) });
    assert!(world.has_notice(BOB, contacts));
}
