//! Plans from seeds: kinds of worlds, when people come and write, and what goes wrong.

use crate::chance::Chance;
use crate::plan::{DAY, HOUR, How, MINUTE, Member, Plan, Step, Wall, What};
use crate::store::{DiskTrouble, Flips};

/// What kind of world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Two to six people, days, bad days among them.
    Household,
    /// Two people whose hours are twelve apart, for a week or two.
    Apart,
    /// Somebody who is away for days while senders come and go.
    Away,
    /// Two people, hours, everything goes wrong all the time.
    Storm,
    /// Twenty to two hundred people, a day.
    Crowd,
    /// Two or three people and few visits, for months.
    Quiet,
}

impl Plan {
    /// The plan of a seed.
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed, "plan", 0);
        // Many are small and last long, few are large.
        let kind = match chance.below(300) {
            0..60 => Kind::Household,
            60..100 => Kind::Apart,
            100..130 => Kind::Away,
            130..170 => Kind::Storm,
            170 => Kind::Crowd,
            _ => Kind::Quiet,
        };
        Self::of_kind(seed, kind, &mut chance)
    }

    /// A short and eventful plan, for planted faults: they are to be caught soon.
    pub fn for_sabotage(seed: u64) -> Self {
        let mut chance = Chance::new(seed, "sabotage", 0);
        let kind = match chance.below(8) {
            0..4 => Kind::Storm,
            4 | 5 => Kind::Household,
            6 => Kind::Away,
            _ => Kind::Apart,
        };
        let mut plan = Self::of_kind(seed, kind, &mut chance);
        plan.real_sealing = false;
        plan.lasts_ms = if kind == Kind::Storm { DAY / 4 } else { plan.lasts_ms.min(2 * DAY) };
        plan.steps.retain(|step| step.at_ms < plan.lasts_ms);
        plan
    }

    fn of_kind(seed: u64, kind: Kind, chance: &mut Chance) -> Self {
        let (people, days) = match kind {
            Kind::Household => (chance.between(2, 6), chance.between(1, 5)),
            Kind::Apart => (2, chance.between(3, 12)),
            Kind::Away => (chance.between(2, 4), chance.between(3, 12)),
            Kind::Storm => (chance.between(2, 4), 1),
            Kind::Crowd => (chance.length(20, 200), 1),
            Kind::Quiet => (chance.between(2, 3), chance.between(20, 90)),
        };
        let boxes = if chance.one_in(4) { 2 } else { 1 };
        let mut devices = 0;
        let members: Vec<Member> = (0..people)
            .map(|_| {
                let count = if chance.one_in(4) && kind != Kind::Crowd { chance.between(2, 3) } else { 1 };
                let mine = (devices..devices + usize::try_from(count).unwrap_or(1)).collect::<Vec<_>>();
                devices += mine.len();
                Member {
                    home: chance.place(boxes),
                    devices: mine,
                    push: chance.one_in(2),
                    skew_ms: if chance.one_in(4) { skew(chance) } else { 0 },
                    is_here: true,
                }
            })
            .collect();
        let mut plan = Self {
            seed,
            real_sealing: chance.below(100) < 3,
            lasts_ms: days * DAY,
            boxes,
            small_quotas: chance.one_in(5),
            eager_saves: chance.one_in(if kind == Kind::Quiet { 16 } else { 4 }),
            pairs: pairs(members.len(), chance),
            members,
            latency_ms: if chance.one_in(4) { (50, 3_000) } else { (5, 120) },
            sync_ms: if chance.one_in(5) { (100, 900) } else { (1, 30) },
            steps: Vec::new(),
        };
        plan.visits(kind, chance);
        plan.messages(kind, chance);
        plan.mishaps(kind, chance);
        plan.steps.retain(|step| step.at_ms < plan.lasts_ms);
        plan.steps.sort_by_key(|step| step.at_ms);
        plan
    }

    fn at(&mut self, at_ms: u64, what: What) {
        self.steps.push(Step { at_ms, what });
    }

    /// When devices are there.
    fn visits(&mut self, kind: Kind, chance: &mut Chance) {
        for (number, member) in self.members.clone().into_iter().enumerate() {
            for device in member.devices {
                match kind {
                    Kind::Apart => self.daily(device, (number as u64) * 12 * HOUR, chance),
                    Kind::Away if number == 0 => self.visit_now_and_then(device, (2 * DAY, 6 * DAY), chance),
                    Kind::Away => self.visit_now_and_then(device, (2 * HOUR, 16 * HOUR), chance),
                    Kind::Household | Kind::Crowd => self.visit_now_and_then(device, (5 * MINUTE, 8 * HOUR), chance),
                    Kind::Storm => self.visit_now_and_then(device, (5_000, HOUR), chance),
                    Kind::Quiet => self.visit_now_and_then(device, (6 * HOUR, 3 * DAY), chance),
                }
            }
        }
    }

    /// Ten minutes a day, at this time of the day.
    fn daily(&mut self, device: usize, time_ms: u64, chance: &mut Chance) {
        let mut day_ms = 0;
        while day_ms < self.lasts_ms {
            let from_ms = day_ms + time_ms + chance.below(10 * MINUTE);
            self.visit(device, from_ms, chance.length(20_000, 10 * MINUTE), chance);
            day_ms += DAY;
        }
    }

    fn visit_now_and_then(&mut self, device: usize, away_ms: (u64, u64), chance: &mut Chance) {
        let mut at_ms = chance.below(away_ms.0);
        while at_ms < self.lasts_ms {
            let stays_ms = chance.length(5_000, away_ms.1.min(3 * HOUR));
            self.visit(device, at_ms, stays_ms, chance);
            at_ms += stays_ms + chance.length(away_ms.0, away_ms.1);
        }
    }

    fn visit(&mut self, device: usize, from_ms: u64, stays_ms: u64, chance: &mut Chance) {
        self.at(from_ms, What::Comes { device });
        let to_ms = from_ms + stays_ms;
        if chance.one_in(6) {
            let after = u32::try_from(chance.below(9)).unwrap_or(0);
            self.at(to_ms, What::Killed { device, after });
        } else {
            self.at(to_ms, What::Leaves { device });
        }
    }

    fn messages(&mut self, kind: Kind, chance: &mut Chance) {
        // Most are written while their writer is there; a moment after somebody came is a good time for that.
        let comings: Vec<(u64, usize)> = self
            .steps
            .iter()
            .filter_map(|step| match step.what {
                What::Comes { device } => Some((step.at_ms, device)),
                _ => None,
            })
            .collect();
        let often = match kind {
            Kind::Storm => 1,
            Kind::Crowd => 3,
            _ => 2,
        };
        for (at_ms, device) in comings {
            if !chance.one_in(often) {
                continue;
            }
            let Some(member) = self.owner_of(device) else { continue };
            let friends: Vec<usize> = self.friends_of(member);
            let Some(&to) = friends.get(chance.place(friends.len())) else { continue };
            let (many, long) = if kind == Kind::Quiet { (12, 4_000) } else { (90, 40_000) };
            let count = if chance.one_in(12) { chance.length(5, many) } else { chance.between(1, 3) };
            let bytes = if chance.one_in(10) { chance.length(500, long) } else { chance.between(1, 300) };
            let how = match chance.below(20) {
                0 => How::ForSeconds(chance.length(30, 3 * 86_400)),
                1 => How::ViewOnce,
                2 => How::Strictly,
                _ => How::Plainly,
            };
            let count = u32::try_from(count).unwrap_or(1);
            let bytes = usize::try_from(bytes).unwrap_or(1);
            let later_ms = chance.length(100, 60_000);
            self.at(at_ms + later_ms, What::Writes { member, to, count, bytes, how });
        }
    }

    /// The device's owner.
    pub fn owner_of(&self, device: usize) -> Option<usize> {
        self.members.iter().position(|member| member.devices.contains(&device))
    }

    fn friends_of(&self, member: usize) -> Vec<usize> {
        let either = |&(a, b): &(usize, usize)| match (a == member, b == member) {
            (true, _) => Some(b),
            (_, true) => Some(a),
            _ => None,
        };
        self.pairs.iter().filter_map(either).collect()
    }

    fn mishaps(&mut self, kind: Kind, chance: &mut Chance) {
        let (from, to) = match kind {
            Kind::Storm => (20, 120),
            // Every other day something.
            Kind::Quiet => (0, self.lasts_ms / DAY),
            _ => (0, 30),
        };
        // A third of the worlds has hardly any.
        let count = if chance.one_in(3) { chance.below(3) } else { chance.between(from, to) };
        let devices: Vec<usize> = self.members.iter().flat_map(|member| member.devices.clone()).collect();
        for _ in 0..count {
            // As often at any time as a moment after something else happened.
            let near = self.steps.get(chance.place(self.steps.len())).map_or(0, |step| step.at_ms);
            let any_ms = chance.below(self.lasts_ms);
            let at_ms = if chance.one_in(2) { any_ms } else { near + chance.length(10, 20_000) };
            let what = self.mishap(&devices, chance);
            self.at(at_ms, what);
        }
    }

    fn mishap(&self, devices: &[usize], chance: &mut Chance) -> What {
        let the_box = chance.place(self.boxes);
        let device = devices.get(chance.place(devices.len())).copied().unwrap_or(0);
        let small = |number: u64| u32::try_from(number).unwrap_or(1);
        match chance.below(37) {
            0..6 => What::Dropped { device },
            6..10 => What::Unreachable { device, for_ms: chance.length(10_000, 5 * HOUR) },
            10..14 => What::Restarts {
                the_box,
                clean: true,
                off_ms: chance.length(1_000, 10 * MINUTE),
                wall: Wall::Right,
                in_operation: None,
            },
            14..20 => What::Restarts {
                the_box,
                clean: chance.one_in(3),
                off_ms: chance.length(1_000, 12 * HOUR),
                wall: match chance.below(8) {
                    0 => Wall::Stands,
                    1 => Wall::Lost,
                    2 => Wall::Ahead(chance.length(1, 90_000)),
                    _ => Wall::Right,
                },
                in_operation: chance.one_in(2).then(|| chance.length(1, 60)),
            },
            20 => What::WallJumps { the_box, by_ms: skew(chance) * 1_000 },
            21 => What::Compacts { the_box },
            22..25 => What::DiskFails {
                the_box,
                trouble: match chance.below(6) {
                    0 => DiskTrouble::Writes(chance.length(1, 40)),
                    1 | 2 => DiskTrouble::Syncs(chance.length(1, 40), chance.one_in(2)),
                    3 => DiskTrouble::Names(chance.length(1, 40)),
                    4 => DiskTrouble::Reads(chance.length(1, 10)),
                    _ => DiskTrouble::Full,
                },
            },
            25..29 => What::Repeats { count: small(chance.length(1, 40)) },
            29 => What::Repeats { count: small(chance.length(100, 700)) },
            30 => What::Meddles { the_box },
            34 | 35 => What::DiskHeals { the_box },
            36 => What::BitsFlip {
                the_box,
                bits: small(chance.length(1, 6)),
                of: if chance.one_in(3) { Flips::Ledger } else { Flips::Windows },
            },
            31 => What::Fetches { count: small(chance.length(5, 100)) },
            _ => {
                let Some(&(member, whom)) = self.pairs.get(chance.place(self.pairs.len())) else {
                    return What::Compacts { the_box };
                };
                if chance.one_in(2) { What::Blocks { member, whom } } else { What::Unblocks { member, whom } }
            }
        }
    }
}

/// Everybody knows the first, and some know each other.
fn pairs(people: usize, chance: &mut Chance) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for a in 1..people {
        // In a crowd nobody knows everybody.
        let known = if people > 8 { chance.place(a) } else { 0 };
        pairs.push((a, known));
        let other = chance.place(a);
        if other != known && chance.one_in(2) {
            pairs.push((a, other));
        }
    }
    pairs
}

fn skew(chance: &mut Chance) -> i64 {
    let size = i64::try_from(chance.length(1_000, 4 * MINUTE)).unwrap_or(0);
    if chance.one_in(2) { size } else { -size }
}
