//! The health of the event log: what a running box knows of it, or a look at a stopped one's.

use hob_log::{Look, OpenError};

use crate::cmd::doctor::finding::{Finding, bytes};
use crate::cmd::doctor::patient::Patient;
use crate::control::wire::CareView;

const CHECK: &str = "log";

/// Looks at the log.
pub fn check(patient: &Patient, findings: &mut Vec<Finding>) {
    if let Some(care) = &patient.care {
        findings.push(running(care));
        return;
    }
    match &patient.look {
        Some(Ok(look)) => findings.push(stopped(look)),
        Some(Err(OpenError::InUse { pid, .. })) => findings.push(Finding::wrong(
            CHECK,
            format!("process {pid} holds the folder, and nobody answers the keeper there"),
            "if it is starting, look again in a moment; if it hangs, stop it and start the box again",
        )),
        Some(Err(error)) => findings.push(unreadable(error)),
        None => {}
    }
}

fn unreadable(error: &OpenError) -> Finding {
    let next = match error {
        OpenError::NewerFormat { .. } => "use the `hob` that ran on it last, or a newer one",
        OpenError::Log(_) => "look at the rights above, and at the disk",
        _ => "put what is missing back from a backup",
    };
    Finding::wrong(CHECK, crate::failure::chain(error), next)
}

fn running(care: &CareView) -> Finding {
    let status = &care.status;
    if status.storing_fails {
        return Finding::wrong(
            CHECK,
            "the disk refused the last commit: nothing new is accepted",
            "make room on the disk and see that it can be written; the box goes on by itself",
        );
    }
    if care.ledger_lost > 0 {
        return Finding::wrong(
            CHECK,
            format!("{} records of the ledger were lost before this start", care.ledger_lost),
            "compare `hob members` with who should be there, and invite again who is missing",
        );
    }
    if status.damaged_records > 0 || status.lost_windows > 0 {
        return Finding::look(
            CHECK,
            format!(
                "{} damaged records lie aside, {} windows were lost; senders' devices send again what was in them",
                status.damaged_records, status.lost_windows
            ),
            "if it happens again, the disk is failing: look at `dmesg`, and stop the box for `hob verify-log`",
        );
    }
    if care.refused_commits > 0 {
        return Finding::look(
            CHECK,
            format!("the disk refused {} commits since the start, and takes them again", care.refused_commits),
            "see that the disk does not run full",
        );
    }
    let mut says = format!(
        "generation {}, {} windows, {} on disk, nothing damaged",
        status.generation,
        status.windows,
        bytes(status.bytes_on_disk)
    );
    if care.cut_tails > 0 {
        says.push_str("; the stop before this start was sudden, and cost nothing that was acknowledged");
    }
    if care.ledger_restored > 0 {
        return Finding::look(
            CHECK,
            format!("{says}; {} damaged records of the ledger were restored from its copy", care.ledger_restored),
            "look at `dmesg`: the disk gave back something else than was written",
        );
    }
    Finding::ok(CHECK, says)
}

fn stopped(look: &Look) -> Finding {
    let sum = |part: fn(&hob_log::LogVerdict) -> u64| look.verdicts.iter().map(part).sum::<u64>();
    let (damaged, torn_bytes) = (sum(|verdict| verdict.damaged), sum(|verdict| verdict.torn_bytes));
    let is_damaged = |verdict: &&hob_log::LogVerdict| verdict.is_damaged();
    if let Some(worst) = look.verdicts.iter().find(is_damaged) {
        return Finding::wrong(
            CHECK,
            format!("{damaged} records are damaged, the first in {}", worst.log),
            "`hob verify-log` tells all; a start serves the rest and restores what its copies still have; look at `dmesg`",
        );
    }
    if look.quarantined > 0 {
        return Finding::look(
            CHECK,
            format!("{} windows lie aside since they were found damaged", look.quarantined),
            "they go by themselves within six hours of running; if more come, the disk is failing",
        );
    }
    let mut says = format!("{} logs, every record in its place", look.verdicts.len());
    if torn_bytes > 0 {
        says.push_str(&format!(
            "; the last stop was sudden and left {} half written, never acknowledged, which the next start cuts off",
            bytes(torn_bytes)
        ));
    }
    Finding::ok(CHECK, says)
}
