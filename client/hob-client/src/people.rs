//! What a person does with contacts and with codes that were shown: rename, remove, block, withdraw.

use hob_protocol::contact::ContactCode;
use hob_protocol::ids::{DeliveryToken, DeviceKey, MemberKey};
use hob_protocol::limits::INTRODUCTION_FIRST_USE;
use rand_core::CryptoRng;

use crate::Client;
use crate::client::Step;
use crate::command::CommandError;
use crate::contacts::check_name;
use crate::devices::partings::later;
use crate::introduce::new_token;
use crate::output::Outputs;
use crate::state::{ShownCode, Standing};
use crate::view::OpenCode;

impl Client {
    /// Calls a contact something else, here and on the member's other devices. Nobody else is told.
    ///
    /// # Errors
    /// [`CommandError::NoSuchContact`], a bad or taken name.
    pub fn rename_contact(
        &mut self,
        now_ms: u64,
        rng: &mut dyn CryptoRng,
        name: &str,
        new_name: &str,
    ) -> Result<Outputs, CommandError> {
        let member = self.state.person_named(name)?.member;
        check_name(new_name)?;
        if self.state.person_named(new_name).is_ok_and(|other| other.member != member) {
            return Err(CommandError::NameTaken { name: new_name.to_owned() });
        }
        let mut s = Step::new(now_ms, rng);
        if let Some(person) = self.state.person_mut(&member) {
            new_name.clone_into(&mut person.name);
            person.named_ms = later(now_ms, person.named_ms);
        }
        self.sync_contact(&member, &mut s);
        s.dirty = true;
        Ok(self.settle(s))
    }

    /// Forgets a contact, the whole conversation and what waits for them. The box forgets their tokens, so what they
    /// still send is refused there. The member's other devices forget them too. They are not told. There is no way back but
    /// a new code.
    ///
    /// # Errors
    /// [`CommandError::NoSuchContact`].
    pub fn remove_contact(
        &mut self,
        now_ms: u64,
        rng: &mut dyn CryptoRng,
        name: &str,
    ) -> Result<Outputs, CommandError> {
        let person = self.state.person_named(name)?;
        let (member, added_ms) = (person.member, person.added_ms);
        let mut s = Step::new(now_ms, rng);
        self.part_from(member, added_ms, &mut s);
        s.dirty = true;
        Ok(self.settle(s))
    }

    /// Takes nothing more from a contact and sends them nothing; what waits for them is not sent any more. The
    /// conversation stays. They are not told: their box answers them as one whose token was taken back.
    ///
    /// # Errors
    /// [`CommandError::NoSuchContact`].
    pub fn block_contact(&mut self, now_ms: u64, rng: &mut dyn CryptoRng, name: &str) -> Result<Outputs, CommandError> {
        let member = self.state.person_named(name)?.member;
        let mut s = Step::new(now_ms, rng);
        self.block(&member);
        self.decided(&member, &mut s);
        Ok(self.settle(s))
    }

    /// Takes messages of a contact again: the next message to them brings their devices new tokens.
    ///
    /// # Errors
    /// [`CommandError::NoSuchContact`].
    pub fn unblock_contact(
        &mut self,
        now_ms: u64,
        rng: &mut dyn CryptoRng,
        name: &str,
    ) -> Result<Outputs, CommandError> {
        let member = self.state.person_named(name)?.member;
        let mut s = Step::new(now_ms, rng);
        if self.state.is_blocked(&member) {
            self.unblock(&member, &mut s);
            self.decided(&member, &mut s);
        }
        Ok(self.settle(s))
    }

    /// Codes that were shown here, are not used yet and could still be, oldest first.
    pub fn open_codes(&self, now_ms: u64) -> Vec<OpenCode> {
        let unused = self.state.codes.iter().filter(|code| code.used_by.is_none() && !code.for_device);
        let codes = unused.map(|code| OpenCode {
            id: code_id(&code.token),
            made_at_ms: code.made_ms,
            use_before_ms: code
                .made_ms
                .saturating_add(u64::try_from(INTRODUCTION_FIRST_USE.as_millis()).unwrap_or(u64::MAX)),
        });
        codes.filter(|code| now_ms < code.use_before_ms).collect()
    }

    /// Withdraws a code that was shown and not used: nobody becomes a contact by it any more, and the box takes nothing
    /// by it. `which` is an id of [`Client::open_codes`] or the code itself.
    ///
    /// # Errors
    /// [`CommandError::NoSuchCode`], [`CommandError::CodeUsed`].
    pub fn revoke_code(&mut self, now_ms: u64, rng: &mut dyn CryptoRng, which: &str) -> Result<Outputs, CommandError> {
        let by_code = ContactCode::parse(which).ok().map(|code| code.introduction_token);
        let is_it = |code: &&ShownCode| match &by_code {
            Some(token) => code.token == *token,
            None => code_id(&code.token).eq_ignore_ascii_case(which),
        };
        let found = self.state.codes.iter().find(is_it);
        let code = found.ok_or_else(|| CommandError::NoSuchCode { id: shortened(which) })?;
        if let Some(device) = code.used_by {
            let name = self.state.name_of_device(&device).unwrap_or_default();
            return Err(CommandError::CodeUsed { name });
        }
        let token = code.token.clone();
        let mut s = Step::new(now_ms, rng);
        self.state.codes.retain(|code| code.token != token);
        self.state.revoked.push(token.hash());
        s.dirty = true;
        Ok(self.settle(s))
    }

    /// Notes when a contact was blocked or unblocked here, and tells the member's other devices.
    fn decided(&mut self, member: &MemberKey, s: &mut Step<'_>) {
        if let Some(person) = self.state.person_mut(member) {
            person.blocked_ms = later(s.now_ms, person.blocked_ms);
        }
        self.sync_contact(member, s);
        s.dirty = true;
    }

    /// Forgets a contact and all that is known of them.
    pub(crate) fn let_go(&mut self, member: &MemberKey) {
        let devices = self.devices_of(member);
        for device in &devices {
            self.take_token_back(device);
            self.run.pauses.remove(device);
        }
        self.state.outbox.retain(|entry| !devices.contains(&entry.to));
        self.state.history.retain(|item| item.member != *member);
        self.state.peers.retain(|peer| peer.member != *member);
        self.state.persons.retain(|person| person.member != *member);
        self.state.forget_lists();
    }

    pub(crate) fn block(&mut self, member: &MemberKey) {
        for device in self.devices_of(member) {
            self.take_token_back(&device);
            if let Some(peer) = self.state.peer_mut(&device) {
                peer.receipts.clear();
            }
            self.state.outbox.retain(|entry| entry.to != device);
        }
        for item in self.state.history.iter_mut().filter(|item| item.member == *member) {
            if item.standing == Standing::InOutbox {
                item.standing = Standing::Expired;
            }
        }
        if let Some(person) = self.state.person_mut(member) {
            person.blocked = true;
        }
    }

    /// Of one who is blocked.
    pub(crate) fn unblock(&mut self, member: &MemberKey, s: &mut Step<'_>) {
        if let Some(person) = self.state.person_mut(member) {
            person.blocked = false;
        }
        for device in self.devices_of(member) {
            let token = new_token(s);
            if let Some(peer) = self.state.peer_mut(&device) {
                peer.my_token = token;
                peer.granted = false;
                peer.they_have_token = false;
            }
        }
    }

    pub(crate) fn devices_of(&self, member: &MemberKey) -> Vec<DeviceKey> {
        self.state.peers.iter().filter(|peer| peer.member == *member).map(|peer| peer.device).collect()
    }

    /// Nobody submits by this device's token any more, once the home box was told.
    pub(crate) fn take_token_back(&mut self, device: &DeviceKey) {
        let Some(peer) = self.state.peer(device) else { return };
        let token = peer.my_token.hash();
        if !self.state.revoked.contains(&token) {
            self.state.revoked.push(token);
        }
    }
}

/// The first 8 hex digits of its token's hash.
fn code_id(token: &DeliveryToken) -> String {
    token.hash().to_string().chars().take(8).collect()
}

/// What was typed, short enough to be repeated.
fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}
