//! When the engine wakes, checkpoints its clock, and believes a time.

use std::time::{Duration, Instant};

use hob_protocol::ids::MemberId;
use hob_relay::Input;
use hob_relay::clock::{BoxTime, CHECKPOINT_EVERY, Now, TimeSource};

use crate::clock::is_set_by_a_time_service;
use crate::engine::ClockView;
use crate::engine::run::Task;
use crate::service::Pulse;

/// How often the log looks at its windows.
const LOG_TICK_EVERY: Duration = Duration::from_secs(10);

/// What the engine wakes for, in box time.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    pub(super) relay: Option<BoxTime>,
    dropped_unconfirmed: bool,
    log_tick: BoxTime,
    checkpoint: BoxTime,
}

impl Task {
    /// How long until the next alarm.
    pub(super) fn nap(&mut self) -> Duration {
        let now = self.clock.now(self.clocks.monotone(), self.clocks.unix_ms()).box_time;
        let alarms = &self.alarms;
        let next = alarms.relay.unwrap_or(BoxTime(u64::MAX)).min(alarms.log_tick).min(alarms.checkpoint);
        let rides = self.rides_until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
        let pulse = self.pulse.as_ref().map_or(Duration::MAX, Pulse::due_in);
        // A demo clock may run so fast that the nap rounds to nothing: a millisecond keeps the loop from spinning.
        self.clocks.real(next.since(now)).min(rides).min(pulse).max(Duration::from_millis(1))
    }

    /// Does what is due.
    pub(super) fn ring(&mut self, now: Now) {
        if self.alarms.relay.is_some_and(|at| at <= now.box_time) {
            let effects = self.relay.handle_input(now, Input::Timeout);
            self.carry_out(effects);
        }
        if self.alarms.log_tick <= now.box_time {
            self.alarms.log_tick = now.box_time.plus(LOG_TICK_EVERY);
            self.writer.tick(now);
            self.drop_unconfirmed(now);
        }
        if self.alarms.checkpoint <= now.box_time {
            self.alarms.checkpoint = now.box_time.plus(CHECKPOINT_EVERY);
            let monotone = self.clocks.monotone();
            if is_set_by_a_time_service() {
                self.vote(TimeSource::TimeService, self.clocks.unix_ms());
            }
            let checkpoint = self.clock.checkpoint(monotone, self.clocks.unix_ms());
            self.writer.checkpoint(checkpoint);
        }
    }

    /// What the box thinks of the time.
    pub(super) fn clock_view(&mut self, now: Now) -> ClockView {
        ClockView {
            unix_ms: self.clock.checkpoint(self.clocks.monotone(), now.unix_ms).unix_ms,
            is_confirmed: self.clock.is_confirmed(),
            old_mail_for: self.clock.old_windows_until().map(|until| until.since(now.box_time)),
        }
    }

    /// A member's device told its time.
    pub(super) fn time_told(&mut self, member: MemberId, unix_ms: u64) {
        self.vote(TimeSource::Member(member), unix_ms);
    }

    fn vote(&mut self, source: TimeSource, unix_ms: u64) {
        if self.clock.is_confirmed() {
            return;
        }
        let monotone = self.clocks.monotone();
        // The wall clock is one of the sources, and never the only one.
        let _ = self.votes.vote(TimeSource::WallClock, monotone, self.clocks.unix_ms());
        if let Some(agreed) = self.votes.vote(source, monotone, unix_ms) {
            tracing::info!("two sources agree on the time");
            self.clock.confirm(monotone, agreed);
        }
    }

    /// Nobody knows how long the box was off, and a quarter of an hour brought no answer: promise 2 goes first.
    fn drop_unconfirmed(&mut self, now: Now) {
        if self.clock.old_windows_until().is_some_and(|until| until <= now.box_time) && !self.alarms.dropped_unconfirmed
        {
            self.alarms.dropped_unconfirmed = true;
            tracing::warn!("the time could not be confirmed: mail from before the start is destroyed");
            self.writer.destroy_windows_opened_before(self.clock.started_at());
        }
    }
}
