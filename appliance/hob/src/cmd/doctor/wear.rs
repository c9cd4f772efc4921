//! How much is written to the card, and what it says of its own age.

use std::fs;
use std::path::Path;

use crate::cmd::doctor::finding::{Finding, about, bytes};
use crate::cmd::doctor::patient::Patient;
use crate::cmd::doctor::proc::device_of;

const CHECK: &str = "wear";

/// A kernel's sector in `/sys/block/*/stat`, whatever the device's own is.
const SECTOR_BYTES: u64 = 512;

/// A card of 32 GB lasts for years at this.
const PER_DAY_BYTES: u64 = 2 << 30;

/// Before that, a day is not known.
const LONG_ENOUGH_S: u64 = 3600;

/// Looks at the device under the data folder.
pub fn check(patient: &Patient, findings: &mut Vec<Finding>) {
    let Some(device) = patient.data.ancestors().find(|path| path.exists()).and_then(device_of) else {
        findings.push(Finding::ok(CHECK, "the data folder lies on no device that counts what is written"));
        return;
    };
    let read = |name: &str| fs::read_to_string(device.join(name)).unwrap_or_default();
    findings.push(judge(&Device {
        name: device.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        written_bytes: written(&read("stat")),
        up_s: up_s(&fs::read_to_string("/proc/uptime").unwrap_or_default()),
        spins: read("queue/rotational").trim() == "1",
        life_time: read("device/life_time"),
        pre_eol: read("device/pre_eol_info"),
        is_card: read("device/type").trim() == "SD" || is_emmc(&device),
    }));
}

struct Device {
    name: String,
    written_bytes: Option<u64>,
    up_s: u64,
    spins: bool,
    life_time: String,
    pre_eol: String,
    is_card: bool,
}

fn is_emmc(device: &Path) -> bool {
    device.file_name().is_some_and(|name| name.to_string_lossy().starts_with("mmcblk"))
}

/// Field 7 of `/sys/block/*/stat`: sectors written since the machine started.
fn written(stat: &str) -> Option<u64> {
    stat.split_whitespace().nth(6)?.parse::<u64>().ok()?.checked_mul(SECTOR_BYTES)
}

fn up_s(uptime: &str) -> u64 {
    uptime.split(['.', ' ']).next().and_then(|seconds| seconds.parse().ok()).unwrap_or(0)
}

/// The worse of the two estimates, in tenths of its life: "0x01 0x02" (JEDEC JESD84-B51, EXT_CSD 268 and 269).
fn used_tenths(life_time: &str) -> Option<u64> {
    let estimates =
        life_time.split_whitespace().filter_map(|word| u64::from_str_radix(word.trim_start_matches("0x"), 16).ok());
    estimates.max().filter(|tenths| (1..=11).contains(tenths))
}

fn judge(device: &Device) -> Finding {
    let name = &device.name;
    let age = used_tenths(&device.life_time);
    // 1 normal, 2 warning, 3 urgent (EXT_CSD 267).
    let pre_eol = u64::from_str_radix(device.pre_eol.trim().trim_start_matches("0x"), 16).unwrap_or(0);
    if pre_eol >= 3 || age.is_some_and(|tenths| tenths >= 11) {
        return Finding::wrong(
            CHECK,
            format!("{name} says that it is worn out"),
            "stop the box, copy the data folder to a new card, and start it from there",
        );
    }
    if pre_eol == 2 || age.is_some_and(|tenths| tenths >= 9) {
        return Finding::look(CHECK, format!("{name} says that most of its life is used up"), "get a new card soon");
    }
    let says = match age {
        Some(tenths) => format!("{name} says that at most {} % of its life is used", tenths * 10),
        None if device.is_card => format!("{name} does not tell its age, as few cards do"),
        None => name.clone(),
    };
    let Some(written_bytes) = device.written_bytes else { return Finding::ok(CHECK, says) };
    let total = format!("{} written in the {} since this machine started", bytes(written_bytes), about(device.up_s));
    let a_day = written_bytes.saturating_mul(86_400) / device.up_s.max(1);
    if device.up_s >= LONG_ENOUGH_S && device.is_card && a_day > PER_DAY_BYTES {
        return Finding::look(
            CHECK,
            format!("{says}; {total}, or {} a day, by all programs together", bytes(a_day)),
            "see what writes so much (`iotop -ao`): logs belong into memory (journald: Storage=volatile), swap into zram",
        );
    }
    let spins = if device.spins { ", on a disk that spins" } else { "" };
    Finding::ok(CHECK, format!("{says}; {total}{spins}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::doctor::finding::Verdict;

    fn card() -> Device {
        Device {
            name: "mmcblk0".into(),
            written_bytes: Some(1 << 30),
            up_s: 86_400,
            spins: false,
            life_time: "0x01 0x02\n".into(),
            pre_eol: "0x01\n".into(),
            is_card: true,
        }
    }

    #[test]
    fn a_card_that_says_it_is_worn_is_believed_and_one_that_says_nothing_is_judged_by_what_is_written() {
        assert_eq!(judge(&card()).verdict, Verdict::Ok);
        assert_eq!(judge(&Device { life_time: "0x0b 0x01".into(), ..card() }).verdict, Verdict::Wrong);
        assert_eq!(judge(&Device { life_time: "0x09 0x01".into(), ..card() }).verdict, Verdict::Look);
        assert_eq!(judge(&Device { pre_eol: "0x03".into(), ..card() }).verdict, Verdict::Wrong);
        let silent = || Device { life_time: String::new(), pre_eol: String::new(), ..card() };
        assert_eq!(judge(&silent()).verdict, Verdict::Ok);
        assert_eq!(judge(&Device { written_bytes: Some(9 << 30), ..silent() }).verdict, Verdict::Look);
        assert_eq!(judge(&Device { written_bytes: Some(9 << 30), up_s: 60, ..silent() }).verdict, Verdict::Ok);
    }

    #[test]
    fn figures_of_the_kernel_are_read_or_left_out() {
        assert_eq!(written("1 2 3 4 5 6 7 8"), Some(7 * 512));
        assert_eq!(written("1 2 3"), None);
        assert_eq!(written(&format!("1 2 3 4 5 6 {}", u64::MAX)), None);
        assert_eq!(up_s("12345.67 890.1"), 12_345);
        assert_eq!([used_tenths("0x00 0x00"), used_tenths("zz"), used_tenths("0xff")], [None; 3]);
    }
}
