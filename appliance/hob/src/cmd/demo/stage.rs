//! What is seen: chapters, commands, and what they print.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use crate::show;

/// Time to read a chapter's heading.
const PAUSE: Duration = Duration::from_millis(1200);

/// The terminal, or the pipe, that the demo plays on.
#[derive(Debug, Clone, Copy)]
pub struct Stage {
    has_colours: bool,
    pauses: bool,
}

impl Stage {
    /// `is_watched`: somebody reads along and needs time for it.
    pub fn new(is_watched: bool) -> Self {
        Self { has_colours: io::stdout().is_terminal(), pauses: is_watched }
    }

    /// Begins a chapter.
    pub async fn chapter(&self, title: &str) {
        self.line("");
        self.line(&self.bold(title));
        if self.pauses {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Tells.
    pub fn say(&self, text: &str) {
        for line in text.lines() {
            self.line(&format!("  {line}"));
        }
    }

    /// Shows a command as somebody would type it.
    pub fn command(&self, who: &str, command: &str) {
        self.line(&format!("  {}", self.bold(&format!("{who}$ {command}"))));
    }

    /// Shows what a command printed.
    pub fn output(&self, text: &str) {
        for line in text.lines() {
            self.line(&format!("    {line}"));
        }
    }

    /// Shows a QR code.
    pub fn qr(&self, text: &str) {
        if self.has_colours {
            self.line(&show::qr_text(text));
        } else {
            self.line(&show::qr_plain(text));
        }
    }

    fn bold(&self, text: &str) -> String {
        if self.has_colours { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn line(&self, line: &str) {
        // If nobody watches any more, the story goes on: its exit code is still waited for.
        let mut stdout = io::stdout().lock();
        let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    }
}
