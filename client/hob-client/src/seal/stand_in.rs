//! Sealing that seals nothing, for simulations of years: cheap, and the same every time.
//!
//! State machines, sizes, ids and what opens what are those of the real thing: a key opens once, forty skipped ones are
//! kept in each of five chains, a new chain needs an answer to the last one, a first message needs a fallback key that is
//! still there, and a changed byte opens nothing. Only the secrecy is missing. [`begin`] chooses per thread and world; the
//! feature that compiles this is named in no member's normal dependencies.

use std::cell::Cell;
use std::collections::HashMap;

use hob_protocol::ids::DeviceKey;
use serde::{Deserialize, Serialize};
use vodozemac::{Curve25519PublicKey, olm};

thread_local! {
    /// Where the numbers come from; `None`: real sealing.
    static CHANCE: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Skipped keys that a chain keeps, chains, and the widest gap, as in the library.
const SKIPPED_MAX: usize = 40;
const CHAINS_MAX: usize = 5;
const GAP_MAX: u64 = 2_000;
const MAC_BYTES: usize = 32;

/// From here on this thread seals by the stand-in, with this seed; `None`: really.
pub fn begin(seed: Option<u64>) {
    CHANCE.set(seed.map(|seed| seed | 1));
}

/// Whether this thread seals by the stand-in.
pub fn is_on() -> bool {
    CHANCE.get().is_some()
}

/// 32 bytes that never came before (Steele et al., "Fast splittable pseudorandom number generators").
fn draw() -> [u8; 32] {
    let mut bytes = [0; 32];
    for part in bytes.chunks_exact_mut(8) {
        let state = CHANCE.get().unwrap_or(1).wrapping_add(0x9e37_79b9_7f4a_7c15);
        CHANCE.set(Some(state));
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        part.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
    }
    bytes
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}

/// It does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it does not open")]
pub struct DoesNotOpen;

// The outer layer.

pub(super) fn prekey_public(secret: &[u8; 32], bytes: usize) -> Vec<u8> {
    let mut public = hash(&[b"public", secret]).to_vec();
    public.resize(bytes, 0x77);
    public
}

pub(super) fn seal(public: &[u8], data: &[u8], plaintext: &[u8], enc: &mut Vec<u8>, enc_bytes: usize) -> Vec<u8> {
    enc.extend_from_slice(&draw());
    enc.resize(enc_bytes, 0x66);
    let tag = hash(&[b"sealed", public, data, enc, plaintext]);
    [plaintext, &tag[..16]].concat()
}

pub(super) fn open(public: &[u8], data: &[u8], enc: &[u8], ciphertext: &[u8]) -> Option<Vec<u8>> {
    let (plaintext, tag) = ciphertext.split_last_chunk::<16>()?;
    let want = hash(&[b"sealed", public, data, enc, plaintext]);
    (want[..16] == tag[..]).then(|| plaintext.to_vec())
}

/// What suite, device and prekey are bound by.
pub(super) fn data(suite: u8, recipient: &DeviceKey, prekey: u32) -> Vec<u8> {
    [&[suite][..], recipient.as_bytes(), &prekey.to_le_bytes()].concat()
}

// The inner layer.

/// A device's Olm keys.
pub enum Account {
    /// The library's.
    Real(Box<olm::Account>),
    /// The stand-in's.
    StandIn(Keys),
}

/// The stand-in's keys: the public halves, which are all there is.
#[derive(Clone, Serialize, Deserialize)]
pub struct Keys {
    identity: [u8; 32],
    /// Newest last, two at most.
    fallbacks: Vec<[u8; 32]>,
}

/// An account as it is saved.
#[derive(Serialize, Deserialize)]
pub enum AccountPickle {
    /// The library's.
    Real(Box<olm::AccountPickle>),
    /// The stand-in's.
    StandIn(Keys),
}

/// What a first message opened.
pub struct Created {
    /// The session.
    pub session: Session,
    /// The message's plaintext.
    pub plaintext: Vec<u8>,
}

impl Default for Account {
    fn default() -> Self {
        Self::new()
    }
}

impl Account {
    /// Fresh keys.
    pub fn new() -> Self {
        if is_on() {
            return Self::StandIn(Keys { identity: draw(), fallbacks: Vec::new() });
        }
        Self::Real(Box::default())
    }

    /// The identity key.
    pub fn curve25519_key(&self) -> Curve25519PublicKey {
        match self {
            Self::Real(account) => account.curve25519_key(),
            Self::StandIn(keys) => Curve25519PublicKey::from_bytes(keys.identity),
        }
    }

    /// Makes a fallback key; the one before it is kept.
    pub fn generate_fallback_key(&mut self) {
        match self {
            Self::Real(account) => drop(account.generate_fallback_key()),
            Self::StandIn(keys) => {
                keys.fallbacks.push(draw());
                let surplus = keys.fallbacks.len().saturating_sub(2);
                keys.fallbacks.drain(..surplus);
            }
        }
    }

    /// The newest fallback key.
    pub fn fallback_key(&self) -> HashMap<u8, Curve25519PublicKey> {
        let newest = match self {
            Self::Real(account) => account.fallback_key().into_values().next(),
            Self::StandIn(keys) => keys.fallbacks.last().map(|key| Curve25519PublicKey::from_bytes(*key)),
        };
        newest.into_iter().map(|key| (0, key)).collect()
    }

    /// They are with the box.
    pub fn mark_keys_as_published(&mut self) {
        if let Self::Real(account) = self {
            account.mark_keys_as_published();
        }
    }

    /// For saving.
    pub fn pickle(&self) -> AccountPickle {
        match self {
            Self::Real(account) => AccountPickle::Real(Box::new(account.pickle())),
            Self::StandIn(keys) => AccountPickle::StandIn(keys.clone()),
        }
    }

    /// As it was saved.
    pub fn from_pickle(pickle: AccountPickle) -> Self {
        match pickle {
            AccountPickle::Real(pickle) => Self::Real(Box::new(olm::Account::from_pickle(*pickle))),
            AccountPickle::StandIn(keys) => Self::StandIn(keys),
        }
    }

    /// A new session to somebody's keys.
    ///
    /// # Errors
    /// The keys are no keys.
    pub fn create_outbound_session(
        &self,
        config: olm::SessionConfig,
        identity: Curve25519PublicKey,
        fallback: Curve25519PublicKey,
    ) -> Result<Session, DoesNotOpen> {
        match self {
            Self::Real(account) => account
                .create_outbound_session(config, identity, fallback)
                .map(|session| Session::Real(Box::new(session)))
                .map_err(|_| DoesNotOpen),
            Self::StandIn(keys) => {
                let first = First { fallback: fallback.to_bytes(), base: draw(), identity: keys.identity };
                let mine = Some(Mine { key: draw(), with: first.fallback, index: 0 });
                Ok(Session::StandIn(Box::new(Ratchet {
                    id: first.session(),
                    mine,
                    theirs: Vec::new(),
                    first: Some(first),
                })))
            }
        }
    }

    /// A new session by somebody's first message.
    ///
    /// # Errors
    /// The fallback key is gone, or the message was changed.
    pub fn create_inbound_session(
        &mut self,
        config: olm::SessionConfig,
        identity: Curve25519PublicKey,
        message: &PreKeyMessage,
    ) -> Result<Created, DoesNotOpen> {
        match (self, message) {
            (Self::Real(account), PreKeyMessage::Real(message)) => {
                let created = account.create_inbound_session(config, identity, message).map_err(|_| DoesNotOpen)?;
                Ok(Created { session: Session::Real(Box::new(created.session)), plaintext: created.plaintext })
            }
            (Self::StandIn(keys), PreKeyMessage::StandIn(first, message)) => {
                if !keys.fallbacks.contains(&first.fallback) {
                    return Err(DoesNotOpen);
                }
                let chain = Chain { key: message.key, with: first.fallback, next: 0, skipped: Vec::new() };
                let mut ratchet = Ratchet { id: first.session(), mine: None, theirs: vec![chain], first: None };
                let plaintext = ratchet.open(message)?;
                Ok(Created { session: Session::StandIn(Box::new(ratchet)), plaintext })
            }
            _ => Err(DoesNotOpen),
        }
    }
}

/// A session.
pub enum Session {
    /// The library's.
    Real(Box<olm::Session>),
    /// The stand-in's.
    StandIn(Box<Ratchet>),
}

/// A session as it is saved.
#[derive(Serialize, Deserialize)]
pub enum SessionPickle {
    /// The library's.
    Real(Box<olm::SessionPickle>),
    /// The stand-in's.
    StandIn(Box<Ratchet>),
}

/// The stand-in's ratchet.
#[derive(Clone, Serialize, Deserialize)]
pub struct Ratchet {
    id: [u8; 32],
    mine: Option<Mine>,
    /// Newest last.
    theirs: Vec<Chain>,
    /// What goes before each message until the first answer.
    first: Option<First>,
}

/// The chain that is sent by.
#[derive(Clone, Serialize, Deserialize)]
struct Mine {
    key: [u8; 32],
    /// The key of theirs that it answers.
    with: [u8; 32],
    index: u64,
}

#[derive(Clone, Serialize, Deserialize)]
struct Chain {
    key: [u8; 32],
    with: [u8; 32],
    next: u64,
    skipped: Vec<u64>,
}

/// What a first message names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct First {
    fallback: [u8; 32],
    base: [u8; 32],
    identity: [u8; 32],
}

impl First {
    fn session(&self) -> [u8; 32] {
        hash(&[b"session", &self.identity, &self.base, &self.fallback])
    }
}

impl Ratchet {
    fn seal(&mut self, plaintext: &[u8]) -> OlmMessage {
        let answered = self.theirs.last().map_or([0; 32], |chain| chain.key);
        let mine = self.mine.get_or_insert_with(|| Mine { key: draw(), with: answered, index: 0 });
        let fill = 16 - plaintext.len() % 16;
        let mut body = plaintext.to_vec();
        body.resize(plaintext.len() + fill, u8::try_from(fill).unwrap_or(16));
        let mac = mac(&self.id, &mine.key, &mine.with, mine.index, &body);
        let message = StandInMessage { key: mine.key, index: mine.index, body, mac };
        mine.index += 1;
        match self.first.clone().filter(|_| self.theirs.is_empty()) {
            Some(first) => OlmMessage::PreKey(PreKeyMessage::StandIn(first, message)),
            None => OlmMessage::Normal(Message::StandIn(message)),
        }
    }

    fn open(&mut self, message: &StandInMessage) -> Result<Vec<u8>, DoesNotOpen> {
        let known = self.theirs.iter().position(|chain| chain.key == message.key);
        let with = match (known.and_then(|at| self.theirs.get(at)), &self.mine) {
            (Some(chain), _) => chain.with,
            (None, Some(mine)) => mine.key,
            (None, None) => return Err(DoesNotOpen),
        };
        if mac(&self.id, &message.key, &with, message.index, &message.body) != message.mac {
            return Err(DoesNotOpen);
        }
        let mut chain = known.and_then(|at| self.theirs.get(at).cloned()).unwrap_or(Chain {
            key: message.key,
            with,
            next: 0,
            skipped: Vec::new(),
        });
        chain.take(message.index)?;
        match known.and_then(|at| self.theirs.get_mut(at)) {
            Some(place) => *place = chain,
            None => {
                self.mine = None;
                self.theirs.push(chain);
                let surplus = self.theirs.len().saturating_sub(CHAINS_MAX);
                self.theirs.drain(..surplus);
            }
        }
        let fill = usize::from(*message.body.last().ok_or(DoesNotOpen)?);
        let length = message.body.len().checked_sub(fill).ok_or(DoesNotOpen)?;
        message.body.get(..length).map(<[u8]>::to_vec).ok_or(DoesNotOpen)
    }
}

impl Chain {
    /// Uses up the key of this index.
    fn take(&mut self, index: u64) -> Result<(), DoesNotOpen> {
        if index < self.next {
            let at = self.skipped.iter().position(|skipped| *skipped == index).ok_or(DoesNotOpen)?;
            self.skipped.remove(at);
            return Ok(());
        }
        if index - self.next > GAP_MAX {
            return Err(DoesNotOpen);
        }
        self.skipped.extend(self.next..index);
        let surplus = self.skipped.len().saturating_sub(SKIPPED_MAX);
        self.skipped.drain(..surplus);
        self.next = index + 1;
        Ok(())
    }
}

fn mac(session: &[u8; 32], key: &[u8; 32], with: &[u8; 32], index: u64, body: &[u8]) -> [u8; 32] {
    hash(&[b"mac", session, key, with, &index.to_le_bytes(), body])
}

impl Session {
    /// As the library writes it.
    pub fn session_id(&self) -> String {
        match self {
            Self::Real(session) => session.session_id(),
            Self::StandIn(ratchet) => vodozemac::base64_encode(ratchet.id),
        }
    }

    /// Encrypts, and moves on.
    ///
    /// # Errors
    /// As the library.
    pub fn encrypt(&mut self, plaintext: &[u8]) -> Result<OlmMessage, DoesNotOpen> {
        match self {
            Self::Real(session) => match session.encrypt(plaintext).map_err(|_| DoesNotOpen)? {
                olm::OlmMessage::PreKey(message) => Ok(OlmMessage::PreKey(PreKeyMessage::Real(message))),
                olm::OlmMessage::Normal(message) => Ok(OlmMessage::Normal(Message::Real(message))),
            },
            Self::StandIn(ratchet) => Ok(ratchet.seal(plaintext)),
        }
    }

    /// Decrypts; on an error nothing changed.
    ///
    /// # Errors
    /// The key is used up, too old, or never was.
    pub fn decrypt(&mut self, message: &OlmMessage) -> Result<Vec<u8>, DoesNotOpen> {
        match (self, message) {
            (Self::Real(session), OlmMessage::PreKey(PreKeyMessage::Real(message))) => {
                session.decrypt(&olm::OlmMessage::PreKey(message.clone())).map_err(|_| DoesNotOpen)
            }
            (Self::Real(session), OlmMessage::Normal(Message::Real(message))) => {
                session.decrypt(&olm::OlmMessage::Normal(message.clone())).map_err(|_| DoesNotOpen)
            }
            (
                Self::StandIn(ratchet),
                OlmMessage::PreKey(PreKeyMessage::StandIn(_, message)) | OlmMessage::Normal(Message::StandIn(message)),
            ) => ratchet.open(message),
            _ => Err(DoesNotOpen),
        }
    }

    /// For saving.
    pub fn pickle(&self) -> SessionPickle {
        match self {
            Self::Real(session) => SessionPickle::Real(Box::new(session.pickle())),
            Self::StandIn(ratchet) => SessionPickle::StandIn(ratchet.clone()),
        }
    }

    /// As it was saved.
    pub fn from_pickle(pickle: SessionPickle) -> Self {
        match pickle {
            SessionPickle::Real(pickle) => Self::Real(Box::new(olm::Session::from_pickle(*pickle))),
            SessionPickle::StandIn(ratchet) => Self::StandIn(ratchet),
        }
    }
}

/// The stand-in's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandInMessage {
    key: [u8; 32],
    index: u64,
    body: Vec<u8>,
    mac: [u8; MAC_BYTES],
}

/// A message of a session.
#[derive(Debug, Clone)]
pub enum Message {
    /// The library's.
    Real(olm::Message),
    /// The stand-in's.
    StandIn(StandInMessage),
}

/// A message that opens a session.
#[derive(Debug, Clone)]
pub enum PreKeyMessage {
    /// The library's.
    Real(olm::PreKeyMessage),
    /// The stand-in's.
    StandIn(First, StandInMessage),
}

/// Either.
#[derive(Debug, Clone)]
pub enum OlmMessage {
    /// One that opens a session.
    PreKey(PreKeyMessage),
    /// One of a session that both know.
    Normal(Message),
}

fn put_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap_or(0));
}

fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn take_key(tag: u8, bytes: &mut &[u8]) -> Option<[u8; 32]> {
    let rest = bytes.strip_prefix(&[tag, 32])?;
    let (key, rest) = rest.split_first_chunk::<32>()?;
    *bytes = rest;
    Some(*key)
}

impl StandInMessage {
    /// As long as the library's: version, key, index, ciphertext, MAC.
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![4, 0x0a, 32];
        bytes.extend_from_slice(&self.key);
        bytes.push(0x10);
        put_number(self.index, &mut bytes);
        bytes.push(0x22);
        put_number(self.body.len() as u64, &mut bytes);
        bytes.extend_from_slice(&self.body);
        bytes.extend_from_slice(&self.mac);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&[4])?;
        let key = take_key(0x0a, &mut rest)?;
        rest = rest.strip_prefix(&[0x10])?;
        let index = take_number(&mut rest)?;
        rest = rest.strip_prefix(&[0x22])?;
        let length = usize::try_from(take_number(&mut rest)?).ok()?;
        let (body, mac) = rest.split_at_checked(length)?;
        Some(Self { key, index, body: body.to_vec(), mac: mac.try_into().ok()? })
    }
}

impl Message {
    /// For the middle layer.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Real(message) => message.to_bytes(),
            Self::StandIn(message) => message.to_bytes(),
        }
    }

    /// The key of its chain.
    pub fn ratchet_key(&self) -> Curve25519PublicKey {
        match self {
            Self::Real(message) => message.ratchet_key(),
            Self::StandIn(message) => Curve25519PublicKey::from_bytes(message.key),
        }
    }

    /// Its place in its chain.
    pub const fn chain_index(&self) -> u64 {
        match self {
            Self::Real(message) => message.chain_index(),
            Self::StandIn(message) => message.index,
        }
    }
}

impl PreKeyMessage {
    /// Reads one.
    ///
    /// # Errors
    /// It is none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DoesNotOpen> {
        if !is_on() {
            return olm::PreKeyMessage::from_bytes(bytes).map(Self::Real).map_err(|_| DoesNotOpen);
        }
        let read = || {
            let mut rest = bytes.strip_prefix(&[4])?;
            let fallback = take_key(0x0a, &mut rest)?;
            let base = take_key(0x12, &mut rest)?;
            let identity = take_key(0x1a, &mut rest)?;
            rest = rest.strip_prefix(&[0x22])?;
            let length = usize::try_from(take_number(&mut rest)?).ok()?;
            let message = StandInMessage::from_bytes(rest.get(..length)?)?;
            Some(Self::StandIn(First { fallback, base, identity }, message))
        };
        read().ok_or(DoesNotOpen)
    }

    /// For the middle layer.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Real(message) => message.to_bytes(),
            Self::StandIn(first, message) => {
                let message = message.to_bytes();
                let mut bytes = vec![4];
                for (tag, key) in [(0x0a, &first.fallback), (0x12, &first.base), (0x1a, &first.identity)] {
                    bytes.extend_from_slice(&[tag, 32]);
                    bytes.extend_from_slice(key);
                }
                bytes.push(0x22);
                put_number(message.len() as u64, &mut bytes);
                bytes.extend_from_slice(&message);
                bytes
            }
        }
    }

    /// The session that it opens, as the library writes it.
    pub fn session_id(&self) -> String {
        match self {
            Self::Real(message) => message.session_id(),
            Self::StandIn(first, _) => vodozemac::base64_encode(first.session()),
        }
    }

    /// Whose it is.
    pub fn identity_key(&self) -> Curve25519PublicKey {
        match self {
            Self::Real(message) => message.identity_key(),
            Self::StandIn(first, _) => Curve25519PublicKey::from_bytes(first.identity),
        }
    }

    /// The message in it.
    pub fn message(&self) -> Message {
        match self {
            Self::Real(message) => Message::Real(message.message().clone()),
            Self::StandIn(_, message) => Message::StandIn(message.clone()),
        }
    }
}

impl OlmMessage {
    /// Reads one: 0 opens a session, 1 belongs to one.
    ///
    /// # Errors
    /// It is none.
    pub fn from_parts(number: usize, bytes: &[u8]) -> Result<Self, DoesNotOpen> {
        if number == 0 {
            return PreKeyMessage::from_bytes(bytes).map(Self::PreKey);
        }
        if is_on() {
            return StandInMessage::from_bytes(bytes).map(Message::StandIn).map(Self::Normal).ok_or(DoesNotOpen);
        }
        match olm::OlmMessage::from_parts(number, bytes) {
            Ok(olm::OlmMessage::Normal(message)) => Ok(Self::Normal(Message::Real(message))),
            _ => Err(DoesNotOpen),
        }
    }
}
