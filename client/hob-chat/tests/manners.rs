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
        &["contact", "rename", "bob"],
        &["completions", "cmd.exe"],
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
        &["contact", "codes"],
        &["contact", "remove", "bob", "--yes"],
        &["contact", "block", "bob"],
        &["export", "bob"],
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

#[test]
fn without_a_command_and_without_a_profile_five_lines_say_what_to_do_and_nothing_is_made() {
    let nobody = Person::new();
    let said = nobody.run(&[]).fine();
    assert_eq!(said.lines().count(), 5, "{said}");
    for step in ["keeper", "hob-chat join LINK", "contact show", "contact add CODE --as", "send"] {
        assert!(said.contains(step), "{step}: {said}");
    }
    assert!(said.lines().all(|line| line.chars().count() <= 120), "{said}");
    assert!(!nobody.profile().exists());
}

#[test]
fn every_shell_gets_a_script_that_completes_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(program().args(["completions", shell])).fine();
        for command in ["send", "contact", "receive", "export"] {
            assert!(script.contains(command), "{shell} completes {command}");
        }
    }
}

#[test]
fn there_is_a_manual_page_for_each_command_with_its_examples() {
    let person = Person::new();
    let folder = person.home().join("man1");
    let written = person.run(&["man", folder.to_str().unwrap()]).fine();
    assert!(written.lines().count() >= 20, "{written}");
    let send = std::fs::read_to_string(folder.join("hob-chat-send.1")).unwrap();
    assert!(send.contains("hob\\-chat send bob") && send.contains("view\\-once"), "{send}");
    assert!(folder.join("hob-chat-contact-block.1").exists() && folder.join("hob-chat.1").exists());
    let stderr = person.run(&["man", "/dev/null/x"]).failed(1);
    assert!(stderr.contains("cannot write"), "{stderr}");
}
