use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::world::{HOUR, World};
use super::{ADA, BOB};

/// Two people, two boxes, forty random mishaps: kills between outputs, boxes that go down or forget, hours that pass.
/// In the end both meet, and each has read everything that the other wrote, once.
fn a_bad_day(seed: u64) {
    let mut chance = ChaCha20Rng::seed_from_u64(seed);
    let mut world = World::new(2, &[("ada", 0), ("bob", 1)]);
    world.add(BOB, ADA, "ada");
    let mut written: [Vec<String>; 2] = Default::default();
    let mut read: [Vec<String>; 2] = Default::default();
    let mut trace = String::new();
    world.send(BOB, "ada", "first");
    written[BOB].push("first".to_owned());
    for step in 0..40 {
        let who = usize::try_from(chance.next_u32() % 2).unwrap();
        let (name, at) = [("bob", 0), ("ada", 1)][who];
        match chance.next_u32() % 12 {
            0..=4 if !world.devices[who].dead && world.devices[who].client.contact(name).is_some() => {
                trace.push(['a', 'b'][who]);
                let text = format!("{who} in step {step}");
                world.send(who, name, &text);
                written[who].push(text);
            }
            5 => {
                trace.push(['K', 'k'][who]);
                world.devices[who].kill_after = Some(usize::try_from(chance.next_u32() % 6).unwrap());
            }
            6 => {
                trace.push(['X', 'x'][who]);
                world.kill(who);
            }
            7 | 8 => {
                trace.push(['^', '~'][who]);
                world.start(who);
                read[who].extend(world.read(who));
            }
            9 => {
                trace.push(['D', 'd'][who]);
                world.take_down(at);
            }
            10 => {
                trace.push(['F', 'f'][who]);
                world.take_down(at);
                world.boxes[at].mail.clear();
                world.boxes[at].epoch += 1;
                world.boxes[at].knows_lists = false;
                world.boxes[at].up = true;
            }
            _ => {
                trace.push('.');
                world.pass(u64::from(chance.next_u32() % 4) * HOUR + 1_000);
            }
        }
        for at in 0..2 {
            world.boxes[at].up |= chance.next_u32() % 3 == 0;
        }
    }
    // A sender that was killed before its first save never sent: what is not in its saved state does not count.
    for the_box in &mut world.boxes {
        the_box.up = true;
    }
    for who in [ADA, BOB, ADA, BOB] {
        world.start(who);
        world.pass(7 * HOUR);
    }
    for (who, name) in [(ADA, "bob"), (BOB, "ada")] {
        read[who].extend(world.read(who));
        let history = world.devices[1 - who].client.history(world.now_ms, ["bob", "ada"][1 - who], 999);
        let sent = history.unwrap().into_iter().filter(|message| message.direction == crate::Direction::Sent);
        let mut sent: Vec<String> = sent.map(|message| message.text).collect();
        let mut got = read[who].clone();
        sent.sort();
        got.sort();
        assert_eq!(got, sent, "seed {seed}, {trace}: what came from {name}");
        let unconfirmed = world.devices[who].client.summary(world.now_ms).unconfirmed;
        assert_eq!(unconfirmed, 0, "seed {seed}, {trace}: everything is confirmed");
        let lost = written[1 - who].len() - got.len();
        assert!(lost <= trace.matches(['K', 'k']).count(), "seed {seed}, {trace}: {lost} lost");
    }
}

#[test]
fn after_any_bad_day_everything_was_read_once_and_confirmed() {
    for seed in 0..16 {
        a_bad_day(seed);
    }
}
