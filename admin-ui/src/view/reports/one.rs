use std::fmt;

use crate::form::Errors;
use crate::ui::Ui;
use crate::view::reports::State;
use crate::view::{Page, page};

/// One report.
///
/// Forms: POST `/reports/{id}` with `password` opens it for this view only; POST `/reports/{id}/decide` with `act`
/// (`dismiss`, `suspend`, `revoke-token`) and `note` closes it.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// In hex.
    pub id: String,
    /// When it came.
    pub at_unix_s: u64,
    /// The label of the member who reported.
    pub reporter: String,
    /// The id of that member, if still here.
    pub reporter_id: Option<String>,
    /// How it stands.
    pub state: State,
    /// What was reported, opened for this view only; `None`: sealed.
    pub content: Option<Content>,
    /// Who the report says it is about, if that is a member of this box: label and id.
    pub about_member: Option<(String, String)>,
    /// What happened to it, oldest first.
    pub history: Vec<Step>,
    /// The chosen action, as it was sent.
    pub act: String,
    /// The note to the reporter, as it was typed.
    pub note: String,
    /// What is wrong.
    pub errors: Errors,
}

/// What a member chose to report, in the clear. It is never written down.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// Why, in the reporter's words.
    pub note: String,
    /// The name that the reporter's app has for whom it is about.
    pub about: String,
    /// The messages that were attached.
    pub messages: Vec<Message>,
}

impl fmt::Debug for Content {
    /// Nothing of it gets into a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { note: _, about: _, messages } = self;
        f.debug_struct("Content").field("messages", &messages.len()).finish_non_exhaustive()
    }
}

/// A message that was attached.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// When, by the reporter's app.
    pub at_unix_s: u64,
    /// Its text.
    pub text: String,
}

/// What happened to a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub at_unix_s: u64,
    /// Which keeper.
    pub who: String,
    /// What.
    pub kind: StepKind,
}

/// Kinds of [`Step`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they say it")]
pub enum StepKind {
    Opened,
    Dismissed,
    Suspended,
    TokenRevoked,
    TakenDown,
    NoteSent,
}

impl Step {
    const fn key(&self) -> &'static str {
        match self.kind {
            StepKind::Opened => "report-step-opened",
            StepKind::Dismissed => "report-step-dismissed",
            StepKind::Suspended => "report-step-suspended",
            StepKind::TokenRevoked => "report-step-token-revoked",
            StepKind::TakenDown => "report-step-taken-down",
            StepKind::NoteSent => "report-step-note-sent",
        }
    }
}

impl Report {
    fn is_open(&self) -> bool {
        self.state == State::Open
    }

    fn chosen(&self) -> &str {
        if self.act.is_empty() { "dismiss" } else { &self.act }
    }

    /// What can be done: against a member only if the member is known.
    fn choices(&self, ui: &Ui<'_>) -> Vec<(String, String)> {
        let mut choices = vec![("dismiss".to_owned(), ui.t("report-do-dismiss"))];
        if let Some((label, _)) = &self.about_member {
            choices.push(("suspend".to_owned(), ui.t1("report-do-suspend", "name", label)));
            choices.push(("revoke-token".to_owned(), ui.t1("report-do-revoke-token", "name", label)));
        }
        choices
    }
}

impl Page for Report {
    fn title(&self, ui: &Ui<'_>) -> String {
        ui.t1("report-title", "name", &self.reporter)
    }

    fn errors(&self) -> Option<&Errors> {
        Some(&self.errors)
    }

    fn label(&self, ui: &Ui<'_>, field: &str) -> Option<String> {
        let key = match field {
            "password" => "report-password",
            "act" => "report-act",
            "note" => "report-reply",
            _ => return None,
        };
        Some(ui.t(key))
    }
}

page!(Report, "report.html");
