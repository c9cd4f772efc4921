//! Who may take how much: the keeper's settings, and the buckets that enforce rates.

use std::time::Duration;

use hob_protocol::frame::Limits;
use hob_protocol::limits::{KEEP_MAX, TOKENS_PER_MAILBOX, TTL_MIN, WINDOW_LENGTH};

use crate::clock::BoxTime;

/// Quotas and rates. The defaults are those of a household.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How long anything is kept: one hour to six.
    pub retention: Duration,
    /// Envelopes that one mailbox holds.
    pub mailbox_envelopes: u32,
    /// Bytes that one mailbox holds.
    pub mailbox_bytes: u64,
    /// Places of a mailbox that are left to the smallest envelopes.
    pub mailbox_small_places: u32,
    /// Submits that a token may make at once.
    pub token_burst: u32,
    /// Submits a second that a token is given back.
    pub token_per_second: u32,
    /// Unacknowledged envelopes in flight to one owner.
    pub credit_max: u32,
    /// Bundle fetches of one token in an hour.
    pub bundle_fetches_per_hour: u32,
    /// Changes to the ledger that one owner may make at once.
    pub owner_burst: u32,
    /// Changes to the ledger that one owner is given back in a minute.
    pub owner_per_minute: u32,
    /// Members that the box takes.
    pub members: u32,
    /// Devices of one member.
    pub devices_per_member: u32,
    /// Bytes pending in the whole box.
    pub box_bytes: u64,
    /// Ids remembered in the whole box, pending or done.
    pub box_ids: u32,
    /// How long a connection may stay without showing a token or a proof.
    pub unproven_for: Duration,
    /// How long a sender's connection may stay silent.
    pub sender_idle_for: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            retention: KEEP_MAX,
            mailbox_envelopes: 2_000,
            mailbox_bytes: 32 << 20,
            mailbox_small_places: 200,
            token_burst: 256,
            token_per_second: 20,
            credit_max: 64,
            bundle_fetches_per_hour: 20,
            owner_burst: 2_048,
            owner_per_minute: 60,
            members: 1_000,
            devices_per_member: 16,
            box_bytes: 4 << 30,
            box_ids: 4_000_000,
            unproven_for: Duration::from_secs(30),
            sender_idle_for: Duration::from_secs(10 * 60),
        }
    }
}

impl Config {
    /// The longest time to live: an envelope accepted in a window's last second still dies with the window.
    pub fn ttl_max(&self) -> Duration {
        self.retention.min(KEEP_MAX).saturating_sub(WINDOW_LENGTH).max(TTL_MIN)
    }

    /// What the hello tells.
    pub fn limits(&self) -> Limits {
        Limits {
            ttl_max: self.ttl_max(),
            ttl_min: TTL_MIN,
            mailbox_envelopes: self.mailbox_envelopes,
            mailbox_bytes: self.mailbox_bytes,
            token_burst: self.token_burst,
            token_per_second: self.token_per_second,
            credit_max: self.credit_max,
            bundle_fetches_per_hour: self.bundle_fetches_per_hour,
            tokens_per_mailbox: u32::try_from(TOKENS_PER_MAILBOX).unwrap_or(u32::MAX),
        }
    }
}

/// A token bucket over box time, counting in thousandths so that no float is needed.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    milli: u64,
    filled_at: BoxTime,
}

impl Bucket {
    /// A full one.
    pub fn full(now: BoxTime, burst: u32) -> Self {
        Self { milli: u64::from(burst) * 1000, filled_at: now }
    }

    /// Takes `count`, or says how long until that many are there.
    ///
    /// # Errors
    /// How long to wait.
    pub fn take(&mut self, now: BoxTime, count: u32, burst: u32, per: (u32, Duration)) -> Result<(), Duration> {
        let per_ms = u64::try_from(per.1.as_millis()).unwrap_or(u64::MAX).max(1);
        let rate = u64::from(per.0).max(1) * 1000;
        let passed_ms = now.0.saturating_sub(self.filled_at.0);
        let gained = passed_ms.saturating_mul(rate) / per_ms;
        if gained > 0 {
            self.milli = self.milli.saturating_add(gained).min(u64::from(burst) * 1000);
            self.filled_at = now;
        }
        let wanted = u64::from(count) * 1000;
        match self.milli.checked_sub(wanted) {
            Some(left) => {
                self.milli = left;
                Ok(())
            }
            None => Err(Duration::from_millis((wanted - self.milli).saturating_mul(per_ms).div_ceil(rate))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: (u32, Duration) = (20, Duration::from_secs(1));

    #[test]
    fn a_bucket_gives_its_burst_then_its_rate_and_says_how_long_to_wait() {
        let mut bucket = Bucket::full(BoxTime(0), 3);
        for _ in 0..3 {
            assert_eq!(bucket.take(BoxTime(0), 1, 3, SECOND), Ok(()));
        }
        assert_eq!(bucket.take(BoxTime(0), 1, 3, SECOND), Err(Duration::from_millis(50)));
        assert_eq!(bucket.take(BoxTime(49), 1, 3, SECOND), Err(Duration::from_millis(1)));
        assert_eq!(bucket.take(BoxTime(50), 1, 3, SECOND), Ok(()));
    }

    #[test]
    fn a_bucket_never_holds_more_than_its_burst() {
        let mut bucket = Bucket::full(BoxTime(0), 2);
        assert_eq!(bucket.take(BoxTime(u64::MAX), 2, 2, SECOND), Ok(()));
        assert!(bucket.take(BoxTime(u64::MAX), 1, 2, SECOND).is_err());
    }

    #[test]
    fn the_longest_time_to_live_always_dies_with_its_window() {
        for hours in 1..=6 {
            let config = Config { retention: Duration::from_secs(hours * 3600), ..Config::default() };
            assert!(config.ttl_max() + WINDOW_LENGTH <= config.retention);
        }
    }
}
