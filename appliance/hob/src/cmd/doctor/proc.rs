//! The kernel's own tables: mounts, memory, listening sockets.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A mounted file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where.
    pub at: PathBuf,
    /// "ext4", "btrfs", …
    pub kind: String,
    /// Options of the mount and of the file system, each one once.
    pub options: Vec<String>,
}

impl Mount {
    /// Whether an option is set, as `ro` or `data=journal`.
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|set| set == option)
    }
}

/// The mount that a path lies on.
pub fn mount_of(path: &Path) -> Option<Mount> {
    let path = fs::canonicalize(path).ok()?;
    mount_in(&fs::read_to_string("/proc/self/mountinfo").ok()?, &path)
}

/// Among the lines of `mountinfo` (proc(5)): the longest mount point that leads to the path; of two the later one, which
/// lies over the earlier.
pub fn mount_in(mountinfo: &str, path: &Path) -> Option<Mount> {
    let mounts = mountinfo.lines().filter_map(parse_mount);
    mounts.filter(|mount| path.starts_with(&mount.at)).max_by_key(|mount| mount.at.components().count())
}

fn parse_mount(line: &str) -> Option<Mount> {
    let (front, back) = line.split_once(" - ")?;
    let mut front = front.split(' ').skip(4);
    let (at, own) = (front.next()?, front.next()?);
    let mut back = back.split(' ');
    let (kind, _source, of_all) = (back.next()?, back.next()?, back.next().unwrap_or(""));
    let options = own.split(',').chain(of_all.split(',')).filter(|option| !option.is_empty());
    Some(Mount { at: unescape(at).into(), kind: kind.to_owned(), options: options.map(str::to_owned).collect() })
}

/// Spaces, tabs, line ends and backslashes are written in octal.
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(text.to_owned(), |text, (octal, plain)| text.replace(octal, plain))
}

/// `/proc/meminfo`, in bytes.
pub fn memory() -> HashMap<String, u64> {
    parse_memory(&fs::read_to_string("/proc/meminfo").unwrap_or_default())
}

fn parse_memory(text: &str) -> HashMap<String, u64> {
    let line = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        let kib: u64 = rest.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        Some((name.to_owned(), kib << 10))
    };
    text.lines().filter_map(line).collect()
}

/// The inodes of the sockets that listen on a TCP port.
pub fn listeners_on(port: u16) -> Vec<u64> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .flat_map(|table| parse_listeners(&fs::read_to_string(table).unwrap_or_default(), port))
        .collect()
}

/// Lines of `/proc/net/tcp`: state 0A is LISTEN; the local port is behind the address, in hex; the inode is field 10.
fn parse_listeners(table: &str, port: u16) -> Vec<u64> {
    let line = |line: &str| {
        let mut fields = line.split_whitespace();
        let (local, state) = (fields.nth(1)?, fields.nth(1)?);
        let (_, local_port) = local.rsplit_once(':')?;
        let listens = state == "0A" && u16::from_str_radix(local_port, 16) == Ok(port);
        listens.then(|| fields.nth(5)?.parse().ok()).flatten()
    };
    table.lines().skip(1).filter_map(line).collect()
}

/// The process that holds one of these sockets, with its name, if this user may see it.
pub fn holder_of(inodes: &[u64]) -> Option<(u32, String)> {
    let wanted: Vec<PathBuf> = inodes.iter().map(|inode| format!("socket:[{inode}]").into()).collect();
    let processes = fs::read_dir("/proc").ok()?.flatten();
    processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).find_map(|pid| {
        let mut descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
        let holds = descriptors.any(|fd| fs::read_link(fd.path()).is_ok_and(|target| wanted.contains(&target)));
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        holds.then(|| (pid, name.trim().to_owned()))
    })
}

/// The folder of the block device that a path lies on, in `/sys`: the whole device, not a partition of it. `None` where
/// there is no such device, as under overlays and in memory.
pub fn device_of(path: &Path) -> Option<PathBuf> {
    let device = fs::metadata(path).ok()?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let folder = fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).ok()?;
    if folder.join("partition").exists() { folder.parent().map(Path::to_path_buf) } else { Some(folder) }
}

/// A soft limit of a process, by its name in `/proc/PID/limits`; `u64::MAX` is none.
pub fn limit_of(pid: u32, name: &str) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 8:1 / / rw,noatime shared:1 - ext4 /dev/sda1 rw,data=journal
30 27 0:40 / /srv rw - btrfs /dev/sdb rw,subvol=/
31 27 8:2 / /srv/my\\040box ro,nosuid - f2fs /dev/sdc rw";

    #[test]
    fn the_longest_mount_point_wins_and_its_options_come_from_both_sides_of_the_line() {
        let at = |path: &str| mount_in(MOUNTS, Path::new(path)).unwrap();
        assert_eq!(at("/srv/hob").kind, "btrfs");
        assert!(at("/var/hob").has("data=journal") && at("/var/hob").has("noatime"));
        assert_eq!((at("/srv/my box/data").kind.as_str(), at("/srv/my box/data").has("ro")), ("f2fs", true));
        assert_eq!(at("/srvs").kind, "ext4", "a name that only begins alike is another folder");
    }

    #[test]
    fn tables_of_the_kernel_with_anything_in_them_are_read_without_a_panic() {
        for text in ["", " - ", "a - b", "1 2 3 4 5 6 - ", "\n\n", "x: kB", "MemTotal:  kB"] {
            assert_eq!(mount_in(text, Path::new("/")), None, "{text:?}");
            assert!(parse_memory(text).is_empty() && parse_listeners(text, 1).is_empty());
        }
        assert_eq!(parse_memory("MemTotal:  8 kB\n")["MemTotal"], 8192);
    }

    #[test]
    fn only_sockets_that_listen_on_the_port_are_found() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 00000000:20FB 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100\n   \
            1: 0100007F:20FB 0100007F:9999 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0 100";
        assert_eq!(parse_listeners(table, 8443), [4711]);
        assert!(parse_listeners(table, 8444).is_empty());
    }

    #[test]
    fn a_process_finds_its_own_listening_socket() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let inodes = listeners_on(listener.local_addr().unwrap().port());
        assert_eq!(holder_of(&inodes).unwrap().0, std::process::id());
    }
}
