//! People at a terminal: each a profile and the program.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::small_box::SmallBox;

/// What a command left behind.
#[derive(Debug)]
pub struct Left {
    /// The exit code; -1: ended by a signal.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Left {
    /// The lines of stdout as JSON.
    pub fn objects(&self) -> Vec<Value> {
        let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?} of {self:?}"));
        self.stdout.lines().map(read).collect()
    }

    /// It went well; gives stdout.
    #[track_caller]
    pub fn fine(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.never_panicked();
        self.stdout
    }

    /// It ended with this code; gives stderr.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        self.never_panicked();
        self.stderr
    }

    #[track_caller]
    fn never_panicked(&self) {
        let text = self.stderr.to_lowercase();
        assert!(!text.contains("panicked") && !text.contains("backtrace"), "{self:?}");
    }
}

/// The program, with nothing of this process's surroundings that could change what it does.
pub fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_hob-chat"));
    program
        .env_clear()
        .env("TZ", "UTC")
        .env("HOME", "/nonexistent")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    program
}

/// Runs the program to its end.
pub fn run(program: &mut Command) -> Left {
    finish(program.spawn().unwrap())
}

/// Waits for a process's end.
pub fn finish(child: Child) -> Left {
    let output = child.wait_with_output().unwrap();
    Left {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A profile in a temporary folder.
pub struct Person {
    home: TempDir,
    profile: PathBuf,
}

impl Person {
    /// Somebody new.
    pub fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let profile = home.path().join("profile");
        Self { home, profile }
    }

    /// Somebody whose profile lies far down.
    pub fn living_deep_down() -> Self {
        let home = tempfile::tempdir().unwrap();
        let profile = home.path().join(format!("{}/profile", ["a-folder-with-a-long-name"; 8].join("/")));
        Self { home, profile }
    }

    /// Somebody who joined a box.
    pub fn member_of(small_box: &SmallBox, name: &str) -> Self {
        Self::new().joined(small_box, name)
    }

    /// Joins.
    pub fn joined(self, small_box: &SmallBox, name: &str) -> Self {
        self.run(&["join", &small_box.invitation(), "--name", name]).fine();
        self
    }

    /// Where the profile is.
    pub fn profile(&self) -> &Path {
        &self.profile
    }

    /// A folder beside it.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// A command, not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut program = program();
        program.arg("--profile").arg(&self.profile).args(arguments);
        program
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Left {
        run(&mut self.command(arguments))
    }

    /// Runs a command with something on its stdin.
    pub fn run_with_stdin(&self, arguments: &[&str], stdin: &[u8]) -> Left {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin).unwrap();
        finish(child)
    }

    /// A fresh contact code.
    pub fn code(&self) -> String {
        self.run(&["contact", "show", "--code"]).fine().trim().to_owned()
    }

    /// What `receive` prints, line by line.
    pub fn receives(&self) -> Vec<String> {
        let texts = self.run(&["receive", "--json"]).fine();
        let text = |line: &str| serde_json::from_str::<Value>(line).unwrap()["text"].as_str().unwrap().to_owned();
        texts.lines().map(text).collect()
    }
}

/// Two members of a box; Bob has Ada's code, and each has heard of the other.
pub fn ada_and_bob(small_box: &SmallBox) -> (Person, Person) {
    let (ada, bob) = (Person::member_of(small_box, "ada"), Person::member_of(small_box, "bob"));
    bob.run(&["contact", "add", &ada.code(), "--as", "ada"]).fine();
    bob.run(&["send", "ada", "hello", "--wait", "0s"]).fine();
    assert_eq!(ada.receives(), ["hello"]);
    ada.run(&["send", "bob", "hello yourself", "--wait", "0s"]).fine();
    assert_eq!(bob.receives(), ["hello yourself"]);
    (ada, bob)
}
