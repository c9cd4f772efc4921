//! Who comes in: invitations and device tickets are redeemed, mailboxes are proved.

use std::time::Duration;

use hob_protocol::code::{Code, Refused};
use hob_protocol::frame::{Binding, ServerBody};
use hob_protocol::ids::{DeviceKey, InvitationId, InvitationSecret, MailboxId, MemberId};
use hob_protocol::limits::REDEEM_AGAIN;
use hob_protocol::planted;
use hob_protocol::transcript::{BoundTo, prove, redeem_mac, same_mac};
use rand_core::Rng;

use crate::clock::{LedgerTime, Now};
use crate::connection::Role;
use crate::event::{LedgerEvent, disk};
use crate::ledger::Member;
use crate::mailbox::Owner;
use crate::{ConnId, Effect, Effects, Relay};

/// An invitation that can still be used, or was used a moment ago.
#[derive(Debug)]
pub(crate) struct OpenInvitation {
    pub(crate) secret: InvitationSecret,
    pub(crate) expires_at: LedgerTime,
    pub(crate) redeemed: Option<(DeviceKey, LedgerTime)>,
    /// A device ticket: whose further device it admits. `None`: a new member.
    pub(crate) member: Option<MemberId>,
}

impl OpenInvitation {
    pub(crate) fn event(&self, id: &InvitationId) -> LedgerEvent {
        let (redeemed_by, redeemed_at_ms) = self
            .redeemed
            .map_or_else(Default::default, |(device, at)| (bytes::Bytes::copy_from_slice(&device.0), at.0));
        LedgerEvent::Invitation(disk::Invitation {
            id: id.0.to_vec().into(),
            secret: self.secret.expose().to_vec().into(),
            expires_at_ms: self.expires_at.0,
            redeemed_by,
            redeemed_at_ms,
            member: self.member.map(|member| bytes::Bytes::copy_from_slice(&member.0)).unwrap_or_default(),
        })
    }
}

pub(crate) struct Redeem {
    pub(crate) invitation: InvitationId,
    pub(crate) device_key: DeviceKey,
    pub(crate) label: String,
    pub(crate) binding: Binding,
    pub(crate) mac: [u8; 32],
}

pub(crate) struct Proof {
    pub(crate) device_key: DeviceKey,
    pub(crate) signature: [u8; 64],
    pub(crate) origin: Option<String>,
    pub(crate) clock_ms: u64,
}

impl Relay {
    pub(crate) fn redeem(
        &mut self,
        now: Now,
        conn: ConnId,
        request: u64,
        redeem: Redeem,
        effects: &mut Effects,
    ) -> Result<(), Refused> {
        const UNKNOWN: Refused = Refused::finally(Code::NoSuchInvitation);
        let exporter = self.connections.get(&conn).and_then(|connection| connection.exporter);
        let bound_to = match redeem.binding {
            Binding::Native => Some(exporter.ok_or(Refused::finally(Code::ExporterMissing))?),
            Binding::Web => None,
        };
        let invitation = self.invitations.get(&redeem.invitation).ok_or(UNKNOWN)?;
        let want = redeem_mac(&invitation.secret, &redeem.device_key, &self.identity, bound_to.as_ref());
        // The MAC first: whoever was not shown the secret learns nothing, not even that it expired.
        if !same_mac(&want, &redeem.mac) {
            return Err(UNKNOWN);
        }
        let again = match invitation.redeemed {
            Some((device, at)) if device == redeem.device_key && now.ledger_time.since(at) <= REDEEM_AGAIN => true,
            Some(_) => return Err(UNKNOWN),
            None if invitation.expires_at <= now.ledger_time => return Err(Refused::finally(Code::InvitationExpired)),
            None => false,
        };
        let of_member = invitation.member;
        let mailbox = MailboxId::of_device(&redeem.device_key);
        self.keeps_its_binding(&mailbox, redeem.binding)?;
        if again && let Some(number) = self.mailboxes.number_of(&mailbox) {
            let Some(found) = self.mailboxes.get(number) else {
                return Err(UNKNOWN);
            };
            let body = ServerBody::Admitted { member: found.member, mailbox };
            self.establish(conn, effects);
            self.reply_when_durable(conn, request, body, effects);
            return Ok(());
        }
        if !self.may_store(now) {
            return Err(Refused::for_now(Code::CannotStore, Duration::from_secs(60)));
        }
        match of_member {
            // A ticket of somebody who was taken out meanwhile.
            Some(member) if !self.members.contains_key(&member) => return Err(UNKNOWN),
            Some(member) => {
                self.is_served(&member)?;
                self.has_room_for_a_device(&member)?;
            }
            None if self.members.len() >= self.config.members as usize => {
                return Err(Refused::for_now(Code::BoxFull, Duration::from_secs(3600)));
            }
            None => {}
        }
        let member = self.admit(now, redeem, of_member, effects);
        self.establish(conn, effects);
        self.reply_when_durable(conn, request, ServerBody::Admitted { member, mailbox }, effects);
        Ok(())
    }

    /// What a device was registered as holds: nobody who has an invitation, and knows a device's public key, makes that
    /// device prove in another way.
    fn keeps_its_binding(&self, mailbox: &MailboxId, binding: Binding) -> Result<(), Refused> {
        let known = self.mailboxes.number_of(mailbox).and_then(|number| self.mailboxes.get(number));
        match known.map(|mailbox| mailbox.binding) {
            Some(Binding::Native) if binding == Binding::Web => Err(Refused::finally(Code::ExporterMissing)),
            Some(Binding::Web) if binding == Binding::Native => Err(Refused::finally(Code::BadProof)),
            _ => Ok(()),
        }
    }

    fn admit(&mut self, now: Now, redeem: Redeem, of_member: Option<MemberId>, effects: &mut Effects) -> MemberId {
        let mut member = MemberId([0; 16]);
        self.rng.fill_bytes(&mut member.0);
        let joined_at_s = now.unix_ms / 1000;
        if let Some(invitation) = self.invitations.get_mut(&redeem.invitation) {
            invitation.redeemed = Some((redeem.device_key, now.ledger_time));
            let event = invitation.event(&redeem.invitation);
            self.append_ledger(event, effects);
        }
        let burst = self.config.owner_burst;
        let before = self
            .mailboxes
            .number_of(&MailboxId::of_device(&redeem.device_key))
            .and_then(|number| self.mailboxes.get(number))
            .map(|mailbox| mailbox.member);
        // A device that joins again keeps its member: a second one would be a person who does not exist.
        let member = before.or(of_member).unwrap_or(member);
        let number = self.mailboxes.add(now.box_time, redeem.device_key, member, redeem.binding, burst);
        // A further device changes nothing about its member.
        if of_member.is_none() {
            self.members.insert(member, Member { label: redeem.label.clone(), joined_at_s });
            let member_event = disk::Member { id: member.0.to_vec().into(), label: redeem.label, joined_at_s };
            self.append_ledger(LedgerEvent::Member(member_event), effects);
        }
        if let Some(mailbox) = self.mailboxes.get_mut(number) {
            mailbox.added_at_s = joined_at_s;
            let event = mailbox.event();
            self.append_ledger(event, effects);
        }
        member
    }

    pub(crate) fn prove(
        &mut self,
        now: Now,
        conn: ConnId,
        request: u64,
        proof: &Proof,
        effects: &mut Effects,
    ) -> Result<(), Refused> {
        const BAD: Refused = Refused::finally(Code::BadProof);
        // One nonce, one proof: after a failed one the connection gets another.
        let mut next_nonce = [0; 32];
        self.rng.fill_bytes(&mut next_nonce);
        let Some(connection) = self.connections.get_mut(&conn) else {
            return Ok(());
        };
        let nonce = std::mem::replace(&mut connection.nonce, next_nonce);
        let exporter = connection.exporter;
        let checked = self.check_proof(&nonce, exporter.as_ref(), proof);
        let number = match checked {
            Ok(number) => number,
            Err(refused) => {
                self.counters.refused(refused.code);
                effects.refuse(conn, request, refused);
                effects.send(conn, 0, ServerBody::Challenge { nonce: next_nonce });
                return Ok(());
            }
        };
        self.establish(conn, effects);
        let catching_up_to = self.last_kept(number);
        let credit = self.config.credit_max;
        let Some(mailbox) = self.mailboxes.get_mut(number) else {
            return Err(BAD);
        };
        let superseded = mailbox.owner.take();
        let cursor = if planted!("newest-first") { mailbox.queue.tail } else { mailbox.queue.head };
        mailbox.owner = Some(Owner { conn, credit, in_flight: 0, cursor, catching_up_to: Some(catching_up_to) });
        let proved = ServerBody::Proved {
            mailbox: mailbox.id,
            wants_token_list: mailbox.wants_token_list,
            wants_bundle: !mailbox.has_good_bundle(now.ledger_time),
        };
        let member = mailbox.member;
        mailbox.seen(now);
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.role = Role::Owner { mailbox: number };
        }
        if let Some(old) = superseded {
            // The other connection is told: somebody who took over unnoticed would be a listener.
            self.connections.remove(&old.conn);
            effects.push(Effect::Close { conn: old.conn, refused: Refused::finally(Code::Superseded) });
        }
        if proof.clock_ms > 0 {
            effects.push(Effect::TimeTold { member, unix_ms: proof.clock_ms });
        }
        effects.send(conn, request, proved);
        self.restart_pushes(number);
        self.pump(now, number, effects);
        Ok(())
    }

    pub(crate) fn check_proof(
        &self,
        nonce: &[u8; 32],
        exporter: Option<&hob_protocol::transcript::Exporter>,
        proof: &Proof,
    ) -> Result<u32, Refused> {
        let number = self.mailboxes.number_of(&MailboxId::of_device(&proof.device_key));
        let known = number.and_then(|number| self.mailboxes.get(number).map(|mailbox| (number, mailbox)));
        let bound_to = match (known.map(|(_, mailbox)| mailbox.binding), &proof.origin) {
            // A stranger is answered as if it were native: what it lacks first is a membership.
            (Some(Binding::Native) | None, _) => {
                BoundTo::Exporter(exporter.ok_or(Refused::finally(Code::ExporterMissing))?)
            }
            (Some(Binding::Web), Some(origin)) if self.is_own_origin(origin) => BoundTo::Origin(origin),
            // A proof made for another site, which somebody who sits there passes on.
            (Some(Binding::Web), _) => return Err(Refused::finally(Code::BadProof)),
        };
        let message = prove(nonce, &self.identity, bound_to);
        if !message.is_signed_by(proof.device_key.as_bytes(), &proof.signature) {
            return Err(Refused::finally(Code::BadProof));
        }
        let (number, mailbox) = known.ok_or(Refused::finally(Code::NotAMember))?;
        self.is_served(&mailbox.member)?;
        Ok(number)
    }

    /// Whether a browser that talks to this box would say that it is there (RFC 6454, section 6.2).
    fn is_own_origin(&self, origin: &str) -> bool {
        let Some(host_and_port) = origin.strip_prefix("https://") else { return false };
        self.addresses.iter().flat_map(|record| &record.addresses).any(|address| {
            let address = address.as_str();
            host_and_port == address || address.strip_suffix(":443") == Some(host_and_port)
        })
    }
}
