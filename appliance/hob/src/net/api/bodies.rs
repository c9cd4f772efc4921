//! The bodies of requests: JSON in, the same frames as everywhere out. Each is bounded and checked here, and nowhere
//! else; what could be read needs no second look at its lengths.
//!
//! Unknown fields are ignored, as in frames. A field that comes twice is refused: two readers must not read two things.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use hob_protocol::code::Code;
use hob_protocol::envelope::Envelope;
use hob_protocol::frame::{Binding, ClientBody, Grant, TokenKind, Urgency};
use hob_protocol::ids::{DeliveryToken, DeviceKey, EnvelopeId, InvitationId, TokenHash};
use hob_protocol::limits::{
    ACKNOWLEDGE_IDS_MAX, BUNDLE_BYTES_MAX, ENVELOPE_BYTES_MAX, LABEL_BYTES_MAX, ORIGIN_BYTES_MAX, TOKENS_PER_MAILBOX,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::shapes::{Base64, Hex, bundle_schema, envelope_schema, whole};

/// A body cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadBody {
    /// What kind of fault.
    pub code: Code,
    /// Which field, and how.
    pub why: String,
}

fn bad(why: impl ToString) -> BadBody {
    BadBody { code: Code::BadFrame, why: why.to_string() }
}

/// A request's body.
pub trait RequestBody: DeserializeOwned {
    /// More bytes than this are not read.
    const BYTES_MAX: usize;

    /// What the parser lets pass and the protocol does not.
    ///
    /// # Errors
    /// [`BadBody`].
    fn check(&self) -> Result<(), BadBody> {
        Ok(())
    }
}

/// Reads a body.
///
/// # Errors
/// [`BadBody`].
pub fn read<T: RequestBody>(json: &[u8]) -> Result<T, BadBody> {
    if json.len() > T::BYTES_MAX {
        return Err(BadBody { code: Code::TooLarge, why: format!("at most {} bytes are taken", T::BYTES_MAX) });
    }
    let body: T = serde_json::from_slice(json).map_err(bad)?;
    body.check()?;
    Ok(body)
}

/// Uses an invitation for a new web device. The invitation's secret itself is never sent.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Register {
    /// The invitation's id.
    pub invitation: Hex<16>,
    /// The new device's Ed25519 key.
    pub device_key: Hex<32>,
    /// How the member wants to be called on the dashboard; at most 64 bytes of UTF-8.
    #[schema(max_length = 64)]
    pub label: String,
    /// The MAC of section 8 of the protocol, without an exporter.
    pub mac: Hex<32>,
}

impl RequestBody for Register {
    const BYTES_MAX: usize = 4 << 10;

    fn check(&self) -> Result<(), BadBody> {
        at_most("bytes of label", self.label.len(), LABEL_BYTES_MAX)
    }
}

fn at_most(what: &str, got: usize, max: usize) -> Result<(), BadBody> {
    if got <= max { Ok(()) } else { Err(bad(format!("{what}: {got}, more than {max}"))) }
}

impl From<Register> for ClientBody {
    fn from(body: Register) -> Self {
        Self::Redeem {
            invitation: InvitationId(body.invitation.0),
            device_key: DeviceKey(body.device_key.0),
            label: body.label,
            binding: Binding::Web,
            mac: body.mac.0,
        }
    }
}

/// Proves a web device.
#[derive(Debug, Deserialize, ToSchema)]
pub struct LogIn {
    /// The challenge.
    pub nonce: Hex<32>,
    /// The device.
    pub device_key: Hex<32>,
    /// Ed25519 over the transcript `hob/1 prove` with nonce, box identity and origin.
    pub signature: Hex<64>,
    /// The origin that was signed: one of the box's own.
    #[schema(max_length = 256, example = "https://box.example:8443")]
    pub origin: String,
    /// The device's own clock, Unix time in milliseconds; 0 when it has none. Helps a box without a clock.
    #[serde(default, deserialize_with = "whole")]
    pub clock_ms: u64,
}

impl RequestBody for LogIn {
    const BYTES_MAX: usize = 4 << 10;

    fn check(&self) -> Result<(), BadBody> {
        at_most("bytes of origin", self.origin.len(), ORIGIN_BYTES_MAX)
    }
}

/// Changes a refresh token for its successor.
#[derive(Deserialize, ToSchema)]
pub struct Refresh {
    /// The newest one that was given.
    #[schema(max_length = 128)]
    pub refresh_token: String,
}

impl fmt::Debug for Refresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { refresh_token: _ } = self;
        f.write_str("Refresh(…)")
    }
}

impl RequestBody for Refresh {
    const BYTES_MAX: usize = 4 << 10;
}

/// What a sender needs to seal to this device. Opaque to the box.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PublishBundle {
    /// 1 to 4,096 bytes.
    #[schema(schema_with = bundle_schema)]
    pub bundle: Base64,
    /// Seconds from now after which the box stops handing it out; more than 15 days are cut.
    #[serde(deserialize_with = "whole")]
    #[schema(value_type = u64, maximum = 4294967295_u32)]
    pub ttl_s: u32,
}

impl RequestBody for PublishBundle {
    const BYTES_MAX: usize = 8 << 10;

    fn check(&self) -> Result<(), BadBody> {
        match self.bundle.0.len() {
            1..=BUNDLE_BYTES_MAX => Ok(()),
            bytes => Err(BadBody { code: Code::BadBundle, why: format!("{bytes} bytes") }),
        }
    }
}

impl From<PublishBundle> for ClientBody {
    fn from(body: PublishBundle) -> Self {
        Self::BundlePublish { bundle: body.bundle.0, ttl: seconds(body.ttl_s) }
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One device of a contact, until it is revoked.
    Contact,
    /// Inside a contact code: first use within 24 hours, then 15 days; few envelopes.
    Introduction,
}

/// Allows whoever holds the token to submit to this mailbox.
#[derive(Debug, Deserialize, ToSchema)]
pub struct GrantToken {
    /// What the box keeps of the token: BLAKE3 of it with context "hob/1 token".
    pub token_hash: Hex<32>,
    /// What it is for.
    pub kind: Kind,
}

impl RequestBody for GrantToken {
    const BYTES_MAX: usize = 4 << 10;
}

impl From<&GrantToken> for Grant {
    fn from(body: &GrantToken) -> Self {
        let kind = match body.kind {
            Kind::Contact => TokenKind::Contact,
            Kind::Introduction => TokenKind::Introduction,
        };
        Self { token_hash: TokenHash(body.token_hash.0), kind }
    }
}

impl From<GrantToken> for ClientBody {
    fn from(body: GrantToken) -> Self {
        Self::TokenGrant((&body).into())
    }
}

/// The whole list of the mailbox's tokens: missing ones are granted, others dropped.
#[derive(Debug, Deserialize, ToSchema)]
pub struct TokenList {
    /// At most 1,024.
    #[schema(max_items = 1024)]
    pub tokens: Vec<GrantToken>,
}

impl RequestBody for TokenList {
    const BYTES_MAX: usize = 144 << 10;

    fn check(&self) -> Result<(), BadBody> {
        at_most("tokens", self.tokens.len(), TOKENS_PER_MAILBOX)
    }
}

impl From<TokenList> for ClientBody {
    fn from(body: TokenList) -> Self {
        Self::TokenList { grants: body.tokens.iter().map(Grant::from).collect() }
    }
}

/// The owner has these envelopes safe; the box forgets their bodies.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Acknowledge {
    /// At most 256.
    #[schema(max_items = 256)]
    pub ids: Vec<Hex<32>>,
}

impl RequestBody for Acknowledge {
    const BYTES_MAX: usize = 24 << 10;

    fn check(&self) -> Result<(), BadBody> {
        at_most("ids", self.ids.len(), ACKNOWLEDGE_IDS_MAX)
    }
}

impl From<Acknowledge> for ClientBody {
    fn from(body: Acknowledge) -> Self {
        Self::Acknowledge { ids: body.ids.into_iter().map(|id| EnvelopeId(id.0)).collect() }
    }
}

/// Whether a sleeping device is woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum HowUrgent {
    /// It reads it when it comes.
    #[default]
    Quiet,
    /// Its wake-up is fired.
    Wake,
}

/// How an envelope is to be treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Treatment {
    /// Seconds to live, from now; a larger one than the box allows is cut.
    pub ttl_s: u32,
    /// Whether a sleeping device is woken.
    pub urgency: HowUrgent,
    /// Given to who is connected now, or dropped; never kept.
    pub online_only: bool,
}

/// The same in the query, where the envelope itself is the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TreatmentQuery {
    /// Seconds to live, from now: 30 to `ttl_max_s`; a larger one is cut. Without it: `ttl_max_s`.
    #[param(value_type = u64, minimum = 30, maximum = 4294967295_u32, required = false)]
    #[serde(default = "as_long_as_may_be")]
    pub ttl_s: u32,
    /// Whether a sleeping device is woken.
    #[serde(default)]
    pub urgency: HowUrgent,
    /// Given to who is connected now, or dropped; never kept.
    #[serde(default)]
    pub online_only: bool,
}

const fn as_long_as_may_be() -> u32 {
    u32::MAX
}

impl From<TreatmentQuery> for Treatment {
    fn from(query: TreatmentQuery) -> Self {
        Self { ttl_s: query.ttl_s, urgency: query.urgency, online_only: query.online_only }
    }
}

/// One sealed envelope for one mailbox. The token says which.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Submit {
    /// The delivery token.
    pub token: Hex<32>,
    /// Exactly 2, 4, 8, 16, 32 or 64 KiB.
    #[schema(schema_with = envelope_schema)]
    pub envelope: Base64,
    /// Seconds to live, from now: 30 to `ttl_max_s`; a larger one is cut.
    #[serde(deserialize_with = "whole")]
    #[schema(value_type = u64, minimum = 30, maximum = 4294967295_u32)]
    pub ttl_s: u32,
    /// Whether a sleeping device is woken.
    #[serde(default)]
    pub urgency: HowUrgent,
    /// Given to who is connected now, or dropped; never kept.
    #[serde(default)]
    pub online_only: bool,
}

impl Submit {
    /// How it is to be treated.
    pub const fn treatment(&self) -> Treatment {
        Treatment { ttl_s: self.ttl_s, urgency: self.urgency, online_only: self.online_only }
    }
}

impl RequestBody for Submit {
    const BYTES_MAX: usize = ENVELOPE_BYTES_MAX.div_ceil(3) * 4 + 1024;

    fn check(&self) -> Result<(), BadBody> {
        envelope(&self.envelope.0).map(drop)
    }
}

fn envelope(bytes: &Bytes) -> Result<Envelope, BadBody> {
    Envelope::new(bytes.clone()).map_err(|error| BadBody { code: Code::NotAnEnvelope, why: error.to_string() })
}

/// A submit from its parts.
///
/// # Errors
/// [`BadBody`]: not one of the six sizes.
pub fn submit(token: &Hex<32>, sealed: &Bytes, treatment: Treatment) -> Result<ClientBody, BadBody> {
    Ok(ClientBody::Submit {
        token: DeliveryToken(token.0),
        envelope: envelope(sealed)?,
        ttl: seconds(treatment.ttl_s),
        urgency: match treatment.urgency {
            HowUrgent::Quiet => Urgency::Quiet,
            HowUrgent::Wake => Urgency::Wake,
        },
        online_only: treatment.online_only,
    })
}

/// Asks for the bundle of the mailbox that the token is for.
#[derive(Debug, Deserialize, ToSchema)]
pub struct FetchBundle {
    /// The delivery token.
    pub token: Hex<32>,
}

impl RequestBody for FetchBundle {
    const BYTES_MAX: usize = 4 << 10;
}

impl From<FetchBundle> for ClientBody {
    fn from(body: FetchBundle) -> Self {
        Self::BundleFetch { token: DeliveryToken(body.token.0) }
    }
}
