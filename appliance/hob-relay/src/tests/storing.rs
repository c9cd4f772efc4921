use super::*;

#[test]
fn when_the_disk_refuses_senders_are_told_and_nothing_is_delivered() {
    let mut world = World::new();
    let ada = world.home(1);
    world.syncs_by_itself = false;
    let sender = world.connect();
    world.submit(sender, &ada.token, envelope(1));
    world.fail_to_sync();
    assert_eq!(world.last_code(sender), Some(Code::CannotStore));
    assert_eq!((world.pushed.len(), world.relay.status().pending), (0, 0));
    world.submit(sender, &ada.token, envelope(1));
    assert_eq!(world.last_code(sender), Some(Code::CannotStore), "not asked again at once");
    world.now.box_time = world.now.box_time.plus(Duration::from_secs(2));
    world.submit(sender, &ada.token, envelope(1));
    world.sync();
    assert!(accepted(false)(world.last(sender)), "a refused envelope is not a duplicate later");
    assert_eq!(world.pushed.len(), 1);
}

#[test]
fn a_full_disk_still_delivers_and_forgets() {
    let mut world = World::new();
    let ada = world.home(1);
    world.input(Input::Closed { conn: ada.owner });
    let sender = world.connect();
    world.submit(sender, &ada.token, envelope(1));
    world.syncs_by_itself = false;
    world.submit(sender, &ada.token, envelope(2));
    world.fail_to_sync();
    let owner = world.owner(&ada.device);
    let id = world.pushed[0].1;
    world.say(owner, ClientBody::Acknowledge { ids: vec![id] });
    assert_eq!(world.relay.status().pending, 0);
}

#[test]
fn a_ledger_event_whose_commit_failed_is_written_before_anything_is_called_done() {
    let mut world = World::new();
    let ada = world.home(1);
    world.syncs_by_itself = false;
    let grant = |byte| {
        let token_hash = DeliveryToken([byte; 32]).hash();
        ClientBody::TokenGrant(Grant { token_hash, kind: TokenKind::Contact })
    };
    world.say(ada.owner, grant(60));
    world.fail_to_sync();
    assert_eq!(world.last_code(ada.owner), Some(Code::CannotStore));
    world.say(ada.owner, grant(60));
    assert_eq!(world.last_code(ada.owner), Some(Code::CannotStore), "not done before it is durable");
    world.sync();
    assert_eq!(world.last(ada.owner), &ServerBody::Done);
    let hash = DeliveryToken([60; 32]).hash();
    let stored = world
        .log
        .iter()
        .any(|append| matches!(append, Append::Ledger(LedgerEvent::Token(token)) if token.hash[..] == hash.0[..]));
    assert!(stored);
}

#[test]
fn a_bundle_is_handed_out_once_it_is_durable_and_the_one_before_it_until_then() {
    let mut world = World::new();
    let ada = world.home(1);
    let publish = |byte| {
        let bundle = Bytes::copy_from_slice(&[byte; 100]);
        ClientBody::BundlePublish { bundle, ttl: Duration::from_secs(90_000) }
    };
    world.say(ada.owner, publish(1));
    world.syncs_by_itself = false;
    let sender = world.connect();
    world.say(ada.owner, publish(2));
    world.fail_to_sync();
    assert_eq!(world.last_code(ada.owner), Some(Code::CannotStore));
    let fetch = ClientBody::BundleFetch { token: ada.token.clone() };
    world.say(sender, fetch.clone());
    assert_eq!(world.last(sender), &ServerBody::Bundle { bundle: Bytes::copy_from_slice(&[1; 100]) });
    world.say(ada.owner, publish(3));
    world.sync();
    world.say(sender, fetch);
    assert_eq!(world.last(sender), &ServerBody::Bundle { bundle: Bytes::copy_from_slice(&[3; 100]) });
}

#[test]
fn what_a_full_disk_refuses_again_and_again_is_kept_once() {
    let mut world = World::new();
    let ada = world.home(1);
    world.syncs_by_itself = false;
    for round in 0..50 {
        let bundle = Bytes::copy_from_slice(&[round; 100]);
        world.say(ada.owner, ClientBody::BundlePublish { bundle, ttl: Duration::from_secs(90_000) });
        world.say(
            ada.owner,
            ClientBody::TokenGrant(Grant { token_hash: DeliveryToken([60; 32]).hash(), kind: TokenKind::Contact }),
        );
        world.fail_to_sync();
        world.pass(Duration::from_secs(30));
    }
    world.log.clear();
    world.say(ada.owner, ClientBody::TokenRevoke { token_hash: DeliveryToken([61; 32]).hash() });
    world.sync();
    let ledger = world.log.iter().filter(|append| matches!(append, Append::Ledger(_))).count();
    assert!(ledger <= 4, "{ledger} events");
}

#[test]
fn an_envelope_whose_mailbox_is_removed_while_it_is_written_is_forgotten_when_it_is() {
    let mut world = World::new();
    let ada = world.home(1);
    world.syncs_by_itself = false;
    let sender = world.connect();
    world.submit(sender, &ada.token, envelope(1));
    world.input(Input::Admin { request: 3, ask: Ask::RevokeDevice { mailbox: ada.mailbox } });
    world.sync();
    world.sync();
    assert!(accepted(false)(world.last(sender)));
    assert!(matches!(world.log.last(), Some(Append::Expire { .. })));
    assert_eq!(world.relay.status().pending, 0);
}

#[test]
fn a_full_box_refuses_new_envelopes() {
    let mut world = World::with(Config { box_bytes: 5000, ..Config::default() });
    let ada = world.home(1);
    let sender = world.connect();
    for (byte, taken) in [(1, true), (2, true), (3, false)] {
        world.submit(sender, &ada.token, envelope(byte));
        assert_eq!(accepted(false)(world.last(sender)), taken);
    }
    let id = world.pushed[0].1;
    world.say(ada.owner, ClientBody::Acknowledge { ids: vec![id] });
    world.submit(sender, &ada.token, envelope(3));
    assert!(accepted(false)(world.last(sender)));
}

#[test]
fn a_start_finds_members_tokens_mail_and_known_ids_as_they_were() {
    let mut before = World::new();
    let ada = before.home(1);
    before.input(Input::Closed { conn: ada.owner });
    let sender = before.connect();
    before.submit(sender, &ada.token, envelope(1));
    let epoch = before.relay.epoch();
    let ledger = before.log.iter().filter_map(|append| match append {
        Append::Ledger(event) => Some(event.clone()),
        _ => None,
    });
    let deadline = before.now.box_time.plus(Duration::from_secs(600));
    let restored = Restored {
        ledger: ledger.collect(),
        pending: vec![Pending {
            mailbox: ada.mailbox,
            id: envelope(1).id_in(&ada.mailbox),
            deadline,
            urgency: Urgency::Quiet,
            body_bytes: 2048,
            place: Place { window: 4, sequence: 0, offset: 64 },
        }],
        known: vec![Known { id: envelope(2).id_in(&ada.mailbox), deadline }],
        ..Restored::default()
    };
    let mut world = World::restored(Config::default(), restored);
    assert_eq!(world.relay.epoch(), epoch, "the memory is continuous");
    let sender = world.connect();
    for byte in [1, 2] {
        world.submit(sender, &ada.token, envelope(byte));
        assert!(accepted(true)(world.last(sender)), "known from before the start");
    }
    let owner = world.owner(&ada.device);
    assert_eq!(world.pushed, [(owner, envelope(1).id_in(&ada.mailbox))]);
}
