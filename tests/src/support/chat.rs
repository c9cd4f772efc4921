//! Runs `hob-chat`.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::boxes::{HobBox, program};

/// A person at a terminal.
pub struct Person {
    pub profile: PathBuf,
    /// More environment for every command.
    pub env: Vec<(String, String)>,
    _folder: tempfile::TempDir,
}

impl Person {
    /// With an empty profile.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { profile: folder.path().join("profile"), env: Vec::new(), _folder: folder }
    }

    /// Who has joined.
    pub fn joined(link: &str, name: &str) -> Self {
        let person = Self::new();
        person.ok(&["join", link, "--name", name]);
        person
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = command(&self.profile, args);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command. However it ends, it does not panic.
    pub fn run(&self, args: &[&str]) -> Output {
        let output = self.command(args).stdin(Stdio::null()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code().is_some() && !errors.contains("panic"), "hob-chat {args:?}: {errors}");
        output
    }

    /// Runs a command that must end with this exit code; what it said on stderr.
    pub fn fails(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "hob-chat {args:?}: {errors}");
        errors
    }

    /// The objects that a command prints with `--json`.
    pub fn json(&self, args: &[&str]) -> Vec<Value> {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        self.ok(&args).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Runs a command that must succeed; its output.
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "hob-chat {args:?}: {} {errors}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command with something on its standard input.
    pub fn with_input(&self, args: &[&str], input: &[u8]) -> Output {
        let mut child =
            self.command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    }

    /// A fresh contact code.
    pub fn code(&self) -> String {
        self.ok(&["contact", "show", "--code"]).trim().to_owned()
    }

    /// Adds somebody's code.
    pub fn add(&self, code: &str, name: &str) {
        self.ok(&["contact", "add", code, "--as", name]);
    }

    /// A further device of this person, by a code that this device shows.
    pub fn add_device(&self, name: &str) -> Self {
        let mut showing =
            self.command(&["device", "add", "--code"]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut code = String::new();
        BufReader::new(showing.stdout.as_mut().unwrap()).read_line(&mut code).unwrap();
        let device = Self::new();
        device.ok(&["device", "join", code.trim(), "--name", name]);
        assert!(showing.wait().unwrap().success());
        device
    }

    /// The names of this person's devices.
    pub fn devices(&self) -> Vec<String> {
        self.json(&["device", "list"]).iter().map(|device| device["name"].as_str().unwrap().to_owned()).collect()
    }

    /// The texts of a conversation, in the order of their writing.
    pub fn history(&self, name: &str) -> Vec<String> {
        let last = self.json(&["history", name, "--last", "999"]);
        last.iter().map(|message| message["text"].as_str().unwrap().to_owned()).collect()
    }

    /// Everything that `receive` prints.
    pub fn receive(&self) -> Vec<Value> {
        self.json(&["receive"])
    }

    /// The texts that `receive` prints.
    pub fn texts(&self) -> Vec<String> {
        self.receive().iter().map(|message| message["text"].as_str().unwrap().to_owned()).collect()
    }
}

/// Ada and Bob, members of a box; Bob has Ada's code, and each has heard of the other.
pub fn ada_and_bob(hob: &HobBox) -> (Person, Person) {
    let (ada, bob) = (Person::joined(&hob.invite(), "ada"), Person::joined(&hob.invite(), "bob"));
    bob.add(&ada.code(), "ada");
    bob.ok(&["send", "ada", "hello", "--wait", "0s"]);
    assert_eq!(ada.texts(), ["hello"]);
    ada.ok(&["send", "bob", "hello yourself", "--wait", "0s"]);
    assert_eq!(bob.texts(), ["hello yourself"]);
    (ada, bob)
}

impl Default for Person {
    fn default() -> Self {
        Self::new()
    }
}

pub fn command(profile: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program("hob-chat"));
    command.arg("--profile").arg(profile).args(args).env_remove("HOB_CHAT_PASSPHRASE");
    command
}
