//! The state from its events: what a start finds, and what begins a new epoch.

use std::collections::HashMap;

use hob_protocol::address::AddressRecord;
use hob_protocol::frame::{Binding, TokenKind};
use hob_protocol::ids::{DeviceKey, InvitationId, InvitationSecret, MailboxId, MemberId, TokenHash};
use hob_protocol::planted;
use rand_core::Rng;

use crate::admit::OpenInvitation;
use crate::clock::{LedgerTime, Now};
use crate::event::{LedgerEvent, disk};
use crate::pending::{Deadline, NIL, New, Queue};
use crate::quota::Bucket;
use crate::tokens::Token;
use crate::{Effects, Relay, Restored};

/// How long a lost window is told: twice the longest that anything is kept, so that a client that was away for the
/// whole life of the window's envelopes still hears of it.
const LOST_TOLD_FOR_S: u64 = 12 * 3600;

/// A member, as the box knows one.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) label: String,
    /// Unix time in seconds, as the box's clock stood.
    pub(crate) joined_at_s: u64,
}

impl Relay {
    pub(crate) fn restore(&mut self, now: Now, restored: Restored, effects: &mut Effects) {
        // A device's event may be younger than its tokens: the log tells each where it changed last.
        let is_device = |event: &LedgerEvent| matches!(event, LedgerEvent::Device(_));
        let (devices, rest): (Vec<_>, Vec<_>) = restored.ledger.into_iter().partition(is_device);
        for event in devices.into_iter().chain(rest) {
            // An event that does not fit was written by no version of this box: its record was sealed and whole, so it
            // is left alone rather than guessed at.
            let _ = self.restore_event(now, event);
        }
        for known in restored.known {
            if planted!("ids-forgotten-at-start") {
                break;
            }
            self.pending.remember(&known.id, Deadline::at(known.deadline));
        }
        for pending in restored.pending {
            let Some(number) = self.mailboxes.number_of(&pending.mailbox) else {
                continue;
            };
            let Some(mailbox) = self.mailboxes.get_mut(number) else {
                continue;
            };
            let new = New {
                id: pending.id,
                deadline: Deadline::at(pending.deadline),
                mailbox: number,
                token: NIL,
                body_bytes: pending.body_bytes as usize,
                urgency: pending.urgency,
            };
            let entry = self.pending.add(&mut mailbox.queue, new);
            mailbox.bytes += u64::from(pending.body_bytes);
            self.pending.set_place(entry, pending.place);
        }
        let first_start = self.epoch == 0;
        if first_start || restored.epoch_ended || !restored.lost_windows.is_empty() {
            self.begin_epoch(now, effects);
        }
        self.tell_lost(&restored.lost_windows, effects);
    }

    fn restore_event(&mut self, now: Now, event: LedgerEvent) -> Option<()> {
        match event {
            LedgerEvent::Member(member) => {
                let id = MemberId::try_from(&member.id[..]).ok()?;
                self.members.insert(id, Member { label: member.label, joined_at_s: member.joined_at_s });
            }
            LedgerEvent::Device(device) => {
                let key = DeviceKey::try_from(&device.key[..]).ok()?;
                let member = MemberId::try_from(&device.member[..]).ok()?;
                let binding = if device.web { Binding::Web } else { Binding::Native };
                let number = self.mailboxes.add(now.box_time, key, member, binding, self.config.owner_burst);
                let mailbox = self.mailboxes.get_mut(number)?;
                mailbox.added_at_s = device.added_at_s;
                mailbox.wants_token_list = device.wants_token_list;
                mailbox.bundle_is_stale = device.wants_bundle;
            }
            LedgerEvent::Token(token) => {
                let mailbox = self.mailboxes.number_of(&MailboxId::try_from(&token.mailbox[..]).ok()?)?;
                self.tokens.insert(Token {
                    hash: TokenHash::try_from(&token.hash[..]).ok()?,
                    mailbox,
                    kind: if token.introduction { TokenKind::Introduction } else { TokenKind::Contact },
                    used: token.used,
                    expires_at: Some(LedgerTime(token.expires_at_ms)).filter(|at| at.0 > 0),
                    bucket: Bucket::full(now.box_time, self.config.token_burst),
                    pending: 0,
                    pending_bytes: 0,
                    submitted: 0,
                    fetches: Bucket::full(now.box_time, self.config.bundle_fetches_per_hour),
                });
                self.mailboxes.get_mut(mailbox)?.tokens += 1;
            }
            LedgerEvent::Bundle(bundle) => self.is_published(bundle)?,
            LedgerEvent::Invitation(invitation) => {
                let redeemed = DeviceKey::try_from(&invitation.redeemed_by[..]).ok();
                let open = OpenInvitation {
                    secret: InvitationSecret::try_from(&invitation.secret[..]).ok()?,
                    expires_at: LedgerTime(invitation.expires_at_ms),
                    redeemed: redeemed.map(|device| (device, LedgerTime(invitation.redeemed_at_ms))),
                    member: MemberId::try_from(&invitation.member[..]).ok(),
                };
                self.invitations.insert(InvitationId::try_from(&invitation.id[..]).ok()?, open);
            }
            LedgerEvent::Epoch(epoch) => self.epoch = epoch.epoch,
            LedgerEvent::LostWindow(window) => self.lost_windows.push(window.opened_at_s),
            LedgerEvent::Addresses(addresses) => self.address_sequence = addresses.sequence,
            LedgerEvent::Keeper(_)
            | LedgerEvent::SetUp(_)
            | LedgerEvent::Settings(_)
            | LedgerEvent::AutomationToken(_)
            | LedgerEvent::Audit(_)
            | LedgerEvent::Suspended(_) => return self.restore_keeping(event),
            // A compacted ledger holds what lives; a removal that is left has nothing to remove.
            LedgerEvent::MemberRemoved(_)
            | LedgerEvent::DeviceRemoved(_)
            | LedgerEvent::TokenRemoved(_)
            | LedgerEvent::BundleRemoved(_)
            | LedgerEvent::InvitationRemoved(_)
            | LedgerEvent::KeeperRemoved(_)
            | LedgerEvent::AutomationTokenRemoved(_)
            | LedgerEvent::Resumed(_) => {}
        }
        Some(())
    }

    /// The box's memory is not what it was: devices send their token lists and bundles again.
    fn begin_epoch(&mut self, now: Now, effects: &mut Effects) {
        self.epoch = self.rng.next_u64().max(1);
        self.stop_telling_lost(now);
        // Remembered device by device: a box that restarts before all were there again must not forget whom to ask.
        let asked: Vec<LedgerEvent> = self
            .mailboxes
            .iter_mut()
            .map(|mailbox| {
                mailbox.wants_token_list = true;
                mailbox.bundle_is_stale = true;
                mailbox.event()
            })
            .collect();
        for event in asked {
            self.append_ledger(event, effects);
        }
        self.append_ledger(LedgerEvent::Epoch(disk::Epoch { epoch: self.epoch }), effects);
    }

    /// Windows lost long ago are nobody's business any more.
    pub(crate) fn stop_telling_lost(&mut self, now: Now) {
        let unix_s = now.unix_ms / 1000;
        self.lost_windows.retain(|&opened_at_s| opened_at_s.saturating_add(LOST_TOLD_FOR_S) > unix_s);
    }

    fn tell_lost(&mut self, windows: &[(u32, u64)], effects: &mut Effects) {
        for &(_, opened_at_s) in windows {
            if !self.lost_windows.contains(&opened_at_s) {
                self.lost_windows.push(opened_at_s);
                self.append_ledger(LedgerEvent::LostWindow(disk::LostWindow { opened_at_s }), effects);
            }
        }
    }

    pub(crate) fn windows_lost(&mut self, now: Now, windows: &[(u32, u64)], effects: &mut Effects) {
        if windows.is_empty() {
            return;
        }
        let numbers: HashMap<u32, u64> = windows.iter().copied().collect();
        // A computer that slept for hours wakes to windows past their time: what was in them has expired, and the box
        // remembers all it should. Only what had time left was lost.
        let had_time_left = |window: u32| {
            self.pending.iter().any(|(_, entry)| entry.place.window == window && !entry.deadline.is_over(now.box_time))
        };
        let lost: Vec<(u32, u64)> = windows.iter().copied().filter(|(window, _)| had_time_left(*window)).collect();
        self.windows_destroyed(now, |window| numbers.contains_key(&window), effects);
        if !lost.is_empty() && !planted!("epoch-not-renewed") {
            self.begin_epoch(now, effects);
            self.tell_lost(&lost, effects);
        }
    }

    pub(crate) fn addresses(&mut self, record: AddressRecord, effects: &mut Effects) {
        if record.sequence > self.address_sequence {
            self.address_sequence = record.sequence;
            let event = disk::Addresses {
                addresses: record.addresses.iter().map(ToString::to_string).collect(),
                sequence: record.sequence,
            };
            self.append_ledger(LedgerEvent::Addresses(event), effects);
        }
        self.addresses = Some(record);
    }

    /// Takes a device out: its tokens, its bundle, its mailbox and the mail in it.
    pub(crate) fn remove_mailbox(&mut self, number: u32, effects: &mut Effects) {
        let tokens: Vec<u32> =
            self.tokens.iter().filter(|(_, token)| token.mailbox == number).map(|(token, _)| token).collect();
        for token in tokens {
            self.drop_token(token, effects);
        }
        let mut queue = self.mailboxes.get(number).map_or_else(Queue::default, |mailbox| mailbox.queue);
        while self.pending.get(queue.head).is_some() {
            self.destroy_mail(&mut queue, effects);
        }
        let Some(mailbox) = self.mailboxes.remove(number) else {
            return;
        };
        if mailbox.bundle.is_some() {
            let removed = disk::BundleRemoved { mailbox: mailbox.id.0.to_vec().into() };
            self.append_ledger(LedgerEvent::BundleRemoved(removed), effects);
        }
        let removed = disk::DeviceRemoved { key: mailbox.device.0.to_vec().into() };
        self.append_ledger(LedgerEvent::DeviceRemoved(removed), effects);
        for conn in mailbox.owner.map(|owner| owner.conn).into_iter().chain(mailbox.watchers) {
            self.connections.remove(&conn);
            let refused = hob_protocol::code::Refused::finally(hob_protocol::code::Code::Revoked);
            effects.push(crate::Effect::Close { conn, refused });
        }
    }

    fn destroy_mail(&mut self, queue: &mut Queue, effects: &mut Effects) {
        let storing = self.pending.stage(queue.head) == Some(crate::pending::Stage::Storing);
        let Some(removed) = self.pending.remove(queue, queue.head, false) else {
            return;
        };
        self.counters.expired += 1;
        if !storing {
            self.append(crate::event::Append::Expire { place: removed.place }, None, effects);
        }
    }
}
