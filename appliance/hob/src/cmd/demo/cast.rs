//! Who plays: the box and the clients, each a process of its own, on data in a temporary folder.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::cmd::demo::stage::Stage;
use crate::failure::Failure;

/// No step takes longer, on the slowest machine that Hob runs on.
const STEP_WITHIN: Duration = Duration::from_secs(60);

/// How long a box may take to stop.
const STOP_WITHIN: Duration = Duration::from_secs(6);

/// Lines of the box's log that are shown when something fails.
const LOG_TAIL_LINES: usize = 20;

/// The box, the clients and their folders.
pub struct Cast {
    /// What is seen.
    pub stage: Stage,
    /// `hob-chat`.
    pub chat: PathBuf,
    hob: PathBuf,
    folder: TempDir,
    the_box: Option<Child>,
    /// Where the box listens: the first start chooses, later ones keep it, since invitations and codes name it.
    listen: String,
}

/// The box's line of `--ready-json`.
#[derive(Deserialize)]
pub struct ReadyLine {
    client: String,
    /// The first start's.
    pub invitation: Option<String>,
}

/// What a command did.
pub struct Played {
    /// All of its stdout.
    pub stdout: String,
}

impl Cast {
    /// Finds the programs and makes the folder.
    pub fn assemble(stage: Stage) -> Result<Self, Failure> {
        let hob = std::env::current_exe().map_err(|error| Failure::of(&error))?;
        let chat = hob.with_file_name("hob-chat");
        if !chat.is_file() {
            return Err(Failure::because(format!(
                "the demo needs hob-chat beside {}: build both with `cargo build --release --bins`",
                hob.display()
            )));
        }
        let folder = tempfile::Builder::new()
            .prefix("hob-demo-")
            .tempdir()
            .map_err(|error| Failure::because(format!("cannot make a temporary folder: {error}")))?;
        Ok(Self { stage, chat, hob, folder, the_box: None, listen: "127.0.0.1:0".to_owned() })
    }

    /// The box's data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("box")
    }

    /// Somebody's profile.
    pub fn profile(&self, who: &str) -> PathBuf {
        self.folder.path().join(who)
    }

    /// A folder for copies of the log.
    pub fn copies(&self) -> &Path {
        self.folder.path()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("box.log")
    }

    /// Starts the box and waits until it takes connections.
    pub async fn start_box(&mut self) -> Result<ReadyLine, Failure> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_file())
            .map_err(|error| Failure::of(&error))?;
        let mut command = clean(&self.hob);
        command
            .args(["serve", "--ready-json", "--admin-listen", "off", "--listen", &self.listen, "--data"])
            .arg(self.data())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut child = command.spawn().map_err(|error| Failure::of(&error))?;
        let stdout = child.stdout.take();
        self.the_box = Some(child);
        let Some(stdout) = stdout else {
            return Err(Failure::because("the box has no stdout"));
        };
        let mut lines = BufReader::new(stdout).lines();
        let line = match timeout(STEP_WITHIN, lines.next_line()).await {
            Ok(Ok(Some(line))) => line,
            _ => return Err(Failure::because("the box did not get ready")),
        };
        let ready: ReadyLine = serde_json::from_str(&line).map_err(|error| Failure::of(&error))?;
        self.listen = ready.client.trim_start_matches("https://").to_owned();
        Ok(ready)
    }

    /// The box's process id.
    pub fn box_id(&self) -> Option<u32> {
        self.the_box.as_ref().and_then(Child::id)
    }

    /// `kill -9` of the box.
    pub async fn kill_box(&mut self) -> Result<(), Failure> {
        match self.the_box.as_mut() {
            // tokio's `kill` sends SIGKILL and waits until the process is gone.
            Some(child) => child.kill().await.map_err(|error| Failure::of(&error)),
            None => Ok(()),
        }
    }

    /// Runs `hob-chat` for somebody, shows command and output, and fails if it fails.
    pub async fn chat(&self, who: &str, args: &[&str]) -> Result<Played, Failure> {
        self.stage.command(who, &format!("hob-chat {}", shown(args)));
        let played = self.chat_unseen(who, args).await?;
        self.stage.output(&played.stdout);
        Ok(played)
    }

    /// Runs `hob-chat` for somebody without showing it.
    pub async fn chat_unseen(&self, who: &str, args: &[&str]) -> Result<Played, Failure> {
        let mut command = clean(&self.chat);
        command.arg("--profile").arg(self.profile(who)).args(args);
        play(command, &format!("{who}: hob-chat {}", shown(args))).await
    }

    /// Runs `hob` for the keeper and reads its JSON.
    pub async fn keeper<A: DeserializeOwned>(&self, args: &[&str]) -> Result<A, Failure> {
        let mut command = clean(&self.hob);
        command.args(args).arg("--json").arg("--data").arg(self.data());
        let what = format!("keeper: hob {}", shown(args));
        let played = play(command, &what).await?;
        serde_json::from_str(&played.stdout).map_err(|error| Failure::because(format!("{what}: {error}")))
    }

    /// Runs `hob` for the keeper and shows it.
    pub async fn keeper_shown(&self, args: &[&str]) -> Result<Played, Failure> {
        self.stage.command("keeper", &format!("hob {}", shown(args)));
        let mut command = clean(&self.hob);
        command.args(args).arg("--data").arg(self.data());
        let played = play(command, &format!("keeper: hob {}", shown(args))).await?;
        self.stage.output(&played.stdout);
        Ok(played)
    }

    /// Starts somebody's `receive --follow`; its messages appear on the stage by themselves.
    pub fn follow(&self, who: &str) -> Result<Child, Failure> {
        let mut command = clean(&self.chat);
        command.arg("--profile").arg(self.profile(who)).args(["receive", "--follow"]);
        command.stdin(Stdio::null()).spawn().map_err(|error| Failure::of(&error))
    }

    /// Shows the end of the box's log: something failed.
    pub fn show_log_of_box(&self) {
        let log = std::fs::read_to_string(self.log_file()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(LOG_TAIL_LINES)..).unwrap_or_default();
        self.stage.say("\nThe end of the box's log:");
        self.stage.output(&tail.join("\n"));
    }

    /// Stops the box as a service manager would, and throws everything away.
    pub async fn leave(mut self) {
        let Some(mut child) = self.the_box.take() else {
            return;
        };
        let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(id) = id {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        if timeout(STOP_WITHIN, child.wait()).await.is_err() {
            let _ = child.kill().await;
        }
    }
}

/// A command that no setting of the surroundings reaches, and that does not outlive the demo.
fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HOB_") {
            command.env_remove(name);
        }
    }
    command.kill_on_drop(true);
    command
}

async fn play(mut command: Command, what: &str) -> Result<Played, Failure> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = timeout(STEP_WITHIN, command.output())
        .await
        .map_err(|_| Failure::because(format!("{what}: no end within {} s", STEP_WITHIN.as_secs())))?
        .map_err(|error| Failure::because(format!("{what}: {error}")))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(Played { stdout });
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(Failure::because(format!("{what}: {}: {} {}", output.status, stdout.trim(), stderr.trim())))
}

/// Arguments as one would type them; long codes are cut.
fn shown(args: &[&str]) -> String {
    let words: Vec<String> = args
        .iter()
        .map(|arg| match arg.get(..24) {
            Some(start) if arg.starts_with("hob://") => format!("{start}…"),
            _ if arg.contains(' ') => format!("\"{arg}\""),
            _ => (*arg).to_owned(),
        })
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it_and_a_code_is_cut() {
        let code = format!("hob://contact/{}", "A".repeat(300));
        assert_eq!(shown(&["contact", "add", &code, "--as", "bob"]), "contact add hob://contact/AAAAAAAAAA… --as bob");
        assert_eq!(shown(&["send", "bob", "supper at eight?"]), "send bob \"supper at eight?\"");
    }
}
