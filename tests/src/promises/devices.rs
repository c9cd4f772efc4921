//! Several devices of one member, as real processes: paired by a code, kept alike, removed.

use ed25519_dalek::SigningKey;
use hob_protocol::code::Code;
use hob_protocol::frame::{ClientBody, ServerBody};
use hob_tests::boxes::HobBox;
use hob_tests::chat::{Person, ada_and_bob};
use hob_tests::people::{Device, redeem};
use hob_tests::wire::{Wire, code_of};

/// Whatever is under way between these people arrives: each runs twice, as receipts make a second round.
fn settle(people: &[&Person]) {
    for person in people.iter().chain(people) {
        person.ok(&["status"]);
    }
}

#[test]
fn five_devices_of_three_members_each_have_every_message_once() {
    let mut hob = HobBox::fresh();
    let (ada, bob) = ada_and_bob(&hob);
    let cem = Person::joined(&hob.invite(), "cem");
    let laptop = ada.add_device("laptop");
    let tablet = bob.add_device("tablet");
    let all = [&ada, &laptop, &bob, &tablet, &cem];
    settle(&all);
    assert_eq!(ada.devices(), ["first", "laptop"]);
    assert_eq!(laptop.devices(), ["first", "laptop"]);
    assert_eq!(hob.status("members"), 3, "a further device is no further member");
    assert_eq!(laptop.history("bob"), ["hello", "hello yourself"], "the new device has what was written before");

    laptop.ok(&["send", "bob", "from the laptop", "--wait", "0s"]);
    tablet.ok(&["send", "ada", "from the tablet", "--wait", "0s"]);
    cem.add(&laptop.code(), "ada");
    cem.ok(&["send", "ada", "from cem", "--wait", "0s"]);
    settle(&all);
    settle(&all);
    bob.ok(&["send", "ada", "to both of you", "--wait", "0s"]);
    ada.ok(&["send", "cem", "hello cem", "--wait", "0s"]);
    settle(&all);
    settle(&all);

    let mut between = ["hello", "hello yourself", "from the laptop", "from the tablet", "to both of you"];
    between.sort_unstable();
    for (person, name) in [(&ada, "bob"), (&laptop, "bob"), (&bob, "ada"), (&tablet, "ada")] {
        let mut history = person.history(name);
        history.sort();
        assert_eq!(history, between);
    }
    for (person, name) in [(&ada, "cem"), (&laptop, "cem"), (&cem, "ada")] {
        assert_eq!(person.history(name), ["from cem", "hello cem"]);
    }
    assert_eq!(ada.texts(), ["from the tablet", "from cem", "to both of you"], "each is shown once");
    assert!(ada.texts().is_empty());
    let sent = bob.json(&["history", "ada", "--last", "1"]).remove(0);
    assert_eq!((&sent["status"], &sent["devices"]), (&"delivered".into(), &serde_json::json!(["first", "laptop"])));
    assert!(bob.ok(&["history", "ada", "--last", "1"]).contains("(delivered (first, laptop))"));
    hob.assert_well();
}

#[test]
fn a_removed_device_is_told_and_hears_nothing_more() {
    let mut hob = HobBox::fresh();
    let (ada, bob) = ada_and_bob(&hob);
    let laptop = ada.add_device("laptop");
    settle(&[&ada, &laptop, &bob]);
    laptop.ok(&["send", "bob", "one of us", "--wait", "0s"]);
    settle(&[&bob, &laptop, &ada]);
    assert!(laptop.fails(1, &["device", "remove", "first", "--yes"]).contains("member key"));
    assert!(ada.fails(1, &["device", "remove", "phone", "--yes"]).contains("device list"));
    let told = ada.run(&["device", "remove", "laptop", "--yes"]);
    assert!(String::from_utf8_lossy(&told.stderr).contains("hob revoke"), "the keeper may close the mailbox");
    let told = bob.run(&["receive"]);
    assert!(String::from_utf8_lossy(&told.stderr).contains("ada removed a device: laptop"), "{told:?}");
    let told = laptop.run(&["receive"]);
    assert!(String::from_utf8_lossy(&told.stderr).contains("THIS DEVICE WAS REMOVED"), "{told:?}");
    assert!(laptop.fails(1, &["send", "bob", "let me in"]).contains("removed"));
    bob.ok(&["send", "ada", "for the first only", "--wait", "0s"]);
    settle(&[&ada, &laptop, &bob]);
    assert_eq!(ada.devices(), ["first"]);
    assert!(ada.history("bob").contains(&"for the first only".to_owned()));
    assert_eq!(laptop.history("bob"), ["hello", "hello yourself", "one of us"], "its history stays");
    hob.assert_well();
}

#[test]
fn a_device_code_is_for_one_device_and_joins_nobody_else() {
    let mut hob = HobBox::fresh();
    let ada = Person::joined(&hob.invite(), "ada");
    let mut showing = ada.command(&["device", "add", "--code"]);
    let mut showing = showing.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut code = String::new();
    let mut stdout = std::io::BufReader::new(showing.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut stdout, &mut code).unwrap();
    let laptop = Person::new();
    // A device code is taken by `join` as well.
    laptop.ok(&["join", code.trim(), "--name", "laptop"]);
    assert!(showing.wait().unwrap().success());
    let eve = Person::new();
    assert!(eve.fails(1, &["device", "join", code.trim()]).contains("not good here"));
    assert_eq!(ada.devices(), ["first", "laptop"]);
    assert!(ada.fails(1, &["contact", "add", code.trim(), "--as", "me"]).contains("no contact code"));
    hob.assert_well();
}

#[tokio::test]
async fn a_ticket_is_asked_for_on_a_proved_connection_and_admits_to_the_same_member() {
    let mut hob = HobBox::fresh();
    let ada = Device::join(hob.address, &hob.invite()).await;
    let mut stranger = Wire::connect(hob.address).await;
    assert_eq!(code_of(&stranger.ask(ClientBody::DeviceTicket).await), Some(Code::NotProved));
    let mut owner = ada.prove().await;
    let ServerBody::DeviceTicket { id, secret, .. } = owner.ask(ClientBody::DeviceTicket).await else {
        panic!("a ticket was asked for");
    };
    let box_identity = owner.hello.identity;
    let invitation =
        hob_protocol::invitation::Invitation { id, secret, box_identity, addresses: Vec::new(), expires_at_s: 0 };
    let key: SigningKey = Device::random_key();
    let admitted = redeem(&mut Wire::connect(hob.address).await, &invitation, &key).await;
    assert!(matches!(admitted, ServerBody::Admitted { .. }), "{admitted:?}");
    hob.kill();
    hob.start_again();
    assert_eq!((hob.status("members"), hob.status("devices")), (1, 2));
    let again = redeem(&mut Wire::connect(hob.address).await, &invitation, &key).await;
    assert_eq!(again, admitted, "an answer can be lost");
    let other = redeem(&mut Wire::connect(hob.address).await, &invitation, &Device::random_key()).await;
    assert_eq!(code_of(&other), Some(Code::NoSuchInvitation));
    hob.assert_well();
}
