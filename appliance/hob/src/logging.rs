//! The log on stderr (and its last lines for the dashboard), and what a fault looks like there.
//!
//! The rule: no address, token, mailbox or label at any level. So only this project's own crates are heard: what a
//! library finds worth telling at `trace` may hold any of these.

use std::io::Write as _;

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::admin::lines::Tee;
use crate::config::Config;

/// Whose lines are written.
const OUR_CRATES: [&str; 3] = ["hob", "hob_relay", "hob_log"];

/// Starts the log.
pub fn start(config: &Config) {
    let level = match config.log_level {
        "error" => Level::ERROR,
        "warn" => Level::WARN,
        "debug" => Level::DEBUG,
        "trace" => Level::TRACE,
        _ => Level::INFO,
    };
    let ours = Targets::new().with_targets(OUR_CRATES.map(|name| (name, level)));
    let registry = tracing_subscriber::registry().with(ours);
    let written = tracing_subscriber::fmt::layer().with_writer(Tee).with_target(false).with_ansi(false);
    // A second start in one process keeps the first log.
    let _ = if config.log_format == "json" {
        registry.with(written.json().flatten_event(true)).try_init()
    } else {
        registry.with(written).try_init()
    };
}

/// Makes a fault in the program one plain line: where, and what to do. A fault never ends the box by itself.
pub fn plain_faults() {
    std::panic::set_hook(Box::new(|fault| {
        let place = fault.location().map(|place| format!("{}:{}", place.file(), place.line())).unwrap_or_default();
        // The payload stays out: it may quote what a member sent.
        let _ = writeln!(std::io::stderr().lock(), "hob: a fault in the program at {place}; please report this line");
    }));
}
