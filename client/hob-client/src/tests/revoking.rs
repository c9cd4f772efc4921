use hob_protocol::contact::ContactCode;
use hob_protocol::revocation::Revocation;

use super::world::World;
use super::{ADA, BOB, acquainted};
use crate::{Client, CommandError, MessageStatus, SendOptions};

fn certificate_of(world: &mut World, who: usize) -> Revocation {
    let sheet = world.devices[who].client.recovery_sheet(world.now_ms, &mut world.rng).unwrap();
    let (_, after) = sheet.split_once("hob://revoked/").unwrap();
    Revocation::parse(&format!("hob://revoked/{after}")).unwrap()
}

fn take(world: &mut World, who: usize, certificate: &Revocation) -> Result<String, CommandError> {
    let now_ms = world.now_ms;
    let done = world.devices[who].client.revoke_contact(now_ms, &mut world.rng, certificate)?;
    world.carry_out(who, done.outputs);
    world.run();
    Ok(done.value)
}

fn code_of(world: &mut World, who: usize) -> ContactCode {
    let now_ms = world.now_ms;
    let code = world.devices[who].client.show_contact_code(now_ms, &mut world.rng).unwrap();
    world.carry_out(who, code.outputs);
    world.run();
    code.value
}

fn add(world: &mut World, who: usize, code: &ContactCode, name: &str) -> Result<(), CommandError> {
    let now_ms = world.now_ms;
    let outputs = world.devices[who].client.add_contact(now_ms, &mut world.rng, code, name)?;
    world.carry_out(who, outputs);
    world.run();
    Ok(())
}

/// A profile of the member's key alone, joined and nothing else: every device was lost.
fn recovered(world: &mut World, sheet: &str) -> usize {
    let device = world.add_device();
    let (now_ms, invitation) = (world.now_ms, world.invitation(0));
    let outputs = world.devices[device].client.join(now_ms, &mut world.rng, invitation, "ada").unwrap();
    world.carry_out(device, outputs);
    world.run();
    let outputs = world.devices[device].client.recover(now_ms, &mut world.rng, sheet).unwrap();
    world.carry_out(device, outputs);
    world.pass(5_000);
    device
}

fn texts(world: &World, who: usize, name: &str) -> Vec<String> {
    let history = world.devices[who].client.history(world.now_ms, name, 99).unwrap();
    history.into_iter().map(|message| message.text).collect()
}

#[test]
fn a_revoked_contact_gets_nothing_and_nothing_of_theirs_is_taken_and_the_history_stays() {
    let mut world = acquainted();
    let laptop = world.pair(ADA, "laptop");
    let certificate = certificate_of(&mut world, ADA);
    let tokens = world.boxes[0].tokens.len();
    world.kill(ADA);
    world.send(BOB, "ada", "waits for the phone");
    assert_eq!(take(&mut world, BOB, &certificate), Ok("ada".to_owned()));
    world.pass(5_000);
    let bob = &world.devices[BOB].client;
    assert!(bob.contact("ada").unwrap().revoked);
    assert!(bob.state.outbox.is_empty() && bob.contact("ada").unwrap().device_keys.is_empty());
    assert_eq!(world.boxes[0].tokens.len(), tokens - 2, "the box forgot the tokens of both devices");
    assert_eq!(texts(&world, BOB, "ada"), ["hello ada", "hello bob", "waits for the phone"]);
    let now_ms = world.now_ms;
    let refused = world.devices[BOB].client.send(now_ms, &mut world.rng, "ada", "x", SendOptions::default());
    assert_eq!(refused.err(), Some(CommandError::Revoked { name: "ada".to_owned() }));
    world.start(ADA);
    world.send(ADA, "bob", "from the thief");
    world.send(laptop, "bob", "from the other thief");
    world.pass(5_000);
    assert!(world.read(BOB).is_empty() && world.devices[BOB].client.requests().is_empty());
    assert!(world.devices[BOB].client.state.outbox.is_empty(), "nor is anything answered");
    let again = take(&mut world, BOB, &certificate);
    assert_eq!(again, Err(CommandError::RevokedAlready { name: "ada".to_owned() }));
}

#[test]
fn what_the_box_kept_before_and_what_a_code_lets_in_is_dropped_too() {
    let mut world = acquainted();
    let certificate = certificate_of(&mut world, ADA);
    let bobs_code = code_of(&mut world, BOB);
    world.stop(BOB);
    world.send(ADA, "bob", "kept");
    let outputs = world.devices[BOB].client.revoke_contact(world.now_ms, &mut world.rng, &certificate).unwrap();
    drop(outputs);
    world.devices[BOB].saved = world.devices[BOB].client.save().to_vec();
    // A device that Bob never heard of, of the same member key, with a code of his: still nothing.
    let laptop = world.pair(ADA, "laptop");
    add(&mut world, laptop, &bobs_code, "bob").unwrap();
    let id = world.send(laptop, "bob", "new here");
    assert!(matches!(world.devices[laptop].client.status_of(&id), Some(MessageStatus::Kept { .. })), "by the code");
    world.start(BOB);
    world.pass(5_000);
    assert!(world.read(BOB).is_empty() && world.devices[BOB].client.requests().is_empty());
    assert!(world.devices[BOB].client.contact("ada").unwrap().device_keys.is_empty());
}

#[test]
fn a_certificate_of_nobody_who_is_a_contact_or_of_oneself_does_nothing() {
    let mut world = acquainted();
    let stranger = Client::create(world.now_ms, &mut world.rng);
    let sheet = stranger.recovery_sheet(world.now_ms, &mut world.rng).unwrap();
    let foreign = Revocation::parse(&sheet[sheet.find("hob://revoked/").unwrap()..]).unwrap();
    assert_eq!(take(&mut world, BOB, &foreign), Err(CommandError::RevokesNobody));
    let own = certificate_of(&mut world, BOB);
    assert_eq!(take(&mut world, BOB, &own), Err(CommandError::OwnRevocation));
    world.send(BOB, "ada", "all is well");
    assert_eq!(world.read(ADA), ["all is well"]);
    assert!(!world.devices[BOB].client.contact("ada").unwrap().revoked);
}

#[test]
fn only_a_fresh_code_of_the_same_member_brings_a_revoked_contact_back_and_the_old_devices_stay_cut_off() {
    let mut world = acquainted();
    let laptop = world.pair(ADA, "laptop");
    let sheet = world.devices[ADA].client.recovery_sheet(world.now_ms, &mut world.rng).unwrap();
    let certificate = certificate_of(&mut world, ADA);
    take(&mut world, BOB, &certificate).unwrap();
    world.pass(3_600_000);
    let tablet = recovered(&mut world, &sheet);
    world.pass(5_000);
    assert!(world.devices[BOB].client.contact("ada").unwrap().revoked, "a newer list alone lifts nothing");
    let code = code_of(&mut world, tablet);
    assert!(add(&mut world, BOB, &code, "ada-2").is_err(), "under the same name only");
    add(&mut world, BOB, &code, "ada").unwrap();
    let ada = world.devices[BOB].client.contact("ada").unwrap();
    assert!(!ada.revoked && !ada.verified && ada.device_keys.len() == 1);
    world.send(BOB, "ada", "is it you?");
    assert_eq!(world.read(tablet), ["is it you?"]);
    world.send(tablet, "bob", "it is");
    assert_eq!(world.read(BOB), ["it is"]);
    assert_eq!(texts(&world, BOB, "ada"), ["hello ada", "hello bob", "is it you?", "it is"]);
    for old in [ADA, laptop] {
        world.send(old, "bob", "thief");
        world.pass(5_000);
        assert!(world.read(BOB).is_empty(), "device {old}");
        assert!(!world.read(old).contains(&"is it you?".to_owned()), "device {old}");
    }
}

#[test]
fn the_code_of_before_brings_nobody_back_and_a_fresh_one_of_an_old_device_brings_that_one() {
    let mut world = World::new(1, &[("ada", 0), ("bob", 0)]);
    let old_code = code_of(&mut world, ADA);
    add(&mut world, BOB, &old_code, "ada").unwrap();
    world.send(BOB, "ada", "hello");
    world.pass(5_000);
    let certificate = certificate_of(&mut world, ADA);
    take(&mut world, BOB, &certificate).unwrap();
    let refused = add(&mut world, BOB, &old_code, "ada");
    assert_eq!(refused, Err(CommandError::CodeAlreadyUsed { name: "ada".to_owned() }));
    assert!(world.devices[BOB].client.contact("ada").unwrap().revoked);
    let fresh = code_of(&mut world, ADA);
    add(&mut world, BOB, &fresh, "ada").unwrap();
    world.send(BOB, "ada", "found it?");
    assert_eq!(world.read(ADA).last().map(String::as_str), Some("found it?"));
    world.pass(5_000);
    world.send(ADA, "bob", "under the sofa");
    world.pass(60_000);
    assert_eq!(world.read(BOB).last().map(String::as_str), Some("under the sofa"));
    // And what was cut off once can be again.
    assert_eq!(take(&mut world, BOB, &certificate), Ok("ada".to_owned()));
}

#[test]
fn a_contact_who_begins_anew_after_a_revocation_takes_the_old_place() {
    let mut world = acquainted();
    let certificate = certificate_of(&mut world, ADA);
    take(&mut world, BOB, &certificate).unwrap();
    let new = world.add_device();
    let (now_ms, invitation) = (world.now_ms, world.invitation(0));
    let outputs = world.devices[new].client.join(now_ms, &mut world.rng, invitation, "ada").unwrap();
    world.carry_out(new, outputs);
    world.run();
    let code = code_of(&mut world, new);
    let outputs = world.devices[BOB].client.replace_contact(world.now_ms, &mut world.rng, &code, "ada").unwrap();
    world.carry_out(BOB, outputs);
    world.run();
    world.send(BOB, "ada", "welcome back");
    assert_eq!(world.read(new), ["welcome back"]);
    assert_eq!(texts(&world, BOB, "ada"), ["hello ada", "hello bob", "welcome back"]);
}
