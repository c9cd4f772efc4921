//! Commands that end by themselves.

use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// A command that has not ended by then, and should have, never will.
const END_WITHIN: Duration = Duration::from_secs(30);

/// What a command said and how it ended.
pub struct Typed {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// `hob` without any settings of the surroundings.
pub fn hob() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hob"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HOB_") || name == "STATE_DIRECTORY" {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

pub fn run(args: &[&str]) -> Typed {
    let mut command = hob();
    command.args(args);
    ended(command)
}

/// Runs a command to its end.
pub fn ended(mut command: Command) -> Typed {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    let (end, ended) = mpsc::channel();
    std::thread::spawn(move || end.send(child.wait_with_output()));
    let Ok(output) = ended.recv_timeout(END_WITHIN) else {
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        panic!("{command:?} did not end");
    };
    let output = output.unwrap();
    let typed = Typed {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    must_not_look_like_a_panic(&typed.stderr);
    typed
}

pub fn must_not_look_like_a_panic(stderr: &str) {
    for sign in ["panicked", "RUST_BACKTRACE", "stack backtrace", "a fault in the program", "unwrap"] {
        assert!(!stderr.contains(sign), "{stderr}");
    }
}

#[test]
fn help_teaches_by_example() {
    let help = run(&["--help"]);
    assert_eq!(help.code, Some(0));
    for example in ["hob demo", "hob serve", "hob invite --expires 2h", "hob verify-log"] {
        assert!(help.stdout.contains(example), "{example}");
    }
}

#[test]
fn what_is_no_command_ends_with_2() {
    for typed in [
        &["serv"][..],
        &[],
        &["serve", "--nonsense"],
        &["invite", "--expires", "24"],
        &["invite", "--expires", "1y"],
        &["revoke"],
    ] {
        let ended = run(typed);
        assert_eq!(ended.code, Some(2), "{typed:?}");
        assert!(!ended.stderr.is_empty());
    }
}

#[cfg(not(feature = "demo-clock"))]
#[test]
fn a_shipped_box_does_not_know_a_demo_clock() {
    for typed in [&["serve", "--demo-clock"][..], &["serve", "--clock-speed", "60"], &["serve", "--clock-file", "x"]] {
        let ended = run(typed);
        assert_eq!(ended.code, Some(2));
        assert!(ended.stderr.contains("unexpected argument"), "{}", ended.stderr);
    }
    let help = run(&["serve", "--help"]).stdout;
    assert!(!help.contains("clock-speed") && !help.contains("demo-clock"));
}

#[test]
fn a_shipped_box_holds_no_planted_fault() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_hob")).unwrap();
    let text = String::from_utf8_lossy(&program);
    let holds = |name: &str| text.contains(name);
    assert!(holds("HOB_CONFIG"), "the program can be searched for names");
    for name in ["HOB_TEST_SABOTAGE", "answer-before-append", "window-key-not-destroyed", "leak-connection"] {
        assert!(!holds(name), "{name} is in the box");
    }
}

#[test]
fn without_a_box_every_question_says_how_to_start_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    for command in [&["status"][..], &["invite"], &["members"], &["compact"], &["revoke", "abcdef12", "--yes"]] {
        let ended = run(&[command, &["--data", data]].concat());
        assert_eq!(ended.code, Some(1), "{command:?}");
        let wanted = format!("hob: no box is running on {data}; start one with `hob serve`\n");
        assert_eq!(ended.stderr, wanted);
    }
    assert_eq!(std::fs::read_dir(data).unwrap().count(), 0, "nothing was made");
}

#[test]
fn the_demo_without_its_clients_says_what_to_build() {
    let folder = tempfile::tempdir().unwrap();
    let alone = folder.path().join("hob");
    if std::fs::hard_link(env!("CARGO_BIN_EXE_hob"), &alone).is_err() {
        std::fs::copy(env!("CARGO_BIN_EXE_hob"), &alone).unwrap();
    }
    let mut command = Command::new(&alone);
    command.args(["demo", "--once"]).stdin(Stdio::null());
    let typed = ended(command);
    assert_eq!(typed.code, Some(1));
    assert!(typed.stderr.contains("hob-chat") && typed.stderr.contains("cargo build"), "{}", typed.stderr);
}
