//! What the box accepted and what it owes, by the harness' own count.

use std::collections::{HashMap, HashSet};

use hob_protocol::ids::EnvelopeId;

/// One envelope that was submitted.
#[derive(Debug, Clone, Copy)]
pub struct Envelope {
    /// Whose mailbox.
    pub to: usize,
    /// By whom.
    pub from: usize,
    /// Where in that sender's order.
    pub number: u64,
    /// The box said so.
    pub accepted: bool,
    /// The owner said that it is safe.
    pub acknowledged: bool,
}

/// All of them, and the counts since the last start.
#[derive(Default)]
pub struct Account {
    pub envelopes: HashMap<EnvelopeId, Envelope>,
    /// The bytes of those without an answer, to be submitted again.
    pub unanswered: HashMap<EnvelopeId, hob_protocol::envelope::Envelope>,
    next_number: u64,
    /// Since the start: submitted, answered as new.
    pub submitted: u64,
    pub accepted: u64,
    /// Refusals that nobody planned, in words.
    pub refusals: Vec<String>,
    /// Altogether.
    pub accepted_ever: u64,
    pub acknowledged_ever: u64,
    pub landed_unanswered: u64,
    pub pushed_again: u64,
}

impl Account {
    /// The box starts: its counts begin anew.
    pub fn started(&mut self) {
        (self.submitted, self.accepted) = (0, 0);
    }

    /// An envelope goes out.
    pub fn submits(&mut self, id: EnvelopeId, from: usize, to: usize, envelope: hob_protocol::envelope::Envelope) {
        self.next_number += 1;
        self.submitted += 1;
        let number = self.next_number;
        self.envelopes.insert(id, Envelope { to, from, number, accepted: false, acknowledged: false });
        self.unanswered.insert(id, envelope);
    }

    /// The box took it, as new.
    pub fn accepts(&mut self, id: &EnvelopeId) {
        let known = self.envelopes.get_mut(id).unwrap();
        assert!(!known.accepted, "accepted as new twice: {known:?}");
        known.accepted = true;
        self.unanswered.remove(id);
        self.accepted += 1;
        self.accepted_ever += 1;
    }

    /// The owner got it and says that it is safe.
    pub fn acknowledges(&mut self, id: &EnvelopeId, mailbox: usize) {
        let known = self.envelopes.get_mut(id);
        let known = known.unwrap_or_else(|| panic!("mailbox {mailbox} got an envelope that nobody submitted: {id:?}"));
        assert_eq!(known.to, mailbox, "an envelope came to another mailbox: {known:?}");
        if std::mem::replace(&mut known.acknowledged, true) {
            self.pushed_again += 1;
        } else {
            self.acknowledged_ever += 1;
        }
    }

    /// Compares what a mailbox had after a start, in the order of its coming, with what it must have had.
    pub fn compare(&mut self, mailbox: usize, box_says: u64, came: &[EnvelopeId]) {
        let different: HashSet<_> = came.iter().collect();
        assert_eq!(different.len(), came.len(), "mailbox {mailbox}: pushed twice on one connection");
        assert_eq!(came.len() as u64, box_says, "mailbox {mailbox}: the box counted otherwise than it delivered");
        let owed = self.envelopes.iter().filter(|(_, known)| known.to == mailbox && known.accepted);
        let lost: Vec<_> =
            owed.filter(|(id, known)| !known.acknowledged && !different.contains(id)).map(|(_, known)| known).collect();
        assert!(lost.is_empty(), "LOST: {} accepted envelopes of mailbox {mailbox} are gone: {lost:?}", lost.len());
        let mut last: HashMap<usize, u64> = HashMap::new();
        for id in came {
            let known = self.envelopes.get(id);
            let known = known.unwrap_or_else(|| panic!("mailbox {mailbox} has what nobody submitted: {id:?}"));
            let before = last.insert(known.from, known.number).unwrap_or(0);
            assert!(before < known.number, "mailbox {mailbox}: out of the sender's order: {before}, then {known:?}");
        }
        for id in came {
            if !self.envelopes[id].accepted {
                self.landed_unanswered += 1;
            }
            self.acknowledges(id, mailbox);
        }
    }

    /// What was never answered: with whether the owner got it all the same.
    pub fn take_unanswered(&mut self) -> Vec<(EnvelopeId, Envelope, hob_protocol::envelope::Envelope)> {
        let all = std::mem::take(&mut self.unanswered);
        all.into_iter().map(|(id, envelope)| (id, self.envelopes[&id], envelope)).collect()
    }

    /// It goes out again, and will be behind what went meanwhile.
    pub fn submits_again(&mut self, id: &EnvelopeId, envelope: hob_protocol::envelope::Envelope) {
        self.next_number += 1;
        self.submitted += 1;
        self.envelopes.get_mut(id).unwrap().number = self.next_number;
        self.unanswered.insert(*id, envelope);
    }

    /// What is done is of no further use but to be remembered as done.
    pub fn forget_old(&mut self) {
        if self.envelopes.len() > 200_000 {
            self.envelopes.retain(|_, known| !known.acknowledged);
        }
    }
}
