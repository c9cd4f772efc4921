//! The bodies of responses.

use hob_protocol::frame::{Hello, Limits};
use hob_relay::web::Standing;
use serde::Serialize;
use utoipa::ToSchema;

use crate::net::api::sessions::{ACCESS_FOR, Tokens};
use crate::net::api::shapes::{Base64, Hex};

/// What a box is and allows. Over JSON nothing is signed by the box's identity: the certificate vouches for it.
#[derive(Debug, Serialize, ToSchema)]
pub struct BoxInfo {
    /// The box's Ed25519 identity: to be compared with the pin.
    identity: Hex<32>,
    /// Changes when the box's memory is not continuous any more.
    epoch: String,
    /// Openings of the windows lost in this epoch, Unix time in seconds.
    lost_windows: Vec<u64>,
    /// What it allows.
    limits: LimitsInfo,
    /// Where it can be reached, signed.
    address_record: Option<AddressRecordInfo>,
}

/// What a box allows: as in the hello.
#[derive(Debug, Serialize, ToSchema)]
pub struct LimitsInfo {
    ttl_max_s: u64,
    ttl_min_s: u64,
    mailbox_envelopes: u32,
    mailbox_bytes: u64,
    token_burst: u32,
    token_per_second: u32,
    bundle_fetches_per_hour: u32,
    tokens_per_mailbox: u32,
}

impl From<Limits> for LimitsInfo {
    fn from(limits: Limits) -> Self {
        Self {
            ttl_max_s: limits.ttl_max.as_secs(),
            ttl_min_s: limits.ttl_min.as_secs(),
            mailbox_envelopes: limits.mailbox_envelopes,
            mailbox_bytes: limits.mailbox_bytes,
            token_burst: limits.token_burst,
            token_per_second: limits.token_per_second,
            bundle_fetches_per_hour: limits.bundle_fetches_per_hour,
            tokens_per_mailbox: limits.tokens_per_mailbox,
        }
    }
}

/// An address record: as in the hello.
#[derive(Debug, Serialize, ToSchema)]
pub struct AddressRecordInfo {
    /// At most three of "host:port".
    addresses: Vec<String>,
    /// A higher one replaces a lower one.
    sequence: u64,
    /// Unix time in seconds.
    expires_at_s: u64,
    /// By the box's identity.
    signature: Hex<64>,
}

impl From<Hello> for BoxInfo {
    fn from(hello: Hello) -> Self {
        let address_record = hello.address_record.map(|record| AddressRecordInfo {
            addresses: record.addresses.iter().map(ToString::to_string).collect(),
            sequence: record.sequence,
            expires_at_s: record.expires_at_s,
            signature: Hex(record.signature),
        });
        Self {
            identity: Hex(hello.identity.0),
            // Numbers above 2^53 are not safe in JSON (RFC 8259, section 6).
            epoch: format!("{:016x}", hello.epoch),
            lost_windows: hello.lost_windows,
            limits: hello.limits.into(),
            address_record,
        }
    }
}

/// The device is a member's.
#[derive(Debug, Serialize, ToSchema)]
pub struct Registered {
    /// The box's own name of the member.
    pub member: Hex<16>,
    /// The device's mailbox.
    pub mailbox: Hex<16>,
}

/// What a login signs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Challenge {
    /// Good for one login.
    pub nonce: Hex<32>,
    /// The box that asks.
    pub identity: Hex<32>,
    /// Seconds for which the challenge is good, at least.
    pub expires_in_s: u64,
}

/// A pair of tokens.
#[derive(Serialize, ToSchema)]
pub struct TokenPair {
    /// For the `Authorization` header: `Bearer` and this.
    access_token: String,
    /// Always "Bearer".
    token_type: &'static str,
    /// Seconds for which the access token is good.
    expires_in_s: u64,
    /// For `/v1/auth/refresh`, once.
    refresh_token: String,
}

impl From<Tokens> for TokenPair {
    fn from(tokens: Tokens) -> Self {
        Self {
            access_token: tokens.access,
            token_type: "Bearer",
            expires_in_s: ACCESS_FOR.as_secs(),
            refresh_token: tokens.refresh,
        }
    }
}

/// How a device stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// The box's own name of the member.
    member: Hex<16>,
    /// The device.
    device_key: Hex<32>,
    /// Its mailbox.
    mailbox: Hex<16>,
    /// Envelopes that wait.
    pending: u32,
    /// Delivery tokens granted.
    tokens: u32,
    /// The box misses the token list: put the whole one.
    wants_token_list: bool,
    /// The box misses a good bundle: put one.
    wants_bundle: bool,
    /// A WebSocket of this device is connected.
    connected: bool,
    /// Event streams of this device.
    event_streams: u32,
    /// Sessions of this device. One more than you know of: somebody has its key.
    sessions: usize,
    /// Seconds for which this access token is good.
    expires_in_s: u64,
}

impl Me {
    /// From what rules and sessions know.
    pub fn new(standing: &Standing, sessions: usize, expires_in: std::time::Duration) -> Self {
        Self {
            member: Hex(standing.member.0),
            device_key: Hex(standing.device_key.0),
            mailbox: Hex(standing.mailbox.0),
            pending: standing.pending,
            tokens: standing.tokens,
            wants_token_list: standing.wants_token_list,
            wants_bundle: standing.wants_bundle,
            connected: standing.connected,
            event_streams: standing.watchers,
            sessions,
            expires_in_s: expires_in.as_secs(),
        }
    }
}

/// Some of the envelopes that wait, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page {
    /// At most as many as were asked for.
    pub envelopes: Vec<Kept>,
    /// For the next page, where there is one.
    pub cursor: Option<String>,
}

/// An envelope that waits.
#[derive(Debug, Serialize, ToSchema)]
pub struct Kept {
    /// What acknowledge names.
    pub id: Hex<32>,
    /// As it was submitted.
    pub envelope: Base64,
    /// Seconds that are left of its life.
    pub ttl_s: u64,
}

/// The envelope is durable (or, online-only, was handled).
#[derive(Debug, Serialize, ToSchema)]
pub struct Accepted {
    /// Seconds that are left of its life.
    pub ttl_s: u64,
    /// This mailbox had this envelope before, read or unread.
    pub duplicate: bool,
}

/// A bundle, as its owner published it: check its signature.
#[derive(Debug, Serialize, ToSchema)]
pub struct Bundle {
    /// 1 to 4,096 bytes.
    pub bundle: Base64,
}
