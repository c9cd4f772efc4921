//! `just bench`: what Hob costs, per CPU-second of the box's process, with TLS on and 2 KiB envelopes.
//!
//! Every figure is taken from a real `hob serve` over loopback, with clients in this process. Quotas and rates are raised
//! by configuration, as [`box_for_load`] says. Run one part with `cargo bench -p hob-tests --bench figures -- NAME`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "a bench that cannot go on stops; what it prints is what it is for"
)]

mod json;
mod load;
mod memory;
mod online;
mod stored;

use hob_tests::boxes::{HobBox, Start};

type Part = (&'static str, &'static str, fn());

const PARTS: &[Part] = &[
    ("size", "the binary", size),
    ("online", "submit, synced, pushed, acknowledged", online::closed_loop),
    ("paced", "the same at 500 a second, with one-way times", online::paced),
    ("online-only", "passed on and never kept", online::online_only),
    ("stored", "20,000 kept for 100 absent owners, then drained", stored::store_and_drain),
    ("json", "submitted in single requests, synced", json::submitted),
    ("bytes", "bytes written to the device per envelope", stored::bytes_written),
    ("start", "a start with 100,000 pending", stored::start_with_pending),
    ("memory", "memory idle and per device", memory::idle),
    ("windows", "memory with twelve windows", memory::twelve_windows),
];

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    for (name, what, run) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            println!("## {name}: {what}");
            run();
            println!();
        }
    }
}

/// Prints one figure.
pub fn figure(what: &str, value: f64, unit: &str) {
    let value = if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    println!("{what:<64} {value:>12} {unit}");
}

/// A box whose quotas do not stand in the way of a bench.
pub fn box_for_load() -> HobBox {
    Start::for_load().fresh()
}

fn size() {
    let bytes = std::fs::metadata(hob_tests::boxes::program("hob")).unwrap().len();
    figure("hob, stripped", bytes as f64 / 1e6, "MB");
}
