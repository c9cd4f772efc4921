//! A box as clients need one: members, tokens, bundles, mail with deadlines. What it answers stands in [`super::world`].

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use hob_protocol::address::{Address, AddressRecord};
use hob_protocol::code::Refused;
use hob_protocol::envelope::Envelope;
use hob_protocol::frame::{Hello, Limits, ServerBody};
use hob_protocol::ids::{BoxIdentity, DeviceKey, EnvelopeId, MailboxId, TokenHash};
use hob_protocol::transcript::{self, Exporter};

/// The SPKI of every certificate here.
pub const SPKI: &[u8] = b"a certificate's key";

pub struct NaiveBox {
    pub key: SigningKey,
    pub epoch: u64,
    pub lost_windows: Vec<u64>,
    pub up: bool,
    pub ttl_max: Duration,
    pub tokens: HashMap<TokenHash, MailboxId>,
    pub members: HashSet<DeviceKey>,
    pub bundles: HashMap<MailboxId, Bytes>,
    pub mail: Vec<Kept>,
    /// Everything ever accepted, duplicates not counted.
    pub accepted: Vec<(MailboxId, Envelope)>,
    pub refuse_submits: Option<Refused>,
    pub fetches: usize,
    /// Submits that were taken, repeated ones counted.
    pub submitted: usize,
    /// Online-only: pushed or dropped, never kept.
    pub passed_on: Vec<Envelope>,
    pub knows_lists: bool,
    /// Where it can be reached only, where that matters.
    pub at: Option<Address>,
    /// Where it answers in another's place.
    pub squats: Option<Address>,
    /// What its address record says, and its sequence.
    pub addresses: Vec<Address>,
    pub sequence: u64,
}

pub struct Kept {
    pub mailbox: MailboxId,
    pub id: EnvelopeId,
    pub envelope: Envelope,
    pub deadline_ms: u64,
    pub acknowledged: bool,
}

impl NaiveBox {
    pub fn new(seed: u8) -> Self {
        Self {
            key: SigningKey::from_bytes(&[seed; 32]),
            epoch: 1,
            lost_windows: Vec::new(),
            up: true,
            ttl_max: Duration::from_secs(5 * 3600 + 1800),
            tokens: HashMap::new(),
            members: HashSet::new(),
            bundles: HashMap::new(),
            mail: Vec::new(),
            accepted: Vec::new(),
            refuse_submits: None,
            fetches: 0,
            submitted: 0,
            passed_on: Vec::new(),
            knows_lists: true,
            at: None,
            squats: None,
            addresses: vec![Address::parse("box.example:8443").unwrap()],
            sequence: 1,
        }
    }

    pub fn identity(&self) -> BoxIdentity {
        BoxIdentity(self.key.verifying_key().to_bytes())
    }

    pub fn pending(&self, mailbox: &MailboxId, now_ms: u64) -> Vec<&Kept> {
        let mine = self.mail.iter().filter(|kept| kept.mailbox == *mailbox && !kept.acknowledged);
        mine.filter(|kept| kept.deadline_ms > now_ms).collect()
    }

    /// It is reached there only, from now on, and says so to whoever comes.
    pub fn move_to(&mut self, address: &str) {
        self.addresses = vec![Address::parse(address).unwrap()];
        self.at = self.addresses.first().cloned();
        self.sequence += 1;
    }

    /// What is due goes. A box keeps nothing past its deadline, and nothing for longer than it promises.
    pub fn forget(&mut self, now_ms: u64) {
        const LONGEST_MS: u64 = 5 * 3_600_000 + 1_800_000;
        self.mail.retain(|kept| kept.deadline_ms > now_ms);
        for kept in &self.mail {
            assert!(kept.deadline_ms <= now_ms + LONGEST_MS, "kept for longer than the box does");
        }
    }

    pub fn hello(&self, exporter: &Exporter) -> ServerBody {
        ServerBody::Hello(Box::new(Hello {
            identity: self.identity(),
            signature: transcript::server(exporter, SPKI).sign(&self.key).to_vec().into(),
            epoch: self.epoch,
            lost_windows: self.lost_windows.clone(),
            limits: Limits {
                ttl_max: self.ttl_max,
                ttl_min: Duration::from_secs(30),
                mailbox_envelopes: 2000,
                mailbox_bytes: 32 << 20,
                token_burst: 256,
                token_per_second: 20,
                credit_max: 64,
                bundle_fetches_per_hour: 20,
                tokens_per_mailbox: 1024,
            },
            address_record: Some(AddressRecord::sign(&self.key, self.addresses.clone(), self.sequence, u64::MAX)),
        }))
    }
}
