//! What things cost. For figures that mean something:
//! `cargo test --release -p hob-client --lib figures -- --nocapture --test-threads 1`.

use hob_protocol::frame::ClientBody;

use super::world::World;
use super::{ADA, BOB, acquainted};

/// Prints what both sides spent since, and returns the envelopes that went over the box.
fn print(world: &World, what: &str, accepted_before: usize, cpu_before: [u64; 2]) -> usize {
    let sent = &world.boxes[0].accepted[accepted_before..];
    let bytes: usize = sent.iter().map(|(_, envelope)| envelope.bytes().len()).sum();
    let spent = |who: usize| (world.devices[who].cpu_ns - cpu_before[who]) / 1_000;
    println!(
        "{what}: {} envelopes, {bytes} bytes; reader {} us of CPU, sender {} us",
        sent.len(),
        spent(ADA),
        spent(BOB)
    );
    sent.len()
}

fn before(world: &World) -> (usize, [u64; 2]) {
    (world.boxes[0].accepted.len(), [world.devices[ADA].cpu_ns, world.devices[BOB].cpu_ns])
}

#[test]
fn a_heal_costs_a_request_and_the_message_again() {
    let mut world = acquainted();
    world.devices[ADA].client.state.peers[0].sessions.clear();
    let (accepted, cpu) = before(&world);
    world.send(BOB, "ada", "healed");
    world.pass(10_000);
    assert_eq!(world.read(ADA), ["healed"]);
    world.pass(10_000);
    // The message, the request, the message afresh, the receipt.
    assert_eq!(print(&world, "one message over a lost session", accepted, cpu), 4);
}

#[test]
fn five_hundred_waiting_messages_cost_five_hundred_envelopes_and_a_few_receipts() {
    let mut world = acquainted();
    world.stop(ADA);
    world.lazy_saves = true;
    let (accepted, cpu) = before(&world);
    for number in 0..500 {
        world.send(BOB, "ada", &format!("message {number}"));
    }
    world.start(ADA);
    world.pass(10_000);
    assert_eq!(world.read(ADA).len(), 500);
    let envelopes = print(&world, "500 messages that waited", accepted, cpu);
    assert!((501..=510).contains(&envelopes), "{envelopes}");
}

/// Envelopes, bytes and CPU (us) of one sender with a sibling, for each message to a contact with so many devices, until
/// every device has confirmed it.
fn spent_on_a_message_to(devices: usize) -> [f64; 3] {
    const MESSAGES: u16 = 50;
    let mut world = acquainted();
    world.lazy_saves = true;
    world.pair(ADA, "laptop");
    for number in 1..devices {
        world.pair(BOB, &format!("device-{number}"));
    }
    // Tokens and sessions are made once, not with every message.
    for _ in 0..3 {
        world.send(ADA, "bob", "warm up");
        world.send(BOB, "ada", "warm up");
        world.pass(10_000);
    }
    world.devices[ADA].frames.clear();
    let cpu_before = world.devices[ADA].cpu_ns;
    for number in 0..MESSAGES {
        world.send(ADA, "bob", &format!("message {number}"));
        world.pass(10_000);
    }
    let submitted = world.devices[ADA].frames.iter().filter_map(|frame| match &frame.body {
        ClientBody::Submit { envelope, .. } => Some(envelope.bytes().len()),
        _ => None,
    });
    let sizes: Vec<usize> = submitted.collect();
    let cpu_us = (world.devices[ADA].cpu_ns - cpu_before) / 1_000;
    let each = |all: u64| all as f64 / f64::from(MESSAGES);
    [each(sizes.len() as u64), each(sizes.iter().sum::<usize>() as u64), each(cpu_us)]
}

#[test]
fn a_message_to_five_devices_costs_an_envelope_for_each_and_one_for_the_sibling() {
    let mut envelopes = Vec::new();
    for devices in [1, 5] {
        let [count, bytes, cpu_us] = spent_on_a_message_to(devices);
        println!(
            "to {devices} device(s), from a member with two: {count:.2} envelopes, {bytes:.0} bytes, {:.2} ms of CPU a message",
            cpu_us / 1_000.0
        );
        envelopes.push(count);
    }
    assert!(envelopes[0] >= 2.0 && envelopes[1] >= 6.0, "one for each device: {envelopes:?}");
}
