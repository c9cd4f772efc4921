use super::*;

#[test]
fn nothing_is_answered_or_pushed_before_it_is_durable() {
    let mut world = World::new();
    let ada = world.home(1);
    world.syncs_by_itself = false;
    let sender = world.connect();
    let said = world.sent.len();
    world.submit(sender, &ada.token, envelope(1));
    assert_eq!((world.sent.len(), world.pushed.len()), (said, 0));
    world.sync();
    assert!(accepted(false)(world.last(sender)));
    assert_eq!(world.pushed.len(), 1);
}

#[test]
fn a_repeat_is_a_duplicate_whether_the_first_was_read_or_not_and_never_delivered_twice() {
    let mut world = World::new();
    let ada = world.home(1);
    let sender = world.connect();
    world.submit(sender, &ada.token, envelope(1));
    world.submit(sender, &ada.token, envelope(1));
    let unread = world.last(sender).clone();
    let id = world.pushed[0].1;
    world.say(ada.owner, ClientBody::Acknowledge { ids: vec![id] });
    world.submit(sender, &ada.token, envelope(1));
    assert_eq!(world.last(sender), &unread, "read or unread, the answer is the same");
    assert!(accepted(true)(&unread));
    assert_eq!(world.pushed.len(), 1);
    world.pass(Duration::from_secs(601));
    let sender = world.connect();
    world.submit(sender, &ada.token, envelope(1));
    assert!(accepted(false)(world.last(sender)), "after its deadline it is a new envelope");
}

#[test]
fn a_repeat_of_what_is_not_durable_yet_waits_like_the_first() {
    let mut world = World::new();
    let ada = world.home(1);
    world.syncs_by_itself = false;
    let (first, second) = (world.connect(), world.connect());
    let said = world.sent.len();
    world.submit(first, &ada.token, envelope(1));
    world.submit(second, &ada.token, envelope(1));
    assert_eq!(world.sent.len(), said);
    world.sync();
    assert!(accepted(false)(world.last(first)) && accepted(true)(world.last(second)));
}

#[test]
fn unknown_and_revoked_tokens_are_answered_alike() {
    let mut world = World::new();
    let ada = world.home(1);
    world.say(ada.owner, ClientBody::TokenRevoke { token_hash: ada.token.hash() });
    let sender = world.connect();
    world.submit(sender, &ada.token, envelope(1));
    let revoked = world.last(sender).clone();
    world.submit(sender, &DeliveryToken([99; 32]), envelope(1));
    assert_eq!(world.last(sender), &revoked);
    assert_eq!(world.last_code(sender), Some(Code::NoSuchToken));
}

#[test]
fn what_a_token_brought_before_it_was_revoked_is_delivered() {
    let mut world = World::new();
    let ada = world.home(1);
    world.input(Input::Closed { conn: ada.owner });
    let sender = world.connect();
    world.submit(sender, &ada.token, envelope(1));
    let owner = world.owner(&ada.device);
    world.say(owner, ClientBody::TokenRevoke { token_hash: ada.token.hash() });
    assert_eq!(world.pushed.len(), 1);
}

#[test]
fn a_token_that_guesses_is_closed() {
    let mut world = World::new();
    let sender = world.connect();
    for byte in 0..40 {
        world.submit(sender, &DeliveryToken([byte; 32]), envelope(1));
    }
    assert_eq!(world.closed, [(sender, Code::TooFast)]);
}

#[test]
fn a_token_has_its_burst_then_its_rate() {
    let mut world = World::with(Config { token_burst: 3, token_per_second: 2, ..Config::default() });
    let ada = world.home(1);
    let sender = world.connect();
    for byte in 0..3 {
        world.submit(sender, &ada.token, envelope(byte));
        assert!(accepted(false)(world.last(sender)));
    }
    world.submit(sender, &ada.token, envelope(3));
    assert_eq!(world.last_code(sender), Some(Code::TooFast));
    world.pass(Duration::from_millis(500));
    world.submit(sender, &ada.token, envelope(3));
    assert!(accepted(false)(world.last(sender)));
}

#[test]
fn a_time_to_live_is_cut_to_the_longest_and_refused_below_the_shortest() {
    let mut world = World::new();
    let ada = world.home(1);
    let sender = world.connect();
    world.submit_for(sender, &ada.token, envelope(1), Duration::from_secs(86_400));
    assert!(matches!(world.last(sender), ServerBody::Accepted { ttl, .. } if *ttl == Duration::from_secs(19_800)));
    world.submit_for(sender, &ada.token, envelope(2), Duration::from_secs(29));
    assert_eq!(world.last_code(sender), Some(Code::TtlTooShort));
}

#[test]
fn one_token_holds_a_quarter_of_a_mailbox_and_the_last_places_are_for_small_envelopes() {
    let config = Config { mailbox_envelopes: 40, mailbox_small_places: 10, token_burst: 1000, ..Config::default() };
    let mut world = World::with(config);
    let ada = world.home(1);
    let tokens: Vec<_> = (10..14).map(|byte| world.grant(ada.owner, byte, TokenKind::Contact)).collect();
    world.input(Input::Closed { conn: ada.owner });
    let sender = world.connect();
    let mut taken = 0;
    for (token, byte) in tokens.iter().flat_map(|token| std::iter::repeat_n(token, 11)).zip(0..) {
        world.submit(sender, token, Envelope::new(Bytes::from(vec![byte; 2048])).unwrap());
        taken += u32::from(accepted(false)(world.last(sender)));
        if taken == 30 && accepted(false)(world.last(sender)) {
            let big = Envelope::new(Bytes::from(vec![byte; 4096])).unwrap();
            world.submit(sender, tokens.last().unwrap(), big);
            assert_eq!(world.last_code(sender), Some(Code::MailboxFull), "the last places are for the smallest");
        }
    }
    assert_eq!(taken, 40, "ten each of four tokens");
    world.owner(&ada.device);
    let status = world.relay.status();
    assert_eq!(status.counters.refusals.get("MailboxFull").copied().unwrap_or(0), 4 + 1);
}

#[test]
fn the_owner_of_a_mailbox_that_ran_full_is_told_when_there_is_room() {
    let config = Config { mailbox_envelopes: 4, mailbox_small_places: 0, ..Config::default() };
    let mut world = World::with(config);
    let ada = world.home(1);
    world.input(Input::Closed { conn: ada.owner });
    let sender = world.connect();
    world.submit(sender, &ada.token, envelope(1));
    world.submit(sender, &ada.token, envelope(2));
    assert_eq!(world.last_code(sender), Some(Code::MailboxFull), "a quarter of four is one");
    let owner = world.owner(&ada.device);
    assert_eq!(world.last(owner), &ServerBody::MailboxWasFull { refused: 1 });
}

#[test]
fn an_introduction_takes_few_envelopes_and_its_first_use_prolongs_it() {
    let mut world = World::new();
    let ada = world.home(1);
    let token = world.grant(ada.owner, 50, TokenKind::Introduction);
    world.input(Input::Closed { conn: ada.owner });
    let sender = world.connect();
    for byte in 0..64 {
        world.submit(sender, &token, envelope(byte));
        assert!(accepted(false)(world.last(sender)), "envelope {byte}");
    }
    world.submit(sender, &token, envelope(64));
    assert_eq!(world.last_code(sender), Some(Code::MailboxFull));
    let used = world.log.iter().filter(
        |append| matches!(append, Append::Ledger(LedgerEvent::Token(token)) if token.used && token.introduction),
    );
    assert_eq!(used.count(), 1, "the first accepted use is one event of the ledger");
    world.pass(Duration::from_secs(14 * 86_400));
    let sender = world.connect();
    world.submit(sender, &token, envelope(65));
    assert!(accepted(false)(world.last(sender)), "within fifteen days of its first use");
    world.pass(Duration::from_secs(2 * 86_400));
    let later = world.connect();
    world.submit(later, &token, envelope(66));
    assert_eq!(world.last_code(later), Some(Code::NoSuchToken));
}

#[test]
fn an_introduction_that_nobody_used_ends_after_a_day_and_one_ten_years_of_wall_clock_do_not_matter() {
    let mut world = World::new();
    let ada = world.home(1);
    let token = world.grant(ada.owner, 50, TokenKind::Introduction);
    world.now.box_time = world.now.box_time.plus(Duration::from_secs(315_360_000));
    world.now.unix_ms += 315_360_000_000;
    let sender = world.connect();
    world.submit(sender, &token, envelope(1));
    assert!(accepted(false)(world.last(sender)), "ledger time alone counts for tokens");
    let other = world.grant(ada.owner, 51, TokenKind::Introduction);
    world.now.ledger_time = world.now.ledger_time.plus(Duration::from_secs(86_400));
    world.submit(sender, &other, envelope(2));
    assert_eq!(world.last_code(sender), Some(Code::NoSuchToken));
}

#[test]
fn online_only_envelopes_never_touch_the_log_and_are_answered_alike_whoever_is_there() {
    let mut world = World::new();
    let ada = world.home(1);
    let logged = world.log.len();
    let sender = world.connect();
    let online_only = |urgency| ClientBody::Submit {
        token: ada.token.clone(),
        envelope: envelope(1),
        ttl: Duration::from_secs(60),
        urgency,
        online_only: true,
    };
    world.say(sender, online_only(Urgency::Quiet));
    let present = world.last(sender).clone();
    assert_eq!(world.pushed, [(ada.owner, EnvelopeId::ONLINE_ONLY)]);
    world.input(Input::Closed { conn: ada.owner });
    world.say(sender, online_only(Urgency::Wake));
    assert_eq!(world.last(sender), &present);
    assert_eq!((world.pushed.len(), world.woken.as_slice()), (1, &[ada.mailbox][..]));
    assert_eq!(world.log.len(), logged);
    assert_eq!(world.relay.status().counters.accepted, 0, "they have a counter of their own");
}

#[test]
fn a_token_cannot_be_granted_for_two_mailboxes() {
    let mut world = World::new();
    let ada = world.home(1);
    let bob = world.home(2);
    world.say(bob.owner, ClientBody::TokenGrant(Grant { token_hash: ada.token.hash(), kind: TokenKind::Contact }));
    assert_eq!(world.last_code(bob.owner), Some(Code::NoSuchToken));
}

#[test]
fn a_token_list_grants_what_is_missing_and_drops_what_is_not_on_it() {
    let mut world = World::new();
    let ada = world.home(1);
    let kept = world.grant(ada.owner, 20, TokenKind::Contact);
    let new = DeliveryToken([21; 32]);
    let grants = [&kept, &new].map(|token| Grant { token_hash: token.hash(), kind: TokenKind::Contact }).to_vec();
    world.say(ada.owner, ClientBody::TokenList { grants });
    assert_eq!(world.last(ada.owner), &ServerBody::Done);
    let sender = world.connect();
    for (token, good) in [(&kept, true), (&new, true), (&ada.token, false)] {
        world.submit(sender, token, envelope(token.expose()[0]));
        assert_eq!(accepted(false)(world.last(sender)), good);
    }
}

#[test]
fn a_bundle_is_fetched_twenty_times_an_hour_and_fetching_consumes_nothing() {
    let mut world = World::new();
    let ada = world.home(1);
    let sender = world.connect();
    world.say(sender, ClientBody::BundleFetch { token: ada.token.clone() });
    assert_eq!(world.last_code(sender), Some(Code::NoBundle));
    let bundle = Bytes::from_static(b"bundle");
    world.say(ada.owner, ClientBody::BundlePublish { bundle: bundle.clone(), ttl: Duration::from_secs(90_000) });
    for _ in 0..19 {
        world.say(sender, ClientBody::BundleFetch { token: ada.token.clone() });
        assert_eq!(world.last(sender), &ServerBody::Bundle { bundle: bundle.clone() });
    }
    world.say(sender, ClientBody::BundleFetch { token: ada.token.clone() });
    assert_eq!(world.last_code(sender), Some(Code::TooFast));
    world.pass(Duration::from_secs(181));
    world.say(sender, ClientBody::BundleFetch { token: ada.token.clone() });
    assert_eq!(world.last(sender), &ServerBody::Bundle { bundle });
}
