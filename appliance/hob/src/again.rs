//! Restarting in place: another program, or the same one, takes over process, service and ports.
//!
//! What lies at the program's own path is looked at first: it must tell its version and find the settings good. A program
//! that cannot is left alone, and the box goes on.

use std::ffi::{OsStr, OsString};
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A program that has not told its version by then will not serve anybody either.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// What is kept of what it says, in bytes.
const SAYS_BYTES_MAX: u64 = 4096;

/// Flags of `serve` that `config check` does not take, and whether a value follows.
const NOT_SETTINGS: [(&str, bool); 3] = [("--ready-json", false), ("--demo-clock", false), ("--clock-speed", true)];

/// The program that this box was started as, where its next version will lie.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    /// As it was called.
    name: OsString,
    arguments: Vec<OsString>,
}

/// What lies there cannot take over. The box goes on as it is.
#[derive(Debug, thiserror::Error)]
pub enum NotGood {
    /// It does not start.
    #[error("{} cannot be started: put a good program there; this box goes on", path.display())]
    NoStart {
        /// The program.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It does not answer.
    #[error("{} did not answer `{question}` within {} s: put a good program there; this box goes on", path.display(), ANSWERS_WITHIN.as_secs())]
    Silent {
        /// The program.
        path: PathBuf,
        /// What it was asked.
        question: &'static str,
    },
    /// It says no, or is something else.
    #[error("{} answers `{question}` with: {said}; put a good program there, or mend the settings; this box goes on", path.display())]
    Refuses {
        /// The program.
        path: PathBuf,
        /// What it was asked.
        question: &'static str,
        /// What it said, in one line.
        said: String,
    },
}

impl Program {
    /// This one. To be called at the start: later the path may lead to its successor, or nowhere.
    pub fn of_this_process() -> Self {
        let mut arguments = std::env::args_os();
        let name = arguments.next().unwrap_or_default();
        let running = std::env::current_exe().unwrap_or_default();
        // The path as it was typed, so that a link that is pointed to a new version is followed.
        let typed = std::path::absolute(&name).unwrap_or_default();
        let is_same = std::fs::canonicalize(&typed).is_ok_and(|typed| typed == running);
        let path = if is_same { typed } else { running };
        Self { path, name, arguments: arguments.collect() }
    }

    /// Looks whether what lies there now can take over. Blocks for as long as that takes, at most some seconds.
    ///
    /// Returns its version.
    ///
    /// # Errors
    /// [`NotGood`].
    pub fn check(&self) -> Result<String, NotGood> {
        let version = self.ask("--version", &[OsStr::new("--version")])?;
        let Some(version) = version.strip_prefix("hob ") else {
            return Err(self.refuses("--version", &version));
        };
        let mut check: Vec<&OsStr> = vec![OsStr::new("config"), OsStr::new("check")];
        check.extend(settings_of(&self.arguments));
        self.ask("config check", &check)?;
        Ok(version.to_owned())
    }

    /// To start it in the place of this process, as this one was started.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.arg0(&self.name).args(&self.arguments);
        command
    }

    fn refuses(&self, question: &'static str, said: &str) -> NotGood {
        let line = said.lines().next_back().unwrap_or("nothing");
        NotGood::Refuses { path: self.path.clone(), question, said: crate::show::plain(line) }
    }

    fn ask(&self, question: &'static str, arguments: &[&OsStr]) -> Result<String, NotGood> {
        let child = Command::new(&self.path)
            .args(arguments)
            // What it says is no business of the service manager's.
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| NotGood::NoStart { path: self.path.clone(), source })?;
        match said(child) {
            Some((true, text)) => Ok(text.trim().to_owned()),
            Some((false, text)) => Err(self.refuses(question, text.trim())),
            None => Err(NotGood::Silent { path: self.path.clone(), question }),
        }
    }
}

/// Whether it ended well, and what it said; `None`: it did not end in time.
fn said(mut child: Child) -> Option<(bool, String)> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let until = Instant::now() + ANSWERS_WITHIN;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
            // It says more than a pipe holds, hangs, or cannot be waited for.
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    };
    let mut text = Vec::new();
    if status.success() {
        let _ = stdout?.take(SAYS_BYTES_MAX).read_to_end(&mut text);
    } else {
        let _ = stderr?.take(SAYS_BYTES_MAX).read_to_end(&mut text);
    }
    Some((status.success(), String::from_utf8_lossy(&text).into_owned()))
}

/// The arguments of `serve` without `serve` itself, and without what is no setting.
fn settings_of(arguments: &[OsString]) -> Vec<&OsStr> {
    let mut settings = Vec::new();
    let mut rest = arguments.iter().skip_while(|argument| *argument != "serve").skip(1);
    while let Some(argument) = rest.next() {
        let text = argument.to_string_lossy();
        let flag = text.split('=').next().unwrap_or_default();
        match NOT_SETTINGS.iter().find(|(name, _)| *name == flag) {
            Some((_, has_value)) => {
                if *has_value && !text.contains('=') {
                    rest.next();
                }
            }
            None => settings.push(argument.as_os_str()),
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_no_setting_is_left_out_when_settings_are_checked() {
        let typed = [
            "serve",
            "--ready-json",
            "--data",
            "/srv/hob",
            "--clock-speed",
            "60",
            "--clock-speed=7",
            "--listen=[::]:1",
        ];
        let typed = typed.map(OsString::from);
        assert_eq!(settings_of(&typed), ["--data", "/srv/hob", "--listen=[::]:1"]);
        assert_eq!(settings_of(&[]), [] as [&str; 0]);
    }

    fn program(script: &str) -> (tempfile::TempDir, Program) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hob");
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        (folder, Program { path, name: "hob".into(), arguments: vec!["serve".into()] })
    }

    fn not_good(script: &str) -> String {
        let (_folder, program) = program(script);
        program.check().unwrap_err().to_string()
    }

    #[test]
    fn a_program_that_cannot_take_over_is_told_and_left() {
        assert!(not_good("no program").contains("cannot be started"));
        assert!(not_good("").contains("cannot be started") || not_good("").contains("--version"));
        assert!(not_good("#!/bin/sh\necho bash 5").contains("`--version` with: bash 5"));
        let refuses = not_good("#!/bin/sh\n[ $1 = --version ] && echo hob 9 || { echo no such key >&2; exit 2; }");
        assert!(refuses.contains("`config check` with: no such key"), "{refuses}");
        let (_folder, good) = program("#!/bin/sh\n[ $1 = --version ] && echo hob 9.1; true");
        assert_eq!(good.check().unwrap(), "9.1");
        fs::remove_file(&good.path).unwrap();
        assert!(matches!(good.check(), Err(NotGood::NoStart { .. })));
    }
}
