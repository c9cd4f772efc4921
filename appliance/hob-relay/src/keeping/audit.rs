//! The line that an order leaves.

use hob_protocol::ids::{MailboxId, MemberId};

use crate::admin::Ask;
use crate::clock::Now;
use crate::event::{AUDIT_LINES_MAX, LedgerEvent, disk};
use crate::keeping::{AuditLine, By, Change};
use crate::{Effects, Relay};

/// The longest text of a line, in characters: labels are chosen by members.
const TEXT_CHARACTERS_MAX: usize = 120;

/// What an order will be called in the audit log, worked out before it is carried out: a removed member has no label.
pub(super) struct Title {
    pub(super) what: &'static str,
    pub(super) about: String,
}

impl Relay {
    pub(super) fn title_of(&self, ask: &Ask) -> Option<Title> {
        let title = |what, about| Some(Title { what, about });
        match ask {
            Ask::Invite { .. } => title("invited", String::new()),
            Ask::Withdraw { invitation } => title("withdrawn", short(&invitation.0)),
            Ask::RevokeDevice { mailbox } => title("device-revoked", self.whose(mailbox)),
            Ask::RevokeMember { member } => title("member-removed", self.label_of(member)),
            Ask::Change(change) => Some(self.title_of_change(change)),
            Ask::Members
            | Ask::Status
            | Ask::Keeping
            | Ask::AuditLog
            | Ask::Invitations
            | Ask::Limits
            | Ask::Noted { .. } => None,
        }
    }

    fn title_of_change(&self, change: &Change) -> Title {
        let (what, about) = match change {
            Change::FirstOwner(keeper) | Change::PutKeeper(keeper) => {
                let is_new = !self.keeping.keepers.contains_key(&keeper.id);
                let what = if is_new { "keeper-added" } else { "keeper-changed" };
                (what, format!("{}, {}", keeper.name, keeper.role.name()))
            }
            Change::RemoveKeeper(id) => {
                let name = self.keeping.keepers.get(id).map(|keeper| keeper.name.clone());
                ("keeper-removed", name.unwrap_or_default())
            }
            Change::SetUp(_) => ("set-up", String::new()),
            Change::Settings(settings) => ("setting-changed", self.what_differs(settings)),
            Change::AddToken(token) => ("token-made", format!("{}, {}", token.name, token.scope.name())),
            Change::RemoveToken(id) => {
                let name = self.keeping.tokens.get(id).map(|(token, _)| token.name.clone());
                ("token-revoked", name.unwrap_or_default())
            }
            Change::Suspend(member) => ("member-suspended", self.label_of(member)),
            Change::Resume(member) => ("member-resumed", self.label_of(member)),
            Change::Note { what, about } => (*what, about.clone()),
        };
        Title { what, about }
    }

    fn label_of(&self, id: &MemberId) -> String {
        self.members.get(id).map(|member| member.label.clone()).unwrap_or_default()
    }

    fn whose(&self, mailbox: &MailboxId) -> String {
        let found = self.mailboxes.number_of(mailbox).and_then(|number| self.mailboxes.get(number));
        found.map_or_else(String::new, |found| format!("{}, {}", self.label_of(&found.member), short(&mailbox.0)))
    }

    /// Writes a line; the oldest one makes room.
    pub(super) fn write_audit(&mut self, now: Now, by: By, title: Title, effects: &mut Effects) {
        let line = AuditLine {
            number: self.keeping.audit.back().map_or(1, |last| last.number + 1),
            at_s: now.unix_ms / 1000,
            who: cut(by.who),
            what: title.what.to_owned(),
            about: cut(title.about),
            from: cut(by.from),
        };
        self.append_ledger(
            LedgerEvent::Audit(disk::Audit {
                number: line.number,
                at_s: line.at_s,
                who: line.who.clone(),
                what: line.what.clone(),
                about: line.about.clone(),
                from: line.from.clone(),
            }),
            effects,
        );
        self.remember_audit(line);
    }

    pub(super) fn remember_audit(&mut self, line: AuditLine) {
        let audit = &mut self.keeping.audit;
        audit.push_back(line);
        while audit.len() as u64 > AUDIT_LINES_MAX {
            audit.pop_front();
        }
    }
}

fn cut(text: String) -> String {
    if text.len() <= TEXT_CHARACTERS_MAX { text } else { text.chars().take(TEXT_CHARACTERS_MAX).collect() }
}

fn short(id: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut hex = String::new();
    for byte in id.iter().take(4) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
