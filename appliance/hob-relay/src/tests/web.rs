//! Single requests and watchers.

use hob_protocol::transcript::redeem_mac;

use super::*;
use crate::web::{Asker, Question, Reply, Standing, WATCHERS_MAX, Waiting};

const ORIGIN: &str = "https://box.example:8443";

/// A box that knows where it is, with a web device that is a member's.
fn world() -> (World, SigningKey) {
    let mut world = World::new();
    let box_key = device(0xbb);
    let address = hob_protocol::address::Address::parse("box.example:8443").unwrap();
    world.input(Input::Addresses(AddressRecord::sign(&box_key, vec![address], 1, 1)));
    let key = device(1);
    assert!(matches!(register(&mut world, &key, Binding::Web), ServerBody::Admitted { .. }));
    (world, key)
}

fn register(world: &mut World, key: &SigningKey, binding: Binding) -> ServerBody {
    world.input(Input::Admin { request: 1, ask: Ask::Invite { expires_in: Duration::from_secs(600) } });
    let Some(Answer::Invited { invitation, secret, .. }) = world.answers.pop() else { panic!("an invitation") };
    let device_key = key_of(key);
    let mac = redeem_mac(&secret, &device_key, &IDENTITY, None);
    let body = ClientBody::Redeem { invitation, device_key, label: "ada".to_owned(), binding, mac };
    let conn = world.ask(Asker::Anybody, Question::Frame(body));
    world.last(conn).clone()
}

fn proof(key: &SigningKey, origin: &str) -> Question {
    let nonce = [5; 32];
    let signature = prove(&nonce, &IDENTITY, BoundTo::Origin(origin)).sign(key);
    Question::LogIn { nonce, device_key: key_of(key), signature, origin: origin.to_owned(), clock_ms: 0 }
}

fn asks(world: &mut World, key: &SigningKey, body: ClientBody) -> ServerBody {
    let conn = world.ask(Asker::Device(key_of(key)), Question::Frame(body));
    world.last(conn).clone()
}

fn me(world: &mut World, key: &SigningKey) -> Standing {
    world.ask(Asker::Device(key_of(key)), Question::Me);
    match world.replies.pop() {
        Some((_, Reply::Me(standing))) => standing,
        other => panic!("{other:?}"),
    }
}

fn page(world: &mut World, key: &SigningKey, after: Option<(u32, u32)>, envelopes: usize) -> (Vec<Waiting>, bool) {
    world.ask(Asker::Device(key_of(key)), Question::Page { after, envelopes, bytes: 1 << 20 });
    match world.replies.pop() {
        Some((_, Reply::Page { envelopes, more })) => (envelopes, more),
        other => panic!("{other:?}"),
    }
}

fn token_of(world: &mut World, key: &SigningKey) -> DeliveryToken {
    let token = DeliveryToken([0x77; 32]);
    let grant = Grant { token_hash: token.hash(), kind: TokenKind::Contact };
    assert_eq!(asks(world, key, ClientBody::TokenGrant(grant)), ServerBody::Done);
    token
}

fn submit(world: &mut World, token: &DeliveryToken, byte: u8) -> ConnId {
    let (ttl, urgency) = (Duration::from_secs(600), Urgency::Quiet);
    let envelope = envelope(byte);
    let body = ClientBody::Submit { token: token.clone(), envelope, ttl, urgency, online_only: false };
    world.ask(Asker::Anybody, Question::Frame(body))
}

#[test]
fn a_web_device_logs_in_over_the_boxs_own_origin_and_no_other() {
    let (mut world, key) = world();
    world.ask(Asker::Anybody, proof(&key, ORIGIN));
    assert!(matches!(world.replies.pop(), Some((_, Reply::LoggedIn(standing))) if standing.wants_bundle));
    world.ask(Asker::Anybody, proof(&key, "https://evil.example"));
    let refused = world.replies.pop();
    assert!(matches!(refused, Some((_, Reply::Refused(refused))) if refused.code == Code::BadProof));
    world.ask(Asker::Anybody, proof(&device(9), ORIGIN));
    let refused = world.replies.pop();
    assert!(matches!(refused, Some((_, Reply::Refused(refused))) if refused.code == Code::ExporterMissing));
    assert!(world.relay.connections.is_empty(), "a request leaves nothing behind");
}

#[test]
fn a_native_device_is_served_by_no_request_and_cannot_be_made_a_web_one() {
    let (mut world, _) = world();
    let native = device(2);
    world.member(&native);
    world.ask(Asker::Anybody, proof(&native, ORIGIN));
    let refused = world.replies.pop();
    assert!(matches!(refused, Some((_, Reply::Refused(refused))) if refused.code == Code::ExporterMissing));
    world.ask(Asker::Device(key_of(&native)), Question::Me);
    assert!(matches!(world.replies.pop(), Some((_, Reply::Refused(_)))));
    let answer = register(&mut world, &native, Binding::Web);
    assert!(matches!(answer, ServerBody::Error { code, .. } if code == Code::ExporterMissing.number()), "{answer:?}");
}

#[test]
fn a_submit_in_a_request_is_answered_when_it_is_durable_and_not_before() {
    let (mut world, key) = world();
    let token = token_of(&mut world, &key);
    world.syncs_by_itself = false;
    let conn = submit(&mut world, &token, 1);
    assert!(!world.sent.iter().any(|(to, _)| *to == conn));
    assert_eq!(page(&mut world, &key, None, 10).0, [], "and nobody gets it before");
    world.sync();
    assert!(matches!(world.last(conn), ServerBody::Accepted { duplicate: false, .. }));
    let conn = submit(&mut world, &token, 1);
    assert!(matches!(world.last(conn), ServerBody::Accepted { duplicate: true, .. }));
}

#[test]
fn pages_go_through_a_mailbox_oldest_first_and_acknowledging_takes_out() {
    let (mut world, key) = world();
    let token = token_of(&mut world, &key);
    for byte in 0..5 {
        submit(&mut world, &token, byte);
    }
    let (first, more) = page(&mut world, &key, None, 3);
    assert_eq!((first.len(), more), (3, true));
    let last = first[2].place;
    let (rest, more) = page(&mut world, &key, Some((last.window, last.sequence)), 3);
    assert_eq!((rest.len(), more), (2, false));
    assert_eq!(page(&mut world, &key, None, 3).0, first, "a cursor decides nothing");
    let ids = first.iter().map(|waiting| waiting.id).collect();
    assert_eq!(asks(&mut world, &key, ClientBody::Acknowledge { ids }), ServerBody::Done);
    assert_eq!(page(&mut world, &key, None, 3).0, rest);
    world.ask(Asker::Device(key_of(&key)), Question::Page { after: None, envelopes: 9, bytes: 1 });
    assert!(matches!(world.replies.pop(), Some((_, Reply::Page { envelopes, more: true })) if envelopes.len() == 1));
}

#[test]
fn a_request_does_not_take_the_mailbox_over_and_says_nothing_that_belongs_to_senders() {
    let (mut world, key) = world();
    let token = token_of(&mut world, &key);
    let owner = world.connect();
    let origin = Some(ORIGIN.to_owned());
    let nonce = world.nonce(owner);
    let signature = prove(&nonce, &IDENTITY, BoundTo::Origin(ORIGIN)).sign(&key);
    world.say(owner, ClientBody::Prove { device_key: key_of(&key), signature, origin, clock_ms: 0 });
    submit(&mut world, &token, 1);
    assert_eq!(world.pushed.len(), 1);
    let (waiting, _) = page(&mut world, &key, None, 9);
    asks(&mut world, &key, ClientBody::Acknowledge { ids: vec![waiting[0].id] });
    assert!(world.closed.is_empty() && me(&mut world, &key).connected);
    submit(&mut world, &token, 2);
    assert_eq!(world.pushed.len(), 2, "the connection goes on");
    let answer = asks(&mut world, &key, ClientBody::BundleFetch { token });
    assert!(matches!(answer, ServerBody::Error { code, .. } if code == Code::NotAnonymous.number()));
}

#[test]
fn watchers_are_told_what_came_in_order_and_a_fifth_takes_the_place_of_the_first() {
    let (mut world, key) = world();
    let token = token_of(&mut world, &key);
    let watchers: Vec<ConnId> = (0..WATCHERS_MAX).map(|_| world.watch(&key)).collect();
    world.syncs_by_itself = false;
    submit(&mut world, &token, 1);
    submit(&mut world, &token, 2);
    assert!(world.ready.is_empty());
    world.sync();
    let (waiting, _) = page(&mut world, &key, None, 9);
    let told: Vec<EnvelopeId> =
        world.ready.iter().filter(|(conn, _)| *conn == watchers[0]).map(|(_, id)| *id).collect();
    assert_eq!(told, waiting.iter().map(|waiting| waiting.id).collect::<Vec<_>>());
    world.syncs_by_itself = true;
    world.watch(&key);
    assert_eq!(world.closed, [(watchers[0], Code::Superseded)]);
    world.input(Input::Closed { conn: watchers[1] });
    assert_eq!(me(&mut world, &key).watchers, 3);
    world.pass(Duration::from_secs(3600));
    assert_eq!(world.closed.len(), 1, "watching is no idling");
}

#[test]
fn a_device_that_is_removed_has_no_watchers_and_no_requests_any_more() {
    let (mut world, key) = world();
    let watcher = world.watch(&key);
    let mailbox = MailboxId::of_device(&key_of(&key));
    world.input(Input::Admin { request: 2, ask: Ask::RevokeDevice { mailbox } });
    assert_eq!(world.closed, [(watcher, Code::Revoked)]);
    world.ask(Asker::Device(key_of(&key)), Question::Me);
    assert!(matches!(world.replies.pop(), Some((_, Reply::Refused(refused))) if refused.code == Code::Revoked));
    world.watch(&key);
    assert_eq!(world.closed.len(), 2);
}

#[test]
fn what_is_online_only_reaches_watchers_and_wakes_nobody_who_watches() {
    let (mut world, key) = world();
    let token = token_of(&mut world, &key);
    let watcher = world.watch(&key);
    let body = ClientBody::Submit {
        token,
        envelope: envelope(1),
        ttl: Duration::from_secs(60),
        urgency: Urgency::Wake,
        online_only: true,
    };
    world.ask(Asker::Anybody, Question::Frame(body));
    assert_eq!(world.pushed, [(watcher, EnvelopeId::ONLINE_ONLY)]);
    assert!(world.woken.is_empty());
}
