//! How a new device comes into the list: the one with the member key shows a device code, the new one redeems its ticket
//! and says hello by its introduction token; the answer is the list, and what is known of contacts.

use hob_protocol::device_code::DeviceCode;
use hob_protocol::frame::{ClientBody, ServerBody};
use hob_protocol::ids::{BoxIdentity, DeliveryToken, DeviceKey, InvitationId, InvitationSecret};
use hob_protocol::transcript::same_mac;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use super::list::{DEVICES_MAX, Listed};
use crate::Client;
use crate::client::{Step, What};
use crate::command::CommandError;
use crate::contacts::{Peer, check_name, conversation, request_id, safe_name};
use crate::inbox::Dropped;
use crate::input::Link;
use crate::introduce::{introduction_mac, new_token};
use crate::outbox::OutBody;
use crate::output::{Notice, Output, Outputs};
use crate::record::DeviceRecord;
use crate::seal::inner::{self, Inner};
use crate::state::ShownCode;
use crate::view::Refusal;

/// A new device's way into the list: kept until the list names it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Pairing {
    /// The device that showed the code.
    #[serde(with = "crate::raw")]
    adder: DeviceKey,
    #[serde(with = "crate::raw")]
    introduction: DeliveryToken,
    #[serde(with = "crate::raw")]
    box_identity: BoxIdentity,
    pub(crate) name: String,
}

/// A ticket that the box gave, for the code that is shown.
pub(crate) struct Ticket {
    id: InvitationId,
    secret: InvitationSecret,
    expires_at_s: u64,
    token: DeliveryToken,
}

/// What the program that shows a device code waits for.
#[derive(Default)]
pub(crate) enum Adding {
    #[default]
    No,
    /// The box is to be asked for a ticket.
    Wanted,
    Asked,
    Shown(Ticket),
    Done,
}

impl Client {
    /// On the device with the member key: asks the box for a ticket. [`Notice::DeviceCodeReady`] says that
    /// [`Client::device_code`] has the code to show, [`Notice::DeviceCodeRefused`] that it will not. Then
    /// [`Notice::DeviceAdded`] follows once a device used it, in this run or a later one.
    ///
    /// # Errors
    /// [`CommandError::NotJoined`], [`CommandError::NoMemberKey`], [`CommandError::DeviceRemoved`],
    /// [`CommandError::TooManyDevices`].
    pub fn add_device(&mut self, now_ms: u64, rng: &mut dyn CryptoRng) -> Result<Outputs, CommandError> {
        if self.state.home.is_none() {
            return Err(CommandError::NotJoined);
        }
        if self.state.removed {
            return Err(CommandError::DeviceRemoved);
        }
        if self.state.keys.member.is_none() {
            return Err(CommandError::NoMemberKey);
        }
        if self.devices().len() >= DEVICES_MAX {
            return Err(CommandError::TooManyDevices { max: DEVICES_MAX });
        }
        self.run.adding = Adding::Wanted;
        let s = Step::new(now_ms, rng);
        Ok(self.settle(s))
    }

    /// The device code, once the box gave the ticket and knows the introduction token.
    pub fn device_code(&self) -> Option<DeviceCode> {
        let Adding::Shown(ticket) = &self.run.adding else { return None };
        let home = self.state.home.as_ref()?;
        let granted = self.state.codes.iter().any(|code| code.granted && code.token == ticket.token);
        granted.then(|| DeviceCode {
            member_key: self.state.keys.member_key(),
            device_key: self.state.keys.device_key(),
            introduction_token: ticket.token.clone(),
            box_identity: home.identity,
            addresses: home.addresses.clone(),
            ticket: ticket.id,
            ticket_secret: ticket.secret.clone(),
            expires_at_s: ticket.expires_at_s,
        })
    }

    /// On a new profile: becomes a device of the member who shows this code. [`Notice::Joined`] and then
    /// [`Notice::DevicePaired`] follow, or [`Notice::JoinRefused`].
    ///
    /// # Errors
    /// [`CommandError::AlreadyJoined`], [`CommandError::InvitationExpired`], [`CommandError::BadCode`], a bad name.
    pub fn join_as_device(
        &mut self,
        now_ms: u64,
        rng: &mut dyn CryptoRng,
        code: &DeviceCode,
        name: &str,
    ) -> Result<Outputs, CommandError> {
        if self.state.home.is_some() {
            return Err(CommandError::AlreadyJoined);
        }
        check_name(name)?;
        let keys = [code.member_key.as_bytes(), code.device_key.as_bytes(), code.box_identity.as_bytes()];
        let is_weak = |key| ed25519_dalek::VerifyingKey::from_bytes(key).map_or(true, |key| key.is_weak());
        if keys.into_iter().any(is_weak) || code.device_key == self.state.keys.device_key() {
            return Err(CommandError::BadCode);
        }
        let outputs = self.join(now_ms, rng, code.invitation(), name)?;
        self.state.keys.belong_to(code.member_key);
        self.state.pairing = Some(Pairing {
            adder: code.device_key,
            introduction: code.introduction_token.clone(),
            box_identity: code.box_identity,
            name: name.to_owned(),
        });
        Ok(outputs)
    }

    /// Whether a device was put into the list by the code that is shown, in this run.
    pub fn device_was_added(&self) -> bool {
        matches!(self.run.adding, Adding::Done)
    }

    /// Whether this device waits to be put into its member's list.
    pub fn is_pairing(&self) -> bool {
        self.state.pairing.is_some()
    }

    /// The box admitted this new device: it says hello to the one that showed the code.
    pub(crate) fn greet_adder(&mut self, s: &mut Step<'_>) {
        let Some(pairing) = self.state.pairing.clone() else { return };
        let Pairing { adder, introduction, box_identity, name: _ } = pairing;
        let member = self.state.keys.member_key();
        if self.state.peer(&adder).is_none() {
            let mut peer = Peer::new(adder, member, box_identity, new_token(s), s.now_ms);
            peer.introduction = Some(introduction);
            self.state.peers.push(peer);
        }
        self.post(adder, OutBody::Hello, s);
    }

    /// Nothing came of it: the profile is a new one again.
    pub(crate) fn pairing_failed(&mut self, s: &mut Step<'_>) {
        if self.state.pairing.take().is_some() {
            self.state.keys.belong_to_nobody(s.rng);
        }
    }

    pub(crate) fn ask_for_ticket(&mut self, s: &mut Step<'_>) {
        if matches!(self.run.adding, Adding::Wanted) {
            self.run.adding = Adding::Asked;
            self.ask(Link::Owner, What::Ticket, ClientBody::DeviceTicket, s);
        }
    }

    pub(crate) fn ticket_answered(&mut self, body: ServerBody, s: &mut Step<'_>) {
        if !matches!(self.run.adding, Adding::Asked) {
            return;
        }
        match body {
            ServerBody::DeviceTicket { id, secret, expires_at_s } => {
                let token = new_token(s);
                self.state.codes.push(ShownCode {
                    token: token.clone(),
                    made_ms: s.now_ms,
                    granted: false,
                    used_by: None,
                    used_ms: 0,
                    for_device: true,
                });
                self.run.adding = Adding::Shown(Ticket { id, secret, expires_at_s, token });
                s.dirty = true;
            }
            body => {
                let (code, retry_after) = match body {
                    ServerBody::Error { code, retry_after, .. } => (code, retry_after),
                    _ => (hob_protocol::code::Code::BadFrame.number(), None),
                };
                self.run.adding = Adding::No;
                s.notice(Notice::DeviceCodeRefused { why: Refusal { code, retry_after } });
            }
        }
    }

    /// The connection over which the ticket was asked for is gone.
    pub(crate) fn ticket_is_wanted_again(&mut self) {
        if matches!(self.run.adding, Adding::Asked) {
            self.run.adding = Adding::Wanted;
        }
    }

    /// What a new device says of itself.
    pub(crate) fn hello_body(&self) -> Option<inner::Body> {
        let record = self.state.keys.record(self.state.home.as_ref()?.identity).encode();
        let name = self.state.pairing.as_ref().map(|pairing| pairing.name.clone()).unwrap_or_default();
        Some(inner::Body::Hello(crate::seal::devices::Hello { record, name }))
    }

    /// A new device's hello: believed by the token of the device code that was shown, and of no other code.
    pub(crate) fn believe_hello(
        &mut self,
        inner: &Inner,
        hello: &crate::seal::devices::Hello,
        identity: &[u8; 32],
        s: &mut Step<'_>,
    ) -> Result<(), Dropped> {
        let record = DeviceRecord::decode_half(&hello.record).map_err(|_| Dropped::Unreadable)?;
        let (me, mine) = (self.state.keys.device_key(), self.state.keys.member_key());
        let home = self.state.home.as_ref().map(|home| home.identity).ok_or(Dropped::Silently)?;
        let is_about_itself = record.device_key == inner.sender
            && record.olm_identity == *identity
            && record.member_key == mine
            && record.home_box == home
            && inner.conversation == conversation(&mine, &mine);
        let mac = inner.introduction.as_ref().and_then(|introduction| introduction.mac);
        let Some(mac) = mac.filter(|_| is_about_itself) else { return Err(Dropped::Unreadable) };
        let by_mac = |code: &&mut ShownCode| {
            code.for_device && same_mac(&introduction_mac(&code.token, &inner.sender, &me), &mac)
        };
        let code = self.state.codes.iter_mut().find(by_mac).ok_or(Dropped::Silently)?;
        if code.used_by.is_some_and(|first| first != inner.sender) {
            self.refuse_device(inner.sender);
            let name = safe_name(&hello.name);
            self.later(Output::Notice(Notice::DeviceCodeUsedTwice { name }), s);
            return Err(Dropped::Silently);
        }
        code.used_by = Some(inner.sender);
        code.used_ms = s.now_ms;
        if self.state.own_list().is_none_or(|list| list.device(&inner.sender).is_none()) {
            self.add_to_list(record, &hello.name, s)?;
        }
        if let Some(introduction) = &inner.introduction {
            self.take_introduction(&inner.sender, introduction, s);
        }
        Ok(())
    }

    fn add_to_list(&mut self, record: DeviceRecord, name: &str, s: &mut Step<'_>) -> Result<(), Dropped> {
        let device = record.device_key;
        let certified = self.state.keys.member.as_ref().and_then(|member| record.certify(member));
        let (Some(record), Some((mut devices, revoked))) = (certified, self.listed()) else {
            return Err(Dropped::Silently);
        };
        let name = free_name(&devices, &safe_name(name), &device);
        devices.push(Listed { record, name: name.clone() });
        self.publish_list(devices, revoked, s).map_err(|_| Dropped::Silently)?;
        self.run.adding = Adding::Done;
        self.later(Output::Notice(Notice::DeviceAdded { name }), s);
        Ok(())
    }

    /// What a device that was just put into the list gets, besides the list: contacts, and what was written lately.
    pub(crate) fn welcome_sibling(&mut self, device: &DeviceKey, s: &mut Step<'_>) {
        self.tell_list(device, s);
        self.sync_everything(device, s);
        self.copy_history(device, s);
        // Nothing more: the new device knows that it has all.
        self.post(*device, OutBody::Copies { items: Vec::new(), history: true }, s);
    }
}

/// A name that no other device has.
fn free_name(devices: &[Listed], wanted: &str, device: &DeviceKey) -> String {
    let base = match wanted {
        "" => format!("device-{}", request_id(device)),
        name => name.to_owned(),
    };
    let is_taken = |name: &str| devices.iter().any(|listed| listed.name == name);
    if !is_taken(&base) {
        return base;
    }
    let stem: String = base.chars().take(crate::command::NAME_CHARS_MAX - 3).collect();
    (2..100).map(|number| format!("{stem}-{number}")).find(|name| !is_taken(name)).unwrap_or(base)
}
