//! What a check says.

use serde::Serialize;

/// How it stands. Later is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing needs to be done.
    Ok,
    /// The box works; something makes a promise weaker, or will go wrong later.
    Look,
    /// Something does not work.
    Wrong,
}

impl Verdict {
    /// As the keeper reads it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Look => "look",
            Self::Wrong => "WRONG",
        }
    }

    /// 0, 1, 2.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Look => 1,
            Self::Wrong => 2,
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which check: "clock", "disk", …
    pub check: &'static str,
    /// How it stands.
    pub verdict: Verdict,
    /// What was found, in plain words.
    pub says: String,
    /// What to do, if anything.
    pub next: Option<String>,
}

impl Finding {
    /// Nothing needs to be done.
    pub fn ok(check: &'static str, says: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, says: says.into(), next: None }
    }

    /// Worth a look, and what to do.
    pub fn look(check: &'static str, says: impl Into<String>, next: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Look, says: says.into(), next: Some(next.into()) }
    }

    /// Something does not work, and what to do.
    pub fn wrong(check: &'static str, says: impl Into<String>, next: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Wrong, says: says.into(), next: Some(next.into()) }
    }
}

/// A time of seconds as one would say it: "40 s", "12 min", "5 h", "3 days".
pub fn about(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Bytes as one would say them: "512 KiB", "48 MiB", "2.5 GiB".
pub fn bytes(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes >> 10),
        1_048_576..1_073_741_824 => format!("{} MiB", bytes >> 20),
        _ => format!("{}.{} GiB", bytes >> 30, ((bytes & 0x3fff_ffff) * 10) >> 30),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_decides_and_wrong_is_worse_than_a_look() {
        assert_eq!([Verdict::Ok, Verdict::Wrong, Verdict::Look].into_iter().max(), Some(Verdict::Wrong));
        assert_eq!([Verdict::Ok, Verdict::Look, Verdict::Wrong].map(Verdict::exit_code), [0, 1, 2]);
    }

    #[test]
    fn times_and_sizes_are_said_as_a_person_would() {
        assert_eq!([about(40), about(720), about(18_000), about(259_200)], ["40 s", "12 min", "5 h", "3 days"]);
        assert_eq!([bytes(512 << 10), bytes(48 << 20), bytes(5 << 29)], ["512 KiB", "48 MiB", "2.5 GiB"]);
    }
}
