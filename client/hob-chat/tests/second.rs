//! Two processes on one profile: the second hands its command to the first.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::process::{Child, ChildStdout, Command};

use crate::people::{Person, ada_and_bob, finish};
use crate::small_box::SmallBox;

/// Follows until it is interrupted; its first line has been read when this returns.
struct Follower {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Follower {
    fn start(person: &Person) -> Self {
        let mut child = person.command(&["receive", "--follow"]).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn interrupt(self) -> i32 {
        Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        finish(self.child).code
    }
}

fn talks_through_a_follower(small_box: &SmallBox, ada: &Person, bob: &Person) {
    bob.run(&["send", "ada", "are you there?", "--wait", "0s"]).fine();
    let mut follower = Follower::start(ada);
    assert!(follower.next_line().ends_with("are you there?"));
    let socket = std::fs::metadata(ada.profile().join("socket")).unwrap();
    assert!(socket.file_type().is_socket());
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);

    let before = small_box.accepted();
    let sent = &ada.run(&["send", "bob", "yes", "--json", "--wait", "0s"]).objects()[0];
    assert_eq!(sent["status"], "kept");
    assert!(small_box.accepted() > before);
    assert!(ada.run(&["send", "nobody", "hi"]).failed(1).contains("nobody"));
    ada.run_with_stdin(&["send", "bob", "--wait", "0s"], b"from stdin\n").fine();
    assert_eq!(bob.receives(), ["yes", "from stdin"]);
    assert_eq!(bob.run(&["send", "ada", "good", "--wait", "30s"]).fine(), "delivered\n");
    assert!(follower.next_line().ends_with("good"), "the first process still follows");
    assert_eq!(follower.interrupt(), 0, "Ctrl-C is how following ends");
    assert!(!ada.profile().join("socket").exists());
    assert_eq!(ada.receives(), [] as [&str; 0], "what was followed is not printed again");
}

#[test]
fn while_one_process_follows_another_sends_through_it() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    talks_through_a_follower(&small_box, &ada, &bob);
}

#[test]
fn who_follows_sees_what_comes_after_the_box_went_down_and_came_back() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    bob.run(&["send", "ada", "before", "--wait", "0s"]).fine();
    let mut follower = Follower::start(&ada);
    assert!(follower.next_line().ends_with("before"));
    let small_box = small_box.stop().start();
    bob.run(&["send", "ada", "after", "--wait", "0s"]).fine();
    assert!(follower.next_line().ends_with("after"));
    assert_eq!(follower.interrupt(), 0);
    drop(small_box);
}

#[test]
fn a_profile_deep_down_works_all_the_same() {
    let small_box = SmallBox::start();
    let ada = Person::living_deep_down().joined(&small_box, "ada");
    let bob = Person::member_of(&small_box, "bob");
    assert!(ada.profile().as_os_str().len() > 200, "longer than a socket's address");
    bob.run(&["contact", "add", &ada.code(), "--as", "ada"]).fine();
    bob.run(&["send", "ada", "hello", "--wait", "0s"]).fine();
    assert_eq!(ada.receives(), ["hello"]);
    talks_through_a_follower(&small_box, &ada, &bob);
}

#[test]
fn a_socket_that_a_killed_process_left_blocks_nobody() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    bob.run(&["send", "ada", "one", "--wait", "0s"]).fine();
    let mut follower = Follower::start(&ada);
    follower.next_line();
    follower.child.kill().unwrap();
    follower.child.wait().unwrap();
    assert!(ada.profile().join("socket").exists(), "it had no time to tidy");
    bob.run(&["send", "ada", "two", "--wait", "0s"]).fine();
    assert_eq!(ada.receives().last().unwrap(), "two");
}

#[test]
fn twenty_processes_at_once_send_twenty_messages_and_no_more() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    let before = small_box.accepted();
    let spawn = |number: u32| bob.command(&["send", "ada", &number.to_string(), "--wait", "0s"]).spawn().unwrap();
    let children: Vec<_> = (0..20).map(spawn).collect();
    for child in children {
        finish(child).fine();
    }
    assert_eq!(small_box.accepted() - before, 20);
    let mut numbers: Vec<u32> = ada.receives().iter().map(|text| text.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..20).collect::<Vec<_>>());
}

#[test]
fn forgetting_ends_the_process_that_has_the_profile() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    bob.run(&["send", "ada", "one", "--wait", "0s"]).fine();
    let mut follower = Follower::start(&ada);
    follower.next_line();
    ada.run(&["forget", "--yes"]).fine();
    let left = finish(follower.child);
    assert!(left.stderr.contains("wiped"), "{left:?}");
    assert!(!ada.profile().exists());
}
