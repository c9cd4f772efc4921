//! The plan's steps, carried out.

use std::time::Duration;

use ed25519_dalek::SigningKey;
use hob_client::SendOptions;
use hob_protocol::frame::{Binding, ClientBody, ClientFrame, ServerBody};
use hob_protocol::ids::{DeviceKey, MailboxId};
use hob_protocol::transcript::{BoundTo, Exporter, prove, redeem_mac};
use hob_relay::admin::{Answer, Ask};
use hob_relay::{ConnId, Input};

use crate::letters::Letter;
use crate::plan::{How, Wall, What};
use crate::store::{DiskTrouble, Flips};
use crate::world::prologue::name_of;
use crate::world::{Event, World};

impl World {
    pub(crate) fn planned(&mut self, number: usize) {
        let Some(step) = self.plan.steps.get(number).cloned() else { return };
        self.trace("step", &[number as u64]);
        match step.what {
            What::Comes { device } if self.is_here(device) => {
                let eager = self.plan.eager_saves || self.is_killed_next(device, number);
                self.comes(device, eager);
            }
            What::Leaves { device } => self.leaves(device),
            What::Killed { device, after } => self.will_be_killed(device, after),
            What::Writes { member, to, count, bytes, how } => {
                for _ in 0..count {
                    self.writes(member, to, bytes, how);
                }
            }
            What::Blocks { member, whom } => self.blocks(member, whom, true),
            What::Unblocks { member, whom } => self.blocks(member, whom, false),
            What::Restarts { the_box, clean, off_ms, wall, in_operation } => {
                self.restarts(the_box, clean, off_ms, wall, in_operation);
            }
            What::WallJumps { the_box, by_ms } => self.boxes[the_box].jump(by_ms),
            What::Compacts { the_box } => {
                self.counts.compactions += u64::from(self.boxes[the_box].compact(self.now_ms));
            }
            What::DiskFails { the_box, trouble } => {
                self.tell(|_| format!("the disk of box {the_box} fails: {trouble:?}"));
                self.reads_failed |= matches!(trouble, DiskTrouble::Reads(_));
                self.boxes[the_box].store.trouble(trouble);
            }
            What::DiskHeals { the_box } => self.boxes[the_box].store.heal(),
            What::BitsFlip { the_box, bits, of } => self.bits_flip(the_box, bits, of),
            What::Dropped { device } => {
                self.tell(|_| format!("the connections of device {device} are cut"));
                for conn in self.conns_of(device) {
                    self.cut_conn(conn);
                }
            }
            What::Unreachable { device, for_ms } => {
                self.tell(|_| format!("device {device} is unreachable for {} s", for_ms / 1000));
                self.set_unreachable(device, for_ms);
                for conn in self.conns_of(device) {
                    self.hang_conn(conn);
                }
            }
            What::Repeats { count } => self.repeats(count),
            What::Meddles { the_box } => self.meddles(the_box),
            What::Fetches { count } => self.fetches(count),
            What::Comes { .. } => {}
        }
    }

    fn is_killed_next(&self, device: usize, from: usize) -> bool {
        let later = self.plan.steps.iter().skip(from + 1);
        later
            .filter_map(|step| match step.what {
                What::Killed { device: of, .. } if of == device => Some(true),
                What::Comes { device: of } if of == device => Some(false),
                _ => None,
            })
            .next()
            .unwrap_or(false)
    }

    /// A person writes, on whichever device of theirs is running; else the first one is started for it.
    pub(crate) fn writes(&mut self, member: usize, to: usize, bytes: usize, how: How) {
        let here = |member: usize| self.plan.members.get(member).filter(|member| member.is_here);
        let (Some(writer), Some(_)) = (here(member), here(to)) else { return };
        let (devices, eager) = (writer.devices.clone(), self.plan.eager_saves);
        let running = devices.iter().copied().find(|&device| self.devices[device].is_running);
        let Some(device) = running.or_else(|| devices.first().copied()) else { return };
        if running.is_none() {
            self.comes(device, eager);
            let run = self.devices[device].run;
            self.after(20_000, Event::Over { device, run, killed: false });
        }
        self.letters.count += 1;
        let number = self.letters.count;
        let text = Letter::text_of(number, bytes);
        let mut options = SendOptions::default();
        match how {
            How::Plainly => {}
            How::ForSeconds(seconds) => options.ttl = Some(Duration::from_secs(seconds)),
            How::ViewOnce => options.view_once = true,
            How::Strictly => options.strict = true,
        }
        let letter = Letter {
            number,
            from: member,
            device,
            to,
            how,
            sent_ms: self.now_ms,
            sent_unix_ms: self.unix(device),
            text,
            is_safe: false,
            kept_until_ms: 0,
            parted: self.parted.contains(&(member.min(to), member.max(to))),
            told: std::collections::BTreeMap::new(),
            read: std::collections::BTreeMap::new(),
        };
        let now_ms = self.unix(device);
        let name = name_of(to);
        let Some(done) = self.send(device, now_ms, &name, &letter.text, options) else {
            let parted = letter.parted;
            return self
                .must(parted, "a contact can be written to", || format!("device {device} cannot write to {name}"));
        };
        self.counts.letters += 1;
        self.trace("writes", &[device as u64, number]);
        self.tell(|_| {
            format!("member {member} writes message {number} to member {to} on device {device}, {how:?}, {bytes} bytes")
        });
        self.letters.all.insert(done.value, letter);
        self.devices[device].writing.push(done.value);
        self.follow(device, done.outputs);
    }

    fn blocks(&mut self, member: usize, whom: usize, block: bool) {
        let devices = self.plan.members.get(member).map(|member| member.devices.clone()).unwrap_or_default();
        let Some(device) = devices.into_iter().find(|&device| self.devices[device].is_running) else { return };
        self.tell(|_| format!("member {member} {} member {whom}", if block { "blocks" } else { "takes back" }));
        self.letters.part(member, whom);
        self.parted.insert((member.min(whom), member.max(whom)));
        let name = name_of(whom);
        self.command(device, |client, now_ms, rng| {
            let outputs = if block {
                client.block_contact(now_ms, rng, &name)
            } else {
                client.unblock_contact(now_ms, rng, &name)
            };
            Some(((), outputs.ok()?))
        });
    }

    fn restarts(&mut self, the_box: usize, clean: bool, off_ms: u64, wall: Wall, in_operation: Option<u64>) {
        if self.boxes[the_box].run.is_none() || self.power_goes[the_box].is_some() {
            return;
        }
        let off_ms = off_ms.max(1);
        self.power_goes[the_box] = Some((off_ms, wall));
        self.trace("stops", &[the_box as u64, u64::from(clean)]);
        match in_operation.filter(|_| !clean) {
            Some(operations) => {
                self.boxes[the_box].store.stop_after(operations);
                let run = self.boxes[the_box].runs;
                self.after(30_000, Event::PowerGoes { the_box, run });
            }
            None if clean => {
                self.tell(|_| format!("box {the_box} stops for {} s", off_ms / 1000));
                self.box_stops(the_box, off_ms);
            }
            None => self.power_goes(the_box),
        }
    }

    /// Bits flip in what a box keeps: it may lose that, and says so.
    fn bits_flip(&mut self, the_box: usize, bits: u32, of: Flips) {
        if self.boxes[the_box].store.flip(bits, of).is_ok_and(|flipped| flipped > 0) {
            self.tell(|_| format!("{bits} bits flip on the disk of box {the_box}: {of:?}"));
            self.counts.flips += 1;
            match of {
                Flips::Windows => self.disk_is_damaged[the_box] = true,
                Flips::Ledger => self.ledger_is_damaged[the_box] = true,
            }
        }
    }

    // Those who do not play by the rules.

    /// A connection of somebody who is no client.
    fn ghost(&mut self, the_box: usize, of: Option<MailboxId>) -> (u64, Exporter) {
        self.looks_up(the_box);
        self.next_conn += 1;
        let conn = self.next_conn;
        let exporter = Exporter([0x99; 32]);
        self.books[the_box].opened(conn, of);
        self.heard.clear();
        let signature = bytes::Bytes::new();
        self.box_input(the_box, Input::Opened { conn: ConnId(conn), exporter: Some(exporter), signature });
        (conn, exporter)
    }

    fn ghost_says(&mut self, the_box: usize, conn: u64, request: u64, body: ClientBody) {
        let Some(now) = self.boxes[the_box].now(self.now_ms) else { return };
        let frame = ClientFrame { request, body };
        self.books[the_box].frame(now.box_time, conn, &frame);
        self.box_input(the_box, Input::Frame { conn: ConnId(conn), frame });
    }

    fn ghost_goes(&mut self, the_box: usize, conn: u64) {
        self.commit_now(the_box);
        self.books[the_box].closed(conn);
        self.box_input(the_box, Input::Closed { conn: ConnId(conn) });
        self.heard.clear();
    }

    /// Submits that were seen come again, each several times at once.
    fn repeats(&mut self, count: u32) {
        let Some((the_box, _)) = self.seen.last().cloned() else { return };
        if self.boxes[the_box].run.is_none() {
            return;
        }
        self.tell(|_| format!("somebody repeats {count} submits at box {the_box}"));
        let of_box: Vec<ClientBody> =
            self.seen.iter().filter(|(at, _)| *at == the_box).map(|(_, frame)| frame.body.clone()).collect();
        let (conn, _) = self.ghost(the_box, None);
        let few = self.chance.one_in(2);
        for request in 1..=u64::from(count) {
            let place = if few { of_box.len() - 1 } else { self.chance.place(of_box.len()) };
            self.ghost_says(the_box, conn, request, of_box[place].clone());
        }
        self.ghost_goes(the_box, conn);
    }

    /// A bundle is fetched again and again, by the token of a submit that was seen.
    fn fetches(&mut self, count: u32) {
        let Some((the_box, frame)) = self.seen.last().cloned() else { return };
        let ClientBody::Submit { token, .. } = frame.body else { return };
        if self.boxes[the_box].run.is_none() {
            return;
        }
        self.tell(|_| format!("somebody fetches a bundle {count} times at box {the_box}"));
        let (conn, _) = self.ghost(the_box, None);
        for request in 1..=u64::from(count) {
            self.ghost_says(the_box, conn, request, ClientBody::BundleFetch { token: token.clone() });
        }
        self.ghost_goes(the_box, conn);
    }

    /// A member whose program acknowledges what is others', and revokes others' tokens.
    fn meddles(&mut self, the_box: usize) {
        if self.boxes[the_box].run.is_none() {
            return;
        }
        let Some(key) = self.meddler(the_box) else { return };
        self.tell(|_| format!("somebody at box {the_box} acknowledges what is others'"));
        let device_key = DeviceKey(key.verifying_key().to_bytes());
        let (conn, exporter) = self.ghost(the_box, Some(MailboxId::of_device(&device_key)));
        let nonce = self.heard.iter().find_map(|(of, body)| match body {
            ServerBody::Challenge { nonce } if *of == conn => Some(*nonce),
            _ => None,
        });
        let Some(nonce) = nonce else { return };
        let identity = self.boxes[the_box].identity();
        let signature = prove(&nonce, &identity, BoundTo::Exporter(&exporter)).sign(&key);
        self.ghost_says(the_box, conn, 1, ClientBody::Prove { device_key, signature, origin: None, clock_ms: 0 });
        let (ids, tokens) = self.books[the_box].what_others_have();
        for chunk in ids.chunks(hob_protocol::limits::ACKNOWLEDGE_IDS_MAX) {
            self.ghost_says(the_box, conn, 2, ClientBody::Acknowledge { ids: chunk.to_vec() });
        }
        for token_hash in tokens {
            self.ghost_says(the_box, conn, 3, ClientBody::TokenRevoke { token_hash });
        }
        self.ghost_goes(the_box, conn);
        self.check_sums(the_box);
    }

    fn meddler(&mut self, the_box: usize) -> Option<SigningKey> {
        if let Some(key) = self.meddlers.get(&the_box) {
            return Some(key.clone());
        }
        let key = SigningKey::from_bytes(&self.chance.bytes());
        let device_key = DeviceKey(key.verifying_key().to_bytes());
        let Some(Answer::Invited { invitation, secret, .. }) =
            self.ask(the_box, Ask::Invite { expires_in: Duration::from_secs(600) })
        else {
            return None;
        };
        let (conn, exporter) = self.ghost(the_box, None);
        let mac = redeem_mac(&secret, &device_key, &self.boxes[the_box].identity(), Some(&exporter));
        let binding = Binding::Native;
        self.ghost_says(
            the_box,
            conn,
            1,
            ClientBody::Redeem { invitation, device_key, label: "odd".to_owned(), binding, mac },
        );
        self.commit_now(the_box);
        let admitted = self.heard.iter().any(|(of, body)| *of == conn && matches!(body, ServerBody::Admitted { .. }));
        self.ghost_goes(the_box, conn);
        admitted.then(|| self.meddlers.insert(the_box, key.clone()));
        admitted.then_some(key)
    }
}
