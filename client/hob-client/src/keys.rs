//! This device's own keys, and when they rotate.

use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use hob_protocol::ids::{BoxIdentity, DeviceKey, MailboxId, MemberKey};
use hob_protocol::limits::{BUNDLE_TTL_MAX, KEEP_MAX};
use hob_protocol::planted;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::bundle::Bundle;
use crate::record::DeviceRecord;
use crate::seal::outer::{self, Prekey, PrekeySecret, SUITE};
use crate::seal::ratchet::Account;

/// How long a prekey is the published one, while the device is online.
pub(crate) const PREKEY_LIFE: Duration = Duration::from_secs(6 * 3600);

/// How long a replaced prekey still opens envelopes: the longest time a box keeps, and ten minutes.
pub(crate) const PREKEY_AFTERLIFE: Duration = Duration::from_secs(6 * 3600 + 10 * 60);

/// How long a fetched bundle is used.
pub(crate) const BUNDLE_CACHE: Duration = Duration::from_secs(30 * 60);

// An envelope sealed by a bundle cached as long as allowed, and kept as long as possible, still opens.
const _: () = assert!(KEEP_MAX.as_secs() + 10 * 60 <= PREKEY_AFTERLIFE.as_secs());

/// How long an Olm fallback key is the published one. The library keeps the one before it too.
pub(crate) const FALLBACK_LIFE: Duration = Duration::from_secs(15 * 86_400);

/// Member key, device keys, prekeys.
#[derive(Serialize, Deserialize)]
pub(crate) struct Keys {
    /// On the device that adds and removes others only.
    #[serde(with = "crate::raw")]
    pub(crate) member: Option<SigningKey>,
    /// Elsewhere: whose device this is.
    #[serde(default, with = "crate::raw")]
    member_public: Option<MemberKey>,
    /// And this device's record, as the member's list certifies it; empty before.
    #[serde(default, with = "crate::raw")]
    certified: Vec<u8>,
    #[serde(with = "crate::raw")]
    pub(crate) device: SigningKey,
    #[serde(with = "account_pickle")]
    pub(crate) olm: Account,
    /// The library forgets which one it is once it is marked as published.
    #[serde(with = "crate::raw")]
    fallback_public: [u8; 32],
    fallback_made_ms: u64,
    /// Newest last.
    prekeys: Vec<OwnPrekey>,
    generation: u64,
    /// What the box hands out, as far as it confirmed.
    published: Option<Published>,
}

#[derive(Serialize, Deserialize)]
struct OwnPrekey {
    id: u32,
    #[serde(with = "crate::raw")]
    secret: PrekeySecret,
    /// When a newer one was published in its place.
    retired_ms: Option<u64>,
}

/// Which keys a published bundle holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Published {
    pub(crate) prekey_id: u32,
    #[serde(with = "crate::raw")]
    fallback_public: [u8; 32],
    pub(crate) at_ms: u64,
}

mod account_pickle {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::seal::ratchet::{Account, AccountPickle};

    pub(super) fn serialize<S: Serializer>(account: &Account, serializer: S) -> Result<S::Ok, S::Error> {
        account.pickle().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Account, D::Error> {
        AccountPickle::deserialize(deserializer).map(Account::from_pickle)
    }
}

fn signing_key(rng: &mut dyn CryptoRng) -> SigningKey {
    let mut seed = Zeroizing::new([0; 32]);
    rng.fill_bytes(&mut *seed);
    SigningKey::from_bytes(&seed)
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Keys {
    pub(crate) fn generate(now_ms: u64, rng: &mut dyn CryptoRng) -> Self {
        let mut keys = Self {
            member: Some(signing_key(rng)),
            member_public: None,
            certified: Vec::new(),
            device: signing_key(rng),
            olm: Account::new(),
            fallback_public: [0; 32],
            fallback_made_ms: now_ms,
            prekeys: Vec::new(),
            generation: 0,
            published: None,
        };
        keys.new_fallback(now_ms);
        keys.new_prekey(rng);
        keys
    }

    pub(crate) fn member_key(&self) -> MemberKey {
        match (&self.member, self.member_public) {
            (Some(member), _) => MemberKey(member.verifying_key().to_bytes()),
            (None, Some(member)) => member,
            // A state that somebody wrote by hand: nobody's device.
            (None, None) => MemberKey([0; 32]),
        }
    }

    pub(crate) fn device_key(&self) -> DeviceKey {
        DeviceKey(self.device.verifying_key().to_bytes())
    }

    pub(crate) fn mailbox(&self) -> MailboxId {
        MailboxId::of_device(&self.device_key())
    }

    pub(crate) fn record(&self, home_box: BoxIdentity) -> DeviceRecord {
        let olm_identity = self.olm.curve25519_key().to_bytes();
        if let Some(member) = &self.member {
            return DeviceRecord::sign(member, &self.device, olm_identity, home_box);
        }
        let half = DeviceRecord::half(&self.device, self.member_key(), olm_identity, home_box);
        DeviceRecord::decode(&self.certified).ok().filter(|record| record.names_the_same(&half)).unwrap_or(half)
    }

    /// This device is to be one of a member whose key is elsewhere.
    pub(crate) fn belong_to(&mut self, member: MemberKey) {
        self.member = None;
        self.member_public = Some(member);
        self.certified.clear();
    }

    /// This device holds the member key from now on.
    pub(crate) fn hold(&mut self, member: SigningKey) {
        self.member = Some(member);
        self.member_public = None;
    }

    /// Nothing came of belonging to somebody: a member of its own again.
    pub(crate) fn belong_to_nobody(&mut self, rng: &mut dyn CryptoRng) {
        self.hold(signing_key(rng));
    }

    /// The member's list names this device: the bundle says so from its next generation on.
    pub(crate) fn take_certificate(&mut self, record: &DeviceRecord) {
        self.certified = record.encode();
        self.published = None;
    }

    /// The private half of a prekey that still lives.
    pub(crate) fn prekey_secret(&self, id: u32) -> Option<PrekeySecret> {
        self.prekeys.iter().find(|prekey| prekey.id == id).map(|prekey| prekey.secret.clone())
    }

    fn new_fallback(&mut self, now_ms: u64) {
        self.olm.generate_fallback_key();
        if let Some(key) = self.olm.fallback_key().values().next() {
            self.fallback_public = key.to_bytes();
        }
        self.olm.mark_keys_as_published();
        self.fallback_made_ms = now_ms;
    }

    fn new_prekey(&mut self, rng: &mut dyn CryptoRng) {
        let (secret, Prekey { id, public: _ }) = outer::generate_prekey(rng);
        self.prekeys.push(OwnPrekey { id, secret, retired_ms: None });
    }

    /// Rotates what is due, and destroys what has outlived its afterlife. Only while online and caught up: until then
    /// envelopes may be waiting that were sealed to the old ones. True: there is a bundle to publish.
    pub(crate) fn rotate(&mut self, now_ms: u64, rng: &mut dyn CryptoRng) -> bool {
        let prekey_is_due =
            self.published.is_some_and(|published| now_ms >= published.at_ms.saturating_add(ms(PREKEY_LIFE)))
                && self.newest().map(|prekey| prekey.id) == self.published.map(|published| published.prekey_id);
        if prekey_is_due {
            self.new_prekey(rng);
        }
        if now_ms >= self.fallback_made_ms.saturating_add(ms(FALLBACK_LIFE)) {
            self.new_fallback(now_ms);
        }
        self.prekeys.retain(|prekey| {
            let afterlife = if planted!("prekeys-die-early") { 0 } else { ms(PREKEY_AFTERLIFE) };
            prekey.retired_ms.is_none_or(|retired| now_ms < retired.saturating_add(afterlife))
        });
        self.is_unpublished()
    }

    /// Makes a prekey before its time: the box hands out one that this device does not have.
    pub(crate) fn renew(&mut self, rng: &mut dyn CryptoRng) {
        if !self.is_unpublished() {
            self.new_prekey(rng);
        }
    }

    /// When [`Keys::rotate`] has something to do next.
    pub(crate) fn rotates_at_ms(&self) -> Option<u64> {
        let prekey = self.published.map(|published| published.at_ms.saturating_add(ms(PREKEY_LIFE)));
        let dying = self
            .prekeys
            .iter()
            .filter_map(|prekey| prekey.retired_ms)
            .map(|retired| retired.saturating_add(ms(PREKEY_AFTERLIFE)));
        prekey.into_iter().chain(dying).min()
    }

    #[cfg(test)]
    pub(crate) fn newest_id(&self) -> Option<u32> {
        self.newest().map(|prekey| prekey.id)
    }

    fn newest(&self) -> Option<&OwnPrekey> {
        self.prekeys.last()
    }

    /// Whether the box hands out other keys than the newest, as far as is known.
    pub(crate) fn is_unpublished(&self) -> bool {
        let newest = self.newest().map(|prekey| prekey.id);
        self.published.is_none_or(|published| {
            Some(published.prekey_id) != newest || published.fallback_public != self.fallback_public
        })
    }

    /// A bundle of the newest keys, for publishing. The clock keeps its generation growing even where a state was
    /// restored from an older copy.
    pub(crate) fn bundle(&mut self, now_ms: u64, home_box: BoxIdentity) -> Option<(Published, Bytes)> {
        let now_s = now_ms / 1000;
        self.generation = (self.generation.saturating_add(1)).max(now_s);
        let newest = self.newest()?;
        let bundle = Bundle {
            record: self.record(home_box),
            prekey: Prekey { id: newest.id, public: outer::prekey_public(&newest.secret) },
            olm_fallback: self.fallback_public,
            suites: vec![SUITE],
            generation: self.generation,
            expires_at_s: now_s.saturating_add(BUNDLE_TTL_MAX.as_secs()),
        };
        let published = Published { prekey_id: newest.id, fallback_public: self.fallback_public, at_ms: now_ms };
        Some((published, bundle.sign(&self.device)))
    }

    /// The box took the bundle: older prekeys begin their afterlife.
    pub(crate) fn published(&mut self, published: Published) {
        for prekey in &mut self.prekeys {
            if prekey.id != published.prekey_id && prekey.retired_ms.is_none() {
                prekey.retired_ms = Some(published.at_ms);
            }
        }
        self.published = Some(match self.published {
            // The same prekey published again (the box lost it) does not live longer.
            Some(before) if before.prekey_id == published.prekey_id => Published { at_ms: before.at_ms, ..published },
            _ => published,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    const HOUR: u64 = 3_600_000;
    const HOME: BoxIdentity = BoxIdentity([4; 32]);

    fn publish(keys: &mut Keys, now_ms: u64) -> u32 {
        let (published, bytes) = keys.bundle(now_ms, HOME).unwrap();
        assert!(bytes.len() <= hob_protocol::limits::BUNDLE_BYTES_MAX);
        keys.published(published);
        published.prekey_id
    }

    #[test]
    fn a_prekey_is_replaced_after_six_hours_and_dies_six_hours_and_ten_minutes_later() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let mut keys = Keys::generate(0, &mut rng);
        assert!(keys.is_unpublished());
        let first = publish(&mut keys, 0);
        assert!(!keys.rotate(6 * HOUR - 1, &mut rng));
        assert!(keys.rotate(6 * HOUR, &mut rng));
        assert!(keys.rotate(9 * HOUR, &mut rng), "not published yet: nothing more is made");
        assert_ne!(publish(&mut keys, 10 * HOUR), first);
        let dies_ms = 16 * HOUR + 600_000;
        keys.rotate(dies_ms - 1, &mut rng);
        assert!(keys.prekey_secret(first).is_some());
        keys.rotate(dies_ms, &mut rng);
        assert!(keys.prekey_secret(first).is_none());
    }

    #[test]
    fn a_bundle_published_again_is_newer_and_its_prekey_no_younger() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let mut keys = Keys::generate(0, &mut rng);
        publish(&mut keys, 0);
        let generation = keys.generation;
        publish(&mut keys, 5 * HOUR);
        assert!(keys.generation > generation);
        assert_eq!(keys.rotates_at_ms(), Some(6 * HOUR));
    }
}
