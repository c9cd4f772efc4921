//! `hob restart`: lets the box restart in place, as the program that lies at its path now.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::cli::Look;
use crate::cmd::{data_of, say, say_json};
use crate::control::client;
use crate::control::wire::{CareView, Restarting};
use crate::failure::Failure;

/// A start that has to rebuild its databases takes some seconds.
const BACK_WITHIN: Duration = Duration::from_secs(60);

/// How often it is asked whether it is back.
const ASK_EVERY: Duration = Duration::from_millis(10);

#[derive(Serialize)]
struct Restarted {
    from_version: String,
    to_version: String,
    connections_told: u64,
    ready_after_ms: u64,
}

/// Orders it and waits until the box is back.
///
/// # Errors
/// No box runs, what lies at its path cannot take over, or it does not come back.
pub fn run(args: &Look) -> Result<(), Failure> {
    let data = data_of(&args.place)?;
    let began = Instant::now();
    let told: Restarting = client::post(&data, "/v1/restart", &())?;
    let care = loop {
        let answer: Result<CareView, _> = client::get_within(&data, "/v1/care", ASK_EVERY.max(Duration::from_secs(1)));
        match answer {
            Ok(care) if care.run != told.run => break care,
            _ if began.elapsed() > BACK_WITHIN => {
                return Err(Failure::because(format!(
                    "the box does not answer {} s after it began to restart; look at its log",
                    BACK_WITHIN.as_secs()
                )));
            }
            _ => std::thread::sleep(ASK_EVERY),
        }
    };
    let report = Restarted {
        from_version: told.from_version,
        to_version: care.version,
        connections_told: told.connections,
        ready_after_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    if args.json {
        return say_json(&report);
    }
    let Restarted { from_version, to_version, connections_told, ready_after_ms } = report;
    let what = if from_version == to_version {
        format!("hob {to_version} restarted")
    } else {
        format!("hob {from_version} made way for hob {to_version}")
    };
    say(&format!("{what}, ready after {ready_after_ms} ms; {connections_told} connections were told to come back"))
}
