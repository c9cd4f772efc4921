//! Half of `tests/recipes/damage`: the event log alone, on real files. Every record kind of every log, every tenth byte
//! flipped; groups swapped, cut out, repeated, replayed; folders from another time; each with and without its sled database.
//!
//! # Layout
//! - this file: what is run, side by side, and the verdict. [`stage`]: the folder that is damaged, and what is in it.
//! - [`harm`]: what is done to a copy. [`judge`]: what a start must then say and serve.

#![allow(
    clippy::print_stderr,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a program for people: where something is not as it must be, it ends there and says what"
)]

mod harm;
mod judge;
mod stage;

use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use harm::Harm;
use judge::Tally;
use stage::Stage;

const HELP: &str = "\
Damages copies of a data folder's log and starts it: what is missing must be told, the rest served, nothing else.

  damage-records            everything: every tenth byte of every record (minutes)
  damage-records COUNT      so many of them, by lot
  damage-records --one WHAT one again, by the name that a failure printed
  damage-records --bites    each planted fault must be noticed (needs a build with the feature hob-protocol/sabotage)";

/// Faults planted in hob-log that only damage brings to light.
const FAULTS: [&str; 5] =
    ["index-tag-unchecked", "body-tag-unchecked", "body-unchecked", "mark-ignored", "damage-not-told"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--help" | "-h"] => {
            println!("{HELP}");
            ExitCode::SUCCESS
        }
        ["--bites"] => bites(),
        ["--one", what] => run(usize::MAX, Some(what), false),
        [] => run(usize::MAX, None, false),
        [count] => match count.parse() {
            Ok(count) => run(count, None, false),
            Err(_) => {
                eprintln!("{HELP}");
                ExitCode::FAILURE
            }
        },
        [count, "--quiet"] => run(count.parse().unwrap_or(usize::MAX), None, true),
        _ => {
            eprintln!("{HELP}");
            ExitCode::FAILURE
        }
    }
}

/// Evenly spread over all of them: each kind keeps its share.
fn sample(all: Vec<Harm>, count: usize) -> Vec<Harm> {
    let structural: Vec<Harm> = all.iter().filter(|harm| !harm.is_flip()).cloned().collect();
    let flips: Vec<Harm> = all.into_iter().filter(Harm::is_flip).collect();
    let want = count.saturating_sub(structural.len()).clamp(1, flips.len());
    let offset = usize::try_from(std::process::id()).unwrap_or(0);
    let step = flips.len() / want;
    let chosen = (0..want).map(|number| flips[(number * step + offset % step.max(1)) % flips.len()].clone());
    structural.into_iter().chain(chosen).collect()
}

fn run(count: usize, one: Option<&str>, is_quiet: bool) -> ExitCode {
    let began = Instant::now();
    let stage = Stage::build();
    let mut harms = harm::all(&stage);
    match one {
        Some(what) => harms.retain(|harm| harm.to_string() == what),
        None if count < harms.len() => harms = sample(harms, count),
        None => {}
    }
    let (next, failed, tally) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(Tally::default()));
    let shown = Mutex::new(Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(harm) = harms.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match judge::judge(&stage, harm) {
                        Ok(outcome) => tally.lock().unwrap().count(outcome),
                        Err(what) => {
                            failed.store(true, Ordering::Relaxed);
                            println!("BROKEN by {harm:?}: {what}\n  again: damage-records --one '{harm}'");
                        }
                    }
                    if failed.load(Ordering::Relaxed) {
                        return;
                    }
                    let mut shown = shown.lock().unwrap();
                    if !is_quiet && shown.elapsed() > Duration::from_secs(15) {
                        *shown = Instant::now();
                        eprintln!("{} of {}: {}", next.load(Ordering::Relaxed), harms.len(), tally.lock().unwrap());
                    }
                }
            });
        }
    });
    let tally = *tally.lock().unwrap();
    let seconds = began.elapsed().as_secs();
    if failed.load(Ordering::Relaxed) {
        println!("damage-records: BROKEN after {tally}");
        return ExitCode::FAILURE;
    }
    assert!(tally.total() > 0, "nothing has that name");
    println!("damage-records: ok, {tally}, in {seconds} s");
    ExitCode::SUCCESS
}

fn bites() -> ExitCode {
    let myself = std::env::current_exe().unwrap();
    let mut missed = Vec::new();
    for fault in FAULTS {
        let mut command = Command::new(&myself);
        command.args(["600", "--quiet"]).env("HOB_TEST_SABOTAGE", fault).stderr(Stdio::null());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let first = said.lines().next().unwrap_or_default();
        println!("{fault:22} {}", first.chars().take(160).collect::<String>());
        if output.status.success() {
            missed.push(fault);
        }
    }
    if missed.is_empty() {
        println!("damage-records --bites: ok, {} of {} planted faults noticed", FAULTS.len(), FAULTS.len());
        return ExitCode::SUCCESS;
    }
    println!("damage-records --bites: BROKEN, not noticed: {missed:?} (built without hob-protocol/sabotage?)");
    ExitCode::FAILURE
}
