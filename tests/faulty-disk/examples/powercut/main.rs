//! The plug is pulled, hundreds of times: the real `hob serve` on a disk that loses what was not synced.
//!
//! `tests/recipes/powercut` builds the boxes that it needs and runs it, in a mount namespace.
//!
//! # Layout
//! - [`phases`]: what the box is doing when the power goes; [`tally`]: the account of all cuts.
//! - [`bites`]: that the harness notices: sled alone with a plain `flush()`, and a fault planted in the box;
//!   [`sled_alone`]: the program that stores in sled alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "a proof that cannot go on stops and says where; what it prints is what it is for"
)]

mod bites;
mod phases;
mod sled_alone;
mod tally;

use std::path::PathBuf;
use std::process::ExitCode;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

const HELP: &str = "\
Pulls the plug of a real box, again and again, on a disk that loses what was not synced, and counts what was lost.

    powercut [CUTS] [--seed N] [--phase NAME]     that many cuts (330), spread over all phases or in one
    powercut --bites [--seed N]                   shows that a box or a database that loses something is caught

Phases: serving, old-windows, ended, compact, key-file, first-start, starting.
A seed fixes what is planned and where the power goes, in changes of the disk; the box's threads take their own turns.
HOB_TEST_DEMO_BOX names a `hob` built with the feature demo-clock; HOB_TEST_SABOTAGED_BOX one with
hob-protocol/sabotage besides.";

/// What was asked for.
struct Wanted {
    cuts: u64,
    seed: u64,
    phase: Option<String>,
    bites: bool,
}

fn wanted(mut words: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let seed = rand_seed();
    let mut wanted = Wanted { cuts: 330, seed, phase: None, bites: false };
    while let Some(word) = words.next() {
        let mut number =
            |what: &str| words.next().and_then(|word| word.parse().ok()).ok_or(format!("{what} wants a number"));
        match word.as_str() {
            "--seed" => wanted.seed = number("--seed")?,
            "--phase" => wanted.phase = words.next(),
            "--bites" => wanted.bites = true,
            count => wanted.cuts = count.parse().map_err(|_| format!("{count:?} is not understood: see --help"))?,
        }
    }
    Ok(wanted)
}

fn rand_seed() -> u64 {
    u64::from_le_bytes(hob_tests::people::random())
}

/// A build of the box that the recipe made.
pub fn program(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable).map(PathBuf::from);
    path.unwrap_or_else(|| panic!("set {variable}, or run tests/recipes/powercut"))
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).peekable();
    match words.peek().map(String::as_str) {
        Some("--help" | "-h") => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Some("sled-writer" | "sled-reader") => return sled_alone::run(&words.collect::<Vec<_>>()),
        _ => {}
    }
    let wanted = match wanted(words) {
        Ok(wanted) => wanted,
        Err(said) => {
            println!("{said}");
            return ExitCode::from(2);
        }
    };
    println!("seed {}", wanted.seed);
    let mut rng = ChaCha8Rng::seed_from_u64(wanted.seed);
    let is_well = if wanted.bites { bites::run(&mut rng) } else { phases::run(&wanted, &mut rng) };
    if is_well {
        return ExitCode::SUCCESS;
    }
    let phase = wanted.phase.map(|phase| format!(" --phase {phase}")).unwrap_or_default();
    println!("to see it again: tests/recipes/powercut {} --seed {}{phase}", wanted.cuts, wanted.seed);
    ExitCode::FAILURE
}
