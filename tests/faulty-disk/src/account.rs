//! What was promised, by the people's own reckoning: what they sent, what the box answered, what came.

use std::collections::{BTreeMap, HashMap};

use hob_protocol::ids::{DeliveryToken, EnvelopeId};

/// How much later than promised something may come: what is on its way, in seconds.
const ON_ITS_WAY_S: f64 = 5.0;

/// How much more time a start may charge: a minute that nobody recorded, and what is on its way, in seconds.
const CHARGED_BY_A_START_S: f64 = 70.0;

/// One envelope.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Whose mailbox: the member's number.
    pub to: usize,
    /// When it was sent, by the house's clock, in seconds.
    pub at_s: f64,
    /// When the box said that it is accepted.
    pub accepted_s: Option<f64>,
    /// How long it is good.
    pub ttl_s: f64,
    /// Starts of the box before it was sent.
    pub starts: u32,
    /// The owner has told that it is safe.
    pub acknowledged: bool,
    /// The owner has told so, and the box has destroyed what it could be read with.
    pub forgotten: bool,
    /// How often it came.
    pub came: u32,
}

/// How a token stands by what the box answered; `None`: asked for, not answered.
pub type TokenState = Option<bool>;

/// Everything that was sent and answered.
#[derive(Debug, Default)]
pub struct Account {
    /// Envelopes by their ids, which are made of their bytes.
    pub sent: HashMap<EnvelopeId, Sent>,
    /// Tokens that were granted (`Some(true)`) or revoked (`Some(false)`) since the last start.
    pub tokens: BTreeMap<[u8; 32], (usize, TokenState)>,
    /// Refusals, by code.
    pub refused: BTreeMap<u32, u64>,
    /// Acceptances since the last start.
    pub accepted_since_start: u64,
    /// Acceptances in all.
    pub accepted: u64,
    /// Pushes in all.
    pub came: u64,
    /// Of them, repeats.
    pub repeats: u64,
    /// What must never be.
    pub wrong: Vec<String>,
}

/// What the account says after a start.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// Accepted, not acknowledged, not past their time, and not there.
    pub lost: u64,
    /// Delivered as they should be.
    pub kept: u64,
}

impl Account {
    /// Something is sent.
    pub fn sending(&mut self, id: EnvelopeId, sent: Sent) {
        self.sent.insert(id, sent);
    }

    /// The box says that it is accepted.
    pub fn accepted(&mut self, id: &EnvelopeId, now_s: f64) {
        self.accepted += 1;
        self.accepted_since_start += 1;
        if let Some(sent) = self.sent.get_mut(id) {
            sent.accepted_s = Some(now_s);
        }
    }

    /// Something came to a member. `is_whole`: its id is that of its bytes in this mailbox.
    pub fn came(&mut self, to: usize, id: &EnvelopeId, is_whole: bool, now_s: f64) {
        self.came += 1;
        let Some(sent) = self.sent.get_mut(id).filter(|sent| sent.to == to && is_whole) else {
            self.wrong.push(format!("member {to} got what nobody sent there"));
            return;
        };
        sent.came += 1;
        self.repeats += u64::from(sent.came > 1);
        if sent.forgotten {
            self.wrong.push(format!("member {to} got what was acknowledged and destroyed"));
        }
        let latest_s = sent.accepted_s.unwrap_or(now_s) + sent.ttl_s + ON_ITS_WAY_S;
        if now_s > latest_s {
            self.wrong.push(format!("member {to} got something {:.0} s past its deadline", now_s - latest_s));
        }
    }

    /// An owner tells that something is safe.
    pub fn acknowledge(&mut self, id: &EnvelopeId) {
        if let Some(sent) = self.sent.get_mut(id) {
            sent.acknowledged = true;
        }
    }

    /// The box has destroyed all body keys: what was acknowledged never comes again.
    pub fn all_destroyed(&mut self) {
        self.sent.values_mut().filter(|sent| sent.acknowledged).for_each(|sent| sent.forgotten = true);
    }

    /// How many envelopes the box may have, at the most.
    pub fn may_be_there(&self, now_s: f64) -> u64 {
        self.sent.values().filter(|sent| sent.may_be_there(now_s)).count() as u64
    }

    /// What the box must still have.
    pub fn must_be_there(&self, now_s: f64, starts: u32) -> Vec<EnvelopeId> {
        let there = self.sent.iter().filter(|(_, sent)| sent.must_be_there(now_s, starts));
        there.map(|(id, _)| *id).collect()
    }

    /// Compares what had to be there before anybody read with what came; `got`: ids, each once.
    pub fn balance(
        &mut self,
        must: &[EnvelopeId],
        got: &HashMap<EnvelopeId, usize>,
        now_s: f64,
        starts: u32,
    ) -> Balance {
        let mut balance = Balance::default();
        for id in must {
            let Some(sent) = self.sent.get(id) else { continue };
            if got.contains_key(id) {
                balance.kept += 1;
            } else if sent.must_be_there(now_s, starts) {
                balance.lost += 1;
                self.wrong.push(format!(
                    "LOST: sent to member {} at {:.1} s, accepted at {:.1} s, good for {:.0} s; now it is {now_s:.1} s",
                    sent.to,
                    sent.at_s,
                    sent.accepted_s.unwrap_or_default(),
                    sent.ttl_s
                ));
            }
        }
        balance
    }

    /// The box starts again: its own counts begin anew.
    pub fn box_starts(&mut self) {
        self.accepted_since_start = 0;
    }

    /// A token is asked for, or to be revoked.
    pub fn asking_token(&mut self, token: &DeliveryToken, member: usize) {
        self.tokens.insert(token.0, (member, None));
    }

    /// The box said yes.
    pub fn token_is(&mut self, token: &DeliveryToken, granted: bool) {
        if let Some((_, state)) = self.tokens.get_mut(&token.0) {
            *state = Some(granted);
        }
    }

    /// What must never be and was, since the last time.
    pub fn take_wrong(&mut self) -> Vec<String> {
        std::mem::take(&mut self.wrong)
    }
}

impl Sent {
    fn must_be_there(&self, now_s: f64, starts: u32) -> bool {
        let charged_s = f64::from(starts - self.starts + 1) * CHARGED_BY_A_START_S;
        self.accepted_s.is_some() && !self.acknowledged && now_s + charged_s < self.at_s + self.ttl_s
    }

    fn may_be_there(&self, now_s: f64) -> bool {
        !self.forgotten && now_s < self.accepted_s.unwrap_or(now_s) + self.ttl_s + ON_ITS_WAY_S
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(at_s: f64, ttl_s: f64) -> Sent {
        let (acknowledged, forgotten) = (false, false);
        Sent { to: 0, at_s, accepted_s: None, ttl_s, starts: 1, acknowledged, forgotten, came: 0 }
    }

    #[test]
    fn only_what_was_accepted_and_not_acknowledged_can_be_lost() {
        let mut account = Account::default();
        let ids = [EnvelopeId([1; 32]), EnvelopeId([2; 32]), EnvelopeId([3; 32])];
        for id in &ids {
            account.sending(*id, sent(0.0, 3600.0));
        }
        account.accepted(&ids[0], 1.0);
        account.accepted(&ids[1], 1.0);
        account.acknowledge(&ids[1]);
        assert_eq!(account.may_be_there(2.0), 3);
        let must = account.must_be_there(2.0, 2);
        assert_eq!(account.balance(&must, &HashMap::from([(ids[0], 0)]), 2.0, 2), Balance { lost: 0, kept: 1 });
        assert_eq!(account.balance(&must, &HashMap::new(), 2.0, 2), Balance { lost: 1, kept: 0 });
        assert_eq!(account.take_wrong().len(), 1);
        assert_eq!(account.must_be_there(3500.0, 2), [], "a start may have charged the rest of its time");
    }

    #[test]
    fn what_comes_late_or_after_it_was_destroyed_or_unasked_is_wrong() {
        let mut account = Account::default();
        let id = EnvelopeId([1; 32]);
        account.sending(id, sent(0.0, 60.0));
        account.accepted(&id, 1.0);
        account.came(0, &id, true, 30.0);
        assert_eq!(account.take_wrong().len(), 0);
        account.came(0, &id, true, 70.0);
        account.came(1, &id, true, 30.0);
        account.came(0, &id, false, 30.0);
        account.acknowledge(&id);
        account.all_destroyed();
        account.came(0, &id, true, 30.0);
        assert_eq!(account.take_wrong().len(), 4);
        assert_eq!((account.came, account.repeats), (5, 2));
    }
}
