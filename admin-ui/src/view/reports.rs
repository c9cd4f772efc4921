//! `/reports` and `/reports/{id}`: what members brought before the keepers.

/// `/reports/{id}`: one report, locked or opened.
pub mod one;

pub use one::{Content, Message, Report, Step, StepKind};

use crate::ui::Ui;
use crate::view::{Page, page};

/// The list. Its filter is `?state=open|closed`.
#[derive(Debug, Clone, Default)]
pub struct Reports {
    /// Shows the closed ones.
    pub closed: bool,
    /// Newest first.
    pub rows: Vec<Row>,
    /// How many are open.
    pub open_count: u64,
    /// How many are closed.
    pub closed_count: u64,
    /// [`crate::live::Versions::reports`] of this moment.
    pub version: String,
}

/// A report in the list. What it says is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// In hex.
    pub id: String,
    /// When it came.
    pub at_unix_s: u64,
    /// The label of the member who reported.
    pub reporter: String,
    /// How it stands.
    pub state: State,
}

/// How a report stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// Nobody decided yet.
    #[default]
    Open,
    /// Closed without consequence.
    Dismissed,
    /// A member was suspended or removed, a token revoked, or a file taken down.
    ActedOn,
}

impl State {
    const fn key(self) -> &'static str {
        match self {
            Self::Open => "report-open",
            Self::Dismissed => "report-dismissed",
            Self::ActedOn => "report-acted-on",
        }
    }
}

impl Page for Reports {
    fn title(&self, ui: &Ui<'_>) -> String {
        ui.t("nav-reports")
    }
}

page!(Reports, "reports.html");
