//! How many connections one address may open. Too many are delayed, never banned: a household, a hairpin and a proxy
//! are one address.
//!
//! Newest first: whoever comes last is let in next, and gives up last. Under a flood from one address that serves the
//! member behind it, who comes once and waits, before the flood, which comes and goes. And when all places for
//! unproven connections are taken, the one that has shown nothing for longest makes room.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use crate::ConnId;

/// What counts as one address: an IPv4 address, or the /64 of an IPv6 one. Kept in memory only, never logged.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prefix(u64);

impl Prefix {
    /// The prefix of an address; an IPv4 address mapped into IPv6 counts as itself.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(u64::from(u32::from(v4))),
            // A global /64 never has all upper 32 bits zero, so the two kinds do not meet.
            IpAddr::V6(v6) => Self((u128::from(v6) >> 64) as u64),
        }
    }

    pub(crate) const fn bytes(self) -> [u8; 8] {
        self.0.to_le_bytes()
    }
}

impl std::fmt::Debug for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("Prefix(…)")
    }
}

/// The gate's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateConfig {
    /// Connections of one address that have shown neither token nor proof.
    pub half_open: usize,
    /// New connections of one address in a second, once its burst is used up.
    pub new_per_second: u32,
    /// New connections of one address at once.
    pub burst: u32,
    /// Connections of one address that may wait to be let in.
    pub waiting: usize,
}

impl Default for GateConfig {
    fn default() -> Self {
        Self { half_open: 100, new_per_second: 50, burst: 100, waiting: 512 }
    }
}

/// What the shell does with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Begin its handshake.
    Admit(ConnId),
    /// Close it: it showed nothing and others wait, or too many wait.
    Drop(ConnId),
}

#[derive(Debug)]
struct Place {
    /// Let in and unproven, oldest first.
    half_open: VecDeque<ConnId>,
    /// Waiting, newest last.
    waiting: VecDeque<ConnId>,
    /// Thousandths of an admission.
    milli: u64,
    filled_at: Duration,
}

/// All addresses that have unproven connections.
#[derive(Debug)]
pub struct Gate {
    config: GateConfig,
    places: HashMap<Prefix, Place>,
    of: HashMap<ConnId, Prefix>,
}

impl Gate {
    /// An open gate.
    pub fn new(config: GateConfig) -> Self {
        Self { config, places: HashMap::new(), of: HashMap::new() }
    }

    /// A connection was accepted by the kernel. `now` is a monotone time.
    pub fn arrive(&mut self, now: Duration, prefix: Prefix, conn: ConnId) -> Vec<Verdict> {
        let full = u64::from(self.config.burst) * 1000;
        let place = self.places.entry(prefix).or_insert_with(|| Place {
            half_open: VecDeque::new(),
            waiting: VecDeque::new(),
            milli: full,
            filled_at: now,
        });
        place.waiting.push_back(conn);
        self.of.insert(conn, prefix);
        let mut verdicts = Vec::new();
        if place.waiting.len() > self.config.waiting
            && let Some(oldest) = place.waiting.pop_front()
        {
            self.of.remove(&oldest);
            verdicts.push(Verdict::Drop(oldest));
        }
        self.let_in(now, prefix, &mut verdicts);
        verdicts
    }

    /// The connection showed a good token or proof: it is charged to that from now on.
    pub fn established(&mut self, now: Duration, conn: ConnId) -> Vec<Verdict> {
        self.closed(now, conn)
    }

    /// The connection is gone.
    pub fn closed(&mut self, now: Duration, conn: ConnId) -> Vec<Verdict> {
        let Some(prefix) = self.of.remove(&conn) else {
            return Vec::new();
        };
        if let Some(place) = self.places.get_mut(&prefix) {
            place.half_open.retain(|&other| other != conn);
            place.waiting.retain(|&other| other != conn);
        }
        let mut verdicts = Vec::new();
        self.let_in(now, prefix, &mut verdicts);
        verdicts
    }

    /// Time passed: lets in who may come by now. To be called about every 20 ms while [`Self::someone_waits`].
    pub fn timeout(&mut self, now: Duration) -> Vec<Verdict> {
        let prefixes: Vec<Prefix> = self.places.keys().copied().collect();
        let mut verdicts = Vec::new();
        for prefix in prefixes {
            self.let_in(now, prefix, &mut verdicts);
        }
        verdicts
    }

    /// Whether a call of [`Self::timeout`] can have any effect.
    pub fn someone_waits(&self) -> bool {
        self.places.values().any(|place| !place.waiting.is_empty())
    }

    fn let_in(&mut self, now: Duration, prefix: Prefix, verdicts: &mut Vec<Verdict>) {
        let Some(place) = self.places.get_mut(&prefix) else {
            return;
        };
        let full = u64::from(self.config.burst) * 1000;
        let passed_ms = u64::try_from(now.saturating_sub(place.filled_at).as_millis()).unwrap_or(u64::MAX);
        if passed_ms > 0 {
            let gained = passed_ms.saturating_mul(u64::from(self.config.new_per_second));
            place.milli = place.milli.saturating_add(gained).min(full);
            place.filled_at = now;
        }
        while place.milli >= 1000
            && let Some(conn) = place.waiting.pop_back()
        {
            place.milli -= 1000;
            if place.half_open.len() >= self.config.half_open
                && let Some(oldest) = place.half_open.pop_front()
            {
                self.of.remove(&oldest);
                verdicts.push(Verdict::Drop(oldest));
            }
            place.half_open.push_back(conn);
            verdicts.push(Verdict::Admit(conn));
        }
        if place.half_open.is_empty() && place.waiting.is_empty() && place.milli >= full {
            self.places.remove(&prefix);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn home() -> Prefix {
        Prefix::of("192.0.2.1".parse().unwrap())
    }

    #[test]
    fn a_member_behind_a_flooding_address_is_let_in_within_a_second() {
        let mut gate = Gate::new(GateConfig::default());
        for garbage in 0..300 {
            let _ = gate.arrive(ms(0), home(), ConnId(garbage));
        }
        let member = ConnId(1000);
        let mut verdicts = gate.arrive(ms(10), home(), member);
        let mut now = 10;
        while !verdicts.contains(&Verdict::Admit(member)) {
            now += 20;
            assert!(now < 1000, "still waiting");
            verdicts = gate.timeout(ms(now));
        }
        for later in 1..50 {
            assert!(!gate.timeout(ms(now + later)).contains(&Verdict::Drop(member)), "given time for its handshake");
        }
    }

    #[test]
    fn one_address_never_holds_more_unproven_connections_than_it_may() {
        let mut gate = Gate::new(GateConfig::default());
        let mut open = std::collections::HashSet::new();
        for conn in 0..5000 {
            for verdict in gate.arrive(ms(conn * 5), home(), ConnId(conn)) {
                match verdict {
                    Verdict::Admit(conn) => assert!(open.insert(conn)),
                    Verdict::Drop(conn) => drop(open.remove(&conn)),
                }
            }
            assert!(open.len() <= 100);
        }
    }

    #[test]
    fn another_address_does_not_wait_for_the_flood() {
        let mut gate = Gate::new(GateConfig::default());
        for garbage in 0..600 {
            let _ = gate.arrive(ms(0), home(), ConnId(garbage));
        }
        let other = Prefix::of("2001:db8::1".parse().unwrap());
        assert_eq!(gate.arrive(ms(1), other, ConnId(9999)), [Verdict::Admit(ConnId(9999))]);
    }

    #[test]
    fn an_address_is_forgotten_when_it_has_no_connections_left() {
        let mut gate = Gate::new(GateConfig::default());
        let _ = gate.arrive(ms(0), home(), ConnId(1));
        let _ = gate.closed(ms(1000), ConnId(1));
        assert!(gate.places.is_empty() && gate.of.is_empty());
    }

    #[test]
    fn the_same_ipv4_address_counts_once_whether_mapped_into_ipv6_or_not() {
        assert_eq!(Prefix::of("::ffff:192.0.2.1".parse().unwrap()), home());
    }
}
