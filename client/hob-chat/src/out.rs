//! Where a command's lines go: this process's stdout and stderr, or the process that handed the command over.

use std::cell::Cell;
use std::io::{self, IsTerminal, Write};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;

use crate::error::ChatError;
use crate::handover::Reply;

/// The size of a terminal, in character cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cells {
    /// Across.
    pub columns: u16,
    /// Down.
    pub rows: u16,
}

/// How the place looks where a command was typed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Place {
    /// The size of the terminal on stdout; `None`: no terminal.
    pub terminal: Option<Cells>,
    /// Whether somebody watches stderr.
    pub watched: bool,
    /// One object a line.
    pub json: bool,
}

impl Place {
    /// This process's.
    pub fn here(json: bool) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal().then(|| {
            rustix::termios::tcgetwinsize(&stdout)
                .map_or(Cells { columns: 80, rows: 24 }, |size| Cells { columns: size.ws_col, rows: size.ws_row })
        });
        Self { terminal, watched: io::stderr().is_terminal(), json }
    }
}

enum Sink {
    Here,
    HandedOver(UnboundedSender<Reply>),
}

/// A command's stdout and stderr.
pub struct Out {
    sink: Sink,
    place: Place,
    progress_shown: Cell<bool>,
}

impl Out {
    /// To this process's stdout and stderr.
    pub const fn here(place: Place) -> Self {
        Self { sink: Sink::Here, place, progress_shown: Cell::new(false) }
    }

    /// To the process that handed the command over.
    pub const fn handed_over(place: Place, replies: UnboundedSender<Reply>) -> Self {
        Self { sink: Sink::HandedOver(replies), place, progress_shown: Cell::new(false) }
    }

    /// Whether JSON is asked for.
    pub const fn json(&self) -> bool {
        self.place.json
    }

    /// The terminal on stdout.
    pub const fn terminal(&self) -> Option<Cells> {
        self.place.terminal
    }

    /// A line of the answer, on stdout and flushed: whoever reads it by a pipe sees it at once.
    ///
    /// # Errors
    /// [`ChatError::Output`]: nobody reads any more.
    pub fn line(&self, line: &str) -> Result<(), ChatError> {
        self.end_progress();
        match &self.sink {
            Sink::Here => {
                let mut stdout = io::stdout().lock();
                let written = stdout.write_all(format!("{line}\n").as_bytes()).and_then(|()| stdout.flush());
                written.map_err(|source| ChatError::Output { source })
            }
            Sink::HandedOver(replies) => replies
                .send(Reply::Out(line.to_owned()))
                .map_err(|_| ChatError::Output { source: io::ErrorKind::BrokenPipe.into() }),
        }
    }

    /// An object of the answer, as one line.
    ///
    /// # Errors
    /// As [`Out::line`].
    pub fn object(&self, object: &impl Serialize) -> Result<(), ChatError> {
        let line =
            serde_json::to_string(object).map_err(|error| ChatError::Output { source: io::Error::other(error) })?;
        self.line(&line)
    }

    /// A line for the person, on stderr. If nobody reads it, nothing is lost.
    pub fn notice(&self, line: &str) {
        self.end_progress();
        match &self.sink {
            Sink::Here => stderr_line(line),
            Sink::HandedOver(replies) => {
                let _ = replies.send(Reply::Err(line.to_owned()));
            }
        }
    }

    /// A line that the next one replaces, for work that takes long; only where somebody watches.
    pub fn progress(&self, line: &str) {
        if self.place.watched && matches!(self.sink, Sink::Here) {
            self.progress_shown.set(true);
            let _ = write!(io::stderr().lock(), "\r\u{1b}[K{line}");
        }
    }

    /// Takes the progress line away.
    pub fn end_progress(&self) {
        if self.progress_shown.replace(false) {
            let _ = write!(io::stderr().lock(), "\r\u{1b}[K");
        }
    }
}

/// A line on this process's stderr, in one write: those of several processes do not mix.
pub fn stderr_line(line: &str) {
    let _ = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}
