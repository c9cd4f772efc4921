//! What is known of a device: its mailbox, its bundle, its connection.

use std::collections::HashMap;

use bytes::Bytes;
use hob_protocol::frame::Binding;
use hob_protocol::ids::{DeviceKey, MailboxId, MemberId};

use crate::ConnId;
use crate::clock::{BoxTime, LedgerTime, Now};
use crate::event::{LedgerEvent, disk};
use crate::pending::{NIL, Queue};
use crate::quota::Bucket;

/// A day in milliseconds.
const DAY_MS: u64 = 24 * 3600 * 1000;

/// A published bundle.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub(crate) bundle: Bytes,
    pub(crate) expires_at: LedgerTime,
}

/// The connection of the owner, and how far it got.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner {
    pub(crate) conn: ConnId,
    pub(crate) credit: u32,
    pub(crate) in_flight: u32,
    /// The next entry to push; [`NIL`]: none.
    pub(crate) cursor: u32,
    /// Everything up to here was kept when the owner proved; `None` once `caught_up` was said.
    pub(crate) catching_up_to: Option<(u32, u32)>,
}

#[derive(Debug)]
pub(crate) struct Mailbox {
    pub(crate) id: MailboxId,
    pub(crate) device: DeviceKey,
    pub(crate) member: MemberId,
    pub(crate) binding: Binding,
    /// Unix time in seconds, as the box's clock stood.
    pub(crate) added_at_s: u64,
    /// The day on which the device was here last, in days since 1970; memory only, and never finer than a day.
    pub(crate) last_seen_day: Option<u64>,
    pub(crate) queue: Queue,
    pub(crate) bytes: u64,
    pub(crate) owner: Option<Owner>,
    /// Connections that are told what comes, oldest first; at most [`crate::web::WATCHERS_MAX`].
    pub(crate) watchers: Vec<ConnId>,
    pub(crate) bundle: Option<Published>,
    pub(crate) tokens: u32,
    /// Refused because it was full, since the owner was last told.
    pub(crate) refused: u64,
    pub(crate) ledger_bucket: Bucket,
    /// The epoch is new and the owner has not sent its list since.
    pub(crate) wants_token_list: bool,
    /// The epoch is new and the owner has not published since.
    pub(crate) bundle_is_stale: bool,
}

impl Mailbox {
    /// What the ledger remembers of the device.
    pub(crate) fn event(&self) -> LedgerEvent {
        LedgerEvent::Device(disk::Device {
            key: self.device.0.to_vec().into(),
            member: self.member.0.to_vec().into(),
            web: self.binding == Binding::Web,
            added_at_s: self.added_at_s,
            wants_token_list: self.wants_token_list,
            wants_bundle: self.bundle_is_stale,
        })
    }

    /// The device is here.
    pub(crate) fn seen(&mut self, now: Now) {
        self.last_seen_day = Some(now.unix_ms / DAY_MS);
    }

    /// Whether nobody of the device is connected.
    pub(crate) fn is_absent(&self) -> bool {
        self.owner.is_none() && self.watchers.is_empty()
    }

    /// Whether a sender would get a bundle.
    pub(crate) fn has_good_bundle(&self, now: LedgerTime) -> bool {
        self.bundle.as_ref().is_some_and(|bundle| bundle.expires_at > now) && !self.bundle_is_stale
    }
}

/// All mailboxes, by number. Numbers are used again after a mailbox was removed.
#[derive(Debug, Default)]
pub(crate) struct Mailboxes {
    slots: Vec<Option<Mailbox>>,
    free: Vec<u32>,
    by_id: HashMap<MailboxId, u32>,
}

impl Mailboxes {
    /// The mailbox of a device; the same one if the device was here before.
    pub(crate) fn add(
        &mut self,
        now: BoxTime,
        device: DeviceKey,
        member: MemberId,
        binding: Binding,
        burst: u32,
    ) -> u32 {
        let id = MailboxId::of_device(&device);
        if let Some(&number) = self.by_id.get(&id) {
            if let Some(mailbox) = self.get_mut(number) {
                mailbox.member = member;
                mailbox.binding = binding;
            }
            return number;
        }
        let mailbox = Mailbox {
            id,
            device,
            member,
            binding,
            added_at_s: 0,
            last_seen_day: None,
            queue: Queue::default(),
            bytes: 0,
            owner: None,
            watchers: Vec::new(),
            bundle: None,
            tokens: 0,
            refused: 0,
            ledger_bucket: Bucket::full(now, burst),
            wants_token_list: false,
            bundle_is_stale: false,
        };
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            // A box holds far fewer than four thousand million devices.
            u32::try_from(self.slots.len() - 1).unwrap_or(NIL)
        });
        if let Some(slot) = self.slots.get_mut(number as usize) {
            *slot = Some(mailbox);
        }
        self.by_id.insert(id, number);
        number
    }

    pub(crate) fn remove(&mut self, number: u32) -> Option<Mailbox> {
        let mailbox = self.slots.get_mut(number as usize)?.take()?;
        self.by_id.remove(&mailbox.id);
        self.free.push(number);
        Some(mailbox)
    }

    pub(crate) fn number_of(&self, id: &MailboxId) -> Option<u32> {
        self.by_id.get(id).copied()
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Mailbox> {
        self.slots.get(number as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut Mailbox> {
        self.slots.get_mut(number as usize)?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Mailbox)> {
        (0..).zip(&self.slots).filter_map(|(number, slot)| slot.as_ref().map(|mailbox| (number, mailbox)))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Mailbox> {
        self.slots.iter_mut().flatten()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// A watcher is gone.
    pub(crate) fn watcher_left(&mut self, number: u32, conn: ConnId) {
        if let Some(mailbox) = self.get_mut(number) {
            mailbox.watchers.retain(|&watcher| watcher != conn);
        }
    }

    /// The connection is gone; a newer one of the same owner stays.
    pub(crate) fn owner_left(&mut self, number: u32, conn: ConnId) {
        if let Some(mailbox) = self.get_mut(number)
            && mailbox.owner.is_some_and(|owner| owner.conn == conn)
        {
            mailbox.owner = None;
        }
    }
}
