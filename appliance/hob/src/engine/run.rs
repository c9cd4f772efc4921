//! The engine's loop: inputs in, effects out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hob_log::backup::LastingLedger;
use hob_log::{LogNotice, Writer, WriterEvent, WriterHandle};
use hob_protocol::address::{Address, AddressRecord};
use hob_protocol::frame::ServerFrame;
use hob_relay::admin::Answer;
use hob_relay::clock::{BoxClock, Now, TimeVotes};
use hob_relay::event::Append;
use hob_relay::web::Reply;
use hob_relay::{ConnId, Effect, Effects, Input, Relay, Ticket};
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clocks;
use crate::engine::Command;
use crate::engine::asking::Asking;
use crate::engine::outbox::{Out, Outbox, Push};
use crate::engine::time::Alarms;
use crate::identity::Identity;
use crate::service::Pulse;

/// Commands taken at once: enough to share a commit, few enough to answer soon.
const AT_ONCE: usize = 256;

/// How long acknowledgements wait for company.
const RIDES_FOR: Duration = Duration::from_millis(100);

/// An address record is good for as long as this, and signed anew at every start.
const ADDRESSES_GOOD_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

pub(super) struct Task {
    pub(super) relay: Relay,
    pub(super) clock: BoxClock,
    pub(super) clocks: Clocks,
    pub(super) votes: TimeVotes,
    pub(super) writer: WriterHandle,
    /// Its thread; taken when the box stops.
    thread: Option<Writer>,
    pub(super) alarms: Alarms,
    identity: Arc<Identity>,
    inbox: mpsc::Receiver<Command>,
    events: mpsc::UnboundedReceiver<WriterEvent>,
    outboxes: HashMap<ConnId, Arc<Outbox>>,
    asked: HashMap<u64, oneshot::Sender<Answer>>,
    /// Single requests that wait for their answer.
    asking: HashMap<ConnId, Asking>,
    last_request: u64,
    batch: Vec<(Ticket, Append)>,
    /// When what rides along in the batch goes without company.
    pub(super) rides_until: Option<Instant>,
    /// What the service manager's watchdog waits for.
    pub(super) pulse: Option<Pulse>,
}

impl Task {
    pub(super) fn new(
        relay: Relay,
        clock: BoxClock,
        clocks: Clocks,
        identity: Arc<Identity>,
        writer: Writer,
        inbox: mpsc::Receiver<Command>,
        events: mpsc::UnboundedReceiver<WriterEvent>,
    ) -> Self {
        Self {
            relay,
            clock,
            clocks,
            votes: TimeVotes::default(),
            writer: writer.handle(),
            thread: Some(writer),
            alarms: Alarms::default(),
            identity,
            inbox,
            events,
            outboxes: HashMap::new(),
            asked: HashMap::new(),
            asking: HashMap::new(),
            last_request: 0,
            batch: Vec::new(),
            rides_until: None,
            pulse: Pulse::wanted(),
        }
    }

    pub(super) async fn run(mut self, first: Effects) {
        self.carry_out(first);
        self.hand_over();
        let mut commands = Vec::with_capacity(AT_ONCE);
        let mut events = Vec::with_capacity(AT_ONCE);
        loop {
            let nap = self.nap();
            tokio::select! {
                biased;
                _ = self.events.recv_many(&mut events, AT_ONCE) => {}
                taken = self.inbox.recv_many(&mut commands, AT_ONCE) => if taken == 0 { return },
                () = tokio::time::sleep(nap) => {}
            }
            let now = self.now();
            for event in events.drain(..) {
                self.written(now, event);
            }
            for command in commands.drain(..) {
                if let Command::Stop { back_in, reply } = command {
                    self.stop(back_in, reply).await;
                    return;
                }
                self.command(now, command);
            }
            self.ring(now);
            self.hand_over();
            if let Some(pulse) = &mut self.pulse {
                // Here and nowhere else: whoever reads this has seen the loop turn.
                pulse.turn(self.writer.busy_for(), || self.relay.status().storing_fails);
            }
        }
    }

    fn now(&mut self) -> Now {
        self.clock.now(self.clocks.monotone(), self.clocks.unix_ms())
    }

    fn input(&mut self, now: Now, input: Input) {
        let effects = self.relay.handle_input(now, input);
        self.carry_out(effects);
    }

    /// What was asked of the log goes to its thread in one piece, so that it shares a commit. Acknowledgements and
    /// expiries alone, for which nobody waits, wait here for the next piece, but not long: each piece wakes a thread.
    fn hand_over(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let awaited = self.batch.iter().any(|(_, append)| append.is_awaited());
        if awaited || self.batch.len() >= AT_ONCE || self.rides_until.is_some_and(|until| until <= Instant::now()) {
            self.rides_until = None;
            let now = self.now();
            self.writer.append(now, std::mem::take(&mut self.batch));
        } else if self.rides_until.is_none() {
            self.rides_until = Some(Instant::now() + RIDES_FOR);
        }
    }

    /// The same without waiting for company.
    fn hand_over_all(&mut self) {
        self.rides_until = Some(Instant::now());
        self.hand_over();
    }

    fn command(&mut self, now: Now, command: Command) {
        match command {
            Command::Opened { conn, outbox, exporter, signature } => {
                self.outboxes.insert(conn, outbox);
                self.input(now, Input::Opened { conn, exporter: Some(exporter), signature });
            }
            Command::Frames { conn, frames } => {
                for frame in frames {
                    let input = match frame {
                        Ok(frame) => Input::Frame { conn, frame },
                        Err(error) => Input::Garbled { conn, error },
                    };
                    self.input(now, input);
                }
            }
            Command::Asked { conn, asker, question, reply } => {
                self.asking.insert(conn, Asking::new(reply));
                self.input(now, Input::Asked { conn, asker, question });
            }
            Command::Watch { conn, outbox, device } => {
                self.outboxes.insert(conn, outbox);
                self.input(now, Input::Watch { conn, device });
            }
            Command::Unreadable { id } => {
                tracing::warn!("an envelope could not be read from the log; its sender's device will send it again");
                self.input(now, Input::Unreadable { id });
            }
            Command::Closed { conn } => {
                self.outboxes.remove(&conn);
                self.input(now, Input::Closed { conn });
            }
            Command::Ask { ask, reply } => {
                self.last_request += 1;
                self.asked.insert(self.last_request, reply);
                self.input(now, Input::Admin { request: self.last_request, ask });
            }
            Command::Addresses(addresses) => self.sign_addresses(now, addresses),
            Command::Clock { reply } => {
                // Whoever asked may have gone.
                let _ = reply.send(self.clock_view(now));
            }
            Command::Ledger { reply } => {
                let checkpoint = self.clock.checkpoint(self.clocks.monotone(), self.clocks.unix_ms());
                self.writer.live_ledger(Box::new(move |live| {
                    // Whoever asked may have gone.
                    let _ = reply.send(live.map(|live| LastingLedger::of(live, Some(checkpoint))));
                }));
            }
            Command::Compact { reply } => {
                // What was acknowledged until now is not pending: its body keys go, too.
                self.hand_over_all();
                self.writer.compact(
                    now,
                    Box::new(move |report| {
                        // Whoever asked may have gone.
                        let _ = reply.send(report);
                    }),
                );
            }
            // Taken out by the loop.
            Command::Stop { .. } => {}
        }
    }

    fn sign_addresses(&mut self, now: Now, addresses: Vec<Address>) {
        let sequence = self.relay.address_sequence() + 1;
        let expires_at_s = now.unix_ms / 1000 + ADDRESSES_GOOD_FOR.as_secs();
        let record = AddressRecord::sign(&self.identity.key, addresses, sequence, expires_at_s);
        self.input(now, Input::Addresses(record));
    }

    fn written(&mut self, now: Now, event: WriterEvent) {
        match event {
            WriterEvent::Durable { up_to, places } => self.input(now, Input::Durable { up_to, places }),
            WriterEvent::Failed { up_to, error } => {
                tracing::error!(%error, "cannot store: senders are told to try again");
                self.input(now, Input::NotStored { up_to });
            }
            WriterEvent::Notices(notices) => {
                for notice in notices {
                    self.notice(now, notice);
                }
            }
            WriterEvent::TickFailed(error) => {
                tracing::warn!(%error, "the log could not do what is due; it will try again")
            }
        }
    }

    fn notice(&mut self, now: Now, notice: LogNotice) {
        match notice {
            LogNotice::WindowClosed { window } => tracing::debug!(window, "a window is closed"),
            LogNotice::BodyKeyDestroyed { window } => tracing::info!(window, "a window's body key is destroyed"),
            LogNotice::WindowDestroyed { window, opened_unix_ms, pending_lost } => {
                tracing::info!(window, pending_lost, "a window is destroyed");
                let input = if pending_lost > 0 {
                    Input::WindowsLost { windows: vec![(window, opened_unix_ms / 1000)] }
                } else {
                    Input::WindowsDestroyed { below: window.saturating_add(1) }
                };
                self.input(now, input);
            }
            LogNotice::Compacted(report) => {
                let (before, after) = (report.records_before, report.records_after);
                tracing::info!(generation = report.generation, before, after, "the ledger is compacted");
            }
            LogNotice::EventsRebuilt { log, why } => tracing::warn!(%log, why, "an event database was rebuilt"),
        }
    }

    pub(super) fn carry_out(&mut self, effects: Effects) {
        for effect in effects.list {
            match effect {
                Effect::Send { conn, frame } => self.send(conn, frame),
                Effect::Replied { conn, reply } => self.reply(conn, reply),
                Effect::Ready { conn, id, ttl } => self.put(conn, Out::Ready { id, ttl }),
                Effect::Push { conn, id, ttl, body } => self.put(conn, Out::Push(Box::new(Push { id, ttl, body }))),
                Effect::Append { ticket, append } => self.batch.push((ticket, append)),
                Effect::Established { conn } => match self.asking.get_mut(&conn) {
                    Some(asking) => asking.establish(),
                    None => self.put(conn, Out::Established),
                },
                Effect::Close { conn, refused } => {
                    if let Some(asking) = self.asking.remove(&conn) {
                        asking.refuse(refused);
                    }
                    self.put(conn, Out::Close(refused));
                    self.outboxes.remove(&conn);
                }
                // Push hosts come with their own issue; until then a device reads when it connects.
                Effect::WakeDevice { mailbox: _ } => {}
                Effect::TimeTold { member, unix_ms } => self.time_told(member, unix_ms),
                Effect::Answer { request, answer } => {
                    if let Some(reply) = self.asked.remove(&request) {
                        // Whoever asked may have gone.
                        let _ = reply.send(answer);
                    }
                }
            }
        }
        self.alarms.relay = effects.wake_at.map(|(at, _)| at);
    }

    fn send(&mut self, conn: ConnId, frame: ServerFrame) {
        match self.outboxes.get(&conn) {
            Some(outbox) => outbox.put(Out::Frame(Box::new(frame))),
            None if Asking::is_answered_by(&frame) => {
                if let Some(asking) = self.asking.remove(&conn) {
                    asking.frame(frame.body);
                }
            }
            None => {}
        }
    }

    fn reply(&mut self, conn: ConnId, reply: Reply) {
        match self.asking.remove(&conn) {
            Some(asking) => asking.reply(reply),
            None => self.put(conn, Out::Reply(Box::new(reply))),
        }
    }

    fn put(&self, conn: ConnId, out: Out) {
        if let Some(outbox) = self.outboxes.get(&conn) {
            outbox.put(out);
        }
    }

    /// Clients are told, what was taken is made durable and answered, the log is closed.
    async fn stop(&mut self, back_in: Duration, reply: oneshot::Sender<()>) {
        let now = self.now();
        self.input(now, Input::GoingDown { back_in });
        self.hand_over_all();
        let checkpoint = self.clock.checkpoint(self.clocks.monotone(), self.clocks.unix_ms());
        self.writer.checkpoint(checkpoint);
        let Some(thread) = self.thread.take() else { return };
        let mut closing = tokio::task::spawn_blocking(move || thread.close());
        let closed = loop {
            tokio::select! {
                biased;
                Some(event) = self.events.recv() => {
                    let now = self.now();
                    self.written(now, event);
                }
                closed = &mut closing => break closed,
            }
        };
        if let Ok(Err(error)) = closed {
            tracing::error!(%error, "the log could not be closed cleanly");
        }
        while let Ok(event) = self.events.try_recv() {
            let now = self.now();
            self.written(now, event);
        }
        for outbox in self.outboxes.values() {
            outbox.put(Out::Goodbye);
        }
        // Whoever asked may have gone.
        let _ = reply.send(());
    }
}
