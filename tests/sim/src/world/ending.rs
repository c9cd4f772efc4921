//! How a world ends: faults end, everybody comes, everything pending arrives, and the sums are made.

use hob_client::{MessageId, MessageStatus};

use crate::letters::Letter;
use crate::plan::{DAY, HOUR, MINUTE, Wall};
use crate::world::World;

/// How long everything may take to arrive once nothing goes wrong any more.
const PATIENCE_MS: u64 = 30 * HOUR;
/// How long a message is sent again.
const SENT_AGAIN_MS: u64 = 14 * DAY;

impl World {
    pub(crate) fn ending(&mut self) {
        if self.is_over() {
            return;
        }
        self.calm = true;
        self.tell(|_| "faults end, and everybody comes".to_owned());
        for the_box in 0..self.boxes.len() {
            self.power_goes[the_box] = None;
            self.boxes[the_box].store.stop_after(u64::MAX / 2);
            self.boxes[the_box].store.heal();
            self.box_starts(the_box, Wall::Right);
        }
        let devices: Vec<usize> = (0..self.devices.len()).filter(|&device| self.is_here(device)).collect();
        for &device in &devices {
            self.set_unreachable(device, 0);
            self.comes(device, false);
        }
        let end_ms = self.now_ms + PATIENCE_MS;
        while self.now_ms < end_ms && !self.is_over() && !self.all_is_well(&devices) {
            self.pass_until(self.now_ms + 2 * MINUTE);
        }
        if self.is_over() {
            return;
        }
        self.check_letters();
        if self.is_over() {
            return;
        }
        for &device in &devices {
            self.leaves(device);
        }
        self.pass_until(self.now_ms + 7 * HOUR);
        self.nothing_is_left();
    }

    /// Whether everything that must arrive has, and nobody waits for a receipt.
    fn all_is_well(&mut self, devices: &[usize]) -> bool {
        let is_under_way = |(id, letter): (&MessageId, &Letter)| {
            let is_old = letter.sent_ms + SENT_AGAIN_MS < self.now_ms;
            let status = self.devices[letter.device].client.status_of(id);
            let is_confirmed = is_old || matches!(status, Some(MessageStatus::Delivered));
            letter.must_arrive() && (self.is_missing(letter).is_some() || !is_confirmed)
        };
        if self.letters.all.iter().any(is_under_way) {
            return false;
        }
        devices.iter().all(|&device| {
            let now_ms = self.unix(device);
            // Where two have parted, messages may wait for an answer that never comes.
            !self.parted.is_empty() || self.devices[device].client.summary(now_ms).unconfirmed == 0
        })
    }

    /// A device of its reader that has not got a message.
    fn is_missing(&self, letter: &Letter) -> Option<usize> {
        let readers = self.plan.members.get(letter.to)?;
        readers.devices.iter().copied().find(|device| !letter.read.contains_key(device))
    }

    fn check_letters(&mut self) {
        let letters: Vec<_> = self.letters.all.iter().map(|(id, letter)| (*id, letter.clone())).collect();
        for (id, letter) in letters.into_iter().filter(|(_, letter)| letter.must_arrive()) {
            let number = letter.number;
            let status = self.devices[letter.device].client.status_of(&id);
            // Sent again for fourteen days, and not for ever: the writer is told.
            let is_old = letter.sent_ms + SENT_AGAIN_MS < self.now_ms;
            if let Some(device) = self.is_missing(&letter) {
                let told = matches!(status, Some(MessageStatus::GivenUp { .. } | MessageStatus::Delivered));
                self.must(is_old && told, "everything arrives in the end", || {
                    format!("message {number} is not on device {device}; its writer's device says {status:?}")
                });
            } else {
                let fits = matches!(status, Some(MessageStatus::Delivered)) || (is_old && status.is_some());
                self.must(fits, "what has arrived is confirmed", || {
                    format!("message {number} was read; its writer's device says {status:?}")
                });
            }
        }
        if self.parted.is_empty() {
            for device in 0..self.devices.len() {
                let unconfirmed = self.devices[device].client.summary(self.unix(device)).unconfirmed;
                self.must(unconfirmed == 0, "nobody waits for ever", || {
                    format!("device {device} waits for {unconfirmed} receipts")
                });
            }
        }
    }

    /// Seven hours after the last envelope boxes hold nothing.
    fn nothing_is_left(&mut self) {
        for the_box in 0..self.boxes.len() {
            self.check_sums(the_box);
            let (pending, books) =
                (self.boxes[the_box].run.as_ref().map(|run| run.relay.status()), self.books[the_box].pending());
            let Some(status) = pending else { continue };
            self.must(status.pending == 0 && books == 0, "in the end nothing is left", || {
                format!("{} envelopes", status.pending)
            });
            self.must(status.known_ids == 0, "in the end nothing is left", || format!("{} ids", status.known_ids));
            let connections = status.owners_connected + status.others_connected;
            self.must(connections == 0, "in the end nothing is left", || format!("{connections} connections"));
            let Some(now) = self.boxes[the_box].now(self.now_ms) else { continue };
            let (windows, _) = self.boxes[the_box].windows(now.box_time);
            self.must(windows == 0, "in the end nothing is left", || format!("{windows} windows"));
        }
    }
}
