//! Times: local ones for people, RFC 3339 in UTC for programs.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

fn local(unix_ms: u64) -> Zoned {
    timestamp(unix_ms).to_zoned(TimeZone::system())
}

fn timestamp(unix_ms: u64) -> Timestamp {
    i64::try_from(unix_ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        // A contact's clock may say anything: a time beyond the calendar is shown as its end.
        .unwrap_or(Timestamp::MAX)
}

/// "17:42" today, else "2026-11-20 17:42".
pub fn clock(unix_ms: u64, now_ms: u64) -> String {
    clock_in(&local(unix_ms), &local(now_ms))
}

fn clock_in(time: &Zoned, now: &Zoned) -> String {
    let format = if time.date() == now.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    time.strftime(format).to_string()
}

/// "2026-11-20", the local day.
pub fn day(unix_ms: u64) -> String {
    local(unix_ms).strftime("%Y-%m-%d").to_string()
}

/// "17:42", local, of any day.
pub fn minute(unix_ms: u64) -> String {
    local(unix_ms).strftime("%H:%M").to_string()
}

/// "17:42" today, "Tuesday" within six days, else "2026-11-07".
pub fn recent_day(unix_ms: u64, now_ms: u64) -> String {
    recent_day_in(&local(unix_ms), &local(now_ms))
}

fn recent_day_in(time: &Zoned, now: &Zoned) -> String {
    let days = now.date().since(time.date()).map_or(i32::MAX, |span| span.get_days());
    let format = match days {
        0 => "%H:%M",
        1..=6 => "%A",
        _ => "%Y-%m-%d",
    };
    time.strftime(format).to_string()
}

/// "today", "yesterday", "Friday 20 November", "Friday 20 November 2025": for the line above a day's messages.
pub fn day_line(unix_ms: u64, now_ms: u64) -> String {
    day_line_in(&local(unix_ms), &local(now_ms))
}

fn day_line_in(time: &Zoned, now: &Zoned) -> String {
    let (day, today) = (time.date(), now.date());
    if day == today {
        return "today".to_owned();
    }
    if today.yesterday().is_ok_and(|yesterday| day == yesterday) {
        return "yesterday".to_owned();
    }
    let format = if day.year() == today.year() { "%A %-d %B" } else { "%A %-d %B %Y" };
    time.strftime(format).to_string()
}

/// "2026-11-20T17:42:03.120Z"
pub fn rfc3339(unix_ms: u64) -> String {
    format!("{:.3}", timestamp(unix_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_today_are_short_and_all_others_carry_their_date() {
        let at = |ms: u64| timestamp(ms).to_zoned(TimeZone::UTC);
        let now = 1_795_282_920_000;
        assert_eq!(clock_in(&at(now), &at(now)), "17:42");
        assert_eq!(clock_in(&at(now - 86_400_000), &at(now)), "2026-11-20 17:42");
    }

    #[test]
    fn a_day_has_the_name_by_which_people_call_it() {
        let at = |ms: u64| timestamp(ms).to_zoned(TimeZone::UTC);
        let (now, day_ms) = (1_795_282_920_000, 86_400_000);
        let line = |back: u64| day_line_in(&at(now - back * day_ms), &at(now));
        assert_eq!((line(0).as_str(), line(1).as_str()), ("today", "yesterday"));
        assert_eq!((line(2).as_str(), line(365).as_str()), ("Thursday 19 November", "Friday 21 November 2025"));
    }

    #[test]
    fn programs_get_utc_with_milliseconds_whatever_the_contacts_clock_says() {
        assert_eq!(rfc3339(1_795_282_920_120), "2026-11-21T17:42:00.120Z");
        assert!(rfc3339(u64::MAX).starts_with("9999-12-"));
    }
}
