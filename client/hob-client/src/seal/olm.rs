//! The inner layer: Olm sessions between two devices, with untruncated MACs.
//!
//! Whoever writes first opens a session to the other's fallback key; there are no one-time keys, so fetching a bundle
//! uses nothing up. The library keeps 40 skipped keys a chain and five chains; what it cannot open any more is opened
//! through a throw-away session, where it was a prekey message, and else by a copy of the ratchet from before it skipped.

use serde::{Deserialize, Serialize};
use vodozemac::Curve25519PublicKey;
use vodozemac::olm::SessionConfig;
use zeroize::Zeroizing;

use super::middle::Kind;
use super::ratchet::{Account, OlmMessage, PreKeyMessage, Session};

/// Skipped keys that a chain keeps.
pub const SKIPPED_KEYS_MAX: u64 = 40;
const CHAINS_MAX: usize = 5;
/// Copies of a ratchet that skipped too much, and how long one is kept: as long as a message is sent again, and a day.
const BEHIND_MAX: usize = 4;
const BEHIND_KEPT_MS: u64 = 15 * 86_400_000;

/// A session cannot encrypt or decrypt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OlmError {
    /// Not an Olm message.
    #[error("it is no Olm message")]
    Unreadable,
    /// A first message by another Olm identity than the one its device record certifies.
    #[error("its Olm identity is not its device's")]
    ForeignIdentity,
    /// The key is used up, too old, or never was.
    #[error("its key is not known (any more)")]
    NoKey,
    /// The other side's keys are no keys.
    #[error("the other device's Olm keys are no keys: fetch a fresh bundle")]
    BadKeys,
}

/// What Olm made of a plaintext.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InnerCiphertext {
    /// Prekey message or not.
    pub kind: Kind,
    /// The session's id.
    #[serde(with = "crate::raw")]
    pub session: [u8; 32],
    /// The ciphertext; the same one goes out however often the message is sent.
    #[serde(with = "crate::raw")]
    pub bytes: Vec<u8>,
}

/// One session with one device.
#[derive(Serialize, Deserialize)]
pub struct OlmSession {
    /// Equal on both sides.
    #[serde(with = "crate::raw")]
    pub id: [u8; 32],
    #[serde(with = "session_pickle")]
    session: Session,
    /// Per ratchet key the index that comes next: by it a gap is seen before it costs keys.
    next: Vec<Chain>,
    /// The ratchet as it was before it skipped more keys than are kept; newest last.
    #[serde(default)]
    behind: Vec<Behind>,
}

#[derive(Serialize, Deserialize)]
struct Behind {
    made_ms: u64,
    #[serde(with = "session_pickle")]
    session: Session,
    next: Vec<Chain>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Chain {
    #[serde(with = "crate::raw")]
    ratchet_key: [u8; 32],
    index: u64,
}

mod session_pickle {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::seal::ratchet::{Session, SessionPickle};

    pub(super) fn serialize<S: Serializer>(session: &Session, serializer: S) -> Result<S::Ok, S::Error> {
        session.pickle().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Session, D::Error> {
        SessionPickle::deserialize(deserializer).map(Session::from_pickle)
    }
}

/// The session id that vodozemac writes in base64, as bytes.
fn id_bytes(id: &str) -> [u8; 32] {
    let decoded = vodozemac::base64_decode(id).unwrap_or_default();
    // It is a SHA-256 by construction; another length would be a change of the library, seen by the first test.
    decoded.try_into().unwrap_or([0; 32])
}

/// Reads a prekey message.
///
/// # Errors
/// [`OlmError::Unreadable`].
pub fn read_prekey(bytes: &[u8]) -> Result<PreKeyMessage, OlmError> {
    PreKeyMessage::from_bytes(bytes).map_err(|_| OlmError::Unreadable)
}

/// The id of the session that a prekey message opens.
pub fn session_of(message: &PreKeyMessage) -> [u8; 32] {
    id_bytes(&message.session_id())
}

/// Opens a new session from a first message, with its plaintext.
///
/// A *replayed* first message is accepted: the caller looks up its hash and its session first. Thrown away at once, the
/// session opens what the real one cannot any more.
///
/// # Errors
/// [`OlmError::NoKey`] if the fallback key is gone or the message was changed, [`OlmError::ForeignIdentity`].
pub fn inbound(
    account: &mut Account,
    identity: &[u8; 32],
    message: &PreKeyMessage,
) -> Result<(OlmSession, Zeroizing<Vec<u8>>), OlmError> {
    if message.identity_key().to_bytes() != *identity {
        return Err(OlmError::ForeignIdentity);
    }
    let created = account
        .create_inbound_session(SessionConfig::version_2(), message.identity_key(), message)
        .map_err(|_| OlmError::NoKey)?;
    let mut session =
        OlmSession { id: session_of(message), session: created.session, next: Vec::new(), behind: Vec::new() };
    note(&mut session.next, &OlmMessage::PreKey(message.clone()));
    Ok((session, Zeroizing::new(created.plaintext)))
}

/// Opens a new session to a device's fallback key.
///
/// # Errors
/// [`OlmError::BadKeys`].
pub fn outbound(account: &Account, identity: &[u8; 32], fallback: &[u8; 32]) -> Result<OlmSession, OlmError> {
    let session = account
        .create_outbound_session(
            SessionConfig::version_2(),
            Curve25519PublicKey::from_bytes(*identity),
            Curve25519PublicKey::from_bytes(*fallback),
        )
        .map_err(|_| OlmError::BadKeys)?;
    Ok(OlmSession { id: id_bytes(&session.session_id()), session, next: Vec::new(), behind: Vec::new() })
}

impl OlmSession {
    /// Encrypts, and moves the ratchet: save before the ciphertext leaves.
    ///
    /// # Errors
    /// [`OlmError::BadKeys`].
    pub fn encrypt(&mut self, plaintext: &[u8]) -> Result<InnerCiphertext, OlmError> {
        let (kind, bytes) = match self.session.encrypt(plaintext).map_err(|_| OlmError::BadKeys)? {
            OlmMessage::PreKey(message) => (Kind::OlmPrekey, message.to_bytes()),
            OlmMessage::Normal(message) => (Kind::Olm, message.to_bytes()),
        };
        Ok(InnerCiphertext { kind, session: self.id, bytes })
    }

    /// Decrypts; on an error the session is as before.
    ///
    /// What would skip more keys than are kept leaves a copy of the ratchet behind, by which what comes late still opens.
    ///
    /// # Errors
    /// [`OlmError::Unreadable`], [`OlmError::NoKey`].
    pub fn decrypt(&mut self, kind: Kind, bytes: &[u8], now_ms: u64) -> Result<Zeroizing<Vec<u8>>, OlmError> {
        let message = parse(kind, bytes)?;
        self.behind.retain(|behind| now_ms.saturating_sub(behind.made_ms) < BEHIND_KEPT_MS);
        let mut copy = None;
        let mut opened = open_by(&mut self.session, &mut self.next, &message, now_ms, &mut copy);
        for behind in self.behind.iter_mut().rev() {
            if opened.is_some() {
                break;
            }
            opened = open_by(&mut behind.session, &mut behind.next, &message, now_ms, &mut copy);
        }
        let opened = opened.ok_or(OlmError::NoKey)?;
        if let Some(copy) = copy {
            self.behind.push(copy);
            let surplus = self.behind.len().saturating_sub(BEHIND_MAX);
            self.behind.drain(..surplus);
        }
        Ok(opened)
    }

    /// Whether the other side has used it.
    pub const fn is_confirmed(&self) -> bool {
        !self.next.is_empty()
    }
}

/// Opens a message by one ratchet; on success notes its place, and where it skipped too much, the ratchet as it was.
fn open_by(
    session: &mut Session,
    next: &mut Vec<Chain>,
    message: &OlmMessage,
    now_ms: u64,
    copy: &mut Option<Behind>,
) -> Option<Zeroizing<Vec<u8>>> {
    let before = (gap(next, message) > SKIPPED_KEYS_MAX).then(|| Session::from_pickle(session.pickle()));
    let plaintext = session.decrypt(message).ok()?;
    if let Some(session) = before {
        *copy = Some(Behind { made_ms: now_ms, session, next: next.clone() });
    }
    note(next, message);
    Some(Zeroizing::new(plaintext))
}

fn gap(next: &[Chain], message: &OlmMessage) -> u64 {
    let (ratchet_key, index) = position(message);
    let next = next.iter().find(|chain| chain.ratchet_key == ratchet_key.to_bytes()).map_or(0, |chain| chain.index);
    index.saturating_sub(next)
}

fn note(next: &mut Vec<Chain>, message: &OlmMessage) {
    let (ratchet_key, index) = position(message);
    let next_index = index.saturating_add(1);
    if let Some(chain) = next.iter_mut().find(|chain| chain.ratchet_key == ratchet_key.to_bytes()) {
        chain.index = chain.index.max(next_index);
        return;
    }
    if next.len() >= CHAINS_MAX {
        next.remove(0);
    }
    next.push(Chain { ratchet_key: ratchet_key.to_bytes(), index: next_index });
}

impl std::fmt::Debug for OlmSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id: _, session: _, next: _, behind: _ } = self;
        f.write_str("OlmSession(…)")
    }
}

fn parse(kind: Kind, bytes: &[u8]) -> Result<OlmMessage, OlmError> {
    let number = match kind {
        Kind::OlmPrekey => 0,
        Kind::Olm => 1,
    };
    OlmMessage::from_parts(number, bytes).map_err(|_| OlmError::Unreadable)
}

fn position(message: &OlmMessage) -> (Curve25519PublicKey, u64) {
    match message {
        OlmMessage::PreKey(message) => (message.message().ratchet_key(), message.message().chain_index()),
        OlmMessage::Normal(message) => (message.ratchet_key(), message.chain_index()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Account, Account, [u8; 32]) {
        let (ada, mut bob) = (Account::new(), Account::new());
        bob.generate_fallback_key();
        let fallback = bob.fallback_key().values().next().unwrap().to_bytes();
        bob.mark_keys_as_published();
        (ada, bob, fallback)
    }

    #[test]
    fn both_sides_know_a_session_by_the_same_id() {
        let (ada, mut bob, fallback) = pair();
        let mut session = outbound(&ada, &bob.curve25519_key().to_bytes(), &fallback).unwrap();
        let first = session.encrypt(b"hello").unwrap();
        assert_ne!(session.id, [0; 32]);
        let message = read_prekey(&first.bytes).unwrap();
        let (theirs, plaintext) = inbound(&mut bob, &ada.curve25519_key().to_bytes(), &message).unwrap();
        assert_eq!((theirs.id, &plaintext[..]), (session.id, &b"hello"[..]));
    }

    #[test]
    fn a_first_message_by_a_foreign_identity_is_refused() {
        let (ada, mut bob, fallback) = pair();
        let mut session = outbound(&ada, &bob.curve25519_key().to_bytes(), &fallback).unwrap();
        let message = read_prekey(&session.encrypt(b"hello").unwrap().bytes).unwrap();
        assert_eq!(inbound(&mut bob, &[9; 32], &message).unwrap_err(), OlmError::ForeignIdentity);
    }

    #[test]
    fn a_prekey_message_whose_key_was_dropped_opens_through_a_throw_away_session() {
        let (ada, mut bob, fallback) = pair();
        let identity = ada.curve25519_key().to_bytes();
        let mut session = outbound(&ada, &bob.curve25519_key().to_bytes(), &fallback).unwrap();
        let all: Vec<_> = (0..50u8).map(|n| session.encrypt(&[n]).unwrap()).collect();
        let (mut theirs, _) = inbound(&mut bob, &identity, &read_prekey(&all[49].bytes).unwrap()).unwrap();
        assert_eq!(theirs.decrypt(Kind::OlmPrekey, &all[0].bytes, 0), Err(OlmError::NoKey));
        let (_, plaintext) = inbound(&mut bob, &identity, &read_prekey(&all[0].bytes).unwrap()).unwrap();
        assert_eq!(&plaintext[..], [0]);
    }

    #[test]
    fn what_comes_late_opens_however_much_was_skipped_in_between() {
        let (ada, mut bob, fallback) = pair();
        let mut session = outbound(&ada, &bob.curve25519_key().to_bytes(), &fallback).unwrap();
        let first = session.encrypt(b"first").unwrap();
        let message = read_prekey(&first.bytes).unwrap();
        let (mut theirs, _) = inbound(&mut bob, &ada.curve25519_key().to_bytes(), &message).unwrap();
        let answer = theirs.encrypt(b"answer").unwrap();
        session.decrypt(answer.kind, &answer.bytes, 0).unwrap();
        let all: Vec<_> = (0..500u16).map(|n| session.encrypt(&n.to_be_bytes()).unwrap()).collect();
        // The later ones come first, backwards in groups: each group skips another hundred.
        for group in [4, 3, 2, 1, 0] {
            for one in &all[group * 100..group * 100 + 100] {
                assert!(theirs.decrypt(one.kind, &one.bytes, 0).is_ok(), "group {group}");
            }
        }
        assert!(theirs.behind.len() <= BEHIND_MAX);
        let json = serde_json::to_string(&theirs).unwrap();
        assert!(json.len() < 40_000, "{}", json.len());
        let late = session.encrypt(b"late").unwrap();
        theirs.decrypt(late.kind, &late.bytes, 20 * 86_400_000).unwrap();
        assert!(theirs.behind.is_empty(), "copies die");
    }
}
