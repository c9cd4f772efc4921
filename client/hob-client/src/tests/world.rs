//! A small world: naive boxes that keep, push and forget; devices that carry out their outputs in order; a clock that
//! jumps. Nothing of `hob-relay` is used: what clients need of a box is written down here a second time.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use hob_protocol::address::Address;
use hob_protocol::code::{Code, Refused};
use hob_protocol::envelope::Envelope;
use hob_protocol::frame::{ClientBody, ClientFrame, ServerBody, ServerFrame, Urgency};
use hob_protocol::ids::{BoxIdentity, DeliveryToken, EnvelopeId, InvitationId, InvitationSecret, MailboxId, MemberId};
use hob_protocol::invitation::Invitation;
use hob_protocol::transcript::{self, BoundTo, Exporter};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::naive_box::{Kept, NaiveBox, SPKI};
use crate::seal::middle::Middle;
use crate::seal::outer;
use crate::{Client, Input, Link, Message, MessageId, Notice, Output, Outputs, SendOptions};

pub const HOUR: u64 = 3_600_000;

/// One side of an open connection.
struct Wire {
    at: usize,
    exporter: Exporter,
    proved: Option<MailboxId>,
}

pub struct Device {
    pub client: Client,
    /// What is on disk.
    pub saved: Vec<u8>,
    pub saves: usize,
    pub notices: Vec<Notice>,
    pub messages: Vec<Message>,
    /// Outputs to carry out before the process is killed.
    pub kill_after: Option<usize>,
    pub dead: bool,
    pub frames: Vec<ClientFrame>,
    /// Envelopes that would have woken their reader.
    pub woke: usize,
    /// CPU time of its core, in nanoseconds; saving is not in it.
    pub cpu_ns: u64,
    wires: HashMap<Link, Wire>,
    wake_ms: Option<u64>,
}

pub struct World {
    pub now_ms: u64,
    pub boxes: Vec<NaiveBox>,
    pub devices: Vec<Device>,
    pub rng: ChaCha20Rng,
    /// Pushes are delivered in this order of places, where set.
    pub shuffle: Option<Vec<usize>>,
    /// Everything that is pushed arrives with another inner ciphertext than was sent: nobody understands anybody.
    pub garble: bool,
    /// Saves are done when a program ends only: for stories of hundreds of messages.
    pub lazy_saves: bool,
    queue: VecDeque<(usize, Input)>,
    connections: u8,
}

impl Device {
    /// What must be on disk before a frame leaves: an envelope itself, and whatever is acknowledged.
    fn check_is_saved(&self, frame: &ClientFrame, saved_before: bool) {
        match &frame.body {
            ClientBody::Submit { envelope, .. } => {
                let saved = Client::load(&self.saved).unwrap();
                let sealed = saved.state.outbox.iter().filter_map(|entry| entry.sealed.as_ref());
                let bytes: Vec<&[u8]> = sealed.map(|sealed| &sealed.bytes[..]).collect();
                assert!(bytes.contains(&&envelope.bytes()[..]), "an envelope is saved before it leaves");
            }
            ClientBody::Acknowledge { .. } => assert!(saved_before, "saved before it is acknowledged"),
            ClientBody::BundlePublish { .. } => {
                let saved = Client::load(&self.saved).unwrap();
                let newest = self.client.state.keys.newest_id();
                assert_eq!(saved.state.keys.newest_id(), newest, "a prekey is saved before it is published");
            }
            _ => {}
        }
    }
}

impl World {
    /// Boxes, and devices that are members of `homes[i]`.
    pub fn new(boxes: u8, homes: &[(&str, usize)]) -> Self {
        let mut world = Self {
            now_ms: 1_790_000_000_000,
            boxes: (1..=boxes).map(NaiveBox::new).collect(),
            devices: Vec::new(),
            rng: ChaCha20Rng::seed_from_u64(42),
            shuffle: None,
            garble: false,
            lazy_saves: false,
            queue: VecDeque::new(),
            connections: 0,
        };
        for (name, at) in homes {
            let device = world.add_device();
            let invitation = world.invitation(*at);
            let now_ms = world.now_ms;
            let outputs = world.devices[device].client.join(now_ms, &mut world.rng, invitation, name).unwrap();
            world.carry_out(device, outputs);
            world.run();
            assert!(world.devices[device].client.home().is_some(), "{name} joined");
            assert!(world.devices[device].client.everything_flushed(now_ms), "{name} is settled");
        }
        world
    }

    pub fn add_device(&mut self) -> usize {
        let client = Client::create(self.now_ms, &mut self.rng);
        self.devices.push(Device {
            saved: client.save().to_vec(),
            client,
            saves: 0,
            notices: Vec::new(),
            messages: Vec::new(),
            kill_after: None,
            dead: false,
            frames: Vec::new(),
            woke: 0,
            cpu_ns: 0,
            wires: HashMap::new(),
            wake_ms: None,
        });
        self.devices.len() - 1
    }

    pub fn invitation(&self, at: usize) -> Invitation {
        Invitation {
            id: InvitationId([1; 16]),
            secret: InvitationSecret([2; 16]),
            box_identity: self.boxes[at].identity(),
            addresses: vec![Address::parse("127.0.0.1:1").unwrap()],
            expires_at_s: self.now_ms / 1000 + 600,
        }
    }

    // What people do.

    /// A new device of whoever uses device `of`, paired by a code that was shown there.
    pub fn pair(&mut self, of: usize, name: &str) -> usize {
        let now_ms = self.now_ms;
        let outputs = self.devices[of].client.add_device(now_ms, &mut self.rng).unwrap();
        self.carry_out(of, outputs);
        self.run();
        let code = self.devices[of].client.device_code().expect("the box gave a ticket");
        let device = self.add_device();
        let outputs = self.devices[device].client.join_as_device(now_ms, &mut self.rng, &code, name).unwrap();
        self.carry_out(device, outputs);
        self.run();
        self.pass(5_000);
        device
    }

    pub fn names(&self, who: usize) -> Vec<String> {
        self.devices[who].client.devices().into_iter().map(|device| device.name).collect()
    }

    pub fn remove(&mut self, who: usize, name: &str) {
        let now_ms = self.now_ms;
        let outputs = self.devices[who].client.remove_device(now_ms, &mut self.rng, name).unwrap();
        self.carry_out(who, outputs);
        self.pass(5_000);
    }

    pub fn add(&mut self, who: usize, whose: usize, name: &str) {
        let now_ms = self.now_ms;
        let code = self.devices[whose].client.show_contact_code(now_ms, &mut self.rng).unwrap();
        self.carry_out(whose, code.outputs);
        self.run();
        assert!(self.devices[whose].client.code_is_ready(&code.value));
        let outputs = self.devices[who].client.add_contact(now_ms, &mut self.rng, &code.value, name).unwrap();
        self.carry_out(who, outputs);
        self.run();
    }

    pub fn send(&mut self, who: usize, to: &str, text: &str) -> MessageId {
        self.send_with(who, to, text, SendOptions::default())
    }

    pub fn send_with(&mut self, who: usize, to: &str, text: &str, options: SendOptions) -> MessageId {
        let now_ms = self.now_ms;
        let before = cpu_ns();
        let done = self.devices[who].client.send(now_ms, &mut self.rng, to, text, options).unwrap();
        self.devices[who].cpu_ns += cpu_ns() - before;
        self.carry_out(who, done.outputs);
        self.run();
        done.value
    }

    /// What `receive` prints: shown once and marked.
    pub fn read(&mut self, who: usize) -> Vec<String> {
        let now_ms = self.now_ms;
        let unshown = self.devices[who].client.unshown(now_ms);
        let ids: Vec<MessageId> = unshown.iter().map(|message| message.id).collect();
        let outputs = self.devices[who].client.mark_shown(now_ms, &mut self.rng, &ids);
        self.carry_out(who, outputs);
        self.run();
        unshown.into_iter().map(|message| message.text).collect()
    }

    /// The program ends as it should.
    pub fn stop(&mut self, who: usize) {
        let outputs = self.devices[who].client.hurry(self.now_ms, &mut self.rng);
        self.carry_out(who, outputs);
        self.run();
        assert!(self.devices[who].client.everything_flushed(self.now_ms));
        self.kill(who);
    }

    /// The program is gone; what is on disk stays.
    pub fn kill(&mut self, who: usize) {
        let lazy = self.lazy_saves;
        let device = &mut self.devices[who];
        if lazy && !device.dead {
            device.saved = device.client.save().to_vec();
        }
        device.dead = true;
        device.wires.clear();
        device.wake_ms = None;
        device.kill_after = None;
        self.queue.retain(|(of, _)| *of != who);
    }

    pub fn start(&mut self, who: usize) {
        self.kill(who);
        let device = &mut self.devices[who];
        device.client = Client::load(&device.saved).unwrap();
        device.dead = false;
        self.input(who, Input::Started);
        self.run();
    }

    pub fn stop_all(&mut self) {
        for who in 0..self.devices.len() {
            self.kill(who);
        }
    }

    pub fn kill_queue(&mut self) {
        self.queue.clear();
    }

    pub fn hello_of(&self, at: usize, exporter: &Exporter) -> ServerBody {
        self.boxes[at].hello(exporter)
    }

    // The world's own doing.

    pub fn input(&mut self, who: usize, input: Input) {
        let before = cpu_ns();
        let outputs = self.devices[who].client.handle(self.now_ms, &mut self.rng, input);
        self.devices[who].cpu_ns += cpu_ns() - before;
        self.carry_out(who, outputs);
    }

    pub fn carry_out(&mut self, who: usize, outputs: Outputs) {
        let mut saved_before = false;
        for output in outputs {
            let device = &mut self.devices[who];
            if device.dead {
                return;
            }
            if let Some(left) = &mut device.kill_after {
                if *left == 0 {
                    return self.kill(who);
                }
                *left -= 1;
            }
            match output {
                Output::Save => {
                    assert!(!saved_before, "one save for all that follows");
                    saved_before = true;
                    if !self.lazy_saves {
                        device.saved = device.client.save().to_vec();
                    }
                    device.saves += 1;
                }
                Output::Connect { link, identity, addresses } => self.connect(who, link, identity, &addresses),
                Output::Frame { link, frame } => {
                    if !self.lazy_saves {
                        device.check_is_saved(&frame, saved_before);
                    }
                    let wakes = |body: &ClientBody| matches!(body, ClientBody::Submit { urgency: Urgency::Wake, .. });
                    device.woke += usize::from(wakes(&frame.body));
                    device.frames.push(frame.clone());
                    self.frame(who, link, frame);
                }
                Output::Close { link } => {
                    device.wires.remove(&link);
                }
                Output::Message(message) => {
                    assert!(saved_before, "saved before it is shown");
                    device.messages.push(message);
                }
                Output::Notice(notice) => device.notices.push(notice),
                Output::Wake { at_ms, why } => {
                    assert!(at_ms > self.now_ms, "{why:?} is due already");
                    device.wake_ms = Some(at_ms);
                }
            }
        }
    }

    fn connect(&mut self, who: usize, link: Link, identity: BoxIdentity, addresses: &[Address]) {
        let is_there =
            |the_box: &NaiveBox| the_box.up && the_box.at.as_ref().is_none_or(|address| addresses.contains(address));
        let found = self.boxes.iter().position(|the_box| the_box.identity() == identity && is_there(the_box));
        // Somebody else may sit at the old address.
        let squats = |the_box: &NaiveBox| the_box.squats.as_ref().is_some_and(|address| addresses.contains(address));
        let found = found.or_else(|| self.boxes.iter().position(squats));
        let Some(at) = found else {
            return self.queue.push_back((who, Input::Closed { link }));
        };
        self.connect_to(who, link, at);
    }

    pub fn connect_to(&mut self, who: usize, link: Link, at: usize) {
        self.connections = self.connections.wrapping_add(1);
        let exporter = Exporter([self.connections; 32]);
        let wire = Wire { at, exporter, proved: None };
        self.devices[who].wires.insert(link, wire);
        let certificate_spki = Bytes::from_static(SPKI);
        self.queue.push_back((who, Input::Opened { link, exporter, certificate_spki }));
        let hello = self.boxes[at].hello(&exporter);
        self.say(who, link, 0, hello);
        self.say(who, link, 0, ServerBody::Challenge { nonce: [7; 32] });
    }

    fn say(&mut self, who: usize, link: Link, request: u64, body: ServerBody) {
        // Everything goes over the wire as bytes: what cannot be encoded is not said.
        let frame = ServerFrame::decode(ServerFrame { request, body }.encode()).unwrap();
        self.queue.push_back((who, Input::Received { link, frame }));
    }

    fn frame(&mut self, who: usize, link: Link, frame: ClientFrame) {
        let Some(wire) = self.devices[who].wires.get_mut(&link) else { return };
        let ClientFrame { request, body } = ClientFrame::decode(frame.encode()).unwrap();
        let at = wire.at;
        let the_box = &mut self.boxes[at];
        let owner = wire.proved;
        let answer = match body {
            ClientBody::Redeem { device_key, mac, invitation: _, .. } => {
                let secret = InvitationSecret([2; 16]);
                let expected = transcript::redeem_mac(&secret, &device_key, &the_box.identity(), Some(&wire.exporter));
                assert_eq!(mac, expected);
                the_box.members.insert(device_key);
                Some(ServerBody::Admitted { member: MemberId([3; 16]), mailbox: MailboxId::of_device(&device_key) })
            }
            ClientBody::Prove { device_key, signature, .. } => {
                let signed = transcript::prove(&[7; 32], &the_box.identity(), BoundTo::Exporter(&wire.exporter));
                assert!(signed.is_signed_by(device_key.as_bytes(), &signature));
                assert_eq!(link, Link::Owner);
                if !the_box.members.contains(&device_key) {
                    self.say(who, link, request, ServerFrame::refusal(0, Refused::finally(Code::NotAMember)).body);
                    return self.say(who, link, 0, ServerBody::Challenge { nonce: [7; 32] });
                }
                let mailbox = MailboxId::of_device(&device_key);
                wire.proved = Some(mailbox);
                let wants_token_list = !std::mem::replace(&mut the_box.knows_lists, true);
                let wants_bundle = !the_box.bundles.contains_key(&mailbox);
                self.say(who, link, request, ServerBody::Proved { mailbox, wants_token_list, wants_bundle });
                return self.drain(who, at, mailbox);
            }
            ClientBody::Submit { token, envelope, ttl, online_only, .. } => {
                assert_eq!(owner, None, "never on a proved connection");
                return self.submit(who, link, at, request, &token, envelope, ttl, online_only);
            }
            ClientBody::Acknowledge { ids } => {
                assert!(owner.is_some());
                for kept in &mut the_box.mail {
                    kept.acknowledged |= ids.contains(&kept.id);
                }
                None
            }
            ClientBody::TokenGrant(grant) => {
                the_box.tokens.insert(grant.token_hash, owner.unwrap());
                Some(ServerBody::Done)
            }
            ClientBody::TokenList { grants } => {
                let mailbox = owner.unwrap();
                the_box.tokens.retain(|_, of| *of != mailbox);
                for grant in grants {
                    the_box.tokens.insert(grant.token_hash, mailbox);
                }
                Some(ServerBody::Done)
            }
            ClientBody::BundlePublish { bundle, .. } => {
                the_box.bundles.insert(owner.unwrap(), bundle);
                Some(ServerBody::Done)
            }
            ClientBody::BundleFetch { token } => {
                assert_eq!(owner, None, "never on a proved connection");
                the_box.fetches += 1;
                let mailbox = the_box.tokens.get(&token.hash());
                Some(match mailbox.map(|mailbox| the_box.bundles.get(mailbox)) {
                    None => ServerFrame::refusal(0, Refused::finally(Code::NoSuchToken)).body,
                    Some(None) => {
                        ServerFrame::refusal(0, Refused::for_now(Code::NoBundle, Duration::from_secs(9))).body
                    }
                    Some(Some(bundle)) => ServerBody::Bundle { bundle: bundle.clone() },
                })
            }
            ClientBody::Ping => Some(ServerBody::Pong),
            ClientBody::TokenRevoke { token_hash } => {
                the_box.tokens.remove(&token_hash);
                Some(ServerBody::Done)
            }
            ClientBody::Credit { .. } => Some(ServerBody::Done),
            ClientBody::DeviceTicket => {
                assert!(owner.is_some());
                let (id, secret) = (InvitationId([1; 16]), InvitationSecret([2; 16]));
                Some(ServerBody::DeviceTicket { id, secret, expires_at_s: self.now_ms / 1000 + 3600 })
            }
        };
        if let Some(body) = answer {
            self.say(who, link, request, body);
        }
    }

    fn drain(&mut self, who: usize, at: usize, mailbox: MailboxId) {
        let now_ms = self.now_ms;
        self.boxes[at].forget(now_ms);
        let mut pending: Vec<(EnvelopeId, Envelope)> =
            self.boxes[at].pending(&mailbox, now_ms).iter().map(|kept| (kept.id, kept.envelope.clone())).collect();
        if let Some(order) = self.shuffle.take() {
            pending = order.into_iter().map(|at| pending[at].clone()).collect();
        }
        for (id, envelope) in pending {
            self.push(who, id, envelope);
        }
        self.say(who, Link::Owner, 0, ServerBody::CaughtUp);
    }

    pub fn push(&mut self, who: usize, id: EnvelopeId, envelope: Envelope) {
        let ttl = Duration::from_secs(60);
        let envelope = if self.garble { self.garbled(who, &envelope) } else { envelope };
        self.say(who, Link::Owner, 0, ServerBody::Push { id, envelope, ttl });
    }

    /// The same with another inner ciphertext inside.
    fn garbled(&mut self, who: usize, envelope: &Envelope) -> Envelope {
        let client = &self.devices[who].client;
        let me = client.device_key();
        let mut named = None;
        let secret = |id| {
            let secret = client.state.keys.prekey_secret(id)?;
            named = Some(outer::Prekey { id, public: outer::prekey_public(&secret) });
            Some(secret)
        };
        let Ok(opened) = outer::open_envelope(&me, secret, envelope) else { return envelope.clone() };
        let mut middle = Middle::decode(&opened).unwrap();
        let last = middle.inner.len() - 1;
        middle.inner[last] ^= 1;
        outer::seal_envelope(&me, &named.unwrap(), &middle.encode(), &mut self.rng).unwrap()
    }

    #[allow(clippy::too_many_arguments, reason = "a submit's own fields")]
    fn submit(
        &mut self,
        who: usize,
        link: Link,
        at: usize,
        request: u64,
        token: &DeliveryToken,
        envelope: Envelope,
        ttl: Duration,
        online_only: bool,
    ) {
        let the_box = &mut self.boxes[at];
        let Some(mailbox) = the_box.tokens.get(&token.hash()).copied() else {
            let refusal = ServerFrame::refusal(0, Refused::finally(Code::NoSuchToken)).body;
            return self.say(who, link, request, refusal);
        };
        if let Some(refused) = the_box.refuse_submits {
            return self.say(who, link, request, ServerFrame::refusal(0, refused).body);
        }
        let ttl = ttl.min(the_box.ttl_max);
        the_box.submitted += 1;
        if online_only {
            the_box.passed_on.push(envelope.clone());
            self.say(who, link, request, ServerBody::Accepted { ttl, duplicate: false });
            if let Some(owner) = self.owner_of(at, mailbox) {
                self.push(owner, EnvelopeId::ONLINE_ONLY, envelope);
            }
            return;
        }
        the_box.forget(self.now_ms);
        let id = envelope.id_in(&mailbox);
        let duplicate = the_box.mail.iter().any(|kept| kept.id == id);
        if !duplicate {
            the_box.accepted.push((mailbox, envelope.clone()));
            the_box.mail.push(Kept {
                mailbox,
                id,
                envelope: envelope.clone(),
                deadline_ms: self.now_ms + u64::try_from(ttl.as_millis()).unwrap(),
                acknowledged: false,
            });
        }
        self.say(who, link, request, ServerBody::Accepted { ttl, duplicate });
        if let Some(owner) = self.owner_of(at, mailbox).filter(|_| !duplicate) {
            self.push(owner, id, envelope);
        }
    }

    /// Who has proved a mailbox.
    fn owner_of(&self, at: usize, mailbox: MailboxId) -> Option<usize> {
        self.devices.iter().position(|device| {
            let wire = device.wires.get(&Link::Owner);
            wire.is_some_and(|wire| wire.at == at && wire.proved == Some(mailbox))
        })
    }

    /// A box goes away: every connection to it ends.
    pub fn take_down(&mut self, at: usize) {
        self.boxes[at].up = false;
        for who in 0..self.devices.len() {
            let wires = &mut self.devices[who].wires;
            let lost: Vec<Link> = wires.iter().filter(|(_, wire)| wire.at == at).map(|(link, _)| *link).collect();
            for link in lost {
                wires.remove(&link);
                self.queue.push_back((who, Input::Closed { link }));
            }
        }
        self.run();
    }

    /// Everything that is under way, and the 20 ms in which pushes are batched.
    pub fn run(&mut self) {
        for _ in 0..100_000 {
            if let Some((who, input)) = self.queue.pop_front() {
                if !self.devices[who].dead {
                    self.input(who, input);
                }
                continue;
            }
            if !self.wake_before(self.now_ms + 25) {
                return;
            }
        }
        panic!("the world does not come to rest");
    }

    /// Lets the earliest device wake, if it wants to before that time.
    fn wake_before(&mut self, end_ms: u64) -> bool {
        let wishes = self.devices.iter().enumerate().filter(|(_, device)| !device.dead);
        let earliest = wishes.filter_map(|(who, device)| device.wake_ms.map(|at_ms| (at_ms, who))).min();
        let Some((at_ms, who)) = earliest.filter(|(at_ms, _)| *at_ms <= end_ms) else { return false };
        self.now_ms = self.now_ms.max(at_ms);
        self.devices[who].wake_ms = None;
        self.input(who, Input::Timeout);
        true
    }

    pub fn pass(&mut self, ms: u64) {
        self.run();
        let end_ms = self.now_ms + ms;
        while self.wake_before(end_ms) {
            self.run();
        }
        self.now_ms = self.now_ms.max(end_ms);
        for the_box in &mut self.boxes {
            the_box.forget(self.now_ms);
        }
    }

    pub fn has_notice(&self, who: usize, is_it: impl Fn(&Notice) -> bool) -> bool {
        self.devices[who].notices.iter().any(is_it)
    }
}

/// CPU time of this thread (Linux: proc_pid_schedstat(5)).
fn cpu_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
}
