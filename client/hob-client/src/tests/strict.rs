use std::time::Duration;

use hob_protocol::code::{Code, Refused};

use super::world::World;
use super::{ADA, BOB, acquainted};
use crate::{MessageStatus, Notice, Path, SendOptions};

const STRICT: SendOptions = SendOptions { ttl: None, view_once: false, reply_to: None, strict: true };

fn kept(world: &World) -> usize {
    world.boxes[0].accepted.len()
}

#[test]
fn a_strict_message_is_passed_on_and_confirmed_and_no_box_ever_kept_a_byte_of_it() {
    let mut world = acquainted();
    let before = kept(&world);
    let id = world.send_with(BOB, "ada", "between us", STRICT);
    assert_eq!(world.read(ADA), ["between us"]);
    world.pass(3_000);
    assert_eq!(world.devices[BOB].client.status_of(&id), Some(MessageStatus::Delivered));
    assert_eq!(kept(&world), before, "neither the message nor its receipt");
    assert_eq!(world.boxes[0].passed_on.len(), 2);
    let history = world.devices[ADA].client.history(world.now_ms, "bob", 9).unwrap();
    assert_eq!(history.last().unwrap().path, Path::Unkept);
}

#[test]
fn a_strict_message_to_somebody_who_is_away_ends_after_a_minute_and_never_goes_again() {
    let mut world = acquainted();
    world.stop(ADA);
    let before = kept(&world);
    let id = world.send_with(BOB, "ada", "are you there?", STRICT);
    assert!(matches!(world.devices[BOB].client.status_of(&id), Some(MessageStatus::Offered { .. })));
    world.pass(30_000);
    world.start(ADA);
    world.pass(31_000);
    assert_eq!(world.devices[BOB].client.status_of(&id), Some(MessageStatus::NobodyThere));
    assert!(world.has_notice(BOB, |notice| matches!(notice, Notice::NobodyThere { message, .. } if *message == id)));
    world.pass(24 * super::world::HOUR);
    world.start(BOB);
    assert!(world.read(ADA).is_empty(), "she came half a minute later: it was never kept");
    assert_eq!(world.boxes[0].passed_on.len(), 1);
    let inner = world.boxes[0].accepted.len() - before;
    assert_eq!(inner, 0, "and nothing else was kept for it");
}

#[test]
fn a_strict_message_whose_answer_was_lost_does_not_go_a_second_time() {
    let mut world = acquainted();
    world.stop(ADA);
    let now_ms = world.now_ms;
    let done = world.devices[BOB].client.send(now_ms, &mut world.rng, "ada", "once", STRICT).unwrap();
    world.carry_out(BOB, done.outputs);
    // The frame has left; the program is killed before the answer.
    world.run();
    let offered = world.boxes[0].passed_on.len();
    world.kill(BOB);
    world.start(BOB);
    world.pass(5_000);
    assert_eq!(world.boxes[0].passed_on.len(), offered);
    world.pass(60_000);
    assert_eq!(world.devices[BOB].client.status_of(&done.value), Some(MessageStatus::NobodyThere));
}

#[test]
fn a_strict_message_that_no_box_could_be_given_ends_after_a_minute_too() {
    let mut world = acquainted();
    world.take_down(0);
    let id = world.send_with(BOB, "ada", "anybody?", STRICT);
    assert!(matches!(world.devices[BOB].client.status_of(&id), Some(MessageStatus::Outbox { .. })));
    world.pass(61_000);
    world.boxes[0].up = true;
    world.pass(600_000);
    assert_eq!(world.devices[BOB].client.status_of(&id), Some(MessageStatus::NobodyThere));
    assert_eq!(world.boxes[0].passed_on.len(), 0);
}

#[test]
fn a_box_that_is_too_busy_is_offered_a_strict_message_once_more_within_its_minute() {
    let mut world = acquainted();
    world.boxes[0].refuse_submits = Some(Refused::for_now(Code::TooFast, Duration::from_secs(5)));
    let id = world.send_with(BOB, "ada", "soon", STRICT);
    world.boxes[0].refuse_submits = None;
    world.pass(10_000);
    assert_eq!(world.read(ADA), ["soon"]);
    assert_eq!(world.devices[BOB].client.status_of(&id), Some(MessageStatus::Delivered));
}

#[test]
fn strictness_is_fixed_when_a_message_is_written_and_others_are_kept_as_ever() {
    let mut world = acquainted();
    world.stop(ADA);
    world.send_with(BOB, "ada", "strict", STRICT);
    let id = world.send(BOB, "ada", "not strict");
    assert!(matches!(world.devices[BOB].client.status_of(&id), Some(MessageStatus::Kept { .. })));
    world.pass(61_000);
    world.start(ADA);
    assert_eq!(world.read(ADA), ["not strict"]);
}
