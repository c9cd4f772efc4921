//! `/settings/tokens`: for programs that use `/admin/v1` or `/metrics`.

use std::fmt;

use crate::form::Errors;
use crate::plain;
use crate::ui::Ui;
use crate::view::{Page, page};

/// Tokens. Form: POST `/settings/tokens` with `name`, `scope`, `expires_d`.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    /// Those that hold.
    pub tokens: Vec<Token>,
    /// One that was just made: seen this once.
    pub made: Option<Made>,
    /// The scopes that there are, the least first: the box's words, with texts in the catalogue.
    pub scopes: Vec<String>,
    /// As it was typed.
    pub name: String,
    /// As it was chosen.
    pub scope: String,
    /// As it was chosen; empty: 90.
    pub expires_d: String,
    /// What is wrong.
    pub errors: Errors,
}

/// The days that can be chosen.
pub const EXPIRES_D: [u64; 4] = [7, 30, 90, 365];

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The id in paths.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// What it may do.
    pub scope: String,
    /// Who made it.
    pub made_by: String,
    /// Its end.
    pub expires_unix_s: u64,
    /// The day it was last used on; `None`: never.
    pub used_unix_s: Option<u64>,
}

/// A token that was just made.
#[derive(Clone, PartialEq, Eq)]
pub struct Made {
    /// What it is called.
    pub name: String,
    /// The token itself.
    pub secret: String,
}

impl fmt::Debug for Made {
    /// The token stays out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, secret: _ } = self;
        f.debug_struct("Made").field("name", name).finish_non_exhaustive()
    }
}

impl Tokens {
    fn chosen_days(&self) -> &str {
        if self.expires_d.is_empty() { "90" } else { &self.expires_d }
    }

    fn chosen_scope(&self) -> &str {
        if self.scope.is_empty() { self.scopes.first().map_or("", String::as_str) } else { &self.scope }
    }

    fn days(&self, ui: &Ui<'_>) -> Vec<(String, String)> {
        EXPIRES_D.iter().map(|days| (days.to_string(), ui.t1("token-days", "days", *days))).collect()
    }

    fn scope_choices(&self, ui: &Ui<'_>) -> Vec<(String, String)> {
        let choice = |scope: &String| {
            (scope.clone(), ui.known_text("scope", scope).unwrap_or_else(|| plain::escape_line(scope)))
        };
        self.scopes.iter().map(choice).collect()
    }
}

impl Page for Tokens {
    fn title(&self, ui: &Ui<'_>) -> String {
        ui.t("tokens-title")
    }

    fn errors(&self) -> Option<&Errors> {
        Some(&self.errors)
    }

    fn label(&self, ui: &Ui<'_>, field: &str) -> Option<String> {
        let key = match field {
            "name" => "token-new-name",
            "scope" => "token-new-scope",
            "expires_d" => "token-new-expires",
            _ => return None,
        };
        Some(ui.t(key))
    }
}

page!(Tokens, "tokens.html");
