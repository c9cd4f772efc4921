//! Tickets for a member's further devices: an invitation that its own device asks for, and that makes no new member.
//!
//! The box's idea of who has which devices means nothing for sealing: a ticket opens a mailbox, and adds no reader.

use hob_protocol::code::{Code, Refused};
use hob_protocol::frame::ServerBody;
use hob_protocol::ids::{InvitationId, MemberId};
use hob_protocol::limits::{DEVICE_TICKET_TTL, DEVICE_TICKETS_MAX, DEVICES_PER_MEMBER};

use crate::clock::Now;
use crate::{ConnId, Effects, Relay};

impl Relay {
    pub(crate) fn device_ticket(
        &mut self,
        now: Now,
        conn: ConnId,
        request: u64,
        effects: &mut Effects,
    ) -> Result<(), Refused> {
        let owner = self.owner_of(conn)?;
        self.charge_owner(now.box_time, owner, 1)?;
        let Some(member) = self.mailboxes.get(owner).map(|mailbox| mailbox.member) else {
            return Err(Refused::finally(Code::NotAMember));
        };
        if !self.may_store(now) {
            return Err(Refused::for_now(Code::CannotStore, std::time::Duration::from_secs(60)));
        }
        self.has_room_for_a_device(&member)?;
        let mine = self.invitations.values().filter(|open| open.member == Some(member) && open.redeemed.is_none());
        let open: Vec<_> = mine.map(|open| open.expires_at).filter(|at| *at > now.ledger_time).collect();
        if open.len() >= DEVICE_TICKETS_MAX {
            let next = open.into_iter().min().unwrap_or(now.ledger_time);
            return Err(Refused::for_now(Code::TooManyTickets, next.since(now.ledger_time)));
        }
        let (id, secret, expires_at_s) = self.open_invitation(now, DEVICE_TICKET_TTL, Some(member), effects);
        self.reply_when_durable(conn, request, ServerBody::DeviceTicket { id, secret, expires_at_s }, effects);
        Ok(())
    }

    pub(crate) fn has_room_for_a_device(&self, member: &MemberId) -> Result<(), Refused> {
        let devices = self.mailboxes.iter().filter(|(_, mailbox)| mailbox.member == *member).count();
        let most = DEVICES_PER_MEMBER.min(self.config.devices_per_member as usize);
        if devices < most { Ok(()) } else { Err(Refused::finally(Code::TooManyDevices)) }
    }

    /// Whoever was taken out opens no mailbox any more.
    pub(crate) fn withdraw_tickets(&mut self, member: &MemberId, effects: &mut Effects) {
        let mine = self.invitations.iter().filter(|(_, open)| open.member == Some(*member));
        let mut mine: Vec<InvitationId> = mine.map(|(id, _)| *id).collect();
        mine.sort_unstable();
        for id in mine {
            self.withdraw(&id, effects);
        }
    }
}
