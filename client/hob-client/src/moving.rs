//! Boxes that move: where the home box is, who is told, and where contacts' boxes are.
//!
//! A box signs its addresses. A device learns its home box's from the hello, or from a person; it tells the record to
//! contacts on other boxes, sealed and until it is confirmed, since they can't reach the old place to ask.

use hob_protocol::address::{Address, AddressRecord};
use hob_protocol::ids::{BoxIdentity, DeviceKey};
use hob_protocol::limits::ADDRESSES_MAX;
use rand_core::CryptoRng;

use crate::Client;
use crate::client::Step;
use crate::command::CommandError;
use crate::contacts::{read_address_record, take_address_record};
use crate::input::Link;
use crate::link::Phase;
use crate::outbox::{Entry, OutBody, new_id};
use crate::output::{Output, Outputs};
use crate::state::HomeState;

/// Unsigned addresses of one box, as several contacts there name them.
const UNSIGNED_MAX: usize = 6;

impl HomeState {
    /// Takes what the box signed, if it is newer. What a person named is forgotten once the box says it itself.
    pub(crate) fn take_record(&mut self, record: &AddressRecord) -> bool {
        if !take_address_record(record, &self.identity, self.record_sequence) {
            return false;
        }
        let signed = &record.addresses;
        self.addresses.clone_from(signed);
        self.record_sequence = record.sequence;
        self.address_record = prost::Message::encode_to_vec(&record.to_wire());
        if self.named.as_ref().is_some_and(|named| named.iter().all(|address| signed.contains(address))) {
            self.named = None;
        }
        true
    }
}

impl Client {
    /// Notes where the home box is now. Whoever answers there must prove that it is that box, before anything secret is
    /// sent: a wrong address costs time only.
    ///
    /// # Errors
    /// [`CommandError::NotJoined`].
    pub fn name_home_addresses(
        &mut self,
        now_ms: u64,
        rng: &mut dyn CryptoRng,
        mut addresses: Vec<Address>,
    ) -> Result<Outputs, CommandError> {
        let home = self.state.home.as_mut().ok_or(CommandError::NotJoined)?;
        addresses.truncate(ADDRESSES_MAX);
        let identity = home.identity;
        home.named = Some(addresses).filter(|addresses| !addresses.is_empty());
        let mut s = Step::new(now_ms, rng);
        for link in [Link::Owner, Link::Sender(identity)] {
            match self.phase(link) {
                Phase::Open => {}
                Phase::Closed => self.try_now(link),
                Phase::Connecting | Phase::Greeting => {
                    s.out.push(Output::Close { link });
                    self.closed(link, &mut s);
                    self.try_now(link);
                }
            }
        }
        s.dirty = true;
        Ok(self.settle(s))
    }

    /// Where a contact's box is: what it signed last, else all that its members say of it, since one of them may lie.
    pub(crate) fn addresses_of_box(&self, identity: &BoxIdentity) -> Vec<Address> {
        let at_box = || self.state.peers.iter().filter(|peer| peer.box_identity == *identity);
        if let Some(signed) = at_box().filter(|peer| peer.record_sequence > 0).max_by_key(|peer| peer.record_sequence) {
            return signed.addresses.clone();
        }
        let mut addresses = Vec::new();
        for address in at_box().flat_map(|peer| &peer.addresses) {
            if addresses.len() < UNSIGNED_MAX && !addresses.contains(address) {
                addresses.push(address.clone());
            }
        }
        addresses
    }

    /// A contact says where its box is now. Only what the box signed, and only what is newer, counts.
    pub(crate) fn box_has_moved(&mut self, from: &DeviceKey, record: &[u8], s: &Step<'_>) {
        let Some(record) = read_address_record(record) else { return };
        let Some(peer) = self.state.peer_mut(from) else { return };
        let identity = peer.box_identity;
        if !peer.take_address_record(&record) {
            return;
        }
        self.run.batch.dirty = true;
        self.run.batch.since_ms.get_or_insert(s.now_ms);
        let at_box: Vec<DeviceKey> =
            self.state.peers.iter().filter(|peer| peer.box_identity == identity).map(|peer| peer.device).collect();
        for device in at_box {
            self.run.pauses.remove(&device);
        }
        self.try_now(Link::Sender(identity));
    }

    /// The home box's signed addresses, where it gave any.
    fn signed_addresses(&self) -> Option<Vec<Address>> {
        let home = self.state.home.as_ref()?;
        read_address_record(&home.address_record).map(|record| record.addresses)
    }

    /// An introduction goes out, and the addresses with it.
    pub(crate) fn addresses_were_told(&mut self, to: &DeviceKey) {
        let addresses = self.signed_addresses();
        if let Some(peer) = self.state.peer_mut(to) {
            peer.told_addresses = addresses.or_else(|| Some(Vec::new()));
        }
    }

    /// Contacts on other boxes are told once where this device's box is now; those on the same box learn it there.
    pub(crate) fn tell_new_addresses(&mut self, s: &mut Step<'_>) {
        if !self.run.caught_up {
            return;
        }
        let (Some(home), Some(addresses)) = (&self.state.home, self.signed_addresses()) else { return };
        let (identity, record) = (home.identity, home.address_record.clone());
        let elsewhere = self.state.peers.iter().filter(|peer| peer.box_identity != identity && peer.they_have_token);
        let mut to_tell = Vec::new();
        for peer in elsewhere.filter(|peer| self.state.is_contact(peer) && peer.token().is_some()) {
            if peer.told_addresses.as_ref() != Some(&addresses) {
                to_tell.push((peer.device, peer.told_addresses.is_some()));
            }
        }
        for (device, by_message) in to_tell {
            if let Some(peer) = self.state.peer_mut(&device) {
                peer.told_addresses = Some(addresses.clone());
            }
            if by_message {
                // Only the newest counts.
                let is_older = |entry: &Entry| entry.to == device && matches!(entry.body, OutBody::Addresses { .. });
                self.state.outbox.retain(|entry| !is_older(entry));
                let body = OutBody::Addresses { record: record.clone() };
                self.state.outbox.push(Entry::new(new_id(s), device, body, s.now_ms));
            }
            s.dirty = true;
        }
    }
}
