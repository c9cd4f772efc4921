//! How often somebody may guess a password, a one-time code or the set-up code.
//!
//! Each source waits longer after each wrong guess, half a minute at most. A browser that signed in before is a source of
//! its own, known by a cookie that only this box can make: so whoever guesses from the same address does not keep the
//! owner out. Many sources at once only make each guess take longer. Nobody is ever locked out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use hob_relay::keeping::KeeperId;
use zeroize::Zeroizing;

/// Wrong guesses that cost nothing: people mistype.
const FREE: u32 = 5;

/// The longest wait of a source.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// A source that guessed nothing wrong for so long is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(15 * 60);

/// Sources that are told apart.
const SOURCES_MAX: usize = 4096;

/// Wrong guesses in a minute, of all sources, after which each takes a second.
const MANY_A_MINUTE: u32 = 30;

/// What each guess takes then.
const SLOWER_BY: Duration = Duration::from_secs(1);

const KNOWN_ID_BYTES: usize = 16;
const KNOWN_MAC_BYTES: usize = 16;

/// Who guesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// Somebody at an address.
    Address(IpAddr),
    /// A browser that signed in before.
    Known([u8; KNOWN_ID_BYTES]),
}

/// Counts guesses.
pub struct Limits {
    sources: Mutex<Sources>,
    /// Makes cookies of known browsers; of the box's identity, so that they outlive a restart.
    key: Zeroizing<[u8; 32]>,
}

#[derive(Default)]
struct Sources {
    of: HashMap<Source, Guesses>,
    /// The step of the last one-time code that each keeper used.
    used_codes: HashMap<KeeperId, u64>,
    /// When the running minute began, and how many were wrong in it.
    minute: (Duration, u32),
}

#[derive(Clone, Copy)]
struct Guesses {
    wrong: u32,
    last: Duration,
}

impl Limits {
    /// Nobody guessed yet.
    pub fn new(identity_seed: &[u8; 32]) -> Self {
        let key =
            Zeroizing::new(blake3::derive_key("hob 2026 browsers that signed in to the dashboard", identity_seed));
        Self { sources: Mutex::default(), key }
    }

    /// Whether a source may guess now, and how long the guess is to be held up; else how long it has to wait.
    ///
    /// # Errors
    /// How long.
    pub fn may_guess(&self, source: Source, now: Duration) -> Result<Duration, Duration> {
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(guesses) = sources.of.get(&source) {
            let until = guesses.last + wait_after(guesses.wrong);
            if until > now {
                return Err(until - now);
            }
        }
        let (began, wrong) = sources.minute;
        let many = wrong >= MANY_A_MINUTE && now.saturating_sub(began) < Duration::from_secs(60);
        Ok(if many && matches!(source, Source::Address(_)) { SLOWER_BY } else { Duration::ZERO })
    }

    /// A guess was wrong.
    pub fn wrong(&self, source: Source, now: Duration) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(sources.minute.0) >= Duration::from_secs(60) {
            sources.minute = (now, 0);
        }
        sources.minute.1 += 1;
        if sources.of.len() >= SOURCES_MAX {
            sources.of.retain(|_, guesses| now.saturating_sub(guesses.last) < FORGOTTEN_AFTER);
        }
        if sources.of.len() >= SOURCES_MAX && !sources.of.contains_key(&source) {
            // So many addresses at once are one attacker's: the minute's count slows all of them.
            return;
        }
        let guesses = sources.of.entry(source).or_insert(Guesses { wrong: 0, last: now });
        if now.saturating_sub(guesses.last) >= FORGOTTEN_AFTER {
            guesses.wrong = 0;
        }
        guesses.wrong += 1;
        guesses.last = now;
    }

    /// A guess was right.
    pub fn right(&self, source: Source) {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).of.remove(&source);
    }

    /// A keeper's one-time code is good; whether it is the first time that it, or a later one, is used (RFC 6238, section 5.2).
    pub fn use_code(&self, keeper: KeeperId, step: u64) -> bool {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let last = sources.used_codes.entry(keeper).or_default();
        let is_new = step > *last;
        *last = step.max(*last);
        is_new
    }

    /// Who guesses: the browser, if its cookie is one of this box for a keeper, else the address.
    pub fn source(&self, cookie: Option<&str>, address: IpAddr) -> Source {
        let known = || {
            let bytes = BASE64URL_NOPAD.decode(cookie?.as_bytes()).ok()?;
            let (id, mac) = bytes.split_at_checked(KNOWN_ID_BYTES)?;
            let id: [u8; KNOWN_ID_BYTES] = id.try_into().ok()?;
            (blake3::hash(mac) == blake3::hash(&self.mac(&id))).then_some(Source::Known(id))
        };
        known().unwrap_or(Source::Address(address))
    }

    /// A cookie for a browser that signed in.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn known_cookie(&self) -> Result<String, getrandom::Error> {
        let mut id = [0; KNOWN_ID_BYTES];
        getrandom::fill(&mut id)?;
        let mut cookie = id.to_vec();
        cookie.extend_from_slice(&self.mac(&id));
        Ok(BASE64URL_NOPAD.encode(&cookie))
    }

    fn mac(&self, id: &[u8; KNOWN_ID_BYTES]) -> [u8; KNOWN_MAC_BYTES] {
        let mut mac = [0; KNOWN_MAC_BYTES];
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(id).finalize_xof().fill(&mut mac);
        mac
    }
}

/// 0 for the first few, then 1, 2, 4 … seconds.
fn wait_after(wrong: u32) -> Duration {
    match wrong.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(more) => Duration::from_secs(1_u64 << more.min(10)).min(WAIT_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVE: Source = Source::Address(IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 66)));
    const ADA: Source = Source::Address(IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 2)));

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn each_wrong_guess_costs_more_and_half_a_minute_at_most() {
        let limits = Limits::new(&[1; 32]);
        let mut now = at(1000);
        let mut waits = Vec::new();
        for _ in 0..14 {
            waits.push(limits.may_guess(EVE, now).err().unwrap_or_default().as_secs());
            now += limits.may_guess(EVE, now).err().unwrap_or_default();
            limits.wrong(EVE, now);
        }
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30, 30, 30]);
    }

    #[test]
    fn thousands_of_wrong_guesses_elsewhere_hold_the_owner_up_by_a_second_at_most() {
        let limits = Limits::new(&[1; 32]);
        for number in 0..10_000_u32 {
            limits.wrong(Source::Address(IpAddr::V4(number.into())), at(1000));
        }
        assert_eq!(limits.may_guess(ADA, at(1001)), Ok(SLOWER_BY));
        assert_eq!(limits.may_guess(ADA, at(1061)), Ok(Duration::ZERO));
        assert!(limits.sources.lock().unwrap().of.len() <= SOURCES_MAX);
    }

    #[test]
    fn a_browser_that_signed_in_before_waits_for_nobody_at_the_same_address() {
        let limits = Limits::new(&[1; 32]);
        let cookie = limits.known_cookie().unwrap();
        let Source::Address(address) = EVE else { panic!("an address") };
        for _ in 0..100 {
            limits.wrong(EVE, at(5));
        }
        assert!(limits.may_guess(limits.source(None, address), at(6)).is_err());
        assert_eq!(limits.may_guess(limits.source(Some(&cookie), address), at(6)), Ok(Duration::ZERO));
        assert_eq!(limits.source(Some(&cookie[1..]), address), EVE, "nobody else can make one");
        assert_eq!(Limits::new(&[2; 32]).source(Some(&cookie), address), EVE, "another box's is none here");
        assert_ne!(Limits::new(&[1; 32]).source(Some(&cookie), address), EVE, "a restart does not forget it");
    }

    #[test]
    fn a_one_time_code_is_used_once() {
        let limits = Limits::new(&[1; 32]);
        let ada = KeeperId([1; 16]);
        assert!(
            limits.use_code(ada, 7) && !limits.use_code(ada, 7) && !limits.use_code(ada, 6) && limits.use_code(ada, 8)
        );
    }

    #[test]
    fn a_right_guess_forgets_the_wrong_ones() {
        let limits = Limits::new(&[1; 32]);
        for _ in 0..9 {
            limits.wrong(ADA, at(5));
        }
        limits.right(ADA);
        assert_eq!(limits.may_guess(ADA, at(5)), Ok(Duration::ZERO));
    }
}
