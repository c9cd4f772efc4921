//! `docs/vectors.json`, computed anew from the code.
//!
//! Vectors whose names begin with `sealing_` are what clients say to each other: `hob-client` checks those.

use std::time::Duration;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use hob_protocol::address::{Address, AddressRecord};
use hob_protocol::code::{Code, Refused};
use hob_protocol::contact::ContactCode;
use hob_protocol::device_code::DeviceCode;
use hob_protocol::envelope::Envelope;
use hob_protocol::frame::{
    Binding, ClientBody, ClientFrame, Grant, Hello, Limits, ServerBody, ServerFrame, TokenKind, Urgency,
};
use hob_protocol::ids::{
    BoxIdentity, DeliveryToken, DeviceKey, EnvelopeId, InvitationId, InvitationSecret, MailboxId, MemberId, MemberKey,
};
use hob_protocol::invitation::Invitation;
use hob_protocol::revocation::Revocation;
use hob_protocol::transcript::{BoundTo, Exporter, Transcript, prove, redeem_mac, server};
use serde_json::{Map, Value, json};

use crate::proto;
use crate::repository::read;

const SEALING: &str = "sealing_";
const SPKI: &[u8] = b"any bytes stand for the certificate's SubjectPublicKeyInfo here";
const ORIGIN: &str = "https://box.example:8443";
const EXPORTER: Exporter = Exporter([0x44; 32]);
const NONCE: [u8; 32] = [0x55; 32];
const TOKEN: DeliveryToken = DeliveryToken([0x66; 32]);
const INTRODUCTION: DeliveryToken = DeliveryToken([0x67; 32]);
const INVITATION: InvitationId = InvitationId([0x77; 16]);
const EXPIRES_AT_S: u64 = 1_790_000_000;

fn hex(bytes: impl AsRef<[u8]>) -> String {
    HEXLOWER.encode(bytes.as_ref())
}

fn box_key() -> SigningKey {
    SigningKey::from_bytes(&[0x11; 32])
}

fn device_signing_key() -> SigningKey {
    SigningKey::from_bytes(&[0x22; 32])
}

fn identity() -> BoxIdentity {
    BoxIdentity(box_key().verifying_key().to_bytes())
}

fn device() -> DeviceKey {
    DeviceKey(device_signing_key().verifying_key().to_bytes())
}

fn member() -> MemberKey {
    MemberKey(SigningKey::from_bytes(&[0x33; 32]).verifying_key().to_bytes())
}

fn secret() -> InvitationSecret {
    InvitationSecret([0x88; 16])
}

/// 2,048 bytes: 0, 1, 2, …, 250, 0, 1, …
fn envelope() -> Envelope {
    Envelope::new((0..2048u32).map(|at| (at % 251) as u8).collect::<Vec<u8>>().into()).unwrap()
}

fn addresses() -> Vec<Address> {
    ["box.example:8443", "192.168.178.20:8443"].map(|address| Address::parse(address).unwrap()).to_vec()
}

fn signed(transcript: &Transcript, key: &SigningKey) -> Value {
    let signature = transcript.sign(key);
    assert!(transcript.is_signed_by(&key.verifying_key().to_bytes(), &signature));
    json!({ "signed_bytes": hex(transcript.bytes()), "public_key": hex(key.verifying_key()), "signature": hex(signature) })
}

fn with(mut value: Value, more: Value) -> Value {
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    value
}

fn ids_and_proofs(all: &mut Map<String, Value>) {
    let mailbox = MailboxId::of_device(&device());
    let mut add = |name: &str, value: Value| assert!(all.insert(name.to_owned(), value).is_none());
    let key = |seed: [u8; 32], public: &[u8; 32]| json!({ "ed25519_seed": hex(seed), "public_key": hex(public) });
    add("key_box", key([0x11; 32], identity().as_bytes()));
    add("key_device", key([0x22; 32], device().as_bytes()));
    add("key_member", key([0x33; 32], member().as_bytes()));
    add("mailbox_id", json!({ "device_key": hex(device().0), "mailbox": hex(mailbox.0) }));
    let id = envelope().id_in(&mailbox);
    add("envelope_id", json!({ "mailbox": hex(mailbox.0), "envelope": hex(envelope().bytes()), "id": hex(id.0) }));
    add("token_hash", json!({ "token": hex(TOKEN.expose()), "token_hash": hex(TOKEN.hash().0) }));
    let over = json!({ "exporter": hex(EXPORTER.0), "certificate_spki": hex(SPKI) });
    add("hello_signature", with(over, signed(&server(&EXPORTER, SPKI), &box_key())));
    let over = json!({ "nonce": hex(NONCE), "identity": hex(identity().0) });
    let native = signed(&prove(&NONCE, &identity(), BoundTo::Exporter(&EXPORTER)), &device_signing_key());
    let native = with(native, json!({ "exporter": hex(EXPORTER.0) }));
    add("prove_native", with(over.clone(), native));
    let web = signed(&prove(&NONCE, &identity(), BoundTo::Origin(ORIGIN)), &device_signing_key());
    add("prove_web", with(over, with(web, json!({ "origin": ORIGIN }))));
    let over =
        json!({ "secret": hex(secret().expose()), "device_key": hex(device().0), "identity": hex(identity().0) });
    let mac = |exporter| json!({ "mac": hex(redeem_mac(&secret(), &device(), &identity(), exporter)) });
    let exporter = json!({ "exporter": hex(EXPORTER.0) });
    add("redeem_mac_native", with(over.clone(), with(exporter, mac(Some(&EXPORTER)))));
    add("redeem_mac_web", with(over, mac(None)));
    add("address_record", address_record());
    add("invitation_link", invitation());
    add("contact_code", contact_code());
    add("device_code", device_code());
    add("revocation_certificate", revocation_certificate());
}

fn address_record() -> Value {
    let record = AddressRecord::sign(&box_key(), addresses(), 7, EXPIRES_AT_S);
    assert!(record.is_signed_by(&identity()));
    let mut transcript = Transcript::new("hob/1 addresses").number(7).number(EXPIRES_AT_S);
    for address in addresses() {
        transcript = transcript.sized(address.as_str().as_bytes());
    }
    let addresses: Vec<String> = addresses().iter().map(ToString::to_string).collect();
    let fields = json!({ "addresses": addresses, "sequence": 7, "expires_at_s": EXPIRES_AT_S });
    let vector = with(fields, signed(&transcript, &box_key()));
    assert_eq!(vector["signature"], json!(hex(record.signature)), "the bytes shown are the bytes that are signed");
    vector
}

fn invitation() -> Value {
    let invitation = Invitation {
        id: INVITATION,
        secret: secret(),
        box_identity: identity(),
        addresses: addresses(),
        expires_at_s: EXPIRES_AT_S,
    };
    let link = invitation.to_link();
    assert_eq!(Invitation::parse(&link), Ok(invitation));
    printed(&link, "hob://join/", "InvitationCode")
}

fn contact_code() -> Value {
    let code = ContactCode {
        member_key: member(),
        device_key: device(),
        introduction_token: INTRODUCTION,
        box_identity: identity(),
        addresses: addresses(),
    };
    let text = code.to_code().unwrap();
    assert_eq!(ContactCode::parse(&text), Ok(code));
    printed(&text, "hob://contact/", "ContactCode")
}

fn device_code() -> Value {
    let code = DeviceCode {
        member_key: member(),
        device_key: device(),
        introduction_token: INTRODUCTION,
        box_identity: identity(),
        addresses: addresses(),
        ticket: INVITATION,
        ticket_secret: secret(),
        expires_at_s: EXPIRES_AT_S,
    };
    let text = code.to_code();
    assert_eq!(DeviceCode::parse(&text), Ok(code));
    printed(&text, "hob://device/", "DeviceCode")
}

fn revocation_certificate() -> Value {
    let key = SigningKey::from_bytes(&[0x33; 32]);
    let text = Revocation::sign(&key, EXPIRES_AT_S).to_code();
    assert_eq!(Revocation::parse(&text), Ok(Revocation::sign(&key, EXPIRES_AT_S)));
    let transcript = Transcript::new("hob/1 revocation").fixed(member().as_bytes()).number(EXPIRES_AT_S);
    let vector = with(printed(&text, "hob://revoked/", "RevocationCode"), signed(&transcript, &key));
    assert_eq!(vector["fields"]["signature"], vector["signature"], "the bytes shown are the bytes that are signed");
    vector
}

/// A printed code, taken apart by the description alone.
fn printed(text: &str, scheme: &str, message: &str) -> Value {
    let packed = data_encoding::BASE64URL_NOPAD.decode(text.strip_prefix(scheme).unwrap().as_bytes()).unwrap();
    let (version, rest) = packed.split_first().unwrap();
    let (body, checksum) = rest.split_last_chunk::<4>().unwrap();
    let fields = proto::read(&proto::frames(), message, body);
    json!({ "text": text, "version": version, "body": hex(body), "checksum": hex(checksum), "fields": fields })
}

fn client_frames() -> Vec<ClientBody> {
    let grant = Grant { token_hash: TOKEN.hash(), kind: TokenKind::Contact };
    let introduction = Grant { token_hash: INTRODUCTION.hash(), kind: TokenKind::Introduction };
    let signature = prove(&NONCE, &identity(), BoundTo::Exporter(&EXPORTER)).sign(&device_signing_key());
    let mac = redeem_mac(&secret(), &device(), &identity(), Some(&EXPORTER));
    vec![
        ClientBody::Redeem {
            invitation: INVITATION,
            device_key: device(),
            label: "ada".to_owned(),
            binding: Binding::Native,
            mac,
        },
        ClientBody::Prove { device_key: device(), signature, origin: None, clock_ms: EXPIRES_AT_S * 1000 },
        ClientBody::Submit {
            token: TOKEN,
            envelope: envelope(),
            ttl: Duration::from_secs(19_800),
            urgency: Urgency::Wake,
            online_only: false,
        },
        ClientBody::Acknowledge { ids: vec![EnvelopeId([0x99; 32]), EnvelopeId([0x9a; 32])] },
        ClientBody::Credit { envelopes: 32 },
        ClientBody::TokenGrant(introduction),
        ClientBody::TokenRevoke { token_hash: TOKEN.hash() },
        ClientBody::TokenList { grants: vec![grant, introduction] },
        ClientBody::BundlePublish { bundle: Bytes::from_static(b"a bundle"), ttl: Duration::from_secs(1_296_000) },
        ClientBody::BundleFetch { token: TOKEN },
        ClientBody::Ping,
        ClientBody::DeviceTicket,
    ]
}

fn server_frames() -> Vec<ServerBody> {
    let mailbox = MailboxId::of_device(&device());
    let limits = Limits {
        ttl_max: Duration::from_secs(19_800),
        ttl_min: Duration::from_secs(30),
        mailbox_envelopes: 2_000,
        mailbox_bytes: 32 << 20,
        token_burst: 256,
        token_per_second: 20,
        credit_max: 64,
        bundle_fetches_per_hour: 20,
        tokens_per_mailbox: 1_024,
    };
    let hello = Hello {
        identity: identity(),
        signature: server(&EXPORTER, SPKI).sign(&box_key()).to_vec().into(),
        epoch: 0x0001_0203_0405_0607,
        lost_windows: vec![EXPIRES_AT_S - 7200, EXPIRES_AT_S - 5400],
        limits,
        address_record: Some(AddressRecord::sign(&box_key(), addresses(), 7, EXPIRES_AT_S)),
    };
    let refused = Refused::for_now(Code::MailboxFull, Duration::from_secs(600));
    vec![
        ServerBody::Hello(Box::new(hello)),
        ServerBody::Challenge { nonce: NONCE },
        ServerBody::Admitted { member: MemberId([0xaa; 16]), mailbox },
        ServerBody::Proved { mailbox, wants_token_list: true, wants_bundle: true },
        ServerBody::Accepted { ttl: Duration::from_secs(19_800), duplicate: true },
        ServerBody::Push { id: envelope().id_in(&mailbox), envelope: envelope(), ttl: Duration::from_secs(19_799) },
        ServerBody::CaughtUp,
        ServerBody::Done,
        ServerBody::Bundle { bundle: Bytes::from_static(b"a bundle") },
        ServerBody::MailboxWasFull { refused: 12 },
        ServerBody::Restarting { back_in: Duration::from_secs(10) },
        ServerFrame::refusal(5, refused).body,
        ServerBody::Pong,
        ServerBody::DeviceTicket { id: INVITATION, secret: secret(), expires_at_s: EXPIRES_AT_S },
    ]
}

/// Each frame as bytes, and read back by the description alone.
fn frames(all: &mut Map<String, Value>) {
    let file = proto::frames();
    let mut add = |kind: &str, bytes: &[u8], side: &str| {
        let fields = proto::read(&file, kind, bytes);
        let names = proto::bodies(&file, kind).into_iter().map(|(name, ..)| name);
        let name = names.into_iter().find(|name| fields.get(name).is_some()).unwrap();
        let vector = json!({ "fields": fields, "bytes": hex(bytes) });
        assert!(all.insert(format!("{side}_{name}"), vector).is_none());
    };
    for (at, body) in client_frames().into_iter().enumerate() {
        let frame = ClientFrame { request: at as u64 + 1, body };
        let bytes = frame.clone().encode();
        assert_eq!(ClientFrame::decode(bytes.clone()), Ok(frame));
        add("ClientFrame", &bytes, "client");
    }
    for (at, body) in server_frames().into_iter().enumerate() {
        let unasked = matches!(
            body,
            ServerBody::Hello(_)
                | ServerBody::Challenge { .. }
                | ServerBody::Push { .. }
                | ServerBody::CaughtUp
                | ServerBody::MailboxWasFull { .. }
                | ServerBody::Restarting { .. }
        );
        let frame = ServerFrame { request: if unasked { 0 } else { at as u64 + 1 }, body };
        let bytes = frame.clone().encode();
        assert_eq!(ServerFrame::decode(bytes.clone()), Ok(frame));
        add("ServerFrame", &bytes, "server");
    }
}

fn computed() -> Map<String, Value> {
    let mut all = Map::new();
    ids_and_proofs(&mut all);
    frames(&mut all);
    all
}

#[test]
fn the_test_vectors_are_what_the_code_computes() {
    let computed = Value::Object(computed());
    let mut printed: Map<String, Value> = serde_json::from_str(&read("docs/vectors.json")).unwrap_or_default();
    printed.retain(|name, _| !name.starts_with(SEALING));
    if Value::Object(printed) != computed {
        let anew = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("vectors.json");
        std::fs::write(&anew, serde_json::to_string_pretty(&computed).unwrap() + "\n").unwrap();
        panic!(
            "docs/vectors.json is not what the code computes; that is in {}. Every client in another language breaks \
             with it: is the change meant?",
            anew.display()
        );
    }
}

#[test]
fn every_kind_of_frame_has_a_vector() {
    let file = proto::frames();
    let computed = computed();
    for (frame, side) in [("ClientFrame", "client"), ("ServerFrame", "server")] {
        for (name, ..) in proto::bodies(&file, frame) {
            assert!(computed.contains_key(&format!("{side}_{name}")), "{side}_{name}");
        }
    }
}

fn unhex(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

#[test]
fn what_clients_say_to_each_other_reads_by_the_descriptions_that_the_document_prints() {
    let vectors: Value = serde_json::from_str(&read("docs/vectors.json")).unwrap();
    let file = proto::between_clients();
    let record = &vectors["sealing_device_record"];
    let fields = proto::read(&file, "DeviceRecord", &unhex(&record["bytes"]));
    assert_eq!(fields["olm_identity"], record["olm_identity"]);
    assert_eq!(fields["mailbox"], record["mailbox"]);
    assert_eq!(fields["device_key"], hex(device().0));

    let bundle = &vectors["sealing_bundle"];
    let signed = proto::read(&file, "SignedBundle", &unhex(&bundle["bytes"]));
    let fields = proto::read(&file, "Bundle", &unhex(&signed["bundle"]));
    assert_eq!(fields["record"], record["bytes"]);
    for name in ["prekey_id", "prekey", "olm_fallback", "suites", "generation", "expires_at_s"] {
        assert_eq!(fields[name], bundle[name], "{name}");
    }
    let message = Transcript::new("hob/1 bundle").sized(&unhex(&signed["bundle"]));
    assert!(message.is_signed_by(device().as_bytes(), &unhex(&signed["signature"])));

    let inner = &vectors["sealing_inner"];
    let fields = proto::read(&file, "Inner", &unhex(&inner["bytes"]));
    assert_eq!(fields["text"]["text"], inner["text"]);
    assert_eq!(fields["introduction"]["name"], inner["name"]);
    assert_eq!(fields["introduction"]["mac"], vectors["sealing_introduction_mac"]["mac"]);
    assert_eq!(fields["conversation"], vectors["sealing_conversation"]["conversation"]);
}
