//! What boxes are told, and what follows.

use hob_log::LogNotice;
use hob_protocol::envelope::Envelope;
use hob_protocol::frame::{ClientBody, ClientFrame, ServerBody, ServerFrame};
use hob_protocol::ids::EnvelopeId;
use hob_relay::admin::{Answer, Ask};
use hob_relay::clock::{BoxTime, Now, TimeSource};
use hob_relay::event::Append;
use hob_relay::{Body, ConnId, Effect, Effects, Input};

use crate::plan::Wall;
use crate::the_box::{BEAT_MS, Committed};
use crate::world::{Event, World};

/// The longest that anything may be read from the disk, and how late a look may be.
const READABLE_MS: u64 = 6 * 3_600_000 + 2 * BEAT_MS;
/// How long mail of unknown age is served.
const UNCONFIRMED_MS: u64 = 15 * 60_000 + 2 * BEAT_MS;
/// Windows that may be there at once: six hours of them, the open one and one that is due.
const WINDOWS_MAX: usize = 14;

/// Wake-ups of a box in a second: more are for something that is due and does not get done.
const WAKES_MAX: u32 = 200;

impl World {
    /// A box comes up.
    pub(crate) fn box_starts(&mut self, the_box: usize, wall: Wall) {
        if self.boxes[the_box].run.is_some() {
            return;
        }
        let first = self.boxes[the_box].runs == 0;
        let started = self.boxes[the_box].start(self.now_ms, wall);
        let (handed, now, effects) = match started {
            Ok(started) => started,
            Err(why) => return self.must(false, "a box starts", || why),
        };
        self.trace("start", &[the_box as u64, handed.pending.len() as u64]);
        self.tell(|_| format!("box {the_box} starts, its wall clock {wall:?}, with {} pending", handed.pending.len()));
        if !first {
            let was_cut = self.box_was_cut[the_box];
            self.must(
                handed.damaged == 0 || self.disk_is_damaged[the_box],
                "a disk that is well loses nothing",
                || format!("box {the_box} calls {} windows damaged", handed.damaged),
            );
            let hurt = std::mem::take(&mut self.ledger_is_damaged[the_box]);
            self.must(hurt || handed.ledger_lost == 0, "a disk that is well loses nothing", || {
                format!("box {the_box} calls {} records of its ledger lost", handed.ledger_lost)
            });
            if handed.ledger_lost > 0 {
                self.tell(|_| format!("box {the_box} says that {} records of its ledger are lost", handed.ledger_lost));
                self.has_ended = true;
                return;
            }
            self.books[the_box].started(now.box_time, &handed, was_cut);
        }
        self.carry_out(the_box, now, effects);
        let record = self.boxes[the_box].addresses();
        self.box_input(the_box, Input::Addresses(record));
        self.beats_again(the_box, BEAT_MS);
    }

    fn beats_again(&mut self, the_box: usize, after_ms: u64) {
        let run = self.boxes[the_box].runs;
        self.beat_due_ms[the_box] = self.now_ms + after_ms;
        self.after(after_ms, Event::Beat { the_box, run });
    }

    /// Somebody comes to a box that had nothing to do for a while: what it put off is done first.
    pub(crate) fn looks_up(&mut self, the_box: usize) {
        if self.beat_due_ms[the_box] > self.now_ms + BEAT_MS {
            self.beat_due_ms[the_box] = self.now_ms;
            let run = self.boxes[the_box].runs;
            self.beat(the_box, run);
        }
    }

    /// Something happens to a box.
    pub(crate) fn box_input(&mut self, the_box: usize, input: Input) {
        let Some((now, effects)) = self.boxes[the_box].input(self.now_ms, input) else { return };
        self.carry_out(the_box, now, effects);
    }

    /// A frame reaches a box.
    pub(crate) fn hears(&mut self, the_box: usize, conn: u64, frame: ClientFrame) {
        let Some(now) = self.boxes[the_box].now(self.now_ms) else { return };
        self.trace("hears", &[conn, frame.request, kind(&frame.body)]);
        if matches!(frame.body, ClientBody::Submit { .. }) {
            if self.seen.len() >= 64 {
                self.seen.remove(0);
            }
            self.seen.push((the_box, frame.clone()));
        }
        self.books[the_box].frame(now.box_time, conn, &frame);
        self.box_input(the_box, Input::Frame { conn: ConnId(conn), frame });
    }

    pub(crate) fn carry_out(&mut self, the_box: usize, now: Now, effects: Effects) {
        for effect in effects.list {
            self.carry_out_one(the_box, now, effect);
        }
        self.books[the_box].expire(now.box_time);
        self.want_wake(the_box, now, effects.wake_at.map(|(at, _)| at));
        self.want_commit(the_box);
    }

    fn carry_out_one(&mut self, the_box: usize, now: Now, effect: Effect) {
        match effect {
            Effect::Send { conn, frame } => {
                self.trace("says", &[conn.0, frame.request, answer(&frame.body)]);
                self.books[the_box].said(now.box_time, conn.0, &frame);
                if self.conns.contains_key(&conn.0) {
                    self.box_says(conn.0, frame);
                } else {
                    self.heard.push((conn.0, frame.body));
                }
            }
            Effect::Push { conn, id, ttl, body } => {
                let sealed = match body {
                    Body::Here(sealed, _) => Some(sealed),
                    Body::At(place) => self.boxes[the_box].read(place),
                };
                if id != EnvelopeId::ONLINE_ONLY {
                    self.books[the_box].pushed(now.box_time, conn.0, &id, ttl, sealed.as_ref());
                    let number = self.books[the_box].number_of(&id);
                    self.trace("push", &[conn.0, number]);
                }
                match sealed.and_then(|sealed| Envelope::new(sealed).ok()) {
                    Some(envelope) => {
                        self.box_says(conn.0, ServerFrame { request: 0, body: ServerBody::Push { id, envelope, ttl } });
                    }
                    None => {
                        let run = self.boxes[the_box].runs;
                        self.after(1, Event::Unreadable { the_box, run, id });
                    }
                }
            }
            Effect::Append { ticket, append } => {
                self.books[the_box].appended(now.box_time, &append);
                self.boxes[the_box].take(ticket, append);
            }
            Effect::Close { conn, refused } => {
                self.trace("close", &[conn.0, u64::from(refused.code.number())]);
                self.books[the_box].closed(conn.0);
                self.box_says(conn.0, ServerFrame::refusal(0, refused));
                self.box_hangs_up(conn.0);
            }
            Effect::WakeDevice { mailbox } => self.wake_by_push(&mailbox),
            Effect::TimeTold { member, unix_ms } => {
                self.boxes[the_box].time_told(self.now_ms, TimeSource::Member(member), unix_ms);
            }
            Effect::Answer { request, answer } => drop(self.answers.insert((the_box, request), answer)),
            Effect::Established { .. } | Effect::Ready { .. } | Effect::Replied { .. } => {}
        }
    }

    /// An envelope that was to be pushed cannot be read.
    pub(crate) fn unreadable(&mut self, the_box: usize, run: u64, id: EnvelopeId) {
        if self.boxes[the_box].runs != run || self.boxes[the_box].run.is_none() {
            return;
        }
        let excused = self.disk_is_damaged[the_box] || self.reads_failed;
        self.must(excused, "what is kept can be read", || format!("envelope {id} cannot be read"));
        self.books[the_box].given_up(&id);
        self.box_input(the_box, Input::Unreadable { id });
    }

    fn want_wake(&mut self, the_box: usize, now: Now, at: Option<BoxTime>) {
        let wish = at.map(|at| self.now_ms + u64::try_from(at.since(now.box_time).as_millis()).unwrap_or(u64::MAX));
        let (version, before) = self.box_wakes[the_box];
        if wish == before {
            return;
        }
        self.box_wakes[the_box] = (version + 1, wish);
        if let Some(at_ms) = wish {
            // A busy box is a little late.
            let late_ms = if self.calm { 1 } else { self.chance.below(8) };
            self.at(at_ms.max(self.now_ms + 1) + late_ms, Event::BoxWakes { the_box, version: version + 1 });
        }
    }

    pub(crate) fn box_is_woken(&mut self, the_box: usize, version: u64) {
        if self.box_wakes[the_box].0 == version {
            self.box_wakes[the_box].1 = None;
            let (second, times) = self.box_woken[the_box];
            let times = if second == self.now_ms / 1000 { times + 1 } else { 1 };
            self.box_woken[the_box] = (self.now_ms / 1000, times);
            self.must(times <= WAKES_MAX, "a box does what it is woken for", || {
                format!("box {the_box} is woken {times} times in a second")
            });
            self.box_input(the_box, Input::Timeout);
        }
    }

    fn want_commit(&mut self, the_box: usize) {
        let Some(is_awaited) = self.boxes[the_box].wants_commit() else { return };
        let (from, to) = if self.calm { (1, 10) } else { self.plan.sync_ms };
        let takes_ms = if is_awaited { self.chance.between(from, to) } else { 100 };
        let run = self.boxes[the_box].runs;
        if let Some(running) = &mut self.boxes[the_box].run {
            running.committing = true;
        }
        self.after(takes_ms, Event::Commit { the_box, run });
    }

    pub(crate) fn commit(&mut self, the_box: usize, run: u64) {
        if self.boxes[the_box].runs == run {
            self.commit_now(the_box);
            self.check_sums(the_box);
        }
    }

    /// Everything asked for goes to the log, and its answers leave.
    pub(crate) fn commit_now(&mut self, the_box: usize) {
        match self.boxes[the_box].commit(self.now_ms) {
            Committed::Nothing => {}
            Committed::PowerWent => self.power_goes(the_box),
            Committed::Well(batch, up_to, places) => {
                self.trace("durable", &[the_box as u64, batch.len() as u64, places.len() as u64]);
                self.books[the_box].durable(&batch, &places, self.now_ms);
                self.box_input(the_box, Input::Durable { up_to, places });
            }
            Committed::Badly(batch, up_to) => {
                self.counts.refused_commits += 1;
                self.trace("refused", &[the_box as u64, batch.len() as u64]);
                if batch.iter().any(Append::is_awaited) {
                    self.tell(|_| format!("box {the_box} cannot store"));
                }
                self.books[the_box].not_stored(&batch);
                self.box_input(the_box, Input::NotStored { up_to });
            }
        }
    }

    pub(crate) fn check_sums(&mut self, the_box: usize) {
        let Some(now) = self.boxes[the_box].now(self.now_ms) else { return };
        self.books[the_box].expire(now.box_time);
        let Some(run) = &self.boxes[the_box].run else { return };
        // Between a deadline and the rules' own look at it lies a moment.
        if self.box_wakes[the_box].1.is_some_and(|at_ms| at_ms <= self.now_ms) {
            return;
        }
        let status = run.relay.status();
        self.books[the_box].check(&status);
    }

    /// Once a minute: the log does what is due, and the promises about time are looked after.
    pub(crate) fn beat(&mut self, the_box: usize, run: u64) {
        let is_due = self.beat_due_ms[the_box] == self.now_ms;
        if !is_due || self.boxes[the_box].runs != run || self.boxes[the_box].run.is_none() {
            return;
        }
        self.beats_again(the_box, BEAT_MS);
        let notices = self.boxes[the_box].beat(self.now_ms);
        if self.boxes[the_box].store.is_off() {
            return self.power_goes(the_box);
        }
        for notice in notices {
            self.notice(the_box, &notice);
        }
        self.box_input(the_box, Input::Timeout);
        self.check_sums(the_box);
        self.check_readable(the_box);
        // A box that holds nothing, and whom nobody talks to, has nothing to do: its minutes are put together.
        let is_idle = self.books[the_box].is_idle()
            && self.boxes[the_box].now(self.now_ms).is_some_and(|now| self.boxes[the_box].windows(now.box_time).0 == 0);
        if is_idle {
            self.beats_again(the_box, 15 * BEAT_MS);
        }
    }

    fn notice(&mut self, the_box: usize, notice: &LogNotice) {
        let LogNotice::WindowDestroyed { window, opened_unix_ms, pending_lost } = *notice else { return };
        self.trace("window", &[the_box as u64, u64::from(window), pending_lost]);
        if pending_lost > 0 {
            self.tell(|_| format!("box {the_box} destroys window {window} with {pending_lost} pending"));
            let Some(now) = self.boxes[the_box].now(self.now_ms) else { return };
            self.books[the_box].expire(now.box_time);
            let lost = self.books[the_box].lost(|of| of == window);
            let epoch = self.epoch(the_box);
            self.box_input(the_box, Input::WindowsLost { windows: vec![(window, opened_unix_ms / 1000)] });
            let told = lost == 0 || self.epoch(the_box) != epoch;
            self.must(told, "what is lost is told", || {
                format!("{lost} envelopes of window {window} are gone, and the epoch is the same")
            });
        } else {
            self.books[the_box].lost(|of| of <= window);
            self.box_input(the_box, Input::WindowsDestroyed { below: window.saturating_add(1) });
        }
    }

    fn epoch(&self, the_box: usize) -> u64 {
        self.boxes[the_box].run.as_ref().map_or(0, |run| run.relay.epoch())
    }

    /// Six hours: nothing can be read that was accepted longer ago, whatever the wall clock says.
    fn check_readable(&mut self, the_box: usize) {
        let started_ms = self.boxes[the_box].run.as_ref().map_or(0, |run| run.started_ms);
        let grace = self.boxes[the_box].serves_unconfirmed() && self.now_ms < started_ms + UNCONFIRMED_MS;
        // A box that has just learnt the time looks at its windows with its next beat.
        if grace || self.now_ms < started_ms + 2 * BEAT_MS {
            return;
        }
        let due = self.books[the_box].overdue(self.now_ms.saturating_sub(READABLE_MS));
        for (place, number) in due {
            let readable = self.boxes[the_box].read(place).is_some();
            self.must(!readable, "nothing can be read after six hours", || {
                format!("envelope number {number} at {place:?} can")
            });
        }
        let Some(now) = self.boxes[the_box].now(self.now_ms) else { return };
        if (self.now_ms / BEAT_MS).is_multiple_of(30) {
            let (windows, oldest) = self.boxes[the_box].windows(now.box_time);
            let old_ms = u64::try_from(oldest.as_millis()).unwrap_or(u64::MAX);
            self.must(windows <= WINDOWS_MAX && old_ms <= READABLE_MS, "the disk holds six hours and no more", || {
                format!("{windows} windows, the oldest of {oldest:?}")
            });
        }
    }

    /// The keeper asks, and the answer is waited for.
    pub(crate) fn ask(&mut self, the_box: usize, ask: Ask) -> Option<Answer> {
        let (request, now, effects) = self.boxes[the_box].ask(self.now_ms, ask)?;
        self.carry_out(the_box, now, effects);
        self.commit_now(the_box);
        self.answers.remove(&(the_box, request))
    }

    /// A box says goodbye and stops.
    pub(crate) fn box_stops(&mut self, the_box: usize, back_in_ms: u64) {
        self.box_input(the_box, Input::GoingDown { back_in: std::time::Duration::from_millis(back_in_ms) });
        self.commit_now(the_box);
        self.boxes[the_box].stop(self.now_ms);
        self.box_is_gone(the_box, true);
        self.box_was_cut[the_box] = false;
        self.counts.restarts += 1;
        self.comes_back(the_box);
    }

    fn comes_back(&mut self, the_box: usize) {
        if let Some((off_ms, wall)) = self.power_goes[the_box].take() {
            self.after(off_ms, Event::BoxStarts { the_box, wall });
        }
    }

    /// A box's power fails.
    pub(crate) fn power_goes(&mut self, the_box: usize) {
        if self.boxes[the_box].run.is_none() {
            return;
        }
        self.tell(|world| {
            let for_s = world.power_goes[the_box].map_or(0, |(off_ms, _)| off_ms / 1000);
            format!("box {the_box} loses its power for {for_s} s")
        });
        self.boxes[the_box].cut();
        self.box_is_gone(the_box, false);
        self.box_was_cut[the_box] = true;
        self.counts.cuts += 1;
        self.comes_back(the_box);
    }
}

fn kind(body: &ClientBody) -> u64 {
    match body {
        ClientBody::Redeem { .. } => 1,
        ClientBody::Prove { .. } => 2,
        ClientBody::Submit { envelope, .. } => 3 + envelope.len() as u64,
        ClientBody::Acknowledge { ids } => 100 + ids.len() as u64,
        ClientBody::Credit { .. } => 4,
        ClientBody::TokenGrant(_) => 5,
        ClientBody::TokenRevoke { .. } => 6,
        ClientBody::TokenList { .. } => 7,
        ClientBody::BundlePublish { bundle, .. } => 10_000 + bundle.len() as u64,
        ClientBody::BundleFetch { .. } => 8,
        ClientBody::Ping => 9,
        ClientBody::DeviceTicket => 10,
    }
}

fn answer(body: &ServerBody) -> u64 {
    match body {
        ServerBody::Hello(_) => 1,
        ServerBody::Challenge { .. } => 2,
        ServerBody::Admitted { .. } => 3,
        ServerBody::Proved { .. } => 4,
        ServerBody::Accepted { duplicate, ttl } => 1_000 + ttl.as_secs() * 2 + u64::from(*duplicate),
        ServerBody::Push { .. } => 5,
        ServerBody::CaughtUp => 6,
        ServerBody::Done => 7,
        ServerBody::Bundle { .. } => 8,
        ServerBody::MailboxWasFull { refused } => 100_000 + refused,
        ServerBody::Restarting { .. } => 9,
        ServerBody::Error { code, .. } => 500 + u64::from(*code),
        ServerBody::Pong => 10,
        ServerBody::DeviceTicket { .. } => 11,
    }
}
