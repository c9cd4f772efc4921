//! The account of all cuts, by phase.

use std::time::Instant;

/// What became of the cuts of one phase.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    pub cuts: u64,
    pub adversarial: u64,
    /// Cuts that struck at the change that was planned, not after it.
    pub planned: u64,
    pub databases_gone: u64,
    pub databases_older: u64,
    pub accepted: u64,
    /// Accepted, not acknowledged, and there after the cut.
    pub kept: u64,
    pub lost: u64,
    pub refusals: u64,
    /// Anything else that must never be.
    pub wrong: u64,
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        self.cuts += other.cuts;
        self.adversarial += other.adversarial;
        self.planned += other.planned;
        self.databases_gone += other.databases_gone;
        self.databases_older += other.databases_older;
        self.accepted += other.accepted;
        self.kept += other.kept;
        self.lost += other.lost;
        self.refusals += other.refusals;
        self.wrong += other.wrong;
    }

    pub const fn is_well(&self) -> bool {
        self.lost == 0 && self.refusals == 0 && self.wrong == 0
    }

    fn row(&self, name: &str) -> String {
        format!(
            "{name:<12} {:>5} {:>11} {:>7} {:>9} {:>9} {:>10} {:>9} {:>5} {:>8} {:>6}",
            self.cuts,
            self.adversarial,
            self.planned,
            self.databases_gone,
            self.databases_older,
            self.accepted,
            self.kept,
            self.lost,
            self.refusals,
            self.wrong
        )
    }
}

/// Prints the table and the verdict.
pub fn print(rows: &[(&str, Tally)], began: Instant) -> Tally {
    println!();
    println!(
        "{:<12} {:>5} {:>11} {:>7} {:>9} {:>9} {:>10} {:>9} {:>5} {:>8} {:>6}",
        "phase",
        "cuts",
        "adversarial",
        "planned",
        "sled gone",
        "sled old",
        "accepted",
        "kept",
        "lost",
        "refusals",
        "wrong"
    );
    let mut all = Tally::default();
    for (name, tally) in rows {
        println!("{}", tally.row(name));
        all.add(*tally);
    }
    println!("{}", all.row("all"));
    println!();
    println!(
        "power cuts: {} in {} phases, {} accepted envelopes, {} lost, {} refusals to start, {} other breaches ({:.1} minutes)",
        all.cuts,
        rows.len(),
        all.accepted,
        all.lost,
        all.refusals,
        all.wrong,
        began.elapsed().as_secs_f64() / 60.0
    );
    all
}
