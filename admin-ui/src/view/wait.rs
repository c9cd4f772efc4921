//! What is shown while the box restarts, goes down or forgets everything.

use crate::ui::Ui;
use crate::view::{Page, page};

/// The answer to an order after which this box does not answer for a while. The script asks until it is back.
#[derive(Debug, Clone)]
pub struct Wait {
    /// For what.
    pub on: WaitOn,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitOn {
    /// A restart.
    Restart,
    /// Nothing: it stays off.
    ShutDown,
    /// Back as a new one.
    Reset,
    /// Back from a backup.
    Restore,
}

impl WaitOn {
    const fn key(self) -> &'static str {
        match self {
            Self::Restart => "wait-restart",
            Self::ShutDown => "wait-shut-down",
            Self::Reset => "wait-reset",
            Self::Restore => "wait-restore",
        }
    }
}

impl Wait {
    fn comes_back(&self) -> bool {
        self.on != WaitOn::ShutDown
    }

    fn text(&self, ui: &Ui<'_>) -> String {
        ui.t(&format!("{}-text", self.on.key()))
    }
}

impl Page for Wait {
    fn title(&self, ui: &Ui<'_>) -> String {
        ui.t(self.on.key())
    }
}

page!(Wait, "wait.html");
