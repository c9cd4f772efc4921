//! Kills boxes and clients in the middle of their work, again and again, and counts what they owe: nothing accepted is
//! lost, nothing is shown twice, no ratchet key is used twice, and the box comes back. Prints a verdict last.
//!
//! `tests/recipes/kill` builds what it needs and runs it.
//!
//! # Layout
//! - [`volume`]: a box under load from devices that speak frames; [`account`]: what it accepted, and what it owes.
//! - [`load`]: the senders and owners that are at work when the kill comes.
//! - [`talk`]: two people with `hob-chat`, killed as often as their box; [`letters`]: what they wrote and saw.
//! - [`ratchets`]: every envelope that the box had, opened: where in its chain each message stands.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a check: where something is not as it must be, it ends there and says what"
)]

mod account;
mod letters;
mod load;
mod ratchets;
mod talk;
mod volume;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use hob_tests::chance::Chance;

const HELP: &str = "\
Kills `hob serve` under load, and `hob-chat` while it sends and receives, with SIGKILL at random moments.

  kill [CYCLES] [--seed N]     so many kills of each of two boxes (500), and about twice as many of clients
  kill CYCLES --only PART      volume: the first of these boxes; talk: the second
  kill --sabotage              the same with planted faults, which must be caught

One box serves devices that speak frames, as fast as it takes them. After each kill it starts on the same folder and
port; then what it has is compared with what it accepted, by the harness' count and by its own. The other serves two
people with hob-chat, whose commands are killed, too. At the end each text is in each history exactly once.";

struct Wanted {
    cycles: u64,
    seed: u64,
    only: Option<String>,
}

fn main() -> ExitCode {
    let Some(wanted) = read_arguments() else {
        eprintln!("{HELP}");
        return ExitCode::from(2);
    };
    let Wanted { cycles, seed, only } = wanted;
    eprintln!("kill: {cycles} cycles, seed {seed}");
    let mut chance = Chance::new(seed);
    let (for_volume, for_talk) = (chance.fork(), chance.fork());
    let has = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let talking = has("talk").then(|| std::thread::spawn(move || caught(|| talk::run(for_talk, cycles))));
    let volume = !has("volume") || caught(|| volume::run(for_volume, cycles));
    let talk = talking.is_none_or(|talking| talking.join().is_ok_and(|is_well| is_well));
    if volume && talk {
        let boxes = if only.is_none() { "2 x " } else { "" };
        println!(
            "kill: ok, {boxes}{cycles} boxes killed, nothing accepted lost, nothing shown twice, no key used twice"
        );
        return ExitCode::SUCCESS;
    }
    let only = only.map(|part| format!(" --only {part}")).unwrap_or_default();
    println!("kill: BROKEN; see it again with: tests/recipes/kill {cycles} --seed {seed}{only}");
    ExitCode::FAILURE
}

fn read_arguments() -> Option<Wanted> {
    let mut wanted = Wanted { cycles: 500, seed: Chance::fresh_seed(), only: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seed" => wanted.seed = words.next()?.parse().ok()?,
            "--only" => wanted.only = Some(words.next().filter(|part| ["volume", "talk"].contains(&part.as_str()))?),
            count => wanted.cycles = count.parse().ok()?,
        }
    }
    Some(wanted)
}

/// Tells what a part came to, or what it stopped with, as soon as it did; whether all is well.
fn caught(part: impl FnOnce() -> String) -> bool {
    let ended = catch_unwind(AssertUnwindSafe(part)).map_err(|why| {
        let said = why.downcast_ref::<String>().cloned();
        said.or_else(|| why.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    });
    let is_well = ended.is_ok();
    println!("{}", ended.unwrap_or_else(|finding| finding));
    is_well
}
