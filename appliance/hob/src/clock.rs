//! The real clocks behind the relay's time: one that runs through suspend, and the wall's.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

/// Whether a time service has set the wall clock: systemd-timesyncd leaves this file when it has.
pub fn is_set_by_a_time_service() -> bool {
    std::path::Path::new("/run/systemd/timesync/synchronized").exists()
}
