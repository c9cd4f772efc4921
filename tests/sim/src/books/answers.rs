//! What the box says on connections: answers to submits, and pushes.

use super::*;

impl Books {
    /// The box says something.
    pub fn said(&mut self, now: BoxTime, conn: u64, frame: &ServerFrame) {
        let Some(at) = self.conns.get_mut(&conn) else {
            return;
        };
        let of = at.of;
        if let ServerBody::Proved { mailbox, .. } = &frame.body {
            at.proved = true;
            let fits = of == Some(*mailbox);
            let before = self.mailboxes.entry(*mailbox).or_default().owner.replace(conn);
            self.must(fits, "a mailbox opens to its own device only", || {
                format!("mailbox {mailbox:?} was opened by another device")
            });
            let taken_over = before.is_some_and(|before| before != conn && self.conns.contains_key(&before));
            if taken_over && let Some(before) = before {
                // Its end is told to it in the same breath.
                self.conns.remove(&before);
            }
            return;
        }
        if frame.request == 0 {
            return;
        }
        let Some(request) = at.requests.remove(&frame.request) else { return };
        match (&request, &frame.body) {
            (Request::Submit { token, id, ttl, online_only, at }, body) => {
                let submit = (*token, *id, *ttl, *online_only, *at);
                self.submit_answered(now, submit, body);
            }
            (Request::Fetch { token }, body) => self.fetch_answered(now, token, body),
            (_, ServerBody::Done) => {
                if let Some(mailbox) = of {
                    self.settle_tokens(&mailbox, &request);
                }
            }
            _ => {}
        }
    }

    pub(super) fn submit_answered(
        &mut self,
        now: BoxTime,
        (token, id, ttl, online_only, at): (TokenHash, EnvelopeId, Duration, bool, BoxTime),
        body: &ServerBody,
    ) {
        let (burst, per_hour) = (u64::from(self.config.token_burst), u64::from(self.config.token_per_second) * 3600);
        match body {
            ServerBody::Accepted { ttl: left, duplicate } => {
                let standing = self.tokens.get(&token).map(|token| token.standing);
                let good = standing.is_some_and(|standing| standing != Standing::Revoked) || now > at;
                self.must(good, "nothing is accepted without a token that is good", || {
                    format!("answered `accepted` to a token that is {standing:?}")
                });
                // A repeat is told what is left of the first one's time, whatever it asks for.
                let first = self.kept.get(&id).filter(|_| *duplicate).map(|kept| kept.deadline.since(at));
                let asked = ttl.min(self.config.ttl_max());
                let most = first.unwrap_or(asked).max(asked);
                self.must(*left <= most, "nobody is promised more time than was asked for", || {
                    format!("{left:?} of {most:?}")
                });
                if !online_only {
                    self.accepted_is_true(now, &id, *duplicate, at, most);
                }
                self.rate(at, &token, burst, per_hour);
            }
            ServerBody::Error { code, .. } => match Code::from_number(*code) {
                Some(Code::NoSuchToken) => self.check_refusal(&token),
                Some(Code::MailboxFull) => {
                    self.check_fullness(&token);
                    self.rate(at, &token, burst, per_hour);
                }
                Some(Code::CannotStore | Code::TooFast | Code::Restarting) => {}
                Some(Code::TtlTooShort) => {
                    self.must(ttl < TTL_MIN, "a refusal has its reason", || format!("{ttl:?} is too short"))
                }
                other => {
                    self.must(false, "a refusal has its reason", || format!("a submit was refused with {other:?}"))
                }
            },
            other => self.must(false, "a submit is answered", || format!("with {other:?}")),
        }
    }

    pub(super) fn accepted_is_true(
        &mut self,
        now: BoxTime,
        id: &EnvelopeId,
        duplicate: bool,
        at: BoxTime,
        most: Duration,
    ) {
        let over = at.plus(most) <= now.plus(Duration::from_secs(1));
        match self.kept.get_mut(id) {
            Some(kept) => {
                let (stage, answered) = (kept.stage, kept.answered);
                kept.answered = true;
                let durable = stage != Stage::Asked;
                self.must(durable, "nothing is answered before it is durable", || {
                    format!("envelope {id} is not in the log and was answered")
                });
                self.must(duplicate || !answered, "an envelope is taken once", || {
                    format!("envelope {id} was accepted twice")
                });
                if !duplicate {
                    self.accepted += 1;
                }
            }
            None => self.must(over || duplicate, "what is accepted is kept", || {
                format!("envelope {id} was accepted and is not kept")
            }),
        }
    }

    /// The box pushes an envelope that it keeps. `sealed`: its bytes, where they could be had.
    pub fn pushed(&mut self, now: BoxTime, conn: u64, id: &EnvelopeId, ttl: Duration, sealed: Option<&Bytes>) {
        let Some(at) = self.conns.get_mut(&conn) else {
            return self
                .must(false, "what is pushed goes to its owner", || "pushed to a connection that is gone".to_owned());
        };
        let (of, proved, last) = (at.of, at.proved, at.last_pushed);
        let Some(kept) = self.kept.get(id).cloned() else {
            return self.must(false, "nothing is pushed past its deadline", || {
                format!("envelope {id} was pushed at {now:?}; it is not kept any more")
            });
        };
        self.must(proved && of == Some(kept.mailbox), "what is pushed goes to its owner", || {
            format!("envelope {id} went to another device")
        });
        self.must(kept.stage != Stage::Asked, "nothing is pushed before it is durable", || {
            format!("envelope {id} is not in the log and was pushed")
        });
        self.must(kept.stage != Stage::Acknowledged, "what was acknowledged is not pushed again", || {
            format!("envelope {id} was")
        });
        self.must(kept.number > last, "a mailbox is pushed in order", || {
            format!("number {} after number {last}", kept.number)
        });
        self.must(
            kept.deadline > now && ttl <= kept.deadline.since(now),
            "nothing is pushed past its deadline",
            || format!("envelope {id}, due at {:?}, at {now:?}", kept.deadline),
        );
        if let Some(sealed) = sealed {
            let whose = Envelope::new(sealed.clone()).ok().map(|envelope| envelope.id_in(&kept.mailbox));
            self.must(whose == Some(*id), "an envelope comes as it was sent", || {
                format!("envelope {id} has other bytes")
            });
        }
        if let Some(at) = self.conns.get_mut(&conn) {
            at.last_pushed = kept.number;
            at.in_flight.insert(*id);
        }
    }
}
