use std::time::Duration;

use super::world::{HOUR, World};
use super::{ADA, BOB, acquainted, paired};
use crate::{CommandError, Direction, MessageId, MessageStatus, Notice, Output, SendOptions};

#[test]
fn a_message_arrives_and_its_receipt_comes_back() {
    let mut world = paired();
    let id = world.send(BOB, "ada", "supper at eight");
    assert_eq!(world.read(ADA), ["supper at eight"]);
    assert_eq!(world.devices[BOB].client.status_of(&id), Some(MessageStatus::Delivered));
    assert!(world.has_notice(BOB, |notice| matches!(notice, Notice::Delivered { message, .. } if *message == id)));
    assert!(world.devices[ADA].client.everything_flushed(world.now_ms));
    assert!(world.devices[BOB].client.everything_flushed(world.now_ms));
}

#[test]
fn fifty_messages_while_away_come_from_a_new_unverified_contact_who_can_be_answered_without_a_second_code() {
    let mut world = paired();
    world.stop(ADA);
    let accepted_before = world.boxes[0].accepted.len();
    let texts: Vec<String> = (0..50).map(|number| format!("message {number}")).collect();
    for text in &texts {
        world.send(BOB, "ada", text);
        world.stop(BOB);
        world.start(BOB);
    }
    assert_eq!(world.boxes[0].accepted.len() - accepted_before, 50, "fifty programs, fifty envelopes");
    assert_eq!(world.boxes[0].fetches, 1, "the bundle is cached over programs");
    world.start(ADA);
    assert_eq!(world.devices[ADA].messages.len(), 50);
    assert_eq!(world.read(ADA), texts);
    let bob = world.devices[ADA].client.contact("bob").unwrap();
    assert!(!bob.verified);
    world.send(ADA, "bob", "I am back");
    assert_eq!(world.read(BOB), ["I am back"]);
    assert!(world.devices[BOB].client.contact("ada").unwrap().answered);
}

#[test]
fn fifty_messages_are_saved_in_a_few_batches_and_confirmed_by_few_receipts() {
    let mut world = paired();
    world.stop(ADA);
    for number in 0..50 {
        world.send(BOB, "ada", &number.to_string());
    }
    let (accepted, saves) = (world.boxes[0].accepted.len(), world.devices[ADA].saves);
    world.start(ADA);
    world.pass(5_000);
    assert!(world.devices[ADA].saves - saves <= 10, "{}", world.devices[ADA].saves - saves);
    assert_eq!(world.boxes[0].accepted.len() - accepted, 1, "one receipt for all that was kept");
    assert_eq!(world.devices[BOB].client.summary(world.now_ms).unconfirmed, 0);
}

#[test]
fn the_first_receipt_goes_at_once_and_later_ones_within_two_seconds() {
    let mut world = acquainted();
    world.pass(10_000);
    let accepted = world.boxes[0].accepted.len();
    let first = world.send(BOB, "ada", "one");
    assert_eq!(world.devices[BOB].client.status_of(&first), Some(MessageStatus::Delivered));
    for text in ["two", "three", "four"] {
        world.send(BOB, "ada", text);
    }
    let second = world.boxes[0].accepted.len() - accepted;
    assert_eq!(second, 5, "four messages, one receipt");
    world.pass(2_000);
    assert_eq!(world.boxes[0].accepted.len() - accepted, 6, "and one for the other three");
    assert_eq!(world.devices[BOB].client.summary(world.now_ms).unconfirmed, 0);
}

#[test]
fn a_contact_on_another_box_is_written_to_at_that_box() {
    let mut world = World::new(2, &[("ada", 0), ("bob", 1)]);
    world.add(BOB, ADA, "ada");
    world.send(BOB, "ada", "from afar");
    assert_eq!(world.read(ADA), ["from afar"]);
    world.send(ADA, "bob", "and back");
    assert_eq!(world.read(BOB), ["and back"]);
    assert_eq!(world.boxes[0].accepted.len(), 1 + 1, "the message and Bob's receipt");
    assert_eq!(world.boxes[1].accepted.len(), 1 + 1, "Ada's receipt and message");
}

#[test]
fn a_code_used_by_a_second_device_is_refused_and_shown() {
    let mut world = World::new(1, &[("ada", 0), ("bob", 0), ("eve", 0)]);
    let now_ms = world.now_ms;
    let code = world.devices[ADA].client.show_contact_code(now_ms, &mut world.rng).unwrap();
    world.carry_out(ADA, code.outputs);
    world.run();
    for (who, text) in [(BOB, "it is me"), (2, "it is me too")] {
        let outputs = world.devices[who].client.add_contact(now_ms, &mut world.rng, &code.value, "ada").unwrap();
        world.carry_out(who, outputs);
        world.run();
        world.send(who, "ada", text);
    }
    assert_eq!(world.read(ADA), ["it is me"]);
    let told = Notice::CodeUsedTwice { first: "bob".to_owned(), second: "eve".to_owned() };
    assert!(world.devices[ADA].notices.contains(&told));
    assert_eq!(world.devices[ADA].client.contacts().len(), 1);
    assert!(world.devices[ADA].client.requests().is_empty());
    assert_eq!(world.devices[2].client.summary(now_ms).unconfirmed, 1, "no receipt goes to her");
}

#[test]
fn ones_own_code_and_a_used_one_are_typed_errors() {
    let mut world = paired();
    let now_ms = world.now_ms;
    let code = world.devices[ADA].client.show_contact_code(now_ms, &mut world.rng).unwrap();
    world.carry_out(ADA, code.outputs);
    let own = world.devices[ADA].client.add_contact(now_ms, &mut world.rng, &code.value, "me");
    assert_eq!(own.unwrap_err(), CommandError::OwnCode);
    let again = world.devices[BOB].client.add_contact(now_ms, &mut world.rng, &code.value, "ada2");
    let name = "ada".to_owned();
    assert_eq!(again.unwrap_err(), CommandError::CodeAlreadyUsed { name });
    assert!(world.devices[BOB].client.contacts().len() == 1, "nothing was changed");
}

#[test]
fn both_may_have_shown_each_other_a_code() {
    let mut world = paired();
    world.add(ADA, BOB, "bob");
    world.send(BOB, "ada", "yours");
    world.send(ADA, "bob", "mine");
    assert_eq!((world.read(ADA), world.read(BOB)), (vec!["yours".to_owned()], vec!["mine".to_owned()]));
    assert_eq!(world.devices[ADA].client.contacts().len(), 1);
}

/// Eve writes with a code that Ada's device does not know any more.
fn with_a_request() -> (World, String) {
    let mut world = World::new(1, &[("ada", 0), ("eve", 0)]);
    world.add(BOB, ADA, "ada");
    // The box still takes the token; the device forgot the code.
    world.devices[ADA].client.state.codes.clear();
    world.send(BOB, "ada", "do you know me?");
    world.pass(5_000);
    let requests = world.devices[ADA].client.requests();
    assert_eq!(requests.len(), 1);
    (world, requests[0].id.clone())
}

#[test]
fn a_stranger_waits_in_requests_and_gets_no_receipt_until_accepted() {
    let (mut world, id) = with_a_request();
    assert!(world.has_notice(ADA, |notice| matches!(notice, Notice::RequestArrived { .. })));
    assert!(world.devices[ADA].client.unshown(world.now_ms).is_empty());
    assert!(world.devices[ADA].client.contacts().is_empty());
    let mailbox = world.devices[BOB].client.home().unwrap().mailbox;
    let to_eve = |world: &World| world.boxes[0].accepted.iter().filter(|(to, _)| *to == mailbox).count();
    assert_eq!(to_eve(&world), 0, "no receipt for a stranger");
    let now_ms = world.now_ms;
    let done = world.devices[ADA].client.accept_request(now_ms, &mut world.rng, &id, None).unwrap();
    assert_eq!(done.value, "eve");
    world.carry_out(ADA, done.outputs);
    world.run();
    assert_eq!(world.read(ADA), ["do you know me?"]);
    assert_eq!(to_eve(&world), 1);
    assert_eq!(world.devices[BOB].client.summary(now_ms).unconfirmed, 0);
}

#[test]
fn a_refused_stranger_is_not_heard_again_and_not_told() {
    let (mut world, id) = with_a_request();
    let now_ms = world.now_ms;
    let outputs = world.devices[ADA].client.refuse_request(now_ms, &mut world.rng, &id).unwrap();
    world.carry_out(ADA, outputs);
    world.send(BOB, "ada", "hello?");
    assert!(world.devices[ADA].client.requests().is_empty());
    assert!(world.devices[ADA].client.unshown(now_ms).is_empty());
    assert_eq!(world.devices[BOB].client.summary(now_ms).unconfirmed, 2);
}

#[test]
fn view_once_is_shown_once_and_is_in_no_history() {
    let mut world = acquainted();
    let options = SendOptions { view_once: true, ..SendOptions::default() };
    world.send_with(BOB, "ada", "burn this", options);
    assert_eq!(world.read(ADA), ["burn this"]);
    assert!(world.read(ADA).is_empty());
    let state = String::from_utf8_lossy(&world.devices[ADA].saved).into_owned();
    assert!(!state.contains("burn this"), "gone from the saved state too");
    for (who, name) in [(ADA, "bob"), (BOB, "ada")] {
        let history = world.devices[who].client.history(world.now_ms, name, 99).unwrap();
        assert!(history.iter().all(|message| message.text != "burn this"));
    }
}

#[test]
fn a_time_to_live_ends_a_message_on_both_sides() {
    let mut world = acquainted();
    let options = SendOptions { ttl: Some(Duration::from_secs(600)), ..SendOptions::default() };
    world.send_with(BOB, "ada", "for ten minutes", options);
    let texts = |world: &World, who: usize, name| {
        let history = world.devices[who].client.history(world.now_ms, name, 1).unwrap();
        history.into_iter().map(|message| message.text).collect::<Vec<_>>()
    };
    assert_eq!(texts(&world, ADA, "bob"), ["for ten minutes"]);
    world.pass(601_000);
    assert_ne!(texts(&world, ADA, "bob"), ["for ten minutes"]);
    assert_ne!(texts(&world, BOB, "ada"), ["for ten minutes"]);
    for who in [ADA, BOB] {
        let on_disk = String::from_utf8_lossy(&world.devices[who].saved).into_owned();
        assert!(!on_disk.contains("for ten minutes"));
    }
}

#[test]
fn a_message_whose_time_ran_out_on_the_way_is_not_shown() {
    let mut world = acquainted();
    world.stop(ADA);
    let options = SendOptions { ttl: Some(Duration::from_secs(600)), ..SendOptions::default() };
    let id = world.send_with(BOB, "ada", "too late", options);
    world.pass(HOUR);
    world.start(ADA);
    assert!(world.read(ADA).is_empty());
    assert_eq!(world.devices[BOB].client.status_of(&id), None, "forgotten here too");
    assert!(world.has_notice(BOB, |notice| matches!(notice, Notice::Expired { message, .. } if *message == id)));
}

#[test]
fn a_short_text_takes_two_kib_and_a_first_message_at_most_four() {
    let mut world = paired();
    world.stop(ADA);
    let text = "x".repeat(20);
    world.send(BOB, "ada", &text);
    assert!(world.boxes[0].accepted[0].1.len() <= 4096);
    world.start(ADA);
    world.pass(5_000);
    world.send(BOB, "ada", &text);
    let sizes: Vec<usize> = world.boxes[0].accepted.iter().map(|(_, envelope)| envelope.len()).collect();
    assert_eq!(sizes[2], 2048, "{sizes:?}");
}

#[test]
fn the_longest_text_fits_the_largest_envelope() {
    let mut world = paired();
    let text = "x".repeat(crate::command::TEXT_BYTES_MAX);
    world.send(BOB, "ada", &text);
    assert_eq!(world.read(ADA), [text.as_str()]);
    let now_ms = world.now_ms;
    let question = world.devices[BOB].client.history(now_ms, "ada", 1).unwrap()[0].id;
    world.send_with(BOB, "ada", &text, SendOptions { reply_to: Some(question), ..SendOptions::default() });
    assert_eq!(world.read(ADA), [text.as_str()], "also as an answer to a long one");
    let longer = world.devices[BOB].client.send(now_ms, &mut world.rng, "ada", &(text + "x"), SendOptions::default());
    assert!(matches!(longer.unwrap_err(), CommandError::TextTooLong { .. }));
}

#[test]
fn both_read_the_same_safety_number_and_confirming_it_marks_the_contact() {
    let mut world = acquainted();
    let adas = world.devices[ADA].client.safety_number("bob").unwrap();
    assert_eq!(adas, world.devices[BOB].client.safety_number("ada").unwrap());
    let now_ms = world.now_ms;
    let outputs = world.devices[ADA].client.confirm_verified(now_ms, &mut world.rng, "bob").unwrap();
    assert_eq!(outputs.0.first(), Some(&Output::Save));
    assert!(world.devices[ADA].client.contact("bob").unwrap().verified);
}

#[test]
fn messages_that_cross_on_first_contact_both_arrive_and_the_talk_goes_on() {
    let mut world = World::new(2, &[("ada", 0), ("bob", 1)]);
    world.add(BOB, ADA, "ada");
    world.add(ADA, BOB, "bob");
    world.stop(ADA);
    world.send(BOB, "ada", "from bob");
    world.stop(BOB);
    // Ada writes before she hears of Bob's: her box is down, his is not.
    world.take_down(0);
    world.start(ADA);
    world.send(ADA, "bob", "from ada");
    world.boxes[0].up = true;
    world.pass(10_000);
    world.start(BOB);
    assert_eq!((world.read(ADA), world.read(BOB)), (vec!["from bob".to_owned()], vec!["from ada".to_owned()]));
    for number in 0..6 {
        let (who, name) = [(ADA, "bob"), (BOB, "ada")][number % 2];
        let text = number.to_string();
        world.send(who, name, &text);
        assert_eq!(world.read(1 - who), [text]);
    }
    world.pass(5_000);
    assert_eq!(world.devices[ADA].client.summary(world.now_ms).unconfirmed, 0);
    assert_eq!(world.devices[BOB].client.summary(world.now_ms).unconfirmed, 0);
}

#[test]
fn a_stranger_who_writes_more_than_there_is_room_for_loses_nothing_when_accepted() {
    let (mut world, id) = with_a_request();
    for number in 0..70 {
        world.send(BOB, "ada", &number.to_string());
        world.pass(1_000);
    }
    assert_eq!(world.devices[ADA].client.requests()[0].messages, 64);
    let now_ms = world.now_ms;
    let done = world.devices[ADA].client.accept_request(now_ms, &mut world.rng, &id, Some("eve")).unwrap();
    world.carry_out(ADA, done.outputs);
    world.run();
    assert_eq!(world.read(ADA).len(), 64);
    // The rest has no receipt: it comes again.
    world.pass(7 * HOUR);
    assert_eq!(world.read(ADA).len(), 71 - 64);
    assert_eq!(world.devices[BOB].client.summary(world.now_ms).unconfirmed, 0);
}

#[test]
fn an_answer_shows_what_it_answers_from_the_readers_own_history() {
    let mut world = acquainted();
    let question = world.send(BOB, "ada", "when do we eat?");
    world.read(ADA);
    let options = SendOptions { reply_to: Some(question), ..SendOptions::default() };
    world.send_with(ADA, "bob", "at eight", options);
    let now_ms = world.now_ms;
    let answer = world.devices[BOB].client.unshown(now_ms).pop().unwrap();
    let quoted = answer.quote.unwrap();
    assert_eq!((quoted.id, quoted.by, &*quoted.excerpt), (question, Some(Direction::Sent), "when do we eat?"));
    let own = world.devices[ADA].client.history(now_ms, "bob", 1).unwrap().pop().unwrap().quote.unwrap();
    assert_eq!((own.by, &*own.excerpt), (Some(Direction::Received), "when do we eat?"));
}

#[test]
fn a_reader_who_has_the_question_no_more_sees_the_excerpt_and_that_it_is_one() {
    let mut world = acquainted();
    let question = world.send(BOB, "ada", "when do we eat?");
    world.read(ADA);
    world.devices[BOB].client.state.history.retain(|item| item.id != question);
    let options = SendOptions { reply_to: Some(question), ..SendOptions::default() };
    world.send_with(ADA, "bob", "at eight", options);
    let quoted = world.devices[BOB].client.unshown(world.now_ms).pop().unwrap().quote.unwrap();
    assert_eq!((quoted.by, &*quoted.excerpt), (None, "when do we eat?"));
}

#[test]
fn an_answer_repeats_nothing_that_is_to_be_gone() {
    for options in [
        SendOptions { view_once: true, ..SendOptions::default() },
        SendOptions { ttl: Some(Duration::from_secs(3600)), ..SendOptions::default() },
    ] {
        let mut world = acquainted();
        let secret = world.send_with(BOB, "ada", "4711", options);
        let answer = SendOptions { reply_to: Some(secret), ..SendOptions::default() };
        world.send_with(ADA, "bob", "thank you", answer);
        let stored = |who: usize| world.devices[who].client.state.history.last().unwrap().quote.clone().unwrap();
        assert_eq!((stored(ADA).excerpt, stored(BOB).excerpt), (String::new(), String::new()));
    }
}

#[test]
fn only_a_message_of_this_conversation_can_be_answered() {
    let mut world = acquainted();
    let (now_ms, id) = (world.now_ms, MessageId([9; 16]));
    let options = SendOptions { reply_to: Some(id), ..SendOptions::default() };
    let refused = world.devices[BOB].client.send(now_ms, &mut world.rng, "ada", "what?", options);
    assert_eq!(refused.unwrap_err(), CommandError::NoSuchMessage { id });
}
