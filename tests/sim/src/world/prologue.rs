//! How a world begins: boxes come up, everybody joins, pairs their devices, and exchanges codes. Nothing goes wrong yet.

use std::time::Duration;

use hob_protocol::invitation::Invitation;
use hob_relay::admin::{Answer, Ask};

use crate::plan::Wall;
use crate::the_box::BEGINNING_UNIX_MS;
use crate::world::World;

/// A contact's local name.
pub(crate) fn name_of(member: usize) -> String {
    format!("m{member}")
}

impl World {
    pub(crate) fn prologue(&mut self) {
        for the_box in 0..self.boxes.len() {
            self.box_starts(the_box, Wall::Right);
        }
        // All first devices first, so that devices have the numbers that the plan gave them.
        for (number, member) in self.plan.members.clone().iter().enumerate() {
            for _ in &member.devices {
                self.add_device(number);
            }
        }
        for (number, member) in self.plan.members.clone().iter().enumerate().filter(|(_, member)| member.is_here) {
            let Some((&first, others)) = member.devices.split_first() else { continue };
            self.joins(number, first);
            for &device in others {
                self.pairs(first, device);
            }
        }
        self.exchange_codes();
        self.pass_until(self.now_ms + 30_000);
        for device in 0..self.devices.len() {
            if self.is_here(device) {
                self.leaves(device);
            } else {
                self.ends_prologue(device);
            }
        }
        self.pass_until(self.now_ms + 20_000);
        self.calm = false;
    }

    pub(crate) fn is_here(&self, device: usize) -> bool {
        let member = self.devices.get(device).map_or(0, |device| device.member);
        self.plan.members.get(member).is_some_and(|member| member.is_here)
    }

    /// Lets things happen until something holds, for a minute at most.
    fn until(&mut self, what: &'static str, holds: impl Fn(&Self) -> bool) {
        let end_ms = self.now_ms + 60_000;
        while !holds(self) {
            if !self.step_before(end_ms) {
                return self.must(false, "everybody joins", || what.to_owned());
            }
        }
    }

    fn joins(&mut self, member: usize, device: usize) {
        let home = self.plan.members[member].home;
        let Some(Answer::Invited { invitation, secret, .. }) =
            self.ask(home, Ask::Invite { expires_in: Duration::from_secs(86_400) })
        else {
            return self.must(false, "everybody joins", || "no invitation".to_owned());
        };
        let invitation = Invitation {
            id: invitation,
            secret,
            box_identity: self.boxes[home].identity(),
            addresses: vec![self.boxes[home].address.clone()],
            expires_at_s: BEGINNING_UNIX_MS / 1000 + 86_400,
        };
        self.command(device, |client, now_ms, rng| {
            Some(((), client.join(now_ms, rng, invitation, &name_of(member)).ok()?))
        });
        self.until("a device joins", |world| world.devices[device].client.is_caught_up());
    }

    fn pairs(&mut self, first: usize, device: usize) {
        self.command(first, |client, now_ms, rng| Some(((), client.add_device(now_ms, rng).ok()?)));
        self.until("a device code is shown", |world| world.devices[first].client.device_code().is_some());
        let Some(code) = self.devices[first].client.device_code() else { return };
        self.command(device, |client, now_ms, rng| {
            Some(((), client.join_as_device(now_ms, rng, &code, &format!("d{device}")).ok()?))
        });
        self.until("a device is paired", |world| {
            let new = &world.devices[device].client;
            new.home().is_some() && !new.is_pairing() && new.is_caught_up()
        });
        // What it is told of contacts and messages comes in its time.
        self.pass_until(self.now_ms + 6_000);
    }

    /// Pairs exchange codes in rounds: a device shows few at once.
    fn exchange_codes(&mut self) {
        let pairs = self.plan.pairs.clone();
        for round in pairs.chunks(24) {
            for &(adds, shows) in round {
                self.exchange(adds, shows);
            }
            self.pass_until(self.now_ms + 10_000);
        }
    }

    fn exchange(&mut self, adds: usize, shows: usize) {
        let here = |member: usize| {
            self.plan.members.get(member).filter(|member| member.is_here).map(|member| member.devices[0])
        };
        let (Some(adder), Some(shower)) = (here(adds), here(shows)) else { return };
        let Some(code) = self.command(shower, |client, now_ms, rng| {
            let done = client.show_contact_code(now_ms, rng).ok()?;
            Some((done.value, done.outputs))
        }) else {
            return self.must(false, "everybody joins", || "no contact code".to_owned());
        };
        self.until("a code is ready", |world| world.devices[shower].client.code_is_ready(&code));
        let added = self.command(adder, |client, now_ms, rng| {
            Some(((), client.add_contact(now_ms, rng, &code, &name_of(shows)).ok()?))
        });
        self.must(added.is_some(), "everybody joins", || "a contact is not added".to_owned());
        // Whoever showed the code learns of its use by a first message.
        self.writes(adds, shows, 10, crate::plan::How::Plainly);
        self.until("a code is used", |world| world.devices[shower].client.contact(&name_of(adds)).is_some());
        self.writes(shows, adds, 10, crate::plan::How::Plainly);
        self.pass_until(self.now_ms + 500);
    }
}
