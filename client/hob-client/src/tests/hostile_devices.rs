use ed25519_dalek::SigningKey;

use super::world::{HOUR, World};
use super::{ADA, BOB, acquainted};
use crate::devices::known::{KnownList, Verdict};
use crate::devices::list::{DeviceList, LIST_LIFE_S, Listed};
use crate::outbox::OutBody;
use crate::{CommandError, Message, Notice};

const EVE: usize = 2;

/// A client says that its member's list is another one, and tells somebody so.
fn claim(world: &mut World, who: usize, to: &str, list: &DeviceList, key: &SigningKey) {
    let bytes = list.sign(key);
    let now_ms = world.now_ms;
    let client = &mut world.devices[who].client;
    client.state.lists.retain(|known| known.member != list.member_key);
    client.state.lists.push(KnownList::new(list, &bytes));
    let devices = client.contact(to).unwrap().device_keys;
    let mut s = crate::client::Step::new(now_ms, &mut world.rng);
    for device in devices {
        client.post(device, OutBody::List, &mut s);
    }
    s.dirty = true;
    let outputs = client.settle(s);
    world.carry_out(who, outputs);
    world.pass(5_000);
}

/// Ada's newest list, and her member key.
fn of_ada(world: &World) -> (DeviceList, SigningKey) {
    let state = &world.devices[ADA].client.state;
    let list = DeviceList::open(&state.own_list().unwrap().bytes).unwrap();
    (list, state.keys.member.clone().unwrap())
}

fn bobs_idea(world: &World) -> usize {
    world.devices[BOB].client.contact("ada").unwrap().device_keys.len()
}

#[test]
fn an_older_list_is_refused_silently_and_counted() {
    let mut world = acquainted();
    let (old, key) = of_ada(&world);
    let laptop = world.pair(ADA, "laptop");
    assert_eq!(bobs_idea(&world), 2);
    let notices = world.devices[BOB].notices.len();
    claim(&mut world, ADA, "bob", &old, &key);
    assert_eq!(bobs_idea(&world), 2);
    assert!(world.devices[BOB].client.older_lists() > 0);
    let told = &world.devices[BOB].notices[notices..];
    assert!(!told.iter().any(|notice| matches!(notice, Notice::DevicesChanged { .. } | Notice::KeysChanged { .. })));
    world.send(BOB, "ada", "to both");
    assert_eq!(world.read(laptop), ["to both"]);
}

#[test]
fn two_lists_of_one_version_are_told_loudly_and_the_second_is_not_taken() {
    let mut world = acquainted();
    world.pair(ADA, "laptop");
    let (list, key) = of_ada(&world);
    let alone = DeviceList { devices: vec![list.devices[0].clone()], ..list.clone() };
    claim(&mut world, ADA, "bob", &alone, &key);
    assert!(world.devices[BOB].notices.contains(&Notice::KeysChanged { contact: "ada".to_owned() }));
    assert_eq!(bobs_idea(&world), 2);
    let mut world = acquainted();
    let (list, key) = of_ada(&world);
    let denies = DeviceList { version: list.version + 1, previous: [7; 32], ..list };
    claim(&mut world, ADA, "bob", &denies, &key);
    assert!(world.devices[BOB].notices.contains(&Notice::KeysChanged { contact: "ada".to_owned() }));
}

#[test]
fn an_expired_list_is_not_taken_and_a_known_one_that_expires_is_used_on_and_told_once() {
    let mut world = acquainted();
    let (list, key) = of_ada(&world);
    world.pair(ADA, "laptop");
    let now_s = world.now_ms / 1000;
    let expired = DeviceList { version: now_s + 99, made_at_s: now_s - LIST_LIFE_S, expires_at_s: now_s, ..list };
    let (_, verdict) = world.devices[BOB].client.weigh(&expired.sign(&key), world.now_ms).unwrap();
    assert_eq!(verdict, Verdict::Expired);
    world.kill(ADA);
    world.stop(2);
    world.pass(31 * 24 * HOUR);
    let told = Notice::DeviceListExpired { contact: "ada".to_owned() };
    assert_eq!(world.devices[BOB].notices.iter().filter(|notice| **notice == told).count(), 1);
    assert_eq!(bobs_idea(&world), 2, "they are written to all the same");
}

#[test]
fn a_list_is_renewed_after_fifteen_days_without_anybody_noticing() {
    let mut world = acquainted();
    let (before, _) = of_ada(&world);
    let notices = world.devices[BOB].notices.len();
    world.pass(16 * 24 * HOUR);
    let (after, _) = of_ada(&world);
    assert!(after.version > before.version && after.devices == before.devices);
    let known = world.devices[BOB].client.state.list_of(&after.member_key).unwrap();
    assert_eq!(known.version, after.version);
    let told = &world.devices[BOB].notices[notices..];
    assert!(!told.iter().any(|notice| matches!(notice, Notice::DevicesChanged { .. })), "{told:?}");
}

#[test]
fn a_keeper_who_opens_a_mailbox_for_a_new_device_of_ada_gains_nothing() {
    let mut world = World::new(1, &[("ada", 0), ("bob", 0), ("eve", 0)]);
    world.add(BOB, ADA, "ada");
    world.send(BOB, "ada", "hello");
    world.send(ADA, "bob", "hello yourself");
    world.pass(5_000);
    // The keeper's device has a mailbox "of Ada's", and the token by which Ada writes to Bob: the box saw it.
    let (list, _) = of_ada(&world);
    let adas_way = world.devices[ADA].client.state.peers[0].their_token.clone();
    let eves_member = world.devices[EVE].client.state.keys.member.clone().unwrap();
    world.devices[EVE].client.state.keys.belong_to(list.member_key);
    world.devices[EVE].client.state.lists.clear();
    let home = world.boxes[0].identity();
    let record = world.devices[EVE].client.state.keys.record(home);
    let forged = DeviceList {
        version: list.version + 1_000,
        devices: vec![list.devices[0].clone(), Listed { record, name: "phone".to_owned() }],
        ..list
    };
    let code = world.devices[BOB].client.show_contact_code(world.now_ms, &mut world.rng).unwrap();
    world.carry_out(BOB, code.outputs);
    world.run();
    let now_ms = world.now_ms;
    let outputs = world.devices[EVE].client.add_contact(now_ms, &mut world.rng, &code.value, "bob").unwrap();
    world.devices[EVE].client.state.peers[0].their_token = adas_way;
    world.carry_out(EVE, outputs);
    world.run();
    claim(&mut world, EVE, "bob", &forged, &eves_member);
    world.send(EVE, "bob", "it is me, Ada, on my new phone");
    world.pass(5_000);
    assert!(!world.read(BOB).iter().any(|text| text.contains("new phone")));
    assert_eq!(bobs_idea(&world), 1);
    assert!(world.devices[BOB].client.requests().is_empty());
    let eves = world.devices[EVE].client.home().unwrap().mailbox;
    let before = world.boxes[0].accepted.iter().filter(|(to, _)| *to == eves).count();
    world.send(BOB, "ada", "only for Ada");
    let after = world.boxes[0].accepted.iter().filter(|(to, _)| *to == eves).count();
    assert_eq!(before, after, "nothing is sealed to a device that Ada's list does not name");
    assert_eq!(world.read(ADA).last().map(String::as_str), Some("only for Ada"));
}

#[test]
fn an_own_list_by_another_key_removes_nobody() {
    let mut world = acquainted();
    let laptop = world.pair(ADA, "laptop");
    let (list, _) = of_ada(&world);
    let foreign = DeviceList { version: list.version + 9, devices: vec![list.devices[0].clone()], ..list };
    let bytes = foreign.sign(&SigningKey::from_bytes(&[9; 32]));
    assert!(world.devices[laptop].client.weigh(&bytes, world.now_ms).is_err());
    assert!(!world.devices[laptop].client.is_removed());
}

#[test]
fn a_contact_code_adds_no_device_and_a_device_code_no_contact() {
    let mut world = acquainted();
    let now_ms = world.now_ms;
    let contact = world.devices[ADA].client.show_contact_code(now_ms, &mut world.rng).unwrap();
    world.carry_out(ADA, contact.outputs);
    let outputs = world.devices[ADA].client.add_device(now_ms, &mut world.rng).unwrap();
    world.carry_out(ADA, outputs);
    world.run();
    let code = world.devices[ADA].client.device_code().unwrap();
    // A ticket that somebody saw, with the token of a contact code.
    let mut mixed = code.clone();
    mixed.introduction_token = contact.value.introduction_token.clone();
    let eve = world.add_device();
    let outputs = world.devices[eve].client.join_as_device(now_ms, &mut world.rng, &mixed, "phone").unwrap();
    world.carry_out(eve, outputs);
    world.pass(10_000);
    assert_eq!(world.names(ADA), ["first"]);
    assert!(world.devices[eve].client.is_pairing());
    // And the other way round: the device code's token in a contact code.
    let mut forged = contact.value.clone();
    forged.introduction_token = code.introduction_token.clone();
    let outputs = world.devices[BOB].client.add_contact(now_ms, &mut world.rng, &forged, "ada").unwrap();
    world.carry_out(BOB, outputs);
    world.run();
    assert_eq!(world.devices[ADA].client.contacts().len(), 1);
    let open = world.devices[ADA].client.state.codes.iter().filter(|code| code.for_device && code.used_by.is_none());
    assert_eq!(open.count(), 1, "the device code is still unused");
}

#[test]
fn a_second_device_with_the_same_code_is_refused_and_told() {
    let mut world = acquainted();
    let now_ms = world.now_ms;
    let outputs = world.devices[ADA].client.add_device(now_ms, &mut world.rng).unwrap();
    world.carry_out(ADA, outputs);
    world.run();
    let code = world.devices[ADA].client.device_code().unwrap();
    // This box takes a ticket twice: what it says of devices means nothing.
    for name in ["laptop", "eve"] {
        let device = world.add_device();
        let outputs = world.devices[device].client.join_as_device(now_ms, &mut world.rng, &code, name).unwrap();
        world.carry_out(device, outputs);
        world.pass(10_000);
    }
    assert_eq!(world.names(ADA), ["first", "laptop"]);
    assert!(world.devices[ADA].notices.contains(&Notice::DeviceCodeUsedTwice { name: "eve".to_owned() }));
}

#[test]
fn only_the_device_with_the_member_key_changes_the_list_and_never_itself() {
    let mut world = acquainted();
    let laptop = world.pair(ADA, "laptop");
    let now_ms = world.now_ms;
    let no = |result: Result<crate::Outputs, CommandError>| result.err().unwrap();
    let rng = &mut world.rng;
    assert_eq!(no(world.devices[laptop].client.add_device(now_ms, rng)), CommandError::NoMemberKey);
    assert_eq!(no(world.devices[laptop].client.remove_device(now_ms, rng, "first")), CommandError::NoMemberKey);
    assert_eq!(no(world.devices[ADA].client.remove_device(now_ms, rng, "first")), CommandError::ThisDevice);
    let name = "phone".to_owned();
    assert_eq!(no(world.devices[ADA].client.remove_device(now_ms, rng, "phone")), CommandError::NoSuchDevice { name });
    let code = world.devices[BOB].client.add_device(now_ms, rng).map(|_| ());
    assert_eq!(code, Ok(()));
}

#[test]
fn a_device_that_is_killed_at_any_output_while_it_is_paired_is_paired_in_the_end() {
    for kill_after in 0..14 {
        for who in [0, 1] {
            let mut world = acquainted();
            let now_ms = world.now_ms;
            let outputs = world.devices[ADA].client.add_device(now_ms, &mut world.rng).unwrap();
            world.carry_out(ADA, outputs);
            world.run();
            let code = world.devices[ADA].client.device_code().unwrap();
            let laptop = world.add_device();
            let killed = [ADA, laptop][who];
            world.devices[killed].kill_after = Some(kill_after);
            let outputs = world.devices[laptop].client.join_as_device(now_ms, &mut world.rng, &code, "laptop").unwrap();
            world.carry_out(laptop, outputs);
            world.run();
            world.start(killed);
            world.pass(10_000);
            let joined = world.devices[laptop].client.home().is_some();
            if !joined {
                assert_eq!((killed, kill_after), (laptop, 0), "only what was never saved is lost");
                continue;
            }
            world.pass(7 * HOUR);
            assert_eq!(world.names(laptop), ["first", "laptop"], "device {killed} killed after {kill_after}");
            assert_eq!(world.names(ADA), ["first", "laptop"]);
            world.send(BOB, "ada", "all there?");
            world.pass(5_000);
            let texts =
                |who: usize| -> Vec<Message> { world.devices[who].client.history(world.now_ms, "bob", 99).unwrap() };
            assert_eq!(texts(ADA).len(), 3);
            assert_eq!(texts(laptop).len(), 3, "device {killed} killed after {kill_after}");
        }
    }
}
