//! The program on a terminal of its own, and what that terminal shows.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};

use crate::people::{Person, program};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A terminal with the program on it.
pub struct Pty {
    child: Child,
    master: File,
    /// Kept open, so that what the program leaves behind can be looked at.
    inner: File,
    told: Receiver<Vec<u8>>,
    parser: vt100::Parser,
    /// Everything that the terminal was told.
    pub raw: Vec<u8>,
}

impl Pty {
    /// Starts `hob-chat` of a person with these arguments, on a terminal of this size.
    pub fn start(person: &Person, (columns, rows): (u16, u16), arguments: &[&str]) -> Self {
        Self::start_with(person, (columns, rows), arguments, &[])
    }

    /// With more environment.
    pub fn start_with(
        person: &Person,
        (columns, rows): (u16, u16),
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let inner = File::from(rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap());
        tcsetwinsize(&inner, winsize(columns, rows)).unwrap();
        let end = || Stdio::from(inner.try_clone().unwrap());
        // The terminal is to be the session's own, so that the program is told when its size changes.
        let hob_chat = program();
        let mut child = Command::new("setsid");
        child.env_clear().arg("-c").arg(hob_chat.get_program());
        child.arg("--profile").arg(person.profile()).args(arguments);
        for (name, value) in [("TZ", "UTC"), ("HOME", "/nonexistent"), ("LANG", "C.UTF-8"), ("TERM", "xterm-256color")]
        {
            child.env(name, value);
        }
        child.envs(environment.iter().copied());
        if let Ok(path) = std::env::var("PATH") {
            child.env("PATH", path);
        }
        let child = child.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        let master = File::from(master);
        let mut reader = master.try_clone().unwrap();
        let (tell, told) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 16 << 10];
            while let Ok(length @ 1..) = reader.read(&mut bytes) {
                if tell.send(bytes[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, master, inner, told, parser: vt100::Parser::new(rows, columns, 0), raw: Vec::new() }
    }

    /// What the screen shows, line by line.
    pub fn text(&self) -> String {
        self.parser.screen().contents()
    }

    /// The screen, with its colours.
    pub fn screen(&self) -> &vt100::Screen {
        self.parser.screen()
    }

    /// Presses keys, as a terminal sends them.
    pub fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// Pastes, as a terminal does that was asked to bracket pastes.
    pub fn paste(&mut self, text: &str) {
        self.press(&format!("\u{1b}[200~{text}\u{1b}[201~"));
    }

    /// Another size.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.parser.screen_mut().set_size(rows, columns);
        tcsetwinsize(&self.inner, winsize(columns, rows)).unwrap();
    }

    /// Waits until the screen shows what is wanted; gives it.
    #[track_caller]
    pub fn until(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        let since = Instant::now();
        loop {
            let text = self.text();
            if wanted(&text) {
                return text;
            }
            match self.told.recv_timeout(PATIENCE.saturating_sub(since.elapsed())) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Timeout) => panic!("the screen stays like this:\n{text}"),
                Err(RecvTimeoutError::Disconnected) => panic!("the terminal is gone; it showed:\n{text}"),
            }
        }
    }

    /// Waits until the screen shows these words.
    #[track_caller]
    pub fn until_shows(&mut self, words: &str) -> String {
        self.until(|text| text.contains(words))
    }

    fn take(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
        self.parser.process(bytes);
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the end; gives the exit code, -1 for one by a signal, and takes in what was told last.
    pub fn end(&mut self) -> i32 {
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        while let Ok(bytes) = self.told.recv_timeout(Duration::from_millis(200)) {
            self.take(&bytes);
        }
        code
    }

    /// Whether the terminal was given back: lines and echo as at the start, no screen of its own, no brackets.
    pub fn is_given_back(&self) -> bool {
        let modes = tcgetattr(&self.inner).unwrap().local_modes;
        modes.contains(rustix::termios::LocalModes::ICANON | rustix::termios::LocalModes::ECHO)
            && !self.screen().alternate_screen()
            && !self.screen().bracketed_paste()
            && !self.screen().hide_cursor()
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const fn winsize(columns: u16, rows: u16) -> Winsize {
    Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 }
}
