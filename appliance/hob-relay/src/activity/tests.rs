//! Days, simulated.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::*;

const HOUR: u64 = 3600;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(1_000_000 + seconds)
}

fn place(number: u32) -> Place {
    Place::of(Prefix::of(IpAddr::V4(Ipv4Addr::from(number))), &[7; 32])
}

/// A box on the internet: some wrong tokens, broken handshakes and many fetches in each hour, more of them by day.
fn a_usual_day(activity: &mut Activity, from: u64) {
    for minute in 0..24 * 60_u64 {
        let now = at(from + minute * 60);
        let hour = minute / 60;
        if minute % 30 == 0 {
            activity.note(now, Kind::Token, place(1));
        }
        if minute % 2 == 0 {
            activity.note(now, Kind::Handshake, place(u32::try_from(minute).unwrap()));
        }
        for _ in 0..if (8..22).contains(&hour) { 4 } else { 0 } {
            activity.note(now, Kind::Fetch, place(2));
        }
    }
}

fn texts(activity: &mut Activity, now: Duration) -> Vec<String> {
    sentences(&activity.snapshot(now)).into_iter().map(|sentence| sentence.text).collect()
}

#[test]
fn a_usual_day_is_not_unusual_at_any_hour() {
    let mut activity = Activity::new(at(0));
    for day in 0..3 {
        a_usual_day(&mut activity, day * 24 * HOUR);
        for hour in 0..24 {
            let mut later = Activity::new(at(0));
            a_usual_day(&mut later, 0);
            assert_eq!(texts(&mut later, at(24 * HOUR + hour * HOUR)), [] as [&str; 0], "hour {hour}");
        }
        assert_eq!(texts(&mut activity, at((day + 1) * 24 * HOUR)), [] as [&str; 0], "day {day}");
    }
}

#[test]
fn somebody_who_tries_invitations_is_told_with_the_day_before() {
    let mut activity = Activity::new(at(0));
    a_usual_day(&mut activity, 0);
    for hour in [3, 9, 20] {
        activity.note(at(24 * HOUR + hour * HOUR), Kind::Join, place(9));
    }
    let attack = 49 * HOUR;
    for second in 0..214 {
        activity.note(at(attack + second), Kind::Join, place(66));
    }
    let told = texts(&mut activity, at(attack + 300));
    assert_eq!(
        told,
        ["In the last hour 214 wrong invitations came from one place; in the day before it was 3. They were refused; \
          nothing needs to be done."]
    );
    assert_eq!(texts(&mut activity, at(attack + 90 * 60)), [] as [&str; 0], "an hour later it is over");
}

#[test]
fn an_attack_that_goes_on_for_half_a_day_stays_unusual_and_one_for_days_becomes_the_usual() {
    let mut activity = Activity::new(at(0));
    a_usual_day(&mut activity, 0);
    let begins = 24 * HOUR;
    let mut told = Vec::new();
    for hour in 0..48 {
        for minute in 0..60 {
            for _ in 0..5 {
                activity.note(at(begins + hour * HOUR + minute * 60), Kind::Token, place(3));
            }
        }
        told.push(!texts(&mut activity, at(begins + (hour + 1) * HOUR - 1)).is_empty());
    }
    assert!(told[..11].iter().all(|told| *told), "{told:?}");
    assert!(!told[47], "{told:?}");
}

#[test]
fn a_box_that_started_a_moment_ago_says_that_it_has_nothing_to_compare_with() {
    let mut activity = Activity::new(at(0));
    assert_eq!(texts(&mut activity, at(0)), [] as [&str; 0]);
    for second in 0..60 {
        activity.note(at(second), Kind::Proof, place(u32::try_from(second % 3).unwrap()));
    }
    let told = texts(&mut activity, at(60));
    assert_eq!(told.len(), 1);
    assert!(
        told[0].contains("60 failed sign-ins came from 3 places; the box has not counted for long enough"),
        "{told:?}"
    );
}

#[test]
fn a_million_places_take_no_more_memory_than_a_few_and_are_told_as_many() {
    let mut activity = Activity::new(at(0));
    for number in 0..1_000_000_u32 {
        let kind = Kind::ALL[number as usize % Kind::ALL.len()];
        // Spread over two days, so that every counter is filled.
        activity.note(at(u64::from(number) * 48 * HOUR / 1_000_000), kind, place(number));
    }
    assert!(activity.memory_bytes() <= Activity::memory_bytes_max(), "{} bytes", activity.memory_bytes());
    assert!(Activity::memory_bytes_max() < 64 << 10, "{} bytes", Activity::memory_bytes_max());
    let snapshot = activity.snapshot(at(48 * HOUR));
    assert!(snapshot.seen.iter().all(|seen| seen.places == Places::Many && seen.last_hour > 3000), "{snapshot:?}");
    assert!(sentences(&snapshot).is_empty(), "steady is usual, however much it is");
}

#[test]
fn one_place_in_a_crowd_is_not_blamed_and_one_that_made_nearly_all_is() {
    let mut activity = Activity::new(at(0));
    for number in 0..300 {
        activity.note(at(0), Kind::Token, place(number));
    }
    assert_eq!(activity.snapshot(at(0)).seen[0].places, Places::Many);
    for _ in 0..30_000 {
        activity.note(at(1), Kind::Token, place(5));
    }
    assert_eq!(activity.snapshot(at(1)).seen[0].places, Places::One);
}

#[test]
fn places_are_told_apart_as_the_gate_does_and_differ_from_start_to_start() {
    let of = |address: &str, key: u8| Place::of(Prefix::of(address.parse().unwrap()), &[key; 32]);
    let v6 = Ipv6Addr::from([0x2001, 0xdb8, 1, 2, 3, 4, 5, 6]).to_string();
    assert_eq!(of(&v6, 1), of("2001:db8:1:2::9", 1), "a /64 is one place");
    assert_ne!(of("192.0.2.1", 1), of("192.0.2.2", 1));
    assert_ne!(of("192.0.2.1", 1), of("192.0.2.1", 2), "under the key of another start it is another number");
    assert_eq!(format!("{:?}", of("192.0.2.1", 1)), "Place(…)");
}

#[test]
fn only_attempts_count_and_a_box_that_is_full_or_busy_blames_nobody() {
    for code in [Code::MailboxFull, Code::TooFast, Code::CannotStore, Code::Superseded, Code::NotProved] {
        assert_eq!(Kind::of_refusal(code), None, "{}", code.name());
    }
    assert_eq!(Kind::of_refusal(Code::NoSuchToken), Some(Kind::Token));
    assert_eq!(Kind::of_answer(&ServerBody::Bundle { bundle: bytes::Bytes::new() }), Some(Kind::Fetch));
    assert_eq!(Kind::of_answer(&ServerBody::Pong), None);
}

#[test]
fn time_that_stands_still_or_jumps_far_does_no_harm() {
    let mut activity = Activity::new(at(0));
    activity.note(at(5000), Kind::Token, place(1));
    activity.note(at(0), Kind::Token, place(1));
    activity.note(Duration::MAX, Kind::Token, place(1));
    activity.note(at(0), Kind::Token, place(1));
    let _ = activity.snapshot(Duration::MAX);
    let _ = activity.snapshot(Duration::ZERO);
    assert_eq!(activity.snapshot(Duration::MAX).seen[0].last_hour, 2);
}

#[test]
fn the_worst_is_what_stands_furthest_above_its_usual_hour_not_what_is_most() {
    let mut activity = Activity::new(at(0));
    let now = at(30 * HOUR);
    // 600 fetches are little more than a good hour of them; 200 wrong invitations are ten of theirs.
    for _ in 0..600 {
        activity.note(now, Kind::Fetch, place(1));
    }
    for _ in 0..200 {
        activity.note(now, Kind::Join, place(2));
    }
    let kinds: Vec<Kind> = sentences(&activity.snapshot(now)).into_iter().map(|sentence| sentence.kind).collect();
    assert_eq!(kinds, [Kind::Join, Kind::Fetch]);
}

#[test]
fn a_few_wrong_invitations_are_a_good_hour() {
    let mut activity = Activity::new(at(0));
    let now = at(30 * HOUR);
    for _ in 0..19 {
        activity.note(now, Kind::Join, place(2));
    }
    assert_eq!(texts(&mut activity, now), [] as [&str; 0]);
    activity.note(now, Kind::Join, place(2));
    assert_eq!(texts(&mut activity, now).len(), 1);
}
