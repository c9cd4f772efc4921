//! `hob compact`: closes the open window and compacts the ledger.

use crate::cli::Look;
use crate::cmd::{data_of, say, say_json};
use crate::control::client;
use crate::control::wire::Compacted;
use crate::failure::Failure;

/// Orders it and tells what came of it.
///
/// # Errors
/// No box runs, or its disk refuses.
pub fn run(args: &Look) -> Result<(), Failure> {
    let data = data_of(&args.place)?;
    let report: Compacted = client::post(&data, "/v1/compact", &())?;
    if args.json {
        return say_json(&report);
    }
    let closed = report.closed_window.map_or_else(String::new, |window| format!("window {window} closed; "));
    let keys = match report.windows_with_body_key {
        0 => "every body key destroyed, so no body that the box ever took can be read".to_owned(),
        n => format!("{n} window(s) keep their body key, because something in them waits"),
    };
    say(&format!(
        "{closed}{keys}; ledger generation {}, {} of {} records kept",
        report.generation, report.records_after, report.records_before
    ))
}
