//! The wall clock: a possible year, set by somebody, not behind what the box saw before.

use std::path::Path;

use crate::clock::is_set_by_a_time_service;
use crate::cmd::doctor::finding::{Finding, about};
use crate::cmd::doctor::patient::{Patient, output_of};

const CHECK: &str = "clock";

/// 2026-01-01: no box ran before.
const FIRST_RELEASE_UNIX_S: u64 = 1_767_225_600;

/// 2100-01-01: nobody reads this any more.
const LAST_UNIX_S: u64 = 4_102_444_800;

/// A clock may be off by this much without anybody noticing.
const SMALL_S: u64 = 300;

/// A stopped box was rarely off for longer: the clock may have jumped.
const LONG_OFF_S: u64 = 90 * 86_400;

const SET_IT: &str = "set it (date, or NTP: systemd-timesyncd, chrony), then look again";

/// What is known of the clock.
struct Clock {
    now_s: u64,
    /// What the box stored last, or tells by its own reckoning.
    stored_s: Option<u64>,
    is_running: bool,
    has_battery: bool,
    is_synchronised: Option<bool>,
}

/// Looks at the clock.
pub fn check(patient: &Patient, findings: &mut Vec<Finding>) {
    let by_box = patient.care.as_ref().map(|care| care.unix_ms_by_records);
    let stored = by_box.or_else(|| patient.looked()?.checkpoint.map(|checkpoint| checkpoint.unix_ms));
    findings.push(judge(&Clock {
        now_s: patient.unix_ms / 1000,
        stored_s: stored.map(|unix_ms| unix_ms / 1000),
        is_running: patient.care.is_some(),
        has_battery: ["/sys/class/rtc/rtc0", "/dev/rtc0"].iter().any(|rtc| Path::new(rtc).exists()),
        is_synchronised: is_synchronised(),
    }));
}

/// Whether somebody keeps the clock right; `None`: nobody here knows. Asks this machine only.
fn is_synchronised() -> Option<bool> {
    if is_set_by_a_time_service() {
        return Some(true);
    }
    match output_of("timedatectl", &["show", "--property=NTPSynchronized", "--value"])?.as_str() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

fn judge(clock: &Clock) -> Finding {
    let now = shown(clock.now_s);
    if !(FIRST_RELEASE_UNIX_S..LAST_UNIX_S).contains(&clock.now_s) {
        return Finding::wrong(
            CHECK,
            format!(
                "the clock says {now}, which cannot be; the box goes on by its own time, and invitations name no date"
            ),
            SET_IT,
        );
    }
    let behind_s = clock.stored_s.unwrap_or(0).saturating_sub(clock.now_s);
    let ahead_s = clock.stored_s.map_or(0, |stored| clock.now_s.saturating_sub(stored));
    if behind_s > SMALL_S {
        let what = if clock.is_running {
            "behind what the running box reckons: it was set back"
        } else {
            "behind the last time that the box stored: until two sources agree, a start keeps old mail for 15 minutes only"
        };
        return Finding::wrong(CHECK, format!("the clock says {now}, {} {what}", about(behind_s)), SET_IT);
    }
    if clock.is_running && ahead_s > SMALL_S {
        return Finding::look(
            CHECK,
            format!("the clock says {now}, {} ahead of what the running box reckons: it was moved", about(ahead_s)),
            "if it is right now, restart the box, which then believes it; if not, set it",
        );
    }
    if ahead_s > LONG_OFF_S {
        return Finding::look(
            CHECK,
            format!("the clock says {now}; by that the box was off for {}", about(ahead_s)),
            format!("if it was not off for so long, {SET_IT}"),
        );
    }
    judge_sources(clock, &now)
}

fn judge_sources(clock: &Clock, now: &str) -> Finding {
    let battery = if clock.has_battery { "kept by a battery" } else { "no battery behind it" };
    match clock.is_synchronised {
        Some(true) => Finding::ok(CHECK, format!("{now}, set by a time service, {battery}")),
        None if clock.has_battery => Finding::ok(CHECK, format!("{now}, {battery}; no time service that says more")),
        Some(false) if clock.has_battery => Finding::look(
            CHECK,
            format!("{now}, {battery}, and not synchronised"),
            "let a time service set it: `timedatectl set-ntp true`; a battery clock drifts by minutes a year",
        ),
        _ => Finding::look(
            CHECK,
            format!("{now}, {battery}, and nobody here says that it is synchronised"),
            "let a time service set it (systemd-timesyncd, chrony); after a power cut the clock is else wrong until \
             members' devices tell the time",
        ),
    }
}

fn shown(unix_s: u64) -> String {
    let seconds = i64::try_from(unix_s).unwrap_or(i64::MAX);
    let text = jiff::Timestamp::from_second(seconds).map(|time| time.strftime("%Y-%m-%d %H:%M UTC").to_string());
    text.unwrap_or_else(|_| "a year beyond all calendars".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::doctor::finding::Verdict;

    const NOW: u64 = 1_800_000_000;

    fn good() -> Clock {
        Clock {
            now_s: NOW,
            stored_s: Some(NOW - 60),
            is_running: false,
            has_battery: false,
            is_synchronised: Some(true),
        }
    }

    #[test]
    fn a_clock_in_1970_or_3000_is_wrong_and_one_that_a_service_set_is_fine_without_a_battery() {
        assert_eq!(judge(&good()).verdict, Verdict::Ok);
        for now_s in [0, 60, FIRST_RELEASE_UNIX_S - 1, LAST_UNIX_S, u64::MAX] {
            assert_eq!(judge(&Clock { now_s, stored_s: None, ..good() }).verdict, Verdict::Wrong, "{now_s}");
        }
    }

    #[test]
    fn a_clock_behind_what_the_box_stored_is_wrong_and_one_far_ahead_is_worth_a_look() {
        let with = |stored_s, is_running| judge(&Clock { stored_s: Some(stored_s), is_running, ..good() }).verdict;
        assert_eq!(with(NOW + 3600, false), Verdict::Wrong);
        assert_eq!(with(NOW + 3600, true), Verdict::Wrong);
        assert_eq!(with(NOW + 60, true), Verdict::Ok, "a minute is nothing");
        assert_eq!(with(NOW - 3600, true), Verdict::Look, "moved while the box runs");
        assert_eq!(with(NOW - 3600, false), Verdict::Ok, "the box was off for an hour");
        assert_eq!(with(NOW - 100 * 86_400, false), Verdict::Look);
    }

    #[test]
    fn a_clock_that_nobody_sets_is_worth_a_look_unless_a_battery_keeps_it() {
        let with = |has_battery, is_synchronised| judge(&Clock { has_battery, is_synchronised, ..good() }).verdict;
        assert_eq!(with(false, None), Verdict::Look);
        assert_eq!(with(false, Some(false)), Verdict::Look);
        assert_eq!(with(true, Some(false)), Verdict::Look);
        assert_eq!(with(true, None), Verdict::Ok);
    }
}
