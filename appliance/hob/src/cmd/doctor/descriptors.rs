//! Open files: each connection needs one.

use crate::cmd::doctor::finding::Finding;
use crate::cmd::doctor::patient::Patient;
use crate::cmd::doctor::proc::limit_of;

const CHECK: &str = "open files";

/// What the box itself holds open: logs, keys, sockets.
const OWN: u64 = 160;

/// Connections of one device: its own, and two to send by.
const PER_DEVICE: u64 = 3;

/// A box is made for as many devices at least.
const DEVICES_MIN: u64 = 100;

/// Compares the limit with what is needed.
pub fn check(patient: &Patient, findings: &mut Vec<Finding>) {
    let pid = patient.care.as_ref().map_or_else(std::process::id, |care| care.pid);
    let Some(limit) = limit_of(pid, "Max open files") else {
        findings.push(Finding::look(
            CHECK,
            "the limit cannot be read",
            "run `hob doctor` as the box's user, or as root",
        ));
        return;
    };
    let open = patient.care.as_ref().and_then(|care| {
        let entries = std::fs::read_dir(format!("/proc/{}/fd", care.pid)).ok()?;
        Some(entries.count() as u64)
    });
    let devices = patient.care.as_ref().map_or(0, |care| care.status.devices);
    findings.push(judge(limit, open, devices, u64::from(patient.config.gate.half_open), patient.care.is_some()));
}

fn judge(limit: u64, open: Option<u64>, devices: u64, half_open: u64, is_running: bool) -> Finding {
    const RAISE: &str = "LimitNOFILE=65536 in the unit, or `ulimit -n 65536` before `hob serve`";
    let needed = OWN + PER_DEVICE * devices.max(DEVICES_MIN) + half_open;
    let who = if is_running { "the box may" } else { "a box started from here may" };
    let says = match (limit, open) {
        (u64::MAX, _) => format!("{who} open as many as it likes"),
        (limit, Some(open)) => format!("{who} open {limit}, and has {open} open"),
        (limit, None) => format!("{who} open {limit}"),
    };
    if limit < OWN || open.is_some_and(|open| open.saturating_mul(10) >= limit.saturating_mul(9)) {
        return Finding::wrong(CHECK, format!("{says}: newcomers will have to wait"), RAISE);
    }
    if limit < needed {
        let devices = devices.max(DEVICES_MIN);
        return Finding::look(CHECK, format!("{says}; with {devices} devices it may need {needed}"), RAISE);
    }
    Finding::ok(CHECK, says)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::doctor::finding::Verdict;

    #[test]
    fn the_usual_limit_is_enough_for_a_hundred_devices_and_not_for_a_thousand() {
        let verdict = |limit, open, devices| judge(limit, open, devices, 100, true).verdict;
        assert_eq!(verdict(1024, Some(40), 100), Verdict::Ok);
        assert_eq!(verdict(1024, Some(40), 1000), Verdict::Look);
        assert_eq!(verdict(256, Some(40), 3), Verdict::Look);
        assert_eq!(verdict(128, Some(40), 3), Verdict::Wrong);
        assert_eq!(verdict(1024, Some(1000), 3), Verdict::Wrong, "nearly all are used");
        assert_eq!(verdict(u64::MAX, Some(5000), 3), Verdict::Ok);
    }
}
