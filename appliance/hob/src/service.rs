//! The service manager (sd_notify(3)): told when the box is ready, restarts, stops, and, for its watchdog, that it turns.
//! Without one all of this does nothing; and nobody waits for one that is gone.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// Connections are taken.
pub fn ready(port: u16) {
    tell(&[NotifyState::Ready, NotifyState::Status(&format!("serving members on port {port}"))]);
}

/// The box restarts in place; [`ready`] follows, from the same process.
pub fn restarting() {
    let Ok(now) = NotifyState::monotonic_usec_now() else { return };
    tell(&[NotifyState::Reloading, now, NotifyState::Status("restarting in place")]);
}

/// The box stops.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("telling clients, closing the log")]);
}

fn tell(states: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(states);
}

/// Whether there is a service manager.
pub fn is_there() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// After how long without a word the service manager ends the box.
pub fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|every| is_there() && !every.is_zero())
}

/// Says that the box lives: from the engine's loop, when it has truly turned and the log is not stuck.
#[derive(Debug)]
pub struct Pulse {
    every: Duration,
    stuck_after: Duration,
    next: Instant,
    status: Option<&'static str>,
}

impl Pulse {
    /// A pulse as the service manager wants it, if it wants one.
    pub fn wanted() -> Option<Self> {
        // Three beats in the time after which it would end the box; a commit may be slow once.
        watchdog().map(|watchdog| Self {
            every: watchdog / 3,
            stuck_after: watchdog / 2,
            next: Instant::now(),
            status: None,
        })
    }

    /// How long until the next beat.
    pub fn due_in(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }

    /// Beats if it is time, unless the log has been at one thing for too long: better a restart than a box that takes
    /// connections and answers nothing.
    pub fn turn(&mut self, log_busy_for: Duration, cannot_store: impl FnOnce() -> bool) {
        if !self.due_in().is_zero() {
            return;
        }
        self.next = Instant::now() + self.every;
        if log_busy_for > self.stuck_after {
            tracing::error!(
                "the disk has not answered for long; the service manager is told nothing more until it does"
            );
            return;
        }
        tell(&[NotifyState::Watchdog]);
        let status =
            cannot_store().then_some("THE DISK REFUSES: nothing is accepted until it has room and can be written");
        if status != self.status {
            self.status = status;
            tell(&[NotifyState::Status(status.unwrap_or("the disk takes envelopes again"))]);
        }
    }
}
