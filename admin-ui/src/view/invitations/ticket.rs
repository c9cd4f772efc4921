use crate::markup::Markup;
use crate::qr;
use crate::ui::Ui;
use crate::view::{Page, page};

/// An invitation that can be scanned.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Ticket {
    /// In hex.
    pub id: String,
    /// `hob://join/…`: whoever has it may join once.
    pub link: String,
    /// Unix seconds; 0: the box has no clock.
    pub expires_unix_s: u64,
}

impl std::fmt::Debug for Ticket {
    /// The link is a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, link: _, expires_unix_s } = self;
        f.debug_struct("Ticket").field("id", id).field("expires_unix_s", expires_unix_s).finish_non_exhaustive()
    }
}

impl Ticket {
    pub(crate) fn qr(&self, ui: &Ui<'_>) -> Markup {
        qr::svg(&self.link, &ui.t("ticket-qr")).unwrap_or_default()
    }
}

/// One invitation large, or several on a sheet: it looks well on a screen and on paper.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// Which.
    pub tickets: Vec<Ticket>,
    /// [`crate::live::Versions::invitations`] of this moment.
    pub version: String,
}

impl Page for Shown {
    fn title(&self, ui: &Ui<'_>) -> String {
        ui.t1("ticket-title", "count", self.tickets.len())
    }
}

page!(Shown, "tickets.html");
