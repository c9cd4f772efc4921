//! What goes again, and when that ends.
//!
//! A message goes out again when its deadline at the box passed, or the box lost it, without a receipt; and only after
//! the own mailbox is caught up, since the receipt may lie there. It ends with its time to live, or after 14 days.

use hob_protocol::ids::{BoxIdentity, DeviceKey};
use hob_protocol::limits::WINDOW_LENGTH;
use hob_protocol::planted;

use crate::Client;
use crate::client::Step;
use crate::input::Link;
use crate::outbox::{Entry, Stage};
use crate::output::{Notice, WakeReason};
use crate::state::Standing;
use crate::view::MessageId;

/// A contact's `back` is obeyed once in so long.
const BACK_EVERY_MS: u64 = 600_000;

impl Client {
    /// Entries whose time is over end; those whose deadline at the box passed go out again, once receipts are fetched.
    pub(crate) fn turn_stages(&mut self, s: &mut Step<'_>) {
        let mut over = Vec::new();
        let caught_up = self.run.caught_up;
        for entry in &mut self.state.outbox {
            if entry.turn(caught_up, s) {
                over.push((entry.id, entry.to));
            }
        }
        for (id, to) in over {
            self.is_over(&id, &to, s);
        }
    }

    /// An entry's time is over without a receipt.
    fn is_over(&mut self, id: &MessageId, to: &DeviceKey, s: &mut Step<'_>) {
        let Some(entry) = self.entry_mut(id, to) else { return };
        let (strict, bounded) = (entry.strict, entry.ttl_ms.is_some() || !entry.may_go_again());
        let member = self.state.peer(to).map(|peer| peer.member);
        let last_seen_ms = member.and_then(|member| self.state.last_seen_ms(&member));
        let standing = match (strict, bounded) {
            (true, _) => Standing::NobodyThere,
            (false, true) => Standing::Expired,
            (false, false) => Standing::GivenUp { last_seen_ms },
        };
        let Some(entry) = self.finish(id, to, standing) else { return };
        s.dirty = true;
        let is_told = entry.is_text() && !self.is_settled_elsewhere(id);
        if let Some(contact) = self.state.name_of_device(to).filter(|_| is_told) {
            let message = *id;
            s.notice(match standing {
                Standing::NobodyThere => Notice::NobodyThere { contact, message },
                Standing::GivenUp { last_seen_ms } => Notice::GivenUp { contact, message, last_seen_ms },
                _ => Notice::Expired { contact, message },
            });
        }
    }

    /// A box's memory is not continuous: what it kept without a receipt goes out again.
    pub(crate) fn box_forgot(&mut self, identity: &BoxIdentity, all: bool, windows_s: &[u64]) {
        let mut at_box = Vec::new();
        for peer in self.state.peers.iter_mut().filter(|peer| peer.box_identity == *identity) {
            at_box.push(peer.device);
            if all {
                // Whether it still knows the token is asked with one fetch, before anything is submitted.
                peer.bundle = None;
            }
        }
        for entry in self.state.outbox.iter_mut().filter(|entry| at_box.contains(&entry.to)) {
            let Stage::Kept { since_ms, .. } = entry.stage else { continue };
            let is_lost = all || windows_s.iter().any(|opening_s| was_in_window(since_ms, *opening_s));
            if is_lost && entry.may_go_again() {
                entry.go_again();
            }
        }
    }

    /// Somebody is back: what they could not get in time goes out again at once, whatever was waited for.
    pub(crate) fn is_back(&mut self, device: &DeviceKey, s: &Step<'_>) {
        let last_ms = self.run.backs_obeyed_ms.get(device).copied();
        if last_ms.is_some_and(|last| s.now_ms.saturating_sub(last) < BACK_EVERY_MS) {
            return;
        }
        let Some(peer) = self.state.peer(device).filter(|peer| self.state.is_contact(peer)) else { return };
        let link = Link::Sender(peer.box_identity);
        self.run.backs_obeyed_ms.insert(*device, s.now_ms);
        self.run.pauses.remove(device);
        self.try_now(link);
    }
}

impl Entry {
    const fn go_again(&mut self) {
        self.stage = Stage::Ready { again: true };
        self.sent_again = self.sent_again.saturating_add(1);
    }

    /// Moves on with the time; true: its own is over.
    fn turn(&mut self, caught_up: bool, s: &mut Step<'_>) -> bool {
        let (now_ms, give_up_ms) = (s.now_ms, self.gives_up_at_ms());
        let Stage::Kept { until_ms, .. } = self.stage else {
            s.wake(give_up_ms, WakeReason::Outbox);
            return now_ms >= give_up_ms;
        };
        if now_ms < until_ms && !planted!("sent-again-while-kept") {
            // While the box may still hold it, it is not over.
            s.wake(until_ms, WakeReason::Outbox);
            return false;
        }
        if !caught_up {
            // A receipt may be waiting at home.
            return false;
        }
        if now_ms >= give_up_ms || !self.may_go_again() {
            return true;
        }
        self.go_again();
        s.dirty = true;
        false
    }
}

/// Half an hour of slack either way: the box's clock is not ours, and a copy too many shows nowhere.
fn was_in_window(since_ms: u64, opening_s: u64) -> bool {
    let length_ms = u64::try_from(WINDOW_LENGTH.as_millis()).unwrap_or(u64::MAX);
    let opening_ms = opening_s.saturating_mul(1000);
    since_ms.saturating_add(length_ms) >= opening_ms
        && since_ms <= opening_ms.saturating_add(length_ms.saturating_mul(2))
}
