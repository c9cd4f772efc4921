//! Deadlines and sweeps. Called after every input: nothing outlives its time because nobody asked.

use std::time::Duration;

use hob_protocol::code::{Code, Refused};
use hob_protocol::planted;

use crate::clock::{BoxTime, Now};
use crate::connection::Role;
use crate::event::{Append, LedgerEvent, disk};
use crate::pending::Stage;
use crate::timer::WakeReason;
use crate::{ConnId, Effect, Effects, Relay};

const SWEEP_EVERY: Duration = Duration::from_secs(600);
const LOOK_AT_CONNECTIONS_EVERY: Duration = Duration::from_secs(5);

impl Relay {
    pub(crate) fn expire(&mut self, now: Now, effects: &mut Effects) {
        self.expire_envelopes(now, effects);
        if self.timers.is_due(WakeReason::Sweep, now.box_time) {
            self.timers.set(WakeReason::Sweep, None);
            self.pending.sweep_known(now.box_time);
            self.stop_telling_lost(now);
            self.sweep_ledger(now, effects);
        }
        if self.timers.is_due(WakeReason::IdleConnections, now.box_time) {
            self.timers.set(WakeReason::IdleConnections, None);
            self.close_idle(now.box_time, effects);
        }
        self.set_timers(now.box_time);
    }

    fn set_timers(&mut self, now: BoxTime) {
        self.timers.set(WakeReason::EnvelopeDue, self.pending.next_deadline());
        let timers = &mut self.timers;
        timers.set_if_unset(WakeReason::Sweep, now.plus(SWEEP_EVERY));
        if self.connections.is_empty() {
            timers.set(WakeReason::IdleConnections, None);
        } else {
            timers.set_if_unset(WakeReason::IdleConnections, now.plus(LOOK_AT_CONNECTIONS_EVERY));
        }
    }

    pub(crate) fn next_wake(&self) -> Option<(BoxTime, WakeReason)> {
        self.timers.next()
    }

    fn expire_envelopes(&mut self, now: Now, effects: &mut Effects) {
        let mut touched: Vec<u32> = Vec::new();
        // A minute too late, where a test wants it so.
        let until =
            if planted!("expired-late") { BoxTime(now.box_time.0.saturating_sub(60_000)) } else { now.box_time };
        while let Some(entry) = self.pending.pop_due(until) {
            let stage = self.pending.stage(entry);
            let Some(removed) = self.take_out(entry, false) else {
                continue;
            };
            self.counters.expired += 1;
            // One that is still being written has no place yet: its commit finds it gone and expires it then.
            if stage != Some(Stage::Storing) {
                self.append(Append::Expire { place: removed.place }, None, effects);
            }
            touched.push(removed.mailbox);
        }
        touched.sort_unstable();
        touched.dedup();
        for mailbox in touched {
            self.pump(now, mailbox, effects);
        }
    }

    /// Expired invitations, tokens and bundles leave the ledger.
    fn sweep_ledger(&mut self, now: Now, effects: &mut Effects) {
        let tokens: Vec<u32> = self
            .tokens
            .iter()
            .filter(|(_, token)| token.is_expired(now.ledger_time))
            .map(|(number, _)| number)
            .collect();
        for number in tokens {
            self.drop_token(number, effects);
        }
        let mut over: Vec<_> = self
            .invitations
            .iter()
            .filter(|(_, invitation)| match invitation.redeemed {
                Some((_, at)) => now.ledger_time.since(at) > hob_protocol::limits::REDEEM_AGAIN,
                None => invitation.expires_at <= now.ledger_time,
            })
            .map(|(id, _)| *id)
            .collect();
        over.sort_unstable();
        for id in over {
            self.withdraw(&id, effects);
        }
        let mut stale = Vec::new();
        for mailbox in self.mailboxes.iter_mut() {
            if mailbox.bundle.as_ref().is_some_and(|bundle| bundle.expires_at <= now.ledger_time) {
                mailbox.bundle = None;
                stale.push(mailbox.id);
            }
        }
        for id in stale {
            let removed = disk::BundleRemoved { mailbox: id.0.to_vec().into() };
            self.append_ledger(LedgerEvent::BundleRemoved(removed), effects);
        }
    }

    fn close_idle(&mut self, now: BoxTime, effects: &mut Effects) {
        let (unproven, idle) = (self.config.unproven_for, self.config.sender_idle_for);
        let mut slow: Vec<ConnId> = self
            .connections
            .iter()
            .filter(|(_, connection)| {
                let silent = now.since(connection.heard_at);
                match connection.role {
                    Role::Owner { .. } | Role::Watcher { .. } => false,
                    Role::Sender => silent >= idle,
                    Role::Fresh => silent >= unproven,
                }
            })
            .map(|(&conn, _)| conn)
            .collect();
        slow.sort_unstable();
        for conn in slow {
            self.connections.remove(&conn);
            effects.push(Effect::Close { conn, refused: Refused::finally(Code::TooSlow) });
        }
    }
}
