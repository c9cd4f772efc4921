//! `tests/recipes/log-sim` runs this: lives of the log on the virtual disk, or the planted faults, each to be caught.

#![allow(clippy::print_stderr, clippy::panic, reason = "a program for people")]

use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use hob_virtual_disk::life::{Counts, live};

const HELP: &str = "\
The event log lives on a disk in memory whose power is cut, whose operations fail and whose sectors rot; an oracle
watches. Everything follows from a seed.

  log-sim [SECONDS]         lives from fresh seeds for so long (60)
  log-sim --seed N [STEPS]  one life again, its story told (1200 steps)
  log-sim --sabotage        each planted fault must be caught (needs a build with the feature hob-protocol/sabotage)";

/// Steps of one life: about a day and a half of box time.
const STEPS: u64 = 1200;

/// The faults planted in hob-log.
const FAULTS: [&str; 20] = [
    "answer-before-sync",
    "failed-sync-taken-as-written",
    "refused-group-not-cut",
    "torn-tail-not-cut",
    "mark-not-written",
    "mark-ignored",
    "chain-tag-unchecked",
    "body-unchecked",
    "damage-not-told",
    "folder-not-synced-after-rename",
    "old-generation-dropped-first",
    "removal-forgotten",
    "acknowledgement-not-written",
    "acknowledged-in-the-wrong-window",
    "body-key-destroyed-while-pending",
    "key-slot-not-overwritten",
    "window-key-not-destroyed",
    "destroyed-late",
    "overdue-at-start-kept",
    "clock-not-synced",
];

/// Lives of a day and a half each after which a planted fault must have been caught.
const LIVES_MAX: u64 = 200;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u64>().unwrap_or_else(|_| panic!("{text:?} is no number: see --help"));
    match words.as_slice() {
        ["--help" | "-h"] => {
            println!("{HELP}");
            ExitCode::SUCCESS
        }
        ["--seed", seed] => again(number(seed), STEPS),
        ["--seed", seed, steps] => again(number(seed), number(steps)),
        ["--sabotage"] => sabotage(),
        ["--catch"] => catch(),
        [] => lives(60),
        [seconds] => lives(number(seconds)),
        _ => {
            eprintln!("{HELP}");
            ExitCode::FAILURE
        }
    }
}

fn told(counts: &Counts, lives: u64) -> String {
    format!(
        "{lives} lives, {:.1} box-days, {} power cuts, {} starts, {} commits ({} refused), {} envelopes accepted, {} operations failed, \
         {} damages, {} windows told lost, {} windows destroyed",
        counts.minutes as f64 / 1440.0,
        counts.cuts,
        counts.starts,
        counts.commits,
        counts.refused,
        counts.accepted,
        counts.failed,
        counts.damaged,
        counts.told,
        counts.destroyed,
    )
}

fn lives(seconds: u64) -> ExitCode {
    let until = Instant::now() + Duration::from_secs(seconds);
    let first = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs()) * 1_000_000;
    let (mut counts, mut lived) = (Counts::default(), 0);
    let mut shown = Instant::now();
    while Instant::now() < until {
        match live(first + lived, STEPS) {
            Ok(more) => counts.add(&more),
            Err(broken) => {
                eprintln!("{broken}again: tests/recipes/log-sim --seed {} {STEPS}", broken.seed);
                println!("log-sim: BROKEN after {lived} lives, seed {}", broken.seed);
                return ExitCode::FAILURE;
            }
        }
        lived += 1;
        if shown.elapsed() > Duration::from_secs(20) {
            shown = Instant::now();
            eprintln!("{}", told(&counts, lived));
        }
    }
    println!("log-sim: ok, {}, seeds from {first}", told(&counts, lived));
    ExitCode::SUCCESS
}

fn again(seed: u64, steps: u64) -> ExitCode {
    match live(seed, steps) {
        Ok(counts) => {
            println!("log-sim: ok, {}, trace {:016x}", told(&counts, 1), counts.trace);
            ExitCode::SUCCESS
        }
        Err(broken) => {
            for line in &broken.story {
                eprintln!("  {line}");
            }
            println!("log-sim: BROKEN, {}", broken.what);
            ExitCode::FAILURE
        }
    }
}

/// Lives until the fault that is planted in this process is caught.
fn catch() -> ExitCode {
    let mut counts = Counts::default();
    for seed in 0..LIVES_MAX {
        match live(seed, STEPS) {
            Ok(more) => counts.add(&more),
            Err(broken) => {
                println!("life {}, step {}: {}", seed + 1, broken.step, broken.what);
                return ExitCode::SUCCESS;
            }
        }
    }
    println!("not caught: {}", told(&counts, LIVES_MAX));
    ExitCode::FAILURE
}

fn sabotage() -> ExitCode {
    let myself = std::env::current_exe().unwrap_or_else(|error| panic!("{error}"));
    let mut missed = Vec::new();
    let began = Instant::now();
    for fault in FAULTS {
        let began = Instant::now();
        let mut command = Command::new(&myself);
        let caught = command.arg("--catch").env("HOB_TEST_SABOTAGE", fault).stderr(Stdio::null()).output();
        let caught = caught.unwrap_or_else(|error| panic!("{error}"));
        let said = String::from_utf8_lossy(&caught.stdout);
        let said: String = said.lines().next().unwrap_or_default().chars().take(150).collect();
        println!("{fault:36} {:5.1} s  {said}", began.elapsed().as_secs_f64());
        if !caught.status.success() {
            missed.push(fault);
        }
    }
    let (all, seconds) = (FAULTS.len(), began.elapsed().as_secs());
    if missed.is_empty() {
        println!("log-sim --sabotage: ok, {all} of {all} planted faults caught in {seconds} s");
        return ExitCode::SUCCESS;
    }
    println!("log-sim --sabotage: BROKEN, not caught: {missed:?} (built without the feature hob-protocol/sabotage?)");
    ExitCode::FAILURE
}
