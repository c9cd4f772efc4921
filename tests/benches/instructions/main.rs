//! One operation, so many times: for counting instructions under callgrind, which no other load on the machine changes.
//!
//! `tests/recipes/instructions` runs each twice, with few and with many, and prints the difference.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "a bench that cannot go on stops"
)]

use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use hob_client::seal::outer;
use hob_log::{DiskLog, EventLog, Options};
use hob_protocol::envelope::Envelope;
use hob_protocol::frame::{Binding, ClientBody, ClientFrame, Grant, TokenKind, Urgency};
use hob_protocol::ids::{BoxIdentity, DeliveryToken, DeviceKey, MailboxId};
use hob_protocol::transcript::{BoundTo, Exporter, prove, redeem_mac};
use hob_relay::admin::{Answer, Ask};
use hob_relay::clock::{BoxTime, LedgerTime, Now};
use hob_relay::event::{Append, Place};
use hob_relay::quota::Config;
use hob_relay::{ConnId, Effect, Effects, Input, Relay, Restored};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let [operation, count] = words.as_slice() else {
        println!("instructions OPERATION COUNT, with seal, open, append or submit");
        return;
    };
    let count: u32 = count.parse().expect("a number");
    match operation.as_str() {
        "seal" => seal(count, false),
        "open" => seal(count, true),
        "append" => append(count),
        "submit" => submit(count),
        other => panic!("no operation is called {other}"),
    }
}

/// Outer seals of one short message, or one seal and that many opens.
fn seal(count: u32, opens: bool) {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let to = DeviceKey([2; 32]);
    let (secret, prekey) = outer::generate_prekey(&mut rng);
    let content = [7; 500];
    let sealed = outer::seal_envelope(&to, &prekey, &content, &mut rng).unwrap();
    for _ in 0..count {
        if opens {
            outer::open_envelope(&to, |_| Some(secret.clone()), &sealed).unwrap();
        } else {
            outer::seal_envelope(&to, &prekey, &content, &mut rng).unwrap();
        }
    }
}

fn envelope(number: u32) -> Envelope {
    let mut bytes = vec![0x5a; 2048];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    Envelope::new(Bytes::from(bytes)).unwrap()
}

const NOW: Now = Now { box_time: BoxTime(1_000_000), ledger_time: LedgerTime(1_000_000), unix_ms: 1_790_000_000_000 };

/// Commits of one envelope of 2 KiB with the acknowledgement of the one before.
fn append(count: u32) {
    let folder = tempfile::tempdir().unwrap();
    let mut log = DiskLog::open(Options::new(folder.path().join("data")), |_| NOW).unwrap().log;
    let mailbox = MailboxId([1; 16]);
    let mut before: Option<Place> = None;
    for number in 0..count {
        let envelope = envelope(number);
        let id = envelope.id_in(&mailbox);
        let deadline = NOW.box_time.plus(Duration::from_secs(600));
        let mut batch =
            vec![Append::Accept { mailbox, id, deadline, urgency: Urgency::Quiet, body: envelope.into_bytes() }];
        batch.extend(before.map(|place| Append::Acknowledge { place }));
        before = log.commit(NOW, &batch).unwrap().pop();
    }
}

/// The rules alone: decode, submit, durable, push, acknowledge.
fn submit(count: u32) {
    let identity = BoxIdentity([3; 32]);
    let config = Config { token_burst: u32::MAX / 1000, ..Config::default() };
    let (mut relay, _) = Relay::start(config, identity, [1; 32], NOW, Restored::default());
    let exporter = Exporter([9; 32]);
    let token = DeliveryToken([8; 32]);
    let owner = member(&mut relay, &identity, exporter, &token);
    let sender = ConnId(3);
    drop(relay.handle_input(NOW, Input::Opened { conn: sender, exporter: Some(exporter), signature: Bytes::new() }));
    for number in 0..count {
        let body = ClientBody::Submit {
            token: token.clone(),
            envelope: envelope(number),
            ttl: Duration::from_secs(600),
            urgency: Urgency::Quiet,
            online_only: false,
        };
        let frame = ClientFrame::decode(ClientFrame { request: 1, body }.encode()).unwrap();
        let effects = relay.handle_input(NOW, Input::Frame { conn: sender, frame });
        let pushed = settle(&mut relay, effects, number);
        let ids = pushed.list.iter().filter_map(|effect| match effect {
            Effect::Push { id, .. } => Some(*id),
            _ => None,
        });
        let body = ClientBody::Acknowledge { ids: ids.collect() };
        let frame = ClientFrame { request: 0, body };
        drop(relay.handle_input(NOW, Input::Frame { conn: owner, frame }));
    }
}

/// Says that everything asked for is durable.
fn settle(relay: &mut Relay, effects: Effects, sequence: u32) -> Effects {
    let tickets = effects.list.iter().filter_map(|effect| match effect {
        Effect::Append { ticket, append } => Some((*ticket, matches!(append, Append::Accept { .. }))),
        _ => None,
    });
    let tickets: Vec<_> = tickets.collect();
    let places = tickets.iter().filter(|(_, accepts)| *accepts).map(|_| Place { window: 1, sequence, offset: 0 });
    match tickets.last() {
        Some(&(up_to, _)) => relay.handle_input(NOW, Input::Durable { up_to, places: places.collect() }),
        None => effects,
    }
}

fn member(relay: &mut Relay, identity: &BoxIdentity, exporter: Exporter, token: &DeliveryToken) -> ConnId {
    let key = SigningKey::from_bytes(&[4; 32]);
    let device_key = DeviceKey(key.verifying_key().to_bytes());
    let ask = Ask::Invite { expires_in: Duration::from_secs(60) };
    let effects = relay.handle_input(NOW, Input::Admin { request: 1, ask });
    let effects = settle(relay, effects, 0);
    let (invitation, secret) = effects
        .list
        .into_iter()
        .find_map(|effect| match effect {
            Effect::Answer { answer: Answer::Invited { invitation, secret, .. }, .. } => Some((invitation, secret)),
            _ => None,
        })
        .unwrap();
    let mac = redeem_mac(&secret, &device_key, identity, Some(&exporter));
    let conn = ConnId(1);
    let opened = relay.handle_input(NOW, Input::Opened { conn, exporter: Some(exporter), signature: Bytes::new() });
    let nonce = opened
        .list
        .iter()
        .find_map(|effect| match effect {
            Effect::Send { frame, .. } => match frame.body {
                hob_protocol::frame::ServerBody::Challenge { nonce } => Some(nonce),
                _ => None,
            },
            _ => None,
        })
        .unwrap();
    let signature = prove(&nonce, identity, BoundTo::Exporter(&exporter)).sign(&key);
    let label = "bench".to_owned();
    for body in [
        ClientBody::Redeem { invitation, device_key, label, binding: Binding::Native, mac },
        ClientBody::Prove { device_key, signature, origin: None, clock_ms: 0 },
        ClientBody::TokenGrant(Grant { token_hash: token.hash(), kind: TokenKind::Contact }),
    ] {
        let effects = relay.handle_input(NOW, Input::Frame { conn, frame: ClientFrame { request: 1, body } });
        drop(settle(relay, effects, 0));
    }
    conn
}
