//! A wall clock that the tests set: for the processes that are started with it, and only for them.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::boxes::Start;
use crate::chat::Person;
use crate::held::{Preloaded, preloaded};

/// The wall clock of some processes. It can be moved while they run.
pub struct WallClock {
    folder: tempfile::TempDir,
}

/// Seconds of an hour.
pub const HOUR: i64 = 3600;

/// Seconds of ten years.
pub const TEN_YEARS: i64 = 10 * 365 * 24 * HOUR;

impl WallClock {
    /// One that is right.
    pub fn right() -> Self {
        let clock = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(clock.file(), 0_i64.to_ne_bytes()).unwrap();
        clock
    }

    /// Moves it, in seconds from what is right.
    pub fn off_by(&self, seconds: i64) {
        use std::os::unix::fs::FileExt;
        // In place: the running processes have the file mapped.
        let file = std::fs::OpenOptions::new().write(true).open(self.file()).unwrap();
        file.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
    }

    /// Sets it to where a computer without a battery begins: some seconds after the beginning of 1970.
    pub fn to_1970(&self) {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        self.off_by(60 - i64::try_from(now_s).unwrap());
    }

    /// Starts boxes with it.
    pub fn on(&self, start: Start) -> Start {
        self.environment().into_iter().fold(start, |start, (name, value)| start.env(&name, &value))
    }

    /// Gives it to a person's device.
    pub fn given_to(&self, mut person: Person) -> Person {
        person.env.extend(self.environment());
        person
    }

    fn environment(&self) -> [(String, String); 2] {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        [("LD_PRELOAD".to_owned(), text(library())), ("HOB_TEST_CLOCK".to_owned(), text(&self.file()))]
    }

    /// Where the seconds stand: for a demo box, which follows them in box time, too.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("offset")
    }
}

/// Built once a run.
fn library() -> &'static Path {
    static BUILT: OnceLock<Preloaded> = OnceLock::new();
    &BUILT.get_or_init(|| preloaded("clock")).1
}
