//! Bad days of a disk: full, failing, read-only, slow; at every write, sync and read of a session in turn.
//!
//! `tests/recipes/disk-faults` builds the box that it needs and runs it, in a mount namespace.
//!
//! # Layout
//! - [`session`]: what people do in a session, and what they accept of a box whose disk fails; [`kinds`]: the faults.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "a proof that cannot go on stops and says where; what it prints is what it is for"
)]

mod kinds;
mod session;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use hob_faulty_disk::house::House;

const HELP: &str = "\
Lets the disk of a real box fail in the middle of a session, and looks whether an accepted envelope is lost, whether it
says so, whether delivery goes on, and whether it accepts again when the disk is well.

    disk-faults [SESSIONS]                    so many sessions of each kind, evenly spread (default: every write and sync)
    disk-faults --kind NAME [--at N]          one kind; the fault at the N-th write, sync, read or change only

Kinds: full-once, full, sync-fails, sync-fails-and-forgets, read-fails, read-only, slow.
HOB_TEST_DEMO_BOX names a `hob` built with the feature demo-clock.";

/// Members of the house.
const MEMBERS: usize = 3;

/// What was asked for.
#[derive(Default)]
struct Wanted {
    sessions: Option<u64>,
    kind: Option<String>,
    at: Option<u64>,
}

fn wanted(mut words: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let mut wanted = Wanted::default();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--kind" => wanted.kind = words.next(),
            "--at" => wanted.at = words.next().and_then(|word| word.parse().ok()),
            count => {
                wanted.sessions = Some(count.parse().map_err(|_| format!("{count:?} is not understood: see --help"))?)
            }
        }
    }
    Ok(wanted)
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let wanted = match wanted(words.into_iter()) {
        Ok(wanted) => wanted,
        Err(said) => {
            println!("{said}");
            return ExitCode::from(2);
        }
    };
    let program = std::env::var_os("HOB_TEST_DEMO_BOX").map(PathBuf::from);
    let program = program.expect("set HOB_TEST_DEMO_BOX, or run tests/recipes/disk-faults");
    let began = Instant::now();
    let template = House::template(&program, MEMBERS);
    let counts = session::counts(&template, &program);
    println!("a session makes {} writes, {} syncs, {} reads", counts.stores, counts.syncs, counts.reads);
    let mut all = session::Report::default();
    let mut sessions = 0;
    for kind in kinds::KINDS {
        if wanted.kind.as_ref().is_some_and(|only| *only != kind.name) {
            continue;
        }
        let places = match wanted.at {
            Some(at) => vec![at],
            None => kind.places(&counts, wanted.sessions),
        };
        let mut of_kind = session::Report::default();
        for at in &places {
            let report = session::play(&template, &program, kind, *at);
            for line in &report.wrong {
                println!("*** {line}");
            }
            if !report.wrong.is_empty() {
                println!("to see it again: tests/recipes/disk-faults --kind {} --at {at}", kind.name);
            }
            of_kind.add(report);
        }
        println!(
            "{:<24} {:>4} sessions: {} accepted, {} refused, {} starts refused, {} lost, {} other breaches",
            kind.name,
            places.len(),
            of_kind.accepted,
            of_kind.refused,
            of_kind.starts_refused,
            of_kind.lost,
            of_kind.wrong.len() as u64 - of_kind.lost
        );
        sessions += places.len();
        all.add(of_kind);
    }
    println!(
        "disk faults: {sessions} sessions, {} faults struck, {} accepted envelopes, {} refused, {} lost, {} other breaches ({:.1} minutes)",
        all.struck,
        all.accepted,
        all.refused,
        all.lost,
        all.wrong.len() as u64 - all.lost,
        began.elapsed().as_secs_f64() / 60.0
    );
    if all.wrong.is_empty() && sessions > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
