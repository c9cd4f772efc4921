//! The table of settings: each one stands here once, and nowhere else.

use std::time::Duration;

use crate::config::value::Kind;

/// One setting.
pub struct Setting {
    /// Its key in the file, with its group: `quota.members`.
    pub key: &'static str,
    /// Its flag, where it is not the key with dashes.
    flag: Option<&'static str>,
    /// What it does, in a sentence.
    pub doc: &'static str,
    /// What it takes.
    pub kind: Kind,
}

impl Setting {
    /// Its variable: `HOB_QUOTA_MEMBERS`.
    pub fn variable(&self) -> String {
        format!("HOB_{}", self.key.replace('.', "_").to_uppercase())
    }

    /// Its flag, without the dashes in front: `quota-members`.
    pub fn flag(&self) -> String {
        match self.flag {
            Some(flag) => flag.to_owned(),
            None => self.key.replace(['.', '_'], "-"),
        }
    }

    /// Its group and its name in the group; no group: the top of the file.
    pub fn group_and_name(&self) -> (Option<&'static str>, &'static str) {
        match self.key.split_once('.') {
            Some((group, name)) => (Some(group), name),
            None => (None, self.key),
        }
    }
}

/// The forms of the log on stderr.
pub const LOG_FORMATS: &[&str] = &["human", "json"];

/// The levels of the log on stderr.
pub const LOG_LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];

const fn seconds(from: u64, to: u64) -> (Duration, Duration) {
    (Duration::from_secs(from), Duration::from_secs(to))
}

const fn named(key: &'static str, doc: &'static str, kind: Kind) -> Setting {
    Setting { key, flag: None, doc, kind }
}

/// All settings, group by group, in the order of the example file.
pub static SETTINGS: &[Setting] = &[
    named(
        "listen",
        "Where members reach the box. Port 0 takes any free port",
        Kind::Listen(|config| &mut config.listen),
    ),
    named(
        "data",
        "The folder that holds keys and log. Without it: systemd's STATE_DIRECTORY, else hob in the XDG data folder",
        Kind::Folder(|config| &mut config.data),
    ),
    Setting {
        key: "addresses",
        flag: Some("address"),
        doc: "What invitations name as the box's addresses. Without it: those of this machine",
        kind: Kind::Addresses(|config| &mut config.addresses),
    },
    named(
        "retention",
        "How long anything is kept, at most. The longest time to live is half an hour less",
        Kind::Duration { bounds: seconds(3600, 6 * 3600), at: |config| &mut config.relay.retention },
    ),
    named(
        "quota.mailbox_envelopes",
        "Envelopes that one mailbox holds",
        Kind::Count { bounds: (16, 1_000_000), at: |config| &mut config.relay.mailbox_envelopes },
    ),
    named(
        "quota.mailbox_bytes",
        "Bytes that one mailbox holds",
        Kind::Size { bounds_bytes: (1 << 20, 1 << 30), at: |config| &mut config.relay.mailbox_bytes },
    ),
    named(
        "quota.mailbox_small_places",
        "Places of a mailbox that are left to envelopes of 2 KiB",
        Kind::Count { bounds: (0, 1_000_000), at: |config| &mut config.relay.mailbox_small_places },
    ),
    named(
        "quota.token_burst",
        "Envelopes that one delivery token may submit at once",
        Kind::Count { bounds: (1, 10_000_000), at: |config| &mut config.relay.token_burst },
    ),
    named(
        "quota.token_per_second",
        "Envelopes a second that one delivery token may submit after that",
        Kind::Count { bounds: (1, 10_000_000), at: |config| &mut config.relay.token_per_second },
    ),
    named(
        "quota.credit_max",
        "Envelopes in flight to one device before it acknowledges",
        Kind::Count { bounds: (1, 4096), at: |config| &mut config.relay.credit_max },
    ),
    named(
        "quota.bundle_fetches_per_hour",
        "Bundles that one delivery token may fetch in an hour",
        Kind::Count { bounds: (1, 1_000_000), at: |config| &mut config.relay.bundle_fetches_per_hour },
    ),
    named(
        "quota.owner_burst",
        "Changes of tokens and bundles that one device may make at once",
        Kind::Count { bounds: (1, 10_000_000), at: |config| &mut config.relay.owner_burst },
    ),
    named(
        "quota.owner_per_minute",
        "Changes of tokens and bundles a minute that one device may make after that",
        Kind::Count { bounds: (1, 10_000_000), at: |config| &mut config.relay.owner_per_minute },
    ),
    named(
        "quota.members",
        "Members that the box takes",
        Kind::Count { bounds: (1, 100_000), at: |config| &mut config.relay.members },
    ),
    named(
        "quota.devices_per_member",
        "Devices of one member",
        Kind::Count { bounds: (1, 1000), at: |config| &mut config.relay.devices_per_member },
    ),
    named(
        "quota.box_bytes",
        "Bytes that wait in the whole box",
        Kind::Size { bounds_bytes: (16 << 20, 1 << 40), at: |config| &mut config.relay.box_bytes },
    ),
    named(
        "quota.box_ids",
        "Envelope ids that the whole box remembers, waiting or done: about 100 bytes of memory each",
        Kind::Count { bounds: (10_000, 100_000_000), at: |config| &mut config.relay.box_ids },
    ),
    named(
        "quota.unproven_for",
        "How long a connection may stay without showing a token or a proof",
        Kind::Duration { bounds: seconds(1, 600), at: |config| &mut config.relay.unproven_for },
    ),
    named(
        "quota.sender_idle_for",
        "How long a sender's connection may stay silent",
        Kind::Duration { bounds: seconds(10, 86_400), at: |config| &mut config.relay.sender_idle_for },
    ),
    named(
        "gate.half_open",
        "Connections of one address that have shown neither a token nor a proof",
        Kind::Count { bounds: (1, 100_000), at: |config| &mut config.gate.half_open },
    ),
    named(
        "gate.new_per_second",
        "New connections a second of one address, once its burst is used up. More are delayed, none is banned",
        Kind::Count { bounds: (1, 1_000_000), at: |config| &mut config.gate.new_per_second },
    ),
    named(
        "gate.burst",
        "New connections of one address at once",
        Kind::Count { bounds: (1, 1_000_000), at: |config| &mut config.gate.burst },
    ),
    named(
        "gate.waiting",
        "Connections of one address that may wait to be let in",
        Kind::Count { bounds: (1, 100_000), at: |config| &mut config.gate.waiting },
    ),
    named(
        "tls.certificate",
        "A certificate for browsers and JSON clients, with its chain, in PEM. Without it: a self-made one, which is \
         enough for programs that pin the box's identity",
        Kind::File(|config| &mut config.tls_certificate),
    ),
    named(
        "tls.key",
        "The private key of tls.certificate, in PEM, readable by the box's user only",
        Kind::File(|config| &mut config.tls_key),
    ),
    named(
        "admin.listen",
        "Where the keeper's dashboard is. Only private networks are let in, wherever it listens",
        Kind::ListenOrOff(|config| &mut config.admin),
    ),
    named(
        "metrics.listen",
        "Where /healthz, /readyz and /metrics are served besides the control socket: loopback only",
        Kind::LoopbackOrOff(|config| &mut config.metrics),
    ),
    named(
        "log.format",
        "How the log on stderr is written",
        Kind::Choice { of: LOG_FORMATS, at: |config| &mut config.log_format },
    ),
    named(
        "log.level",
        "The least severe lines of the log. No level names an address, a token, a mailbox or a label",
        Kind::Choice { of: LOG_LEVELS, at: |config| &mut config.log_level },
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_settings_share_a_key_a_variable_or_a_flag() {
        let mut seen = BTreeSet::new();
        for setting in SETTINGS {
            for face in [setting.key.to_owned(), setting.variable(), format!("--{}", setting.flag())] {
                assert!(seen.insert(face.clone()), "{face} is there twice");
            }
        }
    }

    #[test]
    fn every_default_is_within_its_own_bounds() {
        for setting in SETTINGS {
            let mut config = crate::config::Config::default();
            if let Some(shown) = setting.kind.shown(&mut config) {
                let raw = crate::config::value::RawValue::Text(shown.trim_matches('"').to_owned());
                if shown != "[]" {
                    assert_eq!(setting.kind.set(&mut config, &raw), Ok(()), "{}", setting.key);
                }
            }
        }
    }
}
