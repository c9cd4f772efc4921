//! `/sign-in`.

use crate::form::Errors;
use crate::ui::Ui;
use crate::view::{Page, page};

/// Asks who it is. Fields: `name` if [`SignIn::asks_name`], `password`, `totp` if [`SignIn::asks_totp`], `next`.
#[derive(Debug, Clone, Default)]
pub struct SignIn {
    /// Whether there is more than one keeper.
    pub asks_name: bool,
    /// The keeper's name, as it was typed.
    pub name: String,
    /// Whether some keeper uses an app's codes; the field may stay empty.
    pub asks_totp: bool,
    /// Where to go afterwards: a path of this dashboard.
    pub next: Option<String>,
    /// What is wrong: [`crate::Wrong::NotAccepted`] and [`crate::Wrong::Wait`] stand at `password`.
    pub errors: Errors,
}

impl Page for SignIn {
    fn title(&self, ui: &Ui<'_>) -> String {
        ui.t("sign-in-title")
    }

    fn errors(&self) -> Option<&Errors> {
        Some(&self.errors)
    }

    fn label(&self, ui: &Ui<'_>, field: &str) -> Option<String> {
        let key = match field {
            "name" => "sign-in-name",
            "password" => "password",
            "totp" => "totp",
            _ => return None,
        };
        Some(ui.t(key))
    }
}

page!(SignIn, "sign_in.html");
