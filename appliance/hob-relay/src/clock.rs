//! The box's two clocks, and what a jumping wall clock may not do to them.
//!
//! *Box time* drives deadlines and windows: it runs with the monotone clock, is checkpointed with the log, and never
//! goes back. After a start it errs to the later side, so that nothing is kept too long. *Ledger time* drives
//! invitations and tokens: it runs with the monotone clock and jumps over the time that the box was off only when that
//! time is confirmed, so that a wall clock ten years ahead kills no token.

use std::time::Duration;

/// How often the clock is checkpointed, and the least that a start charges.
pub const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);

/// How long windows from before an unknown gap are served without a confirmed time.
pub const UNCONFIRMED_MAX: Duration = Duration::from_secs(15 * 60);

/// Two time sources agree when they are no further apart than this.
pub const AGREE_WITHIN: Duration = Duration::from_secs(5 * 60);

macro_rules! instant {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(
            /// Milliseconds since the box first started.
            pub u64,
        );

        impl $name {
            /// This much later; stops at the end of time instead of overflowing.
            #[must_use]
            pub fn plus(self, duration: Duration) -> Self {
                Self(self.0.saturating_add(millis(duration)))
            }

            /// How long since an earlier instant; zero if it is a later one.
            pub fn since(self, earlier: Self) -> Duration {
                Duration::from_millis(self.0.saturating_sub(earlier.0))
            }
        }
    };
}

instant!(
    /// What deadlines and windows run on.
    BoxTime
);
instant!(
    /// What expiries of the ledger run on.
    LedgerTime
);

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The time of one input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// For deadlines and windows.
    pub box_time: BoxTime,
    /// For the ledger.
    pub ledger_time: LedgerTime,
    /// The wall clock in Unix milliseconds: for showing to people only. May be wrong by decades.
    pub unix_ms: u64,
}

/// What is stored of the clock every [`CHECKPOINT_EVERY`] and on a clean stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// Box time.
    pub box_time: BoxTime,
    /// Ledger time.
    pub ledger_time: LedgerTime,
    /// The wall clock, Unix milliseconds: the latest that was ever believed.
    pub unix_ms: u64,
    /// In which boot of the machine; `None`: not told, or how long the box was off before is not known yet.
    pub boot: Option<Boot>,
}

/// One boot of a machine: eight bytes that no other boot has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boot(pub u64);

/// What a start knows of its machine's wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Machine {
    /// The boot that it is in; `None`: the machine does not tell.
    pub boot: Option<Boot>,
    /// A clock that runs without power agrees with the wall clock.
    pub keeps_time_when_off: bool,
}

/// How long the box was off, as far as it can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// It never ran before.
    FirstStart,
    /// The wall clock is ahead of the checkpoint, and ran while the box was off: this long.
    Believed(Duration),
    /// The wall clock is ahead of the checkpoint, but may have stood while the machine was off, as that of a board whose
    /// last time is restored from a file: this long at least.
    AtLeast(Duration),
    /// The wall clock is at the checkpoint or behind it: nobody knows.
    Unknown,
}

impl Gap {
    /// How much of it box time was charged for.
    const fn told(self) -> Duration {
        match self {
            Self::Believed(off) | Self::AtLeast(off) => off,
            Self::FirstStart | Self::Unknown => Duration::ZERO,
        }
    }
}

/// The running clock of a box.
#[derive(Debug, Clone)]
pub struct BoxClock {
    start: Checkpoint,
    boot: Option<Boot>,
    started_at: Duration,
    gap: Gap,
    /// The gap that ledger time has not been charged yet because nobody confirmed it.
    uncharged: Duration,
    confirmed: bool,
    /// How long the box was off is known after all.
    gap_was_learnt: bool,
    latest: Now,
}

impl BoxClock {
    /// Starts from the last checkpoint. `monotone` is a clock that runs through suspend; `unix_ms` the wall clock.
    pub fn start(checkpoint: Option<Checkpoint>, machine: Machine, monotone: Duration, unix_ms: u64) -> Self {
        let (start, gap, uncharged) = match checkpoint {
            None => {
                let start = Checkpoint { box_time: BoxTime(0), ledger_time: LedgerTime(0), unix_ms, boot: None };
                (start, Gap::FirstStart, Duration::ZERO)
            }
            Some(last) => {
                let off = Duration::from_millis(unix_ms.saturating_sub(last.unix_ms));
                // At least one interval is charged: that much may have passed unrecorded before the stop.
                let charged = off.max(CHECKPOINT_EVERY);
                let start = Checkpoint {
                    box_time: last.box_time.plus(charged),
                    ledger_time: last.ledger_time.plus(CHECKPOINT_EVERY),
                    unix_ms: unix_ms.max(last.unix_ms),
                    boot: None,
                };
                let is_same_boot = machine.boot.is_some() && machine.boot == last.boot;
                let gap = match off {
                    Duration::ZERO => Gap::Unknown,
                    off if is_same_boot || machine.keeps_time_when_off => Gap::Believed(off),
                    off => Gap::AtLeast(off),
                };
                (start, gap, charged.saturating_sub(CHECKPOINT_EVERY))
            }
        };
        let latest = Now { box_time: start.box_time, ledger_time: start.ledger_time, unix_ms };
        let boot = machine.boot;
        Self { start, boot, started_at: monotone, gap, uncharged, confirmed: false, gap_was_learnt: false, latest }
    }

    /// The time now. Never before an earlier answer, whatever the arguments do.
    pub fn now(&mut self, monotone: Duration, unix_ms: u64) -> Now {
        let running = monotone.saturating_sub(self.started_at);
        self.latest = Now {
            box_time: self.start.box_time.plus(running).max(self.latest.box_time),
            ledger_time: self.start.ledger_time.plus(running).max(self.latest.ledger_time),
            unix_ms,
        };
        self.latest
    }

    /// Two sources agree on the time: charges ledger time for the time that the box was off, and box time for what it was
    /// off longer than the wall clock told. Only the first confirmation of a run counts.
    ///
    /// A gap stays unknown where the stored time is ahead of the confirmed one: a wall clock that was once far ahead was
    /// believed, and nothing tells when the box stopped.
    pub fn confirm(&mut self, monotone: Duration, confirmed_unix_ms: u64) {
        if self.confirmed {
            return;
        }
        self.confirmed = true;
        let running = millis(monotone.saturating_sub(self.started_at));
        let at_start = confirmed_unix_ms.saturating_sub(running);
        if self.gap != Gap::FirstStart {
            let ahead = Duration::from_millis(self.start.unix_ms.saturating_sub(at_start));
            self.gap_was_learnt = ahead <= AGREE_WITHIN;
            let longer = Duration::from_millis(at_start.saturating_sub(self.start.unix_ms));
            let longer = longer.saturating_sub(CHECKPOINT_EVERY.saturating_sub(self.gap.told()));
            self.start.box_time = self.start.box_time.plus(longer);
            // The ledger is charged what was confirmed, never more than that.
            self.start.ledger_time = self.start.ledger_time.plus(self.uncharged.saturating_sub(ahead)).plus(longer);
        }
        self.start.unix_ms = self.start.unix_ms.max(at_start);
        self.uncharged = Duration::ZERO;
    }

    /// What to store.
    pub fn checkpoint(&mut self, monotone: Duration, unix_ms: u64) -> Checkpoint {
        let now = self.now(monotone, unix_ms);
        let ran_to = self.start.unix_ms.saturating_add(millis(monotone.saturating_sub(self.started_at)));
        // A restart in the same boot would believe the wall clock: not before what it cannot tell of is forgotten, too.
        let is_settled = self.old_windows_until().is_none_or(|until| until.plus(CHECKPOINT_EVERY) <= now.box_time);
        let boot = self.boot.filter(|_| is_settled);
        // Stored time never goes back; and a wall clock set ahead while running is not believed before a restart.
        Checkpoint { box_time: now.box_time, ledger_time: now.ledger_time, unix_ms: ran_to, boot }
    }

    /// How long the box was off.
    pub const fn gap(&self) -> Gap {
        self.gap
    }

    /// The box time at which this run began.
    pub const fn started_at(&self) -> BoxTime {
        self.start.box_time
    }

    /// Whether two sources agreed on the time in this run.
    pub const fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    /// When windows from before the start are destroyed unless it is learnt first how long the box was off; `None`: not
    /// at all.
    pub fn old_windows_until(&self) -> Option<BoxTime> {
        let is_open = matches!(self.gap, Gap::Unknown | Gap::AtLeast(_));
        (is_open && !self.gap_was_learnt).then(|| self.start.box_time.plus(UNCONFIRMED_MAX))
    }
}

/// Who says what time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimeSource {
    /// The box's own wall clock.
    WallClock,
    /// A time service has set the wall clock, and the system says so.
    TimeService,
    /// A member's device. Two devices of one member are one source.
    Member(hob_protocol::ids::MemberId),
}

/// What the sources said, as offsets from the monotone clock, until two of them agree.
#[derive(Debug, Clone, Default)]
pub struct TimeVotes(std::collections::BTreeMap<TimeSource, i128>);

/// Sources that are remembered: more would let members fill the memory.
const VOTES_MAX: usize = 64;

impl TimeVotes {
    /// A source says what time it is. Returns the time in Unix milliseconds once two sources agree within
    /// [`AGREE_WITHIN`]; the earlier of the two, which keeps tokens alive rather than kills them.
    pub fn vote(&mut self, source: TimeSource, monotone: Duration, unix_ms: u64) -> Option<u64> {
        let offset = i128::from(unix_ms) - i128::from(millis(monotone));
        if self.0.len() < VOTES_MAX || self.0.contains_key(&source) {
            self.0.insert(source, offset);
        }
        let within = i128::from(millis(AGREE_WITHIN));
        let other = self.0.iter().find(|(other, at)| **other != source && (**at - offset).abs() <= within)?;
        u64::try_from(offset.min(*other.1) + i128::from(millis(monotone))).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const T: u64 = 1_790_000_000_000;

    fn stopped_at(unix_ms: u64) -> Checkpoint {
        Checkpoint { box_time: BoxTime(1_000_000), ledger_time: LedgerTime(900_000), unix_ms, boot: Some(Boot(1)) }
    }

    /// The machine went on while the box was off, and its clock with it.
    const SAME_BOOT: Machine = Machine { boot: Some(Boot(1)), keeps_time_when_off: false };

    /// The machine was off, and has no clock of its own.
    const BARE_BOARD: Machine = Machine { boot: Some(Boot(2)), keeps_time_when_off: false };

    #[test]
    fn a_box_that_was_off_for_seven_hours_has_seven_hours_more() {
        let mut clock = BoxClock::start(Some(stopped_at(T)), SAME_BOOT, Duration::ZERO, T + millis(7 * HOUR));
        let now = clock.now(Duration::ZERO, T);
        assert_eq!(now.box_time.since(BoxTime(1_000_000)), 7 * HOUR);
    }

    #[test]
    fn a_wall_clock_ten_years_ahead_forgets_envelopes_but_kills_no_token() {
        let ten_years = HOUR * 24 * 3650;
        let mut clock = BoxClock::start(Some(stopped_at(T)), SAME_BOOT, Duration::ZERO, T + millis(ten_years));
        let now = clock.now(HOUR, 0);
        assert_eq!(now.box_time.since(BoxTime(1_000_000)), ten_years + HOUR);
        assert_eq!(now.ledger_time.since(LedgerTime(900_000)), HOUR + CHECKPOINT_EVERY);
    }

    #[test]
    fn a_confirmed_gap_is_charged_to_the_ledger_too_and_only_once() {
        let mut clock = BoxClock::start(Some(stopped_at(T)), SAME_BOOT, Duration::ZERO, T + millis(7 * HOUR));
        clock.confirm(HOUR, T + millis(8 * HOUR));
        clock.confirm(HOUR, T + millis(900 * HOUR));
        assert_eq!(clock.now(HOUR, 0).ledger_time.since(LedgerTime(900_000)), 8 * HOUR);
    }

    #[test]
    fn a_believed_gap_that_turns_out_shorter_is_charged_as_short_as_it_was() {
        let mut clock = BoxClock::start(Some(stopped_at(T)), SAME_BOOT, Duration::ZERO, T + millis(87_600 * HOUR));
        clock.confirm(HOUR, T + millis(3 * HOUR));
        assert_eq!(clock.now(HOUR, 0).ledger_time.since(LedgerTime(900_000)), 3 * HOUR);
    }

    #[test]
    fn a_clock_back_in_1970_charges_an_interval_and_gives_old_windows_a_quarter_of_an_hour() {
        let mut clock = BoxClock::start(Some(stopped_at(T)), SAME_BOOT, Duration::ZERO, 0);
        let now = clock.now(Duration::ZERO, 0);
        assert_eq!(now.box_time, BoxTime(1_060_000));
        assert_eq!(clock.old_windows_until(), Some(now.box_time.plus(UNCONFIRMED_MAX)));
        assert_eq!(clock.checkpoint(HOUR, 0).unix_ms, T + millis(HOUR), "stored time never goes back");
    }

    #[test]
    fn a_confirmed_time_after_an_unknown_gap_ages_the_old_windows_by_what_really_passed() {
        let mut clock = BoxClock::start(Some(stopped_at(T)), SAME_BOOT, Duration::ZERO, 0);
        clock.confirm(Duration::from_secs(60), T + millis(7 * HOUR));
        assert_eq!(clock.old_windows_until(), None);
        assert_eq!(clock.now(Duration::from_secs(60), 0).box_time.since(BoxTime(1_000_000)), 7 * HOUR);
    }

    #[test]
    fn a_confirmed_time_tells_nothing_about_the_gap_of_a_box_whose_stored_time_is_in_the_future() {
        // Once a wall clock was a month ahead, and was believed; then the box was off for half a day.
        let mut clock =
            BoxClock::start(Some(stopped_at(T + millis(HOUR * 720))), SAME_BOOT, Duration::ZERO, T + millis(12 * HOUR));
        let started = clock.now(Duration::ZERO, T).box_time;
        clock.confirm(Duration::from_secs(5), T + millis(12 * HOUR));
        assert!(clock.is_confirmed());
        assert_eq!(clock.old_windows_until(), Some(started.plus(UNCONFIRMED_MAX)), "old mail goes all the same");
    }

    #[test]
    fn a_board_whose_clock_stood_while_it_was_off_gives_old_windows_a_quarter_of_an_hour_though_it_is_ahead() {
        // A file gave it the time of its last stop: seconds after the box's.
        let mut clock = BoxClock::start(Some(stopped_at(T)), BARE_BOARD, Duration::ZERO, T + 5_000);
        assert_eq!(clock.gap(), Gap::AtLeast(Duration::from_secs(5)));
        let started = clock.now(Duration::ZERO, 0).box_time;
        assert_eq!(clock.old_windows_until(), Some(started.plus(UNCONFIRMED_MAX)));
        clock.confirm(HOUR / 60, T + millis(7 * HOUR));
        assert_eq!(clock.old_windows_until(), None);
        let now = clock.now(HOUR / 60, 0);
        assert_eq!(now.box_time.since(BoxTime(1_000_000)), 7 * HOUR);
        assert_eq!(now.ledger_time.since(LedgerTime(900_000)), 7 * HOUR);
    }

    #[test]
    fn a_board_with_a_clock_of_its_own_is_believed_after_it_was_off() {
        let machine = Machine { keeps_time_when_off: true, ..BARE_BOARD };
        let clock = BoxClock::start(Some(stopped_at(T)), machine, Duration::ZERO, T + millis(HOUR));
        assert_eq!((clock.gap(), clock.old_windows_until()), (Gap::Believed(HOUR), None));
    }

    #[test]
    fn a_believed_gap_that_turns_out_longer_ages_the_old_windows_by_what_really_passed() {
        let mut clock = BoxClock::start(Some(stopped_at(T)), SAME_BOOT, Duration::ZERO, T + millis(HOUR));
        clock.confirm(Duration::ZERO, T + millis(5 * HOUR));
        assert_eq!(clock.now(Duration::ZERO, 0).box_time.since(BoxTime(1_000_000)), 5 * HOUR);
    }

    #[test]
    fn a_second_start_in_a_boot_is_not_believed_while_the_first_ones_gap_is_open() {
        let mut first = BoxClock::start(Some(stopped_at(T)), BARE_BOARD, Duration::ZERO, T + 5_000);
        let five_minutes = Duration::from_secs(300);
        let stored = first.checkpoint(five_minutes, 0);
        let second = BoxClock::start(Some(stored), BARE_BOARD, five_minutes, stored.unix_ms + 1_000);
        assert!(second.old_windows_until().is_some(), "nobody learnt how long the machine was off");
        // Once what is old is gone, the boot's clock is as good as any.
        let stored = first.checkpoint(HOUR, 0);
        let third = BoxClock::start(Some(stored), BARE_BOARD, HOUR, stored.unix_ms + 1_000);
        assert_eq!(third.gap(), Gap::Believed(Duration::from_secs(1)));
    }

    #[test]
    fn a_machine_that_does_not_tell_its_boot_is_not_taken_for_the_same_one() {
        let stored = Checkpoint { boot: None, ..stopped_at(T) };
        let clock = BoxClock::start(Some(stored), Machine::default(), Duration::ZERO, T + 5_000);
        assert!(clock.old_windows_until().is_some());
    }

    #[test]
    fn time_is_confirmed_by_two_sources_that_agree_and_never_by_one_that_repeats_itself() {
        let member = |byte| TimeSource::Member(hob_protocol::ids::MemberId([byte; 16]));
        let mut votes = TimeVotes::default();
        assert_eq!(votes.vote(member(1), Duration::ZERO, T), None);
        assert_eq!(votes.vote(member(1), Duration::ZERO, T), None);
        assert_eq!(votes.vote(TimeSource::WallClock, Duration::ZERO, 0), None, "a clock in 1970 agrees with nobody");
        assert_eq!(votes.vote(member(2), HOUR, T + millis(HOUR) + 1000), Some(T + millis(HOUR)));
    }

    #[test]
    fn time_never_runs_backwards_even_when_the_monotone_clock_does() {
        let mut clock = BoxClock::start(None, SAME_BOOT, Duration::from_secs(100), T);
        let later = clock.now(Duration::from_secs(200), T);
        assert_eq!(clock.now(Duration::from_secs(150), T).box_time, later.box_time);
    }
}
