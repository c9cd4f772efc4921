//! `/invitations`: making them, the open ones, and one to scan or to print.

/// `/invitations/{id}`: one to be scanned; `/invitations/print`: several on paper.
pub mod ticket;

pub use ticket::{Shown, Ticket};

use crate::form::Errors;
use crate::ui::Ui;
use crate::view::{Page, page};

/// The form for new ones, and the open ones. Fields of the form: `how_many`, `expires_h`.
#[derive(Debug, Clone, Default)]
pub struct Invitations {
    /// How many, as it was typed; empty: 1.
    pub how_many: String,
    /// The chosen hours, as they were sent; empty: 24.
    pub expires_h: String,
    /// What is wrong.
    pub errors: Errors,
    /// Those that nobody used yet.
    pub open: Vec<Open>,
    /// [`crate::live::Versions::invitations`] of this moment.
    pub version: String,
}

/// The hours that can be chosen.
pub const EXPIRES_H: [u64; 5] = [1, 24, 72, 168, 720];

/// The most that are made at once.
pub const HOW_MANY_MAX: u64 = 50;

/// An invitation that nobody used yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Open {
    /// In hex.
    pub id: String,
    /// Unix seconds; 0: the box has no clock.
    pub expires_unix_s: u64,
    /// For a further device of this member, who made it from the app; `None`: for a new member.
    pub for_member: Option<String>,
    /// Whether it can be shown again: the box keeps the secret of an open invitation.
    pub can_be_shown: bool,
}

impl Invitations {
    fn chosen_count(&self) -> &str {
        if self.how_many.is_empty() { "1" } else { &self.how_many }
    }

    fn chosen_hours(&self) -> &str {
        if self.expires_h.is_empty() { "24" } else { &self.expires_h }
    }

    fn hours(&self, ui: &Ui<'_>) -> Vec<(String, String)> {
        let choice = |hours: &u64| (hours.to_string(), ui.t1("invite-for-hours", "hours", *hours));
        EXPIRES_H.iter().map(choice).collect()
    }

    /// The path of the sheet with all that can be shown.
    fn print_all(&self) -> Option<String> {
        let ids: Vec<&str> = self.open.iter().filter(|open| open.can_be_shown).map(|open| open.id.as_str()).collect();
        (ids.len() > 1).then(|| format!("/invitations/print?ids={}", ids.join(",")))
    }
}

impl Page for Invitations {
    fn title(&self, ui: &Ui<'_>) -> String {
        ui.t("nav-invitations")
    }

    fn errors(&self) -> Option<&Errors> {
        Some(&self.errors)
    }

    fn label(&self, ui: &Ui<'_>, field: &str) -> Option<String> {
        let key = match field {
            "how_many" => "invite-how-many",
            "expires_h" => "invite-expires",
            _ => return None,
        };
        Some(ui.t(key))
    }
}

page!(Invitations, "invitations.html");
