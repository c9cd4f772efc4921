//! `/members` and `/members/{id}`. Never contents, contacts or rooms: the box does not know them, and the page says so.

/// `/members/{id}`: one member.
pub mod one;

pub use one::{Device, DeviceKind, Member};

use crate::markup::Markup;
use crate::ui::{Ui, in_query};
use crate::view::{Page, page};

/// The list of members. Its search is `?q=`, its page `?page=`.
#[derive(Debug, Clone, Default)]
pub struct Members {
    /// What is searched for, as it was typed.
    pub search: String,
    /// Members in all.
    pub total: u64,
    /// Members that the search finds.
    pub found: u64,
    /// Those of this page.
    pub rows: Vec<Row>,
    /// Which page, from 1.
    pub page: u64,
    /// How many there are.
    pub pages: u64,
    /// [`crate::live::Versions::members`] of this moment.
    pub version: String,
}

/// A member in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// In hex.
    pub id: String,
    /// What the member wants to be called.
    pub label: String,
    /// Unix seconds.
    pub joined_unix_s: u64,
    /// When a device of the member was last here.
    pub last_seen: LastSeen,
    /// How many devices.
    pub devices: u64,
    /// May the member use the box.
    pub suspended: bool,
}

/// When somebody was last here, to the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LastSeen {
    /// Connected now.
    Now,
    /// Some time on the day that holds this moment.
    Day {
        /// Unix seconds; only the day is shown.
        unix_s: u64,
    },
    /// Not since the box keeps count of it.
    #[default]
    Unknown,
}

impl LastSeen {
    pub(crate) fn html(self, ui: &Ui<'_>) -> Markup {
        match self {
            Self::Now => Markup::trusted(format!("<span class=\"now\">{}</span>", ui.t("seen-now"))),
            Self::Day { unix_s } => ui.day(&unix_s),
            Self::Unknown => Markup::trusted(ui.t("seen-unknown")),
        }
    }
}

impl Members {
    fn query(&self, page: u64) -> String {
        format!("?q={}&page={page}", in_query(&self.search))
    }

    fn is_last(&self) -> bool {
        self.page >= self.pages
    }
}

impl Page for Members {
    fn title(&self, ui: &Ui<'_>) -> String {
        ui.t("nav-members")
    }
}

page!(Members, "members.html");
