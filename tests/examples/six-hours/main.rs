//! Six hours, on the disk: after the deadline of envelopes that we know, nothing of them is in the data folder, and nothing
//! that the medium still holds opens with anything that the medium still holds.
//!
//! `tests/recipes/six-hours` builds the demo box that it needs and runs it, as root, in a mount namespace of its own.
//!
//! # Layout
//! - [`medium`]: a small ext4 in a file, mounted. [`story`]: a box on it, running past the deadline or stopped before it.
//! - [`known`]: what we know of each envelope before it is forgotten. [`search`]: finds any 32 bytes of it, anywhere.
//! - [`carve`]: wrapped keys at every offset, and what opens them; `table`: the key table as a thief would read it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a check: where something is not as it must be, it ends there and says what"
)]

mod carve;
mod known;
mod medium;
mod search;
mod story;
mod table;

use std::process::ExitCode;

use story::{Ending, Story};

const HELP: &str = "\
Searches a data folder and its raw medium for envelopes that were forgotten, and tries every key that is still there.

  six-hours [ENVELOPES]        with so many known envelopes in each of two stories (40)
  six-hours --sabotage         with planted faults, which must be caught

Two boxes live on a small ext4 of their own (root, for the loop mount). One runs past the deadline; the other is stopped
before it and started after it. Then every file is searched at every offset for any 32 bytes of each envelope, sealed at
rest or not; the raw medium is carved at every offset for wrapped keys, which are tried with the box key and every shred
secret that is there; and each block of an envelope that the medium still holds is tried with every key.";

fn main() -> ExitCode {
    let envelopes = match std::env::args().nth(1).map(|word| word.parse()) {
        None => 40,
        Some(Ok(count)) => count,
        Some(Err(_)) => {
            eprintln!("{HELP}");
            return ExitCode::from(2);
        }
    };
    let mut broken = 0;
    let mut tried = 0;
    for ending in [Ending::RunsOn, Ending::IsStopped] {
        let found = Story::live(envelopes, ending).judge();
        println!("{found}");
        broken += found.broken();
        tried += found.tried();
    }
    if broken > 0 {
        println!("six-hours: BROKEN, {broken} things are readable or still there that must not be");
        return ExitCode::FAILURE;
    }
    println!(
        "six-hours: ok, 2 x {envelopes} envelopes forgotten: none in the data folder, none on the medium opens ({tried} tries)"
    );
    ExitCode::SUCCESS
}
