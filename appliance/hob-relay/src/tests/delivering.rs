use super::*;

fn ids(world: &World, conn: ConnId) -> Vec<EnvelopeId> {
    world.pushed.iter().filter(|(to, _)| *to == conn).map(|(_, id)| *id).collect()
}

#[test]
fn an_owner_who_comes_back_gets_everything_oldest_first_and_then_caught_up() {
    let mut world = World::new();
    let ada = world.home(1);
    world.input(Input::Closed { conn: ada.owner });
    let sender = world.connect();
    let sent: Vec<_> = (0..100).map(envelope).collect();
    for envelope in &sent {
        world.submit(sender, &ada.token, envelope.clone());
    }
    let owner = world.owner(&ada.device);
    assert_eq!(ids(&world, owner).len(), 64, "the credit is 64");
    assert_ne!(world.last(owner), &ServerBody::CaughtUp);
    let first = ids(&world, owner);
    world.say(owner, ClientBody::Acknowledge { ids: first });
    let want: Vec<_> = sent.iter().map(|envelope| envelope.id_in(&ada.mailbox)).collect();
    assert_eq!(ids(&world, owner), want);
    assert!(world.sent.iter().any(|(to, frame)| *to == owner && frame.body == ServerBody::CaughtUp));
}

#[test]
fn caught_up_is_said_at_once_to_an_owner_with_an_empty_mailbox_and_said_once() {
    let mut world = World::new();
    let ada = world.home(1);
    let sender = world.connect();
    world.submit(sender, &ada.token, envelope(1));
    let told = world.sent.iter().filter(|(to, frame)| *to == ada.owner && frame.body == ServerBody::CaughtUp);
    assert_eq!(told.count(), 1);
}

#[test]
fn what_was_pushed_and_not_acknowledged_is_pushed_again_on_the_next_connection() {
    let mut world = World::new();
    let ada = world.home(1);
    let sender = world.connect();
    world.submit(sender, &ada.token, envelope(1));
    world.submit(sender, &ada.token, envelope(2));
    let pushed = ids(&world, ada.owner);
    world.say(ada.owner, ClientBody::Acknowledge { ids: vec![pushed[0]] });
    world.input(Input::Closed { conn: ada.owner });
    let again = world.owner(&ada.device);
    assert_eq!(ids(&world, again), [pushed[1]]);
}

#[test]
fn acknowledging_twice_or_what_never_was_or_what_is_anothers_changes_nothing() {
    let mut world = World::new();
    let (ada, bob) = (world.home(1), world.home(2));
    let sender = world.connect();
    world.submit(sender, &ada.token, envelope(1));
    let id = ids(&world, ada.owner)[0];
    world.say(bob.owner, ClientBody::Acknowledge { ids: vec![id, EnvelopeId([5; 32])] });
    assert_eq!(world.relay.status().pending, 1, "only its owner can acknowledge");
    world.say(ada.owner, ClientBody::Acknowledge { ids: vec![id, id] });
    world.say(ada.owner, ClientBody::Acknowledge { ids: vec![id] });
    assert_eq!(world.relay.status().counters.delivered, 1);
    let acknowledged = world.log.iter().filter(|append| matches!(append, Append::Acknowledge { .. }));
    assert_eq!(acknowledged.count(), 1);
}

#[test]
fn credit_is_given_back_by_acknowledging_and_by_expiry() {
    let mut world = World::new();
    let ada = world.home(1);
    world.say(ada.owner, ClientBody::Credit { envelopes: 2 });
    let sender = world.connect();
    world.submit_for(sender, &ada.token, envelope(1), Duration::from_secs(30));
    for byte in 2..6 {
        world.submit(sender, &ada.token, envelope(byte));
    }
    assert_eq!(world.pushed.len(), 2);
    world.pass(Duration::from_secs(30));
    assert_eq!(world.pushed.len(), 3, "the first expired in flight");
    let second = world.pushed[1].1;
    world.say(ada.owner, ClientBody::Acknowledge { ids: vec![second] });
    assert_eq!(world.pushed.len(), 4);
    world.say(ada.owner, ClientBody::Credit { envelopes: 1000 });
    assert_eq!(world.pushed.len(), 5);
    world.say(ada.owner, ClientBody::Credit { envelopes: 0 });
    world.submit(sender, &ada.token, envelope(9));
    assert_eq!(world.pushed.len(), 5, "no credit, no push");
}

#[test]
fn nothing_is_delivered_past_its_deadline() {
    let mut world = World::new();
    let ada = world.home(1);
    world.input(Input::Closed { conn: ada.owner });
    let sender = world.connect();
    world.submit_for(sender, &ada.token, envelope(1), Duration::from_secs(30));
    world.submit_for(sender, &ada.token, envelope(2), Duration::from_secs(60));
    world.pass(Duration::from_secs(30));
    let owner = world.owner(&ada.device);
    assert_eq!(ids(&world, owner), [envelope(2).id_in(&ada.mailbox)]);
    assert_eq!(world.relay.status().counters.expired, 1);
    assert!(world.log.iter().any(|append| matches!(append, Append::Expire { .. })));
}

#[test]
fn the_relay_asks_to_be_woken_for_the_next_deadline() {
    let mut world = World::new();
    let ada = world.home(1);
    let sender = world.connect();
    world.submit_for(sender, &ada.token, envelope(1), Duration::from_secs(30));
    for conn in 1..=sender.0 {
        world.input(Input::Closed { conn: ConnId(conn) });
    }
    let effects = world.relay.handle_input(world.now, Input::Timeout);
    assert_eq!(effects.wake_at, Some((world.now.box_time.plus(Duration::from_secs(30)), WakeReason::EnvelopeDue)));
}

#[test]
fn a_destroyed_window_takes_its_envelopes_with_it_and_the_rest_goes_on() {
    let mut world = World::new();
    let ada = world.home(1);
    world.input(Input::Closed { conn: ada.owner });
    let sender = world.connect();
    world.submit(sender, &ada.token, envelope(1));
    world.input(Input::WindowsDestroyed { below: 2 });
    assert_eq!(world.relay.status().pending, 0);
    let owner = world.owner(&ada.device);
    assert_eq!(world.last(owner), &ServerBody::CaughtUp);
}

#[test]
fn clients_are_told_before_the_box_goes_down_and_nothing_new_is_taken() {
    let mut world = World::new();
    let ada = world.home(1);
    let sender = world.connect();
    world.input(Input::GoingDown { back_in: Duration::from_secs(20) });
    for conn in [ada.owner, sender] {
        assert_eq!(world.last(conn), &ServerBody::Restarting { back_in: Duration::from_secs(20) });
    }
    world.submit(sender, &ada.token, envelope(1));
    assert_eq!(world.last_code(sender), Some(Code::Restarting));
}

#[test]
fn an_envelope_that_the_card_lost_gives_its_owners_credit_back_and_may_be_submitted_again() {
    let mut world = World::new();
    let ada = world.home(1);
    world.say(ada.owner, ClientBody::Credit { envelopes: 1 });
    let sender = world.connect();
    world.submit(sender, &ada.token, envelope(1));
    world.submit(sender, &ada.token, envelope(2));
    world.input(Input::Unreadable { id: envelope(1).id_in(&ada.mailbox) });
    assert_eq!(ids(&world, ada.owner), [1, 2].map(|byte| envelope(byte).id_in(&ada.mailbox)));
    world.submit(sender, &ada.token, envelope(1));
    assert!(accepted(false)(world.last(sender)));
}
