//! Devices: a client each, driven as its documentation says, and the people in front of them.

use std::collections::BTreeMap;

use hob_client::{Client, Direction, Input, Link, Message, MessageId, Notice, Output, Outputs};
use hob_protocol::frame::ClientBody;
use hob_protocol::ids::{DeviceKey, MailboxId};

use crate::chance::Chance;
use crate::the_box::BEGINNING_UNIX_MS;
use crate::world::{Event, World};

/// How long a program that is to end waits for what is to be done.
const LEAVES_WITHIN_MS: u64 = 10_000;
/// How long a program runs that a push service woke.
const WOKEN_FOR_MS: u64 = 60_000;

/// A device.
pub(crate) struct Device {
    pub(crate) member: usize,
    pub(crate) client: Client,
    pub(crate) key: DeviceKey,
    /// What is on its disk.
    saved: Vec<u8>,
    rng: Chance,
    pub(crate) is_running: bool,
    /// The number of its run, or of its pause.
    pub(crate) run: u64,
    pub(crate) wires: BTreeMap<Link, u64>,
    wake_version: u64,
    leaving: bool,
    /// It saves whenever it says so: it will be killed.
    eager: bool,
    kill_after: Option<u32>,
    /// It was killed since: what it told before may be told again.
    pub(crate) was_killed: bool,
    /// A session of it was renewed: what could not be opened is asked for, and comes again.
    has_renewed: bool,
    unreachable_until_ms: u64,
    push_due: bool,
    /// Messages that it is about to mark as read.
    reading: Vec<MessageId>,
    /// Messages that were written on it and are not saved yet.
    pub(crate) writing: Vec<MessageId>,
}

impl World {
    /// A device that has not joined yet.
    pub(crate) fn add_device(&mut self, member: usize) -> usize {
        let number = self.devices.len();
        let mut rng = Chance::new(self.plan.seed, "device", number as u64);
        let client = Client::create(self.unix_of(member), &mut rng.0);
        self.devices.push(Device {
            member,
            key: client.device_key(),
            saved: Vec::new(),
            client,
            rng,
            is_running: true,
            run: 1,
            wires: BTreeMap::new(),
            wake_version: 0,
            leaving: false,
            eager: false,
            kill_after: None,
            was_killed: false,
            has_renewed: false,
            unreachable_until_ms: 0,
            push_due: false,
            reading: Vec::new(),
            writing: Vec::new(),
        });
        number
    }

    fn unix_of(&self, member: usize) -> u64 {
        let skew_ms = self.plan.members.get(member).map_or(0, |member| member.skew_ms);
        (BEGINNING_UNIX_MS + self.now_ms).saturating_add_signed(skew_ms)
    }

    /// What a device's clock shows.
    pub(crate) fn unix(&self, device: usize) -> u64 {
        self.unix_of(self.devices[device].member)
    }

    pub(crate) fn is_unreachable(&self, device: usize) -> bool {
        self.devices[device].unreachable_until_ms > self.now_ms
    }

    /// A person does something on a device.
    pub(crate) fn command<T>(
        &mut self,
        device: usize,
        what: impl FnOnce(&mut Client, u64, &mut rand_chacha::ChaCha8Rng) -> Option<(T, Outputs)>,
    ) -> Option<T> {
        let now_ms = self.unix(device);
        let at = &mut self.devices[device];
        let (value, outputs) = what(&mut at.client, now_ms, &mut at.rng.0)?;
        self.follow(device, outputs);
        Some(value)
    }

    /// Something happens to a client.
    pub(crate) fn client_input(&mut self, device: usize, input: Input) {
        if !self.devices[device].is_running {
            return;
        }
        let now_ms = self.unix(device);
        let at = &mut self.devices[device];
        let outputs = at.client.handle(now_ms, &mut at.rng.0, input);
        self.follow(device, outputs);
    }

    pub(crate) fn send(
        &mut self,
        device: usize,
        now_ms: u64,
        name: &str,
        text: &str,
        options: hob_client::SendOptions,
    ) -> Option<hob_client::Done<MessageId>> {
        let at = &mut self.devices[device];
        at.client.send(now_ms, &mut at.rng.0, name, text, options).ok()
    }

    /// Carries out what follows, in order; in the middle of it the program may be killed.
    pub(crate) fn follow(&mut self, device: usize, outputs: Outputs) {
        let run = self.devices[device].run;
        let mut saved = false;
        for output in outputs {
            let at = &mut self.devices[device];
            if !at.is_running || at.run != run {
                return;
            }
            if let Some(left) = &mut at.kill_after {
                match left.checked_sub(1) {
                    Some(less) => *left = less,
                    None => return self.kill(device),
                }
            }
            match output {
                Output::Save => {
                    saved = true;
                    self.saves(device);
                }
                Output::Connect { link, identity, .. } => self.connect(device, link, &identity),
                Output::Frame { link, frame } => {
                    let is_acknowledgement = matches!(frame.body, ClientBody::Acknowledge { .. });
                    self.must(saved || !is_acknowledgement, "saved before it is acknowledged", || {
                        format!("device {device}")
                    });
                    self.client_says(device, link, frame);
                }
                Output::Close { link } => {
                    if let Some(number) = self.devices[device].wires.remove(&link) {
                        self.client_hangs_up(number);
                    }
                }
                Output::Message(message) => {
                    self.must(saved, "saved before it is shown", || format!("device {device}"));
                    self.told(device, &message);
                }
                Output::Notice(notice) => self.noticed(device, &notice),
                Output::Wake { at_ms, .. } => self.wants_wake(device, at_ms),
            }
        }
        self.leave_if_done(device);
    }

    fn saves(&mut self, device: usize) {
        let at = &mut self.devices[device];
        if at.eager {
            at.saves();
        }
        let (read, written) = (std::mem::take(&mut at.reading), std::mem::take(&mut at.writing));
        for id in read {
            self.was_read(device, &id);
        }
        self.letters.are_safe(&written);
    }

    fn wants_wake(&mut self, device: usize, at_unix_ms: u64) {
        let in_ms = at_unix_ms.saturating_sub(self.unix(device));
        self.must(in_ms > 0, "a wake-up is wanted in the future", || format!("device {device}"));
        let at = &mut self.devices[device];
        at.wake_version += 1;
        let version = at.wake_version;
        self.after(in_ms, Event::DeviceWakes { device, version });
    }

    pub(crate) fn device_wakes(&mut self, device: usize, version: u64) {
        if self.devices[device].wake_version == version {
            self.client_input(device, Input::Timeout);
        }
    }

    /// A message came to a screen.
    fn told(&mut self, device: usize, message: &Message) {
        if message.direction != Direction::Received {
            return;
        }
        let (reader, unix_ms) = (self.devices[device].member, self.unix(device));
        let Some(letter) = self.letters.all.get_mut(&message.id) else {
            return self.must(false, "a message says what its writer wrote", || "nobody wrote this message".to_owned());
        };
        let times = letter.told.entry(device).or_default();
        *times += 1;
        let (times, number, broken) = (*times, letter.number, letter.check(message, reader, unix_ms));
        self.trace("told", &[device as u64, number]);
        self.tell(|_| format!("message {number} comes to device {device}"));
        if let Some(rule) = broken {
            self.must(false, rule, || format!("message {number} on device {device}"));
        }
        self.must(times == 1, "a message is shown at most once", || {
            format!("message {number} came to device {device} {times} times")
        });
        let run = self.devices[device].run;
        let after_ms = self.chance.length(200, 20_000);
        self.after(after_ms, Event::Reads { device, run });
    }

    /// The person looks at the screen.
    pub(crate) fn reads(&mut self, device: usize, run: u64) {
        if self.devices[device].run != run || !self.devices[device].is_running {
            return;
        }
        let now_ms = self.unix(device);
        let ids: Vec<MessageId> =
            self.devices[device].client.unshown(now_ms).iter().map(|message| message.id).collect();
        if ids.is_empty() {
            return;
        }
        let at = &mut self.devices[device];
        at.reading = ids.clone();
        let outputs = at.client.mark_shown(now_ms, &mut at.rng.0, &ids);
        self.follow(device, outputs);
        self.devices[device].reading.clear();
    }

    fn was_read(&mut self, device: usize, id: &MessageId) {
        let Some(letter) = self.letters.all.get_mut(id) else { return };
        let times = letter.read.entry(device).or_default();
        *times += 1;
        let (times, number) = (*times, letter.number);
        self.trace("read", &[device as u64, number]);
        self.must(times == 1, "a message is shown at most once", || {
            format!("message {number} was read on device {device} {times} times")
        });
        self.counts.read += 1;
    }

    fn noticed(&mut self, device: usize, notice: &Notice) {
        match notice {
            Notice::Delivered { message, .. } => self.confirmed(device, message),
            Notice::SessionRenewed { .. } => self.devices[device].has_renewed = true,
            Notice::Kept { message, until_ms, .. } => self.kept(device, message, *until_ms),
            Notice::BoxForgot { .. } => {
                self.letters
                    .all
                    .values_mut()
                    .filter(|letter| letter.device == device)
                    .for_each(|letter| letter.kept_until_ms = 0);
            }
            Notice::Refused { message, why, .. } => {
                let letter = self.letters.all.get(message).filter(|letter| letter.must_arrive());
                let number = letter.map(|letter| letter.number);
                let code = why.code;
                self.must(number.is_none(), "a message is refused for a reason", || {
                    format!("message {number:?} was refused with code {code}")
                });
            }
            Notice::BoxIdentityChanged { .. } | Notice::BoxNotProven { .. } | Notice::BadBundle { .. } => {
                self.must(false, "nobody is taken for somebody else", || format!("device {device}: {notice:?}"));
            }
            Notice::KeysChanged { .. }
            | Notice::KeysRenewed { .. }
            | Notice::OwnDevicesDisagree
            | Notice::CodeUsedTwice { .. } => {
                self.must(false, "keys stay what they were", || format!("device {device}: {notice:?}"));
            }
            _ => {}
        }
        self.tell(|_| format!("device {device} is told: {notice:?}"));
    }

    /// A box keeps a message: until then it is not sent again.
    fn kept(&mut self, device: usize, id: &MessageId, until_unix_ms: u64) {
        let now_ms = self.now_ms;
        let for_ms = until_unix_ms.saturating_sub(self.unix(device));
        let Some(letter) = self.letters.all.get(id) else { return };
        let (number, to, before_ms) = (letter.number, letter.to, letter.kept_until_ms);
        let readers = self.plan.members.get(to).map(|member| member.devices.clone()).unwrap_or_default();
        // After a kill, for several devices, and where a reader could not open it, the same may be told again.
        let shaken = |device: usize| self.devices[device].was_killed || self.devices[device].has_renewed;
        let excused = readers.len() != 1
            || shaken(device)
            || readers.iter().any(|&reader| shaken(reader))
            || self.disk_is_damaged.contains(&true)
            || self.reads_failed;
        self.must(excused || before_ms <= now_ms + 2_000, "what a box still holds is not sent again", || {
            format!("message {number}")
        });
        if let Some(letter) = self.letters.all.get_mut(id) {
            letter.kept_until_ms = now_ms + for_ms;
        }
    }

    /// A receipt: somebody has it.
    fn confirmed(&mut self, device: usize, id: &MessageId) {
        let Some(letter) = self.letters.all.get(id) else { return };
        let (number, to) = (letter.number, letter.to);
        let has_it = !letter.told.is_empty() || !letter.read.is_empty();
        let readers = self.plan.members.get(to).map(|member| member.devices.clone()).unwrap_or_default();
        let anybody_killed =
            readers.iter().any(|&reader| self.devices.get(reader).is_some_and(|reader| reader.was_killed));
        self.must(has_it || anybody_killed, "what is called delivered has arrived", || {
            format!("message {number}, said to device {device}")
        });
    }

    // Coming and going.

    /// The program starts.
    pub(crate) fn comes(&mut self, device: usize, eager: bool) {
        let at = &mut self.devices[device];
        at.leaving = false;
        if at.is_running {
            return;
        }
        let client = match Client::load(&at.saved) {
            Ok(client) => client,
            Err(error) => return self.must(false, "a saved state can be read", || error.to_string()),
        };
        at.client = client;
        at.is_running = true;
        at.run += 1;
        at.eager = eager;
        at.kill_after = None;
        let run = at.run;
        self.trace("comes", &[device as u64]);
        self.tell(|_| format!("device {device} comes"));
        let after_ms = self.chance.length(200, 20_000);
        self.after(after_ms, Event::Reads { device, run });
        self.client_input(device, Input::Started);
    }

    /// The program is to end, and does what can be done first.
    pub(crate) fn leaves(&mut self, device: usize) {
        if !self.devices[device].is_running {
            return;
        }
        let run = self.devices[device].run;
        self.reads(device, run);
        let now_ms = self.unix(device);
        let at = &mut self.devices[device];
        if !at.is_running {
            return;
        }
        at.leaving = true;
        self.at(self.now_ms + LEAVES_WITHIN_MS, Event::Over { device, run, killed: false });
        let at = &mut self.devices[device];
        let outputs = at.client.hurry(now_ms, &mut at.rng.0);
        self.follow(device, outputs);
    }

    fn leave_if_done(&mut self, device: usize) {
        let now_ms = self.unix(device);
        let at = &self.devices[device];
        if at.is_running && at.leaving && at.client.everything_flushed(now_ms) {
            self.ends(device, false);
        }
    }

    /// The time that a program had to end is over.
    pub(crate) fn over(&mut self, device: usize, run: u64, killed: bool) {
        let at = &self.devices[device];
        if at.run != run || !at.is_running {
            return;
        }
        if killed {
            self.kill(device);
        } else if at.leaving {
            self.ends(device, false);
        }
    }

    /// The program will be killed after so many more outputs, or in a minute.
    pub(crate) fn will_be_killed(&mut self, device: usize, after: u32) {
        let at = &mut self.devices[device];
        if !at.is_running {
            return;
        }
        at.kill_after = Some(after);
        let run = at.run;
        self.after(60_000, Event::Over { device, run, killed: true });
    }

    fn kill(&mut self, device: usize) {
        self.counts.kills += 1;
        self.ends(device, true);
    }

    fn ends(&mut self, device: usize, killed: bool) {
        let at = &mut self.devices[device];
        if !killed || !at.eager {
            // A program that was not to be killed saves late: as if it had said so all the time.
            at.saves();
        }
        let had_saved = !killed || !at.eager;
        at.was_killed |= killed;
        at.is_running = false;
        at.run += 1;
        at.leaving = false;
        at.kill_after = None;
        at.wake_version += 1;
        let (read, written) = (std::mem::take(&mut at.reading), std::mem::take(&mut at.writing));
        let wires = std::mem::take(&mut at.wires);
        for number in wires.into_values() {
            self.client_hangs_up(number);
        }
        if had_saved {
            read.iter().for_each(|id| self.was_read(device, id));
        }
        if had_saved {
            self.letters.are_safe(&written);
        } else {
            // What was not saved was never written.
            written.iter().for_each(|id| drop(self.letters.all.remove(id)));
        }
        self.trace("ends", &[device as u64, u64::from(killed)]);
        self.tell(|_| format!("device {device} {}", if killed { "is killed" } else { "leaves" }));
    }

    /// It keeps what it has, from the prologue on.
    pub(crate) fn ends_prologue(&mut self, device: usize) {
        self.ends(device, false);
    }

    pub(crate) fn set_unreachable(&mut self, device: usize, for_ms: u64) {
        self.devices[device].unreachable_until_ms = self.now_ms + for_ms;
    }

    // Push.

    /// A box has something urgent for a device that is not connected.
    pub(crate) fn wake_by_push(&mut self, mailbox: &MailboxId) {
        let found = self.devices.iter().position(|device| MailboxId::of_device(&device.key) == *mailbox);
        let Some(device) = found else { return };
        let has_push = self.plan.members.get(self.devices[device].member).is_some_and(|member| member.push);
        if !has_push || self.devices[device].push_due || self.calm {
            return;
        }
        self.devices[device].push_due = true;
        let after_ms = self.chance.length(500, 600_000);
        self.after(after_ms, Event::Push { device });
    }

    pub(crate) fn push_wakes(&mut self, device: usize) {
        self.devices[device].push_due = false;
        if self.devices[device].is_running {
            return self.client_input(device, Input::WokenUp);
        }
        self.tell(|_| format!("device {device} is woken by its push service"));
        self.comes(device, self.plan.eager_saves);
        self.client_input(device, Input::WokenUp);
        let run = self.devices[device].run;
        self.devices[device].leaving = false;
        // It stays a minute, like a program that a telephone lets run in its sleep.
        self.after(WOKEN_FOR_MS, Event::Over { device, run, killed: false });
        self.devices[device].sleeps_again();
    }
}

impl Device {
    fn saves(&mut self) {
        // Taken out, so that nobody wipes what holds no secret: wiping is slow.
        self.saved = std::mem::take(&mut *self.client.save());
    }

    /// It leaves when its minute is over, unless somebody comes.
    const fn sleeps_again(&mut self) {
        self.leaving = true;
    }
}
