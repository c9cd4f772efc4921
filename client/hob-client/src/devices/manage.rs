//! The own list: made, renewed, shown, changed; and what it means that this device is in it no more.

use ed25519_dalek::SigningKey;
use hob_protocol::ids::DeviceKey;
use rand_core::CryptoRng;

use super::known::KnownList;
use super::list::{DEVICES_MAX, DeviceList, LIST_LIFE_S, Listed, REVOKED_MAX};
use crate::Client;
use crate::client::Step;
use crate::command::CommandError;
use crate::contacts::check_name;
use crate::outbox::OutBody;
use crate::output::{Notice, Output, Outputs};

/// What the first device is called.
const FIRST_NAME: &str = "first";
/// After so much of its life a list is renewed, in seconds.
const RENEW_AFTER_S: u64 = LIST_LIFE_S / 2;

/// One device of this member, for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceView {
    /// What it is called.
    pub name: String,
    /// Its key.
    pub device_key: DeviceKey,
    /// Whether it is this very device.
    pub is_this: bool,
}

impl Client {
    /// This member's devices, as the newest list names them.
    pub fn devices(&self) -> Vec<DeviceView> {
        let me = self.state.keys.device_key();
        let view = |known: &super::known::KnownDevice| DeviceView {
            name: known.name.clone(),
            device_key: known.device,
            is_this: known.device == me,
        };
        self.state.own_list().map(|list| list.devices.iter().map(view).collect()).unwrap_or_default()
    }

    /// Whether this device holds the member key: only such a one adds and removes devices.
    pub fn holds_member_key(&self) -> bool {
        self.state.keys.member.is_some()
    }

    /// Whether the member removed this device. It keeps its history, and sends and receives nothing.
    pub fn is_removed(&self) -> bool {
        self.state.removed
    }

    /// Lists older than known ones that came, since the program started.
    pub fn older_lists(&self) -> u64 {
        self.run.older_lists
    }

    /// Calls a device something else; contacts and own devices are told.
    ///
    /// # Errors
    /// [`CommandError::NoMemberKey`], [`CommandError::NoSuchDevice`], a bad or taken name.
    pub fn rename_device(
        &mut self,
        now_ms: u64,
        rng: &mut dyn CryptoRng,
        name: &str,
        new_name: &str,
    ) -> Result<Outputs, CommandError> {
        let device = self.own_device_named(name)?;
        check_name(new_name)?;
        if self.own_device_named(new_name).is_ok_and(|other| other != device) {
            return Err(CommandError::NameTaken { name: new_name.to_owned() });
        }
        let (mut devices, revoked) = self.listed().ok_or(CommandError::NoMemberKey)?;
        for listed in devices.iter_mut().filter(|listed| listed.record.device_key == device) {
            new_name.clone_into(&mut listed.name);
        }
        let mut s = Step::new(now_ms, rng);
        self.publish_list(devices, revoked, &mut s)?;
        Ok(self.settle(s))
    }

    /// Removes a device of this member: contacts and own devices are told, and take nothing of it any more.
    ///
    /// # Errors
    /// [`CommandError::NoMemberKey`], [`CommandError::NoSuchDevice`], [`CommandError::ThisDevice`].
    pub fn remove_device(&mut self, now_ms: u64, rng: &mut dyn CryptoRng, name: &str) -> Result<Outputs, CommandError> {
        let device = self.own_device_named(name)?;
        if device == self.state.keys.device_key() {
            return Err(CommandError::ThisDevice);
        }
        let (mut devices, mut revoked) = self.listed().ok_or(CommandError::NoMemberKey)?;
        devices.retain(|listed| listed.record.device_key != device);
        revoked.push(device);
        let surplus = revoked.len().saturating_sub(REVOKED_MAX);
        revoked.drain(..surplus);
        let mut s = Step::new(now_ms, rng);
        self.farewell(&device, &mut s);
        self.publish_list(devices, revoked, &mut s)?;
        Ok(self.settle(s))
    }

    /// The removed device is told by its last envelope; nothing else goes to it, nothing of it is taken.
    fn farewell(&mut self, device: &DeviceKey, s: &mut Step<'_>) {
        self.state.outbox.retain(|entry| entry.to != *device);
        let Some(peer) = self.state.peer_mut(device) else { return };
        peer.leaving = true;
        peer.receipts.clear();
        if peer.token().is_some() {
            self.post(*device, OutBody::Farewell, s);
        } else {
            self.drop_device(device);
        }
    }

    fn own_device_named(&self, name: &str) -> Result<DeviceKey, CommandError> {
        let devices = self.devices();
        let found = devices.iter().find(|device| device.name == name).map(|device| device.device_key);
        found.ok_or_else(|| CommandError::NoSuchDevice { name: name.to_owned() })
    }

    /// What the own list names, for the next one; `None` where no next one can be made.
    pub(crate) fn listed(&self) -> Option<(Vec<Listed>, Vec<DeviceKey>)> {
        self.state.keys.member.as_ref()?;
        let home = self.state.home.as_ref()?.identity;
        let me = self.state.keys.record(home);
        let known = self.state.own_list().and_then(|list| DeviceList::open(&list.bytes).ok());
        let (mut devices, revoked): (Vec<Listed>, Vec<DeviceKey>) =
            known.map(|list| (list.devices, list.revoked)).unwrap_or_default();
        let own_name = devices.iter().find(|listed| listed.record.device_key == me.device_key);
        let name = own_name.map_or(FIRST_NAME.to_owned(), |listed| listed.name.clone());
        devices.retain(|listed| listed.record.device_key != me.device_key);
        let revoked = revoked.into_iter().filter(|device| *device != me.device_key).collect();
        devices.insert(0, Listed { record: me, name });
        Some((devices, revoked))
    }

    /// Signs the next list, takes it, and tells everybody.
    pub(crate) fn publish_list(
        &mut self,
        devices: Vec<Listed>,
        revoked: Vec<DeviceKey>,
        s: &mut Step<'_>,
    ) -> Result<(), CommandError> {
        if devices.len() > DEVICES_MAX {
            return Err(CommandError::TooManyDevices { max: DEVICES_MAX });
        }
        let member = self.state.keys.member.clone().ok_or(CommandError::NoMemberKey)?;
        let known = self.state.own_list();
        let bytes = next_list(known, devices, revoked, &member, s.now_ms / 1000);
        if let Ok(list) = DeviceList::open(&bytes) {
            self.take_list(&list, &bytes, s);
        }
        // What changed was ordered here, and is answered here.
        let is_echo = |output: &Output| matches!(output, Output::Notice(Notice::OwnDevicesChanged { .. }));
        self.run.batch.out.retain(|output| !is_echo(output));
        self.announce_list(s);
        s.dirty = true;
        Ok(())
    }

    /// A device with the member key has a list, and renews it in time.
    pub(crate) fn tend_own_list(&mut self, s: &mut Step<'_>) {
        self.tell_expired_lists(s);
        let now_s = s.now_ms / 1000;
        let is_fresh = |list: &KnownList| now_s < list.made_at_s.saturating_add(RENEW_AFTER_S);
        if self.state.removed || self.state.own_list().is_some_and(is_fresh) {
            return;
        }
        if let Some((devices, revoked)) = self.listed() {
            // Sixteen devices at most were in the list before: it cannot fail.
            let _ = self.publish_list(devices, revoked, s);
        }
    }

    /// A newer own list came, or was made here.
    pub(crate) fn take_own_list(&mut self, list: &DeviceList, before: Option<&KnownList>, s: &mut Step<'_>) {
        let me = self.state.keys.device_key();
        let own_member = self.state.keys.member_key();
        let Some(listed) = list.device(&me) else {
            // A list from before this device was put into one says nothing about it.
            if self.state.pairing.is_none() {
                self.this_device_was_removed(s);
            }
            return;
        };
        if self.state.keys.member.is_none() && before.and_then(|before| before.device(&me)).is_none() {
            self.state.keys.take_certificate(&listed.record);
            self.state.pairing = None;
            let name = listed.name.clone();
            self.later(Output::Notice(Notice::DevicePaired { name }), s);
        }
        self.apply_list(&own_member, s);
        let Some(before) = before.filter(|before| before.device(&me).is_some()) else { return };
        let added = list.devices.iter().filter(|listed| before.device(&listed.record.device_key).is_none());
        let added: Vec<String> = added.map(|listed| listed.name.clone()).collect();
        let removed = before.devices.iter().filter(|known| list.device(&known.device).is_none());
        let removed: Vec<String> = removed.map(|known| known.name.clone()).collect();
        if !added.is_empty() || !removed.is_empty() {
            self.later(Output::Notice(Notice::OwnDevicesChanged { added, removed }), s);
        }
    }

    fn this_device_was_removed(&mut self, s: &mut Step<'_>) {
        if std::mem::replace(&mut self.state.removed, true) {
            return;
        }
        // Nobody takes anything of this device any more: what waits is not sent.
        let waiting = self.state.outbox.iter().map(|entry| (entry.id, entry.to)).collect::<Vec<_>>();
        for (id, to) in waiting {
            self.finish(&id, &to, crate::state::Standing::Expired);
        }
        self.later(Output::Notice(Notice::ThisDeviceRemoved), s);
    }
}

/// The bytes of the list that follows.
fn next_list(
    known: Option<&KnownList>,
    devices: Vec<Listed>,
    revoked: Vec<DeviceKey>,
    member: &SigningKey,
    now_s: u64,
) -> bytes::Bytes {
    let member_key = hob_protocol::ids::MemberKey(member.verifying_key().to_bytes());
    let list = DeviceList {
        member_key,
        // By the clock, so that a list made from a recovered key is newer than those it does not know.
        version: known.map_or(0, |known| known.version.saturating_add(1)).max(now_s),
        previous: known.map_or([0; 32], |known| known.hash),
        made_at_s: now_s,
        expires_at_s: now_s.saturating_add(LIST_LIFE_S),
        devices,
        revoked,
    };
    list.sign(member)
}
