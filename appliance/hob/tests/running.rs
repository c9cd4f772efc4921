//! A box as a child process.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::typed::{Typed, hob, must_not_look_like_a_panic, run};

/// How long a box has to stop.
pub const STOP_WITHIN: Duration = Duration::from_secs(5);

/// A running box. Killed when dropped.
pub struct Running {
    child: Option<Child>,
    stdout: BufReader<ChildStdout>,
    stderr: Option<JoinHandle<String>>,
    pub ready: Value,
    data: PathBuf,
}

/// How a box ended.
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// An empty folder for a box, under a folder that is removed at the end.
pub fn new_data() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    (folder, data)
}

/// `hob serve` on a folder, on any free port.
pub fn serve(data: &Path) -> Command {
    let mut command = hob();
    command.args(["serve", "--ready-json", "--admin-listen", "off", "--listen", "127.0.0.1:0", "--data"]).arg(data);
    command
}

impl Running {
    pub fn start(data: &Path) -> Self {
        Self::start_as(serve(data), data)
    }

    pub fn start_as(mut command: Command, data: &Path) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        if line.is_empty() {
            let _ = child.wait();
            panic!("the box did not get ready: {}", stderr.join().unwrap());
        }
        Self {
            child: Some(child),
            stdout,
            stderr: Some(stderr),
            ready: serde_json::from_str(&line).unwrap(),
            data: data.to_owned(),
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// host:port
    pub fn address(&self) -> &str {
        self.ready["client"].as_str().unwrap().strip_prefix("https://").unwrap()
    }

    /// A command of the keeper.
    pub fn keeper(&self, args: &[&str]) -> Typed {
        run(&[args, &["--data", self.data.to_str().unwrap()]].concat())
    }

    pub fn status(&self) -> Value {
        let typed = self.keeper(&["status", "--json"]);
        assert_eq!(typed.code, Some(0), "{}", typed.stderr);
        serde_json::from_str(&typed.stdout).unwrap()
    }

    /// Sends a signal and waits for the end.
    pub fn end(mut self, signal: Signal, within: Duration) -> Ended {
        let mut child = self.child.take().unwrap();
        kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), signal).unwrap();
        let (ended, end) = mpsc::channel();
        std::thread::spawn(move || ended.send(child.wait()));
        let status = end.recv_timeout(within).unwrap().unwrap();
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).unwrap();
        let stderr = self.stderr.take().unwrap().join().unwrap();
        must_not_look_like_a_panic(&stderr);
        Ended { status, stdout, stderr }
    }

    pub fn stop(self) -> Ended {
        self.end(Signal::TERM, STOP_WITHIN)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
