//! Tokens of forms: a number used once, and a MAC over it and the cookie of whoever was shown the form.
//!
//! The number also tells when the same form comes a second time: a double click makes one invitation.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

const NONCE_BYTES: usize = 12;
const MAC_BYTES: usize = 20;

/// Forms that are remembered as done: many more than a keeper sends in an hour.
const REMEMBERED: usize = 1024;

/// Makes and checks tokens.
pub struct Csrf {
    key: Zeroizing<[u8; 32]>,
    done: Mutex<Done>,
}

#[derive(Default)]
struct Done {
    forms: HashSet<[u8; 16]>,
    order: VecDeque<[u8; 16]>,
}

/// What a token is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// The form was made for this cookie.
    Fresh,
    /// It was not: nothing may be done.
    Stale,
    /// It was, and it was done already.
    Repeated,
}

impl Csrf {
    /// With a key for this run.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *key)?;
        Ok(Self { key, done: Mutex::default() })
    }

    /// A token for a form that is shown to the holder of a cookie.
    pub fn token(&self, cookie: &str) -> String {
        let mut nonce = [0; NONCE_BYTES];
        if getrandom::fill(&mut nonce).is_err() {
            // A form without a token is refused: better than one that anybody could guess.
            return String::new();
        }
        let mut token = nonce.to_vec();
        token.extend_from_slice(&self.mac(cookie, &nonce));
        BASE64URL_NOPAD.encode(&token)
    }

    fn mac(&self, cookie: &str, nonce: &[u8]) -> [u8; MAC_BYTES] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(nonce).update(cookie.as_bytes());
        let mut mac = [0; MAC_BYTES];
        hasher.finalize_xof().fill(&mut mac);
        mac
    }

    /// Judges a token, and remembers a fresh one as done at this path.
    pub fn take(&self, cookie: &str, token: &str, path: &str) -> Freshness {
        let Ok(bytes) = BASE64URL_NOPAD.decode(token.as_bytes()) else { return Freshness::Stale };
        let Some((nonce, mac)) = bytes.split_at_checked(NONCE_BYTES) else { return Freshness::Stale };
        // Hashes compare in constant time.
        if blake3::hash(mac) != blake3::hash(&self.mac(cookie, nonce)) {
            return Freshness::Stale;
        }
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let form = form_of(nonce, path);
        if !done.forms.insert(form) {
            return Freshness::Repeated;
        }
        done.order.push_back(form);
        if done.order.len() > REMEMBERED
            && let Some(oldest) = done.order.pop_front()
        {
            done.forms.remove(&oldest);
        }
        Freshness::Fresh
    }

    /// Whether a form was carried out at this path already.
    pub fn is_done(&self, cookie: &str, token: &str, path: &str) -> bool {
        let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).unwrap_or_default();
        let Some((nonce, mac)) = bytes.split_at_checked(NONCE_BYTES) else { return false };
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        blake3::hash(mac) == blake3::hash(&self.mac(cookie, nonce)) && done.forms.contains(&form_of(nonce, path))
    }

    /// Nothing was done after all: the same form may come again.
    pub fn give_back(&self, token: &str, path: &str) {
        let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).unwrap_or_default();
        if let Some((nonce, _)) = bytes.split_at_checked(NONCE_BYTES) {
            self.done.lock().unwrap_or_else(PoisonError::into_inner).forms.remove(&form_of(nonce, path));
        }
    }
}

/// A page has several forms with one number; they go to different paths.
fn form_of(nonce: &[u8], path: &str) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(nonce).update(path.as_bytes());
    let mut form = [0; 16];
    hasher.finalize_xof().fill(&mut form);
    form
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_taken_once_from_whoever_it_was_shown_to() {
        let csrf = Csrf::new().unwrap();
        let token = csrf.token("ada");
        assert_eq!(csrf.take("eve", &token, "/a"), Freshness::Stale);
        assert_eq!(csrf.take("ada", "", "/a"), Freshness::Stale);
        assert_eq!(csrf.take("ada", &token[1..], "/a"), Freshness::Stale);
        assert_eq!(csrf.take("ada", &token, "/a"), Freshness::Fresh);
        assert_eq!(csrf.take("ada", &token, "/a"), Freshness::Repeated);
        assert_eq!(csrf.take("ada", &token, "/b"), Freshness::Fresh, "another form of the same page");
        csrf.give_back(&token, "/a");
        assert_eq!(csrf.take("ada", &token, "/a"), Freshness::Fresh, "what was refused may come again");
    }

    #[test]
    fn a_token_of_an_earlier_start_is_stale() {
        let token = Csrf::new().unwrap().token("ada");
        assert_eq!(Csrf::new().unwrap().take("ada", &token, "/a"), Freshness::Stale);
    }
}
