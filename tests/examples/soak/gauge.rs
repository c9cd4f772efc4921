//! What the box takes at one moment.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use hob_tests::boxes::HobBox;
use hob_tests::measure::resident_kib;

pub struct Gauge {
    pub at_s: f64,
    resident_kib: f64,
    proportional_kib: f64,
    /// Without the program's own pages, which come and go as the system needs memory elsewhere.
    own_kib: f64,
    /// Beyond the connections, which come and go.
    descriptors: f64,
    threads: f64,
    disk_kib: f64,
    connections: f64,
}

/// Its name, its unit, whether it must not grow, and how it is read.
type Reading = (&'static str, &'static str, bool, fn(&Gauge) -> f64);

/// What is looked at.
pub const READINGS: &[Reading] = &[
    ("resident memory, program included", "KiB", false, |gauge| gauge.resident_kib),
    ("proportional memory, program included", "KiB", false, |gauge| gauge.proportional_kib),
    ("memory of its own", "KiB", true, |gauge| gauge.own_kib),
    ("descriptors without connections", "", true, |gauge| gauge.descriptors),
    ("threads", "", true, |gauge| gauge.threads),
    ("disk", "KiB", true, |gauge| gauge.disk_kib),
];

impl Gauge {
    pub fn read(hob: &HobBox, at_s: f64) -> Self {
        let pid = hob.pid();
        let process = Path::new("/proc").join(pid.to_string());
        let links = fs::read_dir(process.join("fd")).unwrap().flatten().map(|entry| fs::read_link(entry.path()));
        let (mut descriptors, mut sockets) = (0.0, 0.0);
        let established = established();
        for link in links.flatten() {
            let name = link.to_string_lossy().into_owned();
            if established.contains(&name) {
                sockets += 1.0;
            } else {
                descriptors += 1.0;
            }
        }
        Self {
            at_s,
            resident_kib: resident_kib(pid) as f64,
            proportional_kib: field(&process.join("smaps_rollup"), "Pss:"),
            own_kib: field(&process.join("status"), "RssAnon:"),
            descriptors,
            threads: field(&process.join("status"), "Threads:"),
            disk_kib: blocks(&hob.data) as f64 / 2.0,
            connections: sockets,
        }
    }
}

impl std::fmt::Display for Gauge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.1} MiB resident, {:.1} of its own, {} connections, {} other descriptors, {} threads, {:.1} MiB of disk",
            self.resident_kib / 1024.0,
            self.own_kib / 1024.0,
            self.connections,
            self.descriptors,
            self.threads,
            self.disk_kib / 1024.0
        )
    }
}

fn field(path: &Path, name: &str) -> f64 {
    let text = fs::read_to_string(path).unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Established TCP connections, as links to them read (proc_pid_net(5): state 01).
fn established() -> std::collections::HashSet<String> {
    let text = fs::read_to_string("/proc/net/tcp").unwrap();
    let fields = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut established = fields.filter(|fields| fields.get(3) == Some(&"01"));
    let inodes = established.by_ref().filter_map(|fields| fields.get(9).map(|inode| format!("socket:[{inode}]")));
    inodes.collect()
}

/// What lies under a folder, in blocks of 512 bytes. What goes meanwhile is not there.
fn blocks(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(about) if about.is_dir() => blocks(&entry.path()),
            Ok(about) => about.blocks(),
            Err(_) => 0,
        })
        .sum()
}
