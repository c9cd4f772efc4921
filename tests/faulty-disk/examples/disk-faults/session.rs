//! A session on a disk that fails, and what must hold all the same.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use hob_faulty_disk::cut::Manner;
use hob_faulty_disk::faults::Faults;
use hob_faulty_disk::house::{House, Template};
use hob_protocol::code::Code;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use crate::kinds::Kind;

/// How long a box may take to accept again once its disk is well.
const WELL_WITHIN: Duration = Duration::from_secs(40);

/// Half an hour and a little: the open window is over.
const A_WINDOW_S: i64 = 31 * 60;

/// Nothing of an earlier window is left.
const SIX_HOURS_S: i64 = 6 * 3600 + 60;

/// What came of sessions.
#[derive(Debug, Default)]
pub struct Report {
    pub accepted: u64,
    pub refused: u64,
    pub starts_refused: u64,
    pub struck: u64,
    pub lost: u64,
    pub wrong: Vec<String>,
}

impl Report {
    pub fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.starts_refused += other.starts_refused;
        self.struck += other.struck;
        self.lost += other.lost;
        self.wrong.extend(other.wrong);
    }
}

/// What a session asks of a disk that is well.
pub fn counts(template: &Template, program: &Path) -> Faults {
    let mut house = House::like(template, program);
    house.start().unwrap();
    let mut report = Report::default();
    people_at_work(&mut house, &mut report);
    assert_eq!((report.refused, report.wrong.len()), (0, 0), "a well disk: {:?}", report.wrong);
    house.disk().machine().faults.clone()
}

/// One session with one fault in it.
pub fn play(template: &Template, program: &Path, kind: &Kind, at: u64) -> Report {
    let mut report = Report::default();
    let mut house = House::like(template, program);
    let played = catch_unwind(AssertUnwindSafe(|| session(&mut house, kind, at, &mut report)));
    if let Err(panic) = played {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned()));
        report.wrong.push(format!("the session stopped: {}", said.unwrap_or_default()));
    }
    report.accepted = house.account().accepted;
    if !report.wrong.is_empty() {
        println!("--- {} at {at}: {}", kind.name, house.story());
    }
    report
}

fn session(house: &mut House, kind: &Kind, at: u64, report: &mut Report) {
    {
        let mut machine = house.disk().machine();
        machine.faults.rules = vec![kind.rule(at)];
        machine.faults.sync_takes = kind.sync_takes;
    }
    if let Err(said) = house.start() {
        report.starts_refused += 1;
        if !said.contains("exit status: 1") || said.contains("panic") {
            report.wrong.push(format!("a start that cannot be ends with a sentence, not {said}"));
        }
        heal(house, report);
        if let Err(said) = house.start() {
            report.wrong.push(format!("REFUSED TO START on a disk that is well: {said}"));
            return;
        }
    }
    people_at_work(house, report);
    if kind.lasts && house.disk().machine().faults.struck > 0 {
        delivery_goes_on(house, report);
    }
    if !kind.sync_takes.is_zero() {
        answers_wait_for_the_sync(house, kind.sync_takes, report);
    }
    heal(house, report);
    accepts_again(house, report);
    // What a failed sync gave up is nowhere: a power cut shows whether anything relied on it.
    let before = house.story();
    house.power_off(Manner::Pessimistic, &mut ChaCha8Rng::seed_from_u64(at));
    match house.start() {
        Err(said) => report.wrong.push(format!("REFUSED TO START after the power cut: {said}")),
        Ok(()) => {
            let (balance, wrong) = house.check();
            report.lost += balance.lost;
            if !wrong.is_empty() {
                println!("--- before the power cut: {before}");
            }
            report.wrong.extend(wrong);
        }
    }
}

fn heal(house: &mut House, report: &mut Report) {
    let mut machine = house.disk().machine();
    report.struck += machine.faults.struck;
    machine.faults.struck = 0;
    machine.faults.rules.clear();
    machine.faults.sync_takes = Duration::ZERO;
}

/// Submits to everybody; what the box cannot store it must say so.
fn submit_to_all(house: &mut House, report: &mut Report) {
    for member in 0..house.members.len() {
        let token = house.members[member].token.clone();
        if let Err(answer) = house.submit(member, &token) {
            report.refused += 1;
            if !answer.contains(&format!("code: {},", Code::CannotStore.number()))
                || !answer.contains("retry_after: Some")
            {
                report.wrong.push(format!("refused otherwise than because it cannot store: {answer}"));
            }
            let says = house.status().map(|status| status.is("storing_fails"));
            if says != Ok(true) {
                report.wrong.push(format!("it cannot store, and its status says {says:?}"));
            }
        }
    }
}

fn people_at_work(house: &mut House, report: &mut Report) {
    submit_to_all(house, report);
    submit_to_all(house, report);
    house.read_one(0, &mut report.wrong);
    house.pass(A_WINDOW_S);
    submit_to_all(house, report);
    // The keeper compacts; on a bad disk the command says that it cannot.
    let compacted = house.ask(&["compact", "--json"]);
    if let Err(said) = compacted
        && (said.contains("panic") || house.disk().machine().faults.rules.is_empty())
    {
        report.wrong.push(said);
    }
    submit_to_all(house, report);
    house.read_one(1, &mut report.wrong);
    house.pass(SIX_HOURS_S);
    submit_to_all(house, report);
}

/// While nothing can be stored: what was accepted is delivered.
fn delivery_goes_on(house: &mut House, report: &mut Report) {
    let (now_s, starts) = (house.time().now_s(), house.starts);
    let must = house.account().must_be_there(now_s, starts);
    let got = house.read_all(&mut report.wrong);
    let missing = must.iter().filter(|id| !got.contains_key(*id)).count();
    if missing > 0 {
        report.wrong.push(format!("{missing} accepted envelopes are not delivered while the disk is bad"));
    }
}

fn answers_wait_for_the_sync(house: &mut House, takes: Duration, report: &mut Report) {
    for _ in 0..5 {
        let began = Instant::now();
        let token = house.members[0].token.clone();
        if let Err(answer) = house.submit(0, &token) {
            report.wrong.push(format!("a slow disk is no reason to refuse: {answer}"));
        }
        if began.elapsed() < takes {
            report.wrong.push(format!("answered after {:?}, before any sync could end", began.elapsed()));
        }
    }
    delivery_goes_on(house, report);
}

fn accepts_again(house: &mut House, report: &mut Report) {
    let until = Instant::now() + WELL_WITHIN;
    let token = house.members[0].token.clone();
    while let Err(answer) = house.submit(0, &token) {
        if Instant::now() > until {
            report.wrong.push(format!("the disk is well for {WELL_WITHIN:?}, and it still answers {answer}"));
            return;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let says = house.status().map(|status| status.is("storing_fails"));
    if says != Ok(false) {
        report.wrong.push(format!("it stores again, and its status says {says:?}"));
    }
}
