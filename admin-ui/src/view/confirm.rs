//! "Are you sure?": the page at the path of a destructive POST when it is asked with GET. The script shows its form as a
//! dialog over the page before.

use crate::form::Errors;
use crate::ui::Ui;
use crate::view::{Page, page};

/// A question before something that cannot be undone, or that is felt.
#[derive(Debug, Clone)]
pub struct Confirm {
    /// What would be done.
    pub act: Act,
    /// What was typed into `typed`, where the name is asked for.
    pub typed: String,
    /// What is wrong.
    pub errors: Errors,
}

/// What is asked about. The form goes to [`Act::path`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Asks for the label typed, in the field `typed`.
    RemoveMember {
        /// In hex.
        id: String,
        /// To be typed.
        label: String,
        /// How many devices go.
        devices: u64,
        /// Envelopes that are destroyed with them.
        waiting: u64,
    },
    /// The member's devices are cut off, nothing is destroyed.
    SuspendMember {
        /// In hex.
        id: String,
        /// Who.
        label: String,
    },
    /// Lets the member in again.
    ResumeMember {
        /// In hex.
        id: String,
        /// Who.
        label: String,
    },
    /// One device goes.
    RevokeDevice {
        /// The member's id, in hex.
        member: String,
        /// Whose it is.
        label: String,
        /// Its mailbox, in hex.
        device: String,
        /// Envelopes that are destroyed with it.
        waiting: u64,
        /// The member goes with it.
        is_last: bool,
    },
    /// An invitation.
    Withdraw {
        /// In hex.
        id: String,
    },
    /// Compact now.
    Compact,
    /// Read all records now.
    Verify,
    /// The box restarts.
    Restart,
    /// The box goes down.
    ShutDown,
    /// Everything is destroyed: the first step says so, the second asks for the box's name in `typed` and for `password`.
    Reset {
        /// 1 or 2; the form of step 1 leads by GET to `/settings/reset?step=2`.
        step: u8,
        /// Members that lose the box.
        members: u64,
    },
    /// A session.
    RevokeSession {
        /// Its id in paths.
        id: String,
    },
    /// All sessions but this one.
    RevokeOtherSessions,
    /// A keeper.
    RemoveKeeper {
        /// The id in paths.
        id: String,
        /// Who.
        name: String,
    },
    /// A token for JSON.
    RevokeToken {
        /// Its id in paths.
        id: String,
        /// What it is called.
        name: String,
    },
}

impl Act {
    /// Where the form is sent, and where the page is asked for.
    pub fn path(&self) -> String {
        match self {
            Self::RemoveMember { id, .. } => format!("/members/{id}/remove"),
            Self::SuspendMember { id, .. } => format!("/members/{id}/suspend"),
            Self::ResumeMember { id, .. } => format!("/members/{id}/resume"),
            Self::RevokeDevice { member, device, .. } => format!("/members/{member}/devices/{device}/revoke"),
            Self::Withdraw { id } => format!("/invitations/{id}/withdraw"),
            Self::Compact => "/memory/compact".to_owned(),
            Self::Verify => "/memory/verify".to_owned(),
            Self::Restart => "/settings/restart".to_owned(),
            Self::ShutDown => "/settings/shutdown".to_owned(),
            Self::Reset { .. } => "/settings/reset".to_owned(),
            Self::RevokeSession { id } => format!("/settings/sessions/{id}/revoke"),
            Self::RevokeOtherSessions => "/settings/sessions/revoke-others".to_owned(),
            Self::RemoveKeeper { id, .. } => format!("/settings/keepers/{id}/remove"),
            Self::RevokeToken { id, .. } => format!("/settings/tokens/{id}/revoke"),
        }
    }

    /// Where "cancel" leads.
    fn back(&self) -> String {
        match self {
            Self::RemoveMember { id, .. }
            | Self::SuspendMember { id, .. }
            | Self::ResumeMember { id, .. }
            | Self::RevokeDevice { member: id, .. } => format!("/members/{id}"),
            Self::Withdraw { .. } => "/invitations".to_owned(),
            Self::Compact | Self::Verify => "/memory".to_owned(),
            Self::Restart | Self::ShutDown | Self::Reset { .. } => "/settings".to_owned(),
            Self::RevokeSession { .. } | Self::RevokeOtherSessions => "/settings/sessions".to_owned(),
            Self::RemoveKeeper { .. } => "/settings/keepers".to_owned(),
            Self::RevokeToken { .. } => "/settings/tokens".to_owned(),
        }
    }

    const fn key(&self) -> &'static str {
        match self {
            Self::RemoveMember { .. } => "remove-member",
            Self::SuspendMember { .. } => "suspend-member",
            Self::ResumeMember { .. } => "resume-member",
            Self::RevokeDevice { .. } => "revoke-device",
            Self::Withdraw { .. } => "withdraw",
            Self::Compact => "compact",
            Self::Verify => "verify",
            Self::Restart => "restart",
            Self::ShutDown => "shut-down",
            Self::Reset { step: 1, .. } => "reset",
            Self::Reset { .. } => "reset-now",
            Self::RevokeSession { .. } => "revoke-session",
            Self::RevokeOtherSessions => "revoke-other-sessions",
            Self::RemoveKeeper { .. } => "remove-keeper",
            Self::RevokeToken { .. } => "revoke-token",
        }
    }

    const fn destroys(&self) -> bool {
        matches!(
            self,
            Self::RemoveMember { .. } | Self::RevokeDevice { .. } | Self::Reset { .. } | Self::RemoveKeeper { .. }
        )
    }
}

impl Confirm {
    /// What will happen, a sentence each.
    fn happens(&self, ui: &Ui<'_>) -> Vec<String> {
        let key = format!("confirm-{}-happens", self.act.key());
        let mut happens = vec![match &self.act {
            Act::RemoveMember { devices, waiting, .. } => ui.t2(&key, "devices", *devices, "waiting", *waiting),
            Act::RevokeDevice { waiting, .. } => ui.t1(&key, "waiting", *waiting),
            Act::Reset { members, .. } => ui.t1(&key, "members", *members),
            _ => ui.t(&key),
        }];
        match &self.act {
            Act::RemoveMember { .. } => happens.push(ui.t("confirm-remove-member-stays")),
            Act::RevokeDevice { label, is_last: true, .. } => {
                happens.push(ui.t1("confirm-revoke-device-last", "name", label));
            }
            Act::SuspendMember { .. } => happens.push(ui.t("confirm-suspend-member-stays")),
            _ => {}
        }
        happens
    }

    fn button(&self, ui: &Ui<'_>) -> String {
        ui.t(&format!("confirm-{}-button", self.act.key()))
    }

    /// What has to be typed, in which the case does not matter.
    fn asked_name<'a>(&'a self, ui: &'a Ui<'_>) -> Option<String> {
        match &self.act {
            Act::RemoveMember { label, .. } => Some(label.clone()),
            Act::Reset { step: 2, .. } => Some(ui.box_name()),
            _ => None,
        }
    }

    fn asks_password(&self) -> bool {
        matches!(self.act, Act::Reset { step: 2, .. })
    }

    /// Whether what was typed is the name that was asked for: as it is, or as it is shown.
    pub fn is_name(typed: &str, name: &str) -> bool {
        let typed = typed.trim();
        !typed.is_empty() && (typed == name.trim() || typed == crate::plain::escape_line(name).trim())
    }

    /// The first step of a reset changes nothing, so it is a GET.
    fn is_first_step(&self) -> bool {
        matches!(self.act, Act::Reset { step: 1, .. })
    }
}

impl Page for Confirm {
    fn title(&self, ui: &Ui<'_>) -> String {
        let key = format!("confirm-{}", self.act.key());
        match &self.act {
            Act::RemoveMember { label, .. }
            | Act::SuspendMember { label, .. }
            | Act::ResumeMember { label, .. }
            | Act::RevokeDevice { label, .. } => ui.t1(&key, "name", label),
            Act::RemoveKeeper { name, .. } | Act::RevokeToken { name, .. } => ui.t1(&key, "name", name),
            _ => ui.t(&key),
        }
    }

    fn errors(&self) -> Option<&Errors> {
        Some(&self.errors)
    }

    fn label(&self, ui: &Ui<'_>, field: &str) -> Option<String> {
        let key = match field {
            "password" => "password",
            "typed" => "confirm-typed",
            _ => return None,
        };
        Some(ui.t(key))
    }
}

page!(Confirm, "confirm.html");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_confirmed_as_it_is_or_as_it_is_shown() {
        assert!(Confirm::is_name(" Bob ", "Bob"));
        assert!(Confirm::is_name("gnp.\\u{202e}exe", "gnp.\u{202e}exe"), "nobody can type the character itself");
        assert!(!Confirm::is_name("bbo", "Bob") && !Confirm::is_name("", ""), "an empty name is confirmed by nothing");
    }
}
