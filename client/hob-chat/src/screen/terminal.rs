//! The terminal: taken for the screen, and given back as it was found whatever happens.

use std::io::{self, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::Show;
use crossterm::event::{DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange};
use crossterm::execute;
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

/// Whether the terminal is taken at the moment.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Whether something panicked, in whatever task: the screen ends then.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// The terminal, taken. Dropped, it is given back.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    /// Takes it: raw keys, a screen of its own, pastes in one piece, word of who has the keyboard.
    ///
    /// # Errors
    /// stdin or stdout is no terminal, or went away.
    pub fn take() -> io::Result<Self> {
        give_back_on_panic();
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        // From here on, whatever fails gives it back.
        let taken = (|| {
            execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange)?;
            execute!(io::stdout(), Clear(ClearType::All))?;
            Ok(Self { terminal: Terminal::new(CrosstermBackend::new(io::stdout()))? })
        })();
        if taken.is_err() {
            give_back();
        }
        taken
    }
}

impl Screen {
    /// Draws a frame, all of it at once where the terminal can wait for its end.
    ///
    /// # Errors
    /// The terminal went away.
    pub fn draw(&mut self, frame: impl FnOnce(&mut ratatui::Frame<'_>)) -> io::Result<()> {
        execute!(io::stdout(), BeginSynchronizedUpdate)?;
        self.terminal.draw(frame)?;
        execute!(io::stdout(), EndSynchronizedUpdate)
    }

    /// Draws everything anew the next time.
    ///
    /// # Errors
    /// The terminal went away.
    pub fn clear(&mut self) -> io::Result<()> {
        // Not the terminal's own `clear`: it asks where the cursor is, and not every terminal answers.
        let size = self.terminal.size()?;
        self.terminal.resize(size.into())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Whether something panicked since the terminal was taken.
pub fn has_panicked() -> bool {
    PANICKED.load(Ordering::SeqCst)
}

fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // A terminal that is gone cannot be given back; there is nobody to tell.
        let _ = execute!(io::stdout(), DisableFocusChange, DisableBracketedPaste, LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
        let _ = io::stdout().flush();
    }
}

/// The message of a panic belongs on a terminal that can show it.
fn give_back_on_panic() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |about| {
            PANICKED.store(true, Ordering::SeqCst);
            give_back();
            before(about);
        }));
    });
}
