//! Who is signed in. In memory only: a restart signs everybody out, and nothing on the card opens the dashboard.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use hob_admin_ui::Notice;
use hob_relay::keeping::KeeperId;

/// A session ends when nothing came of it for so long.
pub const IDLE: Duration = Duration::from_secs(4 * 3600);

/// And after this in any case.
pub const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// A keeper's sessions: the one that was used longest ago makes room.
const PER_KEEPER: usize = 16;

/// Sessions that typed the set-up code.
const SETTING_UP_MAX: usize = 16;

/// What a browser calls itself is kept so far, in characters.
const AGENT_CHARACTERS_MAX: usize = 80;

/// Whose a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// Whoever typed the set-up code; good until there is an owner.
    SettingUp,
    /// A keeper.
    Keeper(KeeperId),
}

/// A session, for whoever shows it.
#[derive(Debug, Clone)]
pub struct Session {
    /// Names it in paths; opens nothing.
    pub id: String,
    /// Whose it is.
    pub holder: Holder,
    /// When it began.
    pub began: Duration,
    /// When it began, Unix seconds.
    pub began_unix_s: u64,
    /// When it was used last.
    pub used: Duration,
    /// From where it was begun.
    pub from: IpAddr,
    /// What the browser calls itself.
    pub agent: String,
    /// Told on the next page.
    notice: Option<Notice>,
    /// A secret of one-time codes that is shown and not confirmed yet.
    pub totp_offer: Option<Vec<u8>>,
}

/// All sessions, by the hash of their cookie.
#[derive(Default)]
pub struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

impl Sessions {
    fn all(&self) -> MutexGuard<'_, HashMap<[u8; 32], Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins one; the answer is its cookie.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn begin(
        &self,
        holder: Holder,
        now: Duration,
        unix_s: u64,
        from: IpAddr,
        agent: &str,
    ) -> Result<String, getrandom::Error> {
        let (mut cookie, mut id) = ([0; 32], [0; 8]);
        getrandom::fill(&mut cookie)?;
        getrandom::fill(&mut id)?;
        let cookie = BASE64URL_NOPAD.encode(&cookie);
        let session = Session {
            id: HEXLOWER.encode(&id),
            holder,
            began: now,
            began_unix_s: unix_s,
            used: now,
            from,
            agent: agent.chars().filter(|c| !c.is_control()).take(AGENT_CHARACTERS_MAX).collect(),
            notice: None,
            totp_offer: None,
        };
        let mut all = self.all();
        all.retain(|_, session| is_alive(session, now));
        let most = if holder == Holder::SettingUp { SETTING_UP_MAX } else { PER_KEEPER };
        let of_holder = all.iter().filter(|(_, session)| session.holder == holder);
        if of_holder.clone().count() >= most
            && let Some(oldest) = of_holder.min_by_key(|(_, session)| session.used).map(|(key, _)| *key)
        {
            all.remove(&oldest);
        }
        all.insert(key_of(&cookie), session);
        Ok(cookie)
    }

    /// The session of a cookie, if it is still good; marks it as used.
    pub fn of(&self, cookie: &str, now: Duration) -> Option<Session> {
        let mut all = self.all();
        let session = all.get_mut(&key_of(cookie)).filter(|session| is_alive(session, now))?;
        session.used = now;
        Some(session.clone())
    }

    /// Whether it is still good; does not mark it as used: a page that lies open is nobody's presence.
    pub fn is_good(&self, cookie: &str, now: Duration) -> bool {
        self.all().get(&key_of(cookie)).is_some_and(|session| is_alive(session, now))
    }

    /// Ends one.
    pub fn end(&self, cookie: &str) {
        self.all().remove(&key_of(cookie));
    }

    /// Ends those that do not pass.
    pub fn keep(&self, passes: impl Fn(&Session) -> bool) {
        self.all().retain(|_, session| passes(session));
    }

    /// A keeper's, the one used last in front.
    pub fn of_keeper(&self, keeper: KeeperId, now: Duration) -> Vec<Session> {
        let all = self.all();
        let mut mine: Vec<Session> = all
            .values()
            .filter(|session| session.holder == Holder::Keeper(keeper) && is_alive(session, now))
            .cloned()
            .collect();
        mine.sort_by(|a, b| (b.used, &b.id).cmp(&(a.used, &a.id)));
        mine
    }

    /// Has the next page tell something.
    pub fn tell(&self, cookie: &str, notice: Notice) {
        if let Some(session) = self.all().get_mut(&key_of(cookie)) {
            session.notice = Some(notice);
        }
    }

    /// What is to be told: once.
    pub fn take_notice(&self, cookie: &str) -> Option<Notice> {
        self.all().get_mut(&key_of(cookie))?.notice.take()
    }

    /// Remembers a secret until it is confirmed; `None` forgets it.
    pub fn offer_totp(&self, cookie: &str, secret: Option<Vec<u8>>) {
        if let Some(session) = self.all().get_mut(&key_of(cookie)) {
            session.totp_offer = secret;
        }
    }
}

fn is_alive(session: &Session, now: Duration) -> bool {
    now.saturating_sub(session.used) < IDLE && now.saturating_sub(session.began) < LONGEST
}

/// Looked up by hash: how long a look-up takes tells nothing about cookies.
fn key_of(cookie: &str) -> [u8; 32] {
    *blake3::hash(cookie.as_bytes()).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: Holder = Holder::Keeper(KeeperId([1; 16]));
    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn at(hours: u64) -> Duration {
        Duration::from_secs(hours * 3600)
    }

    #[test]
    fn a_session_ends_when_it_is_not_used_and_after_a_day_in_any_case() {
        let sessions = Sessions::default();
        let idle = sessions.begin(ADA, at(0), 0, HERE, "").unwrap();
        assert!(sessions.of(&idle, at(3)).is_some() && sessions.of(&idle, at(6)).is_some());
        assert!(sessions.of(&idle, at(10)).is_none(), "four hours later");
        let used = sessions.begin(ADA, at(0), 0, HERE, "").unwrap();
        assert!((1..24).all(|hour| sessions.of(&used, at(hour)).is_some()));
        assert!(sessions.of(&used, at(24)).is_none());
    }

    #[test]
    fn looking_whether_a_session_is_good_does_not_prolong_it() {
        let sessions = Sessions::default();
        let cookie = sessions.begin(ADA, at(0), 0, HERE, "").unwrap();
        assert!(sessions.is_good(&cookie, at(3)));
        assert!(sessions.of(&cookie, at(4)).is_none());
    }

    #[test]
    fn a_keeper_has_so_many_sessions_and_the_oldest_makes_room() {
        let sessions = Sessions::default();
        let first = sessions.begin(ADA, at(0), 0, HERE, "").unwrap();
        let others: Vec<String> = (0..16).map(|_| sessions.begin(ADA, at(1), 0, HERE, "x").unwrap()).collect();
        assert!(sessions.of(&first, at(1)).is_none());
        assert!(others.iter().all(|cookie| sessions.of(cookie, at(1)).is_some()));
        assert_eq!(sessions.of_keeper(KeeperId([1; 16]), at(1)).len(), 16);
    }

    #[test]
    fn a_notice_is_told_once() {
        let sessions = Sessions::default();
        let cookie = sessions.begin(ADA, at(0), 0, HERE, "").unwrap();
        sessions.tell(&cookie, Notice::Saved);
        assert_eq!(sessions.take_notice(&cookie), Some(Notice::Saved));
        assert_eq!(sessions.take_notice(&cookie), None);
    }
}
