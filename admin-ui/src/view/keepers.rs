//! `/settings/keepers`: who may open the dashboard.

use crate::chrome::Role;
use crate::form::Errors;
use crate::ui::Ui;
use crate::view::{Page, page};

/// Keepers. Forms: POST `/settings/keepers` with `name`, `role`, `password`, `again` adds one; POST
/// `/settings/keepers/{id}/role` with `role` changes one.
#[derive(Debug, Clone, Default)]
pub struct Keepers {
    /// All of them.
    pub keepers: Vec<Keeper>,
    /// The new one's name, as it was typed.
    pub name: String,
    /// The chosen role, as it was sent; empty: viewer.
    pub role: String,
    /// What is wrong with the form for a new one.
    pub errors: Errors,
}

/// A keeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeper {
    /// The id in paths.
    pub id: String,
    /// The name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Signs in with codes of an app, too.
    pub totp: bool,
    /// The one who asks: cannot remove themselves or change their own role.
    pub this: bool,
}

impl Keepers {
    fn chosen(&self) -> &str {
        if self.role.is_empty() { "viewer" } else { &self.role }
    }
}

impl Page for Keepers {
    fn title(&self, ui: &Ui<'_>) -> String {
        ui.t("keepers-title")
    }

    fn errors(&self) -> Option<&Errors> {
        Some(&self.errors)
    }

    fn label(&self, ui: &Ui<'_>, field: &str) -> Option<String> {
        let key = match field {
            "name" => "keeper-new-name",
            "role" => "keeper-new-role",
            "password" => "keeper-new-password",
            "again" => "password-again",
            _ => return None,
        };
        Some(ui.t(key))
    }
}

page!(Keepers, "keepers.html");
