//! What could not be done, and what to do now.

use crate::chrome::Role;
use crate::ui::Ui;
use crate::view::{Page, page};

/// A request that led nowhere.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What.
    pub failed: Failed,
    /// Where a link leads back to; `None`: to the overview.
    pub back: Option<String>,
}

/// Why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failed {
    /// 404: there is no such page, or no such member any more.
    NotFound,
    /// 405.
    NotThatWay,
    /// 403: the role does not suffice.
    NeedsRole(Role),
    /// 403: the form came from another site, or without its token.
    ForeignForm,
    /// 421: the browser asked for a name that is not this box's.
    WrongHost,
    /// 413.
    TooLarge {
        /// The most that is taken.
        max_bytes: u64,
    },
    /// 400: what came is no text, or no form.
    NotAForm,
    /// 429.
    TooOften {
        /// When to try again.
        wait_s: u64,
    },
    /// 403: dashboard is for private networks.
    PublicAddress,
    /// 503: the disk refuses, so nothing was changed.
    CannotStore,
    /// 503: the box is on its way down.
    Stopping,
    /// 500, with what the log says.
    Internal {
        /// Names the line in the log.
        reference: String,
    },
}

impl Failed {
    const fn key(&self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::NotThatWay => "not-that-way",
            Self::NeedsRole(_) => "needs-role",
            Self::ForeignForm => "foreign-form",
            Self::WrongHost => "wrong-host",
            Self::TooLarge { .. } => "too-large",
            Self::NotAForm => "not-a-form",
            Self::TooOften { .. } => "too-often",
            Self::PublicAddress => "public-address",
            Self::CannotStore => "cannot-store",
            Self::Stopping => "stopping",
            Self::Internal { .. } => "internal",
        }
    }
}

impl Failure {
    fn text(&self, ui: &Ui<'_>) -> String {
        let key = format!("failed-{}-text", self.failed.key());
        match &self.failed {
            Failed::NeedsRole(role) => ui.t1(&key, "role", ui.role(role)),
            Failed::TooLarge { max_bytes } => ui.t1(&key, "max", ui.bytes(max_bytes)),
            Failed::TooOften { wait_s } => ui.t1(&key, "duration", ui.duration(*wait_s)),
            Failed::Internal { reference } => ui.t1(&key, "reference", reference),
            _ => ui.t(&key),
        }
    }

    fn back(&self) -> &str {
        self.back.as_deref().unwrap_or("/")
    }
}

impl Page for Failure {
    fn title(&self, ui: &Ui<'_>) -> String {
        ui.t(&format!("failed-{}", self.failed.key()))
    }
}

page!(Failure, "error.html");
