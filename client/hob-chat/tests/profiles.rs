//! What lies on the disk, and what happens when it is damaged, missing, or somebody else's.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::people::{Person, ada_and_bob};
use crate::small_box::SmallBox;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn key_and_state_are_for_their_owner_alone_and_a_loose_folder_is_tightened() {
    let small_box = SmallBox::start();
    let ada = Person::member_of(&small_box, "ada");
    assert_eq!(mode(ada.profile()), 0o700);
    for name in ["key", "state"] {
        assert_eq!(mode(&ada.profile().join(name)), 0o600, "{name}");
    }
    assert_eq!(fs::read(ada.profile().join("key")).unwrap().len(), 32);
    fs::set_permissions(ada.profile(), fs::Permissions::from_mode(0o755)).unwrap();
    ada.run(&["status"]).fine();
    assert_eq!(mode(ada.profile()), 0o700);
}

#[test]
fn nothing_of_a_conversation_is_readable_in_the_profile() {
    let small_box = SmallBox::start();
    let (ada, _bob) = ada_and_bob(&small_box);
    assert!(ada.run(&["history", "bob"]).fine().contains("hello yourself"));
    for entry in fs::read_dir(ada.profile()).unwrap().flatten() {
        let Ok(bytes) = fs::read(entry.path()) else { continue };
        for secret in ["hello", "bob"] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} in {}", entry.path().display());
        }
    }
}

#[test]
fn a_damaged_state_a_missing_key_and_a_missing_state_say_what_to_do() {
    let small_box = SmallBox::start();
    let ada = Person::member_of(&small_box, "ada");
    let (key, state) = (ada.profile().join("key"), ada.profile().join("state"));
    let (whole_key, whole_state) = (fs::read(&key).unwrap(), fs::read(&state).unwrap());
    let says = |words: &str| {
        let stderr = ada.run(&["contacts"]).failed(1);
        assert!(stderr.contains(words) && stderr.contains("backup"), "{stderr}");
    };

    let mut damaged = whole_state.clone();
    damaged[whole_state.len() / 2] ^= 1;
    fs::write(&state, &damaged).unwrap();
    says("is damaged");
    assert_eq!(fs::read(&state).unwrap(), damaged, "what is damaged is left as it is");
    fs::write(&state, &whole_state[..20]).unwrap();
    says("cut short");
    fs::remove_file(&state).unwrap();
    says("is missing");
    fs::write(&state, &whole_state).unwrap();

    fs::write(&key, &whole_key[..31]).unwrap();
    says("no key file");
    fs::remove_file(&key).unwrap();
    says("is missing");
    fs::write(&key, &whole_key).unwrap();
    ada.run(&["contacts"]).fine();
}

#[test]
fn a_profile_with_a_passphrase_opens_by_it_alone_and_its_old_key_is_gone() {
    let small_box = SmallBox::start();
    let ada = Person::member_of(&small_box, "ada");
    let plain = fs::read(ada.profile().join("key")).unwrap();
    let with = |passphrase: &str| {
        let mut command = ada.command(&["status"]);
        command.env("HOB_CHAT_PASSPHRASE", passphrase);
        crate::people::run(&mut command)
    };
    assert!(with("spring").code == 0);
    let wrapped = fs::read(ada.profile().join("key")).unwrap();
    assert!(!wrapped.windows(8).any(|window| plain.windows(8).any(|part| part == window)));
    assert_eq!(mode(&ada.profile().join("key")), 0o600);
    with("spring").fine();
    assert!(with("autumn").failed(1).contains("this passphrase does not open"));
    let stderr = ada.run(&["status"]).failed(1);
    assert!(stderr.contains("HOB_CHAT_PASSPHRASE"), "nobody to ask: {stderr}");

    let bob = Person::new();
    let mut join = bob.command(&["join", &small_box.invitation()]);
    crate::people::run(join.env("HOB_CHAT_PASSPHRASE", "spring")).fine();
    bob.run(&["status"]).failed(1);
}

#[test]
fn a_folder_that_holds_something_else_is_not_taken_for_a_profile() {
    let small_box = SmallBox::start();
    let ada = Person::new();
    fs::create_dir(ada.profile()).unwrap();
    fs::write(ada.profile().join("taxes.ods"), "2025").unwrap();
    let stderr = ada.run(&["join", &small_box.invitation()]).failed(1);
    assert!(stderr.contains("not hob-chat's"), "{stderr}");
    assert_eq!(fs::read_dir(ada.profile()).unwrap().count(), 1);
}

#[test]
fn forgetting_asks_first_and_leaves_nothing() {
    let small_box = SmallBox::start();
    let ada = Person::member_of(&small_box, "ada");
    let stderr = ada.run_with_stdin(&["forget"], b"no\n").failed(1);
    assert!(stderr.contains("nothing was done"), "{stderr}");
    ada.run(&["status"]).fine();
    ada.run_with_stdin(&["forget"], b"yes\n").fine();
    assert!(!ada.profile().exists());
    let ada = ada.joined(&small_box, "ada");
    fs::write(ada.profile().join("key"), "damaged").unwrap();
    assert_eq!(ada.run(&["forget", "--yes", "--json"]).objects()[0]["forgotten"], true);
    assert!(!ada.profile().exists(), "also what cannot be opened any more is wiped");
}

#[test]
fn a_state_that_cannot_be_written_stops_a_message_from_leaving() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    let before = small_box.accepted();
    // A folder where the new state would be written: the save fails whatever the user may do.
    fs::create_dir(ada.profile().join("state.new")).unwrap();
    let stderr = ada.run(&["send", "bob", "not remembered"]).failed(1);
    assert!(stderr.contains("could not be written"), "{stderr}");
    assert_eq!(small_box.accepted(), before);
    fs::remove_dir(ada.profile().join("state.new")).unwrap();
    assert_eq!(bob.receives(), [] as [&str; 0]);
    ada.run(&["send", "bob", "remembered"]).fine();
    assert_eq!(bob.receives(), ["remembered"]);
}
