//! What the log is asked to keep, what it has, and what leaves it; and what a start hands back.

use super::*;

impl Books {
    pub(super) fn acknowledged(&mut self, id: &EnvelopeId, mailbox: &MailboxId) {
        let Some(kept) = self.kept.get_mut(id).filter(|kept| kept.mailbox == *mailbox && kept.stage == Stage::Kept)
        else {
            return;
        };
        kept.stage = Stage::Acknowledged;
        let kept = kept.clone();
        self.leaves(id, &kept);
    }

    /// It does not wait any more.
    pub(super) fn leaves(&mut self, id: &EnvelopeId, kept: &Kept) {
        self.pending -= 1;
        self.pending_bytes -= kept.bytes;
        let Some(mailbox) = self.mailboxes.get_mut(&kept.mailbox) else { return };
        mailbox.queue.remove(&kept.number);
        mailbox.bytes -= kept.bytes;
        if let Some(conn) = mailbox.owner.and_then(|owner| self.conns.get_mut(&owner)) {
            conn.in_flight.remove(id);
        }
        if let Some(token) = kept.token.and_then(|token| self.tokens.get_mut(&token)) {
            token.pending = token.pending.saturating_sub(1);
            token.pending_bytes = token.pending_bytes.saturating_sub(kept.bytes);
        }
    }

    /// Everything past its deadline is crossed out.
    pub fn expire(&mut self, now: BoxTime) {
        while self.remembered.first().is_some_and(|(until, _)| *until <= now) {
            self.remembered.pop_first();
        }
        while let Some(&(deadline, id)) = self.by_deadline.first().filter(|(deadline, _)| *deadline <= now) {
            self.by_deadline.remove(&(deadline, id));
            if let Some(kept) = self.kept.remove(&id)
                && kept.stage != Stage::Acknowledged
            {
                self.leaves(&id, &kept);
            }
        }
    }

    /// The rules ask for an append.
    pub fn appended(&mut self, now: BoxTime, append: &Append) {
        match append {
            Append::Accept { mailbox, id, deadline, body, .. } => self.accepting(now, mailbox, id, *deadline, body),
            Append::Acknowledge { place } => {
                let found = self.at(place).map(|kept| kept.stage);
                let fits = found.is_none_or(|stage| stage == Stage::Acknowledged);
                self.must(fits, "only its owner acknowledges an envelope", || {
                    format!("the envelope at {place:?} is marked as read")
                });
            }
            Append::Expire { place } => {
                let waits = self.at(place).is_some_and(|kept| kept.stage == Stage::Kept && kept.deadline > now);
                self.must(!waits, "nothing is dropped before its time", || {
                    format!("the envelope at {place:?} is dropped")
                });
            }
            Append::Ledger(_) => {}
        }
    }

    pub(super) fn at(&self, place: &Place) -> Option<&Kept> {
        self.by_place.get(&(place.window, place.sequence)).and_then(|id| self.kept.get(id))
    }

    pub(super) fn accepting(
        &mut self,
        now: BoxTime,
        mailbox: &MailboxId,
        id: &EnvelopeId,
        deadline: BoxTime,
        body: &Bytes,
    ) {
        let is_new = !self.kept.contains_key(id);
        self.must(is_new, "an envelope is taken once", || {
            format!("envelope {id} is taken a second time before its deadline")
        });
        let Some((token, submitted, ttl)) = self.hearing.take() else {
            return self.must(false, "what is kept was submitted", || format!("envelope {id} was submitted by nobody"));
        };
        // Of another mailbox it is another id; the bytes themselves are looked at again when they are pushed.
        self.must(submitted == *id, "an envelope's id is that of its bytes", || {
            format!("envelope {id} has other bytes")
        });
        let longest = ttl.min(self.config.ttl_max());
        let in_time = deadline <= now.plus(longest) && deadline.plus(Duration::from_secs(1)) > now.plus(longest);
        self.must(in_time, "a deadline is what the sender asked for, at most", || {
            format!("asked for {ttl:?} at {now:?}, kept until {deadline:?}")
        });
        let bytes = body.len() as u64;
        self.check_token(&token, mailbox);
        self.check_room(&token, mailbox, bytes);
        self.next_number += 1;
        let number = self.next_number;
        let kept = Kept {
            number,
            mailbox: *mailbox,
            deadline,
            bytes,
            token: Some(token),
            stage: Stage::Asked,
            place: None,
            answered: false,
            is_marked: false,
        };
        self.adds(*id, kept);
        if let Some(token) = self.tokens.get_mut(&token) {
            token.pending += 1;
            token.pending_bytes += bytes;
        }
    }

    pub(super) fn adds(&mut self, id: EnvelopeId, kept: Kept) {
        self.pending += 1;
        self.pending_bytes += kept.bytes;
        let mailbox = self.mailboxes.entry(kept.mailbox).or_default();
        mailbox.queue.insert(kept.number, id);
        mailbox.bytes += kept.bytes;
        self.by_deadline.insert((kept.deadline, id));
        self.remembered.insert((kept.deadline.plus(SWEPT_WITHIN), id));
        self.kept.insert(id, kept);
    }

    pub(super) fn check_room(&mut self, token: &TokenHash, mailbox: &MailboxId, bytes: u64) {
        let config = self.config.clone();
        let (count, held) =
            self.mailboxes.get(mailbox).map_or((0, 0), |mailbox| (mailbox.queue.len() as u64, mailbox.bytes));
        let small = bytes == ENVELOPE_SIZES[0] as u64;
        let places =
            if small { config.mailbox_envelopes } else { config.mailbox_envelopes - config.mailbox_small_places };
        let fits = count < u64::from(places) && held + bytes <= config.mailbox_bytes;
        self.must(fits, "a mailbox holds no more than its quota", || {
            format!("{count} envelopes, {held} bytes, and {bytes} more")
        });
        let Some(of_token) = self.tokens.get(token) else { return };
        let (pending, pending_bytes, kind) = (of_token.pending, of_token.pending_bytes, of_token.kind);
        let most = if kind == TokenKind::Introduction { INTRODUCTION_PENDING_MAX } else { u32::MAX };
        let share = (config.mailbox_envelopes / 4).max(1).min(most);
        let fits = pending < share && pending_bytes + bytes <= config.mailbox_bytes / 4;
        self.must(fits, "one token holds no more than its share", || {
            format!("{pending} envelopes, {pending_bytes} bytes, and {bytes} more")
        });
    }

    /// A commit is durable: where its envelopes lie.
    pub fn durable(&mut self, batch: &[Append], places: &[Place], true_ms: u64) {
        let mut places = places.iter();
        for append in batch {
            if let Append::Acknowledge { place } = append {
                self.is_marked(place);
            }
            let Append::Accept { id, .. } = append else { continue };
            let place = places.next().copied();
            self.must(place.is_some(), "a commit tells where everything lies", || {
                format!("envelope {id} lies nowhere")
            });
            let number = self.kept.get_mut(id).map(|kept| {
                kept.stage = Stage::Kept;
                kept.place = place;
                kept.number
            });
            if let Some(place) = place {
                self.by_place.insert((place.window, place.sequence), *id);
                self.shelf.push_back((true_ms, place, number.unwrap_or(0)));
            }
        }
    }

    /// A commit was refused.
    pub fn not_stored(&mut self, batch: &[Append]) {
        for append in batch {
            if let Append::Accept { id, .. } = append {
                self.never_was(id);
            }
        }
        // Nothing is taken for written that the disk refused: also what went before it, and was not waited for.
        for kept in self.kept.values_mut() {
            kept.is_marked = false;
        }
    }

    /// The log has written down that its owner has it.
    fn is_marked(&mut self, place: &Place) {
        let id = self.by_place.get(&(place.window, place.sequence));
        if let Some(kept) = id.and_then(|id| self.kept.get_mut(id)) {
            kept.is_marked = true;
        }
    }

    pub(super) fn never_was(&mut self, id: &EnvelopeId) {
        if let Some(kept) = self.kept.get(id).filter(|kept| kept.stage == Stage::Asked).cloned() {
            self.kept.remove(id);
            self.by_deadline.remove(&(kept.deadline, *id));
            self.leaves(id, &kept);
        }
    }

    pub(super) fn check_fullness(&mut self, token: &TokenHash) {
        let Some(of_token) = self.tokens.get(token) else { return };
        let Some(mailbox) = self.mailboxes.get(&of_token.mailbox) else { return };
        let config = &self.config;
        let largest = hob_protocol::limits::ENVELOPE_BYTES_MAX as u64;
        let share = config.mailbox_envelopes / 4;
        let nearly = mailbox.queue.len() as u64 >= u64::from(config.mailbox_envelopes - config.mailbox_small_places)
            || mailbox.bytes + largest > config.mailbox_bytes
            || of_token.pending >= share.min(INTRODUCTION_PENDING_MAX)
            || of_token.pending_bytes + largest > config.mailbox_bytes / 4;
        let (count, held) = (mailbox.queue.len(), of_token.pending);
        self.must(nearly, "a refusal has its reason", || {
            format!("called full with {count} envelopes, {held} of this token")
        });
    }

    /// An envelope cannot be read any more: the box gives it up. Whether it may is for the disk's story to say.
    pub fn given_up(&mut self, id: &EnvelopeId) {
        if let Some(kept) = self.kept.remove(id) {
            self.by_deadline.remove(&(kept.deadline, *id));
            if kept.stage != Stage::Acknowledged {
                self.leaves(id, &kept);
            }
        }
    }

    /// Windows are gone before their envelopes' deadlines, and the box says so.
    /// Returns how many waited.
    pub fn lost(&mut self, is_gone: impl Fn(u32) -> bool) -> usize {
        let gone = self.kept.iter().filter(|(_, kept)| kept.place.is_some_and(|place| is_gone(place.window)));
        let gone: Vec<(EnvelopeId, Stage)> = gone.map(|(id, kept)| (*id, kept.stage)).collect();
        for (id, _) in &gone {
            self.given_up(id);
        }
        gone.iter().filter(|(_, stage)| *stage == Stage::Kept).count()
    }

    /// What the rules were handed by a start, against what was promised before it.
    pub fn started(&mut self, now: BoxTime, handed: &Handed, was_cut: bool) {
        self.conns.clear();
        self.hearing = None;
        for mailbox in self.mailboxes.values_mut() {
            mailbox.owner = None;
        }
        for token in self.tokens.values_mut() {
            (token.pending, token.pending_bytes) = (0, 0);
            (token.submits, token.fetches) = (Rate::default(), Rate::default());
        }
        self.expire(now);
        self.remembered.extend(handed.known.iter().map(|id| (now.plus(SWEPT_WITHIN), *id)));
        let lost: BTreeSet<u32> = handed.lost_windows.iter().map(|(window, _)| *window).collect();
        let found: BTreeMap<EnvelopeId, _> = handed.pending.iter().copied().collect();
        for id in self.kept.keys().copied().collect::<Vec<_>>() {
            let Some(kept) = self.kept.get_mut(&id) else { continue };
            kept.token = None;
            let kept = kept.clone();
            let is_found = found.get(&id);
            match (kept.stage, is_found) {
                (Stage::Asked, None) => self.never_was(&id),
                (Stage::Kept, None) => {
                    let told = kept.place.is_some_and(|place| lost.contains(&place.window));
                    self.must(told || !kept.answered, "what was accepted outlives a crash", || {
                        format!("envelope {id} is gone after a start")
                    });
                    self.given_up(&id);
                }
                (Stage::Acknowledged, None) => {
                    let told = kept.place.is_some_and(|place| lost.contains(&place.window));
                    let known = handed.known.contains(&id);
                    self.must(known || told, "ids are known until their deadline", || {
                        format!("envelope {id} is forgotten after a start")
                    });
                    if !known {
                        // It went with a window that is told as lost.
                        self.kept.remove(&id);
                    }
                }
                (Stage::Acknowledged, Some(_)) => {
                    // Acknowledgements are not synced by themselves: one may be lost with the power, or refused.
                    self.must(was_cut || !kept.is_marked, "what was acknowledged is not pushed again", || {
                        format!("envelope {id} is pending again")
                    });
                    self.kept.remove(&id);
                    self.adds(id, Kept { stage: Stage::Kept, is_marked: false, ..kept });
                }
                (Stage::Asked | Stage::Kept, Some(pending)) => {
                    let fits = pending.mailbox == kept.mailbox && pending.deadline == kept.deadline;
                    self.must(fits, "the log gives back what it took", || {
                        format!("envelope {id} came back as another")
                    });
                    if let Some(kept) = self.kept.get_mut(&id) {
                        kept.stage = Stage::Kept;
                        kept.place = Some(pending.place);
                    }
                }
            }
        }
        for (hash, token) in self.tokens.clone() {
            let found = handed.tokens.contains(&hash);
            let fits = match token.standing {
                // Those of introductions end by themselves.
                Standing::Good => found || token.kind == TokenKind::Introduction,
                Standing::Revoked => !found,
                Standing::Unsure => true,
            };
            self.must(fits, "the ledger outlives a start", || format!("a token that is {:?}", token.standing));
        }
        for (id, pending) in &handed.pending {
            let known = self.kept.contains_key(id) || pending.deadline <= now;
            self.must(known, "nothing is alive past its deadline", || format!("envelope {id} came back after a start"));
        }
    }

    /// Places of envelopes that were accepted longer ago than anything may be kept: they must not be readable.
    pub fn overdue(&mut self, before_ms: u64) -> Vec<(Place, u64)> {
        let mut due = Vec::new();
        while let Some(&(_, place, number)) = self.shelf.front().filter(|(at_ms, ..)| *at_ms < before_ms) {
            self.shelf.pop_front();
            self.by_place.remove(&(place.window, place.sequence));
            due.push((place, number));
        }
        due
    }
}
