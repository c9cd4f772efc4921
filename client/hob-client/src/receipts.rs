//! Receipts: what is confirmed, to whom, and when.

use hob_protocol::ids::DeviceKey;

use crate::Client;
use crate::client::Step;
use crate::outbox::{Entry, OutBody, new_id};
use crate::output::WakeReason;
use crate::seal::inner::RECEIPT_IDS_MAX;
use crate::view::MessageId;

/// The first receipt after so much quiet goes at once …
const RECEIPT_QUIET_MS: u64 = 1_000;
/// … and later ones are batched so long.
const RECEIPT_BATCH_MS: u64 = 2_000;
/// Ids that wait for a receipt to one device. One that is dropped is owed again when its message comes again.
const RECEIPTS_DUE_MAX: usize = 4_096;
/// Receipts on their way to one device, whose box may be away for days.
const RECEIPTS_WAITING_MAX: usize = 16;

impl Client {
    /// A receipt is due, to contacts only.
    pub(crate) fn confirm(&mut self, device: &DeviceKey, id: MessageId, strict: bool) {
        let is_contact = self.state.peer(device).is_some_and(|peer| self.state.is_contact(peer));
        let Some(peer) = self.state.peer_mut(device).filter(|_| is_contact) else { return };
        let due = if strict { &mut peer.strict_receipts } else { &mut peer.receipts };
        if due.len() < RECEIPTS_DUE_MAX && !due.contains(&id) {
            due.push(id);
        }
    }

    /// Turns what is to be confirmed into receipts: the first after a quiet second at once, later ones within 2 s.
    pub(crate) fn make_receipts(&mut self, s: &mut Step<'_>) {
        // While mail is still coming, one receipt for all of it is on its way to being longer.
        let mail_is_in = self.run.caught_up || self.run.hurry;
        if !mail_is_in || self.run.batch.since_ms.is_some() {
            return;
        }
        let owing = |peer: &&crate::contacts::Peer| !peer.receipts.is_empty() || !peer.strict_receipts.is_empty();
        let with_receipts = self.state.peers.iter().filter(owing);
        let with_receipts = with_receipts.filter(|peer| self.state.is_contact(peer) && peer.token().is_some());
        for device in with_receipts.map(|peer| peer.device).collect::<Vec<_>>() {
            let waiting = self.receipts_waiting(&device);
            if waiting >= RECEIPTS_WAITING_MAX {
                continue;
            }
            let last_ms = self.run.receipts_sent_ms.get(&device).copied();
            let due_ms = match last_ms {
                Some(last_ms) if s.now_ms.saturating_sub(last_ms) < RECEIPT_QUIET_MS || waiting > 0 => {
                    last_ms.saturating_add(RECEIPT_BATCH_MS)
                }
                _ => s.now_ms,
            };
            if self.run.hurry || due_ms <= s.now_ms {
                self.make_receipt(device, s);
            } else {
                s.wake(due_ms, WakeReason::Receipts);
            }
        }
    }

    fn receipts_waiting(&self, device: &DeviceKey) -> usize {
        let waits = |entry: &&Entry| entry.to == *device && matches!(entry.body, OutBody::Receipt { .. });
        self.state.outbox.iter().filter(waits).count()
    }

    fn make_receipt(&mut self, device: DeviceKey, s: &mut Step<'_>) {
        let Some(peer) = self.state.peer_mut(&device) else { return };
        let due = std::mem::take(&mut peer.receipts);
        let strict = std::mem::take(&mut peer.strict_receipts);
        self.queue_receipts(device, due, false, s);
        self.queue_receipts(device, strict, true, s);
        self.run.receipts_sent_ms.insert(device, s.now_ms);
        s.dirty = true;
    }

    fn queue_receipts(&mut self, device: DeviceKey, mut due: Vec<MessageId>, strict: bool, s: &mut Step<'_>) {
        // One that is not encrypted yet takes more.
        let open = self.state.outbox.iter_mut().find_map(|entry| match &mut entry.body {
            OutBody::Receipt { ids } if entry.to == device && entry.strict == strict && entry.inner.is_none() => {
                Some(ids)
            }
            _ => None,
        });
        if let Some(ids) = open {
            let room = RECEIPT_IDS_MAX.saturating_sub(ids.len()).min(due.len());
            ids.extend(due.drain(..room));
        }
        for ids in due.chunks(RECEIPT_IDS_MAX) {
            let body = OutBody::Receipt { ids: ids.to_vec() };
            let mut entry = Entry::new(new_id(s), device, body, s.now_ms);
            entry.strict = strict;
            self.state.outbox.push(entry);
        }
    }
}
