use std::time::Duration;

use super::world::World;
use super::{ADA, BOB, acquainted};
use crate::{CommandError, MessageStatus, Notice, Outputs, SendOptions};

/// A command without an answer.
pub fn command(
    world: &mut World,
    who: usize,
    what: impl FnOnce(&mut crate::Client, u64, &mut dyn rand_core::CryptoRng) -> Result<Outputs, CommandError>,
) -> Result<(), CommandError> {
    let now_ms = world.now_ms;
    let outputs = what(&mut world.devices[who].client, now_ms, &mut world.rng)?;
    world.carry_out(who, outputs);
    world.run();
    Ok(())
}

#[test]
fn a_renamed_contact_keeps_the_conversation_and_a_taken_name_is_refused() {
    let mut world = acquainted();
    world.send(BOB, "ada", "hello");
    command(&mut world, ADA, |client, now, rng| client.rename_contact(now, rng, "bob", "robert")).unwrap();
    let now_ms = world.now_ms;
    let ada = &world.devices[ADA].client;
    assert!(!ada.history(now_ms, "robert", 9).unwrap().is_empty());
    assert_eq!(ada.history(now_ms, "bob", 9).err(), Some(CommandError::NoSuchContact { name: "bob".into() }));
    let again = command(&mut world, ADA, |client, now, rng| client.rename_contact(now, rng, "robert", "a b"));
    assert_eq!(again, Err(CommandError::BadName { name: "a b".into() }));
    world.send(BOB, "ada", "still me");
    assert_eq!(world.devices[ADA].messages.last().unwrap().contact, "robert");
}

#[test]
fn a_removed_contact_is_gone_with_the_conversation_and_its_token_is_taken_back() {
    let mut world = acquainted();
    world.send(BOB, "ada", "hello");
    let granted = world.boxes[0].tokens.len();
    command(&mut world, ADA, |client, now, rng| client.remove_contact(now, rng, "bob")).unwrap();
    assert!(world.devices[ADA].client.contacts().is_empty() && world.devices[ADA].client.requests().is_empty());
    assert_eq!(world.boxes[0].tokens.len(), granted - 1, "the box forgot the token");
    let id = world.send(BOB, "ada", "are you there?");
    let status = world.devices[BOB].client.status_of(&id);
    assert!(matches!(status, Some(MessageStatus::Refused { .. })), "{status:?}");
}

#[test]
fn a_blocked_contact_is_neither_heard_nor_written_to_until_unblocked() {
    let mut world = acquainted();
    world.pass(3_000);
    command(&mut world, ADA, |client, now, rng| client.block_contact(now, rng, "bob")).unwrap();
    let before = world.devices[ADA].messages.len();
    world.send(BOB, "ada", "let me in");
    assert_eq!(world.devices[ADA].messages.len(), before);
    assert!(world.devices[ADA].client.requests().is_empty(), "nor as a request");
    let now_ms = world.now_ms;
    let refused = world.devices[ADA].client.send(now_ms, &mut world.rng, "bob", "x", SendOptions::default());
    assert_eq!(refused.err(), Some(CommandError::Blocked { name: "bob".into() }));
    command(&mut world, ADA, |client, now, rng| client.unblock_contact(now, rng, "bob")).unwrap();
    world.send(ADA, "bob", "peace");
    assert_eq!(world.read(BOB).last().map(String::as_str), Some("peace"));
    world.send(BOB, "ada", "thank you");
    assert_eq!(world.read(ADA).last().map(String::as_str), Some("thank you"));
}

#[test]
fn what_was_kept_before_a_contact_was_blocked_is_not_shown() {
    let mut world = acquainted();
    world.stop(ADA);
    world.send(BOB, "ada", "kept");
    let now_ms = world.now_ms;
    let outputs = world.devices[ADA].client.block_contact(now_ms, &mut world.rng, "bob").unwrap();
    drop(outputs);
    world.devices[ADA].saved = world.devices[ADA].client.save().to_vec();
    world.start(ADA);
    assert!(!world.read(ADA).contains(&"kept".to_owned()));
}

#[test]
fn a_code_that_was_withdrawn_makes_nobody_a_contact() {
    let mut world = World::new(1, &[("ada", 0), ("bob", 0)]);
    let now_ms = world.now_ms;
    let code = world.devices[ADA].client.show_contact_code(now_ms, &mut world.rng).unwrap();
    world.carry_out(ADA, code.outputs);
    world.run();
    let open = world.devices[ADA].client.open_codes(now_ms);
    assert_eq!(open.len(), 1);
    command(&mut world, ADA, |client, now, rng| client.revoke_code(now, rng, &open[0].id)).unwrap();
    assert!(world.devices[ADA].client.open_codes(now_ms).is_empty());
    let outputs = world.devices[BOB].client.add_contact(now_ms, &mut world.rng, &code.value, "ada").unwrap();
    world.carry_out(BOB, outputs);
    world.run();
    let id = world.send(BOB, "ada", "hello?");
    assert!(matches!(world.devices[BOB].client.status_of(&id), Some(MessageStatus::Refused { .. })));
    assert!(world.devices[ADA].client.contacts().is_empty() && world.devices[ADA].client.requests().is_empty());
}

#[test]
fn a_used_code_is_not_withdrawn_but_named() {
    let mut world = World::new(1, &[("ada", 0), ("bob", 0)]);
    let now_ms = world.now_ms;
    let code = world.devices[ADA].client.show_contact_code(now_ms, &mut world.rng).unwrap();
    world.carry_out(ADA, code.outputs);
    world.run();
    let outputs = world.devices[BOB].client.add_contact(now_ms, &mut world.rng, &code.value, "ada").unwrap();
    world.carry_out(BOB, outputs);
    world.run();
    world.send(BOB, "ada", "hello");
    assert!(world.has_notice(ADA, |notice| matches!(notice, Notice::ContactMade { .. })));
    let text = code.value.to_code().unwrap();
    let refused = command(&mut world, ADA, |client, now, rng| client.revoke_code(now, rng, &text));
    assert_eq!(refused, Err(CommandError::CodeUsed { name: "bob".into() }));
    let unknown = command(&mut world, ADA, |client, now, rng| client.revoke_code(now, rng, "nothing"));
    assert_eq!(unknown, Err(CommandError::NoSuchCode { id: "nothing".into() }));
    world.pass(u64::try_from(Duration::from_secs(86_400).as_millis()).unwrap());
    assert!(world.devices[ADA].client.open_codes(world.now_ms).is_empty());
}
