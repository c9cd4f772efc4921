//! What a person does: join, show and add codes, accept, send. Each is a method of [`Client`] that answers at once; what
//! must follow comes with the answer.

use std::time::Duration;

use ed25519_dalek::VerifyingKey;
use hob_protocol::contact::ContactCode;
use hob_protocol::ids::{DeviceKey, MemberKey};
use hob_protocol::invitation::Invitation;
use hob_protocol::limits::{INTRODUCTION_FIRST_USE, LABEL_BYTES_MAX, TTL_MIN};
use hob_protocol::planted;
use rand_core::CryptoRng;

use crate::Client;
use crate::client::Step;
use crate::contacts::{Peer, Person, check_name, request_id};
use crate::input::Link;
use crate::introduce::new_token;
use crate::link::Phase;
use crate::outbox::{Entry, OutBody, SEND_AGAIN_MAX, new_id};
use crate::output::{Done, Output, Outputs};
use crate::seal::quote::Quote;
use crate::state::{Item, Joining, ShownCode, Standing};
use crate::view::MessageId;

/// The longest text, in bytes of UTF-8: with everything around it it fits the largest envelope.
pub const TEXT_BYTES_MAX: usize = 54 * 1024;

/// The longest local or proposed name, in characters.
pub const NAME_CHARS_MAX: usize = 32;

/// Codes that wait for their first use at once.
const OPEN_CODES_MAX: usize = 32;

/// A command cannot be done. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No box yet.
    #[error("this device has not joined a box yet: ask its keeper for an invitation and use `join`")]
    NotJoined,
    /// One box a device.
    #[error("this device has joined a box already: use another profile for another box")]
    AlreadyJoined,
    /// The invitation's time is over, by this device's clock.
    #[error("this invitation has expired: ask for a new one")]
    InvitationExpired,
    /// No contact has this name.
    #[error("no contact is called {name:?}: see `contacts`")]
    NoSuchContact {
        /// What was asked for.
        name: String,
    },
    /// No request has this id.
    #[error("no request has the id {id:?}: see `requests`")]
    NoSuchRequest {
        /// What was asked for.
        id: String,
    },
    /// Another contact, or another device, has this name.
    #[error("{name:?} is taken already: choose another name")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// A name that could not be typed or read.
    #[error("{name:?} is no name: use 1 to {NAME_CHARS_MAX} visible characters without spaces")]
    BadName {
        /// The name.
        name: String,
    },
    /// Nothing goes to a blocked contact.
    #[error("{name:?} is blocked: `contact unblock` first")]
    Blocked {
        /// The contact.
        name: String,
    },
    /// Nothing goes to a contact whose certificate was taken.
    #[error(
        "{name:?} revoked all devices: exchange new codes, then `contact add CODE --as {name}` (--replace if they begin anew)"
    )]
    Revoked {
        /// The contact.
        name: String,
    },
    /// A certificate of this very member.
    #[error("this is your own revocation certificate: give it to your contacts")]
    OwnRevocation,
    /// A certificate of a member who is no contact.
    #[error("this revocation certificate is of nobody who is a contact here: nothing was changed")]
    RevokesNobody,
    /// The certificate was taken before, and is in force.
    #[error("the devices of {name:?} are revoked already: exchange new codes, then `contact add CODE --as {name}`")]
    RevokedAlready {
        /// The contact.
        name: String,
    },
    /// No code of this device that could be withdrawn.
    #[error("no contact code of yours is open under {id:?}: see `contact codes`")]
    NoSuchCode {
        /// What was asked for.
        id: String,
    },
    /// Too late to withdraw it.
    #[error("this code was used by {name:?} already: `contact block` or `contact remove` takes them out")]
    CodeUsed {
        /// Who used it: the local name.
        name: String,
    },
    /// Only the device with the member key can do this.
    #[error(
        "this device does not hold the member key: do it on the one that added the others, or use the recovery sheet"
    )]
    NoMemberKey,
    /// No own device has this name.
    #[error("no device of yours is called {name:?}: see `device list`")]
    NoSuchDevice {
        /// What was asked for.
        name: String,
    },
    /// A device does not remove itself.
    #[error("this is the device that you are using: remove it on another one")]
    ThisDevice,
    /// The list is full.
    #[error("you have {max} devices already: remove one first")]
    TooManyDevices {
        /// How many may be listed.
        max: usize,
    },
    /// The member took this device out of the list.
    #[error("this device was removed by your member key's device: its history stays, and nothing is sent any more")]
    DeviceRemoved,
    /// The device that showed the code has not answered yet.
    #[error("this device is not in your list yet: run `receive` here and on the device that showed the code")]
    NotPaired,
    /// What was typed is no recovery sheet.
    #[error("{why}")]
    BadSheet {
        /// What is wrong with it, and where.
        why: crate::devices::sheet::SheetError,
    },
    /// A sheet of another member, on a device that has contacts already.
    #[error(
        "this sheet is of another member than this device: use it on a device of that member, or on a new profile that has joined"
    )]
    SheetOfAnother,
    /// A code shown by this very member.
    #[error("this is your own contact code: show it to somebody else")]
    OwnCode,
    /// The code was added before, or its device is a contact by another code.
    #[error("this code was used already: its device is your contact {name:?}")]
    CodeAlreadyUsed {
        /// The local name of that contact.
        name: String,
    },
    /// The code's keys are no keys.
    #[error("this contact code names keys that cannot be: ask for a new one")]
    BadCode,
    /// Too many codes are waiting for their first use.
    #[error("{max} contact codes are open already: wait until one is used or expires (24 h)")]
    TooManyCodes {
        /// How many may be open.
        max: usize,
    },
    /// Nothing to send.
    #[error("the message is empty: write something")]
    EmptyText,
    /// More than an envelope holds.
    #[error("the message has {got_bytes} bytes, more than {TEXT_BYTES_MAX}: send it in parts")]
    TextTooLong {
        /// Its length in bytes.
        got_bytes: usize,
    },
    /// A message that is answered and is not here.
    #[error("there is no message {id} in this conversation to answer: `history --json` names each message's id")]
    NoSuchMessage {
        /// What was asked for.
        id: MessageId,
    },
    /// A time to live that no box takes.
    #[error("a time to live of {} s is outside {} s to {} days", got.as_secs(), min.as_secs(), max.as_secs() / 86_400)]
    BadTtl {
        /// What was asked for.
        got: Duration,
        /// The shortest.
        min: Duration,
        /// The longest.
        max: Duration,
    },
}

/// How a message is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SendOptions {
    /// Counts from sending; bounds the envelope too; 30 s to 14 days. `None`: until confirmed, at most 14 days.
    pub ttl: Option<Duration>,
    /// The receiving client shows it once and never has it in history.
    pub view_once: bool,
    /// The message that it answers: one of this conversation.
    pub reply_to: Option<MessageId>,
    /// No box ever keeps it: it is passed on at once, or not at all. Never sent again by itself; not confirmed within a
    /// minute, it is [not delivered](crate::MessageStatus::NobodyThere). Fixed when it is written.
    pub strict: bool,
}

impl Client {
    /// Uses an invitation. [`Notice::Joined`](crate::Notice::Joined) or
    /// [`Notice::JoinRefused`](crate::Notice::JoinRefused) follows.
    ///
    /// `label` is what the keeper's dashboard shows and what contacts are proposed as a name; cut to 64 bytes.
    ///
    /// # Errors
    /// [`CommandError::AlreadyJoined`], [`CommandError::InvitationExpired`].
    pub fn join(
        &mut self,
        now_ms: u64,
        rng: &mut dyn CryptoRng,
        invitation: Invitation,
        label: &str,
    ) -> Result<Outputs, CommandError> {
        if let Some(home) = &self.state.home {
            if home.identity != invitation.box_identity {
                return Err(CommandError::AlreadyJoined);
            }
            // Of the same box: it says where the box is now. It is used up only if the box does not know this device (any
            // more), which it says when this device proves itself.
            let addresses = invitation.addresses.clone();
            let is_over = invitation.expires_at_s > 0 && invitation.expires_at_s <= now_ms / 1000;
            if !self.run.proved && !is_over {
                self.state.joining = Some(Joining::new(invitation, cut(label, LABEL_BYTES_MAX)));
            }
            return self.name_home_addresses(now_ms, rng, addresses);
        }
        // 0: the box had no clock when it made the invitation, and decides by itself.
        if invitation.expires_at_s > 0 && invitation.expires_at_s <= now_ms / 1000 {
            return Err(CommandError::InvitationExpired);
        }
        let mut s = Step::new(now_ms, rng);
        // An earlier attempt, at another box perhaps, is over.
        if self.run.links.remove(&Link::Owner).is_some_and(|link| link.phase != Phase::Closed) {
            s.out.push(Output::Close { link: Link::Owner });
        }
        self.run.requests.retain(|_, (of, _)| *of != Link::Owner);
        self.state.joining = Some(Joining::new(invitation, cut(label, LABEL_BYTES_MAX)));
        self.run.started = true;
        s.dirty = true;
        Ok(self.settle(s))
    }

    /// Makes a contact code with a fresh introduction token. Show it once [`Notice::CodeReady`](crate::Notice::CodeReady)
    /// says that the box knows the token (or [`Client::code_is_ready`]).
    ///
    /// # Errors
    /// [`CommandError::NotJoined`], [`CommandError::TooManyCodes`].
    pub fn show_contact_code(
        &mut self,
        now_ms: u64,
        rng: &mut dyn CryptoRng,
    ) -> Result<Done<ContactCode>, CommandError> {
        let home = self.state.home.clone().ok_or(CommandError::NotJoined)?;
        self.is_a_device()?;
        let open_since = now_ms.saturating_sub(INTRODUCTION_FIRST_USE.as_millis().try_into().unwrap_or(u64::MAX));
        let open = self.state.codes.iter().filter(|code| code.used_by.is_none() && code.made_ms >= open_since);
        if open.count() >= OPEN_CODES_MAX {
            return Err(CommandError::TooManyCodes { max: OPEN_CODES_MAX });
        }
        let mut s = Step::new(now_ms, rng);
        let mut code = ContactCode {
            member_key: self.state.keys.member_key(),
            device_key: self.state.keys.device_key(),
            introduction_token: new_token(&mut s),
            box_identity: home.identity,
            addresses: home.addresses,
        };
        // A code has 256 bytes: of long addresses, fewer.
        while code.addresses.len() > 1 && code.to_code().is_err() {
            code.addresses.pop();
        }
        self.state.codes.push(ShownCode {
            token: code.introduction_token.clone(),
            made_ms: now_ms,
            granted: false,
            used_by: None,
            used_ms: 0,
            for_device: false,
        });
        s.dirty = true;
        let outputs = self.settle(s);
        Ok(Done { value: code, outputs })
    }

    /// Makes whoever showed this code a contact under a local name.
    ///
    /// # Errors
    /// [`CommandError`]: not joined, a bad or taken name, the own code, a code that was used already. A fresh code of a
    /// contact, added under the contact's name, renews the contact's token.
    pub fn add_contact(
        &mut self,
        now_ms: u64,
        rng: &mut dyn CryptoRng,
        code: &ContactCode,
        name: &str,
    ) -> Result<Outputs, CommandError> {
        let mut s = Step::new(now_ms, rng);
        self.take_code(code, name, &mut s)?;
        Ok(self.settle(s))
    }

    /// As [`Client::add_contact`]; on an error nothing was changed.
    pub(crate) fn take_code(&mut self, code: &ContactCode, name: &str, s: &mut Step<'_>) -> Result<(), CommandError> {
        self.is_a_device()?;
        let home = self.state.home.as_ref().ok_or(CommandError::NotJoined)?;
        let is_home = code.box_identity == home.identity;
        check_name(name)?;
        if code.member_key == self.state.keys.member_key() || code.device_key == self.state.keys.device_key() {
            return Err(CommandError::OwnCode);
        }
        if let Some(person) = self.state.person(&code.member_key) {
            let known_as = person.name.clone();
            let is_taken = known_as == name
                && (self.take_code_of_revoked(code, is_home, s) || self.take_fresh_code(code, is_home));
            if is_taken {
                self.sync_contact(&code.member_key, s);
                self.welcome(&code.device_key, s);
                s.dirty = true;
                return Ok(());
            }
            return Err(CommandError::CodeAlreadyUsed { name: known_as });
        }
        if self.state.person_named(name).is_ok() {
            return Err(CommandError::NameTaken { name: name.to_owned() });
        }
        let keys = [code.member_key.as_bytes(), code.device_key.as_bytes(), code.box_identity.as_bytes()];
        if keys.into_iter().any(|key| VerifyingKey::from_bytes(key).map_or(true, |key| key.is_weak())) {
            return Err(CommandError::BadCode);
        }
        if self.state.peer(&code.device_key).is_some_and(|peer| peer.member != code.member_key) {
            return Err(CommandError::BadCode);
        }
        let now_ms = s.now_ms;
        let was_request = self.state.peer(&code.device_key).is_some();
        if !was_request {
            let (device, member) = (code.device_key, code.member_key);
            let mut peer = Peer::new(device, member, code.box_identity, new_token(s), now_ms);
            if !is_home {
                peer.addresses.clone_from(&code.addresses);
            }
            self.state.peers.push(peer);
        }
        if let Some(peer) = self.state.peer_mut(&code.device_key) {
            peer.introduction = Some(code.introduction_token.clone());
        }
        self.state.refused.retain(|device| *device != code.device_key);
        let added_ms = self.state.added_now(&code.member_key, now_ms);
        self.state.persons.push(Person {
            name: name.to_owned(),
            member: code.member_key,
            verified: false,
            answered: was_request,
            added_ms,
            blocked: false,
            named_ms: 0,
            blocked_ms: 0,
            revoked: None,
        });
        self.sync_contact(&code.member_key, s);
        self.welcome(&code.device_key, s);
        s.dirty = true;
        Ok(())
    }

    /// A contact whose token is not taken any more showed a fresh code: it takes the old token's place.
    fn take_fresh_code(&mut self, code: &ContactCode, is_home: bool) -> bool {
        let Some(peer) = self.state.peer_mut(&code.device_key) else { return false };
        let is_fresh = peer.member == code.member_key && peer.introduction.as_ref() != Some(&code.introduction_token);
        if is_fresh {
            peer.token_epoch = None;
            peer.introduction = Some(code.introduction_token.clone());
            peer.their_token = None;
            peer.box_identity = code.box_identity;
            peer.addresses = if is_home { Vec::new() } else { code.addresses.clone() };
        }
        is_fresh
    }

    /// Makes a requester a contact: its messages come as [`Output::Message`], receipts go out.
    /// Without a name, the proposed one is taken. Answers the local name.
    ///
    /// # Errors
    /// [`CommandError::NoSuchRequest`], a bad or taken name.
    pub fn accept_request(
        &mut self,
        now_ms: u64,
        rng: &mut dyn CryptoRng,
        id: &str,
        name: Option<&str>,
    ) -> Result<Done<String>, CommandError> {
        let device = self.requester(id)?;
        if let Some(name) = name {
            check_name(name)?;
            if self.state.person_named(name).is_ok() {
                return Err(CommandError::NameTaken { name: name.to_owned() });
            }
        }
        let mut s = Step::new(now_ms, rng);
        let value = self.make_contact(&device, name, &mut s);
        self.welcome(&device, &mut s);
        self.run.batch.urgent = true;
        s.dirty = true;
        let outputs = self.settle(s);
        Ok(Done { value, outputs })
    }

    /// Drops a requester's messages, now and later. They are not told.
    ///
    /// # Errors
    /// [`CommandError::NoSuchRequest`].
    pub fn refuse_request(&mut self, now_ms: u64, rng: &mut dyn CryptoRng, id: &str) -> Result<Outputs, CommandError> {
        let device = self.requester(id)?;
        let mut s = Step::new(now_ms, rng);
        self.state.peers.retain(|peer| peer.device != device);
        self.state.history.retain(|item| item.device != device);
        self.state.forget_lists();
        self.refuse_device(device);
        s.dirty = true;
        Ok(self.settle(s))
    }

    /// Notes that the safety number was compared.
    ///
    /// # Errors
    /// [`CommandError::NoSuchContact`].
    pub fn confirm_verified(
        &mut self,
        now_ms: u64,
        rng: &mut dyn CryptoRng,
        name: &str,
    ) -> Result<Outputs, CommandError> {
        let member = self.state.person_named(name)?.member;
        let mut s = Step::new(now_ms, rng);
        let member = self.take_confirmed_keys(&member, &mut s);
        if let Some(person) = self.state.person_mut(&member) {
            person.verified = true;
        }
        s.dirty = true;
        Ok(self.settle(s))
    }

    /// Writes a message. It is in the outbox, for good, once the first [`Output::Save`] is done;
    /// [`Client::status_of`] and the notices tell how it stands.
    ///
    /// # Errors
    /// [`CommandError`]: not joined, no such contact, empty, too long, a time to live out of bounds.
    pub fn send(
        &mut self,
        now_ms: u64,
        rng: &mut dyn CryptoRng,
        to: &str,
        text: &str,
        options: SendOptions,
    ) -> Result<Done<MessageId>, CommandError> {
        self.is_a_device()?;
        let member = self.state.person_named(to)?.member;
        if self.state.is_revoked(&member) {
            return Err(CommandError::Revoked { name: to.to_owned() });
        }
        if self.state.is_shut_out(&member) {
            return Err(CommandError::Blocked { name: to.to_owned() });
        }
        check_text(text)?;
        let ttl_ms = options.ttl.map(check_ttl).transpose()?;
        let quote = options.reply_to.map(|id| self.quote(now_ms, &member, id)).transpose()?;
        let mut s = Step::new(now_ms, rng);
        let id = new_id(&mut s);
        let SendOptions { ttl: _, view_once, reply_to: _, strict } = options;
        let devices = self.devices_to_write_to(&member);
        let also_to: Vec<[u8; 8]> = devices.iter().filter_map(|device| device.0.first_chunk().copied()).collect();
        for device in &devices {
            let body = OutBody::Text { text: text.to_owned(), view_once, quote: quote.clone() };
            let mut entry = Entry::new(id, *device, body, now_ms);
            entry.ttl_ms = ttl_ms;
            entry.strict = strict;
            if devices.len() > 1 {
                entry.also_to.clone_from(&also_to);
            }
            self.state.outbox.push(entry);
        }
        let item = Item {
            id,
            member,
            device: self.state.keys.device_key(),
            standing: Standing::InOutbox,
            text: text.to_owned(),
            sent_at_ms: now_ms,
            expires_at_ms: ttl_ms.map(|ttl| now_ms.saturating_add(ttl)),
            view_once,
            quote,
            strict,
            by: Vec::new(),
        };
        self.copy_to_siblings(&item, &[], &mut s);
        self.state.history.push(item);
        s.dirty = true;
        let outputs = self.settle(s);
        Ok(Done { value: id, outputs })
    }

    /// Notes that these messages were printed: they are not in [`Client::unshown`] any more, and view-once ones are
    /// gone. Unknown ids are ignored.
    pub fn mark_shown(&mut self, now_ms: u64, rng: &mut dyn CryptoRng, ids: &[MessageId]) -> Outputs {
        let mut s = Step::new(now_ms, rng);
        for item in &mut self.state.history {
            if item.standing == Standing::Unshown && ids.contains(&item.id) {
                item.standing = Standing::Shown;
                s.dirty = !planted!("shown-not-saved");
            }
        }
        self.state.history.retain(|item| !(item.view_once && item.standing == Standing::Shown));
        self.settle(s)
    }

    /// For a program that is about to end: what is batched (pushed messages, receipts) goes now instead of within 2 s,
    /// and the state is saved. Then wait, within reason, for [`Client::everything_flushed`].
    pub fn hurry(&mut self, now_ms: u64, rng: &mut dyn CryptoRng) -> Outputs {
        let s = Step::new(now_ms, rng);
        self.run.hurry = true;
        self.settle(s)
    }

    fn quote(&self, now_ms: u64, member: &MemberKey, id: MessageId) -> Result<Quote, CommandError> {
        let is_it = |item: &&Item| item.id == id && item.member == *member;
        let living = |item: &&Item| item.expires_at_ms.is_none_or(|expires| now_ms < expires);
        let item = self.state.history.iter().rev().filter(is_it).find(living);
        let item = item.ok_or(CommandError::NoSuchMessage { id })?;
        Ok(Quote::of(id, &item.text, !item.view_once && item.expires_at_ms.is_none()))
    }

    /// A member's devices that can be submitted to; where there is none yet, those that are known.
    fn devices_to_write_to(&self, member: &MemberKey) -> Vec<DeviceKey> {
        let theirs = || self.state.peers.iter().filter(|peer| peer.member == *member);
        let reachable: Vec<_> = theirs().filter(|peer| peer.token().is_some()).map(|peer| peer.device).collect();
        if reachable.is_empty() { theirs().map(|peer| peer.device).take(1).collect() } else { reachable }
    }

    fn is_a_device(&self) -> Result<(), CommandError> {
        match &self.state {
            state if state.home.is_none() => Err(CommandError::NotJoined),
            state if state.removed => Err(CommandError::DeviceRemoved),
            state if state.pairing.is_some() => Err(CommandError::NotPaired),
            _ => Ok(()),
        }
    }

    fn requester(&self, id: &str) -> Result<DeviceKey, CommandError> {
        let mut requesters = self.state.requesters();
        requesters
            .find(|peer| request_id(&peer.device) == id)
            .map(|peer| peer.device)
            .ok_or_else(|| CommandError::NoSuchRequest { id: id.to_owned() })
    }

    /// What somebody wrote before they were a contact is shown and confirmed now.
    fn welcome(&mut self, device: &DeviceKey, s: &mut Step<'_>) {
        let waiting: Vec<Item> = self
            .state
            .history
            .iter()
            .filter(|item| item.device == *device && item.standing == Standing::Unshown)
            .cloned()
            .collect();
        for item in waiting {
            self.confirm(device, item.id, item.strict);
            if let Some(message) = self.message(&item) {
                self.later(Output::Message(message), s);
            }
            self.copy_to_siblings(&item, &[], s);
        }
    }
}

/// At most `max` bytes, cut between characters.
fn cut(text: &str, max: usize) -> String {
    let mut cut = String::new();
    for character in text.chars() {
        if cut.len() + character.len_utf8() > max {
            break;
        }
        cut.push(character);
    }
    cut
}

const fn check_text(text: &str) -> Result<(), CommandError> {
    match text.len() {
        0 => Err(CommandError::EmptyText),
        got_bytes if got_bytes > TEXT_BYTES_MAX => Err(CommandError::TextTooLong { got_bytes }),
        _ => Ok(()),
    }
}

fn check_ttl(got: Duration) -> Result<u64, CommandError> {
    let (min, max) = (TTL_MIN, SEND_AGAIN_MAX);
    if (min..=max).contains(&got) {
        Ok(u64::try_from(got.as_millis()).unwrap_or(u64::MAX))
    } else {
        Err(CommandError::BadTtl { got, min, max })
    }
}
