//! Connections: when to connect and reconnect, whom to believe, when silence is too long.

use std::time::Duration;

use bytes::Bytes;
use hob_protocol::address::AddressRecord;
use hob_protocol::frame::{ClientBody, Hello, Limits, ServerBody};
use hob_protocol::ids::BoxIdentity;
use hob_protocol::transcript::{self, Exporter};
use rand_core::CryptoRng;

use crate::Client;
use crate::client::{Step, What};
use crate::input::Link;
use crate::output::{Notice, Output, WakeReason};
use crate::state::BoxMemory;

const BACKOFF_MIN_MS: u64 = 1_000;
const BACKOFF_MAX_MS: u64 = 300_000;
/// After a box that is not the pinned one: no hammering, and no giving up.
const BACKOFF_STRANGER_MS: u64 = 600_000;
/// Silence after which the client asks whether the box is still there, and after which it no longer believes it.
const PING_AFTER_MS: u64 = 45_000;
const DEAD_AFTER_MS: u64 = 75_000;
/// A sender's connection with nothing to do is closed.
const IDLE_SENDER_MS: u64 = 60_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Phase {
    #[default]
    Closed,
    Connecting,
    /// Up; hello (and challenge, on the owner's) not seen yet. Nothing secret was sent.
    Greeting,
    /// The box proved that it is the pinned one.
    Open,
}

/// What is known of one connection.
#[derive(Debug, Default)]
pub(crate) struct LinkState {
    pub(crate) phase: Phase,
    failures: u32,
    not_before_ms: u64,
    heard_ms: u64,
    used_ms: u64,
    pinged: bool,
    pub(crate) exporter: Option<Exporter>,
    spki: Bytes,
    pub(crate) limits: Option<Limits>,
    pub(crate) nonce: Option<[u8; 32]>,
    /// What the hello told of the box's addresses: who has just joined takes it then.
    pub(crate) record: Option<AddressRecord>,
}

/// `full_ms` less up to half of it.
fn jitter(full_ms: u64, rng: &mut dyn CryptoRng) -> u64 {
    let half = full_ms / 2;
    full_ms - if half == 0 { 0 } else { rng.next_u64() % half }
}

impl LinkState {
    fn closed(&mut self, now_ms: u64, rng: &mut dyn CryptoRng) {
        self.failures = if self.phase == Phase::Open { 0 } else { self.failures.saturating_add(1) };
        let full = BACKOFF_MIN_MS.saturating_mul(1 << self.failures.min(16)).min(BACKOFF_MAX_MS);
        let not_before = now_ms.saturating_add(jitter(full, rng));
        self.reset();
        // A longer wait that the box asked for stands.
        self.not_before_ms = self.not_before_ms.max(not_before);
    }

    fn reset(&mut self) {
        self.phase = Phase::Closed;
        self.exporter = None;
        self.spki = Bytes::new();
        self.limits = None;
        self.nonce = None;
        self.record = None;
        self.pinged = false;
    }

    /// The box is back after `back_in`; its clients spread their return over as long again.
    fn restarting(&mut self, now_ms: u64, back_in: Duration, rng: &mut dyn CryptoRng) {
        let back_ms = u64::try_from(back_in.as_millis()).unwrap_or(u64::MAX).min(3_600_000);
        let spread = if back_ms == 0 { 0 } else { rng.next_u64() % back_ms };
        self.not_before_ms = now_ms.saturating_add(back_ms).saturating_add(spread);
    }

    /// It was tried, and is not tried again before a while.
    pub(crate) const fn is_given_up_for_now(&self, now_ms: u64) -> bool {
        matches!(self.phase, Phase::Closed) && self.not_before_ms > now_ms
    }

    pub(crate) const fn wait_until(&mut self, at_ms: u64) {
        self.not_before_ms = at_ms;
    }
}

impl Client {
    pub(crate) fn link(&mut self, link: Link) -> &mut LinkState {
        self.run.links.entry(link).or_default()
    }

    pub(crate) fn phase(&self, link: Link) -> Phase {
        self.run.links.get(&link).map_or(Phase::Closed, |state| state.phase)
    }

    /// Asks for a connection where none is. True: it is open and believed.
    pub(crate) fn want_link(&mut self, link: Link, s: &mut Step<'_>) -> bool {
        let now_ms = s.now_ms;
        let Some(identity) = self.pin(link) else { return false };
        let state = self.link(link);
        match state.phase {
            Phase::Open => {
                state.used_ms = now_ms;
                true
            }
            Phase::Connecting | Phase::Greeting => false,
            Phase::Closed if state.not_before_ms > now_ms => {
                let at_ms = state.not_before_ms;
                s.wake(at_ms, WakeReason::Reconnect);
                false
            }
            Phase::Closed => {
                state.phase = Phase::Connecting;
                let addresses = self.addresses(link);
                s.out.push(Output::Connect { link, identity, addresses });
                false
            }
        }
    }

    fn pin(&self, link: Link) -> Option<BoxIdentity> {
        match link {
            Link::Sender(identity) => Some(identity),
            Link::Owner => self.state.home.as_ref().map(|home| home.identity).or_else(|| {
                let joining = self.state.joining.as_ref();
                joining.map(|joining| joining.box_identity)
            }),
        }
    }

    fn addresses(&self, link: Link) -> Vec<hob_protocol::address::Address> {
        let home = self.state.home.as_ref();
        let of_home = || match (home, &self.state.joining) {
            (Some(home), _) => home.places(),
            (None, Some(joining)) => joining.addresses.clone(),
            (None, None) => Vec::new(),
        };
        match link {
            Link::Owner => of_home(),
            Link::Sender(identity) if home.is_some_and(|home| home.identity == identity) => of_home(),
            Link::Sender(identity) => self.addresses_of_box(&identity),
        }
    }

    pub(crate) fn opened(&mut self, link: Link, exporter: Exporter, spki: Bytes, s: &mut Step<'_>) {
        let now_ms = s.now_ms;
        let state = self.link(link);
        state.reset();
        state.phase = Phase::Greeting;
        state.exporter = Some(exporter);
        state.spki = spki;
        state.heard_ms = now_ms;
        state.used_ms = now_ms;
    }

    pub(crate) fn closed(&mut self, link: Link, s: &mut Step<'_>) {
        if self.phase(link) == Phase::Closed {
            return;
        }
        let now_ms = s.now_ms;
        self.link(link).closed(now_ms, s.rng);
        self.run.requests.retain(|_, (of, _)| *of != link);
        if link == Link::Owner {
            self.owner_is_gone();
        }
    }

    fn close(&mut self, link: Link, s: &mut Step<'_>) {
        s.out.push(Output::Close { link });
        self.closed(link, s);
    }

    /// Closes a connection whose box is not to be believed, and does not come back soon.
    pub(crate) fn close_for(&mut self, link: Link, wait_ms: u64, s: &mut Step<'_>) {
        self.close(link, s);
        let at_ms = s.now_ms.saturating_add(wait_ms);
        self.link(link).wait_until(at_ms);
    }

    /// Notes that the box spoke, and answers what belongs to the connection itself. What is left is for others.
    pub(crate) fn hear(&mut self, link: Link, body: ServerBody, s: &mut Step<'_>) -> Option<ServerBody> {
        let now_ms = s.now_ms;
        let state = self.link(link);
        state.heard_ms = now_ms;
        state.pinged = false;
        match (state.phase, body) {
            (Phase::Closed | Phase::Connecting, _) => None,
            (Phase::Greeting, ServerBody::Hello(hello)) => {
                self.hello(link, *hello, s);
                None
            }
            (Phase::Greeting, ServerBody::Challenge { nonce }) if state.limits.is_some() => {
                state.nonce = Some(nonce);
                state.phase = Phase::Open;
                if link == Link::Owner {
                    self.owner_is_open(s);
                }
                None
            }
            (_, ServerBody::Restarting { back_in }) => {
                state.restarting(now_ms, back_in, s.rng);
                s.notice(Notice::Restarting { link, back_in });
                None
            }
            (Phase::Greeting, ServerBody::Error { retry_after, .. }) => {
                // Too many connections, or a box that is going down: it says when to come back.
                let wait_ms =
                    retry_after.map_or(BACKOFF_MIN_MS, |after| after.as_millis().try_into().unwrap_or(u64::MAX));
                self.close_for(link, wait_ms.min(BACKOFF_STRANGER_MS), s);
                None
            }
            (Phase::Greeting, _) => None,
            // After a proof that was refused: the next one has another nonce.
            (Phase::Open, ServerBody::Challenge { nonce }) => {
                state.nonce = Some(nonce);
                None
            }
            (Phase::Open, body) => Some(body),
        }
    }

    /// Whether the box is the pinned one, on this very connection. Nothing secret was sent before, nothing is after, if
    /// it is not.
    fn hello(&mut self, link: Link, hello: Hello, s: &mut Step<'_>) {
        let Some(expected) = self.pin(link) else { return };
        let state = self.link(link);
        if hello.identity != expected {
            let got = hello.identity;
            self.another_box_answers(Notice::BoxIdentityChanged { link, expected, got }, expected, s);
            return self.close_for(link, BACKOFF_STRANGER_MS, s);
        }
        let proven = state.exporter.is_some_and(|exporter| {
            transcript::server(&exporter, &state.spki).is_signed_by(expected.as_bytes(), &hello.signature)
        });
        if !proven {
            self.another_box_answers(Notice::BoxNotProven { link, expected }, expected, s);
            return self.close_for(link, BACKOFF_STRANGER_MS, s);
        }
        state.limits = Some(hello.limits);
        state.record.clone_from(&hello.address_record);
        state.failures = 0;
        self.run.strangers.remove(&expected);
        self.remember_box(link, &hello, s);
    }

    /// Said loudly, once until the right one is back; what is for that box waits.
    fn another_box_answers(&mut self, notice: Notice, expected: BoxIdentity, s: &mut Step<'_>) {
        if self.run.strangers.insert(expected) {
            s.notice(notice);
        }
    }

    /// A connection that is waited with is tried now.
    pub(crate) fn try_now(&mut self, link: Link) {
        if let Some(state) = self.run.links.get_mut(&link).filter(|state| state.phase == Phase::Closed) {
            state.wait_until(0);
        }
    }

    /// A wake-up came: whatever was waited for, it is tried now.
    pub(crate) fn woken_up(&mut self) {
        for state in self.run.links.values_mut().filter(|state| state.phase == Phase::Closed) {
            state.wait_until(0);
        }
        self.run.pauses.clear();
    }

    fn remember_box(&mut self, link: Link, hello: &Hello, s: &mut Step<'_>) {
        let identity = hello.identity;
        if let Some(record) = &hello.address_record {
            for peer in self.state.peers.iter_mut().filter(|peer| peer.box_identity == identity) {
                self.run.batch.dirty |= peer.take_address_record(record);
            }
        }
        if let Some(home) = self.state.home.as_mut().filter(|home| home.identity == identity) {
            home.ttl_max_ms = u64::try_from(hello.limits.ttl_max.as_millis()).unwrap_or(u64::MAX);
            if let Some(record) = &hello.address_record {
                self.run.batch.dirty |= home.take_record(record);
            }
        }
        let Some(memory) = self.state.boxes.iter_mut().find(|memory| memory.identity == identity) else {
            self.state.boxes.push(BoxMemory::of(hello));
            self.run.batch.dirty = true;
            return;
        };
        let new_epoch = memory.epoch != hello.epoch;
        let lost: Vec<u64> = match new_epoch {
            true => hello.lost_windows.clone(),
            false => {
                let known = &memory.lost_windows;
                hello.lost_windows.iter().copied().filter(|window| !known.contains(window)).collect()
            }
        };
        let before = memory.record_sequence;
        let is_another = memory.is_another(hello);
        self.run.batch.dirty |= is_another || memory.record_sequence != before;
        memory.epoch = hello.epoch;
        memory.lost_windows.clone_from(&hello.lost_windows);
        if new_epoch || !lost.is_empty() {
            self.box_forgot(&identity, new_epoch, &lost);
            s.dirty = true;
            s.notice(Notice::BoxForgot { identity, lost_windows: lost.len() });
        }
        if is_another {
            s.notice(Notice::BoxTwice { link });
        }
    }

    /// Asks silent boxes, gives up dead connections, closes idle ones.
    pub(crate) fn tend_links(&mut self, s: &mut Step<'_>) {
        let links: Vec<Link> = self.run.links.keys().copied().collect();
        for link in links {
            let busy = self.run.requests.values().any(|(of, _)| *of == link);
            let now_ms = s.now_ms;
            let state = self.link(link);
            if !matches!(state.phase, Phase::Greeting | Phase::Open) {
                continue;
            }
            let silent_ms = now_ms.saturating_sub(state.heard_ms);
            let idle_ms = now_ms.saturating_sub(state.used_ms);
            if silent_ms >= DEAD_AFTER_MS {
                self.close(link, s);
            } else if link != Link::Owner && !busy && idle_ms >= IDLE_SENDER_MS {
                self.close(link, s);
                // It was closed on purpose: nothing failed.
                self.link(link).wait_until(0);
            } else if silent_ms >= PING_AFTER_MS && state.phase == Phase::Open {
                let at_ms = state.heard_ms.saturating_add(DEAD_AFTER_MS);
                if !state.pinged {
                    state.pinged = true;
                    self.ask(link, What::Ping, ClientBody::Ping, s);
                }
                s.wake(at_ms, WakeReason::Quiet);
            } else {
                let at_ms = state.heard_ms.saturating_add(match state.phase {
                    Phase::Open => PING_AFTER_MS,
                    _ => DEAD_AFTER_MS,
                });
                s.wake(at_ms, WakeReason::Quiet);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    #[test]
    fn a_box_that_cannot_be_reached_is_tried_less_and_less_often_and_never_given_up() {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let mut link = LinkState::default();
        let mut waits = Vec::new();
        for _ in 0..30 {
            link.phase = Phase::Connecting;
            link.not_before_ms = 0;
            link.closed(0, &mut rng);
            waits.push(link.not_before_ms);
        }
        assert!(waits[0] <= 2_000, "{waits:?}");
        assert!(waits.iter().all(|wait| (500..=BACKOFF_MAX_MS).contains(wait)), "{waits:?}");
        assert!(waits[29] >= BACKOFF_MAX_MS / 2);
        let mut different = waits[12..].to_vec();
        different.dedup();
        assert!(different.len() > 10, "clients do not come back in step: {waits:?}");
    }

    #[test]
    fn clients_of_a_restarting_box_spread_their_return() {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let mut times: Vec<u64> = (0..50)
            .map(|_| {
                let mut link = LinkState { phase: Phase::Open, ..LinkState::default() };
                link.restarting(0, Duration::from_secs(10), &mut rng);
                link.closed(0, &mut rng);
                link.not_before_ms
            })
            .collect();
        assert!(times.iter().all(|at| (10_000..=20_000).contains(at)), "{times:?}");
        times.sort_unstable();
        assert!(times[49] - times[0] > 5_000, "{times:?}");
    }
}
