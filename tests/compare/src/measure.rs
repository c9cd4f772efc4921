//! What a server costs: its whole process tree, and the file system that only it writes to.

use std::collections::HashMap;
use std::path::Path;

use hob_tests::measure::{cpu_seconds, device_bytes_written, resident_kib};

/// A server's process and all below it.
pub fn tree(pid: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let Some(child) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{child}/stat")) else { continue };
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        children.entry(parent.unwrap_or_default()).or_default().push(child);
    }
    let mut found = vec![pid];
    let mut at = 0;
    while let Some(parent) = found.get(at) {
        found.extend(children.remove(parent).unwrap_or_default());
        at += 1;
    }
    found
}

/// User and system time of the tree, in seconds.
pub fn cpu(pid: u32) -> f64 {
    tree(pid).into_iter().map(cpu_seconds).sum()
}

/// Resident memory of the tree, in KiB.
pub fn memory_kib(pid: u32) -> u64 {
    tree(pid).into_iter().map(resident_kib).sum()
}

/// Bytes that the tree handed to the block layer (`/proc/PID/io`): all writes, also those that were overwritten or cut off
/// before they reached the device.
pub fn process_bytes(pid: u32) -> u64 {
    let of = |pid| {
        let io = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
        let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: ").map(str::to_owned));
        line.and_then(|bytes| bytes.parse::<u64>().ok()).unwrap_or_default()
    };
    tree(pid).into_iter().map(of).sum()
}

/// Bytes that reached the block device below a folder, with everything written out first.
pub fn device_bytes(folder: &Path) -> Option<u64> {
    let file = std::fs::File::open(folder).ok()?;
    rustix::fs::syncfs(&file).ok()?;
    device_bytes_written(folder)
}

/// What a folder takes on the disk, in KiB.
pub fn disk_kib(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let entries = std::fs::read_dir(folder).map(|entries| entries.flatten().collect::<Vec<_>>()).unwrap_or_default();
    entries
        .into_iter()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => disk_kib(&entry.path()),
            Ok(metadata) => metadata.blocks() / 2,
            Err(_) => 0,
        })
        .sum()
}
