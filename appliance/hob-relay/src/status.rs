//! Counters: how much, never who.

use std::collections::BTreeMap;

use hob_protocol::code::Code;

/// What happened since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Envelopes taken for keeping.
    pub accepted: u64,
    /// Envelopes acknowledged by their owners.
    pub delivered: u64,
    /// Envelopes that passed their deadline, and those of mailboxes that were removed.
    pub expired: u64,
    /// Repeats of envelopes taken before.
    pub duplicates: u64,
    /// Envelopes pushed, repeats included.
    pub pushed: u64,
    /// Online-only envelopes handled.
    pub online_only: u64,
    /// Refusals by code.
    pub refusals: BTreeMap<&'static str, u64>,
}

impl Counters {
    pub(crate) fn refused(&mut self, code: Code) {
        *self.refusals.entry(code.name()).or_default() += 1;
    }
}

/// A moment of the relay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// Since the start.
    pub counters: Counters,
    /// Envelopes that wait.
    pub pending: u64,
    /// Bytes that wait.
    pub pending_bytes: u64,
    /// Ids of done envelopes that are still known.
    pub known_ids: u64,
    /// Members.
    pub members: u64,
    /// Devices.
    pub devices: u64,
    /// Devices connected.
    pub owners_connected: u64,
    /// Other connections.
    pub others_connected: u64,
    /// The last commit was refused by the disk.
    pub storing_fails: bool,
    /// Windows lost in this epoch.
    pub lost_windows: u64,
}
