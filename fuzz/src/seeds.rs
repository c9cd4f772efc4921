//! Writes the seeds under `corpus/`: a good example of everything that the targets read. `cargo run --bin seeds`.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use hob_client::seal::{devices, inner, middle, olm, outer, quote};
use hob_client::{Client, Input, MessageId};
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
    TokenHash,
};
use hob_protocol::invitation::Invitation;
use hob_protocol::revocation::Revocation;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

fn main() {
    for (name, frame) in client_frames() {
        write("client_frame", name, &ClientFrame { request: 7, body: frame }.encode());
    }
    for (name, frame) in server_frames() {
        write("server_frame", name, &ServerFrame { request: 7, body: frame }.encode());
    }
    let refused = Refused::for_now(Code::MailboxFull, Duration::from_secs(600));
    write("server_frame", "error", &ServerFrame::refusal(9, refused).encode());
    printed();
    client_states();
    device_lists();
    envelopes();
    records();
    json_bodies();
    backups();
}

/// A backup to the recovery key of the target, and its plain records.
fn backups() {
    use hob_log::backup::{Content, Cost, LastingLedger, Secret, records, seal};
    use hob_protocol::ids::RecoveryKey;
    use hob_relay::event::{LedgerEvent, disk, encode_ledger};
    let member = disk::Member { id: vec![1; 16].into(), label: "ada".into(), joined_at_s: 7 };
    let content = Content {
        made_at_s: 1_790_000_000,
        made_by: "0.1.0".into(),
        identity_seed: [5; 32].into(),
        settings: Some("retention = \"2h\"\n".into()),
        ledger: LastingLedger { events: vec![encode_ledger(LedgerEvent::Member(member)).into()], checkpoint: None },
    };
    let mut file = vec![0];
    let key = RecoveryKey([7; 32]);
    seal(&content, &Secret::RecoveryKey(&key), Cost::DEFAULT, &mut file, &mut |_| {}).expect("it is small");
    write("backup", "file", &file);
    let mut plain = vec![1];
    records::write(&content, &mut |bytes| {
        plain.extend_from_slice(bytes);
        Ok(())
    })
    .expect("it is small");
    write("backup", "records", &plain);
}

/// The first byte says which operation.
fn json_bodies() {
    let hex = |byte: &str, bytes: usize| byte.repeat(bytes);
    let (id, key, signature) = (hex("01", 16), hex("02", 32), hex("03", 64));
    let sealed = data_encoding::BASE64.encode(&[9; 2048]);
    let bodies = [
        ("register", format!(r#"{{"invitation":"{id}","device_key":"{key}","label":"ada","mac":"{key}"}}"#)),
        (
            "login",
            format!(
                r#"{{"nonce":"{key}","device_key":"{key}","signature":"{signature}","origin":"https://box.example:8443","clock_ms":1}}"#
            ),
        ),
        ("refresh", r#"{"refresh_token":"AAAA"}"#.to_owned()),
        ("bundle", r#"{"bundle":"AAAA","ttl_s":3600}"#.to_owned()),
        ("grant", format!(r#"{{"token_hash":"{key}","kind":"contact"}}"#)),
        ("tokens", format!(r#"{{"tokens":[{{"token_hash":"{key}","kind":"introduction"}}]}}"#)),
        ("acknowledge", format!(r#"{{"ids":["{key}","{key}"]}}"#)),
        (
            "submit",
            format!(r#"{{"token":"{key}","envelope":"{sealed}","ttl_s":600,"urgency":"wake","online_only":true}}"#),
        ),
        ("fetch", format!(r#"{{"token":"{key}"}}"#)),
    ];
    for (which, (name, json)) in (0u8..).zip(bodies) {
        write("json_body", name, &[&[which], json.as_bytes()].concat());
    }
}

fn write(target: &str, name: &str, bytes: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join(name), bytes).expect("a file");
}

fn envelope() -> Envelope {
    Envelope::new(Bytes::from(vec![9; 2048])).expect("the smallest size")
}

fn addresses() -> Vec<Address> {
    ["192.0.2.7:8443", "[2001:db8::7]:8443", "hob.example:443"].iter().flat_map(|text| Address::parse(text)).collect()
}

fn client_frames() -> Vec<(&'static str, ClientBody)> {
    let grant = |kind| Grant { token_hash: TokenHash([4; 32]), kind };
    let redeem = |binding| ClientBody::Redeem {
        invitation: InvitationId([1; 16]),
        device_key: DeviceKey([2; 32]),
        label: "ada".to_owned(),
        binding,
        mac: [3; 32],
    };
    let submit = |urgency, online_only| ClientBody::Submit {
        token: DeliveryToken([1; 32]),
        envelope: envelope(),
        ttl: Duration::from_secs(600),
        urgency,
        online_only,
    };
    let prove = |origin: Option<&str>| ClientBody::Prove {
        device_key: DeviceKey([2; 32]),
        signature: [5; 64],
        origin: origin.map(str::to_owned),
        clock_ms: 1_790_000_000_000,
    };
    vec![
        ("redeem-native", redeem(Binding::Native)),
        ("redeem-web", redeem(Binding::Web)),
        ("prove", prove(None)),
        ("prove-web", prove(Some("https://hob.example"))),
        ("submit", submit(Urgency::Quiet, false)),
        ("submit-online", submit(Urgency::Wake, true)),
        ("acknowledge", ClientBody::Acknowledge { ids: vec![EnvelopeId([6; 32]); 2] }),
        ("credit", ClientBody::Credit { envelopes: 64 }),
        ("grant", ClientBody::TokenGrant(grant(TokenKind::Contact))),
        ("revoke", ClientBody::TokenRevoke { token_hash: TokenHash([4; 32]) }),
        ("list", ClientBody::TokenList { grants: vec![grant(TokenKind::Contact), grant(TokenKind::Introduction)] }),
        ("publish", ClientBody::BundlePublish { bundle: vec![7; 300].into(), ttl: Duration::from_secs(3600) }),
        ("fetch", ClientBody::BundleFetch { token: DeliveryToken([1; 32]) }),
        ("ping", ClientBody::Ping),
        ("device-ticket", ClientBody::DeviceTicket),
    ]
}

fn server_frames() -> Vec<(&'static str, ServerBody)> {
    let limits = Limits {
        ttl_max: Duration::from_secs(19_800),
        ttl_min: Duration::from_secs(30),
        mailbox_envelopes: 2000,
        mailbox_bytes: 32 << 20,
        token_burst: 256,
        token_per_second: 20,
        credit_max: 64,
        bundle_fetches_per_hour: 20,
        tokens_per_mailbox: 1024,
    };
    let key = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
    let hello = Hello {
        identity: BoxIdentity(key.verifying_key().to_bytes()),
        signature: vec![8; 64].into(),
        epoch: 3,
        lost_windows: vec![1_790_000_000],
        limits,
        address_record: Some(AddressRecord::sign(&key, addresses(), 4, 1_800_000_000)),
    };
    let (member, mailbox) = (MemberId([1; 16]), MailboxId([2; 16]));
    vec![
        ("hello", ServerBody::Hello(Box::new(hello))),
        ("challenge", ServerBody::Challenge { nonce: [4; 32] }),
        ("admitted", ServerBody::Admitted { member, mailbox }),
        ("proved", ServerBody::Proved { mailbox, wants_token_list: true, wants_bundle: true }),
        ("accepted", ServerBody::Accepted { ttl: Duration::from_secs(60), duplicate: true }),
        ("push", ServerBody::Push { id: EnvelopeId([3; 32]), envelope: envelope(), ttl: Duration::from_secs(60) }),
        ("caught-up", ServerBody::CaughtUp),
        ("done", ServerBody::Done),
        ("bundle", ServerBody::Bundle { bundle: vec![7; 300].into() }),
        ("was-full", ServerBody::MailboxWasFull { refused: 5 }),
        ("restarting", ServerBody::Restarting { back_in: Duration::from_secs(10) }),
        ("pong", ServerBody::Pong),
        (
            "device-ticket",
            ServerBody::DeviceTicket {
                id: InvitationId([1; 16]),
                secret: InvitationSecret([2; 16]),
                expires_at_s: 1_790_000_000,
            },
        ),
    ]
}

/// The whole text, and the bytes inside without version and checksum.
fn printed() {
    let inside = |text: &str, scheme: &str| {
        let packed = data_encoding::BASE64URL_NOPAD.decode(text[scheme.len()..].as_bytes()).expect("our own text");
        packed[1..packed.len() - 4].to_vec()
    };
    let invitation = Invitation {
        id: InvitationId([1; 16]),
        secret: InvitationSecret([2; 16]),
        box_identity: BoxIdentity([3; 32]),
        addresses: addresses(),
        expires_at_s: 1_790_000_000,
    };
    let link = invitation.to_link();
    write("invitation", "link", link.as_bytes());
    write("invitation", "inside", &inside(&link, "hob://join/"));
    let code = ContactCode {
        member_key: MemberKey([1; 32]),
        device_key: DeviceKey([2; 32]),
        introduction_token: DeliveryToken([3; 32]),
        box_identity: BoxIdentity([4; 32]),
        addresses: addresses(),
    };
    let text = code.to_code().expect("short addresses");
    write("contact_code", "code", text.as_bytes());
    write("contact_code", "inside", &inside(&text, "hob://contact/"));
    let code = DeviceCode {
        member_key: MemberKey([1; 32]),
        device_key: DeviceKey([2; 32]),
        introduction_token: DeliveryToken([3; 32]),
        box_identity: BoxIdentity([4; 32]),
        addresses: addresses(),
        ticket: InvitationId([5; 16]),
        ticket_secret: InvitationSecret([6; 16]),
        expires_at_s: 1_790_000_000,
    };
    write("device_code", "code", code.to_code().as_bytes());
    write("device_code", "inside", &inside(&code.to_code(), "hob://device/"));
    let text = Revocation::sign(&ed25519_dalek::SigningKey::from_bytes(&[7; 32]), 1_790_000_000).to_code();
    write("revocation", "code", text.as_bytes());
    write("revocation", "inside", &inside(&text, "hob://revoked/"));
}

/// A list of two devices: whole, and what is signed of it.
fn device_lists() {
    use hob_client::devices::list::{DeviceList, Listed, wire};
    use hob_client::record::DeviceRecord;
    use prost::Message;
    let key = |seed: u8| ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
    let listed = |seed: u8, name: &str| Listed {
        record: DeviceRecord::sign(&key(1), &key(seed), [seed; 32], BoxIdentity([4; 32])),
        name: name.to_owned(),
    };
    let list = DeviceList {
        member_key: MemberKey(key(1).verifying_key().to_bytes()),
        version: 1_790_000_000,
        previous: [0; 32],
        made_at_s: 1_790_000_000,
        expires_at_s: 1_792_592_000,
        devices: vec![listed(2, "phone"), listed(3, "laptop")],
        revoked: vec![DeviceKey([9; 32])],
    };
    let bytes = list.sign(&key(1));
    write("device_list", "whole", &[&[0][..], &bytes].concat());
    let inside = wire::SignedDeviceList::decode(&bytes[..]).expect("our own list").list;
    write("device_list", "inside", &[&[1][..], &inside].concat());
}

/// A new device, and one that is joining: the whole state, and the JSON alone.
fn client_states() {
    const HEAD_BYTES: usize = 4 + 1 + 32;
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let now_ms = 1_790_000_000_000;
    let mut client = Client::create(now_ms, &mut rng);
    write("client_state", "new", &client.save());
    write("client_state", "new-json", &client.save()[HEAD_BYTES..]);
    drop(client.handle(now_ms, &mut rng, Input::Started));
    let invitation = Invitation {
        id: InvitationId([1; 16]),
        secret: InvitationSecret([2; 16]),
        box_identity: BoxIdentity([3; 32]),
        addresses: addresses(),
        expires_at_s: 1_800_000_000,
    };
    drop(client.join(now_ms, &mut rng, invitation, "ada").expect("a good invitation"));
    write("client_state", "joining-json", &client.save()[HEAD_BYTES..]);
}

/// One input for each layer; the first byte says which.
fn envelopes() {
    let layer = |number: u8, bytes: &[u8]| [&[number][..], bytes].concat();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let (_, prekey) = outer::generate_prekey(&mut rng);
    let (ada, bob) = (DeviceKey([1; 32]), DeviceKey([2; 32]));
    let plaintext = |body| inner::Inner {
        sender: bob,
        recipient: ada,
        conversation: [0; 16],
        message_id: MessageId([7; 16]),
        sent_at_ms: 1_790_000_000_000,
        ttl: Some(Duration::from_secs(600)),
        introduction: Some(inner::Introduction {
            mac: Some([6; 32]),
            list: vec![7; 9],
            token: DeliveryToken([8; 32]),
            address_record: vec![9],
            addresses: addresses(),
            name: "bob".to_owned(),
        }),
        has_your_token: true,
        also_to: vec![[9; 8]],
        strict: true,
        body,
    };
    let text = inner::Body::Text {
        text: "supper at eight".to_owned().into(),
        view_once: false,
        quote: Some(quote::Quote::of(MessageId([2; 16]), "when do we eat?", true)),
    };
    let mut to = vodozemac::olm::Account::new();
    to.generate_fallback_key();
    let fallback = to.fallback_key().values().next().expect("just made").to_bytes();
    let from = vodozemac::olm::Account::new();
    let mut session = olm::outbound(&from, &to.curve25519_key().to_bytes(), &fallback).expect("good keys");
    let encoded = plaintext(text).encode();
    let ciphertext = session.encrypt(&encoded).expect("a new session");
    let middle =
        middle::Middle { sender: bob, kind: ciphertext.kind, session: ciphertext.session, inner: ciphertext.bytes }
            .encode();
    let sealed = outer::seal_envelope(&ada, &prekey, &middle, &mut rng).expect("a good prekey");
    write("envelope_open", "whole", &layer(0, sealed.bytes()));
    write("envelope_open", "padded", &layer(1, &[3, 0, 0, 0, b't', b'e', b'a', 0, 0]));
    write("envelope_open", "middle", &layer(2, &middle));
    write("envelope_open", "text", &layer(3, &encoded));
    let receipt = inner::Body::Receipt { ids: vec![MessageId([1; 16]); 3] };
    write("envelope_open", "receipt", &layer(3, &plaintext(receipt).encode()));
    write("envelope_open", "back", &layer(3, &plaintext(inner::Body::Back).encode()));
    write("envelope_open", "addresses", &layer(3, &plaintext(inner::Body::Addresses { record: vec![5; 90] }).encode()));
    let removals = vec![devices::Removal { member_key: MemberKey([4; 32]), at_ms: 1_790_000_000_000 }; 2];
    write("envelope_open", "removals", &layer(3, &plaintext(inner::Body::Removals { removals }).encode()));
    let card = devices::Card {
        member_key: MemberKey([4; 32]),
        name: "bob".to_owned(),
        verified: true,
        blocked: true,
        named_at_ms: 1_790_000_000_000,
        blocked_at_ms: 1_790_000_000_001,
        answered: true,
        added_at_ms: 1_780_000_000_000,
        list: Vec::new(),
        devices: Vec::new(),
    };
    let sync = devices::Sync { label: "ada".to_owned(), contacts: vec![card] };
    write("envelope_open", "sync", &layer(3, &plaintext(inner::Body::Sync(sync)).encode()));
    write(
        "envelope_open",
        "retry",
        &layer(3, &plaintext(inner::Body::Retry { inner_hashes: vec![[5; 32]; 2] }).encode()),
    );
}

/// Groups as they lie on the card. The fuzzer's own format is not ours to write, so these are the raw case's neighbours.
fn records() {
    use hob_log::files::RealFiles;
    use hob_log::record::{ChainPlace, Item, LogKeys, seal_group};
    let keys = LogKeys::new([1; 16], &[2; 32], Some(&[3; 32]));
    let (mut group, mut offsets) = (Vec::new(), Vec::new());
    let items = [Item { event: b"accepted", body: &[7; 100] }, Item { event: b"acknowledged", body: b"" }];
    let at = ChainPlace { first_sequence: 10, previous_tag: [4; 16], synced_to: 77 };
    seal_group(&RealFiles, &keys, at, &items, &mut group, &mut offsets).expect("small records");
    // `arbitrary` takes the case from the first four bytes, scaled: zeros are the first.
    write("log_record", "group", &[&[0; 4][..], &group].concat());
    write("log_record", "changed", &[&[0, 0, 0, 0x90][..], &[5; 200]].concat());
    write("log_record", "index", &[&[0, 0, 0, 0x50][..], &[1; 120]].concat());
    write("log_record", "event", &[&[0, 0, 0, 0xd0][..], &[0x0a, 0x04, 0x0a, 0x02, 1, 2]].concat());
}
