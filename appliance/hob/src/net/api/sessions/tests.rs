//! Tokens and challenges over time, and forged ones.

use super::*;

const IDENTITY: BoxIdentity = BoxIdentity([0xb0; 32]);
const DEVICE: DeviceKey = DeviceKey([1; 32]);

fn sessions() -> Sessions {
    Sessions::new(&IDENTITY, Duration::from_secs(50), 1_790_000_000_000).unwrap()
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(1000 + seconds)
}

fn logged_in(sessions: &Sessions, now: Duration) -> Tokens {
    let nonce = sessions.challenge(now);
    sessions.check_challenge(now, &nonce).unwrap();
    sessions.log_in(now, &nonce, DEVICE).unwrap()
}

#[test]
fn an_access_token_is_good_for_a_quarter_of_an_hour_whatever_the_wall_clock_does() {
    let sessions = sessions();
    let tokens = logged_in(&sessions, at(0));
    assert_eq!(sessions.check(at(899), &tokens.access).map(|session| session.device), Some(DEVICE));
    assert_eq!(sessions.check(at(900), &tokens.access), None);
}

#[test]
fn another_box_another_start_and_a_logged_out_session_know_no_token_of_this_one() {
    let sessions = sessions();
    let tokens = logged_in(&sessions, at(0));
    let other = Sessions::new(&IDENTITY, Duration::from_secs(50), 1_790_000_000_000).unwrap();
    assert_eq!(other.check(at(0), &tokens.access), None);
    assert!(other.refresh(at(0), &tokens.refresh).is_err());
    let session = sessions.check(at(0), &tokens.access).unwrap();
    sessions.log_out(&session, false);
    assert_eq!(sessions.check(at(0), &tokens.access), None);
    assert!(sessions.refresh(at(0), &tokens.refresh).is_err());
}

#[test]
fn a_challenge_logs_in_once_and_for_a_minute_or_two() {
    let sessions = sessions();
    let nonce = sessions.challenge(at(0));
    assert!(sessions.check_challenge(at(59), &nonce).is_ok());
    assert!(sessions.check_challenge(at(121), &nonce).is_err());
    assert!(sessions.log_in(at(1), &nonce, DEVICE).is_some());
    assert!(sessions.check_challenge(at(2), &nonce).is_err());
    assert!(sessions.log_in(at(2), &nonce, DEVICE).is_none());
    let mut forged = sessions.challenge(at(0));
    forged[31] ^= 1;
    assert!(sessions.check_challenge(at(0), &forged).is_err());
}

#[test]
fn a_repeated_refresh_gives_the_same_successor_for_a_minute_and_then_ends_the_family() {
    let sessions = sessions();
    let first = logged_in(&sessions, at(0)).refresh;
    let (_, second) = sessions.refresh(at(10), &first).unwrap();
    let (_, again) = sessions.refresh(at(70), &first).unwrap();
    assert_eq!(second.refresh, again.refresh);
    assert!(sessions.refresh(at(71), &first).is_err());
    assert!(sessions.refresh(at(72), &second.refresh).is_err(), "the thief's and the owner's alike");
    assert_eq!(sessions.check(at(72), &second.access), None);
}

#[test]
fn a_token_from_before_the_last_but_one_ends_the_family_at_once() {
    let sessions = sessions();
    let first = logged_in(&sessions, at(0)).refresh;
    let (_, second) = sessions.refresh(at(1), &first).unwrap();
    let (_, third) = sessions.refresh(at(2), &second.refresh).unwrap();
    assert!(sessions.refresh(at(3), &first).is_err());
    assert!(sessions.refresh(at(3), &third.refresh).is_err());
}

#[test]
fn ten_thousand_logins_leave_eight_sessions_and_a_bounded_memory() {
    let sessions = sessions();
    for second in 0..10_000 {
        sessions.challenge(at(second));
        logged_in(&sessions, at(second));
    }
    assert_eq!(sessions.count(&DEVICE), FAMILIES_PER_DEVICE);
    assert!(sessions.lock().used.len() <= 180, "{}", sessions.lock().used.len());
}

#[test]
fn a_flood_of_logins_within_a_minute_is_slowed_down() {
    let sessions = sessions();
    for _ in 0..USED_MAX {
        let nonce = sessions.challenge(at(0));
        sessions.log_in(at(0), &nonce, DEVICE);
    }
    let nonce = sessions.challenge(at(0));
    assert_eq!(sessions.check_challenge(at(0), &nonce).unwrap_err().code, Code::TooFast);
}

#[test]
fn a_family_that_nobody_uses_for_two_weeks_is_over() {
    let sessions = sessions();
    let tokens = logged_in(&sessions, at(0));
    assert!(sessions.refresh(at(FAMILY_IDLE_FOR.as_secs()), &tokens.refresh).is_err());
}

#[test]
fn cut_and_long_refresh_tokens_are_refused() {
    let sessions = sessions();
    let token = logged_in(&sessions, at(0)).refresh;
    for end in 0..token.len() {
        assert!(sessions.read_refresh(&token[..end]).is_none(), "{end}");
    }
    assert!(sessions.read_refresh(&"A".repeat(100_000)).is_none());
    assert!(sessions.read_refresh(&token).is_some());
}

/// Everything right but the algorithm and who signed.
#[test]
fn no_other_algorithm_and_no_other_key_signs_even_the_right_claims() {
    let sessions = sessions();
    let tokens = logged_in(&sessions, at(0));
    let session = sessions.check(at(0), &tokens.access).unwrap();
    let claims = |aud: &str, exp: u64| Claims {
        aud: aud.to_owned(),
        sub: DEVICE.to_string(),
        sid: HEXLOWER.encode(&session.family.0),
        iat: 0,
        exp,
    };
    let good = claims(&sessions.audience, 1_790_001_000);
    let sign = |header: Algorithm, claims: &Claims, key: &EncodingKey| {
        jsonwebtoken::encode(&Header::new(header), claims, key).unwrap()
    };
    let access = sign(Algorithm::EdDSA, &good, &sessions.encoding);
    assert!(sessions.check(at(0), &access).is_some(), "the claims are right");
    let public = EncodingKey::from_secret(sessions.decoding.try_get_as_bytes().unwrap());
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        assert!(sessions.check(at(0), &sign(algorithm, &good, &public)).is_none(), "{algorithm:?}");
    }
    let another = Sessions::new(&IDENTITY, at(0), 0).unwrap().encoding;
    assert!(sessions.check(at(0), &sign(Algorithm::EdDSA, &good, &another)).is_none(), "another key");
    let foreign = sign(Algorithm::EdDSA, &claims("another box", 1_790_001_000), &sessions.encoding);
    assert!(sessions.check(at(0), &foreign).is_none(), "another audience");
    let expired = sign(Algorithm::EdDSA, &claims(&sessions.audience, 1), &sessions.encoding);
    assert!(sessions.check(at(0), &expired).is_none(), "expired");
}
