//! After a start: whether every promise was kept, by the people's account and by the box's own counts.

use std::collections::HashMap;
use std::time::Duration;

use hob_protocol::frame::{ClientBody, ServerBody, Urgency};
use hob_protocol::ids::{DeliveryToken, EnvelopeId};
use hob_tests::people::envelope;
use hob_tests::wire::Wire;

use crate::account::{Balance, Sent};
use crate::house::House;

/// How long what is sent to see whether the box takes it is good, in seconds.
const PROBE_TTL_S: u64 = 3600;

impl House {
    /// Reads all mailboxes empty and compares. What is wrong is told in sentences.
    pub fn check(&mut self) -> (Balance, Vec<String>) {
        let mut wrong = Vec::new();
        let before = match self.status() {
            Ok(status) => status,
            Err(said) => return (Balance::default(), vec![said]),
        };
        for name in ["lost_windows", "damaged_records", "duplicates"] {
            if before.number(name) > 0 {
                wrong.push(format!("the box says {name}: {}", before.number(name)));
            }
        }
        let began_s = self.time().now_s();
        let must = self.account().must_be_there(began_s, self.starts);
        let may = self.account().may_be_there(began_s);
        let pending = before.number("pending");
        if !(must.len() as u64..=may).contains(&pending) {
            let must = must.len();
            wrong.push(format!(
                "the box says that {pending} are pending; by the people's account it is {must} to {may}"
            ));
        }
        let got = self.read_all(&mut wrong);
        if pending != got.len() as u64 {
            wrong.push(format!("the box says that {pending} are pending, and {} came", got.len()));
        }
        let (now_s, starts) = (self.time().now_s(), self.starts);
        let balance = self.account().balance(&must, &got, now_s, starts);
        self.check_tokens(&mut wrong);
        self.check_that_it_takes(&mut wrong);
        let said = self.hob.as_ref().unwrap().said();
        // sled panics on torn files; that is caught, and its database rebuilt.
        let is_fault = |line: &str| line.contains("a fault in the program") && !line.contains("/sled-");
        for line in said.lines().filter(|line| is_fault(line) || line.contains("panic") || line.contains("are lost")) {
            wrong.push(format!("the box said: {line}"));
        }
        wrong.extend(self.account().take_wrong());
        (balance, wrong)
    }

    /// Everybody reads and acknowledges everything.
    pub fn read_all(&mut self, wrong: &mut Vec<String>) -> HashMap<EnvelopeId, usize> {
        (0..self.members.len()).flat_map(|member| self.read_one(member, wrong)).collect()
    }

    /// One member reads and acknowledges everything.
    pub fn read_one(&mut self, member: usize, wrong: &mut Vec<String>) -> HashMap<EnvelopeId, usize> {
        let mut got = HashMap::new();
        let mut owner = self.owner(member);
        let mailbox = self.members[member].mailbox;
        loop {
            match self.runtime.block_on(owner.unasked()) {
                ServerBody::Push { id, envelope, .. } => {
                    let is_whole = envelope.id_in(&mailbox) == id;
                    let now_s = self.time().now_s();
                    self.account().came(member, &id, is_whole, now_s);
                    if got.insert(id, member).is_some() {
                        wrong.push(format!("member {member} got the same twice over one connection"));
                    }
                    self.account().acknowledge(&id);
                    self.runtime.block_on(owner.send(ClientBody::Acknowledge { ids: vec![id] }));
                }
                ServerBody::CaughtUp => break,
                ServerBody::Done => {}
                other => wrong.push(format!("member {member} got {other:?}")),
            }
        }
        // The last acknowledgement has been heard once something behind it is answered.
        self.runtime.block_on(owner.assert_open());
        got
    }

    /// Tokens that were granted work; those that were revoked do not.
    fn check_tokens(&mut self, wrong: &mut Vec<String>) {
        let tokens = std::mem::take(&mut self.account().tokens);
        for (token, (member, state)) in tokens {
            let Some(granted) = state else { continue };
            let taken = self.submit(member, &DeliveryToken(token));
            if taken.is_ok() != granted {
                let what = if granted { "granted" } else { "revoked" };
                wrong.push(format!("a token that was {what} before is now answered by {taken:?}"));
            }
        }
    }

    /// The box accepts for everybody, and counts it as they do.
    pub fn check_that_it_takes(&mut self, wrong: &mut Vec<String>) {
        for member in 0..self.members.len() {
            let token = self.members[member].token.clone();
            if let Err(answer) = self.submit(member, &token) {
                wrong.push(format!("what is sent to member {member} is answered by {answer}"));
            }
        }
        match self.status() {
            Ok(after) => {
                let (ours, theirs) = (self.account().accepted_since_start, after.number("accepted"));
                if ours != theirs {
                    wrong.push(format!("the box says that it accepted {theirs}; it answered so {ours} times"));
                }
            }
            Err(said) => wrong.push(said),
        }
    }

    /// One envelope to a member, entered into the account.
    ///
    /// # Errors
    /// What the box answered instead.
    pub fn submit(&mut self, member: usize, token: &DeliveryToken) -> Result<(), String> {
        let body = envelope(2048);
        let id = body.id_in(&self.members[member].mailbox);
        let sent = Sent {
            to: member,
            at_s: self.time().now_s(),
            accepted_s: None,
            ttl_s: PROBE_TTL_S as f64,
            starts: self.starts,
            acknowledged: false,
            forgotten: false,
            came: 0,
        };
        self.account().sending(id, sent);
        let submit = ClientBody::Submit {
            token: token.clone(),
            envelope: body,
            ttl: Duration::from_secs(PROBE_TTL_S),
            urgency: Urgency::Quiet,
            online_only: false,
        };
        let address = self.address();
        let answer = self.runtime.block_on(async { Wire::connect(address).await.ask(submit).await });
        match answer {
            ServerBody::Accepted { .. } => {
                let now_s = self.time().now_s();
                self.account().accepted(&id, now_s);
                Ok(())
            }
            other => Err(format!("{other:?}")),
        }
    }
}
