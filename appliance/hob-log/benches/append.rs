//! Records per CPU-second and bytes at the device, of the log alone: `cargo bench -p hob-log`.
//!
//! Bytes are what the folder's block device counted (`/sys/dev/block/*/stat`), so an idle machine is needed;
//! `/proc/self/io` misses metadata. `HOB_BENCH_DIR` chooses the folder.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bytes::Bytes;
use hob_log::{DiskLog, EventLog, Opened, Options};
use hob_protocol::frame::Urgency;
use hob_protocol::ids::{EnvelopeId, MailboxId};
use hob_relay::clock::{BoxTime, Now};
use hob_relay::event::{Append, Place};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let root = std::env::var_os("HOB_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    println!("{:<44} {:>12} {:>12} {:>10}", "2 KiB envelopes", "per CPU-s", "per s", "B/record");
    store(&root, "groups of 64, with acknowledgements", 200_000, 64, true)?;
    store(&root, "groups of 64, without", 200_000, 64, false)?;
    store(&root, "alone, acknowledged with the next", 20_000, 1, true)?;
    start(&root, 100_000, 64)?;
    start(&root, 20_000, 1)?;
    idle(&root)
}

fn now(minutes: u64) -> Now {
    Now { box_time: BoxTime(minutes * 60_000), ..Now::default() }
}

fn accept(number: u64, body: &Bytes) -> Append {
    let mut id = [7; 32];
    id[..8].copy_from_slice(&number.to_le_bytes());
    Append::Accept {
        mailbox: MailboxId([number as u8; 16]),
        id: EnvelopeId(id),
        deadline: BoxTime(u64::MAX),
        urgency: Urgency::Wake,
        body: body.clone(),
    }
}

fn open(folder: &Path, at: Now) -> Result<Opened, Failure> {
    Ok(DiskLog::open(Options::new(folder), |_| at)?)
}

fn store(root: &Path, what: &str, count: u64, group: u64, acknowledges: bool) -> Result<(), Failure> {
    let folder = tempfile::tempdir_in(root)?;
    let mut log = open(folder.path(), now(0))?.log;
    let body = Bytes::from(vec![5; 2048]);
    log.commit(now(0), &[accept(0, &body)])?;
    rustix::fs::sync();
    let (cpu, wall, device) = (cpu_seconds()?, Instant::now(), device_bytes(folder.path())?);
    let mut places: Vec<Place> = Vec::new();
    for first in (1..=count).step_by(usize::try_from(group)?) {
        let acknowledged = std::mem::take(&mut places).into_iter().filter(|_| acknowledges);
        let ends = acknowledged.map(|place| Append::Acknowledge { place });
        let accepts = (first..first + group).map(|number| accept(number, &body));
        let batch: Vec<Append> = ends.chain(accepts).collect();
        places = log.commit(now(0), &batch)?;
    }
    log.wait_for_events();
    let (cpu, wall) = (cpu_seconds()? - cpu, wall.elapsed().as_secs_f64());
    rustix::fs::sync();
    let bytes = device_bytes(folder.path())? - device;
    let count = count as f64;
    println!("{what:<44} {:>12.0} {:>12.0} {:>10.0}", count / cpu, count / wall, bytes as f64 / count);
    Ok(())
}

fn start(root: &Path, count: u64, group: u64) -> Result<(), Failure> {
    let folder = tempfile::tempdir_in(root)?;
    let mut log = open(folder.path(), now(0))?.log;
    let body = Bytes::from(vec![5; 2048]);
    for first in (0..count).step_by(usize::try_from(group)?) {
        let batch: Vec<Append> = (first..first + group).map(|number| accept(number, &body)).collect();
        log.commit(now(first * 330 / count), &batch)?;
    }
    log.close()?;
    drop(log);
    let began = Instant::now();
    let opened = open(folder.path(), now(330))?;
    let took = began.elapsed();
    println!("open with {} pending, stored in groups of {group}: {took:?}", opened.pending.len());
    Ok(())
}

fn idle(root: &Path) -> Result<(), Failure> {
    let folder = tempfile::tempdir_in(root)?;
    let mut log = open(folder.path(), now(0))?.log;
    let body = Bytes::from(vec![5; 2048]);
    for minutes in 0..360 {
        log.commit(now(minutes), &[accept(minutes, &body)])?;
        log.tick(now(minutes))?;
    }
    log.wait_for_events();
    drop(log);
    let before = resident_kib()?;
    let opened = open(folder.path(), now(359))?;
    opened.log.wait_for_events();
    let windows = opened.log.stats().windows.len();
    println!("{windows} windows and the ledger open: {} KiB resident, {before} KiB before", resident_kib()?);
    Ok(())
}

/// User and system time of this process, all threads, in seconds (`proc_pid_stat(5)`, fields 14 and 15). Waiting for the
/// medium is not in it, but a loaded machine's cache misses are.
fn cpu_seconds() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after = stat.rsplit(") ").next().unwrap_or_default();
    let fields: Vec<&str> = after.split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    // USER_HZ, which Linux fixes at 100 for everything in /proc.
    Ok(ticks as f64 / 100.0)
}

/// Bytes written to the device that holds a folder (`Documentation/block/stat.rst`, field 7, sectors of 512 B).
fn device_bytes(folder: &Path) -> Result<u64, Failure> {
    let device = std::fs::metadata(folder)?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let Ok(stat) = std::fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat")) else {
        return Ok(0);
    };
    let sectors: u64 = stat.split_whitespace().nth(6).unwrap_or("0").parse()?;
    Ok(sectors * 512)
}

fn resident_kib() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    Ok(line.split_whitespace().nth(1).unwrap_or("0").parse()?)
}
