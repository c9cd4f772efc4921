//! Long absences: what waits, how it says so, and when it ends.

use super::world::{HOUR, World};
use super::{ADA, BOB, acquainted};
use crate::{Input, MessageStatus, Notice, WaitReason};

const DAY: u64 = 24 * HOUR;

fn texts(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| format!("message {number}")).collect()
}

/// A program that is started, does what it can, and ends.
fn looks_in(world: &mut World, who: usize) -> Vec<String> {
    world.start(who);
    world.pass(5_000);
    let read = world.read(who);
    world.stop(who);
    read
}

#[test]
fn who_was_away_for_three_days_gets_everything_once_though_its_sender_was_there_only_now_and_then() {
    let mut world = acquainted();
    world.stop(ADA);
    for (visit, hours) in [0, 3, 9, 9, 20, 31].into_iter().enumerate() {
        world.pass(hours * HOUR);
        world.start(BOB);
        let number = u32::try_from(visit).unwrap();
        for text in texts(number * 3..number * 3 + 3) {
            world.send(BOB, "ada", &text);
        }
        world.stop(BOB);
    }
    world.pass(HOUR);
    let at_once = looks_in(&mut world, ADA);
    assert_eq!(at_once, texts(0..18), "all was with the box again, in order");
    looks_in(&mut world, BOB);
    assert_eq!(world.devices[BOB].client.summary(world.now_ms).unconfirmed, 0);
    assert!(looks_in(&mut world, ADA).is_empty(), "and never again");
}

#[test]
fn two_people_whose_hours_never_overlap_reach_each_other_by_a_wake_up() {
    let mut world = acquainted();
    world.stop(ADA);
    world.stop(BOB);
    // Ada is there at eight in the morning, Bob at eight in the evening, ten minutes each.
    world.start(BOB);
    let id = world.send(BOB, "ada", "good evening");
    world.stop(BOB);
    world.pass(12 * HOUR);
    world.start(ADA);
    world.pass(60_000);
    assert!(world.read(ADA).is_empty(), "the box has forgotten it");
    // Her `back` had urgency wake: Bob's device is woken in its sleep, and does what it can in a minute.
    assert!(world.devices[ADA].woke > 0);
    world.start(BOB);
    world.input(BOB, Input::WokenUp);
    world.pass(30_000);
    world.stop(BOB);
    assert_eq!(world.read(ADA), ["good evening"]);
    world.pass(5_000);
    world.stop(ADA);
    world.pass(5 * HOUR);
    world.start(BOB);
    assert_eq!(world.devices[BOB].client.status_of(&id), Some(MessageStatus::Delivered));
}

#[test]
fn two_people_whose_hours_never_overlap_reach_each_other_by_one_meeting() {
    let mut world = acquainted();
    world.stop(ADA);
    let id = world.send(BOB, "ada", "shall we meet?");
    world.stop(BOB);
    for _ in 0..10 {
        world.pass(12 * HOUR);
        assert!(looks_in(&mut world, ADA).is_empty());
        world.pass(12 * HOUR);
        assert!(looks_in(&mut world, BOB).is_empty());
    }
    let status = world.devices[BOB].client.status_of(&id);
    assert!(matches!(status, Some(MessageStatus::Kept { sent_again: 10, .. })), "{status:?}");
    world.start(ADA);
    world.start(BOB);
    world.pass(5_000);
    assert_eq!(world.read(ADA), ["shall we meet?"]);
    assert_eq!(world.devices[BOB].client.status_of(&id), Some(MessageStatus::Delivered));
}

#[test]
fn a_wake_up_tries_a_box_at_once_that_could_not_be_reached() {
    let mut world = acquainted();
    world.take_down(0);
    world.send(BOB, "ada", "hello?");
    world.pass(HOUR);
    world.boxes[0].up = true;
    world.input(BOB, Input::WokenUp);
    world.input(ADA, Input::WokenUp);
    world.run();
    assert_eq!(world.read(ADA), ["hello?"]);
}

#[test]
fn receipts_that_expire_again_and_again_cost_copies_and_show_nothing_twice() {
    let mut world = acquainted();
    world.stop(BOB);
    world.start(BOB);
    let id = world.send(BOB, "ada", "did you get this?");
    // Ada reads it while Bob's program is gone; her receipt expires before he is back. Four days long.
    world.kill(BOB);
    assert_eq!(world.read(ADA), ["did you get this?"]);
    for _ in 0..4 {
        world.pass(DAY);
        world.boxes[0].mail.clear();
        world.start(BOB);
        world.kill(BOB);
        world.pass(60_000);
        assert!(world.read(ADA).is_empty(), "shown once");
    }
    world.pass(DAY);
    world.start(BOB);
    world.pass(5_000);
    assert_eq!(world.devices[BOB].client.status_of(&id), Some(MessageStatus::Delivered));
}

#[test]
fn deadlines_that_a_box_cuts_count_and_not_those_that_were_asked_for() {
    let mut world = acquainted();
    world.stop(ADA);
    world.boxes[0].ttl_max = std::time::Duration::from_secs(3600);
    let before = world.boxes[0].accepted.len();
    let id = world.send(BOB, "ada", "an hour at most");
    let until = world.now_ms + HOUR;
    let status = world.devices[BOB].client.status_of(&id);
    assert!(matches!(status, Some(MessageStatus::Kept { until_ms, .. }) if until_ms <= until), "{status:?}");
    world.pass(HOUR + 60_000);
    assert_eq!(world.boxes[0].accepted.len() - before, 2, "sent again after that hour");
}

#[test]
fn what_is_given_up_says_when_the_contact_was_seen_last() {
    let mut world = acquainted();
    let seen = world.devices[BOB].client.contact("ada").unwrap().last_seen_ms;
    assert!(seen.is_some_and(|seen| seen <= world.now_ms && seen + 60_000 > world.now_ms), "{seen:?}");
    world.stop(ADA);
    let id = world.send(BOB, "ada", "anybody?");
    world.pass(15 * DAY);
    let status = world.devices[BOB].client.status_of(&id);
    assert_eq!(status, Some(MessageStatus::GivenUp { last_seen_ms: seen }));
    let given_up = |notice: &Notice| matches!(notice, Notice::GivenUp { last_seen_ms, .. } if *last_seen_ms == seen);
    assert!(world.has_notice(BOB, given_up));
    assert_eq!(world.devices[BOB].client.given_up(world.now_ms).len(), 1);
}

#[test]
fn a_receipt_that_comes_after_a_message_was_given_up_still_counts() {
    let mut world = acquainted();
    world.stop(ADA);
    let id = world.send(BOB, "ada", "anybody?");
    world.pass(14 * DAY - HOUR);
    let bob = world.devices[BOB].saved.clone();
    world.kill(BOB);
    world.start(ADA);
    assert_eq!(world.read(ADA), ["anybody?"]);
    world.devices[BOB].saved = bob;
    world.boxes[0].mail.clear();
    world.pass(2 * DAY);
    world.start(BOB);
    assert!(matches!(world.devices[BOB].client.status_of(&id), Some(MessageStatus::GivenUp { .. })));
    // Ada's device confirms it once more, for whatever reason.
    let bobs = world.devices[ADA].client.state.peers[0].device;
    world.devices[ADA].client.confirm(&bobs, id, false);
    world.input(ADA, Input::Timeout);
    world.pass(5_000);
    assert_eq!(world.devices[BOB].client.status_of(&id), Some(MessageStatus::Delivered));
}

#[test]
fn a_box_that_lost_its_memory_is_waited_for_until_the_contacts_device_has_told_it_whom_it_takes() {
    let mut world = acquainted();
    world.stop(ADA);
    let kept = world.send(BOB, "ada", "before");
    world.take_down(0);
    let the_box = &mut world.boxes[0];
    the_box.mail.clear();
    the_box.tokens.clear();
    the_box.bundles.clear();
    the_box.epoch = 2;
    the_box.knows_lists = false;
    the_box.up = true;
    world.pass(600_000);
    let id = world.send(BOB, "ada", "after");
    for id in [kept, id] {
        let status = world.devices[BOB].client.status_of(&id);
        let why = WaitReason::BoxForgot;
        assert!(matches!(status, Some(MessageStatus::Outbox { why: got, .. }) if got == why), "{status:?}");
    }
    let submitted = world.boxes[0].submitted;
    world.pass(2 * DAY);
    assert_eq!(world.boxes[0].submitted, submitted);
    world.boxes[0].knows_lists = false;
    world.start(ADA);
    world.pass(20 * 60_000);
    assert_eq!(world.read(ADA), ["before", "after"], "in order");
    // A token that this very memory took is another matter: it was taken back.
    world.boxes[0].tokens.clear();
    let id = world.send(BOB, "ada", "hello?");
    assert!(matches!(world.devices[BOB].client.status_of(&id), Some(MessageStatus::Refused { .. })));
}

#[test]
fn a_message_with_an_hour_to_live_is_neither_kept_nor_sent_again_after_that_hour() {
    let mut world = acquainted();
    world.stop(ADA);
    let ttl = Some(std::time::Duration::from_secs(3600));
    let id = world.send_with(BOB, "ada", "this hour only", crate::SendOptions { ttl, ..Default::default() });
    world.pass(HOUR + 1_000);
    let adas = world.devices[ADA].client.home().unwrap().mailbox;
    assert!(world.boxes[0].pending(&adas, world.now_ms).is_empty());
    let submitted = world.boxes[0].submitted;
    world.pass(3 * DAY);
    assert_eq!(world.boxes[0].submitted, submitted);
    assert!(matches!(world.devices[BOB].client.status_of(&id), None | Some(MessageStatus::Expired)));
}
