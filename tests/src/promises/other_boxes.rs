//! Contacts on other people's boxes: two and three boxes; one down, one moved, one in another's place.

use hob_tests::boxes::{HobBox, Start, wait_for};
use hob_tests::chat::Person;

/// Ada at the first box, Bob at the second; Bob has Ada's code, and each has heard of the other.
fn ada_and_bob(adas: &HobBox, bobs: &HobBox) -> (Person, Person) {
    let (ada, bob) = (Person::joined(&adas.invite(), "ada"), Person::joined(&bobs.invite(), "bob"));
    bob.add(&ada.code(), "ada");
    bob.ok(&["send", "ada", "hello", "--wait", "0s"]);
    assert_eq!(ada.texts(), ["hello"]);
    ada.ok(&["send", "bob", "hello yourself", "--wait", "0s"]);
    assert_eq!(bob.texts(), ["hello yourself"]);
    for person in [&ada, &bob, &ada, &bob] {
        person.ok(&["receive"]);
    }
    (ada, bob)
}

fn last_status(person: &Person, with: &str) -> String {
    person.json(&["history", with]).last().unwrap()["status"].as_str().unwrap().to_owned()
}

#[test]
fn members_of_two_boxes_talk_and_each_message_lies_on_its_readers_box_only() {
    let (adas, bobs) = (HobBox::fresh(), HobBox::fresh());
    let (ada, bob) = ada_and_bob(&adas, &bobs);
    let before = (adas.status("accepted"), bobs.status("accepted"));
    bob.ok(&["send", "ada", "supper at eight", "--wait", "0s"]);
    assert_eq!((adas.status("accepted"), bobs.status("accepted")), (before.0 + 1, before.1));
    assert_eq!(ada.texts(), ["supper at eight"]);
    bob.ok(&["receive"]);
    assert_eq!(last_status(&bob, "ada"), "delivered");
    assert_eq!(adas.status("members") + bobs.status("members"), 2, "nobody is a member of the other's box");
}

#[test]
fn members_of_three_boxes_talk_and_one_box_that_is_down_holds_up_nobody_else() {
    let (adas, bobs, mut carols) = (HobBox::fresh(), HobBox::fresh(), HobBox::fresh());
    let (ada, bob) = ada_and_bob(&adas, &bobs);
    let carol = Person::joined(&carols.invite(), "carol");
    carol.add(&ada.code(), "ada");
    carol.ok(&["send", "ada", "hello from carol", "--wait", "0s"]);
    assert_eq!(ada.texts(), ["hello from carol"]);
    carols.stop();
    let said = ada.fails(3, &["send", "carol", "when you are back"]);
    assert!(said.contains("in the outbox"), "{said}");
    ada.ok(&["send", "bob", "carol is away", "--wait", "0s"]);
    assert_eq!(bob.texts(), ["carol is away"]);
    let waiting = &ada.json(&["status"])[0]["messages"][0];
    assert_eq!((&waiting["contact"], &waiting["status"]), (&"carol".into(), &"outbox".into()), "{waiting}");
    carols.start_again();
    ada.ok(&["receive"]);
    assert_eq!(carol.texts(), ["when you are back"]);
    ada.ok(&["receive"]);
    assert_eq!(last_status(&ada, "carol"), "delivered");
}

#[test]
fn a_box_that_moved_to_another_port_is_found_by_its_members_and_by_contacts_elsewhere() {
    let (mut adas, bobs) = (HobBox::fresh(), HobBox::fresh());
    let (ada, bob) = ada_and_bob(&adas, &bobs);
    let (data, old) = (adas.data.clone(), adas.address);
    adas.stop();
    let moved = Start::default().over(&data).unwrap();
    assert_ne!(moved.address, old);
    let said = bob.fails(3, &["send", "ada", "where are you?"]);
    assert!(said.contains("in the outbox"), "{said}");
    let said = ada.json(&["home"]);
    assert_eq!(said[0]["online"], false);
    // The keeper tells Ada; whoever answers there must be the box that she knows.
    let said = ada.json(&["home", "address", &moved.address.to_string()]);
    assert_eq!(said[0]["online"], true, "{said:?}");
    ada.ok(&["receive"]);
    // Bob hears of it from her, sealed, and what waited goes.
    wait_for("Bob's message goes to the new address", || {
        bob.ok(&["receive"]);
        last_status(&bob, "ada") != "outbox"
    });
    assert_eq!(ada.texts(), ["where are you?"]);
    let said = ada.json(&["home"]);
    assert_eq!(said[0]["addresses"][0], moved.address.to_string());
}

#[test]
fn an_invitation_of_the_moved_box_tells_its_member_where_it_is_and_stays_good() {
    let (mut adas, bobs) = (HobBox::fresh(), HobBox::fresh());
    let (ada, _) = ada_and_bob(&adas, &bobs);
    let data = adas.data.clone();
    adas.stop();
    let moved = Start::default().over(&data).unwrap();
    let link = moved.invite();
    ada.ok(&["join", &link, "--name", "ada"]);
    assert_eq!(ada.json(&["home"])[0]["online"], true);
    Person::joined(&link, "carol");
}

#[test]
fn another_box_at_the_old_address_gets_nothing_and_the_messages_wait_for_the_right_one() {
    let (mut adas, bobs) = (HobBox::fresh(), HobBox::fresh());
    let (ada, bob) = ada_and_bob(&adas, &bobs);
    let port = adas.address.port();
    adas.stop();
    let mut stranger = Start::default().port(port).fresh();
    let said = bob.fails(3, &["send", "ada", "for ada only"]);
    assert!(said.contains("IS NOT THE ONE THIS DEVICE KNOWS"), "{said}");
    assert!(said.contains("in the outbox"), "{said}");
    assert_eq!(stranger.status("accepted"), 0);
    // A look at one's own box says it as loudly.
    let said = ada.run(&["status"]);
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("YOUR BOX IS NOT THE ONE THIS DEVICE KNOWS"), "{said}");
    stranger.stop();
    adas.start_again();
    bob.ok(&["receive"]);
    assert_eq!(ada.texts(), ["for ada only"]);
    adas.assert_well();
}

#[test]
fn a_strict_message_is_delivered_to_who_is_there_and_never_to_who_comes_later() {
    let (adas, bobs) = (HobBox::fresh(), HobBox::fresh());
    let (ada, bob) = ada_and_bob(&adas, &bobs);
    let mut following = ada.command(&["receive", "--follow", "--json"]);
    let mut following =
        following.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    wait_for("Ada's device is connected", || adas.status("connected") == 1);
    let before = adas.status("accepted") + bobs.status("accepted");
    let sent = &bob.json(&["send", "ada", "between us", "--strict"])[0];
    assert_eq!(sent["status"], "delivered", "{sent}");
    assert_eq!(adas.status("accepted") + bobs.status("accepted"), before, "no box kept a byte of it");
    following.kill().unwrap();
    following.wait().unwrap();
}
