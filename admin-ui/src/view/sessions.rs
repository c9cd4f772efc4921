//! `/settings/sessions`: one's own sign-in: sessions, password, codes of an app.

use std::fmt;

use crate::form::Errors;
use crate::markup::Markup;
use crate::qr;
use crate::ui::Ui;
use crate::view::{Page, page};

/// Sessions, password and codes. Forms: POST `/settings/password` with `current`, `password`, `again`; POST
/// `/settings/totp/on` with `totp`; POST `/settings/totp/off` with `current`.
#[derive(Debug, Clone, Default)]
pub struct Sessions {
    /// This keeper's sessions, newest first.
    pub sessions: Vec<Session>,
    /// Whether signing in asks for a code.
    pub totp: Totp,
    /// What is wrong; the three forms share no field names but `current`.
    pub errors: Errors,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id in paths: not its secret.
    pub id: String,
    /// When it began.
    pub began_unix_s: u64,
    /// When it was last used.
    pub used_unix_s: u64,
    /// The address it came from.
    pub from: String,
    /// The browser, in its own words.
    pub browser: String,
    /// It is the one that asks.
    pub this: bool,
}

/// Codes of an app.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Totp {
    /// Not used; with the secret that would be.
    #[default]
    Off,
    /// Being set up: the app shall scan this.
    SettingUp {
        /// `otpauth://totp/…`
        uri: String,
        /// The secret in base 32, for typing.
        secret: String,
    },
    /// Used.
    On,
}

impl fmt::Debug for Totp {
    /// The secret stays out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "Off",
            Self::SettingUp { uri: _, secret: _ } => "SettingUp",
            Self::On => "On",
        })
    }
}

impl Sessions {
    fn qr(&self, ui: &Ui<'_>) -> Markup {
        match &self.totp {
            Totp::SettingUp { uri, .. } => qr::svg(uri, &ui.t("totp-qr")).unwrap_or_default(),
            Totp::Off | Totp::On => Markup::default(),
        }
    }

    fn secret(&self) -> Option<&str> {
        match &self.totp {
            Totp::SettingUp { secret, .. } => Some(secret),
            Totp::Off | Totp::On => None,
        }
    }

    fn is_on(&self) -> bool {
        self.totp == Totp::On
    }

    fn has_others(&self) -> bool {
        self.sessions.len() > 1
    }
}

impl Page for Sessions {
    fn title(&self, ui: &Ui<'_>) -> String {
        ui.t("sessions-title")
    }

    fn errors(&self) -> Option<&Errors> {
        Some(&self.errors)
    }

    fn label(&self, ui: &Ui<'_>, field: &str) -> Option<String> {
        let key = match field {
            "current" => "password-current",
            "password" => "password-new",
            "again" => "password-again",
            "totp" => "totp-first",
            _ => return None,
        };
        Some(ui.t(key))
    }
}

page!(Sessions, "sessions.html");
