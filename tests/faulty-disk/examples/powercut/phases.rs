//! What the box is doing when the power goes.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hob_faulty_disk::cut::{Manner, below};
use hob_faulty_disk::faults::Rule;
use hob_faulty_disk::house::{House, Template};
use hob_faulty_disk::load::{Load, Plan};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::Wanted;
use crate::tally::{self, Tally};

/// How long a planned cut may take to come before the power goes anyway.
const CUT_WITHIN: Duration = Duration::from_secs(10);

/// How often it is looked whether everybody is done, and how often after that.
const LOOKS_EVERY: Duration = Duration::from_millis(50);
const LOOKS_AFTER_THE_LOAD: u32 = 10;

/// Members of a house.
const MEMBERS: usize = 4;

/// Cuts that one disk goes through before a house begins anew.
const CUTS_OF_A_HOUSE: u64 = 5;

/// Failures that are told at length.
const TOLD: u64 = 5;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

/// What the box is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Serving,
    OldWindows,
    Ended,
    Compact,
    KeyFile,
    FirstStart,
    Starting,
}

/// Name, and how many of a hundred cuts.
const PHASES: [(Phase, &str, u64); 7] = [
    (Phase::Serving, "serving", 28),
    (Phase::OldWindows, "old-windows", 12),
    (Phase::Ended, "ended", 12),
    (Phase::Compact, "compact", 12),
    (Phase::KeyFile, "key-file", 12),
    (Phase::FirstStart, "first-start", 12),
    (Phase::Starting, "starting", 12),
];

/// All cuts that are wanted; whether every promise was kept.
pub fn run(wanted: &Wanted, rng: &mut ChaCha8Rng) -> bool {
    let began = Instant::now();
    let program = crate::program("HOB_TEST_DEMO_BOX");
    let template = House::template(&program, MEMBERS);
    println!("a box with {MEMBERS} members is the beginning of every house");
    let mut told = 0;
    let mut rows = Vec::new();
    for (phase, name, percent) in PHASES {
        // Each phase has numbers of its own, so that one can be run alone.
        let mut rng = ChaCha8Rng::seed_from_u64(rng.next_u64());
        let cuts = match &wanted.phase {
            Some(only) if only == name => wanted.cuts,
            Some(_) => continue,
            None => (wanted.cuts * percent).div_ceil(100),
        };
        let mut tally = Tally::default();
        while tally.cuts < cuts {
            let mut scene = Scene { phase, program: program.clone(), rng: ChaCha8Rng::seed_from_u64(rng.next_u64()) };
            tally.add(scene.play(&template, (cuts - tally.cuts).min(CUTS_OF_A_HOUSE), &mut told));
            println!("{name}: {} of {cuts} cuts, {} lost, {} refusals", tally.cuts, tally.lost, tally.refusals);
        }
        rows.push((name, tally));
    }
    assert!(!rows.is_empty(), "no such phase: see --help");
    tally::print(&rows, began).is_well()
}

/// One house, from its beginning through some cuts.
pub struct Scene {
    pub phase: Phase,
    pub program: PathBuf,
    pub rng: ChaCha8Rng,
}

impl Scene {
    fn play(&mut self, template: &Template, cuts: u64, told: &mut u64) -> Tally {
        let mut tally = Tally::default();
        if self.phase == Phase::FirstStart {
            let program = self.program.clone();
            let changes = changes_of_a_first_start(&program);
            for _ in 0..cuts {
                let mut house = House::empty(&program);
                house.disk().machine().faults.rules = vec![Rule::cut(below(&mut self.rng, changes), &[])];
                // It may end before it is ready; whatever it showed until then must hold.
                let _ = house.start();
                tally.add(self.cut_and_check(&mut house, told));
            }
            return tally;
        }
        let mut house = House::like(template, &self.program);
        if house.start().is_err() {
            panic!("the house does not start before any cut");
        }
        for _ in 0..cuts {
            let one = self.cycle(&mut house, told);
            tally.add(one);
            if !one.is_well() {
                // What comes after a loss tells nothing new.
                return tally;
            }
        }
        tally
    }

    /// Something happens, the power goes, and the box starts again.
    pub fn cycle(&mut self, house: &mut House, told: &mut u64) -> Tally {
        let load = self.act(house);
        let until = Instant::now() + CUT_WITHIN;
        // When everybody is done only what the box does on its own can still be cut short.
        let mut looks_left = LOOKS_AFTER_THE_LOAD;
        let mut planned = false;
        while !planned && looks_left > 0 && Instant::now() < until {
            planned = house.disk().wait_for_the_cut(LOOKS_EVERY);
            looks_left -= u32::from(load.as_ref().is_none_or(Load::is_done));
        }
        house.disk().machine().faults.is_frozen = true;
        if let Some(hob) = &mut house.hob {
            hob.kill();
        }
        if let Some(load) = load {
            load.end(house);
        }
        let mut tally = self.cut_and_check(house, told);
        tally.planned = u64::from(planned);
        tally
    }

    /// Begins what is cut short.
    fn act(&mut self, house: &mut House) -> Option<Load> {
        let plan = Plan::busy();
        match self.phase {
            Phase::FirstStart => None,
            Phase::Serving | Phase::Starting => {
                let load = Load::begin(house, &plan, &mut self.rng);
                self.plan_cut(house, 200, &[]);
                house.copy_events();
                Some(load)
            }
            Phase::OldWindows => {
                for _ in 0..2 {
                    self.fill_a_window(house, 5 * HOUR);
                }
                house.copy_events();
                let load =
                    Load::begin(house, &Plan { owners: MEMBERS, acknowledged_percent: 80, ..plan }, &mut self.rng);
                self.plan_cut(house, 160, &[]);
                Some(load)
            }
            Phase::Ended => {
                self.fill_a_window(house, 20 * MINUTE);
                self.fill_a_window(house, 5 * HOUR);
                house.copy_events();
                let plan = Plan { acknowledged_percent: 100, ttls_s: vec![60, 3600, 5 * 3600], ..plan };
                let load = Load::begin(house, &plan, &mut self.rng);
                self.plan_cut(house, 80, &[]);
                let hours = [1, 6, 7][below(&mut self.rng, 3) as usize];
                house.pass(hours * HOUR);
                Some(load)
            }
            Phase::Compact => {
                self.fill_a_window(house, 5 * HOUR);
                if below(&mut self.rng, 2) == 0 {
                    destroy_all_body_keys(house);
                }
                let load = Load::begin(house, &Plan { at_once: 1, ..plan }, &mut self.rng);
                house.copy_events();
                self.plan_cut(house, 120, &[]);
                house.run_aside(&["compact"]);
                Some(load)
            }
            Phase::KeyFile => {
                self.fill_a_window(house, 5 * HOUR);
                house.copy_events();
                let load = Load::begin(house, &Plan { at_once: 2, ..plan }, &mut self.rng);
                self.plan_cut(house, 8, &["log.keys"]);
                match below(&mut self.rng, 3) {
                    0 => house.run_aside(&["compact"]),
                    1 => house.pass(31 * MINUTE),
                    _ => house.pass(6 * HOUR),
                }
                Some(load)
            }
        }
    }

    fn plan_cut(&mut self, house: &mut House, within: u64, names: &[&'static str]) {
        let rule = Rule::cut(below(&mut self.rng, within), names);
        house.disk().machine().faults.rules = vec![rule];
    }

    /// Envelopes for everybody, all answered; then the window's half hour is over.
    fn fill_a_window(&mut self, house: &mut House, ttl_s: i64) {
        let plan = Plan::some(5, u64::try_from(ttl_s).unwrap());
        let mut load = Load::begin(house, &plan, &mut self.rng);
        load.wait_for_senders(house);
        load.end(house);
        house.pass(31 * MINUTE);
    }

    fn cut_and_check(&mut self, house: &mut House, told: &mut u64) -> Tally {
        let mut tally = Tally { cuts: 1, ..Tally::default() };
        let story = house.story();
        self.cut(house, &mut tally);
        // The box may be off for hours: what is due then is destroyed by the start.
        let stays_off = matches!(self.phase, Phase::Ended | Phase::Starting) && below(&mut self.rng, 3) == 0;
        if stays_off {
            house.pass([1, 6, 7][below(&mut self.rng, 3) as usize] * HOUR);
        }
        if self.phase == Phase::Starting {
            // And the next start is cut short, too.
            house.disk();
            self.plan_cut(house, 60, &[]);
            let _ = house.start();
            self.cut(house, &mut tally);
            tally.cuts += 1;
        }
        tally.accepted = std::mem::take(&mut house.account().accepted);
        let wrong = match house.start() {
            Err(said) => {
                tally.refusals += 1;
                vec![format!("REFUSED TO START: {said}")]
            }
            Ok(()) => {
                if self.phase == Phase::FirstStart {
                    house.join();
                }
                let (balance, wrong) = house.check();
                tally.kept += balance.kept;
                tally.lost += balance.lost;
                tally.wrong += wrong.iter().filter(|line| !line.starts_with("LOST")).count() as u64;
                wrong
            }
        };
        if !wrong.is_empty() && *told < TOLD {
            *told += 1;
            println!("--- {:?}, before the cut {story}", self.phase);
            println!("--- and after it {}", house.story());
            wrong.iter().for_each(|line| println!("*** {line}"));
        }
        tally
    }

    fn cut(&mut self, house: &mut House, tally: &mut Tally) {
        let manner = if below(&mut self.rng, 5) < 2 { Manner::Pessimistic } else { Manner::Adversarial };
        tally.adversarial += u64::from(manner == Manner::Adversarial);
        house.power_off(manner, &mut self.rng);
        let (gone, older) = house.spoil_events(&mut self.rng);
        tally.databases_gone += gone;
        tally.databases_older += older;
    }
}

/// Everybody reads everything, and the box destroys what it could be read with: none of it may ever come again.
fn destroy_all_body_keys(house: &mut House) {
    let mut wrong = Vec::new();
    house.read_all(&mut wrong);
    let compacted = house.ask(&["compact", "--json"]).unwrap();
    let mut account = house.account();
    account.wrong.extend(wrong);
    if compacted["windows_with_body_key"] == 0 {
        account.all_destroyed();
    } else {
        account.wrong.push(format!("everything was acknowledged, and yet a body key is left: {compacted}"));
    }
}

/// How many changes of the disk a first start makes.
fn changes_of_a_first_start(program: &Path) -> u64 {
    let mut house = House::empty(program);
    house.start().unwrap();
    let changes = house.disk().machine().faults.changes;
    changes + 3
}
