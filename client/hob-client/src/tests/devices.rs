use super::world::World;
use super::{ADA, BOB, acquainted};
use crate::{Direction, MessageStatus, Notice};

fn everything(world: &World, who: usize, name: &str) -> Vec<String> {
    let history = world.devices[who].client.history(world.now_ms, name, 999).unwrap();
    history.into_iter().map(|message| message.text).collect()
}

#[test]
fn a_second_device_has_the_contacts_and_the_history_and_hears_what_comes() {
    let mut world = acquainted();
    let laptop = world.pair(ADA, "laptop");
    assert_eq!(world.names(ADA), ["first", "laptop"]);
    assert_eq!(world.names(laptop), ["first", "laptop"]);
    assert!(world.has_notice(ADA, |notice| *notice == Notice::DeviceAdded { name: "laptop".to_owned() }));
    assert!(world.has_notice(laptop, |notice| *notice == Notice::DevicePaired { name: "laptop".to_owned() }));
    assert!(!world.devices[laptop].client.holds_member_key());
    let added = vec!["laptop".to_owned()];
    let told = Notice::DevicesChanged { contact: "ada".to_owned(), added, removed: Vec::new() };
    assert!(world.devices[BOB].notices.contains(&told), "the contact is told in the conversation");
    assert_eq!(everything(&world, laptop, "bob"), ["hello ada", "hello bob"]);
    assert!(world.read(laptop).is_empty(), "what was read before is not new");
    world.send(BOB, "ada", "to all of you");
    assert_eq!(
        (world.read(ADA), world.read(laptop)),
        (vec!["to all of you".to_owned()], vec!["to all of you".to_owned()])
    );
    let id = world.send(laptop, "bob", "from the laptop");
    assert_eq!(world.read(BOB), ["from the laptop"]);
    assert_eq!(world.devices[laptop].client.status_of(&id), Some(MessageStatus::Delivered));
    world.pass(5_000);
    assert_eq!(everything(&world, ADA, "bob"), ["hello ada", "hello bob", "to all of you", "from the laptop"]);
    assert_eq!(world.devices[ADA].client.status_of(&id), Some(MessageStatus::Delivered), "siblings hear of it");
    for who in 0..3 {
        assert!(world.devices[who].client.everything_flushed(world.now_ms), "device {who} is settled");
        assert_eq!(world.devices[who].client.state.outbox.len(), 0, "device {who}");
    }
}

#[test]
fn five_devices_of_three_members_talk_and_each_has_everything_once() {
    let mut world = World::new(2, &[("ada", 0), ("bob", 1), ("cem", 1)]);
    let (cem, adas) = (2, world.pair(ADA, "laptop"));
    let bobs = world.pair(BOB, "tablet");
    world.add(BOB, ADA, "ada");
    world.send(BOB, "ada", "hello from bob");
    world.add(cem, adas, "ada");
    world.send(cem, "ada", "hello from cem");
    world.pass(10_000);
    world.send(ADA, "bob", "from ada");
    world.send(adas, "bob", "from ada's laptop");
    world.pass(10_000);
    world.send(bobs, "ada", "from bob's tablet");
    world.send(adas, "cem", "hello cem");
    world.send(ADA, "cem", "me too");
    world.pass(10_000);
    let mut between = vec!["hello from bob", "from ada", "from ada's laptop", "from bob's tablet"];
    between.sort_unstable();
    for (who, name) in [(ADA, "bob"), (adas, "bob"), (BOB, "ada"), (bobs, "ada")] {
        let mut all = everything(&world, who, name);
        all.sort();
        assert_eq!(all, between, "device {who}");
    }
    for (who, name) in [(ADA, "cem"), (adas, "cem"), (cem, "ada")] {
        let mut all = everything(&world, who, name);
        all.sort();
        assert_eq!(all, ["hello cem", "hello from cem", "me too"], "device {who}");
    }
    for who in 0..5 {
        let client = &world.devices[who].client;
        assert!(client.everything_flushed(world.now_ms), "device {who}");
        assert_eq!(client.summary(world.now_ms).unconfirmed, 0, "device {who}");
        let mut texts: Vec<_> = world.devices[who].messages.iter().map(|message| message.text.clone()).collect();
        let shown = texts.len();
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), shown, "device {who} showed nothing twice");
    }
}

#[test]
fn a_recovery_sheet_lets_another_device_remove_the_lost_one() {
    let mut world = acquainted();
    let laptop = world.pair(ADA, "laptop");
    let sheet = world.devices[ADA].client.recovery_sheet(world.now_ms, &mut world.rng).unwrap();
    assert!(
        world.devices[laptop].client.recovery_sheet(world.now_ms, &mut world.rng).is_err(),
        "only where the member key is"
    );
    world.stop(ADA);
    let now_ms = world.now_ms;
    let outputs = world.devices[laptop].client.recover(now_ms, &mut world.rng, &sheet).unwrap();
    world.carry_out(laptop, outputs);
    world.pass(5_000);
    assert!(world.devices[laptop].client.holds_member_key());
    world.remove(laptop, "first");
    assert_eq!(world.names(laptop), ["laptop"]);
    assert_eq!(world.devices[BOB].client.contact("ada").unwrap().device_keys.len(), 1);
    world.start(ADA);
    assert!(world.has_notice(ADA, |notice| *notice == Notice::ThisDeviceRemoved));
    world.send(BOB, "ada", "to the laptop");
    assert_eq!(world.read(laptop).last().map(String::as_str), Some("to the laptop"));
    assert!(!world.read(ADA).contains(&"to the laptop".to_owned()));
}

#[test]
fn a_message_says_which_devices_have_it() {
    let mut world = acquainted();
    let laptop = world.pair(ADA, "laptop");
    world.send(BOB, "ada", "warm up");
    world.pass(5_000);
    world.stop(laptop);
    world.send(BOB, "ada", "who has it?");
    let devices = |world: &World| {
        let history = world.devices[BOB].client.history(world.now_ms, "ada", 1).unwrap();
        (history[0].status.clone(), history[0].devices.clone())
    };
    assert_eq!(devices(&world), (MessageStatus::Delivered, vec!["first".to_owned()]));
    world.start(laptop);
    world.pass(5_000);
    assert_eq!(devices(&world).1, ["first", "laptop"]);
    world.send(laptop, "bob", "me");
    let last = world.devices[BOB].client.history(world.now_ms, "ada", 1).unwrap().remove(0);
    assert_eq!((last.direction, last.devices), (Direction::Received, vec!["laptop".to_owned()]));
}

#[test]
fn a_removed_device_is_told_and_neither_heard_nor_written_to_any_more() {
    let mut world = acquainted();
    let laptop = world.pair(ADA, "laptop");
    world.send(laptop, "bob", "still one of us");
    world.pass(5_000);
    world.remove(ADA, "laptop");
    assert_eq!(world.names(ADA), ["first"]);
    assert!(world.has_notice(laptop, |notice| *notice == Notice::ThisDeviceRemoved));
    let removed = vec!["laptop".to_owned()];
    let told = Notice::DevicesChanged { contact: "ada".to_owned(), added: Vec::new(), removed };
    assert!(world.devices[BOB].notices.contains(&told));
    let history = everything(&world, laptop, "bob");
    assert!(history.contains(&"still one of us".to_owned()), "the history stays");
    let now_ms = world.now_ms;
    let sent = world.devices[laptop].client.send(now_ms, &mut world.rng, "bob", "x", crate::SendOptions::default());
    assert_eq!(sent.err(), Some(crate::CommandError::DeviceRemoved));
    world.send(BOB, "ada", "only for her");
    assert_eq!(world.read(ADA).last().map(String::as_str), Some("only for her"));
    world.read(laptop);
    assert!(!everything(&world, laptop, "bob").contains(&"only for her".to_owned()));
    assert_eq!(world.devices[BOB].client.contact("ada").unwrap().device_keys.len(), 1);
    assert!(world.devices[ADA].client.everything_flushed(world.now_ms));
}
