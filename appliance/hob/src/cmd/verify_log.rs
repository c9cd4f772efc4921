//! `hob verify-log`: checks every record of a stopped box.

use std::process::ExitCode;

use hob_log::LogVerdict;
use serde::Serialize;

use crate::cli::Look;
use crate::cmd::{data_of, say, say_json};
use crate::failure::Failure;

#[derive(Serialize)]
struct Line<'a> {
    log: String,
    records: u64,
    live: u64,
    damaged: u64,
    torn_bytes: u64,
    notes: &'a [String],
}

/// Checks and tells, log by log; nothing is changed.
///
/// # Errors
/// The folder holds no box, or one runs on it.
pub fn run(args: &Look) -> Result<ExitCode, Failure> {
    let data = data_of(&args.place)?;
    if !data.join("keys").is_dir() {
        return Err(Failure::because(format!("no box ever ran on {}; name its folder with --data", data.display())));
    }
    let verdicts = hob_log::verify(&data).map_err(|error| Failure::of(&error))?;
    for verdict in &verdicts {
        if args.json {
            say_json(&json(verdict))?;
        } else {
            tell(verdict)?;
        }
    }
    let damaged: u64 = verdicts.iter().map(|verdict| verdict.damaged).sum();
    if !args.json {
        say(&match damaged {
            0 => "everything checks out".to_owned(),
            n => format!("{n} records are damaged; the box serves the rest when it is started"),
        })?;
    }
    let is_damaged = verdicts.iter().any(LogVerdict::is_damaged);
    Ok(if is_damaged { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn json(verdict: &LogVerdict) -> Line<'_> {
    Line {
        log: verdict.log.to_string(),
        records: verdict.records,
        live: verdict.live,
        damaged: verdict.damaged,
        torn_bytes: verdict.torn_bytes,
        notes: &verdict.remarks,
    }
}

fn tell(verdict: &LogVerdict) -> Result<(), Failure> {
    let torn = match verdict.torn_bytes {
        0 => String::new(),
        n => format!(", {n} bytes at the end that were never acknowledged"),
    };
    say(&format!(
        "{}: {} records, {} live, {} damaged{torn}",
        verdict.log, verdict.records, verdict.live, verdict.damaged
    ))?;
    verdict.remarks.iter().try_for_each(|remark| say(&format!("  {remark}")))
}
