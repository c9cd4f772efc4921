//! What things cost. For figures that mean something:
//! `cargo test --release -p hob-client --lib figures -- --nocapture --test-threads 1`.

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
