//! What the machine tells of itself. What it does not tell is absent.

use std::fs;
use std::path::Path;

use crate::cmd::doctor::proc;

/// What the overview shows of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Machine {
    /// Used of the disk under the data folder, and its size.
    pub disk: Option<(u64, u64)>,
    /// Room left on it for the box's user.
    pub disk_free_bytes: Option<u64>,
    /// Written to it since the machine's start.
    pub written_bytes: Option<u64>,
    /// Of the card's life, as it says itself (JEDEC JESD84-B51, EXT_CSD 268 and 269).
    pub worn_percent: Option<u32>,
    /// Of the board.
    pub celsius: Option<u32>,
    /// Memory of the machine.
    pub memory_bytes: Option<u64>,
    /// Of it, what programs can have.
    pub memory_free_bytes: Option<u64>,
}

impl Machine {
    /// Looks.
    pub fn look(data: &Path) -> Self {
        let disk = rustix::fs::statvfs(data).ok();
        let device = proc::device_of(data);
        let read = |name: &str| fs::read_to_string(device.as_ref()?.join(name)).ok();
        let memory = proc::memory();
        Self {
            disk: disk.as_ref().map(|disk| {
                let size = disk.f_blocks.saturating_mul(disk.f_frsize);
                (size.saturating_sub(disk.f_bfree.saturating_mul(disk.f_frsize)), size)
            }),
            disk_free_bytes: disk.map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
            written_bytes: read("stat").and_then(|stat| written(&stat)),
            worn_percent: read("device/life_time").and_then(|life| worn(&life)),
            celsius: celsius(&fs::read_to_string("/sys/class/thermal/thermal_zone0/temp").unwrap_or_default()),
            memory_bytes: memory.get("MemTotal").copied(),
            memory_free_bytes: memory.get("MemAvailable").copied(),
        }
    }
}

/// Field 7 of `/sys/block/*/stat`, in sectors of 512 bytes whatever the device's own are.
fn written(stat: &str) -> Option<u64> {
    stat.split_whitespace().nth(6)?.parse::<u64>().ok()?.checked_mul(512)
}

/// The worse of two estimates in tenths: "0x01 0x02".
fn worn(life_time: &str) -> Option<u32> {
    let tenths = |word: &str| u32::from_str_radix(word.trim_start_matches("0x"), 16).ok();
    let worst = life_time.split_whitespace().filter_map(tenths).max().filter(|tenths| (1..=11).contains(tenths))?;
    Some((worst * 10).min(100))
}

/// Thousandths of a degree.
fn celsius(text: &str) -> Option<u32> {
    Some(text.trim().parse::<u32>().ok()? / 1000).filter(|degrees| (1..150).contains(degrees))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read_and_nonsense_is_absent() {
        assert_eq!(written("1 2 3 4 5 6 7 8"), Some(7 * 512));
        assert_eq!((worn("0x01 0x03\n"), worn("0x00 0x00"), worn("")), (Some(30), None, None));
        assert_eq!((celsius("48312\n"), celsius("-274000"), celsius("0")), (Some(48), None, None));
    }

    #[test]
    fn this_machine_tells_its_disk_and_memory() {
        let machine = Machine::look(Path::new("/tmp"));
        assert!(machine.disk.is_some_and(|(used, size)| used <= size && size > 0));
        assert!(machine.memory_bytes > Some(1 << 20));
    }
}
