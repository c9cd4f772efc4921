//! A second process on a profile hands its job to the first, which has the profile open, and prints what comes back.
//!
//! The two talk over `PROFILE/socket` (a Unix socket, 0600, in a folder 0700; the other end's user is checked as well),
//! one JSON object a line: the job, then [`Reply`]s until the end. Whoever may open the socket may use the profile while
//! its first process runs, without the passphrase, as it could by watching that process.
//!
//! # Layout
//! - [`ask`]: the second process.
//! - [`serve`]: the first.
//! - [`screen`]: a full screen in the second, whose engine is in the first.

pub mod ask;
pub mod screen;
pub mod serve;

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::job::Job;
use crate::out::Place;
use crate::profile::{Folder, ProfileError};
use crate::screen::talk::News;

/// Two programs of different versions do not hand over to each other.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A line longer than this is no job: the longest text, with room for JSON's escapes.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// What is handed over, as it is written.
#[derive(Serialize)]
struct RequestRef<'a> {
    version: &'a str,
    place: Place,
    job: &'a Job,
}

/// What is handed over, as it is read.
#[derive(Deserialize)]
struct Request {
    version: String,
    place: Place,
    job: Job,
}

/// What comes back.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The job was taken. Before this, a closed connection means that nothing was done.
    Taken,
    /// Another version of the program has the profile open.
    OtherVersion(String),
    /// A line for stdout.
    Out(String),
    /// A line for stderr.
    Err(String),
    /// News for a full screen.
    Screen(Box<News>),
    /// It is done; the exit code.
    End(u8),
}

fn line(object: &impl Serialize) -> std::io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(object).map_err(std::io::Error::other)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// What every system takes for a socket's path; Linux has 108 bytes (unix(7)).
const SOCKET_PATH_BYTES_MAX: usize = 100;

/// The socket's path in a form that fits a socket's address, however deep the profile.
struct SocketPath {
    path: PathBuf,
    /// Keeps the short path valid.
    _folder: File,
}

impl SocketPath {
    fn of(folder: &Folder) -> Result<Self, ProfileError> {
        let named = folder.file("socket");
        let open = File::open(folder.path()).map_err(ProfileError::file("open", folder.path()))?;
        let path = if named.as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
            named
        } else {
            Path::new("/proc/self/fd").join(open.as_raw_fd().to_string()).join("socket")
        };
        Ok(Self { path, _folder: open })
    }
}
