//! What the keeper may ask and order. Never who writes to whom: the rules do not know it.

use std::time::Duration;

use hob_protocol::frame::Binding;
use hob_protocol::ids::{DeviceKey, InvitationId, InvitationSecret, MailboxId, MemberId};
use rand_core::Rng;

use crate::admit::OpenInvitation;
use crate::clock::Now;
use crate::event::{LedgerEvent, disk};
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
}

impl Relay {
    pub(crate) fn admin(&mut self, now: Now, request: u64, ask: Ask, effects: &mut Effects) {
        let answer = match ask {
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
            Ask::Members => {
                return effects.push(Effect::Answer { request, answer: Answer::Members(self.members()) });
            }
            Ask::Status => {
                let status = Box::new(self.status());
                return effects.push(Effect::Answer { request, answer: Answer::Status(status) });
            }
        };
        self.wait(Waiting::Admin { request, answer }, effects);
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
        // A box without a clock does not pretend to know the date; whether the invitation is good, it knows all the same.
        let knows_the_date = now.unix_ms / 1000 >= FIRST_RELEASE_UNIX_S;
        let expires_at_s = if knows_the_date { (now.unix_ms / 1000).saturating_add(expires_in.as_secs()) } else { 0 };
        (id, secret, expires_at_s)
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
