//! Two people and a box.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::Stdio;
use std::time::Instant;

use hob_protocol::ids::InvitationSecret;
use hob_protocol::invitation::Invitation;
use tokio_tungstenite::tungstenite::Message;

use crate::people::{Person, ada_and_bob};
use crate::small_box::SmallBox;

#[test]
fn two_people_who_met_by_code_talk_and_see_how_their_messages_stand() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    let said = bob.run(&["send", "ada", "supper at eight", "--wait", "100ms"]).fine();
    assert!(said.starts_with("kept until "), "{said}");
    let left = ada.run(&["receive"]);
    let line = left.stdout.trim_end().to_owned();
    assert!(line.starts_with("bob  ") && line.ends_with("  supper at eight"), "{line:?}");
    assert!(left.stderr.contains("unverified"), "{left:?}");
    let history = bob.run(&["history", "ada", "--json"]).objects();
    let last = history.last().unwrap();
    assert_eq!((last["text"].as_str(), last["status"].as_str()), (Some("supper at eight"), Some("delivered")));
    assert_eq!(last["direction"], "sent");
    let status = &bob.run(&["status", "--json"]).objects()[0];
    assert_eq!((&status["online"], &status["unconfirmed"]), (&true.into(), &0.into()));
}

#[test]
fn what_receive_gives_to_programs_has_the_documented_fields() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    assert!(bob.run(&["send", "ada", ""]).failed(2).contains("empty"));
    bob.run(&["send", "ada", "tab\there", "--ttl", "10m", "--wait", "0s"]).fine();
    let objects = ada.run(&["receive", "--json"]).objects();
    let message = objects[0].as_object().unwrap();
    let names: BTreeSet<_> = message.keys().map(String::as_str).collect();
    let documented = ["expires_at", "from", "id", "path", "reply_to", "sent_at", "text", "verified", "view_once"];
    assert_eq!(names, documented.into());
    assert_eq!((&message["from"], &message["text"]), (&"bob".into(), &"tab\there".into()));
    assert_eq!((&message["path"], &message["verified"]), (&"box".into(), &false.into()));
    assert!(message["sent_at"].as_str().unwrap().ends_with('Z'));
    let help = ada.run(&["receive", "--help"]).fine();
    for name in documented {
        assert!(help.contains(&format!("\"{name}\"")), "the help names {name}");
    }
}

#[test]
fn fifty_messages_to_somebody_who_is_away_cost_fifty_envelopes_and_all_arrive_in_order() {
    let small_box = SmallBox::start();
    let (ada, bob) = (Person::member_of(&small_box, "ada"), Person::member_of(&small_box, "bob"));
    bob.run(&["contact", "add", &ada.code(), "--as", "ada"]).fine();
    let before = small_box.accepted();
    let texts: Vec<_> = (0..50).map(|number| format!("message {number}")).collect();
    for text in &texts {
        bob.run(&["send", "ada", text, "--wait", "0s"]).fine();
    }
    assert_eq!(small_box.accepted() - before, 50);
    assert_eq!(ada.receives(), texts);
    let contacts = ada.run(&["contacts", "--json"]).objects();
    assert_eq!((&contacts[0]["new"], &contacts[0]["verified"]), (&true.into(), &false.into()));
    let bob_at_adas = contacts[0]["name"].as_str().unwrap().to_owned();
    ada.run(&["send", &bob_at_adas, "all fifty"]).fine();
    assert_eq!(bob.receives(), ["all fifty"]);
}

#[test]
fn a_message_is_printed_once_and_receiving_nothing_is_fine() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    bob.run(&["send", "ada", "once", "--wait", "0s"]).fine();
    assert_eq!(ada.receives(), ["once"]);
    let left = ada.run(&["receive"]);
    assert_eq!((left.code, left.stdout.as_str()), (0, ""), "{left:?}");
}

#[test]
fn receive_waits_for_the_first_message_if_it_is_told_to() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    let waiting = ada.command(&["receive", "--wait", "60s"]).spawn().unwrap();
    bob.run(&["send", "ada", "here", "--wait", "0s"]).fine();
    let left = crate::people::finish(waiting);
    assert!(left.stdout.ends_with("  here\n"), "{left:?}");
}

#[test]
fn while_the_box_is_down_a_message_stays_in_the_outbox_with_exit_code_3_and_goes_out_later() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    let stopped = small_box.stop();
    let left = bob.run(&["send", "ada", "later"]);
    assert!(left.stdout.is_empty(), "{left:?}");
    assert!(left.failed(3).contains("in the outbox"));
    let sent = &bob.run(&["send", "ada", "later still", "--json"]).objects()[0];
    assert_eq!((&sent["status"], &sent["until"]), (&"outbox".into(), &serde_json::Value::Null));
    let stderr = ada.run(&["receive"]).failed(1);
    assert!(stderr.contains("no answer from the box at 127.0.0.1") && stderr.contains("is it running"), "{stderr}");
    assert!(bob.run(&["status"]).fine().contains("no answer"));
    let small_box = stopped.start();
    bob.run(&["contacts"]).fine();
    assert_eq!(ada.receives(), ["later", "later still"]);
    drop(small_box);
}

#[test]
fn a_message_from_stdin_keeps_its_lines_and_shows_what_cannot_be_seen() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    bob.run_with_stdin(&["send", "ada"], "first\nada  00:00  second\u{1b}[2J\u{202e}\n".as_bytes()).fine();
    let printed = ada.run(&["receive"]).fine();
    assert!(!printed.chars().any(|c| c.is_control() && c != '\n'), "{printed:?}");
    assert!(printed.contains("\\u{1b}[2J\\u{202e}"), "{printed:?}");
    assert!(printed.lines().nth(1).unwrap().starts_with("   "), "{printed:?}");
}

#[test]
fn a_view_once_message_is_shown_once_and_is_in_no_history() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    bob.run(&["send", "ada", "the code is 4711", "--view-once", "--wait", "0s"]).fine();
    assert_eq!(ada.receives(), ["the code is 4711"]);
    assert_eq!(ada.receives(), [] as [&str; 0]);
    assert!(!ada.run(&["history", "bob"]).fine().contains("4711"));
}

#[test]
fn both_sides_see_the_same_sixty_digits_and_a_confirmed_contact_is_verified() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    let digits = |person: &Person, name: &str| person.run(&["verify", name, "--json"]).objects()[0]["digits"].clone();
    assert_eq!(digits(&ada, "bob"), digits(&bob, "ada"));
    let shown = ada.run(&["verify", "bob"]).fine();
    assert_eq!(shown.chars().filter(char::is_ascii_digit).count(), 60, "{shown}");
    ada.run(&["verify", "bob", "--confirm"]).fine();
    assert_eq!(ada.run(&["contacts"]).fine().trim(), "bob  verified");
}

#[test]
fn the_wrong_box_at_the_address_is_told_and_nothing_is_sent_to_it() {
    let small_box = SmallBox::start();
    let address = small_box.address();
    let (_ada, bob) = ada_and_bob(&small_box);
    drop(small_box);
    let other = SmallBox::start_at(address, 77);
    let left = bob.run(&["send", "ada", "hi"]);
    assert!(left.stderr.contains("!!!") && left.stderr.contains("NOT THE ONE"), "{left:?}");
    left.failed(3);
    let said = bob.run(&["receive"]).failed(1);
    assert!(said.contains("not the one this device knows"), "{said}");
    assert_eq!(other.accepted(), 0);
}

#[test]
fn somebody_in_between_who_passes_hellos_on_is_told_and_gets_nothing() {
    let small_box = SmallBox::start();
    let (_ada, bob) = ada_and_bob(&small_box);
    let before = small_box.accepted();
    small_box.forge_hellos();
    let left = bob.run(&["send", "ada", "hi"]);
    assert!(left.stderr.contains("!!!") && left.stderr.contains("CANNOT PROVE"), "{left:?}");
    left.failed(3);
    assert_eq!(small_box.accepted(), before);
}

#[test]
fn a_box_that_talks_nonsense_ends_its_connection_and_not_the_program() {
    let small_box = SmallBox::start();
    let (_ada, bob) = ada_and_bob(&small_box);
    for nonsense in [
        Message::text("hello"),
        Message::binary(vec![0xff; 40]),
        Message::binary(Vec::new()),
        Message::binary(vec![0; 70_000]),
    ] {
        small_box.say_nonsense(nonsense);
        bob.run(&["receive"]).failed(1);
        assert!(bob.run(&["send", "ada", "hi"]).failed(3).contains("in the outbox"));
    }
}

#[test]
fn an_own_code_and_a_used_one_are_refused_by_name() {
    let small_box = SmallBox::start();
    let (ada, bob) = (Person::member_of(&small_box, "ada"), Person::member_of(&small_box, "bob"));
    let code = ada.code();
    assert!(ada.run(&["contact", "add", &code, "--as", "me"]).failed(1).contains("your own"));
    bob.run(&["contact", "add", &code, "--as", "ada"]).fine();
    assert!(bob.run(&["contact", "add", &code, "--as", "ada2"]).failed(1).contains("used already"));
    assert!(bob.run(&["contact", "add", &ada.code(), "--as", "two words"]).failed(2).contains("no name"));
}

#[test]
fn an_invitation_that_the_box_does_not_know_is_refused_and_another_one_works() {
    let small_box = SmallBox::start();
    let link = small_box.invitation();
    let mut foreign = Invitation::parse(&link).unwrap();
    foreign.secret = InvitationSecret([0xee; 16]);
    let ada = Person::new();
    let stderr = ada.run(&["join", &foreign.to_link()]).failed(1);
    assert!(stderr.contains("ask for a new one"), "{stderr}");
    foreign.expires_at_s = 1;
    assert!(ada.run(&["join", &foreign.to_link()]).failed(1).contains("expired"));
    assert!(ada.run(&["status"]).failed(1).contains("join"));
    ada.run(&["join", &link, "--name", "ada"]).fine();
    let other = SmallBox::start_at("127.0.0.1:0".parse().unwrap(), 77);
    assert!(ada.run(&["join", &other.invitation()]).failed(1).contains("joined a box already"));
    // Of one's own box it tells where that box is now.
    ada.run(&["join", &link]).fine();
}

#[test]
fn who_is_unknown_is_said_to_be_unknown() {
    let small_box = SmallBox::start();
    let ada = Person::member_of(&small_box, "ada");
    for (command, words) in [
        (&["request", "accept", "00000000"][..], "no request"),
        (&["request", "refuse", "00000000"], "no request"),
        (&["send", "bob", "hi"], "no contact is called"),
        (&["history", "bob"], "no contact is called"),
        (&["verify", "bob\u{1b}[2J"], "no contact is called \"bob\\u{1b}[2J\""),
    ] {
        let stderr = ada.run(command).failed(1);
        assert!(stderr.contains(words), "{command:?}: {stderr}");
    }
    assert_eq!(ada.run(&["requests", "--json"]).fine(), "");
}

#[test]
fn a_join_that_found_the_box_down_can_be_tried_again() {
    let small_box = SmallBox::start();
    let invitation = small_box.invitation();
    let stopped = small_box.stop();
    let ada = Person::new();
    assert!(ada.run(&["join", &invitation, "--name", "ada"]).failed(1).contains("is it running"));
    let _small_box = stopped.start();
    ada.run(&["join", &invitation, "--name", "ada"]).fine();
    assert!(ada.run(&["status"]).fine().contains("online"));
}

#[test]
fn what_was_read_before_the_reader_left_is_not_printed_again() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    for number in 0..3 {
        bob.run(&["send", "ada", &format!("message {number}"), "--wait", "0s"]).fine();
    }
    let mut child = ada.command(&["receive"]).spawn().unwrap();
    drop(child.stdout.take());
    child.stdout = None;
    assert!(crate::people::finish(child).failed(1).contains("cannot write to stdout"));
    assert_eq!(ada.receives().len(), 3, "nothing was read, so nothing is lost");
}

#[test]
fn an_address_where_another_box_answers_and_a_dead_one_do_not_keep_a_member_from_joining() {
    let (small_box, other) = (SmallBox::start(), SmallBox::start_at("127.0.0.1:0".parse().unwrap(), 77));
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ada = Person::new();
    let invitation = small_box.invitation_to(&[other.address(), dead, small_box.address()]);
    ada.run(&["join", &invitation, "--name", "ada"]).fine();
    assert!(ada.run(&["status"]).fine().contains("online"));
}

#[test]
fn a_full_disk_of_the_box_leaves_the_message_in_the_outbox_and_says_so() {
    let small_box = SmallBox::start();
    let (_ada, bob) = ada_and_bob(&small_box);
    small_box.refuse_to_store();
    let left = bob.run(&["send", "ada", "hi"]);
    assert!(left.stderr.contains("store"), "{left:?}");
    left.failed(3);
}

#[test]
fn a_kill_at_any_moment_loses_nothing_and_repeats_nothing() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    let since = Instant::now();
    bob.run(&["send", "ada", "whole", "--wait", "0s"]).fine();
    let whole = since.elapsed();
    let mut killed = 0;
    for number in 0..12 {
        let text = format!("message {number}");
        let mut send = bob.command(&["send", "ada", &text, "--wait", "0s"]);
        let mut child = send.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Not a wait for something: the moment of the kill is what varies.
        std::thread::sleep(whole * number / 12);
        killed += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(killed > 0, "of 12, {killed} were killed under way");
    bob.run(&["send", "ada", "the last one", "--wait", "0s"]).fine();
    let texts = ada.receives();
    assert_eq!(texts.last().unwrap(), "the last one", "{texts:?}");
    let distinct: BTreeSet<_> = texts.iter().collect();
    assert_eq!(distinct.len(), texts.len(), "{texts:?}");
    // Whatever Bob's device remembers to have sent has arrived.
    let remembered = bob.run(&["history", "ada", "--last", "100", "--json"]).objects();
    for message in remembered.iter().filter(|message| message["direction"] == "sent") {
        let text = message["text"].as_str().unwrap().to_owned();
        assert!(text == "hello" || texts.contains(&text), "{text} of {texts:?}");
    }
}

#[test]
fn a_kill_while_receiving_loses_no_message() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    let since = Instant::now();
    assert_eq!(ada.receives(), [] as [&str; 0]);
    let whole = since.elapsed();
    let texts: Vec<_> = (0..6).map(|number| format!("message {number}")).collect();
    let (mut printed, mut killed) = (String::new(), 0);
    for (text, moment) in texts.iter().zip(1..) {
        bob.run(&["send", "ada", text, "--wait", "0s"]).fine();
        let mut child = ada.command(&["receive"]).spawn().unwrap();
        // Not a wait for something: the moment of the kill is what varies.
        std::thread::sleep(whole * moment / 6);
        killed += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        printed.push_str(&crate::people::finish(child).stdout);
    }
    assert!(killed > 0, "of 6, {killed} were killed under way");
    printed.push_str(&ada.run(&["receive"]).fine());
    for text in texts {
        assert!(printed.contains(&format!("  {text}\n")), "{text} in {printed}");
    }
}

#[test]
fn an_answer_prints_what_it_answers() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    bob.run(&["send", "ada", "when do we eat?", "--wait", "0s"]).fine();
    let id = ada.run(&["receive", "--json"]).objects()[0]["id"].as_str().unwrap().to_owned();
    ada.run(&["send", "bob", "at eight", "--reply-to", &id, "--wait", "0s"]).fine();
    let printed = bob.run(&["receive"]).fine();
    assert!(printed.contains("> you: when do we eat?\n") && printed.ends_with("   at eight\n"), "{printed:?}");
    assert!(ada.run(&["send", "bob", "what?", "--reply-to", "no id"]).failed(2).contains("32 hex digits"));
    let nothing = "00".repeat(16);
    assert!(ada.run(&["send", "bob", "what?", "--reply-to", &nothing]).failed(1).contains("no message"));
}
