//! Each frame as a checked type: what could be decoded here needs no second look at its lengths.

use std::time::Duration;

use bytes::Bytes;
use prost::Message;

use crate::address::AddressRecord;
use crate::code::{Code, Refused, whole_seconds_up};
use crate::envelope::Envelope;
use crate::ids::{
    BoxIdentity, DeliveryToken, DeviceKey, EnvelopeId, InvitationId, InvitationSecret, MailboxId, MemberId, TokenHash,
};
use crate::limits::{
    ACKNOWLEDGE_IDS_MAX, BUNDLE_BYTES_MAX, FRAME_BYTES_MAX, LABEL_BYTES_MAX, ORIGIN_BYTES_MAX, TOKENS_PER_MAILBOX,
    VERSION,
};
use crate::wire;

/// A frame cannot be read. Carries the request it came with, where that much could be read, so that it can be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}", code.text())]
pub struct FrameError {
    /// What kind of fault.
    pub code: Code,
    /// The request of the frame; 0 where it could not be read.
    pub request: u64,
    /// Which field, and how.
    pub why: String,
}

/// How a device's proofs are bound to its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// To the TLS exporter.
    Native,
    /// To the origin, over a publicly trusted certificate.
    Web,
}

/// Whether a sleeping device is woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Urgency {
    /// It reads it when it comes.
    #[default]
    Quiet,
    /// Its wake-up is fired.
    Wake,
}

/// What a delivery token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// One device of a contact, until revoked.
    Contact,
    /// The first messages of somebody who was shown a contact code.
    Introduction,
}

/// A token as its owner grants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// What the box keeps of the token.
    pub token_hash: TokenHash,
    /// What it is for.
    pub kind: TokenKind,
}

/// What a box allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest time to live; a longer one is cut.
    pub ttl_max: Duration,
    /// Shortest time to live.
    pub ttl_min: Duration,
    /// Envelopes in one mailbox.
    pub mailbox_envelopes: u32,
    /// Bytes in one mailbox.
    pub mailbox_bytes: u64,
    /// Submits that a token may make at once.
    pub token_burst: u32,
    /// Submits a second that a token is given back.
    pub token_per_second: u32,
    /// Unacknowledged envelopes in flight to one owner.
    pub credit_max: u32,
    /// Bundle fetches of one token in an hour.
    pub bundle_fetches_per_hour: u32,
    /// Tokens of one mailbox.
    pub tokens_per_mailbox: u32,
}

/// The box's first frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// To be compared with the pin.
    pub identity: BoxIdentity,
    /// Over [`crate::transcript::server`]; empty where the box could not reach the exporter.
    pub signature: Bytes,
    /// Changes when the box's memory is not continuous any more.
    pub epoch: u64,
    /// Openings of the windows lost in this epoch, Unix time in seconds.
    pub lost_windows: Vec<u64>,
    /// What this box allows.
    pub limits: Limits,
    /// Where it can be reached.
    pub address_record: Option<AddressRecord>,
}

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of proto/hob.proto, which documents them")]
pub enum ClientBody {
    Redeem { invitation: InvitationId, device_key: DeviceKey, label: String, binding: Binding, mac: [u8; 32] },
    Prove { device_key: DeviceKey, signature: [u8; 64], origin: Option<String>, clock_ms: u64 },
    Submit { token: DeliveryToken, envelope: Envelope, ttl: Duration, urgency: Urgency, online_only: bool },
    Acknowledge { ids: Vec<EnvelopeId> },
    Credit { envelopes: u32 },
    TokenGrant(Grant),
    TokenRevoke { token_hash: TokenHash },
    TokenList { grants: Vec<Grant> },
    BundlePublish { bundle: Bytes, ttl: Duration },
    BundleFetch { token: DeliveryToken },
    Ping,
    DeviceTicket,
}

/// A client's frame: what it says, and what the answer is to carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFrame {
    /// Chosen by the client; 0 wants no match.
    pub request: u64,
    /// What it says.
    pub body: ClientBody,
}

/// What the box says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of proto/hob.proto, which documents them")]
pub enum ServerBody {
    Hello(Box<Hello>),
    Challenge { nonce: [u8; 32] },
    Admitted { member: MemberId, mailbox: MailboxId },
    Proved { mailbox: MailboxId, wants_token_list: bool, wants_bundle: bool },
    Accepted { ttl: Duration, duplicate: bool },
    Push { id: EnvelopeId, envelope: Envelope, ttl: Duration },
    CaughtUp,
    Done,
    Bundle { bundle: Bytes },
    MailboxWasFull { refused: u64 },
    Restarting { back_in: Duration },
    Error { code: u32, text: String, retry_after: Option<Duration> },
    Pong,
    DeviceTicket { id: InvitationId, secret: InvitationSecret, expires_at_s: u64 },
}

/// A frame of the box: what it says, and to which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFrame {
    /// The request it answers; 0 when the box speaks unasked.
    pub request: u64,
    /// What it says.
    pub body: ServerBody,
}

/// Seconds for the wire: rounded down, so that nobody is promised more time than there is.
fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

fn bytes(of: &[u8]) -> Bytes {
    Bytes::copy_from_slice(of)
}

struct Reader {
    request: u64,
}

impl Reader {
    fn error(&self, code: Code, why: impl ToString) -> FrameError {
        FrameError { code, request: self.request, why: why.to_string() }
    }

    fn bad(&self, why: impl ToString) -> FrameError {
        self.error(Code::BadFrame, why)
    }

    fn array<const N: usize>(&self, what: &str, field: &[u8]) -> Result<[u8; N], FrameError> {
        <[u8; N]>::try_from(field).map_err(|_| self.bad(format!("{what} has {N} bytes, not {}", field.len())))
    }

    fn id<'a, T>(&self, field: &'a [u8]) -> Result<T, FrameError>
    where
        T: TryFrom<&'a [u8]>,
        T::Error: ToString,
    {
        T::try_from(field).map_err(|error| self.bad(error))
    }

    fn at_most(&self, what: &str, got: usize, max: usize) -> Result<(), FrameError> {
        if got <= max { Ok(()) } else { Err(self.bad(format!("{what}: {got}, more than {max}"))) }
    }

    fn grant(&self, grant: &wire::TokenGrant) -> Result<Grant, FrameError> {
        let kind = match wire::TokenKind::try_from(grant.kind) {
            Ok(wire::TokenKind::TokenContact) => TokenKind::Contact,
            Ok(wire::TokenKind::TokenIntroduction) => TokenKind::Introduction,
            Err(_) => return Err(self.bad(format!("token kind {} is not known", grant.kind))),
        };
        Ok(Grant { token_hash: self.id(&grant.token_hash[..])?, kind })
    }

    fn envelope(&self, sealed: Bytes) -> Result<Envelope, FrameError> {
        Envelope::new(sealed).map_err(|error| self.error(Code::NotAnEnvelope, error))
    }
}

/// Checks size and version, and finds the request.
fn open<W: Message + Default>(frame: Bytes, head: impl Fn(&W) -> (u32, u64)) -> Result<(Reader, W), FrameError> {
    let blind = Reader { request: 0 };
    if frame.len() > FRAME_BYTES_MAX {
        return Err(blind.error(Code::TooLarge, format!("{} bytes, more than {FRAME_BYTES_MAX}", frame.len())));
    }
    let frame = W::decode(frame).map_err(|error| blind.bad(error))?;
    let (version, request) = head(&frame);
    let reader = Reader { request };
    if version != VERSION {
        return Err(reader.error(Code::UnsupportedVersion, format!("version {version}, not {VERSION}")));
    }
    Ok((reader, frame))
}

fn grant_to_wire(grant: &Grant) -> wire::TokenGrant {
    let kind = match grant.kind {
        TokenKind::Contact => wire::TokenKind::TokenContact,
        TokenKind::Introduction => wire::TokenKind::TokenIntroduction,
    };
    wire::TokenGrant { token_hash: bytes(&grant.token_hash.0), kind: kind.into() }
}

impl ClientFrame {
    /// Reads one binary message.
    ///
    /// # Errors
    /// [`FrameError`]; the connection can go on after any but [`Code::TooLarge`].
    pub fn decode(frame: Bytes) -> Result<Self, FrameError> {
        use wire::client_frame::Body;
        let (reader, frame) = open(frame, |frame: &wire::ClientFrame| (frame.version, frame.request))?;
        let Some(body) = frame.body else {
            return Err(reader.error(Code::UnknownFrame, "no body that this version knows"));
        };
        let body = match body {
            Body::Redeem(redeem) => {
                reader.at_most("bytes of label", redeem.label.len(), LABEL_BYTES_MAX)?;
                let binding = match redeem.binding() {
                    wire::Binding::Native => Binding::Native,
                    wire::Binding::Web => Binding::Web,
                    wire::Binding::Unspecified => return Err(reader.bad("redeem does not say native or web")),
                };
                ClientBody::Redeem {
                    invitation: reader.id(&redeem.invitation[..])?,
                    device_key: reader.id(&redeem.device_key[..])?,
                    mac: reader.array("a MAC", &redeem.mac)?,
                    binding,
                    label: redeem.label,
                }
            }
            Body::Prove(prove) => {
                reader.at_most("bytes of origin", prove.origin.len(), ORIGIN_BYTES_MAX)?;
                ClientBody::Prove {
                    device_key: reader.id(&prove.device_key[..])?,
                    signature: reader.array("a signature", &prove.signature)?,
                    origin: Some(prove.origin).filter(|origin| !origin.is_empty()),
                    clock_ms: prove.clock_ms,
                }
            }
            Body::Submit(submit) => {
                let urgency = match wire::Urgency::try_from(submit.urgency) {
                    Ok(wire::Urgency::Quiet) => Urgency::Quiet,
                    Ok(wire::Urgency::Wake) => Urgency::Wake,
                    Err(_) => return Err(reader.bad(format!("urgency {} is not known", submit.urgency))),
                };
                ClientBody::Submit {
                    token: reader.id(&submit.token[..])?,
                    envelope: reader.envelope(submit.envelope)?,
                    ttl: Duration::from_secs(submit.ttl_s.into()),
                    urgency,
                    online_only: submit.online_only,
                }
            }
            Body::Acknowledge(acknowledge) => {
                reader.at_most("ids", acknowledge.ids.len(), ACKNOWLEDGE_IDS_MAX)?;
                let ids = acknowledge.ids.iter().map(|id| reader.id(&id[..])).collect::<Result<_, _>>()?;
                ClientBody::Acknowledge { ids }
            }
            Body::Credit(credit) => ClientBody::Credit { envelopes: credit.envelopes },
            Body::TokenGrant(grant) => ClientBody::TokenGrant(reader.grant(&grant)?),
            Body::TokenRevoke(revoke) => ClientBody::TokenRevoke { token_hash: reader.id(&revoke.token_hash[..])? },
            Body::TokenList(list) => {
                reader.at_most("tokens", list.tokens.len(), TOKENS_PER_MAILBOX)?;
                let grants = list.tokens.iter().map(|grant| reader.grant(grant)).collect::<Result<_, _>>()?;
                ClientBody::TokenList { grants }
            }
            Body::BundlePublish(publish) => {
                if publish.bundle.is_empty() || publish.bundle.len() > BUNDLE_BYTES_MAX {
                    return Err(reader.error(Code::BadBundle, format!("{} bytes", publish.bundle.len())));
                }
                ClientBody::BundlePublish { bundle: publish.bundle, ttl: Duration::from_secs(publish.ttl_s.into()) }
            }
            Body::BundleFetch(fetch) => ClientBody::BundleFetch { token: reader.id(&fetch.token[..])? },
            Body::Ping(wire::Ping {}) => ClientBody::Ping,
            Body::DeviceTicket(wire::WantDeviceTicket {}) => ClientBody::DeviceTicket,
        };
        Ok(Self { request: reader.request, body })
    }

    /// One binary message.
    pub fn encode(self) -> Bytes {
        use wire::client_frame::Body;
        let body = match self.body {
            ClientBody::Redeem { invitation, device_key, label, binding, mac } => Body::Redeem(wire::Redeem {
                invitation: bytes(&invitation.0),
                device_key: bytes(&device_key.0),
                label,
                binding: match binding {
                    Binding::Native => wire::Binding::Native.into(),
                    Binding::Web => wire::Binding::Web.into(),
                },
                mac: bytes(&mac),
            }),
            ClientBody::Prove { device_key, signature, origin, clock_ms } => Body::Prove(wire::Prove {
                device_key: bytes(&device_key.0),
                signature: bytes(&signature),
                origin: origin.unwrap_or_default(),
                clock_ms,
            }),
            ClientBody::Submit { token, envelope, ttl, urgency, online_only } => Body::Submit(wire::Submit {
                token: bytes(token.expose()),
                envelope: envelope.into_bytes(),
                ttl_s: seconds(ttl),
                urgency: match urgency {
                    Urgency::Quiet => wire::Urgency::Quiet.into(),
                    Urgency::Wake => wire::Urgency::Wake.into(),
                },
                online_only,
            }),
            ClientBody::Acknowledge { ids } => {
                Body::Acknowledge(wire::Acknowledge { ids: ids.iter().map(|id| bytes(&id.0)).collect() })
            }
            ClientBody::Credit { envelopes } => Body::Credit(wire::Credit { envelopes }),
            ClientBody::TokenGrant(grant) => Body::TokenGrant(grant_to_wire(&grant)),
            ClientBody::TokenRevoke { token_hash } => {
                Body::TokenRevoke(wire::TokenRevoke { token_hash: bytes(&token_hash.0) })
            }
            ClientBody::TokenList { grants } => {
                Body::TokenList(wire::TokenList { tokens: grants.iter().map(grant_to_wire).collect() })
            }
            ClientBody::BundlePublish { bundle, ttl } => {
                Body::BundlePublish(wire::BundlePublish { bundle, ttl_s: seconds(ttl) })
            }
            ClientBody::BundleFetch { token } => Body::BundleFetch(wire::BundleFetch { token: bytes(token.expose()) }),
            ClientBody::Ping => Body::Ping(wire::Ping {}),
            ClientBody::DeviceTicket => Body::DeviceTicket(wire::WantDeviceTicket {}),
        };
        wire::ClientFrame { version: VERSION, request: self.request, body: Some(body) }.encode_to_vec().into()
    }
}

impl Limits {
    fn to_wire(self) -> wire::Limits {
        wire::Limits {
            ttl_max_s: seconds(self.ttl_max),
            ttl_min_s: seconds(self.ttl_min),
            mailbox_envelopes: self.mailbox_envelopes,
            mailbox_bytes: self.mailbox_bytes,
            token_burst: self.token_burst,
            token_per_second: self.token_per_second,
            credit_max: self.credit_max,
            bundle_fetches_per_hour: self.bundle_fetches_per_hour,
            tokens_per_mailbox: self.tokens_per_mailbox,
        }
    }

    fn from_wire(limits: &wire::Limits) -> Self {
        Self {
            ttl_max: Duration::from_secs(limits.ttl_max_s.into()),
            ttl_min: Duration::from_secs(limits.ttl_min_s.into()),
            mailbox_envelopes: limits.mailbox_envelopes,
            mailbox_bytes: limits.mailbox_bytes,
            token_burst: limits.token_burst,
            token_per_second: limits.token_per_second,
            credit_max: limits.credit_max,
            bundle_fetches_per_hour: limits.bundle_fetches_per_hour,
            tokens_per_mailbox: limits.tokens_per_mailbox,
        }
    }
}

impl ServerFrame {
    /// A refusal as the answer to a request.
    pub fn refusal(request: u64, refused: Refused) -> Self {
        let Refused { code, retry_after } = refused;
        Self { request, body: ServerBody::Error { code: code.number(), text: code.text().to_owned(), retry_after } }
    }

    /// Reads one binary message.
    ///
    /// # Errors
    /// [`FrameError`].
    pub fn decode(frame: Bytes) -> Result<Self, FrameError> {
        use wire::server_frame::Body;
        let (reader, frame) = open(frame, |frame: &wire::ServerFrame| (frame.version, frame.request))?;
        let Some(body) = frame.body else {
            return Err(reader.error(Code::UnknownFrame, "no body that this version knows"));
        };
        let body = match body {
            Body::Hello(hello) => ServerBody::Hello(Box::new(Hello {
                identity: reader.id(&hello.identity[..])?,
                signature: hello.signature,
                epoch: hello.epoch,
                lost_windows: hello.lost_windows,
                limits: Limits::from_wire(&hello.limits.ok_or_else(|| reader.bad("a hello without limits"))?),
                address_record: hello
                    .address_record
                    .map(|record| AddressRecord::from_wire(&record).map_err(|why| reader.bad(why)))
                    .transpose()?,
            })),
            Body::Challenge(challenge) => ServerBody::Challenge { nonce: reader.array("a nonce", &challenge.nonce)? },
            Body::Admitted(admitted) => ServerBody::Admitted {
                member: reader.id(&admitted.member[..])?,
                mailbox: reader.id(&admitted.mailbox[..])?,
            },
            Body::Proved(proved) => ServerBody::Proved {
                mailbox: reader.id(&proved.mailbox[..])?,
                wants_token_list: proved.wants_token_list,
                wants_bundle: proved.wants_bundle,
            },
            Body::Accepted(accepted) => {
                ServerBody::Accepted { ttl: Duration::from_secs(accepted.ttl_s.into()), duplicate: accepted.duplicate }
            }
            Body::Push(push) => ServerBody::Push {
                id: reader.id(&push.id[..])?,
                envelope: reader.envelope(push.envelope)?,
                ttl: Duration::from_secs(push.ttl_s.into()),
            },
            Body::CaughtUp(wire::CaughtUp {}) => ServerBody::CaughtUp,
            Body::Done(wire::Done {}) => ServerBody::Done,
            Body::Bundle(bundle) => ServerBody::Bundle { bundle: bundle.bundle },
            Body::MailboxWasFull(full) => ServerBody::MailboxWasFull { refused: full.refused },
            Body::Restarting(restarting) => {
                ServerBody::Restarting { back_in: Duration::from_secs(restarting.back_in_s.into()) }
            }
            Body::Error(error) => ServerBody::Error {
                code: error.code,
                text: error.text,
                retry_after: Some(error.retry_after_s)
                    .filter(|seconds| *seconds > 0)
                    .map(|seconds| Duration::from_secs(seconds.into())),
            },
            Body::Pong(wire::Pong {}) => ServerBody::Pong,
            Body::DeviceTicket(ticket) => ServerBody::DeviceTicket {
                id: reader.id(&ticket.id[..])?,
                secret: reader.id(&ticket.secret[..])?,
                expires_at_s: ticket.expires_at_s,
            },
        };
        Ok(Self { request: reader.request, body })
    }

    /// One binary message.
    pub fn encode(self) -> Bytes {
        self.into_wire().encode_to_vec().into()
    }

    /// Appends one binary message to a buffer. `head` is told its length in bytes first and may write what goes before.
    pub fn encode_into(self, out: &mut Vec<u8>, head: impl FnOnce(&mut Vec<u8>, usize)) {
        let frame = self.into_wire();
        let length = frame.encoded_len();
        // An envelope's frame is written at once: growing by doubling would copy it.
        out.reserve(length + 16);
        head(out, length);
        frame.encode_raw(out);
    }

    fn into_wire(self) -> wire::ServerFrame {
        use wire::server_frame::Body;
        let body = match self.body {
            ServerBody::Hello(hello) => Body::Hello(wire::Hello {
                identity: bytes(&hello.identity.0),
                signature: hello.signature,
                epoch: hello.epoch,
                lost_windows: hello.lost_windows,
                limits: Some(hello.limits.to_wire()),
                address_record: hello.address_record.as_ref().map(AddressRecord::to_wire),
            }),
            ServerBody::Challenge { nonce } => Body::Challenge(wire::Challenge { nonce: bytes(&nonce) }),
            ServerBody::Admitted { member, mailbox } => {
                Body::Admitted(wire::Admitted { member: bytes(&member.0), mailbox: bytes(&mailbox.0) })
            }
            ServerBody::Proved { mailbox, wants_token_list, wants_bundle } => {
                Body::Proved(wire::Proved { mailbox: bytes(&mailbox.0), wants_token_list, wants_bundle })
            }
            ServerBody::Accepted { ttl, duplicate } => {
                Body::Accepted(wire::Accepted { ttl_s: seconds(ttl), duplicate })
            }
            ServerBody::Push { id, envelope, ttl } => {
                Body::Push(wire::Push { id: bytes(&id.0), envelope: envelope.into_bytes(), ttl_s: seconds(ttl) })
            }
            ServerBody::CaughtUp => Body::CaughtUp(wire::CaughtUp {}),
            ServerBody::Done => Body::Done(wire::Done {}),
            ServerBody::Bundle { bundle } => Body::Bundle(wire::Bundle { bundle }),
            ServerBody::MailboxWasFull { refused } => Body::MailboxWasFull(wire::MailboxWasFull { refused }),
            ServerBody::Restarting { back_in } => Body::Restarting(wire::Restarting { back_in_s: seconds(back_in) }),
            ServerBody::Error { code, text, retry_after } => Body::Error(wire::Error {
                code,
                text,
                retry_after_s: retry_after
                    .map_or(0, |after| u32::try_from(whole_seconds_up(after)).unwrap_or(u32::MAX)),
            }),
            ServerBody::Pong => Body::Pong(wire::Pong {}),
            ServerBody::DeviceTicket { id, secret, expires_at_s } => Body::DeviceTicket(wire::DeviceTicket {
                id: bytes(&id.0),
                secret: bytes(secret.expose()),
                expires_at_s,
            }),
        };
        wire::ServerFrame { version: VERSION, request: self.request, body: Some(body) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn submit() -> ClientFrame {
        ClientFrame {
            request: 7,
            body: ClientBody::Submit {
                token: DeliveryToken([1; 32]),
                envelope: Envelope::new(Bytes::from(vec![9; 2048])).unwrap(),
                ttl: Duration::from_secs(600),
                urgency: Urgency::Wake,
                online_only: false,
            },
        }
    }

    #[test]
    fn a_frame_reads_back_as_it_was_written() {
        assert_eq!(ClientFrame::decode(submit().encode()), Ok(submit()));
        let push = ServerFrame {
            request: 0,
            body: ServerBody::Push {
                id: EnvelopeId([3; 32]),
                envelope: Envelope::new(Bytes::from(vec![1; 4096])).unwrap(),
                ttl: Duration::from_secs(5),
            },
        };
        assert_eq!(ServerFrame::decode(push.clone().encode()), Ok(push));
    }

    #[test]
    fn a_frame_that_is_cut_at_any_byte_is_refused_and_never_taken_for_another() {
        let whole = submit().encode();
        for end in 0..whole.len() {
            assert!(ClientFrame::decode(whole.slice(..end)).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn an_unknown_kind_or_version_is_answered_by_its_own_code_and_request() {
        let unknown = wire::ClientFrame { version: 1, request: 5, body: None }.encode_to_vec();
        let error = ClientFrame::decode(unknown.into()).unwrap_err();
        assert_eq!((error.code, error.request), (Code::UnknownFrame, 5));
        let newer = wire::ClientFrame { version: 2, request: 6, body: None }.encode_to_vec();
        let error = ClientFrame::decode(newer.into()).unwrap_err();
        assert_eq!((error.code, error.request), (Code::UnsupportedVersion, 6));
    }

    #[test]
    fn a_frame_larger_than_the_largest_is_refused_before_it_is_read() {
        let error = ClientFrame::decode(Bytes::from(vec![0; FRAME_BYTES_MAX + 1])).unwrap_err();
        assert_eq!(error.code, Code::TooLarge);
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let mut bytes = ClientFrame { request: 1, body: ClientBody::Ping }.encode().to_vec();
        bytes.extend_from_slice(&[0xf8, 0x07, 0x01]); // field 127, varint 1
        assert_eq!(ClientFrame::decode(bytes.into()).unwrap().body, ClientBody::Ping);
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = ClientFrame::decode(Bytes::from(bytes.clone()));
            let _ = ServerFrame::decode(Bytes::from(bytes));
        }
    }
}
