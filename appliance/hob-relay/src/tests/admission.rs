use hob_protocol::address::Address;

use super::*;

#[test]
fn an_invitation_admits_one_device_and_no_second_one() {
    let mut world = World::new();
    let (invitation, secret) = world.invitation();
    let ada = world.connect();
    let mac = redeem_mac(&secret, &key_of(&device(1)), &IDENTITY, Some(&exporter(ada)));
    world.redeem(ada, &device(1), invitation, mac);
    assert!(matches!(world.last(ada), ServerBody::Admitted { .. }));
    let eve = world.connect();
    let mac = redeem_mac(&secret, &key_of(&device(2)), &IDENTITY, Some(&exporter(eve)));
    world.redeem(eve, &device(2), invitation, mac);
    assert_eq!(world.last_code(eve), Some(Code::NoSuchInvitation));
}

#[test]
fn a_device_whose_answer_was_lost_may_redeem_again_for_ten_minutes() {
    let mut world = World::new();
    let (invitation, secret) = world.invitation();
    for (passed, admitted) in [(0, true), (599, true), (2, false)] {
        world.pass(Duration::from_secs(passed));
        let conn = world.connect();
        let mac = redeem_mac(&secret, &key_of(&device(1)), &IDENTITY, Some(&exporter(conn)));
        world.redeem(conn, &device(1), invitation, mac);
        assert_eq!(matches!(world.last(conn), ServerBody::Admitted { .. }), admitted, "after {passed} s more");
    }
    assert_eq!(world.relay.members().len(), 1, "redeeming again makes no second member");
}

#[test]
fn an_expired_invitation_says_so_only_to_who_was_shown_it() {
    let mut world = World::new();
    let (invitation, secret) = world.invitation();
    world.now.ledger_time = world.now.ledger_time.plus(Duration::from_secs(86_401));
    let conn = world.connect();
    let mac = redeem_mac(&secret, &key_of(&device(1)), &IDENTITY, Some(&exporter(conn)));
    world.redeem(conn, &device(1), invitation, [0; 32]);
    assert_eq!(world.last_code(conn), Some(Code::NoSuchInvitation));
    world.redeem(conn, &device(1), invitation, mac);
    assert_eq!(world.last_code(conn), Some(Code::InvitationExpired));
}

#[test]
fn a_mac_made_for_another_connection_is_refused() {
    let mut world = World::new();
    let (invitation, secret) = world.invitation();
    let (first, second) = (world.connect(), world.connect());
    let mac = redeem_mac(&secret, &key_of(&device(1)), &IDENTITY, Some(&exporter(first)));
    world.redeem(second, &device(1), invitation, mac);
    assert_eq!(world.last_code(second), Some(Code::NoSuchInvitation));
}

#[test]
fn a_native_device_without_an_exporter_is_refused() {
    let mut world = World::new();
    let (invitation, secret) = world.invitation();
    let conn = ConnId(500);
    world.input(Input::Opened { conn, exporter: None, signature: Bytes::new() });
    let mac = redeem_mac(&secret, &key_of(&device(1)), &IDENTITY, None);
    world.redeem(conn, &device(1), invitation, mac);
    assert_eq!(world.last_code(conn), Some(Code::ExporterMissing));
}

#[test]
fn a_proof_is_good_once_and_only_on_its_connection() {
    let mut world = World::new();
    world.member(&device(1));
    let first = world.connect();
    let proof = world.proof(first, &device(1));
    let second = world.connect();
    world.say(second, proof.clone());
    assert!(world.sent.iter().any(|(to, frame)| *to == second
        && matches!(frame.body, ServerBody::Error { code, .. } if code == Code::BadProof.number())));
    world.say(first, proof.clone());
    assert!(world.sent.iter().any(|(to, frame)| *to == first && matches!(frame.body, ServerBody::Proved { .. })));
    world.say(first, proof);
    assert_eq!(world.last_code(first), Some(Code::BadProof), "a replayed challenge proves nothing");
}

#[test]
fn a_stranger_with_a_good_signature_is_no_member() {
    let mut world = World::new();
    let conn = world.owner(&device(9));
    let codes: Vec<u32> = world
        .sent
        .iter()
        .filter_map(|(to, frame)| match frame.body {
            ServerBody::Error { code, .. } if *to == conn => Some(code),
            _ => None,
        })
        .collect();
    assert_eq!(codes, [Code::NotAMember.number()]);
}

#[test]
fn what_belongs_to_an_owner_is_refused_on_a_senders_connection_and_the_other_way_round() {
    let mut world = World::new();
    let ada = world.home(1);
    world.submit(ada.owner, &ada.token, envelope(1));
    assert_eq!(world.last_code(ada.owner), Some(Code::NotAnonymous));
    let sender = world.connect();
    world.say(sender, ClientBody::Acknowledge { ids: Vec::new() });
    assert_eq!(world.last_code(sender), Some(Code::NotProved));
    world.submit(sender, &ada.token, envelope(1));
    let proof = world.proof(sender, &ada.device);
    world.say(sender, proof);
    assert_eq!(world.last_code(sender), Some(Code::NotAnonymous), "a sender who proves would tell who sends");
}

#[test]
fn a_second_connection_of_a_device_takes_over_and_the_first_is_told() {
    let mut world = World::new();
    let ada = world.home(1);
    let second = world.owner(&ada.device);
    assert_eq!(world.closed, [(ada.owner, Code::Superseded)]);
    let sender = world.connect();
    world.submit(sender, &ada.token, envelope(1));
    assert_eq!(world.pushed.last().map(|(conn, _)| *conn), Some(second));
}

#[test]
fn a_device_that_joins_again_has_the_same_mailbox_and_member() {
    let mut world = World::new();
    let first = world.member(&device(1));
    let member = world.relay.members()[0].id;
    assert_eq!(world.member(&device(1)), first);
    assert_eq!(world.relay.members().iter().map(|view| view.id).collect::<Vec<_>>(), [member]);
}

#[test]
fn a_revoked_device_is_cut_off_and_its_mail_and_tokens_are_gone() {
    let mut world = World::new();
    let ada = world.home(1);
    let sender = world.connect();
    world.submit(sender, &ada.token, envelope(1));
    world.input(Input::Admin { request: 2, ask: Ask::RevokeDevice { mailbox: ada.mailbox } });
    assert!(world.closed.contains(&(ada.owner, Code::Revoked)));
    world.submit(sender, &ada.token, envelope(2));
    assert_eq!(world.last_code(sender), Some(Code::NoSuchToken));
    assert_eq!(world.relay.status().pending, 0);
    assert!(matches!(world.log[..], [.., Append::Expire { .. }, _, _, _] | [.., Append::Expire { .. }, _, _]));
}

#[test]
fn a_connection_that_only_talks_is_closed_after_a_while_and_one_that_is_silent_too() {
    let mut world = World::new();
    let talker = world.connect();
    for _ in 0..80 {
        world.say(talker, ClientBody::Ping);
    }
    assert!(world.closed.contains(&(talker, Code::TooFast)));
    let silent = world.connect();
    world.pass(Duration::from_secs(6));
    world.pass(Duration::from_secs(30));
    assert!(world.closed.contains(&(silent, Code::TooSlow)));
}

#[test]
fn a_computer_that_slept_through_a_windows_time_has_lost_nothing_and_keeps_its_epoch() {
    let mut world = World::new();
    let ada = world.home(1);
    let publish = ClientBody::BundlePublish { bundle: Bytes::from_static(b"keys"), ttl: Duration::from_secs(90_000) };
    world.say(ada.owner, publish);
    world.input(Input::Closed { conn: ada.owner });
    let sender = world.connect();
    world.submit(sender, &ada.token, envelope(1));
    let before = world.relay.epoch();
    // The log's clock was first: its window went before the rules had expired what was in it.
    world.now.box_time = world.now.box_time.plus(Duration::from_secs(7 * 3600));
    world.input(Input::WindowsLost { windows: vec![(1, 1_790_000_000)] });
    assert_eq!(world.relay.epoch(), before);
    assert_eq!(world.relay.status().pending, 0, "what was in it has expired");
    let sender = world.connect();
    world.say(sender, ClientBody::BundleFetch { token: ada.token.clone() });
    assert!(matches!(world.last(sender), ServerBody::Bundle { .. }), "and her keys are handed out all the same");
}

#[test]
fn after_a_new_epoch_owners_are_asked_for_tokens_and_bundle_and_nobody_gets_a_stale_one() {
    let mut world = World::new();
    let ada = world.home(1);
    let publish = ClientBody::BundlePublish { bundle: Bytes::from_static(b"old"), ttl: Duration::from_secs(9000) };
    world.say(ada.owner, publish);
    let sender = world.connect();
    world.submit(sender, &ada.token, envelope(1));
    let before = world.relay.epoch();
    world.input(Input::WindowsLost { windows: vec![(1, 1_790_000_000)] });
    assert_ne!(world.relay.epoch(), before);
    let sender = world.connect();
    world.say(sender, ClientBody::BundleFetch { token: ada.token.clone() });
    assert_eq!(world.last_code(sender), Some(Code::NoBundle));
    assert_eq!(world.asks(&ada.device), (true, true));
    let hello = world.sent.iter().rev().find_map(|(_, frame)| match &frame.body {
        ServerBody::Hello(hello) => Some(hello.lost_windows.clone()),
        _ => None,
    });
    assert_eq!(hello, Some(vec![1_790_000_000]));
}

#[test]
fn tokens_and_bundles_outlive_a_restart_after_a_new_epoch_though_their_devices_changed_last() {
    let mut world = World::new();
    let ada = world.home(1);
    let bundle = Bytes::from_static(b"new");
    world.say(ada.owner, ClientBody::BundlePublish { bundle, ttl: Duration::from_secs(9000) });
    // As the log hands it over: each event where it changed last. The new epoch wrote the device anew.
    let mut ledger = world.ledger();
    let device = ledger.iter().position(|event| matches!(event, LedgerEvent::Device(_))).unwrap();
    let device = ledger.remove(device);
    ledger.push(device);
    let mut world = World::restored(Config::default(), Restored { ledger, ..Restored::default() });
    let sender = world.connect();
    world.say(sender, ClientBody::BundleFetch { token: ada.token.clone() });
    assert!(matches!(world.last(sender), ServerBody::Bundle { .. }), "{:?}", world.last(sender));
    world.submit(sender, &ada.token, envelope(7));
    assert!(accepted(false)(world.last(sender)));
}

#[test]
fn a_box_that_restarts_before_a_device_is_back_asks_it_all_the_same_after_a_new_epoch() {
    let mut world = World::new();
    let ada = world.home(1);
    let publish = ClientBody::BundlePublish { bundle: Bytes::from_static(b"old"), ttl: Duration::from_secs(9000) };
    world.say(ada.owner, publish.clone());
    let mut ledger = world.ledger();
    ledger.retain(|event| !matches!(event, LedgerEvent::Epoch(_)));
    let mut restart = |before: &World| {
        ledger.extend(before.ledger());
        World::restored(Config::default(), Restored { ledger: ledger.clone(), ..Restored::default() })
    };
    let nothing_more = World { log: Vec::new(), ..world };
    let world = restart(&nothing_more);
    let epoch = world.relay.epoch();
    let mut world = restart(&world);
    assert_eq!(world.relay.epoch(), epoch, "a restart begins none");
    assert_eq!(world.asks(&ada.device), (true, true));
    let owner = world.owner(&ada.device);
    world.say(owner, ClientBody::TokenList { grants: Vec::new() });
    let mut world = restart(&world);
    assert_eq!(world.asks(&ada.device), (false, true), "each is asked for until it is there");
    let owner = world.owner(&ada.device);
    world.say(owner, publish);
    let mut world = restart(&world);
    assert_eq!(world.asks(&ada.device), (false, false));
}

#[test]
fn a_web_device_proves_itself_at_the_boxs_own_origin_and_at_no_other() {
    let mut world = World::new();
    let addresses = ["box.example:443", "192.0.2.7:8443"].map(|text| Address::parse(text).unwrap()).to_vec();
    world.input(Input::Addresses(AddressRecord::sign(&device(9), addresses, 1, 0)));
    let (invitation, secret) = world.invitation();
    let conn = world.connect();
    let device_key = key_of(&device(1));
    let mac = redeem_mac(&secret, &device_key, &IDENTITY, None);
    let label = "ada".to_owned();
    world.say(conn, ClientBody::Redeem { invitation, device_key, label, binding: Binding::Web, mac });
    assert!(matches!(world.last(conn), ServerBody::Admitted { .. }));
    let origins = [
        ("https://box.example", true),
        ("https://192.0.2.7:8443", true),
        ("https://evil.example", false),
        ("http://box.example", false),
        ("https://box.example:8443", false),
    ];
    for (origin, is_good) in origins {
        let conn = world.connect();
        let message = prove(&world.nonce(conn), &IDENTITY, BoundTo::Origin(origin));
        let (signature, origin) = (message.sign(&device(1)), Some(origin.to_owned()));
        world.say(conn, ClientBody::Prove { device_key, signature, origin: origin.clone(), clock_ms: 0 });
        let proved =
            world.sent.iter().any(|(to, frame)| *to == conn && matches!(frame.body, ServerBody::Proved { .. }));
        assert_eq!(proved, is_good, "{origin:?}");
    }
}
