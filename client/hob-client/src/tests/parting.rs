use super::people::command;
use super::world::{HOUR, World};
use super::{ADA, BOB, acquainted};
use crate::{MessageStatus, Outputs};

fn with_laptop() -> (World, usize) {
    let mut world = acquainted();
    let laptop = world.pair(ADA, "laptop");
    world.send(BOB, "ada", "to both");
    world.pass(5_000);
    (world, laptop)
}

fn contacts(world: &World, who: usize) -> Vec<String> {
    world.devices[who].client.contacts().into_iter().map(|contact| contact.name).collect()
}

fn remove_bob(world: &mut World, who: usize) {
    command(world, who, |client, now, rng| client.remove_contact(now, rng, "bob")).unwrap();
}

fn rename(world: &mut World, who: usize, from: &str, to: &str) {
    command(world, who, |client, now, rng| client.rename_contact(now, rng, from, to)).unwrap();
}

/// What a device tells a sibling of everything it knows.
fn tell_everything(world: &mut World, from: usize, to: usize) {
    let device = world.devices[to].client.device_key();
    let now_ms = world.now_ms;
    let client = &mut world.devices[from].client;
    let mut s = crate::client::Step::new(now_ms, &mut world.rng);
    client.sync_everything(&device, &mut s);
    let outputs: Outputs = client.settle(s);
    world.carry_out(from, outputs);
    world.pass(5_000);
}

#[test]
fn a_name_chosen_on_one_device_holds_on_the_other_and_the_later_one_wins() {
    let (mut world, laptop) = with_laptop();
    rename(&mut world, ADA, "bob", "robert");
    world.pass(5_000);
    assert_eq!(contacts(&world, laptop), ["robert"]);
    world.stop(laptop);
    rename(&mut world, ADA, "robert", "bobby");
    world.pass(HOUR);
    world.stop(ADA);
    world.start(laptop);
    world.pass(1_000);
    // The laptop may have heard already; what it says now is later.
    let name = contacts(&world, laptop).remove(0);
    rename(&mut world, laptop, &name, "bert");
    world.start(ADA);
    world.pass(5_000);
    assert_eq!((contacts(&world, ADA), contacts(&world, laptop)), (vec!["bert".to_owned()], vec!["bert".to_owned()]));
}

#[test]
fn an_older_name_that_comes_late_changes_nothing() {
    let (mut world, laptop) = with_laptop();
    world.take_down(0);
    rename(&mut world, laptop, "bob", "older");
    world.pass(1_000);
    rename(&mut world, ADA, "bob", "newer");
    world.boxes[0].up = true;
    world.pass(7 * HOUR);
    assert_eq!((contacts(&world, ADA), contacts(&world, laptop)), (vec!["newer".to_owned()], vec!["newer".to_owned()]));
}

#[test]
fn a_name_that_is_taken_on_the_sibling_becomes_a_free_one() {
    let mut world = World::new(1, &[("ada", 0), ("bob", 0), ("cem", 0)]);
    let cem = 2;
    for who in [BOB, cem] {
        world.add(who, ADA, "ada");
        world.send(who, "ada", "hello");
    }
    let laptop = world.pair(ADA, "laptop");
    // Without a word between them both choose one name for two contacts.
    world.stop(laptop);
    rename(&mut world, ADA, "bob", "friend");
    world.kill(ADA);
    world.boxes[0].mail.clear();
    world.start(laptop);
    rename(&mut world, laptop, "cem", "friend");
    world.start(ADA);
    world.pass(14 * HOUR);
    for who in [ADA, laptop] {
        let mut names = contacts(&world, who);
        names.sort();
        assert_eq!(names, ["friend", "friend-2"], "device {who}");
    }
}

#[test]
fn a_contact_blocked_on_one_device_is_blocked_on_the_other_and_so_unblocked() {
    let (mut world, laptop) = with_laptop();
    command(&mut world, ADA, |client, now, rng| client.block_contact(now, rng, "bob")).unwrap();
    world.pass(5_000);
    assert!(world.devices[laptop].client.contact("bob").unwrap().blocked);
    let id = world.send(BOB, "ada", "anybody?");
    world.pass(5_000);
    let status = world.devices[BOB].client.status_of(&id);
    assert!(matches!(status, Some(MessageStatus::Refused { .. })), "no device takes it: {status:?}");
    command(&mut world, laptop, |client, now, rng| client.unblock_contact(now, rng, "bob")).unwrap();
    world.pass(5_000);
    for who in [ADA, laptop] {
        assert!(!world.devices[who].client.contact("bob").unwrap().blocked, "device {who}");
    }
    world.send(ADA, "bob", "peace");
    world.send(laptop, "bob", "from me too");
    world.send(BOB, "ada", "thank you");
    world.pass(5_000);
    for who in [ADA, laptop] {
        let last = world.devices[who].messages.last().map(|message| message.text.clone());
        assert_eq!(last.as_deref(), Some("thank you"), "device {who}");
    }
}

#[test]
fn a_name_chosen_later_elsewhere_does_not_unblock() {
    let (mut world, laptop) = with_laptop();
    world.stop(laptop);
    command(&mut world, ADA, |client, now, rng| client.block_contact(now, rng, "bob")).unwrap();
    world.kill(ADA);
    world.boxes[0].mail.clear();
    world.pass(1_000);
    world.start(laptop);
    rename(&mut world, laptop, "bob", "robert");
    world.start(ADA);
    world.pass(14 * HOUR);
    for who in [ADA, laptop] {
        let contact = world.devices[who].client.contact("robert").unwrap();
        assert!(contact.blocked, "device {who}");
    }
}

#[test]
fn a_contact_removed_on_one_device_is_gone_from_one_that_was_away() {
    let (mut world, laptop) = with_laptop();
    world.stop(laptop);
    remove_bob(&mut world, ADA);
    world.pass(24 * HOUR);
    world.start(laptop);
    world.pass(5_000);
    assert!(contacts(&world, laptop).is_empty() && world.devices[laptop].client.requests().is_empty());
    assert!(world.devices[laptop].client.state.history.is_empty(), "with the conversation");
    let id = world.send(BOB, "ada", "are you there?");
    world.pass(5_000);
    let status = world.devices[BOB].client.status_of(&id);
    assert!(matches!(status, Some(MessageStatus::Refused { .. })), "{status:?}");
    for who in [ADA, laptop] {
        assert!(world.devices[who].client.everything_flushed(world.now_ms), "device {who}");
    }
}

#[test]
fn what_an_older_device_tells_does_not_bring_a_removed_contact_back_but_makes_it_follow() {
    let (mut world, laptop) = with_laptop();
    world.stop(laptop);
    remove_bob(&mut world, ADA);
    // Word of it never arrives: the laptop is away for longer than anything is sent again.
    world.devices[ADA].client.state.outbox.clear();
    world.boxes[0].mail.clear();
    world.start(laptop);
    assert_eq!(contacts(&world, laptop), ["bob"]);
    tell_everything(&mut world, laptop, ADA);
    assert!(contacts(&world, ADA).is_empty());
    assert!(contacts(&world, laptop).is_empty(), "it was told");
}

#[test]
fn a_removed_contact_who_is_added_again_by_a_code_is_back_on_every_device() {
    let (mut world, laptop) = with_laptop();
    world.stop(laptop);
    remove_bob(&mut world, ADA);
    command(&mut world, BOB, |client, now, rng| client.remove_contact(now, rng, "ada")).unwrap();
    // The same millisecond: the clock alone would not tell which was first.
    world.add(ADA, BOB, "bob");
    world.send(ADA, "bob", "hello again");
    world.pass(5_000);
    world.start(laptop);
    world.pass(10_000);
    for who in [ADA, laptop] {
        assert_eq!(contacts(&world, who), ["bob"], "device {who}");
        assert!(world.devices[who].client.state.partings.is_empty(), "device {who}");
    }
    world.send(BOB, "ada", "hello both");
    world.pass(5_000);
    for who in [ADA, laptop] {
        let last = world.devices[who].messages.last().map(|message| message.text.clone());
        assert_eq!(last.as_deref(), Some("hello both"), "device {who}");
    }
}

#[test]
fn a_new_device_hears_of_removals_too_and_only_so_many_are_remembered() {
    let (mut world, laptop) = with_laptop();
    remove_bob(&mut world, ADA);
    world.pass(5_000);
    let removals: Vec<_> = (0..2_000u16)
        .map(|number| {
            let mut key = [7; 32];
            key[..2].copy_from_slice(&number.to_le_bytes());
            crate::seal::devices::Removal { member_key: hob_protocol::ids::MemberKey(key), at_ms: 5 }
        })
        .collect();
    let now_ms = world.now_ms;
    let mut s = crate::client::Step::new(now_ms, &mut world.rng);
    world.devices[laptop].client.take_removals(&removals, &mut s);
    assert_eq!(world.devices[laptop].client.state.partings.len(), 1_024);
    drop(s);
    let tablet = world.pair(ADA, "tablet");
    assert_eq!(world.devices[tablet].client.state.partings.len(), 1);
}
