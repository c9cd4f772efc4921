//! The world: one queue of events, one clock, everything in it moved from here.
//!
//! # Layout
//! - this file: what there is, the queue, and the run from beginning to end.
//! - `boxes`: what boxes are told and what follows; `network`: frames on their way; `devices`: clients and their people.
//! - `prologue`: everybody joins and exchanges codes; `happenings`: the plan's steps; `ending`: faults end, all is counted.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Instant;

use bytes::Bytes;
use hob_client::Link;
use hob_protocol::frame::ClientFrame;
use hob_protocol::ids::EnvelopeId;
use hob_relay::admin::Answer;

use crate::books::{Books, Wrong};
use crate::chance::Chance;
use crate::letters::Letters;
use crate::plan::{Plan, Wall};
use crate::the_box::SimBox;
use crate::world::devices::Device;
use crate::world::network::Conn;

mod boxes;
mod devices;
mod ending;
mod happenings;
mod network;
mod prologue;

/// Something that is due.
#[derive(Debug)]
pub(crate) enum Event {
    /// Bytes reach the box.
    ToBox(u64, Bytes),
    /// Bytes reach the client.
    ToClient(u64, Bytes),
    BoxOpens(u64),
    ClientOpens(u64),
    BoxCloses(u64),
    ClientCloses(u64),
    CannotConnect {
        device: usize,
        run: u64,
        link: Link,
    },
    DeviceWakes {
        device: usize,
        version: u64,
    },
    Reads {
        device: usize,
        run: u64,
    },
    /// A program that was to end has had its time; or one that was to be killed is killed now.
    Over {
        device: usize,
        run: u64,
        killed: bool,
    },
    Push {
        device: usize,
    },
    BoxWakes {
        the_box: usize,
        version: u64,
    },
    Beat {
        the_box: usize,
        run: u64,
    },
    Commit {
        the_box: usize,
        run: u64,
    },
    BoxStarts {
        the_box: usize,
        wall: Wall,
    },
    Unreadable {
        the_box: usize,
        run: u64,
        id: EnvelopeId,
    },
    PowerGoes {
        the_box: usize,
        run: u64,
    },
    Step(usize),
}

struct Due {
    at_ms: u64,
    order: u64,
    event: Event,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at_ms, self.order) == (other.at_ms, other.order)
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_ms, self.order).cmp(&(other.at_ms, other.order))
    }
}

/// What a world came to.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The first broken promise, and when, in milliseconds.
    pub failure: Option<(u64, Wrong)>,
    /// A hash over everything that happened: the same for the same seed.
    pub trace: u64,
    /// What was counted.
    pub counts: Counts,
    /// Time was up before its end.
    pub is_unfinished: bool,
    /// What happened, in words, where it was asked for.
    pub story: Vec<String>,
}

/// What was counted in a world, or in many.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Milliseconds that boxes lived, on or off.
    pub box_ms: u64,
    /// Envelopes accepted.
    pub envelopes: u64,
    /// Messages written by people.
    pub letters: u64,
    /// Of them, read.
    pub read: u64,
    /// Box stops with a goodbye.
    pub restarts: u64,
    /// Power cuts.
    pub cuts: u64,
    /// Commits that the disk refused.
    pub refused_commits: u64,
    /// Compactions that the keeper asked for and got; the box compacts by itself every six hours besides.
    pub compactions: u64,
    /// Times that bits flipped.
    pub flips: u64,
    /// Devices killed.
    pub kills: u64,
    /// Connections.
    pub connections: u64,
    /// Events.
    pub events: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.box_ms += other.box_ms;
        self.envelopes += other.envelopes;
        self.letters += other.letters;
        self.read += other.read;
        self.restarts += other.restarts;
        self.cuts += other.cuts;
        self.refused_commits += other.refused_commits;
        self.compactions += other.compactions;
        self.flips += other.flips;
        self.kills += other.kills;
        self.connections += other.connections;
        self.events += other.events;
    }
}

/// A world.
pub struct World {
    pub(crate) plan: Plan,
    pub(crate) now_ms: u64,
    order: u64,
    queue: BinaryHeap<Reverse<Due>>,
    pub(crate) boxes: Vec<SimBox>,
    pub(crate) books: Vec<Books>,
    /// Per box: the newest wish to be woken.
    pub(crate) box_wakes: Vec<(u64, Option<u64>)>,
    /// Per box: in which second it was woken last, and how often in it.
    pub(crate) box_woken: Vec<(u64, u32)>,
    /// Per box: its last stop was a power cut.
    pub(crate) box_was_cut: Vec<bool>,
    /// Bits were flipped on a disk: what cannot be read need not be.
    pub(crate) disk_is_damaged: Vec<bool>,
    /// Bits were flipped in the ledger: it is whole after the next start, or says how much is lost.
    pub(crate) ledger_is_damaged: Vec<bool>,
    /// A box said that its ledger lost something: who is a member there, nobody knows. Nothing is left to watch.
    pub(crate) has_ended: bool,
    /// Reads failed on some disk: what could not be read is given up.
    pub(crate) reads_failed: bool,
    /// Per box: it is about to stop, for so long, and its clock is this one then.
    pub(crate) power_goes: Vec<Option<(u64, Wall)>>,
    /// Per box: when its log looks at its windows next.
    pub(crate) beat_due_ms: Vec<u64>,
    pub(crate) devices: Vec<Device>,
    pub(crate) conns: BTreeMap<u64, Conn>,
    pub(crate) next_conn: u64,
    pub(crate) letters: Letters,
    pub(crate) answers: BTreeMap<(usize, u64), Answer>,
    /// Submits that were seen on the network: at which box, and what.
    pub(crate) seen: Vec<(usize, ClientFrame)>,
    /// What a ghost heard on its connection.
    pub(crate) heard: Vec<(u64, hob_protocol::frame::ServerBody)>,
    pub(crate) meddlers: BTreeMap<usize, ed25519_dalek::SigningKey>,
    pub(crate) parted: BTreeSet<(usize, usize)>,
    /// The faults have ended.
    pub(crate) calm: bool,
    /// When the plan begins, in true milliseconds.
    pub(crate) begins_ms: u64,
    pub(crate) chance: Chance,
    pub(crate) wrong: Option<Wrong>,
    pub(crate) counts: Counts,
    trace: u64,
    stop_at: Option<Instant>,
    is_unfinished: bool,
    tells: bool,
    story: Vec<String>,
}

/// Events that a world may take: more is a world that does not come to rest.
const EVENTS_MAX: u64 = 60_000_000;

impl World {
    /// Runs a plan from beginning to end. `tells`: with a story.
    pub fn run(plan: &Plan, tells: bool) -> Outcome {
        Self::run_for(plan, tells, None)
    }

    /// Runs a plan, until time is up at most.
    pub fn run_until(plan: &Plan, stop_at: Option<Instant>) -> Outcome {
        Self::run_for(plan, false, stop_at)
    }

    fn run_for(plan: &Plan, tells: bool, stop_at: Option<Instant>) -> Outcome {
        crate::sealing::begin(plan);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| Self::run_inside(plan, tells, stop_at)));
        caught.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            let wrong = Wrong { rule: "nothing panics", what: text.unwrap_or_default() };
            Outcome { failure: Some((0, wrong)), ..Outcome::default() }
        })
    }

    fn run_inside(plan: &Plan, tells: bool, stop_at: Option<Instant>) -> Outcome {
        let mut world = Self::new(plan, tells);
        world.stop_at = stop_at;
        world.prologue();
        world.begins_ms = world.now_ms;
        for (number, step) in plan.steps.iter().enumerate() {
            world.at(world.begins_ms + step.at_ms, Event::Step(number));
        }
        world.pass_until(world.begins_ms + plan.lasts_ms);
        world.ending();
        world.counts.box_ms = world.now_ms * world.boxes.len() as u64;
        world.counts.envelopes = world.books.iter().map(|books| books.accepted).sum();
        let failure = world.wrong.take().map(|wrong| (world.now_ms, wrong));
        Outcome {
            failure,
            trace: world.trace,
            counts: world.counts,
            is_unfinished: world.is_unfinished,
            story: world.story,
        }
    }

    fn new(plan: &Plan, tells: bool) -> Self {
        let boxes: Vec<SimBox> =
            (0..plan.boxes).filter_map(|number| SimBox::new(plan.seed, number, plan.small_quotas)).collect();
        let books = boxes.iter().map(|the_box| Books::new(the_box.config.clone())).collect();
        Self {
            plan: plan.clone(),
            now_ms: 0,
            order: 0,
            queue: BinaryHeap::new(),
            box_wakes: vec![(0, None); boxes.len()],
            box_woken: vec![(0, 0); boxes.len()],
            box_was_cut: vec![false; boxes.len()],
            disk_is_damaged: vec![false; boxes.len()],
            ledger_is_damaged: vec![false; boxes.len()],
            has_ended: false,
            reads_failed: false,
            power_goes: vec![None; boxes.len()],
            beat_due_ms: vec![0; boxes.len()],
            boxes,
            books,
            devices: Vec::new(),
            conns: BTreeMap::new(),
            next_conn: 0,
            letters: Letters::default(),
            answers: BTreeMap::new(),
            seen: Vec::new(),
            heard: Vec::new(),
            meddlers: BTreeMap::new(),
            parted: BTreeSet::new(),
            calm: true,
            begins_ms: 0,
            chance: Chance::new(plan.seed, "world", 0),
            wrong: None,
            counts: Counts::default(),
            trace: 0xcbf2_9ce4_8422_2325,
            stop_at: None,
            is_unfinished: false,
            tells,
            story: Vec::new(),
        }
    }

    pub(crate) fn at(&mut self, at_ms: u64, event: Event) {
        self.order += 1;
        self.queue.push(Reverse(Due { at_ms: at_ms.max(self.now_ms), order: self.order, event }));
    }

    pub(crate) fn after(&mut self, ms: u64, event: Event) {
        self.at(self.now_ms.saturating_add(ms), event);
    }

    /// Lets everything happen that is due until then.
    pub(crate) fn pass_until(&mut self, end_ms: u64) {
        while self.step_before(end_ms) {}
        if !self.is_over() {
            self.now_ms = self.now_ms.max(end_ms);
        }
    }

    /// Lets the next thing happen, if it is due by then.
    pub(crate) fn step_before(&mut self, end_ms: u64) -> bool {
        if self.is_over() || self.queue.peek().is_none_or(|Reverse(due)| due.at_ms > end_ms) {
            return false;
        }
        let Some(Reverse(due)) = self.queue.pop() else { return false };
        self.now_ms = due.at_ms;
        self.counts.events += 1;
        let looks = self.counts.events.is_multiple_of(512);
        self.is_unfinished |= looks && self.stop_at.is_some_and(|stop_at| Instant::now() >= stop_at);
        self.must(self.counts.events < EVENTS_MAX, "a world comes to rest", || "too much happens".to_owned());
        self.happens(due.event);
        true
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::ToBox(conn, bytes) => self.reaches_box(conn, &bytes),
            Event::ToClient(conn, bytes) => self.reaches_client(conn, &bytes),
            Event::BoxOpens(conn) => self.box_opens(conn),
            Event::ClientOpens(conn) => self.client_opens(conn),
            Event::BoxCloses(conn) => self.box_closes(conn),
            Event::ClientCloses(conn) => self.client_closes(conn),
            Event::CannotConnect { device, run, link } => self.cannot_connect(device, run, link),
            Event::DeviceWakes { device, version } => self.device_wakes(device, version),
            Event::Reads { device, run } => self.reads(device, run),
            Event::Over { device, run, killed } => self.over(device, run, killed),
            Event::Push { device } => self.push_wakes(device),
            Event::BoxWakes { the_box, version } => self.box_is_woken(the_box, version),
            Event::Beat { the_box, run } => self.beat(the_box, run),
            Event::Commit { the_box, run } => self.commit(the_box, run),
            Event::BoxStarts { the_box, wall } => self.box_starts(the_box, wall),
            Event::PowerGoes { the_box, run } if self.boxes[the_box].runs == run => self.power_goes(the_box),
            Event::PowerGoes { .. } => {}
            Event::Unreadable { the_box, run, id } => self.unreadable(the_box, run, id),
            Event::Step(number) => self.planned(number),
        }
    }

    /// Whether something is wrong: then nothing more happens.
    pub(crate) fn is_over(&mut self) -> bool {
        if self.wrong.is_none() {
            self.wrong = self.books.iter_mut().find_map(|books| books.wrong.take());
        }
        self.wrong.is_some() || self.is_unfinished || self.has_ended
    }

    pub(crate) fn must(&mut self, holds: bool, rule: &'static str, what: impl FnOnce() -> String) {
        if !holds && self.wrong.is_none() && !self.is_unfinished {
            self.wrong = Some(Wrong { rule, what: what() });
        }
    }

    /// Notes in the trace that something happened.
    pub(crate) fn trace(&mut self, what: &str, numbers: &[u64]) {
        let words = what.bytes().map(u64::from).chain([self.now_ms]).chain(numbers.iter().copied());
        for word in words {
            self.trace = (self.trace ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
        }
    }

    /// Tells what happened, where somebody listens.
    pub(crate) fn tell(&mut self, what: impl FnOnce(&Self) -> String) {
        if self.tells {
            let (days, rest) = (self.now_ms / 86_400_000, self.now_ms % 86_400_000);
            let (hours, minutes, seconds) = (rest / 3_600_000, rest / 60_000 % 60, rest % 60_000);
            let line = format!(
                "day {days} {hours:02}:{minutes:02}:{:02}.{:03}  {}",
                seconds / 1000,
                seconds % 1000,
                what(self)
            );
            self.story.push(line);
        }
    }
}
