//! The client: all state, one entry. Each input's arms are one line; what they do stands in the file of that story.

use std::collections::{BTreeMap, HashMap, HashSet};

use hob_protocol::frame::{ClientBody, ClientFrame, ServerBody, ServerFrame};
use hob_protocol::ids::{BoxIdentity, DeviceKey, EnvelopeId, TokenHash};
use hob_protocol::planted;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::devices::pairing::Adding;
use crate::input::{Input, Link};
use crate::keys::{Keys, Published};
use crate::link::LinkState;
use crate::output::{Notice, Output, Outputs, WakeReason};
use crate::state::{State, StateError};
use crate::view::{MessageId, WaitReason};

/// Pushes that come together are saved together: so long after the first one, or so many of them.
const BATCH_MS: u64 = 20;
const BATCH_PUSHES_MAX: usize = 32;
/// How stale the saved time of the last connection may grow.
const ONLINE_SAVED_MS: u64 = 30 * 60 * 1000;

/// A device of a member: its keys, contacts, sessions, outbox and inbox.
pub struct Client {
    pub(crate) state: State,
    pub(crate) run: Run,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { state: _, run: _ } = self;
        f.write_str("Client(…)")
    }
}

/// What does not survive a restart, because it need not.
#[derive(Default)]
pub(crate) struct Run {
    pub(crate) started: bool,
    pub(crate) links: BTreeMap<Link, LinkState>,
    pub(crate) requests: HashMap<u64, (Link, What)>,
    next_request: u64,
    pub(crate) batch: Batch,
    pub(crate) proved: bool,
    pub(crate) wants_token_list: bool,
    pub(crate) wants_bundle: bool,
    pub(crate) caught_up: bool,
    /// The program is about to end: nothing is batched any more.
    pub(crate) hurry: bool,
    /// Home box frames that were refused are not repeated before.
    pub(crate) home_pause_ms: u64,
    /// Devices to which nothing is sent before a time, and why.
    pub(crate) pauses: HashMap<DeviceKey, (u64, WaitReason)>,
    pub(crate) receipts_sent_ms: HashMap<DeviceKey, u64>,
    /// When a device's `back` was obeyed last.
    pub(crate) backs_obeyed_ms: HashMap<DeviceKey, u64>,
    /// Per device: the hour, and what of its retry requests was obeyed in it.
    pub(crate) obeyed: HashMap<DeviceKey, crate::heal::Obeyed>,
    /// When prekeys were renewed because an envelope named one that this device does not have.
    pub(crate) renewed_prekeys_ms: Option<u64>,
    pub(crate) wants_prekey: bool,
    /// When something that nobody known sent could not be opened, and was told.
    pub(crate) unreadable_told_ms: Option<u64>,
    /// Boxes in whose place another one answered last.
    pub(crate) strangers: HashSet<BoxIdentity>,
    /// Told once a run.
    pub(crate) told: HashSet<DeviceKey>,
    /// A device code is being made or shown.
    pub(crate) adding: Adding,
    pub(crate) older_lists: u64,
    /// What was confirmed and is no message: a receipt that comes again is for nothing unknown.
    pub(crate) finished: HashSet<MessageId>,
    pub(crate) news_since_ms: Option<u64>,
}

/// What came and is not saved yet: saved, told and acknowledged together.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) out: Vec<Output>,
    pub(crate) acknowledge: Vec<EnvelopeId>,
    pub(crate) since_ms: Option<u64>,
    pub(crate) dirty: bool,
    /// Somebody waits for it.
    pub(crate) urgent: bool,
}

/// What an answer will be to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    Redeem,
    Prove,
    Submit { id: MessageId, to: DeviceKey, token: TokenHash },
    Fetch { device: DeviceKey, token: TokenHash },
    Grant(TokenHash),
    Revoke(TokenHash),
    TokenList(Vec<TokenHash>),
    Publish(Published),
    Ticket,
    Ping,
}

/// One call: its time, its randomness, and what must follow.
pub(crate) struct Step<'a> {
    pub(crate) now_ms: u64,
    pub(crate) rng: &'a mut dyn CryptoRng,
    pub(crate) out: Vec<Output>,
    /// The state must be saved before anything of `out` happens.
    pub(crate) dirty: bool,
    wake: Option<(u64, WakeReason)>,
}

impl<'a> Step<'a> {
    pub(crate) fn new(now_ms: u64, rng: &'a mut dyn CryptoRng) -> Self {
        Self { now_ms, rng, out: Vec::new(), dirty: false, wake: None }
    }

    pub(crate) fn notice(&mut self, notice: Notice) {
        self.out.push(Output::Notice(notice));
    }

    /// Wants to be woken: the earliest wish counts. What is due already was tried in this very call.
    pub(crate) fn wake(&mut self, at_ms: u64, why: WakeReason) {
        if at_ms > self.now_ms && self.wake.is_none_or(|(earlier_ms, _)| at_ms < earlier_ms) {
            self.wake = Some((at_ms, why));
        }
    }
}

impl Client {
    /// A new device of a new member, with fresh keys. Save it before anything else.
    pub fn create(now_ms: u64, rng: &mut dyn CryptoRng) -> Self {
        Self { state: State::new(Keys::generate(now_ms, rng)), run: Run::default() }
    }

    /// Reads what [`Client::save`] wrote. Connections are all closed then: send [`Input::Started`].
    ///
    /// # Errors
    /// [`StateError`]; never a panic, whatever the bytes.
    pub fn load(state: &[u8]) -> Result<Self, StateError> {
        Ok(Self { state: State::load(state)?, run: Run::default() })
    }

    /// Everything that must survive a kill, in the clear, versioned and with a checksum: encrypt it, write it beside the
    /// old one, sync, rename, sync the folder.
    pub fn save(&self) -> Zeroizing<Vec<u8>> {
        self.state.save()
    }

    /// Applies one input and returns everything that must follow from it, in order.
    ///
    /// `now_ms` is Unix time in milliseconds. One that runs backwards harms nothing but punctuality.
    pub fn handle(&mut self, now_ms: u64, rng: &mut dyn CryptoRng, input: Input) -> Outputs {
        let mut s = Step::new(now_ms, rng);
        match input {
            Input::Started => self.started(&mut s),
            Input::Opened { link, exporter, certificate_spki } => self.opened(link, exporter, certificate_spki, &mut s),
            Input::Received { link, frame } => self.received(link, frame, &mut s),
            Input::Closed { link } => self.closed(link, &mut s),
            Input::WokenUp => self.woken_up(),
            Input::Timeout => {}
        }
        self.settle(s)
    }

    fn received(&mut self, link: Link, frame: ServerFrame, s: &mut Step<'_>) {
        let ServerFrame { request, body } = frame;
        let Some(body) = self.hear(link, body, s) else { return };
        let asked = self.run.requests.get(&request).is_some_and(|(of, _)| *of == link);
        let what = if asked { self.run.requests.remove(&request) } else { None };
        match (what, body) {
            (Some((_, what)), body) => self.answered(link, what, body, s),
            (None, ServerBody::Push { id, envelope, ttl: _ }) if link == Link::Owner => self.push(id, &envelope, s),
            (None, ServerBody::CaughtUp) if link == Link::Owner => self.caught_up(s),
            (None, ServerBody::MailboxWasFull { refused }) => s.notice(Notice::MailboxWasFull { refused }),
            (None, ServerBody::Error { code, retry_after, .. }) => self.complaint(link, code, retry_after, s),
            (None, _) => {}
        }
    }

    fn answered(&mut self, link: Link, what: What, body: ServerBody, s: &mut Step<'_>) {
        match what {
            What::Redeem => self.redeemed(body, s),
            What::Prove => self.prove_answered(body, s),
            What::Submit { id, to, token } => self.submit_answered(id, &to, &token, body, s),
            What::Fetch { device, token } => self.fetch_answered(link, &device, &token, body, s),
            What::Grant(token) => self.grants_answered(&[token], body, s),
            What::Revoke(token) => self.revoke_answered(&token, body, s),
            What::TokenList(tokens) => self.grants_answered(&tokens, body, s),
            What::Publish(published) => self.publish_answered(published, body, s),
            What::Ticket => self.ticket_answered(body, s),
            What::Ping => {}
        }
    }

    /// Sends a frame whose answer is waited for.
    pub(crate) fn ask(&mut self, link: Link, what: What, body: ClientBody, s: &mut Step<'_>) {
        self.run.next_request += 1;
        let request = self.run.next_request;
        self.run.requests.insert(request, (link, what));
        s.out.push(Output::Frame { link, frame: ClientFrame { request, body } });
    }

    /// Everything that is due after an input or a command, and the order of it all: saved first.
    pub(crate) fn settle(&mut self, mut s: Step<'_>) -> Outputs {
        if self.run.started {
            self.state.seen.forget_old(s.now_ms);
            if self.state.trim_history(s.now_ms) {
                // What has outlived its time leaves the disk too, soon.
                self.run.batch.dirty = true;
                self.run.batch.since_ms.get_or_insert(s.now_ms);
            }
            self.wake_for_expiry(&mut s);
            self.flush_batch_if_due(&mut s);
            self.tend_own_list(&mut s);
            self.tend_owner(&mut s);
            self.make_receipts(&mut s);
            self.make_retries(&mut s);
            self.tell_news(&mut s);
            self.tell_new_addresses(&mut s);
            self.pump(&mut s);
            self.tend_links(&mut s);
        }
        if s.dirty {
            self.flush_batch(&mut s);
            let place = if planted!("saved-late") { s.out.len() } else { 0 };
            s.out.insert(place, Output::Save);
        }
        if let Some((at_ms, why)) = s.wake {
            s.out.push(Output::Wake { at_ms, why });
        }
        Outputs(s.out)
    }

    fn wake_for_expiry(&self, s: &mut Step<'_>) {
        if let Some(at_ms) = self.state.history.iter().filter_map(|item| item.expires_at_ms).min() {
            s.wake(at_ms, WakeReason::Expiry);
        }
    }

    /// Notes that something came that is told once it is saved.
    pub(crate) fn later(&mut self, output: Output, s: &Step<'_>) {
        self.run.batch.out.push(output);
        self.run.batch.dirty = true;
        self.run.batch.since_ms.get_or_insert(s.now_ms);
    }

    fn flush_batch_if_due(&mut self, s: &mut Step<'_>) {
        let batch = &self.run.batch;
        let Some(since_ms) = batch.since_ms else {
            self.save_last_online(s);
            return;
        };
        let due_ms = since_ms.saturating_add(BATCH_MS);
        // A clock that was set back must not hold a batch.
        let is_due = s.now_ms >= due_ms || s.now_ms < since_ms;
        if batch.urgent || is_due || self.run.hurry || batch.acknowledge.len() >= BATCH_PUSHES_MAX {
            self.flush_batch(s);
        } else {
            s.wake(due_ms, WakeReason::SavePushes);
        }
    }

    /// A receiver that idles for hours and is killed must not believe that it was away.
    fn save_last_online(&mut self, s: &mut Step<'_>) {
        let stale_ms = s.now_ms.saturating_sub(self.state.last_online_ms);
        if self.run.caught_up && stale_ms >= ONLINE_SAVED_MS {
            self.state.last_online_ms = s.now_ms;
            s.dirty = true;
        }
    }

    pub(crate) fn flush_batch(&mut self, s: &mut Step<'_>) {
        let batch = std::mem::take(&mut self.run.batch);
        s.dirty |= batch.dirty || !batch.out.is_empty() || !batch.acknowledge.is_empty();
        if self.run.caught_up {
            self.state.last_online_ms = self.state.last_online_ms.max(s.now_ms);
        }
        s.out.extend(batch.out);
        if self.run.proved {
            self.acknowledge(&batch.acknowledge, s);
        }
    }
}
