//! Every bound and duration of the protocol, checked against each other.
//!
//! Defaults of what a keeper may set live in `hob-relay`'s `Config`; here is what no setting can change.

use std::time::Duration;

/// The version every frame carries.
pub const VERSION: u32 = 1;

/// The WebSocket subprotocol (RFC 6455, section 1.9) of this version.
pub const SUBPROTOCOL: &str = "hob.v1";

/// The six sizes of an envelope, in bytes.
pub const ENVELOPE_SIZES: [usize; 6] = [2 << 10, 4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10];

/// The largest envelope, in bytes.
pub const ENVELOPE_BYTES_MAX: usize = ENVELOPE_SIZES[5];

/// The largest frame in either direction, in bytes: an envelope of 64 KiB, or a whole token list, and their wrapping.
pub const FRAME_BYTES_MAX: usize = ENVELOPE_BYTES_MAX + 1024;

/// Bytes of a published bundle.
pub const BUNDLE_BYTES_MAX: usize = 4096;

/// The longest time that anything is kept. Promise 2.
pub const KEEP_MAX: Duration = Duration::from_secs(6 * 3600);

/// How long a window takes envelopes in.
pub const WINDOW_LENGTH: Duration = Duration::from_secs(30 * 60);

/// The longest time to live, when a box keeps for the full six hours.
pub const TTL_MAX: Duration = Duration::from_secs(5 * 3600 + 30 * 60);

/// The shortest time to live.
pub const TTL_MIN: Duration = Duration::from_secs(30);

// Promise 2: an envelope accepted in a window's last second still dies with the window.
const _: () = assert!(TTL_MAX.as_secs() + WINDOW_LENGTH.as_secs() <= KEEP_MAX.as_secs());

/// Ids in one acknowledge frame.
pub const ACKNOWLEDGE_IDS_MAX: usize = 256;

/// Tokens that one mailbox may have granted at once. The whole list must fit one frame.
pub const TOKENS_PER_MAILBOX: usize = 1024;

// A grant is 32 bytes of hash, 2 of kind and at most 8 of wrapping.
const _: () = assert!(TOKENS_PER_MAILBOX * 42 <= FRAME_BYTES_MAX);

/// Addresses in an invitation, a contact code or an address record.
pub const ADDRESSES_MAX: usize = 3;

/// Bytes of one address, "host:port".
pub const ADDRESS_BYTES_MAX: usize = 128;

/// Bytes of a member's label.
pub const LABEL_BYTES_MAX: usize = 64;

/// Bytes of an origin in a web proof.
pub const ORIGIN_BYTES_MAX: usize = 256;

/// Bytes of a contact code, with its version and checksum.
pub const CONTACT_CODE_BYTES_MAX: usize = 256;

/// How long an introduction token waits for its first use.
pub const INTRODUCTION_FIRST_USE: Duration = Duration::from_secs(24 * 3600);

/// How long an introduction token lives after its first use.
pub const INTRODUCTION_AFTER_USE: Duration = Duration::from_secs(15 * 24 * 3600);

/// Envelopes that one introduction token may have pending.
pub const INTRODUCTION_PENDING_MAX: u32 = 64;

/// Envelopes that one introduction token may ever submit.
pub const INTRODUCTION_TOTAL_MAX: u32 = 1024;

/// The longest life of a bundle.
pub const BUNDLE_TTL_MAX: Duration = Duration::from_secs(15 * 24 * 3600);

/// How long a ticket for a further device of the same member is good.
pub const DEVICE_TICKET_TTL: Duration = Duration::from_secs(3600);

/// Tickets for further devices that one member may have open.
pub const DEVICE_TICKETS_MAX: usize = 4;

/// Devices of one member.
pub const DEVICES_PER_MEMBER: usize = 16;

/// How long the same device key may redeem its invitation again, since an answer can be lost.
pub const REDEEM_AGAIN: Duration = Duration::from_secs(10 * 60);
