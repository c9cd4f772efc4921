//! Push, credit, acknowledge: order within a mailbox, and what becomes of a commit.

use hob_protocol::code::{Code, Refused};
use hob_protocol::frame::{ServerBody, Urgency};
use hob_protocol::ids::EnvelopeId;
use hob_protocol::planted;

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;

use crate::clock::Now;
use crate::event::{Append, LedgerEvent, Place};
use crate::pending::{Entry, Stage};
use crate::{Body, ConnId, Effect, Effects, Relay, Storing, Ticket, Waiting};

impl Relay {
    /// Releases what waited for a commit: answers and pushes leave at the same moment.
    pub(crate) fn durable(&mut self, now: Now, up_to: Ticket, places: Vec<Place>, effects: &mut Effects) {
        // A commit of acknowledgements alone never fails, so it proves nothing about the disk.
        if self.waiting.front().is_some_and(|(ticket, _)| *ticket <= up_to) {
            self.storing = Storing::Well;
        }
        let mut places = places.into_iter();
        let mut fresh: HashMap<u32, Bytes> = HashMap::new();
        let mut mailboxes: Vec<u32> = Vec::new();
        while self.waiting.front().is_some_and(|(ticket, _)| *ticket <= up_to) {
            let Some((_, waiting)) = self.waiting.pop_front() else {
                break;
            };
            if let Waiting::Accept { entry, id, conn, request, ttl, body } = waiting {
                let Some(place) = places.next() else { break };
                self.counters.accepted += 1;
                effects.send(conn, request, ServerBody::Accepted { ttl, duplicate: false });
                let Some(found) = self.storing(entry, &id) else {
                    // Its mailbox was removed, or its deadline passed, while it was being written.
                    self.append(Append::Expire { place }, None, effects);
                    continue;
                };
                if mailboxes.last() != Some(&found.mailbox) {
                    mailboxes.push(found.mailbox);
                }
                self.pending.set_place(entry, place);
                fresh.insert(entry, body);
            } else {
                self.release(waiting, effects);
            }
        }
        mailboxes.sort_unstable();
        mailboxes.dedup();
        for mailbox in mailboxes {
            self.tell_watchers(now, mailbox, fresh.keys(), effects);
            self.pump_with(now, mailbox, &mut fresh, effects);
            self.wake_absent(mailbox, &fresh, effects);
        }
    }

    /// The entry that a commit was for. Its number may have been given to another envelope meanwhile: the id decides.
    fn storing(&self, entry: u32, id: &EnvelopeId) -> Option<Entry> {
        let found = self.pending.get(entry).filter(|found| found.id == *id)?;
        (self.pending.stage(entry) == Some(Stage::Storing)).then_some(*found)
    }

    /// Gives one answer that waited.
    pub(crate) fn release(&mut self, waiting: Waiting, effects: &mut Effects) {
        match waiting {
            Waiting::Ledger(LedgerEvent::Bundle(bundle)) => {
                // Of a mailbox that was removed meanwhile there is nothing to hand out.
                let _ = self.is_published(bundle);
            }
            Waiting::Accept { .. } | Waiting::Ledger(_) => {}
            Waiting::Repeat { conn, request, ttl } => {
                effects.send(conn, request, ServerBody::Accepted { ttl, duplicate: true });
            }
            Waiting::Reply { conn, request, body } => effects.send(conn, request, body),
            Waiting::Admin { request, answer } => effects.push(Effect::Answer { request, answer }),
        }
    }

    /// A commit failed: nothing of it is assumed written, and everybody who waited is told so.
    pub(crate) fn not_stored(&mut self, now: Now, up_to: Ticket, effects: &mut Effects) {
        self.storing = Storing::Badly { try_again_at: now.box_time.plus(Duration::from_secs(1)) };
        let refused = Refused::for_now(Code::CannotStore, Duration::from_secs(30));
        while self.waiting.front().is_some_and(|(ticket, _)| *ticket <= up_to) {
            let Some((_, waiting)) = self.waiting.pop_front() else {
                break;
            };
            match waiting {
                Waiting::Accept { entry, id, conn, request, .. } => {
                    if self.storing(entry, &id).is_some() {
                        self.take_out(entry, false);
                    }
                    self.counters.refused(refused.code);
                    if planted!("failed-commit-answered") {
                        let ttl = Duration::from_secs(1);
                        effects.send(conn, request, ServerBody::Accepted { ttl, duplicate: false });
                        continue;
                    }
                    effects.refuse(conn, request, refused);
                }
                Waiting::Repeat { conn, request, .. } | Waiting::Reply { conn, request, .. } => {
                    effects.refuse(conn, request, refused);
                }
                Waiting::Ledger(event) => self.try_again_later(event),
                Waiting::Admin { request, .. } => {
                    effects.push(Effect::Answer { request, answer: crate::admin::Answer::CannotStore });
                }
            }
        }
    }

    /// Keeps a ledger event that is not stored for the next commit. Devices ask again every half minute while a disk
    /// is full: what says the same, or is outdated by this, is not kept twice.
    fn try_again_later(&mut self, event: LedgerEvent) {
        self.unstored.retain(|before| match (before, &event) {
            (LedgerEvent::Bundle(before), LedgerEvent::Bundle(now)) => before.mailbox != now.mailbox,
            (before, now) => before != now,
        });
        self.unstored.push(event);
    }

    /// Takes an entry out of index, mailbox, token and owner's flight, and returns it.
    pub(crate) fn take_out(&mut self, entry: u32, remember: bool) -> Option<Entry> {
        let (mailbox_number, stage) =
            self.pending.get(entry).map(|found| (found.mailbox, self.pending.stage(entry)))?;
        let next = self.pending.next_in_queue(entry);
        let mailbox = self.mailboxes.get_mut(mailbox_number)?;
        let removed = self.pending.remove(&mut mailbox.queue, entry, remember)?;
        mailbox.bytes = mailbox.bytes.saturating_sub(removed.body_bytes());
        if let Some(owner) = mailbox.owner.as_mut() {
            if owner.cursor == entry {
                owner.cursor = next;
            }
            if stage == Some(Stage::Pushed) && !planted!("credit-leak") {
                owner.in_flight = owner.in_flight.saturating_sub(1);
            }
        }
        if let Some(token) = self.tokens.get_mut(removed.token) {
            token.pending = token.pending.saturating_sub(1);
            token.pending_bytes = token.pending_bytes.saturating_sub(removed.body_bytes());
        }
        Some(removed)
    }

    pub(crate) fn acknowledge(
        &mut self,
        now: Now,
        conn: ConnId,
        request: u64,
        ids: &[EnvelopeId],
        effects: &mut Effects,
    ) -> Result<(), Refused> {
        let mailbox = self.owner_of(conn)?;
        for id in ids {
            // An id that is not pending was acknowledged before, expired, or never was: all the same to its owner.
            let Some(entry) = self.pending.find(id) else { continue };
            let mine = self
                .pending
                .get(entry)
                .is_some_and(|found| found.mailbox == mailbox || planted!("acknowledged-for-others"));
            if !mine || self.pending.stage(entry) == Some(Stage::Storing) {
                continue;
            }
            if let Some(removed) = self.take_out(entry, true) {
                self.counters.delivered += 1;
                self.append(Append::Acknowledge { place: removed.place }, None, effects);
            }
        }
        if request > 0 {
            effects.send(conn, request, ServerBody::Done);
        }
        self.pump(now, mailbox, effects);
        self.tell_if_it_was_full(mailbox, effects);
        Ok(())
    }

    pub(crate) fn credit(
        &mut self,
        now: Now,
        conn: ConnId,
        request: u64,
        envelopes: u32,
        effects: &mut Effects,
    ) -> Result<(), Refused> {
        let number = self.owner_of(conn)?;
        let max = self.config.credit_max;
        if let Some(owner) = self.mailboxes.get_mut(number).and_then(|mailbox| mailbox.owner.as_mut()) {
            owner.credit = envelopes.min(max);
        }
        if request > 0 {
            effects.send(conn, request, ServerBody::Done);
        }
        self.pump(now, number, effects);
        Ok(())
    }

    /// Where the newest durable envelope of a mailbox lies: what `caught_up` has to reach.
    pub(crate) fn last_kept(&self, number: u32) -> (u32, u32) {
        let Some(mailbox) = self.mailboxes.get(number) else {
            return (0, 0);
        };
        let mut last = (0, 0);
        let mut entry = mailbox.queue.head;
        while let Some(found) = self.pending.get(entry) {
            if self.pending.stage(entry) != Some(Stage::Storing) {
                last = last.max((found.place.window, found.place.sequence));
            }
            entry = self.pending.next_in_queue(entry);
        }
        last
    }

    /// What was pushed on an earlier connection is pushed again on this one.
    pub(crate) fn restart_pushes(&mut self, number: u32) {
        let Some(mailbox) = self.mailboxes.get(number) else {
            return;
        };
        let mut entry = mailbox.queue.head;
        while let Some(stage) = self.pending.stage(entry) {
            if stage == Stage::Pushed {
                self.pending.set_stage(entry, Stage::Kept);
            }
            entry = self.pending.next_in_queue(entry);
        }
    }

    /// Pushes what the owner's credit allows, oldest first.
    pub(crate) fn pump(&mut self, now: Now, number: u32, effects: &mut Effects) {
        self.pump_with(now, number, &mut HashMap::new(), effects);
    }

    fn pump_with(&mut self, now: Now, number: u32, fresh: &mut HashMap<u32, Bytes>, effects: &mut Effects) {
        let Some(mailbox) = self.mailboxes.get_mut(number) else {
            return;
        };
        let Some(owner) = mailbox.owner.as_mut() else { return };
        let credit = if planted!("credit-ignored") { u32::MAX } else { owner.credit };
        while owner.in_flight < credit {
            let entry = owner.cursor;
            let Some(found) = self.pending.get(entry) else { break };
            // Envelopes become durable in the order in which they came: behind this one nothing is either.
            if self.pending.stage(entry) == Some(Stage::Storing) && !planted!("push-before-durable") {
                break;
            }
            let ttl = found.deadline.left(now.box_time);
            let (id, place) = (found.id, found.place);
            let body = fresh.remove(&entry).map_or(Body::At(place), |body| Body::Here(body, Some(place)));
            effects.push(Effect::Push { conn: owner.conn, id, ttl, body });
            owner.in_flight += 1;
            owner.cursor = self.pending.next_in_queue(entry);
            self.pending.set_stage(entry, Stage::Pushed);
            self.counters.pushed += 1;
        }
        self.tell_if_caught_up(number, effects);
    }

    fn tell_if_caught_up(&mut self, number: u32, effects: &mut Effects) {
        let Some(mailbox) = self.mailboxes.get_mut(number) else {
            return;
        };
        let Some(owner) = mailbox.owner.as_mut() else { return };
        let Some(up_to) = owner.catching_up_to else { return };
        let reached = match self.pending.get(owner.cursor) {
            None => true,
            Some(next) => {
                self.pending.stage(owner.cursor) == Some(Stage::Storing)
                    || (next.place.window, next.place.sequence) > up_to
            }
        };
        if reached {
            owner.catching_up_to = None;
            effects.send(owner.conn, 0, ServerBody::CaughtUp);
            self.tell_if_it_was_full(number, effects);
        }
    }

    /// The owner of a mailbox that ran full is told, once there is room again.
    fn tell_if_it_was_full(&mut self, number: u32, effects: &mut Effects) {
        let room = self.config.mailbox_envelopes / 2;
        let Some(mailbox) = self.mailboxes.get_mut(number) else {
            return;
        };
        let Some(owner) = mailbox.owner.filter(|owner| owner.catching_up_to.is_none()) else {
            return;
        };
        if mailbox.refused > 0 && mailbox.queue.count <= room {
            let refused = std::mem::take(&mut mailbox.refused);
            effects.send(owner.conn, 0, ServerBody::MailboxWasFull { refused });
        }
    }

    /// Something urgent was kept for a device that is not connected.
    fn wake_absent(&mut self, number: u32, fresh: &HashMap<u32, Bytes>, effects: &mut Effects) {
        let Some(mailbox) = self.mailboxes.get(number).filter(|mailbox| mailbox.is_absent()) else {
            return;
        };
        let urgent = fresh.keys().any(|&entry| {
            self.pending.get(entry).is_some_and(|found| found.mailbox == number && found.urgency == Urgency::Wake)
        });
        if urgent {
            effects.push(Effect::WakeDevice { mailbox: mailbox.id });
        }
    }

    /// A lost envelope gives its place and its owner's credit back. Its sender's device has no receipt and sends again.
    pub(crate) fn unreadable(&mut self, now: Now, id: &EnvelopeId, effects: &mut Effects) {
        let Some(entry) = self.pending.find(id) else { return };
        if self.pending.stage(entry) == Some(Stage::Storing) {
            return;
        }
        if let Some(removed) = self.take_out(entry, false) {
            self.counters.expired += 1;
            self.append(Append::Expire { place: removed.place }, None, effects);
            self.pump(now, removed.mailbox, effects);
        }
    }

    /// Windows are gone from the log: their envelopes are forgotten here too.
    pub(crate) fn windows_destroyed(&mut self, now: Now, gone: impl Fn(u32) -> bool, effects: &mut Effects) {
        let lost: Vec<u32> = self
            .pending
            .iter()
            .filter(|(number, entry)| self.pending.stage(*number) != Some(Stage::Storing) && gone(entry.place.window))
            .map(|(number, _)| number)
            .collect();
        let mut touched: Vec<u32> = Vec::new();
        for entry in lost {
            if let Some(removed) = self.take_out(entry, true) {
                self.counters.expired += 1;
                touched.push(removed.mailbox);
            }
        }
        touched.sort_unstable();
        touched.dedup();
        for mailbox in touched {
            self.pump(now, mailbox, effects);
        }
    }
}
