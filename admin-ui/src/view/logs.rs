//! `/logs`: the last lines that the box wrote. They name nobody; what is downloaded is looked through once more.

use crate::ui::Ui;
use crate::view::{Page, page};

/// The last lines. Its filter: `?level=`, `?q=`.
#[derive(Debug, Clone, Default)]
pub struct Logs {
    /// The least severe level that is shown: "error", "warn", "info", "debug", "trace"; empty: all that is kept.
    pub level: String,
    /// What is searched for, as it was typed.
    pub search: String,
    /// Newest first.
    pub lines: Vec<Line>,
    /// How many lines the box holds in memory.
    pub kept: u64,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub at_unix_s: u64,
    /// "error", "warn", "info", "debug", "trace".
    pub level: String,
    /// What it says, with its fields.
    pub text: String,
}

/// The levels that can be chosen.
const LEVELS: [&str; 4] = ["error", "warn", "info", "debug"];

impl Logs {
    fn chosen(&self) -> &str {
        if self.level.is_empty() { "debug" } else { &self.level }
    }

    fn levels(&self, ui: &Ui<'_>) -> Vec<(String, String)> {
        LEVELS.iter().map(|level| ((*level).to_owned(), ui.t(&format!("level-{level}-on")))).collect()
    }

    fn query(&self) -> String {
        format!("level={}&q={}", crate::ui::in_query(&self.level), crate::ui::in_query(&self.search))
    }
}

impl Page for Logs {
    fn title(&self, ui: &Ui<'_>) -> String {
        ui.t("nav-logs")
    }
}

page!(Logs, "logs.html");
