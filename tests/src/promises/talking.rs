//! Two people and a box, with `hob-chat`.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use hob_tests::boxes::{HobBox, wait_for};
use hob_tests::chat::{Person, ada_and_bob};

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("message {number}")).collect()
}

#[test]
fn two_people_who_met_by_code_talk_through_a_box() {
    let mut hob = HobBox::fresh();
    let ada = Person::joined(hob.invitation.as_ref().unwrap(), "ada");
    let bob = Person::joined(&hob.invite(), "bob");
    bob.add(&ada.code(), "ada");
    bob.ok(&["send", "ada", "supper at eight"]);
    let got = ada.receive();
    assert_eq!((&got[0]["from"], &got[0]["text"]), (&"bob".into(), &"supper at eight".into()));
    assert_eq!((&got[0]["path"], &got[0]["verified"]), (&"box".into(), &false.into()));
    ada.ok(&["send", "bob", "I bring the bread"]);
    assert_eq!(bob.texts(), ["I bring the bread"]);
    hob.assert_well();
}

#[test]
fn a_message_sent_while_the_other_is_away_survives_a_killed_box_and_comes_once() {
    let mut hob = HobBox::fresh();
    let (ada, bob) = ada_and_bob(&hob);
    let sent = bob.ok(&["send", "ada", "supper at eight", "--wait", "0s"]);
    assert!(sent.starts_with("kept until "), "{sent}");
    hob.kill();
    hob.start_again();
    assert_eq!(ada.texts(), ["supper at eight"]);
    assert_eq!(ada.texts(), [] as [&str; 0], "and not again");
    hob.kill();
    hob.start_again();
    assert_eq!(ada.texts(), [] as [&str; 0], "nor after another crash");
    bob.ok(&["receive"]);
    assert_eq!(bob.json(&["history", "ada"]).last().unwrap()["status"], "delivered");
    hob.assert_well();
}

#[test]
fn fifty_messages_before_the_first_receive_all_arrive_and_can_be_answered_without_a_second_code() {
    let hob = HobBox::fresh();
    let (ada, bob) = (Person::joined(&hob.invite(), "ada"), Person::joined(&hob.invite(), "bob"));
    bob.add(&ada.code(), "ada");
    let texts = numbered(50);
    for text in &texts {
        bob.ok(&["send", "ada", text, "--wait", "0s"]);
    }
    assert_eq!(ada.texts(), texts);
    let contact = &ada.json(&["contacts"])[0];
    assert_eq!((&contact["new"], &contact["verified"]), (&true.into(), &false.into()));
    let bob_at_adas = contact["name"].as_str().unwrap();
    ada.ok(&["send", bob_at_adas, "all fifty"]);
    assert_eq!(bob.texts(), ["all fifty"]);
}

#[test]
fn fifty_send_processes_cost_the_box_fifty_accepted_envelopes_and_not_one_more() {
    let hob = HobBox::fresh();
    let (ada, bob) = ada_and_bob(&hob);
    // What the first words still owe each other, receipts above all, goes out before the counting begins.
    for person in [&ada, &bob, &ada, &bob] {
        person.ok(&["receive"]);
    }
    let before = hob.status("accepted");
    let texts = numbered(50);
    for text in &texts {
        bob.ok(&["send", "ada", text, "--wait", "0s"]);
    }
    assert_eq!(hob.status("accepted") - before, 50);
    assert_eq!(ada.texts(), texts);
}

#[test]
fn send_says_delivered_kept_or_outbox_and_its_exit_code_tells_them_apart() {
    let mut hob = HobBox::fresh();
    let (ada, bob) = ada_and_bob(&hob);
    let mut following = follow(&ada);
    wait_for("Ada's device is connected", || hob.status("connected") == 1);
    let sent = bob.ok(&["send", "ada", "are you there?", "--wait", "20s"]);
    assert_eq!(sent.trim(), "delivered");
    following.kill().unwrap();
    following.wait().unwrap();
    let sent = &bob.json(&["send", "ada", "and now?", "--wait", "100ms"])[0];
    assert_eq!(sent["status"], "kept");
    assert!(sent["until"].as_str().unwrap().ends_with('Z'), "{sent}");
    hob.stop();
    let said = bob.fails(3, &["send", "ada", "and now?"]);
    assert!(said.contains("in the outbox"), "{said}");
    assert!(!bob.fails(2, &["send", "ada", ""]).is_empty(), "an empty message is a slip of whoever types");
    assert!(!bob.fails(1, &["send", "carol", "hi"]).is_empty(), "nobody is called so");
    hob.start_again();
    bob.ok(&["contacts"]);
    assert_eq!(ada.texts(), ["and now?", "and now?"], "the flush of the next command took it along");
}

/// `receive --follow`, whose stdout is read by the caller.
fn follow(person: &Person) -> Child {
    person.command(&["receive", "--follow", "--json"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_receipt_tells_the_sender_that_the_message_is_safe() {
    let hob = HobBox::fresh();
    let (ada, bob) = ada_and_bob(&hob);
    bob.ok(&["send", "ada", "supper at eight", "--wait", "0s"]);
    let status = |bob: &Person| bob.json(&["history", "ada"]).last().unwrap()["status"].clone();
    assert_eq!(status(&bob), "kept");
    assert_eq!(ada.texts(), ["supper at eight"]);
    bob.ok(&["receive"]);
    assert_eq!(status(&bob), "delivered");
    assert_eq!(bob.json(&["status"])[0]["unconfirmed"], 0);
}

#[test]
fn both_see_the_same_sixty_digits_and_only_who_confirms_has_a_verified_contact() {
    let hob = HobBox::fresh();
    let (ada, bob) = ada_and_bob(&hob);
    let digits = |person: &Person, name: &str| person.json(&["verify", name])[0]["digits"].clone();
    assert_eq!(digits(&ada, "bob"), digits(&bob, "ada"));
    assert_eq!(digits(&ada, "bob").as_str().unwrap().chars().filter(char::is_ascii_digit).count(), 60);
    ada.ok(&["verify", "bob", "--confirm"]);
    bob.ok(&["send", "ada", "it is me", "--wait", "0s"]);
    assert_eq!(ada.receive()[0]["verified"], true);
    assert_eq!(bob.json(&["contacts"])[0]["verified"], false, "Bob has not compared anything");
}

#[test]
fn a_view_once_message_is_shown_once_and_stands_in_no_history() {
    let hob = HobBox::fresh();
    let (ada, bob) = ada_and_bob(&hob);
    bob.ok(&["send", "ada", "the code is 4711", "--view-once", "--wait", "0s"]);
    let got = ada.receive();
    assert_eq!((&got[0]["text"], &got[0]["view_once"]), (&"the code is 4711".into(), &true.into()));
    assert_eq!(ada.texts(), [] as [&str; 0]);
    assert!(!ada.ok(&["history", "bob"]).contains("4711"));
}

#[test]
fn a_time_to_live_counts_from_sending_and_bounds_the_envelope_too() {
    let hob = HobBox::fresh();
    let (ada, bob) = ada_and_bob(&hob);
    let seconds = |time: &serde_json::Value| seconds_of_day(time.as_str().unwrap());
    let sent = &bob.json(&["send", "ada", "soon gone", "--ttl", "10m", "--wait", "0s"])[0];
    let got = &ada.receive()[0];
    assert_eq!((seconds(&got["expires_at"]) - seconds(&got["sent_at"])).rem_euclid(86_400), 600, "{got}");
    let kept_for = (seconds(&sent["until"]) - seconds(&got["sent_at"])).rem_euclid(86_400);
    assert!((590..=600).contains(&kept_for), "the box keeps it for {kept_for} s");
}

/// Of RFC 3339 in UTC.
fn seconds_of_day(time: &str) -> i64 {
    let clock = time.split('T').nth(1).unwrap();
    let part = |at: usize| clock[at..at + 2].parse::<i64>().unwrap();
    part(0) * 3600 + part(3) * 60 + part(6)
}

#[test]
fn a_second_process_on_a_profile_hands_its_command_to_the_first() {
    let hob = HobBox::fresh();
    let (ada, bob) = ada_and_bob(&hob);
    let mut following = follow(&bob);
    wait_for("Bob's device is connected", || hob.status("connected") == 1);
    bob.ok(&["send", "ada", "from a second process", "--wait", "0s"]);
    assert_eq!(hob.status("connected"), 1, "the first one's connection was not taken over");
    assert!(following.try_wait().unwrap().is_none(), "and it goes on");
    assert_eq!(ada.texts(), ["from a second process"]);
    ada.ok(&["send", "bob", "and back", "--wait", "0s"]);
    let mut line = String::new();
    BufReader::new(following.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("and back"), "{line}");
    following.kill().unwrap();
    following.wait().unwrap();
}

#[test]
fn a_client_that_is_killed_at_any_moment_loses_nothing_and_repeats_nothing() {
    let hob = HobBox::fresh();
    let (ada, bob) = ada_and_bob(&hob);
    let mut killed = 0;
    for number in 0..10_u64 {
        let text = format!("message {number}");
        let mut sending = bob.command(&["send", "ada", &text, "--wait", "0s"]);
        let mut sending = sending.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Not a wait for something: the moment of the kill is what varies.
        std::thread::sleep(std::time::Duration::from_millis(12 * number));
        killed += usize::from(sending.try_wait().unwrap().is_none());
        sending.kill().unwrap();
        sending.wait().unwrap();
    }
    assert!(killed > 2, "most were killed under way, not {killed}");
    bob.ok(&["send", "ada", "the last one", "--wait", "0s"]);
    let texts = ada.texts();
    assert_eq!(texts.last().unwrap(), "the last one");
    let distinct: BTreeSet<&String> = texts.iter().collect();
    assert_eq!(distinct.len(), texts.len(), "{texts:?}");
    for message in bob.json(&["history", "ada", "--last", "100"]) {
        let text = message["text"].as_str().unwrap().to_owned();
        let old = text.starts_with("hello") || message["direction"] == "received";
        assert!(old || texts.contains(&text), "Bob's device remembers {text}, and Ada never got it: {texts:?}");
    }
}
