//! Sessions of web devices: what a good proof is changed for. In memory only; a restart ends them all, and signing in by
//! challenge always works.
//!
//! - The *challenge* is stateless: random bytes and a MAC over them and the minute. That it is used once only is
//!   remembered for the two minutes that it is good.
//! - The *access token* is a JWT (RFC 7519), EdDSA (RFC 8037), with the box's identity as audience, under a key that is
//!   new at every start. It names its family, so that what was logged out is out at once.
//! - *Refresh tokens* of a family follow from each other: the newest is good, its predecessor for a minute more (an
//!   answer can be lost) and gives the same successor, and an older one ends the family: somebody has a copy.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use hob_protocol::code::{Code, Refused};
use hob_protocol::ids::{BoxIdentity, DeviceKey};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// How long an access token is good.
pub const ACCESS_FOR: Duration = Duration::from_secs(15 * 60);

/// How long a challenge is good, at least; at most twice as long.
pub const CHALLENGE_FOR: Duration = Duration::from_secs(60);

/// How long the predecessor of a refresh token still gives its successor.
pub const REPEAT_WITHIN: Duration = Duration::from_secs(60);

/// How long a family lives without being used.
pub const FAMILY_IDLE_FOR: Duration = Duration::from_secs(14 * 24 * 3600);

/// Families of one device; one more takes the place of the one that was not used for longest.
pub const FAMILIES_PER_DEVICE: usize = 8;

/// Families in all; likewise.
const FAMILIES_MAX: usize = 16_384;

/// Challenges remembered as used.
const USED_MAX: usize = 16_384;

const REFRESH_BYTES: usize = 16 + 4 + 32;

/// The name of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FamilyId([u8; 16]);

/// A good access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub device: DeviceKey,
    /// In which family.
    pub family: FamilyId,
    /// How long the token is still good.
    pub expires_in: Duration,
}

/// What a client is given.
#[derive(Clone, PartialEq, Eq)]
pub struct Tokens {
    /// For the `Authorization` header.
    pub access: String,
    /// For the next pair.
    pub refresh: String,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { access: _, refresh: _ } = self;
        f.write_str("Tokens(…)")
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    /// The box's identity, hex.
    aud: String,
    /// The device's key, hex.
    sub: String,
    /// The family, hex.
    sid: String,
    /// Unix time in seconds, by the clock of the box's start.
    iat: u64,
    /// Likewise.
    exp: u64,
}

struct Family {
    device: DeviceKey,
    /// Of the newest refresh token.
    generation: u32,
    rotated_at: Duration,
    used_at: Duration,
}

#[derive(Default)]
struct State {
    families: HashMap<FamilyId, Family>,
    /// Random halves of challenges that logged somebody in, by the minute.
    used: HashMap<[u8; 16], u64>,
    /// The minute in which the old ones of these were last thrown away.
    swept_in: u64,
    counter: u64,
}

/// All sessions of a box.
pub struct Sessions {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    audience: String,
    /// Keys challenges, families and refresh tokens.
    key: Zeroizing<[u8; 32]>,
    /// Unix time at monotone time 0. The wall clock may be set later: how long a token lives does not change by that.
    unix_zero_s: u64,
    state: Mutex<State>,
}

/// No key can be made.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes for the keys of sessions")]
pub struct NoKeys;

impl Sessions {
    /// With keys of its own.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn new(identity: &BoxIdentity, monotone: Duration, unix_ms: u64) -> Result<Self, NoKeys> {
        let mut seed = Zeroizing::new([0; 32]);
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).and_then(|()| getrandom::fill(&mut *key)).map_err(|_| NoKeys)?;
        let signing = SigningKey::from_bytes(&seed);
        let pkcs8 = signing.to_pkcs8_der().map_err(|_| NoKeys)?;
        let audience = identity.to_string();
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[&audience]);
        validation.set_required_spec_claims(&["exp", "aud", "sub"]);
        // By our own clock, which nobody sets.
        validation.validate_exp = false;
        Ok(Self {
            encoding: EncodingKey::from_ed_der(pkcs8.as_bytes()),
            decoding: DecodingKey::from_ed_der(signing.verifying_key().as_bytes()),
            validation,
            audience,
            key,
            unix_zero_s: (unix_ms / 1000).saturating_sub(monotone.as_secs()),
            state: Mutex::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in there is half done between two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mac(&self, context: &[u8], parts: &[&[u8]]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(context);
        for part in parts {
            hasher.update(part);
        }
        hasher.finalize()
    }

    /// Sixteen bytes that nobody can foresee, never the same twice.
    fn fresh(&self, state: &mut State) -> [u8; 16] {
        state.counter += 1;
        first_half(&self.mac(b"fresh", &[&state.counter.to_le_bytes()]))
    }

    fn challenge_mac(&self, random: &[u8; 16], minute: u64) -> [u8; 16] {
        first_half(&self.mac(b"challenge", &[random, &minute.to_le_bytes()]))
    }

    /// Something to sign.
    pub fn challenge(&self, now: Duration) -> [u8; 32] {
        let random = self.fresh(&mut self.lock());
        let mac = self.challenge_mac(&random, minute_of(now));
        let mut nonce = [0; 32];
        nonce[..16].copy_from_slice(&random);
        nonce[16..].copy_from_slice(&mac);
        nonce
    }

    /// Whether a challenge is one of this box, recent, and logged nobody in before.
    ///
    /// # Errors
    /// [`Code::BadProof`]; [`Code::TooFast`] when too many were used in this minute.
    pub fn check_challenge(&self, now: Duration, nonce: &[u8; 32]) -> Result<(), Refused> {
        let random = random_of(nonce);
        let minute = minute_of(now);
        let recent = (minute.saturating_sub(1)..=minute).any(|minute| {
            let mac = blake3::Hash::from_bytes(twice(&self.challenge_mac(&random, minute)));
            let mut got = [0; 16];
            got.copy_from_slice(&nonce[16..]);
            // Compared in constant time.
            mac == blake3::Hash::from_bytes(twice(&got))
        });
        let mut state = self.lock();
        if state.swept_in != minute {
            state.swept_in = minute;
            state.used.retain(|_, used| *used + 1 >= minute);
        }
        if !recent || state.used.contains_key(&random) {
            return Err(Refused::finally(Code::BadProof));
        }
        if state.used.len() >= USED_MAX {
            return Err(Refused::for_now(Code::TooFast, CHALLENGE_FOR));
        }
        Ok(())
    }

    /// A new family for a device that proved itself by this challenge. `None`: somebody else was faster with it.
    pub fn log_in(&self, now: Duration, nonce: &[u8; 32], device: DeviceKey) -> Option<Tokens> {
        let mut state = self.lock();
        if state.used.insert(random_of(nonce), minute_of(now)).is_some() {
            return None;
        }
        state.families.retain(|_, family| now.saturating_sub(family.used_at) < FAMILY_IDLE_FOR);
        make_room(&mut state.families, FAMILIES_PER_DEVICE, |family| family.device == device);
        make_room(&mut state.families, FAMILIES_MAX, |_| true);
        let id = FamilyId(self.fresh(&mut state));
        state.families.insert(id, Family { device, generation: 0, rotated_at: now, used_at: now });
        drop(state);
        self.tokens(now, id, device, 0)
    }

    /// The next pair of a family. See the module's words on repeats.
    ///
    /// # Errors
    /// [`Code::NoSession`], whatever is wrong.
    pub fn refresh(&self, now: Duration, token: &str) -> Result<(DeviceKey, Tokens), Refused> {
        const OVER: Refused = Refused::finally(Code::NoSession);
        let (id, generation) = self.read_refresh(token).ok_or(OVER)?;
        let mut state = self.lock();
        let family = state.families.get_mut(&id).ok_or(OVER)?;
        let device = family.device;
        if now.saturating_sub(family.used_at) >= FAMILY_IDLE_FOR {
            state.families.remove(&id);
            return Err(OVER);
        }
        let repeats = generation.checked_add(1) == Some(family.generation);
        if generation == family.generation {
            family.generation += 1;
            family.rotated_at = now;
        } else if !repeats || now.saturating_sub(family.rotated_at) > REPEAT_WITHIN {
            state.families.remove(&id);
            return Err(OVER);
        }
        family.used_at = now;
        let generation = family.generation;
        drop(state);
        self.tokens(now, id, device, generation).map(|tokens| (device, tokens)).ok_or(OVER)
    }

    /// Ends a family, or all of its device.
    pub fn log_out(&self, session: &Session, everywhere: bool) {
        let mut state = self.lock();
        state.families.remove(&session.family);
        if everywhere {
            state.families.retain(|_, family| family.device != session.device);
        }
    }

    /// The device is no member's any more.
    pub fn forget(&self, device: &DeviceKey) {
        self.lock().families.retain(|_, family| family.device != *device);
    }

    /// Families of a device.
    pub fn count(&self, device: &DeviceKey) -> usize {
        self.lock().families.values().filter(|family| family.device == *device).count()
    }

    /// Whether a family was neither logged out nor ended.
    pub fn is_alive(&self, family: &FamilyId) -> bool {
        self.lock().families.contains_key(family)
    }

    /// Checks an access token.
    pub fn check(&self, now: Duration, access: &str) -> Option<Session> {
        let claims = jsonwebtoken::decode::<Claims>(access, &self.decoding, &self.validation).ok()?.claims;
        let expires_at = Duration::from_secs(claims.exp.checked_sub(self.unix_zero_s)?);
        let expires_in = expires_at.checked_sub(now).filter(|left| !left.is_zero())?;
        let device = DeviceKey(decode(&claims.sub)?);
        let family = FamilyId(decode(&claims.sid)?);
        let mut state = self.lock();
        let known = state.families.get_mut(&family).filter(|known| known.device == device)?;
        known.used_at = now;
        Some(Session { device, family, expires_in })
    }

    fn tokens(&self, now: Duration, id: FamilyId, device: DeviceKey, generation: u32) -> Option<Tokens> {
        let iat = self.unix_zero_s.saturating_add(now.as_secs());
        let claims = Claims {
            aud: self.audience.clone(),
            sub: device.to_string(),
            sid: HEXLOWER.encode(&id.0),
            iat,
            exp: iat.saturating_add(ACCESS_FOR.as_secs()),
        };
        let access = jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &claims, &self.encoding).ok()?;
        Some(Tokens { access, refresh: self.write_refresh(id, generation) })
    }

    fn write_refresh(&self, id: FamilyId, generation: u32) -> String {
        let mut bytes = Zeroizing::new(Vec::with_capacity(REFRESH_BYTES));
        bytes.extend_from_slice(&id.0);
        bytes.extend_from_slice(&generation.to_le_bytes());
        let mac = self.mac(b"refresh", &[&bytes]);
        bytes.extend_from_slice(mac.as_bytes());
        BASE64URL_NOPAD.encode(&bytes)
    }

    fn read_refresh(&self, token: &str) -> Option<(FamilyId, u32)> {
        if token.len() > 2 * REFRESH_BYTES {
            return None;
        }
        let bytes = Zeroizing::new(BASE64URL_NOPAD.decode(token.as_bytes()).ok()?);
        let (named, mac) = bytes.split_last_chunk::<32>()?;
        let (id, generation) = named.split_first_chunk::<16>()?;
        let generation = u32::from_le_bytes(generation.try_into().ok()?);
        (self.mac(b"refresh", &[named]) == blake3::Hash::from_bytes(*mac)).then_some((FamilyId(*id), generation))
    }

    /// A MAC for the shell's cursors, under the same key.
    pub fn cursor_mac(&self, parts: &[&[u8]]) -> [u8; 16] {
        first_half(&self.mac(b"cursor", parts))
    }
}

fn minute_of(now: Duration) -> u64 {
    now.as_secs() / CHALLENGE_FOR.as_secs()
}

fn first_half(hash: &blake3::Hash) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash.as_bytes()[..16]);
    half
}

fn twice(half: &[u8; 16]) -> [u8; 32] {
    let mut whole = [0; 32];
    whole[..16].copy_from_slice(half);
    whole
}

fn random_of(nonce: &[u8; 32]) -> [u8; 16] {
    let mut random = [0; 16];
    random.copy_from_slice(&nonce[..16]);
    random
}

fn decode<const N: usize>(hex: &str) -> Option<[u8; N]> {
    HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok()
}

/// Takes out what was not used for longest, until one more fits.
fn make_room(families: &mut HashMap<FamilyId, Family>, max: usize, counts: impl Fn(&Family) -> bool) {
    while families.values().filter(|family| counts(family)).count() >= max {
        let oldest = families.iter().filter(|(_, family)| counts(family)).min_by_key(|(_, family)| family.used_at);
        let Some(oldest) = oldest.map(|(&id, _)| id) else { return };
        families.remove(&oldest);
    }
}

#[cfg(test)]
mod tests;
