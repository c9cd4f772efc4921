//! The disk under the data folder: room, and whether what is overwritten is gone.

use std::path::Path;

use crate::cmd::doctor::finding::{Finding, bytes};
use crate::cmd::doctor::patient::Patient;
use crate::cmd::doctor::proc::{Mount, mount_of};

/// Room that the box needs to go on: journals are preallocated in steps of 4 MiB, for a dozen windows and the ledger.
const ROOM_MIN_BYTES: u64 = 64 << 20;

/// File systems that write anew instead of over: a key that is overwritten stays readable until its block is used again.
const COPY_ON_WRITE: [&str; 8] = ["btrfs", "zfs", "bcachefs", "nilfs2", "f2fs", "overlay", "overlayfs", "aufs"];

/// File systems of another machine, or behind a program: nobody here knows what becomes of a block.
const NOT_HERE: [&str; 9] = ["nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "ceph", "fuse", "fuseblk"];

/// Looks at room and file system.
pub fn check(patient: &Patient, findings: &mut Vec<Finding>) {
    // Where the folder is not there yet, its nearest ancestor tells.
    let Some(path) = patient.data.ancestors().find(|path| path.exists()) else { return };
    findings.push(room(patient, path));
    findings.push(match mount_of(path) {
        Some(mount) => file_system(&mount),
        None => Finding::look("file system", "which one it is cannot be read", "see that /proc is mounted"),
    });
}

fn room(patient: &Patient, path: &Path) -> Finding {
    const CHECK: &str = "disk";
    let Ok(disk) = rustix::fs::statvfs(path) else {
        return Finding::wrong(CHECK, "the disk does not say how much room it has", "look at it with `dmesg` and `df`");
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let wanted = patient.config.relay.box_bytes.saturating_mul(2).clamp(ROOM_MIN_BYTES * 2, 1 << 30);
    if disk.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY) {
        return Finding::wrong(
            CHECK,
            "the disk is mounted read-only: nothing can be accepted, and nothing be destroyed",
            "often a failing card: look at `dmesg`; then mount it writable, or move to another disk",
        );
    }
    if disk.f_files > 0 && disk.f_favail < 1000 {
        return Finding::wrong(CHECK, "the disk takes hardly any more files (no inodes left)", "remove files from it");
    }
    if free < ROOM_MIN_BYTES {
        return Finding::wrong(
            CHECK,
            format!("only {} free; the box refuses new envelopes when it cannot store them", bytes(free)),
            format!("free at least {} on it", bytes(wanted)),
        );
    }
    if free < wanted {
        return Finding::look(
            CHECK,
            format!("{} free; a full box needs more", bytes(free)),
            format!("free {} on it, or set quota.box_bytes lower", bytes(wanted)),
        );
    }
    Finding::ok(CHECK, format!("{} free", bytes(free)))
}

fn file_system(mount: &Mount) -> Finding {
    const CHECK: &str = "file system";
    const MOVE: &str = "put the data folder on an ext4 or xfs of its own";
    let kind = mount.kind.as_str();
    if COPY_ON_WRITE.contains(&kind) {
        return Finding::look(
            CHECK,
            format!(
                "{kind} does not write over what was there: keys that the box destroys can be read from the disk for a \
                 while, with the box key"
            ),
            MOVE,
        );
    }
    if mount.has("data=journal") {
        return Finding::look(
            CHECK,
            format!("{kind} with data=journal keeps a copy of what is overwritten in its journal, keys too"),
            "mount it without data=journal",
        );
    }
    if NOT_HERE.contains(&kind) || kind.starts_with("fuse.") {
        return Finding::look(
            CHECK,
            format!("{kind} is kept elsewhere: whether a destroyed key is gone there, nobody here knows"),
            MOVE,
        );
    }
    if matches!(kind, "tmpfs" | "ramfs") {
        return Finding::look(
            CHECK,
            format!("{kind} is memory: members, keys and mail are gone when this machine goes off"),
            MOVE,
        );
    }
    Finding::ok(CHECK, format!("{kind} writes over what was there, so destroyed keys are gone"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::doctor::finding::Verdict;

    fn verdict(kind: &str, options: &[&str]) -> Verdict {
        let options = options.iter().map(|&option| option.to_owned()).collect();
        file_system(&Mount { at: "/".into(), kind: kind.to_owned(), options }).verdict
    }

    #[test]
    fn a_file_system_that_keeps_what_is_overwritten_is_worth_a_look() {
        for kind in ["btrfs", "zfs", "overlay", "f2fs", "nfs4", "fuse.sshfs", "tmpfs"] {
            assert_eq!(verdict(kind, &["rw"]), Verdict::Look, "{kind}");
        }
        assert_eq!(verdict("ext4", &["rw", "data=journal"]), Verdict::Look);
        for kind in ["ext4", "xfs", "ext2"] {
            assert_eq!(verdict(kind, &["rw", "data=ordered"]), Verdict::Ok, "{kind}");
        }
    }
}
