//! The last hour in minutes and the last day in half hours: counts only, in memory only.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hob_admin_ui::chart::{Chart, Step};
use hob_relay::status::Counters;

/// A step of the last hour.
const MINUTE_S: u64 = 60;

/// A step of the last day.
pub const HALF_HOUR_S: u64 = 1800;

/// Steps of the last hour, in minutes, and of the last day, in half hours.
const MINUTES: usize = 60;
const HALF_HOURS: usize = 48;

/// What happened lately.
#[derive(Default)]
pub struct Traffic(Mutex<Lately>);

#[derive(Default)]
struct Lately {
    last: Step,
    minutes: Steps,
    half_hours: Steps,
}

/// Steps by their number since 1970, oldest first.
#[derive(Default)]
struct Steps(VecDeque<(u64, Step)>);

impl Steps {
    fn add(&mut self, number: u64, step: &Step, most: usize) {
        match self.0.back_mut() {
            // A clock that was set back: what happened is counted where it was last.
            Some((last, sum)) if *last >= number => add(sum, step),
            _ => self.0.push_back((number, *step)),
        }
        while self.0.len() > most {
            self.0.pop_front();
        }
    }

    fn chart(&self, now: u64, step_s: u64, count: usize) -> Chart {
        let first = (now + 1).saturating_sub(count as u64);
        let of = |number: u64| self.0.iter().find(|(at, _)| *at == number).map(|(_, step)| *step).unwrap_or_default();
        Chart { from_unix_s: first * step_s, step_s, steps: (first..=now).map(of).collect() }
    }
}

fn add(sum: &mut Step, step: &Step) {
    sum.accepted += step.accepted;
    sum.delivered += step.delivered;
    sum.expired += step.expired;
    sum.refused += step.refused;
}

impl Traffic {
    fn lately(&self) -> MutexGuard<'_, Lately> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counters stand so at a moment: what was added since the last time happened now.
    pub fn note(&self, unix_s: u64, counters: &Counters) {
        let total = Step {
            accepted: counters.accepted,
            delivered: counters.delivered,
            expired: counters.expired,
            refused: counters.refusals.values().sum(),
        };
        let mut lately = self.lately();
        let last = std::mem::replace(&mut lately.last, total);
        let new = Step {
            accepted: total.accepted.saturating_sub(last.accepted),
            delivered: total.delivered.saturating_sub(last.delivered),
            expired: total.expired.saturating_sub(last.expired),
            refused: total.refused.saturating_sub(last.refused),
        };
        lately.minutes.add(unix_s / MINUTE_S, &new, MINUTES);
        lately.half_hours.add(unix_s / HALF_HOUR_S, &new, HALF_HOURS);
    }

    /// The last hour, minute by minute.
    pub fn last_hour(&self, unix_s: u64) -> Chart {
        self.lately().minutes.chart(unix_s / MINUTE_S, MINUTE_S, MINUTES)
    }

    /// The last day, by half hours.
    pub fn last_day(&self, unix_s: u64) -> Chart {
        self.lately().half_hours.chart(unix_s / HALF_HOUR_S, HALF_HOUR_S, HALF_HOURS)
    }

    /// What happened since a moment of the last day, to the half hour.
    pub fn since(&self, unix_s: u64) -> Step {
        let mut sum = Step::default();
        for (_, step) in self.lately().half_hours.0.iter().filter(|(number, _)| *number >= unix_s / HALF_HOUR_S) {
            add(&mut sum, step);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 1_790_000_000 / 86_400 * 86_400 + 43_200;

    fn counters(accepted: u64) -> Counters {
        Counters { accepted, ..Counters::default() }
    }

    #[test]
    fn what_was_added_is_counted_in_its_minute_and_half_hour() {
        let traffic = Traffic::default();
        for (minutes, accepted) in [(0, 5), (1, 7), (31, 8), (59, 8)] {
            traffic.note(NOON + minutes * 60, &counters(accepted));
        }
        let hour = traffic.last_hour(NOON + 59 * 60);
        assert_eq!((hour.steps.len(), hour.from_unix_s), (60, NOON));
        let accepted: Vec<u64> = hour.steps.iter().map(|step| step.accepted).collect();
        assert_eq!((accepted[0], accepted[1], accepted[31], accepted.iter().sum::<u64>()), (5, 2, 1, 8));
        let day = traffic.last_day(NOON + 59 * 60);
        assert_eq!(day.steps.len(), 48);
        assert_eq!((day.steps[46].accepted, day.steps[47].accepted), (7, 1));
        assert_eq!(traffic.since(NOON + 1800).accepted, 1);
    }

    #[test]
    fn memory_is_bounded_and_a_clock_that_is_set_back_breaks_nothing() {
        let traffic = Traffic::default();
        for minute in 0..5000 {
            traffic.note(NOON + minute * 60, &counters(minute));
        }
        traffic.note(NOON, &counters(6000));
        let lately = traffic.lately();
        assert!(lately.minutes.0.len() <= MINUTES && lately.half_hours.0.len() <= HALF_HOURS);
        assert_eq!(lately.minutes.0.back().map(|(_, step)| step.accepted), Some(1 + 1001));
    }
}
