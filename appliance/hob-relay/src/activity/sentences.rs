//! What the keeper reads of it: one plain sentence for each thing that is unusual, and none when nothing is.

use std::time::Duration;

use crate::activity::{Kind, Places, Seen, Snapshot};

/// More than so many times what is usual.
const TIMES_USUAL: u64 = 5;

/// Before that there is nothing to compare with.
const COMPARABLE: Duration = Duration::from_secs(3600);

/// Something unusual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// What it is about.
    pub kind: Kind,
    /// How it reads.
    pub text: String,
}

/// What is unusual, worst first. Empty: nothing is.
pub fn sentences(snapshot: &Snapshot) -> Vec<Sentence> {
    let mut unusual: Vec<&Seen> = snapshot.seen.iter().filter(|seen| is_unusual(seen)).collect();
    unusual.sort_by_key(|seen| std::cmp::Reverse(seen.last_hour / floor(seen.kind)));
    let say = |seen: &&Seen| Sentence { kind: seen.kind, text: say(seen, snapshot.compared_with) };
    unusual.iter().map(say).collect()
}

/// What happens in a good hour, too: old clients, a mistyped invitation, somebody who scans the whole internet.
const fn floor(kind: Kind) -> u64 {
    match kind {
        Kind::Join => 20,
        Kind::Token | Kind::Proof => 50,
        Kind::Handshake => 200,
        Kind::Fetch => 500,
    }
}

fn is_unusual(seen: &Seen) -> bool {
    seen.last_hour >= floor(seen.kind) && seen.last_hour > seen.usual_hour.saturating_mul(TIMES_USUAL)
}

fn say(seen: &Seen, compared_with: Duration) -> String {
    let (what, advice) = match seen.kind {
        Kind::Token => ("wrong delivery tokens", "They were refused; nothing needs to be done."),
        Kind::Join => ("wrong invitations", "They were refused; nothing needs to be done."),
        Kind::Proof => (
            "failed sign-ins",
            "They were refused. If a member cannot get in, their device may have to join again: `hob invite`.",
        ),
        Kind::Handshake => (
            "connections that broke off before they were encrypted",
            "Nothing was said on them; nothing needs to be done.",
        ),
        Kind::Fetch => (
            "fetches of members' public keys",
            "Each showed a token that a member gave out, so an app of somebody's may be at fault; nothing is lost by it.",
        ),
    };
    let places = match seen.places {
        Places::None | Places::Many => "many places".to_owned(),
        Places::One => "one place".to_owned(),
        Places::Some(count) => format!("{count} places"),
    };
    let before = if compared_with < COMPARABLE {
        "the box has not counted for long enough to say whether that is usual".to_owned()
    } else {
        format!("in {} it was {}", before(compared_with), seen.day_before)
    };
    format!("In the last hour {} {what} came from {places}; {before}. {advice}", seen.last_hour)
}

fn before(compared_with: Duration) -> String {
    match compared_with.as_secs() / 3600 {
        24.. => "the day before".to_owned(),
        1 => "the hour before".to_owned(),
        hours => format!("the {hours} hours before"),
    }
}
