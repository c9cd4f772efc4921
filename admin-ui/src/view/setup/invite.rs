use crate::form::Errors;
use crate::ui::Ui;
use crate::view::invitations::Ticket;
use crate::view::{Page, page};

/// Shows the first invitation. A POST without fields to `/setup/invite` ends the set-up; one with `again=yes` makes
/// another invitation.
#[derive(Debug, Clone, Default)]
pub struct FirstInvitation {
    /// To be scanned; `None`: it could not be made.
    pub ticket: Option<Ticket>,
    /// The label of who used it.
    pub joined: Option<String>,
    /// Differs when somebody joined: [`crate::live::Versions::invitations`].
    pub version: String,
    /// What is wrong.
    pub errors: Errors,
}

impl Page for FirstInvitation {
    fn title(&self, ui: &Ui<'_>) -> String {
        ui.t("setup-invite-title")
    }

    fn errors(&self) -> Option<&Errors> {
        Some(&self.errors)
    }
}

page!(FirstInvitation, "setup/invite.html");
