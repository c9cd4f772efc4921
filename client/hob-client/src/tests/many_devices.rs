use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::world::{HOUR, World};
use super::{ADA, BOB};
use crate::Direction;

/// Ada with three devices and Bob with two, two boxes, thirty random mishaps. In the end every device of both has
/// everything that any device of the other wrote, once, and has shown nothing twice.
fn a_bad_day(seed: u64) {
    let mut chance = ChaCha20Rng::seed_from_u64(seed);
    let mut world = World::new(2, &[("ada", 0), ("bob", 1)]);
    world.add(BOB, ADA, "ada");
    world.send(BOB, "ada", "first");
    let adas = [ADA, world.pair(ADA, "laptop"), world.pair(ADA, "tablet")];
    let bobs = [BOB, world.pair(BOB, "phone")];
    world.send(ADA, "bob", "second");
    world.pass(10_000);
    let mut trace = String::new();
    for step in 0..30 {
        let who = usize::try_from(chance.next_u32() % 5).unwrap();
        let (name, at) = if adas.contains(&who) { ("bob", 0) } else { ("ada", 1) };
        trace.push_str(&format!("{who}"));
        match chance.next_u32() % 12 {
            0..=5 if !world.devices[who].dead && world.devices[who].client.contact(name).is_some() => {
                trace.push('s');
                world.send(who, name, &format!("{who} in step {step}"));
            }
            6 => {
                trace.push('k');
                world.devices[who].kill_after = Some(usize::try_from(chance.next_u32() % 6).unwrap());
            }
            7 => {
                trace.push('x');
                world.kill(who);
            }
            8 | 9 => {
                trace.push('^');
                world.start(who);
                world.read(who);
            }
            10 => {
                trace.push('d');
                world.take_down(at);
                world.boxes[at].up = true;
            }
            _ => {
                trace.push('.');
                world.pass(u64::from(chance.next_u32() % 4) * HOUR + 1_000);
            }
        }
    }
    for the_box in &mut world.boxes {
        the_box.up = true;
    }
    for _ in 0..2 {
        for who in 0..5 {
            world.start(who);
        }
        world.pass(7 * HOUR);
    }
    for (mine, name, theirs, their_name) in [(&adas[..], "bob", &bobs[..], "ada"), (&bobs[..], "ada", &adas[..], "bob")]
    {
        let mut written = Vec::new();
        for who in theirs {
            let me = world.devices[*who].client.device_key();
            let history = world.devices[*who].client.state.history.iter();
            let own = history.filter(|item| item.direction() == Direction::Sent && item.device == me);
            written.extend(own.map(|item| item.text.clone()));
        }
        written.sort();
        for who in mine {
            let history = world.devices[*who].client.history(world.now_ms, name, 999).unwrap();
            let received = history.into_iter().filter(|message| message.direction == Direction::Received);
            let mut got: Vec<String> = received.map(|message| message.text).collect();
            got.sort();
            assert_eq!(got, written, "seed {seed}, {trace}: what device {who} has of {name}");
        }
        for who in theirs {
            let history = world.devices[*who].client.history(world.now_ms, their_name, 999).unwrap();
            let sent = history.into_iter().filter(|message| message.direction == Direction::Sent);
            let mut copies: Vec<String> = sent.map(|message| message.text).collect();
            copies.sort();
            assert_eq!(copies, written, "seed {seed}, {trace}: what device {who} has of its siblings");
        }
    }
}

#[test]
fn after_any_bad_day_every_device_has_everything_once() {
    for seed in 0..6 {
        a_bad_day(seed);
    }
}
