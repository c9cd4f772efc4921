//! Half of `tests/recipes/damage`: the real `hob` over data folders that it made itself and that somebody damaged.
//!
//! # Layout
//! - this file: one case after the other, and the verdict. [`stage`]: a box with members and traffic, and its older self.
//! - [`cases`]: what is done to a copy, and how the box must take it.

#![allow(
    clippy::print_stderr,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a program for people: where something is not as it must be, it ends there and says what"
)]

mod cases;
mod stage;

use std::process::ExitCode;
use std::time::Instant;

use cases::{Case, Expect};

const HELP: &str = "\
Starts the real hob over copies of a data folder that were damaged. What is missing must be told (hello, status, a new
epoch), the rest served; a box that cannot start must say what to do; nothing panics.

  damage              all cases
  damage --case NAME  those whose name holds NAME
  damage --list       their names";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut all = cases::all();
    match words.as_slice() {
        [] => {}
        ["--case", name] => all.retain(|case| case.name.contains(name)),
        ["--list"] => {
            all.iter().for_each(|case| println!("{:60} {:?}", case.name, case.expect));
            return ExitCode::SUCCESS;
        }
        ["--help" | "-h"] => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{HELP}");
            return ExitCode::FAILURE;
        }
    }
    run(&all)
}

fn run(all: &[Case]) -> ExitCode {
    let began = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stage = runtime.block_on(stage::Stage::build());
    let mut broken = Vec::new();
    let mut counts = [0; 5];
    for case in all {
        match runtime.block_on(stage.run(case)) {
            Ok(said) => {
                counts[case.expect as usize] += 1;
                println!("ok      {:58} {said}", case.name);
            }
            Err(what) => {
                println!("BROKEN  {:58} {what}", case.name);
                broken.push(case.name);
            }
        }
    }
    let count = |expect: Expect| counts[expect as usize];
    let seconds = began.elapsed().as_secs();
    if all.is_empty() || !broken.is_empty() {
        println!("damage: BROKEN, {} of {} cases: {broken:?}", broken.len(), all.len());
        return ExitCode::FAILURE;
    }
    println!(
        "damage: ok, {} damaged boxes in {seconds} s: {} served whole, {} told what is lost and served the rest, {} lost part of \
         the ledger in both copies and told, {} refused with the next step, {} is a known gap",
        all.len(),
        count(Expect::Whole),
        count(Expect::Told),
        count(Expect::LedgerTold),
        count(Expect::Refused),
        count(Expect::Gap)
    );
    ExitCode::SUCCESS
}
