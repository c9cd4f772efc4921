//! The real clocks behind the relay's time: one that runs through suspend, and the wall's.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hob_relay::clock::{AGREE_WITHIN, Boot, Machine};
use rustix::time::{ClockId, clock_gettime};

/// How box time runs: as time does, but in a demo build.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    /// How much faster; 0 and 1: not at all.
    #[cfg(feature = "demo-clock")]
    pub speed: u32,
    /// A file of eight bytes, native order: by how many seconds both clocks are ahead. It may grow at any time.
    #[cfg(feature = "demo-clock")]
    pub ahead: Option<&'static std::fs::File>,
}

impl Pace {
    #[cfg(feature = "demo-clock")]
    fn speed(&self) -> u32 {
        self.speed.max(1)
    }

    #[cfg(not(feature = "demo-clock"))]
    #[expect(clippy::unused_self, reason = "a demo build has another one")]
    const fn speed(&self) -> u32 {
        1
    }

    #[cfg(feature = "demo-clock")]
    fn ahead(&self) -> Duration {
        use std::os::unix::fs::FileExt;
        let Some(file) = self.ahead else { return Duration::ZERO };
        let mut seconds = [0; 8];
        let read = file.read_exact_at(&mut seconds, 0);
        read.map_or(Duration::ZERO, |()| Duration::from_secs(u64::try_from(i64::from_ne_bytes(seconds)).unwrap_or(0)))
    }

    #[cfg(not(feature = "demo-clock"))]
    #[expect(clippy::unused_self, reason = "a demo build has another one")]
    const fn ahead(&self) -> Duration {
        Duration::ZERO
    }

    /// The clock may jump while the box sleeps: it looks up this often.
    #[cfg(feature = "demo-clock")]
    fn longest_sleep(&self) -> Duration {
        if self.ahead.is_some() { Duration::from_millis(20) } else { Duration::MAX }
    }

    #[cfg(not(feature = "demo-clock"))]
    #[expect(clippy::unused_self, reason = "a demo build has another one")]
    const fn longest_sleep(&self) -> Duration {
        Duration::MAX
    }
}

/// Reads the clocks. A demo build may let box time run faster; nothing else ever does.
#[derive(Debug, Clone, Copy)]
pub struct Clocks {
    started_at: Duration,
    pace: Pace,
}

impl Clocks {
    /// Clocks that run like this from now on.
    pub fn new(pace: Pace) -> Self {
        Self { started_at: boot_time(), pace }
    }

    /// A monotone time that runs through suspend: a laptop's lid must not keep mail.
    pub fn monotone(&self) -> Duration {
        let real = boot_time();
        self.started_at + real.saturating_sub(self.started_at) * self.pace.speed() + self.pace.ahead()
    }

    /// The wall clock in Unix milliseconds; 0 if it is set before 1970.
    pub fn unix_ms(&self) -> u64 {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from((elapsed + self.pace.ahead()).as_millis()).unwrap_or(u64::MAX)
    }

    /// How long to sleep until box time has advanced by this much.
    pub fn real(&self, box_time: Duration) -> Duration {
        (box_time / self.pace.speed()).min(self.pace.longest_sleep())
    }
}

fn boot_time() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// What tells whether the wall clock ran while the box was off.
pub fn machine(unix_ms: u64) -> Machine {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
    Machine {
        boot: boot.as_deref().and_then(boot_of),
        keeps_time_when_off: keeps_time(Path::new("/sys/class/rtc"), unix_ms),
    }
}

/// The first eight bytes of a boot's random id (random(4)).
fn boot_of(id: &str) -> Option<Boot> {
    let digits: String = id.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    (digits.len() == 16).then(|| u64::from_str_radix(&digits, 16).ok().map(Boot))?
}

/// Whether a hardware clock (rtc(4)) says what the wall clock says. One whose battery is empty began in 1970 when the power
/// came back, while the wall clock was set from a file.
fn keeps_time(clocks: &Path, unix_ms: u64) -> bool {
    let Ok(clocks) = std::fs::read_dir(clocks) else { return false };
    let wall = Duration::from_millis(unix_ms);
    clocks.flatten().any(|clock| {
        let told = std::fs::read_to_string(clock.path().join("since_epoch")).ok();
        let told = told.and_then(|seconds| seconds.trim().parse().ok()).map(Duration::from_secs);
        told.is_some_and(|told| told.abs_diff(wall) <= AGREE_WITHIN)
    })
}

/// Whether a time service has set the wall clock: systemd-timesyncd leaves this file when it has.
pub fn is_set_by_a_time_service() -> bool {
    Path::new("/run/systemd/timesync/synchronized").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: u64 = 1_790_000_000;

    #[test]
    fn a_hardware_clock_is_trusted_only_when_it_says_what_the_wall_clock_says() {
        let clocks = tempfile::tempdir().unwrap();
        assert!(!keeps_time(clocks.path(), NOW_S * 1000), "there is none");
        assert!(!keeps_time(&clocks.path().join("nowhere"), NOW_S * 1000));
        let rtc = clocks.path().join("rtc0");
        std::fs::create_dir(&rtc).unwrap();
        for (told, is_trusted) in [
            ("1790000002\n", true),
            ("1789999999\n", true),
            ("37\n", false),
            ("", false),
            ("-5", false),
            ("soon", false),
        ] {
            std::fs::write(rtc.join("since_epoch"), told).unwrap();
            assert_eq!(keeps_time(clocks.path(), NOW_S * 1000), is_trusted, "{told:?}");
        }
    }

    #[test]
    fn a_boot_is_known_by_its_random_id() {
        let id = "1ab86091-35fa-4b53-b997-cdbd3b195648\n";
        assert_eq!(boot_of(id), Some(Boot(0x1ab8_6091_35fa_4b53)));
        assert_eq!(boot_of("1ab86091"), None);
        assert!(machine(0).boot.is_some(), "this machine tells its boot");
    }
}
