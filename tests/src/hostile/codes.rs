//! Contact codes: used twice, expired, one's own.

use hob_protocol::contact::ContactCode;
use hob_tests::boxes::{HobBox, Start};
use hob_tests::chat::{Person, ada_and_bob};
use hob_tests::clock::{HOUR, WallClock};

#[test]
fn a_code_that_two_people_use_makes_one_contact_and_the_second_use_is_refused_and_shown() {
    let mut hob = HobBox::fresh();
    let [ada, bob, carol] = ["ada", "bob", "carol"].map(|name| Person::joined(&hob.invite(), name));
    let code = ada.code();
    bob.add(&code, "ada");
    bob.ok(&["send", "ada", "it is Bob", "--wait", "0s"]);
    carol.add(&code, "ada");
    carol.run(&["send", "ada", "it is Carol", "--wait", "0s"]);
    let output = ada.run(&["receive", "--json"]);
    let (printed, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(printed.contains("it is Bob") && !printed.contains("it is Carol"), "{printed}");
    assert!(said.contains("!!!") && said.contains("USED TWICE"), "{said}");
    let contacts = ada.json(&["contacts"]);
    assert_eq!(contacts.len(), 1, "{contacts:?}");
    // The first one is not cut off by what the second did.
    let name = contacts[0]["name"].as_str().unwrap().to_owned();
    ada.ok(&["send", &name, "I hear you", "--wait", "0s"]);
    assert_eq!(bob.texts(), ["I hear you"]);
    assert_eq!(carol.texts(), [] as [&str; 0]);
    hob.assert_well();
}

#[test]
fn a_code_after_its_day_is_refused_by_the_box_and_the_sender_is_told() {
    let clock = WallClock::right();
    let mut hob = clock.on(Start::default()).fresh();
    let [ada, bob] = ["ada", "bob"].map(|name| clock.given_to(Person::joined(&hob.invite(), name)));
    let code = ada.code();
    assert!(hob.stop().success());
    clock.off_by(25 * HOUR);
    hob.start_again();
    // Two devices tell the same time: then it is confirmed, and the code's day is over.
    ada.ok(&["receive"]);
    bob.ok(&["receive"]);
    bob.run(&["contact", "add", &code, "--as", "ada"]);
    let said = bob.fails(3, &["send", "ada", "too late?", "--wait", "0s"]);
    assert!(said.contains("token") || said.contains("code"), "{said}");
    assert_eq!(ada.texts(), [] as [&str; 0]);
    // A fresh code of the same person takes the old one's place.
    bob.ok(&["contact", "add", &ada.code(), "--as", "ada"]);
    bob.ok(&["send", "ada", "a fresh code works", "--wait", "0s"]);
    assert!(ada.texts().contains(&"a fresh code works".to_owned()));
    hob.assert_well();
}

#[test]
fn ones_own_code_and_a_code_that_was_used_already_are_refused_by_name() {
    let hob = HobBox::fresh();
    let (ada, bob) = (Person::joined(&hob.invite(), "ada"), Person::joined(&hob.invite(), "bob"));
    let code = ada.code();
    let said = ada.fails(1, &["contact", "add", &code, "--as", "me"]);
    assert!(said.contains("your own"), "{said}");
    bob.add(&code, "ada");
    let said = bob.fails(1, &["contact", "add", &code, "--as", "ada-again"]);
    assert!(said.contains("used already"), "{said}");
    assert_eq!(bob.json(&["contacts"]).len(), 1);
}

#[test]
fn a_code_with_a_changed_character_or_another_scheme_is_no_code() {
    let hob = HobBox::fresh();
    let (ada, bob) = (Person::joined(&hob.invite(), "ada"), Person::joined(&hob.invite(), "bob"));
    let code = ada.code();
    let mut changed = code.clone().into_bytes();
    let at = code.len() / 2;
    changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
    let said = bob.fails(1, &["contact", "add", &String::from_utf8(changed).unwrap(), "--as", "ada"]);
    assert!(said.contains("copy it whole"), "{said}");
    bob.fails(1, &["contact", "add", &hob.invite(), "--as", "ada"]);
    assert_eq!(bob.json(&["contacts"]).len(), 0);
    bob.add(&code, "ada");
}

#[test]
fn a_code_whose_keys_were_exchanged_on_the_way_reaches_nobody() {
    let hob = HobBox::fresh();
    let [ada, bob, mallory] = ["ada", "bob", "mallory"].map(|name| Person::joined(&hob.invite(), name));
    let (of_ada, of_mallory) = (ContactCode::parse(&ada.code()).unwrap(), ContactCode::parse(&mallory.code()).unwrap());
    // The bundle behind the token is checked against the code's device key: a box that swaps mailboxes gets nowhere.
    let swapped = ContactCode { introduction_token: of_mallory.introduction_token.clone(), ..of_ada };
    bob.run(&["contact", "add", &swapped.to_code().unwrap(), "--as", "ada"]);
    let said = bob.fails(3, &["send", "ada", "for Ada's eyes", "--wait", "0s"]);
    assert!(said.contains("!!!"), "{said}");
    assert_eq!(mallory.texts(), [] as [&str; 0]);
    assert_eq!(ada.texts(), [] as [&str; 0]);
    assert_eq!(hob.status("accepted"), 0, "nothing was sealed to the wrong keys");
}

#[test]
fn control_and_bidi_characters_of_a_contact_are_shown_and_not_obeyed() {
    let hob = HobBox::fresh();
    let (ada, bob) = ada_and_bob(&hob);
    let text = "first\nada  00:00  second\u{1b}[2J\u{202e}";
    assert!(bob.with_input(&["send", "ada", "--wait", "0s"], text.as_bytes()).status.success());
    let printed = ada.ok(&["receive"]);
    assert!(!printed.chars().any(|c| c.is_control() && c != '\n'), "{printed:?}");
    assert!(printed.contains("\\u{1b}[2J\\u{202e}"), "{printed:?}");
    let mallory = Person::new();
    mallory.run(&["join", &hob.invite(), "--name", "bob\u{202e}\u{1b}[31m"]);
    for output in [hob.hob(&["members"]), mallory.run(&["status"])] {
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(!printed.contains('\u{1b}') && !printed.contains('\u{202e}'), "{printed:?}");
    }
}
