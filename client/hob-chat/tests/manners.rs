//! The command line: what is typed wrongly, what is missing, what the help says.

use crate::people::{Person, program, run};

#[test]
fn what_is_no_command_ends_with_2_and_says_what_is() {
    for wrong in [
        &["sned", "bob"][..],
        &["send"],
        &["receive", "--wait", "10"],
        &["contact", "add", "hob://contact/AAAA"],
        &["request", "maybe"],
        &["history", "bob", "--last", "many"],
        &[],
    ] {
        let left = Person::new().run(wrong);
        assert_eq!(left.code, 2, "{wrong:?}: {left:?}");
        assert!(left.stdout.is_empty() && left.stderr.contains("--help"), "{left:?}");
    }
}

#[test]
fn a_time_without_a_unit_is_refused_with_an_example() {
    let stderr = Person::new().run(&["send", "bob", "hi", "--ttl", "600"]).failed(2);
    assert!(stderr.contains("10m"), "{stderr}");
}

#[test]
fn the_help_teaches_by_example_and_says_what_the_exit_codes_are() {
    let help = run(program().arg("--help")).fine();
    for taught in ["hob-chat join hob://join/", "contact add", "--as", "Exit codes", "HOB_CHAT_PASSPHRASE"] {
        assert!(help.contains(taught), "{taught}");
    }
}

#[test]
fn without_a_profile_every_command_says_how_to_start_one_and_creates_nothing() {
    let nobody = Person::new();
    for command in [
        &["contacts"][..],
        &["requests"],
        &["status"],
        &["receive"],
        &["send", "bob", "hi"],
        &["history", "bob"],
        &["verify", "bob"],
        &["contact", "show"],
        &["forget", "--yes"],
    ] {
        let stderr = nobody.run(command).failed(1);
        assert!(stderr.contains("hob-chat join"), "{command:?}: {stderr}");
        assert!(!nobody.profile().exists(), "{command:?}");
    }
}

#[test]
fn an_invitation_that_was_cut_is_refused_before_a_profile_is_made() {
    let nobody = Person::new();
    let stderr = nobody.run(&["join", "hob://join/AQoQ"]).failed(1);
    assert!(stderr.contains("copy it whole"), "{stderr}");
    let stderr = nobody.run(&["join", "hob://contact/AQoQ"]).failed(1);
    assert!(stderr.contains("hob://join/"), "{stderr}");
    assert!(!nobody.profile().exists());
}

#[test]
fn a_message_on_stdin_that_is_no_text_is_the_typists_fault() {
    let stderr = Person::new().run_with_stdin(&["send", "bob"], &[0xff, 0xfe]).failed(2);
    assert!(stderr.contains("UTF-8"), "{stderr}");
}
