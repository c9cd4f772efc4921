//! What the keeper may ask and order. Never who writes to whom: the rules do not know it.

use std::time::Duration;

use hob_protocol::frame::Binding;
use hob_protocol::ids::{DeviceKey, InvitationId, InvitationSecret, MailboxId, MemberId};
use rand_core::Rng;

use crate::admit::OpenInvitation;
use crate::clock::Now;
use crate::event::{LedgerEvent, disk};
use crate::keeping::{AuditLine, By, Change, InvitationView, KeepingView, NotPossible};
use crate::quota::Config;
use crate::status::Status;
use crate::{Effect, Effects, Relay, Waiting};

/// No box ran before this: a wall clock that says less is not set. 2026-01-01.
const FIRST_RELEASE_UNIX_S: u64 = 1_767_225_600;

/// A question or an order.
#[derive(Debug, Clone)]
pub enum Ask {
    /// Make an invitation.
    Invite {
        /// How long it is good.
        expires_in: Duration,
    },
    /// Withdraw an invitation that was not used.
    Withdraw {
        /// Which.
        invitation: InvitationId,
    },
    /// Who is here.
    Members,
    /// Take a device out, with its mailbox and the mail in it.
    RevokeDevice {
        /// Its mailbox.
        mailbox: MailboxId,
    },
    /// Take a member out, with all devices.
    RevokeMember {
        /// Who.
        member: MemberId,
    },
    /// How it stands.
    Status,
    /// Something about the keeping.
    Change(Change),
    /// An order, of which the audit log is to say who gave it.
    Noted {
        /// Who.
        by: By,
        /// What. Questions leave no line, and are answered as if asked without this.
        ask: Box<Ask>,
    },
    /// Keepers, settings, tokens.
    Keeping,
    /// The audit log.
    AuditLog,
    /// Which invitations are open.
    Invitations,
    /// Quotas and rates: those of the settings' file, and those in force.
    Limits,
}

/// What came of it. Orders are answered when they are durable.
#[derive(Debug, Clone)]
pub enum Answer {
    /// An invitation was made.
    Invited {
        /// Its id.
        invitation: InvitationId,
        /// Its secret.
        secret: InvitationSecret,
        /// Unix time in seconds, by the box's clock; 0 if the box has none.
        expires_at_s: u64,
    },
    /// It is done.
    Done,
    /// There is no such member, device or invitation.
    NotFound,
    /// The disk refuses: nothing was done.
    CannotStore,
    /// Everybody who is here.
    Members(Vec<MemberView>),
    /// How it stands.
    Status(Box<Status>),
    /// It cannot be done as things stand.
    NotPossible(NotPossible),
    /// Keepers, settings, tokens.
    Keeping(Box<KeepingView>),
    /// Newest first.
    AuditLog(Vec<AuditLine>),
    /// Those that end first in front.
    Invitations(Vec<InvitationView>),
    /// Quotas and rates.
    Limits {
        /// As the settings' file has them.
        file: Box<Config>,
        /// As they are.
        in_force: Box<Config>,
    },
}

/// A member, for the keeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberView {
    /// The box's own name of the member.
    pub id: MemberId,
    /// What the member wants to be called.
    pub label: String,
    /// Unix time in seconds.
    pub joined_at_s: u64,
    /// A keeper said that its devices are not served.
    pub suspended: bool,
    /// The member's devices.
    pub devices: Vec<DeviceView>,
}

/// A device, for the keeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceView {
    /// Its mailbox.
    pub mailbox: MailboxId,
    /// Its key.
    pub key: DeviceKey,
    /// Native or web.
    pub binding: Binding,
    /// Whether it is connected now.
    pub connected: bool,
    /// Envelopes that wait for it.
    pub pending: u32,
    /// Unix time in seconds.
    pub added_at_s: u64,
    /// The day on which it was here last, in days since 1970; `None`: not since the box started.
    pub last_seen_day: Option<u64>,
}

impl Relay {
    pub(crate) fn admin(&mut self, now: Now, request: u64, ask: Ask, effects: &mut Effects) {
        let told = match ask {
            Ask::Members => Answer::Members(self.members()),
            Ask::Status => Answer::Status(Box::new(self.status())),
            Ask::Keeping => Answer::Keeping(Box::new(self.keeping(now))),
            Ask::AuditLog => Answer::AuditLog(self.audit()),
            Ask::Invitations => Answer::Invitations(self.invitations(now)),
            Ask::Limits => {
                Answer::Limits { file: Box::new(self.file_config.clone()), in_force: Box::new(self.config.clone()) }
            }
            order => {
                let answer = self.order(now, order, effects).unwrap_or(Answer::NotFound);
                return self.wait(Waiting::Admin { request, answer }, effects);
            }
        };
        effects.push(Effect::Answer { request, answer: told });
    }

    /// Carries out an order; `None`: it was a question.
    pub(crate) fn order(&mut self, now: Now, order: Ask, effects: &mut Effects) -> Option<Answer> {
        Some(match order {
            Ask::Invite { expires_in } => self.invite(now, expires_in, effects),
            Ask::Withdraw { invitation } => {
                if self.withdraw(&invitation, effects) {
                    Answer::Done
                } else {
                    Answer::NotFound
                }
            }
            Ask::RevokeDevice { mailbox } => self.revoke_device(&mailbox, effects),
            Ask::RevokeMember { member } => self.revoke_member(&member, effects),
            Ask::Change(change) => self.change(now, change, effects),
            Ask::Noted { by, ask } => return self.noted(now, by, *ask, effects),
            Ask::Members | Ask::Status | Ask::Keeping | Ask::AuditLog | Ask::Invitations | Ask::Limits => return None,
        })
    }

    fn invite(&mut self, now: Now, expires_in: Duration, effects: &mut Effects) -> Answer {
        let (invitation, secret, expires_at_s) = self.open_invitation(now, expires_in, None, effects);
        Answer::Invited { invitation, secret, expires_at_s }
    }

    /// Makes an invitation, or a ticket for a further device of a member.
    pub(crate) fn open_invitation(
        &mut self,
        now: Now,
        expires_in: Duration,
        member: Option<MemberId>,
        effects: &mut Effects,
    ) -> (InvitationId, InvitationSecret, u64) {
        let (mut id, mut secret) = (InvitationId([0; 16]), InvitationSecret([0; 16]));
        self.rng.fill_bytes(&mut id.0);
        self.rng.fill_bytes(&mut secret.0);
        let expires_at = now.ledger_time.plus(expires_in);
        let open = OpenInvitation { secret: secret.clone(), expires_at, redeemed: None, member };
        self.append_ledger(open.event(&id), effects);
        self.invitations.insert(id, open);
        (id, secret, self.date_in(now, expires_in))
    }

    /// The date after some time, Unix seconds; 0: a box without a clock does not pretend to know it. Whether an invitation is
    /// good, it knows all the same.
    pub(crate) fn date_in(&self, now: Now, time: Duration) -> u64 {
        let knows_the_date = now.unix_ms / 1000 >= FIRST_RELEASE_UNIX_S;
        if knows_the_date { (now.unix_ms / 1000).saturating_add(time.as_secs()) } else { 0 }
    }

    pub(crate) fn withdraw(&mut self, id: &InvitationId, effects: &mut Effects) -> bool {
        if self.invitations.remove(id).is_none() {
            return false;
        }
        let removed = disk::InvitationRemoved { id: id.0.to_vec().into() };
        self.append_ledger(LedgerEvent::InvitationRemoved(removed), effects);
        true
    }

    fn revoke_device(&mut self, mailbox: &MailboxId, effects: &mut Effects) -> Answer {
        let Some(number) = self.mailboxes.number_of(mailbox) else {
            return Answer::NotFound;
        };
        let member = self.mailboxes.get(number).map(|mailbox| mailbox.member);
        self.remove_mailbox(number, effects);
        if let Some(member) = member
            && !self.mailboxes.iter().any(|(_, mailbox)| mailbox.member == member)
        {
            self.remove_member(&member, effects);
        }
        Answer::Done
    }

    fn revoke_member(&mut self, member: &MemberId, effects: &mut Effects) -> Answer {
        if !self.members.contains_key(member) {
            return Answer::NotFound;
        }
        let devices: Vec<u32> =
            self.mailboxes.iter().filter(|(_, mailbox)| mailbox.member == *member).map(|(number, _)| number).collect();
        for number in devices {
            self.remove_mailbox(number, effects);
        }
        self.remove_member(member, effects);
        Answer::Done
    }

    fn remove_member(&mut self, member: &MemberId, effects: &mut Effects) {
        self.members.remove(member);
        self.not_suspended_any_more(member, effects);
        self.withdraw_tickets(member, effects);
        let removed = disk::MemberRemoved { id: member.0.to_vec().into() };
        self.append_ledger(LedgerEvent::MemberRemoved(removed), effects);
    }

    /// Everybody who is here, with their devices.
    pub fn members(&self) -> Vec<MemberView> {
        let mut views: Vec<MemberView> = self
            .members
            .iter()
            .map(|(id, member)| MemberView {
                id: *id,
                label: member.label.clone(),
                joined_at_s: member.joined_at_s,
                suspended: self.is_suspended(id),
                devices: Vec::new(),
            })
            .collect();
        for (_, mailbox) in self.mailboxes.iter() {
            if let Ok(at) = views.binary_search_by_key(&mailbox.member, |view| view.id)
                && let Some(view) = views.get_mut(at)
            {
                view.devices.push(DeviceView {
                    mailbox: mailbox.id,
                    key: mailbox.device,
                    binding: mailbox.binding,
                    connected: !mailbox.is_absent(),
                    pending: mailbox.queue.count,
                    added_at_s: mailbox.added_at_s,
                    last_seen_day: mailbox.last_seen_day,
                });
            }
        }
        views
    }

    /// How it stands.
    pub fn status(&self) -> Status {
        let owners = self.mailboxes.iter().filter(|(_, mailbox)| !mailbox.is_absent()).count();
        Status {
            counters: self.counters.clone(),
            pending: u64::from(self.pending.len()),
            pending_bytes: self.pending.bytes(),
            known_ids: self.pending.known_len() as u64,
            members: self.members.len() as u64,
            devices: self.mailboxes.len() as u64,
            owners_connected: owners as u64,
            others_connected: self.connections.len().saturating_sub(owners) as u64,
            storing_fails: self.storing != crate::Storing::Well,
            lost_windows: self.lost_windows.len() as u64,
        }
    }
}
