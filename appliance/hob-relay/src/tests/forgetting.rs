//! What is destroyed, swept and told of it.

use super::*;

fn lost_windows_told(world: &mut World) -> Vec<u64> {
    let conn = world.connect();
    let hello = world.sent.iter().rev().find_map(|(to, frame)| match &frame.body {
        ServerBody::Hello(hello) if *to == conn => Some(hello.lost_windows.clone()),
        _ => None,
    });
    hello.expect("every connection is greeted")
}

#[test]
fn only_the_windows_that_were_destroyed_take_their_envelopes_with_them() {
    let mut world = World::new();
    let ada = world.home(1);
    world.input(Input::Closed { conn: ada.owner });
    let sender = world.connect();
    world.submit(sender, &ada.token, envelope(1));
    // The test's log puts everything into window 1.
    world.input(Input::WindowsDestroyed { below: 1 });
    assert_eq!(world.relay.status().pending, 1, "its window is still there");
    world.input(Input::WindowsDestroyed { below: 2 });
    assert_eq!(world.relay.status().pending, 0);
}

#[test]
fn ids_that_are_done_are_forgotten_after_their_deadline() {
    let mut world = World::new();
    let ada = world.home(1);
    let sender = world.connect();
    world.submit_for(sender, &ada.token, envelope(1), Duration::from_secs(600));
    let id = world.pushed[0].1;
    world.say(ada.owner, ClientBody::Acknowledge { ids: vec![id] });
    assert_eq!(world.relay.status().known_ids, 1, "a repeat is still a duplicate");
    world.pass(Duration::from_secs(3600));
    assert_eq!(world.relay.status().known_ids, 0, "memory is bounded by time");
}

#[test]
fn a_lost_window_is_told_for_twelve_hours_and_then_no_more() {
    let mut world = World::new();
    let ada = world.home(1);
    world.input(Input::Closed { conn: ada.owner });
    let sender = world.connect();
    world.submit(sender, &ada.token, envelope(1));
    let opened_at_s = world.now.unix_ms / 1000;
    world.input(Input::WindowsLost { windows: vec![(1, opened_at_s)] });
    assert_eq!(lost_windows_told(&mut world), [opened_at_s]);
    world.now.unix_ms += 11 * 3_600_000;
    world.pass(Duration::from_secs(11 * 3600));
    assert_eq!(lost_windows_told(&mut world), [opened_at_s]);
    world.now.unix_ms += 2 * 3_600_000;
    world.pass(Duration::from_secs(2 * 3600));
    assert!(lost_windows_told(&mut world).is_empty());
}

#[test]
fn every_push_is_counted_once() {
    let mut world = World::new();
    let ada = world.home(1);
    let sender = world.connect();
    for byte in 1..=3 {
        world.submit(sender, &ada.token, envelope(byte));
    }
    assert_eq!((world.pushed.len(), world.relay.status().counters.pushed), (3, 3));
}

#[test]
fn a_device_without_a_clock_tells_no_time() {
    let mut world = World::new();
    let ada = world.home(1);
    world.owner(&ada.device);
    assert!(world.told_times.is_empty());
    let conn = world.connect();
    let proof = world.proof(conn, &ada.device);
    let ClientBody::Prove { device_key, signature, origin, .. } = proof else { panic!("a proof") };
    world.say(conn, ClientBody::Prove { device_key, signature, origin, clock_ms: 1_790_000_000_001 });
    assert_eq!(world.told_times, [1_790_000_000_001]);
}
