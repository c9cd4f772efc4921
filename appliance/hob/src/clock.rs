//! The real clocks behind the relay's time: one that runs through suspend, and the wall's.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// Reads the clocks. A demo build may let box time run faster; nothing else ever does.
#[derive(Debug, Clone, Copy)]
pub struct Clocks {
    started_at: Duration,
    speed: u32,
}

impl Clocks {
    /// Clocks at their true speed, or `speed` times as fast from now on.
    pub fn new(speed: u32) -> Self {
        Self { started_at: boot_time(), speed: speed.max(1) }
    }

    /// A monotone time that runs through suspend: a laptop's lid must not keep mail.
    pub fn monotone(&self) -> Duration {
        let real = boot_time();
        self.started_at + real.saturating_sub(self.started_at) * self.speed
    }

    /// The wall clock in Unix milliseconds; 0 if it is set before 1970.
    pub fn unix_ms(&self) -> u64 {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
    }

    /// How long to sleep until box time has advanced by this much.
    pub fn real(&self, box_time: Duration) -> Duration {
        box_time / self.speed
    }
}

fn boot_time() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Whether a time service has set the wall clock: systemd-timesyncd leaves this file when it has.
pub fn is_set_by_a_time_service() -> bool {
    std::path::Path::new("/run/systemd/timesync/synchronized").exists()
}
