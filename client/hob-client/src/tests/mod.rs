//! Stories of two or three devices and a box or two, in memory.
//!
//! # Layout
//! - [`world`]: devices, the jumping clock and what boxes answer; [`naive_box`]: what a box holds.
//! - [`talking`]: pairing, first contact, requests, receipts. [`again`]: lost, late and repeated envelopes.
//! - [`waiting`]: long absences, simulated day by day. [`strict`]: what no box may keep.
//! - [`healing`]: lost state and new keys, from both sides.
//! - [`moving`]: boxes that move, and others in their place.
//! - [`storms`]: contacts who do the same thing thousands of times.
//! - [`figures`]: what a heal, 500 waiting messages and a message to five devices cost, printed.
//! - [`chaos`]: bad days at random, replayed by their seed.
//! - [`devices`]: several devices of one member: added, removed, and what each of them has.
//! - [`hostile_devices`]: lists rolled back, forked, forged; codes misused; kills while pairing.
//! - [`parting`]: contacts renamed, blocked and removed on one device of several.
//! - [`many_devices`]: bad days at random of five devices.
//! - [`kills`]: a kill between any two outputs. [`strangers`]: wrong boxes, forged bundles and envelopes.
//! - [`people`]: contacts renamed, removed and blocked, codes withdrawn.
//! - [`restored`]: boxes made of a backup, and two with one identity.
//! - [`revoking`]: certificates of members who lost every device.
//! - [`vectors`]: the bytes that clients in other languages are held to.

mod again;
mod chaos;
mod devices;
mod figures;
mod healing;
mod hostile_devices;
mod kills;
mod many_devices;
mod moving;
mod naive_box;
mod parting;
mod people;
mod restored;
mod revoking;
mod storms;
mod strangers;
mod strict;
mod talking;
mod vectors;
mod waiting;
mod world;

use world::World;

const ADA: usize = 0;
const BOB: usize = 1;

/// Bob has added Ada's code; both are online.
fn paired() -> World {
    let mut world = World::new(1, &[("ada", 0), ("bob", 0)]);
    world.add(BOB, ADA, "ada");
    world
}

/// Ada and Bob have exchanged a message each way.
fn acquainted() -> World {
    let mut world = paired();
    world.send(BOB, "ada", "hello ada");
    assert_eq!(world.read(ADA), ["hello ada"]);
    world.send(ADA, "bob", "hello bob");
    assert_eq!(world.read(BOB), ["hello bob"]);
    world.pass(5_000);
    world
}
