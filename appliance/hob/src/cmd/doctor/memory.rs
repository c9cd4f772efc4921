//! Memory: what is left, what the box takes, and where swap would put its keys.

use std::fs;

use crate::cmd::doctor::finding::{Finding, bytes};
use crate::cmd::doctor::patient::Patient;
use crate::cmd::doctor::proc;

const CHECK: &str = "memory";

/// What a box may take when it is idle.
const IDLE_BYTES: u64 = 48 << 20;

/// What each connection may add.
const PER_CONNECTION_BYTES: u64 = 24 << 10;

/// About what an envelope that waits costs in the index.
const PER_ENVELOPE_BYTES: u64 = 256;

/// Looks at memory and swap.
pub fn check(patient: &Patient, findings: &mut Vec<Finding>) {
    let table = proc::memory();
    let of = |name: &str| table.get(name).copied().unwrap_or(0);
    let box_part = patient.care.as_ref().map(|care| {
        let status = &care.status;
        Part {
            taken: status.memory_bytes,
            budget: IDLE_BYTES
                + (status.connected + status.senders) * PER_CONNECTION_BYTES
                + status.pending * PER_ENVELOPE_BYTES,
            allowed: group_limit(care.pid),
        }
    });
    findings.push(judge(of("MemTotal"), of("MemAvailable"), box_part.as_ref()));
    findings.extend(judge_swaps(&fs::read_to_string("/proc/swaps").unwrap_or_default()));
}

/// What the running box takes.
struct Part {
    taken: u64,
    budget: u64,
    /// By its unit or container.
    allowed: Option<u64>,
}

/// `memory.max` of the process's control group (cgroups(7), version 2); `None`: there is no limit.
fn group_limit(pid: u32) -> Option<u64> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let mut folder = std::path::Path::new("/sys/fs/cgroup").join(group);
    folder.push("memory.max");
    fs::read_to_string(folder).ok()?.trim().parse().ok()
}

fn judge(total: u64, available: u64, part: Option<&Part>) -> Finding {
    if total == 0 {
        return Finding::look(CHECK, "how much there is cannot be read", "see that /proc is mounted");
    }
    let free = format!("{} of {} available", bytes(available), bytes(total));
    let says = match part {
        Some(part) => format!("{free}; the box takes {}", bytes(part.taken)),
        None => free,
    };
    let room = part.map_or(IDLE_BYTES, |part| part.budget.saturating_sub(part.taken));
    if available < room.min(IDLE_BYTES) / 2 + (8 << 20) {
        return Finding::wrong(
            CHECK,
            format!("{says}: too little to go on"),
            "stop other programs on this machine, or give it more memory",
        );
    }
    if let Some(part) = part {
        if part.allowed.is_some_and(|allowed| part.taken.saturating_mul(10) >= allowed.saturating_mul(9)) {
            return Finding::wrong(
                CHECK,
                format!("{says}, nearly all that its unit allows it"),
                "raise MemoryMax= of the unit (at least 128M)",
            );
        }
        if part.taken > part.budget.saturating_mul(2) {
            return Finding::look(
                CHECK,
                format!("{says}, more than twice the {} that it should need", bytes(part.budget)),
                "restart it when convenient (`hob restart`), and report it if it grows again",
            );
        }
    }
    if available < IDLE_BYTES * 2 {
        return Finding::look(CHECK, says, "see that nothing else on this machine grows");
    }
    Finding::ok(CHECK, says)
}

/// Memory that is swapped out lies on the disk as it is, keys and all, and long after.
fn judge_swaps(swaps: &str) -> Option<Finding> {
    let on_disk: Vec<&str> = swaps
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| !name.contains("/zram") && !name.starts_with("/dev/dm-") && !name.contains("/mapper/"))
        .collect();
    (!on_disk.is_empty()).then(|| {
        Finding::look(
            "swap",
            format!("memory may be swapped to {}, and keys with it, where nobody destroys them", on_disk.join(", ")),
            "use zram or encrypted swap, or none; the unit's MemorySwapMax=0 keeps the box out of it",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::doctor::finding::Verdict;

    const MIB: u64 = 1 << 20;

    fn part(taken_mib: u64, allowed: Option<u64>) -> Part {
        Part { taken: taken_mib * MIB, budget: IDLE_BYTES, allowed }
    }

    #[test]
    fn little_memory_is_told_before_the_kernel_ends_the_box() {
        assert_eq!(judge(1024 * MIB, 600 * MIB, None).verdict, Verdict::Ok);
        assert_eq!(judge(1024 * MIB, 80 * MIB, None).verdict, Verdict::Look);
        assert_eq!(judge(1024 * MIB, 5 * MIB, None).verdict, Verdict::Wrong);
        assert_eq!(judge(1024 * MIB, 5 * MIB, Some(&part(30, None))).verdict, Verdict::Wrong);
        assert_eq!(judge(1024 * MIB, 600 * MIB, Some(&part(30, Some(64 * MIB)))).verdict, Verdict::Ok);
        assert_eq!(judge(1024 * MIB, 600 * MIB, Some(&part(60, Some(64 * MIB)))).verdict, Verdict::Wrong);
        assert_eq!(judge(1024 * MIB, 600 * MIB, Some(&part(200, None))).verdict, Verdict::Look);
    }

    #[test]
    fn swap_on_a_disk_is_worth_a_look_and_in_compressed_memory_it_is_not() {
        let head = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
        assert_eq!(judge_swaps(head), None);
        assert_eq!(judge_swaps(&format!("{head}/dev/zram0  partition\t1\t0\t100\n")), None);
        let found = judge_swaps(&format!("{head}/dev/mmcblk0p3  partition\t1\t0\t-2\n")).unwrap();
        assert!(found.says.contains("/dev/mmcblk0p3"));
    }
}
