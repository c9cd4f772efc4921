//! Hostile contacts who do the same thing thousands of times: everything is bounded, and the figures are printed.

use hob_protocol::ids::MemberKey;

use super::world::HOUR;
use super::{ADA, BOB, acquainted};
use crate::Link;
use crate::client::Step;
use crate::seen::Seen;

#[test]
fn thousands_of_retry_requests_encrypt_each_message_three_times_at_most() {
    let mut world = acquainted();
    world.stop(ADA);
    for number in 0..20 {
        world.send(BOB, "ada", &format!("message {number}"));
    }
    let adas = world.devices[ADA].client.device_key();
    let (mut afresh, mut looked_at) = (0, 0);
    for _ in 0..5_000 {
        let bob = &mut world.devices[BOB].client;
        let hashes: Vec<[u8; 32]> = bob
            .state
            .outbox
            .iter()
            .filter_map(|entry| entry.inner.as_ref())
            .map(|inner| *blake3::hash(&inner.bytes).as_bytes())
            .collect();
        let before: u32 = bob.state.outbox.iter().map(|entry| entry.retries).sum();
        let mut step = Step::new(world.now_ms, &mut world.rng);
        bob.retries_wanted(&adas, &hashes, &mut step);
        let after: u32 = bob.state.outbox.iter().map(|entry| entry.retries).sum();
        afresh += after - before;
        looked_at += u32::from(after > before);
        if after > before {
            world.input(BOB, crate::Input::Timeout);
            world.pass(100);
        }
    }
    println!("5,000 retry requests: {looked_at} obeyed, {afresh} messages encrypted afresh");
    assert_eq!(afresh, 3 * 20);
    assert!(world.devices[BOB].client.state.outbox.iter().all(|entry| entry.retries <= 3));
}

#[test]
fn ten_thousand_backs_move_a_contact_once_in_ten_minutes() {
    let mut world = acquainted();
    let bobs = world.devices[BOB].client.device_key();
    let link = Link::Sender(world.boxes[0].identity());
    let mut moved = 0;
    for number in 0..10_000u64 {
        let now_ms = world.now_ms + number * 360;
        let ada = &mut world.devices[ADA].client;
        ada.run.pauses.insert(bobs, (u64::MAX, crate::WaitReason::TooFast));
        let step = Step::new(now_ms, &mut world.rng);
        ada.is_back(&bobs, &step);
        moved += usize::from(!ada.run.pauses.contains_key(&bobs));
    }
    println!("10,000 `back` in an hour: obeyed {moved} times, on {link:?}");
    assert_eq!(moved, 6);
}

#[test]
fn a_flood_of_new_sessions_leaves_five_of_them_and_every_message() {
    let mut world = acquainted();
    let bobs = world.devices[BOB].client.device_key();
    for number in 0..100 {
        for peer in &mut world.devices[BOB].client.state.peers {
            peer.fresh_session = true;
        }
        world.send(BOB, "ada", &number.to_string());
    }
    world.pass(5_000);
    assert_eq!(world.read(ADA).len(), 100);
    let ada = &world.devices[ADA].client;
    let peer = ada.state.peer(&bobs).unwrap();
    println!("100 sessions opened: {} kept, the state has {} bytes", peer.sessions.len(), ada.save().len());
    assert!(peer.sessions.len() <= crate::contacts::SESSIONS_MAX);
    assert!(ada.save().len() < 200_000);
}

#[test]
fn what_is_remembered_of_a_writer_who_floods_has_an_end_and_others_lose_nothing() {
    let (eve, bob) = (MemberKey([1; 32]), MemberKey([2; 32]));
    let mut seen = Seen::default();
    seen.remember([9; 16], &bob, None, 0);
    for number in 0..21_000u64 {
        let mut tag = [0; 16];
        tag[..8].copy_from_slice(&number.to_be_bytes());
        tag[15] = 1;
        seen.remember(tag, &eve, None, number * HOUR / 1_000);
    }
    println!("21,000 messages of one writer: {} remembered", seen.len());
    assert!(seen.len() <= 20_001);
    assert_eq!(seen.before(&[9; 16]), Some(None));
}

#[test]
fn a_contact_whose_messages_nobody_reads_fills_two_thousand_places_and_keeps_the_rest() {
    let mut world = acquainted();
    let (bobs, member) = (world.devices[BOB].client.device_key(), world.devices[BOB].client.member_key());
    let ada = &mut world.devices[ADA].client;
    let model = ada.state.history[0].clone();
    ada.state.history.extend((0..2_000u16).map(|number| {
        let mut item = model.clone();
        item.id.0[..2].copy_from_slice(&number.to_be_bytes());
        (item.member, item.device, item.standing) = (member, bobs, crate::state::Standing::Unshown);
        item
    }));
    let id = world.send(BOB, "ada", "one more");
    world.pass(60_000);
    let status = world.devices[BOB].client.status_of(&id);
    assert!(matches!(status, Some(crate::MessageStatus::Kept { .. })), "not confirmed: {status:?}");
    assert_eq!(world.read(ADA).len(), 2_000);
    world.pass(6 * HOUR);
    assert_eq!(world.read(ADA), ["one more"], "there is room again");
}
