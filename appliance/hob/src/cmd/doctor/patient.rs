//! What all checks look at: the settings, the folder, and what a running box tells of itself.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hob_log::{Look, OpenError};

use crate::config::Config;
use crate::control::client::{self, AskError};
use crate::control::wire::CareView;

/// How long a program of the system may take that is asked something.
const PROGRAM_WITHIN: Duration = Duration::from_secs(3);

/// How long a running box may take: it answers from memory.
const BOX_WITHIN: Duration = Duration::from_secs(10);

/// What became of the question whether a box runs.
#[derive(Debug)]
pub enum Asked {
    /// It answered.
    Answered,
    /// Nobody listens.
    NoBox,
    /// Somebody listens, and gave no good answer.
    Trouble(String),
}

/// A box, running or not.
pub struct Patient {
    /// As `serve` would take them.
    pub config: Config,
    /// The data folder.
    pub data: PathBuf,
    /// What the running box says.
    pub care: Option<CareView>,
    /// Whether it was asked with success.
    pub asked: Asked,
    /// What lies in a stopped box's folder; `None` where a box runs or never ran.
    pub look: Option<Result<Look, OpenError>>,
    /// The wall clock, Unix milliseconds.
    pub unix_ms: u64,
}

impl Patient {
    /// Asks the running box, or looks into the folder of a stopped one.
    pub fn meet(config: Config, data: PathBuf) -> Self {
        let (care, asked) = match client::get_within(&data, "/v1/care", BOX_WITHIN) {
            Ok(care) => (Some(care), Asked::Answered),
            Err(AskError::NoBox { .. }) => (None, Asked::NoBox),
            Err(error) => (None, Asked::Trouble(crate::failure::chain(&error))),
        };
        let is_box = data.join("keys").is_dir();
        let look = (is_box && matches!(asked, Asked::NoBox)).then(|| hob_log::look(&data));
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unix_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        Self { config, data, care, asked, look, unix_ms }
    }

    /// Whether a box ever ran on the folder.
    pub fn is_box(&self) -> bool {
        self.data.join("keys").is_dir()
    }

    /// What the stopped box's folder holds, where it could be read.
    pub fn looked(&self) -> Option<&Look> {
        self.look.as_ref().and_then(|look| look.as_ref().ok())
    }
}

/// What a program of the system prints, if it is there, ends well and soon.
pub fn output_of(program: &str, args: &[&str]) -> Option<String> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let until = Instant::now() + PROGRAM_WITHIN;
    // What is asked answers in a few lines, which the pipe holds: nobody has to read meanwhile.
    while child.try_wait().ok()?.is_none() {
        if Instant::now() >= until {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
